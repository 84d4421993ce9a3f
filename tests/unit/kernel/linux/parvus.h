/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of Linux, and of its port to Parvus, that pv-drivers/linux/link_state.c and
 * block_front.c need: locks that nobody contends for, and work that the test itself runs. The
 * headers beside it include it.
 */
#ifndef UNIT_LINUX_PARVUS_H
#define UNIT_LINUX_PARVUS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <linux/bitmap.h>
#include <parvus/device.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int irqreturn_t;
typedef irqreturn_t (*irq_handler_t)(int irq, void *arg);

#define HZ			250
#define EXPORT_SYMBOL_GPL(name)	_Static_assert(1, #name)
#define READ_ONCE(x)		(*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile typeof(x) *)&(x) = (v))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define fallthrough		__attribute__((fallthrough))
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define unlikely(x)		(x)
#define IS_ERR(p)		((uintptr_t)(p) >= (uintptr_t)-4095)
#define PTR_ERR(p)		((int)(intptr_t)(p))
#define pr_warn(...)		((void)snprintf(NULL, 0, __VA_ARGS__))
#define kmalloc(size, gfp)	malloc(size)
#define kfree			free
#define memalloc_noio_save()	0u
#define memalloc_noio_restore(flags) ((void)(flags))

struct mutex { bool held; };
static inline void mutex_init(struct mutex *m) { m->held = false; }
static inline void mutex_lock(struct mutex *m) { if (m->held) abort(); m->held = true; }
static inline void mutex_unlock(struct mutex *m) { if (!m->held) abort(); m->held = false; }

struct ratelimit_state { int lines; };
#define RATELIMIT_MSG_ON_RELEASE 0
static inline void ratelimit_state_init(struct ratelimit_state *r, int time, int lines)
{
	(void)time;
	r->lines = lines;
}
static inline void ratelimit_set_flags(struct ratelimit_state *r, int flags)
{
	(void)r;
	(void)flags;
}
static inline bool __ratelimit(struct ratelimit_state *r) { return r->lines-- > 0; }

struct work_struct {
	void (*run)(struct work_struct *work);
	bool pending;
};
struct delayed_work { struct work_struct work; };
#define INIT_WORK(w, f)			((w)->run = (f), (w)->pending = false)
#define INIT_DELAYED_WORK(w, f)		INIT_WORK(&(w)->work, f)
#define schedule_work(w)		((w)->pending = true)
#define cancel_work_sync(w)		((w)->pending = false)
#define schedule_delayed_work(w, delay)	((void)(delay), (w)->work.pending = true)
#define cancel_delayed_work(w)		((w)->work.pending = false)
#define cancel_delayed_work_sync(w)	((w)->work.pending = false)
#define delayed_work_pending(w)		((w)->work.pending)

struct device { void *data; };
static inline void dev_set_drvdata(struct device *d, void *data) { d->data = data; }
static inline void *dev_get_drvdata(const struct device *d) { return d->data; }
static inline const char *dev_name(const struct device *d) { return d ? "device" : ""; }

typedef unsigned int atomic_t;	/* never negative here */
#define atomic_read(a)	(*(a))

/* As in the port's header of this name, what a driver may look at. */
enum parvus_side { PARVUS_FRONT, PARVUS_BACK };
struct parvus_dev {
	struct device dev;
	u32 peer;
	enum parvus_side side;
	u32 state, peer_state, peer_changes;
	bool refused;
	atomic_t ghosts;
	u8 config[PARVUS_DEVICE_BLOB];
};
#define PARVUS_REASON	96
#define strscpy(to, from, bytes) ((void)snprintf(to, bytes, "%s", from))
void parvus_device_say(struct parvus_dev *dev, const char *format, ...);
int parvus_device_set_state(struct parvus_dev *dev, u32 state, const void *blob, size_t bytes);
int parvus_device_read(struct parvus_dev *dev, struct parvus_device *record);
struct parvus_driver {
	struct { const char *name; } driver;
	u32 device_class;
	enum parvus_side side;
	int (*probe)(struct parvus_dev *dev);
	void (*remove)(struct parvus_dev *dev);
	void (*peer_changed)(struct parvus_dev *dev, u32 state);
};
int parvus_register_driver(struct parvus_driver *driver);
extern bool parvus_start;
void unit_notified(u32 port) __attribute__((weak));	/* the test's, if it wants to know */
static inline void parvus_notify_port(u32 port)
{
	if (unit_notified)
		unit_notified(port);
}
static inline void parvus_event_done_port(u32 port) { (void)port; }

#endif
