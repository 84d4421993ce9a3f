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
my %exempt = map { $_ => 1 } ("no memory", "stopped",
	"a command is expected (see parvus help)", "a configuration is expected",
	"network-nat: no private network is free; -s says which one to take",
	"there is no nft (Debian: nftables): domains reach this machine and each other, no further",
	"network-nat: there is neither dnsmasq (Debian: dnsmasq-base) nor udhcpd",
	"--json: what a domain writes is no JSON", "--json: what a command writes is no JSON");
my ($n, $bad) = (0, 0);
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
			next if $exempt{$said};
			my $why = $file =~ m,parvus-device, ? "" :
				$said !~ /%/ ? "names no value" :
				$said =~ /out of range|something is|such a device|invalid|illegal/ ?
				"says nothing" :
				$said =~ /: a number is expected/ ? "does not say which numbers" :
				"";
			next if !$why || $said =~ /^usage: /;
			print "$file:$line: $why: \"$said\"\n";
			$bad++;
		}
	}
}
die "only $n messages were found\n" if $n < $ENV{LEAST};
exit($bad ? 1 : 0);
END_OF_PERL
files=(tools/parvus/*.c tools/libparvus/*.c tools/monitor/*.c pv-drivers/user/*.c)
LEAST=200 perl "$tmp/check" "${files[@]}" || exit 1

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
exit 0
