-- Who asks through the portal. Its connections are pooled, so their login says which group asks and never who: that is
-- the person whose session the database itself has verified for this transaction. A login of the portal belongs to one
-- group besides minhu_portal; what its people may read and do is what that group may, by the same grants and policies.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['minhu_portal', 'minhu_signin'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
        end if;
    end loop;
exception when duplicate_object or unique_violation then
    null;  -- another database of this cluster is being migrated at this very moment
end
$$;

create schema portal;
comment on schema portal is '门户：登录会话；只存令牌的哈希';
grant usage on schema portal to minhu_portal, minhu_signin;

-- Sessions are opened on a login that pages never hold, which may do nothing else.
create table portal.session (
    session_id bigint generated always as identity primary key,
    token_hash bytea not null unique check (octet_length(token_hash) = 32),
    login text not null,
    role_oid oid not null,
    opened_by text not null,
    opened_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    ended_at timestamptz
);
comment on column portal.session.token_hash is 'sha256 of the token, which is stored nowhere.';
comment on column portal.session.role_oid is 'A login made anew under an old name has no sessions.';
create index session_login on portal.session (login);

-- Who acts in the transaction that a backend is in. A row of an earlier transaction says nothing and is written over.
create table portal.acting (
    pid integer primary key,
    xid xid8 not null,
    login text not null
);

-- The key of HMAC-SHA256 (RFC 2104), as it enters the inner and the outer hash.
create table portal.secret (
    inner_key bytea not null check (octet_length(inner_key) = 64),
    outer_key bytea not null check (octet_length(outer_key) = 64)
);
create unique index one_secret on portal.secret ((true));
do $$
declare
    key bytea := sha512(convert_to((select string_agg(gen_random_uuid()::text, '') from generate_series(1, 8)), 'UTF8'));
    inner_key bytea := key;
    outer_key bytea := key;
begin
    for at in 0..63 loop
        inner_key := set_byte(inner_key, at, get_byte(key, at) # 54);
        outer_key := set_byte(outer_key, at, get_byte(key, at) # 92);
    end loop;
    insert into portal.secret (inner_key, outer_key) values (inner_key, outer_key);
end
$$;

-- What this transaction of this backend says of a person, so that nobody can say it who has not the key.
create function portal.sealed(person text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select encode(
        sha256(secret.outer_key || sha256(secret.inner_key || convert_to(concat_ws(
            chr(10),
            pg_backend_pid(),
            extract(epoch from backend.backend_start),
            extract(epoch from transaction_timestamp()),
            sealed.person
        ), 'UTF8'))),
        'hex'
    )
    from portal.secret
    cross join pg_stat_get_activity(pg_backend_pid()) as backend
$$;

-- The groups that a login belongs to itself. A superuser counts as a member of every role, and is none of these.
create function portal.groups_of(login text) returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(grp.rolname::text), '{}')
    from pg_auth_members as membership
    inner join pg_roles as grp on membership.roleid = grp.oid
    inner join pg_roles as member on membership.member = member.oid
    where member.rolname = groups_of.login and grp.rolname like 'minhu\_%'
$$;

create function portal.is_asked() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        'minhu_portal' = any(portal.groups_of(session_user::text))
        and coalesce(assess.authenticated() = session_user, false)
$$;
comment on function portal.is_asked is 'Whether this connection is one of the portal, whose login is nobody.';

-- For acts: a row that this transaction wrote.
create function portal.actor() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select begun.login
    from portal.acting as begun
    where begun.pid = pg_backend_pid() and begun.xid = pg_current_xact_id_if_assigned()
$$;

-- For reading: the same, or where nothing may be written a setting of this transaction, which anybody may set and
-- nobody can seal.
create function portal.reader() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(
        portal.actor(),
        (
            select told.person
            from (
                select
                    split_part(current_setting('portal.person', true), ' ', 1) as person,
                    split_part(current_setting('portal.person', true), ' ', 2) as seal
            ) as told
            where told.seal <> '' and told.seal = portal.sealed(told.person)
        )
    )
$$;

create function portal.begin(token text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    person text;
begin
    if not portal.is_asked() then
        raise exception 'who logs in himself needs no session: portal.begin is for the portal''s own connections';
    end if;
    if portal.reader() is not null then
        raise exception 'this transaction has begun for somebody already: one transaction is one person''s';
    end if;
    select open.login into person
    from portal.session as open
    inner join pg_roles on pg_roles.oid = open.role_oid and pg_roles.rolname = open.login
    where
        open.token_hash = sha256(convert_to(begin.token, 'UTF8'))
        and open.ended_at is null
        and open.expires_at > clock_timestamp()
        and array_remove(portal.groups_of(session_user::text), 'minhu_portal') && portal.groups_of(open.login);
    if not found then
        raise invalid_authorization_specification
            using message = 'this session is unknown here, has ended or has expired', hint = 'Sign in again.';
    end if;
    if current_setting('transaction_read_only') = 'off' then
        insert into portal.acting as before (pid, xid, login)
        values (pg_backend_pid(), pg_current_xact_id(), person)
        on conflict (pid) do update set xid = excluded.xid, login = excluded.login;
    end if;
    perform set_config('portal.person', person || ' ' || portal.sealed(person), true);
    return person;
end
$$;
comment on function portal.begin is
'Says whose this transaction is, first thing in it; the person''s login. One that only reads may be read only.';

create function portal.open_session(
    login text, token_hash bytea, lasts interval default '8 hours'
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if octet_length(token_hash) is distinct from 32 then
        raise exception 'a session is opened with the sha256 of its token: 32 bytes';
    end if;
    if lasts is null or lasts <= interval '0' or lasts > interval '24 hours' then
        raise exception 'a session lasts up to 24 hours, not %', coalesce(lasts::text, 'for ever');
    end if;
    if not portal.groups_of(login) && array['minhu_bi', 'minhu_evaluator', 'minhu_auditor', 'minhu_unit']
        or portal.groups_of(login) && array['minhu_portal', 'minhu_signin']
    then
        raise exception 'there is no person with the login %', coalesce(quote_literal(login), '(none)');
    end if;
    insert into portal.session (token_hash, login, role_oid, opened_by, expires_at)
    values (
        open_session.token_hash, open_session.login, open_session.login::regrole, assess.acting(),
        clock_timestamp() + lasts
    )
    returning session_id into written;
    return written;
end
$$;

create function portal.end_session(token_hash bytea) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update portal.session set ended_at = clock_timestamp()
    where session.token_hash = end_session.token_hash and session.ended_at is null;
    return found;
end
$$;
comment on function portal.end_session is 'False where nothing was open.';

create function portal.end_sessions_of(login text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    ended bigint;
begin
    update portal.session set ended_at = clock_timestamp()
    where session.login = end_sessions_of.login and session.ended_at is null and session.expires_at > clock_timestamp();
    get diagnostics ended = row_count;
    return ended;
end
$$;
comment on function portal.end_sessions_of is 'How many were open.';

-- The only source of identity, for both kinds of connections.
create or replace function assess.actor() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        case
            when portal.is_asked() then portal.reader()
            when assess.authenticated() = session_user then session_user::text
        end
$$;
comment on function assess.actor is
'Who asks: the only source of identity. Null where the session goes by another name than it has proved to have, and on a
 connection of the portal before portal.begin.';

create or replace function assess.acting() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if portal.is_asked() then
        if portal.actor() is null then
            raise exception 'nobody acts in this transaction'
                using hint = 'portal.begin(token) comes first, in a transaction that may write.';
        end if;
        return portal.actor();
    end if;
    if assess.actor() is null then
        raise exception 'nobody has proved to be the login %: the server authenticated %', session_user,
            coalesce(quote_literal(system_user), 'no one, since pg_hba.conf trusts this connection')
            using hint = 'Log in as the person who acts; minhu logins identify maps a certificate or directory entry.';
    end if;
    return assess.actor();
end
$$;

revoke execute on all functions in schema portal from public;
grant execute on function portal.begin to minhu_portal;
grant execute on function portal.open_session, portal.end_session to minhu_signin;
