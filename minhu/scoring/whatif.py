"""A what-if: a period that was scored, under a changed scheme. Who moves, by how much, and which indicator explains it.

Nothing of it is kept. Where the change leaves alone what is counted (weights, targets, functions, rounding, bands), the
counts of the last score are scored anew in memory. Where other rows would count (another measure, moment or answer),
dbt computes the whole in its scratch schema ``build``, and the result is read there and never moved to ``mart``.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import psycopg
from psycopg.rows import DictRow, dict_row

from minhu import database
from minhu.errors import Refused
from minhu.schemes.arithmetic import half_up
from minhu.schemes.compare import Change, compare
from minhu.schemes.counts import Given, UnitCounts
from minhu.schemes.language.count import QUANTILES
from minhu.schemes.language.indicator import Line
from minhu.schemes.lines import ScoredIndicator
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.schemes.scheme import Scheme
from minhu.schemes.tally import ScoredUnit, tally
from minhu.scoring.earlier import Stood, standing_now
from minhu.scoring.points import compute
from minhu.scoring.score import Run, is_stale, stored_runs
from minhu.scoring.stored import Stored
from minhu.settings import Settings
from minhu.warehouse import dbt


@dataclass(frozen=True)
class Standing:
    """A unit's line, before or after the change."""

    score_100: Decimal | None
    assessed_points: Decimal | None
    band: str | None
    rank_in_group: int | None
    not_ranked_reason: str | None
    listed_on: str | None


@dataclass(frozen=True)
class Shift:
    """What an indicator does to a unit's score: its points before and after, and its part of the change (of 100)."""

    code: str
    name_zh: str
    was: Decimal | None
    now: Decimal | None
    effect: Decimal


@dataclass(frozen=True)
class Move:
    """A unit before and after. ``change`` of its score of 100, ``climbed`` places; null where it is not ranked."""

    unit_code: str
    unit_name: str
    peer_group: str
    was: Standing
    now: Standing
    change: Decimal | None
    climbed: int | None
    shifts: tuple[Shift, ...]

    @property
    def is_moved(self) -> bool:
        return self.was != self.now

    @property
    def reason(self) -> Shift | None:
        """The indicator that explains most of the change, on the side to which the score moved."""
        sign = 1 if (self.change or 0) >= 0 else -1
        best = max(self.shifts, key=lambda shift: sign * shift.effect, default=None)
        return best if best and sign * best.effect > 0 else None


@dataclass(frozen=True)
class WhatIf:
    """The period under the changed scheme. ``is_recounted``: other rows count, so everything was computed anew."""

    scheme_id: str
    title: str
    period: str
    old_version: str
    new_version: str
    as_of: datetime
    is_stale: bool
    is_recounted: bool
    changes: tuple[Change, ...]
    moves: tuple[Move, ...]

    def as_json(self) -> dict:
        told = plain(self)
        for move, given in zip(told["moves"], self.moves, strict=True):
            move["is_moved"], move["reason"] = given.is_moved, given.reason and given.reason.code
        for change, one in zip(told["changes"], self.changes, strict=True):
            change["text"] = one.text
        return told


