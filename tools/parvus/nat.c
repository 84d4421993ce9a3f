// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus network-nat: a network for domains on machines without a bridge of their own. A bridge
 * with the first address of a private network that is not in use, addresses and names by
 * dnsmasq (or addresses by BusyBox' udhcpd), and masquerading by one nftables table. RUN/nat says
 * what was done; it is written before each step, so that stop undoes also half of a start.
 */
#include "commands.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MASK	0xffffff00u	/* networks are /24 */
#define FORWARD	"/proc/sys/net/ipv4/ip_forward"

const struct option_text nat_options[] = {
	{ 'b', "bridge", "NAME", "the bridge, parvus0 without it" },
	{ 's', "subnet", "NETWORK", "such as 192.168.77.0/24; one that is free without it" },
	{ 0 },
};

struct nat {
	struct tool *t;
	char bridge[IFNAMSIZ];
	uint32_t net;		/* 192.168.77.0 */
	bool forward;		/* we switched forwarding on */
	bool nft;		/* there is a table of ours */
	bool there;		/* RUN/nat is */
};

/* ---- small things ----------------------------------------------------------------------- */

static void run_file(const char *name, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s/%s", env_dir("PARVUS_RUN_DIR", "/run/parvus"), name);
}

static const char *address(uint32_t net, unsigned int host, char text[16])
{
	struct in_addr a = { .s_addr = htonl(net | host) };

	inet_ntop(AF_INET, &a, text, 16);
	return text;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t n = strlen(text);
	bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* ---- RUN/nat ------------------------------------------------------------------------------- */

static void nat_read(struct nat *n)
{
	int forward, nft;
	char path[300];
	FILE *f;

	run_file("nat", path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		return;
	n->there = fscanf(f, "bridge=%15s net=%x forward=%d nft=%d", n->bridge, &n->net, &forward,
			  &nft) == 4;
	n->forward = n->there && forward;
	n->nft = n->there && nft;
	fclose(f);
}

static int nat_write(struct nat *n)
{
	char path[300], text[120];

	mkdir(env_dir("PARVUS_RUN_DIR", "/run/parvus"), 0755);
	run_file("nat", path, sizeof(path));
	snprintf(text, sizeof(text), "bridge=%s\nnet=%x\nforward=%d\nnft=%d\n", n->bridge, n->net,
		 n->forward, n->nft);
	if (!write_file(path, text))
		return fail("cannot write %s: %s", path, strerror(errno));
	n->there = true;
	return 0;
}

/* The number of the DHCP server, if it runs; 0 = it does not. */
static pid_t dhcp_pid(void)
{
	char path[300], text[16] = "", name[32] = "";
	uint64_t pid;
	FILE *f;

	run_file("nat.pid", path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	text[strcspn(text, "\n")] = 0;
	if (!parvus_number_parse(text, 2, INT32_MAX, &pid))
		return 0;
	/* numbers of processes come back */
	snprintf(path, sizeof(path), "/proc/%u/comm", (unsigned int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(name, sizeof(name), f))
		name[0] = 0;
	fclose(f);
	return strstr(name, "dnsmasq") || strstr(name, "udhcpd") || strstr(name, "busybox") ?
		(pid_t)pid : 0;
}

/* ---- a network ------------------------------------------------------------------------------- */

static bool overlaps(uint32_t net, uint32_t other, uint32_t mask)
{
	return mask && !((net ^ other) & mask & MASK);
}

static uint32_t ipv4_of(const struct sockaddr *a)
{
	return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr);
}

/* Has this machine an address or a route in it? */
static bool in_use(uint32_t net)
{
	struct ifaddrs *all, *a;
	unsigned int dest, mask;
	bool used = false;
	char line[256];
	FILE *f;

	if (getifaddrs(&all))
		return false;
	for (a = all; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_netmask && a->ifa_addr->sa_family == AF_INET)
			used |= overlaps(net, ipv4_of(a->ifa_addr), ipv4_of(a->ifa_netmask));
	freeifaddrs(all);
	f = fopen("/proc/net/route", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &dest, &mask) == 2)
			used |= overlaps(net, ntohl(dest), ntohl(mask));
	if (f)
		fclose(f);
	return used;
}

static int choose(struct nat *n, const char *subnet)
{
	char text[20], end;
	unsigned int i, bits;
	struct in_addr a;

	if (subnet) {
		if (sscanf(subnet, "%15[0-9.]/%u%c", text, &bits, &end) != 2 || bits != 24 ||
		    inet_pton(AF_INET, text, &a) != 1 || (ntohl(a.s_addr) & ~MASK))
			return fail("network-nat: -s %s: a network such as 192.168.77.0/24 is "
				    "expected", subnet);
		n->net = ntohl(a.s_addr);
		if ((n->net & 0xff000000) != 0x0a000000 && (n->net & 0xfff00000) != 0xac100000 &&
		    (n->net & 0xffff0000) != 0xc0a80000)
			return fail("network-nat: -s %s: not a private network (10/8, 172.16/12, "
				    "192.168/16)",
				    subnet);
		return in_use(n->net) ?
		       fail("network-nat: %s is in use on this machine", subnet) : 0;
	}
	for (i = 0; i < 512; i++) {
		n->net =
			i < 256 ? 0xc0a80000 | ((i + 100) & 255) << 8 : 0x0a4d0000 | (i & 255) << 8;
		if (!in_use(n->net))
			return 0;
	}
	return fail("network-nat: no private network is free; -s says which one to take");
}

/* ---- steps ------------------------------------------------------------------------------- */

static int bridge_call(unsigned long request, const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, request, name) ? -errno : 0;
	close(fd);
	return ret;
}

static int set_address(const struct nat *n, unsigned long request, uint32_t value)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(value) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq r = { 0 };

	if (fd < 0)
		return -errno;
	memcpy(r.ifr_name, n->bridge, sizeof(n->bridge));
	memcpy(&r.ifr_addr, &a, sizeof(a));
	ret = ioctl(fd, request, &r) ? -errno : 0;
	close(fd);
	return ret;
}

static int start_bridge(struct nat *n)
{
	int ret;

	ret = bridge_call(SIOCBRADDBR, n->bridge);
	if (!ret)
		ret = parvus_net(PARVUS_NET_DISTRUST, n->bridge, NULL, 0);
	if (!ret)
		ret = set_address(n, SIOCSIFADDR, n->net | 1);
	if (!ret)
		ret = set_address(n, SIOCSIFNETMASK, MASK);
	if (!ret)
		ret = parvus_net(PARVUS_NET_UP, n->bridge, NULL, 1);
	return !ret ? 0 : fail("network-nat: cannot make the bridge %s: %s", n->bridge,
			       strerror(-ret));
}

static int start_forward(struct nat *n)
{
	char was[8] = "";
	FILE *f = fopen(FORWARD, "re");

	if (f) {
		if (!fgets(was, sizeof(was), f))
			was[0] = 0;
		fclose(f);
	}
	if (was[0] == '1')
		return 0;
	n->forward = true;
	if (nat_write(n))
		return 1;
	return write_file(FORWARD, "1\n") ? 0 :
		fail("network-nat: cannot write %s: %s", FORWARD, strerror(errno));
}

static int start_nft(struct nat *n)
{
	char rules[600], said[1000], net[16], nft[] = "nft", file[] = "-f", in[] = "-";
	char *const args[] = { nft, file, in, NULL };
	int status;

	address(n->net, 0, net);
	n->nft = true;
	if (nat_write(n))
		return 1;
	snprintf(rules, sizeof(rules),
		 "table ip parvus\ndelete table ip parvus\ntable ip parvus {\n"
		 "chain postrouting { type nat hook postrouting priority 100;\n"
		 "ip saddr %s/24 ip daddr != %s/24 masquerade; }\n}\n", net, net);
	status = parvus_program(args, rules, said, sizeof(said));
	if (!status)
		return 0;
	n->nft = false;
	if (nat_write(n))
		return 1;
	if (status != 127)
		return fail("network-nat: nft: %s", said[0] ? said : "it failed");
	warning("there is no nft (Debian: nftables): domains reach this machine and each other, no "
		"further");
	return 0;
}

static int start_dnsmasq(const struct nat *n)
{
	char pid[320], leases[320], path[300], bridge[40], range[60], first[16], last[16],
		said[1000];
	char *const args[] = { (char *)"dnsmasq", (char *)"--conf-file=/dev/null",
		(char *)"--bind-interfaces", (char *)"--except-interface=lo",
		(char *)"--dhcp-authoritative", (char *)"--dhcp-no-override",
		/* no line of the log for each request, no lease beyond the range */
		(char *)"--quiet-dhcp", (char *)"--dhcp-lease-max=241", bridge, range, pid, leases,
		NULL };
	int status;

	run_file("nat.pid", path, sizeof(path));
	snprintf(pid, sizeof(pid), "--pid-file=%s", path);
	run_file("nat.leases", path, sizeof(path));
	snprintf(leases, sizeof(leases), "--dhcp-leasefile=%s", path);
	snprintf(bridge, sizeof(bridge), "--interface=%s", n->bridge);
	snprintf(range, sizeof(range), "--dhcp-range=%s,%s,12h", address(n->net, 10, first),
		 address(n->net, 250, last));
	status = parvus_program(args, NULL, said, sizeof(said));
	if (status && status != 127)
		return fail("network-nat: dnsmasq: %s", said[0] ? said : "it failed");
	return status;
}

/* For those who have no dnsmasq: addresses alone, names by the servers that this machine asks. */
static int start_udhcpd(const struct nat *n)
{
	char text[1000], path[300], pid[300], leases[300], first[16], last[16], own[16], line[200];
	char said[1000], server[64];
	char *const args[] = { (char *)"udhcpd", path, NULL };
	FILE *f = fopen("/etc/resolv.conf", "re");
	size_t at;
	int status;

	run_file("nat.pid", pid, sizeof(pid));
	run_file("nat.leases", leases, sizeof(leases));
	run_file("nat.conf", path, sizeof(path));
	at = (size_t)snprintf(text, sizeof(text), "start %s\nend %s\ninterface %s\nmax_leases 241\n"
			      "pidfile %s\nlease_file %s\noption subnet 255.255.255.0\n"
			      "option router %s\noption lease 43200\n", address(n->net, 10, first),
			      address(n->net, 250, last), n->bridge, pid, leases,
			      address(n->net, 1, own));
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "nameserver %63[0-9.]", server) == 1 &&
		    strncmp(server, "127.", 4) && at < sizeof(text))
			at += (size_t)snprintf(text + at, sizeof(text) - at, "option dns %s\n",
					       server);
	if (f)
		fclose(f);
	if (at >= sizeof(text) || !write_file(path, text) || !write_file(leases, ""))
		return fail("network-nat: cannot write %s: %s", path, strerror(errno));
	status = parvus_program(args, NULL, said, sizeof(said));
	if (status && status != 127)
		return fail("network-nat: udhcpd: %s", said[0] ? said : "it failed");
	return status;
}

