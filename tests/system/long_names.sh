# SPDX-License-Identifier: GPL-2.0-only
# Names of domains up to 255 bytes, as cluster engines give them: host names, with what a migration
# hangs on. The hypervisor's label has 31; every command takes and shows the whole name, and two
# that begin alike are two.
. tests/system/fake.bash
host=instance-0001.customers.example-of-a-long-domain.example.org
long=$(printf 'x%.0s' {1..255})

names() { P list | awk 'NR > 2 { print $1 }' | tr '\n' ' '; }

[[ $(P create "$work/web.cfg" name=$host) == "$host is domain 1" ]] || fail "create"
P create -q "$work/web.cfg" "name=$host.two"
[[ $(names) == "$host $host.two " ]] || fail "list: $(P list)"
[[ $(P domid $host) == 1 && $(P domid $host.two) == 2 && $(P domname 2) == "$host.two" ]] ||
	fail "domid, domname"
bad "there is a domain named $host already (domain 1)" create "$work/web.cfg" name=$host
bad "there is no domain named $host.three" info $host.three
bad "there is a domain named $host already (domain 1)" rename $host.two $host
for c in list info vcpu-list uptime sched top; do
	args=()
	[[ $c == info ]] && args=($host)
	[[ $c == top ]] && args=(-n 1)
	[[ $(P $c --json "${args[@]}" | tr -d ' \n') == *"\"name\":\"$host\""* ]] ||
		fail "$c --json"
done
[[ $(P top -b -n 1) == *"$host.two "* && $(P vcpu-list 2) == *"$host.two "* ]] ||
	fail "top, vcpu-list"

# as a migration does, and back
P rename $host $host--migratedaway
[[ $(names) == "$host--migratedaway $host.two " ]] || fail "rename: $(P list)"
[[ $(cat "$PARVUS_RUN_DIR/domains/1/name") == "$host--migratedaway"$'\n'"$host" ]] || fail "name"
P rename $host--migratedaway web
[[ $(names) == "web $host.two " ]] || fail "to a short one"
P rename web "$long"
[[ $(names) == "$long $host.two " ]] || fail "to 255 bytes"
bad "not a name: 1 to 255" rename 1 "x$long"
bad "name: 1 to 255" create -n "$work/web.cfg" "name=x$long"

# one that was killed between file and label has the name it had; one whose file is gone, its label
printf '%s\n' other-$host "$long" >"$PARVUS_RUN_DIR/domains/1/name"
[[ $(P domname 1) == "$long" ]] || fail "the file's first name, which is not its name"
mv "$PARVUS_RUN_DIR/domains/1/name" "$work/name"
label=$(P domname 1)
[[ $label == xxxxxxxxxxxxxxxxxxxxxx~???????? && $(P domid "$label") == 1 &&
	$(P domid "$long") == 1 ]] || fail "without its file: $label"
mv "$work/name" "$PARVUS_RUN_DIR/domains/1/name"

# a restart keeps it, the log has it as far as a file can be called so
G "$label" reboot
until_true eval '[[ $(P domid "$long" 2>/dev/null) == 3 ]]'
P destroy "$long"
ls "$PARVUS_LOG_DIR" | grep -qx "monitor-$host.log" || fail "no log of $host"
P create -q "$work/web.cfg" "name=$long" on_reboot=rename-restart
ls "$PARVUS_LOG_DIR" | grep -qx 'monitor-x*~........\.log' || fail "no log of the long one"
G "$label" reboot
until_true eval '[[ $(P domid "$long" 2>/dev/null) == 5 && $(P domname 4) == "${long:0:244}-4" ]]'
P destroy 4
P destroy "$long"
P destroy $host.two
clean
exit 0
