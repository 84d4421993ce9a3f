// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fake machine behind the unit tests (native.h): core/arch.h, and nothing else.
 */
#include "native.h"
#include <stdarg.h>
#include <core/context.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/sched.h>
#include <parvus/control.h>
#include <x86/cpu.h>

/* What boot/ looks at of x86/; a test that looks there, too, has its own. */
__attribute__((weak)) struct firmware firmware;
__attribute__((weak)) bool screen_vga_text(void) { return false; }

/* The hypervisor's memory is an array that we give back in no test. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }

/* The order of locks is always checked. */
__attribute__((constructor)) static void check_locks(void) { lock_checks = LOCKS_CHECKED; }

/* ---- RAM ---- */

struct frame_info *frame_table;
extern u64 frame_table_count;	/* page_alloc.c's */

static u8 *ram;
static u64 ram_frames;

void native_boot(u64 frames, u64 hole)
{
	ram_frames = frames;
	ram = aligned_alloc(EXTENT_SIZE, ROUND_UP(frames << PAGE_SHIFT, EXTENT_SIZE));
	frame_table = calloc(1, frame_table_bytes(frames));
	EXPECT(ram && frame_table, "no memory");
	/* contents are stale, as the allocator's promise has it */
	memset(ram, 0xa5, frames << PAGE_SHIFT);
	frame_table_count = frames;
	frames_add(_mfn(hole), frames - hole);
}

/* ---- what may fail: page_alloc.c and guest_access.c are built with other names ---- */

unsigned int native_alloc_fail, native_access_fail, native_failed;
bool native_fail_on;
void (*native_on_alloc)(void);

static bool fails(unsigned int *n)
{
	if (native_on_alloc && n == &native_alloc_fail)
		native_on_alloc();
	if (!*n || --*n)
		return false;
	native_failed++;
	*n = native_fail_on;
	return true;
}

