"""What a page draws: small bars inside tables, and figures with an axis. All of it is SVG that needs no script.

A bar stretches with its cell, so it holds no text: numbers stand beside it. Lengths are shares of its width, 0 to 100.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import floor

from markupsafe import Markup

from minhu.paper.charts import BLUE, GREY, INK, RULE, Box, Dot, Drawing, Label, Line, Shape
from minhu.paper.to_svg import as_svg
from minhu.paper.trends import Series, shares, trend
from minhu.publish.life import Duty, Life
from minhu.publish.standing import Scored
from minhu.schemes.period import Period
from minhu.scoring.compared import Movement, Quartiles
from minhu.scoring.explanation import IndicatorPart
from minhu.scoring.fairness import Decides
from minhu.warehouse.live import Hour

WIDTH = 180.0
LATE, ON_TIME, OFF = "#B8503F", "#2F6F5E", "#EEF1F4"
Number = Decimal | float | int
Place = Callable[[datetime], float]
"""Where a moment stands, from the left."""


def bar(value: Number | None, of: Number | None, kind: str = "", start: Number = 0) -> Markup:
    """How much ``value`` is of ``of``, from the left; empty where there is nothing to show."""
    if not value or not of:
        return Markup('<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"></svg>')
    return _bar(Markup('<rect class="{}" x="0" y="1" width="{}" height="6"/>').format(kind, _at(value, start, of)))


def fall(before: Number, after: Number, start: Number, of: Number) -> Markup:
    """A step of a waterfall: from ``before`` down, or up, to ``after``, on a scale from ``start`` to ``of``."""
    low, high = sorted((_at(before, start, of), _at(after, start, of)))
    kind = "loss" if after < before else "gain" if after > before else "none"
    return _bar(
        Markup('<line class="mark" x1="{0}" x2="{0}" y1="0" y2="8"/>').format(_at(before, start, of))
        + Markup('<rect class="{}" x="{}" y="1" width="{}" height="6"/>').format(kind, low, max(high - low, 0.4))
    )


def spread(part: IndicatorPart, peers: Quartiles | None) -> Markup:
    """A rate on its interval, the target as a line, the middle half of its peers as a field. Empty for numbers."""
    if not part.is_percent or part.value is None or part.wilson_low is None or part.wilson_high is None:
        return Markup("")
    low, high = 100 * part.wilson_low, 100 * part.wilson_high
    known = [low, part.value, *([part.target] if part.target is not None else []), *([peers.low] if peers else [])]
    start = max(0, 10 * floor((min(known) - 2) / 10))
    shapes = Markup()
    if peers:
        left, right = _at(peers.low, start, 100), _at(peers.high, start, 100)
        shapes += Markup('<rect class="peers" x="{}" y="0" width="{}" height="8"/>').format(
            left, max(right - left, 0.4)
        )
    ends = _at(low, start, 100), _at(high, start, 100)
    shapes += Markup('<line class="interval" x1="{}" x2="{}" y1="4" y2="4"/>').format(*ends)
    if part.target is not None:
        shapes += Markup('<line class="target" x1="{0}" x2="{0}" y1="0" y2="8"/>').format(_at(part.target, start, 100))
    middle = _at(part.value, start, 100)
    shapes += Markup('<rect class="value" x="{}" y="2" width="1.6" height="4"/>').format(max(0, middle - 0.8))
    return _bar(shapes)


@dataclass(frozen=True)
class Leg:
    """A part of a movement: from which score to which."""

    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class Legs:
    """The parts of a movement, each from where the one before ended, on a scale from ``low`` to ``high``."""

    rule: Leg
    group: Leg
    own: Leg
    low: Decimal
    high: Decimal


def movement_steps(moved: Movement) -> Legs:
    """A movement that is taken apart, as steps from the old score to the new one."""
    rule = Leg(moved.was, moved.was + (moved.rule or 0))
    group = Leg(rule.after, rule.after + (moved.group or 0))
    own = Leg(group.after, moved.now)
    ends = [end for leg in (rule, group, own) for end in (leg.before, leg.after)]
    low = Decimal(10) * (min(ends) // 10)
    high = Decimal(10) * (max(ends) // 10 + 1)
    return Legs(rule, group, own, low, high)


def months(scored: Sequence[Scored], own: str, middle: str, alt: str) -> Markup:
    """A unit's scores with the medians of its group; nothing where there is a single period or none."""
    if len(scored) < 2:
        return Markup("")
    lines = (
        Series(own, tuple(one.score_100 for one in scored)),
        Series(middle, tuple(one.median_100 for one in scored)),
    )
    drawing = trend(lines, [Period.parse(one.period).first for one in scored], alt, "", WIDTH)
    return Markup(as_svg(drawing)) if drawing else Markup("")  # noqa: S704 - the writer escapes what it is given


