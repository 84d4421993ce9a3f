// SPDX-License-Identifier: GPL-2.0-only
/* Building domains at boot from the bundle: memory, kernel, start info, initrd, the first vCPU. */
#include <boot/boot.h>
#include <x86/pv.h>
#include <boot/bundle.h>
#include <core/hypercall.h>
#include <core/memory.h>
#include <core/sched.h>

#define LOW_END		0xa0000ull	/* usable are [0, 640K) and [1M, mem) */
#define HIGH_START	0x100000ull

static int copy_in(void *arg, u64 gpa, const void *from, u64 bytes)
{
	static const u8 zero[PAGE_SIZE];
	struct domain *d = arg;
	int ret = 0;

	if (from)
		return guest_write(d, gpa, from, bytes);
	/* fresh memory is zero already, but domain 0's is as the firmware left it */
	while (d->control && bytes && !ret) {
		u64 step = min(bytes, PAGE_SIZE);

		ret = guest_write(d, gpa, zero, step);
		gpa += step;
		bytes -= step;
	}
	return ret;
}

static void add_memory(struct parvus_start_info *si, u64 start, u64 end, u32 type)
{
	struct parvus_memory_range *last = &si->memory[si->memory_ranges - 1];

	if (si->memory_ranges && last->type == type && last->start + last->size == start) {
		last->size += end - start;
		return;
	}
	if (start >= end || si->memory_ranges == PARVUS_MEMORY_RANGES)
		return;
	si->memory[si->memory_ranges++] = (struct parvus_memory_range){
		.start = start, .size = end - start, .type = type };
}

/* Domain U finds memory and zeroes below 1 MiB. Domain 0: the machine's map, others' RAM taken. */
static void memory_map(struct parvus_start_info *si, struct domain *d, u64 mem,
		       const struct elf_image *elf)
{
	if (!d->control) {
		add_memory(si, 0, LOW_END, 1);
		add_memory(si, LOW_END, HIGH_START, 2);
		add_memory(si, HIGH_START, mem, 1);
		return;
	}
	for (unsigned int i = 0; i < boot_info.ranges; i++) {
		struct boot_range *r = &boot_info.range[i];
		u64 at = ROUND_UP(r->start, PAGE_SIZE), end = ROUND_DOWN(r->end, PAGE_SIZE);
		u32 other = r->type == 1 ? 2 : r->type;

		/* the first MiB is the firmware's: to be looked at, not used */
		if (r->start < HIGH_START ||
		    (r->type != 1 && (r->start >= elf->high || r->end <= elf->low))) {
			add_memory(si, r->start, r->end, other);
			continue;
		}
		for (; at < end; at += PAGE_SIZE)
			add_memory(si, at, at + PAGE_SIZE,
				   gfn_is_ram(gfn_lookup(d, _gfn(at >> PAGE_SHIFT))) ? 1 : other);
	}
}

/* Domain 0 gets RAM from 1 MiB up, where the machine has it, as far as it is free. */
static int claim_memory(struct domain *d, u64 frames)
{
	u64 n, step;

	for (n = HIGH_START >> PAGE_SHIFT; n < frame_table_count && d->frames < frames; n += step) {
		step = min(frame_table_count - n, frames - d->frames);
		if (domain_claim(d, n, step))
			return -PARVUS_ENOMEM;
	}
	return d->frames < frames ? -PARVUS_ENOMEM : 0;
}

/*
 * Domain 0's kernel is not relocated. Where the machine has firmware in its place (UEFI at
 * 8 MiB), other frames stand behind it: the one exception from gfn == mfn, which does no harm,
 * for a kernel's image is not used for DMA (Linux, core-api/dma-api-howto.rst).
 */
static int fill_image(struct domain *d, const struct elf_image *elf)
{
	for (u64 gfn = elf->low >> PAGE_SHIFT; gfn << PAGE_SHIFT < elf->high; gfn++) {
		if (gfn_is_ram(gfn_lookup(d, _gfn(gfn))))
			continue;
		d->max_frames = d->target_frames = d->frames + 1;
		if (domain_populate(d, _gfn(gfn), 1))
			return -PARVUS_ENOMEM;
	}
	d->ram_frames = d->max_frames = d->target_frames = d->frames;
	return 0;
}

