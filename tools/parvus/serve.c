// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that serve disks (backendtype=program). They outlive the monitor that started them, and
 * end by themselves when their device is gone.
 */
#include "devices.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUICK_MS	2000	/* a server that ended sooner is restarted slowly */
#define DELAY_MAX_MS	60000

/*
 * A server inherits a lock on RUN/domains/ID/server-INDEX, where its number stands: so the next
 * monitor knows whether it runs.
 */
static int server_file(struct devices *d, const struct slot *s)
{
	char name[32], path[300];

	snprintf(name, sizeof(name), "server-%u", s->index);
	if (parvus_run_path(d->h, d->domain, name, path, sizeof(path)))
		return -1;
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

void server_path(char *path, size_t bytes)
{
	const char *own = getenv("PARVUS_BLOCK_SERVER");

	if (own && *own)
		snprintf(path, bytes, "%s", own);
	else
		snprintf(path, bytes, "%s/block-server",
			 env_dir("PARVUS_LIB_DIR", "/usr/lib/parvus"));
}

static void server_exec(const struct slot *s, int lock)
{
	char path[300], id[16], name[] = "block-server", option[] = "--device";
	char *const args[] = { name, option, id, NULL };

	server_path(path, sizeof(path));
	snprintf(id, sizeof(id), "%u", s->id);
	setsid();
	fcntl(lock, F_SETFD, 0);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execv(path, args);
	dprintf(2, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

const char *server_start(struct devices *d, struct slot *s)
{
	char text[16];
	int lock = server_file(d, s);

	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB)) {
		if (lock >= 0)
			close(lock);
		return devices_why(d, "a program serves the disk already, or the run directory cannot be written");
	}
	s->pid = fork();
	if (s->pid == 0)
		server_exec(s, lock);
	if (s->pid > 0) {
		snprintf(text, sizeof(text), "%d\n", (int)s->pid);
		if (ftruncate(lock, 0) || pwrite(lock, text, strlen(text), 0) < 0)
			devices_say(d, "cannot write a server's number: %s", strerror(errno));
		s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	}
	close(lock);
	s->started_ms = now_ms();
	s->restart_ms = 0;
	if (s->pid > 0 && s->pidfd >= 0)
		return NULL;
	return devices_why(d, "cannot start a program: %s", strerror(errno));
}

/* One that a monitor before us has started. */
void server_adopt(struct devices *d, struct slot *s)
{
	char text[16] = "";
	uint64_t pid;
	int lock = server_file(d, s);

	s->restart_ms = now_ms();
	if (lock < 0)
		return;
	if (flock(lock, LOCK_EX | LOCK_NB) && pread(lock, text, sizeof(text) - 1, 0) > 0) {
		text[strcspn(text, "\n")] = 0;
		if (parse_number(text, 2, INT32_MAX, &pid)) {
			s->pid = (pid_t)pid;
			s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
		}
	}
	close(lock);
	if (s->pidfd >= 0)
		s->restart_ms = 0;
}

/* It has ended: the first time it comes back at once, then after 1, 2, 4 and up to 60 s. */
void server_ended(struct devices *d, struct slot *s)
{
	char name[24], how[40] = "ended";
	int64_t delay = 0;
	int status;

	if (waitpid(s->pid, &status, WNOHANG) == s->pid)
		snprintf(how, sizeof(how), WIFSIGNALED(status) ? "died of signal %d" : "ended with status %d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	close(s->pidfd);
	s->pidfd = -1;
	s->quick = now_ms() - s->started_ms < QUICK_MS ? s->quick + 1 : 0;
	if (s->quick > 1)
		delay = s->quick > 7 ? DELAY_MAX_MS : 1000ll << (s->quick - 2);
	s->restart_ms = now_ms() + (delay < DELAY_MAX_MS ? delay : DELAY_MAX_MS);
	devices_why(d, "the program that serves %s %s", slot_name(s, name), how);
	devices_say(d, "%s", d->error);
}

/* Its device is gone, so it ends by itself; if it does not, it is ended. */
void server_stop(struct slot *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

	if (s->pidfd < 0)
		return;
	if (poll(&p, 1, 3000) <= 0)
		syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
	poll(&p, 1, 1000);
	waitpid(s->pid, NULL, WNOHANG);
	close(s->pidfd);
	s->pidfd = -1;
}
