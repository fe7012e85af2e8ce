-- The month's facts as one would write them by hand for the common life-cycle: winning versions, events attached to the
-- assignments they speak of, limits on the calendar, repeats, callbacks. What `minhu build` is measured against. It has
-- no second sender of an event, no corrected or retracted deed, no extension, no evidence, no test, and it knows no
-- other day than all of them.
create schema by_hand;
set local search_path = by_hand, public;

create temporary table batch on commit drop as
select batch_id, order_key from audit.batch where status = 'accepted';
analyze batch;

create temporary table calendar on commit drop as
select
    date_on,
    (count(*) filter (where is_workday) over (order by date_on))::integer as workday_no,
    is_workday,
    (date_on + 1)::timestamp at time zone 'Asia/Shanghai' as ends_at
from (
    select (data ->> 'date_on')::date as date_on, (data ->> 'is_workday')::boolean as is_workday
    from config.entry where kind = 'calendar_day' and until_version is null
) as days;
analyze calendar;

create temporary table unit_name on commit drop as
select
    key as unit_name, span.unit_code,
    coalesce(span.valid_from, '-infinity') as valid_from, coalesce(span.valid_to, 'infinity') as valid_to
from config.entry
cross join jsonb_to_recordset(data -> 'spans') as span (unit_code text, valid_from date, valid_to date)
where kind = 'unit_name' and until_version is null;
analyze unit_name;

create temporary table unit on commit drop as
select
    data ->> 'unit_code' as unit_code,
    (data ->> 'linkage_level')::smallint as linkage_level,
    (data ->> 'valid_from')::date as valid_from,
    (data ->> 'valid_to')::date as valid_to
from config.entry where kind = 'unit' and until_version is null;
analyze unit;

create temporary table limit_rule on commit drop as
select
    key as limit_rule,
    data ->> 'limit_kind' as limit_kind,
    (data ->> 'rule_no')::integer as rule_no,
    nullif(data -> 'request_types', 'null') as request_types,
    nullif(data -> 'urgencies', 'null') as urgencies,
    nullif(data -> 'linkage_levels', 'null') as linkage_levels,
    (data ->> 'amount')::integer as amount,
    data ->> 'unit' as unit,
    (data ->> 'valid_from')::date as valid_from,
    (data ->> 'valid_to')::date as valid_to
from config.entry where kind = 'limit_rule' and until_version is null;
analyze limit_rule;

create temporary table category on commit drop as
with recursive walked as (
    select key as category_code, array[key] as codes
    from config.entry where kind = 'category' and until_version is null and data ->> 'parent_category_code' is null
    union all
    select entry.key, codes || entry.key
    from walked inner join config.entry on data ->> 'parent_category_code' = category_code
    where kind = 'category' and until_version is null
)
select category_code, codes[1:3] as category_codes from walked;
analyze category;

create temporary table area on commit drop as
with recursive walked as (
    select key as area_code, array[key] as codes
    from config.entry where kind = 'area' and until_version is null and data ->> 'parent_area_code' is null
    union all
    select entry.key, codes || entry.key
    from walked inner join config.entry on data ->> 'parent_area_code' = area_code
    where kind = 'area' and until_version is null
)
select area_code, codes[1:3] as area_codes from walked;
analyze area;

-- Cases: the newest version of each record, and the case it was transferred from.
create temporary table won_case on commit drop as
select distinct on (feed_code, case_no)
    md5(feed_code || '|' || case_no) as case_id,
    md5(upstream_feed_code || '|' || upstream_case_no) as upstream_case_id,
    feed_code, case_no, request_type, category_code, area_code, channel, coalesce(urgency, 'normal') as urgency,
    received_at, caller_token, milestones, is_deleted, batch_id, row_number
from staging.case_record inner join batch using (batch_id)
order by feed_code, case_no, coalesce(source_updated_at, '-infinity') desc, order_key desc, row_number desc;
delete from won_case where is_deleted;
analyze won_case;

create temporary table rooted_case on commit drop as
with recursive climbed as (
    select won_case.case_id, upstream.case_id as root_case_id, 1 as steps
    from won_case inner join won_case as upstream on won_case.upstream_case_id = upstream.case_id
    union all
    select climbed.case_id, upstream.case_id, steps + 1
    from climbed
    inner join won_case on climbed.root_case_id = won_case.case_id
    inner join won_case as upstream on won_case.upstream_case_id = upstream.case_id
    where steps < 12
)
select distinct on (case_id) case_id, root_case_id from climbed order by case_id, steps desc;
analyze rooted_case;

