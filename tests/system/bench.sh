# SPDX-License-Identifier: GPL-2.0-only
# @timeout 400
# The benchmark from raw records to reports, on kept ones (tests/system/bench/raw; no machine
# is run): every number can be traced, a comparison finds what was planted, bad records are
# refused with one line.
. tests/system/lib.bash

python3 -c 'import json' 2>/dev/null || { echo "no python3"; exit 99; }
raw=$work/raw
made=$work/out/bench
cp -r tests/system/bench/raw "$raw"
report() { O=$work/out tools/bench/run --from "$raw" >"$work/said" 2>&1; }
keep() { cp "$made/results.json" "$work/$1.json"; }

report || fail "no report: $(cat "$work/said")"
[[ $(wc -l <"$work/said") == 4 ]] || fail "it says: $(cat "$work/said")"
python3 tests/system/bench/check.py . "$made" || fail "the report is not whole"
keep old

# what they were measured with is kept beside them: of this tree nothing is said
for what in '"commit": "9f8adc54dc93"' '"date": "2026-11-21"' '"quick": true' '"rounds": 3'; do
	grep -q "^  $what" "$made/results.json" || fail "not as it was kept: $what"
done
grep -q 'Commit `9f8adc54dc93`, `2026-11-21`, a quick run' "$made/report.md" ||
	fail "another run's head"
mv "$raw/environment.json" "$work/kept"
report || fail "without an environment: $(cat "$work/said")"
grep -q "nobody knows" "$work/said" || fail "without an environment: $(cat "$work/said")"
grep -q '^  "commit": "unknown"' "$made/results.json" || fail "a commit from nowhere"
grep -q 'of what kind, unknown' "$made/report.md" || fail "a kind from nowhere"
for text in '{' '[]' '{"commit": "x"}'; do
	echo "$text" >"$raw/environment.json"
	report && fail "taken as an environment: $text"
	said=$(cat "$work/said")
	[[ $said == "bench: "*environment.json* && $said != *$'\n'* ]] || fail "$text: $said"
done
mv "$work/kept" "$raw/environment.json"
O=$work/out tools/bench/run --quick --from "$raw" >"$work/said" 2>&1
[[ $? == 2 && $(tail -1 "$work/said") == *"--from takes what is there"* ]] ||
	fail "--quick --from: $(cat "$work/said")"
report || fail "again: $(cat "$work/said")"

# what must be in it: a goal that is missed has its cause, a way out of order its line
grep -q '^| anonymous fault, 4 KiB pages .*| no | two crossings' "$made/report.md" ||
	fail "no cause"
grep -q '^| write-cr3 | batched [0-9,]* | hypercall [0-9,]* | an entry' "$made/report.md" ||
	fail "no order"
grep -q '^| linux | 1. | 1 | 0.1.* %' "$made/report.md" ||
	fail "no repeatability: $(grep '^| linux |' "$made/report.md")"

grep -q '^| NVMe: random read, 4 KiB, one .*| 1.10. x | .*| no | domain 0 sl' "$made/report.md" ||
	fail "no NVMe: $(grep NVMe "$made/report.md")"
grep -q '^| interrupt to handler, while .*| native + 600 | .*| no | entry' "$made/report.md" ||
	fail "no interrupt: $(grep '^| interrupt' "$made/report.md")"

grep -q '^| mprotect pair, touch .*| 1.15. x | 1\.[0-9]* | no | two flushes' "$made/report.md" ||
	fail "no pages: $(grep '^| mprotect pair' "$made/report.md")"
grep -q '^| protect-none-64 | [0-9,]* | [0-9,]* | 1\.[0-9]* | ' "$made/report.md" ||
	fail "no table of pages: $(grep '^| protect-none-64' "$made/report.md")"

# another run: the report compares with the one before, and so it does when it is made again
grep -q 'Since the last run' "$made/report.md" && fail "a run before the first one"
[[ -e $made/last.json ]] && fail "a last run, before there was one"
sed -i 's/"date": "2026-11-21"/"date": "2026-11-22"/' "$raw/environment.json"
cp "$raw/micro.1" "$work/kept"
sed -i -E 's/^(BENCH mask-interrupts trap 1000) ([0-9]+)/\1 922500/' "$raw/micro.1"
for again in 1 2; do
	report || fail "another run: $(cat "$work/said")"
	python3 tests/system/bench/check.py . "$made" || fail "the report of another run"
	grep -q '^| micro/mask-interrupts/trap/instructions | 615 | 922 | +50.00 % |' \
		"$made/report.md" || fail "$again: $(grep '^| micro/mask' "$made/report.md")"
	cmp -s "$made/last.json" "$work/old.json" || fail "$again: last.json is not the run before"
