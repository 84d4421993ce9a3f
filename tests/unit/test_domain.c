// SPDX-License-Identifier: GPL-2.0-only
/*
 * domain.c and guest_access.c: the gfn table, memory by guest-physical address, and the
 * ways in which a domain fails to be made or ends; each must leave as many free frames as
 * it found.
 */
#include <pthread.h>
#include <unistd.h>
#include "native.h"
#include <core/handlers.h>
#include <core/lib.h>
#include <core/log.h>
#include <parvus/memory.h>
#include <mmu/mmu.h>

#define FRAMES	(16 * EXTENT_FRAMES)

static u64 before;

static void setup(void)
{
	native_boot(FRAMES, 1);
	before = frames_free_count();
}

static void teardown(void) { ck_assert_uint_eq(native_warnings(), 0); }

static void gone(void) { ck_assert_uint_eq(frames_free_count(), before); }

/* Its vCPUs run, each on a pCPU that has to be interrupted to learn of anything. */
static void runs(struct domain *d)
{
	unsigned int i;

	d->state = DOMAIN_RUNNING;
	d->alive_vcpus = d->vcpu_count;
	for (i = 0; i < d->vcpu_count; i++) {
		d->vcpus[i]->state = VCPU_RUNNING;
		d->vcpus[i]->on_cpu = true;
		d->vcpus[i]->sched.cpu = 1 + i;
		native_cpus[1 + i].exposed = true;
	}
}

START_TEST(create_and_destroy)
{
	struct domain *d = native_domain("first", 1000, 1000, 3), *e;

	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->id, 0);
	ck_assert_ptr_eq(domains[0], d);
	ck_assert_str_eq(d->name, "first");
	ck_assert_uint_eq(d->max_gfn, 1024);
	ck_assert_uint_eq(d->vcpu_count, 3);
	ck_assert_uint_eq(d->frames_free_before, before);
	ck_assert_ptr_eq(d->vcpus[2]->domain, d);
	e = native_domain("a name that is longer than the limit of thirty-two", 512, 512, 1);
	ck_assert_ptr_nonnull(e);
	ck_assert_uint_eq(e->id, 1);
	ck_assert_uint_eq(strlen(e->name), MAX_DOMAIN_NAME - 1);
	ck_assert_uint_eq(domains_count(), 2);
	domain_destroy(d);
	ck_assert_ptr_null(domains[0]);
	ck_assert_uint_eq(domains_count(), 1);
	ck_assert_uint_eq(native_power_offs, 0);
	/* numbers go up, and do not come back soon */
	d = native_domain("third", 512, 512, 1);
	ck_assert_uint_eq(d->id, 2);
	ck_assert_ptr_eq(domain_get(2), d);
	ck_assert_ptr_null(domain_get(0));
	domain_put(d);
	e->state = DOMAIN_RUNNING;
	domain_destroy(d);
	domain_destroy(e);
	ck_assert_uint_eq(native_power_offs, 1);
	gone();
}
END_TEST

START_TEST(bad_arguments)
{
	ck_assert_ptr_null(native_domain("x", 512, 512, 0));
	ck_assert_ptr_null(native_domain("x", 512, 512, MAX_VCPUS + 1));
	ck_assert_ptr_null(native_domain("x", 0, 0, 1));
	ck_assert_ptr_null(native_domain("x", (MAX_MACHINE_MEM >> PAGE_SHIFT) + 1,
					 (MAX_MACHINE_MEM >> PAGE_SHIFT) + 1, 1));
	ck_assert_ptr_null(native_domain("x", ~0ull, ~0ull, 1));
	ck_assert_uint_eq(domains_count(), 0);
	gone();
}
END_TEST

/* What the guest is promised for its shadows is there before it runs (rule 47). */
START_TEST(pool_floor)
{
	struct domain *d = native_domain("f", EXTENT_FRAMES, EXTENT_FRAMES, 2);

	ck_assert_uint_ge(shadow_pages(d), SHADOW_POOL_FLOOR(2));
	/* but for the kernel half and the vCPUs */
	ck_assert_uint_ge(d->shadow->free_count, SHADOW_POOL_FLOOR(2) - 3);
	ck_assert_uint_le(frames_free_count() + SHADOW_POOL_FLOOR(2), before);
	domain_destroy(d);
	gone();
}
END_TEST

/* Where numbers of a guest's wrap around (rule 66). */
START_TEST(gfns_wrap)
{
	struct domain *d = native_domain("w", 4 * EXTENT_FRAMES, 4 * EXTENT_FRAMES, 1);
	u64 frames;

	for (frames = 2; frames < 600; frames += 299) {
		ck_assert_int_eq(domain_populate(d, _gfn(~0ull), frames), -PARVUS_EINVAL);
		ck_assert_int_eq(domain_promise(d, _gfn(-frames + 1), frames), -PARVUS_EINVAL);
	}
	ck_assert_int_eq(domain_populate(d, _gfn(1), ~0ull), -PARVUS_EINVAL);
	ck_assert_uint_eq(d->frames, 0);
	domain_destroy(d);
	gone();
}
END_TEST

/* A release waits for a CPU that is in the middle of an access by address (rule 4). */
static u32 released;

static void *release_one(void *d)
{
	native_this_cpu = 2;
	ck_assert_int_eq(domain_release(d, ((struct domain *)d)->vcpus[0], 0, 1), 0);
	WRITE_ONCE(released, 1);
	return NULL;
}

