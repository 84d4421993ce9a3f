// SPDX-License-Identifier: GPL-2.0-only
/*
 * The little ACPI that a hypervisor without AML needs: CPUs, I/O APICs and overrides from the MADT,
 * and how to power off from the FADT and the DSDT's \_S5 package, found by its bytes (ACPI 6.4,
 * 5.2.12, 5.2.9, 7.4.2.5). All goes to x86/, for the tables are not read again.
 */
#include <boot/boot.h>
#include <x86/tsc.h>
#include <core/frame.h>
#include <core/log.h>

struct sdt {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], table[8];
	u32 oem_revision, creator, creator_revision;
} __attribute__((packed));

/* The end of the direct map, or of what this CPU addresses: an entry beyond is none. */
static u64 reach(void) { return min(MAX_MACHINE_MEM, 1ull << cpu_features.phys_bits); }

/* Tables may lie in memory that e820 does not call RAM, thus outside the direct map. */
static void *firmware_map(u64 pa, u64 bytes)
{
	if (pa > reach() - bytes)
		return NULL;
	if (pa + bytes <= max(ROUND_UP(frame_table_count << PAGE_SHIFT, GIB(1)), GIB(1)))
		return phys_to_virt(pa);
	return mmio_map(pa, bytes);
}

static void *table_map(u64 pa)
{
	struct sdt *t = pa ? firmware_map(pa, sizeof(*t)) : NULL;

	if (!t || t->length < sizeof(*t) || t->length > MIB(4))
		return NULL;
	return firmware_map(pa, t->length);
}

/* Registers are mapped by pieces of 2 MiB: RAM and the image are none, nor what is out of reach. */
static bool device_at(u64 pa, u64 bytes)
{
	const struct frame_info *f = frame_info(_mfn(pa >> PAGE_SHIFT));

	return pa >= MIB(2) && pa <= reach() - bytes && (!f || f->type == FRAME_NONE);
}

static u8 sum(const void *p, size_t n)
{
	const u8 *b = p;
	u8 s = 0;

	while (n--)
		s = (u8)(s + *b++);
	return s;
}

static u64 scan_rsdp(u64 start, u64 end)
{
	for (; start < end; start += 16)
		if (!memcmp(phys_to_virt(start), "RSD PTR ", 8) && !sum(phys_to_virt(start), 20))
			return start;
	return 0;
}

/* Device interrupts have 8 bits for an APIC id, 255 of it meaning all (SDM vol. 3, 11.11). */
static void add_cpu(u32 id, u32 flags)
{
	unsigned int i = 0;

	while (i < firmware.cpus && firmware.cpu_apic_id[i] != id)
		i++;
	if (!(flags & 1) || i < firmware.cpus)
		return;
	if (id < MAX_CPUS)
		firmware.cpu_apic_id[firmware.cpus++] = id;
	else
		log_warn("acpi: the CPU with APIC id %u is left out", id);
}

static void parse_madt(const struct sdt *t)
{
	static const u8 least[10] = { 8, 12, 10, 2, 2, 12, 2, 2, 2, 16 };
	const u8 *p = (const u8 *)t + 44, *end = (const u8 *)t + t->length;
	u64 lapic = table_word((const u8 *)t, t->length, 36, 4);

	for (; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1]) {
		switch (p[0] < sizeof(least) && p[1] >= least[p[0]] ? p[0] : 0xff) {
		case 0:
			add_cpu(p[3], *(const u32 *)(p + 4));
			break;
		case 1:
			if (firmware.ioapics == MAX_IOAPICS ||
			    !device_at(*(const u32 *)(p + 4), PAGE_SIZE))
				break;
			firmware.ioapic[firmware.ioapics++] = (struct ioapic){
				.at = *(const u32 *)(p + 4), .first = *(const u32 *)(p + 8) };
			break;
		case 2:
			if (p[3] < 16)
				firmware.irq_override[p[3]] = *(const u16 *)(p + 4) |
							     (u32)*(const u16 *)(p + 8) << 16;
			break;
		case 5:
			lapic = *(const u64 *)(p + 4);
			break;
		case 9:
			add_cpu(*(const u32 *)(p + 4), *(const u32 *)(p + 8));
			break;
		}
	}
	if (device_at(lapic, PAGE_SIZE))
		firmware.lapic = lapic;
}

