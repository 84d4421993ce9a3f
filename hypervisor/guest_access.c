// SPDX-License-Identifier: GPL-2.0-only
/* The only door to guest memory by guest-physical address: plain RAM, frame by frame. */
#include <hv/domain.h>
#include <hv/frame.h>
#include <hv/lib.h>

static int access(struct domain *d, u64 gpa, void *buf, size_t len, bool write)
{
	u8 *at = buf;

	if (gpa + len < gpa)
		return -PARVUS_EFAULT;
	while (len) {
		u64 e = gfn_lookup(d, _gfn(gpa >> PAGE_SHIFT)), off = gpa & (PAGE_SIZE - 1);
		size_t n = min(len, (size_t)(PAGE_SIZE - off));
		u8 *p;

		if (!gfn_is_ram(e) || (write && !(e & GFN_WRITABLE)))
			return -PARVUS_EFAULT;
		p = frame_map(gfn_entry_mfn(e));
		if (write)
			memcpy(p + off, at, n);
		else
			memcpy(at, p + off, n);
		frame_unmap(p);
		at += n;
		gpa += n;
		len -= n;
	}
	return 0;
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
	u64 e = gfn_lookup(d, _gfn(gpa >> PAGE_SHIFT));

	if (!len || (gpa & (align - 1)) || (gpa & (PAGE_SIZE - 1)) + len > PAGE_SIZE ||
	    !gfn_is_writable_ram(e))
		return NULL;
	return (char *)frame_map(gfn_entry_mfn(e)) + (gpa & (PAGE_SIZE - 1));
}
