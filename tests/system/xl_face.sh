# SPDX-License-Identifier: GPL-2.0-only
# What xl's users and their tools know, against the hypervisor that is a file: list -l laid out as
# xl's when called so, uuid and vm-list, sysrq, configurations from a pipe, each setting of xl.cfg
# with its word, and docs/xl.md, whose tables are the program's own.
. tests/system/fake.bash
ln -s "$parvus" "$work/xl"
X() { "$work/xl" "$@" 2>"$work/err" || fail "xl $*: status $?: $(cat "$work/err")"; }
"$parvus" list >/dev/null || fail "list"
touch "$PARVUS_FAKE/bridge-br0"
json() { python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin), indent=1))' <"$1"; }
domids() { python3 -c 'import json, sys; print([d["domid"] for d in json.load(sys.stdin)])'; }
uuid=01234567-89AB-cdef-0123-456789abcdef
truncate -s 1M "$work/a.img"

# --- a configuration from a pipe, with settings behind it
X create -q /dev/stdin memory=48 < <(cat "$work/web.cfg"; cat <<END
uuid = '01234567-89AB-cdef-0123-456789abcdef'
disk = ['file:$work/a.img,xvda,w']
vif = ['mac=00:16:3e:01:02:03, bridge=br0, ip=10.0.0.5']
END
)
number=$(X domid web)
cat >"$work/want" <<END
[{"domid":$number,"config":{"c_info":{"type":"pv","name":"web","uuid":"$uuid"},
"b_info":{"max_vcpus":2,"max_memkb":49152,"target_memkb":49152,"kernel":"$work/kernel",
"ramdisk":"$PARVUS_LIB_DIR/initramfs.cpio","cmdline":"root=/dev/xvda1 ro"},
"disks":[{"pdev_path":"$work/a.img","vdev":"xvda","backend":"phy","format":"raw",
"readwrite":1,"is_cdrom":0}],
"nics":[{"devid":0,"mac":"00:16:3e:01:02:03","bridge":"br0","ip":"10.0.0.5","nictype":"vif"}],
"on_poweroff":"destroy","on_reboot":"restart","on_crash":"destroy"}}]
END
X list -l web >"$work/out"
diff <(json "$work/want") <(json "$work/out") ||
	fail "xl list -l"
[[ $(P list -l web | tr -d ' \n') == '[{"name":"web","id":'* ]] || fail "list -l of ours"
[[ $(X list -l | domids) == "[0, $number]" ]] ||
	fail "xl list -l of all"

# --- UUIDs: the configuration's, kept over a reboot, or the domain's own
P create -q "$work/web.cfg" name=two
P vm-list >"$work/out"
[[ $(sed -n 2p "$work/out") == "00000000-0000-0000-0000-000000000000     0    Domain-0" &&
	$(sed -n 3p "$work/out") == "01234567-89AB-cdef-0123-456789abcdef     $number    web" &&
	$(sed -n 4p "$work/out") =~ ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' '.*two$ ]] ||
	fail "vm-list: $(cat "$work/out")"
[[ $(P vm-list --json | tr -d ' \n') == *"\"uuid\":\"$uuid\",\"id\":"*'"name":"web"}'* ]] ||
	fail "vm-list --json"
G web reboot
until_true eval '[[ $("$parvus" vm-list | grep web) == 01234567-89AB-cdef-0123-456789abcdef* ]]'
P destroy web

# --- sysrq goes by the console, behind Control-O
P sysrq two h
[[ $(G two hear 2 | od -An -tx1) == " 0f 68" ]] || fail "sysrq"
bad "hh: one letter is expected" sysrq two hh
bad "use its own /proc/sysrq-trigger" sysrq 0 h
kill "$(pids)"
until_true eval '[[ $(P list -v two) == *"no monitor"* ]]'
bad "has no monitor that serves its console (parvus adopt)" sysrq two h
P destroy two
no_folders || rm -r "$PARVUS_RUN_DIR/domains"

