"""The gates on a real PostgreSQL: who is let in, who is held, what stops a release, and what happens on the way."""

import hashlib
import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from minhu import database, quality
from minhu.errors import BadDeclaration, Refused, Retryable
from minhu.feeds.canonical import REQUEST_TYPES, SATISFACTION_SCALES, URGENCIES
from minhu.quality import gx
from minhu.settings import Settings
from tests.quality.planted import BAD, DAY, GOOD, ID_NUMBER, MOBILE, ODD, Given
from tests.quality.test_learned import BROKEN, UNUSUAL

# -- arrival -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(
    settings: Settings, given: Given
) -> tuple[quality.GateResult, dict[str, list[int]], dict[str, int], list[int]]:
    """One run over good, bad and odd batches together: result, bad ones by rule, odd ones by rule, good ones."""
    good = [given.batch(kind) for kind in GOOD] + [
        given.batch("case", rows=0),
        given.batch("case", rows=2, category_code="null"),  # too few to say that the column is missing
        given.batch("event", event_type="'CLOSE'", unit_name="null"),
        given.batch("case", received_at="day + 1 + time '08:00'"),  # the morning after still belongs to the file
        given.batch("case", rows=20, received_at="case when n < 3 then day + 9 else day end"),  # two of twenty
        given.batch("case", rows=20, case_no="'T' || n"),  # whose events are told too early by others
    ]
    bad = {rule: [given.batch(kind, **changes) for kind, changes in batches] for rule, batches in BAD.items()}
    odd = {rule: given.batch(kind, **changes) for rule, (kind, changes) in ODD.items()}
    return quality.judge_arrivals(settings), bad, odd, good


def test_every_arrival_rule_has_a_batch_planted_against_it():
    rules = quality.read_rules(quality.ROOT, "arrival")
    assert {rule.id for rule in rules if rule.severity == "critical"} == {*BAD, *BROKEN}
    assert {rule.id for rule in rules if rule.severity != "critical"} == {*ODD, *UNUSUAL}


def test_good_and_odd_batches_are_accepted(judged, given: Given):
    result, _, odd, good = judged
    assert set(result.accepted) == {*good, *odd.values()}
    assert {given.status(batch_id) for batch_id in result.accepted} == {"accepted"}


@pytest.mark.parametrize("rule", BAD)
def test_a_critical_rule_holds_just_its_batches(judged, given: Given, rule: str):
    result, bad, _, _ = judged
    held = {batch.batch_id: batch for batch in result.held}
    assert [batch_id for batch_id, batch in held.items() if batch.rule_ids == (rule,)] == bad[rule]
    for batch_id in bad[rule]:
        status, code, reason = given.sql(
            "select status, reason_code, reason from audit.batch where batch_id = %s", batch_id
        )[0]
        assert (status, code) == ("held", rule)
        assert re.search(r"^未通过 failed .*[\u4e00-\u9fff].* / [a-z].* \(\w+ = ", reason), reason


@pytest.mark.parametrize("rule", ODD)
def test_a_warning_is_recorded_against_its_batch_and_holds_nothing(judged, given: Given, rule: str):
    result, _, odd, _ = judged
    rows = given.sql(
        "select subject, severity, is_passed, is_errored from audit.quality_result"
        " where quality_run_id = %s and rule_id = %s order by subject",
        result.run_id,
        rule,
    )
    severity = "info" if rule == "arrival.delivered_in_time" else "warning"
    assert rows == [(str(odd[rule]), severity, False, False), ("all", severity, False, False)]


def test_the_run_its_results_and_verdicts_are_recorded(judged, given: Given):
    result, bad, _, _ = judged
    assert given.sql("select gate, subject, is_passed, finished_at >= started_at from audit.quality_run") == [
        ("arrival", DAY, False, True)
    ]
    recorded = given.sql("select count(*) from audit.quality_result where subject = 'all'")[0][0]
    assert recorded == result.rules_evaluated == len(BAD) + len(ODD) + len(BROKEN) + len(UNUSUAL)
    masked = given.sql(
        "select observed, expected from audit.quality_result where rule_id = 'arrival.masked_text' and subject = %s",
        str(bad["arrival.masked_text"][0]),
    )
    assert masked == [({"unmasked_rows": 1}, {"column": "unmasked_rows", "max_value": 0})]
    verdicts = dict(given.sql("select batch_id, verdict from audit.batch_verdict"))
    assert verdicts == dict.fromkeys(result.accepted, "accepted") | {b.batch_id: "held" for b in result.held}
    assert given.sql("select distinct decided_by = session_user, quality_run_id from audit.batch_verdict") == [
        (True, result.run_id)
    ]


