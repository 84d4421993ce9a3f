# SPDX-License-Identifier: GPL-2.0-only
# @timeout 900
# docs/driver-guide.md is true: the code that it quotes is that of the skeleton, and its commands,
# run word for word in a copy of the tree, make a pair of drivers that builds and passes its test.
# tools/new-driver refuses what is wrong, and leaves nothing.
. tests/system/lib.bash

guide=docs/driver-guide.md
perl -e '
	local $/;
	my $code = "";
	open(F, "<", $_) && ($code .= <F>) || die "$_: $!\n" for glob("pv-drivers/skeleton/*.[ch]");
	open(F, "<", $ARGV[0]); my $guide = <F>;
	my ($n, $bad) = (0, 0);
	while ($guide =~ /^```c\n(.*?)^```$/msg) {
		$n++;
		next if index($code, $1) >= 0;
		print("$ARGV[0] quotes what is not in the skeleton:\n$1");
		$bad++;
	}
	print "$n pieces of code\n";
	exit($bad || $n < 5);
' $guide || fail "the code of the guide"
for f in $(grep -oE '\]\([a-z._/-]+\)' $guide | tr -d ']()'); do
	[[ -e docs/$f ]] || fail "$guide links to docs/$f"
done

mkdir "$work/tree"
build=$(realpath "$O")
tar --exclude=./build --exclude=./.git --exclude="./$O" -cf - . | tar -C "$work/tree" -xf - ||
	exit 99
ln -s "$build" "$work/tree/build"
cd "$work/tree" || exit 99
unset O
trap 'rm -rf "$work" "$build/pv-drivers/counter"' EXIT

bad() { # TEXT ARGUMENT...: refused with one line that has TEXT
	local text=$1
	shift
	tools/new-driver "$@" >"$work/out" 2>"$work/err" && fail "new-driver $* is accepted"
	[[ $(wc -l <"$work/err") == 1 && $(<"$work/err") == "new-driver: "*"$text"* &&
		! -s $work/out ]] ||
		fail "new-driver $* says: $(cat "$work/out" "$work/err")"
}
before=$(ls -A pv-drivers)
bad usage ""
bad "begins with a letter" Counter
bad "begins with a letter" 9lives
bad "begins with a letter" ../counter
bad "begins with a letter" "a b"
bad "20 characters" a23456789012345678901
bad "is taken" entropy
bad "is taken" while
bad "is taken" ring
bad "0x101 to" counter 12
bad "0x101 to" counter 0x100
bad "0x101 to" counter 0x123456789
[[ $(ls -A pv-drivers) == "$before" ]] || fail "a name that was refused leaves something"

sed -n '/^```sh$/,/^```$/{/^```/d; p}' $guide >"$work/commands"
[[ $(wc -l <"$work/commands") -ge 4 ]] || fail "the guide has no commands"
bash -e "$work/commands" >"$work/said" 2>&1 ||
	{ cat "$work/said"; fail "the commands of the guide"; }
tail -30 "$work/said"
grep -q 'test_counter ok' "$work/said" || fail "no test was run"
bad "there already" counter
bad "has this class" another \
	"$(sed -n 's/.*PARVUS_CLASS_COUNTER.*\(0x[0-9a-f]*\)u/\1/p' pv-drivers/counter/counter.h)"
grep -rniE 'entropy|0x100\b|00000100' pv-drivers/counter && fail "names of the skeleton are left"
exit 0
