/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every way into ring 0 and out of it.
 *
 * All code of a guest, kernel and user, is CPL 3, so an entry from CPL 3 swaps
 * GS once and an entry from CPL 0 (the idle loop, a fix-up) never does. While a
 * guest runs, GS base is the guest's and the kernel GS base MSR points to this
 * pCPU's struct pcpu. Interrupts are off throughout.
 *
 * The frame at the top of the pCPU's stack is struct regs (core/vcpu.h):
 *
 *	stack_top  ->	(end)
 *	-0x08		ss		pushed by the hardware, or by hand for SYSCALL
 *	-0x10		rsp
 *	-0x18		rflags
 *	-0x20		cs
 *	-0x28		rip
 *	-0x30		error code, or 0
 *	-0x38		vector, 0x100 for SYSCALL
 *	-0x40 .. -0xb0	rdi rsi rdx rcx rax r8 r9 r10 r11 rbx rbp r12 r13 r14 r15
 *
 * An access to guest memory by guest address is listed in the exception table:
 * trap_from_hypervisor() fills the shadow and retries it, or goes to its fix-up.
 * Nothing else in here can fault: selectors are constants, addresses that reach
 * SYSRET or IRET are sign-extended from bit 47, flags are masked (review rules
 * 28 and 29).
 */
#include <asm-offsets.h>
#include <x86/desc.h>
#include <x86/vectors.h>

#define HOLE_END	0xffff880000000000

/* An instruction that may fault on guest memory, and where to go if it must not. */
.macro FIXUP insn:vararg
9990:	\insn
	.pushsection .ex_table, "a"
	.quad	9990b, guest_access_failed
	.popsection
.endm

.macro PUSH_CALLER_SAVED
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
.endm

.macro PUSH_REGS
	PUSH_CALLER_SAVED
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm

/* The hardware's frame of an entry by SYSCALL, for struct regs. */
.macro PUSH_SYSCALL_FRAME cs:req
	mov	%gs:PCPU_stack_top, %rsp
	movb	$0, %gs:PCPU_exposed
	pushq	$SEL_USER_SS
	pushq	%gs:PCPU_scratch
	push	%r11
	pushq	$\cs
	push	%rcx
.endm

.macro POP_CALLER_SAVED
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
.endm

.macro POP_REGS
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	POP_CALLER_SAVED
.endm

/* Sign-extend a guest-chosen address from bit 47. */
.macro CANONICAL reg:req
	shl	$16, \reg
	sar	$16, \reg
.endm

	.section .text.entry, "ax"

/*
 * SYSCALL. rcx = rip, r11 = rflags, rsp and all else the guest's.
 * From guest user: bounce to the guest kernel. From guest kernel: a hypercall.
 */
	.globl	syscall_entry
	.balign	64
syscall_entry:
	swapgs
	incq	%gs:PCPU_n_crossings
	mov	%rsp, %gs:PCPU_scratch
	cmpb	$0, %gs:PCPU_kernel_mode
	je	syscall_bounce

	lea	-1(%rax), %rsp			/* 1 or 2: iret or sysret */
	cmp	$1, %rsp
	jbe	hypercall_fast

/*
 * All others. Of struct regs only what C may look at or destroys is stored: it keeps rbx, rbp
 * and r12..r15; the guest's rsp is in the scratch word. The rest follows when work is due.
 */
hypercall:
	mov	%gs:PCPU_frame, %rsp
	movb	$0, %gs:PCPU_exposed
	mov	%rdi, REGS_rdi(%rsp)
	mov	%rsi, REGS_rsi(%rsp)
	mov	%rdx, REGS_rdx(%rsp)
	mov	%rax, REGS_rax(%rsp)
	mov	%r8, REGS_r8(%rsp)
	mov	%r9, REGS_r9(%rsp)
	mov	%r10, REGS_r10(%rsp)
	mov	%rcx, REGS_rip(%rsp)
	mov	%r11, REGS_rflags(%rsp)
hypercall_call:
	cmp	$HYPERCALL_SLOTS, %rax
	jae	hypercall_unusual
	and	$HYPERCALL_SLOTS - 1, %eax	/* for the case that the branch was guessed wrong (rule 26) */
	cmpl	$0, trace_mask(%rip)
	jne	hypercall_unusual
	mov	%gs:PCPU_current, %rdi
	mov	%rsp, %rsi
	incq	VCPU_hypercalls(%rdi, %rax, 8)
	lea	hypercall_handlers(%rip), %rcx
	call	*(%rcx, %rax, 8)
	cmpl	$0, memory_waits(%rip)
	jne	hypercall_memory
