// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad arguments of every call fail with the documented error, and change nothing.
 * @hv debug=1
 */
#include "lib/grant.h"
#include <parvus/device.h>
#include <parvus/event.h>

#define NOWHERE	0x123456789000ull	/* beyond any memory */

static u8 buf[4096] __attribute__((aligned(4096)));

static void callbacks(void)
{
	struct parvus_callbacks *c = (void *)buf;

	BAD(parvus_callbacks_set(NOWHERE), PARVUS_EFAULT);
	BAD(parvus_callbacks_set(start_info->ram_size - 8), PARVUS_EFAULT);
	BAD(parvus_callbacks_set(~0ull), PARVUS_EFAULT);
	for (u32 i = 0; i < sizeof(*c); i++)
		buf[i] = 0;
	BAD(parvus_callbacks_set(pa(c)), PARVUS_EINVAL);
	c->size = sizeof(*c);
	c->version = 2;
	BAD(parvus_callbacks_set(pa(c)), PARVUS_EINVAL);
	c->version = 1;
	c->crit_start = 1;
	BAD(parvus_callbacks_set(pa(c)), PARVUS_EINVAL);
	c->crit_start = 0;
	c->reserved[1] = 1;
	BAD(parvus_callbacks_set(pa(c)), PARVUS_EINVAL);
	c->reserved[1] = 0;
	c->syscall_entry = 0x800000000000;
	BAD(parvus_callbacks_set(pa(c)), PARVUS_EINVAL);
}

static void traps(void)
{
	struct parvus_trap *t = (void *)buf;

	for (u32 i = 0; i < sizeof(*t); i++)
		buf[i] = 0;
	BAD(parvus_traps_set(NOWHERE, 1), PARVUS_EFAULT);
	BAD(parvus_traps_set(pa(t), 257), PARVUS_E2BIG);
	BAD(parvus_traps_set(pa(t), ~0ull), PARVUS_E2BIG);
	EXPECT_EQ(parvus_traps_set(NOWHERE, 0), 0);
	t->vector = 200;
	t->dpl = 1;
	BAD(parvus_traps_set(pa(t), 1), PARVUS_EINVAL);
	t->dpl = 0;
	t->flags = 2;
	BAD(parvus_traps_set(pa(t), 1), PARVUS_EINVAL);
	t->flags = 0;
	t->reserved0[4] = 1;
	BAD(parvus_traps_set(pa(t), 1), PARVUS_EINVAL);
	t->reserved0[4] = 0;
	t->address = 0xf000000000000000;
	BAD(parvus_traps_set(pa(t), 1), PARVUS_EINVAL);
}

static void registrations(void)
{
	const u64 self = PARVUS_VCPU_SELF, size = PARVUS_VCPU_AREA_SIZE;

	BAD(parvus_area_register(7, pa(buf), size, 1), PARVUS_EINVAL);
	BAD(parvus_area_register(self, pa(buf), size + 1, 1), PARVUS_EINVAL);
	BAD(parvus_area_register(self, pa(buf), size, 2), PARVUS_EINVAL);
	BAD(parvus_area_register(self, pa(buf) + 8, size, 1), PARVUS_EFAULT);
	BAD(parvus_area_register(self, pa(buf) + 4096 - 64, size, 1), PARVUS_EFAULT);
	BAD(parvus_area_register(self, NOWHERE, size, 1), PARVUS_EFAULT);
	BAD(parvus_area_register(self, ~0ull << 6, size, 1), PARVUS_EFAULT);
	BAD(parvus_clock_register(9, pa(buf)), PARVUS_EINVAL);
	BAD(parvus_clock_register(self, pa(buf) + 32), PARVUS_EFAULT);
	BAD(parvus_clock_register(self, NOWHERE), PARVUS_EFAULT);
}

