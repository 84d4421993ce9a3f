// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trap-and-emulate: what a raw privileged instruction of the guest kernel does, and the MSRs, CPUID
 * and debug registers that a guest sees. User mode gets its fault instead (rule 38).
 */
#include <x86/pv.h>
#include <core/handlers.h>
#include <core/sched.h>

/* ---- CPUID ---- */

/*
 * Bits that are hidden from guests or shown to them, by their names in the manuals: Intel SDM
 * vol. 2, CPUID; AMD APM vol. 3, appendix E. A mask is named by register and leaf (X: 0x80000001).
 * Leaf 1: what a kernel in ring 3 must not use, or what has no substance here.
 */
#define C1_HIDE	(1u << 2 /* DTES64 */ | 1u << 3 /* MONITOR */ | 1u << 5 /* VMX */ | \
		 1u << 6 /* SMX */ | 1u << 7 /* EIST */ | 1u << 8 /* TM2 */ | \
		 1u << 15 /* PDCM */ | 1u << 17 /* PCID */ | 1u << 18 /* DCA */ | \
		 1u << 21 /* X2APIC */ | 1u << 24 /* TSC_DEADLINE */)
#define D1_HIDE	(1u << 1 /* VME */ | 1u << 7 /* MCE */ | 1u << 9 /* APIC */ | 1u << 11 /* SEP */ | \
		 1u << 12 /* MTRR */ | 1u << 14 /* MCA */ | 1u << 17 /* PSE36 */ | \
		 1u << 18 /* PSN */ | 1u << 21 /* DS */ | 1u << 22 /* ACPI */ | \
		 1u << 27 /* SS */ | 1u << 28 /* HTT */ | 1u << 29 /* TM */ | 1u << 31 /* PBE */)
/* Leaf 7: what is kept, for user code. An unknown bit may need the kernel's care, as SMAP, CET. */
#define B7_KEEP	(1u << 0 /* FSGSBASE */ | 1u << 3 /* BMI1 */ | 1u << 5 /* AVX2 */ | \
		 1u << 8 /* BMI2 */ | 1u << 9 /* ERMS */ | 1u << 16 /* AVX512F */ | \
		 1u << 17 /* AVX512DQ */ | 1u << 18 /* RDSEED */ | 1u << 19 /* ADX */ | \
		 1u << 21 /* AVX512IFMA */ | 1u << 23 /* CLFLUSHOPT */ | 1u << 24 /* CLWB */ | \
		 1u << 26 /* AVX512PF */ | 1u << 27 /* AVX512ER */ | 1u << 28 /* AVX512CD */ | \
		 1u << 29 /* SHA */ | 1u << 30 /* AVX512BW */ | 1u << 31 /* AVX512VL */)
#define C7_KEEP	(1u << 1 /* AVX512VBMI */ | 1u << 2 /* UMIP */ | 1u << 6 /* AVX512VBMI2 */ | \
		 1u << 8 /* GFNI */ | 1u << 9 /* VAES */ | 1u << 10 /* VPCLMULQDQ */ | \
		 1u << 11 /* AVX512VNNI */ | 1u << 12 /* AVX512BITALG */ | \
		 1u << 14 /* AVX512VPOPCNTDQ */ | 1u << 22 /* RDPID */)
#define D7_KEEP	(1u << 2 /* AVX512_4VNNIW */ | 1u << 3 /* AVX512_4FMAPS */ | 1u << 4 /* FSRM */ | \
		 1u << 8 /* AVX512VP2INTERSECT */)
/* Leaf 0x80000001, of AMD: virtualization, counters, and topology that a vCPU does not have. */
#define CX_HIDE	(1u << 1 /* CMP_LEGACY */ | 1u << 2 /* SVM */ | 1u << 3 /* EXTAPIC */ | \
		 1u << 9 /* OSVW */ | 1u << 10 /* IBS */ | 1u << 12 /* SKINIT */ | \
		 1u << 13 /* WDT */ | 1u << 15 /* LWP */ | 1u << 19 /* NODEID_MSR */ | \
		 1u << 22 /* TOPOLOGY */ | 1u << 23 /* PERFCTR_CORE */ | \
		 1u << 24 /* PERFCTR_NB */ | 1u << 26 /* BPEXT */ | 1u << 27 /* PTSC */ | \
		 1u << 28 /* PERFCTR_LLC */ | 1u << 29 /* MONITORX */)
