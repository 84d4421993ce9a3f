# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# Domains come and go, most of them micro guests, some paused, some Linux, and the tool is
# killed at random moments; in the end the machine has what it had. 60 of them, with FULL 500.
# SEED=N repeats a run's choices.
. tests/system/lib.bash

SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
n=60
[[ -n ${FULL:-} ]] && n=500
echo "SEED=$SEED"
TIMEOUT=${TIMEOUT:-800} control "n=$n seed=$SEED
$(cat <<'END'
random() { # 0 to $1 - 1, in $r
	seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
	r=$((seed / 65536 % $1))
}
kills() { # ARG...: parvus, killed after up to 60 ms
	local pid
	parvus "$@" >out 2>&1 &
	pid=$!
	random 60
	usleep $((r * 1000))
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
}
away() { # NAME: destroyed, if it is there; one that a killed tool left half-way too
	parvus destroy "$1" >out 2>&1
	until_true 20 "gone $1"
}

for i in 1 2 3 4 5 6 7 8; do micro warm$i idle || fail "warm$i: $(cat out)"; done
for i in 1 2 3 4 5 6 7 8; do P destroy warm$i; done
warm
before=$(account)
own=$(field overhead_kib 0)
step "$n domains"
i=0 half=0
while [ $i -lt $n ]; do
	i=$((i + 1))
	random 20
	what=$r
	case $what in
	0)	domain d$i 48
		random 2
		[ $r = 0 ] && sleep 1
		P destroy d$i ;;
	1 | 2)	kills create -q name=d$i kernel=/idle memory=4 cmdline=idle
		parvus domid d$i >/dev/null 2>&1 && half=$((half + 1))
		away d$i ;;
	3 | 4)	micro d$i spin || fail "d$i: $(cat out)"
		kills destroy d$i
		away d$i ;;
	5 | 6)	micro d$i idle -p || fail "d$i: $(cat out)"
		state d$i -bp--- || state d$i --p--- || fail "d$i -p: $(parvus list d$i)"
		P destroy d$i ;;
	7 | 8 | 9) micro d$i off || fail "d$i: $(cat out)"
		until_true 20 "gone d$i" ;;
	10 | 11) micro d$i crash || fail "d$i: $(cat out)"
		until_true 20 "gone d$i" ;;
	12)	micro d$i crash on_crash=preserve || fail "d$i: $(cat out)"
		until_true 20 "state d$i ---sc-"
		P destroy d$i ;;
	13)	micro d$i idle || fail "d$i: $(cat out)"
		kill -9 "$(cat /run/parvus/domains/"$(P domid d$i)"/pid)"
		P destroy d$i ;;
	*)	micro d$i idle || fail "d$i: $(cat out)"
		P destroy d$i ;;
	esac
done
echo "note: $half of the killed creations had made their domain"
# folders of those whose maker and monitor were killed go with the next
micro last off
until_true 20 "gone last"
balanced "$before"
[ "$(field overhead_kib 0)" -lt $((own + 512)) ] ||
	fail "domain 0 costs $own KiB before, $(field overhead_kib 0) now"
# domain 0 ends while others run: they go with it
for i in 1 2 3 4 5 6 7 8; do micro spin$i spin; done
END
)"