static void registers(void)
{
	BAD(parvus_tls_set(4, 0), PARVUS_EINVAL);
	BAD(parvus_tls_set(~0ull, 0), PARVUS_EINVAL);
	BAD(parvus_tls_set(0, 0x00af9b000000ffff), PARVUS_EINVAL);	/* DPL 0 code */
	BAD(parvus_tls_set(0, 0x00affb000000ffff), PARVUS_EINVAL);	/* long mode code */
	BAD(parvus_tls_set(0, 0x000089000000ffff), PARVUS_EINVAL);	/* a TSS */
	BAD(parvus_tls_set(0, 0x0000ec000000ffff), PARVUS_EINVAL);	/* a call gate */
	BAD(parvus_tls_set(0, 0x0000f3000000ffff), PARVUS_EINVAL);	/* 16-bit data */
	BAD(parvus_tls_set(3, 0x00affb000000ffff), PARVUS_EINVAL);	/* code as CPU number */
	BAD(parvus_base_set(9, 0), PARVUS_EINVAL);
	BAD(parvus_base_set(PARVUS_BASE_FS, 0x800000000000), PARVUS_EINVAL);
	BAD(parvus_base_set(PARVUS_BASE_GS_KERNEL, 0x8000000000000000), PARVUS_EINVAL);
	BAD(parvus_base_set(PARVUS_BASE_GS_USER, 0x0100000000000000), PARVUS_EINVAL);
	BAD(parvus_base_set(PARVUS_SEL_GS_USER, 0x10000), PARVUS_EINVAL);
	BAD(parvus_base_set(PARVUS_SEL_GS_USER, 0x80), PARVUS_EINVAL);	/* the hypervisor's code */
	BAD(parvus_base_set(PARVUS_SEL_GS_USER, 0x63), PARVUS_EINVAL);	/* TLS 0, not set */
	BAD(parvus_base_set(PARVUS_SEL_GS_USER, 0x67), PARVUS_EINVAL);	/* LDT */
	BAD(parvus_msr_read(0x100000010), PARVUS_EINVAL);
	BAD(parvus_msr_read(0x12345678), PARVUS_EINVAL);
	BAD(parvus_msr_write(0x12345678, 0), PARVUS_EINVAL);
	BAD(parvus_msr_write(0x1b, 0), PARVUS_EINVAL);
	BAD(parvus_msr_write(0xc0000100, 0x800000000000), PARVUS_EINVAL);
	BAD(parvus_cpuid(0x100000000, 0), PARVUS_EINVAL);
	BAD(parvus_debugreg_set(8, 0), PARVUS_EINVAL);
	BAD(parvus_debugreg_set(4, 0), PARVUS_EINVAL);
	BAD(parvus_debugreg_set(0, PARVUS_HOLE_START), PARVUS_EINVAL);
	BAD(parvus_debugreg_set(1, 0x800000000000), PARVUS_EINVAL);
	BAD(parvus_debugreg_set(7, 0x100000000), PARVUS_EINVAL);
	EXPECT_EQ(parvus_debugreg_set(7, 0x2000), 0);	/* GD is dropped, not kept and not obeyed */
	EXPECT_EQ(parvus_debugreg_get(7), 0);
	EXPECT_EQ(area.ret[0], 0x400);
	BAD(parvus_debugreg_get(5), PARVUS_EINVAL);
	BAD(parvus_debugreg_get(~0ull), PARVUS_EINVAL);
	BAD(parvus_features(4), PARVUS_EINVAL);
}

