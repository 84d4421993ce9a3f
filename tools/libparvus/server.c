// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: programs that serve disks (backendtype=program) and devices of own classes (program=).
 * They outlive the keeper that started them, and end by themselves when their device is gone.
 */
#include "keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUICK_MS	2000	/* a server that ended sooner is restarted slowly */
#define DELAY_MAX_MS	60000

/*
 * A server inherits a lock on RUN/domains/ID/server-INDEX, where its number stands: so the next
 * keeper knows whether it runs.
 */
static int server_path(struct parvus_keeper *k, const struct slot *s, char *path, size_t bytes)
{
	char name[32];

	if (s->device_class == PARVUS_CLASS_BLOCK)
		snprintf(name, sizeof(name), "server-%u", s->index);
	else
		snprintf(name, sizeof(name), "server-%u-%u", s->device_class, s->index);
	return parvus_run_path(k->h, k->state.domain, name, path, bytes);
}

static int server_file(struct parvus_keeper *k, const struct slot *s)
{
	char path[300];

	return server_path(k, s, path, sizeof(path)) ? -1 :
	       open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

int pv_server_check(struct parvus_keeper *k, const char *name, const char *program)
{
	struct stat st;

	errno = EACCES;
	if (!stat(program, &st) && S_ISREG(st.st_mode) && !access(program, X_OK))
		return 0;
	return pv_fail(k->h->error, errno, "%s: cannot run %s, which is to serve it: %s", name,
		       program, strerror(errno));
}

static void server_exec(struct parvus_keeper *k, const struct slot *s, int lock)
{
	const char *path = pv_slot_program(k, s), *base = strrchr(path, '/');
	char id[16], name[64], option[] = "--device";
	char *const args[] = { name, option, id, NULL };

	snprintf(name, sizeof(name), "%s", base ? base + 1 : path);
	snprintf(id, sizeof(id), "%u", s->id);
	setsid();
	fcntl(lock, F_SETFD, 0);
	parvus_close_others(lock);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execv(path, args);
	dprintf(2, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

int pv_server_start(struct parvus_keeper *k, struct slot *s)
{
	char text[16];
	int lock = server_file(k, s);

	if (lock < 0)
		return pv_fail(k->h->error, errno, "cannot write server-%u of domain %u in %s: %s",
			       s->index, k->state.domain, k->h->run_dir, strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		close(lock);
		return pv_fail(k->h->error, EBUSY, "a program serves device %u already", s->id);
	}
	s->pid = fork();
	if (s->pid == 0)
		server_exec(k, s, lock);
	if (s->pid > 0) {
		snprintf(text, sizeof(text), "%d\n", (int)s->pid);
		if (ftruncate(lock, 0) || pwrite(lock, text, strlen(text), 0) < 0)
			pv_keeper_say(k, "cannot write a server's number: %s", strerror(errno));
		s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	}
	close(lock);
	s->started_ms = pv_now_ms();
	s->restart_ms = 0;
	if (s->pid > 0 && s->pidfd >= 0)
		return 0;
	return pv_fail(k->h->error, errno, "cannot start a program: %s", strerror(errno));
}

/* One that a keeper before us has started. */
void pv_server_adopt(struct parvus_keeper *k, struct slot *s)
{
	char text[16] = "";
	long pid;
	int lock = server_file(k, s);

	s->restart_ms = pv_now_ms();
	if (lock < 0)
		return;
	if (flock(lock, LOCK_EX | LOCK_NB) && pread(lock, text, sizeof(text) - 1, 0) > 0) {
		pid = strtol(text, NULL, 10);
		if (pid > 1 && pid <= INT32_MAX) {
			s->pid = (pid_t)pid;
			s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
		}
	}
	close(lock);
	if (s->pidfd >= 0)
		s->restart_ms = 0;
}

/* It has ended: the first time it comes back at once, then after 1, 2, 4 and up to 60 s. */
void pv_server_ended(struct parvus_keeper *k, struct slot *s)
{
	char name[24], how[40] = "ended";
	int64_t delay = 0;
	int status;

	if (waitpid(s->pid, &status, WNOHANG) == s->pid)
		snprintf(how, sizeof(how),
			 WIFSIGNALED(status) ? "died of signal %d" : "ended with status %d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	close(s->pidfd);
	s->pidfd = -1;
	s->quick = pv_now_ms() - s->started_ms < QUICK_MS ? s->quick + 1 : 0;
	if (s->quick > 1)
		delay = s->quick > 7 ? DELAY_MAX_MS : 1000ll << (s->quick - 2);
	s->restart_ms = pv_now_ms() + (delay < DELAY_MAX_MS ? delay : DELAY_MAX_MS);
	pv_slot_name(s->device_class, s->index, name);
	pv_keeper_say(k, "the program that serves %s %s", name, how);
}

/* Its device is gone, so it ends by itself; if it does not, it is ended. */
void pv_server_stop(struct parvus_keeper *k, struct slot *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };
	char path[300];

	if (s->pidfd >= 0) {
		if (poll(&p, 1, 3000) <= 0)
			syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
		poll(&p, 1, 1000);
		waitpid(s->pid, NULL, WNOHANG);
		close(s->pidfd);
		s->pidfd = -1;
	}
	if (s->device_class != PARVUS_CLASS_NETWORK && !server_path(k, s, path, sizeof(path)))
		unlink(path);
}