static int start_dhcp(const struct nat *n)
{
	int status = start_dnsmasq(n), tries;

	if (status == 127)
		status = start_udhcpd(n);
	if (status == 127)
		return fail("network-nat: there is neither dnsmasq (Debian: dnsmasq-base) nor "
			    "udhcpd");
	/* it goes to the background before it says its number */
	for (tries = 0; !status && !dhcp_pid(); tries++) {
		if (tries == 500)
			return fail("network-nat: the DHCP server of %s ended at once, or does not "
				    "say its number", n->bridge);
		usleep(10000);
	}
	return status;
}

/* ---- the command ---- */

static int stop(struct nat *n)
{
	static const char *const files[] = { "nat.pid", "nat.leases", "nat.conf", "nat" };
	char *const args[] = { (char *)"nft", (char *)"delete", (char *)"table", (char *)"ip",
			       (char *)"parvus", NULL };
	char path[300], said[1000];
	pid_t pid = dhcp_pid();
	int tries, ret = 0;
	size_t i;

	if (!n->there)
		return 0;
	if (pid)
		kill(pid, SIGTERM);
	for (tries = 0; pid && tries < 200 && !kill(pid, 0); tries++)
		usleep(10000);
	if (n->nft)
		parvus_program(args, NULL, said, sizeof(said));
	if (n->forward)
		write_file(FORWARD, "0\n");
	if (parvus_net(PARVUS_NET_IS_BRIDGE, n->bridge, NULL, 0) == 1) {
		parvus_net(PARVUS_NET_UP, n->bridge, NULL, 0);
		ret = bridge_call(SIOCBRDELBR, n->bridge);
		if (ret)
			return fail("network-nat: cannot remove the bridge %s: %s", n->bridge,
				    strerror(-ret));
	}
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		run_file(files[i], path, sizeof(path));
		unlink(path);
	}
	n->there = false;
	return 0;
}