def test_every_result_lists_its_failing_rows_again(judged, given: Given):
    """As an auditor pastes it: the same keys as were kept, as many as were counted, of every rule and every batch."""
    result, bad, odd, _ = judged
    told = given.sql(
        "select rule_id, batch_id, feed_code, delivery, outcome, failed_rows, reproduce_sql from audit.quality_result"
        " where quality_run_id = %s",
        result.run_id,
    )
    by_batch = {(rule_id, batch_id): rows for rule_id, batch_id, *_, rows, _ in told}
    assert by_batch["arrival.masked_text", bad["arrival.masked_text"][0]] == 1
    assert by_batch["arrival.request_type", bad["arrival.request_type"][0]] == 10
    assert by_batch["arrival.category_known", odd["arrival.category_known"]] == 10
    assert by_batch["arrival.staged_rows", bad["arrival.staged_rows"][0]] == 1  # the batch as a whole
    for rule_id, batch_id, feed, delivery, outcome, failed_rows, query in told:
        assert (feed, delivery is None) == (("h1", False) if batch_id else (None, True))
        assert outcome == ("failed" if failed_rows else "passed"), rule_id
        kept = given.sql(
            "select batch_id, row_number, key from audit.quality_failed_row where quality_run_id = %s and rule_id = %s"
            " and batch_id = coalesce(%s, batch_id)",
            result.run_id,
            rule_id,
            batch_id,
        )
        again = given.sql(query)
        assert len(again) == failed_rows, rule_id
        assert sorted(map(repr, again)) == sorted(map(repr, kept)), rule_id
    [(keys,)] = given.sql("select jsonb_agg(key)::text from audit.quality_failed_row")
    assert not [secret for secret in (MOBILE, ID_NUMBER) if secret in keys]


def test_the_summary_is_ready_for_json(judged):
    told = json.loads(json.dumps(judged[0].summary()))
    assert told["passed"] is False
    assert {batch["rule_ids"][0] for batch in told["held"]} == set(BAD)
    assert {rule["rule_id"] for rule in told["failed_rules"]} == {*BAD, *ODD}


def test_data_docs_tell_the_rules_in_chinese_and_fetch_nothing(judged, settings: Settings):
    index = (settings.data_docs / "index.html").read_text(encoding="utf-8")
    assert "入库门禁：批次画像" in index
    rows = re.findall(
        r'<tr><td>.*?</td><td>(.*?)</td><td>.*?</td><td class="(.*?)">(.*?)</td><td>(.*?)</td></tr>', index
    )
    assert {(about, run) for about, _, _, run in rows} == {("2026-10-31", "arrival-000001")}
    said = {(shade, re.sub(r"\d+", "n", told)) for _, shade, told, _ in rows}
    assert ("text-danger", "未通过：严重 n 条，警告 n 条 failed") in said, said
    pages = [settings.data_docs / link for link in re.findall(r'href="([^"]+)"', index)]
    assert any("文字已脱敏" in page.read_text(encoding="utf-8") for page in pages)
    for page in settings.data_docs.rglob("*.html"):
        fetched = re.findall(
            r"<(?:script|link|img|iframe)[^>]*https?:|url\(\W?https?:", page.read_text(encoding="utf-8")
        )
        assert not fetched, page
        told = page.read_text(encoding="utf-8")
        assert 'name="viewport"' in told and "@media (max-width: 720px)" in told, f"{page} on a phone"


def test_no_value_of_a_citizen_and_no_password_is_written_to_a_file(judged, settings: Settings):
    password = psycopg.conninfo.conninfo_to_dict(settings.database_url).get("password") or MOBILE
    for path in settings.home.rglob("*"):
        if path.is_file() and path.suffix in (".html", ".json"):
            text = path.read_text(encoding="utf-8")
            assert not [secret for secret in (MOBILE, ID_NUMBER[:-1], password) if secret in text], path


