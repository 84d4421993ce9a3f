# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# Disks and network interfaces of domains, toolstack (sanitized) against a hypervisor that is a
# file: what devices are made of a configuration, hot attach and detach, media, limits, bridges
# and scripts, programs that serve disks and are kept running, monitors that die, and that
# nothing is left behind after any failure: no device, loop device, nbd device or process.
. tests/system/fake.bash
export PARVUS_SCRIPT_DIR=$work/scripts PARVUS_BLOCK_SERVER=$work/block-server
export PARVUS_QEMU_NBD=$work/qemu-nbd PARVUS_FAKE_GUEST=$guest_bin
trap 'kill $(pids) $(cat "$work"/servers 2>/dev/null) 2>/dev/null; sleep 0.1; rm -rf "$work"' EXIT

loops() { [[ $("$guest_bin" - loops) == "$1" ]]; }
devices() { [[ $("$guest_bin" - devices) == "$1" ]]; }
no_nbd() { ! ls "$PARVUS_FAKE"/nbd-* >/dev/null 2>&1; }
no_servers() {
	local p
	for p in $(cat "$work/servers" 2>/dev/null); do
		kill -0 "$p" 2>/dev/null && return 1
	done
	return 0
}
nothing() {
	clean
	until_true devices 0
	until_true loops 0
	until_true no_nbd
	until_true no_servers
}
# disk NAME INDEX [TEXT]: "major minor flags iops bps name file"
disk() { [[ $("$guest_bin" "$1" disk "$2" 2>/dev/null) == $3 ]] ||
	fail "disk $2 of $1: $("$guest_bin" "$1" disk "$2" 2>&1), not $3"; }
vif() { [[ $("$guest_bin" "$1" vif "$2" 2>/dev/null | tr '\n' ' ') == $3 ]]; }

mkdir -p "$PARVUS_FAKE" "$PARVUS_SCRIPT_DIR"
"$parvus" list >/dev/null || fail list
truncate -s 1M "$work/a.img" "$work/b.img" "$work/d.img" "$work/e.img" "$work/f.img" "$work/p.img" \
	"$work/c.qcow2" "$work/cd.iso" "$work/it's, =strange.img"
