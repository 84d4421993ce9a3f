// SPDX-License-Identifier: GPL-2.0-only
/*
 * device.c: every operation with good and bad arguments, who may do and see what, the
 * states, what is told to whom, limits, the end of domains in any order; then random
 * operations against a simple model.
 */
#include "native.h"
#include <core/domain.h>
#include <core/event.h>
#include <parvus/device.h>
#include <parvus/event.h>

#define GPA	0x2000u
#define BAD(call, err)	ck_assert_int_eq(call, -(s64)(err))
#define OK(call)	ck_assert_int_eq(call, 0)

static u64 before;
static struct domain *dom0, *a, *b;

static struct domain *domain_new(void)
{
	struct domain *d = native_domain("e", 512, 512, 1);
	struct parvus_event_bind *e;

	EXPECT(d && !domain_populate(d, _gfn(0), 16), "no memory");
	/* port 1 says when PARVUS_VIRQ_DEVICE came */
	OK(hc_event_op(d->vcpus[0], PARVUS_EVENT_REGISTER, 0x1000));
	e = guest_map(d, GPA, sizeof(*e), 64);
	*e = (struct parvus_event_bind){ .size = sizeof(*e),
					 .version = 1,
					 .kind = PARVUS_EVENT_VIRQ,
					 .virq = PARVUS_VIRQ_DEVICE };
	OK(hc_event_op(d->vcpus[0], PARVUS_EVENT_BIND, GPA));
	return d;
}

static bool told(struct domain *d)
{
	struct parvus_event_page *page = guest_map(d, 0x1000, sizeof(*page), PAGE_SIZE);
	bool was = page->pending[0] & 2;

	page->pending[0] = 0;
	return was;
}

static void setup(void)
{
	native_boot(8 * EXTENT_FRAMES, 1);
	EXPECT(!timer_init_cpu(0), "no memory");
	before = frames_free_count();
	dom0 = domain_new();
	dom0->control = true;
	a = domain_new();
	b = domain_new();
}

static void teardown(void)
{
	unsigned int i;

	for (i = 0; i < MAX_DOMAINS; i++)
		if (domains[i])
			domain_destroy(domains[i]);
	ck_assert_uint_eq(device_count(NULL), 0);
	ck_assert_uint_eq(frames_free_count(), before);
	ck_assert_uint_eq(native_warnings(), 0);
}

static struct parvus_device *record(struct domain *d)
{
	struct parvus_device *r = guest_map(d, GPA, sizeof(*r), 64);

	memset(r, 0, sizeof(*r));
	r->size = sizeof(*r);
	r->version = 1;
	return r;
}

static s64 op(struct domain *d, u64 o, u32 id, struct parvus_device *out)
{
	struct parvus_device *r = record(d);
	s64 ret;

	r->id = id;
	ret = hc_device_op(d->vcpus[0], o, GPA);
	if (out)
		*out = *r;
	return ret;
}

/* The id, or a negative error. */
static s64 create(struct domain *d, u32 class, u32 index, u32 front, u32 back)
{
	struct parvus_device *r = record(d);
	s64 ret;

	r->device_class = class;
	r->index = index;
	r->front_domain = front;
	r->back_domain = back;
	memset(r->config, 0x11, sizeof(r->config));
	ret = hc_device_op(d->vcpus[0], PARVUS_DEVICE_CREATE, GPA);
	return ret ? ret : r->id;
}

static s64 set(struct domain *d, s64 id, u32 state, u32 flags, u8 blob)
{
	struct parvus_device *r = record(d);

	r->id = (u32)id;
	r->flags = flags;
	r->front_state = r->back_state = state;
	memset(r->front_blob, blob, sizeof(r->front_blob));
	memset(r->back_blob, blob, sizeof(r->back_blob));
	return hc_device_op(d->vcpus[0], PARVUS_DEVICE_SET, GPA);
}

