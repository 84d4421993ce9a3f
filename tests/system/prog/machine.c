// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program can see of the processor, as a matrix: every flag, selector and base in
 * every register, over every way into the kernel and back; rip, rsp, cs, ss and flags of a
 * signal frame and of a debugger; every control bit that changes what an instruction does.
 * A line per case, without addresses, times or names that differ from run to run: the
 * same kernel must print the same natively and as a guest (tests/system/conformance.sh).
 *
 * Between the load of a state and its record nothing but run() below runs: C uses FS.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* ---- signals: what came, and on with the program ---- */

struct caught { long signo, code, trapno, error, addr, rip, cs, flags; };
static volatile struct caught caught;
static volatile long resume_at, *resume_rsp;
static bool int3_returns;

static void handler(int signo, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (signo == SIGTRAP && int3_returns)
		return;
	caught.signo = signo;
	caught.code = info->si_code;
	caught.addr = (long)info->si_addr;
	caught.trapno = r[REG_TRAPNO];
	caught.error = r[REG_ERR];
	caught.rip = r[REG_RIP];
	caught.cs = r[REG_CSGSFS] & 0xffff;
	caught.flags = r[REG_EFL];
	r[REG_RIP] = resume_at;
	r[REG_RSP] = *resume_rsp;
	r[REG_CSGSFS] = 0x33 | 0x2bl << 48;
	r[REG_EFL] = 0x202;
}

