// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream of a saved domain: written and read again, cut everywhere, each byte of it flipped,
 * and lying with right checksums. What is wrong is refused with one line that says what and where.
 */
#include "fake.h"
#include "stream.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX	(64u << 10)
#define GFNS	0x1000u

static struct parvus_error e;
static uint8_t page[4 * PAGE];

/* A stream in memory, and where its records begin. */
static uint8_t good[MAX];
static size_t bytes, start[32], records;

static int file_of(const void *data, size_t n)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, data, n), (int)n);
	ck_assert_int_eq((int)lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* All of it, by the writer. */
static void write_good(int fd, int level)
{
	static const struct pv_host host = { .abi = 1, .record = 16, .leaves = 1 };
	static const struct pv_size size = {
		.gfns = GFNS, .ram_frames = 64, .max_frames = 60, .target_frames = 50, .vcpus = 2,
	};
	static const struct pv_run low[] = {
		{ 0, 8, PV_RUN_FRAME }, { 8, 4, PV_RUN_FRAME }, { 16, 32, PV_RUN_DEMAND },
	};
	static const struct pv_run high[] = { { GFNS - 1, 1, PV_RUN_FRAME } };
	static const struct pv_context one = { .kind = 3, .index = 1 }, two = { .kind = 4 };
	static const char config[] = "name = 'web'\nkernel = '/k'\n";
	uint8_t rest[16 + sizeof(struct pv_leaf)] = { 7 };
	struct pv_stream s;

	ck_assert_msg(!pv_stream_create(&s, &e, "f", fd), "%s", e.text);
	ck_assert(!pv_stream_write(&s, PV_HOST, &host, sizeof(host), rest, sizeof(rest)));
	ck_assert(!pv_stream_write(&s, PV_CONFIG, config, sizeof(config) - 1, NULL, 0));
	ck_assert(!pv_stream_write(&s, PV_SIZE, &size, sizeof(size), NULL, 0));
	ck_assert(!pv_stream_write(&s, PV_GFNMAP, low, sizeof(low), NULL, 0));
	ck_assert(!pv_stream_write(&s, PV_GFNMAP, high, sizeof(high), NULL, 0));
	ck_assert(!pv_stream_write_pages(&s, 0, 2, page, 0));
	ck_assert(!pv_stream_write_pages(&s, 6, 4, page, level));
	ck_assert(!pv_stream_write_pages(&s, GFNS - 1, 1, page + PAGE, level));
	ck_assert(!pv_stream_write_pages(&s, 1, 1, page + 2 * PAGE, 0));
	ck_assert(!pv_stream_write(&s, PV_CONSOLE, "login: ", 7, NULL, 0));
	ck_assert(!pv_stream_write(&s, PV_CONTEXT, &one, sizeof(one), "abc", 3));
	ck_assert(!pv_stream_write(&s, PV_CONTEXT, &two, sizeof(two), "defgh", 5));
	ck_assert_msg(!pv_stream_write_end(&s), "%s", e.text);
	pv_stream_end(&s);
}

static void make_good(int level)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct pv_record_head h;
	size_t at;

	for (at = 0; at < sizeof(page); at++)	/* it packs, but not to nothing */
		page[at] = (uint8_t)(at / 64 * 37 + at / 1000);
	write_good(fd, level);
	bytes = (size_t)lseek(fd, 0, SEEK_CUR);
	ck_assert_uint_le(bytes, sizeof(good));
	ck_assert_int_eq((int)pread(fd, good, bytes, 0), (int)bytes);
	close(fd);
	records = 0;
	for (at = sizeof(struct pv_stream_head); at < bytes; at += sizeof(h) + h.bytes) {
		memcpy(&h, good + at, sizeof(h));
		start[records++] = at;
	}
	ck_assert_uint_eq(at, bytes);
	ck_assert_uint_eq(records, 13);
	start[records] = bytes;
}

static void setup(void)
{
	make_good(3);
}

/* 0, or the error of a whole reading. */
static int check(const void *data, size_t n, struct parvus_stream_info *info)
{
	struct parvus_stream_info i;
	int fd = file_of(data, n), ret;

	e.text[0] = 0;
	ret = parvus_stream_check(&e, "f", fd, NULL, NULL, &i);
	close(fd);
	if (ret)
		ck_assert_msg(!strncmp(e.text, "f", 1) && !strchr(e.text, '\n') && !i.config,
			      "%s", e.text);
	else if (info)
		*info = i;
	else
		parvus_stream_free(&i);
	return ret;
}

