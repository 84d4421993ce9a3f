/* SPDX-License-Identifier: MIT */
/*
 * Parvus ABI: the device registry. A device is a pair of ends, front (in the domain
 * that uses it) and back (in the domain that serves it). The hypervisor keeps, per
 * device, the state of both ends and three blobs that it does not interpret: what
 * the toolstack configured, what the front end says, what the back end says.
 *
 * Both ends walk the same states:
 *
 *   CLOSED -> INITIALISING -> READY -> CONNECTED -> CLOSING -> CLOSED
 *
 *   INITIALISING  somebody is there and gathers what it needs
 *   READY         front: rings and ports are in its blob; back: its blob is filled
 *   CONNECTED     it works; an end goes there after it saw the other one READY or CONNECTED
 *   CLOSING       it wants to stop: the other one finishes and goes to CLOSED
 *   CLOSED        nobody is there. An end whose domain dies, or whose server closes its
 *                 file, is put here by the hypervisor or its kernel. One that refuses the
 *                 other end may leave in its blob why: printable ASCII up to a 0, for people
 *
 * An end whose peer becomes CLOSED or INITIALISING goes back to INITIALISING itself
 * and begins anew: that is how a device reconnects. Any state may follow any other but
 * CONNECTED, which follows READY, and READY, which follows INITIALISING.
 *
 * A device is detached politely by CONFIGURE with the class's DETACH flag: the back end
 * goes to CLOSING, the front end finishes and goes to CLOSED, then the back end does; only
 * then the toolstack removes it. CONFIGURE without the flag takes that back.
 *
 * Each change of one end raises PARVUS_VIRQ_DEVICE at the other; CHANGED lists what
 * changed.
 *
 * device_op(op, gpa): gpa of a struct parvus_device.
 */
#ifndef PARVUS_DEVICE_H
#define PARVUS_DEVICE_H

#include <parvus/types.h>

/**
 * hypercall device_op
 * @op: PARVUS_DEVICE_CREATE to PARVUS_DEVICE_RESUME
 * @gpa: a struct parvus_device
 *
 * -ENOSYS: @op is unknown
 * -EPERM: CREATE, REMOVE, CONFIGURE, SUSPEND, RESUME: not the control domain; SET: the caller is
 *          the control domain and no end
 * -EFAULT: the structure is not in RAM; nothing is created and no change counts as seen
 * -EINVAL: wrong size or version; a reserved member is not 0; an unknown flag; AS_BACK from the
 *          front end; a state above CLOSING; READY not after INITIALISING, CONNECTED not after
 *          READY
 * -EBUSY: SET: CONNECTED, and the other end is neither READY nor CONNECTED; SET of a front end
 *         that is suspended; SUSPEND: the domain is not paused
 * -ENOENT: no such device that the caller may read; NEXT, CHANGED: no more; CREATE: no such
 *          domain, or the front end's has ended, or the back end's is taken apart
 * -EEXIST: CREATE: the front domain has that class and index
 * -ENOSPC: CREATE: 256 devices in the front domain, or 1024 in all
 * -ENOMEM: CREATE: no memory
 */

#define PARVUS_DEVICE_CREATE	0u	/* control domain; uses device_class, index, front_domain,
					 * back_domain, config: makes a device with both ends
					 * CLOSED; its id is in the structure. Domains may be
					 * PARVUS_DOMAIN_SELF */
#define PARVUS_DEVICE_REMOVE	1u	/* control domain; uses id: both ends see it in CHANGED
					 * once, both states GONE; other calls find it no more */
#define PARVUS_DEVICE_READ	2u	/* id: all about a device, for its ends and the control
					 * domain */
#define PARVUS_DEVICE_NEXT	3u	/* id: READ of the lowest one above it that the caller may
					 * read */
#define PARVUS_DEVICE_SET	4u	/* id, flags, our state, with WRITE our blob: the other end
					 * is told, also if nothing is new */
#define PARVUS_DEVICE_CHANGED	5u	/* a device of ours that the other end or the control domain
					 * changed since we asked, in turn, removed ones first */
#define PARVUS_DEVICE_CONFIGURE	6u	/* control domain; uses id, config: a new config; both ends
					 * are told */
#define PARVUS_DEVICE_SUSPEND	7u	/* control domain; uses front_domain, which is paused: back
					 * ends see all its front ends CLOSED, finish and let go.
					 * They have when no offer of it is in use
					 * (parvus/context.h). The states are kept */
#define PARVUS_DEVICE_RESUME	8u	/* control domain; uses front_domain: front ends are in the
					 * states that they had. All ends are told, and begin anew.
					 * Before UNPAUSE */

/* states of an end, and who moves it there */
#define PARVUS_DEVICE_CLOSED		0u	/* nobody is there: at first; by SET; when its
						 * domain ends or its server closes its file */
#define PARVUS_DEVICE_INITIALISING	1u	/* somebody is there: by SET, from any state */
#define PARVUS_DEVICE_READY		2u	/* what it offers is in its blob: by SET, from
						 * INITIALISING */
#define PARVUS_DEVICE_CONNECTED		3u	/* it works: by SET, from READY, when the other end
						 * is READY or CONNECTED */
#define PARVUS_DEVICE_CLOSING		4u	/* it wants to stop: by SET, from any state */
#define PARVUS_DEVICE_GONE		5u	/* both ends, in CHANGED: by REMOVE, and when the
						 * front end's domain ends */

/* classes: the registry does not care, drivers do */
#define PARVUS_CLASS_CONSOLE	1u
#define PARVUS_CLASS_BLOCK	2u
#define PARVUS_CLASS_NETWORK	3u
#define PARVUS_CLASS_TEST	0xffu	/* 0x100 and up are free for anybody */

#define PARVUS_DEVICE_BLOB	256u
#define PARVUS_DEVICES		1024u	/* in the whole machine */
#define PARVUS_DEVICES_DOMAIN	256u	/* front ends of one domain */

/* flags of SET */
#define PARVUS_DEVICE_WRITE	1u	/* our blob too */
#define PARVUS_DEVICE_AS_BACK	2u	/* front and back are the same domain: this end is meant */

/* A device, as all operations read it, and READ, NEXT, CHANGED and CREATE write it whole. */
struct parvus_device {
	uint32_t size;		/* [G,H] sizeof(struct parvus_device) */
	uint32_t version;	/* [G,H] 1 */
	uint32_t id;		/* [G,H] its number, never used again. The front end of a domain
				 * that was restored knows it by the one that it had before */
	uint32_t flags;		/* [G] of SET, else 0 */
	uint32_t device_class;	/* [G,H] PARVUS_CLASS_*, or one of yours */
	uint32_t index;		/* [G,H] unique with class and front domain */
	uint32_t front_domain;	/* [G,H] the domain that uses it */
	uint32_t back_domain;	/* [G,H] the domain that serves it */
	uint32_t front_state;	/* [G,H] PARVUS_DEVICE_CLOSED and on */
	uint32_t back_state;	/* [G,H] the same */
	uint32_t front_changes;	/* [H] how often the front end changed */
	uint32_t back_changes;	/* [H] how often the back end changed */
	uint64_t reserved[2];
	uint8_t config[PARVUS_DEVICE_BLOB];	/* [G,H] of the toolstack */
	uint8_t front_blob[PARVUS_DEVICE_BLOB];	/* [G,H] of the front end */
	uint8_t back_blob[PARVUS_DEVICE_BLOB];	/* [G,H] of the back end */
};	/* 832 bytes */

#endif
