// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream of a saved domain (rule 75): read whole, or refused with one line that says what and
 * where. The first byte says what follows: 0, the stream as it is; else records without a header,
 * each with type, flags and length of two bytes, whose sums are made right, so that what is checked
 * behind the sums is come by. An END without a body is one that counts right.
 */
#include "lib/fuzz.h"
#include "stream.h"

#include <sys/mman.h>
#include <unistd.h>

static int file = -1;

static void put(const void *data, size_t bytes)
{
	FUZZ_CHECK(write(file, data, bytes) == (ssize_t)bytes);
}

static void put_record(struct pv_record_head *h, const uint8_t *body, struct sha256_ctx *sha)
{
	h->crc = pv_record_crc(h, body);
	put(h, sizeof(*h));
	put(body, h->bytes);
	sha256_update(sha, sizeof(*h), (const uint8_t *)h);
}

static void make_records(struct fuzz_input *in)
{
	static uint8_t body[65536];
	uint64_t records = 0, pages = 0;
	struct pv_stream_head head;
	struct sha256_ctx sha;

	pv_stream_header(&head);
	put(&head, sizeof(head));
	sha256_init(&sha);
	sha256_update(&sha, sizeof(head), (const uint8_t *)&head);
	while (in->at < in->end) {
		struct pv_record_head h = { .type = (uint16_t)(fuzz_u8(in) | fuzz_u8(in) << 8) };
		struct pv_end end = { .records = records++, .pages = pages };

		h.flags = (uint16_t)(fuzz_u8(in) | fuzz_u8(in) << 8);
		h.bytes = fuzz_u8(in);
		h.bytes |= (uint32_t)fuzz_u8(in) << 8;
		if (h.type == PV_END && !h.bytes) {
			struct sha256_ctx copy = sha;

			end.bytes = (uint64_t)lseek(file, 0, SEEK_CUR);
			sha256_digest(&copy, sizeof(end.sha256), end.sha256);
			h.bytes = sizeof(end);
			put_record(&h, (const uint8_t *)&end, &sha);
			continue;
		}
		fuzz_fill(in, body, h.bytes);
		if (h.type == PV_PAGES && h.bytes >= sizeof(struct pv_pages))
			pages += ((const struct pv_pages *)(const void *)body)->count;
		put_record(&h, body, &sha);
	}
}

/* Record by record, with what holds of each; the same result as of all at once. */
static int read_records(struct parvus_error *e)
{
	uint64_t touched = 0;
	struct pv_stream s;
	struct pv_record r;
	struct pv_pages p;
	uint32_t i;
	int ret;

	ret = pv_stream_open(&s, e, "f", file);
	if (ret)
		return ret;
	while ((ret = pv_stream_read(&s, &r)) > 0) {
		FUZZ_CHECK(r.type && r.type < PV_RECORD_TYPES && r.bytes <= PV_RECORD_MAX);
		FUZZ_CHECK(s.frames + s.demand <= s.size.ram_frames);
		FUZZ_CHECK(s.nruns <= PV_RUNS_MAX && s.size.ram_frames <= s.size.gfns);
		if (r.type != PV_PAGES)
			continue;
		memcpy(&p, r.body, sizeof(p));
		FUZZ_CHECK(p.count && p.count <= PV_PAGES_MAX && r.pages);
		for (i = 0; i < p.count * PAGE; i += 64)
			touched += r.pages[i];
		for (i = 0; i < p.count; i++)
			FUZZ_CHECK(pv_stream_framed(&s, p.gfn + i, 1));
	}
	FUZZ_CHECK(touched != 1ull << 63);
	if (!ret)
		ret = pv_stream_over(&s);
	pv_stream_end(&s);
	return ret;
}

void fuzz_one(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { .at = data, .end = data + bytes };
	struct parvus_error e = { 0 };
	struct parvus_stream_info i;
	int ret, again;

	if (file < 0)
		file = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_CHECK(file >= 0 && !ftruncate(file, 0) && !lseek(file, 0, SEEK_SET));
	if (fuzz_u8(&in))
		make_records(&in);
	else if (bytes)
		put(in.at, (size_t)(in.end - in.at));
	FUZZ_CHECK(!lseek(file, 0, SEEK_SET));
	ret = read_records(&e);
	if (ret)
		FUZZ_CHECK(ret < 0 && memchr(e.text, 0, sizeof(e.text)) && e.text[0] == 'f' &&
			   !strchr(e.text, '\n'));
	FUZZ_CHECK(!lseek(file, 0, SEEK_SET));
	again = parvus_stream_check(&e, "f", file, NULL, NULL, &i);
	FUZZ_CHECK(again == ret);
	if (!again) {
		FUZZ_CHECK(i.config && strlen(i.config) == i.config_bytes);
		parvus_stream_free(&i);
	}
}

FUZZ_TARGET()
