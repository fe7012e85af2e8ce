-- Measures the batches of one gate run in one pass; what the arrival gate judges. A measure that does not apply to a
-- batch (its kind has no such column, or it has no rows) is left out, so that no rule can fail on it.
--
-- The list of batches is told to every scan, though the join would do: the planner then finds their rows by index
-- however long the history is.
--
-- A mobile or an ID number in free text is looked for here in SQL, a second way beside the loader's own masking.
with judged as (
    select
        batch_id,
        kind,
        business_date,
        received_rows,
        staged_rows,
        rejected_rows,
        duplicate_rows,
        control_total,
        cast(business_date + 2 as timestamptz) as future_from,  -- the day after the business date may still be on the file
        cast(business_date - 180 as timestamptz) as old_until
    from audit.batch
    where batch_id = any(%(batches)s)
),

pattern as (
    select
        '(^|[^0-9])(0?0?86)?1[3-9][0-9]{9}([^0-9]|$)'
        || '|(^|[^0-9])[1-9][0-9]{5}(18|19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}'
        || '([0-9]([^0-9]|$)|[Xx])' as personal_number
),

known as (
    select
        kind,
        key
    from config.entry
    where
        until_version is null
        and kind in ('feed', 'category')
),

-- a name counts as known where it leads to a unit on the batch's business date
known_name as (
    select
        entry.key as unit_name,
        span.unit_code,
        coalesce(span.valid_from, '-infinity') as valid_from,
        coalesce(span.valid_to, 'infinity') as valid_to
    from config.entry
    cross join lateral jsonb_to_recordset(entry.data -> 'spans') as span (unit_code text, valid_from date, valid_to date)
    where
        entry.until_version is null
        and entry.kind = 'unit_name'
),

known_kind as (
    select distinct kind
    from known
),

case_rows as (
    select
        batch_id,
        count(*) as counted_rows,
        count(*) filter (where received_at >= future_from) as future_rows,
        count(*) filter (where received_at < old_until) as old_rows,
        count(*) filter (where category_code is null) as category_null_rows,
        count(*) filter (where request_type is null) as request_type_null_rows,
        count(*) filter (where area_code is null) as area_null_rows,
        count(*) filter (where title is null and content is null) as text_null_rows,
        count(*) filter (
            where
            concat_ws(' ', title, content, address, caller_masked, cast(milestones as text), cast(payload as text))
            ~ personal_number
        ) as unmasked_rows
    from staging.case_record
    inner join judged using (batch_id)
    cross join pattern
    where batch_id = any(%(batches)s)
    group by batch_id
),

category_rows as (
    select
        coded.batch_id,
        sum(coded.row_count) as coded_rows,
        sum(coded.row_count) filter (where known.key is null) as unknown_rows
    from (
        select
            batch_id,
            category_code,
            count(*) as row_count
        from staging.case_record
        inner join judged using (batch_id)
        where batch_id = any(%(batches)s) and category_code is not null
        group by batch_id, category_code
    ) as coded
    left join known on coded.category_code = known.key and known.kind = 'category'
    where exists (select from known_kind where kind = 'category')
    group by coded.batch_id
),

event_rows as (
    select
        batch_id,
        count(*) as counted_rows,
        count(*) filter (where occurred_at >= future_from) as future_rows,
        count(*) filter (where occurred_at < old_until) as old_rows,
        count(*) filter (where event_type in ('DISPATCH', 'REDISPATCH', 'DESIGNATE', 'ADD_UNIT')) as dispatch_rows,
        count(*) filter (
            where event_type in ('DISPATCH', 'REDISPATCH', 'DESIGNATE', 'ADD_UNIT') and unit_name is null
        ) as dispatch_unit_null_rows,
        count(*) filter (where concat_ws(' ', note, cast(payload as text)) ~ personal_number) as unmasked_rows
    from staging.case_event
    inner join judged using (batch_id)
    cross join pattern
    where batch_id = any(%(batches)s)
    group by batch_id
),

callback_rows as (
    select
        batch_id,
        count(*) as counted_rows,
        count(*) filter (where called_at >= future_from) as future_rows,
        count(*) filter (where called_at < old_until) as old_rows,
        count(*) filter (
            where contact_code is null and resolution_code is null and satisfaction_code is null
        ) as outcome_null_rows,
        count(*) filter (where concat_ws(' ', reason, cast(payload as text)) ~ personal_number) as unmasked_rows
    from staging.callback
    inner join judged using (batch_id)
    cross join pattern
    where batch_id = any(%(batches)s)
    group by batch_id
),

-- Events and callbacks name units and the feed whose case they belong to. Few distinct names, many rows: count first.
named as (
    select
        batch_id,
        unit_name,
        case_feed_code,
        count(*) as row_count
    from staging.case_event
    inner join judged using (batch_id)
    where batch_id = any(%(batches)s)
    group by batch_id, unit_name, case_feed_code
    union all
    select
        batch_id,
        unit_name,
        case_feed_code,
        count(*) as row_count
    from staging.callback
    inner join judged using (batch_id)
    where batch_id = any(%(batches)s)
    group by batch_id, unit_name, case_feed_code
),

