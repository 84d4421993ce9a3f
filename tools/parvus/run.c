// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus run: a command in a throw-away domain. The domain is never committed: it belongs to
 * this process and ends with it, however that ends. The command goes in as /cmd, in a cpio
 * archive behind the ramdisk; the console is what it says; its status is the domain's. Files come
 * out on a disk of their own, which is memory of this process.
 */
#include "commands.h"
#include "wait.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX	(64u << 20)
#define FAILED		125
#define ENDED_BADLY	126
#define TIMED_OUT	124

#define OPT_TIMEOUT	OPT_LONG
#define OPT_ENV		(OPT_LONG + 1)
#define OPT_COPY_IN	(OPT_LONG + 2)
#define OPT_COPY_OUT	(OPT_LONG + 3)
#define OPT_DISK	(OPT_LONG + 4)
#define OPT_NETWORK	(OPT_LONG + 5)
#define EACH_MAX	64u	/* of --env, --copy-in and --copy-out */
#define DEVICES_MAX	16u	/* of --disk, and of --network */
#define OUT_VDEV	"xvdz"
#define OUT_HEAD	64u	/* bytes ahead of each file that comes out */
#define OUT_DISK	(INPUT_MAX + EACH_MAX * OUT_HEAD)

const struct option_text run_options[] = {
	{ 'm', "memory", "MB", "memory, 256 without it" },
	{ 'c', "vcpus", "COUNT", "vCPUs, 1 without it" },
	{ 'k', "kernel", "FILE", "kernel, $PARVUS_LIB_DIR/vmlinuz (/usr/lib/parvus) without it" },
	{ 'r', "ramdisk", "FILE", "user space, initramfs.cpio there without it" },
	{ 'n', "name", "NAME", "name of the domain, run-PID without it" },
	{ 'i', "stdin", NULL, "read standard input to its end, and give it to the command" },
	{ OPT_TIMEOUT, "timeout", "SECONDS", "end it then" },
	{ OPT_ENV, "env", "NAME=VALUE", "in the environment of the command; may be there again" },
	{ OPT_COPY_IN, "copy-in", "FILE[:PATH]", "a file of ours there, /root/FILE without PATH; "
	  "again for more" },
	{ OPT_COPY_OUT, "copy-out", "PATH[:FILE]", "a file of the domain here, when COMMAND has "
	  "ended; again for more" },
	{ OPT_DISK, "disk", "DISK", "a disk, as in disk = [...]; again for more" },
	{ OPT_NETWORK, "network", "VIF", "an interface, as in vif = [...], which may be ''; again "
	  "for more" },
	{ 0 },
};

/* What goes in with the command, as it was given. */
struct luggage {
	const char *env[EACH_MAX], *file[EACH_MAX], *out[EACH_MAX];
	const char *disk[DEVICES_MAX], *vif[DEVICES_MAX];
	unsigned int envs, files, outs, disks, vifs;
	bool input;
	int out_fd;	/* the memory that files come out on; -1 = none do */
};

struct archive {
	uint8_t *data;
	size_t bytes, room;
	bool failed;
};

static void append(struct archive *a, const void *data, size_t n)
{
	if (a->room - a->bytes < n) {
		size_t room = (a->room + n) * 2;
		uint8_t *more = realloc(a->data, room);

		if (!more) {
			a->failed = true;
			return;
		}
		a->data = more;
		a->room = room;
	}
	if (n)
		memcpy(a->data + a->bytes, data, n);
	a->bytes += n;
}

static void pad(struct archive *a)
{
	append(a, "\0\0\0", -a->bytes & 3);
}

/*
 * One file or folder of a newc archive (Documentation/driver-api/early-userspace/
 * buffer-format.rst).
 */
static void add_entry(struct archive *a, const char *name, uint32_t mode, const void *data,
		      size_t n)
{
	size_t length = strlen(name) + 1;
	char head[120];

	snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		 0, mode, 0, 0, 1, 0, (unsigned int)n, 0, 0, 0, 0, (unsigned int)length, 0);
	append(a, head, 110);
	append(a, name, length);
	pad(a);
	append(a, data, n);
	pad(a);
}

static void add_file(struct archive *a, const char *name, const void *data, size_t n)
{
	add_entry(a, name, 0100600, data, n);
}