/* The next changed device's id, 0 = none. */
static u32 changed(struct domain *d, struct parvus_device *out)
{
	struct parvus_device r;
	s64 ret = op(d, PARVUS_DEVICE_CHANGED, 0, &r);

	EXPECT(!ret || ret == -PARVUS_ENOENT, "changed: %ld", ret);
	if (out)
		*out = r;
	return ret ? 0 : r.id;
}

static bool filled(const u8 *blob, u8 c)
{
	u32 i;

	for (i = 0; i < PARVUS_DEVICE_BLOB && blob[i] == c; i++)
		;
	return i == PARVUS_DEVICE_BLOB;
}

START_TEST(bad_arguments)
{
	struct parvus_device *r;
	s64 id = create(dom0, 2, 0, a->id, b->id);
	u32 o;

	ck_assert_int_eq(id, 1);
	for (o = 0; o <= PARVUS_DEVICE_CONFIGURE; o++) {
		struct vcpu *v = dom0->vcpus[0];

		BAD(hc_device_op(v, o, 16 * PAGE_SIZE - 100), PARVUS_EFAULT);
		BAD(hc_device_op(v, o, ~0ull - 100), PARVUS_EFAULT);
		r = record(dom0);
		r->id = 1;
		r->front_domain = a->id;
		r->back_domain = b->id;
		r->device_class = 7;
		r->size++;
		BAD(hc_device_op(v, o, GPA), PARVUS_EINVAL);
		r->size--;
		r->version = 0;
		BAD(hc_device_op(v, o, GPA), PARVUS_EINVAL);
		r->version = 1;
		r->reserved[0] = 1;
		BAD(hc_device_op(v, o, GPA), PARVUS_EINVAL);
		r->reserved[0] = 0;
		r->flags = 4;
		BAD(hc_device_op(v, o, GPA), PARVUS_EINVAL);
	}
	BAD(hc_device_op(dom0->vcpus[0], PARVUS_DEVICE_RESUME + 1, GPA), PARVUS_ENOSYS);
	BAD(hc_device_op(dom0->vcpus[0], 1ull << 32, GPA), PARVUS_ENOSYS);
	BAD(create(a, 2, 1, a->id, b->id), PARVUS_EPERM);
	BAD(op(a, PARVUS_DEVICE_REMOVE, 1, NULL), PARVUS_EPERM);
	BAD(op(b, PARVUS_DEVICE_CONFIGURE, 1, NULL), PARVUS_EPERM);
	BAD(create(dom0, 2, 0, a->id, b->id), PARVUS_EEXIST);
	BAD(create(dom0, 2, 0, a->id, dom0->id), PARVUS_EEXIST);
	BAD(create(dom0, 2, 1, 3, b->id), PARVUS_ENOENT);
	BAD(create(dom0, 2, 1, a->id, 3), PARVUS_ENOENT);
	BAD(create(dom0, 2, 1, MAX_DOMAINS, b->id), PARVUS_ENOENT);
	BAD(create(dom0, 2, 1, a->id, PARVUS_DOMAIN_SELF - 1), PARVUS_ENOENT);
	for (o = PARVUS_DEVICE_REMOVE; o <= PARVUS_DEVICE_CONFIGURE; o++) {
		if (o == PARVUS_DEVICE_CHANGED)
			continue;
		BAD(op(dom0, o, o == PARVUS_DEVICE_NEXT ? 1 : 0, NULL), PARVUS_ENOENT);
		BAD(op(dom0, o, o == PARVUS_DEVICE_NEXT ? ~0u : 2, NULL), PARVUS_ENOENT);
	}
	BAD(set(a, id, PARVUS_DEVICE_INITIALISING, 4, 0), PARVUS_EINVAL);
	BAD(set(a, id, PARVUS_DEVICE_INITIALISING, PARVUS_DEVICE_AS_BACK, 0), PARVUS_EINVAL);
	BAD(set(a, id, PARVUS_DEVICE_GONE, 0, 0), PARVUS_EINVAL);
	BAD(set(a, id, ~0u, 0, 0), PARVUS_EINVAL);
	BAD(set(dom0, id, PARVUS_DEVICE_INITIALISING, 0, 0), PARVUS_EPERM);
	OK(set(b, id, PARVUS_DEVICE_INITIALISING, PARVUS_DEVICE_AS_BACK, 0));
	ck_assert_uint_eq(device_count(NULL), 1);
	ck_assert_uint_eq(device_count(a), 1);
	ck_assert_uint_eq(device_count(b), 0);
}
END_TEST

