# SPDX-License-Identifier: GPL-2.0-only
"""results.json: environment, raw records, derived values; and what is written from it."""
import csv
import json
import os

from . import costs as prices
from . import changes, derive, records, report

FORMAT = 1
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class BadResults(Exception):
    """A file that is not results.json of this benchmark."""


def data(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return json.load(f)


def costs(path=None):
    return prices.load(path or os.path.join(HERE, "costs.json"))


def make(store, environment, used, last=None):
    """With the costs that are used (costs() above), and results.json of the last run."""
    goals = data("goals.json")
    values = derive.derive(store, used, goals)
    judged = derive.judge(values, goals)
    since = changes.since(last, values) if last else None
    return {
        "format": FORMAT,
        "environment": environment,
        "costs": used,
        "last": since,
        "records": store.records,
        "values": list(values.items.values()),
        "goals": [{**j, "row": j["row"]["id"]} for j in judged],
        "broken_orders": derive.broken_orders(store, values),
    }


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            made = json.load(f)
    except (OSError, ValueError) as error:
        raise BadResults(f"{path}: {error}") from error
    if not isinstance(made, dict) or made.get("format") != FORMAT:
        raise BadResults(f"{path}: not results.json of this benchmark, format {FORMAT}")
    made.setdefault("costs", costs())  # of an older run: none of its values names one
    return made


def replace(path, text):
    with open(path + ".tmp", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".tmp", path)


def earlier(folder, environment):
    """
    What results.json was before this run, or last.json if it is of this run already: the report is
    made again. None if there is none, or nobody knows which run it is. It is kept as last.json.
    """
    for name in ("results.json", "last.json"):
        path = os.path.join(folder, name)
        try:
            made = load(path)
            runs = [(env["date"], env["commit"]) for env in (made["environment"], environment)]
        except (BadResults, KeyError, TypeError):
            continue
        if runs[0] != runs[1] and "unknown" not in (runs[0][0], runs[1][0]):
            if name != "last.json":
                replace(os.path.join(folder, "last.json"), json.dumps(made, indent=1) + "\n")
            return made
    return None


def write(folder, made):
    replace(os.path.join(folder, "results.json"), json.dumps(made, indent=1) + "\n")
    document = report.document(made, data("goals.json"))
    replace(os.path.join(folder, "report.html"), report.html(document, made))
    replace(os.path.join(folder, "report.md"), report.markdown(document, made))
    path = os.path.join(folder, "results.csv")
    with open(path + ".tmp", "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f)
        out.writerow(["id", "value", "unit", "how", "from"])
        for value in made["values"]:
            out.writerow(
                [value["id"], value["value"], value["unit"], value["how"], " ".join(value["from"])]
            )
    os.replace(path + ".tmp", path)


def store(made):
    return records.Store(made["records"])
