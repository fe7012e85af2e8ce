-- Who loads, builds and scores owns nothing that people decide by or that proves what was published: minhu_work writes
-- what was sent, what follows from it and what was found wrong with it, and makes schema build and the views of
-- measures. Whoever looks after the house reads as minhu_engineer what holds no words of citizens. Both may be logins
-- before, or become such later.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['minhu_work', 'minhu_engineer'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
        end if;
    end loop;
exception when duplicate_object or unique_violation then
    null;  -- another database of this cluster is being migrated at this very moment
end
$$;
do $$
begin
    if not pg_has_role(current_user, 'minhu_work', 'set') or not pg_has_role(current_user, 'minhu_work', 'usage') then
        grant minhu_work to current_user with inherit true, set true;  -- who builds at a terminal does it as minhu_work
    end if;
exception when insufficient_privilege then
    raise insufficient_privilege using
        message = 'minhu_work is a role of somebody else on this server',
        hint = format('A superuser says: grant minhu_work to %I with admin true, inherit true, set true', current_user);
end
$$;

grant usage on schema config, audit, restricted, staging, build, mart, assess, publish to minhu_work;
grant usage on schema config, audit, mart, assess, publish to minhu_engineer;

grant select, insert, update, delete on all tables in schema config, audit, restricted, staging, mart to minhu_work;
grant usage, select on all sequences in schema config, audit, restricted, staging, mart to minhu_work;
grant select on all tables in schema assess, publish to minhu_work;
grant select on all tables in schema config, audit, mart, assess, publish to minhu_engineer;
revoke insert, update, delete on audit.access_log, audit.access_head, audit.case_reading from minhu_work;

alter default privileges in schema config, audit, restricted, staging, mart
grant select, insert, update, delete on tables to minhu_work;
alter default privileges in schema config, audit, restricted, staging, mart
grant usage, select on sequences to minhu_work;
alter default privileges in schema assess, publish grant select on tables to minhu_work;
alter default privileges in schema config, audit, mart, assess, publish grant select on tables to minhu_engineer;

-- Statistics after a load; before PostgreSQL 17 the server gathers them when it comes to it.
do $$
begin
    if current_setting('server_version_num')::integer >= 170000 then
        execute 'grant maintain on all tables in schema config, audit, restricted, staging, mart to minhu_work';
        execute 'alter default privileges in schema config, audit, restricted, staging, mart'
            ' grant maintain on tables to minhu_work';
    end if;
end
$$;

-- Row policies are for readers. A table that gets one later gets this one too.
create function audit.let_the_house_in(of_table regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format(
        'create policy house_rows on %s to minhu_work, minhu_engineer using (true) with check (true)', of_table
    );
end
$$;
comment on function audit.let_the_house_in is
'Row policies of a table leave out who loads, builds and looks after the house.';
revoke execute on function audit.let_the_house_in from public;
select audit.let_the_house_in(oid::regclass)
from pg_class
where
    relrowsecurity
    and relnamespace in (
        'config'::regnamespace, 'audit'::regnamespace, 'mart'::regnamespace, 'assess'::regnamespace,
        'publish'::regnamespace
    );

-- Who enters, where not everybody may.
do $$
begin
    execute format(
        'grant connect on database %I to minhu_bi, minhu_evaluator, minhu_auditor, minhu_unit, minhu_portal, minhu_signin,'
        ' minhu_work, minhu_engineer',
        current_database()
    );
end
$$;

-- What builds make is theirs: schema build, and the views of mart that carry the mark of their text.
grant create on schema mart to minhu_work;
do $$
declare
    made record;
begin
    execute format('grant create on database %I to minhu_work', current_database());
    alter schema build owner to minhu_work;
    for made in
        select
            pg_class.oid::regclass::text as name,
            case pg_class.relkind when 'v' then 'view' else 'table' end as kind
        from pg_class
        where
            (pg_class.relnamespace = 'build'::regnamespace and pg_class.relkind in ('r', 'v', 'p'))
            or (
                pg_class.relnamespace = 'mart'::regnamespace
                and pg_class.relkind = 'v'
                and obj_description(pg_class.oid, 'pg_class') like 'definition %'
            )
        union all
        select
            pg_proc.oid::regprocedure::text,
            'routine'
        from pg_proc
        where pg_proc.pronamespace = 'build'::regnamespace
    loop
        execute format('alter %s %s owner to minhu_work', made.kind, made.name);
    end loop;
    execute format('revoke create on database %I from minhu_work', current_database());
end
$$;
alter default privileges for role minhu_work in schema mart
grant select on tables to minhu_bi, minhu_evaluator, minhu_auditor, minhu_engineer;

-- What a column means is said by the models: whoever builds writes it beside the column.
create function mart.describe(of_table text, of_column text, told text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    execute format('comment on column mart.%I.%I is %L', describe.of_table, describe.of_column, describe.told);
end
$$;
comment on function mart.describe is 'Writes what a column of mart means.';
revoke execute on function mart.describe from public;
grant execute on function mart.describe to minhu_work;

-- Who makes logins has the say over their groups, and belongs to none of them.
create or replace function portal.groups_of(login text) returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(grp.rolname::text), '{}')
    from pg_auth_members as membership
    inner join pg_roles as grp on membership.roleid = grp.oid
    inner join pg_roles as member on membership.member = member.oid
    where member.rolname = groups_of.login and grp.rolname like 'minhu\_%' and membership.inherit_option
$$;
create or replace function publish.may_approve(closing_id bigint) returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select member.rolname::text
    from pg_auth_members as membership
    inner join pg_roles as member on membership.member = member.oid
    cross join lateral portal.groups_of(member.rolname::text) as belongs
    inner join publish.closing on closing.closing_id = may_approve.closing_id
    where
        membership.roleid = 'minhu_evaluator'::regrole
        and membership.inherit_option
        and not 'minhu_portal' = any(belongs)
        and member.rolname <> closing.closed_by
        and not exists (
            select from publish.closing_act as act
            where act.closing_id = closing.closing_id and act.made_by = member.rolname
        )
    order by member.rolname
$$;

-- Tasks close and publish what others have approved.
grant execute on function publish.close, publish.publish to minhu_work;

-- Who enters as the owner says why.
alter table audit.access_log drop constraint access_log_subject_check;
alter table audit.access_log add constraint access_log_subject_check check (subject in (
    'landed_file', 'rejected_rows', 'frequent_callers', 'case_text',
    'export', 'owner_session',
    'batch_release', 'waiver', 'waiver_revocation', 'closing', 'revision', 'approval', 'publication'
));
