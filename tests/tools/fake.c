// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor that is a file; see fake.h. */
#include "fake.h"
#include "../../tools/agent/stream.h"
#include <parvus/irq.h>

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define STATE_BYTES ((sizeof(struct fake_state) + PAGE - 1) & ~(PAGE - 1))

static struct {
	char dir[200];
	int fd;
	struct fake_state *s;
	uint8_t *memory;
	struct {
		char kind;
		uint32_t n;
	} files[1024];	/* by descriptor */
	int depth;
} me = { .fd = -1 };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

struct fake_state *fake_attach(const char *dir)
{
	char path[256];
	bool fresh;

	if (me.s && (!dir || !strcmp(dir, me.dir)))
		return me.s;
	if (me.s) {
		munmap(me.s, STATE_BYTES + FAKE_DOMAINS * FAKE_MEMORY);
		close(me.fd);
	}
	if (!dir)
		dir = getenv("PARVUS_FAKE");
	if (!dir) {
		fprintf(stderr, "fake: PARVUS_FAKE is not set\n");
		exit(99);
	}
	snprintf(me.dir, sizeof(me.dir), "%s", dir);
	mkdir(dir, 0700);
	snprintf(path, sizeof(path), "%s/state", dir);
	me.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (me.fd < 0) {
		perror(path);
		exit(99);
	}
	flock(me.fd, LOCK_EX);
	fresh = lseek(me.fd, 0, SEEK_END) == 0;
	if (ftruncate(me.fd, (off_t)(STATE_BYTES + FAKE_DOMAINS * FAKE_MEMORY)))
		exit(99);
	me.s = mmap(NULL, STATE_BYTES + FAKE_DOMAINS * FAKE_MEMORY, PROT_READ | PROT_WRITE,
		    MAP_SHARED, me.fd, 0);
	if (me.s == MAP_FAILED)
		exit(99);
	me.memory = (uint8_t *)me.s + STATE_BYTES;
	if (fresh) {
		struct fake_domain *d = &me.s->d[0];

		me.s->frames_total = 1u << 18;
		d->used = d->committed = true;
		d->info.state = PARVUS_DOMAIN_RUNNING;
		d->info.flags = PARVUS_INFO_CONTROL | PARVUS_INFO_RUNNING;
		d->info.vcpus = d->info.vcpus_online = 2;
		d->info.weight = 256;
		d->info.frames = d->info.touched = d->info.max_frames = 1000;
		d->info.run_ns = 1500000000;
		strcpy(d->info.name, "Domain-0");
	}
	flock(me.fd, LOCK_UN);
	return me.s;
}

/* flock belongs to the open file, which forked children share: only exec'd ones are others. */
void fake_lock(void)
{
	fake_attach(NULL);
	if (!me.depth++)
		while (flock(me.fd, LOCK_EX) && errno == EINTR)
			;
}

void fake_unlock(void)
{
	if (!--me.depth)
		flock(me.fd, LOCK_UN);
}

static bool file_alive(uint32_t n)
{
	char path[256];
	int fd;
	bool alive;

	snprintf(path, sizeof(path), "%s/file-%u", me.dir, n);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	alive = flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return alive;
}

static void changed(struct fake_domain *d)
{
	d->info.changes++;
	me.s->changes++;
}

/* What every end of a domain does to its devices. */
static void devices_gone(struct fake_domain *d)
{
	size_t i;

	for (i = 0; i < FAKE_DEVICES; i++)
		if (me.s->device[i].used && me.s->device[i].d.front_domain == d->info.domain)
			me.s->device[i].used = false;
}

static void gone_or_dying(struct fake_domain *d)
{
	size_t i;

	devices_gone(d);

	for (i = 0; i < FAKE_PORTS; i++)
		if (me.s->port[i].kind == PARVUS_EVENT_INTERDOMAIN &&
		    me.s->port[i].domain == d - me.s->d)
			me.s->port[i].kind = PARVUS_EVENT_UNBOUND;
	d->info.state = PARVUS_DOMAIN_DYING;
	changed(d);
	if (!d->mapped_by)
		d->used = false;
}

/* A loop device has the number of its file. */
static struct fake_loop *loop_of(uint32_t file)
{
	return &me.s->loop[file % FAKE_LOOPS];
}

static bool loop_in_use(uint32_t file)
{
	struct parvus_block_config c;
	size_t i;

	for (i = 0; i < FAKE_DEVICES; i++) {
		struct fake_device *f = &me.s->device[i];

		memcpy(&c, f->d.config, sizeof(c));
		if (f->used && f->d.device_class == PARVUS_CLASS_BLOCK &&
		    f->d.back_state != PARVUS_DEVICE_CLOSED && c.major == 7 && c.minor == file)
			return true;
	}
	return false;
}

/* What files that are closed by now leave behind. */
static void reap(void)
{
	size_t i, k;

	for (i = 0; i < FAKE_FILES; i++) {
		if (!me.s->file[i].kind || file_alive((uint32_t)i))
			continue;
		if (me.s->file[i].kind == 'l' && loop_in_use((uint32_t)i))
			continue;	/* a back end has it open */
		if (me.s->file[i].kind == 'l')
			loop_of((uint32_t)i)->used = false;
		me.s->file[i].kind = 0;
		for (k = 0; k < FAKE_PORTS; k++)
			if (me.s->port[k].file == i + 1)
				memset(&me.s->port[k], 0, sizeof(me.s->port[k]));
		for (k = 0; k < FAKE_DEVICES; k++)
			if (me.s->device[k].file == i + 1) {
				me.s->device[k].file = 0;
				me.s->device[k].d.back_state = PARVUS_DEVICE_CLOSED;
			}
		for (k = 1; k < FAKE_DOMAINS; k++) {
			struct fake_domain *d = &me.s->d[k];

			if (!d->used)
				continue;
			if (d->mapped_by == i + 1) {
				d->mapped_by = 0;
				if (d->info.state == PARVUS_DOMAIN_DYING) {
					d->used = false;
					changed(d);
				}
			}
			if (d->used && !d->committed && d->owner == i + 1)
				gone_or_dying(d);
		}
	}
}

struct fake_domain *fake_find(uint32_t domain)
{
	size_t i;

	fake_attach(NULL);
	for (i = 0; i < FAKE_DOMAINS; i++)
		if (me.s->d[i].used && me.s->d[i].info.domain == domain)
			return &me.s->d[i];
	return NULL;
}

unsigned int fake_count(void)
{
	unsigned int n = 0;
	size_t i;

	fake_lock();
	reap();
	for (i = 1; i < FAKE_DOMAINS; i++)
		n += me.s->d[i].used;
	fake_unlock();
	return n;
}

uint8_t *fake_memory(struct fake_domain *d, uint64_t gpa)
{
	return me.memory + (uint64_t)(d - me.s->d) * FAKE_MEMORY + gpa;
}

void fake_fail(uint32_t op, uint32_t code, uint32_t skip)
{
	fake_lock();
	me.s->fail_op = op;
	me.s->fail_code = code;
	me.s->fail_skip = skip;
	fake_unlock();
}

void fake_end(struct fake_domain *d, uint32_t reason, uint32_t status, const char *why)
{
	d->info.state = PARVUS_DOMAIN_SHUTDOWN;
	d->info.reason = reason;
	d->info.status = status;
	devices_gone(d);
	snprintf(d->info.why, sizeof(d->info.why), "%s", why);
	changed(d);
}

