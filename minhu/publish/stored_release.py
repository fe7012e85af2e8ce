"""A release as the score that it is: read from ``publish`` alone, by what also reads the newest score."""

from typing import Any

import psycopg
from psycopg.rows import dict_row, tuple_row

from minhu import database
from minhu.errors import Refused
from minhu.publish.close import Release, find_release
from minhu.schemes.period import Period
from minhu.schemes.scheme import Scheme
from minhu.scoring.explain import explain_units, find_unit, refuse_of_others
from minhu.scoring.explanation import Explanation
from minhu.scoring.score import Run, stored_runs
from minhu.scoring.stored import Stored
from minhu.settings import Settings


def run_of(connection: psycopg.Connection[Any], release: Release) -> Run:
    """What was scored: the scheme in the words of the configuration that the release rests on."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        data, starts_at, ends_at = database.one(
            cursor,
            "select entry.data, release.starts_at, release.ends_at from publish.release inner join config.entry"
            " on entry.kind = 'scheme' and entry.key = release.scheme_id"
            " and entry.since_version <= release.config_version"
            " and (entry.until_version is null or entry.until_version > release.config_version)"
            " where release.release_id = %s",
            [release.release_id],
        )
    return Run(
        Scheme.from_entry(data),
        Period.parse(release.period),
        starts_at,
        ends_at,
        release.as_of,
        release.build_id,
        release.config_version,
    )


def stored_release(connection: psycopg.Connection[Any], release: Release) -> Stored:
    """The rows of a release. Points by hand are those that it rests on, whatever was decided about them since."""
    run = run_of(connection, release)
    return Stored(
        run,
        scores="publish.unit_score",
        indicators="publish.unit_indicator",
        evidence="publish.evidence_of_release",
        entries=(
            "(select point.* from assess.manual_point as point, publish.release as of_release"
            " where of_release.release_id = %(release_id)s"
            " and of_release.inputs -> 'manual_points' -> 'ids' @> to_jsonb(point.manual_point_id))"
        ),
        condition="release_id = %(release_id)s",
        key=run.key | {"release_id": release.release_id},
        revision=release.revision,
        numbers="publish.row_of_release",
    )


def stored_score(
    connection: psycopg.Connection[Any],
    period: Period,
    scheme_id: str | None = None,
    *,
    revision: int | None = None,
    is_draft: bool = False,
) -> Stored:
    """What is published of a period, its newest revision unless told; its newest score where nothing is, or where a
    draft is asked for.

    Raises Refused where there is none, or several schemes have one and none is named.
    """
    if not is_draft and (revision or has_release(connection, period, scheme_id)):
        return stored_release(connection, find_release(connection, period.text, revision, scheme_id))
    runs = stored_runs(connection, period, scheme_id)
    schemes = sorted({run.scheme.scheme_id for run in runs})
    if len(schemes) > 1:
        raise Refused(f"{period.text} was scored by {' and '.join(schemes)}; name one with --scheme")
    return Stored.newest(runs[0])


def has_release(connection: psycopg.Connection[Any], period: Period, scheme_id: str | None = None) -> bool:
    """Whether anything of the period is published."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return database.one(
            cursor,
            "select exists (select from publish.release where period = %(period)s"
            " and (%(scheme)s::text is null or scheme_id = %(scheme)s))",
            {"period": period.text, "scheme": scheme_id},
        )[0]


def explain_release(
    settings: Settings,
    unit: str,
    period: str,
    indicator: str | None = None,
    *,
    revision: int | None = None,
    scheme_id: str | None = None,
) -> Explanation:
    """Explains what was published of ``unit``, as `minhu.scoring.explain` does of the newest score.

    ``revision``: the newest unless given. Raises Refused when there is no such unit, revision or indicator.
    """
    wanted = Period.parse(period)
    with database.connect(settings, rows=dict_row) as connection:
        code = find_unit(connection, unit, wanted)
        refuse_of_others(connection, [code])
        stored = stored_release(connection, find_release(connection, wanted.text, revision, scheme_id))
        asked = stored.key | {"unit": code}
        if not connection.execute(stored.sql(_HAS_UNIT), asked).fetchone():
            raise Refused(f"revision {stored.revision} of {wanted.text} has no score of the unit {code}")
        (found,) = explain_units(connection, stored, [code], indicator)
        return found


_HAS_UNIT = "select 1 from {scores} where {condition} and unit_code = %(unit)s"
