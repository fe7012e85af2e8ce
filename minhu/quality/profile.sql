-- Measures the batches of one gate run in one pass; what the arrival gate judges. A measure that does not apply to a
-- batch (its kind has no such column, or it has no rows) is left out, so that no rule can fail on it.
--
-- The list of batches is told to every scan, though the join would do: the planner then finds their rows by index
-- however long the history is.
--
-- A mobile or an ID number in free text is looked for in SQL (`audit.has_number`), a second way beside the loader's own
-- masking. Columns are put far apart from each other, times are left out: digits of several are no number.
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
        has_no,
        notes,
        -- the day after the business date may still be on the file
        cast(business_date + 2 as timestamptz) as future_from,
        cast(business_date - 180 as timestamptz) as old_until,
        cast(business_date - 1 as timestamptz) as late_until,
        extract(epoch from loaded_at - cast(business_date + 1 as timestamptz)) / 3600 as delay_hours
    from audit.batch
    where batch_id = any(%(batches)s)
),

-- What becomes of UTF-8 read as GBK (its comma, full stop and 的), of GBK read as UTF-8, and of a lost charset.
pattern as (
    select
        '锛|銆|鐨勶|锟斤|\uFFFD|\?{4}' as garbled,
        repeat(' ', 20) as gap,
        cast('$[*].keyvalue() ? (@.key != "occurred_at" && @.key != "due_at").value' as jsonpath) as but_times
),

known as (
    select
        kind,
        key
    from config.entry
    where
        until_version is null
        and kind in ('feed', 'category', 'area')
),

-- a name counts as known where it leads to a unit on the batch's business date
known_name as (
    select
        word.key as unit_name,
        span.unit_code,
        coalesce(span.valid_from, '-infinity') as valid_from,
        coalesce(span.valid_to, 'infinity') as valid_to
    from config.entry as word
    cross join lateral jsonb_to_recordset(word.data -> 'spans') as span (unit_code text, valid_from date, valid_to date)
    where
        word.until_version is null
        and word.kind = 'unit_name'
),

known_kind as (
    select distinct kind
    from known
),

case_rows as (
    select
        told.batch_id,
        count(*) as counted_rows,
        count(distinct told.case_no) as numbers,
        -- a case has one receipt, one caller and one title in all its versions
        count(distinct hash_record_extended(
            row(told.case_no, told.received_at, told.caller_token, told.title), 0
        )) as identities,
        count(*) filter (where told.received_at >= judged.future_from) as future_rows,
        count(*) filter (where told.received_at < judged.old_until) as old_rows,
        count(*) filter (where told.category_code is null) as category_null_rows,
        count(*) filter (where told.request_type is null) as request_type_null_rows,
        count(*) filter (where told.area_code is null) as area_null_rows,
        count(*) filter (where told.title is null and told.content is null) as text_null_rows,
        count(*) filter (where told.caller_token is null) as caller_null_rows,
        count(*) filter (where told.longitude is null or told.latitude is null) as coordinate_null_rows,
        count(*) filter (
            where concat_ws(' ', told.title, told.content, told.address) ~ pattern.garbled
        ) as garbled_rows,
        count(*) filter (where coalesce(told.source_updated_at, told.received_at) < judged.late_until) as late_rows,
        max(greatest(told.received_at, told.source_updated_at)) as newest_at,
        count(*) filter (
            where
            audit.has_number(
                concat_ws(
                    pattern.gap, told.title, told.content, told.address, audit.roomy(told.caller_masked),
                    cast(jsonb_path_query_array(told.milestones, pattern.but_times) as text),
                    audit.words_of(told.payload), audit.roomy(told.category_code), audit.roomy(told.channel),
                    audit.roomy(told.area_code), audit.roomy(told.status)
                )
            )
        ) as unmasked_rows
    from staging.case_record as told
    inner join judged on told.batch_id = judged.batch_id
    cross join pattern
    where told.batch_id = any(%(batches)s)
    group by told.batch_id
),

