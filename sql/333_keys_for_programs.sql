-- Programs ask as the person who made them a key: kept as a hash, for a while, and for reading alone unless the key
-- may decide. A transaction of a key that only reads records what it takes along, and nothing else.
create table portal.api_key (
    key_id bigint generated always as identity primary key,
    token_hash bytea not null unique check (octet_length(token_hash) = 32),
    login text not null,
    role_oid oid not null,
    name text not null check (btrim(name) <> '' and length(name) <= 100),
    may_decide boolean not null,
    made_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_by text
);
comment on table portal.api_key is '程序用的密钥：只存哈希，有期限';
comment on column portal.api_key.token_hash is 'sha256 of the token, which is stored nowhere.';
comment on column portal.api_key.role_oid is 'A login made anew under an old name has no keys.';
create index api_key_login on portal.api_key (login);

alter table portal.acting add column key_id bigint;
alter table portal.acting add column may_decide boolean not null default true;
alter table portal.acting add column session_id bigint;
alter table portal.acting add column job_id bigint;

create or replace function portal.begin(token text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    found_one record;
begin
    if not portal.is_asked() then
        raise exception 'who logs in himself needs no session: portal.begin is for the portal''s own connections';
    end if;
    if portal.reader() is not null then
        raise exception 'this transaction has begun for somebody already: one transaction is one person''s';
    end if;
    select open.login, open.session_id, open.key_id, open.may_decide into found_one
    from (
        select session.login, session.role_oid, session.session_id, null::bigint as key_id, true as may_decide
        from portal.session
        where
            session.token_hash = sha256(convert_to(begin.token, 'UTF8'))
            and session.ended_at is null
            and session.expires_at > clock_timestamp()
        union all
        select api_key.login, api_key.role_oid, null::bigint, api_key.key_id, api_key.may_decide
        from portal.api_key
        where
            api_key.token_hash = sha256(convert_to(begin.token, 'UTF8'))
            and api_key.revoked_at is null
            and api_key.expires_at > clock_timestamp()
    ) as open
    inner join pg_roles on pg_roles.oid = open.role_oid and pg_roles.rolname = open.login
    where array_remove(portal.groups_of(session_user::text), 'minhu_portal') && portal.groups_of(open.login);
    if not found then
        raise invalid_authorization_specification
            using message = 'this session is unknown here, has ended or has expired', hint = 'Sign in again.';
    end if;
    if current_setting('transaction_read_only') = 'off' then
        insert into portal.acting as before (pid, xid, login, session_id, key_id, may_decide)
        values (
            pg_backend_pid(), pg_current_xact_id(), found_one.login, found_one.session_id, found_one.key_id,
            found_one.may_decide
        )
        on conflict (pid) do update set
            xid = excluded.xid, login = excluded.login, session_id = excluded.session_id, key_id = excluded.key_id,
            may_decide = excluded.may_decide, job_id = null;
    end if;
    perform set_config('portal.person', found_one.login || ' ' || portal.sealed(found_one.login), true);
    return found_one.login;
end
$$;

-- Who decides or records: nobody by a key that only reads.
create or replace function assess.acting() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if portal.is_asked() then
        if portal.actor() is null then
            raise exception 'nobody acts in this transaction'
                using hint = 'portal.begin(token) comes first, in a transaction that may write.';
        end if;
        if exists (
            select from portal.acting as begun
            where
                begun.pid = pg_backend_pid()
                and begun.xid = pg_current_xact_id_if_assigned()
                and not begun.may_decide
        ) then
            raise insufficient_privilege using message = 'this key reads and decides nothing';
        end if;
        return assess.person_of(portal.actor());
    end if;
    if assess.asking_login() is null then
        raise exception 'nobody has proved to be the login %: the server authenticated %', session_user,
            coalesce(quote_literal(system_user), 'no one, since pg_hba.conf trusts this connection')
            using hint = 'Log in as the person who acts; minhu logins identify maps a certificate or directory entry.';
    end if;
    return assess.actor();
end
$$;

alter table audit.access_log alter column accessed_by drop default;

-- An export is recorded by any key: its row is the only one that the log takes from a key that only reads.
create or replace function audit.chain_access() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
begin
    if new.batch_id is not null and not exists (select from audit.batch where batch_id = new.batch_id) then
        raise exception 'there is no batch %', new.batch_id;
    end if;
    new.accessed_by := case
        when new.subject = 'export' and assess.actor() is not null then assess.actor() else assess.acting()
    end;
    new.accessed_at := clock_timestamp();
    new.access_id := null;
    new.previous_hash := null;
    new.hash := null;
    return new;
end
$$;

create function portal.make_key(
    token_hash bytea, name text, may_decide boolean default false, lasts interval default '90 days'
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    me text;
    written bigint;
begin
    perform assess.acting();
    select begun.login into me
    from portal.acting as begun
    where begun.pid = pg_backend_pid() and begun.xid = pg_current_xact_id_if_assigned() and begun.key_id is null;
    if me is null then
        raise exception 'a key is made by a person who has signed in, not by a key';
    end if;
    if make_key.lasts is null or make_key.lasts <= interval '0' or make_key.lasts > interval '1 year' then
        raise exception 'a key lasts up to a year, not %', coalesce(make_key.lasts::text, 'for ever');
    end if;
    if (
        select count(*) from portal.api_key
        where api_key.login = me and api_key.revoked_at is null and api_key.expires_at > clock_timestamp()
    ) >= 20 then
        raise exception 'twenty keys of one login are enough: revoke one first';
    end if;
    insert into portal.api_key (token_hash, login, role_oid, name, may_decide, expires_at)
    values (
        make_key.token_hash, me, me::regrole, btrim(make_key.name), make_key.may_decide,
        clock_timestamp() + make_key.lasts
    )
    returning key_id into written;
    return written;
end
$$;
comment on function portal.make_key is 'Makes whoever has signed in a key for a program; he alone knows its token.';

create function portal.revoke_key(key_id bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update portal.api_key set revoked_at = clock_timestamp(), revoked_by = assess.acting()
    where
        api_key.key_id = revoke_key.key_id
        and api_key.revoked_at is null
        and assess.person_of(api_key.login) = assess.acting();
    if not found then
        raise exception 'you have no key % that is in force', revoke_key.key_id;
    end if;
    return revoke_key.key_id;
end
$$;
comment on function portal.revoke_key is 'Ends a key of one''s own.';

create function portal.own_keys()
returns table (
    key_id bigint, name text, may_decide boolean, made_at timestamptz, expires_at timestamptz, revoked_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select told.key_id, told.name, told.may_decide, told.made_at, told.expires_at, told.revoked_at
    from portal.api_key as told
    where assess.person_of(told.login) = assess.actor()
    order by told.key_id desc
$$;
comment on function portal.own_keys is 'The keys of whoever asks.';

create function portal.own_sessions()
returns table (session_id bigint, opened_at timestamptz, expires_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select told.session_id, told.opened_at, told.expires_at
    from portal.session as told
    where
        assess.person_of(told.login) = assess.actor()
        and told.ended_at is null
        and told.expires_at > clock_timestamp()
    order by told.session_id desc
$$;
comment on function portal.own_sessions is 'The open sessions of whoever asks.';

create function portal.end_own_session(session_id bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update portal.session set ended_at = clock_timestamp()
    where
        session.session_id = end_own_session.session_id
        and session.ended_at is null
        and assess.person_of(session.login) = assess.acting();
    if not found then
        raise exception 'you have no session % that is open', end_own_session.session_id;
    end if;
    return end_own_session.session_id;
end
$$;
comment on function portal.end_own_session is 'Ends a session of one''s own, wherever it was opened.';

revoke execute on function
portal.make_key, portal.revoke_key, portal.own_keys, portal.own_sessions, portal.end_own_session
from public;
grant execute on function
portal.make_key, portal.revoke_key, portal.own_keys, portal.own_sessions, portal.end_own_session
to minhu_portal;

-- What counts wrong passwords is for who signs people in.
revoke execute on function portal.waits, portal.note_failure, portal.forget_failures from public;