truncate -s 100 "$work/tiny.img"
touch "$PARVUS_FAKE/blk-3" "$PARVUS_FAKE/bridge-br0" "$PARVUS_FAKE/bridge-br7"
# what qemu-nbd does: an nbd device is in use until it is told to let go
cat >"$PARVUS_QEMU_NBD" <<'END'
#!/bin/bash
echo "$*" >>"$(dirname "$0")/nbd.log"
case $1 in
--connect=/dev/nbd*)
	if [[ ${!#} == *broken* ]]; then
		echo "qemu-nbd: Failed to open: Image is not in qcow2 format" >&2
		exit 1
	fi
	cd "$PARVUS_FAKE" && n=${1#--connect=/dev/nbd}
	mkdir -p "sys/block/nbd$n" "proc/$$"
	printf '%s\0' "$0" "$@" >"proc/$$/cmdline"
	echo $$ >"sys/block/nbd$n/pid"
	touch "nbd-$n" ;;
--disconnect) cd "$PARVUS_FAKE" && rm -rf "sys/block/nbd${2#/dev/nbd}" "nbd-${2#/dev/nbd}" ;;
esac
END
# what a program that serves a disk does: its end is READY, until the device is gone
cat >"$PARVUS_BLOCK_SERVER" <<'END'
#!/bin/bash
[[ $1 == --device ]] || exit 9
here=$(dirname "$0")
echo $$ >>"$here/servers"
[[ -e $here/server-fails ]] && exit 3
[[ -e $here/server-waits ]] || "$PARVUS_FAKE_GUEST" - back "$2" 2
while "$PARVUS_FAKE_GUEST" - there "$2"; do sleep 0.05; done
END
cat >"$PARVUS_SCRIPT_DIR/vif-test" <<'END'
#!/bin/bash
echo "$1 $2 vif=$vif bridge=$bridge ip=$ip mac=$mac mtu=$mtu" \
	"$PARVUS_DOMAIN $PARVUS_NAME $PARVUS_DEVID" >>"$(dirname "$0")/log"
[[ $ip != 10.0.0.66 ]]
END
chmod 755 "$PARVUS_QEMU_NBD" "$PARVUS_BLOCK_SERVER" "$PARVUS_SCRIPT_DIR/vif-test"

# --- every kind, from a configuration
cat >"$work/disks.cfg" <<END
disk = [ '$work/a.img,raw,xvda,rw,iops=500,bps=2M', 'phy:$PARVUS_FAKE/blk-3,sdb,r',
	'$work/c.qcow2,qcow2,xvdc,rw', 'vdev=hdd,devtype=cdrom,target=$work/cd.iso',
	',,xvde,,cdrom', "vdev=xvdf,backendtype=program,no-discard,target=$work/p.img",
	"vdev=xvdg,access=ro,target=$work/it's, =strange.img" ]
vif = [ '', 'mac=02:00:00:00:00:01,bridge=br7,rate=8Mb/s@20ms,mtu=9000,vifname=web0', 'script=vif-test,ip=10.0.0.5,devid=7' ]
END
P create -q "$work/web.cfg" "$(sed -n '/^disk/,/\]/p' "$work/disks.cfg")" \
	"$(sed -n '/^vif/p' "$work/disks.cfg")"
devices 10 || fail "devices: $("$guest_bin" - devices)"
loops 3 || fail "loops: $("$guest_bin" - loops)"
disk web 0 "7 * 0 500 2097152 xvda "
disk web 1 "8 3 1 0 0 xvdb "
disk web 2 "43 0 0 0 0 xvdc "
disk web 3 "7 * 3 0 0 xvdd "
disk web 4 "0 0 3 0 0 xvde "
disk web 5 "0 0 12 0 0 xvdf $work/p.img"
disk web 6 "7 * 1 0 0 xvdg "
id=$(P domid web)
nbd=$(cat "$work/nbd.log")
[[ $nbd == "--connect=/dev/nbd0 --format=qcow2 --description=parvus-$id-"* &&
	$nbd == *"-2 --fork --discard=unmap -- $work/c.qcow2" ]] || fail "$nbd"
vif web 0 "00:16:3e:* 0 0 0  1500 br0 1 " || fail "vif 0: $(G web vif 0)"
vif web 1 "02:00:00:00:00:01 9000 1000000 20000 web0 9000 br7 1 " || fail "vif 1: $(G web vif 1)"
vif web 7 "00:16:3e:*  1500  0 " || fail "vif 7: $(G web vif 7)"
mac=$(G web vif 0 | head -c 17)
mac7=$(G web vif 7 | head -c 17)
[[ $mac != "$mac7" ]] || fail "one MAC twice"
[[ $(cat "$work/scripts/log") == \
	"online type_if=vif vif=vif$id.7 bridge=br0 ip=10.0.0.5 mac=$mac7 mtu=1500 $id web 7" ]] ||
	fail "script: $(cat "$work/scripts/log")"
# shown
[[ $(P block-list web | wc -l) == 8 && $(P network-list web | wc -l) == 4 ]] ||
	fail "lists: $(P block-list web)"
[[ $(P block-list web | awk '$1 == "xvdb" { print $2, $3, $4, $5, $6, $7 }') == \
	"$id 0 closed ready ro $PARVUS_FAKE/blk-3" ]] || fail "$(P block-list web)"
P block-list --json web | tr -d ' \n' | grep -q '"vdev":"xvda".*"iops":500,"bps":2097152' ||
	fail "block-list --json: $(P block-list --json web)"
P network-list --json web | tr -d ' \n' | grep -q \
	'"mac":"02:00:00:00:00:01","interface":"web0","bridge":"br7"' || fail "network-list --json"
P list -l web | tr -d ' \n' | grep -q '"disks":\[{.*"vifs":\[{' || fail "list -l"
P info web | grep -q '^disks  *: 7' || fail "info: $(P info web)"

# --- a back end that was bound anew has a new interface: into the bridge again
G web rebind 3 0
until_true vif web 0 "00:16:3e:* 1500 br0 1 "
G web rebind 3 7
until_true eval '[[ $(wc -l <"$work/scripts/log") == 2 ]]'

# --- a program that dies comes back, the first time at once
wait_server() { until_true eval "[[ \$(wc -l <'$work/servers') == $1 ]]"; }
wait_server 1
kill -9 "$(tail -1 "$work/servers")"
wait_server 2
kill -9 "$(tail -1 "$work/servers")"
wait_server 3

# --- hot: attach, limits, resize, media, detach
P block-attach web "$work/b.img,raw,xvdh,r"
disk web 7 "7 * 1 0 0 xvdh "
(cd "$work" && P block-attach web vdev=xvdi target=d.img)
disk web 8 "7 * 0 0 0 xvdi "
loops 5 || fail "loops after attach"
bad "already" block-attach web "vdev=sdh,target=$work/b.img"
P block-set --iops 100 web xvdh
P block-set --bps 10m web xvdh
disk web 7 "7 * 1 100 10485760 xvdh "
P block-set --iops 0 web xvdh
disk web 7 "7 * 1 0 10485760 xvdh "
P block-resize web xvdh
[[ $(G - loop "$work/b.img") == 1 ]] || fail "not resized"
bad "follows no new size" block-resize web xvdc
P cd-eject web hdd
disk web 3 "0 0 3 0 0 xvdd "
until_true loops 4
P cd-insert web xvdd "$work/b.img"
disk web 3 "7 * 3 0 0 xvdd "
bad "cannot open $work/none" cd-insert web xvdd "$work/none"
disk web 3 "7 * 3 0 0 xvdd "
bad "no CD drive" cd-insert web xvda "$work/cd.iso"
P cd-insert web xvde "$PARVUS_FAKE/blk-3"
disk web 4 "8 3 3 0 0 xvde "
G web front 2 7 3
P block-detach web xvdh
bad "has no disk xvdh" block-detach web xvdh
# one that the domain does not let go
P block-attach web "$work/b.img,raw,xvdh,r"
G web front 2 7 3
G web stuck 2 7
"$parvus" block-detach web xvdh 2>"$work/err2" &
detach=$!
sleep 0.5
bad "is being attached or detached" block-detach web xvdh
P list >/dev/null
P block-list web | grep -q 'xvdh.*closing' || fail "not closing: $(P block-list web)"
wait $detach && fail "detached what is in use"
grep -q 'in use' "$work/err2" || fail "$(cat "$work/err2")"
disk web 7 "7 * 1 0 0 xvdh "
P block-detach -f web xvdh
P block-detach --force web 8
P network-attach web bridge=br7 mtu=1400
vif web 2 "00:16:3e:* 1400 0 0  1400 br7 1 " || fail "vif 2: $(G web vif 2)"
bad "domain 1 has vif 7 already" network-attach web devid=7
P network-detach web 2
P network-detach web 02:00:00:00:00:01
bad "has no interface 02:00:00:00:00:01" network-detach web 02:00:00:00:00:01
devices 9 || fail "devices after detach: $("$guest_bin" - devices)"

# --- a monitor that was killed: devices stay, the next one goes on from what is there
P block-attach web "$work/e.img,raw,xvdh,rw"
before=$("$guest_bin" - devices) servers=$(wc -l <"$work/servers")
kill -9 "$(pids)"
until_true eval '! kill -0 $(pids) 2>/dev/null'
[[ $("$guest_bin" - devices) == "$before" ]] || fail "devices went with the monitor"
bad "e.img is in use by domain web as xvdh" create "$work/web.cfg" name=db \
	"disk=['$work/e.img,raw,xvda,r']"
P block-attach web "$work/f.img,raw,xvdj,rw"
bad "e.img is in use by domain web as xvdh (access=rw! shares it)" block-attach web \
	"$work/e.img,raw,xvdk,rw"
P block-attach web "$work/e.img,raw,xvdk,rw!"
P block-detach web xvdk
P cd-eject web xvdd
kill -9 "$(tail -1 "$work/servers")"
wait_server $((servers + 1))
until_true eval '[[ $(G web disk 5) == "0 0 12 "* ]]'

# --- restart: the same disks and MACs, those that were attached too
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) -gt '"$id"' ]]'
until_true state web "-b----"
disk web 9 "7 * 0 0 0 xvdj "
disk web 3 "0 0 3 0 0 xvdd "
vif web 0 "$mac *" || fail "another MAC: $(G web vif 0)"
"$guest_bin" web disk 8 2>/dev/null && fail "a detached disk is back"
wait_server $((servers + 2))
until_true eval '[[ $(tail -1 "$work/scripts/log") == online* ]]'
grep -q '^offline' "$work/scripts/log" || fail "no offline: $(cat "$work/scripts/log")"
P destroy web
nothing
P create -q "$work/web.cfg" "disk=['$work/c.qcow2,qcow2,xvda,r']" "vif=['bridge=br0']"
grep -q -- '--read-only' "$work/nbd.log" || fail "not read-only"
kill -9 "$(pids)"
until_true eval '! kill -0 $(pids) 2>/dev/null'
P destroy web
no_nbd && fail "who disconnected?"
P create -q "$work/web.cfg"	# sweeps
until_true no_nbd
P destroy web
nothing