def decides(parts: Sequence[Decides], rest: str, alt: str) -> Markup:
    """A bar for each indicator's part of the spread. ``rest``: what caps, vetoes and rounding are called."""
    told = shares([(one.name_zh if one.indicator_code else rest, one.share_pct) for one in parts], alt, WIDTH)
    return Markup(as_svg(told)) if told else Markup("")  # noqa: S704 - the writer escapes what it is given


def line_of(life: Life, names: dict[str, str], alt: str) -> Markup:
    """The life of a case on one line: events above, each unit's turn with its limits below, days off shaded.

    ``names``: how event types and limits are called.
    """
    first, last = _span(life)
    left, right, top, step = 34.0, WIDTH - 4.0, 12.0, 9.0
    whole = (last - first).total_seconds() or 1.0

    def x(when: datetime) -> float:
        share = (when - first).total_seconds() / whole
        return left + (right - left) * min(max(share, 0.0), 1.0)

    rows = [(duty, limit) for duty in life.duties for limit in _limits(duty)]
    bottom = top + 8 + step * len(rows)
    shapes: list[Shape] = []
    for day in life.days:
        if not day.is_workday:
            start = _midnight(day.date_on, first)
            a, b = x(start), x(start + timedelta(days=1))
            shapes.append(Box(a, 4, max(b - a, 0.0), bottom - 4, OFF))
    shapes += _axis(first, last, x, bottom)
    shapes += [Label(0, top, names["events"], 7.5, "left", GREY), Line(left, top, right, top, GREY, 0.3)]
    shapes += [Dot(x(event.occurred_at), top, 1.1, BLUE) for event in life.events]
    shapes += [Dot(x(one.called_at), top, 1.4, "#7A3B69") for one in life.callbacks]
    for row, (duty, (kind, due, done, is_on_time)) in enumerate(rows):
        y = top + 8 + row * step
        name = f"{duty.unit_name or '—'}"
        shapes.append(Label(0, y - 1.6, name if len(name) <= 12 else f"{name[:11]}…", 7, "left", INK))
        shapes.append(Label(0, y + 1.8, names[kind], 6.5, "left", GREY))
        shapes += _limited(x, y, duty, due, done, is_on_time, last)
    return Markup(as_svg(Drawing(WIDTH, bottom + 7, tuple(shapes), alt)))  # noqa: S704 - the writer escapes


def parts(part: Number, of: Number, most: Number | None) -> Markup:
    """Two lengths in one bar: what is ``part`` of ``of``, on the scale of ``most``."""
    if not of or not most:
        return _bar(Markup(""))
    first, whole = _at(part, 0, most), _at(of, 0, most)
    return _bar(
        Markup('<rect class="pale" x="0" y="1" width="{}" height="6"/>').format(whole)
        + Markup('<rect class="loss" x="0" y="1" width="{}" height="6"/>').format(first)
    )