done
cp "$work/kept" "$raw/micro.1"
cp tests/system/bench/raw/environment.json "$raw"
rm "$made/last.json"
report || fail "again: $(cat "$work/said")"
rm "$made/last.json"

compare() { # STATUS TEXT OLD NEW
	local rc
	tools/bench/compare "$work/$3.json" "$work/$4.json" >"$work/said" 2>&1
	rc=$?
	[[ $rc == "$1" && $(cat "$work/said") == *$2* ]] ||
		fail "compare $3 $4: status $rc: $(cat "$work/said")"
}
plant() { # NAME FILE EXPRESSION: results of raw records that sed has changed
	cp "$raw/$2" "$work/kept"
	sed -i -E "$3" "$raw/$2"
	cmp -s "$raw/$2" "$work/kept" && fail "plant $1: nothing changed"
	report || fail "plant $1: $(cat "$work/said")"
	keep "$1"
	cp "$work/kept" "$raw/$2"
}
compare 0 "0 slower or larger, 0 faster" old old
# one instruction in a thousand operations of a micro guest
plant micro micro.1 's/^(BENCH mask-interrupts trap 1000) ([0-9]+)/\1 9990001/'
compare 1 "micro/mask-interrupts/trap/instructions" old micro
compare 0 "0 slower or larger, 1 faster" micro old
# below and above half a percent of Linux (226.0 of 225.0 instructions; 230)
plant little linux.native.instructions.1 's/^(BENCH null-syscall native 2000) [0-9]+/\1 452000/'
compare 0 "0 slower or larger, 0 faster" old little
plant much linux.native.instructions.1 's/^(BENCH null-syscall native 2000) [0-9]+/\1 460000/'
compare 1 "linux/null-syscall/native/instructions" old much
# below and above ten percent of what waits for devices
virtio='s/^(BENCH virtio-net-tcp-receive-1m domain-0 64) ([0-9]+)/echo "\1 $((\2 *'
virtio+=' PERCENT \/ 100))"/e'
plant waits machine.parvus.1 "${virtio/PERCENT/108}"
compare 0 "0 slower or larger, 0 faster" old waits
plant slow machine.parvus.1 "${virtio/PERCENT/115}"
compare 1 "machine/virtio-net-tcp-receive-1m/domain-0/instructions" old slow
# time: all rounds of both repetitions ten times longer; one alone is spread
plant spread linux.parvus.time.1 's/^(BENCH fork-exit domain-u 40 0 [0-9]+ [0-9]+)( round=1)/\10\2/'
compare 0 "0 slower or larger" old spread
sed -i -E 's/^(BENCH fork-exit domain-u 40 0 [0-9]+ [0-9]+) /\10 /' "$raw/linux.parvus.time.2"
plant time linux.parvus.time.1 's/^(BENCH fork-exit domain-u 40 0 [0-9]+ [0-9]+) /\10 /'
compare 1 "linux/fork-exit/domain-u/ns" old time
cp tests/system/bench/raw/linux.parvus.time.2 "$raw"
plant larger size 's/^SIZE text [0-9]+/SIZE text 123262/'
compare 1 "size/text" old larger
echo '{"format": 1' >"$work/broken.json"
compare 2 "broken.json" old broken
echo '{"format": 99}' >"$work/other.json"
compare 2 "not results.json" old other