START_TEST(released_under_an_access)
{
	struct domain *d = native_domain("r", EXTENT_FRAMES, EXTENT_FRAMES, 1);
	unsigned int looks;
	pthread_t thread;
	mfn_t mfn;

	ck_assert_int_eq(domain_populate(d, _gfn(0), 1), 0);
	mfn = gfn_entry_mfn(gfn_lookup(d, _gfn(0)));
	native_this_cpu = 1;
	guest_access_begin();
	ck_assert_int_eq(pthread_create(&thread, NULL, release_one, d), 0);
	while (gfn_is_ram(gfn_lookup(d, _gfn(0))))
		sched_yield();
	for (looks = 0; looks < 100; looks++) {	/* it has come to its wait by then, or is late */
		EXPECT(frame_info(mfn)->type == FRAME_GUEST && !READ_ONCE(released),
		       "the frame went under an access");
		usleep(1000);
	}
	guest_access_end();
	pthread_join(thread, NULL);
	ck_assert_uint_eq(frame_info(mfn)->type, FRAME_FREE);
	native_this_cpu = 0;
	domain_destroy(d);
	gone();
}
END_TEST

START_TEST(populate)
{
	struct domain *d = native_domain("p", 4 * EXTENT_FRAMES, 4 * EXTENT_FRAMES, 1);
	u64 e, n;

	/* 100 frames, a hole, an extent and a bit */
	ck_assert_int_eq(domain_populate(d, _gfn(10), 100), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(EXTENT_FRAMES), EXTENT_FRAMES + 5), 0);
	ck_assert_uint_eq(d->frames, 100 + EXTENT_FRAMES + 5);
	for (n = 0; n < 4 * EXTENT_FRAMES; n++) {
		bool there =
			(n >= 10 && n < 110) || (n >= EXTENT_FRAMES && n < 2 * EXTENT_FRAMES + 5);
		struct frame_info *f;

		e = gfn_lookup(d, _gfn(n));
		EXPECT(!!e == there, "gfn %lu: %lx", n, e);
		if (!e)
			continue;
		EXPECT((e & 15) == (GFN_PRESENT | GFN_WRITABLE |
				    (n >= EXTENT_FRAMES && n < 2 * EXTENT_FRAMES ? GFN_EXTENT : 0)),
		       "gfn %lu", n);
		f = frame_info(gfn_entry_mfn(e));
		EXPECT(f->type == FRAME_GUEST && f->owner == d->id && f->word == n && !f->count,
		       "gfn %lu", n);
		/* zeroed: the frames were stale */
		EXPECT(!*(u64 *)frame_map(gfn_entry_mfn(e)), "gfn %lu is not zero", n);
	}
	ck_assert_uint_eq(gfn_lookup(d, _gfn(4 * EXTENT_FRAMES)), 0);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(~0ull)), 0);
	/* beyond the table, and what is there already */
	ck_assert_int_eq(domain_populate(d, _gfn(4 * EXTENT_FRAMES), 1), -PARVUS_EINVAL);
	ck_assert_int_eq(domain_populate(d, _gfn(4 * EXTENT_FRAMES - 1), 2), -PARVUS_EINVAL);
	ck_assert_int_eq(domain_populate(d, _gfn(~0ull), 2), -PARVUS_EINVAL);
	ck_assert_int_eq(domain_populate(d, _gfn(50), 1), -PARVUS_EEXIST);
	ck_assert_int_eq(domain_populate(d, _gfn(EXTENT_FRAMES + 7), 1), -PARVUS_EEXIST);
	ck_assert_uint_eq(d->frames, 100 + EXTENT_FRAMES + 5);
	domain_destroy(d);
	gone();
}
END_TEST

/* What was added stays, is counted, and goes with the domain. */
START_TEST(populate_fails)
{
	struct domain *d = native_domain("p", 30 * EXTENT_FRAMES, 30 * EXTENT_FRAMES, 1);
	u64 n, there = 0;

	ck_assert_int_eq(domain_populate(d, _gfn(600), 1), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(0), 1024), -PARVUS_EEXIST);
	ck_assert_uint_eq(d->frames, 601);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(601)), 0);
	ck_assert_int_eq(domain_populate(d, _gfn(1024), 20 * EXTENT_FRAMES), -PARVUS_ENOMEM);
	for (n = 0; n < 30 * EXTENT_FRAMES; n++)
		there += !!gfn_lookup(d, _gfn(n));
	ck_assert_uint_eq(d->frames, there);
	ck_assert(spin_trylock(&d->gfn_lock));
	spin_unlock(&d->gfn_lock);
	domain_destroy(d);
	gone();
}
END_TEST

/* Without whole extents singles do. */
START_TEST(populate_from_pieces)
{
	static mfn_t held[FRAMES];
	struct domain *d = native_domain("p", 2 * EXTENT_FRAMES, 2 * EXTENT_FRAMES, 1);
	unsigned int n = 0, i;

	while (!alloc_frames(0, &held[n]))
		n++;
	for (i = 0; i < n; i++)
		if (mfn_x(held[i]) % 2) {
			free_frames(held[i], 0);
			held[i] = _mfn(~0ull);
		}
	ck_assert_int_eq(domain_populate(d, _gfn(0), 2 * EXTENT_FRAMES), 0);
	for (i = 0; i < 2 * EXTENT_FRAMES; i++)
		EXPECT((gfn_lookup(d, _gfn(i)) & 15) == (GFN_PRESENT | GFN_WRITABLE), "gfn %u", i);
	domain_destroy(d);
	for (i = 0; i < n; i++)
		if (mfn_x(held[i]) != ~0ull)
			free_frames(held[i], 0);
	gone();
}
END_TEST

