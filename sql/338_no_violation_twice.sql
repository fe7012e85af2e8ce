-- A violation that was entered already is refused, as a point by hand is: the same unit, kind, moment, case and words,
-- while it stands. Whoever presses twice enters it once.
create or replace function assess.enter_violation(
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
    perform pg_advisory_xact_lock(hashtextextended('minhu:violation:' || enter_violation.unit_code, 0));
    select violation.violation_id into written
    from assess.violation
    where
        violation.unit_code = enter_violation.unit_code
        and violation.violation_code = enter_violation.violation_code
        and violation.found_at = enter_violation.found_at
        and violation.case_id is not distinct from enter_violation.case_id
        and violation.assignment_id is not distinct from enter_violation.assignment_id
        and violation.reason = btrim(enter_violation.reason)
        and violation.revokes_violation_id is null
        and not exists (
            select from assess.violation as later where later.revokes_violation_id = violation.violation_id
        )
    limit 1;
    if found then
        raise exception 'the same was entered already, as violation %', written;
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
