// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event counters count: hypercalls by number, crossings, fills, user returns.
 * @hv debug=1
 */
#include "lib/guest.h"

static struct parvus_vcpu_stats s, t;
static struct parvus_debug_info info;
static const u8 code[] = { 0x0f, 0x05 };

void test(void)
{
	user_setup(code, sizeof(code));
	user_run(0);
	EXPECT_EQ(parvus_stats_read(0, pa(&s), sizeof(s)), 0);
	EXPECT_EQ(s.size, sizeof(s));
	EXPECT_EQ(s.version, 1);
	for (int i = 0; i < 100; i++)
		parvus_nop();
	for (int i = 0; i < 10; i++)
		user_run(0);
	EXPECT_EQ(parvus_stats_read(0, pa(&t), sizeof(t)), 0);
	EXPECT_EQ(t.hypercalls[PARVUS_HC_nop] - s.hypercalls[PARVUS_HC_nop], 100);
	EXPECT_EQ(t.syscalls - s.syscalls, 10);
	EXPECT_EQ(t.user_returns - s.user_returns, 10);
	EXPECT(t.crossings - s.crossings >= 120);
	EXPECT(t.crossings - s.crossings < 200);
	EXPECT_EQ(parvus_debug_info(pa(&info), sizeof(info)), 0);
	EXPECT_EQ(info.size, sizeof(info));
	EXPECT_EQ(info.warnings, 0);
	EXPECT(info.frames_free < info.frames_total);
	EXPECT_EQ(parvus_debug_hash(pa(code), 2), 0);
	EXPECT_EQ(area.ret[0],
		  (((0xcbf29ce484222325ull ^ 0x0f) * 0x100000001b3ull) ^ 0x05) * 0x100000001b3ull);
}