-- codes that a register knows or does not: few distinct codes, many rows
coded as (
    select
        told.batch_id,
        'category' as kind,
        told.category_code as code,
        count(*) as row_count
    from staging.case_record as told
    inner join judged on told.batch_id = judged.batch_id
    where told.batch_id = any(%(batches)s) and told.category_code is not null
    group by told.batch_id, told.category_code
    union all
    select
        told.batch_id,
        'area' as kind,
        told.area_code as code,
        count(*) as row_count
    from staging.case_record as told
    inner join judged on told.batch_id = judged.batch_id
    where told.batch_id = any(%(batches)s) and told.area_code is not null
    group by told.batch_id, told.area_code
),

code_rows as (
    select
        coded.batch_id,
        coded.kind,
        100.0 * coalesce(sum(coded.row_count) filter (where known.key is null), 0) / sum(coded.row_count) as unknown_pct
    from coded
    inner join known_kind on coded.kind = known_kind.kind
    left join known on coded.code = known.key and coded.kind = known.kind
    group by coded.batch_id, coded.kind
),

category_rows as (
    select
        batch_id,
        unknown_pct
    from code_rows
    where kind = 'category'
),

area_rows as (
    select
        batch_id,
        unknown_pct
    from code_rows
    where kind = 'area'
),

event_rows as (
    select
        told.batch_id,
        count(*) as counted_rows,
        count(*) filter (where told.occurred_at >= judged.future_from) as future_rows,
        count(*) filter (where told.occurred_at < judged.old_until) as old_rows,
        count(*) filter (where told.event_type in ('DISPATCH', 'REDISPATCH', 'DESIGNATE', 'ADD_UNIT')) as dispatch_rows,
        count(*) filter (
            where told.event_type in ('DISPATCH', 'REDISPATCH', 'DESIGNATE', 'ADD_UNIT') and told.unit_name is null
        ) as dispatch_unit_null_rows,
        count(*) filter (
            where told.event_type in ('DISPATCH', 'REDISPATCH', 'DESIGNATE', 'ADD_UNIT') and told.due_at is null
        ) as due_null_rows,
        count(*) filter (where told.note ~ pattern.garbled) as garbled_rows,
        count(*) filter (where told.occurred_at < judged.late_until) as late_rows,
        max(told.occurred_at) as newest_at,
        count(*) filter (
            where audit.has_number(
                concat_ws(
                    pattern.gap, audit.roomy(told.note), audit.words_of(told.payload), audit.roomy(told.unit_name),
                    audit.roomy(told.reason_code)
                )
            )
        ) as unmasked_rows
    from staging.case_event as told
    inner join judged on told.batch_id = judged.batch_id
    cross join pattern
    where told.batch_id = any(%(batches)s)
    group by told.batch_id
),

callback_rows as (
    select
        told.batch_id,
        count(*) as counted_rows,
        count(*) filter (where told.called_at >= judged.future_from) as future_rows,
        count(*) filter (where told.called_at < judged.old_until) as old_rows,
        count(*) filter (
            where told.contact_code is null and told.resolution_code is null and told.satisfaction_code is null
        ) as outcome_null_rows,
        count(*) filter (where told.reason ~ pattern.garbled) as garbled_rows,
        count(*) filter (where told.called_at < judged.late_until) as late_rows,
        max(told.called_at) as newest_at,
        count(*) filter (
            where audit.has_number(
                concat_ws(
                    pattern.gap, audit.roomy(told.reason), audit.words_of(told.payload), audit.roomy(told.unit_name),
                    audit.roomy(told.channel), audit.roomy(told.satisfaction_code), audit.roomy(told.attitude_code)
                )
            )
        ) as unmasked_rows
    from staging.callback as told
    inner join judged on told.batch_id = judged.batch_id
    cross join pattern
    where told.batch_id = any(%(batches)s)
    group by told.batch_id
),

