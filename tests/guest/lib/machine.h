/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernels of the tests and of the benchmark know of the CPU, for C and for assembly:
 * bits of page tables, the exceptions with an error code, and the frame of struct frame
 * (guest.h). None of it is the hypervisor's header, on purpose: a wrong bit there would be
 * right here, too.
 */
#ifndef MACHINE_H
#define MACHINE_H

#ifdef __ASSEMBLER__
#define BIT(n)	(1 << (n))
#else
#define BIT(n)	(1ull << (n))
#endif

#define P	BIT(0)
#define W	BIT(1)
#define U	BIT(2)
#define PWT	BIT(3)
#define PCD	BIT(4)
#define A	BIT(5)
#define D	BIT(6)
#define PS	BIT(7)
#define NX	BIT(63)

/* #DF, #TS #NP #SS #GP #PF, #AC, #CP; #VC and #SX of AMD */
#define ERROR_CODES	(BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17) | \
			 BIT(21) | BIT(29) | BIT(30))

#ifdef __ASSEMBLER__
/* What C may change, and what it keeps. */
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
.macro PUSH_CALLEE_SAVED
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm
.macro POP_CALLEE_SAVED
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
.endm

/* stubs: 256 of them, 16 bytes apart; each pushes what makes the frame whole, and its vector. */
.macro TRAP_STUBS to:req
	.globl	stubs
	.balign	16
stubs:
	vector = 0
	.rept	256
	.balign	16
	has_error = 0
	.if	vector < 32
	has_error = ERROR_CODES >> vector & 1
	.endif
	.if	!has_error
	pushq	$0
	.endif
	pushq	$vector
	jmp	\to
	vector = vector + 1
	.endr
.endm

/* rsp = vector, error code, rip cs rflags rsp ss: call trap(struct frame *), all saved. */
.macro CALL_TRAP
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$~15, %rsp
	call	trap
	mov	%rbx, %rsp
.endm

/* rsp = struct frame: all registers are its; rsp = rip cs rflags rsp ss then. */
.macro POP_FRAME
	POP_CALLEE_SAVED
	POP_CALLER_SAVED
	add	$16, %rsp
.endm

/* void enter_user(struct frame *f): to user mode; user_return is where leave_user() ends it. */
.macro ENTER_USER leave:req
	.globl	enter_user, user_return
enter_user:
	PUSH_CALLEE_SAVED
	mov	%rsp, user_sp(%rip)
	mov	%rdi, %rsp
	jmp	\leave
user_return:
	mov	user_sp(%rip), %rsp
	POP_CALLEE_SAVED
	ret
.endm

/* root: the first 64 MiB of memory at BASE, in pages of 2 MiB; and one more entry at the end. */
.macro KERNEL_TABLES base:req, last=0, extents=32
	.globl	root
root:	.skip	511 * 8
	.quad	level3 - \base + (P | W | U)
level3:	.skip	510 * 8
	.quad	level2 - \base + (P | W | U)
	.quad	0
level2:
	entry = 0
	.rept	\extents
	.quad	entry * 0x200000 + (P | W | U | PS)
	entry = entry + 1
	.endr
	.skip	(511 - \extents) * 8
	.quad	\last
.endm
#endif

#endif
