-- The cases that events and callbacks of the judged batches belong to, of feeds whose cases came that day, as a
-- temporary table: looked for in strangers.sql.
create temporary table owned on commit drop as
with told as (
    select
        batch_id,
        case_feed_code,
        case_no,
        count(*) as row_count
    from staging.case_event
    where batch_id = any(%(batches)s)
    group by batch_id, case_feed_code, case_no
    union all
    select
        batch_id,
        case_feed_code,
        case_no,
        count(*)
    from staging.callback
    where batch_id = any(%(batches)s)
    group by batch_id, case_feed_code, case_no
),

case_day as (
    select distinct
        feed_code,
        business_date
    from audit.batch
    where batch_id = any(%(of_day)s)
)

select
    told.batch_id,
    told.case_feed_code,
    told.case_no,
    told.row_count
from told
inner join audit.batch on told.batch_id = batch.batch_id
inner join case_day
    on told.case_feed_code = case_day.feed_code and batch.business_date = case_day.business_date;
