"""What is published, row by row, in an order that never changes: a reader goes on from the last row that he has.

Of each unit its name on the last day of the period. Row policies decide what of it is told to whom.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from minhu import database
from minhu.publish.close import Release, find_release
from minhu.schemes.period import Period
from minhu.settings import Settings

Row = TypeVar("Row")


@dataclass(frozen=True)
class Score:
    """A unit's score. ``rank_in_group`` is null where the scheme publishes no places, or the unit has none."""

    peer_group: str
    unit_code: str
    unit_name: str
    raw_points: Decimal | None
    score_100: Decimal | None
    assessed_points: Decimal | None
    band: str | None
    rank_in_group: int | None
    not_ranked_reason: str | None
    listed_on: str | None
    hash: str


@dataclass(frozen=True)
class Indicator:
    """A unit by one indicator. Rates, targets and the ends of intervals are in percent.

    ``part_of``: of a part the indicator whose points it adds to or takes from. ``reference_value``, ``compared_value``:
    what the value was held against, and what the rule read. ``pooled_…``: few rows with those of earlier periods.
    ``has_happened``: of an event, whether it did.
    """

    unit_code: str
    unit_name: str
    indicator_code: str
    numerator: Decimal | None
    denominator: Decimal | None
    value: Decimal | None
    target: Decimal | None
    points_max: Decimal | None
    points: Decimal | None
    wilson_low_pct: Decimal | None
    wilson_high_pct: Decimal | None
    funnel_flag: str | None
    part_of: str | None
    reference_value: Decimal | None
    compared_value: Decimal | None
    pooled_numerator: Decimal | None
    pooled_denominator: Decimal | None
    has_happened: bool | None


@dataclass(frozen=True)
class Evidence:
    """A row that cost points or counts for nobody. ``published_row``: its number (明细号): an appeal starts from it."""

    indicator_code: str
    subject_kind: str
    subject_id: str
    published_row: str | None
    feed_code: str | None
    case_no: str | None
    numerator_value: Decimal | None
    denominator_value: Decimal | None
    excluded_reason: str | None
    due_at: datetime | None
    occurred_at: datetime | None
    lost_points: Decimal | None
    marginal_points: Decimal | None


@dataclass(frozen=True)
class Of:
    """What of: a period by a scheme, the newest revision unless one is named."""

    scheme_id: str
    period: str
    revision: int | None = None


def scores(
    settings: Settings, of: Of, *, group: str | None = None, after: str | None = None, most: int = 100
) -> tuple[Release, tuple[Score, ...]]:
    """The scores of units by code, those after the code ``after``, at most ``most``. Raises Refused for no release."""
    return _listed(settings, of, _SCORES, {"group": group, "after": after, "most": most}, Score)


def indicators(
    settings: Settings,
    of: Of,
    *,
    unit: str | None = None,
    indicator: str | None = None,
    after: tuple[str, str] | None = None,
    most: int = 100,
) -> tuple[Release, tuple[Indicator, ...]]:
    """The indicators of units, by unit and indicator, those after both codes of ``after``."""
    given = {"unit": unit, "indicator": indicator, "unit_after": None, "indicator_after": None, "most": most}
    if after:
        given |= {"unit_after": after[0], "indicator_after": after[1]}
    return _listed(settings, of, _INDICATORS, given, Indicator)


def evidence(
    settings: Settings,
    of: Of,
    unit: str,
    *,
    indicator: str | None = None,
    after: tuple[str, str, str] | None = None,
    most: int = 100,
) -> tuple[Release, tuple[Evidence, ...]]:
    """The rows behind a unit's points, those after indicator, subject kind and subject of ``after``."""
    given = {"unit": unit, "indicator": indicator, "most": most}
    given |= dict(zip(("after_1", "after_2", "after_3"), after or (None, None, None), strict=True))
    return _listed(settings, of, _EVIDENCE, given, Evidence)


