-- What takes rows out of a score or puts points in is decided by one person and confirmed by another: exclusions,
-- violations entered by hand, granted appeals, points by hand, and the revocation of each. Until then it waits: the
-- next build does not take it. Neither of the two speaks for a unit that it is about. What a hotline tells needs none.
-- To confirm is no act; who has acted does not approve the closing that holds it.

-- A rejected decision is out of the way of the next one.
alter table assess.appeal_decision drop constraint appeal_decision_appeal_id_key;
alter table assess.exclusion drop constraint exclusion_revokes_exclusion_id_key;
alter table assess.exclusion drop constraint exclusion_revokes_appeal_id_key;
alter table assess.violation drop constraint violation_revokes_violation_id_key;
create index appeal_decision_appeal on assess.appeal_decision (appeal_id);
create index exclusion_revoked on assess.exclusion (revokes_exclusion_id);
create index exclusion_appeal_revoked on assess.exclusion (revokes_appeal_id);
create index violation_revoked on assess.violation (revokes_violation_id);

create table assess.decided_by_one (
    kind text not null check (kind in ('exclusion', 'violation', 'appeal_decision')),
    decision_id bigint not null,
    primary key (kind, decision_id)
);
comment on table assess.decided_by_one is '一人即可决定时作出的决定：视为已复核';
insert into assess.decided_by_one (kind, decision_id)
select
    'exclusion',
    exclusion_id
from assess.exclusion
union all
select
    'violation',
    violation_id
from assess.violation
union all
select
    'appeal_decision',
    decision_id
from assess.appeal_decision
where decision = 'granted';
create trigger append_only before insert or update or delete or truncate on assess.decided_by_one
for each statement execute function assess.refuse_change();

-- Every decision that takes two, its author and where it stands: awaits, confirmed, rejected.
create view assess.decision_of_two with (security_invoker = true) as
with decision as (
    select
        'exclusion' as kind,
        exclusion_id as decision_id,
        decided_by as made_by,
        decided_at as made_at
    from assess.exclusion
    union all
    select
        'violation',  -- noqa: AL03
        violation_id,
        entered_by,
        entered_at
    from assess.violation
    union all
    select
        'appeal_decision',  -- noqa: AL03
        decision_id,
        decided_by,
        decided_at
    from assess.appeal_decision
    where decision = 'granted'
    union all
    select
        'manual_point',  -- noqa: AL03
        manual_point_id,
        entered_by,
        entered_at
    from assess.manual_point
),

judged as (
    select
        subject_kind as kind,
        subject_id,
        bool_or(verdict = 'rejected') as is_rejected,
        string_agg(approved_by, ' ' order by approval_id) as judged_by
    from assess.approval
    group by subject_kind, subject_id
)

select
    decision.kind,
    decision.decision_id,
    case
        when judged.is_rejected then 'rejected'
        when judged.kind is not null or before.kind is not null then 'confirmed'
        else 'awaits'
    end as state,
    decision.made_by,
    decision.made_at,
    judged.judged_by,
    before.kind is not null as is_by_one
from decision
left join judged on decision.kind = judged.kind and decision.decision_id::text = judged.subject_id
left join assess.decided_by_one as before
    on decision.kind = before.kind and decision.decision_id = before.decision_id;
comment on view assess.decision_of_two is '须两人作出的决定：待复核、已复核、已否决';

-- What was decided and not rejected.
create view assess.standing_exclusion with (security_invoker = true) as
select made.*
from assess.exclusion as made
where not exists (
    select from assess.approval as given
    where
        given.subject_kind = 'exclusion'
        and given.subject_id = made.exclusion_id::text
        and given.verdict = 'rejected'
);
create view assess.standing_violation with (security_invoker = true) as
select made.*
from assess.violation as made
where not exists (
    select from assess.approval as given
    where
        given.subject_kind = 'violation'
        and given.subject_id = made.violation_id::text
        and given.verdict = 'rejected'
);
create view assess.standing_appeal_decision with (security_invoker = true) as
select made.*
from assess.appeal_decision as made
where not exists (
    select from assess.approval as given
    where
        given.subject_kind = 'appeal_decision'
        and given.subject_id = made.decision_id::text
        and given.verdict = 'rejected'
);

