/* SPDX-License-Identifier: GPL-2.0-only */
/* parvus: what there is of a domain (show.c). */
#ifndef PARVUS_SHOW_H
#define PARVUS_SHOW_H

#include "tool.h"

#include <parvus/network.h>

/* Its configuration and its devices, as members of @o. */
void add_config(struct tool *t, struct json_object *o, uint32_t domain);
void add_devices(struct tool *t, struct json_object *o, uint32_t domain);
/* The whole of block-list and network-list. */
int list_devices(struct tool *t, uint32_t device_class);
/* The device that was asked for, when it is there, or this one, if JSON is wanted. */
int report_this(struct tool *t, const struct parvus_device *d);
int report_device(struct tool *t, const struct parvus_control_info *i, uint32_t device_class,
		  uint32_t index);
void mac_text(const struct parvus_network_config *n, char text[18]);

/* Of its configuration, or one that tells it from all others. */
void domain_uuid(struct tool *t, const struct parvus_control_info *i, char uuid[40]);
/* As xl list -l lays a domain out, as far as there is something to say. */
struct json_object *xl_domain(struct tool *t, const struct parvus_control_info *i);

#endif