def test_the_profile_measures_what_was_planted(judged, given: Given):
    _, bad, odd, good = judged
    measured = {}
    for batch_id, metric, value in given.sql("select batch_id, metric, value from audit.batch_profile"):
        measured.setdefault(batch_id, {})[metric] = value
    assert set(measured) == {*good, *odd.values(), *(batch_id for ids in bad.values() for batch_id in ids)}
    case, empty_case = measured[good[0]], measured[good[3]]
    assert case["received_rows"] == case["staged_rows"] == 10
    assert case["future_pct"] == case["category_null_pct"] == case["unknown_category_pct"] == 0
    assert "dispatch_unit_null_pct" not in case
    assert empty_case["staged_gap_rows"] == 0
    assert "future_pct" not in empty_case
    assert measured[bad["arrival.future_rows"][1]]["future_pct"] == 30
    assert measured[odd["arrival.units_resolved"]]["unresolved_unit_pct"] == 100
    assert measured[odd["arrival.case_feed_known"]]["unknown_feed_rows"] == 10
    assert measured[odd["arrival.rejected_share"]]["rejected_pct"] == Decimal("33.33")


@pytest.mark.usefixtures("empty")
def test_what_a_sender_does_not_have_is_not_missed(settings: Settings, given: Given):
    """A feed without categories, areas and phones, and one of dispatches without units."""
    blank = given.batch("case", category_code="null", of={"has_no": ["category_code", "area_code", "caller_phone"]})
    no_unit = given.batch("event", unit_name="null", of={"has_no": ["unit_name", "due_at"]})
    half = given.batch("callback", resolution_code="null", satisfaction_code="null", of={"has_no": ["contact_code"]})
    result = quality.judge_arrivals(settings)
    assert set(result.accepted) == {blank, no_unit}
    assert [batch.batch_id for batch in result.held] == [
        half
    ]  # of three answers it says only that one is not asked for
    measured = {name for (name,) in given.sql("select metric from audit.batch_profile where batch_id <> %s", half)}
    assert not measured & {"category_null_pct", "area_null_pct", "caller_null_pct", "dispatch_unit_null_pct"}
    assert "text_null_pct" in measured


@pytest.mark.usefixtures("empty")
def test_versions_of_one_case_in_one_file_are_no_clash(settings: Settings, given: Given):
    told = given.batch("case", case_no="'C' || n / 5", status="'第' || n || '步'", title="'路灯'")
    two = given.batch("case", rows=11, case_no="case when n > 3 then 'C' || n else 'C1' end", title="'第' || n || '件'")
    assert set(quality.judge_arrivals(settings).accepted) == {
        told,
        two,
    }  # two rows of eleven may be a slip of the sender


@pytest.mark.usefixtures("empty")
def test_a_second_run_finds_nothing_to_judge(settings: Settings, given: Given):
    batch_id = given.batch()
    assert quality.judge_arrivals(settings).accepted == (batch_id,)
    again = quality.judge_arrivals(settings)
    assert (again.run_id, again.accepted, again.passed) == (None, (), True)
    assert given.sql("select count(*) from audit.quality_run") == [(1,)]


