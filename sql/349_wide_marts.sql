-- Marts for people who drag and drop: one row per stated grain, codes with their words, technical columns left out, and
-- every rate as a pair of columns that sum to what the scheme counted. Who asks sees what he may see of the facts.
create view mart.peer_group_name with (security_invoker = true) as
select distinct on (peer_group)
    peer_group,
    peer_group_name_zh,
    peer_group_name_en
from mart.dim_peer_group
order by peer_group asc, period desc, scheme_id asc, scheme_version asc;
comment on view mart.peer_group_name is '同类组名称 — What the newest scheme calls each peer group.';

create view mart.case_wide with (security_invoker = true) as
select
    cases.case_id,
    cases.case_no,
    cases.feed_code,
    feeds.feed_name as feed_zh,
    cases.request_type,
    type_word.label_zh as request_type_zh,
    cases.category_code,
    coalesce(categories.category_name, cases.category_code) as category_zh,
    coalesce(categories.level_1_name, categories.category_name, cases.category_code) as category_1_zh,
    cases.area_code,
    coalesce(areas.area_name, cases.area_code) as area_zh,
    areas.district_name as district_zh,
    areas.town_name as town_zh,
    cases.urgency,
    urgency_word.label_zh as urgency_zh,
    cases.received_on,
    cases.channel,
    cases.received_at,
    cases.closed_on,
    cases.closed_at,
    cases.is_excluded,
    cases.exclusion_reason,
    coalesce(exclusion_word.label_zh, cases.exclusion_reason) as exclusion_reason_zh,
    cases.assignment_count,
    cases.return_count,
    cases.rework_count,
    1 as case_n,
    (cases.repeat_of_case_id is not null)::integer as repeated_n,
    1 as repeated_of,
    case when not cases.is_excluded then (cases.closed_at is not null)::integer end as closed_n,
    case when not cases.is_excluded then 1 end as closed_of
from mart.fct_case as cases
left join mart.dim_feed as feeds on cases.feed_code = feeds.feed_code
left join mart.dim_category as categories on cases.category_code = categories.category_code
left join mart.dim_area as areas on cases.area_code = areas.area_code
left join mart.dim_code as type_word on type_word.vocabulary = 'request_type' and cases.request_type = type_word.code
left join mart.dim_code as urgency_word on urgency_word.vocabulary = 'urgency' and cases.urgency = urgency_word.code
left join mart.dim_code as exclusion_word
    on exclusion_word.vocabulary = 'exclusion_reason' and cases.exclusion_reason = exclusion_word.code;
comment on view mart.case_wide is
'诉求件宽表 — One row per case, in words, for who drags and drops. Cases of transfers are rows of their own.';

create view mart.assignment_wide with (security_invoker = true) as
select
    duties.assignment_id,
    duties.case_id,
    cases.case_no,
    cases.feed_code,
    feeds.feed_name as feed_zh,
    cases.request_type,
    type_word.label_zh as request_type_zh,
    cases.category_code,
    coalesce(categories.category_name, cases.category_code) as category_zh,
    coalesce(categories.level_1_name, categories.category_name, cases.category_code) as category_1_zh,
    cases.area_code,
    coalesce(areas.area_name, cases.area_code) as area_zh,
    areas.district_name as district_zh,
    areas.town_name as town_zh,
    cases.urgency,
    urgency_word.label_zh as urgency_zh,
    cases.received_on,
    duties.unit_code,
    units.unit_name as unit_zh,
    units.unit_kind,
    units.peer_group,
    coalesce(groups.peer_group_name_zh, units.peer_group) as peer_group_zh,
    duties.unit_role,
    role_word.label_zh as unit_role_zh,
    duties.round,
    duties.dispatched_on,
    duties.dispatched_at,
    duties.due_on,
    duties.due_in_force_at as in_force_due_at,
    duties.closed_on,
    duties.closed_at,
    duties.ended_at is null as is_open,
    duties.end_reason,
    end_word.label_zh as end_reason_zh,
    duties.is_excluded,
    duties.exclusion_reason,
    coalesce(exclusion_word.label_zh, duties.exclusion_reason) as exclusion_reason_zh,
    duties.working_minutes_to_close,
    duties.natural_minutes_to_close,
    duties.extension_count,
    duties.urge_count,
    duties.supervise_count,
    1 as assignment_n,
    rates.on_time_n,
    rates.on_time_of,
    rates.on_time_on,
    rates.signed_n,
    rates.signed_of,
    rates.signed_on,
    rates.contacted_n,
    rates.contacted_of,
    rates.contacted_on,
    rates.completed_n,
    rates.completed_of,
    rates.completed_on,
    rates.denied_n,
    rates.denied_of,
    rates.denied_on,
    rates.reworked_n,
    rates.reworked_of,
    rates.reworked_on
