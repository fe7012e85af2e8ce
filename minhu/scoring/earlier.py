"""What a score asks of earlier periods: which of them, as what they stand, and what was counted then.

A reference is an input. It is taken from what was published of the earlier period, or from its newest score where
nothing was; each row says which, and what it was, and a release freezes that with its rows. Computing a release anew
takes what it recorded.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import psycopg
from psycopg.rows import dict_row

from minhu.errors import Refused
from minhu.schemes.counts import Earlier
from minhu.schemes.language.count import QUANTILES
from minhu.schemes.language.indicator import Line
from minhu.schemes.language.values import written
from minhu.schemes.lines import ScoredIndicator
from minhu.schemes.period import Period
from minhu.schemes.scheme import Scheme


@dataclass(frozen=True)
class Stood:
    """What was counted of a unit by a line in an earlier period, and of which result that is: a release, or a score
    (``release_id`` null) with the moment as of which it was made."""

    counted: Earlier
    scheme_version: str
    release_id: int | None
    revision: int | None
    as_of: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "period": self.counted.period,
            "numerator": written(self.counted.numerator),
            "denominator": written(self.counted.denominator),
            "scheme_version": self.scheme_version,
            "release_id": self.release_id,
            "revision": self.revision,
            "as_of": self.as_of.isoformat(),
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Stood":
        return cls(
            Earlier(told["period"], Fraction(told["numerator"]), Fraction(told["denominator"])),
            told["scheme_version"],
            told["release_id"],
            told["revision"],
            datetime.fromisoformat(told["as_of"]),
        )


Told = dict[tuple[str, str], tuple[Stood, ...]]
"""By unit and line what is known of the periods that its score asks, the last one first."""
Before = Callable[[psycopg.Connection[Any], Scheme, Period], Told]


def nothing(connection: psycopg.Connection[Any], scheme: Scheme, period: Period) -> Told:
    """Of a scheme that asks no earlier period."""
    return {}


def standing_now(connection: psycopg.Connection[Any], scheme: Scheme, period: Period) -> Told:
    """What stands of the earlier periods that the scheme asks.

    Raises Refused when one holds data and was not scored: what it stands for would hang on what somebody forgot.
    """
    asked = scheme.asks_before(period)
    found: dict[str, _Result] = {}
    for text in sorted({one.text for periods in asked.values() for one in periods}):
        if result := _result(connection, scheme, Period.parse(text)):
            found[text] = result
    told: dict[tuple[str, str], list[Stood]] = defaultdict(list)
    for code, periods in asked.items():
        for one in periods:
            result = found.get(one.text)
            if result is not None and result.counts_like(scheme.indicator(code)):
                for unit, stood in result.of_line(connection, scheme.indicator(code), one.text):
                    told[unit, code].append(stood)
    return {place: tuple(stood) for place, stood in told.items()}


def as_recorded(release_id: int) -> Before:
    """What a release recorded of the earlier periods that it asked."""

    def told(connection: psycopg.Connection[Any], scheme: Scheme, period: Period) -> Told:
        rows = connection.execute(
            "select unit_code, indicator_code, earlier from publish.unit_indicator"
            " where release_id = %s and earlier is not null",
            [release_id],
        )
        return {(unit, code): tuple(map(Stood.from_json, earlier)) for unit, code, earlier in rows}

    return told


def before_of(told: Told, unit: str, code: str) -> tuple[Earlier, ...]:
    return tuple(one.counted for one in told.get((unit, code), ()))


def recorded(line: Line, part: ScoredIndicator, stood: Sequence[Stood]) -> str | None:
    """What of the earlier periods a line of a unit rests on, as JSON: of a comparison the one, of pooled rows those
    that were taken."""
    if line.pooled is not None:
        taken = 0 if part.pooled_from is None else [one.counted.period for one in stood].index(part.pooled_from) + 1
        stood = stood[:taken]
    return json.dumps([one.as_json() for one in stood]) if stood else None


@dataclass(frozen=True)
class _Result:
    """A release of an earlier period, or its newest score."""

    scheme: Scheme
    table: str
    condition: str
    key: dict[str, Any]
    release_id: int | None
    revision: int | None
    as_of: datetime

    def counts_like(self, line: Line) -> bool:
        """Whether the scheme of then counted as the line does; else the two are not to be compared."""
        return any(one.code == line.code and one.counts_like(line) for one in self.scheme.lines)

    def of_line(self, connection: psycopg.Connection[Any], line: Line, period: str) -> Iterable[tuple[str, Stood]]:
        rows = connection.execute(
            f"select unit_code, numerator, denominator, value from {self.table}"
            f" where {self.condition} and indicator_code = %(code)s and numerator is not null",
            self.key | {"code": line.code},
        )
        for unit, numerator, denominator, value in rows:
            counted = (numerator, denominator or 0)
            if line.aggregate in QUANTILES:  # of a median its value is all that stands
                if value is None:
                    continue
                counted = (value, 1)
            yield (
                unit,
                Stood(
                    Earlier(period, *map(Fraction, counted)),
                    self.scheme.scheme_version,
                    self.release_id,
                    self.revision,
                    self.as_of,
                ),
            )


def _result(connection: psycopg.Connection[Any], scheme: Scheme, period: Period) -> _Result | None:
    named = {"scheme_id": scheme.scheme_id, "period": period.text}
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_RELEASED, named).fetchone() or cursor.execute(_SCORED, named).fetchone()
        if row is None:
            if (
                scheme.covers(period)
                and cursor.execute(_HAS_DATA, {"first": period.first, "last": period.last}).fetchone()
            ):
                raise Refused(
                    f"the score asks {period.text}, which holds data and has not been scored: run"
                    f" `minhu score {period.text} --scheme {scheme.scheme_id}` first"
                )
            return None
    version = named | {"scheme_version": row["scheme_version"]}
    is_released = row["release_id"] is not None
    return _Result(
        scheme=Scheme.from_entry(row["data"]),
        table="publish.unit_indicator" if is_released else "mart.fct_unit_indicator",
        condition="release_id = %(release_id)s"
        if is_released
        else "scheme_id = %(scheme_id)s and scheme_version = %(scheme_version)s and period = %(period)s",
        key={"release_id": row["release_id"]} if is_released else version,
        release_id=row["release_id"],
        revision=row["revision"],
        as_of=row["as_of"],
    )


_DATA = """(
        select entry.data from config.entry
        where entry.kind = 'scheme' and entry.key = result.scheme_id
            and entry.data ->> 'scheme_version' = result.scheme_version
        order by entry.since_version desc limit 1
    ) as data"""
_RELEASED = f"""
select result.release_id, result.revision, result.scheme_version, result.as_of, {_DATA}
from publish.release as result
where result.scheme_id = %(scheme_id)s and result.period = %(period)s
order by result.release_id desc
limit 1
"""
_SCORED = f"""
select null::bigint as release_id, null::integer as revision, result.scheme_version, result.as_of, {_DATA}
from mart.score_run as result
where result.scheme_id = %(scheme_id)s and result.period = %(period)s
order by result.scored_at desc
limit 1
"""
_HAS_DATA = """
select true from audit.batch where status = 'accepted' and business_date between %(first)s and %(last)s limit 1
"""
