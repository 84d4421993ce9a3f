/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus: what the files of drivers/parvus share, and what arch/x86/parvus calls.
 */
#ifndef PARVUS_BUS_H
#define PARVUS_BUS_H

#include <linux/parvus.h>

/* events.c */
void parvus_events_init(void);
bool parvus_events_handle(void);

/* console.c, of pv-drivers/linux */
void parvus_ring_console_early(bool quiet);
void parvus_ring_console_drain(void);

/* bus.c: for programs that serve an end */
int parvus_device_call(unsigned int op, struct parvus_device *record);
struct parvus_dev *parvus_device_get(u32 id, enum parvus_side side);
int parvus_device_set(struct parvus_dev *dev, struct parvus_device *record);
void parvus_bus_sync(void);

/* foreign.c, of pv-drivers/linux */
void parvus_grant_pages_end(struct parvus_mapping *m);

/* dev_device.c, of pv-drivers/linux */
#ifdef CONFIG_PARVUS_DEVICES
void parvus_device_tell(u32 id);
#else
static inline void parvus_device_tell(u32 id) { }
#endif

#endif
