// SPDX-License-Identifier: GPL-2.0-only
/* parvus top, stat, trace, dmesg: what goes on. */
#include "tool.h"

#include <curses.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hypercall_names.h"

const struct option_text top_options[] = {
	{ 'b', "batch", NULL, "print, no screen" },
	{ 'n', "iterations", "COUNT", "end after that many" },
	{ 'i', NULL, "COUNT", "the same, as xl has it" },
	{ 'd', "delay", "SECONDS", "between two, 3 without it" },
	{ 's', "sort", "KEY", "by cpu, mem, name or id" },
	{ 0 },
};
const struct option_text stat_options[] = {
	{ 'n', NULL, "COUNT", "end after that many lines" },
	{ 0 },
};
const struct option_text trace_options[] = {
	{ 'e', "events", "EVENTS", "these, with commas between; all without it" },
	{ 't', "time", "SECONDS", "for that long; until Ctrl-C without it" },
	{ 'd', "domain", "DOMAIN", "show this one alone" },
	{ 0 },
};
const struct option_text dmesg_options[] = {
	{ 'c', "clear", NULL, "show, and next time begin behind it" },
	{ 'f', "follow", NULL, "go on with what comes" },
	{ 0 },
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = number;
}

static void catch_signals(void)
{
	struct sigaction on = { .sa_handler = on_signal };

	sigaction(SIGINT, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
	sigaction(SIGHUP, &on, NULL);
}

static void nap(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static bool parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return *text >= '0' && *text <= '9' && !*end && *seconds >= 0.01 && *seconds <= 86400;
}

/* ---- top ------------------------------------------------------------------------------- */

struct sample {
	struct parvus_control_machine m;
	struct parvus_control_info *d;
	size_t n;
	double *percent;
};

static void sample_free(struct sample *s)
{
	free(s->d);
	free(s->percent);
	memset(s, 0, sizeof(*s));
}

/* CPU shares are of the time since @old. */
static int sample(struct tool *t, const struct sample *old, struct sample *s)
{
	size_t i, k;

	memset(s, 0, sizeof(*s));
	if (parvus_machine(t->h, &s->m) || parvus_list(t->h, &s->d, &s->n))
		return -1;
	s->percent = calloc(s->n ? s->n : 1, sizeof(*s->percent));
	if (!s->percent) {
		sample_free(s);
		return -1;
	}
	for (i = 0; i < s->n; i++) {
		uint64_t before = 0, since = s->d[i].created_ns;

		for (k = 0; k < old->n; k++)
			if (old->d[k].domain == s->d[i].domain &&
			    old->d[k].created_ns == s->d[i].created_ns) {
				before = old->d[k].run_ns;
				since = old->m.now_ns;
			}
		if (s->m.now_ns > since && s->d[i].run_ns > before)
			s->percent[i] = 100.0 * (double)(s->d[i].run_ns - before) /
					(double)(s->m.now_ns - since);
	}
	return 0;
}

/* Indices of the domains, sorted. */
static void order(const struct sample *s, char key, bool reverse, size_t *index)
{
	size_t i, k;

	for (i = 0; i < s->n; i++)
		index[i] = i;
	for (i = 1; i < s->n; i++)
		for (k = i; k; k--) {
			const struct parvus_control_info *a = &s->d[index[k - 1]], *b = &s->d[index[k]];
			double pa = s->percent[index[k - 1]], pb = s->percent[index[k]];
			bool wrong = key == 'n' ? strcmp(a->name, b->name) > 0 :
				     key == 'i' ? a->domain > b->domain :
				     key == 'm' ? a->frames < b->frames : pa < pb;
			bool other = key == 'n' ? strcmp(a->name, b->name) < 0 :
				     key == 'i' ? a->domain < b->domain :
				     key == 'm' ? a->frames > b->frames : pa > pb;
			size_t swap = index[k];

			if (reverse ? !other : !wrong)
				break;
			index[k] = index[k - 1];
			index[k - 1] = swap;
		}
}

static const char top_head[] =
	"NAME                     ID  STATE   CPU(sec) CPU(%)   MEM(M) MEM(%) TOUCH(M)   MAX(M) VCPUS";

static void top_line(const struct sample *s, size_t i, char *text, size_t bytes)
{
	struct parvus_control_info *d = &s->d[i];
	char letters[7];

	snprintf(text, bytes, "%-22.22s %4u %s %10.1f %6.1f %8llu %6.1f %8llu %8llu %5u",
		 plain(d->name), d->domain, state_letters(d, letters), (double)d->run_ns / 1e9,
		 s->percent[i], (unsigned long long)d->frames >> 8,
		 s->m.frames_total ? 100.0 * (double)d->frames / (double)s->m.frames_total : 0,
		 (unsigned long long)d->touched >> 8, (unsigned long long)d->max_frames >> 8,
		 d->vcpus);
}

static void top_summary(const struct sample *s, char *text, size_t bytes)
{
	snprintf(text, bytes, "%zu domain%s, %u CPU%s, memory %llu MiB, %llu free, %llu promised", s->n,
		 s->n == 1 ? "" : "s", s->m.cpus, s->m.cpus == 1 ? "" : "s",
		 (unsigned long long)s->m.frames_total >> 8, (unsigned long long)s->m.frames_free >> 8,
		 (unsigned long long)s->m.frames_promised >> 8);
}

static struct json_object *top_json(const struct sample *s, const size_t *index)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	size_t i;

	add_u64(o, "now_ns", s->m.now_ns);
	add_u64(o, "free_memory_kib", s->m.frames_free * 4);
	for (i = 0; i < s->n; i++) {
		struct json_object *d = domain_json(&s->d[index[i]], &s->m);

		json_object_object_add(d, "cpu_percent",
				       json_object_new_double(s->percent[index[i]]));
		json_object_array_add(list, d);
	}
	json_object_object_add(o, "domains", list);
	return o;
}

