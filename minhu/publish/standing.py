"""A unit over its months, of what is published: only the newest revision of each period counts."""

from dataclasses import dataclass
from decimal import Decimal

import psycopg
from psycopg.rows import class_row

from minhu import database
from minhu.schemes.period import Period
from minhu.settings import Settings

MONTHS = 13
"""So that the first stands a year before the last."""
ALIKE = {"month": r"^\d{4}-\d\d$", "quarter": r"^\d{4}-Q\d$", "year": r"^\d{4}$"}
"""How a period of each kind is written."""


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


def standing(settings: Settings, unit_code: str, scheme_id: str, period: str) -> tuple[Scored, ...]:
    """How ``unit_code`` stood up to ``period``: up to ``MONTHS`` periods of the same length, the oldest first."""
    wanted = Period.parse(period)
    asked = {"unit": unit_code, "scheme": scheme_id, "period": wanted.text, "most": MONTHS}
    with database.connect(settings) as connection, connection.cursor(row_factory=class_row(Scored)) as cursor:
        return tuple(reversed(cursor.execute(_SCORED, asked | {"alike": ALIKE[wanted.kind]}).fetchall()))


def scores_before(settings: Settings, scheme_id: str, period: str) -> tuple[str | None, dict[str, Decimal]]:
    """The published period next before ``period``, and the scores of its units; None and nothing where none is."""
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        asked = {"scheme": scheme_id, "period": wanted.text, "alike": ALIKE[wanted.kind]}
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

_BEFORE = f"""
with {_NEWEST.format(until="period < %(period)s")}

select
    newest.period,
    scores.unit_code,
    scores.score_100
from (select * from newest order by period desc limit 1) as newest
inner join publish.unit_score as scores on newest.release_id = scores.release_id
"""
