/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every way into ring 0 and out of it.
 *
 * All code of a guest, kernel and user, is CPL 3, so an entry from CPL 3 swaps
 * GS once and an entry from CPL 0 (the idle loop, a fix-up) never does. While a
 * guest runs, GS base is the guest's and the kernel GS base MSR points to this
 * pCPU's struct pcpu. Interrupts are off throughout.
 *
 * Above each label stands what the registers hold there and what may be changed.
 * "Exposed" is the flag of core/arch.h: another CPU that takes a translation
 * away waits for an exposed CPU, and not for one that runs C. Hence each way in
 * clears it before C, and each way out sets it before it looks at pcpu.work.
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
 * Nothing else in here should fault: selectors are constants, addresses that reach
 * SYSRET or IRET are sign-extended from bit 47, flags are masked (rules
 * 28 and 29). If an IRET to the guest faults all the same (a selector that was good
 * when it was checked), it is in the table, too, and the guest has the fault: see
 * return_refused. SYSRET looks at rcx alone, which no fault could be taken for: it
 * comes with the guest's rsp. So each SYSRET stands behind CANONICAL of rcx.
 *
 * With SMAP guest memory is closed to ring 0 but between GUEST_OPEN and GUEST_CLOSE, or a load of
 * rflags; a way to a fix-up closes it, too (trap_from_hypervisor).
 *
 * An NMI or a machine check comes at any instruction. Where GS base or the stack
 * is still, or already, the guest's at CPL 0 stands WINDOW: only what has a stack
 * of its own and makes no guess about GS (ist_common) may run there.
 */
#include <asm-offsets.h>
#include <x86/cpu_area.h>
#include <x86/desc.h>
#include <x86/measures.h>
#include <x86/entry_macros.S>

/* A register into struct regs, to which rsp points, and back. */
#define STORE(r)	mov %r, REGS_##r(%rsp)
#define LOAD(r)		mov REGS_##r(%rsp), %r

	.section .text.entry, "ax"
hole_end: .quad	HOLE_END, HOLE_END + 64

/*
 * SYSCALL. rcx = rip, r11 = rflags, rsp and all else the guest's.
 * From guest user: bounce to the guest kernel. From guest kernel: a hypercall.
 * rsp is free once it is in the scratch word, and no other register is. The stack stays the
 * guest's until one of the ways below needs one: nothing may be pushed before.
 */
	.globl	syscall_entry
	.balign	64
syscall_entry:
	WINDOW
	swapgs
	incq	%gs:PCPU_n_crossings
	mov	%rsp, %gs:PCPU_scratch
	cmpb	$0, %gs:PCPU_kernel_mode
	je	syscall_bounce

	lea	-1(%rax), %rsp			/* 1 or 2: iret or sysret */
	cmp	$1, %rsp
	jbe	hypercall_fast

/*
 * All others. rax = number, rdi rsi rdx r10 r8 r9 = arguments, rcx = rip, r11 = rflags.
 * Of struct regs only what C may look at or destroys is stored: it keeps rbx, rbp and r12..r15;
 * the guest's rsp is in the scratch word. The rest follows when work is due (hypercall_work).
 */
hypercall:
	mov	%gs:PCPU_frame, %rsp
	WINDOW_END syscall
	movb	$0, %gs:PCPU_exposed
	STORE(rdi); STORE(rsi); STORE(rdx); STORE(rax); STORE(r8); STORE(r9); STORE(r10)
	mov	%rcx, REGS_rip(%rsp)
	mov	%r11, REGS_rflags(%rsp)
/*
 * rax = number, rsp = struct regs as far as above. rcx, rdi, rsi and what C destroys are free.
 * panic.c knows by the return address of the call that struct regs has the number and rip.
 */
	.globl	hypercall_call, hypercall_exit, hypercall_unusual, hypercall_memory
	.globl	return_slow, syscall_bounce
hypercall_call:
	cmp	$HYPERCALL_SLOTS, %rax
	jae	hypercall_unusual
	and	$HYPERCALL_SLOTS - 1, %eax	/* if the branch was guessed wrong (rule 26) */
	cmpl	$0, trace_mask(%rip)
	jne	hypercall_unusual
	mov	%gs:PCPU_current, %rdi		/* a handler gets the vCPU and struct regs */
	mov	%rsp, %rsi
	incq	VCPU_hypercalls(%rdi, %rax, 8)
	lea	hypercall_handlers(%rip), %rcx
	mov	(%rcx, %rax, 8), %rcx
	call	__x86_indirect_thunk_rcx
	cmpl	$0, memory_waits(%rip)
	jne	hypercall_memory
