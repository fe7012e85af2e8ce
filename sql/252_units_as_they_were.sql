-- Which version of a unit each fact is about, so that nobody who reads them joins by a range of days. Facts that stand
-- are filled here; scores and releases of before have nulls, as a null changes no hash.
alter table mart.fct_timeliness add column unit_key text;
alter table mart.fct_satisfaction add column unit_key text;
alter table mart.fct_violation add column unit_key text;
alter table mart.fct_unit_indicator add column unit_key text;
alter table mart.fct_unit_score add column unit_key text;
alter table publish.unit_indicator add column unit_key text;
alter table publish.unit_score add column unit_key text;

create temporary table held_unit on commit drop as
select
    unit_code,
    unit_key,
    case when row_number() over of_unit = 1 then '-infinity'::date else valid_from end as held_from,
    coalesce(lead(valid_from) over of_unit, 'infinity'::date) as held_until
from mart.dim_unit
window of_unit as (partition by unit_code order by valid_from);

update mart.fct_timeliness as duty
set unit_key = held.unit_key
from held_unit as held
where
    duty.unit_code = held.unit_code
    and (duty.dispatched_at at time zone mart.city_zone())::date >= held.held_from
    and (duty.dispatched_at at time zone mart.city_zone())::date < held.held_until;

create temporary table opened_at on commit drop as
select
    assignment_id,
    dispatched_at
from mart.fct_timeliness;
analyze opened_at;

update mart.fct_satisfaction as callback
set unit_key = held.unit_key
from mart.fct_satisfaction as told
left join opened_at on told.assignment_id = opened_at.assignment_id
inner join held_unit as held
    on
        told.unit_code = held.unit_code
        and (coalesce(opened_at.dispatched_at, told.called_at) at time zone mart.city_zone())::date >= held.held_from
        and (coalesce(opened_at.dispatched_at, told.called_at) at time zone mart.city_zone())::date < held.held_until
where callback.callback_id = told.callback_id;

update mart.fct_violation as violation
set unit_key = held.unit_key
from mart.fct_violation as told
left join opened_at on told.assignment_id = opened_at.assignment_id and told.entered_by is null
inner join held_unit as held
    on
        told.unit_code = held.unit_code
        and (coalesce(opened_at.dispatched_at, told.found_at) at time zone mart.city_zone())::date >= held.held_from
        and (coalesce(opened_at.dispatched_at, told.found_at) at time zone mart.city_zone())::date < held.held_until
where violation.violation_id = told.violation_id;
