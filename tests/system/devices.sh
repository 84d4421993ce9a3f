# SPDX-License-Identifier: GPL-2.0-only
# The devices of programs, /dev/parvus, refuse bad arguments, in a domain U and in the
# control domain; ports work, also when a CPU goes and comes; the registry's devices are
# on the bus; two domains share pages. dmesg stays clean.
. tests/system/lib.bash

abi="-Ipv-abi/include -I$O/gen"
for p in devparvus registry share; do program $p "$abi"; done
user_space devparvus registry share
export CPUS=2 VCPUS=2
guest 'devparvus || exit 1; cd /sys/devices/system/cpu/cpu1
echo 0 >online && devparvus && echo 1 >online || exit 1
while [ ! -f /tmp/stop ]; do echo 0 >online; echo 1 >online; done & toggle=$!
for i in 1 2 3; do devparvus || exit 1; done; >/tmp/stop; wait $toggle
grep -c ^processor /proc/cpuinfo
'"$DMESG"
[[ $rc == 0 && $(grep -c 'devparvus ok' <<<"$out") == 5 && $out == *$'\n2' &&
	$out != *control* ]] ||
	fail "status $rc: $out"

# domains LINE...: a boot bundle of several; each LINE is NAME, SETTINGS and a command
domains() {
	local line name settings command
	mkdir "$work/bundle"
	cp "$O/vmlinux" "$work/bundle/kernel"
	for line; do
		IFS='|' read -r name settings command <<<"$line"
		printf '%s\n' "$command" >"$work/cmd"
		cp "$work/initrd" "$work/bundle/$name"
		(cd "$work" && echo cmd | cpio -o -H newc --quiet) >>"$work/bundle/$name"
		echo "domain=$name kernel=kernel initrd=$name $settings" \
			"cmdline=\"console=hvc0 panic=-1 quiet loglevel=4\""
	done >"$work/bundle/manifest"
	(cd "$work/bundle" && printf '%s\n' manifest kernel * | awk '!seen[$0]++' |
		cpio -o -H newc --quiet) >"$work/all"
	rm -r "$work/bundle"
	export BUNDLE=$work/all MEM=300M MACHINE_MEM=512M
}

domains "control|mem=128M vcpus=2 control=1|registry; r=\$?; devparvus || exit 1; [ \$r = 77 ] && exit 77; [ \$r = 0 ] || exit 1; $DMESG"
guest unused
[[ ($rc == 0 || $rc == 77) && $out == *control*'devparvus ok' ]] ||
	fail "control domain: status $rc: $out"
not_served=$rc

# an odd size leaves gfns above its memory to map at; the first domain ends last, so that its
# record says whether all frames are back
domains "offers|mem=128M|share offer 1; r=\$?; [ \$r = 0 ] || { sleep 4; exit \$r; }; $DMESG" \
	"maps|mem=127M|share map 0"
guest unused
[[ ($rc == 0 && $out == *'share ok'*) || $rc == 77 ]] || fail "two domains: status $rc: $out"
[[ $rc == 77 ]] || grep -aq 'd1: share ok' "$work/debug" ||
	fail "the other domain: $(grep -a 'd1:' "$work/debug")"
[[ $rc == 0 && $not_served == 0 ]] || { echo "the hypervisor does not serve all of it"; exit 77; }
