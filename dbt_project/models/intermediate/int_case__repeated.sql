-- The case a caller repeats: his latest earlier one of the same category within the window.
with cases as (
    select
        case_id,
        caller_id,
        category_code,
        received_at,
        lag(case_id) over same_matter as earlier_case_id,
        lag(received_at) over same_matter as earlier_received_at
    from {{ ref('int_case__winning') }}
    where caller_id is not null and category_code is not null
    window same_matter as (partition by caller_id, category_code order by received_at, case_id)
),

final as (
    select
        cases.case_id,
        cases.earlier_case_id as repeat_of_case_id
    from cases
    cross join {{ ref('stg_city') }} as city
    where cases.received_at - cases.earlier_received_at <= city.repeat_window_days * interval '1 day'
)

select * from final