/* Memory that runs out at any point, and a vCPU that cannot be made. */
START_TEST(create_fails)
{
	static mfn_t held[FRAMES];
	unsigned int n = 0, room, made = 0;

	while (!alloc_frames(0, &held[n]))
		n++;
	for (room = 0; room < 1100 && room < n; room += room < 40 ? 1 : 37) {
		unsigned int i;
		u64 left;
		struct domain *d;

		/* singles, then extents: the frames come back in order */
		for (i = 0; i < room; i++)
			free_frames(held[n - 1 - i], 0);
		left = frames_free_count();
		d = native_domain("x", 512, 512, 2);
		if (d) {
			made++;
			domain_destroy(d);
		}
		EXPECT(frames_free_count() == left, "room %u: %lu frames, %lu before", room,
		       frames_free_count(), left);
		EXPECT(!domains_count() && !domains[0], "room %u: a domain is left", room);
		/* take all of them again */
		for (i = 0; !alloc_frames(0, &held[n - room + i]); i++)
			;
		n = n - room + i;
	}
	ck_assert_uint_gt(made, 0);
}
END_TEST

START_TEST(create_without_vcpu)
{
	struct domain *d;
	unsigned int n;

	for (n = 1; n <= 3; n++) {
		native_vcpu_fail = n;
		ck_assert_ptr_null(native_domain("x", 512, 512, 3));
		ck_assert_uint_eq(domains_count(), 0);
		gone();
	}
	native_vcpu_fail = 0;
	/* a domain that never was is no end of the last domain */
	ck_assert_uint_eq(native_power_offs, 0);
	d = native_domain("x", 512, 512, 3);
	ck_assert_ptr_nonnull(d);
	domain_destroy(d);
	gone();
}
END_TEST

START_TEST(too_many)
{
	static struct domain *d[MAX_DOMAINS];
	unsigned int i, n = 0;
	u64 full;

	/* small machine: the table of domains, not memory, is what we want to fill */
	for (i = 0; i < MAX_DOMAINS; i++)
		if (!(domains[i] = (void *)&d))
			break;
	full = frames_free_count();
	ck_assert_ptr_null(native_domain("x", 512, 512, 1));
	ck_assert_uint_eq(frames_free_count(), full);
	for (i = 0; i < MAX_DOMAINS; i++)
		n += domains[i] == (void *)&d;
	ck_assert_uint_eq(n, MAX_DOMAINS);
}
END_TEST

/* The largest domain U can be made; its memory is another matter. */
START_TEST(largest)
{
	struct domain *d = native_domain("large", MAX_DOMAIN_MEM >> PAGE_SHIFT,
					 MAX_DOMAIN_MEM >> PAGE_SHIFT, 1);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(domain_promise(d, _gfn(0), MAX_DOMAIN_MEM >> PAGE_SHIFT), 0);
	domain_destroy(d);
	gone();
}
END_TEST

START_TEST(ends)
{
	struct domain *d = native_domain("name", 512, 512, 2);

	runs(d);
	domain_kill(d, "first \"reason\" %d\n", 7);
	domain_kill(d, "second");
	hc_shutdown(d->vcpus[0], PARVUS_SHUTDOWN_POWEROFF, 3);
	ck_assert_str_eq(d->own->kill_reason, "first \"reason\" 7\n");
	ck_assert_uint_eq(native_kicks, 2);
	domain_vcpu_gone(d);
	ck_assert_uint_eq(domains_count(), 1);
	domain_vcpu_gone(d);
	ck_assert_uint_eq(domains_count(), 0);
	ck_assert(native_logged("domain=0 name=name reason=killed status=255 "
				"why=\"first 'reason' 7'\" free_frames="));
	ck_assert(!native_rebooted);
	gone();
}
END_TEST

START_TEST(powers_off)
{
	struct domain *d = native_domain("name", 512, 512, 1);

	d->alive_vcpus = 1;
	hc_shutdown(d->vcpus[0], PARVUS_SHUTDOWN_POWEROFF, 3);
	domain_kill(d, "too late");
	domain_vcpu_gone(d);
	ck_assert(native_logged("reason=poweroff status=3 why=\"\""));
	d = native_domain("stopper", 512, 512, 1);
	d->alive_vcpus = 1;
	domain_vcpu_gone(d);
	ck_assert(native_logged("reason=killed status=255 why=\"all vCPUs stopped\""));
	gone();
}
END_TEST

