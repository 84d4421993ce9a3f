// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: build a domain. Memory of a domain U, from the top of what is below 1 GiB:
 * ramdisk, command line, start info, console page. The kernel is where its segments say.
 * Memory is only promised: a frame comes with the first byte that is put there. So a domain
 * that may grow has all of maxmem in its map; the target tells its balloon to give back, untouched,
 * what is above memory.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <parvus/console.h>
#include <parvus/ring_ops.h>
#include <parvus/start.h>

#define LOW_END		0xa0000ull	/* usable are [0, 640K) and [1M, memory) */
#define HIGH_START	0x100000ull
#define TOP		(1ull << 30)
#define CMDLINE_MAX	2048u		/* COMMAND_LINE_SIZE of Linux on x86 */
#define EXTRA_GFNS	1024u		/* room to map grants of others: 8 KiB of table */
#define PIECE		(1ull << 20)	/* copied between two calls of progress */

struct job {
	struct parvus *h;
	struct parvus_build *b;
	const char *cmdline;	/* the kernel's, without what is added here; NULL = none */
	uint64_t done, total;
};

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static int put(struct job *j, uint64_t gpa, const void *data, uint64_t bytes)
{
	uint64_t at, n;
	int ret;

	for (at = 0; at < bytes; at += n) {
		n = bytes - at < PIECE ? bytes - at : PIECE;
		ret = parvus_domain_write(j->h, j->b->domain, gpa + at, (const char *)data + at, n);
		if (ret)
			return ret;
		j->done += n;
		if (j->b->progress && j->b->progress(j->b->progress_arg, j->done, j->total))
			return pv_fail(j->h->error, ECANCELED, "stopped");
	}
	return 0;
}

/* What the hypervisor keeps for a domain beside its RAM: its shadow pool and tables. */
static uint64_t overhead(uint64_t frames, uint32_t vcpus)
{
	uint64_t pool = 128 + 64ull * vcpus;

	if (pool < frames / 100)
		pool = frames / 100;
	return pool + (frames + EXTRA_GFNS) / 512 + 32;
}

int pv_room(struct parvus *h, const struct parvus_config *c,
	    const struct parvus_control_machine *m, uint64_t frames, uint32_t vcpus)
{
	uint64_t want = frames + overhead(frames, vcpus), have;

	have = m->frames_free > m->frames_claimed ? m->frames_free - m->frames_claimed : 0;
	if (want <= have || c->overcommit)
		return 0;
	return pv_fail(h->error, ENOMEM, "%s: %llu MiB with what the hypervisor needs for it, but "
		       "%llu MiB are free and not promised (overcommit=1 to do it all the same)",
		       c->name, (unsigned long long)(want + 255) >> 8,
		       (unsigned long long)have >> 8);
}

/* Name, number and memory, under the lock: others see the name and the promise. */
static int reserve(struct parvus *h, const struct parvus_config *c,
		   const struct parvus_control_machine *m, struct parvus_build *b)
{
	struct parvus_control_create cc = {
		.vcpus = c->maxvcpus,
		.max_frames = c->maxmem << 8,
		.extra_gfns = EXTRA_GFNS,
		.weight = c->weight,
		.cap = c->cap,
	};
	struct parvus_control_machine now = *m;
	int lock, ret;

	lock = pv_lock(h);
	if (lock < 0)
		return lock;
	ret = pv_name_free(h, c->name, PARVUS_DOMAIN_SELF);
	if (ret)
		goto out;
	ret = parvus_machine(h, &now);
	if (ret)
		goto out;
	cc.flags = c->overcommit ? 0 : PARVUS_CREATE_CLAIM;
	ret = pv_room(h, c, &now, cc.max_frames, cc.vcpus);
	if (ret)
		goto out;
	parvus_label(c->name, cc.name);
	ret = parvus_domain_create(h, &cc);
	if (ret)
		goto out;
	b->domain = cc.domain;
	ret = parvus_domain_populate(h, b->domain, 0, cc.max_frames, 0);
	if (ret) {
		struct parvus_error why = *h->error;

		parvus_domain_destroy(h, b->domain);
		*h->error = why;
	}
out:
	pv_unlock(lock);
	return ret;
}

