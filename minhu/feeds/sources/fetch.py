"""Fetches what a delivery's source holds for a date, as files that can be landed. One function per kind of source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from minhu.feeds.feed import Delivery, Feed
from minhu.feeds.sources import DropFolder, ObjectStore, Open311, Push, Rest, Sftp, SqlQuery
from minhu.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """What is asked of a source. ``cursor``: what the last committed fetch of this delivery left behind, if anything.

    ``folder``: a private folder of this fetch, for what is downloaded; it is removed afterwards.
    """

    settings: Settings
    feed: Feed
    delivery: Delivery
    business_date: date
    cursor: str | None
    folder: Path


@dataclass(frozen=True)
class Fetched:
    """One file that arrived. ``name`` tells people where it came from; it never holds a secret.

    ``control_total``: how many rows the sender says there are. ``cursor``: where the next fetch goes on; it is stored
    in the transaction that commits the batch. ``identity``: a sha256 that stands for the content where the bytes differ
    from pull to pull (an API's canonical rows); the bytes' own unless given. ``after_commit`` runs once the rows are
    safe, also when they were already; it may be run again.
    """

    path: Path
    name: str
    control_total: int | None = None
    cursor: str | None = None
    identity: str | None = None
    after_commit: Callable[[], None] | None = None


def fetch(wanted: Wanted) -> Iterator[Fetched]:
    """The files that the source holds for the date, in the order in which they are to be loaded; none is an answer.

    Raises Retryable when the source is away or still busy, BadDelivery or Refused when trying again will not help.
    """
    match wanted.delivery.source:
        case DropFolder():
            from minhu.feeds.sources.drop import fetch_drop

            yield from fetch_drop(wanted)
        case Rest():
            from minhu.feeds.sources.rest import fetch_rest

            yield from fetch_rest(wanted)
        case Open311():
            from minhu.feeds.sources.open311 import fetch_open311

            yield from fetch_open311(wanted)
        case Sftp():
            from minhu.feeds.sources.sftp import fetch_sftp

            yield from fetch_sftp(wanted)
        case ObjectStore():
            from minhu.feeds.sources.objects import fetch_object

            yield from fetch_object(wanted)
        case SqlQuery():
            from minhu.feeds.sources.sql import fetch_sql

            yield from fetch_sql(wanted)
        case Push():
            return  # what is posted comes by itself
