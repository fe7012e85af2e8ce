"""What may be published: every fault that stops a release, and what does not."""

from collections.abc import Callable

import pytest

from minhu import database, quality
from minhu.quality import failing
from minhu.settings import Settings
from tests.quality.planted import EMPTY, Given

INDICATOR = "mart.fct_unit_indicator"
SCORE = "mart.fct_unit_score"


@pytest.fixture(scope="module")
def scored(given: Given) -> Callable[[], str]:
    """Scores two units in a month of its own, with which nothing is wrong; returns the period."""
    given.sql(EMPTY)
    given.sql("create table mart.counted_row_of_all partition of mart.counted_row default")
    given.sql(
        "insert into mart.dim_date (date_on, is_workday, is_makeup_workday, workday_no, calendar_status)"
        " select day, true, false, 1, 'official' from generate_series(date '2025-01-01', '2025-12-31', '1 day') as day"
    )
    given.sql(
        "insert into config.entry (kind, key, data, since_version) values ('scheme', 's 1',"
        """ '{"indicators": [{"code": "close_on_time", "is_told_by_rows": true}]}', 1)"""
    )
    (build_id,) = given.sql(
        "insert into audit.build (config_version, code_version, status) values (1, 'x', 'succeeded') returning build_id"
    )[0]
    months = iter(f"{year}-{month:02d}" for year in (2025,) for month in range(1, 13))

    def score() -> str:
        period = next(months)
        run_no = given.sql("select nextval('mart.score_run_no')")[0][0]
        key = f"'s 1', 'v', '{period}'"
        given.sql(
            f"insert into mart.score_run (scheme_id, scheme_version, period, starts_at, ends_at, as_of, build_id,"
            f" config_version, run_no) values ({key}, date '{period}-01', date '{period}-01' + interval '1 month',"
            f" date '{period}-01' + interval '1 month', {build_id}, 1, {run_no})"
        )
        given.sql(
            f"insert into {INDICATOR} (scheme_id, scheme_version, period, unit_code, indicator_code, numerator,"
            f" denominator, points_max, points) values ({key}, 'u1', 'close_on_time', 1, 2, 30, 12.5),"
            f" ({key}, 'u1', 'violation', 1, 1, 0, -2), ({key}, 'u2', 'close_on_time', 0, 0, 30, null)"
        )
        given.sql(
            f"insert into {SCORE} (scheme_id, scheme_version, period, unit_code, peer_group, raw_points, score_100,"
            f" rank_in_group, not_ranked_reason) values ({key}, 'u1', 'g', 10.5, 35, 1, null),"
            f" ({key}, 'u2', 'g', null, null, null, 'no_case')"
        )
        given.sql(
            "insert into mart.counted_row (run_no, scheme_id, period, unit_code, indicator_code, numerator_value,"
            " denominator_value, excluded_reason)"
            f" select {run_no}, 's 1', '{period}', 'u1', told.* from (values ('close_on_time', 1, 1, null),"
            " ('close_on_time', 0, 1, null), ('close_on_time', 1, 1, 'statutory'), ('violation', 1, 1, null)) as told"
        )
        given.sql(
            "insert into mart.fct_evidence (scheme_id, scheme_version, period, unit_code, indicator_code, subject_kind,"
            f" subject_id, numerator_value, denominator_value)"
            f" values ({key}, 'u1', 'close_on_time', 'assignment', 'a', 0, 1)"
        )
        for kind, day in (("case", 15), ("event", 20)):
            batch_id = given.batch(kind, rows=0, of={"status": "accepted"}, day=f"{period}-{day}")
            given.sql("insert into audit.build_batch values (%s, %s, 'take')", build_id, batch_id)
        return period

    return score


@pytest.fixture(scope="module")
def rules() -> Callable[[str], dict[str, str]]:
    """The list of what fails each release rule in a period."""

    def of(period: str) -> dict[str, str]:
        named = {"minhu.scheme_id": "s 1", "minhu.scheme_version": "v", "minhu.period": period}
        return {rule.id: failing.of_release(rule, named) for rule in quality.read_rules(quality.ROOT, "release")}

    return of


REPLICA = "set local session_replication_role = replica;"  # no foreign keys, no triggers
_SAME_DAY = (
    "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256, source_bytes,"
    " received_rows, order_key, started_at, status) values ('h1', 'case', 'case', '{}', 'f', gen_random_uuid()::text,"
    " 1, 0, 1, now(), 'accepted') returning batch_id"
)