/* "_S5_", package, length, count, two byte constants (prefix 0x0a, or the ops zero and one). */
static void parse_s5(const struct sdt *dsdt)
{
	const u8 *p = (const u8 *)dsdt + sizeof(*dsdt), *end = (const u8 *)dsdt + dsdt->length;

	for (; p + 9 <= end; p++) {
		u8 all[16] = { 0 };	/* it may be the last of the table */
		const u8 *q = all + 5;

		if (memcmp(p, "_S5_", 4) || p[4] != 0x12)
			continue;
		memcpy(all, p, min((size_t)(end - p), sizeof(all)));
		q += 1 + (*q >> 6) + 1;		/* package length, element count */
		q += *q == 0x0a;
		power.s5_a = (u16)(*q++ << 10);
		q += *q == 0x0a;
		power.s5_b = (u16)(*q << 10);
		power.have_s5 = true;
		return;
	}
}

static struct acpi_register register_of(const u8 *gas)
{
	struct acpi_register r = { .space = REGISTER_NONE, .at = *(const u64 *)(gas + 4) };

	if (gas[0] < REGISTER_NONE && (gas[0] != REGISTER_MEMORY || device_at(r.at, 1)))
		r.space = gas[0];
	if (r.space == REGISTER_MEMORY)
		r.at = (u64)mmio_map(r.at, 1);
	return r;
}

/* Domain 0 sees the tables but those of IOMMUs: interrupts there are ours. The sum still holds. */
static void hide(struct sdt *t)
{
	char *s = t->signature;

	memcpy(s, s[0] == 'D' ? "RMAD" : "SVRI", 4);
	log_info("acpi: %s of an IOMMU hidden from domain 0", s[0] == 'R' ? "DMAR" : "IVRS");
}

static void parse_fadt(const struct sdt *t)
{
	const u8 *p = (const u8 *)t;
	u64 at = table_word(p, t->length, 140, 8) ?: table_word(p, t->length, 40, 4);
	const struct sdt *dsdt;

	firmware.pm_timer = fadt_pm_timer(p, t->length);
	power.pm1a_control = (u16)table_word(p, t->length, 64, 4);
	power.pm1b_control = (u16)table_word(p, t->length, 68, 4);
	if (t->length >= 129 && *(const u32 *)(p + 112) & 1u << 10) {
		power.reset = register_of(p + 116);
		power.reset_value = p[128];
	}
	if (t->length >= 256 && *(const u32 *)(p + 112) & 1u << 20)
		power.sleep = register_of(p + 244);
	dsdt = table_map(at);
	if (dsdt)
		parse_s5(dsdt);
}

const void *acpi_rsdp(void)
{
	return boot_info.rsdp ? firmware_map(boot_info.rsdp, RSDP_SIZE) : NULL;
}

void acpi_init(void)
{
	u64 ebda = (u64)*(u16 *)phys_to_virt(0x40e) << 4;
	const struct sdt *root;
	const u8 *r;
	unsigned int i, n, width;

	for (i = 0; i < 16; i++)
		firmware.irq_override[i] = i;
	boot_info.rsdp = boot_info.rsdp ?: scan_rsdp(ebda, ebda + 1024) ?:
			 scan_rsdp(0xe0000, 0x100000);
	r = acpi_rsdp();
	width = r && r[15] >= 2 && *(const u64 *)(r + 24) ? 8 : 4;
	root = r ? table_map(width == 8 ? *(const u64 *)(r + 24) : *(const u32 *)(r + 16)) : NULL;
	n = root ? (root->length - (unsigned int)sizeof(*root)) / width : 0;
	for (i = 0; i < n; i++) {
		const u8 *e = (const u8 *)(root + 1) + i * width;
		struct sdt *t = table_map(width == 8 ? *(const u64 *)e : *(const u32 *)e);

		if (t && !memcmp(t->signature, "APIC", 4))
			parse_madt(t);
		else if (t && !memcmp(t->signature, "FACP", 4))
			parse_fadt(t);
		else if (t && !memcmp(t->signature, "HPET", 4) &&
			 device_at(hpet_address((const u8 *)t, t->length), 1024))
			firmware.hpet = mmio_map(hpet_address((const u8 *)t, t->length), 1024);
		else if (t && (!memcmp(t->signature, "DMAR", 4) ||
			       !memcmp(t->signature, "IVRS", 4)))
			hide(t);
	}
	if (!firmware.cpus) {
		log_info("acpi: no CPU list, one CPU assumed");
		firmware.cpu_apic_id[0] = apic_id();
		firmware.cpus = 1;
	}
}
