"""October 2026 of a hand-made city comes out as reckoned on paper; what cannot be scored is refused in one line."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.types.json import Jsonb

from minhu import database
from minhu.errors import Refused
from minhu.schemes import load_scheme
from minhu.scoring import score
from minhu.scoring.score import RESULTS
from minhu.warehouse import dbt
from tests.scoring.city import GIVEN, City

INDICATORS = ("sign_on_time", "close_on_time", "resolved", "satisfaction", "return_rate", "not_handled", "improper")

# unit → numerator/denominator and points of each indicator
POINTS = {
    # 6/7 = 85.71 %: 10 − 9.29; 5/6 = 83.33 %: 20 − 11.67 (the numbers of 铁塔 2021-08 in 连云港's bulletin)
    "D1": ("6/7 0.71", "5/6 8.33", "0/0", "0/0", "0/7 15.00", "0/0 0.00", "0/0 0.00"),
    "D2": ("1/1 10.00", "1/1 20.00", "1/1 30.00", "1/1 25.00", "0/1 15.00", "0/0 0.00", "0/0 0.00"),
    "D4": ("0/0", "0/0", "0/0", "0/0", "0/1 15.00", "0/0 0.00", "0/0 0.00"),
    "D5": ("0/0", "0/0", "0/0", "0/0", "0/0", "0/0 0.00", "0/0 0.00"),
    # satisfaction keeps its floor; returns: 1 of 2 is 40 points above 10 %, half a point each: 15 − 20, not below 0
    "D6": ("0/2 0.00", "0/2 0.00", "0/1 0.00", "0/1 12.50", "1/2 0.00", "0/0 0.00", "0/0 0.00"),
    # the voided, the excluded and the support assignment are out, the extension holds, unrated answers are out
    "D7": ("2/2 10.00", "2/2 20.00", "0/1 0.00", "1/1 25.00", "0/2 15.00", "0/0 0.00", "0/0 0.00"),
    "D8": ("0/0", "0/0", "0/0", "0/0", "0/0", "0/0 0.00", "0/0 0.00"),
    # three violations at 5 are 15, capped at 12
    "T1": ("1/1 10.00", "1/1 20.00", "0/0", "0/0", "0/1 15.00", "3/3 -12.00", "1/1 -10.00"),
    "T2": ("0/0", "0/0", "0/0", "0/0", "0/0", "1/1 -5.00", "0/0 0.00"),
    # of its four limits two end in October; 50 % is 45 below the target
    "T3": ("0/0", "1/2 0.00", "0/0", "0/0", "0/0", "0/0 0.00", "0/0 0.00"),
    # 30 × 3/16 = 5.625, a half goes up
    "T4": ("0/0", "0/0", "3/16 5.63", "3/16 12.50", "0/0", "0/0 0.00", "0/0 0.00"),
    "M1": ("1/1 10.00", "1/1 20.00", "0/0", "0/0", "0/1 15.00", "0/0 0.00", "0/0 0.00"),
}
POINTS["D3"] = POINTS["D2"]

SCORES = {
    "D1": "dept 24.04 53.42 2.40 不合格 4 None",  # 24.04 of the 45 that applied; 4.5 × 0.5342 = 2.4039
    "D2": "dept 100.00 100.00 4.50 优秀 1 None",
    "D3": "dept 100.00 100.00 4.50 优秀 1 None",
    "D4": "dept 15.00 None None None None nothing_due",
    "D5": "dept None None None None None no_case",
    "D6": "dept 12.50 12.50 0.56 不合格 5 None",
    "D7": "dept 70.00 70.00 3.15 合格 3 None",
    "D8": "dept None None None None None nothing_due",
    "M1": "town 45.00 100.00 2.00 优秀 1 None",
    "T1": "town 23.00 78.00 1.56 合格 2 None",  # 45 of 45, less 22
    "T2": "town -5.00 None None None None no_case",
    "T3": "town 0.00 0.00 0.00 不合格 4 None",
    "T4": "town 18.13 32.96 0.66 不合格 3 None",  # 18.13 of 55
}


def stated(numerator: Decimal, denominator: Decimal, points: Decimal | None) -> str:
    return f"{numerator:f}/{denominator:f}" + (f" {points}" if points is not None else "")


@pytest.mark.parametrize("unit", sorted(POINTS))
def test_counts_and_points_come_out_as_reckoned(october, unit):
    rows = october.rows(
        f"select indicator_code, numerator, denominator, points from mart.fct_unit_indicator where unit_code = '{unit}'"
    )
    assert {code: stated(*counts) for code, *counts in rows} == dict(zip(INDICATORS, POINTS[unit], strict=True))


def test_every_unit_of_the_peer_groups_and_no_other_is_scored(october):
    rows = october.rows(
        "select unit_code, peer_group, raw_points, score_100, assessed_points, band, rank_in_group, not_ranked_reason"
        " from mart.fct_unit_score order by unit_code"
    )
    assert {unit: " ".join(map(str, score)) for unit, *score in rows} == SCORES


def test_the_result_lists_the_groups_best_first_and_the_unranked_last(october):
    dept, town = october.result.groups
    assert [unit.unit_code for unit in dept.units] == ["D2", "D3", "D7", "D1", "D6", "D4", "D5", "D8"]
    assert [unit.unit_code for unit in town.units] == ["M1", "T1", "T4", "T3", "T2"]
    assert (october.result.ranked, october.result.not_ranked) == (9, 4)
    assert (october.result.kind, dept.name_zh, dept.points) == ("indicative", "部门", Decimal("4.5"))
    assert october.result.as_of == datetime(2026, 11, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert october.result.as_json()["groups"][0]["units"][3]["score_100"] == "53.42"


def test_values_and_intervals_stand_beside_the_points(october):
    rows = october.rows(
        "select value, target, points_max, wilson_low, wilson_high from mart.fct_unit_indicator"
        " where unit_code = 'D1' and indicator_code in ('sign_on_time', 'resolved', 'not_handled') order by 3 desc"
    )
    assert [" ".join(map(str, row)) for row in rows] == [
        "None 100 30 None None",
        "85.7143 95 10 0.4869 0.9743",
        "0 None 0 None None",
    ]


def test_the_rows_of_every_unit_and_indicator_sum_to_its_counts(october):
    wrong = october.rows(
        """
        select points.unit_code, points.indicator_code
        from mart.fct_unit_indicator as points
        left join mart.fct_indicator_case as cases
            using (scheme_id, scheme_version, period, unit_code, indicator_code)
        group by points.unit_code, points.indicator_code, points.numerator, points.denominator
        having points.numerator <> coalesce(sum(cases.numerator_value), 0)
            or points.denominator <> coalesce(sum(cases.denominator_value), 0)
        """
    )
    assert wrong == []
    strangers = october.rows(
        "select unit_code from mart.fct_indicator_case where unit_code = 'X1' or unit_code is null"
    )
    assert strangers == []


def test_what_does_not_count_stays_visible_with_its_reason(october):
    rows = october.rows(
        "select indicator_code, excluded_reason, numerator_value, denominator_value from mart.fct_indicator_case"
        " where unit_code = 'D7' and excluded_reason is not null order by 1, 2"
    )
    of_assignments = ("returned", "statutory_channel", "support_unit")
    assert rows == [
        (code, reason, 0, 0)
        for code, reasons in (
            ("close_on_time", of_assignments),
            ("resolved", ("not_reached", "unrated")),
            ("return_rate", of_assignments),
            ("satisfaction", ("not_reached", "unrated")),
            ("sign_on_time", of_assignments),
        )
        for reason in reasons
    ]


def test_a_limit_that_ends_at_midnight_belongs_to_the_day_it_ends(october):
    rows = october.rows(
        "select to_char(due_at, 'MM-DD HH24:MI'), numerator_value from mart.fct_indicator_case"
        " where unit_code = 'T3' and indicator_code = 'close_on_time' order by due_at"
    )
    assert rows == [("10-30 00:00", 0), ("11-01 00:00", 1)]


def test_scoring_again_gives_the_same_rows(october):
    def everything():
        columns = "scheme_id, scheme_version, period, starts_at, ends_at, as_of, build_id, config_version"
        return (
            october.rows(f"select {columns} from mart.score_run"),
            october.rows("select * from mart.fct_unit_indicator order by unit_code, indicator_code"),
            october.rows("select * from mart.fct_unit_score order by unit_code"),
        )

    before = everything()
    again = score(october.settings, "2026-10", "exam")
    assert again == october.result
    assert everything() == before
    assert len(before[0]) == 1


def test_the_tables_carry_their_columns_in_both_languages(october):
    rows = october.rows(
        "select col_description('mart.fct_unit_score'::regclass, attnum) from pg_attribute"
        " where attrelid = 'mart.fct_unit_score'::regclass and attname = 'score_100'"
    )
    assert rows[0][0].startswith("百分制得分 — Points earned")


# Time and change


@pytest.fixture(scope="module")
def cut(scratch):
    """A city whose data end on 20 October: what happened later is in its facts all the same."""
    settings = scratch()
    with City(settings, data_end="2026-10-20") as city:
        city.unit("D1", "dept")
        early = {"dispatched": "10-01 09:00"}
        city.assignment("D1", **early, due="10-20 00:00", closed="10-19 09:00")
        city.assignment("D1", **early, due="10-21 00:00")  # open, and its limit ends with the data: late
        city.assignment("D1", **early, due="10-20 00:00", closed="10-22 09:00")  # closed only later: late
        city.assignment("D1", **early, due="10-26 00:00")  # not yet due
        city.assignment("D1", **early, due="10-26 00:00", closed="10-22 09:00")  # not yet due, closed only later
        known = city.assignment("D1", **early, due="10-26 00:00", closed="10-12 09:00")  # not yet due, though closed
        city.callback("D1", known, "resolved", "satisfied", called="10-14 09:00")
        city.callback("D1", known, "resolved", "satisfied", called="10-22 09:00")  # called only later
    return settings


def counts(settings, where="true"):
    with database.connect(settings) as connection:
        rows = connection.execute(
            "select indicator_code, numerator, denominator from mart.fct_unit_indicator"
            f" where {where} and indicator_code in ('close_on_time', 'resolved')"
        ).fetchall()
    return {code: (int(numerator), int(denominator)) for code, numerator, denominator in rows}


def test_lateness_is_judged_as_of_the_end_of_the_data_and_a_changed_scheme_is_another_version(cut):
    first = score(cut, "2026-10")
    assert first.as_of == datetime(2026, 10, 21, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert counts(cut) == {"close_on_time": (1, 3), "resolved": (1, 1)}

    changed = load_scheme(GIVEN / "exam.yml").model_dump(mode="json")
    changed["indicators"][1]["moment"] = "dispatched_at"
    with database.connect(cut) as connection:
        connection.execute("insert into config.version (city, sha256) values ('test', 'changed')")
        connection.execute("update config.entry set until_version = 2 where kind = 'scheme'")
        connection.execute(
            "insert into config.entry (kind, key, data, since_version) values ('scheme', 'exam', %s, 2)",
            [Jsonb(changed | {"scheme_version": "not the hash"})],
        )
    with pytest.raises(Refused, match="stands in the warehouse as version not the hash, and its text is"):
        score(cut, "2026-10")

    second_version = _rehash(cut)
    second = score(cut, "2026-10")
    assert first.scheme_version != second.scheme_version == second_version
    # by dispatch all six are in the month: the one closed in time counts although its limit ends later,
    # the two that nobody can judge yet do not count at all
    assert counts(cut, f"scheme_version = '{second_version}'") == {"close_on_time": (2, 4), "resolved": (1, 1)}
    assert counts(cut, f"scheme_version = '{first.scheme_version}'") == {"close_on_time": (1, 3), "resolved": (1, 1)}
    with database.connect(cut) as connection:
        rows = connection.execute(
            "select scheme_version, sum(numerator_value)::integer, sum(denominator_value)::integer"
            " from mart.fct_indicator_case where indicator_code = 'close_on_time' group by 1"
        ).fetchall()
    assert {version: tuple(sums) for version, *sums in rows} == {first.scheme_version: (1, 3), second_version: (2, 4)}


def _rehash(settings) -> str:
    """Gives the newest scheme entry the version that its content has."""
    from minhu.schemes import Scheme

    with database.connect(settings) as connection:
        (data,) = connection.execute(
            "select data from config.entry where kind = 'scheme' and until_version is null"
        ).fetchone()
        entry = Scheme.from_entry(data).entries()[0][2]
        connection.execute(
            "update config.entry set data = %s where kind = 'scheme' and until_version is null", [Jsonb(entry)]
        )
        return entry["scheme_version"]


def test_a_failed_run_changes_nothing_and_a_build_waits_for_a_run(october, monkeypatch):
    def fail(settings, select, variables, exclude):
        assert (select, exclude) == ("tag:scoring", ("tag:points",))
        with database.connect(settings) as other:
            other.execute("set lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                database.lock(other, database.LOCK_BUILD)
        return dbt.DbtRun((dbt.NodeResult("fct_unit_score", "error", 0.1, None, "division by zero"),))

    before = [october.rows(f"select * from mart.{table} order by 1, 2, 3") for table in RESULTS]
    monkeypatch.setattr(dbt, "run", fail)
    with pytest.raises(Refused, match=r"scoring 2026-10 failed and changed nothing: fct_unit_score: division by zero"):
        score(october.settings, "2026-10")
    assert [october.rows(f"select * from mart.{table} order by 1, 2, 3") for table in RESULTS] == before


# Refusals


def test_before_the_first_build_nothing_can_be_scored(warehouse):
    with database.connect(warehouse) as connection:
        connection.execute("insert into config.version (city, sha256) values ('test', 'test')")
    with pytest.raises(Refused, match="one scheme must score 2026-10, but none does"):
        score(warehouse, "2026-10")
    with database.connect(warehouse) as connection:
        for kind, key, data in load_scheme(GIVEN / "exam.yml").entries():
            connection.execute("insert into config.entry values (%s, %s, %s, 1)", [kind, key, Jsonb(data)])
    with pytest.raises(Refused, match="no build has succeeded yet: run `minhu build` first"):
        score(warehouse, "2026-10")


@pytest.mark.parametrize(
    ("period", "scheme", "complaint"),
    [
        ("2026-13", None, "'2026-13' is no period"),
        ("2026-12", None, "the built facts end on 2026-10-31, before the period 2026-12 begins"),
        ("2026-10", "lianyungang", "there is no scheme 'lianyungang'; the warehouse has exam"),
        ("2025-12", "exam", "exam does not score 2025-12: it is in force from 2026-01-01 until before 2027-01-01"),
        ("2025-12", None, r"one scheme must score 2025-12, but none does \(of exam\)"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(october, period, scheme, complaint):
    with pytest.raises(Refused, match=complaint) as error:
        score(october.settings, period, scheme)
    assert "\n" not in str(error.value)


def test_of_several_schemes_one_must_be_named(scratch, tmp_path):
    text = (GIVEN / "exam.yml").read_text(encoding="utf-8")
    other = tmp_path / "other.yml"
    other.write_text(text[: text.index("limits:")].replace("id: exam", "id: other"), encoding="utf-8")
    settings = scratch()
    with City(settings) as city:
        city.scheme(other)
    with pytest.raises(Refused, match="one scheme must score 2026-10, but exam, other do; name one"):
        score(settings, "2026-10")
