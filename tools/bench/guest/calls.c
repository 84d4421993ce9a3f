// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways of a paravirtualized guest: shared memory, one hypercall, a batch of them. Where
 * a call has a batch form of its own (a range, a count), that is the batch; else a multicall.
 * And what traps because this guest does it as a native kernel would, where it is not one
 * raw instruction (raw.c): faults whose handler does so, SYSRET, a device by port I/O.
 */
#include "calls.h"

#define BATCH 32u

static struct parvus_multicall list[PARVUS_MULTICALL_MAX] __attribute__((aligned(4096)));

void list_set(u64 i, u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	list[i] = (struct parvus_multicall){ .nr = nr, .args = { a, b, c, d, e, f }, .result = -1 };
}
void run_list(u64 count) { parvus_multicall(pa(list), count); }
static void batch(u64 n) { LOOP(n, run_list(BATCH)); }
/* A call that failed would be cheap: it must not go unseen. */
static void list_check(void)
{
	for (unsigned int i = 0; i < BATCH; i++)
		EXPECT_EQ(list[i].result, 0);
}

static void nop(u64 n) { LOOP(n, parvus_nop()); }

/* ---- interrupts ---- */

static volatile struct parvus_vcpu_area *const shared = &area;

static void mask_shared(u64 n)
{
	LOOP(n, shared->irq_enabled = 0; shared->irq_enabled = 1;
	     if (shared->pending) parvus_nop());
}
static void mask_call(u64 n)
{
	LOOP(n, shared->irq_enabled = 0; shared->irq_enabled = 1; parvus_nop());
}

static void irq_setup(void)
{
	for (u8 i = 0; i < BATCH; i++)
		gate_set((u8)(VECTOR_A + i), irq_call);
	irq_on();
}
static void irq_done(void) { irq_off(); }
static void self(u64 n)
{
	LOOP(n, u64 seen = irqs_a; raise_self(VECTOR_A); while (irqs_a == seen) ;);
}
static void self_list(void)
{
	irq_setup();
	for (u64 i = 0; i < BATCH; i++)
		list_set(i, PARVUS_HC_vector_raise, PARVUS_VCPU_SELF, VECTOR_A + i, 0, 0, 0, 0);
}
static void halt_setup(void) { gate_set(VECTOR_A, irq_call); }
static void halt_pending(u64 n) { LOOP(n, irq_off(); raise_self(VECTOR_A); parvus_block()); }

static void block_first(void)
{
	parvus_block();
	irq_off();
}
static void block_second(void)
{
	parvus_block();
	*(volatile u8 *)&areas[1].irq_enabled = 0;
}
static void halt_wake(u64 n)
{
	irq_off();
	ping_pong(n, block_first, block_second);
}

/* Both run and take what comes: an interrupt to another CPU is an IPI of the hypervisor's. */
static void wait_first(void) { __builtin_ia32_pause(); }
static void wait_second(void)
{
	*(volatile u8 *)&areas[1].irq_enabled = 1;
	__builtin_ia32_pause();
}
static void ipi_remote(u64 n)
{
	irq_on();
	ping_pong(n, wait_first, wait_second);
	irq_off();
}
static void smp_setup(void)
{
	gate_set(VECTOR_A, irq_call);
	gate_set(VECTOR_B, irq_b_call);
}

static void timer_setup(void)
{
	gate_set(PARVUS_VECTOR_TIMER, irq_call);
	irq_on();
}
static void timer_done(void)
{
	parvus_timer_set(0);
	irq_off();
}
static void timer_far(u64 n) { LOOP(n, parvus_timer_set(1ull << 60)); }
static void timer_list(void)
{
	timer_setup();
	for (u64 i = 0; i < BATCH; i++)
		list_set(i, PARVUS_HC_timer_set, 1ull << 60, 0, 0, 0, 0, 0);
}
static void timer(u64 n) { LOOP(n, parvus_timer_set(now_ns() + timer_ns); spin()); }
static void timer_empty(u64 n) { LOOP(n, spin()); }