/* The call that is to fail, or never to come back. */
static int fail_now(void)
{
	int code = (int)me.s->fail_code;

	me.s->fail_code = 0;
	if (code == FAKE_KILL)
		kill(getpid(), SIGKILL);
	return -code;
}

struct parvus_console_page *fake_console(struct fake_domain *d)
{
	struct parvus_start_info si;

	memcpy(&si, fake_memory(d, d->start.start_info), sizeof(si));
	if (si.magic != PARVUS_START_MAGIC || si.console_gpa / PAGE != d->console_gfn)
		return NULL;
	return (void *)fake_memory(d, si.console_gpa);
}

void fake_signal(struct fake_domain *d)
{
	size_t i;

	for (i = 1; i < FAKE_PORTS; i++)
		if (me.s->port[i].kind == PARVUS_EVENT_INTERDOMAIN &&
		    me.s->port[i].domain == d - me.s->d)
			me.s->port[i].pending = true;
}

/* ---- calls -------------------------------------------------------------------------- */

static void machine(struct parvus_control_machine *m)
{
	uint64_t ram = 0, touched = 0;
	size_t i;

	m->cpus = 2;
	m->frames_total = me.s->frames_total;
	for (i = 0; i < FAKE_DOMAINS; i++)
		if (me.s->d[i].used) {
			m->domains++;
			ram += me.s->d[i].info.frames;
			touched += me.s->d[i].info.touched;
		}
	m->frames_free = m->frames_total - touched;
	m->frames_promised = m->frames_claimed = ram - touched;
	m->now_ns = now_ns();
	m->tsc_khz = 1000000;
	m->features[0] = 3;
	m->max_domains = FAKE_DOMAINS;
	strcpy(m->build, "fake");
}

static int create(struct parvus_control_create *c, uint32_t file)
{
	struct fake_domain *d;
	size_t i;

	if (!c->vcpus || c->vcpus > PARVUS_MAX_VCPUS || !c->max_frames ||
	    !memchr(c->name, 0, sizeof(c->name)) ||
	    c->flags & ~(uint64_t)(PARVUS_CREATE_CLAIM | PARVUS_CREATE_NUMBER))
		return -EINVAL;
	if (c->flags & PARVUS_CREATE_NUMBER && fake_find(c->domain))
		return -EEXIST;
	if (c->max_frames > FAKE_FRAMES)
		return -ENOMEM;
	for (i = 1; i < FAKE_DOMAINS && me.s->d[i].used; i++)
		;
	if (i == FAKE_DOMAINS)
		return -ENOSPC;
	d = &me.s->d[i];
	memset(d, 0, sizeof(*d));
	memset(fake_memory(d, 0), 0, c->max_frames * PAGE);
	d->owner = file + 1;
	if (!(c->flags & PARVUS_CREATE_NUMBER))
		do
			c->domain = ++me.s->last;
		while (fake_find(c->domain));
	d->info.domain = c->domain;
	d->used = true;
	d->info.state = PARVUS_DOMAIN_BUILDING;
	strcpy(d->info.name, c->name);
	d->info.vcpus = c->vcpus;
	d->info.weight = c->weight ? c->weight : 256;
	d->info.cap = c->cap;
	d->info.max_frames = d->info.target_frames = c->max_frames;
	d->info.created_ns = now_ns();
	for (i = 0; i < c->vcpus; i++)
		d->affinity[i] = 3;
	changed(d);
	return 0;
}

static int copy(struct parvus_ioctl_copy *c)
{
	struct fake_domain *d = fake_find(c->domain);
	uint64_t i;

	if (!d)
		return -ENOENT;
	/* as the kernel's driver does it: a piece goes as a whole or not at all */
	for (i = c->gpa / PAGE; i * PAGE < c->gpa + c->bytes; i++)
		if (i >= FAKE_FRAMES || !d->ram[i])
			return -EFAULT;
	while (c->bytes) {
		uint64_t n = PAGE - c->gpa % PAGE, frame = c->gpa / PAGE;

		if (n > c->bytes)
			n = c->bytes;
		if (frame >= FAKE_FRAMES || !d->ram[frame])
			return -EFAULT;
		if (c->flags & PARVUS_COPY_OUT) {
			memcpy((void *)(uintptr_t)c->data, fake_memory(d, c->gpa), n);
		} else {
			memcpy(fake_memory(d, c->gpa), (void *)(uintptr_t)c->data, n);
			d->info.touched += !d->touched[frame];
			d->touched[frame] = 1;
		}
		c->gpa += n;
		c->data += n;
		c->bytes -= n;
	}
	return 0;
}

static int next(struct parvus_control_info *i)
{
	struct fake_domain *best = NULL;
	size_t k;

	for (k = 0; k < FAKE_DOMAINS; k++) {
		struct fake_domain *d = &me.s->d[k];

		if (d->used && d->info.domain >= i->domain &&
		    (!best || d->info.domain < best->info.domain))
			best = d;
	}
	if (!best)
		return -ENOENT;
	i->domain = best->info.domain;
	return 0;
}

/*
 * At each position stands one record, of the events of the mask in turn; the first 3 of CPU 0, and
 * 5 in the middle of CPU 1's, come too late to be read.
 */
static int fake_trace(struct parvus_control_trace *t)
{
	static const struct parvus_trace_record known[] = {
		{ .event = PARVUS_TRACE_HYPERCALL, .arg = { 1, 2 } },
		{ .event = PARVUS_TRACE_RETURN, .arg = { 17, (uint64_t)-PARVUS_EINVAL } },
		{ .event = PARVUS_TRACE_SYSCALL, .arg = { 39, 0x401000 } },
		{ .event = PARVUS_TRACE_EXIT, .arg = { 0xffffffff81000000, PARVUS_KERNEL_CS } },
		{ .event = PARVUS_TRACE_OUTCOME, .arg = { 0x7000, PARVUS_OUTCOME_GUEST } },
	};
	uint64_t i;

	if (t->cpu >= 2 || (t->flags & PARVUS_TRACE_SET && t->mask & ~PARVUS_TRACE_KNOWN))
		return -EINVAL;
	if (t->flags & PARVUS_TRACE_SET)
		me.s->trace_mask = t->mask;
	t->mask = me.s->trace_mask;
	if (t->mask && !t->cpu && t->from < 3)
		t->from = 3;
	if (t->mask && t->cpu && t->from > 5 && t->from < 11)
		t->from = 11;
	t->end = t->from;
	for (i = 0; t->mask && !t->records && i < sizeof(known) / sizeof(*known); i++) {
		t->record[0] = known[(t->from + i) % (sizeof(known) / sizeof(*known))];
		t->record[0].tsc = now_ns();
		t->record[0].domain = 1;
		t->records = !!(t->record[0].event & t->mask);
	}
	t->end += t->records;
	return 0;
}

