-- A second factor of who signs in on pages: a secret that his phone holds, kept sealed by the portal's own key, and the
-- last step that was used, so that no code serves twice.
create table portal.factor (
    login text primary key,
    role_oid oid not null,
    sealed text not null,
    enrolled_at timestamptz not null default clock_timestamp(),
    confirmed_at timestamptz,
    last_step bigint not null default 0
);
comment on table portal.factor is '门户登录的第二因素：密钥以门户密钥封存';
comment on column portal.factor.role_oid is 'A login made anew under an old name has none.';
comment on column portal.factor.last_step is 'Of thirty seconds each since 1970: codes up to it are used.';

create function portal.factor_of(login text)
returns table (sealed text, is_confirmed boolean, last_step bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select told.sealed, told.confirmed_at is not null, told.last_step
    from portal.factor as told
    inner join pg_roles on pg_roles.oid = told.role_oid and pg_roles.rolname = told.login
    where told.login = factor_of.login
$$;
comment on function portal.factor_of is 'The sealed secret of a login''s second factor, if it has one.';

create function portal.enrol_factor(login text, sealed text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (
        select from portal.factor as told
        inner join pg_roles on pg_roles.oid = told.role_oid and pg_roles.rolname = told.login
        where told.login = enrol_factor.login and told.confirmed_at is not null
    ) then
        return false;
    end if;
    insert into portal.factor as before (login, role_oid, sealed)
    values (enrol_factor.login, enrol_factor.login::regrole, enrol_factor.sealed)
    on conflict on constraint factor_pkey do update set
        role_oid = excluded.role_oid, sealed = excluded.sealed, enrolled_at = clock_timestamp(), confirmed_at = null,
        last_step = 0;
    return true;
end
$$;
comment on function portal.enrol_factor is 'Keeps the secret of a second factor; false where one is in use already.';

create function portal.use_step(login text, step bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update portal.factor set last_step = use_step.step,
        confirmed_at = coalesce(factor.confirmed_at, clock_timestamp())
    where factor.login = use_step.login and factor.last_step < use_step.step;
    return found;
end
$$;
comment on function portal.use_step is 'Uses up a code that was right; false where it, or a later one, was used.';

create function portal.forget_factor(login text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from portal.factor where factor.login = forget_factor.login;
    return found;
end
$$;
comment on function portal.forget_factor is 'For a lost phone; the next sign-in begins a new one.';

revoke execute on function portal.factor_of, portal.enrol_factor, portal.use_step, portal.forget_factor from public;
grant execute on function portal.factor_of, portal.enrol_factor, portal.use_step to minhu_signin;
