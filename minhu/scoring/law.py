"""The law as it held in a period, as rows that readers join to its scores: what each table of ``mart`` says of it.

A number that differs by peer group is null in ``dim_indicator``, whose rows are one for each indicator: what applied to
a unit stands in ``fct_unit_indicator``. The words name each group's.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import psycopg
from psycopg import sql

from minhu.glossary.law import VALUE_UNIT
from minhu.schemes.language.indicator import Line
from minhu.schemes.language.longer import Longer
from minhu.schemes.period import Period
from minhu.schemes.scheme import Basis, Scheme
from minhu.schemes.words import scoring_rule

LAW = ("dim_scheme", "dim_peer_group", "dim_band", "dim_indicator")
IN_WORDS = ("formula_zh", "basis_zh", "value_unit_zh", "value_unit_en", "indicator_name_en")
"""Columns that the code words, and not the scheme: another version of it may say the same otherwise."""


def law(scheme: Scheme, period: Period) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table of LAW that speak of the scheme in the period."""
    key = {"scheme_id": scheme.scheme_id, "scheme_version": scheme.scheme_version, "period": period.text}
    return {
        "dim_scheme": [key | _scheme(scheme, period)],
        "dim_peer_group": [key | row for row in _peer_groups(scheme, period)],
        "dim_band": [key | row for row in _bands(scheme)],
        "dim_indicator": [key | _indicator(scheme, one, no, period) for no, one in enumerate(scheme.lines, 1)],
    }


def write_law(connection: psycopg.Connection[Any], scheme: Scheme, period: Period) -> None:
    """Puts the rows in the place of those that say so of the same version and period."""
    for table, rows in law(scheme, period).items():
        place = sql.Identifier("mart", table)
        connection.execute(
            sql.SQL(
                "delete from {} where scheme_id = %(scheme_id)s and scheme_version = %(scheme_version)s"
                " and period = %(period)s"
            ).format(place),
            {"scheme_id": scheme.scheme_id, "scheme_version": scheme.scheme_version, "period": period.text},
        )
        for row in rows:
            names = sql.SQL(", ").join(map(sql.Identifier, row))
            marks = sql.SQL(", ").join(map(sql.Placeholder, row))
            connection.execute(sql.SQL("insert into {} ({}) values ({})").format(place, names, marks), row)


def _scheme(scheme: Scheme, period: Period) -> dict[str, Any]:
    of = scheme.made_of(period)
    return {
        "title_zh": scheme.title,
        "title_en": scheme.title_en,
        "legal_basis_zh": "；".join(map(_basis, scheme.legal_basis)),
        "valid_from": scheme.valid_from,
        "valid_to": scheme.valid_to,
        "standing": scheme.periods[period.kind],
        "aggregation": (of.code if isinstance(of, Longer) else of) or "recomputed",
        "rounding_order": scheme.rounding.order,
        "decimals": scheme.rounding.decimals,
        "rate_decimals": scheme.rounding.rate_decimals,
        "shows_ranks": scheme.publication.ranking,
        "shows_shrunken": scheme.publication.shrunken,
    }


def _basis(basis: Basis) -> str:
    where = "，".join(filter(None, (basis.number, basis.article)))
    note = f"：{basis.note}" if basis.note else ""
    return basis.title + (f"（{where}）" if where else "") + note


def _peer_groups(scheme: Scheme, period: Period) -> Iterable[dict[str, Any]]:
    day = scheme.first_day(period)
    for no, group in enumerate(scheme.peer_groups, 1):
        yield {
            "peer_group": group.code,
            "peer_group_no": no,
            "peer_group_name_zh": group.name_zh,
            "peer_group_name_en": group.name_en,
            "assessed_points_max": group.points,
            "points_max": scheme.points_max(group.code, day),
            "min_n": scheme.least(group.code, day),
            "is_example": group.example,
        }


def _bands(scheme: Scheme) -> Iterable[dict[str, Any]]:
    uppers = chain([None], (band.at_least for band in scheme.bands))
    for no, (band, below) in enumerate(zip(scheme.bands, uppers, strict=False), 1):
        yield {
            "band": band.name_zh,
            "band_no": no,
            "band_name_en": band.name_en,
            "at_least": band.at_least,
            "below": below,
            "is_example": band.example,
        }


def _indicator(scheme: Scheme, indicator: Line, no: int, period: Period) -> dict[str, Any]:
    day = scheme.first_day(period)
    groups = {group.code: group.name_zh for group in scheme.peer_groups if indicator.scores(group.code)}
    terms = {code: indicator.terms(code, day) for code in groups}
    counts = None if indicator.measure is None else indicator.counts
    whole = scheme.wholes[indicator.code].code
    rules = {name: scoring_rule(indicator, code, day) for code, name in groups.items()}
    return {
        "indicator_code": indicator.code,
        "indicator_no": no,
        "indicator_name_zh": indicator.name_zh,
        "indicator_name_en": indicator.name_en or (counts.name_en if counts else None) or None,
        "measure_code": indicator.measure,
        "moment": indicator.moment,
        "aggregate": None if indicator.measure is None else indicator.aggregate,
        "scoring_function": indicator.scoring.function,
        "value_unit": indicator.value_unit,
        "value_unit_zh": VALUE_UNIT[indicator.value_unit].zh,
        "value_unit_en": VALUE_UNIT[indicator.value_unit].en,
        "better": "lower" if indicator.is_lower_better else "higher",
        "points_max": _of_all(one.points for one in terms.values()),
        "target": _of_all(one.target for one in terms.values()),
        "formula_zh": "；".join(filter(None, (counts.formula_zh if counts else None, _rule(rules)))),
        "note_zh": indicator.note,
        "basis_zh": counts.source if counts else None,
        "is_example": indicator.example,
        "part_of": None if whole == indicator.code else whole,
    }


def _of_all(numbers: Iterable[Any]) -> Any:
    """The number of all peer groups; None where they differ."""
    told = set(numbers)
    return told.pop() if len(told) == 1 else None


def _rule(rules: Mapping[str, str]) -> str:
    """The rule of all peer groups, or each group's."""
    if len(set(rules.values())) == 1:
        return next(iter(rules.values()))
    return "；".join(f"{name}：{rule}" for name, rule in rules.items())
