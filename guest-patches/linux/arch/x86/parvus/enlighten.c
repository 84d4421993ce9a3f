// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: the first C code, CPU operations, capabilities, the end.
 *
 * parvus_start_kernel() is entered in long mode at CPL 3 with the kernel's own
 * static page tables; it fills boot_params from the start info, overrides what a
 * ring-3 kernel cannot do, and goes to x86_64_start_reservations().
 */
#include <linux/init.h>
#include <linux/acpi.h>
#include <linux/cpufreq.h>
#include <linux/cpuidle.h>
#include <linux/kexec.h>
#include <linux/kmsg_dump.h>
#include <linux/memblock.h>
#include <linux/panic_notifier.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/reboot.h>
#include <linux/sched/task_stack.h>
#include <linux/sizes.h>
#include <asm/bootparam.h>
#include <asm/cpu.h>
#include <asm/desc.h>
#include <asm/e820/api.h>
#include <asm/hpet.h>
#include <asm/hypervisor.h>
#include <asm/i8259.h>
#include <asm/iommu.h>
#include <asm/numa.h>
#include <asm/paravirt.h>
#include <asm/reboot.h>
#include <asm/setup.h>
#include <asm/text-patching.h>
#include <asm/parvus_call.h>
#include <asm/pci_x86.h>
#include <asm/sections.h>
#include <asm/tlbflush.h>
#include "../../../drivers/parvus/parvus_bus.h"
#include "../../../drivers/parvus/screen.h"
#include "../kernel/cpu/cpu.h"
#include "parvus_arch.h"

struct parvus_start_info *parvus_start __ro_after_init;
EXPORT_SYMBOL_GPL(parvus_start);
static struct parvus_start_info parvus_start_copy __ro_after_init;

DEFINE_PER_CPU_ALIGNED(struct parvus_vcpu_area, parvus_area) __aligned(PARVUS_VCPU_AREA_SIZE);

/* May run with GS zeroed (load_percpu_segment): nothing per-cpu in here. */
void parvus_area_register(unsigned int vcpu, struct parvus_vcpu_area *area)
{
	BUG_ON(parvus_call4(PARVUS_HC_area_register, vcpu, __pa(area), PARVUS_VCPU_AREA_SIZE,
			    PARVUS_VCPU_AREA_VERSION));
}

/* Calls take a physical address, callers may be on a vmapped stack: bounce. */
int parvus_call_record(unsigned int nr, unsigned int op, void *record, size_t size)
{
	static DEFINE_RAW_SPINLOCK(lock);
	static u8 bounce[256] __aligned(256);
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&lock, flags);
	memcpy(bounce, record, size);
	ret = parvus_call2(nr, op, __pa_symbol(bounce));
	memcpy(record, bounce, size);
	raw_spin_unlock_irqrestore(&lock, flags);
	return ret;
}

/* Results beside rax are in this CPU's area, until somebody else makes a call. */
static long parvus_call_results(unsigned int nr, u64 a0, u64 a1, u64 ret[4])
{
	unsigned long flags = parvus_save_fl();
	long err;

	parvus_irq_disable();
	err = parvus_call2(nr, a0, a1);
	memcpy(ret, this_cpu_ptr(&parvus_area)->ret, 4 * sizeof(*ret));
	if (flags)
		parvus_irq_enable();
	return err;
}

static void parvus_cpuid(unsigned int *ax, unsigned int *bx, unsigned int *cx, unsigned int *dx)
{
	u64 ret[4];

	parvus_call_results(PARVUS_HC_cpuid, *ax, *cx, ret);
	*ax = ret[0];
	*bx = ret[1];
	*cx = ret[2];
	*dx = ret[3];
}

/* Bases by hypercall; all other registers too, the hypervisor knows which exist. */
static u64 parvus_read_msr_safe(unsigned int msr, int *err)
{
	u64 ret[4];

	*err = 0;
	if (msr == MSR_KERNEL_GS_BASE)
		return this_cpu_read(parvus_area.user_gs_base);
	if (parvus_call_results(PARVUS_HC_msr_read, msr, 0, ret))
		*err = -EIO;
	return *err ? 0 : ret[0];
}

