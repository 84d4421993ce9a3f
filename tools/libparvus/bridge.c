// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: interfaces of back ends in this domain: into a bridge, or to a script. */
#include "keeper.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void pv_vif_interface(const struct parvus_keeper *k, const struct parvus_vif *v, char name[32])
{
	if (v->ifname)
		snprintf(name, 32, "%s", v->ifname);
	else
		snprintf(name, 32, "vif%u.%d", k->state.domain, v->index);
}

/* vif-bridge, xl's default, is what happens without a script. */
static bool has_script(const struct parvus_vif *v)
{
	return v->script && strcmp(v->script, "vif-bridge");
}

#define XEN_SCRIPTS	"/etc/xen/scripts"	/* where xl's are */

static const char *script_path(const struct parvus_keeper *k, const struct parvus_vif *v,
			       char *path, size_t bytes)
{
	char xen[300];

	if (v->script[0] == '/')
		snprintf(path, bytes, "%s", v->script);
	else
		snprintf(path, bytes, "%s/%s", k->h->script_dir, v->script);
	snprintf(xen, sizeof(xen), XEN_SCRIPTS "/%s", v->script);
	if (v->script[0] != '/' && access(path, F_OK) && !access(xen, X_OK))
		snprintf(path, bytes, "%s", xen);
	return path;
}

