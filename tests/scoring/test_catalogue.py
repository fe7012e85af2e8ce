"""The catalogue of measures: each has the common columns, fills what it offers and counts what it says."""

import re
from typing import get_args

import pytest
import yaml

from minhu import database
from minhu.errors import BadDeclaration
from minhu.feeds.canonical import VIOLATIONS
from minhu.schemes.catalogue import FOLDER, Aggregate, Measure, measures
from minhu.scoring import score
from minhu.settings import PROJECT_ROOT
from tests.oracle.measures import OF_ASSIGNMENTS, OF_CALLBACKS
from tests.scoring.city import GIVEN, City, at

COMMON = """
measure_code text, subject_kind text, subject_id text, case_id text, assignment_id text, callback_id text,
unit_code text, received_at timestamp with time zone, dispatched_at timestamp with time zone,
due_at timestamp with time zone, closed_at timestamp with time zone, called_at timestamp with time zone,
occurred_at timestamp with time zone, numerator_value numeric, denominator_value numeric, excluded_reason text,
answer_code text
"""
MOMENTS = ("received_at", "dispatched_at", "due_at", "closed_at", "called_at", "occurred_at")
WANTED = """
受理量 及时签收率 先行联系率 先行联系及时率 按时办结率 办结率 实际解决率 解释说明率 满意率 回访成功率 退单率 重办率
一次办结率 延期率 逾期件 督办件 催办件 重复诉求率 万人诉求比 不处置 逾期处置 处置不当 剔除率 办理时长
办理工作时长 好差评得分 数据质量分
"""

# The documentation


def test_the_catalogue_holds_what_the_field_counts():
    assert set(WANTED.split()) <= {measure.name_zh for measure in measures().values()}


def test_the_second_path_counts_every_measure_of_the_catalogue():
    """The score of feeds, which is no count of assignments, is reckoned anew in tests/audit."""
    violations = {f"violation_{code}" for code in VIOLATIONS}
    assert {*OF_ASSIGNMENTS, *OF_CALLBACKS, *violations} == measures().keys() - {"data_quality"}


@pytest.mark.parametrize("measure", measures().values(), ids=lambda measure: measure.code)
def test_every_measure_is_documented_and_has_a_worked_example(measure: Measure):
    told = ("name_en", "formula_zh", "numerator", "denominator", "cohort", "excluded", "source")
    assert [name for name in told if not getattr(measure, name)] == []
    documentation = yaml.safe_load((FOLDER / f"measure_{measure.code}.yml").read_text(encoding="utf-8"))
    assert {test["model"] for test in documentation["unit_tests"]} == {f"measure_{measure.code}"}
    assert len(documentation["models"][0]["description"]) > 60


def test_a_file_of_a_measure_says_what_it_counts_and_no_plumbing():
    lengths = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in FOLDER.glob("*.sql")}
    assert max(lengths.values()) < 20
    assert [path.name for path in FOLDER.glob("*.sql") if " join " in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    ("documentation", "complaint"),
    [
        (None, "measure_lost.yml: there is no such file"),
        ("models: []", "measure_lost.yml:1: models: "),
        ("models: [{config: {meta: {moments: [due_at]}}}]", "models.0.config.meta.label_zh: missing; it is required"),
        ("models:\n- config:\n    meta: {label_zh: 失, moments: [at]}", "yml:3: models.0.config.meta.moments.0: "),
        (
            "models:\n- config:\n    meta:\n      label_zh: 失\n      moments: [due_at]\n      limit: close",
            "yml:6: models.0.config.meta.limit: no such key here; limit → limit_kind",
        ),
    ],
)
def test_a_measure_that_is_not_documented_as_it_should_be_is_refused(tmp_path, documentation, complaint):
    (tmp_path / "measure_lost.sql").write_text("select 1")
    if documentation:
        (tmp_path / "measure_lost.yml").write_text(documentation, encoding="utf-8")
    with pytest.raises(BadDeclaration, match=complaint):
        measures(tmp_path)


def test_the_page_on_new_measures_names_every_key():
    page = (PROJECT_ROOT / "docs" / "new-measure.md").read_text(encoding="utf-8")
    table = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    keys = {field.alias or name for name, field in Measure.model_fields.items()} - {"code"}
    assert set(re.findall(r"`(\w+)`", table)) == keys
    assert all(f"`{aggregate}`" in page for aggregate in get_args(Aggregate))


# The rows


@pytest.fixture(scope="module")
def lived(scratch):
    """A city in which everything has happened once to one unit, and a scheme over it has been scored."""
    settings = scratch()
    with City(settings) as city:
        city.unit("D1", "dept")
        duty = city.assignment(
            "D1", sign_due="10-10 18:00", signed="10-09 10:00", due="10-16 00:00", closed="10-14 09:00"
        )
        city.run(
            "update mart.fct_timeliness set contact_due_at = %(due)s, contacted_at = %(done)s, urge_count = 1,"
            " urged_at = %(done)s, supervise_count = 1, supervised_at = %(done)s, natural_minutes_to_close = 7200,"
            " working_minutes_to_close = 1680",
            {"due": at("10-13 00:00"), "done": at("10-12 09:00")},
        )
        city.callback("D1", duty, "resolved", "satisfied")
        city.run(
            "update mart.fct_satisfaction set contact_code = 'yes', satisfaction_level = 'satisfied',"
            " attitude_code = case when satisfaction_code is not null then 'satisfied' end"
        )
        for code in ("not_handled", "late_handling", "improper_handling"):
            city.violation("D1", duty, code)
        city.run(
            "insert into audit.feed_quality_version (feed_code, month_on, part, build_id, through_on, unit_code,"
            " points, points_max, numerator, denominator, lost)"
            " values ('h12345', '2026-10-01', 'content', 1, '2026-10-31', 'D1', 9.99, 10, 999, 1000, '[]')"
        )
    score(settings, "2026-10")
    return settings


