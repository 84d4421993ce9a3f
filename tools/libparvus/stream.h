/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libparvus: the stream of a saved domain (docs/life-cycle.md), its layout, its reader and writer.
 *
 * A header, then records, the last of which is END. All numbers are little-endian. Nobody seeks:
 * a stream goes through a pipe. What reads one believes nothing: a record is bounded before it is
 * read, taken whole, compared with its checksum, checked by its type against all that came before,
 * and only then given to the caller. The writer checks what it writes by the same function.
 *
 * crc32c.c, stream.c (layout, checks), stream_read.c, stream_write.c, in this order.
 */
#ifndef LIBPARVUS_STREAM_H
#define LIBPARVUS_STREAM_H

#include "internal.h"

#include <nettle/sha2.h>
#include <zstd.h>

#define PV_STREAM_MAGIC		"\x89PARVUS\n"	/* a change of line ends or of bit 7 spoils it */
#define PV_STREAM_VERSION	1u
#define PV_RECORD_MAX		(2u << 20)	/* bytes of a body */
#define PV_CONFIG_BYTES		(1u << 20)
#define PV_CONSOLE_BYTES	(64u << 10)	/* what a monitor keeps */
#define PV_HOST_RECORD		4096u
#define PV_HOST_LEAVES		64u
#define PV_PAGES_MAX		256u		/* in one record */
#define PV_GFNS_MAX		(1ull << 34)	/* 64 TiB, as memory= of a configuration */
#define PV_RUNS_MAX		(1u << 20)	/* of the whole map, in memory */

struct pv_stream_head {
	char magic[8];
	uint32_t version, page_size;
};

/* A record is this, then @bytes bytes. @crc: CRC32C of the rest of the head, and of the body. */
struct pv_record_head {
	uint16_t type, flags;
	uint32_t bytes, crc;
};
#define PV_RECORD_FATAL	1u		/* who does not know the type must not go on */

enum pv_record_type {
	PV_HOST = 1,		/* struct pv_host, then what it counts: the machine that saved */
	PV_CONFIG,		/* text of the configuration */
	PV_SIZE,		/* struct pv_size */
	PV_GFNMAP,		/* struct pv_run ..., upwards, over as many records as it takes */
	PV_PAGES,		/* struct pv_pages, then data; of two for a gfn the later wins */
	PV_CONSOLE,		/* what the domain wrote of late */
	PV_CONTEXT,		/* struct pv_context, then data that the hypervisor checks */
	PV_END,			/* struct pv_end */
	PV_RECORD_TYPES
};

struct pv_leaf {
	uint32_t leaf, subleaf, eax, ebx, ecx, edx;
};

/* @record bytes that the hypervisor compares with what it has, then @leaves of CPUID. */
struct pv_host {
	uint32_t abi, record, leaves, reserved;
};

/* What it is made with, and what it may have and shall have now. */
struct pv_size {
	uint64_t gfns, ram_frames, max_frames, target_frames;
	uint32_t vcpus, flags;	/* flags of CREATE that belong to it for life */
	uint32_t self;		/* the number by which it knows itself */
	uint32_t console_ref, console_port, reserved;
};

#define PV_RUN_DEMAND	1u		/* RAM without a frame: one comes at the first touch */
#define PV_RUN_FRAME	2u		/* with one; pages that no PAGES has are zero */
struct pv_run {
	uint64_t gfn;
	uint32_t frames, kind;
};

#define PV_CODEC_RAW	0u
#define PV_CODEC_ZSTD	1u		/* one frame of zstd, smaller than the pages */
struct pv_pages {
	uint64_t gfn;
	uint32_t count, codec;
};

struct pv_context {
	uint32_t kind, index;
};

/* Of all before this record. @sha256: of the header and of the heads of records. */
struct pv_end {
	uint64_t records, bytes, pages;
	uint8_t sha256[SHA256_DIGEST_SIZE];
};

/* What both directions keep. @record, @at: number and place of the record that is looked at. */
struct pv_stream {
	struct parvus_error *error;
	const char *name;
	int fd;
	uint64_t record, at;
	struct sha256_ctx sha;
	const char *type;	/* for messages, NULL = not known yet */
	uint32_t last;		/* type of the last known record */
	struct pv_host host;
	struct pv_size size;
	struct pv_run *runs;
	size_t nruns, runs_room;
	uint64_t frames, demand, pages, packed;
	uint32_t console, contexts, unknown;
	bool ended;
	uint8_t *body;		/* PV_RECORD_MAX */
	uint8_t *unpacked;	/* PV_PAGES_MAX pages; made when they are needed */
	size_t config_bytes;
	ZSTD_DCtx *unzstd;
	ZSTD_CCtx *zstd;
};

/* crc32c.c. Begin with 0; go on with what came out. The plain one needs no SSE4.2. */
uint32_t pv_crc32c(uint32_t crc, const void *data, size_t bytes);
uint32_t pv_crc32c_plain(uint32_t crc, const void *data, size_t bytes);

/* stream.c. @fd stays the caller's. */
int pv_stream_begin(struct pv_stream *s, struct parvus_error *e, const char *name, int fd);
void pv_stream_end(struct pv_stream *s);
/* "NAME: record N (TYPE) at byte AT: ..."; returns -EINVAL. */
int pv_stream_wrong(struct pv_stream *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pv_stream_header(struct pv_stream_head *h);
uint32_t pv_record_crc(const struct pv_record_head *h, const void *body);
const char *pv_record_name(uint16_t type);
/* May a record with this head be next? Before its body is read. */
int pv_record_head_check(struct pv_stream *s, const struct pv_record_head *h);
/* Is its body right, after all that came before? Then it counts as come. */
int pv_record_check(struct pv_stream *s, const struct pv_record_head *h, const uint8_t *body);
/* What END says now. */
void pv_stream_totals(const struct pv_stream *s, struct pv_end *end);
/* Do all of @count gfns from @gfn on have frames, as the map says? */
bool pv_stream_framed(const struct pv_stream *s, uint64_t gfn, uint64_t count);

/* stream_read.c. A record that was checked; what it points to stays until the next is read. */
struct pv_record {
	uint16_t type;
	uint32_t bytes;
	const void *body;
	const uint8_t *pages;	/* of PAGES: unpacked */
};
/* Begins, and takes the header. */
int pv_stream_open(struct pv_stream *s, struct parvus_error *e, const char *name, int fd);
/* 1: a record; 0: that was all, after END. Records that nobody has to know are passed over. */
int pv_stream_read(struct pv_stream *s, struct pv_record *r);
/* Is END the end of the file, too? */
int pv_stream_over(struct pv_stream *s);

/* stream_write.c. */
int pv_stream_create(struct pv_stream *s, struct parvus_error *e, const char *name, int fd);
/* A record of @head, a structure of its type, and what follows it; either may be empty. */
int pv_stream_write(struct pv_stream *s, uint16_t type, const void *head, size_t head_bytes,
		    const void *data, size_t data_bytes);
/* PAGES; packed if @level is not 0 and it gets smaller so. */
int pv_stream_write_pages(struct pv_stream *s, uint64_t gfn, uint32_t count, const uint8_t *data,
			  int level);
int pv_stream_write_end(struct pv_stream *s);

#endif
