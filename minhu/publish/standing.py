"""A unit among its peers and over its months, of what is published.

Only the newest revision of each period counts. Quartiles are of the units of the peer group that have a value, by
linear interpolation; they say where the middle half stands, and judge nobody.
"""

from dataclasses import dataclass
from decimal import Decimal

import psycopg
from psycopg.rows import class_row

from minhu import database
from minhu.schemes.period import Period
from minhu.settings import Settings

MONTHS = 13
"""So that the first stands a year before the last."""
_ALIKE = {"month": r"^\d{4}-\d\d$", "quarter": r"^\d{4}-Q\d$", "year": r"^\d{4}$"}


@dataclass(frozen=True)
class Scored:
    """A published period of a unit. ``place`` is null where the scheme publishes none, or the unit has none."""

    period: str
    revision: int
    score_100: Decimal | None
    band: str | None
    place: int | None
    median_100: Decimal | None
    """Of its peer group in that period."""


@dataclass(frozen=True)
class Quartiles:
    """The middle half of a peer group by one indicator; ``units``: how many have a value."""

    indicator_code: str
    units: int
    low: Decimal
    median: Decimal
    high: Decimal


@dataclass(frozen=True)
class Standing:
    """``scored``: up to ``MONTHS`` periods of the same length, the oldest first. ``quartiles`` by indicator."""

    scored: tuple[Scored, ...]
    quartiles: dict[str, Quartiles]


def standing(settings: Settings, unit_code: str, scheme_id: str, period: str, revision: int | None = None) -> Standing:
    """How ``unit_code`` stood up to ``period``, and how its group did in it; nothing where nothing is published.

    ``revision``: whose values the quartiles are of; the newest unless given.
    """
    wanted = Period.parse(period)
    asked = {"unit": unit_code, "scheme": scheme_id, "period": wanted.text, "revision": revision, "most": MONTHS}
    with database.connect(settings, at_one_moment=True) as connection:
        with connection.cursor(row_factory=class_row(Scored)) as cursor:
            scored = cursor.execute(_SCORED, asked | {"alike": _ALIKE[wanted.kind]}).fetchall()
        with connection.cursor(row_factory=class_row(Quartiles)) as cursor:
            quartiles = cursor.execute(_QUARTILES, asked).fetchall()
    return Standing(tuple(reversed(scored)), {one.indicator_code: one for one in quartiles})


def scores_before(settings: Settings, scheme_id: str, period: str) -> tuple[str | None, dict[str, Decimal]]:
    """The published period next before ``period``, and the scores of its units; None and nothing where none is."""
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        asked = {"scheme": scheme_id, "period": wanted.text, "alike": _ALIKE[wanted.kind]}
        rows = connection.execute(_BEFORE, asked).fetchall()
    return (rows[0][0] if rows else None), {unit: score for _, unit, score in rows if score is not None}


def periods(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """What is published: scheme and period, the newest period first."""
    return connection.execute(
        "select distinct scheme_id, period from publish.release order by period desc, scheme_id"
    ).fetchall()


_NEWEST = """
newest as (
    select distinct on (period)
        release_id,
        period,
        revision
    from publish.release
    where scheme_id = %(scheme)s and period ~ %(alike)s and {until}
    order by period desc, revision desc
)
"""

_SCORED = f"""
with {_NEWEST.format(until="period <= %(period)s")},

own as (
    select
        newest.release_id,
        newest.period,
        newest.revision,
        scores.peer_group,
        scores.score_100,
        scores.band,
        case when law.shows_ranks then scores.rank_in_group end as place
    from newest
    inner join publish.unit_score as scores on newest.release_id = scores.release_id
    left join publish.scheme as law on newest.release_id = law.release_id
    where scores.unit_code = %(unit)s
    order by newest.period desc
    limit %(most)s
),

middle as (
    select
        own.release_id,
        round((percentile_cont(0.5) within group (order by peers.score_100))::numeric, 2) as median_100
    from own
    inner join publish.unit_score as peers on own.release_id = peers.release_id and own.peer_group = peers.peer_group
    where peers.score_100 is not null
    group by own.release_id
)

select
    own.period,
    own.revision,
    own.score_100,
    own.band,
    own.place,
    middle.median_100
from own
left join middle on own.release_id = middle.release_id
order by own.period desc
"""

_QUARTILES = """
with asked as (
    select release_id
    from publish.release
    where
        scheme_id = %(scheme)s
        and period = %(period)s
        and (%(revision)s::int is null or revision = %(revision)s)
    order by revision desc
    limit 1
),

peers as (
    select scores.unit_code
    from publish.unit_score as scores
    inner join asked on scores.release_id = asked.release_id
    inner join publish.unit_score as own
        on scores.release_id = own.release_id and scores.peer_group = own.peer_group
    where own.unit_code = %(unit)s
)

select
    told.indicator_code,
    count(*)::int as units,
    round((percentile_cont(0.25) within group (order by told.value))::numeric, 4) as low,
    round((percentile_cont(0.5) within group (order by told.value))::numeric, 4) as median,
    round((percentile_cont(0.75) within group (order by told.value))::numeric, 4) as high
from publish.unit_indicator as told
inner join asked on told.release_id = asked.release_id
inner join peers on told.unit_code = peers.unit_code
where told.value is not null
group by told.indicator_code
"""

_BEFORE = f"""
with {_NEWEST.format(until="period < %(period)s")}

select
    newest.period,
    scores.unit_code,
    scores.score_100
from (select * from newest order by period desc limit 1) as newest
inner join publish.unit_score as scores on newest.release_id = scores.release_id
"""
