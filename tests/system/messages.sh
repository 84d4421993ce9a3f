# SPDX-License-Identifier: GPL-2.0-only
# Messages of the toolstack name the value that they complain of, its place, and what would be
# right. Read here are their forms, in the sources: each has a conversion for what was given (but
# for those listed, which are about nothing that was given), none is one of the words that say
# nothing, and what says "is expected" of a number says which ones.
set -u

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/check" <<'END_OF_PERL'
use strict;
use warnings;

# about nothing that was given
my %exempt = map { $_ => 1 } ("no memory",
	"a command is expected (see parvus help)", "a configuration is expected",
	"network-nat: no private network is free; -s says which one to take",
	"there is no nft (Debian: nftables): domains reach this machine and each other, no further",
	"network-nat: there is neither dnsmasq (Debian: dnsmasq-base) nor udhcpd",
	"--json: what a domain writes is no JSON", "--json: what a command writes is no JSON");
my ($n, $bad) = (0, 0);
my %used;
for my $file (@ARGV) {
	open(my $h, "<", $file) or die "$file: $!\n";
	local $/;
	my $text = <$h>;
	$text =~ s,(/\*.*?\*/), (my $c = $1) =~ s/[^\n]//g; $c,gse;
	while ($text =~ /\b(fail|usage|warning|pv_fail|pv_spec_wrong|wrong|lie)\((?=[^;{]*?;)/g) {
		my ($call, $at) = ($1, pos $text);
		# there it shows what stands in the file
		next if $call eq "wrong" && $file =~ m,/(syntax|state)\.c$,;
		my $line = 1 + (substr($text, 0, $at) =~ tr/\n//);
		# up to the end of the call
		my ($depth, $i, $in) = (1, $at, 0);
		for (; $depth && $i < length $text; $i++) {
			my $c = substr($text, $i, 1);
			$i++, next if $in && $c eq "\\";
			$in = !$in if $c eq '"';
			next if $in;
			$depth++ if $c eq "(";
			$depth-- if $c eq ")";
		}
		my $args = substr($text, $at, $i - $at - 1);
		# the first run of literals is the message, or the choices of one
		while ($args =~ /((?:"(?:[^"\\]|\\.)*"\s*|[A-Z]{5,}\s*)+)/g) {
			my ($literals, $before) = ($1, substr($args, 0, $-[0]));
			my $said = join "", $literals =~ /"((?:[^"\\]|\\.)*)"/g;
			next if $literals !~ /"/ || $said !~ / /;
			next if $before =~ /"\s*,/ || ($before =~ /"/ && $before !~ /[?:]\s*$/);
			$n++;
			$used{$said} = 1, next if $exempt{$said};
			my $why = $file =~ m,parvus-device, ? "" :
				$said !~ /%/ ? "names no value" :
				$said =~ /out of range|something is|such a device|invalid|illegal/ ?
				"says nothing" :
				$said =~ /: a number (of [a-zA-Z]+ )?is expected/ ?
				"does not say which numbers" :
				"";
			next if !$why || $said =~ /^usage: /;
			print "$file:$line: $why: \"$said\"\n";
			$bad++;
		}
	}
}
die "only $n messages were found\n" if $n < $ENV{LEAST};
for (sort keys %exempt) {
	next if $used{$_} || !$ENV{LEAST};
	print "exempt, and nobody says it: $_\n";
	$bad++;
}
exit($bad ? 1 : 0);
END_OF_PERL
cat >"$tmp/scripts" <<'END_OF_PERL'
use strict;
use warnings;

# about nothing that was given, or what follows says it
my %exempt = map { $_ => 1 } ("needs root", "run: the machine ended without a status",
	"run: the hypervisor ended without a record; its last words:",
	"a path is expected", "no abi.snapshot (make abi-snapshot)");