START_TEST(guest_memory)
{
	struct domain *d = native_domain("m", 4 * EXTENT_FRAMES, 4 * EXTENT_FRAMES, 1);
	u8 out[3 * PAGE_SIZE], in[3 * PAGE_SIZE];
	unsigned int i;
	u64 *map, *t;

	domain_populate(d, _gfn(0), 3);
	domain_populate(d, _gfn(EXTENT_FRAMES), EXTENT_FRAMES);
	for (i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 13 + 5);
	ck_assert_int_eq(guest_write(d, 100, out, 2 * PAGE_SIZE), 0);
	ck_assert_int_eq(guest_read(d, 100, in, 2 * PAGE_SIZE), 0);
	ck_assert_int_eq(memcmp(in, out, 2 * PAGE_SIZE), 0);
	ck_assert_int_eq(guest_read(d, 0, in, 100), 0);
	ck_assert_uint_eq(in[99], 0);
	ck_assert_int_eq(guest_write(d, 3 * PAGE_SIZE - 1, out, 1), 0);
	ck_assert_int_eq(guest_write(d, 3 * PAGE_SIZE - 1, out, 2), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_read(d, 3 * PAGE_SIZE, in, 1), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_read(d, 3 * PAGE_SIZE, in, 0), 0);
	ck_assert_int_eq(guest_read(d, 4 * EXTENT_SIZE, in, 1), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_read(d, ~0ull, in, 1), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_read(d, ~0ull - 4, in, 100), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_read(d, 2 * EXTENT_SIZE - 4, in, 5), -PARVUS_EFAULT);
	/* for good: within one page, aligned */
	map = guest_map(d, 2 * PAGE_SIZE + 64, 512, 64);
	ck_assert_ptr_nonnull(map);
	*map = 0x1234567890ull;
	ck_assert_int_eq(guest_read(d, 2 * PAGE_SIZE + 64, in, 8), 0);
	ck_assert_int_eq(memcmp(in, map, 8), 0);
	ck_assert_ptr_null(guest_map(d, 2 * PAGE_SIZE + 32, 64, 64));
	ck_assert_ptr_null(guest_map(d, 2 * PAGE_SIZE - 64, 128, 64));
	ck_assert_ptr_null(guest_map(d, 2 * PAGE_SIZE, 0, 64));
	ck_assert_ptr_null(guest_map(d, 3 * PAGE_SIZE, 64, 64));
	ck_assert_ptr_null(guest_map(d, ~0ull - 63, 64, 64));
	/* a frame that is there to be read alone */
	t = frame_map(gfn_entry_mfn(d->gfn_chunks[0]));
	t[1] &= ~GFN_WRITABLE;
	ck_assert_int_eq(guest_read(d, PAGE_SIZE, in, 8), 0);
	ck_assert_int_eq(guest_write(d, PAGE_SIZE, in, 8), -PARVUS_EFAULT);
	ck_assert_ptr_null(guest_map(d, PAGE_SIZE, 64, 64));
	domain_destroy(d);
	gone();
}
END_TEST

static s64 need(struct domain *d, u64 gfn, u64 frames)
{
	struct parvus_memory_extent r = { .gfn = gfn, .frames = frames };

	ck_assert_int_eq(guest_write(d, 0, &r, sizeof(r)), 0);
	return hc_memory_op(d->vcpus[0], PARVUS_MEMORY_NEED, 0, 1);
}

/* What a domain without overcommit has claimed: RAM to come, or to have again, and its tables. */
static void claimed(const struct domain *d, u64 tables)
{
	ck_assert_uint_eq(d->claim, max(d->frames, d->target_frames) - d->touched + 8 - tables);
}

/* Beyond the target, by who is short of memory: of what nobody was promised, up to the limit. */
START_TEST(needs)
{
	struct domain *d = domain_create("n", 8 * EXTENT_FRAMES, 4 * EXTENT_FRAMES, 1, true, 0);
	const u64 top = 2 * EXTENT_FRAMES;
	static mfn_t taken[FRAMES];
	unsigned int n = 0;
	u64 claim;

	spin_unlock(&d->control_lock);
	ck_assert_int_eq(domain_promise(d, _gfn(0), top), 0);
	ck_assert(frames_claim(d, -(s64)top, false));
	d->target_frames = top;
	claimed(d, 0);
	ck_assert_int_eq(domain_promise(d, _gfn(top), 1), -PARVUS_ENOMEM);
	ck_assert_int_eq(need(d, top, EXTENT_FRAMES), 1);
	ck_assert_uint_eq(d->frames, 3 * EXTENT_FRAMES);
	claimed(d, 0);
	/* what others have is theirs */
	claim = d->claim;
	while (frames_unclaimed() && !alloc_frames(0, &taken[n]))
		n++;
	ck_assert_int_eq(need(d, 3 * EXTENT_FRAMES, 1), -PARVUS_ENOMEM);
	ck_assert_uint_eq(d->claim, claim);
	ck_assert_uint_eq(d->frames, 3 * EXTENT_FRAMES);
	while (n)
		free_frames(taken[--n], 0);
	/* a part of it is there: what came before that stays, and no more is claimed */
	ck_assert_int_eq(need(d, 3 * EXTENT_FRAMES + 5, 1), 1);
	claimed(d, 1);
	ck_assert_int_eq(need(d, 3 * EXTENT_FRAMES, 10), -PARVUS_EEXIST);
	ck_assert_uint_eq(d->frames, 3 * EXTENT_FRAMES + 6);
	claimed(d, 1);
	/* and no more than it may ever have */
	ck_assert_int_eq(need(d, 4 * EXTENT_FRAMES, EXTENT_FRAMES), -PARVUS_ENOMEM);
	claimed(d, 1);
	/* one that has claimed nothing: what is free for it now */
	d->claims = false;
	frames_claim(d, -(s64)d->claim, false);
	ck_assert_int_eq(need(d, 4 * EXTENT_FRAMES, 10), 1);
	ck_assert_uint_eq(d->claim, 0);
	while (!alloc_frames(0, &taken[n]))
		n++;
	ck_assert_int_eq(need(d, 3 * EXTENT_FRAMES + 20, 1), -PARVUS_ENOMEM);	/* its table is there */
	ck_assert_uint_eq(d->frames, 3 * EXTENT_FRAMES + 16);
	while (n)
		free_frames(taken[--n], 0);
	domain_destroy(d);
	gone();
}
END_TEST