#define DX_HIDE	(1u << 7 /* MCE */ | 1u << 9 /* APIC */ | 1u << 12 /* MTRR */ | \
		 1u << 14 /* MCA */ | 1u << 17 /* PSE36 */)	/* there as in leaf 1 */

/* The words of control CPUID, in their order. */
enum { A, B, C, D };
static const struct { u32 leaf; u8 sub, reg; } feature_words[PARVUS_CPUID_WORDS] = {
	{ 1, 0, C }, { 1, 0, D }, { 7, 0, B }, { 7, 0, C }, { 7, 0, D }, { 0xd, 1, A },
	{ 0x80000001, 0, C }, { 0x80000001, 0, D }, { 0x80000007, 0, D },
};
#define C1_XSAVE	(1u << 26)	/* in the first of them */

/* The CPU's answer without what a kernel at CPL 3 cannot have. @xcr0: the most; 0: no XSAVE. */
static void host_cpuid(u32 vcpu, u64 xcr0, u32 leaf, u32 sub, u32 out[4])
{
	bool none = false;

	/* above the maximum the CPU answers with another leaf's data */
	if ((leaf & 0xffffff00) == 0x40000000 ||
	    leaf > (leaf >> 31 ? cpu_features.max_ext_leaf : cpu_features.max_leaf)) {
		out[A] = out[B] = out[C] = out[D] = 0;
		if (leaf == 0x40000000) {
			out[A] = 0x40000001;
			memcpy(&out[B], "ParvusParvus", 12);
		} else if (leaf == 0x40000001) {
			out[A] = PARVUS_ABI_VERSION;
		}
		return;
	}
	cpuid_count(leaf, sub, &out[A], &out[B], &out[C], &out[D]);
	switch (leaf) {
	case 0:
		out[A] = min(out[A], 0xdu);
		break;
	case 1:
		out[B] = (out[B] & 0xff00) | 1u << 16 | vcpu << 24;
		out[C] = (out[C] & ~C1_HIDE) | 1u << 31;	/* there is a hypervisor */
		if (!cpu_features.xsave)
			out[C] &= ~(C1_XSAVE | 1u << 27 | 1u << 28);	/* OSXSAVE, AVX */
		out[D] &= ~D1_HIDE;
		break;
	case 4:
		out[A] &= 0x3ff;	/* one thread, one core */
		break;
	case 5 ... 6:
	case 9 ... 0xb:
	case 0x8000000a:
	case 0x8000001d ... 0x8000001f:
		none = true;
		break;
	case 7:
		none = sub;
		out[A] = 0;
		out[B] &= B7_KEEP;
		out[C] &= C7_KEEP;
		out[D] &= D7_KEEP;
		break;
	case 0xd:
		none = !xcr0 || sub > 63 || (sub > 1 && !(xcr0 >> sub & 1));
		if (sub == 0) {
			out[A] = (u32)xcr0;
			out[B] = out[C] = xcr0 == cpu_features.xcr0 ? cpu_features.xsave_size :
					  xcr0 & 4 ? 576 + 256 : 576;	/* YMM, or the header */
			out[D] = 0;
		} else if (sub == 1) {
			out[A] &= 3;	/* XSAVEOPT, XSAVEC; no XSAVES */
			out[C] = out[D] = 0;	/* B: for XSAVEC, by what XCR0 is */
		}
		break;
	case 0x80000001:
		out[C] &= ~CX_HIDE;
		out[D] &= ~DX_HIDE;
		break;
	case 0x80000007:
		out[A] = out[B] = out[C] = 0;
		out[D] &= 1u << 8;
		break;
	case 0x80000008:
		out[B] = out[C] = 0;
		break;
	}
	if (none)
		out[A] = out[B] = out[C] = out[D] = 0;
}

