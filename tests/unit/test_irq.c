// SPDX-License-Identifier: GPL-2.0-only
/*
 * core/irq.c: a level line is masked from its arrival to its EOI, or for a second; one that storms
 * is masked for a while; what nobody mapped is counted; the end of a domain masks all of its lines.
 */
#include "native.h"
#include <core/event.h>
#include <parvus/control.h>
#include <parvus/irq.h>

#define GPA	0x2000ull
#define VECTOR	0x41u

static struct domain *d;
static struct parvus_irq *record;

static void setup(void)
{
	native_boot(8 * EXTENT_FRAMES, 1);
	native_now = 5000000000ull;
	EXPECT(!timer_init_cpu(0), "no memory");
	d = native_domain("d", 512, 512, 2);
	EXPECT(d && !domain_populate(d, _gfn(0), 16), "no memory");
	domain_set_control(d);
	record = guest_map(d, GPA, sizeof(*record), 4096);
}

static s64 irq_op(u64 op, u64 arg) { return hc_irq_op(d->vcpus[0], op, arg); }

static struct parvus_irq_info info(void)
{
	struct parvus_irq_info *i = (void *)record;

	*i = (struct parvus_irq_info){ .size = sizeof(*i), .version = 1,
				       .domain = PARVUS_DOMAIN_SELF };
	ck_assert_int_eq(irq_op(PARVUS_IRQ_INFO, GPA), 0);
	return *i;
}

static u32 mapped(u32 kind, u32 source, u32 flags)
{
	u32 handle;

	*record = (struct parvus_irq){ .size = sizeof(*record), .version = 1,
				       .domain = PARVUS_DOMAIN_SELF, .kind = kind,
				       .source = source, .flags = flags };
	ck_assert_int_eq(irq_op(PARVUS_IRQ_MAP, GPA), 0);
	handle = record->handle;
	*record = (struct parvus_irq){ .size = sizeof(*record), .version = 1, .domain = d->id,
				       .handle = handle, .vcpu = 1, .vector = VECTOR };
	ck_assert_int_eq(irq_op(PARVUS_IRQ_TARGET, GPA), 0);
	if (kind == PARVUS_IRQ_LINE)
		ck_assert_int_eq(irq_op(PARVUS_IRQ_UNMASK, handle), 0);
	return handle;
}

/* Has the vector come since this was asked? */
static bool came(void)
{
	u64 *word = &d->vcpus[1]->vectors[VECTOR / 64], bit = 1ull << VECTOR % 64;
	bool was = *word & bit;

	*word &= ~bit;
	return was;
}

static void later(u64 ns)
{
	native_now += ns;
	timer_run(0, native_now);
}

START_TEST(level)
{
	u32 handle = mapped(PARVUS_IRQ_LINE, 9, PARVUS_IRQ_LEVEL | PARVUS_IRQ_LOW);

	ck_assert(native_line_level[9] && !native_line_masked[9] && !came());
	irq_arrived(handle);
	ck_assert(native_line_masked[9] && came());
	ck_assert_int_eq(irq_op(PARVUS_IRQ_EOI, handle), 0);
	ck_assert(!native_line_masked[9]);
	/* the guest's mask outlasts an EOI */
	irq_arrived(handle);
	ck_assert_int_eq(irq_op(PARVUS_IRQ_MASK, handle), 0);
	ck_assert_int_eq(irq_op(PARVUS_IRQ_EOI, handle), 0);
	ck_assert(native_line_masked[9]);
	ck_assert_int_eq(irq_op(PARVUS_IRQ_UNMASK, handle), 0);
	ck_assert(!native_line_masked[9]);
	/* an unmask does not stand for an EOI */
	irq_arrived(handle);
	ck_assert_int_eq(irq_op(PARVUS_IRQ_UNMASK, handle), 0);
	ck_assert(native_line_masked[9]);
}
END_TEST

START_TEST(stuck)
{
	u32 handle = mapped(PARVUS_IRQ_LINE, 9, PARVUS_IRQ_LEVEL);

	irq_arrived(handle);
	later(990000000);
	ck_assert(native_line_masked[9]);
	later(20000000);
	ck_assert(!native_line_masked[9]);
	ck_assert_uint_eq(info().stuck, 1);
	ck_assert(native_logged("irq: line 9: nobody serves it"));
	ck_assert_uint_eq(timer_next(0), 0);
	/* served in time: nothing is said, and the watchdog sleeps */
	irq_arrived(handle);
	irq_op(PARVUS_IRQ_EOI, handle);
	later(2000000000);
	ck_assert_uint_eq(info().stuck, 1);
	ck_assert_uint_eq(timer_next(0), 0);
}
END_TEST