-- Where the decision on an appeal stands; null for who does not see the appeal.
create function assess.state_of_grant(of_decision bigint) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(
        (
            select of_two.state from assess.decision_of_two as of_two
            where of_two.kind = 'appeal_decision' and of_two.decision_id = of_decision
        ),
        'confirmed'
    )
    from assess.appeal_decision as made
    inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
    where
        made.decision_id = of_decision
        and (
            assess.is_assessor()
            or pg_has_role(assess.actor()::name, 'minhu_auditor', 'member')
            or asked.unit_code in (select own from assess.own_units() as own)
        )
$$;

-- A unit is told of a grant once it is confirmed: until then its appeal is open.
drop policy own_decisions on assess.appeal_decision;
create policy own_decisions on assess.appeal_decision for select to minhu_unit
using (
    appeal_id in (select own.appeal_id from assess.appeal as own) and assess.state_of_grant(decision_id) = 'confirmed'
);

create or replace view assess.appeal_state with (security_invoker = true) as
with decisions as (
    select
        made.*,
        assess.state_of_grant(made.decision_id) as stands
    from assess.appeal_decision as made
)

select
    appeal.appeal_id,
    case
        when decision.stands = 'awaits' then 'awaits_confirmation'
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
left join decisions as decision on appeal.appeal_id = decision.appeal_id and decision.stands <> 'rejected';
comment on view assess.appeal_state is
'state: filed, overdue (its term has passed undecided), awaits_confirmation, granted, denied, withdrawn.';

-- The acts look at what was not rejected.
do $$
declare
    act record;
    mended integer := 0;
begin
    for act in
        select pg_get_functiondef(pg_proc.oid) as told
        from pg_proc
        where
            pg_proc.pronamespace = 'assess'::regnamespace
            and pg_proc.proname in ('exclude', 'revoke_exclusion', 'revoke_violation', 'undecided', 'file_appeal')
    loop
        execute regexp_replace(
            act.told, '\m(from|inner join) assess\.(exclusion|violation|appeal_decision) as', '\1 assess.standing_\2 as',
            'g'
        );
        mended := mended + 1;
    end loop;
    if mended <> 5 then
        raise exception '% acts, not 5: these are not the ones that this migration knows', mended;
    end if;
end
$$;

-- The units that a decision is about: nobody who speaks for one of them makes or confirms it.
create function assess.units_about(kind text, decision_id bigint) returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select made.unit_code
    from assess.manual_point as made
    where units_about.kind = 'manual_point' and made.manual_point_id = units_about.decision_id
    union
    select made.unit_code
    from assess.violation as made
    where units_about.kind = 'violation' and made.violation_id = units_about.decision_id
    union
    select asked.unit_code
    from assess.appeal_decision as made
    inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
    where units_about.kind = 'appeal_decision' and made.decision_id = units_about.decision_id
    union
    select duty.unit_code
    from assess.exclusion as made
    inner join mart.fct_case as cases on made.case_id = cases.case_id
    inner join mart.fct_timeliness as duty on cases.root_case_id = duty.case_id
    where
        units_about.kind = 'exclusion'
        and made.exclusion_id = units_about.decision_id
        and coalesce(made.assignment_id, duty.assignment_id) = duty.assignment_id
$$;

create function assess.refuse_own_unit() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if exists (
        select from assess.units_about(tg_table_name, (to_jsonb(new) ->> tg_argv[0])::bigint) as about
        inner join assess.own_units() as own on about = own
    ) then
        raise exception 'the login % speaks for a unit that this is about: another person decides it', assess.acting();
    end if;
    return null;
