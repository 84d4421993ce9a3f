# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/record.sh; the record of the first panic is left in the file that is named."""
import re
import struct
import sys
from machine import Failure, Machine

AT, SIZE = 0x90000, 0x8000
# bank 0: valid, uncorrected, enabled; an MCE is in progress: ring 0 has no other answer than a panic
CHECK = "mce 0 0 0xb000000000000000 4 0 0"
AGAIN = ["-action", "reboot=reset"]


def text_of(record):
    """The record as Linux reads it (fs/pstore/ram_core.c), or a failure."""
    signature, start, size = struct.unpack_from("<III", record)
    if (signature, start) != (0x43474244, 0) or not 0 < size <= SIZE - 12:
        raise Failure(f"no record: {signature:x} {start} {size}")
    text = record[12:12 + size].decode("ascii")
    if not re.match(r"====\d+\.\d{6}-D\n", text):
        raise Failure("not the first line of a record: " + text[:40])
    return text


def starts(m):
    return m.log().count("Parvus, ABI")


def panic_is_kept(out):
    """A warm reset by itself; the next start leaves the record as it is. It is the whole log."""
    with Machine([("idle", "idle", "cmdline=spin")], args="debug=1 panic=reboot", extra=AGAIN) as m:
        m.wait_log("given back")
        if m.memory(AT, 4) == struct.pack("<I", 0x43474244):
            raise Failure("there is a record before anything has broken down")
        m.monitor(CHECK)
        m.wait_log(r"(?s)parvus: panic\n.*given back")
        record = m.memory(AT, SIZE)
        text = text_of(record)
        log = m.log()
        first = log[:log.index("parvus: panic\n") + len("parvus: panic\n")]
        if text.split("\n", 1)[1] != first:
            raise Failure("the record is not the log:\n" + text)
        for part in ("Parvus, ABI", "panic: machine check in bank", "backtrace:\n"):
            if part not in text:
                raise Failure(f"no '{part}' in the record:\n{text}")
        if starts(m) != 2:
            raise Failure(f"{starts(m)} starts")
    with open(out, "wb") as f:
        f.write(record)


def panic_is_shown():
    """On a text screen, from its top; without panic= the machine goes off."""
    with Machine([("idle", "idle", "cmdline=spin")], args="debug=1",
                 extra=["-device", "VGA", "-no-shutdown"]) as m:
        m.wait_log("given back")
        m.monitor(CHECK)
        m.wait_log("parvus: panic\n")
        m.until(lambda: "paused" in m.monitor("info status"), "it does not go off")
        screen = m.memory(0xb8000, 80 * 25 * 2)[::2].decode("latin-1")
        rows = [screen[n * 80:n * 80 + 80].rstrip() for n in range(25)]
        if not re.match(r"\(cpu0( d0)?\) error: panic: machine check", rows[0]) or \
                not rows[1].startswith("cpu 0: ") or not any("backtrace:" in r for r in rows):
            raise Failure("the screen:\n" + "\n".join(rows))
        text_of(m.memory(AT, SIZE))


def watch_fires():
    """Domain 0 does not come up: a panic, and a reset whatever panic= says."""
    with Machine([("idle", "idle", "control=1 cmdline=spin")], args="debug=1 bootwatch=2",
                 extra=AGAIN) as m:
        m.wait_log(r"(?s)panic: bootwatch: domain 0 did not come up in time.*given back")
        if "bootwatch: domain 0 did not" not in text_of(m.memory(AT, SIZE)):
            raise Failure("the record does not say why")


def nmi_is_logged():
    """The 1st, 2nd, 4th of each CPU, with what port 61 says; nothing else happens."""
    with Machine([("idle", "idle", "cmdline=spin")]) as m:
        m.wait_log("given back")
        def fourth():	# one that comes while another waits is none
            m.monitor("nmi")
            return re.search(r"nmi: 4 so far, port 61 says [0-9a-f]{2}\n", m.log())
        m.until(fourth, "no fourth NMI in the log", each=0.2)
        if re.findall(r"nmi: (\d+) so far", m.log()) != ["1", "2", "4"] or "panic" in m.log():
            raise Failure(m.log()[-500:])


if __name__ == "__main__":
    try:
        panic_is_kept(sys.argv[1])
        panic_is_shown()
        watch_fires()
        nmi_is_logged()
    except Failure as e:
        sys.exit(f"FAILED: {e}")
