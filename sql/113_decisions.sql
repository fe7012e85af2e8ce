-- What is decided without being asked: exclusions, manual points, violations; and who else must agree.

create table assess.exclusion (
    exclusion_id bigint generated always as identity primary key,
    case_id text not null,
    assignment_id text,
    indicator_codes text[] check (cardinality(indicator_codes) > 0),
    reason_code text not null check (reason_code ~ '^[a-z][a-z0-9_]*$'),
    reason text not null check (btrim(reason) <> ''),
    evidence_ref text,
    decided_by text not null default session_user,
    decided_at timestamptz not null default clock_timestamp(),
    revokes_exclusion_id bigint unique references assess.exclusion,
    revokes_appeal_id bigint unique references assess.appeal,
    check (revokes_exclusion_id is null or revokes_appeal_id is null)
);
create index exclusion_case on assess.exclusion (case_id);
comment on column assess.exclusion.revokes_exclusion_id is 'A row that revokes excludes nothing itself.';
comment on column assess.exclusion.revokes_appeal_id is 'The granted appeal whose exclusion ends.';
create trigger stamp before insert on assess.exclusion
for each row execute function assess.stamp('decided_by', 'decided_at');
create trigger append_only before update or delete or truncate on assess.exclusion
for each statement execute function assess.refuse_change();

create table assess.manual_point (
    manual_point_id bigint generated always as identity primary key,
    scheme_id text not null,
    period text not null check (period ~ '^20[0-9]{2}(-[0-9A-Z]{1,3})?$'),
    unit_code text not null,
    indicator_code text not null,
    points numeric not null check (points not in ('NaN', 'Infinity', '-Infinity')),
    reason text not null check (btrim(reason) <> ''),
    evidence_ref text not null check (btrim(evidence_ref) <> ''),
    entered_by text not null default session_user,
    entered_at timestamptz not null default clock_timestamp(),
    revokes_manual_point_id bigint references assess.manual_point
);
create index manual_point_unit on assess.manual_point (scheme_id, period, unit_code);
create index manual_point_revoked on assess.manual_point (revokes_manual_point_id);
create trigger stamp before insert on assess.manual_point
for each row execute function assess.stamp('entered_by', 'entered_at');
create trigger append_only before update or delete or truncate on assess.manual_point
for each statement execute function assess.refuse_change();

-- Points by hand count for indicators that take them (function: manual) and for no other: an entry that could never
-- count is refused when it is made, not passed over when the score is computed.
create function assess.require_manual() returns trigger
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select
        from config.entry
        cross join lateral jsonb_array_elements(entry.data -> 'indicators') as listed (data)
        where
            entry.kind = 'scheme'
            and entry.key = new.scheme_id
            and listed.data ->> 'code' = new.indicator_code
            and listed.data -> 'scoring' ->> 'function' = 'manual'
    ) then
        raise exception 'the indicator % of the scheme % is counted from cases and takes no points by hand',
            quote_literal(new.indicator_code), quote_literal(new.scheme_id);
    end if;
    return new;
end
$$;

create trigger require_manual before insert on assess.manual_point
for each row execute function assess.require_manual();

create table assess.violation (
    violation_id bigint generated always as identity primary key,
    case_id text,
    assignment_id text,
    unit_code text not null,
    violation_code text not null check (violation_code in ('not_handled', 'late_handling', 'improper_handling')),
    found_at timestamptz not null,
    reason text not null check (btrim(reason) <> ''),
    evidence_ref text,
    entered_by text not null default session_user,
    entered_at timestamptz not null default clock_timestamp(),
    revokes_violation_id bigint unique references assess.violation,
    constraint an_assignment_has_a_case check (assignment_id is null or case_id is not null)
);
create index violation_case on assess.violation (case_id);
comment on column assess.violation.case_id is 'Null: found on the unit, not on one case.';
create trigger stamp before insert on assess.violation
for each row execute function assess.stamp('entered_by', 'entered_at');
create trigger append_only before update or delete or truncate on assess.violation
for each statement execute function assess.refuse_change();

