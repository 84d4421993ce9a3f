# SPDX-License-Identifier: GPL-2.0-only
# What tests of the toolstack against a hypervisor that is a file share: the sanitized parvus, a
# configuration, and what its guest would do.
. tests/system/lib.bash
parvus=$(realpath "$O/tests/tools/parvus-fake")
guest_bin=$(realpath "$O/tests/tools/fake_guest")
PARVUS_MONITOR=$(realpath "$O/tests/tools/monitor-fake")
export PARVUS_MONITOR
[[ -x $parvus && -x $PARVUS_MONITOR && -x $guest_bin ]] ||
	{ echo "no $parvus: make tests-built"; exit 99; }
export PARVUS_FAKE=$work/fake PARVUS_RUN_DIR=$work/run PARVUS_LOG_DIR=$work/log
export PARVUS_DUMP_DIR=$work/dump PARVUS_LIB_DIR=$work/lib
pids() { cat "$PARVUS_RUN_DIR"/domains/*/pid 2>/dev/null; }
trap 'kill $(pids) 2>/dev/null; sleep 0.1; rm -rf "$work"' EXIT

G() { "$guest_bin" "$@" || fail "fake_guest $*: $?"; }
P() { "$parvus" "$@" 2>"$work/err" || fail "parvus $*: status $?: $(cat "$work/err")"; }
bad() { # TEXT ARG...: one line with TEXT, status 1
	local text=$1 rc
	shift
	"$parvus" "$@" >"$work/out" 2>"$work/err" </dev/null
	rc=$?
	[[ $rc == 1 && $(wc -l <"$work/err") == 1 && $(cat "$work/err") == "parvus: "*"$text"* ]] ||
		fail "parvus $*: status $rc: $(cat "$work/err"), not: $text"
}
until_true() { # COMMAND...: within 60 s: a domain that ends often is restarted ever later
	local i
	for ((i = 0; i < 1200; i++)); do
		"$@" && return 0
		sleep 0.05
	done
	fail "never: $* ($("$parvus" list; cat "$PARVUS_LOG_DIR"/monitor-* 2>/dev/null))"
}
count() { [[ $("$guest_bin" - count) == "$1" ]]; }
no_folders() { [[ -z $(ls "$PARVUS_RUN_DIR/domains" 2>/dev/null) ]]; }
clean() { until_true count 0; until_true no_folders; }
state() { [[ $("$parvus" list "$1" 2>/dev/null | awk 'NR == 2 { print $5 }') == "$2" ]]; }

# a small kernel that has the note, and a ramdisk
mkdir -p "$PARVUS_LIB_DIR"
cp "$O/tests/guest/idle" "$work/kernel" || exit 99
cp "$work/kernel" "$PARVUS_LIB_DIR/vmlinuz"
mkdir "$work/root"
echo content >"$work/root/file"
(cd "$work/root" && echo file | cpio -o -H newc --quiet) >"$PARVUS_LIB_DIR/initramfs.cpio"
cat >"$work/web.cfg" <<END
name = "web"
kernel = "$work/kernel"
ramdisk = '$PARVUS_LIB_DIR/initramfs.cpio'
memory = 32	# MiB
vcpus = 1; maxvcpus = 2
cpus = "0"
cpu_weight = 0x200
root = "/dev/xvda1"
extra = "ro"
END
