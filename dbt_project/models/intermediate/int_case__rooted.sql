-- Each case with the first case of its chain of transfers: the same matter under the numbers of several hotlines.
with recursive cases as (
    select * from {{ ref('int_case__winning') }}
    where is_rebuilt
),

links as (
    select
        cases.case_id,
        cases.upstream_case_id
    from cases
    inner join cases as upstream on cases.upstream_case_id = upstream.case_id
    where cases.upstream_case_id <> cases.case_id
),

climbed as (
    select
        case_id,
        case_id as reached_case_id,
        0 as steps
    from cases
    union all
    select
        climbed.case_id,
        links.upstream_case_id,
        climbed.steps + 1 as steps
    from climbed
    inner join links on climbed.reached_case_id = links.case_id
    where climbed.steps < 12  -- senders that point at each other in a ring end here
),

roots as (
    select distinct on (case_id)
        case_id,
        reached_case_id as root_case_id
    from climbed
    order by case_id asc, steps desc
),

final as (
    select
        cases.*,
        roots.root_case_id,
        links.upstream_case_id as transferred_from_case_id
    from cases
    inner join roots on cases.case_id = roots.case_id
    left join links on cases.case_id = links.case_id
)

select * from final
