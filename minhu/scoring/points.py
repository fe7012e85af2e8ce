"""From counts to points: what dbt counted of a run is read, scored by ``minhu.schemes.tally``, and written beside it.

One evaluator gives the points of a score, of a what-if, of a trial and of a verification, exact, in fractions; SQL adds
rows up before it and hands the losses on to them after it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from minhu import database
from minhu.schemes.counts import NOTHING, Given, UnitCounts
from minhu.schemes.language.count import PLAIN, QUANTILES
from minhu.schemes.language.indicator import Line
from minhu.schemes.language.longer import Longer
from minhu.schemes.period import Period
from minhu.schemes.scheme import Scheme
from minhu.schemes.tally import ScoredUnit, Shorter, references, tally, with_group_counts
from minhu.scoring.earlier import Before, Told, before_of, nothing, recorded
from minhu.scoring.marginal import Marginal
from minhu.settings import Settings
from minhu.warehouse import dbt

Row = dict[str, Any]
COUNTED, POINTED = "tag:scoring", "tag:points"
"""What dbt makes before points are given, and after."""
_TABLES = {
    "scored_indicator": "mart.fct_unit_indicator",
    "scored_unit": "mart.fct_unit_score",
}
"""The tables that are written, and those whose columns they have."""


def compute(
    settings: Settings,
    run_dbt: Callable[[str, Sequence[str]], dbt.DbtRun],
    scheme: Scheme,
    period: Period,
    key: dict[str, Any],
    parts: Iterable[dict[str, str]],
    before: Before = nothing,
    schema: str = "build",
) -> dbt.DbtRun:
    """Counts, gives points and tells each row what it cost, in ``schema``; what went wrong is in what is returned.

    ``run_dbt`` is told what to select and what to leave out. ``key``: scheme_id, scheme_version and period of the rows.
    ``parts``: the scores that the period is the mean of. ``before``: what is known of the periods that a score asks.
    """
    counted = run_dbt(COUNTED, (POINTED,))
    if not counted.is_ok:
        return counted
    with database.connect(settings) as connection:
        give_points(connection, scheme, period, key, parts, before, schema)
    return run_dbt(POINTED, ())


def give_points(
    connection: psycopg.Connection[Any],
    scheme: Scheme,
    period: Period,
    key: dict[str, Any],
    parts: Iterable[dict[str, str]],
    before: Before = nothing,
    schema: str = "build",
) -> None:
    """Writes ``scored_indicator``, ``scored_unit`` and ``row_worth`` from the counts in ``schema``, all in it."""
    with connection.cursor(row_factory=dict_row) as cursor:
        keys = {row["unit_code"]: row for row in cursor.execute(_of("{0}.int_scoring__units", schema))}
        counts = {
            (row["unit_code"], row["indicator_code"]): row
            for row in cursor.execute(_of("{0}.int_scoring__counts", schema))
        }
        shorter = _shorter(cursor, key["scheme_id"], parts, scheme, period)
        told = before(connection, scheme, period)
        units = _units(scheme, keys, counts, told)
        scored = tally(scheme, scheme.first_day(period), units, shorter, period.kind)
        alike = cursor.execute(sql.SQL(_ALIKE).format(sql.Identifier(schema))).fetchall()
    for table, like in _TABLES.items():
        _anew(connection, schema, table, f"(like {like})")
    _anew(connection, schema, "row_worth", _WORTH)
    _write(connection, schema, "scored_unit", (_unit_row(unit, key, keys) for unit in scored))
    _write(connection, schema, "scored_indicator", _indicator_rows(scheme, period, scored, key, counts, told))
    _write(connection, schema, "row_worth", _worths(scheme, period, scored, units, alike))


def _units(
    scheme: Scheme, units: dict[str, Row], counts: dict[tuple[str, str], Row], told: Told
) -> dict[str, UnitCounts]:
    """What was counted of each unit, by the code of the unit."""
    given: dict[str, dict[str, Given]] = defaultdict(dict)
    lines = {line.code: line for line in scheme.lines}
    for (unit, code), row in counts.items():
        if not lines[code].is_whole:
            given[unit][code] = replace(_given(lines[code], row), before=before_of(told, unit, code))
    return {unit: UnitCounts(row["peer_group"], given[unit], row["has_case"]) for unit, row in sorted(units.items())}


def _given(indicator: Line, row: Row) -> Given:
    above, below = Fraction(row["numerator"]), Fraction(row["denominator"])
    told = row["entered"] if indicator.is_manual else row["quantile"] if indicator.aggregate in QUANTILES else None
    return Given(above, below, None if told is None else Fraction(told))


def _shorter(
    cursor: psycopg.Cursor[Any], scheme_id: str, parts: Iterable[dict[str, str]], scheme: Scheme, period: Period
) -> Shorter | None:
    """What the shorter periods gave of which this one is a mean; None where it is scored from its own rows."""
    if scheme.parts(period) is None:
        return None
    points: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    scores: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for part in parts:
        named = {"scheme_id": scheme_id} | part
        for row in cursor.execute(_PART_POINTS, named):
            points[row["unit_code"], row["indicator_code"]][part["period"]] = row["points"]
        for row in cursor.execute(_PART_SCORES, named):
            scores[row["unit_code"]][part["period"]] = row["score_100"]
    of = scheme.made_of(period)
    return Shorter(points, scores, scheme.weights(period), of.best if isinstance(of, Longer) else None)


def _unit_row(unit: ScoredUnit, key: dict[str, Any], keys: dict[str, Row]) -> Row:
    names = ("peer_group", "raw_points", "score_100", "assessed_points", "band", "rank_in_group")
    told = {name: getattr(unit, name) for name in (*names, "not_ranked_reason", "listed_on")}
    return key | {"unit_code": unit.unit, "unit_key": keys[unit.unit]["unit_key"]} | told


def _indicator_rows(
    scheme: Scheme,
    period: Period,
    scored: Iterable[ScoredUnit],
    key: dict[str, Any],
    counts: dict[tuple[str, str], Row],
    told: Told,
) -> Iterator[Row]:
    """Counts as they were counted, digit for digit; what is made of parts has none."""
    day = scheme.first_day(period)
    names = ("points_max", "points", "wilson_low", "wilson_high", "funnel_flag", "shrunken_value")
    related = ("compared_value", "pooled_numerator", "pooled_denominator", "has_happened")
    for unit in scored:
        for part in unit.indicators:
            row, line = counts[unit.unit, part.code], scheme.indicator(part.code)
            is_plain = line.aggregate in PLAIN and line.measure is not None
            yield {
                **key,
                **{name: row[name] for name in ("unit_code", "unit_key", "indicator_code")},
                **{name: None if line.is_whole else row[name] for name in ("numerator", "denominator")},
                "is_external_denominator": row["is_external_denominator"],
                "value": row["numerator"] if is_plain and part.value is not None else part.value,
                "target": line.terms(unit.peer_group, day).target,
                "wilson_low_pct": None if part.wilson_low is None else 100 * part.wilson_low,
                "wilson_high_pct": None if part.wilson_high is None else 100 * part.wilson_high,
                **{name: getattr(part, name) for name in (*names, *related)},
                "reference_value": part.reference,
                "earlier": recorded(line, part, told.get((unit.unit, part.code), ())),
            }


def _worths(
    scheme: Scheme,
    period: Period,
    scored: Iterable[ScoredUnit],
    units: dict[str, UnitCounts],
    alike: Iterable[Row],
) -> Iterator[Row]:
    """What each row is worth by itself; rows of a unit's indicator that count alike are worth the same."""
    by_code = {unit.unit: unit for unit in scored}
    counted = with_group_counts(scheme, units)
    related = references(scheme, scheme.first_day(period), counted)
    known: dict[tuple[str, str], Marginal] = {}
    for row in alike:
        unit, code = place = row["unit_code"], row["indicator_code"]
        if place not in known:
            lines = scheme.wholes[code].lines
            known[place] = Marginal(
                scheme,
                scheme.indicator(code),
                by_code[unit].peer_group,
                period,
                by_code[unit].points_of([line.code for line in lines]),
                {line.code: counted[unit].given.get(line.code, NOTHING) for line in lines},
                {line.code: related[unit, line.code] for line in lines if (unit, line.code) in related},
            )
        worth = known[place].without_row(row["numerator_value"], row["denominator_value"])
        yield row | {"marginal_points": worth}


