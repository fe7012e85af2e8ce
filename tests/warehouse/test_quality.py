"""The gates on a real PostgreSQL: who is let in, who is held, what stops a release, and what happens on the way."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from minhu import database
from minhu.errors import BadDeclaration, Refused, Retryable
from minhu.feeds.canonical import EVENT_TYPES, REQUEST_TYPES, SATISFACTION_SCALES, URGENCIES
from minhu.settings import Settings
from minhu.warehouse import quality

DAY = "2026-10-31"
MOBILE, ID_NUMBER = "13812345678", "330106199003078888"

# How rows look that nothing is wrong with: column → SQL expression of n, the row's number.
GOOD = {
    "case": {
        "case_no": "'C' || n",
        "request_type": "'complaint'",
        "category_code": "'0101'",
        "urgency": "'normal'",
        "received_at": "day + time '09:00'",
        "content": "'路灯不亮，请联系138****5678，工单202610310000123456'",
        "caller_masked": "'138****5678'",
        "milestones": "'[]'",
        "payload": """'{"序号": "12345678901234567890"}'""",
    },
    "event": {
        "case_no": "'C' || n",
        "event_type": "'DISPATCH'",
        "occurred_at": "day + time '10:00'",
        "due_at": "day + 3",
        "unit_name": "'城管局'",
        "note": "'已派单'",
        "case_feed_code": "'h1'",
    },
    "callback": {
        "case_no": "'C' || n",
        "called_at": "day + time '11:00'",
        "unit_name": "'城管局'",
        "resolution_code": "'resolved'",
        "satisfaction_scale": "'five'",
        "satisfaction_code": "'satisfied'",
        "reason": "'满意'",
        "case_feed_code": "'h1'",
    },
}
TABLE = {"case": "staging.case_record", "event": "staging.case_event", "callback": "staging.callback"}

# One bad batch per critical rule of the arrival gate, or several where a rule has several ways to fail.
BAD = {
    "arrival.staged_rows": [("case", {"of": {"staged_rows": 11, "received_rows": 11}})],
    "arrival.rejected_rows": [("case", {"rows": 100, "of": {"rejected_rows": 1, "received_rows": 101}})],
    "arrival.control_total": [("callback", {"of": {"control_total": 9}})],
    "arrival.masked_text": [
        ("case", {"content": f"case n when 7 then '请回电{MOBILE}' else '好' end"}),
        ("case", {"address": f"case n when 7 then '证件{ID_NUMBER}' end"}),
        ("case", {"payload": f"""'{{"备用电话": "+86{MOBILE}"}}'"""}),
        ("case", {"caller_masked": f"'{MOBILE}'"}),
        ("event", {"note": f"'机主 {MOBILE}。'"}),
        ("callback", {"reason": f"'{ID_NUMBER[:-1]}x'"}),
    ],
    "arrival.future_rows": [
        ("case", {"received_at": "day + 2"}),
        ("event", {"occurred_at": "case when n < 4 then timestamptz '2027-10-31' else day end", "due_at": "null"}),
    ],
    "arrival.category_present": [("case", {"category_code": "null"})],
    "arrival.dispatch_unit_present": [("event", {"unit_name": "null"})],
    "arrival.callback_outcome_present": [("callback", {"resolution_code": "null", "satisfaction_code": "null"})],
    "arrival.request_type": [("case", {"request_type": f"'{MOBILE}'"})],  # two columns swapped by the sender
    "arrival.urgency": [("case", {"urgency": "case n when 1 then '急' end"})],
    "arrival.event_type": [("event", {"event_type": "'PAIDAN'"})],
    "arrival.resolution_code": [("callback", {"resolution_code": "'solved'"})],
}

# Odd, but nothing to hold a batch for: the rule that tells of it.
ODD = {
    "arrival.old_rows": ("case", {"received_at": "day - 400"}),
    "arrival.rejected_share": ("case", {"of": {"rejected_rows": 5, "received_rows": 15}}),
    "arrival.duplicate_share": ("case", {"of": {"duplicate_rows": 5, "received_rows": 15}}),
    "arrival.category_known": ("case", {"category_code": "'9999'"}),
    "arrival.units_resolved": ("event", {"unit_name": "'某某局'"}),
    "arrival.case_feed_known": ("event", {"case_feed_code": "'h9'"}),
    "arrival.coordinates": ("case", {"longitude": "0", "latitude": "0"}),
    "arrival.due_after_event": ("event", {"due_at": "day - 1"}),
    "arrival.satisfaction_code": ("callback", {"satisfaction_code": "'neutral'"}),
}


EMPTY = (
    "set local session_replication_role = replica; "  # what is published refuses to go with the rest
    "truncate audit.batch, audit.quality_run, audit.build, staging.case_record, staging.case_event, staging.callback,"
    " restricted.rejected_row cascade"
)


class Given:
    """Puts rows where a loader, a build or a scoring would."""

    def __init__(self, settings: Settings):
        self.settings = settings

    def sql(self, statement: str, *values: object) -> list[tuple]:
        with database.connect(self.settings) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def batch(
        self, kind: str = "case", rows: int = 10, *, of: dict | None = None, day: str = DAY, **columns: str
    ) -> int:
        """A loaded batch of ``rows`` rows. ``of`` changes its manifest, ``columns`` its rows."""
        manifest = {"received_rows": rows, "staged_rows": rows, "status": "loaded"} | (of or {})
        (batch_id,) = self.sql(
            "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256,"
            f" source_bytes, order_key, started_at, {', '.join(manifest)}) values ('h1', 'd', %s, %s, 'f',"
            f" gen_random_uuid()::text, 1, 1, now(), {', '.join(['%s'] * len(manifest))}) returning batch_id",
            kind,
            day,
            *manifest.values(),
        )[0]
        columns = GOOD[kind] | columns
        with database.connect(self.settings) as connection:
            connection.execute(
                f"insert into {TABLE[kind]} (feed_code, batch_id, row_number, row_hash, {', '.join(columns)})"
                f" select 'h1', {batch_id}, n, md5(n::text), {', '.join(_typed(*item) for item in columns.items())}"
                f" from generate_series(1, {rows}) as n, (select date '{day}' as day)"
            )
            if of and of.get("rejected_rows") == 5:  # the reject that goes with the odd one, not with the bad one
                connection.execute(
                    "insert into restricted.rejected_row (batch_id, row_number, reason_code, raw)"
                    " select %s, 100 + n, 'MISSING_VALUE', '{}' from generate_series(1, 5) as n",
                    [batch_id],
                )
        return batch_id

    def status(self, batch_id: int) -> str:
        return self.sql("select status from audit.batch where batch_id = %s", batch_id)[0][0]


def _typed(column: str, expression: str) -> str:
    return f"({expression})::jsonb" if column in ("payload", "milestones") else expression


@pytest.fixture(scope="module")
def settings(warehouse: Settings) -> Settings:
    with database.connect(warehouse) as connection:
        connection.execute("insert into config.version (city, sha256) values ('testcity', 'x')")
        connection.execute(
            "insert into config.entry (kind, key, data, since_version)"
            " values ('feed', 'h1', '{}', 1), ('category', '0101', '{}', 1), "
            """('unit_name', '城管局', '{"spans": [{"unit_code": "U1"}]}', 1)"""
        )
    return warehouse


@pytest.fixture(scope="module")
def given(settings: Settings) -> Given:
    return Given(settings)


@pytest.fixture
def empty(given: Given) -> None:
    given.sql(EMPTY)


@pytest.fixture
def suites(tmp_path: Path) -> Callable[[str, Callable[[dict], None]], Path]:
    """Copies the project and lets a test break one of its suites."""

    def broken(name: str, change: Callable[[dict], None]) -> Path:
        root = tmp_path / "expectations"
        shutil.copytree(quality.ROOT, root)
        path = root / "suites" / f"{name}.json"
        suite = json.loads(path.read_text(encoding="utf-8"))
        change(suite)
        path.write_text(json.dumps(suite), encoding="utf-8")
        return root

    return broken


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
    ]
    bad = {rule: [given.batch(kind, **changes) for kind, changes in batches] for rule, batches in BAD.items()}
    odd = {rule: given.batch(kind, **changes) for rule, (kind, changes) in ODD.items()}
    return quality.judge_arrivals(settings), bad, odd, good


def test_every_arrival_rule_has_a_batch_planted_against_it():
    rules = quality.read_rules(quality.ROOT, "arrival")
    assert {rule.id for rule in rules if rule.severity == "critical"} == set(BAD)
    assert {rule.id for rule in rules if rule.severity != "critical"} == set(ODD)


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
    assert rows == [(str(odd[rule]), "warning", False, False), ("all", "warning", False, False)]


def test_the_run_its_results_and_verdicts_are_recorded(judged, given: Given):
    result, bad, _, _ = judged
    assert given.sql("select gate, subject, is_passed, finished_at >= started_at from audit.quality_run") == [
        ("arrival", DAY, False, True)
    ]
    recorded = given.sql("select count(*) from audit.quality_result where subject = 'all'")[0][0]
    assert recorded == result.rules_evaluated == len(BAD) + len(ODD)
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


def test_the_summary_is_ready_for_json(judged):
    told = json.loads(json.dumps(judged[0].summary()))
    assert told["passed"] is False
    assert {batch["rule_ids"][0] for batch in told["held"]} == set(BAD)
    assert {rule["rule_id"] for rule in told["failed_rules"]} == {*BAD, *ODD}


def test_data_docs_tell_the_rules_in_chinese_and_fetch_nothing(judged, settings: Settings):
    index = (settings.data_docs / "index.html").read_text(encoding="utf-8")
    assert "到达检查：批次画像" in index
    assert "有未通过" in index
    pages = [settings.data_docs / link for link in re.findall(r'href="([^"]+)"', index)]
    assert any("自由文本已脱敏" in page.read_text(encoding="utf-8") for page in pages)
    for page in settings.data_docs.rglob("*.html"):
        fetched = re.findall(
            r"<(?:script|link|img|iframe)[^>]*https?:|url\(\W?https?:", page.read_text(encoding="utf-8")
        )
        assert not fetched, page


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
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
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
        quality.release(settings, batch_id, " \n")
    assert given.status(batch_id) == "held"

    quality.release(settings, batch_id, " 与热线核对无误 ")
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
        quality.release(settings, batch_id, "ok")
    with pytest.raises(Refused, match="there is no batch 999999"):
        quality.release(settings, 999999, "ok")
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
    with pytest.raises(BadDeclaration, match="cannot use the files of arrival"):
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
        "select distinct is_passed, is_errored from audit.quality_result where subject = %s", str(case)
    ) == [(False, True)]


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
    gx = quality._great_expectations()
    context = gx.get_context(mode="file", context_root_dir=str(quality.ROOT))
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
    assert rules["arrival.event_type"]["value_set"] == EVENT_TYPES
    named = re.findall(r"'(\w+)'", rules["arrival.satisfaction_code"]["unexpected_rows_query"])
    assert named == ["unrated", *(word for scale, codes in SATISFACTION_SCALES.items() for word in (scale, *codes))]


def test_importing_the_module_does_not_import_great_expectations():
    code = "import sys, minhu.warehouse.quality; sys.exit('great_expectations' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_the_newest_runs_keep_their_pages(settings: Settings, tmp_path: Path):
    settings = replace(settings, home=tmp_path)
    for number in range(1, 41):
        for store in (tmp_path / "quality", settings.data_docs / "validations"):
            (store / "arrival_callback" / f"arrival-{number:06d}").mkdir(parents=True)
    quality._forget_old_runs(settings)
    for store in (tmp_path / "quality", settings.data_docs / "validations"):
        left = sorted(path.name for path in store.glob("*/*"))
        assert left == [f"arrival-{number:06d}" for number in range(12, 41)]  # and the run that is about to start


# -- release -------------------------------------------------------------------------------------------------------

INDICATOR = "mart.fct_unit_indicator"
SCORE = "mart.fct_unit_score"


@pytest.fixture(scope="module")
def scored(given: Given) -> Callable[[], str]:
    """Scores two units in a month of its own, with which nothing is wrong; returns the period."""
    given.sql(EMPTY)
    given.sql(
        "create table mart.fct_indicator_case (scheme_id text, scheme_version text, period text, unit_code text,"
        " indicator_code text, numerator_value numeric, denominator_value numeric, excluded_reason text)"
    )
    given.sql(
        "insert into mart.dim_date (date_on, is_workday, is_makeup_workday, workday_no, calendar_status)"
        " select day, true, false, 1, 'official' from generate_series(date '2025-01-01', '2026-12-31', '1 day') as day"
    )
    (build_id,) = given.sql(
        "insert into audit.build (config_version, code_version, status) values (1, 'x', 'succeeded') returning build_id"
    )[0]
    months = iter(f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13))

    def score() -> str:
        period = next(months)
        key = f"'s 1', 'v', '{period}'"
        given.sql(
            f"insert into mart.score_run values ({key}, date '{period}-01', date '{period}-01' + interval '1 month',"
            f" date '{period}-01' + interval '1 month', {build_id}, 1)"
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
            f"insert into mart.fct_indicator_case values ({key}, 'u1', 'close_on_time', 1, 1, null),"
            f" ({key}, 'u1', 'close_on_time', 0, 1, null), ({key}, 'u1', 'close_on_time', 1, 1, 'statutory'),"
            f" ({key}, 'u1', 'violation', 1, 1, null)"
        )
        batch_id = given.batch(of={"status": "accepted"}, day=f"{period}-15")
        given.sql("insert into audit.build_batch values (%s, %s, 'take')", build_id, batch_id)
        return period

    return score


# Rule → what breaks it in the period that {p} names.
FAULTS = {
    "release.points_in_range": f"update {INDICATOR} set points = 31, points_max = 30 where unit_code = 'u1'"
    f" and indicator_code = 'close_on_time' and period = '{{p}}'; update {SCORE} set raw_points = 29"
    " where unit_code = 'u1' and period = '{p}'",
    "release.counts_in_range": f"update {INDICATOR} set numerator = 3, wilson_low = 0 where unit_code = 'u1'"
    " and period = '{p}' and indicator_code = 'close_on_time'; update mart.fct_indicator_case set numerator_value = 1.5"
    " where period = '{p}' and excluded_reason is null and indicator_code = 'close_on_time'",
    "release.score_in_range": f"update {SCORE} set score_100 = 100.01 where unit_code = 'u1' and period = '{{p}}'",
    "release.ranked_is_scored": f"update {SCORE} set not_ranked_reason = null where period = '{{p}}'",
    "release.units_have_indicators": f"delete from {INDICATOR} where unit_code = 'u2' and period = '{{p}}'",
    "release.indicators_have_score": f"delete from {SCORE} where unit_code = 'u2' and period = '{{p}}'",
    "release.points_add_up": f"update {SCORE} set raw_points = 10.51 where unit_code = 'u1' and period = '{{p}}'",
    "release.cases_add_up": "delete from mart.fct_indicator_case where numerator_value = 0 and period = '{p}'",
    "release.no_unjudged_batch": "update audit.batch set status = 'loaded' where business_date = '{p}-15'",
    "release.no_unbuilt_batch": "delete from audit.build_batch using audit.batch"
    " where batch.batch_id = build_batch.batch_id and business_date = '{p}-15'",
    "release.calendar_official": "update mart.dim_date set calendar_status = 'provisional' where date_on = '{p}-28'",
    "release.no_held_batch": "update audit.batch set status = 'held', reason_code = 'x' where business_date = '{p}-15'",
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_planted_fault_fails_just_its_rule(settings: Settings, given: Given, scored, rule: str):
    period = scored()
    given.sql(FAULTS[rule].replace("{p}", period))
    result = quality.judge_release(settings, period, "s 1", "v")
    assert [failed.rule_id for failed in result.failed_rules] == [rule]
    assert result.passed is (rule == "release.no_held_batch")
    assert given.sql(
        "select gate, subject, is_passed from audit.quality_run where quality_run_id = %s", result.run_id
    ) == [("release", f"s 1 v {period}", result.passed)]
    assert given.sql(
        "select rule_id, subject from audit.quality_result where quality_run_id = %s and not is_passed", result.run_id
    ) == [(rule, period)]


def test_scores_with_which_nothing_is_wrong_may_be_published(settings: Settings, given: Given, scored):
    period = scored()
    result = quality.judge_release(settings, period, "s 1", "v")
    assert (result.passed, result.failed_rules) == (True, ())
    given.sql("alter table mart.fct_indicator_case rename to elsewhere")
    try:
        assert quality.judge_release(settings, period, "s 1", "v").passed
    finally:
        given.sql("alter table mart.elsewhere rename to fct_indicator_case")


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
        " dispatch_row_number) select 'a', 'c', 'lead', 1, ends_at - interval '1 hour', 'working', false, 0, 0, 0, 1, 1"
        " from mart.score_run where period = %s",
        period,
    )
    result = quality.judge_release(settings, period, "s 1", "v")
    assert not result.passed
    assert [(rule.rule_id, rule.observed) for rule in result.failed_rules] == [
        ("release.units_resolved", {"unresolved_assignments": 1}),
        ("release.period_over", {"days_not_over": 2}),
    ]