static void mmu(void)
{
	BAD(parvus_mmu_switch(1, 1, 0, 0, 0, 0), PARVUS_EINVAL);
	BAD(parvus_mmu_switch(1, pa(root), 1, 0, 0, 0), PARVUS_EINVAL);
	BAD(parvus_mmu_switch(1, pa(root), 0, 0, 0, 4), PARVUS_EINVAL);
	BAD(parvus_mmu_switch(1, NOWHERE, 0, 0, 0, 0), PARVUS_EFAULT);
	BAD(parvus_mmu_switch(1, ~0ull << 12, 0, 0, 0, 0), PARVUS_EFAULT);
	BAD(parvus_mmu_switch(1, pa(root), 0, 0, NOWHERE, 0), PARVUS_EFAULT);
	BAD(parvus_mmu_switch(1, pa(root), 0, 0, pa(buf) + 4, 0), PARVUS_EFAULT);
	BAD(parvus_mmu_flush(0, 0, 0, 4096, 4096, 6), PARVUS_EINVAL);
	BAD(parvus_mmu_flush(0, 0, 0, 4096, 4096, 0x20), PARVUS_EINVAL);
	BAD(parvus_mmu_flush(0, 0, 1, 4096, 4096, 0), PARVUS_EINVAL);
	BAD(parvus_mmu_flush(0, 0, 8192, 4096, 4096, 0), PARVUS_EINVAL);
	BAD(parvus_mmu_flush(0, 0, 0, 4096, 3, 0), PARVUS_EINVAL);
	BAD(parvus_mmu_flush(5, 0, 0, 4096, 4096, PARVUS_FLUSH_KERNEL), PARVUS_EINVAL);
	EXPECT_EQ(parvus_mmu_flush(0, 0, 4096, 4096, 4096, 0), 0);
	EXPECT_EQ(parvus_mmu_flush(777, 1, 0, 4096, 4096, 0), 0); /* unknown ids hold nothing */
	EXPECT_EQ(parvus_mmu_release(777), 0);
	EXPECT_EQ(parvus_mmu_release(0), 0);
	EXPECT_EQ(parvus_mmu_age(777), 0);
	BAD(parvus_mmu_flush_batch(NOWHERE, 1), PARVUS_EFAULT);
	BAD(parvus_mmu_flush_batch(pa(buf), 0), PARVUS_EINVAL);
	BAD(parvus_mmu_flush_batch(pa(buf), 2), PARVUS_E2BIG);
	*(u64 *)buf = 2;
	BAD(parvus_mmu_flush_batch(pa(buf), 1), PARVUS_EINVAL);
}

static void vcpus(void)
{
	struct parvus_vcpu_context *c = (void *)buf;

	for (u32 i = 0; i < sizeof(*c); i++)
		buf[i] = 0;
	BAD(parvus_vcpu_start(1, pa(c)), PARVUS_EINVAL);
	BAD(parvus_vcpu_start(~0ull, pa(c)), PARVUS_EINVAL);
	BAD(parvus_vcpu_start(0, NOWHERE), PARVUS_EFAULT);
	BAD(parvus_vcpu_start(0, pa(c)), PARVUS_EINVAL);
	c->size = sizeof(*c);
	c->version = 1;
	c->rip = 0x800000000000;
	BAD(parvus_vcpu_start(0, pa(c)), PARVUS_EINVAL);
	c->rip = 0;
	c->root = NOWHERE;
	BAD(parvus_vcpu_start(0, pa(c)), PARVUS_EFAULT);
	c->root = pa(root);
	BAD(parvus_vcpu_start(0, pa(c)), PARVUS_EBUSY);
	BAD(parvus_vcpu_state(3), PARVUS_EINVAL);
	EXPECT_EQ(parvus_vcpu_state(0), 1);
	BAD(parvus_shutdown(9, 0), PARVUS_EINVAL);
	BAD(parvus_shutdown(PARVUS_SHUTDOWN_KILLED, 0), PARVUS_EINVAL);
	BAD(parvus_shutdown(PARVUS_SHUTDOWN_SUSPEND, 0), PARVUS_EINVAL);
	BAD(parvus_shutdown(0, 256), PARVUS_EINVAL);
	BAD(parvus_ipi_send(31, pa(buf), 1), PARVUS_EINVAL);
	BAD(parvus_ipi_send(256, pa(buf), 1), PARVUS_EINVAL);
	BAD(parvus_ipi_send(40, NOWHERE, 1), PARVUS_EFAULT);
	BAD(parvus_ipi_send(40, pa(buf), 3), PARVUS_E2BIG);
	*(u64 *)buf = 1ull << 63;
	BAD(parvus_ipi_send(40, pa(buf), 1), PARVUS_EINVAL);
	BAD(parvus_vector_raise(1, 40), PARVUS_EINVAL);
	BAD(parvus_vector_raise(0, 14), PARVUS_EINVAL);
	BAD(parvus_vector_raise(0, 0x100), PARVUS_EINVAL);
}

