-- What people decide: appeals, exclusions, manual points, violations, approvals. Nothing here is ever changed or deleted:
-- a decision is taken back by a row of its own. Nobody writes a table: one function per act checks and records it, with
-- the database login as who and the database's clock as when. Releases of held batches are older and stay where they
-- are (audit.batch_verdict), with login, time and reason as here.
create schema assess;
comment on schema assess is '评定：申诉、剔除、人工计分、效能认定、审批，只增不改';

do $$
begin
    if not exists (select from pg_roles where rolname = 'minhu_unit') then
        create role minhu_unit nologin;
    end if;
exception when duplicate_object or unique_violation then
    null;  -- another database of this cluster is being migrated at this very moment
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

create table assess.appeal (
    appeal_id bigint generated always as identity primary key,
    scheme_id text,
    period text not null check (period ~ '^20[0-9]{2}(-[0-9A-Z]{1,3})?$'),
    unit_code text not null,
    feed_code text not null,
    case_no text not null,
    case_id text not null,
    assignment_id text,
    indicator_codes text[] check (cardinality(indicator_codes) > 0),
    grounds_code text not null check (grounds_code ~ '^[a-z][a-z0-9_]*$'),
    statement text not null check (btrim(statement) <> ''),
    evidence_ref text not null check (btrim(evidence_ref) <> ''),
    filed_by text not null default session_user,
    filed_at timestamptz not null default clock_timestamp(),
    decide_by timestamptz
);
create index appeal_case on assess.appeal (case_id);
create index appeal_unit on assess.appeal (unit_code, period);
comment on column assess.appeal.assignment_id is 'Null: the whole case.';
comment on column assess.appeal.indicator_codes is 'Null: every indicator.';
comment on column assess.appeal.statement is 'Masked before it is sent here; the command line and the file entry do that.';
comment on column assess.appeal.decide_by is 'Until when it is to be decided; null where nobody has set a term.';

create table assess.appeal_decision (
    decision_id bigint generated always as identity primary key,
    appeal_id bigint not null unique references assess.appeal,
    decision text not null check (decision in ('granted', 'denied', 'withdrawn')),
    reason_code text not null check (reason_code ~ '^[a-z][a-z0-9_]*$'),
    reason text not null check (btrim(reason) <> ''),
    from_revision integer check (from_revision > 0),
    decided_by text not null default session_user,
    decided_at timestamptz not null default clock_timestamp(),
    constraint a_grant_says_from_which_revision check ((decision = 'granted') = (from_revision is not null))
);
comment on column assess.appeal_decision.from_revision is 'The first revision of the published result that leaves the rows out.';

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

create table assess.manual_point (
    manual_point_id bigint generated always as identity primary key,
    scheme_id text not null,
    period text not null check (period ~ '^20[0-9]{2}(-[0-9A-Z]{1,3})?$'),
    unit_code text not null,
    indicator_code text not null,
    points numeric not null check (points <> 0 and points not in ('NaN', 'Infinity', '-Infinity')),
    reason text not null check (btrim(reason) <> ''),
    evidence_ref text not null check (btrim(evidence_ref) <> ''),
    entered_by text not null default session_user,
    entered_at timestamptz not null default clock_timestamp(),
    revokes_manual_point_id bigint references assess.manual_point
);
create index manual_point_unit on assess.manual_point (scheme_id, period, unit_code);
create index manual_point_revoked on assess.manual_point (revokes_manual_point_id);

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
comment on column assess.approval.subject_kind is 'What is approved: assess.author_of knows the kinds and who made each.';

-- Append-only, for the owner too: who and when are set as the row enters, and nothing is changed afterwards.
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
do $$
declare
    of_table record;
begin
    for of_table in
        select * from (values
            ('unit_login', 'added_by', 'added_at'),
            ('appeal', 'filed_by', 'filed_at'),
            ('appeal_decision', 'decided_by', 'decided_at'),
            ('exclusion', 'decided_by', 'decided_at'),
            ('manual_point', 'entered_by', 'entered_at'),
            ('violation', 'entered_by', 'entered_at'),
            ('approval', 'approved_by', 'approved_at')
        ) as listed (name, who, at)
    loop
        execute format(
            'create trigger stamp before insert on assess.%I for each row execute function assess.stamp(%L, %L)',
            of_table.name, of_table.who, of_table.at
        );
        execute format(
            'create trigger append_only before update or delete or truncate on assess.%I'
            ' for each statement execute function assess.refuse_change()',
            of_table.name
        );
    end loop;
end
$$;

-- What stands. A manual point, and its revocation too, counts once another login has approved it and none has rejected it.
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
left join approved as revocation on revocation.revokes_manual_point_id = point.manual_point_id
where point.revokes_manual_point_id is null and revocation.manual_point_id is null;

create view assess.unit_login_in_force with (security_invoker = true) as
select
    newest.login,
    newest.unit_code,
    newest.added_by,
    newest.added_at
from (
    select distinct on (mapped.login, mapped.unit_code) mapped.*
    from assess.unit_login as mapped
    order by mapped.login, mapped.unit_code, mapped.unit_login_id desc
) as newest
where newest.is_active;