static void catch_all(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	static const int signals[] = { SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP };

	sigaltstack(&alt, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

/* ---- the state of the segments and flags, and the ways in and out ---- */

struct state {
	uint64_t flags, ds, es, fs, gs, ss, fs_base, gs_base;
	uint64_t load;			/* LOAD_*, and FS's or GS's base */
};
enum { LOAD_DS = 1, LOAD_ES = 2, LOAD_FS = 4, LOAD_GS = 8, LOAD_SS = 16, LOAD_FS_BASE = 32,
       LOAD_GS_BASE = 64, LOAD_FLAGS = 128, FSGSBASE = 256, PRCTL_FS_BASE = 512,
       PRCTL_GS_BASE = 1024 };

static struct shared {		/* with a forked child, and with the neighbour */
	struct state out[2];
	volatile uint64_t word;
} *shared;
static volatile char *page;		/* for the page fault */
static int traced_pid;
static cpu_set_t mask_here, mask_there;

extern char way_none[], way_syscall[], way_int80[], way_fault[], way_switch[], way_signal[],
	way_move[], way_fork[], way_ptrace[], run_resume[];
extern long run_rsp, run_fs;
int run(const struct state *in, struct state *out, void *way);

/*
 * int run(in, out, way): load, go the way, record in out (a forked child: in out + 1, and it
 * exits), restore FS. 0, or 1 if the load faulted. Neither ways nor record touch the flags.
 */
__asm__(
	".pushsection .text\n"
	"run:	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rdi, %rbx; mov %rsi, %r12; mov %rdx, %r13; mov $1, %r15d\n"
	/* ARCH_GET_FS */
	"	mov $158, %eax; mov $0x1003, %edi; lea run_fs(%rip), %rsi; syscall\n"
	"	mov %rsp, run_rsp(%rip)\n"
	"	mov 64(%rbx), %r14\n"
	"	test $1, %r14b; jz 1f; mov 8(%rbx), %ds\n"
	"1:	test $2, %r14b; jz 1f; mov 16(%rbx), %es\n"
	"1:	test $4, %r14b; jz 1f; mov 24(%rbx), %fs\n"
	"1:	test $8, %r14b; jz 1f; mov 32(%rbx), %gs\n"
	"1:	test $16, %r14b; jz 1f; mov 40(%rbx), %ss\n"
	"1:	test $32, %r14b; jz 1f; mov 48(%rbx), %rax; wrfsbase %rax\n"
	"1:	test $64, %r14b; jz 1f; mov 56(%rbx), %rax; wrgsbase %rax\n"
	"1:	test $512, %r14d; jz 1f; mov $158, %eax; mov $0x1002, %edi; mov 48(%rbx), %rsi; "
	"syscall\n"
	"1:	test $1024, %r14d; jz 1f; mov $158, %eax; mov $0x1001, %edi; mov 56(%rbx), %rsi; "
	"syscall\n"
	"1:	xor %r15d, %r15d\n"
	"	mov %r14d, %ebp; and $256, %ebp\n"	/* FSGSBASE */
	"	test $128, %r14d; jz 1f; push (%rbx); popf\n"
	"1:	call *%r13\n"
	"	pushf; pop (%r12)\n"
	"	mov %ds, %eax; mov %rax, 8(%r12); mov %es, %eax; mov %rax, 16(%r12)\n"
	"	mov %fs, %eax; mov %rax, 24(%r12); mov %gs, %eax; mov %rax, 32(%r12)\n"
	"	mov %ss, %eax; mov %rax, 40(%r12)\n"
	"	mov %rbp, %rcx; jrcxz 1f\n"
	"	rdfsbase %rax; mov %rax, 48(%r12); rdgsbase %rax; mov %rax, 56(%r12)\n"
	"1:	mov child(%rip), %rcx; jrcxz run_resume; mov $231, %eax; xor %edi, %edi; syscall\n"
	"run_resume:\n"
	"	pushq $0x202; popf\n"
	"	mov run_rsp(%rip), %rsp; mov $0x2b, %eax; mov %eax, %ss\n"
	"	xor %eax, %eax; mov %eax, %ds; mov %eax, %es; mov %eax, %gs; mov %eax, %fs\n"
	/* ARCH_SET_FS */
	"	mov $158, %eax; mov $0x1002, %edi; mov run_fs(%rip), %rsi; syscall\n"
	/* ARCH_SET_GS */
	"	mov $158, %eax; mov $0x1001, %edi; xor %esi, %esi; syscall\n"
	"	mov %r15d, %eax\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
	"way_none: ret\n"
	"way_syscall: mov $39, %eax; syscall; ret\n"
	"way_int80: mov $20, %eax; int $0x80; ret\n"
	"way_fault: mov page(%rip), %rax; movb $1, (%rax); ret\n"
	"way_switch: mov shared(%rip), %rax; movq $1, 144(%rax)\n"
	"1:	mov 144(%rax), %rcx; jrcxz 2f; pause; jmp 1b\n"
	"2:	ret\n"
	"way_signal: int3; ret\n"
	"way_move: mov $203, %eax; mov $0, %edi; mov $128, %esi; lea mask_there(%rip), %rdx; "
	"syscall\n"
	"	mov $203, %eax; lea mask_here(%rip), %rdx; syscall; ret\n"
	"way_fork: mov $57, %eax; syscall; mov %rax, %rcx; jrcxz 1f; ret\n"
	"1:	movq $1, child(%rip); lea 72(%r12), %r12; ret\n"
	"way_ptrace: mov $62, %eax; mov traced_pid(%rip), %edi; mov $19, %esi; syscall; ret\n"
	".popsection\n"
	".pushsection .bss\n"
	"	.balign 8\n"
	"run_fs: .quad 0\nrun_rsp: .quad 0\nchild: .quad 0\n"
	".popsection\n");
_Static_assert(sizeof(struct state) == 72 && offsetof(struct shared, word) == 144,
	       "the numbers in run()");

static const struct { const char *name; void *code; } ways[] = {
	{ "none", way_none }, { "syscall", way_syscall }, { "int80", way_int80 },
	{ "fault", way_fault }, { "switch", way_switch }, { "signal", way_signal },
	{ "move", way_move }, { "fork", way_fork }, { "ptrace", way_ptrace },
};
#define WAYS (traced_pid ? ARRAY_SIZE(ways) : ARRAY_SIZE(ways) - 1)

/* A process on the same CPU, with segments of its own, that answers as soon as it is let run. */
static pid_t neighbour(void)
{
	struct user_desc d = { .entry_number = 12, .base_addr = 0x7000, .limit = 0xfffff,
			       .seg_32bit = 1,
			       .limit_in_pages = 1 };
	struct timespec t = { 0, 100000 };
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!syscall(SYS_set_thread_area, &d))
		__asm__ volatile("mov %0, %%gs; mov %0, %%ds; mov %0, %%es" : : "r"(0x63));
	for (;;) {
		nanosleep(&t, NULL);
		shared->word = 0;
	}
}

static uint64_t null_free(uint64_t selector) { return selector < 4 ? 0 : selector; }

/* Run it and print what became of it, for parent and child. */
static void go(const char *what, unsigned int w, const struct state *in, bool segments)
{
	int failed, n = ways[w].code == (void *)way_fork ? 2 : 1;

	memset(shared->out, 0xee, sizeof(shared->out));
	madvise((void *)page, 4096, MADV_DONTNEED);
	resume_at = (long)run_resume;
	resume_rsp = &run_rsp;
	int3_returns = true;
	failed = run(in, shared->out, ways[w].code);
	int3_returns = false;
	while (n == 2 && waitpid(-1, NULL, __WALL | WNOHANG) == 0)
		sched_yield();
	if (failed) {
		printf("%s %s: signal %ld trap %ld error %lx\n", what, ways[w].name, caught.signo,
		       caught.trapno, caught.error);
		return;
	}
	for (int i = 0; i < n; i++) {
		struct state *o = &shared->out[i];

		if (segments)
			printf("%s %s%s: ds %lx es %lx fs %lx gs %lx ss %lx fs base %lx gs base "
			       "%lx\n", what, ways[w].name, i ? " child" : "", null_free(o->ds),
			       null_free(o->es), null_free(o->fs), null_free(o->gs), o->ss,
			       in->load & FSGSBASE && o->fs_base != (uint64_t)run_fs ? o->fs_base :
			       0, in->load & FSGSBASE ? o->gs_base : 0);
		else
			printf("%s %s%s: flags %lx\n", what, ways[w].name, i ? " child" : "",
			       o->flags);
	}
}

static const struct { const char *name; uint64_t value; } flags[] = {
	{ "none", 0 }, { "CF", 1 }, { "PF", 4 }, { "AF", 0x10 }, { "ZF", 0x40 }, { "SF", 0x80 },
	{ "IF", 0x200 }, { "DF", 0x400 }, { "OF", 0x800 }, { "IOPL", 0x3000 }, { "NT", 0x4000 },
	{ "RF", 0x10000 }, { "VM", 0x20000 }, { "AC", 0x40000 }, { "VIF", 0x80000 },
	{ "VIP", 0x100000 }, { "ID", 0x200000 }, { "all but TF", 0x3ffeff },
};
/* All of Linux's and the hypervisor's entries with each privilege, and some that do not exist. */
static const uint16_t selectors[] = {
	0, 1, 2, 3, 4, 7, 0x08, 0x0b, 0x10, 0x13, 0x18, 0x1b, 0x20, 0x23, 0x28, 0x29, 0x2a, 0x2b,
	0x30, 0x33, 0x38, 0x3b, 0x40, 0x43, 0x4b, 0x5b, 0x60, 0x61, 0x62, 0x63, 0x67, 0x68, 0x6b,
	0x70, 0x73, 0x78, 0x7b, 0x80, 0x83, 0x88, 0x8b, 0x90, 0x93, 0x98, 0x9b, 0xa3, 0xfff8,
	0xffff,
};
static const uint64_t bases[] = {
	0, 0x1000, 0x12345678, 0x7fffffffe000, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000,
	0xffff7fffffffffff, 0xffff800000000000, 0xffff87ffffffffff, 0xffff880000000000,
	0xffffffff80000000, 0xffffffffff600000, 0xffffffffffffffff, 0x8000000000000000,
	0x4141414141414141,
};

static bool canonical(uint64_t v) { return (uint64_t)((int64_t)(v << 16) >> 16) == v; }

static void segments_and_flags(void)
{
	static const char *const names[] = { "ds", "es", "fs", "gs", "ss" };
	uint64_t fsgsbase = getauxval(AT_HWCAP2) & 2 ? FSGSBASE : 0;
	char what[64];
	unsigned int i, k, w;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		for (w = 0; w < WAYS; w++) {
			struct state in = { .flags = flags[i].value | 0x202, .load = LOAD_FLAGS };

			snprintf(what, sizeof(what), "flag %s", flags[i].name);
			go(what, w, &in, false);
		}
	for (k = 0; k < ARRAY_SIZE(names); k++)
		for (i = 0; i < ARRAY_SIZE(selectors); i++)
			for (w = 0; w < WAYS; w++) {
				struct state in = { .load = fsgsbase | 1u << k };

				in.ds = in.es = in.fs = in.gs = in.ss = selectors[i];
				snprintf(what, sizeof(what), "%s %x", names[k], selectors[i]);
				go(what, w, &in, true);
				if (shared->out[0].flags == 0xeeeeeeeeeeeeeeee)
					break;	/* it does not load: once is enough */
			}
	for (i = 0; i < ARRAY_SIZE(bases); i++)
		for (w = 0; w < WAYS; w++) {
			struct state in = { .fs_base = bases[i], .gs_base = bases[i],
					    .load = fsgsbase | PRCTL_FS_BASE | PRCTL_GS_BASE };

			snprintf(what, sizeof(what), "arch_prctl base %lx", bases[i]);
			go(what, w, &in, true);
			/* QEMU's WRGSBASE takes what is not canonical; the hypervisor bends it */
			if (!fsgsbase || !canonical(bases[i]))
				continue;
			in.load = fsgsbase | LOAD_FS_BASE | LOAD_GS_BASE;
			snprintf(what, sizeof(what), "wrfsbase %lx", bases[i]);
			go(what, w, &in, true);
		}
}

/* The debugger of the ways: stops it, reads all registers, writes them back. */
static void trace(pid_t pid)
{
	struct user_regs_struct regs;
	int status;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		int signo = WSTOPSIG(status);

		if (signo == SIGSTOP) {
			ptrace(PTRACE_GETREGS, pid, NULL, &regs);
			ptrace(PTRACE_SETREGS, pid, NULL, &regs);
			signo = 0;
		}
		ptrace(PTRACE_CONT, pid, NULL, signo);
	}
	printf("traced program: status %x\n", status);
}

