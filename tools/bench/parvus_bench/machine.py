# SPDX-License-Identifier: GPL-2.0-only
"""
Domain 0's devices: what a program printed (io.c, each record the difference between a long and a
short run) and what the plugin counted while it ran, joined to records of executed instructions.
"""
import re

from .records import BadRecord


def counted(console, plugin):
    """
    Lines of records. The plugin has two for each of the program's, in their order. Of reads one at
    a time the way from an interrupt to its handler is a record of its own, which the plugin gives
    as a median; what is called busy is measured for that alone.
    """
    said = re.findall(r"^.*BENCH (\S+) (\S+) (\d+) 0 (\d+) (\d+) round=(\d+)", console, re.M)
    insns, ways = {}, {}
    for words in (line.split() for line in plugin.splitlines()):
        if words[0] == "RECORD":
            insns[int(words[1])] = int(words[2].partition("=")[2])
        elif words[0] == "WAY":
            ways[int(words[1])] = [int(word) for word in words[2:]]
    if not said or len(insns) != 2 * len(said):
        raise BadRecord(f"{len(said)} records, but {len(insns)} of the plugin")
    lines = []
    for i, (name, way, n, ticks, ns, of_round) in enumerate(said):
        short, long = insns[2 * i], insns[2 * i + 1]
        if long <= short:
            raise BadRecord(f"{name}, round {of_round}: {long} instructions, a shorter run {short}")
        busy = name.startswith("busy-")
        if not busy:
            lines.append(f"BENCH {name} {way} {n} {long - short} {ticks} {ns} round={of_round}")
        if not name.endswith("read-4k"):
            continue
        if 2 * i + 1 not in ways:
            raise BadRecord(f"{name}, round {of_round}: no interrupt came to its handler")
        count, median = ways[2 * i + 1]
        kind = "busy" if busy else "idle"
        lines.append(
            f"BENCH interrupt-{kind} {way} 1 {median} {median} 0 round={of_round}"
            f" interrupts={count}"
        )
    return lines
