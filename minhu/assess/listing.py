"""Reading what was decided. What a login sees is the database's matter: a unit's its own appeals, no more."""

from psycopg.rows import dict_row

from minhu import database
from minhu.errors import foreign
from minhu.settings import Settings

LISTINGS = {
    "appeals": """
        select appeal_id, state, period, unit_code, feed_code, case_no, assignment_id, published_rows, indicator_codes,
            grounds_code, statement, evidence_ref, filed_by, filed_at, decide_by, reason_code, reason, from_revision,
            decided_by, decided_at
        from assess.appeal_state
        where (%(period)s::text is null or period = %(period)s) and (%(unit)s::text is null or unit_code = %(unit)s)
            and (%(state)s::text is null or state = %(state)s)
        order by appeal_id
    """,
    # In force as the facts have it, confirmed since the last build, not confirmed, or ended.
    "exclusions": """
        with revocation as (
            select made.*
            from assess.exclusion as made
            join assess.decision_of_two as of_two
                on of_two.kind = 'exclusion' and of_two.decision_id = made.exclusion_id and of_two.state = 'confirmed'
        ),
        decided as (
            select 'decision:' || made.exclusion_id as exclusion_id, made.case_id, made.assignment_id,
                made.indicator_codes, made.reason_code, made.reason, made.decided_by, made.decided_at,
                of_two.state as stands, of_two.judged_by,
                revocation.decided_by as revoked_by, revocation.decided_at as revoked_at
            from assess.exclusion as made
            join assess.decision_of_two as of_two
                on of_two.kind = 'exclusion' and of_two.decision_id = made.exclusion_id
            left join revocation on revocation.revokes_exclusion_id = made.exclusion_id
            where made.revokes_exclusion_id is null and made.revokes_appeal_id is null
            union all
            select 'appeal:' || appeal.appeal_id, appeal.case_id, appeal.assignment_id, appeal.indicator_codes,
                made.reason_code, made.reason, made.decided_by, made.decided_at, of_two.state, of_two.judged_by,
                revocation.decided_by, revocation.decided_at
            from assess.appeal_decision as made
            join assess.decision_of_two as of_two
                on of_two.kind = 'appeal_decision' and of_two.decision_id = made.decision_id
            join assess.appeal using (appeal_id)
            left join revocation on revocation.revokes_appeal_id = appeal.appeal_id
            where of_two.state <> 'rejected'
        )
        select coalesce(decided.exclusion_id, built.exclusion_id) as exclusion_id,
            case
                when decided.revoked_at is not null then 'revoked'
                when decided.stands = 'awaits' then 'awaits_confirmation'
                when decided.stands = 'rejected' then 'rejected'
                when built.exclusion_id is null then 'next_build'
                else 'in_force'
            end as state,
            cases.feed_code, cases.case_no, coalesce(decided.assignment_id, built.assignment_id) as assignment_id,
            coalesce(decided.indicator_codes, built.indicator_codes) as indicator_codes,
            coalesce(decided.reason_code, built.reason_code) as reason_code, decided.reason, decided.decided_by,
            coalesce(decided.decided_at, built.decided_at) as decided_at, decided.judged_by, decided.revoked_by,
            decided.revoked_at
        from decided
        full join mart.fct_exclusion as built using (exclusion_id)
        left join mart.fct_case as cases on cases.case_id = coalesce(decided.case_id, built.case_id)
        order by decided_at, exclusion_id
    """,
    "manual-points": """
        select point.manual_point_id,
            case
                when bool_or(verdict.verdict = 'rejected') then 'rejected'
                when in_force.manual_point_id is not null then 'in_force'
                when count(verdict.verdict) = 0 then 'awaits_approval'
                when point.revokes_manual_point_id is not null then 'approved'
                else 'revoked'
            end as state,
            point.scheme_id, point.period, point.unit_code, point.indicator_code, point.points, point.reason,
            point.evidence_ref, point.entered_by, point.entered_at,
            string_agg(verdict.approved_by, ' ' order by verdict.approval_id) as judged_by,
            point.revokes_manual_point_id
        from assess.manual_point as point
        left join assess.manual_point_in_force as in_force using (manual_point_id)
        left join assess.approval as verdict
            on verdict.subject_kind = 'manual_point' and verdict.subject_id = point.manual_point_id::text
        group by point.manual_point_id, in_force.manual_point_id
        order by point.manual_point_id
    """,
    "violations": """
        select made.violation_id,
            case
                when revocation.violation_id is not null then 'revoked'
                when of_two.state = 'confirmed' then 'in_force'
                when of_two.state = 'awaits' then 'awaits_confirmation'
                else of_two.state
            end as state,
            made.unit_code, made.violation_code, made.found_at, cases.feed_code, cases.case_no, made.assignment_id,
            made.reason, made.evidence_ref, made.entered_by, made.entered_at, of_two.judged_by,
            revocation.entered_by as revoked_by, revocation.entered_at as revoked_at
        from assess.violation as made
        join assess.decision_of_two as of_two
            on of_two.kind = 'violation' and of_two.decision_id = made.violation_id
        left join (
            select back.*
            from assess.violation as back
            join assess.decision_of_two as told
                on told.kind = 'violation' and told.decision_id = back.violation_id and told.state = 'confirmed'
        ) as revocation on revocation.revokes_violation_id = made.violation_id
        left join mart.fct_case as cases on cases.case_id = made.case_id
        where made.revokes_violation_id is null
        order by made.violation_id
    """,
    "waivers": """
        select made.waiver_id,
            case
                when revocation.waiver_id is not null then 'revoked'
                when in_force.waiver_id is not null then 'in_force'
                else 'expired'
            end as state,
            made.rule_id, made.feed_code, made.scheme_id, made.period, made.reason, made.expires_on, made.waived_by,
            made.waived_at, revocation.waived_by as revoked_by, revocation.waived_at as revoked_at
        from assess.waiver as made
        left join assess.waiver as revocation on revocation.revokes_waiver_id = made.waiver_id
        left join assess.waiver_in_force as in_force on in_force.waiver_id = made.waiver_id
        where made.revokes_waiver_id is null
            and (%(state)s::text is null or (%(state)s = 'in_force') = (in_force.waiver_id is not null))
        order by made.waiver_id
    """,
    "delivery_waivers": """
        select made.delivery_waiver_id,
            case
                when in_force.delivery_waiver_id is null then 'revoked'
                when made.last_on < (clock_timestamp() at time zone mart.city_zone())::date then 'expired'
                else 'in_force'
            end as state,
            made.feed_code, made.delivery, made.first_on, made.last_on, made.reason, made.waived_by, made.waived_at
        from assess.delivery_waiver as made
        left join assess.delivery_waiver_in_force as in_force using (delivery_waiver_id)
        where made.revokes_id is null
            and (%(state)s::text is null or (%(state)s = 'in_force') = (in_force.delivery_waiver_id is not null))
        order by made.delivery_waiver_id
    """,
    "findings": """
        select rule_id, severity, feed_code, scheme_id, period, subject, first_failed_at, last_failed_at, failures,
            age_days, waiver_id, waived_until, is_escalated
        from audit.open_finding
        where %(state)s::text is null or is_escalated
        order by is_escalated desc, severity, waiver_id is not null, age_days desc, rule_id, subject
    """,
    # What one person decided and no other has confirmed or rejected; revocations too.
    "unconfirmed": """
        select case when of_two.kind = 'appeal_decision' then 'appeal' else of_two.kind end as subject_kind,
            coalesce(decision.appeal_id, of_two.decision_id) as subject_id,
            coalesce(
                'revokes ' || coalesce(
                    'decision:' || excluded.revokes_exclusion_id, 'appeal:' || excluded.revokes_appeal_id,
                    'violation ' || found.revokes_violation_id, 'manual_point ' || point.revokes_manual_point_id
                ),
                excluded.reason_code, found.violation_code, decision.reason_code,
                point.indicator_code || ' ' || point.points
            ) as what,
            coalesce(appeal.unit_code, found.unit_code, point.unit_code, duty.unit_code) as unit_code,
            cases.feed_code, cases.case_no,
            coalesce(excluded.reason, found.reason, decision.reason, point.reason) as reason,
            of_two.made_by, of_two.made_at
        from assess.decision_of_two as of_two
        left join assess.exclusion as excluded
            on of_two.kind = 'exclusion' and excluded.exclusion_id = of_two.decision_id
        left join assess.violation as found on of_two.kind = 'violation' and found.violation_id = of_two.decision_id
        left join assess.manual_point as point
            on of_two.kind = 'manual_point' and point.manual_point_id = of_two.decision_id
        left join assess.appeal_decision as decision
            on of_two.kind = 'appeal_decision' and decision.decision_id = of_two.decision_id
        left join assess.appeal on appeal.appeal_id = decision.appeal_id
        left join mart.fct_timeliness as duty on duty.assignment_id = excluded.assignment_id
        left join mart.fct_case as cases
            on cases.case_id = coalesce(excluded.case_id, found.case_id, appeal.case_id)
        where of_two.state = 'awaits'
        order by of_two.made_at, subject_kind, subject_id
    """,
    "remarks": """
        select told.remark_id, told.state, told.closing_id, told.scheme_id, told.period, told.unit_code,
            told.indicator_code, cases.feed_code, cases.case_no, told.statement, told.filed_by, told.filed_at,
            told.reason, told.answered_by, told.answered_at
        from assess.remark_state as told
        left join mart.fct_case as cases on cases.case_id = told.case_id
        where (%(period)s::text is null or told.period = %(period)s)
            and (%(unit)s::text is null or told.unit_code = %(unit)s)
            and (%(state)s::text is null or told.state = %(state)s)
        order by told.remark_id
    """,
    "approvals": """
        select approval_id, subject_kind, subject_id, verdict, reason, approved_by, approved_at
        from assess.approval
        order by approval_id
    """,
}


def listing(settings: Settings, what: str, **wanted: str | None) -> list[dict]:
    """The rows of one of LISTINGS. ``wanted``: period, unit, state; None for all."""
    with (
        database.connect(settings) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
        foreign.told("read", user=connection.info.user, what=what, instead="see `minhu logins list`"),
    ):
        return cursor.execute(LISTINGS[what], {"period": None, "unit": None, "state": None} | wanted).fetchall()
