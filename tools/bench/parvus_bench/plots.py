# SPDX-License-Identifier: GPL-2.0-only
"""Plots as SVG: points on a log scale, dots of ratios, stacked bars. Colours are the page's."""
import math
from html import escape

LABEL, WIDTH, RIGHT = 190, 590, 100


def _text(x, y, text, kind="", anchor="start", more=""):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        f' class="{kind}"{more}>{escape(text)}</text>'
    )


def _value(x, y, num, kind="v"):
    return _text(x, y, num.text(), kind, more=f' data-id="{escape(num.id)}" font-size="10"')


def _legend(names, colours):
    out, x = [], float(LABEL)
    for name in names:
        out.append(f'<rect x="{x:.1f}" y="4" width="10" height="10" class="s{colours[name]}"/>')
        out.append(_text(x + 14, 13, name))
        x += 24 + 7.0 * len(name)
    return out


def _svg(parts, height):
    width = LABEL + WIDTH + RIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}"'
        f' width="{width}" height="{height:.0f}" role="img">'
        + "".join(parts)
        + "</svg>"
    )


def _power(exponent):
    if exponent < 0:
        return f"{10.0**exponent:.{-exponent}f}"
    return f"{10 ** (exponent % 3)} {['', 'k', 'M', 'G', 'T'][exponent // 3]}".strip()


def points(rows, series):
    """
    rows: (label, [(series, Num or "")]). A mark for each on a log scale, which begins at the least
    of them: how long a bar were would say nothing.
    """
    rows = [(label, [(s, n) for s, n in of if n and n.value > 0]) for label, of in rows]
    rows = [(label, of) for label, of in rows if of]
    if not rows:
        return ""
    numbers = [n.value for _, of in rows for _, n in of]
    low, high = math.log10(min(numbers)), math.log10(max(numbers))
    high = max(high, low + 1)
    colours = {name: i for i, name in enumerate(series)}

    def x(value):
        return LABEL + WIDTH * (math.log10(value) - low) / (high - low)

    used = [s for s in series if any(s == n for _, of in rows for n, _ in of)]
    out, y = _legend(used, colours), 34.0
    for label, of in rows:
        out.append(_text(LABEL - 8, y + 4, label, anchor="end"))
        ends = [x(n.value) for _, n in of]
        out.append(
            f'<line x1="{min(ends):.1f}" x2="{max(ends):.1f}" y1="{y:.1f}" y2="{y:.1f}"'
            ' class="grid"/>'
        )
        for i, (name, num) in enumerate(of):
            at = y + 3 * (i - (len(of) - 1) / 2)
            out.append(
                f'<circle cx="{x(num.value):.1f}" cy="{at:.1f}" r="4" class="s{colours[name]}">'
                f"<title>{escape(name)}: {escape(num.text())}, {escape(num.title())}</title>"
                "</circle>"
            )
        out.append(_value(max(ends) + 8, y + 4, max((n for _, n in of), key=lambda n: n.value)))
        y += 20
    grid = []
    for exponent in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1):
        at = x(10**exponent)
        grid.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="22" y2="{y - 6:.1f}" class="grid"/>')
        grid.append(_text(at, y + 8, _power(exponent), "dim", "middle"))
    return _svg(grid + out, y + 16)


