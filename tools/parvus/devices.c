// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks and network interfaces of a domain, in its monitor: the only one who makes, changes and
 * removes them, so that nobody else has to be asked what there is. It holds loop devices
 * while a back end may come back to them, keeps programs that serve disks running, and puts each
 * interface of a back end into its bridge, again when the back end was bound anew.
 *
 * parvus block-attach and the like send one line to RUN/domains/ID/control.sock, words
 * separated by PARVUS_WORD, and get one: "ok" or "error TEXT". Devices belong to the domain and
 * go with it; a monitor that is killed leaves the domain's I/O as it is, and the next one
 * adopts what it finds. RUN/domains/ID/devices lists nbd devices, and exists once all is made.
 */
#include "devices.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACK_MS		20000	/* for a back end to come */
#define CLOSE_MS	15000	/* for both ends to close */
#define QUICK_MS	10000	/* a server that ended sooner is restarted slowly */
#define DELAY_MAX_MS	60000
#define LOOK_MS		50	/* between two looks while something is waited for */

static void say(struct devices *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *why(struct devices *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct devices *d, const char *format, ...)
{
	char text[700];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	d->say(d->arg, text);
}

static const char *why(struct devices *d, const char *format, ...)
{
	char text[sizeof(d->error)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memcpy(d->error, text, sizeof(text));
	return d->error;
}

void devices_init(struct devices *d)
{
	size_t i;

	d->net = d->listener = -1;
	for (i = 0; i < sizeof(d->clients) / sizeof(*d->clients); i++)
		d->clients[i].fd = -1;
	memset(d->slots, 0, sizeof(d->slots));
}

/* ---- the table ----------------------------------------------------------------------- */

static struct slot *find(struct devices *d, uint32_t device_class, uint32_t index)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (d->slots[i].used && d->slots[i].device_class == device_class &&
		    d->slots[i].index == index)
			return &d->slots[i];
	return NULL;
}

static struct slot *add(struct devices *d, uint32_t device_class, uint32_t index)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (!d->slots[i].used) {
			d->slots[i] = (struct slot){
				.used = true,
				.device_class = device_class,
				.index = index,
				.backing = { .fd = -1, .lock = -1, .nbd = -1 },
				.client = -1,
				.pidfd = -1,
			};
			return &d->slots[i];
		}
	return NULL;
}

static struct parvus_disk *disk_of(struct devices *d, const struct slot *s)
{
	size_t i;

	for (i = 0; s->device_class == PARVUS_CLASS_BLOCK && i < d->config->ndisks; i++)
		if (d->config->disks[i].index == (int)s->index)
			return &d->config->disks[i];
	return NULL;
}

static struct parvus_vif *vif_of(struct devices *d, const struct slot *s)
{
	size_t i;

	for (i = 0; s->device_class == PARVUS_CLASS_NETWORK && i < d->config->nvifs; i++)
		if (d->config->vifs[i].index == (int)s->index)
			return &d->config->vifs[i];
	return NULL;
}

static const char *slot_name(const struct slot *s, char name[24])
{
	if (s->device_class == PARVUS_CLASS_BLOCK)
		parvus_disk_name(s->index, name);
	else
		snprintf(name, 24, "vif %u", s->index);
	return name;
}

/* The file "devices". Of no use without its nbd devices, so a failure is only said. */
static void save(struct devices *d)
{
	char text[PARVUS_DEVICES_DOMAIN * 32] = "";
	size_t i, n = 0;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (d->slots[i].used && d->slots[i].backing.nbd >= 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "nbd %u %d\n",
					      d->slots[i].index, d->slots[i].backing.nbd);
	if (put_file(d->h, d->domain, "devices", text))
		say(d, "cannot write the list of devices");
}

static FILE *saved(struct parvus *h, uint32_t domain)
{
	char path[300];

	return parvus_run_path(h, domain, "devices", path, sizeof(path)) ? NULL : fopen(path, "re");
}

void devices_sweep(struct parvus *h, uint32_t domain)
{
	FILE *f = saved(h, domain);
	unsigned int index;
	int nbd;

	while (f && fscanf(f, "nbd %u %d\n", &index, &nbd) == 2) {
		struct parvus_backing b = { .fd = -1, .lock = -1, .nbd = nbd };

		parvus_disk_close(&b);
	}
	if (f)
		fclose(f);
}

/* ---- programs that serve disks ---------------------------------------------------------- */

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