static u64 parvus_read_msr(unsigned int msr)
{
	int err;
	u64 value = parvus_read_msr_safe(msr, &err);

	WARN_ONCE(err, "parvus: unchecked read of MSR 0x%x\n", msr);
	return value;
}

static int parvus_write_msr_safe(unsigned int msr, unsigned int low, unsigned int high)
{
	u64 value = (u64)high << 32 | low;

	switch (msr) {
	case MSR_FS_BASE:
		return parvus_call2(PARVUS_HC_base_set, PARVUS_BASE_FS, value) ? -EIO : 0;
	case MSR_KERNEL_GS_BASE:
		this_cpu_write(parvus_area.user_gs_base, value);
		return 0;
	case MSR_GS_BASE:
		/* The per-cpu area moves, and the vCPU area in it. GS is 0 here. */
		parvus_area_register(PARVUS_VCPU_SELF,
				     (void *)(value + (unsigned long)&parvus_area));
		return parvus_call2(PARVUS_HC_base_set, PARVUS_BASE_GS_KERNEL, value) ? -EIO : 0;
	default:
		return parvus_call2(PARVUS_HC_msr_write, msr, value) ? -EIO : 0;
	}
}

static void parvus_write_msr(unsigned int msr, unsigned int low, unsigned int high)
{
	WARN_ONCE(parvus_write_msr_safe(msr, low, high),
		  "parvus: unchecked write of MSR 0x%x\n", msr);
}

static u64 parvus_read_pmc(int counter) { return 0; }

/* What a 64-bit kernel has there; nothing tests more of it than PE, TS and WP. */
static unsigned long parvus_read_cr0(void)
{
	return X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM |
	       X86_CR0_PG;
}

static void parvus_write_cr0(unsigned long value) { }

/* Rare. The hypervisor emulates it; of all bits TSD, by prctl(PR_SET_TSC), has an effect. */
static void parvus_write_cr4(unsigned long value)
{
	asm volatile("mov %0, %%cr4" : : "r" (value) : "memory");
}

static void parvus_nothing(void) { }

static unsigned long parvus_get_debugreg(int regno)
{
	u64 ret[4];

	parvus_call_results(PARVUS_HC_debugreg_get, regno, 0, ret);
	return ret[0];
}

static void parvus_set_debugreg(int regno, unsigned long value)
{
	parvus_call2(PARVUS_HC_debugreg_set, regno, value);
}

static void parvus_safe_halt(void) { parvus_call0(PARVUS_HC_block); }

/* halt with interrupts off: the end of this vCPU, unless the last one. */
static void parvus_halt(void)
{
	if (parvus_save_fl())
		parvus_safe_halt();
	else
		parvus_call0(PARVUS_HC_vcpu_stop);
}

static void __init parvus_init_ops(void)
{
	pv_info.name = "Parvus";
	pv_info.extra_user_64bit_cs = 0;

	pv_ops.irq.save_fl = __PV_IS_CALLEE_SAVE(parvus_save_fl);
	pv_ops.irq.irq_disable = __PV_IS_CALLEE_SAVE(parvus_irq_disable);
	pv_ops.irq.irq_enable = __PV_IS_CALLEE_SAVE(parvus_irq_enable);
	pv_ops.irq.safe_halt = parvus_safe_halt;
	pv_ops.irq.halt = parvus_halt;

	pv_ops.cpu.io_delay = parvus_nothing;
	pv_ops.cpu.get_debugreg = parvus_get_debugreg;
	pv_ops.cpu.set_debugreg = parvus_set_debugreg;
	pv_ops.cpu.read_cr0 = parvus_read_cr0;
	pv_ops.cpu.write_cr0 = parvus_write_cr0;
	pv_ops.cpu.write_cr4 = parvus_write_cr4;
	pv_ops.cpu.wbinvd = parvus_nothing;
	pv_ops.cpu.cpuid = parvus_cpuid;
	pv_ops.cpu.read_msr = parvus_read_msr;
	pv_ops.cpu.write_msr = parvus_write_msr;
	pv_ops.cpu.read_msr_safe = parvus_read_msr_safe;
	pv_ops.cpu.write_msr_safe = parvus_write_msr_safe;
	pv_ops.cpu.read_pmc = parvus_read_pmc;
}

