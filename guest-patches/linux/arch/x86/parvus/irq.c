// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus, domain 0: interrupts of devices. Two irq domains whose parent is x86's own vector
 * domain, so that vectors, affinity, managed interrupts and CPUs that go are Linux's business as
 * on the bare machine: messages of PCI functions, and lines of the I/O APICs, which the
 * hypervisor owns. It is told which vector of which vCPU a source raises (irq_op, TARGET), and
 * says what to write into the device.
 */
#include <linux/acpi.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/hw_irq.h>
#include <asm/io_apic.h>
#include <asm/irqdomain.h>
#include <asm/x86_init.h>
#include "parvus_arch.h"
#include <parvus/irq.h>

static int parvus_irq_call(unsigned int op, struct parvus_irq *r)
{
	r->size = sizeof(*r);
	r->version = 1;
	r->domain = PARVUS_DOMAIN_SELF;
	return parvus_call_record(PARVUS_HC_irq_op, op, r, sizeof(*r));
}

static void parvus_irq_line(struct irq_data *data, unsigned int op)
{
	parvus_call2(PARVUS_HC_irq_op, op, (unsigned long)data->chip_data);
}

/* The handle, which is the chip_data of both domains, or a negative errno. */
static int parvus_irq_map(u32 kind, u32 source, u32 index, u32 flags)
{
	struct parvus_irq r = { .kind = kind, .source = source, .index = index, .flags = flags };
	int ret = parvus_irq_call(PARVUS_IRQ_MAP, &r);

	return ret ?: (int)r.handle;
}

/*
 * What the vector domain chose. An interrupt that nobody has requested has a vector that stands for
 * none: it goes nowhere. On failure @r holds no message.
 */
static int parvus_irq_target(struct irq_data *data, struct parvus_irq *r)
{
	struct irq_cfg *cfg = irqd_cfg(data);
	int ret;

	*r = (struct parvus_irq){ .handle = (unsigned long)data->chip_data };
	if (cfg && cfg->vector && cfg->vector != MANAGED_IRQ_SHUTDOWN_VECTOR) {
		r->vector = cfg->vector;
		r->vcpu = cpumask_first(irq_data_get_effective_affinity_mask(data));
	}
	ret = parvus_irq_call(PARVUS_IRQ_TARGET, r);
	WARN_ONCE(ret, "parvus: TARGET of interrupt %u fails: %d\n", data->irq, ret);
	return ret;
}

/* What of this CPU's vectors waits, as a local APIC's IRR says it: who takes a CPU away looks. */
u32 parvus_irq_pending(unsigned int word)
{
	return parvus_control_domain() ?
	       parvus_call2(PARVUS_HC_irq_op, PARVUS_IRQ_PENDING, word) : 0;
}

/* ---- messages ---- */

static void parvus_msi_compose(struct irq_data *data, struct msi_msg *msg)
{
	struct parvus_irq r;

	if (parvus_irq_target(data, &r))
		return;
	*msg = (struct msi_msg){ .address_lo = r.address, .address_hi = r.address >> 32,
				 .data = r.data };
}

static struct irq_chip parvus_msi_chip = {
	.name			= "PARVUS-MSI",
	.irq_unmask		= pci_msi_unmask_irq,
	.irq_mask		= pci_msi_mask_irq,
	.irq_ack		= irq_chip_ack_parent,
	.irq_retrigger		= irq_chip_retrigger_hierarchy,
	.irq_compose_msi_msg	= parvus_msi_compose,
	.irq_set_affinity	= msi_domain_set_affinity,
	.flags			= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP,
};

/* Here and not at the first use: a driver that gets fewer than it asked for makes do. */
static int parvus_msi_init(struct irq_domain *domain, struct msi_domain_info *info,
			   unsigned int virq, irq_hw_number_t hwirq, msi_alloc_info_t *arg)
{
	struct pci_dev *dev = msi_desc_to_pci_dev(arg->desc);
	int handle = parvus_irq_map(PARVUS_IRQ_MESSAGE,
				    pci_domain_nr(dev->bus) << 16 | pci_dev_id(dev),
				    arg->desc->msi_index, 0);

	if (handle < 0)
		return handle;
	irq_domain_set_info(domain, virq, hwirq, info->chip, (void *)(unsigned long)handle,
			    info->handler, NULL, info->handler_name);
	return 0;
}

static void parvus_msi_free(struct irq_domain *domain, struct msi_domain_info *info,
			    unsigned int virq)
{
	parvus_irq_line(irq_domain_get_irq_data(domain, virq), PARVUS_IRQ_UNMAP);
}

