-- What people decide: appeals, exclusions, manual points, violations, approvals, waivers. Nothing here is ever changed
-- or deleted: a decision is taken back by a row of its own. Nobody writes a table: one function per act checks and
-- records it, with the database login as who and the database's clock as when. Auditors read, evaluators read and
-- decide, a unit's login files and sees what its unit filed. What releases a held batch is a row of
-- audit.batch_verdict, with login, time and reason as here.

-- Append-only, for the owner too: who and when are set as the row enters, and nothing is changed afterwards. Every
-- table of this schema has both triggers.
create function assess.stamp() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return jsonb_populate_record(
        new, jsonb_build_object(tg_argv[0], session_user, tg_argv[1], clock_timestamp())
    );
end
$$;

create function assess.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception '%.% is append-only: record another decision instead', tg_table_schema, tg_table_name;
end
$$;

-- Which unit a login speaks for. The newest row of a login and unit says whether it does.
create table assess.unit_login (
    unit_login_id bigint generated always as identity primary key,
    login text not null,
    unit_code text not null,
    is_active boolean not null,
    added_by text not null default session_user,
    added_at timestamptz not null default clock_timestamp()
);
create trigger stamp before insert on assess.unit_login
for each row execute function assess.stamp('added_by', 'added_at');
create trigger append_only before update or delete or truncate on assess.unit_login
for each statement execute function assess.refuse_change();

create view assess.unit_login_in_force with (security_invoker = true) as
select
    newest.login,
    newest.unit_code,
    newest.added_by,
    newest.added_at
from (
    select distinct on (mapped.login, mapped.unit_code) mapped.*
    from assess.unit_login as mapped
    order by mapped.login asc, mapped.unit_code asc, mapped.unit_login_id desc
) as newest
where newest.is_active;

create function assess.own_units() returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select unit_code from assess.unit_login_in_force where login = session_user
$$;
comment on function assess.own_units is 'The units that the login of this session speaks for.';

create function assess.is_assessor() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select pg_has_role(session_user, 'minhu_evaluator', 'member') or pg_has_role(session_user, current_user, 'member')
$$;

create function assess.set_unit_login(login text, unit_code text, is_active boolean default true) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if not exists (select from pg_roles where rolname = set_unit_login.login) then
        raise exception 'there is no login %', quote_literal(set_unit_login.login);
    end if;
    insert into assess.unit_login (login, unit_code, is_active)
    values (set_unit_login.login, assess.require_unit(set_unit_login.unit_code), set_unit_login.is_active)
    returning unit_login_id into written;
    return written;
end
$$;

-- What the acts check before they record. They run as the owner, called by an act.
create function assess.stated(given text, what text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if btrim(coalesce(given, '')) = '' then
        raise exception '% is missing: say it in a few words', what;
    end if;
    return btrim(given);
end
$$;

create function assess.require_code(given text, what text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(given, '') !~ '^[a-z][a-z0-9_]*$' then
        raise exception '% is no code: small letters, digits and _, as beyond_duty', what;
    end if;
    return given;
end
$$;

create function assess.require_unit(given text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from mart.dim_unit where unit_code = given)
        and not exists (select from config.entry where kind = 'unit' and data ->> 'unit_code' = given)
    then
        raise exception 'no unit has the code %', coalesce(quote_literal(given), '(none)');
    end if;
    return given;
end
$$;

create function assess.require_indicators(codes text[], of_scheme text, of_period text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    if of_period is not null and of_period !~ '^20[0-9]{2}(-[0-9A-Z]{1,3})?$' then
        raise exception '% is no period; write a month as 2026-10 or a year as 2026', quote_literal(of_period);
    end if;
    if of_scheme is not null and not exists (select from config.entry where kind = 'scheme' and key = of_scheme) then
        raise exception 'there is no scheme %', quote_literal(of_scheme);
    end if;
    select code into unknown
    from unnest(codes) as code
    where not exists (
        select
        from config.entry
        cross join lateral jsonb_array_elements(entry.data -> 'indicators') as listed (data)
        where
            entry.kind = 'scheme'
            and (of_scheme is null or entry.key = of_scheme)
            and listed.data ->> 'code' = code
    )
    limit 1;
    if found then
        raise exception 'no indicator of % has the code %', coalesce('the scheme ' || of_scheme, 'any scheme'),
            coalesce(quote_literal(unknown), '(none)');
    end if;
end
$$;

-- The case must be known, and the assignment stand on it (on the first case of its chain of transfers).
create function assess.require_subject(of_case text, of_assignment text, of_unit text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    root text;
    assignment record;
begin
    select root_case_id into root from mart.fct_case where case_id = of_case;
    if root is null then
        raise exception 'no case of this hotline has this number';
    end if;
    if of_assignment is null then
        return;
    end if;
    select case_id, unit_code into assignment from mart.fct_timeliness where assignment_id = of_assignment;
    if assignment.case_id is distinct from root then
        raise exception 'the assignment % does not stand on this case', of_assignment;
    end if;
    if of_unit is not null and assignment.unit_code is distinct from of_unit then
        raise exception 'the assignment % is not one of the unit %', of_assignment, of_unit;
    end if;
end
$$;

revoke execute on all functions in schema assess from public;
grant execute on function assess.own_units to minhu_unit, minhu_evaluator;
