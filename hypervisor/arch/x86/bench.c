// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the benchmark's build has (make BENCH=1): the ways of a hypervisor that knows
 * nothing of paravirtualization, to compare with. Stores to one page-table frame trap, and
 * are emulated; SYSRET is; and eight ports are a device with 64 KiB, a disk or a network
 * interface by port I/O. One guest at a time, and the least that such emulation can cost.
 */
#include <asm/bench.h>
#include <asm/desc.h>
#include <asm/pv.h>
#include <hv/frame.h>
#include <hv/lib.h>
#include <parvus/hypercalls.h>

#define PORT	0x700u	/* data; then registers: 3 the place, in 512 bytes, 7 command and status */
#define WATCHED	(4 * PAGE_SIZE)

static struct domain *watched;
static u64 watched_gpa, watched_va;
static u8 place, memory[65536];
static u32 at;

/* watch_gfn(gpa, va): the frames from gpa on, which the guest has mapped read-only at va. */
s64 bench_call(struct vcpu *v, struct regs *r, u64 nr)
{
	if (nr != PARVUS_HC_watch_gfn)
		return -PARVUS_ENOSYS;
	if ((r->rdi | r->rsi) & (PAGE_SIZE - 1))
		return -PARVUS_EINVAL;
	watched = v->domain;
	watched_gpa = r->rdi;
	watched_va = r->rsi;
	return 0;
}

/* The one form that is understood: mov %rax, (%rdi). */
bool bench_store(struct vcpu *v, struct regs *r, u64 va, u32 error)
{
	static const u8 form[3] = { 0x48, 0x89, 0x07 };
	u8 insn[sizeof(form)];

	if (v->domain != watched || va - watched_va >= WATCHED || !(error & PF_WRITE) ||
	    !this_pcpu()->kernel_mode)
		return false;
	if (!guest_va_read(v, r->rip, insn, sizeof(insn)) || memcmp(insn, form, sizeof(form)) ||
	    r->rdi != va || (va & 7) ||
	    guest_write(v->domain, watched_gpa + (va - watched_va), &r->rax, 8))
		return false;
	v->stats.emulations++;
	r->rip += sizeof(form);
	return true;
}

bool bench_port(struct vcpu *v, struct regs *r, const struct insn *i)
{
	u32 port = (i->imm_port ? i->port : (u16)r->rdx) - PORT, bytes = i->size;
	bool string = i->op == INSN_INS || i->op == INSN_OUTS;

	if (port > 7)
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
	if (string && i->rep)
		bytes = (u32)min(r->rcx, sizeof(memory) / bytes) * bytes;
	bytes = (u32)min((size_t)bytes, sizeof(memory) - at);
	if (i->op == INSN_IN)
		memcpy(&r->rax, memory + at, bytes);
	else if (i->op == INSN_OUT)
		memcpy(memory + at, &r->rax, bytes);
	else if (i->op == INSN_INS ? !guest_va_write(v, r->rdi, memory + at, bytes) :
				     !guest_va_read(v, r->rsi, memory + at, bytes))
		return false;
	at = (at + bytes) % sizeof(memory);
	*(i->op == INSN_INS ? &r->rdi : &r->rsi) += string ? bytes : 0;
	r->rcx = string && i->rep ? 0 : r->rcx;
	return true;
}

bool bench_sysret(struct vcpu *v, struct regs *r)
{
	u64 frame[5] = { r->rcx, SEL_USER_CS, r->r11, r->rsp, SEL_USER_SS };

	pv_return_to(v, r, frame);
	v->stats.emulations++;
	return true;
}
