# SPDX-License-Identifier: GPL-2.0-only
# @timeout 120
# Disks that a script makes (script=block-...), as xl's block scripts are called: XENBUS_* and the
# store that libxl fills, what "add" writes is there for "remove" whatever happened to the monitor,
# every failure leaves nothing, and the one rule of use holds for what scripts make. Then, where it
# can be had, the real block-drbd with the real block-common.sh.
. tests/system/fake.bash
export PARVUS_SCRIPT_DIR=$work/scripts
mkdir -p "$PARVUS_FAKE" "$PARVUS_SCRIPT_DIR" "$PARVUS_LIB_DIR/compat"
touch "$PARVUS_FAKE"/blk-{1,2,3}
truncate -s 1M "$work/a.img"
cp tools/compat/xenstore "$PARVUS_LIB_DIR/compat/"
for f in read write exists rm list; do
	ln -s xenstore "$PARVUS_LIB_DIR/compat/xenstore-$f"
done
log=$PARVUS_SCRIPT_DIR/log
devices() { [[ $("$guest_bin" - devices) == "$1" ]]; }
nothing() { clean; until_true devices 0; }
lines() { [[ $(grep -c "$1" "$log") == "$2" ]]; }
disk() { [[ $("$guest_bin" "$1" disk "$2" 2>/dev/null) == $3 ]] ||
	fail "disk $2 of $1: $("$guest_bin" "$1" disk "$2" 2>&1), not $3"; }

# targets: vol:N is the fake's block device N, by its path; num:N by its numbers alone
cat >"$PARVUS_SCRIPT_DIR/block-test" <<'END'
#!/bin/bash
exec >>"$(dirname "$0")/log" 2>&1
at=$XENBUS_PATH
params=$(xenstore-read "$at/params")
echo "$1 $# $XENBUS_TYPE $XENBUS_BASE_PATH $at $params $(xenstore-read "$at/mode") $PARVUS_DISK"
if [[ $1 == remove ]]; then
	echo "node $(xenstore-read "$at/node")"
	exit 0
fi
case $params in
all) for key in $(xenstore-list "$at"); do echo "$key=$(xenstore-read "$at/$key")"; done
	params=vol:3 ;;
