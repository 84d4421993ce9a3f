# SPDX-License-Identifier: GPL-2.0-only
# @timeout 1500
# Debian boots from a disk that domain 0 serves to multi-user, installs a package, and leaves
# a clean file system; what fio writes to a raw file, a block device and qcow2, in sequence,
# at random and mixed, one and 32 at a time, it reads back, and domain 0 finds it there.
. tests/system/lib.bash

size=4
[[ -n ${FULL:-} ]] && size=16
mkdir -p "$work/root"
cat >"$work/root/inside" <<'END'
set -eu
echo "@ $(cut -d' ' -f1 /proc/uptime) started"
[ "$(systemctl is-active multi-user.target)" = active ]
systemctl --failed --no-legend | tee failed
[ ! -s failed ]
[ "$(stat -c %d /)" = "$((0x$(stat -c %t /dev/$ROOT) * 256 + 0x$(stat -c %T /dev/$ROOT)))" ]

mkdir -p p/DEBIAN p/opt
printf '%s\n' 'Package: parvus-try' 'Version: 1' 'Architecture: all' \
	'Maintainer: nobody <n@example.org>' 'Description: try' >p/DEBIAN/control
echo 'it is installed' >p/opt/parvus-try
dpkg-deb -b p parvus-try.deb
apt-get install -qq -y ./parvus-try.deb
grep 'it is installed' /opt/parvus-try
dpkg-query -Wf '${Package} ${db:Status-Status}\n' parvus-try
echo "@ $(cut -d' ' -f1 /proc/uptime) package installed"

job() { # DISK DEPTH NAME OPTIONS
	printf '[%s-%s-%s]\nstonewall\nfilename=/dev/%s\niodepth=%s\n%s\n' "$1" "$3" "$2" \
		"$1" "$2" "$4"
}
{
	printf '[global]\nioengine=libaio\ndirect=1\nverify=crc32c\nverify_fatal=1\nsize=%sm\n' \
		"$SIZE"
	for disk in $DISKS; do
		for depth in 1 32; do
			job $disk $depth sequential "rw=write
bs=1m"
			job $disk $depth random "rw=randwrite
bs=4k"
			job $disk $depth mixed "rw=randrw
bs=16k"
		done
	done
} >jobs
# fio would make a file of that name in /dev
for disk in $DISKS; do
	[ -b /dev/$disk ] || { echo "no /dev/$disk: $(ls /sys/block | tr '\n' ' ')"; exit 1; }
done
fio --eta=never --output=fio.out jobs || {
	grep -iE 'error|verify:|err=[^0]*[1-9]' fio.out
	dmesg | tail -5
	exit 1
}
[ "$(grep -c 'err= 0' fio.out)" = "$(grep -c '^stonewall' jobs)" ]
echo "@ $(cut -d' ' -f1 /proc/uptime) fio: $(grep -c 'err= 0' fio.out) jobs"
for disk in $DISKS; do
	# not more than was written: where nobody wrote, formats may differ in size
	echo "sum $disk $(dd if=/dev/$disk iflag=direct bs=1M count="$SIZE" status=none | md5sum)"
done
dmesg | grep -iE 'i/o error|ext4-fs (error|warning)' && exit 1
exit 0
END
export ARGS="brd.rd_nr=1 brd.rd_size=$((size * 1024))"
TIMEOUT=1400 debian "SIZE=$size
$(cat <<'END'
step "disks"
truncate -s ${SIZE}M raw.img
qemu-img create -q -f qcow2 q.qcow2 ${SIZE}M || fail "qemu-img"
debian_domain u ",'/tmp/raw.img,raw,xvdb,rw','/dev/ram0,raw,xvdc,rw','/tmp/q.qcow2,qcow2,xvdd,rw'" \
	"ROOT=xvda SIZE=$SIZE DISKS='xvdb xvdc xvdd'
$(cat /inside)"
step "Debian runs"
ended u 1200
says u | grep '^@'
says u | grep -q '^parvus-try installed$' || fail "the package"
sum() { says u | sed -n "s/^sum $1 \([0-9a-f]*\).*/\1/p"; }
P destroy u
until_true 20 '[ ! -e /run/parvus/domains ] || [ -z "$(ls /run/parvus/domains)" ]'
e2fsck -fn u.img || fail "the file system of the root disk is not clean"
qemu-img check -q q.qcow2 || fail "qcow2"
qemu-img convert -O raw q.qcow2 q.raw || fail "qcow2"
[ "$(sum xvdb)" = "$(md5sum <raw.img | cut -d' ' -f1)" ] ||
	fail "raw.img is not what the domain read"
[ "$(sum xvdc)" = "$(md5sum </dev/ram0 | cut -d' ' -f1)" ] ||
	fail "ram0 is not what the domain read"
[ "$(sum xvdd)" = "$(md5sum <q.raw | cut -d' ' -f1)" ] || fail "q.qcow2 is not what the domain read"
step "all found"
END
)"
