// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: the devices of a keeper, one slot each: made of an entry of the configuration, looked
 * at until its back end is there or both ends have let it go, and let go of.
 */
#include "keeper.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACK_MS		20000	/* for a back end to come */
#define LEAVE_MS	15000	/* for who has a disk to let go of it */
#define UNBOUND_MS	10000	/* for a back end to let go */

void pv_slot_answer(struct parvus_keeper *k, struct slot *s, const char *error)
{
	if (s->request < 0)
		return;
	k->ops.answer(k->ops.arg, s->request, error);
	s->request = -1;
}

/* ---- the table ----------------------------------------------------------------------- */

struct slot *pv_slot_find(struct parvus_keeper *k, uint32_t device_class, uint32_t index)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (k->slots[i].used && k->slots[i].device_class == device_class &&
		    k->slots[i].index == index)
			return &k->slots[i];
	return NULL;
}

struct slot *pv_slot_add(struct parvus_keeper *k, uint32_t device_class, uint32_t index)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (!k->slots[i].used) {
			k->slots[i] = (struct slot){
				.used = true,
				.device_class = device_class,
				.index = index,
				.backing = { .fd = -1, .lock = -1, .nbd = -1 },
				.request = -1,
				.pidfd = -1,
			};
			return &k->slots[i];
		}
	return NULL;
}

static const char *slot_name(const struct slot *s, char name[24])
{
	return pv_slot_name(s->device_class, s->index, name);
}

/* ---- making and letting go ---------------------------------------------------------------- */

/* The back end does its last writes after its device has gone, and has the backing until then. */
static void wait_unbound(uint32_t id)
{
	int64_t until = pv_now_ms() + UNBOUND_MS;

	while (parvus_device_bound(id) && pv_now_ms() < until)
		usleep(20000);
}

void pv_slot_let_go(struct parvus_keeper *k, struct slot *s)
{
	struct parvus_error before = *k->h->error;
	struct parvus_vif *v = pv_slot_vif(k, s);

	if (s->id && !s->back)
		wait_unbound(s->id);
	pv_server_stop(k, s);
	if (v && s->ifindex)
		pv_vif_offline(k, v);
	parvus_disk_close(k->h, &s->backing);
	if (s->added && pv_slot_disk(k, s))
		pv_block_remove(k, pv_slot_disk(k, s));
	s->used = false;
	*k->h->error = before;
}

int pv_slot_back(struct parvus_keeper *k, const char *name, uint32_t *domain)
{
	struct parvus_control_info i;
	int ret;

	*domain = 0;
	if (!name)
		return 0;
	ret = parvus_find(k->h, name, &i);
	if (ret)
		return pv_fail(k->h->error, -ret, "backend=%s: %s", name, k->h->error->text);
	*domain = i.flags & PARVUS_INFO_CONTROL ? 0 : i.domain;
	return 0;
}

/* A disk of another domain's: its block device is a number there. */
static int remote_disk(struct parvus_keeper *k, const struct parvus_disk *disk,
		       struct parvus_backing *b)
{
	unsigned int major, minor;
	char end;

	if (disk->program || !disk->target)
		return 0;
	if (sscanf(disk->target, "%u:%u%c", &major, &minor, &end) != 2)
		return pv_fail(k->h->error, EINVAL,
			       "%s: of a disk in domain %s the target is MAJOR:MINOR there",
			       disk->vdev, disk->backend);
	b->major = major;
	b->minor = minor;
	return 0;
}

/*
 * What is written down counts for others from then on, before anything slow is done. A user who is
 * letting go may have writes under way.
 */
int pv_slot_claim(struct parvus_keeper *k, const struct slot *s, const struct parvus_disk *disk)
{
	int64_t until = pv_now_ms() + LEAVE_MS;
	bool leaving;
	int ret;

	for (;;) {
		int lock = pv_claim_lock(k->h);

		if (lock < 0)
			return lock;
		ret = pv_claim_check(k->h, k->state.domain, s->back, disk, NULL, &leaving);
		if (!ret)
			ret = parvus_keeper_save(k);
		close(lock);
		if (ret != -EBUSY || !leaving || pv_now_ms() >= until)
			return ret;
		usleep(20000);
	}
}

