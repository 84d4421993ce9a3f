// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: the keeper of a domain, who makes, changes and removes its disks and interfaces.
 * One program at a time is it, so that nobody else has to be asked what there is; the lock of
 * RUN/domains/ID/pid says which. A keeper holds loop devices while a back end may come back to
 * them, keeps programs that serve disks running, and puts each interface of a back end into
 * its bridge, again when the back end was bound anew.
 *
 * Devices belong to the domain and go with it. A keeper that is killed leaves the domain's I/O as
 * it is, and the next one adopts what the registry and the state file (state.c) say.
 */
#include "keeper.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS		50	/* between two looks while something is waited for */

/* ---- the beginning and the end ------------------------------------------------------------- */

int parvus_keeper_open(struct parvus *h, uint32_t domain, const struct parvus_keeper_ops *ops,
		       struct parvus_keeper **out)
{
	struct parvus_keeper *k = calloc(1, sizeof(*k));
	struct parvus_control_info i;
	int ret;

	*out = NULL;
	if (!k)
		return pv_fail(h->error, ENOMEM, "no memory");
	k->h = h;
	k->net = k->lock = -1;
	k->news = true;
	if (ops)
		k->ops = *ops;
	ret = parvus_domain_info(h, domain, &i);
	if (!ret)
		ret = parvus_state_load(h, domain, &k->state);
	if (!ret && k->state.created_ns != i.created_ns)
		ret = pv_fail(h->error, ESTALE, "the record of domain %u is of an earlier one",
			      domain);
	if (!ret)
		k->lock = ret = pv_state_lock(h, domain);
	if (ret < 0) {
		parvus_keeper_close(k);
		return ret;
	}
	/* who had the lock before us may have changed it until then */
	parvus_state_free(&k->state);
	ret = parvus_state_load(h, domain, &k->state);
	if (ret) {
		parvus_keeper_close(k);
		return ret;
	}
	*out = k;
	return 0;
}

/* Somebody waits for its back end, which has not come. */
static bool attaching(const struct slot *s)
{
	return s->wait == WAIT_BACK && s->request >= 0;
}

/* What was not attached in the end is in no configuration, so that no restart brings it. */
static void take_back(struct parvus_keeper *k, struct slot *s, const char *why)
{
	parvus_device_remove(k->h, s->id);
	pv_slot_let_go(k, s);
	pv_slot_forget(k, s->device_class, s->index);
	pv_slot_answer(k, s, why);
}

void parvus_keeper_close(struct parvus_keeper *k)
{
	size_t i;

	if (!k)
		return;
	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++) {
		struct slot *s = &k->slots[i];

		if (!s->used)
			continue;
		if (attaching(s)) {
			take_back(k, s, "the monitor ends");
			continue;
		}
		pv_slot_answer(k, s, "the monitor ends");
		/* its nbd device and program go on, for the next keeper */
		if (s->pidfd >= 0)
			close(s->pidfd);
		s->backing.nbd = -1;
		parvus_disk_close(k->h, &s->backing);
	}
	if (k->net >= 0)
		close(k->net);
	if (k->lock >= 0)
		close(k->lock);
	parvus_state_free(&k->state);
	free(k->saved);
	free(k);
}

struct parvus_state *parvus_keeper_state(struct parvus_keeper *k)
{
	return &k->state;
}

static bool waiting(const struct parvus_keeper *k)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (k->slots[i].used && k->slots[i].wait != WAIT_NONE)
			return true;
	return false;
}

static void servers_look(struct parvus_keeper *k)
{
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++) {
		struct slot *s = &k->slots[i];
		struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

		if (s->used && s->pidfd >= 0 && poll(&p, 1, 0) > 0)
			pv_server_ended(k, s);
	}
}

/* All of the configuration, and wait until each has its back end. */
static int make_all(struct parvus_keeper *k)
{
	struct parvus_config *c = k->state.config;
	int ret = pv_revive_load(k);
	size_t i;

	for (i = 0; !ret && i < c->ndisks; i++)
		ret = pv_slot_make(k, PARVUS_CLASS_BLOCK, (uint32_t)c->disks[i].index);
	for (i = 0; !ret && i < c->nvifs; i++)
		ret = pv_slot_make(k, PARVUS_CLASS_NETWORK, (uint32_t)c->vifs[i].index);
	for (i = 0; !ret && i < c->nown; i++)
		ret = pv_slot_make(k, c->own[i].device_class, c->own[i].index);
	while (!ret && waiting(k)) {
		servers_look(k);
		for (i = 0; !ret && i < PARVUS_DEVICES_DOMAIN; i++)
			if (k->slots[i].used)
				ret = pv_slot_look(k, &k->slots[i]);
		if (!ret && waiting(k))
			usleep(10000);
	}
	if (!ret) {
		k->state.devices_made = true;
		ret = parvus_keeper_save(k);
	}
	if (ret)
		parvus_keeper_end(k);
	else
		pv_revive_done(k);
	return ret;
}