static void buffers(void)
{
	struct parvus_multicall *m = (void *)buf;

	BAD(parvus_console_write(NOWHERE, 10), PARVUS_EFAULT);
	BAD(parvus_console_write(start_info->ram_size - 4, 10), PARVUS_EFAULT);
	EXPECT_EQ(parvus_console_write(NOWHERE, 0), 0);
	/* as far as the sixteen that are taken, not one beyond */
	EXPECT_EQ(parvus_console_write(start_info->ram_size - 16, 4096), 16);
	BAD(parvus_log_write(NOWHERE, 10), PARVUS_EFAULT);
	BAD(parvus_log_write(pa(buf), 256), PARVUS_E2BIG);
	BAD(parvus_stats_read(0, NOWHERE, 704), PARVUS_EFAULT);
	BAD(parvus_stats_read(5, pa(buf), 704), PARVUS_EINVAL);
	BAD(parvus_stats_read(0, pa(buf), 4), PARVUS_EINVAL);
	BAD(parvus_multicall(NOWHERE, 1), PARVUS_EFAULT);
	BAD(parvus_multicall(pa(buf), 65), PARVUS_E2BIG);
	BAD(parvus_debug_hash(NOWHERE, 1), PARVUS_EFAULT);
	BAD(parvus_debug_hash(0, 1 << 21), PARVUS_E2BIG);
	BAD(parvus_debug_info(NOWHERE, 64), PARVUS_EFAULT);
	BAD(parvus_debug_info(pa(buf), 7), PARVUS_EINVAL);
	BAD(parvus_debug_info(pa(buf), 4097), PARVUS_EINVAL);
	m[0].nr = PARVUS_HC_multicall;
	m[1].nr = PARVUS_HC_iret;
	m[2].nr = PARVUS_HC_block;
	m[3].nr = 999;
	m[4].nr = PARVUS_HC_nop;
	m[5].nr = PARVUS_HC_memory_op;
	m[6].nr = PARVUS_HC_grant_op;
	m[7].nr = PARVUS_HC_device_op;
	EXPECT_EQ(parvus_multicall(pa(buf), 8), 0);
	for (int i = 0; i < 3; i++)
		BAD(m[i].result, PARVUS_EINVAL);
	BAD(m[3].result, PARVUS_ENOSYS);
	EXPECT_EQ(m[4].result, 0);
	for (int i = 5; i < 8; i++)
		BAD(m[i].result, PARVUS_EINVAL);
	/* a list that is gone on with behind its third entry, its last, and one it has not */
	m[2].result = m[3].result = 77;
	EXPECT_EQ(hypercall(PARVUS_HC_multicall | 3ull << 32, pa(buf), 8, 0, 0, 0, 0), 0);
	EXPECT_EQ(m[2].result, 77);
	BAD(m[3].result, PARVUS_ENOSYS);
	m[3].result = 77;
	EXPECT_EQ(hypercall(PARVUS_HC_multicall | 8ull << 32, pa(buf), 8, 0, 0, 0, 0), 0);
	EXPECT_EQ(m[3].result, 77);
	BAD(hypercall(PARVUS_HC_multicall | 9ull << 32, pa(buf), 8, 0, 0, 0, 0), PARVUS_EINVAL);
	BAD(hypercall(PARVUS_HC_nop | 1ull << 32, 0, 0, 0, 0, 0, 0), PARVUS_ENOSYS);
}

/* The members of the structures are for event_bad.c and device.c. */
static void events(void)
{
	for (u64 op = PARVUS_EVENT_REGISTER; op <= PARVUS_EVENT_SET; op++) {
		bool port = op == PARVUS_EVENT_CLOSE || op == PARVUS_EVENT_SEND ||
			    op == PARVUS_EVENT_UNMASK;

		BAD(parvus_event_op(op, ~0ull), port ? PARVUS_EINVAL : PARVUS_EFAULT);
		BAD(parvus_event_op(op, NOWHERE), port ? PARVUS_EINVAL : PARVUS_EFAULT);
		BAD(parvus_event_op(op, start_info->ram_size - 8),
		    port ? PARVUS_EINVAL : PARVUS_EFAULT);
		if (port) {
			BAD(parvus_event_op(op, 0), PARVUS_EINVAL);
			BAD(parvus_event_op(op, PARVUS_EVENT_PORTS), PARVUS_EINVAL);
			BAD(parvus_event_op(op, 1), PARVUS_ENOENT);
		}
	}
	for (u32 i = 0; i < sizeof(struct parvus_event_bind); i++)
		buf[i] = 0;
	BAD(parvus_event_op(PARVUS_EVENT_REGISTER, pa(buf) + 512), PARVUS_EFAULT);
	BAD(parvus_event_op(PARVUS_EVENT_BIND, pa(buf)), PARVUS_EINVAL);
	BAD(parvus_event_op(PARVUS_EVENT_STATUS, pa(buf)), PARVUS_EINVAL);
	BAD(parvus_event_op(PARVUS_EVENT_SET, pa(buf)), PARVUS_EINVAL);
	BAD(parvus_event_op(PARVUS_EVENT_SET + 1, pa(buf)), PARVUS_ENOSYS);
	BAD(parvus_event_op(~0ull, pa(buf)), PARVUS_ENOSYS);
}

