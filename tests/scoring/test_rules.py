"""Rules that cities publish beside plain rates, scored from facts and reckoned on paper."""

from decimal import Decimal

import pytest

from minhu import database
from minhu.schemes import read_scheme
from minhu.scoring import explain, score, what_if
from tests.scoring.city import GIVEN, GOOD, LATE, City
from tests.scoring.test_language import enter

RULES = GIVEN / "rules.yml"


def told(city: City, assignment: str, **columns: object) -> str:
    """What the case of an assignment says of itself."""
    for name, value in columns.items():
        city.run(f"update mart.fct_case set {name} = %(value)s where case_id = %(case)s",
                 {"value": value, "case": f"k{assignment}"})  # fmt: skip
    return assignment


@pytest.fixture(scope="module")
def city(scratch):
    """T1 has all there is; T2 has nothing but a case in time."""
    settings = scratch()
    with City(settings) as city:
        city.run("delete from config.entry")
        city.scheme(RULES)
        for unit in ("T1", "T2"):
            city.unit(unit, "town")
        city.run("update mart.dim_unit set grids = 10 where unit_code = 'T1'")
        for code, name, above, level in (("11", "城管", None, 1), ("1101", "市容", "11", 2), ("12", "交通", None, 1)):
            city.insert("mart.dim_category", category_code=code, category_name=name, parent_category_code=above,
                        category_level=level, level_1_code=code[:2], level_1_name=name)  # fmt: skip
        for code, district in (("330112", None), ("330112001", "330112")):
            city.insert("mart.dim_area", area_code=code, area_name=code, parent_area_code=district,
                        area_level="town" if district else "district", district_code="330112")  # fmt: skip
        # of the province two in time of three: 66.67 %, 28.33 short, each begun counts: 29
        for kind in (GOOD, GOOD, LATE):
            told(city, city.assignment("T1", **kind), dispatch_source="province", urgency="normal")
        # asked for: one in time, one late. Beside them: another category, another area, confidential, not urgent
        asked = {"category_code": "1101", "area_code": "330112001", "urgency": "urgent"}
        told(city, city.assignment("T1", **GOOD), **asked)
        told(city, city.assignment("T1", **LATE), **asked | {"is_confidential": False})
        told(city, city.assignment("T1", **LATE), **asked | {"category_code": "12"})
        told(city, city.assignment("T1", **LATE), **asked | {"area_code": "330110"})
        told(city, city.assignment("T1", **LATE), **asked | {"is_confidential": True})
        told(city, city.assignment("T1", **LATE), **asked | {"urgency": "normal"})
        first = city.assignment("T1", **GOOD)
        second = city.assignment("T1", **GOOD)
        city.assignment("T2", **GOOD)
        for _ in range(4):
            city.violation("T1", first, "not_handled")
        # late_handling of one case in August (another quarter), twice in October, and once of another case
        city.violation("T1", first, "late_handling", found="08-05 10:00")
        city.violation("T1", first, "late_handling", found="10-05 10:00")
        city.violation("T1", first, "late_handling", found="10-25 10:00")
        city.violation("T1", second, "late_handling", found="10-26 10:00")
        enter(city, "T1", "outside", 92, "rules")
    return settings, score(settings, "2026-10")


def lines(settings, period="2026-10") -> dict[tuple[str, str], tuple]:
    with database.connect(settings) as connection:
        rows = connection.execute(
            "select unit_code, indicator_code, numerator, denominator, value, points from mart.fct_unit_indicator"
            " where period = %s",
            [period],
        ).fetchall()
    return {(unit, code): tuple(rest) for unit, code, *rest in rows}


D = Decimal


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("closed", (5, 11, D("45.4545"), D("9.09"))),
        # 28.33 short of 95: 29 begun, of 10 points nothing is left
        ("provincial", (2, 3, D("66.6667"), D("0.00"))),
        # 50 % lies 5 of 50 above 45: 5 + 0.5
        ("elsewhere", (1, 2, D("50.0000"), D("5.50"))),
        # 15.45 above 30: 15 whole ones
        ("above", (5, 11, D("45.4545"), D("3.00"))),
        # four, two are free
        ("returns", (4, 4, D(4), D("-1.00"))),
        ("returns_all", (4, 4, D(4), D("-2.00"))),
        # the second of one case within the quarter counts twice: 1 + 2 + 1
        ("doubled", (4, 3, D(4), D("-4.00"))),
        # 11 cases on 10 grids: 0.6 above 0.5, six tenths
        ("by_grid", (11, 10, D("1.1000"), D("4.00"))),
        ("outside", (0, 0, D("36.80"), D("36.80"))),
    ],
)
def test_each_rule_comes_out_as_reckoned(city, code, expected):
    settings, _ = city
    assert lines(settings)["T1", code] == expected


def test_who_has_no_such_row_is_not_judged_by_it(city):
    of = lines(city[0])
    assert of["T2", "provincial"][3] is None and of["T2", "by_grid"][3] is None, "no grids are known of T2"
    assert of["T2", "returns"][3] == 0 and of["T2", "closed"][3] == 20


def test_the_rows_behind_a_rule_are_those_that_it_asks_for_and_their_parts_sum(city):
    settings, _ = city
    told = explain(settings, "T1", "2026-10")
    parts = {part.code: part for part in told.indicators}
    for code, rows in (("provincial", 1), ("elsewhere", 1), ("closed", 6), ("returns", 4), ("doubled", 3)):
        assert len(parts[code].costs) == rows, code
        assert sum(cost.lost for cost in parts[code].costs) == parts[code].lost, code
    assert sorted(cost.lost for cost in parts["doubled"].costs) == [1, 1, 2]
    again = next(cost for cost in parts["doubled"].costs if cost.lost == 2)
    assert again.finding_zh == "效能督查认定：逾期处置（季度内再次发生，按 2 倍计）"


def test_a_quarter_doubles_by_the_same_window(city):
    settings, _ = city
    score(settings, "2026-Q4")
    assert lines(settings, "2026-Q4")["T1", "doubled"][0] == 4
    score(settings, "2026-Q3")
    assert lines(settings, "2026-Q3")["T1", "doubled"][0] == 1


def test_a_change_of_what_is_asked_for_is_counted_anew_and_of_a_number_is_not(city, tmp_path):
    settings, _ = city
    text = RULES.read_text(encoding="utf-8")
    draft = tmp_path / "rules.yml"
    draft.write_text(text.replace("[province]", "[province, city]"), encoding="utf-8")
    assert what_if(settings, "rules", read_scheme(draft), "2026-10").is_recounted
    draft.write_text(text.replace("free: 2}", "free: 3}"), encoding="utf-8")
    changed = what_if(settings, "rules", read_scheme(draft), "2026-10")
    assert not changed.is_recounted
    (move,) = [one for one in changed.moves if one.unit_code == "T1"]
    (shift,) = [one for one in move.shifts if one.was != one.now]
    assert (shift.code, shift.was, shift.now) == ("returns", D("-1.00"), D("-0.50"))
