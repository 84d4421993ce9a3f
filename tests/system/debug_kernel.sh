# SPDX-License-Identifier: GPL-2.0-only
# make guest-kernel DEBUG=1: Kconfig takes each line of its fragment, and a line that it does not
# take is told; the other kernel's folder and key are not its own. No kernel is built here. Without
# a tree of the kernel (it came from the cache) FULL=1 unpacks one.
. tests/system/lib.bash

tree=$(realpath "$O")/linux-6.1
if [[ ! -x $tree/scripts/kconfig/conf ]]; then
	[[ -n ${FULL:-} ]] || { echo "no tree of the kernel in $O: FULL=1 unpacks one"; exit 77; }
	tree=$work/out/linux-6.1
	ABI_GEN_DIR=$O/gen tools/debug-kernel "$work/out" --check >"$work/log" 2>&1 ||
		fail "the fragment: $(cat "$work/log")"
fi
look() { ls -lA --time-style=full-iso "$tree" "$O"/linux.key "$O"/vmlinux 2>/dev/null; }
before=$(look)
TREE=$tree tools/debug-kernel "$work/check" --check >"$work/log" 2>&1 ||
	fail "the fragment: $(cat "$work/log")"
[[ $(look) == "$before" ]] || fail "a check wrote into $tree"
for option in PROVE_LOCKING DETECT_HUNG_TASK DYNAMIC_DEBUG FUNCTION_TRACER PARVUS_GUEST; do
	grep -q "^CONFIG_$option=y" "$work/check/config" || fail "no $option"
done

# --- a line that is none any more
mkdir -p "$work/copy/tools"
for f in guest-patches pv-abi pv-drivers; do ln -s "$PWD/$f" "$work/copy/"; done
cp tools/debug-kernel tools/debug-kernel.config "$work/copy/tools/"
echo "CONFIG_OF_YESTERDAY=y" >>"$work/copy/tools/debug-kernel.config"
TREE=$tree "$work/copy/tools/debug-kernel" "$work/red" --check >"$work/log" 2>&1 &&
	fail "an option that is none is taken"
[[ $(cat "$work/log") == "debug-kernel: Kconfig does not take CONFIG_OF_YESTERDAY=y" ]] ||
	fail "$(cat "$work/log")"
tools/debug-kernel "$work/red" --chek >"$work/log" 2>&1 && fail "--chek"
[[ $(cat "$work/log") == "debug-kernel: --chek: --check is expected" ]] || fail "$(cat "$work/log")"

# --- and make: on its command line alone
with=$(make -n guest-kernel O="$O" DEBUG=1) && [[ $with == *"tools/debug-kernel $O/debug"* ]] ||
	fail "make guest-kernel DEBUG=1: $with"
with=$(DEBUG=1 make -n guest-kernel O="$O") && [[ $with != *debug-kernel* ]] ||
	fail "DEBUG of the environment: $with"
with=$(make -n guest-kernel O="$O" DEBUG=yes 2>&1) && fail "DEBUG=yes: $with"
[[ $with == *"DEBUG=yes: DEBUG=1 is expected"* ]] || fail "DEBUG=yes: $with"
exit 0