/* ---- the frame of a signal, and the registers of a debugger ---- */

enum { SET_RIP, SET_RSP, SET_CS, SET_SS, SET_FLAGS, SET_CS32 };
static const char *const set_names[] = { "rip", "rsp", "cs", "ss", "flags", "rip of 32-bit code" };
static volatile int set_what;
static volatile uint64_t set_value;
static long back_rsp;
extern char probe[], probe_back[];
void probe_enter(void);

/* What is to be changed is changed at the UD2; then the flags are recorded, and INT3 ends it. */
__asm__(
	".pushsection .text\n"
	"probe_enter: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, back_rsp(%rip); pushq $0x202; popf; ud2\n"
	"probe:	int3\n"
	"probe_back: mov %ss, %r12d; mov $0x2b, %eax; mov %eax, %ss\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
	".popsection\n");

static void change(uint64_t *rip, uint64_t *rsp, uint64_t *cs, uint64_t *ss, uint64_t *f)
{
	*rip = (uint64_t)probe;
	*rsp = back_rsp;
	switch (set_what) {
	case SET_RIP: *rip = set_value; break;
	case SET_RSP: *rsp = set_value; break;
	case SET_CS: *cs = set_value; break;
	case SET_SS: *ss = set_value; break;
	case SET_FLAGS: *f = set_value; break;
	case SET_CS32: *rip = set_value; *cs = 0x23; break;
	}
}

