"""Which cases a build touches: the closure of what changed, so that a rebuilt fact never needs a case left behind."""

from collections.abc import Mapping

import psycopg
from psycopg import sql

from minhu import database
from minhu.warehouse import refresh

# The keys of a case as every query below gives them.
_KEY = "select distinct md5({feed} || '|' || {no}) as case_id, {feed} as feed_code, {no} as case_no"

# The batches that builds have taken so far and this one does not withdraw. A table, for its statistics: of a list the
# planner thinks it short, and compares every row of the day with every batch of the years.
_SEEN_TABLE = "create temporary table seen_batch (batch_id bigint, order_key bigint) on commit drop"
_SEEN = """
insert into seen_batch (batch_id, order_key)
select build_batch.batch_id, batch.order_key
from audit.build_batch
inner join audit.build using (build_id)
inner join audit.batch using (batch_id)
where build.status = 'succeeded' or (build_batch.build_id = %(build_id)s and build_batch.action = 'withdraw')
group by 1, 2
having bool_and(build_batch.action = 'take')
"""

# Rows of the batches that this build takes. They lie together at the end of staging: a range finds them without reading
# the years. Its ends are told as values, and the batches are a table, for its statistics: with a guess of one batch the
# planner looks through the range anew for each.
_TAKEN_TABLE = "create temporary table taken_batch (batch_id bigint) on commit drop"
_TAKEN = """
insert into taken_batch (batch_id)
select batch_id from audit.build_batch where build_id = %(build_id)s and action = 'take'
"""
_RANGE = "select min(batch_id), max(batch_id) from taken_batch"
_OF_TAKEN = (
    "staging.{table} as r inner join taken_batch as taken on taken.batch_id = r.batch_id"
    " and r.batch_id between %(first)s and %(last)s"
)

# Cases of which batches go.
_WITHDRAWN = f"""
with withdrawn as (select batch_id from audit.build_batch where build_id = %(build_id)s and action = 'withdraw')
{_KEY.format(feed="r.feed_code", no="r.case_no")} from staging.case_record as r join withdrawn using (batch_id)
union
{_KEY.format(feed="e.case_feed_code", no="e.case_no")} from staging.case_event as e join withdrawn using (batch_id)
union
{_KEY.format(feed="c.case_feed_code", no="c.case_no")} from staging.callback as c join withdrawn using (batch_id)
"""

# Cases of rows that come. What is sent again as it already stands touches nothing: of a case its newest version must be
# the same, of an event or a callback every version told so far. The rows sent are a table for its statistics, as above;
# with a guess of one row the planner compared every row sent with every row told.
_SENT_RECORD = f"""
create temporary table sent_record on commit drop as
select r.feed_code, r.case_no, r.row_hash from {_OF_TAKEN.format(table="case_record")}
"""
_TOLD_RECORD = f"""
with standing as (
    select distinct on (r.feed_code, r.case_no) r.feed_code, r.case_no, r.row_hash
    from (select distinct feed_code, case_no from sent_record) as keys
    inner join staging.case_record as r using (feed_code, case_no)
    inner join seen_batch as seen using (batch_id)
    order by r.feed_code, r.case_no, coalesce(r.source_updated_at, '-infinity') desc, seen.order_key desc,
        r.row_number desc
)
{_KEY.format(feed="sent.feed_code", no="sent.case_no")} from sent_record as sent
left join standing using (feed_code, case_no, row_hash) where standing.row_hash is null
"""

_TOLD_RECORDS = "sent_record", _SENT_RECORD, _TOLD_RECORD