/* The number of its nbd device, which nobody else knows. */
static int saved_nbd(const struct parvus_keeper *k, uint32_t index)
{
	const struct parvus_state *s = &k->state;
	size_t i;

	for (i = 0; i < s->ndevices; i++)
		if (s->devices[i].device_class == PARVUS_CLASS_BLOCK &&
		    s->devices[i].index == index)
			return s->devices[i].nbd;
	return -1;
}

/* A device that a keeper before us has made. */
static void adopt(struct parvus_keeper *k, struct parvus_device *r)
{
	struct slot *s = pv_slot_add(k, r->device_class, r->index);
	const struct parvus_disk *disk = s ? pv_slot_disk(k, s) : NULL;

	if (!s)
		return;
	s->id = r->id;
	s->back = r->back_domain;
	/* it was to be detached: go on with that */
	if (pv_detaching(pv_slot_flag(k, s), r->config, true)) {
		s->wait = WAIT_CLOSED;
		s->until_ms = pv_now_ms() + CLOSE_MS;
	}
	if (!s->back && r->device_class == PARVUS_CLASS_BLOCK) {
		parvus_disk_adopt(r, disk, &s->backing);
		s->added = disk && pv_disk_scripted(disk) && pv_block_added(k, disk);
		s->backing.nbd = saved_nbd(k, r->index);
		pv_nbd_mark(k->state.domain, k->state.created_ns, r->index, s->backing.mark);
	}
	if (pv_slot_program(k, s))
		pv_server_adopt(k, s);
}

static void forget_script(struct parvus_keeper *k, const struct parvus_state_device *d)
{
	const struct slot s = { .device_class = d->device_class, .index = d->index };
	const struct parvus_disk *disk = pv_slot_disk(k, &s);

	if (disk && pv_disk_scripted(disk) && pv_block_added(k, disk))
		pv_block_remove(k, disk);
}

/* What a keeper that was killed was about to attach, and had not made: nobody was told of it. */
static void forget_unmade(struct parvus_keeper *k)
{
	const struct parvus_state before = k->state; /* the configuration in it is not looked at */
	size_t i;

	for (i = 0; i < before.ndevices; i++) {
		const struct parvus_state_device *d = &before.devices[i];
		struct parvus_backing b = { .fd = -1, .lock = -1, .nbd = d->nbd };

		if (d->id || pv_slot_find(k, d->device_class, d->index))
			continue;
		pv_nbd_mark(before.domain, before.created_ns, d->index, b.mark);
		parvus_disk_close(k->h, &b);
		forget_script(k, d);
		pv_slot_forget(k, d->device_class, d->index);
	}
}

static bool configured(const struct parvus_keeper *k, const struct parvus_device *r)
{
	const struct slot s = { .device_class = r->device_class, .index = r->index };

	return pv_slot_own(k, &s);
}

static int adopt_all(struct parvus_keeper *k)
{
	struct parvus_device r;
	uint32_t at = 0;

	/* those of own classes that nobody configured are somebody else's */
	while (!parvus_device_next(k->h, at, &r)) {
		at = r.id;
		if (r.front_domain == k->state.domain &&
		    !pv_slot_find(k, r.device_class, r.index) &&
		    (r.device_class == PARVUS_CLASS_BLOCK ||
		     r.device_class == PARVUS_CLASS_NETWORK || configured(k, &r)))
			adopt(k, &r);
	}
	forget_unmade(k);
	return 0;
}

int parvus_keeper_start(struct parvus_keeper *k)
{
	int ret = k->state.devices_made ? adopt_all(k) : make_all(k);

	if (!ret)
		k->net = parvus_net_watch();
	return ret;
}

void parvus_keeper_end(struct parvus_keeper *k)
{
	struct parvus_error before = *k->h->error;
	size_t i;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++) {
		struct slot *s = &k->slots[i];

		if (!s->used)
			continue;
		if (attaching(s)) {
			take_back(k, s, "the domain has ended");
			continue;
		}
		pv_slot_answer(k, s, "the domain has ended");
		/* of a domain that failed to come; if it is gone, so is the device */
		if (s->id)
			parvus_device_remove(k->h, s->id);
		pv_slot_let_go(k, s);
	}
	if (k->net >= 0)
		close(k->net);
	k->net = -1;
	*k->h->error = before;
}

