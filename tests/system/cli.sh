# SPDX-License-Identifier: GPL-2.0-only
# The parvus command without a hypervisor: every command has help that names it, and what is
# wrong on the command line, in a configuration, or with the machine gives one clear line on
# stderr and a status that is not 0.
. tests/system/lib.bash
parvus=$O/tools/parvus
[[ -x $parvus ]] || { echo "no $parvus: make tools"; exit 99; }
[[ -e /dev/parvus/control ]] && { echo "this is domain 0"; exit 77; }
export PARVUS_RUN_DIR=$work/run

commands=$("$parvus" help | sed -n 's/^  \([a-z-]*\) .*/\1/p')
[[ $(wc -w <<<"$commands") -ge 39 ]] || fail "parvus help lists: $commands"
for c in $commands; do
	out=$("$parvus" "$c" --help 2>"$work/err") || fail "$c --help: status $?"
	[[ $out == *"parvus $c"* && $out == *--json* && ! -s $work/err ]] ||
		fail "$c --help says: $out"
	[[ $("$parvus" "$c" -h) == "$out" ]] || fail "$c -h is not $c --help"
	[[ $("$parvus" help "$c") == "$out" ]] || fail "help $c is not $c --help"
done
"$parvus" --version | grep -q '^parvus [0-9]' || fail "--version"
"$parvus" version --json | grep -q '"abi"' || fail "version --json"
"$parvus" help --json | grep -q '"dump-core"' || fail "help --json"

# bad STATUS TEXT ARG...: exactly one line, with TEXT in it
bad() {
	local want=$1 text=$2 out rc
	shift 2
	out=$("$parvus" "$@" 2>"$work/err" </dev/null)
	rc=$?
	[[ $rc == "$want" ]] || fail "parvus $*: status $rc, not $want: $(cat "$work/err")"
	[[ -z $out ]] || fail "parvus $*: on stdout: $out"
	[[ $(wc -l <"$work/err") == 1 ]] || fail "parvus $*: not one line: $(cat "$work/err")"
	[[ $(cat "$work/err") == "parvus: "*"$text"* ]] ||
		fail "parvus $*: says: $(cat "$work/err"), not: $text"
}
bad 1 "a command is expected"
bad 1 "unknown command frobnicate" frobnicate
bad 1 "unknown command frobnicate" help frobnicate
for c in $commands; do
	[[ $c == migrate ]] && continue	# not yet, whatever is asked
	status=1
	[[ $c == run ]] && status=125
	bad $status "unknown option --frobnicate" "$c" --frobnicate
	bad $status "unknown option -y" "$c" -y
done
for c in trigger destroy pause unpause console rename domid domname vcpu-pin vcpu-set mem-set \
	mem-max image-info save restore suspend resume \
	dump-core monitor block-attach block-detach block-list block-resize block-set cd-insert \
	cd-eject network-attach network-detach network-list network-nat; do
	[[ $c == block-set ]] || bad 1 "expected" "$c"
done
bad 1 "too many arguments" destroy 1 2
bad 1 "too many arguments" version x
bad 1 "a domain or -a" shutdown
bad 1 "a domain or -a" reboot -a web
bad 1 "a configuration is expected" create
bad 1 "KEY=VALUE is expected" create -n /dev/null web
bad 1 "-w 0" sched -d x -w 0
bad 1 "-w 65536" sched -d x -w 65536
bad 1 "-c x" sched -d x -c x
bad 1 "-d DOMAIN is expected" sched -w 5
bad 1 "-d needs a value" sched -d
bad 1 "a size such as" mem-set web lots
bad 1 "a size such as" mem-set web 0
bad 1 "a size such as" mem-max web 5x
bad 1 "a size such as" mem-max web 99999999999999999999
bad 1 "no soft affinity" vcpu-pin web 0 0 1
bad 1 "a number of vCPUs" vcpu-set web none
bad 1 "-n x" top -n x
bad 1 "-d 0" top -d 0
bad 1 "-s size" top -s size
bad 1 "-e sched,nothing" trace -e sched,nothing
bad 1 "-t -1" trace -t -1
bad 1 "-t serial" console -t serial web
bad 1 "-n 1" console -n 1 web
bad 1 "a disk such as xvda is expected" block-detach web xvda01
bad 1 "a disk such as xvda is expected" block-resize web -- ''
bad 1 "a disk such as xvda is expected" cd-eject web sdaaaa
bad 1 "--iops or --bps is expected" block-set web xvda
bad 1 "--iops many" block-set --iops many web xvda
bad 1 "--bps 5x" block-set --bps 5x web xvda
bad 1 "--bps needs a value" block-set web xvda --bps
bad 1 "a file or block device is expected" cd-insert web xvda ''
bad 1 "the number of an interface or its MAC" network-detach web eth0
bad 1 "start, stop or status is expected" network-nat restart
bad 1 "the name of a bridge is expected" network-nat -b a/b start
bad 1 "-s 10.9.8.0/24 is of start, not of stop" network-nat -s 10.9.8.0/24 stop
mkdir -p "$work/run"
printf 'bridge=parvus7\nnet=c0a84d00\nforward=0\nnft=0\n' >"$work/run/nat"
for what in start stop status; do
	bad 1 "-b br9: it runs with the bridge parvus7" network-nat -b br9 $what
