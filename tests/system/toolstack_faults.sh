# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# What went wrong in the first hour of people who did not know the toolstack, one of each kind
# (sanitized, against a hypervisor that is a file).
. tests/system/fake.bash

# --- a request is kept until the domain follows; who waits is told for what, and can stop
P create -q "$work/web.cfg"
[[ $(timeout 10 "$parvus" stat 1 2 | wc -l) == 3 ]] || fail "stat 1 2 is of a domain"
P shutdown web
[[ $(G web take) == 1 && $(G web request) == 0 ]] || fail "shutdown did not ask"
asked() { [[ $(G web request) == "$1" ]]; }
until_true asked 1
P reboot web
[[ $(G web take) == 2 ]] || fail "reboot did not ask"
until_true asked 2
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) == 2 ]]'
until_true state web "-b----"
sleep 3
asked 0 || fail "the next domain is asked for what the last one was"
bad "shutdown: --timeout 5 is of -w" shutdown --timeout 5 web
bad "--timeout 0: a number of seconds from 1 on is expected" shutdown -w --timeout 0 web
bad "domain web (2) has not ended within 1 s, and stays asked" shutdown -w --timeout 1 web
"$parvus" shutdown -w --timeout 3 web 2>"$work/err"
[[ $? == 1 && $(head -1 "$work/err") == \
	"parvus: waiting for domain web (2) to end; Ctrl-C leaves it asked" ]] ||
	fail "$(cat "$work/err")"
P pause web
bash -c 'trap - INT; exec "$@"' - "$parvus" shutdown -w web 2>"$work/err" &
waiter=$!
until_true grep -q "web (2) to end, which is paused; Ctrl-C" "$work/err"
kill -INT $waiter
wait $waiter
[[ $? == 1 ]] && grep -q "stopped: domain web (2) has not ended" "$work/err" ||
	fail "$(cat "$work/err")"
P unpause web
G web poweroff 0
clean

# --- what is read whole has an end, and is what it is taken for
no_file() { # TEXT ARG...: refused at once
	local text=$1
	shift
	timeout 5 "$parvus" create -q "$work/web.cfg" "$@" 2>"$work/err" </dev/null
	# shellcheck disable=SC2053
	[[ $? == 1 && $(<"$work/err") == "parvus: "$text ]] || fail "create $*: $(<"$work/err")"
	clean
}
mkfifo "$work/fifo"
truncate -s 2G "$work/sparse"
for key in kernel ramdisk; do
	no_file "/dev/zero is a character device: a regular file is expected" "$key=/dev/zero"
	no_file "$work/sparse is larger than 512 MiB" "$key=$work/sparse"
	no_file "$work/fifo is a FIFO: a regular file is expected" "$key=$work/fifo"
	no_file "$work is a directory: a regular file is expected" "$key=$work"
done
for format in raw qcow2; do
	no_file "the monitor of domain "*": xvda: $work/fifo is a FIFO: a block device or a regular "*\
"file is expected" \
		"disk=['$work/fifo,$format,xvda,w']"
done
for file in /dev/zero "$work/fifo" "$work" "$work/sparse"; do
	timeout 5 "$parvus" create -n "$file" 2>"$work/err"
	[[ $? == 1 && $(<"$work/err") == "parvus: $file is "* ]] || fail "$file: $(<"$work/err")"
done
"$parvus" create -n <(cat "$work/web.cfg") >/dev/null || fail "a configuration from a pipe"
cat "$work/web.cfg" | "$parvus" create -n /dev/stdin >/dev/null || fail "or standard input"

# --- nothing is ignored in silence
P create -q "$work/web.cfg"
id=$(P domid web)
[[ $(timeout 20 "$parvus" stat 0.2 3 | wc -l) == 4 ]] || fail "stat SECONDS COUNT"
[[ $(P stat -d "$id" 0.1 1 | wc -l) == 2 && $(P stat "$id" 0.1 1 | wc -l) == 2 ]] ||
	fail "stat of a number"
bad "Domain-0 is the name of domain 0 alone" rename web Domain-0
bad "domain 0 is the control domain: its name stays Domain-0" rename 0 dom0
P vcpu-set --json web 2 | grep -q '"vcpus_wanted":2' || fail "vcpu-set --json"
P destroy web
clean

cat >"$work/twice.cfg" <<END
name = "twice"
kernel = "$work/kernel"
disk = ['$work/a.img,raw,xvda,w']
memory = 32
disk = ['$work/b.img,raw,xvdb,w']
memory += 64
END
bad "twice.cfg:6: += joins two texts or two lists" create -n "$work/twice.cfg"
sed -i '$d' "$work/twice.cfg"
P create -n "$work/twice.cfg" memory=48
[[ $(cat "$work/err") == "parvus: warning: $work/twice.cfg:5: disk: is given again, only this value\
 counts (+= adds to one)" ]] || fail "a second disk: $(cat "$work/err")"