static void top_screen(const struct sample *s, const size_t *index, char key)
{
	char text[300];
	size_t i;

	erase();
	top_summary(s, text, sizeof(text));
	mvaddnstr(0, 0, text, COLS);
	snprintf(text, sizeof(text), "sorted by %s; c m n i r q", key == 'n' ? "name" : key == 'i' ?
		 "number" : key == 'm' ? "memory" : "CPU");
	mvaddnstr(1, 0, text, COLS);
	attron(A_REVERSE);
	mvprintw(3, 0, "%-*.*s", COLS, COLS, top_head);
	attroff(A_REVERSE);
	for (i = 0; i < s->n && (int)i + 4 < LINES; i++) {
		top_line(s, index[i], text, sizeof(text));
		mvaddnstr((int)i + 4, 0, text, COLS);
	}
	refresh();
}

int cmd_top(struct tool *t)
{
	struct sample old = { 0 }, now;
	bool batch = false, reverse = false;
	uint64_t count = 0, round;
	double delay = 3;
	char key = 'c', text[300];
	SCREEN *screen = NULL;
	size_t *index, i;
	bool again;	/* the same figures in another order */
	int c, ret = 0;

	while ((c = tool_option(t)) > 0) {
		if (c == 'b')
			batch = true;
		if ((c == 'n' || c == 'i') && !parse_number(t->optarg, 1, UINT32_MAX, &count))
			return usage(t, "-%c %s: a number is expected", c, t->optarg);
		if (c == 'd' && !parse_seconds(t->optarg, &delay))
			return usage(t, "-d %s: seconds are expected", t->optarg);
		if (c == 's') {
			if (strcmp(t->optarg, "cpu") && strcmp(t->optarg, "mem") &&
			    strcmp(t->optarg, "name") && strcmp(t->optarg, "id"))
				return usage(t, "-s %s: cpu, mem, name or id is expected", t->optarg);
			key = t->optarg[0];
		}
	}
	if (c < 0 || tool_open(t))
		return 1;
	if (t->json || !isatty(1))
		batch = true;
	catch_signals();
	if (sample(t, &old, &old))
		return fail_lib(t);
	if (!batch) {
		screen = newterm(NULL, stdout, stdin);
		if (!screen) {
			sample_free(&old);
			return fail("top: this terminal (TERM=%s) is not known here: use -b",
				    env_dir("TERM", ""));
		}
		cbreak();
		noecho();
		curs_set(0);
		keypad(stdscr, TRUE);
	}
	for (round = 0; !stop; round++) {
		/* the first one is short, and then its shares are those of now */
		double wait = round ? delay : delay < 0.5 ? delay : 0.5;

		again = false;
		if (batch) {
			nap(wait);
		} else {
			timeout((int)(wait * 1000));
			c = getch();
			if (c == 'q' || c == 'Q')
				break;
			if (c == 'c' || c == 'm' || c == 'n' || c == 'i')
				key = (char)c;
			if (c == 'r')
				reverse = !reverse;
			again = c != ERR && round;
		}
		if (stop)
			break;
		if (again) {
			now = old;
			memset(&old, 0, sizeof(old));
			round--;
		} else if (sample(t, &old, &now)) {
			ret = -1;
			break;
		}
		index = calloc(now.n ? now.n : 1, sizeof(*index));
		if (!index) {
			sample_free(&now);
			break;
		}
		order(&now, key, reverse, index);
		if (t->json) {
			print_json(top_json(&now, index));
		} else if (batch) {
			top_summary(&now, text, sizeof(text));
			printf("%s\n%s\n", text, top_head);
			for (i = 0; i < now.n; i++) {
				top_line(&now, index[i], text, sizeof(text));
				printf("%s\n", text);
			}
			printf("\n");
		} else {
			top_screen(&now, index, key);
		}
		fflush(stdout);
		free(index);
		sample_free(&old);
		old = now;
		if (count && round + 1 >= count)
			break;
	}
	sample_free(&old);
	if (screen) {
		endwin();
		delscreen(screen);
	}
	return ret ? fail_lib(t) : 0;
}

