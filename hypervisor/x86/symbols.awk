# SPDX-License-Identifier: GPL-2.0-only
# From "nm -n": a C file with the functions' offsets from image_start and their names.
# Addresses are below 2^32 above the base, so the low 8 hex digits do.
function value(hex,   v, i) {
	v = 0
	for (i = length(hex) - 7; i <= length(hex); i++)
		v = v * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
	return v
}
$3 == "image_start" { base = value($1) }
$2 ~ /^[tT]$/ { at[n] = $1; name[n] = $3; n++ }
END {
	print "#include <core/types.h>"
	print "extern const u32 symbol_count;"
	print "extern const struct symbol { u32 offset, name; } symbol_table[];"
	print "extern const char symbol_names[];"
	printf "const u32 symbol_count = %d;\nconst struct symbol symbol_table[] = {\n", n
	for (i = 0; i < n; i++) {
		printf "{ %u, %u },\n", value(at[i]) - base, offset
		offset += length(name[i]) + 1
	}
	print "};\nconst char symbol_names[] ="
	for (i = 0; i < n; i++)
		printf "\"%s\\0\"\n", name[i]
	print "\"\";"
}
