"""Checks a published result by a random sample of its cases: what each counted is computed anew, and nothing else.

    staging → cases that count in the period → the draw → facts of those and of what they rest on
            → their rows of evidence → compared with the release's
    counts as they were published → held against the evidence → points, scores, ranks → compared with the release's

Drawn is from staging, not from the facts: a case that was kept out of them is as likely as any other. What a row cost
is left out, for it depends on all the rows of its unit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from minhu import database
from minhu.publish.close import Release
from minhu.publish.recompute import (
    OF_OTHERS,
    SCRATCH,
    SOME,
    Difference,
    compare_law,
    compare_scores,
    compared_columns,
    compute,
    earlier_differences,
    evidence_differences,
    scratch,
)
from minhu.scoring.earlier import as_recorded
from minhu.scoring.points import give_points
from minhu.scoring.score import Run
from minhu.settings import Settings
from minhu.warehouse.touch import fill_with_cases

ALTERED = (1, 10, 100)
"""With which chance so many altered cases would have been seen is told."""
LOOK_BACK_DAYS = 31
"""So long before the period a case may have been told of last and count in it: its limit ends in the period."""
ENDS = ("CLOSE", "DIRECT", "REJECT_INTAKE", "TRANSFER_EMERGENCY", "TERMINATE", "MERGE")
OPENS = ("DISPATCH", "REDISPATCH", "ADD_UNIT", "REWORK", "REVIEW_BACK")
NOT_CHECKED = (
    "未抽中的工单",
    "各项指标的分子、分母，能由证据核对的除外：未扣分的指标不留证据，只核对抽中的失分行不多于已发布的",
    "每条证据的扣分（lost_points、marginal_points）",
    "本期开始前已办结、只有按规则计算的时限落在本期，且发布的证据未提到的工单",
    f"本期开始前 {LOOK_BACK_DAYS} 天起未再送达任何数据，且发布的证据未提到的工单",
)


@dataclass(frozen=True)
class CasesChecked:
    """``cases`` of the ``of_cases`` that count in the period were drawn by ``seed``; ``evidence``: rows of the release
    that were compared, of those cases and of none. ``sums``: indicators of units whose counts were held against their
    evidence, of ``of_sums``.
    """

    seed: str
    cases: int
    of_cases: int
    evidence: int
    sums: int
    of_sums: int
    not_checked: tuple[str, ...] = NOT_CHECKED
    chances: dict[int, float] = field(init=False)
    """With which chance one of so many altered cases would have been drawn."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "chances", {altered: self.chance(altered) for altered in ALTERED})

    def chance(self, altered: int) -> float:
        """1 - (1 - n/N)^k."""
        return 1 - (1 - self.cases / self.of_cases) ** altered if self.of_cases else 0.0


