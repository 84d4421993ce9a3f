// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TCG plugin that counts executed instructions by symbol, and events by opcode, between
 * the markers of a benchmark (tools/bench/marker.h): no-ops with a number in them. Several
 * begin-end pairs may come before the marker that has the block written out:
 *   RECORD n insns=TOTAL [phase.NAME=N...] [hv.EVENT=N...] [guest.EVENT=N...]
 *   SYM n SYMBOL phase instructions calls
 *   WAY n COUNT MEDIAN
 * Options: syms=FILE (nm -n, files joined), phases=FILE ("phase pattern" lines, the first
 * pattern that matches counts), out=FILE, all=1 (count from reset to the end, one record),
 * first=ADDRESS (FIRST n: so many instructions from reset until that one runs), from=START-END,
 * to=ADDRESS (WAY: how often ADDRESS ran behind a stub, 8 bytes or a multiple each, in that range,
 * and how many instructions the two were apart, the first one of the two counted).
 *
 * What it must know of QEMU's plugin interface is declared here, since Debian has no package
 * with the header: include/qemu/qemu-plugin.h of QEMU 7.2, version 1 of the interface.
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_CB_NO_REGS };
enum { QEMU_PLUGIN_INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
					   void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *,
					    void (*)(unsigned int, void *), int, void *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int, void *, uint64_t);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

#define HV_START	0xffff800000000000u	/* PARVUS_HOLE_START, PARVUS_HOLE_END */
#define HV_END		0xffff880000000000u
#define MARKER		0x50560000u	/* 1 begin, 2 end, 3 write out, 4 forget */
#define SYMBOLS		8192
#define PHASES		256
#define WAYS		8192

enum event { CR3, INVLPG, IRET, SYSRET, SYSCALL, WRMSR, SWAPGS, HLT, PORT, EVENTS };
static const char *const event_names[EVENTS] = {
	"cr3_writes", "invlpg", "iret", "sysret", "syscall", "wrmsr", "swapgs", "hlt", "port_io",
};

struct counts {
	uint64_t insns[SYMBOLS], calls[SYMBOLS], events[2][EVENTS];
};
static struct { uint64_t at; char *name; unsigned int phase; } symbols[SYMBOLS];
static unsigned int symbol_count = 2;	/* 0: user mode, 1: unknown */
static struct { char phase[32], pattern[96]; } phases[PHASES];
static unsigned int phase_count;
static struct counts now, begun, total;
static unsigned int record;
static uint64_t first = ~0ull;	/* nowhere, or no more */
static uint64_t from[2], handler = ~0ull, entered, way[WAYS];
static unsigned int ways;
static bool running;
static FILE *out;

static bool in_hypervisor(uint64_t at) { return at >= HV_START && at < HV_END; }

static void *copy_of(const char *s)
{
	char *c = strdup(s);

	if (!c)
		abort();
	return c;
}

/* The symbol that an address belongs to. */
static unsigned int symbol_of(uint64_t at)
{
	unsigned int lo = 2, hi = symbol_count;

	if (!(at >> 63))
		return 0;
	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (symbols[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 2 ? lo - 1 : 1;
}

/* Which event the instruction is, or EVENTS (Intel SDM vol. 2, appendix A). */
static enum event event_of(const uint8_t *b, size_t n)
{
	size_t i = 0;
	bool wide;

	while (i < n &&
	       (b[i] == 0x66 || b[i] == 0xf2 || b[i] == 0xf3 || b[i] == 0x2e || b[i] == 0x3e))
		i++;
	wide = i < n && (b[i] & 0xf8) == 0x48;
	if (i < n && (b[i] & 0xf0) == 0x40)
		i++;
	if (i >= n)
		return EVENTS;
	if (b[i] == 0xcf && wide)
		return IRET;
	if (b[i] == 0xf4)
		return HLT;
	if ((b[i] >= 0xe4 && b[i] <= 0xe7) || (b[i] >= 0xec && b[i] <= 0xef) ||
	    (b[i] >= 0x6c && b[i] <= 0x6f))
		return PORT;
	if (b[i] != 0x0f || ++i >= n)
		return EVENTS;
	switch (b[i]) {
	case 0x05:
		return SYSCALL;
	case 0x07:
		return SYSRET;
	case 0x30:
		return WRMSR;
	case 0x22:
		return i + 1 < n && (b[i + 1] >> 3 & 7) == 3 ? CR3 : EVENTS;
	case 0x01:
		if (i + 1 >= n || (b[i + 1] >> 3 & 7) != 7)
			return EVENTS;
		return b[i + 1] == 0xf8 ? SWAPGS : b[i + 1] < 0xc0 ? INVLPG : EVENTS;
	}
	return EVENTS;
}

static void add(void)
{
	uint64_t *t = (uint64_t *)&total, *n = (uint64_t *)&now, *b = (uint64_t *)&begun;

	for (size_t i = 0; i < sizeof(now) / 8; i++)
		t[i] += n[i] - b[i];
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* What the CPU has executed; a callback comes before its own instruction is counted or behind. */
static uint64_t executed(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < symbol_count; i++)
		sum += now.insns[i];
	return sum;
}

static void emit(void)
{
	uint64_t sum = 0, per[PHASES] = { 0 };
	unsigned int i, e, side;

	for (i = 0; i < symbol_count; i++) {
		sum += total.insns[i];
		per[symbols[i].phase] += total.insns[i];
	}
	fprintf(out, "RECORD %u insns=%" PRIu64, record, sum);
	for (i = 0; i < phase_count; i++)
		if (per[i])
			fprintf(out, " phase.%s=%" PRIu64, phases[i].phase, per[i]);
	for (side = 0; side < 2; side++)
		for (e = 0; e < EVENTS; e++)
			if (total.events[side][e])
				fprintf(out, " %s.%s=%" PRIu64, side ? "hv" : "guest",
					event_names[e], total.events[side][e]);
	fprintf(out, "\n");
	for (i = 0; i < symbol_count; i++)
		if (total.insns[i])
			fprintf(out, "SYM %u %s %s %" PRIu64 " %" PRIu64 "\n", record,
				symbols[i].name, phases[symbols[i].phase].phase, total.insns[i],
				total.calls[i]);
	qsort(way, ways, sizeof(way[0]), by_address);
	if (ways)
		fprintf(out, "WAY %u %u %" PRIu64 "\n", record, ways, way[(ways - 1) / 2]);
	ways = 0;
	fflush(out);
	memset(&total, 0, sizeof(total));
	record++;
}

static void marker(unsigned int cpu, void *which)
{
	(void)cpu;
	switch ((uintptr_t)which) {
	case 1:
		begun = now;
		running = true;
		break;
	case 2:
		if (running)
			add();
		running = false;
		break;
	case 3:
		emit();
		break;
	case 4:
		memset(&total, 0, sizeof(total));
		ways = 0;
		break;
	}
}

static void at_stub(unsigned int cpu, void *none)
{
	(void)cpu;
	(void)none;
	entered = executed();
}

static void at_handler(unsigned int cpu, void *none)
{
	(void)cpu;
	(void)none;
	if (running && entered && ways < WAYS)
		way[ways++] = executed() - entered;
	entered = 0;
}

static void first_time(unsigned int cpu, void *none)
{
	(void)cpu;
	(void)none;
	if (first != ~0ull)
		fprintf(out, "FIRST %" PRIu64 "\n", executed());
	first = ~0ull;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	static const uint8_t nop[4] = { 0x0f, 0x1f, 0x84, 0x00 };
	size_t n = qemu_plugin_tb_n_insns(tb), i;

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *bytes = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		uint64_t at = qemu_plugin_insn_vaddr(insn);
		unsigned int s = symbol_of(at);
		enum event e = event_of(bytes, size);
		uint32_t number;

		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
							   &now.insns[s], 1);
		if (s > 1 && at == symbols[s].at)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
								   &now.calls[s], 1);
		if (e != EVENTS)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
				&now.events[in_hypervisor(at)][e], 1);
		if (at == first)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, first_time,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		if ((at >= from[0] && at < from[1] && at % 8 == 0) || at == handler)
			qemu_plugin_register_vcpu_insn_exec_cb(insn,
							       at == handler ? at_handler : at_stub,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		if (size != 8 || memcmp(bytes, nop, sizeof(nop)))
			continue;
		memcpy(&number, bytes + 4, 4);
		number -= MARKER;
		if (number >= 1 && number <= 4)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marker, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)number);
	}
}

