-- What a revision changed, line by line: a decision or batch, the case, the indicator, the points. Written when it is
-- closed, while the facts are those that were scored; of a unit its lines sum to the difference of its points.
create table publish.ledger (
    closing_id bigint not null references publish.closing,
    line_no bigint not null,
    unit_code text not null,
    indicator_code text,
    indicator_name text,
    cause_kind text not null,
    cause_id bigint,
    subject_kind text,
    subject_id text,
    case_id text,
    feed_code text,
    case_no text,
    before text,
    after text,
    points numeric not null,
    primary key (closing_id, line_no)
);
create index ledger_unit on publish.ledger (closing_id, unit_code);
comment on table publish.ledger is '修订台账：决定或批次、工单、指标、分值，逐单位，合计即得分之差';
comment on column publish.ledger.indicator_code is 'Null: what rounding the sum of the indicators adds.';
comment on column publish.ledger.cause_kind is
'appeal_decision, exclusion, violation, manual_point, batch, no_row, sum_rounded; row_unchanged: its indicator moved.';
comment on column publish.ledger.before is
'What it counted in the revision before, as 0/1; null where it was not there.';
comment on column publish.ledger.points is 'The change of the unit''s points by this line.';
create trigger append_only before update or delete or truncate on publish.ledger
for each statement execute function publish.refuse_change();
alter table publish.ledger enable row level security;
alter table publish.ledger force row level security;
create policy written_by_the_acts on publish.ledger for insert to current_user with check (true);
create policy read_by_the_acts on publish.ledger for select to current_user using (true);
create policy read_by_assessors on publish.ledger for select to minhu_evaluator, minhu_auditor using (true);
create policy published on publish.ledger for select to minhu_unit
using (
    closing_id in (select told.closing_id from publish.release as told)
    and unit_code = any((select assess.own_unit_codes())::text[])
);
grant select on publish.ledger to minhu_evaluator, minhu_auditor, minhu_unit;
select audit.let_the_house_in('publish.ledger');