# --- failures of create: one line, nothing left
create_bad() { # TEXT SETTING...
	bad "$1" create "$work/web.cfg" "${@:2}"
	nothing
}
A="$work/a.img,raw,xvda,rw"
create_bad "xvdb: cannot open $work/none.img" "disk=['$A','$work/none.img,raw,xvdb,w']"
create_bad "smaller than a sector" "disk=['$A','$work/tiny.img,raw,xvdb,w']"
create_bad "/dev/null is a character device: a block device or a regular file is expected" \
	"disk=['$A','/dev/null,raw,xvdb,w']"
touch "$work/broken"
create_bad "not in qcow2 format" \
	"disk=['$A','$work/c.qcow2,qcow2,xvdc,w','$work/broken,qcow2,xvdb,w']"
create_bad "there is no bridge br9" "disk=['$A']" "vif=['','bridge=br9']"
create_bad "cannot run the script $work/scripts/none" "disk=['$A']" "vif=['script=none']"
create_bad "vif-test online: status 1" "disk=['$A']" "vif=['','script=vif-test,ip=10.0.0.66']"
create_bad "there is an interface br7 already" "vif=['vifname=br7']"
create_bad "backend=none: there is no domain named none" "disk=['$A,backend=none']"
create_bad "backend=none" "vif=['backend=none']"
rm "$PARVUS_FAKE/bridge-br0"
create_bad "there is neither parvus0 nor br0" "disk=['$A']" "vif=['']"
touch "$PARVUS_FAKE/bridge-parvus0" "$PARVUS_FAKE/bridge-br0"
P create -q "$work/web.cfg" "vif=['']"
vif web 0 "* parvus0 1 " || fail "not in parvus0"
P destroy web
touch "$work/server-fails"
create_bad "the program cannot serve it" \
	"disk=['$A','vdev=xvdb,backendtype=program,target=$work/b.img']"