static void server_path(char *path, size_t bytes)
{
	const char *own = getenv("PARVUS_BLOCK_SERVER");

	if (own && *own)
		snprintf(path, bytes, "%s", own);
	else
		snprintf(path, bytes, "%s/block-server", env_dir("PARVUS_LIB_DIR", "/usr/lib/parvus"));
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

static const char *server_start(struct devices *d, struct slot *s)
{
	char text[16];
	int lock = server_file(d, s);

	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB)) {
		if (lock >= 0)
			close(lock);
		return why(d, "a program serves the disk already, or the run directory cannot be written");
	}
	s->pid = fork();
	if (s->pid == 0)
		server_exec(s, lock);
	if (s->pid > 0) {
		snprintf(text, sizeof(text), "%d\n", (int)s->pid);
		if (ftruncate(lock, 0) || pwrite(lock, text, strlen(text), 0) < 0)
			say(d, "cannot write a server's number: %s", strerror(errno));
		s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	}
	close(lock);
	s->started_ms = now_ms();
	s->restart_ms = 0;
	return s->pid > 0 && s->pidfd >= 0 ? NULL : why(d, "cannot start a program: %s", strerror(errno));
}

/* One that a monitor before us has started. */
static void server_adopt(struct devices *d, struct slot *s)
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
static void server_ended(struct devices *d, struct slot *s)
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
	why(d, "the program that serves %s %s", slot_name(s, name), how);
	say(d, "%s", d->error);
}

/* Its device is gone, so it ends by itself; if it does not, it is ended. */
static void server_stop(struct slot *s)
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

/* ---- interfaces ------------------------------------------------------------------------- */

static void vif_name(const struct devices *d, const struct parvus_vif *v, char name[32])
{
	if (v->ifname)
		snprintf(name, 32, "%s", v->ifname);
	else
		snprintf(name, 32, "vif%u.%d", d->domain, v->index);
}

/* vif-bridge, xl's default, is what happens without a script. */
static bool has_script(const struct parvus_vif *v)
{
	return v->script && strcmp(v->script, "vif-bridge");
}

static const char *script_path(const struct parvus_vif *v, char *path, size_t bytes)
{
	if (v->script[0] == '/')
		snprintf(path, bytes, "%s", v->script);
	else
		snprintf(path, bytes, "%s/%s", env_dir("PARVUS_SCRIPT_DIR", "/etc/parvus/scripts"),
			 v->script);
	return path;
}

/* NULL: no bridge is given, and there is none of those that are tried. */
static const char *bridge_of(const struct parvus_vif *v)
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
static const char *vif_check(struct devices *d, const struct parvus_vif *v)
{
	const char *bridge = bridge_of(v);
	char path[300];

	if (has_script(v)) {
		if (access(script_path(v, path, sizeof(path)), X_OK))
			return why(d, "vif %d: cannot run the script %s: %s", v->index, path,
				   strerror(errno));
		return NULL;
	}
	if (!bridge)
		return why(d, "vif %d: no bridge is given, and there is neither parvus0 nor br0 (parvus network-nat start makes parvus0)",
			   v->index);
	if (parvus_net(PARVUS_NET_IS_BRIDGE, bridge, NULL, 0) != 1)
		return why(d, "vif %d: there is no bridge %s", v->index, bridge);
	return NULL;
}

