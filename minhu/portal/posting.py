"""Deliveries that come by the portal: whose they are, their bytes on the way to the landing zone, their receipts.

What is posted is landed at once, under its sha256, and loaded by a runner (`minhu.portal.runner`) by the door that
every file comes through. Whose feed it is the database says, before a byte is read and again before it is loaded.
"""

import base64
import binascii
import hashlib
from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from starlette.concurrency import run_in_threadpool

from minhu import database
from minhu.errors import BadDeclaration, Refused, foreign
from minhu.feeds.begun import assert_begun
from minhu.feeds.feed import Feed, read_feed
from minhu.feeds.posted import Posted, most_of, posted, told_name
from minhu.feeds.sources import Push
from minhu.landing.land import Landed, land
from minhu.landing.store import private_folder
from minhu.portal import jobs
from minhu.settings import Settings

MOST_WAITING = 200
"""As `portal.ask_job` has it for deliveries."""
AT_A_TIME = 1 << 20
"""Bytes that are held in memory of what is on its way to the disk."""


@dataclass(frozen=True)
class Offer:
    """A delivery that whoever asks may post. ``most``: bytes of one body; ``time_zone``: that of its business dates."""

    feed: str
    feed_name: str
    delivery: str
    kind: str
    most: int
    time_zone: str

    @property
    def most_mb(self) -> str:
        return f"{self.most / 1_000_000:g}"


@dataclass(frozen=True)
class Standing:
    """Where a delivery of one's own feeds stands on a date; moments are in the city's time zone."""

    feed_code: str
    feed_name: str
    delivery: str
    business_date: date
    state: str
    since: datetime | None
    due_at: datetime | None
    is_late: bool
    reason: str | None


@dataclass(frozen=True)
class Receipt:
    """What became of something posted. ``state``: of its job; ``outcome``: loaded, held, already_loaded.

    The counts, ``batch_status``, its reason and ``rejected_by`` (reason_code, column, rows, first_rows) are those of
    the batch; ``trial``: what a load would do, of one that was only tried (`minhu.load.push.summary`).
    """

    receipt: int
    feed_code: str
    delivery: str
    business_date: date
    name: str
    sha256: str
    bytes: int
    declared_rows: int | None
    is_trial: bool
    posted_at: datetime
    finished_at: datetime | None
    state: str
    why: str | None
    outcome: str | None
    batch_id: int | None
    batch_status: str | None
    reason_code: str | None
    batch_reason: str | None
    received: int | None
    staged: int | None
    duplicates: int | None
    filtered: int | None
    rejected: int | None
    rejected_by: list[dict[str, Any]] | None
    trial: dict[str, Any] | None

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None


def offers(reads: Settings) -> list[Offer]:
    """The deliveries that whoever asks may post, by feed. A feed whose declaration cannot be read offers nothing."""
    found = []
    for feed in _own(reads):
        for delivery in feed.deliveries:
            if isinstance(delivery.source, Push):
                most = most_of(delivery.source)
                found.append(Offer(feed.code, feed.name, delivery.name, delivery.kind, most, feed.timezone))
    return found


def _own(reads: Settings) -> list[Feed]:
    found = []
    for code in own_feeds(reads):
        try:
            found.append(read_feed(reads, code))
        except BadDeclaration:
            continue  # `minhu feeds check` and the account of deliveries tell the engineers
    return found


def own_feeds(reads: Settings) -> list[str]:
    with database.connect(reads) as connection:
        return database.one(connection, "select portal.own_feeds()")[0] or []


def one_to_post(reads: Settings, feed_code: str, delivery: str, business_date: date | None = None) -> Posted:
    """A delivery that whoever asks may post. Raises Refused where he may not, whatever feeds there are, and for a date
    to come.
    """
    if feed_code not in own_feeds(reads):
        raise Refused(f"nothing of the feed {feed_code!r} is yours to send")
    of = posted(reads, feed_code, delivery)
    if business_date:
        assert_begun(of.feed, business_date)
    return of


