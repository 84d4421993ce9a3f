// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: devices of a domain that was restored. Its front ends know them, and go on: a device
 * of the configuration that was there when it was saved is given back as it was, with what the
 * toolstack configures anew. RUN/domains/ID/devices holds them until all are made.
 */
#include "context.h"
#include "keeper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int pv_revive_load(struct parvus_keeper *k)
{
	char path[300], name[24];
	size_t bytes, i;
	void *data;
	int ret = parvus_run_path(k->h, k->state.domain, PV_DEVICES_FILE, path, sizeof(path));

	if (ret || access(path, F_OK))
		return ret;
	ret = pv_read_file(k->h->error, path, PARVUS_DEVICES_DOMAIN * sizeof(*k->saved), &data,
			   &bytes);
	if (ret)
		return ret;
	k->saved = data;
	k->nsaved = bytes / sizeof(*k->saved);
	if (bytes % sizeof(*k->saved))
		return pv_fail(k->h->error, EINVAL, "%s: %zu bytes are no whole devices", path,
			       bytes);
	for (i = 0; i < k->nsaved; i++) {
		const struct slot s = { .device_class = k->saved[i].device_class,
					.index = k->saved[i].index };

		if (!pv_slot_disk(k, &s) && !pv_slot_vif(k, &s) && !pv_slot_own(k, &s))
			return pv_fail(k->h->error, ENOENT, "domain %u has %s, which its "
				       "configuration does not", k->state.domain,
				       pv_slot_name(s.device_class, s.index, name));
	}
	return 0;
}

void pv_revive_done(struct parvus_keeper *k)
{
	char path[300];

	free(k->saved);
	k->saved = NULL;
	k->nsaved = 0;
	if (!parvus_run_path(k->h, k->state.domain, PV_DEVICES_FILE, path, sizeof(path)))
		unlink(path);
}

int pv_revive(struct parvus_keeper *k, struct parvus_device *d)
{
	size_t i;
	int ret;

	for (i = 0; i < k->nsaved; i++) {
		struct parvus_context_device *s = &k->saved[i];

		if (s->device_class != d->device_class || s->index != d->index)
			continue;
		s->back_domain = d->back_domain;
		memcpy(s->config, d->config, sizeof(s->config));
		ret = pv_context_set(k->h, d->front_domain, PARVUS_CONTEXT_DEVICES, 0, s,
				     sizeof(*s));
		return ret ? ret : parvus_device_find(k->h, d->front_domain, d->device_class,
						      d->index, d);
	}
	return parvus_device_create(k->h, d);
}
