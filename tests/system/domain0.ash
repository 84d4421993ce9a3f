# SPDX-License-Identifier: GPL-2.0-only
# What scripts in domain 0 share; control() of lib.bash puts this file there. The shell is
# BusyBox's.
K=/usr/lib/parvus/vmlinuz
R=/usr/lib/parvus/initramfs.cpio
ip=/sbin/ip	# Debian's, if it is there; BusyBox' shell prefers its own
cd /tmp

fail() {
	echo "FAILED: $*"
	parvus list -v
	for f in $(ls -t /var/log/parvus/*.log | head -12); do
		[ -r "$f" ] && echo "--- $f" && tail -5 "$f"
	done
	dmesg | grep -A30 "cut here" | head -40
	dmesg | tail -5
	exit 1
}
step() { echo "$(cut -d' ' -f1 /proc/uptime) $*"; }

P() { parvus "$@" 2>err || fail "parvus $*: status $?: $(cat err)"; }
bad() { # STATUS TEXT ARG...: refused with one line that has TEXT
	local status=$1 text=$2 rc
	shift 2
	parvus "$@" >bad.out 2>bad.err </dev/null
	rc=$?
	[ $rc = "$status" ] || fail "parvus $*: status $rc, not $status: $(cat bad.err)"
	[ "$(wc -l <bad.err)" = 1 ] || fail "parvus $*: not one line: $(cat bad.err)"
	case $(cat bad.err) in
	"parvus: "*"$text"*) ;;
	*) fail "parvus $*: says: $(cat bad.err), not: $text" ;;
	esac
}
until_true() { # SECONDS COMMAND: within that time, on a clock that runs on
	local end=$(($(cut -d. -f1 /proc/uptime) + $1)) late
	shift
	until eval "$*"; do
		late=$(($(cut -d. -f1 /proc/uptime) >= end))
		[ $late = 1 ] && fail "never: $*"
		usleep 50000
	done
}

# field KEY [DOMAIN]: of "parvus info --json"
field() {
	local key=$1
	shift
	parvus info --json "$@" |
		sed -n 's/^ *"'"$key"'":"\(.*\)",\{0,1\}$/\1/p; t
			s/^ *"'"$key"'":\([^",]*\),\{0,1\}$/\1/p'
}
state() { [ "$(field state_letters "$1" 2>/dev/null)" = "$2" ]; }
gone() { ! parvus domid "$1" >/dev/null 2>&1; }

# ramdisk FILE SCRIPT: the small user space that runs SCRIPT and ends with its status
ramdisk() {
	mkdir -p rd.dir
	printf '%s\n' "$2" >rd.dir/cmd
	{ cat $R; (cd rd.dir && echo cmd | cpio -o -H newc 2>/dev/null); } >"$1"
}
# A guest that does what is typed, line by line, without an echo, and has Ctrl-C.
ramdisk listen \
	"exec setsid cttyhack sh -c 'stty -echo; echo LISTENING; while read -r line; do eval \"\$line\"; done'"

# domain NAME MEMORY [KEY=VALUE | OPTION]...: Linux with the small user space. In 32 MiB there is
# no room for pointers from all per-CPU memory to cgroups (4 MiB).
domain() {
	local name=$1 memory=$2
	shift 2
	P create -q name="$name" kernel=$K ramdisk=listen memory="$memory" \
		extra="console=hvc0 quiet loglevel=4 panic=-1 cgroup.memory=nokmem hostname=$name" \
		"$@"
}

# debian_domain NAME DISKS SCRIPT [KEY=VALUE | OPTION]...: Debian from a fresh copy of its disk
# that runs SCRIPT and powers off. DISKS are more disks, each 'SPECIFICATION' behind a comma.
debian_domain() {
	local name=$1 disks=$2
	memdisk 0x80000000 0x40000000 "/tmp/$name.img" || fail "no disk image in memory"
	printf '%s\n' "$3" >"/tmp/$name.cmd"
	truncate -s 65536 "/tmp/$name.cmd"
	shift 3
	P create -q name="$name" kernel=$K memory=384 on_poweroff=preserve on_crash=preserve \
		extra="console=hvc0 root=/dev/xvda rw quiet loglevel=4 panic=-1 parvus.cmd=/dev/xvdz" \
		disk="['/tmp/$name.img,raw,xvda,rw','/tmp/$name.cmd,raw,xvdz,ro'$disks]" "$@"
}
# says NAME: what it wrote on its console
says() { cat "/var/log/parvus/console-$1.log" 2>/dev/null | tr -d '\r'; }
# ended NAME SECONDS: within that time it powers off, with status 0
ended() {
	until_true "$2" "[ -n \"\$(field reason $1)\" ] && [ \"\$(field running $1)\" = false ]"
	[ "$(field reason "$1") $(field status "$1")" = "poweroff 0" ] || {
		says "$1" | tail -30
		fail "$1: $(field reason "$1") $(field status "$1")"
	}
}
# the whole seconds that domain 0 is up
uptime_seconds() {
	local up rest
	read -r up rest </proc/uptime
	echo "${up%.*}"
}
# ask NAME COMMAND: type it to a listening guest; prints what it said. Commands take up to 40
# seconds of their own; to count turns of the loop would be 30 seconds on an idle machine.
ask() {
	local n name=$1 pid end rc
	n=$(cut -c1-8 /proc/sys/kernel/random/uuid)
	shift
	# it reads lines: one that ends with an operator goes on in the next
	set -- "$(echo "$*" | sed -e ':a' -e '/[&|]$/{N;s/\n[[:blank:]]*/ /;ba' -e '}')"
	: >"ask.$n"
	echo "echo @B$n; $*; echo @E$n \$?" | parvus console "$name" >"ask.$n" 2>&1 &
	pid=$!
	end=$(($(uptime_seconds) + 90))
	until grep -q "^@E$n" "ask.$n"; do
		[ "$(uptime_seconds)" -lt $end ] || break
		kill -0 $pid 2>/dev/null || break
		usleep 50000
	done
	kill $pid 2>/dev/null
	wait $pid 2>/dev/null
	tr -d '\r' <"ask.$n" | sed -n "/^@B$n/,/^@E$n/p" | sed '1d;$d'
	rc=$(tr -d '\r' <"ask.$n" | sed -n "s/^@E$n //p")
	[ -n "$rc" ] || { echo "$name does not answer: $(tail -c 300 "ask.$n")"; rc=99; }
	rm "ask.$n"
	return "$rc"
}

