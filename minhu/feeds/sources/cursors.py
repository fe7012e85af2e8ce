"""Where an incremental pull goes on: greatest value so far, less an overlap for rows that come late."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from minhu.errors import BadDelivery
from minhu.feeds.sources import Increment

Point = Any  # a Decimal or a datetime, one and the same of all that a cursor is compared with
_PER_SECOND = {"epoch_s": 1, "epoch_ms": 1000}


def point(text: str, declared: Increment, zone: str) -> Point:
    """A cursor's text as a number or a time. A time without offset is of ``zone``. Raises BadDelivery BAD_CURSOR."""
    try:
        if declared.format == "number" or declared.format in _PER_SECOND:
            return Decimal(text)
        if declared.format == "iso":
            read = datetime.fromisoformat(text)
        else:
            read = datetime.strptime(text, declared.format)
    except (ValueError, InvalidOperation):
        raise BadDelivery(
            "BAD_CURSOR", f"a value of {declared.field!r} is not written as cursor.format says ({declared.format})"
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone))


def since(declared: Increment, stored: str | None, zone: str) -> str | None:
    """What to ask for, written as the sender writes it: where the last pull ended, less the lag."""
    if stored is None:
        return declared.initial
    if not declared.lag and not declared.lag_minutes:
        return stored
    at = point(stored, declared, zone)
    if isinstance(at, Decimal):
        seconds = Decimal(str(declared.lag_minutes * 60)) * _PER_SECOND.get(declared.format, 0)
        return format(at - declared.lag - seconds, "f").removesuffix(".0")
    return _as_written(at - timedelta(minutes=declared.lag_minutes), stored, declared.format)


def _as_written(at: datetime, stored: str, written: str) -> str:
    if written != "iso":
        return at.strftime(written)
    if stored.endswith("Z"):
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    told = at if datetime.fromisoformat(stored).tzinfo else at.replace(tzinfo=None)
    return told.isoformat(sep="T" if "T" in stored else " ")


def latest(values: Iterable[str | None], so_far: str | None, declared: Increment, zone: str, day: date) -> str | None:
    """The greatest of the values and of what was reached before: a cursor never goes back.

    Times later than the day after the business date do not count: a sender's slip (2099-…) would silence the feed.
    """
    best, reached = so_far, point(so_far, declared, zone) if so_far is not None else None
    past = _past(declared, zone, day)
    for value in values:
        if not value:
            continue
        at = point(value, declared, zone)
        if (reached is None or at > reached) and (past is None or at < past):
            best, reached = value, at
    return best


def _past(declared: Increment, zone: str, day: date) -> Point | None:
    """The end of the day after the business date, as the cursor is counted; a number has none."""
    if declared.format == "number":
        return None
    end = datetime.combine(day + timedelta(2), time(), ZoneInfo(zone))
    return Decimal(int(end.timestamp())) * _PER_SECOND[declared.format] if declared.format in _PER_SECOND else end
