// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: the console, hvc0, by two hypercalls, of a domain that has no console
 * page (that one: drivers/parvus/console.c). Input arrives with VIRQ_CONSOLE, or with
 * the bare event vector where there are no events. A boot console on the same calls
 * shows the earliest messages.
 */
#include <linux/init.h>
#include <linux/console.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/setup.h>
#include "../../../drivers/parvus/parvus_bus.h"
#include "../../../drivers/tty/hvc/hvc_console.h"
#include "parvus_arch.h"

/* Calls take physical addresses, callers may be on a vmapped stack: bounce. */
static DEFINE_RAW_SPINLOCK(parvus_console_lock);
static char parvus_console_out[256] __aligned(256);
static char parvus_console_in[256] __aligned(256);
static struct hvc_struct *parvus_hvc;
static bool parvus_console_virq;

static int parvus_console_put(uint32_t vtermno, const char *buf, int count)
{
	unsigned long flags;
	int done = 0;

	raw_spin_lock_irqsave(&parvus_console_lock, flags);
	while (done < count) {
		int n = min_t(int, count - done, sizeof(parvus_console_out));
		long ret;

		memcpy(parvus_console_out, buf + done, n);
		ret = parvus_call2(PARVUS_HC_console_write, __pa_symbol(parvus_console_out), n);
		if (ret <= 0)
			break;
		done += ret;
	}
	raw_spin_unlock_irqrestore(&parvus_console_lock, flags);
	return done;
}

static int parvus_console_get(uint32_t vtermno, char *buf, int count)
{
	unsigned long flags;
	long n;

	raw_spin_lock_irqsave(&parvus_console_lock, flags);
	n = parvus_call2(PARVUS_HC_console_read, __pa_symbol(parvus_console_in),
			 min_t(int, count, sizeof(parvus_console_in)));
	if (n > 0)
		memcpy(buf, parvus_console_in, n);
	raw_spin_unlock_irqrestore(&parvus_console_lock, flags);
	return n > 0 ? n : 0;
}

/* hvc polls unless notifiers say that an interrupt comes. */
static int parvus_console_add(struct hvc_struct *hp, int data)
{
	hp->irq_requested = 1;
	parvus_hvc = hp;
	return 0;
}

static void parvus_console_del(struct hvc_struct *hp, int data) { hp->irq_requested = 0; }

static const struct hv_ops parvus_console_ops = {
	.get_chars = parvus_console_get,
	.put_chars = parvus_console_put,
	.notifier_add = parvus_console_add,
	.notifier_del = parvus_console_del,
	.notifier_hangup = parvus_console_del,
};

/* The event vector came; @event: for a port. */
void parvus_console_poll(bool event)
{
	struct hvc_struct *hp = READ_ONCE(parvus_hvc);

	if (hp && !(event && parvus_console_virq) && hvc_poll(hp))
		hvc_kick();
}

static irqreturn_t parvus_console_interrupt(int irq, void *unused)
{
	parvus_console_poll(false);
	return IRQ_HANDLED;
}

static void parvus_boot_console_write(struct console *con, const char *text, unsigned int n)
{
	parvus_console_put(0, text, n);
}

static struct console parvus_boot_console = {
	.name = "parvus",
	.write = parvus_boot_console_write,
	.flags = CON_PRINTBUFFER | CON_BOOT | CON_ANYTIME,
	.index = -1,
};

static bool __init parvus_console_by_call(void)
{
	return parvus_start && !parvus_start->console_gpa;
}

void __init parvus_init_console(void)
{
	bool quiet = strstr(boot_command_line, "quiet");	/* is parsed only later */

	if (!parvus_console_by_call())
		parvus_ring_console_early(quiet);
	else if (!quiet)
		register_console(&parvus_boot_console);
	/* after those: a boot console is not registered beside a preferred one */
	add_preferred_console("hvc", 0, NULL);
}

static int __init parvus_console_instantiate(void)
{
	if (!parvus_console_by_call())
		return 0;
	return hvc_instantiate(0, 0, &parvus_console_ops);
}
console_initcall(parvus_console_instantiate);

static int __init parvus_console_device(void)
{
	int irq;

	if (!parvus_console_by_call())
		return 0;
	irq = parvus_bind_virq(PARVUS_VIRQ_CONSOLE, 0, 0);
	if (irq > 0) {
		if (!request_irq(irq, parvus_console_interrupt, 0, "console", NULL))
			parvus_console_virq = true;
		else
			parvus_unbind(irq);
	}
	return PTR_ERR_OR_ZERO(hvc_alloc(0, 1, &parvus_console_ops, 256));
}
device_initcall(parvus_console_device);