u64 guest_xcr0(const struct domain *d)
{
	return !cpu_features.xsave || d->own->hidden.features[0] & C1_XSAVE ? 0 :
	       cpu_features.xcr0 & ~d->own->hidden.xcr0;
}

/* User mode sees all of the CPU's, where its CPUID does not fault: XCR0 alone is a guard. */
void guest_cpuid(const struct vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
	host_cpuid(v->id, guest_xcr0(v->domain), leaf, sub, out);
	for (unsigned int i = 0; i < PARVUS_CPUID_WORDS; i++)
		if (leaf == feature_words[i].leaf && (leaf != 0xd || sub == feature_words[i].sub))
			out[feature_words[i].reg] &= ~v->domain->own->hidden.features[i];
}

/* What XSETBV itself refuses: x87 or SSE missing, a part of AVX-512 alone; and more than @most. */
bool xcr0_valid(u64 value, u64 most)
{
	return !(value & ~most) && (value & 3) == 3 &&
	       (!(value & 0xe0) || (value & 0xe4) == 0xe4);
}

int arch_cpuid(struct domain *d, struct parvus_control_cpuid *a)
{
	u64 most = cpu_features.xsave ? cpu_features.xcr0 : 0;
	struct cpuid_hidden hidden = d->own->hidden;
	u32 out[4], host;

	if (a->flags & ~PARVUS_CPUID_SET || a->reserved0 || !all_zero(a->reserved, 4))
		return hv_error(PARVUS_EINVAL);
	for (unsigned int i = 0; i < PARVUS_CPUID_WORDS; i++) {
		host_cpuid(0, most, feature_words[i].leaf, feature_words[i].sub, out);
		host = out[feature_words[i].reg];
		if (!a->flags)
			a->features[i] = host & ~hidden.features[i];
		if (a->features[i] & ~host)
			return hv_error(PARVUS_EINVAL);
		hidden.features[i] = host & ~a->features[i];
	}
	if (!a->flags)
		a->xcr0 = guest_xcr0(d);
	if (a->features[0] & C1_XSAVE ? !xcr0_valid(a->xcr0, most) : !!a->xcr0)
		return hv_error(PARVUS_EINVAL);
	hidden.xcr0 = most & ~a->xcr0;
	if (a->flags && d->state != DOMAIN_BUILDING)
		return hv_error(PARVUS_EBUSY);
	if (a->flags)
		d->own->hidden = hidden;
	return 0;
}

/* ---- MSRs ---- */

/* A list of what is served; every other MSR is the #GP of a CPU that does not have it. */
int guest_msr_read(struct vcpu *v, u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_FS_BASE:
		*value = guest_fs_base();
		return 0;
	case MSR_GS_BASE:
		*value = guest_gs_base();
		return 0;
	case MSR_KERNEL_GS_BASE:
		*value = v->area->user_gs_base;
		return 0;
	case MSR_EFER:
		*value = 0xd01 & ~(cpu_features.nx ? 0u : 0x800u);	/* NXE LMA LME SCE */
		return 0;
	case MSR_PAT:
		*value = rdmsr(MSR_PAT);
		return 0;
	case MSR_TSC_AUX:
		if (!cpu_features.rdtscp)
			return hv_error(PARVUS_EINVAL);
		*value = v->own->tsc_aux;
		return 0;
	case MSR_PLATFORM_INFO:
	case MSR_MISC_FEATURES:
		*value = msr == MSR_PLATFORM_INFO ? 1u << 31 : v->own->cpuid_faults;
		return cpu_features.cpuid_faults ? 0 : hv_error(PARVUS_EINVAL);
	case 0x10:		/* TSC */
		*value = rdtsc();
		return 0;
	case MSR_APIC_BASE:
		*value = 0xfee00000 | (v->id ? 0 : 0x100);	/* present, disabled */
		return 0;
	case 0x8b:		/* microcode revision */
	case 0x17:		/* platform id */
	case 0x1a0:		/* misc enable */
	case 0xc0010015:	/* HWCR */
	case 0xc0010055:	/* interrupt pending message (AMD E400) */
	case 0xc001001f:	/* NB_CFG */
	case 0xc0011029:	/* DE_CFG */
	case MSR_STAR ... MSR_SFMASK:	/* with LSTAR and CSTAR */
	case MSR_SYSENTER_CS ... MSR_SYSENTER_EIP:
		*value = 0;
		return 0;
	}
	return hv_error(PARVUS_EINVAL);
}

