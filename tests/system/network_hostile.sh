# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# Hostile ends of network interfaces: a program in a domain U that lies to the back end's
# kernel in each way there is, a program in domain 0 that lies to the front end's. A lie
# closes that device; another domain's interface works all the time; both kernels are
# unharmed, and the device is of use again to an honest end.
. tests/system/lib.bash

network "$(cat <<'END'
NET_PROGRAMS=usr/bin/netevil
. /network.ash
before=$(held)
domain u 160
domain w 160
plug u 0
u_id=$id
address u 2
plug w 0
address w 3

step "a hostile front end"
must u "echo $u_id-front >/sys/bus/parvus/drivers/network-front/unbind"
rx=$(counter vif1.0 rx_packets)
ask w 'netload send 10.0.0.1 5000 64' >w.said &
traffic=$!
until_true 5 "[ \"\$(cat /sys/bus/parvus/devices/$u_id-back/refused)\" = 0 ]"
eval "$(forgive $u_id-back)" &
forgiving=$!
from=$(uptime_seconds)
must u "netevil front $u_id"
kill $forgiving
[ "$(cat said)" = "netevil ok" ] || fail "the back end: $(cat said)"
[ "$(counter vif1.0 rx_packets)" -gt "$rx" ] || fail "not even what is right arrives"
wait $traffic || fail "another domain's traffic: $(cat w.said)"
lines=$(dmesg | grep -c 'vif1.0: closed')
most=$((10 * (1 + ($(uptime_seconds) - from) / 30)))	# ten in half a minute
echo "$lines lines of the log"
[ "$lines" -gt 0 ] && [ "$lines" -le $most ] || fail "$lines lines of the log, not $most"
clean_dmesg
must u "echo $u_id-front >/sys/bus/parvus/drivers/network-front/bind"
until_true 10 "carrier vif1.0"
address u 2
both u 10.0.0.1 2

step "a hostile back end"
must w 'netload ping 10.0.0.1 5000 10'
echo "$u_id-back" >/sys/bus/parvus/drivers/network-back/unbind
must u "($(forgive $u_id-front)) >/dev/null 2>&1 & true"
netevil back $u_id >said 2>&1 || fail "the front end: $(cat said)"
[ "$(cat said)" = "netevil ok" ] || fail "the front end: $(cat said)"
clean_guest u
echo "$u_id-back" >/sys/bus/parvus/drivers/network-back/bind
bridge vif1.0
until_true 10 "carrier vif1.0"
both u 10.0.0.1 2
both w 10.0.0.1 2
clean_guest u
P destroy u
P destroy w
until_true 10 '[ "$(held)" = "$before" ]'
kill $server
END
)" netevil