def what_if(settings: Settings, scheme_id: str, changed: Scheme, period: str) -> WhatIf:
    """The newest score of ``period`` by the scheme beside what ``changed`` would make of it.

    Raises Refused when the period was not scored by the scheme, is the mean of shorter ones, or is none of the changed
    scheme.
    """
    settings, wanted = settings.at_work, Period.parse(period)
    with ExitStack() as stack:
        # a build may put other facts beside
        connection = stack.enter_context(database.connect(settings, at_one_moment=True, rows=dict_row))
        run = stored_runs(connection, wanted, scheme_id)[0]
        _judge(run.scheme, changed, wanted)
        sources = same_counts(run.scheme, changed)
        if sources is None:  # models run, in the schema of builds
            connection.rollback()
            stack.enter_context(database.held(settings, database.LOCK_BUILD))
            run = stored_runs(connection, wanted, scheme_id)[0]
        has_newer_facts = is_stale(connection, run)
        was = stored_units(connection, Stored.newest(run))
        names = names_of(connection, wanted)
        if sources is None:
            now = _recounted(settings, run, changed)
        else:
            counts = counts_of(was, entered_points(connection, Stored.newest(run)), changed, sources)
            now = {unit.unit: unit for unit in tally(changed, changed.first_day(wanted), counts, None, wanted.kind)}
    return WhatIf(
        scheme_id=scheme_id,
        title=changed.title,
        period=wanted.text,
        old_version=run.scheme.scheme_version,
        new_version=changed.scheme_version,
        as_of=run.as_of,
        is_stale=has_newer_facts,
        is_recounted=sources is None,
        changes=tuple(compare(run.scheme, changed)),
        moves=tuple(_moves(run.scheme, changed, was, now, names)),
    )


def _judge(old: Scheme, changed: Scheme, period: Period) -> None:
    if old.parts(period) is not None or changed.parts(period) is not None:
        raise Refused(f"{period.text} is the mean of shorter periods: simulate those")
    if period.kind not in changed.periods:
        raise Refused(f"the changed scheme scores no {period.kind}; it scores by {' and '.join(changed.periods)}")
    if day := changed.changes_within(period):
        raise Refused(f"the numbers of the changed scheme change on {day}, inside {period.text}")


def stored_units(
    connection: psycopg.Connection[DictRow], stored: Stored, peer_group: str | None = None
) -> dict[str, ScoredUnit]:
    """The scores of a run or a release as they stand, by unit; of one peer group alone where it is named."""
    key, scheme = stored.key | {"peer_group": peer_group}, stored.run.scheme
    parts = defaultdict(list)
    order = [line.code for line in scheme.lines]
    for row in connection.execute(stored.sql(_INDICATORS), key):
        parts[row["unit_code"]].append(
            ScoredIndicator(
                code=row["indicator_code"],
                numerator=row["numerator"],
                denominator=row["denominator"],
                value=row["value"],
                points_max=row["points_max"],
                points=row["points"],
                is_empty=row["value"] is None,
                wilson_low=row["wilson_low"],
                wilson_high=row["wilson_high"],
                funnel_flag=row["funnel_flag"],
                before=tuple(Stood.from_json(one).counted for one in row["earlier"] or ()),
            )
        )
    return {
        row["unit_code"]: ScoredUnit(
            unit=row["unit_code"],
            peer_group=row["peer_group"],
            indicators=tuple(sorted(parts[row["unit_code"]], key=lambda part: order.index(part.code))),
            **{name: row[name] for name in ("raw_points", *Standing.__dataclass_fields__)},
        )
        for row in connection.execute(stored.sql(_UNITS), key)
    }


_UNITS = """
select
    unit_code,
    peer_group,
    raw_points,
    score_100,
    assessed_points,
    band,
    rank_in_group,
    not_ranked_reason,
    listed_on
from {scores}
where {condition} and (%(peer_group)s::text is null or peer_group = %(peer_group)s)
order by unit_code
"""
_INDICATORS = """
select
    unit_code,
    indicator_code,
    numerator,
    denominator,
    value,
    points_max,
    points,
    wilson_low,
    wilson_high,
    funnel_flag,
    earlier
from {indicators}
where
    {condition}
    and unit_code in (
        select unit_code
        from {scores}
        where {condition} and (%(peer_group)s::text is null or peer_group = %(peer_group)s)
    )
"""


def names_of(connection: psycopg.Connection[DictRow], period: Period) -> dict[str, str]:
    rows = connection.execute(
        "select unit_code, unit_name from mart.dim_unit where valid_from <= %(day)s"
        " and (valid_to is null or valid_to > %(day)s)",
        {"day": period.last},
    )
    return {row["unit_code"]: row["unit_name"] for row in rows}


