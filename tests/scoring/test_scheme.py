"""A scheme is a strict file: what is wrong in it is named by file, line and key."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from minhu.errors import BadDeclaration
from minhu.scoring import Scheme, load_scheme, load_schemes
from minhu.scoring.period import Period
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
        return load_schemes(tmp_path)

    return write


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("points: 20\n", "points: 20\n    weight: 1\n", r":28: indicators.1.weight: Extra inputs are not permitted"),
        ("name_zh: 实际解决率", "name_zh: a\n    name_zh: b", r":31: the key 'name_zh' is given twice"),
        (
            "measure: resolved",
            "measure: solved",
            r":31: indicators.2.measure: .*there is no measure 'solved'; the cata",
        ),
        (
            "moment: called_at\n    points: 30",
            "moment: met_at\n    points: 30",
            r":32: indicators.2.moment: Input should",
        ),
        (
            "moment: dispatched_at",
            "moment: called_at",
            r":41: indicators.4: .*return_rate has no called_at; it has rec",
        ),
        ("points: 30", "points: 0", r":29: indicators.2: .*proportional needs points above 0"),
        ("points: 30", "points: 1e400000", r":33: indicators.2.points"),
        ("floor: 12.5", "floor: 25.5", r":35: indicators.3: .*the floor 25.5 is above the points 25"),
        ("target: 10,", "target: 110,", r":46: indicators.4.scoring.target: Input should be less than or equal to 100"),
        ("function: proportional", "function: magic", r":34: indicators.2.scoring: .*'magic'"),
        (
            "aggregate: count",
            "aggregate: rate",
            r":47: indicators.5: .*per_item_deduction goes with `aggregate: count`",
        ),
        ("points: 0\n", "points: 11\n", r":47: indicators.5: .*the cap 12 is above the points 11"),
        ("code: close_on_time", "code: sign_on_time", r":2: \(top level\): .*two indicators have the same code"),
        ("code: town,", "code: dept,", r"two peer groups have the same code"),
        ("at_least: 0}", "at_least: 10}", r"the last band must start at 0"),
        ("at_least: 80}", "at_least: 95}", r"bands go from the best down"),
        ("valid_to: 2027-01-01", "valid_to: 2026-01-01", r"valid_to 2026-01-01 is not after valid_from 2026-01-01"),
        ("month: indicative, year: final", "week: final", r"periods.week"),
        ("amount: 5, unit: workday", "amount: 0, unit: workday", r"limits.1.amount: Input should be greater than 0"),
        ("unit: workday, starts: next_day, text: 5", "unit: 周, starts: next_day, text: 5", r"limits.1.unit: Input"),
        ("amount: 5, unit", "categories: [11-03], amount: 5, unit", r"limits.1.categories.0: String should match"),
        ("amount: 1, unit", "extension: {amount: 5, unit: workday}, amount: 1, unit", r"limits.0: .*sign has no exten"),
        (
            "amount: 5, unit",
            "extension: {amount: 5, unit: workday, ask_before: {amount: 2, unit: work_hour}}, amount: 5, unit",
            r"limits.1.extension.ask_before.unit: Input should be 'workday'",
        ),
        ("id: exam", "id: other", r":1: id: the file of scheme 'other' must be other.yml"),
        ("[{title: made up for the tests}]", "[]", r":4: legal_basis"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_key(written, old, new, complaint):
    assert old in EXAM
    with pytest.raises(BadDeclaration, match=r"exam\.yml") as error:
        written(exam=EXAM.replace(old, new, 1))
    assert re.search(complaint, str(error.value)), error.value
    assert "\n" not in str(error.value)


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


def test_numbers_are_exact(written):
    (scheme,) = written(exam=EXAM.replace("points: 30", "points: 12.795"))
    assert scheme.indicator("resolved").points == Decimal("12.795")
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
    assert sum(indicator.points for indicator in scheme.indicators) == 100
    unpublished = (*scheme.indicators, *scheme.bands, *scheme.limits, scheme.rounding)
    assert all(part.example for part in unpublished)
    assert scheme.valid_from <= date(2026, 10, 1)
    assert {limit.limit_kind for limit in scheme.limits} == {"sign", "contact", "close"}
