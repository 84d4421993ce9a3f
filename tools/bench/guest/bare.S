/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bare-machine floor of the benchmark: from multiboot 1 to long mode at the same
 * addresses as a micro guest (tests/guest/lib/start.S), trap stubs with the same frame, the
 * way to user mode and back, and a second CPU. Selectors are those of parvus/vcpu.h, where
 * kernel and user are real rings 0 and 3.
 */
#include "machine.h"

#define BASE		0xffffffff80000000
#define PHYS(x)		((x) - BASE)
#define MB_FLAGS	0x00010003
#define AP_PAGE		0x8000		/* below 1 MiB: free on every PC */

	.section .head, "ax"
	.balign	4
header:
	.long	0x1badb002, MB_FLAGS, -(0x1badb002 + MB_FLAGS)
	.long	PHYS(header), PHYS(image_start), PHYS(load_end), PHYS(image_end), PHYS(start)

	.code32
	.globl	start
start:
	cli
	cld
	mov	%ebx, PHYS(boot_info)
	mov	$PHYS(boot_stack_top), %esp
	call	long_mode
	.code64
	movabs	$high, %rax
	jmp	*%rax
high:
	lea	stack_top(%rip), %rsp
	xor	%ebp, %ebp
	call	bare_start
	ud2

	.code32
/* Returns in 64-bit mode, to a low address. */
long_mode:
	mov	$0x20, %eax			/* PAE */
	mov	%eax, %cr4
	mov	$PHYS(boot_root), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx		/* EFER: SCE LME NXE */
	rdmsr
	or	$0x901, %eax
	wrmsr
	mov	$0x80010033, %eax		/* PG WP NE ET MP PE */
	mov	%eax, %cr0
	lgdt	PHYS(gdt_low)
	pop	%eax
	mov	%eax, PHYS(far)
	ljmp	*PHYS(far)

	.code16
	.globl	ap_start, ap_end
ap_start:			/* copied to AP_PAGE */
	cli
	cld
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	AP_PAGE + ap_gdt - ap_start
	mov	$0x11, %eax
	mov	%eax, %cr0
	ljmpl	$0x08, $AP_PAGE + ap32 - ap_start
	.code32
ap32:
	mov	$0x18, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	/* the first one that comes is the second CPU */
	mov	$1, %eax
	xchg	%eax, PHYS(ap_taken)
	test	%eax, %eax
	jz	2f
1:	hlt
	jmp	1b
2:	mov	$PHYS(boot_stack_top), %esp
	mov	$PHYS(long_mode), %eax
	call	*%eax
	.code64
	movabs	$ap_high, %rax
	jmp	*%rax
	.balign	8
ap_gdt:	.word	31
	.long	PHYS(gdt)
ap_end:
ap_high:
	lea	ap_stack_top(%rip), %rsp
	xor	%ebp, %ebp
	call	bare_secondary
	ud2

	.text
	TRAP_STUBS common

common:
	CALL_TRAP
leave:				/* rsp = struct frame */
	POP_FRAME
	iretq

	ENTER_USER leave

	.section .data
	.balign	16
	.globl	gdt, far
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 0x08: 32-bit code, for the way up */
	.quad	0x00af9b000000ffff	/* 0x10: kernel code */
	.quad	0x00cf93000000ffff	/* 0x18: kernel data */
	.quad	0x00cffb000000ffff	/* 0x23: 32-bit user code */
	.quad	0x00cff3000000ffff	/* 0x2b: user data */
	.quad	0x00affb000000ffff	/* 0x33: user code */
	.quad	0
	.quad	0, 0, 0, 0		/* 0x40: the task state; spare */
	.quad	0, 0, 0, 0		/* 12: TLS entries, as in Linux */
gdt_low:
	.word	gdt_low - gdt - 1
	.long	PHYS(gdt)
	.balign	8
far:	.long	0
	.word	0x10
	.balign	8
	.globl	boot_info, ap_taken
boot_info: .quad 0
ap_taken: .long	0

/* One to one for the way up, and 64 MiB at BASE; the local APIC at BASE + 1022 MiB. */
	.balign	4096
boot_root:
	.quad	PHYS(level3_low) + 3
	.skip	510 * 8
	.quad	PHYS(level3) + 7
level3_low:
	.quad	PHYS(level2) + 3
	.skip	511 * 8
	KERNEL_TABLES BASE, last=0xfee00000 + (P | W | PWT | PCD | PS)

	.bss
	.balign	4096
	.skip	4096
boot_stack_top:
	.skip	16384
	.globl	stack_top, ap_stack_top, trap_stack_top, user_sp
stack_top:
	.skip	16384
ap_stack_top:
	.skip	16384
trap_stack_top:
user_sp: .quad	0
	.section .note.GNU-stack, "", @progbits
