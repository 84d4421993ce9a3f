/* SPDX-License-Identifier: GPL-2.0-only */
/* Baselines that only the benchmark's build has (make BENCH=1): arch/x86/bench.c. */
#ifndef ASM_BENCH_H
#define ASM_BENCH_H

#include <hv/decode.h>
#include <hv/vcpu.h>

#ifdef CONFIG_BENCH
s64 bench_call(struct vcpu *v, struct regs *r, u64 nr);
bool bench_store(struct vcpu *v, struct regs *r, u64 va, u32 error);
bool bench_port(struct vcpu *v, struct regs *r, const struct insn *i);
bool bench_sysret(struct vcpu *v, struct regs *r);
#else
#define bench_call(v, r, nr)		(-PARVUS_ENOSYS)
#define bench_store(v, r, va, error)	false
#define bench_port(v, r, i)		false
#define bench_sysret(v, r)		false
#endif

#endif
