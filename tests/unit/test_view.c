// SPDX-License-Identifier: GPL-2.0-only
/*
 * A view (x86/view.c, with the machine of tests/unit/machine below it) and a release of what it
 * shows, at the moments that matter (rule 82): the release comes between ring 0's fault and its
 * filling; the fault comes when the entry of the view has gone and the frame has not; the release
 * waits for a filling that has looked the frame up already.
 */
#include <pthread.h>
#include <unistd.h>
#include "native.h"
#include <core/handlers.h>
#include <core/lib.h>
#include <mmu/shadow.h>
#include <parvus/event.h>
#include <parvus/mmu.h>
#include <x86/cpu_area.h>

/* What was looked up is used later: a test lets somebody in there. */
static void (*on_lookup)(void);
static u64 looked_up(u64 e)
{
	void (*hook)(void) = on_lookup;

	on_lookup = NULL;
	if (hook)
		hook();
	return e;
}
#define gfn_lookup_own(d, n)	looked_up(gfn_lookup_own(d, n))
#define arch_area		view_area	/* the area of a vCPU stays where it is */
#include "../../hypervisor/x86/view.c"
#undef gfn_lookup_own

#define CPUS	3u
#define GFN	40u

/* ---- the machine ---- */

struct pcpu *pcpus[MAX_CPUS] = { &native_cpus[0], &native_cpus[1], &native_cpus[2] };
unsigned int cpus_online = CPUS;
char boot_end[1], entry_end[1], image_end[1], secret_start[1], secret_end[1];

u64 paging_data(void) { return HV_P | HV_W; }
u64 paging_leaf(u64 va) { return va; }
u64 *paging_entry(UNUSED u64 va) { return NULL; }
void *paging_page(void) { return hv_alloc(PAGE_SIZE); }
const volatile char *desc_idt(void) { return NULL; }
const volatile void *apic_page(void) { return NULL; }

/* Between a fault of ring 0 and its filling. */
static void (*on_full)(void);
static void loaded(void)
{
	void (*hook)(void) = on_full;

	if (!hook || this_pcpu()->cr3 != hv_root)
		return;
	on_full = NULL;
	this_pcpu()->full = true;	/* as roots_full() does next */
	hook();
}

/* ---- a domain that runs on each CPU ---- */

static struct domain *d, *other;
static u64 mfn;			/* of GFN, to begin with */

static void setup(void)
{
	unsigned int cpu;

	native_boot(8 * EXTENT_FRAMES, 1);
	public_top = hv_alloc(PAGE_SIZE);
	d = native_domain("seen", 2 * EXTENT_FRAMES, 2 * EXTENT_FRAMES, CPUS);
	other = native_domain("other", EXTENT_FRAMES, EXTENT_FRAMES, 1);
	ck_assert(public_top && d && other);
	ck_assert_int_eq(domain_populate(d, _gfn(0), 64), 0);
	for (cpu = 0; cpu < CPUS; cpu++) {
		struct vcpu *v = d->vcpus[cpu];

		native_this_cpu = cpu;
		native_cpus[cpu].current = v;
		shadow_start(v, _gfn(0));
		shadow_load(v);
		native_expose(cpu);
	}
	mfn = mfn_x(gfn_entry_mfn(gfn_lookup(d, _gfn(GFN))));
	native_on_cr3 = loaded;
}

/* What the view has for a frame: its entry, large or small. */
static u64 shown(const struct domain *of, u64 n)
{
	u64 e = of->view.top[0][n >> 18];

	if (e & HV_P)
		e = ((u64 *)phys_to_virt(e & HV_ADDR))[n >> 9 & 511];
	if (e & HV_P && !(e & HV_PS))
		e = ((u64 *)phys_to_virt(e & HV_ADDR))[n & 511];
	return e & HV_P ? e : 0;
}

/* Ring 0 of a CPU touches a frame: its fault. True: it goes on with the view alone. */
static bool touch(unsigned int cpu, u64 n)
{
	unsigned int me = native_this_cpu;
	struct pcpu *p = &native_cpus[cpu];
	bool exposed = p->exposed, full;

	native_unexpose(cpu);
	native_this_cpu = cpu;
	ck_assert(view_fault(p, HV_BASE + (n << PAGE_SHIFT)));
	full = p->full;
	ck_assert(p->cr3 == (full ? hv_root : *mode_root(p) & ~CR3_KEEP));
	view_settle(p);
	ck_assert(!p->full);
	if (exposed)
		native_expose(cpu);
	native_this_cpu = me;
	return !full;
}

