# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# The whole toolstack (sanitized) against a hypervisor that is a file (tests/tools/fake.h):
# life of a domain, its console and monitor, what on_* say, nothing half-made after a
# failure or SIGKILL at any moment, run, core files.
. tests/system/fake.bash

# --- a life
[[ $(P create "$work/web.cfg") == "web is domain 1" ]] || fail "create says something else"
bad "there is a domain named web already (domain 1)" create "$work/web.cfg"
[[ $(P domid web) == 1 && $(P domname 1) == web ]] || fail "domid, domname"
state web "-b----" || fail "state: $(P list)"
[[ $(P list | head -1) == "Name "*"ID   Mem VCPUs      State   Time(s)" ]] || fail "$(P list)"
[[ $(G web cmdline) == "root=/dev/xvda1 ro maxcpus=1" ]] || fail "cmdline: $(G web cmdline)"
[[ $(P sched -d web --json | tr -d ' \n') == '[{"name":"web","id":1,"weight":512,"cap":0}]' ]] ||
	fail "weight"
[[ $(P vcpu-list web | awk 'NR > 1 { print $3 $NF }' | tr '\n' ' ') == "00 10 " ]] ||
	fail "affinity: $(P vcpu-list web)"
P vcpu-pin web all all
[[ $(P vcpu-list web | awk 'NR > 1 { print $NF }' | tr '\n' ' ') == "all all " ]] || fail "pin"
P vcpu-pin web 1 1
[[ $(P vcpu-list 1 | awk 'NR == 3 { print $NF }') == 1 ]] || fail "pin of one"
bad "domain 1 has no vCPU 5" vcpu-pin web 5 0
bad "none of these CPUs is there" vcpu-pin web 0 7
bad "at most 2 vCPUs" vcpu-set web 3
P vcpu-set web 1
P vcpu-set web 2
P sched -d web -w 100 -c 50
[[ $(P sched -d web | awk 'NR == 2 { print $3, $4 }') == "100 50" ]] || fail "sched"
P pause web
state web "-bp---" || fail "pause: $(P list)"
P unpause web
P mem-set web 16m
[[ $(P list --json web) == *'"target_memory_kib":16384'* ]] || fail "mem-set: $(P list --json)"
bad "may have 32 MiB at most" mem-set web 33
P rename web www
bad "not a name" rename www 12
bad "there is no domain named web" destroy web
P rename www web
P create -q "$work/web.cfg" name=other
bad "there is a domain named web already (domain 1)" rename other web
P destroy other
bad "the control domain: it cannot be destroyed" destroy 0
P shutdown web
[[ $(G web request) == 1 ]] || fail "shutdown did not ask"
P reboot web
[[ $(G web request) == 2 ]] || fail "reboot did not ask"
"$parvus" shutdown -w web &
waiter=$!
sleep 0.3
kill -0 $waiter || fail "shutdown -w does not wait"
G web poweroff 0
wait $waiter || fail "shutdown -w"
clean
bad "there is no domain named web" info web
bad "there is no domain 77" info 77

# --- console: nothing is lost, whoever watches
P create -q "$work/web.cfg"
G web say "early
"
"$parvus" console web </dev/null >"$work/c1" &
c1=$!
until_true grep -q early "$work/c1"
mkfifo "$work/keys"
"$parvus" console web <"$work/keys" >"$work/c2" &
c2=$!
exec 9>"$work/keys"
until_true grep -q early "$work/c2"
echo -n 'typed' >&9
[[ $(G web hear 5) == typed ]] || fail "input"
G web say "late
"
until_true grep -q late "$work/c1"
until_true grep -q late "$work/c2"
# more than the ring of the domain and than the input ring
head -c 5000 /dev/zero | tr '\0' 'x' >&9
[[ $(G web hear 5000 | wc -c) == 5000 ]] || fail "much input"
G web say "$(head -c 20000 /dev/zero | tr '\0' 'z')
end
"
until_true grep -q '^end' "$work/c1"
[[ $(tr -dc z <"$work/c1" | wc -c) == 20000 ]] || fail "much output: $(wc "$work/c1")"
kill $c1
exec 9>&-
# --- a monitor that was killed: the next console brings another one, and what was said
kill -9 "$(pids)"
until_true eval '! kill -0 $(pids) 2>/dev/null'
wait $c2
G web say "meanwhile
"
"$parvus" console web </dev/null >"$work/c1" 2>"$work/err" &
c1=$!
until_true grep -q meanwhile "$work/c1"
bad "another monitor serves domain" monitor web
grep -q early "$work/log/console-web.log" && grep -q meanwhile "$work/log/console-web.log" ||
	fail "console log"
# --- reboot: another domain, the same name, and clients stay
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) == 4 ]]'
until_true state web "-b----"
G web say "second life
"
until_true grep -q 'second life' "$work/c1"
# the second quick end waits a second, and can be seen meanwhile
G web reboot
until_true state web "---sr-"
sleep 0.3
state web "---sr-" || fail "no throttle"
until_true state web "-b----"
P destroy web
wait $c1 || fail "the console does not end with the domain"
clean

