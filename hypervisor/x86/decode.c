// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decoder of the privileged instructions (Intel SDM vol. 2, appendix A and chapter 2).
 * It works on a copy of the bytes, so that what is checked is what is acted on.
 */
#include <x86/decode.h>
#include <core/lib.h>

struct cursor {
	const u8 *at, *end;
	bool short_of;
};

/* Behind the last byte come zeroes, and short_of says that the answer is none. */
static u8 next(struct cursor *c)
{
	if (c->at == c->end) {
		c->short_of = true;
		return 0;
	}
	return *c->at++;
}

static s32 immediate(struct cursor *c, unsigned int bytes)
{
	u32 v = 0;

	for (unsigned int i = 0; i < bytes; i++)
		v |= (u32)next(c) << 8 * i;
	return bytes == 1 ? (s8)v : (s32)v;
}

/* A ModRM operand: register or memory. Returns the ModRM byte. */
static u8 modrm(struct cursor *c, struct insn *i, u8 rex)
{
	u8 m = next(c), mod = m >> 6, rm = m & 7, sib;

	i->base = i->index = -1;
	if (mod == 3) {
		i->reg = (u8)(rm | (rex & 1) << 3);
		return m;
	}
	i->memory = true;
	if (rm == 4) {
		sib = next(c);
		i->scale = (u8)(1u << (sib >> 6));
		i->index = (s8)((sib >> 3 & 7) | (rex & 2) << 2);
		if (i->index == 4)
			i->index = -1;
		if ((sib & 7) == 5 && !mod) {
			i->disp = immediate(c, 4);
			return m;
		}
		i->base = (s8)((sib & 7) | (rex & 1) << 3);
	} else if (rm == 5 && !mod) {
		i->rip_relative = true;
		i->disp = immediate(c, 4);
		return m;
	} else {
		i->base = (s8)(rm | (rex & 1) << 3);
	}
	if (mod == 1)
		i->disp = immediate(c, 1);
	else if (mod == 2)
		i->disp = immediate(c, 4);
	return m;
}

/* Opcodes behind 0f. In a group ModRM chooses, by a register another one: 0f 01 f8 is SWAPGS. */
static void two_byte(struct cursor *c, struct insn *i, u8 rex)
{
	static const enum insn_op group6[8] = { INSN_SLDT, INSN_STR, INSN_LLDT, INSN_LTR };
	static const enum insn_op group7[8] = { INSN_SGDT, INSN_SIDT, INSN_LGDT, INSN_LIDT,
						INSN_SMSW, INSN_NONE, INSN_LMSW, INSN_INVLPG };
	static const u8 plain[256] = {
		[0x06] = INSN_CLTS, [0x07] = INSN_SYSRET,
		[0x08] = INSN_WBINVD, [0x09] = INSN_WBINVD,
		[0x30] = INSN_WRMSR, [0x31] = INSN_RDTSC, [0x32] = INSN_RDMSR, [0x33] = INSN_RDPMC,
		[0xa2] = INSN_CPUID,
	};
	u8 op = next(c), m;

	switch (op) {
	case 0x00:
		m = modrm(c, i, rex);
		i->op = group6[m >> 3 & 7];
		return;
	case 0x01:
		m = modrm(c, i, rex);
		if (m == 0xd1)
			i->op = INSN_XSETBV;
		else if (m == 0xf8)
			i->op = INSN_SWAPGS;
		else if (m == 0xf9)
			i->op = INSN_RDTSCP;
		else if (i->memory || (m >> 3 & 7) == 4 || (m >> 3 & 7) == 6)
			i->op = group7[m >> 3 & 7];
		return;
	case 0x20 ... 0x23:
		/* mod is ignored: the operand is always a register */
		m = next(c);
		i->reg = (u8)((m & 7) | (rex & 1) << 3);
		i->special = (u8)((m >> 3 & 7) | (rex & 4) << 1);
		i->op = op == 0x20 ? INSN_MOV_FROM_CR : op == 0x21 ? INSN_MOV_FROM_DR :
			op == 0x22 ? INSN_MOV_TO_CR : INSN_MOV_TO_DR;
		return;
	default:
		i->op = (enum insn_op)plain[op];
	}
}

/* Prefixes in any order, then REX, right before the opcode. LOCK is a fault with each of these. */
void insn_decode(const u8 *bytes, size_t len, struct insn *i)
{
	struct cursor c = { bytes, bytes + min(len, (size_t)INSN_MAX), false };
	u8 b, rex = 0;
	bool opsize = false;

	memset(i, 0, sizeof(*i));
	i->base = i->index = -1;
	i->size = 8;
	for (;;) {
		b = next(&c);
		if (b == 0x66)
			opsize = true;
		else if (b == 0xf2 || b == 0xf3)
			i->rep = true;
		else if (b == 0x64)
			i->segment_fs = true;
		else if (b == 0x65)
			i->segment_gs = true;
		else if (b != 0x2e && b != 0x36 && b != 0x3e && b != 0x26)
			break;
		if (c.short_of)
			return;
	}
	if ((b & 0xf0) == 0x40) {
		rex = b;
		b = next(&c);
	}
	switch (b) {
	case 0xcf:
		i->op = rex & 8 ? INSN_IRET : INSN_NONE;
		break;
	case 0x6c ... 0x6f:
		i->op = b < 0x6e ? INSN_INS : INSN_OUTS;
		i->size = b & 1 ? opsize ? 2 : 4 : 1;
		break;
	case 0xe4 ... 0xe7:
		i->imm_port = true;
		i->port = next(&c);
		/* fall through */
	case 0xec ... 0xef:
		i->op = b & 2 ? INSN_OUT : INSN_IN;
		i->size = b & 1 ? opsize ? 2 : 4 : 1;
		break;
	case 0x0f:
		two_byte(&c, i, rex);
		break;
	default:
		i->op = b == 0xfa ? INSN_CLI : b == 0xfb ? INSN_STI :
			b == 0xf4 ? INSN_HLT : INSN_NONE;
	}
	i->length = (u8)(c.at - bytes);
	if (c.short_of)
		i->op = INSN_NONE;
}
