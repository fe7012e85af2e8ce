-- One row per callback. One that names no unit belongs to the lead assignment of the latest round before it.
with callbacks as (
    select
        winning.*,
        names.unit_code,
        names.unit_codes,
        coalesce(names.unit_code, 'raw|' || winning.unit_name) as unit_ref
    from {{ ref('int_callback__winning') }} as winning
    inner join {{ source('touched', 'touched_case') }} as touched
        on winning.case_id = touched.case_id and touched.is_rebuilt
    left join {{ ref('stg_unit_name') }} as names
        on {{ means_at('names', 'winning.unit_name', 'winning.called_at') }}
),

moments as (
    select
        callback_id as moment_id,
        root_case_id,
        unit_name,
        unit_ref,
        unit_codes,
        called_at as happened_at,
        {{ event_rank("'CALLBACK'") }} as moment_rank
    from callbacks
),

answering as (
    select *
    from {{ belongs_to_assignment('moments', ref('int_assignment__told'), ref('stg_unit_name')) }} as belonging
),

attached as (
    select
        moments.moment_id,
        coalesce(retold.assignment_id, answering.assignment_id) as assignment_id
    from moments
    inner join answering on moments.moment_id = answering.moment_id
    left join {{ ref('int_assignment__retold') }} as retold
        on
            answering.assignment_id = retold.told_id
            and {{ stands_in('moments.happened_at', 'moments.moment_rank', 'retold') }}
),

final as (
    select
        callbacks.callback_id,
        attached.assignment_id,
        callbacks.root_case_id as case_id,
        coalesce(assignments.unit_code, callbacks.unit_code) as unit_code,
        held.unit_key,
        coalesce(callbacks.round, assignments.round) as round,
        callbacks.channel,
        callbacks.called_at,
        {{ local_date('callbacks.called_at') }} as called_on,
        callbacks.is_reached,
        callbacks.reach_code,
        callbacks.contact_code,
        callbacks.resolution_code,
        callbacks.satisfaction_scale,
        callbacks.satisfaction_code,
        callbacks.attitude_code,
        case
            when callbacks.satisfaction_code in ('very_satisfied', 'satisfied') then 'satisfied'
            when callbacks.satisfaction_code in ('basically_satisfied', 'neutral') then callbacks.satisfaction_code
            when callbacks.satisfaction_code in ('dissatisfied', 'very_dissatisfied') then 'dissatisfied'
        end as satisfaction_level,
        callbacks.told_by_batch_id as source_batch_id,
        callbacks.told_by_row_number as source_row_number
    from callbacks
    left join attached on callbacks.callback_id = attached.moment_id
    left join {{ ref('int_assignment__opened') }} as assignments on attached.assignment_id = assignments.assignment_id
    left join {{ ref('int_unit__held') }} as held
        on {{ held_at(
            'held',
            'coalesce(assignments.unit_code, callbacks.unit_code)',
            'coalesce(assignments.dispatched_at, callbacks.called_at)'
        ) }}
)

select * from final