from mart.fct_timeliness as duties
left join mart.fct_case as cases on duties.case_id = cases.case_id
left join mart.assignment_rate as rates on duties.assignment_id = rates.assignment_id
left join mart.dim_feed as feeds on cases.feed_code = feeds.feed_code
left join mart.dim_category as categories on cases.category_code = categories.category_code
left join mart.dim_area as areas on cases.area_code = areas.area_code
left join mart.dim_code as type_word on type_word.vocabulary = 'request_type' and cases.request_type = type_word.code
left join mart.dim_code as urgency_word on urgency_word.vocabulary = 'urgency' and cases.urgency = urgency_word.code
left join mart.dim_unit as units on duties.unit_key = units.unit_key
left join mart.peer_group_name as groups on units.peer_group = groups.peer_group
left join mart.dim_code as role_word on role_word.vocabulary = 'unit_role' and duties.unit_role = role_word.code
left join mart.dim_code as end_word on end_word.vocabulary = 'end_reason' and duties.end_reason = end_word.code
left join mart.dim_code as exclusion_word
    on exclusion_word.vocabulary = 'exclusion_reason' and duties.exclusion_reason = exclusion_word.code;
comment on view mart.assignment_wide is
'派单宽表 — One row per assignment, that is a unit, a case and a round, in words. Rates are pairs: sum over sum.';

create view mart.callback_wide with (security_invoker = true) as
select
    calls.callback_id,
    calls.assignment_id,
    calls.case_id,
    cases.case_no,
    cases.feed_code,
    feeds.feed_name as feed_zh,
    cases.request_type,
    type_word.label_zh as request_type_zh,
    cases.category_code,
    coalesce(categories.category_name, cases.category_code) as category_zh,
    coalesce(categories.level_1_name, categories.category_name, cases.category_code) as category_1_zh,
    cases.area_code,
    coalesce(areas.area_name, cases.area_code) as area_zh,
    areas.district_name as district_zh,
    areas.town_name as town_zh,
    cases.urgency,
    urgency_word.label_zh as urgency_zh,
    cases.received_on,
    calls.unit_code,
    units.unit_name as unit_zh,
    units.unit_kind,
    units.peer_group,
    coalesce(groups.peer_group_name_zh, units.peer_group) as peer_group_zh,
    calls.called_on,
    calls.called_at,
    calls.channel,
    calls.reach_code,
    reach_word.label_zh as reach_zh,
    calls.resolution_code,
    resolution_word.label_zh as resolution_zh,
    calls.satisfaction_code,
    satisfaction_word.label_zh as satisfaction_zh,
    1 as callback_n,
    rates.satisfied_n,
    rates.satisfied_of,
    rates.satisfied_on,
    rates.resolved_n,
    rates.resolved_of,
    rates.resolved_on,
    rates.reached_n,
    rates.reached_of,
    rates.reached_on
from mart.fct_satisfaction as calls
left join mart.fct_case as cases on calls.case_id = cases.case_id
left join mart.callback_rate as rates on calls.callback_id = rates.callback_id
left join mart.dim_feed as feeds on cases.feed_code = feeds.feed_code
left join mart.dim_category as categories on cases.category_code = categories.category_code
left join mart.dim_area as areas on cases.area_code = areas.area_code
left join mart.dim_code as type_word on type_word.vocabulary = 'request_type' and cases.request_type = type_word.code
left join mart.dim_code as urgency_word on urgency_word.vocabulary = 'urgency' and cases.urgency = urgency_word.code
left join mart.dim_unit as units on calls.unit_key = units.unit_key
left join mart.peer_group_name as groups on units.peer_group = groups.peer_group
left join mart.dim_code as reach_word on reach_word.vocabulary = 'reach_code' and calls.reach_code = reach_word.code
left join mart.dim_code as resolution_word
    on resolution_word.vocabulary = 'resolution_code' and calls.resolution_code = resolution_word.code
left join mart.dim_code as satisfaction_word
    on satisfaction_word.vocabulary = 'satisfaction_code' and calls.satisfaction_code = satisfaction_word.code;
comment on view mart.callback_wide is
'回访宽表 — One row per callback, in words. Joined to assignments by case it would multiply them: it stands by itself.';

-- What stands of each scheme and period: the newest release, or where there is none the newest score.
create view mart.score_wide with (security_invoker = true) as
with newest as (
    select distinct on (scheme_id, period)
        scheme_id,
        period,
        scheme_version,
        as_of
    from mart.score_run
    order by scheme_id asc, period asc, scored_at desc
),

released as (
    select distinct on (scheme_id, period)
        scheme_id,
        period,
        release_id,
        revision,
        as_of,
        published_at
    from publish.release
    order by scheme_id asc, period asc, revision desc
),

