# SPDX-License-Identifier: MIT
#
# Reads hypercalls.tbl; -v out=numbers|stubs|handlers|table|doc|snapshot chooses what to write:
#   numbers  C and assembly: #define PARVUS_HC_<name>, for guests and hypervisor
#   stubs    static inline guest stubs, freestanding C
#   handlers the hypervisor's prototypes, s64 hc_<name>(struct vcpu *v, u64 <argument>...)
#   table    what calls them with what is in the registers, call_<name>(v, r), and
#            HYPERCALL_TABLE(ROW) with a ROW(nr, function, priv, list) per call
#   doc      the reference table of docs/abi.md
#   snapshot one line per call, for check/abi.snapshot
/^[ \t]*(#|$)/ { next }
{
	nr = $1; name = $2; args = $3; priv = $4; path = $5; list = $6; since = $7
	text = $0
	for (i = 0; i < 7; i++) sub(/^[ \t]*[^ \t]+[ \t]+/, "", text)
	if (path !~ /^(asm|c|none|bench)$/ || list !~ /^(yes|no|regs)$/ ||
	    priv !~ /^(any|control|debug)$/ || since !~ /^[0-9]+$/) {
		printf "hypercalls.tbl:%d: bad priv, path, list or since\n", FNR > "/dev/stderr"
		exit 1
	}
	if (nr != expected) {
		printf "hypercalls.tbl:%d: number %s, expected %d\n", FNR, nr, \
			expected > "/dev/stderr"
		exit 1
	}
	expected++
	n = args == "-" ? 0 : split(args, a, ",")
	if (out == "numbers")
		body = body sprintf("#define PARVUS_HC_%s %d\n", name, nr)
	else if (out == "handlers" && path != "none") {
		body = body sprintf("s64 hc_%s(struct vcpu *v", name)
		for (i = 1; i <= n; i++) body = body ", u64 " a[i]
		body = body (list == "regs" ? ", struct regs *regs" : "") ");\n"
	} else if (out == "table") {
		split("rdi rsi rdx r10 r8 r9", reg, " ")
		use = ""
		for (i = 1; i <= n; i++) use = use ", r->" reg[i]
		if (path != "none") {
			if (path == "bench") body = body "#ifdef CONFIG_BENCH\n"
			body = body sprintf("static s64 call_%s(struct vcpu *v, " \
				"UNUSED struct regs *r)\n{\n\treturn hc_%s(v%s%s);\n}\n", name,
				name, use, list == "regs" ? ", r" : "")
			if (path == "bench")
				body = body "#else\n#define call_" name " call_none\n#endif\n"
		}
		rows = rows sprintf(" \\\n\tROW(%d, call_%s, %s, %s)", nr,
			path == "none" ? "none" : name, priv, list)
	}
	else if (out == "doc")
		body = body sprintf("| %d | `%s` | %s | %s | %s | %s |\n", nr, name,
			args == "-" ? "" : "`" args "`", priv path_note(path), since, text)
	else if (out == "snapshot")
		body = body sprintf("call %d %s args %s who %s %s since %s\n", nr, name, args, priv,
			path ~ /none|bench/ ? "reserved" : "served", since)
	else if (out == "stubs" && path == "c") {
		params = ""; use = ""; regs = ""
		split("D S d r r r", con, " ")
		for (i = 1; i <= n; i++) {
			params = params (i > 1 ? ", " : "") "uint64_t " a[i]
			if (i > 3)
				regs = regs sprintf("\tregister uint64_t %s_ " \
					"__asm__(\"%s\") = %s;\n", a[i],
					i == 4 ? "r10" : i == 5 ? "r8" : "r9", a[i])
			use = use (i > 1 ? ", " : "") "\"" con[i] "\"(" a[i] (i > 3 ? "_" : "") ")"
		}
		body = body sprintf("\n/* %s */\nstatic inline int64_t parvus_%s(%s)\n{\n" \
			"\tint64_t ret = %d;\n%s\n" \
			"\t__asm__ volatile(\"syscall\" : \"+a\"(ret) : %s : " \
			"\"rcx\", \"r11\", \"memory\");\n\treturn ret;\n}\n", text,
			name, n ? params : "void", nr, regs, use)
	}
}
function path_note(p) { return p ~ /none|bench/ ? " (reserved)" : "" }
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
	guard = out == "numbers" ? "PARVUS_HYPERCALLS_H" : out == "stubs" ? "PARVUS_STUBS_H" : \
		out == "handlers" ? "CORE_HANDLERS_H" : ""
	print "/* SPDX-License-Identifier: MIT */"
	print "/* Generated from pv-abi/hypercalls.tbl; do not edit. */"
	if (guard) printf "#ifndef %s\n#define %s\n", guard, guard
	if (out == "stubs") print "#include <parvus/types.h>"
	if (out == "handlers") print "#include <core/vcpu.h>"
	printf "%s", body
	if (out == "table") print "#define HYPERCALL_TABLE(ROW)" rows
	if (out == "numbers") printf "#define PARVUS_HC_COUNT %d\n", expected
	if (guard) print "#endif"
}
