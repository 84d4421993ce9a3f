# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# cpuid = of a configuration in a Linux domain: the kernel lists what it was given, a program with
# AVX goes by XCR0, also after a reboot; what the host cannot give is refused by name, and info -n
# says what that is.
. tests/system/lib.bash
program xcr0 -static
mkdir -p "$work/root"
cp "$O/tests/prog/xcr0" "$work/root/" || exit 99

control "$(cat <<'END'
lists() { ask web "grep -m1 ^flags /proc/cpuinfo" | tr ' ' '\n' | grep -qx "$1"; }
host() { parvus info -n | sed -n "s/^$1 *: *//p"; }
has() { host cpuid | tr ' ' '\n' | grep -qx "$1"; }
has sse2 && has lm && has xsave && has avx || fail "the host: $(parvus info -n)"
xcr0=$(parvus info -n --json | tr -d ' \n' | sed -n 's/.*"xcr0":\([0-9]*\).*/\1/p')
[ "$xcr0" = $(($(host xcr0))) ] || fail "$(parvus info -n --json)"
level=$(host cpuid_level)
xcr0=$(/xcr0)
echo "the host is $level, $xcr0"

# made CPUID XCR0: starts web with it, and what a program finds
made() {
	domain web 64 on_reboot=restart "cpuid=$1"
	until_true 60 "parvus cp /xcr0 web:/root/xcr0 2>/dev/null"
	[ "$(ask web /root/xcr0)" = "$2" ] || fail "$1: $(ask web /root/xcr0), not $2"
}
step "as the host"
made host "$xcr0"
lists avx && lists xsave || fail "$(ask web cat /proc/cpuinfo)"
P destroy web

step "no AVX"
made "host,avx=0" "XCR0 3, AVX faults"
lists xsave && ! lists avx && ! lists avx2 && ! lists fma || fail "$(ask web cat /proc/cpuinfo)"
[ "$(ask web dmesg | grep -c 'XSAVE consistency')" = 0 ] || fail "$(ask web dmesg)"
P reboot web
until_true 60 "[ \"\$(parvus domid web 2>/dev/null)\" -gt 2 ]"
until_true 60 "parvus cp /xcr0 web:/root/xcr0 2>/dev/null"
[ "$(ask web /root/xcr0)" = "XCR0 3, AVX faults" ] || fail "after a reboot: $(ask web /root/xcr0)"
! lists avx || fail "after a reboot: $(ask web cat /proc/cpuinfo)"
[ "$(/xcr0)" = "$xcr0" ] || fail "domain 0: $(/xcr0)"
P destroy web

step "levels"
made x86-64-v1 "XCR0 3, AVX faults"
! lists xsave && ! lists sse4_2 && ! lists rdtscp && lists sse2 && lists nx ||
	fail "$(ask web cat /proc/cpuinfo)"
P destroy web
if [ "$level" = x86-64-v3 ]; then
	made x86-64-v3,aes=0 "XCR0 7, AVX runs"
	lists avx2 && lists movbe && ! lists aes && ! lists sha ||
		fail "$(ask web cat /proc/cpuinfo)"
	P destroy web
fi

step "a list of bits"
x=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
domain web 64 "cpuid=['1:ecx=xxxxxx0${x#???????}','7:ebx=${x%??????}0xxxxx']"
! lists aes && ! lists avx2 && lists avx || fail "$(ask web cat /proc/cpuinfo)"
P destroy web

step "what cannot be had"
not() { bad 1 "cpuid: $1" create -q name=x kernel=$K memory=64 "cpuid=$2"; }
not "vmx=1: this host does not give it" host,vmx=1
not '"frob" is no feature' host,frob=0
gone x || fail "something was made"
END
)"
