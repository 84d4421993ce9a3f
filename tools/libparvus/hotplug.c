// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: what may be asked of a keeper while the domain runs: another disk or interface, one
 * less, other limits, another size, another medium. A request that has to wait for the domain or
 * a back end is answered later (struct parvus_keeper_ops).
 */
#include "keeper.h"

#include <stdlib.h>
#include <string.h>

#define WAITS 1		/* the request is answered later */

/* The device that is meant, which must be at rest; NULL: why is told. */
static struct slot *wanted(struct parvus_keeper *k, uint32_t device_class, uint32_t index)
{
	struct slot *s = pv_slot_find(k, device_class, index);
	char name[24];

	pv_slot_name(device_class, index, name);
	if (!s)
		pv_fail(k->h->error, ENOENT, "domain %u has no %s", k->state.domain, name);
	else if (s->wait != WAIT_NONE)
		pv_fail(k->h->error, EBUSY, "%s of domain %u is being attached or detached", name,
			k->state.domain);
	return s && s->wait == WAIT_NONE ? s : NULL;
}

/* The same disk, with what the configuration says of it. */
static struct slot *wanted_disk(struct parvus_keeper *k, uint32_t index, struct parvus_disk **disk)
{
	struct slot *s = wanted(k, PARVUS_CLASS_BLOCK, index);

	*disk = s ? pv_slot_disk(k, s) : NULL;
	if (s && !*disk)
		pv_fail(k->h->error, ENOENT, "disk %u is not in the configuration of domain %u",
			index,
			k->state.domain);
	return *disk ? s : NULL;
}

/* ---- attach and detach ----------------------------------------------------------------------- */

/* Room for one more of @n entries of the configuration, if it is none that there is; or NULL. */
static void *room(struct parvus_keeper *k, uint32_t device_class, int index, void *entries,
		  size_t n, size_t size)
{
	char name[24];
	void *more;

	if (pv_slot_find(k, device_class, (uint32_t)index)) {
		pv_fail(k->h->error, EEXIST, "domain %u has %s already", k->state.domain,
			pv_slot_name(device_class, (uint32_t)index, name));
		return NULL;
	}
	more = realloc(entries, (n + 1) * size);
	if (!more)
		pv_fail(k->h->error, ENOMEM, "no memory");
	return more;
}

/* The last entry of the configuration becomes a device, or is taken out again. */
static int attach(struct parvus_keeper *k, uint32_t device_class, int index, int request)
{
	int ret = pv_slot_make(k, device_class, (uint32_t)index);

	if (ret) {
		pv_slot_forget(k, device_class, (uint32_t)index);
		return ret;
	}
	pv_slot_find(k, device_class, (uint32_t)index)->request = request;
	pv_keeper_save(k);
	return WAITS;
}

int parvus_keeper_attach_disk(struct parvus_keeper *k, const char *spec, int request)
{
	struct parvus_config *c = k->state.config;
	struct parvus_disk disk, *more = NULL;
	size_t i;
	int ret;

	ret = parvus_disk_parse(k->h->error, spec, &disk);
	for (i = 0; !ret && i < c->ndisks; i++)
		if (pv_disk_inside(&c->disks[i], &disk))
			ret = pv_fail(k->h->error, EEXIST, "domain %u has %s: a disk that is given "
				      "whole has the partitions that are on it",
				      k->state.domain, c->disks[i].vdev);
	if (!ret)
		more = room(k, PARVUS_CLASS_BLOCK, disk.index, c->disks, c->ndisks, sizeof(*more));
	if (!more) {
		parvus_disk_free(&disk);
		return ret ? ret : -EINVAL;
	}
	c->disks = more;
	c->disks[c->ndisks++] = disk;
	return attach(k, PARVUS_CLASS_BLOCK, disk.index, request);
}

int parvus_keeper_attach_vif(struct parvus_keeper *k, const char *spec, int request)
{
	struct parvus_config *c = k->state.config;
	struct parvus_vif v, *more = NULL;
	int index = 0, ret;

	while (pv_slot_find(k, PARVUS_CLASS_NETWORK, (uint32_t)index))
		index++;
	ret = parvus_vif_parse(k->h->error, c->name, spec, index, &v);
	if (!ret)
		more = room(k, PARVUS_CLASS_NETWORK, v.index, c->vifs, c->nvifs, sizeof(*more));
	if (!more) {
		parvus_vif_free(&v);
		return ret ? ret : -EINVAL;
	}
	c->vifs = more;
	c->vifs[c->nvifs++] = v;
	return attach(k, PARVUS_CLASS_NETWORK, v.index, request);
}

int parvus_keeper_attach_own(struct parvus_keeper *k, const char *spec, int request)
{
	struct parvus_config *c = k->state.config;
	struct parvus_own d, *more = NULL;
	char name[24];
	int ret;

	ret = parvus_own_parse(k->h->error, spec, &d);
	if (!ret && pv_slot_find(k, d.device_class, d.index))
		ret = pv_fail(k->h->error, EEXIST, "domain %u has %s already", k->state.domain,
			      pv_slot_name(d.device_class, d.index, name));
	if (!ret) {
		more = realloc(c->own, (c->nown + 1) * sizeof(*more));
		if (!more)
			ret = pv_fail(k->h->error, ENOMEM, "no memory");
	}
	if (ret) {
		parvus_own_free(&d);
		return ret;
	}
	c->own = more;
	c->own[c->nown++] = d;
	ret = pv_slot_make(k, d.device_class, d.index);
	if (ret) {
		pv_slot_forget(k, d.device_class, d.index);
		return ret;
	}
	pv_slot_find(k, d.device_class, d.index)->request = request;
	pv_keeper_save(k);
	return WAITS;
}

