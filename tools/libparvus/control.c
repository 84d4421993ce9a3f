// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: the handle, and one function for each control operation. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL "/dev/parvus/control"

void parvus_options_env(struct parvus_options *o)
{
	o->run_dir = getenv("PARVUS_RUN_DIR");
	o->lib_dir = getenv("PARVUS_LIB_DIR");
	o->script_dir = getenv("PARVUS_SCRIPT_DIR");
	o->block_server = getenv("PARVUS_BLOCK_SERVER");
	o->qemu_nbd = getenv("PARVUS_QEMU_NBD");
}

/* @given, or what is usual; false: no memory. */
static bool take_option(char **to, const char *given, const char *usual)
{
	*to = strdup(given && *given ? given : usual);
	return *to;
}

static bool take_options(struct parvus *h, const struct parvus_options *o)
{
	char server[400];

	snprintf(server, sizeof(server), "%s/block-server",
		 o->lib_dir && *o->lib_dir ? o->lib_dir : PARVUS_LIB_DIR);
	return take_option(&h->run_dir, o->run_dir, "/run/parvus") &&
	       take_option(&h->lib_dir, o->lib_dir, PARVUS_LIB_DIR) &&
	       take_option(&h->script_dir, o->script_dir, "/etc/parvus/scripts") &&
	       take_option(&h->block_server, o->block_server, server) &&
	       take_option(&h->qemu_nbd, o->qemu_nbd, "qemu-nbd");
}

int parvus_open(struct parvus **out, const struct parvus_options *options,
		struct parvus_error *error)
{
	static const struct parvus_options defaults;
	struct parvus *h = calloc(1, sizeof(*h));
	int ret;

	*out = NULL;
	if (!h)
		return pv_fail(error, ENOMEM, "no memory");
	h->error = error ? error : &h->own;
	h->fd = h->device_fd = -1;
	if (!take_options(h, options ? options : &defaults)) {
		ret = pv_fail(error, ENOMEM, "no memory");
		goto fail;
	}
	h->fd = ret = pv_sys.open(CONTROL);
	if (ret < 0) {
		pv_fail(error, -ret, "cannot open " CONTROL ": %s",
			ret == -ENOENT ? "not there (is this domain 0 of Parvus?)" :
					 strerror(-ret));
		goto fail;
	}
	*out = h;
	return 0;
fail:
	parvus_close(h);
	return ret;
}

void parvus_close(struct parvus *h)
{
	if (!h)
		return;
	if (h->fd >= 0)
		pv_sys.close(h->fd);
	if (h->device_fd >= 0)
		pv_sys.close(h->device_fd);
	free(h->run_dir);
	free(h->script_dir);
	free(h->block_server);
	free(h->qemu_nbd);
	free(h->lib_dir);
	free(h);
}

int parvus_fd(const struct parvus *h)
{
	return h->fd;
}

int parvus_changed(struct parvus *h)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	uint64_t count;
	ssize_t ret;

	if (pv_sys.poll(&p, 1, 0) <= 0)
		return 0;
	ret = pv_sys.read(h->fd, &count, sizeof(count));
	if (ret < 0 && ret != -EAGAIN && ret != -EINTR)
		return pv_fail(h->error, (int)-ret, "cannot read " CONTROL ": %s",
			       strerror((int)-ret));
	return 0;
}

int parvus_poll(struct parvus *h, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int ret = pv_sys.poll(fds, n, timeout_ms);

	if (ret < 0)
		return pv_fail(h->error, -ret, "waiting for the hypervisor: %s", strerror(-ret));
	return ret;
}

int pv_call(struct parvus *h, uint32_t op, void *data, uint32_t bytes)
{
	struct parvus_ioctl_call call = {
		.op = op,
		.bytes = bytes,
		.data = (uintptr_t)data,
	};
	uint32_t head[2] = { bytes, 1 };

	memcpy(data, head, sizeof(head));
	return pv_sys.ioctl(h->fd, PARVUS_IOC_CALL, &call);
}

static const char *code_text(int code)
{
	switch (code) {
	case PARVUS_EPERM:
		return "not allowed: this is not domain 0, or the domain must not be named here";
	case PARVUS_ENOENT:
		return "no such domain, vCPU or CPU";
	case PARVUS_EBUSY:
		return "the domain is in a state that forbids it";
	case PARVUS_EINVAL:
		return "the hypervisor does not take it (too large or too small?)";
	case PARVUS_ENOMEM:
		return "not enough memory";
	case PARVUS_ENOSPC:
		return "a table is full";
	case PARVUS_ENOSYS:
		return "this hypervisor does not know the operation";
	default:
		return strerror(code);
	}
}

