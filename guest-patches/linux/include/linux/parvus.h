/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus: what a driver of a guest kernel uses: events as interrupts, grants, and the
 * bus of split devices. drivers/parvus implements it; the wire formats are in
 * include/parvus (pv-abi).
 *
 * Everything here may be called on any machine: where there is no Parvus, or one that
 * does not serve a call, it fails with -ENOSYS.
 */
#ifndef _LINUX_PARVUS_H
#define _LINUX_PARVUS_H

#ifndef PARVUS_NO_STDINT
#define PARVUS_NO_STDINT
#endif

#include <linux/device.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <asm/parvus_call.h>
#include <parvus/types.h>
#include <parvus/hypercalls.h>
#include <parvus/vcpu.h>
#include <parvus/start.h>
#include <parvus/event.h>
#include <parvus/grant.h>
#include <parvus/device.h>

struct page;

extern struct parvus_start_info *parvus_start;	/* NULL: not a guest of Parvus */
extern struct kobject *parvus_kobj;		/* /sys/hypervisor/parvus */

/* Is this the control domain, which lives in machine address space? */
static inline bool parvus_control_domain(void)
{
	return parvus_start && parvus_start->flags & PARVUS_START_CONTROL;
}

/*
 * Events. A bind function gives an irq, to be requested as usual (edge flow); affinity
 * is set as usual too. @flags: PARVUS_EVENT_AUTO_MASK: the event comes once, and again
 * only after parvus_event_done(). Whatever listens to a domain that it does not trust
 * wants that: a storm then costs one interrupt per parvus_event_done().
 * @interval_ns: least time between two deliveries, or 0.
 */
int parvus_bind(u32 kind, u32 domain, u32 which, u32 flags, u32 interval_ns);
#define parvus_bind_unbound(domain, flags, interval_ns)	/* @domain may bind to it */	\
	parvus_bind(PARVUS_EVENT_UNBOUND, domain, 0, flags, interval_ns)
#define parvus_bind_interdomain(domain, remote_port, flags, interval_ns)		\
	parvus_bind(PARVUS_EVENT_INTERDOMAIN, domain, remote_port, flags, interval_ns)
#define parvus_bind_virq(virq, flags, interval_ns)	/* a source in the hypervisor */ \
	parvus_bind(PARVUS_EVENT_VIRQ, 0, virq, flags, interval_ns)
int parvus_bind_port(u32 port);		/* one that exists; unbinding leaves it open */
void parvus_unbind(int irq);		/* after free_irq() */
u32 parvus_irq_port(int irq);		/* to tell the other end */
int parvus_notify_port(u32 port);	/* signal the other end */
void parvus_event_done(int irq);
void parvus_event_done_port(u32 port);

/*
 * Grants. parvus_grant_op() is the bare call on an array of records in directly mapped
 * memory (not on a stack); it may be called anywhere and comes back when all records
 * are done or one call failed; each record has its own status.
 */
int parvus_grant_op(unsigned int op, void *records, unsigned int count);
static inline int parvus_grant_copy(struct parvus_grant_copy *records, unsigned int count)
{
	return parvus_grant_op(PARVUS_GRANT_COPY, records, count);
}
int parvus_grant_offer(u32 domain, struct page **pages, unsigned int count, u32 flags, u32 *refs);
int parvus_grant_revoke(u32 *refs, unsigned int count);	/* sets refs that are done to 0 */
struct parvus_dev;
void parvus_grant_revoke_free(u32 ref, struct page *page, struct parvus_dev *dev); /* when the
				 * other side is done */

struct parvus_mapping {
	struct list_head list;
	void *vaddr;			/* of parvus_grant_vmap() */
	u32 domain;
	u32 flags;			/* PARVUS_GRANT_READONLY */
	bool direct;			/* parvus_grant_pages(): reached by the direct map */
	unsigned int count;
	struct {
		u64 gfn;		/* has a struct page after parvus_grant_pages() */
		u32 handle;
		int slot;
	} frame[];
};

struct parvus_mapping *parvus_grant_map(u32 domain, const u32 *refs, unsigned int count,
					u32 flags);
int parvus_grant_vmap(struct parvus_mapping *m);	/* in the kernel, contiguous */
int parvus_grant_pages(struct parvus_mapping *m, struct page **pages);	/* foreign.c */
void parvus_grant_unmap(struct parvus_mapping *m, unsigned long va);

/* The bus: one struct parvus_dev per end of a device in the registry that is ours. */
enum parvus_side { PARVUS_FRONT, PARVUS_BACK };
#define PARVUS_REASON	96

struct parvus_dev {
	struct device dev;
	u32 id;
	u32 device_class;
	u32 index;
	u32 peer;			/* domain of the other end */
	enum parvus_side side;
	bool loop;			/* both ends are in this domain */
	bool gone;			/* removed from the registry */
	u32 state;			/* ours, as last set */
	u32 peer_state;			/* as last told to the driver */
	u32 peer_changes;
	bool refused;			/* the peer lied: no more of it, till a person says so */
	atomic_t ghosts;		/* pages that were offered, and the peer maps still */
	void *claim;			/* the open file that serves this end */
	u8 config[PARVUS_DEVICE_BLOB];	/* of the toolstack */

	/* of bus.c */
	struct delayed_work work;	/* tells the driver the news */
	unsigned long paid;		/* how often, in jiffies */
	spinlock_t news_lock;
	struct parvus_device news;
	bool news_configured, news_gone;
	char reason[PARVUS_REASON];	/* why there is no link, or no use in it; under news_lock */
	bool added;			/* drivers may have it */
};
#define to_parvus_dev(d)	container_of(d, struct parvus_dev, dev)

/*
 * probe() sets INITIALISING or READY; the bus then calls peer_changed() with the state
 * that the other end has, and after each change of it. A peer that was READY,
 * CONNECTED or CLOSING and changed more than once since the last call may have begun anew in
 * between: the driver is told CLOSED first. CLOSED and INITIALISING mean: give up rings
 * and ports of before, go to INITIALISING and begin anew. After remove() the bus sets
 * CLOSED. configured() may be called with what dev->config already said: look again at
 * what it names. The callbacks of one device never run at the same time, and may sleep:
 * each device has a work item of its own. Most drivers leave all of this to the link layer
 * (linux/parvus_link.h).
 */
struct parvus_driver {
	struct device_driver driver;
	u32 device_class;
	enum parvus_side side;
	int (*probe)(struct parvus_dev *dev);
	void (*remove)(struct parvus_dev *dev);
	void (*peer_changed)(struct parvus_dev *dev, u32 state);
	void (*configured)(struct parvus_dev *dev);	/* dev->config is new */
};
#define to_parvus_driver(d)	container_of(d, struct parvus_driver, driver)

int __parvus_register_driver(struct parvus_driver *driver, struct module *owner);
#define parvus_register_driver(driver)	__parvus_register_driver(driver, THIS_MODULE)
void parvus_unregister_driver(struct parvus_driver *driver);
int parvus_device_set_state(struct parvus_dev *dev, u32 state, const void *blob, size_t len);
int parvus_device_read(struct parvus_dev *dev, struct parvus_device *record);
void parvus_device_say(struct parvus_dev *dev, const char *format, ...);	/* "" = all well */

/* Alias of a module: MODULE_ALIAS_PARVUS(00000002, 0) serves front ends of block devices. */
#define MODULE_ALIAS_PARVUS(hex_class, side)	MODULE_ALIAS("parvus:c" #hex_class "s" #side)

#endif
