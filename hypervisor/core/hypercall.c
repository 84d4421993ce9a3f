// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls: numbers, privilege and what may stand in a multicall come from
 * pv-abi/hypercalls.tbl, and so do the prototypes of the handlers (core/handlers.h, generated) and
 * what takes the arguments out of the registers. hc_<name> stands with its noun; here are those
 * that have none. Every argument is a guest's value; structures are copied in once, then checked.
 */
#include <core/handlers.h>
#include <core/hypercall.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/trace.h>
#include <parvus/hypercalls.h>

bool debug_enabled;

/* ---- those without a noun ---- */

/* The virtual IF was set by the guest, and something may be waiting for it. */
ALWAYS_INLINE s64 hc_nop(struct vcpu *v)
{
	if (vcpu_has_pending(v))
		cpu_work_add(arch_this(), WORK_VECTORS);
	return 0;
}

u64 features_word0(const struct domain *d)
{
	return PARVUS_FEATURE_PREFILL | PARVUS_FEATURE_RETPOLINE |
	       (d && d->tsc_clock ? PARVUS_FEATURE_TSC_CLOCK : 0) |
	       (arch_clock().stable ? PARVUS_FEATURE_CLOCK_STABLE : 0);
}

s64 hc_features(struct vcpu *v, u64 index)
{
	if (index > 3)
		return hv_error(PARVUS_EINVAL);
	v->area->ret[0] = index ? 0 : features_word0(v->domain);
	return 0;
}

/* FNV-1a, 64 bit (public domain; isthe.com/chongo/tech/comp/fnv). */
s64 hc_debug_hash(struct vcpu *v, u64 gpa, u64 length)
{
	u64 h = 0xcbf29ce484222325ull;
	u8 buf[256];

	if (length > MIB(1))
		return hv_error(PARVUS_E2BIG);
	while (length) {
		u64 n = min(length, sizeof(buf)), i;

		if (guest_read(v->domain, gpa, buf, n))
			return hv_error(PARVUS_EFAULT);
		for (i = 0; i < n; i++)
			h = (h ^ buf[i]) * 0x100000001b3ull;
		gpa += n;
		length -= n;
		arch_breathe();
	}
	v->area->ret[0] = h;
	return 0;
}

s64 hc_debug_info(struct vcpu *v, u64 gpa, u64 size)
{
	struct parvus_debug_info info = {
		.size = sizeof(info), .version = 1, .warnings = log_warnings(),
		.frames_total = frames_total_count(), .frames_free = frames_left(),
		.domains = domains_count() };

	if (size < 8 || size > PAGE_SIZE)
		return hv_error(PARVUS_EINVAL);
	return guest_write(v->domain, gpa, &info, min(size, sizeof(info)));
}

/* ---- dispatch ---- */

static s64 call_none(UNUSED struct vcpu *v, UNUSED struct regs *r)
{
	return hv_error(PARVUS_ENOSYS);
}

#include <core/hypercall_table.h>

enum { PRIV_any, PRIV_control, PRIV_debug };
enum { LIST_no, LIST_yes, LIST_regs };

static const struct {
	hypercall_fn call;
	u8 privilege;
} calls[PARVUS_HC_COUNT] = {
#define ROW(nr, function, priv, list) [nr] = { function, PRIV_##priv },
HYPERCALL_TABLE(ROW)
#undef ROW
};

/* In place of each that not everybody may make. */
static s64 call_guarded(struct vcpu *v, struct regs *r)
{
	u64 nr = r->rax & index_mask(r->rax, PARVUS_HC_COUNT);

	if (!(calls[nr].privilege == PRIV_control ? v->domain->control : debug_enabled))
		return hv_error(PARVUS_EPERM);
	return calls[nr].call(v, r);
}

