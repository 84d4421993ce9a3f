# SPDX-License-Identifier: GPL-2.0-only
# What scripts in domain 0 share that try network interfaces: behind domain0.ash, with the
# programs vif and netload in /usr/bin.
{ cat listen; (cd / && printf '%s\n' usr usr/bin usr/bin/netload $NET_PROGRAMS |
	cpio -o -H newc 2>/dev/null); } >listen.net
mv listen.net listen
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
ip link add br0 type bridge
ip addr add 10.0.0.1/24 dev br0
ip -6 addr add fd00::1/64 dev br0
ip link set br0 up
netload serve 5000 &
server=$!

# bridge NAME: put an interface into the bridge, up
bridge() {
	until_true 5 "[ -d /sys/class/net/$1 ]"
	brctl addif br0 "$1"
	ip link set "$1" up
}
carrier() { [ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null)" = 1 ]; }

# plug DOMAIN INDEX [KEY=VALUE]...: a device, its interface in the bridge; sets $id
plug() {
	local number index=$2
	number=$(P domid "$1")
	shift 2
	id=$(vif add "$number" "$index" "mac=02:00:00:00:$number:$index" "$@") || fail "vif add"
	bridge "vif$number.$index"
	until_true 10 "carrier vif$number.$index"
}
# address DOMAIN N [INTERFACE]: give its interface addresses, and wait for its carrier
address() {
	must "$1" "i=${3:-eth0}; echo 0 >/proc/sys/net/ipv6/conf/\$i/accept_dad; ip addr add 10.0.0.$2/24 dev \$i; ip link set \$i up; ip -6 addr add fd00::$2/64 dev \$i"
	until_true 10 "[ \"\$(ask $1 'cat /sys/class/net/${3:-eth0}/carrier')\" = 1 ]"
}
# must DOMAIN COMMAND: ask, and it works
must() {
	ask "$@" >said 2>&1 || fail "$*: status $?: $(cat said)"
}
# both DOMAIN HOST MIB: bytes to and from a server, all of them right
both() {
	must "$1" "netload send $2 5000 $3 && netload recv $2 5000 $3"
}
counter() { # INTERFACE NAME, summed over queues
	netload stats "$1" | awk -v want="$2" \
		'{ sub(/queue_[0-9]*_/, "", $1) } $1 == want { n += $2 } END { print n + 0 }'
}
clean_guest() {
	ask "$1" 'dmesg | grep -iE -A15 "call trace|unchecked msr|WARNING:|BUG:|hung task|Oops:|general protection fault:.*#"' >said &&
		fail "the kernel of $1 complains: $(cat said)"
	return 0
}
# What the hypervisor holds for devices
held() { account | grep -E 'ports|grants|mappings|devices'; }
