-- The area tree, every area with all that is above it.
with recursive walked as (
    select
        area_code,
        area_name,
        parent_area_code,
        area_level,
        jsonb_build_object(area_level, jsonb_build_array(area_code, area_name)) as above
    from {{ ref('stg_area') }}
    where parent_area_code is null
    union all
    select
        below.area_code,
        below.area_name,
        below.parent_area_code,
        below.area_level,
        walked.above || jsonb_build_object(below.area_level, jsonb_build_array(below.area_code, below.area_name))
            as above
    from walked
    inner join {{ ref('stg_area') }} as below on walked.area_code = below.parent_area_code
),

final as (
    select
        area_code,
        area_name,
        parent_area_code,
        area_level,
        above -> 'city' ->> 0 as city_code,
        above -> 'city' ->> 1 as city_name,
        above -> 'district' ->> 0 as district_code,
        above -> 'district' ->> 1 as district_name,
        above -> 'town' ->> 0 as town_code,
        above -> 'town' ->> 1 as town_name,
        above -> 'village' ->> 0 as village_code,
        above -> 'village' ->> 1 as village_name,
        above -> 'grid' ->> 0 as grid_code,
        above -> 'grid' ->> 1 as grid_name
    from walked
)

select * from final
