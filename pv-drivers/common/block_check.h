/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus block back end: is a request that a front end has made one that can be done?
 * Looks at nothing but its arguments and changes nothing but the list of segments, so
 * that unit tests and a fuzzer use it as it is. Needs <parvus/block.h> alone.
 *
 * What is wrong with the disk (its end, its rights, what it cannot do) is an error for
 * the one request: the disk may have changed since. What is wrong with the request
 * itself no honest front end sends.
 */
#ifndef PARVUS_BLOCK_CHECK_H
#define PARVUS_BLOCK_CHECK_H

#include <parvus/block.h>

#define BLOCK_CHECK_LIE		1	/* beside 0 and negative errors: close the device */

/* The disk as the back end's blob describes it, and the queue's pool. */
struct block_check {
	uint64_t sectors;		/* 0 = no medium */
	uint64_t pool_bytes;
	uint32_t logical_block;
	uint32_t bytes;			/* of one READ or WRITE */
	uint32_t discard_sectors;	/* of one DISCARD; 0 = cannot */
	uint32_t zeroes_sectors;	/* of one WRITE_ZEROES; 0 = cannot */
	uint32_t readonly;
	/* Copy @bytes at @offset of the pool, which are inside of it, to @to. */
	void (*copy)(const struct block_check *c, void *to, uint32_t offset, uint32_t bytes);
	void *pool;			/* of copy() */
};

static inline int block_check_segment(const struct block_check *c,
				      const struct parvus_block_segment *s)
{
	return s->bytes && s->offset % 512 == 0 && s->bytes % c->logical_block == 0 &&
	       (uint64_t)s->offset + s->bytes <= c->pool_bytes;
}

/* The place of the list of segments. */
static inline int block_check_table(const struct block_check *c,
				    const struct parvus_block_request *r)
{
	const struct parvus_block_segment *s = &r->segment[0];

	return s->offset % 512 == 0 && s->bytes == r->segments * sizeof(*s) &&
	       (uint64_t)s->offset + s->bytes <= c->pool_bytes;
}

/* READ and WRITE: the segments are in the pool, and are as long as the sectors. */
static inline int block_check_data(const struct block_check *c,
				   const struct parvus_block_request *r,
				   struct parvus_block_segment *list)
{
	uint64_t bytes = 0;
	uint32_t i;

	if (!r->segments || r->segments > PARVUS_BLOCK_SEGMENTS)
		return BLOCK_CHECK_LIE;
	if (r->segments <= PARVUS_BLOCK_INLINE) {
		for (i = 0; i < r->segments; i++)
			list[i] = r->segment[i];
	} else {
		if (!block_check_table(c, r))
			return BLOCK_CHECK_LIE;
		c->copy(c, list, r->segment[0].offset, r->segment[0].bytes);
	}
	for (i = 0; i < r->segments; i++) {
		if (!block_check_segment(c, &list[i]))
			return BLOCK_CHECK_LIE;
		bytes += list[i].bytes;
	}
	if (bytes > c->bytes || bytes >> 9 != r->sectors)
		return BLOCK_CHECK_LIE;
	return 0;
}

/* Does it make sense, whatever the disk is? */
static inline int block_check_form(const struct block_check *c,
				   const struct parvus_block_request *r,
				   struct parvus_block_segment *list)
{
	uint32_t flags = 0;

	switch (r->op) {
	case PARVUS_BLOCK_READ:
		break;
	case PARVUS_BLOCK_WRITE:
		flags = PARVUS_BLOCK_FUA;
		break;
	case PARVUS_BLOCK_FLUSH:
		return r->flags || r->segments || r->sector || r->sectors ? BLOCK_CHECK_LIE : 0;
	case PARVUS_BLOCK_DISCARD:
	case PARVUS_BLOCK_WRITE_ZEROES:
		if (r->op == PARVUS_BLOCK_WRITE_ZEROES)
			flags = PARVUS_BLOCK_FUA | PARVUS_BLOCK_UNMAP;
		return r->flags & ~flags || r->segments || !r->sectors ? BLOCK_CHECK_LIE : 0;
	default:
		return -PARVUS_BLOCK_EOPNOTSUPP;
	}
	return r->flags & ~flags ? BLOCK_CHECK_LIE : block_check_data(c, r, list);
}

/*
 * 0: do it, with the r->segments segments in @list (of PARVUS_BLOCK_SEGMENTS).
 * Negative: answer with that. BLOCK_CHECK_LIE: close the device. @r is a copy.
 */
static inline int block_check(const struct block_check *c, const struct parvus_block_request *r,
			      struct parvus_block_segment *list)
{
	int ret = block_check_form(c, r, list);

	if (ret)
		return ret;
	if (!c->sectors)
		return -PARVUS_BLOCK_EIO;
	if (r->op == PARVUS_BLOCK_FLUSH)
		return 0;
	if (r->op != PARVUS_BLOCK_READ && c->readonly)
		return -PARVUS_EPERM;
	if ((r->op == PARVUS_BLOCK_DISCARD && !c->discard_sectors) ||
	    (r->op == PARVUS_BLOCK_WRITE_ZEROES && !c->zeroes_sectors))
		return -PARVUS_BLOCK_EOPNOTSUPP;
	if ((r->op == PARVUS_BLOCK_DISCARD && r->sectors > c->discard_sectors) ||
	    (r->op == PARVUS_BLOCK_WRITE_ZEROES && r->sectors > c->zeroes_sectors))
		return -PARVUS_E2BIG;
	if (r->sectors > c->sectors || r->sector > c->sectors - r->sectors ||
	    (r->sector | r->sectors) % (c->logical_block >> 9))
		return -PARVUS_EINVAL;
	return 0;
}

#endif
