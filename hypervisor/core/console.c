// SPDX-License-Identifier: GPL-2.0-only
/* The console of domains. The first one owns the serial line; what others write goes to the log. */
#include <core/event.h>
#include <core/memory.h>
#include <core/handlers.h>
#include <core/log.h>
#include <parvus/event.h>

#define INPUT	1024u		/* power of two */
#define LINE	200u
#define WRITE_MAX 16u		/* bytes taken by one call: what the UART's FIFO holds */

static struct {
	struct spinlock lock;	/* of all of it, and of lines[] */
	struct domain *owner;	/* of the serial line; NULL: the next one that comes */
	u32 in, out;		/* positions in input[], ever growing */
} console = { .lock = SPINLOCK_INIT(LOCK_CONSOLE) };

/* What came in, and lines of domains without the serial line that are not whole yet. */
static SECRET struct {
	char input[INPUT];
	struct {
		char text[LINE];
		u32 len;
	} lines[MAX_DOMAINS];
} texts;

void console_domain_new(struct domain *d)
{
	HOLD(&console.lock);
	if (!console.owner)
		console.owner = d;
	texts.lines[d->id % MAX_DOMAINS].len = 0;
}

static void console_line_out(struct domain *d)
{
	u32 slot = d->id % MAX_DOMAINS;

	if (texts.lines[slot].len)
		log_guest(d, "d%u: %.*s", d->id, (int)texts.lines[slot].len,
			  texts.lines[slot].text);
	texts.lines[slot].len = 0;
}

void console_domain_gone(struct domain *d)
{
	HOLD(&console.lock);
	if (console.owner == d)
		console.owner = NULL;
	else
		console_line_out(d);
}

s64 hc_console_write(struct vcpu *v, u64 gpa, u64 length)
{
	struct domain *d = v->domain;
	u64 i, len = min(length, WRITE_MAX);
	u32 slot = d->id % MAX_DOMAINS;
	char buf[WRITE_MAX];

	if (guest_read(d, gpa, buf, len))
		return hv_error(PARVUS_EFAULT);
	HOLD(&console.lock);
	for (i = 0; i < len; i++) {
		if (console.owner == d) {
			arch_console_put(buf[i]);
			continue;
		}
		if (buf[i] == '\n' || texts.lines[slot].len == LINE)
			console_line_out(d);
		if (buf[i] >= ' ')
			texts.lines[slot].text[texts.lines[slot].len++] = buf[i];
	}
	return (s64)len;
}

s64 hc_console_read(struct vcpu *v, u64 gpa, u64 length)
{
	struct domain *d = v->domain;
	char buf[256];
	u64 n, len = min(length, sizeof(buf));
	u32 from;
	bool taken;

	/* the write may be long and is made without the lock; a sibling may be faster meanwhile */
	do {
		spin_lock(&console.lock);
		from = console.out;
		for (n = 0; console.owner == d && n < len && from + (u32)n != console.in; n++)
			buf[n] = texts.input[(from + (u32)n) % INPUT];
		spin_unlock(&console.lock);
		/* a bad buffer loses nothing */
		if (n && guest_write(d, gpa, buf, n))
			return -PARVUS_EFAULT;
		spin_lock(&console.lock);
		taken = console.out == from;
		console.out += taken ? (u32)n : 0;
		spin_unlock(&console.lock);
	} while (!taken);
	return (s64)n;
}

void console_input(void)
{
	struct domain *d;
	int c;

	HOLD(&console.lock);
	while ((c = arch_console_get()) >= 0)
		if (console.in - console.out < INPUT)
			texts.input[console.in++ % INPUT] = (char)c;
	d = console.owner;
	/* under the lock: the owner cannot be destroyed meanwhile */
	if (d && d->vcpus[0] && READ_ONCE(d->takes_events))
		vcpu_raise(d->vcpus[0], PARVUS_VECTOR_EVENT);
	if (d)
		event_send_virq(d, PARVUS_VIRQ_CONSOLE);
}