/* A disk's second message, the ACPI interrupt, and one that is for nobody. */
static void fake_interrupt(struct parvus_control_interrupt *i)
{
	static const struct parvus_control_interrupt all[] = {
		{ .handle = 2, .kind = PARVUS_IRQ_LINE, .source = 9, .flags = PARVUS_IRQ_LEVEL,
		  .vcpu = 0, .vector = 34, .count = 1, .state = PARVUS_INTERRUPT_WAITS },
		{ .handle = 5, .kind = PARVUS_IRQ_MESSAGE, .source = 0x1201b, .index = 1,
		  .vcpu = 1, .vector = 35, .cpu = 1, .count = 1ull << 40 },
		{ .handle = 190, .kind = PARVUS_IRQ_LINE, .source = 1,
		  .state = PARVUS_INTERRUPT_MASKED },
	};
	uint32_t from = i->handle, k;

	*i = (struct parvus_control_interrupt){ .handle = PARVUS_INTERRUPT_NONE };
	for (k = 3; k-- > 0;)
		if (all[k].handle >= from)
			*i = all[k];
	i->size = sizeof(*i);
	i->version = 1;
	i->strays = 3;
	i->stuck = 2;
	i->storms = 1;
}

/* As the hypervisor: never more than the host gives, while it is built. */
static int fake_cpuid(struct parvus_control_cpuid *c)
{
	static const uint32_t host[PARVUS_CPUID_WORDS] = FAKE_CPUID;
	struct fake_domain *d = fake_find(c->domain == PARVUS_DOMAIN_SELF ? 0 : c->domain);
	size_t i;

	if (!d)
		return -PARVUS_ENOENT;
	for (i = 0; c->flags && i < PARVUS_CPUID_WORDS; i++)
		if (c->features[i] & ~host[i])
			return -PARVUS_EINVAL;
	if (c->flags && d->info.state != PARVUS_DOMAIN_BUILDING)
		return -PARVUS_EBUSY;
	if (c->flags) {
		d->cpuid = *c;
	} else if (d->cpuid.flags) {
		*c = d->cpuid;
		c->flags = 0;
	} else {
		memcpy(c->features, host, sizeof(host));
		c->xcr0 = FAKE_XCR0;
	}
	return 0;
}

static int call(uint32_t op, void *data, uint32_t bytes, uint32_t file)
{
	static const uint32_t sizes[PARVUS_CONTROL_OPS] = {
		[PARVUS_CONTROL_MACHINE] = sizeof(struct parvus_control_machine),
		[PARVUS_CONTROL_CREATE] = sizeof(struct parvus_control_create),
		[PARVUS_CONTROL_INFO] = sizeof(struct parvus_control_info),
		[PARVUS_CONTROL_NEXT] = sizeof(struct parvus_control_info),
		[PARVUS_CONTROL_POPULATE] = sizeof(struct parvus_control_populate),
		[PARVUS_CONTROL_OFFER] = sizeof(struct parvus_control_offer),
		[PARVUS_CONTROL_PORT] = sizeof(struct parvus_control_port),
		[PARVUS_CONTROL_START] = sizeof(struct parvus_control_start),
		[PARVUS_CONTROL_PAUSE] = sizeof(struct parvus_control_domain),
		[PARVUS_CONTROL_UNPAUSE] = sizeof(struct parvus_control_domain),
		[PARVUS_CONTROL_DESTROY] = sizeof(struct parvus_control_domain),
		[PARVUS_CONTROL_REQUEST] = sizeof(struct parvus_control_domain),
		[PARVUS_CONTROL_RENAME] = sizeof(struct parvus_control_name),
		[PARVUS_CONTROL_MEMORY] = sizeof(struct parvus_control_memory),
		[PARVUS_CONTROL_SCHED] = sizeof(struct parvus_control_sched),
		[PARVUS_CONTROL_VCPU] = sizeof(struct parvus_control_vcpu),
		[PARVUS_CONTROL_PIN] = sizeof(struct parvus_control_vcpu),
		[PARVUS_CONTROL_REGS] = sizeof(struct parvus_control_regs),
		[PARVUS_CONTROL_LOG] = sizeof(struct parvus_control_log),
		[PARVUS_CONTROL_TRACE] = sizeof(struct parvus_control_trace),
		[PARVUS_CONTROL_CPU] = sizeof(struct parvus_control_cpu),
		[PARVUS_CONTROL_VCPUS] = sizeof(struct parvus_control_domain),
		[PARVUS_CONTROL_INTERRUPT] = sizeof(struct parvus_control_interrupt),
		[PARVUS_CONTROL_CPUID] = sizeof(struct parvus_control_cpuid),
	};
	struct parvus_control_domain *cd = data;
	struct fake_domain *d;
	uint64_t i;

	if (op >= PARVUS_CONTROL_OPS || !sizes[op])
		return -ENOSYS;
	if (bytes != sizes[op] || ((uint32_t *)data)[0] != bytes || ((uint32_t *)data)[1] != 1)
		return -EINVAL;
	if (me.s->fail_code && op == me.s->fail_op) {
		if (!me.s->fail_skip) {
			return fail_now();
		}
		me.s->fail_skip--;
	}
	switch (op) {
	case PARVUS_CONTROL_MACHINE:
		machine(data);
		return 0;
	case PARVUS_CONTROL_CREATE:
		return create(data, file);
	case PARVUS_CONTROL_LOG: {
		static const char text[] = "fake: line one\nfake: \033[31mline two\n";
		struct parvus_control_log *l = data;
		uint64_t all = sizeof(text) - 1;

		l->end = all;
		if (l->from < all) {
			l->bytes = (uint32_t)(all - l->from);
			memcpy(l->text, text + l->from, l->bytes);
		}
		return 0;
	}
	case PARVUS_CONTROL_TRACE:
		return fake_trace(data);
	case PARVUS_CONTROL_INTERRUPT:
		fake_interrupt(data);
		return 0;
	case PARVUS_CONTROL_CPUID:
		return fake_cpuid(data);
	case PARVUS_CONTROL_CPU: {
		struct parvus_control_cpu *c = data;

		if (c->cpu >= 2)
			return -ENOENT;
		c->apic_id = c->cpu;
		c->idle_ns = c->busy_ns = now_ns() / 2;
		return 0;
	}
	case PARVUS_CONTROL_NEXT:
		if (next(data))
			return -ENOENT;
		break;
	}
	d = fake_find(cd->domain);
	if (!d)
		return -ENOENT;
	if (op >= PARVUS_CONTROL_POPULATE && op <= PARVUS_CONTROL_START &&
	    d->info.state != PARVUS_DOMAIN_BUILDING)
		return -EBUSY;
	switch (op) {
	case PARVUS_CONTROL_INFO:
	case PARVUS_CONTROL_NEXT: {
		uint32_t head[2];

		memcpy(head, data, sizeof(head));
		d->info.flags &= ~(PARVUS_INFO_RUNNING | PARVUS_INFO_BLOCKED);
		if (!d->info.domain)
			d->info.flags |= PARVUS_INFO_RUNNING;
		else if (d->info.state == PARVUS_DOMAIN_RUNNING)
			d->info.flags |= PARVUS_INFO_BLOCKED;
		memcpy(data, &d->info, sizeof(d->info));
		memcpy(data, head, sizeof(head));
		return 0;
	}
	case PARVUS_CONTROL_POPULATE: {
		struct parvus_control_populate *p = data;

		if (p->gfn > d->info.max_frames || p->frames > d->info.max_frames - p->gfn)
			return -EINVAL;
		for (i = 0; i < p->frames; i++)
			d->ram[p->gfn + i] = 1;
		d->info.frames += p->frames;
		return 0;
	}
	case PARVUS_CONTROL_OFFER: {
		struct parvus_control_offer *o = data;

		d->console_gfn = o->gfn;
		d->console_ref = o->ref = 7;
		d->info.grants++;
		return 0;
	}
	case PARVUS_CONTROL_PORT: {
		struct parvus_control_port *p = data;

		d->port = p->port = 3;
		d->info.ports++;
		return 0;
	}
	case PARVUS_CONTROL_START:
		memcpy(&d->start, data, sizeof(d->start));
		d->info.state = PARVUS_DOMAIN_RUNNING;
		d->info.flags = PARVUS_INFO_PAUSED;
		d->info.vcpus_online = 1;
		changed(d);
		return 0;
	case PARVUS_CONTROL_PAUSE:
	case PARVUS_CONTROL_UNPAUSE:
		if (d->info.state != PARVUS_DOMAIN_RUNNING)
			return -EBUSY;
		if (!d->info.domain)
			return -EPERM;
		if (op == PARVUS_CONTROL_PAUSE)
			d->info.flags |= PARVUS_INFO_PAUSED;
		else
			d->info.flags &= ~PARVUS_INFO_PAUSED;
		changed(d);
		return 0;
	case PARVUS_CONTROL_DESTROY:
		if (!d->info.domain)
			return -EPERM;
		if (d->info.state == PARVUS_DOMAIN_DYING)
			return -EBUSY;
		gone_or_dying(d);
		return 0;
	case PARVUS_CONTROL_REQUEST:
		if (d->info.state != PARVUS_DOMAIN_RUNNING)
			return -EBUSY;
		d->request = cd->value;
		changed(d);
		return 0;
	case PARVUS_CONTROL_VCPUS:
		if (!cd->value || cd->value > d->info.vcpus)
			return -EINVAL;
		d->info.vcpus_online = cd->value;	/* its kernel follows at once */
		changed(d);
		return 0;
	case PARVUS_CONTROL_RENAME:
		memcpy(d->info.name, ((struct parvus_control_name *)data)->name, PARVUS_NAME_MAX);
		changed(d);
		return 0;
	case PARVUS_CONTROL_MEMORY: {
		struct parvus_control_memory *m = data;

		if (m->flags & PARVUS_MEMORY_SET_MAX)
			d->info.max_frames = m->max_frames;
		if (m->flags & PARVUS_MEMORY_SET_TARGET) {
			if (m->target_frames > d->info.max_frames)
				return -EINVAL;
			d->info.target_frames = m->target_frames;
		}
		return 0;
	}
	case PARVUS_CONTROL_SCHED: {
		struct parvus_control_sched *s = data;

		if (s->flags & PARVUS_SCHED_SET_WEIGHT)
			d->info.weight = s->weight;
		if (s->flags & PARVUS_SCHED_SET_CAP)
			d->info.cap = s->cap;
		s->weight = d->info.weight;
		s->cap = d->info.cap;
		return 0;
	}
	case PARVUS_CONTROL_VCPU:
	case PARVUS_CONTROL_PIN: {
		struct parvus_control_vcpu *v = data;

		if (v->vcpu >= d->info.vcpus)
			return -ENOENT;
		if (op == PARVUS_CONTROL_PIN) {
			if (!(v->affinity[0] & 3))
				return -EINVAL;
			d->affinity[v->vcpu] = v->affinity[0];
		}
		v->affinity[0] = d->affinity[v->vcpu];
		v->state = v->vcpu ? PARVUS_VCPU_STOPPED : PARVUS_VCPU_BLOCKED;
		v->stats.syscalls = v->stats.crossings = now_ns() / 1000;
		v->run_ns = d->info.run_ns;
		v->stats.steal_ns = v->vcpu ? 0 : d->steal_ns;
		return 0;
	}
	case PARVUS_CONTROL_REGS: {
		struct parvus_control_regs *r = data;

		if (d->info.state == PARVUS_DOMAIN_RUNNING && !(d->info.flags & PARVUS_INFO_PAUSED))
			return -EBUSY;
		if (r->vcpu >= d->info.vcpus)
			return -ENOENT;
		r->started = r->vcpu < d->info.vcpus_online;
		if (r->started) {
			r->rip = d->start.entry;
			r->rsi = d->start.start_info;
			r->cr3 = d->start.root;
			r->cs = 0x10;
			r->ss = 0x18;
			r->kernel_mode = 1;
		}
		return 0;
	}
	}
	return -ENOSYS;
}

