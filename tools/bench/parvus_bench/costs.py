# SPDX-License-Identifier: GPL-2.0-only
"""
costs.json: what an event costs on a family of CPUs, and which count each cost belongs to. A family
may be "like" another: what it does not have itself is then that one's, and assumed.
"""
import json

KINDS = ("published", "derived", "assumed")
PCID = "cr3_write_pcid"  # that of a CPU without PCIDs is missing


class BadCosts(Exception):
    """A file of costs that cannot be used; the text is one line."""


def _cost(where, cost):
    if not isinstance(cost, dict):
        raise BadCosts(f"{where}: value, unit, kind and source are expected")
    for key in ("value", "unit", "kind", "source"):
        if not cost.get(key):
            raise BadCosts(f"{where}: no {key}")
    value = cost["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise BadCosts(f"{where}: not a number above 0: {value!r}")
    if cost["kind"] not in KINDS:
        raise BadCosts(f"{where}: kind {cost['kind']!r}: one of {', '.join(KINDS)}")


def _family(name, entry, families, known):
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
        raise BadCosts(f"{name}: no text")
    costs, like = dict(entry.get("costs", {})), entry.get("like")
    if like is not None:
        if like not in families or "like" in families[like]:
            raise BadCosts(f"{name}: like {like!r}, which has no costs of its own here")
        for key, cost in families[like].get("costs", {}).items():
            if key == PCID and not entry.get("pcid", True):
                continue
            source = f"no published figure found: that of {families[like].get('text', like)}"
            if isinstance(cost, dict):
                costs.setdefault(key, {**cost, "kind": "assumed", "source": source})
    for key, cost in costs.items():
        if key not in known:
            raise BadCosts(f"{name}: no term needs a cost {key!r}")
        _cost(f"{name}: {key}", cost)
    for key in known:
        if key not in costs and key != PCID:
            raise BadCosts(f"{name}: no cost {key!r}, which a term needs")
    return {"text": entry["text"], "costs": {key: costs[key] for key in known if key in costs}}


def load(path):
    """Every family with all its costs, and the terms."""
    try:
        with open(path, encoding="utf-8") as f:
            told = json.load(f)
        families, terms = told["families"], told["terms"]
        needed = ["ipc", *dict.fromkeys(term["cost"] for term in terms)]
        if not families or not all(term["name"] and term["count"] for term in terms):
            raise KeyError("a family and a term")
        known = [*needed, PCID]
        return {
            "families": {n: _family(n, e, families, known) for n, e in families.items()},
            "terms": terms,
        }
    except BadCosts as error:
        raise BadCosts(f"{path}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadCosts(f"{path}: not a file of costs: {error}") from error


def assumed(entry):
    """Whether nothing of a family was found: what it says is another family's."""
    return all(cost["kind"] == "assumed" for cost in entry["costs"].values())


def columns(costs, family):
    """(name, with PCIDs) of the estimates of a family: as Parvus is first."""
    yield family, False
    if PCID in costs["families"][family]["costs"]:
        yield f"{family}-pcid", True


def price(costs, family, cost, pcid):
    """The name of what an event costs: a write of CR3 keeps entries where there are PCIDs."""
    if cost == "cr3_write" and pcid and PCID in costs["families"][family]["costs"]:
        cost = PCID
    return f"cost/{family}/{cost}"
