-- The limit in force for closing stands in the facts; whoever asks for it reads this column.
alter table mart.fct_timeliness add column due_in_force_at timestamptz;

-- Of the facts there are it follows from what they hold: no case has to be built anew. One pass writes the table as it
-- stays; an update would leave it twice its size.
alter table mart.fct_timeliness
alter column due_in_force_at type timestamptz
using case when not is_limit_unknown then coalesce(extended_due_at, due_at) end;

-- Returns just before the limit: before the one in force. One beyond the calendar has not come near.
create or replace view audit.gaming_signal as
with thresholds as (
    select
        (data ->> 'valid_from')::date as valid_from,
        lead((data ->> 'valid_from')::date) over (order by (data ->> 'valid_from')::date) as valid_to,
        (data ->> 'min_count')::integer as min_count,
        (data ->> 'rated_within_seconds')::integer * interval '1 second' as rated_within,
        (data ->> 'closed_in_one_second')::integer as closed_in_one_second,
        (data ->> 'low_reach_pct')::numeric as low_reach_pct,
        (data ->> 'last_days')::integer as last_days,
        (data ->> 'jump_factor')::numeric as jump_factor,
        (data ->> 'reopened_within_days')::integer * interval '1 day' as reopened_within
    from config.entry
    where kind = 'gaming' and until_version is null
),

-- Every month in which anything happened, with its thresholds and the day from which its last days count.
months as (
    select
        days.month_on,
        ((days.month_on + interval '1 month')::date - thresholds.last_days)::timestamp at time zone 'Asia/Shanghai'
            as last_days_from,
        extract(day from days.month_on + interval '1 month - 1 day')::numeric - thresholds.last_days as days_before,
        thresholds.*
    from (select distinct date_trunc('month', date_on)::date as month_on from mart.dim_date) as days
    inner join thresholds
        on
            days.month_on >= thresholds.valid_from
            and (thresholds.valid_to is null or days.month_on < thresholds.valid_to)
),

closings as (
    select
        unit_code,
        assignment_id,
        closed_at,
        reworked_at,
        date_trunc('month', closed_at at time zone 'Asia/Shanghai')::date as month_on,
        count(*) over (partition by unit_code, date_trunc('second', closed_at)) as at_once
    from mart.fct_timeliness
    where unit_code is not null and voided_at is null and closed_at is not null
),

callbacks as (
    select
        answers.unit_code,
        answers.callback_id,
        answers.called_at,
        answers.is_reached,
        answers.resolution_code,
        nullif(answers.satisfaction_code, 'unrated') as rating,
        answers.called_at - assignments.closed_at as after_closing,
        date_trunc('month', answers.called_at at time zone 'Asia/Shanghai')::date as month_on
    from mart.fct_satisfaction as answers
    left join mart.fct_timeliness as assignments on answers.assignment_id = assignments.assignment_id
    where answers.unit_code is not null
),

returns as (
    select
        unit_code,
        assignment_id,
        voided_at,
        due_in_force_at,
        date_trunc('month', voided_at at time zone 'Asia/Shanghai')::date as month_on
    from mart.fct_timeliness
    where unit_code is not null and void_reason = 'returned'
),

reopened as (
    select
        unit_code,
        assignment_id,
        sent_back_at as reopened_at,
        date_trunc('month', sent_back_at at time zone 'Asia/Shanghai')::date as month_on
    from mart.fct_timeliness
    where unit_code is not null and voided_at is null and sent_back_at is not null
    union all
    select
        closings.unit_code,
        closings.assignment_id,
        closings.reworked_at,
        date_trunc('month', closings.reworked_at at time zone 'Asia/Shanghai')::date as month_on
    from closings
    inner join months
        on date_trunc('month', closings.reworked_at at time zone 'Asia/Shanghai')::date = months.month_on
    where closings.reworked_at between closings.closed_at and closings.closed_at + months.reopened_within
),

