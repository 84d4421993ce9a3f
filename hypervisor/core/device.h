/* SPDX-License-Identifier: GPL-2.0-only */
/* The device registry (parvus/device.h): who serves what to whom, and how far they are. */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H

#include <core/vcpu.h>

/*
 * A domain ends (its state says so already): the devices that it used are removed, those
 * that it served lose their back end for good. Before its vCPUs and events go.
 */
void device_domain_gone(struct domain *d);
u32 device_count(void);
/* Devices that @d uses. */
u32 device_fronts(const struct domain *d);

#endif
