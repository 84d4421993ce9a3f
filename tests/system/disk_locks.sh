# SPDX-License-Identifier: GPL-2.0-only
# A file that a program of this machine has locked is refused at once, by a line that names the
# program; one that another machine has is waited for, for as long as a monitor takes to let go.
. tests/system/fake.bash
mkdir -p "$PARVUS_FAKE/proc/77" "$PARVUS_FAKE/proc/self"
"$parvus" list >/dev/null || fail list
truncate -s 1M "$work/a.img"
P create -q "$work/web.cfg"

took() { # SECONDS FROM TO: of the attempt, in tenths
	local from=${EPOCHREALTIME/./} tenths
	bad "$3" block-attach web "$work/a.img,raw,xvdb,w"
	tenths=$(((${EPOCHREALTIME/./} - from) / 100000))
	((tenths >= $1 && tenths <= $2)) || fail "$3: $tenths tenths of a second"
}
exec 8<"$work/a.img"
flock 8
read -r major minor inode < <(stat -c '%Hd %Ld %i' "$work/a.img")
printf '%u: FLOCK  ADVISORY  WRITE %u %02x:%02x:%u 0 EOF\n' \
	1 76 "$major" "$minor" $((inode + 1)) 2 77 "$major" "$minor" "$inode" \
	>"$PARVUS_FAKE/proc/locks"
echo qemu-img >"$PARVUS_FAKE/proc/77/comm"
took 0 30 "xvdb: $work/a.img is locked by qemu-img (process 77) (access=rw! shares it)"
# a monitor that lets go of it has the time to
echo monitor-fake >"$PARVUS_FAKE/proc/77/comm"
echo monitor-fake >"$PARVUS_FAKE/proc/self/comm"
took 45 100 "a.img is locked by monitor-fake (process 77) (access=rw! shares it)"
: >"$PARVUS_FAKE/proc/locks"
took 45 100 "a.img is locked by another machine (access=rw! shares it)"
(sleep 2; flock -u 8) &
P block-attach web "$work/a.img,raw,xvdb,w"
P destroy web
clean
exit 0
