"""报送: where each feed's deliveries of a date stand; a feed's last two weeks, its batches, why rows were rejected."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from starlette.responses import Response

from minhu import database
from minhu.errors import Refused
from minhu.portal.asking import Ask, day_of
from minhu.warehouse import accounts
from minhu.warehouse.deliveries import Delivery, deliveries, read
from minhu.watch.faults import of_deliveries

DAYS = 14
WORST = ("refused", "missing", "held", "late", "arrived", "loaded", "expected", "waived", "empty", "accepted")
"""The state of a feed is that of its worst delivery."""


@dataclass(frozen=True)
class Tile:
    """A feed on one date."""

    code: str
    name: str
    state: str
    is_late: bool
    deliveries: tuple[Delivery, ...]


def feeds(ask: Ask) -> Response:
    """The tiles of a date, yesterday unless another is asked for; what is not well first."""
    on = _day(ask)
    found = deliveries(ask.reads, on, on)
    with database.connect(ask.reads) as connection:
        names: dict[str, str] = dict(connection.execute("select feed_code, feed_name from mart.dim_feed").fetchall())
    by_feed: dict[str, list[Delivery]] = {}
    for one in found:
        by_feed.setdefault(one.feed_code, []).append(one)
    tiles = [_tile(code, names.get(code, code), several) for code, several in by_feed.items()]
    tiles.sort(key=lambda one: (WORST.index(one.state), one.code))
    counts = Counter(one.state for one in tiles)
    return ask.page(
        "feeds.html",
        on=on,
        tiles=tiles,
        counts=[(state, counts[state]) for state in WORST if counts[state]],
        before=on - timedelta(days=1),
        after=on + timedelta(days=1) if on < ask.yesterday else None,
    )


def feed(ask: Ask) -> Response:
    code, last = ask.place("code"), ask.yesterday
    with database.connect(ask.reads, at_one_moment=True) as connection:
        every = read(connection, last - timedelta(days=DAYS - 1), last)
        batches = accounts.batches(connection, code)
        name = accounts.feed_name(connection, code)
        sees_rejects = ask.person.group != "evaluator"
        rejected = accounts.rejected(connection, [one["batch_id"] for one in batches]) if sees_rejects else {}
    found = sorted(
        (one for one in every if one.feed_code == code),
        key=lambda one: (-one.business_date.toordinal(), one.delivery),
    )
    if not found and not batches:
        raise Refused(f"there is no feed {code!r}")
    mends = {(one.kind, one.on_date): one.mend for one in of_deliveries(found)}
    return ask.page(
        "feed.html",
        code=code,
        name=name,
        days=[(one, mends.get((one.state, one.business_date))) for one in found],
        batches=batches,
        rejected=rejected,
    )


def builds(ask: Ask) -> Response:
    with database.connect(ask.reads) as connection:
        return ask.page("builds.html", builds=accounts.builds(connection))


def _tile(code: str, name: str, several: list[Delivery]) -> Tile:
    state = min((one.state for one in several), key=WORST.index)
    return Tile(code, name, state, any(one.is_late for one in several), tuple(several))


def _day(ask: Ask) -> date:
    """The business date asked for, yesterday unless given. Raises Refused where it is none."""
    told = ask.wanted("date")
    if told is None:
        return ask.yesterday
    return day_of(told)