/* A CHANGED whose answer cannot be written has not been seen; a CREATE makes nothing. */
START_TEST(answer_fails)
{
	u64 *t = frame_map(gfn_entry_mfn(a->gfn_chunks[0]));
	u64 *t0 = frame_map(gfn_entry_mfn(dom0->gfn_chunks[0]));
	struct parvus_device *r;
	s64 id = create(dom0, 2, 0, a->id, b->id);

	r = record(a);
	t[GPA >> PAGE_SHIFT] &= ~GFN_WRITABLE;
	BAD(hc_device_op(a->vcpus[0], PARVUS_DEVICE_CHANGED, GPA), PARVUS_EFAULT);
	t[GPA >> PAGE_SHIFT] |= GFN_WRITABLE;
	ck_assert_uint_eq(changed(a, NULL), id);
	r = record(dom0);
	r->device_class = 9;
	r->front_domain = a->id;
	t0[GPA >> PAGE_SHIFT] &= ~GFN_WRITABLE;
	BAD(hc_device_op(dom0->vcpus[0], PARVUS_DEVICE_CREATE, GPA), PARVUS_EFAULT);
	t0[GPA >> PAGE_SHIFT] |= GFN_WRITABLE;
	ck_assert_uint_eq(device_count(NULL), 1);
}
END_TEST

