-- What a board shows of thirteen months: counts of each day and week, kept by builds. All six dimensions crossed have
-- about as many cells as there are cases, so a row counts by one of them, or by one of the pairs that people ask for:
-- its grain says which. Comments on columns come from the dbt project.
create table mart.agg_day (
    cell text not null,
    day_on date not null,
    grain text not null check (
        grain in (
            'city', 'feed', 'request_type', 'category', 'area', 'unit', 'feed_request_type', 'unit_category',
            'area_category'
        )
    ),
    feed_code text,
    unit_code text,
    unit_key text,
    category_code text,
    area_code text,
    request_type text,
    intake integer not null,
    repeats integer not null,
    dispatched integer not null,
    closed integer not null,
    closed_on_time integer not null,
    returned integer not null,
    reworked integer not null,
    called_back integer not null,
    rated integer not null,
    satisfied integer not null,
    open_change integer not null,
    overdue_change integer not null,
    open integer,
    overdue integer,
    primary key (cell, day_on)
);
create index agg_day_day on mart.agg_day (grain, day_on);
create index agg_day_unit on mart.agg_day (unit_code, grain, day_on) where unit_code is not null;

create table mart.agg_week (like mart.agg_day including constraints);
alter table mart.agg_week rename column day_on to week_on;
alter table mart.agg_week add primary key (cell, week_on);
create index agg_week_week on mart.agg_week (grain, week_on);
create index agg_week_unit on mart.agg_week (unit_code, grain, week_on) where unit_code is not null;

-- The day up to which a build said what was open.
alter table audit.build add column reaches_on date;

-- A unit reads what is counted of itself.
alter table mart.agg_day enable row level security;
alter table mart.agg_week enable row level security;
create policy all_rows on mart.agg_day for select to minhu_bi, minhu_evaluator, minhu_auditor using (true);
create policy all_rows on mart.agg_week for select to minhu_bi, minhu_evaluator, minhu_auditor using (true);
create policy own_rows on mart.agg_day for select to minhu_unit
using (unit_code = any((select assess.own_unit_codes())::text[]));
create policy own_rows on mart.agg_week for select to minhu_unit
using (unit_code = any((select assess.own_unit_codes())::text[]));
select audit.let_the_house_in('mart.agg_day'::regclass);
select audit.let_the_house_in('mart.agg_week'::regclass);
grant select on mart.agg_day, mart.agg_week to minhu_unit;