START_TEST(sums)
{
	uint8_t data[300];
	size_t n, i;

	/* RFC 3720, B.4, and the usual nine digits */
	memset(data, 0, 32);
	ck_assert_uint_eq(pv_crc32c(0, data, 32), 0x8a9136aa);
	memset(data, 0xff, 32);
	ck_assert_uint_eq(pv_crc32c(0, data, 32), 0x62a8ab43);
	ck_assert_uint_eq(pv_crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(pv_crc32c_plain(0, "123456789", 9), 0xe3069283);
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 29 + i / 7);
	for (n = 0; n <= sizeof(data); n++) {
		uint32_t all = pv_crc32c(0, data, n);

		ck_assert_uint_eq(all, pv_crc32c_plain(0, data, n));
		ck_assert_uint_eq(all, pv_crc32c(pv_crc32c(0, data, n / 3), data + n / 3,
						 n - n / 3));
	}
}
END_TEST

/* What was written comes back, in order; through a pipe that gives a little at a time, too. */
static void read_good(int fd)
{
	static const uint16_t types[] = { PV_HOST, PV_CONFIG, PV_SIZE, PV_GFNMAP, PV_GFNMAP,
		PV_PAGES, PV_PAGES, PV_PAGES, PV_PAGES, PV_CONSOLE, PV_CONTEXT, PV_CONTEXT,
		PV_END };
	static const struct { uint32_t gfn, count, from; } pages[] = {
		{ 0, 2, 0 }, { 6, 4, 0 }, { GFNS - 1, 1, 1 }, { 1, 1, 2 },
	};
	size_t i, n = 0;
	struct pv_stream s;
	struct pv_record r;

	ck_assert_msg(!pv_stream_open(&s, &e, "f", fd), "%s", e.text);
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		ck_assert_msg(pv_stream_read(&s, &r) == 1, "%s", e.text);
		ck_assert_uint_eq(r.type, types[i]);
		if (r.type == PV_PAGES) {
			struct pv_pages p;

			memcpy(&p, r.body, sizeof(p));
			ck_assert_uint_eq(p.gfn, pages[n].gfn);
			ck_assert_uint_eq(p.count, pages[n].count);
			ck_assert(!memcmp(r.pages, page + pages[n].from * PAGE,
					  pages[n].count * PAGE));
			n++;
		}
	}
	ck_assert_int_eq(pv_stream_read(&s, &r), 0);
	ck_assert_msg(!pv_stream_over(&s), "%s", e.text);
	ck_assert_uint_eq(s.frames, 13);
	ck_assert_uint_eq(s.demand, 32);
	ck_assert_uint_eq(s.pages, 8);
	pv_stream_end(&s);
}