rm "$work/server-fails"
PARVUS_BLOCK_SERVER=$work/none create_bad "cannot run $work/none" \
	"disk=['$A','vdev=xvdb,backendtype=program,target=$work/b.img']"
PARVUS_QEMU_NBD=$work/none create_bad "needs $work/none, which is not there" \
	"disk=['$A','$work/c.qcow2,qcow2,xvdb,w']"
for skip in 0 1 2 3; do
	G - fail 32 12 $skip	# CREATE of the device that comes then
	create_bad "make a device" "disk=['$A','$work/c.qcow2,qcow2,xvdb,w']" "vif=['','']"
done
G - fail 31 12 0	# the commit, when all devices are there
create_bad "" "disk=['$A','$work/c.qcow2,qcow2,xvdb,w',
	'vdev=xvdc,backendtype=program,target=$work/b.img']" "vif=['']"

create_bad "xvdb: $work/a.img is in use by domain web as xvda (access=ro! shares it)" \
	"disk=['$A','$work/a.img,raw,xvdb,r']"

# --- failures of attach: the domain goes on without
P create -q "$work/web.cfg" "disk=['$A']"
bad "cannot open $work/none" block-attach web "$work/none,raw,xvdb,w"
bad "there is no bridge br9" network-attach web bridge=br9
touch "$work/server-fails"
bad "the program cannot serve it" block-attach web \
	"vdev=xvdb,backendtype=program,target=$work/b.img"
rm "$work/server-fails"
bad "has xvda: a disk that is given whole" block-attach web "$work/b.img,raw,xvda1,w"
# as xen-tools has it: partitions alone, each a file
P create -q "$work/web.cfg" name=parts root='/dev/xvda2 ro' \
	"disk=['file:$work/b.img,xvda2,w','file:$work/f.img,xvda1,w']"
