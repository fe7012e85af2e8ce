-- What a row cost and what it is worth by itself stand with it, and are frozen with a release; an interval is in
-- percent, as the value and the target beside it. What was scored or published before has nulls there: a null changes
-- no hash.
alter table mart.fct_evidence add column lost_points numeric, add column marginal_points numeric;
alter table publish.evidence add column lost_points numeric, add column marginal_points numeric;
alter table mart.fct_unit_indicator add column wilson_low_pct numeric, add column wilson_high_pct numeric;
alter table publish.unit_indicator add column wilson_low_pct numeric, add column wilson_high_pct numeric;

-- The same scale for scores that stand: exact, and nothing else is told of them.
update mart.fct_unit_indicator
set
    wilson_low_pct = 100 * wilson_low,
    wilson_high_pct = 100 * wilson_high
where wilson_low is not null;

create or replace view publish.evidence_of_release with (security_invoker = true) as
select
    newest.release_id,
    newest.scheme_id,
    newest.scheme_version,
    newest.period,
    newest.revision,
    newest.unit_code,
    newest.indicator_code,
    newest.subject_kind,
    newest.subject_id,
    newest.case_id,
    newest.assignment_id,
    newest.callback_id,
    newest.numerator_value,
    newest.denominator_value,
    newest.excluded_reason,
    newest.due_at,
    newest.occurred_at,
    newest.lost_points,
    newest.marginal_points
from (
    select distinct on (release.release_id, told.unit_code, told.indicator_code, told.subject_kind, told.subject_id)
        release.release_id,
        release.scheme_id,
        release.scheme_version,
        release.period,
        release.revision,
        told.change,
        told.unit_code,
        told.indicator_code,
        told.subject_kind,
        told.subject_id,
        told.case_id,
        told.assignment_id,
        told.callback_id,
        told.numerator_value,
        told.denominator_value,
        told.excluded_reason,
        told.due_at,
        told.occurred_at,
        told.lost_points,
        told.marginal_points
    from publish.release
    inner join publish.evidence as told
        on
            release.scheme_id = told.scheme_id
            and release.period = told.period
            and told.revision <= release.revision  -- noqa: ST09
    order by
        release.release_id asc,
        told.unit_code asc,
        told.indicator_code asc,
        told.subject_kind asc,
        told.subject_id asc,
        told.revision desc,
        told.change asc  -- a row that changed is removed and added by one revision
) as newest
where newest.change = 'added';

-- As before, with what each row cost: one row that comes or goes changes the parts of the others.
drop function publish.evidence_moved(text, text, text, bigint);
create function publish.evidence_moved(of_scheme text, of_version text, of_period text, base_release_id bigint)
returns table (
    change text,
    scheme_id text,
    scheme_version text,
    period text,
    unit_code text,
    indicator_code text,
    subject_kind text,
    subject_id text,
    case_id text,
    assignment_id text,
    callback_id text,
    numerator_value numeric,
    denominator_value numeric,
    excluded_reason text,
    due_at timestamptz,
    occurred_at timestamptz,
    lost_points numeric,
    marginal_points numeric
)
language sql stable set search_path = pg_catalog, pg_temp as $$
    with now_told as (
        select
            evidence.unit_code, evidence.indicator_code, evidence.subject_kind, evidence.subject_id, evidence.case_id,
            evidence.assignment_id, evidence.callback_id, evidence.numerator_value, evidence.denominator_value,
            evidence.excluded_reason, evidence.due_at, evidence.occurred_at, evidence.lost_points,
            evidence.marginal_points
        from mart.fct_evidence as evidence
        inner join mart.fct_unit_indicator as points using (scheme_id, scheme_version, period, unit_code, indicator_code)
        where
            evidence.scheme_id = of_scheme
            and evidence.scheme_version = of_version
            and evidence.period = of_period
            and (evidence.excluded_reason is not null or points.points < points.points_max)
    ),

    told_before as (
        select
            evidence.unit_code, evidence.indicator_code, evidence.subject_kind, evidence.subject_id, evidence.case_id,
            evidence.assignment_id, evidence.callback_id, evidence.numerator_value, evidence.denominator_value,
            evidence.excluded_reason, evidence.due_at, evidence.occurred_at, evidence.lost_points,
            evidence.marginal_points
        from publish.evidence_of_release as evidence
        where evidence.release_id = base_release_id
    ),

    moved as (
        (select 'removed' as change, told_before.* from told_before except all select 'removed', now_told.* from now_told)
        union all
        (select 'added', now_told.* from now_told except all select 'added', told_before.* from told_before)
    )

    select
        moved.change, of_scheme, of_version, of_period, moved.unit_code, moved.indicator_code, moved.subject_kind,
        moved.subject_id, moved.case_id, moved.assignment_id, moved.callback_id, moved.numerator_value,
        moved.denominator_value, moved.excluded_reason, moved.due_at, moved.occurred_at, moved.lost_points,
        moved.marginal_points
    from moved
$$;
revoke execute on function publish.evidence_moved from public;

alter table mart.fct_case add column repeat_similarity_pct numeric;
update mart.fct_case
set repeat_similarity_pct = 100 * repeat_similarity
where repeat_similarity is not null;
