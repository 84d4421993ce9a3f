# SPDX-License-Identifier: GPL-2.0-only
# Hotplug scripts that were written for Xen run as they are: XENBUS_*, programs that answer as the
# store's do, in the script's own words, xm, a log's folder; why one failed is told. Then, where it
# can be had, the real vif-bridge of xen-utils-common on real interfaces.
. tests/system/fake.bash
export PARVUS_SCRIPT_DIR=$work/scripts
mkdir -p "$PARVUS_FAKE" "$PARVUS_SCRIPT_DIR" "$PARVUS_LIB_DIR/compat"
touch "$PARVUS_FAKE/bridge-br0"
cp tools/compat/xenstore "$PARVUS_LIB_DIR/compat/"
for f in read write exists rm; do
	ln -s xenstore "$PARVUS_LIB_DIR/compat/xenstore-$f"
done
ln -s "$parvus" "$PARVUS_LIB_DIR/compat/xm"

cat >"$PARVUS_SCRIPT_DIR/vif-store" <<'END'
#!/bin/sh
exec >>"$(dirname "$0")/log" 2>&1
echo "$1 $2 $XENBUS_PATH $XENBUS_TYPE $XENBUS_BASE_PATH"
for key in bridge ip mac mtu vifname handle frontend-id frontend script nothing; do
	v=$(xenstore-read "$XENBUS_PATH/$key")
	echo "$key=$v $?"
done
xenstore-write "$XENBUS_PATH/hotplug-status" connected /local/domain/1/device/vif/0/mtu "15 00"
xenstore-read -p "$XENBUS_PATH/hotplug-status" /local/domain/1/device/vif/0/mtu
xenstore-write "$XENBUS_PATH/hotplug-status" again
xenstore-read "$XENBUS_PATH/hotplug-status"
xenstore-rm "$XENBUS_PATH/hotplug-status"
xenstore-exists "$XENBUS_PATH/hotplug-status" && echo "it is still there"
xenstore-exists "$XENBUS_PATH/bridge" || echo "it is not there"
vm=$(xenstore-read "/local/domain/$(xenstore-read "$XENBUS_PATH/frontend-id")/vm")
echo "$vm $(xenstore-read "$vm/uuid") $(xenstore-read "$vm/name")"
echo "$(xm domname "$(xenstore-read "$XENBUS_PATH/frontend-id")")"
case $ip in
10.0.0.66)
	xenstore-write "$XENBUS_PATH/hotplug-error" "no room in the rack" \
		"$XENBUS_PATH/hotplug-status" error
	exit 1 ;;
esac
END
chmod 755 "$PARVUS_SCRIPT_DIR/vif-store"
vif="script=vif-store,bridge=br0,ip=10.0.0.5,mac=00:16:3e:01:02:03,mtu=1400"
uuid=01234567-89ab-cdef-0123-456789abcdef
P create -q "$work/web.cfg" "vif=['$vif']" uuid=$uuid
cat >"$work/want" <<END
online type_if=vif backend/vif/1/0 vif backend
bridge=br0 0
ip=10.0.0.5 0
mac=00:16:3e:01:02:03 0
mtu=1400 0
xenstore-read: couldn't read path backend/vif/1/0/vifname
vifname= 1
handle=0 0
frontend-id=1 0
frontend=/local/domain/1/device/vif/0 0
script=vif-store 0
xenstore-read: couldn't read path backend/vif/1/0/nothing
nothing= 1
backend/vif/1/0/hotplug-status: connected
/local/domain/1/device/vif/0/mtu: 15 00
again
/vm/$uuid $uuid web
web
END
diff "$work/want" "$PARVUS_SCRIPT_DIR/log" || fail "a script sees other things"
bad "vif 1: the script vif-store online: status 1: no room in the rack" network-attach web \
	script=vif-store ip=10.0.0.66
