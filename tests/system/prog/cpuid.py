# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/cpuid.sh."""
import re
import subprocess
import sys
from machine import O, Failure, Machine

MARK = 0x43505549440000		# rbx of tests/guest/lib/cpuid.c, whose code is at AT
AT = 0x400000 + 12
HLT, CPUID = b"\xf4\x90", b"\x0f\xa2"


def number(expression):
    """As the image's debug information has it."""
    said = subprocess.run(["gdb", "-batch", "-ex", f"print/x (long)({expression})",
                           f"{O}/parvus.elf"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"= 0x([0-9a-f]+)", said)
    if not found:
        raise Failure(f"no {expression}: {said}")
    return int(found.group(1), 16)


def each_trap(m, trap, look):
    """look() at every trap of the guest, until the machine has switched itself off."""
    m.gdb.breakpoint(trap)
    m.gdb.go_on()
    try:
        while (m.gdb.answer() or "W")[0] == "T":
            look(m.gdb.registers())
            m.gdb.breakpoint(trap, False)	# the stub does not go on from one by itself
            m.gdb.ask("s")
            m.gdb.breakpoint(trap)
            m.gdb.go_on()
    except (Failure, ConnectionError):
        pass


def main():
    features = number("&cpu_features.cpuid_faults")
    rip = number("&((struct regs *)0)->rip")
    faults = 0

    def look(r):
        nonlocal faults
        m.gdb.write(features, b"\x01")
        at = int.from_bytes(m.gdb.read(r["rdi"] + rip, 8), "little")
        if r["rbx"] == MARK and at == AT and m.gdb.read(AT, 2) == HLT:
            m.gdb.write(AT, CPUID)
            faults += 1

    with Machine([("cpuid", "cpuid", "")], gdb=True) as m:
        each_trap(m, number("&trap_from_guest"), look)
        if "end domain=0 name=cpuid reason=poweroff status=0 " not in m.log():
            with open(m.tmp.name + "/serial", encoding="latin-1") as f:
                raise Failure(f.read() + m.log()[-300:])
    print(f"{faults} times CPUID of a program")


if __name__ == "__main__":
    try:
        main()
    except (Failure, ConnectionError) as e:
        sys.exit(f"FAILED: {e}")
