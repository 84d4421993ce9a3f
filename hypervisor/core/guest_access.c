// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only door to guest memory by guest-physical address: plain RAM, frame by frame.
 * A frame can be taken out of a live domain. Each pCPU shows by an odd number that it is
 * in the middle of an access; who clears a gfn entry waits until it has moved on.
 */
#include <core/log.h>
#include <core/memory.h>

static struct {
	u64 count;		/* odd: in an access [any reads] */
	u64 unused[7];		/* a cache line each */
} accesses[MAX_CPUS];

void guest_access_begin(void)
{
	/* a full barrier: the gfn table is read after it */
	atomic_inc_u64(&accesses[arch_this_cpu()].count);
}

void guest_access_end(void)
{
	u64 *count = &accesses[arch_this_cpu()].count;

	smp_store_release(count, *count + 1);
}

void guest_access_wait(void)
{
	unsigned int cpu, me = arch_this_cpu();

	smp_mb();
	for (cpu = 0; cpu < arch_cpus(); cpu++) {
		u64 seen = smp_load_acquire(&accesses[cpu].count);

		while (cpu != me && (seen & 1) && smp_load_acquire(&accesses[cpu].count) == seen)
			cpu_relax();
	}
}

static int guest_memory(struct domain *d, u64 gpa, void *buf, size_t len, bool write)
{
	u8 *at = buf;

	if (gpa + len < gpa)
		return hv_error(PARVUS_EFAULT);
	while (len) {
		u64 e, off = gpa & (PAGE_SIZE - 1);
		size_t n = min(len, (size_t)(PAGE_SIZE - off));
		u8 *p;

		if (write)
			gfn_touch(d, _gfn(gpa >> PAGE_SHIFT), true);
		guest_access_begin();
		e = gfn_lookup(d, _gfn(gpa >> PAGE_SHIFT));
		if (unlikely(e == GFN_DEMAND && !write)) {
			memset(at, 0, n);	/* untouched, and a read does not touch it */
		} else if (unlikely(!gfn_is_ram(e) || (write && !(e & GFN_WRITABLE)))) {
			guest_access_end();
			return hv_error(PARVUS_EFAULT);
		} else {
			p = frame_map(gfn_entry_mfn(e));
			if (write)
				memcpy(p + off, at, n);
			else
				memcpy(at, p + off, n);
		}
		guest_access_end();
		at += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

int guest_copy_frame(struct domain *to, u64 dst, struct domain *from, u64 src, size_t n)
{
	int ret = -PARVUS_EFAULT;
	u64 s, t;
	u8 *p;

	/* who builds a domain can be told: the last frames are for those who cannot */
	if (gfn_touch(to, _gfn(dst >> PAGE_SHIFT), false) == GFN_DEMAND)
		return hv_error(PARVUS_ENOMEM);
	guest_access_begin();
	s = gfn_lookup(from, _gfn(src >> PAGE_SHIFT));
	t = gfn_lookup(to, _gfn(dst >> PAGE_SHIFT));
	if (gfn_is_writable_ram(t) && (s == GFN_DEMAND || gfn_is_ram(s))) {
		p = (u8 *)frame_map(gfn_entry_mfn(t)) + (dst & ~PAGE_MASK);
		if (s == GFN_DEMAND)
			memset(p, 0, n);
		else
			memcpy(p, (u8 *)frame_map(gfn_entry_mfn(s)) + (src & ~PAGE_MASK), n);
		ret = 0;
	}
	guest_access_end();
	return ret;
}

int guest_read(struct domain *d, u64 gpa, void *buf, size_t len)
{
	return guest_memory(d, gpa, buf, len, false);
}

int guest_write(struct domain *d, u64 gpa, const void *buf, size_t len)
{
	return guest_memory(d, gpa, (void *)(uintptr_t)buf, len, true);
}

void *guest_map(struct domain *d, u64 gpa, size_t len, size_t align)
{
	u64 e;

	if (!len || (gpa & (align - 1)) || (gpa & (PAGE_SIZE - 1)) + len > PAGE_SIZE)
		return NULL;
	gfn_touch(d, _gfn(gpa >> PAGE_SHIFT), true);
	HOLD(&d->gfn_lock);
	e = gfn_lookup(d, _gfn(gpa >> PAGE_SHIFT));
	if (!gfn_is_writable_ram(e))
		return NULL;
	atomic_add_u64(&frame_info(gfn_entry_mfn(e))->word, FRAME_PIN);
	return (char *)frame_map(gfn_entry_mfn(e)) + (gpa & (PAGE_SIZE - 1));
}

void guest_unmap(void *p)
{
	if (p)
		atomic_add_u64(&frame_info(frame_of(p))->word, -FRAME_PIN);
}