/* As with an x2APIC: its registers are MSRs. */
static void apic_write(u32 msr, u32 v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"(v), "d"(0) : "memory");
}
static void apic_setup(void)
{
	gate_set(VECTOR_A, irq_apic);
	gate_set(PARVUS_VECTOR_TIMER, irq_apic);
	irq_on();
}
static void apic_self(u64 n)
{
	LOOP(n, u64 seen = irqs_a; apic_write(0x83f, VECTOR_A); while (irqs_a == seen) ;);
}
static void apic_timer(u64 n) { LOOP(n, apic_write(0x838, (u32)timer_ns); spin()); }
static void apic_far(u64 n) { LOOP(n, apic_write(0x838, 1u << 31)); }

/* ---- control registers, tables, MSRs ---- */

static u64 current_root;
static void cr2_shared(u64 n) { LOOP(n, (void)shared->cr2); }
static void cr3_own(u64 n) { LOOP(n, (void)*(volatile u64 *)&current_root); }

/* Ids of address spaces; 0 is the anonymous one that raw CR3 writes use. */
#define SPACE 1u
static void to_space(u64 id, u64 gpa) { parvus_mmu_switch(id, gpa, 0, 1, 0, PARVUS_SWITCH_NONE); }
static void space_done(void) { parvus_mmu_switch(0, pa(root), 0, 0, 0, PARVUS_SWITCH_ALL); }
static void cr3_setup(void) { to_space(SPACE, pa(root)); }
static void cr3_call(u64 n) { LOOP(n, to_space(SPACE, pa(root))); }
static void cr3_list(void)
{
	for (u64 i = 0; i < BATCH; i++)
		list_set(i, PARVUS_HC_mmu_switch, SPACE, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE);
}
static void cr3_list_done(void) { list_check(); space_done(); }
static void switch_spaces(u64 n)
{
	LOOP(n, to_space(SPACE + 1, spaces[0]); touch(1); to_space(SPACE + 2, spaces[1]); touch(1));
}

/* What a kernel does for a switch of processes: TLS, address space, user GS. */
static void context_call(u64 n)
{
	LOOP(n, for (u64 i = 0; i < 2; i++) {
		parvus_tls_set(0, 0);
		parvus_tls_set(1, 0);
		parvus_tls_set(2, 0);
		to_space(SPACE + 1 + i, spaces[i]);
		parvus_base_set(PARVUS_BASE_GS_USER, 0x1000);
		touch(1);
	});
}
static void context_setup(void)
{
	spaces_setup();
	for (u64 i = 0; i < 12; i += 6) {
		for (u64 k = 0; k < 3; k++)
			list_set(i + k, PARVUS_HC_tls_set, k, 0, 0, 0, 0, 0);
		list_set(i + 3, PARVUS_HC_mmu_switch, SPACE + 1 + i / 6, spaces[i / 6], 0, 1, 0,
			 PARVUS_SWITCH_NONE);
		list_set(i + 4, PARVUS_HC_base_set, PARVUS_BASE_GS_USER, 0x1000, 0, 0, 0, 0);
	}
}
static void context_list(u64 n)
{
	LOOP(n, parvus_multicall(pa(list), 5); touch(1); parvus_multicall(pa(list + 6), 5);
	     touch(1));
}

static struct parvus_trap gates[PARVUS_TRAPS] __attribute__((aligned(4096)));
static void idt_setup(void)
{
	for (unsigned int i = 0; i < PARVUS_TRAPS; i++)
		gates[i] = (struct parvus_trap){ .address = (u64)stubs + 16 * i, .vector = (u8)i,
						 .dpl = i == 3 || i == 4 || i == 0x80 ? 3 : 0 };
}
static void idt_call(u64 n) { LOOP(n, parvus_traps_set(pa(gates), PARVUS_TRAPS)); }
static void gate_call(u64 n) { LOOP(n, parvus_traps_set(pa(gates), 1)); }

static void tls_call(u64 n) { LOOP(n, for (u64 i = 0; i < 3; i++) parvus_tls_set(i, 0)); }
static void tls_setup(void)
{
	for (u64 i = 0; i < 3; i++)
		list_set(i, PARVUS_HC_tls_set, i, 0, 0, 0, 0, 0);
}
static void tls_list(u64 n) { LOOP(n, run_list(3)); }

