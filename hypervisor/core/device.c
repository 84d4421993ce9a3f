// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device registry (parvus/device.h): who serves what to whom, and how far they are. One table
 * and one lock: calls are rare, and what a guest may do under the lock is bounded by the size of
 * the table.
 *
 * A front end knows its device by an id of its own: that of the registry, or where the domain was
 * restored the one that it had before. That is no other id of a device with an end there: ids that
 * are given out later are above all that were restored.
 *
 * A removed device keeps its place until its ends have learned of it. If the table is
 * full it goes without: an end that asks too late finds that its id is gone.
 */
#include <core/context.h>
#include <core/event.h>
#include <core/memory.h>
#include <core/handlers.h>
#include <core/log.h>
#include <parvus/device.h>
#include <parvus/event.h>

#define FRONT	0
#define BACK	1

/* A page each, of the hypervisor's memory. */
struct device {
	struct domain *end[2];	/* NULL = ended; cleared before the domain goes */
	bool changed[2];	/* since that end asked */
	bool removed;
	bool suspended;		/* the front end's state is kept, and shown as CLOSED */
	u32 kept;
	u32 front_id;		/* as the front end knows it */
	struct parvus_device d;	/* as its readers see it */
};
BUILD_ASSERT(sizeof(struct device) <= PAGE_SIZE);

static struct device *devices[PARVUS_DEVICES];
static struct {
	struct spinlock lock;	/* of all of it, and of devices[] */
	u32 next_id;		/* never used again; 0 = all are used up */
	u32 cursor[MAX_DOMAINS];	/* per domain: where CHANGED goes on, for fairness */
} registry = { .lock = SPINLOCK_INIT(LOCK_DEVICE), .next_id = 1 };

static void slot_free(u32 i)
{
	hv_free(devices[i], sizeof(struct device));
	devices[i] = NULL;
}

static bool may_read(const struct device *e, const struct domain *d)
{
	return !e->removed && (d->control || e->end[FRONT] == d || e->end[BACK] == d);
}

static bool missed(const struct device *e, const struct domain *d)
{
	return (e->changed[FRONT] && e->end[FRONT] == d) || (e->changed[BACK] && e->end[BACK] == d);
}

static bool missed_removal(const struct device *e, const struct domain *d)
{
	return e->removed && missed(e, d);
}

static bool is_removed(const struct device *e, UNUSED const struct domain *d) { return e->removed; }

static u32 id_for(const struct device *e, const struct domain *d)
{
	return e->end[FRONT] == d ? e->front_id : e->d.id;
}

/* The record, as @d is to see it: by its ids and its own number. */
static s64 show(const struct device *e, struct domain *d, u64 gpa)
{
	struct parvus_device r = e->d;

	r.id = id_for(e, d);
	r.front_domain = domain_as_seen(d, r.front_domain);
	r.back_domain = domain_as_seen(d, r.back_domain);
	return guest_write(d, gpa, &r, sizeof(r));
}

/* The device with the lowest id above @after that is of interest to @d, or PARVUS_DEVICES. */
static u32 slot_after(const struct domain *d, u32 after,
		      bool (*interest)(const struct device *e, const struct domain *d))
{
	u32 i, best = PARVUS_DEVICES;

	for (i = 0; i < PARVUS_DEVICES; i++) {
		const struct device *e = devices[i];

		if (e && id_for(e, d) > after && interest(e, d) &&
		    (best == PARVUS_DEVICES || id_for(e, d) < id_for(devices[best], d)))
			best = i;
	}
	return best;
}

static void end_changed(struct device *e, int end)
{
	if (!e->end[end])
		return;
	e->changed[end] = true;
	event_send_virq(e->end[end], PARVUS_VIRQ_DEVICE);
}

static void ends_changed(struct device *e)
{
	end_changed(e, FRONT);
	end_changed(e, BACK);
}

/* Its ends are to see it GONE; without any it goes at once. */
static void device_remove(u32 i)
{
	struct device *e = devices[i];

	e->removed = true;
	e->d.front_state = e->d.back_state = PARVUS_DEVICE_GONE;
	ends_changed(e);
	if (!e->end[FRONT] && !e->end[BACK])
		slot_free(i);
}