static struct bundle_domain b;	/* what is built; larger than half a stack */

/* NULL, or why it cannot be. Nothing is left behind then. */
static const char *build(struct bundle_file kernel, struct bundle_file initrd)
{
	struct parvus_start_info si;
	struct elf_image elf;
	struct domain *d;
	const char *error;
	/* a copy, for a boot loader's may lie in memory that is not domain 0's */
	const void *rsdp = b.control ? acpi_rsdp() : NULL;
	u64 at, low, top, start, info, pages;
	u64 max_gfn = b.control ? frame_table_count : b.mem >> PAGE_SHIFT;

	if (b.control && control_domain())
		return "there is a control domain already";
	if (b.control) {
		b.mem = boot_dom0_mem(b.mem, frames_free_count() << PAGE_SHIFT);
		b.vcpus = boot_option_number("dom0_vcpus", 1, MAX_VCPUS, b.vcpus);
	}
	error = elf_parse(kernel.data, kernel.size, &elf);
	if (error)
		return error;
	if (elf.note.features_required & ~features_word0(NULL))
		return "needs features that this hypervisor does not offer here";
	if (elf.low < HIGH_START && elf.high > LOW_END)
		return "its kernel lies across [640K, 1M)";
	d = domain_create(b.name, max_gfn, b.mem >> PAGE_SHIFT, b.vcpus, false, 0);
	if (!d)
		return "no memory for it, or too many domains";
	d->tsc_clock = found_clock.stable;
	spin_unlock(&d->control_lock);	/* there is nobody else yet */
	if (b.control)
		domain_set_control(d);
	sched_set_weight(d, b.weight);
	if (b.cap)
		sched_set_cap(d, b.cap, arch_now_ns());
	error = "not enough memory";
	if (b.control ? claim_memory(d, b.mem >> PAGE_SHIFT) || fill_image(d, &elf) :
	    domain_populate(d, _gfn(0), b.mem >> PAGE_SHIFT))
		goto fail;
	/*
	 * start info and command line below the initrd, at the top of the largest piece of RAM
	 * that follows the kernel: firmware may leave a small one right behind it
	 */
	at = low = top = start = ROUND_UP(elf.high, PAGE_SIZE);
	for (; at < GIB(1); at += PAGE_SIZE)
		if (!gfn_is_ram(gfn_lookup(d, _gfn(at >> PAGE_SHIFT))))
			start = at + PAGE_SIZE;
		else if (at + PAGE_SIZE - start > top - low) {
			low = start;
			top = at + PAGE_SIZE;
		}
	pages = ROUND_UP(ROUND_UP(sizeof(si), 64) + RSDP_SIZE, PAGE_SIZE) +
		ROUND_UP((u64)MAX_CMDLINE, PAGE_SIZE);
	log_debug("d%u: its first frame is %lx", d->id,
		  mfn_x(gfn_entry_mfn(gfn_lookup(d, _gfn(0)))));
	error = "kernel and initrd do not fit in its memory";
	if (ROUND_UP(initrd.size, PAGE_SIZE) + pages > top - low)
		goto fail;
	top = ROUND_DOWN(top - initrd.size, PAGE_SIZE);
	info = top - pages;
	error = "its kernel does not fit in its memory";
	if (elf_load(&elf, copy_in, d))
		goto fail;

	si = (struct parvus_start_info){
		.magic = PARVUS_START_MAGIC, .size = sizeof(si), .version = PARVUS_ABI_VERSION,
		.domain = d->id, .vcpus = d->vcpu_count,
		.flags = (b.control ? PARVUS_START_CONTROL : 0) |
			 (debug_enabled ? PARVUS_START_DEBUG : 0),
		.features = { features_word0(d) },
		.cmdline = info + pages - ROUND_UP((u64)MAX_CMDLINE, PAGE_SIZE),
		.initrd = initrd.size ? top : 0, .initrd_size = initrd.size,
		.ram_size = d->frames << PAGE_SHIFT, .max_gfn = d->max_gfn,
		.tsc_khz = found_clock.tsc_khz, .wall_sec = found_clock.wall_ns / 1000000000,
		.generation_id = { d->own->generation_id[0], d->own->generation_id[1] },
		.rsdp = rsdp ? info + ROUND_UP(sizeof(si), 64) : 0,
		.screen = b.control ? firmware.screen : (struct parvus_screen){ 0 },
	};
	memory_map(&si, d, b.mem, &elf);
	if (guest_write(d, info, &si, sizeof(si)) ||
	    (rsdp && guest_write(d, si.rsdp, rsdp, RSDP_SIZE)) ||
	    guest_write(d, si.cmdline, b.cmdline, sizeof(b.cmdline)) ||
	    (initrd.size && guest_write(d, top, initrd.data, initrd.size)))
		goto fail;

	console_domain_new(d);
	error = "its entry point is not canonical";
	if (domain_start(d, elf.note.entry, elf.note.root, info))
		goto fail;
	log_info("d%u %s: %lu MiB, %u vCPU%s, kernel %s", d->id, d->name, b.mem >> 20,
		 d->vcpu_count, d->vcpu_count > 1 ? "s" : "", b.kernel);
	return NULL;
fail:
	d->shutdown_reason = PARVUS_SHUTDOWN_KILLED;
	d->shutdown_status = 255;
	hv_snprintf(d->own->kill_reason, sizeof(d->own->kill_reason), "not built: %s", error);
	domain_destroy(d);
	return error;
}

