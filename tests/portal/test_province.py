"""The page of a province: its cities as they were read, and places over all of them."""

import pytest

from minhu import database
from tests.portal.conftest import Browser, House
from tests.portal.test_pages import read, words

TABLES = (
    *("release", "unit_score", "unit_indicator", "scheme", "peer_group", "band", "indicator", "freshness", "agg_day"),
    *("unit", "feed", "category", "area"),
)


@pytest.fixture(scope="module")
def cities(house) -> House:
    """Two cities that published what this one did, and one that fell silent before it was ever read."""
    with database.connect(house.city) as owner:
        for code, name in (("hangzhou", "杭州市"), ("ningbo", "宁波市")):
            owner.execute(
                "insert into province.joined_city (city_code, city_name, timezone, place, tried_at, read_at,"
                " reaches_on) select %s, %s, 'Asia/Shanghai', 'x', now(), now(), reaches_on from federation.city",
                [code, name],
            )
            for table in TABLES:
                columns = ", ".join(database.columns(owner, f"federation.{table}"))
                owner.execute(
                    f"insert into province.copied_{table} (city_code, {columns}) select %s, {columns}"
                    f" from federation.{table}",
                    [code],
                )
        owner.execute(
            "insert into province.joined_city (city_code, city_name, timezone, place, tried_at, trouble,"
            " troubled_since)"
            " values ('taizhou', '台州市', 'Asia/Shanghai', 'x', now(), 'silent', '2026-11-02 08:00+08')"
        )
    return house


def test_without_a_city_nothing_leads_there_and_the_page_says_so(house, enter):
    browser: Browser = enter("auditor")
    assert "/province" not in browser.get("/live").text
    page = read(browser.get("/province"))
    assert "还没有城市加入" in words(page.xpath("//main")[0])


def test_where_the_scheme_shows_no_places_none_is_shown(cities, enter):
    ranks = read(enter("evaluator").get("/province")).xpath("//table")[1]
    rows = [[words(cell) for cell in row] for row in ranks.xpath("./tbody/tr")]
    assert len(rows) == 4 and all(row[0] == "—办法不公布名次" and row[4] == "—" for row in rows)


def test_each_city_stands_as_it_was_read_and_ranks_are_over_those_of_one_scheme(cities, enter):
    with database.connect(cities.city) as owner:
        owner.execute("update province.copied_scheme set shows_ranks = true")
    browser: Browser = enter("evaluator")
    assert '<a class="quiet" href="/province">' in browser.get("/live").text
    page = read(browser.get("/province"))
    stands, ranks = page.xpath("//table")
    rows = [[words(cell) for cell in row] for row in stands.xpath("./tbody/tr")]
    assert [row[0] for row in rows] == ["杭州市hangzhou", "宁波市ningbo", "台州市taizhou"]
    assert rows[0][1] == "正常" and rows[2][1].startswith("没有应答") and "2026-11-02 08:00" in rows[2][1]
    assert rows[0][5] == rows[1][5] != "—" == rows[2][5]
    with database.connect(cities.city) as owner:
        wanted = owner.execute(
            "select city_name, coalesce(unit_name, '') || unit_code, rank_in_province, ranked_units"
            " from province.unit_rank where period = '2026-10' and rank_in_province is not null"
        ).fetchall()
        reasons = owner.execute("select distinct not_ranked_reason from province.unit_rank").fetchall()
    shown = [[words(cell) for cell in row] for row in ranks.xpath("./tbody/tr")]
    placed = {(row[2], row[1], *map(int, row[0].split("/"))) for row in shown if "/" in row[0]}
    assert placed == set(wanted), reasons
    assert all(row[0] != "—" for row in shown if "/" not in row[0]), "who has no place is told why"


@pytest.mark.parametrize(("group", "status"), [("unit", 403), ("sender", 403), ("bi", 200), ("engineer", 200)])
def test_it_is_for_those_who_look_over_units(cities, enter, group, status):
    assert enter(group).get("/province").status_code == status


def test_a_period_or_a_group_that_is_not_there_shows_the_newest(cities, enter):
    page = read(enter("auditor").get("/province?period=2020-01&group=nobody"))
    assert page.xpath("//select[@id='period']/option[@selected]/text()") == ["2026-10"]
    assert len(page.xpath("//table")) == 2
