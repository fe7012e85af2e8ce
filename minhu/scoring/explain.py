"""Why a unit has its score: score → indicators → points lost → the rows that cost them, with file and row of each.

Everything is read, nothing is computed anew but the split of lost points over the rows that missed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused
from minhu.scoring.arithmetic import Terms
from minhu.scoring.language.functions import said
from minhu.scoring.language.indicator import Indicator
from minhu.scoring.period import Period
from minhu.scoring.plain import plain
from minhu.scoring.scheme import Scheme
from minhu.scoring.words import finding, rule_text, step
from minhu.settings import Settings

CENT = Decimal("0.01")


@dataclass(frozen=True)
class SourceRow:
    """Where a step was told: the data row (header not counted) of a delivered file.

    What a person entered has no batch: ``source_name`` says who, ``row_number`` is the number of the entry.
    """

    step_zh: str
    feed_code: str
    source_name: str
    row_number: int
    batch_id: int | None


@dataclass(frozen=True)
class Cost:
    """One row that cost points. ``lost`` is its part of the indicator's loss, ``due_at`` the limit that was judged."""

    lost: Decimal
    subject_kind: str
    subject_id: str
    case_id: str | None
    feed_code: str
    feed_name: str
    case_no: str
    finding_zh: str
    rule_zh: str | None
    received_at: datetime | None
    dispatched_at: datetime | None
    due_at: datetime | None
    occurred_at: datetime | None
    occurred_zh: str
    sources: tuple[SourceRow, ...]


@dataclass(frozen=True)
class IndicatorPart:
    """One indicator of the unit. ``points`` and ``lost`` are null where nothing was due. The costs sum to ``lost``."""

    code: str
    name_zh: str
    rule_zh: str
    aggregate: str
    is_percent: bool
    numerator: Decimal
    denominator: Decimal
    value: Decimal | None
    target: Decimal | None
    points_max: Decimal
    points: Decimal | None
    lost: Decimal | None
    wilson_low: Decimal | None
    wilson_high: Decimal | None
    funnel_flag: str | None
    shrunken_value: Decimal | None
    excluded_rows: int
    costs: tuple[Cost, ...]


@dataclass(frozen=True)
class Explanation:
    """A unit's score in a period, taken apart. ``is_stale``: the facts were built anew after the scoring."""

    scheme_id: str
    scheme_version: str
    title: str
    period: str
    kind: str
    as_of: datetime
    build_id: int
    is_stale: bool
    unit_code: str
    unit_name: str
    peer_group: str
    peer_group_zh: str
    peer_group_points: Decimal
    ranked_in_group: int
    raw_points: Decimal | None
    score_100: Decimal | None
    assessed_points: Decimal | None
    band: str | None
    rank_in_group: int | None
    not_ranked_reason: str | None
    listed_on: str | None
    shows_ranks: bool
    shows_shrunken: bool
    indicators: tuple[IndicatorPart, ...]

    def as_json(self) -> dict:
        """Plain values for ``json.dumps``; points as decimal strings."""
        return plain(self)


def explain(
    settings: Settings, unit: str, period: str, indicator: str | None = None, *, scheme_id: str | None = None
) -> Explanation:
    """Explains the newest score of ``unit`` (a code, or any name that the register knows) in ``period``.

    Raises Refused when there is no such unit, score or indicator.
    """
    wanted = Period.parse(period)
    with database.connect(settings) as connection:
        connection.row_factory = dict_row
        code = _unit_code(connection, unit, wanted)
        run = _run(connection, code, wanted, scheme_id)
        scheme, is_complete = Scheme.from_entry(run.pop("data")), run.pop("is_complete")
        group = next(group for group in scheme.peer_groups if group.code == run["peer_group"])
        asked = [scheme.indicator(indicator)] if indicator else scheme.indicators
        indicators = [one for one in asked if one.scores(group.code)]
        if not indicators:
            raise Refused(f"the indicator {indicator} does not score {group.name_zh}, to which {unit} belongs")
        return Explanation(
            **run,
            title=scheme.title,
            kind=scheme.standing(wanted, is_complete),
            peer_group_zh=group.name_zh,
            peer_group_points=group.points,
            shows_ranks=scheme.publication.ranking,
            shows_shrunken=scheme.publication.shrunken,
            indicators=_parts(connection, run, indicators, wanted),
        )


