"""When deliveries really come, and what deadline that speaks for: a proposal for `arrival`, never put in by itself."""

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

from psycopg.rows import dict_row

from minhu import database
from minhu.schemes.plain import plain
from minhu.settings import Settings

LEAST_DAYS = 10
"""Fewer days tell no habit."""
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Habit:
    """How long after the beginning of its business date a delivery was loaded, over ``days`` dates.

    ``late_pct``: share of the dates on which it came after the declared deadline. ``proposed``: a deadline within which
    19 of 20 dates came, and the grace that the latest of them would have needed; null where too few days tell.
    """

    feed_code: str
    delivery: str
    days: int
    median: timedelta
    most: timedelta
    latest: timedelta
    declared: timedelta | None
    late_pct: float
    proposed: timedelta | None
    grace_minutes: int | None

    @property
    def is_to_change(self) -> bool:
        """Whether the declared deadline is missed too often, or waits hours for what always comes."""
        if self.proposed is None or self.declared is None:
            return False
        return self.late_pct > 5 or self.declared - self.proposed > timedelta(hours=2)

    def summary(self) -> dict:
        times = {name: _clock(getattr(self, name)) for name in ("median", "most", "latest", "declared", "proposed")}
        return plain(self) | times | {"is_to_change": self.is_to_change}


def habits(settings: Settings, today: date, days: int = 60) -> list[Habit]:
    """Of every delivery of which something came in the last ``days`` business dates, by feed and delivery.

    What was loaded more than a week after its date was loaded afterwards and tells nothing of its sender.
    """
    with database.connect(settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_HABITS, {"since": today - timedelta(days=days)}).fetchall()
    return [_habit(row) for row in rows]


def _habit(row: dict) -> Habit:
    proposed = grace = None
    if row["days"] >= LEAST_DAYS:
        proposed = ceil(row["most"] / QUARTER) * QUARTER
        grace = max(60, ceil((row["latest"] - proposed) / QUARTER) * 15)
    return Habit(**row, proposed=proposed, grace_minutes=grace)


def _clock(after: timedelta | None) -> str | None:
    """As `arrival` says it: the day after the business date and the time of day."""
    if after is None:
        return None
    minutes = int(after.total_seconds()) // 60
    return f"+{minutes // 1440} {minutes % 1440 // 60:02}:{minutes % 60:02}"


_HABITS = """
with came as (
    select
        batch.feed_code,
        batch.delivery,
        batch.business_date,
        min(batch.loaded_at) - (
            batch.business_date::timestamp at time zone coalesce(min(terms.data ->> 'timezone'), mart.city_zone())
        ) as after,
        max((terms.data ->> 'due_days')::integer) * interval '1 day' + max((terms.data ->> 'due_time')::time)::interval
            as declared
    from audit.batch
    left join config.entry as terms
        on
            terms.kind = 'arrival' and terms.until_version is null
            and terms.key = batch.feed_code || '/' || batch.delivery
    where batch.status <> 'refused' and batch.replays_batch_id is null and batch.business_date >= %(since)s
    group by batch.feed_code, batch.delivery, batch.business_date
)

select
    feed_code,
    delivery,
    count(*) as days,
    percentile_disc(0.5) within group (order by after) as median,
    percentile_disc(0.95) within group (order by after) as most,
    max(after) as latest,
    max(declared) as declared,
    round(100.0 * count(*) filter (where after > declared) / count(*), 1)::float as late_pct
from came
where after <= interval '8 days'
group by feed_code, delivery
order by feed_code, delivery
"""
