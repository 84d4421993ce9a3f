// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus: event ports as interrupts. pending and mask bits are in one record that the
 * hypervisor shares; masking is a store, and unmasking needs a call only if the port
 * is pending. Flow is that of an edge: the pending bit is cleared before the handler
 * runs, so that what comes meanwhile is seen afterwards.
 *
 * A port is bound to one vCPU; parvus_mine[] has the ports of each. With AUTO_MASK the
 * hypervisor has set the mask bit when the event arrives, so that the mask does not say
 * whether to serve it: parvus_armed[] does, which is set from unmasking to service.
 */
#include <linux/init.h>
#include <linux/cpu.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/slab.h>
#include "../../arch/x86/parvus/parvus_arch.h"
#include "parvus_bus.h"

struct parvus_port {
	raw_spinlock_t lock;	/* armed, masked, cpu; inside the irq descriptor's */
	u32 port;
	u32 flags;		/* PARVUS_EVENT_AUTO_MASK */
	u32 interval_ns;
	unsigned int cpu;
	bool masked;		/* by the irq core */
	bool ours;		/* made here: unbinding closes it */
	struct irq_desc *desc;
	struct rcu_head rcu;
};

static struct parvus_event_page parvus_events __page_aligned_bss;
static_assert(sizeof(struct parvus_event_page) == PAGE_SIZE);
static struct parvus_port *parvus_ports[PARVUS_EVENT_PORTS];
static unsigned long parvus_auto[PARVUS_EVENT_WORDS];
static unsigned long parvus_armed[PARVUS_EVENT_WORDS];
static DEFINE_PER_CPU(unsigned long [PARVUS_EVENT_WORDS], parvus_mine);
static bool parvus_events_served __ro_after_init;

/* One at a time, so that a port number that was closed is not given out half closed. */
static DEFINE_MUTEX(parvus_bind_mutex);

#define PENDING	((unsigned long *)parvus_events.pending)
#define MASK	((unsigned long *)parvus_events.mask)

static int parvus_event_record(unsigned int op, struct parvus_event_bind *bind)
{
	bind->size = sizeof(*bind);
	bind->version = 1;
	return parvus_call_record(PARVUS_HC_event_op, op, bind, sizeof(*bind));
}

static void parvus_port_unmask(struct parvus_port *p)
{
	if (p->flags & PARVUS_EVENT_AUTO_MASK)
		set_bit(p->port, parvus_armed);
	smp_mb__before_atomic();	/* armed before it can be delivered */
	clear_bit(p->port, MASK);
	smp_mb__after_atomic();	/* either we see it pending, or the sender the clear mask */
	if (test_bit(p->port, PENDING))
		parvus_call2(PARVUS_HC_event_op, PARVUS_EVENT_UNMASK, p->port);
}

static void parvus_port_mask(struct parvus_port *p)
{
	set_bit(p->port, MASK);
	clear_bit(p->port, parvus_armed);
}

