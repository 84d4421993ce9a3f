# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/return_path.sh."""
import re
import subprocess
import sys
from machine import O, Failure, Machine

STACK = 0xffff878000001000	# of CPU 0 (x86/cpu_area.h); its guard is below


def entry_code():
    """[(address, instruction)] of .text.entry, and the symbols of the image."""
    symbols = {}
    for line in subprocess.run(["nm", f"{O}/parvus.elf"], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        address, _, name = line.split()
        symbols[name] = int(address, 16)
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"{O}/parvus.elf",
                           f"--start-address={symbols['syscall_entry']:#x}",
                           f"--stop-address={symbols['trap_stubs']:#x}"],
                          capture_output=True, text=True, check=True).stdout
    code = [(int(m.group(1), 16), m.group(2).strip())
            for m in re.finditer(r"^\s*([0-9a-f]+):\t(.*)$", text, re.M)]
    return code, symbols


def guest_exits(code):
    return [at for (_, before), (at, insn) in zip(code, code[1:])
            if insn == "iretq" and before == "swapgs"]


def way_of(symbols, address):
    """The label that this instruction stands behind."""
    return max((at, name) for name, at in symbols.items() if at <= address)[1]


def listed(m, symbols, address):
    table = m.gdb.read(symbols["ex_table_start"],
                       symbols["ex_table_end"] - symbols["ex_table_start"])
    return address in [int.from_bytes(table[n:n + 8], "little") for n in range(0, len(table), 16)]


def sysret_is_fed(code, index):
    """Since rcx was written last: sign-extended; the entry that callbacks_set checked; or refused
    if a bit from 47 up is set."""
    after = []
    for at in range(index - 1, 0, -1):
        insn = re.sub(" +", " ", code[at][1])
        if re.search(r",%[re]?cx$|^pop %rcx", insn):
            checked = ["mov %rcx,%rsp", "shr $0x2f,%rsp"]
            return (insn == "sar $0x10,%rcx" or bool(re.match(r"mov %gs:0x[0-9a-f]+,%rcx", insn)) or
                    any(after[n:n + 2] == checked and after[n + 2].startswith("jne")
                        for n in range(len(after) - 2)))
        after.insert(0, insn)
    return False


def index_is_masked(code, symbols):
    """The number of a hypercall is cut to the table's size behind the branch that checks it."""
    for n, (at, insn) in enumerate(code):
        if at < symbols["hypercall_call"]:
            continue
        if re.match(r"and +\$0x[0-9a-f]+,%eax", insn):
            return True
        if insn.startswith("call"):
            return False
    return False


def area_pointer():
    """The one address in rax that is no guest's: pcpu.area."""
    with open(f"{O}/hypervisor/asm-offsets.h", encoding="ascii") as f:
        return int(re.search(r"^#define PCPU_area (\d+)", f.read(), re.M).group(1))


def hole_is_checked(code, index, area):
    """The guest address in rax was compared with the end of the hole since it was loaded."""
    for at in range(index - 1, 0, -1):
        insn = re.sub(" +", " ", code[at][1])
        if re.match(r"cmp .*,%rax ?#.*<hole_end", insn) and re.match("j(b|ae) ", code[at + 1][1]):
            return True
        if insn == f"mov %gs:{area:#x},%rax":
            return True
        if re.search(r",%[re]?ax$", insn) and not insn.startswith(("cmp", "mov (%rax)")):
            return False
    return False


def refused(address, symbols, isolation):
    """The selectors of this exit's frame go bad at the last moment: the guest has the fault."""
    args = f"debug=1 loglevel=debug isolation={isolation}"
    with Machine([("paths", "paths", "")], args=args, gdb=True) as m:
        for at in (symbols["hypercall_call"], address):
            m.gdb.breakpoint(at)
            m.gdb.go_on()
            if m.gdb.answer() is None:
                raise Failure(f"{at:x} is never reached")
            m.gdb.breakpoint(at, False)
            # not at the IRETQ: a bare user root has no table
            if at != address and not listed(m, symbols, address):
                raise Failure(f"the IRETQ at {address:x} is not in the exception table")
        rsp = m.gdb.registers()["rsp"]
        m.gdb.write(rsp + 8, (3).to_bytes(8, "little"))
        m.gdb.go_on()
        m.wait_log(r"end domain=0 name=paths reason=(poweroff status=1|killed .* refused)")
        if "panic" in m.log():
            raise Failure(f"the IRETQ at {address:x} ended the machine:\n{m.log()[-1500:]}")


def overflow(symbols):
    """A stack that ends ends the machine, but with a record that says so."""
    with Machine([("paths", "paths", "")], gdb=True) as m:
        m.gdb.breakpoint(symbols["trap_from_guest"])
        m.gdb.go_on()
        if m.gdb.answer() is None:
            raise Failure("no trap comes")
        m.gdb.breakpoint(symbols["trap_from_guest"], False)
        m.gdb.set_register("rsp", STACK + 8)
        m.gdb.go_on()
        m.wait_log("stack overflow of CPU 0")
        m.wait_log("parvus: panic")


def main():
    code, symbols = entry_code()
    exits = guest_exits(code)
    if len(exits) < 3:
        raise Failure(f"{len(exits)} guest-bound IRETQ found")
    sysrets = [n for n, (_, insn) in enumerate(code) if insn.startswith("sysret")]
    for n in sysrets:
        if not sysret_is_fed(code, n):
            raise Failure(f"the SYSRET at {code[n][0]:x} does not stand behind a checked rcx")
    # AMD's SYSRET leaves the attributes of SS, which an interrupt has made none (rule 31)
    ways = {way_of(symbols, code[n][0]) for n in sysrets}
    if ways - {"hypercall_exit", "hypercall_sysret", "syscall_bounce"}:
        raise Failure(f"a SYSRET for who did not come by SYSCALL: {ways}")
    if "exit_to_guest" not in {way_of(symbols, at) for at in exits}:
        raise Failure("who came by an interrupt does not leave by IRETQ")
    accesses = [n for n, (at, insn) in enumerate(code)
                if re.search(r"(^|[ ,])-?(0x[0-9a-f]+)?\(%rax\)", insn) and
                at < symbols["trap_common"] and not insn.startswith(("lea", "nop"))]
    if len(accesses) < 15:
        raise Failure(f"{len(accesses)} accesses by guest address found")
    for n in accesses:
        if not hole_is_checked(code, n, area_pointer()):
            raise Failure(f"the access at {code[n][0]:x} is not kept out of the hole: {code[n][1]}")
    if not index_is_masked(code, symbols):
        raise Failure("a hypercall's number is not masked")
    for address in exits:
        for isolation in ("kernel", "on"):
            refused(address, symbols, isolation)
    overflow(symbols)
    print(f"{len(exits)} IRETQ, {len(sysrets)} SYSRET")


if __name__ == "__main__":
    try:
        main()
    except (Failure, ConnectionError) as e:
        sys.exit(f"FAILED: {e}")