# Of events and callbacks only those whose case nothing has touched so far are looked up.
_SENT = f"""
create temporary table sent_{{table}} on commit drop as
select r.case_feed_code, r.case_no, r.row_hash, {{what}} as what
from {_OF_TAKEN.format(table="{table}")}
left join build.touched_case as touched on touched.feed_code = r.case_feed_code and touched.case_no = r.case_no
where touched.case_id is null
"""
_TOLD_AGAIN = f"""
with told as (
    select r.case_feed_code, r.case_no, {{what}} as what, min(r.row_hash) as row_hash
    from (select distinct case_feed_code, case_no from sent_{{table}}) as keys
    inner join staging.{{table}} as r using (case_feed_code, case_no)
    inner join seen_batch as seen using (batch_id)
    group by r.case_feed_code, r.case_no, {{what}}
    having min(r.row_hash) = max(r.row_hash)
)
{_KEY.format(feed="sent.case_feed_code", no="sent.case_no")} from sent_{{table}} as sent
left join told using (case_feed_code, case_no, what, row_hash) where told.row_hash is null
"""
_OF_EVENTS = {
    "table": "case_event",
    "what": "coalesce('no|' || r.feed_code || '|' || r.source_event_no,"
    " concat_ws('|', r.event_type, r.occurred_at, coalesce(r.unit_name, ''), r.feed_code))",
}
_OF_CALLBACKS = {"table": "callback", "what": "concat_ws('|', r.called_at, r.unit_name, r.round)"}
_TOLD_EVENTS = "sent_case_event", _SENT.format(**_OF_EVENTS), _TOLD_AGAIN.format(**_OF_EVENTS)
_TOLD_CALLBACKS = "sent_callback", _SENT.format(**_OF_CALLBACKS), _TOLD_AGAIN.format(**_OF_CALLBACKS)

_ALL = f"""
{_KEY.format(feed="r.feed_code", no="r.case_no")} from staging.case_record as r
union
{_KEY.format(feed="e.case_feed_code", no="e.case_no")} from staging.case_event as e
union
{_KEY.format(feed="c.case_feed_code", no="c.case_no")} from staging.callback as c
union
{_KEY.format(feed="f.feed_code", no="f.case_no")} from mart.fct_case as f
"""

# Cases whose facts an entry of the configuration, old or new, had a part in.
_CHANGED = """
with changed as (
    select kind, key, data from config.entry
    where (since_version > %(since)s and since_version <= %(until)s)
        or (until_version > %(since)s and until_version <= %(until)s)
),
names as (select key as unit_name from changed where kind = 'unit_name'),
-- a unit's code is one of its names: its history says who acts for it
units as (
    select data ->> 'unit_code' as unit_code from changed where kind = 'unit'
    union
    select unit_name from names
),
days as (select (data ->> 'date_on')::date as date_on from changed where kind = 'calendar_day'),
feeds as (select key as feed_code from changed where kind = 'feed'),
keys as (
    select e.case_feed_code as feed_code, e.case_no from staging.case_event as e join names using (unit_name)
    union
    select c.case_feed_code, c.case_no from staging.callback as c join names using (unit_name)
    union
    select r.feed_code, r.case_no from staging.case_record as r
    cross join lateral jsonb_array_elements(r.milestones) as milestone
    join names on names.unit_name = milestone ->> 'unit_name'
    union
    select r.feed_code, r.case_no from staging.case_record as r join feeds using (feed_code)
    union
    select e.case_feed_code, e.case_no from staging.case_event as e join feeds using (feed_code)
    union
    select f.feed_code, f.case_no
    from mart.fct_timeliness as t join mart.fct_case as f using (case_id) join units on units.unit_code = t.unit_code
    union
    select f.feed_code, f.case_no
    from mart.fct_satisfaction as s join mart.fct_case as f using (case_id) join units on units.unit_code = s.unit_code
    union
    select f.feed_code, f.case_no
    from mart.fct_violation as v join mart.fct_case as f using (case_id) join units on units.unit_code = v.unit_code
    union
    select f.feed_code, f.case_no
    from mart.fct_timeliness as t join mart.fct_case as f using (case_id)
    join days on days.date_on >= (t.dispatched_at at time zone current_setting('timezone'))::date
        and days.date_on <= (
            greatest(t.due_at, t.extended_due_at, t.sign_due_at, t.contact_due_at, t.closed_at, t.dispatched_at)
            at time zone current_setting('timezone')
        )::date
    union
    select f.feed_code, f.case_no
    from mart.fct_timeliness as t join mart.fct_case as f using (case_id)
    where t.is_calendar_provisional and exists (select from days)
)
select distinct md5(feed_code || '|' || case_no) as case_id, feed_code, case_no from keys
"""

