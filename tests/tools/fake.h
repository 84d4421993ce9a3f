/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hypervisor that is a file: what libparvus asks of /dev/parvus is answered here, from a
 * state that several processes share, so that the whole toolstack with its monitors can be tried
 * without Parvus. It stands in for tools/libparvus/sys.c. The folder is $PARVUS_FAKE.
 *
 * An open /dev/parvus file is an open file with a lock of its own: the lock goes when the
 * last copy of the descriptor is closed, as the kernel's file would, by whatever death.
 */
#ifndef PARVUS_TESTS_FAKE_H
#define PARVUS_TESTS_FAKE_H

#include "internal.h"

#include <parvus/console.h>
#include <parvus/start.h>

#define FAKE_DOMAINS	6u	/* domain 0 included */
#define FAKE_MEMORY	(128ull << 20)
#define FAKE_FRAMES	(FAKE_MEMORY / PAGE)
#define FAKE_FILES	64u
#define FAKE_PORTS	16u

struct fake_port {
	uint32_t kind;		/* PARVUS_EVENT_* */
	uint32_t file;		/* BIND: of which event file, + 1 */
	uint32_t domain;	/* whose console: slot */
	uint32_t remote;
	bool pending, masked;
};

struct fake_domain {
	bool used, committed;
	uint32_t owner;			/* control file, + 1 */
	struct parvus_control_info info;
	struct parvus_control_start start;
	uint64_t affinity[PARVUS_MAX_VCPUS];
	uint64_t console_gfn;
	uint32_t console_ref, port;	/* offered to domain 0 */
	uint32_t request, mapped_by;	/* grant file, + 1 */
	uint8_t ram[FAKE_FRAMES], touched[FAKE_FRAMES];
};

struct fake_file {
	char kind;			/* c e g, 0 = free */
	uint32_t seen;			/* changes */
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

#endif
