// SPDX-License-Identifier: GPL-2.0-only
/* The memory of the log: its last bytes, by position (core/log.h). Portable. */
#include <core/log.h>

static char ring[LOG_RING];
static u64 end_pos;

void log_ring_put(char c) { ring[end_pos++ % LOG_RING] = c; }

u32 log_ring_read(u64 *from, char *out, u32 size, u64 *end)
{
	u64 at = *from, oldest = end_pos > LOG_RING ? end_pos - LOG_RING : 0;
	u32 n;

	at = at < oldest ? oldest : min(at, end_pos);
	*from = at;
	*end = end_pos;
	for (n = 0; n < size && at < end_pos; n++)
		out[n] = ring[at++ % LOG_RING];
	return n;
}
