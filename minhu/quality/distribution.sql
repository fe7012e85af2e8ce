-- How the rows of each judged batch are spread over codes and hours, for comparing with the delivery's own history.
-- Only what a register or a vocabulary may hold is named; all else is counted together as ?, so that a column that
-- carries a citizen's data by mistake does not bring it here.
with judged as (
    select
        batch_id,
        business_date
    from audit.batch
    where batch_id = any(%(batches)s)
),

counted as (
    select
        batch_id,
        'category' as dimension,
        category_code as code,
        count(*) as row_count
    from staging.case_record
    where batch_id = any(%(batches)s)
    group by batch_id, category_code
    union all
    select
        batch_id,
        'area',
        area_code,
        count(*)
    from staging.case_record
    where batch_id = any(%(batches)s)
    group by batch_id, area_code
    union all
    select
        batch_id,
        'request_type',
        request_type,
        count(*)
    from staging.case_record
    where batch_id = any(%(batches)s)
    group by batch_id, request_type
    union all
    select
        batch_id,
        'urgency',
        urgency,
        count(*)
    from staging.case_record
    where batch_id = any(%(batches)s)
    group by batch_id, urgency
    union all
    select
        batch_id,
        'hour',
        to_char(received_at, 'HH24'),
        count(*)
    from staging.case_record
    where batch_id = any(%(batches)s)
    group by batch_id, to_char(received_at, 'HH24')
    union all
    select
        batch_id,
        'event_type',
        event_type,
        count(*)
    from staging.case_event
    where batch_id = any(%(batches)s)
    group by batch_id, event_type
    union all
    select
        batch_id,
        'unit',
        unit_name,
        count(*)
    from staging.case_event
    where batch_id = any(%(batches)s)
    group by batch_id, unit_name
    union all
    select
        batch_id,
        'hour',
        to_char(occurred_at, 'HH24'),
        count(*)
    from staging.case_event
    where batch_id = any(%(batches)s)
    group by batch_id, to_char(occurred_at, 'HH24')
    union all
    select
        batch_id,
        'satisfaction',
        satisfaction_code,
        count(*)
    from staging.callback
    where batch_id = any(%(batches)s)
    group by batch_id, satisfaction_code
    union all
    select
        batch_id,
        'resolution',
        resolution_code,
        count(*)
    from staging.callback
    where batch_id = any(%(batches)s)
    group by batch_id, resolution_code
    union all
    select
        batch_id,
        'hour',
        to_char(called_at, 'HH24'),
        count(*)
    from staging.callback
    where batch_id = any(%(batches)s)
    group by batch_id, to_char(called_at, 'HH24')
),

registered as (
    select
        kind,
        key
    from config.entry
    where until_version is null and kind in ('category', 'area')
),

unit_name as (
    select
        word.key as unit_name,
        span.unit_code,
        coalesce(span.valid_from, '-infinity') as valid_from,
        coalesce(span.valid_to, 'infinity') as valid_to
    from config.entry as word
    cross join lateral jsonb_to_recordset(word.data -> 'spans') as span (unit_code text, valid_from date, valid_to date)
    where word.until_version is null and word.kind = 'unit_name'
),

named as (
    select
        counted.batch_id,
        counted.dimension,
        counted.row_count,
        case counted.dimension
            when 'hour' then counted.code
            when 'unit' then unit_name.unit_code
            when 'category' then registered.key
            when 'area' then registered.key
            else substring(counted.code from '^[A-Za-z_]{2,30}$')
        end as code
    from counted
    inner join judged on counted.batch_id = judged.batch_id
    left join registered on counted.dimension = registered.kind and counted.code = registered.key
    left join unit_name
        on
            counted.dimension = 'unit'
            and counted.code = unit_name.unit_name
            and judged.business_date >= unit_name.valid_from
            and judged.business_date < unit_name.valid_to
    where counted.code is not null
),

summed as (
    select
        batch_id,
        dimension,
        coalesce(code, '?') as code,
        sum(row_count) as row_count
    from named
    group by batch_id, dimension, coalesce(code, '?')
)

insert into audit.batch_distribution (batch_id, dimension, row_count, codes)
select
    batch_id,
    dimension,
    sum(row_count),
    jsonb_object_agg(code, row_count)
from summed
group by batch_id, dimension;