create temporary table cases on commit drop as
select won_case.*, coalesce(root_case_id, case_id) as root_case_id
from won_case left join rooted_case using (case_id);
alter table cases add primary key (case_id);
analyze cases;

-- What a caller repeats: of his calls of thirty days the latest about the same place, and the same by category or text.
create temporary table pair on commit drop as
with calls as (
    select
        case_id, root_case_id, caller_token, received_at, batch_id, row_number, category_codes, area_codes,
        row_number() over (partition by caller_token order by received_at, case_id) as call_no
    from cases left join category using (category_code) left join area using (area_code)
    where caller_token is not null
)
select
    later.case_id, later.batch_id, later.row_number, later.area_codes, step, earlier.case_id as earlier_case_id,
    earlier.batch_id as earlier_batch_id, earlier.row_number as earlier_row_number,
    earlier.area_codes as earlier_area_codes,
    coalesce(later.category_codes = earlier.category_codes, false) as is_same_category
from calls as later
cross join lateral generate_series(1, least(later.call_no - 1, 50)) as step
inner join calls as earlier on later.caller_token = earlier.caller_token and later.call_no - step = earlier.call_no
where
    later.call_no > 1 and later.received_at - earlier.received_at <= interval '30 days'
    and later.root_case_id <> earlier.root_case_id;
analyze pair;

create temporary table said on commit drop as
select
    case_id,
    nullif(regexp_replace(lower(normalize(address, nfkc)), '[^0-9a-z\u3400-\u4dbf\u4e00-\u9fff]', '', 'g'), '')
        as address,
    case when longitude <> round(longitude) or latitude <> round(latitude) then longitude end as longitude,
    latitude,
    array(select distinct unnest(string_to_array(left(regexp_replace(
        regexp_replace(
            regexp_replace(lower(normalize(concat_ws(' ', title, content), nfkc)), '[0-9a-z]*[*][0-9a-z*]*', '', 'g'),
            fillers, '', 'g'
        ),
        '[^0-9a-z\u3400-\u4dbf\u4e00-\u9fff]', '', 'g'
    ), 200), null))) as letters
from (
    select case_id, batch_id, row_number from pair
    union select earlier_case_id, earlier_batch_id, earlier_row_number from pair
) as paired
inner join staging.case_record using (batch_id, row_number)
cross join (
    select string_agg(word, '|') as fillers
    from config.entry cross join jsonb_array_elements_text(data -> 'filler_words') as word
    where kind = 'repeat_rule' and until_version is null
) as repeat_rule;
analyze said;

create temporary table repeated on commit drop as
select distinct on (pair.case_id) pair.case_id, earlier_case_id
from pair
inner join said as later using (case_id)
inner join said as earlier on earlier_case_id = earlier.case_id
where
    coalesce(
        nullif(later.address = earlier.address, false),
        111195 * sqrt(
            (later.latitude - earlier.latitude) ^ 2
            + ((later.longitude - earlier.longitude) * cos(radians(later.latitude))) ^ 2
        ) <= 1000,
        area_codes[1:cardinality(earlier_area_codes)] = earlier_area_codes[1:cardinality(area_codes)],
        true
    )
    and (
        is_same_category
        or round(
            2.0 * (
                select count(*) from unnest(later.letters) as one (letter)
                inner join unnest(earlier.letters) as other (letter) using (letter)
            ) / (cardinality(later.letters) + cardinality(earlier.letters)), 3
        ) >= 0.55
    )
order by pair.case_id, step;
analyze repeated;

-- Events: the newest version of each, delivered or carried on the case's own row.
create temporary table won_event on commit drop as
with sent as (
    select
        md5(case_feed_code || '|' || case_no) as case_id,
        event_type, occurred_at, unit_name, unit_role, due_at, limit_kind, result_code, is_deleted, batch_id,
        row_number, order_key,
        coalesce(
            'no|' || feed_code || '|' || source_event_no,
            concat_ws('|', 'at', event_type, extract(epoch from occurred_at), coalesce(unit_name, ''))
        ) as identity
    from staging.case_event inner join batch using (batch_id)
    union all
    select
        case_id, milestone ->> 'event_type', (milestone ->> 'occurred_at')::timestamptz, milestone ->> 'unit_name',
        milestone ->> 'unit_role', (milestone ->> 'due_at')::timestamptz, milestone ->> 'limit_kind',
        milestone ->> 'result_code', false, batch_id, row_number, 0, 'milestone|' || place
    from cases cross join lateral jsonb_array_elements(milestones) with ordinality as listed (milestone, place)
),
newest as (
    select distinct on (case_id, identity) * from sent order by case_id, identity, order_key desc, row_number desc
)
select
    md5(newest.case_id || '|' || identity) as event_id, newest.case_id, root_case_id, event_type, occurred_at,
    newest.unit_name, unit_code, coalesce(unit_code, 'raw|' || newest.unit_name) as unit_ref, unit_role, due_at, limit_kind,
    result_code, newest.batch_id, newest.row_number
