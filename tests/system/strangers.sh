# SPDX-License-Identifier: GPL-2.0-only
# What people try who do not know us: files of other editors, values that are no values, names and
# paths of all kinds, options twice and in one word, what hands that know xl type, streams that are
# closed, full or gone, folders that cannot be written. Each is taken, or refused by one line that
# names the value; none is ignored in silence. All are tried, and those that go wrong are listed.
. tests/system/fake.bash
mkdir -p "$PARVUS_FAKE"
"$parvus" list >/dev/null || fail list
touch "$PARVUS_FAKE/bridge-br0"
wrong=0 tried=0
odd() { echo "$*: $(head -c 600 "$work/err")"; wrong=$((wrong + 1)); }
# try STATUS TEXT ARG...: one line with TEXT, or none without one
try() {
	local status=$1 text=$2 rc lines
	shift 2
	tried=$((tried + 1))
	timeout 60 "$parvus" "$@" >"$work/out" 2>"$work/err" </dev/null
	rc=$?
	lines=$(wc -l <"$work/err")
	[[ $rc == "$status" && $lines == "${text:+1}"* && $(cat "$work/err") == *"$text"* ]] &&
		[[ -n $text || ! -s $work/err ]] ||
		odd "parvus $(head -c 200 <<<"$*"): $rc, $lines lines"
}
# file STATUS TEXT LINES: the usual configuration with LINES (of printf) behind it
file() {
	# shellcheck disable=SC2059
	{ cat "$work/web.cfg"; printf "$3"; } >"$work/c.cfg"
	try "$1" "$2" create -n "$work/c.cfg"
}
has() { grep -qF -- "$1" "$work/out" || odd "no $1 in: $(head -c 300 "$work/out")"; }
zeros() { head -c "$1" /dev/zero | tr '\0' "$2"; }

# --- files of other editors and of other languages
sed 's/$/\r/' "$work/web.cfg" >"$work/c.cfg"
try 0 "" create -n "$work/c.cfg"
has 'cmdline = "root=/dev/xvda1 ro"'
has 'name = "web"'
printf '\xef\xbb\xbf' | cat - "$work/web.cfg" >"$work/c.cfg"
try 0 "" create -n "$work/c.cfg"
has 'name = "web"'
file 1 ':10: a setting (key = value) is expected' '\xef\xbb\xbfvcpus = 1\n'
tr '\n' '\r' <"$work/web.cfg" >"$work/c.cfg"
try 1 ":1: " create -n "$work/c.cfg"
iconv -t UTF-16 "$work/web.cfg" >"$work/c.cfg"
try 1 ":1: a setting (key = value) is expected" create -n "$work/c.cfg"
file 1 'a setting (key = value) is expected, at: import os' 'import os\n'
file 1 'more than one value, or something behind it, at: + 2' 'memory = 1 + 2\n'
file 1 'more than one value' "extra = '''a\nb'''\n"
file 1 'a value is a text in quotes, a number, or a list' 'on_reboot = restart\n'
file 1 'a value is missing' 'memory =\n'
file 1 'a setting (key = value) is expected, at: memory 64' 'memory 64\n'
file 1 'a setting (key = value) is expected, at: = 64' '= 64\n'
file 1 'no number, though it begins as one' 'memory = 18446744073709551615\n'
file 1 'memory: a number from 2 to' 'memory = -5\n'
file 1 'not the text "64M"' 'memory = "64M"\n'
file 1 'entry 1 is a list of 1' 'disk = [["a"]]\n'
file 1 'a list without its ]' 'disk = ["/x,raw,xvda,w"\n'
file 1 'a string that does not end on its line' 'disk = ["/a b\n/c,raw,xvda,w"]\n'
file 1 'a zero byte in a string' 'ramdisk = "a\0b"\n'
{ cat "$work/web.cfg"; zeros 300000 x; } >"$work/c.cfg"
try 1 "a setting (key = value) is expected, at: xxx" create -n "$work/c.cfg"
(($(stat -c %s "$work/err") < 200)) || odd "a long line is shown whole"
zeros 300000 '[' >"$work/c.cfg"
try 1 "a setting (key = value) is expected" create -n "$work/c.cfg"
printf 'x = ' >"$work/c.cfg"
zeros 300000 '[' >>"$work/c.cfg"
try 1 ":1: " create -n "$work/c.cfg"
: >"$work/c.cfg"
try 1 "no name is given" create -n "$work/c.cfg"

