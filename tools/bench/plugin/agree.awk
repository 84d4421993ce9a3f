# SPDX-License-Identifier: GPL-2.0-only
# awk -v keys=KEY+... -v sources=SOURCE+... [-v way=WAY] [-v slack=SHARE] -f agree.awk \
#	CONSOLE PLUGIN
# The hypervisor's counters against the plugin: of each BENCH record the sum of the keys, of the
# plugin's record with the same number the sum of the sources: calls of a symbol, or an event by
# opcode (hv.cr3_writes). Says both sums, and where they differ by more than that share and 8
# (without one: at all); the status is 1 if they do. With a way, records of that way alone.
BEGIN {
	n = split(keys, list, "+"); for (i = 1; i <= n; i++) key[list[i]] = 1
	n = split(sources, list, "+"); for (i = 1; i <= n; i++) source[list[i]] = 1
	n = compared = a = b = 0
}
{ sub(/\r$/, "") }
FNR == NR {
	sub(/^.*BENCH /, "BENCH ")	# a console may put its own bytes before a line
	if ($1 != "BENCH") next
	name[n] = $2 " " $3
	of[n] = $3
	for (i = 8; i <= NF; i++) {
		split($i, pair, "=")
		if (pair[1] in key) ours[n] += pair[2]
	}
	n++
	next
}
$1 == "RECORD" {
	for (i = 3; i <= NF; i++) {
		split($i, pair, "=")
		if (pair[1] in source) theirs[$2] += pair[2]
	}
	records++
}
# what the compiler has made of a function: name, name.isra.0; its cold part is no call
$1 == "SYM" && $3 !~ /\.cold/ {
	sub(/\..*/, "", $3)
	if ($3 in source) theirs[$2] += $6
}
END {
	for (i = 0; i < n; i++) {
		if (way != "" && of[i] != way) continue
		a += ours[i]; b += theirs[i]; compared++
		d = ours[i] > theirs[i] ? ours[i] - theirs[i] : theirs[i] - ours[i]
		worst = d > worst ? d : worst
		if (d > (slack ? 8 : 0) + slack * ours[i])
			bad = bad sprintf("; %s: hypervisor %d, plugin %d", name[i], ours[i],
					  theirs[i])
	}
	printf "hypervisor %d, plugin %d, in %d records", a, b, compared
	if (records != n) { printf "; the plugin has %d records, not %d", records, n; exit 1 }
	print bad
	exit bad != ""
}
