# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/retries.sh."""
import re
import subprocess
import sys
from machine import O, Failure, Machine

FIRST, PAGES, PAGE = 0x10000000, 200, 4096	# as tests/guest/lib/retries.c has them
LIMIT = 64					# RETRY_LIMIT of x86/traps.c


def copy_instruction():
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"{O}/parvus.elf",
                           "--disassemble=guest_copy"], capture_output=True, text=True,
                          check=True).stdout
    found = re.search(r"^\s*([0-9a-f]+):\trep movsb", text, re.M)
    if not found:
        raise Failure("no REP MOVSB in guest_copy")
    return int(found.group(1), 16)


def main():
    at = copy_instruction()
    tries = 0
    with Machine([("retries", "retries", "")], gdb=True) as m:
        m.gdb.breakpoint(at)
        m.gdb.go_on()
        try:
            while (m.gdb.answer() or "W")[0] == "T":
                to = m.gdb.registers()["rdi"]
                if FIRST <= to < FIRST + (PAGES - 1) * PAGE:	# not the last, undisturbed one
                    if tries:
                        m.gdb.set_register("rdi", to + PAGE)
                    tries += 1
                m.gdb.breakpoint(at, False)	# the stub does not go on from one by itself
                m.gdb.ask("s")
                m.gdb.breakpoint(at)
                m.gdb.go_on()
        except (Failure, ConnectionError):
            pass			# the machine has switched itself off
        if "end domain=0 name=retries reason=poweroff status=0 " not in m.log():
            with open(m.tmp.name + "/serial", encoding="latin-1") as f:
                raise Failure(f"{tries} tries\n" + f.read() + m.log()[-300:])
    if tries != LIMIT + 1:
        raise Failure(f"{tries} tries, not {LIMIT + 1}")
    print(f"{tries} tries")


if __name__ == "__main__":
    try:
        main()
    except (Failure, ConnectionError) as e:
        sys.exit(f"FAILED: {e}")
