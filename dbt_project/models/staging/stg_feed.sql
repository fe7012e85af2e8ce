-- The declared feeds.
select
    data ->> 'feed_code' as feed_code,
    data ->> 'feed_name' as feed_name,
    data ->> 'owner' as owner,
    data ->> 'feed_role' as feed_role,
    data ->> 'feed_group' as feed_group,
    data ->> 'limit_source' as limit_source
from {{ config_entries('feed') }} as entries
