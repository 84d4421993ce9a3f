#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
reference.py FILE.md            the page with its generated parts as they should be, to stdout
reference.py layout             the list of structures and members, as C for check/layout.c
reference.py errors             "CALL ERROR" for each error that the headers state, one a line

What stands between a line <!-- generated: KIND ARGUMENTS --> and <!-- end --> comes from the
headers and from hypercalls.tbl (parvus/types.h says how they are written):
    hypercalls          the table of calls
    unlisted            those that may not stand in a multicall
    call NAME           its arguments and errors
    struct NAME         members, places, writers, meanings
    values FIRST LAST   the macros of a header from FIRST to LAST
    control             the operations of control_op, and the errors of each
A header that lacks what a table needs is an error: one line on stderr, status 1.
"""
import pathlib
import re
import subprocess
import sys
import textwrap

ABI = pathlib.Path(__file__).resolve().parent
BASE = {'uint8_t': 1, 'uint16_t': 2, 'uint32_t': 4, 'uint64_t': 8, 'int32_t': 4, 'int64_t': 8,
        'char': 1}
HEADERS = ('types mmu start vcpu event grant memory irq device ring console context control link block '
           'network linux').split()
LAYOUT = [h for h in HEADERS if h != 'ring']  # the order of abi.snapshot
LAYOUT.insert(LAYOUT.index('link'), 'ring')


def fail(text):
    sys.exit(f'abi: {text}')


def table(out):
    """What gen.awk makes of hypercalls.tbl."""
    awk = ['awk', '-v', 'out=' + out, '-f', ABI / 'gen.awk', ABI / 'hypercalls.tbl']
    return subprocess.run(awk, check=True, capture_output=True, text=True).stdout


class Struct:
    def __init__(self, header, text):
        self.header, self.text, self.members, self.size, self.align = header, text, [], 0, 1


class Call:
    """A block "hypercall NAME" or "control OP"."""
    def __init__(self):
        self.text, self.args, self.errors, self.fields = '', {}, [], {}


class Headers:
    def __init__(self):
        self.structs, self.values, self.calls, self.control = {}, {}, {}, {}
        for name in HEADERS:
            self.read(name + '.h')

    def read(self, name):
        self.name = name
        lines = (ABI / 'include/parvus' / name).read_text().split('\n')
        comment, i = '', 0
        while i < len(lines):
            line = lines[i]
            if line.startswith('/*'):
                block = []
                while True:
                    block.append(lines[i])
                    if '*/' in lines[i]:
                        break
                    i += 1
                comment = self.block(block)
            elif m := re.match(r'struct (\w+) \{', line):
                i = self.struct(m[1], comment, lines, i + 1)
                comment = ''
            elif m := re.match(r'#define (PARVUS_\w+)\s+(.*?)\s*(/\*|$)', line):
                text, i = self.trailing(lines, i)
                self.values[m[1]] = (name, m[2], text)
            elif line.strip():
                comment = ''
            i += 1

    def trailing(self, lines, i):
        """The comment that begins on line i, and the line on which it ends."""
        if '/*' not in lines[i]:
            return '', i
        text = lines[i].split('/*', 1)[1]
        while '*/' not in text:
            i += 1
            text += ' ' + re.sub(r'^\s*\*', '', lines[i])
        return ' '.join(text.split('*/')[0].split()), i

    def block(self, block):
        body = [re.sub(r'^ ?\*/?|\*/$', '', b.removeprefix('/**').removeprefix('/*')).strip()
                for b in block]
        if not block[0].startswith('/**'):
            return ' '.join(' '.join(body).split())
        m = re.match(r'(hypercall|control) (\w+)$', body[1])
        m or fail(f'{self.name}: a block "{body[1]}"')
        call = Call()
        (self.calls if m[1] == 'hypercall' else self.control)[m[2]] = call
        last = None
        for text in body[2:]:
            if m := re.match(r'@(\w+): (.+)', text):
                last = (call.args, m[1])
                call.args[m[1]] = m[2]
            elif m := re.match(r'(status )?-(E\w+): (.+)', text):
                if 'PARVUS_' + m[2] not in self.values:
                    fail(f'{self.name}: {m[2]} is no error')
                call.errors.append([m[1], m[2], m[3]])
                last = (call.errors[-1], 2)
            elif m := re.match(r'(structure|state): (.+)', text):
                call.fields[m[1]] = m[2]
            elif text and last:
                last[0][last[1]] += ' ' + text
            elif text:
                call.text += ' ' + text
            else:
                last = None
        return ''

    def number(self, text):
        text = re.sub(r'PARVUS_\w+', lambda m: str(self.number(self.values[m[0]][1])), text)
        return int(eval(re.sub(r'(?<=[0-9a-fA-F])u?(ll)?\b', '', text).replace('/', '//')))

    def struct(self, name, comment, lines, i):
        s = self.structs[name] = Struct(self.name, comment)
        while not lines[i].startswith('}'):
            m = re.match(r'\t(struct (\w+)|\w+) ([^;]*);', lines[i])
            if not m:
                lines[i].strip().startswith('/*') or fail(f'{self.name}: struct {name}: {lines[i]}')
                i += 1
                continue
            text, i = self.trailing(lines, i)
            writer = re.match(r'\[([\w, ]+)\] (.+)', text)
            if not writer and 'reserved' not in m[3]:
                fail(f'{self.name}: struct {name}: {m[3]}: who writes it, and what is it?')
            size = align = BASE.get(m[1])
            if m[2]:
                size, align = self.structs[m[2]].size, self.structs[m[2]].align
            s.align = max(s.align, align)
            names = []
            for member in m[3].split(', '):
                member, count = re.match(r'(\w+)(?:\[(.+)\])?$', member).groups()
                s.size = -(-s.size // align) * align
                names.append((member, s.size, count))
                s.size += size * (self.number(count) if count else 1)
            s.members.append((names, writer and writer[1], writer[2] if writer else ''))
            i += 1
        s.size = -(-s.size // s.align) * s.align
        return i


def code(text):
    """Names in a text as code: macros, members that stand by themselves, @arguments."""
    text = text.replace('|', '\\|')
    text = re.sub(r'@(\w+)', r'`\1`', text)
    text = re.sub(r'\b(struct parvus_\w+|PARVUS_\w+\*?|sizeof\(struct \w+\))(?!`)', r'`\1`', text)
    return re.sub(r'\b(area\.\w+|max_gfn|max_frames|start_info\.\w+)\b(?!`)', r'`\1`', text)


def prose(text):
    """Lines of at most 100 columns."""
    return textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)


def arguments(call):
    if call.args:
        yield '| argument | |'
        yield '|---|---|'
        yield from (f'| `{a}` | {code(text)} |' for a, text in call.args.items())
    else:
        yield 'Arguments: none.'


def errors(call, head, status):
    rows = [e for e in call.errors if bool(e[0]) == status]
    if rows:
        yield ''
        yield f'| {head} | when |'
        yield '|---|---|'
        yield from (f'| `{e[1]}` | {code(e[2])} |' for e in rows)


def call(h, name):
    c = h.calls.get(name) or fail(f'no header says what {name} is')
    yield from arguments(c)
    if c.errors:
        yield from errors(c, 'error', False)
        yield from errors(c, 'status', True)
    else:
        yield ''
        yield 'Errors: none.'


def struct(h, name):
    s = h.structs.get(name) or fail(f'no struct {name}')
    yield from prose(f'`struct {name}`, {s.size} bytes. {code(s.text)}')
    yield ''
    yield '| at | member | written by | |'
    yield '|--:|---|---|---|'
    words = {'G': 'guest', 'H': 'hypervisor', 'G,H': 'both', 'front end, back end': 'both ends'}
    for names, writer, text in s.members:
        if names[0][0].startswith('reserved'):
            continue
        shown = ', '.join(f'`{n}[{c}]`' if c else f'`{n}`' for n, _, c in names)
        yield f'| {names[0][1]} | {shown} | {words.get(writer, writer)} | {code(text)} |'


def values(h, first, last):
    names = list(h.values)
    if first not in names or last not in names:
        fail(f'no values {first} to {last}')
    yield '| | value | |'
    yield '|---|--:|---|'
    for n in names[names.index(first):names.index(last) + 1]:
        value = re.sub(r'(?<=[0-9a-fA-F])u?(ll)?\b', '', h.values[n][1])
        yield f'| `{n}` | {value} | {code(h.values[n][2])} |'


def control(h):
    yield '| nr | op | structure | state | |'
    yield '|--:|---|---|---|---|'
    for name, c in h.control.items():
        nr = h.number(h.values['PARVUS_CONTROL_' + name][1])
        state = '' if c.fields['state'] == '-' else c.fields['state']
        yield f'| {nr} | `{name}` | `{c.fields["structure"]}` | {state} | {code(c.text.strip())} |'
    yield ''
    yield '| op | error | when, beyond those of every op |'
    yield '|---|---|---|'
    for name, c in h.control.items():
        for e in c.errors:
            yield f'| `{name}` | `{e[1]}` | {code(e[2])} |'


def unlisted():
    rows = [line.split() for line in (ABI / 'hypercalls.tbl').read_text().split('\n')
            if line[:1].isdigit()]
    names = [r[1] for r in rows if r[4] in ('asm', 'c') and r[5] != 'yes']
    return prose(', '.join(f'`{n}`' for n in names))


def region(h, kind, *args):
    if kind == 'hypercalls':
        return table('doc').rstrip('\n').split('\n')
    if kind == 'unlisted':
        return unlisted()
    makers = {'call': call, 'struct': struct, 'values': values, 'control': control}
    return list(makers[kind](h, *args))


def page(h, path):
    out, skip = [], False
    for line in pathlib.Path(path).read_text().split('\n'):
        m = re.match(r'<!-- generated: (\w+)(.*?) ?-->$', line)
        if m:
            skip and fail(f'{path}: a generated part without its end before: {line}')
            skip = True
            out += [line, *region(h, m[1], *m[2].split())]
        elif line == '<!-- end -->':
            skip or fail(f'{path}: an end without its generated part')
            skip = False
        if not skip:
            out.append(line)
    skip and fail(f'{path}: a generated part without its end')
    return '\n'.join(out)


def complete(h):
    """Every call that is served is described, with the arguments of the table."""
    for line in table('snapshot').split('\n'):
        m = re.match(r'call \d+ (\w+) args (\S+) who \w+ (\w+)', line)
        if not m or m[3] == 'reserved':
            continue
        args = [] if m[2] == '-' else m[2].split(',')
        if m[1] not in h.calls:
            fail(f'no header has a block "hypercall {m[1]}"')
        if list(h.calls[m[1]].args) != args:
            fail(f'{m[1]}: its arguments are {args}, not {list(h.calls[m[1]].args)}')


def main(what):
    h = Headers()
    complete(h)
    if what == 'layout':
        for name, s in sorted(h.structs.items(), key=lambda s: LAYOUT.index(s[1].header[:-2])):
            members = ''.join(f' MEMBER({n})' for m in s.members for n, _, _ in m[0])
            print(f'BEGIN({name}){members} END')
    elif what == 'errors':
        for name, c in h.calls.items():
            for e in c.errors:
                print(name, e[1])
    else:
        sys.stdout.write(page(h, what))


if len(sys.argv) != 2:
    sys.exit(__doc__.strip())
main(sys.argv[1])
