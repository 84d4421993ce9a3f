# SPDX-License-Identifier: GPL-2.0-only
"""
The report: one document of headings, paragraphs, tables, plots and what is folded, written as HTML
(one file, SVG inside, nothing from the net) and as Markdown. A number in it is a Num, which names
the value of results.json that it shows; both writers print the same text for it.
"""
import os
from html import escape

from . import plots
from .costs import PCID, assumed, columns
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
    if unit == "change":
        return f"{100 * value:+.2f} %"
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


class Picture:
    """Bars, multiples of native: (row, [(series, Num, its unit, Num of times native or "")])."""

    def __init__(self, title, rows):
        self.title, self.rows = title, rows


# The first picture and the summary: what people ask first.
FIRST = [
    ("null system call", "linux/null-syscall"),
    ("page fault, anonymous memory", "linux/anon-fault-4k"),
    ("context switch, 2 processes", "linux/switch-2"),
    ("fork, exit, wait", "linux/fork-exit"),
    ("fork, exec, wait", "linux/fork-exec"),
    ("TCP round trip, loopback", "linux/tcp-rtt"),
    ("user code (copy 64 KiB)", "linux/memory-copy-64k"),
]
SERIES = ["native", "domain 0", "domain U", "domain U, est. cycles, no PCID"]
# What each way of changing page tables stands for: words, row, way.
PAGE_TABLES = [
    ("bare machine: store, INVLPG", "pte-update-64", "native"),
    ("software TLB, entries that were absent: a store, no call", "pte-set-64", "shared"),
    ("software TLB, one flush call for the range, as Linux does it", "pte-update-64", "batched"),
    (
        "direct paging's form, a call for each entry; here it flushes one",
        "pte-update-64",
        "hypercall",
    ),
    ("write-protected shadowing: each store traps, is emulated", "pte-update-64", "trap"),
]
# The operations that a hypervisor without hardware's help is judged by; all others are folded.
ASKED = [
    "system-call",
    "return-to-user",
    "page-fault",
    "exception",
    "nop",
    "mask-interrupts",
    "write-cr3",
    "switch-aspace",
    "context-switch",
    "invlpg",
    "pte-update-64",
    "pte-update-2048",
    "wrmsr",
    "ipi",
    "timer-set",
    "event-send",
    "block-4k",
    "network-1500",
]
GLOSSARY = [
    ("native", "the same kernel, or code in ring 0, on the bare machine"),
    ("domain 0", "the first guest: it has the devices and the tools"),
    ("domain U", "an ordinary guest"),
    ("hypercall", "a guest calls the hypervisor, by SYSCALL"),
    ("batched", "many operations by one hypercall"),
    ("shared", "through memory that both see, without a crossing"),
    ("trap", "the raw instruction faults, and the hypervisor emulates it"),
    ("crossing", "into ring 0 from ring 3, and the way back"),
    ("CR3 write", "changes the page tables; without PCIDs it empties the TLB"),
    ("PCID", "a CPU's tag of TLB entries; with it a CR3 write can keep them"),
    ("fill, prefill", "an entry of the shadow page tables made by a fault, or ahead of one"),
    ("instructions", "of the whole machine, counted by QEMU; exact, and blind to what events cost"),
    ("est. cycles", "a model: instructions and events times costs; no figure is from hardware"),
]
TODAY, LATER = "est. cycles, as it is: no PCID", "with PCID, not there yet"
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

    def __init__(self, made, goals):
        self.made, self.goals = made, goals
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

    def fold(self, title):
        self.add("fold", title)

    def end(self):
        self.add("end")

    def first(self):
        """The family of CPUs that the columns are of."""
        return next(iter(self.made["costs"]["families"]))

    def today(self, name):
        """The values of a figure in the three columns: instructions, cycles, cycles with PCIDs."""
        native = name.endswith("/native")
        return [
            self.num(f"{name}/instructions"),
            self.num(f"{name}/cycles/{self.first()}"),
            "" if native else self.num(f"{name}/cycles/{self.first()}-pcid"),
        ]

    def ratios(self, name):
        return [
            self.num(f"{name}/ratio"),
            self.num(f"{name}/cycles-ratio/{self.first()}"),
            self.num(f"{name}/cycles-ratio/{self.first()}-pcid"),
        ]

    # Sections

    def head(self):
        env = self.made["environment"]
        self.heading("Parvus: the benchmark", 1)
        self.paragraph(
            "Commit ",
            ("code", env["commit"][:12] + (" with changes" if env["changed"] else "")),
            ", ",
            ("code", env["date"]),
            ", ",
            {True: "a quick run.", False: "a full run."}.get(
                env["quick"], "of what kind, unknown."
            ),
            *([" Parts: ", ("code", env["parts"]), "."] if env["parts"] != "all" else []),
        )
        call, suite = "linux/null-syscall", "reached/suite"
        if self.num(f"{call}/domain-u/ratio"):
            said = [
                "A null system call takes ",
                self.num(f"{call}/native/instructions"),
                " instructions natively and ",
                self.num(f"{call}/domain-u/instructions"),
                " in a domain U",
            ]
            if self.num(f"{call}/domain-u/cycles-ratio/{self.first()}"):
                said += [
                    "; in estimated cycles ",
                    self.num(f"{call}/domain-u/cycles-ratio/{self.first()}"),
                    " times native",
                ]
            if self.num(suite):
                said += [". All Linux rows together: ", self.num(suite), " times the instructions"]
            self.paragraph(
                *said,
                ". Ring 3 has a user and a kernel root, so a system call is never below two"
                " crossings and two CR3 writes: the floor of the design.",
            )
        said, boot = [], self.num("linux/boot/domain-0/instructions")
        create, memory = self.num("reached/domain-create"), self.num("size/memory-domain")
        if boot and create and memory:
            said += ["Domain 0 boots in ", boot, " instructions; a domain is created in ", create]
            said += [", and costs ", memory, " KiB beyond its own memory. "]
        if self.made.get("last"):
            said += ["Since the last run ", self.num("last/dearer"), " of "]
            said += [self.num("last/compared"), " figures are larger, ", self.num("last/cheaper")]
            said += [" smaller."]
        if said:
            self.paragraph(*said)
        rows = []
        for label, name in FIRST:
            bars = []
            for series, of in zip(SERIES, WAYS_LINUX):
                bars.append(
                    (
                        series,
                        self.num(f"{name}/{of}/instructions"),
                        "instructions",
                        "" if of == "native" else self.num(f"{name}/{of}/ratio"),
                    )
                )
            bars.append(
                (
                    SERIES[3],
                    self.num(f"{name}/domain-u/cycles/{self.first()}"),
                    "cycles",
                    self.num(f"{name}/domain-u/cycles-ratio/{self.first()}"),
                )
            )
            if bars[0][1] and any(ratio for *_, ratio in bars):
                rows.append((label, [b for b in bars if b[1] and (b[3] or b[0] == "native")]))
        if rows:
            self.add(
                "picture",
                Picture("Per operation; a bar is a multiple of native (shorter is better)", rows),
            )
            self.paragraph(
                "User Mode Linux, QEMU's emulation and nested paging are not in it: no run has"
                " measured them."
            )

    def domain(self):
        """What starts, and what it takes."""
        rows = [
            [text, self.num(name)]
            for text, name in (
                ("native: reset to the first program", "linux/boot/native/instructions"),
                ("domain 0: reset to the first program", "linux/boot/domain-0/instructions"),
                ("native: start of the kernel to it", "life/unpause/native/instructions"),
                ("domain U: unpause to it", "life/unpause/domain-u/instructions"),
                ("create a domain of 256 MiB, paused", "reached/domain-create"),
                ("create it and run to its first program", "life/create-and-boot"),
                ("destroy a domain", "reached/domain-destroy"),
                ("memory of a domain beyond its own", "size/memory-domain"),
                ("for each further vCPU", "size/memory-per-vcpu"),
                ("for each further GiB", "size/memory-per-gib"),
                ("the hypervisor's own memory", "size/memory-not-usable"),
                ("boot by QEMU's time: native", "linux/boot/native/ns"),
                ("boot by QEMU's time: domain 0", "linux/boot/domain-0/ns"),
            )
        ]
        rows = [[text, num, num.unit] for text, num in rows if num]
        if rows:
            self.heading("A domain: boot, create, memory")
            self.table(["what", "value", "unit"], rows, 2)

    def ways_of(self, operation):
        return [w for w in WAYS_MICRO if self.num(f"micro/{operation}/{w}/instructions")]

    def ways(self, operations):
        """Every way of each operation, in the three columns."""
        self.table(
            [
                "operation, way",
                "instructions",
                "x native",
                TODAY,
                "x native",
                LATER,
                "x native",
            ],
            [
                [f"{o}, {w}"]
                + [
                    cell
                    for pair in zip(self.today(f"micro/{o}/{w}"), self.ratios(f"micro/{o}/{w}"))
                    for cell in pair
                ]
                for o in operations
                for w in self.ways_of(o)
            ],
        )

    def asked(self):
        """The rows that are asked for first, by way: instructions / estimated cycles."""
        rows = []
        for o in ASKED:
            cells = []
            for way in WAYS_MICRO:
                counted, cycles, _ = self.today(f"micro/{o}/{way}")
                cells.append([counted, " / ", cycles] if cycles else counted)
            if any(cells):
                rows.append([o, *cells])
        if rows:
            self.table(["operation", *WAYS_MICRO], rows)

    def page_tables(self):
        rows = [
            [text, f"{o}, {w}", *self.today(f"micro/{o}/{w}")]
            for text, o, w in PAGE_TABLES
            if self.num(f"micro/{o}/{w}/instructions")
        ]
        if rows:
            rows.append(["nested paging, by hardware", "none yet", "not measured", "", ""])
            self.table(
                ["64 entries changed: how", "instructions", TODAY, LATER, "row"],
                [[text, *numbers, row] for text, row, *numbers in rows],
                4,
            )

    def micro(self):
        operations = self.operations("micro")
        self.heading("Operations, each way there is")
        if not operations:
            self.paragraph("The micro guests were not run.")
            return
        self.paragraph(
            "The same operation natively in ring 0, by shared memory, in a batch of hypercalls, by"
            " one hypercall, and by the raw instruction, trapped and emulated. Instructions /"
            " estimated cycles (without PCID) per operation."
        )
        self.asked()
        self.paragraph("Page tables, which are what such hypervisors differ in:")
        self.page_tables()
        self.fold("All operations: instructions by way, picture and table")
        self.plot(
            "Instructions per operation and way (log scale)",
            plots.points(
                [
                    (o, [(w, self.num(f"micro/{o}/{w}/instructions")) for w in WAYS_MICRO])
                    for o in operations
                ],
                WAYS_MICRO,
            ),
        )
        self.table(
            ["operation", *[f"{w}, instructions" for w in WAYS_MICRO], "trap / hypercall"],
            [
                [
                    o,
                    *[self.num(f"micro/{o}/{w}/instructions") for w in WAYS_MICRO],
                    self.num(f"micro/{o}/trap-by-hypercall"),
                ]
                for o in operations
            ],
        )
        self.end()
        self.fold("All operations: instructions and estimated cycles, without and with PCID")
        self.plot(
            "Estimated cycles per operation and way, without PCID (log scale)",
            plots.points(
                [
                    (o, [(w, self.num(f"micro/{o}/{w}/cycles/{self.first()}")) for w in WAYS_MICRO])
                    for o in operations
                ],
                WAYS_MICRO,
            ),
        )
        self.ways(operations)
        self.end()
        self.fold("Ways that are out of order, and why")
        self.orders()
        self.end()
        self.fold("Where the instructions go, and events")
        self.breakdown("micro", operations, WAYS_MICRO)
        self.events("micro", operations, [w for w in WAYS_MICRO if w != "native"])
        self.end()

    def orders(self):
        broken = self.made["broken_orders"]
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

    def columns(self, operations, level="linux", way="domain-u"):
        """A way of Linux in the three columns, against native."""
        text, rows = way.replace("-u", " U").replace("-0", " 0"), []
        for o in operations:
            native = self.today(f"{level}/{o}/native")
            pairs = zip(self.today(f"{level}/{o}/{way}"), self.ratios(f"{level}/{o}/{way}"))
            (ours, times), *cycles = pairs
            cycles = [cell for pair in cycles for cell in pair]
            rows.append([o, native[0], ours, times, native[1], *cycles])
        self.table(
            [
                "operation",
                "native, instructions",
                f"{text}, instructions",
                "x native",
                "native, est. cycles",
                f"{text}, {TODAY}",
                "x native",
                LATER,
                "x native",
            ],
            rows,
        )

    def uncounted(self, level, operations):
        missing = [
            o
            for o in operations
            if not any(
                self.num(f"{level}/{o}/{w}/cycles/{self.first()}") for w in WAYS_LINUX[1:]
            )
        ]
        if missing:
            self.paragraph(
                "No cycles, since no events were counted: ", ("code", ", ".join(missing)), "."
            )

    def linux(self):
        operations = self.operations("linux")
        self.heading("Linux")
        if not operations:
            self.paragraph("Linux was not run.")
            return
        self.paragraph(
            "One static program, the same kernel and user space, one CPU: on the bare machine, in"
            " domain 0, in a domain U. The median of the rounds."
        )
        known = [
            o for o in operations if f"linux/{o}/native/instructions" in self.values and o != "boot"
        ]
        listed = {o for _, of in CATEGORIES for o in of}
        groups = CATEGORIES + [("Others", [o for o in known if o not in listed])]
        ordered = [o for _, of in groups for o in of if o in known]
        self.fold("Every row: instructions, estimated cycles without and with PCID")
        self.columns(ordered)
        self.uncounted("linux", ordered)
        self.columns(ordered, way="domain-0")
        self.end()
        self.fold("Ratio to native: picture, and time")
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
                    for o in ordered
                ],
                WAYS_LINUX[1:],
            ),
        )
        self.paragraph(
            "Time under QEMU, without counting: emulation makes CR3 writes and exceptions dear and"
            " system calls cheap. A smoke alarm, no prediction of hardware."
        )
        self.table(
            ["operation", "domain 0 / native", "domain U / native"]
            + ["time: U / native", "quartile 1", "quartile 3"],
            [
                [
                    o,
                    *[self.num(f"linux/{o}/{w}/ratio") for w in WAYS_LINUX[1:]],
                    *[self.num(f"linux/{o}/domain-u/time-ratio{x}") for x in ("", "-low", "-high")],
                ]
                for o in ordered
            ],
        )
        self.end()
        self.fold("Where the instructions go, events, two CPUs")
        self.breakdown("linux", known, ["domain-u"])
        self.events("linux", known, ["domain-u"])
        self.two()
        self.end()

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
        self.heading("Disks, network, devices")
        missing = []
        for level, title in (("block", "Disks"), ("network", "Network")):
            operations = self.operations(level)
            if not operations:
                missing.append(title)
                continue
            self.fold(title)
            self.table(
                [
                    "operation",
                    "native, instructions",
                    "domain U",
                    "of that, its own vCPU",
                    "U / native",
                ],
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
            self.uncounted(level, operations)
            self.end()
        if self.operations("machine"):
            self.fold("Devices of domain 0")
            self.machine()
            self.uncounted("machine", self.operations("machine"))
            self.end()
        else:
            missing.append("Devices of domain 0")
        if missing:
            self.paragraph("Not measured in this run: ", ", ".join(missing), ".")

    def pages(self):
        operations = self.operations("pages")
        self.heading("Pages")
        if not operations:
            self.paragraph("Not measured in this run.")
            return
        self.paragraph(
            "What shadowed page tables cost: rights that change, faults, memory that goes and"
            " comes, processes. By a program that nothing was tuned with."
        )
        self.table(
            ["operation", "native", "domain U", "ratio", "crossings", "flushes", "fills"],
            [
                [
                    o,
                    *[self.num(f"pages/{o}/{w}/instructions") for w in ("native", "domain-u")],
                    self.num(f"pages/{o}/domain-u/ratio"),
                    *[
                        self.num(f"pages/{o}/domain-u/event/{e}")
                        for e in ("crossings", "flushes", "fills")
                    ],
                ]
                for o in operations
            ],
        )

    def machine(self):
        self.table(
            ["operation", "native, instructions", "domain 0", "0 / native"],
            [
                [
                    o,
                    *[
                        self.num(f"machine/{o}/{w}")
                        for w in ("native/instructions", "domain-0/instructions", "domain-0/ratio")
                    ],
                ]
                for o in self.operations("machine")
            ],
        )

    def model(self):
        families = self.made["costs"]["families"]
        first = self.first()
        self.heading("Estimated cycles")
        self.paragraph(
            "Instructions / IPC and the sum of events * costs, for ",
            ("code", families[first]["text"]),
            ". Natively a kernel uses the PCIDs of its CPU. Parvus does not: first comes what it"
            " is, then what it would be if it did. TLB misses beyond a refill, caches and branch"
            " prediction are not in it.",
        )
        operations = [
            o
            for o in self.operations("linux")
            if self.num(f"linux/{o}/domain-u/cycles-ratio/{first}")
        ]
        names = ["instructions"] + [t["name"] for t in self.made["costs"]["terms"]]
        of_all = [(f, column) for f in families for column, _ in columns(self.made["costs"], f)]
        if operations:
            self.fold("What the cycles of Linux are made of, and other CPUs")
            self.plot(
                "A domain U without PCID; native = 1",
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
                    "domain U / native",
                    *[
                        families[f]["text"]
                        + (", no PCID" if column == f else ", PCID")
                        + (" (all assumed)" if assumed(families[f]) else "")
                        for f, column in of_all
                    ],
                ],
                [
                    [o, *[self.num(f"linux/{o}/domain-u/cycles-ratio/{c}") for _, c in of_all]]
                    for o in operations
                ],
            )
            self.end()
        self.fold("Costs and their sources")
        for family, entry in families.items():
            if assumed(entry):
                self.paragraph(
                    ("code", entry["text"]),
                    ": all costs are assumed. No published figure was found, so they are those of ",
                    ("code", next(iter(entry["costs"].values()))["source"].rpartition("of ")[2]),
                    "" if PCID in entry["costs"] else ", without PCID",
                    "; its columns say nothing of their own.",
                )
                continue
            self.table(
                [f"{entry['text']}: cost", "value", "unit", "kind", "source"],
                [
                    [name, self.num(f"cost/{family}/{name}"), c["unit"], c["kind"], c["source"]]
                    for name, c in entry["costs"].items()
                ],
                2,
            )
        self.end()

    def last(self):
        """Against the last run, if there was one."""
        last = self.made.get("last")
        if not last:
            return
        env = last["environment"]
        self.heading("Since the last run")
        kind = {True: "quick", False: "full"}
        self.paragraph(
            "Against commit ",
            ("code", env["commit"][:12] + (" with changes" if env["changed"] else "")),
            " of ",
            ("code", env["date"]),
            f", a {kind.get(env['quick'], 'unknown')} run: of ",
            self.num("last/compared"),
            " figures ",
            self.num("last/dearer"),
            " are larger and ",
            self.num("last/cheaper"),
            " are smaller, beyond what may differ from run to run.",
            (
                ""
                if env["rounds"] == self.made["environment"]["rounds"]
                else " The two had other rounds, which moves figures by some percent."
            ),
        )
        if last["names"]:
            self.fold("Which")
            self.table(
                ["figure", "last", "now", "change", "unit"],
                [
                    [
                        n,
                        self.num(f"last/{n}"),
                        self.num(n),
                        self.num(f"change/{n}"),
                        self.values[n]["unit"],
                    ]
                    for n in last["names"]
                ],
                4,
            )
            self.end()

    def judged(self, of=None):
        """All, or those of a part of the benchmark: machine, pages; "" for the others."""
        rows = []
        by_id = {row["id"]: row for row in self.goals["rows"]}
        for j in self.made["goals"]:
            row = by_id[j["row"]]
            part = j["row"].split("-")[0]
            if of not in (None, part if part in ("machine", "pages") else ""):
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
                    self.values[j["ours"]]["unit"] if j["ours"] else "",
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
        missed = [row[0] for row in rows if row[6] == "no"]
        self.heading("Against the goals")
        if self.num("goals/met"):
            self.paragraph(
                "Goals met: ",
                self.num("goals/met"),
                " of ",
                self.num("goals/measured"),
                " that were measured.",
                *([" Missed: ", ("code", "; ".join(missed)), "."] if missed else []),
            )
        if rows:
            self.fold("Every goal")
            self.paragraph(
                "Goals are upper limits: times native (x), native and a number of instructions, or"
                " a number. Parvus is a domain U where the row is not about domain 0 or the"
                " hypervisor."
            )
            self.table(
                ["row", "native", "Parvus", "unit", "goal", "reached", "met", "why not, or a note"],
                rows,
                7,
            )
            self.end()

    def size(self):
        self.heading("Size and memory")
        if any(v.startswith("size/") for v in self.values):
            self.fold("The image, lines, frames")
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
            self.end()

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
        self.heading("How sure it is, and with what it was measured")
        self.fold("Repeatability and cross-checks")
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
        self.end()
        self.fold("Environment")
        self.table(
            ["what", "value"],
            [[k.replace("_", " "), ("code", str(v))] for k, v in self.made["environment"].items()],
            1,
        )
        self.end()
        self.paragraph(
            "Each number names its value in results.json (point at it); there, from which raw"
            " records it was made."
        )

    def build(self):
        self.head()
        self.domain()
        self.micro()
        self.linux()
        self.pages()
        self.devices()
        self.model()
        self.last()
        self.judged()
        self.size()
        self.repeat()
        self.heading("Words")
        self.add("words", GLOSSARY)
        return self.blocks