/*
 * What a script has made is known when it has run. Nobody else gets a disk until this one's device
 * is in the registry, where they look: @lock is held so long.
 */
static int add_disk(struct parvus_keeper *k, struct slot *s, const struct parvus_disk *disk,
		    int *lock)
{
	uint32_t device[2];
	bool leaving;
	int ret = pv_block_add(k, s, disk);

	if (ret)
		return ret;
	device[0] = s->backing.major;
	device[1] = s->backing.minor;
	*lock = pv_claim_lock(k->h);
	ret = *lock < 0 ? *lock :
	      pv_claim_check(k->h, k->state.domain, 0, disk, device, &leaving);
	return ret ? pv_fail(k->h->error, -ret, "%s: %s", disk->vdev, k->h->error->text) : 0;
}

/* What a disk lies on, and what the registry is to know of it. */
static int prepare_disk(struct parvus_keeper *k, struct slot *s, const struct parvus_disk *disk,
			struct parvus_device *device, int *lock)
{
	char mark[PARVUS_NBD_MARK];
	int ret;

	ret = pv_slot_claim(k, s, disk);
	if (ret) {
		pv_fail(k->h->error, -ret, "%s: %s", disk->vdev, k->h->error->text);
	} else if (s->back) {
		ret = remote_disk(k, disk, &s->backing);
	} else if (pv_disk_scripted(disk)) {
		ret = add_disk(k, s, disk, lock);
	} else {
		pv_nbd_mark(k->state.domain, k->state.created_ns, s->index, mark);
		ret = parvus_disk_open(k->h, disk, mark, &s->backing);
		if (ret)
			pv_fail(k->h->error, -ret, "%s: %s", disk->vdev, k->h->error->text);
		/* it outlives us: the next keeper has to know at once */
		if (!ret && s->backing.nbd >= 0)
			pv_keeper_save(k);
		if (!ret && disk->program)
			ret = pv_server_check(k, disk->vdev, k->h->block_server);
	}
	if (!ret)
		parvus_disk_device(disk, &s->backing, device);
	return ret;
}

static int prepare_vif(struct parvus_keeper *k, struct slot *s, const struct parvus_vif *v,
		       struct parvus_device *device)
{
	char name[32];
	int ret = 0;

	pv_vif_interface(k, v, name);
	if (!s->back)
		ret = pv_vif_check(k, v);
	if (!ret && !s->back && parvus_net(PARVUS_NET_INDEX, name, NULL, 0) > 0)
		ret = pv_fail(k->h->error, EEXIST, "vif %d: there is an interface %s already",
			      v->index, name);
	if (!ret)
		parvus_vif_device(v, device);
	return ret;
}

static int prepare_own(struct parvus_keeper *k, const struct slot *s, const struct parvus_own *d,
		       struct parvus_device *device)
{
	char name[24];
	int ret = parvus_own_device(k->h->error, d, device);

	return ret || !d->program ? ret : pv_server_check(k, slot_name(s, name), d->program);
}

/* One entry's device, in an empty slot. After a failure the slot is to be let go. */
static int make(struct parvus_keeper *k, struct slot *s)
{
	const struct parvus_disk *disk = pv_slot_disk(k, s);
	const struct parvus_vif *v = pv_slot_vif(k, s);
	const struct parvus_own *own = pv_slot_own(k, s);
	struct parvus_device device = { 0 };
	int ret, lock = -1;

	ret = pv_slot_back(k, disk ? disk->backend : v ? v->backend : own->backend, &s->back);
	if (ret)
		return ret;
	ret = disk ? prepare_disk(k, s, disk, &device, &lock) :
	      v ? prepare_vif(k, s, v, &device) : prepare_own(k, s, own, &device);
	device.front_domain = k->state.domain;
	device.back_domain = s->back;
	if (!ret)
		ret = pv_revive(k, &device);
	if (lock >= 0)
		close(lock);
	if (ret)
		return ret;
	s->id = device.id;
	s->wait = WAIT_BACK;
	s->until_ms = pv_now_ms() + BACK_MS;
	if (!pv_slot_program(k, s))
		return 0;
	ret = pv_server_start(k, s);
	if (ret) {
		struct parvus_error why = *k->h->error;

		parvus_device_remove(k->h, s->id);
		*k->h->error = why;
	}
	return ret;
}

