"""The days of a feed: dates in its own time zone."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from minhu.errors import Refused
from minhu.feeds.feed import Feed


def today(feed: Feed) -> date:
    return datetime.now(ZoneInfo(feed.timezone)).date()


def yesterday(feed: Feed) -> date:
    """What a night's deliveries of a feed are about."""
    return today(feed) - timedelta(days=1)


def assert_begun(feed: Feed, day: date) -> None:
    """Raises Refused when a business date has not begun where the feed is: nothing can have been delivered for it."""
    if day > (now := today(feed)):
        raise Refused(
            f"{feed.code}: the business date {day} lies in the future, for it is {now} in {feed.timezone};"
            " give a date up to that"
        )