[[ $(P block-list parts | awk 'NR > 1 { print $1, $6 }' | sort | tr '\n' ' ') == \
	"xvda1 rw xvda2 rw " ]] ||
	fail "partitions: $(P block-list parts)"
disk parts 131072 "*xvda2*"
disk parts 65536 "*xvda1*"
[[ $(G parts cmdline) == "root=/dev/xvda2 ro ro maxcpus=1" ]] || fail "$(G parts cmdline)"
bad "f.img is in use by domain parts as xvda1" block-attach web "$work/f.img,raw,xvdg,w"
P block-detach -f parts sda1
P destroy parts
bad "there is no domain named x" block-attach x "$work/b.img,raw,xvdb,w"
bad "no monitor and no devices" block-attach 0 "$work/b.img,raw,xvdb,w"
bad "the control domain" network-attach 0
devices 1 || fail "a failed attach left a device"
loops 1 || fail "a failed attach left a loop device"
[[ $(P list -l web | grep -c 'xvdb') == 0 ]] || fail "a failed attach is in the configuration"
# domain 1 is its own: a driver domain that serves another one
P create -q "$work/web.cfg" name=user "disk=['vdev=xvda,backend=web,target=202:16']" \
	"vif=['backend=web']"
disk user 0 "202 16 0 0 0 xvda "
P network-list user | awk 'NR == 2 { exit $3 != '"$(P domid web)"' }' ||
	fail "backend: $(P network-list user)"
bad "the target is MAJOR:MINOR there" block-attach user "vdev=xvdb,backend=web,target=/dev/x"
P destroy user
# --- one rule for what two disks lie on, whatever they are
P destroy web
nothing
S=$PARVUS_FAKE/sys
mkdir -p "$S/dev/block" "$S/block/sda/sda3" "$PARVUS_FAKE/proc/self"
echo 8:0 >"$S/block/sda/dev"; echo 8:3 >"$S/block/sda/sda3/dev"
echo 3 >"$S/block/sda/sda3/partition"
ln -s ../../block/sda "$S/dev/block/8:0"; ln -s ../../block/sda/sda3 "$S/dev/block/8:3"
touch "$PARVUS_FAKE/blk-0" "$PARVUS_FAKE/blk-1"
P create -q "$work/web.cfg" \
	"disk=['$A','$PARVUS_FAKE/blk-3,raw,xvdb,rw','$work/c.qcow2,qcow2,xvdc,rw',
	'vdev=xvdd,backendtype=program,target=$work/p.img','$work/b.img,raw,xvde,r',
	'$work/d.img,raw,xvdf,rw!']"
taken() { # DISK WHAT BY: refused at once, and nothing is left
	local before
	before=$("$guest_bin" - devices) SECONDS=0
	bad "$2 is in use by domain web as $3 (access=" create "$work/web.cfg" name=db \
		"disk=['$work/f.img,raw,xvda,w','$1']"
	((SECONDS < 4)) || fail "$1: refused after $SECONDS s"
	until_true count 1
	devices "$before" || fail "$1: left a device"
}
ln -s a.img "$work/link.img"
ln "$work/a.img" "$work/hard.img"
taken "$work/a.img,raw,xvdb,rw" "$work/a.img" xvda
taken "$work/a.img,raw,xvdb,ro" "$work/a.img" xvda
taken "$work/link.img,raw,xvdb,rw" "$work/link.img" xvda
taken "$work/hard.img,raw,xvdb,rw" "$work/hard.img" xvda
taken "vdev=xvdb,backendtype=program,target=$work/a.img" "$work/a.img" xvda
taken "$work/a.img,qcow2,xvdb,rw" "$work/a.img" xvda
taken "phy:$PARVUS_FAKE/blk-3,xvdb,r" "$PARVUS_FAKE/blk-3" xvdb
taken "phy:$PARVUS_FAKE/blk-0,xvdb,w" "$PARVUS_FAKE/blk-0" xvdb
taken "$work/c.qcow2,qcow2,xvdb,rw" "$work/c.qcow2" xvdc
taken "$work/c.qcow2,raw,xvdb,ro" "$work/c.qcow2" xvdc
taken "vdev=xvdb,backendtype=program,target=$work/p.img" "$work/p.img" xvdd
taken "$work/p.img,raw,xvdb,ro" "$work/p.img" xvdd
taken "$work/b.img,raw,xvdb,rw" "$work/b.img" xvde
taken "$work/d.img,raw,xvdb,rw" "$work/d.img" xvdf
P create -q "$work/web.cfg" name=db \
	"disk=['$work/b.img,raw,xvda,r','$work/d.img,raw,xvdb,w!','phy:$PARVUS_FAKE/blk-1,xvdc,w',
	'$PARVUS_FAKE/blk-0,raw,xvdd,ro!','$work/f.img,raw,xvde,w',',,xvdf,,cdrom']"