# Cases that a rule of repeats decides over otherwise than before: those of the days on which another one holds.
_OTHER_REPEAT_RULE = f"""
with rules as (
    select data - '{{valid_from,valid_to}}'::text[] as says, since_version, until_version,
        daterange((data ->> 'valid_from')::date, (data ->> 'valid_to')::date) as held
    from config.entry where kind = 'repeat_rule'
),
days as (
    select received_on::date as received_on
    from generate_series(
        (select min(received_at at time zone current_setting('timezone'))::date from mart.fct_case),
        (select max(received_at at time zone current_setting('timezone'))::date from mart.fct_case), interval '1 day'
    ) as received_on
),
other_days as (
    select received_on
    from days
    left join rules as before on received_on <@ before.held and before.since_version <= %(since)s
        and (before.until_version is null or before.until_version > %(since)s)
    left join rules as after on received_on <@ after.held and after.since_version <= %(until)s
        and (after.until_version is null or after.until_version > %(until)s)
    where before.says is distinct from after.says
)
{_KEY.format(feed="f.feed_code", no="f.case_no")}
from other_days
join mart.fct_case as f
    on f.received_at >= other_days.received_on::timestamp at time zone current_setting('timezone')
    and f.received_at < (other_days.received_on + 1)::timestamp at time zone current_setting('timezone')
"""

# Cases dispatched on a day on which other limits bind than before: those of the duties of that day. Limits bind by the
# day of dispatch, and no case is a repeat for the sake of them. Days of which the rules say the same stay as they are.
_OTHER_LIMITS = f"""
with rules as (
    select key, data - '{{valid_from,valid_to}}'::text[] as says,
        daterange((data ->> 'valid_from')::date, (data ->> 'valid_to')::date) as held,
        since_version <= %(since)s and (until_version is null or until_version > %(since)s) as was_there,
        since_version <= %(until)s and (until_version is null or until_version > %(until)s) as is_there
    from config.entry where kind = 'limit_rule'
),
days as (
    select day_on::date as day_on
    from generate_series(
        (select min(dispatched_on) from mart.fct_timeliness), (select max(dispatched_on) from mart.fct_timeliness),
        interval '1 day'
    ) as day_on
),
other_days as (
    select days.day_on
    from days
    join rules on days.day_on <@ rules.held
    group by days.day_on
    having jsonb_object_agg(rules.key, rules.says) filter (where rules.was_there)
        is distinct from jsonb_object_agg(rules.key, rules.says) filter (where rules.is_there)
)
{_KEY.format(feed="f.feed_code", no="f.case_no")}
from other_days
join mart.fct_timeliness as t on t.dispatched_on = other_days.day_on
join mart.fct_case as f on f.case_id = t.case_id
"""

# Cases of categories or areas that moved in their tree, and of all below them, as the tree ever was.
_OTHER_TREE = f"""
with recursive nodes as (
    select kind, key, data ->> ('parent_' || kind || '_code') as parent, data ->> (kind || '_level') as level,
        since_version <= %(since)s and (until_version is null or until_version > %(since)s) as was_there,
        since_version <= %(until)s and (until_version is null or until_version > %(until)s) as is_there
    from config.entry where kind in ('category', 'area')
),
moved (kind, key) as (
    select kind, key from nodes
    group by kind, key, parent, level
    having bool_or(was_there) <> bool_or(is_there)
    union
    select nodes.kind, nodes.key from nodes join moved on moved.kind = nodes.kind and moved.key = nodes.parent
)
{_KEY.format(feed="f.feed_code", no="f.case_no")}
from moved join mart.fct_case as f on moved.kind = 'category' and moved.key = f.category_code
union
{_KEY.format(feed="f.feed_code", no="f.case_no")}
from moved join mart.fct_case as f on moved.kind = 'area' and moved.key = f.area_code
"""

