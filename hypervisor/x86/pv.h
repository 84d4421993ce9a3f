/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the C files of x86/: virtual mode changes, delivery, scheduling. */
#pragma once

#include <core/log.h>
#include <core/vcpu.h>
#include <x86/decode.h>
#include <x86/desc.h>
#include <x86/paging.h>

/* pv.c: deliver exception or vector @vector to the running vCPU; kills its domain if not. */
void guest_exception(struct vcpu *v, struct regs *regs, u8 vector, u32 error);
bool exit_slow_update(struct pcpu *p, struct vcpu *v);	/* says whether a vector waits */
/* Push a page fault on the guest, remembering it for the prefill at iret. */
void guest_page_fault(struct vcpu *v, struct regs *regs, u64 va, u32 error);
/* The context of a frame rip cs rflags rsp ss with virtual selectors. */
void pv_return_to(struct vcpu *v, struct regs *regs, const u64 *frame);
/* Guest memory by guest address, in the kernel's view. True: all of it. */
bool guest_va_read(struct vcpu *v, u64 va, void *buf, size_t len);
bool guest_va_write(struct vcpu *v, u64 va, const void *buf, size_t len);

/* ports.c: IN, OUT, INS, OUTS of domain 0's kernel. False: the memory of a string is not there. */
bool port_access(struct vcpu *v, struct regs *r, struct insn *i);

/* view.c: at boot, when all CPUs are known and before there are domains. */
void view_start(bool isolate);
/* A fault of ring 0 where nothing is present. True: try again. */
bool view_fault(struct pcpu *p, u64 va);
/* Back from hv_root to @root, that of the virtual mode or the one that was loaded; NULL: stay. */
void view_root_is(struct pcpu *p, u64 *root);
void view_settle(struct pcpu *p);

/* context.c */
u64 guest_gs_base(void);
void guest_gs_base_set(u64 v);
u64 guest_fs_base(void);
void guest_fs_base_set(u64 v);
void debug_load(struct pcpu *p, const struct vcpu *v);
void tsd_load(struct pcpu *p, const struct vcpu *v);
noreturn void idle_forever(void);

/* entry.S */
noreturn void enter_first(struct regs *regs);
size_t guest_copy(void *to, const void *from, size_t bytes);

/* panic.c: of an exception in ring 0 */
noreturn void panic_regs(const struct regs *regs, const char *fmt, ...) __printf(2, 3);
bool panicking(void);

/* smp.c: the next CPU, with pages of its own. */
struct pcpu *pcpu_new(unsigned int cpu, u32 id);
void mmu_init_cpu(struct pcpu *p);
extern bool smp_go;

/* mcheck.c */
void mcheck_from_guest(struct vcpu *v, struct regs *regs);
void mcheck_from_hypervisor(struct pcpu *p, struct regs *regs);

/* emulate.c: the instruction at rip in guest kernel mode; CPUID in any. False: inject the fault. */
bool emulate(struct vcpu *v, struct regs *regs);
/* What a guest may have in these registers; and the debug registers, without loading them. */
bool xcr0_valid(u64 value, u64 most);
bool cr4_valid(u64 value);
bool debug_valid(u64 index, u64 value);
void debug_set(struct vcpu *v, u64 index, u64 value);
/* pv.c: a program's stack segment. */
bool user_ss(const u64 *tls, u64 ss);
/* What msr_read, msr_write and cpuid show; 0 or a negative errno. */
int guest_msr_read(struct vcpu *v, u32 msr, u64 *value);
int guest_msr_write(struct vcpu *v, u32 msr, u64 value);
void guest_cpuid(const struct vcpu *v, u32 leaf, u32 sub, u32 out[4]);
u64 guest_xcr0(const struct domain *d);	/* the most; 0: it has no XSAVE */

/* tools/bench/hypervisor.c: what only the benchmark's build has (make BENCH=1) */
#ifdef CONFIG_BENCH
#define BENCH(call)	bench_##call
bool bench_store(struct vcpu *v, struct regs *r, u64 va, u32 error);
bool bench_port(struct vcpu *v, struct regs *r, const struct insn *i);
bool bench_msr(struct vcpu *v, u32 msr, u64 value);
bool bench_sysret(struct vcpu *v, struct regs *r);
#else
#define BENCH(call)	false
#endif

/* In kernel mode. @which: from @fs on FS, kernel GS, user GS, as MSRs and PARVUS_BASE_* count. */
static ALWAYS_INLINE int base_set(struct vcpu *v, u64 which, u64 fs, u64 value)
{
	if (!canonical(value))
		return hv_error(PARVUS_EINVAL);
	if (which == fs) {
		guest_fs_base_set(value);
	} else if (which == fs + 1) {
		v->own->kernel_gs_base = this_pcpu()->kernel_gs_base = value;
		guest_gs_base_set(value);
	} else if (which == fs + 2) {
		v->area->user_gs_base = value;
	} else {
		return hv_error(PARVUS_EINVAL);
	}
	return 0;
}

static inline u64 sign_extend(u64 va) { return (u64)((s64)(va << 16) >> 16); }
/* The root that C runs with: the mode's, but that a bare user root is loaded by entry.S alone. */
static inline u64 *mode_root(struct pcpu *p)
{
	return p->kernel_mode || cpu_features.user_bare ? &p->kernel_cr3 : &p->user_cr3;
}
enum { USER_MODE, KERNEL_MODE };
static inline void set_mode(struct pcpu *p, bool kernel)
{
	p->kernel_mode = kernel;
	if (!cpu_features.user_bare)
		root_load(&p->roots, kernel ? &p->kernel_cr3 : &p->user_cr3);
	else if (p->full)
		root_load(&p->roots, &p->kernel_cr3);
}
