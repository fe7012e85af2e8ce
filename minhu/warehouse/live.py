"""运行态势: the last day that the data reach, hour by hour, against what is usual; what is open, how old it is, where.

The usual is the mean of the same weekday of the four weeks before. Ages are full days since the dispatch, at the end of
the last day. Counts are of the facts and of `mart.agg_day`; nothing of a case is told.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import psycopg
from psycopg.rows import class_row

from minhu import database
from minhu.settings import Settings
from minhu.warehouse.board import BACKLOGS, WEEK, Backlog, of_backlogs, of_weeks

WEEKS = 4
MOST_UNITS, MOST_CATEGORIES = 15, 12
AGES = ((0, 1), (1, 3), (3, 5), (5, 10), (10, 20), (20, None))
"""Days from which and below which; the last without an end."""
Told = TypeVar("Told")


@dataclass(frozen=True)
class Hour:
    """``usual`` is null where the data reach back to none of the weekdays before."""

    hour: int
    intake: int
    usual: Decimal | None


@dataclass(frozen=True)
class Age:
    """Open duties of lead units that are so many days old; ``overdue``: of those past their limit."""

    from_days: int
    below_days: int | None
    open: int
    overdue: int


@dataclass(frozen=True)
class Left:
    """What units have open at the end of ``day_on``, and what of it is past its limit."""

    day_on: date
    open: int
    overdue: int


@dataclass(frozen=True)
class Area:
    """Cases of seven days in an area, and of the seven before. ``rank``: 1 to 5, the fifth of the areas it is among.

    Null are counts that are withheld, here and of categories.
    """

    area_code: str
    area_name: str
    intake: int | None
    before: int | None
    rank: int


@dataclass(frozen=True)
class Category:
    code: str
    name: str
    intake: int | None
    before: int | None


@dataclass(frozen=True)
class Live:
    """``built_at``: when the last build was done; ``reaches_on``: the day that is shown."""

    reaches_on: date
    built_at: datetime | None
    hours: tuple[Hour, ...]
    ages: tuple[Age, ...]
    units: tuple[Backlog, ...]
    areas: tuple[Area, ...]
    categories: tuple[Category, ...]

    @property
    def intake(self) -> int:
        return sum(one.intake for one in self.hours)

    @property
    def usual(self) -> Decimal | None:
        known = [one.usual for one in self.hours if one.usual is not None]
        return sum(known, Decimal()) if known else None

    @property
    def open(self) -> int:
        return sum(one.open for one in self.ages)

    @property
    def overdue(self) -> int:
        return sum(one.overdue for one in self.ages)


def live(settings: Settings) -> Live | None:
    """How the city runs; None where nothing has been built."""
    with database.connect(settings, at_one_moment=True) as connection:
        reaches_on, built_at = database.one(connection, _REACHES)
        if reaches_on is None:
            return None
        asked = {
            "last": reaches_on,
            "first": reaches_on - WEEK,
            "earlier": reaches_on - 2 * WEEK,
            "ends_at": reaches_on + timedelta(days=1),
            "days": [reaches_on - back * WEEK for back in range(WEEKS + 1)],
            "overdue": 0,
            "most": MOST_UNITS,
            "categories": MOST_CATEGORIES,
        }
        return Live(
            reaches_on,
            built_at,
            hours=_rows(connection, _HOURS, asked, Hour),
            ages=_ages(connection, asked),
            units=_rows(connection, BACKLOGS, asked, Backlog),
            areas=_rows(connection, _AREAS, asked, Area),
            categories=_rows(connection, _CATEGORIES, asked, Category),
        )


def without_small(told: Live) -> Live:
    """For a wall, and for who is outside the assessment: units, areas and categories without their small cells."""
    return replace(
        told,
        units=of_backlogs(told.units),
        areas=of_weeks(told.areas),
        categories=of_weeks(told.categories),
    )


def left(settings: Settings, last: date, units: Collection[str]) -> Left | None:
    """What ``units`` had open at the end of ``last``, or of the last day before it that was counted.

    None where no day was. A rate of a period that is over holds none of what falls due after it.
    """
    with database.connect(settings) as connection:
        asked = {"last": last, "units": list(units)}
        return next(iter(_rows(connection, _LEFT, asked, Left)), None)


def _ages(connection: psycopg.Connection, asked: dict) -> tuple[Age, ...]:
    counted = {days: (count, overdue) for days, count, overdue in connection.execute(_AGES, asked).fetchall()}
    told = []
    for first, below in AGES:
        within = [of for days, of in counted.items() if days >= first and (below is None or days < below)]
        told.append(Age(first, below, sum(count for count, _ in within), sum(overdue for _, overdue in within)))
    return tuple(told)


def _rows(connection: psycopg.Connection, query: str, asked: dict, kind: type[Told]) -> tuple[Told, ...]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return tuple(cursor.execute(query.encode(), asked).fetchall())


_REACHES = """
select
    (select max(day_on) from mart.agg_day where grain = 'city' and open is not null),
    (select max(built_at) from mart.freshness)