static int release(unsigned int cpu, u64 gfn, u64 frames)
{
	unsigned int me = native_this_cpu;
	bool exposed = native_cpus[cpu].exposed;
	int ret;

	native_unexpose(cpu);
	native_this_cpu = cpu;
	ret = domain_release(d, d->vcpus[cpu], gfn, frames);
	if (exposed)
		native_expose(cpu);
	native_this_cpu = me;
	return ret;
}

/* ---- the tests ---- */

START_TEST(whose)
{
	ck_assert(touch(0, mfn));
	ck_assert_uint_eq(shown(d, mfn), mfn << PAGE_SHIFT | HV_P | HV_W);
	ck_assert_int_eq(domain_populate(other, _gfn(0), 8), 0);
	ck_assert(!touch(0, mfn_x(gfn_entry_mfn(gfn_lookup(other, _gfn(1))))));
	ck_assert(!touch(0, mfn_x(frame_of(other->view.top[0]))));
	ck_assert_uint_eq(native_cpus[0].work & WORK_ARCH, WORK_ARCH);
	/* an extent is one entry, and is in pieces after a part of it has gone */
	ck_assert_int_eq(domain_populate(d, _gfn(EXTENT_FRAMES), EXTENT_FRAMES), 0);
	mfn = mfn_x(gfn_entry_mfn(gfn_lookup(d, _gfn(EXTENT_FRAMES))));
	ck_assert(touch(0, mfn + 7));
	ck_assert_uint_eq(shown(d, mfn + 300), mfn << PAGE_SHIFT | HV_P | HV_W | HV_PS);
	ck_assert_int_eq(release(0, EXTENT_FRAMES + 7, 1), 0);
	ck_assert_uint_eq(shown(d, mfn + 300), 0);
	ck_assert(touch(0, mfn + 300) && !shown(d, mfn + 7) && !touch(0, mfn + 7));
	ck_assert_uint_eq(shown(d, mfn + 300), (mfn + 300) << PAGE_SHIFT | HV_P | HV_W);
}
END_TEST

/* Another CPU may have the entry in its TLB: no shadow entry would have it interrupted. */
static unsigned int flushes;
static void flushed(void) { flushes += native_this_cpu == 1; }

START_TEST(shot_down)
{
	ck_assert(touch(1, mfn));
	native_on_cr3 = flushed;
	ck_assert_int_eq(release(0, GFN, 1), 0);
	native_on_cr3 = NULL;
	ck_assert_uint_eq(shown(d, mfn), 0);
	ck_assert_uint_gt(flushes, 0);
}
END_TEST

/* CPU 1 has taken its fault; before it fills, CPU 0 gives the frame away, to another domain. */
static void gives_away(void)
{
	ck_assert_int_eq(release(0, GFN, 1), 0);
	ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_FREE);
}

static void moves_on(void)
{
	u64 i, e;

	gives_away();
	for (i = 0; frame_info(_mfn(mfn))->type == FRAME_FREE; i++)
		ck_assert_int_eq(domain_populate(other, _gfn(i), 1), 0);
	e = gfn_lookup(other, _gfn(frame_info(_mfn(mfn))->word & FRAME_GFN));
	ck_assert(gfn_is_ram(e) && mfn_x(gfn_entry_mfn(e)) == mfn);
}

START_TEST(released_before_filled)
{
	on_full = gives_away;
	ck_assert(!touch(1, mfn));
	ck_assert_uint_eq(shown(d, mfn), 0);
}
END_TEST

START_TEST(moved_before_filled)
{
	on_full = moves_on;
	ck_assert(!touch(1, mfn));
	ck_assert_uint_eq(shown(d, mfn), 0);
	ck_assert_uint_eq(shown(other, mfn), 0);
}
END_TEST

/* The entry of the view has gone, the frame is the domain's still: CPU 1 touches it just then. */
static unsigned int served;
static void touches(unsigned int cpu)
{
	if (cpu != 1 || served++)
		return;
	ck_assert_uint_eq(frame_info(_mfn(mfn))->owner, d->id);
	ck_assert_uint_eq(shown(d, mfn), 0);
	ck_assert_msg(!touch(1, mfn), "a frame on its way out is seen again");
	ck_assert_uint_eq(shown(d, mfn), 0);
}

START_TEST(touched_while_it_goes)
{
	ck_assert(touch(1, mfn));
	native_before_serve = touches;
	ck_assert_int_eq(release(0, GFN, 1), 0);
	native_before_serve = NULL;
	ck_assert_uint_eq(served, 1);
	ck_assert_uint_eq(shown(d, mfn), 0);
}
END_TEST

/*
 * CPU 1 has looked the frame up, and is about to show it. CPU 0 releases it: it has to wait, and
 * to see what was shown.
 */
static pthread_t releases;
static bool gone;

