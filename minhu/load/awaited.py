"""What has not come yet: when to look for it again, until the grace of its declaration ends and it is missing."""

from datetime import date, datetime, timedelta

from minhu import database
from minhu.errors import Refused
from minhu.glossary.delivered import DELIVERY_STATE
from minhu.load.batch import LoadResult
from minhu.settings import Settings

LOOK_AGAIN = timedelta(minutes=5)
# Airflow takes a task that is asked for again while its process still ends for one that failed.
NO_SOONER = timedelta(seconds=20)


class Missing(Refused):
    """Nothing came in time. Trying again does not help: when it comes it is loaded by itself."""


def look_again_at(
    settings: Settings, feed_code: str, delivery: str, business_date: date, results: list[LoadResult]
) -> datetime | None:
    """When to look again for what was not there; None where something came, or nothing need come.

    Raises Missing once the grace is over.
    """
    if any(result.outcome != "nothing_delivered" for result in results):
        return None
    with database.connect(settings) as connection:
        found = connection.execute(_STATE, {"on": business_date, "feed": feed_code, "delivery": delivery}).fetchone()
    if found is None:
        return None
    state, due_at, missing_at, now = found
    if state == "missing":
        raise Missing(
            f"{feed_code}/{delivery} brought nothing for {business_date}: it was due at {due_at:%Y-%m-%d %H:%M} and was"
            f" waited for until {missing_at:%Y-%m-%d %H:%M} ({DELIVERY_STATE.zh(state)}). When it comes it is loaded by"
            " itself; if it need not come: minhu deliveries waive"
        )
    return min(now + LOOK_AGAIN, max(missing_at, now + NO_SOONER)) if state in ("expected", "late") else None


_STATE = """
select state, due_at, missing_at, clock_timestamp()
from audit.deliveries(%(on)s, %(on)s)
where feed_code = %(feed)s and delivery = %(delivery)s
"""
