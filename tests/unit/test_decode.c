// SPDX-License-Identifier: GPL-2.0-only
/*
 * decode.c: every privileged instruction in the forms that the manual allows (Intel SDM
 * vol. 2), cut short at every length, and random bytes, always in a buffer that ends where
 * the bytes end, so that ASan sees a byte too many.
 */
#include "native.h"
#include <x86/decode.h>

/* Decode a copy of exactly @len bytes. */
static struct insn decode(const u8 *bytes, size_t len)
{
	u8 *copy = malloc(len ? len : 1);
	struct insn i;

	if (len)
		memcpy(copy, bytes, len);
	else
		copy[0] = 0xfa;
	memset(&i, 0x5a, sizeof(i));
	insn_decode(copy, len, &i);
	free(copy);
	return i;
}

struct sample {
	u8 bytes[16];
	u8 len;
	enum insn_op op;
	u8 size, reg, special;
	bool imm_port;
	u8 port;
	bool rep;
};

#define B(...) { __VA_ARGS__ }, sizeof((u8[]){ __VA_ARGS__ })

static const struct sample samples[] = {
	{ B(0xfa), INSN_CLI, .size = 8 },
	{ B(0xfb), INSN_STI, .size = 8 },
	{ B(0xf4), INSN_HLT, .size = 8 },
	{ B(0x40, 0xfa), INSN_CLI, .size = 8 },
	{ B(0x66, 0x2e, 0xfa), INSN_CLI, .size = 8 },
	{ B(0xf3, 0xf4), INSN_HLT, .size = 8, .rep = true },
	{ B(0x48, 0xcf), INSN_IRET, .size = 8 },
	{ B(0x4f, 0xcf), INSN_IRET, .size = 8 },
	{ B(0xcf), INSN_NONE, .size = 0 },
	{ B(0x47, 0xcf), INSN_NONE, .size = 0 },
	/* ports */
	{ B(0xe4, 0x60), INSN_IN, .size = 1, .imm_port = true, .port = 0x60 },
	{ B(0xe5, 0xff), INSN_IN, .size = 4, .imm_port = true, .port = 0xff },
	{ B(0x66, 0xe5, 0x71), INSN_IN, .size = 2, .imm_port = true, .port = 0x71 },
	{ B(0x66, 0xe4, 0x71), INSN_IN, .size = 1, .imm_port = true, .port = 0x71 },
	{ B(0xe6, 0x80), INSN_OUT, .size = 1, .imm_port = true, .port = 0x80 },
	{ B(0xe7, 0x80), INSN_OUT, .size = 4, .imm_port = true, .port = 0x80 },
	{ B(0x66, 0xe7, 0x80), INSN_OUT, .size = 2, .imm_port = true, .port = 0x80 },
	{ B(0xec), INSN_IN, .size = 1 },
	{ B(0xed), INSN_IN, .size = 4 },
	{ B(0x66, 0xed), INSN_IN, .size = 2 },
	{ B(0x48, 0xed), INSN_IN, .size = 4 },
	{ B(0xee), INSN_OUT, .size = 1 },
	{ B(0xef), INSN_OUT, .size = 4 },
	{ B(0x66, 0xef), INSN_OUT, .size = 2 },
	{ B(0x6c), INSN_INS, .size = 1 },
	{ B(0xf3, 0x6c), INSN_INS, .size = 1, .rep = true },
	{ B(0x6d), INSN_INS, .size = 4 },
	{ B(0x66, 0xf3, 0x6d), INSN_INS, .size = 2, .rep = true },
	{ B(0xf3, 0x66, 0x6d), INSN_INS, .size = 2, .rep = true },
	{ B(0x6e), INSN_OUTS, .size = 1 },
	{ B(0xf2, 0x6f), INSN_OUTS, .size = 4, .rep = true },
	{ B(0x66, 0x6f), INSN_OUTS, .size = 2 },
	/* control and debug registers: mod is ignored */
	{ B(0x0f, 0x20, 0xc0), INSN_MOV_FROM_CR, .size = 8, .reg = 0, .special = 0 },
	{ B(0x0f, 0x20, 0xd8), INSN_MOV_FROM_CR, .size = 8, .reg = 0, .special = 3 },
	{ B(0x0f, 0x20, 0x18), INSN_MOV_FROM_CR, .size = 8, .reg = 0, .special = 3 },
	{ B(0x0f, 0x20, 0x1c), INSN_MOV_FROM_CR, .size = 8, .reg = 4, .special = 3 },
	{ B(0x0f, 0x22, 0xdf), INSN_MOV_TO_CR, .size = 8, .reg = 7, .special = 3 },
	{ B(0x41, 0x0f, 0x22, 0xdf), INSN_MOV_TO_CR, .size = 8, .reg = 15, .special = 3 },
	{ B(0x44, 0x0f, 0x22, 0xc0), INSN_MOV_TO_CR, .size = 8, .reg = 0, .special = 8 },
	{ B(0x4f, 0x0f, 0x20, 0xc1), INSN_MOV_FROM_CR, .size = 8, .reg = 9, .special = 8 },
	{ B(0x0f, 0x21, 0xf8), INSN_MOV_FROM_DR, .size = 8, .reg = 0, .special = 7 },
	{ B(0x41, 0x0f, 0x23, 0xf4), INSN_MOV_TO_DR, .size = 8, .reg = 12, .special = 6 },
	/* of two bytes, no operand */
	{ B(0x0f, 0x06), INSN_CLTS, .size = 8 },
	{ B(0x0f, 0x07), INSN_SYSRET, .size = 8 },
	{ B(0x48, 0x0f, 0x07), INSN_SYSRET, .size = 8 },
	{ B(0x0f, 0x08), INSN_WBINVD, .size = 8 },
	{ B(0x0f, 0x09), INSN_WBINVD, .size = 8 },
	{ B(0x0f, 0x30), INSN_WRMSR, .size = 8 },
	{ B(0x0f, 0x31), INSN_RDTSC, .size = 8 },
	{ B(0x0f, 0x32), INSN_RDMSR, .size = 8 },
	{ B(0x0f, 0x33), INSN_RDPMC, .size = 8 },
	{ B(0x0f, 0xa2), INSN_CPUID, .size = 8 },
	{ B(0x0f, 0x01, 0xd1), INSN_XSETBV, .size = 8, .reg = 1 },
	{ B(0x0f, 0x01, 0xf8), INSN_SWAPGS, .size = 8, .reg = 0 },
	/* groups 6 and 7, register forms */
	{ B(0x0f, 0x00, 0xc3), INSN_SLDT, .size = 8, .reg = 3 },
	{ B(0x0f, 0x00, 0xcb), INSN_STR, .size = 8, .reg = 3 },
	{ B(0x0f, 0x00, 0xd0), INSN_LLDT, .size = 8, .reg = 0 },
	{ B(0x41, 0x0f, 0x00, 0xd8), INSN_LTR, .size = 8, .reg = 8 },
	{ B(0x0f, 0x00, 0xe0), INSN_NONE, .size = 0 },	/* VERR, VERW */
	{ B(0x0f, 0x00, 0xe8), INSN_NONE, .size = 0 },
	{ B(0x0f, 0x01, 0xe0), INSN_SMSW, .size = 8, .reg = 0 },
	{ B(0x49, 0x0f, 0x01, 0xe1), INSN_SMSW, .size = 8, .reg = 9 },
	{ B(0x0f, 0x01, 0xf6), INSN_LMSW, .size = 8, .reg = 6 },
	{ B(0x0f, 0x01, 0xc1), INSN_NONE, .size = 0 },	/* VMCALL */
	{ B(0x0f, 0x01, 0xc8), INSN_NONE, .size = 0 },	/* MONITOR */
	{ B(0x0f, 0x01, 0xca), INSN_NONE, .size = 0 },	/* CLAC */
	{ B(0x0f, 0x01, 0xd0), INSN_NONE, .size = 0 },	/* XGETBV */
	{ B(0x0f, 0x01, 0xd9), INSN_NONE, .size = 0 },	/* VMMCALL */
	{ B(0x0f, 0x01, 0xf9), INSN_RDTSCP, .size = 8, .reg = 1 },
	{ B(0x0f, 0x01, 0xee), INSN_NONE, .size = 0 },	/* RDPKRU */
	/* none of these */
	{ B(0x90), INSN_NONE, .size = 0 },
	{ B(0xcd, 0x80), INSN_NONE, .size = 0 },
	{ B(0x0f, 0x05), INSN_NONE, .size = 0 },
	{ B(0x0f, 0x0b), INSN_NONE, .size = 0 },
	{ B(0xf0, 0xfa), INSN_NONE, .size = 0 },
	{ B(0x00), INSN_NONE, .size = 0 },
};