static bool runs(const struct nat *n)
{
	return n->there && parvus_net(PARVUS_NET_IS_BRIDGE, n->bridge, NULL, 0) == 1 && dhcp_pid();
}

static int start(struct nat *n, const char *bridge, const char *subnet)
{
	char net[16];

	if (runs(n)) {
		address(n->net, 0, net);
		return subnet && strncmp(subnet, net, strlen(net)) ?
		       fail("network-nat: -s %s: it runs with the network %s/24 already (stop it "
			    "first)", subnet, net) : 0;
	}
	/* what is left of one that was broken */
	if (n->there && stop(n))
		return 1;
	n->forward = n->nft = false;
	snprintf(n->bridge, sizeof(n->bridge), "%s", bridge);
	if (parvus_net(PARVUS_NET_INDEX, bridge, NULL, 0) > 0)
		return fail("network-nat: there is an interface %s already, which this command did "
			    "not make",
			    bridge);
	if (choose(n, subnet) || nat_write(n))
		return 1;
	if (start_bridge(n) || start_forward(n) || start_nft(n) || start_dhcp(n)) {
		stop(n);
		return 1;
	}
	return 0;
}

static int status(const struct nat *n, bool json)
{
	char net[16], own[16];
	struct json_object *o;

	address(n->net, 0, net);
	address(n->net, 1, own);
	if (!json) {
		if (runs(n))
			printf("running: bridge %s, network %s/24, this machine %s%s\n", n->bridge,
			       net, own, n->nft ? "" : ", no NAT");
		else
			printf(n->there ? "broken\n" : "stopped\n");
		return 0;
	}
	o = json_object_new_object();
	add_text(o, "state", runs(n) ? "running" : n->there ? "broken" : "stopped");
	if (n->there) {
		add_text(o, "bridge", n->bridge);
		add_text(o, "network", net);
		add_text(o, "address", own);
		add_bool(o, "nat", n->nft);
	}
	return print_json(o);
}