#define USER_GS 0xc0000102u
static void gs_read_shared(u64 n) { LOOP(n, (void)shared->user_gs_base); }
static void gs_write_shared(u64 n) { LOOP(n, shared->user_gs_base = 0x1000); }
static void msr_read(u64 n) { LOOP(n, parvus_msr_read(USER_GS); (void)shared->ret[0]); }
static void msr_write(u64 n) { LOOP(n, parvus_msr_write(USER_GS, 0x1000)); }
static void msr_list(void)
{
	for (u64 i = 0; i < BATCH; i++)
		list_set(i, PARVUS_HC_msr_write, USER_GS, 0x1000, 0, 0, 0, 0);
}
static void cpuid_call(u64 n) { LOOP(n, parvus_cpuid(1, 0); (void)shared->ret[0]); }

/* ---- pages ---- */

static void flush_range(u64 pages)
{
	parvus_mmu_flush(0, 0, RANGE, RANGE + pages * PAGE, PAGE, PARVUS_FLUSH_CURRENT);
}
/* Entries are plain memory here. */
static void plain_setup(void)
{
	range_setup();
	view = va(tables);
}
static void present_setup(void)
{
	plain_setup();
	range_present();
}
static void flush_call(u64 n) { LOOP(n, flush_page(RANGE); touch(1)); }
static void flush_list_setup(void)
{
	present_setup();
	for (u64 i = 0; i < BATCH; i++)
		list_set(i, PARVUS_HC_mmu_flush, 0, 0, RANGE + i * PAGE, RANGE + (i + 1) * PAGE,
			 PAGE, PARVUS_FLUSH_CURRENT);
}
static void flush_list(u64 n) { LOOP(n, run_list(BATCH); touch(BATCH)); }
static void flush_64(u64 n) { LOOP(n, for (u64 i = 0; i < 64; i++) flush_page(RANGE + i * PAGE)); }
static void flush_64_range(u64 n) { LOOP(n, flush_range(64)); }

static void update(u64 pages, bool one_by_one)
{
	for (u64 i = 0; i < pages; i++) {
		pte_store(&view[i], RANGE_VALUE & ~W);
		if (one_by_one)
			flush_page(RANGE + i * PAGE);
	}
	if (!one_by_one)
		flush_range(pages);
}
static void update_1(u64 n) { LOOP(n, update(1, true)); }
static void update_64(u64 n) { LOOP(n, update(64, true)); }
static void update_2048(u64 n) { LOOP(n, update(2048, true)); }
static void update_64_range(u64 n) { LOOP(n, update(64, false)); }
static void update_2048_range(u64 n) { LOOP(n, update(2048, false)); }

static void map_unmap(u64 n)
{
	LOOP(n, pte_store(view, RANGE_VALUE); touch(1); pte_store(view, 0); flush_page(RANGE));
}
static void map_unmap_range(u64 n)
{
	LOOP(n, set_64(1); touch(64);
	     for (u64 i = 0; i < 64; i++) pte_store(&view[i], 0);
	     flush_range(64));
}

/* ---- faults, system calls ---- */

static void fault_call_setup(void)
{
	fault_setup();
	view = va(tables);
	fault_table = (u64)view;
	gate_set(14, fault_call);
}
/* The handler works as on the bare machine, but for IRET to user mode, which cannot trap. */
static void fault_trap_setup(void)
{
	fault_setup();
	gate_set(14, fault_trap);
}
static void ud_setup(void) { gate_set(6, ud_call); }
static void call_setup(void) { syscall_set(syscall_light); }
static void call_trap_setup(void) { syscall_set(syscall_raw); }
static const u8 code_return[] = { 0x0f, 0x05 };
static void return_setup(void)
{
	syscall_set(return_stub);
	user_code(code_return, sizeof(code_return));
}
static void return_raw_setup(void)
{
	syscall_set(return_stub_raw);
	user_code(code_return, sizeof(code_return));
}

/* ---- a device by port I/O: as ATA in PIO mode, 8 sectors by one string instruction ---- */

