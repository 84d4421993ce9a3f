// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end by our own mistake: registers, a backtrace along the frame pointers, all CPUs stopped,
 * then power off with a record, so that a runner sees it at once. The symbols are appended by the
 * build (symbols.awk): a sorted table of address and name.
 */
#include <x86/pv.h>
#include <parvus/control.h>

struct symbol {
	u32 offset;	/* from image_start */
	u32 name;	/* into symbol_names */
};
/* generated; empty in the first link */
#pragma GCC visibility push(hidden)
extern const struct symbol symbol_table[];
extern const u32 symbol_count;
extern const char symbol_names[];
#pragma GCC visibility pop

static u32 owner;	/* CPU + 1; by cmpxchg */

bool panicking(void) { return READ_ONCE(owner); }

/* One line of a backtrace: the last symbol at or below @at. No allocation, no lock, no fault. */
static void print_symbol(u64 at)
{
	u64 off = at - (u64)image_start;
	char line[160];
	u32 i;

	for (i = 0; i + 1 < symbol_count && symbol_table[i + 1].offset <= off; i++)
		;
	if (at < (u64)image_start || at >= (u64)image_end || !symbol_count)
		hv_snprintf(line, sizeof(line), "  [%lx]\n", at);
	else
		hv_snprintf(line, sizeof(line), "  [%lx] %s+0x%lx\n", at,
			    &symbol_names[symbol_table[i].name], off - symbol_table[i].offset);
	log_raw(line);
}

/* The chain of frame pointers, as far as it is one: upward, aligned, ours. rbp may be a guest's. */
static void backtrace(u64 rip, u64 rbp)
{
	log_raw("backtrace:\n");
	print_symbol(rip);
	for (unsigned int depth = 0; depth < 24; depth++) {
		const u64 *f = (const u64 *)rbp;

		if (rbp & 7 || rbp < HV_BASE || rbp >= cpu_area(MAX_CPUS))
			break;
		print_symbol(f[1] - 1);
		if (f[0] <= rbp)
			break;
		rbp = f[0];
	}
}

/* Labels of entry.S: between them C is called for a hypercall, in three places. */
extern const char hypercall_call[], hypercall_exit[], hypercall_unusual[], hypercall_memory[];
extern const char return_slow[], syscall_bounce[];

static bool called_for_hypercall(u64 back)
{
	return (back - (u64)hypercall_call < (u64)(hypercall_exit - hypercall_call)) ||
	       (back - (u64)hypercall_unusual < (u64)(hypercall_memory - hypercall_unusual)) ||
	       (back - (u64)return_slow < (u64)(syscall_bounce - return_slow));
}

/*
 * What the guest was about when ring 0 panicked. @r is the frame of the exception that is the
 * panic, or NULL. If that one did not hit the guest itself, the guest's frame is at the top of
 * this CPU's stack, and right below it lies where entry.S called C: a hypercall stores only
 * part of the frame, without its vector and cs, which are an older entry's then.
 */
static void print_guest(const struct regs *r)
{
	const struct pcpu *p = this_pcpu();
	const struct vcpu *v = p->current;
	const struct regs *top = (const struct regs *)p->frame;
	char what[64] = "in the guest", line[160];

	if (!v || p->idle) {	/* who sleeps may be loaded still */
		hv_snprintf(line, sizeof(line), "cpu %u: no guest was running\n", p->cpu);
		log_raw(line);
		return;
	}
	if (r && (r->cs & 3))
		top = r;
	else if (called_for_hypercall(((const u64 *)top)[-1]))
		hv_snprintf(what, sizeof(what), "hypercall %lu", top->rax);
	else if (top->cs & 3)
		hv_snprintf(what, sizeof(what), "entry by vector %lx", top->vector);
	else
		hv_snprintf(what, sizeof(what), "on a fast way through entry.S");
	hv_snprintf(line, sizeof(line), "cpu %u: running d%u v%u: guest rip %lx, %s\n", p->cpu,
		    v->domain->id, v->id, top->rip, what);
	log_raw(line);
}

/*
 * As Linux's ramoops has it (fs/pstore/ram_core.c, struct persistent_ram_buffer; fs/pstore/ram.c,
 * ramoops_write_kmsg_hdr()): a kernel of the bare machine can show it. Below 1 MiB no system puts
 * anything of its own after its start (Linux, arch/x86/realmode/init.c), nor do we.
 */
void arch_record_keep(void)
{
	struct {
		u32 signature, start, size;
		char text[PARVUS_RECORD_SIZE - 12];
	} *r = phys_to_virt(PARVUS_RECORD_ADDRESS);
	u64 now = (arch_now_ns() + found_clock.wall_ns) / 1000, end, from = 0;
	int n = hv_snprintf(r->text, 40, "====%lu.%06lu-D\n", now / 1000000, now % 1000000);
	u32 room = (u32)sizeof(r->text) - (u32)n;

	log_read(&from, r->text, 0, &end);
	from = end - min(end, (u64)room);
	r->size = (u32)n + log_read(&from, r->text + n, room, &end);
	r->start = 0;
	r->signature = 0x43474244;
	__asm__ volatile("wbinvd" : : : "memory");	/* a reset may forget the caches */
}

static noreturn void finish(void)
{
	log_raw("parvus: panic\n");
	arch_record_keep();
	arch_power_off(reboot_when & REBOOT_BROKEN);
	__builtin_unreachable();
}

/*
 * The first CPU to come panics, the others stop: by NMI, which reaches them at any place but
 * on the IST stack of another NMI. One that was in the middle of its own panic waits here.
 */
static void begin(const struct regs *r, const char *fmt, va_list ap)
{
	char line[256];
	u32 me = (cpus_online ? this_pcpu()->cpu : 0) + 1;

	arch_full_begin();	/* for good */
	if (atomic_cmpxchg_u32(&owner, 0, me))
		screen_last();
	else if (owner == me)
		firmware.screen.kind = 0;	/* it may be the screen that fails */
	else
		arch_stop();
	log_panic_mode();
	for (unsigned int i = 0; i < cpus_online; i++)
		if (pcpus[i] && i + 1 != me) {
			pcpu_add_work(pcpus[i], WORK_STOP);
			apic_send(pcpus[i]->apic_id, 0x4400);	/* NMI */
		}
	hv_vsnprintf(line, sizeof(line), fmt, ap);
	log_err("panic: %s", line);
	if (cpus_online)
		print_guest(r);
}

void arch_panic(u64 rip, u64 frame, const char *fmt, va_list ap)
{
	begin(NULL, fmt, ap);
	backtrace(rip, frame);
	finish();
}

void panic_regs(const struct regs *r, const char *fmt, ...)
{
	u64 root = read_cr3();
	char line[400];
	va_list ap;

	va_start(ap, fmt);
	begin(r, fmt, ap);
	va_end(ap);
	hv_snprintf(line, sizeof(line),
		    "rip %016lx rsp %016lx rflags %08lx cs %lx ss %lx\n"
		    "rax %016lx rbx %016lx rcx %016lx rdx %016lx\n"
		    "rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n"
		    "r9  %016lx r10 %016lx r11 %016lx cr3 %016lx\n",
		    r->rip, r->rsp, r->rflags, r->cs, r->ss, r->rax, r->rbx, r->rcx, r->rdx,
		    r->rsi, r->rdi, r->rbp, r->r8, r->r9, r->r10, r->r11, root);
	log_raw(line);
	backtrace(r->rip, r->rbp);
	finish();
}
