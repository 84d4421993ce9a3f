// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace.c: masks, batches from any position, rings that come and go, no memory; and with a
 * writer in another thread no torn record and no gap that is not told.
 */
#include "native.h"
#include <pthread.h>
#include <core/trace.h>

static struct parvus_control_trace t;
static struct domain dom = { .id = 3 };
static struct vcpu vcpu = { .domain = &dom, .id = 2 };

static int read_at(u32 flags, u32 mask, u32 cpu, u64 from)
{
	memset(&t, 0xa5, sizeof(t));
	t.flags = flags;
	t.mask = mask;
	t.cpu = cpu;
	t.from = from;
	return trace_read(&t);
}

START_TEST(masks)
{
	u64 free;

	native_boot(4096, 16);
	free = frames_free_count();
	ck_assert_int_eq(read_at(0, 0, 0, 7), 0);	/* off, never on */
	ck_assert(t.mask == 0 && t.records == 0 && t.from == 0 && t.end == 0);
	ck_assert_int_eq(read_at(2, 0, 0, 0), -PARVUS_EINVAL);
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_KNOWN + 1, 0, 0), -PARVUS_EINVAL);
	ck_assert_int_eq(read_at(0, 0, NATIVE_CPUS, 0), -PARVUS_EINVAL);
	trace(PARVUS_TRACE_WAKE, &vcpu, 1, 2);		/* off: nothing, and no ring to write to */
	ck_assert_uint_eq(frames_free_count(), free);
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_WAKE | PARVUS_TRACE_DOMAIN, 0, 0),
			 0);
	ck_assert_uint_eq(frames_free_count(), free - NATIVE_CPUS * 16);
	ck_assert_uint_eq(t.mask, PARVUS_TRACE_WAKE | PARVUS_TRACE_DOMAIN);
	trace(PARVUS_TRACE_WAKE, &vcpu, 5, 6);
	trace(PARVUS_TRACE_SCHED, &vcpu, 1, 1);		/* not in the mask */
	trace_event(9);
	trace_domain(&dom, PARVUS_DOMAIN_SHUTDOWN);
	native_this_cpu = 1;
	trace(PARVUS_TRACE_WAKE, NULL, 7, 8);
	ck_assert_int_eq(read_at(0, ~0u, 0, 0), 0);	/* the mask counts with SET alone */
	ck_assert_uint_eq(t.mask, PARVUS_TRACE_WAKE | PARVUS_TRACE_DOMAIN);
	ck_assert_uint_eq(t.records, 2);
	ck_assert_uint_eq(t.end, 2);
	ck_assert(t.record[0].event == PARVUS_TRACE_WAKE && t.record[0].domain == 3 &&
		  t.record[0].vcpu == 2 && t.record[0].arg[0] == 5 && t.record[0].arg[1] == 6);
	ck_assert(t.record[1].event == PARVUS_TRACE_DOMAIN && t.record[1].domain == 3 &&
		  t.record[1].vcpu == 0xffff && t.record[1].arg[0] == PARVUS_DOMAIN_SHUTDOWN);
	ck_assert_uint_ge(t.record[1].tsc, t.record[0].tsc);
	ck_assert_uint_eq(t.record[2].tsc | t.record[2].event, 0);	/* nothing of ours leaks */
	ck_assert_int_eq(read_at(0, 0, 1, 0), 0);
	ck_assert(t.records == 1 && t.record[0].domain == 0xffff && t.record[0].vcpu == 0xffff);
	/* off: what was written can still be read, nothing comes */
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, 0, 0, 1), 0);
	ck_assert(t.mask == 0 && t.records == 1 && t.from == 1 && t.end == 2);
	trace(PARVUS_TRACE_WAKE, &vcpu, 1, 1);
	ck_assert_int_eq(read_at(0, 0, 1, 0), 0);
	ck_assert_uint_eq(t.end, 1);
	trace_off();
	ck_assert_uint_eq(frames_free_count(), free);
	/* what assembly serves goes through C while it is traced, and not longer */
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_ALL, 1, 0), 0);
	ck_assert(native_fast);
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_EXIT, 1, 0), 0);
	ck_assert(!native_fast);
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_RETURN, 1, 0), 0);
	ck_assert(native_fast);
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_SYSCALL, 1, 0), 0);
	ck_assert(!native_fast);
	trace_off();
	ck_assert(native_fast);
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_ALL, 1, 0), 0);	/* anew */
	ck_assert_uint_eq(t.end, 0);
}
END_TEST

