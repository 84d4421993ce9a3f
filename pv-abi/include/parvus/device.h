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
 *                 file, is put here by the hypervisor or its kernel
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

#define PARVUS_DEVICE_CREATE	0u	/* control: class, index, front, back, config; id is the result */
#define PARVUS_DEVICE_REMOVE	1u	/* control: id. Its ends see state GONE once, in CHANGED */
#define PARVUS_DEVICE_READ	2u	/* id: everything; the ends and the control domain */
#define PARVUS_DEVICE_NEXT	3u	/* the first device with a larger id that the caller may READ */
#define PARVUS_DEVICE_SET	4u	/* id: our state, and our blob if flags say so */
#define PARVUS_DEVICE_CHANGED	5u	/* the next of our devices that changed since we asked; clears it */
#define PARVUS_DEVICE_CONFIGURE	6u	/* control: id, new config; both ends are told */

/* states */
#define PARVUS_DEVICE_CLOSED		0u
#define PARVUS_DEVICE_INITIALISING	1u
#define PARVUS_DEVICE_READY		2u
#define PARVUS_DEVICE_CONNECTED		3u
#define PARVUS_DEVICE_CLOSING		4u
#define PARVUS_DEVICE_GONE		5u	/* [H] in CHANGED: the device was removed */

/* classes: the registry does not care, drivers do */
#define PARVUS_CLASS_CONSOLE	1u
#define PARVUS_CLASS_BLOCK	2u
#define PARVUS_CLASS_NETWORK	3u
#define PARVUS_CLASS_TEST	0xffu	/* 0x100 and up are free for anybody */

#define PARVUS_DEVICE_BLOB	256u
#define PARVUS_DEVICES		1024u	/* in the whole machine */
#define PARVUS_DEVICES_DOMAIN	64u	/* front ends of one domain */

/* flags of SET */
#define PARVUS_DEVICE_WRITE	1u	/* our blob too */
#define PARVUS_DEVICE_AS_BACK	2u	/* front and back are the same domain: this end is meant */

struct parvus_device {
	uint32_t size;		/* [G] sizeof(struct parvus_device) */
	uint32_t version;	/* [G] 1 */
	uint32_t id;		/* [G,H] never used again */
	uint32_t flags;		/* [G] */
	uint32_t device_class;	/* [G,H] */
	uint32_t index;		/* [G,H] unique with class and front domain */
	uint32_t front_domain;	/* [G,H] */
	uint32_t back_domain;	/* [G,H] */
	uint32_t front_state;	/* [G,H] */
	uint32_t back_state;	/* [G,H] */
	uint32_t front_changes;	/* [H] count of changes */
	uint32_t back_changes;	/* [H] */
	uint64_t reserved[2];
	uint8_t config[PARVUS_DEVICE_BLOB];	/* [G,H] of the toolstack */
	uint8_t front_blob[PARVUS_DEVICE_BLOB];	/* [G,H] of the front end */
	uint8_t back_blob[PARVUS_DEVICE_BLOB];	/* [G,H] of the back end */
};	/* 832 bytes */

#endif
