// SPDX-License-Identifier: GPL-2.0-only
/*
 * What CPUID shows a domain, and what it may have in XCR0, is as control CPUID said while it was
 * built: never more than the host gives, and not a bit more than that in the domain itself.
 * @control 1
 */
#include "lib/control.h"

#define BAD(call, err) EXPECT_EQ(call, -(s64)(err))
#define XSAVE	(1u << 26)
#define OSXSAVE	(1u << 27)
#define AVX	(1u << 28)
#define AT	0x5000u		/* of the child: its code, its area, what it found */
#define AREA	0x6000u
#define FOUND	0x7000u

/*
 * The child: cpuid(high, low half of rsi) into its area, what XCR0 is, to FOUND. Then XSETBV of
 * the byte 31 to 24 of rsi, if it is not 0: where that is refused the domain is killed. No stack.
 */
__asm__(".pushsection .text\n"
	"asker:\n"
	"	mov %rsi, %rbx\n"
	"	mov $5, %eax\n	xor %edi, %edi\n	mov $0x6000, %esi\n"
	"	mov $512, %edx\n	mov $1, %r10d\n	syscall\n"
	"	mov %rax, %r12\n"
	"	mov $11, %eax\n	mov %rbx, %rdi\n	shr $32, %rdi\n"
	"	mov %ebx, %esi\n	and $0xffffff, %esi\n	syscall\n"
	"	or %rax, %r12\n"
	"	movabs $0xffffffff80007000, %rbp\n	mov %r12, (%rbp)\n"
	"	xor %eax, %eax\n	mov %rax, 8(%rbp)\n"
	"	bt $55, %rbx\n	jc 1f\n"		/* no XSAVE at all: XGETBV would be #UD */
	"	xor %ecx, %ecx\n	xgetbv\n"
	"	mov %eax, 8(%rbp)\n	mov %edx, 12(%rbp)\n"
	"	mov %ebx, %eax\n	shr $24, %eax\n	jz 1f\n"
	"	xor %edx, %edx\n	xsetbv\n"
	"1:	mov $26, %eax\n	xor %edi, %edi\n	xor %esi, %esi\n"
	"	syscall\n	jmp 1b\n"
	"asker_end:\n"
	".popsection\n");
extern char asker[], asker_end[];

static u32 ret[8];	/* eax to edx, each as 64 bits */
static u64 found[2];	/* errors; XCR0 */
static bool host_xsave;

static struct parvus_control_cpuid *read_policy(u32 id)
{
	struct parvus_control_cpuid *c = ARG(parvus_control_cpuid);

	c->domain = id;
	EXPECT_EQ(control(PARVUS_CONTROL_CPUID), 0);
	return c;
}

/* In the page, and ready to be set. */
static struct parvus_control_cpuid *policy(u32 id, const struct parvus_control_cpuid *from)
{
	struct parvus_control_cpuid *c = (void *)control_page;

	memset(control_page, 0, sizeof(control_page));
	memcpy(c, from, sizeof(*c));
	c->domain = id;
	c->flags = PARVUS_CPUID_SET;
	return c;
}

/* What the child is told of a leaf; it ends by itself, or is killed for its XSETBV. */
static void ask(u32 leaf, u32 sub, u8 xcr0, const struct parvus_control_cpuid *as, u32 *reason)
{
	u32 id = (u32)child_build("asker", 64);
	struct parvus_control_copy *c;
	u64 arg = (u64)leaf << 32 | (u32)xcr0 << 24 | sub;

	EXPECT_EQ(child_copy(id, AT, asker, (u64)(asker_end - asker)), 0);
	if (as) {
		policy(id, as);
		EXPECT_EQ(control(PARVUS_CONTROL_CPUID), 0);
	}
	if (!host_xsave)
		arg |= 1ull << 55;
	EXPECT_EQ(child_begin(id, BASE + AT, arg), 0);
	EXPECT_EQ(child_unpause(id), 0);
	child_wait(id, PARVUS_DOMAIN_SHUTDOWN);
	*reason = child_info(id)->reason;
	for (u32 i = 0; i < 2; i++) {
		c = ARG(parvus_control_copy);
		c->domain = id;
		c->flags = PARVUS_COPY_OUT;
		c->gpa = i ? FOUND : AREA + __builtin_offsetof(struct parvus_vcpu_area, ret);
		c->buffer = i ? pa(found) : pa(ret);
		c->bytes = i ? sizeof(found) : sizeof(ret);
		EXPECT_EQ(control(PARVUS_CONTROL_COPY), 0);
	}
	EXPECT_EQ(found[0], 0);		/* both calls succeeded */
	EXPECT_EQ(child_destroy(id), 0);
}

