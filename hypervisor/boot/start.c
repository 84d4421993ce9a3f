// SPDX-License-Identifier: GPL-2.0-only
/* From the boot loader's hand-over to the first domain. */
#include <boot/boot.h>
#include <x86/pv.h>
#include <core/log.h>
#include <core/hypercall.h>

void boot_main(u32 magic, u64 info);

/* With a copy of their way from real mode (boot.S) in a page below 1 MiB. */
static void secondaries_start(void)
{
	struct boot_piece low = { 0, 0x8000 };
	/* one that no module is in: UEFI loaders put them there */
	u64 pa = boot_free_next(&low, 0x9f000) ? low.start : 0;
	size_t bytes = (size_t)(trampoline_end - trampoline_start);

	if (pa)
		memcpy(phys_to_virt(pa), trampoline_start, bytes);
	smp_init(pa);
	if (pa)		/* domain 0 may look there */
		memset(phys_to_virt(pa), 0, bytes);
}

void boot_main(u32 magic, u64 info)
{
	struct pcpu *p;

	serial_init();
	if (!boot_parse(magic, info))
		panic("boot: unknown boot protocol (magic %x)", magic);
	log_to_serial = boot_option_is("log", "com1");
	if (boot_option_is("loglevel", "debug"))
		log_limit = LOG_DEBUG;
	else if (boot_option_is("loglevel", "warning"))
		log_limit = LOG_WARN;
	reboot_when = (boot_option_is("reboot", "yes") ? REBOOT_ASKED : 0) |
		      (boot_option_is("panic", "reboot") ? REBOOT_BROKEN : 0);
	debug_enabled = boot_option_is("debug", "1") || boot_option_is("debug", "calls");
	if (boot_option_is("probe", "1"))
		apic_timer_probe = TIMER_PROBE;
	shadow_exact = boot_option_is("mmu", "exact");

	cpu_detect();
	measures_init();	/* while code can be written */
	cpu_init();
	paging_init();
	memory_init();
	p = pcpu_boot();
	desc_init_cpu(p);
	lock_checks = boot_option_is("debug", "1") ? LOCKS_CHECKED : LOCKS_FREE;
	log_info("Parvus, ABI %u, command line: %s", PARVUS_ABI_VERSION, boot_info.cmdline);
	boot_options_check();
	acpi_init();
	pic_disable();
	apic_init_cpu();
	time_init();
	secondaries_start();
	view_start(!boot_option_is("isolation", "off"));
	ioapic_init();
	serial_enable_rx();
	if (!build_domains())
		panic("boot: no domain to run; give a bundle as boot module");
	control_watch(boot_option_number("bootwatch", 1, 86400, 0) * 1000000000ull);
	/* boot's stack goes too: the rest is done on this CPU's own, below the frame of a guest */
	__asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call boot_discard" : : "r"(p->frame));
	__builtin_unreachable();
}
