// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load for a network:
 *	netload serve PORT			what the others talk to, for IPv4 and IPv6
 *	netload send HOST PORT MIB [STREAMS]	bytes there, each verified by the server
 *	netload recv HOST PORT MIB [STREAMS]	bytes from there, each verified
 *	netload push | pull HOST PORT MIB	the same, but nobody looks at them
 *	netload ping HOST PORT TIMES		one byte there and back
 *	netload mlisten GROUP PORT INTERFACE	a datagram to the group, printed
 *	netload msend GROUP PORT INTERFACE TEXT
 *	netload offload INTERFACE WHAT on|off	WHAT: tx, rx, sg, tso, gso, gro
 *	netload stats INTERFACE			ethtool's counters
 * The clients print how many nanoseconds it took: under QEMU's -icount shift=0 that is
 * instructions.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATTERN	65521u	/* a prime: what is out of place does not fit */
#define CHUNK	(1u << 18)

struct order {
	char what;	/* s, r, u, l (push, pull), p */
	char reserved[7];
	uint64_t bytes;
};

static unsigned char pattern[PATTERN + CHUNK], buf[CHUNK];

static void die(const char *what)
{
	fprintf(stderr, "netload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_pattern(void)
{
	uint32_t x = 2463534242u, i;

	for (i = 0; i < sizeof(pattern); i++) {
		if (i >= PATTERN) {
			pattern[i] = pattern[i - PATTERN];
			continue;
		}
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		pattern[i] = x >> 11;
	}
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void all_out(int fd, const void *from, size_t bytes)
{
	ssize_t n;

	for (; bytes; from = (const char *)from + n, bytes -= n) {
		n = send(fd, from, bytes, MSG_NOSIGNAL);
		if (n <= 0)
			die("send");
	}
}

static void all_in(int fd, void *to, size_t bytes)
{
	if (recv(fd, to, bytes, MSG_WAITALL) != (ssize_t)bytes)
		die("recv");
}

static void source(int fd, uint64_t bytes)
{
	uint64_t at, n;

	for (at = 0; at < bytes; at += n) {
		n = bytes - at < CHUNK ? bytes - at : CHUNK;
		all_out(fd, pattern + at % PATTERN, n);
	}
}

static void sink(int fd, uint64_t bytes, int verify)
{
	uint64_t at;
	ssize_t n;

	for (at = 0; at < bytes; at += n) {
		n = recv(fd, buf, bytes - at < CHUNK ? bytes - at : CHUNK, 0);
		if (n <= 0)
			die("recv");
		if (verify && memcmp(buf, pattern + at % PATTERN, n)) {
			fprintf(stderr, "netload: wrong bytes from %llu on\n",
				(unsigned long long)at);
			exit(1);
		}
	}
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void serve_one(int fd)
{
	struct order o;

	no_delay(fd);
	all_in(fd, &o, sizeof(o));
	switch (o.what) {
	case 's':
	case 'u':
		sink(fd, o.bytes, o.what == 's');
		all_out(fd, "k", 1);
		break;
	case 'r':
	case 'l':
		source(fd, o.bytes);
		break;
	case 'p':
		while (recv(fd, buf, 1, 0) == 1)
			all_out(fd, buf, 1);
	}
}

static int serve(int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1, c;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) || listen(fd, 16))
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		c = accept(fd, NULL, NULL);
		if (c < 0)
			die("accept");
		if (!fork()) {
			serve_one(c);
			exit(0);
		}
		close(c);
	}
}

static int reach(const char *host, int port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int six = inet_pton(AF_INET, host, &v4.sin_addr) != 1, fd, i;

	if (six && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
		die(host);
	for (i = 0; ; i++) {
		fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, six ? (void *)&v6 : (void *)&v4, six ? sizeof(v6) : sizeof(v4)))
			break;
		if (i == 50)
			die("connect");
		close(fd);
		usleep(100000);		/* the server may not be there yet */
	}
	no_delay(fd);
	return fd;
}

static void client(char what, const char *host, int port, uint64_t n)
{
	struct order o = { .what = what, .bytes = n };
	int fd = reach(host, port);
	char k;

	all_out(fd, &o, sizeof(o));
	switch (what) {
	case 's':
	case 'u':
		source(fd, n);
		all_in(fd, &k, 1);
		break;
	case 'r':
	case 'l':
		sink(fd, n, what == 'r');
		break;
	case 'p':
		for (; n; n--) {
			all_out(fd, "p", 1);
			all_in(fd, &k, 1);
		}
	}
	close(fd);
}