START_TEST(whole)
{
	int level = _i ? 3 : 0, fd, p[2];
	size_t i;

	make_good(level);
	fd = file_of(good, bytes);
	read_good(fd);
	close(fd);
	ck_assert(!pipe(p));
	if (!fork()) {
		for (i = 0; i < bytes; i++)
			if (write(p[1], good + i, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(p[1]);
	read_good(p[0]);
	close(p[0]);
	wait(NULL);
	/* packed pages are smaller, and there are some */
	ck_assert(level ? bytes < 6 * PAGE : bytes > 8 * PAGE);
}
END_TEST

START_TEST(info)
{
	struct parvus_stream_info i;

	ck_assert_msg(!check(good, bytes, &i), "%s", e.text);
	ck_assert_str_eq(i.config, "name = 'web'\nkernel = '/k'\n");
	ck_assert_uint_eq(i.version, PV_STREAM_VERSION);
	ck_assert_uint_eq(i.abi, 1);
	ck_assert_uint_eq(i.gfns, GFNS);
	ck_assert_uint_eq(i.ram_frames, 64);
	ck_assert_uint_eq(i.max_frames, 60);
	ck_assert_uint_eq(i.target_frames, 50);
	ck_assert_uint_eq(i.vcpus, 2);
	ck_assert_uint_eq(i.frames, 13);
	ck_assert_uint_eq(i.demand, 32);
	ck_assert_uint_eq(i.pages, 8);
	ck_assert_uint_eq(i.console_bytes, 7);
	ck_assert_uint_eq(i.contexts, 2);
	ck_assert_uint_eq(i.records, records);
	ck_assert_uint_eq(i.bytes, bytes);
	ck_assert(!memcmp(i.sha256, good + bytes - sizeof(i.sha256), sizeof(i.sha256)));
	parvus_stream_free(&i);
}
END_TEST

START_TEST(cut)
{
	size_t n, r = 0;

	for (n = 0; n < bytes; n++) {
		char where[64];

		while (r + 1 < records && n >= start[r + 1])
			r++;
		/* the middle of a plain page is as any other place in it */
		if (n > start[r] + 64 && n + 64 < start[r + 1] && n % 97)
			continue;
		ck_assert_msg(check(good, n, NULL) == -EINVAL, "of %zu bytes", n);
		snprintf(where, sizeof(where), "f: record %zu ", r);
		if (n < sizeof(struct pv_stream_head))
			continue;
		ck_assert_msg(!strncmp(e.text, where, strlen(where)) &&
			      strstr(e.text, "the stream ends after"), "%zu: %s", n, e.text);
		snprintf(where, sizeof(where), " at byte %zu: ", start[r]);
		ck_assert_msg(strstr(e.text, where), "%zu: %s", n, e.text);
	}
	/* and at its end there is nothing more */
	good[bytes] = 0;
	ck_assert_int_eq(check(good, bytes + 1, NULL), -EINVAL);
	ck_assert_msg(strstr(e.text, "something follows its end"), "%s", e.text);
}
END_TEST

/* Each byte: of heads and small records each bit of it. */
START_TEST(flipped)
{
	size_t n, r = 0;

	for (n = 0; n < bytes; n++) {
		char where[64];
		int bit;

		while (r + 1 < records && n >= start[r + 1])
			r++;
		for (bit = 0; bit < 8; bit++) {
			if (start[r + 1] - start[r] > 1000 && n > start[r] + 64 &&
			    n % 8 != (size_t)bit)
				continue;
			good[n] ^= (uint8_t)(1 << bit);
			ck_assert_msg(check(good, bytes, NULL) == -EINVAL, "byte %zu bit %d", n,
				      bit);
			good[n] ^= (uint8_t)(1 << bit);
			if (n < sizeof(struct pv_stream_head))
				continue;
			snprintf(where, sizeof(where), "f: record %zu ", r);
			ck_assert_msg(!strncmp(e.text, where, strlen(where)), "byte %zu bit %d: %s",
				      n, bit, e.text);
			snprintf(where, sizeof(where), " at byte %zu: ", start[r]);
			ck_assert_msg(strstr(e.text, where), "byte %zu bit %d: %s", n, bit, e.text);
		}
	}
}
END_TEST

/* Records that are left out, come twice, or change places: their sums are right. */
START_TEST(moved)
{
	static uint8_t other[2 * MAX];
	size_t i, j, n;

	for (i = 0; i < records; i++) {
		n = start[i + 1] - start[i];
		memcpy(other, good, start[i]);
		memcpy(other + start[i], good + start[i + 1], bytes - start[i + 1]);
		ck_assert_msg(check(other, bytes - n, NULL) == -EINVAL, "without %zu", i);
		memcpy(other, good, start[i + 1]);
		memcpy(other + start[i + 1], good + start[i], bytes - start[i]);
		ck_assert_msg(check(other, bytes + n, NULL) == -EINVAL, "%zu twice", i);
		for (j = i + 1; j < records; j++) {
			size_t at = start[i], m = start[j + 1] - start[j];

			memcpy(other, good, at);
			memcpy(other + at, good + start[j], m);
			at += m;
			memcpy(other + at, good + start[i + 1], start[j] - start[i + 1]);
			at += start[j] - start[i + 1];
			memcpy(other + at, good + start[i], n);
			at += n;
			memcpy(other + at, good + at, bytes - at);
			ck_assert_msg(check(other, bytes, NULL) == -EINVAL, "%zu for %zu", i, j);
		}
	}
}
END_TEST

/* ---- lies with right checksums ---- */

struct text {
	uint8_t data[4 * MAX];
	size_t n;
	uint64_t records, pages;
	struct sha256_ctx sha;
};

static void begin(struct text *t)
{
	struct pv_stream_head h;

	t->n = t->records = t->pages = 0;
	sha256_init(&t->sha);
	pv_stream_header(&h);
	memcpy(t->data, &h, sizeof(h));
	t->n = sizeof(h);
	sha256_update(&t->sha, sizeof(h), t->data);
}

static void add(struct text *t, uint16_t type, uint16_t flags, const void *body, size_t n)
{
	struct pv_record_head h = { .type = type, .flags = flags, .bytes = (uint32_t)n };

	ck_assert_uint_le(t->n + sizeof(h) + n, sizeof(t->data));
	h.crc = pv_record_crc(&h, body);
	memcpy(t->data + t->n, &h, sizeof(h));
	sha256_update(&t->sha, sizeof(h), (const uint8_t *)&h);
	memcpy(t->data + t->n + sizeof(h), body, n);
	t->n += sizeof(h) + n;
	t->records++;
}

/* The first @n records of the good one. */
static void copy(struct text *t, size_t n)
{
	struct pv_record_head h;
	size_t i;

	begin(t);
	for (i = 0; i < n; i++) {
		memcpy(&h, good + start[i], sizeof(h));
		add(t, h.type, h.flags, good + start[i] + sizeof(h), h.bytes);
	}
}

static void refused(struct text *t, const char *text)
{
	ck_assert_msg(check(t->data, t->n, NULL) == -EINVAL, "not refused: %s", text);
	ck_assert_msg(strstr(e.text, text), "%s, not: %s", e.text, text);
}

static struct text t;

START_TEST(lies_of_host)
{
	struct {
		struct pv_host h;
		uint8_t rest[5000];
	} host = { .h = { .abi = 1, .record = 16 } };
	size_t n = sizeof(host.h) + 16;

#define WITH(change, bytes_, text) do { \
	host.h = (struct pv_host){ .abi = 1, .record = 16 }; \
	change; \
	begin(&t); \
	add(&t, PV_HOST, 1, &host, bytes_); \
	refused(&t, text); \
} while (0)
	WITH(host.h.reserved = 5, n, "reserved is 0x5");
	WITH(host.h.record = 0, n, "a record of 0 bytes");
	WITH(host.h.record = 4104, sizeof(host.h) + 4104, "a record of 4104 bytes");
	WITH(host.h.record = 24, n, "a record of 24 bytes");
	WITH(host.h.record = 8, n, "a record of 8 bytes");
	WITH(host.h.record = 17, n + 1, "a record of 17 bytes");
	WITH(host.h.leaves = 1, n, "and 1 leaves of CPUID");
	WITH(host.h.leaves = 65, n, "and 65 leaves of CPUID");
	WITH(host.h.leaves = 0x0aaaaaab, n + 8, " leaves of CPUID");	/* x 24 is 8 in 32 bits */
	WITH(, sizeof(host.h), "16 bytes, and 24 to");
#undef WITH
}
END_TEST

START_TEST(lies_of_size)
{
	struct pv_size z;

#define WITH(change, text) do { \
	z = (struct pv_size){ .gfns = 100, .ram_frames = 50, .max_frames = 50, \
			      .target_frames = 50, .vcpus = 1 }; \
	change; \
	copy(&t, 2); \
	add(&t, PV_SIZE, 1, &z, sizeof(z)); \
	refused(&t, text); \
} while (0)
	WITH(z.gfns = 0, "0 gfns");
	WITH(z.gfns = PV_GFNS_MAX + 1, "17179869185 gfns");
	WITH(z.ram_frames = 0, "0 frames of RAM");
	WITH(z.ram_frames = 101, "101 frames of RAM");
	WITH(z.max_frames = 51, "and 51 at most");
	WITH(z.target_frames = 51, "a target of 51 frames");
	WITH(z.vcpus = 0, "0 vCPUs");
	WITH(z.vcpus = PARVUS_MAX_VCPUS + 1, "65 vCPUs");
	WITH(z.reserved = 9, "reserved is 0x9");
	WITH(, "the stream ends");	/* else it is right */
#undef WITH
	copy(&t, 2);
	add(&t, PV_SIZE, 1, &z, sizeof(z) - 1);
	refused(&t, "55 bytes, and 56 to 56");
	copy(&t, 1);
	add(&t, PV_CONFIG, 1, "a\0b", 3);
	refused(&t, "a zero at byte 1");
	copy(&t, 1);
	add(&t, PV_CONFIG, 1, "", 0);
	refused(&t, "0 bytes, and 1 to");
}
END_TEST

START_TEST(lies_of_map)
{
#define RUNS(text, ...) do { \
	const struct pv_run runs[] = { __VA_ARGS__ }; \
	copy(&t, 3); \
	add(&t, PV_GFNMAP, 1, runs, sizeof(runs)); \
	refused(&t, text); \
} while (0)
	RUNS("kind 0", { 0, 1, 0 });
	RUNS("kind 3", { 0, 1, 3 });
	RUNS("0 frames from gfn 0x1", { 1, 0, 1 });
	RUNS("from gfn 0x1000 on, of 0x1000 gfns", { GFNS, 1, 1 });
	RUNS("2 frames from gfn 0xfff", { GFNS - 1, 2, 1 });
	RUNS("from gfn 0xffffffffffffffff", { ~0ull, 2, 1 });
	RUNS("gfn 0x7, and the map was at 0x8", { 0, 8, 1 }, { 7, 1, 1 });
	RUNS("gfn 0x2, and the map was at 0x8", { 7, 1, 1 }, { 2, 1, 1 });
	RUNS("than 64, all of its RAM", { 0, 60, 1 }, { 60, 5, 2 });
#undef RUNS
	copy(&t, 4);
	add(&t, PV_GFNMAP, 1, &(struct pv_run){ 47, 1, 1 }, sizeof(struct pv_run));
	refused(&t, "gfn 0x2f, and the map was at 0x30");
	copy(&t, 3);
	add(&t, PV_GFNMAP, 1, page, 17);
	refused(&t, "17 bytes are no whole runs");
}
END_TEST

