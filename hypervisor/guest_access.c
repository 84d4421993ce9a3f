// SPDX-License-Identifier: GPL-2.0-only
/* The only door to guest memory by guest-physical address: plain RAM, frame by frame. */
#include <hv/domain.h>
#include <hv/frame.h>
#include <hv/lib.h>

/*
 * The frame of a gfn, counted as if a shadow entry mapped it: RELEASE on another CPU takes
 * the gfn entry away first and then waits for the count, so one of the two sees the other.
 * 0: no plain RAM, or not writable. GFN_DEMAND: RAM that nobody has touched.
 */
static u64 frame_hold(struct domain *d, u64 gfn, bool write)
{
	u64 e;

	for (;;) {
		e = write ? gfn_touch(d, _gfn(gfn), true) : gfn_lookup(d, _gfn(gfn));
		if (unlikely(e & GFN_DEMAND))
			return write ? 0 : GFN_DEMAND;
		if (!gfn_is_ram(e) || (write && !(e & GFN_WRITABLE)))
			return 0;
		atomic_inc_u32(&frame_info(gfn_entry_mfn(e))->count);
		if (likely(gfn_lookup(d, _gfn(gfn)) == e))
			return e;
		atomic_dec_u32(&frame_info(gfn_entry_mfn(e))->count);
	}
}

static int access(struct domain *d, u64 gpa, void *buf, size_t len, bool write)
{
	u8 *at = buf;

	if (gpa + len < gpa)
		return -PARVUS_EFAULT;
	while (len) {
		u64 e = frame_hold(d, gpa >> PAGE_SHIFT, write), off = gpa & (PAGE_SIZE - 1);
		size_t n = min(len, (size_t)(PAGE_SIZE - off));
		u8 *p;

		if (!e)
			return -PARVUS_EFAULT;
		if (unlikely(e == GFN_DEMAND)) {
			memset(at, 0, n);
		} else {
			p = frame_map(gfn_entry_mfn(e));
			if (write)
				memcpy(p + off, at, n);
			else
				memcpy(at, p + off, n);
			frame_unmap(p);
			atomic_dec_u32(&frame_info(gfn_entry_mfn(e))->count);
		}
		at += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

int guest_copy_frame(struct domain *to, u64 dst, struct domain *from, u64 src, size_t n)
{
	u64 s = frame_hold(from, src >> PAGE_SHIFT, false), d = s ? frame_hold(to, dst >> PAGE_SHIFT, true) : 0;
	u8 *p;

	if (d) {
		p = (u8 *)frame_map(gfn_entry_mfn(d)) + (dst & ~PAGE_MASK);
		if (s == GFN_DEMAND)
			memset(p, 0, n);
		else
			memcpy(p, (u8 *)frame_map(gfn_entry_mfn(s)) + (src & ~PAGE_MASK), n);
		frame_unmap(p);
		atomic_dec_u32(&frame_info(gfn_entry_mfn(d))->count);
	}
	if (s && s != GFN_DEMAND)
		atomic_dec_u32(&frame_info(gfn_entry_mfn(s))->count);
	return d ? 0 : -PARVUS_EFAULT;
}

int guest_read(struct domain *d, u64 gpa, void *buf, size_t len)
{
	return access(d, gpa, buf, len, false);
}

int guest_write(struct domain *d, u64 gpa, const void *buf, size_t len)
{
	return access(d, gpa, (void *)(uintptr_t)buf, len, true);
}

void *guest_map(struct domain *d, u64 gpa, size_t len, size_t align)
{
	u64 e = gfn_touch(d, _gfn(gpa >> PAGE_SHIFT), true);

	if (!len || (gpa & (align - 1)) || (gpa & (PAGE_SIZE - 1)) + len > PAGE_SIZE ||
	    !gfn_is_writable_ram(e))
		return NULL;
	return (char *)frame_map(gfn_entry_mfn(e)) + (gpa & (PAGE_SIZE - 1));
}
