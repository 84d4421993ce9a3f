// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace rings (core/trace.h). Record n is in slot n mod TRACE_RING. The writer says which record it
 * is about to write (begin), writes, and says that it is done (end); so a reader, who looks at
 * begin again when it has its copy, knows what was overwritten meanwhile. The rings come with the
 * first mask and go with trace_off(), which clears the mask, then waits for writers (busy).
 */
#include <core/log.h>
#include <core/trace.h>

static struct trace_ring {
	struct parvus_trace_record *record;
	u64 begin, end;
	u32 busy;
} __attribute__((aligned(64))) rings[MAX_CPUS];
/* Of readers: the mask, and the coming and going of rings. */
static struct spinlock lock = SPINLOCK_INIT(LOCK_TRACE);
u32 trace_mask;

void trace_write(u32 event, u32 domain, u32 vcpu, u64 a0, u64 a1)
{
	struct trace_ring *r = &rings[arch_this_cpu()];

	atomic_xchg_u32(&r->busy, 1);	/* a barrier: busy, then the mask again */
	if (READ_ONCE(trace_mask) & event) {
		u64 n = r->end;
		struct parvus_trace_record *t = &r->record[n % TRACE_RING];

		WRITE_ONCE(r->begin, n + 1);
		__atomic_thread_fence(__ATOMIC_RELEASE);
		WRITE_ONCE(t->tsc, __builtin_ia32_rdtsc());
		WRITE_ONCE(t->event, event);
		WRITE_ONCE(t->domain, (u16)domain);
		WRITE_ONCE(t->vcpu, (u16)vcpu);
		WRITE_ONCE(t->arg[0], a0);
		WRITE_ONCE(t->arg[1], a1);
		smp_store_release(&r->end, n + 1);
	}
	smp_store_release(&r->busy, 0);
}

static void trace_free_rings(void)
{
	for (unsigned int i = 0; i < MAX_CPUS; i++) {
		while (smp_load_acquire(&rings[i].busy))
			cpu_relax();
		hv_free(rings[i].record, TRACE_RING * sizeof(struct parvus_trace_record));
		memset(&rings[i], 0, sizeof(rings[i]));
	}
}

static int trace_set_mask(u32 mask)
{
	for (unsigned int i = 0; mask && i < arch_cpus(); i++) {
		if (!rings[i].record)
			rings[i].record = hv_alloc(TRACE_RING * sizeof(struct parvus_trace_record));
		if (!rings[i].record) {
			if (!trace_mask)	/* then no ring is in use */
				trace_free_rings();
			return hv_error(PARVUS_ENOMEM);
		}
	}
	smp_store_release(&trace_mask, mask);
	arch_fast_paths(!(mask & (PARVUS_TRACE_SYSCALL | PARVUS_TRACE_EXIT)));
	return 0;
}

void trace_off(void)
{
	HOLD(&lock);
	atomic_xchg_u32(&trace_mask, 0);
	arch_fast_paths(true);
	trace_free_rings();
}

/* A batch from record @from on; what the writer took back meanwhile is left out. */
static void trace_copy(struct trace_ring *r, struct parvus_control_trace *t)
{
	u64 from = t->from, end = smp_load_acquire(&r->end), n, lost;

	if (end > TRACE_RING)
		from = max(from, end - TRACE_RING);
	from = min(from, end);
	n = min(end - from, (u64)PARVUS_TRACE_BATCH);
	for (u64 i = 0; i < n; i++)
		t->record[i] = r->record[(from + i) % TRACE_RING];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	lost = READ_ONCE(r->begin);
	lost = lost > TRACE_RING + from ? min(lost - TRACE_RING - from, n) : 0;
	if (lost)
		memmove(t->record, t->record + lost, (n - lost) * sizeof(t->record[0]));
	t->records = (u32)(n - lost);
	t->from = from + lost;
	t->end = end;
}

int trace_read(struct parvus_control_trace *t)
{
	int ret = 0;

	if (t->flags & ~PARVUS_TRACE_SET || t->cpu >= arch_cpus() ||
	    (t->flags && t->mask & ~PARVUS_TRACE_KNOWN))
		return hv_error(PARVUS_EINVAL);
	memset(t->record, 0, sizeof(t->record));
	HOLD(&lock);
	if (t->flags)
		ret = trace_set_mask(t->mask);
	t->mask = trace_mask;
	t->records = 0;
	if (rings[t->cpu].record)
		trace_copy(&rings[t->cpu], t);
	else
		t->from = t->end = 0;
	return ret;
}