/* The map lies in memory: no stream makes it larger than so many runs. */
START_TEST(long_map)
{
	const size_t n = PV_RECORD_MAX / sizeof(struct pv_run);
	struct pv_run *runs = malloc(PV_RECORD_MAX);
	struct pv_size z = { .gfns = PV_GFNS_MAX, .ram_frames = PV_GFNS_MAX, .vcpus = 1 };
	int fd = memfd_create("stream", MFD_CLOEXEC);
	size_t i, had = 0;
	struct pv_stream s;

	ck_assert(!pv_stream_create(&s, &e, "f", fd));
	ck_assert(!pv_stream_write(&s, PV_HOST, &(struct pv_host){ .abi = 1, .record = 8 },
				   sizeof(struct pv_host), page, 8));
	ck_assert(!pv_stream_write(&s, PV_CONFIG, "a", 1, NULL, 0));
	ck_assert(!pv_stream_write(&s, PV_SIZE, &z, sizeof(z), NULL, 0));
	for (; had <= PV_RUNS_MAX; had += n) {
		for (i = 0; i < n; i++)
			runs[i] = (struct pv_run){ (had + i) * 2, 1, PV_RUN_FRAME };
		ck_assert_int_eq(pv_stream_write(&s, PV_GFNMAP, runs, PV_RECORD_MAX, NULL, 0),
				 had < PV_RUNS_MAX ? 0 : -EINVAL);
	}
	ck_assert_msg(strstr(e.text, "1179648 runs, and 1048576 are the most"), "%s", e.text);
	for (i = 0; i < 2 * PV_RUNS_MAX; i += 7)
		ck_assert(pv_stream_framed(&s, i, 1) == !(i & 1));
	ck_assert(!pv_stream_framed(&s, 0, 2));
	pv_stream_end(&s);
	close(fd);
	free(runs);
}
END_TEST

