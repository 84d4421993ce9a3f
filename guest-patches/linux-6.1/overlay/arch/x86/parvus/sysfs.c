// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: /sys/hypervisor. type says "parvus"; parvus/exit_status is the
 * 8-bit status that the next poweroff or reboot hands to the hypervisor;
 * parvus/abi_version is the hypervisor's.
 */
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>
#include "parvus.h"

unsigned int parvus_exit_status;

static ssize_t type_show(struct kobject *k, struct kobj_attribute *a, char *buf)
{
	return sysfs_emit(buf, "parvus\n");
}
static struct kobj_attribute type_attr = __ATTR_RO(type);

static ssize_t abi_version_show(struct kobject *k, struct kobj_attribute *a, char *buf)
{
	return sysfs_emit(buf, "%u\n", parvus_start->version);
}
static struct kobj_attribute abi_version_attr = __ATTR_RO(abi_version);

static ssize_t exit_status_show(struct kobject *k, struct kobj_attribute *a, char *buf)
{
	return sysfs_emit(buf, "%u\n", parvus_exit_status);
}

static ssize_t exit_status_store(struct kobject *k, struct kobj_attribute *a, const char *buf,
				 size_t len)
{
	u8 value;
	int ret = kstrtou8(buf, 0, &value);

	if (ret)
		return ret;
	parvus_exit_status = value;
	return len;
}
static struct kobj_attribute exit_status_attr = __ATTR_RW(exit_status);

static struct attribute *parvus_attrs[] = {
	&abi_version_attr.attr,
	&exit_status_attr.attr,
	NULL,
};

static const struct attribute_group parvus_group = {
	.name = "parvus",
	.attrs = parvus_attrs,
};

static int __init parvus_sysfs_init(void)
{
	int ret;

	if (!parvus_start)
		return 0;
	ret = sysfs_create_file(hypervisor_kobj, &type_attr.attr);
	return ret ?: sysfs_create_group(hypervisor_kobj, &parvus_group);
}
device_initcall(parvus_sysfs_init);
