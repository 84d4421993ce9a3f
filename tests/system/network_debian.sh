# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# A domain U gets its address by DHCP from "parvus network-nat", talks to domain 0 with one and
# with four streams both ways, copies 50 MiB (FULL=1: 200) there and back with the same checksum,
# and reaches a server behind NAT that knows no way back to it.
. tests/system/lib.bash

seconds=1 size=50
[[ -n ${FULL:-} ]] && seconds=20 size=200
mkdir -p "$work/root"
cat >"$work/root/inside" <<'END'
set -eu
dev=$(ls /sys/class/net | grep '^e')
i=0
until ip -4 -o addr show dev "$dev" | grep -q 'inet ' && ip route | grep -q '^default'; do
	i=$((i + 1))
	[ $i -lt 300 ] || { ip addr; networkctl status --no-pager; exit 1; }
	sleep 0.2
done
# the route says where domain 0 is
gate=$(ip route | sed -n 's/^default via \([^ ]*\) .*/\1/p')
echo "@ $(cut -d' ' -f1 /proc/uptime) $dev $(ip -4 -o addr show dev "$dev" |
	awk '{ print $4 }') by DHCP, $gate"
ping -c 3 -W 10 "$gate" >/dev/null
for streams in 1 4; do
	for way in "" -R; do
		iperf3 -c "$gate" -t "$SECONDS_EACH" -P $streams $way --json >iperf.json ||
			{ cat iperf.json; exit 1; }
		bytes=$(tr -d ' \n\t' <iperf.json |
			sed 's/.*"sum_received":{[^}]*"bytes":\([0-9]*\).*/\1/')
		[ "$bytes" -gt 1000000 ] || { cat iperf.json; exit 1; }
		echo "@ $(cut -d' ' -f1 /proc/uptime) iperf3: $streams streams" \
			"${way:-forth}: $((bytes / 1048576)) MiB in $SECONDS_EACH s"
	done
done
# to us and back again at once
cat >copy <<'COPY'
set -eu -o pipefail
exec 3>/dev/tcp/$1/9000
wget -q -O - "http://$1:8080/big" | tee >(cat >&3) | md5sum | sed 's/^/sum /'
COPY
bash copy "$gate"
echo "@ $(cut -d' ' -f1 /proc/uptime) copied"
wget -q -T 20 -t 2 -O - "http://$FAR:8080/behind"
END
TIMEOUT=850 DOM0_MEM=1600M debian "SECONDS_EACH=$seconds SIZE=$size
$(cat <<'END'
step "a bridge, a server, another server behind NAT"
ip link set lo up
P network-nat start
gate=$(parvus network-nat status --json | tr -d ' \t\n' | sed 's/.*"address":"\([^"]*\)".*/\1/')
$ip netns add far && $ip link add far0 type veth peer name eth0 netns far &&
	$ip addr add 198.51.100.2/24 dev far0 && $ip link set far0 up &&
	$ip -n far addr add 198.51.100.1/24 dev eth0 && $ip -n far link set eth0 up ||
	fail "namespace"
mkdir www
echo 'reached behind NAT' >www/behind
$ip netns exec far busybox httpd -p 8080 -h /tmp/www || fail "server"
dd if=/dev/urandom of=www/big bs=1M count=$SIZE 2>/dev/null
sum=$(md5sum <www/big | cut -d' ' -f1)
busybox httpd -p "$gate:8080" -h /tmp/www || fail "server"
iperf3 -s -D || fail "iperf3"
(nc -l -p 9000 | md5sum >back) &
step "Debian"
debian_domain u "" "SECONDS_EACH=$SECONDS_EACH FAR=198.51.100.1
$(cat /inside)" vif="['bridge=parvus0']"
ended u 700
says u | grep '^@'
says u | grep -q "^sum $sum" || fail "what came is not what was sent: $sum, $(says u | grep '^sum')"
until_true 5 '[ -s back ]'
[ "$(cut -d' ' -f1 back)" = "$sum" ] ||
	fail "what came back is not what was sent: $sum, $(cat back)"
says u | grep -q '^reached behind NAT' || fail "not behind NAT"
P destroy u
P network-nat stop
[ -z "$(nft list tables)" ] || fail "left: $(nft list tables)"
END
)"