# In memory


def same_counts(old: Scheme, changed: Scheme) -> dict[str, str] | None:
    """By indicator of ``changed`` the one of ``old`` that counts the same rows; None when one has no such."""
    groups = {group.code for group in old.peer_groups}
    if old.timezone != changed.timezone or not {group.code for group in changed.peer_groups} <= groups:
        return None
    sources = {}
    for indicator in changed.lines:
        if indicator.is_whole:
            continue
        known = [one for one in old.lines if _counts_alike(one, indicator, old, changed)]
        known.sort(key=lambda one: one.code != indicator.code)
        if not known:
            return None
        sources[indicator.code] = known[0].code
    return sources


def _counts_alike(one: Line, other: Line, old: Scheme, changed: Scheme) -> bool:
    """Whether two lines count the same rows of the units that the second scores, and ask the same earlier periods."""
    if other.is_manual:
        return one.is_manual and one.code == other.code
    if one.is_whole or _asks(old, one) != _asks(changed, other):
        return False
    wider = one.peer_groups is None or (
        other.peer_groups is not None and set(other.peer_groups) <= set(one.peer_groups)
    )
    # of too few rows no median is kept, so that another least number needs the rows again
    kept = one.aggregate not in QUANTILES or one.min_n == other.min_n
    return one.counts_like(other) and wider and kept


def _asks(scheme: Scheme, line: Line) -> tuple[str | None, object]:
    """Which earlier periods a line asks."""
    with_what = line.compared or scheme.wholes[line.code].compared
    return with_what.to if with_what is not None and with_what.is_earlier else None, line.pooled


def counts_of(
    was: Mapping[str, ScoredUnit],
    entered: Mapping[str, Mapping[str, Sequence[Decimal | Fraction]]],
    changed: Scheme,
    sources: Mapping[str, str],
) -> dict[str, UnitCounts]:
    """What was counted of each unit, under the codes of the changed scheme. ``entered``: points entered by hand."""
    groups = {group.code for group in changed.peer_groups}
    units = {}
    for unit in was.values():
        if unit.peer_group not in groups:
            continue
        given = {
            indicator.code: _given(indicator, unit.indicator(sources[indicator.code]), entered.get(unit.unit, {}))
            for indicator in changed.lines
            if indicator.scores(unit.peer_group) and not indicator.is_whole
        }
        units[unit.unit] = UnitCounts(unit.peer_group, given, has_case=unit.not_ranked_reason != "no_case")
    return units


def _given(
    indicator: Line, counted: ScoredIndicator | None, entered: Mapping[str, Sequence[Decimal | Fraction]]
) -> Given:
    if indicator.is_manual:
        entries = entered.get(indicator.code, [])
        if not entries:
            return Given()
        whole = sum((Fraction(one) for one in entries), Fraction())
        return Given(value=whole if indicator.takes_changes else Fraction(entries[-1]))
    if counted is None:
        raise LookupError(f"{indicator.code} was not counted")
    above, below = Fraction(counted.numerator or 0), Fraction(counted.denominator or 0)
    if indicator.aggregate in QUANTILES:
        return Given(above, below, None if counted.value is None else Fraction(counted.value), counted.before)
    return Given(above, None if indicator.aggregate == "share" else below, before=counted.before)