int pv_slot_make(struct parvus_keeper *k, uint32_t device_class, uint32_t index)
{
	struct slot *s = pv_slot_add(k, device_class, index);
	const struct slot none = { .device_class = device_class, .index = index };
	char name[24];
	int ret;

	if (!s)
		return pv_fail(k->h->error, ENOSPC,
			       "%s: domain %u has %u devices, and may have no more",
			       slot_name(&none, name), k->state.domain, PARVUS_DEVICES_DOMAIN);
	ret = make(k, s);
	if (ret)
		pv_slot_let_go(k, s);
	return ret;
}

void pv_slot_forget(struct parvus_keeper *k, uint32_t device_class, uint32_t index)
{
	const struct slot s = { .device_class = device_class, .index = index };
	struct parvus_config *c = k->state.config;
	struct parvus_disk *disk = pv_slot_disk(k, &s);
	struct parvus_vif *v = pv_slot_vif(k, &s);
	struct parvus_own *own = pv_slot_own(k, &s);

	if (own) {
		parvus_own_free(own);
		memmove(own, own + 1, (size_t)(c->own + c->nown - own - 1) * sizeof(*own));
		c->nown--;
	}
	if (disk) {
		parvus_disk_free(disk);
		memmove(disk, disk + 1, (size_t)(c->disks + c->ndisks - disk - 1) * sizeof(*disk));
		c->ndisks--;
	} else if (v) {
		parvus_vif_free(v);
		memmove(v, v + 1, (size_t)(c->vifs + c->nvifs - v - 1) * sizeof(*v));
		c->nvifs--;
	}
	pv_keeper_save(k);
}

/* ---- looking ------------------------------------------------------------------------------ */

/* It could not be made, or not be kept. */
static void undo(struct parvus_keeper *k, struct slot *s)
{
	struct parvus_error why = *k->h->error;

	parvus_device_remove(k->h, s->id);
	pv_slot_let_go(k, s);
	if (s->request >= 0)
		pv_slot_forget(k, s->device_class, s->index);
	pv_slot_answer(k, s, why.text);
	*k->h->error = why;
}

/* WAIT_BACK. @ret: what came of looking at the interface. An error: it is given up. */
static int look_back(struct parvus_keeper *k, struct slot *s, const struct parvus_device *r,
		     int ret)
{
	bool back = r->back_state != PARVUS_DEVICE_CLOSED;
	char name[24];

	/* who writes a driver brings its back end when it is ready */
	if (r->device_class >= PARVUS_CLASS_OWN && !pv_slot_program(k, s))
		back = true;
	if (!ret && s->quick > 1)
		ret = pv_fail(k->h->error, EIO,
			      "%s: the program cannot serve it (see the monitor's log)",
			      slot_name(s, name));
	if (!ret && back &&
	    (s->back || s->device_class != PARVUS_CLASS_NETWORK || s->ifindex)) {
		s->wait = WAIT_NONE;
		pv_slot_answer(k, s, NULL);
		return 0;
	}
	if (!ret && pv_now_ms() >= s->until_ms)
		ret = pv_fail(k->h->error, ETIMEDOUT,
			      back ? "%s: the back end has made no interface" :
			      "%s: no back end came to serve it", slot_name(s, name));
	if (ret)
		undo(k, s);
	return ret;
}

uint32_t pv_slot_flag(const struct parvus_keeper *k, const struct slot *s)
{
	const struct parvus_own *own = pv_slot_own(k, s);

	return s->device_class == PARVUS_CLASS_BLOCK ? PARVUS_BLOCK_DETACH :
	       s->device_class == PARVUS_CLASS_NETWORK ? PARVUS_NETWORK_DETACH :
	       own ? own->detach : 0;
}

