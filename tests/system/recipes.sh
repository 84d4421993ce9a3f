# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# The recipes of HACKING.md are true. In a copy of the tree their code goes where they say, to the
# letter, and their commands, run as they stand, build what is new and see it work. What is built
# of the tree already is taken over, so that only what a recipe changes is built.
. tests/system/lib.bash

build=$(realpath "$O")
copy=$work/tree
mkdir -p "$copy/build"
tar --exclude=./build --exclude=./.git --exclude="./$O" --exclude='./build?*' -cf - . |
	tar -C "$copy" -xf - || exit 99
for part in gen hypervisor tools bench tests/guest tests/tools parvus.elf parvus-pvh.elf \
	parvus-bench.elf; do
	[[ -e $build/$part ]] || continue
	mkdir -p "$copy/build/$(dirname "$part")"
	cp -a "$build/$part" "$copy/build/$part" || exit 99
done
here=$PWD
cd "$copy" || exit 99
unset O

# apply PAGE: the places and pieces of code of a page, in its order:
#   New file F:              At the end of `F`:
#   In `F`, after `TEXT`:    also "before" and "in place of": the one line that has TEXT
# each with a block behind it. Blocks of sh are commands: to stdout.
cat >"$work/apply" <<'END_OF_PERL'
use strict;
my ($how, $file, $text, @code, $lang, $pieces);
sub old {
	open(my $f, "<", $file) or die "$file: $!\n";
	return <$f>;
}
sub put {
	my @lines;
	if ($how eq "new") {
		die "$file is there already\n" if -e $file;
		@lines = @code;
	} elsif ($how eq "end") {
		@lines = (old(), @code);
	} else {
		@lines = old();
		my @at = grep { index($lines[$_], $text) >= 0 } 0 .. $#lines;
		die "$file has " . @at . " lines with: $text\n" if @at != 1;
		splice(@lines, $at[0] + ($how eq "after"), $how eq "in place of", @code);
	}
	open(my $f, ">", $file) or die "$file: $!\n";
	print $f @lines;
	$pieces++;
}
while (<STDIN>) {
	if (defined $lang) {
		if (!/^```$/) {
			push @code, $_;
			next;
		}
		if ($lang eq "sh") {
			print @code;
		} else {
			die "line $.: code without a place\n" unless $how;
			put();
			$how = undef;
		}
		$lang = undef;
	} elsif (/^```(\w+)$/) {
		($lang, @code) = $1;
	} elsif (/^New file (\S+):$/) {
		($how, $file) = ("new", $1);
	} elsif (/^At the end of `([^`]+)`:$/) {
		($how, $file) = ("end", $1);
	} elsif (/^In `([^`]+)`, (after|before|in place of) `([^`]+)`:$/) {
		($file, $how, $text) = ($1, $2, $3);
	} elsif (/^(New file|At the end of|In) .*:$/) {
		die "line $.: not understood: $_";
	}
}
die "only $pieces pieces of code\n" if $pieces < 12;
END_OF_PERL

recipes() { awk '/^## / { on = $2 == "Recipes" } on' "$1"; }
recipes HACKING.md >"$work/page"
perl "$work/apply" <"$work/page" >"$work/commands" 2>"$work/said" ||
	fail "the code of the recipes: $(cat "$work/said")"
(($(grep -c '^make ' "$work/commands") >= 4)) || fail "the recipes have no commands"
bash -e "$work/commands" >"$work/said" 2>&1 ||
	{ tail -60 "$work/said"; fail "the commands of the recipes"; }
cat "$work/said"
for text in '^  success guest/hypercall_args ' '^  success guest/vcpu_count ' \
	'^  success system/reason ' '^BENCH vcpu-count hypercall 1000 [1-9]'; do
	grep -q "$text" "$work/said" || fail "the recipes do not lead to: $text"
done
each=$(sed -n 's/^BENCH vcpu-count hypercall 1000 \([0-9]*\)[0-9][0-9][0-9] .*/\1/p' "$work/said")
((each > 40 && each < 400)) || fail "a hypercall of $each instructions"

# A page that is wrong is not taken for right.
seen() { # WHAT SED-SCRIPT
	local last
	rm -rf "$work/wrong"
	mkdir "$work/wrong"
	(cd "$here" && tar -cf - CHANGES.md docs hypervisor pv-abi tools tests) |
		tar -C "$work/wrong" -xf -
	recipes "$here/HACKING.md" | sed "$2" >"$work/page2"
	cmp -s "$work/page" "$work/page2" &&
		{ echo "the change does not fit HACKING.md: $1"; exit 99; }
	(cd "$work/wrong" && perl "$work/apply" <"$work/page2") >"$work/out" 2>&1 &&
		fail "not seen: $1"
	return 0
}
seen "a line that is nowhere" 's/before `s64 hc_yield(/before `s64 hc_yields(/'
seen "a file that is nowhere" 's,^At the end of `docs/abi.md`,At the end of `docs/api.md`,'
seen "a new file that is there" 's,^\(New file tests/guest/\)vcpu_count.c,\1pool.c,'
seen "code without a place" '/^New file tools\/parvus\/reason.c:$/d'
exit 0