from newest
inner join cases using (case_id)
left join unit_name
    on newest.unit_name = unit_name.unit_name
    and (occurred_at at time zone 'Asia/Shanghai')::date >= valid_from
    and (occurred_at at time zone 'Asia/Shanghai')::date < valid_to
where not newest.is_deleted;
analyze won_event;

create temporary table assignment on commit drop as
select
    *,
    count(*) filter (where event_type = 'REWORK') over in_order + 1 as round,
    (occurred_at at time zone 'Asia/Shanghai')::date as dispatched_on
from (
    select *, coalesce(unit_role, case when event_type = 'ADD_UNIT' then 'support' else 'lead' end) as role
    from won_event where event_type in ('DISPATCH', 'REDISPATCH', 'ADD_UNIT', 'REWORK')
) as openings
window in_order as (partition by root_case_id order by occurred_at, event_id rows unbounded preceding);
analyze assignment;

-- What was done, with the nearest assignment of its unit, or of the lead, opened before it.
create temporary table deed on commit drop as
select distinct on (events.event_id)
    events.event_id, assignment.event_id as assignment_id, events.event_type, events.occurred_at, events.batch_id, events.row_number
from won_event as events
inner join assignment
    on events.root_case_id = assignment.root_case_id
    and (events.unit_ref = assignment.unit_ref or (events.unit_ref is null and assignment.role = 'lead'))
where events.event_type in ('SIGN', 'FIRST_CONTACT', 'RETURN_GRANT', 'CLOSE', 'REVIEW_BACK')
order by events.event_id, (assignment.occurred_at <= events.occurred_at) desc,
    abs(extract(epoch from events.occurred_at - assignment.occurred_at)), assignment.event_id;
analyze deed;

create temporary table lived on commit drop as
select
    assignment_id,
    min(occurred_at) filter (where event_type = 'SIGN') as signed_at,
    min(occurred_at) filter (where event_type = 'FIRST_CONTACT') as contacted_at,
    min(occurred_at) filter (where event_type = 'RETURN_GRANT') as returned_at,
    min(occurred_at) filter (where event_type = 'CLOSE') as closed_at,
    (array_agg(batch_id order by occurred_at) filter (where event_type = 'CLOSE'))[1] as close_batch_id,
    (array_agg(row_number order by occurred_at) filter (where event_type = 'CLOSE'))[1] as close_row_number
from (
    select *, max(occurred_at) filter (where event_type = 'REVIEW_BACK') over (partition by assignment_id) as sent_back_at
    from deed
) as deeds
where event_type <> 'CLOSE' or sent_back_at is null or occurred_at > sent_back_at
group by assignment_id;
analyze lived;

create temporary table ended on commit drop as
select root_case_id, min(occurred_at) as ended_at
from won_event where event_type in ('MERGE', 'TERMINATE', 'TRANSFER_EMERGENCY', 'REJECT_INTAKE')
group by root_case_id;
analyze ended;

-- When the next lead takes the place of one: rework, or a redispatch to another unit.
create temporary table replaced on commit drop as
select assignment.event_id, min(taking.occurred_at) as replaced_at
from assignment
inner join assignment as taking
    on assignment.root_case_id = taking.root_case_id and taking.occurred_at > assignment.occurred_at
    and (taking.event_type = 'REWORK' or taking.event_type = 'REDISPATCH' and taking.unit_ref <> assignment.unit_ref)
where assignment.role = 'lead' and taking.role = 'lead'
group by assignment.event_id;
analyze replaced;

