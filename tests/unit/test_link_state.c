// SPDX-License-Identifier: GPL-2.0-only
/*
 * The states of an end of a device (pv-drivers/linux/link_state.c). A front end that lets its link
 * go says so before it takes anything away, whatever the reason: else a back end that comes for
 * one that was killed still finds it READY, meets grants that are gone, and takes that for a lie,
 * which is final (rule 115).
 */
#include <check.h>
#include <stdarg.h>
#include "../../pv-drivers/linux/link.h"

static struct parvus_dev dev;
static struct parvus_link_end end;
static struct parvus_queues *queues;
static int fails;		/* what connect() and connected() say */
static unsigned int links, dropped;

static char reason[PARVUS_REASON], left[PARVUS_REASON];	/* what we say, and leave in our blob */
static const char *peer_blob;

void parvus_device_say(struct parvus_dev *d, const char *format, ...)
{
	va_list args;

	(void)d;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
}

int parvus_device_set_state(struct parvus_dev *d, u32 state, const void *blob, size_t bytes)
{
	left[0] = 0;
	if (state == PARVUS_DEVICE_CLOSED && blob)
		memcpy(left, blob, bytes < sizeof(left) ? bytes : sizeof(left));
	d->state = state;
	return 0;
}

int parvus_device_read(struct parvus_dev *d, struct parvus_device *record)
{
	memset(record, 0, sizeof(*record));
	record->front_changes = record->back_changes = d->peer_changes;
	record->back_state = d->peer_state;
	snprintf((char *)record->back_blob, sizeof(record->back_blob), "%s", peer_blob);
	return 0;
}

/* ---- the pages of a link (link.c), of which none matter ---- */

static struct parvus_queues *make(struct parvus_dev *d)
{
	queues = calloc(1, sizeof(*queues));
	queues->dev = d;
	links++;
	return queues;
}

struct parvus_queues *parvus_link_create(struct parvus_dev *d, unsigned int n, unsigned int rings,
					 unsigned int pool)
{
	(void)n;
	(void)rings;
	(void)pool;
	return make(d);
}

struct parvus_queues *parvus_link_accept(struct parvus_dev *d, const struct parvus_link_info *info)
{
	(void)info;
	return make(d);
}

unsigned int parvus_link_pages(const struct parvus_link_shape *shape)
{
	return shape->pool_pages;
}

int parvus_link_publish(struct parvus_queues *qs, u64 features)
{
	(void)features;
	return parvus_device_set_state(qs->dev, PARVUS_DEVICE_READY, NULL, 0);
}

int parvus_link_start(struct parvus_queues *qs, const struct parvus_link_end *e)
{
	(void)qs;
	(void)e;
	return 0;
}

void parvus_link_kick(struct parvus_queues *qs) { (void)qs; }

/* From here on the link is not what its peer takes it for. */
static void goes(void)
{
	if (dev.side == PARVUS_FRONT)
		ck_assert_msg(dev.state != PARVUS_DEVICE_READY &&
			      dev.state != PARVUS_DEVICE_CONNECTED,
			      "a front end in state %u takes its link away", dev.state);
}

void parvus_link_stop(struct parvus_queues *qs) { (void)qs; goes(); }

void parvus_link_free(struct parvus_queues *qs)
{
	goes();
	dropped++;
	free(qs);
}

static int describe(struct parvus_link_end *e, void *blob)
{
	(void)blob;
	e->shape = (struct parvus_link_shape){ .queues = 1, .ring_pages = 1, .pool_pages = 4,
					       .pool_least = 1 };
	return 0;
}

static int answer(struct parvus_link_end *e)
{
	(void)e;
	return fails;
}

static void disconnect(struct parvus_link_end *e) { (void)e; goes(); }

static const struct parvus_link_ops ops = {
	.describe = describe, .connect = answer, .connected = answer, .disconnect = disconnect,
};

/* ---- tests ---- */

static void begin(enum parvus_side side)
{
	dev = (struct parvus_dev){ .side = side };
	peer_blob = "\1";	/* an offer, no text */
	fails = 0;
	links = dropped = 0;
	parvus_link_end_init(&end, &dev, &ops);
	parvus_link_end_begin(&end);
}

static void peer(u32 state)
{
	dev.peer_state = state;
	dev.peer_changes++;
	parvus_link_end_peer_changed(&dev, state);
}

static void over(void)
{
	parvus_link_end_stop(&end);
	ck_assert_uint_eq(links, dropped);
}

static void front(u32 state)
{
	begin(PARVUS_FRONT);
	peer(PARVUS_DEVICE_READY);
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_READY);
	if (state == PARVUS_DEVICE_CONNECTED)
		peer(state);
	ck_assert_uint_eq(dev.state, state);
	ck_assert_uint_eq(links - dropped, 1);
}

