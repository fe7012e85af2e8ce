-- Without its scheme a run would score nobody, and quietly.
{{ config(tags=['scoring']) }}

select count(*) as schemes
from {{ ref('int_scoring__schemes') }}
having count(*) <> 1