def dots(rows, series):
    """rows: (label, [(series, Num or "")], goal Num or None). Ratios, linear, with the goal."""
    rows = [(label, [(s, n) for s, n in of if n], goal) for label, of, goal in rows]
    rows = [r for r in rows if r[1]]
    if not rows:
        return ""
    numbers = [
        n.value for _, of, goal in rows for n in [*[m for _, m in of], *([goal] if goal else [])]
    ]
    high = max(math.ceil(max(numbers) * 5) / 5, 1.2)
    low = min(0.9, math.floor(min(numbers) * 10) / 10)
    colours = {name: i + 1 for i, name in enumerate(series)}

    def x(value):
        return LABEL + WIDTH * (value - low) / (high - low)

    out, y = _legend(series, colours), 34.0
    out.append(_text(LABEL + WIDTH + 12, 13, series[-1], "dim"))
    for label, of, goal in rows:
        out.append(_text(LABEL - 8, y + 4, label, anchor="end"))
        ends = [x(n.value) for _, n in of] + [x(1.0)]
        out.append(
            f'<line x1="{min(ends):.1f}" x2="{max(ends):.1f}" y1="{y:.1f}" y2="{y:.1f}"'
            ' class="grid"/>'
        )
        if goal:
            out.append(
                f'<line x1="{x(goal.value):.1f}" x2="{x(goal.value):.1f}" y1="{y - 7:.1f}"'
                f' y2="{y + 7:.1f}" class="goal"><title>goal: {escape(goal.title())}</title></line>'
            )
        for i, (name, num) in enumerate(of):
            # one a little above the other, or the equal ones would be one
            at = y + 5 * (i - (len(of) - 1) / 2)
            out.append(
                f'<circle cx="{x(num.value):.1f}" cy="{at:.1f}" r="4" class="s{colours[name]}">'
                f"<title>{escape(name)}: {escape(num.title())}</title></circle>"
            )
        out.append(_value(LABEL + WIDTH + 12, y + 4, of[-1][1]))
        y += 18
    grid, step = [], 0.2 if high - low <= 3 else 1.0
    ticks = [1 + step * i for i in range(int((low - 1) / step), int((high - 1) / step + 0.001) + 1)]
    for tick in ticks:
        kind = "one" if abs(tick - 1) < 0.001 else "grid"
        grid.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="22" y2="{y - 6:.1f}" class="{kind}"/>'
        )
        grid.append(_text(x(tick), y + 8, f"{tick:.1f}", "dim", "middle"))
    return _svg(grid + out, y + 16)


def stacked(rows, names, unit=None, totals=None):
    """
    rows: (label, [(part, Num or "")]). Stacked bars, linear. With unit, a number for each label,
    bars are multiples of it; totals are the Nums to print at their ends.
    """
    rows = [(label, [(p, n) for p, n in of if n and n.value > 0]) for label, of in rows]
    rows = [(label, of) for label, of in rows if of and (unit is None or unit.get(label))]
    if not rows:
        return ""

    def total(label, of):
        return sum(n.value for _, n in of) / (unit[label] if unit else 1)

    high = max(total(*r) for r in rows) * 1.02
    used = [n for n in names if any(p == n for _, of in rows for p, _ in of)]
    colours = {name: i % 9 for i, name in enumerate(names)}
    out, y = _legend(used, colours), 26.0
    for label, of in rows:
        out.append(_text(LABEL - 8, y + 10, label, anchor="end"))
        at = float(LABEL)
        for name, num in of:
            width = WIDTH * num.value / (unit[label] if unit else 1) / high
            out.append(
                f'<rect x="{at:.1f}" y="{y:.1f}" width="{width:.1f}" height="12"'
                f' class="s{colours[name]}"><title>{escape(name)}:'
                f" {escape(num.title())}</title></rect>"
            )
            if width > 34 and not unit:
                out.append(_value(at + 4, y + 10, num, "in"))
            at += width
        if totals and totals.get(label):
            out.append(_value(at + 4, y + 10, totals[label]))
        y += 18
    if unit:
        one = LABEL + WIDTH / high
        out.insert(0, f'<line x1="{one:.1f}" x2="{one:.1f}" y1="20" y2="{y:.1f}" class="one"/>')
        out.append(_text(one, y + 12, "native = 1", "dim", "middle"))
    return _svg(out, y + 20)


def shares(rows, names):
    """rows: (label, [(part, Num or "")], the whole's Num). Bars of equal length: where it goes."""
    rows = [(label, [(p, n) for p, n in of if n and n.value > 0], w) for label, of, w in rows]
    rows = [row for row in rows if row[1] and row[2]]
    if not rows:
        return ""
    colours = {name: i for i, name in enumerate(names)}
    out, y = _legend(names, colours), 34.0
    out.append(_text(LABEL + WIDTH + 4, 13, "all", "dim"))
    for label, of, whole in rows:
        out.append(_text(LABEL - 8, y + 10, label, anchor="end"))
        at, total = float(LABEL), sum(n.value for _, n in of)
        for name, num in of:
            width = WIDTH * num.value / total
            out.append(
                f'<rect x="{at:.1f}" y="{y:.1f}" width="{width:.1f}" height="12"'
                f' class="s{colours[name]}"><title>{escape(name)}:'
                f" {escape(num.title())}</title></rect>"
            )
            if width > 8 + 6.5 * len(num.text()):
                out.append(_value(at + 4, y + 10, num, "in"))
            at += width
        out.append(_value(at + 4, y + 10, whole))
        y += 18
    return _svg(out, y + 4)
