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

#include <unistd.h>

#define BACK_MS		20000	/* for a back end to come */

void devices_say(struct devices *d, const char *format, ...)
{
	char text[700];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	d->say(d->arg, text);
}

const char *devices_why(struct devices *d, const char *format, ...)
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

struct slot *devices_find(struct devices *d, uint32_t device_class, uint32_t index)
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

struct parvus_disk *devices_disk(struct devices *d, const struct slot *s)
{
	size_t i;

	for (i = 0; s->device_class == PARVUS_CLASS_BLOCK && i < d->config->ndisks; i++)
		if (d->config->disks[i].index == (int)s->index)
			return &d->config->disks[i];
	return NULL;
}

struct parvus_vif *devices_vif(struct devices *d, const struct slot *s)
{
	size_t i;

	for (i = 0; s->device_class == PARVUS_CLASS_NETWORK && i < d->config->nvifs; i++)
		if (d->config->vifs[i].index == (int)s->index)
			return &d->config->vifs[i];
	return NULL;
}

const char *slot_name(const struct slot *s, char name[24])
{
	if (s->device_class == PARVUS_CLASS_BLOCK)
		parvus_disk_name(s->index, name);
	else
		snprintf(name, 24, "vif %u", s->index);
	return name;
}

/* The file "devices". Of no use without its nbd devices, so a failure is only said. */
void devices_save(struct devices *d)
{
	char text[PARVUS_DEVICES_DOMAIN * 32] = "";
	size_t i, n = 0;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (d->slots[i].used && d->slots[i].backing.nbd >= 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "nbd %u %d\n",
					      d->slots[i].index, d->slots[i].backing.nbd);
	if (put_file(d->h, d->domain, "devices", text))
		devices_say(d, "cannot write the list of devices");
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

/* ---- making and letting go ---------------------------------------------------------------- */

/* The back end does its last writes after its device has gone, and has the backing until then. */
static void wait_unbound(uint32_t id)
{
	int64_t until = now_ms() + 10000;

	while (parvus_device_bound(id) && now_ms() < until)
		usleep(20000);
}

void slot_answer(struct slot *s, const char *error)
{
	if (s->client < 0)
		return;
	dprintf(s->client, error ? "error %s\n" : "ok\n", error);
	close(s->client);
	s->client = -1;
}

/* The device is gone from the registry, or was never in it. */
void slot_let_go(struct devices *d, struct slot *s)
{
	struct parvus_vif *v = devices_vif(d, s);
	char name[32], path[300];

	if (s->id && !s->remote)
		wait_unbound(s->id);
	server_stop(s);
	snprintf(name, sizeof(name), "server-%u", s->index);
	if (s->device_class == PARVUS_CLASS_BLOCK &&
	    !parvus_run_path(d->h, d->domain, name, path, sizeof(path)))
		unlink(path);
	if (v && vif_has_script(v) && s->ifindex)
		vif_script(d, v, "offline");
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
		return devices_why(d, "backend=%s: %s", name, d->errors->text);
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
		return devices_why(d, "%s: of a disk in domain %s the target is MAJOR:MINOR there", disk->vdev,
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
		return devices_why(d, "%s", d->errors->text);
	s->id = device->id;
	s->wait = WAIT_BACK;
	s->until_ms = now_ms() + BACK_MS;
	return NULL;
}

const char *devices_make_disk(struct devices *d, struct parvus_disk *disk)
{
	struct slot *s = add(d, PARVUS_CLASS_BLOCK, (uint32_t)disk->index);
	struct parvus_device device = { 0 };
	const char *error;
	char path[300];
	uint32_t back;

	if (!s)
		return devices_why(d, "%s: too many devices", disk->vdev);
	error = back_domain(d, disk->backend, &back);
	s->remote = back != 0;
	if (!error && s->remote)
		error = remote_disk(d, disk, &s->backing);
	else if (!error && parvus_disk_open(d->h, disk, &s->backing))
		error = devices_why(d, "%s: %s", disk->vdev, d->errors->text);
	if (!error && s->backing.nbd >= 0)
		devices_save(d);
	server_path(path, sizeof(path));
	if (!error && disk->program && !s->remote && access(path, X_OK))
		error = devices_why(d, "%s: backendtype=program: cannot run %s: %s", disk->vdev, path,
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
		slot_let_go(d, s);
	return error;
}

const char *devices_make_vif(struct devices *d, struct parvus_vif *v)
{
	struct slot *s = add(d, PARVUS_CLASS_NETWORK, (uint32_t)v->index);
	struct parvus_device device = { 0 };
	const char *error;
	char name[32];
	uint32_t back;

	if (!s)
		return devices_why(d, "vif %d: too many devices", v->index);
	error = back_domain(d, v->backend, &back);
	s->remote = back != 0;
	vif_interface(d, v, name);
	if (!error && !s->remote)
		error = vif_check(d, v);
	if (!error && !s->remote && parvus_net(PARVUS_NET_INDEX, name, NULL, 0) > 0)
		error = devices_why(d, "vif %d: there is an interface %s already", v->index, name);
	if (!error) {
		parvus_vif_device(v, &device);
		error = create(d, s, &device, back);
	}
	if (error)
		slot_let_go(d, s);
	return error;
}

void devices_release(struct devices *d)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (d->slots[i].used) {
			struct slot *s = &d->slots[i];

			slot_answer(s, "the domain has ended");
			/* of a domain that failed to come; if it is gone, so is the device */
			if (s->id)
				parvus_device_remove(d->h, s->id);
			slot_let_go(d, s);
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
void slot_forget(struct devices *d, const struct slot *s)
{
	struct parvus_config *c = d->config;
	struct parvus_disk *disk = devices_disk(d, s);
	struct parvus_vif *v = devices_vif(d, s);

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
	devices_save(d);
}

/* It could not be made, or not be kept. */
static const char *undo(struct devices *d, struct slot *s, const char *error)
{
	char kept[sizeof(d->error)];

	snprintf(kept, sizeof(kept), "%s", error);
	parvus_device_remove(d->h, s->id);
	slot_let_go(d, s);
	if (s->client >= 0)
		slot_forget(d, s);
	slot_answer(s, kept);
	return devices_why(d, "%s", kept);
}

/* WAIT_BACK. NULL, or why it is given up. */
static const char *look_back(struct devices *d, struct slot *s, const struct parvus_device *r,
			     const char *error)
{
	bool back = r->back_state != PARVUS_DEVICE_CLOSED;
	char name[24];

	if (!error && s->quick > 1)
		error = devices_why(d, "%s: %s cannot serve it (see the monitor's log)", slot_name(s, name),
			    "the program");
	if (!error && back &&
	    (s->remote || s->device_class != PARVUS_CLASS_NETWORK || s->ifindex)) {
		s->wait = WAIT_NONE;
		slot_answer(s, NULL);
		return NULL;
	}
	if (!error && now_ms() >= s->until_ms)
		error = devices_why(d, back ? "%s: the back end has made no interface" :
			    "%s: no back end came to serve it", slot_name(s, name));
	return error ? undo(d, s, error) : NULL;
}

/* Version and flags begin the configurations of both classes. */
bool devices_detaching(uint32_t device_class, uint8_t config[PARVUS_DEVICE_BLOB], bool detach)
{
	uint32_t flag = device_class == PARVUS_CLASS_BLOCK ? PARVUS_BLOCK_DETACH :
			PARVUS_NETWORK_DETACH, flags;
	bool before;

	memcpy(&flags, config + 4, sizeof(flags));
	before = flags & flag;
	flags = detach ? flags | flag : flags & ~flag;
	memcpy(config + 4, &flags, sizeof(flags));
	return before;
}

/* WAIT_CLOSED. */
static void look_closed(struct devices *d, struct slot *s, const struct parvus_device *r)
{
	uint8_t config[PARVUS_DEVICE_BLOB];

	if (r->front_state == PARVUS_DEVICE_CLOSED && r->back_state != PARVUS_DEVICE_CLOSING &&
	    r->back_state != PARVUS_DEVICE_CONNECTED) {
		parvus_device_remove(d->h, s->id);
		slot_let_go(d, s);
		slot_forget(d, s);
		slot_answer(s, NULL);
		return;
	}
	if (now_ms() < s->until_ms)
		return;
	memcpy(config, r->config, sizeof(config));
	devices_detaching(r->device_class, config, false);
	parvus_device_configure(d->h, s->id, config, sizeof(config));
	s->wait = WAIT_NONE;
	slot_answer(s, "the domain does not let it go (in use?); --force removes it at once");
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
		devices_say(d, "%s", error);
		s->restart_ms = now_ms() + 1000;
	}
}

const char *devices_look(struct devices *d, struct slot *s)
{
	struct parvus_device r;
	const char *error = NULL;
	int ret;

	if (s->pidfd < 0 && s->restart_ms && now_ms() >= s->restart_ms)
		server_again(d, s);
	/* each costs some system calls, and consoles come by here, too */
	if (d->news || s->wait == WAIT_BACK)
		error = vif_look(d, s);
	if (s->wait == WAIT_NONE)
		return NULL;
	ret = parvus_device_read(d->h, s->id, &r);
	if (ret == -ENOENT) {
		/* with its domain, or taken away by somebody else */
		bool closed = s->wait == WAIT_CLOSED;

		slot_let_go(d, s);
		slot_answer(s, closed ? NULL : "the device is gone");
		return closed ? NULL : devices_why(d, "the device is gone");
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

void servers_look(struct devices *d)
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
		error = devices_make_disk(d, &d->config->disks[i]);
	for (i = 0; !error && i < d->config->nvifs; i++)
		error = devices_make_vif(d, &d->config->vifs[i]);
	while (!error && waiting(d)) {
		servers_look(d);
		for (i = 0; !error && i < PARVUS_DEVICES_DOMAIN; i++)
			if (d->slots[i].used)
				error = devices_look(d, &d->slots[i]);
		if (!error && waiting(d))
			usleep(10000);
	}
	if (error) {
		char kept[sizeof(d->error)];

		snprintf(kept, sizeof(kept), "%s", error);
		devices_release(d);
		return devices_why(d, "%s", kept);
	}
	devices_save(d);
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
		if (r.front_domain != d->domain || devices_find(d, r.device_class, r.index) ||
		    (r.device_class != PARVUS_CLASS_BLOCK &&
		     r.device_class != PARVUS_CLASS_NETWORK))
			continue;
		s = add(d, r.device_class, r.index);
		if (!s)
			return;
		s->id = r.id;
		s->remote = r.back_domain != 0;
		if (devices_detaching(r.device_class, r.config, true)) {	/* by the monitor before us: go on with it */
			s->wait = WAIT_CLOSED;
			s->until_ms = now_ms() + CLOSE_MS;
		}
		if (s->remote || r.device_class != PARVUS_CLASS_BLOCK)
			continue;
		parvus_disk_adopt(&r, devices_disk(d, s), &s->backing);
		s->backing.nbd = saved_nbd(d, r.index);
		if (devices_disk(d, s) && devices_disk(d, s)->program)
			server_adopt(d, s);
	}
}
