// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS entries, FS and GS bases, the user's GS selector, and the CPU number entry, as Linux
 * uses them; they survive a change of vCPU on the pCPU, and so does the hypervisor.
 * @vcpus 4
 */
#include "lib/guest.h"

static volatile u64 stop;
static u64 has_rdtscp;

/* A vCPU has the TSC_AUX that it wrote, whoever else is on its pCPU. */
static void aux_is(u32 aux)
{
	u32 a, d, c = aux;

	if (has_rdtscp)
		__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
	EXPECT_EQ(c, aux);
}

void secondary_main(u64 arg)
{
	parvus_base_set(PARVUS_BASE_FS, 0x7777000);
	if (has_rdtscp)
		parvus_msr_write(0xc0000103, 0x5a0 + arg);
	while (!stop) {
		parvus_yield();
		aux_is((u32)(0x5a0 + arg));
	}
	for (;;)
		parvus_vcpu_stop();
}

static u64 fs_base(void)
{
	EXPECT_EQ(parvus_msr_read(0xc0000100), 0);
	return area.ret[0];
}

static u64 limit_of(u16 sel)
{
	u64 v = 0;

	__asm__ volatile("lsl %1, %0" : "+r"(v) : "r"((u64)sel));
	return v;
}

/* Every selector that MOV to GS takes in user mode is taken, with its base; no other. */
static void gs_selectors(void)
{
	u64 sel, base, good;
	u16 was = 0, now;

	EXPECT_EQ(parvus_tls_set(0, 0x12cff3345678ffff), 0);
	EXPECT_EQ(parvus_tls_set(1, 0x00cff1000000ffff), 0);	/* read-only */
	for (sel = 0; sel < 0x200; sel++) {
		base = sel >> 3 == 12 ? 0x12345678 : 0;
		good = sel < 4 ||
		       (!(sel & 4) && ((sel >> 3 >= 4 && sel >> 3 <= 6) || sel >> 3 == 12 ||
				       sel >> 3 == 13 || sel >> 3 == 15));
		area.user_gs_base = 0x99;
		EXPECT_EQ(parvus_base_set(PARVUS_SEL_GS_USER, sel), good ? 0 : -PARVUS_EINVAL);
		EXPECT_EQ(area.user_gs_base, good ? base : 0x99);
		if (good)
			was = (u16)sel;
		parvus_yield();
		__asm__ volatile("mov %%gs, %0" : "=r"(now));
		/* whether IRET keeps the number of a null selector is the machine's affair */
		EXPECT_EQ(was < 4 ? now & ~3u : now, was < 4 ? 0u : was);
	}
	EXPECT_EQ(parvus_base_set(PARVUS_SEL_GS_USER, 0x10063), -PARVUS_EINVAL);
	EXPECT_EQ(parvus_base_set(PARVUS_SEL_GS_USER, 0), 0);
	for (sel = 0; sel < 3; sel++)
		EXPECT_EQ(parvus_tls_set(sel, 0), 0);
}

void test(void)
{
	static u64 data = 0x1122334455667788;
	u64 v;

	EXPECT_EQ(parvus_tls_set(3, 0x0040f50000002042), 0);
	EXPECT_EQ(limit_of(0x7b), 0x2042);
	EXPECT_EQ(parvus_cpuid(0x80000001, 0), 0);
	has_rdtscp = area.ret[3] >> 27 & 1;
	if (has_rdtscp)
		EXPECT_EQ(parvus_msr_write(0xc0000103, 0x5a0), 0);
	for (u32 c = 1; c < 4; c++)
		vcpu_begin(c, c);
	for (u64 i = 1; i < 300; i++) {
		aux_is(0x5a0);
		EXPECT_EQ(parvus_base_set(PARVUS_BASE_FS, (u64)&data - i), 0);
		parvus_yield();
		EXPECT_EQ(fs_base(), (u64)&data - i);
		__asm__ volatile("mov %%fs:(%1), %0" : "=r"(v) : "r"(i));
		EXPECT_EQ(v, data);
	}
	/* base 0x12345678, limit 4 GiB, 32-bit data, DPL 3 */
	EXPECT_EQ(parvus_tls_set(0, 0x12cff3345678ffff), 0);
	EXPECT_EQ(parvus_base_set(PARVUS_SEL_GS_USER, 0x63), 0);
	EXPECT_EQ(area.user_gs_base, 0x12345678);
	EXPECT_EQ(parvus_base_set(PARVUS_SEL_GS_USER, 0), 0);
	EXPECT_EQ(area.user_gs_base, 0);
	__asm__ volatile("mov %0, %%fs" : : "r"(0x63));
	EXPECT_EQ(fs_base(), 0x12345678);
	parvus_yield();
	EXPECT_EQ(fs_base(), 0x12345678);
	__asm__ volatile("mov %0, %%fs" : : "r"(0));
	gs_selectors();
	/* a TLS entry that goes while its selector is in use: the switch loads 0, nothing faults */
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(parvus_tls_set(0, 0x12cff3345678ffff), 0);
		EXPECT_EQ(parvus_tls_set(1, 0x00cff3000000ffff), 0);
		__asm__ volatile("mov %0, %%fs; mov %0, %%gs; mov %1, %%ds; mov %1, %%es"
				 : : "r"(0x63), "r"(0x6b));
		EXPECT_EQ(parvus_tls_set(0, 0), 0);
		EXPECT_EQ(parvus_tls_set(1, 0), 0);
		for (int k = 0; k < 20; k++)
			parvus_yield();
	}
	stop = 1;
	for (u64 c = 1; c < 4; c++)
		while (parvus_vcpu_state(c))
			parvus_yield();
}
