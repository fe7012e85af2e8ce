-- Events that a better source tells too, with the one that counts in their place. Two senders' events are one when
-- case, type and unit are the same, or may be, their times lie within the tolerance, or on one day where one of them
-- tells no more, and each is the other's nearest, of equally near ones that which names the unit as it does, or names
-- none as it does: a day yields to a time, else the better source counts. A
-- close that review sent back and the close after it stay two. A row that carries its latest dispatch does not say
-- whether that was a redispatch.
with events as (
    select * from {{ ref('int_event__told') }}
    where version_no = 1 and not is_deleted
),

deeds as not materialized (
    select
        *,
        case when event_type = 'REDISPATCH' then 'DISPATCH' else event_type end as deed,
        occurred_precision is not null as is_of_a_day
    from events
),

told_by_several as (
    select
        case_id,
        deed
    from deeds
    group by case_id, deed
    having min(source) <> max(source)
),

shared as (
    select deeds.*
    from deeds
    inner join told_by_several on deeds.case_id = told_by_several.case_id and deeds.deed = told_by_several.deed
),

echoes as (
    select distinct on (event_id, source)
        event_id,
        source,
        source_rank,
        is_deleted
    from {{ ref('int_event__told') }}
    where version_no > 1
    order by event_id asc, source asc, version_no asc
),

-- Who tells an event in the same words tells nothing of its own, and yet that is the event of theirs that is nearest to
-- it, and near to others as one told a second apart would be.
lessers as (
    select
        event_id,
        case_id,
        deed,
        source,
        source_rank,
        occurred_at,
        is_of_a_day,
        unit_name,
        unit_ref,
        unit_codes,
        false as is_echo
    from shared
    union all
    select
        shared.event_id,
        shared.case_id,
        shared.deed,
        echoes.source,
        echoes.source_rank,
        shared.occurred_at,
        shared.is_of_a_day,
        shared.unit_name,
        shared.unit_ref,
        shared.unit_codes,
        true as is_echo
    from echoes
    inner join shared on echoes.event_id = shared.event_id and echoes.source <> shared.source
    where not echoes.is_deleted
),

pairs as (
    select
        lesser.event_id,
        lesser.is_echo,
        better.event_id as outranked_by_event_id,
        better.is_of_a_day,
        better.source_rank,
        better.source,
        row_number() over (
            partition by lesser.event_id, lesser.is_echo, better.source
            order by
                greatest(lesser.occurred_at, better.occurred_at) - least(lesser.occurred_at, better.occurred_at),
                lesser.unit_ref is distinct from better.unit_ref,
                better.occurred_at, convert_to(coalesce(better.unit_name, ''), 'UTF8'), better.event_id
        ) as better_no,
        row_number() over (
            partition by better.event_id, lesser.source
            order by
                greatest(lesser.occurred_at, better.occurred_at) - least(lesser.occurred_at, better.occurred_at) asc,
                (lesser.event_id = better.event_id) desc, (lesser.unit_ref is distinct from better.unit_ref) asc,
                lesser.occurred_at asc, convert_to(coalesce(lesser.unit_name, ''), 'UTF8') asc, lesser.event_id asc
        ) as lesser_no
    from lessers as lesser
    inner join shared as better
        on
            lesser.case_id = better.case_id
            and lesser.deed = better.deed
            and (lesser.is_of_a_day, lesser.source_rank, lesser.source)
            > (better.is_of_a_day, better.source_rank, better.source)
            and (
                lesser.unit_ref = better.unit_ref
                or lesser.unit_ref is null
                or better.unit_ref is null
                or {{ share_a_unit('lesser.unit_codes', 'better.unit_codes') }}
            )
    cross join {{ ref('stg_city') }} as city
    where
        lesser.source <> better.source
        and (
            lesser.occurred_at between better.occurred_at - city.clock_tolerance
            and better.occurred_at + city.clock_tolerance
            or (
                lesser.is_of_a_day
                and {{ local_date('lesser.occurred_at') }} = {{ local_date('better.occurred_at') }}
            )
        )
),

final as (
    select distinct on (event_id)
        event_id,
        outranked_by_event_id
    from pairs
    where better_no = 1 and lesser_no = 1 and not is_echo
    order by event_id, is_of_a_day, source_rank, source
)

select * from final
