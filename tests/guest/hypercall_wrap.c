// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers and ranges that wrap: each call that names memory, by a buffer that begins in the last
 * bytes of the address space, of memory, or of what an address can hold, with counts whose product
 * or sum overflows. All fail, and nothing is written: the memory at 0, where a wrap would end,
 * keeps its contents.
 * @hv debug=1
 * @mem 15M
 */
#include "lib/grant.h"
#include <parvus/control.h>
#include <parvus/device.h>
#include <parvus/event.h>

/* Argument @gpa is the buffer, argument @count (9: none) how many; the others as given. */
static const struct { u8 nr, gpa, count; u64 a[6]; } calls[] = {
	{ PARVUS_HC_callbacks_set, 0, 9, { 0 } },
	{ PARVUS_HC_traps_set, 0, 1, { 0 } },
	{ PARVUS_HC_area_register, 1, 9, { PARVUS_VCPU_SELF, 0, 512, 1 } },
	{ PARVUS_HC_clock_register, 1, 9, { PARVUS_VCPU_SELF } },
	{ PARVUS_HC_multicall, 0, 1, { 0 } },
	{ PARVUS_HC_mmu_switch, 1, 9, { 1 } },
	{ PARVUS_HC_mmu_switch, 4, 9, { 1, 0 } },
	{ PARVUS_HC_mmu_flush_batch, 0, 1, { 0 } },
	{ PARVUS_HC_vcpu_start, 1, 9, { 0 } },
	{ PARVUS_HC_ipi_send, 1, 2, { 40 } },
	{ PARVUS_HC_console_write, 0, 1, { 0 } },
	{ PARVUS_HC_log_write, 0, 1, { 0 } },
	{ PARVUS_HC_stats_read, 1, 2, { 0 } },
	{ PARVUS_HC_event_op, 1, 9, { PARVUS_EVENT_REGISTER } },
	{ PARVUS_HC_event_op, 1, 9, { PARVUS_EVENT_BIND } },
	{ PARVUS_HC_event_op, 1, 9, { PARVUS_EVENT_STATUS } },
	{ PARVUS_HC_grant_op, 1, 2, { PARVUS_GRANT_OFFER } },
	{ PARVUS_HC_grant_op, 1, 2, { PARVUS_GRANT_REVOKE } },
	{ PARVUS_HC_grant_op, 1, 2, { PARVUS_GRANT_MAP } },
	{ PARVUS_HC_grant_op, 1, 2, { PARVUS_GRANT_UNMAP } },
	{ PARVUS_HC_grant_op, 1, 2, { PARVUS_GRANT_COPY } },
	{ PARVUS_HC_memory_op, 1, 2, { PARVUS_MEMORY_POPULATE } },
	{ PARVUS_HC_memory_op, 1, 2, { PARVUS_MEMORY_RELEASE } },
	{ PARVUS_HC_memory_op, 1, 9, { PARVUS_MEMORY_INFO, 0, 0 } },
	{ PARVUS_HC_device_op, 1, 9, { PARVUS_DEVICE_READ } },
	{ PARVUS_HC_device_op, 1, 9, { PARVUS_DEVICE_SET } },
	{ PARVUS_HC_debug_hash, 0, 1, { 0 } },
	{ PARVUS_HC_debug_info, 0, 1, { 0 } },
};

static bool fails(u64 i, u64 gpa, u64 count)
{
	u64 a[6];
	s64 ret;

	memcpy(a, calls[i].a, sizeof(a));
	a[calls[i].gpa] = gpa;
	if (calls[i].count < 6)
		a[calls[i].count] = count;
	if (calls[i].nr == PARVUS_HC_mmu_switch && calls[i].gpa == 4)
		a[1] = pa(root);
	ret = hypercall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (ret < 0 && ret >= -38)
		return true;
	print("FAILED: call %u gpa %lx count %lx: %lx\n", calls[i].nr, gpa, count, (u64)ret);
	failures++;
	return false;
}

static void extents(void)
{
	static const u64 gfns[] = { ~0ull, ~0ull - 511, 1ull << 52, (1ull << 52) - 1, 1ull << 63,
				    0x000fffffffffffff };
	static const u64 frames[] = { 1, 2, 512, ~0ull, 1ull << 52, ~0ull - 510 };
	static struct parvus_memory_extent x __attribute__((aligned(16)));

	for (u64 i = 0; i < 6; i++)
		for (u64 k = 0; k < 6; k++)
			for (u64 op = 0; op < 2; op++) {
				x = (struct parvus_memory_extent){ gfns[i], frames[k] };
				barrier();
				EXPECT((s64)parvus_memory_op(op, pa(&x), 1) < 0);
			}
	for (u64 k = 1; k < 6; k++) {	/* and from memory that is ours */
		x = (struct parvus_memory_extent){ HOLE / PAGE - 1, frames[k] };
		barrier();
		EXPECT((s64)parvus_memory_op(PARVUS_MEMORY_RELEASE, pa(&x), 1) < 0);
	}
}

void test(void)
{
	const u64 top = ram_end;	/* nothing is above it */
	const u64 at[] = { ~0ull, ~0ull - 7, ~0ull - 63, ~0ull - 511, ~0xfffull, ~0ull << 12 << 9,
			   top - 1, top, 1ull << 52, (1ull << 52) - 8, (1ull << 51) + 0x200000,
			   1ull << 63, 0x7ffffffffffffff8 };
	static const u64 counts[] = { 2, 256, 257, 1ull << 32, 1ull << 58, 1ull << 60, 1ull << 61,
				      1ull << 63, ~0ull, ~0ull - 15, 0x1000000000000001 };
	u64 i, k, n, gpa;

	for (gpa = 0; gpa < 0x80000; gpa += 8)
		*(volatile u64 *)va(gpa) = ~gpa;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (k = 0; k < sizeof(at) / 8; k++)
			for (n = 0; n < sizeof(counts) / 8; n++)
				fails(i, at[k], counts[n]);
	extents();
	for (gpa = 0; gpa < 0x80000; gpa += 8)
		EXPECT_EQ(*(volatile u64 *)va(gpa), ~gpa);
}
