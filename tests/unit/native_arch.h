/* SPDX-License-Identifier: GPL-2.0-only */
/* The inline half of core/arch.h for the fake machine (native.c). */
#ifndef UNIT_NATIVE_ARCH_H
#define UNIT_NATIVE_ARCH_H

#define NATIVE_CPUS	4u

extern struct cpu *native_cpu_of[NATIVE_CPUS];
extern struct frame_info *frame_table;
extern struct mmu_root *native_root_of[NATIVE_CPUS];
extern u64 native_mmu_of[NATIVE_CPUS][MMU_CPU_BYTES / 8];
struct roots *arch_roots(void);

/* The fake machine has a CR3 and a TLB, too. */
#include <x86/cpu.h>
u64 native_read_cr3(void);
void native_write_cr3(u64 v);
void native_invlpg(u64 va);
#define read_cr3	native_read_cr3
#define write_cr3	native_write_cr3
#define invlpg		native_invlpg

extern _Thread_local unsigned int native_this_cpu;	/* a thread of a test is a pCPU */
void *native_frame_map(u64 mfn);
u64 native_frame_of(const void *p);

#define KEEPS_REGISTERS
void lock_wait(struct spinlock *l, u32 ticket);
static inline void arch_lock_wait(struct spinlock *l, u32 ticket) { lock_wait(l, ticket); }

static inline struct cpu *arch_cpu(unsigned int cpu) { return native_cpu_of[cpu]; }
static inline struct cpu *arch_this(void) { return arch_cpu(native_this_cpu); }
static inline unsigned int arch_this_cpu(void) { return native_this_cpu; }
static inline struct vcpu *arch_current(void) { return arch_this()->current; }
static inline unsigned int arch_cpus(void) { return NATIVE_CPUS; }
static inline struct mmu_root *arch_mmu_root(unsigned int cpu) { return native_root_of[cpu]; }
static inline void *arch_mmu_cpu(unsigned int cpu) { return native_mmu_of[cpu]; }
static inline void *arch_frame_map(mfn_t mfn) { return native_frame_map(mfn_x(mfn)); }
static inline mfn_t arch_frame_of(const void *p) { return _mfn(native_frame_of(p)); }
static inline u32 arch_breathe(void) { return 0; }

#endif
