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
xen_tools=(xen-tools libconfig-inifiles-perl libdata-validate-domain-perl libdata-validate-ip-perl
	libdata-validate-uri-perl libfile-slurp-perl libfile-which-perl libsort-versions-perl
	libtext-template-perl libnet-domain-tld-perl libnetaddr-ip-perl liblog-message-perl
	liblog-message-simple-perl libterm-ui-perl)
rooted() { # links in a root of today
	local d
	for d in bin sbin lib lib64; do
		[[ -d $work/debs/$d ]] && cp -a "$work/debs/$d/." "$work/debs/usr/$d/" &&
			rm -r "$work/debs/${d:?}"
	done
	return 0
}
bed() { # COMMAND...: with what the packages have, and where all may be written
	unshare --mount bash -c '
		mount -t tmpfs tmpfs "$0/over" && mount -t tmpfs tmpfs /run &&
			mkdir /run/resource-agents || exit 99
		for d in usr etc var; do
			mkdir -p "$0/over/$d/up" "$0/over/$d/work" "$0/debs/$d" &&
				mount -t overlay overlay "/$d" -o "lowerdir=$0/debs/$d:/$d" -o \
				"upperdir=$0/over/$d/up,workdir=$0/over/$d/work" || exit 99
		done
		exec "$@"' "$work" "$@"
}
