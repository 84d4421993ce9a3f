# SPDX-License-Identifier: GPL-2.0-only
# @timeout 240
# What a front end has waits for nobody's good will: a back end that goes and keeps the pages
# of each link gets two, not all memory, and when it lets go there is a link again; a program
# that offers all that it can leaves offers for the drivers.
. tests/system/lib.bash

abi="-Ipv-abi/include -I$O/gen"
program vif "$abi"
program netload
program netevil "$abi"
program exhaust "$abi"
mkdir -p "$work/root/usr/bin"
(cd "$O/tests/prog" && cp vif netload netevil exhaust "$work/root/usr/bin/") || exit 99
cp tests/system/network.ash "$work/root/" || exit 99
export CPUS=2 TIMEOUT=220
control "$(cat <<'END'
NET_PROGRAMS=usr/bin/exhaust
. /network.ash
before=$(held)
domain u 160
plug u 0
address u 2
both u 10.0.0.1 1
D=/sys/bus/parvus/devices/$id
state() { cat $D-back/state; }
left() {
	must u "echo 3 >/proc/sys/vm/drop_caches; cat /proc/meminfo"
	sed -n 's/^MemFree: *\([0-9]*\) .*/\1/p' said
}
refused() { must u "cat $D-front/refused"; cat said; }

step "a back end that keeps what it mapped"
had=$(left)
echo $id-back >/sys/bus/parvus/drivers/network-back/unbind
netevil hoard $id 30 >kept &
hoarder=$!
until_true 120 'grep -q kept kept'
now=$(left)
echo "$(cat kept), $((had - now)) KiB less in u"
[ "$(cat kept)" = "kept 2 links" ] || fail "$(cat kept)"
[ $((had - now)) -lt 4096 ] || fail "u has $((had - now)) KiB less"
[ "$(refused)" = 0 ] || fail "taken for a lie"
kill $hoarder
echo $id-back >/sys/bus/parvus/drivers/network-back/bind
bridge vif1.0
until_true 60 "carrier vif1.0"
both u 10.0.0.1 1
until_true 10 "[ \$(left) -gt $((had - 1500)) ]"

step "a program offers all that it can"
must u "(exhaust grants >/tmp/exhaust 2>&1 &)"
until_true 30 'ask u "cat /tmp/exhaust" | grep -q exhausted'
for what in unbind bind; do
	must u "echo $id-front >/sys/bus/parvus/drivers/network-front/$what; sleep 1"
done
# a domain may offer each of its frames: there are some left for its drivers
until_true 60 "carrier vif1.0"
[ "$(refused)" = 0 ] || fail "taken for a lie"
must u 'killall exhaust'
address u 2
both u 10.0.0.1 1
clean_guest u
P destroy u
until_true 20 '[ "$(held)" = "$before" ]'
kill $server
END
)"