const char *parvus_vif_bridge(const struct parvus_vif *v)
{
	static const char *const usual[] = { "parvus0", "br0" };
	size_t i;

	if (v->bridge)
		return v->bridge;
	for (i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (parvus_net(PARVUS_NET_IS_BRIDGE, usual[i], NULL, 0) == 1)
			return usual[i];
	return NULL;
}

/* Is what an interface needs there? */
int pv_vif_check(struct parvus_keeper *k, const struct parvus_vif *v)
{
	const char *bridge = parvus_vif_bridge(v);
	char path[300];

	if (has_script(v)) {
		if (access(script_path(k, v, path, sizeof(path)), X_OK))
			return pv_fail(k->h->error, errno, "vif %d: cannot run the script %s: %s",
				       v->index, path,
				   strerror(errno));
		return 0;
	}
	if (!bridge)
		return pv_fail(k->h->error, ENODEV,
			       "vif %d: no bridge is given, and there is neither parvus0 nor br0 "
			       "(parvus network-nat start makes parvus0)",
			       v->index);
	if (parvus_net(PARVUS_NET_IS_BRIDGE, bridge, NULL, 0) != 1)
		return pv_fail(k->h->error, ENODEV, "vif %d: there is no bridge %s", v->index,
			       bridge);
	return 0;
}

/*
 * What a script of xl's finds: a place in a store, which is a file here, and programs to read it
 * with (tools/compat), ahead of others of these names. Each run begins with what the configuration
 * says.
 */
static void script_store(struct parvus_keeper *k, const struct parvus_vif *v, const char *bridge)
{
	char file[32], store[300], at[64], text[600];
	const char *path = getenv("PATH");
	FILE *f;

	snprintf(at, sizeof(at), "backend/vif/%u/%d", k->state.domain, v->index);
	setenv("XENBUS_PATH", at, 1);
	setenv("XENBUS_TYPE", "vif", 1);
	setenv("XENBUS_BASE_PATH", "backend", 1);
	snprintf(text, sizeof(text), "%s/compat:%s", k->h->lib_dir,
		 path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	setenv("PATH", text, 1);
	snprintf(file, sizeof(file), "store-%d", v->index);
	if (parvus_run_path(k->h, k->state.domain, file, store, sizeof(store)))
		return;
	setenv("PARVUS_STORE", store, 1);
	f = fopen(store, "we");
	if (!f)
		return;
	/* a name that was asked for: the interface has it, and a script would give it */
	if (v->ifname)
		fprintf(f, "%s/vifname %s\n", at, v->ifname);
	fprintf(f, "%s/script %s\n%s/handle %d\n%s/frontend-id %u\n", at, v->script, at, v->index,
		at, k->state.domain);
	fprintf(f, "%s/mac %02x:%02x:%02x:%02x:%02x:%02x\n%s/mtu %u\n", at, v->mac[0], v->mac[1],
		v->mac[2], v->mac[3], v->mac[4], v->mac[5], at, v->mtu ? v->mtu : 1500);
	fprintf(f, "%s/frontend /local/domain/%u/device/vif/%d\n", at, k->state.domain, v->index);
	if (bridge)
		fprintf(f, "%s/bridge %s\n", at, bridge);
	if (v->ip)
		fprintf(f, "%s/ip %s\n", at, v->ip);
	fclose(f);
}

/* Why it failed, if it says so as xl's scripts do. */
static void script_said(struct parvus_keeper *k, const struct parvus_vif *v, char *why,
			size_t bytes)
{
	char file[32], store[300], line[400];
	const char *found;
	FILE *f;

	why[0] = 0;
	snprintf(file, sizeof(file), "store-%d", v->index);
	if (parvus_run_path(k->h, k->state.domain, file, store, sizeof(store)))
		return;
	f = fopen(store, "re");
	while (f && fgets(line, sizeof(line), f)) {
		found = strstr(line, "/hotplug-error ");
		if (found)
			snprintf(why, bytes, ": %.*s", (int)strcspn(found + 15, "\n"), found + 15);
	}
	if (f)
		fclose(f);
	unlink(store);
}

static void script_exec(struct parvus_keeper *k, const struct parvus_vif *v, const char *what)
{
	char path[300], name[32], text[32], action[16], type[] = "type_if=vif";
	char *const args[] = { path, action, type, NULL };
	const char *bridge = parvus_vif_bridge(v);

	script_path(k, v, path, sizeof(path));
	snprintf(action, sizeof(action), "%s", what);
	pv_vif_interface(k, v, name);
	setenv("vif", name, 1);
	if (bridge)
		setenv("bridge", bridge, 1);
	if (v->ip)
		setenv("ip", v->ip, 1);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1],
		 v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	setenv("mac", text, 1);
	snprintf(text, sizeof(text), "%u", v->mtu ? v->mtu : 1500);
	setenv("mtu", text, 1);
	snprintf(text, sizeof(text), "%u", k->state.domain);
	setenv("PARVUS_DOMAIN", text, 1);
	setenv("PARVUS_NAME", k->state.config->name, 1);
	snprintf(text, sizeof(text), "%d", v->index);
	setenv("PARVUS_DEVID", text, 1);
	script_store(k, v, bridge);
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

/* What it says goes where this program's stderr does, which is the monitor's log. */
static int script(struct parvus_keeper *k, const struct parvus_vif *v, const char *what)
{
	int status = -1, fd;
	char why[300];
	struct pollfd p;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(2, 1);
		script_exec(k, v, what);
	}
	if (pid < 0)
		return pv_fail(k->h->error, errno, "vif %d: cannot run the script %s: %s", v->index,
			       v->script, strerror(errno));
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (fd >= 0 && poll(&p, 1, 10000) == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	script_said(k, v, why, sizeof(why));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return pv_fail(k->h->error, EIO, "vif %d: the script %s %s: %s %d%s", v->index, v->script,
		       what, WIFEXITED(status) ? "status" : "out of time, or signal",
		       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), why);
}

/* The back end's interface is there: where it belongs. */
static int plug(struct parvus_keeper *k, const struct parvus_vif *v, const char *name)
{
	const char *bridge = parvus_vif_bridge(v);
	int ret;

	/* before it is up, and before a script may give it addresses */
	ret = parvus_net(PARVUS_NET_DISTRUST, name, NULL, 0);
	if (ret < 0)
		return pv_fail(k->h->error, -ret, "vif %d: cannot close %s to advertisements: %s",
			       v->index, name, strerror(-ret));
	if (v->mtu)
		ret = parvus_net(PARVUS_NET_MTU, name, NULL, v->mtu);
	if (ret < 0)
		return pv_fail(k->h->error, -ret, "vif %d: cannot set the mtu of %s to %u: %s",
			       v->index, name,
				   v->mtu, strerror(-ret));
	if (has_script(v))
		return script(k, v, "online");
	if (!bridge)
		return pv_vif_check(k, v);
	ret = parvus_net(PARVUS_NET_JOIN, name, bridge, 0);
	if (ret < 0)
		return pv_fail(k->h->error, -ret, "vif %d: cannot put %s into %s: %s", v->index,
			       name, bridge,
				   strerror(-ret));
	ret = parvus_net(PARVUS_NET_UP, name, NULL, 1);
	if (ret < 0)
		return pv_fail(k->h->error, -ret, "vif %d: cannot set %s up: %s", v->index, name,
			       strerror(-ret));
	return 0;
}

void pv_vif_offline(struct parvus_keeper *k, const struct parvus_vif *v)
{
	if (has_script(v))
		script(k, v, "offline");
}

/* An interface with another number is a new one. An error is of plugging it, once. */
int pv_vif_look(struct parvus_keeper *k, const struct parvus_vif *v, struct slot *s)
{
	char name[32];
	int index, ret = 0;

	pv_vif_interface(k, v, name);
	index = parvus_net(PARVUS_NET_INDEX, name, NULL, 0);
	if (index <= 0) {
		s->ifindex = 0;
	} else if (index != s->ifindex) {
		ret = plug(k, v, name);
		s->ifindex = index;
		if (ret && s->wait != WAIT_BACK)
			pv_keeper_say(k, "%s", k->h->error->text);
	}
	return ret;
}
