"""The life of one case as the facts have it: what was done, what was due, what was said of it, what it cost whom.

Read from `mart` and `publish`, whose row policies decide what of it is told to whom: of a case that it shares a unit
sees the matter and what is its own. The facts of a chain of transfers and
mergers stand on its first case. No column that a citizen filled, and no free text of anybody, is read.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import psycopg
from psycopg.rows import DictRow, class_row, dict_row, scalar_row

from minhu import database
from minhu.database.logins import group_of
from minhu.errors import Refused
from minhu.schemes.words import rule_text
from minhu.settings import Settings

Told = TypeVar("Told")


@dataclass(frozen=True)
class Case:
    """The matter. ``links``: in words of columns, the cases it came from, went into or repeats."""

    case_id: str
    root_case_id: str
    feed_code: str
    feed_name: str
    case_no: str
    request_type: str | None
    category_name: str | None
    area_name: str | None
    channel: str | None
    urgency: str | None
    received_at: datetime
    first_dispatched_at: datetime | None
    closed_at: datetime | None
    is_excluded: bool
    exclusion_reason: str | None
    transferred_from: str | None
    merged_into: str | None
    repeat_of: str | None
    source_name: str | None
    source_row_number: int


@dataclass(frozen=True)
class Duty:
    """A unit's turn. ``rules``: of signing, contact and closing in words, where one was in force."""

    assignment_id: str
    unit_code: str | None
    unit_name: str | None
    unit_role: str
    round: int
    dispatched_at: datetime
    sign_due_at: datetime | None
    signed_at: datetime | None
    is_signed_on_time: bool | None
    sign_limit_rule: str | None
    contact_due_at: datetime | None
    contacted_at: datetime | None
    is_contacted_on_time: bool | None
    contact_limit_rule: str | None
    due_at: datetime | None
    due_in_force_at: datetime | None
    is_limit_unknown: bool
    closed_at: datetime | None
    closed_in_time_at: datetime | None
    is_closed_on_time: bool | None
    limit_rule: str | None
    clock: str
    working_minutes_to_close: int | None
    natural_minutes_to_close: int | None
    voided_at: datetime | None
    void_reason: str | None
    ended_at: datetime | None
    end_reason: str | None
    is_excluded: bool
    exclusion_reason: str | None
    rules: dict[str, str | None]

    @property
    def until(self) -> datetime | None:
        """When it was over; None while it is open."""
        moments = [one for one in (self.closed_at, self.voided_at, self.ended_at) if one]
        return min(moments) if moments else None


@dataclass(frozen=True)
class Event:
    """What was told of the case, in the order in which it happened; where it was told, by file and row."""

    event_type: str
    occurred_at: datetime
    unit_name: str | None
    unit_role: str | None
    due_at: datetime | None
    assignment_id: str | None
    is_milestone: bool
    anomaly_codes: tuple[str, ...]
    """What was made of it where the life-cycle does not allow it."""
    source_name: str | None
    source_row_number: int


@dataclass(frozen=True)
class Callback:
    called_at: datetime
    unit_name: str | None
    round: int | None
    channel: str | None
    is_reached: bool | None
    contact_code: str | None
    resolution_code: str | None
    satisfaction_code: str | None
    attitude_code: str | None
    satisfaction_level: str | None
    source_name: str | None
    source_row_number: int


@dataclass(frozen=True)
class Counted:
    """What the case counts in a published result, by the newest revision that tells of it.

    ``lost_points``: its part of what the indicator lost; ``marginal_points``: what it is worth by itself. Both are null
    of a row that cost nothing, or was published before they were kept.
    """

    scheme_id: str
    period: str
    revision: int
    unit_code: str
    unit_name: str
    indicator_code: str
    indicator_name: str
    numerator_value: Decimal | None
    denominator_value: Decimal | None
    excluded_reason: str | None
    lost_points: Decimal | None
    marginal_points: Decimal | None


@dataclass(frozen=True)
class Day:
    """A day between the first and the last moment of a case that is no working day, or is one against habit."""

    date_on: date
    is_workday: bool
    label_zh: str | None


@dataclass(frozen=True)
class Life:
    """``chain``: the cases it is merged with, itself first. ``as_of``: how far the built data reach.

    ``took_part``: the units that had a turn, by name, whoever may see what each did.
    """

    case: Case
    chain: tuple[Case, ...]
    took_part: tuple[str, ...]
    duties: tuple[Duty, ...]
    events: tuple[Event, ...]
    callbacks: tuple[Callback, ...]
    counted: tuple[Counted, ...]
    days: tuple[Day, ...]
    as_of: datetime | None


