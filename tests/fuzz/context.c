// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain is given a context that somebody has changed: the records of one that is right, each
 * with some members of the input's, in the order of the input. What is refused leaves nothing;
 * what is committed can be read, and given to another domain as it was read (rule 123). In the end
 * the frames are what they were.
 */
#include "../unit/native.h"
#include "lib/fuzz.h"
#include <core/context.h>
#include <core/event.h>
#include <core/grant.h>
#include <core/sched.h>
#include <parvus/event.h>

#define OP	0x2000u		/* gpas of domain 0 */
#define BUFFER	0x3000u
#define SIMPLE(op, d) control(op, &(struct parvus_control_domain){ \
	sizeof(struct parvus_control_domain), 1, (d)->id, 0 }, sizeof(struct parvus_control_domain))

static struct domain *zero;
static struct fuzz_input in;

/* What a domain says of itself; a vCPU's twice. */
struct whole {
	u8 page[PARVUS_CONTEXT_KINDS][2][PAGE_SIZE];
	u32 bytes[PARVUS_CONTEXT_KINDS];
};
static struct whole right, again;

static void *at(struct domain *d, u64 gpa)
{
	return (char *)frame_map(gfn_entry_mfn(gfn_lookup(d, _gfn(gpa >> PAGE_SHIFT)))) +
	       (gpa & ~PAGE_MASK);
}

static s64 control(u64 op, const void *record, size_t size)
{
	memcpy(at(zero, OP), record, size);
	return hc_control_op(zero->vcpus[0], op, OP);
}

static s64 context(struct domain *d, u32 kind, u32 flags, u32 index, u32 bytes)
{
	struct parvus_control_context c = {
		.size = sizeof(c), .version = 1, .domain = d->id, .kind = kind, .flags = flags,
		.index = index, .bytes = bytes, .buffer = bytes ? BUFFER : 0 };

	return control(PARVUS_CONTROL_CONTEXT, &c, sizeof(c));
}

static bool of_vcpu(u32 kind)
{
	return kind == PARVUS_CONTEXT_VCPU || kind == PARVUS_CONTEXT_XSAVE;
}

static void read_all(struct domain *d, struct whole *w)
{
	for (u32 kind = 0; kind < PARVUS_CONTEXT_COMMIT; kind++)
		for (u32 i = 0; i <= of_vcpu(kind); i++) {
			memset(at(zero, BUFFER), 0, PAGE_SIZE);
			FUZZ_CHECK(!context(d, kind, 0, i, PAGE_SIZE));
			w->bytes[kind] = ((struct parvus_control_context *)at(zero, OP))->bytes;
			memcpy(w->page[kind][i], at(zero, BUFFER), PAGE_SIZE);
		}
}

static s64 give(struct domain *d, const struct whole *w, u32 kind, u32 i)
{
	memcpy(at(zero, BUFFER), w->page[kind][i], PAGE_SIZE);
	return context(d, kind, PARVUS_CONTEXT_SET, i, w->bytes[kind]);
}

static struct domain *create(void)
{
	struct parvus_control_create c = { .size = sizeof(c), .version = 1, .vcpus = 2,
					   .max_frames = 512, .name = "f" };
	struct parvus_control_populate p = { .size = sizeof(p), .version = 1, .frames = 16,
					     .flags = PARVUS_POPULATE_NOW };
	struct domain *d;

	FUZZ_CHECK(!control(PARVUS_CONTROL_CREATE, &c, sizeof(c)));
	d = domain_get(((struct parvus_control_create *)at(zero, OP))->domain);
	domain_put(d);
	p.domain = d->id;
	FUZZ_CHECK(!control(PARVUS_CONTROL_POPULATE, &p, sizeof(p)));
	return d;
}

/* No CPU is there to see its vCPUs off; and domain 0 hears that its devices are gone. */
static void destroy(struct domain *d)
{
	struct parvus_device *r = at(zero, BUFFER);
	s64 ret = SIMPLE(PARVUS_CONTROL_DESTROY, d);

	for (u32 i = 0; i < 2 && ret == -PARVUS_EAGAIN && d->vcpus[0]; i++)
		if (d->vcpus[i]->state != VCPU_STOPPED) {
			sched_stop(d->vcpus[i]);
			domain_vcpu_gone(d);
		}
	while (ret == -PARVUS_EAGAIN)
		ret = SIMPLE(PARVUS_CONTROL_DESTROY, d);
	FUZZ_CHECK(!ret);
	do
		*r = (struct parvus_device){ .size = sizeof(*r), .version = 1 };
	while (!hc_device_op(zero->vcpus[0], PARVUS_DEVICE_CHANGED, BUFFER));
}

