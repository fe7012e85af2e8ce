-- Old months out of staging. What was told of cases that ended long ago lies in files of the landing zone and can be
-- brought back row by row; facts stay. A case of which a row is there is never rebuilt from what is left.
create table audit.detached_month (
    part_id integer generated always as identity primary key,
    month_on date not null check (month_on = date_trunc('month', month_on)),
    cases bigint not null check (cases > 0),
    files jsonb not null,
    detached_at timestamptz not null default clock_timestamp(),
    detached_by text not null default session_user,
    attached_at timestamptz,
    attached_by text,
    built_in bigint references audit.build
);
comment on table audit.detached_month is
'移出的月份 — Months of cases whose rows lie in files and not in staging, until they are attached again.';
comment on column audit.detached_month.month_on is 'Of receipt; of cases that are linked, of the last of them.';
comment on column audit.detached_month.files is
'[{"table", "rows", "bytes", "sha256", "rows_hash"}]: files of the landing zone, and what their rows come to.';
comment on column audit.detached_month.built_in is 'The build that computed its cases anew after they came back.';

create table audit.detached_batch (
    part_id integer not null references audit.detached_month,
    batch_id bigint not null references audit.batch,
    rows bigint not null check (rows > 0),
    primary key (part_id, batch_id)
);
create index detached_batch_batch on audit.detached_batch (batch_id);
comment on table audit.detached_batch is
'移出的行数 — How many staged rows of a batch went with a month: a batch''s account stays whole.';

-- Kept after a month is attached, until a build has taken its cases.
create table audit.detached_case (
    case_id uuid primary key,
    part_id integer not null references audit.detached_month
);
create index detached_case_part on audit.detached_case (part_id);
comment on table audit.detached_case is '移出的工单 — Whose rows are with which month.';
comment on column audit.detached_case.case_id is 'As mart.fct_case has it, as a uuid: half as long.';

create table audit.arrived_after_freeze (
    case_id text primary key,
    feed_code text not null,
    case_no text not null,
    rests_on text not null check (rests_on in ('itself', 'others')),
    month_on date not null,
    first_build_id bigint not null references audit.build,
    last_build_id bigint not null references audit.build,
    arrived_at timestamptz not null default clock_timestamp()
);
comment on table audit.arrived_after_freeze is
'移出后到达 — Cases that something arrived for while rows that they rest on are kept elsewhere; their facts stay.';
comment on column audit.arrived_after_freeze.rests_on is
'itself: its own rows are elsewhere; others: those of a case that it is linked to or may repeat.';
comment on column audit.arrived_after_freeze.month_on is 'The month to attach; of several the earliest.';

-- How many rows of a batch are elsewhere.
create view audit.detached_rows as
select
    detached.batch_id,
    sum(detached.rows)::bigint as rows
from audit.detached_batch as detached
inner join audit.detached_month as month on detached.part_id = month.part_id
where month.attached_at is null
group by detached.batch_id;
comment on view audit.detached_rows is '尚在库外的行数 — By batch, the staged rows that lie in files of months.';

-- A full refresh goes month by month, each a build of its own; until it is through, facts of two computations stand
-- side by side, and no period is closed.
create table audit.refresh (
    refresh_id integer generated always as identity primary key,
    config_version bigint not null references config.version,
    code_hash text not null,
    begun_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    is_through boolean not null default false
);
comment on table audit.refresh is '分月全量重建 — A full refresh in months; ended without being through: begun anew.';

create table audit.refresh_chunk (
    refresh_id integer not null references audit.refresh,
    chunk_no integer not null,
    first_month_on date,
    last_month_on date,
    cases bigint not null,
    build_id bigint references audit.build,
    primary key (refresh_id, chunk_no)
);
comment on column audit.refresh_chunk.build_id is 'The last build that computed it; it is done when that succeeded.';

create table build.refresh_case (
    chunk_no integer not null,
    case_id text not null,
    feed_code text not null,
    case_no text not null
);
create index refresh_case_chunk on build.refresh_case (chunk_no);
comment on table build.refresh_case is 'The cases of the full refresh under way, by chunk.';
alter table build.refresh_case owner to minhu_work;

alter table audit.build add column left_cases bigint;
comment on column audit.build.left_cases is
'Cases that it would have rebuilt and left as they stood, since rows that they rest on are kept elsewhere.';

grant select on audit.detached_month, audit.detached_batch, audit.detached_case, audit.detached_rows,
audit.arrived_after_freeze, audit.refresh, audit.refresh_chunk to minhu_auditor;
grant select on audit.detached_month, audit.detached_case, audit.arrived_after_freeze to minhu_evaluator;

-- The months to attach before a period is revised: those of cases that count in what was closed last, for which
-- something arrived while they were out.
create function publish.months_wanted(period text, scheme_id text)
returns table (month_on date)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select distinct arrived.month_on
    from (
        select max(closing.closing_id) as closing_id
        from publish.closing
        where
            closing.period = months_wanted.period
            and (months_wanted.scheme_id is null or closing.scheme_id = months_wanted.scheme_id)
        group by closing.scheme_id
    ) as newest
    cross join lateral publish.cases_of_closing(newest.closing_id) as counted
    inner join mart.fct_case as cases on counted.root_case_id = cases.root_case_id
    inner join audit.arrived_after_freeze as arrived on cases.case_id = arrived.case_id
$$;
comment on function publish.months_wanted is '修订前须接回的月份：移出之后又有该周期工单的新数据';
revoke execute on function publish.months_wanted from public;
grant execute on function publish.months_wanted to minhu_work, minhu_evaluator, minhu_auditor;

-- One kind of incident more, beside whichever there are.
do $do$
declare
    kinds constant text := (
        select pg_get_constraintdef(oid) from pg_constraint
        where conrelid = 'audit.incident'::regclass and conname = 'incident_kind_check'
    );
begin
    alter table audit.incident drop constraint incident_kind_check;
    execute 'alter table audit.incident add constraint incident_kind_check '
        || replace(kinds, 'ARRAY[', 'ARRAY[''after_freeze''::text, ');
end
$do$;