/* RAM without frames: none is taken until it is touched, then an extent at a time. */
START_TEST(promises)
{
	struct domain *d = native_domain("p", 8 * EXTENT_FRAMES, 8 * EXTENT_FRAMES, 1);
	u8 buf[64] = { 1, 2, 3 }, in[64];
	u64 free, e;

	ck_assert_int_eq(domain_promise(d, _gfn(0), 4 * EXTENT_FRAMES), 0);
	free = frames_free_count();
	ck_assert_int_eq(domain_promise(d, _gfn(5 * EXTENT_FRAMES + 3), 10), 0); /* one table */
	ck_assert_uint_eq(free - frames_free_count(), 1);
	ck_assert_uint_eq(d->frames, 4 * EXTENT_FRAMES + 10);
	ck_assert_uint_eq(d->touched, 0);
	ck_assert_int_eq(domain_promise(d, _gfn(7), 1), -PARVUS_EEXIST);
	ck_assert_int_eq(domain_populate(d, _gfn(EXTENT_FRAMES), EXTENT_FRAMES), -PARVUS_EEXIST);
	ck_assert_int_eq(domain_populate(d, _gfn(5 * EXTENT_FRAMES + 4), 1), -PARVUS_EEXIST);
	ck_assert_int_eq(domain_promise(d, _gfn(8 * EXTENT_FRAMES - 1), 2), -PARVUS_EINVAL);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(600)), GFN_DEMAND);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(5 * EXTENT_FRAMES + 3)), GFN_DEMAND);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(5 * EXTENT_FRAMES + 2)), 0);
	/* reading finds zeroes and takes nothing; across the end of RAM it fails */
	memset(in, 0xff, sizeof(in));
	ck_assert_int_eq(guest_read(d, 600 * PAGE_SIZE - 32, in, 64), 0);
	for (e = 0; e < 64; e++)
		ck_assert_uint_eq(in[e], 0);
	ck_assert_int_eq(guest_read(d, 4 * EXTENT_SIZE - 32, in, 64), -PARVUS_EFAULT);
	ck_assert_uint_eq(d->touched, 0);
	/* writing takes an extent, or a frame where there is a table */
	ck_assert_int_eq(guest_write(d, 600 * PAGE_SIZE, buf, 64), 0);
	ck_assert_uint_eq(d->touched, EXTENT_FRAMES);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(601)) & (GFN_PRESENT | GFN_EXTENT),
			  GFN_PRESENT | GFN_EXTENT);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(1024)), GFN_DEMAND);
	ck_assert_int_eq(guest_write(d, (5 * EXTENT_FRAMES + 4) * PAGE_SIZE, buf, 64), 0);
	ck_assert_uint_eq(d->touched, EXTENT_FRAMES + 1);
	e = gfn_touch(d, _gfn(5 * EXTENT_FRAMES + 5), false);
	ck_assert(gfn_is_writable_ram(e) && !(e & GFN_EXTENT));
	ck_assert_uint_eq(gfn_touch(d, _gfn(5 * EXTENT_FRAMES + 20), false), 0);
	ck_assert_ptr_nonnull(guest_map(d, 3 * EXTENT_SIZE, 64, 64));
	ck_assert_uint_eq(d->touched, 2 * EXTENT_FRAMES + 2);
	ck_assert_int_eq(guest_read(d, 600 * PAGE_SIZE, in, 64), 0);
	ck_assert_int_eq(memcmp(in, buf, 64), 0);
	/* what was held for an access is let go */
	ck_assert_uint_eq(frame_info(gfn_entry_mfn(gfn_lookup(d, _gfn(600))))->count, 0);
	domain_destroy(d);
	gone();
}
END_TEST

/*
 * What a domain has claimed is there when it touches it, whatever others want meanwhile: first
 * touches, the hypervisor's own needs, claims (rule 78).
 */
