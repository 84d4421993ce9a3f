# SPDX-License-Identifier: GPL-2.0-only
# parvus network-nat, for real, in a network namespace: bridge, addresses and forwarding are
# there after start and gone after stop; start and stop twice are as once; a peer on the bridge
# gets an address, and its router advertisements and redirects change nothing here; what is in use,
# or not ours, is refused; a failed start leaves nothing.
. tests/system/lib.bash
parvus=$(realpath "$O/tools/parvus")
[[ -x $parvus ]] || { echo "no $parvus: make tools"; exit 99; }
if [[ -z ${INSIDE:-} ]]; then
	unshare -n -m true 2>/dev/null || { echo "no network namespaces here"; exit 77; }
	INSIDE=1 exec unshare -n -m bash "$0"
fi
mount -t sysfs sysfs /sys || exit 77
ip link add parvus-test type bridge 2>/dev/null || { echo "no bridges here"; exit 77; }
ip link del parvus-test
ip link set lo up
export PARVUS_RUN_DIR=$work/run
mkdir "$work/bin"
ln -s "$(command -v busybox)" "$work/bin/udhcpd"
nft list tables >/dev/null 2>&1 && nft=1 || nft=
trap '"$parvus" network-nat stop >/dev/null 2>&1; rm -rf "$work"' EXIT

P() { "$parvus" network-nat "$@" 2>"$work/err" || fail "network-nat $*: $(cat "$work/err")"; }
bad() { # TEXT ARG...
	local text=$1
	shift
	"$parvus" network-nat "$@" >"$work/out" 2>"$work/err" && fail "network-nat $*: no failure"
	[[ $(grep -vc warning: "$work/err") == 1 && $(cat "$work/err") == *"$text"* ]] ||
		fail "network-nat $*: $(cat "$work/err"), not: $text"
}
# advertise: the peer says that it is a router, with a prefix and a default route
advertise() {
	ip netns exec nat-test python3 - <<'END' || fail "advertise"
import socket, struct, time
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
i = socket.if_nametoindex("peer")
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, i)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 3600, 3600, 0,
    socket.inet_pton(socket.AF_INET6, "2001:db8:66::"))
for n in range(40):
    try:
        s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix,
            ("ff02::1", 0, 0, i))
        if n > 2:
            break
    except OSError:  # its address is not yet tried out
        pass
    time.sleep(0.1)
else:
    raise SystemExit("no advertisement could be sent")
END
}
believed() { [[ $(ip -6 route; ip -6 addr) == *2001:db8:66:* && $(ip -6 route) == *default* ]]; }
traces() {
	ip -o link
	cat /proc/sys/net/ipv4/ip_forward
	ls "$PARVUS_RUN_DIR" 2>/dev/null
	nft list tables 2>/dev/null
}
before=$(traces)

try() { # PATH: a whole life
	local PATH=$1
	[[ $(P status) == stopped ]] || fail "not stopped: $(P status)"
	P start
	P start
	local running="running: bridge parvus0, network 192.168.100.0/24"
	[[ $(P status) == "$running, this machine 192.168.100.1"* ]] || fail "$(P status)"
	P status --json | grep -q '"state":"running"' || fail "status --json"
	[[ $(cat /proc/sys/net/ipv4/ip_forward) == 1 ]] || fail "no forwarding"
	[[ -z $nft ]] || nft list table ip parvus | grep -q masquerade || fail "no masquerading"
	bad "it runs with the bridge parvus0" start -b other
	# a peer behind the bridge
	ip link add peer type veth peer name port || fail veth
	ip netns add nat-test && ip link set peer netns nat-test || fail netns
	ip link set port master parvus0 && ip link set port up
	ip netns exec nat-test ip link set peer up
	ip netns exec nat-test busybox udhcpc -i peer -n -q -f -s /bin/true -t 20 -T 1 \
		>"$work/dhcp" 2>&1 &&
		grep -q 'lease of 192.168.100.[0-9]* obtained' "$work/dhcp" ||
		fail "no address: $(cat "$work/dhcp")"
	advertise
	believed && fail "the peer's advertisement was taken: $(ip -6 route)"
	for f in ipv6/accept_ra ipv6/autoconf ipv6/accept_redirects ipv4/accept_redirects \
		ipv4/accept_source_route; do
		[[ $(cat "/proc/sys/net/${f%/*}/conf/parvus0/${f#*/}") == 0 ]] ||
			fail "$f of the bridge is on"
	done
	ip netns del nat-test
	P stop
	P stop
	sleep 0.2
	[[ $(traces) == "$before" ]] || fail "left: $(traces), before: $before"
}
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns || exit 77
# what the peer says works where nobody looks after it
ip link add believer type bridge && ip link set believer up
ip link add peer type veth peer name port && ip netns add nat-test &&
	ip link set peer netns nat-test || fail netns
ip link set port master believer && ip link set port up &&
	ip netns exec nat-test ip link set peer up
advertise
for ((i = 0; i < 50; i++)); do believed && break; sleep 0.1; done
believed || fail "an advertisement has no effect anywhere: $(ip -6 route)"
ip netns del nat-test
ip link del believer
before=$(traces)
# without dnsmasq it is BusyBox' udhcpd
mkdir "$work/none"
printf '#!/bin/sh\nexit 127\n' >"$work/none/dnsmasq"
chmod 755 "$work/none/dnsmasq"
try "$work/none:$PATH:$work/bin"
echo 1 >/proc/sys/net/ipv4/ip_forward
before=$(traces)
try "$PATH:$work/bin"	# forwarding that was on before stays on

ip link add dummy type bridge && ip addr add 192.168.100.77/16 dev dummy && ip link set dummy up
bad "is in use" start -s 192.168.9.0/24
PATH=$PATH:$work/bin P start
[[ $(P status) == *"network 10.77."* ]] || fail "a network that is in use: $(P status)"
P stop
bad "there is an interface dummy already" start -b dummy
bad "a network such as" start -s 192.168.77.0
bad "a network such as" start -s 192.168.77.1/24
bad "not a private network" start -s 8.8.8.0/24
bad "start, stop or status" restart
bad "the name of a bridge" start -b this-name-is-too-long
before=$(traces)
# a bridge and a network of one's own
for options in "-b br-own -s 10.9.8.0/24" "--bridge br-own --subnet 10.9.8.0/24"; do
	# shellcheck disable=SC2086
	PATH=$PATH:$work/bin P start $options
	[[ $(P status) == "running: bridge br-own, network 10.9.8.0/24, "*" 10.9.8.1"* ]] ||
		fail "$options: $(P status)"
	P stop -b br-own
	[[ $(traces) == "$before" ]] || fail "after $options: $(traces)"
done
# a server that fails
mkdir "$work/broken"
printf '#!/bin/sh\necho it fails >&2\nexit 2\n' >"$work/broken/dnsmasq"
chmod 755 "$work/broken/dnsmasq"
PATH=$work/broken:$PATH bad "dnsmasq: it fails" start
[[ $(traces) == "$before" ]] || fail "a failed start left: $(traces)"
exit 0
