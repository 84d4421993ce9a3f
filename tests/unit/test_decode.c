// SPDX-License-Identifier: GPL-2.0-only
/* The decoder of privileged instructions (hypervisor/decode.c). */
#include "native.h"
#include <hv/decode.h>

static const struct { u8 bytes[12]; u8 length; enum insn_op op; u8 reg, special, size; } good[] = {
	{ { 0xfa }, 1, INSN_CLI, 0, 0, 8 }, { { 0xfb }, 1, INSN_STI, 0, 0, 8 }, { { 0xf4 }, 1, INSN_HLT, 0, 0, 8 },
	{ { 0xe4, 0x60 }, 2, INSN_IN, 0, 0, 1 }, { { 0xe5, 0x60 }, 2, INSN_IN, 0, 0, 4 },
	{ { 0x66, 0xe5, 0x60 }, 3, INSN_IN, 0, 0, 2 }, { { 0xee }, 1, INSN_OUT, 0, 0, 1 },
	{ { 0x66, 0xef }, 2, INSN_OUT, 0, 0, 2 }, { { 0xf3, 0x6c }, 2, INSN_INS, 0, 0, 1 },
	{ { 0x0f, 0x20, 0xd8 }, 3, INSN_MOV_FROM_CR, 0, 3, 8 },
	{ { 0x0f, 0x22, 0xdf }, 3, INSN_MOV_TO_CR, 7, 3, 8 },
	{ { 0x41, 0x0f, 0x22, 0xd9 }, 4, INSN_MOV_TO_CR, 9, 3, 8 },
	{ { 0x44, 0x0f, 0x20, 0xc0 }, 4, INSN_MOV_FROM_CR, 0, 8, 8 },
	{ { 0x0f, 0x23, 0xf8 }, 3, INSN_MOV_TO_DR, 0, 7, 8 }, { { 0x0f, 0x21, 0xf1 }, 3, INSN_MOV_FROM_DR, 1, 6, 8 },
	{ { 0x0f, 0x06 }, 2, INSN_CLTS, 0, 0, 8 }, { { 0x0f, 0x09 }, 2, INSN_WBINVD, 0, 0, 8 },
	{ { 0x0f, 0x30 }, 2, INSN_WRMSR, 0, 0, 8 }, { { 0x0f, 0x32 }, 2, INSN_RDMSR, 0, 0, 8 },
	{ { 0x0f, 0x33 }, 2, INSN_RDPMC, 0, 0, 8 }, { { 0x0f, 0xa2 }, 2, INSN_CPUID, 0, 0, 8 },
	{ { 0x0f, 0x01, 0xd1 }, 3, INSN_XSETBV, 1, 0, 8 }, { { 0x0f, 0x01, 0xf8 }, 3, INSN_SWAPGS, 0, 0, 8 },
	{ { 0x48, 0xcf }, 2, INSN_IRET, 0, 0, 8 }, { { 0x48, 0x0f, 0x07 }, 3, INSN_SYSRET, 0, 0, 8 },
	{ { 0x0f, 0x00, 0xd8 }, 3, INSN_LTR, 0, 0, 8 }, { { 0x0f, 0x00, 0xd0 }, 3, INSN_LLDT, 0, 0, 8 },
	{ { 0x0f, 0x01, 0x38 }, 3, INSN_INVLPG, 0, 0, 8 }, { { 0x0f, 0x01, 0x14, 0x25, 1, 2, 3, 4 }, 8, INSN_LGDT, 0, 0, 8 },
	{ { 0x0f, 0x01, 0x1d, 1, 2, 3, 4 }, 7, INSN_LIDT, 0, 0, 8 },
	{ { 0x41, 0x0f, 0x01, 0x7c, 0x24, 0x10 }, 6, INSN_INVLPG, 0, 0, 8 },
	{ { 0x90 }, 1, INSN_NONE, 0, 0, 8 }, { { 0xcf }, 1, INSN_NONE, 0, 0, 8 }, { { 0x0f, 0x0b }, 2, INSN_NONE, 0, 0, 8 },
	{ { 0x0f, 0x01, 0xc1 }, 3, INSN_NONE, 1, 0, 8 },	/* vmcall */
};

START_TEST(each)
{
	struct insn i;

	insn_decode(good[_i].bytes, sizeof(good[0].bytes), &i);
	ck_assert_int_eq(i.op, good[_i].op);
	if (i.op == INSN_NONE)
		return;
	ck_assert_int_eq(i.length, good[_i].length);
	ck_assert_int_eq(i.special, good[_i].special);
	if (!i.memory)
		ck_assert_int_eq(i.reg, good[_i].reg);
	if (i.op >= INSN_IN && i.op <= INSN_OUTS)
		ck_assert_int_eq(i.size, good[_i].size);
	/* cut anywhere, it is nothing */
	for (unsigned int n = 0; n < good[_i].length; n++) {
		u8 *cut = malloc(n ? n : 1);	/* so that ASan sees a read beyond */

		memcpy(cut, good[_i].bytes, n);
		insn_decode(cut, n, &i);
		ck_assert_int_eq(i.op, INSN_NONE);
		free(cut);
	}
}
END_TEST

START_TEST(operands)
{
	struct insn i;

	insn_decode((const u8[]){ 0x43, 0x0f, 0x01, 0xbc, 0xa5, 0x78, 0x56, 0x34, 0x12 }, 9, &i);
	ck_assert_int_eq(i.op, INSN_INVLPG);
	ck_assert(i.memory && i.base == 13 && i.index == 12 && i.scale == 4 && i.disp == 0x12345678);
	insn_decode((const u8[]){ 0x0f, 0x01, 0x3d, 0xf0, 0xff, 0xff, 0xff }, 7, &i);
	ck_assert(i.rip_relative && i.disp == -16);
	insn_decode((const u8[]){ 0x65, 0x0f, 0x01, 0x78, 0xf8 }, 5, &i);
	ck_assert(i.segment_gs && i.base == 0 && i.disp == -8);
}
END_TEST

START_TEST(noise)
{
	random_seed(42);
	for (int n = 0; n < 200000; n++) {
		size_t len = random_below(18);
		u8 *b = malloc(len ? len : 1);
		struct insn i;

		for (size_t k = 0; k < len; k++)
			b[k] = random_below(3) ? (u8)random_u64() : 0x0f;
		insn_decode(b, len, &i);
		ck_assert_uint_le(i.length, INSN_MAX);
		if (i.op != INSN_NONE) {
			ck_assert_uint_ge(i.length, 1);
			ck_assert_uint_le(i.length, len);
			ck_assert(i.base >= -1 && i.base < 16 && i.index >= -1 && i.index < 16 && i.reg < 16);
		}
		free(b);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decode");
	TCase *t = tcase_create("decode");

	tcase_add_loop_test(t, each, 0, ARRAY_SIZE(good));
	tcase_add_test(t, operands);
	tcase_add_test(t, noise);
	suite_add_tcase(s, t);
	return run_suite(s);
}