create table assess.approval (
    approval_id bigint generated always as identity primary key,
    subject_kind text not null,
    subject_id text not null,
    verdict text not null check (verdict in ('approved', 'rejected')),
    reason text not null check (btrim(reason) <> ''),
    approved_by text not null default session_user,
    approved_at timestamptz not null default clock_timestamp(),
    unique (subject_kind, subject_id, approved_by)
);
comment on column assess.approval.subject_kind is
'What is approved: assess.author_of knows the kinds and who made each.';
create trigger stamp before insert on assess.approval
for each row execute function assess.stamp('approved_by', 'approved_at');
create trigger append_only before update or delete or truncate on assess.approval
for each statement execute function assess.refuse_change();

-- A manual point, and its revocation too, counts once another login has approved it and none has rejected it.
create view assess.manual_point_in_force with (security_invoker = true) as
with approved as (
    select point.*
    from assess.manual_point as point
    inner join assess.approval as verdict
        on verdict.subject_kind = 'manual_point' and verdict.subject_id = point.manual_point_id::text
    group by point.manual_point_id
    having bool_and(verdict.verdict = 'approved')
)

select
    point.manual_point_id,
    point.scheme_id,
    point.period,
    point.unit_code,
    point.indicator_code,
    point.points,
    point.reason,
    point.evidence_ref,
    point.entered_by,
    point.entered_at,
    point.revokes_manual_point_id
from approved as point
left join approved as revocation on revocation.revokes_manual_point_id = point.manual_point_id  -- noqa: ST09
where point.revokes_manual_point_id is null and revocation.manual_point_id is null;