def check_cases(
    settings: Settings,
    release: Release,
    run: Run,
    recorded: dict,
    number: int,
    seed: str,
    tell: Callable[[str], None],
) -> tuple[CasesChecked, list[Difference]]:
    """Draws ``number`` cases that count in the period, all where there are fewer, and says what comes out otherwise.

    The same seed draws the same cases as long as staging holds the release's batches.
    """
    counted: dict[str, int] = {}

    def fill(connection: psycopg.Connection) -> None:
        counted.update(_draw(connection, release, run, number, seed))
        fill_with_cases(connection, SCRATCH, f"select case_id, feed_code, case_no from {SCRATCH}.drawn_case")

    tell(f"抽查 {release.period}：从接入数据抽取工单（种子 {seed}）")
    with scratch(settings, recorded, fill) as keeper:
        tell(f"抽查 {release.period}：{counted['cases']} 件工单的事实（构建 {release.build_id} 所见的批次）")
        compute(settings, "tag:facts", {"build_id": run.build_id, "config_version": run.config_version})
        tell(f"抽查 {release.period}：证据")
        compute(settings, "+int_scoring__evidence,tag:scoring +int_scoring__counts,tag:scoring", run.variables)
        tell(f"抽查 {release.period}：由已发布的分子、分母计算得分")
        keeper.execute(_COUNTS, {"release_id": release.release_id})
        with database.connect(settings) as connection:
            before = as_recorded(release.release_id)
            give_points(connection, run.scheme, run.period, run.key, run.parts, before, SCRATCH)
        compute(settings, "fct_unit_indicator fct_unit_score", run.variables)
        tell(f"抽查 {release.period}：比对")
        evidence = _one(keeper, _of_drawn("select count(*) from {scratch}.released as evidence where {of_drawn}"))
        sums = _sums(keeper, release)
        found = [
            *_compare(keeper, release),
            *filter(None, sums),
            *_too_many(keeper, release),
            *compare_scores(keeper, release, but=("not_ranked_reason",)),  # whether it had a case at all
            *compare_law(keeper, release, run),
            *earlier_differences(keeper, release),
        ]
        of_sums = _one(keeper, "select count(*) from publish.unit_indicator where release_id = %s", release.release_id)
        drawn, of_cases = counted["cases"], counted["of_cases"]
    again = [one.name_zh for one in run.scheme.lines if one.repeated]
    left_out = (*NOT_CHECKED, *([f"重复发生加重的指标（{'、'.join(again)}）的证据"] if again else []))
    return CasesChecked(seed, drawn, of_cases, evidence, len(sums), of_sums, left_out), found


def _draw(connection: psycopg.Connection, release: Release, run: Run, number: int, seed: str) -> dict[str, int]:
    """Makes the tables ``released``, the evidence of the release, and ``drawn_case`` in the schema `SCRATCH`."""
    given = {
        "release_id": release.release_id,
        "build_id": release.build_id,
        "since_on": run.period.first,
        "look_back": LOOK_BACK_DAYS,
        "starts_at": run.starts_at,
        "ends_at": run.ends_at,
        "ends": list(ENDS),
        "opens": list(OPENS),
        "seed": seed,
        "number": number,
    }
    connection.execute(_SEEN, given)
    first, last = database.one(connection, "select min(batch_id), max(batch_id) from told_batch")
    for query in (_RELEASED, _TOLD, _FRAME, _DRAWN):
        connection.execute(query, given | {"first": first, "last": last})
    for table in ("frame", f"{SCRATCH}.released", f"{SCRATCH}.drawn_case"):
        connection.execute(f"analyze {table}")
    if _one(connection, f"select count(*) from {SCRATCH}.drawn_case where feed_code is null"):
        connection.execute(_FOUND_BY_ID)
        connection.execute(_FOUND_NOWHERE)
    return {
        "cases": _one(connection, f"select count(*) from {SCRATCH}.drawn_case"),
        "of_cases": _one(connection, "select count(*) from frame"),
    }


def _compare(connection: psycopg.Connection, release: Release) -> list[Difference]:
    names = [name for name in compared_columns(connection, release) if name not in OF_OTHERS]
    columns = ", ".join(f"evidence.{name}" for name in names)
    return evidence_differences(
        connection,
        names,
        published=sql.SQL(
            _of_drawn("select {columns} from {scratch}.released as evidence where {of_drawn}", columns=columns)
        ),
        recomputed=sql.SQL(_of_drawn(_RECOMPUTED, columns=columns, release_id=release.release_id)),
        some=SOME,
    )


def _sums(connection: psycopg.Connection, release: Release) -> list[Difference | None]:
    """Of each unit's indicator whose rows of evidence are all there: whether they sum to what was published."""
    rows = connection.execute(_SUMS, {"release_id": release.release_id}).fetchall()
    return [
        Difference("unit_indicator", unit, indicator, column, str(published), str(told)) if published != told else None
        for unit, indicator, column, published, told in rows
    ]


