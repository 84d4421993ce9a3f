# SPDX-License-Identifier: GPL-2.0-only
"""
The report: one document of headings, paragraphs, tables and plots, written as HTML (one file,
SVG inside, nothing from the net) and as Markdown. A number in it is a Num, which names the
value of results.json that it shows; both writers print the same text for it.
"""
import os
from html import escape

from . import plots
from .records import PARTS, WAYS_LINUX, WAYS_MICRO


class Num:
    """A value of results.json, to be shown."""

    def __init__(self, value):
        self.id, self.value, self.unit = value["id"], value["value"], value["unit"]
        self.how, self.sources = value["how"], value["from"]

    def text(self):
        return number(self.value, self.unit)

    def title(self):
        sources = self.sources[:8] + (
            [f"and {len(self.sources) - 8} more"] if len(self.sources) > 8 else []
        )
        return f"{self.id}: {self.how}" + (f" [{' '.join(sources)}]" if sources else "")


def number(value, unit):
    if unit == "ratio":
        return f"{value:.3f}" if value < 10 else f"{value:,.1f}"
    if unit == "events":
        return f"{value:.2f}" if value else "0"
    if unit == "share":
        return f"{100 * value:.4f} %"
    if abs(value) >= 10e6:
        return f"{value / 1e6:,.1f} M"
    if isinstance(value, float) and abs(value) < 100:
        return f"{value:.1f}"
    return f"{value:,.0f}"


class Table:
    """Rows of cells; the first of each row is its name."""

    def __init__(self, heads, rows, text_from=None):
        self.heads, self.rows, self.text_from = heads, rows, text_from


class Plot:
    """An SVG, and what it shows."""

    def __init__(self, title, svg):
        self.title, self.svg = title, svg


CATEGORIES = [
    (
        "System calls",
        [
            "null-syscall",
            "read-zero",
            "write-null",
            "stat",
            "fstat",
            "open-close",
            "select-100",
            "sched-yield",
            "clock-gettime",
            "file-read-4k",
            "file-write-4k",
            "file-create-delete",
        ],
    ),
    (
        "Signals, faults, memory",
        [
            "signal-install",
            "signal",
            "sigsegv-fixup",
            "mprotect-touch",
            "mmap-munmap",
            "mmap-touch-munmap",
            "anon-fault-4k",
            "anon-fault-thp",
            "file-fault-read",
            "file-fault-cow",
            "memory-copy-64k",
        ],
    ),
    (
        "Processes",
        [
            "fork-exit",
            "fork-exit-8m",
            "fork-exec",
            "fork-sh",
            "thread",
            "switch-2",
            "switch-8x16k",
            "switch-16x16k",
        ],
    ),
    (
        "Pipes and sockets",
        [
            "pipe-pingpong",
            "futex-pingpong",
            "unix-rtt",
            "udp-rtt",
            "tcp-rtt",
            "tcp-connect",
            "pipe-64k",
            "unix-64k",
            "tcp-64k",
        ],
    ),
]
EVENTS = [
    ("crossings", "crossings"),
    ("root_switches", "CR3 writes"),
    ("flushes", "flushes"),
    ("flushes_full", "whole flushes"),
    ("exceptions", "exceptions"),
    ("vectors", "interrupts"),
    ("ipis", "IPIs"),
    ("page_faults", "page faults"),
    ("fills", "fills"),
    ("prefills", "prefills"),
    ("emulations", "emulated"),
]
SIZES = [
    ("text", "code"),
    ("rodata", "constants"),
    ("data", "data"),
    ("bss", "data that is zero at the start"),
    ("image", "image: code and constants"),
    ("lines-hypervisor", "lines of hypervisor, assembly among them"),
    ("lines-assembly", "lines of code of assembly"),
    ("lines-guest-new", "lines of new files of Linux"),
    ("lines-guest-changed", "changed lines of Linux"),
    ("memory-of-qemu", "memory of the machine"),
    ("memory-machine", "of that, for domains and what they need"),
    ("memory-not-usable", "the rest: the hypervisor, its frame table, what the firmware keeps"),
    ("memory-domain", "for a paused domain (a few MiB, one vCPU), beyond its own frames"),
    ("memory-shadow-floor", "of that, its pool of shadows"),
    ("memory-domain-without-shadows", "of that, everything else"),
    ("memory-domain-4-vcpus", "the same with three vCPUs more"),
    ("memory-per-vcpu", "for each further vCPU"),
    ("memory-domain-1-gib", "the same with a GiB more"),
    ("memory-per-gib", "for each further GiB"),
]


