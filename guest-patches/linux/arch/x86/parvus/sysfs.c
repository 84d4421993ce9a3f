// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: /sys/hypervisor. type says "parvus"; parvus/exit_status is the
 * 8-bit status that the next poweroff or reboot hands to the hypervisor;
 * parvus/abi_version is the hypervisor's; parvus/stats its event counters.
 */
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include "parvus_arch.h"

unsigned int parvus_exit_status;
struct kobject *parvus_kobj;	/* drivers add to it */
EXPORT_SYMBOL_GPL(parvus_kobj);

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

/* The event counters of all vCPUs together, a name and a number per line. */
static ssize_t stats_show(struct kobject *k, struct kobj_attribute *a, char *buf)
{
	static const struct {
		const char *name;
		unsigned int offset;
	} counters[] = {
#define COUNTER(name) { #name, offsetof(struct parvus_vcpu_stats, name) }
		COUNTER(crossings), COUNTER(root_switches), COUNTER(page_faults), COUNTER(fills),
		COUNTER(prefills), COUNTER(flushes), COUNTER(flushes_full), COUNTER(resyncs),
		COUNTER(syscalls), COUNTER(user_returns), COUNTER(kernel_returns),
		COUNTER(page_faults_guest), COUNTER(exceptions), COUNTER(vectors),
		COUNTER(shootdowns), COUNTER(evictions), COUNTER(emulations), COUNTER(switches),
		COUNTER(ipis), COUNTER(run_ns),
#undef COUNTER
	};
	struct parvus_vcpu_stats *s = kzalloc(1024, GFP_KERNEL);
	u64 sum[ARRAY_SIZE(counters)] = { 0 };
	unsigned int cpu, i;
	int len = 0;

	if (!s)
		return -ENOMEM;
	for_each_online_cpu(cpu) {
		if (parvus_call3(PARVUS_HC_stats_read, cpu, __pa(s), sizeof(*s)))
			continue;
		for (i = 0; i < ARRAY_SIZE(counters); i++)
			sum[i] += *(u64 *)((char *)s + counters[i].offset);
	}
	kfree(s);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		len += sysfs_emit_at(buf, len, "%s %llu\n", counters[i].name, sum[i]);
	return len;
}
static struct kobj_attribute stats_attr = __ATTR_RO(stats);

static const struct attribute *parvus_attrs[] = {
	&abi_version_attr.attr,
	&stats_attr.attr,
	&exit_status_attr.attr,
	NULL,
};

static int __init parvus_sysfs_init(void)
{
	int ret;

	if (!parvus_start)
		return 0;
	parvus_kobj = kobject_create_and_add("parvus", hypervisor_kobj);
	if (!parvus_kobj)
		return -ENOMEM;
	ret = sysfs_create_file(hypervisor_kobj, &type_attr.attr);
	return ret ?: sysfs_create_files(parvus_kobj, parvus_attrs);
}
device_initcall(parvus_sysfs_init);