-- Batches of which two builds differ, with the cases that each told of: by the keys of staging.
create function publish.batches_moved(base_build bigint, of_build bigint)
returns table (batch_id bigint, came boolean, case_id text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with before as (select told.batch_id from publish.batches_of(base_build) as told),

    after as (select told.batch_id from publish.batches_of(of_build) as told),

    moved as (
        select
            coalesce(after.batch_id, before.batch_id) as batch_id,
            before.batch_id is null as came
        from before
        full join after on before.batch_id = after.batch_id
        where before.batch_id is null or after.batch_id is null
    ),

    told as (
        select moved.batch_id, moved.came, staged.feed_code, staged.case_no
        from moved
        inner join staging.case_record as staged on moved.batch_id = staged.batch_id
        union
        select moved.batch_id, moved.came, staged.case_feed_code, staged.case_no
        from moved
        inner join staging.case_event as staged on moved.batch_id = staged.batch_id
        union
        select moved.batch_id, moved.came, staged.case_feed_code, staged.case_no
        from moved
        inner join staging.callback as staged on moved.batch_id = staged.batch_id
    )

    select
        moved.batch_id,
        moved.came,
        case when told.case_no is not null then md5(told.feed_code || '|' || told.case_no) end
    from moved
    left join told on moved.batch_id = told.batch_id
$$;
comment on function publish.batches_moved is 'Batches that one of two builds rests on and the other not, by case.';

-- How many cases of the period each of them tells of. A batch whose rows retention has taken counts as null.
create function publish.batches_of_revision(of_closing bigint)
returns table (
    batch_id bigint,
    feed_code text,
    delivery text,
    business_date date,
    staged_rows bigint,
    came boolean,
    cases bigint
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with closed as (
        select closing.*, base.build_id as base_build
        from publish.closing
        inner join publish.release as base on closing.base_release_id = base.release_id
        where closing.closing_id = of_closing
    ),

    moved as (
        select told.* from closed cross join lateral publish.batches_moved(closed.base_build, closed.build_id) as told
    ),

    of_period as (
        select duty.case_id as root_case_id
        from mart.fct_timeliness as duty
        inner join closed
            on
                duty.dispatched_at between closed.starts_at and closed.ends_at
                or duty.due_at between closed.starts_at and closed.ends_at
                or duty.due_in_force_at between closed.starts_at and closed.ends_at
                or duty.closed_at between closed.starts_at and closed.ends_at
                or duty.ended_at between closed.starts_at and closed.ends_at
        union
        select told.case_id
        from mart.fct_satisfaction as told
        inner join closed on told.called_at between closed.starts_at and closed.ends_at
        union
        select cases.root_case_id
        from mart.fct_case as cases
        inner join closed on cases.received_at between closed.starts_at and closed.ends_at
    )

    select
        batch.batch_id,
        batch.feed_code,
        batch.delivery,
        batch.business_date,
        batch.staged_rows,
        bool_or(moved.came),
        case when count(moved.case_id) > 0 then count(distinct of_period.root_case_id) end
    from moved
    inner join audit.batch on moved.batch_id = batch.batch_id
    left join mart.fct_case as cases on moved.case_id = cases.case_id
    left join of_period on cases.root_case_id = of_period.root_case_id
    group by batch.batch_id
$$;
comment on function publish.batches_of_revision is '修订新到或撤下的批次，及其涉及本期的工单数';

create function publish.decisions_moved(base_build bigint, of_build bigint)
returns table (
    kind text,
    decision_id bigint,
    subject_id bigint,
    case_id text,
    assignment_id text,
    indicator_codes text[]
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with taken as (
        select told.kind, told.decision_id from publish.decisions_of(of_build) as told
        except
        select told.kind, told.decision_id from publish.decisions_of(base_build) as told
    )

    select
        taken.kind,
        taken.decision_id,
        coalesce(found.revokes_violation_id, found.violation_id),
        coalesce(excluded.case_id, asked.case_id, found.case_id),
        coalesce(excluded.assignment_id, asked.assignment_id, found.assignment_id),
        coalesce(excluded.indicator_codes, asked.indicator_codes)
    from taken
    left join assess.appeal_decision as made
        on taken.kind = 'appeal_decision' and taken.decision_id = made.decision_id and made.decision = 'granted'
    left join assess.appeal as asked on made.appeal_id = asked.appeal_id
    left join assess.exclusion as excluded on taken.kind = 'exclusion' and taken.decision_id = excluded.exclusion_id
    left join assess.violation as found on taken.kind = 'violation' and taken.decision_id = found.violation_id
    where coalesce(made.decision_id, excluded.exclusion_id, found.violation_id) is not null
$$;
comment on function publish.decisions_moved is
'Decisions that one build rests on and another, earlier one not, and on what.';

-- What each row counted before and counts now, of the indicators that moved or whose rows did, and by what. Rows that
-- were right in the revision before are kept nowhere: `is_known` says whether the base knew the row, so that it was
-- right then. Asked while the facts are those that were scored.
create function publish.rows_moved(of_closing bigint)
returns table (
    unit_code text,
    indicator_code text,
    subject_kind text,
    subject_id text,
    case_id text,
    feed_code text,
    case_no text,
    was_told boolean,
    numerator_before numeric,
    denominator_before numeric,
    excluded_before text,
    is_there boolean,
    numerator_after numeric,
    denominator_after numeric,
    excluded_after text,
    is_known boolean,
    is_in_diff boolean,
    cause_kind text,
    cause_id bigint
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    closed publish.closing;
    base publish.release;
    touched text[];
begin
    select * into closed from publish.closing where closing.closing_id = of_closing;
    select * into base from publish.release where release.release_id = closed.base_release_id;
    select array_agg(distinct listed.case_id) into touched
    from (
        select cases.root_case_id as case_id
        from publish.batches_moved(base.build_id, closed.build_id) as told
        inner join mart.fct_case as cases on told.case_id = cases.case_id
        union
        select cases.root_case_id
        from publish.decisions_moved(base.build_id, closed.build_id) as made
        inner join mart.fct_case as cases on made.case_id = cases.case_id
        union
        select frozen.data ->> 'case_id'
        from publish.frozen_row as frozen
        where frozen.closing_id = of_closing and frozen.kind = 'evidence'
    ) as listed;
    return query
    with counts as (
        select
            frozen.data ->> 'unit_code' as unit_code,
            frozen.data ->> 'indicator_code' as indicator_code
        from publish.frozen_row as frozen
        left join publish.unit_indicator as was
            on
                was.release_id = base.release_id
                and was.unit_code = frozen.data ->> 'unit_code'
                and was.indicator_code = frozen.data ->> 'indicator_code'
        where
            frozen.closing_id = of_closing
            and frozen.kind = 'unit_indicator'
            and (
                (frozen.data ->> 'numerator')::numeric is distinct from was.numerator
                or (frozen.data ->> 'denominator')::numeric is distinct from was.denominator
                or (frozen.data ->> 'points')::numeric is distinct from was.points
            )
        union  -- one row that came for one that went leaves the counts as they were
        select
            frozen.data ->> 'unit_code',
            frozen.data ->> 'indicator_code'
        from publish.frozen_row as frozen
        where frozen.closing_id = of_closing and frozen.kind = 'evidence'
    ),

    before as (
        select told.*
        from publish.evidence_of_release as told
        inner join counts on told.unit_code = counts.unit_code and told.indicator_code = counts.indicator_code
        where told.release_id = base.release_id and (told.case_id is null or told.case_id = any(touched))
    ),

    after as (
        select told.*
        from mart.fct_indicator_case as told
        inner join counts on told.unit_code = counts.unit_code and told.indicator_code = counts.indicator_code
        where
            told.scheme_id = closed.scheme_id
            and told.scheme_version = closed.scheme_version
            and told.period = closed.period
            and (told.case_id is null or told.case_id = any(touched))
    ),

    came as (
        select distinct told.batch_id
        from publish.batches_moved(base.build_id, closed.build_id) as told
        where told.came
    ),

    batches as (  -- of each case those that came before those that went, the newest first
        select
            of_case.root_case_id,
            array_agg(told.batch_id order by told.came desc, told.batch_id desc) as ids
        from publish.batches_moved(base.build_id, closed.build_id) as told
        inner join mart.fct_case as of_case on told.case_id = of_case.case_id
        group by of_case.root_case_id
    ),

    made as materialized (
        select
            told.*,
            of_case.root_case_id
        from publish.decisions_moved(base.build_id, closed.build_id) as told
        left join mart.fct_case as of_case on told.case_id = of_case.case_id
    ),

    in_diff as (  -- once: it came or went; twice: it is worth more or less, or was told otherwise
        select
            frozen.data ->> 'unit_code' as unit_code,
            frozen.data ->> 'indicator_code' as indicator_code,
            frozen.data ->> 'subject_kind' as subject_kind,
            frozen.data ->> 'subject_id' as subject_id,
            count(*) = 1 as is_once
        from publish.frozen_row as frozen
        where frozen.closing_id = of_closing and frozen.kind = 'evidence'
        group by 1, 2, 3, 4
    ),

    both_sides as (
        select
            coalesce(after.unit_code, before.unit_code) as unit_code,
            coalesce(after.indicator_code, before.indicator_code) as indicator_code,
            coalesce(after.subject_kind, before.subject_kind) as subject_kind,
            coalesce(after.subject_id, before.subject_id) as subject_id,
            coalesce(after.case_id, before.case_id) as case_id,
            coalesce(after.assignment_id, before.assignment_id) as assignment_id,
            coalesce(after.callback_id, before.callback_id) as callback_id,
            before.subject_id is not null as was_told,
            before.numerator_value as numerator_before,
            before.denominator_value as denominator_before,
            before.excluded_reason as excluded_before,
            after.subject_id is not null as is_there,
            after.numerator_value as numerator_after,
            after.denominator_value as denominator_after,
            after.excluded_reason as excluded_after
        from before
        full join after
            on
                before.unit_code = after.unit_code
                and before.indicator_code = after.indicator_code
                and before.subject_kind = after.subject_kind
                and before.subject_id = after.subject_id
    )

    select
        one.unit_code,
        one.indicator_code,
        one.subject_kind,
        one.subject_id,
        one.case_id,
        cases.feed_code,
        cases.case_no,
        one.was_told,
        one.numerator_before,
        one.denominator_before,
        one.excluded_before,
        one.is_there,
        one.numerator_after,
        one.denominator_after,
        one.excluded_after,
        case
            when one.subject_kind = 'callback' then
                callbacks.source_batch_id not in (select came.batch_id from came)
                or exists (
                    select from staging.callback as staged
                    where
                        staged.case_feed_code = cases.feed_code
                        and staged.case_no = cases.case_no
                        and staged.called_at = callbacks.called_at
                        and staged.batch_id not in (select came.batch_id from came)
                )
            when one.subject_kind = 'violation' then
                coalesce(violations.source_batch_id not in (select came.batch_id from came), false)
            when one.assignment_id is null then true
            else
                duties.dispatch_batch_id not in (select came.batch_id from came)
                or exists (
                    select from staging.case_event as staged
                    where
                        staged.case_feed_code = cases.feed_code
                        and staged.case_no = cases.case_no
                        and staged.occurred_at = duties.dispatched_at
                        and staged.batch_id not in (select came.batch_id from came)
                )
                or exists (
                    select from staging.case_record as staged
                    where
                        staged.feed_code = cases.feed_code
                        and staged.case_no = cases.case_no
                        and staged.batch_id not in (select came.batch_id from came)
                        and staged.milestones::text
                        like '%' || to_char(duties.dispatched_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '%'
                )
        end,
        coalesce(in_diff.is_once, false),
        coalesce(decided.kind, case when batches.ids is not null then 'batch' end),
        coalesce(
            decided.decision_id,
            case
                when coalesce(callbacks.source_batch_id, duties.close_batch_id) = any(batches.ids)
                    then coalesce(callbacks.source_batch_id, duties.close_batch_id)
                when duties.dispatch_batch_id = any(batches.ids) then duties.dispatch_batch_id
                else batches.ids[1]
            end
        )
    from both_sides as one
    left join mart.fct_case as cases on one.case_id = cases.case_id
    left join mart.fct_timeliness as duties on one.assignment_id = duties.assignment_id
    left join mart.fct_satisfaction as callbacks on one.callback_id = callbacks.callback_id
    left join mart.fct_violation as violations
        on one.subject_kind = 'violation' and one.subject_id = violations.violation_id
    left join batches on cases.root_case_id = batches.root_case_id
    left join in_diff
        on
            one.unit_code = in_diff.unit_code
            and one.indicator_code = in_diff.indicator_code
            and one.subject_kind = in_diff.subject_kind
            and one.subject_id = in_diff.subject_id
    left join lateral (
        select
            made.kind,
            made.decision_id
        from made
        where
            (made.kind = 'violation') = (one.subject_kind = 'violation')
            and case
                when made.kind = 'violation' then one.subject_id = 'violation:' || made.subject_id
                else
                    made.root_case_id = cases.root_case_id
                    and (made.assignment_id is null or made.assignment_id = one.assignment_id)
                    and (made.indicator_codes is null or one.indicator_code = any(made.indicator_codes))
            end
        order by made.kind, made.decision_id desc
        limit 1
    ) as decided on true
    order by one.unit_code, one.indicator_code, cases.case_no, one.subject_id;
end
$$;

create function publish.keep_ledger(of_closing bigint, lines jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if exists (select from publish.ledger as told where told.closing_id = of_closing)
        or exists (select from publish.release as told where told.closing_id = of_closing)
    then
        raise exception 'the ledger of closing % is written already', of_closing;
    end if;
    insert into publish.ledger
    select (jsonb_populate_record(null::publish.ledger, line.data || jsonb_build_object(
        'closing_id', of_closing, 'line_no', line.no
    ))).*
    from jsonb_array_elements(lines) with ordinality as line (data, no);
    get diagnostics written = row_count;
    return written;
end
$$;

revoke execute on function
publish.batches_moved, publish.batches_of_revision, publish.rows_moved, publish.decisions_moved, publish.keep_ledger
from public;
grant execute on function publish.batches_of_revision to minhu_evaluator, minhu_auditor, minhu_work, minhu_engineer;
grant execute on function publish.rows_moved, publish.keep_ledger to minhu_work;
