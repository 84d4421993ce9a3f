// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domain 0 is the back end of many: it maps more than a domain may offer or map, all that
 * two others offer. Each mapping is on the account of its tables, and all of them can be
 * found again.
 * @control 1
 * @timeout 120
 */
#include "lib/control.h"
#include "lib/grant.h"

#define FRAMES	1024u		/* of each child */
#define OFFERS	9000u		/* of each child */

static struct parvus_grant_map maps[PARVUS_GRANT_BATCH];
static struct parvus_grant_unmap unmaps[PARVUS_GRANT_BATCH];
static u32 handles[2 * OFFERS];

/* Records of a batch, by as many calls as it takes. */
static void all(u32 op, u64 records, u64 size, u32 count)
{
	s64 ret;

	for (u32 n = 0; n < count; n += (u32)ret) {
		ret = parvus_grant_op(op, records + n * size, count - n);
		if (ret <= 0) {
			EXPECT(ret > 0);
			return;
		}
	}
}

static u32 child_offers(const char *name)
{
	u32 id = (u32)child_create(name, FRAMES);

	for (u32 n = 0; n < FRAMES; n += 512)
		EXPECT_EQ(child_populate(id, n, 512, PARVUS_POPULATE_NOW), 0);
	for (u32 i = 0; i < OFFERS && !failures; i++) {
		struct parvus_control_offer *o = ARG(parvus_control_offer);

		o->domain = id;
		o->gfn = i % FRAMES;
		EXPECT_EQ(control(PARVUS_CONTROL_OFFER), 0);
		EXPECT_EQ(o->ref, i + 1);
	}
	return id;
}

static void map_all(u32 id, u32 *handle)
{
	for (u32 n = 0, part; n < OFFERS && !failures; n += part) {
		part = OFFERS - n < PARVUS_GRANT_BATCH ? OFFERS - n : PARVUS_GRANT_BATCH;
		for (u32 i = 0; i < part; i++)
			maps[i] = (struct parvus_grant_map){ .domain = id,
							     .ref = n + i + 1,
							     .status = 1 };
		all(PARVUS_GRANT_MAP, pa(maps), sizeof(maps[0]), part);
		for (u32 i = 0; i < part; i++) {
			EXPECT_EQ(maps[i].status, 0);
			handle[n + i] = maps[i].handle;
		}
	}
}

static void unmap_all(u32 *handle, u32 count)
{
	for (u32 n = 0, part; n < count && !failures; n += part) {
		part = count - n < PARVUS_GRANT_BATCH ? count - n : PARVUS_GRANT_BATCH;
		for (u32 i = 0; i < part; i++)
			unmaps[i] =
				(struct parvus_grant_unmap){ .handle = handle[n + i], .status = 1 };
		all(PARVUS_GRANT_UNMAP, pa(unmaps), sizeof(unmaps[0]), part);
		for (u32 i = 0; i < part; i++)
			EXPECT_EQ(unmaps[i].status, 0);
	}
}

void test(void)
{
	u32 a = child_offers("a"), b = child_offers("b"), none;
	u64 before = child_info(0)->overhead_frames, tables;

	map_all(a, handles);
	map_all(b, handles + OFFERS);
	EXPECT(2 * OFFERS > PARVUS_GRANT_MAX);
	/*
	 * 128 slots in a page, 4 bytes for each of 8192 lists, and the page that names the
	 * pages; a few of the gfn table and of shadows
	 */
	tables = child_info(0)->overhead_frames - before - (2 * OFFERS + 127) / 128 - 8 - 1;
	EXPECT(tables < 32);
	/* owners that go leave what is mapped */
	EXPECT_EQ(child_destroy(a), 0);
	unmap_all(handles + OFFERS, OFFERS);
	EXPECT_EQ(child_destroy(b), 0);
	unmap_all(handles, OFFERS);
	BAD(grant_unmap(handles[0], 0), PARVUS_ENOENT);
	BAD(grant_map(a, 1, 0, 0, &none), PARVUS_ENOENT);
}