START_TEST(storms)
{
	u32 line = mapped(PARVUS_IRQ_LINE, 9, 0), message = mapped(PARVUS_IRQ_MESSAGE, 0x18, 0);
	unsigned int i;

	for (i = 0; i < 999; i++)
		irq_arrived(line);
	ck_assert(!native_line_masked[9]);
	irq_arrived(line);
	ck_assert(native_line_masked[9]);
	later(10000000);
	ck_assert(!native_line_masked[9]);
	/* as many, but spread: no storm */
	for (i = 0; i < 5000; i++) {
		native_now += 11000;
		irq_arrived(line);
	}
	ck_assert(!native_line_masked[9]);
	for (i = 0; i < 1500; i++)
		irq_arrived(message);
	ck_assert_uint_eq(info().storms, 2);
}
END_TEST

START_TEST(strays)
{
	u32 handle = mapped(PARVUS_IRQ_MESSAGE, 0x18, 0);

	irq_arrived(handle);
	ck_assert(came());
	irq_arrived(IRQ_HANDLES);
	irq_arrived(handle + 1);
	ck_assert_int_eq(irq_op(PARVUS_IRQ_UNMAP, handle), 0);
	irq_arrived(handle);
	ck_assert(!came());
	ck_assert_uint_eq(info().strays, 3);
}
END_TEST

START_TEST(domain_gone)
{
	u32 handle = mapped(PARVUS_IRQ_LINE, 9, PARVUS_IRQ_LEVEL);

	mapped(PARVUS_IRQ_LINE, 14, 0);
	irq_arrived(handle);
	came();
	irq_domain_gone(d);
	ck_assert(native_line_masked[9] && native_line_masked[14]);
	irq_arrived(handle);
	ck_assert(!came());
	later(2000000000);
	ck_assert(native_line_masked[9]);
	ck_assert_uint_eq(info().mapped, 0);
}
END_TEST

/* What control INTERRUPT tells, from a handle on. */
START_TEST(shown)
{
	u32 line = mapped(PARVUS_IRQ_LINE, 9, PARVUS_IRQ_LEVEL);
	u32 message = mapped(PARVUS_IRQ_MESSAGE, 0x18, 0);
	struct parvus_control_interrupt i = { .handle = 0 };

	irq_arrived(line);
	irq_arrived(message);
	irq_arrived(message);
	irq_arrived(IRQ_HANDLES);
	irq_show(&i);
	ck_assert(line < message && i.handle == line && i.domain == d->id && i.source == 9);
	ck_assert(i.vcpu == 1 && i.vector == VECTOR && i.count == 1 && i.strays == 1);
	ck_assert_uint_eq(i.state, PARVUS_INTERRUPT_WAITS);
	i.handle++;
	irq_show(&i);
	ck_assert(i.handle == message && i.source == 0x18 && i.count == 2 && !i.state);
	i.handle++;
	irq_show(&i);
	ck_assert(i.handle == PARVUS_INTERRUPT_NONE && !i.count && i.strays == 1);
	irq_show(&i);
	ck_assert_uint_eq(i.handle, PARVUS_INTERRUPT_NONE);
}
END_TEST

/* A frame that can be read and not written: MAP finds that out, and leaves nothing behind. */
START_TEST(bad_buffer)
{
	*record = (struct parvus_irq){ .size = sizeof(*record), .version = 1,
				       .domain = PARVUS_DOMAIN_SELF, .source = 9 };
	ck_assert_int_eq(irq_op(PARVUS_IRQ_MAP, 16 << PAGE_SHIFT), -PARVUS_EFAULT);
	ck_assert_uint_eq(info().mapped, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("irq");
	TCase *c = tcase_create("irq");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, level);
	tcase_add_test(c, stuck);
	tcase_add_test(c, storms);
	tcase_add_test(c, strays);
	tcase_add_test(c, domain_gone);
	tcase_add_test(c, bad_buffer);
	tcase_add_test(c, shown);
	suite_add_tcase(s, c);
	return native_main(s);
}
