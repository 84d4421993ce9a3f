# SPDX-License-Identifier: GPL-2.0-only
# hypervisor/mmu keeps its two promises. It is a ladder: a part of shadow.c names no function of
# a part below it, not even in a declaration. It has one maker: an entry that maps memory comes
# from leaf_make() or leaf_renew(), its rights from leaf_rights(), and nothing else writes into
# a table. And these checks see what breaks them.
. tests/system/lib.bash

cat >"$work/check.py" <<'END'
import os, re, sys

folder = sys.argv[1]
bad = []

def read(name):
    """The text without comments and strings."""
    text = open(os.path.join(folder, name)).read()
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"',
                  lambda m: '""' if m[0][0] == '"' else re.sub(r'[^\n]', ' ', m[0]),
                  text, flags=re.S)

def functions(text):
    """name: body of each function; a body ends at the brace that closes it."""
    found = {}
    for m in re.finditer(r'^[A-Za-z_][^;{}#=]*?\b(\w+)\([^;{}]*\)\s*\{', text, re.M):
        depth, end = 1, m.end()
        while depth:
            depth += {'{': 1, '}': -1}.get(text[end], 0)
            end += 1
        found[m[1]] = text[m.end():end]
    return found

unit = open(os.path.join(folder, 'shadow.c')).read()
parts = re.findall(r'^#include "(\w+\.c)"', unit, re.M)
text = {p: read(p) for p in parts}
body = {p: functions(text[p]) for p in parts}
names = {p: set(body[p]) | set(re.findall(r'^#define (\w+)', text[p], re.M)) for p in parts}
for f in sorted(os.listdir(folder)):
    if f.endswith('.c') and f != 'shadow.c' and parts.count(f) != 1:
        bad.append(f'{f} is not a part of shadow.c')
if functions(read('mmu.h')):
    bad.append('mmu.h has a function')
if sum(map(len, body.values())) < 80:
    bad.append('functions are not found')

# the ladder
for i, p in enumerate(parts):
    below = {n: q for q in parts[i + 1:] for n in names[q]}
    for word in sorted(set(re.findall(r'\w+', text[p])) & set(below)):
        bad.append(f'{p} names {word}, which is below it, in {below[word]}')

# the one maker: what each pattern means to write an entry, and the functions that may
MAY = {
    r'\bentry_set\(': 'entry_clear entry_detach entry_point leaf_put leaf_exchange',
    r'\(struct entry\)\s*\{': 'detached entry_clear entry_point',
    r'\(struct leaf\)\s*\{': 'leaf_make leaf_renew',
    r'struct (entry|leaf)\s+\w+\s*=\s*\{': 'leaf_make leaf_renew',
    r'\bleaf_rights\(': 'leaf_make leaf_renew',
    r'\bleaf_(make|renew)\(': 'fill_leaf fill_large fill_run entry_again',
    r'\bPTE_W\b': 'rights_below guest_walk is_refused leaf_rights',
    r'\bPTE_TABLE\b': 'entry_point',
    r'\braw\s*([-+|&^]|<<|>>)?=(?!=)': '',
    r'\braw\s*(\+\+|--)|(\+\+|--)[\w.>\-\[\]]*\braw\b': '',
    r'\(struct (entry|leaf) \*+\)': '',
    r'WRITE_ONCE\([^,;]*\braw\b': 'entry_set',
    r'(?<!&)&(?!&)[\w.>\-\[\]()]*\braw\b': 'evict_table',	# atomic_and: it clears a bit
    r'\b(kernel|user)_table\b': 'slot_sync slots_load',	# top-level: copies of entries
    r'\bmem(cpy|move)\(': '',
}
for pattern, allowed in MAY.items():
    seen = set()
    for p in parts:
        for name, code in body[p].items():
            if re.search(pattern, code):
                seen.add(name)
                if name not in allowed.split():
                    bad.append(f'{p}: {name}() has {pattern}: only {allowed or "nothing"} may')
    for name in set(allowed.split()) - seen:
        bad.append(f'{name}() has no {pattern} any more')
print('\n'.join(bad))
sys.exit(bool(bad))
END

python3 "$work/check.py" hypervisor/mmu || fail "hypervisor/mmu"
grep -rln --include='*.[chS]' 'mmu/mmu\.h' hypervisor | grep -v '^hypervisor/mmu/' &&
	fail "mmu.h is included outside of its folder"

seen() { # WHAT TEXT FILE SED-SCRIPT: the check of a copy changed so fails and says TEXT
	rm -rf "$work/copy"
	cp -r hypervisor/mmu "$work/copy" || exit 99
	sed -i "$4" "$work/copy/$3" || exit 99
	cmp -s "hypervisor/mmu/$3" "$work/copy/$3" &&
		{ echo "the change does not fit $3: $1"; exit 99; }
	python3 "$work/check.py" "$work/copy" >"$work/out" && fail "not seen: $1"
	grep -q "$2" "$work/out" || { cat "$work/out"; fail "something else was seen: $1"; }
}
after() { echo "/$1(.*)\$/,/^}/s/^}/	$2;\n}/"; }	# FUNCTION STATEMENT: at the end of its body
seen "a call down the ladder" 'pool.c names shadow_serve' pool.c \
	"$(after '^static void page_free' 'shadow_serve()')"
seen "a declaration of what is below" 'tree.c names flush_done' tree.c \
	'$astatic void flush_done(struct vcpu *v, struct aspace *as);'
seen "a part that changed places" 'names guest_table' shadow.c \
	'/"walk.c"/d; /"fault.c"/a#include "walk.c"'
seen "a part that is not included" 'lose.c is not a part' shadow.c '/"lose.c"/d'
seen "a right that a re-sync raises" 'entry_again() has .braw' tree.c \
	's/leaf_put(at, now);/at->raw |= PTE_D;/'
seen "an entry from a number" 'fill_run() has .(struct leaf' fill.c \
	's/leaf_put(&t\[n\], l);/leaf_put(\&t[n], (struct leaf){ { g } });/'
seen "an entry from a pointer" 'fill_run() has .(struct (entry|leaf)' fill.c \
	's/leaf_put(&t\[n\], l);/leaf_put(\&t[n], *(struct leaf *)\&g);/'
seen "an entry stored by hand" 'table_sweep() has .bentry_set' lose.c \
	's/entry_drop(d, &t\[i\], p->level);/entry_set(\&t[i], e);/'
seen "rights by another spelling" 'leaf_renew() has .bPTE_W' leaf.c \
	'/^static inline struct leaf leaf_renew/,/^}/s/e |= guest_leaf & PTE_CACHE;/e |= PTE_W;/'
seen "another caller of the maker" 'hc_mmu_age() has .bleaf_' calls.c \
	"$(after '^s64 hc_mmu_age' 'leaf_make(v->domain, id, false, 0, 0)')"
seen "a root written by hand" 'fill_leaf() has .b(kernel|user)_table' fill.c \
	's/leaf_exchange(f->as, &t\[i\], l);/arch_mmu_root(0)->user_table[i] = l.e.raw;/'
seen "a copy of a table" 'table_sweep() has .bmem' lose.c \
	's/entry_drop(d, &t\[i\], p->level);/memcpy(t, l, sizeof(*l));/'
exit 0
