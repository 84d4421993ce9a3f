# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# What a domain can make the monitor write is bounded: a domain that crashes and is made again for
# ever has two core files, none that would fill the disk, and never one of another domain; the
# monitor's log is cut at a MiB, whoever writes to it; so is the console's.
. tests/system/fake.bash
# A disk of its own, so that it can be full.
if [[ -z ${INSIDE:-} ]]; then
	unshare -m true 2>/dev/null || { echo "no mount namespaces here"; exit 77; }
	INSIDE=1 exec unshare -m bash "$0"
fi
mkdir -p "$PARVUS_DUMP_DIR"
mount -t tmpfs -o size=64m cores "$PARVUS_DUMP_DIR" || exit 77
trap 'kill $(pids) 2>/dev/null; sleep 0.1; umount "$PARVUS_DUMP_DIR"; rm -rf "$work"' EXIT

crash() { # it crashes, and is there again
	G web crash
	until_true eval "[[ \$('$parvus' domid web 2>/dev/null || echo 0) -gt $id ]]"
	until_true state web "-b----"
	id=$(P domid web)
}
cores() { (cd "$PARVUS_DUMP_DIR" && ls web-[0-9]*.core 2>/dev/null); }

# --- core files
stamp=20200101-000000
for other in web-2-$stamp web2-$stamp web-old web-${stamp%?}x xweb-$stamp; do
	: >"$PARVUS_DUMP_DIR/$other.core"
done
before=$(ls "$PARVUS_DUMP_DIR")
P create -q "$work/web.cfg" on_crash=coredump-restart
id=$(P domid web)
crash
first=$(ls -t "$PARVUS_DUMP_DIR" | head -1)
sleep 1
crash
second=$(ls -t "$PARVUS_DUMP_DIR" | head -1)
[[ $first != "$second" && -s $PARVUS_DUMP_DIR/$first ]] || fail "$first, $second"
crash
third=$(ls -t "$PARVUS_DUMP_DIR" | head -1)
[[ $(ls "$PARVUS_DUMP_DIR" | sort) == "$(printf '%s\n' $before "$second" "$third" | sort)" ]] ||
	fail "not the last two, and others': $(ls "$PARVUS_DUMP_DIR")"
rm "$PARVUS_DUMP_DIR/$second" "$PARVUS_DUMP_DIR/$third"

# --- a disk that is nearly full
dd if=/dev/zero of="$PARVUS_DUMP_DIR/others" bs=1M count=50 status=none || exit 99
crash
[[ $(ls "$PARVUS_DUMP_DIR" | grep -v others | sort) == "$(sort <<<"$before")" ]] ||
	fail "a core on a full disk: $(ls -l "$PARVUS_DUMP_DIR")"
log=$PARVUS_LOG_DIR/monitor-web.log
grep -q 'no core file: with [0-9]* MiB more, less than [0-9]* MiB of .* would be free' "$log" ||
	fail "nobody says why: $(cat "$log")"
rm "$PARVUS_DUMP_DIR/others"

# --- the monitor's log, to which programs that it has started write, too
size() { stat -c %s "$1"; }
small() { [[ $(size "$1") -le 1048576 ]]; }
exec 7>>"$log"	# as such a program has it
for ((i = 0; i < 4; i++)); do
	head -c 700000 /dev/zero | tr '\0' "$i" >&7
	P rename web "web-$i"		# something happens that the monitor sees
	P rename "web-$i" web
	until_true small "$log"
done
until_true test -s "$log.1"
[[ $(size "$log.1") -le 2000000 ]] || fail "$log.1: $(size "$log.1") bytes"
echo "the end" >&7
[[ $(tail -1 "$log") == *"the end" ]] || fail "what is written after that is lost"
exec 7>&-

# --- and the console's
head -c 65536 /dev/zero | tr '\0' c >"$work/said"
for ((i = 0; i < 50; i++)); do G web say "$(cat "$work/said")"; done
until_true test -s "$PARVUS_LOG_DIR/console-web.log.1"
for f in "$PARVUS_LOG_DIR"/console-web.log*; do
	[[ $(size "$f") -le 1048576 ]] || fail "$f: $(size "$f") bytes"
done
P destroy web
clean
exit 0
