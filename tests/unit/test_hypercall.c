// SPDX-License-Identifier: GPL-2.0-only
/*
 * core/hypercall.c and what is generated from hypercalls.tbl: each argument comes from its
 * register, each number is served by its handler and counted, who may not call is refused, a
 * multicall makes the calls that its column permits and no other, a restart comes again.
 */
#include "native.h"
#include <core/hypercall.h>
#include <parvus/hypercalls.h>

#define GPA	0x2000ull

static struct domain *d;
static struct vcpu *v;

static void setup(void)
{
	native_boot(4 * EXTENT_FRAMES, 1);
	EXPECT(!timer_init_cpu(0), "no memory");
	d = native_domain("d", 512, 512, 1);
	EXPECT(d && !domain_populate(d, _gfn(0), 512), "no memory");
	v = native_cpus[0].current = d->vcpus[0];
	native_cpus[0].area = v->area;
	shadow_start(v, _gfn(0));
	shadow_load(v);		/* who calls runs */
}

/* Registers that are all different, so that each shows where it went. */
static struct regs regs_of(u64 nr)
{
	return (struct regs){ .rax = nr, .rdi = 0x1001, .rsi = 0x1002, .rdx = 0x1003, .r10 = 0x1004,
			      .r8 = 0x1005, .r9 = 0x1006, .rcx = 0xbad, .r11 = 0xbad,
			      .rip = 0x5000 };
}

static s64 call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	struct regs r = { .rax = nr, .rdi = a0, .rsi = a1, .rdx = a2, .r10 = a3 };

	return hypercall_dispatch(&r);
}

/* The fake machine writes down what its own calls are given. */
START_TEST(arguments)
{
	static const struct { u32 nr, args; const char *name; } calls[] = {
#define MACHINE(name, args)	{ PARVUS_HC_##name, args, #name }
		MACHINE(iret, 0), MACHINE(sysret, 0), MACHINE(callbacks_set, 1),
		MACHINE(traps_set, 2), MACHINE(tls_set, 2), MACHINE(base_set, 2),
		MACHINE(msr_read, 1), MACHINE(msr_write, 2), MACHINE(cpuid, 2),
		MACHINE(debugreg_set, 2), MACHINE(debugreg_get, 1), MACHINE(pred_barrier, 0),
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		struct regs r = regs_of(calls[i].nr);

		native_called = "none";
		ck_assert_int_eq(hypercall_dispatch(&r), 77);
		ck_assert_str_eq(native_called, calls[i].name);
		ck_assert_uint_eq(native_args[0], calls[i].args > 0 ? 0x1001 : 0);
		ck_assert_uint_eq(native_args[1], calls[i].args > 1 ? 0x1002 : 0);
		/* the caller's registers for those two alone */
		ck_assert_ptr_eq(native_regs, calls[i].nr <= PARVUS_HC_sysret ? &r : NULL);
		ck_assert_uint_eq(v->stats.hypercalls[calls[i].nr], 1);
	}
	/* four, the fifth and sixth: only with each in its place are these served or refused so */
	ck_assert_int_eq(call(PARVUS_HC_area_register, PARVUS_VCPU_SELF, 0x3000,
			      PARVUS_VCPU_AREA_SIZE, PARVUS_VCPU_AREA_VERSION),
			 0);
	ck_assert_ptr_eq(native_cpus[0].area, v->area);
	ck_assert_ptr_ne(v->area, &v->own->area_none);
	for (i = 0; i < 7; i++) {
		/* mmu_switch: root is aligned, kernel_view 0, gen_gpa 8-aligned RAM, flags known */
		struct regs r = { .rax = PARVUS_HC_mmu_switch, .rdi = 1, .rsi = 0x4000, .r10 = 1,
				  .r8 = 0x5000 };
		s64 want[] = {
			0, 0, -PARVUS_EINVAL, -PARVUS_EINVAL, 0, -PARVUS_EFAULT, -PARVUS_EINVAL
		};
		u64 *const bad[] = { NULL, &r.rdi, &r.rsi, &r.rdx, &r.r10, &r.r8, &r.r9 };

		if (i)
			*bad[i] = i == 6 ? 0x80 : i == 2 ? 0x4008 : i == 5 ? 0x5004 : 9;
		ck_assert_int_eq(hypercall_dispatch(&r), want[i]);
	}
}
END_TEST

START_TEST(numbers)
{
	u64 nr, odd[] = { HYPERCALL_SLOTS, HYPERCALL_SLOTS + 1, 1ull << 32, ~0ull };
	unsigned int i;

	for (nr = PARVUS_HC_COUNT; nr < HYPERCALL_SLOTS; nr++)
		ck_assert_int_eq(call(nr, 0, 0, 0, 0), -PARVUS_ENOSYS);
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		ck_assert_int_eq(call(odd[i], 0, 0, 0, 0), -PARVUS_ENOSYS);
	ck_assert_int_eq(call(PARVUS_HC_lock_wait, 0, 0, 0, 0), -PARVUS_ENOSYS);
	ck_assert_uint_eq(v->stats.hypercalls[PARVUS_HC_lock_wait], 1);
	ck_assert_uint_eq(v->stats.hypercalls[0], 0);	/* none of them was taken for a nop */
}
END_TEST

