"""A scheme is a strict file: what is wrong in it is named by file, line and key."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from minhu.errors import BadDeclaration
from minhu.schemes import Scheme, load_scheme, load_schemes
from minhu.schemes.compare import compare
from minhu.schemes.period import Period
from minhu.settings import PROJECT_ROOT
from tests.scoring.city import GIVEN

EXAM = (GIVEN / "exam.yml").read_text(encoding="utf-8")
LINAN = PROJECT_ROOT / "config" / "schemes" / "linan.yml"


@pytest.fixture
def written(tmp_path: Path):
    """Writes schemes into a configuration folder and loads them."""

    def write(**files: str) -> tuple[Scheme, ...]:
        folder = tmp_path / "schemes"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.yml").write_text(text, encoding="utf-8")
        return load_schemes(tmp_path, files)

    return write


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("points: 20\n", "points: 20\n    weight: 1\n", r":28: indicators.1.weight: no such key here"),
        ("name_zh: 实际解决率", "name_zh: a\n    name_zh: b", r":31: the key 'name_zh' is given twice"),
        (
            "measure: resolved",
            "measure: solved",
            r":31: indicators.2.measure: .*there is no measure 'solved'; the cata",
        ),
        (
            "moment: called_at\n    points: 30",
            "moment: met_at\n    points: 30",
            r":32: indicators.2.moment: met_at is no value of this key",
        ),
        (
            "moment: dispatched_at",
            "moment: called_at",
            r":41: indicators.4: .*return_rate has no called_at; it has rec",
        ),
        ("points: 30", "points: 0", r":29: indicators.2: .*proportional needs points above 0"),
        ("points: 30", "points: 1e400000", r":33: indicators.2.points"),
        ("floor: 12.5", "floor: 25.5", r":35: indicators.3: .*the floor 25.5 is above the points 25"),
        ("target: 10,", "target: 110,", r":46: indicators.4.scoring.target: must be at most 100, is 110"),
        ("function: proportional", "function: magic", r":34: indicators.2.scoring.function: magic is no value"),
        (
            "aggregate: count",
            "aggregate: mean",
            r":47: indicators.5: .*violation_not_handled makes no mean; it makes count",
        ),
        ("points: 0\n", "points: 11\n", r":47: indicators.5: .*the cap 12 is above the points 11"),
        ("code: close_on_time", "code: sign_on_time", r":2: \(top level\): .*two indicators have the same code"),
        ("code: town,", "code: dept,", r"two peer groups have the same code"),
        ("at_least: 0}", "at_least: 10}", r"the last band must start at 0"),
        ("at_least: 80}", "at_least: 95}", r"bands go from the best down"),
        ("valid_to: 2027-01-01", "valid_to: 2026-01-01", r"valid_to 2026-01-01 is not after valid_from 2026-01-01"),
        ("month: indicative, year: final", "week: final", r"periods.week"),
        ("amount: 5, unit: workday", "amount: 0, unit: workday", r"limits.1.amount: must be greater than 0, is 0"),
        (
            "unit: workday, starts: next_day, text: 5",
            "unit: 周, starts: next_day, text: 5",
            r"limits.1.unit: 周 is no value of this key",
        ),
        ("amount: 5, unit", "categories: [11-03], amount: 5, unit", r"limits.1.categories.0: must be written as"),
        ("amount: 1, unit", "extension: {amount: 5, unit: workday}, amount: 1, unit", r"limits.0: .*sign has no exten"),
        (
            "amount: 5, unit",
            "extension: {amount: 5, unit: workday, ask_before: {amount: 2, unit: work_hour}}, amount: 5, unit",
            r"limits.1.extension.ask_before.unit: work_hour is no value of this key. .*: workday,",
        ),
        ("id: exam", "id: other", r":2: id: the file of scheme 'other' must be other.yml"),
        ("[{title: made up for the tests}]", "[]", r":4: legal_basis"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_key(written, old, new, complaint):
    assert old in EXAM
    with pytest.raises(BadDeclaration, match=r"exam\.yml") as error:
        written(exam=EXAM.replace(old, new, 1))
    assert re.search(complaint, str(error.value)), error.value
    assert str(error.value).count("\n") == 1, "one slip, in two languages"


RICH = (GIVEN / "rich.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "{from: 2026-10-01, value: 100}",
            "{from: 2026-10-02, value: 100}",
            r"target.1.from: .*not the first day of a m",
        ),
        (
            "{from: 2026-10-01, value: 100}",
            "{value: 100}",
            r"scoring.target: .*two values for the same peer group: 90 and",
        ),
        (
            "peer_groups: [town], value: 50",
            "peer_groups: [city], value: 50",
            r"close_on_time: target: there is no peer g",
        ),
        (
            "[{value: 90}, {from: 2026-10-01, value: 100}, ",
            "[",
            r"close_on_time: target has no value for dept on 2026-09-01",
        ),
        ("value: 100}", "value: 101}", r"target.1.value: must be at most 100, is 101"),
        ("peer_groups: [dept]\n", "peer_groups: [city]\n", r"knowledge: there is no peer group 'city'"),
        ("recheck: [dissatisfied]", "recheck: [unhappy]", r"satisfaction has no answer 'unhappy'; it has satisfied, "),
        ("recheck: [dissatisfied]", "recheck: [dissatisfied], take: first", r"leaves nothing to recheck"),
        ("resolved: 1, explained", "resolved: 0.9, explained", r"answers: .*the best answer weighs 1"),
        ("aggregate: mean\n", "aggregate: rate\n", r"answers.weights go with `aggregate: mean`"),
        ("aggregate: share\n", "aggregate: share\n    min_n: 3\n", r"min_n counts the rows behind a rate or a mean"),
        ("aggregate: share", "aggregate: median", r"the measure intake makes no median; it makes count, share"),
        ("{at_most: 1, points: 5}, {at_most: 3", "{at_most: 3, points: 5}, {at_most: 3", r"no bound is given twice"),
        (
            "{at_most: 1, points: 5}, {at_most: 3",
            "{at_most: 1, points: 5}, {at_least: 3",
            r"either all steps have at_le",
        ),
        ("{at_most: 1, points: 5}", "{at_most: 1, points: 6}", r"a step of 6 is above the points 5"),
        (
            "function: manual, entry: change",
            "function: manual, entry: change, cap: 11",
            r"the cap 11 is above the points 10",
        ),
        (
            "points: 5\n    peer_groups: [dept]",
            "points: 5\n    moment: due_at",
            r"moment: points that are entered by hand",
        ),
        (
            "points: 10\n    scoring: {function: manual",
            "points: 10.125\n    scoring: {function: manual",
            r"10.125 points are",
        ),
        (
            "year: mean_of_months",
            "year: mean_of_quarters, quarter: mean_of_quarters",
            r"aggregation.quarter: mean_of_quarters",
        ),
        (
            "points: 10\n    scoring: {function: manual, entry: change}",
            "points: 0\n    scoring: {function: event, below: 60, ranked: false}",
            r"below is the line of a rate in percent",
        ),
        (
            "points: 10\n    scoring: {function: manual, entry: change}",
            "measure: intake\n    moment: received_at\n    aggregate: share\n    points: 0\n"
            "    scoring: {function: event, ranked: false}",
            r"an event of `aggregate: share` is no count",
        ),
        ("month: indicative, ", "", r"aggregation.year: mean_of_months needs the periods year and month"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(written, old, new, complaint):
    assert old in RICH
    with pytest.raises(BadDeclaration, match=r"rich\.yml:\d+: ") as error:
        written(rich=RICH.replace(old, new, 1))
    assert re.search(complaint, str(error.value)), error.value


def test_a_number_follows_peer_group_and_date(written):
    (scheme,) = written(rich=RICH)
    target = {
        (group, month): scheme.indicator("close_on_time").terms(group, date(2026, month, 1)).target
        for group in ("dept", "town")
        for month in (9, 10, 11)
    }
    assert target == {
        ("dept", 9): 90,
        ("dept", 10): 100,
        ("dept", 11): 100,
        ("town", 9): 50,
        ("town", 10): 50,
        ("town", 11): 50,
    }
    assert [scheme.least("dept", date(2026, month, 1)) for month in (9, 10)] == [1, 2]
    assert scheme.points_max("dept", scheme.valid_from) == scheme.points_max("town", scheme.valid_from) == 100
    assert scheme.changes_within(Period.parse("2026-Q4")) is None
    assert scheme.changes_within(Period.parse("2026")) == date(2026, 10, 1)


def test_the_order_of_keys_and_defaults_written_out_change_no_version(written):
    (plain,) = written(rich=RICH)
    text = RICH.replace("name_zh: 受理量\n    measure: intake", "measure: intake\n    name_zh: 受理量")
    text = text.replace("entry: earned", "entry: earned, floor: 0") + "timezone: Asia/Shanghai\n"
    text = text.replace("publication:\n", "publication:\n  ranking: false\n")
    (rewritten,) = written(rich=text)
    assert rewritten.scheme_version == plain.scheme_version


def test_the_shipped_schemes_are_read_and_only_those_of_the_city_bind():
    config = PROJECT_ROOT / "config"
    assert [scheme.scheme_id for scheme in load_schemes(config)] == [
        "lianyungang",
        "lianyungang_2022",
        "linan",
        "panjin",
        "sanlv",
        "yulin",
        "zhaoxiang",
    ]
    assert [scheme.scheme_id for scheme in load_schemes(config, ["linan"])] == ["linan"]
    with pytest.raises(BadDeclaration, match=r"city\.yml:\d+: schemes: there is no .*hangzhou\.yml"):
        load_schemes(config, ["hangzhou"])
    assert [scheme.examples for scheme in load_schemes(config) if "lianyungang" in scheme.scheme_id] == [[], []]


def test_the_difference_of_two_versions_is_told_in_words(written):
    (old,) = written(rich=RICH)
    (new,) = written(
        rich=RICH.replace("{from: 2026-10-01, value: 100}", "{from: 2026-11-01, value: 95}")
        .replace("take: last", "take: every")
        .replace("per_item: 2, cap: 4", "per_item: 3, cap: 6")
        .replace("code: demand", "code: requests")
    )
    assert [change.text for change in compare(old, new)] == [
        "指标“按时办结率”：目标由 90；2026-10-01 起 100；镇街 50 改为 90；2026-11-01 起 95；镇街 50",
        "指标“解决率”：回访答复由 权重 实际解决 1，解释说明 0.5，未解决 0，取用 末次"
        " 改为 权重 实际解决 1，解释说明 0.5，未解决 0，取用 每次",
        "指标“万人诉求比”：取消指标（5）",
        "指标“不处置”：每件分值由 2 改为 3",
        "指标“不处置”：上限由 4 改为 6",
        "指标“万人诉求比”：新增指标（5）",
    ]
    assert compare(old, old) == []


def test_no_folder_of_schemes_is_no_scheme(tmp_path):
    assert load_schemes(tmp_path) == ()


def test_limits_of_two_schemes_must_not_bind_on_one_day(written):
    with pytest.raises(BadDeclaration, match=r"other\.yml:\d+: limits: .*those of exam\.yml bind"):
        written(exam=EXAM, other=EXAM.replace("id: exam", "id: other"))


def test_limits_of_two_schemes_may_follow_each_other(written):
    later = (
        EXAM.replace("id: exam", "id: other").replace("2027-01-01", "2028-01-01").replace("2026-01-01", "2027-01-01")
    )
    assert [scheme.scheme_id for scheme in written(exam=EXAM, other=later)] == ["exam", "other"]


def test_the_version_follows_the_content_not_the_writing(written):
    (plain,) = written(exam=EXAM)
    (rewritten,) = written(exam="# another remark\n" + EXAM.replace("target: 95", "target: 95.00"))
    (changed,) = written(exam=EXAM.replace("target: 95", "target: 95.5", 1))
    assert rewritten.scheme_version == plain.scheme_version != changed.scheme_version
    assert re.fullmatch("[0-9a-f]{12}", plain.scheme_version)


def test_the_version_of_a_scheme_moves_with_its_text_and_never_with_the_code():
    """Published results name it."""
    assert load_scheme(GIVEN / "exam.yml").scheme_version == "f83dd62b0091"


def test_numbers_are_exact(written):
    (scheme,) = written(exam=EXAM.replace("per_point: 0.5, floor", "per_point: 12.795, floor"))
    assert scheme.indicator("satisfaction").terms("dept", date(2026, 1, 1)).per_point == Decimal("12.795")
    with pytest.raises(BadDeclaration, match=r"exam has no indicator 'solved'; it has sign_on_time, "):
        scheme.indicator("solved")


def test_entries_carry_the_scheme_and_its_limits(written):
    (scheme,) = written(exam=EXAM)
    (kind, key, whole), sign, close = scheme.entries()
    assert (kind, key) == ("scheme", "exam")
    assert whole["scheme_id"] == "exam"
    assert whole["scheme_version"] == scheme.scheme_version
    assert Scheme.from_entry(whole) == scheme
    assert sign[:2] == ("limit_rule", "exam/001")
    assert close == (
        "limit_rule",
        "exam/002",
        {
            "scheme_id": "exam",
            "rule_no": 2,
            "limit_kind": "close",
            "request_types": None,
            "urgencies": None,
            "categories": None,
            "linkage_levels": None,
            "amount": 5,
            "unit": "workday",
            "starts": "next_day",
            "extension": None,
            "valid_from": "2026-01-01",
            "valid_to": "2027-01-01",
            "text": "5 个工作日内办结",
            "is_example": False,
        },
    )


@pytest.mark.parametrize(
    ("period", "is_covered"), [("2026-01", True), ("2026", True), ("2025-12", False), ("2027", False)]
)
def test_a_period_must_lie_wholly_in_force(period, is_covered):
    assert load_scheme(GIVEN / "exam.yml").covers(Period.parse(period)) is is_covered


def test_nothing_is_final_before_its_data_are_complete():
    scheme = load_scheme(GIVEN / "exam.yml")
    year, month = Period.parse("2026"), Period.parse("2026-10")
    assert [scheme.standing(year, True), scheme.standing(year, False), scheme.standing(month, True)] == [
        "final",
        "indicative",
        "indicative",
    ]


def test_linan_carries_what_is_published_and_marks_the_rest_as_example():
    scheme = load_scheme(LINAN)
    assert {group.code: group.points for group in scheme.peer_groups} == {
        "linan_department": Decimal("4.5"),
        "linan_town": Decimal(2),
    }
    assert [indicator.name_zh for indicator in scheme.indicators] == [
        *("及时签收率", "按时办结率", "实际解决率", "满意率", "退单率"),
        *("不处置", "逾期处置", "处置不当"),
    ]
    assert scheme.points_max("linan_town", scheme.valid_from) == 100
    unpublished = (*scheme.indicators, *scheme.bands, *scheme.limits, scheme.rounding)
    assert all(part.example for part in unpublished)
    assert scheme.valid_from <= date(2026, 10, 1)
    assert {limit.limit_kind for limit in scheme.limits} == {"sign", "contact", "close"}
