-- The declared feeds.
select
    feed_code,
    feed_name,
    owner,
    feed_role,
    feed_group,
    limit_source
from {{ ref('stg_feed') }}
