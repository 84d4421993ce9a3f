# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# Every command of the table, and every option of every command, is tried by a test, in a call that
# succeeds; those that no other test has in hand are tried here, against the hypervisor that is a
# file: options that xl has and that change nothing here, and what each command says as JSON.
. tests/system/fake.bash
fail() { echo "FAILED: $*" >&2; exit 1; }	# what is printed goes to files here
mkdir -p "$PARVUS_FAKE"
"$parvus" list >/dev/null || fail list
touch "$PARVUS_FAKE/bridge-br0" "$PARVUS_FAKE/blk-3"
truncate -s 1M "$work/a.img" "$work/b.img" "$work/cd.iso"
# json EXPRESSION: of what was printed, d
json() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
sys.exit(not eval(sys.argv[2]))' "$work/out" "$1" || fail "not $1: $(cat "$work/out")"
}

# --- create: the file by -f, shown to the end by -F, attached to by -c; more than there is
P create -e -q -f "$work/web.cfg" name=web
P destroy -f web
clean
P create --defconfig="$work/web.cfg" -q
P destroy web
bad "are free and not promised (overcommit=1 to do it all the same)" create "$work/web.cfg" \
	memory=4096
# what the file's hypervisor says itself
bad "cannot create a domain: not enough memory" create --overcommit "$work/web.cfg" memory=4096
P create --overcommit -q "$work/web.cfg"
P destroy web
clean
for option in -F --foreground -c --console; do
	timeout 60 "$parvus" create $option -q "$work/web.cfg" >"$work/shown" 2>"$work/err" \
		</dev/null &
	create=$!
	G web wait >/dev/null
	G web say $'a line of its console\n'
	until_true grep -q "a line of its console" "$work/shown"
	G web poweroff 0
	wait $create || fail "create $option: $?: $(cat "$work/err")"
	clean
done

# --- its life, as JSON
P create -q "$work/web.cfg" on_reboot=preserve
P create -q "$work/web.cfg" name=two
web='{"name": "web", "id": '$(P domid web)'}'
P pause web --json >"$work/out"
json "d == $web"
P unpause web --json >"$work/out"
json "d == $web"
P trigger --json web power >"$work/out"
json "d == $web"
P domid web --json >"$work/out"
json "d == $web"
P domname --json "$(P domid web)" >"$work/out"
json "d == $web"
P shutdown -a --json >"$work/out"
json '[x["name"] for x in d] == ["web", "two"]'
P shutdown -F web
P reboot --json -a >"$work/out"
json '[x["name"] for x in d] == ["web", "two"]'
P rename --json two deux >"$work/out"
json 'd["name"] == "deux"'
P destroy deux
"$parvus" reboot -F -w --timeout 50 web 2>"$work/err" &
reboot=$!
until_true eval '[[ $("$guest_bin" web request) == 2 ]]'
G web reboot
wait $reboot || fail "reboot -w: $?: $(cat "$work/err")"
until_true state web "---sr-"
P destroy web
clean
P create -q "$work/web.cfg"
bad "has not ended within 1 s, and stays asked" reboot --wait --timeout=1 web

# --- vCPUs and memory
P vcpu-pin -f web 0 0 --json >"$work/out"
json 'd[0]["affinity"] == "0"'
P vcpu-pin --force web all all
P vcpu-set -i web 2
P vcpu-set --ignore-host web 1 --json >"$work/out"
json 'd["vcpus_wanted"] == 1'
P mem-set web 16 --json >"$work/out"
json 'd["name"] == "web"'
P mem-max --json web 32 >"$work/out"
json 'd["name"] == "web"'
P top -b -f -n 1 -s name >"$work/out"
P top --batch --full-name --sort=mem --iterations=1 >"$work/again"
[[ $(grep -oE '^(web|Domain-0) ' "$work/out" | tr -d '\n') == "Domain-0 web " &&
	$(grep -cE '^(web|Domain-0) ' "$work/again") == 2 ]] ||
	fail "top -s: $(cat "$work/out" "$work/again")"
P uptime --json >"$work/out"
json 'sorted(x["name"] for x in d) == ["Domain-0", "web"]'
P dump-core --json web "$work/core" >"$work/out"
json "d['name'] == 'web'"
[[ -s $work/core ]] || fail "dump-core"
P config-update --json web memory=24 >"$work/out"
P sysrq --json web h >"$work/out"