const hypercall_fn hypercall_handlers[HYPERCALL_SLOTS] = {
	[PARVUS_HC_COUNT ... HYPERCALL_SLOTS - 1] = call_none,
#define ROW(nr, function, priv, list) [nr] = PRIV_##priv ? call_guarded : function,
HYPERCALL_TABLE(ROW)
#undef ROW
};
BUILD_ASSERT(PARVUS_HC_COUNT < HYPERCALL_SLOTS && !(HYPERCALL_SLOTS & (HYPERCALL_SLOTS - 1)));
BUILD_ASSERT(ARRAY_SIZE(((struct parvus_vcpu_stats *)0)->hypercalls) == HYPERCALL_SLOTS);

static ALWAYS_INLINE s64 call(struct vcpu *v, struct regs *r, u64 permitted)
{
	u64 nr = r->rax % HYPERCALL_SLOTS;	/* in range, even by speculation */

	/* a list that is gone on with has a count above its number */
	if (nr != r->rax && (u32)r->rax != PARVUS_HC_multicall)
		return hv_error(PARVUS_ENOSYS);
	if (!(permitted >> nr & 1))
		return hv_error(PARVUS_EINVAL);
	v->stats.hypercalls[nr]++;
	return hypercall_handlers[nr](v, r);
}

/* Bit n: call n may stand in a list. What this version does not know is no worse in one. */
#define ROW(nr, function, priv, list) | (u64)(LIST_##list == LIST_yes) << nr
static const u64 in_list = ~0ull << PARVUS_HC_COUNT HYPERCALL_TABLE(ROW);
#undef ROW

/*
 * Interrupts are let in between the parts of a list. If a reschedule or a timer is due then, the
 * guest makes the call anew for the rest (rule 49): how many are done stands in the upper half of
 * its rax, the one register that the call changes. A guest that writes there leaves out its own.
 */
s64 hc_multicall(struct vcpu *v, u64 gpa, u64 count, struct regs *regs)
{
	struct parvus_multicall m[8];	/* a copy of several costs hardly more than one of one */
	struct regs r = { 0 };
	u64 left = count, i, n, done = regs->rax >> 32;

	if (count > PARVUS_MULTICALL_MAX)
		return hv_error(PARVUS_E2BIG);
	if (done > count)
		return hv_error(PARVUS_EINVAL);
	gpa += done * sizeof(m[0]);
	for (left -= done; left; left -= n, gpa += n * sizeof(m[0])) {
		/* vectors of its own wait for the end, as they do for that of any call */
		if (left + done < count && arch_breathe() & ~WORK_VECTORS) {
			regs->rax = (u32)regs->rax | (count - left) << 32;
			return hypercall_restart(regs);
		}
		n = min(left, ARRAY_SIZE(m));
		if (guest_read(v->domain, gpa, m, n * sizeof(m[0])))
			return hv_error(PARVUS_EFAULT);
		for (i = 0; i < n; i++) {
			r.rax = m[i].nr;
			r.rdi = m[i].args[0];
			r.rsi = m[i].args[1];
			r.rdx = m[i].args[2];
			r.r10 = m[i].args[3];
			r.r8 = m[i].args[4];
			r.r9 = m[i].args[5];
			m[i].result = call(v, &r, in_list);
		}
		if (guest_write(v->domain, gpa, m, n * sizeof(m[0])))
			return hv_error(PARVUS_EFAULT);
	}
	return 0;
}

/* Apart, so that who is not traced pays for one look at the mask. */
static NOINLINE s64 call_traced(struct vcpu *v, struct regs *r)
{
	u64 nr = r->rax;
	s64 ret;

	trace(PARVUS_TRACE_HYPERCALL, v, nr, r->rdi);
	ret = call(v, r, ~0ull);
	trace(PARVUS_TRACE_RETURN, v, nr, (u64)ret);
	return ret;
}

s64 hypercall_dispatch(struct regs *r)
{
	struct vcpu *v = arch_current();
	u32 traced = READ_ONCE(trace_mask) & (PARVUS_TRACE_HYPERCALL | PARVUS_TRACE_RETURN);
	s64 ret = unlikely(traced) ? call_traced(v, r) : call(v, r, ~0ull);

	domain_memory_free();
	return ret;
}
