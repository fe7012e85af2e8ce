"""How the city, or a unit of it, stands: the last seven days that the data reach, against those before and a year ago.

All numbers are sums of `mart.agg_day`, which builds keep. Duties are those of lead units, excluded ones among them: a
board shows work, a score judges it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row, tuple_row

from minhu import database
from minhu.privacy.small import hidden
from minhu.settings import Settings

WEEK = timedelta(days=7)
YEAR = timedelta(days=364)
"""A year of whole weeks, so that Mondays stand against Mondays."""
MOST = 5
Told = TypeVar("Told")


@dataclass(frozen=True)
class Week:
    """Counts of seven days. ``open`` and ``overdue`` are those at the end of the last; null where none was counted."""

    last_on: date
    intake: int
    repeats: int
    dispatched: int
    closed: int
    closed_on_time: int
    called_back: int
    rated: int
    satisfied: int
    open: int | None
    overdue: int | None
    days: int
    """Of which anything was counted."""

    @property
    def on_time_pct(self) -> Decimal | None:
        """Of what was closed; null where nothing was."""
        return _share(self.closed_on_time, self.closed)

    @property
    def satisfied_pct(self) -> Decimal | None:
        """Of those who said how satisfied they are; null where nobody did."""
        return _share(self.satisfied, self.rated)


@dataclass(frozen=True)
class Hot:
    """What was asked for most: a category with its cases of seven days and of the seven before. Null: withheld."""

    code: str
    name: str
    intake: int | None
    before: int | None


@dataclass(frozen=True)
class Backlog:
    """A unit with what it has open at the end of the last day, and what of that is past its limit. Null: withheld."""

    unit_code: str
    unit_name: str
    open: int | None
    overdue: int | None


@dataclass(frozen=True)
class Board:
    """``day``: the last day alone. ``before``, ``year_ago``: as many days, a week and 52 weeks earlier; null where the
    data do not reach that far back. ``backlogs``: the units with most overdue first; ``hot``: categories, the fullest
    first. Both are empty for one unit.
    """

    reaches_on: date
    day: Week
    week: Week
    before: Week | None
    year_ago: Week | None
    hot: tuple[Hot, ...] = ()
    backlogs: tuple[Backlog, ...] = ()


def board(settings: Settings, unit_code: str | None = None) -> Board | None:
    """The city's, or that of a unit; None where nothing has been built that far."""
    with database.connect(settings, at_one_moment=True) as connection:
        asked = {"grain": "unit" if unit_code else "city", "unit": unit_code}
        reaches_on = database.one(connection, _REACHES, asked)[0]
        if reaches_on is None:
            return None
        told = {
            name: _week(connection, asked, reaches_on - back, days)
            for name, back, days in (
                ("day", timedelta(), 1),
                ("week", timedelta(), 7),
                ("before", WEEK, 7),
                ("year_ago", YEAR, 7),
            )
        }
        last = {"last": reaches_on, "first": reaches_on - WEEK, "earlier": reaches_on - 2 * WEEK, "most": MOST}
        return Board(
            reaches_on,
            day=told["day"],
            week=told["week"],
            before=told["before"] if told["before"].days else None,
            year_ago=told["year_ago"] if told["year_ago"].days else None,
            hot=() if unit_code else _several(connection, _HOT, last, Hot),
            backlogs=() if unit_code else _several(connection, BACKLOGS, last | {"overdue": 1}, Backlog),
        )


def without_small(told: Board) -> Board:
    """For who is outside the assessment: units and categories without their small cells."""
    return replace(told, hot=of_weeks(told.hot), backlogs=of_backlogs(told.backlogs))


def of_weeks(cells: Sequence[Told]) -> tuple[Told, ...]:
    """Cells of ``intake`` and ``before``, the small ones null."""
    return _withheld(cells, intake=lambda one: (one.intake,), before=lambda one: (one.before,))


