/* SPDX-License-Identifier: GPL-2.0-only */
/* The macros of entry.S, which includes this: registers, frames, what may fault. */

/*
 * Start and end of a fragile window. It makes no symbol, but a record in the section .windows,
 * which is not loaded: first and last address, and the name in 16 bytes. Tests land NMIs there.
 */
.macro WINDOW
8880:
.endm
.macro WINDOW_END name:req
8881:	.pushsection .windows, "", @progbits
	.quad	8880b, 8881b
8882:	.ascii	"\name"
	.fill	16 - (. - 8882b)
	.popsection
.endm

/*
 * An instruction that may fault on guest memory. The fault is taken on this very stack, and
 * retried when the software TLB had the entry; else the way on is guest_access_failed.
 */
.macro FIXUP insn:vararg
9990:	\insn
	.pushsection .ex_table, "a"
	.quad	9990b, guest_access_failed
	.popsection
.endm

.macro PUSH_CALLER_SAVED
	.irp	r, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11
	push	%\r
	.endr
.endm

.macro PUSH_REGS
	PUSH_CALLER_SAVED
	.irp	r, rbx, rbp, r12, r13, r14, r15
	push	%\r
	.endr
.endm

/*
 * The hardware's frame of an entry by SYSCALL, for struct regs. In: rcx = rip, r11 = rflags,
 * scratch[0] = rsp, all of the guest. Changed: rsp.
 */
.macro PUSH_SYSCALL_FRAME cs:req
	mov	%gs:PCPU_stack_top, %rsp
	movb	$0, %gs:PCPU_exposed
	pushq	$SEL_USER_SS
	pushq	%gs:PCPU_scratch
	push	%r11
	pushq	$\cs
	push	%rcx
.endm

/*
 * The rest of struct regs for a system call, and C. In: all registers are the guest's, but for
 * rsp. The function is called with struct regs in rdi, and rsp = struct regs when it is back.
 */
.macro SYSCALL_TO_C function:req
	PUSH_SYSCALL_FRAME SEL_USER_CS
	pushq	$0
	pushq	$VECTOR_SYSCALL
	PUSH_REGS
	MEASURE	MEASURE_ROOTS, call root_for_c
	mov	%rsp, %rdi
	call	\function
.endm

.macro POP_CALLER_SAVED
	.irp	r, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
	pop	%\r
	.endr
.endm

.macro POP_REGS
	.irp	r, r15, r14, r13, r12, rbp, rbx
	pop	%\r
	.endr
	POP_CALLER_SAVED
.endm

/* An instruction against CPUs that leak. Where none is needed boot puts NOPs (boot/measures.c). */
.macro MEASURE kind:req, insn:vararg
8870:	\insn
8871:	.pushsection .measures, "a"
	.quad	8870b
	.long	8871b - 8870b, \kind
	.popsection
.endm
/* The CPU's buffers are cleared: before each way to the guest (MDS). Changes flags. */
.macro CLEAR_BUFFERS
	MEASURE	MEASURE_VERW, verw verw_operand(%rip)
.endm

/*
 * Another domain's turn: what the last one left below struct regs, on that page, and in registers
 * that C keeps, goes. The pages below are stacks_clear()'s. rsp = struct regs, all others are free.
 */
.macro CLEAR_STACK
	movb	$0, %gs:PCPU_stack_old
	lea	REGS_SIZE - (CPU_AREA_STACK_TOP & 4095)(%rsp), %rdi
	mov	$((CPU_AREA_STACK_TOP & 4095) - REGS_SIZE) / 8, %ecx
	xor	%eax, %eax
	rep stosq
	.irp	r, ebx, ebp, r12d, r13d, r14d, r15d
	xor	%\r, %\r
	.endr
.endm

/* STAC and CLAC: they are #UD where the CPU has no SMAP. */
.macro GUEST_OPEN
	MEASURE	MEASURE_SMAP, stac
.endm
.macro GUEST_CLOSE
	MEASURE	MEASURE_SMAP, clac
.endm

/*
 * The kernel root or the user root. Where there is PCID, what its value said to be forgotten is
 * forgotten then: CR3_KEEP is set behind the load, as root_load() does it (x86/roots.c).
 */
.macro LOAD_ROOT root:req, reg:req
	mov	%gs:\root, \reg
	mov	\reg, %cr3
	MEASURE	MEASURE_PCID, orb $CR3_KEEP_BYTE, %gs:\root + 7
.endm

/* To the guest, by the frame at the stack's top. */
.macro IRET_GUEST window:req
	CLEAR_BUFFERS
	WINDOW
	swapgs
9990:	iretq
	WINDOW_END \window
	.pushsection .ex_table, "a"
	.quad	9990b, return_refused
	.popsection
.endm

/*
 * Sign-extend an address that the guest chose from bit 47. SYSRET and IRET with another one
 * fault in ring 0, SYSRET with the guest's stack even; WRGSBASE faults, too.
 */
.macro CANONICAL reg:req
	shl	$16, \reg
	sar	$16, \reg
.endm