bad "f.img is in use by domain db as xvde" block-attach web "$work/f.img,raw,xvdg,w"
bad "a.img is in use by domain web as xvda" cd-insert db xvdf "$work/a.img"
P cd-insert db xvdf "$work/b.img"
P rename db files
bad "f.img is in use by domain files as xvde" block-attach web "$work/f.img,raw,xvdg,w"
G files front 2 4 3
P block-detach files xvde
P block-attach web "$work/f.img,raw,xvdg,w"
P destroy files
until_true count 1
# what this domain does with it itself
echo "22 1 8:1 / /mnt/data rw - ext4 /dev/sda1 rw" >"$PARVUS_FAKE/proc/self/mountinfo"
bad "blk-1 is in use by domain 0: /dev/sda1 is mounted on /mnt/data (access=rw! shares it)" \
	block-attach web "$PARVUS_FAKE/blk-1,raw,xvdh,w"
P block-attach web "$PARVUS_FAKE/blk-1,raw,xvdh,w!"
rm "$PARVUS_FAKE/proc/self/mountinfo"
P destroy web
nothing
# two that want it at the same moment: one has it
for i in 1 2 3 4 5; do
	"$parvus" create -q "$work/web.cfg" "disk=['$A']" 2>"$work/err1" & one=$!
	"$parvus" create -q "$work/web.cfg" name=db "disk=['$A']" 2>"$work/err2" & two=$!
	wait $one; one=$?
	wait $two; two=$?
	((one + two == 1)) || fail "both or none: $one $two: $(cat "$work/err1" "$work/err2")"
	grep -q "a.img is in use by domain .* as xvda" "$work/err1" "$work/err2" ||
		fail "$(cat "$work/err1" "$work/err2")"
	if ((one)); then P destroy db; else P destroy web; fi
	nothing
done
# an nbd device whose number another program has by now is left alone
P create -q "$work/web.cfg" "disk=['$work/c.qcow2,qcow2,xvda,r']"
kill -9 "$(pids)"
until_true eval '! kill -0 $(pids) 2>/dev/null'
printf 'qemu-nbd\0--description=parvus-9-1-0\0' \
	>"$PARVUS_FAKE/proc/$(cat "$S/block/nbd0/pid")/cmdline"
P destroy web
P create -q "$work/web.cfg"	# sweeps
P destroy web
clean
[[ -e $PARVUS_FAKE/nbd-0 ]] || fail "another's nbd device was disconnected"
"$PARVUS_QEMU_NBD" --disconnect /dev/nbd0
nothing

# --- the end of the domain in the middle of it
P create -q "$work/web.cfg" "disk=['$A']"
G web front 2 0 3
G web stuck 2 0
"$parvus" block-detach web xvda 2>"$work/err2" &
detach=$!
sleep 0.3
G web poweroff 0
wait $detach && fail "detached from a domain that has ended"
nothing