create function assess.exclude(
    case_id text,
    reason_code text,
    reason text,
    assignment_id text default null,
    indicator_codes text[] default null,
    evidence_ref text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    standing bigint;
    written bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    perform assess.require_subject(exclude.case_id, exclude.assignment_id, null);
    perform assess.require_indicators(exclude.indicator_codes, null, null);
    select made.exclusion_id into standing
    from assess.exclusion as made
    where
        made.case_id = exclude.case_id
        and made.assignment_id is not distinct from exclude.assignment_id
        and made.indicator_codes is not distinct from exclude.indicator_codes
        and made.revokes_exclusion_id is null
        and made.revokes_appeal_id is null
        and not exists (select from assess.exclusion as later where later.revokes_exclusion_id = made.exclusion_id)
    limit 1;
    if found then
        raise exception 'the same is excluded already, by decision:%', standing;
    end if;
    insert into assess.exclusion (case_id, assignment_id, indicator_codes, reason_code, reason, evidence_ref)
    values (
        exclude.case_id,
        exclude.assignment_id,
        exclude.indicator_codes,
        assess.require_code(exclude.reason_code, 'reason_code'),
        assess.stated(exclude.reason, 'the reason'),
        nullif(btrim(exclude.evidence_ref), '')
    )
    returning exclusion_id into written;
    return written;
end
$$;

-- `exclusion_id` as mart.fct_exclusion has it: decision:12, or appeal:7 for what a granted appeal excludes.
create function assess.revoke_exclusion(exclusion_id text, reason text, evidence_ref text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    named text[] := regexp_match(revoke_exclusion.exclusion_id, '^(decision|appeal):([0-9]{1,18})$');
    revoked record;
    written bigint;
begin
    if named is null then
        raise exception 'an exclusion that was decided here is named decision:12 or appeal:7; one told by a hotline is'
            ' lifted by the hotline';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    if named[1] = 'decision' then
        select made.case_id, made.assignment_id, made.indicator_codes into revoked
        from assess.exclusion as made
        where
            made.exclusion_id = named[2]::bigint
            and made.revokes_exclusion_id is null
            and made.revokes_appeal_id is null;
    else
        select asked.case_id, asked.assignment_id, asked.indicator_codes into revoked
        from assess.appeal as asked
        inner join assess.appeal_decision as made on asked.appeal_id = made.appeal_id and made.decision = 'granted'
        where asked.appeal_id = named[2]::bigint;
    end if;
    if not found then
        raise exception 'nothing is excluded by %', revoke_exclusion.exclusion_id;
    end if;
    if exists (
        select from assess.exclusion as later
        where
            case when named[1] = 'decision' then later.revokes_exclusion_id else later.revokes_appeal_id end
            = named[2]::bigint
    ) then
        raise exception '% is revoked already', revoke_exclusion.exclusion_id;
    end if;
    insert into assess.exclusion (
        case_id, assignment_id, indicator_codes, reason_code, reason, evidence_ref, revokes_exclusion_id,
        revokes_appeal_id
    )
    values (
        revoked.case_id,
        revoked.assignment_id,
        revoked.indicator_codes,
        'revoked',
        assess.stated(revoke_exclusion.reason, 'the reason'),
        nullif(btrim(revoke_exclusion.evidence_ref), ''),
        case when named[1] = 'decision' then named[2]::bigint end,
        case when named[1] = 'appeal' then named[2]::bigint end
    )
    returning exclusion_id into written;
    return written;
end
$$;

-- Zero is a number of points too: what a unit earned by hand (答复规范) may be nothing.
create function assess.enter_manual_point(
    scheme_id text,
    period text,
    unit_code text,
    indicator_code text,
    points numeric,
    reason text,
    evidence_ref text
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    same bigint;
    written bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    perform assess.require_unit(enter_manual_point.unit_code);
    perform assess.require_indicators(
        array[enter_manual_point.indicator_code],
        assess.stated(enter_manual_point.scheme_id, 'the scheme'),
        assess.stated(enter_manual_point.period, 'the period')
    );
    if coalesce(enter_manual_point.points, 'NaN') in ('NaN', 'Infinity', '-Infinity') then
        raise exception 'points are a number';
    end if;
    -- A file that is loaded twice would count twice.
    select made.manual_point_id into same
    from assess.manual_point as made
    where
        made.scheme_id = enter_manual_point.scheme_id
        and made.period = enter_manual_point.period
        and made.unit_code = enter_manual_point.unit_code
        and made.indicator_code = enter_manual_point.indicator_code
        and made.points = enter_manual_point.points
        and made.reason = btrim(enter_manual_point.reason)
        and made.evidence_ref = btrim(enter_manual_point.evidence_ref)
        and made.revokes_manual_point_id is null
        and not exists (
            select from assess.manual_point as later where later.revokes_manual_point_id = made.manual_point_id
        )
        and not exists (
            select
            from assess.approval as rejected
            where
                rejected.subject_kind = 'manual_point'
                and rejected.subject_id = made.manual_point_id::text
                and rejected.verdict = 'rejected'
        )
    limit 1;
    if found then
        raise exception 'the same was entered already, as manual point %', same;
    end if;
    insert into assess.manual_point (scheme_id, period, unit_code, indicator_code, points, reason, evidence_ref)
    values (
        enter_manual_point.scheme_id,
        enter_manual_point.period,
        enter_manual_point.unit_code,
        enter_manual_point.indicator_code,
        enter_manual_point.points,
        assess.stated(enter_manual_point.reason, 'the reason'),
        assess.stated(enter_manual_point.evidence_ref, 'the evidence')
    )
    returning manual_point_id into written;
    return written;
end
$$;

create function assess.revoke_manual_point(manual_point_id bigint, reason text, evidence_ref text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    revoked assess.manual_point;
    pending bigint;
    written bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    select * into revoked
    from assess.manual_point as made
    where made.manual_point_id = revoke_manual_point.manual_point_id and made.revokes_manual_point_id is null;
    if not found then
        raise exception 'there is no manual point %', coalesce(revoke_manual_point.manual_point_id::text, '(none)');
    end if;
    -- A revocation that was rejected is out of the way of the next.
    select later.manual_point_id into pending
    from assess.manual_point as later
    where
        later.revokes_manual_point_id = revoked.manual_point_id
        and not exists (
            select
            from assess.approval as rejected
            where
                rejected.subject_kind = 'manual_point'
                and rejected.subject_id = later.manual_point_id::text
                and rejected.verdict = 'rejected'
        )
    limit 1;
    if found then
        raise exception 'manual point % is revoked already, by %', revoked.manual_point_id, pending;
    end if;
    insert into assess.manual_point (
        scheme_id, period, unit_code, indicator_code, points, reason, evidence_ref, revokes_manual_point_id
    )
    values (
        revoked.scheme_id,
        revoked.period,
        revoked.unit_code,
        revoked.indicator_code,
        revoked.points,
        assess.stated(revoke_manual_point.reason, 'the reason'),
        assess.stated(revoke_manual_point.evidence_ref, 'the evidence'),
        revoked.manual_point_id
    )
    returning manual_point_id into written;
    return written;
end
$$;

create function assess.enter_violation(
    unit_code text,
    violation_code text,
    found_at timestamptz,
    reason text,
    case_id text default null,
    assignment_id text default null,
    evidence_ref text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    written bigint;
begin
    perform assess.require_unit(enter_violation.unit_code);
    if enter_violation.assignment_id is not null and enter_violation.case_id is null then
        raise exception 'an assignment is named with its case';
    end if;
    if enter_violation.case_id is not null then
        perform assess.require_subject(
            enter_violation.case_id, enter_violation.assignment_id, enter_violation.unit_code
        );
    end if;
    if coalesce(enter_violation.violation_code, '') not in ('not_handled', 'late_handling', 'improper_handling') then
        raise exception 'violation_code is not_handled, late_handling or improper_handling';
    end if;
    if enter_violation.found_at is null or enter_violation.found_at > clock_timestamp() then
        raise exception 'when the violation was found is missing or still to come';
    end if;
    insert into assess.violation (unit_code, violation_code, found_at, reason, case_id, assignment_id, evidence_ref)
    values (
        enter_violation.unit_code,
        enter_violation.violation_code,
        enter_violation.found_at,
        assess.stated(enter_violation.reason, 'the reason'),
        enter_violation.case_id,
        enter_violation.assignment_id,
        nullif(btrim(enter_violation.evidence_ref), '')
    )
    returning violation_id into written;
    return written;
end
$$;

create function assess.revoke_violation(violation_id bigint, reason text, evidence_ref text default null)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    revoked assess.violation;
    written bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    select * into revoked
    from assess.violation as made
    where made.violation_id = revoke_violation.violation_id and made.revokes_violation_id is null;
    if not found then
        raise exception 'there is no violation %', coalesce(revoke_violation.violation_id::text, '(none)');
    end if;
    if exists (select from assess.violation as later where later.revokes_violation_id = revoked.violation_id) then
        raise exception 'violation % is revoked already', revoked.violation_id;
    end if;
    insert into assess.violation (
        unit_code, violation_code, found_at, reason, case_id, assignment_id, evidence_ref, revokes_violation_id
    )
    values (
        revoked.unit_code,
        revoked.violation_code,
        revoked.found_at,
        assess.stated(revoke_violation.reason, 'the reason'),
        revoked.case_id,
        revoked.assignment_id,
        nullif(btrim(revoke_violation.evidence_ref), ''),
        revoked.violation_id
    )
    returning violation_id into written;
    return written;
end
$$;

-- Who made what is to be approved; an error where there is no such thing. A closing is approved like a manual point: by
-- another login than the one that closed.
create function assess.author_of(subject_kind text, subject_id text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    author text;
begin
    if author_of.subject_kind = 'manual_point' then
        select made.entered_by into author
        from assess.manual_point as made
        where made.manual_point_id::text = author_of.subject_id;
    elsif author_of.subject_kind = 'closing' then
        select made.closed_by into author
        from publish.closing as made
        where made.closing_id::text = author_of.subject_id;
    else
        raise exception 'what is approved is a manual_point or a closing, not %',
            coalesce(quote_literal(author_of.subject_kind), '(none)');
    end if;
    if author is null then
        raise exception 'there is no % %', author_of.subject_kind, coalesce(author_of.subject_id, '(none)');
    end if;
    return author;
end
$$;

create function assess.approve(subject_kind text, subject_id text, verdict text, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    written bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    if assess.author_of(approve.subject_kind, approve.subject_id) = session_user then
        raise exception 'the % % is approved by another person than who entered it',
            approve.subject_kind, approve.subject_id;
    end if;
    if coalesce(approve.verdict, '') not in ('approved', 'rejected') then
        raise exception 'a verdict is approved or rejected';
    end if;
    if exists (
        select
        from assess.approval as given
        where
            given.subject_kind = approve.subject_kind
            and given.subject_id = approve.subject_id
            and given.approved_by = session_user
    ) then
        raise exception 'the login % has judged the % % already', session_user, approve.subject_kind, approve.subject_id;
    end if;
    insert into assess.approval (subject_kind, subject_id, verdict, reason)
    values (
        approve.subject_kind, approve.subject_id, approve.verdict, assess.stated(approve.reason, 'the reason')
    )
    returning approval_id into written;
    return written;
end
$$;

revoke execute on all functions in schema assess from public;
grant execute on function
assess.exclude,
assess.revoke_exclusion,
assess.enter_manual_point,
assess.revoke_manual_point,
assess.enter_violation,
assess.revoke_violation,
assess.approve
to minhu_evaluator;
