-- The law beside the scores: names, order, unit, direction, points, target, formula in words and legal basis of every
-- scheme, as they held in each period that was scored. `minhu score` writes them with the scores, and a release freezes
-- them with its rows: who reads what was published needs no configuration. Comments come from the dbt project.
create table mart.dim_scheme (
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    title_zh text not null,
    title_en text,
    legal_basis_zh text not null,
    valid_from date not null,
    valid_to date,
    standing text not null,
    aggregation text not null,
    rounding_order text not null,
    decimals integer not null,
    rate_decimals integer,
    shows_ranks boolean not null,
    shows_shrunken boolean not null,
    primary key (scheme_id, scheme_version, period)
);

create table mart.dim_peer_group (
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    peer_group text not null,
    peer_group_no integer not null,
    peer_group_name_zh text not null,
    peer_group_name_en text,
    assessed_points_max numeric not null,
    points_max numeric not null,
    min_n numeric not null,
    is_example boolean not null,
    primary key (scheme_id, scheme_version, period, peer_group)
);

create table mart.dim_band (
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    band text not null,
    band_no integer not null,
    band_name_en text,
    at_least numeric not null,
    below numeric,
    is_example boolean not null,
    primary key (scheme_id, scheme_version, period, band_no)
);

create table mart.dim_indicator (
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    indicator_code text not null,
    indicator_no integer not null,
    indicator_name_zh text not null,
    indicator_name_en text,
    measure_code text,
    moment text,
    aggregate text,
    scoring_function text not null,
    value_unit text not null,
    value_unit_zh text not null,
    value_unit_en text not null,
    better text not null check (better in ('higher', 'lower')),
    points_max numeric,
    target numeric,
    formula_zh text not null,
    note_zh text,
    basis_zh text,
    is_example boolean not null,
    primary key (scheme_id, scheme_version, period, indicator_code)
);

alter table publish.frozen_row drop constraint frozen_row_kind_check;
alter table publish.frozen_row add constraint frozen_row_kind_check check (
    kind in ('unit_score', 'unit_indicator', 'evidence', 'scheme', 'peer_group', 'band', 'indicator')
);

do $$
declare
    name text;
    told text;
    mended text;
    listed text := '';
    filled text := '';
    kind_no integer := 3;
begin
    foreach name in array array['scheme', 'peer_group', 'band', 'indicator'] loop
        execute format(
            'create table publish.%I ('
            ' release_id bigint not null references publish.release deferrable initially deferred,'
            ' row_no bigint not null, revision integer not null, like mart.%I,'
            ' previous_hash text not null, hash text not null, primary key (release_id, row_no))',
            name, 'dim_' || name
        );
        execute format(
            'create trigger append_only before update or delete or truncate on publish.%I'
            ' for each statement execute function publish.refuse_change()', name
        );
        execute format('alter table publish.%I enable row level security', name);
        execute format('alter table publish.%I force row level security', name);
        execute format('create policy written_by_the_acts on publish.%I for insert to current_user with check (true)', name);
        execute format('create policy read_by_the_acts on publish.%I for select to current_user using (true)', name);
        execute format('grant select on publish.%I to minhu_bi, minhu_unit, minhu_evaluator, minhu_auditor', name);
        execute format(
            'create policy read_by_all on publish.%I for select'
            ' to minhu_bi, minhu_unit, minhu_evaluator, minhu_auditor using (true)', name
        );
        perform audit.let_the_house_in(format('publish.%I', name)::regclass);
        kind_no := kind_no + 1;
        listed := listed || format(
            $told$        union all
        select
            %s,
            %L,
            %s,
            to_jsonb(law)
        from mart.%I as law
        where
            law.scheme_id = run.scheme_id
            and law.scheme_version = run.scheme_version
            and law.period = run.period
$told$,
            kind_no,
            name,
            case when name = 'scheme' then 'law.scheme_id' else format('to_char(law.%I, ''FM0000'')', name || '_no') end,
            'dim_' || name
        );
        filled := filled || format(
            $told$,

    told_%1$s as (
        insert into publish.%1$I
        select filled.*
        from linked
        cross join lateral jsonb_populate_record(null::publish.%1$I, linked.data) as filled
        where linked.kind = %1$L
    )$told$,
            name
        );
    end loop;

    told := pg_get_functiondef('publish.close'::regproc);
    mended := replace(
        told,
        E'run.period, base.release_id) as moved\n    ) as listed;',
        E'run.period, base.release_id) as moved\n' || listed || '    ) as listed;'
    );
    if mended = told then
        raise exception 'publish.close is not the one that this migration knows';
    end if;
    execute mended;

    told := pg_get_functiondef('publish.publish'::regproc);
    mended := replace(
        told, E'where linked.kind = ''evidence''\n    )', E'where linked.kind = ''evidence''\n    )' || filled
    );
    if mended = told then
        raise exception 'publish.publish is not the one that this migration knows';
    end if;
    execute mended;
end
$$;

comment on table publish.scheme is '已发布的考核办法：名称、依据与计分规则，按发布时所述';
comment on table publish.peer_group is '已发布的同类组';
comment on table publish.band is '已发布的分档';
comment on table publish.indicator is '已发布的指标：名称、分值、目标与计分规则，按发布时所述';

create or replace function publish.links_of(of_release bigint)
returns table (table_name text, row_no bigint, previous_hash text, hash text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select 'unit_score', told.row_no, told.previous_hash, told.hash
    from publish.unit_score as told
    where told.release_id = of_release
    union all
    select 'unit_indicator', told.row_no, told.previous_hash, told.hash
    from publish.unit_indicator as told
    where told.release_id = of_release
    union all
    select 'evidence', told.row_no, told.previous_hash, told.hash
    from publish.evidence as told
    where told.release_id = of_release
    union all
    select 'scheme', told.row_no, told.previous_hash, told.hash
    from publish.scheme as told
    where told.release_id = of_release
    union all
    select 'peer_group', told.row_no, told.previous_hash, told.hash
    from publish.peer_group as told
    where told.release_id = of_release
    union all
    select 'band', told.row_no, told.previous_hash, told.hash
    from publish.band as told
    where told.release_id = of_release
    union all
    select 'indicator', told.row_no, told.previous_hash, told.hash
    from publish.indicator as told
    where told.release_id = of_release
    order by row_no
$$;
