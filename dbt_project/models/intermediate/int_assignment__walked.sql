-- What becomes of the dispatches of a matter beside each other (int_assignment__told.is_walked): which open a duty and
-- which only tell a unit again what it has, when a duty ends because another takes its place, when one hotline's word
-- takes over from another's. What was done before decides it, so the matters are walked moment by moment
-- (macros/walk.sql).
{{ config(pre_hook="{{ walk_matters_function(this.schema) }}") }}

select walked.*
from
    {{ this.schema }}.walk_matters(
        '{{ ref('int_event__sequenced') }}', (select city.clock_tolerance from {{ ref('stg_city') }} as city)
    ) as walked
