# SPDX-License-Identifier: GPL-2.0-only
# @timeout 2400
# Back ends of disks are torn away at random moments, without a word, and come back: the
# kernel's by unbind, a program by SIGKILL. Meanwhile a domain makes a file system,
# unpacks 10,000 files, syncs, and writes with fio. Nothing is lost: the files are what they
# were, fio finds its data, and domain 0 finds both file systems clean. SEED=N repeats the
# moments.
. tests/system/lib.bash

program files
# a program that did not live for 2 s comes back slowly, and the test shall not wait for that
tears=3 count=2000 pause=3
[[ -n ${FULL:-} ]] && tears=20 count=10000
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
echo "SEED=$seed"
mkdir -p "$work/root/usr/bin"
cp "$O/tests/prog/files" "$work/root/usr/bin/"
cat >"$work/root/inside" <<'END'
set -eu
work() { # DISK, on it: a file system, files, data with checksums
	local disk=$1 at=/mnt/$1
	mkdir -p $at
	mkfs.ext4 -q /dev/$disk
	mount /dev/$disk $at
	# on and on, until the last tear
	while :; do
		rm -rf $at/files
		mkdir $at/files
		fio --eta=never --output=$disk.fio --name=$disk --filename=$at/data --size=16m \
			--ioengine=libaio --direct=1 --iodepth=16 --rw=randwrite --bs=4k \
			--verify=crc32c --verify_fatal=1 &
		tar xf /dev/$TAR -C $at/files
		sync
		wait $! || { cat $disk.fio; exit 1; }
		echo "@ $(cut -d' ' -f1 /proc/uptime) $disk: a round"
		[ ! -b /dev/$LAST ] || break
	done
	umount $at
	mount /dev/$disk $at
	# all files, and no others, with their contents
	tar df /dev/$TAR -C $at/files
	[ "$(find $at/files -type f | wc -l)" = $COUNT ]
	fio --eta=never --output=$disk.fio --name=$disk --filename=$at/data --size=16m \
		--ioengine=libaio --direct=1 --iodepth=16 --rw=randwrite --bs=4k \
		--verify=crc32c --verify_fatal=1 --verify_only ||
		{ cat $disk.fio; exit 1; }
	umount $at
	echo "@ $(cut -d' ' -f1 /proc/uptime) $disk: all there"
}
pids=
for disk in $DISKS; do
	work $disk &
	pids="$pids $!"
done
for pid in $pids; do
	wait $pid
done
dmesg | grep -iE 'i/o error|ext4-fs (error|warning)' && exit 1
exit 0
END
export ARGS="brd.rd_nr=1 brd.rd_size=262144"
TIMEOUT=2300 DOM0_MEM=1800M debian "SEED=$seed TEARS=$tears COUNT=$count PAUSE=$pause
$(cat <<'END'
random() { # BELOW: $drawn; the same ones for a seed
	SEED=$(((SEED * 1103515245 + 12345) & 0x7fffffff))
	drawn=$((SEED / 65536 % $1))
}
drivers=/sys/bus/parvus/drivers/block-back
id_of() { # DISK INDEX: the bus's name of the kernel's back end
	local d
	for d in $drivers/*-back; do
		[ -d "$d" ] && [ "$(cat "$d/index")" = "$1" ] && echo "${d##*/}"
	done
}
wait_ms() { usleep $(($1 * 1000)); }

files "$COUNT" 10240 >files.tar
truncate -s 256M program.img
debian_domain u ",'/dev/ram0,raw,xvdb,rw','/tmp/program.img,raw,xvdc,rw,backendtype=program','/tmp/files.tar,raw,xvdd,ro'" \
	"TAR=xvdd DISKS='xvdb xvdc' COUNT=$COUNT LAST=xvdy
$(cat /inside)"
number=$(P domid u)
server=/run/parvus/domains/$number/server-2
until_true 300 'says u | grep -q "login:\|^@" || [ "$(says u | wc -l)" -gt 2 ]'

# The kernel's: the disk with the files, and now and then the root.
kernel_tears() {
	local n=0 name
	while [ $n -lt "$TEARS" ]; do
		random 2500
		wait_ms $drawn
		random 4
		name=$(id_of $([ $drawn = 0 ] && echo 0 || echo 1))
		[ -n "$name" ] || fail "no back end to unbind"
		echo "$name" >$drivers/unbind || fail "unbind $name"
		random 700
		wait_ms $drawn
		echo "$name" >$drivers/bind || fail "bind $name"
		n=$((n + 1))
		step "tear $n of the kernel's back end, $name"
	done
}
program_tears() {
	local n=0 old
	SEED=$((SEED ^ 0x5555555))
	while [ $n -lt "$TEARS" ]; do
		random 2500
		wait_ms $((drawn + PAUSE * 1000))
		old=$(cat "$server")
		kill -9 "$old" || fail "no program to kill"
		n=$((n + 1))
		step "tear $n of the program $old"
		until_true 100 '[ "$(cat '"$server"')" != '"$old"' ]'
	done
}
# A disk does not go on: all that there is to say of it.
stuck() {
	local d
	for d in /sys/bus/parvus/devices/*; do
		echo "${d##*/}: disk $(cat $d/index), $(cat $d/state), its peer" \
			"$(cat $d/peer_state), refused $(cat $d/refused)"
	done
	cat "/proc/$(cat "$server")/wchan" "/proc/$(cat "$server")/stat"
	grep parvus /proc/interrupts
	parvus sysrq u 9
	parvus sysrq u w
	parvus sysrq u t
	sleep 5
	says u | tail -200
	exit 1
}
program_tears &
program=$!
kernel_tears
wait $program || fail "tears of the program"
truncate -s 65536 last.img
P block-attach u /tmp/last.img,raw,xvdy,ro
(ended u 600) || stuck
says u | grep '^@'
[ "$(says u | grep -c ': all there')" = 2 ] || fail "not all there"
P destroy u
until_true 20 '[ -z "$(ls /run/parvus/domains)" ]'
for disk in /dev/ram0 program.img u.img; do
	e2fsck -fn $disk || fail "$disk is not clean"
done
END
)"