# bad records: one line, status 1, the reports stay as they were
report || fail "again: $(cat "$work/said")"
before=$(md5sum "$made"/*)
for line in 'BENCH x native' 'BENCH x native 0 1 1 1' 'BENCH x native 1 y 1 1' \
	'BENCH x native 1 1 1 1 faults' \
	'BENCH Ä native 1 1 1 1' 'SIZE text many bytes' 'CHECK x perhaps'; do
	echo "$line" >>"$raw/micro.1"
	report && fail "taken: $line"
	[[ $(wc -l <"$work/said") == 1 && $(cat "$work/said") == "bench: micro.1: "* ]] ||
		fail "$line: $(cat "$work/said")"
	sed -i '$d' "$raw/micro.1"
done
: >"$raw/linux.native.time.1"
report && fail "an empty text was taken"
[[ $(md5sum "$made"/*) == "$before" ]] || fail "a failed run has changed the reports"

# counters that are not as the plugin has them
agree() { # STATUS TEXT CROSSINGS [SLACK]
	local rc
	printf 'BENCH a x 1 9 9 9 raw=9 crossings=7\nBENCH b x 1 9 9 9 raw=9 crossings=%s\n' "$3" \
		>"$work/console"
	printf '%s\n' 'RECORD 0 insns=9 hv.cr3_writes=2' 'SYM 0 f.isra.0 handler 9 7' \
		'SYM 0 f.isra.0.cold handler 9 3' 'RECORD 1 insns=9' 'SYM 1 f handler 9 100' \
		'SYM 1 g handler 9 20' >"$work/plugin"
	awk -v keys=crossings -v sources=f+g ${4:+-v slack="$4"} -f tools/bench/plugin/agree.awk \
		"$work/console" "$work/plugin" >"$work/said"
	rc=$?
	[[ $rc == "$1" && $(cat "$work/said") == *$2* ]] ||
		fail "agree $3 ${4:-}: status $rc: $(cat "$work/said")"
}
agree 0 "hypervisor 127, plugin 127, in 2 records" 120
agree 1 "b x: hypervisor 121, plugin 120" 121
agree 0 "hypervisor 136" 129 0.02
agree 1 "b x: hypervisor 140" 140 0.02
agree 1 "b x: hypervisor 0, plugin 120" 0 0.02

# what the plugin counted, joined to what a program printed
joined() { # STATUS TEXT PLUGIN
	local rc
	printf '%s\n' 'BENCH nvme-read-4k x 2 0 9 9 round=1 raw=9' \
		'BENCH busy-read-4k x 2 0 9 9 round=1' >"$work/console"
	printf '%b' "$3" >"$work/plugin"
	python3 -Bc 'import sys
sys.path.insert(0, "tools/bench")
from parvus_bench import machine
print(*machine.counted(*(open(f).read() for f in sys.argv[1:])), sep="\n")' \
		"$work/console" "$work/plugin" >"$work/said" 2>&1
	rc=$?
	[[ $rc == "$1" && $(cat "$work/said") == *$2* ]] ||
		fail "joined $3: status $rc: $(cat "$work/said")"
}
four='RECORD 0 insns=10\nRECORD 1 insns=30\nRECORD 2 insns=5\nRECORD 3 insns=6\n'
joined 0 'BENCH nvme-read-4k x 2 20 9 9 round=1
BENCH interrupt-idle x 1 70 70 0 round=1 interrupts=3
BENCH interrupt-busy x 1 80 80 0 round=1 interrupts=4' "${four}WAY 1 3 70\nWAY 2 2 1\nWAY 3 4 80\n"
joined 1 "busy-read-4k, round 1: no interrupt came" "${four}WAY 1 3 70\n"
joined 1 "2 records, but 3 of the plugin" "${four%RECORD*}"
joined 1 "a shorter run 10" "${four/30/10}"

# the tables of a document
printf 'before\n<!-- bench goals -->\nold\n<!-- end -->\nafter\n' >"$work/doc.md"
tools/bench/docs "$work/old.json" "$work/doc.md" || fail "docs"
grep -q '^| null system call | ' "$work/doc.md" || fail "docs: $(cat "$work/doc.md")"
[[ $(sed -n '1p;/^old/p;$p' "$work/doc.md") == $'before\nafter' ]] ||
	fail "docs: $(cat "$work/doc.md")"
printf '<!-- bench goals -->\nold\n<!-- end -->\n<!-- bench machine -->\nold\n<!-- end -->\n' \
	>"$work/doc.md"
tools/bench/docs "$work/old.json" "$work/doc.md" machine || fail "docs: one table"
grep -q '^| NVMe: ' "$work/doc.md" || fail "docs: $(cat "$work/doc.md")"
[[ $(grep -c '^old$' "$work/doc.md") == 1 ]] || fail "docs: $(cat "$work/doc.md")"
printf '<!-- bench %s -->\nold\n<!-- end -->\n' ways pagetables columns >"$work/doc.md"
tools/bench/docs "$work/old.json" "$work/doc.md" || fail "docs: cycles"
for line in 'system-call | 13.0 .* | 92.0 / 1,567 | 460 / 2,475' \
	'nested paging, by hardware | not measured' \
	'write-protected shadowing.* | 92,104 | 220,424 | 220,424 ' \
	'null-syscall | 225 | 301 | 1.338'; do
	grep -q "^| $line" "$work/doc.md" || fail "docs: no $line: $(cat "$work/doc.md")"
done
[[ $(grep -c '^Of a quick run of 2026-11-21, commit 9f8adc54dc93\.$' "$work/doc.md") == 3 ]] ||
	fail "docs: another run's tables: $(grep '^Of' "$work/doc.md")"
printf '<!-- bench nothing -->\n<!-- end -->\n' >"$work/doc.md"
tools/bench/docs "$work/old.json" "$work/doc.md" 2>"$work/said" && fail "docs: a table that is none"
[[ $(cat "$work/said") == "docs: no table is called nothing" ]] ||
	fail "docs says: $(cat "$work/said")"
exit 0
