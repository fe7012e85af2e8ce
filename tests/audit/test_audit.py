"""What auditors pull of a small October, reckoned by hand.

The city has one hotline that the unit U1 runs, with a case and an event delivery, and a hotline that nobody runs and
that never delivers. The hotline delivers from 28 to 31 October.
"""

import hashlib
import json
from dataclasses import replace
from datetime import date

import pytest
import yaml
from click.testing import CliRunner

from minhu import cli, database
from minhu.audit.feeds import feed_scores, render_feeds
from minhu.audit.report import read_audit, write_report
from minhu.audit.report.accounts import accounts
from minhu.audit.report.chapters import chapters
from minhu.audit.report.fair import fair
from minhu.audit.report.results import coverage, scores
from minhu.audit.sample import as_file, draw, redraw
from minhu.audit.trace import trace
from minhu.audit.trace_text import render_trace
from minhu.errors import BadDelivery, Refused, SourceAway
from minhu.glossary.delivered import QUALITY_PART
from minhu.load import load_delivery, load_file
from minhu.paper.blocks import Figure, Table, Text, texts
from minhu.scoring import explain, render, score
from minhu.scoring.fairness import Edge
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.build import build
from tests import given
from tests.publish.city import login

MONTH = "2026-10"
UNITS = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from
U1,城管局,department,1,dept,true,市城管局,2020-01-01
U2,交通局,department,2,dept,false,,2020-01-01
"""
QUALITY = {
    "valid_from": "2020-01-01",
    "completeness_points": 10,
    "content_points": 10,
    "timeliness_points": 5,
    "stability_points": 5,
    "content": ["rejected_pct", "category_null_pct"],
    "due_time": "06:00",
}
INDICATOR = """  - code: data_quality
    name_zh: 数据质量分
    measure: data_quality
    moment: occurred_at
    points: 30
    scoring: {function: proportional}