/* The hypervisor hides these already; once more, so that no option brings one back. */
static void __init parvus_init_caps(void)
{
	static const int hidden[] __initconst = {
		X86_FEATURE_SMAP, X86_FEATURE_SMEP, X86_FEATURE_PCID, X86_FEATURE_INVPCID,
		X86_FEATURE_PKU, X86_FEATURE_OSPKE, X86_FEATURE_XSAVES, X86_FEATURE_MWAIT,
		X86_FEATURE_MWAITX, X86_FEATURE_APIC, X86_FEATURE_X2APIC,
		X86_FEATURE_TSC_DEADLINE_TIMER, X86_FEATURE_TSC_ADJUST, X86_FEATURE_MTRR,
		X86_FEATURE_MCE, X86_FEATURE_MCA, X86_FEATURE_LA57, X86_FEATURE_ACC,
		X86_FEATURE_ACPI, X86_FEATURE_DCA, X86_FEATURE_SEP, X86_FEATURE_SYSCALL32,
		X86_FEATURE_SYSENTER32, X86_FEATURE_VMX, X86_FEATURE_SVM,
	};
	int i;

	setup_force_cpu_cap(X86_FEATURE_PV_GUEST);
	setup_force_cpu_cap(X86_FEATURE_PARVUS);
	setup_force_cpu_cap(X86_FEATURE_CX16);
	/* The hypervisor vouches for TSCs in step; CPUID of an emulated CPU does not. */
	if (parvus_start->features[0] & PARVUS_FEATURE_CLOCK_STABLE) {
		setup_force_cpu_cap(X86_FEATURE_CONSTANT_TSC);
		setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
	}
	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		setup_clear_cpu_cap(hidden[i]);
}

static void __noreturn parvus_shutdown(unsigned int reason, unsigned int status)
{
	parvus_ring_console_drain();
	for (;;)
		parvus_call2(PARVUS_HC_shutdown, reason, status);
}

static void parvus_emergency_restart(void)
{
	parvus_shutdown(PARVUS_SHUTDOWN_REBOOT, parvus_exit_status);
}

static void parvus_restart(char *cmd) { parvus_emergency_restart(); }

static void parvus_machine_poweroff(void)
{
	parvus_shutdown(PARVUS_SHUTDOWN_POWEROFF, parvus_exit_status);
}

/* Domain 0's last lines: nobody is left to ask for them. The hypervisor's log outlives us. */
static void parvus_last_words(void)
{
	static char text[6000];
	struct kmsg_dump_iter iter;
	char *line, *rest = text;
	size_t bytes;

	kmsg_dump_rewind(&iter);
	if (!kmsg_dump_get_buffer(&iter, false, text, sizeof(text) - 1, &bytes))
		return;
	while ((line = strsep(&rest, "\n")))
		parvus_call2(PARVUS_HC_log_write, __pa_symbol(line), min(strlen(line), 240ul));
}

static int parvus_panic(struct notifier_block *nb, unsigned long event, void *text)
{
	static char line[240] __aligned(256);

	if (parvus_control_domain())
		parvus_last_words();
	snprintf(line, sizeof(line), "panic: %s", (char *)text);
	parvus_call2(PARVUS_HC_log_write, __pa_symbol(line), strlen(line));
	/* What follows a crash, a restart or not, is the toolstack's to decide. */
	parvus_shutdown(PARVUS_SHUTDOWN_CRASH, 255);
	return NOTIFY_DONE;
}

static struct notifier_block parvus_panic_block = {
	.notifier_call = parvus_panic,
	.priority = INT_MIN,
};

static uint32_t __init parvus_detect(void) { return parvus_start ? 0x40000000 : 0; }

