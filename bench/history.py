"""A warehouse with history, made of one simulated month: written, loaded, then multiplied inside the database.

``load`` simulates thirty days and the day after them and loads both by the real loader. ``fill`` then lays the loaded
rows out as ``copies`` cities side by side and ``months`` months one behind the other, each row under a case number and
a caller of its own and its moments shifted by thirty days a month; a delivery of the month becomes thirty batches of a
day each. So the day has the same to do whatever lies behind it: what a caller repeats lies thirty days back at most.
``remember`` makes the facts of earlier months from those of the newest, which a build has computed.
"""

from datetime import date, timedelta

import psycopg

from minhu import database
from minhu.config import sync
from minhu.errors import MinhuError
from minhu.feeds import load_feeds
from minhu.load import load_feed_day
from minhu.settings import Settings
from minhu.simulate import write_city
from minhu.warehouse.detached import TABLES as STAGED

DAYS = 30
DAY = date(2026, 9, 29)
"""The day whose build is measured; the month ends the day before it."""
_SEED = 7
FACTS = {
    "mart": ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation"),
    "audit": ("lifecycle_anomaly", "event_version"),
}


def load(settings: Settings, cases_per_day: int) -> None:
    """Simulates the month and the day, loads them, and sets the rows aside as schema ``bench``."""
    feeds = load_feeds(settings.config)
    start = DAY - timedelta(DAYS)
    write_city(feeds, settings.config, settings.drop, start, DAYS + 1, cases_per_day, _SEED, bundle=True)
    sync(settings)
    for day in (DAY - timedelta(1), DAY):
        for feed in feeds:
            for result in load_feed_day(settings, feed, day):
                if isinstance(result, MinhuError):
                    raise result
    with database.connect(settings) as connection:
        connection.execute("create schema bench")
        connection.execute("create table bench.batch as select * from audit.batch where status = 'loaded'")
        for table in STAGED:
            connection.execute(
                f"create table bench.{table} as select s.* from staging.{table} as s join bench.batch using (batch_id)"
            )
        connection.execute("truncate audit.batch, staging.case_record, staging.case_event, staging.callback cascade")


