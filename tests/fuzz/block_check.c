// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back ends' check of block requests (block_check.h). Input: what the disk is like,
 * then requests, 64 bytes each, and what each copy out of the pool finds there, which is
 * something else each time. Whatever passes lies in the pool and on the disk, is as long
 * as it says, and is something that the disk can do.
 */
#include "lib/fuzz.h"
#include <block_check.h>

static struct fuzz_input in;
static uint64_t pool_bytes;

static void copy(const struct block_check *c, void *to, uint32_t offset, uint32_t bytes)
{
	FUZZ_CHECK(c->pool_bytes == pool_bytes && (uint64_t)offset + bytes <= pool_bytes);
	fuzz_fill(&in, to, bytes);
}

static void request_good(const struct block_check *c, const struct parvus_block_request *r,
			 const struct parvus_block_segment *list)
{
	uint64_t sum = 0;
	uint32_t i;

	FUZZ_CHECK(r->op <= PARVUS_BLOCK_WRITE_ZEROES && c->sectors);
	FUZZ_CHECK(r->op == PARVUS_BLOCK_READ || r->op == PARVUS_BLOCK_FLUSH || !c->readonly);
	if (r->op == PARVUS_BLOCK_FLUSH) {
		FUZZ_CHECK(!r->segments && !r->sectors);
		return;
	}
	FUZZ_CHECK(r->sectors && r->sectors <= c->sectors && r->sector <= c->sectors - r->sectors);
	FUZZ_CHECK(!(r->sector * 512 % c->logical_block) && !(r->sectors * 512 % c->logical_block));
	if (r->op > PARVUS_BLOCK_WRITE) {
		FUZZ_CHECK(!r->segments);
		FUZZ_CHECK(r->sectors <= (r->op == PARVUS_BLOCK_DISCARD ? c->discard_sectors :
					  c->zeroes_sectors));
		return;
	}
	FUZZ_CHECK(r->segments && r->segments <= PARVUS_BLOCK_SEGMENTS);
	for (i = 0; i < r->segments; i++) {
		FUZZ_CHECK(list[i].bytes && !(list[i].offset % 512));
		FUZZ_CHECK((uint64_t)list[i].offset + list[i].bytes <= pool_bytes);
		sum += list[i].bytes;
	}
	FUZZ_CHECK(sum == r->sectors * 512 && sum <= c->bytes);
}

void fuzz_one(const uint8_t *data, size_t bytes)
{
	/* of the heap: the sanitizer sees who writes behind the end */
	struct parvus_block_segment *list = malloc(PARVUS_BLOCK_SEGMENTS * sizeof(*list));
	struct parvus_block_request r;
	struct block_check c = { .copy = copy };
	uint8_t kind;
	int ret;

	in = (struct fuzz_input){ data, data + bytes };
	kind = fuzz_u8(&in);
	c.readonly = kind & 1;
	c.logical_block = 512u << (kind >> 1 & 3);
	c.discard_sectors = kind & 8 ? 0 : 1u << 16;
	c.zeroes_sectors = kind & 16 ? 0 : 1u << 12;
	c.bytes = kind & 32 ? PARVUS_BLOCK_BYTES : 128u << 10;
	c.pool_bytes = pool_bytes = (uint64_t)(fuzz_u8(&in) + 1u) << 14;
	c.sectors = fuzz_u64(&in) / c.logical_block * (c.logical_block / 512);
	while (in.at < in.end) {
		fuzz_fill(&in, &r, sizeof(r));
		ret = block_check(&c, &r, list);
		FUZZ_CHECK(ret == BLOCK_CHECK_LIE || ret <= 0);
		if (!ret)
			request_good(&c, &r, list);
	}
	free(list);
}

FUZZ_TARGET()
