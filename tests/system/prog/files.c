// SPDX-License-Identifier: GPL-2.0-only
/*
 * files COUNT BYTES: a tar archive (POSIX.1-1988 ustar) of COUNT files with BYTES each on
 * stdout, 100 to a folder, the same at each call and no two files alike.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512u

static void header(char type, unsigned int folder, unsigned int file, unsigned long bytes)
{
	char h[BLOCK] = "";
	unsigned int i, sum = 0;

	if (type == '5')
		snprintf(h, 100, "d%03u/", folder);
	else
		snprintf(h, 100, "d%03u/f%05u", folder, file);
	memcpy(h + 100, type == '5' ? "0000755" : "0000644", 7);
	memcpy(h + 108, "0000000", 7);
	memcpy(h + 116, "0000000", 7);
	snprintf(h + 124, 12, "%011lo", bytes);
	memcpy(h + 136, "14524770400", 11);
	memset(h + 148, ' ', 8);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	for (i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	h[155] = ' ';
	fwrite(h, 1, BLOCK, stdout);
}

int main(int argc, char **argv)
{
	unsigned long count, bytes, padded, i, k;
	static const char end[2 * BLOCK];
	uint64_t *data, x;

	if (argc != 3)
		return 2;
	count = strtoul(argv[1], NULL, 10);
	bytes = strtoul(argv[2], NULL, 10);
	padded = (bytes + BLOCK - 1) / BLOCK * BLOCK;
	data = calloc(1, padded + 8);
	if (!data)
		return 1;
	for (i = 0; i < count; i++) {
		if (i % 100 == 0)
			header('5', (unsigned int)(i / 100), 0, 0);
		header('0', (unsigned int)(i / 100), (unsigned int)i, bytes);
		x = 0x9e3779b97f4a7c15ull * (i + 1);
		for (k = 0; k < bytes / 8; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			data[k] = x;
		}
		fwrite(data, 1, padded, stdout);
	}
	fwrite(end, 1, sizeof(end), stdout);
	return fflush(stdout) || ferror(stdout);
}
