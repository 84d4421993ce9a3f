#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
check.py REPO BENCH: that results.json and the reports in BENCH are whole: every record is its
line, every value can be recomputed or traced to records, every number that a table or a plot of
report.html shows is one of these values, and report.md shows the same ones; that nothing is left
unexplained, and no event uncompared.
"""
import csv
import json
import os
import re
import statistics
import sys
from html.parser import HTMLParser

repo, folder = sys.argv[1:]
sys.path.insert(0, os.path.join(repo, "tools/bench"))
sys.dont_write_bytecode = True
from parvus_bench import derive, records, report, results  # noqa: E402


PROSE = r"([Dd]omain|[Rr]ing) [03]|native = 1|CR3|by 1 % or above"  # numbers that measure nothing


def need(good, text):
    if not good:
        sys.exit(f"check: {text}")


ALONE = ("meta", "rect", "line", "circle")  # no text is looked for in them


class Page(HTMLParser):
    """Numbers of a page: in data and SVG text with an id, and those in table cells without one."""

    def __init__(self):
        super().__init__()
        self.stack, self.shown, self.bare, self.order = [], [], [], []
        self.plots = self.bars = self.open_rows = 0

    def handle_starttag(self, tag, attributes):
        kind = dict(attributes).get("class", "")
        if tag in ("h1", "h2", "details", "figure", "dl") or kind == "picture":
            self.order.append(kind if kind == "picture" else tag)
        if tag in ALONE:
            self.bars += tag in ("rect", "circle")
            return
        self.plots += tag == "svg"
        self.open_rows += tag == "tr" and not any(t == "details" for t, _ in self.stack)
        self.stack.append((tag, dict(attributes)))

    def handle_startendtag(self, tag, attributes):
        self.bars += tag in ("rect", "circle")

    def handle_endtag(self, tag):
        if tag in ALONE:
            return
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, text):
        named = [a for _, a in self.stack if a.get("data-id")]
        tags = [t for t, _ in self.stack]
        if named:
            self.shown.append((named[-1]["data-id"], text, named[-1].get("value")))
        elif "td" in tags and re.search(r"\d", text) and not {"q", "code"} & set(tags):
            self.bare.append(text)
        elif (
            {"p", "dd", "dt", "summary", "span", "figcaption"} & set(tags)
            and not {"code", "svg"} & set(tags)
            and re.search(r"(?<![A-Za-z_])\d", re.sub(PROSE, "", text))
        ):
            self.bare.append(text)


def traced(values, by_record, name, seen=()):
    """Whether a value comes from records or constants, whatever it goes through."""
    if name in by_record:
        return True
    need(name not in seen, f"{name} is made from itself")
    value = values.get(name)
    need(value, f"{name} is nowhere")
    if name.startswith(("cost/", "goal/", "last/")):
        return bool(value["how"])
    return bool(value["from"]) and all(
        traced(values, by_record, s, (*seen, name)) for s in value["from"]
    )


with open(os.path.join(folder, "results.json"), encoding="utf-8") as f:
    made = json.load(f)
need(made["format"] == 1 and made["environment"]["qemu_cpu"], "format or environment")
by_record = {r["id"]: r for r in made["records"]}
values = {v["id"]: v for v in made["values"]}
need(len(by_record) == len(made["records"]) and len(values) == len(made["values"]), "an id twice")
for record in made["records"]:
    again = records.parse(record["line"])
    need(all(record[k] == v for k, v in again.items()), f"{record['id']} is not its line")
for name, value in values.items():
    need(traced(values, by_record, name), f"{name}: from nothing")
    if name.endswith("/instructions") and not re.search(r"^(life|last|change)/|/cycles/", name):
        source = by_record[value["record"]]
        need(
            abs(value["value"] - source["instructions"] / source["n"]) < 1e-9,
            f"{name} is another number",
        )
        rounds = (by_record[r]["instructions"] / by_record[r]["n"] for r in value["from"])
        need(value["value"] == statistics.median_low(rounds), f"{name} is not the median")
fresh = derive.derive(results.store(made), made["costs"], results.data("goals.json"))
for name, value in fresh.items.items():
    need(values[name]["value"] == value["value"], f"{name}: derived again it is {value['value']}")

need(made["broken_orders"], "no order to explain")
for operation, way, after, why in made["broken_orders"]:
    need(why, f"{operation}: why {way} costs more than {after} is said nowhere")
checks = {r["name"]: r["verdict"] for r in made["records"] if r["type"] == "check"}
for event in ("crossings", "cr3-writes", "exceptions", "range-flushes", "whole-flushes"):
    for where in ("parvus-cpu", "domain-0", "domain-u"):
        need(checks.get(f"{event}-{where}") == "ok", f"{event}, {where}: not as the plugin has it")
for where in ("parvus-smp", "domain-0-2-cpus", "domain-u-2-cpus"):
    need(checks.get(f"ipis-{where}") == "ok", f"IPIs, {where}: not as the plugin has them")

page = Page()
with open(os.path.join(folder, "report.html"), encoding="utf-8") as f:
    text = f.read()
need(
    not re.search(r"<script|(src|href)=[\"'](?!#)|url\(|@import", text),
    "the page needs something from outside",
)
need("prefers-color-scheme: dark" in text, "no dark page")
page.feed(text)
need(len(page.shown) > 300, f"only {len(page.shown)} numbers")
need(not page.bare, f"numbers that name no value: {page.bare[:5]}")
for name, shown, raw in page.shown:
    need(name in values, f"{name} is shown, and is no value")
    value = values[name]
    need(shown == report.number(value["value"], value["unit"]), f"{name}: shown as {shown}")
    need(raw is None or float(raw) == float(value["value"]), f"{name}: its attribute is {raw}")
need(page.plots >= 6 and page.bars > 100, f"{page.plots} plots, {page.bars} bars")
need(page.order[:4] == ["h1", "figure", "picture", "h2"], f"it begins with {page.order[:5]}")
need(page.order[-1] == "dl", "no words at its end")
need(0 < page.open_rows < 60, f"{page.open_rows} rows that are not folded")
need(page.order.count("details") > 9, "what few look at is not folded")
need(not set(tag for tag, _ in page.stack), f"not closed: {page.stack}")
columns = {"instructions": 0, "cycles/skylake": 0, "cycles/skylake-pcid": 0}
for row in values:
    if re.match(r"(micro|linux)/.*/event/entry.others\Z", row) and "/native/" not in row:
        for column in columns:
            figure = f"{row.removesuffix('/event/entry.others')}/{column}"
            need(any(figure == name for name, *_ in page.shown), f"{figure} is not shown")
            columns[column] += 1
need(min(columns.values()) > 20, f"columns: {columns}")
with open(os.path.join(folder, "report.md"), encoding="utf-8") as f:
    lines = f.read()
for name, shown, raw in page.shown:
    need(raw is None or shown in lines, f"{name} is not in report.md")
with open(os.path.join(folder, "results.csv"), encoding="utf-8", newline="") as f:
    rows = list(csv.DictReader(f))
need(
    {r["id"]: float(r["value"]) for r in rows} == {n: float(v["value"]) for n, v in values.items()},
    "results.csv",
)
print(
    f"{len(by_record)} records, {len(values)} values, {len(page.shown)} numbers shown,"
    f" {page.plots} plots"
)
