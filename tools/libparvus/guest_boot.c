// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: bootloader = "pygrub": kernel, ramdisk and arguments out of the guest's own first
 * disk. It is opened here and read by a program of its own, guest-boot, which has nothing but it
 * and a pipe, and which may lie, hang or be killed: what it says is checked, bounded and in time.
 */
#include "internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUEST_BOOT	"guest-boot"
#define WAIT_MS		30000
#define ARGS_MAX	2048u
#define HEAD_MAX	600u
#define WORDS_MAX	16u

struct reader {
	const char *disk;
	char *why;		/* of PARVUS_TOLD bytes */
	int pipe;
	int64_t until_ms;
};

__attribute__((format(printf, 2, 3)))
static int because(struct reader *r, const char *format, ...)
{
	va_list args;
	char *p;

	va_start(args, format);
	vsnprintf(r->why, PARVUS_TOLD, format, args);
	va_end(args);
	for (p = r->why; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return -ENOENT;
}

/* The only child that may do so: nothing of this process goes along but the disk and the pipe. */
static void become(const char *program, int disk, int out, char *const words[])
{
	char *const none[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* both away from where they go to */
	disk = fcntl(disk, F_DUPFD, 10);
	out = fcntl(out, F_DUPFD, 10);
	if (null < 0 || disk < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(null, 2) < 0 || dup2(disk, 3) < 0)
		_exit(126);
	parvus_close_others(3);
	signal(SIGPIPE, SIG_DFL);
	execve(program, words, none);
	_exit(errno == ENOENT ? 127 : 126);
}

/* @bytes, or less at the end or when the time is over. */
static size_t take(struct reader *r, void *to, size_t bytes)
{
	size_t have = 0;

	while (have < bytes) {
		struct pollfd p = { .fd = r->pipe, .events = POLLIN };
		int64_t left = r->until_ms - pv_now_ms();
		ssize_t n;

		if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
			break;
		if (!p.revents)
			continue;
		n = read(r->pipe, (char *)to + have, bytes - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return have;
}

static bool word(char **at, const char *name, uint64_t max, uint64_t *n)
{
	char *text, *key = strsep(at, " ");

	text = key && *at ? strsep(at, " ") : NULL;
	return text && !strcmp(key, name) && parvus_number_parse(text, 0, max, n);
}

static int take_all(struct reader *r, struct pv_guest_boot *b)
{
	char head[HEAD_MAX], *at = head;
	uint64_t kernel, ramdisk, args;
	size_t n = 0;

	while (n < sizeof(head) - 1 && take(r, head + n, 1) == 1 && head[n] != '\n')
		n++;
	if (head[n] != '\n' || n == sizeof(head) - 1)
		return because(r, "%s: its reader said nothing%s", r->disk,
			       pv_now_ms() >= r->until_ms ? " within 30 s" : "");
	head[n] = 0;
	if (!strncmp(head, "none ", 5))
		return because(r, "%s: %s", r->disk, head + 5);
	if (!word(&at, "kernel", PARVUS_IMAGE_MAX, &kernel) ||
	    !word(&at, "ramdisk", PARVUS_IMAGE_MAX, &ramdisk) ||
	    !word(&at, "args", ARGS_MAX - 1, &args) || !at || strncmp(at, "of ", 3) || !kernel)
		return because(r, "%s: its reader says \"%.60s\"", r->disk, pv_shown(head));
	snprintf(b->title, sizeof(b->title), "%.127s", at + 3);
	b->kernel_bytes = kernel;
	b->ramdisk_bytes = ramdisk;
	b->kernel = malloc(kernel);
	b->ramdisk = malloc(ramdisk ? ramdisk : 1);
	b->args = calloc(1, args + 1);
	if (!b->kernel || !b->ramdisk || !b->args)
		return because(r, "%s: no memory for its kernel", r->disk);
	if (take(r, b->kernel, kernel) != kernel || take(r, b->ramdisk, ramdisk) != ramdisk ||
	    take(r, b->args, args) != args)
		return because(r, "%s: %s is cut short%s", r->disk, b->title,
			       pv_now_ms() >= r->until_ms ? " after 30 s" : "");
	if (strlen(b->args) != args || b->args[strcspn(b->args, "\n")])
		return because(r, "%s: the arguments of %s are no line", r->disk, b->title);
	return 0;
}

static int read_disk(struct parvus *h, struct reader *r, int disk, char *const words[],
		     struct pv_guest_boot *b)
{
	int fds[2], status = 0, ret;
	char program[4200];
	pid_t pid;

	snprintf(program, sizeof(program), "%s/" GUEST_BOOT, h->lib_dir);
	if (access(program, X_OK))
		return because(r, "%s: %s", program, strerror(errno));
	if (pipe2(fds, O_CLOEXEC))
		return because(r, "%s: no pipe: %s", r->disk, strerror(errno));
	pid = fork();
	if (!pid)
		become(program, disk, fds[1], words);
	close(fds[1]);
	r->pipe = fds[0];
	r->until_ms = pv_now_ms() + WAIT_MS;
	ret = pid < 0 ? because(r, "%s: no process: %s", r->disk, strerror(errno)) :
	      take_all(r, b);
	close(fds[0]);
	if (pid < 0)
		return ret;
	/* it has said all, is too late, or has said what it should not: nothing is left to do */
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		return because(r, "%s: its reader was ended by %s", r->disk,
			       strsignal(WTERMSIG(status)));
	if (ret && WIFEXITED(status) && (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127))
		return because(r, "%s: it could not be started", program);
	return ret;
}

void pv_guest_boot_free(struct pv_guest_boot *b)
{
	free(b->kernel);
	free(b->ramdisk);
	free(b->args);
	memset(b, 0, sizeof(*b));
}

/* "--entry=1 --args='a b'" is not quoted in xl either: words are split at blanks. */
static int split(struct reader *r, const struct parvus_config *c, char *text, char **words)
{
	char *at = text, *one;
	size_t n = 0;

	words[n++] = (char *)GUEST_BOOT;
	while ((one = strsep(&at, " \t"))) {
		if (!*one)
			continue;
		if (n == WORDS_MAX)
			return because(r, "bootloader_args: %zu words at most, not \"%.60s\"",
				       n - 1, c->bootloader_args);
		words[n++] = one;
	}
	words[n] = NULL;
	return 0;
}

int pv_guest_boot(struct parvus *h, const struct parvus_config *c, struct pv_guest_boot *b,
		  char why[PARVUS_TOLD])
{
	const struct parvus_disk *d = c->ndisks ? &c->disks[0] : NULL;
	struct reader r = { .why = why, .disk = d && d->target ? d->target : "no disk" };
	char *words[WORDS_MAX + 1], *text;
	struct stat st;
	int fd, ret;

	memset(b, 0, sizeof(*b));
	if (!d || !d->target || !d->target[0])
		return because(&r, "there is no disk to read it from");
	if (strcmp(d->format, "raw") || pv_disk_scripted(d) || d->backend)
		return because(&r, "%s: %s", d->vdev, d->backend ? "it lies in another domain" :
			       pv_disk_scripted(d) ? "a script makes it" :
			       "only a raw disk can be read");
	fd = open(d->target, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return because(&r, "cannot open %s: %s", d->target, strerror(errno));
	text = strdup(c->bootloader_args ? c->bootloader_args : "");
	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		ret = because(&r, "%s is %s: a block device or a regular file is expected",
			      d->target, pv_kind_text(st.st_mode));
	else if (!text)
		ret = because(&r, "no memory for %s", d->target);
	else
		ret = split(&r, c, text, words);
	if (!ret)
		ret = read_disk(h, &r, fd, words, b);
	free(text);
	close(fd);
	if (ret)
		pv_guest_boot_free(b);
	return ret;
}
