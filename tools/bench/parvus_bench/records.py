# SPDX-License-Identifier: GPL-2.0-only
"""
Raw records: the lines that guests and programs print, as they are kept in results.json.

    BENCH operation way n instructions tsc ns [key=value ...]
    PROFILE operation way insns=N [phase.NAME=N ...] [hv.EVENT=N ...] [guest.EVENT=N ...]
    SYMBOL operation way symbol phase instructions calls
    CHECK name ok|FAILED text
    ORDER operation ok|exception text
    ENV name=value
    SIZE name value unit

PROFILE and SYMBOL are the plugin's counts of all n operations of a BENCH record.

Every record keeps its line, its number (r1, r2, ...), and where it comes from: level (micro,
linux, life, ...), measure (instructions or time), run or repetition, file.
"""
import re

WAYS_MICRO = ["native", "shared", "batched", "hypercall", "trap"]
WAYS_LINUX = ["native", "domain-0", "domain-u"]
NAME = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
PARTS = ["guest", "entry", "dispatch", "handler", "exit"]


class BadRecord(Exception):
    """A line that says it is a record, and is none."""


def _number(text, line):
    if not re.fullmatch(r"[0-9]+", text):
        raise BadRecord(f"not a number: {text!r} in: {line}")
    return int(text)


def _pair(word, line):
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise BadRecord(f"not key=value: {word!r} in: {line}")
    return key, value


def _size(words, line):
    if len(words) != 4 or not NAME.match(words[1]):
        raise BadRecord(f"not a SIZE record: {line}")
    return {"name": words[1], "value": _number(words[2], line), "unit": words[3]}


def _bench(words, line):
    if len(words) < 7 or not NAME.match(words[1]) or not NAME.match(words[2]):
        raise BadRecord(f"not a BENCH record: {line}")
    record = {"operation": words[1], "way": words[2]}
    for key, text in zip(("n", "instructions", "tsc", "ns"), words[3:7]):
        record[key] = _number(text, line)
    if record["n"] == 0:
        raise BadRecord(f"no repetitions: {line}")
    record["events"] = {}
    for word in words[7:]:
        key, value = _pair(word, line)
        if key in ("raw", "round"):
            record[key] = _number(value, line)
        elif re.fullmatch(r"[0-9]+", value):
            record["events"][key] = int(value)
        else:
            record.setdefault("text", {})[key] = value
    return record


def _profile(words, line):
    if len(words) < 4:
        raise BadRecord(f"not a PROFILE record: {line}")
    record = {"operation": words[1], "way": words[2], "phase": {}, "hv": {}, "guest": {}}
    for word in words[3:]:
        key, value = _pair(word, line)
        kind, dot, name = key.partition(".")
        if dot and kind in ("phase", "hv", "guest"):
            record[kind][name] = _number(value, line)
        else:
            record[key] = _number(value, line)
    return record


def _symbol(words, line):
    if len(words) != 7:
        raise BadRecord(f"not a SYMBOL record: {line}")
    return {
        "operation": words[1],
        "way": words[2],
        "symbol": words[3],
        "phase": words[4],
        "instructions": _number(words[5], line),
        "calls": _number(words[6], line),
    }


def _said(words, line):
    """CHECK and ORDER: a name, a verdict, text."""
    if len(words) < 3 or words[2] not in ("ok", "FAILED", "exception"):
        raise BadRecord(f"not a {words[0]} record: {line}")
    return {"name": words[1], "verdict": words[2], "text": " ".join(words[3:])}


def _env(words, line):
    name, value = _pair(" ".join(words[1:]), line)
    return {"name": name, "value": value}


KINDS = {
    "BENCH": _bench,
    "SIZE": _size,
    "PROFILE": _profile,
    "SYMBOL": _symbol,
    "CHECK": _said,
    "ORDER": _said,
    "ENV": _env,
}
# a console may put its own bytes before a line
LINE = re.compile(r"(?:^|\s)((?:" + "|".join(KINDS) + r") .*)")


def parse(line):
    """The record of one line; None if the line is something else."""
    match = LINE.search(line.rstrip())
    if not match:
        return None
    words = match.group(1).split()
    if words[0] in ("CHECK", "ORDER", "ENV", "PROFILE", "SYMBOL") and match.start(1):
        return None  # only consoles' records may stand behind other text
    return {"type": words[0].lower(), **KINDS[words[0]](words, line), "line": match.group(1)}


class Store:
    """All raw records of one benchmark, in the order they came."""

    def __init__(self, records=None):
        self.records = list(records or [])

    def add(self, record, **origin):
        record = {"id": f"r{len(self.records) + 1}", **origin, **record}
        self.records.append(record)
        return record

    def add_text(self, text, **origin):
        """All records of a console's text; how many they were."""
        count = 0
        for line in text.splitlines():
            record = parse(line)
            if record:
                self.add(record, **origin)
                count += 1
        return count

    def bench(self, **wanted):
        return [
            r
            for r in self.records
            if r["type"] == "bench" and all(r.get(k) == v for k, v in wanted.items())
        ]

    def of_type(self, kind):
        return [r for r in self.records if r["type"] == kind]
