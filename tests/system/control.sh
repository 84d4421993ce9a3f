# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# The commands of domain 0 on real domains: they do what they say, and what is wrong gives one
# line and leaves nothing. tests/system/cli.sh and toolstack.sh try what needs no hypervisor.
. tests/system/lib.bash

control "$(cat <<'END'
millis() { # COMMAND...: how long it took, in ms
	local from=$(awk '{ print int($1 * 1000) }' /proc/uptime)
	"$@"
	echo $(($(awk '{ print int($1 * 1000) }' /proc/uptime) - from))
}
run() { # STATUS ARG...: parvus run, output in run.out
	local want=$1
	shift
	parvus run -m 48 "$@" >run.out 2>run.err </dev/null
	rc=$?
	[ $rc = $want ] || fail "run $*: status $rc, not $want: $(cat run.out run.err)"
}
warm
P trace -t 0.1 >trace.out	# its rings stay
before=$(account)

step run
run 0 -- echo hello
[ "$(cat run.out)" = hello ] && [ ! -s run.err ] || fail "run: $(cat run.out run.err)"
run 7 'echo to stderr >&2; exit 7'
run 126 'echo c >/proc/sysrq-trigger; sleep 5'
grep -q '^parvus: run: the domain ended: crash' run.err || fail "run of a panic: $(cat run.err)"
run 124 --timeout 3 'sleep 60'
echo "some input" | parvus run -m 48 -i -- tr a-z A-Z >run.out || fail "run -i: status $?"
[ "$(cat run.out)" = "SOME INPUT" ] || fail "run -i: $(cat run.out)"
bad 125 "cannot open /none" run -k /none true
parvus run -m 48 -n slow 'sleep 60' >run.out 2>&1 &
pid=$!
until_true 10 "parvus domid slow >/dev/null 2>&1"
kill -9 $pid
wait $pid
until_true 10 "gone slow"
balanced "$before"

step "run with disks, an interface, and files that come out"
ip link add br0 type bridge && ip link set br0 up || fail "a bridge"
{ echo from-0; dd if=/dev/zero bs=1M count=4 2>/dev/null; } | head -c 4194304 >run.img
luggage='read -r word </dev/xvda; echo $word $(cat /sys/class/net/eth0/address) >result
dd if=/dev/urandom of=big bs=100000 count=11 2>/dev/null; md5sum <big >sum
dd if=big of=/dev/xvda bs=4096 2>/dev/null; sync; cp big /tmp/prog; chmod 755 /tmp/prog; exit 3'
run 3 --disk /tmp/run.img,raw,xvda,w --network mac=02:00:00:00:00:07,bridge=br0 \
	--copy-out result --copy-out sum:run.sum --copy-out big:run.big \
	--copy-out /tmp/prog:run.prog -- "$luggage"
[ ! -s run.err ] || fail "run with luggage: $(cat run.err)"
[ "$(cat result)" = "from-0 02:00:00:00:00:07" ] || fail "run with luggage: $(cat result)"
for f in run.big run.prog; do
	[ "$(md5sum <$f)" = "$(cat run.sum)" ] || fail "$f: $(md5sum <$f), not $(cat run.sum)"
done
[ -x run.prog ] && [ ! -x run.big ] || fail "modes: $(ls -l run.*)"
[ "$(head -c 1100000 run.img | md5sum)" = "$(cat run.sum)" ] || fail "what the domain wrote"
run 5 --disk /tmp/run.img,raw,xvda,r -- 'dd if=/proc/version of=/dev/xvda || exit 5'
run 125 --copy-out none -- true
grep -q "there is no file none in the domain" run.err || fail "run --copy-out: $(cat run.err)"
rm run.big run.prog
parvus run -m 48 -n slow --disk /tmp/run.img,raw,xvda,w --network '' 'sleep 60' >run.out 2>&1 &
pid=$!
until_true 10 "parvus block-list slow 2>/dev/null | grep -q xvda"
kill -9 $pid
wait $pid
until_true 10 "gone slow"
run 0 --disk /tmp/run.img,raw,xvda,w -- true
balanced "$before"

step "names; what is wrong leaves nothing"
domain u 48
bad 1 "there is a domain named u already" create name=u kernel=/idle memory=4
bad 1 "cannot open /none" create name=v kernel=/none
bad 1 "not a vmlinux or bzImage" create name=v kernel=/domain0.ash
bad 1 "cannot open /none" create name=v kernel=/idle memory=4 ramdisk=/none
id=$(P domid u)
[ "$(P domname $id)" = u ] || fail domname
P rename u w
[ "$(P domid w)" = $id ] || fail rename
bad 1 "there is no domain named u" domid u
bad 1 "there is no domain" pause 99
bad 1 "cannot be destroyed" destroy 0
P rename w u
[ "$(field domains)" = 2 ] || fail "left: $(parvus list)"