told as (
    select
        released.scheme_id,
        released.period,
        true as is_published,
        released.revision,
        released.published_at,
        released.as_of,
        schemes.title_zh as scheme_zh,
        counted.unit_code,
        counted.unit_key,
        score.peer_group,
        groups.peer_group_name_zh as peer_group_zh,
        counted.indicator_code,
        law.indicator_no,
        law.indicator_name_zh as indicator_zh,
        law.measure_code,
        law.value_unit_zh,
        counted.numerator,
        counted.denominator,
        counted.value,
        counted.target,
        counted.points,
        counted.points_max,
        counted.wilson_low_pct,
        counted.wilson_high_pct,
        score.score_100,
        score.band,
        score.rank_in_group,
        score.not_ranked_reason
    from released
    inner join publish.unit_indicator as counted on released.release_id = counted.release_id
    inner join publish.unit_score as score
        on counted.release_id = score.release_id and counted.unit_code = score.unit_code
    left join publish.scheme as schemes on released.release_id = schemes.release_id
    left join publish.peer_group as groups
        on released.release_id = groups.release_id and score.peer_group = groups.peer_group
    left join publish.indicator as law
        on released.release_id = law.release_id and counted.indicator_code = law.indicator_code
    union all
    select
        newest.scheme_id,
        newest.period,
        false as is_published,
        null as revision,
        null as published_at,
        newest.as_of,
        schemes.title_zh,
        counted.unit_code,
        counted.unit_key,
        score.peer_group,
        groups.peer_group_name_zh,
        counted.indicator_code,
        law.indicator_no,
        law.indicator_name_zh,
        law.measure_code,
        law.value_unit_zh,
        counted.numerator,
        counted.denominator,
        counted.value,
        counted.target,
        counted.points,
        counted.points_max,
        counted.wilson_low_pct,
        counted.wilson_high_pct,
        score.score_100,
        score.band,
        score.rank_in_group,
        score.not_ranked_reason
    from newest
    left join released on newest.scheme_id = released.scheme_id and newest.period = released.period
    inner join mart.fct_unit_indicator as counted
        on
            newest.scheme_id = counted.scheme_id
            and newest.scheme_version = counted.scheme_version
            and newest.period = counted.period
    inner join mart.fct_unit_score as score
        on
            counted.scheme_id = score.scheme_id
            and counted.scheme_version = score.scheme_version
            and counted.period = score.period
            and counted.unit_code = score.unit_code
    left join mart.dim_scheme as schemes
        on
            newest.scheme_id = schemes.scheme_id
            and newest.scheme_version = schemes.scheme_version
            and newest.period = schemes.period
    left join mart.dim_peer_group as groups
        on
            newest.scheme_id = groups.scheme_id
            and newest.scheme_version = groups.scheme_version
            and newest.period = groups.period
            and score.peer_group = groups.peer_group
    left join mart.dim_indicator as law
        on
            newest.scheme_id = law.scheme_id
            and newest.scheme_version = law.scheme_version
            and newest.period = law.period
            and counted.indicator_code = law.indicator_code
    where released.scheme_id is null
)

select
    told.scheme_id,
    coalesce(told.scheme_zh, told.scheme_id) as scheme_zh,
    told.period,
    case
        when told.period like '%Q%'
            then make_date(left(told.period, 4)::integer, 3 * right(told.period, 1)::integer - 2, 1)
        when told.period like '____-__' then to_date(told.period, 'YYYY-MM')
        else make_date(told.period::integer, 1, 1)
    end as period_on,
    case
        when told.period like '%Q%' then '季'
        when told.period like '____-__' then '月'
        else '年'
    end as period_kind_zh,
    told.is_published,
    told.revision,
    told.published_at,
    told.as_of,
    told.unit_code,
    coalesce(units.unit_name, told.unit_code) as unit_zh,
    told.peer_group,
    coalesce(told.peer_group_zh, told.peer_group) as peer_group_zh,
    told.indicator_code,
    told.indicator_no,
    coalesce(told.indicator_zh, told.indicator_code) as indicator_zh,
    told.measure_code,
    told.value_unit_zh,
    told.numerator,
    told.denominator,
    told.value,
    told.target,
    told.wilson_low_pct,
    told.wilson_high_pct,
    told.points,
    told.points_max,
    told.points_max - told.points as lost_points,
    told.score_100,
    told.band,
    told.rank_in_group,
    told.not_ranked_reason,
    reason_word.label_zh as not_ranked_reason_zh
from told
left join mart.dim_unit as units on told.unit_key = units.unit_key
left join mart.dim_code as reason_word
    on reason_word.vocabulary = 'not_ranked_reason' and told.not_ranked_reason = reason_word.code;
comment on view mart.score_wide is
'考评宽表 — What stands, one row per scheme, period, unit and indicator: as published, else as scored last.';
