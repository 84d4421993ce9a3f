# SPDX-License-Identifier: GPL-2.0-only
"""
What is derived from raw records. Every value has a name that says what it is
(linux/fork-exit/domain-u/instructions), the formula in words, and the names of what it was
made from: raw records (r17), other values, constants of costs.json and goals.json.
"""
import re
import statistics

from .costs import columns, price
from .records import WAYS_MICRO


class Values:
    """Derived values and constants by name."""

    def __init__(self):
        self.items = {}

    def put(self, name, value, unit, how, sources, **more):
        if name in self.items:
            raise ValueError(f"{name}: twice")
        self.items[name] = {
            "id": name,
            "value": value,
            "unit": unit,
            "how": how,
            "from": list(sources),
            **more,
        }
        return name

    def get(self, name):
        return self.items.get(name)

    def number(self, name):
        item = self.items.get(name)
        return None if item is None else item["value"]

    def ratio(self, name, top, bottom, how):
        a, b = self.number(top), self.number(bottom)
        if a is not None and b:
            self.put(name, a / b, "ratio", how, [top, bottom])


def unique(items):
    return list(dict.fromkeys(items))


def measured(store, level, measure):
    """(operation, way) in the order of their first record."""
    return unique((r["operation"], r["way"]) for r in store.bench(level=level, measure=measure))