/* A call on a domain, with a text for what it was and @values, with which: "" = none. */
static int value_call(struct parvus *h, uint32_t op, void *data, uint32_t bytes, uint32_t domain,
		      const char *what, const char *values)
{
	int ret = pv_call(h, op, data, bytes);

	if (ret == -ENOENT)
		return pv_fail(h->error, ENOENT, "%s: there is no domain %u", what, domain);
	if (ret < 0)
		return pv_fail(h->error, -ret, "%s domain %u%s: %s", what, domain, values,
			       code_text(-ret));
	return 0;
}

static int domain_call(struct parvus *h, uint32_t op, void *data, uint32_t bytes, uint32_t domain,
		       const char *what)
{
	return value_call(h, op, data, bytes, domain, what, "");
}

int parvus_machine(struct parvus *h, struct parvus_control_machine *m)
{
	int ret;

	memset(m, 0, sizeof(*m));
	ret = pv_call(h, PARVUS_CONTROL_MACHINE, m, sizeof(*m));
	if (ret < 0)
		return pv_fail(h->error, -ret, "cannot ask the hypervisor: %s", code_text(-ret));
	m->build[sizeof(m->build) - 1] = 0;
	return 0;
}

int parvus_cpu(struct parvus *h, uint32_t cpu, struct parvus_control_cpu *c)
{
	int ret;

	memset(c, 0, sizeof(*c));
	c->cpu = cpu;
	ret = pv_call(h, PARVUS_CONTROL_CPU, c, sizeof(*c));
	if (ret < 0)
		return pv_fail(h->error, -ret, "CPU %u: %s", cpu, code_text(-ret));
	return 0;
}

int parvus_interrupt(struct parvus *h, uint32_t from, struct parvus_control_interrupt *i)
{
	int ret;

	memset(i, 0, sizeof(*i));
	i->handle = from;
	ret = pv_call(h, PARVUS_CONTROL_INTERRUPT, i, sizeof(*i));
	if (ret < 0)
		return pv_fail(h->error, -ret, "cannot ask for interrupts: %s", code_text(-ret));
	return 0;
}

int parvus_domain_create(struct parvus *h, struct parvus_control_create *c)
{
	int ret = pv_call(h, PARVUS_CONTROL_CREATE, c, sizeof(*c));

	if (ret < 0)
		return pv_fail(h->error, -ret, "cannot create a domain: %s",
			       ret == -ENOSPC ? "there are as many as the hypervisor has room for" :
			       code_text(-ret));
	return 0;
}

int parvus_domain_commit(struct parvus *h, uint32_t domain, bool unpause)
{
	struct parvus_ioctl_commit c = {
		.domain = domain,
		.flags = unpause ? PARVUS_COMMIT_UNPAUSE : 0,
	};
	int ret = pv_sys.ioctl(h->fd, PARVUS_IOC_COMMIT, &c);

	if (ret < 0)
		return pv_fail(h->error, -ret, "commit domain %u: %s", domain, code_text(-ret));
	return 0;
}

static int info(struct parvus *h, uint32_t op, uint32_t domain, struct parvus_control_info *i)
{
	int ret;

	memset(i, 0, sizeof(*i));
	i->domain = domain;
	ret = domain_call(h, op, i, sizeof(*i), domain, "look at");
	i->name[sizeof(i->name) - 1] = 0;
	i->why[sizeof(i->why) - 1] = 0;
	return ret;
}

int parvus_domain_info(struct parvus *h, uint32_t domain, struct parvus_control_info *i)
{
	return info(h, PARVUS_CONTROL_INFO, domain, i);
}

int parvus_domain_next(struct parvus *h, uint32_t from, struct parvus_control_info *i)
{
	return info(h, PARVUS_CONTROL_NEXT, from, i);
}

int parvus_domain_populate(struct parvus *h, uint32_t domain, uint64_t gfn, uint64_t frames,
			   uint64_t flags)
{
	struct parvus_control_populate p = {
		.domain = domain,
		.gfn = gfn,
		.frames = frames,
		.flags = flags,
	};

	char values[80];

	snprintf(values, sizeof(values), " (%llu frames from %#llx on)", (unsigned long long)frames,
		 (unsigned long long)gfn);
	return value_call(h, PARVUS_CONTROL_POPULATE, &p, sizeof(p), domain, "give memory to",
			  values);
}

