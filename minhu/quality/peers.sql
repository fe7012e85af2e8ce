-- The earlier batches that each judged batch is compared with, as a temporary table: accepted ones of the same
-- delivery, of earlier days, at most 56 days back, so that the cost does not grow with history.
--
-- Seasonal: of the same weekday and the same kind of day, where there are four; else the newest twelve of the same
-- kind of day, where there are five; else none. A kind is a workday, the first one after a rest or after three days of
-- rest and more, a weekend, a holiday. Recent: the newest 28, where there are seven. With fewer there is nothing to
-- compare with.
create temporary table peer on commit drop as
with judged as (
    select
        batch_id,
        feed_code,
        delivery,
        business_date
    from audit.batch
    where batch_id = any(%(batches)s)
),

span as (
    select
        min(business_date) - 70 as first_on,
        max(business_date) as last_on
    from judged
),

day as (
    select
        cast(series.starts_at as date) as day_on,
        cast(extract(isodow from series.starts_at) as integer) as weekday,
        coalesce(cast(entry.data ->> 'is_workday' as boolean), extract(isodow from series.starts_at) < 6) as is_workday
    from span
    inner join lateral generate_series(
        cast(span.first_on as timestamp), cast(span.last_on as timestamp), interval '1 day'
    ) as series (starts_at) on true
    left join config.entry as entry
        on
            to_char(series.starts_at, 'YYYY-MM-DD') = entry.key
            and entry.kind = 'calendar_day'
            and entry.until_version is null
),

rested as (
    select
        *,
        day_on - max(day_on) filter (where is_workday) over (
            order by day_on rows between unbounded preceding and 1 preceding
        ) - 1 as rest_days
    from day
),

kind as (
    select
        day_on,
        weekday,
        case
            when is_workday and rest_days >= 3 then 'after_holiday'
            when is_workday and rest_days >= 1 then 'after_rest'
            when is_workday then 'workday'
            when weekday >= 6 then 'weekend'
            else 'holiday'
        end as kind_of_day
    from rested
),

earlier as (
    select
        judged.batch_id,
        past.batch_id as past_batch_id,
        now_kind.kind_of_day = past_kind.kind_of_day as is_same_kind,
        now_kind.kind_of_day = past_kind.kind_of_day and now_kind.weekday = past_kind.weekday as is_same_weekday,
        row_number() over newest_first as recency,
        row_number() over (
            partition by judged.batch_id, past_kind.kind_of_day order by past.business_date desc, past.batch_id desc
        ) as recency_of_kind
    from judged
    inner join audit.batch as past
        on
            judged.feed_code = past.feed_code
            and judged.delivery = past.delivery
            and past.status = 'accepted'
            and past.business_date >= judged.business_date - 56
            and judged.business_date > past.business_date
    inner join kind as now_kind on judged.business_date = now_kind.day_on
    inner join kind as past_kind on past.business_date = past_kind.day_on
    window newest_first as (partition by judged.batch_id order by past.business_date desc, past.batch_id desc)
),

counted as (
    select
        *,
        count(*) over of_batch as all_batches,
        count(*) filter (where is_same_kind) over of_batch as batches_of_kind,
        count(*) filter (where is_same_weekday) over of_batch as batches_of_weekday
    from earlier
    window of_batch as (partition by batch_id)
)

select
    batch_id,
    past_batch_id,
    true as is_seasonal,
    case when batches_of_weekday >= 4 then 'weekday' else 'day_kind' end as compared_with
from counted
where
    case
        when batches_of_weekday >= 4 then is_same_weekday
        else batches_of_kind >= 5 and is_same_kind and recency_of_kind <= 12
    end
union all
select
    batch_id,
    past_batch_id,
    false,
    'recent'
from counted
where all_batches >= 7 and recency <= 28;