static void out(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "d"((u16)(DEVICE + port)));
}
static u8 in(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "d"((u16)(DEVICE + port)));
	return v;
}
static void command(u8 sectors, u8 place, u8 what)
{
	out(2, sectors);
	out(3, place);
	out(4, 0);
	out(5, 0);
	out(6, 0xe0);
	out(7, what);
	while (in(7) != 0x50)
		;
}
static void device_read(u64 bytes)
{
	void *to = buffer;
	u64 words = bytes / 2;

	memset(buffer, 0, PAGE);
	__asm__ volatile("rep insw" : "+D"(to), "+c"(words) : "d"((u16)DEVICE) : "memory");
}
/* The device holds what disk_fill() makes, from 4096 on. */
static void device_fill(void)
{
	const void *from = disk + PAGE;
	u64 words = PAGE / 2;

	disk_fill();
	command(8, 8, 0xc5);
	__asm__ volatile("rep outsw" : "+S"(from), "+c"(words) : "d"((u16)DEVICE) : "memory");
}
static bool check_block(u64 n) { (void)n; return buffer_is(PAGE, PAGE); }
static void packet_fill(void)
{
	disk_fill();
	page_copy(buffer, disk, PAGE);
}
static bool check_packet(u64 n)
{
	(void)n;
	command(0, 0, 0xc4);
	device_read(1500);
	return buffer_is(0, 1500);
}
static void block_string(u64 n)
{
	LOOP(n, void *to = buffer; u64 words = PAGE / 2; command(8, 8, 0xc4);
	     __asm__ volatile("rep insw" : "+D"(to), "+c"(words) : "d"((u16)DEVICE) : "memory"));
}
static void block_words(u64 n)
{
	LOOP(n, command(8, 8, 0x20);
	     for (u64 i = 0; i < PAGE / 2; i++)
		     __asm__ volatile("inw %1, %0" : "=a"(((u16 *)buffer)[i]) :
				      "d"((u16)DEVICE) : "memory"));
}
static void packet_string(u64 n)
{
	LOOP(n, const void *from = buffer; u64 words = 750; command(0, 0, 0xc5);
	     __asm__ volatile("rep outsw" : "+S"(from), "+c"(words) : "d"((u16)DEVICE) : "memory");
	     out(7, 0xca); (void)in(7));
}

#define SHARED(what, count, fn, ...)	OP(what, "shared", count, fn, ##__VA_ARGS__)
#define BATCHED(what, count, fn, ...)	OP(what, "batched", count, fn, ##__VA_ARGS__)
#define CALL(what, count, fn, ...)	OP(what, "hypercall", count, fn, ##__VA_ARGS__)
#define TRAP(what, count, fn, ...)	OP(what, "trap", count, fn, ##__VA_ARGS__)
#define PTES(kind, ...)			.setup = plain_setup, .reset = range_##kind, ##__VA_ARGS__

