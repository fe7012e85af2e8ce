"""Deliveries that a sender posts: taken whole, loaded by the door that every file comes through.

The caller has checked who the sender is. He hears of success only after the commit; one who hears nothing sends again,
and the same content is loaded once.
"""

from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

from minhu import database
from minhu.feeds.posted import posted, told_name
from minhu.feeds.sources.fetched import Fetched, named
from minhu.landing.land import opened
from minhu.load import LoadResult, load_fetched
from minhu.load.batch import not_landed
from minhu.load.failures import recorded
from minhu.load.preview import Preview, preview
from minhu.settings import Settings


def receive(
    settings: Settings,
    feed_code: str,
    delivery: str,
    body: Path,
    business_date: date,
    declared_rows: int | None = None,
    name: str = "delivery",
) -> LoadResult:
    """Loads ``body`` as a file of the delivery. ``declared_rows``: the sender's count; a gap holds the batch.

    Raises Refused when the delivery is not declared as pushed, TooLarge, BadDelivery as `load_file`.
    """
    settings = settings.at_work
    of = posted(settings, feed_code, delivery)
    told = f"push:{told_name(name)}"
    with (
        recorded(settings, not_landed(of.feed, of.delivery, business_date, named(told, of.feed, of.delivery))),
        database.connect(settings, autocommit=True) as connection,
    ):
        of.check(body.stat().st_size)
        fetched = Fetched(body, told, declared_rows)
        return load_fetched(connection, settings, of.feed, of.delivery, business_date, fetched)


def try_out(settings: Settings, feed_code: str, delivery: str, body: Path, name: str = "delivery") -> Preview:
    """What `receive` would make of ``body``; nothing is written. What other batches decide is not known here."""
    of = posted(settings, feed_code, delivery)
    return replace(preview(settings, of.feed, of.delivery, body), file=told_name(name))


def receive_landed(
    settings: Settings,
    feed_code: str,
    delivery: str,
    sha256: str,
    business_date: date,
    declared_rows: int | None = None,
    name: str = "delivery",
) -> LoadResult:
    """As `receive`, of what has landed already."""
    with opened(settings, sha256, f"{feed_code}/{delivery} {told_name(name)}") as body:
        return receive(settings, feed_code, delivery, body, business_date, declared_rows, name)


def try_landed(settings: Settings, feed_code: str, delivery: str, sha256: str, name: str = "delivery") -> Preview:
    """As `try_out`, of what has landed already."""
    with opened(settings, sha256, f"{feed_code}/{delivery} {told_name(name)}") as body:
        return try_out(settings, feed_code, delivery, body, name)


def summary(tried: Preview) -> dict:
    """What a sender is told of a trial: counts, and where to look; of no value more than a preview shows."""
    told = asdict(tried)
    return {name: told[name] for name in _TOLD} | {
        "missing_columns": list(tried.drift.missing_columns) if tried.drift else [],
        "new_columns": list(tried.drift.new_columns) if tried.drift else [],
    }


_TOLD = (
    "verdict",
    "reasons",
    "rows",
    "staged",
    "duplicates",
    "filtered",
    "rejected",
    "notes",
    "unknown_units",
    "unknown_categories",
)
