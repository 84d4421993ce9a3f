# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/mcheck.sh."""
import sys
from machine import Failure, Machine

# MCi_STATUS: valid, uncorrected, enabled, address valid; and "the processor's state is corrupt"
LOST = 0xb400000000000000
CORRUPT = 1 << 57
RIPV = 1
DOMAINS = [("busy", "idle", "cmdline=spin"), ("sleeper", "idle", "cmdline=idle"),
           ("other", "idle", "cmdline=idle"), ("canary", "canary", "")]


def boot(cpus, isolation="kernel"):
    return Machine(DOMAINS, cpus=cpus, args=f"debug=1 loglevel=debug isolation={isolation}")


def frame_of(m, domain):
    m.wait_log("boot: .* given back")
    return int(m.wait_log(rf"d{domain}: its first frame is ([0-9a-f]+)").group(1), 16) << 12


def domain_ends(cpus, isolation):
    """A frame of each kind of domain is lost: that domain ends, the others do not."""
    with boot(cpus, isolation) as m:
        for n, name in ((1, "sleeper"), (0, "busy")):
            m.monitor(f"mce {cpus - 1} 1 {LOST:#x} {RIPV} {frame_of(m, n):#x} 0")
            m.wait_log(f"end domain={n} name={name} reason=killed .*machine check: its memory")
        m.wait_log("end domain=3 name=canary reason=poweroff status=0")
        # the first domain is ended, its memory free: a loss there is nobody's
        m.monitor(f"mce 0 1 {LOST:#x} {RIPV} {frame_of(m, 0):#x} 0")
        m.wait_log("which nobody uses")
        if "panic" in m.log() or m.log().count("parvus: end") != 3:
            raise Failure("more ended than those:\n" + m.log())


def several_at_once():
    """Two banks of one machine check, and the CPU is in ring 0: neither loss is forgotten."""
    with boot(1) as m:
        frames = [frame_of(m, n) for n in (1, 2)]
        m.monitor("stop")
        for bank, frame in enumerate(frames):
            m.monitor(f"mce 0 {bank + 1} {LOST:#x} {RIPV} {frame:#x} 0")
        m.monitor("cont")
        for n, name in ((1, "sleeper"), (2, "other")):
            m.wait_log(f"end domain={n} name={name} reason=killed .*machine check: its memory")
        m.wait_log("end domain=3 name=canary reason=poweroff status=0")


def machine_ends(status, mcg, address, what):
    with boot(1) as m:
        frame_of(m, 0)
        m.monitor(f"mce 0 1 {status:#x} {mcg} {address:#x} 0")
        m.wait_log(what)
        m.wait_log("parvus: panic")


try:
    domain_ends(1, "kernel")
    domain_ends(2, "kernel")
    domain_ends(1, "on")
    several_at_once()
    machine_ends(LOST | CORRUPT, RIPV, 0x3000000, "machine check in bank 1")
    machine_ends(LOST, RIPV, 0x140000, "lost the hypervisor's memory at 140000")
except Failure as e:
    sys.exit(f"FAILED: {e}")