/* A free slot, or that of the device that was removed the longest ago; else PARVUS_DEVICES. */
static u32 slot_find(void)
{
	u32 i;

	for (i = 0; i < PARVUS_DEVICES; i++)
		if (!devices[i])
			return i;
	i = slot_after(NULL, 0, is_removed);
	if (i < PARVUS_DEVICES)
		slot_free(i);
	return i;
}

static int device_create(struct parvus_device *r, struct domain *front, struct domain *back)
{
	struct device *e;
	u32 i, fronts = 0;

	/* whose end got here first leaves nothing behind (device_domain_gone) */
	if (READ_ONCE(front->state) >= DOMAIN_SHUTDOWN || READ_ONCE(back->state) >= DOMAIN_DYING)
		return hv_error(PARVUS_ENOENT);
	for (i = 0; i < PARVUS_DEVICES; i++) {
		e = devices[i];
		if (!e || e->removed || e->end[FRONT] != front)
			continue;
		if (e->d.device_class == r->device_class && e->d.index == r->index)
			return hv_error(PARVUS_EEXIST);
		fronts++;
	}
	if (fronts >= PARVUS_DEVICES_DOMAIN || !registry.next_id)
		return hv_error(PARVUS_ENOSPC);
	i = slot_find();
	if (i == PARVUS_DEVICES)
		return hv_error(PARVUS_ENOSPC);
	e = hv_alloc(sizeof(*e));
	if (!e)
		return hv_error(PARVUS_ENOMEM);
	e->end[FRONT] = front;
	e->end[BACK] = back;
	e->front_id = registry.next_id;
	e->d = (struct parvus_device){
		.size = sizeof(e->d), .version = 1, .id = registry.next_id++,
		.device_class = r->device_class, .index = r->index,
		.front_domain = front->id, .back_domain = back->id,
	};
	memcpy(e->d.config, r->config, sizeof(r->config));
	devices[i] = e;
	ends_changed(e);
	*r = e->d;
	return 0;
}

/* May an end in state @from go to @to, when the other one is in state @other? */
static int transition(u32 from, u32 to, u32 other)
{
	if (to > PARVUS_DEVICE_CLOSING)
		return hv_error(PARVUS_EINVAL);
	if (to == from)
		return 0;
	if (to == PARVUS_DEVICE_READY && from != PARVUS_DEVICE_INITIALISING)
		return hv_error(PARVUS_EINVAL);
	if (to == PARVUS_DEVICE_CONNECTED) {
		if (from != PARVUS_DEVICE_READY)
			return hv_error(PARVUS_EINVAL);
		if (other != PARVUS_DEVICE_READY && other != PARVUS_DEVICE_CONNECTED)
			return hv_error(PARVUS_EBUSY);
	}
	return 0;
}

static int device_set(struct device *e, const struct domain *d, const struct parvus_device *r)
{
	u32 *state[2] = { &e->d.front_state, &e->d.back_state }, to;
	int end, ret;

	if (r->flags & ~(PARVUS_DEVICE_WRITE | PARVUS_DEVICE_AS_BACK))
		return hv_error(PARVUS_EINVAL);
	end = e->end[FRONT] == d && !(r->flags & PARVUS_DEVICE_AS_BACK) ? FRONT : BACK;
	if (e->end[end] != d)
		/* the front end is no back end; and who is neither may look, no more */
		return e->end[FRONT] == d ? hv_error(PARVUS_EINVAL) : hv_error(PARVUS_EPERM);
	if (end == FRONT && e->suspended)
		return hv_error(PARVUS_EBUSY);
	to = end == FRONT ? r->front_state : r->back_state;
	ret = transition(*state[end], to, *state[!end]);
	if (ret)
		return ret;
	*state[end] = to;
	if (r->flags & PARVUS_DEVICE_WRITE)
		memcpy(end == FRONT ? e->d.front_blob : e->d.back_blob,
		       end == FRONT ? r->front_blob : r->back_blob, PARVUS_DEVICE_BLOB);
	++*(end == FRONT ? &e->d.front_changes : &e->d.back_changes);
	end_changed(e, !end);
	return 0;
}

/* @d has seen what there is to see. */
static void changes_seen(u32 i, const struct domain *d)
{
	struct device *e = devices[i];

	for (int end = FRONT; end <= BACK; end++)
		if (e->end[end] == d)
			e->changed[end] = false;
	if (e->removed && !e->changed[FRONT] && !e->changed[BACK])
		slot_free(i);
}

