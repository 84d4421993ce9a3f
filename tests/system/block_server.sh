# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# A disk that a program serves, /usr/lib/parvus/block-server on a file: what a domain U writes is in
# the file, also if the program is killed again and again while it writes; the program ends with the
# device; a wrong file is one line, and no server.
. tests/system/lib.bash

control "$(cat <<'END'
S=/usr/lib/parvus/block-server
config() { # FLAGS FILE: a struct parvus_block_config
	printf "\\1\\0\\0\\0\\$1\\0\\0\\0"
	head -c 24 /dev/zero
	printf xvda
	head -c 12 /dev/zero
	printf %s "$2"
}
server() {
	$S --device $id 2>server.err &
	server=$!
	until_true 10 '[ "$(cat /sys/bus/parvus/devices/$id-back/state)" = connected ]'
}
U() { ask u "$1" || fail "in u: $1"; }
same() { # BYTES
	[ "$(head -c $1 disk.img | md5sum)" = "$(U "head -c $1 /tmp/data | md5sum")" ] ||
		fail "the file has not what was written"
}

for args in "" "--device" "--device 0" "--device x" "--device 1 2"; do
	$S $args 2>server.err && fail "block-server $args: accepted"
	[ "$(wc -l <server.err)" = 1 ] || fail "block-server $args: $(cat server.err)"
done
$S --device 4000000 2>server.err && fail "block-server on no device"
grep -q "there is no such device" server.err || fail "$(cat server.err)"

warm
before=$(account)
domain u 64
head -c 8388608 /dev/zero >disk.img
config 4 $PWD/none >cfg
id=$(parvus-device create u 2 0 cfg)
$S --device $id 2>server.err && fail "block-server on a file that is not there"
grep -q "/none: No such file" server.err || fail "$(cat server.err)"
config 4 $PWD/disk.img >cfg
parvus-device configure $id cfg || fail "parvus-device configure"

step "write and read"
server
until_true 10 'ask u "[ -b /dev/xvda ]"'
[ "$(U 'cat /sys/block/xvda/size')" = 16384 ] || fail "its size: $(U 'cat /sys/block/xvda/size')"
U 'head -c 8388608 /dev/urandom >/tmp/data; dd if=/tmp/data of=/dev/xvda bs=64k count=32 conv=fsync 2>/dev/null'
same 2097152
U 'echo 3 >/proc/sys/vm/drop_caches; [ "$(head -c 2097152 /dev/xvda | md5sum)" = "$(head -c 2097152 /tmp/data | md5sum)" ]'

step "kill -9 of the program while it is written to"
U 'sh -c "for i in 1 2 3 4 5 6; do dd if=/tmp/data of=/dev/xvda bs=4k conv=fsync || exit 1; done; >/tmp/done" >/tmp/dd 2>&1 & true'
for i in 1 2 3 4 5 6 7 8 9 10; do
	usleep 150000
	kill -9 $server
	wait $server 2>/dev/null
	server
done
until_true 60 'ask u "[ -f /tmp/done ]"'
same 8388608

step "the device goes"
parvus-device remove $id || fail "parvus-device remove"
wait $server || fail "the server: status $?: $(cat server.err)"
until_true 10 'ask u "[ ! -b /dev/xvda ]"'
P destroy u
until_true 10 'gone u'
balanced "$before"
END
)"