static void script_exec(struct devices *d, const struct parvus_vif *v, const char *what)
{
	char path[300], name[32], text[32], action[16], type[] = "type_if=vif";
	char *const args[] = { path, action, type, NULL };
	const char *bridge = bridge_of(v);

	script_path(v, path, sizeof(path));
	snprintf(action, sizeof(action), "%s", what);
	vif_name(d, v, name);
	setenv("vif", name, 1);
	if (bridge)
		setenv("bridge", bridge, 1);
	if (v->ip)
		setenv("ip", v->ip, 1);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2],
		 v->mac[3], v->mac[4], v->mac[5]);
	setenv("mac", text, 1);
	snprintf(text, sizeof(text), "%u", v->mtu ? v->mtu : 1500);
	setenv("mtu", text, 1);
	snprintf(text, sizeof(text), "%u", d->domain);
	setenv("PARVUS_DOMAIN", text, 1);
	setenv("PARVUS_NAME", d->config->name, 1);
	snprintf(text, sizeof(text), "%d", v->index);
	setenv("PARVUS_DEVID", text, 1);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execv(path, args);
	dprintf(2, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

/* Its output goes to the monitor's log. */
static const char *script_run(struct devices *d, const struct parvus_vif *v, const char *what)
{
	int status = -1, fd;
	struct pollfd p;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(2, 1);
		script_exec(d, v, what);
	}
	if (pid < 0)
		return why(d, "vif %d: cannot run the script: %s", v->index, strerror(errno));
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (fd >= 0 && poll(&p, 1, 10000) == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return NULL;
	return why(d, "vif %d: the script %s %s: %s %d", v->index, v->script, what,
		   WIFEXITED(status) ? "status" : "out of time, or signal",
		   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* The back end's interface is there: where it belongs. */
static const char *plug(struct devices *d, const struct parvus_vif *v, const char *name)
{
	const char *bridge = bridge_of(v);
	int ret = 0;

	if (v->mtu)
		ret = parvus_net(PARVUS_NET_MTU, name, NULL, v->mtu);
	if (ret < 0)
		return why(d, "vif %d: cannot set the mtu of %s to %u: %s", v->index, name, v->mtu,
			   strerror(-ret));
	if (has_script(v))
		return script_run(d, v, "online");
	if (!bridge)
		return vif_check(d, v);
	ret = parvus_net(PARVUS_NET_JOIN, name, bridge, 0);
	if (ret < 0)
		return why(d, "vif %d: cannot put %s into %s: %s", v->index, name, bridge, strerror(-ret));
	ret = parvus_net(PARVUS_NET_UP, name, NULL, 1);
	return ret < 0 ? why(d, "vif %d: cannot set %s up: %s", v->index, name, strerror(-ret)) : NULL;
}

/* NULL, or what is wrong. An interface with another number is a new one. */
static const char *look_vif(struct devices *d, struct slot *s)
{
	struct parvus_vif *v = vif_of(d, s);
	const char *error = NULL;
	char name[32];
	int index;

	if (!v || s->remote)
		return NULL;
	vif_name(d, v, name);
	index = parvus_net(PARVUS_NET_INDEX, name, NULL, 0);
	if (index <= 0) {
		s->ifindex = 0;
	} else if (index != s->ifindex) {
		error = plug(d, v, name);
		s->ifindex = index;
		if (error && s->wait != WAIT_BACK)
			say(d, "%s", error);
	}
	return error;
}

/* ---- making and letting go ---------------------------------------------------------------- */

/* The back end does its last writes after its device has gone, and has the backing until then. */
static void wait_unbound(uint32_t id)
{
	int64_t until = now_ms() + 10000;

	while (parvus_device_bound(id) && now_ms() < until)
		usleep(20000);
}

static void answer(struct slot *s, const char *error)
{
	if (s->client < 0)
		return;
	dprintf(s->client, error ? "error %s\n" : "ok\n", error);
	close(s->client);
	s->client = -1;
}

/* The device is gone from the registry, or was never in it. */
static void let_go(struct devices *d, struct slot *s)
{
	struct parvus_vif *v = vif_of(d, s);
	char name[32], path[300];

	if (s->id && !s->remote)
		wait_unbound(s->id);
	server_stop(s);
	snprintf(name, sizeof(name), "server-%u", s->index);
	if (s->device_class == PARVUS_CLASS_BLOCK &&
	    !parvus_run_path(d->h, d->domain, name, path, sizeof(path)))
		unlink(path);
	if (v && has_script(v) && s->ifindex)
		script_run(d, v, "offline");
	parvus_disk_close(&s->backing);
	s->used = false;
}

static const char *back_domain(struct devices *d, const char *name, uint32_t *domain)
{
	struct parvus_control_info i;

	*domain = 0;
	if (!name)
		return NULL;
	if (parvus_find(d->h, name, &i))
		return why(d, "backend=%s: %s", name, parvus_error(d->h));
	*domain = i.flags & PARVUS_INFO_CONTROL ? 0 : i.domain;
	return NULL;
}

/* A disk of another domain's: its block device is a number there. */
static const char *remote_disk(struct devices *d, const struct parvus_disk *disk,
			       struct parvus_backing *b)
{
	unsigned int major, minor;
	char end;

	*b = (struct parvus_backing){ .fd = -1, .lock = -1, .nbd = -1 };
	if (disk->program || !disk->target)
		return NULL;
	if (sscanf(disk->target, "%u:%u%c", &major, &minor, &end) != 2)
		return why(d, "%s: of a disk in domain %s the target is MAJOR:MINOR there", disk->vdev,
			   disk->backend);
	b->major = major;
	b->minor = minor;
	return NULL;
}

static const char *create(struct devices *d, struct slot *s, struct parvus_device *device,
			  uint32_t back)
{
	device->front_domain = d->domain;
	device->back_domain = back;
	if (parvus_device_create(d->h, device))
		return why(d, "%s", parvus_error(d->h));
	s->id = device->id;
	s->wait = WAIT_BACK;
	s->until_ms = now_ms() + BACK_MS;
	return NULL;
}

static const char *make_disk(struct devices *d, struct parvus_disk *disk)
{
	struct slot *s = add(d, PARVUS_CLASS_BLOCK, (uint32_t)disk->index);
	struct parvus_device device = { 0 };
	const char *error;
	char path[300];
	uint32_t back;

	if (!s)
		return why(d, "%s: too many devices", disk->vdev);
	error = back_domain(d, disk->backend, &back);
	s->remote = back != 0;
	if (!error && s->remote)
		error = remote_disk(d, disk, &s->backing);
	else if (!error && parvus_disk_open(d->h, disk, &s->backing))
		error = why(d, "%s: %s", disk->vdev, parvus_error(d->h));
	if (!error && s->backing.nbd >= 0)
		save(d);
	server_path(path, sizeof(path));
	if (!error && disk->program && !s->remote && access(path, X_OK))
		error = why(d, "%s: backendtype=program: cannot run %s: %s", disk->vdev, path,
			    strerror(errno));
	if (!error) {
		parvus_disk_device(disk, &s->backing, &device);
		error = create(d, s, &device, back);
	}
	if (!error && disk->program && !s->remote) {
		error = server_start(d, s);
		if (error)
			parvus_device_remove(d->h, s->id);
	}
	if (error)
		let_go(d, s);
	return error;
}

static const char *make_vif(struct devices *d, struct parvus_vif *v)
{
	struct slot *s = add(d, PARVUS_CLASS_NETWORK, (uint32_t)v->index);
	struct parvus_device device = { 0 };
	const char *error;
	char name[32];
	uint32_t back;

	if (!s)
		return why(d, "vif %d: too many devices", v->index);
	error = back_domain(d, v->backend, &back);
	s->remote = back != 0;
	vif_name(d, v, name);
	if (!error && !s->remote)
		error = vif_check(d, v);
	if (!error && !s->remote && parvus_net(PARVUS_NET_INDEX, name, NULL, 0) > 0)
		error = why(d, "vif %d: there is an interface %s already", v->index, name);
	if (!error) {
		parvus_vif_device(v, &device);
		error = create(d, s, &device, back);
	}
	if (error)
		let_go(d, s);
	return error;
}

void devices_release(struct devices *d)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (d->slots[i].used) {
			struct slot *s = &d->slots[i];

			answer(s, "the domain has ended");
			/* of a domain that failed to come; if it is gone, so is the device */
			if (s->id)
				parvus_device_remove(d->h, s->id);
			let_go(d, s);
		}
	for (i = 0; i < sizeof(d->clients) / sizeof(*d->clients); i++) {
		if (d->clients[i].fd >= 0)
			close(d->clients[i].fd);
		d->clients[i].fd = -1;
	}
	if (d->listener >= 0)
		close(d->listener);
	if (d->net >= 0)
		close(d->net);
	d->listener = d->net = -1;
}

/* ---- looking ------------------------------------------------------------------------------ */

/* Take a disk or interface out of the saved configuration: it does not come back. */
static void forget(struct devices *d, const struct slot *s)
{
	struct parvus_config *c = d->config;
	struct parvus_disk *disk = disk_of(d, s);
	struct parvus_vif *v = vif_of(d, s);

	if (disk) {
		parvus_disk_free(disk);
		memmove(disk, disk + 1, (size_t)(c->disks + c->ndisks - disk - 1) * sizeof(*disk));
		c->ndisks--;
	} else if (v) {
		parvus_vif_free(v);
		memmove(v, v + 1, (size_t)(c->vifs + c->nvifs - v - 1) * sizeof(*v));
		c->nvifs--;
	}
	state_config(d->h, d->domain, c);
	save(d);
}

/* It could not be made, or not be kept. */
static const char *undo(struct devices *d, struct slot *s, const char *error)
{
	char kept[sizeof(d->error)];

	snprintf(kept, sizeof(kept), "%s", error);
	parvus_device_remove(d->h, s->id);
	let_go(d, s);
	if (s->client >= 0)
		forget(d, s);
	answer(s, kept);
	return why(d, "%s", kept);
}

/* WAIT_BACK. NULL, or why it is given up. */
static const char *look_back(struct devices *d, struct slot *s, const struct parvus_device *r,
			     const char *error)
{
	bool back = r->back_state != PARVUS_DEVICE_CLOSED;
	char name[24];

	if (!error && s->quick > 1)
		error = why(d, "%s: %s cannot serve it (see the monitor's log)", slot_name(s, name),
			    "the program");
	if (!error && back && (s->remote || s->device_class != PARVUS_CLASS_NETWORK || s->ifindex)) {
		s->wait = WAIT_NONE;
		answer(s, NULL);
		return NULL;
	}
	if (!error && now_ms() >= s->until_ms)
		error = why(d, back ? "%s: the back end has made no interface" :
			    "%s: no back end came to serve it", slot_name(s, name));
	return error ? undo(d, s, error) : NULL;
}

/* WAIT_CLOSED. */
static void look_closed(struct devices *d, struct slot *s, const struct parvus_device *r)
{
	uint32_t flag = s->device_class == PARVUS_CLASS_BLOCK ? PARVUS_BLOCK_DETACH :
			PARVUS_NETWORK_DETACH;
	uint8_t config[PARVUS_DEVICE_BLOB];
	uint32_t flags;

	if (r->front_state == PARVUS_DEVICE_CLOSED && r->back_state != PARVUS_DEVICE_CLOSING &&
	    r->back_state != PARVUS_DEVICE_CONNECTED) {
		parvus_device_remove(d->h, s->id);
		let_go(d, s);
		forget(d, s);
		answer(s, NULL);
		return;
	}
	if (now_ms() < s->until_ms)
		return;
	/* version and flags begin both classes' configurations */
	memcpy(config, r->config, sizeof(config));
	memcpy(&flags, config + 4, sizeof(flags));
	flags &= ~flag;
	memcpy(config + 4, &flags, sizeof(flags));
	parvus_device_configure(d->h, s->id, config, sizeof(config));
	s->wait = WAIT_NONE;
	answer(s, "the domain does not let it go (in use?); --force removes it at once");
}

static void server_again(struct devices *d, struct slot *s)
{
	struct parvus_device r;
	const char *error;

	/* it ended because its device has */
	if (parvus_device_read(d->h, s->id, &r) == -ENOENT) {
		s->restart_ms = 0;
		return;
	}
	error = server_start(d, s);
	if (error) {
		say(d, "%s", error);
		s->restart_ms = now_ms() + 1000;
	}
}

static const char *look(struct devices *d, struct slot *s)
{
	struct parvus_device r;
	const char *error = NULL;
	int ret;

	if (s->pidfd < 0 && s->restart_ms && now_ms() >= s->restart_ms)
		server_again(d, s);
	/* each costs some system calls, and consoles come by here, too */
	if (d->news || s->wait == WAIT_BACK)
		error = look_vif(d, s);
	if (s->wait == WAIT_NONE)
		return NULL;
	ret = parvus_device_read(d->h, s->id, &r);
	if (ret == -ENOENT) {
		/* with its domain, or taken away by somebody else */
		bool closed = s->wait == WAIT_CLOSED;

		let_go(d, s);
		answer(s, closed ? NULL : "the device is gone");
		return closed ? NULL : why(d, "the device is gone");
	}
	if (ret)
		return NULL;
	if (s->wait == WAIT_BACK)
		return look_back(d, s, &r, error);
	look_closed(d, s, &r);
	return NULL;
}

static bool waiting(const struct devices *d)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (d->slots[i].used && d->slots[i].wait != WAIT_NONE)
			return true;
	return false;
}

static void servers_look(struct devices *d)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++) {
		struct slot *s = &d->slots[i];
		struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

		if (s->used && s->pidfd >= 0 && poll(&p, 1, 0) > 0)
			server_ended(d, s);
	}
}