hypercall_exit:
	lock orb $1, %gs:PCPU_exposed		/* a full barrier before work is read */
	cmpl	$0, %gs:PCPU_work
	jne	hypercall_work
	mov	REGS_rdi(%rsp), %rdi
	mov	REGS_rsi(%rsp), %rsi
	mov	REGS_rdx(%rsp), %rdx
	mov	REGS_r8(%rsp), %r8
	mov	REGS_r9(%rsp), %r9
	mov	REGS_r10(%rsp), %r10
	mov	REGS_rflags(%rsp), %r11
	mov	REGS_rip(%rsp), %rcx
	CANONICAL %rcx
	mov	%gs:PCPU_scratch, %rsp
	swapgs
	sysretq

hypercall_unusual:
	mov	%rsp, %rdi
	call	hypercall_dispatch
	jmp	hypercall_exit
hypercall_memory:
	mov	%rax, REGS_rax(%rsp)
	call	domain_memory_wake
	mov	REGS_rax(%rsp), %rax
	jmp	hypercall_exit
hypercall_work:
	mov	%rax, REGS_rax(%rsp)
	mov	%rbx, REGS_rbx(%rsp)
	mov	%rbp, REGS_rbp(%rsp)
	mov	%r12, REGS_r12(%rsp)
	mov	%r13, REGS_r13(%rsp)
	mov	%r14, REGS_r14(%rsp)
	mov	%r15, REGS_r15(%rsp)
	mov	REGS_rip(%rsp), %rcx		/* as SYSRET leaves them */
	mov	%rcx, REGS_rcx(%rsp)
	mov	REGS_rflags(%rsp), %r11
	mov	%r11, REGS_r11(%rsp)
	mov	%gs:PCPU_scratch, %rax
	mov	%rax, REGS_rsp(%rsp)
	movq	$SEL_USER_CS, REGS_cs(%rsp)
	movq	$SEL_USER_SS, REGS_ss(%rsp)
	/* fall through */

/*
 * The general exit. rsp = struct regs, complete; CR3 already fits the virtual mode.
 */
	.globl	exit_to_guest
exit_to_guest:
	lock orb $1, %gs:PCPU_exposed
	cmpl	$0, %gs:PCPU_work
	jne	exit_with_work
	/* an interrupt behind the last canonical address leaves a rip that IRET refuses, in ring 0 */
	shlq	$16, REGS_rip(%rsp)
	sarq	$16, REGS_rip(%rsp)
	POP_REGS
	add	$16, %rsp
	swapgs
	iretq

exit_with_work:
	movb	$0, %gs:PCPU_exposed
	mov	%rsp, %rdi
	call	pcpu_work
	jmp	exit_to_guest

/*
 * iret or sysret, with the entry of the last page fault to be filled before: what the fault
 * was for is found then. Kept: all but r11; the guest's rsp is in the scratch word.
 */
hypercall_prefill:
	cmpb	$EXIT_PREFILL, %gs:PCPU_exit_slow
	jne	return_slow
	mov	%gs:PCPU_stack_top, %rsp
	movb	$0, %gs:PCPU_exposed
	PUSH_CALLER_SAVED
	call	prefill_before_return
	POP_CALLER_SAVED
	lock orb $1, %gs:PCPU_exposed
	mov	$RFLAGS_RUN, %r11d
	cmpl	$0, %gs:PCPU_work
	jne	return_slow
	/* fall through */

/*
 * rax is 1 or 2 in guest kernel mode: iret or sysret.
 * exit_slow is set when the return needs C: a vector waits, the entry of the
 * last page fault is to be filled, or the CPU has no FSGSBASE.
 */
	.balign	16
hypercall_fast:
	cmpb	$0, %gs:PCPU_exit_slow
	jne	hypercall_prefill
	mov	%rax, %gs:PCPU_scratch + 32	/* for the way back to C */
	mov	%rcx, %gs:PCPU_scratch + 40
	cmp	$1, %rax
	mov	%gs:PCPU_scratch, %rax
	mov	%gs:PCPU_stack_top, %rsp
	ja	hypercall_sysret

