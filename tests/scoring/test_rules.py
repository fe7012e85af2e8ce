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


class Again(City):
    """The city once more, to write into."""

    def __init__(self, settings):
        self.rows, self.connection = 1000, database.connect(settings)


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


# The whole, and the year


def scored(settings, period="2026-10") -> dict[str, tuple]:
    with database.connect(settings) as connection:
        rows = connection.execute(
            "select unit_code, raw_points, score_100, band, rank_in_group, not_ranked_reason from mart.fct_unit_score"
            " where period = %s",
            [period],
        ).fetchall()
    return {unit: tuple(rest) for unit, *rest in rows}


def test_what_happened_caps_the_score_and_the_band(city):
    """T1 earned 55.39 of 90 and lost 4 of 90, 57.10 of 100: capped at 50.5. T2 is first."""
    settings, _ = city
    assert scored(settings)["T1"] == (D("51.39"), D("50.50"), "合格", 2, None)
    told = {part.code: part for part in explain(settings, "T1", "2026-10").indicators}
    assert (told["late_capped"].value, told["late_capped"].points) == (3, 0)
    assert told["late_capped"].rule_zh == "发生 2 次以上的，总分不高于 50.5 分，不得评为“合格”以上"


def test_a_veto_is_entered_by_two_persons_and_leaves_no_place(city):
    settings, _ = city
    with Again(settings) as again:
        enter(again, "T2", "veto", 1, "rules")
    score(settings, "2026-10")
    of = scored(settings)
    assert of["T2"][1:] == (0, "不合格", None, "by_event") and of["T1"][3] == 1
    (entry,) = next(part for part in explain(settings, "T2", "2026-10").indicators if part.code == "veto").entries
    assert (entry.reason, entry.approved_by != ()) == ("评审", True)


def test_a_year_is_the_mean_of_its_best_months_and_what_it_takes_itself(city):
    settings, _ = city
    for month in range(1, 11):
        score(settings, f"2026-{month:02}")
    score(settings, "2026")
    months = {month: scored(settings, month)["T1"][1] for month in ("2026-08", "2026-09", "2026-10")}
    assert months["2026-08"] is None and months["2026-09"] is None, "nothing was due then"
    of = lines(settings, "2026")
    assert of["T1", "of_the_year"] == (4, 4, 4, D("-4.00")) and of["T1", "closed"][3] == D("9.09")
    assert lines(settings)["T1", "of_the_year"][3] is None
    # of 90 points 4 are off: 50.50 - 4.44
    assert scored(settings, "2026")["T1"][1] == D("46.06")
