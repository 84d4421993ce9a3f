# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/walls.sh."""
import os
import re
import subprocess
import sys
import time
from machine import O, Failure, Machine

MEM = 128 << 20
HV_BASE, HOLE_END = 0xffff800000000000, 0xffff880000000000
AREA_BASE, AREA_SIZE = 0xffff878000000000, 0x200000	# x86/cpu_area.h
FRAME_TABLE = 0xffff870000000000			# x86/arch.h
PCPU, PUBLIC, VCPU_AREA, AREA_END = 0xf000, 0x10000, 0x31000, 0x32000
STACK_LAST, ROOTS = 0x4000, 0x11000
FREE, HYPERVISOR, GUEST, SHADOW = 1, 2, 3, 4		# core/frame.h
OWNER_PUBLIC, FRAME_EVENTS = 0xfffe, 1 << 50
ADDR = 0x000ffffffffff000
GOLDEN = 0x9e3779b97f4a7c15				# tests/guest/lib/canary.c
CANARY = range(0x800000, 0xc00000, 4096)
DOMAINS = [("paths", "paths", ""), ("canary", "canary", "")]
# words that one domain alone has: paths (tests/guest/lib/paths.c) a register of its user's and its
# bases, those that hold (idle.c) a register for all of their time, which NMIs therefore find
HOLD = [(f"hold-{n}", "idle", "cmdline=hold") for n in (2, 3)]
WORDS = {0x11223344: 0, 0x123456789000: 0, 0x23456789a000: 0, 0x5ec3e70002: 2, 0x5ec3e70003: 3}


def symbols():
    out = subprocess.run(["nm", f"{O}/parvus.elf"], capture_output=True, text=True, check=True)
    return {name: int(at, 16) for at, _, name in (line.split() for line in out.stdout.splitlines())}


def offsets():
    with open(f"{O}/hypervisor/asm-offsets.h", encoding="ascii") as f:
        return {w[1]: int(w[2], 0) for w in (line.split() for line in f) if len(w) == 3}


SYM, OFF = symbols(), offsets()


class Memory:
    """All RAM of a machine that stands still, read as the hypervisor has it."""

    def __init__(self, m):
        path = m.tmp.name + "/ram"
        m.call("pmemsave", val=0, size=MEM, filename=path)
        with open(path, "rb") as f:
            self.ram = f.read()
        os.unlink(path)
        self.hv_root = self.image("hv_root")
        self.count = self.image("frame_table_count")
        self.frames = self.translate(self.hv_root, FRAME_TABLE)	# so little of it is in one piece

    def word(self, pa):
        return int.from_bytes(self.ram[pa:pa + 8], "little")

    def image(self, name):
        return self.word(SYM[name] - HV_BASE)

    def at(self, va, size=8):
        """A value at an address of hv_root's."""
        pa = self.translate(self.hv_root, va)
        return int.from_bytes(self.ram[pa:pa + size], "little")

    def translate(self, root, va):
        table = root & ADDR
        for shift in (39, 30, 21, 12):
            e = self.word(table + (va >> shift & 511) * 8)
            if not e & 1:
                return None
            if shift == 12 or (e & 0x80 and shift < 39):
                return (e & ADDR & ~((1 << shift) - 1)) | (va & ((1 << shift) - 1))
            table = e & ADDR

    def frame(self, n):
        """type and owner"""
        if n >= self.count:
            return None, None
        at = self.frames + n * 16
        f = self.ram[at:at + 8]
        return f[6], f[4] | f[5] << 8

    def events(self, n):
        """Is it the event page of a domain, which all may see?"""
        word = self.word(self.frames + n * 16 + 8)
        return self.frame(n)[0] == GUEST and bool(word & FRAME_EVENTS)

    def public(self, words):
        """Where one of these words stands in memory that every view shows (rule 81)."""
        for word in words:
            at = self.ram.find(word.to_bytes(8, "little"))
            while at >= 0:
                image = SYM["boot_end"] <= at + HV_BASE < SYM["image_end"] and \
                    not SYM.get("secret_start", 0) <= at + HV_BASE < SYM.get("secret_end", 0)
                if at % 8 == 0 and (image or self.frame(at >> 12) == (HYPERVISOR, OWNER_PUBLIC)):
                    yield at, word
                at = self.ram.find(word.to_bytes(8, "little"), at + 1)

    def leaves(self, root, wrong):
        """(va, pa, size, entry, user) of each entry that maps memory, by all four levels."""
        def walk(table, va, shift, user):
            for i in range(512):
                e = self.word(table + i * 8)
                at = va | i << shift
                if at >> 47 & 1:
                    at |= 0xffff000000000000
                if not e & 1:
                    if e & ADDR:
                        wrong.append(f"{at:x}: an absent entry has an address: {e:x}")
                elif shift == 12 or (e & 0x80 and shift < 39):
                    size = 1 << shift
                    yield at, e & ADDR & ~(size - 1), size, e, user and bool(e & 4)
                else:
                    yield from walk(e & ADDR, at, shift - 9, user and bool(e & 4))
        return walk(root & ADDR, 0, 39, True)