/*
 * iret. Guest stack, in rax: rax rcx r11, rip cs rflags rsp ss.
 * Registers free: rax, rcx, r11 (their values are on the guest's stack).
 */
	movabs	$HOLE_END, %rcx
	cmp	%rcx, %rax			/* high half above the hole: canonical */
	jb	iret_slow
	FIXUP	mov 32(%rax), %rcx		/* cs */
	cmp	$SEL_USER_CS, %rcx
	jne	iret_kernel
	FIXUP	cmpq $SEL_USER_SS, 56(%rax)
	jne	iret_slow
	pushq	$SEL_USER_SS
	FIXUP	pushq 48(%rax)			/* rsp */
	FIXUP	mov 40(%rax), %rcx		/* rflags */
	and	$RFLAGS_GUEST, %ecx
	or	$RFLAGS_RUN, %ecx
	push	%rcx
	pushq	$SEL_USER_CS
	FIXUP	mov 24(%rax), %rcx		/* rip */
	CANONICAL %rcx
	push	%rcx
	mov	%gs:PCPU_area, %r11
	mov	AREA_user_gs_base(%r11), %rcx
	CANONICAL %rcx
	FIXUP	mov 8(%rax), %r11		/* rcx */
	mov	%r11, %gs:PCPU_scratch + 8
	FIXUP	mov 16(%rax), %r11
	FIXUP	mov (%rax), %rax
	/* nothing of the guest's stack is needed any more: act */
	swapgs
	wrgsbase %rcx
	swapgs
	mov	%gs:PCPU_area, %rcx
	movb	$1, AREA_irq_enabled(%rcx)
	mov	%gs:PCPU_user_cr3, %rcx
	mov	%rcx, %cr3
	movb	$0, %gs:PCPU_kernel_mode
	incq	%gs:PCPU_n_user_returns
	incq	%gs:PCPU_n_root_switches
	mov	%gs:PCPU_scratch + 8, %rcx
	swapgs
	iretq

iret_kernel:
	cmp	$VSEL_KERNEL_CS, %rcx
	jne	iret_slow
	pushq	$SEL_USER_SS
	FIXUP	pushq 48(%rax)
	FIXUP	mov 40(%rax), %rcx
	mov	%ecx, %r11d
	and	$RFLAGS_GUEST, %ecx
	or	$RFLAGS_RUN, %ecx
	push	%rcx
	pushq	$SEL_USER_CS
	FIXUP	mov 24(%rax), %rcx
	CANONICAL %rcx
	push	%rcx
	shr	$9, %r11d
	and	$1, %r11d			/* virtual IF of the frame */
	mov	%r11d, %gs:PCPU_scratch + 8
	FIXUP	mov 8(%rax), %rcx
	FIXUP	mov 16(%rax), %r11
	FIXUP	mov (%rax), %rax
	mov	%rax, %gs:PCPU_scratch + 16
	mov	%gs:PCPU_area, %rax
	push	%rcx
	mov	%gs:PCPU_scratch + 8, %ecx
	mov	%cl, AREA_irq_enabled(%rax)
	pop	%rcx
	mov	%gs:PCPU_scratch + 16, %rax
	incq	%gs:PCPU_n_kernel_returns
	swapgs
	iretq

/*
 * sysret. Guest stack, in rax: rax, rip cs rflags rsp ss. Registers free: rax, rcx, r11.
 */
hypercall_sysret:
	movabs	$HOLE_END, %rcx
	cmp	%rcx, %rax
	jb	sysret_slow
	FIXUP	cmpq $SEL_USER_CS, 16(%rax)
	jne	sysret_slow
	FIXUP	mov 32(%rax), %rcx		/* rsp */
	mov	%rcx, %gs:PCPU_scratch + 8
	FIXUP	mov 24(%rax), %r11		/* rflags */
	and	$RFLAGS_GUEST, %r11d
	or	$RFLAGS_RUN, %r11d
	FIXUP	mov 8(%rax), %rcx		/* rip */
	CANONICAL %rcx
	FIXUP	mov (%rax), %rax
	/* act */
	mov	%rax, %gs:PCPU_scratch + 16
	mov	%gs:PCPU_area, %rsp
	movb	$1, AREA_irq_enabled(%rsp)
	mov	AREA_user_gs_base(%rsp), %rax
	CANONICAL %rax
	swapgs
	wrgsbase %rax
	swapgs
	mov	%gs:PCPU_user_cr3, %rax
	mov	%rax, %cr3
	movb	$0, %gs:PCPU_kernel_mode
	incq	%gs:PCPU_n_user_returns
	incq	%gs:PCPU_n_root_switches
	mov	%gs:PCPU_scratch + 16, %rax
	mov	%gs:PCPU_scratch + 8, %rsp
	swapgs
	sysretq

