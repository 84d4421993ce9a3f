// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first pages: memory before the frame allocator is there, the hypervisor's page tables
 * (x86/paging.c says what they are), and the hand-over of RAM to the frame allocator.
 */
#include <boot/boot.h>
#include <core/frame.h>
#include <core/log.h>

/* Physical: what boot_alloc() has, and where the frame table is. */
static struct { u64 next, end; struct boot_piece table; } room;

/* [start, end) must be kept: if it ends above @at and begins before *kept, it is *kept. */
static void keep(struct boot_piece *kept, u64 at, u64 start, u64 end)
{
	if (start < end && end > at && start < kept->start)
		*kept = (struct boot_piece){ start, end };
}

bool boot_free_next(struct boot_piece *p, u64 high)
{
	u64 at = p->end;

	for (;;) {
		struct boot_piece ram = { high, high }, kept = { high, high };

		for (unsigned int i = 0; i < boot_info.ranges; i++)
			if (boot_info.range[i].type == 1)
				keep(&ram, at, ROUND_UP(boot_info.range[i].start, PAGE_SIZE),
				     ROUND_DOWN(boot_info.range[i].end, PAGE_SIZE));
		at = max(at, ram.start);
		if (at >= high)
			return false;
		keep(&kept, at, virt_to_phys(image_start), virt_to_phys(image_end));
		keep(&kept, at, hv_root, room.next);	/* what boot_alloc gave */
		keep(&kept, at, room.table.start, room.table.end);
		for (unsigned int i = 0; i < boot_info.modules; i++)
			keep(&kept, at, boot_info.module[i].start, boot_info.module[i].end);
		for (unsigned int i = 0; i < boot_info.ranges; i++)	/* maps overlap */
			if (boot_info.range[i].type != 1)
				keep(&kept, at, boot_info.range[i].start, boot_info.range[i].end);
		ram.end = min(ram.end, high);
		*p = (struct boot_piece){ at, min(ram.end, ROUND_DOWN(kept.start, PAGE_SIZE)) };
		if (p->start < p->end)
			return true;
		at = ROUND_UP(kept.end, PAGE_SIZE);
	}
}

/*
 * Boot memory comes from the top of the largest free piece below 4 GiB, which the first
 * tables map: the low range is left to domain 0, whose kernel is not relocated. Modules go
 * below it, out of domain 0's way, if there is room for all of them.
 */
static void find_boot_memory(u64 bytes)
{
	struct boot_piece p = { 0, MIB(1) }, best = { 0, 0 };
	u64 modules = 0, at;

	while (boot_free_next(&p, GIB(4)))
		if (p.end - p.start > best.end - best.start)
			best = p;
	if (!best.end)
		panic("boot: no free memory below 4 GiB");
	room.end = best.end;
	room.next = best.start;
	if (best.end - best.start > bytes + MIB(2))
		room.next = ROUND_DOWN(room.end - bytes, MIB(2));

	for (unsigned int i = 0; i < boot_info.modules; i++)
		modules += ROUND_UP(boot_info.module[i].end - boot_info.module[i].start, PAGE_SIZE);
	modules = ROUND_UP(modules, MIB(2));
	at = room.next - modules;
	for (unsigned int i = 0; i < boot_info.modules && modules <= room.next - best.start; i++) {
		struct boot_piece *m = &boot_info.module[i];
		u64 size = m->end - m->start;

		memcpy(phys_to_virt(at), phys_to_virt(m->start), size);
		if ((u64)cpu_features.microcode.data - (u64)phys_to_virt(m->start) < size)
			cpu_features.microcode.data += at - m->start;
		*m = (struct boot_piece){ at, at + size };
		at += ROUND_UP(size, PAGE_SIZE);
	}
}

/* Whole zeroed pages, before the frame allocator is there. */
static void *boot_alloc(u64 bytes, u64 align)
{
	void *p;

	room.next = ROUND_UP(room.next, align);
	bytes = ROUND_UP(bytes, PAGE_SIZE);
	if (room.next + bytes > room.end)
		panic("boot: out of memory (%lu KiB wanted)", bytes >> 10);
	p = phys_to_virt(room.next);
	room.next += bytes;
	memset(p, 0, bytes);
	return p;
}

static void *boot_page(void) { return boot_alloc(PAGE_SIZE, PAGE_SIZE); }

static u64 top_of_ram(void)
{
	u64 top = 0;

	for (unsigned int i = 0; i < boot_info.ranges; i++)
		if (boot_info.range[i].type == 1)
			top = max(top, boot_info.range[i].end);
	return top;
}

/* The pages of a part of the image, with rights of their own. */
static void protect(const char *start, const char *end, u64 flags)
{
	paging_map(virt_to_phys(start), virt_to_phys(end), flags, PAGE_SIZE, boot_page);
}