# --- claims: what was promised and is not touched
P create -q "$work/web.cfg" memory=64
P claims >"$work/out"
P claims --json >"$work/json"
touched=$(P list -v web | awk 'NR == 2 { print $8 }')
[[ $(awk '$1 == "web" { print $3, $4 }' "$work/out") == "64 $((64 - touched - 1))" ||
	$(awk '$1 == "web" { print $3, $4 }' "$work/out") == "64 $((64 - touched))" ]] ||
	fail "claims: $(cat "$work/out"), and $touched touched"
python3 - "$work/json" "$(P info --json)" <<'END' || fail "claims --json: $(cat "$work/json")"
import json, sys
all = json.load(open(sys.argv[1]))
claimed = {d["name"]: d["claimed_kib"] for d in all}["web"]
sys.exit(not 0 < claimed <= json.loads(sys.argv[2])["promised_memory_kib"])
END

# --- debug-keys: the words of the commands themselves, and nothing for a key that shows nothing
P debug-keys qr >"$work/out"
[[ $(cat "$work/out") == "$(P list -v)"$'\n'"$(P vcpu-list)" ]] || fail "$(cat "$work/out")"
[[ $(P debug-keys h | wc -l) == 9 && $(P debug-keys h) == *"q  domains "*"parvus list -v"* ]] ||
	fail "debug-keys h"
[[ $(P debug-keys i) == "Source "* ]] || fail "debug-keys i"
bad "qR: key R shows nothing here" debug-keys qR
[[ -s $work/out ]] && fail "a key before the wrong one was shown"

# --- config-update: from the next start on, and devices stay
P config-update web "$work/web.cfg" memory=48 extra=rw
[[ $(P list web | awk 'NR == 2 { print $3 }') == 64 ]] || fail "config-update acts at once"
P config-update web vcpus=2 on_reboot=restart cpu_weight=300
[[ ! -s $work/err ]] || fail "config-update says: $(cat "$work/err")"
number=$(P domid web)
G web reboot
until_true eval '[[ $("$parvus" domid web 2>/dev/null) -gt $number ]]'
until_true state web "-b----"
[[ $(P list web | awk 'NR == 2 { print $3 }') == 48 && $(G web cmdline) == *"rw"* &&
	$(P list -l web) == *"vcpus = 2"*"cpu_weight = 300"* ]] ||
	fail "not the new configuration: $(P list -l web)"
P block-attach web "$work/a.img,raw,xvda,w"
P config-update web "$work/web.cfg" "disk=['$work/b.img,raw,xvdb,w']" "vif=['']"
[[ $(cat "$work/err") == *"disk: web keeps its 1 (block-attach"*"vif: web keeps its 0"* ]] ||
	fail "config-update says: $(cat "$work/err")"
[[ $(P list -l web) == *"$work/a.img"* && $(P list -l web) != *"$work/b.img"* ]] ||
	fail "its disks: $(P list -l web)"
bad "the configuration is of other, not of web" config-update web "$work/web.cfg" name=other
bad "x: KEY=VALUE is expected" config-update web "$work/web.cfg" x
bad "no kernel" config-update web name=web kernel=
bad "it has no configuration" config-update 0 "$work/web.cfg"
P config-update web memory=24
kill -9 "$(pids)"
until_true eval '[[ $(P list -v web) == *"no monitor"* ]]'
P config-update web cap=50
[[ $(P list -l web) == *"memory = 24"*"cap = 50"*"$work/a.img"* ]] || fail "after a new monitor"
P destroy web
clean

# --- cp in a domain without an agent: says what it needs, and leaves no device
P create -q "$work/web.cfg"
bad "parvus-agent has to run there, as root ($PARVUS_LIB_DIR/parvus-agent is" cp -t 1 web:/x y
bad "--copy-in and --copy-out, a disk (block-attach)" cp --timeout 1 "$work/web.cfg" web:/x
bad "there is no domain named none" cp --recursive --max 1g none:/x y
[[ $("$guest_bin" - devices) == 0 ]] || fail "devices of cp: $(P device-list)"
# one whose process was killed: the next takes its device away
"$parvus" cp web:/x y 2>/dev/null & pid=$!
until_true eval '[[ $("$guest_bin" - devices) == 1 ]]'
kill -9 $pid
wait $pid 2>/dev/null
bad "parvus-agent" cp -t 1 web:/x y
[[ $("$guest_bin" - devices) == 0 ]] || fail "devices of a killed cp: $(P device-list)"
P pause web
bad "domain web is paused (unpause)" cp web:/x y
P unpause web
P destroy web
clean