/* 'it'\''s' */
static void quote(struct archive *a, const char *text)
{
	append(a, "'", 1);
	for (; *text; text++) {
		if (*text == '\'')
			append(a, "'\\''", 4);
		else
			append(a, text, 1);
	}
	append(a, "'", 1);
}

/* Where init mounts something over what is in the archive. */
static bool hidden(const char *path)
{
	static const char *const over[] = { "tmp", "run", "dev", "proc", "sys", NULL };
	size_t i, n = strcspn(path, "/");

	for (i = 0; over[i]; i++)
		if (n == strlen(over[i]) && !strncmp(path, over[i], n))
			return true;
	return false;
}

/* A file of ours, with the folders above it. */
static int add_ours(struct archive *a, const char *what)
{
	const char *colon = strrchr(what, ':');
	char from[4096], path[4096], *p;
	uint8_t data[65536];
	struct archive in = { 0 };
	struct stat st;
	ssize_t n;
	int fd, ret = 0;

	snprintf(from, sizeof(from), "%.*s", colon ? (int)(colon - what) : 4000, what);
	p = strrchr(from, '/');
	snprintf(path, sizeof(path), "root/%.4000s", p ? p + 1 : from);
	if (colon)
		snprintf(path, sizeof(path), "%s", colon + 1 + (colon[1] == '/'));
	n = (ssize_t)strlen(path);
	if ((colon && colon[1] != '/') || !n || path[n - 1] == '/' || strstr(path, "..") ||
	    strstr(path, "//") || hidden(path))
		return fail("run: --copy-in %s: FILE:PATH is expected, PATH a file's from / on, "
			    "and not in tmp, run, dev, proc or sys there", what);
	fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st)) {
		ret = fail("run: --copy-in %s: cannot open %s: %s", what, from, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = fail("run: --copy-in %s: %s is no regular file", what, from);
		goto out;
	}
	while (!ret && (n = read(fd, data, sizeof(data))) != 0) {
		if (n < 0)
			ret = fail("run: cannot read %s: %s", from, strerror(errno));
		else
			append(&in, data, (size_t)n);
		if (!ret && in.bytes > INPUT_MAX)
			ret = fail("run: %s is larger than %u MiB", from, INPUT_MAX >> 20);
	}
	for (p = strchr(path, '/'); p && !ret; p = strchr(p + 1, '/')) {
		*p = 0;
		add_entry(a, path, !strcmp(path, "root") ? 040700 : 040755, NULL, 0);
		*p = '/';
	}
	add_entry(a, path, 0100000u | (st.st_mode & 0777), in.data, in.bytes);
	if (in.failed)
		ret = fail("no memory");
out:
	free(in.data);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* The two ends of PATH[:FILE]. */
static int out_names(const char *what, char path[4096], char file[4096])
{
	const char *colon = strrchr(what, ':'), *last;

	snprintf(path, 4096, "%.*s", colon ? (int)(colon - what) : 4000, what);
	last = strrchr(path, '/');
	snprintf(file, 4096, "%s", colon ? colon + 1 : last ? last + 1 : path);
	if (!path[0] || !file[0] || file[strlen(file) - 1] == '/' || path[strlen(path) - 1] == '/')
		return fail("run: --copy-out %s: PATH or PATH:FILE is expected, both of files",
			    what);
	return 0;
}

/*
 * When the command has ended, whatever way, its files are written to the disk one behind the other,
 * each with a head of OUT_HEAD bytes: a word, a size, and whether it is a program.
 */
static int add_outs(struct archive *cmd, const struct luggage *l)
{
	static const char before[] =
		"sh /command\nstatus=$?\n"
		"i=0; while [ ! -b /dev/" OUT_VDEV " ] && [ $i -lt 100 ]; do i=$((i + 1)); "
		"sleep 0.1; done\n"
		"used=0\n"
		"out() {\n"
		"if [ ! -f \"$1\" ]; then printf '%-63s\\n' 'none 0 -'; return; fi\n"
		"n=$(($(wc -c <\"$1\"))); x=-; [ ! -x \"$1\" ] || x=x\n"
		"used=$((used + n))\n"
		"if [ $used -gt ", middle[] = " ]; then printf '%-63s\\n' 'large 0 -'; return; fi\n"
		"printf '%-63s\\n' \"file $n $x\"; head -c $n \"$1\"\n}\n{\n",
		after[] = "} >/dev/" OUT_VDEV "\nsync\nexit $status\n";
	char path[4096], file[4096], max[24];
	unsigned int i;

	snprintf(max, sizeof(max), "%u", INPUT_MAX);
	append(cmd, before, sizeof(before) - 1);
	append(cmd, max, strlen(max));
	append(cmd, middle, sizeof(middle) - 1);
	for (i = 0; i < l->outs; i++) {
		if (out_names(l->out[i], path, file))
			return 1;
		append(cmd, "out ", 4);
		quote(cmd, path);
		append(cmd, "\n", 1);
	}
	append(cmd, after, sizeof(after) - 1);
	return 0;
}

/* One file out of the domain, of which nothing is believed but that it says so. */
static int take_file(const struct luggage *l, unsigned int n, uint64_t *at)
{
	char head[OUT_HEAD + 1] = "", path[4096], file[4096], word[8] = "", kind = '-';
	unsigned long long size = 0;
	uint8_t data[65536];
	int fd;

	out_names(l->out[n], path, file);
	if (pread(l->out_fd, head, OUT_HEAD, (off_t)*at) != OUT_HEAD ||
	    sscanf(head, "%7s %llu %c", word, &size, &kind) != 3 ||
	    size > OUT_DISK - OUT_HEAD - *at)
		word[0] = 0;
	*at += OUT_HEAD;
	if (!strcmp(word, "none"))
		return fail("run: --copy-out %s: there is no file %s in the domain", l->out[n],
			    path);
	if (!strcmp(word, "large"))
		return fail("run: --copy-out %s: the files are larger than %u MiB", l->out[n],
			    INPUT_MAX >> 20);
	if (strcmp(word, "file"))
		return fail("run: --copy-out %s: the domain has not given it", l->out[n]);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
		  kind == 'x' ? 0777 : 0666);
	if (fd < 0)
		return fail("run: --copy-out %s: cannot write %s: %s", l->out[n], file,
			    strerror(errno));
	while (size) {
		ssize_t some = pread(l->out_fd, data, size < sizeof(data) ? size : sizeof(data),
				     (off_t)*at);

		if (some <= 0 || write(fd, data, (size_t)some) != some)
			break;
		*at += (uint64_t)some;
		size -= (uint64_t)some;
	}
	if (close(fd) || size)
		return fail("run: --copy-out %s: cannot write %s: %s", l->out[n], file,
			    strerror(errno));
	return 0;
}