/*
 * rax = result, rsp = struct regs; rbx, rbp, r12..r15 are the guest's. The way out by SYSRET,
 * with rcx = rip and r11 = rflags as the ABI promises.
 */
hypercall_exit:
	lock orb $1, %gs:PCPU_exposed		/* a full barrier before work is read */
	cmpl	$0, %gs:PCPU_work
	jne	hypercall_work
	LOAD(rdi); LOAD(rsi); LOAD(rdx); LOAD(r8); LOAD(r9); LOAD(r10)
	mov	REGS_rflags(%rsp), %r11
	mov	REGS_rip(%rsp), %rcx
	CANONICAL %rcx
	CLEAR_BUFFERS
	WINDOW					/* the guest's stack, then its GS, at CPL 0 */
	mov	%gs:PCPU_scratch, %rsp
	swapgs
	sysretq
	WINDOW_END hypercall

/* No such number, or calls are traced: C looks at both. As hypercall_call. */
hypercall_unusual:
	mov	%rsp, %rdi
	call	hypercall_dispatch
	jmp	hypercall_exit
/* A vCPU waits for memory that this call may have given back. rax = result, kept. */
hypercall_memory:
	mov	%rax, REGS_rax(%rsp)
	call	domain_memory_wake
	mov	REGS_rax(%rsp), %rax
	jmp	hypercall_exit
/*
 * Work is due before the guest goes on, perhaps another vCPU's turn: struct regs is made
 * complete. rax = result; rbx, rbp, r12..r15 are the guest's, all else is free.
 */
hypercall_work:
	STORE(rax); STORE(rbx); STORE(rbp); STORE(r12); STORE(r13); STORE(r14); STORE(r15)
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
 * The general exit. rsp = struct regs, complete; CR3 already fits the virtual mode. Work that
 * arrives after the look at it finds us exposed, and its kick waits until IRET has opened the flag.
 */
	.globl	exit_to_guest
exit_to_guest:
	lock orb $1, %gs:PCPU_exposed		/* a full barrier before work is read */
	cmpl	$0, %gs:PCPU_work
	jne	exit_with_work
	/* an interrupt behind the last canonical address left a rip that IRET refuses, in ring 0 */
	shlq	$16, REGS_rip(%rsp)
	sarq	$16, REGS_rip(%rsp)
	MEASURE	MEASURE_ROOTS, call root_for_guest
	POP_REGS
	add	$16, %rsp			/* vector and error code */
	IRET_GUEST exit

/* rsp = struct regs. C may change vCPUs: then struct regs is the other one's. */
exit_with_work:
	movb	$0, %gs:PCPU_exposed
	mov	%rsp, %rdi
	call	pcpu_work
	cmpb	$0, %gs:PCPU_stack_old
	je	exit_to_guest
	CLEAR_STACK
	jmp	exit_to_guest

/*
 * iret or sysret, with the entry of the last page fault to be filled before: what the fault
 * was for is found then. Registers as at hypercall_fast; kept are all but r11, whose
 * value is on the guest's stack (iret) or is given by the frame (sysret).
 */
hypercall_prefill:
	cmpb	$EXIT_PREFILL, %gs:PCPU_exit_slow
	jne	return_slow			/* EXIT_SLOW, with or without it */
	mov	%gs:PCPU_stack_top, %rsp
	movb	$0, %gs:PCPU_exposed
	PUSH_CALLER_SAVED
	call	prefill_before_return
	POP_CALLER_SAVED
	lock orb $1, %gs:PCPU_exposed		/* a full barrier before work is read */
	mov	$RFLAGS_RUN, %r11d
	cmpl	$0, %gs:PCPU_work
	jne	return_slow
	/* fall through */

/*
 * rax is 1 or 2 in guest kernel mode: iret or sysret. rcx = rip after SYSCALL, scratch[0] =
 * the guest's rsp; all else is the guest's.
 * exit_slow is set when the return needs C: a vector waits, the entry of the
 * last page fault is to be filled, it is traced, or the CPU has no FSGSBASE.
 * Still exposed: the frame is read by guest address, and no work is served on the way. What
 * cannot be done here goes to return_slow with rax, rcx and rsp as they came.
 */
	.balign	16