static const u32 with_link[] = { PARVUS_DEVICE_READY, PARVUS_DEVICE_CONNECTED };

START_TEST(front_says_before_it_goes)
{
	u32 state = with_link[_i];

	front(state);
	peer(PARVUS_DEVICE_CLOSED);		/* it was killed */
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_INITIALISING);
	peer(PARVUS_DEVICE_READY);		/* the next one */
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_READY);
	over();

	front(state);
	peer(PARVUS_DEVICE_INITIALISING);	/* it was bound anew */
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_INITIALISING);
	over();

	front(state);
	peer(PARVUS_DEVICE_CLOSING);		/* detached */
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_CLOSED);
	over();

	front(state);				/* our driver goes */
	over();

	front(state);
	parvus_link_end_lie(&end, "lies");
	end.lie_work.run(&end.lie_work);
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_CLOSED);
	ck_assert(dev.refused);
	over();
}
END_TEST

START_TEST(front_fails)
{
	const int err[] = { -ENOMEM, -EPROTO };

	front(PARVUS_DEVICE_READY);
	fails = err[_i];
	peer(PARVUS_DEVICE_CONNECTED);
	ck_assert_uint_eq(links, dropped);
	/* an error of our own is tried again, what the other end does is final (rule 92) */
	ck_assert_int_eq(delayed_work_pending(&end.retry_work), err[_i] == -ENOMEM);
	ck_assert_uint_eq(dev.state, err[_i] == -ENOMEM ? PARVUS_DEVICE_INITIALISING :
			  PARVUS_DEVICE_CLOSED);
	fails = 0;
	end.retry_work.work.pending = false;
	dev.peer_state = PARVUS_DEVICE_READY;
	end.retry_work.work.run(&end.retry_work.work);
	ck_assert_uint_eq(links - dropped, err[_i] == -ENOMEM);
	over();
}
END_TEST

/* People are told why there is no link, or no use in it. */
START_TEST(reasons)
{
	begin(PARVUS_FRONT);
	ck_assert_str_eq(reason, "away: no back end");
	over();

	front(PARVUS_DEVICE_CONNECTED);
	ck_assert_str_eq(reason, "");
	parvus_link_end_hangs(&end, true);
	end.hang_work.run(&end.hang_work);
	ck_assert_str_eq(reason, "hangs: domain 0 does not answer");
	end.hang_work.pending = false;
	parvus_link_end_hangs(&end, true);	/* once is enough */
	ck_assert(!end.hang_work.pending);
	parvus_link_end_answers(&end);
	end.hang_work.run(&end.hang_work);
	ck_assert_str_eq(reason, "");
	/* a back end that was killed while it hung: it is away, and the next one does not hang */
	parvus_link_end_hangs(&end, true);
	peer(PARVUS_DEVICE_CLOSED);
	end.hang_work.run(&end.hang_work);
	ck_assert_str_eq(reason, "away: no back end");
	peer(PARVUS_DEVICE_READY);
	peer(PARVUS_DEVICE_CONNECTED);
	end.hang_work.run(&end.hang_work);
	ck_assert_str_eq(reason, "");
	/* it refuses us, and says why: text, as far as it is text */
	peer_blob = "asks for too much\n\033[2J";
	peer(PARVUS_DEVICE_CLOSED);
	ck_assert_str_eq(reason, "refused: domain 0: asks for too much");
	over();

	front(PARVUS_DEVICE_CONNECTED);
	parvus_link_end_lie(&end, "lies");
	end.lie_work.run(&end.lie_work);
	ck_assert_str_eq(reason, "lied: domain 0 lies");
	ck_assert_str_eq(left, "lies");
	over();

	front(PARVUS_DEVICE_READY);
	fails = -ENOMEM;
	peer(PARVUS_DEVICE_CONNECTED);
	ck_assert_str_eq(reason, "fails: no link to domain 0, error 12");
	over();
}
END_TEST

/* A back end offers itself again, and goes on to be READY while it lets the old link go. */
START_TEST(back_begins_anew)
{
	begin(PARVUS_BACK);
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_READY);
	peer(PARVUS_DEVICE_READY);
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_CONNECTED);
	peer(PARVUS_DEVICE_INITIALISING);
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_READY);
	ck_assert_uint_eq(links, dropped);
	peer(PARVUS_DEVICE_READY);
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_CONNECTED);
	peer(PARVUS_DEVICE_CLOSING);
	ck_assert_uint_eq(dev.state, PARVUS_DEVICE_CLOSED);
	over();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("link_state");
	TCase *t = tcase_create("link_state");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, front_says_before_it_goes, 0, 2);
	tcase_add_loop_test(t, front_fails, 0, 2);
	tcase_add_test(t, back_begins_anew);
	tcase_add_test(t, reasons);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
