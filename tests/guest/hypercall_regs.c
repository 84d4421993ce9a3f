// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hypercall keeps every register but rax, rcx and r11; nop returns 0; the start
 * info is what the ABI says.
 */
#include "lib/guest.h"

void test(void)
{
	EXPECT_EQ(parvus_nop(), 0);
	EXPECT_EQ(check_registers(PARVUS_HC_nop), 0);
	EXPECT_EQ(check_registers(PARVUS_HC_timer_set + 1000), 0);
	EXPECT_EQ(start_info->magic, PARVUS_START_MAGIC);
	EXPECT_EQ(start_info->size, sizeof(*start_info));
	EXPECT_EQ(start_info->version, PARVUS_ABI_VERSION);
	EXPECT_EQ(start_info->vcpus, 1);
	EXPECT_EQ(parvus_features(0), 0);
	EXPECT_EQ(area.ret[0], start_info->features[0]);
	EXPECT_EQ(area.ret[0] & ~(u64)PARVUS_FEATURES_KNOWN, 0);
}
