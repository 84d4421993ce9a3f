// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: disks whose block device a script makes (script=block-drbd and the like), as xl's
 * block scripts do: "add" says by the store which device it is, "remove" lets it go and finds what
 * "add" wrote. So the store is kept as long as the disk is, and tells the next keeper of it.
 */
#include "keeper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT_S	40	/* as libxl waits */

/* The number that a disk of this name has with Xen. */
static uint32_t xen_number(uint32_t index)
{
	uint32_t disk = index & 0xffff, partition = index >> 16;

	return disk < 16 && partition < 16 ? 202u << 8 | disk << 4 | partition :
	       1u << 28 | disk << 8 | partition;
}

/* What libxl puts there. A mode with ! asks the script for no check of who else has it. */
static void tell(struct parvus_keeper *k, const struct script *s, FILE *store)
{
	const struct parvus_disk *d = s->of;
	char name[16];

	parvus_disk_name((uint32_t)d->index, name);
	setenv("PARVUS_DISK", name, 1);
	setenv("PARVUS_TARGET", d->target, 1);
	if (!store)
		return;
	fprintf(store, "%s/params %s\n%s/type phy\n%s/mode %s%s\n%s/dev %s\n", s->at, d->target,
		s->at, s->at, d->readonly ? "r" : "w", d->shared ? "!" : "", s->at, name);
	fprintf(store, "%s/device-type %s\n%s/online 1\n", s->at, d->cdrom ? "cdrom" : "disk",
		s->at);
	fprintf(store, "%s/frontend /local/domain/%u/device/vbd/%u\n", s->at, k->state.domain,
		s->index);
}

static struct script script_of(const struct parvus_keeper *k, const struct parvus_disk *d,
			       const char *action)
{
	struct script s = {
		.script = d->script,
		.action = action,
		.type = "vbd",
		.index = xen_number((uint32_t)d->index),
		.seconds = SCRIPT_S,
		.tell = tell,
		.of = d,
	};

	snprintf(s.name, sizeof(s.name), "%s", d->vdev);
	snprintf(s.at, sizeof(s.at), "backend/vbd/%u/%u", k->state.domain, s.index);
	return s;
}

int pv_block_check(struct parvus_keeper *k, const struct parvus_disk *d)
{
	struct script s = script_of(k, d, "add");

	return pv_script_check(k, &s);
}

/* The device that the script named, which can be opened. */
static int made(struct parvus_keeper *k, const struct parvus_disk *d,
		const struct script_answer *answer, uint32_t dev[2])
{
	unsigned int major, minor;
	char end;
	int ret;

	if (strlen(answer->path) == sizeof(answer->path) - 1)	/* what is cut is another's */
		return pv_fail(k->h->error, ENAMETOOLONG, "%s: the script %s names a path of more "
			       "than %zu characters", d->vdev, d->script, sizeof(answer->path) - 2);
	if (answer->path[0]) {
		ret = pv_sys.block(answer->path, d->readonly, dev);
		return ret < 0 ? pv_fail(k->h->error, -ret, "%s: the script %s made %s: %s",
					 d->vdev, d->script, answer->path, strerror(-ret)) : 0;
	}
	if (sscanf(answer->device, "%x:%x%c", &major, &minor, &end) != 2 || !major)
		return pv_fail(k->h->error, ENODEV, "%s: the script %s names no block device "
			       "(physical-device is \"%s\")", d->vdev, d->script, answer->device);
	dev[0] = major;
	dev[1] = minor;
	return 0;
}

int pv_block_add(struct parvus_keeper *k, struct slot *s, const struct parvus_disk *d)
{
	struct script_answer answer = { .path = "" };
	struct script add = script_of(k, d, "add");
	uint32_t dev[2];
	int ret = pv_block_check(k, d);

	if (!ret)
		ret = pv_script_run(k, &add, &answer);
	if (ret)
		return ret;
	s->added = true;
	ret = made(k, d, &answer, dev);
	if (ret)
		return ret;
	s->backing.major = dev[0];
	s->backing.minor = dev[1];
	return 0;
}

void pv_block_remove(struct parvus_keeper *k, const struct parvus_disk *d)
{
	struct script s = script_of(k, d, "remove");

	if (pv_script_run(k, &s, NULL))
		pv_keeper_say(k, "%s", k->h->error->text);
}

bool pv_block_added(struct parvus_keeper *k, const struct parvus_disk *d)
{
	struct script s = script_of(k, d, "add");

	return pv_script_kept(k, &s);
}

void pv_block_sweep(struct parvus *h, const struct parvus_state *state)
{
	struct parvus_keeper *k = calloc(1, sizeof(*k));
	size_t i;

	if (!k)
		return;
	k->h = h;
	k->state = *state;
	for (i = 0; i < state->config->ndisks; i++)
		if (pv_disk_scripted(&state->config->disks[i]) &&
		    pv_block_added(k, &state->config->disks[i]))
			pv_block_remove(k, &state->config->disks[i]);
	free(k);
}
