// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad arguments to /dev/parvus: sizes, addresses, flags and numbers that are refused
 * before any hypercall, whatever the hypervisor serves. Where events are served, two
 * ports of this domain are joined, and signals counted. Prints "devparvus ok".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <parvus/linux.h>

static int bad;

/* The call failed with @want. */
static void refused(const char *what, long ret, int want)
{
	if (ret == -1 && errno == want)
		return;
	printf("%s: %ld (%s), wanted %s\n", what, ret, ret == -1 ? strerror(errno) : "done",
	       strerror(want));
	bad = 1;
}

/* The call failed, but how depends on what the hypervisor serves; never by a bad address. */
static void failed(const char *what, long ret)
{
	if (ret == -1 && errno != EFAULT)
		return;
	printf("%s: %ld (%s), should fail\n", what, ret, ret == -1 ? strerror(errno) : "done");
	bad = 1;
}

static int node(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || (st.st_mode & 07777) != 0600) {
		printf("%s: mode %o\n", path, st.st_mode);
		bad = 1;
	}
	return fd;
}

static void common(const char *path, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	refused(path, ioctl(fd, _IO('P', 0x7f), 0), ENOTTY);
	refused(path, ioctl(fd, TCGETS, 0), ENOTTY);
	refused(path, lseek(fd, 0, SEEK_SET), ESPIPE);
	if (poll(&p, 1, 0) < 0 || p.revents & POLLNVAL) {
		printf("%s: poll\n", path);
		bad = 1;
	}
}

static void readable(const char *path, int fd, int size)
{
	char buf[64];

	refused(path, read(fd, buf, size - 1), EINVAL);
	refused(path, read(fd, buf, sizeof(buf)), EAGAIN);
}

static void *volatile nowhere = (void *)0x10;	/* what the compiler must not know */

