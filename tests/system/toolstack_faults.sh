# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# What went wrong in the first hour of people who did not know the toolstack, one of each kind
# (sanitized, against a hypervisor that is a file).
. tests/system/fake.bash

# --- a request is kept until the domain follows; who waits is told for what, and can stop
P create -q "$work/web.cfg"
P shutdown web
[[ $(G web take) == 1 && $(G web request) == 0 ]] || fail "shutdown did not ask"
asked() { [[ $(G web request) == "$1" ]]; }
until_true asked 1
P reboot web
[[ $(G web take) == 2 ]] || fail "reboot did not ask"
until_true asked 2
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) == 2 ]]'
until_true state web "-b----"
sleep 3
asked 0 || fail "the next domain is asked for what the last one was"
bad "shutdown: --timeout is of -w" shutdown --timeout 5 web
bad "--timeout 0: a number of seconds is expected" shutdown -w --timeout 0 web
bad "domain web (2) has not ended within 1 s, and stays asked" shutdown -w --timeout 1 web
"$parvus" shutdown -w --timeout 3 web 2>"$work/err"
[[ $? == 1 && $(head -1 "$work/err") == \
	"parvus: waiting for domain web (2) to end; Ctrl-C leaves it asked" ]] ||
	fail "$(cat "$work/err")"
P pause web
bash -c 'trap - INT; exec "$@"' - "$parvus" shutdown -w web 2>"$work/err" &
waiter=$!
until_true grep -q "web (2) to end, which is paused; Ctrl-C" "$work/err"
kill -INT $waiter
wait $waiter
[[ $? == 1 ]] && grep -q "stopped: domain web (2) has not ended" "$work/err" ||
	fail "$(cat "$work/err")"
P unpause web
G web poweroff 0
clean
exit 0