#define FAILING(count, type, name, otherwise, args, ...) \
	type real_##name args; \
	type name args \
	{ \
		return fails(&native_##count##_fail) ? (otherwise) : real_##name(__VA_ARGS__); \
	}
FAILING(alloc, int, alloc_frames, -PARVUS_ENOMEM, (unsigned int o, mfn_t *out), o, out)
FAILING(alloc, int, alloc_claimed, -PARVUS_ENOMEM, (struct domain *d, unsigned int o, mfn_t *out),
	d, o, out)
FAILING(alloc, bool, frames_claim, change <= 0 || coming ? real_frames_claim(d, change, coming) :
	false, (struct domain *d, s64 change, bool coming), d, change, coming)
FAILING(alloc, void *, hv_alloc, NULL, (size_t n), n)
FAILING(alloc, void *, hv_alloc_own, NULL, (u16 domain, size_t n), domain, n)
FAILING(alloc, void *, hv_alloc_claimed, NULL, (struct domain *d, size_t n), d, n)
FAILING(alloc, void *, hv_alloc_public, NULL, (size_t n), n)
FAILING(access, int, guest_read, -PARVUS_EFAULT,
	(struct domain *d, u64 gpa, void *to, size_t n), d, gpa, to, n)
FAILING(access, int, guest_write, -PARVUS_EFAULT,
	(struct domain *d, u64 gpa, const void *from, size_t n), d, gpa, from, n)
FAILING(access, void *, guest_map, NULL,
	(struct domain *d, u64 gpa, size_t n, size_t align), d, gpa, n, align)
FAILING(access, int, guest_copy_frame, -PARVUS_EFAULT,
	(struct domain *to, u64 t, struct domain *from, u64 f, size_t n), to, t, from, f, n)

void *native_frame_map(u64 mfn)
{
	if (mfn >= ram_frames)
		panic("frame_map of mfn %llx", (unsigned long long)mfn);
	return ram + (mfn << PAGE_SHIFT);
}

u64 native_frame_of(const void *p)
{
	u64 at = (u64)((const u8 *)p - ram);

	if (at >= ram_frames << PAGE_SHIFT)
		panic("frame_of a pointer that is not RAM");
	return at >> PAGE_SHIFT;
}

/* ---- logs, the serial line, the end ---- */

char native_log[512], native_warning[512], native_panic_text[512], native_serial[512];
const char *native_serial_in = "";
jmp_buf native_panic_to;
bool native_panic_wanted;

unsigned int native_warnings(void) { return (unsigned int)log_warnings(); }

bool native_logged(const char *part)
{
	static char all[LOG_RING + 1];
	u64 from = 0, end;

	all[log_read(&from, all, LOG_RING, &end)] = 0;
	return strstr(all, part);
}

void arch_debug_put(char c)
{
	static char line[512];
	static size_t n;

	if (c != '\n' && n < sizeof(line) - 1) {
		line[n++] = c;
		return;
	}
	line[n] = 0;
	memcpy(native_log, line, sizeof(line));
	n = 0;
	if (strstr(line, "warning: ") || strstr(line, "error: ")) {
		memcpy(native_warning, line, sizeof(line));
		fprintf(stderr, "log: %s\n", line);
	}
}

void arch_console_put(char c)
{
	size_t n = strlen(native_serial);

	if (n < sizeof(native_serial) - 1)
		native_serial[n] = c;
}

int arch_console_get(void) { return *native_serial_in ? *native_serial_in++ : -1; }

unsigned int native_power_offs;
bool native_rebooted;
void arch_power_off(bool reboot)
{
	native_power_offs++;
	native_rebooted = reboot;
}

unsigned int native_records;
void arch_record_keep(void) { native_records++; }

void arch_panic(u64 rip, u64 frame, const char *fmt, va_list ap)
{
	(void)rip;
	(void)frame;
	vsnprintf(native_panic_text, sizeof(native_panic_text), fmt, ap);
	if (native_panic_wanted)
		longjmp(native_panic_to, 1);
	fprintf(stderr, "panic: %s\n", native_panic_text);
	abort();
}

/* ---- time ---- */

u64 native_now, native_wall = 1000000000, native_timer[NATIVE_CPUS];
u64 arch_now_ns(void) { return native_now; }
u64 arch_timer_late(void) { return 0; }
u64 arch_measures(void) { return 0; }
void arch_timer_arm(u64 ns) { native_timer[native_this_cpu] = ns; }
void arch_clock_fill(void *record, s64 offset)
{
	memset(record, 0x11, 1);
	memcpy((char *)record + 8, &offset, sizeof(offset));
}
u32 native_line, native_line_writes;
bool native_line_masked[24], native_line_level[24];
u32 arch_irq_lines(void) { return 24; }
bool arch_irq_line_ours(u32 line) { return line == 4; }
void arch_irq_line_set(u32 line, u32 handle, UNUSED unsigned int cpu, bool level, UNUSED bool low,
		       bool masked)
{
	native_line = handle;
	native_line_writes++;
	native_line_level[line] = level;
	native_line_masked[line] = masked;
}
void arch_irq_message(u32 handle, unsigned int cpu, u64 *address, u32 *data)
{
	*address = 0xfee00000 + cpu * 0x1000;
	*data = handle;
}

void arch_generation(u64 id[2]) { id[0] = id[1] = 0; }

struct arch_clock arch_clock(void)
{
	return (struct arch_clock){ .tsc_khz = 1000000, .wall_ns = native_wall, .stable = true };
}
void arch_wall_set(u64 ns) { native_wall = ns; }

/* ---- registers: a vCPU's are its struct regs ---- */

unsigned int native_vcpu_fail, native_loads, native_saves, native_delivers;

int arch_vcpu_init(struct vcpu *v)
{
	if (native_vcpu_fail && !--native_vcpu_fail)
		return -PARVUS_ENOMEM;
	v->xsave = hv_alloc(PAGE_SIZE);
	return v->xsave ? 0 : -PARVUS_ENOMEM;
}

void arch_vcpu_free(struct vcpu *v) { hv_free(v->xsave, PAGE_SIZE); }

/* Registers of a context: some, and a rule for them that tests can break. */
void arch_context_get(const struct vcpu *v, struct parvus_context_vcpu *r)
{
	if (!v->own->regs.cs)
		return;
	r->flags = PARVUS_CONTEXT_STARTED | (v->own->kernel_mode ? PARVUS_CONTEXT_KERNEL : 0);
	r->rip = v->own->regs.rip;
	r->rsi = v->own->regs.rsi;
}

bool arch_context_valid(UNUSED const struct vcpu *v, const struct parvus_context_vcpu *r)
{
	return canonical(r->rip);
}

void arch_context_set(struct vcpu *v, const struct parvus_context_vcpu *r)
{
	v->own->regs = (struct regs){ .rip = r->rip, .rsi = r->rsi, .cs = 0x33 };
	v->own->kernel_mode = r->flags & PARVUS_CONTEXT_KERNEL;
}

u32 arch_image_bytes(void) { return 576; }

bool arch_image_set(struct vcpu *v, const void *image)
{
	if (*(const u8 *)image == 0xbb)
		return false;
	memcpy(v->xsave, image, arch_image_bytes());
	return true;
}

void arch_host_get(const struct domain *d, struct parvus_context_host *h)
{
	*h = (struct parvus_context_host){ .size = sizeof(*h), .version = 1, .xcr0 = 7,
					   .features = { features_word0(d) },
					   .xsave_size = arch_image_bytes() };
}

bool arch_host_valid(const struct domain *d, const struct parvus_context_host *h)
{
	struct parvus_context_host ours;

	arch_host_get(d, &ours);
	return !memcmp(h, &ours, sizeof(ours));
}

/* Traps belong to x86/calls.c. */
bool arch_trap_valid(const struct parvus_trap *t) { return canonical(t->address) && !t->flags; }

void arch_trap_set(struct domain *d, const struct parvus_trap *t)
{
	d->own->traps[t->vector].address = t->address;
	d->own->traps[t->vector].dpl = t->dpl;
	if (t->vector == PARVUS_VECTOR_EVENT)
		d->takes_events = t->address;
}

void arch_vcpu_reset(struct vcpu *v, u64 rip, u64 rsp)
{
	memset(&v->own->regs, 0, sizeof(v->own->regs));
	v->own->regs.rip = rip;
	v->own->regs.rsp = rsp;
	v->own->regs.cs = 0x33;
	v->own->kernel_mode = true;
}

void arch_context_load(struct vcpu *v, struct regs *regs)
{
	EXPECT(arch_current() == v && arch_this()->area == v->area,
	       "not the current one is loaded");
	native_loads++;
	*regs = v->own->regs;
	shadow_load(v);
}

void arch_context_save(struct vcpu *v, const struct regs *regs)
{
	EXPECT(arch_current() == v, "not the current one is saved");
	native_saves++;
	v->own->regs = *regs;
	shadow_unload(v);
}

/* The guest takes all that is pending. */
void arch_vector_deliver(struct vcpu *v, struct regs *regs)
{
	(void)regs;
	native_delivers++;
	memset(v->vectors, 0, sizeof(v->vectors));
}

void arch_stats_fold(struct vcpu *v) { EXPECT(v == arch_current(), "not the running one"); }

void arch_vcpu_regs(const struct vcpu *v, struct parvus_control_regs *r)
{
	r->rip = v->own->regs.rip;
}

/* What it has is data of the domain, as in x86. */
int arch_cpuid(struct domain *d, struct parvus_control_cpuid *a)
{
	if (a->flags)
		d->own->hidden.xcr0 = ~a->xcr0;
	a->xcr0 = ~d->own->hidden.xcr0;
	return 0;
}

/* ---- the machine's hypercalls ---- */

const char *native_called;
u64 native_args[2];
const void *native_regs;

static s64 called(const char *name, u64 first, u64 second, const void *regs)
{
	native_called = name;
	native_args[0] = first;
	native_args[1] = second;
	native_regs = regs;
	return 77;
}

#define MACHINE_REGS(name) \
	s64 hc_##name(UNUSED struct vcpu *v, struct regs *regs) \
	{ \
		return called(#name, 0, 0, regs); \
	}
#define MACHINE0(name) s64 hc_##name(UNUSED struct vcpu *v) { return called(#name, 0, 0, NULL); }
#define MACHINE1(name) \
	s64 hc_##name(UNUSED struct vcpu *v, u64 a) { return called(#name, a, 0, NULL); }
#define MACHINE2(name) \
	s64 hc_##name(UNUSED struct vcpu *v, u64 a, u64 b) { return called(#name, a, b, NULL); }

MACHINE_REGS(iret)
MACHINE_REGS(sysret)
MACHINE1(callbacks_set)
MACHINE2(traps_set)
MACHINE2(tls_set)
MACHINE2(base_set)
MACHINE1(msr_read)
MACHINE2(msr_write)
MACHINE2(cpuid)
MACHINE2(debugreg_set)
MACHINE1(debugreg_get)
MACHINE0(pred_barrier)

/* ---- domains ---- */

struct domain *native_domain(const char *name, u64 max_gfn, u64 ram, unsigned int vcpus)
{
	struct domain *d = domain_create(name, max_gfn, ram, vcpus, false, 0);

	if (d)
		spin_unlock(&d->control_lock);
	return d;
}

/* ---- pCPUs ---- */

struct native_cpu native_cpus[NATIVE_CPUS];
_Thread_local unsigned int native_this_cpu;
void (*native_before_serve)(unsigned int cpu);
void (*native_on_release)(const void *at), (*native_on_or)(const void *at);
void (*native_on_and)(const void *at);
void (*native_before)(const void *at), (*native_on_cr3)(void);

struct cpu *native_cpu_of[NATIVE_CPUS];
struct mmu_root *native_root_of[NATIVE_CPUS];
u64 native_mmu_of[NATIVE_CPUS][MMU_CPU_BYTES / 8];
struct roots *arch_roots(void) { return &native_cpus[native_this_cpu].roots; }

/* The roots are not in RAM, which is all the tests' own. Their addresses are beyond it. */
#define ROOTS_AT	(1ull << 40)
static u64 tables[NATIVE_CPUS][ROOT_PAIRS][2][512];
u64 hv_root = 1ull << 41;
struct cpu_features cpu_features;

static void roots_init(bool pcid)
{
	unsigned int cpu, i;
	u64 at = ROOTS_AT;

	cpu_features.cr3_keep = pcid ? CR3_KEEP : 0;
	for (cpu = 0; cpu < NATIVE_CPUS; cpu++) {
		struct native_cpu *c = &native_cpus[cpu];

		c->cr3 = c->roots.kernel_cr3 = c->roots.user_cr3 = hv_root;
		c->roots.full = true;
		native_root_of[cpu] = c->root;
		for (i = 0; i < ROOT_PAIRS; i++, at += 2 * PAGE_SIZE) {
			c->root[i].kernel_table = tables[cpu][i][0];
			c->root[i].user_table = tables[cpu][i][1];
			c->roots.pairs[i].kernel_cr3 = at | (pcid ? 2 * i + 2 : 0);
			c->roots.pairs[i].user_cr3 = (at + PAGE_SIZE) | (pcid ? 2 * i + 3 : 0);
		}
	}
}

void native_pcid(void) { roots_init(true); }

__attribute__((constructor)) static void cpus_init(void)
{
	unsigned int cpu;

	for (cpu = 0; cpu < NATIVE_CPUS; cpu++) {
		native_cpus[cpu].cpu = cpu;
		native_cpu_of[cpu] = (struct cpu *)&native_cpus[cpu];
	}
	roots_init(false);
}

u64 native_resched(u64 mask)
{
	unsigned int cpu;
	u64 had = 0;

	for (cpu = 0; cpu < NATIVE_CPUS; cpu++)
		if (mask >> cpu & 1 && __atomic_fetch_and(&native_cpus[cpu].work, ~WORK_RESCHED,
							  __ATOMIC_SEQ_CST) & WORK_RESCHED)
			had |= 1ull << cpu;
	return had;
}

/* Every frame is mapped always, but in test_view.c, which has the real ones. */
#define WEAK	__attribute__((weak))
WEAK u64 arch_full_begin(void) { return 0; }
WEAK void arch_full_end(u64 root) { (void)root; }
WEAK int arch_view_init(struct domain *d) { (void)d; return 0; }
WEAK void arch_view_free(struct domain *d) { (void)d; }

u64 native_shown[MAX_DOMAINS];
WEAK bool arch_view_drop(struct domain *d, mfn_t mfn)
{
	bool shown = native_shown[d->id % MAX_DOMAINS] == mfn_x(mfn);

	if (shown)
		native_shown[d->id % MAX_DOMAINS] = 0;
	return shown;
}
WEAK void view_load(unsigned int pair) { (void)pair; }

struct parvus_vcpu_area *arch_area(const struct vcpu *v)
{
	struct roots *r = arch_roots();
	u64 *loaded = root_loaded(r);

	roots_full(r);
	native_cpus[native_this_cpu].area_now = (u64)v->area & PAGE_MASK;
	native_cpus[native_this_cpu].area_of[0] = 0;	/* INVLPG */
	roots_area(r, (u64)v->area & PAGE_MASK);
	if (loaded)
		root_load(r, loaded);
	return v->area;
}

u32 arch_cpu_id(unsigned int cpu) { return cpu * 2; }
void arch_stop(void) { panic("arch_stop"); }
void arch_work(u32 work)
{
	if (work & WORK_FORGET)
		arch_tlb_forget();
}

void (*native_on_halt)(void);
void arch_halt(void)
{
	EXPECT(native_on_halt, "it idles for ever");
	native_on_halt();
}

u64 native_open_frame = ~0ull;	/* the one device of the fake machine */
bool arch_frame_open(u64 mfn) { return mfn == native_open_frame; }

bool arch_1g_pages = true;
u64 arch_reserved_bits = 0x000fffffffffffffull & ~((1ull << 46) - 1);

bool native_fast = true;
void arch_fast_paths(bool may) { native_fast = may; }

static void tlb_drop(struct native_cpu *c, unsigned int i) { c->tlb[i] = c->tlb[--c->tlbs]; }

/* What is cached of upper levels under a tag, or under all. */
static void walks_drop(struct native_cpu *c, bool all, unsigned int tag)
{
	unsigned int i;

	for (i = 0; i < c->walks;)
		if (all || c->walk[i].tag == tag)
			c->walk[i] = c->walk[--c->walks];
		else
			i++;
}

static unsigned int tag_of(const struct native_cpu *c, u64 cr3)
{
	if (cpu_features.cr3_keep)
		return (unsigned int)cr3 & 0xfff;
	return cr3 == c->roots.user_cr3;
}

bool native_live(const struct native_cpu *c, unsigned int tag)
{
	const struct roots *r = &c->roots;

	if (!cpu_features.cr3_keep)
		return true;
	return tag && ((tag == (r->kernel_cr3 & 0xfff) && r->kernel_cr3 & CR3_KEEP) ||
		       (tag == (r->user_cr3 & 0xfff) && r->user_cr3 & CR3_KEEP));
}

u64 read_cr3(void) { return native_cpus[native_this_cpu].cr3; }

void write_cr3(u64 v)
{
	struct native_cpu *c = &native_cpus[native_this_cpu];
	unsigned int tag, i;

	EXPECT(!(v & CR3_KEEP) || cpu_features.cr3_keep, "bit 63 of CR3 without PCID");
	c->cr3 = v & ~CR3_KEEP;
	tag = tag_of(c, c->cr3);
	EXPECT(tag < TAGS && (!cpu_features.cr3_keep || !tag == (c->cr3 == hv_root)),
	       "PCID %x of %lx", tag, v);
	if (!(v & CR3_KEEP)) {
		for (i = 0; i < c->tlbs;)
			if (!cpu_features.cr3_keep || c->tlb[i].tag == tag)
				tlb_drop(c, i);
			else
				i++;
		walks_drop(c, !cpu_features.cr3_keep, tag);
		for (i = 0; i < TAGS; i++)
			if (!cpu_features.cr3_keep || i == tag)
				c->area_of[i] = 0;
	}
	if (native_on_cr3)
		native_on_cr3();
}

/* The page, small or large, and all that is cached of upper levels. */
void invlpg(u64 va)
{
	struct native_cpu *c = &native_cpus[native_this_cpu];
	unsigned int i, tag = tag_of(c, c->cr3);

	for (i = 0; i < c->tlbs;)
		if ((!cpu_features.cr3_keep || c->tlb[i].tag == tag) &&
		    !((c->tlb[i].va ^ va) & ~(c->tlb[i].size - 1)))
			tlb_drop(c, i);
		else
			i++;
	walks_drop(c, !cpu_features.cr3_keep, tag);
}

/* As entry.S does it on its ways, and view_settle(): CR3 is the root of the guest's mode. */
static void mode_load(struct native_cpu *c, bool user)
{
	struct roots *r = &c->roots;
	u64 *root = user ? &r->user_cr3 : &r->kernel_cr3;
	unsigned int me = native_this_cpu;

	EXPECT(r->kernel_cr3 != hv_root, "a walk from roots that are not in use");
	if (!r->full && !((c->cr3 ^ *root) << 1))
		return;
	native_this_cpu = c->cpu;
	if (cpu_features.cr3_keep || r->full)
		root_load(r, root);
	else
		c->cr3 = *root;
	native_this_cpu = me;
}

void native_serve(unsigned int cpu)
{
	unsigned int me = native_this_cpu;

	native_this_cpu = cpu;
	__atomic_fetch_and(&native_cpus[cpu].work, ~WORK_SERVE, __ATOMIC_SEQ_CST);
	shadow_serve();
	native_this_cpu = me;
}

unsigned int native_kicks;
void (*native_on_kick)(unsigned int cpu);

void arch_kick_cpu(unsigned int cpu)
{
	native_kicks++;
	if (native_on_kick)
		native_on_kick(cpu);
	if (!(READ_ONCE(native_cpus[cpu].work) & WORK_SERVE))
		return;
	if (native_before_serve)
		native_before_serve(cpu);
	native_serve(cpu);
}

void native_expose(unsigned int cpu)
{
	native_cpus[cpu].exposed = true;
	if (native_cpus[cpu].work & WORK_SERVE)
		native_serve(cpu);
}

void native_unexpose(unsigned int cpu) { native_cpus[cpu].exposed = false; }

/* ---- the MMU ---- */

#define PTE_P	1ull
#define PTE_W	2ull
#define PTE_U	4ull
#define PTE_A	0x20ull
#define PTE_PS	0x80ull
#define PTE_NX	(1ull << 63)

static u64 level_size(int level) { return 1ull << (12 + 9 * (level - 1)); }

/* A table that this TLB remembers for @va, or the root. */
static struct walk_entry walk_from(struct native_cpu *c, struct access a)
{
	struct walk_entry w = { 0, 0, 4, tag_of(c, c->cr3), true, false };
	unsigned int i;

	for (i = 0; i < c->walks; i++) {
		struct walk_entry *k = &c->walk[i];

		if (k->tag == w.tag && k->level < w.level && !chance(3) &&
		    k->va == (a.va & ~(level_size(k->level + 1) - 1)))
			w = *k;
	}
	return w;
}

static void remember_table(struct native_cpu *c, struct walk_entry w)
{
	c->walk[c->walks < WALK_MAX ? c->walks++ : below(WALK_MAX)] = w;
}

static bool permits(bool write, bool nx, struct access a)
{
	return (!a.write || write) && (!a.fetch || !nx);
}

/* Break before make: nothing of another size is left of what is cached now (rule 6). */
static void check_sizes(const struct native_cpu *c, const struct tlb_entry *t)
{
	unsigned int i;

	for (i = 0; i < c->tlbs; i++) {
		const struct tlb_entry *k = &c->tlb[i];
		u64 size = k->size > t->size ? k->size : t->size;

		EXPECT(k->tag != t->tag || k->size == t->size || (k->va ^ t->va) & ~(size - 1),
		       "the TLB has va %lx in two sizes, %lx and %lx", t->va, k->size, t->size);
	}
}

static bool walk(struct native_cpu *c, struct access a, u64 *mfn)
{
	struct walk_entry w = walk_from(c, a);
	const struct mmu_root *root = &c->root[c->roots.pair];
	struct tlb_entry t;
	u64 *at, e;

	for (;;) {
		at = w.level < 4 ? frame_map(_mfn(w.table)) :
		     a.user ? root->user_table : root->kernel_table;
		at += (a.va >> (12 + 9 * (w.level - 1)) & 511);
		e = *at;
		if (!(e & PTE_P) || !(e & PTE_U))
			return false;
		/* reserved bits: a set one would be a machine's #PF with RSVD, our own mistake */
		EXPECT(!(e & arch_reserved_bits), "shadow entry %lx has reserved bits", e);
		w.write &= !!(e & PTE_W);
		w.nx |= !!(e & PTE_NX);
		*at |= PTE_A;
		if (w.level == 1 || (e & PTE_PS))
			break;
		w.table = (e & 0x000ffffffffff000ull) >> PAGE_SHIFT;
		w.va = a.va & ~(level_size(w.level) - 1);
		w.level--;
		remember_table(c, w);
	}
	if (!permits(w.write, w.nx, a))
		return false;
	*mfn = ((e & 0x000ffffffffff000ull) >> PAGE_SHIFT) +
	       ((a.va & (level_size(w.level) - 1)) >> PAGE_SHIFT);
	t = (struct tlb_entry){
		a.va & PAGE_MASK, level_size(w.level), *mfn, w.tag, a.user, w.write, w.nx
	};
	check_sizes(c, &t);
	c->tlb[c->tlbs < TLB_MAX ? c->tlbs++ : below(TLB_MAX)] = t;
	return true;
}

bool native_access(unsigned int cpu, struct access a, u64 *mfn)
{
	struct native_cpu *c = &native_cpus[cpu];
	unsigned int i, tag;

	mode_load(c, a.user);
	tag = tag_of(c, c->cr3);
	if (!c->area_of[tag])
		c->area_of[tag] = c->area_now;
	EXPECT(c->area_of[tag] == c->area_now, "the area of another vCPU, tag %u", tag);
	for (i = 0; i < c->tlbs; i++) {
		struct tlb_entry *t = &c->tlb[i];

		if (t->va != (a.va & PAGE_MASK) || t->tag != tag)
			continue;
		if (permits(t->write, t->nx, a)) {
			*mfn = t->mfn;
			return true;
		}
		/* a fault from the entry, or after a walk; either way the entry is gone */
		tlb_drop(c, i);
		if (chance(2))
			return false;
		break;
	}
	return walk(c, a, mfn);
}

/* ---- chance ---- */

static u64 random_state = 1;

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) */
u64 random_u64(void)
{
	u64 z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Mixed, for by the sum alone each seed's numbers would be the next one's, one later. */
void random_seed(u64 seed)
{
	random_state = seed;
	random_state = random_u64();
}

void for_seeds(unsigned int count, void (*run)(u64 seed))
{
	const char *one = getenv("SEED");
	u64 seed;

	if (one) {
		random_seed(strtoull(one, NULL, 0));
		run(strtoull(one, NULL, 0));
		return;
	}
	for (seed = 1; seed <= count; seed++) {
		random_seed(seed);
		run(seed);
	}
}

bool native_wanted(const char *test)
{
	const char *only = getenv("ONLY");

	return !only || !*only || !strcmp(only, test);
}

int native_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
