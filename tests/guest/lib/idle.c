// SPDX-License-Identifier: GPL-2.0-only
/*
 * A small domain for tests of the toolstack. Its command line says what it does:
 *   idle   blocks for ever
 *   spin   runs for ever
 *   hold   the same, with a word in a register that no other domain has
 *   off    powers off with status 0
 *   hash   spends its time in the hypercall debug_hash, of 1 MiB
 *   reboot, crash
 *   fill   touches all of its RAM, a page after another, says so, and blocks for ever
 */
#include "guest.h"

static bool is(const char *word)
{
	const char *p = va(start_info->cmdline);

	while (*word && *p == *word)
		p++, word++;
	return !*word;
}

static void fill(void)
{
	u64 i, gpa;

	for (i = 0; i < start_info->memory_ranges; i++) {
		const struct parvus_memory_range *r = &start_info->memory[i];

		for (gpa = r->start; r->type == 1 && gpa < r->start + r->size; gpa += PAGE) {
			volatile u64 *p = (u64 *)0x40000000ull;

			/* read, then written back: this kernel lies there too */
			map((u64)p, gpa, P | W);
			flush_page((u64)p);
			*p = *p;
		}
	}
	print("filled\n");
}

void test(void)
{
	if (is("off"))
		parvus_shutdown(PARVUS_SHUTDOWN_POWEROFF, 0);
	if (is("reboot"))
		parvus_shutdown(PARVUS_SHUTDOWN_REBOOT, 0);
	if (is("crash"))
		parvus_shutdown(PARVUS_SHUTDOWN_CRASH, 1);
	if (is("fill"))
		fill();
	while (is("spin"))
		relax();
	if (is("hold"))
		__asm__ volatile("1: pause; jmp 1b" : : "b"(0x5ec3e70000ull + start_info->domain));
	while (is("hash"))
		parvus_debug_hash(0, 1 << 20);
	for (;;) {
		irq_off();
		parvus_block();
	}
}