def _too_many(connection: psycopg.Connection, release: Release) -> list[Difference]:
    """Where more rows fell short among the drawn alone than the release says of all; it keeps none of full points."""
    rows = connection.execute(_of_drawn(_TOO_MANY, release_id=release.release_id)).fetchall()
    return [
        Difference("unit_indicator", unit, indicator, column, str(published), f"至少 {told}")
        for unit, indicator, column, published, told in rows
    ]


def _one(connection: psycopg.Connection, query: str, *given: object) -> int:
    return database.one(connection, query, list(given))[0]


def _of_drawn(query: str, **more: object) -> str:
    """``query`` of the evidence of what was drawn, and of no case. What a chain counts stands under its first case."""
    return query.format(of_drawn=_OF_DRAWN, scratch=SCRATCH, **more)


_OF_DRAWN = f"""(
    evidence.case_id is null
    or evidence.case_id in (
        select drawn.case_id from {SCRATCH}.drawn_case as drawn
        union
        select facts.root_case_id
        from {SCRATCH}.drawn_case as drawn
        inner join {SCRATCH}.fct_case as facts on drawn.case_id = facts.case_id
    )
)
-- what counts more because it happened again rests on rows of cases that were not drawn
and not exists (
    select from {SCRATCH}.int_scoring__indicators as again
    where again.indicator_code = evidence.indicator_code and again.repeated_within is not null
)"""

# Of the batches that the release rests on those that may tell of the period. A table, for its statistics.
_SEEN = """
create temporary table told_batch on commit drop as
select batch_id from publish.batches_of(%(build_id)s) where business_date >= %(since_on)s::date - %(look_back)s::int
"""

_RELEASED = f"""
create unlogged table {SCRATCH}.released as
select * from publish.evidence_of_release where release_id = %(release_id)s
"""

# What was told of each case, by any version of any row, and whether it counts in the period: something happened or was
# due in it, or the case was open when it began.
_TOLD = """
create temporary table told_case on commit drop as
with moments as (
    select r.feed_code, r.case_no, 'ACCEPT' as event_type, r.received_at as happened_at, null::timestamptz as due_at
    from staging.case_record as r
    inner join told_batch using (batch_id)
    where r.batch_id between %(first)s and %(last)s
    union all
    -- a case that came in the period counts in it, whatever its row tells beside
    select r.feed_code, r.case_no, milestone ->> 'event_type', (milestone ->> 'occurred_at')::timestamptz,
        (milestone ->> 'due_at')::timestamptz
    from staging.case_record as r
    inner join told_batch using (batch_id)
    cross join lateral jsonb_array_elements(r.milestones) as milestone
    where r.batch_id between %(first)s and %(last)s and r.received_at < %(starts_at)s
    union all
    select e.case_feed_code, e.case_no, e.event_type, e.occurred_at, e.due_at
    from staging.case_event as e
    inner join told_batch using (batch_id)
    where e.batch_id between %(first)s and %(last)s
    union all
    select c.case_feed_code, c.case_no, 'CALLBACK', c.called_at, null
    from staging.callback as c
    inner join told_batch using (batch_id)
    where c.batch_id between %(first)s and %(last)s
)
select md5(feed_code || '|' || case_no) as case_id, feed_code, case_no,
    coalesce(bool_or(
        (happened_at >= %(starts_at)s and happened_at < %(ends_at)s)
        or (due_at > %(starts_at)s and due_at <= %(ends_at)s)
    ), false)
    or (
        min(happened_at) < %(starts_at)s
        and coalesce(
            max(happened_at) filter (where happened_at < %(starts_at)s and event_type = any(%(opens)s))
            >= max(happened_at) filter (where happened_at < %(starts_at)s and event_type = any(%(ends)s)),
            max(happened_at) filter (where happened_at < %(starts_at)s and event_type = any(%(ends)s)) is null
        )
    ) as is_counted
from moments
group by feed_code, case_no
"""