START_TEST(lies_of_pages)
{
	static struct { struct pv_pages p; uint8_t data[8 * PAGE]; } p;
	static uint8_t packed[MAX];
	size_t n, whole_n;

#define RAW(gfn_, count_, codec_, bytes_, text) do { \
	p.p = (struct pv_pages){ .gfn = gfn_, .count = count_, .codec = codec_ }; \
	copy(&t, 5); \
	add(&t, PV_PAGES, 1, &p, sizeof(p.p) + (bytes_)); \
	refused(&t, text); \
} while (0)
	RAW(0, 0, 0, PAGE, "0 pages, and 1 to 256");
	RAW(0, 257, 0, PAGE, "257 pages, and 1 to 256");
	RAW(0, 0xffffffff, 1, PAGE, "pages, and 1 to 256");
	RAW(0, 1, 2, PAGE, "codec 2");
	RAW(0, 1, 0, PAGE - 1, "4095 bytes of plain data for 1 pages");
	RAW(0, 1, 0, PAGE + 1, "4097 bytes of plain data for 1 pages");
	RAW(0, 1, 0, 0, "bytes, and 17 to");
	RAW(12, 1, 0, PAGE, "1 pages at gfn 0xc, where the map has no frames");
	RAW(11, 2, 0, 2 * PAGE, "2 pages at gfn 0xb");
	RAW(16, 1, 0, PAGE, "gfn 0x10");	/* on demand: it was never touched */
	RAW(GFNS - 1, 2, 0, 2 * PAGE, "gfn 0xfff");
	RAW(~0ull, 2, 0, 2 * PAGE, "gfn 0xffffffffffffffff");
	RAW(0, 1, 0, PAGE, "the stream ends");	/* else it is right */
	/* zstd: damaged, cut, more than it says, less, and something behind it */
	n = ZSTD_compress(packed, sizeof(packed), page, 2 * PAGE, 3);
	ck_assert(!ZSTD_isError(n) && n < PAGE);