START_TEST(life)
{
	struct parvus_device r;
	s64 id = create(dom0, 3, 5, a->id, b->id);

	ck_assert(told(a) && told(b) && !told(dom0));
	ck_assert_uint_eq(changed(a, &r), id);
	ck_assert_uint_eq(r.device_class, 3);
	ck_assert_uint_eq(r.index, 5);
	ck_assert_uint_eq(r.front_domain, a->id);
	ck_assert_uint_eq(r.back_domain, b->id);
	ck_assert(filled(r.config, 0x11) && filled(r.front_blob, 0) && filled(r.back_blob, 0));
	ck_assert_uint_eq(r.front_state + r.back_state + r.front_changes + r.back_changes, 0);
	ck_assert_uint_eq(changed(a, NULL), 0);
	ck_assert_uint_eq(changed(b, NULL), id);
	ck_assert_uint_eq(changed(dom0, NULL), 0);
	/* there */
	BAD(set(a, id, PARVUS_DEVICE_READY, 0, 0), PARVUS_EINVAL);
	BAD(set(a, id, PARVUS_DEVICE_CONNECTED, 0, 0), PARVUS_EINVAL);
	OK(set(a, id, PARVUS_DEVICE_INITIALISING, 0, 7));
	ck_assert(told(b) && !told(a));
	BAD(set(a, id, PARVUS_DEVICE_CONNECTED, 0, 0), PARVUS_EINVAL);
	OK(set(a, id, PARVUS_DEVICE_READY, PARVUS_DEVICE_WRITE, 8));
	BAD(set(a, id, PARVUS_DEVICE_CONNECTED, 0, 0), PARVUS_EBUSY);
	OK(op(b, PARVUS_DEVICE_READ, (u32)id, &r));
	ck_assert(filled(r.front_blob, 8) && filled(r.back_blob, 0));
	ck_assert_uint_eq(r.front_state, PARVUS_DEVICE_READY);
	ck_assert_uint_eq(r.front_changes, 2);
	OK(set(b, id, PARVUS_DEVICE_INITIALISING, PARVUS_DEVICE_WRITE, 9));
	BAD(set(a, id, PARVUS_DEVICE_CONNECTED, 0, 0), PARVUS_EBUSY);
	OK(set(b, id, PARVUS_DEVICE_READY, 0, 0));
	OK(set(b, id, PARVUS_DEVICE_CONNECTED, 0, 0));
	OK(set(a, id, PARVUS_DEVICE_CONNECTED, 0, 0));
	OK(set(a, id, PARVUS_DEVICE_CONNECTED, PARVUS_DEVICE_WRITE, 10));
	BAD(set(a, id, PARVUS_DEVICE_READY, 0, 0), PARVUS_EINVAL);
	/* and back */
	OK(set(b, id, PARVUS_DEVICE_CLOSING, 0, 0));
	OK(set(a, id, PARVUS_DEVICE_CLOSED, 0, 0));
	OK(set(b, id, PARVUS_DEVICE_CLOSED, 0, 0));
	ck_assert_uint_eq(changed(a, &r), id);
	ck_assert_uint_eq(r.front_state + r.back_state, 0);
	ck_assert_uint_eq(r.back_changes, 5);
	ck_assert(filled(r.front_blob, 10) && filled(r.back_blob, 9));
	/* a new config, for both */
	changed(b, NULL);
	told(a), told(b);
	OK(op(dom0, PARVUS_DEVICE_CONFIGURE, (u32)id, NULL));
	ck_assert(told(a) && told(b));
	ck_assert_uint_eq(changed(a, &r), id);
	ck_assert_uint_eq(changed(b, NULL), id);
	ck_assert(filled(r.config, 0));
	/* gone: once, for each */
	OK(op(dom0, PARVUS_DEVICE_REMOVE, (u32)id, NULL));
	ck_assert(told(a) && told(b));
	ck_assert_uint_eq(device_count(NULL) + device_count(a), 0);
	BAD(op(a, PARVUS_DEVICE_READ, (u32)id, NULL), PARVUS_ENOENT);
	BAD(set(a, id, PARVUS_DEVICE_INITIALISING, 0, 0), PARVUS_ENOENT);
	BAD(op(dom0, PARVUS_DEVICE_REMOVE, (u32)id, NULL), PARVUS_ENOENT);
	ck_assert_uint_eq(changed(a, &r), id);
	ck_assert_uint_eq(r.front_state, PARVUS_DEVICE_GONE);
	ck_assert_uint_eq(r.back_state, PARVUS_DEVICE_GONE);
	ck_assert_uint_eq(changed(a, &r), 0);
	ck_assert_int_eq(create(dom0, 3, 5, a->id, b->id), id + 1);
	ck_assert_uint_eq(changed(b, &r), id);
	ck_assert_uint_eq(r.back_state, PARVUS_DEVICE_GONE);
	ck_assert_uint_eq(changed(b, &r), id + 1);
	ck_assert_uint_eq(changed(b, &r), 0);
}
END_TEST

/* Others see nothing, not even that it is there. */
START_TEST(privacy)
{
	struct parvus_device r;
	struct domain *c = domain_new();
	s64 x = create(dom0, 1, 0, a->id, b->id), y = create(dom0, 1, 0, c->id, b->id);
	u32 o;

	for (o = PARVUS_DEVICE_READ; o <= PARVUS_DEVICE_SET; o++)
		BAD(op(c, o, o == PARVUS_DEVICE_NEXT ? (u32)y : (u32)x, NULL), PARVUS_ENOENT);
	OK(op(c, PARVUS_DEVICE_NEXT, 0, &r));
	ck_assert_uint_eq(r.id, y);
	OK(op(a, PARVUS_DEVICE_NEXT, 0, &r));
	ck_assert_uint_eq(r.id, x);
	BAD(op(a, PARVUS_DEVICE_NEXT, (u32)x, &r), PARVUS_ENOENT);
	for (o = 0; o < 2; o++) {	/* the one that serves, and the control domain */
		struct domain *d = o ? dom0 : b;

		OK(op(d, PARVUS_DEVICE_NEXT, 0, &r));
		ck_assert_uint_eq(r.id, x);
		OK(op(d, PARVUS_DEVICE_NEXT, r.id, &r));
		ck_assert_uint_eq(r.id, y);
		BAD(op(d, PARVUS_DEVICE_NEXT, r.id, &r), PARVUS_ENOENT);
	}
}
END_TEST