# What decides over every case: office hours, the zone, how senders' clocks are weighed; readings, whatever their days.
_CHANGED_FOR_ALL = """
with city as (
    select jsonb_build_array(
            data -> 'morning', data -> 'afternoon', data -> 'timezone', data -> 'clock_tolerance_minutes',
            data -> 'unit_tells'
        ) as says,
        since_version <= %(since)s and (until_version is null or until_version > %(since)s) as was_there,
        since_version <= %(until)s and (until_version is null or until_version > %(until)s) as is_there
    from config.entry where kind = 'city'
)
select (
    select readings from audit.build where status = 'succeeded' and build_id < %(build_id)s
    order by build_id desc limit 1
) is distinct from (select readings from audit.build where build_id = %(build_id)s) or (
    select jsonb_agg(says) filter (where was_there) is distinct from jsonb_agg(says) filter (where is_there) from city
)
"""

# Cases about which people decided. Of a case that is not built yet nothing is known to be rebuilt.
_DECIDED = f"""
with decided as (
    select kind, decision_id from audit.build_decision where build_id = %(build_id)s
),
about as (
    select appeal.case_id
    from decided
    join assess.appeal_decision as made on decided.kind = 'appeal_decision' and made.decision_id = decided.decision_id
    join assess.appeal using (appeal_id)
    where made.decision = 'granted'
    union
    select made.case_id
    from decided join assess.exclusion as made on decided.kind = 'exclusion' and made.exclusion_id = decided.decision_id
    union
    select made.case_id
    from decided join assess.violation as made on decided.kind = 'violation' and made.violation_id = decided.decision_id
)
{_KEY.format(feed="f.feed_code", no="f.case_no")} from about join mart.fct_case as f using (case_id)
"""

# Cases that were touched and whose links were not followed yet; those whose links are being followed. Tables, for their
# statistics.
_NEW_TABLES = """
create temporary table new_case (case_id text, feed_code text, case_no text) on commit drop;
create temporary table followed_case (case_id text, feed_code text, case_no text) on commit drop;
"""
_FOLLOW = """
truncate followed_case;
insert into followed_case select * from new_case;
truncate new_case;
analyze followed_case;
"""

# Cases linked to those: transfers and merges, as they are now (staging) and as they were built (mart). Partial indexes
# hold what records and events tell of it; the few that tell nothing of a part are left out at the end.
_LINKED = f"""
with known as (select f.* from followed_case as touched join mart.fct_case as f using (case_id)),
linked as (
    select r.upstream_feed_code as feed_code, r.upstream_case_no as case_no
    from followed_case as touched join staging.case_record as r using (feed_code, case_no)
    where r.upstream_case_no is not null
    union
    select r.feed_code, r.case_no
    from followed_case as touched join staging.case_record as r
        on r.upstream_feed_code = touched.feed_code and r.upstream_case_no = touched.case_no
    union
    select e.case_feed_code, e.result_code
    from followed_case as touched join staging.case_event as e
        on e.case_feed_code = touched.feed_code and e.case_no = touched.case_no
    where e.event_type = 'MERGE'
    union
    select e.case_feed_code, e.case_no
    from followed_case as touched join staging.case_event as e
        on e.case_feed_code = touched.feed_code and e.result_code = touched.case_no
    where e.event_type = 'MERGE'
    union
    select f.feed_code, f.case_no from known join mart.fct_case as f on f.case_id = known.root_case_id
        where known.root_case_id <> known.case_id
    union
    select f.feed_code, f.case_no from known join mart.fct_case as f on f.root_case_id = known.root_case_id
        where f.root_case_id <> f.case_id
    union
    select f.feed_code, f.case_no from known join mart.fct_case as f on f.case_id = known.merged_into_case_id
    union
    select f.feed_code, f.case_no from known join mart.fct_case as f on f.merged_into_case_id = known.case_id
)
{_KEY.format(feed="feed_code", no="case_no")} from linked where feed_code <> '' and case_no <> ''
"""

# Callers of the rows that this build takes, in the order of the index that they go into.
_CALLERS = f"""
insert into restricted.case_caller (caller_token, received_at, feed_code, case_no)
select distinct r.caller_token, r.received_at, r.feed_code, r.case_no
from {_OF_TAKEN.format(table="case_record")}
where r.caller_token is not null
order by 1, 2
on conflict do nothing
"""

