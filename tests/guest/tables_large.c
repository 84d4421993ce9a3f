// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large entries that reach further than the domain: pages of 2 MiB and 1 GiB over the end of its
 * memory, over whatever the machine has below 8 GiB, with each reserved bit and each memory type;
 * page tables that are written through large pages, and tables that name themselves at each level.
 * What is seen is the domain's own memory, the rest is a page fault, and a wrong bit is one, too.
 * @mem 15M
 * @beside canary
 */
#include "lib/guest.h"

#define AT	0x100000000ull		/* 1 GiB there, by one entry of level 3 */
#define SMALL	0x180000000ull
#define G	BIT(8)
#define PAT	BIT(12)			/* of a large page */

static void rd(void *arg) { (void)*(volatile u64 *)arg; }
static void wr(void *arg) { *(volatile u64 *)arg = 1; }

/* Every page that @at maps by an entry of @level over @from: ours, or a fault that says absent. */
static void only_ours(u64 at, int level, u64 from)
{
	u64 size = 1ull << (12 + 9 * (level - 1)), o;

	*entry_of(root, at, level) = from | P | W | U | PS;
	flush_everything();
	for (o = 0x1000; o < size; o += level == 3 ? 0x1ff000 : 0x7000) {
		if (!catch_fault(rd, (void *)(at + o))) {
			EXPECT(from + o < ram_end);
			continue;
		}
		EXPECT(from + o >= ram_end);
		EXPECT_EQ(fault.vector, 14);
		EXPECT_EQ(fault.error & 1, 0);
		EXPECT(catch_fault(wr, (void *)(at + o)));
	}
	*entry_of(root, at, level) = 0;
	flush_everything();
}

static void reserved(u64 at, int level, int first, int last)
{
	for (int bit = first; bit <= last; bit++) {
		*entry_of(root, at, level) = P | W | U | PS | 1ull << bit;
		barrier();
		EXPECT(catch_fault(rd, (void *)at));
		EXPECT_EQ(fault.vector, 14);
		EXPECT(fault.error & 8);
		*entry_of(root, at, level) = 0;
		flush_everything();
	}
}

static void types(void)
{
	u64 gpa = page_new();
	volatile u64 *word = va(gpa);

	for (u64 t = 0; t < 8; t++) {
		u64 bits = (t & 1 ? PWT : 0) | (t & 2 ? PCD : 0);

		map(SMALL, gpa, P | W | bits | (t & 4 ? PS : 0) | G);	/* PS is PAT there */
		flush_page(SMALL);
		*(volatile u64 *)SMALL = t;
		EXPECT_EQ(*word, t);
		*word = ~t;
		EXPECT_EQ(*(volatile u64 *)SMALL, ~t);
		*entry_of(root, AT, 2) = (gpa & ~0x1fffffull) | P | W | PS | bits | G |
					 (t & 4 ? PAT : 0);
		flush_everything();
		EXPECT_EQ(*(volatile u64 *)(AT + (gpa & 0x1fffff)), ~t);
		*entry_of(root, AT, 2) = 0;
		flush_everything();
	}
	map(SMALL, 0, 0);
}

/* The tables of SMALL, written through a large page that shows them (XSA-148's way). */
static void through_large(void)
{
	volatile u64 *e = entry_of(root, SMALL, 1), *seen;
	u64 gpa = pa(e), i;
	static const u64 foreign[] = { 0x100000, 0xfee00000, 0xfec00000, 0x4000000, 0x6000000,
				       0x8000000, 0x100000000 };

	*entry_of(root, AT, 2) = (gpa & ~0x1fffffull) | P | W | PS;
	flush_everything();
	seen = (void *)(AT + (gpa & 0x1fffff));
	for (i = 0; i < sizeof(foreign) / 8; i++) {
		*seen = foreign[i] | P | W | U;
		barrier();
		EXPECT_EQ(*e, foreign[i] | P | W | U);
		EXPECT_EQ(catch_fault(rd, (void *)SMALL), foreign[i] >= ram_end);
		*seen = 0;
		flush_everything();
		EXPECT(catch_fault(rd, (void *)SMALL));
	}
	*entry_of(root, AT, 2) = 0;
	flush_everything();
}

/* A table that names itself, read-only, then writable, then PS in the same slot (XSA-182). */
static void recursive(int level)
{
	u64 at = (5ull << 39) + (2ull << 30) + (3ull << 21), down;
	volatile u64 *e = entry_of(root, at, level);
	u64 slot = at >> (12 + 9 * (level - 1)) & 511, self = pa(e) & ~(PAGE - 1);

	/* all indices below are the slot's own: the walk stays in this table */
	for (down = 1; down < (u64)level; down++) {
		at &= ~(511ull << (12 + 9 * (down - 1)));
		at |= slot << (12 + 9 * (down - 1));
	}
	at = (at & ~0xfffull) + slot * 8;
	*e = self | P;
	flush_everything();
	EXPECT_EQ(*(volatile u64 *)at & ~(A | D), self | P);
	EXPECT(catch_fault(wr, (void *)at));
	EXPECT_EQ(fault.error & 3, 3);
	*e = self | P | W;
	flush_everything();
	*(volatile u64 *)at = self | P | W | 0x200;
	EXPECT(*e & 0x200);
	/* turned into something else while it is walked, and used without a flush: any of ours */
	*(volatile u64 *)at = level > 1 && level < 4 ? P | W | PS : 0;
	barrier();
	catch_fault(rd, (void *)at);
	flush_everything();
	if (level > 1 && level < 4)
		EXPECT(!catch_fault(rd, (void *)at));
	else
		EXPECT(catch_fault(rd, (void *)at));
	*e = 0;
	flush_everything();
}

void test(void)
{
	for (u64 from = 0; from < 8ull << 30; from += 1ull << 30)
		only_ours(AT, 3, from);
	for (u64 from = 0; from < 0x2000000; from += 0x200000)
		only_ours(AT + (1ull << 39), 2, from);
	only_ours(AT + (1ull << 39), 2, 0xfee00000);
	reserved(AT, 3, 13, 29);
	reserved(AT + (2ull << 39), 2, 13, 20);
	types();
	through_large();
	for (int level = 1; level <= 4; level++)
		recursive(level);
}
