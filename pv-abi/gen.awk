# SPDX-License-Identifier: MIT
#
# Reads hypercalls.tbl; -v out=numbers|stubs|table|doc|snapshot chooses what to write:
#   numbers  C and assembly: #define PARVUS_HC_<name>, for guests and hypervisor
#   stubs    static inline guest stubs, freestanding C
#   table    one HYPERCALL(nr, name, nargs, priv, path) row per call
#   doc      the reference table of docs/abi.md
#   snapshot one line per call, for check/abi.snapshot
/^[ \t]*(#|$)/ { next }
{
	nr = $1; name = $2; args = $3; priv = $4; path = $5; since = $6
	text = $0
	sub(/^[ \t]*[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+/, "", text)
	if (nr != expected) {
		printf "hypercalls.tbl:%d: number %s, expected %d\n", FNR, nr, expected > "/dev/stderr"
		exit 1
	}
	expected++
	n = args == "-" ? 0 : split(args, a, ",")
	if (out == "numbers")
		body = body sprintf("#define PARVUS_HC_%s %d\n", name, nr)
	else if (out == "table")
		body = body sprintf("HYPERCALL(%d, %s, %d, %s, %s)\n", nr, name, n, priv, path)
	else if (out == "doc")
		body = body sprintf("| %d | `%s` | %s | %s | %s | %s |\n", nr, name,
			args == "-" ? "" : "`" args "`", priv path_note(path), since, text)
	else if (out == "snapshot")
		body = body sprintf("call %d %s args %s who %s %s since %s\n", nr, name, args, priv,
			path == "none" ? "reserved" : "served", since)
	else if (out == "stubs" && path == "c") {
		params = ""; use = ""; regs = ""
		split("D S d r r r", con, " ")
		for (i = 1; i <= n; i++) {
			params = params (i > 1 ? ", " : "") "uint64_t " a[i]
			if (i > 3) regs = regs sprintf("\tregister uint64_t %s_ __asm__(\"%s\") = %s;\n",
				a[i], i == 4 ? "r10" : i == 5 ? "r8" : "r9", a[i])
			use = use (i > 1 ? ", " : "") "\"" con[i] "\"(" a[i] (i > 3 ? "_" : "") ")"
		}
		body = body sprintf("\n/* %s */\nstatic inline int64_t parvus_%s(%s)\n{\n\tint64_t ret = %d;\n%s\n" \
			"\t__asm__ volatile(\"syscall\" : \"+a\"(ret) : %s : \"rcx\", \"r11\", \"memory\");\n" \
			"\treturn ret;\n}\n", text, name, n ? params : "void", nr, regs, use)
	}
}
function path_note(p) { return p == "none" ? " (reserved)" : "" }
END {
	if (out == "doc") {
		print "| nr | name | arguments | who | since | |"
		print "|--:|---|---|---|--:|---|"
		printf "%s", body
		exit
	}
	if (out == "snapshot") {
		printf "%s", body
		exit
	}
	guard = out == "numbers" ? "PARVUS_HYPERCALLS_H" : out == "stubs" ? "PARVUS_STUBS_H" : ""
	print "/* SPDX-License-Identifier: MIT */"
	print "/* Generated from pv-abi/hypercalls.tbl; do not edit. */"
	if (guard) printf "#ifndef %s\n#define %s\n", guard, guard
	if (out == "stubs") print "#include <parvus/types.h>"
	printf "%s", body
	if (out == "numbers") printf "#define PARVUS_HC_COUNT %d\n", expected
	if (guard) print "#endif"
}
