# SPDX-License-Identifier: GPL-2.0-only
# parvus run --env and --copy-in: what the command finds, in the words of its shell, files with
# their modes and the folders above them; --disk and --network, and --copy-out, whose part in the
# domain is run here by a shell; and what cannot be there is told before anything is made.
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

# --- disks and interfaces: the domain's alone, and gone with it
devices() { [[ $("$guest_bin" - devices) == "$1" ]]; }
loops() { [[ $("$guest_bin" - loops) == "$1" ]]; }
nothing() { clean; until_true devices 0; until_true loops 0; }
touch "$PARVUS_FAKE/bridge-br0" "$PARVUS_FAKE/blk-3"
truncate -s 1M "$work/a.img"
cat >"$work/block-x" <<'END'
#!/bin/sh
echo "$1" >>"$(dirname "$0")/log"
echo "$XENBUS_PATH/physical-device 8:1" >>"$PARVUS_STORE"
END
chmod 755 "$work/block-x"
"$parvus" run -m 32 -n r --disk a.img,raw,xvda,w --disk "phy:$PARVUS_FAKE/blk-3,xvdb,r" \
	--disk "vdev=xvdc,script=$work/block-x,target=x" \
	--network '' --network mac=02:00:00:00:00:07,bridge=br0 true 2>"$work/err" &
run=$!
G r wait >/dev/null
devices 5 || fail "devices: $("$guest_bin" - devices)"
[[ $(G r disk 0) == "7 "*" 0 0 0 xvda " && $(G r disk 1) == "8 3 1 0 0 xvdb " ]] || fail "disks"
[[ $(G r vif 0 | tr '\n' ' ') == *"br0 1 " && $(G r vif 1) == 02:00:00:00:00:07* ]] || fail "vifs"
bad "a.img is in use by domain r as xvda" create "$work/web.cfg" "disk=['$work/a.img,raw,xvda,w']"
P list -v r | grep -q "no monitor" && fail "list -v: $(P list -v r)"
G r poweroff 3
wait $run
[[ $? == 3 && ! -s $work/err ]] || fail "run with disks: $(cat "$work/err")"
[[ $(cat "$work/log") == "add"$'\n'"remove" ]] || fail "its script: $(cat "$work/log")"
nothing
# killed: the next create takes away what it left
"$parvus" run -m 32 -n r --disk a.img,raw,xvda,w --network '' true 2>"$work/err" &
run=$!
G r wait >/dev/null
kill -9 $run
wait $run 2>/dev/null
until_true count 0
P create -q "$work/web.cfg" "disk=['$work/a.img,raw,xvda,w']"
P destroy web
nothing

# --- files that come out: the script in the domain does its part, on the disk that is there
in_domain() { # STATUS: what /cmd does there, but for the names of the disk and of the command
	local at
	until_true eval '[[ -n $("$parvus" block-list r 2>/dev/null | grep xvdz) ]]'
	at=$(P block-list r | awk '$1 == "xvdz" { print $NF }')
	[[ $at == /proc/$run/fd/* ]] || fail "the disk for files: $(P block-list r)"
	G r file command >"$work/command"
	G r file cmd | sed -e "s|} >/dev/xvdz|} 1<>$at|" -e 's|! -b /dev/xvdz|-z x|' \
		-e "s|sh /command|sh $work/command|" >"$work/there.sh"
	(cd "$work/there" && sh "$work/there.sh" >"$work/said" 2>&1)
	[[ $? == "$1" ]] || fail "in the domain: $(cat "$work/said")"
	G r poweroff "$1"
}
mkdir "$work/there" "$work/in"
head -c 100000 /dev/urandom >"$work/there/random"
: >"$work/there/nothing"
"$parvus" run -m 32 -n r --copy-out result --copy-out "$work/there/random:$work/in/r n" \
	--copy-out nothing --copy-out none --copy-out prog:p -- \
	sh -c 'echo done >result; echo x >prog; chmod 755 prog; exit 127' 2>"$work/err" &
run=$!
in_domain 127
wait $run
[[ $? == 127 ]] || fail "status: $(cat "$work/err")"
[[ $(cat "$work/err") == "parvus: run: --copy-out none: there is no file none in the domain" ]] ||
	fail "$(cat "$work/err")"
[[ $(cat result) == "done" && -x p && ! -x result && -e nothing && ! -s nothing ]] ||
	fail "what came out: $(ls -l)"
cmp "$work/there/random" "$work/in/r n" || fail "another file came out"
nothing
# the domain lies
for head in 'file 99999999999 -' 'file -1 -' 'file' 'elif 1 x' $'\x01\x02'; do
	"$parvus" run -m 32 -n r --copy-out lie true 2>"$work/err" &
	run=$!
	until_true eval '[[ -n $("$parvus" block-list r 2>/dev/null | grep xvdz) ]]'
	printf '%-63s\n' "$head" 1<>"$(P block-list r | awk '$1 == "xvdz" { print $NF }')"
	G r poweroff 0
	wait $run
	[[ $? == 125 && $(cat "$work/err") == *"--copy-out lie: the domain has not given it" ]] ||
		fail "$head: $(cat "$work/err")"
	[[ ! -e lie ]] || fail "a lie became a file"
done
# a second file that goes beyond the end of the disk
"$parvus" run -m 32 -n r --copy-out x --copy-out lie true 2>"$work/err" &
run=$!
until_true eval '[[ -n $("$parvus" block-list r 2>/dev/null | grep xvdz) ]]'
at=$(P block-list r | awk '$1 == "xvdz" { print $NF }')
printf '%-63s\n' 'file 67108864 -' 1<>"$at"
printf '%-63s\n' 'file 67108864 -' | dd of="$at" bs=64 seek=1048577 conv=notrunc status=none
G r poweroff 0
wait $run
[[ $? == 125 && $(cat "$work/err") == *"--copy-out lie: the domain has not given it" ]] ||
	fail "beyond the end: $(cat "$work/err")"
[[ $(stat -c %s x) == 67108864 && ! -e lie ]] || fail "beyond the end: $(ls -l)"
rm x
# it does not come to it
"$parvus" run -m 32 -n r --copy-out lie true 2>"$work/err" &
run=$!
until_true eval '[[ -n $("$parvus" block-list r 2>/dev/null | grep xvdz) ]]'
G r crash
wait $run
[[ $? == 126 && $(wc -l <"$work/err") == 1 ]] || fail "crash: $(cat "$work/err")"
nothing

# --- what cannot be
cd "$work/in" || exit 99
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
for what in "" x: :x x/ x:y/ /; do
	badrun "--copy-out $what: PATH or PATH:FILE is expected" --copy-out "$what"
done
badrun "xvda and sda are the same disk" --disk a.img,raw,xvda,w --disk b.img,raw,sda,w
badrun "xvdz and sdz1 are the same disk, or one is a part of the other (files come out on xvdz)" \
	--copy-out x --disk a.img,raw,sdz1,w
badrun "cannot open $PWD/none" --disk none,raw,xvda,w
badrun "no vdev is given" --disk none
badrun "there is no bridge br9" --network bridge=br9
badrun "unknown key" --network frob=1
many=()
for ((i = 0; i < 17; i++)); do many+=(--network ''); done
badrun "--network : one more than 16" "${many[@]}"
nothing
exit 0