/* Both ends in one domain: the flag says which. */
START_TEST(oneself)
{
	struct parvus_device r;
	s64 id = create(dom0, 1, 0, PARVUS_DOMAIN_SELF, PARVUS_DOMAIN_SELF);

	ck_assert_uint_eq(changed(dom0, &r), id);
	ck_assert_uint_eq(r.front_domain, dom0->id);
	ck_assert_uint_eq(changed(dom0, NULL), 0);
	told(dom0);
	OK(set(dom0, id, PARVUS_DEVICE_INITIALISING, PARVUS_DEVICE_WRITE, 1));
	OK(set(dom0, id, PARVUS_DEVICE_INITIALISING, PARVUS_DEVICE_WRITE | PARVUS_DEVICE_AS_BACK,
	       2));
	OK(set(dom0, id, PARVUS_DEVICE_READY, 0, 0));
	ck_assert(told(dom0));
	ck_assert_uint_eq(changed(dom0, &r), id);
	ck_assert_uint_eq(r.front_state, PARVUS_DEVICE_READY);
	ck_assert_uint_eq(r.back_state, PARVUS_DEVICE_INITIALISING);
	ck_assert(filled(r.front_blob, 1) && filled(r.back_blob, 2));
	OK(op(dom0, PARVUS_DEVICE_REMOVE, (u32)id, NULL));
	ck_assert_uint_eq(changed(dom0, &r), id);
	ck_assert_uint_eq(changed(dom0, &r), 0);
}
END_TEST

START_TEST(limits)
{
	u64 with = frames_free_count();
	u32 i, n;
	s64 first;
	struct parvus_device r;

	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		EXPECT(create(dom0, 1, i, a->id, b->id) > 0, "device %u", i);
	BAD(create(dom0, 1, i, a->id, b->id), PARVUS_ENOSPC);
	BAD(create(dom0, 1, 3, a->id, b->id), PARVUS_EEXIST);
	OK(op(dom0, PARVUS_DEVICE_REMOVE, 1, NULL));
	ck_assert_int_eq(create(dom0, 1, 0, a->id, b->id), PARVUS_DEVICES_DOMAIN + 1);
	/* one that nobody asks about goes when its place is needed */
	for (i = 0; i < 2000; i++) {
		s64 id = create(dom0, 2, 0, b->id, b->id);

		EXPECT(id > 0, "device %u", i);
		EXPECT(!op(dom0, PARVUS_DEVICE_REMOVE, (u32)id, NULL), "device %u", i);
		first = id;
	}
	ck_assert_uint_eq(device_count(NULL), PARVUS_DEVICES_DOMAIN);
	ck_assert_uint_eq(with - frames_free_count(), PARVUS_DEVICES);
	/* the last are still there to be seen, none of the living was lost */
	for (n = 0; changed(b, &r); n++)
		EXPECT(r.front_state == PARVUS_DEVICE_GONE ? r.id > first - 1000 :
							     r.device_class == 1,
		       "id %u", r.id);
	ck_assert_uint_eq(n, PARVUS_DEVICES);
	ck_assert_uint_eq(device_count(NULL), PARVUS_DEVICES_DOMAIN);
}
END_TEST