static void at_exit(qemu_plugin_id_t id, void *all)
{
	(void)id;
	if (all) {
		add();
		emit();
	}
	fclose(out);
}

static unsigned int phase_of(const char *name)
{
	unsigned int i, j;

	for (i = 0; i < phase_count; i++)
		if (!fnmatch(phases[i].pattern, name, 0))
			break;
	/* one number for each name of a phase */
	for (j = 0; i < phase_count && j < i; j++)
		if (!strcmp(phases[j].phase, phases[i].phase))
			return j;
	return i < phase_count ? i : 0;
}

static bool load(const char *syms, const char *patterns)
{
	char line[512], name[256], type;
	FILE *f = fopen(patterns, "r");
	unsigned int i;

	if (!f)
		return false;
	while (phase_count < PHASES && fgets(line, sizeof(line), f))
		if (line[0] != '#' && sscanf(line, "%31s %95s", phases[phase_count].phase,
					     phases[phase_count].pattern) == 2)
			phase_count++;
	fclose(f);
	f = fopen(syms, "r");
	if (!f)
		return false;
	symbols[0].name = copy_of("user");
	symbols[1].name = copy_of("unknown");
	while (symbol_count < SYMBOLS && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 " %c %255s", &symbols[symbol_count].at, &type,
			   name) == 3 &&
		    (type == 't' || type == 'T'))
			symbols[symbol_count++].name = copy_of(name);
	fclose(f);
	qsort(&symbols[2], symbol_count - 2, sizeof(symbols[0]), by_address);
	for (i = 0; i < symbol_count; i++)
		symbols[i].phase =
			phase_of(in_hypervisor(symbols[i].at) ? symbols[i].name : "user");
	return phase_count && symbol_count < SYMBOLS;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	const char *syms = NULL, *patterns = NULL, *to = NULL, *all = NULL;
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "syms=", 5))
			syms = argv[i] + 5;
		else if (!strncmp(argv[i], "phases=", 7))
			patterns = argv[i] + 7;
		else if (!strncmp(argv[i], "out=", 4))
			to = argv[i] + 4;
		else if (!strncmp(argv[i], "all=", 4))
			all = argv[i] + 4;
		else if (!strncmp(argv[i], "first=", 6))
			first = strtoull(argv[i] + 6, NULL, 16);
		else if (!strncmp(argv[i], "from=", 5))
			sscanf(argv[i] + 5, "%" SCNx64 "-%" SCNx64, &from[0], &from[1]);
		else if (!strncmp(argv[i], "to=", 3))
			handler = strtoull(argv[i] + 3, NULL, 16);
	}
	if (!syms || !patterns || !to || !load(syms, patterns)) {
		fprintf(stderr, "count: syms=FILE,phases=FILE,out=FILE are needed, and readable\n");
		return -1;
	}
	out = fopen(to, "w");
	if (!out) {
		fprintf(stderr, "count: cannot write %s\n", to);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, at_exit, (void *)all);
	return 0;
}
