# SPDX-License-Identifier: GPL-2.0-only
# Bad settings give one clear line on stderr and a status that is not 0; nothing is started.
# The command's own status comes through, and ARGS reaches the kernel.
. tests/system/lib.bash

bad() { # NAME=VALUE...: what tools/run says must name the setting
	local err rc name=${1%%=*}
	err=$(env CMD=true "$@" timeout 20 tools/run 2>&1 >/dev/null)
	rc=$?
	[[ $rc != 0 ]] || fail "$*: accepted"
	# QEMU's own words come before ours
	[[ $name != @(QEMU_ARGS|ACCEL) ]] || err=$(tail -1 <<<"$err")
	[[ $(wc -l <<<"$err") == 1 && $err == *"$name"* ]] || fail "$*: says: $err"
}
bad CPUS=0
bad CPUS=two
bad CPUS=256
bad VCPUS=65
bad VCPUS=-1
bad VCPUS=999
bad MEM=lots
bad MEM=1M
bad MEM=99999G
bad CPU=nonsense
# A KVM that interprets ring 0 is none: the machine's own emulator says which instruction it lacks.
ACCEL=kvm CMD=true tools/run >/dev/null 2>&1 || bad ACCEL=kvm
bad BOOT=floppy
bad INITRD=/nonexistent
bad KERNEL=/nonexistent
bad BUNDLE=/nonexistent
bad ICOUNT=shift=11
bad ICOUNT=shift=x
bad TIMEOUT=x
bad INITRD=/dev/zero
bad INITRD="$work"
mkfifo "$work/fifo"
bad KERNEL="$work/fifo"
bad BUNDLE="$work/fifo"
bad HV_ARGS=frobnicate
bad HV_ARGS="debug=1 loud=1"
bad HV_ARGS="loglevel=loud"
bad HV_ARGS="debug"
bad HV_ARGS="de.ug=1"
bad HV_ARGS="debug=calls|1"
bad HV_ARGS="dom0_mem="
HV_ARGS="debug=1 loglevel=debug smt=on isolation=off dom0_mem=min:1G" tools/run --check ||
	fail "HV_ARGS that are right"
bad QEMU_ARGS=-frobnicate
bad ACCEL=frobnicate
# make hands over what is said as it is said, in each of its calls of itself
cat >"$work/run" <<'END'
#!/bin/sh
printf '%s|%s|%s\n' "$CMD" "$ARGS" "$HV_ARGS"
END
chmod 755 "$work/run"
mkdir "$work/tools" && mv "$work/run" "$work/tools/" && sed '/^all:/,$d' Makefile >"$work/makefile"
cat >>"$work/makefile" <<'END'
outer:
	@$(MAKE) -f makefile inner
inner:
	@tools/run
END
said=$(cd "$work" && make -s -f makefile outer CMD='echo $HOME $$ $(id -u) # "x"' \
	ARGS='a$b' HV_ARGS='debug=1')
[[ $said == 'echo $HOME $$ $(id -u) # "x"|a$b|debug=1' ]] || fail "CMD with a \$: $said"
mkdir "$work/a b" && cp "$work/makefile" "$work/a b/"
(cd "$work/a b" && make -f makefile inner) >"$work/out" 2>&1 && fail "a path with a blank"
grep -q "cannot do with a blank in the path" "$work/out" || fail "$(cat "$work/out")"
# everybody may look into /
for archive in initramfs domain0; do
	cpio -tv --quiet <"$O/$archive.cpio" 2>/dev/null | grep -q '^drwxr-xr-x .* \.$' ||
		fail "$archive.cpio: / is for root alone"
done
err=$(QEMU=qemu-system-nowhere CMD=true tools/run 2>&1) && fail "a missing QEMU is accepted"
[[ $(wc -l <<<"$err") == 1 && $err == *missing* ]] || fail "a missing QEMU: $err"
err=$(O=/proc/nowhere CMD=true tools/run 2>&1) && fail "an unwritable build folder is accepted"
[[ $(wc -l <<<"$err") == 1 && $err == *"cannot write"* ]] || fail "unwritable folder: $err"

# a QEMU that dies is not taken for the last domain that ended
cat >"$work/qemu" <<'END'
#!/bin/bash
[[ $* == "-cpu help" ]] && { echo "x86 max"; exit; }
for a; do
	[[ $a == file:* ]] && echo "parvus: end name=web reason=killed status=255" >"${a#file:}"
done
ulimit -c 0
kill -SEGV $$
END
chmod +x "$work/qemu"
for seconds in "" 20; do
	err=$(TIMEOUT=$seconds QEMU=$work/qemu CMD=true tools/run 2>&1)
	rc=$?
	[[ $rc == 127 && $err == "run: QEMU itself was ended by SIGSEGV"*name=web* ]] ||
		fail "a dead QEMU: status $rc: $err"
done

for status in 0 1 42 255; do
	guest "exit $status"
	[[ $rc == "$status" ]] || fail "status $status came back as $rc"
done
ARGS="parvus.test=hello" guest 'cat /proc/cmdline'
[[ $out == *parvus.test=hello* ]] || fail "ARGS did not arrive: $out"
guest 'echo out; echo err >&2'
[[ $out == $'out\nerr' ]] || fail "output is: $out"
guest 'echo c >/proc/sysrq-trigger'
[[ $rc == 126 ]] || fail "a guest's panic gave status $rc"
NATIVE=1 guest 'ls -d /sys/hypervisor; exit 9'
[[ $rc == 9 ]] || fail "NATIVE=1: status $rc: $out"