-- Events and callbacks name units and the feed whose case they belong to. Few distinct names, many rows: count first.
named as (
    select
        told.batch_id,
        told.unit_name,
        told.case_feed_code,
        count(*) as row_count
    from staging.case_event as told
    inner join judged on told.batch_id = judged.batch_id
    where told.batch_id = any(%(batches)s)
    group by told.batch_id, told.unit_name, told.case_feed_code
    union all
    select
        told.batch_id,
        told.unit_name,
        told.case_feed_code,
        count(*) as row_count
    from staging.callback as told
    inner join judged on told.batch_id = judged.batch_id
    where told.batch_id = any(%(batches)s)
    group by told.batch_id, told.unit_name, told.case_feed_code
),

unit_rows as (
    select
        named.batch_id,
        sum(named.row_count) as named_rows,
        sum(named.row_count) filter (where known_name.unit_code is null) as unresolved_rows
    from named
    inner join judged on named.batch_id = judged.batch_id
    left join known_name
        on
            named.unit_name = known_name.unit_name
            and judged.business_date >= known_name.valid_from
            and judged.business_date < known_name.valid_to
    where
        named.unit_name is not null
        and exists (select any_name.unit_name from known_name as any_name)
    group by named.batch_id
),

feed_rows as (
    select
        named.batch_id,
        sum(named.row_count) filter (where known.key is null) as unknown_rows
    from named
    left join known on named.case_feed_code = known.key and known.kind = 'feed'
    where
        exists (
            select from known_kind
            where known_kind.kind = 'feed'
        )
    group by named.batch_id
),

-- Events of cases that are told the same day and were received later: a clock or a date is wrong.
case_of_day as (
    select
        records.feed_code,
        records.case_no,
        batch.business_date,
        min(records.received_at) as received_at
    from staging.case_record as records
    inner join audit.batch on records.batch_id = batch.batch_id
    where records.batch_id = any(%(of_day)s)
    group by records.feed_code, records.case_no, batch.business_date
),

early_rows as (
    select
        events.batch_id,
        count(*) as matched_rows,
        count(*) filter (where events.occurred_at < case_of_day.received_at - interval '1 hour') as early_rows
    from staging.case_event as events
    inner join judged on events.batch_id = judged.batch_id
    inner join case_of_day
        on
            events.case_feed_code = case_of_day.feed_code
            and events.case_no = case_of_day.case_no
            and judged.business_date = case_of_day.business_date
    where events.batch_id = any(%(batches)s)
    group by events.batch_id
),

-- Rows that the delivery's batches just before told already, word for word.
hashed as (
    select
        batch_id,
        row_hash
    from staging.case_record
    where batch_id = any(%(batches_and_before)s)
    union all
    select
        batch_id,
        row_hash
    from staging.case_event
    where batch_id = any(%(batches_and_before)s)
    union all
    select
        batch_id,
        row_hash
    from staging.callback
    where batch_id = any(%(batches_and_before)s)
),

told_before as (
    select distinct
        before.batch_id,
        hashed.row_hash
    from unnest(%(compared)s::bigint[], %(before)s::bigint[]) as before (batch_id, before_batch_id)
    inner join hashed on before.before_batch_id = hashed.batch_id
),

repeated_rows as (
    select
        compared.batch_id,
        count(told_before.row_hash) as repeated_rows
    from (select distinct batch_id from unnest(%(compared)s::bigint[]) as listed (batch_id)) as compared
    inner join hashed on compared.batch_id = hashed.batch_id
    left join told_before on compared.batch_id = told_before.batch_id and hashed.row_hash = told_before.row_hash
    group by compared.batch_id
),

rejects as (
    select
        told.batch_id,
        count(*) as counted_rows,
        count(*) filter (where told.reason_code = 'FIELD_COUNT' and told.row_number = judged.received_rows) as cut_rows
    from audit.rejected_row as told
    inner join judged on told.batch_id = judged.batch_id
    where told.batch_id = any(%(batches)s)
    group by told.batch_id
),

