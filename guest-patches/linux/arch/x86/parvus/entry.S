/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus guest: entry, the ways in from and out to the hypervisor, and the
 * callee-save operations on the virtual interrupt flag.
 */
#include <linux/init.h>
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <linux/elfnote.h>
#include <asm/asm-offsets.h>
#include <asm/percpu.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#include <asm/nospec-branch.h>
#include <parvus/hypercalls.h>
#include "../entry/calling.h"

/* struct parvus_vcpu_area (parvus/vcpu.h; offsets asserted in desc.c) */
#define AREA_IRQ_ENABLED	0
#define AREA_PENDING		1
#define AREA_CR2		8
#define PARVUS_BASE_GS_KERNEL	1

	.pushsection .note.Parvus, "a", @note
	.balign	4
	.long	2f - 1f			/* name size */
	.long	4f - 3f			/* descriptor size */
	.long	1			/* PARVUS_NOTE_ENTRY */
1:	.asciz	"Parvus"
2:	.balign	4
3:	.long	48			/* struct parvus_entry_note */
	.long	1			/* ABI version */
	.quad	parvus_startup
	.quad	init_top_pgt - __START_KERNEL_map
	.quad	0			/* features required */
	.quad	0, 0
4:	.balign	4
	.popsection

	__INIT
/* rsi = gpa of struct parvus_start_info; cr3 = init_top_pgt; no stack, no GS. */
SYM_CODE_START(parvus_startup)
	UNWIND_HINT_EMPTY
	ANNOTATE_NOENDBR
	cld
	mov	initial_stack(%rip), %rsp
	mov	%rsi, %rbx
	mov	$PARVUS_HC_base_set, %eax
	mov	$PARVUS_BASE_GS_KERNEL, %edi
	mov	$INIT_PER_CPU_VAR(fixed_percpu_data), %rsi
	syscall
	UNWIND_HINT_EMPTY
	mov	%rbx, %rdi
	call	parvus_start_kernel
	int3
SYM_CODE_END(parvus_startup)
	__FINIT

.pushsection .noinstr.text, "ax"

SYM_FUNC_START(parvus_syscall)
	ANNOTATE_NOENDBR
	UNWIND_HINT_SAVE
	syscall
	UNWIND_HINT_RESTORE
	RET
SYM_FUNC_END(parvus_syscall)

SYM_FUNC_START(parvus_irq_disable)
	movb	$0, PER_CPU_VAR(parvus_area + AREA_IRQ_ENABLED)
	RET
SYM_FUNC_END(parvus_irq_disable)

/* Set, then test: the hypervisor sets pending only while the flag is clear. */
SYM_FUNC_START(parvus_irq_enable)
	movb	$1, PER_CPU_VAR(parvus_area + AREA_IRQ_ENABLED)
	cmpb	$0, PER_CPU_VAR(parvus_area + AREA_PENDING)
	jne	1f
	RET
1:	push	%rax
	push	%rcx
	push	%r11
	xor	%eax, %eax		/* nop: pending vectors are delivered on its way out */
	call	parvus_syscall
	pop	%r11
	pop	%rcx
	pop	%rax
	RET
SYM_FUNC_END(parvus_irq_enable)

SYM_FUNC_START(parvus_save_fl)
	movzbl	PER_CPU_VAR(parvus_area + AREA_IRQ_ENABLED), %eax
	shl	$9, %eax		/* X86_EFLAGS_IF */
	RET
SYM_FUNC_END(parvus_save_fl)

SYM_FUNC_START(parvus_read_cr2)
	mov	PER_CPU_VAR(parvus_area + AREA_CR2), %rax
	RET
SYM_FUNC_END(parvus_read_cr2)

/*
 * In place of this_cpu_cmpxchg16b_emu, whose pushf/cli/popf cannot restore the virtual flag:
 * every CPU that can run this kernel has CMPXCHG16B. Returns al = 1 on success, as that does.
 */
SYM_FUNC_START(parvus_cmpxchg16b)
	cmpxchg16b PER_CPU_VAR((%rsi))
	setz	%al
	RET
SYM_FUNC_END(parvus_cmpxchg16b)

.popsection

.pushsection .entry.text, "ax"

/* The frame is on the stack, rcx and r11 are the hypervisor's. */
SYM_CODE_START(parvus_entry_SYSCALL_64)
	UNWIND_HINT_ENTRY
	ENDBR
	movq	(%rsp), %rcx
	movq	16(%rsp), %r11
	jmp	entry_SYSCALL_64_after_hwframe
SYM_CODE_END(parvus_entry_SYSCALL_64)

/* Stack: rip cs rflags rsp ss. */
SYM_CODE_START(parvus_iret)
	UNWIND_HINT_EMPTY
	ANNOTATE_NOENDBR
	push	%r11
	push	%rcx
	push	%rax
	mov	$PARVUS_HC_iret, %eax
	syscall
	int3
SYM_CODE_END(parvus_iret)

SYM_CODE_START(parvus_restore_regs_and_return_to_usermode)
	UNWIND_HINT_REGS
	ANNOTATE_NOENDBR
	POP_REGS
	addq	$8, %rsp		/* orig_ax */
	jmp	parvus_iret
SYM_CODE_END(parvus_restore_regs_and_return_to_usermode)

/* Where SYSRET would do: rcx and r11 need not come back other than as rip and rflags. */
SYM_CODE_START(parvus_return_from_syscall)
	UNWIND_HINT_REGS
	ANNOTATE_NOENDBR
	movq	RCX(%rsp), %rcx
	cmpq	%rcx, RIP(%rsp)
	jne	parvus_restore_regs_and_return_to_usermode
	movq	R11(%rsp), %r11
	cmpq	%r11, EFLAGS(%rsp)
	jne	parvus_restore_regs_and_return_to_usermode
	testq	$(X86_EFLAGS_RF | X86_EFLAGS_TF), %r11
	jnz	parvus_restore_regs_and_return_to_usermode
	cmpq	$__USER_CS, CS(%rsp)
	jne	parvus_restore_regs_and_return_to_usermode
	cmpq	$__USER_DS, SS(%rsp)
	jne	parvus_restore_regs_and_return_to_usermode
	POP_REGS
	movq	%rax, (%rsp)		/* the slot of orig_ax */
	mov	$PARVUS_HC_sysret, %eax
	syscall
	int3
SYM_CODE_END(parvus_return_from_syscall)
.popsection

.pushsection .text
SYM_CODE_START(parvus_cpu_bringup)
	UNWIND_HINT_EMPTY
	ENDBR
	call	parvus_secondary
	int3
SYM_CODE_END(parvus_cpu_bringup)
.popsection
