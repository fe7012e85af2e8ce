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
comment on column assess.appeal.statement is
'Masked before it is sent here; the command line and the file entry do that.';
comment on column assess.appeal.decide_by is 'Until when it is to be decided; null where nobody has set a term.';
create trigger stamp before insert on assess.appeal
for each row execute function assess.stamp('filed_by', 'filed_at');
create trigger append_only before update or delete or truncate on assess.appeal
for each statement execute function assess.refuse_change();

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
comment on column assess.appeal_decision.from_revision is
'The first revision of the published result that leaves the rows out.';
create trigger stamp before insert on assess.appeal_decision
for each row execute function assess.stamp('decided_by', 'decided_at');
create trigger append_only before update or delete or truncate on assess.appeal_decision
for each statement execute function assess.refuse_change();

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
comment on view assess.appeal_state is
'state: filed, overdue (its term has passed undecided), granted, denied, withdrawn.';

-- A unit sees what it filed and what became of it, the others see all.
grant select on assess.appeal, assess.appeal_decision, assess.appeal_state to minhu_unit;
alter table assess.appeal enable row level security;
alter table assess.appeal_decision enable row level security;
create policy all_appeals on assess.appeal for select to minhu_evaluator, minhu_auditor using (true);
create policy all_decisions on assess.appeal_decision for select to minhu_evaluator, minhu_auditor using (true);
create policy own_appeals on assess.appeal for select to minhu_unit
using (unit_code in (select own from assess.own_units() as own));
create policy own_decisions on assess.appeal_decision for select to minhu_unit
using (appeal_id in (select own.appeal_id from assess.appeal as own));

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

revoke execute on all functions in schema assess from public;
grant execute on function assess.file_appeal, assess.withdraw_appeal to minhu_unit, minhu_evaluator;
grant execute on function assess.decide_appeal to minhu_evaluator;
