// SPDX-License-Identifier: GPL-2.0-only
/* The best update of a file for a CPU, which checks it. Nothing outside of the file is touched. */
#include <boot/bundle.h>

/* Intel SDM vol. 3, 9.11.1: the words of a header; 9.11.2 and 9.11.4: more signatures, sums. */
enum { VERSION, REVISION, DATE, SIGNATURE, SUM, LOADER, FLAGS, DATA, TOTAL, HEADER = 12 };

/* Of a whole update: is it for that CPU? */
static bool intel_fits(const u32 *u, u32 data, u32 total, u32 signature, u32 flags)
{
	const u32 *more = u + HEADER + data / 4, *end = u + total / 4;
	u32 n = end - more >= 5 ? more[0] : 0;

	if (u[SIGNATURE] == signature && u[FLAGS] & flags)
		return true;
	for (more += 5; n && end - more >= 3; more += 3, n--)
		if (more[0] == signature && more[1] & flags)
			return true;
	return false;
}

const void *microcode_intel(const void *file, u64 size, u32 signature, u32 flags, u32 *revision)
{
	const u32 *u = file, *best = NULL;
	u32 data, total, sum, i;

	for (; size >= HEADER * 4; u += total / 4, size -= total) {
		data = u[DATA] ?: 2000;
		total = u[DATA] ? u[TOTAL] : 2048;
		if (u[VERSION] != 1 || u[LOADER] != 1 || (data | total) % 4 || total > size ||
		    total < HEADER * 4 || data > total - HEADER * 4)
			break;
		for (sum = i = 0; i < total / 4; i++)
			sum += u[i];
		if (sum)
			break;
		if (u[REVISION] > *revision && intel_fits(u, data, total, signature, flags)) {
			*revision = u[REVISION];
			best = u + HEADER;
		}
	}
	return best;
}

/*
 * Containers, one behind the other: a magic number; a table (kind 0) of 16 bytes for each
 * signature, with the CPU's short name; updates (kind 1) for one (Linux, microcode_amd.h of x86).
 */
const void *microcode_amd(const void *file, u64 size, u32 signature, u32 *revision)
{
	const u32 *s = file, *best = NULL;
	u32 bytes, i, name = 0;

	for (; size >= 12; s += 2 + bytes / 4, size -= 8 + bytes) {
		if (*s == 0x00414d44) {
			s++;
			size -= 4;
		}
		bytes = s[1];
		if (bytes > size - 8 || bytes % 4)
			break;
		for (i = 0; s[0] == 0 && i + 16 <= bytes; i += 16) {
			name = i ? name : 0;
			name = s[2 + i / 4] == signature ? s[5 + i / 4] & 0xffff : name;
		}
		/* of an update's header: 1 its revision, 6 whom it is for */
		if (s[0] == 1 && bytes >= 64 && name && (s[8] & 0xffff) == name &&
		    s[3] > *revision) {
			*revision = s[3];
			best = s + 2;
		}
	}
	return best;
}
