-- What the records of touched cases say. Masked text, as it left the loader; spelling evened out.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
),

final as (
    select
        touched.case_id,
        records.batch_id,
        records.row_number,
        {{ even_spelling("concat_ws(' ', records.title, records.content)") }} as said
    from touched
    inner join {{ source('staging', 'case_record') }} as records
        on touched.feed_code = records.feed_code and touched.case_no = records.case_no
)

select * from final
