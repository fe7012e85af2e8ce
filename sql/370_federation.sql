-- A province reads the warehouses of its cities. What a city gives stands in schema federation, column by column: what
-- was published but for its evidence, and counts by day. A province keeps copies of it in schema province, which it
-- reads city by city, so that one that is away takes nothing from who reads the others.
do $$
begin
    if not exists (select from pg_roles where rolname = 'minhu_province') then
        create role minhu_province nologin;
    end if;
exception when duplicate_object or unique_violation then
    null;  -- another database of this cluster is being migrated at this very moment
end
$$;
do $$
begin
    execute format('grant connect on database %I to minhu_province', current_database());
end
$$;

create or replace function audit.sessions_of_group(of_group text) returns integer
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case of_group
        when 'minhu_bi' then 40
        when 'minhu_unit' then 40
        when 'minhu_evaluator' then 40
        when 'minhu_auditor' then 20
        when 'minhu_engineer' then 20
        when 'minhu_sender' then 20
        when 'minhu_province' then 10
        when 'minhu_signin' then 5
    end
$$;

create schema federation;
comment on schema federation is '联邦：本市向省级提供的已发布结果与逐日汇总，不含工单';
grant usage on schema federation to minhu_province;

create view federation.city as
with newest as (
    select version.city
    from config.version
    order by version.config_version desc
    limit 1
),

built as (
    select
        build.build_id,
        build.finished_at,
        build.reaches_on
    from audit.build
    where build.status = 'succeeded'
    order by build.build_id desc
    limit 1
)

select
    newest.city as city_code,
    entry.data ->> 'name' as city_name,
    entry.data ->> 'timezone' as timezone,
    built.build_id,
    built.finished_at as built_at,
    built.reaches_on
from newest
left join config.entry on newest.city = entry.key and entry.kind = 'city' and entry.until_version is null
left join built on true;
comment on view federation.city is '本市：代码、名称、时区、最近一次构建与数据截至日';

-- Why a release was made is a sentence that somebody wrote, and may name a case: it stays here. A province then proves
-- each row and the chain through them; the release's own hash it proves where no reason is in it. Of the evidence the
-- hashes before and behind it are told, and how many rows it has: no key of a case.
create view federation.release as
with evidence as (
    select
        release_id,
        min(row_no) as first_row_no,
        max(row_no) as last_row_no,
        count(*) as evidence_rows
    from publish.evidence
    group by release_id
)

select
    release.release_id,
    release.closing_id,
    release.scheme_id,
    release.scheme_version,
    release.period,
    release.revision,
    release.is_early,
    release.why is not null as has_why,
    release.starts_at,
    release.ends_at,
    release.as_of,
    release.build_id,
    release.config_version,
    release.inputs,
    release.input_fingerprint,
    release.content_hash,
    release.row_count,
    release.closed_by,
    release.closed_at,
    release.approval_id,
    release.approved_by,
    release.approved_at,
    release.published_by,
    release.published_at,
    release.previous_hash,
    release.hash,
    coalesce(evidence.evidence_rows, 0) as evidence_rows,
    evidence.first_row_no as evidence_first_row_no,
    head.previous_hash as evidence_previous_hash,
    tail.hash as evidence_hash
from publish.release
left join evidence on release.release_id = evidence.release_id
left join publish.evidence as head
    on evidence.release_id = head.release_id and evidence.first_row_no = head.row_no
left join publish.evidence as tail
    on evidence.release_id = tail.release_id and evidence.last_row_no = tail.row_no;
comment on view federation.release is '发布：不含修订原因；证据只给出前后哈希与行数';

-- What is published of units and of the law has no column of a case. Each is named here, so that one that is added
-- later goes nowhere by itself.
do $do$
declare
    told record;