-- Optional times that no format reads, of the values of the column that has most of them: a sender who writes its
-- closing times in another way has told of no close.
unread_rows as (
    select
        judged.batch_id,
        max(100 * cast(note.told ->> 'rows' as numeric) / cast(note.told ->> 'of' as numeric)) as unread_pct,
        max(cast(note.told ->> 'rows' as numeric)) as unread_rows
    from judged
    cross join lateral jsonb_array_elements(judged.notes) as note (told)
    where note.told ->> 'code' = 'BAD_TIMESTAMP' and note.told ? 'of'
    group by judged.batch_id
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
        coalesce(rejects.cut_rows, 0) as cut_rows,
        case_rows.category_null_rows,
        case_rows.request_type_null_rows,
        case_rows.area_null_rows,
        case_rows.text_null_rows,
        case_rows.caller_null_rows,
        case_rows.coordinate_null_rows,
        coalesce(case_rows.garbled_rows, event_rows.garbled_rows, callback_rows.garbled_rows) as garbled_rows,
        coalesce(case_rows.late_rows, event_rows.late_rows, callback_rows.late_rows) as late_rows,
        coalesce(case_rows.newest_at, event_rows.newest_at, callback_rows.newest_at) as newest_at,
        event_rows.dispatch_rows,
        event_rows.dispatch_unit_null_rows,
        event_rows.due_null_rows,
        early_rows.matched_rows,
        early_rows.early_rows,
        repeated_rows.repeated_rows,
        case_rows.counted_rows - case_rows.numbers as same_number_rows,
        case_rows.identities - case_rows.numbers as clashing_rows,
        unread_rows.unread_pct,
        unread_rows.unread_rows,
        callback_rows.outcome_null_rows,
        category_rows.unknown_pct as unknown_category_pct,
        area_rows.unknown_pct as unknown_area_pct,
        unit_rows.named_rows,
        case when unit_rows.named_rows > 0 then coalesce(unit_rows.unresolved_rows, 0) end as unresolved_unit_rows,
        case when feed_rows.batch_id is not null then coalesce(feed_rows.unknown_rows, 0) end as unknown_feed_rows
    from judged
    left join case_rows on judged.batch_id = case_rows.batch_id
    left join category_rows on judged.batch_id = category_rows.batch_id
    left join area_rows on judged.batch_id = area_rows.batch_id
    left join event_rows on judged.batch_id = event_rows.batch_id
    left join callback_rows on judged.batch_id = callback_rows.batch_id
    left join unit_rows on judged.batch_id = unit_rows.batch_id
    left join feed_rows on judged.batch_id = feed_rows.batch_id
    left join early_rows on judged.batch_id = early_rows.batch_id
    left join repeated_rows on judged.batch_id = repeated_rows.batch_id
    left join rejects on judged.batch_id = rejects.batch_id
    left join unread_rows on judged.batch_id = unread_rows.batch_id
),

