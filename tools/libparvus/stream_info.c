// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: what the stream of a saved domain says, once all of it has been read and is right. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

static int keep_config(struct parvus_error *e, struct parvus_stream_info *i,
		       const struct pv_record *r)
{
	i->config = malloc(r->bytes + 1);
	if (!i->config)
		return pv_fail(e, ENOMEM, "no memory for a configuration of %u bytes", r->bytes);
	memcpy(i->config, r->body, r->bytes);
	i->config[r->bytes] = 0;
	i->config_bytes = r->bytes;
	return 0;
}

static void fill(struct parvus_stream_info *i, const struct pv_stream *s)
{
	struct pv_end end;

	i->version = PV_STREAM_VERSION;
	i->abi = s->host.abi;
	i->gfns = s->size.gfns;
	i->ram_frames = s->size.ram_frames;
	i->max_frames = s->size.max_frames;
	i->target_frames = s->size.target_frames;
	i->vcpus = s->size.vcpus;
	i->frames = s->frames;
	i->demand = s->demand;
	i->pages = s->pages;
	i->page_bytes = s->packed;
	i->console_bytes = s->console;
	i->contexts = s->contexts;
	i->passed_over = s->unknown;
	pv_stream_totals(s, &end);
	i->records = end.records;
	i->bytes = end.bytes;
}

int parvus_stream_check(struct parvus_error *e, const char *name, int fd,
			parvus_progress *progress, void *arg, struct parvus_stream_info *i)
{
	uint64_t total = 0;
	struct pv_stream s;
	struct pv_record r;
	struct stat st;
	int ret;

	memset(i, 0, sizeof(*i));
	ret = pv_stream_open(&s, e, name, fd);
	if (ret)
		return ret;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		total = (uint64_t)st.st_size;
	while ((ret = pv_stream_read(&s, &r)) > 0) {
		if (r.type == PV_CONFIG)
			ret = keep_config(e, i, &r);
		if (r.type == PV_END)
			memcpy(i->sha256, ((const struct pv_end *)r.body)->sha256,
			       sizeof(i->sha256));
		if (ret < 0)
			break;
		if (progress && progress(arg, s.at, total)) {
			ret = pv_fail(e, ECANCELED, "%s: stopped at byte %llu", name,
				      (unsigned long long)s.at);
			break;
		}
	}
	if (!ret)
		ret = pv_stream_over(&s);
	if (!ret)
		fill(i, &s);
	else
		parvus_stream_free(i);
	pv_stream_end(&s);
	return ret;
}

void parvus_stream_free(struct parvus_stream_info *i)
{
	free(i->config);
	memset(i, 0, sizeof(*i));
}
