// SPDX-License-Identifier: GPL-2.0-only
/* Offsets for entry.S: compiled, never linked; the build makes a #define of each "->NAME value". */
#include <core/hypercall.h>

#define DEFINE(sym, val)	__asm__ volatile("\n->" #sym " %0" : : "i"(val))
#define PCPU(member)		DEFINE(PCPU_##member, offsetof(struct pcpu, member))
#define AREA(member)		DEFINE(AREA_##member, offsetof(struct parvus_vcpu_area, member))
#define REGS(member)		DEFINE(REGS_##member, offsetof(struct regs, member))

void asm_offsets(void);

void asm_offsets(void)
{
	PCPU(scratch);
	PCPU(stack_top);
	PCPU(frame);
	PCPU(current);
	PCPU(kernel_cr3);
	PCPU(user_cr3);
	PCPU(area);
	PCPU(syscall_entry);
	PCPU(kernel_gs_base);
	PCPU(kernel_mode);
	PCPU(exit_slow);
	PCPU(has_fsgsbase);
	PCPU(fast);
	PCPU(exposed);
	PCPU(work);
	PCPU(n_crossings);
	PCPU(n_syscalls);
	PCPU(n_user_returns);
	PCPU(n_kernel_returns);
	PCPU(n_root_switches);
	AREA(irq_enabled);
	AREA(sp0);
	AREA(user_gs_base);
	DEFINE(VCPU_hypercalls, offsetof(struct vcpu, stats.hypercalls));
	DEFINE(HYPERCALL_SLOTS, HYPERCALL_SLOTS);
	REGS(rdi);
	REGS(rsi);
	REGS(rdx);
	REGS(rcx);
	REGS(rax);
	REGS(r8);
	REGS(r9);
	REGS(r10);
	REGS(r11);
	REGS(cs);
	REGS(rflags);
	REGS(rsp);
	REGS(ss);
	REGS(r15);
	REGS(r14);
	REGS(r13);
	REGS(r12);
	REGS(rbp);
	REGS(rbx);
	REGS(rip);
	DEFINE(REGS_SIZE, sizeof(struct regs));
	DEFINE(EXIT_PREFILL, EXIT_PREFILL);
	DEFINE(HOLE_END, PARVUS_HOLE_END);
	DEFINE(HOLE_START, PARVUS_HOLE_START);
}
