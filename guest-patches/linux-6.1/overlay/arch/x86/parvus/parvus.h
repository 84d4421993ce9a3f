/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus guest: hypercalls and what the files of this folder share.
 *
 * A hypercall is SYSCALL in kernel mode: number in rax, arguments in rdi rsi rdx
 * r10 r8 r9, result in rax; rcx and r11 are lost.
 */
#ifndef PARVUS_H
#define PARVUS_H

#include <linux/types.h>
#include <linux/percpu.h>
#include <asm/asm.h>
#include <parvus/types.h>
#include <parvus/hypercalls.h>
#include <parvus/vcpu.h>
#include <parvus/mmu.h>
#include <parvus/start.h>

extern struct parvus_start_info *parvus_start;

/* One cache-aligned record that never crosses a page: the hypervisor knows it by address. */
DECLARE_PER_CPU_ALIGNED(struct parvus_vcpu_area, parvus_area);

/* entry.S: the instruction itself, so that objtool sees the stack unchanged across it. */
void parvus_syscall(void);

static __always_inline long parvus_call6(unsigned long nr, unsigned long a0, unsigned long a1,
					 unsigned long a2, unsigned long a3, unsigned long a4,
					 unsigned long a5)
{
	register unsigned long r10 asm("r10") = a3;
	register unsigned long r8 asm("r8") = a4;
	register unsigned long r9 asm("r9") = a5;
	long ret = nr;

	asm volatile("call parvus_syscall"
		     : "+a" (ret), ASM_CALL_CONSTRAINT
		     : "D" (a0), "S" (a1), "d" (a2), "r" (r10), "r" (r8), "r" (r9)
		     : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long parvus_call0(unsigned long nr)
{
	long ret = nr;

	asm volatile("call parvus_syscall" : "+a" (ret), ASM_CALL_CONSTRAINT
		     : : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long parvus_call1(unsigned long nr, unsigned long a0)
{
	long ret = nr;

	asm volatile("call parvus_syscall" : "+a" (ret), ASM_CALL_CONSTRAINT
		     : "D" (a0) : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long parvus_call2(unsigned long nr, unsigned long a0, unsigned long a1)
{
	long ret = nr;

	asm volatile("call parvus_syscall" : "+a" (ret), ASM_CALL_CONSTRAINT
		     : "D" (a0), "S" (a1) : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long parvus_call3(unsigned long nr, unsigned long a0, unsigned long a1,
					 unsigned long a2)
{
	long ret = nr;

	asm volatile("call parvus_syscall" : "+a" (ret), ASM_CALL_CONSTRAINT
		     : "D" (a0), "S" (a1), "d" (a2) : "rcx", "r11", "memory");
	return ret;
}

static __always_inline long parvus_call4(unsigned long nr, unsigned long a0, unsigned long a1,
					 unsigned long a2, unsigned long a3)
{
	register unsigned long r10 asm("r10") = a3;
	long ret = nr;

	asm volatile("call parvus_syscall" : "+a" (ret), ASM_CALL_CONSTRAINT
		     : "D" (a0), "S" (a1), "d" (a2), "r" (r10) : "rcx", "r11", "memory");
	return ret;
}

/* entry.S */
void parvus_entry_SYSCALL_64(void);
void parvus_iret(void);
void parvus_cpu_bringup(void);
void parvus_irq_enable(void);
void parvus_irq_disable(void);
unsigned long parvus_save_fl(void);
unsigned long parvus_read_cr2(void);
void parvus_cmpxchg16b(void);

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
void parvus_init_vectors(void);
void parvus_start_timer_cpu(void);
void parvus_load_traps(void);
extern unsigned int parvus_exit_status;

#endif
