# SPDX-License-Identifier: GPL-2.0-only
# An ordinary user makes a Debian (make debian): the files of the system's many users are made,
# packed and removed again without a word. What mmdebstrap would make is a small stand-in with
# files of two users here. And one without ids of his own is told by one line what is missing.
. tests/system/lib.bash
for p in newuidmap unshare cpio setpriv; do
	command -v $p >/dev/null || { echo "no $p"; exit 77; }
done
[[ $(id -u) == 0 ]] || { echo "root plays the ordinary user"; exit 77; }
setpriv --reuid nobody --regid nogroup --clear-groups unshare --user --mount --pid --fork true \
	2>/dev/null || { echo "no user namespaces here"; exit 77; }

chmod 755 "$work"
mkdir "$work/bin" "$work/tmp" "$work/out"
cat >"$work/bin/mmdebstrap" <<'END'
#!/bin/sh
for d; do
	case $d in */root) r=$d ;; esac
done
mkdir -p "$r/etc" "$r/var/lib/apt/lists/partial" "$r/usr/share/icons" || exit
echo si::sysinit:/etc/init.d/rcS >"$r/etc/inittab"
echo 'root:*:19000:0:99999:7:::' >"$r/etc/shadow"
echo postgres >"$r/etc/postgres"
chown 0:42 "$r/etc/shadow" && chown 100:65534 "$r/var/lib/apt/lists/partial" &&
	chown 105:110 "$r/etc/postgres" && chmod 700 "$r/var/lib/apt/lists/partial" &&
	touch "$r/var/lib/apt/lists/partial/x"
END
chmod 755 "$work/bin/mmdebstrap"
chown nobody:nogroup "$work/out" "$work/tmp"
echo nobody:300000:65536 >"$work/ids"
: >"$work/none"

user() { # IDS COMMAND...: with that as /etc/subuid and /etc/subgid, which nobody else sees
	unshare --mount sh -c 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid &&
		exec setpriv --reuid nobody --regid nogroup --clear-groups \
		env TMPDIR='"$work/tmp"' PATH='"$work/bin:$PATH"' "$@"' "$@"
}

user "$work/ids" tools/debian-image "$work/out/debian.cpio" >"$work/said" 2>"$work/err" ||
	fail "status $?: $(head -3 "$work/err")"
[[ ! -s $work/err && $(cat "$work/said") == "  DEBIAN  "* ]] ||
	fail "it says $(wc -l <"$work/err") lines: $(head -3 "$work/err")"
[[ -z $(ls -A "$work/tmp") ]] || fail "left behind: $(find "$work/tmp" | head -5)"
[[ $(stat -c %U "$work/out/debian.cpio") == nobody ]] || fail "the image is another's"
cpio -itv --quiet <"$work/out/debian.cpio" >"$work/list" || fail "no archive"
grep -q ' etc/postgres$' "$work/list" || fail "$(cat "$work/list")"
user "$work/ids" tools/debian-image "$work/out/debian.cpio" >"$work/said" || fail "again"
[[ ! -s $work/said ]] || fail "made again: $(cat "$work/said")"

for f in image disk host; do
	user "$work/none" "tools/debian-$f" "$work/out/x" >"$work/said" 2>"$work/err" &&
		fail "no ids"
	[[ $(cat "$work/err") == "debian-$f: nobody is not root: newuidmap (Debian: uidmap) and"* &&
		$(wc -l <"$work/err") == 1 && ! -s $work/said ]] ||
		fail "debian-$f: $(cat "$work/err")"
done
exit 0
