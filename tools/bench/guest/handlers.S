/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handlers that do no more than they must, so that the way in and out is what counts.
 * With BARE they run in ring 0. In a guest: ..._raw return by iretq, which traps if it
 * returns to the kernel, ..._call by hypercall, fault_trap reads CR2 raw and writes its
 * entry through the watched mapping.
 */
#include <parvus/hypercalls.h>
#include "machine.h"

#define EOI	0xffffffffbfe000b0	/* local APIC, see bare.S */

/* rsp = rip cs rflags rsp ss */
.macro RETURN_CALL
	push	%r11
	push	%rcx
	push	%rax
	mov	$PARVUS_HC_iret, %eax
	syscall
.endm

/* The entry for the address in rdi: fault_table + page * 8; the value for it is in fault_value. */
.macro SET_ENTRY
	sub	fault_base(%rip), %rdi
	shr	$9, %rdi
	and	$~7, %rdi
	add	fault_table(%rip), %rdi
	mov	fault_value(%rip), %rax
	mov	%rax, (%rdi)
	pop	%rax
	pop	%rdi
	add	$8, %rsp
.endm

.macro COUNT_A
	incq	irqs_a(%rip)
#ifdef BARE
	movl	$0, EOI
#endif
.endm
.macro COUNT_B
	incq	irqs_b(%rip)
#ifdef BARE
	movl	$0, EOI
#endif
.endm

	.text
	.globl	ud_raw, fault_raw, irq_raw, irq_b_raw, irqs_a, irqs_b
	.globl	fault_table, fault_base, fault_value
	.balign	16
ud_raw:	addq	$2, (%rsp)
	iretq
	.balign	16
fault_raw:
	push	%rdi
	push	%rax
	mov	%cr2, %rdi
	SET_ENTRY
	iretq
	.balign	16
irq_raw:
	COUNT_A
	iretq
	.balign	16
irq_b_raw:
	COUNT_B
	iretq

#ifdef BARE
	.globl	syscall_light, return_stub, return_loop
/* As a kernel does it: to its own stack, with a frame, back by SYSRET. gs:0: stack, gs:8: scratch */
	.balign	16
syscall_light:
	swapgs
	mov	%rsp, %gs:8
	mov	%gs:0, %rsp
	pushq	$0x2b
	pushq	%gs:8
	push	%r11
	pushq	$0x33
	push	%rcx
	mov	(%rsp), %rcx
	mov	16(%rsp), %r11
	mov	24(%rsp), %rsp
	swapgs
	sysretq

/* void return_loop(u64 n): user code at 0x400000 is a SYSCALL, which ends in return_stub. */
	.balign	16
return_loop:
	mov	%rsp, kernel_rsp(%rip)
	mov	%rdi, %rdx
	swapgs
1:	pushq	$0x2b
	pushq	$0x5fff00
	pushq	$0x202
	pushq	$0x33
	pushq	$0x400000
	swapgs
	iretq
	.balign	16
return_stub:
	swapgs
	mov	%rsp, %gs:8
	mov	kernel_rsp(%rip), %rsp
	dec	%rdx
	jnz	1b
	swapgs
	ret
#else
	.globl	ud_call, fault_call, fault_trap, irq_call, irq_b_call, syscall_light, syscall_raw
	.globl	return_stub, return_loop, event_call
	.balign	16
ud_call:
	addq	$2, (%rsp)
	RETURN_CALL
	.balign	16
fault_call:
	push	%rdi
	push	%rax
	mov	area + 8(%rip), %rdi		/* parvus_vcpu_area.cr2 */
	SET_ENTRY
	RETURN_CALL
	.balign	16
fault_trap:
	push	%rdi
	push	%rax
	mov	%cr2, %rdi
	SET_ENTRY
	RETURN_CALL
	.balign	16
irq_call:
	COUNT_A
	RETURN_CALL
	.balign	16
irq_b_call:
	COUNT_B
	RETURN_CALL
	.balign	16
/* The event is served as in tests/guest/lib/event.h. */
event_call:
	PUSH_CALLER_SAVED
	call	event_light
	POP_CALLER_SAVED
	RETURN_CALL

/* The hypervisor has changed stacks and pushed the frame. */
	.balign	16
syscall_light:
	push	%rax
	mov	$PARVUS_HC_sysret, %eax
	syscall
	.balign	16
syscall_raw:
	mov	(%rsp), %rcx
	mov	16(%rsp), %r11
	mov	24(%rsp), %rsp
	sysretq

	.balign	16
return_loop:
	mov	%rsp, kernel_rsp(%rip)
	mov	%rdi, %rdx
1:	pushq	$0x2b
	pushq	$0x5fff00
	pushq	$0x202
	pushq	$0x33
	pushq	$0x400000
	RETURN_CALL
	.balign	16
return_stub:
	mov	kernel_rsp(%rip), %rsp
	dec	%rdx
	jnz	1b
	ret

	.globl	return_loop_raw, return_stub_raw, irq_apic
	.balign	16
return_loop_raw:
	mov	%rsp, kernel_rsp(%rip)
	mov	%rdi, %rdx
1:	mov	$0x202, %r11d
	mov	$0x400000, %ecx
	mov	$0x5fff00, %esp
	sysretq
	.balign	16
return_stub_raw:
	mov	kernel_rsp(%rip), %rsp
	dec	%rdx
	jnz	1b
	ret

/* As a native kernel with an x2APIC: end of interrupt by WRMSR, IRET; both trap. */
	.balign	16
irq_apic:
	push	%rax
	push	%rcx
	push	%rdx
	incq	irqs_a(%rip)
	mov	$0x80b, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq
#endif

	.data
	.balign	8
irqs_a:		.quad	0
irqs_b:		.quad	0
fault_table:	.quad	0
fault_base:	.quad	0x10000000
fault_value:	.quad	0
kernel_rsp:	.quad	0
	.section .note.GNU-stack, "", @progbits
