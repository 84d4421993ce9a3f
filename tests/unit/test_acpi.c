// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot/acpi.c against tables that lie: entries shorter than what they are, tables shorter than
 * what is read of them, and registers in RAM, in the hypervisor, or where no address of ring 0 is.
 * Nothing behind a table is read (its end is that of an allocation), and of registers the good ones
 * alone are mapped (rule 119).
 */
#include "native.h"
#include <boot/boot.h>

#define TABLES	0x20000000ull	/* in the direct map, and no RAM */
#define TOP	MAX_MACHINE_MEM
#define RAM	0x300000ull

struct firmware firmware;
struct power power;
static u8 low[MIB(1)], *tables;
static u64 tables_bytes, mapped[16];
static unsigned int maps;

static void *machine_virt(u64 pa)
{
	if (pa < sizeof(low))
		return low + pa;
	ck_assert_msg(pa >= TABLES && pa - TABLES < tables_bytes, "%llx is read",
		      (unsigned long long)pa);
	return tables + (pa - TABLES);
}

void *mmio_map(u64 pa, u64 bytes)
{
	ck_assert_msg(pa >= MIB(2) && pa < TOP && pa + bytes <= TOP, "%llx is mapped",
		      (unsigned long long)pa);
	ck_assert_msg(pa >= frame_table_count << PAGE_SHIFT, "RAM at %llx is mapped",
		      (unsigned long long)pa);
	mapped[maps++ % ARRAY_SIZE(mapped)] = pa;
	return NULL;
}

static bool is_mapped(u64 pa)
{
	for (unsigned int i = 0; i < maps; i++)
		if (mapped[i] == pa)
			return true;
	return false;
}

u32 apic_id(void) { return 7; }

#define phys_to_virt machine_virt
#include "../../hypervisor/boot/acpi.c"
#undef phys_to_virt

/* ---- tables, the one that is looked at last ---- */

static void word(u8 *t, u32 at, u64 value, u32 bytes) { memcpy(t + at, &value, bytes); }

/* An RSDP with an XSDT of one entry: a table of @bytes, where the memory ends. */
static u8 *table(const char *name, u32 bytes)
{
	u8 *x;

	free(tables);
	tables_bytes = 256 + bytes;
	tables = calloc(1, tables_bytes);
	memset(low, 0, sizeof(low));
	memset(&firmware, 0, sizeof(firmware));
	memset(&power, 0, sizeof(power));
	firmware.lapic = 0xfee00000;
	power.reset.space = power.sleep.space = REGISTER_NONE;
	maps = 0;
	memcpy(tables, "RSD PTR ", 8);
	tables[15] = 2;
	word(tables, 24, TABLES + 64, 8);
	boot_info.rsdp = TABLES;
	x = tables + 64;
	memcpy(x, "XSDT", 4);
	word(x, 4, 36 + 8, 4);
	word(x, 36, TABLES + 256, 8);
	x = tables + 256;
	memcpy(x, name, 4);
	word(x, 4, bytes, 4);
	return x;
}

static void setup(void)
{
	native_boot((RAM + MIB(1)) >> PAGE_SHIFT, 256);
	cpu_features.phys_bits = 46;
}

/* An entry of the MADT, at its end: of a kind, with a length that may be a lie. */
static void entry(u8 kind, u8 length, u8 byte)
{
	u8 *t = table("APIC", 44u + length);

	memset(t + 44, byte, length);
	t[44] = kind;
	t[45] = length;
}

