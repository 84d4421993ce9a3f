# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/microcode.sh."""
import os
import struct
import sys
import tempfile
from machine import O, Failure, Machine

INTEL = "kernel/x86/microcode/GenuineIntel.bin"
AMD = "kernel/x86/microcode/AuthenticAMD.bin"


def newc(files):
    out = b""
    for name, data in [*files, ("TRAILER!!!", b"")]:
        head = "070701" + "".join(f"{n:08x}" for n in (
            1, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        out += head.encode() + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return out


def intel(signature, revision):
    words = [1, revision, 0, signature, 0, 1, 1, 64, 112, 0, 0, 0] + [0] * 16
    words[4] = -sum(words) & 0xffffffff
    return struct.pack("<28I", *words)


def amd(signature, revision):
    table = struct.pack("<3I", 0x414d44, 0, 32) + struct.pack("<4I", signature, 0, 0, 0x8012) + \
        bytes(16)
    return table + struct.pack("<2I", 1, 128) + struct.pack("<7I", 0, revision, 0, 0, 0, 0, 0x8012) + \
        bytes(100)


def update_alone(name, update):
    """An initrd with it in front, as distributions make them."""
    for pad in range(0, 64, 4):
        whole = newc([("pad", bytes(pad)), (name, update)])
        if whole.index(update) % 16 == 0:
            return whole + newc([("init", b"#!/bin/sh\n")])
    raise Failure("no place for the update")


def boot(cpu, update, name, nested, shift, plain=False):
    """
    The log of a start with that in a bundle, @shift bytes from a multiple of 16; or in the initrd
    that is a module, behind domain 0's kernel.
    """
    with open(f"{O}/tests/guest/timer", "rb") as f:
        files = [("kernel", f.read()), ("manifest", b"domain=a kernel=kernel mem=16M\n")]
    for pad in range(0, 64, 4):
        inside = newc([(name, update)]) if nested else update
        whole = newc([("pad", bytes(pad)), ("initrd" if nested else name, inside), *files])
        if whole.index(update) % 16 == shift:
            break
    with tempfile.NamedTemporaryFile() as f:
        f.write(update_alone(name, update) if plain else whole)
        f.flush()
        modules = f"{O}/tests/guest/timer,{f.name}" if plain else f.name
        with Machine([], cpus=2, args="debug=1 dom0_mem=16M",
                     extra=["-cpu", cpu, "-initrd", modules, "-no-shutdown"]) as m:
            m.wait_log("parvus: end domain=0 .*reason=poweroff status=0")
            return m.log()


def expect(log, line):
    said = [s for s in log.splitlines() if "microcode: " in s]
    if said != ([line] if line else []):
        raise Failure(f"{said}, not {line}")
    if "smp: 2 CPUs" not in log:
        raise Failure("not two CPUs:\n" + log)


if __name__ == "__main__":
    try:
        # QEMU takes the write and stays what it is: Nehalem 0x106a3 with 1, EPYC with 0x1000065
        expect(boot("Nehalem,-hypervisor", intel(0x106a3, 5), INTEL, True, 0),
               "(cpu0) microcode: was 1, given 5, is 1")
        expect(boot("Nehalem,-hypervisor", intel(0x106a3, 1), INTEL, True, 0), None)
        expect(boot("Nehalem,-hypervisor", intel(0x106a4, 5), INTEL, False, 0), None)
        expect(boot("Nehalem,-hypervisor", intel(0x106a3, 5), INTEL, False, 4),
               "(cpu0) warning: microcode: not at a multiple of 16 bytes, left out")
        expect(boot("EPYC,-hypervisor", amd(0x800f12, 0x2000000), AMD, False, 8),
               "(cpu0) microcode: was 1000065, given 2000000, is 1000065")
        expect(boot("EPYC,-hypervisor", amd(0x800f12, 0x2000000), INTEL, False, 0), None)
        expect(boot("Nehalem,-hypervisor", intel(0x106a3, 5), INTEL, False, 0, plain=True),
               "(cpu0) microcode: was 1, given 5, is 1")
        # what a hypervisor below does is its own business
        expect(boot("Nehalem", intel(0x106a3, 5), INTEL, True, 0), None)
    except Failure as e:
        sys.exit(f"FAILED: {e}")
