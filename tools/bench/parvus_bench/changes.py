# SPDX-License-Identifier: GPL-2.0-only
"""
What became dearer or cheaper between two runs. Instructions of the micro guests are exact: any
difference counts. Those of Linux, disks and network count above 0.5 %, those of what waits for
devices above 10 %. Time counts when the quartiles of the two do not overlap and the medians differ
by more than 5 %. Sizes count at any difference.
"""

EXACT = ("micro",)
SHARE = 0.005
WAITING = 0.1  # of what waits for devices
TIME = 0.05


def threshold(name):
    if name.startswith("size/") or name.split("/")[0] in EXACT:
        return 0.0
    return WAITING if name.startswith("machine/") else SHARE


def measured(name):
    """Whether a value is a figure of its own, and not one of a model or of another run."""
    if name.startswith(("last/", "change/")) or "/cycles/" in name:
        return False
    return name.endswith(("/instructions", "/ns")) or name.startswith("size/")


def differences(old, new):
    """(change, what, old value, new value): change > 0 is slower or larger."""
    for name, a in old.items():
        b = new.get(name)
        if b is None or not measured(name):
            continue
        x, y = a["value"], b["value"]
        if name.endswith("/ns"):
            if not x or abs(y / x - 1) <= TIME:
                continue
            apart = (
                new[name + "-low"]["value"] > old[name + "-high"]["value"]
                or new[name + "-high"]["value"] < old[name + "-low"]["value"]
            )
            if apart:
                yield y / x - 1, name, a, b
            continue
        change = y / x - 1 if x else (1.0 if y else 0.0)
        if abs(change) > threshold(name):
            yield change, name, a, b


def since(last, values):
    """
    The values of an earlier results.json beside those of now, where they differ: last/NAME and
    change/NAME; and what a report says of the earlier run.
    """
    old = {v["id"]: v for v in last["values"]}
    env = last["environment"]
    found = sorted(differences(old, values.items), key=lambda d: -abs(d[0]))
    for change, name, a, b in found:
        how = f"{name} of the run of {env['date']}, commit {env['commit'][:12]}"
        values.put(f"last/{name}", a["value"], a["unit"], how, [])
        values.put(
            f"change/{name}", change, "change", f"{name} / last - 1", [name, f"last/{name}"]
        )
    count = sum(1 for name in old if measured(name) and name in values.items)
    for name, number, how in (
        ("compared", count, "figures that both runs have"),
        ("dearer", sum(d[0] > 0 for d in found), "figures that are larger, beyond the limits"),
        ("cheaper", sum(d[0] < 0 for d in found), "figures that are smaller, beyond the limits"),
    ):
        values.put(f"last/{name}", number, "count", how, [])
    return {
        "environment": {
            key: env.get(key) for key in ("commit", "changed", "date", "quick", "rounds")
        },
        "names": [name for _, name, _, _ in found],
    }
