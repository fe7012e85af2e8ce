"""A revision as a ledger: decision or batch → case → indicator → points, of each unit; its sums are exact.

The lines of a unit's indicator are a walk from what was counted to what is counted now: each row that moved takes one
step, decisions before batches, and bears what the points change by it. The last step bears what no row explains: the
configuration, the readings, the data cut, other units. So the lines sum to the difference of the points, whatever
moved. They are worked out when a revision is closed, while the facts are those that were scored, and kept.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
from psycopg.rows import DictRow, class_row, dict_row
from psycopg.types.json import Jsonb, set_json_loads

from minhu import database
from minhu.glossary.cases import LEFT_OUT
from minhu.glossary.decided import LEDGER_CAUSE, LEDGER_OUTCOME
from minhu.glossary.kind import Lang
from minhu.publish.row_hash import read_json
from minhu.schemes.counts import Given
from minhu.schemes.language.count import QUANTILES
from minhu.schemes.language.functions import Weighed
from minhu.schemes.language.indicator import Line as Indicator
from minhu.schemes.lines import line_points
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.schemes.scheme import Scheme

CAUSES = tuple(LEDGER_CAUSE)
"""In the order of the ledger. ``row_unchanged``: as it was, but costs nothing now, or costs now, by its indicator."""
ZERO = Decimal(0)


@dataclass(frozen=True)
class Line:
    """What one cause did to one row of a unit's indicator. ``before``, ``after``: what it counted; null: not there."""

    unit_code: str
    indicator_code: str | None
    indicator_name: str | None
    cause_kind: str
    cause_id: int | None
    subject_kind: str | None
    subject_id: str | None
    case_id: str | None
    feed_code: str | None
    case_no: str | None
    before: str | None
    after: str | None
    points: Decimal


@dataclass(frozen=True)
class Step:
    """A row that moved: its line, still without points, and by how much it moved the counts."""

    line: Line
    numerator: Fraction
    denominator: Fraction


@dataclass(frozen=True)
class Counted:
    """What was counted of a unit by an indicator, and the points that it gave."""

    numerator: Decimal | None
    denominator: Decimal | None
    points: Decimal | None


Points = Callable[[Fraction, Fraction], Decimal | None]
"""The points for a numerator and a denominator; None where nothing is left to judge."""


def walk(
    unit: str, indicator: str, before: Counted, after: Counted, steps: Sequence[Step], points: Points
) -> list[Line]:
    """The lines of a unit's indicator. They sum to its difference of points: what does not apply counts as none."""
    numerator, denominator = Fraction(before.numerator or 0), Fraction(before.denominator or 0)
    stands, lines = before.points or ZERO, []
    for step in steps:
        numerator, denominator = numerator + step.numerator, denominator + step.denominator
        moved = stands
        if step.numerator or step.denominator:
            moved = points(numerator, denominator) or ZERO
        lines.append(replace(step.line, points=moved - stands))
        stands = moved
    rest = (after.points or ZERO) - stands
    if rest:
        lines.append(_without_row(unit, indicator, "no_row", rest))
    return lines


def _without_row(unit: str, indicator: str | None, cause: str, points: Decimal) -> Line:
    return Line(unit, indicator, None, cause, None, None, None, None, None, None, None, None, points)


def write(connection: psycopg.Connection[Any], closing_id: int) -> None:
    """Works out the ledger of a revision that was just closed, and keeps it. A first revision has none."""
    set_json_loads(read_json, connection)
    with connection.cursor(row_factory=dict_row) as cursor:
        closing = cursor.execute(_CLOSING, [closing_id]).fetchone()
        if closing is None:
            return
        lines = _lines(cursor, closing)
    database.act(
        connection,
        "publish.keep_ledger",
        {"of_closing": closing_id, "lines": Jsonb([plain(line) for line in lines])},
    )


def read(connection: psycopg.Connection[Any], closing_id: int) -> tuple[Line, ...]:
    """The lines that the login sees, unit by unit, decisions first; none where no ledger was kept yet."""
    names = ", ".join(Line.__dataclass_fields__)
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        query = f"select {names} from publish.ledger where closing_id = %s order by line_no"
        return tuple(cursor.execute(query, [closing_id]))


@dataclass(frozen=True)
class Place:
    """A unit's indicator, and by what it is scored."""

    unit: str
    scheme: Scheme
    indicator: Indicator
    group: str
    period: Period

    def points(self, given: Given) -> Decimal | None:
        return line_points(self.scheme, self.indicator, self.group, self.scheme.first_day(self.period), given)

    @property
    def moves_by_rows(self) -> bool:
        """Whether a row moves the points by itself: not those of a median, of the mean of shorter periods, of a part
        of a value, or of what other units and earlier periods decide as well."""
        one = self.indicator
        return not (
            one.aggregate in QUANTILES
            or one.rests_on_others
            or isinstance(one.scoring, Weighed)
            or self.scheme.parts(self.period) is not None
        )

    def of_counts(self, numerator: Fraction, denominator: Fraction) -> Decimal | None:
        if self.indicator.aggregate != "count" and denominator <= 0:
            return None
        return self.points(Given(numerator, denominator))


