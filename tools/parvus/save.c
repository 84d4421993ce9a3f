// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus save, restore, suspend, resume, image-info. Who saves holds a lock of the domain's file
 * "held": if it goes without a word, the monitor lets the domain go on.
 */
#include "ask.h"
#include "commands.h"
#include "wait.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HISTORY_MAX	65536u

const struct option_text save_options[] = {
	{ 'c', "checkpoint", NULL, "leave it running" },
	{ 'p', "paused", NULL, "leave it paused" },
	{ OPT_LONG, "compress", "LEVEL", "pack its memory with zstd, 1 to 19" },
	{ 0 },
};
const struct option_text restore_options[] = {
	{ 'p', "paused", NULL, "leave it paused" },
	{ 'e', NULL, NULL, "accepted, as xl has it; the monitor is always there" },
	{ OPT_LONG, "trust-config", NULL, "follow what the file's configuration names here" },
	{ 0 },
};

static void sum_text(const uint8_t sum[32], char text[65])
{
	int i;

	for (i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
}

/* Its configuration is another machine's: shown, never followed. NULL = it is none. */
static struct parvus_config *config_of(struct tool *t, const struct parvus_stream_info *i)
{
	struct parvus_config *c = NULL;

	if (parvus_config_parse(&t->error, "CONFIG", i->config, i->config_bytes, NULL, 0, &c))
		warning("%s", t->error.text);
	return c;
}

static int show_json(const char *file, const struct parvus_stream_info *i,
		     const struct parvus_config *c)
{
	struct json_object *o = json_object_new_object();
	char sum[65];

	sum_text(i->sha256, sum);
	add_text(o, "file", file);
	add_text(o, "name", c ? c->name : "");
	add_u64(o, "version", i->version);
	add_u64(o, "abi", i->abi);
	add_u64(o, "vcpus", i->vcpus);
	add_u64(o, "gfns", i->gfns);
	add_u64(o, "ram_frames", i->ram_frames);
	add_u64(o, "max_frames", i->max_frames);
	add_u64(o, "target_frames", i->target_frames);
	add_u64(o, "frames", i->frames);
	add_u64(o, "demand_frames", i->demand);
	add_u64(o, "pages", i->pages);
	add_u64(o, "page_bytes", i->page_bytes);
	add_u64(o, "console_bytes", i->console_bytes);
	add_u64(o, "contexts", i->contexts);
	add_u64(o, "passed_over", i->passed_over);
	add_u64(o, "records", i->records);
	add_u64(o, "bytes", i->bytes);
	add_text(o, "sha256", sum);
	json_object_object_add(o, "config", json_text(i->config, i->config_bytes));
	return print_json(o);
}

static int show_text(const char *file, const struct parvus_stream_info *i,
		     const struct parvus_config *c)
{
	char sum[65];

	sum_text(i->sha256, sum);
	printf("file           %s\n", file);
	printf("name           %s\n", c ? c->name : "-");
	printf("format         version %u, ABI %u\n", i->version, i->abi);
	printf("vcpus          %u\n", i->vcpus);
	printf("memory         %llu MiB of %llu at most\n",
	       (unsigned long long)i->target_frames >> 8, (unsigned long long)i->max_frames >> 8);
	printf("frames         %llu, and %llu not touched\n", (unsigned long long)i->frames,
	       (unsigned long long)i->demand);
	printf("pages          %llu in %llu bytes\n", (unsigned long long)i->pages,
	       (unsigned long long)i->page_bytes);
	printf("console        %u bytes\n", i->console_bytes);
	printf("records        %llu in %llu bytes\n", (unsigned long long)i->records,
	       (unsigned long long)i->bytes);
	printf("whole          yes, %s\n", sum);
	return 0;
}

int cmd_image_info(struct tool *t)
{
	struct bar bar = { .what = "image-info", .last = -1 };
	struct parvus_stream_info i;
	struct parvus_config *c;
	const char *name;
	bool in;
	struct stat st;
	int fd, ret;

	if (tool_arguments(t))
		return 1;
	in = !strcmp(t->args[0], "-");
	name = in ? "standard input" : t->args[0];
	fd = in ? 0 : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail("cannot open %s: %s", name[0] ? name : "\"\"", strerror(errno));
	if (fstat(fd, &st))
		ret = fail("%s: %s", name, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		ret = fail("%s is a directory: the file of a saved domain is expected", name);
	else
		ret = 0;
	if (ret) {
		if (!in)
			close(fd);
		return ret;
	}
	bar.quiet = !S_ISREG(st.st_mode);
	catch_signals();
	ret = parvus_stream_check(&t->error, name, fd, bar_progress, &bar, &i) ? 1 : 0;
	bar_end(&bar);
	if (!in)
		close(fd);
	if (ret)
		return fail_lib(t);
	c = config_of(t, &i);
	ret = t->json ? show_json(name, &i, c) : show_text(name, &i, c);
	parvus_config_free(c);
	parvus_stream_free(&i);
	return ret;
}

/* ---- save ---------------------------------------------------------------------------- */

/* Where the stream goes: beside its name first, or to standard output. */
struct target {
	const char *name;	/* for messages */
	char *path, *new;	/* NULL = standard output */
	int fd;
};

static int target_open(struct target *g, const char *path)
{
	struct stat st;

	if (!strcmp(path, "-")) {
		*g = (struct target){ .name = "standard output", .fd = 1 };
		return isatty(1) ? fail("%s: a terminal takes no saved domain", path) : 0;
	}
	*g = (struct target){ .name = path, .fd = -1 };
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return fail("%s: a regular file is expected", path);
	g->path = strdup(path);
	if (!g->path || asprintf(&g->new, "%s.new-%d", path, (int)getpid()) < 0)
		return fail("%s: no memory", path);
	g->fd = open(g->new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return g->fd < 0 ? fail("cannot write %s: %s", g->new, strerror(errno)) : 0;
}

/* It is on the disk, with its name, or it is not there. */
static int target_done(struct target *g)
{
	char *slash;
	int folder, ret = 0;

	if (!g->path)
		return 0;
	if (fsync(g->fd) || rename(g->new, g->path))
		return fail("cannot write %s: %s", g->path, strerror(errno));
	free(g->new);
	g->new = NULL;
	slash = strrchr(g->path, '/');
	if (slash)
		slash[slash == g->path] = 0;
	folder = open(slash ? g->path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || fsync(folder))
		ret = fail("cannot write the folder of %s: %s", g->name, strerror(errno));
	if (folder >= 0)
		close(folder);
	return ret;
}

static void target_close(struct target *g)
{
	if (g->new)
		unlink(g->new);
	if (g->path && g->fd >= 0)
		close(g->fd);
	free(g->new);
	free(g->path);
}

/* A lock that says we save it: 0 or 1 (said). @fd is to be closed by held_end(). */
static int held_begin(struct tool *t, const struct parvus_control_info *i, int *fd)
{
	const char *was = i->flags & PARVUS_INFO_PAUSED ? "paused" : "runs";
	char path[300];

	if (parvus_run_path(t->h, i->domain, PARVUS_HELD_FILE, path, sizeof(path)))
		return fail_lib(t);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return fail("cannot write %s: %s", path, strerror(errno));
	if (flock(*fd, LOCK_EX | LOCK_NB)) {
		close(*fd);
		return fail("domain %u is being saved already", i->domain);
	}
	if (ftruncate(*fd, 0) || pwrite(*fd, was, strlen(was), 0) != (ssize_t)strlen(was)) {
		fail("cannot write %s: %s", path, strerror(errno));
		unlink(path);
		close(*fd);
		return 1;
	}
	if (!monitor_ask(t, i, "hold", NULL))
		return 0;
	unlink(path);
	close(*fd);
	return 1;
}

static void held_end(struct tool *t, uint32_t domain, int fd)
{
	char path[300];

	if (!parvus_run_path(t->h, domain, PARVUS_HELD_FILE, path, sizeof(path)))
		unlink(path);
	close(fd);
}

/* What the console said of late, from its monitor; bytes 0 = nothing. */
static void history(struct tool *t, const struct parvus_control_info *i, uint8_t *data,
		    size_t *bytes)
{
	char path[300];
	ssize_t n;
	int fd;

	*bytes = 0;
	if (monitor_ask(t, i, "history", NULL) ||
	    parvus_run_path(t->h, i->domain, PARVUS_HISTORY_FILE, path, sizeof(path)))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, data, HISTORY_MAX);
	*bytes = n > 0 ? (size_t)n : 0;
	if (fd >= 0)
		close(fd);
	unlink(path);
}

/* Written whole while the domain is suspended. 0 or 1 (said). */
static int save(struct tool *t, const struct parvus_control_info *i,
		const struct parvus_state *state, struct target *g, struct parvus_save *o)
{
	static uint8_t said[HISTORY_MAX];
	struct bar bar = { .what = "save", .last = -1 };
	int ret;

	o->console = said;
	history(t, i, said, &o->console_bytes);
	o->progress = bar_progress;
	o->progress_arg = &bar;
	ret = parvus_save(t->h, state, g->name, g->fd, o);
	o->progress_arg = NULL;
	bar_end(&bar);
	return ret ? fail_lib(t) : target_done(g);
}

static int save_report(struct tool *t, const char *name, const struct parvus_control_info *i,
		       const char *file, const struct parvus_save *o, double seconds)
{
	struct json_object *j;

	if (!t->json)
		return 0;
	j = json_object_new_object();
	add_text(j, "name", name);
	add_u64(j, "id", i->domain);
	add_text(j, "file", file);
	add_u64(j, "frames", o->frames);
	add_u64(j, "pages", o->pages);
	add_u64(j, "bytes", o->bytes);
	add_u64(j, "stopped_ms", (uint64_t)(seconds * 1000));
	return print_json(j);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Gone, and its folder with it. 0 or 1 (said). */
static int end_saved(struct tool *t, uint32_t domain)
{
	if (parvus_domain_destroy(t->h, domain))
		return fail_lib(t);
	if (wait_gone(t, domain, false, 5) == WAIT_FAILED)
		return 1;
	if (parvus_state_served(t->h, domain) < 0)
		parvus_state_remove(t->h, domain);
	return 0;
}

static int suspend_and_save(struct tool *t, const struct parvus_control_info *i,
			    const struct parvus_state *state, const char *file,
			    struct parvus_save *o, bool keep, bool paused)
{
	bool was_paused = i->flags & PARVUS_INFO_PAUSED;
	char name[PARVUS_NAME_BYTES];
	struct target g;
	double from;
	int held = -1, ret;

	parvus_name(t->h, i, name);
	ret = target_open(&g, file);
	if (ret || held_begin(t, i, &held)) {
		target_close(&g);
		return 1;
	}
	from = seconds_now();
	ret = stopped ? fail("stopped") :
	      parvus_domain_suspend(t->h, i->domain, state->console_ref) ? fail_lib(t) : 0;
	if (!ret) {
		ret = save(t, i, state, &g, o);
		if (!ret && !keep && !paused)
			ret = end_saved(t, i->domain);
		else if (parvus_domain_resume(t->h, i->domain,
					      !was_paused && (ret || !paused)))
			ret = fail_lib(t);
	}
	held_end(t, i->domain, held);
	target_close(&g);
	return ret ? 1 : save_report(t, name, i, file, o, seconds_now() - from);
}

int cmd_save(struct tool *t)
{
	bool keep = false, paused = false;
	struct parvus_control_info i;
	struct parvus_state state;
	struct parvus_save o = { 0 };
	uint64_t level = 0;
	int c, ret;

	while ((c = tool_option(t)) > 0) {
		keep |= c == 'c';
		paused |= c == 'p';
		if (c == OPT_LONG && !parvus_number_parse(t->optarg, 1, 19, &level))
			return usage(t, "--compress %s: a number from 1 to 19 is expected",
				     t->optarg);
	}
	if (c < 0)
		return 1;
	if (t->json && !strcmp(t->args[1], "-"))
		return usage(t, "%s: standard output is the saved domain, not JSON",
			     t->args[1]);
	if (tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain, which cannot be saved", i.domain);
	if (parvus_state_load(t->h, i.domain, &state))
		return fail_lib(t);
	o.level = (int)level;
	catch_signals();
	ret = suspend_and_save(t, &i, &state, t->args[1], &o, keep, paused);
	parvus_state_free(&state);
	return ret;
}

/* ---- restore ------------------------------------------------------------------------- */

/* Nobody but root can have written it, as with a configuration file. */
static bool roots_own(int fd, const struct stat *st)
{
	(void)fd;
	return S_ISREG(st->st_mode) && st->st_uid == geteuid() && !(st->st_mode & 022);
}

static int source_open(const char *file, const char **name, struct stat *st)
{
	bool in = !strcmp(file, "-");
	int fd = in ? 0 : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*name = in ? "standard input" : file;
	if (fd < 0)
		return fail("cannot open %s: %s", file[0] ? file : "\"\"", strerror(errno)), -1;
	if (!fstat(fd, st) && !S_ISDIR(st->st_mode))
		return fd;
	fail("%s is a directory: the file of a saved domain is expected", *name);
	if (!in)
		close(fd);
	return -1;
}

/* All but the commit; then it runs, or is gone. 0 or 1 (said). */
static int revive(struct tool *t, struct parvus_restore *r, const char *name, bool paused)
{
	int link;

	if (parvus_restore_state(t->h, r)) {
		fail_lib(t);
	} else if (!monitor_start(r->build.domain, name, &link)) {
		if (!stopped && !parvus_restore_commit(t->h, r, !paused)) {
			monitor_committed(link);
			return 0;
		}
		if (stopped)
			fail("stopped");
		else
			fail_lib(t);
		parvus_domain_destroy(t->h, r->build.domain);
		close(link);	/* the monitor finds it gone, and removes the folder */
		return 1;
	} else {
		parvus_state_remove(t->h, r->build.domain);
	}
	parvus_domain_destroy(t->h, r->build.domain);
	return 1;
}

static int restore_report(struct tool *t, const struct parvus_restore *r, const char *name,
			  bool paused)
{
	struct json_object *j;

	if (!t->json) {
		printf("%s is domain %u\n", name, r->build.domain);
		return 0;
	}
	j = json_object_new_object();
	add_text(j, "name", name);
	add_u64(j, "id", r->build.domain);
	add_bool(j, "paused", paused);
	add_u64(j, "frames", r->frames);
	add_u64(j, "pages", r->pages);
	add_u64(j, "bytes", r->bytes);
	return print_json(j);
}

int cmd_restore(struct tool *t)
{
	struct bar bar = { .what = "restore", .last = -1 };
	struct parvus_restore r = { .progress = bar_progress, .progress_arg = &bar };
	struct parvus_config *given = NULL;
	const char *name, *config_name;
	bool paused = false;
	struct stat st;
	int c, fd, ret;

	while ((c = tool_option(t)) > 0) {
		paused |= c == 'p';
		r.trusted |= c == OPT_LONG;
	}
	if (c < 0 || tool_open(t))
		return 1;
	if (t->nargs == 2 &&
	    parvus_config_load(&t->error, t->args[0], NULL, 0, &given))
		return fail_lib(t);
	fd = source_open(t->args[t->nargs - 1], &name, &st);
	if (fd < 0) {
		parvus_config_free(given);
		return 1;
	}
	r.given = given;
	r.trusted |= fd != 0 && roots_own(fd, &st);
	catch_signals();
	ret = parvus_restore(t->h, name, fd, &r) ? 1 : 0;
	bar_end(&bar);
	if (ret) {
		fail_lib(t);
	} else {
		config_name = given ? given->name : r.own->name;
		ret = revive(t, &r, config_name, paused);
		if (!ret)
			ret = restore_report(t, &r, config_name, paused || r.ended);
		parvus_restore_free(&r);
	}
	parvus_config_free(given);
	if (fd)
		close(fd);
	return ret;
}

/* ---- suspend, resume ----------------------------------------------------------------- */

static int suspend_or_resume(struct tool *t, bool suspend)
{
	struct parvus_control_info i;
	struct parvus_state state;
	struct json_object *j;
	int ret;

	if (tool_arguments(t) || tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain: it cannot be suspended", i.domain);
	if (parvus_state_load(t->h, i.domain, &state))
		return fail_lib(t);
	ret = suspend ? parvus_domain_suspend(t->h, i.domain, state.console_ref) :
	      parvus_domain_resume(t->h, i.domain, true);
	parvus_state_free(&state);
	if (ret)
		return fail_lib(t);
	if (!t->json)
		return 0;
	j = json_object_new_object();
	add_text(j, "name", name_of(t, &i));
	add_u64(j, "id", i.domain);
	return print_json(j);
}

int cmd_suspend(struct tool *t)
{
	return suspend_or_resume(t, true);
}

int cmd_resume(struct tool *t)
{
	return suspend_or_resume(t, false);
}
