-- Why a case is a repeat stays with it.
alter table mart.fct_case
    add column repeat_similarity numeric,
    add column repeat_basis text;

-- Who has much to do (大户): what was dispatched to each unit in a month and stayed with it. Comments come from the dbt
-- project.
create view mart.unit_load as
with duties as (
    select
        date_trunc('month', dispatched_at at time zone 'Asia/Shanghai')::date as dispatched_month,
        unit_code,
        case_id,
        unit_role,
        count(*) filter (where unit_role = 'lead') over month as city_lead_count
    from mart.fct_timeliness
    where voided_at is null
    window month as (partition by date_trunc('month', dispatched_at at time zone 'Asia/Shanghai')::date)
),
loads as (
    select
        dispatched_month,
        unit_code,
        count(distinct case_id) as case_count,
        count(*) filter (where unit_role = 'lead') as lead_count,
        count(*) filter (where unit_role = 'support') as support_count,
        city_lead_count
    from duties
    group by dispatched_month, unit_code, city_lead_count
),
-- a unit is called as it was last in the month
units as (
    select distinct on (loads.dispatched_month, loads.unit_code)
        loads.dispatched_month, loads.unit_code, dim_unit.unit_name, dim_unit.unit_kind, dim_unit.peer_group
    from loads
    inner join mart.dim_unit
        on dim_unit.unit_code = loads.unit_code
        and dim_unit.valid_from < loads.dispatched_month + interval '1 month'
    order by loads.dispatched_month, loads.unit_code, dim_unit.valid_from desc
)
select
    loads.dispatched_month,
    loads.unit_code,
    units.unit_name,
    units.unit_kind,
    units.peer_group,
    loads.case_count,
    loads.lead_count,
    loads.support_count,
    round(100.0 * loads.lead_count / nullif(loads.city_lead_count, 0), 2) as city_share_pct,
    rank() over (partition by loads.dispatched_month order by loads.lead_count desc) as city_rank
from loads
left join units on units.dispatched_month = loads.dispatched_month and units.unit_code = loads.unit_code;
comment on view mart.unit_load is '单位承办量（大户） — What was dispatched to each unit in a month and stayed with it.';

-- Which caller a case is of. Never in mart: nobody but the owner reads schema restricted, and what he reads here with
-- `minhu callers` is logged.
create view restricted.caller_case as
select
    coalesce(link.current_token, record.caller_token) as caller_id,
    record.caller_masked,
    fact.case_id,
    fact.root_case_id,
    fact.category_code,
    fact.received_at,
    fact.repeat_of_case_id is not null as is_repeat
from mart.fct_case as fact
inner join staging.case_record as record
    on record.feed_code = fact.feed_code
    and record.case_no = fact.case_no
    and record.batch_id = fact.source_batch_id
    and record.row_number = fact.source_row_number
left join restricted.caller_link as link on link.earlier_token = record.caller_token
where record.caller_token is not null;
comment on view restricted.caller_case is
'工单与来电人 — Each case with its caller: his token of today, and the masked phone.';

-- That list is no batch's.
alter table audit.access_log
    alter column batch_id drop not null,
    drop constraint access_log_subject_check,
    add constraint access_log_subject_check
        check (subject in ('landed_file', 'rejected_rows', 'frequent_callers')),
    add constraint what_is_of_a_batch_names_it check (subject = 'frequent_callers' or batch_id is not null);
