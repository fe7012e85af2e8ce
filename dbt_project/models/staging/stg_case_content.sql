-- What the records of touched cases say, and where. Masked text, as it left the loader; spelling evened out. A place of
-- whole degrees was rounded and is none.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
),

final as (
    select
        touched.case_id,
        records.batch_id,
        records.row_number,
        {{ even_spelling("concat_ws(' ', records.title, records.content)") }} as said,
        nullif({{ letters_of(even_spelling('records.address')) }}, '') as address,
        case when {{ is_position('records.longitude', 'records.latitude') }} then records.longitude end as longitude,
        case when {{ is_position('records.longitude', 'records.latitude') }} then records.latitude end as latitude
    from touched
    inner join {{ source('staging', 'case_record') }} as records
        on touched.feed_code = records.feed_code and touched.case_no = records.case_no
)

select * from final
