# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# Disks and interfaces that come and go while a domain runs: files, block devices, programs;
# one that is in use stays connected and loses nothing, --force takes it; media, sizes and limits
# change; a reboot keeps what was attached; a monitor that is killed leaves I/O alone; the end
# leaves nothing behind.
. tests/system/lib.bash

export ARGS="brd.rd_nr=2 brd.rd_size=16384 ${ARGS:-}"
TIMEOUT=${TIMEOUT:-550} control "$(cat <<'END'
U() { ask u "$@" >said || fail "in u: $*: $(cat said)"; cat said; }
there() { until_true 10 "ask u '[ -b /dev/$1 ]'"; }
not_there() { until_true 10 "ask u '[ ! -b /dev/$1 ]'"; }
size() { until_true 10 "[ \"\$(ask u 'cat /sys/block/$1/size')\" = $2 ]"; }
image() { dd if=/dev/zero of=$1 bs=1 count=0 seek=$2 2>/dev/null; }
loops() { cat /sys/block/loop*/loop/backing_file 2>/dev/null | wc -l; }

parvus network-nat start 2>/dev/null || fail "network-nat start"
warm
before=$(account)
for i in a b c d cd1 cd2; do image $i.img 8388608; done
mke2fs -F a.img >/dev/null 2>&1

step "create with disks of all kinds and an interface"
domain u 96 "disk=['$PWD/a.img,raw,xvda,rw','/dev/ram0,raw,xvdb,rw','vdev=xvdc,backendtype=program,target=$PWD/c.img','vdev=xvdd,devtype=cdrom,target=$PWD/cd1.img']" \
	"vif=['bridge=parvus0']"
for d in xvda xvdb xvdc xvdd; do there $d; done
id=$(P domid u)
[ "$(basename "$(readlink -f "/sys/class/net/vif$id.0/brport/bridge")")" = parvus0 ] ||
	fail "not in the bridge"
[ "$(P block-list u | wc -l)" = 5 ] && [ "$(P network-list u | wc -l)" = 2 ] || fail "lists"
U 'mkdir -p /a; mount /dev/xvda /a; echo kept >/a/f; dd if=/init of=/dev/xvdc bs=512 conv=sync,fsync 2>/dev/null'
[ "$(head -c 4 c.img)" = "#!/b" ] || fail "the program's file has: $(head -c 20 c.img)"

step "attach, write, detach"
P block-attach u "$PWD/b.img,raw,xvde,rw"
there xvde
U 'dd if=/init of=/dev/xvde bs=512 conv=sync 2>/dev/null'
n=$(loops)
P block-detach u xvde
not_there xvde
[ "$(loops)" = $((n - 1)) ] || fail "the loop device stays"
[ "$(head -c 4 b.img)" = "#!/b" ] || fail "what was written is lost"
P block-detach u xvdc
not_there xvdc
until_true 5 '! ps | grep -q "[b]lock-server"'
P block-attach u "$PWD/b.img,raw,xvde,rw"
there xvde

step "in use: refused, and nothing is lost"
U '(i=0; while [ ! -f /stop ]; do i=$((i + 1)); echo $i >>/a/n || exit 1; sync; done; echo $i >/count) >/dev/null 2>&1 & true'
bad 1 "in use?" block-detach u xvda
U 'touch /stop'
until_true 30 "ask u '[ -s /count ]'"
U '[ "$(tail -1 /a/n)" = "$(cat /count)" ] && [ "$(wc -l </a/n)" = "$(cat /count)" ]'
U 'mount | grep " /a " && echo more >>/a/f && sync'
[ "$(P block-list u | awk '$1 == "xvda" { print $4, $5 }')" = "connected connected" ] ||
	fail "$(P block-list u)"

step "what somebody uses already: refused, and named"
bad 1 "$PWD/a.img is in use by domain u as xvda (access=rw! shares it)" block-attach u \
	"$PWD/a.img,raw,xvdh,rw"