# --- devices
P block-attach --json web "$work/a.img,raw,xvda,w" >"$work/out"
json 'd["vdev"] == "xvda"'
P block-resize --json web xvda >"$work/out"
json 'd["vdev"] == "xvda"'
P block-set --json --iops 100 web xvda >"$work/out"
json 'd["iops"] == 100'
P block-attach web "$work/cd.iso,raw,xvdb,r,cdrom"
P cd-eject --json web xvdb >"$work/out"
json 'd["vdev"] == "xvdb"'
P cd-insert --json web xvdb "$work/cd.iso" >"$work/out"
json 'd["vdev"] == "xvdb"'
P block-detach --json --force web xvda >"$work/out"
json 'd["vdev"] == "xvda"'
P network-attach --json web bridge=br0 >"$work/out"
json 'd["bridge"] == "br0"'
P network-detach --force --json web 0 >"$work/out"
json 'd["devid"] == 0 and "mac" in d'
P network-attach web bridge=br0
P network-detach -f web 0
P device-attach --json web class=0x101 >"$work/out"
json 'd["class"] == 0x101'
P device-detach --json -f web 0x101 >"$work/out"
json 'd["class"] == 0x101'

for follow in -f --follow; do
	timeout 2 "$parvus" dmesg $follow >"$work/out" 2>"$work/err"
	[[ $? == 124 && ! -s $work/err ]] || fail "dmesg $follow: $(cat "$work/err")"
done

# --- monitors
P create -q "$work/web.cfg" name=two
kill -9 $(pids)
until_true eval '[[ $("$parvus" list -v | grep -c "no monitor") == 2 ]]'
P monitor --json web >"$work/out"
json 'd["name"] == "web"'
P adopt --json >"$work/out"
json '[x["name"] for x in d] == ["two"]'
P destroy web
P destroy two
clean

# --- and so every option of the table is in a test's call. Refused by a word: JSON of what writes
# none, and what is not there yet.
python3 - "$parvus" tests/system/*.sh tests/system/*.ash >"$work/out" <<'END' ||
import re, subprocess, sys
refused = {"console --json", "debug-keys --json", "run --json", "save", "restore", "migrate"}
def says(*args):
    return subprocess.run([sys.argv[1], *args], capture_output=True, text=True).stdout
calls = []
for file in sys.argv[2:]:
    text = re.sub(r"^\s*#.*$", "", open(file, errors="replace").read(), flags=re.M)
    text = text.replace("\\\n", " ")
    for name, options in ("$options", "-b --bridge -s --subnet"), ("$follow", "-f --follow"), \
                         ("$option", "-F --foreground -c --console"):
        text = text.replace(name, options)
    m = re.search(r'P\(\) \{ "\$parvus" ([a-z-]+) "\$@"', text)
    if m:
        text = re.sub(r"\bP ", "P %s " % m[1], text)
    for part in re.split(r"\n|;|\||&&|\$\(|`|\bthen\b|\bdo\b|[<>]", text):
        m = re.search(r'(?:\bP|\bX|\bxl|\bxm|parvus"?|xentop|domain)\s+(.*)', part)
        if m and not re.match(r"\s*bad\b", part):
            words = [w.strip("\"'") for w in m[1].split()]
            calls.append((["create"] + words) if m[0].startswith("domain ") else words)
lost, options = [], 0
for c in re.findall(r"^  ([a-z-]+) ", says("help"), re.M):
    mine = [w[w.index(c) + 1:] for w in calls if c in w[:2]]
    if not mine and c not in refused:
        lost.append(c)
    for short, long in re.findall(r"^  (?:-(\w)|  )(?:, |  )(?:--([a-z-]+))?",
                                  says("help", c), re.M):
        options += 1
        form = "|".join(([r"-[a-zA-Z]*%s.*" % short] if short else []) +
                        ([r"--%s(=.*)?" % long] if long else []))
        name = "%s %s" % (c, "--" + long if long else "-" + short)
        if long != "help" and name not in refused and c not in refused and \
           not any(re.fullmatch(form, w) for words in mine for w in words):
            lost.append(name)
for name in lost:
    print("tried by no test:", name)
sys.exit(bool(lost) or options < 120)
END
	fail "$(cat "$work/out")"
exit 0
