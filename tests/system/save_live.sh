# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# A Linux guest with two vCPUs, disk and network, saved in the middle of I/O and restored, three
# times in a row: nothing of the disk is wrong, its clock has stood still, and the network is there
# again; with a checkpoint, and through a pipe. What a person had written before is on the console.
. tests/system/lib.bash

program blockio "-Ipv-abi/include -Ipv-drivers/ring -I$O/gen"
mkdir -p "$work/root/usr/bin"
cp "$O/tests/prog/blockio" "$work/root/usr/bin"
TIMEOUT=${TIMEOUT:-550} control "$(cat <<'END'
{
	dd if=listen bs=512 conv=sync 2>/dev/null
	(cd / && printf '%s\n' usr usr/bin usr/bin/blockio | cpio -o -H newc 2>/dev/null)
} >listen.new
mv listen.new listen
parvus network-nat -s 192.168.77.0/24 start 2>/dev/null || fail "network-nat start"
warm
before=$(account)
dd if=/dev/zero of=a.img bs=1M count=16 2>/dev/null
domain w 96 vcpus=2 "disk=['$PWD/a.img,raw,xvda,rw']" "vif=['bridge=parvus0']"
W() { ask w "$@" >said || fail "w: $*: $(cat said)"; cat said; }
id=$(P domid w)
W 'ip addr add 192.168.77.9/24 dev eth0; ip link set eth0 up'
until_true 20 "ask w 'ping -c 1 -W 1 192.168.77.1' >/dev/null"
W 'echo kept >/kept; (blockio verify /dev/xvda 30 4 8 >/verify 2>&1; echo $? >/status) & true'

step "three times"
for i in 1 2 3; do
	usleep $((i * 370000 % 900000))
	W 'cut -d" " -f1 /proc/uptime' >up.before
	P save w w.sav
	gone w || fail "it is there still"
	sleep 5
	P image-info w.sav >info
	P restore w.sav >said
	[ "$(P domid w)" = "$id" ] || fail "another number: $(cat said)"
	W 'cut -d" " -f1 /proc/uptime' >up.after
	awk '{ getline b <"up.before"; exit !($1 >= b && $1 < b + 4.5) }' up.after ||
		fail "its clock: $(cat up.before up.after)"
	W 'cat /kept' | grep -q kept || fail "its memory"
	until_true 20 "ask w 'ping -c 1 -W 1 192.168.77.1' >/dev/null"
done

step "a checkpoint, and paused"
P save -c w w.sav
W true
P save -p --json w w.sav >said
state w --p--- || state w -bp--- || fail "-p: $(parvus list)"
P unpause w
until_true 60 "ask w 'test -s /status'"
W 'cat /verify' | grep 'blockio ok' || fail "the disk: $(cat said)"
W "dmesg | grep -iE 'stall|lockup|BUG|WARNING|I/O error' ; true" >dmesg.w
[ ! -s dmesg.w ] || fail "dmesg: $(cat dmesg.w)"
P destroy w
until_true 20 '[ -z "$(ls /run/parvus/domains)" ]'
rm -f w.sav a.img
balanced "$before"
END
)"
exit 0
