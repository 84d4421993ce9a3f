// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log: a ring in memory, the debug port (one byte each, as Bochs and QEMU have it) and, by
 * "log=com1" or in a panic, the serial line. What a guest can provoke goes through log_guest():
 * each domain has so many bytes of the ring and of time, and no other's.
 */
#include <core/memory.h>
#include <core/handlers.h>
#include <core/log.h>

#define GUEST_NS_BYTE	(1000000000u / 2048)	/* a domain has 2 KiB a second, */
#define GUEST_BURST_NS	8000000000ull		/* and eight seconds of that at once */

static SECRET char ring[LOG_RING];
static struct {
	struct spinlock lock;	/* of the ring and its end, and for whole lines */
	u64 end;		/* position in the ring: bytes ever written */
	u64 warnings;		/* ever; atomic */
} state = { .lock = SPINLOCK_INIT(LOCK_LOG) };
bool log_to_serial;
enum log_level log_limit = LOG_INFO;

u64 log_warnings(void) { return READ_ONCE(state.warnings); }

void log_raw(const char *s)
{
	HOLD(&state.lock);
	for (; *s; s++) {
		ring[state.end++ % LOG_RING] = *s;
		arch_debug_put(*s);
		if (log_to_serial)
			arch_console_put(*s);
	}
}

/* Returns how many bytes it were. */
static u32 log_va(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = { "error: ", "warning: ", "", "" };
	char line[400];
	struct cpu *c = arch_cpus() ? arch_this() : NULL;
	int n;

	if (level <= LOG_WARN)
		atomic_inc_u64(&state.warnings);
	if (level > log_limit)
		return 0;
	if (c && c->current)
		n = hv_snprintf(line, sizeof(line), "(cpu%u d%u) %s", c->cpu,
				c->current->domain->id, prefix[level]);
	else
		n = hv_snprintf(line, sizeof(line), "(cpu%u) %s", c ? c->cpu : 0, prefix[level]);
	hv_vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	n = (int)strlen(line);
	line[n] = '\n';
	line[n + 1] = 0;
	log_raw(line);
	return (u32)n + 1;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
}

/* Of a domain's two numbers, the time is a guess where two of its vCPUs meet. */
void log_guest(struct domain *d, const char *fmt, ...)
{
	u64 now = arch_now_ns(), paid = READ_ONCE(d->log_paid);
	va_list ap;
	u32 n;

	if (paid > now + GUEST_BURST_NS) {
		atomic_inc_u32(&d->log_dropped);
		return;
	}
	n = atomic_xchg_u32(&d->log_dropped, 0);
	if (n)
		log_info("%u lines of d%u were dropped", n, d->id);
	va_start(ap, fmt);
	n = log_va(LOG_INFO, fmt, ap);
	va_end(ap);
	WRITE_ONCE(d->log_paid, max(paid, now) + n * (u64)GUEST_NS_BYTE);
}

void error_born(u32 e, const char *file, u32 line, const char *function)
{
	struct cpu *c = arch_cpus() ? arch_this() : NULL;

	if (c && c->current)
		log_guest(c->current->domain, "error -%u: %s:%u %s()", e, file, line, function);
}

u32 log_read(u64 *from, char *out, u32 size, u64 *end)
{
	u64 at, oldest;
	u32 n;

	HOLD(&state.lock);
	oldest = state.end > LOG_RING ? state.end - LOG_RING : 0;
	at = *from < oldest ? oldest : min(*from, state.end);
	*from = at;
	*end = state.end;
	for (n = 0; n < size && at < state.end; n++)
		out[n] = ring[at++ % LOG_RING];
	return n;
}

s64 hc_log_write(struct vcpu *v, u64 gpa, u64 length)
{
	char line[256];

	if (length >= sizeof(line))
		return hv_error(PARVUS_E2BIG);
	if (guest_read(v->domain, gpa, line, length))
		return hv_error(PARVUS_EFAULT);
	for (u64 i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '.';
	line[length] = 0;
	hv_snprintf(v->domain->own->said, sizeof(v->domain->own->said), "%s", line);
	log_guest(v->domain, "guest: %s", line);
	return 0;
}

/* After this nobody else logs: the lock is not taken, so a panic inside log_raw() still prints. */
void log_panic_mode(void)
{
	log_to_serial = true;
	lock_checks = LOCKS_FREE;
	spin_init(&state.lock, LOCK_LOG);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	arch_panic((u64)__builtin_return_address(0), (u64)__builtin_frame_address(0), fmt, ap);
}