/* ---- stat ------------------------------------------------------------------------------- */

struct figures {
	uint64_t now_ns, run, hypercalls;
	struct parvus_vcpu_stats s;
};

static void add_vcpu(struct figures *f, const struct parvus_control_vcpu *v)
{
	const struct parvus_vcpu_stats *s = &v->stats;
	size_t i;

	f->run += v->run_ns;
	f->s.crossings += s->crossings;
	f->s.syscalls += s->syscalls;
	f->s.root_switches += s->root_switches;
	f->s.page_faults += s->page_faults;
	f->s.page_faults_guest += s->page_faults_guest;
	f->s.fills += s->fills;
	f->s.prefills += s->prefills;
	f->s.flushes += s->flushes;
	f->s.shootdowns += s->shootdowns;
	f->s.emulations += s->emulations;
	f->s.vectors += s->vectors;
	f->s.switches += s->switches;
	for (i = 0; i < 64; i++)
		f->hypercalls += s->hypercalls[i];
}

static int gather(struct tool *t, const struct parvus_control_info *one, struct figures *f)
{
	struct parvus_control_info *list = NULL, i;
	struct parvus_control_machine m;
	struct parvus_control_vcpu v;
	size_t n = 1, k;
	uint32_t c;
	int ret = 0;

	memset(f, 0, sizeof(*f));
	if (parvus_machine(t->h, &m))
		return -1;
	f->now_ns = m.now_ns;
	if (!one && parvus_list(t->h, &list, &n))
		return -1;
	for (k = 0; k < n && !ret; k++) {
		i = one ? *one : list[k];
		for (c = 0; c < i.vcpus && !ret; c++) {
			ret = parvus_vcpu(t->h, i.domain, c, &v);
			if (!ret)
				add_vcpu(f, &v);
			else if (!one)
				ret = 0;	/* it ended between two calls */
		}
	}
	free(list);
	return ret;
}