hypercall_fast:
	WINDOW
	cmpb	$0, %gs:PCPU_exit_slow
	jne	hypercall_prefill
	mov	%rax, %gs:PCPU_scratch + 32	/* for the way back to C */
	mov	%rcx, %gs:PCPU_scratch + 40
	cmp	$1, %rax
	mov	%gs:PCPU_scratch, %rax
	mov	%gs:PCPU_stack_top, %rsp
	WINDOW_END fast
	ja	hypercall_sysret

/*
 * iret. Guest stack, in rax: rax rcx r11, rip cs rflags rsp ss.
 * Registers free: rax, rcx, r11 (their values are on the guest's stack). rsp = stack_top.
 * All is read, once, before anything is done: after a fault in the middle the call begins
 * anew in C. Each FIXUP is such a place.
 */
	cmp	hole_end(%rip), %rax		/* high half above the hole: canonical */
	jb	iret_slow
	GUEST_OPEN				/* IRET closes it */
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
	push	%rcx
	shr	$47, %rcx			/* not canonical, or high: C refuses it or not */
	jnz	iret_slow
	mov	%gs:PCPU_area, %r11
	mov	AREA_user_gs_base(%r11), %rcx
	CANONICAL %rcx
	FIXUP	mov 8(%rax), %r11		/* rcx */
	mov	%r11, %gs:PCPU_scratch + 8
	FIXUP	mov 16(%rax), %r11
	FIXUP	mov (%rax), %rax
	/* nothing of the guest's stack is needed any more: act */
	WINDOW					/* twice the guest's GS for an instruction */
	swapgs
	wrgsbase %rcx
	swapgs
	WINDOW_END iret_gs
	mov	%gs:PCPU_area, %rcx		/* user mode always has its interrupts on */
	movb	$1, AREA_irq_enabled(%rcx)
	LOAD_ROOT PCPU_user_cr3, %rcx
	movb	$0, %gs:PCPU_kernel_mode
	incq	%gs:PCPU_n_user_returns
	mov	%gs:PCPU_scratch + 8, %rcx
	IRET_GUEST iret_user

/*
 * iret to the guest kernel. rax = the guest's stack, rcx = cs of its frame, r11 is free.
 * GS base and CR3 stay; the virtual IF is the frame's. scratch: 1 = that IF, 2 = rax.
 */
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
	IRET_GUEST iret_kernel

/*
 * sysret, to user mode alone. Guest stack, in rax: rax, rip cs rflags rsp ss. Registers free:
 * rax, rcx, r11. rcx and r11 end as rip and rflags, as the instruction leaves them. rsp is
 * used as a register from "act" on: nothing may be pushed then. scratch: 1 = rsp, 2 = rax.
 */
hypercall_sysret:
	cmp	hole_end(%rip), %rax
	jb	sysret_slow
	GUEST_OPEN				/* SYSRET closes it */
	FIXUP	cmpq $SEL_USER_CS, 16(%rax)
	jne	sysret_slow
	FIXUP	mov 32(%rax), %rcx		/* rsp */
	mov	%rcx, %gs:PCPU_scratch + 8
	FIXUP	mov 24(%rax), %r11		/* rflags */
	and	$RFLAGS_GUEST, %r11d
	or	$RFLAGS_RUN, %r11d
	FIXUP	mov 8(%rax), %rcx		/* rip */
	FIXUP	mov (%rax), %rax
	mov	%rcx, %rsp
	shr	$47, %rsp
	jnz	sysret_slow
	/* act */
	mov	%rax, %gs:PCPU_scratch + 16
	WINDOW					/* no stack from here on */
	mov	%gs:PCPU_area, %rsp
	movb	$1, AREA_irq_enabled(%rsp)
	mov	AREA_user_gs_base(%rsp), %rax
	CANONICAL %rax
	swapgs
	wrgsbase %rax
	swapgs
	LOAD_ROOT PCPU_user_cr3, %rax
	movb	$0, %gs:PCPU_kernel_mode
	incq	%gs:PCPU_n_user_returns
	mov	%gs:PCPU_scratch + 16, %rax
	mov	%gs:PCPU_scratch + 8, %rsp
	CLEAR_BUFFERS
	swapgs
	sysretq
	WINDOW_END sysret

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
	GUEST_CLOSE
	mov	%gs:PCPU_scratch + 32, %rax
	mov	%gs:PCPU_scratch + 40, %rcx
	mov	$RFLAGS_RUN, %r11d