class Cpu:
    def __init__(self, memory, number):
        self.m, self.number = memory, number
        self.base = AREA_BASE + number * AREA_SIZE
        self.kernel_cr3 = self.pcpu("kernel_cr3")
        self.user_cr3 = self.pcpu("user_cr3")
        vcpu = self.pcpu("current")
        # struct vcpu begins with the domain, struct domain with its number
        self.domain = memory.at(memory.at(vcpu), 2) if vcpu else None

    def pcpu(self, name):
        return self.m.at(self.base + PCPU + OFF["PCPU_" + name])

    def direct(self, pa, e, bare):
        """May ring 0 see it at HV_BASE + pa while this domain runs, or its user mode if the CPU
        has Meltdown, and the root for that is bare?"""
        if bare:
            return not e & 4 and (SYM["boot_end"] <= pa + HV_BASE < SYM["entry_end"] or
                                  pa + HV_BASE == SYM["idt"])
        n = pa >> 12
        kind, owner = self.m.frame(n)
        image = SYM["boot_end"] - HV_BASE <= pa < SYM["image_end"] - HV_BASE
        secret = SYM.get("secret_start", 0) <= pa + HV_BASE < SYM.get("secret_end", 0)
        if e & 4 or secret:
            return False
        if image or pa == 0xfee00000:
            return True
        return (kind in (GUEST, SHADOW, HYPERVISOR) and owner == self.domain) or \
            (kind == HYPERVISOR and owner == OWNER_PUBLIC) or self.m.events(n)

    def own_page(self, va, pa, bare):
        at = (va - AREA_BASE) % AREA_SIZE
        if bare and not STACK_LAST <= va - self.base < ROOTS:
            return False
        if va - self.base == VCPU_AREA:
            return self.m.frame(pa >> 12) in ((GUEST, self.domain), (HYPERVISOR, self.domain))
        if (va - AREA_BASE) // AREA_SIZE != self.number and at != PUBLIC:
            return False
        return at < AREA_END and pa == self.m.translate(self.m.hv_root, va)

    def left(self):
        """What other domains left on this CPU's stacks and in its own page: (offset, word)."""
        for at in [*range(0x1000, 0xe000, 4096), PCPU]:
            pa = self.m.translate(self.m.hv_root, self.base + at)
            for n in range(0, 4096 if pa else 0, 8):
                if WORDS.get(self.m.word(pa + n), self.domain) != self.domain:
                    yield at + n, self.m.word(pa + n)

    def check(self, root, bare, wrong):
        """The allow-list, for one of the two roots. How many leaves there were of each kind."""
        count = {"own": 0, "public": 0, "area": 0, "guest": 0}
        for va, pa, size, e, user in self.m.leaves(root, wrong):
            if va < HV_BASE or va >= HOLE_END:
                count["guest"] += 1
                bad = [n for n in range(pa >> 12, pa + size >> 12)
                       if self.m.frame(n) != (GUEST, self.domain)]
                if bad or not user:
                    wrong.append(f"{va:x}: a guest's entry {e:x} (user {user})")
            elif va >= AREA_BASE:
                count["area"] += 1
                if e & 4 or size != 4096 or not self.own_page(va, pa, bare):
                    wrong.append(f"{va:x}: a page of a CPU, {pa:x}")
            elif va >= FRAME_TABLE:	# and the counters behind it
                count["public"] += size >> 12
                if bare or e & 4 or not e >> 63 or pa - self.m.frames != va - FRAME_TABLE or \
                        va - FRAME_TABLE > self.m.count * 17:
                    wrong.append(f"{va:x}: the frame table has {pa:x}")
            else:
                bad = [at for at in range(pa, pa + size, 4096) if not self.direct(at, e, bare)]
                mine = self.m.frame(pa >> 12)[1] == self.domain
                count["own" if mine else "public"] += size >> 12
                if va - HV_BASE != pa or bad:
                    for at in (bad or [pa])[:3]:
                        wrong.append(f"{va:x}: ring 0 sees {at:x}: kind, owner "
                                     f"{self.m.frame(at >> 12)}, and domain {self.domain} runs")
        return count