/* Version and flags begin the configurations of all classes that are detached politely. */
bool pv_detaching(uint32_t flag, uint8_t config[PARVUS_DEVICE_BLOB], bool detach)
{
	uint32_t flags;
	bool before;

	memcpy(&flags, config + 4, sizeof(flags));
	before = flags & flag;
	flags = detach ? flags | flag : flags & ~flag;
	memcpy(config + 4, &flags, sizeof(flags));
	return before;
}

/* A front end that has closed may have done so because its domain has ended. */
static bool domain_runs(struct parvus_keeper *k)
{
	struct parvus_control_info i;

	return !parvus_domain_info(k->h, k->state.domain, &i) && i.state == PARVUS_DOMAIN_RUNNING;
}

/* WAIT_CLOSED. */
static void look_closed(struct parvus_keeper *k, struct slot *s, const struct parvus_device *r)
{
	uint8_t config[PARVUS_DEVICE_BLOB];
	char name[24], text[120];

	if (r->front_state == PARVUS_DEVICE_CLOSED && r->back_state != PARVUS_DEVICE_CLOSING &&
	    r->back_state != PARVUS_DEVICE_CONNECTED) {
		/* one that has ended did not let it go: parvus_keeper_end() answers */
		if (!domain_runs(k))
			return;
		parvus_device_remove(k->h, s->id);
		pv_slot_let_go(k, s);
		pv_slot_forget(k, s->device_class, s->index);
		pv_slot_answer(k, s, NULL);
		return;
	}
	if (pv_now_ms() < s->until_ms)
		return;
	memcpy(config, r->config, sizeof(config));
	pv_detaching(pv_slot_flag(k, s), config, false);
	parvus_device_configure(k->h, s->id, config, sizeof(config));
	s->wait = WAIT_NONE;
	slot_name(s, name);
	snprintf(text, sizeof(text),
		 "%s: domain %u does not let it go (in use?); --force removes it at "
		 "once", name, k->state.domain);
	pv_slot_answer(k, s, text);
}

static void server_again(struct parvus_keeper *k, struct slot *s)
{
	struct parvus_device r;

	/* it ended because its device has */
	if (parvus_device_read(k->h, s->id, &r) == -ENOENT) {
		s->restart_ms = 0;
		return;
	}
	if (pv_server_start(k, s)) {
		pv_keeper_say(k, "%s", k->h->error->text);
		s->restart_ms = pv_now_ms() + 1000;
	}
}

int pv_slot_look(struct parvus_keeper *k, struct slot *s)
{
	struct parvus_vif *v = pv_slot_vif(k, s);
	struct parvus_device r;
	bool closed;
	char name[24];
	int plugged = 0, ret;

	if (s->pidfd < 0 && s->restart_ms && pv_now_ms() >= s->restart_ms)
		server_again(k, s);
	/* each costs some system calls, and consoles come by here, too */
	if (v && !s->back && (k->news || s->wait == WAIT_BACK))
		plugged = pv_vif_look(k, v, s);
	if (s->wait == WAIT_NONE)
		return 0;
	ret = parvus_device_read(k->h, s->id, &r);
	if (ret == -ENOENT) {
		/* with its domain: parvus_keeper_end() answers; else somebody took it away */
		if (!domain_runs(k))
			return k->state.devices_made ? 0 :
			       pv_fail(k->h->error, ECANCELED,
				       "domain %u was destroyed while it was made",
				       k->state.domain);
		closed = s->wait == WAIT_CLOSED;
		pv_fail(k->h->error, ENOENT, "%s of domain %u is gone", slot_name(s, name),
			k->state.domain);
		pv_slot_let_go(k, s);
		pv_slot_answer(k, s, closed ? NULL : k->h->error->text);
		return closed ? 0 : -ENOENT;
	}
	if (ret)
		return 0;
	if (s->wait == WAIT_BACK)
		return look_back(k, s, &r, plugged);
	look_closed(k, s, &r);
	return 0;
}
