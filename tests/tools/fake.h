/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hypervisor that is a file: what libparvus asks of /dev/parvus is answered here, from a
 * state that several processes share, so that the whole toolstack with its monitors can be tried
 * without Parvus. It stands in for tools/libparvus/sys.c. The folder is $PARVUS_FAKE.
 *
 * An open /dev/parvus file is an open file with a lock of its own: the lock goes when the
 * last copy of the descriptor is closed, as the kernel's file would, by whatever death. Loop
 * devices are such files too. A file named bridge-NAME in the folder is a bridge, blk-N a
 * block device (8:N), dev-M-N another, held-N and held-loopN say that the kernel uses it, nbd-N
 * is an nbd device in use; sys and proc are what can be seen there.
 */
#ifndef PARVUS_TESTS_FAKE_H
#define PARVUS_TESTS_FAKE_H

#include "internal.h"

#include <parvus/context.h>
#include <parvus/console.h>
#include <parvus/start.h>

#define FAKE_VCPUS	4u	/* that a saved one can have */
#define FAKE_DOMAINS	6u	/* domain 0 included */
#define FAKE_MEMORY	(128ull << 20)
#define FAKE_FRAMES	(FAKE_MEMORY / PAGE)
#define FAKE_FILES	64u
#define FAKE_PORTS	16u
#define FAKE_KILL	999u	/* fake_fail(): the caller is killed there */
#define FAKE_COMMIT	31u	/* fake_fail(): of what was created, and */
#define FAKE_DEVICE_OP	32u	/* device ops come behind control ops */
#define FAKE_DEVICES	80u
#define FAKE_LOOPS	16u

struct fake_port {
	uint32_t kind;		/* PARVUS_EVENT_* */
	uint32_t file;		/* BIND: of which event file, + 1 */
	uint32_t domain;	/* whose console: slot */
	uint32_t remote;
	bool pending, masked;
};

/* What the host gives: x86-64-v3, AES and a few more. */
#define FAKE_CPUID \
	{ 0xfed83203u, 0x0789a17du, 0x129u, 4u, 0, 3u, 0x21u, 0x2c100800u, 0x100u }
#define FAKE_XCR0 7u

struct fake_domain {
	bool used, committed;
	uint32_t owner;			/* control file, + 1 */
	struct parvus_control_info info;
	uint64_t steal_ns;		/* of its first vCPU */
	struct parvus_control_start start;
	struct parvus_control_cpuid cpuid;	/* flags: it was set */
	uint64_t affinity[PARVUS_MAX_VCPUS];
	uint64_t console_gfn;
	uint32_t console_ref, port;	/* offered to domain 0 */
	uint32_t request, mapped_by;	/* grant file, + 1 */
	bool suspended, used_for_ever;	/* its devices; an offer of its devices stays in use */
	/* what was set of a context; bit 63: a record for the whole */
	uint64_t set;
	struct parvus_context_domain context;
	struct parvus_context_vcpu vcpu[FAKE_VCPUS];
	uint8_t ram[FAKE_FRAMES], touched[FAKE_FRAMES];
};

struct fake_file {
	char kind;			/* c e g d, l = loop device, 0 = free */
	uint32_t seen;			/* changes */
};

/* A device. The back end, a driver of domain 0, is there at once unless a program serves it. */
struct fake_device {
	bool used;
	uint32_t generation;		/* of its back end: another one has another interface */
	bool stuck;			/* the front end never closes */
	uint32_t file;			/* + 1: the one whose back end it is; 0 = none */
	struct parvus_device d;
	uint32_t front_id, kept;	/* as the front end knows it; its state, while suspended */
	uint32_t mtu;			/* of the back end's interface */
	bool up, distrusts;
	char bridge[16];
};

struct fake_loop {
	bool used;
	uint32_t resized;		/* how often */
	char file[200];
};

struct fake_state {
	uint32_t changes, last;
	uint64_t generation;
	uint64_t frames_total;
	uint32_t fail_op, fail_code, fail_skip;	/* the next call of op fails, after some */
	uint32_t trace_mask;
	struct fake_domain d[FAKE_DOMAINS];
	struct fake_file file[FAKE_FILES];
	struct fake_port port[FAKE_PORTS];	/* of domain 0 */
	uint32_t last_device;
	bool no_backs;			/* no driver serves anything */
	struct fake_device device[FAKE_DEVICES];
	struct fake_loop loop[FAKE_LOOPS];
};

/* Use this folder (made if need be); NULL: $PARVUS_FAKE. */
struct fake_state *fake_attach(const char *dir);
void fake_lock(void);
void fake_unlock(void);
struct fake_domain *fake_find(uint32_t domain);
uint8_t *fake_memory(struct fake_domain *d, uint64_t gpa);
/* What a guest does. */
void fake_end(struct fake_domain *d, uint32_t reason, uint32_t status, const char *why);
struct parvus_console_page *fake_console(struct fake_domain *d);
void fake_signal(struct fake_domain *d);
/* The next call of a control op fails so, after @skip good ones. */
void fake_fail(uint32_t op, uint32_t code, uint32_t skip);
unsigned int fake_count(void);
struct fake_device *fake_device(uint32_t domain, uint32_t device_class, uint32_t index);
/* Loop devices that somebody has open, or a device uses. */
unsigned int fake_loops(void);

#endif