int cmd_network_nat(struct tool *t)
{
	const char *bridge = NULL, *subnet = NULL, *what;
	struct nat n = { .t = t };
	int c, ret;

	while ((c = tool_option(t)) > 0) {
		if (c == 'b')
			bridge = t->optarg;
		if (c == 's')
			subnet = t->optarg;
	}
	if (c < 0)
		return 1;
	what = t->args[0];
	if (bridge && (!*bridge || strlen(bridge) >= IFNAMSIZ || bridge[0] == '-' ||
		       strpbrk(bridge, "/: \t\n%")))
		return usage(t, "-b %s: the name of a bridge is expected", bridge);
	if (strcmp(what, "start") && strcmp(what, "stop") && strcmp(what, "status"))
		return usage(t, "%s: start, stop or status is expected", what);
	if (subnet && strcmp(what, "start"))
		return usage(t, "-s %s is of start, not of %s", subnet, what);
	nat_read(&n);
	if (bridge && n.there && strcmp(n.bridge, bridge))
		return fail("network-nat: -b %s: it runs with the bridge %s", bridge, n.bridge);
	if (!strcmp(what, "status"))
		return status(&n, t->json);
	ret = !strcmp(what, "stop") ? stop(&n) :
	      start(&n, bridge ? bridge : n.there ? n.bridge : "parvus0", subnet);
	return ret || !t->json ? ret : status(&n, true);
}
