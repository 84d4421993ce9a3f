// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest by itself, on the machine of the unit tests: its page tables and accesses, the records of
 * its calls, in the order of the input. What an access hits is the domain's own memory, or was
 * granted to it; in the end the frames are what they were (rule 97).
 */
#include "../unit/native.h"
#include "lib/fuzz.h"
#include <core/event.h>
#include <core/grant.h>
#include <core/sched.h>
#include <mmu/shadow.h>

#define RAM	300u
#define MAX_GFN	1024u
#define GPA	0x1000u
#define TABLE	16u		/* gfns 16 to 19: a table of each level */

static struct domain *d, *peer;
static struct fuzz_input in;

static void *page(u64 gfn) { return frame_map(gfn_entry_mfn(gfn_lookup(d, _gfn(gfn)))); }

static struct domain *up(void)
{
	struct domain *g = native_domain("f", MAX_GFN, MAX_GFN, 2);
	u64 gfn;

	FUZZ_CHECK(g && !domain_promise(g, _gfn(0), RAM));
	for (gfn = 0; gfn < 24; gfn++)
		FUZZ_CHECK(gfn_is_ram(gfn_touch(g, _gfn(gfn), false)));
	g->state = DOMAIN_RUNNING;
	g->alive_vcpus = 1;
	return g;
}

/* 16 bits for 64: small numbers, powers of two and their neighbours, gpas, all ones. */
static u64 number(void)
{
	u64 v = fuzz_u8(&in), how = v >> 5;

	v &= 31;
	switch (how) {
	case 0: case 1: return v;
	case 2: return 1ull << (v * 2);
	case 3: return (1ull << (v * 2)) - 1;
	case 4: return v << 12;
	case 5: return RAM - 8 + v;
	case 6: return ~0ull - v;
	default: return fuzz_u64(&in);
	}
}

static u64 address(void)
{
	u64 at = 0;

	for (int level = 4; level; level--)
		at |= (u64)(fuzz_u8(&in) * 2 + (level == 4)) << (12 + 9 * (level - 1));
	return (u64)((s64)(at << 16) >> 16);
}

static void entry(void)
{
	u64 table = TABLE + fuzz_u8(&in) % 4, slot = fuzz_u8(&in) * 2 + fuzz_u8(&in) % 2;
	u64 to = fuzz_u8(&in), e;

	e = (to < 4 ? TABLE + to : to < 250 ? to : number()) << 12;
	e |= fuzz_u8(&in) | (u64)(fuzz_u8(&in) & 0x81) << 56;
	((u64 *)page(table))[slot] = e;
}

static void fault(void)
{
	u64 at = address(), mfn;
	u8 how = fuzz_u8(&in);
	struct access a = { at, how & 1, how & 2, how & 4 };
	const struct frame_info *f;
	u32 error;

	if (at >= PARVUS_HOLE_START && at < PARVUS_HOLE_END)
		return;
	native_unexpose(0);
	if (shadow_fault(d->vcpus[0], at, (a.write ? PF_WRITE : 0) | (a.fetch ? PF_FETCH : 0),
			 a.user, fuzz_u8(&in), &error) != SHADOW_DONE || d->ended)
		return;
	native_expose(0);
	if (native_access(0, a, &mfn)) {
		f = frame_info(_mfn(mfn));
		FUZZ_CHECK(f && f->type == FRAME_GUEST);
		FUZZ_CHECK(f->owner == d->id || grant_mappings_total());
	}
	native_unexpose(0);
}

static void call(void)
{
	struct vcpu *v = d->vcpus[0];
	u64 a = number(), b = fuzz_u8(&in) % 8 ? GPA : number(), c = fuzz_u8(&in) % 8;
	u8 nr = fuzz_u8(&in) % 14;

	/* a size and a version that are right, and whatever else there is */
	fuzz_fill(&in, page(GPA >> 12), 64);
	if (nr == 1 || nr == 3 || nr == 12) {
		((u32 *)page(GPA >> 12))[0] = nr == 3 ? 832 : nr == 12 ? 128 : 56;
		((u32 *)page(GPA >> 12))[1] = 1;
	}
	switch (nr) {
	case 0: hc_grant_op(v, a, b, c); break;
	case 1: hc_event_op(v, a, b); break;
	case 2: hc_memory_op(v, a, b, c); break;
	case 3: hc_device_op(v, a, b); break;
	case 4: hc_mmu_switch(v, a, TABLE << 12, 0, c, 0, c % 4); break;
	case 5: hc_mmu_switch(v, a, number() << 12, 0, c, number(), c); break;
	case 6: hc_mmu_flush(v, a, c, address(), address(), 4096, number()); break;
	case 7: hc_mmu_age(v, a); break;
	case 8: hc_ipi_send(v, a, b, c); break;
	case 9: hc_timer_set(v, a); break;
	case 10: hc_area_register(v, PARVUS_VCPU_SELF, a, 512, 1); break;
	case 11: hc_stats_read(v, a, b, number()); break;
	case 12: hc_log_write(v, b, a); break;
	default: hc_mmu_flush_batch(v, b, c);
	}
}

void fuzz_one(const uint8_t *data, size_t bytes)
{
	static u64 before;
	unsigned int cpu;

	if (!before) {
		native_boot(12 * EXTENT_FRAMES, 1);
		for (cpu = 0; cpu < NATIVE_CPUS; cpu++) {
			FUZZ_CHECK(!timer_init_cpu(cpu));
			sched_init_cpu(cpu);
		}
		before = frames_free_count();
	}
	in = (struct fuzz_input){ data, data + bytes };
	native_this_cpu = 0;
	d = up();
	peer = up();
	for (u64 i = 0; i < 4; i++)
		memset(page(TABLE + i), 0, PAGE_SIZE);
	shadow_start(d->vcpus[0], _gfn(TABLE));
	shadow_load(d->vcpus[0]);
	native_cpus[0].current = d->vcpus[0];
	while (in.at < in.end && !d->ended)
		switch (fuzz_u8(&in) % 4) {
		case 0: case 1: entry(); break;
		case 2: fault(); break;
		default: call();
		}
	native_cpus[0].current = NULL;
	native_unexpose(0);
	shadow_unload(d->vcpus[0]);
	domain_destroy(d);
	domain_destroy(peer);
	FUZZ_CHECK(frames_free_count() == before && !grant_offers_total());
	FUZZ_CHECK(!grant_mappings_total() && !event_ports_total());
}

FUZZ_TARGET()