def life(settings: Settings, feed_code: str, case_no: str) -> Life:
    """The case that ``feed_code`` knows as ``case_no``. Raises Refused where there is none that this login may see."""
    with database.connect(settings, rows=dict_row, at_one_moment=True) as connection:
        chain = _rows(connection, _CASES, {"feed": feed_code, "case": case_no}, Case)
        if not chain:
            raise Refused(f"no case of {feed_code} has the number {case_no!r}, or it is not yours to see")
        asked = {"root": chain[0].root_case_id, "ids": [one.case_id for one in chain]}
        duties = _duties(connection, asked)
        told = connection.execute(_EVENTS, asked).fetchall()
        events = tuple(Event(**row | {"anomaly_codes": tuple(row["anomaly_codes"])}) for row in told)
        callbacks = _rows(connection, _CALLBACKS, asked, Callback)
        moments = [one.received_at for one in chain] + [one.occurred_at for one in events]
        moments += [one.due_in_force_at for one in duties if one.due_in_force_at]
        moments += [one.called_at for one in callbacks]
        span = {"first": min(moments).date(), "last": max(moments).date() + timedelta(days=1)}
        return Life(
            case=chain[0],
            chain=chain,
            took_part=_took_part(connection, duties, asked),
            duties=duties,
            events=events,
            callbacks=callbacks,
            counted=_rows(connection, _COUNTED, asked, Counted),
            days=_rows(connection, _DAYS, span, Day),
            as_of=_as_of(connection),
        )


MOST_FOUND = 50


def find_cases(settings: Settings, case_no: str) -> tuple[Case, ...]:
    """The cases of all hotlines whose number begins so, at most ``MOST_FOUND``; a unit finds those it had a turn in."""
    with database.connect(settings, rows=dict_row) as connection:
        return _rows(connection, _FOUND, {"begins": case_no, "most": MOST_FOUND}, Case)


def _rows(
    connection: psycopg.Connection[DictRow], query: str, asked: dict[str, Any], kind: type[Told]
) -> tuple[Told, ...]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return tuple(cursor.execute(query, asked).fetchall())


def _duties(connection: psycopg.Connection[DictRow], asked: dict) -> tuple[Duty, ...]:
    rules = {row["key"]: row["data"] for row in connection.execute(_RULES)}
    found = connection.execute(_DUTIES, asked).fetchall()
    kinds = ("sign_limit_rule", "contact_limit_rule", "limit_rule")
    return tuple(Duty(**row, rules={kind: rule_text(row[kind], rules) for kind in kinds}) for row in found)


def _took_part(connection: psycopg.Connection[DictRow], duties: tuple[Duty, ...], asked: dict) -> tuple[str, ...]:
    if group_of(connection) != "unit":
        return tuple(sorted({one.unit_name for one in duties if one.unit_name}))
    with connection.cursor(row_factory=scalar_row) as cursor:
        return tuple(cursor.execute("select mart.took_part(%(root)s)", asked).fetchall())


def _as_of(connection: psycopg.Connection[DictRow]) -> datetime | None:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return database.one(cursor, _AS_OF)


_OF_CASE = """
select
    cases.case_id,
    cases.root_case_id,
    cases.feed_code,
    coalesce(feeds.feed_name, cases.feed_code) as feed_name,
    cases.case_no,
    cases.request_type,
    coalesce(categories.category_name, cases.category_code) as category_name,
    coalesce(areas.area_name, cases.area_code) as area_name,
    cases.channel,
    cases.urgency,
    cases.received_at,
    cases.first_dispatched_at,
    cases.closed_at,
    cases.is_excluded,
    cases.exclusion_reason,
    concat_ws(' ', origin.feed_code, origin.case_no) as transferred_from,
    concat_ws(' ', merged.feed_code, merged.case_no) as merged_into,
    concat_ws(' ', repeated.feed_code, repeated.case_no) as repeat_of,
    batches.source_name,
    cases.source_row_number
from mart.fct_case as cases
left join mart.dim_feed as feeds on cases.feed_code = feeds.feed_code
left join mart.dim_category as categories on cases.category_code = categories.category_code
left join mart.dim_area as areas on cases.area_code = areas.area_code
left join mart.fct_case as origin on cases.transferred_from_case_id = origin.case_id
left join mart.fct_case as merged on cases.merged_into_case_id = merged.case_id
left join mart.fct_case as repeated on cases.repeat_of_case_id = repeated.case_id
left join audit.batch as batches on cases.source_batch_id = batches.batch_id
"""

_CASES = f"""
with asked as (
    select root_case_id as asked_root from mart.fct_case where feed_code = %(feed)s and case_no = %(case)s
)
{_OF_CASE}
inner join asked on cases.root_case_id = asked.asked_root
order by
    (cases.feed_code = %(feed)s and cases.case_no = %(case)s) desc,
    cases.received_at, cases.feed_code, cases.case_no
"""

_FOUND = f"""
{_OF_CASE}
where cases.case_no = %(begins)s or starts_with(cases.case_no, %(begins)s)
order by (cases.case_no = %(begins)s) desc, cases.received_at desc
limit %(most)s
"""