const struct op call_ops[] = {
	CALL("nop", 1000, nop),
	SHARED("mask-interrupts", 1000, mask_shared),
	CALL("mask-interrupts", 1000, mask_call, .done = irq_done),
	SHARED("read-cr2", 1000, cr2_shared),
	SHARED("read-cr3", 1000, cr3_own),
	CALL("write-cr3", 500, cr3_call, .setup = cr3_setup, .done = space_done),
	BATCHED("write-cr3", 16, batch, .per = BATCH, .setup = cr3_list, .done = cr3_list_done),
	CALL("switch-aspace", 100, switch_spaces, .per = 2, .setup = spaces_setup,
	     .done = space_done),
	CALL("context-switch", 100, context_call, .per = 2, .setup = spaces_setup,
	     .done = space_done),
	BATCHED("context-switch", 100, context_list, .per = 2, .setup = context_setup,
		.done = space_done),
	CALL("invlpg", 500, flush_call, .setup = present_setup),
	BATCHED("invlpg", 16, flush_list, .per = BATCH, .setup = flush_list_setup,
		.done = list_check),
	CALL("flush-range-64", 16, flush_64, PTES(present)),
	BATCHED("flush-range-64", 16, flush_64_range, PTES(present)),
	SHARED("pte-set-1", 64, set_1, PTES(absent, .check = check_set)),
	SHARED("pte-set-64", 16, set_64, PTES(absent, .check = check_set)),
	SHARED("pte-set-2048", 4, set_2048, PTES(absent, .check = check_set)),
	CALL("pte-update-1", 64, update_1, PTES(present, .check = check_updated)),
	CALL("pte-update-64", 16, update_64, PTES(present, .check = check_updated)),
	CALL("pte-update-2048", 4, update_2048, PTES(present, .check = check_updated)),
	BATCHED("pte-update-64", 16, update_64_range, PTES(present, .check = check_updated)),
	BATCHED("pte-update-2048", 4, update_2048_range, PTES(present, .check = check_updated)),
	CALL("map-unmap", 200, map_unmap, .setup = plain_setup),
	BATCHED("map-unmap", 8, map_unmap_range, .per = 64, .setup = plain_setup),
	CALL("page-fault", 2, fault_user, .per = FAULT_PAGES, .setup = fault_call_setup,
	     .reset = range_absent, .empty = fault_user_empty, .check = check_faulted),
	TRAP("page-fault", 2, fault_user, .per = FAULT_PAGES, .setup = fault_trap_setup,
	     .reset = range_absent, .empty = fault_user_empty,
	     .check = check_faulted, .needs = NEED_WATCH),
	CALL("page-fault-kernel", 2, fault_kernel, .per = FAULT_PAGES, .setup = fault_call_setup,
	     .reset = range_absent, .empty = fault_kernel_empty, .check = check_faulted),
	CALL("exception", 500, exception, .setup = ud_setup),
	CALL("system-call", 1000, syscall_loop, .setup = call_setup, .empty = syscall_loop_empty),
	TRAP("system-call", 1000, syscall_loop, .setup = call_trap_setup,
	     .empty = syscall_loop_empty,
	     .needs = NEED_WATCH),
	CALL("return-to-user", 1000, return_loop, .setup = return_setup),
	TRAP("return-to-user", 1000, return_loop_raw, .setup = return_raw_setup,
	     .needs = NEED_WATCH),
	CALL("load-idt", 20, idt_call, .setup = idt_setup),
	CALL("set-gate", 500, gate_call, .setup = idt_setup),
	CALL("load-tls", 500, tls_call),
	BATCHED("load-tls", 500, tls_list, .setup = tls_setup),
	SHARED("rdmsr", 500, gs_read_shared),
	CALL("rdmsr", 500, msr_read),
	SHARED("wrmsr", 500, gs_write_shared),
	CALL("wrmsr", 500, msr_write),
	BATCHED("wrmsr", 16, batch, .per = BATCH, .setup = msr_list, .done = list_check),
	CALL("cpuid", 500, cpuid_call),
	CALL("halt-pending", 200, halt_pending, .setup = halt_setup, .done = irq_done,
	     .check = check_irqs),
	CALL("ipi", 500, self, .setup = irq_setup, .done = irq_done, .check = check_irqs),
	BATCHED("ipi", 16, batch, .per = BATCH, .setup = self_list, .done = irq_done,
		.check = check_irqs),
	CALL("timer-set", 500, timer_far, .setup = timer_setup, .done = timer_done),
	BATCHED("timer-set", 16, batch, .per = BATCH, .setup = timer_list, .done = timer_done),
	CALL("timer", 100, timer, .setup = timer_setup, .done = timer_done, .empty = timer_empty,
	     .check = check_timer),
	TRAP("ipi", 500, apic_self, .setup = apic_setup, .done = irq_done,
	     .check = check_irqs, .needs = NEED_WATCH),
	TRAP("timer-set", 500, apic_far, .setup = apic_setup, .done = timer_done,
	     .needs = NEED_WATCH),
	TRAP("timer", 100, apic_timer, .setup = apic_setup, .done = timer_done,
	     .empty = timer_empty,
	     .check = check_timer, .needs = NEED_WATCH),
	TRAP("block-4k", 20, block_string, .setup = device_fill,
	     .check = check_block, .needs = NEED_DEVICE),
	TRAP("block-4k-words", 2, block_words, .setup = device_fill,
	     .check = check_block, .needs = NEED_DEVICE),
	TRAP("network-1500", 50, packet_string, .setup = packet_fill,
	     .check = check_packet, .needs = NEED_DEVICE),
};
const u64 call_count = sizeof(call_ops) / sizeof(call_ops[0]);

const struct op call_smp_ops[] = {
	CALL("halt-wake", 200, halt_wake, .setup = smp_setup, .check = check_irqs),
	CALL("ipi-remote", 200, ipi_remote, .per = 2, .setup = smp_setup, .check = check_both),
};
const u64 call_smp_count = sizeof(call_smp_ops) / sizeof(call_smp_ops[0]);
