# SPDX-License-Identifier: GPL-2.0-only
# Programs of tools/ have layers: a file calls those before it alone. Where the order is said (the
# heads of tool.h, monitor.h and keeper.h) it is read from there, and compared with what the objects
# define and need; a command's file calls no other command's. Every file is in its program's order.
# What libparvus.map says is exported is what its headers promise, and each header stands alone.
. tests/system/lib.bash
T=$O/tools
[[ -e $T/parvus && -e $T/parvus-monitor ]] || { echo "no $T/parvus: make tools"; exit 99; }

# calls DIR FILE.c...: lines "A B": A.c uses what B.c defines
calls() {
	local dir=$1 f
	shift
	for f; do
		nm -g "$dir/${f%.c}.o" | awk -v f="$f" \
			'$2 ~ /^[TDBRCV]$/ { print "def", $3, f } $1 == "U" { print "use", $2, f }'
	done | awk '$1 == "def" { at[$2] = $3 } $1 == "use" { use[NR] = $3 " " $2 }
		END { for (n in use) {
			split(use[n], p, " ")
			if (p[2] in at && at[p[2]] != p[1]) print p[1], at[p[2]], p[2] } }'
}
# in_order DIR FILE.c...: none calls one behind it
in_order() {
	local dir=$1 a b what
	shift
	local -A place=()
	local f n=0
	for f; do place[$f]=$((n++)); done
	while read -r a b what; do
		((place[$a] > place[$b])) || fail "$a calls $what of $b, which stands behind it"
	done < <(calls "$dir" "$@")
}
# said FILE TEXT: the .c files of the head of a header, in the order in which they are named
said() { sed -n '1,/\*\//p' "$1" | grep -o '[a-z]*\.c\b'; }

# the command: layers, then families, then main.c
mapfile -t base < <(said tools/parvus/tool.h | grep -v '^main\.c$')
((${#base[@]} >= 5)) || fail "tool.h names no layers"
mapfile -t all < <(cd tools/parvus && ls -- *.c)
families=()
for f in "${all[@]}"; do
	[[ $f == main.c || " ${base[*]} " == *" $f "* ]] || families+=("$f")
done
for f in "${base[@]}"; do [[ -e tools/parvus/$f ]] ||
	fail "tool.h names $f, which is not there"; done
in_order "$T/command" "${base[@]}" "${families[@]}" main.c
while read -r a b what; do
	[[ " ${families[*]} " == *" $b "* && $a != main.c ]] &&
		fail "$a calls $what of the command file $b"
done < <(calls "$T/command" "${all[@]}")

# the monitor, and the keeper in libparvus
mapfile -t order < <(said tools/monitor/monitor.h)
[[ $(printf '%s\n' "${order[@]}" | sort) == "$(cd tools/monitor && printf '%s\n' *.c)" ]] ||
	fail "monitor.h does not name all files"
in_order "$T/monitor" "${order[@]}"
mapfile -t order < <(said tools/libparvus/keeper.h)
((${#order[@]} >= 5)) || fail "keeper.h names no order"
in_order "$T/libparvus" "${order[@]}"

# no program runs itself under another name
grep -rn '/proc/self/exe' tools/parvus tools/monitor tools/libparvus | grep -v readlink | grep . &&
	fail "exec of itself"

# the library: what is exported is what is promised
promised=$(cat tools/libparvus/libparvus.h tools/libparvus/libparvus-backend.h | grep -v "^#" |
	tr '\n' ' ' | grep -o 'PARVUS_API [^;(]*(' | sed 's/($//; s/.*[ *]//' | sort)
mapped=$(grep -o '\bparvus_[a-z_]*;' tools/libparvus/libparvus.map | tr -d ';' | sort)
[[ $mapped == "$promised" ]] ||
	fail "libparvus.map: $(diff <(echo "$mapped") <(echo "$promised"))"
exported=$(nm -D --defined-only "$T/libparvus.so.0" |
	awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort)
[[ $exported == "$promised" ]] ||
	fail "libparvus.so.0: $(diff <(echo "$exported") <(echo "$promised"))"
for f in $promised; do
	grep -q "^\(/\*\*\| \*\) $f() - " tools/libparvus/libparvus.h \
		tools/libparvus/libparvus-backend.h ||
		fail "$f() has no comment of its own in the header"
done
for h in libparvus libparvus-backend; do
	for compile in 'gcc -std=c11 -x c' 'g++ -std=c++17 -x c++'; do
		echo "#include <$h.h>" | $compile -Wall -Wextra -Werror -Ipv-abi/include \
			-Ipv-drivers/ring -Itools/libparvus -fsyntax-only - ||
			fail "$h.h alone: $compile"
	done
done
exit 0