class Builder:
    """Blocks of the document, from results.json."""

    def __init__(self, made, costs, goals):
        self.made, self.costs, self.goals = made, costs, goals
        self.values = {v["id"]: v for v in made["values"]}
        self.blocks = []

    # What blocks are made of

    def num(self, name):
        value = self.values.get(name)
        return Num(value) if value else ""

    def add(self, kind, *content):
        self.blocks.append((kind, *content))

    def heading(self, text, level=2):
        self.add("heading", level, text)

    def paragraph(self, *inline):
        self.add("paragraph", inline)

    def table(self, heads, rows, text_from=None):
        """Columns in which nothing stands are left out."""
        keep = [0] + [i for i in range(1, len(heads)) if any(row[i] != "" for row in rows)]
        self.add(
            "table",
            Table([heads[i] for i in keep], [[row[i] for i in keep] for row in rows], text_from),
        )

    def plot(self, title, svg):
        if svg:
            self.add("plot", Plot(title, svg))

    def operations(self, level):
        found = {}
        for record in self.made["records"]:
            if (
                record["type"] == "bench"
                and record["level"] == level
                and f"{level}/{record['operation']}/{record['way']}/instructions" in self.values
            ):
                found.setdefault(record["operation"], None)
        return list(found)

    def get(self, name):
        value = self.values.get(name)
        return None if value is None else value["value"]

    # Sections

    def head(self):
        env = self.made["environment"]
        self.heading("Parvus: the benchmark", 1)
        self.paragraph(
            "What privileged operations cost on a thin paravirtualizing hypervisor: by a trap, a "
            "hypercall, a batch of them, shared memory, and natively; and what that makes of Linux "
            "in domain 0 and in a domain U, against the same kernel on the bare machine."
        )
        if self.num("goals/met"):
            self.paragraph(
                "Goals met: ",
                self.num("goals/met"),
                " of ",
                self.num("goals/measured"),
                " that were measured.",
            )
        self.paragraph(
            "Commit ",
            ("code", env["commit"][:12] + (" with changes" if env["changed"] else "")),
            ", ",
            ("code", env["date"]),
            ", ",
            {True: "a quick run.", False: "a full run."}.get(env["quick"], "of what kind, unknown."),
        )
        self.heading("How to read it")
        self.paragraph(
            ("b", "Measured: instructions. "),
            (
                "QEMU counts the instructions of the whole machine "
                "(guest, hypervisor, domain 0) with -icount. Repeatable; blind to what a change of "
                "privilege, a CR3 write or a TLB miss costs on hardware."
            ),
        )
        self.paragraph(
            ("b", "Measured: events. "),
            (
                "The hypervisor counts what hardware charges for: crossings (into ring 0 and back),"
                " CR3 writes (changes of mode and of address space, flushes), exceptions, flushes,"
                " IPIs. Figures are of the domain that runs the operation. A plugin of QEMU counts"
                " the same by opcode and symbol; whether they agree is said at the end."
            ),
        )
        self.paragraph(
            ("b", "Measured: time. "),
            (
                "QEMU without -icount, the ways in turn. Emulation makes CR3 writes and "
                "exceptions dear and system calls cheap: a smoke alarm, no prediction of hardware."
            ),
        )
        self.paragraph(
            ("b", "Modelled: cycles. "),
            (
                "Instructions / IPC and events times a cost of each, from costs.json. "
                "Everything called cycles here is an estimate; no figure is from real hardware."
            ),
        )
        self.paragraph(
            "Each number names its value in results.json (point at it); there, from which raw"
            " records it was made."
        )

    def micro(self):
        operations = self.operations("micro")
        self.heading("Operations, each way there is")
        if not operations:
            self.paragraph("The micro guests were not run.")
            return
        self.paragraph(
            "The same operation by the same guest: natively in ring 0, by shared memory, in a batch"
            " of hypercalls, by a hypercall of its own, and by the raw instruction, trapped and"
            " emulated. Instructions per operation."
        )
        self.plot(
            "Instructions per operation and way (log scale)",
            plots.bars(
                [
                    (o, [(w, self.num(f"micro/{o}/{w}/instructions")) for w in WAYS_MICRO])
                    for o in operations
                ],
                WAYS_MICRO,
            ),
        )
        self.table(
            ["operation", *WAYS_MICRO, "trap / hypercall"],
            [
                [
                    o,
                    *[self.num(f"micro/{o}/{w}/instructions") for w in WAYS_MICRO],
                    self.num(f"micro/{o}/trap-by-hypercall"),
                ]
                for o in operations
            ],
        )
        self.orders()
        self.plot(
            "Ratio to native (log scale)",
            plots.bars(
                [
                    (o, [(w, self.num(f"micro/{o}/{w}/ratio")) for w in WAYS_MICRO])
                    for o in operations
                    if self.get(f"micro/{o}/native/instructions")
                ],
                WAYS_MICRO,
            ),
        )
        self.breakdown("micro", operations, WAYS_MICRO)
        self.events("micro", operations, [w for w in WAYS_MICRO if w != "native"])
        self.cycles_of_ways(operations)

    def cycles_of_ways(self, operations):
        family = list(self.costs["families"])[0]
        operations = [
            o
            for o in operations
            if any(f"micro/{o}/{w}/cycles/{family}" in self.values for w in WAYS_MICRO)
        ]
        if not operations:
            return
        self.heading("Estimated cycles of each way", 3)
        self.paragraph(
            f"A model ({self.costs['families'][family]['text']}): instructions / IPC, and the"
            " events that the plugin counts in guest and hypervisor by opcode (SYSCALL, IRET, CR3"
            " writes, INVLPG) times their costs."
        )
        self.plot(
            "Estimated cycles per operation and way (log scale)",
            plots.bars(
                [
                    (o, [(w, self.num(f"micro/{o}/{w}/cycles/{family}")) for w in WAYS_MICRO])
                    for o in operations
                ],
                WAYS_MICRO,
            ),
        )

    def orders(self):
        broken = self.made["broken_orders"]
        self.heading("Order of the ways", 3)
        if not broken:
            self.paragraph(
                "native, shared, batched, hypercall, trap: no operation has a way that costs more"
                " (by 1 % or above) than a later one."
            )
            return
        self.paragraph(
            "The ways should cost more from native by shared, batched, hypercall to trap. Where one"
            " costs more (by 1 % or above) than a later one:"
        )
        self.table(
            ["operation", "costs more", "than", "why"],
            [
                [
                    o,
                    [f"{way} ", self.num(f"micro/{o}/{way}/instructions")],
                    [f"{after} ", self.num(f"micro/{o}/{after}/instructions")],
                    why or "not explained yet",
                ]
                for o, way, after, why in broken
            ],
            1,
        )

    def breakdown(self, level, operations, ways):
        rows = []
        for o in operations:
            for w in ways:
                parts = [(p, self.num(f"{level}/{o}/{w}/part/{p}")) for p in PARTS]
                if any(n for p, n in parts if p != "guest"):
                    name = f"{o}, {w}" if len(ways) > 1 else o
                    rows.append((name, parts, self.num(f"{level}/{o}/{w}/profile")))
        if not rows:
            return
        self.heading("Where the instructions go", 3)
        self.paragraph(
            "Of one operation and the loop around it, counted by symbol by a plugin of QEMU: the"
            " guest's own, the hypervisor's entry (assembly), dispatch (which call or instruction"
            " it is), the handler, and exit. The numbers in the bars are instructions."
        )
        self.plot("Parts of the instructions; all of them at the right", plots.shares(rows, PARTS))
        self.table(
            ["operation", *PARTS, "all"], [[name, *[n for _, n in of], w] for name, of, w in rows]
        )

    def events(self, level, operations, ways):
        heads, rows = ["operation", *[title for _, title in EVENTS]], []
        for o in operations:
            for w in ways:
                cells = [self.num(f"{level}/{o}/{w}/event/{key}") for key, _ in EVENTS]
                if any(c for c in cells):
                    rows.append([f"{o}, {w}" if len(ways) > 1 else o, *cells])
        if rows:
            self.heading("Events per operation", 3)
            self.paragraph(
                "Per operation, as the hypervisor counts; what is shown as a zero with decimals is"
                " a little above it, the timer's most of all."
            )
            self.table(heads, rows)

    def linux(self):
        operations = self.operations("linux")
        self.heading("Linux")
        if not operations:
            self.paragraph("Linux was not run.")
            return
        self.paragraph(
            "One static program, the same kernel and user space, one CPU: on the bare machine, in"
            " domain 0, in a domain U. Instructions per operation; the median of the rounds."
        )
        known = [
            o for o in operations if f"linux/{o}/native/instructions" in self.values and o != "boot"
        ]
        listed = {o for _, of in CATEGORIES for o in of}
        groups = CATEGORIES + [("Others", [o for o in known if o not in listed])]
        self.plot(
            "Ratio to native, instructions; the mark is the goal",
            plots.dots(
                [
                    (
                        o,
                        [(w, self.num(f"linux/{o}/{w}/ratio")) for w in WAYS_LINUX[1:]],
                        (
                            self.num(f"goal/{o}")
                            if self.values.get(f"goal/{o}", {}).get("unit") == "ratio"
                            else None
                        ),
                    )
                    for _, of in groups
                    for o in of
                    if o in known
                ],
                WAYS_LINUX[1:],
            ),
        )
        for title, of in groups:
            of = [o for o in of if o in known]
            if not of:
                continue
            self.heading(title, 3)
            self.plot(
                f"{title}: instructions per operation (log scale)",
                plots.bars(
                    [
                        (o, [(w, self.num(f"linux/{o}/{w}/instructions")) for w in WAYS_LINUX])
                        for o in of
                    ],
                    WAYS_LINUX,
                ),
            )
            self.table(
                [
                    "operation",
                    *WAYS_LINUX,
                    "0 / native",
                    "U / native",
                    "time: U / native",
                    "quartile 1",
                    "quartile 3",
                ],
                [
                    [
                        o,
                        *[self.num(f"linux/{o}/{w}/instructions") for w in WAYS_LINUX],
                        self.num(f"linux/{o}/domain-0/ratio"),
                        self.num(f"linux/{o}/domain-u/ratio"),
                        *[
                            self.num(f"linux/{o}/domain-u/time-ratio{x}")
                            for x in ("", "-low", "-high")
                        ],
                    ]
                    for o in of
                ],
            )
        self.breakdown("linux", known, ["domain-u"])
        self.events("linux", known, ["domain-u"])
        self.two()

    def two(self):
        operations = self.operations("smp")
        if not operations:
            return
        self.heading("Two CPUs", 3)
        self.paragraph(
            "What has to tell another CPU, which runs the same program: by a flush, by a wake-up."
            " Instructions are of both CPUs, with what they execute while they wait; there is no"
            " figure of the bare machine, because QEMU with -icount does not boot two CPUs there."
        )
        ways = [w for w in WAYS_LINUX if w != "native"]
        self.table(
            ["operation", "instructions", "IPIs", "flushes", "IPIs of the guest's own"],
            [
                [
                    f"{o}, {w}",
                    self.num(f"smp/{o}/{w}/instructions"),
                    *[
                        self.num(f"smp/{o}/{w}/event/{e}")
                        for e in ("ipis", "flushes", "guest_ipis")
                    ],
                ]
                for o in operations
                for w in ways
            ],
        )

    def devices(self):
        for level, title in (("block", "Disks"), ("network", "Network")):
            operations = self.operations(level)
            self.heading(title)
            if not operations:
                self.paragraph("Not measured in this run.")
                continue
            self.plot(
                f"{title}: instructions per operation (log scale)",
                plots.bars(
                    [
                        (o, [(w, self.num(f"{level}/{o}/{w}/instructions")) for w in WAYS_LINUX])
                        for o in operations
                    ],
                    WAYS_LINUX,
                ),
            )
            self.table(
                ["operation", "native", "domain U", "of that, its own vCPU", "ratio"],
                [
                    [
                        o,
                        *[
                            self.num(f"{level}/{o}/{w}")
                            for w in (
                                "native/instructions",
                                "domain-u/instructions",
                                "domain-u/own",
                                "domain-u/ratio",
                            )
                        ],
                    ]
                    for o in operations
                ],
            )

    def machine(self):
        operations = self.operations("machine")
        self.heading("Devices of domain 0")
        if not operations:
            self.paragraph("Not measured in this run.")
            return
        self.table(
            ["operation", "native", "domain 0", "ratio"],
            [
                [
                    o,
                    *[
                        self.num(f"machine/{o}/{w}")
                        for w in ("native/instructions", "domain-0/instructions", "domain-0/ratio")
                    ],
                ]
                for o in operations
            ],
        )

    def model(self):
        # a family all of whose costs are assumed says nothing of its own
        guessed = [
            f
            for f, entry in self.costs["families"].items()
            if all(c["kind"] == "assumed" for c in entry["costs"].values())
        ]
        families = [f for f in self.costs["families"] if f not in guessed]
        operations = [
            o
            for o in self.operations("linux")
            if f"linux/{o}/native/cycles/{families[0]}" in self.values
        ]
        self.heading("Estimated cycles")
        self.paragraph(
            "A model, not a measurement: instructions / IPC + the sum of events * costs. The events"
            " of a native run: CR3 writes and INVLPG by the plugin, page faults are Linux's own"
            " count, system calls and interrupts those of the same program in a domain U. TLB"
            " misses after a flush, caches and branch prediction are not in it."
        )
        names = ["instructions"] + [t["name"] for t in self.costs["terms"]["parvus"]]
        if operations:
            first = families[0]
            self.plot(
                (
                    f"Estimated cycles, {self.costs['families'][first]['text']}: a domain U,"
                    " native = 1"
                ),
                plots.stacked(
                    [
                        (
                            o,
                            [
                                (n, self.num(f"linux/{o}/domain-u/cycles/{first}/{n}"))
                                for n in names
                            ],
                        )
                        for o in operations
                    ],
                    names,
                    {o: self.get(f"linux/{o}/native/cycles/{first}") for o in operations},
                    {o: self.num(f"linux/{o}/domain-u/cycles-ratio/{first}") for o in operations},
                ),
            )
            self.table(
                [
                    "operation",
                    f"native, {first}",
                    f"domain U, {first}",
                    *[f"ratio, {f}" for f in families],
                ],
                [
                    [
                        o,
                        self.num(f"linux/{o}/native/cycles/{first}"),
                        self.num(f"linux/{o}/domain-u/cycles/{first}"),
                        *[self.num(f"linux/{o}/domain-u/cycles-ratio/{f}") for f in families],
                    ]
                    for o in operations
                ],
            )
        self.heading("Costs and their sources", 3)
        if guessed:
            self.paragraph(
                "No published figure was found for ",
                ("code", "; ".join(self.costs["families"][f]["text"] for f in guessed)),
                ". In results.json they have the costs of Skylake, with PCIDs or without; here they"
                " are left out.",
            )
        rows = []
        for family in families:
            entry = self.costs["families"][family]
            for name, cost in entry["costs"].items():
                rows.append(
                    [
                        f"{entry['text']}: {name}",
                        self.num(f"cost/{family}/{name}"),
                        cost["unit"],
                        cost["kind"],
                        cost["source"],
                    ]
                )
        self.table(["cost", "value", "unit", "kind", "source"], rows, 2)

    def judged(self, machine=None):
        """With machine those of domain 0's devices alone, or (False) the others."""
        rows = []
        by_id = {row["id"]: row for row in self.goals["rows"]}
        for j in self.made["goals"]:
            row = by_id[j["row"]]
            if machine not in (None, j["row"].startswith("machine-")):
                continue
            goal = [
                {"ratio": "", "plus": "native + ", "at-most": ""}[row["kind"]],
                self.num(f"goal/{row['id']}"),
                {"ratio": " x", "plus": "", "at-most": ""}[row["kind"]],
            ]
            met = {True: "yes", False: "no", None: "not measured"}[j["met"]]
            rows.append(
                [
                    row["text"],
                    self.num(j["native"]),
                    self.num(j["ours"]),
                    goal,
                    self.num(j["reached"]),
                    met,
                    (
                        row.get("cause", "no cause named")
                        if j["met"] is False
                        else row.get("note", "")
                    ),
                ]
            )
        self.heading("Against the goals")
        if rows:
            self.paragraph(
                "Goals are upper limits: times native (x), native and a number of instructions, or"
                " a number. Parvus is a domain U where the row is not about domain 0 or the"
                " hypervisor."
            )
            self.table(
                ["row", "native", "Parvus", "goal", "reached", "met", "why not, or a note"], rows, 6
            )

    def size(self):
        self.heading("Size and memory")
        if any(v.startswith("size/") for v in self.values):
            self.paragraph(
                "Bytes of the image's sections, lines as wc counts them, memory that the machine"
                " has less for a domain beyond the frames that the domain itself has touched."
            )
            self.table(
                ["what", "value", "unit"],
                [
                    [text, self.num(f"size/{name}"), self.values[f"size/{name}"]["unit"]]
                    for name, text in SIZES
                    if f"size/{name}" in self.values
                ],
                2,
            )

    def repeat(self):
        rows = [
            [
                level,
                self.num(f"repeat/{level}-count"),
                self.num(f"repeat/{level}-different"),
                self.num(f"repeat/{level}"),
                self.values[f"repeat/{level}"]["worst"],
            ]
            for level in ("micro", "linux", "block", "network")
            if f"repeat/{level}" in self.values
        ]
        self.heading("Repeatability and cross-checks")
        if rows:
            self.paragraph("The instruction part ran twice, each time from reset.")
            self.table(["level", "figures", "not equal", "largest difference", "of"], rows, 4)
        else:
            self.paragraph("The instruction part of Linux ran once; a full run does it twice.")
        checks = [r for r in self.made["records"] if r["type"] == "check"]
        if checks:
            self.paragraph(
                "What was checked: that two runs of the micro guests print the same to the byte,"
                " that the TSC and the plugin count the same instructions, that hypervisor and"
                " plugin count the same events: exactly in the micro guests, in Linux but for what"
                " reading the counters causes itself."
            )
            self.table(
                ["check", "level", "result", ""],
                [[r["name"], r["level"], r["verdict"], r["text"]] for r in checks],
                1,
            )
        self.heading("Environment")
        self.table(
            ["what", "value"],
            [[k.replace("_", " "), ("code", str(v))] for k, v in self.made["environment"].items()],
            1,
        )

    def build(self):
        self.head()
        self.judged()
        self.micro()
        self.linux()
        self.devices()
        self.machine()
        self.model()
        self.size()
        self.repeat()
        return self.blocks