/* A domain with some of everything. */
static void once(void)
{
	struct parvus_device r = { .size = sizeof(r), .version = 1, .device_class = 2 };
	struct domain *d;
	u32 n = 0;

	native_boot(16 * EXTENT_FRAMES, 1);
	native_now = 1000000000;
	for (unsigned int i = 0; i < NATIVE_CPUS; i++) {
		FUZZ_CHECK(!timer_init_cpu(i));
		sched_init_cpu(i);
	}
	zero = native_domain("zero", 512, 512, 1);
	FUZZ_CHECK(zero && !domain_populate(zero, _gfn(0), 16));
	domain_set_control(zero);
	arch_this()->current = zero->vcpus[0];
	d = create();
	FUZZ_CHECK(!domain_start(d, 0x1000, 0x4000, 0));
	FUZZ_CHECK(!hc_event_op(d->vcpus[0], PARVUS_EVENT_REGISTER, 0x1000));
	for (u32 i = 0; i < 3; i++)
		FUZZ_CHECK(!event_alloc_unbound(d, zero->id, &n));
	for (u32 i = 0; i < 3; i++) {
		n = 0;
		FUZZ_CHECK(!grant_offer(d, 8 + i, zero->id, 0, &n));
	}
	FUZZ_CHECK(!hc_area_register(d->vcpus[0], 0, 0x5000, 512, 1));
	FUZZ_CHECK(!hc_clock_register(d->vcpus[0], 1, 0x6000));
	r.front_domain = d->id;
	memcpy(at(zero, BUFFER), &r, sizeof(r));
	FUZZ_CHECK(!hc_device_op(zero->vcpus[0], PARVUS_DEVICE_CREATE, BUFFER));
	read_all(d, &right);
	destroy(d);
}

/* Small numbers, powers of two and what is below them, gpas, all ones. */
static u64 number(void)
{
	u64 v = fuzz_u8(&in), how = v >> 5;

	v &= 31;
	return how <= 2 ? v : how == 3 ? 1ull << v * 2 : how == 4 ? (1ull << v * 2) - 1 :
	       how == 5 ? v << 12 : how == 6 ? ~0ull - v : fuzz_u64(&in);
}

/* A record that is right, but for up to seven members. */
static void changed(struct domain *d)
{
	static struct whole w;
	u32 kind = fuzz_u8(&in) % PARVUS_CONTEXT_COMMIT, how = fuzz_u8(&in);
	u32 i = how & of_vcpu(kind);
	u8 *page = w.page[kind][i];

	memcpy(page, right.page[kind][i], PAGE_SIZE);
	w.bytes[kind] = right.bytes[kind];
	for (how >>= 5; how; how--) {
		u32 to = (fuzz_u8(&in) | (u32)fuzz_u8(&in) << 8) % PAGE_SIZE;
		u64 v = number();

		memcpy(page + to, &v, min(PAGE_SIZE - to, to & 7 ? to & 4 ? 4ull : 2ull : 8ull));
	}
	give(d, &w, kind, i);
}

void fuzz_one(const uint8_t *data, size_t bytes)
{
	struct domain *d, *e;
	u64 before;

	if (!zero)
		once();
	before = frames_free_count();
	in = (struct fuzz_input){ data, data + bytes };
	d = create();
	while (in.at < in.end)
		changed(d);
	/* what is missing, as far as it goes with the rest */
	for (u32 kind = 0; kind < PARVUS_CONTEXT_COMMIT; kind++)
		for (u32 i = 0; kind != PARVUS_CONTEXT_GFNS && i <= of_vcpu(kind); i++)
			give(d, &right, kind, i);
	if (!context(d, PARVUS_CONTEXT_COMMIT, PARVUS_CONTEXT_SET, 0, 0)) {
		read_all(d, &again);
		e = create();
		for (u32 kind = 0; kind < PARVUS_CONTEXT_COMMIT; kind++)
			for (u32 i = 0; i <= of_vcpu(kind); i++)
				if (kind != PARVUS_CONTEXT_GFNS &&
				    give(e, &again, kind, i) == -PARVUS_EINVAL)
					abort();
		FUZZ_CHECK(!context(e, PARVUS_CONTEXT_COMMIT, PARVUS_CONTEXT_SET, 0, 0));
		destroy(e);
		if (d->state == DOMAIN_RUNNING)
			FUZZ_CHECK(!SIMPLE(PARVUS_CONTROL_UNPAUSE, d));
	}
	destroy(d);
	FUZZ_CHECK(frames_free_count() == before && !native_warnings());
}

FUZZ_TARGET()
