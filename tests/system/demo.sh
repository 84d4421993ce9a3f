# SPDX-License-Identifier: GPL-2.0-only
# @timeout 200
# The demo domain of "make run": its disk is mounted and keeps what is written, it has an
# address, a name for domain 0, and gets a page from the web server there.
. tests/system/lib.bash

unset GUEST
domain0 "$(cat <<'END'
mkfifo keys
parvus console demo <keys >said 2>&1 &
exec 3>keys
prompt() { # what is typed before the shell is there is lost
	i=0
	until grep -q '^/root #' said || [ $i = 300 ]; do usleep 100000; i=$((i + 1)); done
}
prompt
echo 'until grep -q domain0 /etc/hosts; do usleep 200000; done; ping -c 1 domain0 >/dev/null && echo PING-$((1 + 1))
wget -q -O - domain0; echo written >/mnt/file && sync && umount /mnt && mount /dev/xvda /mnt && cat /mnt/file; echo END-$((1 + 1))' >&3
i=0
until grep -q '^END-2' said || [ $i = 600 ]; do usleep 100000; i=$((i + 1)); done
tr -d '\r' <said | grep -E '^(PING-2|<p>Hello from domain 0 of Parvus.|written|END-2)$'
END
)"
[[ $rc == 0 && $out == *$'PING-2\n<p>Hello from domain 0 of Parvus.\nwritten\nEND-2' ]] ||
	fail "status $rc: $out"