# When cases to be rebuilt were received, and of which caller: those that are not in it yet.
_CALLED_TABLE = """
create temporary table called (case_id text, caller_id text, received_at timestamptz) on commit drop
"""
_CALLED = """
insert into called (case_id, caller_id, received_at)
select touched.case_id, coalesce(link.current_token, r.caller_token), r.received_at
from {touched} as touched
join staging.case_record as r using (feed_code, case_no)
left join restricted.caller_link as link on link.earlier_token = r.caller_token
where touched.is_rebuilt and r.caller_token is not null
    and not exists (select from called where called.case_id = touched.case_id)
"""

# The same caller's cases within the window: later ones are rebuilt (what they repeat may change), earlier ones read. A
# caller has one token under each key: his latest one, then those that lead to it. Two joins and no list of his tokens
# between them: the planner knows how many rows a column finds, and nothing of a list.
_NEIGHBOURS = """
with neighbours as (
    select {of}other.feed_code, other.case_no
    from called
    join restricted.case_caller as other on other.caller_token = called.caller_id and other.received_at {bounds}
    union
    select {of}other.feed_code, other.case_no
    from called
    join restricted.caller_link as link on link.current_token = called.caller_id
    join restricted.case_caller as other on other.caller_token = link.earlier_token and other.received_at {bounds}
)"""
_AFTER = "between called.received_at and called.received_at + %(window)s * interval '1 day'"
_BEFORE = "between called.received_at - %(window)s * interval '1 day' and called.received_at"
_LATER, _EARLIER = (
    f"{_NEIGHBOURS.format(of='', bounds=bounds)} {_KEY.format(feed='feed_code', no='case_no')} from neighbours"
    for bounds in (_AFTER, _BEFORE)
)

# Changes of links that no successful build took yet. A change that commits late is simply there for the next one.
_FORGET_LINKS = """
delete from restricted.caller_link_change as change using audit.build
where build.build_id = change.build_id and build.status = 'succeeded'
"""
_TAKE_LINKS = "update restricted.caller_link_change set build_id = %(build_id)s"

# All tokens that lead, or led until now, to where a changed link leads or led. A table, for its statistics.
_RELINKED_TABLE = "create temporary table relinked_token (caller_id text, caller_token text) on commit drop"
_RELINKED_TOKENS = """
insert into relinked_token (caller_id, caller_token)
with changed as (
    select distinct earlier_token, current_token from restricted.caller_link_change where build_id = %(build_id)s
)
select current_token as caller_id, earlier_token as caller_token from changed
union
select current_token, current_token from changed
union
select current_token, link.earlier_token from changed join restricted.caller_link as link using (current_token)
"""

# Cases between which a link came or went: those of two tokens of one caller, within the window of each other.
_RELINKED = f"""
{_KEY.format(feed="mine.feed_code", no="mine.case_no")}
from relinked_token as mine_token
join relinked_token as other_token using (caller_id)
join restricted.case_caller as mine on mine.caller_token = mine_token.caller_token
join restricted.case_caller as other on other.caller_token = other_token.caller_token
    and other.received_at between mine.received_at - %(window)s * interval '1 day'
        and mine.received_at + %(window)s * interval '1 day'
where mine_token.caller_token <> other_token.caller_token
"""

# Months that are kept elsewhere (detached.py). Cases of those that came back since are computed anew.
_CAME_BACK = f"""
{_KEY.format(feed="f.feed_code", no="f.case_no")}
from audit.detached_month as month
inner join audit.detached_case as kept using (part_id)
inner join mart.fct_case as f on f.case_id = replace(kept.case_id::text, '-', '')
where month.attached_at is not null
"""
_ANY_APART = "select exists (select from audit.detached_month where attached_at is null)"
_LEFT_TABLE = "create temporary table left_case (like build.touched_case including indexes) on commit drop"

