// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports of domain 0: its own work in every width and as strings, piece by piece; those of the
 * hypervisor read as ones and swallow what is written: 8259s, 8254, serial line, ways to reset;
 * what would switch the machine off is refused; a string from memory that is not there is a fault
 * and takes nothing from the device. Its user mode has no port at all.
 * @control 1
 */
#include "lib/irq.h"

static u8 buf[8192] __attribute__((aligned(4096)));

static void string_in(void *to)
{
	u64 n = 700;

	__asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(0xcfc) : "memory");
}

__asm__(".pushsection .text\nuser_in_code: in $0x71, %al\nuser_in_end:\n.popsection");
extern char user_in_code[], user_in_end[];

void test(void)
{
	static const u16 ours[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x43, 0x92, 0xcf9,
				    0x3f8, 0x3fd, 0x3ff };
	u64 n = 700, from = (u64)buf, i;
	u32 id;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		EXPECT_EQ(in8(ours[i]), 0xff);
	EXPECT_EQ(in16(0x3f7), 0xffff);		/* one byte of two is ours */
	EXPECT_EQ(in32(0xcf9), 0xffffffff);
	out8(0xcf9, 6);
	out8(0x92, 1);
	out8(0x21, 0);
	/* CMOS: bytes; the configuration of bus 0, function 0: all widths */
	cmos_set(0x50, 0x5a);
	EXPECT_EQ(cmos(0x50), 0x5a);
	out32(0xcf8, 0x80000000);
	EXPECT_EQ(in32(0xcf8), 0x80000000);
	id = in32(0xcfc);
	EXPECT_EQ(id & 0xffff, 0x8086);
	EXPECT_EQ(in16(0xcfc), 0x8086);
	EXPECT_EQ(in16(0xcfe), id >> 16);
	EXPECT_EQ(in8(0xcfd), 0x80);
	/* the bits above what is read stay; of four bytes they are cleared */
	__asm__ volatile("mov $-1, %%rax; inb %%dx, %%al" : "=a"(i) : "d"(0xcfd));
	EXPECT_EQ(i, 0xffffffffffffff80);
	__asm__ volatile("mov $-1, %%rax; inl %%dx, %%eax" : "=a"(i) : "d"(0xcfc));
	EXPECT_EQ(i, id);
	/* strings, more than one piece, across pages, and downwards */
	string_in(buf + 3000);
	for (i = 0; i < 700; i++)
		EXPECT_EQ(((u16 *)(buf + 3000))[i], 0x8086);
	EXPECT_EQ(buf[2999] + buf[4400], 0);
	n = 3;
	from = (u64)buf + 100;
	__asm__ volatile("std; rep insb; cld" : "+D"(from), "+c"(n) : "d"(0xcfd) : "memory");
	EXPECT_EQ(from, (u64)buf + 97);
	EXPECT_EQ(buf[97] + buf[101], 0);
	EXPECT_EQ(buf[98] & buf[99] & buf[100], 0x80);
	for (i = 0; i < 700; i++)
		buf[i] = (u8)(0x80 + i % 8);
	n = 700;
	from = (u64)buf;
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(0x70) : "memory");
	EXPECT_EQ(from, (u64)buf + 700);
	n = 0;
	from = 0;
	__asm__ volatile("rep insb" : "+D"(from), "+c"(n) : "d"(0x71) : "memory");
	EXPECT_EQ(from, 0);
	EXPECT_EQ(catch_fault(string_in, (void *)0x700000000000), 1);
	EXPECT_EQ(cmos(0x50), 0x5a);
	/* PM1 control of QEMU's PIIX4: S5 is type 0 there, and bit 13 says do it */
	__asm__ volatile("outw %0, %1" : : "a"((u16)0x2000), "Nd"((u16)0x604));
	out8(0x605, 0x20);
	user_setup(user_in_code, (u64)(user_in_end - user_in_code));
	user_run(0);
	EXPECT_EQ(user_trap.vector, 13);
}
