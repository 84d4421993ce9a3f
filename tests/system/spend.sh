# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# Domain 0's memory, log and time are not a guest's to spend. A front end whose pages lie 2 MiB
# apart, one that uses others each time, one that sends from 20,000 addresses, one whose state
# changes all the time, one that floods the log: what each costs is bounded, it is given back, and
# another domain's interface works meanwhile. A bridge in a guest has its 64 addresses.
. tests/system/lib.bash

program netload
program macs
mkdir -p "$work/root/usr/bin"
program flap "-Ipv-abi/include -I$O/gen"
cp "$O/tests/prog/"{netload,macs,flap} "$work/root/usr/bin/" || exit 99
cp "$O/tests/guest/worst" "$work/root/" || exit 99
export CPUS=2 MEM=1500M TIMEOUT=${TIMEOUT:-280}
control "$(cat <<'END'
(cd / && printf '%s\n' usr usr/bin usr/bin/netload usr/bin/macs | cpio -o -H newc 2>/dev/null) >more
cat more >>listen
parvus network-nat start 2>/dev/null || fail "network-nat start"
netload serve 5000 &
server=$!
free_kib() { sed -n 's/^MemFree: *\([0-9]*\) .*/\1/p' /proc/meminfo; }
# What domain 0 can have again when it asks for it, in KiB
left() { sync; echo 3 >/proc/sys/vm/drop_caches; free_kib; }
extents() { cat /sys/module/foreign/parameters/extents; }
counter() { # INTERFACE NAME, summed over queues
	netload stats "$1" | sed 's/queue_[0-9]*_//' |
		awk -v want="$2" '$1 == want { n += $2 } END { print n + 0 }'
}
said() { sleep 1; parvus dmesg | grep "worst: $1" | tail -1; }
worst() { # NAME WHAT: the hostile front end
	parvus create -q name="$1" kernel=/worst memory=800 cmdline="$2" "vif=['']" >out 2>&1 ||
		fail "create $1: $(cat out)"
}
# Entries of the bridge's table, 16 bytes each
addresses() { echo $(($(cat /sys/class/net/parvus0/brforward | wc -c) / 16)); }
U() { ask u "$@" >said || fail "in u: $*: $(cat said)"; cat said; }

warm
host=$(ifconfig parvus0 | sed -n 's/.*inet addr:\([0-9.]*\) .*/\1/p')
domain u 96 "vif=['']"
up() { # static: a server that gives addresses is not what is tried here
	U "ifconfig eth0 ${host%.*}.251 up" >/dev/null
	until_true 40 'ask u "cat /sys/class/net/eth0/carrier" | grep -q 1'
}
up
works() { U "netload send $host 5000 1 && netload recv $host 5000 1" >/dev/null; }
works
honest=$(extents 2>/dev/null)

step "pages that lie 2 MiB apart (u has $honest extents)"
before=$(left)
[ "$(cat /sys/module/foreign/parameters/domain_extents)" = 128 ] || fail "another limit"
echo 64 >/sys/module/foreign/parameters/domain_extents
worst s spread
until_true 60 '[ -n "$(said "a link")" ]'
cost=$((before - $(left)))
echo "$(said "a link"); $(extents) extents, $cost KiB less"
[ $cost -lt 4096 ] || fail "domain 0 paid $cost KiB"
said "a link" | grep -q "of 64 pages" || fail "no link with what is allowed: $(said "a link")"
[ $(($(extents) - honest)) -le 64 ] || fail "$(extents) extents"
works
P destroy s

step "others each time"
worst s wander
until_true 90 '[ -n "$(said "[0-9]* links")" ]'
cost=$((before - $(left)))
echo "$(said "[0-9]* links"); $(extents) extents, $cost KiB less"
[ $cost -lt 4608 ] || fail "domain 0 paid $cost KiB"
[ $(($(extents) - honest)) -le 96 ] || fail "$(extents) extents"
works
P destroy s
until_true 60 "[ \$(extents) -le $honest ]"
until_true 20 "[ $before -lt \$((\$(left) + 1536)) ]"

step "20,000 addresses"
vif=vif$(P domid u).0
before=$(left)
own=$(addresses)
U 'macs eth0 1 20000' | grep "sent 20000" || fail "$(cat said)"
cost=$((before - $(left)))
echo "$(addresses) addresses, $own before; $(counter $vif rx_refused) refused; $cost KiB less"
[ $(($(addresses) - own)) -le 64 ] || fail "the bridge has $(addresses)"
[ "$(counter $vif rx_refused)" -gt 19000 ] || fail "refused: $(counter $vif rx_refused)"
[ $cost -lt 3072 ] || fail "domain 0 paid $cost KiB"
works
# those that it has go on to work, as a bridge's do; others do when these are silent
refused=$(counter $vif rx_refused)
U 'macs eth0 1 60 100' >/dev/null
[ "$(counter $vif rx_refused)" = "$refused" ] || fail "one of 60 addresses is refused"
echo 2 >/sys/module/network_back/parameters/source_age
sleep 4
U 'macs eth0 5000 60' >/dev/null
[ "$(counter $vif rx_refused)" = "$refused" ] || fail "no address makes room"
echo 300 >/sys/module/network_back/parameters/source_age
[ "$(dmesg | grep -c "$vif: domain .* sends from more than 64")" = 1 ] || fail "not said once"

step "its own address alone"
P network-detach u 0
until_true 10 "[ ! -d /sys/class/net/$vif ]"
P network-attach u mac=02:00:00:00:00:07,macfilter=1
up
works
own=$(addresses)
U 'macs eth0 1 100' >/dev/null
[ "$(addresses)" = "$own" ] || fail "the bridge has $(addresses), not $own"
[ "$(counter $vif rx_refused)" = 100 ] || fail "refused: $(counter $vif rx_refused)"
works

step "a state that changes all the time"
worst s flap
sleep 1
works
until_true 60 '[ -n "$(said "[0-9]* changes")" ]'
said "[0-9]* changes"
moved=$(said "[0-9]* changes" | sed 's/.*back end //')
[ "$moved" -gt 10 ] && [ "$moved" -lt 450 ] || fail "the back end moved $moved times in 5 s"
P destroy s

step "events of the registry, by one who is faster than all guests"
flap 6 >flap.out || fail "flap: $?"
cat flap.out
rate=$(sed -n 's/.* changes, \([0-9]*\) events a second/\1/p' flap.out)
# one in a millisecond, and the two at the edges of a tenth of a second
[ "$rate" -gt 30 ] && [ "$rate" -le 1020 ] || fail "$rate events a second"

step "lines without end"
parvus dmesg -c >/dev/null 2>&1
worst s log
until_true 30 '[ -n "$(parvus dmesg | grep wwwwwww)" ]'
sleep 4
lines=$(parvus dmesg | grep -c wwwwwwww)
echo "$lines lines of 255 bytes"
[ "$lines" -gt 40 ] && [ "$lines" -lt 130 ] || fail "$lines lines"
P destroy s
works
P destroy u
kill $server
END
)"
