// SPDX-License-Identifier: GPL-2.0-only
/*
 * Save, destroy, restore, over and over, of a domain with two vCPUs that never have their virtual
 * interrupt flag set: general registers, XMM, FS and GS base, a TLS entry and a selector of it,
 * debug registers are what they were at every moment, its number is the same, and its clock goes
 * on where it stood. Then each register, selector, image and fact of a host that would fault in
 * ring 0, or give the guest a right, is refused by itself, and what was refused leaves nothing.
 * @control 1
 * @cpus 2
 * @timeout 120
 */
#include "lib/control.h"
#include <parvus/context.h>
#include <parvus/event.h>

#define FRAMES	1024u
#define SAVED	32u		/* pages that the child has touched */
#define COUNT	(BASE + 0x10000)	/* of rounds, a word per vCPU */

/*
 * The child, at BASE + 0x5000. rbx = its counter, rax is for the checks, all other registers are a
 * pattern. A wrong one ends it with a status that says what it was.
 */
#define EACH(X)	X(rdx, 1) X(rsi, 2) X(rdi, 3) X(rbp, 4) X(rsp, 5) X(r8, 6) X(r9, 7) X(r10, 8) \
		X(r12, 9) X(r13, 10) X(r14, 11) X(r15, 12)
#define EACH_XMM(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) \
		X(14) X(15)
#define STR(x)		#x
#define SET(reg, n)	"	mov $0x5a001000 + " STR(n) " * 256, %" STR(reg) "\n"
#define CHECK(reg, n)	"	cmp $0x5a001000 + " STR(n) " * 256, %" STR(reg) "\n" \
			"	jne bad_register\n"
#define SET_XMM(n)	"	mov $0x33440000 + " STR(n) ", %eax\n" \
			"	movq %rax, %xmm" STR(n) "\n"
#define CHECK_XMM(n)	"	movq %xmm" STR(n) ", %rax\n" \
			"	cmp $0x33440000 + " STR(n) ", %rax\n	jne bad_xmm\n"

__asm__(".pushsection .text\n"
	"context_child:\n"
	"	mov %rsi, %rbx\n"
	/* FS base, GS base, TLS entry 12 and DS of it, a breakpoint where nothing is */
	"	mov $8, %eax\n	xor %edi, %edi\n	lea 8(%rbx), %rsi\n"
	"	and $-16, %rsi\n	add $0x100, %rsi\n	syscall\n"
	"	mov $8, %eax\n	mov $1, %edi\n	lea 0x200(%rbx), %rsi\n	syscall\n"
	"	mov $7, %eax\n	xor %edi, %edi\n"
	"	movabs $0x0041f20000002345, %rsi\n	syscall\n"
	"	mov $0x63, %eax\n	mov %eax, %ds\n"
	"	mov $12, %eax\n	mov $1, %edi\n	movabs $0x123456789000, %rsi\n	syscall\n"
	"	mov $12, %eax\n	mov $7, %edi\n	mov $0x404, %esi\n	syscall\n"
	"	mov %rbx, %fs:8\n	mov %rbx, %gs:0\n"
	EACH_XMM(SET_XMM)
	EACH(SET)
	"1:\n"
	EACH(CHECK)
	EACH_XMM(CHECK_XMM)
	"	cmp %fs:8, %rbx\n	jne bad_base\n"
	"	cmp %gs:0, %rbx\n	jne bad_base\n"
	"	mov $0x63, %eax\n	lsl %eax, %eax\n	jnz bad_tls\n"
	"	cmp $0x12345, %eax\n	jne bad_tls\n"
	"	mov %ds, %eax\n	cmp $0x63, %eax\n	jne bad_tls\n"
	"	mov %db1, %rax\n	shr $12, %rax\n	cmp $0x23456789, %eax\n"
	"	jne bad_debug\n"
	"	mov %db7, %rax\n	cmp $0x404, %eax\n	jne bad_debug\n"
	"	incq (%rbx)\n"
	"	jmp 1b\n"
	"bad_register:	mov $1, %esi\n	jmp 2f\n"
	"bad_xmm:	mov $2, %esi\n	jmp 2f\n"
	"bad_base:	mov $3, %esi\n	jmp 2f\n"
	"bad_tls:	mov $4, %esi\n	jmp 2f\n"
	"bad_debug:	mov $5, %esi\n"
	"2:	mov $26, %eax\n	xor %edi, %edi\n	syscall\n	jmp 2b\n"
	/* vCPU 0 starts the other one: its context is at 0x11000 */
	"context_first:\n"
	"	mov %rsi, %rbx\n"
	"	mov $21, %eax\n	mov $1, %edi\n	mov $0x11000, %esi\n	syscall\n"
	"	test %rax, %rax\n	jnz bad_register\n"
	"	mov %rbx, %rsi\n	jmp context_child\n"
	"context_end:\n"
	".popsection\n");
