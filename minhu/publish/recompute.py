"""Computes a published result anew in a scratch schema, from the inputs that it recorded, and says what differs.

The scratch schema takes the place of `build` and `mart` in the dbt project and is dropped again; neither is touched,
and a build may run meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused
from minhu.publish.close import Release
from minhu.scoring.law import IN_WORDS, law
from minhu.scoring.score import Run
from minhu.settings import Settings
from minhu.warehouse import dbt
from minhu.warehouse.touch import fill_with_all_cases

SCRATCH = "minhu_verify"
LOCK = "minhu:verify"
SOME = 20
"""So many rows of evidence are named; more is a number."""


@dataclass(frozen=True)
class Difference:
    """A number that comes out otherwise than it was published; null on the side where the row is missing."""

    table: str
    unit_code: str
    indicator_code: str | None
    column: str
    published: str | None
    recomputed: str | None
    case: str | None = None
    """Of a row of evidence: the hotline and the number of its case."""

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.unit_code, self.indicator_code, self.case and f"工单 {self.case}")))
        return f"{place} {self.column}：已发布 {self.published}，重算 {self.recomputed}"


def recompute(
    settings: Settings,
    release: Release,
    run: Run,
    recorded: dict,
    tell: Callable[[str], None],
    take: Callable[[psycopg.Connection], None] = lambda connection: None,
    some: int | None = SOME,
) -> list[Difference]:
    """What comes out otherwise than it was published, computed anew in a scratch schema from the inputs ``recorded``.

    ``take`` may give the facts in the schema `SCRATCH` what is not to be computed; ``some``: how many rows of evidence
    are named, null for all.
    """
    with scratch(settings, recorded, lambda connection: fill_with_all_cases(connection, SCRATCH)) as keeper:
        tell(f"重算 {release.period}：事实表（构建 {release.build_id} 所见的批次）")
        compute(settings, "tag:facts", {"build_id": run.build_id, "config_version": run.config_version})
        take(keeper)
        tell(f"重算 {release.period}：得分")
        compute(settings, "tag:scoring", run.variables)
        tell(f"重算 {release.period}：比对")
        return [*_compare(keeper, release, some), *compare_law(keeper, release, run)]


@contextmanager
def scratch(
    settings: Settings, recorded: dict, fill: Callable[[psycopg.Connection], None]
) -> Iterator[psycopg.Connection]:
    """The schema `SCRATCH` while the context lasts. ``fill`` makes its touched_case: the cases that are computed."""
    with database.held(settings, LOCK), database.connect(settings, autocommit=True) as keeper:
        try:
            with database.connect(settings) as connection:
                _make_scratch(connection, recorded)
                fill(connection)
            yield keeper
        finally:
            keeper.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(SCRATCH)))


def _make_scratch(connection: psycopg.Connection, recorded: dict) -> None:
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(SCRATCH)))
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(SCRATCH)))
    columns = database.columns(connection, "assess.manual_point_in_force")
    connection.execute(
        sql.SQL(
            "create view {}.manual_point_in_force as select {} from assess.manual_point where manual_point_id = any({})"
        ).format(
            sql.Identifier(SCRATCH),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.Literal(recorded["manual_points"]["ids"]),
        )
    )
    connection.execute(
        sql.SQL("create view {}.feed_quality as select * from audit.feed_quality_as_of({})").format(
            sql.Identifier(SCRATCH), sql.Literal(recorded["build_id"])
        )
    )


_NOT_ASKED = ("fct_event", "event_version", "lifecycle_anomaly", "orphan")
"""Facts that no score asks; `tests/publish/test_recompute.py` holds them against the dbt project."""


def compute(settings: Settings, select: str, variables: dict[str, object]) -> None:
    """Runs the models that ``select`` names in the schema `SCRATCH`. Raises Refused where one fails."""
    exclude = (*_NOT_ASKED, "resource_type:test")  # the tests judged the build then
    done = dbt.run(settings, select, {**variables, "scratch": SCRATCH}, exclude=exclude, work="dbt_verify")
    if not done.is_ok:
        raise Refused(f"recomputing failed, which proves nothing: {done.complaint}")


def _compare(connection: psycopg.Connection, release: Release, some: int | None) -> list[Difference]:
    return [*compare_scores(connection, release), *_compare_evidence(connection, release, some)]


def compare_scores(connection: psycopg.Connection, release: Release, but: tuple[str, ...] = ()) -> list[Difference]:
    """Every column, ``but`` those named, of scores and indicators that the release was made with."""
    found = [
        *_compare_rows(connection, release, "unit_score", ("unit_code",)),
        *_compare_rows(connection, release, "unit_indicator", ("unit_code", "indicator_code")),
    ]
    return [one for one in found if one.column not in but]


def _compare_rows(
    connection: psycopg.Connection, release: Release, table: str, key: tuple[str, ...]
) -> list[Difference]:
    def rows(place: sql.Composable, condition: str) -> dict[tuple, dict]:
        with connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(sql.SQL("select * from {} where {}").format(place, sql.SQL(condition)), [release.release_id])
            return {tuple(row[name] for name in key): row for row in cursor}

    frozen = frozen_columns(connection, release, table)
    published = rows(sql.Identifier("publish", table), "release_id = %s")
    recomputed = rows(sql.Identifier(SCRATCH, f"fct_{table}"), "%s is not null")
    found = []
    for place in sorted(published.keys() | recomputed.keys()):
        unit, indicator = (*place, None)[:2]
        before, after = published.get(place), recomputed.get(place)
        if before is None or after is None:
            told = ["有" if row else "无" for row in (before, after)]
            found.append(Difference(table, unit, indicator, "row", *told))
            continue
        found += [
            Difference(table, unit, indicator, name, _said(before[name]), _said(after[name]))
            for name in after
            if name in frozen and before[name] != after[name]
        ]
    return found


def frozen_columns(connection: psycopg.Connection, release: Release, kind: str) -> set[str]:
    """The columns that the rows of a release were made with: one that came later says nothing of them."""
    asked = {"scheme": release.scheme_id, "period": release.period, "revision": release.revision, "kind": kind}
    return {name for (name,) in connection.execute(_FROZEN_COLUMNS, asked)}


def compare_law(connection: psycopg.Connection, release: Release, run: Run) -> list[Difference]:
    """What was published of the law against the scheme that the release names; not how the code words it."""
    found = []
    for mart_table, rows in law(run.scheme, run.period).items():
        table = mart_table.removeprefix("dim_")
        if not frozen_columns(connection, release, table):
            continue  # released before the law was frozen with it
        with connection.cursor(row_factory=dict_row) as cursor:
            query = sql.SQL("select * from {} where release_id = %s order by row_no").format(
                sql.Identifier("publish", table)
            )
            published = cursor.execute(query, [release.release_id]).fetchall()
        if len(published) != len(rows):
            found.append(Difference(table, release.scheme_id, None, "row", str(len(published)), str(len(rows))))
        found += [
            Difference(table, release.scheme_id, row.get("indicator_code"), name, _said(told[name]), _said(row[name]))
            for told, row in zip(published, rows, strict=False)
            for name in row
            if name not in IN_WORDS and told[name] != row[name]
        ]
    return found


# Of evidence a revision holds only what moved: where nothing did, the rows are those of the one before.
_FROZEN_COLUMNS = """
select jsonb_object_keys(newest.data)
from (
    select frozen.data
    from publish.release
    inner join publish.frozen_row as frozen using (closing_id)
    where release.scheme_id = %(scheme)s and release.period = %(period)s and release.revision <= %(revision)s
        and frozen.kind = %(kind)s
    order by release.revision desc, frozen.row_no
    limit 1
) as newest
"""


def _said(value: object) -> str | None:
    return None if value is None else str(value)


def _compare_evidence(connection: psycopg.Connection, release: Release, some: int | None) -> list[Difference]:
    names = compared_columns(connection, release)
    return evidence_differences(
        connection,
        names,
        published=sql.SQL(_PUBLISHED).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, names)), release=sql.Literal(release.release_id)
        ),
        recomputed=sql.SQL(_RECOMPUTED).format(
            scratch=sql.Identifier(SCRATCH),
            columns=sql.SQL(", ").join(sql.Identifier("evidence", name) for name in names),
        ),
        some=some,
    )


def compared_columns(connection: psycopg.Connection, release: Release) -> list[str]:
    """The columns of evidence that are compared: those that the release was made with."""
    frozen = frozen_columns(connection, release, "evidence") or set(_COMPARED)
    return [name for name in _COMPARED if name in frozen]


def evidence_differences(
    connection: psycopg.Connection,
    names: list[str],
    *,
    published: sql.Composable,
    recomputed: sql.Composable,
    some: int | None,
) -> list[Difference]:
    """What two queries of the columns ``names`` tell otherwise; ``some`` rows are named, null for all."""
    query = sql.SQL(_MOVED).format(scratch=sql.Identifier(SCRATCH), published=published, recomputed=recomputed)
    found = []
    for unit, indicator, subject, case, before, after in connection.execute(query, {"some": some}).fetchall():
        if before is None or after is None:
            was, is_now = ("有" if row else "无" for row in (before, after))
            found.append(Difference("evidence", unit, indicator, subject, was, is_now, case))
            continue
        found += [
            Difference("evidence", unit, indicator, name, _said(before[name]), _said(after[name]), case)
            for name in names
            if before[name] != after[name]
        ]
    return found


OF_OTHERS = ("lost_points", "marginal_points")
"""What a row costs depends on all the others of its unit and indicator."""
_COMPARED = (
    *("unit_code", "indicator_code", "subject_kind", "subject_id", "numerator_value", "denominator_value"),
    *("excluded_reason", "due_at", "occurred_at", "case_id", *OF_OTHERS),
)
_PUBLISHED = "select {columns} from publish.evidence_of_release where release_id = {release}"
_RECOMPUTED = """
select {columns}
from {scratch}.fct_evidence as evidence
inner join {scratch}.fct_unit_indicator as points using (unit_code, indicator_code)
where evidence.excluded_reason is not null or points.points < points.points_max
"""
_MOVED = """
with recomputed as ({recomputed}),
published as ({published}),
only_published as (select * from published except all select * from recomputed),
only_recomputed as (select * from recomputed except all select * from published),
moved as (
    select unit_code, indicator_code, subject_kind, subject_id, to_jsonb(only_published) as before,
        to_jsonb(only_recomputed) as after, coalesce(only_published.case_id, only_recomputed.case_id) as case_id
    from only_published
    full join only_recomputed using (unit_code, indicator_code, subject_kind, subject_id)
)
select moved.unit_code, moved.indicator_code, moved.subject_kind || ' ' || moved.subject_id,
    coalesce(cases.feed_code || ' ' || cases.case_no, moved.case_id), moved.before, moved.after
from moved
left join {scratch}.fct_case as cases on moved.case_id = cases.case_id
-- what differs in itself before what only costs something else because others differ
order by (moved.before - '{{lost_points,marginal_points}}'::text[])
    is not distinct from (moved.after - '{{lost_points,marginal_points}}'::text[]), 1, 2, 3
limit %(some)s
"""