# --- info says in JSON what it says in text
P info -n >"$work/out"
P info -n --json >"$work/json"
python3 - "$work/out" "$work/json" <<'END' || fail "info --json has not all of info"
import json, re, sys
o = json.load(open(sys.argv[2]))
other = {"nr_cpus": "cpus", "nr_nodes": "nodes", "nr_domains": "domains", "cpu_mhz": "tsc_khz",
	"total_memory": "total_memory_kib", "free_memory": "unpromised_memory_kib",
	"untouched_memory": "free_memory_kib", "promised_memory": "promised_memory_kib",
	"event_ports": "ports", "grant_mappings": "mappings", "uptime": "uptime_ns"}
rows = [line.split(":", 1)[0].strip() for line in open(sys.argv[1])]
lost = [r for r in rows if not re.fullmatch("cpu[0-9]+", r) and other.get(r, r) not in o]
cpus = [r for r in rows if re.fullmatch("cpu[0-9]+", r)]
lost and print(lost)
sys.exit(bool(lost) or len(rows) < 20 or len(o["cpu"]) != len(cpus))
END

# --- every setting of the table has its word, and is what the table says
says() { # SETTING TEXT STATUS
	"$parvus" create -n "$work/web.cfg" "$1" >/dev/null 2>"$work/err"
	[[ $? == "$3" && $(cat "$work/err") == *"$2"* ]] ||
		fail "$1: status $3, $2: $(cat "$work/err")"
}
n=0
while read -r key refused; do
	n=$((n + 1))
	if [[ $refused == true ]]; then
		says "$key=['x']" "$key: " 1
		says "$key=[]" "" 0
		[[ -s $work/err ]] && fail "$key=[] says: $(cat "$work/err")"
	else
		says "$key='1'" "ignored" 0
		[[ $(cat "$work/err") == *"unknown key"* ]] && fail "$key is unknown"
	fi
done < <(sed -nE 's/^\t\{ "([a-z0-9_]+)", (true|false),.*/\1 \2/p' tools/libparvus/options.c)
((n > 90)) || fail "$n settings"
says "pci=['0000:01:00.0']" "pci: no device of the machine is given to a domain, so a list of 1" 1
says "cpuid=host" "" 0
[[ -s $work/err ]] && fail "cpuid=host says: $(cat "$work/err")"
says "cpuid=host,htt=0" "" 0
says "cpuid=host,frob=0" 'cpuid: "frob" is no feature' 1
says "cpuid=host,family=15" "cpuid: family=15: that number is the CPU's own" 1
says "channel=['name=x']" "channel x: it is of the class stream, and has a name" 1
says "p9=['tag=x']" "p9: no folder is shared with a domain" 1
says "cpus_soft=0-3" "cpus_soft: is a wish" 0
says "frobnicate=1" "unknown key, ignored" 0
for uuid in x 01234567-89ab-cdef-0123-456789abcde 01234567-89ab-cdef-0123-456789abcdefa \
	0123456789ab-cdef-0123-456789abcdef- 01234567-89ab-cdef-0123-456789abcdeg; do
	says "uuid=$uuid" "uuid: a UUID such as" 1
done

# --- docs/xl.md has the tables as they are
cp docs/xl.md "$work/xl.md"
tools/xl-table "$parvus" "$work/xl.md"
diff docs/xl.md "$work/xl.md" || fail "docs/xl.md is old: tools/xl-table $O/tools/parvus"
[[ $(grep -c '^| `' docs/xl.md) -gt 80 ]] || fail "docs/xl.md has no tables"
exit 0