# --- what is said twice, or for nobody
file 0 'memory: is given again, only this value counts' 'memory = 64\n'
has 'memory = 64'
file 0 'vif: interfaces 0 and 1 have the same mac' \
	'vif = ["mac=00:16:3e:00:00:01", "mac=00:16:3e:00:00:01"]\n'
file 0 '' 'vif = ["mac=00:16:3e:00:00:01", "mac=00:16:3e:00:00:02", "", "bridge=br0"]\n'
sed '/^cpus/d' "$work/web.cfg" >"$work/none.cfg"
try 0 'cpus: 3 sets, and there are 2 vCPUs (maxvcpus): the last are ignored' \
	create -n "$work/none.cfg" 'cpus=["0","0","0"]'
try 0 '' create -n "$work/none.cfg" 'cpus=["0","1"]'
has 'cpus = ["0", "1"]'
try 0 '' create -n "$work/web.cfg"
has 'cpus = "0"'
file 1 "the mac 00:00:00:00:00:00 is nobody's" 'vif = ["mac=00:00:00:00:00:00"]\n'
file 1 'is a multicast address' 'vif = ["mac=ff:ff:ff:ff:ff:ff"]\n'
file 1 '"xvda" and "xvdb" are given for the same' 'disk = ["vdev=xvda,vdev=xvdb,target=/x"]\n'
file 1 'not "../../x"' 'vif = ["bridge=../../x"]\n'

# --- names: nothing that leaves a folder, nothing that a terminal obeys
for name in '../x' . .. '' 1 -a a/b 'a b' $'a\nb'; do
	try 1 "name: 1 to 255 letters" create -n "$work/web.cfg" "name='${name//$'\n'/\\n}'"
done
try 1 'name: 1 to 255 letters' create -n "$work/web.cfg" "name=$(zeros 300 a)"
for name in $'\xff\xfe' $'a\x1b[31m' $'a\xc2\x9b31m' $'a\x7f'; do
	try 1 "there is no domain named " list "$name"
	LC_ALL=C grep -q $'[\xff\xfe\x1b\x7f]\|\xc2\x9b' "$work/err" && odd "shown as it is"
	iconv -f UTF-8 -t UTF-8 "$work/err" >/dev/null 2>&1 || odd "no UTF-8"
done
try 1 'there is no domain named wéb' list wéb

# --- empty values are shown as such
P create -q "$work/web.cfg"
P create -q "$work/web.cfg" name=two
try 1 'parvus: "": not a name' rename web ''
try 1 'mem-set: "": a size' mem-set web ''
try 1 'sysrq: "": one letter' sysrq web ''
try 1 'network-detach: "": ' network-detach web ''
try 1 'trigger: "": ' trigger web ''
try 1 'cannot open ""' create -n ''
try 1 'unknown command ""' ''