begin
    for told in
        select *
        from (values
            (
                'unit_score', 'publish.unit_score', '已发布的单位得分',
                'release_id row_no revision scheme_id scheme_version period unit_code unit_key peer_group raw_points'
                ' score_100 assessed_points band rank_in_group not_ranked_reason listed_on previous_hash hash'
            ),
            (
                'unit_indicator', 'publish.unit_indicator', '已发布的单位指标',
                'release_id row_no revision scheme_id scheme_version period unit_code unit_key indicator_code numerator'
                ' denominator is_external_denominator value target points_max points wilson_low wilson_high'
                ' wilson_low_pct wilson_high_pct funnel_flag shrunken_value previous_hash hash'
            ),
            (
                'scheme', 'publish.scheme', '已发布的考核办法',
                'release_id row_no revision scheme_id scheme_version period title_zh title_en legal_basis_zh valid_from'
                ' valid_to standing aggregation rounding_order decimals rate_decimals shows_ranks shows_shrunken'
                ' previous_hash hash'
            ),
            (
                'peer_group', 'publish.peer_group', '已发布的同类组',
                'release_id row_no revision scheme_id scheme_version period peer_group peer_group_no peer_group_name_zh'
                ' peer_group_name_en assessed_points_max points_max min_n is_example previous_hash hash'
            ),
            (
                'band', 'publish.band', '已发布的分档',
                'release_id row_no revision scheme_id scheme_version period band band_no band_name_en at_least below'
                ' is_example previous_hash hash'
            ),
            (
                'indicator', 'publish.indicator', '已发布的指标',
                'release_id row_no revision scheme_id scheme_version period indicator_code indicator_no'
                ' indicator_name_zh indicator_name_en measure_code moment aggregate scoring_function value_unit'
                ' value_unit_zh value_unit_en better points_max target formula_zh note_zh basis_zh is_example'
                ' previous_hash hash'
            ),
            (
                'freshness', 'mart.freshness', '数据新鲜度',
                'feed_code fact reaches_on built_at waiting_batches waiting_from_on'
            ),
            (
                'agg_rate', 'mart.agg_rate', '逐日的率：分子与分母',
                'scheme_id period grain day_on peer_group category_code area_code pair numerator denominator'
            ),
            (
                'unit', 'mart.dim_unit', '承办单位',
                'unit_key unit_code unit_name unit_kind linkage_level peer_group parent_unit_code population valid_from'
                ' valid_to'
            ),
            ('feed', 'mart.dim_feed', '热线', 'feed_code feed_name feed_group'),
            ('category', 'mart.dim_category', '诉求分类', 'category_code category_name category_level'),
            ('area', 'mart.dim_area', '区域', 'area_code area_name area_level')
        ) as listed (name, source, label, names)
    loop
        execute format(
            'create view federation.%I as select %s from %s',
            told.name,
            (select string_agg(quote_ident(name), ', ') from regexp_split_to_table(told.names, ' ') as name),
            told.source
        );
        execute format('comment on view federation.%I is %L', told.name, told.label);
    end loop;
end
$do$;

-- Counts by one dimension. A cell of two crossed is on most days one case.
create view federation.agg_day as
select
    agg_day.cell,
    agg_day.day_on,
    agg_day.grain,
    agg_day.feed_code,
    agg_day.unit_code,
    agg_day.unit_key,
    agg_day.category_code,
    agg_day.area_code,
    agg_day.request_type,
    agg_day.intake,
    agg_day.repeats,
    agg_day.dispatched,
    agg_day.closed,
    agg_day.closed_on_time,
    agg_day.returned,
    agg_day.reworked,
    agg_day.called_back,
    agg_day.rated,
    agg_day.satisfied,
    agg_day.open_change,
    agg_day.overdue_change,
    agg_day.open,
    agg_day.overdue
from mart.agg_day
where agg_day.grain in ('city', 'feed', 'request_type', 'category', 'area', 'unit');
comment on view federation.agg_day is '逐日汇总：按一个维度的件数';

grant select on all tables in schema federation to minhu_province;

create schema province;
comment on schema province is '省级：各市已发布结果与逐日汇总的副本，逐市读取';

create table province.joined_city (
    city_code text primary key check (city_code ~ '^[a-z][a-z0-9_]{0,49}$'),
    city_name text not null,
    timezone text not null,
    place text not null,
    joined_by text not null default session_user,
    joined_at timestamptz not null default clock_timestamp(),
    tried_at timestamptz,
    read_at timestamptz,
    troubled_since timestamptz,
    trouble text check (
        trouble in ('silent', 'locked_out', 'other_city', 'older', 'newer', 'rewritten', 'changed', 'failed')
    ),
    told text,
    build_id bigint,
    built_at timestamptz,
    reaches_on date,
    constraint a_trouble_has_a_beginning check ((trouble is null) = (troubled_since is null))
);
comment on table province.joined_city is '加入的市：在哪里、何时读到、有何异常';
comment on column province.joined_city.place is 'host:port/database; login and password are with its mapping.';
comment on column province.joined_city.told is 'Which release and row the trouble is about.';

-- Copies: as a city gives them, with its code in front. Who reads has the views below.
do $$
declare
    name text;