def entered_points(connection: psycopg.Connection[DictRow], stored: Stored) -> dict[str, dict[str, list[Decimal]]]:
    """Points entered by hand on which a score rests, by unit and indicator, the newest last."""
    rows = connection.execute(
        f"select unit_code, indicator_code, points from {stored.entries} as entry"
        " where scheme_id = %(scheme_id)s and period = %(period)s order by entered_at, manual_point_id",
        stored.key,
    )
    entered: dict[str, dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        entered[row["unit_code"]][row["indicator_code"]].append(row["points"])
    return entered


# In the scratch schema


def _recounted(settings: Settings, run: Run, changed: Scheme) -> dict[str, ScoredUnit]:
    """The scores by the changed scheme, computed by dbt over the facts as they stand."""
    trial = Run(changed, run.period, run.starts_at, run.ends_at, run.as_of, run.build_id, run.config_version)
    key = trial.key | {"scheme_id": run.scheme.scheme_id}

    def by_dbt(select: str, exclude: Sequence[str]) -> dbt.DbtRun:
        return dbt.run(settings, select, {**trial.variables, **key}, exclude=exclude)

    computed = compute(settings, by_dbt, changed, run.period, key, (), standing_now)
    if not computed.is_ok:
        raise Refused(f"simulating {run.period.text} failed and changed nothing: {computed.complaint}")
    with database.connect(settings, rows=dict_row) as connection:
        return stored_units(connection, Stored.of_schema(trial, key, "build"))


# What moved


def _moves(
    old: Scheme, changed: Scheme, was: dict[str, ScoredUnit], now: dict[str, ScoredUnit], names: dict[str, str]
) -> list[Move]:
    """Every unit, those that moved most first."""
    names_of = {line.code: line.name_zh for line in (*old.lines, *changed.lines)}
    parts = frozenset(code for scheme in (old, changed) for code, whole in scheme.wholes.items() if whole.code != code)
    found = [
        _move(names_of, parts, unit, was.get(unit), now.get(unit), names.get(unit, unit))
        for unit in sorted({*was, *now})
    ]
    return sorted(found, key=lambda move: (-abs(move.change or Decimal()), move.unit_code))


def _move(
    titles: Mapping[str, str],
    parts: frozenset[str],
    unit: str,
    was: ScoredUnit | None,
    now: ScoredUnit | None,
    name: str,
) -> Move:
    before, after = _standing(was), _standing(now)
    change = climbed = None
    if before.score_100 is not None and after.score_100 is not None:
        change = after.score_100 - before.score_100
    if before.rank_in_group is not None and after.rank_in_group is not None:
        climbed = before.rank_in_group - after.rank_in_group
    return Move(
        unit_code=unit,
        unit_name=name,
        peer_group=next(scored.peer_group for scored in (now, was) if scored),
        was=before,
        now=after,
        change=change,
        climbed=climbed,
        shifts=tuple(_shifts(titles, parts, was, now)) if was and now and change is not None else (),
    )


def _standing(unit: ScoredUnit | None) -> Standing:
    names = Standing.__dataclass_fields__
    return Standing(**{name: getattr(unit, name) if unit else None for name in names})


def _shifts(titles: Mapping[str, str], parts: frozenset[str], was: ScoredUnit, now: ScoredUnit) -> Iterable[Shift]:
    """What each indicator, or part of one, costs of 100, before and after: the difference is its part of the change."""
    for code in dict.fromkeys(part.code for part in (*now.indicators, *was.indicators)):
        before, after = was.indicator(code), now.indicator(code)
        effect = cost_of_100(was, before, code in parts) - cost_of_100(now, after, code in parts)
        old, new = (part.points if part else None for part in (before, after))
        if effect or old != new:
            yield Shift(
                code=code,
                name_zh=titles.get(code, code),
                was=old,
                now=new,
                effect=half_up(effect, 2),
            )


def cost_of_100(unit: ScoredUnit, part: ScoredIndicator | None, is_part: bool) -> Fraction:
    """What the unit lost by a line, of 100 points: of those that apply, or what comes off the whole of all."""
    if part is None or part.points is None:
        return Fraction()
    weighed = [one for one in unit.indicators if one.points_max > 0]
    of_all = not part.points_max and not is_part
    whole = sum((Fraction(one.points_max) for one in weighed if of_all or one.points is not None), Fraction())
    return 100 * (Fraction(part.points_max) - Fraction(part.points)) / whole
