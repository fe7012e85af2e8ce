"""Proves a published result: its hashes, then its numbers, computed anew from the inputs that it recorded.

    chain      every release from the first, row by row (chain.py)
    inputs     what the release says it rests on is still what the audit tables say
    files      a sample of landed files, or all, is read again and compared with staging (minhu.load.reread)
    recompute  facts of the release's build in a scratch schema, scored there, compared to the last digit
    access     the access log, where the login reads it (access_log_chain.py)
    witnesses  what others hold: the only proof against whoever runs the warehouse (testimony.py)

The scratch schema takes the place of `build` and `mart` in the dbt project and is dropped again; neither is touched,
and a build may run meanwhile.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from minhu import database
from minhu.database.logins import group_of
from minhu.errors import Refused, foreign
from minhu.publish import access_log_chain, testimony
from minhu.publish.chain import Finding, check_chain
from minhu.publish.close import Release, find_release
from minhu.publish.code import code_version
from minhu.publish.stored_release import run_of
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.scoring.law import IN_WORDS, law
from minhu.scoring.score import Run
from minhu.settings import Settings
from minhu.warehouse import dbt
from minhu.warehouse.touch import fill_with_all_cases

if TYPE_CHECKING:
    from minhu.load.reread import Reread

SCRATCH = "minhu_verify"
LOCK = "minhu:verify"
FILES = 20
"""So many landed files are read again unless told."""
_SOME = 20
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


@dataclass(frozen=True)
class Verification:
    """``differences`` is null where nothing was recomputed; ``notes`` say why, or what a difference may come from."""

    release: Release
    releases: int
    last_hash: str
    findings: tuple[Finding, ...]
    changed_inputs: tuple[str, ...]
    differences: tuple[Difference, ...] | None
    notes: tuple[str, ...]
    access: access_log_chain.AccessCheck | None = None
    """What the access log's chain says; null where the login does not read it."""
    witnesses: tuple[testimony.Testimony, ...] = ()
    """Who agreed with the chain, who did not, who was missing."""
    files: "Reread | None" = None
    """Landed files that were read again; null where nothing was computed anew."""

    @property
    def is_ok(self) -> bool:
        """Whether nothing was found that is wrong. A superuser who wrote all hashes anew is not: `is_proven`."""
        return not (
            self.findings
            or self.changed_inputs
            or self.differences
            or (self.access and self.access.findings)
            or (self.files and self.files.deviations)
            or any(one.says == "differs" for one in self.witnesses)
        )

    @property
    def is_proven(self) -> bool:
        """Whether a witness outside agrees: not even who runs the warehouse has changed it since."""
        return self.is_ok and any(one.proves for one in self.witnesses)

    def as_json(self) -> dict:
        return plain(self) | {"is_ok": self.is_ok, "is_proven": self.is_proven}