def of_backlogs(cells: Sequence[Told]) -> tuple[Told, ...]:
    """Cells of ``open`` and ``overdue``, the small ones null, and ``overdue`` where few are open and not overdue."""
    return _withheld(
        cells, open=lambda one: (one.open,), overdue=lambda one: (one.open, one.overdue, one.open - one.overdue)
    )


def _withheld(cells: Sequence[Told], **columns: Callable[[Any], Sequence[int]]) -> tuple[Told, ...]:
    """``columns``: what the cells of each column tell."""
    small = {name: hidden({at: told(one) for at, one in enumerate(cells)}) for name, told in columns.items()}
    return tuple(
        replace(one, **{name: None for name in columns if at in small[name]})  # type: ignore[type-var]  # a dataclass
        for at, one in enumerate(cells)
    )


def _week(connection: psycopg.Connection, asked: dict, last: date, days: int) -> Week:
    with connection.cursor(row_factory=tuple_row) as cursor:
        counted = database.one(cursor, _WEEK, asked | {"last": last, "first": last - timedelta(days=days)})
    return Week(last, *counted)


def _several(connection: psycopg.Connection, query: str, asked: dict, kind: type[Told]) -> tuple[Told, ...]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return tuple(cursor.execute(query, asked).fetchall())


def _share(count: int, of: int) -> Decimal | None:
    return (Decimal(100 * count) / of).quantize(Decimal("0.01"), ROUND_HALF_UP) if of else None


_REACHES = """
select max(day_on) from mart.agg_day
where grain = %(grain)s and open is not null and (%(unit)s::text is null or unit_code = %(unit)s)
"""

_WEEK = """
select
    coalesce(sum(intake), 0)::int,
    coalesce(sum(repeats), 0)::int,
    coalesce(sum(dispatched), 0)::int,
    coalesce(sum(closed), 0)::int,
    coalesce(sum(closed_on_time), 0)::int,
    coalesce(sum(called_back), 0)::int,
    coalesce(sum(rated), 0)::int,
    coalesce(sum(satisfied), 0)::int,
    (sum(open) filter (where day_on = %(last)s))::int,
    (sum(overdue) filter (where day_on = %(last)s))::int,
    count(distinct day_on)::int
from mart.agg_day
where
    grain = %(grain)s
    and day_on > %(first)s
    and day_on <= %(last)s
    and (%(unit)s::text is null or unit_code = %(unit)s)
"""

_HOT = """
select
    counted.category_code as code,
    coalesce(named.category_name, counted.category_code) as name,
    (sum(counted.intake) filter (where counted.day_on > %(first)s))::int as intake,
    (coalesce(sum(counted.intake) filter (where counted.day_on <= %(first)s), 0))::int as before
from mart.agg_day as counted
left join mart.dim_category as named on counted.category_code = named.category_code
where
    counted.grain = 'category'
    and counted.category_code is not null
    and counted.day_on > %(earlier)s
    and counted.day_on <= %(last)s
group by counted.category_code, named.category_name
having sum(counted.intake) filter (where counted.day_on > %(first)s) > 0
order by intake desc, code
limit %(most)s
"""

BACKLOGS = """
select
    counted.unit_code,
    coalesce(units.unit_name, counted.unit_code) as unit_name,
    sum(counted.open)::int as open,
    sum(counted.overdue)::int as overdue
from mart.agg_day as counted
left join mart.dim_unit as units
    on
        counted.unit_code = units.unit_code
        and units.valid_from <= %(last)s
        and (units.valid_to is null or units.valid_to > %(last)s)
where
    counted.grain = 'unit'
    and counted.unit_code is not null
    and counted.day_on = %(last)s
    and counted.open > 0
    and counted.overdue >= %(overdue)s
group by counted.unit_code, units.unit_name
order by overdue desc, open desc, unit_code
limit %(most)s
"""
"""The ``most`` units with what they have open on ``last``, of which at least ``overdue`` are past their limit."""
