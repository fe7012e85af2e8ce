"""What the language of schemes adds beyond a count and a rate, scored from facts by SQL and reckoned on paper."""

import pytest

from minhu import database
from minhu.errors import Refused
from minhu.export import read_report
from minhu.scoring import explain, render, render_scores, score
from tests.scoring.city import GIVEN, GOOD, LATE, City


def enter(city: City, unit: str, code: str, points: object, scheme: str = "rich") -> None:
    """Points by hand, entered and approved."""
    city.run(
        """
        with entered as (
            insert into assess.manual_point
                (scheme_id, period, unit_code, indicator_code, points, reason, evidence_ref)
            values (%(scheme)s, '2026-10', %(unit)s, %(code)s, %(points)s, '评审', '记录 1')
            returning manual_point_id
        )

        insert into assess.approval (subject_kind, subject_id, verdict, reason)
        select 'manual_point', manual_point_id::text, 'approved', '核实' from entered
        """,
        {"scheme": scheme, "unit": unit, "code": code, "points": points},
    )


@pytest.fixture(scope="module")
def rich(scratch):
    """October of a small city under ``given/rich.yml``, and the scores of that scheme."""
    settings = scratch()
    with City(settings) as city:
        city.run("delete from config.entry")
        city.scheme(GIVEN / "rich.yml")
        for unit in ("D1", "D2", "D3", "D4"):
            city.unit(unit, "dept")
        for unit in ("T1", "T2"):
            city.unit(unit, "town")
        city.run("update mart.dim_unit set population = 20000 where unit_code = 'T1'")

        # D1: three cases, of which one as support; two of the three answers about a1 are bad
        first = city.assignment("D1", **GOOD)
        city.assignment("D1", **GOOD)
        city.assignment("D1", **LATE, role="support")
        city.callback("D1", first, "resolved", "dissatisfied", called="10-20 10:00")
        city.callback("D1", first, "explained", "dissatisfied", called="10-21 10:00")
        city.callback("D1", first, "unresolved", "basically_satisfied", called="10-22 10:00")

        # in September one, late; its minutes are not known
        city.assignment("D1", dispatched="09-10 09:00", due="09-18 00:00", closed="09-20 09:00")

        # D2: a bad answer that nobody asked about again; one case late
        second = city.assignment("D2", **GOOD)
        city.assignment("D2", **LATE)
        city.callback("D2", second, "resolved", "dissatisfied")
        city.callback("D2", second, "resolved", "unrated", called="10-23 10:00")

        # D3: few cases, but a violation and praise. D4: nothing.
        third = city.assignment("D3", **GOOD)
        city.violation("D3", third, "not_handled")
        city.callback("D3", third, "resolved", "satisfied")

        for _ in range(2):
            town = city.assignment("T1", **GOOD)
            city.callback("T1", town, "explained", "neutral")
        city.assignment("T2", **GOOD)
        city.run(
            "update mart.fct_timeliness set working_minutes_to_close = 570 where closed_at = '2026-10-14 09:00+08'"
        )
        city.run("update mart.fct_timeliness set working_minutes_to_close = 2162 where closed_at > '2026-10-15'")
        for unit, code, points in (
            ("D1", "reply_quality", -1),
            ("D1", "reply_quality", "-1.5"),
            ("D1", "knowledge", 3),
            ("D1", "knowledge", "3.5"),
            ("D2", "reply_quality", -50),
            ("D3", "knowledge", 9),
            ("D4", "knowledge", 0),
        ):
            enter(city, unit, code, points)
    return settings, score(settings, "2026-10")