unit_rows as (
    select
        named.batch_id,
        sum(named.row_count) as named_rows,
        sum(named.row_count) filter (where known_name.unit_code is null) as unresolved_rows
    from named
    inner join judged using (batch_id)
    left join known_name
        on
            named.unit_name = known_name.unit_name
            and judged.business_date >= known_name.valid_from
            and judged.business_date < known_name.valid_to
    where
        named.unit_name is not null
        and exists (select from known_name)
    group by named.batch_id
),

feed_rows as (
    select
        named.batch_id,
        sum(named.row_count) filter (where known.key is null) as unknown_rows
    from named
    left join known on named.case_feed_code = known.key and known.kind = 'feed'
    where exists (select from known_kind where kind = 'feed')
    group by named.batch_id
),

rejects as (
    select
        batch_id,
        count(*) as counted_rows
    from audit.rejected_row
    inner join judged using (batch_id)
    group by batch_id
),

-- One row per batch whatever its kind; a batch without rows counts as none.
counted as (
    select
        judged.*,
        coalesce(case_rows.counted_rows, event_rows.counted_rows, callback_rows.counted_rows, 0) as counted_rows,
        coalesce(case_rows.future_rows, event_rows.future_rows, callback_rows.future_rows) as future_rows,
        coalesce(case_rows.old_rows, event_rows.old_rows, callback_rows.old_rows) as old_rows,
        coalesce(case_rows.unmasked_rows, event_rows.unmasked_rows, callback_rows.unmasked_rows, 0) as unmasked_rows,
        coalesce(rejects.counted_rows, 0) as counted_rejects,
        case_rows.category_null_rows,
        case_rows.request_type_null_rows,
        case_rows.area_null_rows,
        case_rows.text_null_rows,
        event_rows.dispatch_rows,
        event_rows.dispatch_unit_null_rows,
        callback_rows.outcome_null_rows,
        category_rows.coded_rows,
        case when category_rows.coded_rows > 0 then coalesce(category_rows.unknown_rows, 0) end
            as unknown_category_rows,
        unit_rows.named_rows,
        case when unit_rows.named_rows > 0 then coalesce(unit_rows.unresolved_rows, 0) end as unresolved_unit_rows,
        case when feed_rows.batch_id is not null then coalesce(feed_rows.unknown_rows, 0) end as unknown_feed_rows
    from judged
    left join case_rows using (batch_id)
    left join category_rows using (batch_id)
    left join event_rows using (batch_id)
    left join callback_rows using (batch_id)
    left join unit_rows using (batch_id)
    left join feed_rows using (batch_id)
    left join rejects using (batch_id)
),

measured as (
    select
        counted.batch_id,
        measure.metric,
        measure.value
    from counted
    cross join lateral (
        values
        ('received_rows', cast(received_rows as numeric)),
        ('staged_rows', staged_rows),
        ('rejected_rows', rejected_rows),
        ('duplicate_rows', duplicate_rows),
        ('staged_gap_rows', abs(staged_rows - counted_rows)),
        ('rejected_gap_rows', abs(rejected_rows - counted_rejects)),
        ('control_gap_rows', abs(control_total - received_rows)),
        ('rejected_pct', round(100.0 * rejected_rows / nullif(received_rows, 0), 2)),
        ('duplicate_pct', round(100.0 * duplicate_rows / nullif(received_rows, 0), 2)),
        ('unmasked_rows', unmasked_rows),
        ('future_rows', future_rows),
        ('future_pct', round(100.0 * future_rows / nullif(counted_rows, 0), 2)),
        ('old_rows', old_rows),
        ('old_pct', round(100.0 * old_rows / nullif(counted_rows, 0), 2)),
        ('category_null_pct', round(100.0 * category_null_rows / nullif(counted_rows, 0), 2)),
        ('request_type_null_pct', round(100.0 * request_type_null_rows / nullif(counted_rows, 0), 2)),
        ('area_null_pct', round(100.0 * area_null_rows / nullif(counted_rows, 0), 2)),
        ('text_null_pct', round(100.0 * text_null_rows / nullif(counted_rows, 0), 2)),
        ('unknown_category_pct', round(100.0 * unknown_category_rows / nullif(coded_rows, 0), 2)),
        ('dispatch_unit_null_pct', round(100.0 * dispatch_unit_null_rows / nullif(dispatch_rows, 0), 2)),
        ('outcome_null_pct', round(100.0 * outcome_null_rows / nullif(counted_rows, 0), 2)),
        ('unresolved_unit_pct', round(100.0 * unresolved_unit_rows / nullif(named_rows, 0), 2)),
        ('unknown_feed_rows', unknown_feed_rows)
    ) as measure (metric, value)
)

insert into audit.batch_profile (batch_id, metric, value)
select
    batch_id,
    metric,
    value
from measured
where value is not null;