void paging_init(void)
{
	u64 data = paging_data(), nx = data & HV_NX, pa, step, top;
	u64 image = ROUND_DOWN(virt_to_phys(image_start), MIB(2));
	u64 image_top = ROUND_UP(virt_to_phys(image_end), MIB(2));
	const struct parvus_screen *s = &firmware.screen;
	u64 pixels = s->kind == PARVUS_SCREEN_PIXELS ? ROUND_DOWN(s->address, MIB(2)) : 0;
	u64 pixels_end = pixels ? ROUND_UP(s->address + (u64)s->pitch * s->height, MIB(2)) : 0;

	top = max(ROUND_UP(top_of_ram(), GIB(1)), GIB(1));
	top = min(top, MAX_MACHINE_MEM);
	/* page tables down to 2 MiB, some to 4 KiB; devices */
	find_boot_memory((top >> 18) + MIB(1));
	hv_root = virt_to_phys(boot_page());
	paging_map(0, image, data, MIB(2), boot_page);
	paging_map(image, image_top, data, PAGE_SIZE, boot_page);
	for (pa = image_top; pa < top; pa += step) {
		step = cpu_features.gb_pages && !(pa & (GIB(1) - 1)) &&
		       (pa >= pixels_end || pa + GIB(1) <= pixels) ? GIB(1) : MIB(2);
		paging_map(pa, pa + step, data, step, boot_page);
	}
	/* write-combining (IA32_PAT), as Linux maps them, too */
	paging_map(pixels, pixels_end, data | HV_PWT, MIB(2), boot_page);
	protect(image_start, boot_rodata_start, HV_P);
	protect(boot_rodata_start, boot_data_start, HV_P | nx);
	protect(boot_end, rodata_start, HV_P);
	protect(rodata_start, data_start, HV_P | nx);
	write_cr3(hv_root);
}

void free_modules(void)
{
	for (unsigned int i = 0; i < boot_info.modules; i++) {
		u64 start = ROUND_UP(boot_info.module[i].start, PAGE_SIZE);
		u64 end = ROUND_DOWN(boot_info.module[i].end, PAGE_SIZE);

		if (start >= MIB(1) && start < end)
			frames_add(_mfn(start >> PAGE_SHIFT), (end - start) >> PAGE_SHIFT);
	}
	boot_info.modules = 0;
}

/* Is there RAM in what 2 MiB of the frame table describe, or do they have the counters? */
static bool table_needed(u64 at)
{
	u64 start = at / sizeof(struct frame_info) << PAGE_SHIFT;
	u64 end = start + (MIB(2) / sizeof(struct frame_info) << PAGE_SHIFT);

	for (unsigned int i = 0; i < boot_info.ranges; i++) {
		const struct boot_range *r = &boot_info.range[i];

		if (r->type == 1 && r->start < end && r->end > start)
			return true;
	}
	return end > frame_table_count << PAGE_SHIFT;
}

/* At the end of the last free piece that it fits in: what is low is wanted for devices. */
static void frame_table_map(void)
{
	u64 bytes = ROUND_UP(frame_table_bytes(frame_table_count), PAGE_SIZE), need = 0;
	u64 *none = boot_page(), zero = virt_to_phys(boot_page()), at, pa, step, *e;
	struct boot_piece p = { 0, MIB(1) };

	for (at = 0; at < 512; at++)
		none[at] = zero | (paging_data() & ~HV_W);
	for (at = 0; at < bytes; at += MIB(2))
		need += table_needed(at) ? min(MIB(2), bytes - at) : 0;
	while (boot_free_next(&p, MAX_MACHINE_MEM)) {
		pa = ROUND_DOWN(p.end - min(need, p.end), MIB(2));
		if (pa >= p.start)
			room.table = (struct boot_piece){ pa, pa + need };
	}
	pa = room.table.start;
	if (!pa)
		panic("boot: no room for the frame table (%lu MiB)", need >> 20);
	memset(phys_to_virt(pa), 0, need);
	for (at = 0; at < bytes; at += step) {
		step = bytes - at < MIB(2) ? PAGE_SIZE : MIB(2);
		e = paging_entry_of((u64)frame_table + at, step, boot_page);
		if (table_needed(ROUND_DOWN(at, MIB(2)))) {
			*e = pa | paging_data() | (step > PAGE_SIZE ? HV_PS : 0);
			pa += step;
		} else {
			*e = virt_to_phys(none) | HV_P | HV_W;
		}
	}
}

void memory_init(void)
{
	struct boot_piece p = { 0, MIB(1) };

	frame_table_count = min(top_of_ram(), MAX_MACHINE_MEM) >> PAGE_SHIFT;
	if (frame_table_count << PAGE_SHIFT < top_of_ram())
		log_warn("memory: what lies above %lu GiB is left out", frame_table_count >> 18);
	frame_table_map();
	/* RAM is ours until somebody gets it, but for the first MiB: domain 0 may look there */
	for (unsigned int i = 0; i < boot_info.ranges; i++) {
		u64 n = max(boot_info.range[i].start, MIB(1)) >> PAGE_SHIFT;

		for (; boot_info.range[i].type == 1 && n < frame_table_count &&
		       n < boot_info.range[i].end >> PAGE_SHIFT; n++)
			frame_table[n] = (struct frame_info){
				.type = FRAME_HYPERVISOR, .owner = DOMAIN_NONE };
	}
	room.end = 0;		/* from here on boot_alloc is closed */
	while (boot_free_next(&p, frame_table_count << PAGE_SHIFT))
		frames_add(_mfn(p.start >> PAGE_SHIFT), (p.end - p.start) >> PAGE_SHIFT);
	log_info("memory: %lu MiB free of %lu MiB", frames_free_count() >> 8,
		 top_of_ram() >> 20);
}
