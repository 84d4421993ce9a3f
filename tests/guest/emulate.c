// SPDX-License-Identifier: GPL-2.0-only
/* Raw privileged instructions of the guest kernel do what they mean. */
#include "lib/guest.h"

static volatile u64 hits, stepped_to;
extern char behind_wbinvd[];
static void handler(struct frame *f)
{
	hits++;
	if (f->vector == 1) {
		stepped_to = f->rip;
		f->rflags &= ~0x100ull;
	}
}
static void bad_msr(void *arg)
{
	(void)arg;
	__asm__ volatile("rdmsr" : : "c"(0x12345678) : "eax", "edx");
}
static void bad_cr4(void *arg) { (void)arg; __asm__ volatile("mov %0, %%cr4" : : "r"(~0ull)); }
static void bad_cr0(void *arg) { (void)arg; __asm__ volatile("mov %0, %%cr0" : : "r"(0ull)); }

/* IRETQ to the next instruction, by these selectors. Returns how many were emulated: 1 or 0. */
static u64 iretq(u64 cs, u64 ss)
{
	static struct parvus_vcpu_stats before, after;

	EXPECT_EQ(parvus_stats_read(0, pa(&before), sizeof(before)), 0);
	__asm__ volatile("mov %%rsp, %%rax\n push %1\n push %%rax\n pushq $0x202\n push %0\n"
			 "lea 1f(%%rip), %%rax\n push %%rax\n iretq\n 1:"
			 : : "r"(cs), "r"(ss) : "rax", "memory");
	EXPECT_EQ(parvus_stats_read(0, pa(&after), sizeof(after)), 0);
	return after.emulations - before.emulations;
}

void test(void)
{
	u64 v;
	u32 a, b, c, d;
	u8 port;

	on_trap = handler;
	irq_on();
	__asm__ volatile("cli");
	EXPECT_EQ(area.irq_enabled, 0);
	parvus_vector_raise(0, 0x50);
	EXPECT_EQ(hits, 0);
	__asm__ volatile("sti; nop");
	EXPECT_EQ(hits, 1);
	__asm__ volatile("cli");
	parvus_vector_raise(0, 0x50);
	__asm__ volatile("sti; hlt");
	EXPECT_EQ(hits, 2);
	__asm__ volatile("inb $0x71, %0" : "=a"(port));
	EXPECT_EQ(port, 0xff);
	__asm__ volatile("outb %0, $0x80" : : "a"(port));
	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	EXPECT_EQ(v & 0x80000001, 0x80000001);
	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	EXPECT_EQ(v, pa(root));
	__asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	EXPECT(v & 0x20);
	__asm__ volatile("mov %0, %%cr2" : : "r"(0x1234ull));
	EXPECT_EQ(area.cr2, 0x1234);
	__asm__ volatile("clts; wbinvd; invlpg (%0)" : : "r"(0xffffffff90000000) : "memory");
	__asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(0xc0000080));
	EXPECT(a & 0x400);
	__asm__ volatile("wrmsr" : : "c"(0xc0000102), "a"(0x1000), "d"(0));
	EXPECT_EQ(area.user_gs_base, 0x1000);
	__asm__ volatile("mov %0, %%dr0" : : "r"(0x5000ull));
	__asm__ volatile("mov %%dr0, %0" : "=r"(v));
	EXPECT_EQ(v, 0x5000);
	EXPECT_EQ(parvus_cpuid(0x40000000, 0), 0);
	EXPECT_EQ(area.ret[1], 0x76726150);	/* "Parv" */
	EXPECT_EQ(parvus_cpuid(1, 0), 0);
	EXPECT_EQ(area.ret[2] >> 31, 1);
	EXPECT_EQ(area.ret[3] >> 9 & 1, 0);	/* no APIC */
	(void)b;
	(void)c;
	EXPECT(catch_fault(bad_msr, 0));
	EXPECT_EQ(fault.vector, 13);
	EXPECT(catch_fault(bad_cr4, 0));
	EXPECT(catch_fault(bad_cr0, 0));
	/* a step over one that is emulated ends right behind it */
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; wbinvd; behind_wbinvd: nop; nop"
			 : : : "memory", "cc");
	EXPECT_EQ(stepped_to, behind_wbinvd);
	EXPECT_EQ(parvus_debugreg_get(6), 0);
	EXPECT_EQ(area.ret[0] & 0x4000, 0x4000);
	/* with the selectors of user mode it does not trap: this is kernel mode as before */
	EXPECT_EQ(iretq(PARVUS_KERNEL_CS, PARVUS_KERNEL_SS), 1);
	EXPECT_EQ(area.irq_enabled, 1);
	EXPECT_EQ(iretq(PARVUS_USER_CS, PARVUS_USER_SS), 0);
	EXPECT_EQ(parvus_nop(), 0);
}