extern char context_child[], context_first[], context_end[];

static u8 memory[SAVED][4096] __attribute__((aligned(4096)));
static u8 buffer[4096] __attribute__((aligned(4096)));
static struct parvus_context_host host;
static struct parvus_context_domain domain;
static struct parvus_trap traps[PARVUS_TRAPS];
static struct parvus_context_vcpu vcpu[2];
static u8 image[2][4096] __attribute__((aligned(4096)));
static u32 image_bytes;

static s64 context(u32 id, u32 kind, u32 index, u32 flags, u32 bytes)
{
	struct parvus_control_context *c = ARG(parvus_control_context);

	c->domain = id;
	c->kind = kind;
	c->index = index;
	c->flags = flags;
	c->buffer = bytes ? pa(buffer) : 0;
	c->bytes = bytes;
	return control(PARVUS_CONTROL_CONTEXT);
}

static void get(u32 id, u32 kind, u32 index, void *to, u32 bytes)
{
	EXPECT_EQ(context(id, kind, index, 0, 4096), 0);
	EXPECT_EQ(((struct parvus_control_context *)control_page)->bytes, bytes);
	memcpy(to, buffer, bytes);
}

static s64 set(u32 id, u32 kind, u32 index, const void *from, u32 bytes)
{
	memcpy(buffer, from, bytes);
	return context(id, kind, index, PARVUS_CONTEXT_SET, bytes);
}

static s64 create(u32 number)
{
	struct parvus_control_create *c = ARG(parvus_control_create);

	c->name[0] = 'c';
	c->vcpus = 2;
	c->max_frames = FRAMES;
	c->flags = number ? PARVUS_CREATE_NUMBER : 0;
	c->domain = number;
	return control(PARVUS_CONTROL_CREATE) ?: c->domain;
}

static u32 child(void)
{
	static u64 table[512] __attribute__((aligned(4096)));
	struct parvus_vcpu_context second = {
		.size = sizeof(second), .version = 1, .rip = BASE + 0x5000, .rsi = COUNT + 8,
		.root = 0x1000 };
	s64 id = create(0);

	EXPECT(id > 0);
	EXPECT_EQ(child_populate((u32)id, 0, FRAMES, 0), 0);
	table[511] = 0x2000 | P | W | U;
	EXPECT_EQ(child_copy((u32)id, 0x1000, table, 4096), 0);
	memset(table, 0, sizeof(table));
	table[510] = 0x3000 | P | W | U;
	EXPECT_EQ(child_copy((u32)id, 0x2000, table, 4096), 0);
	for (u64 i = 0; i < 512; i++)
		table[i] = i << 21 | P | W | U | PS;
	EXPECT_EQ(child_copy((u32)id, 0x3000, table, 4096), 0);
	memset(table, 0, sizeof(table));
	memcpy(table, context_child, (u64)(context_end - context_child));
	EXPECT_EQ(child_copy((u32)id, 0x5000, table, 4096), 0);
	memset(table, 0, sizeof(table));
	memcpy(table, &second, sizeof(second));
	EXPECT_EQ(child_copy((u32)id, 0x11000, table, 4096), 0);
	memset(table, 0, sizeof(table));
	EXPECT_EQ(child_begin((u32)id, BASE + 0x5000 + (u64)(context_first - context_child),
			      COUNT), 0);
	return (u32)id;
}

static u64 count(u32 id, u32 n)
{
	static u64 word __attribute__((aligned(64)));
	struct parvus_control_copy *c = ARG(parvus_control_copy);

	c->domain = id;
	c->flags = PARVUS_COPY_OUT;
	c->gpa = 0x10000 + 8 * n;
	c->buffer = pa(&word);
	c->bytes = 8;
	EXPECT_EQ(control(PARVUS_CONTROL_COPY), 0);
	return word;
}