/* One who changes all the time does not keep others from being seen. */
START_TEST(fairness)
{
	s64 x = create(dom0, 1, 0, a->id, b->id), y = create(dom0, 1, 1, a->id, dom0->id);

	ck_assert_uint_eq(changed(a, NULL), x);
	OK(set(b, x, PARVUS_DEVICE_INITIALISING, 0, 0));
	ck_assert_uint_eq(changed(a, NULL), y);
	OK(set(b, x, PARVUS_DEVICE_INITIALISING, 0, 0));
	ck_assert_uint_eq(changed(a, NULL), x);
	ck_assert_uint_eq(changed(a, NULL), 0);
	/* but for what is gone: that comes before what may have come in its place */
	OK(set(b, x, PARVUS_DEVICE_INITIALISING, 0, 0));
	OK(op(dom0, PARVUS_DEVICE_REMOVE, (u32)y, NULL));
	ck_assert_int_gt(create(dom0, 1, 1, a->id, dom0->id), y);
	ck_assert_uint_eq(changed(a, NULL), y);
	ck_assert_uint_eq(changed(a, NULL), y + 1);
	ck_assert_uint_eq(changed(a, NULL), x);
}
END_TEST

START_TEST(ends)
{
	struct parvus_device r;
	s64 x = create(dom0, 1, 0, a->id, b->id), y = create(dom0, 1, 1, a->id, dom0->id);
	s64 z = create(dom0, 1, 0, dom0->id, b->id), w = create(dom0, 1, 1, b->id, b->id);
	struct domain *c, *old = b;
	u16 id = b->id;

	while (changed(a, NULL) || changed(b, NULL) || changed(dom0, NULL))
		;
	OK(set(b, x, PARVUS_DEVICE_INITIALISING, 0, 0));
	ck_assert_uint_eq(changed(a, NULL), x);
	told(a), told(dom0);
	/* the server goes */
	domain_get(b->id);
	domain_destroy(b);
	domain_put(old);
	ck_assert_uint_eq(device_count(NULL), 3);
	ck_assert(told(a) && told(dom0));
	ck_assert_uint_eq(changed(a, &r), x);
	ck_assert_uint_eq(r.back_state, PARVUS_DEVICE_CLOSED);
	ck_assert_uint_eq(r.back_changes, 2);
	ck_assert_uint_eq(changed(a, NULL), 0);
	ck_assert_uint_eq(changed(dom0, NULL), z);
	BAD(op(dom0, PARVUS_DEVICE_READ, (u32)w, NULL), PARVUS_ENOENT);
	OK(set(a, x, PARVUS_DEVICE_INITIALISING, 0, 0));
	/* who gets its number gets nothing else */
	c = domain_new();
	domains[c->id] = NULL;	/* as if all other numbers had been used since */
	c->id = id;
	domains[id] = c;
	BAD(op(c, PARVUS_DEVICE_READ, (u32)x, NULL), PARVUS_ENOENT);
	BAD(op(c, PARVUS_DEVICE_NEXT, 0, NULL), PARVUS_ENOENT);
	ck_assert_uint_eq(changed(c, NULL), 0);
	/* the user goes */
	domain_destroy(a);
	ck_assert_uint_eq(device_count(NULL), 1);
	ck_assert(told(dom0));
	ck_assert_uint_eq(changed(dom0, &r), y);
	ck_assert_uint_eq(r.front_state, PARVUS_DEVICE_GONE);
	ck_assert_uint_eq(changed(dom0, &r), 0);
	/* removed, not seen by the one that goes nor by the one that stays */
	x = create(dom0, 5, 0, c->id, dom0->id);
	OK(op(dom0, PARVUS_DEVICE_REMOVE, (u32)x, NULL));
	domain_destroy(c);
	ck_assert_uint_eq(changed(dom0, &r), x);
	ck_assert_uint_eq(r.back_state, PARVUS_DEVICE_GONE);
	/* one that has begun to end takes part in nothing new */
	c = domain_new();
	c->state = DOMAIN_DYING;
	BAD(create(dom0, 5, 0, c->id, dom0->id), PARVUS_ENOENT);
	BAD(create(dom0, 5, 0, dom0->id, c->id), PARVUS_ENOENT);
}
END_TEST