def document(made, costs, goals):
    return Builder(made, costs, goals).build()


# HTML


def style():
    with open(os.path.join(os.path.dirname(__file__), "report.css"), encoding="utf-8") as f:
        return f.read()


def _inline(item):
    if isinstance(item, Num):
        return (
            f'<data value="{item.value!r}" data-id="{escape(item.id)}"'
            f' title="{escape(item.title())}">{escape(item.text())}</data>'
        )
    if isinstance(item, tuple):
        return f"<{item[0]}>{escape(item[1])}</{item[0]}>"
    return escape(item)


def _table(table):
    out = ['<div class="wide"><table>', "<thead><tr>"]

    def text(i):
        return ' class="t"' if table.text_from is not None and i >= table.text_from else ""

    out += [f"<th{text(i)}>{escape(h)}</th>" for i, h in enumerate(table.heads)]
    out.append("</tr></thead><tbody>")
    for row in table.rows:
        out.append(f'<tr><th scope="row">{escape(row[0])}</th>')
        for i, cell in enumerate(row[1:], 1):
            kind = f' class="{cell}"' if cell in ("yes", "no") else text(i)
            if isinstance(cell, list):
                out.append(f"<td{kind}>" + "".join(_inline(x) for x in cell) + "</td>")
                continue
            if isinstance(cell, str) and any(c.isdigit() for c in cell):
                # prose that names numbers (sources, causes) is quoted, not measured
                out.append(f"<td{kind}><q>{_inline(cell)}</q></td>")
            else:
                out.append(f"<td{kind}>{_inline(cell)}</td>")
        out.append("</tr>")
    out.append("</tbody></table></div>")
    return "".join(out)