_DUTIES = """
select
    duty.assignment_id,
    duty.unit_code,
    coalesce(units.unit_name, duty.unit_name_raw) as unit_name,
    duty.unit_role,
    duty.round,
    duty.dispatched_at,
    duty.sign_due_at,
    duty.signed_at,
    duty.is_signed_on_time,
    duty.sign_limit_rule,
    duty.contact_due_at,
    duty.contacted_at,
    duty.is_contacted_on_time,
    duty.contact_limit_rule,
    duty.due_at,
    duty.due_in_force_at,
    duty.is_limit_unknown,
    duty.closed_at,
    duty.closed_in_time_at,
    duty.is_closed_on_time,
    duty.limit_rule,
    duty.clock,
    duty.working_minutes_to_close,
    duty.natural_minutes_to_close,
    duty.voided_at,
    duty.void_reason,
    duty.ended_at,
    duty.end_reason,
    duty.is_excluded,
    duty.exclusion_reason
from mart.fct_timeliness as duty
left join mart.dim_unit as units on duty.unit_key = units.unit_key
where duty.case_id = %(root)s
order by duty.dispatched_at, duty.assignment_id
"""

_RULES = """
select distinct on (key)
    key,
    data
from config.entry
where kind = 'limit_rule'
order by key asc, since_version desc
"""

_EVENTS = """
select
    told.event_type,
    told.occurred_at,
    coalesce(units.unit_name, told.unit_name_raw) as unit_name,
    told.unit_role,
    told.due_at,
    told.assignment_id,
    told.is_milestone,
    coalesce(odd.codes, '{}') as anomaly_codes,
    batches.source_name,
    told.source_row_number
from mart.fct_event as told
left join mart.dim_unit as units on told.unit_key = units.unit_key
left join
    (
        select
            batch_id,
            row_number,
            event_type,
            occurred_at,
            array_agg(distinct anomaly_code order by anomaly_code) as codes
        from audit.lifecycle_anomaly
        where case_id = %(root)s
        group by batch_id, row_number, event_type, occurred_at
    ) as odd
    on
        told.source_batch_id = odd.batch_id
        and told.source_row_number = odd.row_number
        and told.event_type = odd.event_type
        and told.occurred_at = odd.occurred_at
left join audit.batch as batches on told.source_batch_id = batches.batch_id
where told.case_id = any(%(ids)s::text[])
order by told.occurred_at, told.event_id
"""

_CALLBACKS = """
select
    told.called_at,
    units.unit_name,
    told.round,
    told.channel,
    told.is_reached,
    told.contact_code,
    told.resolution_code,
    told.satisfaction_code,
    told.attitude_code,
    told.satisfaction_level,
    batches.source_name,
    told.source_row_number
from mart.fct_satisfaction as told
left join mart.dim_unit as units
    on
        told.unit_code = units.unit_code
        and units.valid_from <= cast(told.called_at as date)
        and (units.valid_to is null or units.valid_to > cast(told.called_at as date))
left join audit.batch as batches on told.source_batch_id = batches.batch_id
where told.case_id = %(root)s
order by told.called_at, told.source_row_number
"""

# Rows of a revision are differences: a row that changed is removed and added by one.
_COUNTED = """
with newest as (
    select distinct on (
        of_release.scheme_id, of_release.period, told.unit_code, told.indicator_code, told.subject_kind, told.subject_id
    )
        told.*,
        of_release.config_version,
        of_release.ends_at
    from publish.evidence as told
    inner join publish.release as of_release on told.release_id = of_release.release_id
    where told.case_id = any(%(ids)s::text[])
    order by
        of_release.scheme_id, of_release.period, told.unit_code, told.indicator_code, told.subject_kind,
        told.subject_id, told.revision desc, told.change
)

select
    newest.scheme_id,
    newest.period,
    newest.revision,
    newest.unit_code,
    coalesce(units.unit_name, newest.unit_code) as unit_name,
    newest.indicator_code,
    coalesce(named.indicator ->> 'name_zh', newest.indicator_code) as indicator_name,
    newest.numerator_value,
    newest.denominator_value,
    newest.excluded_reason,
    newest.lost_points,
    newest.marginal_points
from newest
left join mart.dim_unit as units
    on
        newest.unit_code = units.unit_code
        and units.valid_from <= cast(newest.ends_at - interval '1 second' as date)
        and (units.valid_to is null or units.valid_to > cast(newest.ends_at - interval '1 second' as date))
left join config.entry as law
    on
        law.kind = 'scheme'
        and law.key = newest.scheme_id
        and law.since_version <= newest.config_version
        and (law.until_version is null or law.until_version > newest.config_version)
left join lateral jsonb_array_elements(law.data -> 'indicators') as named (indicator)
    on named.indicator ->> 'code' = newest.indicator_code
where newest.change = 'added'
order by newest.period desc, newest.scheme_id, unit_name, newest.indicator_code
"""

_DAYS = """
select
    date_on,
    is_workday,
    label_zh
from mart.dim_date
where date_on >= %(first)s and date_on <= %(last)s and (not is_workday or is_makeup_workday)
order by date_on
"""

_AS_OF = """
select (max(reaches_on) + 1)::timestamp at time zone mart.city_zone() from mart.freshness
"""