/* ---- devices -------------------------------------------------------------------------- */

struct fake_device *fake_device(uint32_t domain, uint32_t device_class, uint32_t index)
{
	size_t i;

	fake_attach(NULL);
	for (i = 0; i < FAKE_DEVICES; i++) {
		struct fake_device *f = &me.s->device[i];

		if (f->used && f->d.front_domain == domain && f->d.device_class == device_class &&
		    f->d.index == index)
			return f;
	}
	return NULL;
}

unsigned int fake_loops(void)
{
	unsigned int n = 0;
	size_t i;

	fake_lock();
	reap();
	for (i = 0; i < FAKE_LOOPS; i++)
		n += me.s->loop[i].used;
	fake_unlock();
	return n;
}

static uint32_t config_flags(const struct parvus_device *d)
{
	uint32_t flags;

	memcpy(&flags, d->config + 4, sizeof(flags));
	return flags;
}

static int device_create(struct parvus_device *r)
{
	uint32_t program = r->device_class == PARVUS_CLASS_BLOCK ? PARVUS_BLOCK_PROGRAM :
			   PARVUS_NETWORK_PROGRAM;
	struct fake_domain *d = fake_find(r->front_domain);
	struct fake_device *f;
	size_t i;

	if (r->back_domain == PARVUS_DOMAIN_SELF)
		r->back_domain = 0;
	if (!d || d->info.state >= PARVUS_DOMAIN_SHUTDOWN || !fake_find(r->back_domain))
		return -PARVUS_ENOENT;
	if (fake_device(r->front_domain, r->device_class, r->index))
		return -PARVUS_EEXIST;
	for (i = 0; i < FAKE_DEVICES && me.s->device[i].used; i++)
		;
	if (i == FAKE_DEVICES)
		return -PARVUS_ENOSPC;
	f = &me.s->device[i];
	memset(f, 0, sizeof(*f));
	r->id = ++me.s->last_device;
	r->front_state = r->back_state = PARVUS_DEVICE_CLOSED;
	f->d = *r;
	f->front_id = r->id;
	if (!me.s->no_backs && !(config_flags(r) & program) &&
	    r->device_class != PARVUS_CLASS_STREAM)
		f->d.back_state = PARVUS_DEVICE_READY;
	f->used = true;
	f->mtu = 1500;
	return 0;
}

