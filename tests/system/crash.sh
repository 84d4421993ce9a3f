# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# Ends that were not asked for: a kernel panic is seen as one, every on_crash and on_reboot does
# what it says, quick restarts are slowed down, and core files tell gdb where the kernel was.
. tests/system/lib.bash

mkdir -p "$work/root"
cp "$O/tests/guest/no_handler_kill" "$work/root" || exit 99
(control "$(cat <<'END'
panic() { # NAME
	local pid
	echo "echo c >/proc/sysrq-trigger" | parvus console $1 >console.$1 2>&1 &
	pid=$!
	until_true 20 "grep -q 'sysrq triggered crash' console.$1"
	kill $pid 2>/dev/null
	wait $pid
}
log() { grep "$2" /var/log/parvus/monitor-$1.log | wc -l; }
warm
before=$(account)

step "preserve: it can be looked at"
domain c 32 on_crash=preserve
ask c true || fail "no answer"
panic c
until_true 20 "state c ---sc-"
P list -v c | grep -q '^c .*---sc- .* crash 255: panic: .*sysrq' ||
	fail "list -v: $(parvus list -v c)"
P info c | grep -q '^reason *: crash$' || fail "info: $(parvus info c)"
P info --json c | grep -q '"reason":"crash"' || fail "info --json"
bad 1 "has ended already (crash)" shutdown c
bad 1 "" unpause c
grep -q 'Kernel panic - not syncing: sysrq triggered crash' /var/log/parvus/console-c.log ||
	fail "the last words are not in the log"
# who comes late still reads them
parvus console c </dev/null >late 2>&1 &
pid=$!
until_true 10 "grep -q 'Kernel panic' late"
kill $pid
P dump-core c core
[ "$(field state_letters c)" = ---sc- ] || fail "state after dump-core"
echo "core-of-dump:"
gzip -1 <core | base64
echo "core-end"
rm core
P destroy c
balanced "$before"

step "destroy, coredump-destroy, coredump-restart, rename-restart"
domain d 32 on_crash=destroy
ask d true || fail "no answer"
panic d
until_true 20 "gone d"
micro e crash on_crash=coredump-destroy || fail "e: $(cat out)"
until_true 20 "gone e"
core=$(ls /var/lib/parvus/dump/e-*.core) || fail "no core of e"
[ "$(head -c 4 "$core" | tail -c 3)" = ELF ] || fail "no ELF file: $core"
micro f crash on_crash=rename-restart || fail "f: $(cat out)"
until_true 20 "[ -n \"\$(parvus list | grep '^f-[0-9]* ')\" ]"
kept=$(parvus list | sed -n 's/^\(f-[0-9]*\) .*/\1/p' | head -1)
state $kept ---sc- || fail "rename-restart kept: $(parvus list)"
for name in $(parvus list | sed -n 's/^\(f[^ ]*\) .*/\1/p'); do parvus destroy $name; done
for name in $(parvus list | sed -n 's/^\(f[^ ]*\) .*/\1/p'); do parvus destroy $name; done
balanced "$before"

step "killed by the hypervisor is a crash, with the reason"
parvus create -q name=g kernel=/no_handler_kill memory=16 on_crash=preserve || fail "g"
until_true 20 "state g ---sc-"
why=$(field why g)
P list -v g | grep -q "killed 255: $why" && [ ${#why} -gt 10 ] || fail "no reason: $(P list -v g)"
P destroy g

step "restart: another domain, the same name, the same console"
domain r 48 on_crash=restart
ask r true || fail "no answer"
id=$(P domid r)
parvus console r </dev/null >stays 2>&1 &
client=$!
panic r
until_true 20 '[ "$(parvus domid r 2>/dev/null || echo $id)" != $id ]'
until_true 20 '[ $(grep -c LISTENING stays) = 2 ]'
ask r true || fail "no answer after the restart"
id=$(P domid r)
P reboot r
until_true 20 '[ "$(parvus domid r 2>/dev/null || echo $id)" != $id ]'
until_true 20 '[ $(grep -c LISTENING stays) = 3 ]'
kill -0 $client || fail "the console did not stay"
P destroy r
wait $client
balanced "$before"

step "quick ends: restarts at once, after 1, 2, 4 s"
micro q reboot on_reboot=restart || fail "q: $(cat out)"
until_true 10 '[ "$(log q restarted)" -ge 1 ]'
sleep 5
n=$(log q restarted)
[ $n -ge 2 ] && [ $n -le 4 ] || fail "$n restarts in 5 s: $(cat /var/log/parvus/monitor-q.log)"
until_true 10 "state q ---sr-"
P destroy q
balanced "$before"
END
)") >"$work/said"
rc=$?
grep -v '^[A-Za-z0-9+/=]\{60,\}$' "$work/said"
((rc == 0)) || exit $rc
command -v gdb >/dev/null || { echo "no gdb: core files were not looked at"; exit 77; }
tr -d '\r' <"$work/said" | sed -n '/^core-of-dump:$/,/^core-end$/p' | sed '1d;$d' | base64 -d |
	gzip -dc >"$work/core" ||
	fail "the core file did not arrive"
gdb -batch -nx -ex bt -ex 'x/s &linux_banner' "$O/vmlinux" "$work/core" >"$work/gdb" 2>&1
grep -qE '^#0 +0x[0-9a-f]+ in [a-z]' "$work/gdb" &&
	grep -q '<linux_banner>:.*"Linux version 6\.1' "$work/gdb" ||
	{ cat "$work/gdb"; fail "gdb does not find the kernel in the core file"; }
exit 0
