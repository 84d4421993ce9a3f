/* SPDX-License-Identifier: MIT */
/*
 * Parvus on Linux: the ioctls of /dev/parvus/. Not part of the hypercall ABI; here
 * because the kernel (guest-patches) and programs (libparvus) share them.
 *
 * control  domain 0 alone. CALL passes one control_op, COPY and CONTEXT those two that
 *          name memory; CREATE makes the domain belong to this open file: if it is closed
 *          (also by a kill) before COMMIT, the domain is destroyed. poll() says readable,
 *          and read() gives a uint64_t count, when any domain's state changed since the
 *          last read().
 * event    ports for programs. BIND makes one, AUTO_MASKed; read() gives uint32_t
 *          numbers of ports that were signalled, write() of them unmasks; close() closes
 *          all. poll() works.
 * grant    MAP maps offers of one other domain: it returns an offset for one mmap() of
 *          count pages; munmap() or close() unmaps. OFFER makes pages of our own, zeroed,
 *          offers them to a domain, and returns refs and an offset for mmap().
 * device   device_op for programs that serve a back end: CALL passes one. What this open
 *          file SET to another state than CLOSED becomes CLOSED when it is closed. read()
 *          gives uint32_t ids of devices that changed whose back or front end this
 *          domain is and which no kernel driver has; poll() works. SET with the flag
 *          REFUSE, to CLOSED: the other end has lied; the end is nobody's from then on
 *          (EPERM), until 0 is written to its file "refused" in /sys/bus/parvus/devices.
 */
#ifndef PARVUS_LINUX_H
#define PARVUS_LINUX_H

#include <parvus/control.h>
#include <parvus/device.h>
#include <parvus/event.h>
#include <parvus/grant.h>

/* Of device: in flags of SET, beside those of device_op. */
#define PARVUS_DEVICE_REFUSE	0x80000000u

/* A control_op or device_op: @bytes of the op's structure at @data are copied in and out. */
struct parvus_ioctl_call {
	uint32_t op;		/* [program] PARVUS_CONTROL_*, PARVUS_DEVICE_* */
	uint32_t bytes;		/* [program] of the structure */
	uint64_t data;		/* [program] its address there */
};

/* PARVUS_CONTROL_COPY with a buffer in the program, of any length. */
struct parvus_ioctl_copy {
	uint32_t domain;	/* [program] its number */
	uint32_t flags;		/* [program] PARVUS_COPY_OUT */
	uint64_t gpa;		/* [program] in the domain */
	uint64_t data;		/* [program] address in the program */
	uint64_t bytes;		/* [program, kernel] how many; how many are left */
};

/* PARVUS_CONTROL_CONTEXT with a buffer in the program, of a page at most. */
struct parvus_ioctl_context {
	uint32_t domain;	/* [program] its number */
	uint32_t kind;		/* [program] PARVUS_CONTEXT_* */
	uint32_t flags;		/* [program] PARVUS_CONTEXT_SET, or 0 */
	uint32_t index;		/* [program] as of the op */
	uint64_t from;		/* [program, kernel] as of the op */
	uint64_t data;		/* [program] address in the program */
	uint32_t bytes;		/* [program, kernel] as of the op */
	uint32_t reserved;	/* [program] 0 */
};

/* COMMIT: the domain no longer belongs to the open file. */
struct parvus_ioctl_commit {
	uint32_t domain;	/* [program] its number */
	uint32_t flags;		/* [program] PARVUS_COMMIT_UNPAUSE */
};
#define PARVUS_COMMIT_UNPAUSE	1u

/* MAP and OFFER of /dev/parvus/grant. */
struct parvus_ioctl_grant {
	uint32_t domain;	/* [program] the other one */
	uint32_t count;		/* [program] 1 to 256 */
	uint32_t flags;		/* [program] PARVUS_GRANT_READONLY */
	uint32_t reserved;
	uint64_t refs;		/* [program] address of count uint32_t: MAP in, OFFER out */
	uint64_t offset;	/* [kernel] for mmap() */
};

#define PARVUS_IOC_CALL		_IOWR('P', 0x80, struct parvus_ioctl_call)
#define PARVUS_IOC_COPY		_IOWR('P', 0x81, struct parvus_ioctl_copy)
#define PARVUS_IOC_COMMIT	_IOW('P', 0x82, struct parvus_ioctl_commit)
#define PARVUS_IOC_BIND		_IOWR('P', 0x83, struct parvus_event_bind)
#define PARVUS_IOC_CLOSE	_IOW('P', 0x84, uint32_t)
#define PARVUS_IOC_SEND		_IOW('P', 0x85, uint32_t)
#define PARVUS_IOC_GRANT_MAP	_IOWR('P', 0x86, struct parvus_ioctl_grant)
#define PARVUS_IOC_GRANT_OFFER	_IOWR('P', 0x87, struct parvus_ioctl_grant)
#define PARVUS_IOC_CONTEXT	_IOWR('P', 0x88, struct parvus_ioctl_context)

#endif
