// SPDX-License-Identifier: GPL-2.0-only
/* parvus top: domains and their shares of the CPUs, again and again. */
#include "commands.h"
#include "wait.h"

#include <curses.h>
#include <term.h>
#include <unistd.h>

const struct option_text top_options[] = {
	{ 'b', "batch", NULL, "print, no screen" },
	{ 'n', "iterations", "COUNT", "end after that many" },
	{ 'i', NULL, "COUNT", "the same, as xl has it" },
	{ 'f', "full-name", NULL, "accepted, as xl has it: with -b names are whole" },
	{ 'd', "delay", "SECONDS", "between two, 3 without it" },
	{ 's', "sort", "KEY", "by cpu, mem, name or id" },
	{ 0 },
};

struct sample {
	struct tool *t;
	struct parvus_control_machine m;
	struct parvus_control_info *d;
	size_t n;
	double *percent, *stolen;	/* of one CPU, since the sample before */
	uint64_t *stolen_ns;
};

static void sample_free(struct sample *s)
{
	free(s->d);
	free(s->percent);
	free(s->stolen);
	free(s->stolen_ns);
	memset(s, 0, sizeof(*s));
}

static double share(uint64_t ns, uint64_t before, uint64_t now, uint64_t since)
{
	return now > since && ns > before ? 100.0 * (double)(ns - before) / (double)(now - since) :
	       0;
}

