"""Who calls often, for the hotline office. Reads citizens' data: every look is logged with its reason first."""

from datetime import date

from psycopg.rows import dict_row

from minhu.errors import Refused
from minhu.privacy import access_log
from minhu.settings import Settings

COLUMNS = ("caller_masked", "cases", "repeats", "categories", "main_category", "units", "main_unit", "first", "last")

_FREQUENT = """
with cases as (
    select *
    from restricted.caller_case
    where (%(since)s::date is null or received_at >= %(since)s::date::timestamptz)
        and (%(until)s::date is null or received_at < (%(until)s::date + 1)::timestamptz)
),
callers as (
    select
        cases.caller_id,
        (array_agg(cases.caller_masked order by cases.received_at desc))[1] as caller_masked,
        count(*) as cases,
        count(*) filter (where cases.is_repeat) as repeats,
        count(distinct cases.category_code) as categories,
        mode() within group (order by coalesce(dim_category.category_name, cases.category_code)) as main_category,
        min(cases.received_at) as first,
        max(cases.received_at) as last
    from cases
    left join mart.dim_category using (category_code)
    group by cases.caller_id
    having count(*) >= %(at_least)s
),
duties as (
    select distinct cases.caller_id, duty.assignment_id, coalesce(duty.unit_code, duty.unit_name_raw) as unit_code
    from callers
    inner join cases using (caller_id)
    inner join mart.fct_timeliness as duty on duty.case_id = cases.root_case_id
    where duty.unit_role = 'lead' and duty.voided_at is null
),
units as (
    select caller_id, count(distinct unit_code) as units, mode() within group (order by unit_code) as unit_code
    from duties
    group by caller_id
),
names as (
    select distinct on (unit_code) unit_code, unit_name from mart.dim_unit order by unit_code, valid_from desc
)
select
    callers.caller_masked, callers.cases, callers.repeats, callers.categories, callers.main_category,
    coalesce(units.units, 0) as units, coalesce(names.unit_name, units.unit_code) as main_unit,
    callers.first, callers.last
from callers
left join units using (caller_id)
left join names using (unit_code)
order by callers.cases desc, callers.last desc, callers.caller_id
"""


def frequent(
    settings: Settings, why: str, *, since: date | None = None, until: date | None = None, at_least: int = 5
) -> list[dict]:
    """Callers with at least so many cases received from ``since`` to ``until`` (both included), most first.

    Each as COLUMNS: the phone masked (two callers may look the same), never the token. ``repeats`` are the cases that
    repeat an earlier one; ``units`` those that led a case and kept it. Raises Refused without a reason, and where the
    days run backwards.
    """
    if since and until and until < since:
        raise Refused(f"{until} is before {since}")
    about = f"{since or ''}..{until or ''} >= {at_least}"
    with (
        access_log.reading(settings, "frequent_callers", why, about=about) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        return cursor.execute(_FREQUENT, {"since": since, "until": until, "at_least": at_least}).fetchall()
