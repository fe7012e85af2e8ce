-- Up to three batches of the same delivery that were loaded just before each judged one, of about the same days: what a
-- file that is sent again under another name or date repeats.
select
    judged.batch_id,
    before.batch_id as before_batch_id
from audit.batch as judged
inner join lateral (
    select past.batch_id
    from audit.batch as past
    where
        past.feed_code = judged.feed_code
        and past.delivery = judged.delivery
        and past.status in ('loaded', 'accepted')
        and past.business_date between judged.business_date - 7 and judged.business_date + 7
        and past.batch_id < judged.batch_id
    order by past.batch_id desc
    limit 3
) as before on true
where judged.batch_id = any(%(batches)s);