#define ZSTD(count_, bytes_, text) do { \
	memcpy(p.data, packed, sizeof(p.data)); \
	RAW(0, count_, 1, bytes_, text); \
} while (0)
	ZSTD(2, n, "the stream ends");
	ZSTD(2, n - 1, "do not give 2 pages");
	ZSTD(2, n + 1, "do not give 2 pages");
	ZSTD(1, n, "do not give 1 pages");
	ZSTD(3, n, "do not give 3 pages");
	ZSTD(2, 1, "do not give 2 pages");
	packed[n / 2] ^= 0xff;
	packed[0] ^= 1;
	ZSTD(2, n, "do not give 2 pages");
	/* a bomb: 64 MiB in little */
	{
		uint8_t *zero = calloc(1, 64u << 20);

		n = ZSTD_compress(packed, sizeof(packed), zero, 64u << 20, 3);
		free(zero);
	}
	ck_assert(!ZSTD_isError(n) && n < 8 * PAGE);
	ZSTD(2, n, "do not give 2 pages");
	/* two frames, which zstd itself would take for one */
	n = ZSTD_compress(packed, sizeof(packed), page, PAGE, 3);
	whole_n = n + ZSTD_compress(packed + n, sizeof(packed) - n, page, PAGE, 3);
	ZSTD(2, whole_n, "do not give 2 pages");
#undef ZSTD
#undef RAW
}
END_TEST

