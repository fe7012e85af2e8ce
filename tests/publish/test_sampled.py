"""A published result checked by a sample of its cases: what was altered is told when its case was drawn."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from minhu import database
from minhu.cli import minhu
from minhu.publish import close, publish, render_verification, revise, verify
from minhu.publish.recompute import OF_OTHERS
from minhu.settings import Settings
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import IN_TIME, LATE, UNWITNESSED, case, deliver, login, rows
from tests.publish.forging import write_hashes_anew, write_the_log_anew

MONTH = "2026-10"
OTHER_CALLER = {"来电号码": "13700000000"}
SEPTEMBER = {"受理时间": "2026-09-28 08:30:00", "转办时间": "2026-09-28 09:00:00", "来电号码": "13700000001"}
CASES = [
    *world.FIRST,
    case(20, "城管局", **LATE, **OTHER_CALLER),
    case(21, "城管局", **IN_TIME, **OTHER_CALLER, 受理时间="2026-10-12 08:40:00"),  # repeats 20
    case(22, "交通局", **IN_TIME, **OTHER_CALLER, 受理时间="2026-10-12 08:50:00"),  # transferred from 23
    case(23, "城管局", **LATE),
    # open when the month began, nothing told since: its limit ends in the month
    case(30, "城管局", **SEPTEMBER, 办结时间="", 办理期限="2026-10-09 00:00"),
    case(31, "城管局", **SEPTEMBER, 办结时间="", 办理期限=""),
    # done before the month: it does not count
    case(32, "城管局", **SEPTEMBER, 办结时间="2026-09-29 10:00:00", 办理期限=""),
    # the limit that its row tells is all that it has of the month
    case(33, "城管局", **SEPTEMBER, 办结时间="2026-09-29 10:00:00", 办理期限="2026-10-09 00:00"),
]
OF_THE_MONTH = {*range(1, 9), *range(20, 24), 30, 31, 33}


def with_repeats(scheme: str) -> str:
    """The scheme, counting repeats in the place of returns."""
    for key in ("code", "measure"):
        scheme = scheme.replace(f"{key}: return_rate", f"{key}: repeat_rate")
    return scheme


def no(number: int) -> str:
    return case(number, "")["工单编号"]


def case_id(number: int) -> str:
    return hashlib.md5(f"h1|{no(number)}".encode(), usedforsecurity=False).hexdigest()


IDS = {number: case_id(number) for number in OF_THE_MONTH}


def drawn(seed: str, cases: int, ids: dict[int, str] = IDS) -> list[int]:
    """Which cases a seed draws, as the page says it: those with the smallest sha256(seed|case_id)."""
    return sorted(ids, key=lambda one: hashlib.sha256(f"{seed}|{ids[one]}".encode()).digest())[:cases]


def seed_of(fits: Callable[[list[int]], bool], cases: int, ids: dict[int, str] = IDS) -> str:
    return next(seed for seed in map(str, range(10_000)) if fits(drawn(seed, cases, ids)))


def built(scratch, folder: Path) -> Settings:
    made = world.make(scratch, folder, CASES, scheme=with_repeats)
    with database.connect(made) as owner:
        owner.execute(
            "update staging.case_record set upstream_feed_code = 'h1', upstream_case_no = %s where case_no = %s",
            [no(23), no(22)],
        )
    events = [{"case_no": no(7), "event_type": "MERGE", "occurred_at": "2026-10-25 09:00:00", "result_code": no(8)}]
    deliver(made, events, delivery="events")
    build(made, full_refresh=True)
    return made


def released(city: Settings) -> Settings:
    world.judge(login(city, "k_shen", "evaluator"), close(city, MONTH))
    publish(city, MONTH, why=UNWITNESSED)
    return city


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory) -> Settings:
    return built(scratch, tmp_path_factory.mktemp("sampled"))


@pytest.fixture(scope="module")
def published(scratch, tmp_path_factory) -> Settings:
    return released(built(scratch, tmp_path_factory.mktemp("sampled_and_published")))


def altered(settings: Settings, *statements: str) -> Settings:
    with database.connect(settings) as owner:
        owner.execute("set session_replication_role = replica")
        for statement in statements:
            assert owner.execute(statement).rowcount, statement
    return settings


def forged(settings: Settings, *statements: str) -> Settings:
    """What was published is altered, and every hash and the log written anew."""
    altered(settings, *statements)
    with database.connect(settings) as owner:
        write_hashes_anew(owner)
        write_the_log_anew(owner)
    return settings


def check(settings: Settings, cases: int, seed: str, revision: int | None = None):
    return verify(settings, MONTH, revision, files=0, cases=cases, seed=seed)


def test_an_honest_release_passes_whatever_is_drawn(published):
    """One by one: what a case rests on is read with it, or its repeat, its transfer or its merge came out otherwise."""
    for number in (8, 21, 22):
        found = check(published, 1, seed_of(lambda those, wanted=number: those == [wanted], 1))
        assert found.is_ok and found.differences == (), (number, found.differences)
        assert (found.cases.cases, found.cases.of_cases) == (1, len(OF_THE_MONTH))
    repeats = "select 1 from publish.evidence where indicator_code = 'repeat_rate' and case_id = %s"
    assert (
        rows(published, repeats, case_id(21))
        and rows(published, "select 1 from pg_class where relname = 'released'") == []
    )


LATE_IS_IN_TIME = (
    "update mart.fct_timeliness set closed_at = closed_at - interval '8 days', closed_in_time_at = closed_at"
    " - interval '8 days', is_closed_on_time = true where case_id = '{}'"
)
KEPT_OUT = "delete from mart.fct_timeliness where case_id = '{}'"
BEFORE_THE_CLOSING = {
    "a fact was altered": (5, LATE_IS_IN_TIME.format(case_id(5)), "close_on_time"),
    "one was altered so that the unit lost nothing": (8, LATE_IS_IN_TIME.format(case_id(8)), "close_on_time"),
    "an open one of the month before was kept out": (31, KEPT_OUT.format(case_id(31)), "close_on_time"),
}


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[pytest.mark.long] if "altered" in what else []) for what in BEFORE_THE_CLOSING]
)
def test_facts_that_were_altered_before_the_closing_are_told_when_drawn(city, copied, what):
    number, statement, indicator = BEFORE_THE_CLOSING[what]
    copy = released(altered(copied(city), statement))
    found = check(copy, 3, seed_of(lambda those: number in those, 3))
    assert not found.is_ok and found.findings == () and found.differences
    assert indicator in {one.indicator_code for one in found.differences}
    assert "不符之处见上" in render_verification(found)
    missed = check(copy, 3, seed_of(lambda those: number not in those, 3))
    assert missed.is_ok, missed.differences


def test_a_staged_row_that_was_altered_since_is_told_when_drawn(published, copied):
    """Of the facts in mart nothing is needed."""
    late = "update staging.case_record set milestones = replace(milestones::text, '2026-10-13', '2026-10-23')::jsonb"
    copy = altered(copied(published), f"{late} where case_no = '{no(1)}'", "delete from mart.fct_case")
    found = check(copy, 2, seed_of(lambda those: 1 in those, 2))
    (one,) = [one for one in found.differences if one.indicator_code == "close_on_time"]
    assert (one.case, one.published, one.recomputed) == (f"h1 {no(1)}", "无", "有")
    assert check(copy, 2, seed_of(lambda those: 1 not in those, 2)).is_ok


def of_evidence(number: int, indicator: str = "close_on_time") -> str:
    return f"case_id = '{case_id(number)}' and indicator_code = '{indicator}'"


def of_frozen(number: int, indicator: str = "close_on_time") -> str:
    return (
        f"kind = 'evidence' and data ->> 'case_id' = '{case_id(number)}' and data ->> 'indicator_code' = '{indicator}'"
    )


def test_evidence_that_was_altered_with_all_its_hashes_is_told_when_drawn(published, copied):
    later = "2026-10-22T00:00:00+08:00"
    copy = forged(
        copied(published),
        f"update publish.evidence set occurred_at = '{later}' where {of_evidence(5)}",
        f'update publish.frozen_row set data = data || \'{{"occurred_at": "{later}"}}\' where {of_frozen(5)}',
    )
    found = check(copy, 2, seed_of(lambda those: 5 in those, 2))
    assert {(one.case, one.column) for one in found.differences} == {(f"h1 {no(5)}", "occurred_at")}
    assert found.findings == () and found.access.is_ok
    assert check(copy, 2, seed_of(lambda those: 5 not in those, 2)).is_ok


def test_evidence_of_a_case_that_nobody_sent_is_too_much_when_drawn(published, copied):
    """It counts for nobody, so no sum tells it. The release names the case, so it may be drawn."""
    nobody, as_text = (
        "f" * 32,
        '{"case_id": "%s", "excluded_reason": "returned", "numerator_value": 0, "denominator_value": 0}',
    )
    changed = (as_text % nobody).replace("'", "''")
    copy = copied(published)
    before = rows(copy, f"select count(*) from publish.evidence where {of_evidence(5)}")
    assert before == [(1,)]
    forged(
        copy,
        "insert into publish.evidence select (jsonb_populate_record(told, '" + changed + "' || jsonb_build_object("
        " 'subject_id', 'x', 'row_no', (select max(row_no) + 1000 from publish.evidence)))).*"
        f" from publish.evidence as told where {of_evidence(5)}",
    )
    ids = IDS | {99: nobody}
    found = check(copy, 2, seed_of(lambda those: 99 in those, 2, ids))
    (one,) = found.differences
    assert (one.case, one.published, one.recomputed) == (nobody, "有", "无") and found.cases.of_cases == len(ids)
    assert check(copy, 2, seed_of(lambda those: 99 not in those, 2, ids)).differences == ()


def test_a_count_that_its_evidence_does_not_make_is_told_whatever_is_drawn(published, copied):
    copy = forged(
        copied(published),
        f"delete from publish.evidence where {of_evidence(5)}",
        f"delete from publish.frozen_row where {of_frozen(5)}",
    )
    found = check(copy, 1, seed_of(lambda those: 5 not in those and 23 not in those, 1))
    (one,) = found.differences
    assert (one.table, one.unit_code, one.indicator_code) == ("unit_indicator", "U1", "close_on_time")
    assert (one.column, int(one.published) - int(one.recomputed)) == ("denominator - numerator", 1)
    assert found.findings == () and 0 < found.cases.sums < found.cases.of_sums


def test_points_that_their_counts_do_not_make_are_told_whatever_is_drawn(published, copied):
    copy = forged(
        copied(published),
        "update publish.unit_score set score_100 = 99.5 where unit_code = 'U2'",
        "update publish.frozen_row set data = data || '{\"score_100\": 99.5}'"
        " where kind = 'unit_score' and data ->> 'unit_code' = 'U2'",
        "update publish.unit_indicator set points = 0.5 where unit_code = 'U1' and indicator_code = 'close_on_time'",
        "update publish.frozen_row set data = data || '{\"points\": 0.5}' where kind = 'unit_indicator'"
        " and data ->> 'unit_code' = 'U1' and data ->> 'indicator_code' = 'close_on_time'",
    )
    found = check(copy, 1, seed_of(lambda those: those == [1], 1))
    told = {(one.unit_code, one.indicator_code, one.column) for one in found.differences}
    assert found.findings == () and told >= {("U2", None, "score_100"), ("U1", "close_on_time", "points")}


@pytest.mark.long
def test_all_cases_say_what_the_whole_says(published, copied):
    """In what both compare: the rows of evidence, but for what a row costs, which hangs on all the others."""
    late = "update staging.case_record set milestones = replace(milestones::text, '2026-10-13', '2026-10-23')::jsonb"
    copy = altered(copied(published), f"{late} where case_no in ('{no(1)}', '{no(3)}', '{no(21)}')")
    sampled, whole = check(copy, 10_000, "x"), verify(copy, MONTH, files=0)
    assert sampled.cases.cases == sampled.cases.of_cases == len(OF_THE_MONTH)
    assert set(sampled.cases.chances.values()) == {1.0}
    of_rows = {one for one in whole.differences if one.table == "evidence" and one.column not in OF_OTHERS}
    assert of_rows == {one for one in sampled.differences if one.table == "evidence"} and len(of_rows) >= 3
    ok = check(published, 10_000, "x")
    assert ok.differences == () and ok.cases.evidence == rows(published, "select count(*) from publish.evidence")[0][0]


@pytest.mark.long
def test_a_release_that_later_builds_moved_on_from_is_checked_as_it_was(published, copied):
    copy = copied(published)
    deliver(copy, [case(5, "城管局", **IN_TIME), case(40, "交通局", **LATE), case(1, "城管局", **LATE)])
    build(copy)
    assert check(copy, 10_000, "x").is_ok
    world.judge(login(copy, "k_shen", "evaluator"), revise(copy, MONTH, why="补报"))
    publish(copy, MONTH, why=UNWITNESSED)
    was, now = (check(copy, 10_000, "x", revision) for revision in (1, 2))
    assert was.is_ok and now.is_ok, (was.differences, now.differences)
    assert (was.cases.of_cases, now.cases.of_cases) == (len(OF_THE_MONTH), len(OF_THE_MONTH) + 1)
    assert was.cases.evidence != now.cases.evidence


@pytest.mark.long
def test_the_command_line_says_what_was_drawn_and_what_that_is_worth(published, monkeypatch):
    for name, value in (
        ("MINHU_HOME", published.home), ("MINHU_CONFIG", published.config),
        ("MINHU_DATABASE_URL", published.database_url),
    ):  # fmt: skip
        monkeypatch.setenv(name, str(value))
    words = ("verify", MONTH, "--files", "0", "--cases", "3", "--seed", "s")
    done = CliRunner().invoke(minhu, [*words])
    assert done.exit_code == 0, done.output
    assert f"抽查工单 3/{len(OF_THE_MONTH)} 件（种子 s）" in done.stdout and "1 件 20.0%，10 件 89.3%" in done.stdout
    assert "未核对  未抽中的工单" in done.stdout and "重算一致" not in done.stdout
    assert f"抽查 {MONTH}：3 件工单的事实" in done.stderr
    told = json.loads(CliRunner().invoke(minhu, [*words, "--json"]).stdout)["cases"]
    assert (told["seed"], told["cases"], told["of_cases"]) == ("s", 3, len(OF_THE_MONTH))
    assert told["chances"]["10"] == pytest.approx(1 - 0.8**10) and told["not_checked"]
    fresh = [json.loads(CliRunner().invoke(minhu, [*words[:-2], "--json"]).stdout) for _ in range(2)]
    assert len({one["cases"]["seed"] for one in fresh}) == 2
    assert all(one["cases"]["seed"] == one["files"]["seed"] for one in fresh)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--bundle", "x.zip", "--cases", "3"), "--bundle says itself what it holds"),
        (("--access", "--cases", "3"), "--cases computes drawn cases of a PERIOD anew"),
        ((MONTH, "--chain-only", "--cases", "3"), "--cases computes drawn cases of a PERIOD anew"),
        ((MONTH, "--cases", "0"), "0 is not in the range"),
    ],
)
def test_what_does_not_go_with_it_is_refused(words, told):
    done = CliRunner().invoke(minhu, ["verify", *words])
    assert done.exit_code == 2 and told in done.output


def test_a_login_that_may_not_compute_is_told_so(published):
    found = verify(login(published, "k_wu", "auditor"), MONTH, cases=3)
    assert found.cases is None and any("重算须由数据仓库的所有者执行" in note for note in found.notes)
