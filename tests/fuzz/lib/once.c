// SPDX-License-Identifier: GPL-2.0-only
/*
 * NAME FILE...: run a fuzz target once over each file, without libFuzzer; and over each of
 * its beginnings, since where an input ends is a case of its own. Inputs lie in memory of
 * exactly their size.
 */
#include "fuzz.h"

static void run(const char *name)
{
	static uint8_t data[65536];
	FILE *f = fopen(name, "rb");
	size_t bytes, n;
	uint8_t *copy;

	if (!f) {
		perror(name);
		exit(99);
	}
	bytes = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* a crash names its input */
	fprintf(stderr, "%s: %zu bytes\n", name, bytes);
	for (n = bytes; n + 64 > bytes; n--) {
		copy = malloc(n + !n);
		memcpy(copy, data, n);
		LLVMFuzzerTestOneInput(copy, n);
		free(copy);
		if (!n)
			break;
	}
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		run(argv[i]);
	printf("%d seeds\n", argc - 1);
	return argc > 1 ? 0 : 99;
}
