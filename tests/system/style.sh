# SPDX-License-Identifier: GPL-2.0-only
# The tree keeps to budgets.txt (tools/lines measures it), and each budget can fail: a small tree
# that breaks all of them is told so for each, by file and line. The tables of hypervisor/README.md
# are those of the tree.
. tests/system/lib.bash

tools/lines || fail "the tree is over budget"

# The map of ring 0 names every file, and none that is not there; its table of locks is LOCKS,
# and each number is given to one lock, at one place.
map=hypervisor/README.md
sed -n '/^## Files/,/^## Addresses/p' $map | grep -oE '`(core|mmu|x86|boot)/[A-Za-z0-9_.]+`' |
	tr -d '`' |
	sort >"$work/named"
(cd hypervisor && ls {core,mmu,x86,boot}/*.[chS]) | sort >"$work/there"
diff "$work/named" "$work/there" || fail "$map: the map (<) is not the tree (>)"
sed -nE 's/^\| ([0-9]+) \| `(LOCK_[A-Z_]+)`.*/\1 \2/p' $map >"$work/locks"
sed -nE 's/^	X\((LOCK_[A-Z_]+), ".*/\1/p' hypervisor/core/lock.h |
	awk '{ print NR, $1 }' | diff "$work/locks" - ||
	fail "$map: the table of locks (<) is not LOCKS (>)"
while read -r _ lock; do
	n=$(grep -rhoE "(SPINLOCK_INIT\(|spin_init\([^,]*, )$lock\)" hypervisor | wc -l)
	((n == 1 || (n == 2 && ${#lock} == 8))) ||
		fail "$lock is given to $n locks"	# LOCK_LOG: again in a panic
done <"$work/locks"
declared=$(grep -rhoE '^[^(]*struct spinlock \w+( =.*)?;' hypervisor | wc -l)
[[ $declared == $(wc -l <"$work/locks") ]] ||
	fail "$declared locks are declared, $map knows $(wc -l <"$work/locks")"
# A tree that is wrong in every respect, with budgets that a few lines break.
t=$work/tree
mkdir -p "$t"/hypervisor/{boot,mmu,x86} "$t"/guest-patches/linux "$t"/pv-drivers/linux \
	"$t"/o/hypervisor/mmu
sed -E 's/^([a-z0-9-]+ +)[0-9]+ /\12 /; s/^(comments-[a-z0-9]+ +)[0-9]+ /\199 /; s/^base.*//
	s/^(columns|subject) +[0-9]+/\1 20/
	s/^globals +[0-9]+/globals 1/' budgets.txt >"$t/budgets.txt"
git -C "$t" init -q
g() { git -C "$t" -c user.name=t -c user.email=t@localhost -c commit.gpgsign=false "$@"; }
echo o >"$t/.gitignore"
g add . && g commit -q -m "base: this" -m "body" || exit 99
echo "base $(g rev-parse HEAD)" >>"$t/budgets.txt"
cat >"$t/hypervisor/mmu/a.c" <<'END'
int one = 1, two;
const char *const text[] = { "a string that is no global" };

int f(void)
{
	static int three;

	return three++;
}
END
cp "$t/hypervisor/mmu/a.c" "$t/hypervisor/boot/a.c"
cp "$t/hypervisor/mmu/a.c" "$t/hypervisor/x86/decode.c"
cp "$t/hypervisor/mmu/a.c" "$t/pv-drivers/linux/a.c"
cp "$t/hypervisor/mmu/a.c" "$t/guest-patches/linux/a.c"
printf 'nop\nnop\nnop\n' >"$t/hypervisor/x86/entry.S"
printf -- '--- a\n+++ b\n+1\n+2\n-3\n' >"$t/guest-patches/linux/1.patch"
for f in "$t"/hypervisor/*/*.[cS]; do
	o=${f/"$t"/"$t/o"}
	mkdir -p "$(dirname "$o")"
	gcc -fpie -c -o "${o%.*}.o" "$f" || exit 99
done
g add . && g commit -q -m "a subject without an area, far too long" || exit 99
O=$t/o tools/lines "$t" >"$work/rows" 2>"$work/faults" && fail "a tree that is wrong is found good"
for name in $(sed -nE 's/^([a-z0-9-]+) +[0-9]+ .*/\1/p' budgets.txt); do
	grep -qE "^[a-z].*: $name is [0-9]+, at (most|least)" "$work/faults" ||
		{ cat "$work/faults"; fail "$name cannot fail"; }
done
for text in 'mmu/a.c:2: columns is 60' 'mmu/a.c:5: f(): function-max is 5' \
	'mmu/a.c: one; .*two; .*three' \
	'mmu/a.c:1: no SPDX' 'a subject.*: no area'; do
	grep -q "$text" "$work/faults" || { cat "$work/faults"; fail "not said: $text"; }
done
grep -qE 'mutable.*text|comments-.* is [1-9]' "$work/faults" && fail "what is const is counted"
exit 0