-- Limits: the first rule that fits what is known of the assignment, once for each such situation.
create temporary table due on commit drop as
with placed as (
    select assignment.event_id, dispatched_on, request_type, urgency, linkage_level
    from assignment
    inner join cases using (case_id)
    left join unit
        on assignment.unit_code = unit.unit_code and dispatched_on >= valid_from
        and (dispatched_on < valid_to or valid_to is null)
),
chosen as (
    select distinct on (dispatched_on, request_type, urgency, linkage_level, limit_kind)
        dispatched_on, request_type, urgency, linkage_level, limit_kind, limit_rule, amount, limit_rule.unit,
        last_day.ends_at
    from (select distinct dispatched_on, request_type, urgency, linkage_level from placed) as situations
    inner join limit_rule
        on dispatched_on >= valid_from and (dispatched_on < valid_to or valid_to is null)
        and (request_types is null or request_types ? request_type)
        and (urgencies is null or urgencies ? urgency)
        and (linkage_levels is null or linkage_levels @> to_jsonb(linkage_level))
    inner join calendar as first_day on dispatched_on = first_day.date_on
    left join calendar as last_day
        on last_day.is_workday and last_day.workday_no = first_day.workday_no + amount and limit_rule.unit = 'workday'
    order by dispatched_on, request_type, urgency, linkage_level, limit_kind, rule_no
)
select event_id, limit_kind, limit_rule, ends_at, case when unit = 'hour' then amount * interval '1 hour' end as span
from placed inner join chosen
    on placed.dispatched_on = chosen.dispatched_on and placed.urgency = chosen.urgency
    and coalesce(placed.request_type, '') = coalesce(chosen.request_type, '')
    and coalesce(placed.linkage_level, 0) = coalesce(chosen.linkage_level, 0);
analyze due;

create table fct_timeliness as
select
    assignment.event_id as assignment_id,
    assignment.root_case_id as case_id,
    unit_code, unit_name, role as unit_role, round, assignment.occurred_at as dispatched_at,
    coalesce(sign.ends_at, assignment.occurred_at + sign.span) as sign_due_at,
    signed_at,
    coalesce(contact.ends_at, assignment.occurred_at + contact.span) as contact_due_at,
    contacted_at,
    coalesce(assignment.due_at, closing.ends_at, assignment.occurred_at + closing.span) as due_at,
    closed_at,
    coalesce(returned_at, case when closed_at is null or closed_at > ended_at then ended_at end) as voided_at,
    coalesce(returned_at, closed_at, ended_at, replaced_at) as ended_at,
    signed_at <= coalesce(sign.ends_at, assignment.occurred_at + sign.span) as is_signed_on_time,
    contacted_at <= coalesce(contact.ends_at, assignment.occurred_at + contact.span) as is_contacted_on_time,
    closed_at <= coalesce(assignment.due_at, closing.ends_at, assignment.occurred_at + closing.span)
        as is_closed_on_time,
    extract(epoch from closed_at - assignment.occurred_at)::integer / 60 as natural_minutes_to_close,
    (closed_day.workday_no - dispatched_day.workday_no) as working_days_to_close,
    sign.limit_rule as sign_limit_rule, contact.limit_rule as contact_limit_rule, closing.limit_rule,
    assignment.batch_id as dispatch_batch_id, assignment.row_number as dispatch_row_number, close_batch_id,
    close_row_number
from assignment
left join lived on assignment.event_id = lived.assignment_id
left join replaced on assignment.event_id = replaced.event_id
left join ended on assignment.root_case_id = ended.root_case_id and ended_at > assignment.occurred_at
left join due as sign on assignment.event_id = sign.event_id and sign.limit_kind = 'sign'
left join due as contact on assignment.event_id = contact.event_id and contact.limit_kind = 'contact'
left join due as closing on assignment.event_id = closing.event_id and closing.limit_kind = 'close'
left join calendar as dispatched_day on dispatched_on = dispatched_day.date_on
left join calendar as closed_day on (closed_at at time zone 'Asia/Shanghai')::date = closed_day.date_on;
alter table fct_timeliness add primary key (assignment_id);
create index on fct_timeliness (case_id);
create index on fct_timeliness (due_at);
create index on fct_timeliness (unit_code, dispatched_at);
analyze fct_timeliness;

