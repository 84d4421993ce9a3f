/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Start, page tables, trap stubs and the way back of a micro guest. The tables map
 * the first 64 MiB of memory with 2 MiB pages at 0xffffffff80000000, and user pages
 * are mapped by the tests themselves.
 */
#include <parvus/hypercalls.h>

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

/* 256 stubs, 16 bytes apart */
	.globl	stubs
	.balign	16
stubs:
	vector = 0
	.rept	256
	.balign	16
	.ifeq	((vector - 8) * (vector - 10) * (vector - 11) * (vector - 12) * (vector - 13) * (vector - 14) * (vector - 17) * (vector - 21))
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	common
	vector = vector + 1
	.endr

	.balign	16
	.globl	syscall_stub
syscall_stub:			/* rip cs rflags rsp ss */
	pushq	$0
	pushq	$0x100
common:
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$~15, %rsp
	call	trap
	mov	%rbx, %rsp
	.globl	leave
leave:				/* rsp = struct frame */
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	add	$16, %rsp
	push	%r11
	push	%rcx
	push	%rax
	mov	$PARVUS_HC_iret, %eax
	syscall
	ud2

/* int catch_fault(void (*fn)(void *), void *arg): 0, or 1 if fn took an exception. */
	.globl	catch_fault, catch_return
catch_fault:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
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
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* void enter_user(struct frame *f): to user mode; comes back when user code traps (trap() decides). */
	.globl	enter_user, user_return
enter_user:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, user_sp(%rip)
	mov	%rdi, %rsp
	jmp	leave
user_return:
	mov	user_sp(%rip), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* u64 hypercall_all(u64 nr): every register but rax, rcx, r11 must come back. 0, or a mask. */
	.globl	check_registers
check_registers:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
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
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .data
	.balign	4096
	.globl	root
root:	.skip	511 * 8
	.quad	level3 - BASE + 7
level3:	.skip	510 * 8
	.quad	level2 - BASE + 7
	.quad	0
level2:
	entry = 0
	.rept	32
	.quad	entry * 0x200000 + 0x87
	entry = entry + 1
	.endr
	.skip	480 * 8

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
