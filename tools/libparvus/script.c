// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: hotplug scripts of interfaces and disks, ours and those that were written for Xen. One
 * of Xen's finds a place in a store, which is a file here, and programs to read and write it with
 * (tools/compat), ahead of others of these names. Each run begins with what the configuration says.
 */
#include "keeper.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define XEN_SCRIPTS	"/etc/xen/scripts"	/* where xl's are */

const char *pv_script_path(const struct parvus_keeper *k, const char *script, char path[300])
{
	char xen[300];

	if (script[0] == '/')
		snprintf(path, 300, "%s", script);
	else
		snprintf(path, 300, "%s/%s", k->h->script_dir, script);
	snprintf(xen, sizeof(xen), XEN_SCRIPTS "/%s", script);
	if (script[0] != '/' && access(path, F_OK) && !access(xen, X_OK))
		snprintf(path, 300, "%s", xen);
	return path;
}

int pv_script_check(struct parvus_keeper *k, const struct script *s)
{
	char path[300];

	if (!access(pv_script_path(k, s->script, path), X_OK))
		return 0;
	return pv_fail(k->h->error, errno, "%s: cannot run the script %s: %s", s->name, path,
		       strerror(errno));
}

/* Where what it was told, and said, is; false: there is no folder. */
static bool store_path(struct parvus_keeper *k, const struct script *s, char path[300])
{
	char file[40];

	snprintf(file, sizeof(file), "store-%s-%u", s->type, s->index);
	return !parvus_run_path(k->h, k->state.domain, file, path, 300);
}

bool pv_script_kept(struct parvus_keeper *k, const struct script *s)
{
	char store[300];

	return store_path(k, s, store) && !access(store, F_OK);
}

/* What the store has of the domain itself. */
static void tell_domain(struct parvus_keeper *k, const struct script *s, FILE *store)
{
	uint32_t domain = k->state.domain;
	struct parvus_control_info i = { 0 };
	char uuid[40];

	parvus_domain_info(k->h, domain, &i);
	parvus_config_uuid(k->state.config, &i, uuid);
	fprintf(store, "%s/script %s\n%s/frontend-id %u\n", s->at, s->script, s->at, domain);
	fprintf(store, "/local/domain/%u/vm /vm/%s\n/local/domain/%u/name %s\n", domain, uuid,
		domain, k->state.config->name);
	fprintf(store, "/vm/%s/uuid %s\n/vm/%s/name %s\n", uuid, uuid, uuid,
		k->state.config->name);
}

static void become(struct parvus_keeper *k, const struct script *s)
{
	char path[300], store[300], text[600], action[16], option[16];
	char *const args[] = { path, action, s->option ? option : NULL, NULL };
	const char *search = getenv("PATH");
	FILE *f = NULL;

	pv_script_path(k, s->script, path);
	snprintf(action, sizeof(action), "%s", s->action);
	snprintf(option, sizeof(option), "%s", s->option ? s->option : "");
	snprintf(text, sizeof(text), "%u", k->state.domain);
	setenv("PARVUS_DOMAIN", text, 1);
	setenv("PARVUS_NAME", k->state.config->name, 1);
	snprintf(text, sizeof(text), "%u", s->index);
	setenv("PARVUS_DEVID", text, 1);
	setenv("script", path, 1);
	setenv("XENBUS_PATH", s->at, 1);
	setenv("XENBUS_TYPE", s->type, 1);
	setenv("XENBUS_BASE_PATH", "backend", 1);
	snprintf(text, sizeof(text), "%s/compat:%s", k->h->lib_dir,
		 search ? search : "/usr/sbin:/usr/bin:/sbin:/bin");
	setenv("PATH", text, 1);
	if (store_path(k, s, store)) {
		setenv("PARVUS_STORE", store, 1);
		/* what "add" wrote is for "remove" */
		f = strcmp(s->action, "remove") ? fopen(store, "we") : NULL;
	}
	s->tell(k, s, f);
	if (f) {
		tell_domain(k, s, f);
		fclose(f);
	}
	/* where xl's scripts write their log, and without which they do not begin */
	if (!strncmp(path, XEN_SCRIPTS, strlen(XEN_SCRIPTS)))
		parvus_folder("/var/log/xen");
	parvus_close_others(-1);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execv(path, args);
	dprintf(2, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

/* What it wrote last below its place; "" = nothing. The store of a run that is over is read. */
static void said(FILE *f, const char *at, const char *key, char *value, size_t bytes)
{
	char line[4400];
	size_t n = strlen(at), m = strlen(key);

	value[0] = 0;
	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, at, n) && line[n] == '/' && !strncmp(line + n + 1, key, m) &&
		    line[n + 1 + m] == ' ')
			snprintf(value, bytes, "%s", line + n + m + 2);
	}
}

/* What it says goes where this program's stderr does, which is the monitor's log. */
int pv_script_run(struct parvus_keeper *k, const struct script *s, struct script_answer *answer)
{
	char store[300], why[300] = "", status_said[40] = "";
	int status = -1, fd;
	struct pollfd p;
	bool failed;
	pid_t pid = fork();
	FILE *f;

	if (pid == 0) {
		dup2(2, 1);
		become(k, s);
	}
	if (pid < 0)
		return pv_fail(k->h->error, errno, "%s: cannot run the script %s: %s", s->name,
			       s->script, strerror(errno));
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (fd >= 0 && poll(&p, 1, s->seconds * 1000) == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	f = store_path(k, s, store) ? fopen(store, "re") : NULL;
	if (f) {
		said(f, s->at, "hotplug-error", why, sizeof(why));
		said(f, s->at, "hotplug-status", status_said, sizeof(status_said));
		if (answer) {
			said(f, s->at, "physical-device", answer->device, sizeof(answer->device));
			said(f, s->at, "physical-device-path", answer->path, sizeof(answer->path));
		}
		fclose(f);
	}
	failed = !WIFEXITED(status) || WEXITSTATUS(status) || !strcmp(status_said, "error");
	if (f && (failed || strcmp(s->action, "add")))
		unlink(store);
	if (!failed)
		return 0;
	return pv_fail(k->h->error, EIO, "%s: the script %s %s: %s %d%s%s", s->name, s->script,
		       s->action, WIFEXITED(status) ? "status" : "out of time, or signal",
		       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		       why[0] ? ": " : "", why);
}
