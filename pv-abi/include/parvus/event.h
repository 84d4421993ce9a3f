/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: events. A port is one end of a channel: to a port of another domain,
 * or from a source in the hypervisor (a virtual IRQ). A domain has
 * PARVUS_EVENT_PORTS ports, 1 and up; 0 is no port.
 *
 * A port that is signalled sets its bit in pending[]. If its bit in mask[] is
 * clear, the hypervisor then sets the bit of that word in selector[] of the vCPU
 * that the port is bound to, and raises PARVUS_VECTOR_EVENT there. The
 * guest takes the selector with an exchange, and for each word in it the bits that
 * are pending, not masked by itself, and this vCPU's; it clears each before it serves it.
 *
 * AUTO_MASK: the hypervisor sets the mask bit with each delivery, so the guest has to
 * know by itself which ports it does not want served; it unmasks when it has served. To
 * unmask: clear the bit, then, if the port is pending, call event_op UNMASK, which
 * delivers. One call of UNMASK does all of it too.
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

/*
 * REGISTER: a page, for the life of the domain. All of it can be seen by the hypervisor while any
 * domain runs: nothing else belongs there.
 */
struct parvus_event_page {
	uint64_t pending[PARVUS_EVENT_WORDS];	/* [G,H] bit n of word w: port w * 64 + n was
						 * signalled; the hypervisor sets, the guest clears
						 * before it serves */
	uint64_t mask[PARVUS_EVENT_WORDS];	/* [G,H] the same bit: nobody is to be told; with
						 * AUTO_MASK the hypervisor sets it */
	uint64_t selector[PARVUS_MAX_VCPUS];	/* [G,H] by vCPU; bit n: look at word n. The
						 * hypervisor sets bits, the guest takes all by an
						 * exchange with 0 */
	uint64_t reserved[320];
};	/* 4096 bytes */

/**
 * hypercall event_op
 * @op: PARVUS_EVENT_REGISTER to PARVUS_EVENT_SET
 * @arg: a port for CLOSE, SEND and UNMASK, else the gpa of a structure
 *
 * -ENOSYS: @op is unknown
 * -EFAULT: a structure is not in RAM; the event page is not RAM or not aligned to 4096
 * -EINVAL: wrong size or version; a reserved member is not 0; a port is 0 or above 4095; kind,
 *          virq, vcpu or a flag is unknown; SEND to a VIRQ
 * -EBUSY: REGISTER: there is a page
 * -ENOENT: no such port is in use (not STATUS); BIND: no such domain, or it has no such port
 *          that waits for the caller
 * -EAGAIN: SEND: the port is UNBOUND: there is nobody (any more)
 * -EEXIST: BIND: the source has a port
 * -EPERM: BIND: PARVUS_VIRQ_DOMAIN, and the caller is not the control domain
 * -ENOSPC: BIND: 4095 ports are in use
 * -ENOMEM: BIND: no memory for more ports
 */

#define PARVUS_EVENT_REGISTER	0u	/* gpa of a struct parvus_event_page: takes the page. What
					 * came before is pending in it then, and told unless masked
					 * there */
#define PARVUS_EVENT_BIND	1u	/* gpa of a struct parvus_event_bind: makes a port of kind,
					 * with vcpu, flags and interval_ns, and writes port */
#define PARVUS_EVENT_CLOSE	2u	/* port: it is free. It is not pending any more; its mask
					 * bit stays as it is. The other end becomes UNBOUND, for
					 * the same domain. Nobody is told */
#define PARVUS_EVENT_SEND	3u	/* port: signals the other end */
#define PARVUS_EVENT_UNMASK	4u	/* port: clears its mask bit; if it is pending it is
					 * delivered */
#define PARVUS_EVENT_STATUS	5u	/* gpa of a struct parvus_event_bind with port set: fills in
					 * its settings; of a port not in use, kind is CLOSED */
#define PARVUS_EVENT_SET	6u	/* gpa of a struct parvus_event_bind with port set: gives
					 * it a new vcpu, flags and interval_ns. What waited for the
					 * interval is delivered; the new vCPU is told what is
					 * pending */

/* parvus_event_bind.kind: the states of a port, and who moves it there */
#define PARVUS_EVENT_CLOSED	0u	/* not in use: at first, by CLOSE, and when its domain ends.
					 * STATUS alone says so */
#define PARVUS_EVENT_UNBOUND	1u	/* waits for domain, that very one and not a later one of
					 * the same number, to bind to it: by BIND; control PORT
					 * for a domain that is built; when the other end closes or
					 * ends */
#define PARVUS_EVENT_INTERDOMAIN 2u	/* joined with remote_port of domain, which was UNBOUND for
					 * the caller: by BIND of either end */
#define PARVUS_EVENT_VIRQ	3u	/* of the source virq, one port for each: by BIND; if the
					 * source fired since it last had one, the port is
					 * pending */

/* parvus_event_bind.flags */
#define PARVUS_EVENT_AUTO_MASK	1u	/* each delivery sets the mask bit */

/* parvus_event_bind.virq */
#define PARVUS_VIRQ_DOMAIN	0u	/* control domain: a domain changed, as changes of control
					 * INFO counts it */
#define PARVUS_VIRQ_MEMORY	1u	/* our memory target changed (memory_op INFO) */
#define PARVUS_VIRQ_REQUEST	2u	/* we are asked for something: request and vcpus_target of
					 * memory_op INFO */
#define PARVUS_VIRQ_DEVICE	3u	/* a device of ours changed (device_op CHANGED) */
#define PARVUS_VIRQ_CONSOLE	4u	/* input for console_read */
#define PARVUS_VIRQ_RESUME	5u	/* we stood still: wall_read has a new answer; if we are a
					 * copy, generation_id of memory_op INFO is new */
#define PARVUS_VIRQS		6u

/* BIND, STATUS, SET. */
struct parvus_event_bind {
	uint32_t size;		/* [G,H] sizeof(struct parvus_event_bind) */
	uint32_t version;	/* [G,H] 1 */
	uint32_t kind;		/* [G,H] PARVUS_EVENT_UNBOUND and on: BIND takes it, STATUS gives
				 * it */
	uint32_t domain;	/* [G,H] the remote one; BIND: or PARVUS_DOMAIN_SELF */
	uint32_t remote_port;	/* [G,H] INTERDOMAIN: the port there */
	uint32_t virq;		/* [G,H] VIRQ: the source, PARVUS_VIRQ_* */
	uint32_t vcpu;		/* [G,H] our vCPU that is told */
	uint32_t flags;		/* [G,H] PARVUS_EVENT_AUTO_MASK */
	uint32_t interval_ns;	/* [G,H] least time between two deliveries, 0 = none */
	uint32_t port;		/* [G,H] BIND gives the new port; STATUS and SET take it */
	uint64_t reserved[2];
};	/* 56 bytes */

#endif