# The cases that count, and those that the release says do.
_FRAME = f"""
create temporary table frame on commit drop as
with named as (select distinct case_id from {SCRATCH}.released where case_id is not null)
select coalesce(told.case_id, named.case_id) as case_id, told.feed_code, told.case_no
from told_case as told
full join named on told.case_id = named.case_id
where told.is_counted or named.case_id is not null
"""
_DRAWN = f"""
create unlogged table {SCRATCH}.drawn_case as
select case_id, feed_code, case_no from frame
order by sha256(convert_to(%(seed)s || '|' || case_id, 'UTF8')), case_id
limit %(number)s
"""

# A case of the evidence of which nothing was told lately: its number is found by reading all there is.
_FOUND_BY_ID = f"""
update {SCRATCH}.drawn_case as drawn set feed_code = known.feed_code, case_no = known.case_no
from (select distinct feed_code, case_no from staging.case_record) as known
where drawn.feed_code is null and drawn.case_id = md5(known.feed_code || '|' || known.case_no)
"""
# One that staging does not hold at all computes to nothing, and what the release tells of it is too much.
_FOUND_NOWHERE = f"update {SCRATCH}.drawn_case set feed_code = '', case_no = '' where feed_code is null"

# Evidence that is kept: of what counts for nobody, and of indicators that lost points. Those points are as published.
_RECOMPUTED = """
select {columns}
from {scratch}.int_scoring__evidence as evidence
left join publish.unit_indicator as points
    on points.release_id = {release_id}
    and points.unit_code = evidence.unit_code and points.indicator_code = evidence.indicator_code
where {of_drawn} and (
    evidence.excluded_reason is not null
    or points.points < points.points_max
    or points.has_happened
    or points.release_id is null
)
"""

# The counts from which points are computed anew: those of the release, not of the part.
_COUNTS = f"""
update {SCRATCH}.int_scoring__counts as counts
set numerator = told.numerator, denominator = told.denominator, quantile = told.value
from publish.unit_indicator as told
where told.release_id = %(release_id)s
    and told.unit_code = counts.unit_code and told.indicator_code = counts.indicator_code
"""

# By how much rows fell short, as each indicator that has such rows counts it; of a plain count more is not better.
_MISSED = f"""
with rules as (
    select indicator_code, is_lower_better
    from {SCRATCH}.int_scoring__indicators
    where measure_code is not null and is_told_by_rows and (is_lower_better or is_percent)
),
missed as (
    select points.unit_code, points.indicator_code, rules.is_lower_better,
        coalesce(points.points < points.points_max or points.has_happened, false) as is_kept,
        case when rules.is_lower_better then 'numerator' else 'denominator - numerator' end as what,
        case when rules.is_lower_better then points.numerator else points.denominator - points.numerator end as number
    from publish.unit_indicator as points
    inner join rules on points.indicator_code = rules.indicator_code
    where points.release_id = %(release_id)s and (rules.is_lower_better or not points.is_external_denominator)
)
"""

# Where points were lost all those rows are kept.
_SUMS = f"""{_MISSED},
told as (
    select unit_code, indicator_code, sum(numerator_value) as numerator,
        sum(denominator_value - numerator_value) as missed
    from {SCRATCH}.released
    where excluded_reason is null
    group by unit_code, indicator_code
)
select missed.unit_code, missed.indicator_code, missed.what, missed.number,
    coalesce(case when missed.is_lower_better then told.numerator else told.missed end, 0)
from missed
left join told on missed.unit_code = told.unit_code and missed.indicator_code = told.indicator_code
where missed.is_kept
order by 1, 2
"""
_TOO_MANY = f"""{_MISSED.replace("%(release_id)s", "{release_id}")}
select missed.unit_code, missed.indicator_code, missed.what, missed.number, sum(evidence.missed_by)
from missed
inner join {SCRATCH}.int_scoring__evidence as evidence
    on missed.unit_code = evidence.unit_code and missed.indicator_code = evidence.indicator_code
where not missed.is_kept and evidence.excluded_reason is null and {{of_drawn}}
group by missed.unit_code, missed.indicator_code, missed.what, missed.number
having sum(evidence.missed_by) > missed.number
order by 1, 2
"""
