// SPDX-License-Identifier: GPL-2.0-only
/*
 * Building domains at boot from the bundle: memory, the kernel, start info, command
 * line and initrd, then the first vCPU.
 */
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/pv.h>
#include <hv/bundle.h>
#include <hv/elf.h>
#include <hv/lib.h>
#include <hv/log.h>
#include <hv/platform.h>
#include <hv/sched.h>

#define LOW_END		0xa0000ull	/* usable are [0, 640K) and [1M, mem) */
#define HIGH_START	0x100000ull

u64 features_word0(void)
{
	return PARVUS_FEATURE_PREFILL | (tsc_stable ? PARVUS_FEATURE_CLOCK_STABLE : 0) |
	       PARVUS_FEATURE_RETPOLINE;
}

static int copy_in(void *arg, u64 gpa, const void *from, u64 bytes)
{
	/* fresh memory is zero already, and segments do not overlap what was loaded */
	return from ? guest_write(arg, gpa, from, bytes) : 0;
}

/* Kernels look for firmware tables below 1 MiB: they find memory there, and zeroes. */
static void memory_map(struct parvus_start_info *si, u64 mem)
{
	si->memory[0].start = 0;
	si->memory[0].size = LOW_END;
	si->memory[0].type = 1;
	si->memory[1].start = LOW_END;
	si->memory[1].size = HIGH_START - LOW_END;
	si->memory[1].type = 2;
	si->memory[2].start = HIGH_START;
	si->memory[2].size = mem - HIGH_START;
	si->memory[2].type = 1;
	si->memory_ranges = 3;
}

/* NULL, or why it cannot be. Nothing is left behind then. */
static const char *build(const struct bundle_domain *b, const void *archive, u64 size)
{
	struct parvus_start_info si;
	struct bundle_file kernel, initrd = { NULL, 0 };
	struct elf_image elf;
	struct domain *d;
	struct vcpu *v;
	const char *error;
	u64 top, info, pages;
	unsigned int i;

	if (!bundle_find(archive, size, b->kernel, &kernel))
		return "no such kernel in the bundle";
	if (b->initrd[0] && !bundle_find(archive, size, b->initrd, &initrd))
		return "no such initrd in the bundle";
	error = elf_parse(kernel.data, kernel.size, &elf);
	if (error)
		return error;
	if (elf.note.features_required & ~features_word0())
		return "needs features that this hypervisor does not offer here";
	/* start info and command line below the initrd, which ends at the top of low memory */
	top = ROUND_DOWN(min(b->mem, GIB(1)) - initrd.size, PAGE_SIZE);
	pages = ROUND_UP(sizeof(si), PAGE_SIZE) + ROUND_UP((u64)MAX_CMDLINE, PAGE_SIZE);
	if (initrd.size + pages > b->mem || elf.high > top - pages ||
	    (elf.low < HIGH_START && elf.high > LOW_END))
		return "kernel and initrd do not fit in its memory";
	info = top - pages;
	d = domain_create(b->name, b->mem >> PAGE_SHIFT, b->vcpus);
	if (!d)
		return "no memory for it, or too many domains";
	d->control = b->control;
	d->weight = b->weight;
	for (i = 0; i < b->vcpus; i++)
		sched_set_weight(d->vcpus[i], b->weight);
	error = "not enough memory";
	if (domain_populate(d, _gfn(0), b->mem >> PAGE_SHIFT))
		goto fail;
	error = "its kernel does not fit in its memory";
	if (elf_load(&elf, copy_in, d))
		goto fail;

	memset(&si, 0, sizeof(si));
	si.magic = PARVUS_START_MAGIC;
	si.size = sizeof(si);
	si.version = PARVUS_ABI_VERSION;
	si.domain = d->id;
	si.vcpus = b->vcpus;
	si.flags = (b->control ? PARVUS_START_CONTROL : 0) | (debug_enabled ? PARVUS_START_DEBUG : 0);
	si.features[0] = features_word0();
	si.cmdline = info + ROUND_UP(sizeof(si), PAGE_SIZE);
	si.initrd = initrd.size ? top : 0;
	si.initrd_size = initrd.size;
	si.ram_size = d->frames << PAGE_SHIFT;
	si.max_gfn = d->max_gfn;
	si.tsc_khz = tsc_khz;
	si.wall_sec = wall_sec;
	si.generation_id[0] = rdtsc() * 0x9e3779b97f4a7c15ull;
	si.generation_id[1] = (rdtsc() ^ wall_sec << 32) * 0xbf58476d1ce4e5b9ull;
	memory_map(&si, b->mem);
	if (guest_write(d, info, &si, sizeof(si)) ||
	    guest_write(d, si.cmdline, b->cmdline, sizeof(b->cmdline)) ||
	    (initrd.size && guest_write(d, top, initrd.data, initrd.size)))
		goto fail;

	v = d->vcpus[0];
	sched_start(v);
	vcpu_reset(v, elf.note.entry, 0, elf.note.root);
	v->regs.rsi = info;
	console_domain_new(d);
	WRITE_ONCE(d->state, DOMAIN_RUNNING);
	d->alive_vcpus = 1;
	sched_started(v);
	log_info("d%u %s: %lu MiB, %u vCPU%s, kernel %s", d->id, d->name,
		 (unsigned long)(b->mem >> 20), b->vcpus, b->vcpus > 1 ? "s" : "", b->kernel);
	return NULL;
fail:
	d->shutdown_reason = PARVUS_SHUTDOWN_KILLED;
	d->shutdown_status = 255;
	hv_snprintf(d->kill_reason, sizeof(d->kill_reason), "not built: %s", error);
	domain_destroy(d);
	return error;
}

/* Build all domains of a manifest, then start them. Returns how many. */
static unsigned int build_bundle(const void *archive, u64 size)
{
	static struct bundle_domain b;
	struct bundle_file manifest;
	const char *at, *end, *eol, *error;
	unsigned int n = 0, i;

	if (!bundle_find(archive, size, "manifest", &manifest)) {
		log_err("boot: a module is not a bundle with a manifest");
		return 0;
	}
	at = (const char *)manifest.data;
	end = at + manifest.size;
	for (; at < end; at = eol + 1) {
		int kind;

		for (eol = at; eol < end && *eol != '\n'; eol++)
			;
		kind = manifest_line(at, (size_t)(eol - at), &b, &error);
		if (!kind)
			continue;
		if (kind > 0)
			error = build(&b, archive, size);
		if (error && kind)
			log_err("boot: domain %s: %s", b.name[0] ? b.name : "?", error);
		else
			n++;
		error = NULL;
	}
	for (i = 0; i < MAX_DOMAINS; i++)
		if (domains[i])
			vcpu_kick(domains[i]->vcpus[0]);
	return n;
}

unsigned int build_domains(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < boot_info.modules; i++)
		n += build_bundle(phys_to_virt(boot_info.module[i].start),
				  boot_info.module[i].end - boot_info.module[i].start);
	return n;
}
