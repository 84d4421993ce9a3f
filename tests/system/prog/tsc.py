# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/tsc.sh."""
import sys
from machine import Failure, Machine


def rate(by, *extra):
    """kHz, as measured by that; on a machine that counts instructions as ns, so 1 GHz."""
    with Machine([("a", "timer", "")],
                 extra=["-icount", "shift=0,sleep=off", "-no-shutdown", *extra]) as m:
        found = m.wait_log(r"time: TSC (\d+) kHz by ([^,\n]+)")
        m.wait_log("parvus: end domain=0 .*reason=poweroff status=0")
    if found[2] != by:
        raise Failure(f"by {found[2]}, not by {by}")
    if abs(int(found[1]) - 1000000) > 1000:
        raise Failure(f"{found[1]} kHz by {by}")


if __name__ == "__main__":
    try:
        rate("PM timer")
        rate("PM timer", "-M", "q35")
        rate("PIT", "-no-acpi")
        rate("PIT", "-M", "microvm,acpi=on,pit=on,pic=on,isa-serial=on,rtc=on")
    except Failure as e:
        sys.exit(f"FAILED: {e}")
