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