static void parvus_irq_set_masked(struct irq_data *d, bool masked)
{
	struct parvus_port *p = irq_data_get_irq_chip_data(d);
	unsigned long flags;

	raw_spin_lock_irqsave(&p->lock, flags);
	p->masked = masked;
	if (masked)
		parvus_port_mask(p);
	else
		parvus_port_unmask(p);
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

static void parvus_irq_mask(struct irq_data *d) { parvus_irq_set_masked(d, true); }
static void parvus_irq_unmask(struct irq_data *d) { parvus_irq_set_masked(d, false); }

/* The pending bit was cleared before the flow handler was called. */
static void parvus_irq_ack(struct irq_data *d) { }

static int parvus_irq_retrigger(struct irq_data *d)
{
	struct parvus_port *p = irq_data_get_irq_chip_data(d);
	unsigned long flags;

	raw_spin_lock_irqsave(&p->lock, flags);
	set_bit(p->port, PENDING);
	if (!p->masked)
		parvus_port_unmask(p);
	raw_spin_unlock_irqrestore(&p->lock, flags);
	return 1;
}

/*
 * Masked while it moves: the old CPU then finds the port not its own, and unmasking
 * delivers on the new one what was pending.
 */
static int parvus_port_move(struct parvus_port *p, unsigned int cpu)
{
	struct parvus_event_bind bind = {
		.port = p->port, .vcpu = cpu, .flags = p->flags, .interval_ns = p->interval_ns,
	};
	unsigned long flags;
	bool wanted;
	int ret;

	raw_spin_lock_irqsave(&p->lock, flags);
	set_bit(p->port, MASK);
	clear_bit(p->port, per_cpu(parvus_mine, p->cpu));
	ret = parvus_event_record(PARVUS_EVENT_SET, &bind);
	if (!ret)
		p->cpu = cpu;
	set_bit(p->port, per_cpu(parvus_mine, p->cpu));
	wanted = !p->masked;
	if (p->flags & PARVUS_EVENT_AUTO_MASK)
		wanted = test_bit(p->port, parvus_armed);
	if (wanted)
		parvus_port_unmask(p);
	raw_spin_unlock_irqrestore(&p->lock, flags);
	return ret;
}

static int parvus_irq_set_affinity(struct irq_data *d, const struct cpumask *mask, bool force)
{
	struct parvus_port *p = irq_data_get_irq_chip_data(d);
	unsigned int cpu = p->cpu;
	int ret;

	if (!cpu_online(cpu) || !cpumask_test_cpu(cpu, mask))
		cpu = cpumask_any_and(mask, cpu_online_mask);
	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	if (cpu != p->cpu) {
		ret = parvus_port_move(p, cpu);
		if (ret)
			return ret;
	}
	irq_data_update_effective_affinity(d, cpumask_of(cpu));
	return IRQ_SET_MASK_OK;
}

static struct irq_chip parvus_chip = {
	.name = "parvus-event",
	.irq_ack = parvus_irq_ack,
	.irq_mask = parvus_irq_mask,
	.irq_unmask = parvus_irq_unmask,
	.irq_retrigger = parvus_irq_retrigger,
	.irq_set_affinity = parvus_irq_set_affinity,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

/*
 * The event vector, interrupts off: serve each word that the hypervisor named, once. What
 * comes from now on raises the vector again. Says whether any word was named.
 */
bool parvus_events_handle(void)
{
	u64 words = xchg(&parvus_events.selector[smp_processor_id()], 0);
	unsigned long *mine = this_cpu_ptr(parvus_mine);
	bool any = words;

	for (; words; words &= words - 1) {
		unsigned int w = __ffs64(words);
		unsigned long bits = READ_ONCE(PENDING[w]) & mine[w];

		bits &= (~READ_ONCE(MASK[w]) & ~READ_ONCE(parvus_auto[w])) |
			READ_ONCE(parvus_armed[w]);
		for (; bits; bits &= bits - 1) {
			unsigned int port = w * BITS_PER_LONG + __ffs(bits);
			struct parvus_port *p;

			if (test_bit(port, parvus_auto) &&
			    !test_and_clear_bit(port, parvus_armed))
				continue;
			clear_bit(port, PENDING);
			smp_mb__after_atomic();	/* the handler sees what was signalled before */
			/*
			 * Now: the number may have been given to another port since we looked, and
			 * this was taken from that one.
			 */
			p = READ_ONCE(parvus_ports[port]);
			if (p)
				generic_handle_irq_desc(p->desc);
		}
	}
	return any;
}

/* An irq for a port that is masked and bound to vCPU 0. */
static int parvus_port_irq(u32 port, u32 flags, u32 interval_ns, bool ours)
{
	struct parvus_port *p;
	int irq;

	if (!port || port >= PARVUS_EVENT_PORTS)
		return -EINVAL;
	if (parvus_ports[port])
		return -EBUSY;
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	irq = irq_alloc_desc(NUMA_NO_NODE);
	if (irq < 0) {
		kfree(p);
		return irq;
	}
	raw_spin_lock_init(&p->lock);
	p->port = port;
	p->flags = flags;
	p->interval_ns = interval_ns;
	p->masked = true;
	p->ours = ours;
	if (flags & PARVUS_EVENT_AUTO_MASK)
		set_bit(port, parvus_auto);
	else
		clear_bit(port, parvus_auto);
	set_bit(port, per_cpu(parvus_mine, 0));
	irq_set_chip_data(irq, p);
	irq_set_chip_and_handler_name(irq, &parvus_chip, handle_edge_irq, "event");
	irq_set_status_flags(irq, IRQ_NOPROBE | IRQ_MOVE_PCNTXT);
	p->desc = irq_to_desc(irq);
	WRITE_ONCE(parvus_ports[port], p);
	return irq;
}

int parvus_bind(u32 kind, u32 domain, u32 which, u32 flags, u32 interval_ns)
{
	struct parvus_event_bind bind = {
		.kind = kind, .domain = domain, .flags = flags, .interval_ns = interval_ns,
		.remote_port = kind == PARVUS_EVENT_VIRQ ? 0 : which,
		.virq = kind == PARVUS_EVENT_VIRQ ? which : 0,
	};
	int ret;

	if (!parvus_events_served)
		return -ENOSYS;
	mutex_lock(&parvus_bind_mutex);
	ret = parvus_event_record(PARVUS_EVENT_BIND, &bind);
	if (!ret) {
		ret = parvus_port_irq(bind.port, flags, interval_ns, true);
		if (ret < 0)
			parvus_call2(PARVUS_HC_event_op, PARVUS_EVENT_CLOSE, bind.port);
	}
	mutex_unlock(&parvus_bind_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(parvus_bind);

/* parvus_bind_port - a port that the domain was born with; returns an irq */
int parvus_bind_port(u32 port)
{
	int ret;

	if (!parvus_events_served)
		return -ENOSYS;
	mutex_lock(&parvus_bind_mutex);
	ret = parvus_port_irq(port, 0, 0, false);
	if (ret > 0)
		parvus_port_move(irq_get_chip_data(ret), 0);
	mutex_unlock(&parvus_bind_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(parvus_bind_port);

/* parvus_unbind - after free_irq(): close the port, give the irq back */
void parvus_unbind(int irq)
{
	struct parvus_port *p = irq_get_chip_data(irq);

	if (WARN_ON(!p))
		return;
	mutex_lock(&parvus_bind_mutex);
	set_bit(p->port, MASK);
	clear_bit(p->port, parvus_armed);
	clear_bit(p->port, per_cpu(parvus_mine, p->cpu));
	WRITE_ONCE(parvus_ports[p->port], NULL);
	if (p->ours) {
		parvus_call2(PARVUS_HC_event_op, PARVUS_EVENT_CLOSE, p->port);
		clear_bit(p->port, PENDING);
	}
	irq_free_desc(irq);
	mutex_unlock(&parvus_bind_mutex);
	kfree_rcu(p, rcu);	/* a CPU may be in the flow handler */
}
EXPORT_SYMBOL_GPL(parvus_unbind);

u32 parvus_irq_port(int irq)
{
	struct parvus_port *p = irq_get_chip_data(irq);

	return p ? p->port : 0;
}
EXPORT_SYMBOL_GPL(parvus_irq_port);

int parvus_notify_port(u32 port)
{
	return parvus_start ? parvus_call2(PARVUS_HC_event_op, PARVUS_EVENT_SEND, port) : -ENOSYS;
}
EXPORT_SYMBOL_GPL(parvus_notify_port);

static void parvus_port_done(struct parvus_port *p)
{
	unsigned long flags;

	if (WARN_ON_ONCE(!p))
		return;
	raw_spin_lock_irqsave(&p->lock, flags);
	if (!p->masked && p->flags & PARVUS_EVENT_AUTO_MASK)
		parvus_port_unmask(p);
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

/* parvus_event_done - an AUTO_MASK event was served: it may come again */
void parvus_event_done(int irq)
{
	parvus_port_done(irq_get_chip_data(irq));
}
EXPORT_SYMBOL_GPL(parvus_event_done);

/* parvus_event_done_port - the same for who knows the port, which is bound: it is quicker */
void parvus_event_done_port(u32 port)
{
	parvus_port_done(parvus_ports[port]);
}
EXPORT_SYMBOL_GPL(parvus_event_done_port);

/* With the vectors, before any other interrupt: all ports start masked. */
void __init parvus_events_init(void)
{
	memset(parvus_events.mask, 0xff, sizeof(parvus_events.mask));
	parvus_events_served = !parvus_call2(PARVUS_HC_event_op, PARVUS_EVENT_REGISTER,
					     __pa_symbol(&parvus_events));
}