"""

# Each of the five days by the index on received_at, not the five weeks between them.
_HOURS = """
with day as (
    select
        day_on,
        day_on::timestamp at time zone mart.city_zone() as starts_at,
        (day_on + 1)::timestamp at time zone mart.city_zone() as ends_at
    from unnest(%(days)s::date[]) as day_on
),

counted as (
    select
        day.day_on,
        extract(hour from cases.received_at at time zone mart.city_zone())::int as hour,
        count(*) as intake
    from day
    inner join mart.fct_case as cases on cases.received_at >= day.starts_at and cases.received_at < day.ends_at
    group by day.day_on, hour
),

known as (
    select count(distinct day_on) filter (where day_on <> %(last)s) as days from counted
)

select
    hours.hour,
    coalesce(sum(counted.intake) filter (where counted.day_on = %(last)s), 0)::int as intake,
    case
        when known.days > 0
            then round(coalesce(sum(counted.intake) filter (where counted.day_on <> %(last)s), 0) / known.days, 1)
    end as usual
from generate_series(0, 23) as hours (hour)
cross join known
left join counted on hours.hour = counted.hour
group by hours.hour, known.days
order by hours.hour
"""

_AGES = """
select
    greatest(
        extract(day from (%(ends_at)s::timestamp at time zone mart.city_zone()) - duty.dispatched_at), 0
    )::int as days,
    count(*) as open,
    count(*) filter (
        where
            duty.due_in_force_at <= (%(ends_at)s::timestamp at time zone mart.city_zone())
            and duty.closed_in_time_at is null
            and not duty.is_limit_unknown
    ) as overdue
from mart.fct_timeliness as duty
where
    coalesce(duty.ended_at, 'infinity') > (%(ends_at)s::timestamp at time zone mart.city_zone())
    and duty.dispatched_at < (%(ends_at)s::timestamp at time zone mart.city_zone())
    and duty.unit_role = 'lead'
group by days
"""

_LEFT = """
select
    day_on,
    sum(open)::int as open,
    sum(overdue)::int as overdue
from mart.agg_day
where
    grain = 'unit'
    and unit_code = any(%(units)s)
    and day_on = (select max(reached.day_on) from mart.agg_day as reached where reached.day_on <= %(last)s)
group by day_on
having sum(open) is not null
"""

_OF_WEEK = """
    (coalesce(sum(counted.intake) filter (where counted.day_on > %(first)s), 0))::int as intake,
    (coalesce(sum(counted.intake) filter (where counted.day_on <= %(first)s), 0))::int as before
"""

_AREAS = f"""
with counted as (
    select
        counted.area_code,
        {_OF_WEEK}
    from mart.agg_day as counted
    where
        counted.grain = 'area'
        and counted.area_code is not null
        and counted.day_on > %(earlier)s
        and counted.day_on <= %(last)s
    group by counted.area_code
)

select
    counted.area_code,
    coalesce(areas.area_name, counted.area_code) as area_name,
    counted.intake,
    counted.before,
    ntile(5) over (order by counted.intake, counted.area_code) as rank
from counted
left join mart.dim_area as areas on counted.area_code = areas.area_code
order by area_code
"""

_CATEGORIES = f"""
select
    counted.category_code as code,
    coalesce(named.category_name, counted.category_code) as name,
    {_OF_WEEK}
from mart.agg_day as counted
left join mart.dim_category as named on counted.category_code = named.category_code
where
    counted.grain = 'category'
    and counted.category_code is not null
    and counted.day_on > %(earlier)s
    and counted.day_on <= %(last)s
group by counted.category_code, named.category_name
order by intake desc, code
limit %(categories)s
"""