/* ---- a model ---- */

#define DOMAINS	4u
#define DEVICES	40u
static struct domain *d[DOMAINS];
static struct mdevice {
	u32 id, class, index;
	int end[2];		/* index in d[], -1 = ended */
	u32 state[2];
	bool changed[2], removed, used;
} m[DEVICES];

static void m_told(struct mdevice *x)
{
	x->changed[0] = x->end[0] >= 0;
	x->changed[1] = x->end[1] >= 0;
}

static void m_remove(struct mdevice *x)
{
	x->removed = true;
	m_told(x);
	x->used = x->changed[0] || x->changed[1];
}

static void m_gone(int who)
{
	struct mdevice *x;

	for (x = m; x < m + DEVICES; x++) {
		int i;

		if (!x->used || (x->end[0] != who && x->end[1] != who))
			continue;
		for (i = 0; i < 2; i++)
			if (x->end[i] == who)
				x->changed[i] = false;
		if (x->end[1] == who) {
			x->end[1] = -1;
			x->state[1] = 0;
			if (!x->removed)
				x->changed[0] = true;
		}
		if (x->end[0] == who) {
			x->end[0] = -1;
			x->changed[0] = false;
			if (!x->removed)
				m_remove(x);
		}
		if (x->removed && !x->changed[0] && !x->changed[1])
			x->used = false;
	}
}

