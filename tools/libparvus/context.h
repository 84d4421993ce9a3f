/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libparvus: the context of a domain (parvus/context.h), record by record; what save.c and
 * restore.c share.
 */
#ifndef LIBPARVUS_CONTEXT_H
#define LIBPARVUS_CONTEXT_H

#include "stream.h"

#include <parvus/context.h>

/* A record of at most a page. 0, or an error; *@bytes is what came. */
int pv_context_get(struct parvus *h, uint32_t domain, uint32_t kind, uint32_t index, void *data,
		   uint32_t *bytes);
/* A piece of a list, from *@from on, which is moved on; *@bytes 0: nothing is left. */
int pv_context_list(struct parvus *h, uint32_t domain, uint32_t kind, uint64_t *from, void *data,
		    uint32_t *bytes);
int pv_context_set(struct parvus *h, uint32_t domain, uint32_t kind, uint32_t index,
		   const void *data, uint32_t bytes);
/* Records of fixed size. */
int pv_context_domain(struct parvus *h, uint32_t domain, struct parvus_context_domain *d);
int pv_context_vcpu(struct parvus *h, uint32_t domain, uint32_t vcpu,
		    struct parvus_context_vcpu *v);

/* What programs see of the CPU: as many as fit. Returns how many there are. */
uint32_t pv_leaves(struct pv_leaf leaves[PV_HOST_LEAVES]);
/* Has this CPU all that is in them? -ENOTSUP names the first that is missing. */
int pv_leaves_check(struct parvus_error *e, const char *name, const struct pv_leaf *leaves,
		    uint32_t count);

/* device.c */
int pv_device_suspend(struct parvus *h, uint32_t domain, bool suspend);

#endif