START_TEST(claims)
{
	struct domain *d = native_domain("c", 4 * EXTENT_FRAMES, 4 * EXTENT_FRAMES, 1);
	struct domain *greedy = native_domain("g", FRAMES, FRAMES, 1);
	const u64 ram = 3 * EXTENT_FRAMES, tables = 4;
	u64 gfn, beyond;
	mfn_t mfn;
	void *p;

	d->claims = true;
	d->target_frames = ram;
	ck_assert(!frames_claim(d, FRAMES, false));
	ck_assert(frames_claim(d, (s64)(ram + tables), false));
	ck_assert_uint_eq(frames_claimed(), ram + tables);
	ck_assert_int_eq(domain_promise(d, _gfn(0), ram), 0);
	ck_assert_int_eq(domain_promise(d, _gfn(ram), 1), -PARVUS_ENOMEM);	/* the target */
	/* all that is left goes, to a neighbour, to calls of the hypervisor, to nobody */
	ck_assert_int_eq(domain_promise(greedy, _gfn(0), FRAMES - EXTENT_FRAMES), 0);
	for (gfn = 0; !(gfn_touch(greedy, _gfn(gfn), false) & GFN_DEMAND); gfn++)
		;
	ck_assert_uint_le(frames_unclaimed(), FRAMES_RESERVE + EXTENT_FRAMES);
	while (!alloc_frames(0, &mfn))
		;
	for (;;) {
		p = hv_alloc(PAGE_SIZE);
		if (!p)
			break;
	}
	ck_assert(!frames_claim(greedy, 1, false));
	beyond = gfn;
	ck_assert_uint_eq(gfn_touch(greedy, _gfn(beyond), true) & GFN_DEMAND, GFN_DEMAND);
	ck_assert_uint_eq(frames_claimed(), ram + tables);
	/* frame by frame: each chunk gets a table, too */
	for (gfn = 0; gfn < ram; gfn++) {
		if (!(gfn % EXTENT_FRAMES))
			ck_assert_ptr_nonnull(gfn_chunk_table(d, gfn));
		EXPECT(gfn_is_ram(gfn_touch(d, _gfn(gfn), false)), "gfn %lu", gfn);
	}
	ck_assert_uint_eq(d->touched, ram);
	ck_assert_uint_eq(frames_claimed(), 1);
	/* what goes comes back to the claim, unless the target is below */
	ck_assert_int_eq(domain_release(d, d->vcpus[0], 0, 100), 0);
	ck_assert_uint_eq(frames_claimed(), 101);
	ck_assert_uint_eq(gfn_touch(greedy, _gfn(beyond), true) & GFN_DEMAND, GFN_DEMAND);
	ck_assert_int_eq(domain_promise(d, _gfn(0), 100), 0);
	ck_assert(gfn_is_ram(gfn_touch(d, _gfn(0), false)));
	ck_assert_uint_eq(frames_claimed(), 100);
	d->target_frames = ram - 200;
	ck_assert_int_eq(domain_release(d, d->vcpus[0], 0, 100), 0);
	ck_assert_uint_eq(frames_claimed(), 1);
	ck_assert_int_eq(domain_promise(d, _gfn(0), 1), -PARVUS_ENOMEM);
	ck_assert_int_eq(domain_release(d, d->vcpus[0], 100, 200), 0);
	ck_assert_uint_eq(frames_claimed(), 101);
	domain_destroy(d);
	ck_assert_uint_eq(frames_claimed(), 0);
	domain_destroy(greedy);
}
END_TEST

/* No extent left: frames one by one; the last ones are for calls, not for touches. */
START_TEST(promises_when_short)
{
	struct domain *d = native_domain("p", 2 * EXTENT_FRAMES, 2 * EXTENT_FRAMES, 1);
	static mfn_t held[FRAMES];
	u64 n = 0, e;

	ck_assert_int_eq(domain_promise(d, _gfn(0), 2 * EXTENT_FRAMES), 0);
	while (frames_left() > FRAMES_RESERVE + 10)
		ck_assert_int_eq(alloc_frames(0, &held[n++]), 0);
	for (e = 0; e < 9; e++)	/* and one for the table of the chunk */
		ck_assert(gfn_is_writable_ram(gfn_touch(d, _gfn(e), false)));
	ck_assert_uint_eq(frames_left(), FRAMES_RESERVE);
	ck_assert_uint_eq(gfn_touch(d, _gfn(e), false), GFN_DEMAND);
	ck_assert(gfn_is_writable_ram(gfn_touch(d, _gfn(e), true)));
	while (gfn_touch(d, _gfn(++e), true) != GFN_DEMAND)
		;
	ck_assert_uint_eq(frames_left(), 0);
	ck_assert_int_eq(guest_write(d, e * PAGE_SIZE, &n, 8), -PARVUS_EFAULT);
	while (n)
		free_frames(held[--n], 0);
	ck_assert(gfn_is_writable_ram(gfn_touch(d, _gfn(e), false)));
	domain_destroy(d);
	gone();
}
END_TEST

/* Domain 0's frames are where the machine's are; the device is seen, nothing else is. */
START_TEST(machine_addresses)
{
	struct domain *d = native_domain("0", FRAMES, 3 * EXTENT_FRAMES, 1);
	u64 n, owned = 0;
	mfn_t taken;

	ck_assert_int_eq(alloc_frames(0, &taken), 0);
	native_open_frame = FRAMES + 77;
	ck_assert_uint_eq(gfn_lookup(d, _gfn(native_open_frame)), 0);	/* not for a domain U */
	domain_set_control(d);
	ck_assert_int_eq(domain_claim(d, 0, 4 * EXTENT_FRAMES + 100), 0);
	for (n = 0; n < FRAMES; n++) {
		u64 e = gfn_lookup(d, _gfn(n));

		if (!e)
			continue;
		owned++;
		EXPECT(gfn_is_writable_ram(e) && mfn_x(gfn_entry_mfn(e)) == n, "gfn %lu: %lx", n,
		       e);
		EXPECT(frame_info(_mfn(n))->owner == d->id && frame_info(_mfn(n))->word == n,
		       "gfn %lu", n);
	}
	ck_assert_uint_eq(owned, d->frames);
	ck_assert_uint_eq(owned, d->touched);
	ck_assert(owned > 3 * EXTENT_FRAMES);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(mfn_x(taken))), 0);
	ck_assert_uint_eq(gfn_lookup(d, _gfn(native_open_frame)),
			  native_open_frame << PAGE_SHIFT | GFN_PRESENT | GFN_WRITABLE | GFN_MMIO);
	/* a device is no RAM: calls do not go there */
	ck_assert_int_eq(guest_read(d, native_open_frame << PAGE_SHIFT, &n, 8), -PARVUS_EFAULT);
	ck_assert_int_eq(guest_write(d, native_open_frame << PAGE_SHIFT, &n, 8), -PARVUS_EFAULT);
	ck_assert_ptr_null(guest_map(d, native_open_frame << PAGE_SHIFT, 64, 64));
	free_frames(taken, 0);
	d->state = DOMAIN_RUNNING;
	domain_kill(d, "over");
	domain_vcpu_gone((d->alive_vcpus = 1, d));
	ck_assert_uint_eq(native_power_offs, 1);
	gone();
}
END_TEST

