"""Computes a published result anew in a scratch schema, from the inputs that it recorded, and says what differs.

The scratch schema takes the place of `build` and `mart` in the dbt project and is dropped again; neither is touched,
and a build may run meanwhile.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused
from minhu.publish.close import Release
from minhu.scoring import points
from minhu.scoring.earlier import as_recorded
from minhu.scoring.law import IN_WORDS, law
from minhu.scoring.score import Run
from minhu.settings import Settings
from minhu.warehouse import dbt
from minhu.warehouse.detached import Month, lacking
from minhu.warehouse.touch import fill_with_all_cases, fill_with_cases

SCRATCH = "minhu_verify"
LOCK = "minhu:verify"
SOME = 20
"""So many rows of evidence are named; more is a number."""


class RowsApart(Refused):
    """Rows that it takes are kept out of staging with ``months``."""

    def __init__(self, months: list[Month]) -> None:
        self.months = months
        named = ", ".join(f"{one.month_on:%Y-%m}" for one in months)
        super().__init__(f"rows of {named} are kept out of staging: bring them back with `minhu months attach`")


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
    every_case: bool = False,
) -> list[Difference]:
    """What comes out otherwise than it was published, computed anew in a scratch schema from the inputs ``recorded``.

    Of the cases those are computed that can count in the period, and what they rest on; with ``every_case`` all that
    were ever told of, which takes as long as a full refresh and gives the same. ``take`` may give the facts in the
    schema `SCRATCH` what is not to be computed; ``some``: how many rows of evidence are named, null for all.
    """

    def fill(connection: psycopg.Connection) -> None:
        if every_case:
            fill_with_all_cases(connection, SCRATCH)
        else:
            fill_with_cases(connection, SCRATCH, _CAN_COUNT, _reach(connection, run))

    with scratch(settings, recorded, fill) as keeper:
        cases = database.one(keeper, f"select count(*) from {SCRATCH}.touched_case where is_rebuilt")[0]
        tell(f"重算 {release.period}：{cases:,} 件工单的事实表（构建 {release.build_id} 所见的批次）")
        compute(settings, "tag:facts", {"build_id": run.build_id, "config_version": run.config_version})
        take(keeper)
        tell(f"重算 {release.period}：得分")
        compute_points(settings, run, release.release_id)
        tell(f"重算 {release.period}：比对")
        return [
            *_compare(keeper, release, some),
            *compare_law(keeper, release, run),
            *earlier_differences(keeper, release),
        ]


def _reach(connection: psycopg.Connection, run: Run) -> dict[str, object]:
    """The moments between which something must have been told of a case that counts in the period.

    ``since``: from when on a duty can have begun whose limit ends in the period, by the longest of the rules, with room
    for holidays. A day is given to times that were told as days.
    """
    longest = max(
        (_days(amount, unit) for amount, unit in connection.execute(_LIMITS, 2 * [run.config_version])), default=0
    )
    return {
        "since": run.since - timedelta(days=longest + 1),
        "edge": run.since - timedelta(days=1),
        "until": run.ends_at + timedelta(days=1),
    }


def months_wanted(connection: psycopg.Connection, release: Release, run: Run) -> list[Month]:
    """The months kept out of staging of which cases can count in a release; what those rest on is seen by `scratch`.

    What was told is not there to be asked, so their facts are, and the rows that the release was counted from.
    """
    return lacking(connection, _MAY_COUNT, _reach(connection, run) | {"release_id": release.release_id})


def _days(amount: int, unit: str) -> int:
    """So many days a limit lasts at most. Of two days one is a workday, but for a fortnight of holidays in a row."""
    per_day = {"minute": 1440, "hour": 24, "day": 1, "work_minute": 120, "work_hour": 2, "workday": 1}[unit]
    whole = -(-amount // per_day)
    return 2 * whole + 15 if unit.startswith("work") else whole + 15  # one that starts the next workday waits for it


_LIMITS = """
select (data ->> 'amount')::integer, data ->> 'unit' from config.entry
where kind = 'limit_rule' and since_version <= %s and (until_version is null or until_version > %s)
"""

# Asked of what was told, never of the facts, which are what is to be proven: a case that was kept out of them is here.
# A case counts by a moment that was told of it, by a limit that was told, or by one that follows from a duty's
# beginning. What was extended may end long after it began, and is looked at whenever that was.
_CAN_COUNT = """
with told as (
    select r.feed_code, r.case_no
    from staging.case_record as r
    where r.received_at >= %(since)s and r.received_at < %(until)s
    union
    select r.feed_code, r.case_no
    from staging.case_record as r
    cross join lateral jsonb_to_recordset(r.milestones) as m (
        event_type text, occurred_at timestamptz, due_at timestamptz
    )
    where m.event_type = 'EXTEND_GRANT' or (m.occurred_at >= %(since)s and m.occurred_at < %(until)s)
        or (m.due_at >= %(edge)s and m.due_at < %(until)s)
    union
    select e.case_feed_code, e.case_no
    from staging.case_event as e
    where e.event_type = 'EXTEND_GRANT' or (e.occurred_at >= %(since)s and e.occurred_at < %(until)s)
        or (e.due_at >= %(edge)s and e.due_at < %(until)s)
    union
    select c.case_feed_code, c.case_no
    from staging.callback as c
    where c.called_at >= %(edge)s and c.called_at < %(until)s
    union
    select r.feed_code, r.case_no
    from assess.violation as found
    inner join staging.case_record as r on found.case_id = md5(r.feed_code || '|' || r.case_no)
    where found.found_at >= %(edge)s and found.found_at < %(until)s
)
select md5(feed_code || '|' || case_no) as case_id, feed_code, case_no from told
"""


_MAY_COUNT = """
select f.case_id from mart.fct_case as f where f.received_at >= %(since)s and f.received_at < %(until)s
union
select e.case_id from mart.fct_event as e where e.occurred_at >= %(since)s and e.occurred_at < %(until)s
union
select t.case_id from mart.fct_timeliness as t where t.due_at >= %(edge)s and t.due_at < %(until)s
    or t.extended_due_at >= %(edge)s and t.extended_due_at < %(until)s
