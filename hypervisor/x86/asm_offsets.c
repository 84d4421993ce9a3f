// SPDX-License-Identifier: GPL-2.0-only
/* Offsets for entry.S: compiled, never linked; the build makes a #define of each "->NAME value". */
#include <core/hypercall.h>

#define DEFINE(sym, val)	__asm__ volatile("\n->" #sym " %0" : : "i"(val))
#define PCPU(member)		DEFINE(PCPU_##member, offsetof(struct pcpu, member));
#define PCPU_MEMBERS(X) \
	X(scratch) X(stack_top) X(frame) X(current) X(kernel_cr3) X(user_cr3) X(area) \
	X(syscall_entry) X(kernel_gs_base) X(kernel_mode) X(exit_slow) X(has_fsgsbase) X(fast) \
	X(exposed) X(work) X(n_crossings) X(n_syscalls) X(n_user_returns) X(n_kernel_returns) \
	X(n_root_switches) X(stack_old)
#define AREA(member)		DEFINE(AREA_##member, offsetof(struct parvus_vcpu_area, member));
#define AREA_MEMBERS(X)		X(irq_enabled) X(sp0) X(user_gs_base)
#define REGS(member)		DEFINE(REGS_##member, offsetof(struct regs, member));
#define REGS_MEMBERS(X) \
	X(rdi) X(rsi) X(rdx) X(rcx) X(rax) X(r8) X(r9) X(r10) X(r11) X(rbx) X(rbp) \
	X(r12) X(r13) X(r14) X(r15) X(rip) X(cs) X(rflags) X(rsp) X(ss)

void asm_offsets(void);
void asm_offsets(void)
{
	PCPU_MEMBERS(PCPU)
	AREA_MEMBERS(AREA)
	REGS_MEMBERS(REGS)
	DEFINE(VCPU_hypercalls, offsetof(struct vcpu, stats.hypercalls));
	DEFINE(HYPERCALL_SLOTS, HYPERCALL_SLOTS);
	DEFINE(REGS_SIZE, sizeof(struct regs));
	DEFINE(EXIT_PREFILL, EXIT_PREFILL);
	DEFINE(CR3_KEEP_BYTE, CR3_KEEP >> 56);
	DEFINE(HOLE_END, PARVUS_HOLE_END);
	DEFINE(HOLE_START, PARVUS_HOLE_START);
}
