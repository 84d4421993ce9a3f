/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: physical interrupts of domain 0. The hypervisor owns the interrupt controllers.
 * Domain 0 maps a source, a line of an I/O APIC or a message of a PCI function, gets a handle,
 * and says which virtual vector of which vCPU it raises (TARGET). For a message it is told what
 * to write into the device's registers; moving an interrupt changes the address alone, so that
 * none is lost or doubled while one word after the other is written.
 *
 * An edge, and every message, is over when the vector is raised. A level line is masked when it
 * arrives, until EOI says that the device has been served.
 *
 * irq_op(op, arg): INFO, MAP and TARGET take the address of a structure within one page; the
 * other ops take the handle itself, PENDING the number of a word.
 */
#ifndef PARVUS_IRQ_H
#define PARVUS_IRQ_H

#include <parvus/types.h>

/**
 * hypercall irq_op
 * @op: one of PARVUS_IRQ_*
 * @arg: INFO: a struct parvus_irq_info; MAP, TARGET: a struct parvus_irq; PENDING: a word, 0 to 7;
 *       else a handle
 *
 * -ENOSYS: @op is unknown
 * -EFAULT: the structure is not in RAM
 * -EINVAL: wrong size or version; domain is not the caller; a reserved member is not 0; a kind,
 *          flag, vCPU, vector or word that does not exist; a message that is a level or active low;
 *          MASK, UNMASK or EOI of a message; EOI of an edge
 * -ENOENT: no such handle; no such line
 * -EEXIST: the source is mapped already
 * -EBUSY: a line that the hypervisor uses itself (the serial line's)
 * -ENOSPC: all vectors of the hardware are in use
 */

#define PARVUS_IRQ_INFO		0u	/* fills a struct parvus_irq_info */
#define PARVUS_IRQ_MAP		1u	/* a source gets a handle; it raises nothing before TARGET,
					 * and a line is masked before UNMASK */
#define PARVUS_IRQ_TARGET	2u	/* which vector of which vCPU it raises; for a message, what
					 * the device is to write, and where */
#define PARVUS_IRQ_UNMAP	3u	/* the handle is gone, and its line masked */
#define PARVUS_IRQ_MASK		4u	/* a line raises nothing */
#define PARVUS_IRQ_UNMASK	5u	/* and again; an edge that came meanwhile is lost */
#define PARVUS_IRQ_EOI		6u	/* the device behind a level line has been served */
#define PARVUS_IRQ_PENDING	7u	/* returns 32 bits: which of the vectors 32 * word to 32 *
					 * word + 31 of the calling vCPU wait for its virtual IF */
#define PARVUS_IRQ_OPS		8u

#define PARVUS_IRQ_LINE		0u	/* kind: source is a global system interrupt of ACPI */
#define PARVUS_IRQ_MESSAGE	1u	/* source is segment << 16 | bus << 8 | device << 3 |
					 * function, index which of its messages */
#define PARVUS_IRQ_LEVEL	1u	/* flag of a line: level, not edge */
#define PARVUS_IRQ_LOW		2u	/* flag of a line: active low, not high */
#define PARVUS_IRQ_NOWHERE	0u	/* vector: raises nothing; a message is one that is counted
					 * and dropped */

/* MAP and TARGET. */
struct parvus_irq {
	uint32_t size;		/* [G] sizeof(struct parvus_irq) */
	uint32_t version;	/* [G] 1 */
	uint32_t domain;	/* [G] PARVUS_DOMAIN_SELF, or the caller's number */
	uint32_t handle;	/* [G,H] MAP: made; TARGET: which */
	uint32_t kind;		/* [G] MAP: PARVUS_IRQ_LINE or MESSAGE */
	uint32_t source;	/* [G] MAP */
	uint32_t index;		/* [G] MAP: of a message; 0 for a line */
	uint32_t flags;		/* [G] MAP: PARVUS_IRQ_LEVEL, LOW */
	uint32_t vcpu;		/* [G] TARGET */
	uint32_t vector;	/* [G] TARGET: 32 to 255, or PARVUS_IRQ_NOWHERE */
	uint64_t address;	/* [H] TARGET of a message: where the device writes, else 0 */
	uint32_t data;		/* [H] TARGET of a message: what it writes, else 0 */
	uint32_t reserved[5];
};	/* 72 bytes */

/* INFO. */
struct parvus_irq_info {
	uint32_t size;		/* [G,H] sizeof(struct parvus_irq_info) */
	uint32_t version;	/* [G,H] 1 */
	uint32_t domain;	/* [G,H] PARVUS_DOMAIN_SELF, or the caller's number */
	uint32_t lines;		/* [H] numbers of lines are below this */
	uint32_t free;		/* [H] handles that can still be made */
	uint32_t mapped;	/* [H] handles that there are */
	uint64_t strays;	/* [H] interrupts that no handle was responsible for */
	uint64_t stuck;		/* [H] level lines unmasked because EOI did not come within 1 s */
	uint64_t storms;	/* [H] lines and messages that came more than 1000 times in 10 ms,
				 * each time counted once; a line stays masked till they end */
	uint64_t reserved[4];
};	/* 80 bytes */

#endif
