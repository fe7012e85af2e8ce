-- Who only reads may read on a standby. It tells how far it is; nobody's session is opened, verified or logged there.

-- What the primary last said it had is compared with what was replayed: nothing outstanding is no lag, however quiet it
-- was. A standby that hears no primary can say of nothing that it is all; then it is as old as the last that it has.
create function mart.follows()
returns table (
    is_standby boolean, is_following boolean, replayed_at timestamptz, behind_seconds double precision
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        pg_is_in_recovery(),
        case when pg_is_in_recovery() then coalesce(receiver.status = 'streaming', false) end,
        pg_last_xact_replay_timestamp(),
        case
            when not pg_is_in_recovery() then 0
            when
                receiver.status = 'streaming'
                and pg_last_wal_replay_lsn() >= greatest(receiver.latest_end_lsn, receiver.flushed_lsn)
                then 0
            else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())
        end
    from (values (true)) as always (is_so)
    left join pg_stat_wal_receiver as receiver on always.is_so
$$;
comment on function mart.follows is 'Whether this server is a standby that follows, and how far behind its primary.';

create view mart.standby as
select
    told.is_standby,
    told.is_following,
    told.replayed_at,
    told.behind_seconds,
    (
        select max(build.finished_at)
        from audit.build
        where build.status = 'succeeded'
    ) as built_at
from mart.follows() as told;
comment on view mart.standby is '读库状态 — Whether the server that answers is a standby, and how far behind its primary.';

grant select on mart.standby to minhu_work, minhu_engineer;

-- A standby knows sessions as they were: one that was ended may live on there, and nothing can be written down.
create function portal.on_primary() returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if pg_is_in_recovery() then
        raise read_only_sql_transaction using
            message = 'this server is a standby: sessions are opened, verified and logged on the primary alone',
            hint = 'MINHU_DATABASE_URL names the primary, MINHU_READ_URL a standby.';
    end if;
end
$$;
comment on function portal.on_primary is 'Refuses on a standby; first thing of what opens, verifies or logs a session.';
revoke execute on function portal.on_primary from public;

-- First thing in every function of the portal that changes something, or tells of sessions, tries, factors or jobs; and
-- in the one that logs an export. As they stand by now, so that none of them is told twice.
do $do$
declare
    known record;
    body text;
begin
    for known in
        select
            pg_proc.oid,
            pg_language.lanname
        from pg_proc
        inner join pg_language on pg_language.oid = pg_proc.prolang
        where
            pg_proc.prorettype <> 'trigger'::regtype
            and (
                pg_proc.pronamespace = 'portal'::regnamespace
                and (pg_proc.provolatile = 'v' or pg_proc.proname in ('waits', 'factor_of', 'job_waits', 'people'))
                or pg_proc.oid = 'audit.log_export'::regproc
            )
    loop
        body := pg_get_functiondef(known.oid);
        body := case known.lanname
            when 'plpgsql' then regexp_replace(body, '\nbegin\n', E'\nbegin\n    perform portal.on_primary();\n')
            else regexp_replace(body, '\nAS (\$\w*\$)', E'\nAS \\1\n    select portal.on_primary();')
        end;
        if body not like '%portal.on_primary()%' then
            raise exception '% has no place for what it asks first', known.oid::regprocedure;
        end if;
        execute body;
    end loop;
end
$do$;

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
        || replace(kinds, 'ARRAY[', 'ARRAY[''standby_off''::text, ');
end
$do$;