@pytest.mark.usefixtures("empty")
def test_two_runs_at_once_judge_each_batch_once(settings: Settings, given: Given):
    batches = [given.batch(kind) for kind in GOOD]
    results: list[quality.GateResult] = []
    runs = [threading.Thread(target=lambda: results.append(quality.judge_arrivals(settings))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(result.accepted for result in results) == [(), tuple(batches)]
    assert given.sql("select count(*) from audit.batch_verdict") == [(3,)]


@pytest.mark.usefixtures("empty")
def test_a_run_with_work_of_its_own_waits_for_the_one_before_it(settings: Settings, given: Given):
    first, late, results = given.batch(), [], []
    following = threading.Thread(target=lambda: results.append(quality.judge_arrivals(settings)))

    def progress(message: str) -> None:
        if message.startswith("judging"):
            late.append(given.batch())
            following.start()
            until = time.monotonic() + 20
            while time.monotonic() < until and following.is_alive() and not _waits_for_the_gate(given):
                time.sleep(0.05)
            assert _waits_for_the_gate(given)

    assert quality.judge_arrivals(settings, progress=progress).accepted == (first,)
    following.join()
    assert [result.accepted for result in results] == [tuple(late)]


def _waits_for_the_gate(given: Given) -> bool:
    waiting = (
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'transactionid'"
    )
    return given.sql(waiting) == [(1,)]


@pytest.mark.usefixtures("empty")
def test_a_batch_that_arrives_or_is_withdrawn_meanwhile_waits_for_the_next_run(settings: Settings, given: Given):
    first, busy = given.batch(), given.batch()
    late: list[int] = []

    def progress(message: str) -> None:
        if message.startswith("judging"):
            late.append(given.batch(content=f"'{MOBILE}'"))

    with database.connect(settings) as replaying:
        # A gate that waits for this transaction fails the test instead of hanging it.
        replaying.execute("set idle_in_transaction_session_timeout = '30s'")
        replaying.execute("select from audit.batch where batch_id = %s for update", [busy])
        result = quality.judge_arrivals(settings, progress=progress)
    assert (result.accepted, result.held) == ((first,), ())
    assert (given.status(late[0]), given.status(busy)) == ("loaded", "loaded")
    following = quality.judge_arrivals(settings)
    assert (following.accepted, [batch.batch_id for batch in following.held]) == ((busy,), late)


@pytest.mark.usefixtures("empty")
def test_a_database_that_goes_away_decides_nothing(settings: Settings, given: Given):
    batch_id = given.batch(content=f"'{MOBILE}'")

    def progress(message: str) -> None:
        if message.startswith("judging"):
            given.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )

    with pytest.raises(Retryable, match="went away"):
        quality.judge_arrivals(settings, progress=progress)
    assert given.status(batch_id) == "loaded"
    assert given.sql("select count(*) from audit.quality_run") == [(0,)]
    assert quality.judge_arrivals(settings).held[0].batch_id == batch_id


@pytest.mark.usefixtures("empty")
def test_a_rule_whose_query_is_cut_off_decides_nothing(settings: Settings, given: Given, suites):
    def endless(suite: dict) -> None:
        suite["expectations"][2]["kwargs"]["unexpected_rows_query"] = "select batch_id, pg_sleep(5) from {batch}"

    given.batch(longitude="1", latitude="1")
    given.sql("alter role current_user in database " + _name(settings) + " set statement_timeout = '400ms'")
    try:
        with pytest.raises(Retryable, match="went away"):
            quality.judge_arrivals(settings, root=suites("arrival_case_record", endless))
    finally:
        given.sql("alter role current_user in database " + _name(settings) + " reset statement_timeout")
    assert given.sql("select status from audit.batch") == [("loaded",)]


def _name(settings: Settings) -> str:
    return psycopg.conninfo.conninfo_to_dict(settings.database_url)["dbname"]


# -- held batches --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("empty")
def test_a_held_batch_stays_out_until_somebody_says_why(settings: Settings, given: Given):
    batch_id = given.batch(category_code="null")
    quality.judge_arrivals(settings)
    assert quality.judge_arrivals(settings).run_id is None
    (held,) = quality.list_held(settings)
    assert json.loads(json.dumps(held)) == held
    assert (held["batch_id"], held["business_date"], held["reason_code"]) == (batch_id, DAY, "arrival.category_present")
    with pytest.raises(Refused, match="say why"):
        quality.release_batch(settings, batch_id, " \n")
    assert given.status(batch_id) == "held"

    quality.release_batch(settings, batch_id, " 与热线核对无误 ")
    assert given.status(batch_id) == "accepted"
    assert quality.list_held(settings) == []
    verdicts = given.sql(
        "select verdict, why, quality_run_id is null, decided_by = session_user from audit.batch_verdict"
        " where batch_id = %s order by verdict_id",
        batch_id,
    )
    assert [verdict[0] for verdict in verdicts] == ["held", "accepted"]
    assert verdicts[1] == ("accepted", "与热线核对无误", True, True)


@pytest.mark.usefixtures("empty")
def test_only_a_held_batch_is_released(settings: Settings, given: Given):
    batch_id = given.batch()
    with pytest.raises(Refused, match=f"batch {batch_id} is loaded, not held"):
        quality.release_batch(settings, batch_id, "ok")
    with pytest.raises(Refused, match="there is no batch 999999"):
        quality.release_batch(settings, 999999, "ok")
    assert given.sql("select count(*) from audit.batch_verdict") == [(0,)]


# -- suites --------------------------------------------------------------------------------------------------------


def _misspell_type(suite: dict) -> None:
    suite["expectations"][0]["type"] = "expect_column_values_to_be_betwen"


def _misspell_key(suite: dict) -> None:
    suite["expectations"][0]["severty"] = "critical"


def _misspell_argument(suite: dict) -> None:
    suite["expectations"][0]["kwargs"]["max_valeu"] = 0


def _forgive_some(suite: dict) -> None:
    suite["expectations"][0]["kwargs"]["mostly"] = 0.9


def _list_values(suite: dict) -> None:
    suite["expectations"][0]["kwargs"]["result_format"] = "COMPLETE"


def _repeat_an_id(suite: dict) -> None:
    suite["expectations"][1]["meta"]["id"] = suite["expectations"][0]["meta"]["id"]


def _disagree_on_severity(suite: dict) -> None:
    suite["expectations"][0]["meta"]["severity"] = "warning"


def _invent_a_dimension(suite: dict) -> None:
    suite["expectations"][0]["meta"]["dimension"] = "可靠性"


def _invent_an_owner(suite: dict) -> None:
    suite["expectations"][0]["meta"]["owner"] = "张三"


def _leave_out_the_basis(suite: dict) -> None:
    del suite["expectations"][0]["meta"]["basis"]


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_misspell_type, "expect_column_values_to_be_betwen"),
        (_misspell_key, r"arrival_batch_profile.json:\d+: expectations.0.severty"),
        (_misspell_argument, "max_valeu"),
        (_forgive_some, "does not know mostly"),
        (_list_values, "take result_format out of kwargs"),
        (_repeat_an_id, "two rules have the id arrival.staged_rows"),
        (_disagree_on_severity, "severity says critical, meta.severity warning"),
        (_invent_a_dimension, r"arrival_batch_profile.json:\d+: expectations.0.meta.dimension"),
        (_invent_an_owner, r"arrival_batch_profile.json:\d+: expectations.0.meta.owner"),
        (_leave_out_the_basis, r"arrival_batch_profile.json:\d+: expectations.0.meta.basis: missing; it is required"),
    ],
)
def test_a_slip_in_a_suite_stops_the_gate_and_is_named(settings: Settings, given: Given, suites, change, told: str):
    batch_id = given.batch()
    with pytest.raises(BadDeclaration, match=told):
        quality.judge_arrivals(settings, root=suites("arrival_batch_profile", change))
    assert given.status(batch_id) == "loaded"