static int take_outs(const struct luggage *l)
{
	uint64_t at = 0;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < l->outs; i++)
		ret |= take_file(l, i, &at);
	return ret;
}

/* The archive with /cmd, /stdin if it is to have one, and files of ours. */
static int make_extra(const struct tool *t, const struct luggage *l, struct archive *a)
{
	struct archive cmd = { 0 }, in = { 0 }, all = { 0 };
	uint8_t data[65536];
	unsigned int i;
	ssize_t n;
	int ret = 0;

	for (i = 0; i < l->files; i++)
		if (add_ours(a, l->file[i]))
			return 1;
	if (l->input) {
		while ((n = read(0, data, sizeof(data))) != 0) {
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0) {
				ret = fail("run: standard input: %s", strerror(errno));
				break;
			}
			append(&in, data, (size_t)n);
			if (in.bytes > INPUT_MAX) {
				ret = fail("run: standard input is larger than %u MiB",
					   INPUT_MAX >> 20);
				break;
			}
		}
		add_file(a, "stdin", in.data, in.bytes);
		append(&cmd, "exec </stdin\n", 13);
	}
	for (i = 0; i < l->envs; i++) {
		append(&cmd, "export ", 7);
		quote(&cmd, l->env[i]);
		append(&cmd, "\n", 1);
	}
	if (t->nargs == 1) {
		append(&cmd, t->args[0], strlen(t->args[0]));
	} else {
		for (i = 0; i < t->nargs; i++) {
			if (i)
				append(&cmd, " ", 1);
			quote(&cmd, t->args[i]);
		}
	}
	append(&cmd, "\n", 1);
	if (l->outs && !ret)
		ret = add_outs(&all, l);
	if (l->outs)
		add_file(a, "command", cmd.data, cmd.bytes);
	add_file(a, "cmd", l->outs ? all.data : cmd.data, l->outs ? all.bytes : cmd.bytes);
	add_entry(a, "TRAILER!!!", 0, NULL, 0);
	if (!ret && (a->failed || cmd.failed || in.failed || all.failed))
		ret = fail("no memory");
	free(all.data);
	free(cmd.data);
	free(in.data);
	return ret;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/*
 * What the domain has said goes to stdout. 1 = something, 0 = nothing or nobody to take it now
 * and something else to do, -1 = an error, said.
 */
