{{ config(tags=['facts']) }}

select timeliness.assignment_id
from {{ ref('fct_timeliness') }} as timeliness
left join {{ ref('fct_case') }} as cases
    on timeliness.case_id = cases.case_id and cases.root_case_id = cases.case_id
where cases.case_id is null
