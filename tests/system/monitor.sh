# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# parvus-monitor as a program (sanitized), against a hypervisor that is a file: started by hand with
# bad arguments; found where it was installed, or not there; a state of another version, cut, full
# of garbage or of another domain; one that takes over from a monitor that was killed goes on with
# what that one had begun.
. tests/system/fake.bash

wrong() { # TEXT ARG...: one line with TEXT, status 1
	local text=$1 rc
	shift
	"$PARVUS_MONITOR" "$@" >"$work/out" 2>"$work/err" </dev/null
	rc=$?
	[[ $rc == 1 && $(wc -l <"$work/err") == 1 && ! -s $work/out &&
		$(cat "$work/err") == "parvus-monitor: "*"$text"* ]] ||
		fail "parvus-monitor $*: status $rc: $(cat "$work/err"), not: $text"
}
dead() { ! kill -0 "$1" 2>/dev/null; }
kill_monitor() { local pid; pid=$(pids); kill -9 "$pid"; until_true dead "$pid"; }

# --- by hand
for args in "" "web" "web 1 5 6"; do
	# shellcheck disable=SC2086
	wrong "usage: parvus-monitor NAME DOMAIN [LINK]" $args
done
for domain in x 1x -1 "" 0x1 4294967295 99999999999999999999; do
	wrong "the number of a domain is expected" web "$domain"
done
for link in x 2 -3 "" 99; do
	wrong "a descriptor of a socket is expected" web 1 "$link"
done
exec 7<"$0"
wrong "a descriptor of a socket is expected" web 1 7
exec 7<&-
[[ $("$PARVUS_MONITOR" --version) == "parvus-monitor "[0-9]* ]] || fail "--version"
wrong "there is no domain 77" web 77
wrong "there is no record of domain 0" Domain-0 0
PARVUS_MONITOR=$(realpath "$O/tools/parvus-monitor") wrong \
	"cannot open /dev/parvus/control: not there" web 1
PARVUS_MONITOR=/none bad "cannot start the monitor /none: No such file" create "$work/web.cfg"
clean
PARVUS_MONITOR=/bin/true bad "it could not be started" create "$work/web.cfg"
clean

# --- installed: beside the command's folder
mkdir -p "$work/usr/sbin" "$work/usr/lib/parvus"
cp "$parvus" "$work/usr/sbin/parvus"
cp "$PARVUS_MONITOR" "$work/usr/lib/parvus/parvus-monitor"
env -u PARVUS_MONITOR "$work/usr/sbin/parvus" create -q "$work/web.cfg" ||
	fail "not found where it was installed"
id=$(P domid web)
[[ $(tr '\0' ' ' <"/proc/$(pids)/cmdline") == "parvus-monitor web $id "* ]] ||
	fail "$(tr '\0' ' ' <"/proc/$(pids)/cmdline")"
[[ $(readlink "/proc/$(pids)/exe") == "$work/usr/lib/parvus/parvus-monitor" ]] ||
	fail "another one runs"
wrong "another monitor serves domain" web "$id"

# --- a state that is none
kill_monitor
state=$PARVUS_RUN_DIR/domains/$id/state
cp "$state" "$work/state"
strange() { # TEXT: what is told of $state, by whoever needs it
	bad "$1" monitor web
	bad "$1" console web
	bad "$1" block-attach web /dev/null,raw,xvdb,w
	wrong "$1" web "$id"
	state web "-b----" || fail "the domain went with its state"
	P list -l web | grep -q '"config"' && fail "a configuration of a strange state"
	P block-list web
}
sed 's/^parvus-state 1$/parvus-state 2/' "$work/state" >"$state"
strange "$state: of version 2, and version 1 is known here"
head -c 90 "$work/state" >"$state"
strange "$state: cut short"
head -c -1 "$work/state" >"$state"
strange "$state: cut short"
sed '/^console_ref/d' "$work/state" >"$state"
strange "$state:4: \"console_ref NUMBER\" is expected"
head -c 5000 /dev/urandom >"$state"
strange "$state: not the state of a monitor"
: >"$state"
strange "$state: not the state of a monitor"
sed 's/^created_ns .*/created_ns 7/' "$work/state" >"$state"
bad "the record of domain $id is of an earlier one" monitor web
rm "$state"
bad "there is no record of domain $id" monitor web
sed "s/^domain $id\$/domain 77/" "$work/state" >"$state"
bad "of another domain" monitor web

# --- whole again; without LINK it serves until the end of the domain
cp "$work/state" "$state"
"$PARVUS_MONITOR" web "$id" 2>"$work/said" &
monitor=$!
until_true test -S "$PARVUS_RUN_DIR/domains/$id/console.sock"
G web say "by hand
"
"$parvus" console web </dev/null >"$work/c1" &
until_true grep -q "by hand" "$work/c1"
G web poweroff 0
wait $monitor || fail "status $? at the end: $(cat "$work/said")"
grep -q "domain $id: ended: poweroff" "$work/said" || fail "$(cat "$work/said")"
clean

# --- who takes over from one that had begun to restart goes on with it, and dumps no second core
P create -q "$work/web.cfg" on_crash=coredump-restart
id=$(P domid web)
another() {
	until_true eval "[[ \$('$parvus' domid web 2>/dev/null || echo 0) -gt $id ]]"
	until_true state web "-b----"
	id=$(P domid web)
}
G web crash
another
G web crash
until_true grep -qx 'ended 1' "$PARVUS_RUN_DIR/domains/$id/state"
kill_monitor
grep -qx 'quick_ends 2' "$PARVUS_RUN_DIR/domains/$id/state" ||
	fail "$(cat "$PARVUS_RUN_DIR/domains/$id/state")"
cores=$(ls "$PARVUS_DUMP_DIR" | wc -l)
[[ $(P list web | awk 'NR == 2 { print $5 }') == "---sc-" ]] ||
	fail "restarted by nobody: $(P list)"
P monitor web
another
[[ $(ls "$PARVUS_DUMP_DIR" | wc -l) == "$cores" ]] || fail "another core"
grep -qx 'quick_ends 2' "$PARVUS_RUN_DIR/domains/$id/state" ||
	fail "it has forgotten that the one before ended soon"
P destroy web
clean
exit 0