const char *devices_make(struct devices *d)
{
	const char *error = NULL;
	size_t i;

	for (i = 0; !error && i < d->config->ndisks; i++)
		error = make_disk(d, &d->config->disks[i]);
	for (i = 0; !error && i < d->config->nvifs; i++)
		error = make_vif(d, &d->config->vifs[i]);
	while (!error && waiting(d)) {
		servers_look(d);
		for (i = 0; !error && i < PARVUS_DEVICES_DOMAIN; i++)
			if (d->slots[i].used)
				error = look(d, &d->slots[i]);
		if (!error && waiting(d))
			usleep(10000);
	}
	if (error) {
		char kept[sizeof(d->error)];

		snprintf(kept, sizeof(kept), "%s", error);
		devices_release(d);
		return why(d, "%s", kept);
	}
	save(d);
	return NULL;
}

static int saved_nbd(struct devices *d, uint32_t index)
{
	FILE *f = saved(d->h, d->domain);
	unsigned int i;
	int nbd, found = -1;

	while (f && fscanf(f, "nbd %u %d\n", &i, &nbd) == 2)
		if (i == index)
			found = nbd;
	if (f)
		fclose(f);
	return found;
}

void devices_adopt(struct devices *d)
{
	struct parvus_device r;
	uint32_t at = 0;

	while (!parvus_device_next(d->h, at, &r)) {
		struct slot *s;

		at = r.id;
		if (r.front_domain != d->domain || find(d, r.device_class, r.index) ||
		    (r.device_class != PARVUS_CLASS_BLOCK && r.device_class != PARVUS_CLASS_NETWORK))
			continue;
		s = add(d, r.device_class, r.index);
		if (!s)
			return;
		s->id = r.id;
		s->remote = r.back_domain != 0;
		if (s->remote || r.device_class != PARVUS_CLASS_BLOCK)
			continue;
		parvus_disk_adopt(&r, disk_of(d, s), &s->backing);
		s->backing.nbd = saved_nbd(d, r.index);
		if (disk_of(d, s) && disk_of(d, s)->program)
			server_adopt(d, s);
	}
}

