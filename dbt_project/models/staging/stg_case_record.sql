-- Every visible version of the records of touched cases, and of those read beside them. A caller is recognised by
-- caller_id, which a rotation of the key does not change between two of his cases; his token ends here. Of an address
-- its letters alone are kept; a place of whole degrees was rounded and is none.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
),

batches as (
    select * from {{ ref('stg_batch') }}
),

final as (
    select
        touched.case_id,
        touched.is_rebuilt,
        records.feed_code,
        records.case_no,
        {{ case_id('records.upstream_feed_code', 'records.upstream_case_no') }} as upstream_case_id,
        records.request_type,
        records.category_code,
        records.channel,
        records.urgency,
        records.dispatch_source,
        records.is_confidential,
        records.received_at,
        records.status as sender_status,
        records.area_code,
        nullif({{ letters_of(even_spelling('records.address')) }}, '') as address,
        case when {{ is_position('records.longitude', 'records.latitude') }} then records.longitude end as longitude,
        case when {{ is_position('records.longitude', 'records.latitude') }} then records.latitude end as latitude,
        coalesce(links.current_token, records.caller_token) as caller_id,
        records.milestones,
        records.source_updated_at,
        records.is_deleted,
        records.row_hash,
        records.batch_id,
        records.row_number,
        batches.order_key
    from touched
    inner join {{ source('staging', 'case_record') }} as records
        on touched.feed_code = records.feed_code and touched.case_no = records.case_no
    inner join batches on records.batch_id = batches.batch_id
    left join {{ source('restricted', 'caller_link') }} as links on records.caller_token = links.earlier_token
)

select * from final