/*
 * A guest stack named by iret, sysret or a bounce cannot be read or written, or what is on
 * it needs C. The instruction pointer does not say which; kernel_mode does: a bounce sets it
 * only after its stores. scratch[0] is the guest's rsp in every case.
 */
guest_access_failed:
	cmpb	$0, %gs:PCPU_kernel_mode
	je	bounce_failed
iret_slow:
sysret_slow:
	mov	%gs:PCPU_scratch + 32, %rax
	mov	%gs:PCPU_scratch + 40, %rcx
	mov	$RFLAGS_RUN, %r11d
return_slow:
	PUSH_SYSCALL_FRAME SEL_USER_CS
	pushq	$0
	pushq	$VECTOR_SYSCALL
	PUSH_REGS
	mov	%rsp, %rdi
	call	hypercall_dispatch
	mov	%rax, REGS_rax(%rsp)
	jmp	exit_to_guest

/*
 * A system call of guest user mode: push ss rsp rflags cs rip on area.sp0 and enter
 * the guest kernel. Kept as they are: all registers but rcx, r11 and rsp.
 */
	.balign	16
syscall_bounce:
	cmpb	$0, %gs:PCPU_has_fsgsbase
	je	bounce_slow
	mov	%rax, %gs:PCPU_scratch + 8
	mov	%rdx, %gs:PCPU_scratch + 16
	mov	%gs:PCPU_area, %rdx
	mov	AREA_sp0(%rdx), %rax		/* the one load of a guest's value */
	movabs	$HOLE_END + 64, %rdx
	cmp	%rdx, %rax
	jb	bounce_failed
	mov	%gs:PCPU_kernel_cr3, %rdx
	mov	%rdx, %cr3
	incq	%gs:PCPU_n_root_switches
	mov	%gs:PCPU_scratch, %rdx
	mov	%gs:PCPU_stack_top, %rsp
	FIXUP	movq $SEL_USER_SS, -8(%rax)
	FIXUP	mov %rdx, -16(%rax)
	FIXUP	mov %r11, -24(%rax)
	FIXUP	movq $SEL_USER_CS, -32(%rax)
	FIXUP	mov %rcx, -40(%rax)
	/* act */
	movb	$1, %gs:PCPU_kernel_mode
	incq	%gs:PCPU_n_syscalls
	mov	%gs:PCPU_area, %rdx
	movb	$0, AREA_irq_enabled(%rdx)
	mov	%gs:PCPU_kernel_gs_base, %rcx
	swapgs
	rdgsbase %r11
	wrgsbase %rcx
	swapgs
	mov	%r11, AREA_user_gs_base(%rdx)
	mov	%gs:PCPU_syscall_entry, %rcx
	mov	$RFLAGS_RUN, %r11d
	lea	-40(%rax), %rsp
	mov	%gs:PCPU_scratch + 8, %rax
	mov	%gs:PCPU_scratch + 16, %rdx
	swapgs
	sysretq

/* rax and rdx are in the scratch words, rcx and r11 untouched. CR3 may be the kernel root. */
bounce_failed:
	mov	%gs:PCPU_user_cr3, %rax
	mov	%rax, %cr3
	incq	%gs:PCPU_n_root_switches
	mov	%gs:PCPU_scratch + 8, %rax
	mov	%gs:PCPU_scratch + 16, %rdx
bounce_slow:
	PUSH_SYSCALL_FRAME SEL_USER_CS
	pushq	$0
	pushq	$VECTOR_SYSCALL
	PUSH_REGS
	mov	%rsp, %rdi
	call	syscall_from_user
	jmp	exit_to_guest

/*
 * SYSCALL from compatibility mode (CSTAR): the ABI has no such call; the guest gets #UD.
 * eax.. as the guest's; ecx = eip after the instruction.
 */
	.globl	syscall_compat_entry
	.balign	16
syscall_compat_entry:
	swapgs
	mov	%rsp, %gs:PCPU_scratch
	PUSH_SYSCALL_FRAME SEL_USER_CS32
	subq	$2, (%rsp)			/* a fault: back to the instruction */
	pushq	$0
	pushq	$6
	jmp	trap_guest

