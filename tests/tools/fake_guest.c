// SPDX-License-Identifier: GPL-2.0-only
/*
 * fake_guest NAME WHAT [ARG]: what the kernel of a domain of the fake hypervisor would do.
 *
 *   wait          until the domain of that name runs (10 s); prints its number
 *   say TEXT      to the console; waits for room (10 s)
 *   hear BYTES    that much of the console's input to stdout (10 s)
 *   request       the request made of it, as a number; take: and it is forgotten
 *   follow        does what it was asked for, if it was
 *   ran NS        so much CPU time it has had; stole NS: so long it waited for one
 *   cmdline       the kernel's command line
 *   file NAME     a file of the last cpio archive of its ramdisk
 *   poweroff N, reboot, crash, kill WHY
 *   disk INDEX, vif INDEX   what is configured: "major minor flags iops bps name file", or "mac
 *                 mtu bytes_per_second interval_us name", and of the back end's interface
 *                 "mtu bridge up", and "trusts" if guests' advertisements are taken
 *   front CLASS INDEX STATE, stuck CLASS INDEX, rebind CLASS INDEX
 * Without a domain ("-"): fail OP ERRNO SKIP; count (of domains, domain 0 not counted); devices,
 * loops (how many); loop FILE (how often resized); backs 0|1 (are there drivers); back ID STATE;
 * there ID (is the device?).
 */
#include "fake.h"

#include <parvus/ring_ops.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_domain *find(struct fake_state *s, const char *name)
{
	size_t i;

	for (i = 0; i < FAKE_DOMAINS; i++)
		if (s->d[i].used && !strcmp(s->d[i].info.name, name) &&
		    s->d[i].info.state == PARVUS_DOMAIN_RUNNING)
			return &s->d[i];
	return NULL;
}

/* In one step: the next domain of that name was not asked. */
static void follow(struct fake_domain *d)
{
	if (!d->used || d->info.state != PARVUS_DOMAIN_RUNNING)
		return;
	if (d->request == PARVUS_REQUEST_POWEROFF)
		fake_end(d, PARVUS_SHUTDOWN_POWEROFF, 0, "");
	else if (d->request == PARVUS_REQUEST_REBOOT)
		fake_end(d, PARVUS_SHUTDOWN_REBOOT, 0, "");
}

static int say(struct fake_domain *d, const char *text)
{
	struct parvus_console_page *p = fake_console(d);
	struct parvus_producer out;
	size_t left = strlen(text);
	uint32_t n;
	int tries = 0;

	if (!p)
		return 1;
	parvus_producer_init(&out, &p->out, p->out_bytes, PARVUS_CONSOLE_OUT, 1, p->out.produced);
	while (left) {
		n = parvus_produce_bytes(&out, text, (uint32_t)left);
		text += n;
		left -= n;
		/* only when somebody is to be woken: who does not ask for it, misses something */
		if (parvus_publish(&out)) {
			fake_lock();
			fake_signal(d);
			fake_unlock();
		}
		if (!n)
			usleep(1000);
		if (!n && ++tries > 10000)
			return 1;
	}
	return 0;
}

static int hear(struct fake_domain *d, unsigned int n)
{
	struct parvus_console_page *p = fake_console(d);
	struct parvus_consumer in;
	int tries = 0;
	char c;

	if (!p)
		return 1;
	parvus_consumer_init(&in, &p->in, p->in_bytes, PARVUS_CONSOLE_IN, 1, p->in.consumed);
	while (n) {
		if (!parvus_consume(&in, &c)) {
			usleep(1000);
			if (++tries > 10000)
				return 1;
			continue;
		}
		putchar(c);
		if (parvus_release(&in)) {
			fake_lock();
			fake_signal(d);
			fake_unlock();
		}
		n--;
	}
	return 0;
}

static int file(struct fake_domain *d, const char *name)
{
	struct parvus_start_info si;
	const uint8_t *at, *end, *found = NULL;
	unsigned long bytes = 0;

	memcpy(&si, fake_memory(d, d->start.start_info), sizeof(si));
	at = fake_memory(d, si.initrd);
	end = at + si.initrd_size;
	while (at + 110 < end) {
		char size[9] = "", length[9] = "";

		if (memcmp(at, "070701", 6)) {
			at += 4;	/* padding between archives */
			continue;
		}
		memcpy(size, at + 54, 8);
		memcpy(length, at + 94, 8);
		if (!strcmp((const char *)at + 110, name)) {
			found = at + ((110 + strtoul(length, NULL, 16) + 3) & ~3ul);
			bytes = strtoul(size, NULL, 16);
		}
		at += ((110 + strtoul(length, NULL, 16) + 3) & ~3ul) +
		      ((strtoul(size, NULL, 16) + 3) & ~3ul);
	}
	return !found || fwrite(found, 1, bytes, stdout) != bytes;
}

static struct fake_device *device(struct fake_domain *d, int device_class, const char *index)
{
	struct fake_device *f =
		fake_device(d->info.domain, (uint32_t)device_class, (uint32_t)atoi(index));

	if (!f) {
		fprintf(stderr, "fake_guest: no such device\n");
		exit(1);
	}
	return f;
}

static int show(const struct fake_device *f)
{
	struct parvus_block_config b;
	struct parvus_network_config n;

	memcpy(&b, f->d.config, sizeof(b));
	memcpy(&n, f->d.config, sizeof(n));
	if (f->d.device_class == PARVUS_CLASS_BLOCK)
		return printf("%u %u %u %u %llu %s %s\n", b.major, b.minor, b.flags, b.iops,
			      (unsigned long long)b.bytes_per_second, b.name, b.file) < 0;
	return printf("%02x:%02x:%02x:%02x:%02x:%02x %u %llu %u %s\n%u %s %d%s\n", n.mac[0],
		      n.mac[1], n.mac[2], n.mac[3], n.mac[4], n.mac[5], n.mtu,
		      (unsigned long long)n.bytes_per_second, n.interval_us, n.name, f->mtu,
		      f->bridge, f->up, f->distrusts ? "" : " trusts") < 0;
}