static void calls(const char *path, int fd, uint32_t bytes, uint32_t op)
{
	struct parvus_ioctl_call call = { .op = op, .bytes = bytes };

	refused(path, ioctl(fd, PARVUS_IOC_CALL, nowhere), EFAULT);
	call.data = (uintptr_t)nowhere;
	refused(path, ioctl(fd, PARVUS_IOC_CALL, &call), EFAULT);
	call.data = 0xffff888000000000ull;	/* a kernel's own */
	refused(path, ioctl(fd, PARVUS_IOC_CALL, &call), EFAULT);
	call.data = ~0ull;
	refused(path, ioctl(fd, PARVUS_IOC_CALL, &call), EFAULT);
	call.bytes = 0;
	refused(path, ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	call.bytes = 4097;
	refused(path, ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	call.bytes = 0xffffffff;
	refused(path, ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
}

static void control(void)
{
	static char page[4096];
	struct parvus_ioctl_call call = { .data = (uintptr_t)page };
	struct parvus_ioctl_copy copy = { .data = (uintptr_t)page, .bytes = 8 };
	struct parvus_ioctl_commit commit = { .domain = 1 };
	int fd = node("/dev/parvus/control");

	if (fd < 0)
		return;		/* a domain U; the caller knows which */
	puts("control");
	common("control", fd);
	readable("control", fd, 8);
	calls("control", fd, sizeof(struct parvus_control_machine), PARVUS_CONTROL_MACHINE);
	call.op = PARVUS_CONTROL_COPY;
	call.bytes = sizeof(struct parvus_control_copy);
	refused("COPY by CALL", ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	call.op = PARVUS_CONTROL_CREATE;
	call.bytes = sizeof(struct parvus_control_create) - 1;
	refused("short CREATE", ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	call.op = PARVUS_CONTROL_DESTROY;
	call.bytes = 4096;
	refused("long DESTROY", ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	call.op = PARVUS_CONTROL_OPS;
	failed("unknown op", ioctl(fd, PARVUS_IOC_CALL, &call));
	call.op = PARVUS_CONTROL_MACHINE;	/* with size 0 */
	call.bytes = sizeof(struct parvus_control_machine);
	failed("MACHINE of no size", ioctl(fd, PARVUS_IOC_CALL, &call));
	call.op = PARVUS_CONTROL_INFO;
	((struct parvus_control_info *)page)->size = sizeof(struct parvus_control_info);
	((struct parvus_control_info *)page)->version = 1;
	((struct parvus_control_info *)page)->domain = 0xfffffff0;
	call.bytes = sizeof(struct parvus_control_info);
	failed("INFO of nobody", ioctl(fd, PARVUS_IOC_CALL, &call));

	refused("COPY", ioctl(fd, PARVUS_IOC_COPY, nowhere), EFAULT);
	copy.flags = 2;
	refused("COPY flags", ioctl(fd, PARVUS_IOC_COPY, &copy), EINVAL);
	copy.flags = 0;
	copy.gpa = ~0ull - 3;
	refused("COPY around", ioctl(fd, PARVUS_IOC_COPY, &copy), EINVAL);
	copy.gpa = 0;
	copy.data = (uintptr_t)nowhere;
	refused("COPY from nowhere", ioctl(fd, PARVUS_IOC_COPY, &copy), EFAULT);
	copy.data = (uintptr_t)page;
	copy.domain = 0xfffffff0;
	copy.bytes = 1ull << 40;
	copy.flags = PARVUS_COPY_OUT;
	failed("COPY of too much", ioctl(fd, PARVUS_IOC_COPY, &copy));

	refused("COMMIT", ioctl(fd, PARVUS_IOC_COMMIT, nowhere), EFAULT);
	refused("COMMIT of a stranger", ioctl(fd, PARVUS_IOC_COMMIT, &commit), ENOENT);
	commit.flags = 2;
	refused("COMMIT flags", ioctl(fd, PARVUS_IOC_COMMIT, &commit), EINVAL);
	close(fd);
}

static void event(void)
{
	struct parvus_event_bind good = {
		.size = sizeof(good), .version = 1, .kind = PARVUS_EVENT_UNBOUND,
		.domain = PARVUS_DOMAIN_SELF,
	}, b;
	int fd = node("/dev/parvus/event");
	uint32_t port = 1;

	if (fd < 0) {
		puts("no event");
		bad = 1;
		return;
	}
	common("event", fd);
	readable("event", fd, 4);
	refused("BIND", ioctl(fd, PARVUS_IOC_BIND, nowhere), EFAULT);
#define BIND(member, value) do { \
		b = good; b.member = value; \
		refused("BIND " #member, ioctl(fd, PARVUS_IOC_BIND, &b), EINVAL); \
	} while (0)
	BIND(size, 0);
	BIND(size, sizeof(b) + 8);
	BIND(version, 2);
	BIND(reserved[0], 1);
	BIND(reserved[1], 1);
	BIND(flags, 2);
	BIND(vcpu, 64);
	BIND(vcpu, 0xffffffff);
	b = good;
	b.kind = PARVUS_EVENT_CLOSED;
	failed("BIND closed", ioctl(fd, PARVUS_IOC_BIND, &b));
	b.kind = PARVUS_EVENT_VIRQ;
	b.virq = PARVUS_VIRQ_MEMORY;
	failed("BIND of a source", ioctl(fd, PARVUS_IOC_BIND, &b));
	b.kind = PARVUS_EVENT_INTERDOMAIN;
	b.remote_port = 4096;
	failed("BIND to no port", ioctl(fd, PARVUS_IOC_BIND, &b));

	refused("SEND", ioctl(fd, PARVUS_IOC_SEND, nowhere), EFAULT);
	refused("CLOSE", ioctl(fd, PARVUS_IOC_CLOSE, nowhere), EFAULT);
	for (port = 0; port < 5000; port += 7) {
		refused("SEND of a stranger", ioctl(fd, PARVUS_IOC_SEND, &port), ENOENT);
		refused("CLOSE of a stranger", ioctl(fd, PARVUS_IOC_CLOSE, &port), ENOENT);
		refused("unmask of a stranger", write(fd, &port, sizeof(port)), ENOENT);
	}
	refused("write of 3 bytes", write(fd, &port, 3), EINVAL);
	refused("write from nowhere", write(fd, nowhere, 4), EFAULT);
	close(fd);
}

/* The next port that was signalled within @ms, or 0. */
static uint32_t signalled(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint32_t port = 0;

	if (poll(&p, 1, ms) == 1 && read(fd, &port, sizeof(port)) != sizeof(port))
		return 0;
	return port;
}

static void expect(const char *what, uint32_t is, uint32_t want)
{
	if (is == want)
		return;
	printf("%s: %u, wanted %u\n", what, is, want);
	bad = 1;
}

/* Two ends in this domain: a signal comes once until its number is written back. */
static void loop(void)
{
	struct parvus_event_bind a = {
		.size = sizeof(a), .version = 1, .kind = PARVUS_EVENT_UNBOUND,
		.domain = PARVUS_DOMAIN_SELF,
	}, b = a;
	int fd = open("/dev/parvus/event", O_RDWR | O_NONBLOCK), other, i;
	uint32_t port;

	if (ioctl(fd, PARVUS_IOC_BIND, &a)) {
		if (errno != ENOSYS)
			refused("BIND", -1, 0);
		close(fd);
		return;
	}
	puts("events");
	other = open("/dev/parvus/event", O_RDWR | O_NONBLOCK);
	b.kind = PARVUS_EVENT_INTERDOMAIN;
	b.remote_port = a.port;
	b.vcpu = 1;	/* if there is one just now */
	if (ioctl(other, PARVUS_IOC_BIND, &b)) {
		b.vcpu = 0;
		expect("BIND of the other end", ioctl(other, PARVUS_IOC_BIND, &b), 0);
	}
	refused("SEND by the wrong file", ioctl(other, PARVUS_IOC_SEND, &a.port), ENOENT);
	expect("nothing yet", signalled(fd, 100), 0);
	for (i = 0; i < 1000; i++) {
		expect("SEND", ioctl(other, PARVUS_IOC_SEND, &b.port), 0);
		expect("signal", signalled(fd, 5000), a.port);
		expect("SEND back", ioctl(fd, PARVUS_IOC_SEND, &a.port), 0);
		expect("signal back", signalled(other, 5000), b.port);
		expect("unmask", write(fd, &a.port, 4), 4);
		expect("unmask", write(other, &b.port, 4), 4);
	}
	expect("SEND", ioctl(other, PARVUS_IOC_SEND, &b.port), 0);
	expect("signal", signalled(fd, 5000), a.port);
	for (i = 0; i < 10; i++)
		expect("SEND", ioctl(other, PARVUS_IOC_SEND, &b.port), 0);
	expect("masked", signalled(fd, 100), 0);
	expect("unmask", write(fd, &a.port, 4), 4);
	expect("signal of ten", signalled(fd, 5000), a.port);
	expect("unmask", write(fd, &a.port, 4), 4);
	expect("no more", signalled(fd, 100), 0);
	/* a number that is written back before it was read is in the ring once */
	for (i = 0; i < 10; i++) {
		ioctl(other, PARVUS_IOC_SEND, &b.port);
		usleep(10000);
		expect("unmask", write(fd, &a.port, 4), 4);
	}
	expect("signal", signalled(fd, 5000), a.port);
	expect("once", signalled(fd, 100), 0);
	port = a.port;
	expect("CLOSE", ioctl(fd, PARVUS_IOC_CLOSE, &port), 0);
	refused("CLOSE again", ioctl(fd, PARVUS_IOC_CLOSE, &port), ENOENT);
	close(other);
	close(fd);
}

static void grant(void)
{
	static uint32_t refs[256];
	struct parvus_ioctl_grant good = {
		.domain = 0xfffffff0, .count = 1, .refs = (uintptr_t)refs,
	}, g;
	int fd = node("/dev/parvus/grant");
	unsigned int i;

	if (fd < 0) {
		puts("no grant");
		bad = 1;
		return;
	}
	refused("grant", ioctl(fd, _IO('P', 0x7f), 0), ENOTTY);
	for (i = 0; i < 2; i++) {
		unsigned long cmd = i ? PARVUS_IOC_GRANT_OFFER : PARVUS_IOC_GRANT_MAP;

		refused("grant", ioctl(fd, cmd, nowhere), EFAULT);
#define GRANT(member, value) do { \
			g = good; g.member = value; \
			refused("grant " #member, ioctl(fd, cmd, &g), EINVAL); \
		} while (0)
		GRANT(count, 0);
		GRANT(count, 257);
		GRANT(count, 0xffffffff);
		GRANT(flags, 2);
		GRANT(reserved, 1);
	}
	g = good;
	failed("MAP of nobody's", ioctl(fd, PARVUS_IOC_GRANT_MAP, &g));
	g.count = 256;
	failed("MAP of nobody's", ioctl(fd, PARVUS_IOC_GRANT_MAP, &g));
	g.refs = (uintptr_t)nowhere;
	refused("MAP refs", ioctl(fd, PARVUS_IOC_GRANT_MAP, &g), EFAULT);
	for (i = 0; i < 4; i++)
		refused("mmap of nothing", (long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd,
						      i * 4096), EINVAL);
	refused("private mmap", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
	close(fd);
}

static void device(void)
{
	struct parvus_device d = { .size = sizeof(d), .version = 1 };
	struct parvus_ioctl_call call = { .data = (uintptr_t)&d, .bytes = sizeof(d) };
	int fd = node("/dev/parvus/device");

	if (fd < 0) {
		puts("no device");
		bad = 1;
		return;
	}
	common("device", fd);
	readable("device", fd, 4);
	calls("device", fd, sizeof(d), PARVUS_DEVICE_READ);
	call.op = PARVUS_DEVICE_CHANGED;
	refused("CHANGED", ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	call.op = 1000;
	failed("unknown op", ioctl(fd, PARVUS_IOC_CALL, &call));
	call.op = PARVUS_DEVICE_READ;
	d.id = 0xfffffff0;
	failed("READ of nothing", ioctl(fd, PARVUS_IOC_CALL, &call));
	call.op = PARVUS_DEVICE_SET;
	refused("SET of nothing", ioctl(fd, PARVUS_IOC_CALL, &call), ENOENT);
	d.flags = 4;
	refused("SET flags", ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	d.flags = 0;
	d.reserved[1] = 1;
	refused("SET reserved", ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	d.reserved[1] = 0;
	d.size--;
	refused("SET size", ioctl(fd, PARVUS_IOC_CALL, &call), EINVAL);
	close(fd);
}

int main(void)
{
	control();
	event();
	loop();
	grant();
	device();
	if (!bad)
		puts("devparvus ok");
	return bad;
}