done
rm -r "$work/run"
# nothing is ignored in silence
bad 1 "-n shows the machine's CPUs, not those of web" info -n web
bad 1 "-i shows the machine's interrupts, and nothing else" info -i web
bad 1 "not with -c, which attaches to it" create -cF x.cfg
bad 1 "not with -p, for it does not begin" create -pF x.cfg
bad 1 "2: a count is given already, by -n" stat -n 3 1 2
bad 1 "too many arguments: 3" stat -d web 1 2 3
bad 1 "1e9: seconds from 0.01 to 86400 are expected" stat web 1e9
bad 1 "x: a number of lines from 1 on is expected" stat 1 x
bad 1 "--json: what a domain writes is no JSON" console --json web
bad 125 "--json: what a command writes is no JSON" run --json true
bad 1 "a network such as 192.168.77.0/24" network-nat -s 192.168.77.0 start
bad 1 "not a private network" network-nat -s 9.9.9.0/24 start
[[ $("$parvus" network-nat status) == stopped ]] || fail "network-nat status"
bad 125 "expected" run
bad 125 "-m x" run -m x true
bad 1 "DOMAIN:PATH is expected for one of the two (./a:b is a file of ours)" cp a b
bad 1 "DOMAIN:PATH is expected for one of the two, not for both" cp web:a 1:b
bad 1 "a path of the domain is expected" cp web: b
bad 1 '"" is no path' cp web:/a ""
bad 1 "cp: $work/none: No such file" cp "$work/none" web:/a
bad 1 "cp: ./a:b: No such file" cp ./a:b web:/a
bad 1 "-m x: a size is expected" cp -m x web:/a b
bad 1 "-t 0: seconds from 1 to 86400" cp -t 0 web:/a b
bad 125 "-c 65" run -c 65 true
bad 125 "--timeout 0" run --timeout 0 true
bad 125 "-n 7: not a name" run -n 7 true
bad 125 "--env 1=2: NAME=VALUE is expected" run --env 1=2 true
bad 125 "--env x: NAME=VALUE is expected" run --env x true
# options of the command itself are its own
bad 125 "cannot open /dev/parvus/control" run ls -l --color

none="cannot open /dev/parvus/control: not there (is this domain 0 of Parvus?)"
for c in list info uptime vcpu-list sched top stat trace dmesg "destroy 1" "pause web" \
	"unpause 1" "console web" "rename 1 x" "domid x" "domname 1" "shutdown -a" "reboot 1" \
	"vcpu-pin 1 0 0" "vcpu-set 1 1" "mem-set 1 5" "mem-max 1 5" "dump-core 1 $work/core" \
	"monitor 1" "create name=x kernel=/dev/null" "block-attach 1 /x,raw,xvdb,w" \
	"block-detach -f 1 xvda" "block-list 1" "block-resize 1 xvda" \
	"block-set --iops 5 1 xvda" "cd-insert 1 xvda /x" "cd-eject 1 0" \
	"network-attach 1 bridge=br0" "network-detach 1 0" "network-list 1"; do
	# shellcheck disable=SC2086
	bad 1 "$none" $c
done
bad 125 "$none" run true
[[ -e $work/core || -e $work/run ]] && fail "something was left"

# configurations: create -n looks at them anywhere
cfg() { printf '%b' "$1" >"$work/a.cfg"; }
bad 1 "cannot open $work/none.cfg: No such file" create -n "$work/none.cfg"
bad 1 "is a directory" create -n "$work"
cfg 'name = "web"\n'
bad 1 "no kernel is given" create -n "$work/a.cfg"
cfg 'kernel = "k"\n'
bad 1 "no name is given" create -n "$work/a.cfg"
cfg 'name = "web"\nkernel = "k"\nmemory = [1]\n'
bad 1 "$work/a.cfg:3: memory: a number from 2 to 67108864 is expected, not a list of 1" \
	create -n "$work/a.cfg"
cfg 'name = "web"\nkernel = "k"\n\nvcpus = 65\n'
bad 1 "$work/a.cfg:4: vcpus: a number from 1 to 64 is expected, not 65" create -n "$work/a.cfg"
cfg 'name = "web\nkernel = "k"\n'
bad 1 "$work/a.cfg:1: a string that does not end" create -n "$work/a.cfg"
cfg 'name = "web"\nkernel = "k"\ndisk = ["/x,raw,xvda,x"]\n'
bad 1 "$work/a.cfg:3: disk: \"/x,raw,xvda,x\": the access" create -n "$work/a.cfg"
# settings that are wrong by themselves, or together
while IFS='|' read -r text setting; do
	cfg "name = 'web'\nkernel = '/k'\n$setting\n"
	bad 1 "$text" create -n "$work/a.cfg"