/* While there is a domain 0, an ended domain stays; with domain 0 all end, it last. */
START_TEST(kept_for_domain_0)
{
	struct domain *zero = native_domain("0", FRAMES, 512, 1), *a, *b, *c;

	reboot_when = REBOOT_ASKED;
	domain_set_control(zero);
	ck_assert_ptr_eq(control_domain(), zero);
	zero->state = DOMAIN_RUNNING;
	zero->alive_vcpus = 1;
	a = native_domain("a", 512, 512, 1);
	b = native_domain("b", 512, 512, 1);
	c = native_domain("c", 512, 512, 1);
	ck_assert_int_eq(domain_populate(a, _gfn(0), 512), 0);
	ck_assert_int_eq(domain_promise(b, _gfn(0), 512), 0);
	a->state = c->state = DOMAIN_RUNNING;
	a->alive_vcpus = c->alive_vcpus = 1;
	hc_shutdown(a->vcpus[0], PARVUS_SHUTDOWN_POWEROFF, 5);
	domain_vcpu_gone(a);
	ck_assert_uint_eq(a->state, DOMAIN_SHUTDOWN);
	ck_assert_uint_eq(domains_count(), 4);
	ck_assert_uint_eq(a->shutdown_status, 5);
	hc_shutdown(zero->vcpus[0], PARVUS_SHUTDOWN_REBOOT, 0);
	domain_vcpu_gone(zero);
	/* a was over, b half built; c still has a vCPU to lose */
	ck_assert_uint_eq(domains_count(), 2);
	ck_assert_uint_eq(native_power_offs, 0);
	ck_assert_uint_eq(c->ended, 2);
	domain_vcpu_gone(c);
	ck_assert_uint_eq(native_power_offs, 1);
	ck_assert(native_rebooted);
	gone();
}
END_TEST

/* What the machine does at the end, and whether the log is kept, is a matter of the reason. */
static void ends_by(u32 reason, u32 when, bool again, unsigned int records)
{
	struct domain *d = native_domain("d", 512, 512, 1);

	reboot_when = when;
	d->state = DOMAIN_RUNNING;
	d->alive_vcpus = 1;
	native_power_offs = native_records = 0;
	if (reason == PARVUS_SHUTDOWN_KILLED)
		domain_kill(d, "x");
	else
		hc_shutdown(d->vcpus[0], reason, 0);
	domain_vcpu_gone(d);
	ck_assert_uint_eq(native_power_offs, 1);
	ck_assert(native_rebooted == again);
	ck_assert_uint_eq(native_records, records);
}

START_TEST(comes_again)
{
	ends_by(PARVUS_SHUTDOWN_POWEROFF, REBOOT_ASKED | REBOOT_BROKEN, false, 0);
	ends_by(PARVUS_SHUTDOWN_REBOOT, REBOOT_BROKEN, false, 0);
	ends_by(PARVUS_SHUTDOWN_REBOOT, REBOOT_ASKED, true, 0);
	ends_by(PARVUS_SHUTDOWN_CRASH, REBOOT_ASKED, false, 1);
	ends_by(PARVUS_SHUTDOWN_CRASH, REBOOT_BROKEN, true, 1);
	ends_by(PARVUS_SHUTDOWN_KILLED, REBOOT_ASKED, false, 1);
	ends_by(PARVUS_SHUTDOWN_KILLED, REBOOT_BROKEN, true, 1);
	gone();
}
END_TEST

/* bootwatch=: not before its time, and never once domain 0 is up. */
START_TEST(watch)
{
	ck_assert_int_eq(timer_init_cpu(0), 0);
	control_watch(0);
	native_now = 1000;
	control_watch(500);
	ck_assert_uint_eq(timer_next(0), 1500);
	timer_run(0, 1499);
	control_watch(0);
	ck_assert_uint_eq(timer_next(0), 0);
	control_watch(0);
	timer_run(0, 1u << 31);
	reboot_when = 0;
	control_watch(500);
	ck_assert_panics("domain 0 did not come up in time", timer_run(0, 1500));
	ck_assert_uint_eq(reboot_when, REBOOT_BROKEN);
}
END_TEST

/* Those that are told to go are gone before the next one is told. */
static struct domain *leaving;
static void goes_at_once(unsigned int cpu)
{
	ck_assert_uint_eq(cpu, 1);
	native_on_kick = NULL;
	domain_vcpu_gone(leaving);
	domain_vcpu_gone(leaving);
}

