# SPDX-License-Identifier: GPL-2.0-only
# parvus image-info: a stream made by another program, as docs/life-cycle.md says, is shown; through
# a pipe too, and by the static command; cut, flipped, prolonged or no stream, it is refused with
# one line that names the place.
. tests/system/lib.bash
parvus=$O/tools/parvus
[[ -x $parvus ]] || { echo "no $parvus: make tools"; exit 99; }

cat >"$work/make" <<'END'
import hashlib, struct, sys
def crc32c(data):
    c = 0xffffffff
    for byte in data:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
    return c ^ 0xffffffff
out = heads = b"\x89PARVUS\n" + struct.pack("<II", 1, 4096)
records = 0
def add(kind, body, flags=1):
    global out, heads, records
    head = struct.pack("<HHI", kind, flags, len(body))
    head += struct.pack("<I", crc32c(head + body))
    out += head + body
    heads += head
    records += 1
config = b"name = 'web'\nkernel = '/boot/vmlinuz'\nmemory = 64\n"
page = bytes(range(256)) * 16
add(1, struct.pack("<IIII", 1, 8, 1, 0) + bytes(8) + struct.pack("<6I", 1, 0, 2, 3, 4, 5))
add(2, config)
add(3, struct.pack("<QQQQIIIIII", 0x8000, 0x4000, 0x4000, 0x3000, 2, 0, 5, 7, 3, 0))
add(4, struct.pack("<QIIQII", 0, 512, 2, 512, 1024, 1))
add(0x4321, b"what nobody knows", 0)
add(5, struct.pack("<QII", 510, 2, 0) + page + page[::-1])
add(5, struct.pack("<QII", 510, 1, 0) + page[::-1])
add(6, b"web login: ")
add(7, struct.pack("<II", 1, 0) + b"context")
add(8, struct.pack("<QQQ", records, len(out), 3) + hashlib.sha256(heads).digest())
sys.stdout.buffer.write(out)
END
python3 "$work/make" >"$work/web.sav" || exit 99
bytes=$(stat -c %s "$work/web.sav")

for p in "$parvus" "$parvus-static"; do
	"$p" image-info "$work/web.sav" >"$work/out" 2>"$work/err" || fail "$p: $(cat "$work/err")"
	[[ ! -s $work/err ]] || fail "$p says $(cat "$work/err")"
	for line in 'name +web' 'format +version 1, ABI 1' 'vcpus +2' \
		'memory +48 MiB of 64 at most' 'frames +512, and 1024 not touched' \
		'pages +3 in 12288 bytes' 'console +11 bytes' \
		"records +10 in $bytes bytes" 'whole +yes, [0-9a-f]{64}'; do
		grep -qE "^$line\$" "$work/out" || fail "no $line: $(cat "$work/out")"
	done
	cat "$work/web.sav" | "$p" image-info --json - >"$work/out" || fail "a pipe"
	python3 - "$work/out" <<'END' || fail "as JSON: $(cat "$work/out")"
import json, sys
o = json.load(open(sys.argv[1]))
assert o["name"] == "web" and o["pages"] == 3 and o["passed_over"] == 1, o
assert o["config"].endswith("memory = 64\n") and o["demand_frames"] == 1024, o
END
done
tail -c 32 "$work/web.sav" | od -An -tx1 | tr -d ' \n' >"$work/sum"
"$parvus" image-info "$work/web.sav" | grep -q "yes, $(cat "$work/sum")$" || fail "the sum"

bad() { # TEXT FILE: one line with TEXT, status 1, nothing shown
	"$parvus" image-info "$2" >"$work/out" 2>"$work/err" </dev/null
	[[ $? == 1 && $(wc -l <"$work/err") == 1 && ! -s $work/out &&
		$(cat "$work/err") == "parvus: "*"$1"* ]] || fail "$2: $(cat "$work/err"), not: $1"
}
for n in 0 7 15; do
	head -c $n "$work/web.sav" >"$work/a"
	bad "$n bytes" "$work/a"
done
for n in 16 27 28 100 $((bytes - 1)); do
	head -c "$n" "$work/web.sav" >"$work/a"
	bad "the stream ends after" "$work/a"
done
cp "$work/web.sav" "$work/a"
printf x >>"$work/a"
bad "something follows its end at byte $bytes" "$work/a"
cp "$work/web.sav" "$work/a"
printf x | dd of="$work/a" bs=1 seek=700 conv=notrunc status=none
bad "record 5 (PAGES) at byte" "$work/a"
bad "standard input holds no saved domain" -
bad "is a directory" "$work"
bad "cannot open $work/none: No such file" "$work/none"
bad 'cannot open "": No such file' ""
# a configuration that is none is shown all the same, and said to be none
sed -i 's/^config = .*/config = b"name = ["/' "$work/make"
python3 "$work/make" >"$work/a" || exit 99
"$parvus" image-info "$work/a" >"$work/out" 2>"$work/err" || fail "a configuration that is none"
grep -q '^name  *-$' "$work/out" && grep -q '^parvus: warning: CONFIG' "$work/err" ||
	fail "a configuration that is none: $(cat "$work/out" "$work/err")"
exit 0