measured as (
    select
        counted.batch_id,
        measure.metric,
        measure.value
    from counted
    cross join lateral (
        values
        ('received_rows', cast(counted.received_rows as numeric)),
        ('staged_rows', counted.staged_rows),
        ('rejected_rows', counted.rejected_rows),
        ('duplicate_rows', counted.duplicate_rows),
        ('staged_gap_rows', abs(counted.staged_rows - counted.counted_rows)),
        ('rejected_gap_rows', abs(counted.rejected_rows - counted.counted_rejects)),
        ('cut_rows', counted.cut_rows),
        ('control_gap_rows', abs(counted.control_total - counted.received_rows)),
        ('rejected_pct', round(100.0 * counted.rejected_rows / nullif(counted.received_rows, 0), 2)),
        ('duplicate_pct', round(100.0 * counted.duplicate_rows / nullif(counted.received_rows, 0), 2)),
        ('unmasked_rows', counted.unmasked_rows),
        ('future_rows', counted.future_rows),
        ('future_pct', round(100.0 * counted.future_rows / nullif(counted.counted_rows, 0), 2)),
        ('old_rows', counted.old_rows),
        ('old_pct', round(100.0 * counted.old_rows / nullif(counted.counted_rows, 0), 2)),
        ('category_null_pct', round(100.0 * counted.category_null_rows / nullif(counted.counted_rows, 0), 2)),
        ('request_type_null_pct', round(100.0 * counted.request_type_null_rows / nullif(counted.counted_rows, 0), 2)),
        ('area_null_pct', round(100.0 * counted.area_null_rows / nullif(counted.counted_rows, 0), 2)),
        ('text_null_pct', round(100.0 * counted.text_null_rows / nullif(counted.counted_rows, 0), 2)),
        ('caller_null_pct', round(100.0 * counted.caller_null_rows / nullif(counted.counted_rows, 0), 2)),
        ('coordinate_null_pct', round(100.0 * counted.coordinate_null_rows / nullif(counted.counted_rows, 0), 2)),
        ('garbled_rows', counted.garbled_rows),
        ('garbled_pct', round(100.0 * counted.garbled_rows / nullif(counted.counted_rows, 0), 2)),
        ('late_pct', round(100.0 * counted.late_rows / nullif(counted.counted_rows, 0), 2)),
        ('stale_days', greatest(counted.business_date - cast(counted.newest_at as date), 0)),
        ('delay_hours', round(counted.delay_hours, 1)),
        ('early_rows', counted.early_rows),
        ('early_pct', round(100.0 * counted.early_rows / nullif(counted.matched_rows, 0), 2)),
        ('repeated_pct', round(100.0 * counted.repeated_rows / nullif(counted.counted_rows, 0), 2)),
        ('clashing_rows', counted.clashing_rows),
        ('clashing_pct', round(100.0 * counted.clashing_rows / nullif(counted.counted_rows, 0), 2)),
        ('unread_time_rows', counted.unread_rows),
        ('unread_time_pct', round(counted.unread_pct, 2)),
        ('same_number_pct', round(100.0 * counted.same_number_rows / nullif(counted.counted_rows, 0), 2)),
        -- of a dispatch or two that add a unit none may have a due time of its own
        (
            'due_null_pct',
            case
                when counted.dispatch_rows >= 10
                    then round(100.0 * counted.due_null_rows / counted.dispatch_rows, 2)
            end
        ),
        ('unknown_category_pct', round(counted.unknown_category_pct, 2)),
        ('unknown_area_pct', round(counted.unknown_area_pct, 2)),
        (
            'dispatch_unit_null_pct',
            round(100.0 * counted.dispatch_unit_null_rows / nullif(counted.dispatch_rows, 0), 2)
        ),
        ('outcome_null_pct', round(100.0 * counted.outcome_null_rows / nullif(counted.counted_rows, 0), 2)),
        ('unresolved_unit_pct', round(100.0 * counted.unresolved_unit_rows / nullif(counted.named_rows, 0), 2)),
        ('unknown_feed_rows', counted.unknown_feed_rows)
    ) as measure (metric, value)
),

-- What a sender does not have, by its declaration, is not missing from its batch: of each measure, the columns without
-- which it says nothing.
needs (metric, columns) as (
    values
    ('category_null_pct', array['category_code']),
    ('unknown_category_pct', array['category_code']),
    ('request_type_null_pct', array['request_type']),
    ('area_null_pct', array['area_code']),
    ('unknown_area_pct', array['area_code']),
    ('text_null_pct', array['title', 'content']),
    ('caller_null_pct', array['caller_phone']),
    ('coordinate_null_pct', array['longitude']),
    ('coordinate_null_pct', array['latitude']),
    ('due_null_pct', array['due_at']),
    ('dispatch_unit_null_pct', array['unit_name']),
    ('outcome_null_pct', array['contact_code', 'resolution_code', 'satisfaction_code'])
),

not_had as (
    select distinct
        judged.batch_id,
        needs.metric
    from judged
    inner join needs on needs.columns <@ judged.has_no
)

insert into audit.batch_profile (batch_id, metric, value)
select
    measured.batch_id,
    measured.metric,
    measured.value
from measured
left join not_had on measured.batch_id = not_had.batch_id and measured.metric = not_had.metric
where measured.value is not null and not_had.batch_id is null;