START_TEST(lies_of_records)
{
	struct pv_record_head h = { .type = PV_PAGES, .flags = 1, .bytes = 0xffffffff };
	struct pv_end end;
	struct parvus_stream_info i;
	size_t at;

	/* order, and what has to be there */
	begin(&t);
	add(&t, PV_CONFIG, 1, "a", 1);
	refused(&t, "record 0 (CONFIG) at byte 16: there is no HOST before it");
	copy(&t, 1);
	add(&t, PV_HOST, 1, good + start[0] + sizeof(h), start[1] - start[0] - sizeof(h));
	refused(&t, "there is a second one, HOST");
	copy(&t, 10);
	add(&t, PV_CONSOLE, 1, "a", 1);
	refused(&t, "there is a second one, CONSOLE");
	copy(&t, 6);
	add(&t, PV_GFNMAP, 1, &(struct pv_run){ GFNS - 9, 1, 1 }, sizeof(struct pv_run));
	refused(&t, "it comes after PAGES");
	copy(&t, 3);
	add(&t, PV_CONTEXT, 1, &(struct pv_context[2]){ { 1, 0 } }, 16);
	refused(&t, "there is no GFNMAP before it");
	copy(&t, 5);
	add(&t, PV_END, 1, page, sizeof(end));
	refused(&t, "there is no CONTEXT before it");
	copy(&t, 5);
	add(&t, PV_CONTEXT, 1, &(struct pv_context[2]){ { 0, 0 } }, 16);
	refused(&t, "a context of kind 0");
	copy(&t, 5);
	add(&t, PV_CONTEXT, 1, &(struct pv_context){ 1, 0 }, 8);
	refused(&t, "8 bytes, and 9 to");
	/* flags, and types that nobody knows */
	copy(&t, 3);
	add(&t, PV_RECORD_TYPES, 1, "a", 1);
	refused(&t, "record 3 at byte");
	refused(&t, "type 9 is not known here, and has to be");
	copy(&t, 3);
	add(&t, 0, 3, "a", 1);
	refused(&t, "flags 0x3");
	copy(&t, 3);
	add(&t, 0x7777, 0, "a", 1);
	add(&t, 0, 0, "", 0);
	refused(&t, "record 5 at byte");	/* they were passed over */
	/* a bound that is passed is seen by the head alone */
	copy(&t, 5);
	memcpy(t.data + t.n, &h, sizeof(h));
	t.n += sizeof(h);
	refused(&t, "4294967295 bytes, and 17 to");
	h.type = 0x7777;
	h.flags = 0;
	h.bytes = PV_RECORD_MAX + 1;
	copy(&t, 5);
	memcpy(t.data + t.n, &h, sizeof(h));
	t.n += sizeof(h);
	refused(&t, "2097153 bytes, and 2097152 are the most");
	/* the end counts */
	for (at = 0; at <= sizeof(end); at++) {
		struct sha256_ctx sha;

		copy(&t, 5);
		add(&t, 0x7777, 0, "abc", 3);
		add(&t, PV_CONTEXT, 1, &(struct pv_context[2]){ { 1, 0 } }, 16);
		end = (struct pv_end){ .records = t.records, .bytes = t.n };
		sha = t.sha;
		sha256_digest(&sha, sizeof(end.sha256), end.sha256);
		if (at < sizeof(end))
			((uint8_t *)&end)[at] ^= 0x40;
		add(&t, PV_END, 1, &end, sizeof(end));
		if (at < sizeof(end))
			refused(&t, at < 24 ? "it counts" : "the SHA-256 of all heads");
	}
	ck_assert_msg(!check(t.data, t.n, &i), "%s", e.text);
	ck_assert_uint_eq(i.passed_over, 1);
	ck_assert_uint_eq(i.pages, 0);
	parvus_stream_free(&i);
}
END_TEST

START_TEST(headers)
{
	static const struct { const char *data; size_t n; const char *text; } bad[] = {
		{ "", 0, "holds no saved domain: its 0 bytes" },
		{ "\x7f" "ELF", 4, "holds no saved domain: its 4 bytes begin with 7f 45 4c 46" },
		{ PV_STREAM_MAGIC "\1\0\0\0\0\x10\0", 15, "15 bytes, which are not even" },
		{ PV_STREAM_MAGIC "\2\0\0\0\0\x10\0\0", 16, "version 2 of the format, and 1 is" },
		{ PV_STREAM_MAGIC "\1\0\0\0\0\x20\0\0", 16, "pages of 8192 bytes, and 4096 are" },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_int_eq(check(bad[i].data, bad[i].n, NULL), -EINVAL);
		ck_assert_msg(strstr(e.text, bad[i].text), "%s", e.text);
	}
}
END_TEST

/* What is out of bounds is refused while the rest of it has not come, and may never come. */
START_TEST(not_waited_for)
{
	struct pv_record_head h = { .type = PV_CONFIG, .flags = 1, .bytes = PV_CONFIG_BYTES + 1 };
	struct parvus_stream_info i;
	int p[2];

	ck_assert(!pipe(p));
	ck_assert(write(p[1], good, start[1]) == (ssize_t)start[1]);
	ck_assert(write(p[1], &h, sizeof(h)) == sizeof(h));
	ck_assert_int_eq(parvus_stream_check(&e, "f", p[0], NULL, NULL, &i), -EINVAL);
	ck_assert_msg(strstr(e.text, "1048577 bytes, and 1 to 1048576"), "%s", e.text);
	close(p[0]);
	close(p[1]);
}
END_TEST

static int stop_at;
static int stop(void *arg, uint64_t done, uint64_t total)
{
	ck_assert(arg == &stop_at && done <= bytes && total == bytes);
	return !stop_at--;
}