/* What is asked about no domain. */
static int machine(struct fake_state *s, int argc, char **argv)
{
	const char *arg = argc > 3 ? argv[3] : "";
	unsigned int n = 0;
	size_t i;

	if (!strcmp(argv[2], "count"))
		return printf("%u\n", fake_count()) < 0;
	if (!strcmp(argv[2], "fail") && argc == 6) {
		fake_fail((uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
			  (uint32_t)atoi(argv[5]));
		return 0;
	}
	if (!strcmp(argv[2], "loops"))
		return printf("%u\n", fake_loops()) < 0;
	if (!strcmp(argv[2], "devices")) {
		for (i = 0; i < FAKE_DEVICES; i++)
			n += s->device[i].used;
		return printf("%u\n", n) < 0;
	}
	if (!strcmp(argv[2], "loop")) {
		for (i = 0; i < FAKE_LOOPS; i++)
			if (s->loop[i].used && !strcmp(s->loop[i].file, arg))
				return printf("%u\n", s->loop[i].resized) < 0;
		return 1;
	}
	if (!strcmp(argv[2], "there")) {
		for (i = 0; i < FAKE_DEVICES; i++)
			if (s->device[i].used && s->device[i].d.id == (uint32_t)atoi(arg))
				return 0;
		return 1;
	}
	if (!strcmp(argv[2], "backs")) {
		s->no_backs = !atoi(arg);
		return 0;
	}
	if (!strcmp(argv[2], "back") && argc == 5) {
		for (i = 0; i < FAKE_DEVICES; i++)
			if (s->device[i].used && s->device[i].d.id == (uint32_t)atoi(arg))
				s->device[i].d.back_state = (uint32_t)atoi(argv[4]);
		return 0;
	}
	return 99;
}

int main(int argc, char **argv)
{
	struct fake_state *s = fake_attach(NULL);
	const char *arg = argc > 3 ? argv[3] : "";
	struct fake_domain *d;
	int i;

	if (argc < 3)
		return 99;
	if (!strcmp(argv[1], "-"))
		return machine(s, argc, argv);
	for (i = 0; i < 1000; i++) {
		d = find(s, argv[1]);
		if (d && (strcmp(argv[2], "wait") || !(d->info.flags & PARVUS_INFO_PAUSED)))
			break;
		usleep(10000);
	}
	if (i == 1000) {
		fprintf(stderr, "fake_guest: no running domain %s\n", argv[1]);
		return 1;
	}
	if (!strcmp(argv[2], "wait"))
		return printf("%u\n", d->info.domain) < 0;
	if (!strcmp(argv[2], "say"))
		return say(d, arg);
	if (!strcmp(argv[2], "hear"))
		return hear(d, (unsigned int)atoi(arg));
	if (!strcmp(argv[2], "request"))
		return printf("%u\n", d->request) < 0;
	if (!strcmp(argv[2], "ran")) {
		d->info.run_ns = strtoull(arg, NULL, 10);
		return 0;
	}
	if (!strcmp(argv[2], "stole")) {
		d->steal_ns = strtoull(arg, NULL, 10);
		return 0;
	}
	if (!strcmp(argv[2], "take")) {
		uint32_t request = d->request;

		d->request = 0;
		return printf("%u\n", request) < 0;
	}
	if (!strcmp(argv[2], "file"))
		return file(d, arg);
	if (!strcmp(argv[2], "cmdline")) {
		struct parvus_start_info si;

		memcpy(&si, fake_memory(d, d->start.start_info), sizeof(si));
		return puts((char *)fake_memory(d, si.cmdline)) < 0;
	}
	if (!strcmp(argv[2], "disk"))
		return show(device(d, PARVUS_CLASS_BLOCK, arg));
	if (!strcmp(argv[2], "vif"))
		return show(device(d, PARVUS_CLASS_NETWORK, arg));
	if (!strcmp(argv[2], "front") && argc == 6) {
		struct fake_device *f = device(d, atoi(arg), argv[4]);

		f->d.front_state = (uint32_t)atoi(argv[5]);
		if (f->d.front_state == PARVUS_DEVICE_CONNECTED)
			f->d.back_state = PARVUS_DEVICE_CONNECTED;
		return 0;
	}
	if (!strcmp(argv[2], "stuck") && argc == 5) {
		device(d, atoi(arg), argv[4])->stuck = true;
		return 0;
	}
	if (!strcmp(argv[2], "rebind") && argc == 5) {
		struct fake_device *f = device(d, atoi(arg), argv[4]);

		f->generation++;
		f->bridge[0] = 0;
		f->up = f->distrusts = false;
		return 0;
	}
	fake_lock();
	if (!strcmp(argv[2], "follow"))
		follow(d);
	else if (!strcmp(argv[2], "poweroff"))
		fake_end(d, PARVUS_SHUTDOWN_POWEROFF, (uint32_t)atoi(arg), "");
	else if (!strcmp(argv[2], "reboot"))
		fake_end(d, PARVUS_SHUTDOWN_REBOOT, 0, "");
	else if (!strcmp(argv[2], "crash"))
		fake_end(d, PARVUS_SHUTDOWN_CRASH, 0, "");
	else if (!strcmp(argv[2], "kill"))
		fake_end(d, PARVUS_SHUTDOWN_KILLED, 255, arg);
	else
		i = 99;
	fake_unlock();
	return i == 99 ? 99 : 0;
}
