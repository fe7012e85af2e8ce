"""Which edition of the readings holds on which day (docs/decisions/scores.md, readings-by-day).

A day of a published period keeps the edition by which it was published, whatever the configuration says later; until a
revision takes the new readings for that period. Every other day has the edition that the configuration names.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import psycopg
from psycopg.types.json import Jsonb

from minhu.schemes.period import Period

Spans = list[tuple[date, int]]
"""Each from its first day on, in order. Before the first one, edition 1."""


def edition_on(spans: Spans, day: date) -> int:
    """The edition that holds on ``day``."""
    return next((edition for since, edition in reversed(spans) if since <= day), 1)


def merge(declared: Spans, releases: Sequence[tuple[Period, Spans]], fresh: Sequence[Period]) -> Spans:
    """The readings of a build: those declared, but for the days whose scores are published.

    ``releases``: each period and the readings of the build that was published, in the order of their publication; the
    newest that reaches to a day decides over it. ``fresh``: published periods that new readings were taken for.
    """

    def holds_on(day: date) -> int:
        if any(period.first <= day <= period.last for period in fresh):
            return edition_on(declared, day)
        return next(
            (edition_on(spans, day) for period, spans in reversed(releases) if day <= period.last),
            edition_on(declared, day),
        )

    bounds = {since for since, _ in declared}
    bounds |= {since for _, spans in releases for since, _ in spans}
    bounds |= {period.last + timedelta(days=1) for period, _ in releases}
    bounds |= {day for period in fresh for day in (period.first, period.last + timedelta(days=1))}
    merged: Spans = []
    for day in sorted(bounds):
        if edition_on(merged, day) != holds_on(day):
            merged.append((day, holds_on(day)))
    return merged


def record(connection: psycopg.Connection, build_id: int, config_version: int) -> bool:
    """Writes by which readings a build reads; whether the last build that succeeded read by others."""
    declared = _spans(connection.execute(_DECLARED, {"version": config_version}))
    releases = [(Period.parse(period), _from_json(told)) for period, told in connection.execute(_RELEASES)]
    spans = merge(declared, releases, [Period.parse(period) for period in taken_anew(connection)])
    told = Jsonb([{"valid_from": since.isoformat(), "edition": edition} for since, edition in spans])
    connection.execute(
        "update audit.build set readings = %(told)s where build_id = %(build)s", {"told": told, "build": build_id}
    )
    last = connection.execute(_LAST, {"build": build_id}).fetchone()
    return last is not None and _from_json(last[0]) != spans


def taken_anew(connection: psycopg.Connection) -> list[str]:
    """The published periods that new readings were taken for: until that is published, rejected or taken back."""
    return [period for (period,) in connection.execute(_TAKEN_ANEW)]


def of_build(connection: psycopg.Connection, build_id: int) -> Spans:
    """By which readings a build read."""
    found = connection.execute("select readings from audit.build where build_id = %s", [build_id]).fetchone()
    return _from_json(found[0] if found else [])


def _spans(rows: Iterable[tuple]) -> Spans:
    return sorted((since, edition) for since, edition in rows)


def _from_json(told: list[dict]) -> Spans:
    return _spans((date.fromisoformat(one["valid_from"]), one["edition"]) for one in told)


_DECLARED = """
select (data ->> 'valid_from')::date, (data ->> 'edition')::integer
from config.entry
where kind = 'reading' and since_version <= %(version)s and (until_version is null or until_version > %(version)s)
"""
_RELEASES = """
select release.period, build.readings
from publish.release inner join audit.build using (build_id)
order by release.release_id
"""
_TAKEN_ANEW = """
with newest as (
    select distinct on (period) period, is_new, taken_at from publish.readings_taken order by period, taken_id desc
)
select newest.period
from newest
left join publish.release on newest.period = release.period and release.published_at > newest.taken_at
left join publish.closing on newest.period = closing.period and closing.closed_at > newest.taken_at
left join assess.approval on approval.subject_kind = 'closing' and approval.verdict = 'rejected'
    and approval.subject_id = closing.closing_id::text
where newest.is_new
group by newest.period
having count(release.release_id) = 0 and count(approval.approval_id) = 0
"""
_LAST = """
select readings from audit.build where status = 'succeeded' and build_id < %(build)s order by build_id desc limit 1
"""