START_TEST(killed_by_another)
{
	struct domain *zero = native_domain("0", FRAMES, 512, 1),
		      *d = native_domain("d", 512, 512, 2);

	domain_set_control(zero);
	runs(zero);
	runs(leaving = d);
	native_on_kick = goes_at_once;
	domain_kill_other(d, "x");
	ck_assert_uint_eq(native_kicks, 2);
	ck_assert_uint_eq(d->state, DOMAIN_SHUTDOWN);
	domain_kill_other(d, "has no vCPU any more");
	ck_assert_uint_eq(native_kicks, 2);
	/* the same in the end of domain 0, where the last vCPU takes the domain apart */
	d = native_domain("e", 512, 512, 2);
	runs(leaving = d);
	native_kicks = 0;
	hc_shutdown(zero->vcpus[0], PARVUS_SHUTDOWN_POWEROFF, 0);
	native_on_kick = goes_at_once;
	domain_vcpu_gone(zero);
	ck_assert_uint_eq(native_kicks, 3);
	ck_assert_uint_eq(native_power_offs, 1);
	gone();
}
END_TEST

/* One that is being built has no vCPU that could leave: it ends, too, and does not start. */
START_TEST(killed_while_built)
{
	struct domain *zero = native_domain("0", FRAMES, 512, 1),
		      *d = native_domain("d", 512, 512, 2);

	domain_set_control(zero);
	runs(zero);
	ck_assert_int_eq(domain_populate(d, _gfn(0), 512), 0);
	ck_assert_uint_eq(d->state, DOMAIN_BUILDING);
	domain_kill_other(d, "its memory is lost");
	ck_assert_uint_eq(d->ended, 2);
	ck_assert_uint_eq(d->state, DOMAIN_BUILDING);
	ck_assert_str_eq(d->own->kill_reason, "its memory is lost");
	ck_assert_int_eq(domain_start(d, 0x1000, 0x2000, 0), -PARVUS_EBUSY);
	ck_assert_uint_eq(d->state, DOMAIN_BUILDING);
	domain_kill_other(d, "again");
	ck_assert_str_eq(d->own->kill_reason, "its memory is lost");
	domain_destroy(d);
	hc_shutdown(zero->vcpus[0], PARVUS_SHUTDOWN_POWEROFF, 0);
	domain_vcpu_gone(zero);
	gone();
}
END_TEST

/*
 * A vCPU makes a mistake when its domain has ended already, by a sibling, whose kick has not come:
 * it must not go back to the guest with what was refused in its registers (rule 65).
 */
START_TEST(killed_twice)
{
	struct domain *d = native_domain("d", 512, 512, 2);
	struct domain *other = native_domain("o", 512, 512, 1);
	struct cpu *c = arch_this();

	d->state = DOMAIN_RUNNING;
	d->alive_vcpus = d->vcpu_count;
	domain_kill(d, "by a sibling");
	c->current = d->vcpus[0];
	c->work = 0;
	domain_kill(d, "by itself");
	ck_assert_uint_eq(c->work & WORK_RESCHED, WORK_RESCHED);
	ck_assert_str_eq(d->own->kill_reason, "by a sibling");
	c->work = 0;
	hc_shutdown(d->vcpus[0], PARVUS_SHUTDOWN_POWEROFF, 0);
	ck_assert_uint_eq(c->work & WORK_RESCHED, WORK_RESCHED);
	c->work = 0;
	domain_kill(other, "by somebody else");
	ck_assert_uint_eq(c->work & WORK_RESCHED, 0);
	c->current = NULL;
	domain_destroy(other);
	domain_vcpu_gone(d);
	domain_vcpu_gone(d);
	gone();
}
END_TEST

/* A domain 0 that could not be built is none. */
START_TEST(control_not_built)
{
	struct domain *zero = native_domain("0", FRAMES, 512, 1), *d;

	domain_set_control(zero);
	domain_destroy(zero);
	ck_assert_ptr_null(control_domain());
	d = native_domain("d", 512, 512, 1);
	d->state = DOMAIN_RUNNING;
	d->alive_vcpus = 1;
	hc_shutdown(d->vcpus[0], PARVUS_SHUTDOWN_POWEROFF, 0);
	domain_vcpu_gone(d);
	ck_assert_uint_eq(native_power_offs, 1);
	gone();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("domain");
	TCase *c = tcase_create("domain");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, create_and_destroy);
	tcase_add_test(c, bad_arguments);
	tcase_add_test(c, populate);
	tcase_add_test(c, populate_fails);
	tcase_add_test(c, populate_from_pieces);
	tcase_add_test(c, create_fails);
	tcase_add_test(c, create_without_vcpu);
	tcase_add_test(c, too_many);
	tcase_add_test(c, largest);
	tcase_add_test(c, ends);
	tcase_add_test(c, powers_off);
	tcase_add_test(c, guest_memory);
	tcase_add_test(c, pool_floor);
	tcase_add_test(c, gfns_wrap);
	tcase_add_test(c, released_under_an_access);
	tcase_add_test(c, needs);
	tcase_add_test(c, promises);
	tcase_add_test(c, claims);
	tcase_add_test(c, promises_when_short);
	tcase_add_test(c, machine_addresses);
	tcase_add_test(c, kept_for_domain_0);
	tcase_add_test(c, comes_again);
	tcase_add_test(c, watch);
	tcase_add_test(c, killed_by_another);
	tcase_add_test(c, killed_while_built);
	tcase_add_test(c, killed_twice);
	tcase_add_test(c, control_not_built);
	suite_add_tcase(s, c);
	return native_main(s);
}
