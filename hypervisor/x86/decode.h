/* SPDX-License-Identifier: GPL-2.0-only */
/* Decoding the privileged instructions of 64-bit mode; portable, no side effect. */
#pragma once

#include <core/types.h>

enum insn_op {
	INSN_NONE,	/* not one of these: inject the fault */
	INSN_CLI, INSN_STI, INSN_HLT, INSN_IN, INSN_OUT, INSN_INS, INSN_OUTS,
	INSN_MOV_FROM_CR, INSN_MOV_TO_CR, INSN_MOV_FROM_DR, INSN_MOV_TO_DR,
	INSN_CLTS, INSN_LMSW, INSN_WBINVD, INSN_LGDT, INSN_LIDT, INSN_LLDT, INSN_LTR,
	INSN_SMSW, INSN_SLDT, INSN_STR, INSN_SGDT, INSN_SIDT, INSN_INVLPG,
	INSN_RDMSR, INSN_WRMSR, INSN_RDPMC, INSN_CPUID, INSN_XSETBV, INSN_SWAPGS,
	INSN_IRET, INSN_SYSRET, INSN_RDTSC, INSN_RDTSCP,
};

#define INSN_MAX	15u

struct insn {
	enum insn_op op;
	u8 length;
	u8 size;	/* operand bytes: in/out 1 2 4, ins/outs likewise, else 8 */
	u8 reg;		/* general register of the operand */
	u8 special;	/* number of the control or debug register */
	bool imm_port;	/* in/out: port is in @port, else dx */
	u8 port;
	bool rep;
	bool memory;	/* the operand is memory at base + index * scale + disp */
	bool rip_relative;
	s8 base, index;	/* general registers, -1 = none */
	u8 scale;
	s32 disp;
	bool segment_fs, segment_gs;
};

/* Decode @len bytes, at most INSN_MAX are looked at. op = INSN_NONE if it is none of these. */
void insn_decode(const u8 *bytes, size_t len, struct insn *out);
