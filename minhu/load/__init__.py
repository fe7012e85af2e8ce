"""Loads one delivery: fetch, land, read, check at the door, commit. The DAGs, the command line and the tests call it.

Exactly once in effect: killed at any step and run again, it leaves what an undisturbed run leaves. Until the one
transaction commits, nothing but the landed file exists, and landing the same bytes again is the same file.
"""

import re
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from minhu import database
from minhu.errors import BadDeclaration, BadDelivery
from minhu.feeds import Delivery, Feed, door, formats, load_feed
from minhu.load import batch
from minhu.load.batch import LoadResult, Source
from minhu.load.land import land
from minhu.settings import Settings

__all__ = ["LoadResult", "load_delivery", "load_feed_day"]


def load_delivery(
    feed_code: str,
    delivery: str,
    business_date: date | None = None,
    *,
    file: Path | None = None,
    settings: Settings | None = None,
) -> LoadResult:
    """Loads what one delivery of a feed brought for ``business_date`` (a date of the city).

    ``file`` overrides where the declaration looks; without a date its name tells it, or the day it is loaded. Raises
    BadDelivery (recorded as a refused batch) when the file cannot be taken, BadDeclaration, Retryable.
    """
    settings = settings or Settings.from_env()
    feed = read_feed(settings, feed_code)
    return _load(settings, feed, feed.delivery(delivery), business_date, file)


def load_feed_day(settings: Settings, feed: Feed, business_date: date) -> list[LoadResult | BadDelivery]:
    """Every delivery of a feed for one date. A refused delivery does not keep the others from loading."""
    results: list[LoadResult | BadDelivery] = []
    for delivery in feed.deliveries:
        try:
            results.append(_load(settings, feed, delivery, business_date, None))
        except BadDelivery as refusal:
            results.append(refusal)
    return results


def read_feed(settings: Settings, feed_code: str) -> Feed:
    path = settings.config / "feeds" / f"{feed_code}.yml"
    if not path.is_file():
        raise BadDeclaration(f"there is no feed {feed_code!r}: {path} does not exist; see `minhu feeds list`")
    return load_feed(path)


def _load(
    settings: Settings, feed: Feed, delivery: Delivery, business_date: date | None, file: Path | None
) -> LoadResult:
    source, landed = _arrive(settings, feed, delivery, business_date, file)
    with database.connect(settings, autocommit=True) as connection:
        if landed is None:
            return batch.record_attempt(connection, source, "nothing_delivered")
        if business_date is None and (known := _date_of(connection, source)):
            source = replace(source, business_date=known)
        if (batch_id := batch.find_loaded(connection, source)) is not None:
            return batch.record_attempt(connection, source, "already_loaded", batch_id)
        received = None
        try:
            rows = formats.read(landed, delivery.format)
            received = rows.height
            judged = door.judge(rows, feed, delivery, settings.caller_key)
        except BadDelivery as error:
            refusal = BadDelivery(error.code, f"{feed.code}/{delivery.name} {source.name}: {error}")
            batch.refuse(connection, source, refusal, received)
            raise refusal from None
        with connection.transaction():
            return batch.commit(connection, source, judged)


def _arrive(
    settings: Settings, feed: Feed, delivery: Delivery, business_date: date | None, file: Path | None
) -> tuple[Source, Path | None]:
    """Fetches and lands; the landed path is None when the drop folder holds nothing for the date."""
    started_at = datetime.now(ZoneInfo(database.TIMEZONE))
    business_date = business_date or _date_in_name(delivery, file) or started_at.date()
    path = file or settings.drop / delivery.source.path.replace("{date}", business_date.strftime("%Y%m%d"))
    if file is None and not path.exists():
        return Source(feed, delivery, business_date, _name(settings, path), "", 0, started_at), None
    sha256, landed = land(settings, path)
    size = landed.stat().st_size
    return Source(feed, delivery, business_date, _name(settings, path), sha256, size, started_at), landed


def _name(settings: Settings, path: Path) -> str:
    """What a file is called in manifests and explanations: its place in the drop folder, else its name."""
    return str(path.relative_to(settings.drop)) if path.is_relative_to(settings.drop) else path.name


def _date_in_name(delivery: Delivery, file: Path | None) -> date | None:
    """The date that a file's name tells, where it follows the declared pattern."""
    if file is None:
        return None
    pattern = re.escape(Path(delivery.source.path).name).replace(re.escape("{date}"), r"(\d{8})")
    found = re.fullmatch(pattern, file.name)
    try:
        return datetime.strptime(found[1], "%Y%m%d").date() if found else None
    except ValueError:
        return None


def _date_of(connection, source: Source) -> date | None:
    """The date under which these very bytes were loaded before."""
    row = connection.execute(
        "select max(business_date) from audit.batch where feed_code = %(feed_code)s and delivery = %(delivery)s"
        " and source_sha256 = %(source_sha256)s and status not in ('refused', 'superseded')",
        source.identity,
    ).fetchone()
    return row[0]