P create -n "$work/web.cfg" memory=48 memory=64
[[ $(cat "$work/err") == "parvus: warning: command line: memory: is given again, only "* ]] ||
	fail "a second memory: $(cat "$work/err")"
sed -i 's/^disk = \(.*b.img\)/disk += \1/' "$work/twice.cfg"
[[ $(P create -n "$work/twice.cfg") == *a.img*b.img* && ! -s $work/err ]] ||
	fail "a disk more: $(cat "$work/err")"
# nothing at all is a value, too
bad 'there is no domain named ""' destroy ''
"$parvus" run -k '' true 2>"$work/err" && fail "no kernel at all"
[[ $(cat "$work/err") == 'parvus: cannot open "": No such file or directory' ]] ||
	fail "$(cat "$work/err")"
bad 'unknown command ""' ''
bad '"": not a set of CPUs' vcpu-pin 0 all ''
bad '"": keys are expected' debug-keys ''
for command in vcpu-list device-list block-list network-list list; do
	bad "there is no domain named nosuch" $command nosuch
	[[ ! -s $work/out ]] || fail "$command of none says: $(cat "$work/out")"
done

# --- what is shown is what there is
P create -q "$work/web.cfg" on_reboot=preserve
word() { P list web | awk -v n="$1" 'NR == 2 { print $n }'; }
[[ $(word 4) == 1 ]] || fail "one vCPU of two is on line: $(P list web)"
P vcpu-set web 2
[[ $(word 4) == 2 ]] || fail "both are: $(P list web)"
[[ $(word 6) == 0.0 ]] || fail "it has not run: $(P list web)"
G web ran 1000000
[[ $(word 6) == 0.1 ]] || fail "it has run, for less than 0.05 s: $(P list web)"
P top -b -n 1 -d 0.1 | awk '$1 == "web" { exit $4 != 0.1 }' || fail "top"
touch "$PARVUS_FAKE/bridge-br0"
P network-attach web
[[ $(P network-list web | awk 'NR == 2 { print $NF }') == br0 ]] || fail "$(P network-list web)"
P network-list web --json | grep -q '"bridge":"br0"' || fail "network-list --json"
G web reboot
until_true state web "---sr-"
P destroy web
clean

# --- what hands that know xl ask
ln -s "$parvus" "$work/xl"
ln -s "$parvus" "$work/xentop"
"$work/xl" -v -f -t list >"$work/out" 2>"$work/err" && grep -q ^Domain-0 "$work/out" ||
	fail "xl -v -f -t list: $(cat "$work/err")"
"$work/xl" upt | grep -q ^Domain-0 || fail "a beginning that only one command has"
bad "unknown command vcpu-" vcpu-
for word in migrate; do
	bad "$word: not yet" $word -l web localhost
	P $word --help | grep -q "Not yet" || fail "$word --help"
done
P create -q "$work/web.cfg" memory=64
promised=$(P info --json | tr -d ' ,' | sed -n 's/^"promised_memory_kib"://p')
P info >"$work/info"
key() { sed -n "s/^$1 *: //p" "$work/info"; }
(($(key nr_cpus) == $(key nr_nodes) * $(key cores_per_socket) * $(key threads_per_core))) ||
	fail "CPUs: $(cat "$work/info")"
left=$(($(key untouched_memory) - promised / 1024 - $(key free_memory)))
((promised > 40000 && left >= -1 && left <= 1)) || fail "free_memory: $(cat "$work/info")"
P trigger web power
[[ $(G web take) == 1 ]] || fail "trigger power"
P trigger web reset 0
[[ $(G web take) == 2 ]] || fail "trigger reset"
bad "nmi: power or reset is expected" trigger web nmi
"$work/xentop" -f -b -i 1 >"$work/out" 2>&1 &&
	awk '/^NAME/ { for (i = 1; i <= NF; i++) if ($i == "CPU(sec)") at = i; n = NF }
		$1 == "web" { ok = at == 4 && NF == n } END { exit !ok }' "$work/out" ||
	fail "xentop: $(cat "$work/out")"
P destroy web
show() { "$parvus" create -n "$work/web.cfg" "$@" 2>"$work/err" || fail "$*: $(cat "$work/err")"; }
for prefix in tap:aio: tap2:tapdisk:aio: tap:tapdisk:aio: tap2:aio: file:; do
	show "disk=['${prefix}/srv/a:0,sda,w']" >"$work/out"
	grep -q "${prefix}/srv/a:0,sda,w" "$work/out" || fail "$prefix: $(cat "$work/out")"
