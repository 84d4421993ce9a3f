// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: starting and stopping vCPUs. A secondary starts in C with the
 * kernel's page tables and stack, by one hypercall; IPIs are the native ones
 * through apic.c.
 */
#include <linux/init.h>
#include <linux/cpu.h>
#include <linux/nmi.h>
#include <linux/sched/hotplug.h>
#include <linux/sched/task_stack.h>
#include <linux/tick.h>
#include <asm/apic.h>
#include <asm/cpu.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/hw_irq.h>
#include <asm/mmu_context.h>
#include <asm/mpspec.h>
#include <asm/smp.h>
#include <asm/spec-ctrl.h>
#include <asm/x86_init.h>
#include "parvus_arch.h"

static void parvus_bring_up(void)
{
	unsigned int cpu;

	cr4_init();
	cpu_init_exception_handling();	/* with the CPU number for programs */
	cpu_init();
	fpu__init_cpu();
	touch_softlockup_watchdog();
	cpu = smp_processor_id();
	smp_store_cpu_info(cpu);
	cpu_data(cpu).x86_max_cores = 1;
	set_cpu_sibling_map(cpu);
	speculative_store_bypass_ht_init();
	parvus_init_clock_cpu();
	parvus_start_timer_cpu();
	notify_cpu_starting(cpu);
	/* no vector is given out for a CPU that is half there (vector.c) */
	lock_vector_lock();
	set_cpu_online(cpu, true);
	lapic_online();
	unlock_vector_lock();
	cpu_set_state_online(cpu);	/* implies a full barrier */
	local_irq_enable();
}

asmlinkage __visible void parvus_secondary(void)
{
	parvus_bring_up();
	cpu_startup_entry(CPUHP_AP_ONLINE_IDLE);
}

static void __init parvus_get_smp_config(unsigned int early)
{
	unsigned int i, n;

	if (early)
		return;
	n = min_t(unsigned int, parvus_start->vcpus, nr_cpu_ids);
	smp_found_config = 1;	/* else the APIC driver is replaced by one that does nothing */
	num_processors = n;
	for (i = 0; i < n; i++) {
		set_cpu_possible(i, true);
		early_per_cpu(x86_cpu_to_apicid, i) = i;
		early_per_cpu(x86_bios_cpu_apicid, i) = i;
	}
}

static void __init parvus_prepare_cpus(unsigned int max_cpus)
{
	unsigned int cpu;

	smp_prepare_cpus_common();
	cpu_data(0).x86_max_cores = 1;
	speculative_store_bypass_ht_init();
	for_each_possible_cpu(cpu) {
		per_cpu(x86_cpu_to_apicid, cpu) = cpu;
		/* beyond "maxcpus" they are there for later, as on the bare machine */
		set_cpu_present(cpu, max_cpus || cpu == 0);
	}
}

static int parvus_start_vcpu(unsigned int cpu, struct task_struct *idle)
{
	struct parvus_vcpu_context *context = kzalloc(256, GFP_KERNEL);
	int ret;

	if (!context)
		return -ENOMEM;
	context->size = sizeof(*context);
	context->version = 1;
	context->rip = (unsigned long)parvus_cpu_bringup;
	context->rsp = (unsigned long)task_pt_regs(idle);
	context->root = __pa_symbol(swapper_pg_dir);
	context->gs_base = per_cpu_offset(cpu);
	context->area_gpa = __pa(per_cpu_ptr(&parvus_area, cpu));
	per_cpu(parvus_area, cpu).irq_enabled = 0;
	per_cpu(parvus_area, cpu).sp0 = task_top_of_stack(idle);
	ret = parvus_call2(PARVUS_HC_vcpu_start, cpu, __pa(context));
	kfree(context);
	return ret;
}

static int parvus_cpu_up(unsigned int cpu, struct task_struct *idle)
{
	int ret = common_cpu_up(cpu, idle);

	if (!ret)
		ret = cpu_check_up_prepare(cpu);
	if (ret)
		return ret;
	cpumask_set_cpu(cpu, cpu_callout_mask);	/* cpu_init() waits for nothing */
	ret = parvus_start_vcpu(cpu, idle);
	if (ret) {
		cpumask_clear_cpu(cpu, cpu_callout_mask);
		return ret;
	}
	while (cpu_report_state(cpu) != CPU_ONLINE)
		parvus_call0(PARVUS_HC_yield);
	return 0;
}

static int parvus_cpu_disable(void)
{
	int ret = smp_processor_id() ? lapic_can_unplug_cpu() : -EBUSY;

	if (!ret)
		cpu_disable_common();	/* idle_task_exit() leaves the address space */
	return ret;
}

static void parvus_cpu_die(unsigned int cpu)
{
	while (parvus_call1(PARVUS_HC_vcpu_state, cpu) == 1) {
		__set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_timeout(HZ / 10);
	}
	common_cpu_die(cpu);
}

/* The next vcpu_start begins anew at parvus_secondary(), on a fresh idle stack. */
static void parvus_play_dead(void)
{
	play_dead_common();
	for (;;)
		parvus_call0(PARVUS_HC_vcpu_stop);
}

static void parvus_stop_self(void *unused)
{
	load_cr3(swapper_pg_dir);
	set_cpu_online(smp_processor_id(), false);
	for (;;)
		parvus_call0(PARVUS_HC_vcpu_stop);
}

static void parvus_stop_other_cpus(int wait) { smp_call_function(parvus_stop_self, NULL, wait); }

void __init parvus_init_smp(void)
{
	smp_ops.smp_prepare_cpus = parvus_prepare_cpus;
	smp_ops.cpu_up = parvus_cpu_up;
	smp_ops.cpu_disable = parvus_cpu_disable;
	smp_ops.cpu_die = parvus_cpu_die;
	smp_ops.play_dead = parvus_play_dead;
	smp_ops.stop_other_cpus = parvus_stop_other_cpus;
	x86_init.mpparse.find_smp_config = x86_init_noop;
	x86_init.mpparse.get_smp_config = parvus_get_smp_config;
}