def test_an_expectation_that_great_expectations_drops_silently_is_missed(settings: Settings, suites):
    with pytest.raises(
        BadDeclaration, match=r"release\.score_in_range: .*does not know 'expect_column_values_to_be_be"
    ):
        quality.judge_release(settings, "2026-10", "s", "v", root=suites("release_unit_score", _misspell_type))


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("validation_definitions/arrival_callback.json", '"callback"', '"calback"'),  # no such asset
        ("great_expectations.yml", "staging.callback as", "staging.calback as"),  # an asset whose query cannot run
        ("great_expectations.yml", "fluent_datasources:", "fluent_datasources: calback"),  # no YAML
        ("suites/arrival_callback.json", '"expectations": [', '"expectations": [}'),  # no JSON
    ],
)
def test_a_project_that_cannot_be_used_stops_the_gate(
    settings: Settings, given: Given, suites, file: str, right: str, wrong: str
):
    batch_id = given.batch()
    root = suites("arrival_callback", lambda suite: None)
    text = (root / file).read_text(encoding="utf-8")
    assert right in text
    (root / file).write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(BadDeclaration, match=r"cannot use the files|\.(yml|json):\d+"):
        quality.judge_arrivals(settings, root=root)
    assert given.status(batch_id) == "loaded"


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_an_errored_rule_counts_as_failed_at_its_severity(settings: Settings, given: Given, suites, severity: str):
    def break_query(suite: dict) -> None:
        rule = suite["expectations"][2]
        rule["kwargs"]["unexpected_rows_query"] = "select batch_id from {batch} where no_such_column > 1"
        rule["severity"] = rule["meta"]["severity"] = severity
        rule["meta"]["on_failure"] = "hold" if severity == "critical" else "report"

    case, event = given.batch("case"), given.batch("event")
    result = quality.judge_arrivals(settings, root=suites("arrival_case_record", break_query))
    (failed,) = result.failed_rules
    assert (failed.rule_id, failed.is_errored) == ("arrival.coordinates", True)
    assert failed.observed == {"error": "UndefinedColumn"}
    held = (case,) if severity == "critical" else ()
    assert tuple(batch.batch_id for batch in result.held) == held
    assert result.passed is (severity == "warning")
    assert event in result.accepted
    assert given.sql(
        "select distinct is_passed, is_errored, outcome, failed_rows from audit.quality_result where subject = %s",
        str(case),
    ) == [(False, True, "errored", None)]