static int copy(struct parvus *h, uint32_t domain, uint32_t flags, uint64_t gpa, uintptr_t data,
		uint64_t bytes, uint64_t *left)
{
	struct parvus_ioctl_copy c = {
		.domain = domain,
		.flags = flags,
		.gpa = gpa,
		.data = data,
		.bytes = bytes,
	};
	int ret = pv_sys.ioctl(h->fd, PARVUS_IOC_COPY, &c);

	if (left)
		*left = c.bytes > bytes ? bytes : c.bytes;
	if (ret == -ENOENT)
		return pv_fail(h->error, ENOENT, "there is no domain %u", domain);
	if (ret < 0)
		return pv_fail(h->error, -ret, "memory of domain %u at %#llx: %s", domain,
			       (unsigned long long)(gpa + bytes - c.bytes), code_text(-ret));
	return 0;
}

int parvus_domain_write(struct parvus *h, uint32_t domain, uint64_t gpa, const void *data,
			uint64_t bytes)
{
	return copy(h, domain, 0, gpa, (uintptr_t)data, bytes, NULL);
}

int parvus_domain_read(struct parvus *h, uint32_t domain, uint64_t gpa, void *data, uint64_t bytes,
		       uint64_t *left)
{
	return copy(h, domain, PARVUS_COPY_OUT, gpa, (uintptr_t)data, bytes, left);
}

int parvus_domain_offer(struct parvus *h, uint32_t domain, uint32_t to, uint64_t gfn,
			uint32_t flags, uint32_t *ref)
{
	struct parvus_control_offer o = {
		.domain = domain,
		.to = to,
		.gfn = gfn,
		.flags = flags,
	};
	int ret = domain_call(h, PARVUS_CONTROL_OFFER, &o, sizeof(o), domain, "offer a frame of");

	*ref = o.ref;
	return ret;
}

int parvus_domain_port(struct parvus *h, uint32_t domain, uint32_t to, uint32_t *port)
{
	struct parvus_control_port p = { .domain = domain, .to = to };
	int ret = domain_call(h, PARVUS_CONTROL_PORT, &p, sizeof(p), domain,
			      "make an event port of");

	*port = p.port;
	return ret;
}

int parvus_domain_start(struct parvus *h, uint32_t domain, uint64_t entry, uint64_t root,
			uint64_t start_info)
{
	struct parvus_control_start s = {
		.domain = domain,
		.entry = entry,
		.root = root,
		.start_info = start_info,
	};

	char values[100];

	snprintf(values, sizeof(values), " (at %#llx, page table %#llx)", (unsigned long long)entry,
		 (unsigned long long)root);
	return value_call(h, PARVUS_CONTROL_START, &s, sizeof(s), domain, "start", values);
}

static int simple(struct parvus *h, uint32_t op, uint32_t domain, uint32_t value, const char *what)
{
	struct parvus_control_domain d = { .domain = domain, .value = value };

	return domain_call(h, op, &d, sizeof(d), domain, what);
}

int parvus_domain_pause(struct parvus *h, uint32_t domain)
{
	return simple(h, PARVUS_CONTROL_PAUSE, domain, 0, "pause");
}

int parvus_domain_unpause(struct parvus *h, uint32_t domain)
{
	return simple(h, PARVUS_CONTROL_UNPAUSE, domain, 0, "unpause");
}

int parvus_domain_destroy(struct parvus *h, uint32_t domain)
{
	return simple(h, PARVUS_CONTROL_DESTROY, domain, 0, "destroy");
}

int parvus_domain_request(struct parvus *h, uint32_t domain, uint32_t request)
{
	return simple(h, PARVUS_CONTROL_REQUEST, domain, request, "ask");
}

int parvus_domain_vcpus(struct parvus *h, uint32_t domain, uint32_t online)
{
	struct parvus_control_domain d = { .domain = domain, .value = online };
	char values[24];

	snprintf(values, sizeof(values), " to %u", online);
	return value_call(h, PARVUS_CONTROL_VCPUS, &d, sizeof(d), domain, "set the vCPUs of",
			  values);
}