# Rule → what breaks it in the period that {p} names.
FAULTS = {
    "release.points_in_range": f"update {INDICATOR} set points = 31, points_max = 30 where unit_code = 'u1'"
    f" and indicator_code = 'close_on_time' and period = '{{p}}'; update {SCORE} set raw_points = 29"
    " where unit_code = 'u1' and period = '{p}'",
    "release.counts_in_range": f"update {INDICATOR} set numerator = 3, wilson_low = 0 where unit_code = 'u1'"
    " and period = '{p}' and indicator_code = 'close_on_time'; update mart.counted_row set numerator_value = 1.5"
    " where period = '{p}' and excluded_reason is null and indicator_code = 'close_on_time'",
    "release.score_in_range": f"update {SCORE} set score_100 = 100.01 where unit_code = 'u1' and period = '{{p}}'",
    "release.ranked_is_scored": f"update {SCORE} set not_ranked_reason = null where period = '{{p}}'",
    "release.units_have_indicators": f"delete from {INDICATOR} where unit_code = 'u2' and period = '{{p}}'",
    "release.indicators_have_score": f"delete from {SCORE} where unit_code = 'u2' and period = '{{p}}'",
    "release.points_add_up": f"update {SCORE} set raw_points = 10.51 where unit_code = 'u1' and period = '{{p}}'",
    "release.cases_add_up": "delete from mart.counted_row where numerator_value = 0 and period = '{p}'",
    "release.no_unjudged_batch": "update audit.batch set status = 'loaded' where business_date = '{p}-15'",
    "release.no_unbuilt_batch": "delete from audit.build_batch using audit.batch"
    " where batch.batch_id = build_batch.batch_id and business_date = '{p}-20'",
    "release.calendar_official": "update mart.dim_date set calendar_status = 'provisional' where date_on = '{p}-28'",
    "release.no_held_batch": "update audit.batch set status = 'held', reason_code = 'x' where business_date = '{p}-15'",
    "release.value_in_range": f"update {INDICATOR} set value = 100.01, wilson_low = 0 where unit_code = 'u1'"
    " and period = '{p}' and indicator_code = 'close_on_time'",
    "release.no_case_lost": "insert into staging.case_record (feed_code, case_no, received_at, batch_id, row_number,"
    " row_hash) select 'h1', 'lost', now(), batch_id, 1, 'x' from audit.batch where business_date = '{p}-15'",
    "release.facts_founded": "insert into mart.fct_case (case_id, feed_code, case_no, received_at, is_excluded,"
    " assignment_count, return_count, rework_count, root_case_id, source_batch_id, source_row_number)"
    " values ('{p}', 'h1', '{p}', '{p}-20', false, 0, 0, 0, '{p}', 0, 1)",
    "release.evidence_founded": "update mart.fct_evidence set case_id = 'nowhere' where period = '{p}'",
    "release.no_unexplained_points": "delete from mart.fct_evidence where period = '{p}'",
    "release.feeds_present": "update audit.batch set feed_code = 'h9' where to_char(business_date, 'YYYY-MM') = '{p}'",
    "release.fingerprint_complete": "update audit.batch set source_sha256 = '' where business_date = '{p}-15'",
    "release.denominators_stable": f"{REPLICA} insert into publish.release (closing_id, scheme_id, scheme_version,"
    " period, revision, is_early, starts_at, ends_at, as_of, build_id, config_version, inputs, input_fingerprint,"
    " content_hash, row_count, closed_by, closed_at, approval_id, approved_by, approved_at, published_by, published_at,"
    " previous_hash, hash) values (0, 's 1', 'v', '{p}', 1, false, now(), now(), now(), 1, 1, '{}', '', '', 1, 'a',"
    " now(), 0, 'b', now(), 'a', now(), '', '');"
    " insert into publish.unit_indicator (release_id, row_no, revision, scheme_id, scheme_version, period, unit_code,"
    " indicator_code, denominator, is_external_denominator, points_max, previous_hash, hash) select max(release_id), 1,"
    " 1, 's 1', 'v', '{p}', 'u1', 'close_on_time', 8, false, 30, '', '' from publish.release",
    "release.days_present": "update audit.batch set business_date = '{p}-01' where business_date = '{p}-15';"
    + "".join(
        f"with came as ({_SAME_DAY.format(f'{{p}}-{day:02}')}) insert into audit.build_batch"
        " select max(build_id), max(batch_id), 'take' from audit.build, came;"
        for day in (8, 22)  # not on the 15th
    ),
    "release.no_escalated_finding": "insert into config.entry (kind, key, data, since_version) values ('quality',"
    """ '2000', '{"valid_from": "2000-01-01", "escalate_after_days": 7}', 1);"""
    " with judged as (insert into audit.quality_run (gate, subject, started_at, finished_at, is_passed)"
    " values ('arrival', '{p}-15', now() - interval '8 days', now(), true) returning quality_run_id)"
    " insert into audit.quality_result (quality_run_id, rule_id, subject, severity, is_passed)"
    " select quality_run_id, 'arrival.category_known', batch_id::text, 'warning', false"
    " from judged, audit.batch where business_date = '{p}-15'",
}
WARNINGS = {"release.no_held_batch", "release.days_present", "release.denominators_stable"}