rated_at_once as (
    select
        'rated_at_once' as signal_code,
        callbacks.unit_code,
        callbacks.month_on,
        count(*) filter (where callbacks.after_closing between interval '0' and months.rated_within) as found,
        count(*) as of_total,
        null::numeric as usual_pct,
        'callback' as subject_kind,
        array_agg(callbacks.callback_id order by callbacks.callback_id)
        filter (where callbacks.after_closing between interval '0' and months.rated_within) as ids
    from callbacks
    inner join months on callbacks.month_on = months.month_on
    where callbacks.rating is not null
    group by callbacks.unit_code, callbacks.month_on, months.min_count
    having
        count(*) filter (where callbacks.after_closing between interval '0' and months.rated_within)
        >= months.min_count
),

closed_at_once as (
    select
        'closed_at_once' as signal_code,
        closings.unit_code,
        closings.month_on,
        count(*) filter (where closings.at_once >= months.closed_in_one_second) as found,
        count(*) as of_total,
        null::numeric as usual_pct,
        'assignment' as subject_kind,
        array_agg(closings.assignment_id order by closings.assignment_id)
        filter (where closings.at_once >= months.closed_in_one_second) as ids
    from closings
    inner join months on closings.month_on = months.month_on
    group by closings.unit_code, closings.month_on
    having count(*) filter (where closings.at_once >= months.closed_in_one_second) > 0
),

all_satisfied_few_reached as (
    select
        'all_satisfied_few_reached' as signal_code,
        callbacks.unit_code,
        callbacks.month_on,
        count(callbacks.rating) as found,
        count(*) as of_total,
        months.low_reach_pct as usual_pct,
        'callback' as subject_kind,
        array_agg(callbacks.callback_id order by callbacks.callback_id) filter (where callbacks.rating is not null)
            as ids
    from callbacks
    inner join months on callbacks.month_on = months.month_on
    group by callbacks.unit_code, callbacks.month_on, months.min_count, months.low_reach_pct
    having
        count(callbacks.rating) >= months.min_count
        and bool_and(callbacks.rating in ('very_satisfied', 'satisfied', 'basically_satisfied'))
        and 100 * count(*) filter (where callbacks.is_reached) < months.low_reach_pct * count(*)
),

-- Of the answers of the last days the share that is 解释说明, against the days before.
explained_in_the_last_days as (
    select
        'explained_in_the_last_days' as signal_code,
        unit_code,
        month_on,
        late_found as found,
        late_total as of_total,
        round(100.0 * early_found / nullif(early_total, 0), 2) as usual_pct,
        'callback' as subject_kind,
        ids
    from (
        select
            callbacks.unit_code,
            callbacks.month_on,
            months.min_count,
            months.jump_factor,
            count(*) filter (where told.is_late and told.is_explained) as late_found,
            count(*) filter (where told.is_late) as late_total,
            count(*) filter (where not told.is_late and told.is_explained) as early_found,
            count(*) filter (where not told.is_late) as early_total,
            array_agg(callbacks.callback_id order by callbacks.callback_id)
            filter (where told.is_late and told.is_explained) as ids
        from callbacks
        inner join months on callbacks.month_on = months.month_on
        cross join
            lateral (
                select
                    callbacks.called_at >= months.last_days_from as is_late,
                    callbacks.resolution_code = 'explained' as is_explained
            ) as told
        where callbacks.resolution_code in ('resolved', 'explained', 'unresolved')
        group by callbacks.unit_code, callbacks.month_on, months.min_count, months.jump_factor
    ) as halves
    where late_found >= min_count and late_found * early_total >= jump_factor * early_found * late_total
),

-- Returns granted in the last days of the month, against what the days before would lead to expect.
returned_in_the_last_days as (
    select
        'returned_in_the_last_days' as signal_code,
        returns.unit_code,
        returns.month_on,
        count(*) filter (where returns.voided_at >= months.last_days_from) as found,
        count(*) as of_total,
        round(100.0 * months.last_days / (months.last_days + months.days_before), 2) as usual_pct,
        'assignment' as subject_kind,
        array_agg(returns.assignment_id order by returns.assignment_id)
        filter (where returns.voided_at >= months.last_days_from) as ids
    from returns
    inner join months on returns.month_on = months.month_on
    group by
        returns.unit_code, returns.month_on, months.min_count, months.jump_factor, months.last_days, months.days_before
    having
        count(*) filter (where returns.voided_at >= months.last_days_from) >= months.min_count
        and count(*) filter (where returns.voided_at >= months.last_days_from) * months.days_before
        >= months.jump_factor * months.last_days * count(*) filter (where returns.voided_at < months.last_days_from)
),