static void *release_thread(UNUSED void *unused)
{
	native_this_cpu = 0;
	native_unexpose(0);
	ck_assert_int_eq(domain_release(d, d->vcpus[0], GFN, 1), 0);
	__atomic_store_n(&gone, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void begins(void)
{
	unsigned int i;

	ck_assert_int_eq(pthread_create(&releases, NULL, release_thread, NULL), 0);
	while (gfn_is_ram(gfn_lookup(d, _gfn(GFN))))
		usleep(1000);
	/* the entry has gone: as long as it may take to get to the view */
	for (i = 0; i < 100 && !__atomic_load_n(&gone, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
}

START_TEST(released_while_filled)
{
	native_unexpose(2);
	on_lookup = begins;
	touch(1, mfn);
	ck_assert(!on_lookup && releases);
	pthread_join(releases, NULL);
	ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_FREE);
	ck_assert_msg(!shown(d, mfn), "a frame that has gone is seen");
}
END_TEST

/*
 * With PCID, an event page that every view showed and that is to be another's (rule 99). CPU 0 has
 * it in the TLB under the PCIDs of two pairs, one of which it has left; CPU 1 works with hv_root
 * meanwhile, and goes back to a root that has it. Whatever of these is loaded next forgets.
 */
#define EVENTS	3u

static void setup_pcid(void)
{
	native_pcid();
	setup();
}

static void switch_to(u64 id, u64 gfn)
{
	ck_assert_int_eq(hc_mmu_switch(d->vcpus[native_this_cpu], id, gfn << PAGE_SHIFT, 0, 0, 0,
				       PARVUS_SWITCH_NONE), 0);
}

/* As entry.S and arch_work() do it, on the way out. */
static void way_out(unsigned int cpu)
{
	unsigned int me = native_this_cpu;
	struct pcpu *p = &native_cpus[cpu];
	bool settle = p->work & WORK_ARCH;
	struct regs regs;

	native_unexpose(cpu);
	native_this_cpu = cpu;
	pcpu_work(&regs);
	if (settle)
		view_settle(p);
	if (p->full)
		view_root_is(p, mode_root(p));
	native_expose(cpu);
	native_this_cpu = me;
}

START_TEST(hidden_everywhere)
{
	struct roots *r = &native_cpus[0].roots;
	unsigned int left;
	u64 root;

	ck_assert_int_eq(domain_populate(other, _gfn(0), 8), 0);
	ck_assert_int_eq(hc_event_op(other->vcpus[0], PARVUS_EVENT_REGISTER, EVENTS << PAGE_SHIFT),
			 0);
	mfn = mfn_x(gfn_entry_mfn(gfn_lookup(other, _gfn(EVENTS))));
	native_on_kick = way_out;
	native_unexpose(0);
	native_this_cpu = 0;
	switch_to(5, 1);
	ck_assert(touch(0, mfn));
	left = r->pair;
	switch_to(6, 2);
	ck_assert(touch(0, mfn));
	ck_assert(r->pair != left && r->pairs[left].kernel_cr3 & CR3_KEEP);
	native_expose(0);
	native_unexpose(1);
	native_this_cpu = 1;
	ck_assert(touch(1, mfn) && native_cpus[1].kernel_cr3 & CR3_KEEP);
	root = arch_full_begin();
	ck_assert(root && native_cpus[1].full);
	native_unexpose(2);
	native_this_cpu = 2;
	domain_destroy(other);
	ck_assert_uint_eq(shown(d, mfn), 0);
	ck_assert_uint_eq(frame_info(_mfn(mfn))->type, FRAME_FREE);
	ck_assert_msg(!((r->pairs[left].kernel_cr3 | r->pairs[left].user_cr3) & CR3_KEEP),
		      "the pair that was left keeps it");
	ck_assert(!(r->user_cr3 & CR3_KEEP));
	native_cpus[1].area_of[native_cpus[1].kernel_cr3 & 0xfff] = 1;
	way_out(1);
	ck_assert_msg(!native_cpus[1].area_of[native_cpus[1].kernel_cr3 & 0xfff],
		      "it went back to what the TLB had");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("view");
	TCase *t = tcase_create("release");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, whose);
	tcase_add_test(t, shot_down);
	tcase_add_test(t, released_before_filled);
	tcase_add_test(t, moved_before_filled);
	tcase_add_test(t, touched_while_it_goes);
	tcase_add_test(t, released_while_filled);
	suite_add_tcase(s, t);
	t = tcase_create("pcid");
	tcase_add_checked_fixture(t, setup_pcid, NULL);
	tcase_add_test(t, hidden_everywhere);
	suite_add_tcase(s, t);
	return native_main(s);
}
