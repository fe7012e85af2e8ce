-- Who acts: the login that the server has authenticated for this connection, and nothing that a session can set.
-- `session_user` may be set by a superuser, `current_user` by anybody who is a member; `system_user` by nobody.

do $$
begin
    if current_setting('server_version_num')::integer < 160000 then
        raise exception 'PostgreSQL 16 or newer is needed: this is %', current_setting('server_version');
    end if;
end
$$;

-- What the server knows of a person by another name than the login's: the subject of a certificate, an entry of a
-- directory. The newest row of a method and identity counts.
create table assess.identity (
    identity_id bigint generated always as identity primary key,
    method text not null check (method ~ '^[a-z][a-z0-9-]*$'),
    identity text not null check (btrim(identity) <> ''),
    login text not null,
    is_active boolean not null,
    added_by text not null,
    added_at timestamptz not null default clock_timestamp()
);
comment on table assess.identity is '认证身份对应的登录名：证书、目录服务等，只增不改';
comment on column assess.identity.method is 'As pg_hba.conf names it: cert, ldap, gss, peer …';
create trigger stamp before insert on assess.identity
for each row execute function assess.stamp('added_by', 'added_at');
create trigger append_only before update or delete or truncate on assess.identity
for each statement execute function assess.refuse_change();
grant select on assess.identity to minhu_auditor;

-- Whom the server asked, and who that is here; null where it asked nobody (trust), or nobody knows the name.
create function assess.authenticated() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        case
            when told.method in ('scram-sha-256', 'md5', 'password', 'ldap', 'pam', 'radius', 'bsd') then told.name
            else (
                select case when newest.is_active then newest.login end
                from assess.identity as newest
                where newest.method = told.method and newest.identity = told.name
                order by newest.identity_id desc
                limit 1
            )
        end
    from (
        select
            split_part(system_user, ':', 1) as method,
            substr(system_user, strpos(system_user, ':') + 1) as name
    ) as told
$$;
comment on function assess.authenticated is
'The login that this connection has proved to be; null where it proved nothing.';

create function assess.actor() returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when assess.authenticated() = session_user then session_user::text end
$$;
comment on function assess.actor is
'Who asks: the only source of identity. Null where the session goes by another name than it has proved to have.';

create function assess.acting() returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if assess.actor() is null then
        raise exception 'nobody has proved to be the login %: the server authenticated %', session_user,
            coalesce(quote_literal(system_user), 'no one, since pg_hba.conf trusts this connection')
            using hint = 'Log in as the person who acts; minhu logins identify maps a certificate or directory entry.';
    end if;
    return assess.actor();
end
$$;
comment on function assess.acting is 'assess.actor() for whoever decides or records: refused where it is null.';

create or replace function assess.own_units() returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select unit_code from assess.unit_login_in_force where login = assess.actor()
$$;

create or replace function assess.is_assessor() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(
        pg_has_role(assess.actor()::name, 'minhu_evaluator', 'member')
        or pg_has_role(assess.actor()::name, current_user, 'member'),
        false
    )
$$;

create function assess.set_identity(
    method text, identity text, login text, is_active boolean default true
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if not exists (select from pg_roles where rolname = set_identity.login) then
        raise exception 'there is no login %', quote_literal(set_identity.login);
    end if;
    insert into assess.identity (method, identity, login, is_active)
    values (set_identity.method, set_identity.identity, set_identity.login, set_identity.is_active)
    returning identity_id into written;
    return written;
end
$$;

-- Everything that asked for session_user before.
do $$
declare
    asked record;
    mended integer := 0;
begin
    for asked in
        select
            pg_proc.oid,
            pg_get_functiondef(pg_proc.oid) as told
        from pg_proc
        where
            pg_proc.pronamespace in ('assess'::regnamespace, 'publish'::regnamespace, 'audit'::regnamespace)
            and pg_proc.prosrc ~ '\msession_user\M'
            and pg_proc.proname not in ('actor', 'acting')
    loop
        execute regexp_replace(asked.told, '\msession_user\M', 'assess.acting()', 'g');
        mended := mended + 1;
    end loop;
    if mended < 7 then
        raise exception 'only % functions ask who acts: these are not the ones that this migration knows', mended;
    end if;
    for asked in
        select
            pg_attrdef.adrelid::regclass as of_table,
            pg_attribute.attname as name
        from pg_attrdef
        inner join pg_attribute
            on pg_attrdef.adrelid = pg_attribute.attrelid and pg_attrdef.adnum = pg_attribute.attnum
        inner join pg_class on pg_attrdef.adrelid = pg_class.oid
        where
            pg_class.relnamespace in (
                'assess'::regnamespace, 'publish'::regnamespace, 'audit'::regnamespace, 'config'::regnamespace
            )
            and pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid) = 'SESSION_USER'
    loop
        execute format('alter table %s alter column %I set default assess.acting()', asked.of_table, asked.name);
    end loop;
end
$$;

revoke execute on all functions in schema assess from public;
grant execute on function assess.authenticated, assess.actor, assess.acting to public;
