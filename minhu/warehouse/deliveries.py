"""Where each delivery of each date stands (`audit.deliveries`): what came, what is late or missing, and why."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import psycopg
from psycopg.rows import class_row

from minhu import database
from minhu.config.city import City
from minhu.declaration import read_declaration
from minhu.errors import foreign
from minhu.glossary.delivered import DELIVERY_STATE
from minhu.schemes.plain import plain
from minhu.settings import Settings

LOOK_AGAIN = timedelta(minutes=2)
AWAITED = ("expected", "late")
"""Nothing has come, and it still may in time."""
ABSENT = (*AWAITED, "missing")
IN = ("loaded", "accepted", "held", "empty", "waived")
"""The nightly build need not wait for it: it is there, or need not come."""


@dataclass(frozen=True)
class Delivery:
    """One delivery on one business date. ``since``: when the state began. Moments are in the city's time zone.

    ``due_at``, ``missing_at``: null where it is not declared any more. ``is_late``: it comes or came after it was due.
    """

    feed_code: str
    delivery: str
    kind: str | None
    business_date: date
    state: str
    since: datetime | None
    due_at: datetime | None
    missing_at: datetime | None
    is_mandatory: bool
    is_late: bool
    batches: int
    reason_code: str | None
    reason: str | None

    def __str__(self) -> str:
        why = f"（{self.reason}）" if self.reason else ""
        return f"{self.business_date} {self.feed_code}/{self.delivery} {DELIVERY_STATE.zh(self.state)}{why}"

    def summary(self) -> dict:
        return plain(self)


def deliveries(settings: Settings, first: date, last: date) -> list[Delivery]:
    """Every delivery of every date of the span, by date, feed and delivery. Raises Refused for a login that may not."""
    with database.connect(settings) as connection:
        return read(connection, first, last)


def read(connection: psycopg.Connection, first: date, last: date) -> list[Delivery]:
    told = {"user": connection.info.user, "what": "the account of deliveries", "instead": "an auditor's does"}
    query = "select * from audit.deliveries(%s, %s) order by business_date, feed_code, delivery"
    with foreign.told("read", **told), connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(query, [first, last]).fetchall()


def await_until(settings: Settings, business_date: date, now: datetime | None = None) -> datetime | None:
    """When the nightly build of a date looks again for what is not in; null once it waits no more.

    It waits until the cut-off of the day after, and the grace beyond it (`build` of city.yml).
    """
    now = now or datetime.now(settings.zone)
    terms = read_declaration(City, settings.config / "city.yml").build
    cut_off = datetime.combine(business_date + timedelta(days=1), time.fromisoformat(terms.cut_off), settings.zone)
    ends = cut_off + timedelta(minutes=terms.grace_minutes)
    return min(now + LOOK_AGAIN, ends) if now < ends else None


def not_in(found: list[Delivery]) -> list[Delivery]:
    """What is mandatory and neither there nor excused."""
    return [one for one in found if one.is_mandatory and one.state not in IN]
