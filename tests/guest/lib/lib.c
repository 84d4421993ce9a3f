// SPDX-License-Identifier: GPL-2.0-only
/* The library of micro guests; see guest.h. */
#include "guest.h"

struct parvus_start_info *start_info;
struct parvus_vcpu_area area __attribute__((aligned(512)));
struct parvus_vcpu_area areas[PARVUS_MAX_VCPUS] __attribute__((aligned(512)));
static char stacks[4][8192] __attribute__((aligned(16)));
static struct { u32 version, pad; u64 tsc, time; u32 mult; signed char shift; u8 flags, pad2[2]; }
	clock __attribute__((aligned(64)));
static struct parvus_trap traps[256] __attribute__((aligned(16)));
static struct parvus_callbacks callbacks __attribute__((aligned(64)));
volatile struct fault fault;
unsigned int failures;
void (*volatile on_trap)(struct frame *f);
struct frame user_trap;

void console_out(const char *s, unsigned int n)
{
	unsigned int done;

	for (done = 0; done < n;) {
		s64 r = parvus_console_write(pa(s) + done, n - done);

		if (r <= 0)
			break;
		done += (unsigned int)r;
	}
}

void end(unsigned int status)
{
	for (;;)
		parvus_shutdown(PARVUS_SHUTDOWN_POWEROFF, status);
}

s64 hypercall(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	s64 ret = (s64)nr;

	__asm__ volatile("syscall" : "+a"(ret) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

void trap(struct frame *f)
{
	bool user = f->cs & 3;

	if (!user && f->vector < 32 && catch_sp) {
		fault.vector = f->vector;
		fault.error = f->error;
		fault.rip = f->rip;
		fault.cs = f->cs;
		fault.rflags = f->rflags;
		fault.cr2 = area.cr2;
		f->rip = (u64)catch_return;
		f->rsp = catch_sp;
		catch_sp = 0;
		return;
	}
	if (user && user_sp && (f->vector < 32 || f->vector == 0x100 || f->vector == 0x80)) {
		user_trap = *f;
		if (!on_trap) {
			leave_user(f);
			return;
		}
	}
	if (on_trap) {
		on_trap(f);
		return;
	}
	print("unexpected trap %lu error %lx rip %lx cr2 %lx\n", f->vector, f->error, f->rip,
	      area.cr2);
	end(1);
}

void flush_page(u64 at)
{
	parvus_mmu_flush(0, 0, at, at + PAGE, PAGE,
			 (s64)at < 0 ? PARVUS_FLUSH_KERNEL : PARVUS_FLUSH_CURRENT);
}

void flush_everything(void) { parvus_mmu_flush(0, 0, 0, 0, 0, PARVUS_FLUSH_ALL); }

void user_run(u64 arg)
{
	struct frame f;

	memset(&f, 0, sizeof(f));
	f.rip = USER_CODE;
	f.cs = PARVUS_USER_CS;
	f.ss = PARVUS_USER_SS;
	f.rflags = 0x202;
	f.rsp = USER_STACK - 64;
	f.rdi = arg;
	f.vector = 0;
	irq_off();	/* rsp is in @f on the way: a frame would hit our callee's */
	enter_user(&f);
	user_sp = 0;
}

void irq_off(void) { ((volatile struct parvus_vcpu_area *)&area)->irq_enabled = 0; }
void irq_on(void)
{
	volatile struct parvus_vcpu_area *a = &area;

	a->irq_enabled = 1;
	if (a->pending)
		parvus_nop();
}

void clock_setup(void) { EXPECT_EQ(parvus_clock_register(PARVUS_VCPU_SELF, pa(&clock)), 0); }

u64 now_ns(void)
{
	u32 lo, hi;
	u64 t;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
	t = ((u64)hi << 32 | lo) - clock.tsc;
	t = clock.shift < 0 ? t >> -clock.shift : t << clock.shift;
	return (u64)(((unsigned __int128)t * clock.mult) >> 32) + clock.time;
}

static struct parvus_vcpu_context context __attribute__((aligned(256)));

void vcpu_begin(unsigned int vcpu, u64 arg)
{
	memset(&context, 0, sizeof(context));
	context.size = sizeof(context);
	context.version = 1;
	context.rip = (u64)secondary_start;
	context.rsp = (u64)stacks[vcpu] + sizeof(stacks[0]);
	context.rdi = arg;
	context.root = pa(root);
	context.area_gpa = pa(&areas[vcpu]);
	EXPECT_EQ(parvus_vcpu_start(vcpu, pa(&context)), 0);
}

__attribute__((weak)) void secondary_main(u64 arg)
{
	(void)arg;
	for (;;)
		parvus_vcpu_stop();
}

void guest_start(u64 start_gpa)
{
	/* in a large domain it is above what the tables map, and the command line with it */
	if (start_gpa >= 64ull << 20)
		*entry_of(root, (u64)va(start_gpa), 2) = (start_gpa & ~0x1fffffull) | P | W | PS;
	start_info = va(start_gpa);
	ram_end = start_info->ram_size;
	next_page = (pa(image_end) + PAGE - 1) & ~(PAGE - 1);
	for (int i = 0; i < 256; i++) {
		traps[i].address = (u64)stubs + 16 * (u64)i;
		traps[i].vector = (u8)i;
		traps[i].dpl = i == 3 || i == 4 || i == 0x80 ? 3 : 0;
	}
	callbacks.size = sizeof(callbacks);
	callbacks.version = 1;
	callbacks.syscall_entry = (u64)syscall_stub;
	if (parvus_area_register(PARVUS_VCPU_SELF, pa(&area), PARVUS_VCPU_AREA_SIZE,
				 PARVUS_VCPU_AREA_VERSION) ||
	    parvus_callbacks_set(pa(&callbacks)) || parvus_traps_set(pa(traps), 256))
		end(2);
	area.sp0 = (u64)trap_stack_top;
	test();
	end(failures ? 1 : 0);
}