START_TEST(all)
{
	size_t k, len;

	for (k = 0; k < ARRAY_SIZE(samples); k++) {
		const struct sample *s = &samples[k];
		struct insn i = decode(s->bytes, s->len);

		ck_assert_msg(i.op == s->op, "sample %zu: op %u, not %u", k, i.op, s->op);
		if (s->op == INSN_NONE)
			continue;
		ck_assert_msg(i.length == s->len, "sample %zu: length %u", k, i.length);
		ck_assert_msg(i.size == s->size, "sample %zu: size %u", k, i.size);
		ck_assert_msg(i.reg == s->reg, "sample %zu: reg %u", k, i.reg);
		ck_assert_msg(i.special == s->special, "sample %zu: special %u", k, i.special);
		ck_assert_msg(i.imm_port == s->imm_port && i.port == s->port, "sample %zu: port",
			      k);
		ck_assert_msg(i.rep == s->rep && !i.memory, "sample %zu: rep, memory", k);
		/* cut short it is nothing, and more bytes behind it change nothing */
		for (len = 0; len < s->len; len++)
			ck_assert_msg(decode(s->bytes, len).op == INSN_NONE, "sample %zu cut", k);
		i = decode(s->bytes, sizeof(s->bytes));
		ck_assert_msg(i.op == s->op && i.length == s->len, "sample %zu with a tail", k);
	}
}
END_TEST

