# SPDX-License-Identifier: GPL-2.0-only
# What tests of domain 0 on whole machines share: disks that say who they are, networks, and the
# look around that domain 0 takes.
half=$((4 << 20))	# bytes that are read; copied to behind them

# disk NAME: a file that says who it is, with something behind; QEMU's words for it
disk() {
	{
		printf '%-511s\n' "disk $1"
		head -c $((half - 512)) /dev/urandom
		head -c $half /dev/zero
	} >"$work/$1.img"
	echo "-drive if=none,id=$1,format=raw,file=$work/$1.img"
}
net() { echo "-netdev user,id=$1,net=10.0.$3.0/24 -device $2,netdev=$1"; }

# What scripts in domain 0 begin with. look_disks prints "disk NAME MD5" for each that says who it
# is, look_nets "answered" for each interface.
look_functions=$(cat <<'END'
fail() { echo "FAILED: $*"; cat /proc/interrupts; dmesg | tail -40; exit 1; }
cat >/tmp/lease <<'LEASE'
#!/bin/sh
[ "$1" = bound ] && ip addr add "$ip/24" dev "$interface" && echo "$serverid" >/tmp/server
LEASE
chmod 755 /tmp/lease
look_disks() {
	for b in /sys/block/nvme*n* /sys/block/sd* /sys/block/vd*; do
		[ -d "$b" ] || continue
		d=/dev/${b##*/}
		read -r name <"$d"
		case $name in "disk "*) ;; *) continue ;; esac
		for cpu in 1 2; do
			taskset $cpu dd if=$d of=/dev/null bs=64k count=64 iflag=direct \
				2>/dev/null || fail "$name: cannot be read"
		done
		echo "$name $(dd if=$d bs=64k count=64 2>/dev/null | md5sum | cut -d' ' -f1)"
		dd if=$d of=$d bs=64k count=64 seek=64 conv=notrunc,fsync 2>/dev/null ||
			fail "$name: cannot be written"
	done
}
look_nets() {
	for n in /sys/class/net/*; do
		n=${n##*/}
		[ -e /sys/class/net/$n/device ] || continue
		ip link set $n up
		rm -f /tmp/server
		udhcpc -n -q -f -t 10 -i $n -s /tmp/lease >/tmp/dhcp 2>&1 ||
			fail "$n: no lease: $(cat /tmp/dhcp)"
		ping -c 5 -i 0.2 -I $n "$(cat /tmp/server)" >/tmp/ping 2>&1 ||
			fail "$n: $(cat /tmp/ping)"
		echo "answered"
		ip addr flush dev $n
		ip link set $n down
	done
}
look_warnings() {
	awk '/^(ERR|MIS):/ && $2 { exit 1 }' /proc/interrupts || fail "interrupts were lost"
	dmesg | grep -iE 'nobody cared|no irq handler|Call Trace|WARNING|BUG:|unchecked' &&
		fail "the kernel warns"
	return 0
}
END
)

# read_right DISK: what domain 0 said in $out of this disk is right, and it was written, too
read_right() {
	local sum
	sum=$(head -c $half "$work/$1.img" | md5sum | cut -d' ' -f1)
	# what GRUB wrote may stand before it
	grep -q "disk $1 *$sum\$" <<<"$out" || fail "$1 is not $sum: $out"
	[[ $(tail -c $half "$work/$1.img" | md5sum | cut -d' ' -f1) == "$sum" ]] ||
		fail "$1 was not written"
}
