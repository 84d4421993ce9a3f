# SPDX-License-Identifier: GPL-2.0-only
# What the pages name exists: each file, folder, function, target of make, test and identifier in
# backquotes, each source file by its name alone, each link, and the anchors of links. Read are
# docs/architecture.md, HACKING.md, README.md and hypervisor/README.md; of the other pages of docs
# the links and the names of files. And a mistake of each kind is seen. (That the map of ring 0 has
# all of its files is system/style's.)
set -u

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/check" <<'END_OF_PERL'
use strict;
use warnings;
use File::Find;

my (@files, %base, %word, %function);
my @top = qw(hypervisor pv-abi guest-patches pv-drivers tools tests docs Makefile budgets.txt
	HACKING.md README.md CHANGES.md);
sub found {
	push @files, $File::Find::name if -f && !/\.pyc$/;
}
find({ no_chdir => 1, wanted => \&found }, grep { -e } @top);
for my $f (@files) {
	(my $b = $f) =~ s,.*/,,;
	push @{$base{$b}}, $f;
	# what a page says of itself proves nothing
	next if $f =~ /\.(md|json|html)$/;
	next if $f =~ m,tests/(fuzz/seeds|system/bench/raw|system/docs\.sh),;
	open(my $h, "<", $f) or die "$f: $!\n";
	local $/;
	my $text = <$h>;
	# what is meant is code: not a word of a comment or a message
	$text =~ s,/\*.*?\*/, ,gs if $f =~ /\.[chS]$/;
	$word{$_} = 1 for $text =~ /[A-Za-z_]\w*/g;
	$function{$_} = 1 for $text =~ /^[ \t]*(?:[A-Za-z_][\w \t\*()]*?[ \t\*])?(\w+)\(/gm,
		$text =~ /^#define[ \t]+(\w+)\(/gm, $text =~ /^def (\w+)/gm;
	next unless $f =~ /hypercalls\.tbl$/;	# what is generated
	for my $call ($text =~ /^\d+\s+(\w+)/gm) {
		$function{$_} = 1 for "hc_$call", "call_$call", "parvus_$call";
	}
}

sub file_is {
	my ($name) = @_;
	return 1 if $name =~ m{NAME|counter|^build/};	# of anything; the guide's own; built
	$name =~ s,/$,,;
	return 1 if -e $name || -e "hypervisor/$name" || -e "docs/$name";
	return 1 if $name =~ m,/, && grep { m,(^|/)\Q$name\E(/|$), } @files;
	return exists $base{$name};
}

# NAME of a test, with a case: what kind it is of says the folder
sub test_is {
	my ($kind, $name, $case) = @_;
	my $f = "tests/$kind/$name." . ($kind eq "system" ? "sh" : "c");
	return 0 unless -f $f;
	return 1 unless $case;
	open(my $h, "<", $f) or return 0;
	return !!grep { /^START_TEST\(\Q$case\E\)/ } <$h>;
}

sub target_is {
	my ($target) = @_;
	for my $f ("Makefile", glob("*/build.mk")) {
		open(my $h, "<", $f) or next;
		return 1 if grep { /^(?:\.PHONY:.*\s)?\Q$target\E(\s|:|$)/ } <$h>;
	}
	return 0;
}

sub exists_span {
	my ($s) = @_;
	# patterns and settings; what is elsewhere
	return 1 if $s =~ /[<>*\$=|"'{}]|\.\.\.|^-/ || $s =~ m,^([A-Z]+/|build/|/|~),;
	return test_is($1, $2, $3) if $s =~ m,^(unit|guest|fuzz|system)/(\w+)(?::(\w+))?$,;
	return target_is($1) if $s =~ /^make ([a-z][a-z-]*)/;
	return file_is($1) if $s =~ m,^((?:tools|tests)/[\w/-]+)( |$),;
	return 1 if $s =~ / / && $s !~ /^(struct|enum) \w+$/;	# a command, a sentence
	return exists $function{$1} if $s =~ /^(\w+)\(\)$/;
	return exists $word{$2} if $s =~ /^(struct|enum) (\w+)$/;
	return file_is($s) if $s =~ m,/|\.(c|h|S|sh|py|md|lds|tbl|txt|ash|bash|awk|mk|cfg|map)$,;
	return exists $word{$1} if $s =~ /^([A-Za-z]\w*_\w*|[A-Z][A-Z0-9]{3,})$/;
	return exists $word{$1} if $s =~ /^\w+\.(\w+_\w+)$/;
	return 1;
}

sub anchor_is {
	my ($page, $anchor) = @_;
	open(my $h, "<", $page) or return 0;
	for my $heading (<$h>) {
		next unless $heading =~ /^#+ (.*)/;
		my $a = lc $1;
		$a =~ s/[^\w -]//g;
		$a =~ tr/ /-/;
		return 1 if $a eq $anchor;
	}
	return 0;
}

my ($bad, $spans, $page, $line) = (0, 0);
my $source_file = qr,(?<![/.\w-])((?:[\w.-]+/)*\w[\w-]*\.(?:c|h|S|sh|py|ash|bash))\b(?![\w(.]),;
sub wrong {
	print "$page:$line: there is no @_\n";
	$bad++;
}
for (@ARGV) {
	$page = $_;
	my $full = $page =~ m,^(docs/architecture|HACKING|README|hypervisor/README)\.md$,;
	(my $folder = $page) =~ s,[^/]*$,,;
	my ($fence, $para) = (0, "");
	$line = 0;
	open(my $h, "<", $page) or die "$page: $!\n";
	for (<$h>, "") {
		$line++;
		$fence = !$fence, next if /^```/;
		# what recipes make is theirs (system/recipes)
		next if $fence || /^New file /;
		# names of source files and of functions in figures count, too
		if ($full && /^    /) {
			for my $name (m,(?<![/\w])((?:[\w-]+/)*\w+\.[chS])\b,g) {
				wrong("file $name") unless file_is($name);
			}
			for my $name (/\b(\w+)\(\)/g) {
				wrong("function $name()") unless exists $function{$name};
			}
			next;
		}
		next if /^    /;
		# a span may go over the end of a line
		if (/\S/ && !/^[|#]/) {
			$para .= $_;
			next;
		}
		for my $text ($para, $_) {
			while ($full && $text =~ /`([^`]+)`/g) {
				(my $s = $1) =~ s/\s+/ /g;
				$spans++;
				wrong("`$s`") unless exists_span($s);
			}
			while ($text =~ m,$source_file,g) {
				wrong("file $1") unless file_is($1);
			}
			while ($text =~ /\]\(([^)\s]+)\)/g) {
				my ($to, $anchor) = split /#/, $1;
				next if $1 =~ /^https?:/;
				$to = length $to ? $folder . $to : $page;
				1 while $to =~ s,[^/]+/\.\./,,;
				wrong($to) unless -e $to;
				wrong("heading $anchor in $to")
					if defined $anchor && !anchor_is($to, $anchor);
			}
		}
		$para = "";
	}
}
die "only $spans names were found\n" if $spans < 100;
exit($bad ? 1 : 0);
END_OF_PERL

pages=(HACKING.md README.md hypervisor/README.md docs/*.md)
perl "$tmp/check" "${pages[@]}" || exit 1

mkdir "$tmp/copy" || exit 99
cp -r docs hypervisor pv-abi pv-drivers guest-patches tools tests Makefile budgets.txt ./*.md \
	"$tmp/copy" || exit 99
seen() { # WHAT PAGE SED-SCRIPT
	cp "$2" "$tmp/page" || exit 99
	sed -i "$3" "$tmp/copy/$2"
	cmp -s "$2" "$tmp/copy/$2" && { echo "the change does not fit $2 any more: $1"; exit 99; }
	(cd "$tmp/copy" && perl "$tmp/check" "${pages[@]}") >"$tmp/out"
	[[ $? == 1 && -s $tmp/out ]] || { echo "not seen: $1"; exit 1; }
	cp "$tmp/page" "$tmp/copy/$2"
}
a=docs/architecture.md
seen "a function that is gone" $a 's/`judge()`/`judges()`/'
seen "a function of a figure" $a 's/leaf_make(), leaf_rights()/leaf_makes(), leaf_rights()/'
seen "a file of a figure" $a 's,^    mmu/leaf.c ,    mmu/leaves.c ,'
seen "a file that is gone" $a 's,`tools/libparvus/config.c`,`tools/libparvus/configs.c`,'
seen "a file of a table" $a 's/| enlighten.c |/| enlightens.c |/'
seen "a constant that is gone" $a 's/`PARVUS_BLOCK_HAS_FLUSH`/`PARVUS_BLOCK_FLUSHES`/'
seen "a heading that is gone" $a 's/^### The way of a page fault/### A page fault/'
seen "a test that is gone" HACKING.md 's,`system/ladder`,`system/ladders`,'
seen "a target that is gone" HACKING.md 's/`make lines`/`make lines-of-it`/'
seen "a link to nowhere" README.md 's,(docs/xl.md),(docs/xen.md),'
seen "a file in another page" docs/testing.md 's,`tests/unit/native.c`,`tests/unit/natives.c`,'
exit 0
