// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: a local APIC that is only a way to send IPIs. Vectors arrive
 * through the guest's own IDT handlers; there is nothing to acknowledge. That of
 * events is here, too.
 */
#include <linux/init.h>
#include <linux/cpumask.h>
#include <linux/smp.h>
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/hardirq.h>
#include <asm/idtentry.h>
#include <asm/irq_regs.h>
#include <asm/x86_init.h>
#include "../../../drivers/parvus/parvus_bus.h"
#include "../kernel/apic/local.h"
#include "parvus_arch.h"

static DEFINE_PER_CPU(u64, parvus_ipi_mask) __aligned(8);

static void parvus_send_mask(u64 mask, int vector)
{
	unsigned long flags;
	u64 *word;

	if (!mask)
		return;
	if (is_power_of_2(mask)) {
		parvus_call2(PARVUS_HC_vector_raise, __ffs(mask), vector);
		return;
	}
	local_irq_save(flags);
	word = this_cpu_ptr(&parvus_ipi_mask);
	*word = mask;
	parvus_call3(PARVUS_HC_ipi_send, vector, per_cpu_ptr_to_phys(word), 1);
	local_irq_restore(flags);
}

static void parvus_send_IPI(int cpu, int vector)
{
	parvus_call2(PARVUS_HC_vector_raise, cpu, vector);
}

static void parvus_send_IPI_mask(const struct cpumask *mask, int vector)
{
	parvus_send_mask(cpumask_bits(mask)[0], vector);
}

static void parvus_send_IPI_mask_allbutself(const struct cpumask *mask, int vector)
{
	parvus_send_mask(cpumask_bits(mask)[0] & ~BIT_ULL(smp_processor_id()), vector);
}

static void parvus_send_IPI_allbutself(int vector)
{
	parvus_send_IPI_mask_allbutself(cpu_online_mask, vector);
}

static void parvus_send_IPI_all(int vector) { parvus_send_IPI_mask(cpu_online_mask, vector); }
static void parvus_send_IPI_self(int vector) { parvus_send_IPI(smp_processor_id(), vector); }

static u32 parvus_apic_read(u32 reg)
{
	/* Asked for before APIC support is found absent; an APIC of version 0x14. */
	if (reg == APIC_LVR)
		return 0x14;
	if (reg >= APIC_IRR && reg < APIC_IRR + 8 * 0x10)
		return parvus_irq_pending((reg - APIC_IRR) / 0x10);
	return 0;
}

static void parvus_apic_write(u32 reg, u32 value) { }
static u64 parvus_icr_read(void) { return 0; }
static void parvus_icr_write(u32 low, u32 id) { }
static u32 parvus_safe_wait_icr_idle(void) { return 0; }
static void parvus_apic_noop(void) { }
static unsigned int parvus_get_apic_id(unsigned long x) { return smp_processor_id(); }
static u32 parvus_set_apic_id(unsigned int id) { return id; }
static int parvus_apic_id_valid(u32 id) { return 1; }
static int parvus_apic_id_registered(void) { return 1; }
static int parvus_phys_pkg_id(int id, int msb) { return id >> msb; }
static int parvus_apic_probe(void) { return parvus_start != NULL; }
static int parvus_madt_check(char *oem, char *table) { return parvus_start != NULL; }

static struct apic parvus_apic = {
	.name = "Parvus",
	.probe = parvus_apic_probe,
	.acpi_madt_oem_check = parvus_madt_check,
	.apic_id_valid = parvus_apic_id_valid,
	.apic_id_registered = parvus_apic_id_registered,
	.delivery_mode = APIC_DELIVERY_MODE_FIXED,
	.check_apicid_used = default_check_apicid_used,
	.init_apic_ldr = parvus_apic_noop,
	.ioapic_phys_id_map = default_ioapic_phys_id_map,
	.cpu_present_to_apicid = default_cpu_present_to_apicid,
	.apicid_to_cpu_present = physid_set_mask_of_physid,
	.check_phys_apicid_present = default_check_phys_apicid_present,
	.phys_pkg_id = parvus_phys_pkg_id,
	.get_apic_id = parvus_get_apic_id,
	.set_apic_id = parvus_set_apic_id,
	.calc_dest_apicid = apic_flat_calc_apicid,
	.send_IPI = parvus_send_IPI,
	.send_IPI_mask = parvus_send_IPI_mask,
	.send_IPI_mask_allbutself = parvus_send_IPI_mask_allbutself,
	.send_IPI_allbutself = parvus_send_IPI_allbutself,
	.send_IPI_all = parvus_send_IPI_all,
	.send_IPI_self = parvus_send_IPI_self,
	.read = parvus_apic_read,
	.write = parvus_apic_write,
	.eoi_write = parvus_apic_write,
	.icr_read = parvus_icr_read,
	.icr_write = parvus_icr_write,
	.wait_icr_idle = parvus_apic_noop,
	.safe_wait_icr_idle = parvus_safe_wait_icr_idle,
};

static void __init parvus_apic_post_init(void) { apic = &parvus_apic; }

void __init parvus_init_apic(void)
{
	apic = &parvus_apic;
	x86_platform.apic_post_init = parvus_apic_post_init;
}

apic_driver(parvus_apic);

DEFINE_IDTENTRY_SYSVEC(sysvec_parvus_event)
{
	struct pt_regs *old = set_irq_regs(regs);

	inc_irq_stat(irq_hv_callback_count);
	parvus_console_poll(parvus_events_handle());
	set_irq_regs(old);
}

/* Gates are given out before the vectors are set up; see x86_init.irqs. */
void __init parvus_init_vectors(void)
{
	alloc_intr_gate(HYPERVISOR_CALLBACK_VECTOR, asm_sysvec_parvus_event);
	parvus_events_init();
}