/* Build all domains of a manifest. Returns how many. */
static int build_bundle(const void *archive, u64 size)
{
	struct bundle_file manifest, kernel, initrd;
	const char *at, *end, *eol, *error = NULL;
	int kind, n = 0;

	if (!bundle_find(archive, size, "manifest", &manifest)) {
		log_err("boot: a module is not a bundle with a manifest");
		return 0;
	}
	end = (const char *)manifest.data + manifest.size;
	for (at = (const char *)manifest.data; at < end; at = eol + 1) {
		for (eol = at; eol < end && *eol != '\n'; eol++)
			;
		kind = manifest_line(at, (size_t)(eol - at), &b, &error);
		initrd.size = 0;
		if (kind > 0)
			error = !bundle_find(archive, size, b.kernel, &kernel) ?
				"no such kernel in the bundle" :
				b.initrd[0] && !bundle_find(archive, size, b.initrd, &initrd) ?
				"no such initrd in the bundle" : build(kernel, initrd);
		if (kind && error)
			log_err("boot: domain %s: %s", b.name[0] ? b.name : "?", error);
		else
			n += kind;
	}
	return n;
}

static struct bundle_file module(unsigned int i)
{
	struct boot_piece *m = &boot_info.module[i];

	return (struct bundle_file){ phys_to_virt(m->start), m->end - m->start };
}

/* Domain 0 by a boot loader's entry: its kernel with the command line, its initrd. */
static const char *build_plain(void)
{
	if (boot_info.modules > 2)
		return "there are more modules than its kernel and its initrd";
	b = (struct bundle_domain){ .name = "Domain-0", .kernel = "module", .weight = 256,
		.control = 1 };
	b.vcpus = min(cpus_online, MAX_VCPUS);
	hv_snprintf(b.cmdline, sizeof(b.cmdline), "%s", boot_first_args());
	return build(module(0), module(1));
}

unsigned int build_domains(void)
{
	struct bundle_file m = module(0), manifest;
	bool plain = boot_info.modules && !bundle_find(m.data, m.size, "manifest", &manifest);
	const char *error = plain ? build_plain() : NULL;
	unsigned int i, n = plain;
	u64 freed = (u64)(boot_end - image_start) / PAGE_SIZE;	/* boot_discard() */

	if (error)
		panic("boot: the modules are no bundles, and no domain 0: %s", error);
	for (i = 0; !plain && i < boot_info.modules; i++) {
		m = module(i);
		n += build_bundle(m.data, m.size);
	}
	freed -= frames_total_count();
	free_modules();
	freed += frames_total_count();
	for (i = 0; i < MAX_DOMAINS; i++)
		if (domains[i]) {
			domains[i]->frames_free_before += freed;
			vcpu_wake(domains[i]->vcpus[0]);
		}
	return n;
}
