"""Loads one delivery: fetch, land, read, check at the door, commit. The DAGs, the command line and the tests call it.

Exactly once in effect: killed at any step and run again, it leaves what an undisturbed run leaves. Until the one
transaction commits, nothing but the landed file exists, and landing the same bytes again is the same file.
"""

from contextlib import closing
from dataclasses import replace
from datetime import date
from itertools import chain, islice
from pathlib import Path
from typing import Any

import psycopg

from minhu import database, lineage
from minhu.errors import BadDelivery, MinhuError
from minhu.feeds import Delivery, Feed, read_feed
from minhu.feeds.begun import assert_begun, today
from minhu.feeds.canonical import STAGING_TABLE
from minhu.feeds.door import Door
from minhu.feeds.formats import read
from minhu.feeds.sources.dated import date_in
from minhu.feeds.sources.fetch import fetch
from minhu.feeds.sources.fetched import Fetched, NotFetched, Wanted, named
from minhu.landing.land import land, landed_file, opened
from minhu.landing.store import private_folder
from minhu.load import batch, failures
from minhu.load.ahead import ahead
from minhu.load.batch import LoadResult, Source, not_landed, now
from minhu.load.key_ring import key_in_use, record_key
from minhu.settings import Settings

__all__ = ["LoadResult", "load_delivery", "load_feed_day", "load_fetched", "load_file", "replay"]


def load_delivery(
    feed_code: str, delivery: str, business_date: date, *, settings: Settings | None = None
) -> list[LoadResult]:
    """Loads what one delivery of a feed brought for ``business_date`` (a date of the feed), one batch for each file.

    A file that fails does not keep the others from loading; the worst failure is raised at the end. Raises BadDelivery
    (recorded as a refused batch), BadDeclaration, Retryable, Unforeseen; each of them stands in `audit.attempt`.
    """
    settings = (settings or Settings.from_env()).at_work
    feed = read_feed(settings, feed_code)
    results = _load_delivery(settings, feed, feed.delivery(delivery), business_date)
    if failed := [result for result in results if isinstance(result, MinhuError)]:
        raise failures.worst(failed)
    return [result for result in results if isinstance(result, LoadResult)]


def load_file(
    feed_code: str, delivery: str, file: Path, business_date: date | None = None, *, settings: Settings | None = None
) -> LoadResult:
    """Loads one given file instead of what the source holds.

    Without a date the file's name tells it, or the batch that already holds these bytes, or else it is today in the
    feed's zone. Raises Refused for a date that has not begun there.
    """
    settings = (settings or Settings.from_env()).at_work
    feed = read_feed(settings, feed_code)
    declared = feed.delivery(delivery)
    day = business_date or _date_in_name(declared, file)
    name = _name(settings, file)
    with (
        failures.recorded(settings, not_landed(feed, declared, day or today(feed), named(name, feed, declared))),
        database.connect(settings, autocommit=True) as connection,
    ):
        return load_fetched(connection, settings, feed, declared, day, Fetched(file, name))


def load_feed_day(
    settings: Settings, feed: Feed, business_date: date, only: str | None = None
) -> list[LoadResult | MinhuError]:
    """Every delivery of a feed for one date, or ``only`` one. What fails with one keeps no other from loading."""
    at_work, chosen = settings.at_work, (feed.delivery(only),) if only else feed.deliveries
    return [result for delivery in chosen for result in _load_delivery(at_work, feed, delivery, business_date)]


def replay(settings: Settings, batch_id: int) -> LoadResult:
    """Reads a batch's landed file again with today's declaration.

    The new batch takes the old one's place among the versions of a record and withdraws it whole, in one transaction,
    so that replaying October 1 after October 5 never makes October 1 the newest. Raises BadDelivery when the file is
    refused now; the old batch stays as it was then.
    """
    with database.connect(settings, autocommit=True) as connection:
        old = batch.find(connection, batch_id)
        feed = read_feed(settings, old.feed_code)
        delivery = feed.delivery(old.delivery)
        source = Source(feed, delivery, old.business_date, old.source_name, old.source_sha256, old.source_bytes, now())
        with (
            failures.recorded(settings, source, replays=batch_id),
            landed_file(settings, batch_id, "replay") as landed,
        ):
            return _commit(connection, settings, source, landed, control_total=old.control_total, replays=old)


