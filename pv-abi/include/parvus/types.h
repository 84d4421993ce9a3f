/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: base types, version and error numbers.
 *
 * These headers are freestanding: C11 or C++, no header of an operating system
 * beyond <stdint.h> (a kernel defines PARVUS_NO_STDINT and provides the
 * uintN_t names itself). Every buffer in this ABI is named by a *guest-physical
 * address* (gpa). Guest-virtual are only addresses that are no buffers: entry points,
 * stacks, ranges of mmu_flush, the hint of an unmap.
 *
 * Rules for every structure: fixed-width members, explicit padding, size and
 * offsets asserted in pv-abi/check; "reserved" members are written as zero, and
 * one that is not fails a call that reads it with -EINVAL.
 *
 * docs/abi.md and docs/control.md take their tables from here (pv-abi/reference.py).
 * Each member's comment says who writes it, then what it means: [G] the guest, [H] the
 * hypervisor, [maker] who builds the domain, [front end], [back end], [producer],
 * [consumer], [program], [toolstack]. A block that begins with "hypercall NAME" or
 * "control OP" says of a call what each argument is, and for each error when it comes.
 */
#ifndef PARVUS_TYPES_H
#define PARVUS_TYPES_H

#ifndef PARVUS_NO_STDINT
#include <stdint.h>
#endif

/* The interface version: a guest built for N runs on a hypervisor that serves >= N. */
#define PARVUS_ABI_VERSION	1u

/* Errors, negative in rax. Values are Linux's (include/uapi/asm-generic/errno*.h). */
#define PARVUS_EPERM	1	/* the caller lacks the privilege */
#define PARVUS_ENOENT	2	/* no such object */
#define PARVUS_E2BIG	7	/* a count or length above the stated limit */
#define PARVUS_EAGAIN	11	/* try again later */
#define PARVUS_ENOMEM	12	/* no memory left within the caller's charge */
#define PARVUS_EFAULT	14	/* a gpa that is not plain RAM of the caller; or RAM without a frame
				 * where one is needed, and the machine has none */
#define PARVUS_EBUSY	16	/* the object is in a state that forbids it */
#define PARVUS_EEXIST	17	/* already there */
#define PARVUS_EINVAL	22	/* malformed argument, or a reserved one not zero */
#define PARVUS_ENOSPC	28	/* a table of fixed size is full */
#define PARVUS_ENOSYS	38	/* no such hypercall in this version */

/* A domain has at most this many vCPUs in ABI 1. */
#define PARVUS_MAX_VCPUS	64u
#define PARVUS_CPU_WORDS	4u	/* of a set of CPUs */
/* In place of a vCPU number: the calling one. */
#define PARVUS_VCPU_SELF	0xffffffffu
/* In place of a domain number: the calling one. */
#define PARVUS_DOMAIN_SELF	0xffffffffu

#endif
