"""Proves a published result: its hashes, then its numbers, computed anew from the inputs that it recorded.

    chain      every release from the first, row by row (chain.py)
    inputs     what the release says it rests on is still what the audit tables say
    files      a sample of landed files, or all, is read again and compared with staging (minhu.load.reread)
    recompute  facts of the release's build in a scratch schema, scored, compared to the last digit (recompute.py);
               or, asked for, what cases drawn at random counted (sampled.py)
    access     the access log, where the login reads it (access_log_chain.py)
    witnesses  what others hold: the only proof against whoever runs the warehouse (testimony.py)

Each is told, whatever another has found.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from minhu import database
from minhu.database.logins import group_of
from minhu.errors import foreign
from minhu.publish import access_log_chain, testimony
from minhu.publish.chain import Finding, check_chain
from minhu.publish.close import Release, find_release
from minhu.publish.code import code_version
from minhu.publish.recompute import Difference, RowsApart, months_wanted, recompute
from minhu.publish.sampled import CasesChecked, check_cases
from minhu.publish.stored_release import run_of
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.scoring.score import Run
from minhu.settings import Settings
from minhu.warehouse.detached import Month

if TYPE_CHECKING:
    from minhu.load.reread import Reread

FILES = 20
"""So many landed files are read again unless told."""


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
    cases: CasesChecked | None = None
    """The cases that were drawn, where only a sample was computed anew; ``differences`` are theirs then."""

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
    cases: int | None = None,
    every_case: bool = False,
    seed: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Checks the chain of all releases and, unless ``chain_only``, computes a revision of ``period`` (the newest) anew.

    ``expected``: the hash of that revision, or its first twelve digits or more, as someone else has kept it. It shows
    what no chain shows by itself: a chain written anew from some release on, every hash of it right.
    ``anchors``: what witnesses hold, as files or hashes, of this release or a later one.
    ``files``: so many landed files, drawn by ``seed`` (made at random unless given), are read again; null is all.
    ``cases``: instead of everything, so many cases, drawn by the same seed, are computed anew (sampled.py).
    ``every_case``: also those that cannot count in the period are computed; it gives the same and takes years' worth.

    A login that may not compute anew checks the chain, and a note says so. Raises Refused when it was not published.
    What is wrong is in the result.
    """
    with foreign.told("compute anew"):
        return _verify(
            settings,
            Period.parse(period),
            revision,
            scheme_id,
            chain_only,
            expected,
            anchors,
            files,
            cases,
            every_case,
            seed or secrets.token_hex(8),
            tell,
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
    cases: int | None,
    every_case: bool,
    seed: str,
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
        apart = [] if run is None else months_wanted(connection, release, run)
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
    elif apart:
        notes += [_wanted(one) for one in apart]
    elif is_mean:
        notes.append("本期得分是各短周期得分的平均，只校验了哈希，未重算；请逐个校验各短周期")
    differences, read_again, checked = None, None, None
    if run:
        read_again = _reread(settings, release, files, seed, tell)
    if run and not (retained or is_mean or apart):
        try:
            checked, differences = _computed(settings, release, run, recorded, cases, every_case, seed, tell)
        except RowsApart as lacks:
            notes += [_wanted(one) for one in lacks.months]
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
        checked,
    )


def _computed(
    settings: Settings,
    release: Release,
    run: Run,
    recorded: dict,
    cases: int | None,
    every_case: bool,
    seed: str,
    tell: Callable[[str], None],
) -> tuple[CasesChecked | None, tuple[Difference, ...]]:
    """The numbers computed anew: of the cases that were drawn, or of all."""
    if cases is None:
        return None, tuple(recompute(settings, release, run, recorded, tell, every_case=every_case))
    checked, found = check_cases(settings, release, run, recorded, cases, seed, tell)
    return checked, tuple(found)


def _wanted(month: Month) -> str:
    names = "、".join(f"{file.table} {file.sha256[:12]}" for file in month.files)
    return (
        f"{month.month_on:%Y-%m} 的接入数据已移出（{names}），只校验了哈希，未重算；"
        f"接回后重算：minhu months attach {month.month_on:%Y-%m}"
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
    settings: Settings, release: Release, files: int | None, seed: str, tell: Callable[[str], None]
) -> "Reread":
    """Of the batches that the release rests on. A seed that nobody knew before cannot be prepared for."""
    from minhu.load.reread import reread  # here: who reads a release reads no files

    with database.connect(settings) as connection:
        rested = connection.execute("select batch_id from publish.batches_of(%s)", [release.build_id]).fetchall()
    batches = [batch_id for (batch_id,) in rested]
    why = f"verify {release.period} revision {release.revision}"
    if files is None:
        return reread(settings, batches, why, tell=tell)
    return reread(settings, batches, why, seed=seed, number=files, tell=tell)


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
        batch.staged_rows - coalesce(present.number, 0) - coalesce(pruned.identical, 0) - coalesce(apart.rows, 0)
            as missing
    from publish.batches_of(%s) as seen
    inner join audit.batch on seen.batch_id = batch.batch_id
    left join present on batch.batch_id = present.batch_id
    left join pruned on batch.batch_id = pruned.batch_id
    left join audit.detached_rows as apart on batch.batch_id = apart.batch_id
) as batches
"""


def _gone(connection: psycopg.Connection, release: Release) -> tuple[str | None, str | None]:
    """In words: what retention took of the rows that the release rests on, and what is gone without account."""
    retained, lost, first = database.one(connection, _GONE, [release.build_id])
    return (
        f"{retained} 个批次的接入数据已按保存期限清除，只校验了哈希，未重算" if retained else None,
        f"staging：{lost} 个批次的接入行数与登记不符（首个为批次 {first}）" if lost else None,
    )