static void ud_handler(int signo, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t cs = r[REG_CSGSFS] & 0xffff, ss = r[REG_CSGSFS] >> 48 & 0xffff;

	change((uint64_t *)&r[REG_RIP], (uint64_t *)&r[REG_RSP], &cs, &ss, (uint64_t *)&r[REG_EFL]);
	r[REG_CSGSFS] = cs | ss << 48;
	signal(SIGILL, SIG_DFL);
	(void)signo;
	(void)info;
}

static void probe_report(const char *how)
{
	long rip = caught.rip == (long)probe + 1 ? -1 : caught.rip;

	printf("%s %s %lx: signal %ld code %ld trap %ld error %lx addr %lx cs %lx flags %lx", how,
	       set_names[set_what], set_value, caught.signo, caught.code, caught.trapno,
	       caught.error, caught.addr == (long)probe + 1 ? -1 : caught.addr, caught.cs,
	       caught.flags & ~0x10000l);
	printf(rip == -1 ? " at the end\n" : " rip %lx\n", rip);
}

static void by_sigreturn(void)
{
	struct sigaction action = { .sa_sigaction = ud_handler,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaction(SIGILL, &action, NULL);
	memset((void *)&caught, 0, sizeof(caught));
	resume_at = (long)probe_back;
	resume_rsp = &back_rsp;
	probe_enter();
	catch_all();
	probe_report("sigreturn");
}

/* In a child: the debugger changes it and reads what became of it. */
static void by_debugger(void)
{
	struct user_regs_struct r;
	int status, set;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME);
		probe_enter();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_GETREGS, pid, NULL, &r);
	back_rsp = ptrace(PTRACE_PEEKDATA, pid, &back_rsp, NULL);
	change((uint64_t *)&r.rip, (uint64_t *)&r.rsp, (uint64_t *)&r.cs, (uint64_t *)&r.ss,
	       (uint64_t *)&r.eflags);
	set = ptrace(PTRACE_SETREGS, pid, NULL, &r) ? errno : 0;
	if (!set)
		ptrace(PTRACE_CONT, pid, NULL, 0);
	if (!set && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		siginfo_t info;

		ptrace(PTRACE_GETREGS, pid, NULL, &r);
		ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
		caught = (struct caught){ .signo = info.si_signo, .code = info.si_code,
					  .addr = (long)info.si_addr,
					  .rip = (long)r.rip, .cs = (long)r.cs,
					  .flags = (long)r.eflags };
		probe_report("ptrace");
	} else {
		printf("ptrace %s %lx: error %d status %x\n", set_names[set_what], set_value, set,
		       status);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static void frames(void)
{
	static const uint64_t addresses[] = {
		0x10, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0x8000000000400000,
		0x4141414141414141, 0xffff7fffffffffff, 0xffff800000000000, 0xffff87fffffff000,
		0xffff880000000000, 0xffffffff81000000, 0xffffffffff600010, 0xffffffffffffffff,
	};
	unsigned int i, k;

	for (k = 0; k < 2; k++) {
		void (*way)(void) = k ? by_debugger : by_sigreturn;

		for (set_what = SET_RIP; set_what <= SET_RSP; set_what++)
			for (i = 0; i < ARRAY_SIZE(addresses); i++) {
				set_value = addresses[i];
				if (k && set_what == SET_RSP)
					continue;	/* no use of it until the end */
				way();
			}
		for (set_what = SET_CS; set_what <= SET_SS; set_what++)
			for (i = 0; i < ARRAY_SIZE(selectors); i++) {
				set_value = selectors[i];
				/* 32-bit code cannot end here */
				if (set_what == SET_CS && (selectors[i] | 3) == 0x23)
					continue;
				way();
			}
		set_what = SET_FLAGS;
		for (i = 0; i < ARRAY_SIZE(flags); i++) {
			set_value = flags[i].value | 0x202;
			way();
		}
		set_what = SET_CS32;
		for (i = 3; i < ARRAY_SIZE(addresses); i++) {
			set_value = addresses[i];
			way();
		}
	}
}

/* ---- instructions ---- */

extern char one_insn[], one_resume[];
extern long one_rsp;
uint64_t one(const void *code, uint64_t *memory);

/* Run @code, a few bytes in a page of its own with a RET behind: rax, or what fault there was. */
__asm__(
	".pushsection .text\n"
	"one:	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, one_rsp(%rip); mov %rdi, %rbx; mov %rsi, %rdi; mov %rsi, %rsi; xor %eax, "
	"%eax; xor %ecx, %ecx\n"
	"	xor %edx, %edx; call *%rbx\n"
	"one_resume: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
	".popsection\n.pushsection .bss\n.balign 8\none_rsp: .quad 0\n.popsection\n");

static uint8_t *code_page;
static uint64_t words[8];

static uint64_t run_code(const uint8_t *code, unsigned int length)
{
	memcpy(code_page, code, length);
	code_page[length] = 0xc3;
	memset((void *)&caught, 0, sizeof(caught));
	memset(words, 0xee, sizeof(words));
	resume_at = (long)one_resume;
	resume_rsp = &one_rsp;
	return one(code_page, words);
}

#define CODE(name, value, ...) { name, value, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
enum { NOTHING, RAX, MEMORY };		/* what of the result to show */
static const struct {
	const char *name;
	int shows;
	unsigned int length;
	uint8_t code[12];
} instructions[] = {
	CODE("cli", 0, 0xfa), CODE("sti", 0, 0xfb), CODE("hlt", 0, 0xf4), CODE("in", 0, 0xec),
	CODE("in 32", 0, 0xed), CODE("out", 0, 0xee), CODE("outsb", 0, 0x6e), CODE("insb", 0, 0x6c),
	CODE("in 0x70", 0, 0xe4, 0x70), CODE("int1", 0, 0xf1), CODE("int3", 0, 0xcc),
	CODE("ud2", 0, 0x0f, 0x0b), CODE("ud1", 0, 0x0f, 0xb9, 0xc0), CODE("clts", 0, 0x0f, 0x06),
	CODE("invd", 0, 0x0f, 0x08), CODE("wbinvd", 0, 0x0f, 0x09), CODE("wrmsr", 0, 0x0f, 0x30),
	CODE("rdmsr", 0, 0x0f, 0x32), CODE("rdpmc", 0, 0x0f, 0x33),
	CODE("mov cr0", 0, 0x0f, 0x20, 0xc0), CODE("mov to cr0", 0, 0x0f, 0x22, 0xc0),
	CODE("mov cr2", 0, 0x0f, 0x20, 0xd0), CODE("mov cr3", 0, 0x0f, 0x20, 0xd8),
	CODE("mov to cr3", 0, 0x0f, 0x22, 0xd8), CODE("mov cr4", 0, 0x0f, 0x20, 0xe0),
	CODE("mov to cr4", 0, 0x0f, 0x22, 0xe0), CODE("mov cr8", 0, 0x44, 0x0f, 0x20, 0xc0),
	CODE("mov dr0", 0, 0x0f, 0x21, 0xc0), CODE("mov dr4", 0, 0x0f, 0x21, 0xe0),
	CODE("mov dr7", 0, 0x0f, 0x21, 0xf8), CODE("mov to dr7", 0, 0x0f, 0x23, 0xf8),
	CODE("lgdt", 0, 0x0f, 0x01, 0x17), CODE("lidt", 0, 0x0f, 0x01, 0x1f),
	CODE("lldt", 0, 0x0f, 0x00, 0xd0), CODE("ltr", 0, 0x0f, 0x00, 0xd8),
	CODE("lmsw", 0, 0x0f, 0x01, 0xf0), CODE("invlpg", 0, 0x0f, 0x01, 0x3f),
	CODE("swapgs", 0, 0x0f, 0x01, 0xf8), CODE("clac", 0, 0x0f, 0x01, 0xca),
	CODE("stac", 0, 0x0f, 0x01, 0xcb), CODE("xsetbv", 0, 0x0f, 0x01, 0xd1),
	CODE("vmcall", 0, 0x0f, 0x01, 0xc1), CODE("vmmcall", 0, 0x0f, 0x01, 0xd9),
	CODE("monitor", 0, 0x0f, 0x01, 0xc8), CODE("mwait", 0, 0x0f, 0x01, 0xc9),
	CODE("sysretq", 0, 0x48, 0x0f, 0x07), CODE("sysexit", 0, 0x0f, 0x35),
	CODE("sysenter", 0, 0x0f, 0x34), CODE("into", 0, 0xce), CODE("salc", 0, 0xd6),
	CODE("rsm", 0, 0x0f, 0xaa), CODE("lcall gate", 0, 0x48, 0xff, 0x1f),
	CODE("movaps", 0, 0x0f, 0x28, 0x47, 0x01), CODE("div", 0, 0xf7, 0xf1),
	CODE("nop", 0, 0x0f, 0x1f, 0xc0), CODE("read of nothing", 0, 0x48, 0x8b, 0x01),
	CODE("write of nothing", 0, 0x48, 0x89, 0x01),
	/* UMIP, and what asks the descriptor table */
	CODE("sgdt", MEMORY, 0x0f, 0x01, 0x07), CODE("sidt", MEMORY, 0x0f, 0x01, 0x0f),
	CODE("sldt", RAX, 0x0f, 0x00, 0xc0), CODE("str", RAX, 0x0f, 0x00, 0xc8),
	CODE("smsw", RAX, 0x0f, 0x01, 0xe0), CODE("smsw memory", MEMORY, 0x0f, 0x01, 0x27),
	CODE("sldt memory", MEMORY, 0x0f, 0x00, 0x07), CODE("str memory", MEMORY, 0x0f, 0x00, 0x0f),
	CODE("xgetbv 5", 0, 0xb9, 0x05, 0, 0, 0, 0x0f, 0x01, 0xd0),
	CODE("ldmxcsr reserved", 0, 0xc7, 0x07, 0, 0, 1, 0, 0x0f, 0xae, 0x17),
	CODE("finit, fstsw", RAX, 0x9b, 0xdb, 0xe3, 0x9b, 0xdf, 0xe0),
};

static void show(const char *name, int shows, uint64_t rax)
{
	if (caught.signo) {
		/* QEMU 7.2's error code of INT n is n * 16 + 2 */
		printf("%s: signal %ld code %ld trap %ld error %lx addr %s\n", name, caught.signo,
		       caught.code, caught.trapno, (caught.error & 7) == 2 &&
		       caught.trapno == 13 ? 2 : caught.error,
		       caught.addr == (long)code_page ? "code" : caught.addr ? "other" : "0");
		return;
	}
	if (shows == MEMORY)
		printf("%s: %lx %lx\n", name, words[0], words[1]);
	else
		printf("%s: %lx\n", name, shows == RAX ? rax : 0);
}

static void all_instructions(void)
{
	char name[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(instructions); i++) {
		uint64_t rax = run_code(instructions[i].code, instructions[i].length);

		show(instructions[i].name, instructions[i].shows, rax);
	}
	for (i = 0; i < 256; i++) {
		uint8_t code[2] = { 0xcd, (uint8_t)i };

		if (i == 0x80)
			continue;
		snprintf(name, sizeof(name), "int 0x%x", i);
		show(name, NOTHING, run_code(code, 2));
	}
	/* selectors by LAR, LSL, VERR, VERW: what the descriptor table shows of itself */
	for (i = 0; i < 0x80; i += 8) {
		uint64_t lar = 0, lsl = 0;
		uint8_t ok_lar, ok_lsl, r, w;

		__asm__ volatile("lar %2, %0; setz %1" : "+r"(lar), "=r"(ok_lar) :
				 "r"((uint64_t)i | 3));
		__asm__ volatile("lsl %2, %0; setz %1" : "+r"(lsl), "=r"(ok_lsl) :
				 "r"((uint64_t)i | 3));
		__asm__ volatile("verr %w1; setz %0" : "=r"(r) : "r"(i | 3));
		__asm__ volatile("verw %w1; setz %0" : "=r"(w) : "r"(i | 3));
		printf("descriptor %x: lar %d %lx lsl %d %lx verr %d verw %d\n", i, ok_lar,
		       ok_lar ? lar : 0, ok_lsl, i == 0x78 ? 0 : lsl, r, w);
	}
}

/* ---- the time stamp counter ---- */

static const uint8_t code_rdtsc[] = { 0x0f, 0x31 }, code_rdtscp[] = { 0x0f, 0x01, 0xf9 };

static void tsc_is(const char *when)
{
	run_code(code_rdtsc, 2);
	printf("rdtsc %s: signal %ld trap %ld error %lx\n", when, caught.signo, caught.trapno,
	       caught.error);
	run_code(code_rdtscp, 3);
	printf("rdtscp %s: signal %ld trap %ld error %lx\n", when, caught.signo, caught.trapno,
	       caught.error);
}

static void tsc(void)
{
	int mode = 0, status;
	struct timespec t = { 0, 3000000 };
	pid_t pid;

	printf("PR_GET_TSC: %d", prctl(PR_GET_TSC, &mode));
	printf(" %d\n", mode);
	tsc_is("at first");
	printf("PR_SET_TSC: %d\n", prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	tsc_is("forbidden");
	for (int i = 0; i < 20; i++)
		nanosleep(&t, NULL);
	tsc_is("forbidden, after switches");
	sched_setaffinity(0, sizeof(mask_there), &mask_there);
	tsc_is("forbidden, elsewhere");
	sched_setaffinity(0, sizeof(mask_here), &mask_here);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		tsc_is("forbidden, in a child");
		printf("PR_SET_TSC: %d\n", prctl(PR_SET_TSC, PR_TSC_ENABLE));
		for (int i = 0; i < 20; i++) {
			sched_yield();
			run_code(code_rdtsc, 2);
			if (caught.signo)
				printf("rdtsc of another process: signal %ld\n", caught.signo);
		}
		tsc_is("allowed again in a child");
		fflush(stdout);
		_exit(0);
	}
	for (int i = 0; i < 200; i++) {
		sched_yield();
		run_code(code_rdtsc, 2);
		if (!caught.signo)
			printf("rdtsc is not forbidden any more\n");
	}
	waitpid(pid, &status, 0);
	printf("PR_SET_TSC: %d\n", prctl(PR_SET_TSC, PR_TSC_ENABLE));
	tsc_is("allowed again");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		syscall(SYS_prctl, PR_SET_SECCOMP, 1, 0, 0, 0);
		__asm__ volatile("rdtsc" : : : "eax", "edx");
		syscall(SYS_exit, 0);
	}
	waitpid(pid, &status, 0);
	printf("rdtsc under strict seccomp: status %x\n", status);
}