static int pass_on(struct parvus_console *console, int signals, int64_t until, const char *error)
{
	struct pollfd fds[2] = { { .fd = 1, .events = POLLOUT },
				 { .fd = signals, .events = POLLIN } };
	char data[2048];	/* a pipe that is writable takes as much without waiting */
	ssize_t n, done, at;
	int64_t left = until ? until - now_ms() : 60000;

	if (poll(fds, 2, left < 0 ? 0 : left > 60000 ? 60000 : (int)left) <= 0 || fds[1].revents)
		return 0;
	n = parvus_console_read(console, data, sizeof(data));
	if (n < 0)
		fail("run: %s", error);
	for (at = 0; at < n; at += done) {
		done = write(1, data + at, (size_t)(n - at));
		if (done < 0 && errno == EINTR)
			done = 0;
		if (done < 0) {
			fail("run: cannot write: %s", strerror(errno));
			return -1;
		}
	}
	return n > 0;
}

/* Until the end of the domain. The status of this program; @ended: the command's own. */
static int follow(struct tool *t, uint32_t domain, struct parvus_console *console,
		  struct parvus_keeper *keeper, int signals, int64_t until, bool *ended)
{
	struct pollfd fds[3 + PARVUS_KEEPER_FDS] = {
		{ .fd = parvus_fd(t->h), .events = POLLIN },
		{ .fd = parvus_console_fd(console), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	struct parvus_control_info i;
	struct signalfd_siginfo s;
	size_t kept = 0;
	int ret, soon;

	for (;;) {
		int64_t left = until ? until - now_ms() : 60000;

		if (until && left <= 0) {
			fail("run: domain %u has not ended within the time of --timeout", domain);
			return TIMED_OUT;
		}
		soon = keeper ? parvus_keeper_poll(keeper, fds + 3, &kept) : -1;
		if (soon >= 0 && soon < left)
			left = soon;
		/* output that waits for a reader is looked at again soon */
		ret = parvus_poll(t->h, fds, 3 + kept, parvus_console_waits(console) ? 20 :
				  left > 60000 ? 60000 : (int)left);
		if (ret < 0 && ret != -EINTR)
			return fail_lib(t), FAILED;
		if (fds[2].revents && read(signals, &s, sizeof(s)) == sizeof(s))
			return 128 + (int)s.ssi_signo;
		if (fds[1].revents)
			parvus_console_ack(console);
		if (keeper && ret >= 0)
			parvus_keeper_work(keeper, fds + 3, kept);
		/* the state first: what was said before the end is in the page then */
		if (parvus_changed(t->h) || parvus_domain_info(t->h, domain, &i))
			return fail_lib(t), FAILED;
		/* not all at once: the clock and signals have their turn */
		for (unsigned int n = 0; n < 64 || i.state == PARVUS_DOMAIN_SHUTDOWN; n++) {
			ret = pass_on(console, signals, until, t->error.text);
			if (ret < 0)
				return FAILED;
			if (!ret)
				break;
		}
		if (i.state != PARVUS_DOMAIN_SHUTDOWN || parvus_console_waits(console))
			continue;
		*ended = i.reason == PARVUS_SHUTDOWN_POWEROFF || i.reason == PARVUS_SHUTDOWN_REBOOT;
		if (*ended)
			return (int)(i.status & 255);
		fail("run: the domain ended: %s%s%s", parvus_reason_text(i.reason),
		     i.why[0] ? ": " : "", plain(i.why));
		return ENDED_BADLY;
	}
}

/* What the keeper of its devices has to say. */
static void keeper_says(void *arg, const char *text)
{
	(void)arg;
	warning("run: %s", text);
}

static int start(struct tool *t, const struct parvus_config *config, struct parvus_build *b,
		 int64_t seconds, bool *ended)
{
	const struct parvus_keeper_ops ops = { .say = keeper_says };
	struct parvus_keeper *keeper = NULL;
	struct parvus_console *console;
	sigset_t set;
	int signals, ret;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) ||
	    (signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return fail("run: no signals: %s", strerror(errno)), FAILED;
	if (config->ndisks || config->nvifs ? parvus_create(t->h, config, b, &ops, &keeper) :
	    parvus_build(t->h, config, b)) {
		close(signals);
		return fail_lib(t), FAILED;
	}
	if (parvus_console_open(t->h, b->domain, b->console_ref, b->console_port, &console)) {
		fail_lib(t);
		ret = FAILED;
	} else {
		if (parvus_domain_unpause(t->h, b->domain))
			ret = fail_lib(t) ? FAILED : 0;
		else
			ret = follow(t, b->domain, console, keeper, signals,
				     seconds ? now_ms() + seconds * 1000 : 0, ended);
		parvus_console_close(console);
	}
	if (parvus_domain_destroy(t->h, b->domain)) {
		fail_lib(t);
		ret = ret ? ret : FAILED;
	} else {
		/* its memory is free for the next one */
		wait_gone(t, b->domain, false, 5);
	}
	if (keeper) {
		parvus_keeper_end(keeper);
		parvus_keeper_close(keeper);
		parvus_state_remove(t->h, b->domain);
	}
	close(signals);
	return ret;
}

static char *lib_file(const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", env_dir("PARVUS_LIB_DIR", "/usr/lib/parvus"), name) < 0 ?
	       NULL : path;
}

/* What a shell takes as one. */
static bool is_setting(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return n && text[n] == '=' && (text[0] < '0' || text[0] > '9');
}

/* Two disks that are one, or one on the other: all numbers above 65535 are partitions. */
static bool disks_meet(int a, int b)
{
	return (a & 0xffff) == (b & 0xffff) && (a == b || a <= 0xffff || b <= 0xffff);
}

static int add_disk(struct tool *t, struct parvus_config *c, const char *spec)
{
	struct parvus_disk *d = &c->disks[c->ndisks];
	size_t i;

	if (parvus_disk_parse(&t->error, spec, d)) {
		parvus_disk_free(d);
		return fail_lib(t);
	}
	for (i = 0; i < c->ndisks && !disks_meet(c->disks[i].index, d->index); i++)
		;
	if (i < c->ndisks) {
		fail("run: disk: %s and %s are the same disk, or one is a part of the other%s",
		     c->disks[i].vdev, d->vdev, !i && c->disks[i].target &&
		     strstr(c->disks[i].target, "/fd/") ? " (files come out on " OUT_VDEV ")" : "");
		parvus_disk_free(d);
		return 1;
	}
	c->ndisks++;
	return 0;
}

/* All that is kept of it is gone with this process, however that ends. */
static int add_out_disk(struct tool *t, struct parvus_config *c, struct luggage *l)
{
	char spec[80];

	l->out_fd = memfd_create("parvus-run", MFD_CLOEXEC);
	if (l->out_fd < 0 || ftruncate(l->out_fd, OUT_DISK))
		return fail("run: no memory for files that come out: %s", strerror(errno));
	snprintf(spec, sizeof(spec), "vdev=" OUT_VDEV ",target=/proc/%d/fd/%d", (int)getpid(),
		 l->out_fd);
	return add_disk(t, c, spec);
}

static int add_devices_of(struct tool *t, struct parvus_config *c, struct luggage *l)
{
	unsigned int i;

	c->disks = calloc(DEVICES_MAX + 1, sizeof(*c->disks));
	c->vifs = calloc(DEVICES_MAX, sizeof(*c->vifs));
	if (!c->disks || !c->vifs)
		return fail("no memory");
	if (l->outs && add_out_disk(t, c, l))
		return 1;
	for (i = 0; i < l->disks; i++)
		if (add_disk(t, c, l->disk[i]))
			return 1;
	for (i = 0; i < l->vifs; i++) {
		c->nvifs++;
		if (parvus_vif_parse(&t->error, c->name, l->vif[i], (int)i, &c->vifs[i]))
			return fail_lib(t);
	}
	return 0;
}

static void free_devices_of(struct parvus_config *c, struct luggage *l)
{
	size_t i;

	for (i = 0; i < c->ndisks; i++)
		parvus_disk_free(&c->disks[i]);
	for (i = 0; i < c->nvifs; i++)
		parvus_vif_free(&c->vifs[i]);
	free(c->disks);
	free(c->vifs);
	if (l->out_fd >= 0)
		close(l->out_fd);
}

/* One more of an option that may be there again. 0, or the status of a wrong command line. */
static int one_more(struct tool *t, const char *option, const char **list, unsigned int *n,
		    unsigned int max)
{
	if (*n == max)
		return usage(t, "%s %s: one more than %u", option, t->optarg, max);
	list[(*n)++] = t->optarg;
	return 0;
}

int cmd_run(struct tool *t)
{
	uint64_t memory = 256, vcpus = 1, seconds = 0;
	const char *kernel = NULL, *ramdisk = NULL, *name = NULL;
	struct parvus_config config = { .weight = 256 };
	struct parvus_build b = { 0 };
	struct archive extra = { 0 };
	struct luggage l = { .out_fd = -1 };
	char pid[32], path[4096], file[4096];
	bool ended = false;
	int c, wrong = 0, ret = FAILED;

	while ((c = tool_option(t)) > 0) {
		switch (c) {
		case 'm':
			if (!parvus_number_parse(t->optarg, 2, 1u << 26, &memory))
				return usage(t,
					"-m %s: a number of MiB from 2 to 67108864 is expected",
						t->optarg);
			break;
		case 'c':
			if (!parvus_number_parse(t->optarg, 1, PARVUS_MAX_VCPUS, &vcpus))
				return usage(t, "-c %s: a number from 1 to %u is expected",
					     t->optarg, PARVUS_MAX_VCPUS);
			break;
		case 'k':
			kernel = t->optarg;
			break;
		case 'r':
			ramdisk = t->optarg;
			break;
		case 'n':
			name = t->optarg;
			break;
		case 'i':
			l.input = true;
			break;
		case OPT_ENV:
			if (!is_setting(t->optarg))
				return usage(t, "--env %s: NAME=VALUE is expected", t->optarg);
			wrong = one_more(t, "--env", l.env, &l.envs, EACH_MAX);
			break;
		case OPT_COPY_IN:
			wrong = one_more(t, "--copy-in", l.file, &l.files, EACH_MAX);
			break;
		case OPT_COPY_OUT:
			if (out_names(t->optarg, path, file))
				return FAILED;
			wrong = one_more(t, "--copy-out", l.out, &l.outs, EACH_MAX);
			break;
		case OPT_DISK:
			wrong = one_more(t, "--disk", l.disk, &l.disks, DEVICES_MAX);
			break;
		case OPT_NETWORK:
			wrong = one_more(t, "--network", l.vif, &l.vifs, DEVICES_MAX);
			break;
		case OPT_TIMEOUT:
			if (!parvus_number_parse(t->optarg, 1, 1u << 30, &seconds))
				return usage(t,
					"--timeout %s: seconds from 1 to 1073741824 are expected",
					     t->optarg);
			break;
		}
		if (wrong)
			return wrong;
	}
	if (c < 0)
		return FAILED;
	if (t->json)
		return usage(t, "--json: what a command writes is no JSON");
	if (name && !parvus_name_ok(name))
		return usage(t, "-n %s: not a name: 1 to 255 letters, digits, . _ + - are "
			     "expected, and not a number alone", name);
	if (tool_open(t))
		return FAILED;
	snprintf(pid, sizeof(pid), "run-%d", (int)getpid());
	config.name = strdup(name ? name : pid);
	config.kernel = kernel ? strdup(kernel) : lib_file("vmlinuz");
	config.ramdisk = ramdisk ? strdup(ramdisk) : lib_file("initramfs.cpio");
	config.cmdline = strdup("console=hvc0 quiet loglevel=4 panic=-1");
	config.memory = config.maxmem = memory;
	config.vcpus = config.maxvcpus = (uint32_t)vcpus;
	if (!config.name || !config.kernel || !config.ramdisk || !config.cmdline)
		fail("no memory");
	else if (!add_devices_of(t, &config, &l) && !make_extra(t, &l, &extra)) {
		b.extra = extra.data;
		b.extra_bytes = extra.bytes;
		ret = start(t, &config, &b, (int64_t)seconds, &ended);
		if (ended && take_outs(&l) && !ret)
			ret = FAILED;
	}
	free_devices_of(&config, &l);
	free(extra.data);
	free(config.name);
	free(config.kernel);
	free(config.ramdisk);
	free(config.cmdline);
	return ret;
}