static struct msi_domain_ops parvus_msi_ops = {
	.msi_prepare	= pci_msi_prepare,
	.msi_init	= parvus_msi_init,
	.msi_free	= parvus_msi_free,
};

static struct msi_domain_info parvus_msi_info = {
	.flags		= MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS | MSI_FLAG_PCI_MSIX,
	.ops		= &parvus_msi_ops,
	.chip		= &parvus_msi_chip,
	.handler	= handle_edge_irq,
	.handler_name	= "edge",
};

static struct irq_domain * __init parvus_create_msi_domain(void)
{
	struct fwnode_handle *fn = irq_domain_alloc_named_fwnode("PARVUS-MSI");

	return fn ? pci_msi_create_irq_domain(fn, &parvus_msi_info, x86_vector_domain) : NULL;
}

/* ---- lines ---- */

static struct irq_domain *parvus_gsi_domain;
static DEFINE_MUTEX(parvus_gsi_mutex);	/* one line at a time comes and goes */

static void parvus_gsi_mask(struct irq_data *data) { parvus_irq_line(data, PARVUS_IRQ_MASK); }
static void parvus_gsi_unmask(struct irq_data *data) { parvus_irq_line(data, PARVUS_IRQ_UNMASK); }

/* The vector is done with first, that of the line may come again at once. */
static void parvus_gsi_eoi(struct irq_data *data)
{
	apic_ack_edge(data);
	parvus_irq_line(data, PARVUS_IRQ_EOI);
}

static int parvus_gsi_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct irq_data *parent = data->parent_data;
	struct parvus_irq r;
	int ret = parent->chip->irq_set_affinity(parent, mask, force);

	if (ret >= 0 && ret != IRQ_SET_MASK_OK_DONE && parvus_irq_target(data, &r))
		return -EIO;
	return ret;
}

static struct irq_chip parvus_gsi_chip = {
	.name			= "PARVUS-GSI",
	.irq_mask		= parvus_gsi_mask,
	.irq_unmask		= parvus_gsi_unmask,
	.irq_ack		= irq_chip_ack_parent,
	.irq_eoi		= parvus_gsi_eoi,
	.irq_retrigger		= irq_chip_retrigger_hierarchy,
	.irq_set_affinity	= parvus_gsi_set_affinity,
	.flags			= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP,
};

static int parvus_gsi_alloc(struct irq_domain *domain, unsigned int virq, unsigned int count,
			    void *arg)
{
	struct irq_alloc_info *info = arg;
	bool level = info->ioapic.is_level;
	int ret, handle;

	ret = irq_domain_alloc_irqs_parent(domain, virq, count, arg);
	if (ret)
		return ret;
	handle = parvus_irq_map(PARVUS_IRQ_LINE, info->hwirq, 0, (level ? PARVUS_IRQ_LEVEL : 0) |
				(info->ioapic.active_low ? PARVUS_IRQ_LOW : 0));
	if (handle < 0) {
		irq_domain_free_irqs_parent(domain, virq, count);
		return handle;
	}
	irq_domain_set_info(domain, virq, info->hwirq, &parvus_gsi_chip,
			    (void *)(unsigned long)handle,
			    level ? handle_fasteoi_irq : handle_edge_irq, NULL,
			    level ? "fasteoi" : "edge");
	irqd_set_trigger_type(irq_domain_get_irq_data(domain, virq),
			      level ? IRQ_TYPE_LEVEL_LOW : IRQ_TYPE_EDGE_RISING);
	irq_modify_status(virq, IRQ_LEVEL, level ? IRQ_LEVEL : 0);
	return 0;
}

static void parvus_gsi_free(struct irq_domain *domain, unsigned int virq, unsigned int count)
{
	parvus_irq_line(irq_domain_get_irq_data(domain, virq), PARVUS_IRQ_UNMAP);
	irq_domain_free_irqs_top(domain, virq, count);
}

static int parvus_gsi_activate(struct irq_domain *domain, struct irq_data *data, bool reserve)
{
	struct parvus_irq r;

	return parvus_irq_target(data, &r);
}

static const struct irq_domain_ops parvus_gsi_ops = {
	.alloc		= parvus_gsi_alloc,
	.free		= parvus_gsi_free,
	.activate	= parvus_gsi_activate,
};

/* Line @gsi as irq number @irq. The number, or a negative errno. */
static int parvus_gsi_make(int irq, u32 gsi, bool level, bool low)
{
	struct irq_alloc_info info = {
		.type = X86_IRQ_ALLOC_TYPE_IOAPIC, .hwirq = gsi,
		.ioapic = { .is_level = level, .active_low = low, .valid = 1 },
	};

	return __irq_domain_alloc_irqs(parvus_gsi_domain, irq, 1, NUMA_NO_NODE, &info, false, NULL);
}