/* ---- which CPU ---- */

static void cpu_number(void)
{
	unsigned int cpu, eax, ebx, ecx, edx, aux = 0;
	bool rdtscp;
	cpu_set_t all;

	__asm__ volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(0x80000001));
	rdtscp = edx >> 27 & 1;
	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; cpu < 64; cpu++) {
		cpu_set_t one_cpu;
		unsigned int is = 999, node = 999, vdso = 999;
		uint64_t limit = 0;

		CPU_ZERO(&one_cpu);
		CPU_SET(cpu, &one_cpu);
		if (sched_setaffinity(0, sizeof(one_cpu), &one_cpu))
			break;
		syscall(SYS_getcpu, &is, &node, NULL);
		__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(0x7bull));
		if (rdtscp)
			__asm__ volatile("rdtscp" : "=a"(eax), "=d"(edx), "=c"(aux));
		getcpu(&vdso, NULL);
		printf("cpu %u: getcpu %u node %u vdso %u lsl %lu rdtscp %u\n", cpu, is, node, vdso,
		       limit & 0xfff, aux & 0xfff);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/* ---- debug registers, by a debugger ---- */

static volatile uint64_t watched;

static void debug_registers(void)
{
	static const uint64_t addresses[] = { 0x10, 0x7fffffffeff8, 0x800000000000,
					      0xffff800000000000, 0xffff880000000000,
					      0xffffffff81000000, 0xffffffffff600000 };
	static const uint64_t controls[] = { 0, 1, 0x55, 0x400, 0x2000, 0x10001, 0x50001, 0xd0001,
					     0xf0001, 0x20001, 0x90001, 0x30003, 0x100000000,
					     ~0ull };
	siginfo_t info;
	int status;
	pid_t pid;
	unsigned int i;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME);
		raise(SIGSTOP);
		for (;;) {
			watched++;
			sched_yield();
			raise(SIGSTOP);
		}
	}
	waitpid(pid, &status, 0);
