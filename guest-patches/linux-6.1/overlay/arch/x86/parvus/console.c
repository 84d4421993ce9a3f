// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus guest: the console, hvc0, by two hypercalls; input arrives with the event
 * vector. A boot console on the same calls shows the earliest messages.
 */
#include <linux/init.h>
#include <linux/console.h>
#include <linux/err.h>
#include <linux/irq.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/hardirq.h>
#include <asm/idtentry.h>
#include <asm/irq_regs.h>
#include <asm/setup.h>
#include "../../../drivers/tty/hvc/hvc_console.h"
#include "parvus.h"

/* Calls take physical addresses, callers may be on a vmapped stack: bounce. */
static DEFINE_RAW_SPINLOCK(parvus_console_lock);
static char parvus_console_out[256] __aligned(256);
static char parvus_console_in[256] __aligned(256);
static struct hvc_struct *parvus_hvc;

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

static void parvus_console_del(struct hvc_struct *hp, int data)
{
	hp->irq_requested = 0;
}

static const struct hv_ops parvus_console_ops = {
	.get_chars = parvus_console_get,
	.put_chars = parvus_console_put,
	.notifier_add = parvus_console_add,
	.notifier_del = parvus_console_del,
	.notifier_hangup = parvus_console_del,
};

DEFINE_IDTENTRY_SYSVEC(sysvec_parvus_event)
{
	struct pt_regs *old = set_irq_regs(regs);
	struct hvc_struct *hp = READ_ONCE(parvus_hvc);

	inc_irq_stat(irq_hv_callback_count);
	if (hp && hvc_poll(hp))
		hvc_kick();
	set_irq_regs(old);
}

/* Gates are given out before the vectors are set up; see x86_init.irqs. */
void __init parvus_init_vectors(void)
{
	alloc_intr_gate(HYPERVISOR_CALLBACK_VECTOR, asm_sysvec_parvus_event);
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

void __init parvus_init_console(void)
{
	/* "quiet" is parsed only later */
	if (!strstr(boot_command_line, "quiet"))
		register_console(&parvus_boot_console);
	add_preferred_console("hvc", 0, NULL);
}

static int __init parvus_console_instantiate(void)
{
	if (!parvus_start)
		return 0;
	return hvc_instantiate(0, 0, &parvus_console_ops);
}
console_initcall(parvus_console_instantiate);

static int __init parvus_console_device(void)
{
	if (!parvus_start)
		return 0;
	return PTR_ERR_OR_ZERO(hvc_alloc(0, 1, &parvus_console_ops, 256));
}
device_initcall(parvus_console_device);
