#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
page.py REPO [TEST...]: the code of the benchmark's model and page, by itself: one price for one
thing, files of costs that are wrong, plots, comparison with the last run.
"""
import copy
import json
import os
import re
import sys
import tempfile
import unittest

repo = sys.argv.pop(1)
sys.path.insert(0, os.path.join(repo, "tools/bench"))
sys.dont_write_bytecode = True
from parvus_bench import changes, costs, derive, plots, records, report, results  # noqa: E402

TOLD = os.path.join(repo, "tools/bench/costs.json")
SKY = {k: c["value"] for k, c in results.costs()["families"]["skylake"]["costs"].items()}


def values_of(*lines, level="micro", **files):
    """What is derived from these lines; with files, each line is of measure and file NAME."""
    store = records.Store()
    for line in lines:
        where, _, text = line.rpartition("@")
        store.add(
            records.parse(text),
            level=level,
            measure=where or "instructions",
            run=1,
            file=f"{level}.{where}.{'n' if ' native ' in text else 'p'}",
        )
    return derive.derive(store, results.costs(), {"rows": []})


class Model(unittest.TestCase):
    def cycles(self, values, name, column="skylake"):
        return values.number(f"{name}/cycles/{column}")

    def test_null_system_call(self):
        """Two crossings, two CR3 writes: each priced once; PCIDs make the writes cheaper alone."""
        values = values_of(
            "BENCH null native 10 2250 0 0 guest_faults=0",
            "BENCH null domain-u 10 3060 0 0 crossings=20 page_faults=0 exceptions=0 vectors=0"
            " page_faults_guest=0",
            "events@BENCH null native 10 2250 0 0 guest_faults=0",
            "events@PROFILE null native insns=2250 guest.syscall=10 guest.sysret=10",
            "events@BENCH null domain-u 10 3060 0 0 crossings=20 page_faults=0",
            "events@PROFILE null domain-u insns=3060 guest.syscall=20 hv.sysret=20"
            " hv.cr3_writes=20",
            level="linux",
        )
        both = SKY["syscall"] + SKY["sysret"]
        native, ours = 225 + both, 306 + 2 * both
        self.assertEqual(self.cycles(values, "linux/null/native"), native)
        self.assertEqual(self.cycles(values, "linux/null/domain-u"), ours + 2 * SKY["cr3_write"])
        later = ours + 2 * SKY["cr3_write_pcid"]
        self.assertEqual(self.cycles(values, "linux/null/domain-u", "skylake-pcid"), later)
        self.assertIsNone(self.cycles(values, "linux/null/native", "skylake-pcid"))
        ratio = values.number("linux/null/domain-u/cycles-ratio/skylake")
        self.assertAlmostEqual(ratio, (ours + 2 * SKY["cr3_write"]) / native)

    def test_page_fault_has_one_price(self):
        """The same fault costs the same in a micro guest, in Linux and natively."""
        fault = SKY["page_fault"] + SKY["iret"]
        micro = values_of(
            "BENCH fault native 10 100 0 0",
            "PROFILE fault native insns=100 guest.iret=10",
            "SYMBOL fault native fault_raw guest 100 10",
            "BENCH fault trap 10 100 0 0 crossings=10 page_faults=10",
            "PROFILE fault trap insns=100 hv.iret=10",
            "SYMBOL fault trap trap_guest entry 100 10",
        )
        linux = values_of(
            "BENCH fault native 10 100 0 0 guest_faults=10",
            "BENCH fault domain-u 10 100 0 0 crossings=10 page_faults=10 exceptions=10"
            " page_faults_guest=10 vectors=0",
            "events@BENCH fault native 10 100 0 0 guest_faults=10",
            "events@PROFILE fault native insns=100 guest.iret=10",
            "events@BENCH fault domain-u 10 100 0 0 crossings=10 page_faults=10",
            "events@PROFILE fault domain-u insns=100 hv.iret=10",
            level="linux",
        )
        for values, name in (
            (micro, "micro/fault/native"),
            (micro, "micro/fault/trap"),
            (linux, "linux/fault/native"),
            (linux, "linux/fault/domain-u"),
        ):
            self.assertEqual(self.cycles(values, name), 10 + fault, name)

    def test_an_iret_is_no_exception(self):
        values = values_of(
            "BENCH back native 10 100 0 0",
            "PROFILE back native insns=100 guest.iret=10",
            "SYMBOL back native return_loop guest 100 1",
        )
        self.assertEqual(self.cycles(values, "micro/back/native"), 10 + SKY["iret"])

    def test_an_exception_or_interrupt(self):
        values = values_of(
            "BENCH ud native 10 100 0 0",
            "PROFILE ud native insns=100 guest.iret=10",
            "SYMBOL ud native ud_raw guest 60 6",
            "SYMBOL ud native irq_raw guest 40 4",
        )
        cost = 10 + SKY["exception"] + SKY["iret"]
        self.assertEqual(self.cycles(values, "micro/ud/native"), cost)

    def test_what_traps_is_not_executed(self):
        """INVLPG by a guest faults, and ring 0 does one: one is paid for."""
        values = values_of(
            "BENCH invlpg trap 10 100 0 0 crossings=10",
            "PROFILE invlpg trap insns=100 guest.invlpg=10 hv.invlpg=10 hv.iret=10",
            "SYMBOL invlpg trap trap_guest entry 100 10",
        )
        cost = 10 + SKY["exception"] + SKY["iret"] + SKY["invlpg"]
        self.assertEqual(self.cycles(values, "micro/invlpg/trap"), cost)

    def test_what_was_not_counted_has_no_cycles(self):
        values = values_of("BENCH read domain-u 10 100 0 0", level="block")
        self.assertIsNone(self.cycles(values, "block/read/domain-u"))

    def test_native_has_the_pcids_of_its_cpu(self):
        values = values_of(
            "BENCH switch native 10 100 0 0",
            "PROFILE switch native insns=100 guest.cr3_writes=10",
            "SYMBOL switch native switch_spaces guest 100 1",
        )
        price = {f: c["costs"] for f, c in results.costs()["families"].items()}
        self.assertEqual(self.cycles(values, "micro/switch/native"), 10 + SKY["cr3_write_pcid"])
        self.assertNotIn("cr3_write_pcid", price["zen2"])
        zen2 = 10 + price["zen2"]["cr3_write"]["value"]
        self.assertEqual(self.cycles(values, "micro/switch/native", "zen2"), zen2)


class Costs(unittest.TestCase):
    def refused(self, change, text):
        with open(TOLD, encoding="utf-8") as f:
            told = json.load(f)
        change(told)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump(told, f)
            f.flush()
            with self.assertRaises(costs.BadCosts) as said:
                costs.load(f.name)
        self.assertIn(text, str(said.exception))
        self.assertNotIn("\n", str(said.exception))

    def test_what_is_missing_is_one_line(self):
        def sky(told):
            return told["families"]["skylake"]["costs"]

        for change, text in (
            (lambda t: sky(t).pop("iret"), "skylake: no cost 'iret'"),
            (lambda t: sky(t).pop("ipc"), "skylake: no cost 'ipc'"),
            (lambda t: sky(t)["iret"].pop("value"), "iret: no value"),
            (lambda t: sky(t)["iret"].pop("source"), "iret: no source"),
            (lambda t: sky(t)["iret"].update(value="many"), "not a number above 0: 'many'"),
            (lambda t: sky(t)["ipc"].update(value=-1), "not a number above 0: -1"),
            (lambda t: sky(t)["iret"].update(kind="heard"), "kind 'heard'"),
            (lambda t: sky(t).update(irett=sky(t)["iret"]), "no term needs a cost 'irett'"),
            (lambda t: t["families"]["zen2"].update(like="zen9"), "zen2: like 'zen9'"),
            (lambda t: t["families"]["zen2"].update(like="zen3"), "zen2: like 'zen3'"),
            (lambda t: t["families"].clear(), "not a file of costs"),
            (lambda t: t.pop("terms"), "not a file of costs: 'terms'"),
            (lambda t: t["terms"][0].pop("cost"), "not a file of costs: 'cost'"),
        ):
            self.refused(change, text)

    def test_what_is_like_another_is_assumed(self):
        families = results.costs()["families"]
        guessed = [f for f in families if costs.assumed(families[f])]
        self.assertEqual(guessed, ["icelake", "zen2", "zen3"])
        self.assertIn("Intel Skylake", families["zen3"]["costs"]["iret"]["source"])


def page(*lines, last=None, level="micro", families=None):
    store = records.Store()
    for line in lines:
        store.add(records.parse(line), level=level, measure="instructions", run=1, file="f")
    env = dict.fromkeys(("commit", "date", "parts"), "x")
    env.update(changed=False, quick=True, rounds=3)
    used = results.costs()
    if families:
        used["families"] = families(used["families"])
    made = results.make(store, env, used, last)
    document = report.document(made, results.data("goals.json"))
    return made, report.html(document, made), report.markdown(document, made)


class Page(unittest.TestCase):
    def test_a_log_axis_begins_at_the_least(self):
        def num(value):
            return report.Num(
                {"id": "x", "value": value, "unit": "events", "how": "", "from": []}
            )

        for numbers in ((3.0, 40.0, 7000.0), (0.02, 5.0), (1000.0, 1001.0), (10.0,)):
            names = [str(n) for n in numbers]
            svg = plots.points([("a", [(str(n), num(n)) for n in numbers])], names)
            at = [float(x) for x in re.findall(r'<circle cx="([0-9.]+)"', svg)]
            self.assertAlmostEqual(min(at), plots.LABEL, places=1)
            self.assertLessEqual(max(at), plots.LABEL + plots.WIDTH + 0.1)
            marks = re.findall(r'<line x1="([0-9.]+)"[^>]* y1="22"', svg)
            self.assertTrue(all(float(x) >= plots.LABEL - 0.1 for x in marks), svg)

    def test_families_that_are_assumed_are_shown(self):
        _, html, _ = page("BENCH a native 1 9 0 0")
        for name in ("Intel Ice Lake", "AMD Zen 2", "AMD Zen 3"):
            self.assertRegex(html, f"<code>{name}</code>: all costs are assumed")
        _, html, _ = page(
            "BENCH a native 1 9 0 0",
            families=lambda f: {"zen2": f["zen2"], "skylake": f["skylake"]},
        )
        self.assertIn("for <code>AMD Zen 2</code>", html)

    def test_columns(self):
        _, _, text = page(
            "BENCH nop hypercall 10 1000 0 0 crossings=10",
            "PROFILE nop hypercall insns=1000 guest.syscall=10 hv.sysret=10 hv.cr3_writes=10",
        )
        head = "| instructions | est. cycles, as it is: no PCID | with PCID, not there yet |"
        self.assertIn(head, text.replace("| x native ", ""))
        without, later = (170 + SKY[key] for key in ("cr3_write", "cr3_write_pcid"))
        self.assertIn(f"| nop, hypercall | 100 | {without:,} | {later:,} |", text)

    def test_the_last_run(self):
        old, _, _ = page("BENCH a trap 10 1000 0 0", "BENCH b trap 10 1000 0 0")
        old = copy.deepcopy(old)
        old["environment"].update(commit="0123456789abcdef", date="1999-12-31", quick=False)
        made, html, text = page("BENCH a trap 10 1500 0 0", "BENCH b trap 10 1000 0 0", last=old)
        self.assertIn("Since the last run", html)
        self.assertIn("Against commit `0123456789ab` of `1999-12-31`, a full run", text)
        self.assertIn("| micro/a/trap/instructions | 100 | 150 | +50.00 % | instructions |", text)
        self.assertNotIn("| micro/b/trap/instructions |", text)
        self.assertEqual(made["last"]["names"], ["micro/a/trap/instructions"])
        again, _, _ = page("BENCH a trap 10 1500 0 0", "BENCH b trap 10 1000 0 0", last=made)
        self.assertEqual(again["last"]["names"], [])
        self.assertNotIn("Since the last run", page("BENCH a trap 1 9 0 0")[1])

    def test_a_file_of_before_there_were_columns(self):
        made, _, _ = page("BENCH nop hypercall 10 1000 0 0")
        del made["costs"]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump(made, f)
            f.flush()
            builder = report.Builder(results.load(f.name), results.data("goals.json"))
        builder.asked()
        text = report.markdown_table(builder.blocks[0][1])
        self.assertEqual(text.splitlines()[-1], "| nop | 100 |")

    def test_what_is_compared(self):
        for name, good in (
            ("linux/a/native/instructions", True),
            ("linux/a/native/ns", True),
            ("size/text", True),
            ("linux/a/domain-u/cycles/skylake/instructions", False),
            ("last/linux/a/native/instructions", False),
        ):
            self.assertEqual(changes.measured(name), good, name)

    def test_earlier(self):
        env = {"commit": "b", "date": "2"}
        with tempfile.TemporaryDirectory() as folder:
            self.assertIsNone(results.earlier(folder, env))
            path = os.path.join(folder, "results.json")

            def put(commit):
                with open(path, "w", encoding="utf-8") as f:
                    json.dump({"format": 1, "environment": {"commit": commit, "date": "2"}}, f)

            put("a")
            self.assertEqual(results.earlier(folder, env)["environment"]["commit"], "a")
            put("b")  # the report is made again: the last run is still the one before
            self.assertEqual(results.earlier(folder, env)["environment"]["commit"], "a")
            self.assertIsNone(results.earlier(folder, {"commit": "unknown", "date": "unknown"}))
            with open(path, "w", encoding="utf-8") as f:
                f.write("{")
            self.assertEqual(results.earlier(folder, env)["environment"]["commit"], "a")


if __name__ == "__main__":
    unittest.main()