P network-attach web script=vif-store vifname=left
grep -q "^vifname=left 0" "$PARVUS_SCRIPT_DIR/log" || fail "vifname"
P destroy web
until_true grep -q "^offline type_if=vif backend/vif/1/0" "$PARVUS_SCRIPT_DIR/log"
clean

# --- VLANs glued to the name of a bridge, of Open vSwitch: as Ganeti writes them
P create -q "$work/web.cfg" "vif=['script=vif-store,bridge=switch1.100:200:300','bridge=br0']"
[[ $(P network-list web | awk '{ print $NF }' | tr '\n' ' ') == \
	"Bridge switch1.100:200:300 br0 " ]] ||
	fail "$(P network-list web)"
grep -q "^bridge=switch1.100:200:300 0" "$PARVUS_SCRIPT_DIR/log" || fail "a script's bridge"
number=$(P domid web)
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) -gt $number ]]'
[[ $(P list -l web) == *"bridge=switch1.100:200:300"* ]] || fail "after a reboot"
# the monitor may still wait for its back end: it goes with its domain, and does not wait for ever
P destroy web
clean
for b in br0.5:5000 br0:0 br0.100: br0:1:2:4095 br0:99999999999999999999; do
	bad "a VLAN of a bridge is 1 to 4094, as in br0.100:200:300, not \"$b\"" create -n \
		"$work/web.cfg" "vif=['bridge=$b']"
done
for b in .5:5 br:0a a-name-that-is-too-long:5; do
	bad "1 to 15 letters" create -n "$work/web.cfg" "vif=['bridge=$b']"
done
bad "vif 0: there is no bridge br0.100:7 (for VLANs of one: script=vif-openvswitch)" create \
	"$work/web.cfg" "vif=['bridge=br0.100:7']"
clean
# outside of a script there is no store
x=$("$PARVUS_LIB_DIR/compat/xenstore-read" backend/x 2>&1) && fail "a store outside of scripts"
[[ $x == "xenstore-read: backend/x: there is no store outside of a hotplug script" ]] || fail "$x"

