// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: the context of a domain (context.h), and the CPU that its programs have seen. */
#include "context.h"

#include <cpuid.h>
#include <string.h>

static const char *const kinds[PARVUS_CONTEXT_KINDS] = {
	[PARVUS_CONTEXT_HOST] = "host", [PARVUS_CONTEXT_DOMAIN] = "domain",
	[PARVUS_CONTEXT_TRAPS] = "traps", [PARVUS_CONTEXT_VCPU] = "vCPU",
	[PARVUS_CONTEXT_XSAVE] = "registers of vCPU", [PARVUS_CONTEXT_GFNS] = "memory map",
	[PARVUS_CONTEXT_PORTS] = "ports", [PARVUS_CONTEXT_OFFERS] = "grants",
	[PARVUS_CONTEXT_DEVICES] = "devices", [PARVUS_CONTEXT_COMMIT] = "whole",
};

static int context(struct parvus *h, struct parvus_ioctl_context *c)
{
	const char *why;
	int ret = pv_sys.ioctl(h->fd, PARVUS_IOC_CONTEXT, c);

	if (ret >= 0)
		return 0;
	switch (-ret) {
	case PARVUS_EBUSY:
		why = "it is in a state that forbids it";
		break;
	case PARVUS_EINVAL:
		why = "the hypervisor does not take it: it is damaged, or not for this machine";
		break;
	case PARVUS_EFAULT:
		why = "it names memory that the domain does not have";
		break;
	case PARVUS_EEXIST:
		why = "it is there already";
		break;
	case PARVUS_ENOSYS:
	case ENOTTY:
		why = "this hypervisor or the kernel of domain 0 cannot do it";
		break;
	default:
		why = strerror(-ret);
	}
	return pv_fail(h->error, -ret, "the context of domain %u (%s %u): %s", c->domain,
		       c->kind < PARVUS_CONTEXT_KINDS ? kinds[c->kind] : "?", c->index, why);
}

int pv_context_get(struct parvus *h, uint32_t domain, uint32_t kind, uint32_t index, void *data,
		   uint32_t *bytes)
{
	struct parvus_ioctl_context c = {
		.domain = domain, .kind = kind, .index = index, .data = (uintptr_t)data,
		.bytes = PAGE,
	};
	int ret = context(h, &c);

	*bytes = ret ? 0 : c.bytes;
	return ret;
}

int pv_context_list(struct parvus *h, uint32_t domain, uint32_t kind, uint64_t *from, void *data,
		    uint32_t *bytes)
{
	struct parvus_ioctl_context c = {
		.domain = domain, .kind = kind, .from = *from, .data = (uintptr_t)data,
		.bytes = PAGE,
	};
	int ret = context(h, &c);

	*bytes = ret ? 0 : c.bytes;
	if (!ret && c.bytes && c.from <= *from)
		return pv_fail(h->error, EPROTO, "the context of domain %u (%s): it stays at %llu",
			       domain, kinds[kind], (unsigned long long)*from);
	*from = c.from;
	return ret;
}

int pv_context_set(struct parvus *h, uint32_t domain, uint32_t kind, uint32_t index,
		   const void *data, uint32_t bytes)
{
	struct parvus_ioctl_context c = {
		.domain = domain, .kind = kind, .flags = PARVUS_CONTEXT_SET, .index = index,
		.data = (uintptr_t)data, .bytes = bytes,
	};

	return context(h, &c);
}

static int fixed(struct parvus *h, uint32_t domain, uint32_t kind, uint32_t index, void *to,
		 uint32_t bytes)
{
	uint8_t page[PAGE];
	uint32_t n;
	int ret = pv_context_get(h, domain, kind, index, page, &n);

	if (!ret && n != bytes)
		ret = pv_fail(h->error, EPROTO, "the context of domain %u (%s): %u bytes, and %u "
			      "are expected", domain, kinds[kind], n, bytes);
	if (!ret)
		memcpy(to, page, bytes);
	return ret;
}

int pv_context_domain(struct parvus *h, uint32_t domain, struct parvus_context_domain *d)
{
	return fixed(h, domain, PARVUS_CONTEXT_DOMAIN, 0, d, sizeof(*d));
}

int pv_context_vcpu(struct parvus *h, uint32_t domain, uint32_t vcpu, struct parvus_context_vcpu *v)
{
	return fixed(h, domain, PARVUS_CONTEXT_VCPU, vcpu, v, sizeof(*v));
}

/* ---- the CPU --------------------------------------------------------------------------- */

/* Which bits of which leaves programs go by. Those of eax, ebx of leaf 1 are of the machine. */
static const struct pv_leaf looked_at[] = {
	{ 1, 0, 0, 0, 0xf7ffffff, 0xffffffff },		/* but for OSXSAVE, which is the kernel's */
	{ 7, 0, 0, 0xffffffff, 0xffffffff, 0 },
	{ 7, 1, 0xffffffff, 0, 0, 0 },
	{ 0xd, 1, 0x7, 0, 0, 0 },
	{ 0x80000001, 0, 0, 0, 0xffffffff, 0xffffffff },
};
#define LOOKED_AT (sizeof(looked_at) / sizeof(*looked_at))

static bool leaf(uint32_t number, uint32_t subleaf, struct pv_leaf *l)
{
	l->leaf = number;
	l->subleaf = subleaf;
	return __get_cpuid_count(number, subleaf, &l->eax, &l->ebx, &l->ecx, &l->edx);
}

uint32_t pv_leaves(struct pv_leaf leaves[PV_HOST_LEAVES])
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < LOOKED_AT; i++)
		if (leaf(looked_at[i].leaf, looked_at[i].subleaf, &leaves[n]))
			n++;
	return n;
}

int pv_leaves_check(struct parvus_error *e, const char *name, const struct pv_leaf *leaves,
		    uint32_t count)
{
	static const char *const registers[] = { "eax", "ebx", "ecx", "edx" };
	uint32_t i, k;
	size_t at;

	for (i = 0; i < count; i++) {
		struct pv_leaf l, here = { 0 };

		memcpy(&l, &leaves[i], sizeof(l));
		for (at = 0; at < LOOKED_AT && (looked_at[at].leaf != l.leaf ||
						looked_at[at].subleaf != l.subleaf); at++)
			;
		if (at == LOOKED_AT)
			continue;
		leaf(l.leaf, l.subleaf, &here);
		const uint32_t missing[] = {
			l.eax & looked_at[at].eax & ~here.eax,
			l.ebx & looked_at[at].ebx & ~here.ebx,
			l.ecx & looked_at[at].ecx & ~here.ecx,
			l.edx & looked_at[at].edx & ~here.edx,
		};

		for (k = 0; k < 4; k++)
			if (missing[k])
				return pv_fail(e, ENOTSUP, "%s: its programs may use what the CPUs "
					       "here have not: CPUID leaf 0x%x.%u, %s, bits 0x%x",
					       name, l.leaf, l.subleaf, registers[k], missing[k]);
	}
	return 0;
}
