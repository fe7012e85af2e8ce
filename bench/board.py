"""A board over thirteen months, asked as a BI tool asks it; `build.py` has the month, so it calls this.

``board_max_ms``: the slowest of the board's queries, each the median of seven, thirteen months of 30,000 cases a day
behind them: the month's counts laid out twelve times more. ``board_rows``: rows of `agg_day` then. ``board_cells_pct``:
how many cells a day would have with all six dimensions crossed, in percent of the duties; why they are not crossed.
"""

import statistics
import time

import psycopg

from bench import bi
from minhu import database
from minhu.settings import Settings

BEFORE = 12
QUERIES = {
    "the city, each day": "select day_on, intake, closed, closed_on_time, open, overdue from mart.agg_day"
    " where grain = 'city'",
    "one unit, each day": "select day_on, dispatched, closed, closed_on_time, open, overdue from mart.agg_day"
    " where grain = 'unit' and unit_code = %(unit)s",
    "its categories, each week": "select week_on, category_code, dispatched, open from mart.agg_week"
    " where grain = 'unit_category' and unit_code = %(unit)s",
    "units by what they closed in time": "select unit_code, sum(closed), sum(closed_on_time) from mart.agg_week"
    " where grain = 'unit' group by 1",
    "what is open with each unit now": "select unit_code, open, overdue from mart.agg_day where grain = 'unit' and"
    " day_on = (select max(day_on) from mart.agg_day where grain = 'city' and open is not null)",
    "feeds": "select feed_code, sum(intake), sum(closed) from mart.agg_day where grain = 'feed' group by 1",
    "feeds by type": "select week_on, feed_code, request_type, intake from mart.agg_week"
    " where grain = 'feed_request_type'",
    "categories, each week": "select week_on, category_code, intake from mart.agg_week where grain = 'category'",
    "areas": "select area_code, sum(intake), sum(returned) from mart.agg_week where grain = 'area' group by 1",
    "areas by categories": "select area_code, category_code, sum(intake) from mart.agg_week"
    " where grain = 'area_category' group by 1, 2",
}


def measure_on(month: Settings, copies: int) -> dict[str, float]:
    """Of a month that is that of one city ``copies`` times, alike but for callers and numbers."""
    with database.connect(month, autocommit=True) as owner:
        crossed = database.one(owner, _CROSSED, [copies])[0]
        for table, day, days in (("agg_day", "day_on", 30), ("agg_week", "week_on", 28)):
            _lay_out(owner, table, day, days)
            owner.execute(f"vacuum full analyze mart.{table}")
        bi.lay_out_rates(owner, BEFORE)
        number = database.one(owner, "select count(*) from mart.agg_day")[0]
        unit = database.one(owner, _BUSIEST)[0]
    with bi.reader(month) as connection:
        slowest = max(_median_ms(connection, name, {"unit": unit}) for name in QUERIES)
        year = bi.boards(connection)
    return {
        "board_max_ms": round(slowest),
        "board_rows": number,
        "board_cells_pct": round(crossed),
        "bi_year_max_ms": year,
    }


def _median_ms(connection: psycopg.Connection, name: str, asked: dict) -> float:
    taken = []
    for _ in range(7):
        began = time.perf_counter()
        connection.execute(QUERIES[name], asked).fetchall()
        taken.append((time.perf_counter() - began) * 1000)
    print(f"  {name:36}{statistics.median(taken):6.1f} ms", flush=True)
    return statistics.median(taken)


def _lay_out(connection: psycopg.Connection, table: str, day: str, days: int) -> None:
    """Puts the newest ``days`` before themselves, `BEFORE` times, in the order in which builds write them."""
    columns = database.columns(connection, f"mart.{table}")
    told = ", ".join(f"{day} - {days} * months.number" if name == day else name for name in columns)
    connection.execute(
        f"insert into mart.{table} ({', '.join(columns)}) select {told} from mart.{table} as newest,"
        f" generate_series(1, {BEFORE}) as months (number) where open is not null and"
        f" {day} > (select max({day}) from mart.{table} where open is not null) - {days}"
        f" order by {day} - {days} * months.number, grain, cell on conflict do nothing"
    )


_BUSIEST = """
select unit_code from mart.agg_week where grain = 'unit' and unit_code is not null
group by 1 order by sum(dispatched) desc limit 1
"""

_CROSSED = """
with duty as (
    select (dispatched_at at time zone mart.city_zone())::date as day_on, cases.feed_code, duty.unit_code,
        cases.category_code, cases.area_code, cases.request_type
    from mart.fct_timeliness as duty
    inner join mart.fct_case as cases using (case_id)
    where unit_role = 'lead'
),
cells as (select count(*) as number from (select distinct * from duty) as found)
select 100.0 * cells.number / (count(*) / %s) from cells, duty group by cells.number
"""