# --- vif-bridge of /etc/xen/scripts: ours, and Xen's own, on interfaces that are there
next_number() { # the next domain's, in $next
	P create -q "$work/web.cfg" name=probe
	next=$(($(P domid probe) + 1))
	P destroy probe
	clean
}
bed() { # SCRIPT: of a bridge and what would be a back end's interface, in a network of their own
	next_number
	unshare --net --mount bash -c '
		mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /var/log && mkdir /var/log/xen &&
			mount -t tmpfs tmpfs /run || exit 99
		ip link add br0 type bridge && ip link set br0 up &&
			ip link add "$3" type veth peer x ||
			exit 77
		"$0" create -q "$1" "vif=[\"script=$2,bridge=br0\"]" || exit 1
		ip -o link show master br0 | grep -q " $3@.*UP" || { ip link; exit 1; }
		"$0" destroy web
		for i in $(seq 100); do
			ip -o link show master br0 | grep -q "$3" || break
			sleep 0.1
		done
		[ "$i" != 100 ] || { cat /var/log/xen/* "$PARVUS_LOG_DIR"/monitor-web.log; exit 2; }
		! grep -i error /var/log/xen/* 2>/dev/null' \
		"$parvus" "$work/web.cfg" "$1" "vif$next.0"
}
unshare --net true 2>/dev/null || exit 0
bed "$(realpath tools/compat/vif-bridge)"
rc=$?
[[ $rc == 77 ]] && { echo "no bridge or veth here"; exit 0; }
[[ $rc == 0 ]] || fail "vif-bridge of ours: $rc"
clean
(cd "$work" && apt-get download xen-utils-common >/dev/null 2>&1 &&
	dpkg -x xen-utils-common_*.deb xen) ||
	{ echo "xen-utils-common cannot be had: its scripts were not tried"; exit 0; }
bed "$work/xen/etc/xen/scripts/vif-bridge" || fail "vif-bridge of xen-utils-common: $?"
clean
# its vif-openvswitch asks the store for more, and tells a switch, which is a log here
mkdir "$work/bin"
printf '#!/bin/sh\necho "$*" >>"%s"\n' "$work/ovs" >"$work/bin/ovs-vsctl"
chmod 755 "$work/bin/ovs-vsctl"
next_number
PATH="$work/bin:$PATH" unshare --net --mount bash -c '
	mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /var/log && mkdir /var/log/xen &&
		mount -t tmpfs tmpfs /run && ip link add "$3" type veth peer x || exit 99
	vif=script=$2/vif-openvswitch,bridge=sw.7:8:9,mac=02:00:00:00:00:01
	"$0" create -q "$1" uuid=01234567-89ab-cdef-0123-456789abcdef "vif=[\"$vif\"]" || exit 1
	"$0" destroy web
	for i in $(seq 100); do
		[ -e "$PARVUS_RUN_DIR/domains/"* ] || break
		sleep 0.1
	done' "$parvus" "$work/web.cfg" "$work/xen/etc/xen/scripts" "vif$next.0" ||
	fail "vif-openvswitch: $?: $(cat "$work/ovs" "$PARVUS_LOG_DIR"/monitor-web.log)"
[[ $(grep add-port "$work/ovs") == *"add-port sw vif$next.0 tag=7 trunk=8,9 "* &&
	$(grep add-port "$work/ovs") == *'"xen-vm-name"="web"'*'"xen-vm-uuid"="01234567-'* &&
	$(tail -1 "$work/ovs") == *"--if-exists del-port vif$next.0" ]] ||
	fail "vif-openvswitch: $(cat "$work/ovs")"
clean
# Ganeti's vif-ganeti, beside Xen's vif-common.sh and with the library where it looks for it, takes
# the bridge from the file that Ganeti writes for the interface of the domain that xm domname names
[[ -n ${FULL:-} ]] || exit 0
(cd "$work" && apt-get download ganeti ganeti-3.0 >/dev/null 2>&1 &&
	for f in ganeti*.deb; do dpkg -x "$f" gan; done) ||
	{ echo "ganeti cannot be had: vif-ganeti was not tried"; exit 0; }
from=$work/gan/usr/lib/ganeti/3.0/usr/lib/ganeti
cp "$from/vif-ganeti" "$work/xen/etc/xen/scripts/" || fail "no vif-ganeti in ganeti"
mkdir -p "$work/usr/lib/ganeti" "$work/node/var/run/ganeti/xen-hypervisor/nic/web"
cp "$from/net-common" "$work/usr/lib/ganeti/"
cat >"$work/node/var/run/ganeti/xen-hypervisor/nic/web/0" <<END
MAC=02:00:00:00:00:01
IP=
INTERFACE_INDEX=0
MODE=bridged
LINK=br-ganeti
VLAN=
TAGS=""
INTERFACE_UUID=x
END
next_number
GANETI_ROOTDIR=$work/node unshare --net --mount bash -c '
	mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /var/log && mkdir /var/log/xen &&
		mount -t tmpfs tmpfs /run &&
		mount -t overlay overlay /usr -o "lowerdir=$4/usr:/usr" || exit 77
	ip link add br0 type bridge && ip link add br-ganeti type bridge &&
		ip link add "$3" type veth peer x || exit 99
	"$0" create -q "$1" "vif=[\"script=$2/vif-ganeti,bridge=br0\"]" || exit 1
	ip -o link show master br-ganeti | grep -q " $3@.*UP" || { ip link; exit 1; }
	"$0" destroy web
	for i in $(seq 100); do
		[ -e "$PARVUS_RUN_DIR/domains/"* ] || break
		sleep 0.1
	done' "$parvus" "$work/web.cfg" "$work/xen/etc/xen/scripts" "vif$next.0" "$work"
rc=$?
[[ $rc == 77 ]] && { echo "no overlay here: vif-ganeti was not tried"; exit 0; }
[[ $rc == 0 ]] || fail "vif-ganeti: $rc: $(cat "$PARVUS_LOG_DIR"/monitor-web.log)"
clean
exit 0
