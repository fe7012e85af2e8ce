"""Which edition of the readings holds on which day (docs/decisions/scores.md, readings-by-day).

A day of a published period keeps the edition by which it was published, whatever the configuration says later; until a
revision takes the new readings for that period. Every other day has the edition that the configuration names.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg
from psycopg.types.json import Jsonb

from minhu.schemes.period import Period

Spans = list[tuple[date, int]]
"""Each from its first day on, in order. Before the first one, edition 1."""


@dataclass(frozen=True)
class _Published:
    """A release: its days, and the readings of the build that it froze."""

    period: Period
    published_at: datetime
    readings: Spans


def edition_on(spans: Spans, day: date) -> int:
    """The edition that holds on ``day``."""
    return next((edition for since, edition in reversed(spans) if since <= day), 1)


def merge(declared: Spans, releases: Iterable[tuple[Period, datetime, Spans]], taken: Iterable[tuple]) -> Spans:
    """The readings of a build: those declared, but for the days whose scores are published.

    ``releases``: in the order of their publication. ``taken``: (period, whether the new ones, moment), in their order.
    The newest release that reaches to a day has its readings; what was taken for a period since its own newest release
    goes before.
    """
    published = [_Published(*one) for one in releases]
    last_of = {one.period.text: one.published_at for one in published}
    asked = {text: is_new for text, is_new, at in taken if at > last_of.get(text, at)}
    fresh = [Period.parse(text) for text, is_new in asked.items() if is_new]

    def holds_on(day: date) -> int:
        if any(period.first <= day <= period.last for period in fresh):
            return edition_on(declared, day)
        for one in reversed(published):
            if day <= one.period.last:
                return edition_on(one.readings, day)
        return edition_on(declared, day)

    bounds = {since for since, _ in declared}
    bounds |= {since for one in published for since, _ in one.readings}
    bounds |= {one.period.last + timedelta(days=1) for one in published}
    bounds |= {day for period in fresh for day in (period.first, period.last + timedelta(days=1))}
    merged: Spans = []
    for day in sorted(bounds):
        if edition_on(merged, day) != holds_on(day):
            merged.append((day, holds_on(day)))
    return merged


def record(connection: psycopg.Connection, build_id: int, config_version: int) -> bool:
    """Writes by which readings a build reads; whether the last build that succeeded read by others."""
    declared = _spans(connection.execute(_DECLARED, {"version": config_version}))
    releases = [
        (Period.parse(period), published_at, _from_json(readings))
        for period, published_at, readings in connection.execute(_RELEASES)
    ]
    spans = merge(declared, releases, connection.execute(_TAKEN).fetchall())
    told = Jsonb([{"valid_from": since.isoformat(), "edition": edition} for since, edition in spans])
    connection.execute(
        "update audit.build set readings = %(told)s where build_id = %(build)s", {"told": told, "build": build_id}
    )
    last = connection.execute(_LAST, {"build": build_id}).fetchone()
    return last is not None and _from_json(last[0]) != spans


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
select release.period, release.published_at, build.readings
from publish.release inner join audit.build using (build_id)
order by release.release_id
"""
_TAKEN = "select period, is_new, taken_at from publish.readings_taken order by taken_id"
_LAST = """
select readings from audit.build where status = 'succeeded' and build_id < %(build)s order by build_id desc limit 1
"""
