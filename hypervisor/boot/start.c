// SPDX-License-Identifier: GPL-2.0-only
/* From the boot loader's hand-over to the first domain. */
#include <boot/boot.h>
#include <boot/bundle.h>
#include <x86/pv.h>
#include <core/hypercall.h>
#include <core/sched.h>

void boot_main(u32 magic, u64 info);

/* Before cpu_detect(): of an early cpio (Linux, x86/microcode.rst), a module or in one. */
static void microcode_first(void)
{
	__typeof__(cpu_features.microcode) *m = &cpu_features.microcode;
	u32 i, signature, vendor, guest, d, was = 0;
	struct bundle_file f, in;
	bool amd;

	cpuid_count(0, 0, &i, &vendor, &guest, &d);
	cpuid_count(1, 0, &signature, &i, &guest, &d);
	amd = vendor == 0x68747541;		/* "Auth"; "Genu" */
	if (guest >> 31 || (!amd && vendor != 0x756e6547))
		return;		/* what a hypervisor below us does is its own business */
	m->msr = amd ? MSR_UPDATE_AMD : MSR_UPDATE_INTEL;
	for (i = 0; i < boot_info.modules && !m->data; i++) {
		in.data = phys_to_virt(boot_info.module[i].start);
		in.size = boot_info.module[i].end - boot_info.module[i].start;
		if (bundle_find(in.data, in.size, "initrd", &f))
			in = f;
		if (!bundle_find(in.data, in.size, amd ? "kernel/x86/microcode/AuthenticAMD.bin" :
				 "kernel/x86/microcode/GenuineIntel.bin", &f))
			continue;
		was = m->revision = microcode_revision();	/* Bochs has no such registers */
		m->data = amd ? microcode_amd(f.data, f.size, signature, &m->revision) :
			microcode_intel(f.data, f.size, signature,
					1u << (rdmsr(MSR_PLATFORM_ID) >> 50 & 7), &m->revision);
	}
	if (!amd && (u64)m->data & 15) {	/* Intel SDM vol. 3, 9.11.6 */
		log_warn("microcode: not at a multiple of 16 bytes, left out");
		m->data = NULL;
	}
	microcode_load();
	if (m->data)
		log_info("microcode: was %x, given %x, is %x", was, m->revision,
			 microcode_revision());
}

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
	log_limit = boot_option_is("loglevel", "debug") ? LOG_DEBUG :
		    boot_option_is("loglevel", "warning") ? LOG_WARN : LOG_INFO;
	reboot_when = (boot_option_is("reboot", "yes") ? REBOOT_ASKED : 0) |
		      (boot_option_is("panic", "reboot") ? REBOOT_BROKEN : 0);
	debug_enabled = boot_option_is("debug", "1") || boot_option_is("debug", "calls");
	apic_timer_probe = boot_option_is("probe", "1") ? TIMER_PROBE : 0;
	shadow_exact = boot_option_is("mmu", "exact");
	screen_find();

	microcode_first();
	cpu_detect();
	if (boot_option_is("pcid", "on"))
		log_info("mmu: PCID is %s", cpu_features.cr3_keep ? "on" : "absent");
	else
		cpu_features.cr3_keep = 0;
	measures_init();	/* while code can be written */
	cpu_init();
	paging_init();
	memory_init();
	p = pcpu_new(0, 0);
	sched_init_cpu(0);
	cpus_online = 1;
	desc_init_cpu(p);
	lock_checks = boot_option_is("debug", "1") ? LOCKS_CHECKED : LOCKS_FREE;
	log_info("Parvus, ABI %u, command line: %s", PARVUS_ABI_VERSION, boot_info.cmdline);
	boot_options_check();
	acpi_init();
	outb(0x21, 0xff);	/* the 8259s are silenced for good */
	outb(0xa1, 0xff);
	apic_init_cpu();
	time_init();
	secondaries_start();
	view_start(!boot_option_is("isolation", "off"));
	ioapic_init();
	serial_enable_rx();
	if (!build_domains())
		panic("boot: no domain to run; give a kernel and an initrd as boot modules");
	control_watch(boot_option_number("bootwatch", 1, 86400, 0) * 1000000000ull);
	/* boot's stack goes too: the rest is done on this CPU's own, below the frame of a guest */
	__asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call boot_discard" : : "r"(p->frame));
	__builtin_unreachable();
}
