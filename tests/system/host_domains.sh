# SPDX-License-Identifier: GPL-2.0-only
# @timeout 300
# What the service of domains does, against a hypervisor that is a file: domains of auto start in
# the order of their names, one that cannot start is named and keeps nobody else from starting, one
# that runs is left alone; at stop others go first, then those of auto, the last one first, and who
# does not listen is destroyed. Settings that are wrong are named. parvus-image refuses what it
# should, before it does anything.
. tests/system/fake.bash
tool=$PWD/tools/host/parvus-domains
image=$PWD/tools/host/parvus-image
mkdir -p "$work/bin" "$work/etc/auto"
export PARVUS_ETC_DIR=$work/etc
# each call is written down
cat >"$work/bin/parvus" <<END
#!/bin/sh
[ "\$1" = list ] || [ "\$2" = -n ] || echo "\$*" >>$work/calls
[ "\$1" != network-nat ] || exit 0
exec $parvus "\$@"
END
chmod 755 "$work/bin/parvus"
D() { : >"$work/calls"; PATH=$work/bin:$PATH sh "$tool" "$@" >"$work/out" 2>"$work/derr"; }
calls() { tr '\n' ';' <"$work/calls" | sed "s,$work/etc/auto/,,g"; }
config() { sed "s/\"web\"/\"$2\"/" "$work/web.cfg" >"$1"; }

D start || fail "nothing to start: $(cat "$work/derr")"
D stop || fail "nothing to stop"
config "$work/etc/auto/10-b.cfg" second
config "$work/etc/auto/05-z.cfg" first
config "$work/third.cfg" third
ln -s "$work/third.cfg" "$work/etc/auto/20-a.cfg"
echo 'name = "wrong' >"$work/etc/auto/07-wrong.cfg"
config "$work/etc/auto/08-no.cfg" nokernel
sed -i "s,^kernel = .*,kernel = \"$work/none\"," "$work/etc/auto/08-no.cfg"
config "$work/etc/auto/notes.txt" text
config "$work/other.cfg" other
P create -q "$work/other.cfg"
D start && fail "a configuration that is wrong is no failure"
[[ $(calls) == "create 05-z.cfg;create 08-no.cfg;create 10-b.cfg;create 20-a.cfg;" ]] ||
	fail "order: $(calls)"
grep -q "07-wrong.cfg: parvus: " "$work/derr" || fail "not named: $(cat "$work/derr")"
grep -q "08-no.cfg: was not started" "$work/derr" || fail "not named: $(cat "$work/derr")"
[[ $("$parvus" list | awk 'NR > 1 && $2 { printf "%s ", $1 }') == "other first second third " ]] ||
	fail "$("$parvus" list)"
rm "$work"/etc/auto/0[78]*
D start || fail "again: $(cat "$work/derr")"
[[ -z $(calls) ]] || fail "what runs is started again: $(calls)"

# first does not listen
printf 'stop_timeout = 2	# short\nnetwork = "nat"\n' >"$work/etc/parvus.conf"
listen() { # NAME...: each goes when it is asked
	local n
	for n; do
		until_true asked "$n"
		G "$n" poweroff 0
	done
}
asked() { [[ $("$guest_bin" "$1" request) == 1 ]]; }
listen other third second &
listener=$!
D stop && fail "a domain that was destroyed is no failure"
wait $listener || fail "who listens is not asked"
[[ $(calls) == \
	"shutdown other;shutdown third;shutdown second;shutdown first;"*"network-nat stop;" &&
	$(calls) == *"shutdown first;destroy first;network-nat"* ]] ||
	fail "order: $(calls)"
grep -q "first did not shut down within 2 s: destroyed" "$work/derr" || fail "$(cat "$work/derr")"
clean
rm "$work"/etc/auto/*
D start || fail "nat: $(cat "$work/derr")"
[[ $(calls) == "network-nat start;" ]] || fail "nat: $(calls)"

# settings
wrong() { # TEXT LINE
	echo "$2" >"$work/etc/parvus.conf"
	D start
	[[ $? == 2 && $(cat "$work/derr") == *"$1"* && -z $(calls) ]] ||
		fail "$2: $(cat "$work/derr")"
}
wrong "network: none or nat is expected, not \"bridge\"" "network = bridge"
wrong "stop_timeout: a number of seconds is expected, not \"soon\"" "stop_timeout = soon"
wrong "start_delay: a number of seconds is expected, not \"\"" "start_delay="
wrong 'unknown setting "colour"' "colour = red"
rm "$work/etc/parvus.conf"
D frob
[[ $? == 2 && $(cat "$work/derr") == usage:* ]] || fail "usage"

# ---- parvus-image: all of this before it makes anything
I() { # TEXT ARG...
	local text=$1
	shift
	PATH=$work/bin:$PATH "$image" "$@" >"$work/out" 2>&1 && fail "parvus-image $*: no failure"
	[[ $(cat "$work/out") == "parvus-image: "*"$text"* ]] ||
		fail "parvus-image $*: $(cat "$work/out")"
}
for p in mmdebstrap mke2fs; do
	printf '#!/bin/sh\necho "%s $TMPDIR $*" >>%s/made\nexit 1\n' $p "$work" >"$work/bin/$p"
	chmod 755 "$work/bin/$p"
done
I "a name has" Web "$work/i"
I "a name has" 17 "$work/i"
I "--size 4: a number with" --size 4 web "$work/i"
I "--memory 1:" --memory 1 web "$work/i"
I "--vcpus 0:" --vcpus 0 web "$work/i"
I "unknown option --disk" --disk web "$work/i"
I "--size: a value is missing" --size
I "--ssh-key $work/none: cannot be read" --ssh-key "$work/none" web "$work/i"
I "is no file and no block device" web "$work"
echo precious >"$work/i"
I "is there already" web "$work/i"
I "no quotes and commas" web "$work/a,b"
echo precious >"$work/c.cfg"
I "c.cfg: is there already" --config "$work/c.cfg" web "$work/new"
[[ ! -e $work/made && ! -e $work/new &&
	$(cat "$work/i" "$work/c.cfg") == $'precious\nprecious' ]] ||
	fail "something was made: $(cat "$work/made")"
# a system that cannot be made leaves nothing; it was begun where there is room, /tmp may be memory
PATH=$work/bin:$PATH "$image" --config "$work/d.cfg" web "$work/new" >"$work/out" 2>&1 &&
	fail "no mmdebstrap"
grep -q "^parvus-image: mmdebstrap failed" "$work/out" || fail "$(cat "$work/out")"
grep -q '^mmdebstrap /var/tmp/parvus-image\.' "$work/made" || fail "in $(cat "$work/made")"
[[ ! -e $work/new && ! -e $work/new.part && ! -e $work/d.cfg ]] || fail "a failure leaves something"
exit 0