#define DR(n) ((void *)(offsetof(struct user, u_debugreg) + 8 * (n)))
	for (i = 0; i < ARRAY_SIZE(addresses); i++)
		printf("dr0 = %lx: %d\n", addresses[i],
		       ptrace(PTRACE_POKEUSER, pid, DR(0), addresses[i]) ? errno : 0);
	ptrace(PTRACE_POKEUSER, pid, DR(0), &watched);
	for (i = 0; i < ARRAY_SIZE(controls); i++) {
		int ret = ptrace(PTRACE_POKEUSER, pid, DR(7), controls[i]) ? errno : 0;

		errno = 0;
		printf("dr7 = %lx: %d, reads %lx\n", controls[i], ret,
		       ptrace(PTRACE_PEEKUSER, pid, DR(7), NULL));
		ptrace(PTRACE_CONT, pid, NULL, 0);
		waitpid(pid, &status, 0);
		ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
		printf(" then status %x code %d dr6 %lx\n", status,
		       WSTOPSIG(status) == SIGTRAP ? info.si_code : 0,
		       ptrace(PTRACE_PEEKUSER, pid, DR(6), NULL) & 0xe00f);
		ptrace(PTRACE_POKEUSER, pid, DR(6), 0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* ---- steps ---- */

static void steps(void)
{
	static const struct {
		const char *name;
		unsigned int length;
		uint8_t code[16];
	} sequences[] = {
		{ "syscall", 8, { 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x90 } },
		{ "int80", 8, { 0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x90 } },
		{ "pushf, popf", 3, { 0x9c, 0x9d, 0x90 } },
		{ "mov ss", 8, { 0xb8, 0x2b, 0, 0, 0, 0x8e, 0xd0, 0x90 } },
		{ "mov ss, syscall", 14,
		  { 0xb8, 0x2b, 0, 0, 0, 0x8e, 0xd0, 0x0f, 0x05, 0x90, 0x90, 0x90, 0x90, 0x90 } },
		{ "rdtsc, cpuid", 6, { 0x53, 0x0f, 0xa2, 0x5b, 0x0f, 0x31 } },
		{ "fault", 3, { 0xc6, 0x07, 0x01 } },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(sequences); i++) {
		struct user_regs_struct r = { 0 };
		int status, n;
		pid_t pid;

		memcpy(code_page, sequences[i].code, sequences[i].length);
		code_page[sequences[i].length] = 0xf4;
		fflush(stdout);
		pid = fork();
		if (!pid) {
			ptrace(PTRACE_TRACEME);
			madvise((void *)page, 4096, MADV_DONTNEED);
			raise(SIGSTOP);
			one(code_page, (uint64_t *)page);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		while (r.rip != (uint64_t)code_page) {
			ptrace(PTRACE_SINGLESTEP, pid, NULL, 0);
			if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
				break;
			ptrace(PTRACE_GETREGS, pid, NULL, &r);
		}
		printf("steps of %s:", sequences[i].name);
		for (n = 0; n < 12 && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP; n++) {
			siginfo_t info;

			ptrace(PTRACE_SINGLESTEP, pid, NULL, 0);
			if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
				break;
			ptrace(PTRACE_GETREGS, pid, NULL, &r);
			ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
			printf(" %ld/%d/%lx", (long)(r.rip - (uint64_t)code_page), info.si_code,
			       (long)r.eflags & 0x100);
		}
		printf(" status %x\n", status);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
}

/* ---- the rest ---- */

static void others(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM };
	struct timespec t, soon = { 0, 20000000 };
	struct user_desc d = { .entry_number = 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct sigevent none = { .sigev_notify = SIGEV_NONE };
		timer_t timer;

		printf("alarm clock %u: %d", i, clock_gettime(clocks[i], &t) ? errno : 0);
		printf(" %d", clock_getres(clocks[i], &t) ? errno : 0);
		printf(" %d", timer_create(clocks[i], &none, &timer) ? errno : 0);
		printf(" %d\n", clock_nanosleep(clocks[i], 0, &soon, NULL));
	}
	printf("modify_ldt: %d\n", syscall(SYS_modify_ldt, 1, &d, sizeof(d)) ? errno : 0);
	printf("iopl: %d ioperm: %d\n", syscall(SYS_iopl, 3) ? errno : 0,
	       syscall(SYS_ioperm, 0x80, 1, 1) ? errno : 0);
	/* the vsyscall page can be called, and not read */
	for (i = 0; i < 3; i++) {
		/* gettimeofday(words, NULL), time(words), getcpu(words, NULL, NULL) */
		uint8_t call[] = { 0x31, 0xf6, 0x48, 0xc7, 0xc0, 0, (uint8_t)(i * 4), 0x60, 0xff,
				   0xff, 0xd0 };
		uint64_t rax = run_code(call, sizeof(call));

		printf("vsyscall %u: signal %ld result %s\n", i, caught.signo,
		       i == 1 ? (time_t)rax == time(NULL) ||
		       (time_t)rax + 1 == time(NULL) ? "now" : "wrong" :
		       (long)rax ? "wrong" : "0");
	}
	{
		static const uint8_t read_it[] = { 0x48, 0xc7, 0xc0, 0, 0, 0x60, 0xff, 0x8b, 0x00 };
		static const uint8_t inside[] = { 0x48, 0xc7, 0xc0, 0x10, 0, 0x60, 0xff, 0xff,
						  0xd0 };

		run_code(read_it, sizeof(read_it));
		printf("vsyscall read: signal %ld code %ld error %lx\n", caught.signo, caught.code,
		       caught.error);
		run_code(inside, sizeof(inside));
		printf("vsyscall inside: signal %ld code %ld error %lx\n", caught.signo,
		       caught.code, caught.error);
	}
}

int main(void)
{
	struct user_desc entries[] = {
		{ .entry_number = 12, .base_addr = 0x12340000, .limit = 0xfffff, .seg_32bit = 1,
		  .limit_in_pages = 1 },
		{ .entry_number = 13, .limit = 0xfffff, .seg_32bit = 1, .read_exec_only = 1,
		  .limit_in_pages = 1 },
		{ .entry_number = 14, .limit = 0, .seg_32bit = 1, .contents = 1 },
	};
	pid_t beside, pid;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	CPU_ZERO(&mask_here);
	CPU_SET(0, &mask_here);
	sched_getaffinity(0, sizeof(mask_there), &mask_there);
	if (CPU_COUNT(&mask_there) > 1)
		CPU_CLR(0, &mask_there);
	cpu_number();
	sched_setaffinity(0, sizeof(mask_here), &mask_here);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	code_page = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	catch_all();
	beside = neighbour();
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		printf("set_thread_area %u: %ld\n", entries[i].entry_number,
		       syscall(SYS_set_thread_area, &entries[i]));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME);
		traced_pid = getpid();
		segments_and_flags();
		fflush(stdout);
		_exit(0);
	}
	trace(pid);
	fflush(stdout);
	frames();
	all_instructions();
	tsc();
	debug_registers();
	steps();
	others();
	kill(beside, SIGKILL);
	printf("machine: end\n");
	return 0;
}
