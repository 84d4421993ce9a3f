# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# "make run" as who sits at its terminal has it: the banner names the keys of that terminal, / is
# for all, top knows the terminal. The demo domain's own banner names the keys of its console; its
# disk is mounted and keeps what is written, it has an address, a name for domain 0, and gets a page
# from the web server there.
. tests/system/lib.bash

program pty
mkfifo "$work/keys"
env -u CMD -u GUEST TERM=xterm DEBUG_LOG="$work/debug" timeout $((limit - 20)) \
	"$O/tests/prog/pty" tools/run <"$work/keys" >"$work/said" 2>&1 &
machine=$!
exec 3>"$work/keys"
said() { tr -d '\r' <"$work/said" | grep -q -- "$1"; }
wait_for() { # TEXT: a line that is said
	local i
	for ((i = 0; i < 10 * (limit - 30); i++)); do
		said "$1" && return
		kill -0 $machine 2>/dev/null || break
		sleep 0.1
	done
	cat "$work/said"
	kill $machine 2>/dev/null
	fail "never said: $1"
}
wait_for '^"poweroff" or Ctrl-A X leaves\.'
# what is typed before the shell is there is lost
wait_for '^/root #'
sed -n '/Domain 0 of Parvus/,$p' "$work/said" >"$work/banner"
grep -q 'Ctrl-\] leaves it' "$work/banner" || fail "the banner: $(cat "$work/banner")"
echo 'stat -c MODE-%a /; stty rows 24 cols 80; parvus top -d 1; echo TOP-$?' >&3
wait_for 'MODE-755'
wait_for 'Domain-0'
wait_for 'demo'
printf q >&3
wait_for 'TOP-0'

lines=$(wc -l <"$work/said")
echo 'parvus console demo; echo LEFT-$?' >&3
wait_for '^"poweroff" ends it; Ctrl-\] leaves its console\.'
tail -n "+$lines" "$work/said" | grep 'Ctrl-A' && fail "the demo names keys of QEMU"
echo 'until grep -q domain0 /etc/hosts; do usleep 200000; done' >&3
echo 'ping -c 1 domain0 >/dev/null && echo PING-$((1 + 1)); wget -q -O - domain0' >&3
echo 'echo written >/mnt/file && sync && umount /mnt && mount /dev/xvda /mnt' >&3
echo 'sed s/^/AGAIN-/ /mnt/file; echo END-$((1 + 1))' >&3
wait_for '^END-2'
for text in '^PING-2$' '^<p>Hello from domain 0 of Parvus' '^AGAIN-written$'; do
	said "$text" || { cat "$work/said"; fail "the demo says nothing of $text"; }
done
printf '\035' >&3
wait_for '^LEFT-0$'
echo 'poweroff' >&3
wait $machine
rc=$?
[[ $rc == 0 ]] || { cat "$work/said"; fail "status $rc"; }
grep -a 'warning:' "$work/debug" && fail "the hypervisor warned"
leak
exit 0