/* iret or sysret in C, all registers as the guest called, but for rsp. rax = the result then. */
return_slow:
	SYSCALL_TO_C hypercall_dispatch
	mov	%rax, REGS_rax(%rsp)
	jmp	exit_to_guest

/*
 * A system call of guest user mode: push ss rsp rflags cs rip on area.sp0 and enter
 * the guest kernel. Kept as they are: all registers but rcx, r11 and rsp. In: as
 * syscall_entry, with the guest's rsp in scratch[0]. scratch: 1 = rax, 2 = rdx.
 * The kernel root is loaded first, for the vCPU area and the guest's kernel stack are mapped only
 * there. kernel_mode is set after them: that is how guest_access_failed knows a bounce.
 */
	.balign	16
syscall_bounce:
	WINDOW
	cmpb	$0, %gs:PCPU_fast
	je	bounce_slow
	mov	%rax, %gs:PCPU_scratch + 8
	mov	%rdx, %gs:PCPU_scratch + 16
	LOAD_ROOT PCPU_kernel_cr3, %rdx
	mov	%gs:PCPU_area, %rdx
	mov	AREA_sp0(%rdx), %rax		/* the one load of a guest's value */
	cmp	hole_end + 8(%rip), %rax	/* all that is pushed lies above the hole */
	jb	bounce_failed
	mov	%gs:PCPU_scratch, %rdx
	mov	%gs:PCPU_stack_top, %rsp
	WINDOW_END bounce_in
	GUEST_OPEN				/* SYSRET closes it */
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
	WINDOW
	swapgs
	rdgsbase %r11
	wrgsbase %rcx
	swapgs
	WINDOW_END bounce_gs
	mov	%r11, AREA_user_gs_base(%rdx)
	mov	%gs:PCPU_syscall_entry, %rcx
	mov	$RFLAGS_RUN, %r11d
	CLEAR_BUFFERS
	WINDOW					/* the guest's stack, then its GS, at CPL 0 */
	lea	-40(%rax), %rsp
	mov	%gs:PCPU_scratch + 8, %rax
	mov	%gs:PCPU_scratch + 16, %rdx
	swapgs
	sysretq
	WINDOW_END bounce

/*
 * rax and rdx are in the scratch words, rcx and r11 untouched. CR3 is the kernel root: C finds
 * the user root loaded, as for every other entry from user mode (but see root_for_c).
 */
bounce_failed:
	LOAD_ROOT PCPU_user_cr3, %rax
	addq	$2, %gs:PCPU_n_root_switches	/* and to the kernel root */
	mov	%gs:PCPU_scratch + 8, %rax
	mov	%gs:PCPU_scratch + 16, %rdx
/* The bounce in C. All registers as user mode called, but for rsp. */
bounce_slow:
	SYSCALL_TO_C syscall_from_user
	jmp	exit_to_guest

/* SYSCALL from compatibility mode (CSTAR): #UD. eax.. as the guest's; ecx = eip behind it. */
	.globl	syscall_compat_entry
	.balign	16
syscall_compat_entry:
	WINDOW
	swapgs
	mov	%rsp, %gs:PCPU_scratch
	PUSH_SYSCALL_FRAME SEL_USER_CS32
	WINDOW_END compat
	subq	$2, (%rsp)			/* a fault: back to the instruction */
	pushq	$0
	pushq	$6
	jmp	trap_guest

/*
 * Exceptions and interrupts. Each stub pushes an error code if the hardware did
 * not, and its vector. All registers as they were interrupted; rsp = vector, error code and
 * the hardware's frame, on this pCPU's stack: at its top if a guest ran (rsp0 of the TSS),
 * below what was there if ring 0 did. CR3 stays as it is: ring 0 is mapped in every root.
 */
	.balign	16
trap_common:
	WINDOW
	testb	$3, 24(%rsp)			/* vector error rip [cs] */
	jz	trap_ring0
	swapgs
	lfence					/* not before GS is ours, even by speculation */
	WINDOW_END trap
