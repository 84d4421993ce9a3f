// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain 0 beside hostile guests (hostile.c, its initrd): makes two, gives them devices and ports
 * to misuse, makes each anew with the next seed when it has ended or lived long enough, and takes
 * all of it away now and then: then the hypervisor has to have as many free frames, ports, offers,
 * mappings and devices as at first. Its command line: "seed=N seconds=N life=MILLISECONDS". Ends
 * when the canary, which is domain 1, has ended well; says what was tried, and how guests ended.
 */
#include "control.h"
#include <parvus/device.h>
#include "hostile.h"

#define GUESTS	2u
#define LIVES	24u		/* between two looks at the accounts */
#define CANARY	1u
#define WHYS	48u

static u64 seed, seconds, life_ms, lives, rounds, traps, looks, ticks;
static u64 tried[HOSTILE_CALLS], done[HOSTILE_CALLS];
static struct { u32 id; u64 born; } guests[GUESTS];
static struct { char text[64]; u64 n; } whys[WHYS];
static struct parvus_start_info given __attribute__((aligned(4096)));
static struct tally seen __attribute__((aligned(4096)));
static struct parvus_device record __attribute__((aligned(1024)));
static u8 piece[4096] __attribute__((aligned(4096)));

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum;
};
struct elf_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

static u64 option(const char *name, u64 otherwise)
{
	const char *p = va(start_info->cmdline), *n;
	u64 v = 0;

	for (; *p; p++) {
		const char *q = p;

		for (n = name; *n && *n == *q; n++)
			q++;
		if (*n)
			continue;
		while (*q >= '0' && *q <= '9')
			v = v * 10 + (u64)(*q++ - '0');
		return v;
	}
	return otherwise;
}

static void tick(struct frame *f) { ticks += f->vector == PARVUS_VECTOR_TIMER; }

static void rest(void)
{
	u64 before = ticks;

	irq_off();
	parvus_timer_set(now_ns() + 2000000);
	wait_change(&ticks, before);
}

/* The page is copied to one of its own: an initrd lies as it likes. */
static void into(u32 id, u64 gpa, const u8 *from, u64 bytes)
{
	u64 n;

	for (; bytes; bytes -= n, gpa += n, from += n) {
		n = bytes < sizeof(piece) ? bytes : sizeof(piece);
		memcpy(piece, from, n);
		EXPECT_EQ(child_copy(id, gpa, piece, n), 0);
	}
}

static void devices_make(void)
{
	for (u32 k = 0; k < 2; k++) {
		memset(&record, 0, sizeof(record));
		record.size = sizeof(record);
		record.version = 1;
		record.device_class = 100;
		record.index = (u32)lives;
		record.front_domain = guests[k].id;
		record.back_domain = guests[1 - k].id;
		parvus_device_op(PARVUS_DEVICE_CREATE, pa(&record));
	}
}

static void make(u32 k)
{
	const u8 *elf = va(start_info->initrd);
	const struct elf_header *h = (const void *)elf;
	const struct elf_segment *s = (const void *)(elf + h->phoff);
	struct parvus_control_create *c = ARG(parvus_control_create);
	struct parvus_control_start *start;
	struct parvus_control_port *p;
	u64 at = 0;
	u32 id;

	memcpy(c->name, "hostile", 8);
	c->vcpus = HOSTILE_VCPUS;
	c->max_frames = HOSTILE_FRAMES;
	c->extra_gfns = HOSTILE_EXTRA;
	EXPECT_EQ(control(PARVUS_CONTROL_CREATE), 0);
	id = c->domain;
	EXPECT_EQ(child_populate(id, 0, HOSTILE_FRAMES, 0), 0);
	for (u32 i = 0; i < h->phnum; i++)
		if (s[i].type == 1) {
			into(id, s[i].paddr, elf + s[i].offset, s[i].filesz);
			at = at ? at : s[i].vaddr - s[i].paddr;
		}
	/* struct parvus_note is 20 bytes into the note, behind its header and name */
	for (u32 i = 0; i < h->phnum; i++)
		if (s[i].type == 4)
			memcpy(piece, elf + s[i].offset, 64);
	memset(&given, 0, sizeof(given));
	given.magic = PARVUS_START_MAGIC;
	given.size = sizeof(given);
	given.version = PARVUS_ABI_VERSION;
	given.domain = id;
	given.vcpus = HOSTILE_VCPUS;
	given.ram_size = HOSTILE_FRAMES * PAGE;
	given.max_gfn = HOSTILE_FRAMES + HOSTILE_EXTRA;
	given.generation_id[0] = seed + lives;
	EXPECT_EQ(child_copy(id, HOSTILE_START, &given, sizeof(given)), 0);
	for (u32 i = 0; i < 4; i++) {
		p = ARG(parvus_control_port);
		p->domain = id;
		p->to = i % 2 ? guests[1 - k].id : 0;
		control(PARVUS_CONTROL_PORT);	/* ENOENT where the other one is not */
	}
	start = ARG(parvus_control_start);
	start->domain = id;
	memcpy(&start->entry, piece + 28, 8);
	memcpy(&start->root, piece + 36, 8);
	start->start_info = HOSTILE_START;
	EXPECT_EQ(control(PARVUS_CONTROL_START), 0);
	guests[k].id = id;
	guests[k].born = now_ns();
	lives++;
	if (guests[1 - k].id)
		devices_make();
	EXPECT_EQ(child_unpause(id), 0);
}

