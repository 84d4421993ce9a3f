# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# Network interfaces of domain Us, over a bridge in domain 0: small and large packets, IPv4
# and IPv6, with and without each offload; MTU, multicast, two domains beside each other,
# several queues.
. tests/system/lib.bash

network "$(cat <<'END'
. /network.ash
held_before=$(held)
domain u 160
domain w 300 vcpus=2
[ "$(P domid u) $(P domid w)" = "1 2" ] || fail "domain numbers"
plug u 0
u_id=$id
address u 2

step "small, large, and IPv6"
must u 'ping -i 0.2 -c 3 10.0.0.1'
must u 'ping -i 0.2 -c 3 -s 60000 10.0.0.1'
must u 'ping -6 -i 0.2 -c 3 fd00::1 && ping -6 -i 0.2 -c 3 -s 30000 fd00::1'
ping -i 0.2 -c 2 -s 9000 10.0.0.2 >said || fail "ping to u: $(cat said)"

step "a file of 64 MiB each way, both at once"
mkdir www
dd if=/dev/urandom of=www/file bs=1M count=64 2>/dev/null
sum=$(md5sum <www/file)
httpd -p 80 -h www
mkfifo silence
exec 4<>silence		# what nc has to say: nothing, and no end
nc -l -p 6000 <&4 | md5sum >back &
nc=$!
must u 'wget -q -O - http://10.0.0.1/file | nc 10.0.0.1 6000'
wait $nc
[ "$(cat back)" = "$sum" ] || fail "the file is another one now: $(cat back)"
exec 4<&-
rm -r www

step "offloads"
[ "$(ask u 'netload stats eth0' | head -2 | tr '\n' ' ')" = \
	"driver parvus-network-front bus $u_id-front " ] || fail "drvinfo"
both u fd00::1 8
before=$(counter vif1.0 rx_packets)
both u 10.0.0.1 8
big=$(($(counter vif1.0 rx_packets) - before))
# rx makes another link: a connection waits for it
try='for h in 10.0.0.1 fd00::1; do netload send $h 5000 1 && netload recv $h 5000 1 || exit 1; done'
must u '(for set in tso=off gso=off sg=off tx=off rx=off gro=off rx=on tx=on sg=on gso=on gro=on tso=on; do netload offload eth0 ${set%=*} ${set#*=} || exit 1; '"$try"'; done)'
before=$(counter vif1.0 rx_packets)
must u 'netload offload eth0 tso off && netload offload eth0 gso off && netload send 10.0.0.1 5000 4 && netload offload eth0 gso on && netload offload eth0 tso on'
packets=$(($(counter vif1.0 rx_packets) - before))
[ $packets -gt 2800 ] || fail "without segmentation: 4 MiB in $packets packets"
[ $big -lt 2800 ] || fail "8 MiB in $big packets: no segmentation offload"
for set in "tso off" "tx off" "sg off" "tx on" "sg on" "tso on"; do
	netload offload vif1.0 $set || fail "vif1.0: $set"
	both u 10.0.0.1 1
done

step "MTU"
ask u 'ip link set eth0 mtu 9000' >said 2>&1 && fail "a larger MTU than the back end's"
ip link set br0 mtu 9000
ip link set vif1.0 mtu 9000
until_true 10 'ask u "ip link set eth0 mtu 9000" >/dev/null 2>&1'
must u 'ping -i 0.2 -c 3 -s 8900 10.0.0.1'
must u 'netload offload eth0 tso off'
before=$(counter vif1.0 rx_packets)
must u 'netload offload eth0 gso off && netload send 10.0.0.1 5000 8'
packets=$(($(counter vif1.0 rx_packets) - before))
[ $packets -gt 930 ] && [ $packets -lt 3000 ] || fail "8 MiB in $packets packets of 9000 bytes"
both u fd00::1 4
must u 'netload offload eth0 gso on && netload offload eth0 tso on'
ip link set vif1.0 mtu 1400
until_true 10 '[ "$(ask u "cat /sys/class/net/eth0/mtu")" = 1400 ]'
ip link set vif1.0 mtu 1500
ip link set br0 mtu 1500
until_true 10 'ask u "ip link set eth0 mtu 1500" >/dev/null 2>&1'
ask u 'ip link set eth0 mtu 67' >said 2>&1 && fail "MTU 67"
both u 10.0.0.1 2

step "multicast, promiscuous"
ask u 'netload mlisten 239.1.2.3 7000 eth0' >heard &
sleep 1
netload msend 239.1.2.3 7000 br0 hello-u
wait $!
[ "$(cat heard)" = hello-u ] || fail "u heard: $(cat heard)"
netload mlisten 239.1.2.4 7000 br0 >heard &
usleep 500000
must u 'ifconfig eth0 promisc allmulti && netload msend 239.1.2.4 7000 eth0 hello-0 && ifconfig eth0 -promisc -allmulti'
wait $!
[ "$(cat heard)" = hello-0 ] || fail "domain 0 heard: $(cat heard)"

step "two domains beside each other; queues"
plug w 0
w_id=$id
address w 3
must w 'ping -i 0.2 -c 2 -s 20000 10.0.0.2'
must u '(netload serve 5000 >/dev/null 2>&1 &)'
both w 10.0.0.2 8
both w fd00::2 4
must w 'netload send 10.0.0.1 5000 2 12 && netload recv 10.0.0.1 5000 2 12'
for i in 0 1; do
	for n in $(ask w "netload stats eth0 | sed -n 's/^.x_queue_${i}_packets //p'"); do
		[ "$n" -gt 20 ] || fail "queue $i of w: $n packets"
	done
done
[ "$(ask w 'ls -1d /sys/class/net/eth0/queues/tx-*' | wc -l)" = 2 ] || fail "queues of w"

clean_guest u
clean_guest w
P destroy u
P destroy w
until_true 5 '[ ! -d /sys/class/net/vif1.0 ] && [ ! -d /sys/class/net/vif2.0 ]'
until_true 10 '[ "$(held)" = "$held_before" ]'
kill $server
END
)"