int cmd_stat(struct tool *t)
{
	static const char *const names[] = { "cross", "sysc", "hyperc", "root", "fault", "gfault",
					     "fill", "prefil", "flush", "shoot", "vector", "switch",
					     "emul" };
	struct parvus_control_info one, *domain = NULL;
	struct figures old, now;
	double delay = 1, s;
	uint64_t count = 0, line;
	unsigned int at = 0;
	size_t i;
	int c;

	while ((c = tool_option(t)) > 0)
		if (c == 'n' && !parse_number(t->optarg, 1, UINT32_MAX, &count))
			return usage(t, "-n %s: a number is expected", t->optarg);
	if (c < 0 || tool_open(t))
		return 1;
	/* a number first is an interval if more than a domain cannot be meant */
	if (at < t->nargs && !(parse_seconds(t->args[at], &s) && t->nargs < 3 &&
			       parvus_find(t->h, t->args[at], &one))) {
		if (tool_domain(t, t->args[at++], &one))
			return 1;
		domain = &one;
	}
	if (at < t->nargs && !parse_seconds(t->args[at++], &delay))
		return usage(t, "%s: seconds are expected", t->args[at - 1]);
	if (at < t->nargs && !parse_number(t->args[at++], 1, UINT32_MAX, &count))
		return usage(t, "%s: a count is expected", t->args[at - 1]);
	catch_signals();
	if (gather(t, domain, &old))
		return fail_lib(t);
	for (line = 0; !stop && (!count || line < count); line++) {
		double rate[sizeof(names) / sizeof(*names)];

		nap(delay);
		if (stop)
			break;
		if (gather(t, domain, &now))
			return fail_lib(t);
		s = now.now_ns > old.now_ns ? (double)(now.now_ns - old.now_ns) / 1e9 : 1;
#define RATE(n, m) rate[n] = now.m > old.m ? (double)(now.m - old.m) / s : 0
		RATE(0, s.crossings);
		RATE(1, s.syscalls);
		RATE(2, hypercalls);
		RATE(3, s.root_switches);
		RATE(4, s.page_faults);
		RATE(5, s.page_faults_guest);
		RATE(6, s.fills);
		RATE(7, s.prefills);
		RATE(8, s.flushes);
		RATE(9, s.shootdowns);
		RATE(10, s.vectors);
		RATE(11, s.switches);
		RATE(12, s.emulations);
#undef RATE
		if (t->json) {
			struct json_object *o = json_object_new_object();

			add_u64(o, "now_ns", now.now_ns);
			json_object_object_add(o, "cpu_percent", json_object_new_double(
				now.run > old.run ? (double)(now.run - old.run) / s / 1e7 : 0));
			for (i = 0; i < sizeof(names) / sizeof(*names); i++)
				json_object_object_add(o, names[i], json_object_new_double(rate[i]));
			print_json(o);
		} else {
			if (line % 20 == 0) {
				printf("%6s", "cpu%");
				for (i = 0; i < sizeof(names) / sizeof(*names); i++)
					printf(" %7s", names[i]);
				printf("\n");
			}
			printf("%6.1f", now.run > old.run ? (double)(now.run - old.run) / s / 1e7 : 0);
			for (i = 0; i < sizeof(names) / sizeof(*names); i++)
				printf(" %7.0f", rate[i]);
			printf("\n");
		}
		fflush(stdout);
		old = now;
	}
	return 0;
}

/* ---- trace ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint32_t bit;
} trace_events[] = {
	{ "sched", PARVUS_TRACE_SCHED }, { "wake", PARVUS_TRACE_WAKE },
	{ "hypercall", PARVUS_TRACE_HYPERCALL }, { "fault", PARVUS_TRACE_FAULT },
	{ "event", PARVUS_TRACE_EVENT }, { "domain", PARVUS_TRACE_DOMAIN },
	{ "vector", PARVUS_TRACE_VECTOR }, { "all", PARVUS_TRACE_ALL },
};

static bool parse_events(const char *text, uint32_t *mask)
{
	size_t i, n;

	*mask = 0;
	for (;; text += n + 1) {
		n = strcspn(text, ",");
		for (i = 0; i < sizeof(trace_events) / sizeof(*trace_events); i++)
			if (strlen(trace_events[i].name) == n && !strncmp(text, trace_events[i].name, n))
				break;
		if (i == sizeof(trace_events) / sizeof(*trace_events))
			return false;
		*mask |= trace_events[i].bit;
		if (!text[n])
			return true;
	}
}

static const char *event_name(uint32_t bit)
{
	size_t i;

	for (i = 0; i < sizeof(trace_events) / sizeof(*trace_events); i++)
		if (trace_events[i].bit == bit)
			return trace_events[i].name;
	return "unknown";
}

static void who(char *text, size_t bytes, uint32_t domain, uint32_t vcpu)
{
	if (domain == 0xffff)
		snprintf(text, bytes, "idle");
	else
		snprintf(text, bytes, "d%u.%u", domain, vcpu);
}

static void show_record(const struct tool *t, const struct parvus_trace_record *r, uint32_t cpu,
			double seconds)
{
	static const char *const states[] = { "building", "running", "shutdown", "dying" };
	char subject[24], what[160], from[24];
	unsigned long long a = r->arg[0], b = r->arg[1];

	who(subject, sizeof(subject), r->domain, r->vcpu);
	switch (r->event) {
	case PARVUS_TRACE_SCHED:
		who(from, sizeof(from), (uint32_t)(a >> 16) & 0xffff, (uint32_t)a & 0xffff);
		snprintf(what, sizeof(what), "after %s", from);
		break;
	case PARVUS_TRACE_HYPERCALL:
		if (a < sizeof(hypercall_names) / sizeof(*hypercall_names) && hypercall_names[a])
			snprintf(what, sizeof(what), "%s(%#llx)", hypercall_names[a], b);
		else
			snprintf(what, sizeof(what), "%llu(%#llx)", a, b);
		break;
	case PARVUS_TRACE_FAULT:
		snprintf(what, sizeof(what), "at %#llx, code %#llx", a, b);
		break;
	case PARVUS_TRACE_EVENT:
		snprintf(what, sizeof(what), "port %llu", a);
		break;
	case PARVUS_TRACE_DOMAIN:
		snprintf(what, sizeof(what), "%s", a < 4 ? states[a] : "?");
		break;
	case PARVUS_TRACE_VECTOR:
		snprintf(what, sizeof(what), "%#llx", a);
		break;
	default:
		what[0] = 0;
	}
	if (t->json) {
		struct json_object *o = json_object_new_object();

		add_u64(o, "tsc", r->tsc);
		add_u64(o, "cpu", cpu);
		add_text(o, "event", event_name(r->event));
		if (r->domain != 0xffff) {
			add_u64(o, "domain", r->domain);
			add_u64(o, "vcpu", r->vcpu);
		}
		add_u64(o, "arg0", r->arg[0]);
		add_u64(o, "arg1", r->arg[1]);
		/* one object on each line: it may go on for long */
		printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		json_object_put(o);
		return;
	}
	printf("%12.6f cpu%-2u %-9s %-7s %s\n", seconds, cpu, event_name(r->event), subject, what);
}