@pytest.fixture(scope="module")
def october(scored) -> str:
    """A period that every planted fault finds unharmed."""
    return scored()


@pytest.mark.parametrize("rule", FAULTS)
def test_a_planted_fault_fails_just_its_rule(settings: Settings, october: str, rules, rule: str):
    """By the lists of what failed, and undone again: that Great Expectations finds the same is the last test's."""
    with database.connect(settings) as connection:
        connection.execute(FAULTS[rule].replace("{p}", october))
        failed = {told for told, query in rules(october).items() if connection.execute(query).fetchall()}
        connection.rollback()
    assert failed == {rule}


def test_an_absence_that_was_waived_stops_no_release(settings: Settings, given: Given, scored, rules):
    period = scored()
    given.sql("update audit.batch set feed_code = 'h9' where to_char(business_date, 'YYYY-MM') = %s", period)
    absent = rules(period)["release.feeds_present"]
    assert given.sql(absent)[0][2] == {"feed_code": "h1"}
    with database.connect(settings) as connection:
        connection.execute(
            "create or replace view audit.waived_absence as select 'h1'::text as feed_code,"
            " '2025-01-01'::date as first_on, '2027-12-31'::date as last_on"
        )
        assert connection.execute(absent).fetchall() == []
        connection.rollback()


def test_scores_with_which_nothing_is_wrong_may_be_published(settings: Settings, given: Given, scored):
    period = scored()
    result = quality.judge_release(settings, period, "s 1", "v")
    assert (result.passed, result.failed_rules) == (True, ())


def test_what_is_withdrawn_but_still_in_the_facts_stops_a_release(settings: Settings, given: Given, scored):
    period = scored()
    given.sql("update audit.batch set status = 'superseded' where business_date = %s::date", f"{period}-15")
    result = quality.judge_release(settings, period, "s 1", "v")
    assert [(rule.rule_id, rule.observed) for rule in result.failed_rules] == [
        ("release.no_unbuilt_batch", {"unbuilt_batches": 1})
    ]


def test_a_period_that_was_never_scored_is_not_published(settings: Settings, scored):
    result = quality.judge_release(settings, "2024-01", "s 1", "v")
    assert [rule.rule_id for rule in result.failed_rules] == ["release.is_scored", "release.has_units"]
    assert [rule.observed for rule in result.failed_rules] == [{"score_runs": 0}, {"scored_units": 0}]


def test_a_period_that_is_not_over_stops_a_release_and_a_unit_unknown_is_told(settings: Settings, given: Given, scored):
    period = scored()
    given.sql("update mart.score_run set as_of = as_of - interval '36 hours' where period = %s", period)
    given.sql(
        "insert into mart.fct_timeliness (assignment_id, case_id, unit_role, round, dispatched_at, clock,"
        " is_calendar_provisional, return_request_count, return_deny_count, extension_count, dispatch_batch_id,"
        " dispatch_row_number)"
        " select 'a', 'c', 'lead', 1, ends_at - interval '1 hour', 'working', false, 0, 0, 0, max_batch, 1"
        " from mart.score_run, (select max(batch_id) as max_batch from audit.batch) as newest where period = %s",
        period,
    )
    result = quality.judge_release(settings, period, "s 1", "v")
    assert not result.passed
    assert [(rule.rule_id, rule.observed) for rule in result.failed_rules] == [
        ("release.units_resolved", {"unresolved_assignments": 1}),
        ("release.period_over", {"days_not_over": 2}),
    ]


def test_great_expectations_and_the_lists_agree_on_what_failed(settings: Settings, given: Given, scored, rules):
    period = scored()
    for fault in FAULTS.values():
        given.sql(fault.replace("{p}", period))
    listed = {rule: len(rows) for rule, query in rules(period).items() if (rows := given.sql(query))}
    result = quality.judge_release(settings, period, "s 1", "v")
    assert not result.passed
    assert {rule.rule_id: rule.failed_rows for rule in result.failed_rules} == listed
    assert {rule.rule_id for rule in result.failed_rules if rule.severity != "critical"} <= WARNINGS
    assert len(listed) > 10  # some of the faults undo each other
    assert given.sql(
        "select gate, subject, is_passed from audit.quality_run where quality_run_id = %s", result.run_id
    ) == [("release", f"s 1 v {period}", False)]
    kept = given.sql(
        "select rule_id, subject, outcome, failed_rows, reproduce_sql from audit.quality_result"
        " where quality_run_id = %s and not is_passed",
        result.run_id,
    )
    assert {rule_id: len(given.sql(query)) for rule_id, *_, query in kept} == listed
    assert {tuple(row[1:3]) for row in kept} == {(period, "failed")}
