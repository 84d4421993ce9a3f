// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the benchmark's build has (make BENCH=1): the ways of a hypervisor that knows
 * nothing of paravirtualization, to compare with. Stores to one page-table frame trap, and
 * are emulated; so are SYSRET, an x2APIC, and eight ports of a device with 64 KiB, a disk or
 * a network interface. One guest at a time, and the least that such emulation can cost.
 */
#include <x86/desc.h>
#include <x86/pv.h>
#include <core/frame.h>
#include <core/lib.h>
#include <core/memory.h>
#include <core/handlers.h>

#define PORT	0x700u	/* data; then registers: 3 the place, in 512 bytes, 7 command and status */
#define WATCHED	(4 * PAGE_SIZE)

static struct domain *watched;
static u64 watched_gpa, watched_va;
static u8 place, memory[65536];
static u32 at;

/* The frames from @gpa on, which the guest has mapped read-only at @va. */
s64 hc_watch_gfn(struct vcpu *v, u64 gpa, u64 va)
{
	if ((gpa | va) & (PAGE_SIZE - 1))
		return -PARVUS_EINVAL;
	watched = v->domain;
	watched_gpa = gpa;
	watched_va = va;
	return 0;
}

/* The one form that is understood: mov %rax, (%rdi), which is 48 89 07. */
bool bench_store(struct vcpu *v, struct regs *r, u64 va, u32 error)
{
	u32 insn = 0;

	if (v->domain != watched || va - watched_va >= WATCHED || (va & 7) || !(error & PF_WRITE) ||
	    !this_pcpu()->kernel_mode || !guest_va_read(v, r->rip, &insn, 3) || insn != 0x078948 ||
	    r->rdi != va || guest_write(v->domain, watched_gpa + (va - watched_va), &r->rax, 8))
		return false;
	v->stats.emulations++;
	r->rip += 3;
	return true;
}

/* A word in or a string either way at the data port; registers keep nothing but the place. */
bool bench_port(struct vcpu *v, struct regs *r, const struct insn *i)
{
	u32 port = (u16)r->rdx - PORT, bytes = i->size;

	if (port > 7 || i->imm_port)
		return false;
	if (port) {
		if (i->op == INSN_IN)
			r->rax = (r->rax & ~0xffull) | 0x50;	/* ready */
		else if (port == 3)
			place = (u8)r->rax;
		else if (port == 7)
			at = place % (sizeof(memory) / 512) * 512;
		return true;
	}
	if (i->rep)
		bytes = (u32)min(r->rcx, sizeof(memory) / bytes) * bytes;
	bytes = (u32)min((size_t)bytes, sizeof(memory) - at);
	if (i->op == INSN_IN)
		memcpy(&r->rax, memory + at, bytes);
	else if (i->op == INSN_OUT ||
		 (i->op == INSN_INS ? !guest_va_write(v, r->rdi, memory + at, bytes) :
				      !guest_va_read(v, r->rsi, memory + at, bytes)))
		return false;
	at = (at + bytes) % sizeof(memory);
	r->rcx = i->rep ? 0 : r->rcx;
	return true;
}

/* x2APIC: end of interrupt, an interrupt to oneself, the timer's count, in ns. */
bool bench_msr(struct vcpu *v, u32 msr, u64 value)
{
	if (msr == 0x83f && value >= 32 && value < 256)
		vcpu_raise(v, (u8)value);
	else if (msr == 0x838 && !timer_set(&v->timer, this_pcpu()->cpu, arch_now_ns() + value))
		pcpu_timer_arm();
	else
		return msr == 0x80b;
	return true;
}

bool bench_sysret(struct vcpu *v, struct regs *r)
{
	u64 frame[5] = { r->rcx, SEL_USER_CS, r->r11, r->rsp, SEL_USER_SS };

	pv_return_to(v, r, frame);
	v->stats.emulations++;
	return true;
}
