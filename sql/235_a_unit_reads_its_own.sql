-- A unit reads every published score, and of the facts what is its own: its duties, the cases they stand on, callbacks,
-- violations and exclusions, what a score of its rests on. Of others on a shared case it reads nothing. What is not
-- published of scores it does not read. Everybody else reads as before.
grant usage on schema mart, config to minhu_unit;
grant select on
mart.dim_unit, mart.dim_unit_name, mart.dim_feed, mart.dim_date, mart.feed_quality,
mart.fct_case, mart.fct_timeliness, mart.fct_satisfaction, mart.fct_violation, mart.fct_exclusion,
audit.event_version, audit.lifecycle_anomaly,
config.entry,
assess.approval, assess.manual_point, assess.decided_by_one,
publish.closing, publish.frozen_row
to minhu_unit;
grant select (batch_id, feed_code, source_name) on audit.batch to minhu_unit;
grant select (build_id, status, config_version, readings) on audit.build to minhu_unit;

-- The units once for a statement, so that an index on unit_code serves.
create function assess.own_unit_codes() returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(own), '{}') from assess.own_units() as own
$$;
comment on function assess.own_unit_codes is 'assess.own_units() as one value.';

-- All rows for whoever read all of them before: a policy that is always true costs nothing, where one that asks keeps
-- indexes from serving LIKE. Where the city has a policy of its own, which narrows what some read, ours stands aside
-- for those: it must not widen that.
create function mart.is_narrowed(of_table regclass) returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_policy as policy
        cross join lateral unnest(policy.polroles) as given (role_oid)
        where
            policy.polrelid = of_table
            and policy.polpermissive
            and policy.polcmd in ('r', '*')
            and policy.polname not in ('all_rows', 'own_rows', 'rules')
            and case when given.role_oid = 0 then true else pg_has_role(current_user, given.role_oid, 'member') end
    )
$$;
comment on function mart.is_narrowed is 'Whether who asks has a row policy of the city''s own on a table.';

do $$
declare
    of record;
    readers text;
begin
    for of in
        select
            listed.relation,
            exists (select from pg_policy where polrelid = listed.relation::regclass) as has_own
        from (values
            ('mart.fct_case'),
            ('mart.fct_timeliness'),
            ('mart.fct_satisfaction'),
            ('mart.fct_violation'),
            ('mart.fct_exclusion'),
            ('audit.event_version'),
            ('audit.lifecycle_anomaly'),
            ('config.entry'),
            ('assess.approval'),
            ('assess.manual_point')
        ) as listed (relation)
    loop
        select string_agg(quote_ident(rolname), ', ') into readers
        from pg_roles
        where
            rolname in ('minhu_bi', 'minhu_evaluator', 'minhu_auditor')
            and has_table_privilege(rolname, of.relation, 'select');
        execute format('alter table %s enable row level security', of.relation);
        execute format(
            'create policy all_rows on %s for select to %s using (%s)', of.relation, readers,
            case
                when of.has_own then format('(select not mart.is_narrowed(%L::regclass))', of.relation)
                else 'true'
            end
        );
    end loop;
end
$$;

create policy own_rows on mart.fct_timeliness for select to minhu_unit
using (unit_code = any((select assess.own_unit_codes())::text[]));
create policy own_rows on mart.fct_case for select to minhu_unit
using (root_case_id in (select duty.case_id from mart.fct_timeliness as duty));
create policy own_rows on mart.fct_satisfaction for select to minhu_unit
using (unit_code = any((select assess.own_unit_codes())::text[]));
create policy own_rows on mart.fct_violation for select to minhu_unit
using (unit_code = any((select assess.own_unit_codes())::text[]));
create policy own_rows on mart.fct_exclusion for select to minhu_unit
using (
    assignment_id in (select duty.assignment_id from mart.fct_timeliness as duty)
    or (assignment_id is null and case_id in (select cases.case_id from mart.fct_case as cases))
);
create policy own_rows on audit.event_version for select to minhu_unit
using (
    case_id in (select cases.case_id from mart.fct_case as cases)
    and (
        unit_name is null
        or unit_name in (
            select named.unit_name
            from mart.dim_unit_name as named
            where named.unit_code in (select own from assess.own_units() as own)
        )
    )
);
create policy own_rows on audit.lifecycle_anomaly for select to minhu_unit
using (assignment_id in (select duty.assignment_id from mart.fct_timeliness as duty));

-- What a score is made by: schemes, limits, the city. How feeds are reached is nobody's business here.
create policy rules on config.entry for select to minhu_unit
using (kind in ('scheme', 'limit_rule', 'city', 'calendar'));

alter policy read_by_units on publish.evidence using (unit_code = any((select assess.own_unit_codes())::text[]));

create policy published on publish.closing for select to minhu_unit
using (closing_id in (select told.closing_id from publish.release as told));
create policy published on publish.frozen_row for select to minhu_unit
using (
    closing_id in (select told.closing_id from publish.release as told)
    and (kind <> 'evidence' or data ->> 'unit_code' = any((select assess.own_unit_codes())::text[]))
);

-- Points by hand that a release rests on, and who approved them and the release.
create function publish.rests_on_point(of_point bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from publish.release as told where told.inputs -> 'manual_points' -> 'ids' @> to_jsonb(of_point)
    )
$$;
comment on function publish.rests_on_point is 'Whether anything that was published rests on a point by hand.';
create policy own_rows on assess.manual_point for select to minhu_unit
using (
    unit_code = any((select assess.own_unit_codes())::text[]) and publish.rests_on_point(manual_point_id)
);
create policy own_rows on assess.approval for select to minhu_unit
using (
    (subject_kind = 'closing' and subject_id in (select told.closing_id::text from publish.release as told))
    or (
        subject_kind = 'manual_point'
        and subject_id in (select own.manual_point_id::text from assess.manual_point as own)
    )
);

-- The hashes of a release's rows without what they say: who reads only some of the rows checks those, and that the
-- others hang together.
create function publish.links_of(of_release bigint)
returns table (table_name text, row_no bigint, previous_hash text, hash text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select 'unit_score', told.row_no, told.previous_hash, told.hash
    from publish.unit_score as told
    where told.release_id = of_release
    union all
    select 'unit_indicator', told.row_no, told.previous_hash, told.hash
    from publish.unit_indicator as told
    where told.release_id = of_release
    union all
    select 'evidence', told.row_no, told.previous_hash, told.hash
    from publish.evidence as told
    where told.release_id = of_release
    order by row_no
$$;
comment on function publish.links_of is 'The hash chain of a release, row by row.';

revoke execute on function assess.own_unit_codes, publish.rests_on_point, publish.links_of from public;
grant execute on function assess.own_unit_codes to minhu_unit;
grant execute on function publish.rests_on_point to minhu_unit;
grant execute on function publish.links_of to minhu_unit, minhu_bi, minhu_evaluator, minhu_auditor;