struct record {
	struct parvus_trace_record r;
	uint32_t cpu;
};

static int by_time(const void *a, const void *b)
{
	uint64_t x = ((const struct record *)a)->r.tsc, y = ((const struct record *)b)->r.tsc;

	return x < y ? -1 : x > y;
}

/* All that is there now, of all CPUs, in order. */
static int show_trace(struct tool *t, const struct parvus_control_machine *m, uint64_t *from,
		      uint64_t *first, uint32_t domain)
{
	struct record *all = calloc((size_t)m->cpus * PARVUS_TRACE_BATCH, sizeof(*all));
	size_t n = 0, i;
	uint32_t cpu, k;

	if (!all)
		return fail("no memory");
	for (cpu = 0; cpu < m->cpus; cpu++) {
		struct parvus_control_trace r = { .cpu = cpu, .from = from[cpu] };
		uint64_t wanted = from[cpu];

		if (parvus_trace(t->h, &r)) {
			free(all);
			return fail_lib(t);
		}
		if (r.from > wanted && wanted)
			warning("trace: %llu records of CPU %u were lost",
				(unsigned long long)(r.from - wanted), cpu);
		from[cpu] = r.from + r.records;
		for (k = 0; k < r.records; k++) {
			all[n].r = r.record[k];
			all[n++].cpu = cpu;
		}
	}
	qsort(all, n, sizeof(*all), by_time);
	for (i = 0; i < n; i++) {
		if (!*first)
			*first = all[i].r.tsc;
		if (domain == PARVUS_DOMAIN_SELF || all[i].r.domain == domain)
			show_record(t, &all[i].r, all[i].cpu, m->tsc_khz ?
				    (double)(int64_t)(all[i].r.tsc - *first) / (double)m->tsc_khz / 1e3 : 0);
	}
	free(all);
	fflush(stdout);
	return n ? -1 : 0;
}

