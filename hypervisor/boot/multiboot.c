// SPDX-License-Identifier: GPL-2.0-only
/*
 * The three boot protocols: Multiboot 1 (QEMU -kernel), Multiboot 2 (GRUB, BIOS and UEFI) and PVH
 * (QEMU -kernel with the second link). Sources: the Multiboot 0.6.96 and Multiboot2 2.0
 * specifications; Xen's public/arch-x86/hvm/start_info.h.
 */
#include <boot/boot.h>
#include <core/log.h>

static void add_range(u64 start, u64 size, u32 type)
{
	if (size && start + size > start && boot_info.ranges < BOOT_RANGES)
		boot_info.range[boot_info.ranges++] =
			(struct boot_range){ start, start + size, type };
}

/* What the loader says is copied: its own memory is not kept. @at: 0 = nothing. */
static void copy_text(char text[MAX_CMDLINE], u64 at)
{
	hv_snprintf(text, MAX_CMDLINE, "%s", at ? (const char *)phys_to_virt(at) : "");
}

static void add_module(u64 start, u64 end, u64 text)
{
	if (!boot_info.modules)
		copy_text(boot_info.first_text, text);
	if (end > start && boot_info.modules < MAX_MODULES)
		boot_info.module[boot_info.modules++] = (struct boot_piece){ start, end };
}

struct mb1_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	u32 mmap_length, mmap_addr;
};

static void parse_mb1(const struct mb1_info *mb)
{
	const u32 *mod = phys_to_virt(mb->mods_addr), *e;
	u64 at = mb->mmap_addr, end = at + mb->mmap_length;

	if (mb->flags & 4)
		copy_text(boot_info.cmdline, mb->cmdline);
	for (unsigned int i = 0; (mb->flags & 8) && i < mb->mods_count; i++, mod += 4)
		add_module(mod[0], mod[1], mod[2]);
	for (; (mb->flags & 64) && at + 24 <= end; at += e[0] + 4ull) {
		e = phys_to_virt(at);
		add_range(e[1] | (u64)e[2] << 32, e[3] | (u64)e[4] << 32, e[5]);
	}
}

/* Before the colours GRUB has two reserved bytes, where the specification has one. */
static void parse_screen(const u32 *tag)
{
	const u8 *b = (const u8 *)tag;

	firmware.screen.kind = 255;	/* none */
	if (tag[1] < 32 || (tag[5] | tag[6]) >> 16 || !b[29])
		return;
	firmware.screen = (struct parvus_screen){
		.address = tag[2] | (u64)tag[3] << 32, .pitch = tag[4], .width = (u16)tag[5],
		.height = (u16)tag[6], .bits = b[28], .kind = b[29] };
	if (b[29] == PARVUS_SCREEN_PIXELS && tag[1] >= 38)
		memcpy(&firmware.screen.red_at, &b[32], 6);
}

static void parse_mb2_tag(const u32 *tag)
{
	const u64 *q;

	switch (tag[0]) {
	case 1:
		copy_text(boot_info.cmdline, virt_to_phys(&tag[2]));
		break;
	case 3:
		add_module(tag[2], tag[3], virt_to_phys(&tag[4]));
		break;
	case 6:
		for (u32 off = 16; tag[2] >= 24 && off + tag[2] <= tag[1]; off += tag[2]) {
			q = (const u64 *)((const char *)tag + off);
			add_range(q[0], q[1], (u32)q[2]);
		}
		break;
	case 8:
		parse_screen(tag);
		break;
	case 14:
	case 15:
		/* a copy of the RSDP; version 2 is preferred */
		if (boot_info.rsdp && tag[0] == 14)
			break;
		memcpy(boot_info.rsdp_copy, &tag[2], min(tag[1] - 8, RSDP_SIZE));
		boot_info.rsdp = virt_to_phys(boot_info.rsdp_copy);
		break;
	}
}

static void parse_mb2(const u32 *info)
{
	const u32 *tag;

	for (u32 off = 8; off + 8 <= info[0]; off += ROUND_UP(tag[1], 8u)) {
		tag = (const u32 *)((const char *)info + off);
		if (!tag[0] || tag[1] < 8 || tag[1] > info[0] - off)
			break;
		parse_mb2_tag(tag);
	}
}

struct pvh_info {
	u32 magic, version, flags, modules;
	u64 modlist, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
};

static void parse_pvh(const struct pvh_info *pvh)
{
	const u64 *mod = phys_to_virt(pvh->modlist);
	const u64 *map = phys_to_virt(pvh->memmap);

	copy_text(boot_info.cmdline, pvh->cmdline);
	for (u32 i = 0; i < pvh->modules; i++, mod += 4)
		add_module(mod[0], mod[0] + mod[1], mod[2]);
	for (u32 i = 0; pvh->version >= 1 && i < pvh->memmap_entries; i++, map += 3)
		add_range(map[0], map[1], (u32)map[2]);
	boot_info.rsdp = pvh->rsdp;
}

bool boot_parse(u32 magic, u64 info)
{
	const struct pvh_info *pvh = phys_to_virt(info);

	/* first of all: in eax QEMU's microvm leaves Multiboot's magic when it loads by PVH */
	if (pvh->magic == 0x336ec578)
		parse_pvh(pvh);
	else if (magic == 0x2badb002)
		parse_mb1(phys_to_virt(info));
	else if (magic == 0x36d76289)
		parse_mb2(phys_to_virt(info));
	else
		return false;
	return true;
}

/*
 * A row fits into its pitch, and into Linux's record of it. Pixels are mapped by pieces of 2 MiB
 * (paging_init): there is no RAM in these, so the image neither.
 */
static bool screen_fits(const struct parvus_screen *s)
{
	u64 end = s->address + (u64)s->pitch * s->height, from = ROUND_DOWN(s->address, MIB(2));
	u32 pixel = (s->bits + 7u) / 8, reach, b, c, d;

	cpuid_count(0x80000008, 0, &reach, &b, &c, &d);
	if (s->width < 40 || s->height < 16 || s->pitch > 0xffff || end < s->address)
		return false;
	if (s->kind == PARVUS_SCREEN_TEXT)
		return s->bits == 16 && s->pitch == 2u * s->width && s->address >= 0xa0000 &&
		       end <= 0xc0000;
	for (u32 i = 0; i < 6; i += 2)		/* of red, green, blue */
		if ((&s->red_bits)[i] - 1u > 15 || (&s->red_at)[i] + (&s->red_bits)[i] > s->bits)
			return false;
	for (unsigned int i = 0; i < boot_info.ranges; i++)
		if (boot_info.range[i].type == 1 && boot_info.range[i].end > from &&
		    boot_info.range[i].start < ROUND_UP(end, MIB(2)))
			return false;
	return end <= MAX_MACHINE_MEM && !(end >> (reach & 63)) && pixel - 2 <= 2 &&
	       (s->bits == 15 || !(s->bits & 7)) && s->width * pixel <= s->pitch;
}

void screen_find(void)
{
	struct parvus_screen said = firmware.screen, *s = &firmware.screen;

	if (said.kind && screen_fits(&said))
		return;
	*s = (struct parvus_screen){ 0 };
	if (screen_vga_text())
		*s = (struct parvus_screen){ .kind = PARVUS_SCREEN_TEXT, .address = 0xb8000,
			.width = 80, .height = 25, .pitch = 160, .bits = 16 };
	if (said.kind)
		log_warn("screen: not believed: kind %u at %lx, %u x %u, %u bits, pitch %u",
			 said.kind, said.address, said.width, said.height, said.bits, said.pitch);
}