/* Both count, and neither ends it. */
static void goes_on(u32 id)
{
	u64 from[2] = { count(id, 0), count(id, 1) };

	for (u32 i = 0; i < 2; i++)
		while (count(id, i) < from[i] + 50) {
			if (child_state(id) != PARVUS_DOMAIN_RUNNING)
				EXPECT_EQ(child_info(id)->status, 0);
			parvus_yield();
		}
}

static void save(u32 id)
{
	struct parvus_control_copy *c;

	EXPECT_EQ(context(id, PARVUS_CONTEXT_DOMAIN, 0, 0, 4096), -(s64)PARVUS_EBUSY);
	EXPECT_EQ(child_op(PARVUS_CONTROL_PAUSE, id, 0), 0);
	while (child_info(id)->flags & PARVUS_INFO_RUNNING)
		parvus_yield();
	for (u32 i = 0; i < SAVED; i++) {
		c = ARG(parvus_control_copy);
		c->domain = id;
		c->flags = PARVUS_COPY_OUT;
		c->gpa = i * 4096;
		c->buffer = pa(memory[i]);
		c->bytes = 4096;
		EXPECT_EQ(control(PARVUS_CONTROL_COPY), 0);
	}
	get(id, PARVUS_CONTEXT_HOST, 0, &host, sizeof(host));
	get(id, PARVUS_CONTEXT_DOMAIN, 0, &domain, sizeof(domain));
	get(id, PARVUS_CONTEXT_TRAPS, 0, traps, sizeof(traps));
	image_bytes = host.xsave_size;
	for (u32 i = 0; i < 2; i++) {
		get(id, PARVUS_CONTEXT_VCPU, i, &vcpu[i], sizeof(vcpu[i]));
		get(id, PARVUS_CONTEXT_XSAVE, i, image[i], image_bytes);
		EXPECT_EQ(vcpu[i].flags, PARVUS_CONTEXT_STARTED | PARVUS_CONTEXT_KERNEL);
		EXPECT_EQ(vcpu[i].state, PARVUS_VCPU_RUNNABLE);
		EXPECT_EQ(vcpu[i].ds, 0x63);
		EXPECT_EQ(vcpu[i].rbx, COUNT + 8 * i);
		EXPECT_EQ(vcpu[i].irq_enabled, 0);
	}
}

static void make(u32 id)
{
	EXPECT_EQ(child_populate(id, 0, FRAMES, 0), 0);
	for (u32 i = 0; i < SAVED; i++)
		EXPECT_EQ(child_copy(id, i * 4096, memory[i], 4096), 0);
}

static void give(u32 id)
{
	EXPECT_EQ(set(id, PARVUS_CONTEXT_HOST, 0, &host, sizeof(host)), 0);
	EXPECT_EQ(set(id, PARVUS_CONTEXT_DOMAIN, 0, &domain, sizeof(domain)), 0);
	EXPECT_EQ(set(id, PARVUS_CONTEXT_TRAPS, 0, traps, sizeof(traps)), 0);
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(set(id, PARVUS_CONTEXT_VCPU, i, &vcpu[i], sizeof(vcpu[i])), 0);
		EXPECT_EQ(set(id, PARVUS_CONTEXT_XSAVE, i, image[i], image_bytes), 0);
	}
	EXPECT_EQ(context(id, PARVUS_CONTEXT_COMMIT, 0, PARVUS_CONTEXT_SET, 0), 0);
}

static void over_and_over(void)
{
	u32 id = child();
	u64 clock = 0;

	EXPECT_EQ(child_unpause(id), 0);
	for (u32 n = 0; n < 5; n++) {
		goes_on(id);
		save(id);
		EXPECT(domain.now_ns > clock);
		clock = domain.now_ns;
		EXPECT_EQ(child_destroy(id), 0);
		/* a while passes that the domain knows nothing of */
		for (u32 i = 0; i < 200; i++)
			parvus_yield();
		EXPECT_EQ(create(id), id);
		EXPECT_EQ(create(id), -(s64)PARVUS_EEXIST);
		make(id);
		give(id);
		EXPECT_EQ(child_state(id), PARVUS_DOMAIN_RUNNING);
		EXPECT(child_info(id)->flags & PARVUS_INFO_PAUSED);
		/* all of it is as it was given; its clock stands */
		get(id, PARVUS_CONTEXT_DOMAIN, 0, buffer, sizeof(domain));
		EXPECT_EQ(((struct parvus_context_domain *)buffer)->now_ns, clock);
		get(id, PARVUS_CONTEXT_VCPU, 1, buffer, sizeof(vcpu[1]));
		for (u32 i = 0; i < sizeof(vcpu[1]); i++)
			EXPECT_EQ(buffer[i], ((u8 *)&vcpu[1])[i]);
		EXPECT_EQ(child_unpause(id), 0);
	}
	goes_on(id);
	save(id);
	EXPECT_EQ(child_destroy(id), 0);
}

