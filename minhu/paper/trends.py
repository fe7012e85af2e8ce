"""Trends as drawings: lines over months, and bars of points."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import cycle, pairwise

from minhu.paper.charts import BAND_COLOURS, BLUE, GREY, INK, RULE, Box, Dot, Drawing, Label, Line, Shape

COLOURS = (BLUE, *(colour for colour in BAND_COLOURS if colour not in ("#86B09B", "#E0BE6C")))
LESS = "#B8503F"
LEFT, TOP, BOTTOM = 12.0, 6.0, 7.0


@dataclass(frozen=True)
class Series:
    """A line: what it is called, and its value month by month (none where nothing is known)."""

    name: str
    values: tuple[Decimal | int | None, ...]


def trend(series: Sequence[Series], months: Sequence[date], alt: str, unit: str, width: float) -> Drawing | None:
    """Lines over the months, their names at the right end; none where there is nothing to draw."""
    known = [value for one in series for value in one.values if value is not None]
    if not known:
        return None
    height, right = 52.0, width - 34.0
    ticks = _ticks(known)
    low, high = ticks[0], ticks[-1]
    base = height - BOTTOM
    step = (right - LEFT) / max(len(months) - 1, 1)

    def place(at: int) -> float:
        return LEFT + at * step if len(months) > 1 else (LEFT + right) / 2

    def level(value: Decimal | int) -> float:
        return base - (base - TOP) * float(value - low) / float(high - low)

    shapes: list[Shape] = [Label(0, 1.8, unit.strip(), 7.5, "left", GREY)]
    for value in ticks:
        y = level(value)
        shapes += [Line(LEFT, y, right, y), Label(LEFT - 1.5, y, said(value), 7, "right", GREY)]
    shapes += [Label(place(at), base + 3.5, f"{month:%Y-%m}", 7, "middle", GREY) for at, month in enumerate(months)]
    ends: list[tuple[float, str, str]] = []
    for one, colour in zip(series, cycle(COLOURS), strict=False):
        told = [(at, value) for at, value in enumerate(one.values) if value is not None]
        points = [(place(at), level(value)) for at, value in told]
        shapes += [Line(*a, *b, colour, 0.5) for a, b in pairwise(points)]
        shapes += [Dot(x, y, 0.9, colour) for x, y in points]
        ends += [(level(value), f"{one.name} {said(value)}", colour) for _, value in told[-1:]]
    shapes += [Label(right + 2.5, y, text, 7.5, "left", colour) for y, text, colour in _apart(ends)]
    return Drawing(width, height, tuple(shapes), alt)


def bars(rows: Sequence[tuple[str, Decimal, Decimal]], alt: str, width: float) -> Drawing | None:
    """One bar for each (name, points, full points), the missing part in grey."""
    if not rows:
        return None
    left, right, step, thick = 52.0, 20.0, 5.6, 3.6
    span = width - left - right
    shapes: list[Shape] = []
    for no, (name, points, full) in enumerate(rows):
        y = 2 + no * step
        filled = span * float(points / full) if full else 0
        shapes += [
            Label(left - 2, y + thick / 2, name, 7.5, "right", INK),
            Box(left, y, span, thick, RULE),
            Box(left, y, filled, thick, BLUE),
            Label(width, y + thick / 2, f"{points}/{full.normalize():f}", 7.5, "right", INK),
        ]
    return Drawing(width, 2 + len(rows) * step, tuple(shapes), alt)


def shares(rows: Sequence[tuple[str, Decimal]], alt: str, width: float) -> Drawing | None:
    """One bar for each (name, percent), from 0 to the right, or to the left of it where it is below 0."""
    if not rows:
        return None
    left, right, step, thick = 62.0, 18.0, 5.6, 3.6
    low, high = min(0.0, *(float(share) for _, share in rows)), max(100.0, *(float(share) for _, share in rows))
    scale = (width - left - right) / (high - low)
    zero = left - low * scale
    shapes: list[Shape] = [Line(zero, 0, zero, 2 + len(rows) * step, GREY, 0.3)]
    for no, (name, share) in enumerate(rows):
        y, long = 2 + no * step, float(share) * scale
        shapes += [
            Label(left - 2, y + thick / 2, name if len(name) <= 22 else f"{name[:21]}…", 7.5, "right", INK),
            Box(min(zero, zero + long), y, abs(long), thick, BLUE if share >= 0 else LESS),
            Label(width, y + thick / 2, f"{share}%", 7.5, "right", INK),
        ]
    return Drawing(width, 2 + len(rows) * step, tuple(shapes), alt)


def _ticks(known: list[Decimal | int]) -> list[Decimal]:
    """Round numbers around the values, four or five of them; from 0 where a value is less than half of another."""
    low, high = Decimal(min(known)), Decimal(max(known))
    low = Decimal(0) if low < high / 2 else low
    raw = max(high - low, abs(high) / 50, Decimal("0.1")) / 4
    ten = Decimal(10) ** raw.adjusted()
    step = next(ten * times for times in (1, 2, 5, 10) if ten * times >= raw)
    if all(value == int(value) for value in known):
        step = max(step, Decimal(1))
    first = int((low / step).to_integral_value(ROUND_FLOOR))
    last = max(int((high / step).to_integral_value(ROUND_CEILING)), first + 1)
    if low == high == 100:  # all of all: nothing lies above
        first, last = first - 1, last - 1
    return [step * no for no in range(first, last + 1)]


def said(value: Decimal | int) -> str:
    """A value as its label tells it."""
    number = Decimal(value).quantize(Decimal("0.1"))
    return f"{number.normalize():f}" if number else "0"


def _apart(ends: list[tuple[float, str, str]], least: float = 3.4) -> list[tuple[float, str, str]]:
    """Labels at the ends of lines, moved down until none stands on another."""
    placed: list[tuple[float, str, str]] = []
    for y, text, colour in sorted(ends):
        placed.append((max(y, placed[-1][0] + least) if placed else y, text, colour))
    return placed
