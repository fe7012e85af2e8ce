-- What a rate counts, by the row: of every assignment and callback that a score counted, the two numbers and the day by
-- which they count, as the scheme in force counted them. Their sums are the sums of the scores, by whatever one groups
-- them. `minhu score` writes them with the scores of the shortest period.
create table mart.assignment_rate (
    assignment_id text primary key,
    unit_code text not null,
    on_time_n numeric,
    on_time_of numeric,
    on_time_on date,
    signed_n numeric,
    signed_of numeric,
    signed_on date,
    contacted_n numeric,
    contacted_of numeric,
    contacted_on date,
    completed_n numeric,
    completed_of numeric,
    completed_on date,
    denied_n numeric,
    denied_of numeric,
    denied_on date,
    reworked_n numeric,
    reworked_of numeric,
    reworked_on date
);
create table mart.callback_rate (
    callback_id text primary key,
    unit_code text not null,
    satisfied_n numeric,
    satisfied_of numeric,
    satisfied_on date,
    resolved_n numeric,
    resolved_of numeric,
    resolved_on date,
    reached_n numeric,
    reached_of numeric,
    reached_on date
);
-- Days grow with the rows: few pages of an index say where those of a month lie.
create index assignment_rate_day on mart.assignment_rate using brin (
    on_time_on, signed_on, contacted_on, completed_on, denied_on, reworked_on
);
create index callback_rate_day on mart.callback_rate using brin (satisfied_on, resolved_on, reached_on);

-- The same, summed by day for what a dashboard shows at once.
create table mart.agg_rate (
    scheme_id text not null,
    period text not null,
    grain text not null check (grain in ('peer_group', 'category', 'area')),
    day_on date not null,
    peer_group text,
    category_code text,
    area_code text,
    pair text not null,
    numerator numeric not null,
    denominator numeric not null
);
create index agg_rate_day on mart.agg_rate (grain, pair, day_on);
create index agg_rate_period on mart.agg_rate (period, scheme_id);