def indicators(settings, code: str, period: str = "2026-10") -> dict[str, str]:
    with database.connect(settings) as connection:
        rows = connection.execute(
            "select unit_code, numerator, denominator, value, points from mart.fct_unit_indicator"
            " where indicator_code = %s and period = %s",
            [code, period],
        ).fetchall()
    return {unit: f"{above:f}/{below:f} {value} {points}" for unit, above, below, value, points in rows}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        # 10 × the share of the group's intake: D1 has 2 of 5 first rounds that it leads
        (
            "intake",
            {
                "D1": "2/5 40.0000 4.00",
                "D2": "2/5 40.0000 4.00",
                "D3": "1/5 20.0000 2.00",
                "D4": "0/5 0.0000 0.00",
                "T1": "2/3 66.6667 6.67",
                "T2": "1/3 33.3333 3.33",
            },
        ),
        # support units answer too: D1 has three, one late; towns aim at 50 %, departments at 100 %
        (
            "close_on_time",
            {
                "D1": "2/3 66.6667 20.00",
                "D2": "1/2 50.0000 15.00",
                "D3": "1/1 100.0000 30.00",
                "D4": "0/0 None None",
                "T1": "2/2 100.0000 30.00",
                "T2": "1/1 100.0000 30.00",
            },
        ),
        # a bad answer counts when a later one confirms it: D1's second does, its first and D2's do not
        (
            "satisfaction",
            {
                "D1": "1/2 50.0000 10.00",
                "D2": "0/0 None 20.00",
                "D3": "1/1 100.0000 20.00",
                "D4": "0/0 None 20.00",
                "T1": "0/2 0.0000 0.00",
                "T2": "0/0 None 20.00",
            },
        ),
        # the last answer, explained at half
        (
            "resolved",
            {
                "D1": "0/1 0.0000 0.00",
                "D2": "1/1 100.0000 20.00",
                "D3": "1/1 100.0000 20.00",
                "D4": "0/0 None 0.00",
                "T1": "1.0/2 50.0000 10.00",
                "T2": "0/0 None 0.00",
            },
        ),
        # 10 less what was found, not below 0
        (
            "reply_quality",
            {
                "D1": "0/0 7.50 7.50",
                "D2": "0/0 0.00 0.00",
                "D3": "0/0 10.00 10.00",
                "D4": "0/0 10.00 10.00",
                "T1": "0/0 10.00 10.00",
                "T2": "0/0 10.00 10.00",
            },
        ),
        # the newest entry, 5 at most; departments alone; nothing entered is not 0
        (
            "knowledge",
            {"D1": "0/0 3.50 3.50", "D2": "0/0 None None", "D3": "0/0 5.00 5.00", "D4": "0/0 0.00 0.00"},
        ),
        # 2 requests on 20,000 inhabitants are 1 per 10,000; without a population there is no value
        ("demand", {"T1": "2/20000 1.0000 5.00", "T2": "1/0 None None"}),
        # the middle of 570 and 2,162 minutes is the lower: of an even number the first that half of them do not exceed
        (
            "speed",
            {
                "D1": "1140/2 570.0000 5.00",
                "D2": "2732/2 570.0000 5.00",
                "D3": "570/1 570.0000 5.00",
                "D4": "0/0 None None",
                "T1": "1140/2 570.0000 5.00",
                "T2": "570/1 570.0000 5.00",
            },
        ),
        (
            "not_handled",
            {
                "D1": "0/0 0 0.00",
                "D2": "0/0 0 0.00",
                "D3": "1/1 1 -2.00",
                "D4": "0/0 0 0.00",
                "T1": "0/0 0 0.00",
                "T2": "0/0 0 0.00",
            },
        ),
    ],
)
def test_each_kind_of_indicator_comes_out_as_reckoned(rich, code, expected):
    assert indicators(rich[0], code) == expected


def test_what_the_scheme_leaves_out_is_seen_with_its_reason(rich):
    with database.connect(rich[0]) as connection:
        rows = connection.execute(
            "select indicator_code, unit_code, excluded_reason from mart.fct_indicator_case where excluded_reason in"
            " ('recheck_due', 'rechecked', 'not_the_last', 'not_weighed') order by 1, 2"
        ).fetchall()
    assert rows == [
        ("resolved", "D1", "not_the_last"),
        ("resolved", "D1", "not_the_last"),
        ("resolved", "D2", "not_the_last"),
        ("satisfaction", "D1", "rechecked"),
        ("satisfaction", "D2", "recheck_due"),
    ]


