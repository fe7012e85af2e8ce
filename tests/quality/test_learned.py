"""Limits that a delivery's own history gives: what breaks them, what is merely unusual, and what has no history."""

import pytest

from minhu import quality
from minhu.settings import Settings
from tests.quality.planted import Given

HISTORY = ("2026-10-13", "2026-10-29")
TODAY = "2026-10-30"  # a Friday, as the eleven Tuesdays to Fridays before it a workday after a workday
ROWS = 200

USUAL = {
    "case": {
        "received_at": "day + make_interval(hours => (8 + n % 10)::int)",
        "category_code": "(array['0101', '0102', '0103'])[1 + n % 3]",
        "request_type": "(array['complaint', 'help', 'consult'])[1 + n % 3]",
        "area_code": "'330102'",
        "caller_token": "'t' || n",
    },
    "event": {"case_no": "'E' || n", "occurred_at": "day + make_interval(hours => (9 + n % 8)::int)"},
    "callback": {
        "called_at": "day + make_interval(hours => (9 + n % 8)::int)",
        "satisfaction_code": "case when n % 5 = 0 then 'dissatisfied' when n % 2 = 0 then 'satisfied'"
        " else 'very_satisfied' end",
        "resolution_code": "case when n % 4 = 0 then 'unresolved' else 'resolved' end",
    },
}