refused) xenstore-write "$at/hotplug-error" "no such volume" "$at/hotplug-status" error; exit 1 ;;
quiet) xenstore-write "$at/hotplug-error" $'it\nis busy' "$at/hotplug-status" error; exit 0 ;;
none) exit 0 ;;
long)	# what is behind the end of what is read makes another name of it
	long=$PARVUS_FAKE/
	while ((${#long} < 293)); do long+=./; done
	((${#long} == 294)) || long+=/
	xenstore-write "$at/physical-device-path" "${long}blk-30" ;;
esac
xenstore-write "$at/node" "made-${params#*:}"
case $params in
vol:*) xenstore-write "$at/physical-device-path" "$PARVUS_FAKE/blk-${params#vol:}" ;;
num:*) xenstore-write "$at/physical-device" "$(printf '%x:%x' 8 "${params#num:}")" ;;
esac
xenstore-write "$at/hotplug-status" connected
END
chmod 755 "$PARVUS_SCRIPT_DIR/block-test"

# --- what the script is told, and what becomes of what it says
P create -q "$work/web.cfg" "disk=['vdev=xvda,script=block-test,target=all',
	'vdev=xvdq,access=ro!,script=$PARVUS_SCRIPT_DIR/block-test,target=num:19']"
disk web 0 "8 3 0 0 0 xvda "
disk web 16 "8 19 1 0 0 xvdq "
cat >"$work/want" <<END
add 1 vbd backend backend/vbd/1/51712 all w xvda
params=all
type=phy
mode=w
dev=xvda
device-type=disk
online=1
frontend=/local/domain/1/device/vbd/51712
script=block-test
frontend-id=1
add 1 vbd backend backend/vbd/1/268439552 num:19 r! xvdq
END
diff "$work/want" "$log" || fail "a script sees other things"
[[ $(P list -l web) == *"script=block-test,target=all"* ]] || fail "list -l: $(P list -l web)"

# --- the rule: what a script makes is a disk's ground like any other
bad "vol:3 is in use by domain web as xvda (access=rw! shares it)" create "$work/web.cfg" \
	name=db "disk=['vdev=xvda,script=block-test,target=vol:3']"
until_true count 1
[[ $(tail -1 "$log") == "node made-3" ]] || fail "a refused one was not removed"
bad "blk-3 is in use by domain web as xvda" create "$work/web.cfg" name=db \
	"disk=['$PARVUS_FAKE/blk-3,raw,xvda,r']"
P create -q "$work/web.cfg" name=db "disk=['$PARVUS_FAKE/blk-1,raw,xvda,w']"
bad "vol:1 is in use by domain db as xvda" block-attach web \
	"vdev=xvdb,script=block-test,target=vol:1"
P block-attach web "vdev=xvdb,access=rw!,script=block-test,target=vol:1"
disk web 1 "8 1 0 0 0 xvdb "
P destroy db

# --- detach; a new monitor finds what the one before wrote
: >"$log"
G web front 2 1 3
P block-detach web xvdb
[[ $(tail -2 "$log") == "remove 1 vbd backend backend/vbd/1/51728 vol:1 w! xvdb
node made-1" ]] ||
	fail "remove: $(cat "$log")"
kill -9 "$(pids)"
until_true eval '! kill -0 $(pids) 2>/dev/null'
G web front 2 16 3
P block-detach web xvdq
[[ $(tail -1 "$log") == "node made-19" ]] || fail "remove by a new monitor: $(cat "$log")"
bad "no CD drive" cd-insert web xvda "$work/a.img"

# --- a reboot: let go, and made again
: >"$log"
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) -gt 1 ]]'
until_true state web "-b----"
[[ $(grep -o '^remove\|^add\|^node.*' "$log" | tr '\n' ' ') == "remove node made-3 add " ]] ||
	fail "reboot: $(cat "$log")"
disk web 0 "8 3 0 0 0 xvda "
P destroy web
until_true lines "^node made-3" 2
nothing

# --- domain and monitor gone: the next create removes what is left
P create -q "$work/web.cfg" "disk=['vdev=xvda,script=block-test,target=vol:2']"
kill -9 "$(pids)"
until_true eval '! kill -0 $(pids) 2>/dev/null'
P destroy web
lines "^node made-2" 0 || fail "who removed it?"
P create -q "$work/web.cfg"
lines "^node made-2" 1 || fail "nobody removed it: $(cat "$log")"
P destroy web
nothing

# --- failures: one line, nothing left, and what was added is removed
wrong() { # TEXT REMOVED DISK
	: >"$log"
	bad "$1" create "$work/web.cfg" "disk=['$3']"
	nothing
	lines "^remove" "$2" || fail "$3: $(cat "$log")"
}
wrong "xvda: the script block-test add: status 1: no such volume" 0 \
	"vdev=xvda,script=block-test,target=refused"
wrong "xvda: the script block-test add: status 0: it is busy" 0 \
	"vdev=xvda,script=block-test,target=quiet"
wrong "xvda: the script block-test names no block device" 1 \
	"vdev=xvda,script=block-test,target=none"
wrong "xvda: the script block-test made $PARVUS_FAKE/blk-9: No such file" 1 \
	"vdev=xvda,script=block-test,target=vol:9"
wrong "xvda: the script block-test names a path of more than 298 characters" 1 \
	"vdev=xvda,script=block-test,target=long"
# the kernel has it, and neither /proc nor /sys says for what
touch "$PARVUS_FAKE/held-2"
wrong "vol:2 is in use by domain 0, whose kernel does not say for what" 1 \
	"vdev=xvda,script=block-test,target=vol:2"
wrong "num:2 is in use by domain 0, whose kernel does not say for what" 1 \
	"vdev=xvda,script=block-test,target=num:2"
rm "$PARVUS_FAKE/held-2"
wrong "xvda: cannot run the script $PARVUS_SCRIPT_DIR/block-none: No such file" 0 \
	"vdev=xvda,script=block-none,target=x"
G - fail 32 12 0
wrong "make a device" 1 "vdev=xvda,script=block-test,target=vol:1"
wrong "cannot run the script $PARVUS_SCRIPT_DIR/block-drbd" 0 "drbd:res,xvda,w"
wrong "cannot run the script $PARVUS_SCRIPT_DIR/block-iscsi" 0 "iscsi:iqn.x,xvda,w"
wrong "script=block-test runs here, and backend=x is elsewhere" 0 \
	"vdev=xvda,script=block-test,backend=x,target=y"
wrong "makes a block device, which is raw and served by the kernel, not qcow2" 0 \
	"vdev=xvda,script=block-test,format=qcow2,target=y"
wrong "served by the kernel, not by a program" 0 \
	"vdev=xvda,script=block-test,backendtype=program,target=y"
wrong "script=block-test needs a target" 0 ",,xvda,,cdrom,script=block-test"
# xl's own script is what happens without one
P create -q "$work/web.cfg" "disk=['vdev=xvda,script=block,target=$PARVUS_FAKE/blk-2']"
disk web 0 "8 2 0 0 0 xvda "
lines "^add" 0 || fail "script=block was run"
P destroy web
nothing

# --- block-drbd of drbd-utils, with block-common.sh of xen-utils-common
unshare --mount true 2>/dev/null || exit 0
(cd "$work" && apt-get download xen-utils-common drbd-utils >/dev/null 2>&1 &&
	dpkg -x xen-utils-common_*.deb xen && dpkg -x drbd-utils_*.deb xen) ||
	{ echo "drbd-utils cannot be had: block-drbd was not tried"; exit 0; }
mkdir "$work/bin"
cat >"$work/bin/drbdadm" <<'END'
#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/drbd.log"
case $1 in
role) cat "$here/role" ;;
sh-dev) [ "$2" = res1 ] && echo "$PARVUS_FAKE/blk-2" ;;
primary) echo Primary/Secondary >"$here/role" ;;
secondary) echo Secondary/Secondary >"$here/role" ;;
esac
END
chmod 755 "$work/bin/drbdadm"
echo Secondary/Secondary >"$work/bin/role"
# rw!: the fake's device is a file, whose number, 0:0, the script finds in /proc/mounts
PATH=$work/bin:$PATH unshare --mount bash -c '
	mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log && mkdir /var/log/xen || exit 99
	"$0" create -q "$1" "disk=[\"vdev=xvda,access=rw!,script=$2,target=res1\"]" || exit 1
	grep Primary/ "$3/role" >/dev/null || exit 2
	"$0" block-list web | grep -q xvda || exit 3
	"$0" destroy web
	for i in $(seq 100); do
		grep -q ^Secondary "$3/role" && exit 0
		sleep 0.1
	done
	cat /var/log/xen/* "$PARVUS_LOG_DIR"/monitor-web.log
	exit 4' "$parvus" "$work/web.cfg" "$work/xen/etc/xen/scripts/block-drbd" "$work/bin" ||
	fail "block-drbd: $?: $(cat "$work/bin/drbd.log" "$PARVUS_LOG_DIR"/monitor-web.log)"
clean
exit 0