def _lines(cursor: psycopg.Cursor[DictRow], closing: dict) -> list[Line]:
    scheme, period = Scheme.from_entry(closing["scheme"]), Period.parse(closing["period"])
    asked = {"closing": closing["closing_id"], "base": closing["base_release_id"]}
    asked |= {"ids": Jsonb(closing["ids"]), "base_ids": Jsonb(closing["base_ids"])}
    units = {row["unit_code"]: row for row in cursor.execute(_UNITS, asked)}
    steps, by_hand = defaultdict(list), defaultdict(list)
    for row in cursor.execute("select * from publish.rows_moved(%(closing)s)", asked):
        if step := _step(scheme.indicator(row["indicator_code"]), row):
            steps[row["unit_code"], row["indicator_code"]].append(step)
    for row in cursor.execute(_ENTRIES, asked):
        by_hand[row["unit_code"], row["indicator_code"]].append(row)
    lines: list[Line] = []
    for row in cursor.execute(_INDICATORS, asked):
        unit, indicator = row["unit_code"], scheme.indicator(row["indicator_code"])
        place = Place(unit, scheme, indicator, units[unit]["peer_group"], period)
        before, after = (
            Counted(row[f"numerator_{side}"], row[f"denominator_{side}"], row[f"points_{side}"])
            for side in ("before", "after")
        )
        if indicator.is_manual:
            lines += _by_hand(place, before, after, by_hand[unit, indicator.code])
        else:
            lines += _by_rows(place, before, after, steps[unit, indicator.code])
    told: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        told[line.unit_code] += line.points
    lines = [_named(line, scheme) for line in lines]
    for unit, row in units.items():
        if rest := (row["after"] or ZERO) - (row["before"] or ZERO) - told[unit]:
            lines.append(_without_row(unit, None, "sum_rounded", rest))
    return sorted(lines, key=_in_order)


def _named(line: Line, scheme: Scheme) -> Line:
    code = line.indicator_code
    return line if line.indicator_name or code is None else replace(line, indicator_name=scheme.indicator(code).name_zh)


def _in_order(line: Line) -> tuple:
    row = line.case_no or "", line.indicator_code or "", line.subject_id or ""
    return line.unit_code, CAUSES.index(line.cause_kind), line.cause_id or 0, *row


def _by_rows(place: Place, before: Counted, after: Counted, steps: list[Step]) -> list[Line]:
    """Where no row moves the points by itself, what moved is told of none; nor is what a common floor gave back."""
    if not place.moves_by_rows:
        steps = [replace(one, numerator=Fraction(), denominator=Fraction()) for one in steps]
    in_order = sorted(steps, key=lambda one: _in_order(one.line))
    return walk(place.unit, place.indicator.code, before, after, in_order, place.of_counts)


def _by_hand(place: Place, before: Counted, after: Counted, entries: list[dict]) -> list[Line]:
    """Points by hand come or go one by one, in the order in which they were entered."""
    standing = {row["manual_point_id"]: row["points"] for row in entries if row["was_there"]}
    stands, lines = before.points or ZERO, []
    for row in (row for row in entries if row["was_there"] != row["is_there"]):
        number, told = row["manual_point_id"], f"{row['points']:+f}"
        if row["is_there"]:
            standing[number] = row["points"]
        else:
            del standing[number]
        values = [standing[one["manual_point_id"]] for one in entries if one["manual_point_id"] in standing]
        given = Given(value=Fraction(sum(values) if place.indicator.takes_changes else values[-1]) if values else None)
        moved = place.points(given) or ZERO
        lines.append(
            Line(
                unit_code=place.unit,
                indicator_code=place.indicator.code,
                indicator_name=place.indicator.name_zh,
                cause_kind="manual_point",
                cause_id=number,
                subject_kind="manual_point",
                subject_id=str(number),
                case_id=None,
                feed_code=None,
                case_no=None,
                before=None if row["is_there"] else told,
                after=told if row["is_there"] else None,
                points=moved - stands,
            )
        )
        stands = moved
    return lines + walk(place.unit, place.indicator.code, replace(before, points=stands), after, [], place.of_counts)