def lines(result) -> dict[str, str]:
    return {
        unit.unit_code: f"{unit.raw_points} {unit.score_100} {unit.band} {unit.rank_in_group}"
        f" {unit.not_ranked_reason} {unit.listed_on}"
        for group in result.groups
        for unit in group.units
    }


def test_scores_bands_places_and_lists(rich):
    assert lines(rich[1]) == {
        "D2": "64.00 67.37 好 1 None 红榜",  # 64 of 95
        "D1": "50.00 50.00 差 2 None 黑榜",  # 4 + 20 + 10 + 0 + 7.5 + 3.5 + 5
        "D3": "90.00 90.00 None None too_few None",  # 92 less 2; but of two rows that are asked for it has one
        "D4": "30.00 None None None no_case None",
        "T2": "68.33 71.93 好 1 None 红榜",
        "T1": "66.67 66.67 好 2 None None",
    }


def test_a_quarter_is_scored_from_its_own_rows(rich):
    settings, _ = rich
    quarter = score(settings, "2026-Q4", "rich")
    assert (quarter.kind, quarter.period) == ("indicative", "2026-Q4")
    assert indicators(settings, "close_on_time", "2026-Q4") == indicators(settings, "close_on_time")


def test_a_year_is_the_mean_of_its_months(rich):
    settings, _ = rich
    with pytest.raises(Refused, match=r"2026 is the mean of its months, and 2026-09 has not been scored: run `minhu"):
        score(settings, "2026", "rich")
    score(settings, "2026-09", "rich")
    year = score(settings, "2026", "rich")
    # D1: 44.44 in September (40 of 90) and 50 in October. Its points: 7 + 10 + 15 + 0 + 8.75 + 3.5 + 5, each a mean.
    assert lines(year)["D1"] == "49.25 47.22 差 3 None 黑榜"
    # D3 has a score in October alone; the year asks for one row, as its first day did.
    # 1 + 30 + 20 + 10 + 10 + 5 + 5 − 1
    assert lines(year)["D3"] == "80.00 90.00 好 1 None 红榜"
    assert year.kind == "indicative"  # its data are not complete


def test_what_is_shown_follows_the_scheme(rich):
    settings, month = rich
    table = render_scores(month)
    assert "名次" not in table and "红榜" in table
    told = render(explain(settings, "D1", "2026-10"))
    assert "同类组收缩值" in told and "第 1 名" not in told


def test_every_lost_point_of_a_counted_indicator_has_its_rows(rich):
    for unit in ("D1", "D2", "T1"):
        for part in explain(rich[0], unit, "2026-10").indicators:
            if part.code in ("close_on_time", "satisfaction", "resolved", "not_handled"):
                assert sum(cost.lost for cost in part.costs) == part.lost, (unit, part.code)


def test_the_rows_behind_a_loss_are_kept_by_the_direction_of_the_rule(rich):
    """Of a demand by which fewer are better every row costs, of a median none does, of a share none fell short."""
    settings, _ = rich
    with database.connect(settings) as connection:
        kept = connection.execute(
            "select indicator_code, count(*) from mart.fct_evidence"
            " where period = '2026-10' and unit_code = 'T1' and excluded_reason is null group by 1 order by 1"
        ).fetchall()
    assert kept == [("demand", 2), ("resolved", 2), ("satisfaction", 2)]


def test_an_export_tells_in_percent_what_is_scored_in_percent(rich):
    settings, _ = rich
    report = read_report(settings, "2026-10")
    assert [one.code for one in report.indicators if one.is_rate] == [
        "intake",
        "close_on_time",
        "satisfaction",
        "resolved",
    ]
