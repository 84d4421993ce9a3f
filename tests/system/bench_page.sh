# SPDX-License-Identifier: GPL-2.0-only
# The code of the benchmark's model and page (bench/page.py), a CPU of one's own as
# docs/benchmarks.md says, costs that are wrong, and what make builds for a part of it.
. tests/system/lib.bash

python3 -c 'import json' 2>/dev/null || { echo "no python3"; exit 99; }
python3 tests/system/bench/page.py . >"$work/said" 2>&1 || fail "page.py: $(cat "$work/said")"

# the recipe, to the letter; its columns come first
said=$(sed -n '/^### A CPU of your own/,/^### Size/p' docs/benchmarks.md)
for line in 'cp tools/bench/costs.json my.json' \
	'tools/bench/run --from build/bench/raw --costs my.json'; do
	grep -qxF $'\t'"$line" <<<"$said" || fail "the recipe has no: $line"
done
sed -n '/^```json/,/^```/p' <<<"$said" | sed '1d;$d' >"$work/mine"
sed '/"families": {/r '"$work/mine" tools/bench/costs.json >"$work/my.json"
report() { O=$work/out tools/bench/run --from tests/system/bench/raw "$@" >"$work/said" 2>&1; }
report --costs "$work/my.json" || fail "the recipe: $(cat "$work/said")"
page=$work/out/bench/report.md
grep -q '^| my CPU, 2026: cost | value' "$page" || fail "the recipe's costs are not shown"
grep -q 'costs, for `my CPU, 2026`' "$page" || fail "the recipe's CPU is not the first"
grep -q '^| iret | 200 | cycles | derived | measured by me |' "$page" || fail "its IRET"
grep -q '^| invlpg | 350 | cycles | assumed | no published figure found: that of Intel Skylake |' \
	"$page" || fail "what it is like is not said"
# 301 instructions, two SYSCALLs and SYSRETs of 70 together, two writes of CR3
grep -q '^| null-syscall | 225 | 301 | 1.338 | 295 | 1,241 | ' "$page" ||
	fail "its cycles: $(grep '^| null-syscall' "$page")"

# what is wrong is one line, and the report stays as it was
before=$(md5sum "$work/out/bench/"*)
sed '/"iret": {/,/}/d' tools/bench/costs.json >"$work/bad.json"
report --costs "$work/bad.json" && fail "taken: no cost of IRET"
[[ $(cat "$work/said") == "bench: $work/bad.json: skylake: no cost 'iret', which a term needs" ]] ||
	fail "no cost of IRET: $(cat "$work/said")"
report --costs "$work/none.json" && fail "taken: no file"
[[ $(wc -l <"$work/said") == 1 ]] || fail "no file: $(cat "$work/said")"
[[ $(md5sum "$work/out/bench/"*) == "$before" ]] || fail "a failed report has changed the last one"

# a part builds what it needs: no kernel, whatever of the ABI is newer
needs() { # YES|NO PATTERN TARGET...
	local found=NO
	make -n O="$work/new" "${@:3}" >"$work/plan" 2>&1 ||
		fail "make -n ${*:3}: $(tail -3 "$work/plan")"
	grep -E "$2" "$work/plan" >"$work/found" && found=YES
	[[ $found == "$1" ]] ||
		fail "make ${*:3}: $2: $found, not $1: $(head -3 "$work/found")"
}
kernel='guest-patches/build|mkdomain0|debian-disk|mkinitramfs'
needs YES "$kernel" bench
needs YES "$kernel" bench ONLY=micro,linux
needs NO "$kernel" bench ONLY=micro
needs NO 'tools/parvus/|tests/unit/|tests/fuzz/' bench ONLY=micro
needs YES 'bench/count.so' bench ONLY=micro
needs NO "$kernel" bench ONLY=size,micro
needs NO 'debian-disk' bench ONLY=linux
needs YES 'guest-patches/build' bench ONLY=linux
needs YES "$kernel" test
needs YES "$kernel" test T=system/boot
needs NO "$kernel" test T='guest/event*'
needs NO 'tools/parvus/|tests/unit/|tests/fuzz/|tools/bench' test T='guest/event*'
needs YES 'tests/guest/event_page' test T='guest/event*'
needs NO 'tests/guest/vif' test T='guest/event*'
needs YES 'hypervisor/core/event.c' test T='guest/event*'
needs NO "$kernel" test T=unit/test_event
needs NO 'tests/guest/' test T=unit/test_event
needs YES 'tests/unit/test_event' test T=unit/test_event
exit 0
