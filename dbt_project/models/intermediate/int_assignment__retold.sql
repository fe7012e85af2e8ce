-- Where a unit was told again what it has: which duty a dispatch of it stands in, from when until when. Whatever else
-- was dispatched stands for itself.
with holders as (
    select
        root_case_id,
        holder
    from {{ ref('int_assignment__related') }}
    group by root_case_id, holder
    having bool_or(is_taken_over or not is_opened)
),

duties as (
    select
        related.root_case_id,
        related.holder,
        related.assignment_id,
        related.opened_at,
        related.opened_rank,
        row_number() over by_opening = 1 as is_first,
        lead(related.opened_at) over by_opening as until_at,
        lead(related.opened_rank) over by_opening as until_rank
    from {{ ref('int_assignment__related') }} as related
    inner join holders on related.root_case_id = holders.root_case_id and related.holder = holders.holder
    where related.is_opened
    window by_opening as (
        partition by related.root_case_id, related.holder
        order by related.opened_at, related.opened_rank, related.assignment_id
    )
),

final as (
    select
        told.assignment_id as told_id,
        told.told_at,
        told.told_rank,
        duties.assignment_id,
        case when not duties.is_first then duties.opened_at else '-infinity' end as from_at,
        case when not duties.is_first then duties.opened_rank else 0 end as from_rank,
        coalesce(duties.until_at, 'infinity') as until_at,
        coalesce(duties.until_rank, 0) as until_rank
    from {{ ref('int_assignment__related') }} as told
    inner join duties on told.root_case_id = duties.root_case_id and told.holder = duties.holder
)

select * from final
