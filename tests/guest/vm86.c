// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program's 32-bit IRET with VM set in the flags that it pops. Hardware ignores the flag at CPL
 * 3 and refuses the selector; QEMU's TCG enters virtual 8086 mode, where CS says nothing of
 * the privilege and the next fault looks like one of ring 0. It is the program's fault on both,
 * and the hypervisor goes on (rule 63).
 * @beside canary
 */
#include "lib/guest.h"

/* push $0: gs fs ds es ss esp; push $0x20202: flags with VM; push $0x1000: cs; push $0: eip */
/* iret */
static const u8 code[] = { 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0,
			   0x68, 0x02, 0x02, 0x02, 0, 0x68, 0, 0x10, 0, 0, 0x6a, 0, 0xcf };

void test(void)
{
	struct frame f;
	u64 i;

	user_setup(code, sizeof(code));
	for (i = 0; i < 100; i++) {
		memset(&f, 0, sizeof(f));
		f.rip = USER_CODE;
		f.cs = PARVUS_USER_CS32;
		f.ss = PARVUS_USER_SS;
		f.rflags = 0x202;
		f.rsp = USER_STACK - 64;
		user_trap.vector = 999;
		enter_user(&f);
		user_sp = 0;
		EXPECT_EQ(user_trap.vector, 13);
		EXPECT_EQ(user_trap.cs & 3, 3);
		EXPECT_EQ(user_trap.rflags & 0x20000, 0);
	}
}