/* GS is ours; rsp = vector, error code, frame of the guest, at the top of the stack. */
trap_guest:
	incq	%gs:PCPU_n_crossings
	movb	$0, %gs:PCPU_exposed
	PUSH_REGS
	cld					/* the guest's DF, which C expects clear */
	GUEST_CLOSE				/* and its AC */
	MEASURE	MEASURE_ROOTS, call root_for_c
	mov	%rsp, %rdi
	mov	%cr2, %rsi			/* before C: a fault of ours overwrites it */
	call	trap_from_guest
	jmp	exit_to_guest

/*
 * From ring 0: an interrupt of the idle loop, a fault of a FIXUP or guest_copy, whose rip C
 * changes to the fix-up, or an IRET to the guest that faulted. GS is ours, but the guest's in the
 * last case: the stack says whose CPU this is, but for boot's stack, on which GS is never a
 * guest's. A guest that gives its own GS that very base changes nothing: both are equal then.
 */
trap_ring0:
	lfence					/* nor as if a guest had run */
	PUSH_REGS
	cld
	GUEST_CLOSE
	mov	%rsp, %rbx
	bt	$CPU_AREA_BIT, %rbx
	jnc	2f
	and	$-CPU_AREA_SIZE, %rbx
	add	$CPU_AREA_PCPU, %rbx
	MEASURE	MEASURE_ROOTS, call root_for_c_again
	cmpb	$0, PCPU_has_fsgsbase(%rbx)
	je	3f
	rdgsbase %rax
1:	cmp	%rbx, %rax
	je	2f
	swapgs
2:	lfence
	movabs	$HOLE_START, %rax
	cmp	%rax, REGS_rip(%rsp)
	jb	trap_stray
	mov	%rsp, %rdi
	mov	%cr2, %rsi
	call	trap_from_hypervisor
	POP_REGS
	add	$16, %rsp
	iretq
3:	mov	$0xc0000101, %ecx		/* MSR_GS_BASE */
	rdmsr
	shl	$32, %rdx
	or	%rdx, %rax
	jmp	1b

/*
 * "Ring 0" below the hypervisor: the code is a guest's, whatever the selector says. QEMU's
 * TCG enters vm86 by a 32-bit IRET of user mode, where CS has any value (rule 63).
 */
trap_stray:
	mov	%rsp, %rdi
	call	trap_from_nowhere
	jmp	exit_to_guest

/*
 * An IRET to the guest faulted. trap_from_hypervisor() has come back here with our GS, rsp at the
 * frame that was refused, and all registers the guest's: it has the fault (Linux: bad_iret).
 */
return_refused:
	movb	$0, %gs:PCPU_exposed
	pushq	$0
	pushq	$VECTOR_REFUSED
	PUSH_REGS
	mov	%rsp, %rdi
	call	pv_return_refused
	jmp	exit_to_guest

/*
 * NMI, #MC, #DF on stacks of their own. GS may be anything, and so may CR3; the stack says whose
 * CPU it is. The base is read and written by MSR, for SWAPGS would need to know which of the two is
 * active. r12 to r14 keep what must outlive C. The second NMI waits for IRETQ; nothing in
 * here faults, so there is none before.
 */
ist_common:
	PUSH_REGS
	cld
	GUEST_CLOSE
	mov	$0xc0000101, %ecx		/* MSR_GS_BASE */
	rdmsr
	mov	%eax, %r12d
	mov	%edx, %r13d
	mov	%rsp, %rbx
	and	$-CPU_AREA_SIZE, %rbx
	add	$CPU_AREA_PCPU, %rbx
	mov	%cr3, %r14
	call	root_for_c_again
	mov	%rbx, %rax
	mov	%rbx, %rdx
	shr	$32, %rdx
	wrmsr
	mov	%rsp, %rdi
	call	trap_ist
	mov	%r14, %cr3
	mov	$0xc0000101, %ecx
	mov	%r12d, %eax
	mov	%r13d, %edx
	wrmsr
	POP_REGS
	add	$16, %rsp
	iretq

/*
 * #DB and #MC on stacks of their own. From a guest: move the frame to the normal stack. #DB in
 * ring 0 is the one that MOV SS defers over SYSCALL or INT: dropped, the guest gets no second one.
 * It may come at the first instruction of syscall_entry, with the guest's rsp and GS: hence the
 * stack of its own. All registers as interrupted; scratch: 0 = rsp, 1 = rax.
 */