# --- hands that know xl
try 0 '' -vf -t list
try 0 '' -vvvv list
try 1 'unknown command -vN' -vN list
try 0 '' sched-credit -d web
has web
try 0 '' sched-credit2 -d web -w 300
try 0 '' sched-c -d web
has 300
try 0 '' l
try 1 'unknown command s ' s
try 0 '' mem-set web 16m
try 1 'may have 32 MiB at most' mem-set web 512m
try 1 'a number of vCPUs from 1 to 64' vcpu-set web 0
try 1 'has at most 2 vCPUs' vcpu-set web 3
try 1 'key=value is expected, not "br0"' network-attach web br0
try 1 'there is no bridge none' network-attach web bridge=none
try 1 'the format is not raw' block-attach web "$work/kernel" xvdb w
try 1 'has no disk 51712' block-detach web 51712
try 1 '-t vnc: there is pv alone' console -t vnc web
try 0 '' info -n
try 1 '-n shows the machine' info -n web
try 0 '' dmesg -c
try 1 'too many arguments: x' dmesg -c x
try 0 '' top -b -n 1
try 1 'top: -n 0: a number from 1 on' top -n 0
try 1 'a number of lines from 1 on is expected' stat web 1 0
try 1 'a number of lines from 1 on is expected' stat -n -3 web
for verb in pause unpause; do
	try 1 'domain 0 is the control domain: it cannot be paused' $verb 0
done
try 1 'domain 0 is the control domain' destroy Domain-0
try 1 'domain 0 is the control domain' shutdown 0
try 1 'a domain or -a is expected, not both' shutdown -a web
try 1 'there is a domain named two already' rename web two
try 1 'KEY=VALUE is expected' create -n "$work/web.cfg" "$work/web.cfg"
try 1 'is a directory: a regular file is expected' create -n "$work"
try 1 '/dev/full: a regular file is expected' dump-core web /dev/full
mkfifo "$work/fifo"
try 1 'is a FIFO' create "$work/web.cfg" name=three "kernel='$work/fifo'"
try 1 'is a directory' create "$work/web.cfg" name=three kernel=/dev
try 1 'is a FIFO' block-attach web "$work/fifo,raw,xvdb,r"
mkdir "$work/a b"
truncate -s 1M "$work/a b/c'd.img"
try 0 '' block-attach web "$work/a b/c'd.img,raw,xvdb,w"
P block-list web >"$work/out"
has "$work/a b/c'd.img"
try 0 '' block-detach --force web xvdb

# --- streams that are closed, full or gone
full() { # ARG...: what could not be written is told, and why; it ends
	tried=$((tried + 1))
	timeout 60 "$parvus" "$@" >/dev/full 2>"$work/err" </dev/null
	[[ $? == 1 && $(cat "$work/err") == "parvus: cannot write: No space left on device" ]] ||
		odd "parvus $* >/dev/full"
}
full list
full list --json
full list --help
full help
full version
full info
full create -n "$work/web.cfg"
full vcpu-list
full top -b
full top -b --json -d 0.1
full stat web 0.1
full stat --json web 0.1
for streams in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
	tried=$((tried + 1))
	eval '"$parvus" create -q "$work/web.cfg" name=three' "$streams" 2>"$work/err" ||
		odd "create $streams"
	P destroy three
	eval '"$parvus" list' "$streams" >/dev/null 2>"$work/err" || odd "list $streams"
	until_true count 2
done
"$parvus" help | true
[[ ${PIPESTATUS[0]} == @(0|141) ]] || odd "help | true"

# --- folders that cannot be written
touch "$work/file"
nowhere() { # VARIABLE FOLDER TEXT
	tried=$((tried + 1))
	env "$1=$2" "$parvus" create -q "$work/web.cfg" name=three >/dev/null 2>"$work/err"
	[[ $? == 1 && $(wc -l <"$work/err") == 1 && $(cat "$work/err") == *"$3"* ]] ||
		odd "create with $1=${2:0:50}"
	count 2 || odd "a domain is left, with $1=${2:0:50}"
}
nowhere PARVUS_RUN_DIR "$work/file" "$work/file/"
nowhere PARVUS_RUN_DIR /proc/none "/proc/none"
nowhere PARVUS_RUN_DIR "/$(zeros 5000 a)" "cannot make /aaa"
nowhere PARVUS_MONITOR "$work/none" "cannot start the monitor $work/none"

P destroy web
P destroy two
clean
((wrong == 0)) || fail "$wrong of $tried"
((tried > 110)) || fail "only $tried were tried"
exit 0