/* ---- requests -------------------------------------------------------------------------------- */

static void reply(int fd, const char *error)
{
	struct slot s = { .client = fd };

	answer(&s, error);
}

/* The slot of a request's INDEX; NULL: said to the client. */
static struct slot *wanted(struct devices *d, int fd, uint32_t device_class, const char *index)
{
	struct slot *s;
	uint64_t n;

	if (!parse_number(index, 0, UINT32_MAX, &n)) {
		reply(fd, "a number is expected");
		return NULL;
	}
	s = find(d, device_class, (uint32_t)n);
	if (!s)
		reply(fd, "the domain has no such device");
	else if (s->wait != WAIT_NONE)
		reply(fd, "the device is being attached or detached");
	return s && s->wait == WAIT_NONE ? s : NULL;
}

static void attach(struct devices *d, int fd, uint32_t device_class, uint32_t index,
		   const char *error)
{
	struct slot *s = find(d, device_class, index);

	if (error) {
		struct slot gone = { .device_class = device_class, .index = index };
		char kept[sizeof(d->error)];

		snprintf(kept, sizeof(kept), "%s", error);
		forget(d, &gone);
		reply(fd, kept);
		return;
	}
	s->client = fd;
	state_config(d->h, d->domain, d->config);
	save(d);
}

