// SPDX-License-Identifier: GPL-2.0-only
/* The fake machine of the unit tests; see native.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "native.h"
#include <hv/platform.h>

static u8 *ram;
static struct mmu_root roots[FAKE_CPUS];
unsigned int this_cpu;
struct vcpu *running[FAKE_CPUS];
u64 fake_now;
static bool requested[FAKE_CPUS];
struct tlb_entry tlb[FAKE_CPUS][TLB];
static unsigned int tlb_next[FAKE_CPUS];
static u64 seed_state = 1;

u64 random_u64(void)
{
	/* xorshift64*: Vigna, An experimental exploration of Marsaglia's generators */
	seed_state ^= seed_state >> 12;
	seed_state ^= seed_state << 25;
	seed_state ^= seed_state >> 27;
	return seed_state * 0x2545f4914f6cdd1dull;
}
void random_seed(u64 seed) { seed_state = seed * 2 + 1; }

void *frame_map(mfn_t mfn)
{
	ck_assert(mfn_x(mfn) < RAM_FRAMES);
	return ram + (mfn_x(mfn) << PAGE_SHIFT);
}
mfn_t frame_of(const void *p) { return _mfn((u64)((const u8 *)p - ram) >> PAGE_SHIFT); }

void machine_reset(void)
{
	unsigned int i;

	free(ram);
	free(frame_table);
	ram = aligned_alloc(EXTENT_SIZE, (size_t)RAM_FRAMES << PAGE_SHIFT);
	frame_table = calloc(RAM_FRAMES, sizeof(*frame_table));
	frame_table_count = RAM_FRAMES;
	page_alloc_reset();
	frames_add(_mfn(512), RAM_FRAMES - 512);
	for (i = 0; i < FAKE_CPUS; i++) {
		roots[i].kernel_table = hv_alloc(PAGE_SIZE);
		roots[i].user_table = hv_alloc(PAGE_SIZE);
		running[i] = NULL;
		requested[i] = false;
		memset(tlb[i], 0, sizeof(tlb[i]));
	}
	this_cpu = 0;
	fake_now = 0;
}

unsigned int arch_this_cpu(void) { return this_cpu; }
struct vcpu *arch_current(void) { return running[this_cpu]; }
struct mmu_root *arch_mmu_root(unsigned int cpu) { return &roots[cpu]; }
bool arch_1g_pages = true;
u64 arch_reserved_bits = 0x000fff0000000000ull;
bool arch_cpu_exposed(unsigned int cpu) { return running[cpu] && cpu != this_cpu; }
void arch_request(unsigned int cpu) { requested[cpu] = true; }

void arch_kick(u64 mask)
{
	unsigned int me = this_cpu, cpu;

	for (cpu = 0; cpu < FAKE_CPUS; cpu++)
		if (mask >> cpu & 1) {
			ck_assert(requested[cpu]);
			requested[cpu] = false;
			this_cpu = cpu;
			shadow_serve();
			this_cpu = me;
		}
}

void arch_tlb_flush_page(u64 va)
{
	unsigned int i;

	for (i = 0; i < TLB; i++)
		if (tlb[this_cpu][i].va == va)
			tlb[this_cpu][i].entry = 0;
}
void arch_tlb_flush_all(void) { memset(tlb[this_cpu], 0, sizeof(tlb[this_cpu])); }

bool hw_access(u64 va, bool write, bool kernel, u64 *mfn)
{
	u64 page = va & PAGE_MASK, *t, e = 0;
	unsigned int i;
	int level;
	bool w = true;

	for (i = 0; i < TLB; i++) {
		struct tlb_entry *x = &tlb[this_cpu][i];

		if (x->entry && x->va == page && x->kernel == kernel && (!write || (x->entry & 2))) {
			*mfn = (x->entry & 0x000ffffffffff000ull) >> PAGE_SHIFT;
			return true;
		}
	}
	t = kernel ? roots[this_cpu].kernel_table : roots[this_cpu].user_table;
	for (level = 4; level >= 1; level--) {
		u64 *at = &t[va >> (12 + 9 * (level - 1)) & 511];

		e = *at;
		if (!(e & 1))
			return false;
		w &= e >> 1 & 1;
		*at |= 0x20;
		if (level == 1 || (e & 0x80))
			break;
		t = frame_map(_mfn((e & 0x000ffffffffff000ull) >> PAGE_SHIFT));
	}
	if (write && !w)
		return false;
	if (level == 2)
		e = (e & ~0x1fffffull) | (va & 0x1ff000) | (e & 0xfff);
	i = tlb_next[this_cpu]++ % TLB;
	tlb[this_cpu][i] = (struct tlb_entry){ page, (e & ~2ull) | (w ? 2 : 0) | 1, kernel };
	*mfn = (e & 0x000ffffffffff000ull) >> PAGE_SHIFT;
	return true;
}

/* ---- the rest of the hypervisor ---- */

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > LOG_WARN)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	ck_abort_msg("the hypervisor warned");
}
void log_guest(const char *fmt, ...) { (void)fmt; }
void log_raw(const char *s) { (void)s; }
void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "panic: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}
void console_domain_gone(struct domain *d) { (void)d; }
void last_domain_ended(u32 reason) { (void)reason; }
void vcpu_kick(struct vcpu *v) { (void)v; }
void vcpu_raise(struct vcpu *v, u8 vector) { v->vectors[vector / 64] |= 1ull << (vector % 64); }

struct vcpu *vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v = hv_alloc(sizeof(*v));

	if (!v)
		return NULL;
	v->domain = d;
	v->id = id;
	v->sched.weight = 256;
	v->sched.affinity = (1ull << FAKE_CPUS) - 1;
	if (shadow_vcpu_init(v)) {
		hv_free(v, sizeof(*v));
		return NULL;
	}
	return v;
}

void vcpu_destroy(struct vcpu *v)
{
	v->domain->vcpus[v->id] = NULL;
	hv_free(v, sizeof(*v));
}

int run_suite(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
