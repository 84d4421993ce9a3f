# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 1200
# The Debian user space boots to a login under Parvus; a compiler there makes a program
# that runs.
. tests/system/lib.bash
[[ -r $O/debian.cpio ]] || { echo "no $O/debian.cpio: make debian"; exit 77; }
export INITRD=$O/debian.cpio MEM=2G CPUS=2 VCPUS=2
TIMEOUT=300 guest 'cat /etc/debian_version; echo "#include <stdio.h>
int main(void) { puts(\"compiled and run\"); return 0; }" >/tmp/a.c && tcc -o /tmp/a /tmp/a.c &&
/tmp/a'
[[ $rc == 0 && $out == *"compiled and run"* ]] || fail "status $rc: $out"
# init, getty, a login typed on the console
{ for i in $(seq 60); do sleep 1; grep -q 'login:' "$work/console" 2>/dev/null && break; done
  printf 'root\n'; sleep 4; printf 'echo logged-in-as-$(id -un); poweroff -f\n'; sleep 60; } |
	(exec env CMD= GUEST=1 TIMEOUT=200 DEBUG_LOG="$work/debug" STDIN=1 tools/run \
	>"$work/console" 2>&1)
grep -q 'logged-in-as-root' "$work/console" || { tail -20 "$work/console"; fail "no login"; }