static void request_disk(struct devices *d, int fd, const char *spec)
{
	struct parvus_config *c = d->config;
	struct parvus_disk disk, *more;

	if (parvus_disk_parse(d->h, spec, &disk)) {
		reply(fd, parvus_error(d->h));
		parvus_disk_free(&disk);
		return;
	}
	if (find(d, PARVUS_CLASS_BLOCK, (uint32_t)disk.index)) {
		reply(fd, "the domain has this disk already");
		parvus_disk_free(&disk);
		return;
	}
	more = realloc(c->disks, (c->ndisks + 1) * sizeof(*more));
	if (!more) {
		reply(fd, "no memory");
		parvus_disk_free(&disk);
		return;
	}
	c->disks = more;
	c->disks[c->ndisks++] = disk;
	attach(d, fd, PARVUS_CLASS_BLOCK, (uint32_t)disk.index, make_disk(d, &c->disks[c->ndisks - 1]));
}

static void request_vif(struct devices *d, int fd, const char *spec)
{
	struct parvus_config *c = d->config;
	struct parvus_vif v, *more;
	int index = 0;

	while (find(d, PARVUS_CLASS_NETWORK, (uint32_t)index))
		index++;
	if (parvus_vif_parse(d->h, c->name, spec, index, &v)) {
		reply(fd, parvus_error(d->h));
		parvus_vif_free(&v);
		return;
	}
	if (find(d, PARVUS_CLASS_NETWORK, (uint32_t)v.index)) {
		reply(fd, "the domain has an interface of this devid already");
		parvus_vif_free(&v);
		return;
	}
	more = realloc(c->vifs, (c->nvifs + 1) * sizeof(*more));
	if (!more) {
		reply(fd, "no memory");
		parvus_vif_free(&v);
		return;
	}
	c->vifs = more;
	c->vifs[c->nvifs++] = v;
	attach(d, fd, PARVUS_CLASS_NETWORK, (uint32_t)v.index, make_vif(d, &c->vifs[c->nvifs - 1]));
}