static s64 device_changed(struct domain *d, u64 gpa)
{
	/* what is gone first: another may have its class and index by now */
	u32 i = slot_after(d, 0, missed_removal);

	if (i == PARVUS_DEVICES)
		i = slot_after(d, registry.cursor[d->id % MAX_DOMAINS], missed);
	if (i == PARVUS_DEVICES)
		i = slot_after(d, 0, missed);
	if (i == PARVUS_DEVICES)
		return hv_error(PARVUS_ENOENT);
	if (show(devices[i], d, gpa))
		return hv_error(PARVUS_EFAULT);
	registry.cursor[d->id % MAX_DOMAINS] = id_for(devices[i], d);
	changes_seen(i, d);
	return 0;
}

/* The operations on a device by its id, or the one after it. */
static s64 device_op_on(struct domain *d, u64 op, u64 gpa, const struct parvus_device *r)
{
	bool next = op == PARVUS_DEVICE_NEXT;
	u32 i = next || r->id ? slot_after(d, next ? r->id : r->id - 1, may_read) : PARVUS_DEVICES;

	if (i == PARVUS_DEVICES || (!next && id_for(devices[i], d) != r->id))
		return hv_error(PARVUS_ENOENT);
	switch (op) {
	case PARVUS_DEVICE_SET:
		return device_set(devices[i], d, r);
	case PARVUS_DEVICE_REMOVE:
		device_remove(i);
		return 0;
	case PARVUS_DEVICE_CONFIGURE:
		memcpy(devices[i]->d.config, r->config, sizeof(r->config));
		ends_changed(devices[i]);
		return 0;
	}
	return show(devices[i], d, gpa);
}

/* Its back ends see it gone, and back in the states that it had: for them a front end like any. */
static s64 device_suspend(const struct parvus_device *r, bool suspend)
{
	struct domain *front = domain_get(r->front_domain);
	s64 ret = 0;

	if (!front)
		return hv_error(PARVUS_ENOENT);
	spin_lock(&registry.lock);
	if (suspend && !(READ_ONCE(front->pauses) & PAUSE_CONTROL))
		ret = -PARVUS_EBUSY;
	for (u32 i = 0; !ret && i < PARVUS_DEVICES; i++) {
		struct device *e = devices[i];

		if (!e || e->removed || e->end[FRONT] != front ||
		    e->suspended == suspend)
			continue;
		e->suspended = suspend;
		if (suspend)
			e->kept = e->d.front_state;
		e->d.front_state = suspend ? PARVUS_DEVICE_CLOSED : e->kept;
		e->d.front_changes++;
		/* the front end learns at RESUME what its back end did meanwhile */
		end_changed(e, BACK);
		if (!suspend)
			end_changed(e, FRONT);
	}
	spin_unlock(&registry.lock);
	domain_put(front);
	return ret;
}

/* ---- the context: of a domain that stands still, or is built ---- */

bool device_context_next(struct vcpu *v, u64 *from, void *to)
{
	struct domain *d = v->domain;
	struct parvus_context_device *r = to;
	const struct device *e;
	u32 after = (u32)*from;

	HOLD(&registry.lock);
	do {
		u32 i = slot_after(d, after ? after - 1 : 0, may_read);

		if (*from >> 32 || i == PARVUS_DEVICES)
			return false;
		e = devices[i];
		after = id_for(e, d) + 1;
	} while (e->end[FRONT] != d);
	*r = (struct parvus_context_device){
		.front_id = e->front_id, .id = e->d.id, .device_class = e->d.device_class,
		.index = e->d.index, .back_domain = e->d.back_domain,
		.front_state = e->suspended ? e->kept : e->d.front_state,
		.front_changes = e->d.front_changes, .back_changes = e->d.back_changes };
	memcpy(r->config, e->d.config, sizeof(r->config));
	memcpy(r->front_blob, e->d.front_blob, sizeof(r->front_blob));
	*from = after;
	return true;
}

