"""Who has not delivered: compares what the declarations promise for a date with the manifest."""

from datetime import date

from minhu import database
from minhu.feeds import load_feeds
from minhu.settings import Settings


def missing(settings: Settings, business_date: date) -> list[tuple[str, str]]:
    """Deliveries (feed, delivery) with no usable batch for the date; refused ones count as missing."""
    expected = {(feed.code, delivery.name) for feed in load_feeds(settings.config) for delivery in feed.deliveries}
    with database.connect(settings) as connection:
        arrived = connection.execute(
            "select distinct feed_code, delivery from audit.batch where business_date = %s"
            " and status in ('loaded', 'accepted', 'held')",
            [business_date],
        ).fetchall()
    return sorted(expected - set(arrived))