create view assess.appeal_state with (security_invoker = true) as
select
    appeal.appeal_id,
    case
        when decision.decision is not null then decision.decision
        when appeal.decide_by < clock_timestamp() then 'overdue'
        else 'filed'
    end as state,
    appeal.scheme_id,
    appeal.period,
    appeal.unit_code,
    appeal.feed_code,
    appeal.case_no,
    appeal.case_id,
    appeal.assignment_id,
    appeal.indicator_codes,
    appeal.grounds_code,
    appeal.statement,
    appeal.evidence_ref,
    appeal.filed_by,
    appeal.filed_at,
    appeal.decide_by,
    decision.decision_id,
    decision.reason_code,
    decision.reason,
    decision.from_revision,
    decision.decided_by,
    decision.decided_at
from assess.appeal
left join assess.appeal_decision as decision on appeal.appeal_id = decision.appeal_id;
comment on view assess.appeal_state is 'state: filed, overdue (its term has passed undecided), granted, denied, withdrawn.';

-- Helpers of the acts. They run as the owner, called by an act.
create function assess.own_units() returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select unit_code from assess.unit_login_in_force where login = session_user
$$;
comment on function assess.own_units is 'The units that the login of this session speaks for.';

create function assess.is_assessor() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select pg_has_role(session_user, 'minhu_evaluator', 'member') or pg_has_role(session_user, current_user, 'member')
$$;

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

-- 24:00 of the last working day of the term that the city declares for deciding; null where it declares none.
create function assess.term_of_appeals() returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (min(last_day.date_on) + 1)::timestamp at time zone 'Asia/Shanghai'
    from config.entry
    inner join mart.dim_date as today
        on today.date_on = (clock_timestamp() at time zone 'Asia/Shanghai')::date
    inner join mart.dim_date as last_day
        on last_day.workday_no = today.workday_no + (entry.data ->> 'appeal_workdays')::integer
    where entry.kind = 'city' and entry.until_version is null
$$;

-- The acts.
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