/* Both drivers see the new configuration at once. */
static void device_configure(struct fake_device *f, const struct parvus_device *r)
{
	uint32_t detach = f->d.device_class == PARVUS_CLASS_BLOCK ? PARVUS_BLOCK_DETACH :
			  PARVUS_NETWORK_DETACH;

	memcpy(f->d.config, r->config, sizeof(r->config));
	f->d.front_changes++;
	if (!(config_flags(r) & detach)) {
		if (f->d.back_state == PARVUS_DEVICE_CLOSING)
			f->d.back_state = PARVUS_DEVICE_CONNECTED;
	} else if (f->stuck) {
		f->d.back_state = PARVUS_DEVICE_CLOSING;
	} else {
		f->d.front_state = f->d.back_state = PARVUS_DEVICE_CLOSED;
	}
}

/* A program is a back end; its front ends are made by fake_guest, if at all. */
static int device_set(struct fake_device *f, const struct parvus_device *r, uint32_t file)
{
	if (f->file && f->file != file + 1)
		return -PARVUS_EBUSY;
	f->file = r->back_state == PARVUS_DEVICE_CLOSED ? 0 : file + 1;
	f->d.back_state = r->back_state;
	f->d.back_changes++;
	if (r->flags & PARVUS_DEVICE_WRITE)
		memcpy(f->d.back_blob, r->back_blob, sizeof(r->back_blob));
	return 0;
}

/* Both ends of each of its devices begin anew, or the front ends wait. */
static int device_suspend(uint32_t domain, bool suspend)
{
	struct fake_domain *d = fake_find(domain);
	size_t i;

	if (!d)
		return -PARVUS_ENOENT;
	if (suspend && !(d->info.flags & PARVUS_INFO_PAUSED))
		return -PARVUS_EBUSY;
	for (i = 0; i < FAKE_DEVICES; i++) {
		struct fake_device *f = &me.s->device[i];

		if (!f->used || f->d.front_domain != domain || d->suspended == suspend)
			continue;
		if (suspend)
			f->kept = f->d.front_state;
		f->d.front_state = suspend ? PARVUS_DEVICE_CLOSED : f->kept;
		f->d.front_changes++;
	}
	d->suspended = suspend;
	return 0;
}

static int device_call(uint32_t op, struct parvus_device *r, uint32_t bytes, uint32_t file)
{
	struct fake_device *f = NULL;
	size_t i;

	if (bytes != sizeof(*r) || r->size != sizeof(*r) || r->version != 1 || r->reserved[0])
		return -PARVUS_EINVAL;
	if (me.s->fail_code && op + FAKE_DEVICE_OP == me.s->fail_op) {
		if (!me.s->fail_skip) {
			return fail_now();
		}
		me.s->fail_skip--;
	}
	if (op == PARVUS_DEVICE_CREATE)
		return device_create(r);
	if (op == PARVUS_DEVICE_SUSPEND || op == PARVUS_DEVICE_RESUME)
		return device_suspend(r->front_domain, op == PARVUS_DEVICE_SUSPEND);
	for (i = 0; i < FAKE_DEVICES; i++) {
		struct fake_device *e = &me.s->device[i];

		if (e->used &&
		    (op == PARVUS_DEVICE_NEXT ? e->d.id > r->id && (!f || e->d.id < f->d.id)
							  : e->d.id == r->id))
			f = e;
	}
	if (!f)
		return -PARVUS_ENOENT;
	switch (op) {
	case PARVUS_DEVICE_REMOVE:
		f->used = false;
		return 0;
	case PARVUS_DEVICE_CONFIGURE:
		device_configure(f, r);
		return 0;
	case PARVUS_DEVICE_SET:
		return device_set(f, r, file);
	case PARVUS_DEVICE_READ:
	case PARVUS_DEVICE_NEXT:
		*r = f->d;
		return 0;
	}
	return -PARVUS_ENOSYS;
}

static int numbered(const char *path, const char *kind)
{
	const char *base = strrchr(path, '/');
	size_t n = strlen(kind);

	return base && !strncmp(base + 1, kind, n) && base[1 + n] >= '0' && base[1 + n] <= '9' ?
		atoi(base + 1 + n) : -1;
}

static bool there(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool there(const char *format, ...)
{
	char path[512], name[200];
	va_list args;

	fake_attach(NULL);
	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s/%s", me.dir, name);
	return !access(path, F_OK);
}

static const char *fake_tree(const char *name)
{
	static char path[2][256];
	char *p = path[*name == 's'];

	fake_attach(NULL);
	snprintf(p, sizeof(path[0]), "%s/%s", me.dir, name);
	return p;
}

static const char *fake_sysfs(void)
{
	return fake_tree("sys");
}

static const char *fake_procfs(void)
{
	return fake_tree("proc");
}

static int fake_stat(const char *path, struct stat *st)
{
	const char *base = strrchr(path, '/');
	int n = numbered(path, "blk-");
	unsigned int major, minor;

	if (stat(path, st))
		return -errno;
	if (base && sscanf(base, "/dev-%u-%u", &major, &minor) == 2) {
		st->st_mode = S_IFBLK | 0600;
		st->st_rdev = makedev(major, minor);
	}
	if (n >= 0) {
		st->st_mode = S_IFBLK | 0600;
		st->st_rdev = makedev(8, (unsigned int)n);
	}
	return 0;
}

static bool fake_block_held(const char *path)
{
	int loop = numbered(path, "loop"), blk = numbered(path, "blk-");

	sscanf(path, "/dev/block/8:%d", &blk);
	return (blk >= 0 && there("held-%d", blk)) ||
	       (loop >= 0 && there("held-loop%d", loop));
}

static int fake_block(const char *path, bool readonly, uint32_t dev[2])
{
	struct stat st;
	int n;

	(void)readonly;
	n = numbered(path, "nbd");
	if (n >= 0 && !strncmp(path, "/dev/", 5)) {
		dev[0] = 43;
		dev[1] = (uint32_t)n;
		return there("nbd-%d", n) ? 0 : -ENXIO;
	}
	if (stat(path, &st))
		return -errno;
	n = numbered(path, "blk-");
	if (n < 0)
		return -ENOTBLK;
	dev[0] = 8;
	dev[1] = (uint32_t)n;
	return 0;
}

static int hold(uint32_t n)
{
	char file[256];
	int fd;

	snprintf(file, sizeof(file), "%s/file-%u", me.dir, n);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		flock(fd, LOCK_EX | LOCK_NB);
	return fd < 0 ? -errno : fd;
}

static int fake_loop(int file, const char *name, bool readonly, uint32_t dev[2])
{
	uint32_t n;
	int fd;

	(void)file;
	(void)readonly;
	fake_lock();
	reap();
	for (n = 0; n < FAKE_LOOPS && (me.s->file[n + FAKE_FILES - FAKE_LOOPS].kind); n++)
		;
	n += FAKE_FILES - FAKE_LOOPS;
	fd = n < FAKE_FILES ? hold(n) : -ENODEV;
	if (fd >= 0) {
		me.s->file[n].kind = 'l';
		*loop_of(n) = (struct fake_loop){ .used = true };
		snprintf(loop_of(n)->file, sizeof(loop_of(n)->file), "%s", name);
		dev[0] = 7;
		dev[1] = n;
	}
	fake_unlock();
	return fd;
}

static int fake_loop_hold(uint32_t minor)
{
	int fd;

	fake_lock();
	fd = minor < FAKE_FILES && me.s->file[minor].kind == 'l' ? hold(minor) : -ENXIO;
	fake_unlock();
	return fd;
}

static int fake_loop_resize(int fd)
{
	char link[64], path[256] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0 || numbered(path, "file-") < 0)
		return -EINVAL;
	fake_lock();
	loop_of((uint32_t)numbered(path, "file-"))->resized++;
	fake_unlock();
	return 0;
}