/* Where what the builder adds to the kernel lies, from the top down. */
struct layout {
	uint64_t initrd, initrd_bytes, cmdline, info, console;
};

static struct layout layout(const struct parvus_config *c, uint64_t initrd_bytes)
{
	uint64_t memory = c->memory << 20, top = memory < TOP ? memory : TOP;
	struct layout l = { .initrd_bytes = initrd_bytes };

	l.initrd = (top - initrd_bytes) & ~(PAGE - 1);
	l.cmdline = l.initrd - PAGE;
	l.info = l.cmdline - round_up(sizeof(struct parvus_start_info), PAGE);
	l.console = l.info - PAGE;
	return l;
}

/* The kernel, the ramdisk, and the archive behind it. */
static int put_files(struct job *j, const struct layout *l, const struct parvus_image *image,
		     const void *ramdisk, uint64_t ramdisk_bytes)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < image->nsegments; i++)
		ret = put(j, image->segments[i].gpa, image->segments[i].data,
			  image->segments[i].bytes);
	if (!ret)
		ret = put(j, l->initrd, ramdisk, ramdisk_bytes);
	if (!ret)
		ret = put(j, l->initrd + round_up(ramdisk_bytes, 4), j->b->extra,
			  j->b->extra_bytes);
	return ret;
}

static int put_cmdline(struct job *j, const struct layout *l, const struct parvus_config *c)
{
	bool fewer = c->vcpus < c->maxvcpus;
	char text[CMDLINE_MAX];
	int n;

	/* vCPUs that are there but not wanted yet stay off until the guest takes them */
	n = snprintf(text, sizeof(text), fewer ? "%s%smaxcpus=%u" : "%s%s",
		     j->cmdline ? j->cmdline : "", j->cmdline && fewer ? " " : "", c->vcpus);
	if (n < 0 || (size_t)n >= sizeof(text))
		return pv_fail(j->h->error, E2BIG,
			       "%s: the kernel's command line is longer than %u bytes",
			       c->name, CMDLINE_MAX - 1);
	return parvus_domain_write(j->h, j->b->domain, l->cmdline, text, (uint64_t)n + 1);
}

/* A page with two empty rings, for domain 0 to map, and the port of its events. */
static int put_console(struct job *j, const struct layout *l)
{
	struct parvus_console_page fresh = { .columns = 0 };
	struct parvus_build *b = j->b;
	int ret;

	parvus_ring_format(&fresh.in);
	parvus_ring_format(&fresh.out);
	ret = parvus_domain_write(j->h, b->domain, l->console, &fresh, sizeof(fresh));
	if (!ret)
		ret = parvus_domain_offer(j->h, b->domain, 0, l->console / PAGE, 0,
					  &b->console_ref);
	if (!ret)
		ret = parvus_domain_port(j->h, b->domain, 0, &b->console_port);
	return ret;
}

/*
 * The start info of a domain U (parvus/start.h), written here and nowhere else; the hypervisor's
 * builder writes that of domain 0 and of domains that a bundle brings.
 */
static int put_start_info(struct job *j, const struct layout *l, const struct parvus_config *c,
			  const struct parvus_control_machine *m)
{
	struct parvus_start_info si = {
		.magic = PARVUS_START_MAGIC,
		.size = sizeof(si),
		.version = PARVUS_ABI_VERSION,
		.domain = j->b->domain,
		.vcpus = c->maxvcpus,
		.flags = m->flags & PARVUS_START_DEBUG,
		.cmdline = l->cmdline,
		.initrd = l->initrd_bytes ? l->initrd : 0,
		.initrd_size = l->initrd_bytes,
		.ram_size = c->maxmem << 20,
		.max_gfn = (c->maxmem << 8) + EXTRA_GFNS,
		.tsc_khz = m->tsc_khz,
		.wall_sec = m->wall_sec,
		.console_gpa = l->console,
		.console_port = j->b->console_port,
		.memory_ranges = 3,
	};

	memcpy(si.features, m->features, sizeof(si.features));
	if (getrandom(si.generation_id, sizeof(si.generation_id), 0) != sizeof(si.generation_id))
		return pv_fail(j->h->error, errno, "no random numbers: %s", strerror(errno));
	si.memory[0] = (struct parvus_memory_range){ .start = 0, .size = LOW_END, .type = 1 };
	si.memory[1] = (struct parvus_memory_range){
		.start = LOW_END, .size = HIGH_START - LOW_END, .type = 2 };
	si.memory[2] = (struct parvus_memory_range){
		.start = HIGH_START, .size = si.ram_size - HIGH_START, .type = 1 };
	return parvus_domain_write(j->h, j->b->domain, l->info, &si, sizeof(si));
}

