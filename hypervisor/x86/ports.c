// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O ports of domain 0's kernel: its accesses trap, and are done for it where the port is its own.
 * Ours read as ones, and writes to them are dropped. Programs have no ports at all.
 */
#include <x86/pv.h>

#define STRING_MAX	512u		/* bytes that INS and OUTS move before they come again */

static const struct { u16 first, last; } ours[] = {
	{ 0x20, 0x21 }, { 0xa0, 0xa1 }, { 0x4d0, 0x4d1 },	/* 8259s: masked, and stay it */
	{ 0x40, 0x43 },						/* 8254 */
	{ 0x92, 0x92 }, { 0xcf9, 0xcf9 },			/* ways to reset */
	{ 0xe9, 0xe9 },						/* the debug port */
	{ COM1, COM1 + 7 },
};

static bool touches(u32 port, u32 size, u64 first, u64 last)
{
	return port <= last && port + size > first;
}

static bool port_ours(u32 port, u32 size)
{
	bool reset = power.reset.space == REGISTER_PORT, found = false;

	if (port == 0xcf8 && size == 4)		/* PCI's address, which covers a way to reset */
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(ours); i++)
		found |= touches(port, size, ours[i].first, ours[i].last);
	return found || (reset && touches(port, size, power.reset.at, power.reset.at));
}

/* Would it put the machine to sleep? Domain 0 asks the hypervisor for that (shutdown). */
static bool sleeps(u32 port, u32 size, u64 value, u16 pm1)
{
	if (!pm1 || !touches(port, size, pm1, pm1 + 1u))
		return false;
	return (port < pm1 ? value >> 8 * (pm1 - port) : value << 8 * (port - pm1)) & SLP_EN;
}

static u32 port_in(u32 port, u32 size)
{
	if (port_ours(port, size))
		return 0xffffffff;
	return size == 1 ? inb((u16)port) : size == 2 ? inw((u16)port) : inl((u16)port);
}

static void port_out(u32 port, u32 size, u32 value)
{
	if (sleeps(port, size, value, power.pm1a_control) ||
	    sleeps(port, size, value, power.pm1b_control)) {
		log_guest(control_domain(), "ports: domain 0 may not end the machine by port %x",
			  port);
		return;
	}
	if (port_ours(port, size))
		return;
	if (size == 1)
		outb((u16)port, (u8)value);
	else if (size == 2)
		outw((u16)port, (u16)value);
	else
		outl((u16)port, value);
}

/* INS and OUTS, by pieces; rip stays. Memory is tried before a device is read, which is once. */
static bool string_access(struct vcpu *v, struct regs *r, struct insn *i)
{
	u64 *at = i->op == INSN_INS ? &r->rdi : &r->rsi, left = i->rep ? r->rcx : 1, n, k;
	bool down = r->rflags & 0x400;
	u8 buf[STRING_MAX];

	n = min(left, (u64)(down ? 1 : STRING_MAX / i->size));
	if (!n)
		return true;
	if (i->segment_fs || i->segment_gs || !guest_va_read(v, *at, buf, n * i->size) ||
	    (i->op == INSN_INS && !guest_va_write(v, *at, buf, n * i->size)))
		return false;
	for (k = 0; k < n; k++) {
		u32 value = 0;

		if (i->op == INSN_INS) {
			value = port_in((u16)r->rdx, i->size);
			memcpy(buf + k * i->size, &value, i->size);
		} else {
			memcpy(&value, buf + k * i->size, i->size);
			port_out((u16)r->rdx, i->size, value);
		}
	}
	if (i->op == INSN_INS && !guest_va_write(v, *at, buf, n * i->size))
		return false;
	*at += down ? -(u64)i->size : n * i->size;
	if (i->rep)
		r->rcx -= n;
	if (n < left)
		i->length = 0;
	return true;
}

bool port_access(struct vcpu *v, struct regs *r, struct insn *i)
{
	u32 port = i->imm_port ? i->port : (u16)r->rdx;
	u64 mask = i->size == 4 ? ~0ull : (1ull << 8 * i->size) - 1;

	if (i->op == INSN_INS || i->op == INSN_OUTS)
		return string_access(v, r, i);
	if (i->op == INSN_IN)
		r->rax = (r->rax & ~mask) | (port_in(port, i->size) & mask);
	else
		port_out(port, i->size, (u32)(r->rax & mask));
	return true;
}