end
$$;
create trigger of_no_unit_of_his after insert on assess.exclusion
for each row execute function assess.refuse_own_unit('exclusion_id');
create trigger of_no_unit_of_his after insert on assess.violation
for each row execute function assess.refuse_own_unit('violation_id');
create trigger of_no_unit_of_his after insert on assess.manual_point
for each row execute function assess.refuse_own_unit('manual_point_id');

-- Who made what is to be approved; an error where there is no such thing.
create or replace function assess.author_of(subject_kind text, subject_id text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    author text;
begin
    if author_of.subject_kind = 'closing' then
        select made.closed_by into author
        from publish.closing as made
        where made.closing_id::text = author_of.subject_id;
    elsif author_of.subject_kind in ('manual_point', 'exclusion', 'violation', 'appeal_decision') then
        select made.made_by into author
        from assess.decision_of_two as made
        where made.kind = author_of.subject_kind and made.decision_id::text = author_of.subject_id;
    else
        raise exception 'what is approved is a closing, a manual_point, an exclusion, a violation or an appeal, not %',
            coalesce(quote_literal(author_of.subject_kind), '(none)');
    end if;
    if author is null then
        raise exception 'there is no % %', author_of.subject_kind, coalesce(author_of.subject_id, '(none)');
    end if;
    return author;
end
$$;

-- Whose acts a closing holds: decisions that its build took about cases, points and findings of its period.
create table publish.closing_act (
    closing_id bigint not null references publish.closing,
    kind text not null,
    decision_id bigint not null,
    made_by text not null,
    primary key (closing_id, kind, decision_id)
);
comment on table publish.closing_act is '关账所含的决定：作出者不得审批该次关账';
create trigger append_only before update or delete or truncate on publish.closing_act
for each statement execute function publish.refuse_change();
grant select on publish.closing_act to minhu_evaluator, minhu_auditor;

-- Months and quarters as minhu/schemes/period.py writes them: 2026-10, 2026-Q4, 2026.
create function publish.is_within(period text, of_period text) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select
        is_within.period = of_period
        or left(is_within.period, 5) = of_period || '-'
        or is_within.period ~ '^[0-9]{4}-[0-9]{2}$'
        and of_period
        = left(is_within.period, 5) || 'Q' || (right(is_within.period, 2)::integer + 2) / 3
$$;

create function publish.acts_in(of_closing publish.closing)
returns table (kind text, decision_id bigint, made_by text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with taken as (
        select told.kind, told.decision_id from publish.decisions_of(of_closing.build_id) as told
    )

    select 'manual_point', made.manual_point_id, made.entered_by
    from assess.manual_point as made
    inner join assess.decision_of_two as of_two
        on of_two.kind = 'manual_point' and made.manual_point_id = of_two.decision_id and of_two.state = 'confirmed'
    where made.scheme_id = of_closing.scheme_id and publish.is_within(made.period, of_closing.period)
    union all
    select taken.kind, made.decision_id, made.decided_by
    from taken
    inner join assess.appeal_decision as made on taken.decision_id = made.decision_id
    inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
    where
        taken.kind = 'appeal_decision'
        and made.decision = 'granted'
        and coalesce(asked.scheme_id, of_closing.scheme_id) = of_closing.scheme_id
        and publish.is_within(asked.period, of_closing.period)
    union all
    select taken.kind, made.violation_id, made.entered_by
    from taken
    inner join assess.violation as made on taken.decision_id = made.violation_id
    where
        taken.kind = 'violation'
        and made.found_at >= of_closing.starts_at
        and made.found_at < of_closing.ends_at
    union all
    select taken.kind, made.exclusion_id, made.decided_by
    from taken
    inner join assess.exclusion as made on taken.decision_id = made.exclusion_id
    inner join mart.fct_case as cases on made.case_id = cases.case_id
    where
        taken.kind = 'exclusion'
        and (
            exists (
                select from mart.fct_timeliness as duty
                cross join lateral unnest(array[
                    duty.dispatched_at, duty.due_at, duty.extended_due_at, duty.closed_at
                ]) as moment
                where
                    duty.case_id = cases.root_case_id
                    and moment >= of_closing.starts_at
                    and moment < of_closing.ends_at
            )
            or exists (
                select from mart.fct_satisfaction as told
                where
                    told.case_id = cases.root_case_id
                    and told.called_at >= of_closing.starts_at
                    and told.called_at < of_closing.ends_at
            )
            or (cases.received_at >= of_closing.starts_at and cases.received_at < of_closing.ends_at)
        )
$$;

-- Logins of evaluators who have neither closed nor acted in what is closed.
create function publish.may_approve(closing_id bigint) returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select member.rolname::text
    from pg_auth_members as membership
    inner join pg_roles as member on membership.member = member.oid
    cross join lateral portal.groups_of(member.rolname::text) as belongs
    inner join publish.closing on closing.closing_id = may_approve.closing_id
    where
        membership.roleid = 'minhu_evaluator'::regrole
        and not 'minhu_portal' = any(belongs)
        and member.rolname <> closing.closed_by
        and not exists (
            select from publish.closing_act as act
            where act.closing_id = closing.closing_id and act.made_by = member.rolname
        )
    order by member.rolname
$$;
comment on function publish.may_approve is 'Who may approve a closing, by login.';

create function publish.hold_acts() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into publish.closing_act (closing_id, kind, decision_id, made_by)
    select new.closing_id, act.kind, act.decision_id, act.made_by from publish.acts_in(new) as act;
    if not exists (select from publish.may_approve(new.closing_id)) then
        raise exception 'nobody could approve the closing of %: every evaluator has closed it or decided what it holds',
            new.period
            using hint = 'Make a login of the group evaluator for another person: minhu logins add NAME --group evaluator.';
    end if;
    return null;
end
$$;
create trigger hold_acts after insert on publish.closing for each row execute function publish.hold_acts();

drop function assess.approve(text, text, text, text);
create function assess.approve(
    subject_kind text,
    subject_id text,
    verdict text,
    reason text,
    content_hash text default null,
    signature bytea default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    me text := assess.acting();
    key bigint := assess.key_of(assess.acting());
    frozen text;
    stands text;
    held record;
    written bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:assess', 0));
    if approve.subject_kind = 'appeal' then  -- people know the appeal, not the number of its decision
        subject_kind := 'appeal_decision';
        select max(made.decision_id)::text into subject_id
        from assess.appeal_decision as made
        where made.appeal_id::text = approve.subject_id and made.decision = 'granted';
        if subject_id is null then
            raise exception 'no grant of an appeal of this number awaits confirmation';
        end if;
    end if;
    if assess.author_of(approve.subject_kind, approve.subject_id) = me then
        raise exception 'the % % is approved by another person than who entered it',
            approve.subject_kind, approve.subject_id;
    end if;
    if coalesce(approve.verdict, '') not in ('approved', 'rejected') then
        raise exception 'a verdict is approved or rejected';
    end if;
    if approve.subject_kind = 'closing' then
        select string_agg(act.kind || ' ' || act.decision_id, ', ' order by act.kind, act.decision_id) as told into held
        from publish.closing_act as act
        where act.closing_id::text = approve.subject_id and act.made_by = me;
        if held.told is not null and approve.verdict = 'approved' then
            raise exception 'the closing % holds what % decided: another person approves it', approve.subject_id, me
                using detail = held.told;
        end if;
        -- Which content: by its hash, or by so much of it as was shown.
        if approve.verdict = 'approved' then
            select closing.content_hash into frozen
            from publish.closing
            where closing.closing_id::text = approve.subject_id;
            if coalesce(length(approve.content_hash), 0) < 12 then
                raise exception 'say which content of the closing % is approved: its hash, or the first 12 digits or more',
                    approve.subject_id;
            end if;
            if not starts_with(frozen, lower(approve.content_hash)) then
                raise exception 'the content of the closing % is %, not %', approve.subject_id, frozen,
                    approve.content_hash;
            end if;
            if key is not null and approve.signature is null then
                raise exception 'the login % has registered a key: its approvals are signed', me;
            end if;
            if key is null and approve.signature is not null then
                raise exception 'the login % has no key registered, so that nobody can check what it signs', me;
            end if;
            if octet_length(approve.signature) <> 64 then
                raise exception 'a signature of Ed25519 has 64 bytes';
            end if;
        end if;
    else
        if exists (
            select from assess.units_about(approve.subject_kind, approve.subject_id::bigint) as about
            inner join assess.own_units() as own on about = own
        ) or exists (
            select from assess.appeal_decision as made
            inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
            where
                approve.subject_kind = 'appeal_decision'
                and made.decision_id::text = approve.subject_id
                and asked.filed_by = me
        ) then
            raise exception 'the % % is confirmed by another person than who filed it or speaks for the unit',
                approve.subject_kind, approve.subject_id;
        end if;
        select of_two.state into stands
        from assess.decision_of_two as of_two
        where of_two.kind = approve.subject_kind and of_two.decision_id::text = approve.subject_id;
        if stands <> 'awaits' and approve.subject_kind <> 'manual_point' then
            raise exception 'the % % is % already: what counts is revoked, what was rejected is decided anew',
                approve.subject_kind, approve.subject_id, stands;
        end if;
    end if;
    if exists (
        select
        from assess.approval as given
        where
            given.subject_kind = approve.subject_kind
            and given.subject_id = approve.subject_id
            and given.approved_by = me
    ) then
        raise exception 'the login % has judged the % % already', me, approve.subject_kind, approve.subject_id;
    end if;
    if frozen is null and (approve.signature is not null or approve.content_hash is not null) then
        raise exception 'a hash and a signature belong to the approval of a closing';
    end if;
    insert into assess.approval (subject_kind, subject_id, verdict, reason, content_hash, signature, key_id)
    values (
        approve.subject_kind,
        approve.subject_id,
        approve.verdict,
        assess.stated(approve.reason, 'the reason'),
        frozen,
        approve.signature,
        case when approve.signature is not null then key end
    )
    returning approval_id into written;
    return written;
end
$$;

-- A build takes what is confirmed.
create or replace view audit.decision_to_build as
with decision as (
    select
        'appeal_decision' as kind,
        made.decision_id
    from assess.appeal_decision as made
    inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
    where
        made.from_revision is null
        or made.from_revision <= 1 + (
            select coalesce(max(release.revision), 0)
            from publish.release
            where release.period = asked.period and (asked.scheme_id is null or release.scheme_id = asked.scheme_id)
        )
    union all
    select
        'exclusion',  -- noqa: AL03
        excluded.exclusion_id
    from assess.exclusion as excluded
    union all
    select
        'violation',  -- noqa: AL03
        found.violation_id
    from assess.violation as found
)

select
    decision.kind,
    decision.decision_id
from decision
left join assess.decision_of_two as of_two
    on decision.kind = of_two.kind and decision.decision_id = of_two.decision_id
where
    coalesce(of_two.state, 'confirmed') = 'confirmed'  -- a denial takes one
    and not exists (
        select
        from audit.build_decision as taken
        inner join audit.build on taken.build_id = build.build_id
        where build.status = 'succeeded' and taken.kind = decision.kind and taken.decision_id = decision.decision_id
    );

revoke execute on function
assess.state_of_grant, assess.units_about, assess.refuse_own_unit, publish.is_within, publish.acts_in,
publish.may_approve, publish.hold_acts
from public;
revoke execute on function assess.approve from public;
grant execute on function assess.approve to minhu_evaluator;
grant execute on function assess.state_of_grant to minhu_unit, minhu_evaluator, minhu_auditor;
grant execute on function publish.may_approve to minhu_evaluator, minhu_auditor;
