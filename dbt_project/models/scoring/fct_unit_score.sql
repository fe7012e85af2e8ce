-- Each unit's score, its points in the yearly assessment, its band and its rank among its peers.
with schemes as (
    select
        data,
        (data -> 'rounding' ->> 'decimals')::integer as decimals
    from {{ ref('int_scoring__schemes') }}
),

units as (
    select * from {{ ref('int_scoring__units') }}
),

bands as (
    select
        listed.data ->> 'name_zh' as band,
        (listed.data ->> 'at_least')::numeric as at_least,
        lag((listed.data ->> 'at_least')::numeric) over (order by listed.no) as below
    from schemes
    cross join lateral jsonb_array_elements(schemes.data -> 'bands') with ordinality as listed (data, no)
),

-- Deductions (points_max 0) stay apart: they take the same from every unit, whatever else applied to it. An indicator
-- that counts cases as they come in says nothing about how they were handled, so it alone makes no rank.
sums as (
    select
        points.unit_code,
        sum(points.points) as raw_points,
        sum(points.points) filter (where points.points_max > 0) as earned,
        coalesce(sum(points.points_max) filter (where points.points is not null), 0) as available,
        coalesce(sum(points.points) filter (where points.points_max = 0), 0) as deducted,
        sum(points.points_max) as total,
        bool_or(
            points.points is not null
            and points.points_max > 0
            and indicators.moment not in ('received_at', 'dispatched_at')
        ) as is_ranked
    from {{ ref('fct_unit_indicator') }} as points
    inner join {{ ref('int_scoring__indicators') }} as indicators
        on points.indicator_code = indicators.indicator_code
    group by points.unit_code
),

dispatched as (
    select distinct unit_code
    from {{ source('mart', 'fct_timeliness') }}
    where
        voided_at is null
        and dispatched_at >= '{{ var("starts_at", "-infinity") }}'
        and dispatched_at < '{{ var("as_of", "infinity") }}'
),

scored as (
    select
        units.*,
        schemes.decimals,
        sums.is_ranked,
        dispatched.unit_code is not null as has_case,
        case when sums.available > 0 or sums.deducted < 0 then sums.raw_points end as raw_points,
        case
            when sums.is_ranked
                then
                    round(
                        greatest(
                            0,
                            100 * (sums.earned * sums.total + sums.deducted * sums.available)
                            / (sums.available * sums.total)
                        ),
                        schemes.decimals
                    )
        end as score_100
    from units
    cross join schemes
    inner join sums on units.unit_code = sums.unit_code
    left join dispatched on units.unit_code = dispatched.unit_code
),

final as (
    select
        scored.scheme_id,
        scored.scheme_version,
        scored.period,
        scored.unit_code,
        scored.peer_group,
        scored.raw_points,
        scored.score_100,
        round(scored.group_points * scored.score_100 / 100, scored.decimals) as assessed_points,
        bands.band,
        case
            when scored.is_ranked
                then rank() over (partition by scored.peer_group, scored.is_ranked order by scored.score_100 desc)
        end::integer as rank_in_group,
        case
            when scored.is_ranked then null
            when scored.has_case then 'nothing_due'
            else 'no_case'
        end as not_ranked_reason
    from scored
    left join bands
        on scored.score_100 >= bands.at_least and (bands.below is null or scored.score_100 < bands.below)
)

select * from final