begin
    foreach name in array array[
        'release', 'unit_score', 'unit_indicator', 'scheme', 'peer_group', 'band', 'indicator', 'freshness', 'agg_day',
        'agg_rate', 'unit', 'feed', 'category', 'area'
    ] loop
        execute format(
            'create table province.%I ('
            ' city_code text not null references province.joined_city on delete cascade, like federation.%I)',
            'copied_' || name, name
        );
    end loop;
    foreach name in array array['unit_score', 'unit_indicator', 'scheme', 'peer_group', 'band', 'indicator'] loop
        execute format('alter table province.%I add primary key (city_code, release_id, row_no)', 'copied_' || name);
    end loop;
end
$$;
alter table province.copied_release
add column copied_at timestamptz not null default clock_timestamp(),
add primary key (city_code, release_id);
alter table province.copied_agg_day add primary key (city_code, cell, day_on);
create index copied_agg_day_day on province.copied_agg_day (grain, day_on);
create index copied_agg_rate_period on province.copied_agg_rate (city_code, period, scheme_id);
alter table province.copied_unit add primary key (city_code, unit_key);
alter table province.copied_feed add primary key (city_code, feed_code);
alter table province.copied_category add primary key (city_code, category_code);
alter table province.copied_area add primary key (city_code, area_code);