# --- the end of the domain while a disk is attached: it is in no configuration
P create -q "$work/web.cfg" "disk=['$A']"
id=$(P domid web)
touch "$work/server-waits"
"$parvus" block-attach web "vdev=xvdb,backendtype=program,target=$work/p.img" 2>"$work/err2" &
attach=$!
until_true devices 2
G web reboot
wait $attach && fail "attached to a domain that has ended"
grep -q 'the domain has ended' "$work/err2" || fail "$(cat "$work/err2")"
rm "$work/server-waits"
until_true eval '[[ $("$parvus" domid web 2>/dev/null) -gt '"$id"' ]]'
until_true state web "-b----"
devices 1 || fail "half attached: $(P block-list web)"
[[ $(P list -l web | grep -c xvdb) == 0 ]] || fail "half attached: $(P list -l web)"
# a monitor that was killed before it had made the device: forgotten, too
kill -9 "$(pids)"
until_true eval '! kill -0 $(pids) 2>/dev/null'
state_file=$PARVUS_RUN_DIR/domains/$(P domid web)/state
sed -i -e 's/^devices 1$/devices 2\nblock 4 id 0 nbd -/' -e 's|^disk = \[|&\n\t"'"$work/b.img"',raw,xvde,rw",|' "$state_file"
bytes=$(sed -n '/^config /,/^end$/p' "$state_file" | sed '1d;$d' | wc -c)
sed -i "s/^config .*/config $bytes/" "$state_file"
P block-attach web "$work/f.img,raw,xvdf,rw"
[[ $(P list -l web | grep -c 'xvde') == 0 ]] || fail "what was not made is kept: $(P list -l web)"
disk web 5 "7 * 0 0 0 xvdf "

# --- a restart that fails: the domain stays listed with the reason, and it is tried again
waits() { # TEXT: listed with that reason, under the number it had
	until_true eval "P list -v web | grep -q '; cannot restart: $1'"
	[[ $(P domid web) == "$id" ]] || fail "another domain: $(P list)"
	state web "---sr-" || fail "not shut down: $(P list)"
}
again() { # it runs, as another domain
	until_true eval '[[ $("$parvus" domid web 2>/dev/null) -gt '"$id"' ]]'
	until_true state web "-b----"
	P list -v web | grep -q 'cannot restart' && fail "an old reason: $(P list -v web)"
	id=$(P domid web)
}
id=$(P domid web)
mv "$work/f.img" "$work/away.img"
G web reboot
waits "xvdf: cannot open $work/f.img: No such file"
P list --json web | grep -q '"restart_error":' || fail "list --json"
until_true eval "[[ \$(grep -c 'again in' '$PARVUS_LOG_DIR'/monitor-web.log) == 3 ]]"
[[ $(grep -o 'again in [0-9]* s' "$PARVUS_LOG_DIR/monitor-web.log" | tr '\n' ' ') == \
	"again in 1 s again in 2 s again in 4 s " ]] ||
	fail "$(cat "$PARVUS_LOG_DIR/monitor-web.log")"
mv "$work/away.img" "$work/f.img"
again
# by somebody who took its disk meanwhile
mv "$work/f.img" "$work/away.img"
G web reboot
waits "xvdf: cannot open"
P create -q "$work/web.cfg" name=db "disk=['$A']"
mv "$work/away.img" "$work/f.img"
waits "xvda: $work/a.img is in use by domain db as xvda"
P destroy db
again
# no kernel, no bridge
P network-attach web bridge=br7
rm "$PARVUS_FAKE/bridge-br7"
G web reboot
waits "vif 0: there is no bridge br7"
mv "$work/kernel" "$work/kernel.away"
touch "$PARVUS_FAKE/bridge-br7"
waits "cannot open $work/kernel"
mv "$work/kernel.away" "$work/kernel"
again
# what fails when the old domain is gone is tried again, too
G - fail 32 12 0
G web reboot
again
grep -q 'cannot restart: .*make a device.*again in 1 s' "$PARVUS_LOG_DIR/monitor-web.log" ||
	fail "$(tail -3 "$PARVUS_LOG_DIR/monitor-web.log")"
# destroyed while it waits
mv "$work/f.img" "$work/away.img"
G web reboot
waits "xvdf: cannot open"
P destroy web
nothing
mv "$work/away.img" "$work/f.img"

# --- SIGKILL at any moment of create: all of it, or nothing
for i in $(seq 0 4 44); do
	"$parvus" create -q "$work/web.cfg" \
		"disk=['$A','$work/c.qcow2,qcow2,xvdb,w',
		'vdev=xvdc,backendtype=program,target=$work/b.img']" "vif=['']" >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '0.%03d' $((i * 10)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	sleep 1.8
	until_true eval 'count 0 || devices 4'	# or it is half a domain
	count 0 || P destroy web
	until_true count 0
	until_true devices 0
	until_true loops 0
	until_true no_nbd
	until_true no_servers
done
# a folder that was left is swept by the next
P create -q "$work/web.cfg"
P destroy web
nothing
exit 0
