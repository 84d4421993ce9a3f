/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For micro guests that are domain 0 (@control 1): control calls, and children, which are
 * domains of a few pages that run one of the pieces of code below.
 */
#ifndef GUEST_CONTROL_H
#define GUEST_CONTROL_H

#include "guest.h"
#include <parvus/control.h>
#include <parvus/memory.h>

/* One page for every structure of a call. */
static u8 control_page[4096] __attribute__((aligned(4096)));

/* A structure of the type, zeroed, with size and version, in the page. */
#define ARG(type) ((struct type *)arg_new(sizeof(struct type)))
void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);

static inline void *arg_new(u32 size)
{
	memset(control_page, 0, sizeof(control_page));
	((u32 *)control_page)[0] = size;
	((u32 *)control_page)[1] = 1;
	return control_page;
}
static inline s64 control(u64 op) { return parvus_control_op(op, pa(control_page)); }

/*
 * Code of children, at BASE + 0x4000 with rsi = what was given as start_info; position
 * independent, no stack.
 *   child_poweroff   ends with the status in rsi
 *   child_spin       for ever
 *   child_touch      writes one word of each page in [16 KiB + 16 KiB, rsi), then powers off with 0
 *   child_block      blocks for ever
 *   child_fault      an exception that nobody handles: killed
 */
__asm__(".pushsection .text\n"
	"child_poweroff:\n"
	"	mov $26, %eax\n	xor %edi, %edi\n	syscall\n	jmp child_poweroff\n"
	"child_spin:\n"
	"	pause\n	jmp child_spin\n"
	"child_touch:\n"
	"	movabs $0xffffffff80000000, %rbx\n	add %rbx, %rsi\n	add $0x8000, %rbx\n"
	"1:	mov %rbx, (%rbx)\n	add $4096, %rbx\n	cmp %rsi, %rbx\n	jb 1b\n"
	"2:	mov $26, %eax\n	xor %edi, %edi\n	xor %esi, %esi\n	syscall\n	"
	"jmp 2b\n"
	"child_block:\n"
	"	mov $25, %eax\n	syscall\n	jmp child_block\n"
	"child_fault:\n"
	"	ud2\n"
	"child_end:\n"
	".popsection\n");
extern char child_poweroff[], child_spin[], child_touch[], child_block[], child_fault[],
	child_end[];

static inline s64 child_destroy(u32 id)
{
	s64 ret;

	do {
		ARG(parvus_control_domain)->domain = id;
		ret = control(PARVUS_CONTROL_DESTROY);
		if (ret == -PARVUS_EAGAIN)
			parvus_yield();
	} while (ret == -PARVUS_EAGAIN);
	return ret;
}

static inline struct parvus_control_info *child_info(u32 id)
{
	struct parvus_control_info *i = ARG(parvus_control_info);

	i->domain = id;
	return control(PARVUS_CONTROL_INFO) ? NULL : i;
}

static inline u32 child_state(u32 id)
{
	struct parvus_control_info *i = child_info(id);

	return i ? i->state : 99;
}

static inline s64 child_copy(u32 id, u64 gpa, const void *from, u64 bytes)
{
	struct parvus_control_copy *c = ARG(parvus_control_copy);

	c->domain = id;
	c->gpa = gpa;
	c->buffer = pa(from);
	c->bytes = bytes;
	return control(PARVUS_CONTROL_COPY);
}

/* BUILDING: a number, or a negative error. */
static inline s64 child_create(const char *name, u64 frames)
{
	struct parvus_control_create *c = ARG(parvus_control_create);
	s64 ret;

	for (int i = 0; name[i] && i < 31; i++)
		c->name[i] = name[i];
	c->vcpus = 1;
	c->max_frames = frames;
	ret = control(PARVUS_CONTROL_CREATE);
	return ret ? ret : c->domain;
}

static inline s64 child_populate(u32 id, u64 gfn, u64 frames, u64 flags)
{
	struct parvus_control_populate *p = ARG(parvus_control_populate);

	p->domain = id;
	p->gfn = gfn;
	p->frames = frames;
	p->flags = flags;
	return control(PARVUS_CONTROL_POPULATE);
}

static inline s64 child_op(u64 op, u32 id, u32 value)
{
	struct parvus_control_domain *d = ARG(parvus_control_domain);

	d->domain = id;
	d->value = value;
	return control(op);
}

static inline s64 child_begin(u32 id, u64 entry, u64 arg)
{
	struct parvus_control_start *s = ARG(parvus_control_start);

	s->domain = id;
	s->entry = entry;
	s->root = 0x1000;
	s->start_info = arg;
	return control(PARVUS_CONTROL_START);
}

/* BUILDING, with all but a start. Page tables map the first GiB at BASE, by 2 MiB pages. */
static inline s64 child_build(const char *name, u64 frames)
{
	static u64 table[512] __attribute__((aligned(4096)));
	s64 id = child_create(name, frames);

	if (id < 0)
		return id;
	EXPECT_EQ(child_populate((u32)id, 0, frames, 0), 0);
	memset(table, 0, sizeof(table));
	table[511] = 0x2000 | P | W | U;
	EXPECT_EQ(child_copy((u32)id, 0x1000, table, 4096), 0);
	table[511] = 0;
	table[510] = 0x3000 | P | W | U;
	EXPECT_EQ(child_copy((u32)id, 0x2000, table, 4096), 0);
	for (u64 i = 0; i < 512; i++)
		table[i] = i << 21 | P | W | U | PS;
	EXPECT_EQ(child_copy((u32)id, 0x3000, table, 4096), 0);
	EXPECT_EQ(child_copy((u32)id, 0x4000, child_poweroff, (u64)(child_end - child_poweroff)),
		  0);
	return id;
}

/* All of it: RUNNING and paused. */
static inline s64 child_new(const char *name, u64 frames, const char *code, u64 arg)
{
	s64 id = child_build(name, frames);

	if (id >= 0)
		EXPECT_EQ(child_begin((u32)id, BASE + 0x4000 + (u64)(code - child_poweroff), arg),
			  0);
	return id;
}

static inline s64 child_unpause(u32 id) { return child_op(PARVUS_CONTROL_UNPAUSE, id, 0); }

static inline void child_wait(u32 id, u32 state)
{
	for (int i = 0; i < 1000000 && child_state(id) != state; i++)
		parvus_yield();
	EXPECT_EQ(child_state(id), state);
}

static inline struct parvus_control_machine *machine(void)
{
	struct parvus_control_machine *m = ARG(parvus_control_machine);

	EXPECT_EQ(control(PARVUS_CONTROL_MACHINE), 0);
	return m;
}

#endif
