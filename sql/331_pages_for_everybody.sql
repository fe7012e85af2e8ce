-- What the pages of the portal ask beside what commands asked: who has signed in, in the words of the session alone;
-- engineers too; a unit reads what its cases are about, and who else took part in them.
create function portal.whoami() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select portal.reader()
$$;
comment on function portal.whoami is 'The person for whom portal.begin has begun this transaction; null where nobody.';
revoke execute on function portal.whoami from public;
grant execute on function portal.whoami to minhu_portal;

create or replace function portal.open_session(
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
    if not portal.groups_of(login)
        && array['minhu_bi', 'minhu_evaluator', 'minhu_auditor', 'minhu_unit', 'minhu_engineer']
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

grant select on mart.dim_category, mart.dim_area to minhu_unit;

-- Of others on a shared case a unit learns that they took part, and nothing else.
create function mart.took_part(of_case text) returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select distinct coalesce(units.unit_name, duty.unit_name_raw)
    from mart.fct_timeliness as duty
    left join mart.dim_unit as units on units.unit_key = duty.unit_key
    where
        duty.case_id = took_part.of_case
        and coalesce(units.unit_name, duty.unit_name_raw) is not null
        and exists (
            select from mart.fct_timeliness as own
            where own.case_id = took_part.of_case and own.unit_code = any(assess.own_unit_codes())
        )
    order by 1
$$;
comment on function mart.took_part is 'The names of all units that had a turn on a case, for one that had one itself.';
revoke execute on function mart.took_part from public;
grant execute on function mart.took_part to minhu_unit;
