// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/parvus/grant: grants for programs. MAP gives a program frames of another domain,
 * which have no struct page here: they are in its page tables by frame number alone, in
 * one mapping that is not split, not inherited, and unmapped from the hypervisor when
 * the last of it is gone. OFFER gives it pages that another domain may map.
 *
 * The ioctl does the hypervisor's part and returns an offset; mmap() of that offset does
 * the rest. munmap() of all of it, or close() if it was never mapped, ends both.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/parvus.h>
#include <linux/parvus_compat.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <parvus/linux.h>
#include "dev.h"

#define FILE_PAGES	PARVUS_GRANT_MAX	/* of one open file: as a domain may offer */

struct grant_file {
	struct mutex lock;
	struct list_head maps;
	unsigned int pages;	/* in maps */
	unsigned long next;	/* first page offset that was never given out */
};

struct grant_pages {
	struct list_head list;
	struct grant_file *file;
	unsigned long offset;	/* in pages */
	unsigned int count;
	u32 flags;
	unsigned int users;	/* VMAs: more than one only while it is moved */
	bool mapped;		/* mmap() was called: once */
	struct parvus_mapping *foreign;	/* MAP */
	struct page **page;	/* OFFER */
	u32 *refs;
};

/* No page table has it any more. */
static void grant_end(struct grant_pages *g, unsigned long va)
{
	unsigned int i;

	if (g->foreign)
		parvus_grant_unmap(g->foreign, va);
	for (i = 0; g->page && i < g->count; i++) {
		if (g->refs[i])
			parvus_grant_revoke_free(g->refs[i], g->page[i], NULL);
		else if (g->page[i])
			put_page(g->page[i]);
	}
	kfree(g->page);
	kfree(g->refs);
	kfree(g);
}

static void grant_vma_open(struct vm_area_struct *vma)
{
	struct grant_pages *g = vma->vm_private_data;

	mutex_lock(&g->file->lock);
	g->users++;
	mutex_unlock(&g->file->lock);
}

/* Its page-table entries are gone and flushed by now. */
static void grant_vma_close(struct vm_area_struct *vma)
{
	struct grant_pages *g = vma->vm_private_data;
	struct grant_file *f = g->file;
	bool last;

	mutex_lock(&f->lock);
	last = !--g->users;
	if (last) {
		list_del(&g->list);
		f->pages -= g->count;
	}
	mutex_unlock(&f->lock);
	if (last)
		grant_end(g, vma->vm_start);
}

/* A part of it cannot be unmapped. */
static int grant_vma_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

/* All entries are made by mmap(): what is missing stays so. */
static vm_fault_t grant_vma_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct grant_vm_ops = {
	.open = grant_vma_open,
	.close = grant_vma_close,
	.may_split = grant_vma_split,
	.fault = grant_vma_fault,
};

static int grant_insert(struct vm_area_struct *vma, struct grant_pages *g)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < g->count && !ret; i++) {
		unsigned long va = vma->vm_start + i * PAGE_SIZE;

		if (g->foreign)
			ret = remap_pfn_range_notrack(vma, va, g->foreign->frame[i].gfn, PAGE_SIZE,
						      vma->vm_page_prot);
		else
			ret = vm_insert_page(vma, va, g->page[i]);
	}
	return ret;
}

static int grant_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct grant_file *f = file->private_data;
	struct grant_pages *g;
	int ret = -EINVAL;
	bool readonly;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	mutex_lock(&f->lock);
	list_for_each_entry(g, &f->maps, list) {
		if (g->offset != vma->vm_pgoff || g->count != vma_pages(vma))
			continue;
		ret = -EBUSY;
		if (g->mapped)
			break;
		ret = -EACCES;
		readonly = g->foreign && g->flags & PARVUS_GRANT_READONLY;
		if (readonly && vma->vm_flags & VM_WRITE)
			break;
		parvus_vma_flags(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP |
				 (g->foreign ? VM_IO | VM_PFNMAP : 0),
				 VM_MAYEXEC | (readonly ? VM_MAYWRITE : 0));
		ret = grant_insert(vma, g);
		if (ret)
			break;	/* mmap() takes away what was inserted */
		vma->vm_private_data = g;
		vma->vm_ops = &grant_vm_ops;
		g->mapped = true;
		g->users = 1;
		break;
	}
	mutex_unlock(&f->lock);
	return ret;
}