int parvus_domain_memory(struct parvus *h, uint32_t domain, uint32_t flags, uint64_t max_frames,
			 uint64_t target_frames)
{
	struct parvus_control_memory m = {
		.domain = domain,
		.flags = flags,
		.max_frames = max_frames,
		.target_frames = target_frames,
	};

	char values[80];

	if (flags & PARVUS_MEMORY_SET_MAX)
		snprintf(values, sizeof(values), " to %llu KiB at most",
			 (unsigned long long)max_frames * 4);
	else
		snprintf(values, sizeof(values), " to %llu KiB",
			 (unsigned long long)target_frames * 4);
	return value_call(h, PARVUS_CONTROL_MEMORY, &m, sizeof(m), domain, "set the memory of",
			  values);
}

int parvus_domain_sched(struct parvus *h, uint32_t domain, uint32_t flags, uint32_t *weight,
			uint32_t *cap)
{
	struct parvus_control_sched s = {
		.domain = domain,
		.flags = flags,
		.weight = flags & PARVUS_SCHED_SET_WEIGHT ? *weight : 0,
		.cap = flags & PARVUS_SCHED_SET_CAP ? *cap : 0,
	};
	char values[60];
	int ret;

	snprintf(values, sizeof(values), flags ? " (weight %u, cap %u)" : "", s.weight, s.cap);
	ret = value_call(h, PARVUS_CONTROL_SCHED, &s, sizeof(s), domain, "scheduling of", values);
	if (ret)
		return ret;
	*weight = s.weight;
	*cap = s.cap;
	return 0;
}

/* ENOENT is the domain's or the vCPU's: tell which. */
static int vcpu_call(struct parvus *h, uint32_t op, void *data, uint32_t bytes, uint32_t domain,
		     uint32_t vcpu)
{
	struct parvus_control_info i;
	int ret = pv_call(h, op, data, bytes);

	if (ret == -ENOENT && parvus_domain_info(h, domain, &i))
		return -ENOENT;
	if (ret == -ENOENT)
		return pv_fail(h->error, ENOENT, "domain %u has no vCPU %u", domain, vcpu);
	if (ret < 0)
		return pv_fail(h->error, -ret, "vCPU %u of domain %u: %s", vcpu, domain,
			       code_text(-ret));
	return 0;
}

int parvus_vcpu(struct parvus *h, uint32_t domain, uint32_t vcpu, struct parvus_control_vcpu *v)
{
	memset(v, 0, sizeof(*v));
	v->domain = domain;
	v->vcpu = vcpu;
	return vcpu_call(h, PARVUS_CONTROL_VCPU, v, sizeof(*v), domain, vcpu);
}

int parvus_vcpu_pin(struct parvus *h, uint32_t domain, uint32_t vcpu,
		    const struct parvus_cpus *cpus)
{
	struct parvus_control_vcpu v = { .domain = domain, .vcpu = vcpu };

	memcpy(v.affinity, cpus->word, sizeof(v.affinity));
	return vcpu_call(h, PARVUS_CONTROL_PIN, &v, sizeof(v), domain, vcpu);
}

int parvus_vcpu_regs(struct parvus *h, uint32_t domain, uint32_t vcpu,
		     struct parvus_control_regs *r)
{
	memset(r, 0, sizeof(*r));
	r->domain = domain;
	r->vcpu = vcpu;
	return vcpu_call(h, PARVUS_CONTROL_REGS, r, sizeof(*r), domain, vcpu);
}

int parvus_log(struct parvus *h, struct parvus_control_log *l)
{
	int ret = pv_call(h, PARVUS_CONTROL_LOG, l, sizeof(*l));

	if (ret < 0)
		return pv_fail(h->error, -ret, "the hypervisor's log: %s", code_text(-ret));
	if (l->bytes > sizeof(l->text))
		return pv_fail(h->error, EPROTO,
			       "the hypervisor's log: %u bytes in one answer, more than fits",
			       l->bytes);
	return 0;
}

int parvus_trace(struct parvus *h, struct parvus_control_trace *t)
{
	int ret = pv_call(h, PARVUS_CONTROL_TRACE, t, sizeof(*t));

	if (ret < 0)
		return pv_fail(h->error, -ret, "trace of CPU %u: %s", t->cpu, code_text(-ret));
	if (t->records > PARVUS_TRACE_BATCH)
		return pv_fail(h->error, EPROTO,
			       "trace of CPU %u: %u records in one answer, more than fits",
			       t->cpu, t->records);
	return 0;
}
