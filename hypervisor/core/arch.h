/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that core/ and mmu/ ask of the machine, and the one header through which they do.
 * x86/ implements it; the fake machine of the unit tests (tests/unit/native.c) does, too. What
 * stands on a hot path is inline: in ring 0 the last lines of this header fetch x86/arch.h.
 *
 * Protocol of a shootdown (rules 1 and 4). A pCPU is *exposed* while it runs a guest or
 * touches guest memory by guest address; C code of the hypervisor is not exposed. A flusher first
 * clears entries and raises the generation of the address space, full barrier, then looks at the
 * pCPUs that have it loaded: an exposed one gets an IPI and is waited for until it has served (or
 * has stopped being exposed); one that is not exposed will compare generations before it becomes
 * exposed again, and needs no IPI. A pCPU that becomes exposed sets its flag, full barrier, then
 * compares generations. No lock is held while waiting; the waiter is itself not exposed.
 */
#pragma once

#include <stdarg.h>
#include <core/limits.h>
#include <core/pcpu.h>

struct domain;
struct parvus_control_regs;
struct spinlock;

/* ---- pCPUs ---- */

static inline struct cpu *arch_this(void);	/* that runs this code */
static inline struct cpu *arch_cpu(unsigned int cpu);	/* of a number below arch_cpus() */
static inline unsigned int arch_this_cpu(void);	/* arch_this()->cpu */
static inline struct vcpu *arch_current(void);	/* arch_this()->current */
/* How many are online; 0 before arch_this() has an answer. */
static inline unsigned int arch_cpus(void);
/* Interrupt a pCPU, with any lock held: if exposed or idle it looks at its work bits then. */
void arch_kick_cpu(unsigned int cpu);
u32 arch_cpu_id(unsigned int cpu);	/* the number by which the hardware knows it */
void arch_halt(void);	/* let interrupts in and wait for one; served when it returns */
/* Let in what interrupts, amid long work (rule 69), with any lock held. Returns what is due. */
static inline u32 arch_breathe(void);
void arch_work(u32 work);	/* serve WORK_ARCH and WORK_FORGET; no lock is held */
noreturn void arch_stop(void);	/* this pCPU does nothing any more */
/* Call lock_wait(), which keeps all registers: the compiler does not see it, and saves none. */
static inline void arch_lock_wait(struct spinlock *l, u32 ticket);

/* ---- memory, and the hardware's MMU ---- */

/* Where the contents of a frame are, for good; and the way back. */
static inline void *arch_frame_map(mfn_t mfn);
static inline mfn_t arch_frame_of(const void *p);

/*
 * See all memory from here on, not what the running domain may see (rule 80), and what was seen
 * before. Memory of others can be touched without, at the price of a fault, and is then seen until
 * the way out. With any lock held. Guest addresses are not seen in between.
 */
u64 arch_full_begin(void);	/* what to give to arch_full_end() */
void arch_full_end(u64 root);
/* What is seen while vCPUs of @d run; 0 or -PARVUS_ENOMEM. It is freed when none runs any more. */
int arch_view_init(struct domain *d);
void arch_view_free(struct domain *d);
/* RAM of @d that has no gfn now, or what was an event page, is seen no more. True: TLBs see it. */
bool arch_view_drop(struct domain *d, mfn_t mfn);
/* The area of @v, which runs here or is about to, as entry.S reaches it. */
struct parvus_vcpu_area *arch_area(const struct vcpu *v);
static inline struct mmu_root *arch_mmu_root(unsigned int cpu);	/* [ROOT_PAIRS] */
static inline void *arch_mmu_cpu(unsigned int cpu);	/* MMU_CPU_BYTES, zero at first */
/* Use a pair of roots; or none. @good: what was cached of it is true still, but for flushes. */
void arch_root_load(unsigned int pair, bool good);
void arch_roots_leave(void);
/* Forget a range or all, small pages and large, in both roots of the pair in use, on this pCPU. */
void arch_tlb_flush_range(u64 start, u64 end);
void arch_tlb_flush_all(void);
void arch_tlb_forget(void);	/* all, in all pairs of roots */
/* May assembly serve system calls and returns by itself? For all pCPUs; with any lock held. */
void arch_fast_paths(bool may);
extern bool arch_1g_pages;
/* Bits of a guest entry above the physical address width: reserved (inject PF_RESERVED). */
extern u64 arch_reserved_bits;
/* May domain 0 have this machine frame, a device's or the firmware's? */
bool arch_frame_open(u64 mfn);