@pytest.mark.usefixtures("empty")
def test_a_rule_that_is_renamed_begins_anew_and_its_history_stays(settings: Settings, given: Given, suites):
    def rename(suite: dict) -> None:
        suite["expectations"][0]["meta"]["id"] = "arrival.resolution_known"

    told = "select since <= until, rule_hash from audit.quality_rule where rule_id = %s"
    given.batch("callback", resolution_code="'solved'")
    quality.judge_arrivals(settings)
    [(_, known_as)] = given.sql(told, "arrival.resolution_code")
    (rule,) = [rule for rule in quality.read_rules(quality.ROOT, "arrival") if rule.id == "arrival.resolution_code"]
    assert known_as == rule.hash
    given.batch("callback", resolution_code="'solved'")
    quality.judge_arrivals(settings, root=suites("arrival_callback", rename))
    assert given.sql(told, "arrival.resolution_code") == [(True, known_as)]
    [(until, anew)] = given.sql(told, "arrival.resolution_known")
    assert until is None and anew != known_as
    kept = (
        "select distinct rule_id from audit.quality_result where rule_id like 'arrival.resolution%%' and not is_passed"
    )
    assert sorted(given.sql(kept)) == [("arrival.resolution_code",), ("arrival.resolution_known",)]
    [(others,)] = given.sql("select count(*) from audit.quality_rule where until is null and rule_id like 'arrival.%%'")
    assert others == len(quality.read_rules(quality.ROOT, "arrival"))  # nobody else's version changed


@pytest.mark.usefixtures("empty")
def test_a_missing_column_is_an_errored_rule_too(settings: Settings, given: Given, suites):
    def judge_nothing(suite: dict) -> None:
        suite["expectations"][0]["kwargs"]["column"] = "no_such_column"

    batch_id = given.batch("callback")
    result = quality.judge_arrivals(settings, root=suites("arrival_callback", judge_nothing))
    assert [(rule.rule_id, rule.is_errored) for rule in result.failed_rules] == [("arrival.resolution_code", True)]
    assert [batch.batch_id for batch in result.held] == [batch_id]


@pytest.mark.usefixtures("empty")
def test_a_gate_writes_nothing_into_the_project(settings: Settings, given: Given):
    def fingerprint() -> dict[Path, str]:
        paths = [path for path in quality.ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    before = fingerprint(), list(sys.path)
    given.batch()
    quality.judge_arrivals(settings)
    assert (fingerprint(), sys.path) == before


def test_great_expectations_own_tools_open_the_project_as_it_is(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MINHU_HOME", str(settings.home))
    monkeypatch.setenv("MINHU_DATABASE_URL", settings.database_url)
    context = gx.engine().get_context(mode="file", context_root_dir=str(quality.ROOT))
    assert context.config.analytics_enabled is False
    assert {suite.name for suite in context.suites.all()} == {path.stem for path in quality.ROOT.glob("suites/*.json")}
    for gate in ("arrival", "release"):
        checkpoint = context.checkpoints.get(gate)
        loaded = sum(len(definition.suite.expectations) for definition in checkpoint.validation_definitions)
        assert loaded == len(quality.read_rules(quality.ROOT, gate))
        assert checkpoint.is_fresh().success


def test_the_suites_speak_the_vocabulary_of_the_canonical_layout():
    rules = {rule.id: dict(rule.kwargs) for rule in quality.read_rules(quality.ROOT, "arrival")}
    assert rules["arrival.request_type"]["value_set"] == list(REQUEST_TYPES)
    assert rules["arrival.urgency"]["value_set"] == list(URGENCIES)
    named = re.findall(r"'(\w+)'", rules["arrival.satisfaction_code"]["unexpected_rows_query"])
    assert named == ["unrated", *(word for scale, codes in SATISFACTION_SCALES.items() for word in (scale, *codes))]


def test_importing_the_module_does_not_import_great_expectations():
    code = "import sys, minhu.quality; sys.exit('great_expectations' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_the_newest_runs_keep_their_pages(settings: Settings, tmp_path: Path):
    settings = replace(settings, home=tmp_path)
    for number in range(1, 41):
        for store in (tmp_path / "quality", settings.data_docs / "validations"):
            (store / "arrival_callback" / f"arrival-{number:06d}").mkdir(parents=True)
    gx._forget_old_runs(settings)
    for store in (tmp_path / "quality", settings.data_docs / "validations"):
        left = sorted(path.name for path in store.glob("*/*"))
        assert left == [f"arrival-{number:06d}" for number in range(12, 41)]  # and the run that is about to start
