# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the scripts of this folder, which stand at the root of the tree: the Linux that is
# built, and where its parts are. A second version is a folder beside linux-6.1: series,
# patches, config, and parvus_compat.h, which hides what differs in the kernel's interfaces.
version=6.1
here=guest-patches/linux-$version	# of this version
common=guest-patches/linux		# new files, for all versions
tarball=/usr/src/linux-source-$version.tar.xz

fail() { echo "${0##*/}: $*" >&2; exit 1; }
[ -r "$tarball" ] || fail "$tarball is missing: apt install linux-source-$version"
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/parvus	# of kernels that were built

# inputs: what goes into each kernel of this tree
inputs() {
	dpkg-query -Wf '${Version}\n' linux-source-$version
	gcc -dumpfullversion; ld --version | head -1
	cat $here/* guest-patches/lib.sh guest-patches/prepare guest-patches/headers
	find $common -type f | LC_ALL=C sort | xargs sha256sum
	sha256sum pv-abi/include/parvus/*.h pv-abi/hypercalls.tbl pv-drivers/linux/*.[ch] \
		pv-drivers/linux/include/linux/*.h pv-drivers/common/*.h pv-drivers/ring/parvus/*.h
}

# same_bytes: from here on nothing of the machine, the user or the time gets into a kernel
same_bytes() {
	export KBUILD_BUILD_USER=parvus KBUILD_BUILD_HOST=parvus KBUILD_BUILD_VERSION=1
	KBUILD_BUILD_TIMESTAMP=$(date -u -d "@${SOURCE_DATE_EPOCH:-1700000000}" \
		'+%a %b %e %H:%M:%S UTC %Y')
	export KBUILD_BUILD_TIMESTAMP
	unset MAKEFLAGS MFLAGS MAKEOVERRIDES	# an O= of our make is not the kernel's
}

# compile TREE LOG STEPS TARGET...: a line that moves on a terminal, one per 500 steps elsewhere
compile() {
	compile_tree=$1 compile_log=$2 compile_steps=$3
	shift 3
	{ make -C "$compile_tree" -j"${JOBS:-$(($(nproc) + 1))}" "$@" 2>&1 && echo "BUILD DONE"; } |
		tee -a "$compile_log" |
		awk -v tty="$([ -t 1 ] && echo 1)" -v of="of about $compile_steps" '
			/^  [A-Z]/ { n++ }
			tty && n % 10 == 0 { printf "\r  LINUX   %d steps %s", n, of; fflush() }
			!tty && n % 500 == 0 && n != last {
				print "  LINUX   " n " steps " of
				fflush()
				last = n
			}
			END { if (tty) printf "\r%40s\r", "" }'
	grep -q '^BUILD DONE' "$compile_log" ||
		fail "the kernel does not build, see $compile_log: $(grep -m1 -E 'error|Error' \
			"$compile_log")"
}