static void devices(void)
{
	for (u64 op = PARVUS_DEVICE_CREATE; op <= PARVUS_DEVICE_RESUME; op++) {
		bool control = op == PARVUS_DEVICE_CREATE || op == PARVUS_DEVICE_REMOVE ||
			       op >= PARVUS_DEVICE_CONFIGURE;

		BAD(parvus_device_op(op, NOWHERE), control ? PARVUS_EPERM : PARVUS_EFAULT);
		BAD(parvus_device_op(op, ~0ull), control ? PARVUS_EPERM : PARVUS_EFAULT);
		BAD(parvus_device_op(op, start_info->ram_size - 8),
		    control ? PARVUS_EPERM : PARVUS_EFAULT);
		for (u32 i = 0; i < sizeof(struct parvus_device); i++)
			buf[i] = 0;
		BAD(parvus_device_op(op, pa(buf)), control ? PARVUS_EPERM : PARVUS_EINVAL);
	}
	BAD(parvus_device_op(PARVUS_DEVICE_RESUME + 1, pa(buf)), PARVUS_ENOSYS);
	BAD(parvus_device_op(~0ull, pa(buf)), PARVUS_ENOSYS);
}

static void grants(void)
{
	struct parvus_grant_offer *o = (void *)buf;
	struct parvus_grant_map *m = (void *)buf;
	u32 none;

	BAD(parvus_grant_op(5, pa(buf), 1), PARVUS_ENOSYS);
	BAD(parvus_grant_op(~0ull, pa(buf), 1), PARVUS_ENOSYS);
	for (u64 op = 0; op < 5; op++) {
		BAD(parvus_grant_op(op, pa(buf), 257), PARVUS_E2BIG);
		BAD(parvus_grant_op(op, pa(buf), ~0ull), PARVUS_E2BIG);
		BAD(parvus_grant_op(op, NOWHERE, 1), PARVUS_EFAULT);
		BAD(parvus_grant_op(op, start_info->ram_size - 4, 1), PARVUS_EFAULT);
		BAD(parvus_grant_op(op, ~0ull - 7, 256), PARVUS_EFAULT);
		EXPECT_EQ(parvus_grant_op(op, NOWHERE, 0), 0);
	}
	BAD(offer(pa(buf), 1, 0, &none), PARVUS_ENOENT);
	BAD(offer(pa(buf), ~0u, 0, &none), PARVUS_ENOENT);
	BAD(offer(pa(buf), ME, 0, &none), PARVUS_EINVAL);
	BAD(offer(pa(buf), ME, 2, &none), PARVUS_EINVAL);
	BAD(revoke(0), PARVUS_ENOENT);
	BAD(revoke(~0u), PARVUS_ENOENT);
	BAD(grant_map(ME, 1, 0, NOWHERE, &none), PARVUS_ENOENT);
	BAD(grant_map(~0u, 1, 0, NOWHERE, &none), PARVUS_ENOENT);
	BAD(grant_map(ME, 1, 4, NOWHERE, &none), PARVUS_EINVAL);
	*m = (struct parvus_grant_map){ .reserved = 1 };
	EXPECT_EQ(parvus_grant_op(PARVUS_GRANT_MAP, pa(m), 1), 1);
	BAD(m->status, PARVUS_EINVAL);
	BAD(grant_unmap(0, 0), PARVUS_ENOENT);
	BAD(grant_unmap(~0u, ~0ull), PARVUS_ENOENT);
	/* within one's own memory a copy needs no offer */
	buf[0] = 0x5a;
	EXPECT_EQ(grant_copy(end_own(pa(buf)), end_own(pa(buf) + 4095), 1), 0);
	EXPECT_EQ(buf[4095], 0x5a);
	BAD(grant_copy(end_own(pa(buf)), end_own(pa(buf) + 4095), 2), PARVUS_EINVAL);
	BAD(grant_copy(end_own(pa(buf) + 1), end_own(pa(buf)), ~0u), PARVUS_EINVAL);
	BAD(grant_copy(end_own(NOWHERE), end_own(pa(buf)), 1), PARVUS_EFAULT);
	BAD(grant_copy(end_own(pa(buf)), end_own(~0ull), 1), PARVUS_EFAULT);
	BAD(grant_copy(end_own(pa(buf)), end_own(~0xfffull), 1), PARVUS_EFAULT);
	BAD(grant_copy(end_of(ME, 1, 0), end_own(pa(buf)), 1), PARVUS_ENOENT);
	BAD(grant_copy(end_of(77, 1, 0), end_own(pa(buf)), 1), PARVUS_ENOENT);
	*o = (struct parvus_grant_offer){ .gfn = NOWHERE / PAGE, .domain = ME };
	EXPECT_EQ(parvus_grant_op(PARVUS_GRANT_OFFER, pa(o), 1), 1);
	BAD(o->status, PARVUS_EINVAL);
}