limits:"""
CITIZEN = ("13800001111", "138****1111", "王某", "路灯不亮", "井盖丢失")
CASE = "330100202610010001"
TWO_LEADS = "330100202610010008"


CASES = [given.ROW | {"工单编号": f"33010020261001{number:04}"} for number in range(1, 9)]
CORRECTED = CASES[0] | {"办结时间": "2026-10-30 18:00:00", "主要内容": "井盖丢失"}
EVENTS = [
    {"case_no": CASE, "event_type": "DISPATCH", "occurred_at": "2026-10-12 09:00:00", "unit_name": "城管局"},
    {"case_no": CASE, "event_type": "CLOSE", "occurred_at": "2026-10-13 10:10:00", "unit_name": "城管局"},
    {"case_no": "nobody", "event_type": "CLOSE", "occurred_at": "2026-10-13 10:10:00", "unit_name": "城管局"},
    {"case_no": CASE, "event_type": "CLOSE", "occurred_at": "2026-10-14 10:10:00", "unit_name": "交通局"},
    {"case_no": TWO_LEADS, "event_type": "DISPATCH", "occurred_at": "2026-10-12 09:00:00", "unit_name": "城管局"},
    {"case_no": TWO_LEADS, "event_type": "DISPATCH", "occurred_at": "2026-10-12 11:00:00", "unit_name": "交通局"},
]


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "config"
    calendar = (PROJECT_ROOT / "config" / "calendar.csv").read_text(encoding="utf-8")
    runs = given.feed("h1", unit="U1", deliveries=[given.CASES, given.EVENTS])
    given.config(folder, [runs, given.feed("h2")], units=UNITS, calendar=calendar)
    text = yaml.safe_dump(given.CITY | {"feed_quality": [QUALITY]}, allow_unicode=True)
    (folder / "city.yml").write_text(text, encoding="utf-8")
    (folder / "schemes").mkdir()
    scheme = (PROJECT_ROOT / "tests" / "scoring" / "given" / "exam.yml").read_text(encoding="utf-8")
    scheme = scheme.replace("limits:", INDICATOR, 1)
    (folder / "schemes" / "exam.yml").write_text(scheme, encoding="utf-8")
    made = scratch(folder)
    deliver(made, "cases", 28, CASES)
    deliver(made, "events", 28, EVENTS)
    look_in_vain(made, 30)  # what comes on the 30th later is late
    deliver(made, "cases", 30, [CORRECTED])
    with pytest.raises(BadDelivery):
        deliver(made, "cases", 31, [{"columns": "of another file"}])
    deliver(made, "cases", 31, CASES[1:3])
    accept(made)
    build(made)
    score(made, MONTH)
    return made


def deliver(city, delivery: str, day: int, rows: list[dict]) -> None:
    path = city.drop / "h1" / f"{delivery}_{day}.csv"
    if delivery == "cases" and "工单编号" in rows[0]:
        given.case_file(path, rows)
    else:
        given.csv_file(path, rows)
    load_file("h1", delivery, path, date(2026, 10, day), settings=city)


def look_in_vain(city, day: int) -> None:
    (attempt,) = load_delivery("h1", "cases", date(2026, 10, day), settings=city)
    assert attempt.outcome == "nothing_delivered"


def accept(city) -> None:
    """What the gate leaves: a profile, a verdict and the results of two rules; the first batch failed one of them."""
    with database.connect(city) as connection:
        run_id = connection.execute(
            "insert into audit.quality_run (gate, subject, finished_at, is_passed)"
            " values ('arrival', '2026-10', clock_timestamp(), true) returning quality_run_id"
        ).fetchone()[0]
        loaded = connection.execute("select min(batch_id) from audit.batch where status = 'loaded'").fetchone()[0]
        connection.execute(
            "insert into audit.batch_profile select batch_id, metric, value from audit.batch cross join (values"
            " ('rejected_pct', 0), ('category_null_pct', 0)) as told (metric, value)"
            " where status = 'loaded' and kind = 'case'"
        )
        connection.execute(
            "update audit.batch_profile set value = 25 where batch_id = 1 and metric = 'category_null_pct'"
        )
        connection.execute(
            "insert into audit.batch_verdict (batch_id, verdict, quality_run_id, why)"
            " select batch_id, 'accepted', %(run)s, 'no critical rule failed' from audit.batch where status = 'loaded'",
            {"run": run_id},
        )
        connection.execute(
            "insert into audit.quality_result (quality_run_id, rule_id, subject, severity, is_passed)"
            " values (%(run)s, 'arrival.staged_rows', 'all', 'critical', true),"
            " (%(run)s, 'arrival.rejected_share', 'all', 'warning', false),"
            " (%(run)s, 'arrival.rejected_share', %(batch)s::text, 'warning', false)",
            {"run": run_id, "batch": loaded},
        )
        connection.execute("update audit.batch set status = 'accepted' where status = 'loaded'")


def run(city, *arguments: str):
    environment = {
        "MINHU_HOME": str(city.home),
        "MINHU_CONFIG": str(city.config),
        "MINHU_DATABASE_URL": city.database_url,
    }
    return CliRunner().invoke(cli.minhu, ["audit", *arguments], env=environment)


def query(city, text: str) -> list[tuple]:
    with database.connect(city) as connection:
        return connection.execute(text).fetchall()


# The data quality of feeds


def test_a_feed_has_its_points_and_each_point_lost_its_cause(city):
    """Both deliveries are expected on four days; cases came on three, events on one."""
    hotline = next(one for one in feed_scores(city, MONTH) if one.feed_code == "h1")
    counted = {part.part: (str(part.points), int(part.numerator), int(part.denominator)) for part in hotline.parts}
    assert counted == {
        "completeness": ("5.00", 4, 8),
        "content": ("9.09", 20, 22),  # 8 + 1 + 2 rows by two shares; a quarter of the 8 has no category
        "timeliness": ("2.50", 2, 4),  # looked for in vain on the 30th, refused on the 31st, then come late
        "stability": ("4.00", 4, 5),
    }
    for part in hotline.parts:
        assert sum(round(100 * loss["points"]) for loss in part.lost) == 100 * (part.points_max - part.points)
    assert [loss["on"] for loss in hotline.part("timeliness").lost] == ["2026-10-30", "2026-10-31"]
    told = render_feeds(feed_scores(city, MONTH, "h1"))
    assert "cases 2026-10-29 未送达" in told and "整批拒收（批次" in told and "cases 事项分类为空 2/" in told


def test_a_feed_that_never_delivered_has_no_points(city):
    nobody = next(one for one in feed_scores(city, MONTH) if one.feed_code == "h2")
    assert (nobody.points, nobody.unit_code) == (0, None)
    assert {loss["cause"] for part in nobody.parts for loss in part.lost} == {"missing_day", "nothing_arrived"}


def test_the_score_counts_for_the_unit_that_runs_the_feed_and_is_explained(city):
    points = query(
        city, "select unit_code, points, wilson_low from mart.fct_unit_indicator where indicator_code = 'data_quality'"
    )
    whole = next(one for one in feed_scores(city, MONTH) if one.feed_code == "h1").points
    assert sorted(points) == [("U1", whole, None), ("U2", None, None)]
    assert "数据完整：cases 2026-10-29 未送达 扣 1.25" in render(explain(city, "U1", MONTH, "data_quality"))


def test_a_later_build_scores_anew_what_changed_and_the_earlier_score_stays(city):
    before = query(city, "select * from audit.feed_quality_as_of(1) order by 1, 2, 3")
    deliver(city, "cases", 29, CASES[4:5])
    accept(city)
    build(city)
    assert query(city, "select * from audit.feed_quality_as_of(1) order by 1, 2, 3") == before
    completeness = next(one for one in feed_scores(city, MONTH) if one.feed_code == "h1").part("completeness")
    assert (str(completeness.points), int(completeness.numerator)) == ("6.25", 5)
    told = "select * from audit.feed_quality_version where build_id > 1"
    changed = query(city, told)
    assert {row[:3] for row in changed} <= {("h1", date(2026, 10, 1), part) for part in QUALITY_PART}
    build(city, full_refresh=True)
    assert query(city, told) == changed, "scored whole, it says the same"


def test_a_source_that_is_away_is_a_failed_call(city, monkeypatch):
    def away(wanted):
        raise SourceAway("the server is away")
        yield

    monkeypatch.setattr("minhu.load.fetch", away)
    with pytest.raises(SourceAway):
        load_delivery("h1", "cases", date(2026, 9, 1), settings=city)
    assert query(city, "select outcome from audit.attempt where business_date = '2026-09-01'") == [("unreachable",)]


# The trace of a case


def test_a_case_is_walked_from_its_lines_to_its_scores(city):
    found = trace(city, "h1", CASE)
    assert [(row["row_number"], row["outcome"]) for row in found.versions] == [(1, "older_batch"), (1, "counted")]
    outcomes = [(row["event_type"], row["is_milestone"], row["outcome"]) for row in found.events]
    assert ("DISPATCH", False, "counted") in outcomes
    assert ("CLOSE", False, "counted") in outcomes
    assert ("CLOSE", False, "anomaly") in outcomes, "of a unit that was never dispatched to"
    assert ("CLOSE", True, "of_older_version") in outcomes
    (duty,) = [row for row in found.assignments if not row["voided_at"]]
    assert duty["unit_code"] == "U1"
    assert all(row["is_landed"] and len(row["source_sha256"]) == 64 for row in found.batches)
    assert [row["rule_id"] for row in found.batches[0]["failed"]] == ["arrival.rejected_share"]
    assert {row["indicator_code"] for row in found.indicators} >= {"close_on_time"}
    by_auditor = trace(login(city, "a_shen", "auditor"), "h1", CASE)
    assert (by_auditor.events, by_auditor.indicators) == (found.events, found.indicators)
    text, plain = render_trace(found), json.dumps(found.as_json(), ensure_ascii=False)
    assert "一、工单" in text and "采用，计入办结" in text and "cases_28.csv" in text
    assert "异常 unit_never_dispatched：不计：该单位在此工单上没有派单" in text
    assert [word for word in CITIZEN if word in text or word in plain] == []


def test_what_counts_though_it_is_odd_is_told_as_counted_with_the_anomaly_beside_it(city):
    found = trace(city, "h1", TWO_LEADS)
    plain, odd = [row for row in found.events if row["event_type"] == "DISPATCH" and not row["is_milestone"]]
    assert (plain["outcome"], odd["outcome"]) == ("counted", "counted")
    assert "异常" not in plain["outcome_zh"]
    assert odd["outcome_zh"].startswith("采用，计入派单（异常 lead_over_open_lead：")


def test_a_file_that_is_gone_is_told_and_so_is_what_waits(city):
    waiting = trace(city, "h1", "nobody")
    assert [row["outcome"] for row in waiting.events] == ["orphan"] and waiting.indicators == ()
    (sha256,) = {row["source_sha256"] for row in waiting.batches}
    (landed,) = city.landing.glob(f"*/{sha256}*")
    kept = landed.rename(landed.with_name("elsewhere"))
    try:
        assert not trace(city, "h1", "nobody").batches[0]["is_landed"]
    finally:
        kept.rename(landed)
    with pytest.raises(Refused, match="nobody has told of a case"):
        trace(city, "h1", "0")


# The sample


def test_the_seed_alone_decides_what_is_drawn(city, tmp_path):
    sample = draw(city, MONTH, 3, "审计")
    known = [case_id for (case_id,) in query(city, "select case_id from mart.fct_case")]
    numbers = sorted(known, key=lambda case_id: hashlib.sha256(f"审计|{case_id}".encode()).hexdigest())
    assert [one.case_id for one in sample.cases] == numbers[:3]
    assert (sample.frame.cases, sample.frame.by_feed) == (8, {"h1": 8})
    assert draw(city, MONTH, 3, "审计", by_feed=True).cases == sample.cases, "one feed: its share is all"
    assert draw(city, MONTH, 3, "别的").cases != sample.cases

    file = tmp_path / "sample.json"
    file.write_text(as_file(sample), encoding="utf-8")
    assert redraw(city, file).is_same
    assert run(city, "sample", "--from", str(file)).exit_code == 0
    changed = json.loads(as_file(sample))
    changed["cases"][0]["case_id"] = "0" * 32
    file.write_text(json.dumps(changed), encoding="utf-8")
    told = run(city, "sample", "--from", str(file))
    assert told.exit_code == 1 and "新抽中" in told.output


# The report


def test_the_same_state_gives_the_same_report_and_it_needs_nothing_else(city, tmp_path):
    (first, second) = (tmp_path / name for name in ("first", "second"))
    for folder in (first, second):
        folder.mkdir()
        written = write_report(city, MONTH, folder, seed="审计", n=3)
    names = [f"audit-{MONTH}.{kind}" for kind in ("html", "pdf")]
    assert [path.name for path in written.files] == names
    assert [(first / name).read_bytes() == (second / name).read_bytes() for name in names] == [True, True]
    by_auditor = write_report(login(city, "a_shen", "auditor"), MONTH, first, seed="审计", n=3).report
    assert by_auditor.fingerprint == written.report.fingerprint
    page = (second / names[0]).read_text(encoding="utf-8")
    assert not [word for word in ("http:", "https:", "src=", "<script", "@import", "url(") if word in page]
    assert [word for word in CITIZEN if word in page] == []
    assert written.report.fingerprint in page and all(value in page for value in written.report.inputs.values())
    assert page.count("<h2") == 12 and page.count("<svg") == 2
    sample = draw(city, MONTH, 3, "审计")
    assert all(one.case_no in page for one in sample.cases)


def test_the_report_shows_when_rows_do_not_add_up(city):
    def gaps() -> list[int]:
        return [
            row["no"] for row in read_audit(city, MONTH, seed="x", n=1).ladder if row["one_side"] != row["other_side"]
        ]

    assert gaps() == []
    claim(city, 1)
    try:
        assert gaps() == [1], "the manifest says one row more than staging holds"
    finally:
        claim(city, -1)


def test_what_failed_stands_before_what_did_not(city):
    """Rules that failed, broke or never ran come first, the gravest before; so does a source with a gap."""
    report = read_audit(city, MONTH, seed="x", n=1)
    fine = [{**row, "runs": 3, "failed_runs": 0, "errored_runs": 0} for row in report.rules]
    warned, grave = (next(row for row in fine if row["severity"] == name) for name in ("warning", "critical"))
    rules = [*fine, {**warned, "title_zh": "晚一", "failed_runs": 1}, {**grave, "title_zh": "晚二", "runs": 0}]
    told = [one for one in coverage(replace(report, rules=tuple(rules))) if isinstance(one, Text | Table)]
    assert [one.text for one in told if isinstance(one, Text) and one.role == "subheading"] == [
        "有未通过、出错或未执行的规则（2 条）", f"没有未通过的规则（{len(fine)} 条）",
    ]  # fmt: skip
    first = next(one for one in told if isinstance(one, Table))
    assert [row.cells[0].split("\n")[0] for row in first.rows] == ["晚二", "晚一"]
    whole = [{**row, "gap": 0} for row in report.accounts]
    short = replace(report, accounts=(*whole, {**whole[0], "feed_name": "差一", "gap": 1}))
    table = next(one for one in accounts(short) if isinstance(one, Table))
    assert table.rows[0].cells[0].startswith("差一")


def test_a_month_with_nothing_to_show_says_so_and_confirms_nothing(city):
    report = read_audit(city, MONTH, seed="x", n=1)
    told = chapters(replace(report, rules=(), accounts=()))
    texts = [one.text for one in told if isinstance(one, Text)]
    assert "规则台账为空：门禁尚未运行。" in texts and "本月没有未被拒收、未被取代的批次。" in texts
    checks = next(one for one in told if isinstance(one, Table))
    assert {row.cells[0]: row.cells[1] for row in checks.rows}["现行规则均已执行"] == "需核查"


def test_how_far_the_order_may_be_trusted_is_a_chapter_and_says_so_where_nothing_is_scored(city):
    report = read_audit(city, MONTH, seed="x", n=1)
    told = "".join(texts(fair(report)))
    [found] = report.fairness
    assert f"种子 {found.seed}" in told and "不改变任何得分" in told and found.groups[0].name_zh in told
    assert "得分的先后有多可信" in "".join(texts(chapters(report)))
    assert list(texts(fair(replace(report, fairness=())))) == ["本月尚未评分，没有先后可说。"]
    empty = replace(found, groups=(), edges=())
    assert "没有单位会因多一件或少一件达标而换档" in "".join(texts(fair(replace(report, fairness=(empty,)))))
    edge = Edge("U1", "城管局", "dept", "close_on_time", "按时办结率", True, "良好", "优秀")
    of_edges = "".join(texts(fair(replace(report, fairness=(replace(found, edges=(edge,) * 30),)))))
    assert "按时办结率多 1 件达标" in of_edges and "其余 10 行未列出" in of_edges
    assert texts_of_mean(report, found) == "没有重抽，也没有逐件试算：本周期得分是各短周期得分的平均。"


def texts_of_mean(report, found) -> str:
    of_mean = replace(found, not_drawn="of_means", draws=0)
    return next(one for one in texts(fair(replace(report, fairness=(of_mean,)))) if one.startswith("没有重抽"))


def test_one_month_is_told_and_two_are_drawn(city):
    report = read_audit(city, MONTH, seed="x", n=1)
    months = [date(2026, 9, 1), date(2026, 10, 1)]

    def told(*shares: int) -> list:
        trend = tuple(
            {"part": "timeliness", "month_on": one, "pct": pct} for one, pct in zip(months, shares, strict=False)
        )
        of = replace(report, months=tuple(months), score_trend=trend)
        return [one for one in scores(of) if isinstance(one, Figure) or "各项平均得分率" in getattr(one, "text", "")]

    assert told(90)[-1] == Text("item", "各项平均得分率：数据及时 90%。")
    assert isinstance(told(90, 95)[-1], Figure) and len(told(90, 95)) == len(told(90))


def test_the_builds_are_those_of_the_batches_and_those_that_the_scores_rest_on(city):
    report = read_audit(city, MONTH, seed="x", n=1)
    assert {row["build_id"] for row in report.schemes} <= {row["build_id"] for row in report.builds}
    with database.connect(city) as connection:
        (build,) = connection.execute(
            "insert into audit.build (config_version, code_version, status) select config_version, 'x', 'succeeded'"
            " from audit.build limit 1 returning build_id"
        ).fetchone()
        was = connection.execute("select build_id from mart.score_run where period = %s", [MONTH]).fetchone()
        connection.execute("update mart.score_run set build_id = %s where period = %s", [build, MONTH])
    try:
        assert was and build in {row["build_id"] for row in read_audit(city, MONTH, seed="x", n=1).builds}
    finally:
        with database.connect(city) as connection:
            connection.execute("update mart.score_run set build_id = %s where period = %s", [was[0], MONTH])
            connection.execute("delete from audit.build where build_id = %s", [build])


def claim(city, more: int) -> None:
    """The manifest of the second batch says so many rows more."""
    with database.connect(city) as connection:
        connection.execute(
            "update audit.batch set staged_rows = staged_rows + %(more)s, received_rows = received_rows + %(more)s"
            " where batch_id = 2",
            {"more": more},
        )


def test_nobody_waits_for_a_report_that_cannot_be_written(city, monkeypatch):
    monkeypatch.setattr("minhu.audit.report.read_audit", lambda *_, **__: pytest.fail("it was read"))
    result = run(city, "report", MONTH, "--out", "/proc")  # where even root writes no file
    assert result.exit_code == 1 and f"/proc/audit-{MONTH}.html" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["report", "2026-09"], 1, "no delivery of this month"),
        (["report", "2026"], 1, "is no month"),
        (["report", MONTH, "--out", "/nowhere"], 1, "no folder"),
        (["sample", MONTH], 2, "--seed"),
        (["sample", "2026-09", "--seed", "x"], 1, "nothing to draw from"),
        (["feeds", "2026-01"], 1, "no data quality"),
    ],
)
def test_what_cannot_be_pulled_is_refused_in_a_line(city, arguments, code, told):
    result = run(city, *arguments)
    assert result.exit_code == code
    assert told in (result.output if code == 2 else str(result.exception))
