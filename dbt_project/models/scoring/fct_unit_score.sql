-- Each unit's score, its points in the yearly assessment, its band and its place among its peers.
with schemes as (
    select
        data,
        (data -> 'rounding' ->> 'decimals')::integer as decimals,
        data -> 'publication' -> 'lists' as lists,
        nullif(data -> 'publication' -> 'min_n', 'null') as min_n,
        greatest(
            (starts_at at time zone (data ->> 'timezone'))::date, (data ->> 'valid_from')::date
        ) as first_day
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

-- Of the entries of the least number of rows the one in force for each peer group.
thresholds as (
    select distinct on (units.peer_group)
        units.peer_group,
        (entries.data ->> 'value')::numeric as min_n
    from (select distinct peer_group from units) as units
    cross join schemes
    cross join lateral jsonb_array_elements(schemes.min_n) as entries (data)
    where {{ entry_fits('entries.data', 'units.peer_group', 'schemes.first_day') }}
    order by units.peer_group asc, {{ best_entry_first('entries.data') }}
),

-- Deductions and bonuses (points_max 0) stay apart: they change the same of every unit, whatever else applied to it.
-- What counts cases as they come in says nothing about how they were handled, so it alone makes no place.
sums as (
    select
        points.unit_code,
        round(sum(points.points), 9) as raw_points,
        round(coalesce(sum(points.points) filter (where points.points_max > 0), 0), 9) as earned,
        coalesce(sum(points.points_max) filter (where points.points is not null), 0) as available,
        round(coalesce(sum(points.points) filter (where points.points_max = 0), 0), 9) as changed,
        sum(points.points_max) as total,
        max(points.denominator) filter (
            where points.value is not null and points.denominator > 0 and points.points_max > 0 and terms.judges
        ) as judged
    from {{ ref('fct_unit_indicator') }} as points
    inner join units on points.unit_code = units.unit_code
    inner join {{ ref('int_scoring__terms') }} as terms
        on units.peer_group = terms.peer_group and points.indicator_code = terms.indicator_code
    group by points.unit_code
),

-- Earned of what applied, plus changed of the whole, over their common denominator; within 0 and 100.
weighed_sums as (
    select
        *,
        greatest(
            0,
            least(100 * available * total, 100 * (earned * total + changed * available))
        ) as weighed
    from sums
),

-- What the shorter periods gave of which this one is the mean, if it is.
parts as (
    select
        shorter.unit_code,
        sum(shorter.score_100) as score_100,
        count(shorter.score_100) as times
    from {{ source('results', 'fct_unit_score') }} as shorter
    inner join {{ parts_of_the_period() }} as listed
        on
            shorter.scheme_id = listed.scheme_id
            and shorter.scheme_version = listed.scheme_version
            and shorter.period = listed.period
    group by shorter.unit_code
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
        dispatched.unit_code is not null as has_case,
        coalesce(sums.judged, 0) >= coalesce(thresholds.min_n, 0) as is_enough,
        case when sums.available > 0 or sums.changed <> 0 then round(sums.raw_points, schemes.decimals) end
            as raw_points,
        case
            when {{ is_mean_of_parts() }}
                then
                    case
                        when parts.times > 0 then {{ half_up('parts.score_100', 'parts.times', 'schemes.decimals') }}
                    end
            when sums.judged > 0 and sums.available > 0
                then {{ half_up('sums.weighed', 'sums.available * sums.total', 'schemes.decimals') }}
        end as score_100
    from units
    cross join schemes
    inner join weighed_sums as sums on units.unit_code = sums.unit_code
    left join thresholds on units.peer_group = thresholds.peer_group
    left join dispatched on units.unit_code = dispatched.unit_code
    left join parts on units.unit_code = parts.unit_code
),

placed as (
    select
        *,
        score_100 is not null and is_enough as is_ranked,
        rank() over (
            partition by peer_group, score_100 is not null and is_enough order by score_100 desc
        )::integer as place,
        rank() over (
            partition by peer_group, score_100 is not null and is_enough order by score_100
        ) as place_from_below,
        rank() over (partition by score_100 is not null and is_enough order by score_100 desc) as place_of_all,
        rank() over (partition by score_100 is not null and is_enough order by score_100) as place_of_all_from_below
    from scored
),

-- The lists (红黑榜) on which a unit stands, in their order in the scheme.
listings as (
    select
        placed.unit_code,
        string_agg(listed.data ->> 'name_zh', '、' order by listed.no) as listed_on
    from placed
    cross join schemes
    cross join lateral jsonb_array_elements(schemes.lists) with ordinality as listed (data, no)
    where
        placed.is_ranked
        and (listed.data ->> 'count')::integer >= case
            when listed.data ->> 'within' = 'peer_group'
                then case when listed.data ->> 'take' = 'best' then placed.place else placed.place_from_below end
            when listed.data ->> 'take' = 'best' then placed.place_of_all
            else placed.place_of_all_from_below
        end
    group by placed.unit_code
),

final as (
    select
        placed.scheme_id,
        placed.scheme_version,
        placed.period,
        placed.unit_code,
        placed.unit_key,
        placed.peer_group,
        placed.raw_points,
        placed.score_100,
        {{ half_up('placed.group_points * placed.score_100', '100', 'placed.decimals') }} as assessed_points,
        case when placed.is_ranked then bands.band end as band,
        case when placed.is_ranked then placed.place end as rank_in_group,
        case
            when placed.is_ranked then null
            when placed.score_100 is not null then 'too_few'
            when placed.has_case then 'nothing_due'
            else 'no_case'
        end as not_ranked_reason,
        listings.listed_on
    from placed
    left join listings on placed.unit_code = listings.unit_code
    left join bands
        on placed.score_100 >= bands.at_least and (bands.below is null or placed.score_100 < bands.below)
)

select * from final