START_TEST(progress)
{
	struct parvus_stream_info i;
	int fd = file_of(good, bytes);

	stop_at = 3;
	ck_assert_int_eq(parvus_stream_check(&e, "f", fd, stop, &stop_at, &i), -ECANCELED);
	ck_assert(!i.config);
	ck_assert_int_eq(stop_at, -1);
	close(fd);
	/* what cannot be read */
	fd = open("/", O_RDONLY);
	ck_assert_int_eq(parvus_stream_check(&e, "/", fd, NULL, NULL, &i), -EISDIR);
	ck_assert_msg(strstr(e.text, "cannot read /: Is a directory"), "%s", e.text);
	close(fd);
}
END_TEST

/* What nobody could read is not written, nor half of it. */
START_TEST(writer)
{
	int fd = memfd_create("stream", MFD_CLOEXEC), p[2];
	struct pv_stream s;
	off_t at;

	ck_assert(!pv_stream_create(&s, &e, "f", fd));
	at = lseek(fd, 0, SEEK_CUR);
	ck_assert_int_eq(pv_stream_write(&s, PV_CONFIG, "a", 1, NULL, 0), -EINVAL);
	ck_assert_int_eq(pv_stream_write(&s, PV_HOST, "a", 1, NULL, 0), -EINVAL);
	ck_assert_int_eq(pv_stream_write(&s, PV_GFNMAP, page, 16, page, PV_RECORD_MAX), -EINVAL);
	ck_assert_int_eq(pv_stream_write(&s, PV_GFNMAP, page, SIZE_MAX, page, 16), -EINVAL);
	ck_assert_int_eq(pv_stream_write_pages(&s, 0, 0, page, 0), -EINVAL);
	ck_assert_int_eq(pv_stream_write_pages(&s, 0, 257, page, 0), -EINVAL);
	ck_assert_int_eq(pv_stream_write_pages(&s, 0, 1, page, 3), -EINVAL);
	ck_assert_int_eq(pv_stream_write_end(&s), -EINVAL);
	ck_assert(lseek(fd, 0, SEEK_CUR) == at);
	pv_stream_end(&s);
	close(fd);
	fd = open("/dev/full", O_WRONLY);
	ck_assert_int_eq(pv_stream_create(&s, &e, "/dev/full", fd), -ENOSPC);
	ck_assert_str_eq(e.text, "cannot write /dev/full: No space left on device");
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	ck_assert(!pipe(p));
	close(p[0]);
	ck_assert_int_eq(pv_stream_create(&s, &e, "pipe", p[1]), -EPIPE);
	close(p[1]);
}
END_TEST

/* Pages that do not get smaller go as they are. */
START_TEST(dense)
{
	static uint8_t noise[2 * PAGE];
	uint64_t x = 88172645463325252ull;
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct pv_stream s;
	size_t i;

	for (i = 0; i < sizeof(noise); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		noise[i] = (uint8_t)(x >> 32);
	}
	ck_assert(write(fd, good, start[5]) == (ssize_t)start[5]);
	ck_assert(!lseek(fd, 0, SEEK_SET));
	ck_assert(!pv_stream_open(&s, &e, "f", fd));
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(pv_stream_read(&s, &(struct pv_record){ 0 }), 1);
	ck_assert_msg(!pv_stream_write_pages(&s, 2, 2, noise, 19), "%s", e.text);
	ck_assert_uint_eq(s.packed, 2 * PAGE);
	pv_stream_end(&s);
	close(fd);
}
END_TEST

int main(void)
{
	char dir[] = "/tmp/parvus-unit.XXXXXX", command[64];
	Suite *s = suite_create("stream");
	TCase *c = tcase_create("stream");
	SRunner *r;
	int failed;

	if (!mkdtemp(dir))
		return 99;
	setenv("PARVUS_FAKE", dir, 1);
	tcase_set_timeout(c, 100);
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, sums);
	tcase_add_loop_test(c, whole, 0, 2);
	tcase_add_test(c, info);
	tcase_add_test(c, cut);
	tcase_add_test(c, flipped);
	tcase_add_test(c, moved);
	tcase_add_test(c, lies_of_host);
	tcase_add_test(c, lies_of_size);
	tcase_add_test(c, lies_of_map);
	tcase_add_test(c, long_map);
	tcase_add_test(c, lies_of_pages);
	tcase_add_test(c, lies_of_records);
	tcase_add_test(c, headers);
	tcase_add_test(c, not_waited_for);
	tcase_add_test(c, progress);
	tcase_add_test(c, writer);
	tcase_add_test(c, dense);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || failed;
}