create function assess.file_appeal(
    period text,
    unit_code text,
    case_id text,
    grounds_code text,
    statement text,
    evidence_ref text,
    assignment_id text default null,
    is_whole_case boolean default false,
    indicator_codes text[] default null,
    scheme_id text default null,
    decide_by timestamptz default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    own text[];
    is_open bigint;
    written bigint;
begin
    if not assess.is_assessor() then
        if not exists (select from assess.own_units() as own where own = file_appeal.unit_code) then
            raise exception 'the login % does not speak for the unit %', session_user,
                coalesce(quote_literal(file_appeal.unit_code), '(none)');
        end if;
        if file_appeal.decide_by is not null then
            raise exception 'the term for deciding is not set by who appeals';
        end if;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    perform assess.require_unit(file_appeal.unit_code);
    perform assess.require_indicators(
        file_appeal.indicator_codes, file_appeal.scheme_id, assess.stated(file_appeal.period, 'the period')
    );
    perform assess.require_subject(file_appeal.case_id, file_appeal.assignment_id, file_appeal.unit_code);
    select array_agg(duty.assignment_id order by duty.dispatched_at, duty.assignment_id) into own
    from mart.fct_timeliness as duty
    inner join mart.fct_case as cases on duty.case_id = cases.root_case_id
    where cases.case_id = file_appeal.case_id and duty.unit_code = file_appeal.unit_code;
    if own is null then
        raise exception 'the unit % has no assignment on this case', file_appeal.unit_code;
    end if;
    if file_appeal.is_whole_case and file_appeal.assignment_id is not null then
        raise exception 'name an assignment or the whole case, not both';
    end if;
    if not file_appeal.is_whole_case and file_appeal.assignment_id is null then
        if cardinality(own) > 1 then
            raise exception 'the unit % has % assignments on this case; name one: %',
                file_appeal.unit_code, cardinality(own), array_to_string(own, ', ');
        end if;
        assignment_id := own[1];
    end if;
    select appeal.appeal_id into is_open
    from assess.appeal
    where
        appeal.unit_code = file_appeal.unit_code
        and appeal.period = file_appeal.period
        and appeal.case_id = file_appeal.case_id
        and appeal.assignment_id is not distinct from file_appeal.assignment_id
        and appeal.indicator_codes is not distinct from file_appeal.indicator_codes
        and not exists (select from assess.appeal_decision as decided where decided.appeal_id = appeal.appeal_id)
    limit 1;
    if found then
        raise exception 'the same is asked by appeal %, which is not decided yet', is_open;
    end if;
    insert into assess.appeal (
        scheme_id, period, unit_code, feed_code, case_no, case_id, assignment_id, indicator_codes, grounds_code,
        statement, evidence_ref, decide_by
    )
    select
        file_appeal.scheme_id,
        file_appeal.period,
        file_appeal.unit_code,
        cases.feed_code,
        cases.case_no,
        cases.case_id,
        file_appeal.assignment_id,
        file_appeal.indicator_codes,
        assess.require_code(file_appeal.grounds_code, 'grounds_code'),
        assess.stated(file_appeal.statement, 'the statement'),
        assess.stated(file_appeal.evidence_ref, 'the evidence'),
        coalesce(file_appeal.decide_by, assess.term_of_appeals())
    from mart.fct_case as cases
    where cases.case_id = file_appeal.case_id
    returning appeal_id into written;
    return written;
end
$$;

-- Locks the appeal, so that two who decide at once come one after the other.
create function assess.undecided(of_appeal bigint) returns assess.appeal
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    appeal assess.appeal;
    decided text;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    select * into appeal from assess.appeal as asked where asked.appeal_id = of_appeal;
    if not found then
        raise exception 'there is no appeal %', coalesce(of_appeal::text, '(none)');
    end if;
    select decision into decided from assess.appeal_decision as made where made.appeal_id = of_appeal;
    if found then
        raise exception 'appeal % is decided already: %', of_appeal, decided;
    end if;
    return appeal;
end
$$;

create function assess.withdraw_appeal(appeal_id bigint, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    appeal assess.appeal;
    written bigint;
begin
    appeal := assess.undecided(withdraw_appeal.appeal_id);
    if appeal.filed_by <> session_user
        and not exists (select from assess.own_units() as own where own = appeal.unit_code)
    then
        raise exception 'only who filed appeal %, or its unit, withdraws it', appeal.appeal_id;
    end if;
    insert into assess.appeal_decision (appeal_id, decision, reason_code, reason)
    values (appeal.appeal_id, 'withdrawn', 'withdrawn', assess.stated(withdraw_appeal.reason, 'the reason'))
    returning decision_id into written;
    return written;
end
$$;

create function assess.decide_appeal(
    appeal_id bigint, decision text, reason_code text, reason text, from_revision integer default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    appeal assess.appeal;
    written bigint;
begin
    appeal := assess.undecided(decide_appeal.appeal_id);
    if appeal.filed_by = session_user
        or exists (select from assess.own_units() as own where own = appeal.unit_code)
    then
        raise exception 'appeal % is decided by another person than who filed it', appeal.appeal_id;
    end if;
    if coalesce(decide_appeal.decision, '') not in ('granted', 'denied') then
        raise exception 'an appeal is granted or denied';
    end if;
    if decide_appeal.decision = 'denied' and decide_appeal.from_revision is not null then
        raise exception 'only a granted appeal names a revision';
    end if;
    if decide_appeal.from_revision < 1 then
        raise exception 'revisions are counted from 1';
    end if;
    insert into assess.appeal_decision (appeal_id, decision, reason_code, reason, from_revision)
    values (
        appeal.appeal_id,
        decide_appeal.decision,
        assess.require_code(decide_appeal.reason_code, 'reason_code'),
        assess.stated(decide_appeal.reason, 'the reason'),
        case when decide_appeal.decision = 'granted' then coalesce(decide_appeal.from_revision, 1) end
    )
    returning decision_id into written;
    return written;
end
$$;

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
    if coalesce(enter_manual_point.points, 0) in (0, 'NaN', 'Infinity', '-Infinity') then
        raise exception 'points are a number other than 0';
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

-- Who made what is to be approved; an error where there is no such thing. Another kind replaces this function.
create function assess.author_of(subject_kind text, subject_id text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    author text;
begin
    if author_of.subject_kind = 'manual_point' then
        select made.entered_by into author
        from assess.manual_point as made
        where made.manual_point_id::text = author_of.subject_id;
    else
        raise exception 'what is approved is a manual_point, not %', coalesce(quote_literal(author_of.subject_kind), '(none)');
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

-- Who may do what. Auditors read, evaluators read and decide, a unit's login files and sees what its unit filed.
grant usage on schema assess to minhu_evaluator, minhu_auditor, minhu_unit;
grant select on all tables in schema assess to minhu_evaluator, minhu_auditor;
alter default privileges in schema assess grant select on tables to minhu_evaluator, minhu_auditor;
grant select on assess.appeal, assess.appeal_decision, assess.appeal_state to minhu_unit;

alter table assess.appeal enable row level security;
alter table assess.appeal_decision enable row level security;
create policy all_appeals on assess.appeal for select to minhu_evaluator, minhu_auditor using (true);
create policy all_decisions on assess.appeal_decision for select to minhu_evaluator, minhu_auditor using (true);
create policy own_appeals on assess.appeal for select to minhu_unit
using (unit_code in (select own from assess.own_units() as own));
create policy own_decisions on assess.appeal_decision for select to minhu_unit
using (appeal_id in (select own.appeal_id from assess.appeal as own));

revoke execute on all functions in schema assess from public;
grant execute on function
assess.own_units, assess.file_appeal, assess.withdraw_appeal to minhu_unit, minhu_evaluator;
grant execute on function
assess.decide_appeal,
assess.exclude,
assess.revoke_exclusion,
assess.enter_manual_point,
assess.revoke_manual_point,
assess.enter_violation,
assess.revoke_violation,
assess.approve
to minhu_evaluator;