/* What would change the machine below the hypervisor, or count on being alone on it. */
static void __init parvus_keep_off(void)
{
	boot_hpet_disable = true;
	disable_cpuidle();
	disable_cpufreq();
	acpi_suspend_lowlevel = NULL;
#ifdef CONFIG_NUMA
	numa_off = 1;
#endif
	pr_info("parvus: no HPET: the hypervisor's\n");
	pr_info("parvus: no C-states, no P-states: the hypervisor's\n");
	pr_info("parvus: no suspend, no hibernation: no way back to the hypervisor\n");
	pr_info("parvus: no NUMA: vCPUs have no place\n");
	pr_info("parvus: no IOMMU: its tables are hidden\n");
}

static void __init parvus_init_platform(void)
{
#ifdef CONFIG_KEXEC_CORE
	kexec_load_disabled = 1;
#endif
	pr_info("parvus: no kexec: a kernel of the machine cannot start below the hypervisor\n");
	if (parvus_control_domain()) {
		parvus_keep_off();
		/* what comes by a grant may lie above 4 GiB, wherever our own memory is */
		if (parvus_start->max_gfn > SZ_4G >> PAGE_SHIFT)
			x86_swiotlb_enable = true;
	} else {
		disable_acpi();
		pci_probe = 0;
	}
	parvus_init_sched_clock();
	atomic_notifier_chain_register(&panic_notifier_list, &parvus_panic_block);
}

const struct hypervisor_x86 x86_hyper_parvus __refconst = {
	.name = "Parvus",
	.detect = parvus_detect,
	.type = X86_HYPER_PARVUS,
	.init.init_platform = parvus_init_platform,
	.ignore_nopv = true,
};

static void __init parvus_set_legacy_features(void)
{
	x86_platform.legacy.warm_reset = 0;
	/* read before the direct map is whole; the first MiB is nobody's RAM */
	x86_platform.legacy.reserve_bios_regions = 0;
	if (parvus_control_domain())
		return;
	x86_platform.legacy.rtc = 0;
	x86_platform.legacy.no_vga = 1;
	x86_platform.legacy.i8042 = X86_LEGACY_I8042_PLATFORM_ABSENT;
}

/* Others have no configuration space to probe. */
static int __init parvus_pci_arch_init(void) { return parvus_control_domain(); }

static void __init parvus_init_platform_ops(void)
{
	x86_platform.realmode_reserve = x86_init_noop;
	x86_platform.realmode_init = x86_init_noop;
	x86_platform.set_legacy_features = parvus_set_legacy_features;
	x86_init.acpi.reduced_hw_early_init = x86_init_noop;	/* it would undo what stands here */
	if (parvus_control_domain()) {
		parvus_init_irqs();
	} else {
		x86_init.resources.probe_roms = x86_init_noop;
		x86_init.resources.reserve_resources = x86_init_noop;
	}
	x86_init.irqs.pre_vector_init = parvus_init_vectors;
	x86_init.irqs.intr_mode_select = x86_init_noop;
	x86_init.irqs.intr_mode_init = x86_init_noop;
	x86_init.pci.arch_init = parvus_pci_arch_init;
	legacy_pic = &null_legacy_pic;

	machine_ops.restart = parvus_restart;
	machine_ops.emergency_restart = parvus_emergency_restart;
	machine_ops.halt = parvus_machine_poweroff;
	machine_ops.power_off = parvus_machine_poweroff;
	machine_ops.shutdown = parvus_nothing;
	pm_power_off = parvus_machine_poweroff;
}

/*
 * The zero page that a boot loader would have filled. What lies in RAM and is still
 * needed is reserved: the initrd by setup_arch(), the console page here. Command line
 * and start info are copied.
 */