# forgive ID-SIDE: as a person might, but within 0.1 s: whatever it refuses gets another chance.
# A text, for whichever shell shall do it, here or in a domain.
forgive() {
	echo "while r=/sys/bus/parvus/devices/$1/refused && [ -e \$r ]; do if [ \"\$(cat \$r)\" = 1 ]; then usleep 100000; echo 0 >\$r; fi; usleep 20000; done"
}

# micro NAME WHAT [KEY=VALUE | OPTION]...: the idle guest (tests/guest/lib/idle.c)
micro() {
	local name=$1 what=$2
	shift 2
	parvus create -q name="$name" kernel=/idle memory=4 cmdline="$what" "$@" >out 2>&1
}

# busy: hundredths of a second that a CPU of ours worked. realtime: those of them that threads had
# which go before all programs; such a thread that works for a guest is as good as the guest.
busy() { awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }
realtime() {
	cat /proc/[0-9]*/stat 2>/dev/null |
		awk '$41 == 1 || $41 == 2 { n += $14 + $15 } END { print n + 0 }'
}
# share SECONDS: of 100 ticks, how many a program has that always wants more, and how many
# real-time threads have. With one CPU, and on an idle or a busy machine alike. Who asks has to look
# whether what it is measured beside still goes on: a program that gets nothing measures later.
share() {
	local all=$(busy) real=$(realtime) own
	own=$(sh -c 'read -r up rest </proc/uptime
		end=$((${up%.*} + $1))
		while read -r up rest </proc/uptime && [ ${up%.*} -lt $end ]; do :; done
		read -r line </proc/$$/stat
		set -- $line
		echo $((${14} + ${15}))' share "$1")
	all=$(($(busy) - all)) real=$(($(realtime) - real))
	echo $((own * 100 / all)) $((real * 100 / all))
}

# What must be the same before and after: free and promised memory, ports, grants, mappings,
# devices, domains, monitors and their folders. What domain 0 itself makes the hypervisor
# allocate (its shadow pages) comes and goes, and counts as free.
account() {
	echo "free $(($(field free_memory_kib) + $(field kept_memory_kib) +
		$(field overhead_kib 0)))"
	parvus info --json | grep -E '"(domains|promised_memory_kib|ports|grants|mappings|devices)"'
	ps | grep -c '[p]arvus-monitor'
	ls /run/parvus/domains 2>/dev/null
}
# Domain 0's own tables grow with its first domains, and stay.
warm() {
	domain warm 48
	ask warm true || fail "warm does not answer"
	P destroy warm
	until_true 10 '[ -z "$(ls /run/parvus/domains)" ]'
}
balanced() { # BEFORE: within some seconds all is as it was
	local i=0
	while [ "$(account)" != "$1" ]; do
		i=$((i + 1))
		[ $i -lt 100 ] ||
			fail "before: $(echo "$1" | tr -d '\n') after: $(account | tr -d '\n')"
		usleep 100000
	done
}
clean_dmesg() {
	dmesg | grep -iE -A15 \
		"call trace|unchecked msr|WARNING:|BUG:|hung task|Oops:|general protection fault:.*#" &&
		fail "domain 0's kernel complains"
	return 0
}
