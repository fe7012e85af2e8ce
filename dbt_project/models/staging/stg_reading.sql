-- From which day to before which an edition of the readings holds for this build; before the first edition 1 does.
select
    told.valid_from,
    lead(told.valid_from) over (order by told.valid_from) as valid_to,
    told.edition
from {{ source('audit', 'build') }} as builds
cross join jsonb_to_recordset(builds.readings) as told (valid_from date, edition integer)
where builds.build_id = {{ var('build_id') }}
