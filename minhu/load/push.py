"""Deliveries that a sender posts: taken whole, loaded at once. The caller has checked who the sender is.

The sender hears of success only after the commit. One who hears nothing sends again; the same content is loaded once.
"""

from datetime import date

from minhu import database
from minhu.errors import Refused
from minhu.feeds.sources import Push
from minhu.feeds.sources.fetched import Fetched, named
from minhu.load import LoadResult, load_fetched, read_feed
from minhu.load.batch import not_landed
from minhu.load.failures import recorded
from minhu.load.store import private_folder
from minhu.settings import Settings

_LONGEST_NAME = 100


def receive(
    settings: Settings,
    feed_code: str,
    delivery: str,
    body: bytes,
    business_date: date,
    declared_rows: int | None = None,
    name: str = "delivery",
) -> LoadResult:
    """Loads ``body`` as a file of the delivery. ``declared_rows``: the sender's count; a gap holds the batch.

    Raises Refused when the delivery is not declared as pushed or too large, BadDelivery as `load_file`.
    """
    settings = settings.at_work
    feed = read_feed(settings, feed_code)
    declared = feed.delivery(delivery)
    if not isinstance(declared.source, Push):
        raise Refused(f"{feed_code}/{delivery} is not posted: its source is {declared.source.type}")
    told = f"push:{_told(name)}"
    with (
        recorded(settings, not_landed(feed, declared, business_date, named(told, feed, declared))),
        private_folder(settings, "fetching") as folder,
        database.connect(settings, autocommit=True) as connection,
    ):
        if len(body) > declared.source.max_mb * 1_000_000:
            raise Refused(
                f"{feed_code}/{delivery}: more than {declared.source.max_mb:g} MB at once; send smaller parts"
            )
        path = folder / "body"
        path.write_bytes(body)
        fetched = Fetched(path, told, declared_rows)
        return load_fetched(connection, settings, feed, declared, business_date, fetched)


def _told(name: str) -> str:
    """The name that the sender gave, without folders and what does not print."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:_LONGEST_NAME] or "delivery"