/* The back end is nobody yet, and it has changed: the front end finds that it has to begin anew. */
int device_context_set(struct vcpu *v, const void *record)
{
	struct domain *d = v->domain;
	const struct parvus_context_device *c = record;
	struct parvus_device r = { .device_class = c->device_class, .index = c->index };
	struct domain *back;
	struct device *e;
	u32 i, now;
	int ret;

	if (!c->front_id || c->front_id >> 31 || c->front_state > PARVUS_DEVICE_CLOSING)
		return hv_error(PARVUS_EINVAL);
	back = domain_get(c->back_domain);
	if (!back)
		return hv_error(PARVUS_ENOENT);
	memcpy(r.config, c->config, sizeof(r.config));
	spin_lock(&registry.lock);
	i = slot_after(d, c->front_id - 1, may_read);
	ret = i < PARVUS_DEVICES && id_for(devices[i], d) == c->front_id ? -PARVUS_EEXIST : 0;
	now = registry.next_id;
	if (now && now <= c->front_id)
		registry.next_id = c->front_id + 1;
	ret = ret ?: device_create(&r, d, back);
	if (!ret) {
		i = slot_after(d, r.id - 1, may_read);
		e = devices[i];
		e->front_id = c->front_id;
		e->d.front_state = c->front_state;
		e->d.front_changes = c->front_changes;
		e->d.back_changes = c->back_changes + 2;
		memcpy(e->d.front_blob, c->front_blob, sizeof(c->front_blob));
	}
	spin_unlock(&registry.lock);
	domain_put(back);
	return ret;
}

static s64 device_op_create(struct domain *d, u64 gpa, struct parvus_device *r)
{
	struct domain *front, *back;
	s64 ret = -PARVUS_ENOENT;

	front = domain_get(r->front_domain == PARVUS_DOMAIN_SELF ? d->id : r->front_domain);
	back = domain_get(r->back_domain == PARVUS_DOMAIN_SELF ? d->id : r->back_domain);
	if (front && back) {
		HOLD(&registry.lock);
		/* nothing is made that the caller cannot be told of */
		ret = guest_write(d, gpa, r, sizeof(*r)) ?: device_create(r, front, back) ?:
		      guest_write(d, gpa, r, sizeof(*r));
	}
	domain_put(front);
	domain_put(back);
	return ret;
}

s64 hc_device_op(struct vcpu *v, u64 op, u64 gpa)
{
	struct domain *d = v->domain;
	struct parvus_device r;
	u64 root;
	s64 ret;

	if (op > PARVUS_DEVICE_RESUME)
		return hv_error(PARVUS_ENOSYS);
	if (!d->control && (op == PARVUS_DEVICE_CREATE || op == PARVUS_DEVICE_REMOVE ||
			    op >= PARVUS_DEVICE_CONFIGURE))
		return hv_error(PARVUS_EPERM);
	if (guest_read(d, gpa, &r, sizeof(r)))
		return hv_error(PARVUS_EFAULT);
	if (r.size != sizeof(r) || r.version != 1 || r.reserved[0] || r.reserved[1] ||
	    (r.flags && op != PARVUS_DEVICE_SET))
		return hv_error(PARVUS_EINVAL);
	root = arch_full_begin();	/* the registry is everybody's */
	if (op == PARVUS_DEVICE_CREATE) {
		ret = device_op_create(d, gpa, &r);
	} else if (op >= PARVUS_DEVICE_SUSPEND) {
		ret = device_suspend(&r, op == PARVUS_DEVICE_SUSPEND);
	} else {
		HOLD(&registry.lock);
		ret = op == PARVUS_DEVICE_CHANGED ? device_changed(d, gpa) :
						    device_op_on(d, op, gpa, &r);
	}
	arch_full_end(root);
	return ret;
}

void device_domain_gone(struct domain *d)
{
	HOLD(&registry.lock);
	for (u32 i = 0; i < PARVUS_DEVICES; i++) {
		struct device *e = devices[i];
		bool front = e && e->end[FRONT] == d, back = e && e->end[BACK] == d;

		if (!front && !back)
			continue;
		changes_seen(i, d);
		if (devices[i] != e)
			continue;
		e->end[FRONT] = front ? NULL : e->end[FRONT];
		e->end[BACK] = back ? NULL : e->end[BACK];
		if (front && !e->removed) {
			device_remove(i);
		} else if (!e->removed) {
			e->d.back_state = PARVUS_DEVICE_CLOSED;
			e->d.back_changes++;
			end_changed(e, FRONT);
		}
	}
}

u32 device_count(const struct domain *d)
{
	u32 i, n = 0;

	HOLD(&registry.lock);
	for (i = 0; i < PARVUS_DEVICES; i++)
		n += devices[i] && !devices[i]->removed && (!d || devices[i]->end[FRONT] == d);
	return n;
}