static int grant_offer_pages(struct grant_pages *g, u32 domain)
{
	unsigned int i;

	g->page = kcalloc(g->count, sizeof(*g->page), GFP_KERNEL);
	if (!g->page)
		return -ENOMEM;
	for (i = 0; i < g->count; i++) {
		g->page[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!g->page[i])
			return -ENOMEM;
	}
	return parvus_grant_offer(domain, g->page, g->count, g->flags, g->refs);
}

static long grant_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct grant_file *f = file->private_data;
	struct parvus_ioctl_grant __user *user = (void __user *)arg;
	struct parvus_ioctl_grant req;
	struct grant_pages *g;
	long ret;

	if (cmd != PARVUS_IOC_GRANT_MAP && cmd != PARVUS_IOC_GRANT_OFFER)
		return -ENOTTY;
	if (copy_from_user(&req, user, sizeof(req)))
		return -EFAULT;
	if (!req.count || req.count > PARVUS_GRANT_BATCH || req.reserved ||
	    req.flags & ~PARVUS_GRANT_READONLY)
		return -EINVAL;
	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!g)
		return -ENOMEM;
	g->file = f;
	g->count = req.count;
	g->flags = req.flags;
	g->refs = kcalloc(g->count, sizeof(u32), GFP_KERNEL);
	ret = -ENOMEM;
	if (!g->refs)
		goto fail;
	if (cmd == PARVUS_IOC_GRANT_MAP) {
		ret = -EFAULT;
		if (copy_from_user(g->refs, u64_to_user_ptr(req.refs), g->count * sizeof(u32)))
			goto fail;
		g->foreign = parvus_grant_map(req.domain, g->refs, g->count, g->flags);
		ret = PTR_ERR_OR_ZERO(g->foreign);
		if (ret)
			g->foreign = NULL;
		kfree(g->refs);
		g->refs = NULL;
	} else {
		ret = grant_offer_pages(g, req.domain);
		if (!ret && copy_to_user(u64_to_user_ptr(req.refs), g->refs,
					 g->count * sizeof(u32)))
			ret = -EFAULT;
	}
	if (ret)
		goto fail;
	mutex_lock(&f->lock);
	if (f->pages + g->count > FILE_PAGES) {
		ret = -ENOSPC;
	} else {
		f->pages += g->count;
		g->offset = f->next;
		f->next += g->count;
	}
	mutex_unlock(&f->lock);
	if (ret)
		goto fail;
	/* Not under the lock, which mmap() takes inside the one that a fault here takes. */
	if (put_user((u64)g->offset << PAGE_SHIFT, &user->offset))
		ret = -EFAULT;
	mutex_lock(&f->lock);
	if (ret)
		f->pages -= g->count;
	else
		list_add(&g->list, &f->maps);
	mutex_unlock(&f->lock);
	if (!ret)
		return 0;
fail:
	grant_end(g, 0);
	return ret;
}

static int grant_open(struct inode *inode, struct file *file)
{
	struct grant_file *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock);
	INIT_LIST_HEAD(&f->maps);
	file->private_data = f;
	return nonseekable_open(inode, file);
}

/* VMAs hold the file: what is left here was never mapped. */
static int grant_release(struct inode *inode, struct file *file)
{
	struct grant_file *f = file->private_data;
	struct grant_pages *g, *next;

	list_for_each_entry_safe(g, next, &f->maps, list)
		grant_end(g, 0);
	kfree(f);
	return 0;
}

const struct file_operations parvus_grant_fops = {
	DEV_FOPS(grant),
	.mmap = grant_mmap,
};