int cmd_trace(struct tool *t)
{
	struct parvus_control_trace set = { .flags = 0 };
	uint32_t mask = PARVUS_TRACE_ALL, before, domain = PARVUS_DOMAIN_SELF, cpu;
	struct parvus_control_machine m, now;
	struct parvus_control_info i;
	const char *name = NULL;
	uint64_t *from, first = 0;
	double seconds = 0;
	int c, ret = 0;

	while ((c = tool_option(t)) > 0) {
		if (c == 'e' && !parse_events(t->optarg, &mask))
			return usage(t, "-e %s: names of events are expected", t->optarg);
		if (c == 't' && !parse_seconds(t->optarg, &seconds))
			return usage(t, "-t %s: seconds are expected", t->optarg);
		if (c == 'd')
			name = t->optarg;
	}
	if (c < 0 || tool_open(t))
		return 1;
	if (name && tool_domain(t, name, &i))
		return 1;
	if (name)
		domain = i.domain;
	if (parvus_machine(t->h, &m))
		return fail_lib(t);
	from = calloc(m.cpus ? m.cpus : 1, sizeof(*from));
	if (!from)
		return fail("no memory");
	/* what is recorded already is not asked for */
	for (cpu = 0; cpu < m.cpus; cpu++) {
		memset(&set, 0, sizeof(set));
		set.cpu = cpu;
		if (parvus_trace(t->h, &set)) {
			free(from);
			return fail_lib(t);
		}
		from[cpu] = set.end;
	}
	before = set.mask;
	catch_signals();
	memset(&set, 0, sizeof(set));
	set.flags = PARVUS_TRACE_SET;
	set.mask = mask;
	if (parvus_trace(t->h, &set)) {
		free(from);
		return fail_lib(t);
	}
	while (!stop && !(ret > 0)) {
		ret = show_trace(t, &m, from, &first, domain);
		if (ret > 0)
			break;
		if (seconds > 0 && (parvus_machine(t->h, &now) ||
				    (double)(now.now_ns - m.now_ns) / 1e9 >= seconds))
			break;
		if (!ret)
			nap(0.05);
	}
	memset(&set, 0, sizeof(set));
	set.flags = PARVUS_TRACE_SET;
	set.mask = before;
	if (parvus_trace(t->h, &set) && ret <= 0)
		ret = fail_lib(t);
	free(from);
	return ret > 0;
}

/* ---- dmesg ------------------------------------------------------------------------------ */

/* Where -c left off. The hypervisor keeps its log; that we do not show it again is ours. */
static void mark_path(char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/dmesg", env_dir("PARVUS_RUN_DIR", "/run/parvus"));
}

static uint64_t mark_read(void)
{
	unsigned long long n = 0;
	char path[300];
	FILE *f;

	mark_path(path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

static int mark_write(uint64_t n)
{
	char path[300];
	FILE *f;

	mkdir(env_dir("PARVUS_RUN_DIR", "/run/parvus"), 0755);
	mark_path(path, sizeof(path));
	f = fopen(path, "we");
	if (!f || fprintf(f, "%llu\n", (unsigned long long)n) < 0 || fclose(f))
		return fail("cannot write %s: %s", path, strerror(errno));
	return 0;
}

int cmd_dmesg(struct tool *t)
{
	bool clear = false, follow = false;
	struct parvus_control_log l;
	char *text = NULL;
	size_t bytes = 0;
	uint64_t from;
	FILE *all = NULL;
	uint32_t i;
	int c;

	while ((c = tool_option(t)) > 0) {
		clear |= c == 'c';
		follow |= c == 'f';
	}
	if (c < 0 || tool_open(t))
		return 1;
	from = mark_read();
	catch_signals();
	if (t->json) {
		all = open_memstream(&text, &bytes);
		if (!all)
			return fail("no memory");
	}
	for (;;) {
		memset(&l, 0, sizeof(l));
		l.from = from;
		if (parvus_log(t->h, &l))
			return fail_lib(t);
		/* the mark is of another boot */
		if (from > l.end) {
			from = 0;
			continue;
		}
		for (i = 0; i < l.bytes; i++) {
			char ch = l.text[i];

			/* what guests caused to be logged shall not rule the terminal */
			fputc(ch == '\n' || ch == '\t' || (ch >= ' ' && ch <= '~') ? ch : '?',
			      all ? all : stdout);
		}
		from = l.from + l.bytes;
		if (l.bytes && from < l.end)
			continue;
		if (!follow || stop)
			break;
		fflush(stdout);
		nap(0.3);
	}
	if (all) {
		struct json_object *o = json_object_new_object();

		fclose(all);
		json_object_object_add(o, "log", json_object_new_string_len(text, (int)bytes));
		add_u64(o, "end", from);
		free(text);
		if (print_json(o))
			return 1;
	}
	return clear ? mark_write(from) : 0;
}
