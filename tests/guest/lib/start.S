/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Start, page tables, trap stubs and the way back of a micro guest. The tables map
 * the first memory, 64 MiB if EXTENTS does not say more, with 2 MiB pages at
 * 0xffffffff80000000, and user pages are mapped by the tests themselves.
 */
#ifndef EXTENTS
#define EXTENTS	32
#endif
#include <parvus/hypercalls.h>
#include "machine.h"

#define BASE 0xffffffff80000000

	.section .note.Parvus, "a", @note
	.balign	4
	.long	7, 48, 1
	.asciz	"Parvus"
	.balign	4
	.long	48, 1
	.quad	start, root - BASE, 0, 0, 0

	.text
	.globl	start
start:
	lea	stack_top(%rip), %rsp
	mov	%rsi, %rdi
	xor	%ebp, %ebp
	call	guest_start
	ud2

	.globl	secondary_start
secondary_start:		/* vcpu_start: rsp set, rdi = argument */
	xor	%ebp, %ebp
	call	secondary_main
	ud2

	TRAP_STUBS common

	.balign	16
	.globl	syscall_stub
syscall_stub:			/* rip cs rflags rsp ss */
	pushq	$0
	pushq	$0x100
common:
	CALL_TRAP
	.globl	leave
leave:				/* rsp = struct frame */
	POP_FRAME
	push	%r11
	push	%rcx
	push	%rax
	mov	$PARVUS_HC_iret, %eax
	syscall
	ud2

/* int catch_fault(void (*fn)(void *), void *arg): 0, or 1 if fn took an exception. */
	.globl	catch_fault, catch_return
catch_fault:
	PUSH_CALLEE_SAVED
	sub	$8, %rsp
	mov	%rsp, catch_sp(%rip)
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
	movq	$0, catch_sp(%rip)
	xor	%eax, %eax
	jmp	1f
catch_return:
	mov	$1, %eax
1:	add	$8, %rsp
	POP_CALLEE_SAVED
	ret

	ENTER_USER leave

/* void enter_user_sysret(u64 *f, u64 rdi): the same by sysret; f = rax rip cs rflags rsp ss. */
	.globl	enter_user_sysret
enter_user_sysret:
	PUSH_CALLEE_SAVED
	mov	%rsp, user_sp(%rip)
	mov	%rdi, %rsp
	mov	%rsi, %rdi
	mov	$PARVUS_HC_sysret, %eax
	syscall
	ud2

/* u64 hypercall_all(u64 nr): every register but rax, rcx, r11 must come back. 0, or a mask. */
	.globl	check_registers
check_registers:
	PUSH_CALLEE_SAVED
	mov	%rdi, %rax
	mov	$0x1111, %edi
	mov	$0x2222, %esi
	mov	$0x3333, %edx
	mov	$0x4444, %r10d
	mov	$0x5555, %r8d
	mov	$0x6666, %r9d
	mov	$0x7777, %ebx
	mov	$0x8888, %ebp
	mov	$0x9999, %r12d
	mov	$0xaaaa, %r13d
	mov	$0xbbbb, %r14d
	mov	$0xcccc, %r15d
	syscall
	xor	%eax, %eax
	cmp	$0x1111, %rdi
	setne	%al
	.macro	CHECK reg, value
	cmp	$\value, \reg
	setne	%cl
	movzbl	%cl, %ecx
	lea	(%rcx, %rax, 2), %rax
	.endm
	CHECK	%rsi, 0x2222
	CHECK	%rdx, 0x3333
	CHECK	%r10, 0x4444
	CHECK	%r8, 0x5555
	CHECK	%r9, 0x6666
	CHECK	%rbx, 0x7777
	CHECK	%rbp, 0x8888
	CHECK	%r12, 0x9999
	CHECK	%r13, 0xaaaa
	CHECK	%r14, 0xbbbb
	CHECK	%r15, 0xcccc
	POP_CALLEE_SAVED
	ret

	.section .data
	.balign	4096
	KERNEL_TABLES BASE, extents=EXTENTS

	.bss
	.balign	4096
	.skip	16384
stack_top:
	.skip	16384
	.globl	stack_top, trap_stack_top, catch_sp, user_sp
trap_stack_top:
catch_sp: .quad	0
user_sp: .quad	0
	.section .note.GNU-stack, "", @progbits
