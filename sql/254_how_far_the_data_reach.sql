-- How far the data reach, and what was open at each day's end, so that nobody need know that a flag is null until its
-- moment has come. Comments on columns come from the dbt project.

-- A delivery that is declared and never came has no day: then its fact reaches nowhere. Events tell duties, findings
-- and themselves; of a feed that sends none, the milestones on its cases do.
create view mart.freshness as
with delivery as (
    select
        split_part(entry.key, '/', 1) as feed_code,
        split_part(entry.key, '/', 2) as delivery,
        entry.data ->> 'kind' as kind
    from config.entry
    where entry.kind = 'delivery' and entry.until_version is null
),

told as (
    select
        batch.feed_code,
        batch.delivery,
        batch.business_date,
        batch.status,
        taken.build_id,
        taken.finished_at
    from audit.batch
    left join lateral (
        select
            build.build_id,
            build.finished_at
        from audit.build_batch
        inner join audit.build on build_batch.build_id = build.build_id
        where build_batch.batch_id = batch.batch_id and build_batch.action = 'take' and build.status = 'succeeded'
        order by build.build_id
        limit 1
    ) as taken on true
    where batch.status in ('loaded', 'held', 'accepted')
),

reached as (
    select
        delivery.feed_code,
        delivery.kind,
        delivery.delivery,
        max(told.business_date) filter (where told.build_id is not null and told.status = 'accepted') as reaches_on,
        max(told.finished_at) filter (where told.status = 'accepted') as built_at,
        count(told.business_date) filter (where told.build_id is null) as waiting_batches,
        min(told.business_date) filter (where told.build_id is null) as waiting_from_on
    from delivery
    left join told on delivery.feed_code = told.feed_code and delivery.delivery = told.delivery
    group by delivery.feed_code, delivery.kind, delivery.delivery
),

listed (fact, kind, is_of_milestones) as (
    values
    ('fct_case', 'case', false),
    ('fct_timeliness', 'event', true),
    ('fct_event', 'event', true),
    ('fct_violation', 'event', false),
    ('fct_satisfaction', 'callback', false)
),

sends_events as (
    select distinct feed_code
    from reached
    where kind = 'event'
),

fact as (
    select
        reached.*,
        listed.fact
    from reached
    left join sends_events on reached.feed_code = sends_events.feed_code
    inner join listed
        on
            reached.kind = listed.kind
            or (listed.is_of_milestones and reached.kind = 'case' and sends_events.feed_code is null)
)

select
    feed_code,
    fact,
    -- as far as the delivery that reaches least
    case when count(reaches_on) = count(*) then min(reaches_on) end as reaches_on,
    max(built_at) as built_at,
    sum(waiting_batches)::bigint as waiting_batches,
    min(waiting_from_on) as waiting_from_on
from fact
group by feed_code, fact;
comment on view mart.freshness is '数据新鲜度 — How far the built data reach, by feed and fact, and what waits.';

create index fct_timeliness_ended on mart.fct_timeliness ((coalesce(ended_at, 'infinity')));

-- With the rights of who asks: of duties everybody sees those that he may see.
create view mart.fct_backlog_day with (security_invoker = true) as
with day as (
    select
        dim_date.date_on as day_on,
        (dim_date.date_on + 1)::timestamp at time zone mart.city_zone() as ends_at
    from mart.dim_date
    where dim_date.date_on <= (select max(freshness.reaches_on) from mart.freshness)
)

select
    day.day_on,
    duty.assignment_id,
    duty.case_id,
    cases.feed_code,
    cases.request_type,
    cases.category_code,
    cases.area_code,
    duty.unit_code,
    duty.unit_key,
    duty.unit_role,
    duty.round,
    duty.dispatched_at,
    duty.due_in_force_at as due_at,
    -- a close that stood when the limit passed kept it, though review sent it back since
    case
        when duty.is_limit_unknown then null
        else coalesce(duty.due_in_force_at <= day.ends_at and duty.closed_in_time_at is null, false)
    end as is_overdue,
    duty.is_excluded
from day
inner join mart.fct_timeliness as duty
    on day.ends_at > duty.dispatched_at and day.ends_at < coalesce(duty.ended_at, 'infinity')
left join mart.fct_case as cases on duty.case_id = cases.case_id;
comment on view mart.fct_backlog_day is '每日积压 — Duties that were open at the end of each day the data reach to.';
grant select on mart.freshness, mart.fct_backlog_day to minhu_unit;
