"""Before a period is published for the first time: what units see of their own closed numbers, and until when.

To open a closing, to remark and to answer are acts of `assess`; nothing of them moves a score.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg.rows import DictRow, class_row, dict_row, tuple_row

from minhu import database
from minhu.errors import Refused, foreign
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.schemes.scheme import Scheme
from minhu.scoring.explain import explain_units, find_unit, refuse_of_others
from minhu.scoring.explanation import Explanation
from minhu.scoring.score import Run
from minhu.scoring.stored import Stored
from minhu.settings import Settings


@dataclass(frozen=True)
class Feedback:
    """A closing that was opened to units. ``remarks``, ``unanswered``: of those that whoever asks may see."""

    closing_id: int
    scheme_id: str
    period: str
    closed_by: str
    closed_at: datetime
    content_hash: str
    opened_by: str
    opened_at: datetime
    ends_at: datetime
    is_over: bool
    is_published: bool
    is_replaced: bool
    """It was closed again: these numbers will not be published."""
    remarks: int
    unanswered: int

    @property
    def is_open(self) -> bool:
        """Whether units may still remark on it."""
        return not (self.is_over or self.is_published or self.is_replaced)

    def summary(self) -> dict:
        return plain(self)


@dataclass(frozen=True)
class Looked:
    """That units looked before a release. ``unanswered``: of their remarks, when it was published."""

    opened_at: datetime
    ends_at: datetime
    remarks: int
    unanswered: int


def feedback(settings: Settings) -> list[Feedback]:
    """Every closing that was opened to units, the newest first. Raises Refused for a login that reads none."""
    with (
        database.connect(settings) as connection,
        connection.cursor(row_factory=class_row(Feedback)) as cursor,
        foreign.told("read", user=connection.info.user, what="what units look at", instead="an evaluator's does"),
    ):
        return cursor.execute("select * from assess.feedback_state order by closing_id desc").fetchall()


def looked(settings: Settings, release_id: int) -> Looked | None:
    """Whether units looked before a release, and what they said; None where they did not."""
    with database.connect(settings) as connection, connection.cursor(row_factory=class_row(Looked)) as cursor:
        return cursor.execute("select * from publish.feedback_of(%s)", [release_id]).fetchone()


def explain_closing(settings: Settings, closing_id: int, unit: str) -> Explanation:
    """Explains what was closed of ``unit``, as `minhu.publish.stored_release.explain_release` does of a release.

    It shows no place among others: their numbers are not published. Raises Refused where the closing is not there, not
    open to a unit that asks, or holds no score of the unit.
    """
    with database.connect(settings, rows=dict_row) as connection:
        stored = _stored(connection, closing_id)
        code = find_unit(connection, unit, stored.run.period)
        refuse_of_others(connection, [code])
        if not connection.execute(stored.sql(_HAS_UNIT), stored.key | {"unit": code}).fetchone():
            raise Refused(f"closing {closing_id} holds no score of the unit {code}")
        (found,) = explain_units(connection, stored, [code])
        return replace(found, shows_ranks=False, ranked_in_group=0)


def _stored(connection: psycopg.Connection[DictRow], closing_id: int) -> Stored:
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_RUN, [closing_id]).fetchone()
    if row is None:
        raise Refused(f"there is no closing {closing_id} that you may look at, or it is a revision")
    data, period, starts_at, ends_at, as_of, build_id, config_version = row
    run = Run(Scheme.from_entry(data), Period.parse(period), starts_at, ends_at, as_of, build_id, config_version)
    rows = (
        "(select told.* from publish.opened_rows(%(closing_id)s) as frozen"
        " cross join lateral jsonb_populate_record(null::publish.{kind}, frozen.data) as told"
        " where frozen.kind = '{kind}')"
    )
    return Stored(
        run,
        scores=rows.format(kind="unit_score"),
        indicators=rows.format(kind="unit_indicator"),
        evidence=rows.format(kind="evidence"),
        entries=(
            "(select point.* from assess.manual_point as point, publish.closing as closed"
            " where closed.closing_id = %(closing_id)s"
            " and closed.inputs -> 'manual_points' -> 'ids' @> to_jsonb(point.manual_point_id))"
        ),
        condition="true",
        key=run.key | {"closing_id": closing_id},
    )


_RUN = """
select
    entry.data,
    closing.period,
    closing.starts_at,
    closing.ends_at,
    closing.as_of,
    closing.build_id,
    closing.config_version
from publish.closing
inner join config.entry
    on
        entry.kind = 'scheme'
        and entry.key = closing.scheme_id
        and entry.since_version <= closing.config_version
        and (entry.until_version is null or entry.until_version > closing.config_version)
where closing.closing_id = %s and closing.revision = 1
"""
_HAS_UNIT = "select 1 from {scores} where {condition} and unit_code = %(unit)s"