static void why(const struct parvus_control_info *i)
{
	static const char *const reasons[] = { "poweroff", "reboot", "suspend", "crash", "killed" };
	const char *from = i->state != PARVUS_DOMAIN_SHUTDOWN ? "lived on" :
			   i->reason == PARVUS_SHUTDOWN_KILLED ? i->why :
			   i->reason < 4 ? reasons[i->reason] : "?";
	char text[64];
	u32 n = 0, k;

	/* up to the address: one kind */
	for (; *from && n < sizeof(text) - 1; from++) {
		if (from[0] == ' ' && from[1] == 'a' && from[2] == 't' && from[3] == ' ')
			break;
		text[n++] = *from >= '0' && *from <= '9' ? '#' : *from;
	}
	while (n < sizeof(text))
		text[n++] = 0;
	for (k = 0; k < WHYS - 1 && whys[k].n; k++) {
		for (n = 0; n < sizeof(text) && whys[k].text[n] == text[n]; n++)
			;
		if (n == sizeof(text))
			break;
	}
	memcpy(whys[k].text, text, sizeof(text));
	whys[k].n++;
}

static void take(u32 k)
{
	u32 id = guests[k].id;
	struct parvus_control_copy *c = ARG(parvus_control_copy);
	const struct parvus_control_info *i;

	c->domain = id;
	c->flags = PARVUS_COPY_OUT;
	c->gpa = HOSTILE_TALLY;
	c->buffer = pa(&seen);
	c->bytes = sizeof(seen);
	/* it may have given that page back; and what it wrote there is its own word */
	if (!control(PARVUS_CONTROL_COPY)) {
		for (u32 v = 0; v < HOSTILE_VCPUS; v++)
			rounds += seen.rounds[v] & 0xffffffff;
		traps += seen.traps & 0xffffffff;
		for (u32 n = 0; n < HOSTILE_CALLS; n++) {
			tried[n] += seen.tried[n] & 0xffffffff;
			done[n] += seen.done[n] & 0xffffffff;
		}
	}
	i = child_info(id);
	EXPECT(i);
	if (i)
		why(i);
	EXPECT_EQ(child_destroy(id), 0);
	guests[k].id = 0;
}

struct accounts {
	u64 free, ghost, ports, grants, mappings, devices, domains;
};
static struct accounts accounts(void)
{
	const struct parvus_control_machine *m = machine();

	return (struct accounts){ m->frames_free + m->frames_kept, m->frames_ghost, m->ports,
				  m->grants, m->mappings, m->devices, m->domains };
}

static bool look(const struct accounts *first)
{
	struct accounts now = accounts();

	looks++;
	if (now.free == first->free && !now.ghost && now.ports == first->ports &&
	    now.grants == first->grants && now.mappings == first->mappings &&
	    now.devices == first->devices && now.domains == first->domains)
		return true;
	print("FAILED: after %lu lives: free %lu of %lu, ghosts %lu, ports %lu of %lu, "
	      "offers %lu, mappings %lu, devices %lu, domains %lu of %lu\n", lives, now.free,
	      first->free, now.ghost, now.ports, first->ports, now.grants, now.mappings,
	      now.devices, now.domains, first->domains);
	failures++;
	return false;
}

static void tell(void)
{
	for (u32 n = 0; n < HOSTILE_CALLS; n++)
		print("keeper: call %u tried %lu done %lu\n", n, tried[n], done[n]);
	for (u32 k = 0; k < WHYS && whys[k].n; k++)
		print("keeper: %lu ends: %s\n", whys[k].n, whys[k].text);
	print("keeper: %lu lives, %lu rounds, %lu traps, %lu looks, from seed %lu\n", lives, rounds,
	      traps, looks, seed);
}

void test(void)
{
	struct accounts first;
	u64 end_ns;
	u32 k;

	on_trap = tick;
	clock_setup();
	seed = option("seed=", 1);
	seconds = option("seconds=", 10);
	life_ms = option("life=", 700);
	for (u64 gpa = start_info->initrd; gpa < start_info->initrd + start_info->initrd_size;
	     gpa += PAGE)
		*entry_of(root, (u64)va(gpa), 2) = (gpa & ~0x1fffffull) | P | W | PS;
	print("keeper: SEED=%lu for %lu s\n", seed, seconds);
	end_ns = now_ns() + seconds * 1000000000;	/* the canary counts from here, too */
	for (k = 0; k < 300; k++)	/* the canary has what it needs then */
		rest();
	first = accounts();
	while (now_ns() < end_ns && !failures) {
		for (k = 0; k < GUESTS; k++) {
			if (!guests[k].id)
				make(k);
			if (child_state(guests[k].id) == PARVUS_DOMAIN_SHUTDOWN ||
			    now_ns() - guests[k].born > life_ms * 1000000)
				take(k);
		}
		if (lives / LIVES > looks) {
			for (k = 0; k < GUESTS; k++)
				if (guests[k].id)
					take(k);
			look(&first);
		}
		if (child_state(CANARY) != PARVUS_DOMAIN_RUNNING) {
			print("FAILED: the canary has ended\n");
			failures++;
		}
		rest();
	}
	for (k = 0; k < GUESTS; k++)
		if (guests[k].id)
			take(k);
	look(&first);
	tell();
	for (k = 0; k < 20000 && child_state(CANARY) == PARVUS_DOMAIN_RUNNING; k++)
		rest();
	EXPECT_EQ(child_state(CANARY), PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_info(CANARY)->reason, PARVUS_SHUTDOWN_POWEROFF);
	EXPECT_EQ(child_info(CANARY)->status, 0);
}