def assert_room(reads: Settings) -> None:
    """Raises Refused where so much of one's own waits that nothing more is taken: before a byte of it is read."""
    waiting = sum(not one.is_over for one in receipts(reads, MOST_WAITING))
    if waiting >= MOST_WAITING:
        raise Refused(f"{waiting} jobs of yours are waiting or running: wait for one of them")


async def take(of: Posted, settings: Settings, body: AsyncIterable[bytes], digest: str | None = None) -> Landed:
    """Lands what ``body`` brings. ``digest``: what its sender says of it (RFC 9530, sha-256).

    Raises TooLarge where it is larger than declared, Refused where it is not what its sender says, Retryable where it
    cannot be kept.
    """
    expected, told = _sha256_of(digest), hashlib.sha256()
    with (
        foreign.told("landing", name=of.delivery.name, where=settings.transit),
        private_folder(settings, "posting") as folder,
    ):
        path, size, waiting = folder / "body", 0, bytearray()
        with path.open("wb") as file:
            async for chunk in body:
                size += len(chunk)
                of.check(size)
                told.update(chunk)
                waiting += chunk
                if len(waiting) >= AT_A_TIME:
                    await run_in_threadpool(file.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(file.write, bytes(waiting))
        if not size:
            raise Refused("nothing was sent: the body is empty")
        if expected and told.hexdigest() != expected:
            raise Refused("what came is not what was sent, by its sha-256: send it again")
        return await run_in_threadpool(land, settings, path)


def post(
    acts: Settings,
    of: Posted,
    landed: Landed,
    business_date: date,
    name: str,
    declared_rows: int | None = None,
    *,
    is_trial: bool = False,
) -> int:
    """Asks that what was landed be loaded, or tried; the number of its receipt. Raises Refused for a date to come."""
    assert_begun(of.feed, business_date)
    given = {
        "feed": of.feed.code,
        "delivery": of.delivery.name,
        "business_date": business_date.isoformat(),
        "name": told_name(name),
        "sha256": landed.sha256,
        "bytes": landed.bytes,
        "rows": declared_rows,
        "is_trial": is_trial,
    }
    asked = jobs.parameters("deliver", given).model_dump(mode="json")
    with database.connect(acts) as connection:
        return database.act(connection, "portal.post_delivery", {"parameters": Jsonb(asked)})


def post_tried(acts: Settings, reads: Settings, number: int) -> int:
    """Asks that what was tried be loaded, the very bytes; the number of the new receipt."""
    tried = receipt(reads, number)
    of = one_to_post(reads, tried.feed_code, tried.delivery)
    landed = Landed(tried.sha256, tried.bytes)
    return post(acts, of, landed, tried.business_date, tried.name, tried.declared_rows)


def receipts(reads: Settings, most: int = 50, before: int | None = None) -> list[Receipt]:
    """What became of what whoever asks has posted, the newest first; ``before``: those of smaller numbers."""
    with database.connect(reads) as connection, connection.cursor(row_factory=class_row(Receipt)) as cursor:
        return cursor.execute("select * from portal.own_receipts(%s, %s)", [most, before]).fetchall()


def receipt(reads: Settings, number: int) -> Receipt:
    """Raises Refused where it is not his."""
    found = receipts(reads, 1, number + 1)
    if not found or found[0].receipt != number:
        raise Refused(f"you have no receipt {number}")
    return found[0]


def standing(reads: Settings, first: date, last: date) -> list[Standing]:
    """Where the deliveries of one's own feeds stand, the newest date first; up to a month."""
    with database.connect(reads) as connection, connection.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute("select * from portal.own_deliveries(%s, %s)", [first, last]).fetchall()


def _sha256_of(digest: str | None) -> str | None:
    """In hex, of ``sha-256=:…:`` among others; None where it is not said. Raises Refused where it cannot be read."""
    for part in (digest or "").split(","):
        name, _, value = part.strip().partition("=")
        if name.strip().lower() == "sha-256":
            try:
                raw = base64.b64decode(value.strip().strip(":"), validate=True)
            except binascii.Error:
                raw = b""
            if len(raw) != 32:
                raise Refused("Content-Digest cannot be read: sha-256=:BASE64:")
            return raw.hex()
    return None