static void m_step(void)
{
	struct mdevice *x = &m[below(DEVICES)], *y;
	int who = (int)below(DOMAINS), front, back, end;
	struct parvus_device r;
	u32 to, class, index, n, missed, gone;
	s64 ret, want;

	switch (below(8)) {
	case 0:
		front = (int)below(DOMAINS);
		back = (int)below(DOMAINS);
		class = (u32)below(3);
		index = (u32)below(3);
		want = who ? -PARVUS_EPERM : 0;
		for (y = m; y < m + DEVICES; y++)
			if (!want && y->used && !y->removed && y->end[0] == front &&
			    y->class == class && y->index == index)
				want = -PARVUS_EEXIST;
		for (y = m; y < m + DEVICES && y->used; y++)
			;
		if (y == m + DEVICES)
			return;
		ret = create(d[who], class, index, d[front]->id, d[back]->id);
		EXPECT(want ? ret == want : ret > 0, "create: %ld, not %ld", ret, want);
		if (ret > 0) {
			*y = (struct mdevice){ .id = (u32)ret, .class = class, .index = index,
					       .end = { front, back }, .used = true };
			m_told(y);
		}
		return;
	case 1:
		ret = op(d[who], chance(2) ? PARVUS_DEVICE_REMOVE : PARVUS_DEVICE_CONFIGURE, x->id,
			 &r);
		want = who ? -PARVUS_EPERM : x->used && !x->removed ? 0 : -PARVUS_ENOENT;
		EXPECT(ret == want, "remove: %ld, not %ld", ret, want);
		if (!ret && op(d[0], PARVUS_DEVICE_READ, x->id, &r))
			m_remove(x);
		else if (!ret)
			m_told(x);
		return;
	case 2 ... 4:
		to = (u32)below(6);
		end = x->end[0] == who && chance(2) ? 0 : 1;
		want = !x->used || x->removed || (who && x->end[0] != who && x->end[1] != who) ?
				-PARVUS_ENOENT :
		       x->end[end] != who ? (x->end[0] == who ? -PARVUS_EINVAL : -PARVUS_EPERM) :
		       to > 4 ? -PARVUS_EINVAL :
		       to == x->state[end] ? 0 :
		       to == 2 && x->state[end] != 1 ? -PARVUS_EINVAL :
		       to == 3 && x->state[end] != 2 ? -PARVUS_EINVAL :
		       to == 3 && x->state[!end] != 2 && x->state[!end] != 3 ? -PARVUS_EBUSY : 0;
		ret = set(d[who], x->id, to, end ? PARVUS_DEVICE_AS_BACK : 0, 0);
		EXPECT(ret == want, "set: %ld, not %ld", ret, want);
		if (!ret) {
			x->state[end] = to;
			if (x->end[!end] >= 0)
				x->changed[!end] = true;
		}
		return;
	case 5:
		for (gone = missed = 0, y = m; y < m + DEVICES; y++) {
			bool mine = y->used && ((y->changed[0] && y->end[0] == who) ||
						(y->changed[1] && y->end[1] == who));

			missed += mine;
			gone += mine && y->removed;
		}
		n = changed(d[who], &r);
		EXPECT(!!n == !!missed, "changed: %u of %u", n, missed);
		for (y = m; y < m + DEVICES; y++) {
			if (!n || !y->used || y->id != n)
				continue;
			EXPECT((y->changed[0] && y->end[0] == who) ||
				       (y->changed[1] && y->end[1] == who),
			       "id %u", n);
			EXPECT(y->removed || !gone, "id %u before %u that are gone", n, gone);
			EXPECT(r.front_state == (y->removed ? 5 : y->state[0]) &&
			       r.back_state == (y->removed ? 5 : y->state[1]), "states of %u", n);
			for (end = 0; end < 2; end++)
				if (y->end[end] == who)
					y->changed[end] = false;
			y->used = !y->removed || y->changed[0] || y->changed[1];
		}
		return;
	case 6:		/* the list */
		for (n = 0, to = 0; !op(d[who], PARVUS_DEVICE_NEXT, to, &r); n++) {
			EXPECT(r.id > to, "the list goes back");
			to = r.id;
		}
		for (y = m; y < m + DEVICES; y++)
			n -= y->used && !y->removed &&
			     (!who || y->end[0] == who || y->end[1] == who);
		EXPECT(!n, "the list of %d has %d too many", who, n);
		return;
	case 7:
		if (!who || !chance(6))
			return;
		m_gone(who);
		domain_destroy(d[who]);
		d[who] = domain_new();
		return;
	}
}

static void model_run(u64 seed)
{
	unsigned int i, j;
	u32 live, used;

	memset(m, 0, sizeof(m));
	for (i = 0; i < DOMAINS; i++)
		d[i] = domain_new();
	d[0]->control = true;
	used = (u32)frames_free_count();
	for (i = 0; i < 3000; i++) {
		m_step();
		for (live = 0, j = 0; j < DEVICES; j++)
			live += m[j].used && !m[j].removed;
		EXPECT(device_count(NULL) == live, "seed %lu step %u: %u live, not %u", seed, i,
		       device_count(NULL), live);
		for (live = 0, j = 0; j < DEVICES; j++)
			live += m[j].used;
		EXPECT(used - frames_free_count() == live, "seed %lu step %u: frames", seed, i);
	}
	for (i = 0; i < DOMAINS; i++)
		domain_destroy(d[i]);
}

START_TEST(random_operations) { for_seeds(20, model_run); }
END_TEST

int main(void)
{
	Suite *s = suite_create("device");
	TCase *c = tcase_create("device");

	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, bad_arguments);
	tcase_add_test(c, answer_fails);
	tcase_add_test(c, life);
	tcase_add_test(c, privacy);
	tcase_add_test(c, oneself);
	tcase_add_test(c, limits);
	tcase_add_test(c, fairness);
	tcase_add_test(c, ends);
	tcase_add_test(c, random_operations);
	suite_add_tcase(s, c);
	return native_main(s);
}
