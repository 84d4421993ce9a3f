// SPDX-License-Identifier: GPL-2.0-only
/*
 * CR4.TSD, which prctl(PR_SET_TSC) sets: RDTSC and RDTSCP of user mode fault, those of the
 * guest kernel go on, and it is this vCPU's alone, whatever else runs on the pCPU.
 * @vcpus 4
 */
#include "lib/guest.h"

static const u8 code_rdtsc[] = { 0x0f, 0x31, 0x0f, 0x05 };		/* rdtsc; syscall */
static const u8 code_rdtscp[] = { 0x0f, 0x01, 0xf9, 0x0f, 0x05 };	/* rdtscp; syscall */
static volatile u64 stop, emulations[4];

/* How many traps a read of the TSC costs this vCPU: none, unless TSD is on. */
static u64 traps(unsigned int vcpu)
{
	static struct parvus_vcpu_stats before[4], after[4];

	EXPECT_EQ(parvus_stats_read(PARVUS_VCPU_SELF, pa(&before[vcpu]), sizeof(before[0])), 0);
	__asm__ volatile("rdtsc" : : : "eax", "edx");
	EXPECT_EQ(parvus_stats_read(PARVUS_VCPU_SELF, pa(&after[vcpu]), sizeof(after[0])), 0);
	return after[vcpu].emulations - before[vcpu].emulations;
}

void secondary_main(u64 arg)
{
	while (!stop) {
		emulations[arg] += traps((unsigned int)arg);
		parvus_yield();
	}
	for (;;)
		parvus_vcpu_stop();
}

static void tsd(bool on)
{
	u64 cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(on ? cr4 | 4 : cr4 & ~4ull));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	EXPECT_EQ(cr4 & 4, on ? 4 : 0);
}

static u64 vector_of(const u8 *code, u64 n)
{
	volatile u8 *p = va(*entry_of(root, USER_CODE, 1) & 0x000ffffffffff000ull);

	for (u64 i = 0; i < n; i++)
		p[i] = code[i];
	user_run(0);
	return user_trap.vector;
}

void test(void)
{
	u32 a, d, aux;

	user_setup(code_rdtsc, sizeof(code_rdtsc));
	EXPECT_EQ(parvus_msr_write(0xc0000103, 0x77), 0);
	for (u64 c = 1; c < 4; c++)
		vcpu_begin((unsigned int)c, c);
	for (int i = 0; i < 100; i++) {
		tsd(i & 1);
		parvus_yield();
		EXPECT_EQ(traps(0), i & 1);
		parvus_yield();
		EXPECT_EQ(vector_of(code_rdtsc, sizeof(code_rdtsc)), i & 1 ? 13 : 0x100);
		EXPECT_EQ(user_trap.rip, i & 1 ? USER_CODE : USER_CODE + 4);
		EXPECT_EQ(vector_of(code_rdtscp, sizeof(code_rdtscp)), i & 1 ? 13 : 0x100);
		__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(aux));
		EXPECT_EQ(aux, 0x77);
		EXPECT((u64)d << 32 | a);
	}
	tsd(false);
	stop = 1;
	for (u64 c = 1; c < 4; c++) {
		while (parvus_vcpu_state(c))
			parvus_yield();
		EXPECT_EQ(emulations[c], 0);
	}
}
