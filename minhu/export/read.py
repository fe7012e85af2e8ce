"""Reads the newest score of a period from ``mart`` into a ``Report``.

A reader of published results makes the same object with its ``release`` filled in; the writers need not know.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused, Retryable
from minhu.export.report import Band, Cost, Group, Indicator, Measured, Report, Unit, totals
from minhu.progress import progress
from minhu.scoring import Explanation, explain
from minhu.scoring.period import Period
from minhu.scoring.score import OF_RUN, Run, is_stale, stored_runs
from minhu.settings import Settings


def read_report(
    settings: Settings,
    period: str,
    scheme_id: str | None = None,
    *,
    explained: Iterable[str] | None = (),
    number: str | None = None,
) -> Report:
    """The score of ``period`` by the scheme, or by the only one that scored it.

    ``explained``: the units, by code or name, whose lost points are taken apart into rows; None is every unit.
    Raises Refused when the period was not scored, several schemes scored it and none is named, or a unit is unknown;
    Retryable when it is scored anew meanwhile.
    """
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.row_factory = dict_row
        run = _run(connection, wanted, scheme_id)
        scheme, is_ranked = run.scheme, run.scheme.publication.ranking
        has_newer_facts = is_stale(connection, run)
        units = _units(connection, run, is_ranked)
    indicators = tuple(
        Indicator(one.code, one.name_zh, one.is_percent, one.is_lower_better, one.note, one.example)
        for one in scheme.indicators
    )
    is_every = explained is None
    told = _explained(settings, run, _losers(units) if is_every else list(explained))
    order = {band.name_zh: place for place, band in enumerate(scheme.bands)}
    report = Report(
        scheme_id=scheme.scheme_id,
        scheme_version=scheme.scheme_version,
        title=scheme.title,
        basis=tuple(f"《{one.title}》{f'（{one.number}）' if one.number else ''}" for one in scheme.legal_basis),
        has_examples=any(one.example for one in (*scheme.indicators, *scheme.bands, scheme.rounding)),
        period=wanted.text,
        first=wanted.first,
        last=wanted.last,
        kind=scheme.standing(wanted, run.as_of == run.ends_at),
        as_of=run.as_of,
        is_complete=run.as_of == run.ends_at,
        is_stale=has_newer_facts,
        build_id=run.build_id,
        config_version=run.config_version,
        is_ranked=is_ranked,
        bands=tuple(Band(one.name_zh, one.at_least) for one in scheme.bands),
        indicators=indicators,
        groups=(),
        number=number,
    )
    groups = []
    for group in scheme.peer_groups:
        members = sorted(units.get(group.code, ()), key=lambda unit: _place(unit, order))
        rules = _rules(settings, run, members, told)
        shown = tuple(_with_costs(unit, told.get(unit.code), is_every) for unit in members)
        groups.append(Group(group.code, group.name_zh, group.points, rules, shown, totals(indicators, shown)))
    return replace(report, groups=tuple(groups))


def _place(unit: Unit, bands: dict[str, int]) -> tuple:
    """Where a unit stands in its group's table: by rank where there is one, else by band, those listed apart last."""
    return (unit.reason is not None, unit.rank or 0, bands.get(unit.band, len(bands)), unit.code)


def _run(connection: psycopg.Connection, period: Period, scheme_id: str | None) -> Run:
    runs = stored_runs(connection, period, scheme_id)
    schemes = sorted({run.scheme.scheme_id for run in runs})
    if len(schemes) > 1:
        raise Refused(f"{period.text} was scored by {' and '.join(schemes)}; name one with --scheme")
    return runs[0]


def _units(connection: psycopg.Connection, run: Run, is_ranked: bool) -> dict[str, list[Unit]]:
    """The units by peer group, with their indicators in the order of the scheme."""
    key = run.key | {"last_day": run.period.last}
    measured = defaultdict(list)
    for row in connection.execute(_MEASURED, key):
        measured[row.pop("unit_code")].append(Measured(**row))
    place = {one.code: at for at, one in enumerate(run.scheme.indicators)}
    groups = defaultdict(list)
    for row in connection.execute(_SCORES, key):
        parts = tuple(sorted(measured[row["code"]], key=lambda one: place.get(one.code, len(place))))
        rank = row.pop("rank")
        groups[row.pop("peer_group")].append(Unit(**row, rank=rank if is_ranked else None, measured=parts))
    return groups


_SCORES = f"""
select
    scores.peer_group,
    scores.unit_code as code,
    coalesce(units.unit_name, scores.unit_code) as name,
    scores.raw_points,
    scores.score_100,
    scores.assessed_points,
    scores.band,
    scores.rank_in_group as rank,
    scores.not_ranked_reason as reason
from mart.fct_unit_score as scores
left join mart.dim_unit as units
    on
        scores.unit_code = units.unit_code
        and units.valid_from <= %(last_day)s
        and (units.valid_to is null or units.valid_to > %(last_day)s)
where {OF_RUN}
"""
_MEASURED = f"""
select
    unit_code,
    indicator_code as code,
    numerator,
    denominator,
    value,
    wilson_low,
    wilson_high,
    target,
    points_max,
    points,
    funnel_flag
from mart.fct_unit_indicator
where {OF_RUN}
"""


def _explained(settings: Settings, run: Run, units: list[str]) -> dict[str, Explanation]:
    told = {}
    with progress(len(units), "taking lost points apart") as advance:
        for unit in units:
            found = _explain(settings, run, unit)
            told[found.unit_code] = found
            advance(found.unit_code)
    return told


def _explain(settings: Settings, run: Run, unit: str) -> Explanation:
    found = explain(settings, unit, run.period.text, scheme_id=run.scheme.scheme_id)
    if (found.scheme_version, found.as_of, found.build_id) != (run.scheme.scheme_version, run.as_of, run.build_id):
        raise Retryable(f"{run.period.text} was scored anew while it was read; run the export again")
    return found


def _rules(
    settings: Settings, run: Run, members: list[Unit], told: dict[str, Explanation]
) -> tuple[tuple[str, str], ...]:
    """How each indicator scores this group, in the words of an explanation of one of its units."""
    if not members:
        return ()
    one = next((told[unit.code] for unit in members if unit.code in told), None)
    parts = (one or _explain(settings, run, members[0].code)).indicators
    return tuple((part.code, part.rule_zh) for part in parts)


def _losers(units: dict[str, list[Unit]]) -> list[str]:
    return sorted(unit.code for members in units.values() for unit in members if any(one.lost for one in unit.measured))


def _with_costs(unit: Unit, told: Explanation | None, is_every: bool) -> Unit:
    """The unit with the rows that cost it points, if it was taken apart; with none if it had nothing to lose."""
    if told is None and not is_every:
        return unit
    costs = {part.code: tuple(_cost(cost) for cost in part.costs) for part in (told.indicators if told else ())}
    return replace(unit, measured=tuple(replace(one, costs=costs.get(one.code, ())) for one in unit.measured))


def _cost(cost: object) -> Cost:
    return Cost(
        lost=cost.lost,
        feed_code=cost.feed_code,
        feed_name=cost.feed_name,
        case_no=cost.case_no,
        finding=cost.finding_zh,
        rule=cost.rule_zh,
        received_at=cost.received_at,
        dispatched_at=cost.dispatched_at,
        due_at=cost.due_at,
        occurred_at=cost.occurred_at,
        sources=tuple(
            f"{one.step_zh} {one.source_name} 第 {one.row_number} {'行' if one.batch_id else '条'}"
            for one in cost.sources
        ),
    )