def hours(told: Sequence[Hour], alt: str) -> Markup:
    """Bars of 24 hours, what is usual as a stroke across each."""
    left, top, base, width = 10.0, 4.0, 42.0, 110.0
    most = max([1.0, *(float(one.intake) for one in told), *(float(one.usual or 0) for one in told)])
    step = (width - left) / 24
    shapes: list[Shape] = []
    for share in (0.5, 1.0):
        y = base - (base - top) * share
        shapes += [Line(left, y, width, y), Label(left - 1.5, y, f"{most * share:.0f}", 6, "right", GREY)]
    for one in told:
        x, tall = left + one.hour * step, (base - top) * one.intake / most
        shapes.append(Box(x + 0.5, base - tall, step - 1, tall, BLUE))
        if one.usual is not None:
            y = base - (base - top) * float(one.usual) / most
            shapes.append(Line(x, y, x + step, y, LATE, 0.7))
        if one.hour % 3 == 0:
            shapes.append(Label(x + step / 2, base + 3, str(one.hour), 6, "middle", GREY))
    return Markup(as_svg(Drawing(width, base + 6, tuple(shapes), alt)))  # noqa: S704 - the writer escapes


Limited = tuple[str, datetime | None, datetime | None, bool | None]


def _limits(duty: Duty) -> list[Limited]:
    """Signing, contact and closing, as far as each was limited or done; of a duty without any, the closing."""
    told: list[Limited] = [
        ("sign", duty.sign_due_at, duty.signed_at, duty.is_signed_on_time),
        ("contact", duty.contact_due_at, duty.contacted_at, duty.is_contacted_on_time),
        ("close", duty.due_in_force_at, duty.closed_at or duty.closed_in_time_at, duty.is_closed_on_time),
    ]
    return [one for one in told if one[1] or one[2]] or told[2:]


def _limited(
    x: Place, y: float, duty: Duty, due: datetime | None, done: datetime | None, is_on_time: bool | None, last: datetime
) -> list[Shape]:
    """From the dispatch to what was done, to the end of the duty, or to now; past the limit in another colour."""
    start, end = x(duty.dispatched_at), x(done or duty.until or last)
    edge = x(due) if due else end
    colour = ON_TIME if done else GREY
    shapes: list[Shape] = [Box(start, y - 1.2, max(min(end, edge) - start, 0.3), 2.4, colour)]
    is_late = is_on_time is False or (due is not None and not done and not duty.until and end > edge)
    if is_late and end > edge:
        shapes.append(Box(edge, y - 1.2, end - edge, 2.4, LATE))
    if due:
        shapes.append(Line(edge, y - 2.8, edge, y + 2.8, INK, 0.45))
    return [*shapes, *([Dot(end, y, 1.1, LATE if is_late else colour)] if done else [])]


def _span(life: Life) -> tuple[datetime, datetime]:
    """Whole days from the first moment told to the last; a case that is open goes on to where the data reach."""
    moments = [life.case.received_at, *(one.occurred_at for one in life.events)]
    moments += [one.called_at for one in life.callbacks]
    for duty in life.duties:
        moments += [one for one in (duty.dispatched_at, duty.due_in_force_at, duty.until) if one]
    is_open = any(duty.until is None for duty in life.duties)
    if is_open and life.as_of:
        moments.append(life.as_of)
    return _midnight(min(moments).date(), min(moments)), _midnight(
        max(moments).date() + timedelta(days=1), min(moments)
    )


def _midnight(day: date, of: datetime) -> datetime:
    return datetime.combine(day, time(), of.tzinfo)


def _axis(first: datetime, last: datetime, x: Place, bottom: float) -> list[Shape]:
    """Days, as many as there is room for."""
    days = (last.date() - first.date()).days
    every = max(1, -(-days // 14))
    shapes: list[Shape] = []
    for number in range(0, days, every):
        day = first.date() + timedelta(days=number)
        at = x(_midnight(day, first))
        shapes += [Line(at, 4, at, bottom, RULE, 0.2), Label(at, bottom + 3.5, f"{day:%m-%d}", 6.5, "left", GREY)]
    return shapes


def _bar(shapes: Markup) -> Markup:
    return Markup('<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">{}</svg>').format(
        shapes
    )


def _at(value: Number, start: Number, end: Number) -> float:
    whole = float(end) - float(start) or 1.0
    return round(min(max(100 * (float(value) - float(start)) / whole, 0.0), 100.0), 2)