# Touched cases of which rows are elsewhere, and those that may repeat such a case, each with the month that it
# wants; by links the rest of their groups follow.
_RESTING = f"""
create temporary table resting on commit drop as
{_NEIGHBOURS.format(of="called.case_id, ", bounds=_BEFORE)},
wanted as (
    select touched.case_id, kept.part_id
    from build.touched_case as touched
    join audit.detached_case as kept on kept.case_id = touched.case_id::uuid
    where touched.is_rebuilt
    union
    select neighbours.case_id, kept.part_id
    from neighbours
    join audit.detached_case as kept
        on kept.case_id = md5(neighbours.feed_code || '|' || neighbours.case_no)::uuid
)
select touched.case_id, touched.feed_code, touched.case_no, min(month.month_on) as month_on
from wanted
join audit.detached_month as month on month.part_id = wanted.part_id and month.attached_at is null
join build.touched_case as touched on touched.case_id = wanted.case_id and touched.is_rebuilt
group by touched.case_id, touched.feed_code, touched.case_no
"""

# Of those that would be rebuilt the ones that something came for: rows of batches taken or withdrawn, a decision.
_ARRIVED = f"""
insert into audit.arrived_after_freeze (
    case_id, feed_code, case_no, rests_on, month_on, first_build_id, last_build_id
)
with came as (
    {_KEY.format(feed="r.feed_code", no="r.case_no")} from {_OF_TAKEN.format(table="case_record")}
    union
    {_KEY.format(feed="r.case_feed_code", no="r.case_no")} from {_OF_TAKEN.format(table="case_event")}
    union
    {_KEY.format(feed="r.case_feed_code", no="r.case_no")} from {_OF_TAKEN.format(table="callback")}
    union
    select case_id, feed_code, case_no from ({_WITHDRAWN}) as withdrawn
    union
    select case_id, feed_code, case_no from ({_DECIDED}) as decided
)
select came.case_id, came.feed_code, came.case_no, case when kept.case_id is null then 'others' else 'itself' end,
    coalesce(resting.month_on, (select min(month_on) from resting)), %(build_id)s, %(build_id)s
from came
join left_case on left_case.case_id = came.case_id
join build.touched_case as touched on touched.case_id = came.case_id and touched.is_rebuilt
left join resting on resting.case_id = came.case_id
left join audit.detached_case as kept on kept.case_id = came.case_id::uuid
on conflict (case_id) do update set
    last_build_id = excluded.last_build_id, month_on = excluded.month_on, arrived_at = clock_timestamp()
"""
_LEFT_OUT = """
update build.touched_case as touched set is_rebuilt = false
from left_case where left_case.case_id = touched.case_id and touched.is_rebuilt
"""
_NOT_THERE = """
delete from build.touched_case as touched using audit.detached_case as kept, audit.detached_month as month
where kept.case_id = touched.case_id::uuid and month.part_id = kept.part_id and month.attached_at is null
"""
_SETTLED = """
delete from audit.arrived_after_freeze as arrived using build.touched_case as touched
where touched.case_id = arrived.case_id and touched.is_rebuilt
"""
_BUILT_ANEW = """
with months as (
    update audit.detached_month set built_in = %s where attached_at is not null and built_in is null returning part_id
)
delete from audit.detached_case as kept using months where months.part_id = kept.part_id
"""


def touch(connection: psycopg.Connection, build_id: int, since: int | None, until: int, is_full: bool) -> int:
    """Fills build.touched_case for a build; returns how many cases are to be rebuilt.

    ``since`` and ``until``: the configuration versions of the last successful build (None: there is none) and of this.
    Of a full refresh that goes in chunks these are the cases of the first.
    """
    parameters = _asked(connection, build_id) | {"since": since, "until": until}
    connection.execute("truncate build.touched_case")
    connection.execute(_CALLERS, parameters)
    is_relinked = _take_links(connection, parameters)
    if since is None:
        is_full = True  # a first build: there is nothing that a case could be left out of
    elif not is_full:
        is_full = database.one(connection, _CHANGED_FOR_ALL, parameters)[0]
    if is_full:
        _fill_whole(connection, _OF_BUILD)
        if refresh.plan(connection, build_id, until) > 1 or _any_apart(connection):
            _read_beside(connection, parameters)
            _leave(connection, parameters)
        return _count(connection)
    connection.execute(_NEW_TABLES)
    connection.execute(_SEEN_TABLE)
    connection.execute(_SEEN, parameters)
    connection.execute("analyze seen_batch")
    # What records say and to whom callers belong decides over what later cases repeat; events and decisions do not.
    _add(connection, _WITHDRAWN, parameters)
    _add_told(connection, _TOLD_RECORDS, parameters)
    _add(connection, _CAME_BACK, parameters)
    if since != until:
        _add(connection, _CHANGED, parameters)
        _add(connection, _OTHER_REPEAT_RULE, parameters)
        _add(connection, _OTHER_TREE, parameters)
    if is_relinked:
        connection.execute(_RELINKED_TABLE)
        connection.execute(_RELINKED_TOKENS, parameters)
        connection.execute("analyze relinked_token")
        _add(connection, _RELINKED, parameters)
    _add_linked(connection, parameters)
    connection.execute(_CALLED_TABLE)
    _add_called(connection)
    _add(connection, _LATER, parameters)
    connection.execute("analyze build.touched_case")
    _add_told(connection, _TOLD_EVENTS, parameters)
    _add_told(connection, _TOLD_CALLBACKS, parameters)
    _add(connection, _DECIDED, parameters)
    if since != until:
        _add(connection, _OTHER_LIMITS, parameters)
    _add_linked(connection, parameters)
    _add_called(connection)
    _add(connection, _EARLIER, parameters, is_rebuilt=False)
    connection.execute("analyze build.touched_case")
    _leave(connection, parameters)
    return _count(connection)