def middle(records):
    """The record of the median round (the lower one of two)."""
    ordered = sorted(records, key=lambda r: r["instructions"] / r["n"])
    return ordered[(len(ordered) - 1) // 2]


def instructions(store, values, level):
    """Instructions per operation: the median round of the first run; its events beside it."""
    for operation, way in measured(store, level, "instructions"):
        name = f"{level}/{operation}/{way}"
        runs = {}
        for r in store.bench(level=level, measure="instructions", operation=operation, way=way):
            if r["instructions"]:
                runs.setdefault(r["run"], []).append(r)
        if not runs:
            continue
        first = runs[min(runs)]
        best = middle(first)
        values.put(
            f"{name}/instructions",
            best["instructions"] / best["n"],
            "instructions",
            f"instructions / n of {best['id']}, the median of {len(first)} rounds",
            [r["id"] for r in first],
            record=best["id"],
        )
        for event, count in best["events"].items():
            if event == "run_ns":
                values.put(
                    f"{name}/own",
                    count / best["n"],
                    "instructions",
                    f"run_ns / n of {best['id']}: what the domain's own vCPUs ran, one per ns",
                    [best["id"]],
                )
                continue
            values.put(
                f"{name}/event/{event}",
                count / best["n"],
                "events",
                f"{event} / n of {best['id']}",
                [best["id"]],
            )
        if len(runs) > 1:
            bests = {run: middle(of_run) for run, of_run in runs.items()}
            per_op = [b["instructions"] / b["n"] for b in bests.values()]
            values.put(
                f"{name}/deviation",
                max(per_op) / min(per_op) - 1 if min(per_op) else 0.0,
                "share",
                f"largest / smallest - 1 of the median rounds of {len(runs)} runs",
                [b["id"] for b in bests.values()],
            )


def quartiles(numbers):
    if len(numbers) < 2:
        return numbers[0], numbers[0], numbers[0]
    low, middle, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return low, middle, high


def times(store, values, level):
    """Nanoseconds per operation: medians of all rounds; ratios within each repetition."""
    for operation, way in measured(store, level, "time"):
        name = f"{level}/{operation}/{way}"
        records = [
            r
            for r in store.bench(level=level, measure="time", operation=operation, way=way)
            if r["ns"]
        ]
        if not records:
            continue
        low, middle, high = quartiles([r["ns"] / r["n"] for r in records])
        sources = [r["id"] for r in records]
        how = f"of ns / n of {len(records)} rounds"
        values.put(f"{name}/ns", middle, "ns", "median " + how, sources)
        values.put(f"{name}/ns-low", low, "ns", "first quartile " + how, sources)
        values.put(f"{name}/ns-high", high, "ns", "third quartile " + how, sources)
        if way == "native":
            continue
        ratios, sources = [], []
        for repetition in unique(r["run"] for r in records):
            ours = [r for r in records if r["run"] == repetition]
            base = [
                r
                for r in store.bench(
                    level=level, measure="time", operation=operation, way="native", run=repetition
                )
                if r["ns"]
            ]
            if not base:
                continue
            ratios.append(
                statistics.median(r["ns"] / r["n"] for r in ours)
                / statistics.median(r["ns"] / r["n"] for r in base)
            )
            sources += [r["id"] for r in ours + base]
        if ratios:
            low, middle, high = quartiles(ratios)
            how = f"of {len(ratios)} ratios of medians, each within one repetition"
            values.put(f"{name}/time-ratio", middle, "ratio", "median " + how, sources)
            values.put(f"{name}/time-ratio-low", low, "ratio", "first quartile " + how, sources)
            values.put(f"{name}/time-ratio-high", high, "ratio", "third quartile " + how, sources)


def ratios(store, values, level):
    for operation, way in measured(store, level, "instructions"):
        if way != "native":
            name = f"{level}/{operation}"
            values.ratio(
                f"{name}/{way}/ratio",
                f"{name}/{way}/instructions",
                f"{name}/native/instructions",
                f"{way} / native, instructions",
            )


def profiles(store, values, level):
    """By the plugin: instructions by phase, events by opcode, of one operation."""
    for r in store.of_type("profile"):
        if r["level"] != level:
            continue
        name = f"{level}/{r['operation']}/{r['way']}"
        bench = [
            b
            for b in store.bench(level=level, operation=r["operation"], way=r["way"])
            if b["file"] == r["file"]
        ]
        if not bench or values.get(f"{name}/profile"):
            continue
        n, sources = bench[0]["n"], [r["id"], bench[0]["id"]]
        values.put(
            f"{name}/profile", r["insns"] / n, "instructions", f"insns of {r['id']} / n", sources
        )
        for phase, count in r["phase"].items():
            values.put(
                f"{name}/part/{phase}",
                count / n,
                "instructions",
                f"phase.{phase} of {r['id']} / n",
                sources,
            )
        # what a guest executes and is not let to, traps: ring 0 does it, and that counts
        for event in sorted(set(r["hv"]) | set(r["guest"])):
            where = "guest" if r["way"] == "native" or event == "syscall" else "hv"
            values.put(
                f"{name}/event/plugin.{event}",
                r[where].get(event, 0) / n,
                "events",
                f"{where}.{event} of {r['id']} / n",
                sources,
            )
        entries(store, values, name, r, bench[0])


HANDLERS = {"page_faults": ["fault_raw"], "others": ["ud_raw", "irq_raw", "irq_b_raw"]}
TRAPS = ["trap_guest", "trap_ring0"]


def entries(store, values, name, profile, bench):
    """
    How often ring 0 was entered by a page fault, and by another exception or an interrupt: of the
    micro guests by calls of the entries' symbols; of Linux on Parvus what is no system call, and
    natively page faults are its own count, and the others those that the same program had as a
    domain. Nothing, where one of them was not counted.
    """
    n, where = bench["n"], [profile["id"], bench["id"]]
    native, level = profile["way"] == "native", profile["level"]
    called = {
        s["symbol"]: s
        for s in store.of_type("symbol")
        if all(s[k] == profile[k] for k in ("file", "operation", "way"))
    }
    faults = bench["events"].get("guest_faults" if native else "page_faults", 0)
    if level == "micro" and native:
        if not called:
            return
        found = {
            kind: sum(called[s]["calls"] for s in names if s in called)
            for kind, names in HANDLERS.items()
        }
        how = "calls of the handlers of the bare machine / n"
        handlers = [s for names in HANDLERS.values() for s in names if s in called]
        where = where + [called[s]["id"] for s in handlers]
    elif native:
        domain = next(
            (
                f"{level}/{profile['operation']}/{way}/event/"
                for way in ("domain-u", "domain-0")
                if values.get(f"{level}/{profile['operation']}/{way}/event/exceptions")
            ),
            None,
        )
        if not domain or "guest_faults" not in bench["events"]:
            return
        parts = [domain + key for key in ("exceptions", "page_faults_guest", "vectors")]
        counts = [values.number(part) or 0.0 for part in parts]
        found = {"page_faults": faults, "others": n * max(counts[0] - counts[1] + counts[2], 0.0)}
        how = "guest_faults / n; others: exceptions - page_faults_guest + vectors of the domain"
        where = where + [part for part in parts if values.get(part)]
    else:
        if called:
            traps = sum(called[s]["calls"] for s in TRAPS if s in called)
            where = where + [called[s]["id"] for s in TRAPS if s in called]
            how = f"page_faults / n; others: calls of {', '.join(TRAPS)} without these / n"
        elif "crossings" in bench["events"] or level == "micro":
            traps = bench["events"].get("crossings", 0) - profile["guest"].get("syscall", 0)
            how = "page_faults / n; others: (crossings - guest.syscall - page_faults) / n"
        else:
            return
        found = {"page_faults": faults, "others": max(traps - faults, 0)}
    for kind, count in found.items():
        values.put(f"{name}/event/entry.{kind}", count / n, "events", how, where)


def life(store, values):
    """Sums over the Linux operations, and the birth of a domain U."""
    of = [
        o
        for o, w in measured(store, "linux", "instructions")
        if w == "domain-u"
        and values.get(f"linux/{o}/native/instructions")
        and not o.startswith("boot")
    ]
    records = {r["id"]: r for r in store.bench(level="linux", measure="instructions")}
    for way in ("native", "domain-0", "domain-u"):
        names = [f"linux/{o}/{way}/instructions" for o in of]
        if names and all(values.get(n) for n in names):
            values.put(
                f"suite/{way}",
                sum(records[values.get(n)["record"]]["instructions"] for n in names),
                "instructions",
                "sum of the instructions of the median round of each operation",
                names,
            )
    before, after = (
        "linux/before-domain-u/domain-0/instructions",
        "linux/boot-unpaused/domain-u/instructions",
    )
    if values.get(before) and values.get(after):
        values.put(
            "life/create-and-boot",
            values.number(after) - values.number(before),
            "virtual ns",
            "from the call of the tool to the domain's first program",
            [after, before],
        )
    # to its first program a domain runs from unpause, the bare machine from where its kernel begins
    kernel = store.bench(level="linux", measure="events", operation="before-kernel")
    boot = values.get("linux/boot/native/instructions")
    if kernel and boot:
        values.put(
            "life/unpause/native/instructions",
            boot["value"] - kernel[0]["instructions"],
            "instructions",
            f"from reset to the first program - instructions of {kernel[0]['id']}",
            [boot["id"], kernel[0]["id"]],
        )
    own = ["linux/unpause/domain-u/own", "linux/unpause-beside/domain-0/own"]
    if all(values.get(n) for n in own):
        values.put(
            "life/unpause/domain-u/instructions",
            sum(values.number(n) for n in own),
            "instructions",
            "what the domain has run until its first program, and domain 0 until its end",
            own,
        )


def traps(store, values):
    """What trapping costs against a hypercall, of the micro guests."""
    for operation in unique(o for o, _ in measured(store, "micro", "instructions")):
        name = f"micro/{operation}"
        values.ratio(
            f"{name}/trap-by-hypercall",
            f"{name}/trap/instructions",
            f"{name}/hypercall/instructions",
            "trap / hypercall, instructions",
        )


def explanations(store):
    """What the micro guests' runner says of ways out of order: {(operation, a, b): why}."""
    found = {}
    for r in store.of_type("order"):
        for part in r["text"].partition("|")[2].split(";"):
            match = re.match(r"\s*(\w+)>(\w+):\s*(.*)", part)
            if match and match.group(3).strip() != "UNEXPLAINED":
                found[(r["name"], match.group(1), match.group(2))] = match.group(3).strip()
    return found


def broken_orders(store, values):
    """Ways of the micro guests' operations that cost 1 % more than a later one, and why."""
    broken, why = [], explanations(store)
    for operation in unique(o for o, _ in measured(store, "micro", "instructions")):
        known = [
            (way, values.number(f"micro/{operation}/{way}/instructions")) for way in WAYS_MICRO
        ]
        known = [(way, value) for way, value in known if value is not None]
        for i, (way, value) in enumerate(known):
            for after, more in known[i + 1 :]:
                if value > more * 1.01:
                    broken.append((operation, way, after, why.get((operation, way, after), "")))
    return broken


TERM = re.compile(r"([+-]?)\s*([a-z0-9_.]+)\s*")


def evaluate(formula, lookup):
    """A sum of event names and numbers: "page_faults + emulations - x". Names used, and the sum."""
    total, used, at = 0.0, [], 0
    formula = formula.strip()
    while at < len(formula):
        match = TERM.match(formula, at)
        if not match or (at and not match.group(1)):
            raise ValueError(f"not a sum of counts: {formula!r}")
        at = match.end()
        sign = -1 if match.group(1) == "-" else 1
        if match.group(2)[0].isdigit():
            total += sign * float(match.group(2))
        else:
            name, number = lookup(match.group(2))
            if name:
                used.append(name)
                total += sign * number
    return max(total, 0.0), used


def constants(values, costs, goals):
    for family, entry in costs["families"].items():
        for cost, c in entry["costs"].items():
            values.put(
                f"cost/{family}/{cost}", c["value"], c["unit"], f"{c['kind']}: {c['source']}", []
            )
    for row in goals["rows"]:
        values.put(f"goal/{row['id']}", row["limit"], row.get("unit", "ratio"), "goals.json", [])


def estimate(values, name, costs, family, column, pcid, whole):
    """The estimated cycles of one figure in one column; with whole, each part is a value too."""
    ipc = f"cost/{family}/ipc"
    parts = [
        (
            "instructions",
            values.number(f"{name}/instructions") / values.number(ipc),
            "instructions / IPC",
            [f"{name}/instructions", ipc],
        )
    ]

    def lookup(event):
        found = f"{name}/event/{event}"
        return (found, values.number(found)) if values.get(found) else (None, 0.0)

    for term in costs["terms"]:
        count, used = evaluate(term["count"], lookup)
        cost = price(costs, family, term["cost"], pcid)
        parts.append(
            (
                term["name"],
                count * values.number(cost),
                f"({term['count']}) * {cost.rpartition('/')[2]}",
                used + [cost],
            )
        )
    if whole:
        sources = [
            values.put(f"{name}/cycles/{column}/{part}", value, "cycles", how, of)
            for part, value, how, of in parts
        ]
        how = "sum of the parts"
    else:
        sources = unique(s for *_, of in parts for s in of)
        how = " + ".join(how for _, _, how, _ in parts)
    values.put(
        f"{name}/cycles/{column}", sum(value for _, value, _, _ in parts), "cycles", how, sources
    )


def model(store, values, costs, level):
    """
    Estimated cycles of what the plugin has counted. Natively a kernel uses the PCIDs of its CPU;
    Parvus does not, and the column with them is what it would be if it did.
    """
    first = next(iter(costs["families"]))
    for operation, way in measured(store, level, "instructions"):
        name = f"{level}/{operation}/{way}"
        needed = ("instructions", "event/entry.others")
        if not all(values.get(f"{name}/{key}") for key in needed):
            continue
        for family in costs["families"]:
            if way == "native":
                estimate(values, name, costs, family, family, True, family == first)
                continue
            for column, pcid in columns(costs, family):
                estimate(values, name, costs, family, column, pcid, family == first)
    for operation, way in measured(store, level, "instructions"):
        name = f"{level}/{operation}"
        for family in costs["families"] if way != "native" else ():
            for column, _ in columns(costs, family):
                values.ratio(
                    f"{name}/{way}/cycles-ratio/{column}",
                    f"{name}/{way}/cycles/{column}",
                    f"{name}/native/cycles/{family}",
                    f"{way} / native, estimated cycles",
                )


def sizes(store, values):
    for r in store.of_type("size"):
        if values.get(f"size/{r['name']}"):
            continue
        values.put(f"size/{r['name']}", r["value"], r["unit"], f"value of {r['id']}", [r["id"]])
    if values.get("size/text") and values.get("size/rodata"):
        values.put(
            "size/image",
            values.number("size/text") + values.number("size/rodata"),
            "bytes",
            "text + rodata",
            ["size/text", "size/rodata"],
        )
    if values.get("size/memory-domain") and values.get("size/memory-shadow-floor"):
        values.put(
            "size/memory-domain-without-shadows",
            values.number("size/memory-domain") - values.number("size/memory-shadow-floor"),
            "KiB",
            "memory-domain - memory-shadow-floor",
            ["size/memory-domain", "size/memory-shadow-floor"],
        )
    if values.get("size/memory-machine") and values.get("size/memory-of-qemu"):
        values.put(
            "size/memory-not-usable",
            values.number("size/memory-of-qemu") - values.number("size/memory-machine"),
            "KiB",
            "memory-of-qemu - memory-machine: hypervisor, firmware",
            ["size/memory-of-qemu", "size/memory-machine"],
        )
    each = [
        ("memory-per-vcpu", "memory-domain-4-vcpus", "memory-domain", 3, "vCPU"),
        ("memory-per-gib", "memory-domain-1-gib", "memory-domain", 1, "GiB"),
    ]
    for name, top, bottom, by, what in each:
        if values.get(f"size/{top}") and values.get(f"size/{bottom}"):
            values.put(
                f"size/{name}",
                (values.number(f"size/{top}") - values.number(f"size/{bottom}")) / by,
                "KiB",
                f"({top} - {bottom}) / {by}, per {what}",
                [f"size/{top}", f"size/{bottom}"],
            )


def judge(values, goals):
    """Rows of goals.json with what was reached; None = not measured."""
    rows = []
    for row in goals["rows"]:
        native = row.get("native") or (
            f"{row['of']}/native/instructions" if row.get("of") else None
        )
        ours = row.get("ours") or (
            f"{row['of']}/{row.get('way', 'domain-u')}/instructions" if row.get("of") else None
        )
        a, b = values.number(native) if native else None, values.number(ours) if ours else None
        name, met = f"reached/{row['id']}", None
        if b is not None and row["kind"] == "at-most":
            values.put(
                name,
                b / row.get("divide", 1),
                row.get("unit", "ratio"),
                f"{ours} / {row.get('divide', 1)}",
                [ours],
            )
        elif a and b is not None and row["kind"] == "ratio":
            values.put(name, b / a, "ratio", "ours / native", [ours, native])
        elif a is not None and b is not None and row["kind"] == "plus":
            values.put(name, b - a, "instructions", "ours - native", [ours, native])
        if values.get(name):
            met = values.number(name) <= row["limit"] * (1 + row.get("tolerance", 0))
        rows.append(
            {
                "row": row,
                "native": native if a is not None else None,
                "ours": ours if b is not None else None,
                "reached": name if values.get(name) else None,
                "met": met,
            }
        )
    reached = [r["reached"] for r in rows if r["reached"]]
    if reached:
        values.put(
            "goals/met",
            sum(r["met"] is True for r in rows),
            "count",
            "rows that meet their goal",
            reached,
        )
        values.put(
            "goals/measured",
            len(reached),
            "count",
            "rows of goals.json that were measured",
            reached,
        )
    return rows


def derive(store, costs, goals):
    values = Values()
    constants(values, costs, goals)
    levels = unique(r["level"] for r in store.records if r["type"] == "bench")
    for level in levels:
        instructions(store, values, level)
        profiles(store, values, level)
        times(store, values, level)
        ratios(store, values, level)
        if level != "smp":  # where the counters of a vCPU that runs elsewhere lag
            model(store, values, costs, level)
    life(store, values)
    traps(store, values)
    sizes(store, values)
    for level in levels:
        largest = [
            v
            for v in values.items.values()
            if v["id"].startswith(level + "/") and v["id"].endswith("/deviation")
        ]
        if largest:
            worst = max(largest, key=lambda v: v["value"])
            values.put(
                f"repeat/{level}",
                worst["value"],
                "share",
                f"the largest deviation, of {worst['id']}",
                [worst["id"]],
                worst=worst["id"],
            )
            values.put(
                f"repeat/{level}-different",
                sum(v["value"] > 0 for v in largest),
                "count",
                "operations and ways that were not equal in all runs",
                [v["id"] for v in largest],
            )
            values.put(
                f"repeat/{level}-count",
                len(largest),
                "count",
                "operations and ways that ran twice",
                [v["id"] for v in largest],
            )
    return values