/*
 * The number of an irq is that of its line, but for a line of the ISA bus that an override
 * moves: there it is the ISA's. Attributes of a line that nobody uses yet may change.
 */
static int parvus_register_gsi(struct device *dev, u32 gsi, int trigger, int polarity)
{
	bool level = trigger != ACPI_EDGE_SENSITIVE, low = polarity != ACPI_ACTIVE_HIGH;
	int irq;

	mutex_lock(&parvus_gsi_mutex);
	irq = irq_find_mapping(parvus_gsi_domain, gsi);
	if (irq && level != irqd_is_level_type(irq_get_irq_data(irq)) && !irq_has_action(irq)) {
		irq_domain_free_irqs(irq, 1);
		irq = parvus_gsi_make(irq, gsi, level, low);
	}
	irq = irq ?: parvus_gsi_make(gsi, gsi, level, low);
	mutex_unlock(&parvus_gsi_mutex);
	return irq;
}

/* For the few that name a line and know nothing of its trigger: the SCI. */
int parvus_gsi_to_irq(u32 gsi)
{
	int irq = irq_find_mapping(parvus_gsi_domain, gsi);

	return irq ?: parvus_register_gsi(NULL, gsi, ACPI_LEVEL_SENSITIVE, ACPI_ACTIVE_LOW);
}

static struct { u32 gsi; u16 flags; } parvus_isa[16] __initdata;

static int __init parvus_isa_override(union acpi_subtable_headers *header, const unsigned long end)
{
	struct acpi_madt_interrupt_override *o = (void *)header;

	if (o->source_irq < ARRAY_SIZE(parvus_isa)) {
		parvus_isa[o->source_irq].gsi = o->global_irq;
		parvus_isa[o->source_irq].flags = o->inti_flags;
	}
	return 0;
}

/* The lines that drivers know by heart; not the timer's, the cascade's and the serial line's. */
static void __init parvus_make_isa(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parvus_isa); i++)
		parvus_isa[i].gsi = i;
	acpi_table_parse_madt(ACPI_MADT_TYPE_INTERRUPT_OVERRIDE, parvus_isa_override, 0);
	for (i = 0; i < ARRAY_SIZE(parvus_isa); i++) {
		u16 trigger = parvus_isa[i].flags & ACPI_MADT_TRIGGER_MASK;
		u16 polarity = parvus_isa[i].flags & ACPI_MADT_POLARITY_MASK;
		bool sci = i == acpi_gbl_FADT.sci_interrupt;

		if (i == 0 || i == 2 || i == 4)
			continue;
		/* "as the bus has it": edge and high, but the SCI's is level and low */
		parvus_gsi_make(i, parvus_isa[i].gsi,
				trigger ? trigger == ACPI_MADT_TRIGGER_LEVEL : sci,
				polarity ? polarity == ACPI_MADT_POLARITY_ACTIVE_LOW : sci);
	}
}

/* After the vector matrix knows of CPU 0, before anybody asks for an interrupt. */
static void __init parvus_intr_init(void)
{
	u32 sci = acpi_gbl_FADT.sci_interrupt;
	struct fwnode_handle *fn;

	native_init_IRQ();
	fn = irq_domain_alloc_named_fwnode("PARVUS-GSI");
	if (fn)
		parvus_gsi_domain = irq_domain_create_hierarchy(x86_vector_domain, 0, gsi_top, fn,
								&parvus_gsi_ops, NULL);
	if (!parvus_gsi_domain) {
		pr_err("parvus: no memory for interrupts of devices\n");
		disable_acpi();
		return;
	}
	parvus_make_isa();
	if (acpi_disabled)
		return;
	acpi_irq_model = ACPI_IRQ_MODEL_IOAPIC;
	acpi_ioapic = 1;
	acpi_sci_override_gsi = sci < ARRAY_SIZE(parvus_isa) ? parvus_isa[sci].gsi : sci;
	__acpi_register_gsi = parvus_register_gsi;
}

void __init parvus_init_irqs(void)
{
	struct parvus_irq_info info = {
		.size = sizeof(info), .version = 1, .domain = PARVUS_DOMAIN_SELF,
	};

	if (parvus_call_record(PARVUS_HC_irq_op, PARVUS_IRQ_INFO, &info, sizeof(info)))
		return;
	gsi_top = max_t(u32, info.lines, 16);
	x86_init.irqs.intr_init = parvus_intr_init;
	x86_init.irqs.create_pci_msi_domain = parvus_create_msi_domain;
}