/*
 * Exceptions and interrupts. Each stub pushes an error code if the hardware did
 * not, and its vector.
 */
	.balign	16
trap_common:
	testb	$3, 24(%rsp)			/* vector error rip [cs] */
	jz	trap_ring0
	swapgs
trap_guest:
	incq	%gs:PCPU_n_crossings
	movb	$0, %gs:PCPU_exposed
	PUSH_REGS
	cld
	mov	%rsp, %rdi
	call	trap_from_guest
	jmp	exit_to_guest

trap_ring0:
	PUSH_REGS
	cld
	mov	%rsp, %rdi
	call	trap_from_hypervisor
	POP_REGS
	add	$16, %rsp
	iretq

/*
 * NMI, #MC, #DF on stacks of their own. GS may be anything; the word above the
 * hardware's frame at the top of each such stack points to the struct pcpu.
 */
ist_common:
	PUSH_REGS
	cld
	mov	%rsp, %rbx
	mov	$0xc0000101, %ecx		/* MSR_GS_BASE */
	rdmsr
	mov	%eax, %r12d
	mov	%edx, %r13d
	mov	REGS_SIZE(%rsp), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	wrmsr
	mov	%rbx, %rdi
	call	trap_ist
	mov	$0xc0000101, %ecx
	mov	%r12d, %eax
	mov	%r13d, %edx
	wrmsr
	POP_REGS
	add	$16, %rsp
	iretq

/*
 * #DB on its own stack. From a guest: move the frame to the normal stack. In ring 0 it is the
 * one that MOV SS defers over SYSCALL or INT: dropped, the guest gets no second one.
 */
db_entry:
	pushq	$0
	pushq	$1
	testb	$3, 24(%rsp)
	jz	ist_common
	swapgs
	mov	%rsp, %gs:PCPU_scratch
	mov	%rax, %gs:PCPU_scratch + 8
	mov	%rsp, %rax
	mov	%gs:PCPU_stack_top, %rsp
	pushq	48(%rax)
	pushq	40(%rax)
	pushq	32(%rax)
	pushq	24(%rax)
	pushq	16(%rax)
	pushq	8(%rax)
	pushq	(%rax)
	mov	%gs:PCPU_scratch + 8, %rax
	jmp	trap_guest

nmi_entry:
	pushq	$0
	pushq	$2
	jmp	ist_common
df_entry:
	pushq	$8				/* the hardware pushed an error code of 0 */
	jmp	ist_common
mc_entry:
	pushq	$0
	pushq	$18
	jmp	ist_common

/* The stubs, 16 bytes apart: vectors 8, 10..14, 17, 21, 29, 30 come with an error code. */
	.globl	trap_stubs
	.balign	16
trap_stubs:
	vector = 0
	.rept	256
	.balign	16
	.if	vector == 1
	jmp	db_entry
	.elseif	vector == 2
	jmp	nmi_entry
	.elseif	vector == 8
	jmp	df_entry
	.elseif	vector == 18
	jmp	mc_entry
	.else
	.ifeq	((vector - 10) * (vector - 11) * (vector - 12) * (vector - 13) * (vector - 14) * (vector - 17) * (vector - 21) * (vector - 29) * (vector - 30))
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.endif
	vector = vector + 1
	.endr

/*
 * enter_first: void enter_first(struct regs *top) - leave for the first time on this pCPU.
 * rdi = the frame at the top of the stack.
 */
	.globl	enter_first
enter_first:
	mov	%rdi, %rsp
	jmp	exit_to_guest

/*
 * long guest_copy(void *to, const void *from, size_t bytes) - one of the two is a guest
 * address. Returns the number of bytes not copied.
 */
	.globl	guest_copy
guest_copy:
	mov	%rdx, %rcx
	xor	%eax, %eax
	shr	$3, %rcx
	and	$7, %edx
9990:	rep movsq
	mov	%edx, %ecx
9991:	rep movsb
	ret
9992:	lea	(%rdx, %rcx, 8), %rax
	ret
9993:	mov	%rcx, %rax
	ret
	.pushsection .ex_table, "a"
	.quad	9990b, 9992b
	.quad	9991b, 9993b
	.popsection

	.section .note.GNU-stack, "", @progbits
