// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two domains share memory by grants: mapped for writing and for reading, copied, unmapped,
 * revoked. What was granted for reading cannot be written: not at its gfn, not through
 * another page-table entry, not by a copy.
 * @domains 2
 * @mem 15M
 */
#include "lib/grant.h"

#define ALIAS	0x40000000ull
static void wr(void *at) { *(volatile u64 *)at = 0x4141; }

static void owner(void)
{
	u64 rw = page_new(), ro = page_new(), big = page_new();
	u32 ref_rw, ref_ro, ref_big;

	for (u64 i = 0; i < 512; i++) {
		((u64 *)va(rw))[i] = i * 3;
		((u64 *)va(ro))[i] = i * 5;
		((u64 *)va(big))[i] = i * 7;
	}
	EXPECT_EQ(offer(rw, 1, 0, &ref_rw), 0);
	EXPECT_EQ(offer(ro, 1, RO, &ref_ro), 0);
	EXPECT_EQ(offer(big, 1, 0, &ref_big), 0);
	EXPECT_EQ(ref_rw, 2);
	EXPECT_EQ(ref_ro, 3);
	EXPECT_EQ(ref_big, 4);
	reached(1);
	wait_for(1);
	/* mapped: seen here, and not to be taken back */
	EXPECT_EQ(((u64 *)va(rw))[1], 0x1234);
	EXPECT_EQ(((u64 *)va(ro))[1], 5);
	BAD(revoke(ref_rw), PARVUS_EBUSY);
	BAD(revoke(ref_ro), PARVUS_EBUSY);
	BAD(release(rw, 1), PARVUS_EBUSY);
	((volatile u64 *)va(rw))[2] = 0x5678;
	reached(2);
	wait_for(2);
	for (u64 i = 0; i < 512; i++) {
		EXPECT_EQ(((u64 *)va(ro))[i], i * 5);
		EXPECT_EQ(((u64 *)va(big))[i], i == 511 ? 0xaa : i * 5);
	}
	EXPECT_EQ(revoke(ref_rw), 0);
	EXPECT_EQ(revoke(ref_ro), 0);
	EXPECT_EQ(revoke(ref_big), 0);
	BAD(revoke(ref_big), PARVUS_ENOENT);
	EXPECT_EQ(release(rw, 1), 1);
	EXPECT_EQ(release(ro, 1), 1);
	reached(3);
	wait_for(3);
}

static void mapper(void)
{
	u64 mine = page_new();
	volatile u64 *rw = va(HOLE + PAGE), *ro = va(HOLE + 2 * PAGE);
	u32 h_rw, h_ro, none;

	wait_for(1);
	EXPECT_EQ(grant_map(0, 2, 0, HOLE + PAGE, &h_rw), 0);
	BAD(grant_map(0, 3, 0, HOLE + 2 * PAGE, &none), PARVUS_EPERM);
	EXPECT_EQ(grant_map(0, 3, RO, HOLE + 2 * PAGE, &h_ro), 0);
	BAD(grant_map(0, 2, 0, HOLE + PAGE, &none), PARVUS_EEXIST);
	EXPECT_EQ(rw[511], 511 * 3);
	EXPECT_EQ(ro[511], 511 * 5);
	rw[1] = 0x1234;
	EXPECT(catch_fault(wr, (void *)&ro[1]));
	EXPECT_EQ(fault.vector, 14);
	EXPECT_EQ(fault.error & 3, 3);
	EXPECT_EQ(fault.cr2, (u64)&ro[1]);
	map(ALIAS, HOLE + 2 * PAGE, P | W | U | A | D);
	flush_page(ALIAS);
	EXPECT_EQ(*(volatile u64 *)ALIAS, 0);
	EXPECT(catch_fault(wr, (void *)ALIAS));
	/* after a page that may be written was there: the entry changes, the right does not */
	map(ALIAS, mine, P | W | U);
	flush_page(ALIAS);
	*(volatile u64 *)ALIAS = 1;
	map(ALIAS, HOLE + 2 * PAGE, P | W | U | A | D);
	flush_page(ALIAS);
	EXPECT(catch_fault(wr, (void *)ALIAS));
	reached(1);
	wait_for(2);
	EXPECT_EQ(rw[2], 0x5678);
	/* copies */
	BAD(grant_copy(end_own(mine), end_of(0, 3, 0), 8), PARVUS_EPERM);
	EXPECT_EQ(grant_copy(end_of(0, 3, 0), end_own(mine), 4096), 0);
	EXPECT_EQ(((u64 *)va(mine))[100], 500);
	((u64 *)va(mine))[0] = 0xaa;
	EXPECT_EQ(grant_copy(end_of(0, 3, 0), end_of(0, 4, 0), 4096), 0);
	EXPECT_EQ(grant_copy(end_own(mine), end_of(0, 4, 4088), 8), 0);
	BAD(grant_copy(end_own(mine), end_of(0, 4, 4089), 8), PARVUS_EINVAL);
	BAD(grant_copy(end_own(HOLE + PAGE), end_of(0, 4, 0), 8), PARVUS_EFAULT);
	/* a page table in a foreign frame is none, and hypercalls do not take buffers there */
	*entry_of(root, ALIAS + 0x200000, 2) = (HOLE + PAGE) | P | W | U;
	EXPECT(catch_fault(wr, (void *)(ALIAS + 0x200000)));
	BAD(parvus_console_write(HOLE + PAGE, 8), PARVUS_EFAULT);
	BAD(parvus_area_register(0, HOLE + PAGE, PARVUS_VCPU_AREA_SIZE, 1), PARVUS_EFAULT);
	BAD(offer(HOLE + PAGE, 0, 0, &none), PARVUS_EFAULT);
	BAD(release(HOLE + PAGE, 1), PARVUS_EFAULT);
	EXPECT_EQ(grant_unmap(h_rw, (u64)rw), 0);
	EXPECT_EQ(grant_unmap(h_ro, 0), 0);
	BAD(grant_unmap(h_rw, (u64)rw), PARVUS_ENOENT);
	reached(2);
	wait_for(3);
	BAD(grant_map(0, 2, 0, HOLE + PAGE, &none), PARVUS_ENOENT);
	BAD(grant_copy(end_of(0, 4, 0), end_own(mine), 8), PARVUS_ENOENT);
	reached(3);
}

void test(void)
{
	share();
	if (ME == 0)
		owner();
	else
		mapper();
}