struct operand {
	u8 bytes[16];
	u8 len;
	enum insn_op op;
	s8 base, index;
	u8 scale;
	s32 disp;
	bool rip, fs, gs;
};

static const struct operand operands[] = {
	{ B(0x0f, 0x01, 0x38), INSN_INVLPG, 0, -1, 0, 0, .rip = false },
	{ B(0x41, 0x0f, 0x01, 0x38), INSN_INVLPG, 8, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x01, 0x3f), INSN_INVLPG, 7, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x01, 0x7d, 0x00), INSN_INVLPG, 5, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x01, 0x7d, 0xf8), INSN_INVLPG, 5, -1, 0, -8, .rip = false },
	{ B(0x41, 0x0f, 0x01, 0x7d, 0x7f), INSN_INVLPG, 13, -1, 0, 127, .rip = false },
	{ B(0x0f, 0x01, 0xbb, 0x78, 0x56, 0x34, 0x12), INSN_INVLPG, 3, -1, 0, 0x12345678,
	  .rip = false },
	{ B(0x0f, 0x01, 0xbb, 0x00, 0x00, 0x00, 0x80), INSN_INVLPG, 3, -1, 0, INT32_MIN,
	  .rip = false },
	{ B(0x0f, 0x01, 0x3d, 0x04, 0x03, 0x02, 0x01), INSN_INVLPG, -1, -1, 0, 0x01020304,
	  .rip = true },
	{ B(0x41, 0x0f, 0x01, 0x3d, 0xff, 0xff, 0xff, 0xff), INSN_INVLPG, -1, -1, 0, -1,
	  .rip = true },
	/* SIB: base + index * scale; rsp is no index, r12 is; rbp with mod 0 is no base */
	{ B(0x0f, 0x01, 0x3c, 0x24), INSN_INVLPG, 4, -1, 1, 0, .rip = false },
	{ B(0x41, 0x0f, 0x01, 0x3c, 0x24), INSN_INVLPG, 12, -1, 1, 0, .rip = false },
	{ B(0x42, 0x0f, 0x01, 0x3c, 0x20), INSN_INVLPG, 0, 12, 1, 0, .rip = false },
	{ B(0x0f, 0x01, 0x3c, 0xc8), INSN_INVLPG, 0, 1, 8, 0, .rip = false },
	{ B(0x43, 0x0f, 0x01, 0x3c, 0x88), INSN_INVLPG, 8, 9, 4, 0, .rip = false },
	{ B(0x0f, 0x01, 0x7c, 0x4b, 0x10), INSN_INVLPG, 3, 1, 2, 16, .rip = false },
	{ B(0x0f, 0x01, 0xbc, 0x4b, 0x00, 0x01, 0x00, 0x00), INSN_INVLPG, 3, 1, 2, 256,
	  .rip = false },
	{ B(0x0f, 0x01, 0x3c, 0x25, 0x00, 0x10, 0x00, 0x00), INSN_INVLPG, -1, -1, 1, 4096,
	  .rip = false },
	{ B(0x0f, 0x01, 0x3c, 0x0d, 0xf0, 0xff, 0xff, 0xff), INSN_INVLPG, -1, 1, 1, -16,
	  .rip = false },
	{ B(0x41, 0x0f, 0x01, 0x3c, 0x25, 0x00, 0x10, 0x00, 0x00), INSN_INVLPG, -1, -1, 1, 4096,
	  .rip = false },
	{ B(0x0f, 0x01, 0x7c, 0x0d, 0x01), INSN_INVLPG, 5, 1, 1, 1, .rip = false },
	/* the other users of memory operands */
	{ B(0x0f, 0x01, 0x10), INSN_LGDT, 0, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x01, 0x1e), INSN_LIDT, 6, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x01, 0x02), INSN_SGDT, 2, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x01, 0x08), INSN_SIDT, 0, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x01, 0x20), INSN_SMSW, 0, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x01, 0x30), INSN_LMSW, 0, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x00, 0x10), INSN_LLDT, 0, -1, 0, 0, .rip = false },
	{ B(0x0f, 0x00, 0x18), INSN_LTR, 0, -1, 0, 0, .rip = false },
	{ B(0x65, 0x0f, 0x01, 0x14, 0x25, 0, 0, 0, 0), INSN_LGDT, -1, -1, 1, 0, .gs = true },
	{ B(0x64, 0x0f, 0x01, 0x38), INSN_INVLPG, 0, -1, 0, 0, .fs = true },
	{ B(0x65, 0x66, 0x48, 0x0f, 0x01, 0x38), INSN_INVLPG, 0, -1, 0, 0, .gs = true },
};

