// SPDX-License-Identifier: GPL-2.0-only
/* Bad arguments of the event calls fail with the documented error, and make no port. */
#include "lib/event.h"

void test(void)
{
	struct parvus_event_bind *b;
	s64 p, v;

	for (u64 at = 64; at < 4096; at *= 2)
		BAD(parvus_event_op(PARVUS_EVENT_REGISTER, pa(&event_page) + at), PARVUS_EFAULT);
	event_setup();
	BAD(parvus_event_op(PARVUS_EVENT_REGISTER, pa(&event_page)), PARVUS_EBUSY);
	BAD(parvus_event_op(PARVUS_EVENT_REGISTER, pa(&event_page) + 1024), PARVUS_EBUSY);
	for (u64 op = PARVUS_EVENT_BIND; op <= PARVUS_EVENT_SET; op++) {
		if (op >= PARVUS_EVENT_CLOSE && op <= PARVUS_EVENT_UNMASK)
			continue;
		b = event_new();
		b->kind = PARVUS_EVENT_UNBOUND;
		b->domain = SELF;
		b->port = 1;
		b->size += 8;
		BAD(parvus_event_op(op, pa(b)), PARVUS_EINVAL);
		b->size -= 8;
		b->version = 0;
		BAD(parvus_event_op(op, pa(b)), PARVUS_EINVAL);
		b->version = 1;
		b->reserved[0] = 1ull << 63;
		BAD(parvus_event_op(op, pa(b)), PARVUS_EINVAL);
		b->reserved[0] = 0;
		b->port = PARVUS_EVENT_PORTS;
		if (op != PARVUS_EVENT_BIND)
			BAD(parvus_event_op(op, pa(b)), PARVUS_EINVAL);
		b->port = 0x80000001;
		if (op != PARVUS_EVENT_BIND)
			BAD(parvus_event_op(op, pa(b)), PARVUS_EINVAL);
	}
	BAD(event_bind_to(PARVUS_EVENT_CLOSED, SELF, 0, 0, 0, 0), PARVUS_EINVAL);
	BAD(event_bind_to(4, SELF, 0, 0, 0, 0), PARVUS_EINVAL);
	BAD(event_bind_to(PARVUS_EVENT_UNBOUND, SELF, 0, 1, 0, 0), PARVUS_EINVAL);
	BAD(event_bind_to(PARVUS_EVENT_UNBOUND, SELF, 0, PARVUS_VCPU_SELF, 0, 0), PARVUS_EINVAL);
	BAD(event_bind_to(PARVUS_EVENT_UNBOUND, SELF, 0, 0, 2, 0), PARVUS_EINVAL);
	BAD(event_bind_to(PARVUS_EVENT_UNBOUND, SELF, 0, 0, ~0u, 0), PARVUS_EINVAL);
	BAD(event_unbound(99), PARVUS_ENOENT);
	BAD(event_unbound(0x10000), PARVUS_ENOENT);
	BAD(event_unbound(SELF - 1), PARVUS_ENOENT);
	BAD(event_join(SELF, 1), PARVUS_ENOENT);
	BAD(event_join(SELF, 0), PARVUS_ENOENT);
	BAD(event_join(SELF, 4096), PARVUS_ENOENT);
	BAD(event_join(SELF, 0xffffffff), PARVUS_ENOENT);
	BAD(event_join(99, 1), PARVUS_ENOENT);
	BAD(event_bind_to(PARVUS_EVENT_VIRQ, 0, PARVUS_VIRQS, 0, 0, 0), PARVUS_EINVAL);
	BAD(event_bind_to(PARVUS_EVENT_VIRQ, 0, ~0u, 0, 0, 0), PARVUS_EINVAL);
	BAD(event_bind_to(PARVUS_EVENT_VIRQ, 0, PARVUS_VIRQ_DOMAIN, 0, 0, 0), PARVUS_EPERM);
	v = event_bind_to(PARVUS_EVENT_VIRQ, 0, PARVUS_VIRQ_DEVICE, 0, 0, 0);
	EXPECT_EQ(v, 1);	/* so nothing above made a port */
	BAD(event_bind_to(PARVUS_EVENT_VIRQ, 0, PARVUS_VIRQ_DEVICE, 0, 0, 0), PARVUS_EEXIST);
	BAD(event_send(v), PARVUS_EINVAL);
	p = event_unbound(SELF);
	EXPECT_EQ(p, 2);
	BAD(event_send(p), PARVUS_EAGAIN);
	EXPECT_EQ(event_join(SELF, (u64)p), 3);
	BAD(event_join(SELF, (u64)p), PARVUS_ENOENT);
	BAD(event_join(SELF, (u64)v), PARVUS_ENOENT);
	for (s64 i = 4; i < 4096; i++) {
		BAD(event_send(i), PARVUS_ENOENT);
		BAD(event_close(i), PARVUS_ENOENT);
		BAD(event_unmask(i), PARVUS_ENOENT);
		BAD(event_set(i, 0, 0, 0), PARVUS_ENOENT);
	}
	for (u64 bit = 1ull << 12; bit; bit <<= 1)
		BAD(event_send((s64)(bit | 2)), PARVUS_EINVAL);
	BAD(event_set(p, 1, 0, 0), PARVUS_EINVAL);
	BAD(event_set(p, 0, 4, 0), PARVUS_EINVAL);
	for (int i = 1; i < 4; i++) {
		EXPECT_EQ(event_close(i), 0);
		BAD(event_close(i), PARVUS_ENOENT);
	}
	EXPECT_EQ(event_interrupts, 0);
}
