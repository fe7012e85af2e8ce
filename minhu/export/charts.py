"""The charts of a report: bands, rates with their intervals, the spread of scores."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from minhu.export.figures import counts, percent
from minhu.export.report import Group, Measured, Report
from minhu.export.words import Words
from minhu.paper.charts import BAND_COLOURS, BLUE, GREY, INK, Box, Dot, Drawing, Label, Line, Shape

MOST_TALL, MOST_RATES = 64.0, 14
"""A figure is no taller, in millimetres: one that goes to the next page leaves less than a third of this one blank.
More rates make another figure."""


def bands(report: Report, words: Words, width: float) -> Drawing | None:
    """One bar for each group: how many of its units are in each band."""
    groups = [group for group in report.groups if group.listed]
    if not report.bands or not groups:
        return None
    left, right, top = 24.0, 4.0, 9.0
    step = min(11.0, (MOST_TALL - top) / len(groups))
    thick = 0.6 * step
    scale = (width - left - right) / max(len(group.listed) for group in groups)
    shapes: list[Shape] = _legend(report, left)
    for row, group in enumerate(groups):
        y, x = top + row * step, left
        shapes.append(Label(left - 2.5, y + thick / 2, group.name, anchor="right"))
        in_band = report.in_band(group)
        for place, band in enumerate(report.bands):
            if count := in_band[band.name]:
                across = count * scale
                shapes.append(Box(x, y, across, thick, _colour(place)))
                colour = INK if place in (1, 2) else "#FFFFFF"
                shapes.append(Label(x + across / 2, y + thick / 2, str(count), 8.5, "middle", colour))
                x += across
    shapes.append(Line(left, top - 2, left, top + len(groups) * step - step + thick + 2, GREY, 0.3))
    return Drawing(width, top + len(groups) * step - 1, tuple(shapes), words("chart_bands"))


def _legend(report: Report, x: float) -> list[Shape]:
    shapes: list[Shape] = []
    for place, band in enumerate(report.bands):
        shapes += [Box(x, 1.4, 3, 3, _colour(place)), Label(x + 4.2, 2.9, band.name)]
        x += 8 + len(band.name) * 3.4
    return shapes


def _colour(place: int) -> str:
    return BAND_COLOURS[place % len(BAND_COLOURS)]


Rate = tuple[str, Group, Measured]


def rates(report: Report, words: Words, width: float) -> Iterator[Drawing]:
    """Every rate of every group with its interval, the target as a tick; as many figures as it takes."""
    by_indicator = [
        [
            (indicator.name, group, one)
            for group in report.groups
            if (one := group.total(indicator.code)) and one.value is not None
        ]
        for indicator in report.indicators
        if indicator.is_rate
    ]
    title, rows = words("chart_rates"), list[Rate]()
    for number, more in enumerate(by_indicator, start=1):
        rows += more
        following = len(by_indicator[number]) if number < len(by_indicator) else MOST_RATES
        if rows and len(rows) + following > MOST_RATES:
            yield _rates(rows, title, words, width)
            title, rows = words("continued", title=words("chart_rates")), []
    if rows:
        yield _rates(rows, title, words, width)


def _rates(rows: list[Rate], title: str, words: Words, width: float) -> Drawing:
    left, right, top = 46.0, 40.0, 3.0
    step = min(6.2, (MOST_TALL - top - 6) / len(rows))
    bottom, span = top + len(rows) * step, width - left - right
    shapes: list[Shape] = []
    for share in range(0, 101, 20):
        x = left + span * share / 100
        shapes += [Line(x, top - 1, x, bottom), Label(x, bottom + 3, f"{share}%", 7.5, "middle", GREY)]
    told = None
    for row, (name, group, one) in enumerate(rows):
        y = top + (row + 0.5) * step
        if name != told:
            shapes.append(Label(0, y, name, 8.5))
            if told:
                shapes.append(Line(0, y - step / 2, width, y - step / 2))
        told = name
        shapes += [Label(left - 2.5, y, group.name, 8, "right", GREY), *_interval(one, y, left, span)]
        text = percent(one.value) + words("in_brackets", text=counts(one, words("with_earlier")))
        shapes.append(Label(width, y, text, 8, "right"))
    return Drawing(width, bottom + 6, tuple(shapes), title)


def _interval(one: Measured, y: float, left: float, span: float) -> list[Shape]:
    def at(pct: Decimal) -> float:
        return left + span * float(pct) / 100

    shapes: list[Shape] = []
    if one.wilson_low_pct is not None and one.wilson_high_pct is not None:
        ends = at(one.wilson_low_pct), at(one.wilson_high_pct)
        shapes.append(Line(ends[0], y, ends[1], y, BLUE, 0.6))
        shapes += [Line(end, y - 1, end, y + 1, BLUE, 0.4) for end in ends]
    if one.target is not None:
        shapes.append(Line(at(one.target), y - 2.2, at(one.target), y + 2.2, "#B8503F", 0.5))
    return [*shapes, Dot(at(one.value or Decimal(0)), y, 1.1, BLUE)]


def scores(report: Report, words: Words, width: float) -> Drawing | None:
    """How the scores of each group are spread: units in steps of ten."""
    groups = [group for group in report.groups if any(unit.score_100 is not None for unit in group.listed)]
    if not groups or report.is_public:
        return None
    across = width / len(groups)
    parts = [shape for at, group in enumerate(groups) for shape in _histogram(group, at * across, across, words)]
    return Drawing(width, 40, tuple(parts), words("chart_scores"))


def _histogram(group: Group, x: float, width: float, words: Words) -> list[Shape]:
    """Bars for below 50, 50 to 59 … 90 to 100."""
    steps = [min(9, max(4, int(unit.score_100 // 10))) for unit in group.listed if unit.score_100 is not None]
    found, left, base, tall = Counter(steps), x + 6, 32.0, 23.0
    most, step = max(found.values()), (width - 10) / 6
    shapes: list[Shape] = [Label(left, 2.5, group.name), Line(left, base, left + 6 * step, base, GREY, 0.3)]
    for place, tens in enumerate(range(4, 10)):
        middle = left + (place + 0.5) * step
        name = "<50" if tens == 4 else f"{tens}0–{tens}9" if tens < 9 else "90–100"
        shapes.append(Label(middle, base + 3, name, 7, "middle", GREY))
        if count := found[tens]:
            height = tall * count / most
            shapes.append(Box(middle - step * 0.36, base - height, step * 0.72, height, BLUE))
            shapes.append(Label(middle, base - height - 2, str(count), 8, "middle"))
    return shapes


def drawn(report: Report, words: Words, width: float) -> list[Drawing]:
    """All figures of a report that has what they show, in order, with their numbers."""
    found = (bands(report, words, width), *rates(report, words, width), scores(report, words, width))
    shown = [drawing for drawing in found if drawing]
    return [replace(one, alt=words("figure", no=number, title=one.alt)) for number, one in enumerate(shown, start=1)]
