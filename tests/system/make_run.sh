# SPDX-License-Identifier: GPL-2.0-only
# What is in the archives of "make run", whoever makes them: folders and programs that all may use,
# also under a umask that would keep them to one; entries of the terminals that "parvus top" is told
# of, with no others beside. system/demo sits at that machine's terminal.
. tests/system/fake.bash

[[ -r $O/domain0.cpio ]] || { echo "no $O/domain0.cpio: make domain0"; exit 99; }
(umask 077 && tools/mkinitramfs "$work/initramfs.cpio" && tools/mkdomain0 "$work/domain0.cpio") ||
	fail "the archives"
mkdir "$work/tree"
# two archives, one behind the other, as Linux reads them
(cd "$work/tree" && { cpio -idm --quiet --no-absolute-filenames &&
	cpio -idm --quiet --no-absolute-filenames; } <"$work/domain0.cpio" 2>"$work/err") ||
	fail "cpio: $(cat "$work/err")"
for f in init bin/busybox usr/sbin/parvus etc/parvus/demo; do
	[[ -x $work/tree/$f ]] || fail "$f is not there, or no program"
done
{ cpio -itv && cpio -itv; } <"$work/domain0.cpio" >"$work/list" 2>"$work/err" || fail "cpio -it"
[[ $(awk '$NF == "." { print $1 }' "$work/list") == drwxr-xr-x$'\n'drwxr-xr-x ]] ||
	fail "/ is $(awk '$NF == "."' "$work/list")"
odd=$(find "$work/tree" -type d ! -perm 755 -o -type f ! -perm -444 -o -perm /022 ! -type l)
[[ -z $odd ]] || fail "not for all: $(echo "$odd" | while read -r f; do stat -c '%a %n' "$f"; done)"

# --- each terminal of the list, where nothing but the archive knows of terminals
program pty
terminals=$(cd "$work/tree/lib/terminfo" && echo ?/*)
[[ $(wc -w <<<"$terminals") -ge 8 && " $terminals " == *" l/linux "*" v/vt100 "* ]] ||
	fail "terminals: $terminals"
shown() { # TERMINAL
	timeout 25 unshare --mount bash -c '
		for d in /lib/terminfo /usr/share/terminfo /etc/terminfo; do
			[ ! -d "$d" ] || mount -t tmpfs none "$d" || exit 99
		done
		mount --bind "$0" /lib/terminfo || exit 99
		TERM=$1 exec "$2" "$3" top -n 1 </dev/null' "$work/tree/lib/terminfo" "$1" \
		"$O/tests/prog/pty" "$parvus" >"$work/top-$1" 2>&1 &&
		[[ $(cat "$work/top-$1") == *Domain-0* ]]
}
for t in $terminals; do
	shown "${t#*/}" && touch "$work/shown-${t#*/}" &
done
wait
grep -q "^Domain-0 " "$work/top-dumb" || fail "top with TERM=dumb: $(cat -v "$work/top-dumb")"
for t in $terminals; do
	[[ -e $work/shown-${t#*/} ]] ||
		fail "top with TERM=${t#*/}: $(cat -v "$work/top-${t#*/}")"
done
exit 0