def walk(isolation, rounds):
    """What is in the live roots that nobody allowed, and what was looked at."""
    wrong, seen, looked = [], {}, 0
    with Machine(DOMAINS + HOLD, cpus=2,
                 args=f"debug=1 loglevel=debug isolation={isolation}") as m:
        m.wait_log("boot: .* given back")
        for _ in range(rounds * 20):
            for _ in range(5):	# what they leave on their stacks is not the next domain's to see
                time.sleep(0.01)
                m.call("inject-nmi")
            time.sleep(0.03)	# some slices: another domain runs on that CPU by then
            m.call("stop")
            state = m.monitor("info registers -a")
            memory = Memory(m)
            wrong += [f"{at:x}: a word of domain {WORDS[word]}, {word:x}, in memory of everybody"
                      for at, word in memory.public(WORDS)]
            live = re.findall(r"CPL=(\d).*?CR3=([0-9a-f]+)", state, re.S)
            for number, (cpl, cr3) in enumerate(live):
                cpu = Cpu(memory, number)
                if cpl != "3" or cpu.domain is None:
                    continue
                if int(cr3, 16) not in (cpu.kernel_cr3, cpu.user_cr3):
                    raise Failure(f"a guest runs with CR3 {cr3}, which is no root of this CPU")
                wrong += [f"CPU {number}, {at:x}: a word of domain {WORDS[word]}, {word:x}, and "
                          f"domain {cpu.domain} runs" for at, word in cpu.left()]
                for root in {cpu.kernel_cr3, cpu.user_cr3}:
                    bare = isolation == "on" and root == cpu.user_cr3
                    for kind, n in cpu.check(root, bare, wrong).items():
                        seen[kind] = seen.get(kind, 0) + n
                looked += 1
                if wrong:
                    return wrong, seen
            if looked >= rounds:
                break
            m.call("cont")
    if looked < rounds:
        raise Failure(f"guests were found running {looked} times only")
    return wrong, seen


def gadget():
    """A load in ring 0 by an address in a register, and how long it is: mov (%rdi),%rax."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"{O}/parvus.elf"],
                          capture_output=True, text=True, check=True).stdout
    load_rdi = r"^(ffff[0-9a-f]+):\tmov +\(%rdi\),%rax\s*\n(ffff[0-9a-f]+):"
    for found in re.finditer(load_rdi, text, re.M):
        if int(found[1], 16) >= SYM["boot_end"]:	# what is before it has gone
            return int(found[1], 16), int(found[2], 16)
    raise Failure("the image has no load through rdi")


def load(m, at, frame, served=False):
    """The word that this load finds at the direct map's address of the frame, or None: it faults,
    and nobody gets to serve that, unless @served. The caller has all registers, to set them again:
    to set all of them here would flush QEMU's TLB."""
    rip, after = at
    m.gdb.ask("qXfer:features:read:target.xml:0,8")	# else QEMU has no P
    for name, value in (("rdi", HV_BASE + frame * 4096), ("rip", rip)):
        text = value.to_bytes(8, "little").hex()
        if m.gdb.ask(f"P{m.gdb.REGISTERS.index(name):x}={text}") != "OK":
            raise Failure("cannot set registers")
    if served:
        m.gdb.breakpoint(after)
        m.gdb.go_on()
        if m.gdb.answer() is None:
            raise Failure("a fault of ring 0 is not served")
        m.gdb.breakpoint(after, False)
    else:
        m.gdb.ask("s")
    r = m.gdb.registers()
    return r["rax"] if r["rip"] == after else None


def canary(isolation):
    """How much of the canary's memory a load in ring 0 of the other domain reads, of how much; the
    same of its own."""
    at = gadget()
    with Machine(DOMAINS, gdb=True, args=f"debug=1 loglevel=debug isolation={isolation}") as m:
        m.gdb.go_on()
        m.wait_log("boot: .* given back")
        time.sleep(1)
        m.gdb.stop()
        memory = Memory(m)
        # where the words of its 4 MiB are
        pattern = {gpa * GOLDEN % 2 ** 64: gpa for gpa in CANARY}
        other, own = {}, []
        for n in range(memory.count):
            kind, owner = memory.frame(n)
            if kind == GUEST and owner == 1 and memory.word(n << 12) in pattern:
                other[n] = memory.word(n << 12)
            elif kind == GUEST and owner == 0:
                own.append(n)
        if len(other) < len(CANARY) * 0.9:
            raise Failure(f"only {len(other)} pages of the canary's are found")
        for _ in range(200):
            m.gdb.breakpoint(SYM["hypercall_call"])
            m.gdb.go_on()
            if m.gdb.answer() is None:
                raise Failure("nobody makes a hypercall")
            m.gdb.breakpoint(SYM["hypercall_call"], False)
            vcpu = int.from_bytes(m.gdb.read(AREA_BASE + PCPU + OFF["PCPU_current"], 8), "little")
            domain = int.from_bytes(m.gdb.read(vcpu, 8), "little")
            if m.gdb.read(domain, 2) == b"\0\0":
                break
            m.gdb.go_on()	# the other's turn; it may make a few thousand calls in it
            time.sleep(0.01)
            m.gdb.stop()
        else:
            raise Failure("the domain makes no hypercall")
        memory = Memory(m)	# it ran meanwhile, and may have ended
        other = {n: word for n, word in other.items() if memory.word(n << 12) == word}
        saved = m.gdb.ask("g")
        read = sum(load(m, at, n) == word for n, word in other.items())
        mine = sum(load(m, at, n) is not None for n in own[::16])
        m.gdb.ask("G" + saved)
        return read, len(other), mine, len(own[::16])


