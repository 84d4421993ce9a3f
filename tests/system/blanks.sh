# SPDX-License-Identifier: GPL-2.0-only
# Blanks, quotes and brackets in each path that the tools take: configurations, kernels, ramdisks,
# disks, media, core files, files that go into a domain, and the folders of the toolstack itself.
. tests/system/fake.bash
at="$work/a b's [c] \$x;&"
mkdir -p "$at/lib" "$at/run" "$at/log" "$at/dump"
export PARVUS_RUN_DIR=$at/run PARVUS_LOG_DIR=$at/log PARVUS_DUMP_DIR=$at/dump PARVUS_LIB_DIR=$at/lib
cp "$work/kernel" "$at/a kernel"
cp "$work/kernel" "$at/lib/vmlinuz"
cp "$work/lib/initramfs.cpio" "$at/lib/"
cp "$work/lib/initramfs.cpio" "$at/a ramdisk"
truncate -s 1M "$at/a disk.img" "$at/b disk.img" "$at/c d.iso"
cat >"$at/a web.cfg" <<END
name = "web"
kernel = "$at/a kernel"
ramdisk = "$at/a ramdisk"
memory = 32
disk = [ "vdev=xvda,target=$at/a disk.img", "devtype=cdrom,vdev=xvdc" ]
END

P create -q "$at/a web.cfg" on_crash=preserve
[[ $(P list -l web) == *"$at/a kernel"*"$at/a ramdisk"* ]] || fail "$(P list -l web)"
[[ $(P block-list web) == *"$at/a disk.img"* ]] || fail "its disk: $(P block-list web)"
P block-attach web vdev=xvdb "target=$at/b disk.img"
P cd-insert web xvdc "$at/c d.iso"
[[ $(P block-list web) == *"$at/c d.iso"*"$at/b disk.img"* ]] || fail "$(P block-list web)"
P dump-core web "$at/a core"
[[ -s "$at/a core" ]] || fail "no core file"
cp "$at/a web.cfg" "$at/other one"
P config-update web "$at/other one" memory=24
bad "$at/a disk.img is in use" create "$at/a web.cfg" name=two
# again, from what was written down of it, by a monitor of its own
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) == [2-9] ]]'
[[ $(P list -l web) == *"memory = 24"*"$at/b disk.img"* ]] ||
	fail "after a reboot: $(P list -l web)"
P destroy web
clean

cd "$at" || exit 99
printf 'x y' >"a file"
"$parvus" run -m 32 -n r -k "a kernel" -r "a ramdisk" --copy-in "a file" \
	--copy-in "$at/a file:/opt/b c" --disk "vdev=xvda,target=$at/a disk.img" true \
	2>"$work/err" &
run=$!
G r wait >/dev/null
[[ $(G r file "root/a file") == "x y" && $(G r file "opt/b c") == "x y" ]] || fail "files"
G r poweroff 0
wait $run || fail "run: $(cat "$work/err")"
clean

# what is not there is named whole
bad "$at/no kernel" create "$at/a web.cfg" "kernel=\"$at/no kernel\""
bad "$at/no ramdisk" create "$at/a web.cfg" "ramdisk=\"$at/no ramdisk\""
bad "$at/no disk" create "$at/a web.cfg" "disk=[\"vdev=xvda,target=$at/no disk\"]"
bad "$at/no web.cfg" create "$at/no web.cfg"
P create -q "$at/a web.cfg"
bad "$at/no file" cp "$at/no file" web:/x
bad "cannot write $at/none/a core" dump-core web "$at/none/a core"
P destroy web
clean
exit 0