done <<'END'
xvda0 is no disk: xvda to xvdzzz|disk = ['/x,raw,xvda0,w']
a.cfg: disk: xvda and sda2: a disk that is given whole|disk = ['/x,raw,xvda,w','/y,raw,sda2,w']
a.cfg: disk: d1p3 and xvdb: a disk that is given whole|disk = ['/x,raw,d1p3,w','/y,raw,xvdb,w']
a.cfg: disk: xvda2 and hda2 are the same disk|disk = ['/x,raw,xvda2,w','/y,raw,hda2,w']
a.cfg: disk: xvda and hda are the same disk|disk = ['/x,raw,xvda,w','/y,raw,hda,w']
a.cfg: disk: sdb and d1 are the same disk|disk = ['/x,raw,sdb,w','/y,raw,d1,w']
script=block-drbd makes a block device, which is raw|disk = ['/x,qcow2,xvda,w,script=block-drbd']
the backendtype is not phy, qdisk or program|disk = ['/x,raw,xvda,w,backendtype=tap']
backendtype=program serves raw files only|disk = ['/x,qcow2,xvda,w,backendtype=program']
backendtype=program needs a target|disk = ['vdev=xvda,devtype=cdrom,backendtype=program']
discard and no-discard|disk = ['/x,raw,xvda,w,discard,no-discard']
iops is not a number from 0 to|disk = ['/x,raw,xvda,w,iops=fast']
iops is not a number from 0 to|disk = ['/x,raw,xvda,w,iops=4294967296']
queues is not a number from 0 to 32|disk = ['/x,raw,xvda,w,queues=33']
bps is not bytes in a second|disk = ['/x,raw,xvda,w,bps=1T5']
mtu is not a number from 68 to 65535|vif = ['mtu=67']
mtu is not a number from 68 to 65535|vif = ['mtu=1500m']
devid is not a number from 0 to 255|vif = ['devid=256']
a.cfg: vif: devid=3 is given twice|vif = ['devid=3','','devid=3']
1 to 15 letters|vif = ['bridge=a-name-that-is-too-long']
1 to 15 letters|vif = ['bridge=']
1 to 15 letters|vif = ['vifname=a/b']
the rate is not such as|vif = ['rate=0Mb/s']
the rate is not such as|vif = ['rate=1Mb/s@11s']
the rate is not such as|vif = ['rate=1Mb/s@0ms']
END
cfg 'name = "web"\nkernel = "/k"\n'
bad 1 "memory: a number from 2 to 67108864 is expected, not the text" \
	create -n "$work/a.cfg" memory=lots
# warnings are lines too, but no failure
cfg 'name = "web"\nkernel = "/k"\nfoo = 1\n'
out=$("$parvus" create -n "$work/a.cfg" memory=77 name=other 2>"$work/err") ||
	fail "a warning fails"
grep -q "warning: $work/a.cfg:3: foo: unknown key, ignored" "$work/err" || fail "$(cat "$work/err")"
[[ $out == *'memory = 77'* && $out == *'name = "other"'* ]] || fail "overrides: $out"
cfg "name = 'web'\nkernel = '/k'\nvif = ['', 'model=e1000,devid=0', 'rate=1Mb/s']
disk = ['a.img,raw,xvda,w', 'phy:vg/lv,xvdb,r']\n"
out=$("$parvus" create -n "$work/a.cfg" 2>"$work/err") || fail "vif"
grep -q "warning: vif: model means nothing" "$work/err" || fail "$(cat "$work/err")"
[[ $out == *'"mac=00:16:3e:'*',devid=1"'*'"model=e1000,devid=0,mac=00:16:3e:'*'"rate=1Mb/s,mac=00:16:3e:'*',devid=2"'* ]] ||
	fail "vif: $out"
[[ $out == *"access=rw,target=$PWD/a.img"* && $out == *'phy:vg/lv,xvdb,r'* ]] || fail "disk: $out"
sed -i 's/model=e1000,//' "$work/a.cfg"
# what -n shows is a configuration that gives the same again
"$parvus" create -n "$work/a.cfg" 2>/dev/null >"$work/b.cfg" || fail "create -n"
"$parvus" create -n "$work/b.cfg" >"$work/c.cfg" 2>"$work/err" || fail "create -n of its output"
cmp "$work/b.cfg" "$work/c.cfg" && [[ ! -s $work/err ]] || fail "create -n is not stable"
"$parvus" create -n --json "$work/b.cfg" | grep -q '"config":"name = ' || fail "create -n --json"
"$parvus" version >/dev/full 2>"$work/err" && fail "a full disk is no error"
[[ $(wc -l <"$work/err") == 1 ]] || fail "a full disk says: $(cat "$work/err")"
exit 0
