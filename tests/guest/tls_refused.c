// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tls_set takes is what Linux' set_thread_area takes: nothing, or a present 32-bit data
 * segment of DPL 3. A code segment brings a base and a limit of the guest's choice to rip, which
 * IRET and the emulator would have to believe (rule 64); a 16-bit stack shows bits of the
 * hypervisor's stack pointer through IRET (rule 34). The entry of the CPU number is a data
 * segment that cannot become a stack at all: it is read by LSL.
 */
#include "lib/guest.h"

#define DESC(type, flags)	(0x000000000000ffffull | (u64)(type) << 40 | (u64)(flags) << 52)

void test(void)
{
	u64 type, flags, ret;

	/* type byte: P, DPL, S, type; flags: G D/B L AVL */
	for (type = 0; type < 256; type++)
		for (flags = 0; flags < 16; flags++) {
			bool present = type >> 7, dpl3 = (type >> 5 & 3) == 3, s = type >> 4 & 1;
			bool data = present && dpl3 && s && !(type >> 3 & 1);
			bool big = flags >> 2 & 1, lng = flags >> 1 & 1, writable = type >> 1 & 1;

			ret = (u64)parvus_tls_set(0, DESC(type, flags));
			EXPECT_EQ(ret, data && big && !lng ? 0 : (u64)-PARVUS_EINVAL);
			ret = (u64)parvus_tls_set(3, DESC(type, flags));
			EXPECT_EQ(ret, data && big && !lng && !writable ? 0 : (u64)-PARVUS_EINVAL);
			if (failures > 8)
				return;
		}
	EXPECT_EQ(parvus_tls_set(0, 0), 0);
	EXPECT_EQ(parvus_tls_set(3, 0), 0);
}