union
select s.case_id from mart.fct_satisfaction as s where s.called_at >= %(edge)s and s.called_at < %(until)s
union
select r.case_id from publish.indicator_case as r where r.release_id = %(release_id)s and r.case_id is not null
"""


@contextmanager
def scratch(
    settings: Settings, recorded: dict, fill: Callable[[psycopg.Connection], None]
) -> Iterator[psycopg.Connection]:
    """The schema `SCRATCH` while the context lasts. ``fill`` makes its touched_case: the cases that are computed.

    Raises RowsApart where rows of them, or of those that they rest on, are kept out of staging.
    """
    with database.held(settings, LOCK), database.connect(settings, autocommit=True) as keeper:
        try:
            with database.connect(settings) as connection:
                _make_scratch(connection, recorded)
                fill(connection)
                if apart := lacking(connection, f"select case_id from {SCRATCH}.touched_case", {}):
                    raise RowsApart(apart)
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


def compute_points(settings: Settings, run: Run, release_id: int) -> None:
    """Counts and gives points in the schema `SCRATCH`, as a score does. Raises Refused where a model fails.

    Of earlier periods what the release recorded is taken; whether they stand so is asked by `earlier_differences`.
    """
    _judge(
        points.compute(
            settings,
            lambda select, exclude: _run(settings, select, run.variables, exclude),
            run.scheme,
            run.period,
            run.key,
            run.parts,
            as_recorded(release_id),
            SCRATCH,
        )
    )


_NOT_ASKED = ("fct_event", "event_version", "lifecycle_anomaly", "orphan")
"""Facts that no score asks; `tests/publish/test_recompute.py` holds them against the dbt project."""


def compute(settings: Settings, select: str, variables: dict[str, object]) -> None:
    """Runs the models that ``select`` names in the schema `SCRATCH`. Raises Refused where one fails."""
    _judge(_run(settings, select, variables))


def _run(settings: Settings, select: str, variables: dict[str, object], exclude: Sequence[str] = ()) -> dbt.DbtRun:
    left_out = (*_NOT_ASKED, "resource_type:test", *exclude)  # the tests judged the build then
    return dbt.run(settings, select, {**variables, "scratch": SCRATCH}, exclude=left_out, work="dbt_verify")


def _judge(done: dbt.DbtRun) -> None:
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


def earlier_differences(connection: psycopg.Connection, release: Release) -> list[Difference]:
    """What the release recorded of earlier releases that is not what these say. What it took of a score that was never
    published stands in its rows alone: of that nothing else is kept."""
    rows = connection.execute(_EARLIER, {"release_id": release.release_id}).fetchall()
    return [
        Difference("unit_indicator", unit, indicator, f"earlier {period}", recorded, stands)
        for unit, indicator, period, recorded, stands in rows
    ]


_EARLIER = """
select told.unit_code, told.indicator_code, was.period,
    was.numerator || '/' || was.denominator, stood.numerator || '/' || coalesce(stood.denominator, 0)
from publish.unit_indicator as told
cross join lateral jsonb_to_recordset(told.earlier) as was (
    period text, numerator text, denominator text, release_id bigint
)
inner join publish.indicator as law
    on law.release_id = told.release_id and law.indicator_code = told.indicator_code
left join publish.unit_indicator as stood
    on stood.release_id = was.release_id and stood.unit_code = told.unit_code
    and stood.indicator_code = told.indicator_code
where told.release_id = %(release_id)s and was.release_id is not null
    and law.aggregate not in ('median', 'p90')
    and (was.numerator, was.denominator)
    is distinct from (trim_scale(stood.numerator)::text, trim_scale(coalesce(stood.denominator, 0))::text)
order by 1, 2, 3
"""


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
where evidence.excluded_reason is not null or points.points < points.points_max or points.has_happened
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
