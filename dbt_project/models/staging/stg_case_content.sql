-- What records say. Masked text, as it left the loader; spelling evened out.
select
    feed_code,
    case_no,
    batch_id,
    row_number,
    {{ even_spelling("concat_ws(' ', title, content)") }} as said
from {{ source('staging', 'case_record') }}