int parvus_create(struct parvus *h, const struct parvus_config *c, struct parvus_build *b,
		  const struct parvus_keeper_ops *ops, struct parvus_keeper **keeper)
{
	struct parvus_keeper *k = NULL;
	struct parvus_error why;
	int ret;

	*keeper = NULL;
	ret = parvus_build(h, c, b);
	if (ret)
		return ret;
	ret = parvus_state_start(h, c, b);
	if (!ret)
		ret = parvus_keeper_open(h, b->domain, ops, &k);
	if (!ret)
		ret = parvus_keeper_start(k);
	if (!ret) {
		*keeper = k;
		return 0;
	}
	why = *h->error;
	parvus_keeper_close(k);
	parvus_state_remove(h, b->domain);
	parvus_domain_destroy(h, b->domain);
	*h->error = why;
	return ret;
}

static int disk_ready(struct parvus_keeper *k, const struct parvus_disk *d)
{
	uint32_t back;
	bool leaving;
	int ret;

	if (pv_disk_scripted(d))
		return pv_block_check(k, d);
	ret = pv_slot_back(k, d->backend, &back);
	if (!ret && !back && d->target && access(d->target, d->readonly ? R_OK : R_OK | W_OK))
		ret = pv_fail(k->h->error, errno, "cannot open %s: %s", d->target,
			      strerror(errno));
	if (!ret)
		ret = pv_claim_check(k->h, k->state.domain, back, d, NULL, &leaving);
	if (ret)
		return pv_fail(k->h->error, -ret, "%s: %s", d->vdev, k->h->error->text);
	return d->program && !back ? pv_server_check(k, d->vdev, k->h->block_server) : 0;
}

static int own_ready(struct parvus_keeper *k, const struct parvus_own *d)
{
	struct parvus_device device;
	uint32_t back;
	char name[24];
	int ret = pv_slot_back(k, d->backend, &back);

	if (!ret)
		ret = parvus_own_device(k->h->error, d, &device);
	pv_slot_name(d->device_class, d->index, name);
	return ret || !d->program ? ret : pv_server_check(k, name, d->program);
}

int parvus_create_check(struct parvus *h, const struct parvus_config *c, uint32_t domain)
{
	struct parvus_keeper k = { .h = h, .state.domain = domain };
	uint32_t back;
	int ret;
	size_t i;

	ret = pv_build_check(h, c);
	for (i = 0; !ret && i < c->ndisks; i++)
		ret = disk_ready(&k, &c->disks[i]);
	for (i = 0; !ret && i < c->nvifs; i++) {
		ret = pv_slot_back(&k, c->vifs[i].backend, &back);
		if (!ret && !back)
			ret = pv_vif_check(&k, &c->vifs[i]);
	}
	for (i = 0; !ret && i < c->nown; i++)
		ret = own_ready(&k, &c->own[i]);
	return ret;
}

/* ---- the loop of a program ------------------------------------------------------------------ */

int parvus_keeper_poll(struct parvus_keeper *k, struct pollfd *fds, size_t *n)
{
	int64_t left = INT64_MAX;
	size_t i, at = 0;

	fds[at++] = (struct pollfd){ .fd = k->net, .events = POLLIN };
	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++) {
		const struct slot *s = &k->slots[i];

		if (!s->used)
			continue;
		if (s->pidfd >= 0)
			fds[at++] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
		else if (s->restart_ms && s->restart_ms - pv_now_ms() < left)
			left = s->restart_ms - pv_now_ms();
		/* without news of interfaces they are looked at */
		if (s->wait != WAIT_NONE && left > LOOK_MS)
			left = LOOK_MS;
		else if (s->device_class == PARVUS_CLASS_NETWORK && k->net < 0 &&
			 left > 4 * LOOK_MS)
			left = 4 * LOOK_MS;
	}
	*n = at;
	return left == INT64_MAX ? -1 : left < 0 ? 0 : (int)left;
}

void parvus_keeper_work(struct parvus_keeper *k, const struct pollfd *fds, size_t n)
{
	char news[8192];
	size_t i;

	k->news |= k->net < 0 || (n > 0 && fds[0].revents);
	while (k->net >= 0 && recv(k->net, news, sizeof(news), MSG_DONTWAIT) > 0)
		;
	servers_look(k);
	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (k->slots[i].used)
			pv_slot_look(k, &k->slots[i]);
	k->news = false;
}