done
show cpu_cap=50 cpu=1 | grep -q '^cap = 50' || fail "cpu_cap"
show cpus=all cpu=1 | grep -q '^cpus = "1"$' || fail "cpu"
[[ ! -s $work/err ]] || fail "$(cat "$work/err")"
show kernel= bootloader=lilo | grep -qx "kernel = \"$PARVUS_LIB_DIR/vmlinuz\"" || fail bootloader
grep -q "bootloader: lilo does not run here (pygrub does), the kernel is $PARVUS_LIB_DIR/vmlinuz" \
	"$work/err" || fail "$(cat "$work/err")"
show bootloader=pygrub | grep -qx "kernel = \"$work/kernel\"" || fail "the kernel that is given"
clean

# --- JSON is UTF-8, whatever a guest or a file says
strict() { perl -MEncode -0777 -ne 'decode("UTF-8", $_, Encode::FB_CROAK)' "$1"; }
printf 'a\xff\xc3\xa9\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80\xe2\x82' >"$work/odd"
odd=$(cat "$work/odd")
cp "$work/kernel" "$work/$odd.img" && truncate -s 1M "$work/$odd.img"
P create -q "$work/web.cfg" on_crash=preserve "cmdline=$odd" "disk=['$work/$odd.img,raw,xvda,w']"
G web kill "$odd"
until_true state web "---sc-"
for what in "list --json" "list -l" "info --json web" "block-list --json web" \
	"top --json -n 1 -d 0.1" \
	"dmesg --json" "create -n --json $work/web.cfg cmdline=$odd"; do
	# shellcheck disable=SC2086
	P $what >"$work/out"
	strict "$work/out" || fail "$what is not UTF-8"
done
want=$(printf 'a\xef\xbf\xbd\xc3\xa9')
P list --json | grep -q "\"why\":\"$want" || fail "$(P list --json)"
P destroy web
clean

# --- descriptors: nothing is inherited, standard ones that are closed are no failure
mkdir -p "$work/scripts" "$work/fds"
cat >"$work/scripts/look" <<'END'
#!/bin/sh
ls -l /proc/self/fd >"$FDS/script"
END
cat >"$work/server" <<'END'
#!/bin/bash
ls -l /proc/$$/fd >"$FDS/server"
exec sleep 60
END
chmod 755 "$work/scripts/look" "$work/server"
truncate -s 1M "$work/data.img"
exec 8<"$0" 7>"$work/fds/held"
FDS=$work/fds PARVUS_SCRIPT_DIR=$work/scripts PARVUS_BLOCK_SERVER=$work/server \
	timeout 20 "$parvus" create -q "$work/web.cfg" "vif=['script=look']" 2>"$work/err" ||
	fail "create: $(cat "$work/err")"
exec 8<&- 7>&-
ls -l "/proc/$(pids)/fd" >"$work/fds/monitor"
[[ -s $work/fds/script ]] || fail "the script did not run"
for who in monitor script; do
	grep -e "$0" -e fds/held "$work/fds/$who" && fail "$who has its caller's files"
done
P destroy web
clean
for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
	eval "\"\$parvus\" create -q \"\$work/web.cfg\" $closed" || fail "create $closed: $?"
	state web "-b----" || fail "create $closed: $(P list)"
	[[ $closed == *'>&-'* ]] || eval "[[ \$(\"\$parvus\" domid web $closed) == [0-9]* ]]" ||
		fail "domid"
	# what it says goes nowhere, not into a file that it has open under that number
	eval "\"\$parvus\" list --help $closed; \"\$parvus\" list nobody $closed" >"$work/out" 2>&1
	grep -rla 'Usage: parvus\|named nobody' "$PARVUS_FAKE" "$PARVUS_RUN_DIR" &&
		fail "$closed: it wrote into that"
	eval "\"\$parvus\" destroy web $closed" || fail "destroy $closed: $?"
	clean
done

# --- monitors that were killed: the domains stay, list says so, and adopt brings others
P create -q "$work/web.cfg"
P create -q "$work/web.cfg" name=two on_reboot=restart
P list -v | grep -q "no monitor" && fail "$(P list -v)"
# shellcheck disable=SC2046
kill -9 $(pids)
lost() { [[ $("$parvus" list -v | grep -c "no monitor (parvus adopt)") == "$1" ]]; }
until_true lost 2
[[ $(P list --json | grep -c '"monitored":false') == 2 ]] || fail "list --json"
state web "-b----" && state two "-b----" || fail "they went: $(P list)"
G two reboot
bad "there is no domain named three" adopt three
[[ $(P adopt web) == "web ("*") has a monitor again" ]] || fail "adopt web"
until_true lost 1
[[ $(P adopt --json) == *'"name":"two"'* ]] || fail "adopt"
until_true lost 0
until_true state two "-b----"
[[ -z $(P adopt) ]] || fail "adopted twice"
P destroy web
P destroy two
clean
exit 0
