/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels for micro guests: a page, the calls with their structure, and a handler. */
#ifndef GUEST_EVENT_H
#define GUEST_EVENT_H

#include "guest.h"
#include <parvus/event.h>

#define SELF	PARVUS_DOMAIN_SELF
#define BAD(call, err) EXPECT_EQ(call, -(s64)(err))

static struct parvus_event_page event_page __attribute__((aligned(4096)));
static volatile u64 *const event_selector = event_page.selector;	/* by vCPU */
static struct parvus_event_bind event_record __attribute__((aligned(64)));
static volatile u64 event_count[PARVUS_EVENT_PORTS];	/* by port; counted by event_handler() */
static volatile u64 event_interrupts;

static inline struct parvus_event_bind *event_new(void)
{
	event_record = (struct parvus_event_bind){ .size = sizeof(event_record), .version = 1 };
	return &event_record;
}

static inline s64 event_bind_to(u32 kind, u32 domain, u32 n, u32 vcpu, u32 flags, u32 interval)
{
	struct parvus_event_bind *b = event_new();
	s64 ret;

	b->kind = kind;
	b->domain = domain;
	*(kind == PARVUS_EVENT_VIRQ ? &b->virq : &b->remote_port) = n;
	b->vcpu = vcpu;
	b->flags = flags;
	b->interval_ns = interval;
	ret = parvus_event_op(PARVUS_EVENT_BIND, pa(b));
	return ret ? ret : (s64)*(volatile u32 *)&b->port;
}
static inline s64 event_unbound(u32 domain)
{
	return event_bind_to(PARVUS_EVENT_UNBOUND, domain, 0, 0, 0, 0);
}
static inline s64 event_join(u32 domain, u64 port)
{
	return event_bind_to(PARVUS_EVENT_INTERDOMAIN, domain, (u32)port, 0, 0, 0);
}
static inline s64 event_send(s64 port) { return parvus_event_op(PARVUS_EVENT_SEND, (u64)port); }
static inline s64 event_close(s64 port) { return parvus_event_op(PARVUS_EVENT_CLOSE, (u64)port); }
static inline s64 event_unmask(s64 port) { return parvus_event_op(PARVUS_EVENT_UNMASK, (u64)port); }

static inline struct parvus_event_bind event_status(s64 port)
{
	struct parvus_event_bind *b = event_new();

	b->port = (u32)port;
	EXPECT_EQ(parvus_event_op(PARVUS_EVENT_STATUS, pa(b)), 0);
	barrier();
	return *b;
}

static inline s64 event_set(s64 port, u32 vcpu, u32 flags, u32 interval)
{
	struct parvus_event_bind *b = event_new();

	b->port = (u32)port;
	b->vcpu = vcpu;
	b->flags = flags;
	b->interval_ns = interval;
	return parvus_event_op(PARVUS_EVENT_SET, pa(b));
}

/* As parvus/event.h says: the selector by an exchange, then word by word. */
static inline void event_serve(u32 vcpu)
{
	u64 words = __atomic_exchange_n(&event_page.selector[vcpu], 0, __ATOMIC_SEQ_CST);

	for (; words; words &= words - 1) {
		u32 w = (u32)__builtin_ctzll(words);
		u64 bits = __atomic_load_n(&event_page.pending[w], __ATOMIC_SEQ_CST) &
			   ~__atomic_load_n(&event_page.mask[w], __ATOMIC_SEQ_CST);

		for (; bits; bits &= bits - 1) {
			__atomic_fetch_and(&event_page.pending[w], ~(bits & -bits),
					   __ATOMIC_SEQ_CST);
			event_count[w * 64 + (u32)__builtin_ctzll(bits)]++;
		}
	}
}

static void event_handler(struct frame *f)
{
	if (f->vector != PARVUS_VECTOR_EVENT)
		return;
	event_interrupts++;
	event_serve(0);
}

static inline void event_setup(void)
{
	on_trap = event_handler;
	EXPECT_EQ(parvus_event_op(PARVUS_EVENT_REGISTER, pa(&event_page)), 0);
}

/* Sleep until @port was signalled more often than @n times. */
static inline void event_wait(s64 port, u64 n) { wait_change(&event_count[port], n); }

#endif
