// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: descriptor tables. The GDT is the hypervisor's; of it the guest
 * sets the three TLS entries and the CPU number entry. The IDT is a list of
 * handlers: the hypervisor enters them with the hardware's frame, always on the
 * task's stack, so vectors with an IST stack get their no-IST entries.
 */
#include <linux/init.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/idtentry.h>
#include <asm/paravirt.h>
#include <asm/traps.h>
#include "parvus_arch.h"

static_assert(sizeof(struct parvus_vcpu_area) == PARVUS_VCPU_AREA_SIZE);
static_assert(offsetof(struct parvus_vcpu_area, irq_enabled) == 0);
static_assert(offsetof(struct parvus_vcpu_area, pending) == 1);
static_assert(offsetof(struct parvus_vcpu_area, cr2) == 8);

/* No-IST entries: from user mode as an exception, from the kernel in place. */
DEFINE_IDTENTRY_RAW(xenpv_exc_nmi)
{
	exc_nmi(regs);
}

DEFINE_IDTENTRY_RAW_ERRORCODE(xenpv_exc_double_fault)
{
	exc_double_fault(regs, error_code);
}

DEFINE_IDTENTRY_RAW(xenpv_exc_debug)
{
	if (user_mode(regs))
		noist_exc_debug(regs);
	else
		exc_debug(regs);
}

static bool parvus_convert(unsigned int vector, const gate_desc *gate, struct parvus_trap *trap)
{
	unsigned long address = gate_offset(gate);

	if (!gate->bits.p)
		return false;
	if (address == (unsigned long)asm_exc_nmi)
		address = (unsigned long)asm_xenpv_exc_nmi;
	else if (address == (unsigned long)asm_exc_debug)
		address = (unsigned long)asm_xenpv_exc_debug;
	else if (address == (unsigned long)asm_exc_double_fault)
		address = (unsigned long)asm_xenpv_exc_double_fault;
	else if (vector == LOCAL_TIMER_VECTOR)
		address = (unsigned long)asm_sysvec_parvus_timer;

	memset(trap, 0, sizeof(*trap));
	trap->address = address;
	trap->vector = vector;
	trap->dpl = gate->bits.dpl;
	trap->flags = gate->bits.type == GATE_TRAP ? PARVUS_TRAP_KEEP_IF : 0;
	return true;
}

/* Calls take physical addresses: the buffer is static, used with interrupts off. */
static DEFINE_RAW_SPINLOCK(parvus_trap_lock);
static struct parvus_trap parvus_trap_buffer __aligned(16);

static void parvus_set_trap(unsigned int vector, const gate_desc *gate)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&parvus_trap_lock, flags);
	if (parvus_convert(vector, gate, &parvus_trap_buffer))
		BUG_ON(parvus_call2(PARVUS_HC_traps_set, __pa_symbol(&parvus_trap_buffer), 1));
	raw_spin_unlock_irqrestore(&parvus_trap_lock, flags);
}

static void parvus_load_idt(const struct desc_ptr *desc)
{
	const gate_desc *table = (const gate_desc *)desc->address;
	unsigned int i, n = (desc->size + 1) / sizeof(gate_desc);

	/* One list for the domain: other CPUs load what is there already. */
	if (raw_smp_processor_id())
		return;
	for (i = 0; i < n; i++)
		parvus_set_trap(i, &table[i]);
}

static void parvus_write_idt_entry(gate_desc *table, int entry, const gate_desc *gate)
{
	native_write_idt_entry(table, entry, gate);
	parvus_set_trap(entry, gate);
}

static void parvus_load_gdt(const struct desc_ptr *desc) { }
static void parvus_load_tr_desc(void) { }
static void parvus_set_ldt(const void *desc, unsigned int entries) { }
static unsigned long parvus_store_tr(void) { return 0; }

static void parvus_write_gdt_entry(struct desc_struct *gdt, int entry, const void *desc, int type)
{
	native_write_gdt_entry(gdt, entry, desc, type);
	if (entry == GDT_ENTRY_CPUNODE)
		parvus_call2(PARVUS_HC_tls_set, PARVUS_TLS_CPUNODE, *(const u64 *)desc);
}

static void parvus_load_tls(struct thread_struct *t, unsigned int cpu)
{
	const u64 *wanted = (const u64 *)t->tls_array;
	/* the kernel's own table says what the hypervisor holds: most switches change nothing */
	u64 *old = (u64 *)this_cpu_ptr(&gdt_page.gdt[GDT_ENTRY_TLS_MIN]);
	unsigned int i;

	BUILD_BUG_ON(GDT_ENTRY_TLS_ENTRIES != 3);
	if (likely(!((old[0] ^ wanted[0]) | (old[1] ^ wanted[1]) | (old[2] ^ wanted[2]))))
		return;
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++) {
		u64 new = wanted[i];

		if (old[i] == new)
			continue;
		/* A selector of it would fault on the way back: drop it, the base is saved. */
		if (!new) {
			unsigned short fs;

			savesegment(fs, fs);
			if (fs >> 3 == GDT_ENTRY_TLS_MIN + i)
				loadsegment(fs, 0);
		}
		if (!parvus_call2(PARVUS_HC_tls_set, i, new))
			old[i] = new;
	}
}

static void parvus_load_gs_index(unsigned int selector)
{
	/* of an entry that is gone: 0, as native_load_gs_index() does */
	if (parvus_call2(PARVUS_HC_base_set, PARVUS_SEL_GS_USER, selector))
		parvus_call2(PARVUS_HC_base_set, PARVUS_SEL_GS_USER, 0);
}

static void parvus_load_sp0(unsigned long sp0) { this_cpu_write(parvus_area.sp0, sp0); }

void __init parvus_init_desc(void)
{
	static struct parvus_callbacks callbacks __initdata __aligned(64) = {
		.size = sizeof(callbacks),
		.version = 1,
		.syscall_entry = (unsigned long)parvus_entry_SYSCALL_64,
	};

	pv_ops.cpu.load_gdt = parvus_load_gdt;
	pv_ops.cpu.load_idt = parvus_load_idt;
	pv_ops.cpu.load_tr_desc = parvus_load_tr_desc;
	pv_ops.cpu.set_ldt = parvus_set_ldt;
	pv_ops.cpu.store_tr = parvus_store_tr;
	pv_ops.cpu.load_tls = parvus_load_tls;
	pv_ops.cpu.load_gs_index = parvus_load_gs_index;
	pv_ops.cpu.write_gdt_entry = parvus_write_gdt_entry;
	pv_ops.cpu.write_idt_entry = parvus_write_idt_entry;
	pv_ops.cpu.load_sp0 = parvus_load_sp0;
	BUG_ON(parvus_call1(PARVUS_HC_callbacks_set, __pa_symbol(&callbacks)));
}
