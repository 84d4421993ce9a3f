/* SPDX-License-Identifier: GPL-2.0-only */
/* Logging, and the end of all things. One line form: "(cpuN dM) area: text". */
#pragma once

#include <core/lib.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_line(enum log_level level, const char *fmt, ...) __printf(2, 3);
struct domain;
/* What a guest can provoke: a domain has so many bytes in a second. */
void log_guest(struct domain *d, const char *fmt, ...) __printf(2, 3);
/* For our own mistakes alone; a guest's mistake is domain_kill(). */
noreturn void panic(const char *fmt, ...) __printf(1, 2);

#define log_err(...)	log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...)	log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)	log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_DEBUG, __VA_ARGS__)

/* The negative error, where it is born: loglevel=debug logs the place. EAGAIN is none. */
#define hv_error(e) ({ \
	if (unlikely(log_limit == LOG_DEBUG)) \
		error_born((e), __FILE__, __LINE__, __func__); \
	-(int)(e); \
})
void error_born(u32 e, const char *file, u32 line, const char *function) __attribute__((cold));

#define BUG_ON(c) do { \
	if (unlikely(c)) \
		panic("%s:%d: %s", __FILE__, __LINE__, #c); \
} while (0)

/* Write as it is; for records that a program reads. */
void log_raw(const char *s);
void log_panic_mode(void);
extern bool log_to_serial;
extern enum log_level log_limit;

/*
 * Up to @size of the last LOG_RING bytes ever written, from *@from, which is moved into them; *@end
 * is what is written so far. Returns how many.
 */
#define LOG_RING	65536u
u32 log_read(u64 *from, char *out, u32 size, u64 *end);

u64 log_warnings(void);	/* warnings (log_warn and worse) since boot; debug_info shows it */
