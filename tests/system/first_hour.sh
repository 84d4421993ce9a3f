# SPDX-License-Identifier: GPL-2.0-only
# @timeout 600
# docs/first-hour.md is true: its commands, run word for word, do what it says: those of the shell
# here, those of domain 0 in one domain 0.
. tests/system/lib.bash

page=docs/first-hour.md
block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{/^\`\`\`/d; p}" $page; }
[[ $(block sh | grep -c .) -ge 2 && $(block domain0 | grep -c .) -ge 20 ]] ||
	fail "$page has no commands"
[[ $(grep -c '^```' $page) == $((2 * $(grep -c '^```\(sh\|domain0\)$' $page))) ]] ||
	fail "a block of $page is run by nobody"

TIMEOUT=200 bash -e <(block sh) >"$work/here" 2>&1 ||
	{ cat "$work/here"; fail "the commands here"; }
grep -q '^Domain-0 ' "$work/here" && grep -q '^demo ' "$work/here" || fail "$(cat "$work/here")"
grep -q '^my home is /root' "$work/here" || fail "a dollar: $(cat "$work/here")"

# the demo may be made still: who types is slower
domain0 "set -e
$(block domain0)
echo the-hour-is-over"
echo "$out"
[[ $rc == 0 && $out == *the-hour-is-over* ]] || fail "the commands in domain 0: status $rc"
for said in 'web is domain' 'memory = 96' 'BusyBox on Linux' 'xvdb' \
	'data.img is in use by domain web as xvdb' 'refused, as it should be' \
	'www .* 512 ' '^Linux' \
	'status 7'; do
	grep -qE -- "$said" <<<"$out" || fail "nothing said: $said"
done
exit 0
