-- One pattern more. The ones there were are a view of their own, so that the next one repeats none of them.
alter view audit.gaming_signal rename to gaming_pattern;
comment on view audit.gaming_pattern is '疑似刷分信号（一）— The patterns of gaming_signal but the one added after them.';

-- Closed in the last hours before the limit, and sent back by review or rework after that: such a close stood at the
-- limit and was in time. Against all that the unit closed in those hours, in the month in which the limits lie.
create view audit.gaming_signal as
with thresholds as (
    select
        (data ->> 'valid_from')::date as valid_from,
        lead((data ->> 'valid_from')::date) over (order by (data ->> 'valid_from')::date) as valid_to,
        (data ->> 'min_count')::integer as min_count,
        coalesce((data ->> 'last_hours')::integer, 4) * interval '1 hour' as last_hours
    from config.entry
    where kind = 'gaming' and until_version is null
),

closes as (
    select
        duties.unit_code,
        duties.assignment_id,
        date_trunc('month', duties.due_in_force_at at time zone 'Asia/Shanghai')::date as month_on,
        coalesce(greatest(duties.sent_back_at, duties.reworked_at) > duties.closed_in_time_at, false) as is_sent_back,
        duties.due_in_force_at - duties.closed_in_time_at as before_limit
    from mart.fct_timeliness as duties
    where duties.unit_code is not null and duties.voided_at is null and duties.closed_in_time_at is not null
),

closed_late_then_sent_back as (
    select
        closes.unit_code,
        closes.month_on,
        count(*) filter (where closes.is_sent_back) as found,
        count(*) as of_total,
        array_agg(closes.assignment_id order by closes.assignment_id) filter (where closes.is_sent_back) as ids
    from closes
    inner join thresholds
        on
            closes.month_on >= thresholds.valid_from
            and (thresholds.valid_to is null or closes.month_on < thresholds.valid_to)
    where closes.before_limit <= thresholds.last_hours
    group by closes.unit_code, closes.month_on, thresholds.min_count
    having count(*) filter (where closes.is_sent_back) >= thresholds.min_count
)

select * from audit.gaming_pattern
union all
select
    'closed_late_then_sent_back' as signal_code,
    unit_code,
    month_on,
    found,
    of_total,
    round(100.0 * found / of_total, 2) as found_pct,
    null as usual_pct,
    'assignment' as subject_kind,
    ids[1:5] as example_ids
from closed_late_then_sent_back;
comment on view audit.gaming_signal is
'疑似刷分信号 — Patterns by unit and month that an auditor should look at. Information, never a deduction.';
comment on column audit.gaming_signal.signal_code is 'What was seen; minhu/glossary/cases.py says it in words.';
comment on column audit.gaming_signal.month_on is 'First day of the month.';
comment on column audit.gaming_signal.found is 'Rows that show the pattern.';
comment on column audit.gaming_signal.of_total is 'Rows among which they were found.';
comment on column audit.gaming_signal.usual_pct is
'What the share is compared with: that of the days before, of the days in the month, or the threshold; null where '
'none.';
comment on column audit.gaming_signal.subject_kind is 'What the examples are: assignment or callback.';
comment on column audit.gaming_signal.example_ids is 'Five of the rows at most, the first by id.';
