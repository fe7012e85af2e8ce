"""On time, satisfied and still open, by unit and month, from the marts as Parquet: a job for Apache Spark.

    spark-submit job.py --marts FOLDER --out FOLDER

``FOLDER`` is whatever `minhu export mart` wrote, on any file system that the cluster reads, or cities that
`multiply.py` made of it (``…/assignment_wide/city=007/month=2026-10/…``): those are kept apart. This file imports
nothing of minhu, so that it runs wherever Spark is. Its SQL is what DuckDB and PostgreSQL run too, and the tests hold
all three to one answer.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

TABLES = {
    "assignment_wide": ("unit_code", "on_time_n", "on_time_of", "on_time_on"),
    "callback_wide": ("unit_code", "satisfied_n", "satisfied_of", "satisfied_on"),
    "fct_timeliness": (
        *("unit_code", "unit_role", "dispatched_at", "ended_at"),
        *("due_in_force_at", "closed_in_time_at", "is_limit_unknown"),
    ),
}
"""What is read: the tables, and of each these columns. Parquet fetches no others."""

QUESTION = """
with month_end as (
    {months}
),

told as (
    -- a rate is sum over sum, of the month that its day is in: as the score counted it
    select
        'on_time' as measure_code,
        {city} as city,
        unit_code,
        cast(date_trunc('month', on_time_on) as date) as month_on,
        sum(on_time_n) as numerator,
        sum(on_time_of) as denominator
    from assignment_wide
    where on_time_of is not null
    group by 1, 2, 3, 4
    union all
    select
        'satisfied' as measure_code,
        {city} as city,
        unit_code,
        cast(date_trunc('month', satisfied_on) as date) as month_on,
        sum(satisfied_n) as numerator,
        sum(satisfied_of) as denominator
    from callback_wide
    where satisfied_of is not null
    group by 1, 2, 3, 4
    union all
    -- duties of lead units open at the month's end, of them those past their limit: what mart.agg_day counts
    select
        'backlog' as measure_code,
        {city} as city,
        duty.unit_code,
        month_end.month_on,
        sum(
            case
                when
                    coalesce(duty.is_limit_unknown, false) = false
                    and duty.due_in_force_at <= month_end.ends_at
                    and duty.closed_in_time_at is null
                    then 1
                else 0
            end
        ) as numerator,
        count(*) as denominator
    from fct_timeliness as duty
    inner join month_end
        on
            duty.dispatched_at < month_end.ends_at
            and (duty.ended_at is null or duty.ended_at > month_end.ends_at)
    where duty.unit_role = 'lead'
    group by 1, 2, 3, 4
)

select
    measure_code,
    city,
    unit_code,
    month_on,
    cast(numerator as decimal(38, 18)) as numerator,
    cast(denominator as decimal(38, 18)) as denominator
from told
"""
"""One row for each measure, unit and month, as a pair. ``{months}``: `months`; ``{city}``: what keeps cities apart."""
COLUMNS = ("measure_code", "city", "unit_code", "month_on", "numerator", "denominator")


def months(first: date, reaches: date, zone: str, moment: str = "timestamp") -> str:
    """The months as rows of SQL: first day, the day counted at, its end. The last is counted as far as the data reach.

    ``moment``: what the engine calls a point in time: ``timestamp`` in Spark, ``timestamptz`` elsewhere.
    """
    rows = [
        f"select date '{on}' as month_on, date '{day}' as day_on, {moment} '{_end_of(day, zone)}' as ends_at"
        for on, day in month_ends(first, reaches)
    ]
    return "\n    union all\n    ".join(rows)


def month_ends(first: date, reaches: date) -> Iterator[tuple[date, date]]:
    """Each month from that of ``first`` on: its first day, and its last or the one that the data reach to."""
    on = first.replace(day=1)
    while on <= reaches:
        following = (on + timedelta(days=31)).replace(day=1)
        yield on, min(following - timedelta(days=1), reaches)
        on = following


def _end_of(day: date, zone: str) -> str:
    """The midnight after a day in the city, with its offset: no session's zone moves it."""
    after = day + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(zone)).isoformat(" ")


def question(manifest: dict, first: date, moment: str = "timestamp", city: str = "''") -> str:
    """The question of a folder, by its manifest: the city's zone, and how far the data reach."""
    reaches = date.fromisoformat(manifest["as_of"]["reaches_on"])
    return QUESTION.format(months=months(first, reaches, manifest["timezone"], moment), city=city)


def first_of(manifest: dict) -> date:
    """The first month of which a duty was dispatched."""
    listed = [file["month"] for file in manifest["tables"]["fct_timeliness"]["files"] if file["month"]]
    return date.fromisoformat(f"{min(listed)}-01") if listed else date.fromisoformat(manifest["as_of"]["reaches_on"])


def compared(ours: Iterable[tuple], theirs: Iterable[tuple]) -> list[str]:
    """What differs between two answers, in words; numbers are compared to the last digit."""
    left, right = _by_key(ours), _by_key(theirs)
    return [
        f"{' '.join(map(str, key))}: {left.get(key, 'absent')} and {right.get(key, 'absent')}"
        for key in sorted(left.keys() | right.keys(), key=str)
        if left.get(key) != right.get(key)
    ]


def _by_key(rows: Iterable[tuple]) -> dict[tuple, tuple[Decimal, ...]]:
    return {tuple(row[:4]): tuple(Decimal(number) for number in row[4:]) for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--marts", required=True, help="the folder that `minhu export mart` wrote, or multiply.py")
    parser.add_argument("--out", required=True, help="where the answer goes as Parquet; what lies there is replaced")
    parser.add_argument("--times", type=int, default=1, help="ask so often, to measure: the first run warms up")
    asked = parser.parse_args()

    from pyspark.sql import SparkSession

    began = time.perf_counter()
    spark = SparkSession.builder.appName("minhu: units by month").getOrCreate()
    try:
        answer(spark, asked.marts, asked.out, asked.times, began)
    finally:
        spark.stop()


def answer(spark, marts: str, out: str, times: int, began: float) -> None:  # type: ignore[no-untyped-def]
    """Asks, writes the answer into ``out`` and prints a line of JSON about how long that took."""
    manifest = json.loads(spark.read.text(f"{marts}/manifest.json", wholetext=True).first()[0])
    spark.conf.set("spark.sql.session.timeZone", manifest["timezone"])
    spark.conf.set("spark.sql.ansi.enabled", "true")  # a sum that does not fit is an error, never a null
    cities = False
    for table, columns in TABLES.items():
        read = spark.read.parquet(f"{marts}/{table}")
        cities = "city" in read.columns
        read.select(*columns, *(["city"] if cities else [])).createOrReplaceTempView(table)
    text = question(manifest, first_of(manifest), city="city" if cities else "''")
    ready = time.perf_counter()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        spark.sql(text).coalesce(1).write.mode("overwrite").parquet(out)
        seconds.append(round(time.perf_counter() - start, 2))
    told = {"rows": spark.read.parquet(out).count(), "started_s": round(ready - began, 2), "asked_s": seconds}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
