# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# A pair of drivers out of the tree, from an empty folder, as docs/driver-guide.md says: the program
# with what make install puts down and pkg-config finds, against the shared library and the static
# one, and the modules with the kernel's headers, where there are.
. tests/system/lib.bash
command -v pkg-config >/dev/null || { echo "no pkg-config"; exit 77; }
root=$work/root
make -s install O="$(realpath "$O")" DESTDIR="$root" >"$work/log" 2>&1 ||
	fail "install: $(tail -3 "$work/log")"
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$root/usr/lib/pkgconfig
mkdir "$work/empty"
cp pv-drivers/skeleton/{entropy.h,entropy_ops.h,entropy-server.c,entropy_front.c,entropy_back.c} \
	"$work/empty"
cd "$work/empty" || exit 99
# shellcheck disable=SC2046
cc -Wall -Wextra -Werror -o entropy-server entropy-server.c \
	$(pkg-config --cflags --libs libparvus) ||
	fail "against the shared library"
LD_LIBRARY_PATH=$root/usr/lib ./entropy-server x 2>"$work/err" && fail "status 0"
[[ $(cat "$work/err") == *"usage: entropy-server [--device ID]"* ]] || fail "$(cat "$work/err")"
[[ $(LD_LIBRARY_PATH=$root/usr/lib ldd entropy-server) == *"$root/usr/lib/libparvus.so.0"* ]] ||
	fail "not the library that was installed"
# shellcheck disable=SC2046
cc -static -o entropy-static entropy-server.c $(pkg-config --static --cflags --libs libparvus) ||
	fail "against the static library"
./entropy-static x 2>/dev/null && fail "status 0"

cd - >/dev/null || exit 99
[[ -r $O/linux-headers/.config ]] ||
	{ echo "no $O/linux-headers: the modules were not tried"; exit 0; }
headers=$(realpath "$O/linux-headers")
cd "$work/empty" || exit 99
echo 'obj-m := entropy_front.o entropy_back.o' >Kbuild
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$headers" M="$PWD" O= modules >"$work/log" 2>&1 ||
	fail "modules: $(tail -5 "$work/log")"
for f in front back; do
	[[ $(modinfo -F alias "entropy_$f.ko") == parvus:* ]] || fail "entropy_$f.ko has no alias"
done
exit 0