static void __init parvus_fill_boot_params(const struct parvus_start_info *si)
{
	unsigned int i, n = min_t(unsigned int, si->memory_ranges, PARVUS_MEMORY_RANGES);

	for (i = 0; i < n && i < E820_MAX_ENTRIES_ZEROPAGE; i++)
		boot_params.e820_table[i] = (struct boot_e820_entry) {
			si->memory[i].start, si->memory[i].size, si->memory[i].type };
	boot_params.e820_entries = i;
	boot_params.hdr.version = 0x20c;
	boot_params.hdr.type_of_loader = 0xff;
	boot_params.hdr.cmd_line_ptr = si->cmdline;
	boot_params.hdr.ramdisk_image = si->initrd;
	boot_params.ext_ramdisk_image = si->initrd >> 32;
	boot_params.hdr.ramdisk_size = si->initrd_size;
	boot_params.ext_ramdisk_size = si->initrd_size >> 32;
	boot_params.acpi_rsdp_addr = si->rsdp;
	parvus_screen_info(&boot_params.screen_info, &si->screen);
	strscpy(boot_command_line, __va(si->cmdline), COMMAND_LINE_SIZE);
	/*
	 * Charging kernel memory to cgroups costs 4 MiB for the first per-CPU chunk: its unit is
	 * 2 MiB, and every 4 bytes of it get a pointer. A small domain has no such room.
	 */
	if (si->ram_size < SZ_64M)
		strlcat(boot_command_line, " cgroup.memory=nokmem", COMMAND_LINE_SIZE);
	if (IS_ENABLED(CONFIG_HIBERNATION) && parvus_control_domain())
		strlcat(boot_command_line, " nohibernate", COMMAND_LINE_SIZE);
	if (si->rsdp)	/* behind the start info, or the firmware's */
		memblock_reserve(si->rsdp & PAGE_MASK, PAGE_SIZE);
	if (si->console_gpa)
		memblock_reserve(si->console_gpa & PAGE_MASK, PAGE_SIZE);
}

/*
 * The static tables map 1 GiB at the direct map, executable. init_mem_mapping() wants to
 * make its own: leave it the image alone, which alloc_low_pages() touches, as data.
 */
static void __init parvus_trim_direct_map(void)
{
	unsigned long first = __pa_symbol(_text) >> PMD_SHIFT;
	unsigned long last = (__pa_symbol(__brk_limit) - 1) >> PMD_SHIFT, i;

	for (i = 0; i < PTRS_PER_PMD; i++)
		level2_ident_pgt[i] = __pmd(i < first || i > last ? 0 : (i << PMD_SHIFT) |
				(pgprot_val(PAGE_KERNEL_LARGE) & __supported_pte_mask));
	parvus_flush_all();
}

extern void early_xen_iret_patch(void);
extern void this_cpu_cmpxchg16b_emu(void);

asmlinkage __visible void __init parvus_start_kernel(unsigned long start_gpa)
{
	parvus_area_register(0, this_cpu_ptr(&parvus_area));
	/* the original lies in memory that nobody reserves */
	parvus_start_copy = *(struct parvus_start_info *)__va(start_gpa);
	parvus_start = &parvus_start_copy;

	/* Text is writable until mark_rodata_ro(): redirect what cannot run in ring 3. */
	__text_gen_insn(&early_xen_iret_patch, JMP32_INSN_OPCODE, &early_xen_iret_patch,
			&parvus_iret, JMP32_INSN_SIZE);
	__text_gen_insn(&this_cpu_cmpxchg16b_emu, JMP32_INSN_OPCODE, &this_cpu_cmpxchg16b_emu,
			&parvus_cmpxchg16b, JMP32_INSN_SIZE);

	early_boot_irqs_disabled = true;
	parvus_init_ops();
	parvus_init_mmu();

	/* The hypervisor keeps no global translations of a guest. */
	__supported_pte_mask &= ~_PAGE_GLOBAL;
	__default_kernel_pte_mask &= ~_PAGE_GLOBAL;

	get_cpu_cap(&boot_cpu_data);
	x86_configure_nx();
	parvus_init_caps();
	parvus_init_desc();
	switch_to_new_gdt(0);
	get_cpu_address_sizes(&boot_cpu_data);
	idt_setup_early_handler();

	parvus_init_platform_ops();
	parvus_init_apic();
	parvus_init_smp();
	parvus_init_time();
	parvus_fill_boot_params(parvus_start);
	parvus_init_console();
	parvus_trim_direct_map();

	cr4_init_shadow();
	x86_64_start_reservations((char *)__pa_symbol(&boot_params));
}
