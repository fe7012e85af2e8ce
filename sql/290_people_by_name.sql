-- Who stands for a result is told by name and office; a login stays what the records hold. Whoever makes logins says
-- whose each is. A name is no proof of anything: `minhu verify` tells logins and keys.
create table assess.person (
    person_id bigint generated always as identity primary key,
    login text not null,
    name text not null check (btrim(name) <> ''),
    office text check (btrim(office) <> ''),
    added_by text not null,
    added_at timestamptz not null default clock_timestamp()
);
comment on table assess.person is '登录名背后的人：姓名与职务，只增不改，供通报等署名';
comment on column assess.person.office is '职务或处室，如“考评科科长”；空为不署。';
create trigger stamp before insert on assess.person
for each row execute function assess.stamp('added_by', 'added_at');
create trigger append_only before update or delete or truncate on assess.person
for each statement execute function assess.refuse_change();
grant select on assess.person to minhu_evaluator, minhu_auditor;

create function assess.set_person(login text, name text, office text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if not exists (select from pg_roles where rolname = set_person.login) then
        raise exception 'there is no login %', quote_literal(set_person.login);
    end if;
    insert into assess.person (login, name, office)
    values (set_person.login, btrim(set_person.name), nullif(btrim(set_person.office), ''))
    returning person_id into written;
    return written;
end
$$;

-- Who closed and who approved a release. Of several rows of a login the last one before its publication counts, so that
-- a bulletin printed again says the same; where a name was told later only, the first of those.
create function publish.people_of(of_release bigint) returns table (act text, name text, office text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        acted.act,
        person.name,
        person.office
    from publish.release
    cross join lateral (
        values ('closed', release.closed_by), ('approved', release.approved_by)
    ) as acted (act, login)
    cross join lateral (
        select
            told.name,
            told.office
        from assess.person as told
        where told.login = acted.login
        order by
            told.added_at <= release.published_at desc,
            case when told.added_at <= release.published_at then - told.person_id else told.person_id end
        limit 1
    ) as person
    where release.release_id = of_release
$$;
comment on function publish.people_of is 'Who closed and who approved a release, by name and office.';

revoke execute on function assess.set_person, publish.people_of from public;
grant execute on function publish.people_of to minhu_unit, minhu_evaluator, minhu_auditor;

-- Who issues bulletins is everybody's to read who writes one.
alter policy rules on config.entry
using (kind in ('scheme', 'limit_rule', 'city', 'calendar', 'bulletin'));
