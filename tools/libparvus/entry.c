// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: what the configuration says of a device that a keeper has, and how it is called.
 */
#include "keeper.h"

#include <stdio.h>

const char *pv_slot_name(uint32_t device_class, uint32_t index, char name[24])
{
	if (device_class == PARVUS_CLASS_BLOCK)
		parvus_disk_name(index, name);
	else if (device_class == PARVUS_CLASS_NETWORK)
		snprintf(name, 24, "vif %u", index);
	else
		snprintf(name, 24, "%#x %u", device_class, index);
	return name;
}

struct parvus_disk *pv_slot_disk(const struct parvus_keeper *k, const struct slot *s)
{
	struct parvus_config *c = k->state.config;
	size_t i;

	for (i = 0; s->device_class == PARVUS_CLASS_BLOCK && i < c->ndisks; i++)
		if (c->disks[i].index == (int)s->index)
			return &c->disks[i];
	return NULL;
}

struct parvus_vif *pv_slot_vif(const struct parvus_keeper *k, const struct slot *s)
{
	struct parvus_config *c = k->state.config;
	size_t i;

	for (i = 0; s->device_class == PARVUS_CLASS_NETWORK && i < c->nvifs; i++)
		if (c->vifs[i].index == (int)s->index)
			return &c->vifs[i];
	return NULL;
}

struct parvus_own *pv_slot_own(const struct parvus_keeper *k, const struct slot *s)
{
	struct parvus_config *c = k->state.config;
	size_t i;

	for (i = 0; i < c->nown; i++)
		if (c->own[i].device_class == s->device_class && c->own[i].index == s->index)
			return &c->own[i];
	return NULL;
}

const char *pv_slot_program(const struct parvus_keeper *k, const struct slot *s)
{
	const struct parvus_disk *disk = pv_slot_disk(k, s);
	const struct parvus_own *own = pv_slot_own(k, s);

	if (s->back)
		return NULL;
	return disk && disk->program ? k->h->block_server : own ? own->program : NULL;
}
