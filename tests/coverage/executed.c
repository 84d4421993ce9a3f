// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TCG plugin that notes which instructions of the hypervisor were executed: one bit for each
 * byte of [start, end), the range of its code, written to out=FILE at the end. base=ADDRESS is
 * what lies between the address that code is loaded at and the one it runs at: what runs at the
 * former, until the latter is first seen, is the hypervisor's own beginning; later it is a guest.
 *
 * What it must know of QEMU's plugin interface is declared here, since Debian has no package
 * with the header: include/qemu/qemu-plugin.h of QEMU 7.2, version 1 of the interface.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
					   void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int, void *, uint64_t);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

#define RANGE_MAX	(16u << 20)

static uint64_t start, end, base;
static uint64_t *executed;	/* times, by address; at the end only zero or not matters */
static bool seen;		/* code that runs where it was linked */
static const char *out;

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i;

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t at = qemu_plugin_insn_vaddr(insn);

		if (at >= start && at < end)
			seen = true;
		else if (!seen && at + base >= start && at + base < end)
			at += base;
		else
			continue;
		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
							   &executed[at - start], 1);
	}
}

static void at_exit(qemu_plugin_id_t id, void *none)
{
	FILE *f = fopen(out, "wb");
	uint64_t i;
	int byte = 0;

	(void)id;
	(void)none;
	for (i = 0; f && i < end - start; i++) {
		byte |= !!executed[i] << i % 8;
		if (i % 8 == 7 || i == end - start - 1) {
			putc(byte, f);
			byte = 0;
		}
	}
	if (!f || fclose(f))
		fprintf(stderr, "executed: cannot write %s\n", out);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "start=", 6))
			start = strtoull(argv[i] + 6, NULL, 16);
		else if (!strncmp(argv[i], "end=", 4))
			end = strtoull(argv[i] + 4, NULL, 16);
		else if (!strncmp(argv[i], "base=", 5))
			base = strtoull(argv[i] + 5, NULL, 16);
		else if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	}
	if (!out || start >= end || end - start > RANGE_MAX) {
		fprintf(stderr, "executed: start=, end= and out= are needed\n");
		return -1;
	}
	executed = calloc(end - start, sizeof(*executed));
	if (!executed)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