ist_from_guest:
	testb	$3, 24(%rsp)
	jz	ist_common
	swapgs
	lfence
	mov	%rsp, %gs:PCPU_scratch
	mov	%rax, %gs:PCPU_scratch + 8
	mov	%rsp, %rax
	mov	%gs:PCPU_stack_top, %rsp
	.irp	at, 48, 40, 32, 24, 16, 8, 0	/* ss rsp rflags cs rip, error code, vector */
	pushq	\at(%rax)
	.endr
	mov	%gs:PCPU_scratch + 8, %rax
	jmp	trap_guest

/*
 * The stubs, 16 bytes apart, one for each vector (desc.c). All registers as interrupted; rsp = the
 * hardware's frame, with an error code if the vector has one.
 */
	.globl	trap_stubs
	.balign	16
trap_stubs:
	vector = 0
	.rept	256
	.balign	16
	.if	vector >= 32 || !(VECTORS_WITH_ERROR >> (vector & 31) & 1)
	pushq	$0
	.endif
	pushq	$vector
	.if	vector == 1 || vector == 18	/* #DB, #MC */
	jmp	ist_from_guest
	.elseif	vector == 2 || vector == 8	/* NMI, #DF */
	jmp	ist_common
	.else
	jmp	trap_common
	.endif
	vector = vector + 1
	.endr

/*
 * On a CPU with Meltdown a user root has the way in alone (view.c). An entry from user mode loads
 * the kernel root before C, and exit_to_guest the user root last: struct regs is in a page that
 * both have. On others boot takes these calls away. rax is free, flags too.
 */
root_for_c:
	cmpb	$0, %gs:PCPU_kernel_mode
	jne	1f
	LOAD_ROOT PCPU_kernel_cr3, %rax
	jmp	2f
root_for_guest:
	cmpb	$0, %gs:PCPU_kernel_mode
	jne	1f
	LOAD_ROOT PCPU_user_cr3, %rax
2:	incq	%gs:PCPU_n_root_switches
1:	ret
/*
 * From ring 0: if an IRET to user mode faulted; and for ist_common, which may have come at any
 * place, on each CPU. rbx = struct pcpu, GS is unknown.
 */
root_for_c_again:
	mov	%cr3, %rax
	xor	PCPU_user_cr3(%rbx), %rax
	shl	%rax				/* CR3_KEEP is no part of CR3 */
	jnz	1f
	mov	PCPU_kernel_cr3(%rbx), %rax
	mov	%rax, %cr3
1:	ret

/* What VERW looks at: any selector of data that can be written. Mapped in every root. */
verw_operand:
	.word	SEL_USER_SS

/*
 * Indirect calls of C, and of hypercall_call, go through these: a CPU that a guest has trained to
 * go elsewhere waits in the loop by speculation (retpoline: Intel, "Retpoline: A Branch Target
 * Injection Mitigation"). Boot takes the first jump away where the CPU does not need it.
 */
	.irp	r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	.globl	__x86_indirect_thunk_\r
	.balign	32
__x86_indirect_thunk_\r:
	MEASURE	MEASURE_RETPOLINE, jmp 1f
	jmp	*%\r
1:	call	3f
2:	pause
	lfence
	jmp	2b
3:	mov	%\r, (%rsp)
	ret
	.endr

/*
 * enter_first: void enter_first(struct regs *top) - leave for the first time on this pCPU.
 * rdi = the frame at the top of the stack, which the work of exit_to_guest fills: the caller
 * has set WORK_RESCHED. What was on the stack below is dropped.
 */
	.globl	enter_first
enter_first:
	mov	%rdi, %rsp
	jmp	exit_to_guest

/*
 * long guest_copy(void *to, const void *from, size_t bytes) - one of the two is a guest
 * address. Returns the number of bytes not copied. The caller has checked that the range is
 * not the hypervisor's, and is exposed. Both REPs may fault; rcx tells how far they came.
 */
	.globl	guest_copy
guest_copy:
	GUEST_OPEN
	mov	%rdx, %rcx
	xor	%eax, %eax
	shr	$3, %rcx
	and	$7, %edx
9990:	rep movsq
	mov	%edx, %ecx
9991:	rep movsb
	GUEST_CLOSE
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
