# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# The micro level of the benchmark: every row does what it says, two runs give the same to the
# instruction, the plugin agrees with the TSC and with the hypervisor's counters, the ways are
# in order or the reason is known. And these checks see what is wrong.
. tests/system/lib.bash

tools/bench/micro "$work/out" 2>"$work/err" || fail "$(tail -20 "$work/err")"
grep -q '^CHECK .* FAILED' "$work/out" && fail "a check"

# every operation of the list natively and in a way of Parvus
for op in mask-interrupts read-cr3 write-cr3 switch-aspace invlpg flush-range-64 pte-update-1 \
	pte-update-64 pte-update-2048 map-unmap page-fault system-call return-to-user load-idt \
	load-gdt load-tls rdmsr wrmsr cpuid port-in port-out halt-wake ipi timer-set timer \
	event-send event-receive grant-map grant-copy grant-unmap block-4k network-1500 \
	ipi-remote; do
	for ways in native 'shared|batched|hypercall|trap'; do
		grep -qE "^BENCH $op ($ways) [1-9][0-9]* [1-9]" "$work/out" ||
			fail "no record: $op $ways"
		grep -qE "^PROFILE $op ($ways) insns=[1-9]" "$work/out" ||
			fail "no profile: $op $ways"
	done
done

# One instruction more in one measurement of the second round, and an unknown way out of order.
mkdir "$work/tree"
cp -r tools tests "$work/tree"
cat >"$work/qemu" <<'END'
#!/bin/bash
[[ $* == *native.elf* && $* != *plugin* ]] || exec qemu-system-x86_64 "$@"
echo x >>"$0.count"
qemu-system-x86_64 "$@" | if (($(wc -l <"$0.count") == 2)); then
	sed 's/raw=\([0-9]*\)3$/raw=\14/'
else
	cat
fi
END
chmod +x "$work/qemu"
sed -i '/^load-idt /d' "$work/tree/tools/bench/guest/order"
case $O in /*) ;; *) O=$PWD/$O ;; esac
O=$O QEMU=$work/qemu "$work/tree/tools/bench/micro" "$work/bad" 2>"$work/err" && fail "nothing seen"
grep -q '^CHECK repeat-native-cpu-2 FAILED' "$work/bad" || fail "one instruction more was not seen"
grep -q '^ORDER load-idt exception .*UNEXPLAINED' "$work/bad" || fail "an order was not seen"
exit 0