/*
 * In kernel mode: GS_BASE is the kernel's, KERNEL_GS_BASE the user's, which the next return to
 * user mode loads from the area. Only bases and TSC_AUX reach a register of the CPU.
 */
int guest_msr_write(struct vcpu *v, u32 msr, u64 value)
{
	switch (msr) {
	case MSR_FS_BASE ... MSR_KERNEL_GS_BASE:
		return base_set(v, msr, MSR_FS_BASE, value);
	case MSR_TSC_AUX:
		if (!cpu_features.rdtscp || value >> 32)
			return hv_error(PARVUS_EINVAL);
		v->own->tsc_aux = value;
		wrmsr(MSR_TSC_AUX, value);
		return 0;
	case MSR_MISC_FEATURES:
		if (!cpu_features.cpuid_faults || value > 1)
			break;
		v->own->cpuid_faults = value;
		return 0;
	/* entry points are registered by callbacks_set; these have no effect */
	case MSR_EFER:
	case MSR_PAT:
	case MSR_STAR ... MSR_SFMASK:	/* with LSTAR and CSTAR */
	case MSR_SYSENTER_CS ... MSR_SYSENTER_EIP:
	case 0x8b:
	case 0x79:
	case 0xc0011029:
	case 0xc0010015:
		return 0;
	}
	return hv_error(PARVUS_EINVAL);
}

/* Addresses of the guest only; DR7 without the reserved bits and without GD (rule 27). */
bool debug_valid(u64 index, u64 value)
{
	if (index < 4)
		return canonical(value) && (value < PARVUS_HOLE_START || value >= PARVUS_HOLE_END);
	return index == 6 || (index == 7 && !(value >> 32));
}

void debug_set(struct vcpu *v, u64 index, u64 value)
{
	v->own->dr[index & 7] = index == 6 ? (value & 0xe00f) | 0xffff0ff0 :
				index == 7 ? (value & 0xffff03ff) | 0x400 : value;
}

s64 hc_debugreg_set(struct vcpu *v, u64 index, u64 value)
{
	if (!debug_valid(index, value))
		return hv_error(PARVUS_EINVAL);
	debug_set(v, index, value);
	if (index != 6)
		debug_load(this_pcpu(), v);
	return 0;
}

/* ---- instructions ---- */

/* By the numbers of ModRM and REX. */
static u64 *reg(struct regs *r, unsigned int n)
{
	u64 *const map[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp,
			       &r->rsi, &r->rdi, &r->r8, &r->r9, &r->r10, &r->r11,
			       &r->r12, &r->r13, &r->r14, &r->r15 };

	return map[n & 15];
}

/* base + index * scale + displacement, wrapped at 64 bits; whoever uses it checks the range. */
static u64 operand_address(struct regs *r, const struct insn *i)
{
	u64 a = (u64)(s64)i->disp;

	if (i->rip_relative)
		a += r->rip + i->length;
	if (i->base >= 0)
		a += *reg(r, (unsigned int)i->base);
	if (i->index >= 0)
		a += *reg(r, (unsigned int)i->index) * i->scale;
	if (i->segment_fs)
		a += guest_fs_base();
	if (i->segment_gs)
		a += guest_gs_base();
	return a;
}

/* CR0 is constant, CR8 always 0: priorities of interrupts are the event calls' affair. */
static bool control_read(struct vcpu *v, unsigned int n, u64 *value)
{
	*value = n == 0 ? 0x80050033 :		/* PG AM WP NE ET MP PE */
		 n == 2 ? v->area->cr2 :
		 n == 3 ? gfn_x(v->own->shadow.root) << PAGE_SHIFT :
		 n == 4 ? v->own->guest_cr4 | CR4_PAE : 0;
	return n == 0 || (n >= 2 && n <= 4) || n == 8;
}

bool cr4_valid(u64 value) { return !(value & ~0x170fffull) && value & CR4_PAE; }

