# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 500
# A cluster of Ganeti, unmodified, whose hypervisor is our xl: gnt-cluster init and verify,
# gnt-instance add, startup, list, info, console, reboot, shutdown, modify and remove, by its own
# daemons, over the hypervisor that is a file. The node has name spaces of its own (mounts,
# processes, network, name): nothing of this machine is written, and all ends with process 1 of it.
. tests/system/programs.bash
# they, and what they want that this machine has not
packages=(ganeti ganeti-3.0 ganeti-os-noop openssh-server openssh-client socat)
mapfile -t more < <(apt-get -s --no-install-recommends install "${packages[@]}" 2>/dev/null |
	awk '/^Inst/ { print $2 }')
mapfile -t all < <(printf '%s\n' "${packages[@]}" "${more[@]}" | sort -u)
debs "${all[@]}"
rooted
mkdir -p "$work/over" "$work/debs/usr/local/bin" "$work/debs/var/log/parvus"
# what packages' own scripts would make
ln -s /usr/lib/ganeti/3.0 "$work/debs/etc/ganeti/lib"
ln -s /usr/share/ganeti/3.0 "$work/debs/etc/ganeti/share"
# daemons hand on little of their environment
{
	echo '#!/bin/sh'
	for v in PARVUS_FAKE PARVUS_MONITOR PARVUS_LIB_DIR; do
		printf 'export %s="%s"\n' $v "${!v}"
	done
	echo 'export PARVUS_RUN_DIR=/run/parvus PARVUS_LOG_DIR=/var/log/parvus'
	echo 'export PARVUS_DUMP_DIR=/var/log/parvus'
	echo 'echo "$*" >>/var/log/parvus/calls'
	echo "exec '$work/bin/xl' \"\$@\""
} >"$work/debs/usr/local/bin/xl"
chmod 755 "$work/debs/usr/local/bin/xl"