static void request_detach(struct devices *d, int fd, const char *class_text, const char *index,
			   bool force)
{
	uint32_t device_class = !strcmp(class_text, "disk") ? PARVUS_CLASS_BLOCK :
				PARVUS_CLASS_NETWORK, flags;
	struct slot *s = wanted(d, fd, device_class, index);
	struct parvus_device r;

	if (!s)
		return;
	if (!force && parvus_device_read(d->h, s->id, &r)) {
		reply(fd, parvus_error(d->h));
		return;
	}
	if (force) {
		/* that it is gone already is no failure */
		parvus_device_remove(d->h, s->id);
		let_go(d, s);
		forget(d, s);
		reply(fd, NULL);
		return;
	}
	memcpy(&flags, r.config + 4, sizeof(flags));
	flags |= device_class == PARVUS_CLASS_BLOCK ? PARVUS_BLOCK_DETACH : PARVUS_NETWORK_DETACH;
	memcpy(r.config + 4, &flags, sizeof(flags));
	if (parvus_device_configure(d->h, s->id, r.config, sizeof(r.config))) {
		reply(fd, parvus_error(d->h));
		return;
	}
	s->wait = WAIT_CLOSED;
	s->until_ms = now_ms() + CLOSE_MS;
	s->client = fd;
}

/* Change what a disk is configured with; the back end is told, also if nothing changed. */
static const char *reconfigure(struct devices *d, struct slot *s)
{
	struct parvus_disk *disk = disk_of(d, s);
	struct parvus_device r = { 0 };

	parvus_disk_device(disk, &s->backing, &r);
	if (parvus_device_configure(d->h, s->id, r.config, sizeof(r.config)) ||
	    parvus_disk_text(d->h, disk))
		return parvus_error(d->h);
	state_config(d->h, d->domain, d->config);
	return NULL;
}

static void request_set(struct devices *d, int fd, const char *index, const char *iops,
			const char *bps)
{
	struct slot *s = wanted(d, fd, PARVUS_CLASS_BLOCK, index);
	struct parvus_disk *disk = s ? disk_of(d, s) : NULL, before;
	const char *error;
	uint64_t n;

	if (!s)
		return;
	if (!disk) {
		reply(fd, "the disk is not in the domain's configuration");
		return;
	}
	before = *disk;
	if (strcmp(iops, "-") && parse_number(iops, 0, UINT32_MAX, &n))
		disk->iops = (uint32_t)n;
	if (strcmp(bps, "-") && parse_number(bps, 0, UINT64_MAX, &n))
		disk->bps = n;
	error = reconfigure(d, s);
	if (error) {
		disk->iops = before.iops;
		disk->bps = before.bps;
	}
	reply(fd, error);
}

static void request_resize(struct devices *d, int fd, const char *index)
{
	struct slot *s = wanted(d, fd, PARVUS_CLASS_BLOCK, index);

	if (!s)
		return;
	if (!disk_of(d, s))
		reply(fd, "the disk is not in the domain's configuration");
	else if (parvus_disk_resized(d->h, &s->backing))
		reply(fd, parvus_error(d->h));
	else
		reply(fd, reconfigure(d, s));
}

/* Another medium, or none. */
static void request_cd(struct devices *d, int fd, const char *index, const char *target)
{
	struct slot *s = wanted(d, fd, PARVUS_CLASS_BLOCK, index);
	struct parvus_disk *disk = s ? disk_of(d, s) : NULL;
	struct parvus_backing b, old;
	char *before, *text = *target ? strdup(target) : NULL;
	const char *error;

	if (!s)
		goto out;
	if (!disk || !disk->cdrom || s->remote || disk->program || strcmp(disk->format, "raw")) {
		reply(fd, "the disk is no CD drive whose medium can be changed");
		goto out;
	}
	before = disk->target;
	disk->target = text;
	if (parvus_disk_open(d->h, disk, &b)) {
		disk->target = before;
		reply(fd, parvus_error(d->h));
		goto out;
	}
	old = s->backing;
	s->backing = b;
	error = reconfigure(d, s);
	if (error) {
		s->backing = old;
		disk->target = before;
		parvus_disk_close(&b);
		reply(fd, error);
		goto out;
	}
	parvus_disk_close(&old);
	free(before);
	reply(fd, NULL);
	return;
out:
	free(text);
}