create view province.newest_release as
select distinct on (copied.city_code, copied.scheme_id, copied.period)
    copied.city_code,
    copied.scheme_id,
    copied.period,
    copied.release_id,
    copied.revision,
    copied.is_early,
    copied.published_at,
    coalesce(copied.inputs #>> '{scheme,sha256}', concat(copied.city_code, copied.hash)) as scheme_sha256
from province.copied_release as copied
order by copied.city_code asc, copied.scheme_id asc, copied.period asc, copied.revision desc;
comment on view province.newest_release is '各市每个周期最近一次修订';
comment on column province.newest_release.scheme_sha256 is
'Over the whole text of the scheme as it held; two releases with the same were scored by the same law.';

create view province.city as
with releases as (
    select
        copied.city_code,
        count(*) as releases,
        max(copied.published_at) as published_at
    from province.copied_release as copied
    group by copied.city_code
)

select
    joined.city_code,
    joined.city_name,
    joined.timezone,
    coalesce(joined.trouble, '') <> 'silent' and joined.tried_at is not null as is_reachable,
    joined.trouble,
    joined.troubled_since,
    joined.tried_at,
    joined.read_at,
    joined.built_at,
    joined.reaches_on,
    coalesce(releases.releases, 0) as releases,
    releases.published_at
from province.joined_city as joined
left join releases on joined.city_code = releases.city_code;
comment on view province.city is '各市：可否连通、何时读到、数据截至日、最近发布';
comment on column province.city.is_reachable is 'Whether it answered when it was last asked.';
comment on column province.city.trouble is 'Why its figures are still those of read_at; else null.';
comment on column province.city.read_at is 'When its figures were last read; all that is told of it is of that moment.';

create view province.release as
select
    joined.city_code,
    joined.city_name,
    copied.release_id,
    copied.scheme_id,
    copied.scheme_version,
    copied.inputs #>> '{scheme,sha256}' as scheme_sha256,
    copied.period,
    copied.revision,
    copied.release_id = newest.release_id as is_newest,
    copied.is_early,
    copied.has_why,
    copied.starts_at,
    copied.ends_at,
    copied.as_of,
    copied.published_at,
    copied.row_count,
    copied.evidence_rows,
    copied.previous_hash,
    copied.hash,
    not copied.has_why as is_hash_proven,
    copied.copied_at,
    joined.read_at,
    joined.is_reachable
from province.copied_release as copied
inner join province.city as joined on copied.city_code = joined.city_code
inner join province.newest_release as newest
    on copied.city_code = newest.city_code and copied.scheme_id = newest.scheme_id and copied.period = newest.period;
comment on view province.release is '各市的发布：每个周期每次修订一行，带其哈希';
comment on column province.release.hash is 'The hash that the city published, which its witnesses keep.';
comment on column province.release.is_hash_proven is
'Whether it was computed anew here; not where it covers a reason in words, which stays in the city. Rows are always.';

create view province.unit_score as
select
    joined.city_code,
    joined.city_name,
    score.release_id,
    score.scheme_id,
    score.scheme_version,
    score.period,
    score.revision,
    score.release_id = newest.release_id as is_newest,
    score.unit_code,
    unit.unit_name,
    score.peer_group,
    peers.peer_group_name_zh,
    score.raw_points,
    score.score_100,
    score.assessed_points,
    score.band,
    score.rank_in_group,
    score.not_ranked_reason,
    score.listed_on,
    score.hash,
    joined.read_at,
    joined.is_reachable
from province.copied_unit_score as score
inner join province.city as joined on score.city_code = joined.city_code
inner join province.newest_release as newest
    on score.city_code = newest.city_code and score.scheme_id = newest.scheme_id and score.period = newest.period
left join province.copied_unit as unit on score.city_code = unit.city_code and score.unit_key = unit.unit_key
left join province.copied_peer_group as peers
    on
        score.city_code = peers.city_code
        and score.release_id = peers.release_id
        and score.peer_group = peers.peer_group;
comment on view province.unit_score is '各市单位得分：各次修订，名次为本市之内';
comment on column province.unit_score.rank_in_group is 'Among the units of its city; over all cities: unit_rank.';

create view province.unit_indicator as
select
    joined.city_code,
    joined.city_name,
    told.release_id,
    told.scheme_id,
    told.scheme_version,
    told.period,
    told.revision,
    told.release_id = newest.release_id as is_newest,
    told.unit_code,
    unit.unit_name,
    told.indicator_code,
    law.indicator_name_zh,
    law.value_unit_zh,
    law.better,
    told.numerator,
    told.denominator,
    told.value,
    told.target,
    told.points_max,
    told.points,
    told.wilson_low_pct,
    told.wilson_high_pct,
    told.funnel_flag,
    told.hash,
    joined.read_at,
    joined.is_reachable
from province.copied_unit_indicator as told
inner join province.city as joined on told.city_code = joined.city_code
inner join province.newest_release as newest
    on told.city_code = newest.city_code and told.scheme_id = newest.scheme_id and told.period = newest.period
left join province.copied_unit as unit on told.city_code = unit.city_code and told.unit_key = unit.unit_key
left join province.copied_indicator as law
    on
        told.city_code = law.city_code
        and told.release_id = law.release_id
        and told.indicator_code = law.indicator_code;
comment on view province.unit_indicator is '各市单位指标：各次修订';

-- One place over all cities, only among those that were scored by the same text of a scheme, and never of two averages:
-- the number that is compared is the one that each city published.
create view province.unit_rank as
with standing as (
    select
        score.city_code,
        score.release_id,
        score.scheme_id,
        score.scheme_version,
        score.period,
        score.unit_code,
        score.unit_key,
        score.peer_group,
        score.score_100,
        score.rank_in_group,
        score.not_ranked_reason,
        newest.scheme_sha256,
        newest.is_early,
        score.rank_in_group is not null and not newest.is_early as is_comparable
    from province.newest_release as newest
    inner join province.copied_unit_score as score
        on newest.city_code = score.city_code and newest.release_id = score.release_id
),

of_law as (
    select
        period,
        peer_group,
        scheme_sha256,
        count(distinct city_code) as cities
    from standing
    where is_comparable
    group by period, peer_group, scheme_sha256
),

of_group as (
    select
        period,
        peer_group,
        count(*) as laws
    from of_law
    group by period, peer_group
),

placed as (
    select
        standing.*,
        coalesce(of_law.cities, 0) as cities,
        coalesce(of_group.laws, 0) as laws,
        rank() over (
            partition by standing.period, standing.peer_group, standing.scheme_sha256, standing.is_comparable
            order by standing.score_100 desc
        ) as place,
        count(*) over (
            partition by standing.period, standing.peer_group, standing.scheme_sha256, standing.is_comparable
        ) as units
    from standing
    left join of_law
        on
            standing.period = of_law.period
            and standing.peer_group = of_law.peer_group
            and standing.scheme_sha256 = of_law.scheme_sha256
    left join of_group on standing.period = of_group.period and standing.peer_group = of_group.peer_group
)

select
    joined.city_code,
    joined.city_name,
    placed.period,
    placed.peer_group,
    peers.peer_group_name_zh,
    placed.unit_code,
    unit.unit_name,
    placed.score_100,
    placed.rank_in_group,
    case when placed.is_comparable and placed.cities > 1 then placed.place end as rank_in_province,
    case when placed.is_comparable and placed.cities > 1 then placed.units end as ranked_units,
    case when placed.is_comparable and placed.cities > 1 then placed.cities end as ranked_cities,
    case
        when placed.is_early then 'early'
        when not placed.is_comparable then placed.not_ranked_reason
        when placed.cities > 1 then null
        when placed.laws > 1 then 'other_scheme'
        else 'one_city'
    end as not_ranked_reason,
    placed.scheme_id,
    placed.scheme_version,
    placed.scheme_sha256,
    law.shows_ranks,
    placed.release_id,
    joined.read_at,
    joined.is_reachable
from placed
inner join province.city as joined on placed.city_code = joined.city_code
left join province.copied_unit as unit on placed.city_code = unit.city_code and placed.unit_key = unit.unit_key
left join province.copied_scheme as law on placed.city_code = law.city_code and placed.release_id = law.release_id
left join province.copied_peer_group as peers
    on
        placed.city_code = peers.city_code
        and placed.release_id = peers.release_id
        and placed.peer_group = peers.peer_group;
comment on view province.unit_rank is '全省排名：仅在考核办法完全相同的各市之间，按最近一次发布';
comment on column province.unit_rank.rank_in_province is 'Among ranked_units units of ranked_cities cities; else null.';
comment on column province.unit_rank.not_ranked_reason is
'Why there is no place over all cities: the reason of its own city, closed early, another scheme, or one city alone.';
comment on column province.unit_rank.shows_ranks is 'Whether the scheme lets places be shown to the public.';

create view province.agg_day as
select
    joined.city_code,
    joined.city_name,
    counted.day_on,
    counted.grain,
    counted.feed_code,
    feed.feed_name,
    counted.unit_code,
    unit.unit_name,
    counted.category_code,
    category.category_name,
    counted.area_code,
    area.area_name,
    counted.request_type,
    counted.intake,
    counted.repeats,
    counted.dispatched,
    counted.closed,
    counted.closed_on_time,
    counted.returned,
    counted.reworked,
    counted.called_back,
    counted.rated,
    counted.satisfied,
    counted.open_change,
    counted.overdue_change,
    counted.open,
    counted.overdue,
    joined.reaches_on,
    joined.read_at,
    joined.is_reachable
from province.copied_agg_day as counted
inner join province.city as joined on counted.city_code = joined.city_code
left join province.copied_feed as feed on counted.city_code = feed.city_code and counted.feed_code = feed.feed_code
left join province.copied_unit as unit on counted.city_code = unit.city_code and counted.unit_key = unit.unit_key
left join province.copied_category as category
    on counted.city_code = category.city_code and counted.category_code = category.category_code
left join province.copied_area as area on counted.city_code = area.city_code and counted.area_code = area.area_code;
comment on view province.agg_day is '各市逐日汇总：一行按一个维度计数，不同 grain 不得相加';

create view province.agg_rate as
select
    joined.city_code,
    joined.city_name,
    counted.scheme_id,
    counted.period,
    counted.grain,
    counted.day_on,
    counted.peer_group,
    counted.category_code,
    counted.area_code,
    counted.pair,
    counted.numerator,
    counted.denominator,
    joined.reaches_on,
    joined.read_at,
    joined.is_reachable
from province.copied_agg_rate as counted
inner join province.city as joined on counted.city_code = joined.city_code;
comment on view province.agg_rate is '各市逐日的率：分子与分母，合计后再相除';

create view province.freshness as
select
    joined.city_code,
    joined.city_name,
    reached.feed_code,
    feed.feed_name,
    reached.fact,
    reached.reaches_on,
    reached.built_at,
    reached.waiting_batches,
    reached.waiting_from_on,
    joined.read_at,
    joined.is_reachable
from province.copied_freshness as reached
inner join province.city as joined on reached.city_code = joined.city_code
left join province.copied_feed as feed on reached.city_code = feed.city_code and reached.feed_code = feed.feed_code;
comment on view province.freshness is '各市数据新鲜度';

grant usage on schema province to minhu_bi, minhu_evaluator, minhu_auditor, minhu_engineer;
grant select on
province.city, province.release, province.unit_score, province.unit_indicator, province.unit_rank, province.agg_day,
province.agg_rate, province.freshness
to minhu_bi, minhu_evaluator, minhu_auditor, minhu_engineer;

-- The password is given as a parameter and stands in no statement that a server logs as a change of its schema.
create function province.let_in(of_server text, login text, password text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format(
        'create user mapping for current_user server %I options (user %L, password %L)',
        let_in.of_server, let_in.login, let_in.password
    );
exception when others then
    raise exception 'no login could be kept for %', let_in.of_server using errcode = sqlstate;  -- the text held it
end
$$;
comment on function province.let_in is 'Keeps the login by which this warehouse reads a city; told to its owner alone.';
revoke execute on function province.let_in from public;
