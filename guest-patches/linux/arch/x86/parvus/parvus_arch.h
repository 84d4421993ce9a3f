/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus guest: what the files of this folder share. Hypercalls are in asm/parvus_call.h,
 * what drivers use in linux/parvus.h.
 */
#ifndef PARVUS_ARCH_H
#define PARVUS_ARCH_H

#include <linux/types.h>
#include <linux/percpu.h>
#include <linux/parvus.h>
#include <parvus/mmu.h>

/* One cache-aligned record that never crosses a page: the hypervisor knows it by address. */
DECLARE_PER_CPU_ALIGNED(struct parvus_vcpu_area, parvus_area);

/* entry.S */
void parvus_entry_SYSCALL_64(void);
void parvus_iret(void);
void parvus_cpu_bringup(void);
void parvus_irq_enable(void);
void parvus_irq_disable(void);
unsigned long parvus_save_fl(void);
unsigned long parvus_read_cr2(void);
void parvus_cmpxchg16b(void);

/* enlighten.c: op of call @nr with a record of up to 256 bytes, which may lie on a stack */
int parvus_call_record(unsigned int nr, unsigned int op, void *record, size_t size);

/* the parts, in the order in which parvus_start_kernel() calls them */
void parvus_area_register(unsigned int vcpu, struct parvus_vcpu_area *area);
void parvus_init_desc(void);
void parvus_init_mmu(void);
void parvus_init_apic(void);
void parvus_init_smp(void);
void parvus_init_time(void);
void parvus_init_sched_clock(void);
void parvus_init_clock_cpu(void);
void parvus_init_console(void);
void parvus_console_poll(bool event);
void parvus_init_vectors(void);
void parvus_init_irqs(void);
u32 parvus_irq_pending(unsigned int word);
void parvus_start_timer_cpu(void);
extern unsigned int parvus_exit_status;

#endif