def hypercall_of(m, domain):
    """The machine stands where this domain begins a hypercall. The CPU, and all registers."""
    for _ in range(200):
        m.gdb.breakpoint(SYM["hypercall_call"])
        m.gdb.go_on()
        if m.gdb.answer() is None:
            raise Failure("nobody makes a hypercall")
        m.gdb.breakpoint(SYM["hypercall_call"], False)
        cpu = (m.gdb.registers()["rsp"] - AREA_BASE) // AREA_SIZE
        at = AREA_BASE + cpu * AREA_SIZE + PCPU + OFF["PCPU_current"]
        vcpu = int.from_bytes(m.gdb.read(at, 8), "little")
        number = m.gdb.read(int.from_bytes(m.gdb.read(vcpu, 8), "little"), 2)
        if int.from_bytes(number, "little") == domain:
            return cpu, m.gdb.ask("g")
        m.gdb.go_on()
        time.sleep(0.01)
        m.gdb.stop()
    raise Failure(f"domain {domain} makes no hypercall")


def events(isolation):
    """Domains 1 and 2 send to domain 0, whose event page ring 0 therefore sees while they run (rule
    98). It ends, and the page has left their views, and the TLBs of their CPUs (rule 99)."""
    at = gadget()
    guests = [(name, "sends", "") for name in ("ends", "one", "two")]
    with Machine(guests, cpus=2, gdb=True,
                 args=f"debug=1 loglevel=debug isolation={isolation}") as m:
        m.gdb.go_on()
        m.wait_log("boot: .* given back")
        time.sleep(1)
        m.gdb.stop()
        memory = Memory(m)
        pages = {memory.frame(n)[1]: n for n in range(memory.count) if memory.events(n)}
        if set(pages) != {0, 1, 2}:
            raise Failure(f"event pages: {pages}")
        other = next(n for n in range(memory.count) if memory.frame(n) == (GUEST, 0) and
                     n != pages[0])
        for domain in (1, 2):
            _, saved = hypercall_of(m, domain)
            if load(m, at, pages[0]) is None:
                raise Failure(f"domain {domain} sends without the event page of domain 0 in view")
            m.gdb.ask("G" + saved)
            # another page of it is seen once, by hv_root, and is in no view for that
            load(m, at, other, served=True)
            m.gdb.ask("G" + saved)
            _, saved = hypercall_of(m, domain)
            if load(m, at, other) is not None:
                raise Failure(f"domain {domain} has a page of domain 0 in view")
            m.gdb.ask("G" + saved)
        m.gdb.go_on()
        m.wait_log("parvus: end domain=0 ")
        m.gdb.stop()
        for domain in (1, 2):
            number, saved = hypercall_of(m, domain)
            word, wrong = load(m, at, pages[0]), []
            m.gdb.ask("G" + saved)
            if word is not None:
                raise Failure(f"domain 0 has ended, and domain {domain}'s CPU has its event page")
            cpu = Cpu(Memory(m), number)
            cpu.check(cpu.kernel_cr3, False, wrong)
            if wrong:
                raise Failure(f"domain 0 has ended, and domain {domain}'s view has what it must "
                              "not have:\n" + "\n".join(wrong[:12]))


def main():
    events("kernel")
    for isolation in ("kernel", "on"):
        wrong, seen = walk(isolation, 8)
        if wrong:
            raise Failure("a live root has what it must not have:\n" + "\n".join(wrong[:12]))
    if min(seen.values()) == 0:
        raise Failure(f"too little was there to be looked at: {seen}")
    off, _ = walk("off", 1)
    if len(off) < 3:
        raise Failure("isolation=off shows nothing: this test sees nothing")
    read, of, mine, own = canary("kernel")
    if not of:
        raise Failure("the canary ended too early")
    if read:
        raise Failure(f"ring 0 of another domain reads {read} of {of} pages of the canary")
    if not mine:
        raise Failure(f"the load reads none of {own} frames of its own domain")
    open_read, open_of, _, _ = canary("off")
    if open_read != open_of:
        raise Failure(f"isolation=off: the load reads {open_read} of {open_of} only")
    print(f"leaves {seen}; canary 0 of {of}, own {mine} of {own}; open: {open_read} of {open_of}")


if __name__ == "__main__":
    try:
        main()
    except (Failure, ConnectionError) as e:
        sys.exit(f"FAILED: {e}")
