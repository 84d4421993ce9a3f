// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log: a ring in memory, the debug port (0xe9, one out per byte, as Bochs and
 * QEMU have it) and, by "log=com1" or in a panic, the serial line. What a guest
 * can provoke goes through log_guest(), which drops lines above a rate.
 */
#include <core/lib.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/platform.h>
#include <boot/boot.h>
#include <x86/cpu.h>
#include <x86/percpu.h>

#define GUEST_LINES	200u		/* per second, all guests together */

static struct spinlock log_lock = SPINLOCK_INIT;
static u64 warnings;
static u64 guest_second;
static u32 guest_lines;
bool log_to_serial;
enum log_level log_limit = LOG_INFO;

u64 log_warnings(void) { return READ_ONCE(warnings); }

static void emit(const char *s)
{
	for (; *s; s++) {
		log_ring_put(*s);
		outb(0xe9, (u8)*s);
		if (log_to_serial)
			serial_putc(*s);
	}
}

static void log_va(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = { "error: ", "warning: ", "", "" };
	char line[400];
	struct pcpu *p = cpus_online ? this_pcpu() : NULL;
	int n;

	if (level <= LOG_WARN)
		atomic_inc_u64(&warnings);
	if (level > log_limit)
		return;
	if (p && p->current)
		n = hv_snprintf(line, sizeof(line), "(cpu%u d%u) %s", p->cpu,
				p->current->domain->id, prefix[level]);
	else
		n = hv_snprintf(line, sizeof(line), "(cpu%u) %s", p ? p->cpu : 0, prefix[level]);
	hv_vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	n = (int)strlen(line);
	line[n] = '\n';
	line[n + 1] = 0;
	spin_lock(&log_lock);
	emit(line);
	spin_unlock(&log_lock);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
}

void log_guest(const char *fmt, ...)
{
	va_list ap;
	u64 second = hv_now_ns() / 1000000000u;

	if (second != READ_ONCE(guest_second)) {
		WRITE_ONCE(guest_second, second);
		WRITE_ONCE(guest_lines, 0);
	}
	if (atomic_inc_u32(&guest_lines) > GUEST_LINES)
		return;
	va_start(ap, fmt);
	log_va(LOG_INFO, fmt, ap);
	va_end(ap);
}

void log_raw(const char *s)
{
	spin_lock(&log_lock);
	emit(s);
	spin_unlock(&log_lock);
}

u32 log_read(u64 *from, char *out, u32 size, u64 *end)
{
	u32 n;

	spin_lock(&log_lock);
	n = log_ring_read(from, out, size, end);
	spin_unlock(&log_lock);
	return n;
}

/* After this nobody else logs: the lock is not taken, so a panic inside emit() still prints. */
void log_panic_mode(void)
{
	log_to_serial = true;
	log_lock.next = log_lock.owner = 0;
}