def split_loss(lost: Decimal, missed: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """``lost`` in parts over the rows that missed, given as (id, by how much).

    Parts are multiples of 0.01 (or of the last decimal of ``lost``) by largest remainder, ties by id: they sum to
    ``lost`` exactly.
    """
    rows = sorted(missed)
    step = min(CENT, Decimal(1).scaleb(lost.as_tuple().exponent))
    steps, weight = int(lost / step), Fraction(sum(by for _, by in rows))
    exact = {key: steps * Fraction(by) / weight for key, by in rows}
    whole = {key: int(share) for key, share in exact.items()}
    left = steps - sum(whole.values())
    for key in sorted(exact, key=lambda key: (whole[key] - exact[key], key))[:left]:
        whole[key] += 1
    return {key: count * step for key, count in whole.items()}


# Reading


def _unit_code(connection: psycopg.Connection, unit: str, period: Period) -> str:
    found = connection.execute(_UNIT, {"unit": unit, "last_day": period.last}).fetchall()
    if not found:
        raise Refused(f"no unit is called {unit!r}; give its code or a name from the register")
    if len(found) > 1:
        raise Refused(f"{unit!r} names {' and '.join(row['unit_code'] for row in found)}; give the code")
    return found[0]["unit_code"]


_UNIT = """
select unit_code from mart.dim_unit where unit_code = %(unit)s
union
select unit_code
from mart.dim_unit
where unit_name = %(unit)s and valid_from <= %(last_day)s and (valid_to is null or valid_to > %(last_day)s)
union
select unit_code
from mart.dim_unit_name
where
    unit_name = %(unit)s
    and unit_code is not null
    and (valid_from is null or valid_from <= %(last_day)s)
    and (valid_to is null or valid_to > %(last_day)s)
order by unit_code
"""


def _run(connection: psycopg.Connection, unit_code: str, period: Period, scheme_id: str | None) -> dict:
    """The newest score of the unit in the period, with the scheme it was made by."""
    wanted = {"unit_code": unit_code, "period": period.text, "last_day": period.last, "scheme_id": scheme_id}
    run = connection.execute(_RUN, wanted).fetchone()
    if run:
        return run
    by = f" by the scheme {scheme_id}" if scheme_id else ""
    if connection.execute("select 1 from mart.score_run where period = %s limit 1", [period.text]).fetchone():
        raise Refused(f"the unit {unit_code} was not scored in {period.text}{by}: it is in no peer group of a scheme")
    raise Refused(f"{period.text} has not been scored{by}: run `minhu score {period.text}` first")


_RUN = """
select
    run.scheme_id,
    run.scheme_version,
    run.period,
    run.as_of,
    run.as_of = run.ends_at as is_complete,
    run.build_id,
    run.build_id < (select max(build_id) from audit.build where status = 'succeeded') as is_stale,
    scores.unit_code,
    coalesce(units.unit_name, scores.unit_code) as unit_name,
    scores.peer_group,
    peers.ranked_in_group,
    scores.raw_points,
    scores.score_100,
    scores.assessed_points,
    scores.band,
    scores.rank_in_group,
    scores.not_ranked_reason,
    scores.listed_on,
    scheme.data
from mart.fct_unit_score as scores
inner join mart.score_run as run using (scheme_id, scheme_version, period)
inner join (
    select scheme_id, scheme_version, period, peer_group, count(rank_in_group) as ranked_in_group
    from mart.fct_unit_score
    group by scheme_id, scheme_version, period, peer_group
) as peers using (scheme_id, scheme_version, period, peer_group)
inner join config.entry as scheme
    on
        scheme.kind = 'scheme'
        and scheme.key = run.scheme_id
        and scheme.since_version <= run.config_version
        and (scheme.until_version is null or scheme.until_version > run.config_version)
left join mart.dim_unit as units
    on
        scores.unit_code = units.unit_code
        and units.valid_from <= %(last_day)s
        and (units.valid_to is null or units.valid_to > %(last_day)s)
where
    scores.unit_code = %(unit_code)s
    and run.period = %(period)s
    and (%(scheme_id)s::text is null or run.scheme_id = %(scheme_id)s)
order by run.scored_at desc, run.scheme_id
limit 1
"""


def _parts(
    connection: psycopg.Connection, run: dict, indicators: Iterable[Indicator], period: Period
) -> tuple[IndicatorPart, ...]:
    numbers = {row["indicator_code"]: row for row in connection.execute(_NUMBERS, run)}
    upward = [one.code for one in indicators if not one.is_lower_better]
    downward = [one.code for one in indicators if one.is_lower_better]
    excluded, missed = Counter(), []
    for row in connection.execute(_ROWS, run | {"upward": upward, "downward": downward}):
        if row["excluded_reason"]:
            excluded[row["indicator_code"]] += 1
        elif numbers[row["indicator_code"]]["lost"]:
            missed.append(row)
    detailed = defaultdict(list)
    told = {name: [row[name] for row in missed] for name in _IDS}
    for row, detail in zip(missed, connection.execute(_DETAILS, told), strict=True):
        detailed[row["indicator_code"]].append(row | detail)
    return tuple(
        _part(
            one,
            one.terms(run["peer_group"], period.first),
            numbers[one.code] | {"excluded_rows": excluded[one.code]},
            detailed[one.code],
            run["as_of"],
        )
        for one in indicators
    )


_NUMBERS = """
select
    indicator_code,
    numerator,
    denominator,
    value,
    target,
    points_max,
    points,
    case when points <= points_max then points_max - points end as lost,
    wilson_low,
    wilson_high,
    funnel_flag,
    shrunken_value
from mart.fct_unit_indicator
where
    scheme_id = %(scheme_id)s
    and scheme_version = %(scheme_version)s
    and period = %(period)s
    and unit_code = %(unit_code)s
"""

# A row missed when it lacks of its denominator what it should have, or has what it should not.
_ROWS = """
select
    indicator_code,
    subject_kind,
    subject_id,
    case_id,
    assignment_id,
    callback_id,
    case when indicator_code = any(%(downward)s) then numerator_value else denominator_value - numerator_value end
        as missed_by,
    excluded_reason,
    due_at,
    occurred_at
from mart.fct_evidence
where
    scheme_id = %(scheme_id)s
    and scheme_version = %(scheme_version)s
    and period = %(period)s
    and unit_code = %(unit_code)s
    and indicator_code = any(%(upward)s::text[] || %(downward)s::text[])
    and (
        excluded_reason is not null
        or (indicator_code = any(%(upward)s) and numerator_value < denominator_value)
        or (indicator_code = any(%(downward)s) and numerator_value > 0)
    )
"""

_IDS = ("subject_kind", "subject_id", "case_id", "assignment_id", "callback_id")
_DETAILS = """
select
    coalesce(cases.feed_code, '') as feed_code,
    coalesce(feeds.feed_name, cases.feed_code, '未关联工单') as feed_name,
    coalesce(cases.case_no, '') as case_no,
    cases.received_at,
    assignments.dispatched_at,
    assignments.return_deny_count,
    assignments.sign_limit_rule as sign_rule,
    assignments.contact_limit_rule as contact_rule,
    assignments.limit_rule as close_rule,
    limits.texts as rule_texts,
    callbacks.resolution_code,
    callbacks.satisfaction_code,
    violations.violation_code,
    dispatch_batch.feed_code as dispatch_feed,
    dispatch_batch.source_name as dispatch_file,
    assignments.dispatch_row_number as dispatch_row,
    assignments.dispatch_batch_id as dispatch_batch,
    sign_batch.feed_code as sign_feed,
    sign_batch.source_name as sign_file,
    assignments.sign_row_number as sign_row,
    assignments.sign_batch_id as sign_batch,
    close_batch.feed_code as close_feed,
    close_batch.source_name as close_file,
    assignments.close_row_number as close_row,
    assignments.close_batch_id as close_batch,
    case when violations.entered_by is null then told_batch.feed_code else 'assess' end as told_feed,
    coalesce('人工录入（' || violations.entered_by || '）', told_batch.source_name) as told_file,
    coalesce(
        callbacks.source_row_number,
        violations.source_row_number,
        cast(substring(violations.violation_id from '^violation:([0-9]+)$') as bigint)
    ) as told_row,
    coalesce(callbacks.source_batch_id, violations.source_batch_id) as told_batch
from unnest(
    %(subject_kind)s::text[], %(subject_id)s::text[], %(case_id)s::text[], %(assignment_id)s::text[],
    %(callback_id)s::text[]
) with ordinality as missed (subject_kind, subject_id, case_id, assignment_id, callback_id, no)
cross join (
    select coalesce(jsonb_object_agg(key, data ->> 'text'), '{}') as texts
    from config.entry
    where kind = 'limit_rule' and until_version is null
) as limits
left join mart.fct_case as cases on missed.case_id = cases.case_id
left join mart.dim_feed as feeds on cases.feed_code = feeds.feed_code
left join mart.fct_timeliness as assignments on missed.assignment_id = assignments.assignment_id
left join mart.fct_satisfaction as callbacks on missed.callback_id = callbacks.callback_id
left join mart.fct_violation as violations
    on missed.subject_kind = 'violation' and missed.subject_id = violations.violation_id
left join audit.batch as dispatch_batch on assignments.dispatch_batch_id = dispatch_batch.batch_id
left join audit.batch as sign_batch on assignments.sign_batch_id = sign_batch.batch_id
left join audit.batch as close_batch on assignments.close_batch_id = close_batch.batch_id
left join audit.batch as told_batch
    on coalesce(callbacks.source_batch_id, violations.source_batch_id) = told_batch.batch_id
order by missed.no
"""


def _part(indicator: Indicator, terms: Terms, numbers: dict, missed: list[dict], as_of: datetime) -> IndicatorPart:
    lost = numbers["lost"]
    parts = split_loss(lost, ((row["subject_id"], row["missed_by"]) for row in missed)) if missed else {}
    costs = tuple(_cost(indicator, row, parts[row["subject_id"]], as_of) for row in missed)
    full = f"满分 {said(terms.points)} 分，" if terms.points else ""
    return IndicatorPart(
        code=indicator.code,
        name_zh=indicator.name_zh,
        rule_zh=f"{full}{indicator.scoring.text_zh(terms)}",
        aggregate=indicator.aggregate,
        is_percent=indicator.is_percent,
        costs=tuple(sorted(costs, key=lambda cost: (-cost.lost, cost.subject_id))),
        **{key: value for key, value in numbers.items() if key != "indicator_code"},
    )


def _cost(indicator: Indicator, row: dict, lost: Decimal, as_of: datetime) -> Cost:
    judged = indicator.counts.limit_kind
    happened = step(indicator, row["subject_kind"])
    told = judged if row["subject_kind"] == "assignment" else "told"
    return Cost(
        lost=lost,
        finding_zh=finding(indicator, row, as_of),
        rule_zh=rule_text(judged, row),
        due_at=row["due_at"] if judged else None,
        occurred_zh=happened,
        sources=tuple(
            SourceRow(name, *(row[f"{which}_{part}"] for part in ("feed", "file", "row", "batch")))
            for name, which in (("派单", "dispatch"), (happened, told))
            if row.get(f"{which}_file")
        ),
        **{name: row[name] for name in _TAKEN_OVER},
    )


_TAKEN_OVER = (
    "subject_kind",
    "subject_id",
    "case_id",
    "feed_code",
    "feed_name",
    "case_no",
    "received_at",
    "dispatched_at",
    "occurred_at",
)
