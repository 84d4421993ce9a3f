// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus console front end: hvc0 of a domain U, two rings of bytes in one page that is
 * shared with whoever serves the console (parvus/console.h). Page and port are known
 * from the first instruction on; the page is reached through a fixed address, which
 * exists long before the direct map does.
 *
 * The other side may write anything into the page, which is the ring library's concern
 * (parvus/ring_ops.h). A full ring drops what the kernel prints and makes a terminal wait;
 * with a broken one, all that is written is gone, and nobody waits.
 */
#include <linux/console.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/parvus.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <asm/fixmap.h>
#include <parvus/console.h>
#include <parvus/ring_ops.h>
#include "../tty/hvc/hvc_console.h"
#include "parvus_bus.h"

static_assert(sizeof(struct parvus_console_page) <= PAGE_SIZE);

static struct parvus_console_page *ring;
static DEFINE_RAW_SPINLOCK(ring_lock);
static struct parvus_producer ring_out;
static struct parvus_consumer ring_in;

static struct hvc_struct *ring_hvc;
static u32 columns, rows;		/* as last told to the terminal */

/* How often the CPU is given away at the end, for the other side to read, and for the lock. */
static int patience = 2000, lock_patience = 100;

static void ring_notify(void)
{
	parvus_notify_port(parvus_start->console_port);
}

/* Not from here: the console that it is written to is this one, and locked. */
static void ring_broke(void)
{
	printk_deferred_once(KERN_WARNING
			     "parvus console: the other end's indices make no sense\n");
}

static int ring_put(const char *buf, int count)
{
	int done = 0;

	for (;;) {
		done += parvus_produce_bytes(&ring_out, buf + done, count - done);
		/* at the end, another may have been stopped between index and event */
		if (parvus_publish(&ring_out) || oops_in_progress)
			ring_notify();
		if (done == count)
			return done;
		if (parvus_producer_broken(&ring_out)) {
			ring_broke();
			return count;
		}
		/* The last words of a kernel are worth a little waiting. */
		if (oops_in_progress && patience > 0) {
			patience--;
			parvus_call0(PARVUS_HC_yield);
		} else if (parvus_producer_sleep(&ring_out, 1)) {
			return done;
		}
	}
}

static int ring_put_chars(uint32_t vtermno, const char *buf, int count)
{
	unsigned long flags;
	int done;

	if (!oops_in_progress) {
		raw_spin_lock_irqsave(&ring_lock, flags);
	} else {
		/*
		 * At the end of a kernel the owner may have been stopped with the lock held, or
		 * be this CPU, and is not waited for long. One that runs on is through soon.
		 */
		while (!raw_spin_trylock_irqsave(&ring_lock, flags)) {
			if (lock_patience <= 0)
				return ring_put(buf, min_t(int, count, PARVUS_CONSOLE_OUT));
			lock_patience--;
			parvus_call0(PARVUS_HC_yield);
		}
	}
	done = ring_put(buf, count);
	raw_spin_unlock_irqrestore(&ring_lock, flags);
	return done;
}

static void ring_resize(struct work_struct *work)
{
	struct winsize size = { .ws_col = READ_ONCE(columns), .ws_row = READ_ONCE(rows) };

	hvc_resize(ring_hvc, size);
}
static DECLARE_WORK(ring_resize_work, ring_resize);

/* The size of the terminal on the other side, if it is one. */
static void ring_look_at_size(void)
{
	u32 c = READ_ONCE(ring->columns), r = READ_ONCE(ring->rows);

	if (!ring_hvc || (c == columns && r == rows) || c > U16_MAX || r > U16_MAX)
		return;
	WRITE_ONCE(columns, c);
	WRITE_ONCE(rows, r);
	schedule_work(&ring_resize_work);
}

static int ring_get_chars(uint32_t vtermno, char *buf, int count)
{
	unsigned long flags;
	u32 n;

	ring_look_at_size();
	raw_spin_lock_irqsave(&ring_lock, flags);
	n = parvus_consume_bytes(&ring_in, buf, count);
	/* who is told that there is nothing waits for the next event */
	if (!n && !parvus_consumer_sleep(&ring_in))
		n = parvus_consume_bytes(&ring_in, buf, count);
	if (parvus_release(&ring_in))
		ring_notify();
	if (parvus_consumer_broken(&ring_in))
		ring_broke();
	raw_spin_unlock_irqrestore(&ring_lock, flags);
	return n;
}

static const struct hv_ops ring_ops = {
	.get_chars = ring_get_chars,
	.put_chars = ring_put_chars,
	.notifier_add = notifier_add_irq,
	.notifier_del = notifier_del_irq,
	.notifier_hangup = notifier_hangup_irq,
};

static void ring_boot_write(struct console *con, const char *text, unsigned int n)
{
	unsigned int i, line;

	/* A terminal wants a return with each new line. */
	for (i = 0; i < n; i += line) {
		const char *end = memchr(text + i, '\n', n - i);

		line = end ? end - (text + i) : n - i;
		ring_put_chars(0, text + i, line);
		if (end) {
			ring_put_chars(0, "\r\n", 2);
			line++;
		}
	}
}

static struct console ring_boot_console = {
	.name = "parvus",
	.write = ring_boot_write,
	.flags = CON_PRINTBUFFER | CON_BOOT | CON_ANYTIME,
	.index = -1,
};

/* The first C code: there is no direct map yet, and the page may be anywhere. */
void __init parvus_ring_console_early(bool quiet)
{
	u64 gpa = parvus_start->console_gpa;

	set_fixmap(FIX_PARAVIRT_BOOTMAP, gpa & PAGE_MASK);
	ring = (void *)fix_to_virt(FIX_PARAVIRT_BOOTMAP) + offset_in_page(gpa);
	parvus_producer_init(&ring_out, &ring->out, ring->out_bytes, PARVUS_CONSOLE_OUT, 1,
			     READ_ONCE(ring->out.produced));
	parvus_consumer_init(&ring_in, &ring->in, ring->in_bytes, PARVUS_CONSOLE_IN, 1,
			     READ_ONCE(ring->in.consumed));
	if (!quiet)
		register_console(&ring_boot_console);
}

/* The domain is about to end: give the other side a moment to read what is left. */
void parvus_ring_console_drain(void)
{
	if (!ring)
		return;
	ring_notify();
	while (parvus_producer_room_for(&ring_out, PARVUS_CONSOLE_OUT) < PARVUS_CONSOLE_OUT &&
	       !parvus_producer_broken(&ring_out) && patience-- > 0)
		parvus_call0(PARVUS_HC_yield);
}

static int __init ring_console_instantiate(void)
{
	if (!ring)
		return 0;
	return hvc_instantiate(0, 0, &ring_ops);
}
console_initcall(ring_console_instantiate);

static int __init ring_console_device(void)
{
	struct hvc_struct *hvc;
	int irq;

	if (!ring)
		return 0;
	irq = parvus_bind_port(parvus_start->console_port);
	if (irq < 0)
		pr_warn("parvus console: no event (%d), polling\n", irq);
	hvc = hvc_alloc(0, max(irq, 0), &ring_ops, 256);
	if (IS_ERR(hvc))
		return PTR_ERR(hvc);
	ring_hvc = hvc;
	return 0;
}
device_initcall(ring_console_device);