def rows(settings, query):
    with database.connect(settings) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("measure", measures().values(), ids=lambda measure: measure.code)
def test_every_measure_has_the_common_columns_and_fills_exactly_the_moments_it_offers(lived, measure: Measure):
    view = f"mart.measure_{measure.code}"
    columns = rows(
        lived,
        "select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute"
        f" where attrelid = '{view}'::regclass and attnum > 0 order by attnum",
    )
    assert [name for (name,) in columns] == [" ".join(column.split()) for column in COMMON.split(",")]
    counted = ", ".join(f"count({moment})" for moment in MOMENTS)
    ((codes, number, answer, *filled),) = rows(
        lived, f"select array_agg(measure_code), count(numerator_value), min(answer_code), {counted} from {view}"
    )
    assert (codes, number) == ([measure.code], 1)
    assert [moment for moment, count in zip(MOMENTS, filled, strict=True) if count] == list(measure.moments)
    assert answer in (measure.answers or (None,))


@pytest.mark.parametrize("measure", measures().values(), ids=lambda measure: measure.code)
def test_joins_behind_columns_that_nobody_asks_for_cost_nothing(lived, measure: Measure):
    plan = rows(
        lived,
        "explain select unit_code, numerator_value, denominator_value, excluded_reason"
        f" from mart.measure_{measure.code} where dispatched_at > '2026-10-01'",
    )
    scans = re.findall(r"Scan.* on (fct_\w+)", "\n".join(line for (line,) in plan))
    of_cases = measure.code != "data_quality"
    assert scans.count("fct_case") == (2 if measure.code == "repeat_rate" else of_cases), plan
    assert scans.count("fct_timeliness") == of_cases, plan


# What they count in a period

INDICATORS = """
  - code: done
    name_zh: 办结率
    measure: close_rate
    moment: dispatched_at
    points: 100
    scoring: {function: proportional}
"""
COUNTED = ("overdue", "supervised", "intake", "repeat_rate", "rework_rate", "exclusion_rate", "close_on_time")


def scheme_of(tmp_path):
    """All the counted measures by dispatch: their sums are what the tests look at, not the points."""
    text = (GIVEN / "exam.yml").read_text(encoding="utf-8")
    head = text[: text.index("indicators:")]
    counted = [
        f"  - {{code: {code}, name_zh: x, measure: {code}, moment: dispatched_at, aggregate: count, points: 0,"
        " scoring: {function: per_item_deduction, per_item: 1, cap: 9}}"
        for code in COUNTED
    ]
    path = tmp_path / "exam.yml"
    path.write_text("\n".join([head + "indicators:", INDICATORS.strip("\n"), *counted, ""]), encoding="utf-8")
    return path


def test_what_is_counted_is_judged_as_of_the_end_of_the_data(scratch, tmp_path):
    settings = scratch()
    with City(settings, data_end="2026-10-20") as city:
        city.run("delete from config.entry")
        city.scheme(scheme_of(tmp_path))
        city.unit("D1", "dept")
        early = {"dispatched": "10-05 09:00"}
        city.assignment("D1", **early, due="10-12 00:00", closed="10-11 09:00")
        city.assignment("D1", **early, due="10-12 00:00", closed="10-15 09:00")  # closed late
        city.assignment("D1", **early, due="10-12 00:00", closed="10-25 09:00")  # late, and as of then still open
        city.assignment("D1", **early, due="10-28 00:00", closed="10-25 09:00")  # as of then open, not yet due
        city.assignment("D1", **early, due="10-28 00:00")  # as of then the same
        city.assignment("D1", **early, due="10-12 00:00", excluded="statutory_channel")
        pressed = city.assignment("D1", **early)
        later = city.assignment("D1", **early)
        for duty, moment in ((pressed, "10-12 09:00"), (later, "10-25 09:00")):
            city.run(
                "update mart.fct_timeliness set supervise_count = 1, supervised_at = %(at)s"
                " where assignment_id = %(duty)s",
                {"at": at(moment), "duty": duty},
            )
        city.run("update mart.fct_case set repeat_of_case_id = 'k0' where case_id = %(case)s", {"case": f"k{later}"})
        city.run(
            "update mart.fct_timeliness set reworked_at = %(at)s where closed_at = %(closed)s",
            {"at": at("10-25 10:00"), "closed": at("10-11 09:00")},
        )
    score(settings, "2026-10")
    found = rows(settings, "select indicator_code, numerator, denominator from mart.fct_unit_indicator")
    counted = {code: (int(numerator), int(denominator)) for code, numerator, denominator in found}
    assert counted.pop("done") == (2, 7)  # two of the seven that count were closed by then
    assert {code: numerator for code, (numerator, _) in counted.items()} == {
        "overdue": 2,
        "supervised": 1,  # the other was put under supervision only later
        "intake": 7,
        "repeat_rate": 1,
        "rework_rate": 1,  # rework ordered later counts
        "exclusion_rate": 1,
        "close_on_time": 1,
    }
    assert [counted[code][1] for code in ("overdue", "rework_rate", "exclusion_rate")] == [3, 2, 8]