# Critical rule → the batch that breaks it: kind, rows, columns.
BROKEN = {
    "arrival.not_empty": ("case", 0, {}),
    "arrival.volume_broken": ("event", ROWS // 2, {}),
    "arrival.fields_lost": ("case", ROWS, {"area_code": "null"}),
    "arrival.codes_lost": ("event", ROWS, {"unit_name": "'市城管委'"}),
    "arrival.content_new": ("case", ROWS, {"row_hash": "(select row_hash from staging.case_record as told"
                                                       " where told.row_number = n order by batch_id desc limit 1)"}),
    "arrival.numbers_distinct": ("case", ROWS, {"case_no": "'C' || n % 3"}),
    "arrival.cases_known": ("callback", ROWS, {"case_no": "'X' || n"}),
    "arrival.distribution_broken": ("callback", ROWS, {"satisfaction_code": "'very_satisfied'"}),
    "arrival.clock_right": ("case", ROWS, {"received_at": "day + make_interval(hours => (16 + n % 10)::int)"}),
    "arrival.hours_broken": ("event", ROWS, {"occurred_at": "day", "due_at": "day + 3"}),
    "arrival.fresh": ("callback", ROWS, {"called_at": "day - 9 + make_interval(hours => (9 + n % 8)::int)"}),
}  # fmt: skip

# The same of warnings: the batch is accepted.
UNUSUAL = {
    "arrival.volume_usual": ("event", ROWS - 85, {}),
    "arrival.fields_usual": ("case", ROWS, {"area_code": "case when n % 3 > 0 then '330102' end"}),
    "arrival.codes_usual": ("case", ROWS, {"area_code": "case when n % 5 > 0 then '330102' else '999999' end"}),
    "arrival.rows_clean": ("case", ROWS, {"of": {"duplicate_rows": 20, "received_rows": ROWS + 20}}),
    "arrival.distribution_usual": ("case", ROWS, {"request_type": "(array['complaint', 'help', 'help'])[1 + n % 3]"}),
    "arrival.hours_usual": (
        "event",
        ROWS,
        {"occurred_at": "day + make_interval(hours => (case when n % 2 = 0 then 22 else 9 + n % 8 end)::int)"},
    ),
    "arrival.timely": (
        "event",
        ROWS,
        {"occurred_at": "day - case when n % 2 = 0 then 3 else 0 end + make_interval(hours => (9 + n / 2 % 8)::int)",
         "due_at": "day + 9"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def past(settings: Settings, given: Given) -> None:
    """Seventeen days of three deliveries, accepted."""
    days = given.sql("select day::date::text from generate_series(%s::timestamp, %s, '1 day') as day", *HISTORY)
    for (day,) in days:
        for kind, columns in USUAL.items():
            given.batch(kind, ROWS, day=day, **columns)
    assert len(quality.judge_arrivals(settings).accepted) == 3 * len(days) == 51


@pytest.fixture(scope="module")
def today(past: None, settings: Settings, given: Given) -> tuple[quality.GateResult, dict[str, int], dict[str, int]]:
    """One run over a usual batch of each kind, the broken and the unusual ones, and the like without history."""

    def deliver(kind: str, rows: int, columns: dict, feed: str = "h1") -> int:
        return given.batch(kind, rows, day=TODAY, feed=feed, **USUAL[kind] | columns)

    usual = {f"usual {kind}": deliver(kind, ROWS, {}) for kind in USUAL}
    planted = {rule: deliver(*how) for rule, how in (BROKEN | UNUSUAL).items()}
    fresh = {rule: deliver(*how, feed="h3") for rule, how in BROKEN.items()}
    return quality.judge_arrivals(settings), usual | planted, fresh


def failed(given: Given, batch_id: int) -> dict[str, str]:
    return dict(
        given.sql("select rule_id, severity from audit.quality_result where batch_id = %s and not is_passed", batch_id)
    )


@pytest.mark.parametrize("rule", BROKEN)
def test_what_breaks_with_its_history_is_held(today, given: Given, rule: str):
    result, batches, _ = today
    held = {batch.batch_id: batch for batch in result.held}
    assert rule in held[batches[rule]].rule_ids
    assert "usual" in held[batches[rule]].reason or "_rows = " in held[batches[rule]].reason


@pytest.mark.parametrize("rule", UNUSUAL)
def test_what_is_unusual_is_accepted_with_a_warning(today, given: Given, rule: str):
    result, batches, _ = today
    assert batches[rule] in result.accepted
    assert failed(given, batches[rule])[rule] == "warning"


def test_what_is_usual_passes_every_rule(today, given: Given):
    _, batches, _ = today
    assert [failed(given, batches[f"usual {kind}"]) for kind in USUAL] == [{}, {}, {}]


def test_a_feed_without_history_is_judged_by_what_holds_for_all(today, given: Given):
    result, _, fresh = today
    one_number = fresh["arrival.numbers_distinct"]  # three numbers for all cases need no history to be seen
    assert {*fresh.values()} - {one_number} <= set(result.accepted)
    assert failed(given, one_number) == {"arrival.one_case_a_number": "critical"}
    assert given.sql("select count(*) from audit.batch_threshold where batch_id = any(%s)", [*fresh.values()]) == [(0,)]


def test_the_limits_in_force_are_kept_with_what_they_were_learned_from(today, given: Given):
    _, batches, _ = today
    limits = given.sql(
        "select value, usual, spread, low_hard, low_soft, high_soft, high_hard, compared_with, earlier_batches"
        " from audit.batch_threshold where batch_id = %s and metric = 'staged_rows'",
        batches["arrival.volume_broken"],
    )
    # sqrt(200) = 14.14 by chance; 45 % fewer is more than six of them, 40 % than four
    assert [tuple(map(str, row)) for row in limits] == [
        ("100", "200.00", "14.14", "110.00", "120.00", "280.00", "600.00", "day_kind", "11")
    ]
    observed = given.sql(
        "select observed from audit.quality_result where batch_id = %s and rule_id = 'arrival.volume_broken'",
        batches["arrival.volume_broken"],
    )
    assert observed == [({"staged_rows": {"value": 100, "usual": 200, "low": 110, "high": 600}},)]
    clock = "select value from audit.batch_profile where metric = 'clock_moved_hours' and batch_id = %s"
    assert given.sql(clock, batches["arrival.clock_right"]) == [(8,)]


def test_codes_that_no_register_knows_are_not_named_in_a_distribution(today, given: Given):
    _, batches, _ = today
    told = given.sql(
        "select codes from audit.batch_distribution where batch_id = %s and dimension = 'unit'",
        batches["arrival.codes_lost"],
    )
    assert told == [({"?": ROWS},)]


def test_every_result_lists_its_failing_rows_again(today, given: Given):
    """As an auditor pastes it: the same keys as were kept, as many as were counted."""
    result, _, _ = today
    told = given.sql(
        "select rule_id, batch_id, failed_rows, reproduce_sql from audit.quality_result where quality_run_id = %s",
        result.run_id,
    )
    for rule_id, batch_id, failed_rows, query in told:
        again = given.sql(query)
        kept = given.sql(
            "select batch_id, row_number, key from audit.quality_failed_row where quality_run_id = %s and rule_id = %s"
            " and batch_id = coalesce(%s, batch_id)",
            result.run_id,
            rule_id,
            batch_id,
        )
        assert len(again) == failed_rows, rule_id
        assert sorted(map(repr, again)) == sorted(map(repr, kept)), rule_id
    assert sum(failed_rows for _, _, failed_rows, _ in told) > 0