static void refused(const struct parvus_control_cpuid *host)
{
	u32 id = (u32)child_build("built", 64);
	struct parvus_control_cpuid *c;

#define WITH(change) (c = policy(id, host), change, control(PARVUS_CONTROL_CPUID))
	for (u32 i = 0; i < PARVUS_CPUID_WORDS; i++) {
		for (u32 bit = 0; bit < 32; bit++)
			if (!(host->features[i] >> bit & 1))
				BAD(WITH(c->features[i] |= 1u << bit), PARVUS_EINVAL);
		BAD(WITH(c->features[i] = ~0u), PARVUS_EINVAL);
	}
	for (u32 bit = 0; bit < 64; bit++)
		if (!(host->xcr0 >> bit & 1))
			BAD(WITH(c->xcr0 |= 1ull << bit), PARVUS_EINVAL);
	BAD(WITH(c->xcr0 = ~0ull), PARVUS_EINVAL);
	if (host_xsave) {
		BAD(WITH(c->xcr0 = 0), PARVUS_EINVAL);
		BAD(WITH(c->xcr0 = 1), PARVUS_EINVAL);
		BAD(WITH(c->xcr0 &= ~1ull), PARVUS_EINVAL);
		BAD(WITH(c->xcr0 &= ~2ull), PARVUS_EINVAL);
		BAD(WITH(c->features[0] &= ~XSAVE), PARVUS_EINVAL);	/* XCR0, and no XSAVE */
	} else {
		BAD(WITH(c->xcr0 = 3), PARVUS_EINVAL);
	}
	BAD(WITH(c->flags = 2), PARVUS_EINVAL);
	BAD(WITH(c->flags = 3), PARVUS_EINVAL);
	BAD(WITH(c->flags = ~0u), PARVUS_EINVAL);
	BAD(WITH(c->reserved0 = 1), PARVUS_EINVAL);
	for (u32 i = 0; i < 4; i++)
		BAD(WITH(c->reserved[i] = 1), PARVUS_EINVAL);
	BAD(WITH(c->domain = start_info->domain), PARVUS_EBUSY);	/* nor one that runs */
	/* nothing of all that stuck */
	c = read_policy(id);
	for (u32 i = 0; i < PARVUS_CPUID_WORDS; i++)
		EXPECT_EQ(c->features[i], host->features[i]);
	EXPECT_EQ(c->xcr0, host->xcr0);
	/* what was taken may be given back, while it is built */
	EXPECT_EQ(WITH(c->features[1] = 0), 0);
	EXPECT_EQ(read_policy(id)->features[1], 0);
	EXPECT_EQ(WITH(c->xcr0 = host->xcr0), 0);
	EXPECT_EQ(read_policy(id)->features[1], host->features[1]);
	EXPECT_EQ(child_begin(id, BASE, 0), 0);
	BAD(WITH(c->features[1] = 0), PARVUS_EBUSY);
	EXPECT_EQ(read_policy(id)->features[1], host->features[1]);
	EXPECT_EQ(child_destroy(id), 0);
}

void test(void)
{
	static const struct { u32 leaf, sub, reg; } words[] = {
		{ 1, 0, 2 }, { 1, 0, 3 }, { 7, 0, 1 }, { 7, 0, 2 }, { 7, 0, 3 }, { 0xd, 1, 0 },
		{ 0x80000001, 0, 2 }, { 0x80000001, 0, 3 }, { 0x80000007, 0, 3 },
	};
	struct parvus_control_cpuid host = *read_policy(PARVUS_DOMAIN_SELF), less;
	u32 reason;

	host_xsave = host.features[0] & XSAVE;
	for (u32 i = 0; i < PARVUS_CPUID_WORDS; i++) {
		EXPECT_EQ(parvus_cpuid(words[i].leaf, words[i].sub), 0);
		EXPECT_EQ(host.features[i], area.ret[words[i].reg]);
	}
	refused(&host);
	for (u32 i = 0; i < PARVUS_CPUID_WORDS; i++) {
		/* every second bit of one word: it is shown those, and of other words all */
		less = host;
		less.features[i] &= 0x55555555;
		if (i == 0 && host_xsave)
			less.features[0] |= XSAVE;
		for (u32 k = 0; k < PARVUS_CPUID_WORDS; k++) {
			if (k != i && k != (i + 1) % PARVUS_CPUID_WORDS)
				continue;
			ask(words[k].leaf, words[k].sub, 0, &less, &reason);
			EXPECT_EQ(reason, PARVUS_SHUTDOWN_POWEROFF);
			EXPECT_EQ(ret[2 * words[k].reg], less.features[k]);
		}
	}
	ask(1, 0, 0, NULL, &reason);
	EXPECT_EQ(ret[4], host.features[0]);
	if (!host_xsave)
		return;
	/* no AVX: XCR0 is 3 and stays that, and an image is as long as it then is */
	less = host;
	less.features[0] &= ~AVX;
	less.xcr0 = 3;
	ask(0xd, 0, 3, &less, &reason);
	EXPECT_EQ(reason, PARVUS_SHUTDOWN_POWEROFF);
	EXPECT_EQ(found[1], 3);
	EXPECT_EQ(ret[0], 3);
	EXPECT_EQ(ret[2], 576);
	EXPECT_EQ(ret[4], 576);
	ask(0xd, 2, 0, &less, &reason);
	EXPECT_EQ(ret[0] | ret[2] | ret[4] | ret[6], 0);
	ask(1, 0, 7, &less, &reason);
	EXPECT_EQ(reason, PARVUS_SHUTDOWN_KILLED);
	/* no XSAVE: nothing of the leaf, and XCR0 cannot be written */
	less.features[0] &= ~(XSAVE | OSXSAVE);
	less.xcr0 = 0;
	ask(0xd, 0, 0, &less, &reason);
	EXPECT_EQ(reason, PARVUS_SHUTDOWN_POWEROFF);
	EXPECT_EQ(found[1], 3);
	EXPECT_EQ(ret[0] | ret[2] | ret[4] | ret[6], 0);
	ask(1, 0, 3, &less, &reason);
	EXPECT_EQ(reason, PARVUS_SHUTDOWN_KILLED);
	if (!(host.xcr0 & 4))
		return;
	less = host;
	less.xcr0 = 7;
	ask(0xd, 0, 7, &less, &reason);
	EXPECT_EQ(reason, PARVUS_SHUTDOWN_POWEROFF);
	EXPECT_EQ(found[1], 7);
	EXPECT_EQ(ret[0], 7);
	EXPECT_EQ(ret[2], 832);
	ask(0xd, 0, 3, &host, &reason);
	EXPECT_EQ(found[1], host.xcr0);
}
