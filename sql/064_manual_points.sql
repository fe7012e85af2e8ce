-- Zero is a number of points too: what a unit earned by hand (答复规范) may be nothing.
alter table assess.manual_point
    drop constraint manual_point_points_check,
    add constraint manual_point_points_check check (points not in ('NaN', 'Infinity', '-Infinity'));

create or replace function assess.enter_manual_point(
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
