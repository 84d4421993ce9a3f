# SPDX-License-Identifier: GPL-2.0-only
# @timeout 500
# Many Linux domains of 32 MiB run at the same time, and each is reached by its console: 4, and
# with FULL 32. Then all shut down when asked together.
. tests/system/lib.bash

n=4
export MEM=1G DOM0_MEM=256M
if [[ -n ${FULL:-} ]]; then
	n=32
	export MEM=4G DOM0_MEM=512M
fi
TIMEOUT=${TIMEOUT:-450} control "n=$n
$(cat <<'END'
warm
before=$(account)
step "$n domains of 32 MiB"
for i in $(seq $n); do
	domain u$i 32
done
step "all answer"
for i in $(seq $n); do
	said=$(ask u$i 'echo $((6 * 7)) $(hostname) $(nproc) $(free -m | awk "/^Mem/ { print (\$2 > 8) }")') ||
		fail "u$i: $said"
	[ "$said" = "42 u$i 1 1" ] || fail "u$i said: $said"
done
[ "$(parvus list --json | grep -c '"state":"running"')" = $((n + 1)) ] || fail "not all are there"
[ "$(field domains)" = $((n + 1)) ] || fail "domains: $(field domains)"
step "all work at the same time"
for i in $(seq $n); do
	echo 'k=0; while [ ! -f /tmp/stop ]; do k=$((k + 1)); [ $((k % 1000)) = 0 ] && echo $k >/tmp/k; done &' |
		parvus console u$i >/dev/null 2>&1 &
	pids="$pids $!"
done
sleep 2
kill $pids
for i in $(seq $n); do
	ran=$(field cpu_time_ns u$i)
	echo "$ran" >ran.$i
done
sleep $((n / 2 + 2))
for i in $(seq $n); do
	[ "$(field cpu_time_ns u$i)" -gt $(($(cat ran.$i) + 100000000)) ] || fail "u$i does not run"
done
step "all go when asked"
timeout 30 parvus shutdown -a -w || fail "shutdown -a -w: status $?"
balanced "$before"
END
)"