static int pin(struct job *j, const struct parvus_config *c, uint32_t cpus)
{
	static const struct parvus_cpus none;
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < c->maxvcpus; i++) {
		struct parvus_cpus set = c->affinity[i];

		if (!memcmp(&set, &none, sizeof(set)))
			continue;
		if (!parvus_cpus_keep(&set, cpus))
			return pv_fail(j->h->error, EINVAL,
				       "%s: cpus: none of them is there (the machine has %u)",
				       c->name, cpus);
		ret = parvus_vcpu_pin(j->h, j->b->domain, i, &set);
	}
	return ret;
}

/* All that is in a domain when it starts, which it then may. */
static int fill(struct job *j, const struct parvus_config *c, const struct parvus_image *image,
		const struct parvus_control_machine *m, const void *ramdisk, uint64_t ramdisk_bytes)
{
	uint64_t extra = j->b->extra_bytes;
	uint32_t domain = j->b->domain;
	const struct layout l = layout(c, extra ? round_up(ramdisk_bytes,
							   4) + extra : ramdisk_bytes);
	int ret;

	ret = put_files(j, &l, image, ramdisk, ramdisk_bytes);
	if (!ret)
		ret = put_cmdline(j, &l, c);
	if (!ret)
		ret = put_console(j, &l);
	if (!ret)
		ret = put_start_info(j, &l, c, m);
	if (!ret && c->maxmem > c->memory)
		ret = parvus_domain_memory(j->h, domain, PARVUS_MEMORY_SET_TARGET, 0,
					   c->memory << 8);
	if (!ret && c->maxvcpus > c->vcpus)
		ret = parvus_domain_vcpus(j->h, domain, c->vcpus);
	if (!ret)
		ret = pin(j, c, m->cpus);
	return ret ? ret : parvus_domain_start(j->h, domain, image->entry, image->root,
					       l.info);
}

/* Do kernel and ramdisk fit, before anything is made? */
static int fits(struct parvus *h, const struct parvus_config *c, const char *kernel,
		const struct parvus_image *image, uint64_t initrd_bytes)
{
	uint64_t memory = c->memory << 20, top = memory < TOP ? memory : TOP;
	uint64_t pages = 2 * PAGE + round_up(sizeof(struct parvus_start_info), PAGE);
	size_t i;

	if (memory < 2 * HIGH_START || initrd_bytes > top || pages + PAGE > top - initrd_bytes ||
	    image->high > ((top - initrd_bytes) & ~(PAGE - 1)) - pages)
		return pv_fail(h->error, ENOMEM,
			       "%s: kernel (up to %llu MiB) and ramdisk (%llu MiB) do not fit into "
			       "%llu MiB of memory",
			       c->name, (unsigned long long)(image->high >> 20),
			       (unsigned long long)(initrd_bytes >> 20),
			       (unsigned long long)c->memory);
	for (i = 0; i < image->nsegments; i++) {
		const struct parvus_segment *s = &image->segments[i];

		if (s->gpa < HIGH_START && s->gpa + s->memory > LOW_END)
			return pv_fail(h->error, EINVAL,
				       "%s: a segment lies between 640 KiB and 1 MiB, which is "
				       "reserved in a domain",
				       kernel);
	}
	return 0;
}

/* What a domain is made of, as far as it is there before the domain. */
struct parts {
	struct parvus_control_machine m;
	struct parvus_image *image;
	void *ramdisk;
	size_t ramdisk_bytes;
	char *cmdline;
	char name[200];		/* of the kernel, for messages */
};

static void parts_free(struct parts *p)
{
	free(p->ramdisk);
	free(p->cmdline);
	parvus_image_free(p->image);
}

static int join_cmdline(struct parvus *h, struct parts *p, const char *first, const char *second)
{
	const char *blank = first && *first && second && *second ? " " : "";

	if (asprintf(&p->cmdline, "%s%s%s", first ? first : "", blank, second ? second : "") < 0) {
		p->cmdline = NULL;
		return pv_fail(h->error, ENOMEM, "no memory");
	}
	return 0;
}

