"""Fetches what a delivery's source holds for a date, as files that can be landed. One function per kind of source."""

from collections.abc import Iterator
from typing import assert_never

from minhu.feeds.sources import DropFolder, ObjectStore, Open311, Push, Rest, Sftp, SqlQuery
from minhu.feeds.sources.fetched import Fetched, NotFetched, Wanted


def fetch(wanted: Wanted) -> Iterator[Fetched | NotFetched]:
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
        case unknown:
            assert_never(unknown)
