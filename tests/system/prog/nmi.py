# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/nmi.sh."""
import subprocess
import sys
from machine import O, Failure, Machine

# What paths.c does not come to: stacks of a guest that cannot be used, compatibility mode, faults of
# IRET, debug exceptions, machine checks; and the way of an NMI itself, where no second one comes.
NOT_HERE = {"bounce_failed", "bounce_slow", "syscall_compat_entry", "trap_stray", "return_refused",
            "ist_common", "ist_from_guest", "trap_stubs", "enter_first", "verw_operand",
            "root_for_c_again"}
ROOTS = "debug=1 loglevel=debug isolation=on"	# the longer way, by another root for user mode
LEAST = 0.9		# of the rest: no FSGSBASE, an error of ours
SECONDS = 3		# for an instruction to be reached: a round of paths.c takes milliseconds


def disassemble():
    """Addresses of the instructions of .text.entry that paths.c may reach; and of symbols."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"{O}/hypervisor/x86/entry.o"],
                          capture_output=True, text=True, check=True).stdout
    symbols = {}
    for line in subprocess.run(["nm", f"{O}/parvus.elf"], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        address, _, name = line.split()
        symbols[name] = int(address, 16)
    base, offset, label = None, [], None
    for line in text.splitlines():
        if line.endswith(">:"):
            at, label = line[:-2].split(" <")
            if label == "syscall_entry":
                base = symbols["syscall_entry"] - int(at, 16)
        elif ":\t" in line and label not in NOT_HERE and "_thunk_" not in label:
            offset.append((int(line.split(":")[0], 16), line.split("\t")[1]))
    code = [base + at for at, insn in offset if not insn.startswith(("nop", "cs nop", "xchg"))]
    return code, symbols


def land(m, address, nmi_entry):
    """An NMI at this instruction. False: it was not reached in time."""
    m.gdb.breakpoint(address)
    m.gdb.go_on()
    if m.gdb.answer(SECONDS) is None:
        m.gdb.stop()
        m.gdb.breakpoint(address, False)
        return m.gdb.registers()["rip"] == address
    if m.gdb.registers()["rip"] != address:
        raise Failure(f"stopped elsewhere: {m.gdb.registers()['rip']:x}, not {address:x}")
    m.gdb.breakpoint(address, False)
    m.gdb.breakpoint(nmi_entry)
    m.call("inject-nmi")
    m.gdb.go_on()
    if m.gdb.answer() is None:
        raise Failure(f"no NMI at {address:x}")
    r = m.gdb.registers()
    m.gdb.breakpoint(nmi_entry, False)
    if r["rip"] != nmi_entry:
        raise Failure(f"no NMI at {address:x}, but a stop at {r['rip']:x}")
    where = int.from_bytes(m.gdb.read(r["rsp"], 8), "little")
    if where != address:
        raise Failure(f"the NMI for {address:x} came at {where:x}")
    return True


def main():
    code, symbols = disassemble()
    missed = []
    with Machine([("paths", "paths", "")], args=ROOTS, gdb=True) as m:
        for address in code:
            if not land(m, address, symbols["trap_stubs"] + 2 * 16):
                missed.append(address)
                if len(missed) > (1 - LEAST) * len(code):
                    raise Failure(f"too few are reached, {address:x} is not; the log:\n" +
                                  m.log()[-1500:])
            if "FAILED" in m.log() or "panic" in m.log() or "unexpected" in m.log():
                raise Failure(f"an NMI at {address:x} was not forgotten:\n{m.log()[-1500:]}")
        m.gdb.go_on()
        if m.gdb.answer(3) is not None or "parvus: end" in m.log():
            raise Failure("the guest did not go on:\n" + m.log()[-1500:])
    print(f"{len(code) - len(missed)} of {len(code)} instructions; not reached: "
          f"{' '.join(hex(a) for a in missed)}")


if __name__ == "__main__":
    try:
        main()
    except (Failure, ConnectionError) as e:
        sys.exit(f"FAILED: {e}")