bad 1 "/dev/ram0 is in use by domain u as xvdb" block-attach u "/dev/ram0,raw,xvdh,ro"
for l in /sys/block/loop*; do
	[ "$(cat $l/loop/backing_file 2>/dev/null)" = "$PWD/a.img" ] && loop=/dev/${l##*/}
done
bad 1 "$loop is in use by domain u as xvda" block-attach u "$loop,raw,xvdh,rw"
image m.img 8388608
mke2fs -F m.img >/dev/null 2>&1
mke2fs -F /dev/ram1 >/dev/null 2>&1
mkdir m r
mount -o loop m.img m && mount /dev/ram1 r || fail "mount"
bad 1 "m.img is in use by domain 0: /dev/loop" block-attach u "$PWD/m.img,raw,xvdh,rw"
bad 1 "/dev/ram1 is in use by domain 0: /dev/ram1 is mounted on $PWD/r (access=rw! shares it)" \
	block-attach u /dev/ram1,raw,xvdh,rw
umount m && umount r || fail "umount"
P block-attach u "$PWD/m.img,raw,xvdh,rw"
there xvdh
P block-detach u xvdh
not_there xvdh

step "media, sizes, limits"
size xvdd 16384
P cd-eject u xvdd
size xvdd 0
P cd-insert u xvdd "$PWD/cd2.img"
size xvdd 16384
image b.img 16777216
P block-resize u xvde
size xvde 32768
P block-set --iops 20 u xvde
start=$(cut -d. -f1 /proc/uptime)
U 'i=0; while [ $i -lt 60 ]; do dd if=/dev/xvde of=/dev/null bs=4096 count=1 skip=$((i * 60)) iflag=direct 2>/dev/null || exit 1; i=$((i + 1)); done'
[ $(($(cut -d. -f1 /proc/uptime) - start)) -ge 2 ] || fail "no limit"
P block-set --iops 0 u xvde

step "interfaces"
P network-attach u bridge=parvus0
until_true 10 'ask u "[ -d /sys/class/net/eth1 ]"'
until_true 5 "[ -d /sys/class/net/vif$id.1 ]"
P network-detach u 1
until_true 10 'ask u "[ ! -d /sys/class/net/eth1 ]"'
[ ! -d "/sys/class/net/vif$id.1" ] || fail "its interface stays"

step "the monitor is killed while data is written"
U '(dd if=/dev/zero of=/dev/xvdb bs=4k conv=fsync; dd if=/dev/xvdb bs=4k count=2048 | md5sum >/sum) >/dev/null 2>&1 & true'
kill -9 "$(cat /run/parvus/domains/$id/pid)"
until_true 60 'ask u "[ -s /sum ]"'
until_true 10 'parvus block-list u >/dev/null 2>&1 && [ -n "$(cat /run/parvus/domains/$id/pid)" ] && kill -0 "$(cat /run/parvus/domains/$id/pid)"'
P block-attach u "$PWD/d.img,raw,xvdf,rw"
there xvdf

step "--force while it is mounted"
P block-detach --force u xvda
not_there xvda
U 'umount /a; echo still here'

step "a reboot keeps what was attached"
ask u 'reboot -f' >/dev/null 2>&1 &
until_true 30 '[ "$(parvus domid u 2>/dev/null)" -gt $id ] 2>/dev/null'
id=$(P domid u)
for d in xvdb xvdd xvde xvdf; do until_true 30 "ask u '[ -b /dev/$d ]'"; done
U '[ ! -b /dev/xvda ] && [ ! -b /dev/xvdc ] && [ -d /sys/class/net/eth0 ]'

step "the end"
P destroy u
until_true 10 'gone u'
until_true 10 '[ "$(loops)" = 0 ]'
[ -z "$(ls /sys/class/net | grep vif)" ] || fail "interfaces stay: $(ls /sys/class/net)"
balanced "$before"
END
)"