static void memory(void)
{
	struct parvus_memory_extent *x = (void *)buf;
	u64 page = page_new();

	BAD(parvus_memory_op(~0ull, pa(buf), 1), PARVUS_ENOSYS);
	BAD(parvus_memory_op(PARVUS_MEMORY_RELEASE, pa(buf), 513), PARVUS_E2BIG);
	BAD(parvus_memory_op(PARVUS_MEMORY_RELEASE, NOWHERE, 1), PARVUS_EFAULT);
	BAD(parvus_memory_op(PARVUS_MEMORY_RELEASE, ~0ull - 7, 2), PARVUS_EFAULT);
	EXPECT_EQ(parvus_memory_op(PARVUS_MEMORY_RELEASE, NOWHERE, 0), 0);
	BAD(release(pa(buf), 0), PARVUS_EINVAL);
	BAD(release(pa(buf), ~0ull), PARVUS_EINVAL);
	BAD(release(NOWHERE, 1), PARVUS_EINVAL);
	BAD(release(pa(&area), 1), PARVUS_EBUSY);
	BAD(parvus_memory_op(PARVUS_MEMORY_INFO, pa(buf), 1), PARVUS_EINVAL);
	BAD(parvus_memory_op(PARVUS_MEMORY_INFO, NOWHERE, 0), PARVUS_EFAULT);
	BAD(parvus_memory_op(PARVUS_MEMORY_POPULATE, pa(buf), 513), PARVUS_E2BIG);
	/* RAM that nobody touched yet is no root, and no place of a counter */
	*x = (struct parvus_memory_extent){ .gfn = page / PAGE, .frames = 1 };
	BAD(parvus_memory_op(PARVUS_MEMORY_POPULATE, pa(x), 1), PARVUS_ENOMEM);
	EXPECT_EQ(release(page, 1), 1);
	EXPECT_EQ(parvus_memory_op(PARVUS_MEMORY_POPULATE, pa(x), 1), 1);
	BAD(parvus_memory_op(PARVUS_MEMORY_NEED, pa(x), 1), PARVUS_ENOMEM);
	EXPECT_EQ(release(page, 1), 1);
	EXPECT_EQ(parvus_memory_op(PARVUS_MEMORY_NEED, pa(x), 1), 1);
	BAD(parvus_memory_op(PARVUS_MEMORY_NEED, pa(buf), 513), PARVUS_E2BIG);
	BAD(parvus_memory_op(PARVUS_MEMORY_NEED, NOWHERE, 1), PARVUS_EFAULT);
	BAD(parvus_mmu_switch(1, page, 0, 0, 0, 0), PARVUS_EFAULT);
	BAD(parvus_mmu_switch(1, pa(root), 0, 0, page, 0), PARVUS_EFAULT);
	EXPECT_EQ(*(volatile u64 *)va(page), 0);
	EXPECT_EQ(parvus_mmu_switch(1, pa(root), 0, 0, page, 0), 0);
	EXPECT_EQ(parvus_mmu_switch(0, pa(root), 0, 0, 0, 0), 0);
}

void test(void)
{
	callbacks();
	traps();
	registrations();
	registers();
	mmu();
	vcpus();
	buffers();
	events();
	devices();
	grants();
	memory();
}