# --- ends
P create -q "$work/web.cfg" 'on_crash="preserve"' on_poweroff=preserve
G web kill "bad iret frame"
until_true state web "---sc-"
P list -v web | grep -q 'killed 255: bad iret frame' || fail "no reason: $(P list -v)"
P info web --json | grep -q '"why":"bad iret frame"' || fail "no reason in info"
bad "has ended already (killed)" shutdown web
P destroy web
clean
P create -q "$work/web.cfg" on_crash=coredump-destroy
G web crash
clean
core=$(ls "$work"/dump/web-*.core) || fail "no core"
readelf -h "$core" | grep -q 'CORE' || fail "not a core file"
P create -q "$work/web.cfg" on_crash=rename-restart
id=$(P domid web)
G web crash
until_true state "web-$id" "---sc-"
until_true state web "-b----"
P destroy "web-$id"
# a destroy from outside ends the monitor
P destroy web
until_true count 0
P create -q -p "$work/web.cfg"
state web "-bp---" || fail "not paused"
P unpause web
P destroy web
P create -q "$work/web.cfg" memory=64 maxmem=96
[[ $(P list --json web) == *'"max_memory_kib":98304'*'"target_memory_kib":65536'* ]] ||
	fail "maxmem"
P destroy web
clean

# --- failures: of every operation, and of the second copy; one line, nothing left
for op in 0 1 4 5 6 7 8 17 31; do	# 31: commit
	G - fail $op 12 0
	bad "" create "$work/web.cfg"
	clean
done
G - fail 5 12 2
bad "memory of domain" create "$work/web.cfg"
clean
bad "not a vmlinux or bzImage" create "$work/web.cfg" "kernel=$work/web.cfg"
bad "do not fit into 2 MiB" create "$work/web.cfg" memory=2
bad "MiB are free and not promised" create "$work/web.cfg" memory=100000
bad "cannot open /none" create "$work/web.cfg" ramdisk=/none
clean
mv "$work/run" "$work/run.off" && touch "$work/run"
bad "" create "$work/web.cfg"
rm "$work/run" && mv "$work/run.off" "$work/run"
clean