/* CR3 is a switch, as by mmu_switch. CR4 is kept for the guest to read back: the CPU has ours. */
static bool control_write(struct vcpu *v, unsigned int n, u64 value)
{
	switch (n) {
	case 0:
		return (value & 0x80000001) == 0x80000001;	/* paging and protection stay */
	case 2:
		v->area->cr2 = value;
		return true;
	case 3:
		return !hc_mmu_switch(v, 0, value & 0x000ffffffffff000ull, 0, 0, 0,
				      PARVUS_SWITCH_ALL);
	case 4:
		if (!cr4_valid(value))
			return false;
		v->own->guest_cr4 = value;
		tsd_load(this_pcpu(), v);
		return true;
	case 8:
		return true;
	}
	return false;
}

/* The virtual IF. A vector that waited is delivered on the way out. */
static void vif_set(struct vcpu *v, bool on)
{
	v->area->irq_enabled = on;
	if (on && vcpu_has_pending(v))
		pcpu_add_work(this_pcpu(), WORK_VECTORS);
}

/* No device is there: the bus floats, strings move nothing. */
static void no_port(struct regs *r, const struct insn *i)
{
	if (i->op == INSN_IN && i->size == 4)
		r->rax = 0xffffffff;
	else if (i->op == INSN_IN)
		r->rax |= i->size == 2 ? 0xffff : 0xff;
	else if (i->rep && i->op != INSN_OUT)
		r->rcx = 0;
}

static void halt(struct vcpu *v, const struct regs *r)
{
	if (!v->area->irq_enabled)
		domain_kill(v->domain, "hlt with interrupts disabled at rip %lx", r->rip);
	else if (vcpu_has_pending(v))
		pcpu_add_work(this_pcpu(), WORK_VECTORS);
	else if (sched_block(v))
		pcpu_add_work(this_pcpu(), WORK_RESCHED);
}

/* DR4 and DR5 are other names of DR6 and DR7 (SDM vol. 3, 17.2.2; CR4.DE is the guest's own). */
static unsigned int debug_register(const struct insn *i)
{
	return i->special == 4 || i->special == 5 ? i->special + 2u : i->special;
}

/* SMSW: PE MP ET NE of CR0. SLDT, STR: none. SGDT, SIDT, which have no register: limit, base 0. */
static bool store(struct vcpu *v, struct regs *r, const struct insn *i)
{
	u64 value[2] = { i->op == INSN_SMSW ? 0x33 : 0 };

	if (i->memory)
		return guest_va_write(v, operand_address(r, i), value,
				      i->op >= INSN_SGDT ? 10 : 2);
	*reg(r, i->reg) = value[0];
	return true;
}

/* edx:eax, as RDMSR, WRMSR, RDTSC and XSETBV have it. */
static u64 pair(const struct regs *r) { return (u32)r->rax | r->rdx << 32; }
static void pair_set(struct regs *r, u64 value)
{
	r->rax = (u32)value;
	r->rdx = value >> 32;
}

static void cpuid(struct vcpu *v, struct regs *r)
{
	u32 out[4];

	guest_cpuid(v, (u32)r->rax, (u32)r->rcx, out);
	r->rax = out[0];
	r->rbx = out[1];
	r->rcx = out[2];
	r->rdx = out[3];
}

static bool set_xcr0(struct vcpu *v, const struct regs *r)
{
	u64 value = pair(r);

	if (r->rcx || !xcr0_valid(value, guest_xcr0(v->domain)))
		return false;
	v->own->xcr0 = this_pcpu()->xcr0 = value;
	xcr0_set(value);
	return true;
}

/* IRET: the frame on the guest's stack, by virtual selectors; rip is the frame's then. */
static bool return_by_frame(struct vcpu *v, struct regs *r)
{
	u64 frame[5];

	if (!guest_va_read(v, r->rsp, frame, sizeof(frame)))
		return false;
	pv_return_to(v, r, frame);
	v->stats.emulations++;
	return true;
}

/*
 * The bytes at rip are copied once, decoded from the copy, and the copy decides: another vCPU
 * may write to them meanwhile. A page boundary may cut the copy short. Returns how many.
 */