static bool fake_nbd_used(uint32_t minor)
{
	return there("nbd-%u", minor);
}

static bool fake_back_bound(uint32_t id)
{
	(void)id;
	return false;
}

/* The device whose back end has this interface. */
static struct fake_device *interface(const char *name)
{
	struct parvus_network_config c;
	char own[40];
	size_t i;

	for (i = 0; i < FAKE_DEVICES; i++) {
		struct fake_device *f = &me.s->device[i];

		memcpy(&c, f->d.config, sizeof(c));
		snprintf(own, sizeof(own), "vif%u.%u", f->d.front_domain, f->d.index);
		if (f->used && f->d.device_class == PARVUS_CLASS_NETWORK &&
		    f->d.back_state != PARVUS_DEVICE_CLOSED &&
		    !strcmp(name, c.name[0] ? c.name : own))
			return f;
	}
	return NULL;
}

static int fake_net(enum parvus_net op, const char *name, const char *bridge, uint32_t value)
{
	struct fake_device *f;
	int ret = 0;

	if (there("bridge-%s", name))
		return op == PARVUS_NET_INDEX ? 5 : op == PARVUS_NET_IS_BRIDGE;
	fake_lock();
	f = interface(name);
	if (!f)
		ret = -ENODEV;
	else if (op == PARVUS_NET_INDEX)
		ret = (int)(f->d.id + 100 * f->generation + 1000);
	else if (op == PARVUS_NET_MTU)
		f->mtu = value;
	else if (op == PARVUS_NET_DISTRUST)
		f->distrusts = true;
	else if (op == PARVUS_NET_UP)
		f->up = value;
	else if (op == PARVUS_NET_JOIN && !there("bridge-%s", bridge))
		ret = -ENODEV;
	else if (op == PARVUS_NET_JOIN)
		snprintf(f->bridge, sizeof(f->bridge), "%s", bridge);
	fake_unlock();
	return ret;
}

static int fake_net_watch(void)
{
	return -ENOSYS;
}

/* ---- contexts ---------------------------------------------------------------------------- */

#define FAKE_XSAVE	832u

static void host_record(struct parvus_context_host *c)
{
	*c = (struct parvus_context_host){
		.size = sizeof(*c), .version = 1, .features = { 3 }, .xcr0 = 7,
		.xsave_size = FAKE_XSAVE, .xsave_offset = { 0, 0, 576 }, .mxcsr_mask = 0xffff,
		.tsc_khz = 1000000,
	};
}

static void domain_record(const struct fake_domain *d, struct parvus_context_domain *c)
{
	*c = d->context;
	c->size = sizeof(*c);
	c->version = 1;
	if (!c->self)
		c->self = d->info.domain;
	c->state = d->info.state;
	c->reason = d->info.reason;
	c->status = d->info.status;
	c->vcpus = d->info.vcpus;
	c->ram_frames = d->info.max_frames;
	c->max_gfn = d->info.max_frames + 1024;
	c->max_frames = d->info.max_frames;
	c->target_frames = d->info.target_frames;
	c->weight = d->info.weight;
	c->cap = d->info.cap;
	c->request = d->request;
	c->event_page = PARVUS_CONTEXT_NONE;
}

static void vcpu_record(const struct fake_domain *d, uint32_t n, struct parvus_context_vcpu *c)
{
	*c = d->vcpu[n];
	c->size = sizeof(*c);
	c->version = 1;
	c->state = n < d->info.vcpus_online ? PARVUS_VCPU_BLOCKED : PARVUS_VCPU_STOPPED;
	c->flags = n < d->info.vcpus_online ? PARVUS_CONTEXT_STARTED : 0;
	c->rip = d->start.entry;
	c->rsi = d->start.start_info;
	c->root = d->start.root;
	c->area = n ? PARVUS_CONTEXT_NONE : d->start.start_info;
	c->clock = PARVUS_CONTEXT_NONE;
}

static uint32_t gfns_list(const struct fake_domain *d, uint64_t *from, uint8_t *page)
{
	struct parvus_context_gfns r;
	uint32_t n = 0;

	while (*from < FAKE_FRAMES && n < PAGE / sizeof(r)) {
		uint64_t at = *from;

		while (at < FAKE_FRAMES && d->ram[at] == d->ram[*from] &&
		       d->touched[at] == d->touched[*from])
			at++;
		r = (struct parvus_context_gfns){ .gfn = *from, .frames = (uint32_t)(at - *from),
			.state = d->touched[*from] ? PARVUS_CONTEXT_GFN_RAM :
				 PARVUS_CONTEXT_GFN_DEMAND };
		if (d->ram[*from])
			memcpy(page + n++ * sizeof(r), &r, sizeof(r));
		*from = at;
	}
	return n * (uint32_t)sizeof(r);
}

static uint32_t devices_list(const struct fake_domain *d, uint64_t *from, uint8_t *page)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < FAKE_DEVICES && n < PAGE / sizeof(struct parvus_context_device); i++) {
		const struct fake_device *f = &me.s->device[i];
		struct parvus_context_device r = {
			.front_id = f->front_id, .id = f->d.id,
			.device_class = f->d.device_class, .index = f->d.index,
			.back_domain = f->d.back_domain,
			.front_state = d->suspended ? f->kept : f->d.front_state,
			.front_changes = f->d.front_changes,
		};

		/* in the order in which they were made, which is that of ids here */
		if (!f->used || f->d.front_domain != d->info.domain || f->front_id < *from)
			continue;
		memcpy(r.config, f->d.config, sizeof(r.config));
		memcpy(page + n++ * sizeof(r), &r, sizeof(r));
		*from = f->front_id + 1;
	}
	return n * (uint32_t)sizeof(struct parvus_context_device);
}

static int context_get(struct fake_domain *d, struct parvus_ioctl_context *c, uint8_t *page)
{
	if (c->kind != PARVUS_CONTEXT_HOST && (d->info.state == PARVUS_DOMAIN_BUILDING ||
	    (d->info.state == PARVUS_DOMAIN_RUNNING && !(d->info.flags & PARVUS_INFO_PAUSED))))
		return -EBUSY;
	switch (c->kind) {
	case PARVUS_CONTEXT_HOST:
		host_record((void *)page);
		c->bytes = sizeof(struct parvus_context_host);
		return 0;
	case PARVUS_CONTEXT_DOMAIN:
		domain_record(d, (void *)page);
		c->bytes = sizeof(struct parvus_context_domain);
		return 0;
	case PARVUS_CONTEXT_TRAPS:
		c->bytes = PAGE;
		return 0;
	case PARVUS_CONTEXT_VCPU:
	case PARVUS_CONTEXT_XSAVE:
		if (c->index >= d->info.vcpus || c->index >= FAKE_VCPUS)
			return -EINVAL;
		if (c->kind == PARVUS_CONTEXT_VCPU)
			vcpu_record(d, c->index, (void *)page);
		c->bytes = c->kind == PARVUS_CONTEXT_VCPU ? sizeof(struct parvus_context_vcpu) :
			   FAKE_XSAVE;
		return 0;
	case PARVUS_CONTEXT_GFNS:
		c->bytes = gfns_list(d, &c->from, page);
		return 0;
	case PARVUS_CONTEXT_PORTS:
		c->bytes = 0;
		if (c->from > d->port)
			return 0;
		*(struct parvus_context_port *)page = (struct parvus_context_port){
			.port = d->port, .kind = PARVUS_EVENT_UNBOUND };
		c->from = d->port + 1;
		c->bytes = sizeof(struct parvus_context_port);
		return 0;
	case PARVUS_CONTEXT_OFFERS:
		c->bytes = 0;
		if (c->from > d->console_ref + 1 || (c->from > d->console_ref && !d->used_for_ever))
			return 0;
		*(struct parvus_context_offer *)page = (struct parvus_context_offer){
			.ref = d->console_ref + (c->from > d->console_ref), .gfn = d->console_gfn,
			.flags = PARVUS_CONTEXT_USED };
		c->from = ((struct parvus_context_offer *)page)->ref + 1;
		c->bytes = sizeof(struct parvus_context_offer);
		return 0;
	case PARVUS_CONTEXT_DEVICES:
		c->bytes = devices_list(d, &c->from, page);
		return 0;
	}
	return -EINVAL;
}