START_TEST(privileges)
{
	debug_enabled = true;
	ck_assert_int_eq(call(PARVUS_HC_control_op, 99, 0, 0, 0), -PARVUS_EPERM);
	ck_assert_int_eq(call(PARVUS_HC_irq_op, 0, 0, 0, 0), -PARVUS_EPERM);
	ck_assert_int_eq(call(PARVUS_HC_debug_info, GPA, 64, 0, 0), 0);
	debug_enabled = false;
	d->control = true;
	ck_assert_int_eq(call(PARVUS_HC_control_op, 99, 0, 0, 0), -PARVUS_ENOSYS);
	ck_assert_int_eq(call(PARVUS_HC_irq_op, 99, 0, 0, 0), -PARVUS_ENOSYS);
	ck_assert_int_eq(call(PARVUS_HC_debug_info, GPA, 64, 0, 0), -PARVUS_EPERM);
	ck_assert_int_eq(call(PARVUS_HC_debug_hash, GPA, 64, 0, 0), -PARVUS_EPERM);
	d->control = false;
}
END_TEST

/* docs/abi.md, multicall: what it says has no place in a list. */
static bool refused_in_list(u64 nr)
{
	static const u8 refused[] = {
		PARVUS_HC_iret, PARVUS_HC_sysret, PARVUS_HC_multicall, PARVUS_HC_mmu_release,
		PARVUS_HC_block, PARVUS_HC_yield, PARVUS_HC_vcpu_stop, PARVUS_HC_grant_op,
		PARVUS_HC_memory_op, PARVUS_HC_device_op, PARVUS_HC_control_op };

	return memchr(refused, (int)nr, sizeof(refused)) && nr < HYPERCALL_SLOTS;
}

START_TEST(multicall)
{
	struct parvus_multicall *m = guest_map(d, GPA, PAGE_SIZE, 4096);
	u64 nr;

	for (nr = 0; nr <= HYPERCALL_SLOTS; nr++) {
		u64 before = nr < HYPERCALL_SLOTS ? v->stats.hypercalls[nr] : 0;

		if (nr == PARVUS_HC_shutdown)
			continue;
		native_called = "none";
		*m = (struct parvus_multicall){ .nr = nr,
						.result = 1234567,
						.args = { 0x1001, 0x1002 } };
		ck_assert_int_eq(call(PARVUS_HC_multicall, GPA, 1, 0, 0), 0);
		ck_assert_int_ne(m->result, 1234567);
		if (refused_in_list(nr))
			ck_assert_int_eq(m->result, -PARVUS_EINVAL);
		if (nr < HYPERCALL_SLOTS && nr != PARVUS_HC_multicall)
			ck_assert_msg(v->stats.hypercalls[nr] == before + !refused_in_list(nr),
				      "call %lu in a list", (unsigned long)nr);
		if (nr == PARVUS_HC_tls_set)
			ck_assert(native_args[0] == 0x1001 && native_args[1] == 0x1002 &&
				  m->result == 77);
		if (nr >= PARVUS_HC_COUNT)
			ck_assert_int_eq(m->result, -PARVUS_ENOSYS);
		if (nr <= PARVUS_HC_sysret && nr)
			ck_assert_str_eq(native_called, "none");
	}
	/* more than one copy of entries; and none too many */
	for (nr = 0; nr < 20; nr++)
		m[nr] = (struct parvus_multicall){ .nr = PARVUS_HC_debugreg_get, .args = { nr } };
	ck_assert_int_eq(call(PARVUS_HC_multicall, GPA, 19, 0, 0), 0);
	ck_assert(m[18].result == 77 && m[19].result == 0 && native_args[0] == 18);
	ck_assert_int_eq(call(PARVUS_HC_multicall, GPA, PARVUS_MULTICALL_MAX + 1, 0, 0),
			 -PARVUS_E2BIG);
	ck_assert_int_eq(call(PARVUS_HC_multicall, 512 * PAGE_SIZE, 1, 0, 0), -PARVUS_EFAULT);
}
END_TEST

/* Back at the SYSCALL instruction, with the same number in rax. */
START_TEST(restart)
{
	struct regs r = regs_of(PARVUS_HC_mmu_release);

	ck_assert_int_eq(hypercall_restart(&r), PARVUS_HC_mmu_release);
	ck_assert_uint_eq(r.rip, 0x5000 - 2);
	/* what is done at once goes on behind it */
	r = regs_of(PARVUS_HC_mmu_release);
	ck_assert_int_eq(hypercall_dispatch(&r), 0);
	ck_assert_uint_eq(r.rip, 0x5000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hypercall");
	TCase *c = tcase_create("hypercall");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, arguments);
	tcase_add_test(c, numbers);
	tcase_add_test(c, privileges);
	tcase_add_test(c, multicall);
	tcase_add_test(c, restart);
	suite_add_tcase(s, c);
	return native_main(s);
}
