"""Deliveries that were missing are looked for again, so that what comes late is loaded by itself."""

import logging
from datetime import datetime, timedelta

from minhu import database
from minhu.errors import MinhuError
from minhu.load import load_delivery
from minhu.load.batch import LoadResult
from minhu.settings import Settings

DAYS = 14
"""So many business dates back; what is older is loaded by hand."""
SOON = 2
"""Of so many dates each time; of older ones once an hour."""
EVERY = 10
"""Minutes between two looks: as the DAG is scheduled."""
log = logging.getLogger("minhu")


def load_late(settings: Settings) -> list[LoadResult]:
    """Looks once for each delivery that is missing, and loads what is there; what came of those.

    What is still on its way is its own run's. A failure is recorded as any load's is, and keeps no other from loading.
    """
    now = datetime.now(settings.zone)
    yesterday, days = now.date() - timedelta(days=1), DAYS if now.minute < EVERY else SOON
    with database.connect(settings) as connection:
        missing = connection.execute(_MISSING, [yesterday - timedelta(days=days - 1), yesterday]).fetchall()
    came = []
    for feed_code, delivery, business_date in missing:
        try:
            results = load_delivery(feed_code, delivery, business_date, settings=settings)
        except MinhuError as error:
            log.warning("%s", error)
            continue
        came += [result for result in results if result.outcome != "nothing_delivered"]
    return came


_MISSING = """
select feed_code, delivery, business_date
from audit.deliveries(%s, %s)
where state in ('missing', 'empty')
order by business_date, feed_code, delivery
"""
