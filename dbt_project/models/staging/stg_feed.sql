-- The declared feeds.
select
    data ->> 'feed_code' as feed_code,
    data ->> 'feed_name' as feed_name,
    data ->> 'owner' as owner,
    data ->> 'feed_role' as feed_role,
    data ->> 'feed_group' as feed_group,
    data ->> 'limit_source' as limit_source,
    -- what a feed's entry leaves out holds as the declaration says unless told
    coalesce(data ->> 'another_lead', 'joins') as another_lead,
    coalesce(data ->> 'return_requests', 'told') as return_requests,
    coalesce(data ->> 'extension_requests', 'told') as extension_requests
from {{ config_entries('feed') }} as entries