step "pause stops clock and output"
ask u 'while :; do echo T.$(cut -d" " -f1 /proc/uptime); usleep 100000; done & true'
sleep 1
P pause u
state u -bp--- || state u --p--- || fail "paused: $(P list u)"
sleep 1
n=$(grep -c T. /var/log/parvus/console-u.log)
ran=$(field cpu_time_ns u)
sleep 1
[ "$(grep -c T. /var/log/parvus/console-u.log)" = "$n" ] || fail "it speaks while it is paused"
[ "$(field cpu_time_ns u)" = "$ran" ] || fail "it runs while it is paused"
P unpause u
until_true 10 '[ "$(grep -c T. /var/log/parvus/console-u.log)" -gt $((n + 3)) ]'
ask u 'kill $!'

step "vcpu-pin, sched"
P vcpu-pin u 0 1
ask u 'sh -c "while :; do :; done" & echo $!'
sleep 1
[ "$(P vcpu-list u | awk 'NR == 2 { print $4, $NF }')" = "1 1" ] || fail "pin: $(P vcpu-list u)"
P vcpu-pin u 0 0
sleep 1
[ "$(P vcpu-list u | awk 'NR == 2 { print $4, $NF }')" = "0 0" ] || fail "pin: $(P vcpu-list u)"
P vcpu-pin u all all
bad 1 "none of these CPUs is there" vcpu-pin u 0 7
P sched -d u -w 512 -c 20
[ "$(P sched -d u | awk 'NR == 2 { print $3, $4 }')" = "512 20" ] || fail "sched: $(P sched -d u)"
sleep 1
parvus top -b -n 3 -d 2 >top.out || fail "top: $?"
ran=$(field cpu_time_ns u)
up=$(field uptime_ns u)
sleep 3
share=$((($(field cpu_time_ns u) - ran) * 100 / ($(field uptime_ns u) - up)))
[ $share -ge 15 ] && [ $share -le 25 ] || fail "a cap of 20 gave $share percent: $(cat top.out)"
# the last of three screens; the first has no time to compare with
percent=$(awk '$1 == "u" { print }' top.out | tail -1)
echo "$percent" | tr -s ' ' '\n' | grep -qE '^(1[5-9]|2[0-5])\.[0-9]$' || fail "top: $(cat top.out)"
P sched -d u -c 0
ask u 'kill $!'

step "dmesg, uptime, trace, stat, vcpu-list"
P dmesg | grep -q "d0 Domain-0: " || fail "dmesg: $(P dmesg)"
P uptime -s u | grep -qE '^up 0:00:[0-9]+, u \([0-9]+\)$' || fail "uptime: $(P uptime -s u)"
P trace -t 1 >trace.out
for kind in sched hypercall; do
	grep -q " $kind " trace.out || fail "no $kind in the trace: $(head -5 trace.out)"
done
P trace -t 1 -e return,syscall,exit,outcome >trace.out
for kind in return syscall exit outcome; do
	grep -q " $kind " trace.out || fail "no $kind in the trace: $(head -5 trace.out)"
done
P trace -t 1 -d u -e sched --json | head -1 | grep -q '^{"tsc":' || fail "trace --json"
[ "$(P stat u 1 2 | wc -l)" = 3 ] || fail "stat: $(P stat u 1 2)"
[ "$(P stat 1 1 | wc -l)" = 2 ] || fail "stat of all: $(P stat 1 1)"
P vcpu-list | grep -q '^Domain-0 .* 1 ' || fail "vcpu-list: $(P vcpu-list)"
P info -n | grep -q '^cpu1 *: apic 1' || fail "info -n: $(P info -n)"
P list -l u | grep -q 'name = ..u' || fail "list -l: $(P list -l u)"

step "shutdown -w, reboot -w, destroy"
P reboot u
until_true 20 '[ "$(parvus domid u 2>/dev/null || echo $id)" != $id ]'
ask u true || fail "no answer after the reboot"
took=$(millis timeout 30 parvus shutdown -w u)
until_true 5 "gone u"
echo "shutdown -w took $took ms"
domain u 48
P destroy --json u | grep -q '"name":"u"' || fail "destroy --json"
gone u || fail "destroy came back too early"
bad 1 "there is no domain named u" destroy u
balanced "$before"
END
)"
