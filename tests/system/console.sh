# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# Consoles of domain Us in domain 0: attach, Ctrl-], attach again, and nothing is lost; two
# watchers; a monitor that was killed; 10,000 lines.
. tests/system/lib.bash

program pty
mkdir -p "$work/root/usr/bin"
cp "$O/tests/prog/pty" "$work/root/usr/bin/" || exit 99
control "$(cat <<'END'
numbers() { # FILE: the lines "N.number" there, in one line each, without returns
	tr -d '\r' <"$1" | sed -n 's/^N\.\([0-9]*\)$/\1/p'
}
complete() { # FILE FROM TO: all of these are there, in order, each once
	seq "$2" "$3" >want
	numbers "$1" | awk -v a="$2" -v b="$3" '$1 >= a && $1 <= b' >have
	cmp -s want have || fail "$1: numbers $2 to $3: $(diff want have | head -5 | tr '\n' ' ')"
}
attach() { # a terminal with Ctrl-]; keys on descriptor 3
	rm -f keys
	mkfifo keys
	pty parvus console u <keys >"$1" 2>&1 &
	client=$!
	exec 3>keys
}
detach() {
	printf '\035' >&3
	wait $client || fail "detach: status $?"
	exec 3>&-
}

domain u 64
step "attach, detach while it speaks, attach again"
attach a
until_true 20 "grep -q LISTENING a"
# 150 lines at some speed; some are seen now, some while nobody is there
echo 'i=0; while [ $i -lt 150 ]; do i=$((i + 1)); echo N.$i; usleep 10000; done; echo done-$((40 + 2))' >&3
until_true 20 "grep -q N.20 a"
detach
seen=$(numbers a | tail -1)
[ "$seen" -lt 150 ] || fail "all was said before the detach: $seen"
usleep 300000
attach b
until_true 30 "grep -q done-42 b"
complete a 1 "$seen"
complete b 1 150

step "input of all kinds on a raw terminal; two watchers"
parvus console u </dev/null >c 2>&1 &
watcher=$!
until_true 10 "grep -q done-42 c"
# Ctrl-C is the guest's, not ours: it ends the sleep there
printf 'trap "echo got-\\$((1 + 1))-int" INT; (echo sleeps-$((5 + 6)); sleep 100; echo never)\n' >&3
until_true 10 "grep -q sleeps-11 b"
printf '\003' >&3
until_true 10 "grep -q got-2-int b"
until_true 10 "grep -q got-2-int c"
grep -q never b && fail "Ctrl-C did not arrive"
echo 'read -r x; echo "${#x} $(printf %s "$x" | md5sum)"' >&3
sum=$(seq 1 900 | tr '\n' ' ' | sed 's/ $//' | tee long | md5sum)
{ cat long; echo; } >&3
until_true 20 "grep -q '$(wc -c <long) $sum' c"
kill -0 $watcher || fail "the watcher has gone"

step "10,000 lines"
echo 'seq 20001 30000 | sed s/^/N./; echo all-$((2 + 3))' >&3
until_true 60 "grep -q all-5 c"
until_true 10 "grep -q all-5 b"
complete b 20001 30000
complete c 20001 30000

step "a monitor is killed while it speaks; another one takes over"
id=$(P domid u)
old=$(cat /run/parvus/domains/$id/pid)
echo 'i=30000; while [ $i -lt 30400 ]; do i=$((i + 1)); echo N.$i; usleep 5000; done; echo over-$((3 + 4))' >&3
until_true 20 "grep -q N.30050 b"
kill -9 "$old"
wait $client
wait $watcher
exec 3>&-
until_true 5 "state u -b---- || state u r-----"	# between two looks it may change
usleep 200000
attach d
until_true 30 "grep -q over-7 d"
[ "$(cat /run/parvus/domains/$id/pid)" != "$old" ] || fail "no new monitor"
# what the first one read is in its file, and so is the rest
complete /var/log/parvus/console-u.log 30001 30400
bad 1 "another monitor serves domain" monitor u
[ "$(ask u 'echo to the new one')" = "to the new one" ] || fail "no answer by the new monitor"
detach

step "the end of the domain ends its clients; a paused one has none of it"
attach e
until_true 10 "grep -q 'to the new one' e"	# it is there: that was said before
P destroy u
wait $client || fail "a client at the end: status $?"
exec 3>&-
domain u 64 -p
parvus console u </dev/null >f 2>&1 &
watcher=$!
sleep 1
[ ! -s f ] || fail "a paused domain speaks: $(cat f)"
P unpause u
until_true 20 "grep -q LISTENING f"
P destroy u
wait $watcher
bad 1 "there is no domain named u" console u
bad 1 "no monitor serves its console" console 0
until_true 5 '[ "$(ps | grep -c "[p]arvus-monitor")" = 0 ]'
[ -z "$(ls /run/parvus/domains)" ] || fail "left: $(ls -R /run/parvus)"
END
)"
