# SPDX-License-Identifier: GPL-2.0-only
# The devices of programs, /dev/parvus, refuse bad arguments; a CPU goes and comes with
# event ports in use; dmesg stays clean.
. tests/system/lib.bash

program devparvus -Ipv-abi/include
user_space devparvus
export CPUS=2 VCPUS=2
guest 'devparvus || exit 1; cd /sys/devices/system/cpu/cpu1
echo 0 >online && devparvus && echo 1 >online && devparvus || exit 1; grep -c ^processor /proc/cpuinfo
'"$DMESG"
[[ $rc == 0 && $(grep -c 'devparvus ok' <<<"$out") == 3 && $out == *$'\n2' ]] ||
	fail "status $rc: $out"