static void taken(const char *what)
{
	print("FAILED: it takes %s\n", what);
	failures++;
}

/* One member of a record that is otherwise right. */
#define WRONG_IN(kind, record, bytes, member, value) do { \
	__typeof__(record) was = record; \
	record.member = value; \
	if (set(id, kind, 0, &record, bytes) != -(s64)PARVUS_EINVAL) \
		taken(#member " = " #value); \
	record = was; \
} while (0)
#define WRONG(member, value) \
	WRONG_IN(PARVUS_CONTEXT_VCPU, vcpu[0], sizeof(vcpu[0]), member, value)
#define WRONG_HOST(member, value) \
	WRONG_IN(PARVUS_CONTEXT_HOST, host, sizeof(host), member, value)
#define WRONG_IMAGE(type, at, value) do { \
	type *p = (type *)&image[0][at], was = *p; \
	*p = value; \
	if (set(id, PARVUS_CONTEXT_XSAVE, 0, image[0], image_bytes) != -(s64)PARVUS_EINVAL) \
		taken("an image with " #value " at " #at); \
	*p = was; \
} while (0)

static const u64 uncanonical[] = { 1ull << 47, 0x0000800000000000, 0xffff7fffffffffff, 1ull << 63 };

static void would_fault(u32 id)
{
	for (u32 i = 0; i < 4; i++) {
		WRONG(rip, uncanonical[i]);
		WRONG(fs_base, uncanonical[i]);
		WRONG(gs_base, uncanonical[i]);
		WRONG(kernel_gs_base, uncanonical[i]);
		WRONG(dr[i], uncanonical[i]);
		WRONG(dr[i], 0xffff800000000000 + i);	/* the hole */
		WRONG(dr[i], 0xffff87ffffffffff - i);
	}
	WRONG(dr7, 1ull << 32);
	WRONG(tsc_aux, 1ull << 32);
	WRONG(xcr0, 0);
	WRONG(xcr0, 1);
	WRONG(xcr0, 1ull << 63 | 3);
	WRONG(xcr0, ~0ull);
	WRONG(xcr0, 0x23);		/* a part of AVX-512 alone */
	WRONG(cr4, 1);			/* without PAE */
	WRONG(cr4, 1ull << 63 | 0x20);
	WRONG(cpuid_faults, 2);
	/* XRSTOR */
	WRONG_IMAGE(u32, 24, 0xffff0000);
	WRONG_IMAGE(u32, 24, 1u << 16);
	if (host.xsave_size > 512) {
		WRONG_IMAGE(u64, 512, 1ull << 62);
		WRONG_IMAGE(u64, 512, ~host.xcr0);
		WRONG_IMAGE(u64, 520, 1ull << 63);
		WRONG_IMAGE(u64, 520, 1);
		WRONG_IMAGE(u64, 528, 1);
		WRONG_IMAGE(u64, 568, 1ull << 63);
	}
}