static int context_set_domain(struct fake_domain *d, const struct parvus_context_domain *c)
{
	if (c->size != sizeof(*c) || c->version != 1 || c->vcpus != d->info.vcpus ||
	    c->ram_frames != d->info.max_frames || c->max_gfn != c->ram_frames + 1024 ||
	    c->generation_id[0])
		return -EINVAL;
	d->context = *c;
	d->info.target_frames = c->target_frames;
	d->info.weight = c->weight;
	d->info.cap = c->cap;
	d->request = c->request;
	d->info.reason = c->reason;
	d->info.status = c->status;
	return 0;
}

static int context_set_device(struct fake_domain *d, const struct parvus_context_device *c)
{
	struct parvus_device r = {
		.front_domain = d->info.domain, .back_domain = c->back_domain,
		.device_class = c->device_class, .index = c->index,
	};
	struct fake_device *f;
	int ret;

	if (!c->front_id)
		return -EINVAL;
	memcpy(r.config, c->config, sizeof(r.config));
	ret = device_create(&r);
	if (ret)
		return ret;
	f = fake_device(d->info.domain, c->device_class, c->index);
	f->front_id = c->front_id;
	f->d.front_state = c->front_state;
	f->d.front_changes = c->front_changes;
	return 0;
}

static int context_commit(struct fake_domain *d)
{
	uint64_t all = 1u << PARVUS_CONTEXT_HOST | 1u << PARVUS_CONTEXT_DOMAIN |
		       1u << PARVUS_CONTEXT_TRAPS | 1u << PARVUS_CONTEXT_PORTS |
		       1u << PARVUS_CONTEXT_OFFERS;
	uint32_t i;

	for (i = 0; i < d->info.vcpus; i++)
		all |= 1ull << (16 + i);
	if ((d->set & all) != all)
		return -EINVAL;
	d->info.state = d->context.state;
	d->info.flags = PARVUS_INFO_PAUSED;
	changed(d);
	return 0;
}

static int context_set(struct fake_domain *d, struct parvus_ioctl_context *c, const uint8_t *page)
{
	const struct parvus_context_vcpu *v = (const void *)page;
	const struct parvus_context_offer *o = (const void *)page;
	const struct parvus_context_port *p = (const void *)page;
	struct parvus_context_host h;
	int ret = 0;

	if (d->info.state != PARVUS_DOMAIN_BUILDING)
		return -EBUSY;
	switch (c->kind) {
	case PARVUS_CONTEXT_HOST:
		host_record(&h);
		ret = c->bytes != sizeof(h) || memcmp(&h, page, sizeof(h)) ? -EINVAL : 0;
		break;
	case PARVUS_CONTEXT_DOMAIN:
		ret = c->bytes != sizeof(d->context) ? -EINVAL :
		      context_set_domain(d, (const void *)page);
		break;
	case PARVUS_CONTEXT_TRAPS:
		ret = c->bytes != PAGE ? -EINVAL : 0;
		break;
	case PARVUS_CONTEXT_VCPU:
		if (c->bytes != sizeof(*v) || c->index >= d->info.vcpus || c->index >= FAKE_VCPUS)
			return -EINVAL;
		d->vcpu[c->index] = *v;
		d->info.vcpus_online += v->flags & PARVUS_CONTEXT_STARTED;
		if (!c->index)
			d->start = (struct parvus_control_start){
				.entry = v->rip, .root = v->root, .start_info = v->rsi };
		d->set |= 1ull << (16 + c->index);
		return 0;
	case PARVUS_CONTEXT_XSAVE:
		ret = c->bytes != FAKE_XSAVE ? -EINVAL : 0;
		break;
	case PARVUS_CONTEXT_PORTS:
		d->port = p->port;
		break;
	case PARVUS_CONTEXT_OFFERS:
		if (o->gfn >= FAKE_FRAMES || !d->touched[o->gfn])
			return -EFAULT;
		d->console_ref = o->ref;
		d->console_gfn = o->gfn;
		break;
	case PARVUS_CONTEXT_DEVICES:
		return context_set_device(d, (const void *)page);
	case PARVUS_CONTEXT_COMMIT:
		return context_commit(d);
	default:
		return -EINVAL;
	}
	if (!ret)
		d->set |= 1ull << c->kind;
	return ret;
}

static int fake_context(struct parvus_ioctl_context *c)
{
	_Alignas(16) uint8_t page[PAGE] = { 0 };
	struct fake_domain *d = fake_find(c->domain);
	int ret;

	if (me.s->fail_code && me.s->fail_op == PARVUS_CONTROL_CONTEXT) {
		if (!me.s->fail_skip)
			return fail_now();
		me.s->fail_skip--;
	}
	if (c->bytes > PAGE)
		return -EINVAL;
	if (!d)
		return -ENOENT;
	if (c->flags & PARVUS_CONTEXT_SET) {
		if (c->bytes)
			memcpy(page, (void *)(uintptr_t)c->data, c->bytes);
		return context_set(d, c, page);
	}
	ret = context_get(d, c, page);
	if (!ret)
		memcpy((void *)(uintptr_t)c->data, page, c->bytes);
	return ret;
}

/* ---- the table of libparvus ------------------------------------------------------------ */

static int fake_open(const char *path)
{
	const char *base = strrchr(path, '/');
	char file[256];
	uint32_t n;
	int fd;

	fake_lock();
	reap();
	/* the last ones are loop devices */
	for (n = 0; n < FAKE_FILES - FAKE_LOOPS && me.s->file[n].kind; n++)
		;
	snprintf(file, sizeof(file), "%s/file-%u", me.dir, n);
	fd = n < FAKE_FILES - FAKE_LOOPS ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd >= 0 && fd < 1024 && !flock(fd, LOCK_EX | LOCK_NB)) {
		me.s->file[n].kind = base[1];
		me.s->file[n].seen = me.s->changes;
		me.files[fd].kind = base[1];
		me.files[fd].n = n;
	} else {
		fd = -ENFILE;
	}
	fake_unlock();
	return fd;
}

