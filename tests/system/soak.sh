# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 3600
# Four domain Us work for SOAK_SECONDS (1,200): stress-ng with --verify, fio with verification on a
# disk of domain 0, iperf3 over a bridge; all the while other domains are made, reached by console,
# and destroyed. No error, no warning of any kernel or of the hypervisor, nothing is left behind.
# make soak runs it alone.
. tests/system/lib.bash

seconds=${SOAK_SECONDS:-1200}
mkdir -p "$work/root"
cat >"$work/root/inside" <<'END'
set -u
gate=$(i=0; until ip route | grep -q '^default' || [ $i -gt 300 ]; do i=$((i + 1)); sleep 0.2; done
	ip route | sed -n 's/^default via \([^ ]*\) .*/\1/p')
[ -n "$gate" ] || { ip addr; exit 1; }
end=$(($(cut -d. -f1 /proc/uptime) + SECONDS_ALL))
left() { echo $((end - $(cut -d. -f1 /proc/uptime))); }
stress() { # the memory beside it is for the others
	stress-ng --temp-path /tmp --cpu 1 --vm 1 --vm-bytes 64m --mmap 1 --mmap-bytes 16m \
		--fork 1 --pipe 1 --signal 1 --switch 1 --mprotect 1 --mremap 1 --mremap-bytes 8m \
		-t "$SECONDS_ALL" --verify >stress.out 2>&1
}
disk() {
	while [ "$(left)" -gt 5 ]; do
		fio --eta=never --ioengine=libaio --direct=1 --verify=crc32c --verify_fatal=1 \
			--size=24m --filename=/dev/xvdb \
			--name=a --rw=randrw --bs=16k --iodepth=8 \
			--name=b --stonewall --rw=write --bs=256k --iodepth=4 \
			>fio.out 2>&1 || return 1
		echo x >>fio.rounds
	done
}
net() {
	while [ "$(left)" -gt 15 ]; do
		iperf3 -c "$gate" -p $PORT -t 5 >iperf.out 2>&1 || return 1
		iperf3 -c "$gate" -p $PORT -t 5 -R >iperf.out 2>&1 || return 1
		echo x >>iperf.rounds
	done
}
stress & s=$!
disk & d=$!
net & n=$!
rc=0
wait $s || { rc=1; tail -20 stress.out; }
wait $d || { rc=1; tail -20 fio.out; }
wait $n || { rc=1; tail -20 iperf.out; }
echo	# the login of the console leaves its line open
echo "@ stress-ng: $(grep -c 'successful run' stress.out), fio $(wc -l <fio.rounds)" \
	"rounds, iperf3 $(wc -l <iperf.rounds) rounds"
dmesg | grep -iE -A15 'call trace|WARNING:|BUG:|rcu:.*(stall|detected)|hung task|Oops:|i/o error' &&
	exit 1
exit $rc
END
export MEM=6G
TIMEOUT=$((seconds + 1500)) DOM0_MEM=2200M debian "SECONDS_ALL=$seconds
$(cat <<'END'
step "a bridge, four domains"
ip link set lo up
P network-nat start
memdisk 0x80000000 0x40000000 /tmp/base.img || fail "no disk image in memory"
warm
before=$(account)
extra="console=hvc0 root=/dev/xvda rw quiet loglevel=4 panic=-1 parvus.cmd=/dev/xvdz"
for i in 1 2 3 4; do
	qemu-img create -q -f qcow2 -b /tmp/base.img -F raw root$i.qcow2 || fail "qemu-img"
	truncate -s 32M data$i.img
	printf '%s\n' "SECONDS_ALL=$SECONDS_ALL PORT=520$i
$(cat /inside)" >cmd$i
	truncate -s 65536 cmd$i
	iperf3 -s -D -p 520$i || fail "iperf3"
	P create -q name=d$i kernel=$K memory=384 vcpus=$((1 + i % 2)) on_poweroff=preserve \
		on_crash=preserve vif="['bridge=parvus0']" \
		extra="$extra" disk="['/tmp/root$i.qcow2,qcow2,xvda,rw', \
			'/tmp/data$i.img,raw,xvdb,rw','/tmp/cmd$i,raw,xvdz,ro']"
done
step "they work, others come and go"
over() { [ -n "$(field reason $1)" ] && [ "$(field running $1)" = false ]; }
rounds=0
until over d1 && over d2 && over d3 && over d4; do
	domain t 64 vcpus=$((1 + rounds % 2)) "vif=['bridge=parvus0']"
	ask t "cat /proc/uptime" >said || fail "t does not answer: $(cat said)"
	P destroy t
	rounds=$((rounds + 1))
	[ "$(uptime_seconds)" -lt $((SECONDS_ALL + 1400)) ] || fail "they do not end"
done
for i in 1 2 3 4; do
	says d$i | grep '^@'
	ended d$i 10
	P destroy d$i
done
echo "$rounds domains came and went meanwhile; a timer was late by $(field late_ticks) ticks"
balanced "$before"
P network-nat stop
END
)"
