// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: CRC32C, the sum of iSCSI (RFC 3720, appendix B.4), by the instruction that SSE4.2 has
 * for it, or by a table where a CPU has none. It is here since a page of a saved domain goes
 * through it: what Debian has as a static library takes six times as long.
 */
#include "stream.h"

#include <nmmintrin.h>
#include <string.h>

static uint32_t table(uint32_t crc, const uint8_t *p, size_t bytes)
{
	/* four bits at a time: it has to be small and right, not fast */
	static const uint32_t step[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362,
		0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab,
		0xe330a81a, 0xf36e6f75,
	};

	while (bytes--) {
		crc ^= *p++;
		crc = crc >> 4 ^ step[crc & 15];
		crc = crc >> 4 ^ step[crc & 15];
	}
	return crc;
}

__attribute__((target("sse4.2")))
static uint32_t instruction(uint32_t crc, const uint8_t *p, size_t bytes)
{
	uint64_t sum = crc, word[4];

	for (; bytes >= sizeof(word); bytes -= sizeof(word), p += sizeof(word)) {
		memcpy(word, p, sizeof(word));
		sum = _mm_crc32_u64(sum, word[0]);
		sum = _mm_crc32_u64(sum, word[1]);
		sum = _mm_crc32_u64(sum, word[2]);
		sum = _mm_crc32_u64(sum, word[3]);
	}
	crc = (uint32_t)sum;
	while (bytes--)
		crc = _mm_crc32_u8(crc, *p++);
	return crc;
}

uint32_t pv_crc32c_plain(uint32_t crc, const void *data, size_t bytes)
{
	return ~table(~crc, data, bytes);
}

uint32_t pv_crc32c(uint32_t crc, const void *data, size_t bytes)
{
	return __builtin_cpu_supports("sse4.2") ? ~instruction(~crc, data, bytes) :
	       pv_crc32c_plain(crc, data, bytes);
}