cat >"$work/node" <<'END_OF_NODE'
set -u
work=$1 guest_bin=$2
die() {
	tail -n 20 /var/log/ganeti/*.log
	grep -h -i -A 6 "xl create" /var/log/ganeti/node-daemon.log
	echo "FAILED: $*"
	exit 1
}
now() { echo "$SECONDS s: $*"; }
name=instance1.example.org
on=(-t tmpfs tmpfs)
mount --make-rprivate / && mount "${on[@]}" "$work/over" && mount "${on[@]}" /run &&
	mount "${on[@]}" /dev/shm && mount "${on[@]}" /root && mount "${on[@]}" /srv &&
	mount -t proc proc /proc && mount -t sysfs sysfs /sys && chmod 700 /root || exit 99
for d in usr etc var; do
	mkdir -p "$work/over/$d/up" "$work/over/$d/work" "$work/debs/$d"
	mount -t overlay overlay "/$d" -o "lowerdir=$work/debs/$d:/$d" -o \
		"upperdir=$work/over/$d/up,workdir=$work/over/$d/work" || exit 99
done
hostname node1.example.org
ip link set lo up && ip link add br0 type bridge && ip link set br0 up &&
	ip addr add 192.0.2.1/24 dev br0 || exit 99
printf '%s\n' '127.0.0.1 localhost' '192.0.2.1 node1.example.org node1' \
	'192.0.2.10 cluster.example.org' "192.0.2.11 $name" >/etc/hosts
rm -f /etc/resolv.conf
echo 'hosts: files' >/etc/nsswitch.conf
printf '%s\n' 'passwd: files' 'group: files' >>/etc/nsswitch.conf

# what packages' own scripts would make: users, keys, a server of them
for u in gnt-admin gnt-daemons gnt-luxid gnt-masterd sshd gnt-confd gnt-metad gnt-rapi; do
	groupadd -rf $u
done
for u in sshd:sshd gnt-confd:gnt-confd gnt-masterd:gnt-confd gnt-metad:gnt-metad \
	gnt-rapi:gnt-rapi; do
	useradd -r -g "${u#*:}" -M -d /run/sshd -s /usr/sbin/nologin "${u%:*}" 2>/dev/null
done
usermod -a -G gnt-admin,gnt-daemons,gnt-masterd,gnt-luxid gnt-masterd
usermod -a -G gnt-daemons gnt-confd
usermod -a -G gnt-daemons,gnt-admin gnt-rapi
mkdir -p /run/lock /run/sshd /run/parvus /root/.ssh /etc/xen/scripts /srv/ganeti/file-storage
echo /srv/ganeti/file-storage >/etc/ganeti/file-storage-paths
cp "$work/kernel" /srv/vmlinuz
printf '#!/bin/sh\n' >/etc/xen/scripts/vif-bridge
chmod 755 /etc/xen/scripts/vif-bridge
ssh-keygen -A >/dev/null
ssh-keygen -q -t rsa -N '' -f /root/.ssh/id_rsa
cp /root/.ssh/id_rsa.pub /root/.ssh/authorized_keys
cp /usr/share/openssh/sshd_config /etc/ssh/
/usr/sbin/sshd || die "sshd: $?"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LC_ALL=C

(while sleep 0.2; do "$guest_bin" $name follow; done) 2>/dev/null &

# small ones are allowed
specs=memory-size=16,cpu-count=1,disk-count=0,disk-size=1,nic-count=0,spindle-use=1
max=memory-size=64,cpu-count=8,disk-count=8,disk-size=1024,nic-count=8,spindle-use=8
gnt-cluster init --enabled-hypervisors=xen-pvm --enabled-disk-templates=file,diskless \
	--file-storage-dir=/srv/ganeti/file-storage --master-netdev=br0 \
	-N mode=bridged,link=br0 --no-etc-hosts \
	--no-ssh-init --ipolicy-std-specs="$specs" --ipolicy-bounds-specs="min:$specs/max:$max" \
	-H xen-pvm:xen_cmd=xl,kernel_path=/srv/vmlinuz,initrd_path= \
	cluster.example.org </dev/null || die "gnt-cluster init: $?"
now init
# Ganeti wants a /proc/sysrq-trigger, for powercycle; that is the kernel's of this machine
verify=(gnt-cluster verify)
[[ -e /proc/sysrq-trigger ]] || verify+=(--ignore-errors=ENODESETUP)
"${verify[@]}" </dev/null || die "gnt-cluster verify: $?"
now verify
fields=name,ctotal,cnodes,csockets,mtotal,pinst_cnt
[[ $(gnt-node list --no-headers --separator=: -o $fields) == \
	node1.example.org:[1-9]:1:1:[1-9]*:0 ]] ||
	die "gnt-node list: $(gnt-node list --no-headers --separator=: -o $fields)"

gnt() { # COMMAND...: of an instance
	gnt-instance "$@" >"$work/said" 2>&1 </dev/null ||
		die "gnt-instance $*: $?: $(cat "$work/said")"
	now "$@"
}
status() { gnt-instance list --no-headers -o status $name; }
is() { [[ $(status) == "$1" ]] || die "$2: $(status), not $1; $(xl list)"; }
gnt add -t file -s 8M -o noop --no-ip-check --no-name-check -B maxmem=64,minmem=32,vcpus=1 \
	-n node1.example.org $name
is running add
[[ $(xl list $name | awk 'NR == 2 { print $3, $4 }') == "64 1" ]] || die "$(xl list)"
[[ $(xl block-list $name) == *instance-disks/$name:0* && $(xl network-list $name) == *br0* ]] ||
	die "its disk and its interface: $(xl block-list $name; xl network-list $name)"
[[ $(gnt-instance list --no-headers --separator=: -o name,hypervisor,oper_ram,oper_vcpus) == \
	$name:xen-pvm:64:1 ]] || die "$(gnt-instance list -o name,hypervisor,oper_ram,oper_vcpus)"
gnt info $name
grep -q 'State: configured to be up, actual state is up' "$work/said" || die "$(cat "$work/said")"

# console: ssh, and Ganeti's own wrapper; Ctrl-] leaves it
"$guest_bin" $name wait >/dev/null
"$guest_bin" $name say $'a prompt of it\n'
(for ((i = 0; i < 100; i++)); do
	grep -q 'a prompt of it' "$work/shown" 2>/dev/null && break
	sleep 0.2
done; printf '\035') |
	timeout 30 script -qec "gnt-instance console $name" /dev/null >"$work/shown" 2>&1 ||
	die "console: $?: $(cat "$work/shown")"
grep -q 'a prompt of it' "$work/shown" || die "console: $(cat "$work/shown")"
now console

# another number after each kind of reboot
for kind in soft hard full; do
	before=$(xl domid $name)
	gnt reboot -t $kind $name
	(($(xl domid $name) > before)) || die "reboot $kind: $(xl list)"
	is running "reboot $kind"
done
gnt shutdown --timeout=60 $name
is ADMIN_down shutdown
xl list $name 2>/dev/null && die "it is there still"
gnt startup $name
is running startup
gnt modify -m 48 $name
[[ $(xl info --json $name | tr -d ' \n') == *'"target_memory_kib":49152,'* ]] ||
	die "modify -m: $(xl info $name)"

# one that ends by itself is seen, and started again by Ganeti's own watcher
"$guest_bin" $name poweroff 0
is ERROR_down poweroff
"${verify[@]}" </dev/null >"$work/said" 2>&1 && die "verify has not seen it: $(cat "$work/said")"
grep -q "instance not running" "$work/said" || die "verify: $(cat "$work/said")"
ganeti-watcher --ignore-pause --no-verify-disks >"$work/said" 2>&1 </dev/null ||
	die "ganeti-watcher: $?: $(cat "$work/said")"
is running "after the watcher"
now watcher
"${verify[@]}" </dev/null || die "the last gnt-cluster verify: $?"
gnt remove -f --shutdown-timeout=60 $name
[[ -z $(xl list | grep -v -e ^Name -e ^Domain-0) ]] || die "left: $(xl list)"
gnt-cluster destroy --yes-do-it </dev/null || die "gnt-cluster destroy: $?"
for word in help info list create shutdown destroy reboot console mem-set; do
	grep -q "^$word" /var/log/parvus/calls || die "nobody called xl $word"
done
now the end
END_OF_NODE
unshare -m -p -n -u -i -f bash "$work/node" "$work" "$guest_bin" >"$work/out" 2>&1 </dev/null
rc=$?
[[ $rc != 99 ]] || { echo "no such name spaces here: $(cat "$work/out")"; exit 77; }
cat "$work/out"
[[ $rc == 0 ]] || fail "in the node: $rc"
exit 0