# --- SIGKILL at any moment: the domain is not there, or whole and with a monitor
whole=0
for i in $(seq 0 3 45); do
	"$parvus" create -q "$work/web.cfg" >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '0.%03d' $((i * 4)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	if ! count 0; then
		# committed, or about to go
		for ((k = 0; k < 40; k++)); do
			count 0 && break
			[[ -S $(echo "$PARVUS_RUN_DIR"/domains/*/console.sock) ]] &&
				state web "-b----" && break
			sleep 0.05
		done
		if ! count 0; then
			whole=$((whole + 1))
			sleep 1.6	# a monitor without the maker's word makes sure first
			state web "-b----" || fail "half a domain: $(P list)"
			G web poweroff 0
		fi
	fi
	until_true count 0
done
# a folder that was left is swept by the next
P create -q "$work/web.cfg"
P destroy web
clean
((whole > 0 && whole < 16)) || echo "note: $whole of 16 were whole"

# --- run
"$parvus" run -m 32 -n job 'echo hello' >"$work/out" 2>"$work/err" &
run=$!
G job wait >/dev/null
[[ $(G job file cmd) == 'echo hello' && $(G job file file) == content ]] ||
	fail "no command: $(G job file cmd)"
G job say "hello
"
G job poweroff 42
wait $run
[[ $? == 42 && $(cat "$work/out") == hello && ! -s $work/err ]] ||
	fail "run: $(cat "$work/out" "$work/err")"
echo input | "$parvus" run -m 32 -n job -i -- sh -c "it's" '$x' >/dev/null 2>&1 &
run=$!
G job wait >/dev/null
[[ $(G job file cmd) == "exec </stdin
'sh' '-c' 'it'\\''s' '\$x'" && $(G job file stdin) == input ]] || fail "command: $(G job file cmd)"
G job kill "some reason"
wait $run 2>/dev/null
[[ $? == 126 ]] || fail "a killed domain gave another status"
"$parvus" run -m 32 --timeout 1 -n job true 2>"$work/err"
[[ $? == 124 ]] || fail "timeout"
clean
for signal in INT TERM KILL; do
	bash -c 'trap - INT; exec "$@"' - "$parvus" run -m 32 -n job true >/dev/null 2>&1 &
	run=$!
	G job wait >/dev/null
	kill -$signal $run
	wait $run 2>/dev/null
	rc=$?
	[[ $rc == $((128 + $(kill -l $signal))) ]] || fail "SIG$signal gave $rc"
	clean
done

# --- core file
P create -q "$work/web.cfg"
P dump-core web "$work/core"
state web "-b----" || fail "paused after dump-core"
readelf -lW "$work/core" >"$work/elf" 2>&1
grep -q 'LOAD.*0xffff888000000000' "$work/elf" && grep -q 'LOAD.*0xffffffff80000000' "$work/elf" ||
	fail "$(cat "$work/elf")"
readelf -n "$work/core" | grep -q NT_PRSTATUS || fail "no registers"
(($(stat -c '%b * %B < %s / 4' "$work/core"))) || fail "not sparse"
bad "a regular file is expected" dump-core web /dev/null
bad "cannot write" dump-core web "$work/none/core"
if command -v gdb >/dev/null; then
	gdb -batch -nx -ex 'info registers rip' -ex 'x/4xb 0xffffffff80100000' \
		-ex 'x/4xb 0xffff888000100000' "$work/kernel" "$work/core" >"$work/gdb" 2>&1
	a=$(sed -n 's/^0xffffffff80100000[^:]*:\t*//p' "$work/gdb")
	b=$(sed -n 's/^0xffff888000100000[^:]*:\t*//p' "$work/gdb")
	[[ -n $a && $a == "$b" ]] || fail "gdb: $(cat "$work/gdb")"
fi

# --- watching
P top -b -n 1 -d 0.1 | grep -q '^web' || fail top
P top --json -n 1 -d 0.1 | grep -q cpu_percent || fail "top --json"
[[ $(P stat web 0.1 2 | wc -l) == 3 && $(P stat 0.1 1 | wc -l) == 2 ]] || fail stat
# what it waited for a CPU: in seconds, and as a share of the time between two looks
G web stole 12340000000
[[ $(P list -v web | awk 'NR == 1 { print $7 } NR == 2 { print $7 }' | tr '\n' ' ') == \
	"Steal(s) 12.3 " ]] ||
	fail "list -v: $(P list -v web)"
P list --json web | grep -q '"steal_time_ns":12340000000,' || fail "list --json"
P vcpu-list --json web | grep -q '"steal_time_ns":12340000000,' || fail "vcpu-list --json"
"$parvus" stat --json web 2 1 >"$work/stat" &
stat=$!
"$parvus" top --json -n 2 -d 2 >"$work/top" &
sleep 1
G web stole 13340000000
wait $stat && wait $! || fail "stat or top: $?"
for f in stat top; do
	share=$(tr -d ' \n' <"$work/$f" | grep -o '"steal_percent":[0-9]*' | tail -1)
	((${share#*:} >= 20 && ${share#*:} <= 50)) ||
		fail "$f: ${share:-none}, not half of the time"
done
P trace -t 0.2 -e hypercall,sched | grep -q 'cpu[01]  *hypercall d1.0 *iret(0x2)' || fail trace
[[ $("$parvus" trace --json 2>"$work/err" | head -1) == '{"tsc":'* ]] || fail "trace --json"
grep -v 'warning: trace: .* lost' "$work/err" && fail "a reader that goes is no error"
# it was switched off all the same, or nothing were lost of CPU 0 below; what costs more is shown
# when asked for, and what was lost is counted, from the first record on
P trace -t 0.2 >"$work/trace"
grep -v ' hypercall ' "$work/trace" && fail "trace shows what it was not asked for"
P trace -t 0.2 -e return,syscall,exit,outcome >"$work/trace"
for line in 'return    d1.0    mmu_flush = -22' 'syscall   d1.0    39, from 0x401000' \
	'exit      d1.0    to 0xffffffff81000000, kernel mode' \
	'outcome   d1.0    at 0x7000: to the guest'; do
	grep -q " $line\$" "$work/trace" || fail "trace shows no $line: $(head -8 "$work/trace")"
done
for line in '3 records of CPU 0 were lost' '5 records of CPU 1 were lost' \
	'8 records were lost in all'; do
	[[ $(grep -c "trace: $line\$" "$work/err") == 1 ]] || fail "not: $line: $(cat "$work/err")"
done
[[ $(P dmesg -c) == *"?[31mline two" && -z $(P dmesg) ]] || fail dmesg
[[ $(P uptime -s web) == "up 0:00:"*", web ("* ]] || fail uptime
P info -n | grep -q '^cpu1  *: apic 1' || fail "info -n"
P info -i >"$work/i"
diff - "$work/i" <<'END' || fail "info -i"
Source                        vCPU Vector   CPU        Count  State
line 9 level high                0     34     0            1  waits
0001:20:03.3 message 1           1     35     1 1099511627776  -
line 1 edge high                 -      -     -            0  masked
3 strays, 2 stuck lines, 1 storms
END
[[ $(P info -i --json | tr -d ' \n') == *'{"handle":190,"source":"line1edgehigh","vcpu":0,'`
	`'"vector":0,"cpu":0,"count":0,"state":"masked"}],"strays":3,"stuck":2,"storms":1}' ]] ||
	fail "info -i --json: $(P info -i --json)"
P list -l web | grep -q '"config":"name = ' || fail "list -l"
P destroy web
clean
exit 0