def _load_delivery(
    settings: Settings, feed: Feed, delivery: Delivery, business_date: date
) -> list[LoadResult | MinhuError]:
    """What became of each file of the day, in the account too, whatever it was. Nothing that fails is raised."""
    results: list[LoadResult | MinhuError] = []
    nothing = not_landed(feed, delivery, business_date)
    try:
        assert_begun(feed, business_date)
        with database.connect(settings, autocommit=True) as connection, private_folder(settings, "fetching") as folder:
            cursor = batch.read_cursor(connection, feed.code, delivery.name)
            try:
                for fetched in fetch(Wanted(settings, feed, delivery, business_date, cursor, folder)):
                    results += _load_one(connection, settings, nothing, fetched)
                    if connection.closed:  # each further file would fail likewise
                        break
            except BadDelivery as error:  # what the source gave is no delivery: nothing landed, the manifest says why
                words = failures.printable(f"{feed.code}/{delivery.name}: {error}")
                batch_id = batch.refuse(connection, nothing, BadDelivery(error.code, words), None)
                results.append(BadDelivery(error.code, words, batch_id))
            if not results:
                results.append(batch.record_attempt(connection, nothing, "nothing_delivered"))
    except failures.CAUGHT as error:
        results.append(failures.record(settings, nothing, error))
    return results


def _load_one(
    connection: psycopg.Connection, settings: Settings, nothing: Source, fetched: Fetched | NotFetched
) -> list[LoadResult | MinhuError]:
    """What became of one file; nothing when another loader has taken it."""
    source = replace(nothing, name=named(fetched.name, nothing.feed, nothing.delivery), started_at=now())
    if isinstance(fetched, NotFetched):
        return [failures.record(settings, source, fetched.error)]
    try:
        return [load_fetched(connection, settings, source.feed, source.delivery, source.business_date, fetched)]
    except failures.CAUGHT as error:
        if isinstance(error, BadDelivery) and error.code == "NO_FILE" and not fetched.path.exists():
            return []
        return [failures.record(settings, source, error)]


def load_fetched(
    connection: psycopg.Connection,
    settings: Settings,
    feed: Feed,
    delivery: Delivery,
    business_date: date | None,
    fetched: Fetched,
) -> LoadResult:
    """Loads one file that a source gave: lands it, judges it, commits it, and lets the source tidy up."""
    if business_date is not None:
        assert_begun(feed, business_date)
    started_at = now()
    landed = land(settings, fetched.path)
    if business_date is None:
        business_date = batch.date_of(connection, feed.code, delivery.name, landed.sha256) or today(feed)
    name = named(fetched.name, feed, delivery)
    source = Source(feed, delivery, business_date, name, landed.sha256, landed.bytes, started_at, fetched.identity)
    if (batch_id := batch.find_loaded(connection, source)) is not None:
        result = batch.record_attempt(connection, source, "already_loaded", batch_id)
    else:
        with opened(settings, landed.sha256, f"{feed.code}/{delivery.name} {name}") as path:
            told = {"control_total": fetched.control_total, "arrived": fetched.arrived, "cursor": fetched.cursor}
            result = _commit(connection, settings, source, path, **told)
    if fetched.after_commit:
        fetched.after_commit()
    return result


def _commit(connection: psycopg.Connection, settings: Settings, source: Source, path: Path, **how: Any) -> LoadResult:
    """Reads, judges and writes a landed file, the three of them side by side, and commits it.

    A refusal is recorded, told with feed, delivery and file, and raised.
    """
    feed, delivery = source.feed.code, source.delivery
    with lineage.job(settings, f"load.{feed}.{delivery.name}", on=source.business_date) as told:
        told.reads(f"feed/{feed}/{delivery.name}/{source.name}")
        result = _judge_and_commit(connection, settings, source, path, **how)
        if result.outcome != "already_loaded":
            told.writes(f"batch/{result.batch_id}", result.received)
            told.writes(STAGING_TABLE[delivery.kind], result.staged)
        return result


def _judge_and_commit(
    connection: psycopg.Connection, settings: Settings, source: Source, path: Path, **how: Any
) -> LoadResult:
    delivery = source.delivery
    with key_in_use(settings) as keys:
        door = Door(source.feed, delivery, keys, record_key(settings) if delivery.hashes_keys else None)
        try:
            with (
                closing(ahead(read.read_parts(path, delivery.format, door.aside))) as frames,
                closing(ahead(door.judge(rows) for rows in frames)) as parts,
            ):
                first = list(islice(parts, 2))
                if len(first) < 2:  # a file of one part is judged to its end before a transaction opens
                    door.close()
                with connection.transaction():
                    return batch.commit(connection, source, door, chain(first, parts), **how)
        except BadDelivery as error:
            refusal = BadDelivery(error.code, f"{source.feed.code}/{delivery.name} {source.name}: {error}")
            refusal.batch_id = batch.refuse(connection, source, refusal, door.tally.received or None)
            raise refusal from None


def _name(settings: Settings, path: Path) -> str:
    """What a file is called in manifests and explanations: its place in the drop folder, else its name."""
    return str(path.relative_to(settings.drop)) if path.is_relative_to(settings.drop) else path.name


def _date_in_name(delivery: Delivery, file: Path) -> date | None:
    """The date that a file's name tells, where it follows the declared pattern."""
    return date_in(file.name, Path(getattr(delivery.source, "path", "")).name)
