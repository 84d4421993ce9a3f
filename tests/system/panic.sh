# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# A panic says on which CPU, which vCPU was running, and where its guest was: in its own code, or
# in which hypercall. QEMU's monitor injects machine checks, for which ring 0 has no other answer.
. tests/system/lib.bash

# panic_of COMMAND-LINE: what a machine check gives while the idle guest does that; in $said
panic_of() {
	local i qemu
	rm -rf "$work"/mon* "$work/debug"
	cp "$O/tests/guest/idle" "$work/kernel"
	echo "domain=idle kernel=kernel mem=16M cmdline=\"$1\"" >"$work/manifest"
	(cd "$work" && printf '%s\n' manifest kernel | cpio -o -H newc --quiet) >"$work/bundle"
	mkfifo "$work/mon.in" "$work/mon.out"
	local cover=()
	[[ -z ${COVERAGE:-} ]] || cover=(-plugin "$(tests/coverage/plugin "$O/parvus.elf")")
	"${QEMU:-qemu-system-x86_64}" "${cover[@]}" -accel tcg -cpu max -smp 1 -m 128 -no-reboot \
		-nodefaults -display none -debugcon "file:$work/debug" \
		-chardev "pipe,id=mon,path=$work/mon" -mon mon \
		-kernel "$O/parvus.elf" -append debug=1 -initrd "$work/bundle" </dev/null &
	qemu=$!
	exec 3>"$work/mon.in"
	cat "$work/mon.out" >/dev/null &
	for ((i = 0; i < 300; i++)); do
		grep -aq 'given back' "$work/debug" 2>/dev/null && break
		sleep 0.1
	done
	sleep 1
	# bank 0: valid, uncorrected, enabled; an MCE is in progress
	echo 'mce 0 0 0xb000000000000000 4 0 0' >&3
	for ((i = 0; i < 100; i++)); do
		kill -0 "$qemu" 2>/dev/null || break
		sleep 0.1
	done
	kill "$qemu" 2>/dev/null
	wait "$qemu"
	exec 3>&-
	grep -aq 'panic: machine check in bank' "$work/debug" ||
		fail "no panic: $(tail -5 "$work/debug")"
	said=$(grep -a '^cpu 0: ' "$work/debug")
}

panic_of spin
[[ $said =~ ^'cpu 0: running d0 v0: guest rip ffffffff80'[0-9a-f]{6}', in the guest'$ ]] ||
	fail "spin: $said"
panic_of idle
[[ $said == 'cpu 0: no guest was running' ]] || fail "idle: $said"
# Most of the time of this one passes in the hypercall; perhaps not just then.
for try in 1 2 3 4 5; do
	panic_of hash
	[[ $said == *', in the guest' ]] || break
done
nr=$(awk '$2 == "debug_hash" { print $1 }' pv-abi/hypercalls.tbl)
[[ $said =~ ^'cpu 0: running d0 v0: guest rip ffffffff80'[0-9a-f]{6}", hypercall $nr"$ ]] ||
	fail "hash: $said"
exit 0