def touch_chunk(connection: psycopg.Connection, build_id: int, chunk_no: int) -> int:
    """Fills build.touched_case with a chunk of the full refresh under way; how many cases are to be rebuilt."""
    parameters = _asked(connection, build_id)
    refresh.fill(connection, build_id, chunk_no)
    _read_beside(connection, parameters)
    _leave(connection, parameters)
    return _count(connection)


def settle(connection: psycopg.Connection, build_id: int, *, is_chunk: bool) -> None:
    """What a build that succeeds has seen to: cases that something arrived for, and those whose months came back.

    A chunk of a refresh leaves those months to the build behind it: they may have come back after their own chunk.
    """
    connection.execute(_SETTLED)
    if not is_chunk:
        connection.execute(_BUILT_ANEW, [build_id])


def fill_with_all_cases(connection: psycopg.Connection, schema: str) -> None:
    """Fills ``schema``.touched_case, made anew, with every case there is: what a full refresh touches."""
    table = sql.Identifier(schema, "touched_case")
    connection.execute(sql.SQL("create unlogged table {} (like build.touched_case)").format(table))
    _fill_whole(connection, table)


def fill_with_cases(
    connection: psycopg.Connection, schema: str, cases: str, given: Mapping[str, object] | None = None
) -> None:
    """Fills ``schema``.touched_case, made anew, with ``cases`` and all that their facts rest on.

    ``cases``: a query of case_id, feed_code, case_no, with parameters ``given``. Linked cases are rebuilt with them,
    earlier ones of their callers only read. What rests on them in turn, later cases of the callers, is left out: nobody
    asks for its facts.
    """
    table = sql.Identifier(schema, "touched_case")
    connection.execute(
        sql.SQL("create unlogged table {} (like build.touched_case including indexes including statistics)").format(
            table
        )
    )
    parameters = {"window": _window(connection)}
    connection.execute("set local random_page_cost = 1.1")  # few cases among those of years: looked up, as by a build
    connection.execute(_NEW_TABLES)
    _add(connection, cases, {**parameters, **(given or {})}, into=table)
    _add_linked(connection, parameters, into=table)
    connection.execute(_CALLED_TABLE)
    _add_called(connection, touched=table)
    _add(connection, _EARLIER, parameters, is_rebuilt=False, into=table)
    connection.execute(sql.SQL("analyze {}").format(table))


def _fill_whole(connection: psycopg.Connection, table: sql.Identifier) -> None:
    connection.execute(sql.SQL("insert into {} select cases.*, true from ({}) as cases").format(table, sql.SQL(_ALL)))
    connection.execute(sql.SQL("analyze {}").format(table))


def _asked(connection: psycopg.Connection, build_id: int) -> dict:
    """What the queries of a build ask with; makes the table of the batches that it takes."""
    parameters = {"build_id": build_id, "window": _window(connection)}
    connection.execute(_TAKEN_TABLE)
    connection.execute(_TAKEN, parameters)
    connection.execute("analyze taken_batch")
    first, last = database.one(connection, _RANGE)
    return parameters | {"first": first, "last": last}