def document(made, goals):
    return Builder(made, goals).build()


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


def _picture(picture):
    """Bars as boxes, which a narrow screen has room for."""
    most = max(ratio.value if ratio else 1.0 for _, of in picture.rows for *_, ratio in of)
    used = [n for n in SERIES if any(n == b[0] for _, of in picture.rows for b in of)]
    out = [f"<figure><figcaption>{escape(picture.title)}</figcaption>", '<p class="legend">']
    out += [f'<span><i class="b{SERIES.index(n)}"></i>{escape(n)}</span> ' for n in used]
    out.append('</p><div class="picture">')
    for label, of in picture.rows:
        out.append(f'<div class="row"><div class="label">{escape(label)}</div><div class="bars">')
        for series, num, unit, ratio in of:
            width = 100 * (ratio.value if ratio else 1.0) / most
            said = f"{_inline(num)} {escape(unit)}" + (f", {_inline(ratio)} x" if ratio else "")
            out.append(
                f'<div class="track" title="{escape(series)}">'
                f'<i class="b{SERIES.index(series)}" style="width:calc({width:.2f}% * .58)"></i>'
                f"<span>{said}</span></div>"
            )
        out.append("</div></div>")
    out.append("</div></figure>")
    return "".join(out)


def html(blocks, made):
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
        elif kind == "paragraph":
            out.append("<p>" + "".join(_inline(x) for x in block[1]) + "</p>")
        elif kind == "table":
            out.append(_table(block[1]))
        elif kind == "plot":
            out.append(
                f"<figure><figcaption>{escape(block[1].title)}</figcaption>"
                f'<div class="wide">{block[1].svg}</div></figure>'
            )
        elif kind == "picture":
            out.append(_picture(block[1]))
        elif kind == "fold":
            out.append(f"<details><summary>{escape(block[1])}</summary>")
        elif kind == "end":
            out.append("</details>")
        elif kind == "words":
            said = (f"<div><dt>{escape(w)}</dt><dd>{escape(t)}</dd></div>" for w, t in block[1])
            out.append("<dl>" + "".join(said) + "</dl>")
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


def _pictured(picture):
    """The numbers of the picture, as a table."""
    rows = []
    for label, of in picture.rows:
        cells = {
            series: [num, f" {unit}", *([", ", ratio, " x"] if ratio else [])]
            for series, num, unit, ratio in of
        }
        rows.append([label, *[cells.get(series, "") for series in SERIES]])
    return Table(["per operation", *SERIES], rows)


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
        elif block[0] == "fold":
            out.append("### " + block[1] + "\n")
        elif block[0] == "picture":
            out.append(markdown_table(_pictured(block[1])))
        elif block[0] == "words":
            out.append("\n".join(f"- **{word}**: {text}" for word, text in block[1]) + "\n")
    return "\n".join(out)
