// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: the device registry (parvus/device.h), and what disks and interfaces of a
 * configuration are in it.
 */
#include "context.h"

#include <string.h>

#define DEVICE "/dev/parvus/device"

static int device_call(struct parvus *h, uint32_t op, struct parvus_device *d)
{
	struct parvus_ioctl_call call = {
		.op = op,
		.bytes = sizeof(*d),
		.data = (uintptr_t)d,
	};

	if (h->device_fd < 0) {
		int fd = pv_sys.open(DEVICE);

		if (fd < 0)
			return pv_fail(h->error, -fd, "cannot open " DEVICE ": %s", strerror(-fd));
		h->device_fd = fd;
	}
	d->size = sizeof(*d);
	d->version = 1;
	return pv_sys.ioctl(h->device_fd, PARVUS_IOC_CALL, &call);
}

int parvus_device_create(struct parvus *h, struct parvus_device *d)
{
	int ret = device_call(h, PARVUS_DEVICE_CREATE, d);

	switch (ret) {
	case -PARVUS_EEXIST:
		return pv_fail(h->error, EEXIST,
			       "domain %u has a device of class %#x with index %u "
			       "already", d->front_domain, d->device_class, d->index);
	case -PARVUS_ENOENT:
		return pv_fail(h->error, ENOENT,
			       "domain %u or its back end's domain %u is not there",
			       d->front_domain, d->back_domain);
	case -PARVUS_ENOSPC:
		return pv_fail(h->error, ENOSPC,
			       "domain %u has as many devices as it may have (%u), or the machine "
			       "has", d->front_domain, PARVUS_DEVICES_DOMAIN);
	}
	return ret < 0 ? pv_fail(h->error, -ret, "make a device: %s", strerror(-ret)) : 0;
}

int parvus_device_remove(struct parvus *h, uint32_t id)
{
	struct parvus_device d = { .id = id };
	int ret = device_call(h, PARVUS_DEVICE_REMOVE, &d);

	return ret < 0 ? pv_fail(h->error, -ret, "remove device %u: %s", id, strerror(-ret)) : 0;
}

int pv_device_suspend(struct parvus *h, uint32_t domain, bool suspend)
{
	struct parvus_device d = { .front_domain = domain };
	int ret = device_call(h, suspend ? PARVUS_DEVICE_SUSPEND : PARVUS_DEVICE_RESUME, &d);

	return ret < 0 ? pv_fail(h->error, -ret, "%s the devices of domain %u: %s",
				 suspend ? "suspend" : "resume", domain, strerror(-ret)) : 0;
}

int parvus_device_configure(struct parvus *h, uint32_t id, const void *config, size_t bytes)
{
	struct parvus_device d = { .id = id };
	int ret;

	if (bytes > sizeof(d.config))
		return pv_fail(h->error, EINVAL, "a device's configuration has %u bytes at most",
			       PARVUS_DEVICE_BLOB);
	memcpy(d.config, config, bytes);
	ret = device_call(h, PARVUS_DEVICE_CONFIGURE, &d);
	return ret < 0 ? pv_fail(h->error, -ret, "configure device %u: %s", id, strerror(-ret)) : 0;
}

int parvus_device_read(struct parvus *h, uint32_t id, struct parvus_device *d)
{
	int ret;

	memset(d, 0, sizeof(*d));
	d->id = id;
	ret = device_call(h, PARVUS_DEVICE_READ, d);
	return ret < 0 ? pv_fail(h->error, -ret, "device %u: %s", id, strerror(-ret)) : 0;
}

int parvus_device_next(struct parvus *h, uint32_t after, struct parvus_device *d)
{
	int ret;

	memset(d, 0, sizeof(*d));
	d->id = after;
	ret = device_call(h, PARVUS_DEVICE_NEXT, d);
	if (ret == -PARVUS_ENOENT)
		return -ENOENT;
	return ret < 0 ? pv_fail(h->error, -ret, "devices: %s", strerror(-ret)) : 0;
}

int parvus_device_find(struct parvus *h, uint32_t domain, uint32_t device_class, uint32_t index,
		       struct parvus_device *d)
{
	uint32_t at = 0;
	int ret;

	for (;;) {
		ret = parvus_device_next(h, at, d);
		if (ret)
			return ret;
		if (d->front_domain == domain && d->device_class == device_class &&
		    d->index == index)
			return 0;
		at = d->id;
	}
}

const char *parvus_device_state_text(uint32_t state)
{
	static const char *const texts[] = {
		"closed", "initialising", "ready", "connected", "closing", "gone",
	};

	return state < sizeof(texts) / sizeof(*texts) ? texts[state] : "unknown";
}

bool parvus_device_bound(uint32_t id)
{
	return pv_sys.back_bound(id);
}

/* A text of at most n - 1 bytes and zeroes behind it. */
static void put(char *to, size_t n, const char *text)
{
	memset(to, 0, n);
	memcpy(to, text, strnlen(text, n - 1));
}

void parvus_disk_device(const struct parvus_disk *d, const struct parvus_backing *b,
			struct parvus_device *device)
{
	struct parvus_block_config c = {
		.version = 1,
		.flags = (d->readonly ? PARVUS_BLOCK_READONLY : 0) |
			 (d->cdrom ? PARVUS_BLOCK_CDROM : 0) |
			 (d->program ? PARVUS_BLOCK_PROGRAM : 0) |
			 (d->no_discard ? PARVUS_BLOCK_NO_DISCARD : 0),
		.major = b->major,
		.minor = b->minor,
		.queues = d->queues,
		.iops = d->iops,
		.bytes_per_second = d->bps,
	};

	parvus_disk_name((uint32_t)d->index, c.name);
	if (d->program && d->target)
		put(c.file, sizeof(c.file), d->target);
	device->device_class = PARVUS_CLASS_BLOCK;
	device->index = (uint32_t)d->index;
	memset(device->config, 0, sizeof(device->config));
	memcpy(device->config, &c, sizeof(c));
}

void parvus_vif_device(const struct parvus_vif *v, struct parvus_device *device)
{
	struct parvus_network_config c = {
		.version = 1,
		.flags = v->macfilter ? PARVUS_NETWORK_MACFILTER : 0,
		.mtu = (uint16_t)v->mtu,
		.queues = v->queues,
		.interval_us = v->interval_us,
		.bytes_per_second = v->bytes_per_second,
	};

	memcpy(c.mac, v->mac, sizeof(c.mac));
	if (v->ifname)
		put(c.name, sizeof(c.name), v->ifname);
	device->device_class = PARVUS_CLASS_NETWORK;
	device->index = (uint32_t)v->index;
	memset(device->config, 0, sizeof(device->config));
	memcpy(device->config, &c, sizeof(c));
}

int parvus_net(enum parvus_net op, const char *name, const char *bridge, uint32_t value)
{
	return pv_sys.net(op, name, bridge, value);
}

int parvus_net_watch(void)
{
	return pv_sys.net_watch();
}
