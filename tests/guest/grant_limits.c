// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offers up to the limit, and mappings of one offer as many as fit; the tables grow with
 * them. Batches are done in parts. All ends without a single revocation.
 * @domains 2
 * @mem 15M
 * @timeout 120
 */
#include "lib/grant.h"

static struct parvus_grant_offer offers[PARVUS_GRANT_BATCH];
static struct parvus_grant_map maps[PARVUS_GRANT_BATCH];
static struct parvus_grant_unmap unmaps[PARVUS_GRANT_BATCH];

/* A whole batch, by as many calls as it takes. */
static unsigned int batch(u32 op, void *records, u64 size)
{
	unsigned int n, calls = 0;
	s64 ret;

	for (n = 0; n < PARVUS_GRANT_BATCH; n += (unsigned int)ret, calls++) {
		ret = parvus_grant_op(op, pa(records) + n * size, PARVUS_GRANT_BATCH - n);
		if (ret <= 0) {
			EXPECT_EQ(ret, 0);
			return calls;
		}
	}
	return calls;
}

static void owner(void)
{
	u64 gpa = page_new();
	u32 ref;

	for (u32 n = 1; n < PARVUS_GRANT_MAX; n += PARVUS_GRANT_BATCH) {
		for (u32 i = 0; i < PARVUS_GRANT_BATCH; i++)
			offers[i] = (struct parvus_grant_offer){ .gfn = gpa / PAGE,
								 .domain = 1,
								 .status = 1 };
		EXPECT(batch(PARVUS_GRANT_OFFER, offers, sizeof(offers[0])) > 1);
		for (u32 i = 0; i < PARVUS_GRANT_BATCH; i++) {
			bool last = n + i >= PARVUS_GRANT_MAX;

			if (offers[i].status != (last ? -PARVUS_ENOSPC : 0) ||
			    offers[i].ref != (last ? 0 : n + i + 1)) {
				print("FAILED: offer %u: %x, ref %u\n", n + i, offers[i].status,
				      offers[i].ref);
				failures++;
				return;
			}
		}
	}
	BAD(offer(gpa, 1, 0, &ref), PARVUS_ENOSPC);
	EXPECT_EQ(revoke(4711), 0);
	EXPECT_EQ(offer(gpa, 1, RO, &ref), 0);
	EXPECT_EQ(ref, 4711);
	reached(1);
	wait_for(1);
}

static void mapper(void)
{
	u32 none;

	wait_for(1);
	/* 255 of them, and once more where they are already */
	for (u32 i = 0; i < PARVUS_GRANT_BATCH; i++)
		maps[i] = (struct parvus_grant_map){ .ref = 16000,
						     .flags = i & 1 ? RO : 0,
						     .gfn = HOLE / PAGE +
							    (i + 1) % PARVUS_GRANT_BATCH };
	EXPECT(batch(PARVUS_GRANT_MAP, maps, sizeof(maps[0])) > 1);
	BAD(maps[PARVUS_GRANT_BATCH - 1].status, PARVUS_EEXIST);	/* the shared page */
	for (u32 i = 0; i < PARVUS_GRANT_BATCH - 1; i++) {
		EXPECT_EQ(maps[i].status, 0);
		*(volatile u64 *)va(HOLE + PAGE) = i;
		EXPECT_EQ(*(volatile u64 *)va(maps[i].gfn * PAGE), i);
	}
	BAD(grant_map(0, 4711, 0, HOLE + PAGE, &none), PARVUS_EPERM);
	for (u32 i = 0; i < PARVUS_GRANT_BATCH; i++)
		unmaps[i] = (struct parvus_grant_unmap){ .handle = maps[i].handle,
							 .va = i % 3 ? (u64)va(maps[i].gfn * PAGE) :
								       0 };
	batch(PARVUS_GRANT_UNMAP, unmaps, sizeof(unmaps[0]));
	for (u32 i = 0; i < PARVUS_GRANT_BATCH - 1; i++)
		EXPECT_EQ(unmaps[i].status, 0);
	BAD(unmaps[PARVUS_GRANT_BATCH - 1].status, PARVUS_ENOENT);
	EXPECT_EQ(grant_map(0, 1, 0, HOLE + PAGE, &none), 0);
	reached(1);
}

void test(void)
{
	share();
	if (ME == 0)
		owner();
	else
		mapper();
}