-- Returns granted in the last days before the limit would have passed, against all others.
returned_before_the_limit as (
    select
        'returned_before_the_limit' as signal_code,
        returns.unit_code,
        returns.month_on,
        count(*) filter (where told.is_close) as found,
        count(*) as of_total,
        null::numeric as usual_pct,
        'assignment' as subject_kind,
        array_agg(returns.assignment_id order by returns.assignment_id) filter (where told.is_close) as ids
    from returns
    inner join months on returns.month_on = months.month_on
    cross join
        lateral (  -- noqa: ST05
            select
                coalesce(
                    returns.voided_at
                    between returns.due_in_force_at - months.last_days * interval '1 day' and returns.due_in_force_at,
                    false
                ) as is_close
        ) as told
    group by returns.unit_code, returns.month_on, months.min_count, months.jump_factor
    having
        count(*) filter (where told.is_close) >= months.min_count
        and count(*) filter (where told.is_close) >= months.jump_factor * count(*) filter (where not told.is_close)
),

closed_then_reopened as (
    select
        'closed_then_reopened' as signal_code,
        reopened.unit_code,
        reopened.month_on,
        count(distinct reopened.assignment_id) as found,
        coalesce(max(closed.of_total), 0) as of_total,
        null::numeric as usual_pct,
        'assignment' as subject_kind,
        array_agg(distinct reopened.assignment_id order by reopened.assignment_id) as ids
    from reopened
    inner join months on reopened.month_on = months.month_on
    left join (  -- noqa: ST05
        select
            unit_code,
            month_on,
            count(*) as of_total
        from closings
        group by unit_code, month_on
    ) as closed
        on reopened.unit_code = closed.unit_code and reopened.month_on = closed.month_on
    group by reopened.unit_code, reopened.month_on, months.min_count
    having count(distinct reopened.assignment_id) >= months.min_count
),

-- Exclusions decided in the last days of the month, against what the days before would lead to expect. Those of a case
-- speak of its lead.
exclusions as (
    select distinct
        assignments.unit_code,
        assignments.assignment_id,
        excluded.decided_at,
        date_trunc('month', excluded.decided_at at time zone 'Asia/Shanghai')::date as month_on
    from mart.fct_exclusion as excluded
    inner join mart.fct_timeliness as assignments
        on
            excluded.case_id = assignments.case_id
            and coalesce(excluded.assignment_id = assignments.assignment_id, assignments.unit_role = 'lead')
    where assignments.unit_code is not null and assignments.voided_at is null
),

excluded_in_the_last_days as (
    select
        'excluded_in_the_last_days' as signal_code,
        exclusions.unit_code,
        exclusions.month_on,
        count(*) filter (where exclusions.decided_at >= months.last_days_from) as found,
        count(*) as of_total,
        round(100.0 * months.last_days / (months.last_days + months.days_before), 2) as usual_pct,
        'assignment' as subject_kind,
        array_agg(exclusions.assignment_id order by exclusions.assignment_id)
        filter (where exclusions.decided_at >= months.last_days_from) as ids
    from exclusions
    inner join months on exclusions.month_on = months.month_on
    group by
        exclusions.unit_code, exclusions.month_on, months.min_count, months.jump_factor, months.last_days,
        months.days_before
    having
        count(*) filter (where exclusions.decided_at >= months.last_days_from) >= months.min_count
        and count(*) filter (where exclusions.decided_at >= months.last_days_from) * months.days_before
        >= months.jump_factor * months.last_days * count(*) filter (where exclusions.decided_at < months.last_days_from)
),

signals as (
    select * from rated_at_once
    union all
    select * from closed_at_once
    union all
    select * from all_satisfied_few_reached
    union all
    select * from explained_in_the_last_days
    union all
    select * from excluded_in_the_last_days
    union all
    select * from returned_in_the_last_days
    union all
    select * from returned_before_the_limit
    union all
    select * from closed_then_reopened
)

select
    signal_code,
    unit_code,
    month_on,
    found,
    of_total,
    round(100.0 * found / nullif(of_total, 0), 2) as found_pct,
    usual_pct,
    subject_kind,
    ids[1:5] as example_ids
from signals;
