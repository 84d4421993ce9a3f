/* SPDX-License-Identifier: GPL-2.0-only */
/* The only door to guest memory by guest-physical address (guest_access.c). */
#ifndef CORE_GUEST_ACCESS_H
#define CORE_GUEST_ACCESS_H

#include <core/domain.h>

/* 0, -PARVUS_EFAULT. */
int guest_read(struct domain *d, u64 gpa, void *buf, size_t len);
int guest_write(struct domain *d, u64 gpa, const void *buf, size_t len);
/* @n bytes within one frame on both sides. 0, -PARVUS_EFAULT or -PARVUS_ENOMEM (none to touch). */
int guest_copy_frame(struct domain *to, u64 dst, struct domain *from, u64 src, size_t n);
/*
 * Between these two a pCPU may use a pointer to a frame that it found in a gfn table: a
 * frame goes back to the allocator after guest_access_wait(), which waits for the others
 * that were between them. Nobody waits for anything in between.
 */
void guest_access_begin(void);
void guest_access_end(void);
void guest_access_wait(void);
/* Map an aligned piece of one frame for good (RAM, writable), or NULL. It stays pinned. */
void *guest_map(struct domain *d, u64 gpa, size_t len, size_t align);

#endif
