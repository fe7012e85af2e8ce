-- What units did and what was decided about them, each event with the dispatch of the unit that it answers.
with events as (
    select * from {{ ref('int_event__winning') }}
    where
        event_type in (
            'SIGN', 'FIRST_CONTACT', 'RETURN_REQUEST', 'RETURN_GRANT', 'RETURN_DENY', 'EXTEND_REQUEST', 'EXTEND_GRANT',
            'EXTEND_DENY', 'DESIGNATE', 'URGE', 'SUPERVISE', 'CLOSE', 'REVIEW_BACK', 'VIOLATION'
        )
),

moments as (
    select
        event_id as moment_id,
        root_case_id,
        unit_name,
        unit_ref,
        unit_codes,
        -- a time to the minute may be any moment of it: the signature of 09:00 answers the dispatch of 09:00:30
        occurred_at
        + case
            when event_type in ('SIGN', 'FIRST_CONTACT') and {{ is_to_the_minute('occurred_at') }}
                then interval '59.999999 seconds'
            else interval '0'
        end as happened_at,
        event_rank as moment_rank
    from events
),

answering as (
    select *
    from {{ belongs_to_assignment('moments', ref('int_assignment__told'), ref('stg_unit_name')) }} as belonging
),

final as (
    select
        events.event_id,
        answering.assignment_id as told_id,
        events.case_id,
        events.root_case_id,
        events.event_type,
        events.occurred_at,
        events.event_rank,
        events.unit_code,
        events.unit_codes,
        events.unit_name,
        events.unit_ref,
        events.due_at,
        events.reason_code,
        events.batch_id,
        events.row_number
    from events
    left join answering on events.event_id = answering.moment_id
)

select * from final