static void request(struct devices *d, int fd, char *line)
{
	char *words[5] = { NULL };
	size_t n;

	for (n = 0; n < 5 && line; n++) {
		words[n] = line;
		line = strchr(line, PARVUS_WORD);
		if (line)
			*line++ = 0;
	}
	if (n == 2 && !strcmp(words[0], "disk-attach"))
		request_disk(d, fd, words[1]);
	else if (n == 2 && !strcmp(words[0], "vif-attach"))
		request_vif(d, fd, words[1]);
	else if (n == 4 && !strcmp(words[0], "detach"))
		request_detach(d, fd, words[1], words[2], !strcmp(words[3], "force"));
	else if (n == 4 && !strcmp(words[0], "disk-set"))
		request_set(d, fd, words[1], words[2], words[3]);
	else if (n == 2 && !strcmp(words[0], "disk-resize"))
		request_resize(d, fd, words[1]);
	else if (n == 3 && !strcmp(words[0], "cd"))
		request_cd(d, fd, words[1], words[2]);
	else
		reply(fd, "not a request that this monitor knows");
}

const char *devices_listen(struct devices *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (parvus_run_path(d->h, d->domain, "control.sock", a.sun_path, sizeof(a.sun_path)))
		return parvus_error(d->h);
	d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(a.sun_path);
	if (d->listener < 0 || bind(d->listener, (struct sockaddr *)&a, sizeof(a)) ||
	    chmod(a.sun_path, 0600) || listen(d->listener, 4))
		return why(d, "cannot make %s: %s", a.sun_path, strerror(errno));
	d->net = parvus_net_watch();
	d->news = true;
	return NULL;
}

static void client_new(struct devices *d)
{
	int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < sizeof(d->clients) / sizeof(*d->clients); i++)
		if (d->clients[i].fd < 0) {
			d->clients[i].fd = fd;
			d->clients[i].n = 0;
			return;
		}
	reply(fd, "the monitor is busy");
}

static void client_input(struct devices *d, size_t i)
{
	int fd = d->clients[i].fd;
	char *text = d->clients[i].text, *end;
	ssize_t n = recv(fd, text + d->clients[i].n, sizeof(d->clients[i].text) - 1 - d->clients[i].n,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		d->clients[i].n += (size_t)n;
	text[d->clients[i].n] = 0;
	end = strchr(text, '\n');
	if (n > 0 && !end && d->clients[i].n < sizeof(d->clients[i].text) - 1)
		return;
	d->clients[i].fd = -1;
	if (!end) {
		close(fd);
		return;
	}
	*end = 0;
	request(d, fd, text);
}

int devices_poll(struct devices *d, struct pollfd *fds, size_t *n)
{
	int64_t left = INT64_MAX;
	size_t i, at = 0;

	fds[at++] = (struct pollfd){ .fd = d->listener, .events = POLLIN };
	fds[at++] = (struct pollfd){ .fd = d->net, .events = POLLIN };
	for (i = 0; i < sizeof(d->clients) / sizeof(*d->clients); i++)
		fds[at++] = (struct pollfd){ .fd = d->clients[i].fd, .events = POLLIN };
	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++) {
		const struct slot *s = &d->slots[i];

		if (!s->used)
			continue;
		if (s->pidfd >= 0)
			fds[at++] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
		else if (s->restart_ms && s->restart_ms - now_ms() < left)
			left = s->restart_ms - now_ms();
		/* without news of interfaces they are looked at */
		if (s->wait != WAIT_NONE && left > LOOK_MS)
			left = LOOK_MS;
		else if (s->device_class == PARVUS_CLASS_NETWORK && d->net < 0 && left > 4 * LOOK_MS)
			left = 4 * LOOK_MS;
	}
	*n = at;
	return left == INT64_MAX ? -1 : left < 0 ? 0 : (int)left;
}

void devices_work(struct devices *d, const struct pollfd *fds, size_t n)
{
	char news[8192];
	size_t i;

	if (n > 0 && fds[0].revents && d->listener >= 0)
		client_new(d);
	d->news |= d->net < 0 || (n > 1 && fds[1].revents);
	while (d->net >= 0 && recv(d->net, news, sizeof(news), MSG_DONTWAIT) > 0)
		;
	for (i = 0; i < sizeof(d->clients) / sizeof(*d->clients); i++)
		if (d->clients[i].fd >= 0)
			client_input(d, i);
	servers_look(d);
	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (d->slots[i].used)
			look(d, &d->slots[i]);
	d->news = false;
}
