# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# channel = of xl: a stream by a name, /dev/parvus/channel/NAME in the domain, a socket or a
# terminal here; both ways, more than the rings hold, any bytes; clients that come and go, a server
# that was killed, a reboot; and what is wrong is refused by name.
. tests/system/lib.bash
program talk
mkdir -p "$work/root"
cp "$O/tests/prog/talk" "$work/root/" || exit 99

control "$(cat <<'END'
c=/dev/parvus/channel
refused() { bad 1 "$1" create -q name=x kernel=$K memory=64 "channel=$2"; }
refused "channel x: it is of the class stream, and has a name, a connection" "['name=x']"
refused 'name=, connection=socket or pty, and path= are expected, not "frob=1"' \
	"['name=x,frob=1']"
refused "channel: 1 to 64 letters" "['name=a/b,connection=pty,path=/tmp/x']"
refused "connection: socket or pty is expected" "['name=x,connection=tcp,path=/tmp/x']"
refused "x is given twice" "['name=x,connection=pty,path=/a','name=x,connection=pty,path=/b']"

one="'connection=socket,path=/tmp/one.sock,name=one'"
domain web 64 on_reboot=restart "channel=[$one,'name=two,connection=pty,path=/tmp/two']"
ready() {
	until_true 90 "[ -S /tmp/one.sock ] && [ -L /tmp/two ]"
	until_true 90 "parvus cp /talk web:/root/talk 2>/dev/null"
	until_true 60 "[ \"\$(ask web 'ls $c | cat' | tr '\n' ' ')\" = 'one two ' ]"
}
ready
both() { # PATH NAME: 300000 bytes each way at once
	head -c 300000 /dev/urandom >mine
	echo "head -c 300000 /dev/urandom >/root/mine
/root/talk $c/$2 300000 </root/mine >/root/got; echo \$? >/root/rc" >both.sh
	P cp both.sh web:/root
	ask web '(sh /root/both.sh &) >/dev/null 2>&1' >/dev/null
	until_true 20 "ask web 'ls -l /root/mine' | grep -q 300000"
	/talk $1 300000 <mine >got || fail "$1: status $?, $(ls -l got)"
	until_true 30 "[ \"\$(ask web cat /root/rc)\" = 0 ]"
	[ "$(ask web 'md5sum </root/got')" = "$(md5sum <mine)" ] || fail "$1: to the domain"
	[ "$(ask web 'md5sum </root/mine')" = "$(md5sum <got)" ] || fail "$1: from the domain"
	ask web 'rm /root/rc' >/dev/null
}
step "both ways"
both /tmp/one.sock one
both /tmp/one.sock one	# another client
both /tmp/two two

step "what was said while nobody was there"
ask web "printf hello >$c/one; printf there >$c/two" >/dev/null
[ "$(/talk /tmp/one.sock 5 </dev/null)$(/talk /tmp/two 5 </dev/null)" = hellothere ] || fail "lost"

step "a server that was killed, a reboot"
pids() { ps | sed -n 's/^ *\([0-9]*\) .*[c]hannel-server --device.*/\1/p'; }
[ "$(pids | wc -l)" = 2 ] || fail "servers: $(ps)"
old=$(pids)
kill -9 $old
until_true 60 "[ \"\$(pids | wc -l)\" = 2 ] && [ \"\$(pids)\" != '$old' ]"
again() {
	ask web "printf again >$c/one" >/dev/null
	[ "$(/talk /tmp/one.sock 5 </dev/null)" = again ]
}
until_true 60 again
P reboot web
until_true 90 "[ \"\$(parvus domid web 2>/dev/null)\" = 2 ]"
ready
both /tmp/one.sock one
P destroy web
until_true 20 "[ ! -e /tmp/one.sock ] && [ ! -L /tmp/two ] && [ -z \"\$(pids)\" ]"
END
)"