/*
 * The guest's own kernel, its ramdisk, its arguments and then those of the configuration. With none
 * that is for this hypervisor it is the packaged one, and @told has the reason.
 */
static int parts_of_guest(struct parvus *h, const struct parvus_config *c, struct parts *p,
			  char told[PARVUS_TOLD])
{
	struct pv_guest_boot b;
	struct parvus_error e;
	char why[PARVUS_TOLD];
	int ret = pv_guest_boot(h, c, &b, why);

	if (!ret) {
		snprintf(p->name, sizeof(p->name), "%s of its disk", b.title);
		ret = parvus_image_parse(&e, p->name, b.kernel, b.kernel_bytes, &p->image);
		if (ret)
			snprintf(why, sizeof(why), "%.400s", e.text);
	}
	if (ret) {
		pv_guest_boot_free(&b);
		if (told)
			snprintf(told, PARVUS_TOLD,
				 "%.60s: bootloader: %.300s; the kernel is %.100s", c->name, why,
				 c->kernel);
		return 1;
	}
	p->ramdisk_bytes = b.ramdisk_bytes;
	p->ramdisk = b.ramdisk;
	b.ramdisk = NULL;
	ret = join_cmdline(h, p, b.args, c->cmdline);
	if (told)
		snprintf(told, PARVUS_TOLD, "%.60s: the kernel is %.127s, of %.200s", c->name,
			 b.title, c->disks[0].target);
	pv_guest_boot_free(&b);
	return ret;
}

/* After a failure, too, they are to be freed. */
static int parts_load(struct parvus *h, const struct parvus_config *c, size_t extra_bytes,
		      struct parts *p, char told[PARVUS_TOLD])
{
	int ret;

	memset(p, 0, sizeof(*p));
	ret = c->bootloader ? parts_of_guest(h, c, p, told) : 1;
	if (ret > 0) {
		snprintf(p->name, sizeof(p->name), "%s", c->kernel);
		ret = parvus_image_load(h->error, c->kernel, &p->image);
		if (!ret && c->ramdisk)
			ret = pv_read_file(h->error, c->ramdisk, PARVUS_IMAGE_MAX, &p->ramdisk,
					   &p->ramdisk_bytes);
		if (!ret && c->cmdline)
			ret = join_cmdline(h, p, c->cmdline, NULL);
	}
	if (!ret)
		ret = parvus_machine(h, &p->m);
	if (!ret && p->image->features_required & ~p->m.features[0])
		ret = pv_fail(h->error, ENOTSUP,
			      "%s: needs features that this hypervisor does not offer here",
			      p->name);
	return ret ? ret : fits(h, c, p->name, p->image,
			       round_up(p->ramdisk_bytes, 4) + extra_bytes);
}

int pv_build_check(struct parvus *h, const struct parvus_config *c)
{
	struct parts p;
	int ret;

	ret = parts_load(h, c, 0, &p, NULL);
	parts_free(&p);
	return ret;
}

int parvus_build(struct parvus *h, const struct parvus_config *c, struct parvus_build *b)
{
	struct job j = { .h = h, .b = b };
	struct parts p;
	size_t i;
	int ret;

	b->domain = PARVUS_DOMAIN_SELF;
	b->told[0] = 0;
	ret = parts_load(h, c, b->extra_bytes, &p, b->told);
	if (ret)
		goto out;
	j.cmdline = p.cmdline;
	j.total = p.ramdisk_bytes + b->extra_bytes;
	for (i = 0; i < p.image->nsegments; i++)
		j.total += p.image->segments[i].bytes;
	ret = reserve(h, c, &p.m, b);
	if (ret)
		goto out;
	ret = c->cpuid ? pv_cpuid_apply(h, b->domain, c->cpuid) : 0;
	if (!ret)
		ret = fill(&j, c, p.image, &p.m, p.ramdisk, p.ramdisk_bytes);
	if (ret) {
		struct parvus_error why = *h->error;

		parvus_domain_destroy(h, b->domain);
		*h->error = why;
	}
out:
	parts_free(&p);
	return ret;
}
