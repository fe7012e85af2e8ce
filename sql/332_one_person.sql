-- One person, any number of credentials: of several logins of one human one stands for him. assess.actor() is that
-- person, whatever he came in by, and "another person" compares persons, of what was recorded before it was said too.
create table assess.same_person (
    same_person_id bigint generated always as identity primary key,
    login text not null,
    person text not null,
    is_active boolean not null,
    added_by text not null,
    added_at timestamptz not null default clock_timestamp(),
    check (login <> person)
);
comment on table assess.same_person is '同一人的多个登录：以其中一个为准，只增不改';
comment on column assess.same_person.person is 'The login that stands for the person.';
create trigger stamp before insert on assess.same_person
for each row execute function assess.stamp('added_by', 'added_at');
create trigger append_only before update or delete or truncate on assess.same_person
for each statement execute function assess.refuse_change();
create index same_person_login on assess.same_person (login, same_person_id desc);

create view assess.same_person_in_force as
select
    newest.login,
    newest.person
from (
    select distinct on (told.login)
        told.login,
        told.person,
        told.is_active
    from assess.same_person as told
    order by told.login asc, told.same_person_id desc
) as newest
where newest.is_active;
comment on view assess.same_person_in_force is '现行：哪个登录属于哪个人';

create function assess.person_of(login text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(
        (select told.person from assess.same_person_in_force as told where told.login = person_of.login),
        person_of.login
    )
$$;
comment on function assess.person_of is 'Who a login belongs to: itself unless another stands for the person.';

-- As assess.actor() was: the login that asks, in its own session or in that of the portal.
create function assess.asking_login() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        case
            when portal.is_asked() then portal.reader()
            when assess.authenticated() = session_user then session_user::text
        end
$$;
comment on function assess.asking_login is 'The login that asks: by it one belongs to a group and speaks for units.';

create or replace function assess.actor() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select assess.person_of(assess.asking_login())
$$;
comment on function assess.actor is
'Who asks: the person, and the only source of identity. Null where the session goes by another name than it has proved
 to have, and on a connection of the portal before portal.begin.';

create or replace function assess.acting() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if portal.is_asked() then
        if portal.actor() is null then
            raise exception 'nobody acts in this transaction'
                using hint = 'portal.begin(token) comes first, in a transaction that may write.';
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

create or replace function assess.own_units() returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select unit_code from assess.unit_login_in_force where login = assess.asking_login()
$$;

-- What a person may not judge: what is about a unit that he speaks for, by any of his logins.
create function assess.units_of_person() returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select distinct told.unit_code
    from assess.unit_login_in_force as told
    where assess.person_of(told.login) = assess.actor()
$$;
comment on function assess.units_of_person is 'The units that whoever asks speaks for, by all of his logins.';

create function assess.set_same_person(login text, person text, is_active boolean default true) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if exists (
        select from unnest(array[set_same_person.login, set_same_person.person]) as named
        where not exists (select from pg_roles where rolname = named)
    ) then
        raise exception 'there is no login %, or no login %', quote_literal(set_same_person.login),
            quote_literal(set_same_person.person);
    end if;
    if set_same_person.is_active and (
        assess.person_of(set_same_person.person) <> set_same_person.person
        or exists (select from assess.same_person_in_force as told where told.person = set_same_person.login)
    ) then
        raise exception 'one login stands for a person, and belongs to no other: % or % is told of already',
            set_same_person.login, set_same_person.person;
    end if;
    insert into assess.same_person (login, person, is_active)
    values (set_same_person.login, set_same_person.person, set_same_person.is_active)
    returning same_person_id into written;
    return written;
end
$$;
comment on function assess.set_same_person is 'Says that a login is another one of a person, or is no more.';

create or replace function assess.key_of(of_login text) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select case when newest.is_active then newest.key_id end
    from assess.approver_key as newest
    where assess.person_of(newest.login) = assess.person_of(of_login)
    order by newest.key_id desc
    limit 1
$$;

create or replace function publish.may_approve(closing_id bigint) returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select member.rolname::text
    from pg_auth_members as membership
    inner join pg_roles as member on membership.member = member.oid
    cross join lateral portal.groups_of(member.rolname::text) as belongs
    cross join lateral assess.person_of(member.rolname::text) as person
    inner join publish.closing on closing.closing_id = may_approve.closing_id
    where
        membership.roleid = 'minhu_evaluator'::regrole
        and membership.inherit_option
        and not 'minhu_portal' = any(belongs)
        and person <> assess.person_of(closing.closed_by)
        and not exists (
            select from publish.closing_act as act
            where act.closing_id = closing.closing_id and assess.person_of(act.made_by) = person
        )
    order by member.rolname
$$;

-- The acts that ask for another person compare persons.
do $$
declare
    mend record;
    told text;
begin
    for mend in
        select * from (values
            ('assess.approve', 'if assess.author_of(approve.subject_kind, approve.subject_id) = me',
                'if assess.person_of(assess.author_of(approve.subject_kind, approve.subject_id)) = me'),
            ('assess.approve', 'and act.made_by = me', 'and assess.person_of(act.made_by) = me'),
            ('assess.approve', 'and asked.filed_by = me', 'and assess.person_of(asked.filed_by) = me'),
            ('assess.approve', 'and given.approved_by = me', 'and assess.person_of(given.approved_by) = me'),
            ('assess.approve', 'inner join assess.own_units() as own', 'inner join assess.units_of_person() as own'),
            ('assess.decide_appeal', 'if appeal.filed_by = assess.acting()',
                'if assess.person_of(appeal.filed_by) = assess.acting()'),
            ('assess.decide_appeal', 'from assess.own_units() as own', 'from assess.units_of_person() as own'),
            ('assess.withdraw_appeal', 'if appeal.filed_by <> assess.acting()',
                'if assess.person_of(appeal.filed_by) <> assess.acting()'),
            ('assess.refuse_own_unit', 'inner join assess.own_units() as own',
                'inner join assess.units_of_person() as own'),
            ('assess.state_of_grant', 'pg_has_role(assess.actor()::name', 'pg_has_role(assess.asking_login()::name'),
            ('audit.allow_bundle', 'if asked.asked_by = assess.acting()',
                'if assess.person_of(asked.asked_by) = assess.acting()'),
            ('publish.publish', 'and given.approved_by <> closed.closed_by',
                'and assess.person_of(given.approved_by) <> assess.person_of(closed.closed_by)')
        ) as listed (act, before, after)
    loop
        select pg_get_functiondef(pg_proc.oid) into strict told
        from pg_proc
        where pg_proc.oid = (
            select known.oid from pg_proc as known
            where known.pronamespace = split_part(mend.act, '.', 1)::regnamespace
                and known.proname = split_part(mend.act, '.', 2)
        );
        if length(told) - length(replace(told, mend.before, '')) <> length(mend.before) then
            raise exception '% does not say once: %', mend.act, mend.before;
        end if;
        execute replace(told, mend.before, mend.after);
    end loop;
end
$$;

revoke execute on function
assess.person_of, assess.asking_login, assess.units_of_person, assess.set_same_person
from public;
grant select on assess.same_person, assess.same_person_in_force to minhu_evaluator, minhu_auditor;