def fill(settings: Settings, *, copies: int = 1, months: int = 1, since: int = 0) -> None:
    """Fills staging with the months before the day, from the ``since``-th back, and, if that is 0, with the day.

    The months' batches are accepted, the day's only loaded: `accept_day` lets the next build take it.
    """
    parameters = {"days": DAYS, "day": DAY, "copies": copies, "since": since, "months": months}
    with database.connect(settings) as connection:
        connection.execute(_PLAN, parameters)
        connection.execute("analyze plan")
        connection.execute(_BATCHES)
        connection.execute("set local synchronize_seqscans = off")
        for table in STAGED:
            _copy(connection, "bench", "staging", table, _ROWS, parameters)
        connection.execute(_ACCOUNT)
    with database.connect(settings, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def accept_day(settings: Settings) -> int:
    """Lets the day's batches into the next build; returns their rows."""
    with database.connect(settings) as connection:
        return database.one(
            connection,
            "with day as (update audit.batch set status = 'accepted' where status = 'loaded' returning staged_rows)"
            " select sum(staged_rows)::integer from day",
        )[0]


def remember(settings: Settings, months: int) -> None:
    """What builds left of the months before the newest: a build a day with its batches, callers, and facts."""
    with database.connect(settings) as connection:
        connection.execute(_BUILDS)
        connection.execute(_CALLERS)
        connection.execute(_RENAMED, {"months": months})
        connection.execute("analyze renamed")
        for schema, tables in FACTS.items():
            for table in tables:
                _copy(connection, schema, schema, table, _FACTS, {"months": months, "days": DAYS})
    with database.connect(settings, autocommit=True) as connection:
        connection.execute("vacuum analyze")


# Every loaded batch of the month thirty times a month; the day's batches once.
_PLAN = """
create temporary table plan on commit drop as
select
    row_number() over (order by business_date, old_batch_id) + (select coalesce(max(batch_id), 0) from audit.batch)
        as batch_id,
    placed.*
from (
    select batch.batch_id as old_batch_id, slice, month, %(day)s::date - %(days)s + slice - %(days)s * month
        as business_date
    from bench.batch
    cross join generate_series(0, %(days)s - 1) as slice
    cross join generate_series(%(since)s, %(months)s - 1) as month
    where batch.business_date < %(day)s
    union all
    select batch.batch_id, 0, 0, batch.business_date
    from bench.batch where batch.business_date = %(day)s and %(since)s = 0
) as placed
"""

_BATCHES = """
insert into audit.batch (
    batch_id, feed_code, delivery, kind, business_date, source_name, source_sha256, source_bytes, received_rows, status,
    order_key, started_at, staged_rows
)
overriding system value
select plan.batch_id, feed_code, delivery, kind, plan.business_date, source_name, source_sha256, source_bytes, 0,
    case when plan.business_date = batch.business_date and slice = 0 then 'loaded' else 'accepted' end,
    to_char(plan.business_date, 'YYYYMMDD')::bigint * 10000000000 + plan.batch_id, started_at, 0
from plan inner join bench.batch on batch.batch_id = plan.old_batch_id
"""

# A row in the slice of its batch that its place in the file names, once in each copy and month. In the order of loads.
_ROWS = """
insert into {target} ({columns})
select {values}
from (
    select told.*, told.batch_id as old_batch_id,
        case when batch.business_date < %(day)s
            then (told.row_number - 1) * %(days)s / greatest(batch.received_rows, 1) else 0 end as slice
    from {source} as told inner join bench.batch using (batch_id)
) as told
inner join plan using (old_batch_id, slice)
cross join generate_series(0, %(copies)s - 1) as copy
order by plan.batch_id, copy, told.row_number
"""
_SHIFT = f"month * {DAYS} * interval '1 day'"
# As a case's number is told in copy c of month m; the number of today's city stays.
_NO = "case when month > 0 then month || '~' else '' end || {} || case when copy > 0 then '~' || copy else '' end"
_AGAIN = "case when copy + month > 0 then md5({0} || '~' || copy || '~' || month) else {0} end"
_STAGED = {
    "case_no": _NO.format("case_no"),
    "upstream_case_no": _NO.format("upstream_case_no"),
    "source_event_no": _NO.format("source_event_no"),
    "result_code": f"case when event_type = 'MERGE' then {_NO.format('result_code')} else result_code end",
    "caller_token": _AGAIN.format("caller_token"),
    "row_hash": _AGAIN.format("row_hash"),
    "batch_id": "plan.batch_id",
    "row_number": "copy * 10000000 + row_number",
    "milestones": f"""case when month = 0 then milestones else (
        select jsonb_agg(jsonb_strip_nulls(milestone || jsonb_build_object(
            'occurred_at', (milestone ->> 'occurred_at')::timestamptz - {_SHIFT},
            'due_at', (milestone ->> 'due_at')::timestamptz - {_SHIFT}
        )) order by place)
        from jsonb_array_elements(milestones) with ordinality as listed (milestone, place)
    ) end""",
}

_ACCOUNT = """
update audit.batch set received_rows = counted.rows, staged_rows = counted.rows
from (
    select batch_id, count(*) as rows from (
        select batch_id from staging.case_record
        union all select batch_id from staging.case_event
        union all select batch_id from staging.callback
    ) as staged
    group by batch_id
) as counted
where batch.batch_id = counted.batch_id
"""

_BUILDS = """
with days as (
    select business_date, row_number() over (order by business_date desc) as days_ago
    from audit.batch where status = 'accepted' and not exists (
        select from audit.build_batch where build_batch.batch_id = batch.batch_id
    )
    group by business_date
),
builds as (
    insert into audit.build (build_id, config_version, code_version, status, finished_at)
    overriding system value
    select -days_ago, (select max(config_version) from config.version), 'bench', 'succeeded', clock_timestamp()
    from days returning build_id
)
insert into audit.build_batch (build_id, batch_id, action)
select builds.build_id, batch.batch_id, 'take'
from builds inner join days on builds.build_id = -days.days_ago
inner join audit.batch using (business_date)
"""

_CALLERS = """
insert into restricted.case_caller (caller_token, received_at, feed_code, case_no)
select distinct caller_token, received_at, feed_code, case_no from staging.case_record
inner join audit.build_batch using (batch_id)
where build_id < 0 and caller_token is not null
order by 1, 2
on conflict do nothing
"""

_RENAMED = """
create temporary table renamed on commit drop as
select case_id as old_case_id, month as back, md5(feed_code || '|' || month || '~' || case_no) as case_id
from mart.fct_case cross join generate_series(1, %(months)s - 1) as month
"""
_FACTS = """
insert into {target} ({columns})
select {values}
from {source} as told
cross join generate_series(1, %(months)s - 1) as month
{joins}
"""
_CASES = ("case_id", "root_case_id", "transferred_from_case_id", "merged_into_case_id", "repeat_of_case_id")
_IDS = ("assignment_id", "callback_id", "violation_id", "event_id", "standing_event_id")


def _copy(connection: psycopg.Connection, source: str, target: str, table: str, query: str, parameters: dict) -> None:
    """Inserts the rows of ``source.table``, changed as its columns are named, into ``target.table``."""
    columns = connection.execute(
        "select attname, atttypid::regtype::text from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
        [f"{target}.{table}"],
    ).fetchall()
    joins, values = [], []
    for name, kind in columns:
        value = f"told.{name}"
        if query is _ROWS and name in _STAGED:
            value = _STAGED[name]
        elif query is _FACTS and name in _CASES:
            joins.append(f"left join renamed as {name} on {name}.old_case_id = told.{name} and {name}.back = month")
            value = f"{name}.case_id"
        elif query is _FACTS and name in _IDS:
            value = f"md5(told.{name} || '~' || month)"
        elif query is _FACTS and name == "case_no":
            value = "month || '~' || told.case_no"
        elif kind == "timestamp with time zone":
            value += f" - {_SHIFT}"
        elif kind == "date":
            value += f" - month * {DAYS}"
        values.append(f"{value} as {name}")
    text = query.format(
        source=f"{source}.{table}",
        target=f"{target}.{table}",
        columns=", ".join(name for name, _ in columns),
        values=", ".join(values),
        joins="\n".join(joins),
    )
    connection.execute(text, parameters)
