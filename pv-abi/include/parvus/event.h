/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: events. A port is one end of a channel: to a port of another domain,
 * or from a source in the hypervisor (a virtual IRQ). A domain has
 * PARVUS_EVENT_PORTS ports, 1 and up; 0 is no port.
 *
 * A port that is signalled sets its bit in pending[]. If its bit in mask[] is
 * clear, the hypervisor then sets the bit of that word in area.event_selector of
 * the vCPU that the port is bound to, and raises PARVUS_VECTOR_EVENT there. The
 * guest takes the selector with an exchange, and for each word in it the bits that
 * are pending, not masked by itself, and this vCPU's; it clears each before it serves it.
 *
 * AUTO_MASK: the hypervisor sets the mask bit with each delivery, so the guest has to
 * know by itself which ports it does not want served; it unmasks when it has served. To unmask: clear the bit, then, if the port is pending, call
 * event_op UNMASK, which delivers. One call of UNMASK does all of it too.
 *
 * A port may have a least interval between two deliveries: what comes earlier is
 * delivered once, when the interval is over.
 *
 * event_op(op, arg): arg is a port for CLOSE, SEND and UNMASK; else a gpa.
 */
#ifndef PARVUS_EVENT_H
#define PARVUS_EVENT_H

#include <parvus/types.h>

#define PARVUS_EVENT_PORTS	4096u
#define PARVUS_EVENT_WORDS	(PARVUS_EVENT_PORTS / 64)

/* REGISTER: one record in one page, 1024-aligned, for the life of the domain. */
struct parvus_event_page {
	uint64_t pending[PARVUS_EVENT_WORDS];	/* [H,G] */
	uint64_t mask[PARVUS_EVENT_WORDS];	/* [G,H] */
};	/* 1024 bytes */

#define PARVUS_EVENT_REGISTER	0u	/* gpa of a struct parvus_event_page */
#define PARVUS_EVENT_BIND	1u	/* gpa of a struct parvus_event_bind: make a port */
#define PARVUS_EVENT_CLOSE	2u	/* port; the other end becomes unbound */
#define PARVUS_EVENT_SEND	3u	/* port: signal the other end */
#define PARVUS_EVENT_UNMASK	4u	/* port: clear its mask bit, deliver if it is pending */
#define PARVUS_EVENT_STATUS	5u	/* gpa of a struct parvus_event_bind with port set: filled in */
#define PARVUS_EVENT_SET	6u	/* gpa of a struct parvus_event_bind with port: vcpu, flags, interval_ns */

/* parvus_event_bind.kind */
#define PARVUS_EVENT_CLOSED	0u	/* STATUS alone: no such port in use */
#define PARVUS_EVENT_UNBOUND	1u	/* waits for @domain to bind to it */
#define PARVUS_EVENT_INTERDOMAIN 2u	/* joined with @remote_port of @domain */
#define PARVUS_EVENT_VIRQ	3u	/* from source @virq; one port for each source */

/* parvus_event_bind.flags */
#define PARVUS_EVENT_AUTO_MASK	1u

/* parvus_event_bind.virq */
#define PARVUS_VIRQ_DOMAIN	0u	/* control domain: a domain's state changed */
#define PARVUS_VIRQ_MEMORY	1u	/* our memory target changed (memory_op INFO) */
#define PARVUS_VIRQ_REQUEST	2u	/* this domain is asked for something: request, vcpus_target of memory_op INFO */
#define PARVUS_VIRQ_DEVICE	3u	/* a device of ours changed (device_op CHANGED) */
#define PARVUS_VIRQ_CONSOLE	4u	/* input for console_read */
#define PARVUS_VIRQS		5u

struct parvus_event_bind {
	uint32_t size;		/* [G] sizeof(struct parvus_event_bind) */
	uint32_t version;	/* [G] 1 */
	uint32_t kind;		/* [G] BIND; [H] STATUS */
	uint32_t domain;	/* [G,H] the remote one, or PARVUS_DOMAIN_SELF */
	uint32_t remote_port;	/* [G,H] INTERDOMAIN */
	uint32_t virq;		/* [G,H] VIRQ */
	uint32_t vcpu;		/* [G,H] our vCPU that is told */
	uint32_t flags;		/* [G,H] PARVUS_EVENT_AUTO_MASK */
	uint32_t interval_ns;	/* [G,H] least time between two deliveries, 0 = none */
	uint32_t port;		/* [H] BIND: the new port; [G] STATUS, SET */
	uint64_t reserved[2];
};	/* 56 bytes */

#endif