def html(blocks, made):
    sections = [(f"s{i}", b[2]) for i, b in enumerate(blocks) if b[0] == "heading" and b[1] == 2]
    out = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>Parvus benchmark, {escape(made['environment']['date'][:10])}</title>",
        f"<style>{style()}</style></head><body>",
    ]
    for i, block in enumerate(blocks):
        kind = block[0]
        if kind == "heading":
            out.append(f'<h{block[1]} id="s{i}">{escape(block[2])}</h{block[1]}>')
            if block[1] == 1:
                out.append(
                    "<nav>"
                    + "".join(f'<div><a href="#{a}">{escape(t)}</a></div>' for a, t in sections)
                    + "</nav>"
                )
        elif kind == "paragraph":
            out.append("<p>" + "".join(_inline(x) for x in block[1]) + "</p>")
        elif kind == "table":
            out.append(_table(block[1]))
        elif kind == "plot":
            out.append(
                f"<figure><figcaption>{escape(block[1].title)}</figcaption>"
                f'<div class="wide">{block[1].svg}</div></figure>'
            )
    out.append("</body></html>")
    return "\n".join(out) + "\n"


# Markdown


def _plain(item):
    if isinstance(item, list):
        return "".join(_plain(x) for x in item)
    if isinstance(item, Num):
        return item.text()
    if isinstance(item, tuple):
        mark = {"b": "**", "code": "`"}[item[0]]
        text = item[1].rstrip()
        return f"{mark}{text}{mark}" + " " * (len(item[1]) - len(text))
    return item.replace("|", "\\|")


def markdown_table(table):
    right = table.text_from if table.text_from is not None else len(table.heads)
    lines = [
        "| " + " | ".join(table.heads) + " |",
        "|---|" + "".join("--:|" if i < right else "---|" for i in range(1, len(table.heads))),
    ]
    lines += ["| " + " | ".join(_plain(c) for c in row) + " |" for row in table.rows]
    return "\n".join(lines) + "\n"


def markdown(blocks, made):
    out = [
        f"<!-- from results.json of {made['environment']['date']}; the plots are in report.html"
        " -->\n"
    ]
    for block in blocks:
        if block[0] == "heading":
            out.append("#" * block[1] + " " + block[2] + "\n")
        elif block[0] == "paragraph":
            out.append("".join(_plain(x) for x in block[1]) + "\n")
        elif block[0] == "table":
            out.append(markdown_table(block[1]))
    return "\n".join(out)
