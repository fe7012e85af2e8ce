-- Data quality (数据质量分): one row per part of the monthly score of a feed, for the unit that runs the feed.
select
    'data_quality' as measure_code,
    'feed' as subject_kind,
    concat_ws(' ', feed_code, to_char(month_on, 'YYYY-MM'), part) as subject_id,
    {{ nulls(['case_id', 'assignment_id', 'callback_id'], 'text') }},
    unit_code,
    {{ nulls(['received_at', 'dispatched_at', 'due_at', 'closed_at', 'called_at'], 'timestamptz') }},
    month_on::timestamp at time zone '{{ var("timezone") }}' as occurred_at,
    points as numerator_value,
    points_max as denominator_value,
    null::text as excluded_reason,
    null::text as answer_code
from {{ source('mart', 'feed_quality') }}