def _listed(
    settings: Settings, of: Of, query: str, given: dict[str, Any], kind: type[Row]
) -> tuple[Release, tuple[Row, ...]]:
    wanted = Period.parse(of.period)
    with database.connect(settings, at_one_moment=True) as connection:
        release = find_release(connection, wanted.text, of.revision, of.scheme_id)
        asked = given | {"release": release.release_id, "day": wanted.last}
        return release, _rows(connection, query, asked, kind)


def _rows(connection: psycopg.Connection, query: str, given: dict[str, Any], kind: type[Row]) -> tuple[Row, ...]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return tuple(cursor.execute(query.encode(), given).fetchall())


_NAMED = """
left join mart.dim_unit as units
    on
        told.unit_code = units.unit_code
        and units.valid_from <= %(day)s
        and (units.valid_to is null or units.valid_to > %(day)s)
"""

_SCORES = f"""
select
    told.peer_group,
    told.unit_code,
    coalesce(units.unit_name, told.unit_code) as unit_name,
    told.raw_points,
    told.score_100,
    told.assessed_points,
    told.band,
    case when law.shows_ranks then told.rank_in_group end as rank_in_group,
    told.not_ranked_reason,
    told.listed_on,
    told.hash
from publish.unit_score as told
left join publish.scheme as law on told.release_id = law.release_id
{_NAMED}
where
    told.release_id = %(release)s
    and (%(group)s::text is null or told.peer_group = %(group)s)
    and (%(after)s::text is null or told.unit_code > %(after)s)
order by told.unit_code
limit %(most)s
"""

_INDICATORS = f"""
select
    told.unit_code,
    coalesce(units.unit_name, told.unit_code) as unit_name,
    told.indicator_code,
    told.numerator,
    told.denominator,
    told.value,
    told.target,
    told.points_max,
    told.points,
    round(100 * told.wilson_low, 2) as wilson_low_pct,
    round(100 * told.wilson_high, 2) as wilson_high_pct,
    told.funnel_flag,
    law.part_of,
    told.reference_value,
    told.compared_value,
    told.pooled_numerator,
    told.pooled_denominator,
    told.has_happened
from publish.unit_indicator as told
left join publish.indicator as law on told.release_id = law.release_id and told.indicator_code = law.indicator_code
{_NAMED}
where
    told.release_id = %(release)s
    and (%(unit)s::text is null or told.unit_code = %(unit)s)
    and (%(indicator)s::text is null or told.indicator_code = %(indicator)s)
    and (
        %(unit_after)s::text is null
        or (told.unit_code, told.indicator_code) > (%(unit_after)s::text, %(indicator_after)s::text)
    )
order by told.unit_code, told.indicator_code
limit %(most)s
"""

_EVIDENCE = """
select
    told.indicator_code,
    told.subject_kind,
    told.subject_id,
    numbered.published_row,
    cases.feed_code,
    cases.case_no,
    told.numerator_value,
    told.denominator_value,
    told.excluded_reason,
    told.due_at,
    told.occurred_at,
    told.lost_points,
    told.marginal_points
from publish.evidence_of_release as told
left join publish.row_of_release as numbered
    on
        told.release_id = numbered.release_id
        and told.unit_code = numbered.unit_code
        and told.indicator_code = numbered.indicator_code
        and told.subject_kind = numbered.subject_kind
        and told.subject_id = numbered.subject_id
left join mart.fct_case as cases on told.case_id = cases.case_id
where
    told.release_id = %(release)s
    and told.unit_code = %(unit)s
    and (%(indicator)s::text is null or told.indicator_code = %(indicator)s)
    and (
        %(after_1)s::text is null
        or (told.indicator_code, told.subject_kind, told.subject_id)
            > (%(after_1)s::text, %(after_2)s::text, %(after_3)s::text)
    )
order by told.indicator_code, told.subject_kind, told.subject_id
limit %(most)s
"""