int parvus_keeper_detach(struct parvus_keeper *k, uint32_t device_class, uint32_t index, bool force,
			 int request)
{
	struct slot *s = wanted(k, device_class, index);
	struct parvus_device r;
	char name[24];
	int ret;

	if (!s)
		return -EINVAL;
	if (!force && !pv_slot_flag(k, s))
		return pv_fail(k->h->error, EOPNOTSUPP, "%s of domain %u has no flag that asks its "
			       "ends to let go (detach=FLAG); --force removes it at once",
			       pv_slot_name(device_class, index, name), k->state.domain);
	if (force) {
		/* that it is gone already is no failure */
		parvus_device_remove(k->h, s->id);
		pv_slot_let_go(k, s);
		pv_slot_forget(k, device_class, index);
		return 0;
	}
	ret = parvus_device_read(k->h, s->id, &r);
	if (ret)
		return ret;
	pv_detaching(pv_slot_flag(k, s), r.config, true);
	ret = parvus_device_configure(k->h, s->id, r.config, sizeof(r.config));
	if (ret)
		return ret;
	s->wait = WAIT_CLOSED;
	s->until_ms = pv_now_ms() + CLOSE_MS;
	s->request = request;
	return WAITS;
}

/* ---- changing a disk ----------------------------------------------------------------- */

/* Change what a disk is configured with; the back end is told, also if nothing changed. */
static int reconfigure(struct parvus_keeper *k, struct slot *s, struct parvus_disk *disk)
{
	struct parvus_device r = { 0 };
	int ret;

	parvus_disk_device(disk, &s->backing, &r);
	ret = parvus_device_configure(k->h, s->id, r.config, sizeof(r.config));
	if (!ret)
		ret = parvus_disk_text(k->h->error, disk);
	if (!ret)
		pv_keeper_save(k);
	return ret;
}

int parvus_keeper_limit_disk(struct parvus_keeper *k, uint32_t index, const uint32_t *iops,
			     const uint64_t *bps)
{
	struct parvus_disk *disk, before;
	struct slot *s = wanted_disk(k, index, &disk);
	int ret;

	if (!s)
		return -EINVAL;
	before = *disk;
	if (iops)
		disk->iops = *iops;
	if (bps)
		disk->bps = *bps;
	ret = reconfigure(k, s, disk);
	if (ret) {
		disk->iops = before.iops;
		disk->bps = before.bps;
	}
	return ret;
}

int parvus_keeper_resize_disk(struct parvus_keeper *k, uint32_t index)
{
	struct parvus_disk *disk;
	struct slot *s = wanted_disk(k, index, &disk);
	int ret;

	if (!s)
		return -EINVAL;
	ret = parvus_disk_resized(k->h->error, &s->backing);
	return ret ? ret : reconfigure(k, s, disk);
}

int parvus_keeper_change_medium(struct parvus_keeper *k, uint32_t index, const char *target)
{
	struct slot *s = wanted(k, PARVUS_CLASS_BLOCK, index);
	struct parvus_disk *disk = s ? pv_slot_disk(k, s) : NULL;
	struct parvus_backing new, old;
	char *before, *text;
	int ret;

	if (!s)
		return -EINVAL;
	if (!disk || !disk->cdrom || s->back || disk->program || pv_disk_scripted(disk) ||
	    strcmp(disk->format, "raw"))
		return pv_fail(k->h->error, EINVAL, "disk %u of domain %u is no CD drive whose "
			       "medium can be changed (devtype=cdrom, raw, of domain 0)", index,
			       k->state.domain);
	text = target && *target ? strdup(target) : NULL;
	if (target && *target && !text)
		return pv_fail(k->h->error, ENOMEM, "no memory");
	before = disk->target;
	disk->target = text;
	ret = pv_slot_claim(k, s, disk);
	if (!ret)
		ret = parvus_disk_open(k->h, disk, s->backing.mark, &new);
	if (ret) {
		disk->target = before;
		free(text);
		pv_keeper_save(k);
		return ret;
	}
	old = s->backing;
	s->backing = new;
	ret = reconfigure(k, s, disk);
	if (ret) {
		struct parvus_error why = *k->h->error;

		s->backing = old;
		disk->target = before;
		parvus_disk_close(k->h, &new);
		free(text);
		pv_keeper_save(k);
		*k->h->error = why;
		return ret;
	}
	parvus_disk_close(k->h, &old);
	free(before);
	return 0;
}

/* ---- another configuration ----------------------------------------------------------- */

/* What the devices are made of, and the name, change places. */
static void keep_devices(struct parvus_config *a, struct parvus_config *b)
{
	struct parvus_config was = *a;

	a->name = b->name;
	a->disks = b->disks;
	a->ndisks = b->ndisks;
	a->vifs = b->vifs;
	a->nvifs = b->nvifs;
	a->own = b->own;
	a->nown = b->nown;
	b->name = was.name;
	b->disks = was.disks;
	b->ndisks = was.ndisks;
	b->vifs = was.vifs;
	b->nvifs = was.nvifs;
	b->own = was.own;
	b->nown = was.nown;
}

int parvus_keeper_configure(struct parvus_keeper *k, struct parvus_config *c)
{
	struct parvus_config *before = k->state.config;
	int ret;

	keep_devices(before, c);
	k->state.config = c;
	ret = parvus_keeper_save(k);
	if (ret) {
		keep_devices(before, c);
		k->state.config = before;
		parvus_config_free(c);
		return ret;
	}
	parvus_config_free(before);
	return 0;
}