START_TEST(entries)
{
	static const struct { u8 kind, length; } whole[] = {
		{ 0, 8 }, { 1, 12 }, { 2, 10 }, { 5, 12 }, { 9, 16 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(whole); i++)
		for (u8 n = 2; n < whole[i].length; n++) {
			entry(whole[i].kind, n, 1);
			acpi_init();
			ck_assert_uint_eq(firmware.cpus, 1);
			ck_assert_uint_eq(firmware.cpu_apic_id[0], 7);
			ck_assert_uint_eq(firmware.ioapics, 0);
			ck_assert_uint_eq(firmware.irq_override[1], 1);
			ck_assert_uint_eq(firmware.lapic, 0xfee00000);
		}
	entry(0, 8, 1);
	acpi_init();
	ck_assert_uint_eq(firmware.cpu_apic_id[0], 1);
	entry(9, 16, 1);
	acpi_init();
	ck_assert_uint_eq(firmware.cpu_apic_id[0], 7);	/* 0x01010101: no interrupt reaches it */
	entry(9, 16, 1);
	word(tables, 256 + 44 + 4, 255, 4);
	acpi_init();
	ck_assert_uint_eq(firmware.cpu_apic_id[0], 7);
	entry(9, 16, 1);
	word(tables, 256 + 44 + 4, 254, 4);
	acpi_init();
	ck_assert_uint_eq(firmware.cpu_apic_id[0], 254);
	entry(2, 10, 1);
	acpi_init();
	ck_assert_uint_eq(firmware.irq_override[1], 0x01010101);
	entry(1, 12, 0xfd);
	acpi_init();
	ck_assert_uint_eq(firmware.ioapic[0].at, 0xfdfdfdfd);
}
END_TEST

/* Of any length, that of the table itself included. */
START_TEST(lengths)
{
	static const char *const names[] = { "APIC", "FACP", "HPET", "DMAR" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		for (u32 n = 8; n <= 280; n++) {
			u8 *t = table(names[i], max(n, 36u));

			word(t, 4, n, 4);
			memset(t + 36, 0xff, max(n, 36u) - 36);
			if (!i)		/* the local APIC's */
				memset(t + 36, 0, min(max(n, 36u) - 36, 4u));
			acpi_init();
			ck_assert(!maps || i == 1);	/* a DSDT may be there */
			ck_assert_uint_eq(firmware.lapic, 0xfee00000);
		}
}
END_TEST

static const u64 wrong[] = {
	1,			/* a page of the hypervisor is in those 2 MiB */
	MIB(1), RAM, TOP, TOP + 0xfee00000, 1ull << 52, ~0ull, ~0ull - 4096,
};

/* Addresses of registers: the local APIC's, an I/O APIC's, an HPET's, of reset and of sleep. */
START_TEST(registers)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		u8 *t;

		entry(5, 12, 0);
		word(tables, 256 + 48, wrong[i], 8);
		acpi_init();
		ck_assert_uint_eq(firmware.lapic, 0xfee00000);
		entry(1, 12, 0);
		word(tables, 256 + 48, wrong[i], 4);
		acpi_init();
		ck_assert_uint_eq(firmware.ioapics, (u32)wrong[i] >> 31);
		t = table("HPET", 56);
		word(t, 44, wrong[i] & ~7ull, 8);
		acpi_init();
		ck_assert_uint_eq(maps, 0);
		t = table("FACP", 276);
		word(t, 112, 1u << 10 | 1u << 20, 4);
		word(t, 120, wrong[i], 8);
		word(t, 248, wrong[i], 8);
		acpi_init();
		ck_assert_int_eq(power.reset.space, REGISTER_NONE);
		ck_assert_int_eq(power.sleep.space, REGISTER_NONE);
	}
}
END_TEST

START_TEST(good_registers)
{
	u8 *t = table("FACP", 276);

	word(t, 112, 1u << 10, 4);
	word(t, 120, 0xfed80000, 8);
	acpi_init();
	ck_assert_int_eq(power.reset.space, REGISTER_MEMORY);
	ck_assert(is_mapped(0xfed80000));
	t[116] = REGISTER_PORT;
	word(t, 120, 0xcf9, 8);
	acpi_init();
	ck_assert_int_eq(power.reset.space, REGISTER_PORT);
	ck_assert_uint_eq(power.reset.at, 0xcf9);
	t = table("HPET", 56);
	word(t, 44, TOP - 1024, 8);
	acpi_init();
	ck_assert(is_mapped(TOP - 1024));
	entry(5, 12, 0);
	word(tables, 256 + 48, 0xfed00000, 8);
	acpi_init();
	ck_assert_uint_eq(firmware.lapic, 0xfed00000);
}
END_TEST

/* Where tables are said to be; nothing there is read. */
START_TEST(tables_elsewhere)
{
	static const u64 nowhere[] = { TOP - 8, TOP - 36 + 1, TOP, 1ull << 63, ~0ull, ~0ull - 35 };

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		table("APIC", 44);
		word(tables, 64 + 36, nowhere[i], 8);
		acpi_init();
		ck_assert_uint_eq(maps, 0);
		table("APIC", 44);
		boot_info.rsdp = nowhere[i];
		acpi_init();
		ck_assert_uint_eq(firmware.cpu_apic_id[0], 7);
		ck_assert_uint_eq(maps, 0);
		ck_assert_ptr_null(acpi_rsdp());
	}
}
END_TEST

/* A CPU with fewer address bits: what is beyond them faults. */
START_TEST(few_bits)
{
	u8 *t = table("HPET", 56);

	word(t, 44, 1ull << 36, 8);
	acpi_init();
	ck_assert(is_mapped(1ull << 36));
	cpu_features.phys_bits = 36;
	maps = 0;
	acpi_init();
	ck_assert_uint_eq(maps, 0);
	table("APIC", 44);
	word(tables, 64 + 36, 1ull << 36, 8);
	acpi_init();
	ck_assert_uint_eq(maps, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("acpi");
	TCase *t = tcase_create("acpi");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, entries);
	tcase_add_test(t, lengths);
	tcase_add_test(t, registers);
	tcase_add_test(t, good_registers);
	tcase_add_test(t, tables_elsewhere);
	tcase_add_test(t, few_bits);
	suite_add_tcase(s, t);
	return native_main(s);
}