START_TEST(memory)
{
	size_t k, len;

	for (k = 0; k < ARRAY_SIZE(operands); k++) {
		const struct operand *o = &operands[k];
		struct insn i = decode(o->bytes, o->len);

		ck_assert_msg(i.op == o->op && i.length == o->len, "operand %zu: op %u, length %u",
			      k, i.op, i.length);
		ck_assert_msg(i.memory && i.base == o->base && i.index == o->index &&
			      i.disp == o->disp && i.rip_relative == o->rip,
			      "operand %zu: base %d index %d disp %d", k, i.base, i.index, i.disp);
		ck_assert_msg(i.index < 0 || i.scale == o->scale, "operand %zu: scale %u", k,
			      i.scale);
		ck_assert_msg(i.segment_fs == o->fs && i.segment_gs == o->gs,
			      "operand %zu: segment", k);
		for (len = 0; len < o->len; len++)
			ck_assert_msg(decode(o->bytes, len).op == INSN_NONE, "operand %zu cut", k);
	}
}
END_TEST

/* An instruction has at most 15 bytes, prefixes included. */
START_TEST(too_long)
{
	u8 b[20];

	memset(b, 0x2e, sizeof(b));
	ck_assert_int_eq(decode(b, sizeof(b)).op, INSN_NONE);
	b[14] = 0xfa;
	ck_assert_int_eq(decode(b, sizeof(b)).op, INSN_CLI);
	ck_assert_int_eq(decode(b, sizeof(b)).length, 15);
	b[14] = 0x0f;
	b[15] = 0x06;
	ck_assert_int_eq(decode(b, sizeof(b)).op, INSN_NONE);
}
END_TEST

/* What any bytes decode to is consistent: the length is there, and is all that matters. */
START_TEST(random_bytes)
{
	static const u8 likely_first[] = { 0x0f, 0x48, 0x66, 0xf3, 0x65, 0x41, 0xe4, 0x0f, 0x0f };
	unsigned int n, i, found = 0;

	random_seed(1);
	for (n = 0; n < 200000; n++) {
		u8 b[18];
		size_t len = below(sizeof(b) + 1);
		struct insn a, c;

		for (i = 0; i < len; i++)
			b[i] = i < 3 && chance(2) ? likely_first[below(sizeof(likely_first))] :
			       chance(3) ? (u8)below(0x34) : (u8)random_u64();
		a = decode(b, len);
		EXPECT(a.length <= min(len, (size_t)INSN_MAX), "length %u of %zu", a.length, len);
		if (a.op == INSN_NONE)
			continue;
		found++;
		EXPECT(a.length >= 1 && a.reg < 16 && a.special < 16, "out of range");
		EXPECT(a.base >= -1 && a.base < 16 && a.index >= -1 && a.index < 16 && a.index != 4,
		       "base %d, index %d", a.base, a.index);
		EXPECT(a.size == 1 || a.size == 2 || a.size == 4 || a.size == 8, "size %u", a.size);
		c = decode(b, a.length);
		EXPECT(!memcmp(&a, &c, sizeof(a)), "bytes behind it matter");
		EXPECT(decode(b, a.length - 1u).op == INSN_NONE, "decoded without its last byte");
	}
	ck_assert_uint_gt(found, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decode");
	TCase *t = tcase_create("decode");

	tcase_add_test(t, all);
	tcase_add_test(t, memory);
	tcase_add_test(t, too_long);
	tcase_add_test(t, random_bytes);
	suite_add_tcase(s, t);
	return native_main(s);
}