static int clients(char what, const char *host, int port, uint64_t n, int streams)
{
	uint64_t start = now();
	int i, status, bad = 0;

	for (i = 1; i < streams; i++)
		if (!fork()) {
			client(what, host, port, n);
			exit(0);
		}
	client(what, host, port, n);
	while (wait(&status) > 0)
		bad |= status;
	printf("%llu\n", (unsigned long long)(now() - start));
	return bad != 0;
}

static int multicast(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[3])) };
	struct ip_mreqn m = { .imr_ifindex = if_nametoindex(argv[4]) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	ssize_t n;

	inet_pton(AF_INET, argv[2], &m.imr_multiaddr);
	if (argc > 5) {
		a.sin_addr = m.imr_multiaddr;
		if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)) ||
		    sendto(fd, argv[5], strlen(argv[5]), 0, (void *)&a, sizeof(a)) < 0)
			die("msend");
		return 0;
	}
	if (bind(fd, (void *)&a, sizeof(a)) ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)))
		die("mlisten");
	alarm(10);
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0)
		die("recv");
	printf("%.*s\n", (int)n, buf);
	return 0;
}

static int ethtool(const char *interface, void *data)
{
	struct ifreq r = { .ifr_data = data };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ret;

	strncpy(r.ifr_name, interface, IFNAMSIZ - 1);
	ret = ioctl(fd, SIOCETHTOOL, &r);
	close(fd);
	return ret;
}

static int offload(const char *interface, const char *what, const char *value)
{
	static const struct { const char *name; uint32_t cmd; } known[] = {
		{ "tx", ETHTOOL_STXCSUM }, { "rx", ETHTOOL_SRXCSUM }, { "sg", ETHTOOL_SSG },
		{ "tso", ETHTOOL_STSO }, { "gso", ETHTOOL_SGSO }, { "gro", ETHTOOL_SGRO },
	};
	struct ethtool_value v = { .data = !strcmp(value, "on") };
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, what)) {
			v.cmd = known[i].cmd;
			if (ethtool(interface, &v))
				die(what);
			return 0;
		}
	die(what);
	return 1;
}

static int stats(const char *interface)
{
	static struct { struct ethtool_gstrings h; char name[2048][ETH_GSTRING_LEN]; } names;
	static struct { struct ethtool_stats h; uint64_t value[2048]; } values;
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	unsigned int i;

	if (ethtool(interface, &info) || info.n_stats > 2048)
		die("drvinfo");
	printf("driver %s\nbus %s\n", info.driver, info.bus_info);
	names.h = (struct ethtool_gstrings){ ETHTOOL_GSTRINGS, ETH_SS_STATS, info.n_stats };
	values.h = (struct ethtool_stats){ ETHTOOL_GSTATS, info.n_stats };
	if (ethtool(interface, &names) || ethtool(interface, &values))
		die("stats");
	for (i = 0; i < info.n_stats; i++)
		printf("%.32s %llu\n", names.name[i], (unsigned long long)values.value[i]);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; char what; } loads[] = {
		{ "send", 's' }, { "recv", 'r' }, { "push", 'u' }, { "pull", 'l' }, { "ping", 'p' },
	};
	const char *what = argc > 2 ? argv[1] : "";
	unsigned int i;

	make_pattern();
	if (!strcmp(what, "serve"))
		return serve(atoi(argv[2]));
	if (!strcmp(what, "stats"))
		return stats(argv[2]);
	if (!strcmp(what, "offload") && argc == 5)
		return offload(argv[2], argv[3], argv[4]);
	if ((!strcmp(what, "mlisten") && argc == 5) || (!strcmp(what, "msend") && argc == 6))
		return multicast(argc, argv);
	for (i = 0; i < sizeof(loads) / sizeof(loads[0]) && argc >= 5; i++)
		if (!strcmp(what, loads[i].name))
			return clients(loads[i].what, argv[2], atoi(argv[3]),
				       atoll(argv[4]) << (loads[i].what == 'p' ? 0 : 20),
				       argc > 5 ? atoi(argv[5]) : 1);
	fputs("netload: see its source\n", stderr);
	return 2;
}
