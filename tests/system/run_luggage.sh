# SPDX-License-Identifier: GPL-2.0-only
# parvus run --env and --copy-in: what the command finds, in the words of its shell, files with
# their modes and the folders above them; and what cannot be there is told before anything is made.
. tests/system/fake.bash
printf 'one\ntwo' >"$work/data"
printf '#!/bin/sh\n' >"$work/it is"
chmod 755 "$work/it is"
chmod 640 "$work/data"
: >"$work/empty"
cd "$work" || exit 99
"$parvus" run -m 32 -n r --env A=b --env "B=it's \$A" --copy-in data \
	--copy-in "it is:/opt/a b/run" --copy-in "$work/empty:/etc/empty" \
	-- "a b" c >"$work/out" 2>"$work/err" &
run=$!
G r wait >/dev/null
[[ $(G r file cmd) == $'export \'A=b\'\nexport \'B=it\'\\\'\'s $A\'\n\'a b\' \'c\'' ]] ||
	fail "$(G r file cmd)"
[[ $(G r file root/data) == $'one\ntwo' && $(G r file "opt/a b/run") == '#!/bin/sh' ]] ||
	fail "files"
# as cpio reads it, from the domain's memory: modes, and folders ahead of what is in them
P dump-core r "$work/core"
python3 - "$work/core" >"$work/cpio" <<'END'
import sys
data = open(sys.argv[1], "rb").read()
at = data.rfind(b"root/data\0")
at = data.rfind(b"root\0", 0, at) - 110
sys.stdout.buffer.write(data[at:at + 8192])
END
cpio -itv --quiet <"$work/cpio" 2>&1 |
	awk '{ $2 = $3 = $4 = $6 = $7 = $8 = ""; print }' | tr -s ' ' >"$work/list"
diff - "$work/list" <<'END' || fail "the archive"
drwx------ 0 root
-rw-r----- 7 root/data
drwxr-xr-x 0 opt
drwxr-xr-x 0 opt/a b
-rwxr-xr-x 10 opt/a b/run
drwxr-xr-x 0 etc
-rw-r--r-- 0 etc/empty
-rw------- 45 cmd
END
G r poweroff 5
wait $run
[[ $? == 5 && ! -s $work/err ]] || fail "status: $(cat "$work/err")"

# --- what cannot be
mkdir "$work/in" && cd "$work/in" || exit 99
badrun() { # TEXT ARG...
	local text=$1
	shift
	"$parvus" run -m 32 "$@" true >/dev/null 2>"$work/err" && fail "run $*: status 0"
	[[ $(wc -l <"$work/err") == 1 && $(cat "$work/err") == "parvus: "*"$text"* ]] ||
		fail "run $*: $(cat "$work/err"), not: $text"
}
badrun "cannot open none: No such file" --copy-in none
badrun "is no regular file" --copy-in "$work"
badrun "is no regular file" --copy-in /dev/zero
for path in x /tmp/x /run /dev/x /a/../b /a//b /a/ / ""; do
	badrun "--copy-in $work/data:$path: FILE:PATH is expected" --copy-in "$work/data:$path"
done
truncate -s 65M "$work/large"
badrun "large is larger than 64 MiB" --copy-in "$work/large"
many=()
for ((i = 0; i < 65; i++)); do many+=(--env "A$i=1"); done
badrun "--env A64=1: one more than 64" "${many[@]}"
count 0 || fail "a domain is left"
exit 0