create table fct_case as
with standing as (
    select
        case_id,
        min(dispatched_at) as first_dispatched_at,
        count(*) as assignment_count,
        count(*) filter (where round > 1) as rework_count,
        count(*) filter (where voided_at is not null) as void_count,
        bool_and(ended_at is not null) filter (where unit_role = 'lead') as is_closed,
        max(closed_at) filter (where unit_role = 'lead' and voided_at is null) as closed_at
    from fct_timeliness group by case_id
),
answered as (
    select root_case_id, min(occurred_at) as closed_at from won_event where event_type in ('DIRECT', 'CLOSE') group by 1
),
merged as (
    select distinct on (won_event.case_id) won_event.case_id, md5(feed_code || '|' || result_code) as into_case_id
    from won_event inner join cases using (case_id)
    where event_type = 'MERGE'
    order by won_event.case_id, occurred_at
),
excluded as (
    select distinct on (root_case_id) root_case_id, event_type = 'EXCLUDE_GRANT' as is_excluded
    from won_event where event_type in ('EXCLUDE_GRANT', 'EXCLUDE_DENY')
    order by root_case_id, occurred_at desc
)
select
    cases.case_id, feed_code, case_no, request_type, category_code, area_code, channel, urgency, received_at,
    case when cases.case_id = cases.root_case_id then first_dispatched_at end as first_dispatched_at,
    case when standing.case_id is null then answered.closed_at when is_closed then standing.closed_at end as closed_at,
    case when cases.case_id <> cases.root_case_id then upstream_case_id end as transferred_from_case_id,
    into_case_id as merged_into_case_id,
    repeated.earlier_case_id as repeat_of_case_id,
    coalesce(is_excluded, false) as is_excluded,
    coalesce(assignment_count, 0) as assignment_count, coalesce(rework_count, 0) as rework_count,
    coalesce(void_count, 0) as void_count, cases.root_case_id, batch_id as source_batch_id,
    row_number as source_row_number
from cases
left join standing on cases.root_case_id = standing.case_id
left join answered on cases.root_case_id = answered.root_case_id
left join merged on cases.case_id = merged.case_id
left join repeated on cases.case_id = repeated.case_id
left join excluded on cases.root_case_id = excluded.root_case_id;
alter table fct_case add primary key (case_id);
create unique index on fct_case (feed_code, case_no);
create index on fct_case (received_at);
create index on fct_case (root_case_id) where root_case_id <> case_id;
create index on fct_case (merged_into_case_id) where merged_into_case_id is not null;
analyze fct_case;

create table fct_satisfaction as
with newest as (
    select distinct on (case_feed_code, case_no, called_at, unit_name, round)
        md5(case_feed_code || '|' || case_no) as case_id, unit_name, round, called_at, channel, is_reached, reach_code,
        contact_code, resolution_code, satisfaction_scale, satisfaction_code, is_deleted, batch_id, row_number,
        md5(concat_ws('|', case_feed_code, case_no, extract(epoch from called_at), coalesce(unit_name, ''), round))
            as callback_id
    from staging.callback inner join batch using (batch_id)
    order by case_feed_code, case_no, called_at, unit_name, round, order_key desc, row_number desc
)
select distinct on (callback_id)
    callback_id, assignment.event_id as assignment_id, cases.root_case_id as case_id,
    coalesce(assignment.unit_code, unit_name.unit_code) as unit_code, coalesce(newest.round, assignment.round) as round,
    newest.channel, called_at, is_reached, reach_code, contact_code, resolution_code, satisfaction_scale,
    satisfaction_code, newest.batch_id as source_batch_id, newest.row_number as source_row_number
from newest
inner join cases using (case_id)
left join unit_name
    on newest.unit_name = unit_name.unit_name
    and (called_at at time zone 'Asia/Shanghai')::date >= unit_name.valid_from
    and (called_at at time zone 'Asia/Shanghai')::date < unit_name.valid_to
left join assignment
    on cases.root_case_id = assignment.root_case_id
    and (
        coalesce(unit_name.unit_code, 'raw|' || newest.unit_name) = assignment.unit_ref
        or (newest.unit_name is null and assignment.role = 'lead')
    )
where not newest.is_deleted
order by callback_id, (assignment.occurred_at <= called_at) desc,
    abs(extract(epoch from called_at - assignment.occurred_at)), assignment.event_id;
alter table fct_satisfaction add primary key (callback_id);
create index on fct_satisfaction (case_id);
create index on fct_satisfaction (called_at);
analyze fct_satisfaction;

create table fct_event as
select
    won_event.event_id, won_event.case_id, won_event.root_case_id,
    coalesce(deed.assignment_id, opening.event_id) as assignment_id,
    won_event.event_type, won_event.occurred_at, won_event.unit_code, won_event.unit_name as unit_name_raw,
    won_event.unit_role, won_event.due_at, won_event.limit_kind, won_event.result_code,
    won_event.batch_id as source_batch_id, won_event.row_number as source_row_number
from won_event
left join deed on won_event.event_id = deed.event_id
left join assignment as opening on won_event.event_id = opening.event_id;
alter table fct_event add primary key (case_id, event_id);
create index on fct_event (root_case_id) where root_case_id <> case_id;
create index on fct_event using brin (occurred_at);
analyze fct_event;