/* CPU shares are of the time since @old. */
static int sample(struct tool *t, const struct sample *old, struct sample *s)
{
	size_t i, k;

	memset(s, 0, sizeof(*s));
	s->t = t;
	if (parvus_machine(t->h, &s->m) || parvus_list(t->h, &s->d, &s->n))
		return -1;
	s->percent = calloc(s->n ? s->n : 1, sizeof(*s->percent));
	s->stolen = calloc(s->n ? s->n : 1, sizeof(*s->stolen));
	s->stolen_ns = calloc(s->n ? s->n : 1, sizeof(*s->stolen_ns));
	if (!s->percent || !s->stolen || !s->stolen_ns) {
		sample_free(s);
		return -1;
	}
	for (i = 0; i < s->n; i++) {
		uint64_t before = 0, stolen = 0, since = s->d[i].created_ns;

		s->stolen_ns[i] = stolen_ns(t, &s->d[i]);
		for (k = 0; k < old->n; k++)
			if (old->d[k].domain == s->d[i].domain &&
			    old->d[k].created_ns == s->d[i].created_ns) {
				before = old->d[k].run_ns;
				stolen = old->stolen_ns[k];
				since = old->m.now_ns;
			}
		s->percent[i] = share(s->d[i].run_ns, before, s->m.now_ns, since);
		s->stolen[i] = share(s->stolen_ns[i], stolen, s->m.now_ns, since);
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
			const struct parvus_control_info *a = &s->d[index[k - 1]],
							 *b = &s->d[index[k]];
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

static const char top_head[] = "NAME                     ID  STATE   CPU(sec) CPU(%) STEAL(%) "
			       "  MEM(M) "
			       "MEM(%) TOUCH(M)   MAX(M) VCPUS";

static void top_line(const struct sample *s, size_t i, char *text, size_t bytes)
{
	struct parvus_control_info *d = &s->d[i];
	char letters[7];

	snprintf(text, bytes, "%-22s %4u %s %10.1f %6.1f %8.1f %8llu %6.1f %8llu %8llu %5u",
		 name_of(s->t, d), d->domain, state_letters(d, letters), cpu_seconds(d->run_ns),
		 s->percent[i], s->stolen[i], (unsigned long long)d->frames >> 8,
		 s->m.frames_total ? 100.0 * (double)d->frames / (double)s->m.frames_total : 0,
		 (unsigned long long)d->touched >> 8, (unsigned long long)d->max_frames >> 8,
		 d->vcpus);
}

static void top_summary(const struct sample *s, char *text, size_t bytes)
{
	snprintf(text, bytes, "%zu domain%s, %u CPU%s, memory %llu MiB, %llu free, %llu promised",
		 s->n, s->n == 1 ? "" : "s", s->m.cpus, s->m.cpus == 1 ? "" : "s",
		 (unsigned long long)s->m.frames_total >> 8,
		 (unsigned long long)s->m.frames_free >> 8,
		 (unsigned long long)s->m.frames_promised >> 8);
}

static struct json_object *top_json(const struct sample *s, const size_t *index)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	size_t i;

	add_u64(o, "now_ns", s->m.now_ns);
	add_u64(o, "free_memory_kib", s->m.frames_free * 4);
	for (i = 0; i < s->n; i++) {
		struct json_object *d = domain_json(s->t, &s->d[index[i]], &s->m);

		json_object_object_add(d, "cpu_percent",
				       json_object_new_double(s->percent[index[i]]));
		json_object_object_add(d, "steal_percent",
				       json_object_new_double(s->stolen[index[i]]));
		json_object_array_add(list, d);
	}
	json_object_object_add(o, "domains", list);
	return o;
}

static void top_screen(const struct sample *s, const size_t *index, char key)
{
	char text[500];
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

/* The same without a terminal: one sample below the other. */
static void top_print(const struct sample *s, const size_t *index)
{
	char text[500];
	size_t i;

	top_summary(s, text, sizeof(text));
	printf("%s\n%s\n", text, top_head);
	for (i = 0; i < s->n; i++) {
		top_line(s, index[i], text, sizeof(text));
		printf("%s\n", text);
	}
	printf("\n");
}

/* One that is known not to place its cursor gets lines, as a file does. */
static bool draws(void)
{
	char cup[] = "cup", *how;
	int error;

	if (setupterm(NULL, 1, &error) != OK)
		return true;	/* not known: new_screen() */
	how = tigetstr(cup);
	del_curterm(cur_term);
	return how && how != (char *)-1;
}

/* Of this terminal, or what nearly every one understands. */
static SCREEN *new_screen(void)
{
	SCREEN *own = newterm(NULL, stdout, stdin);

	return own ? own : newterm("vt100", stdout, stdin);
}

int cmd_top(struct tool *t)
{
	struct sample old = { 0 }, now;
	bool batch = false, reverse = false, again;
	uint64_t count = 0, round;
	double delay = 3;
	char key = 'c';
	SCREEN *screen = NULL;
	size_t *index;
	int c, ret = 0;

	while ((c = tool_option(t)) > 0) {
		if (c == 'b')
			batch = true;
		if ((c == 'n' || c == 'i') && !parvus_number_parse(t->optarg, 1, UINT32_MAX,
								   &count))
			return usage(t, "-%c %s: a number from 1 on is expected", c, t->optarg);
		if (c == 'd' && !parse_seconds(t->optarg, &delay))
			return usage(t, "-d %s: seconds from 0.01 to 86400 are expected",
				     t->optarg);
		if (c == 's') {
			if (strcmp(t->optarg, "cpu") && strcmp(t->optarg, "mem") &&
			    strcmp(t->optarg, "name") && strcmp(t->optarg, "id"))
				return usage(t, "-s %s: cpu, mem, name or id is expected",
					     t->optarg);
			key = t->optarg[0];
		}
	}
	if (c < 0 || tool_open(t))
		return 1;
	batch |= t->json || !isatty(1) || !draws();
	catch_signals();
	if (sample(t, &old, &old))
		return fail_lib(t);
	if (!batch) {
		screen = new_screen();
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
	for (round = 0; !stopped; round++) {
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
			again = c != ERR && round;	/* the same, in another order */
		}
		if (stopped)
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
			top_print(&now, index);
		} else {
			top_screen(&now, index, key);
		}
		free(index);
		sample_free(&old);
		old = now;
		if (written() || (count && round + 1 >= count))
			break;
	}
	sample_free(&old);
	if (screen) {
		endwin();
		delscreen(screen);
	}
	return ret ? fail_lib(t) : 0;
}
