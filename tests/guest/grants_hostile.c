// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three domains that throw anything at each other's grants, on two vCPUs each: references,
 * handles, domains, gfns, offsets and lengths that mean nothing, belong to somebody else or
 * are just going away. vCPU 0 uses what it mapped, and is the only one to unmap. Everything
 * is free afterwards, and a domain that takes no part keeps its memory.
 * @domains 3
 * @vcpus 2
 * @mem 15M
 * @beside canary
 * @timeout 120
 */
#include "lib/grant.h"

#define ROUNDS	20000
static u64 pages[16];
static volatile u64 done[2];

union record {
	struct parvus_grant_offer offer;
	struct parvus_grant_revoke revoke;
	struct parvus_grant_map map;
	struct parvus_grant_unmap unmap;
	struct parvus_grant_copy copy;
	struct parvus_memory_extent extent;
	u64 word[8];
};
static u64 good[2][5];		/* calls that did something, by operation */
typedef int32_t s32;
static union record records[2][4] __attribute__((aligned(64)));

static u64 next(u64 *s)
{
	*s = *s * 6364136223846793005ull + 1442695040888963407ull;
	return *s >> 33;
}

static u32 some(u64 *s, u32 n)
{
	return next(s) % 16 ? (u32)(next(s) % n) : (u32)(next(s) * 0x9e3779b9);
}

static struct parvus_grant_end some_end(u64 *s)
{
	struct parvus_grant_end e = { .offset = some(s, 4200) };

	if (next(s) % 2) {
		e.domain = SELF;
		e.gfn = next(s) % 8 ? pages[next(s) % 16] / PAGE : next(s);
	} else {
		e.domain = some(s, 5);
		e.ref = some(s, 20);
	}
	return e;
}

static void storm(unsigned int who)
{
	u64 s = ME * 77 + who * 1234567 + 1;
	union record *r = records[who];
	s32 status;

	for (u64 i = 0; i < ROUNDS; i++) {
		u32 op = (u32)(next(&s) % 6);

		for (int k = 0; k < 8; k++)
			r->word[k] = 0;
		switch (op) {
		case PARVUS_GRANT_OFFER:
			if (next(&s) % 2)
				break;
			r->offer.gfn = next(&s) % 8 ? pages[next(&s) % 16] / PAGE : next(&s) % 5000;
			r->offer.domain = some(&s, 4);
			r->offer.flags = some(&s, 2);
			break;
		case PARVUS_GRANT_REVOKE:
			r->revoke.ref = 3 + some(&s, 20);	/* 1 and 2 are the flags */
			break;
		case PARVUS_GRANT_MAP:
			r->map.domain = some(&s, 4);
			r->map.ref = some(&s, 20);
			r->map.flags = some(&s, 2);
			r->map.gfn = next(&s) % 8 ? HOLE / PAGE + next(&s) % 40 : next(&s) % 5000;
			break;
		case PARVUS_GRANT_UNMAP:
			if (who)
				continue;
			r->unmap.handle = some(&s, 40);
			r->unmap.va = next(&s) % 2 ? (u64)va(HOLE) + next(&s) % 40 * PAGE :
						     next(&s) << 30;
			break;
		case PARVUS_GRANT_COPY:
			r->copy.from = some_end(&s);
			r->copy.to = some_end(&s);
			r->copy.length = some(&s, 300);
			break;
		default:
			/* two of the pages; after that they are no good for anything */
			r->extent.gfn = pages[14 + next(&s) % 2] / PAGE;
			r->extent.frames = some(&s, 3);
			if (r->extent.frames <= 1)
				parvus_memory_op(PARVUS_MEMORY_RELEASE, pa(r), 1);
			continue;
		}
		if (next(&s) % 64 == 0)
			r->word[next(&s) % 8] = next(&s) << 32 | next(&s);
		EXPECT_EQ(parvus_grant_op(op, pa(r), 1), 1);
		status = op == PARVUS_GRANT_OFFER  ? r->offer.status :
			 op == PARVUS_GRANT_REVOKE ? r->revoke.status :
			 op == PARVUS_GRANT_MAP	   ? r->map.status :
			 op == PARVUS_GRANT_UNMAP  ? r->unmap.status :
						     r->copy.status;
		if (status > 0 || status < -38) {
			print("FAILED: operation %u: status %x\n", op, (u32)status);
			failures++;
		}
		good[who][op] += !status;
		if (op == PARVUS_GRANT_MAP && !status && !who && r->map.gfn * PAGE >= HOLE) {
			volatile u64 *p = va(r->map.gfn * PAGE);

			if (r->map.flags & RO)
				(void)*p;
			else
				*p = i;
		}
	}
}

void secondary_main(u64 arg)
{
	(void)arg;
	storm(1);
	done[1] = 1;
	for (;;)
		parvus_vcpu_stop();
}

/*
 * Nobody begins before all are there: references 1 and 2 are for the two others. The page that they
 * may read says how far we are. Nobody ends before all are done, either: who comes last would
 * wait for an offer of a domain that is gone.
 */
enum { THERE = 1, DONE };
static u64 flag, mine;

static void all_there(void)
{
	u32 ref;

	flag = page_new();
	mine = page_new();
	*(u64 *)va(flag) = THERE;
	for (u32 i = 1; i < 3; i++) {
		EXPECT_EQ(offer(flag, (ME + i) % 3, RO, &ref), 0);
		EXPECT_EQ(ref, i);
	}
	for (u32 i = 1; i < 3; i++) {
		*(volatile u64 *)va(mine) = 0;
		while (grant_copy(end_of((ME + i) % 3, 3 - i, 0), end_own(mine), 8))
			parvus_yield();
		EXPECT(*(volatile u64 *)va(mine) >= THERE);
	}
}

static void all_done(void)
{
	*(volatile u64 *)va(flag) = DONE;
	for (u32 i = 1; i < 3; i++)
		while (!grant_copy(end_of((ME + i) % 3, 3 - i, 0), end_own(mine), 8) &&
		       *(volatile u64 *)va(mine) != DONE)
			parvus_yield();
}

void test(void)
{
	for (int i = 0; i < 16; i++)
		pages[i] = page_new();
	all_there();
	vcpu_begin(1, 0);
	storm(0);
	while (!done[1])
		parvus_yield();
	for (int op = 0; op < 5; op++) {
		EXPECT(good[0][op] > 0);
		EXPECT(good[1][op] > 0 || op == PARVUS_GRANT_UNMAP);
	}
	all_done();
	print("d%u: %lu %lu %lu %lu %lu\n", ME, good[0][0], good[0][1], good[0][2], good[0][3],
	      good[0][4]);
}