/* ---- the registers of a vCPU ---- */

/* For the registers that struct vcpu does not hold (FPU): 0 or -PARVUS_ENOMEM, to be freed, too. */
int arch_vcpu_init(struct vcpu *v);
void arch_vcpu_free(struct vcpu *v);
/* Registers of a fresh start in virtual kernel mode, IF = 0. @v is the caller's alone. */
void arch_vcpu_reset(struct vcpu *v, u64 rip, u64 rsp);
/* @v gets this pCPU; or loses it: all of it is saved. @regs: at the top of this pCPU's stack. */
void arch_context_load(struct vcpu *v, struct regs *regs);
void arch_context_save(struct vcpu *v, const struct regs *regs);
/* Bring the running vCPU's highest pending vector to its guest if its virtual IF allows it. */
void arch_vector_deliver(struct vcpu *v, struct regs *regs);
/* Add to @v, the running one, what this pCPU counted for it so far. */
void arch_stats_fold(struct vcpu *v);
/* What @v, which does not run, has in its registers, as its guest knows them. */
void arch_vcpu_regs(const struct vcpu *v, struct parvus_control_regs *r);
struct parvus_control_cpuid;
int arch_cpuid(struct domain *d, struct parvus_control_cpuid *a);	/* control CPUID */

/* ---- time ---- */

u64 arch_now_ns(void);		/* since boot; never goes back */
void arch_timer_arm(u64 ns);	/* the one interrupt of this pCPU's timer: when; 0 = none */
u64 arch_timer_late(void);	/* TSC ticks that it came late at the most: interrupts were off */
u64 arch_measures(void);	/* PARVUS_MEASURE_STATE() of what is done about CPUs that leak */
/* A guest's pvclock record, PARVUS_CLOCK_SIZE bytes: of time less @offset. */
void arch_clock_fill(void *record, s64 offset);
struct arch_clock {
	u64 tsc_khz;		/* found at boot, as is stable */
	u64 wall_ns;		/* time of day at time 0, ns since 1970; domain 0 corrects it */
	bool stable;		/* all pCPUs count alike: a guest need not look for jumps */
};
struct arch_clock arch_clock(void);
void arch_wall_set(u64 ns);
void arch_generation(u64 id[2]);	/* a number that no other domain has (generation_id) */

/* ---- interrupts of devices; one lock is held (irq.c), but where the number alone is asked ---- */

/* Each is a vector of the hardware: 0x30 to 0xef without 0x80, INT 0x80's gate. */
#define IRQ_HANDLES	191u
u32 arch_irq_lines(void);		/* global system interrupts are below this */
bool arch_irq_line_ours(u32 line);	/* that of a device of the hypervisor, or of none */
/* How @line reaches @cpu. What is set before it is unmasked holds when it arrives. */
void arch_irq_line_set(u32 line, u32 handle, unsigned int cpu, bool level, bool low, bool masked);
/* What a device writes, and where, to interrupt @cpu; IRQ_HANDLES: what is dropped and counted. */
void arch_irq_message(u32 handle, unsigned int cpu, u64 *address, u32 *data);

/* ---- the serial line, the debug port, the end ---- */

int arch_console_get(void);	/* a character that came, or -1 */
void arch_console_put(char c);
void arch_debug_put(char c);
/* The end of the log, in RAM that the next start finds as it is, if it is no cold one. */
void arch_record_keep(void);
void arch_power_off(bool reboot);	/* returns in the unit tests alone */
/* Say so, with a backtrace from @rip and @frame, stop all pCPUs, power off. */
noreturn void arch_panic(u64 rip, u64 frame, const char *fmt, va_list ap);

#ifdef HV_NATIVE
#include <native_arch.h>
#else
#include <x86/arch.h>
#endif

/* ---- what follows from it ---- */

static inline bool arch_cpu_exposed(unsigned int cpu) { return READ_ONCE(arch_cpu(cpu)->exposed); }

/* Give a pCPU work, and interrupt it if it would not look at it soon. With any lock held. */
static inline void pcpu_kick(unsigned int cpu, u32 work)
{
	struct cpu *c = arch_cpu(cpu);

	cpu_work_add(c, work);
	if (c != arch_this() && (READ_ONCE(c->exposed) || READ_ONCE(c->idle)))
		arch_kick_cpu(cpu);
}
