-- A load that is tried again and fails again stands since it failed first: told by its last failure, what was tried
-- every few minutes never grew old.
create or replace function audit.failed_loads(first_on date, last_on date)
returns table (
    feed_code text,
    delivery text,
    business_date date,
    source_name text,
    reason_code text,
    reason text,
    since timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with told as (
        select
            attempt.feed_code, attempt.delivery, attempt.business_date, attempt.source_name, attempt.attempted_at as at,
            attempt.outcome in ('failed', 'unreachable') as has_failed,
            coalesce(attempt.reason_code, 'SOURCE_AWAY') as code, attempt.reason
        from audit.attempt
        where
            attempt.business_date between failed_loads.first_on and failed_loads.last_on
            and (attempt.batch_id is null or attempt.outcome = 'already_loaded')
        union all
        select batch.feed_code, batch.delivery, batch.business_date, batch.source_name, batch.loaded_at, false, null, null
        from audit.batch
        where batch.business_date between failed_loads.first_on and failed_loads.last_on
    ),

    ended as (
        select
            told.*,
            case
                when told.source_name = '' then max(told.at) filter (where not told.has_failed) over of_delivery
                else max(told.at) filter (where not told.has_failed) over of_file
            end as ended_at,
            row_number() over (
                partition by told.feed_code, told.delivery, told.business_date, told.source_name order by told.at desc
            ) as latest
        from told
        window
            of_delivery as (partition by told.feed_code, told.delivery, told.business_date),
            of_file as (partition by told.feed_code, told.delivery, told.business_date, told.source_name)
    )

    select
        standing.feed_code, standing.delivery, standing.business_date, standing.source_name, standing.code,
        standing.reason, standing.first_at
    from (
        select
            ended.*,
            min(ended.at) over (
                partition by ended.feed_code, ended.delivery, ended.business_date, ended.source_name
            ) as first_at
        from ended
        where ended.has_failed and (ended.ended_at is null or ended.at > ended.ended_at)
    ) as standing
    where standing.latest = 1
$$;