def _of(table: str, schema: str) -> sql.Composed:
    return sql.SQL(f"select * from {table}").format(sql.Identifier(schema))


def _anew(connection: psycopg.Connection[Any], schema: str, table: str, columns: str) -> None:
    place = sql.Identifier(schema, table)
    connection.execute(sql.SQL("drop table if exists {} cascade").format(place))
    connection.execute(sql.SQL("create unlogged table {} " + columns).format(place))


def _write(connection: psycopg.Connection[Any], schema: str, table: str, rows: Iterator[Row]) -> None:
    first = next(rows, None)
    if first is None:
        return
    names = sql.SQL(", ").join(map(sql.Identifier, first))
    place = sql.Identifier(schema, table)
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} ({}) from stdin").format(place, names)) as copied:
        copied.write_row(tuple(first.values()))
        for row in rows:
            copied.write_row(tuple(row.values()))
    connection.execute(sql.SQL("analyze {}").format(place))


_WORTH = """(
    unit_code text, indicator_code text, numerator_value numeric, denominator_value numeric, marginal_points numeric
)"""
_ALIKE = """
select distinct unit_code, indicator_code, numerator_value, denominator_value
from {}.int_scoring__evidence
where excluded_reason is null
"""
_PART_POINTS = """
select unit_code, indicator_code, points from mart.fct_unit_indicator
where scheme_id = %(scheme_id)s and scheme_version = %(scheme_version)s and period = %(period)s and points is not null
"""
_PART_SCORES = """
select unit_code, score_100 from mart.fct_unit_score
where scheme_id = %(scheme_id)s and scheme_version = %(scheme_version)s and period = %(period)s
    and score_100 is not null
"""
