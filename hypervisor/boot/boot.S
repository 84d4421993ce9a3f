/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the boot loader to C, for three protocols, and the secondary CPUs' way
 * from real mode. The first 4 GiB are mapped twice with 2 MiB pages, one to one
 * and at HV_BASE; paging_init() replaces both.
 */
#include <asm-offsets.h>

#define HV_BASE		0xffff800000000000
#define PHYS(x)		((x) - HV_BASE)
#define BOOT_STACK	16384
#define MB1_FLAGS	0x00010003	/* page-aligned modules, memory map, address fields */

	.section .boot.header, "a"
#ifndef BOOT_PVH
	.balign	4
mb1_header:
	.long	0x1badb002, MB1_FLAGS, -(0x1badb002 + MB1_FLAGS)
	.long	PHYS(mb1_header), PHYS(image_start), PHYS(load_end), PHYS(image_end)
	.long	PHYS(boot_start32)
#endif
	.balign	8
mb2_header:
	.long	0xe85250d6, 0, mb2_end - mb2_header, -(0xe85250d6 + (mb2_end - mb2_header))
	.balign	8
	.word	2, 0			/* addresses */
	.long	24, PHYS(mb2_header), PHYS(image_start), PHYS(load_end), PHYS(image_end)
	.balign	8
	.word	3, 0			/* entry */
	.long	12, PHYS(boot_start32)
	.balign	8
	.word	6, 0, 8, 0		/* page-aligned modules */
	.balign	8
	.word	5, 1			/* a frame buffer of any size, if there is one */
	.long	20, 0, 0, 0
	.balign	8
	.word	0, 0
	.long	8
mb2_end:

#ifdef BOOT_PVH
	/* Xen's PVH note (xen/include/public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY): QEMU reads it */
	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 4, 18
	.asciz	"Xen"
	.long	PHYS(boot_start32)
#endif

	.text
	.code32
/* eax, ebx as the protocol says; paging off, flat segments. */
	.globl	boot_start32
boot_start32:
	cld
	cli
	mov	%eax, %ebp
	mov	%ebx, %esi
	/* bss is not cleared by every loader: do it before the tables in it are built */
	mov	$PHYS(load_end), %edi
	mov	$PHYS(image_end), %ecx
	sub	%edi, %ecx
	shr	$2, %ecx
	xor	%eax, %eax
	rep stosl
	/* 4 page directories of 2 MiB pages */
	mov	$PHYS(boot_l2), %edi
	mov	$0x83, %eax
	mov	$2048, %ecx
1:	mov	%eax, (%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	1b
	mov	$PHYS(boot_l3), %edi
	mov	$PHYS(boot_l2) + 3, %eax
	mov	$4, %ecx
2:	mov	%eax, (%edi)
	add	$0x1000, %eax
	add	$8, %edi
	loop	2b
	movl	$PHYS(boot_l3) + 3, PHYS(boot_l4)
	movl	$PHYS(boot_l3) + 3, PHYS(boot_l4) + 256 * 8
	mov	$PHYS(boot_high), %ebx
/* To the high address of the physical one in ebx, in 64-bit mode. Clobbers eax ecx edx. */
enter_long32:
	mov	$PHYS(boot_l4), %eax
	mov	%eax, %cr3
	mov	$0x20, %eax			/* PAE alone: stray bits of firmware go */
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx		/* EFER */
	rdmsr
	or	$0x901, %eax			/* SCE, LME, NXE */
	wrmsr
	mov	$0x80050033, %eax		/* PG AM WP NE ET MP PE */
	mov	%eax, %cr0
	lgdt	PHYS(boot_gdt_ptr)
	ljmp	$0x10, $PHYS(long64)
	.code64
long64:
	mov	%ebx, %ebx
	movabs	$HV_BASE, %rax
	add	%rbx, %rax
	jmp	*%rax

boot_high:
	movabs	$boot_stack + BOOT_STACK, %rsp
	xor	%ebx, %ebx
	push	%rbx
	mov	%ebp, %edi
	mov	%esi, %esi
	call	boot_main
	hlt

/* Secondary CPUs start here in real mode, in a page below 1 MiB with a copy of this. */
	.code16
	.globl	trampoline_start, trampoline_end
trampoline_start:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	boot_gdt_ptr16 - trampoline_start
	mov	$0x11, %eax
	mov	%eax, %cr0
	ljmpl	$0x08, $PHYS(secondary32)
boot_gdt_ptr16:	.word	31
		.long	PHYS(boot_gdt)
trampoline_end:

	.code32
secondary32:
	mov	$0x18, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$PHYS(secondary_high), %ebx
	jmp	enter_long32
	.code64
secondary_high:
	mov	hv_root(%rip), %rax
	mov	%rax, %cr3
	mov	secondary_pcpu(%rip), %rdi
	mov	PCPU_stack_top(%rdi), %rsp
	call	secondary_main
	hlt

	.balign	8
boot_gdt:	.quad	0
		.quad	0x00cf9b000000ffff	/* 0x08: 32-bit code */
		.quad	0x00af9b000000ffff	/* 0x10: 64-bit code */
		.quad	0x00cf93000000ffff	/* 0x18: data */
boot_gdt_ptr:	.word	31
		.quad	PHYS(boot_gdt)

	.section .data.page, "aw"
	.balign	4096
boot_l4:	.skip	4096
boot_l3:	.skip	4096
boot_l2:	.skip	4 * 4096
boot_stack:	.skip	BOOT_STACK

	.section .note.GNU-stack, "", @progbits