START_TEST(batches)
{
	u64 i, from;

	native_boot(4096, 16);
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_ALL, 0, 0), 0);
	for (i = 0; i < 5 * TRACE_RING + 100; i++)
		trace(PARVUS_TRACE_VECTOR, &vcpu, i, ~i);
	ck_assert_int_eq(read_at(0, 0, 0, 0), 0);
	ck_assert_uint_eq(t.from, i - TRACE_RING);	/* moved up to the oldest kept */
	for (from = t.from; from < i; from += t.records) {
		ck_assert_int_eq(read_at(0, 0, 0, from), 0);
		ck_assert_uint_eq(t.from, from);
		ck_assert_uint_eq(t.end, i);
		ck_assert_uint_eq(t.records, min(i - from, (u64)PARVUS_TRACE_BATCH));
		for (u64 n = 0; n < t.records; n++)
			EXPECT(t.record[n].arg[0] == from + n && t.record[n].arg[1] == ~(from + n),
			       "record %lu", from + n);
	}
	ck_assert_int_eq(read_at(0, 0, 0, ~0ull), 0);
	ck_assert(t.records == 0 && t.from == i && t.end == i);
}
END_TEST

START_TEST(no_memory)
{
	u64 free;

	native_boot(4096, 3073);
	ck_assert_ptr_nonnull(hv_alloc((512 - 40) * PAGE_SIZE)); /* room for two rings and a half */
	free = frames_free_count();
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_ALL, 0, 0), -PARVUS_ENOMEM);
	ck_assert_uint_eq(t.mask, 0);
	ck_assert_uint_eq(trace_mask, 0);
	ck_assert_uint_eq(frames_free_count(), free);
	trace(PARVUS_TRACE_WAKE, &vcpu, 1, 1);
}
END_TEST

/* What says that a record is there comes after it, and what says that one goes before (rule 76). */
static struct ring {	/* trace.c's */
	struct parvus_trace_record *record;
	u64 begin, end;
} *ring;
static u64 written;

static void looks_at_the_ring(const void *at)
{
	const struct parvus_trace_record *now;

	if (written++ % 2)	/* it is not busy any more */
		return;
	ring = (struct ring *)((const char *)at - offsetof(struct ring, end));
	now = &ring->record[ring->end % TRACE_RING];
	ck_assert_uint_eq(ring->begin, ring->end + 1);
	ck_assert_uint_eq(now->arg[0], ring->end);
	ck_assert_uint_eq(now->arg[1], ~ring->end);
	ck_assert_uint_eq(now->event, PARVUS_TRACE_VECTOR);
}

START_TEST(published)
{
	u64 i;

	native_boot(4096, 16);
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_ALL, 0, 0), 0);
	native_on_release = looks_at_the_ring;
	for (i = 0; i < 2 * TRACE_RING; i++)
		trace(PARVUS_TRACE_VECTOR, &vcpu, i, ~i);
	native_on_release = NULL;
	ck_assert_uint_eq(written, 2 * i);
	ck_assert_uint_eq(ring->end, i);
}
END_TEST

static u32 stop;
static void *writer(void *arg)
{
	u64 i;

	for (i = 0; !READ_ONCE(stop); i++)
		trace(PARVUS_TRACE_VECTOR, &vcpu, i, ~i);
	return arg;
}

/* A slow reader of a fast writer; and tracing that ends and begins under the writer's feet. */
START_TEST(concurrent)
{
	u64 from = 0, got = 0, jumps = 0, round, free;
	pthread_t thread;

	native_boot(4096, 16);
	free = frames_free_count();
	ck_assert_int_eq(read_at(PARVUS_TRACE_SET, PARVUS_TRACE_ALL, 0, 0), 0);
	pthread_create(&thread, NULL, writer, NULL);
	for (round = 0; round < 200000; round++) {
		read_at(0, 0, 0, from);
		EXPECT(t.from >= from && t.from + t.records <= t.end, "positions");
		jumps += t.from != from;
		for (u64 n = 0; n < t.records; n++)
			EXPECT(t.record[n].arg[0] == t.from + n &&
				       t.record[n].arg[1] == ~(t.from + n),
			       "record %lu is torn or another", t.from + n);
		got += t.records;
		/* at times far behind: where the writer is at work */
		from = chance(3) && t.end > TRACE_RING ? t.end - TRACE_RING : t.from + t.records;
	}
	ck_assert_uint_gt(got, 0);
	ck_assert_uint_gt(jumps, 0);
	for (round = 0; round < 300; round++) {
		trace_off();
		EXPECT(frames_free_count() == free, "rings are lost");
		read_at(PARVUS_TRACE_SET, PARVUS_TRACE_ALL, 0, 0);
		EXPECT(t.end <= 1ull << 32, "positions begin anew");
		for (u64 n = 0; n < t.records; n++)
			EXPECT(t.record[n].arg[0] == ~t.record[n].arg[1], "torn");
	}
	WRITE_ONCE(stop, 1);
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace");
	TCase *c = tcase_create("trace");

	tcase_add_test(c, masks);
	tcase_add_test(c, batches);
	tcase_add_test(c, no_memory);
	tcase_add_test(c, concurrent);
	tcase_add_test(c, published);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return native_main(s);
}
