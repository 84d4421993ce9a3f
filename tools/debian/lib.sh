# SPDX-License-Identifier: GPL-2.0-only
# What debian-image, debian-disk and debian-host share: Debian 12 by mmdebstrap, made anew only when
# a script, or a file that goes into the result, has changed. Needs root, or an ordinary user who
# has ids of his own (/etc/subuid), and no loop devices.

# debian_user "$0" "$@": the files of a Debian belong to some twenty users. Who is not root has
# ids for them in a user namespace, where the whole script runs: making, packing, removing.
debian_user() {
	[ "$(id -u)" != 0 ] || return 0
	me=$(id -un)
	if ! command -v newuidmap >/dev/null || ! grep -qsE "^($me|$(id -u)):" /etc/subuid; then
		echo "${1##*/}: $me is not root: newuidmap (Debian: uidmap) and lines of $me in" \
			"/etc/subuid and /etc/subgid are needed" >&2
		exit 1
	fi
	exec unshare --user --map-root-user --map-auto --mount --pid --fork --kill-child \
		--mount-proc "$@"
}

# debian_begin NAME OUT FILE...: ends the script if OUT is there and was made from these
# files; else $dir is an empty folder that goes with the script.
debian_begin() {
	name=$1 out=$2
	shift 2
	for f in mmdebstrap $needs; do
		command -v $f >/dev/null || { echo "$name: $f is missing: tools/deps debian" >&2; exit 1; }
	done
	key=$(cat "$@" | sha256sum | cut -c1-16)
	[ -r "$out" ] && [ "$(cat "$out.key" 2>/dev/null)" = "$key" ] && exit 0
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	chmod 755 "$dir"
	echo "  DEBIAN  $out (a few minutes)"
}

# debian_root VARIANT PACKAGES: the system in $dir/root, without manuals, translations and what
# apt keeps
debian_root() {
	sources=
	for f in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
		[ -s "$f" ] && sources=$f && break
	done
	mmdebstrap --quiet --variant="$1" --include="$2" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		$(for f in /etc/apt/apt.conf.d/99*; do [ -r "$f" ] && echo "--aptopt=$f"; done) \
		bookworm "$dir/root" $sources >"$dir/log" 2>&1 ||
		{ tail -5 "$dir/log" >&2; echo "$name: mmdebstrap failed" >&2; exit 1; }
	rm -rf "$dir"/root/var/cache/apt/* "$dir"/root/var/lib/apt/lists/*
}

# debian_login: root comes in without a password
debian_login() {
	echo parvus >"$dir/root/etc/hostname"
	sed -i 's/^root:[^:]*:/root::/' "$dir/root/etc/shadow"
}

# debian_end FILE: FILE becomes OUT
debian_end() {
	mv "$1" "$out"
	echo "$key" >"$out.key"
}