static void would_give_rights(u32 id)
{
	static const u64 code[] = { 0x00affb000000ffff, 0x00cf9b000000ffff };	/* DPL 3, DPL 0 */
	static const u16 selectors[] = {
		0x80, 0x83, 0x88, 0x8b,		/* ring 0's own */
		0x90, 0x93,			/* its TSS */
		0x08, 0x0b, 0x1b, 0x9b, 0xfffb,	/* nothing is there */
		0x2f, 0x67, 4,			/* a local table */
		0x28, 0x60 };			/* RPL 0 */

	WRONG(rflags, vcpu[0].rflags | 0x3000);	/* IOPL */
	WRONG(rflags, vcpu[0].rflags | 1ull << 17);	/* VM */
	WRONG(rflags, vcpu[0].rflags | 1ull << 32);
	WRONG(rflags, vcpu[0].rflags & ~0x200ull);	/* no interrupts */
	WRONG(rflags, vcpu[0].rflags & ~2ull);
	WRONG(cs, PARVUS_USER_CS);
	WRONG(cs, 0x80);
	WRONG(ss, PARVUS_USER_SS);
	WRONG(ss, 0x88);
	for (u32 i = 0; i < sizeof(selectors) / 2; i++) {
		WRONG(ds, selectors[i]);
		WRONG(es, selectors[i]);
		WRONG(fs, selectors[i]);
		WRONG(gs, selectors[i]);
	}
	for (u32 i = 0; i < 4; i++) {
		WRONG(tls[i], code[0]);
		WRONG(tls[i], code[1]);
		WRONG(tls[i], 0x004092000000ffff);	/* DPL 0 */
		WRONG(tls[i], 0x0000f2000000ffff);	/* 16 bits */
	}
	WRONG(tls[3], 0x0040f2000000ffff);	/* could be a stack */
	/* of user mode */
	vcpu[0].flags = PARVUS_CONTEXT_STARTED;
	vcpu[0].cs = PARVUS_USER_CS;
	vcpu[0].ss = PARVUS_USER_SS;
	WRONG(cs, PARVUS_KERNEL_CS);
	WRONG(cs, 0x80);
	WRONG(cs, 0x30);
	WRONG(cs, PARVUS_USER_CS32);		/* rip is above 32 bits */
	WRONG(ss, PARVUS_KERNEL_SS);
	WRONG(ss, 0);
	WRONG(ss, 0x88);
	WRONG(ss, 0x73);			/* an entry that is empty */
	WRONG(ss, 0x7b);
	vcpu[0].flags |= PARVUS_CONTEXT_KERNEL;
	vcpu[0].cs = PARVUS_KERNEL_CS;
	vcpu[0].ss = PARVUS_KERNEL_SS;
	WRONG(flags, 4);
	WRONG(vectors[0], 1ull << 14);
	traps[3].dpl = 1;
	EXPECT_EQ(set(id, PARVUS_CONTEXT_TRAPS, 0, traps, sizeof(traps)), -(s64)PARVUS_EINVAL);
	traps[3].dpl = 0;
}

static void other_host(u32 id)
{
	WRONG_HOST(size, 120);
	WRONG_HOST(version, 2);
	WRONG_HOST(features[0], host.features[0] | 1ull << 40);
	WRONG_HOST(features[0], host.features[0] | PARVUS_FEATURE_TSC_CLOCK);
	WRONG_HOST(features[2], 1);
	WRONG_HOST(xcr0, host.xcr0 | 1ull << 17);
	WRONG_HOST(xsave_size, host.xsave_size + 64);
	WRONG_HOST(xsave_offset[2], host.xsave_offset[2] + 64);
	WRONG_HOST(xsave_offset[7], host.xsave_offset[7] + 64);
	WRONG_HOST(mxcsr_mask, host.mxcsr_mask | 1u << 31);
	WRONG_HOST(reserved[3], 1);
}

void test(void)
{
	u64 free = machine()->frames_free;
	u32 id;

	over_and_over();
	EXPECT_EQ(machine()->frames_free, free);
	EXPECT_EQ(child_info(0)->flags & PARVUS_INFO_CONTROL, PARVUS_INFO_CONTROL);
	EXPECT_EQ(context(0, PARVUS_CONTEXT_HOST, 0, 0, 4096), 0);
	EXPECT_EQ(context(0, PARVUS_CONTEXT_DOMAIN, 0, 0, 4096), -(s64)PARVUS_EINVAL);
	EXPECT_EQ(context(0x7000, PARVUS_CONTEXT_HOST, 0, 0, 4096), -(s64)PARVUS_ENOENT);

	id = (u32)create(0);
	make(id);
	would_fault(id);
	would_give_rights(id);
	other_host(id);
	if (failures)	/* what was taken would be what it runs with */
		return;
	EXPECT_EQ(context(id, PARVUS_CONTEXT_COMMIT, 0, PARVUS_CONTEXT_SET, 0),
		  -(s64)PARVUS_EINVAL);
	/* what is right is taken still, and runs */
	give(id);
	EXPECT_EQ(child_unpause(id), 0);
	goes_on(id);
	EXPECT_EQ(child_destroy(id), 0);
	EXPECT_EQ(machine()->frames_free, free);
}