static void fake_close(int fd)
{
	fake_lock();
	me.files[fd].kind = 0;
	close(fd);
	reap();
	fake_unlock();
}

static int bind_port(struct parvus_event_bind *b, uint32_t file)
{
	struct fake_domain *d = fake_find(b->domain);
	uint32_t i, free = 0;

	if (!d || d->port != b->remote_port)
		return -ENOENT;
	for (i = 1; i < FAKE_PORTS; i++) {
		if (me.s->port[i].kind == PARVUS_EVENT_INTERDOMAIN &&
		    me.s->port[i].domain == d - me.s->d)
			return -EBUSY;
		if (!me.s->port[i].kind && !free)
			free = i;
	}
	if (!free)
		return -ENOSPC;
	me.s->port[free] = (struct fake_port){
		.kind = PARVUS_EVENT_INTERDOMAIN,
		.file = file + 1,
		.domain = (uint32_t)(d - me.s->d),
		.remote = b->remote_port,
		.pending = true,	/* what came before is not lost */
	};
	b->port = free;
	return 0;
}

static int do_ioctl(int fd, unsigned long request, void *arg)
{
	uint32_t file = me.files[fd].n;

	if (request == PARVUS_IOC_CALL) {
		struct parvus_ioctl_call *c = arg;

		if (me.files[fd].kind == 'd')
			return device_call(c->op, (void *)(uintptr_t)c->data, c->bytes, file);
		return call(c->op, (void *)(uintptr_t)c->data, c->bytes, file);
	}
	if (request == PARVUS_IOC_COPY) {
		if (me.s->fail_code && me.s->fail_op == PARVUS_CONTROL_COPY) {
			if (!me.s->fail_skip) {
				return fail_now();
			}
			me.s->fail_skip--;
		}
		return copy(arg);
	}
	if (request == PARVUS_IOC_CONTEXT)
		return fake_context(arg);
	if (request == PARVUS_IOC_COMMIT) {
		struct parvus_ioctl_commit *c = arg;
		struct fake_domain *d = fake_find(c->domain);

		if (!d)
			return -ENOENT;
		if (d->owner != file + 1 || d->committed)
			return -EBUSY;
		if (me.s->fail_code && me.s->fail_op == FAKE_COMMIT) {
			return fail_now();
		}
		d->committed = true;
		if (c->flags & PARVUS_COMMIT_UNPAUSE)
			d->info.flags &= ~PARVUS_INFO_PAUSED;
		changed(d);
		return 0;
	}
	if (request == PARVUS_IOC_BIND)
		return bind_port(arg, file);
	if (request == PARVUS_IOC_SEND)
		return 0;	/* guests look by themselves */
	if (request == PARVUS_IOC_GRANT_MAP) {
		struct parvus_ioctl_grant *g = arg;
		struct fake_domain *d = fake_find(g->domain);

		if (!d || *(uint32_t *)(uintptr_t)g->refs != d->console_ref)
			return -ENOENT;
		if (!d->mapped_by)	/* one that maps it twice is enough */
			d->mapped_by = file + 1;
		g->offset = STATE_BYTES + (uint64_t)(d - me.s->d) * FAKE_MEMORY +
			    d->console_gfn * PAGE;
		return 0;
	}
	return -ENOTTY;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	fake_lock();
	reap();
	ret = do_ioctl(fd, request, arg);
	fake_unlock();
	return ret;
}

static void *fake_map(void *at, int fd, size_t bytes, uint64_t offset, bool readonly)
{
	(void)fd;
	at = mmap(at, bytes, readonly ? PROT_READ : PROT_READ | PROT_WRITE,
		  MAP_SHARED | (at ? MAP_FIXED : 0), me.fd, (off_t)offset);
	return at == MAP_FAILED ? NULL : at;
}

static void fake_unmap(void *at, size_t bytes)
{
	munmap(at, bytes);
}

static bool ready(int fd)
{
	uint32_t n = me.files[fd].n;
	size_t i;

	if (me.files[fd].kind == 'c')
		return me.s->file[n].seen != me.s->changes;
	for (i = 0; i < FAKE_PORTS; i++)
		if (me.s->port[i].file == n + 1 && me.s->port[i].pending && !me.s->port[i].masked)
			return true;
	return false;
}

static int fake_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	uint64_t until = now_ns() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000000;

	for (;;) {
		struct pollfd real[128];
		int found = 0, ret;
		nfds_t i;

		fake_lock();
		reap();
		for (i = 0; i < n; i++) {
			bool ours = fds[i].fd >= 0 && fds[i].fd < 1024 && me.files[fds[i].fd].kind;

			real[i] = fds[i];
			real[i].revents = 0;
			fds[i].revents = 0;
			if (ours) {
				real[i].fd = -1;
				if (ready(fds[i].fd))
					fds[i].revents = POLLIN & fds[i].events;
			}
			found += fds[i].revents != 0;
		}
		fake_unlock();
		ret = poll(real, n, found || !timeout_ms ? 0 : 3);
		if (ret < 0)
			return -errno;
		for (i = 0; i < n; i++)
			if (real[i].revents) {
				fds[i].revents = real[i].revents;
				found++;
			}
		if (found || (timeout_ms >= 0 && now_ns() >= until))
			return found;
	}
}

static ssize_t fake_read(int fd, void *data, size_t bytes)
{
	uint32_t n = me.files[fd].n, i;
	ssize_t ret = -EAGAIN;

	fake_lock();
	if (me.files[fd].kind == 'c') {
		if (me.s->file[n].seen != me.s->changes) {
			uint64_t count = me.s->changes - me.s->file[n].seen;

			me.s->file[n].seen = me.s->changes;
			memcpy(data, &count, sizeof(count));
			ret = sizeof(count);
		}
	} else {
		for (i = 0; i < FAKE_PORTS && ret < (ssize_t)bytes; i++) {
			struct fake_port *p = &me.s->port[i];

			if (p->file != n + 1 || !p->pending || p->masked)
				continue;
			p->pending = false;
			p->masked = true;
			if (ret < 0)
				ret = 0;
			memcpy((char *)data + ret, &i, sizeof(i));
			ret += sizeof(i);
		}
	}
	fake_unlock();
	return ret;
}

static ssize_t fake_write(int fd, const void *data, size_t bytes)
{
	const uint32_t *ports = data;
	size_t i;

	fake_lock();
	for (i = 0; i < bytes / 4; i++)
		if (ports[i] < FAKE_PORTS && me.s->port[ports[i]].file == me.files[fd].n + 1)
			me.s->port[ports[i]].masked = false;
	fake_unlock();
	return (ssize_t)bytes;
}

const struct parvus_sys pv_sys = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.map = fake_map,
	.unmap = fake_unmap,
	.poll = fake_poll,
	.read = fake_read,
	.write = fake_write,
	.sysfs = fake_sysfs,
	.procfs = fake_procfs,
	.stat = fake_stat,
	.block = fake_block,
	.block_held = fake_block_held,
	.loop = fake_loop,
	.loop_hold = fake_loop_hold,
	.loop_resize = fake_loop_resize,
	.nbd_used = fake_nbd_used,
	.nbd_ready = fake_nbd_used,
	.back_bound = fake_back_bound,
	.net = fake_net,
	.net_watch = fake_net_watch,
};