my ($n, $bad) = (0, 0);
my %used;
for my $file (@ARGV) {
	open(my $h, "<", $file) or die "$file: $!\n";
	local $/;
	my $text = <$h>;
	$text =~ s/\\\n/ \n/g;		# a line that goes on: the same number of them
	my $python = $text =~ /^#!.*python/;
	my $string = qr/f?(?:"(?:[^"\\]|\\.)*"|'[^']*')/;
	my @at;
	if ($python) {
		my $says = qr/\b(?:sys\.stderr\.write|sys\.exit|fail)\(\s*f?["']/;
		push @at, $-[0] while $text =~ /$says/g;
	} else {
		push @at, $-[0] while $text =~ /(?<![=\w] )\bfail\s+["']/g;
		my $says = qr/\b(?:echo|printf)\s+["'](?=[^\n]*(?:\n\s*"[^\n]*)?>&2)/;
		push @at, $-[0] while $text =~ /$says/g;
	}
	for my $at (@at) {
		my $line = 1 + (substr($text, 0, $at) =~ tr/\n//);
		my $rest = substr($text, $at);
		# all literals of the command: up to the end of its line, or the first that ends it
		$rest =~ /^[\w.]+[\s(]+((?:$string[\s]*)+)/ or next;
		my $said = $1;
		next if $said !~ / /;
		$n++;
		(my $bare = $said) =~ s/^f?["']|["']\s*$//g;
		$used{$bare} = 1, next if $exempt{$bare};
		if ($bare =~ /a number is (expected|needed)$/) {
			print "$file:$line: does not say which numbers: $bare\n";
			$bad++;
		}
		next if $python ? $said =~ /\{/ : $said =~ /\$/;
		next if $said =~ /apt install|is missing|usage:|%[-0-9]*s|=|(?<![\w-])--\w/;
		next if $python && $rest =~ /^[^\n]*["'] \+ /;
		print "$file:$line: names no value: $bare\n";
		$bad++;
	}
}
die "only $n messages of scripts were found\n" if $n < $ENV{LEAST};
for (sort keys %exempt) {
	next if $used{$_} || !$ENV{LEAST};
	print "exempt, and nobody says it: $_\n";
	$bad++;
}
exit($bad ? 1 : 0);
END_OF_PERL
files=(tools/parvus/*.c tools/libparvus/*.c tools/monitor/*.c pv-drivers/user/*.c)
LEAST=200 perl "$tmp/check" "${files[@]}" || exit 1
# what people start themselves; domain-u runs in the benchmark's guest alone
mapfile -t scripts < <(grep -rlE '^#!.*(sh|python3)$' tools packages guest-patches pv-abi |
	grep -v -e /domain-u -e tools/initramfs -e tools/debian/)
((${#scripts[@]} > 25)) || { echo "only ${#scripts[@]} scripts"; exit 1; }
LEAST=150 perl "$tmp/scripts" "${scripts[@]}" || exit 1

# a mistake of each kind is seen
seen() { # WHAT CODE
	printf 'int f(void)\n{\n\t%s\n}\n' "$2" >"$tmp/a.c"
	LEAST=0 perl "$tmp/check" "$tmp/a.c" >"$tmp/out" && { echo "not seen: $1"; exit 1; }
	grep -q ':3: ' "$tmp/out" || { echo "seen elsewhere: $1: $(cat "$tmp/out")"; exit 1; }
}
seen "no value" 'return fail("the size is wrong");'
seen "no value, over lines" 'return pv_fail(e, EINVAL, "the size "
			"is wrong");'
seen "no value in a choice" 'usage(t, n ? "%s is wrong" : "the size is wrong", text);'
seen "no range" 'usage(t, "-n %s: a number is expected", text);'
seen "a word that says nothing" 'pv_fail(e, 1, "domain %u: a value is out of range", d);'
seen_script() { # WHAT LINES SHELL
	printf '#!/bin/%s\n%s\n' "$3" "$2" >"$tmp/a"
	LEAST=0 perl "$tmp/scripts" "$tmp/a" >"$tmp/out" && { echo "not seen: $1"; exit 1; }
	grep -q ':2: names no value: ' "$tmp/out" ||
		{ echo "seen elsewhere: $1: $(cat "$tmp/out")"; exit 1; }
}
seen_script "fail" '[ -n "$a" ] || fail "there is nothing here"' sh
seen_script "echo" 'echo "tool: something" \
	"is wrong" >&2' sh
! LEAST=0 perl "$tmp/scripts" <(printf '#!/bin/sh\nfail "$n: a number is needed"\n') >/dev/null ||
	{ echo "not seen: which numbers"; exit 1; }
seen_script "Python" 'sys.stderr.write("tool: it is wrong")' python3
exit 0