def verify(
    settings: Settings,
    period: str,
    revision: int | None = None,
    scheme_id: str | None = None,
    *,
    chain_only: bool = False,
    expected: str | None = None,
    anchors: Iterable[str] = (),
    files: int | None = FILES,
    seed: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Checks the chain of all releases and, unless ``chain_only``, computes a revision of ``period`` (the newest) anew.

    ``expected``: the hash of that revision, or its first twelve digits or more, as someone else has kept it. It shows
    what no chain shows by itself: a chain written anew from some release on, every hash of it right.
    ``anchors``: what witnesses hold, as files or hashes, of this release or a later one.
    ``files``: so many landed files, drawn by ``seed`` (made at random unless given), are read again; null is all.

    A login that may not compute anew checks the chain, and a note says so. Raises Refused when it was not published.
    What is wrong is in the result.
    """
    with foreign.told("compute anew"):
        return _verify(
            settings, Period.parse(period), revision, scheme_id, chain_only, expected, anchors, files, seed, tell
        )


def _verify(
    settings: Settings,
    wanted: Period,
    revision: int | None,
    scheme_id: str | None,
    chain_only: bool,
    expected: str | None,
    anchors: Iterable[str],
    files: int | None,
    seed: str | None,
    tell: Callable[[str], None],
) -> Verification:
    with database.connect(settings) as connection:
        release = find_release(connection, wanted.text, revision, scheme_id)
        sees_all = group_of(connection) not in ("unit", "bi")
        releases, last_hash, findings = check_chain(connection, tell, sees_all=sees_all)
        known = _release_of(connection, expected) if expected else None
        may_compute = database.one(connection, "select has_database_privilege(current_database(), 'create')")[0]
    notes = []
    if not sees_all:
        notes.append("本登录只见一部分明细：所见的行逐行核对了内容，其余的行只核对了哈希是否衔接")
    chain_only = chain_only or not may_compute
    if expected is not None and not release.hash.startswith(expected.lower()):
        what = f"哈希为 {release.hash}，不是所给的 {expected}"
        if known:
            what += f"：所给的是 {known.scheme_id} {known.period} 第 {known.revision} 次修订的哈希"
        if known and revision is None and (known.scheme_id, known.period) == (release.scheme_id, release.period):
            notes.append(
                f"第 {release.revision} 次修订{what}，那一次仍在链上；单独核对请加 --revision {known.revision}"
            )
        else:
            findings.append(Finding(release.release_id, release.period, release.revision, "release", None, what))
    shown = [*anchors, *([expected] if expected and release.hash.startswith(expected.lower()) else [])]
    with database.connect(settings) as connection:
        heard = testimony.hear(settings, connection, release, shown)
        if reason := testimony.without(connection, release):
            notes.append(f"发布时没有可用的外部见证：{reason}")
        query = "select inputs from publish.release where release_id = %s"
        recorded = database.one(connection, query, [release.release_id])[0]
        run = None if chain_only else run_of(connection, release)
        retained, lost = (None, None) if chain_only else _gone(connection, release)
        changed = () if chain_only else _changed_inputs(connection, release, recorded)
    is_mean = (
        run is not None and run.scheme.parts(run.period) is not None
    )  # the release records its own rows, not those of other scores
    access = access_log_chain.check(settings)
    if access is None:
        notes.append("本登录不读访问日志，未校验其哈希链")
    if code_version() != recorded["code"]:
        notes.append(
            f"发布时的代码版本为 {recorded['code']['version']}（{recorded['code']['sha256'][:12]}），"
            f"现为 {code_version()['version']}（{code_version()['sha256'][:12]}）；重算的差异可能由此而来"
        )
    if chain_only:
        notes.append("只校验了哈希链，未重算" if may_compute else "重算须由数据仓库的所有者执行，本登录只校验哈希链")
    elif retained:
        notes.append(retained)
    elif is_mean:
        notes.append("本期得分是各短周期得分的平均，只校验了哈希，未重算；请逐个校验各短周期")
    differences, read_again = None, None
    if run:
        read_again = _reread(settings, release, files, seed, tell)
    if run and not (retained or is_mean):
        differences = tuple(recompute(settings, release, run, recorded, tell))
    return Verification(
        release,
        releases,
        last_hash,
        tuple(findings),
        (*changed, *filter(None, [lost])),
        differences,
        tuple(notes),
        access,
        heard,
        read_again,
    )


class _Known(NamedTuple):
    scheme_id: str
    period: str
    revision: int


def _release_of(connection: psycopg.Connection, expected: str) -> _Known | None:
    """Which release has this hash, or one that begins so."""
    query = "select scheme_id, period, revision from publish.release where starts_with(hash, %s) order by release_id"
    with connection.cursor(row_factory=class_row(_Known)) as cursor:
        return cursor.execute(query, [expected.lower()]).fetchone()


def _reread(
    settings: Settings, release: Release, files: int | None, seed: str | None, tell: Callable[[str], None]
) -> "Reread":
    """Of the batches that the release rests on. A seed that nobody knew before cannot be prepared for."""
    from minhu.load.reread import reread  # here: who reads a release reads no files

    with database.connect(settings) as connection:
        rested = connection.execute("select batch_id from publish.batches_of(%s)", [release.build_id]).fetchall()
    batches = [batch_id for (batch_id,) in rested]
    why = f"verify {release.period} revision {release.revision}"
    if files is None:
        return reread(settings, batches, why, tell=tell)
    return reread(settings, batches, why, seed=seed or secrets.token_hex(8), number=files, tell=tell)


def _changed_inputs(connection: psycopg.Connection, release: Release, recorded: dict) -> tuple[str, ...]:
    """Which recorded inputs the audit tables tell otherwise today."""
    asked = (
        release.build_id,
        release.config_version,
        release.scheme_id,
        recorded["manual_points"]["ids"],
        Jsonb(recorded["code"]),
    )
    today = database.one(connection, "select publish.inputs(%s, %s, %s, %s::bigint[], %s)", asked)[0]
    return tuple(name for name, told in today.items() if told != recorded[name])


# Rows of staging that are not there: retention accounts for those it took; identical versions between two others decide
# over nothing.
_GONE = """
with present as (
    select batch_id, count(*) as number
    from (
        select batch_id from staging.case_record
        union all
        select batch_id from staging.case_event
        union all
        select batch_id from staging.callback
    ) as staged
    group by batch_id
),
pruned as (
    select batch_id, coalesce(sum(rows) filter (where what = 'identical_rows'), 0) as identical,
        coalesce(sum(rows) filter (where what not in ('identical_rows', 'rejected_rows', 'landed_file')), 0) as taken
    from audit.pruned
    group by batch_id
)
select count(*) filter (where taken > 0), count(*) filter (where missing <> taken),
    min(batch_id) filter (where missing <> taken)
from (
    select batch.batch_id, coalesce(pruned.taken, 0) as taken,
        batch.staged_rows - coalesce(present.number, 0) - coalesce(pruned.identical, 0) as missing
    from publish.batches_of(%s) as seen
    inner join audit.batch on seen.batch_id = batch.batch_id
    left join present on batch.batch_id = present.batch_id
    left join pruned on batch.batch_id = pruned.batch_id
) as batches
"""


def _gone(connection: psycopg.Connection, release: Release) -> tuple[str | None, str | None]:
    """In words: what retention took of the rows that the release rests on, and what is gone without account."""
    retained, lost, first = database.one(connection, _GONE, [release.build_id])
    return (
        f"{retained} 个批次的接入数据已按保存期限清除，只校验了哈希，未重算" if retained else None,
        f"staging：{lost} 个批次的接入行数与登记不符（首个为批次 {first}）" if lost else None,
    )


def recompute(
    settings: Settings,
    release: Release,
    run: Run,
    recorded: dict,
    tell: Callable[[str], None],
    take: Callable[[psycopg.Connection], None] = lambda connection: None,
    some: int | None = _SOME,
) -> list[Difference]:
    """What comes out otherwise than it was published, computed anew in a scratch schema from the inputs ``recorded``.

    ``take`` may give the facts in the schema `SCRATCH` what is not to be computed; ``some``: how many rows of evidence
    are named, null for all.
    """
    with database.held(settings, LOCK), database.connect(settings, autocommit=True) as keeper:
        try:
            _make_scratch(settings, recorded)
            tell(f"重算 {release.period}：事实表（构建 {release.build_id} 所见的批次）")
            _dbt(settings, "tag:facts", {"build_id": run.build_id, "config_version": run.config_version})
            take(keeper)
            tell(f"重算 {release.period}：得分")
            _dbt(settings, "tag:scoring", run.variables)
            tell(f"重算 {release.period}：比对")
            return [*_compare(keeper, release, some), *_compare_law(keeper, release, run)]
        finally:
            keeper.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(SCRATCH)))


def _make_scratch(settings: Settings, recorded: dict) -> None:
    with database.connect(settings) as connection:
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(SCRATCH)))
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(SCRATCH)))
        fill_with_all_cases(connection, SCRATCH)
        columns = [
            name
            for (name,) in connection.execute(
                "select attname from pg_attribute where attrelid = 'assess.manual_point_in_force'::regclass"
                " and attnum > 0 and not attisdropped order by attnum"
            )
        ]
        connection.execute(
            sql.SQL(
                "create view {}.manual_point_in_force as select {} from assess.manual_point"
                " where manual_point_id = any({})"
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


def _dbt(settings: Settings, select: str, variables: dict[str, object]) -> None:
    # fct_indicator_case shows all runs of mart and is none of this one's numbers, the tests judged the build then, and
    # no score asks the others.
    exclude = ("fct_indicator_case", "event_version", "lifecycle_anomaly", "orphan", "resource_type:test")
    done = dbt.run(settings, select, {**variables, "scratch": SCRATCH}, exclude=exclude, work="dbt_verify")
    if not done.is_ok:
        raise Refused(f"recomputing failed, which proves nothing: {done.complaint}")


def _compare(connection: psycopg.Connection, release: Release, some: int | None) -> list[Difference]:
    return [
        *_compare_rows(connection, release, "unit_score", ("unit_code",)),
        *_compare_rows(connection, release, "unit_indicator", ("unit_code", "indicator_code")),
        *_compare_evidence(connection, release, some),
    ]


def _compare_rows(
    connection: psycopg.Connection, release: Release, table: str, key: tuple[str, ...]
) -> list[Difference]:
    def rows(place: sql.Composable, condition: str) -> dict[tuple, dict]:
        with connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(sql.SQL("select * from {} where {}").format(place, sql.SQL(condition)), [release.release_id])
            return {tuple(row[name] for name in key): row for row in cursor}

    frozen = _frozen_columns(connection, release, table)
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


def _frozen_columns(connection: psycopg.Connection, release: Release, kind: str) -> set[str]:
    """The columns that the rows of a release were made with: one that came later says nothing of them."""
    asked = {"scheme": release.scheme_id, "period": release.period, "revision": release.revision, "kind": kind}
    return {name for (name,) in connection.execute(_FROZEN_COLUMNS, asked)}


def _compare_law(connection: psycopg.Connection, release: Release, run: Run) -> list[Difference]:
    """What was published of the law against the scheme that the release names; not how the code words it."""
    found = []
    for mart_table, rows in law(run.scheme, run.period).items():
        table = mart_table.removeprefix("dim_")
        if not _frozen_columns(connection, release, table):
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
    frozen = _frozen_columns(connection, release, "evidence") or set(_COMPARED)
    names = [name for name in _COMPARED if name in frozen]
    query = sql.SQL(_EVIDENCE).format(
        scratch=sql.Identifier(SCRATCH),
        of_evidence=sql.SQL(", ").join(sql.Identifier("evidence", name) for name in names),
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    told = connection.execute(query, {"release": release.release_id, "some": some}).fetchall()
    found = []
    for unit, indicator, subject, case, before, after in told:
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


_COMPARED = (
    *("unit_code", "indicator_code", "subject_kind", "subject_id", "numerator_value", "denominator_value"),
    *("excluded_reason", "due_at", "occurred_at", "case_id", "lost_points", "marginal_points"),
)
_EVIDENCE = """
with recomputed as (
    select {of_evidence}
    from {scratch}.fct_evidence as evidence
    inner join {scratch}.fct_unit_indicator as points using (unit_code, indicator_code)
    where evidence.excluded_reason is not null or points.points < points.points_max
),
published as (
    select {columns}
    from publish.evidence_of_release
    where release_id = %(release)s
),
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
