# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# Network interfaces under load: a limit that is changed, back ends that vanish and come back,
# interfaces that go down and up, devices that go and come, a domain that ends, a front end
# that does not listen. TCP goes on, and nothing is left behind.
. tests/system/lib.bash

network "$(cat <<'END'
. /network.ash
before=$(held)
domain u 160
domain w 300 vcpus=2
[ "$(P domid u) $(P domid w)" = "1 2" ] || fail "domain numbers"
plug u 0
u_id=$id
address u 2
plug w 0
w_id=$id
address w 3

step "a limit, changed while it works"
vif set $w_id rate=4000000
t=$(ask w 'netload push 10.0.0.1 5000 8') || fail "with a limit"
ms=$((t / 1000000))
[ $ms -ge 1900 ] && [ $ms -lt 3000 ] || fail "8 MiB at 4 MB/s in $ms ms"
vif set $w_id rate=1000000 interval=200000
t=$(ask w 'netload push 10.0.0.1 5000 2 2') || fail "with another limit"
ms=$((t / 1000000))
[ $ms -ge 3600 ] && [ $ms -lt 6000 ] || fail "4 MiB at 1 MB/s in $ms ms"
[ "$(counter vif2.0 rx_stops)" -gt 0 ] || fail "nothing waited"
must w 'netload recv 10.0.0.1 5000 4'	# what it receives is not limited
vif set $w_id rate=0
t=$(ask w 'netload push 10.0.0.1 5000 8') || fail "without a limit"
[ $((t / 1000000)) -lt 1900 ] || fail "8 MiB in $((t / 1000000)) ms, without a limit"

step "a back end that vanishes under load, and comes back"
ask u 'netload send 10.0.0.1 5000 96 && netload recv 10.0.0.1 5000 16' >said &
traffic=$!
for i in 1 2 3 4 5; do
	usleep 700000
	echo "$u_id-back" >/sys/bus/parvus/drivers/network-back/unbind
	[ ! -d /sys/class/net/vif1.0 ] || fail "the interface is still there"
	both w 10.0.0.1 1
	echo "$u_id-back" >/sys/bus/parvus/drivers/network-back/bind
	bridge vif1.0
	until_true 10 "carrier vif1.0"
	[ $i != 1 ] || kill -0 $traffic || fail "too early"
done
wait $traffic || fail "TCP broke off: $(cat said)"
clean_guest u

step "up and down under load, at both ends"
ask w 'netload send 10.0.0.1 5000 32' >said &
traffic=$!
for i in 1 2 3; do
	usleep 300000
	ip link set vif2.0 down
	usleep 100000
	ip link set vif2.0 up
done
wait $traffic || fail "TCP broke off: $(cat said)"
must w 'for i in 1 2 3; do ip link set eth0 down; ip link set eth0 up; done; ip -6 addr add fd00::3/64 dev eth0'
both w 10.0.0.1 1

step "a device goes under load; another one comes; the domain ends under load"
ask u 'netload push 10.0.0.1 5000 400 & sleep 1' >said 2>&1
vif del $u_id
until_true 5 '[ ! -d /sys/class/net/vif1.0 ]'
until_true 5 '[ -z "$(ask u "ls -d /sys/class/net/eth0 2>/dev/null")" ]'
clean_guest u
u_id=$(vif add 1 0 mac=02:00:00:00:00:99 name=uplink.u queues=1 mtu=4000) || fail "vif add"
bridge uplink.u
address u 2
[ "$(ask u 'cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu' | tr '\n' ' ')" = \
	"02:00:00:00:00:99 4000 " ] ||
	fail "address and MTU are not as configured"
both u 10.0.0.1 2
clean_guest u
ask u 'netload push 10.0.0.1 5000 400 & sleep 1' >said 2>&1
P destroy u
until_true 5 '[ ! -d /sys/class/net/uplink.u ]'

step "a front end that does not listen holds nothing for ever"
both w 10.0.0.1 1
P pause w
stops=$(counter vif2.0 tx_stops)
dropped=$(counter vif2.0 tx_dropped)	# on a slow host it begins while we send
i=0
while [ $i -lt 700 ]; do
	i=$((i + 1))
	netload msend 239.1.2.3 7000 vif2.0 $i
done
[ "$(counter vif2.0 tx_stops)" -gt "$stops" ] ||
	fail "the ring did not fill: $(netload stats vif2.0)"
until_true 20 '[ "$(counter vif2.0 tx_dropped)" -gt $((dropped + 50)) ]'
P unpause w
both w 10.0.0.1 2
clean_guest w
P destroy w
until_true 5 '[ ! -d /sys/class/net/vif2.0 ]'
until_true 10 '[ "$(held)" = "$before" ]'
kill $server
END
)"