def _read_beside(connection: psycopg.Connection, parameters: dict) -> None:
    """Adds the earlier cases of their callers to cases that were filled in, whole under their links."""
    connection.execute(_NEW_TABLES)
    connection.execute(_CALLED_TABLE)
    _add_called(connection)
    connection.execute("analyze called")
    _add(connection, _EARLIER, parameters, is_rebuilt=False)
    connection.execute("analyze build.touched_case")


def _any_apart(connection: psycopg.Connection) -> bool:
    return bool(database.one(connection, _ANY_APART)[0])


def _leave(connection: psycopg.Connection, parameters: dict) -> None:
    """Takes out of the touched cases those that rest on rows which are kept elsewhere; lists what arrived for them."""
    if not _any_apart(connection):
        return
    connection.execute(_RESTING, parameters)
    connection.execute(_LEFT_TABLE)
    _add(connection, "select case_id, feed_code, case_no from resting", {}, into=_LEFT)
    _add_linked(connection, parameters, into=_LEFT)
    connection.execute("analyze left_case")
    connection.execute(_ARRIVED, parameters)
    left = connection.execute(_LEFT_OUT).rowcount
    connection.execute(_NOT_THERE)
    connection.execute("update audit.build set left_cases = %s where build_id = %s", [left, parameters["build_id"]])
    connection.execute("analyze build.touched_case")


def _take_links(connection: psycopg.Connection, parameters: dict) -> bool:
    """Whether links of callers came, changed or went that no successful build has taken."""
    connection.execute(_FORGET_LINKS)
    return connection.execute(_TAKE_LINKS, parameters).rowcount > 0


_OF_BUILD = sql.Identifier("build", "touched_case")
_LEFT = sql.Identifier("pg_temp", "left_case")


def _add_told(connection: psycopg.Connection, told: tuple[str, str, str], parameters: dict) -> None:
    """``told``: the table of what is sent, the query that makes it, the one of the cases that it touches."""
    table, sent, touched = told
    connection.execute(sent, parameters)
    connection.execute(f"analyze {table}")
    _add(connection, touched, parameters)


def _add_linked(connection: psycopg.Connection, parameters: dict, *, into: sql.Identifier = _OF_BUILD) -> None:
    """Until nothing is added: a chain of transfers is touched whole."""
    connection.execute("set local enable_mergejoin = off")  # it would read all links there ever were, too
    connection.execute(_FOLLOW)
    while _add(connection, _LINKED, parameters, into=into):
        connection.execute(_FOLLOW)
    connection.execute("set local enable_mergejoin = on")


def _add_called(connection: psycopg.Connection, *, touched: sql.Identifier = _OF_BUILD) -> None:
    connection.execute(sql.SQL(_CALLED).format(touched=touched))
    connection.execute("analyze called")


def _add(
    connection: psycopg.Connection,
    query: str,
    parameters: dict,
    *,
    is_rebuilt: bool = True,
    into: sql.Identifier = _OF_BUILD,
) -> int:
    """How many cases ``query`` adds to the touched; those that are rebuilt are links to follow."""
    add = sql.SQL(
        "insert into {} (case_id, feed_code, case_no, is_rebuilt)"
        " select case_id, feed_code, case_no, {} from ({}) as cases on conflict do nothing"
    ).format(into, sql.Literal(is_rebuilt), sql.SQL(query))
    if is_rebuilt:
        add = sql.SQL(
            "with added as ({} returning case_id, feed_code, case_no) insert into new_case select * from added"
        ).format(add)
    return connection.execute(add, parameters).rowcount


def _count(connection: psycopg.Connection) -> int:
    return database.one(connection, "select count(*) from build.touched_case where is_rebuilt")[0]


def _window(connection: psycopg.Connection) -> int:
    """The widest repeat window that was ever in force, in days: wide enough for the old facts and the new."""
    return database.one(
        connection,
        "select coalesce(max((data ->> 'window_days')::integer), 0) from config.entry where kind = 'repeat_rule'",
    )[0]