def _step(indicator: Indicator, row: dict) -> Step | None:
    """How a row moved; None where it did not, and the list of what costs points shows it as before."""
    right = (lambda denominator: ZERO) if indicator.is_lower_better else (lambda denominator: denominator)
    before = after = (ZERO, ZERO)
    if row["was_told"]:
        before = row["numerator_before"], row["denominator_before"]
    elif row["is_known"] and row["is_there"]:  # it cost nothing then: it was right
        whole = row["denominator_after"] or Decimal(1)
        before = right(whole), whole
    if row["is_there"]:
        after = row["numerator_after"], row["denominator_after"]
    is_same = before == after and row["excluded_before"] == row["excluded_after"]
    if is_same and not row["is_in_diff"]:
        return None
    was_there = row["was_told"] or (row["is_known"] and row["is_there"])
    numerator, denominator = (Fraction(now) - Fraction(was) for was, now in zip(before, after, strict=True))
    if indicator.aggregate == "share":
        denominator = numerator
    elif indicator.aggregate in ("per_10k", "per"):
        denominator = Fraction()
    kind = row["cause_kind"] or "no_row"
    after_said = _said(after, row["excluded_after"]) if row["is_there"] else None
    if is_same:  # it was told and is no more, or the other way round
        after_said = "costs_nothing" if row["was_told"] else "costs_now"
    line = Line(
        row["unit_code"], row["indicator_code"], indicator.name_zh,
        "row_unchanged" if is_same else kind, None if is_same else row["cause_id"],
        row["subject_kind"], row["subject_id"], row["case_id"], row["feed_code"], row["case_no"],
        _said(before, row["excluded_before"]) if was_there else None,
        after_said, ZERO,
    )  # fmt: skip
    return Step(line, numerator, denominator)


def signed(points: Decimal) -> str:
    return f"{points:+f}" if points else "0"


def side(told: str, lang: Lang = "zh") -> str:
    """``before`` or ``after`` of a line in words: counts as they are, else why it was left out or what became of it."""
    return (LEDGER_OUTCOME if told in LEDGER_OUTCOME else LEFT_OUT).said(told, lang)


def _said(counted: tuple[Decimal, Decimal], excluded: str | None) -> str:
    return excluded or f"{counted[0].normalize():f}/{counted[1].normalize():f}"


_CLOSING = """
select closing.closing_id, closing.base_release_id, closing.period, closing.inputs -> 'manual_points' -> 'ids' as ids,
    base.inputs -> 'manual_points' -> 'ids' as base_ids, entry.data as scheme
from publish.closing
inner join publish.release as base on closing.base_release_id = base.release_id
inner join config.entry
    on entry.kind = 'scheme' and entry.key = closing.scheme_id and entry.since_version <= closing.config_version
    and (entry.until_version is null or entry.until_version > closing.config_version)
where closing.closing_id = %s
"""

_UNITS = """
select coalesce(now_told.data ->> 'unit_code', was.unit_code) as unit_code,
    coalesce(now_told.data ->> 'peer_group', was.peer_group) as peer_group, was.raw_points as before,
    (now_told.data ->> 'raw_points')::numeric as after
from (select * from publish.frozen_row where closing_id = %(closing)s and kind = 'unit_score') as now_told
full join (select * from publish.unit_score where release_id = %(base)s) as was
    on was.unit_code = now_told.data ->> 'unit_code'
"""

_INDICATORS = """
select coalesce(now_told.data ->> 'unit_code', was.unit_code) as unit_code,
    coalesce(now_told.data ->> 'indicator_code', was.indicator_code) as indicator_code,
    was.numerator as numerator_before, was.denominator as denominator_before, was.points as points_before,
    (now_told.data ->> 'numerator')::numeric as numerator_after,
    (now_told.data ->> 'denominator')::numeric as denominator_after,
    (now_told.data ->> 'points')::numeric as points_after
from (select * from publish.frozen_row where closing_id = %(closing)s and kind = 'unit_indicator') as now_told
full join (select * from publish.unit_indicator where release_id = %(base)s) as was
    on was.unit_code = now_told.data ->> 'unit_code' and was.indicator_code = now_told.data ->> 'indicator_code'
order by 1, 2
"""

_ENTRIES = """
select point.unit_code, point.indicator_code, point.manual_point_id, point.points,
    %(base_ids)s::jsonb @> to_jsonb(point.manual_point_id) as was_there,
    %(ids)s::jsonb @> to_jsonb(point.manual_point_id) as is_there
from publish.closing
inner join assess.manual_point as point on point.scheme_id = closing.scheme_id and point.period = closing.period
where closing.closing_id = %(closing)s
    and (%(base_ids)s::jsonb || %(ids)s::jsonb) @> to_jsonb(point.manual_point_id)
order by point.entered_at, point.manual_point_id
"""
