-- The share of events and callbacks whose case nobody has told (table owned). The cases are looked up one by one, by
-- index, so that the cost does not grow with history: the caller sees to it.
with found as (
    select
        owned.batch_id,
        owned.case_feed_code,
        owned.case_no,
        max(owned.row_count) as row_count
    from owned
    inner join staging.case_record as records
        on owned.case_feed_code = records.feed_code and owned.case_no = records.case_no
    group by owned.batch_id, owned.case_feed_code, owned.case_no
),

counted as (
    select
        batch_id,
        row_count as owned_rows,
        0 as found_rows
    from owned
    union all
    select
        batch_id,
        0,
        row_count
    from found
)

insert into audit.batch_profile (batch_id, metric, value)
select
    batch_id,
    'stranger_pct',
    round(100.0 * (sum(owned_rows) - sum(found_rows)) / sum(owned_rows), 2)
from counted
group by batch_id;
