-- A review of who may what, for auditors and engineers: every login of a group with its person, its units, what it
-- signs with and comes in by. Names and counts; no hash and no secret.
create function portal.people()
returns table (
    login text, belongs_to text, is_of_the_portal boolean, person text, name text, office text, units text[],
    has_second_factor boolean, signs boolean, open_sessions bigint, keys bigint, deciding_keys bigint,
    last_key_ends timestamptz, last_signed_in timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        member.rolname::text,
        substr(grp.rolname, 7),
        'minhu_portal' = any(portal.groups_of(member.rolname::text)),
        assess.person_of(member.rolname::text),
        named.name,
        named.office,
        coalesce((
            select array_agg(told.unit_code order by told.unit_code)
            from assess.unit_login_in_force as told where told.login = member.rolname
        ), '{}'),
        exists (
            select from portal.factor as told
            where told.login = member.rolname and told.role_oid = member.oid and told.confirmed_at is not null
        ),
        assess.key_of(member.rolname::text) is not null,
        (
            select count(*) from portal.session as told
            where
                told.login = member.rolname
                and told.role_oid = member.oid
                and told.ended_at is null
                and told.expires_at > clock_timestamp()
        ),
        keys.made,
        keys.deciding,
        keys.ends,
        (
            select max(told.opened_at) from portal.session as told
            where told.login = member.rolname and told.role_oid = member.oid
        )
    from pg_roles as member
    inner join pg_roles as grp
        on
            grp.rolname in ('minhu_bi', 'minhu_evaluator', 'minhu_auditor', 'minhu_unit', 'minhu_engineer')
            and pg_has_role(member.oid, grp.oid, 'usage')
    left join lateral (
        select told.name, told.office from assess.person as told
        where assess.person_of(told.login) = assess.person_of(member.rolname::text)
        order by told.person_id desc limit 1
    ) as named on true
    cross join lateral (
        select count(*) as made, count(*) filter (where told.may_decide) as deciding, max(told.expires_at) as ends
        from portal.api_key as told
        where
            told.login = member.rolname
            and told.role_oid = member.oid
            and told.revoked_at is null
            and told.expires_at > clock_timestamp()
    ) as keys
    where
        member.rolcanlogin
        and not member.rolsuper
        and member.rolname !~ '^minhu'
        and (member.rolvaliduntil is null or member.rolvaliduntil > clock_timestamp())
    order by 2, 1
$$;
comment on function portal.people is
'Every login of a group: whose it is, for whom it speaks, what it signs with and comes in by.';
revoke execute on function portal.people from public;
grant execute on function portal.people to minhu_auditor, minhu_engineer;
