# SPDX-License-Identifier: GPL-2.0-only
# docs/rules.md is what the source means: each rule and section that a comment cites is there,
# their numbers rise, and each function, file and test that the page names exists. And
# a mistake of each kind is seen.
set -u
cd "${TREE:-.}" || exit 99
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
sources=(hypervisor pv-abi pv-drivers guest-patches tools tests/unit tests/guest tests/fuzz
	tests/system/prog)

numbers() {
	perl -ne 'print "$1\n" if /^\| (\d+) \|/' docs/rules.md >"$tmp/rules"
	sort -nu "$tmp/rules" | diff -q - "$tmp/rules" >/dev/null ||
		echo "docs/rules.md: the numbers of the rules do not rise"
	# a citation may go over the end of a line of a comment
	grep -rlEi '(rules?|section) *[0-9]|rules?$' "${sources[@]}" 2>/dev/null |
		xargs -r perl -0777 -ne '
			while (/\b(?:review )?(rules?|section)\s+(?:\*\s+)?(\d+(?:(?:,| and)\s+(?:\*\s+)?\d+)*)/gi) {
				my ($what, $list) = (lc $1, $2);
				print "$ARGV $what $_\n" for $list =~ /\d+/g;
			}' | while read -r file what n; do
		if [[ $what == section ]]; then
			[[ $file != hypervisor/* ]] || grep -q "^## $n " docs/rules.md ||
				echo "$file cites section $n, which is not in docs/rules.md"
		else
			grep -qx "$n" "$tmp/rules" ||
				echo "$file cites rule $n, which is not in docs/rules.md"
		fi
	done
}

# NAME of a room or a path: a file, a function or macro of C, a label or macro of assembly
in_source() {
	local room=${1%%/*} name=${1#*/}
	[[ -e $1 || -e hypervisor/$1 ]] && return 0
	[[ -d hypervisor/$room ]] || return 1
	case $name in
	*\(\)) grep -qE "^([a-z].*\b|#define )${name%??}\(" hypervisor/"$room"/*.[chS] ;;
	*.*) return 1 ;;
	*) grep -qE "^($name:|(#define|\.macro)[[:space:]]+$name\b)" hypervisor/"$room"/*.[chS] ;;
	esac
}

names() {
	local span file case
	while read -r span; do
		file=${span%%:*}
		case=${span#*:}
		case $span in
		guest/* | fuzz/*) [[ -f tests/$span.c ]] || echo "docs/rules.md: no test $span" ;;
		unit/*)
			[[ -f tests/$file.c ]] || echo "docs/rules.md: no test $file"
			[[ $case == "$span" ]] || grep -q "^START_TEST($case)" "tests/$file.c" ||
				echo "docs/rules.md: $file has no case $case" ;;
		system/*) [[ -f tests/$span.sh ]] || echo "docs/rules.md: no test $span" ;;
		*) in_source "$span" || echo "docs/rules.md: $span is nowhere" ;;
		esac
	done < <(grep -oE '`[A-Za-z0-9_.-]+/[A-Za-z0-9_./:()-]+`' docs/rules.md | tr -d '`' |
		sort -u)
	# a row without a test says so
	awk -F '|' '/^\| [0-9]+ \|/ && $5 !~ /`(unit|guest|system)\/|no test yet|nothing to test/ {
		print "docs/rules.md: rule" $2 "names no test and does not say so" }' docs/rules.md
}

{ numbers; names; } >"$tmp/found"
cat "$tmp/found"
[[ -s $tmp/found ]] && exit 1
[[ -n ${TREE:-} ]] && exit 0

seen() { # WHAT FILE SED-SCRIPT
	rm -rf "$tmp/copy"
	mkdir -p "$tmp/copy" || exit 99
	cp -r --parents docs "${sources[@]}" tests/system/*.sh "$tmp/copy" || exit 99
	sed -i "$3" "$tmp/copy/$2" || exit 99
	cmp -s "$2" "$tmp/copy/$2" && { echo "the change does not fit $2 any more: $1"; exit 99; }
	TREE=$tmp/copy bash tests/system/rules.sh >"$tmp/out" 2>&1
	[[ $? == 1 && -s $tmp/out ]] || { echo "not seen: $1"; exit 1; }
}
seen "a rule that does not exist is cited" hypervisor/core/atomic.h 's/(rule 26)/(rule 199)/'
seen "one over the end of a line" hypervisor/x86/entry.S 's/^ \* 28 and 29)/ * 28 and 129)/'
seen "a rule that is left out" docs/rules.md '/^| 34 |/d'
seen "a function that is gone" docs/rules.md 's,`core/vcpu_reap()`,`core/vcpu_reaped()`,'
seen "a label that is gone" docs/rules.md 's,`x86/ist_common`,`x86/ist`,'
seen "a file that is gone" docs/rules.md 's,`core/arch.h`,`core/machine.h`,'
seen "a case that is gone" docs/rules.md 's,test_shadow:overtaken,test_shadow:taken,'
seen "a test that is gone" docs/rules.md 's,`guest/storm`,`guest/calm`,'
seen "a rule without a test that does not say so" docs/rules.md '/^| 55 |/s/no test yet//'
exit 0
