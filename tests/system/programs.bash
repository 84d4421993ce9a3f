# SPDX-License-Identifier: GPL-2.0-only
# What tests share in which programs of Debian drive xl: their packages below $work/debs, an xl that
# is ours, a bridge, and guests that do what they are asked for.
. tests/system/fake.bash
mkdir -p "$PARVUS_FAKE" "$work/bin"
touch "$PARVUS_FAKE/bridge-br0"
ln -s "$parvus" "$work/bin/xl"

debs() { # PACKAGE...: unpacked, not installed
	(cd "$work" && apt-get download "$@" >/dev/null 2>&1 &&
		for f in *.deb; do dpkg -x "$f" debs && rm "$f"; done) ||
		{ echo "$1 cannot be had"; exit 77; }
}
follow() { # DOMAIN...: they follow requests, until the test ends
	(while sleep 0.2; do
		for name; do
			"$guest_bin" "$name" follow
		done
	done) 2>/dev/null &
	guests=$!
	trap 'kill $guests $(pids) 2>/dev/null; sleep 0.3; rm -rf "$work"' EXIT
}