static size_t fetch(struct vcpu *v, u64 rip, u8 *bytes)
{
	size_t len;

	if (likely(guest_va_read(v, rip, bytes, INSN_MAX)))
		return INSN_MAX;
	len = PAGE_SIZE - (rip & (PAGE_SIZE - 1));
	return len < INSN_MAX && guest_va_read(v, rip, bytes, len) ? len : 0;
}

static void done(struct vcpu *v, struct regs *r, unsigned int length)
{
	v->stats.emulations++;
	r->rip += length;
	r->rflags &= ~(u64)RFLAGS_RF;
	if (r->rflags & RFLAGS_TF) {
		v->own->dr[6] |= 1u << 14;	/* BS: a step, as the CPU's own */
		guest_exception(v, r, 1, 0);
	}
}

bool emulate(struct vcpu *v, struct regs *r)
{
	u8 bytes[INSN_MAX];
	size_t len = fetch(v, r->rip, bytes);
	bool ok = true;
	struct insn i;
	u64 value;

	insn_decode(bytes, len, &i);
	if (!this_pcpu()->kernel_mode && (i.op != INSN_CPUID || v->own->cpuid_faults))
		return false;
	switch (i.op) {
	case INSN_NONE:
		return false;
	case INSN_SYSRET:
		return BENCH(sysret(v, r));
	case INSN_CLI:
		vif_set(v, false);
		break;
	case INSN_STI:
		vif_set(v, true);
		/* it holds interrupts off for one instruction: HLT is done in one with it */
		if (len <= i.length || bytes[i.length] != 0xf4)
			break;
		i.length++;
		/* fall through */
	case INSN_HLT:
		halt(v, r);
		break;
	case INSN_IN ... INSN_OUTS:
		if (BENCH(port(v, r, &i)))
			break;
		if (!v->domain->control)
			no_port(r, &i);
		else
			ok = port_access(v, r, &i);
		break;
	case INSN_MOV_FROM_CR:
		ok = control_read(v, i.special, &value);
		if (ok)
			*reg(r, i.reg) = value;
		break;
	case INSN_MOV_TO_CR:
		ok = control_write(v, i.special, *reg(r, i.reg));
		break;
	case INSN_MOV_FROM_DR:
		*reg(r, i.reg) = v->own->dr[debug_register(&i) & 7];
		break;
	case INSN_MOV_TO_DR:
		ok = !hc_debugreg_set(v, debug_register(&i), *reg(r, i.reg));
		break;
	case INSN_CLTS ... INSN_LTR:	/* tables are the hypervisor's; registered by hypercall */
		break;
	case INSN_SMSW ... INSN_SIDT:
		ok = store(v, r, &i);
		break;
	case INSN_INVLPG:
		value = operand_address(r, &i) & PAGE_MASK;
		hc_mmu_flush(v, 0, 0, value, value + PAGE_SIZE, PAGE_SIZE,
			     (s64)value < 0 ? PARVUS_FLUSH_KERNEL : PARVUS_FLUSH_CURRENT);
		break;
	case INSN_RDMSR:
		if (guest_msr_read(v, (u32)r->rcx, &value))
			return false;
		pair_set(r, value);
		break;
	case INSN_WRMSR:
		value = pair(r);
		ok = !guest_msr_write(v, (u32)r->rcx, value) || BENCH(msr(v, (u32)r->rcx, value));
		break;
	case INSN_RDPMC:
		pair_set(r, 0);
		break;
	case INSN_RDTSCP:	/* these two with TSD */
		r->rcx = v->own->tsc_aux;
		/* fall through */
	case INSN_RDTSC:
		pair_set(r, rdtsc());
		break;
	case INSN_CPUID:
		cpuid(v, r);
		break;
	case INSN_XSETBV:
		ok = set_xcr0(v, r);
		break;
	case INSN_SWAPGS:
		value = guest_gs_base();
		guest_gs_base_set(sign_extend(v->area->user_gs_base));
		v->area->user_gs_base = value;
		break;
	case INSN_IRET:
		return return_by_frame(v, r);
	}
	if (ok)
		done(v, r, i.length);
	return ok;
}
