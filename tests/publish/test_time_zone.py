"""A city in another time zone: the same files, told in its own local time, give the same facts, scores and words."""

import re
from datetime import datetime

import pytest
from psycopg.rows import dict_row

from minhu import database, publish
from minhu.errors import BadDeclaration, Refused
from minhu.schemes import load_scheme
from minhu.scoring import score
from minhu.scoring.explain import explain
from minhu.scoring.render import render
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, case, login

ROWS = [
    *world.FIRST,
    case(21, "城管局", 办结时间="2026-10-19 23:59:59"),  # in the last second of the limit
    case(22, "城管局", 办结时间="2026-10-20 00:00:01"),
    case(23, "交通局", 受理时间="2026-10-31 23:30:00", 派单时间="2026-10-31 23:40:00"),  # in the month's last hour
    case(24, "交通局", 办结时间="2026-10-15"),
]
FAR = "America/New_York"
"""Twelve or thirteen hours behind: whatever counts in the wrong zone is another day."""
VIEWS = (
    "audit.gaming_signal",
    "audit.open_finding",
    "audit.feed_quality",
    "mart.unit_load",
    "mart.unit_rollup",
    "assess.appeal_state",
    "assess.waiver_in_force",
)


@pytest.fixture(scope="module")
def cities(scratch, tmp_path_factory):
    """The city as it is, and the same far away."""
    made = []
    for zone in (None, FAR):
        folder = tmp_path_factory.mktemp("zone")
        leave_out = (lambda text: text.replace("timezone: Asia/Shanghai\n", "")) if zone else str
        city = world.make(scratch, folder, ROWS, scheme=leave_out, zone=zone)
        score(city, "2026-10")
        made.append(city)
    return made


def local(city, query: str) -> list[tuple]:
    """What a query gives with moments as the city's clocks show them."""
    with database.connect(city, rows=dict_row) as connection:
        rows = connection.execute(query).fetchall()
    for row in rows:
        row.pop("scheme_version", None)  # the scheme says its zone, so that it is another one
    return [
        {name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()}
        for row in rows
    ]


def test_a_far_city_is_in_its_own_zone(cities):
    _, far = cities
    first = "select received_at at time zone 'UTC' as utc from mart.fct_case order by 1 limit 1"
    assert [city.timezone for city in cities] == ["Asia/Shanghai", FAR]
    assert local(far, first) != local(cities[0], first)


@pytest.mark.parametrize(
    "query",
    [
        "select * from mart.fct_timeliness order by assignment_id",
        "select case_id, received_at, received_on, first_dispatched_at, closed_at, closed_on from mart.fct_case"
        " order by case_id",
        "select * from mart.fct_unit_indicator order by unit_code, indicator_code",
        "select * from mart.fct_unit_score order by unit_code",
        "select period, starts_at, ends_at, as_of from mart.score_run",
    ],
)
def test_facts_and_scores_are_those_of_local_time(cities, query):
    here, far = (local(city, query) for city in cities)
    assert far == here and len(here) > 0


@pytest.mark.parametrize("unit", ["U1", "U2"])
def test_explanations_tell_local_time(cities, unit):
    here, far = (re.sub(r"办法版本 \w+|cases_\d+", "", render(explain(city, unit, "2026-10"))) for city in cities)
    assert far == here and re.search(r"10-\d\d \d\d:\d\d", here)


@pytest.mark.parametrize("session", ["Asia/Shanghai", FAR, "UTC"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_tells_the_same_dates_in_a_session_of_any_zone(cities, view, session):
    """But for its moments, which each session shows in its own zone."""
    with database.connect(cities[1], rows=dict_row) as connection:
        wanted = connection.execute(f"select * from {view}").fetchall()
        connection.execute("select set_config('timezone', %s, true)", [session])
        assert connection.execute(f"select * from {view}").fetchall() == wanted


def test_nothing_in_the_database_of_a_far_city_names_another_zone(cities):
    with database.connect(cities[1]) as connection:
        naming = connection.execute(
            "select oid::regclass::text from pg_class where relkind = 'v' and pg_get_viewdef(oid) like '%Asia/%'"
            " union select oid::regprocedure::text from pg_proc where prokind = 'f' and prosrc like '%Asia/%'"
        ).fetchall()
    assert naming == []


def test_who_asks_is_still_asked_for_rights(cities):
    with database.connect(cities[0]) as connection:
        asking = connection.execute(
            "select relname from pg_class where 'security_invoker=true' = any(reloptions) order by relname"
        ).fetchall()
    assert {"appeal_state", "manual_point_in_force", "unit_login_in_force", "waiver_in_force"} <= {
        name for (name,) in asking
    }


def test_a_far_month_is_closed_published_and_computes_anew(cities):
    far = cities[1]
    shen = login(far, "z_shen", "evaluator")
    world.judge(shen, publish.close(far, "2026-10"))
    publish.publish(shen, "2026-10", why=UNWITNESSED)
    found = publish.verify(far, "2026-10")
    assert found.is_ok and found.differences == ()


def test_the_zone_of_facts_does_not_change(cities):
    far = cities[1]
    declared = far.config / "city.yml"
    text = declared.read_text(encoding="utf-8")
    declared.write_text(text.replace(FAR, "Europe/Paris"), encoding="utf-8")
    try:
        with pytest.raises(Refused, match=r"are dated in America/New_York, but city\.yml says timezone: Europe/Paris"):
            build(far)
    finally:
        declared.write_text(text, encoding="utf-8")
    build(far)


def test_a_scheme_counts_in_the_zone_of_its_city(cities):
    path = cities[1].config / "schemes" / "linan.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "timezone: Asia/Shanghai\n", encoding="utf-8")
    try:
        with pytest.raises(BadDeclaration, match=r"timezone: Asia/Shanghai, but the city .* is in America/New_York"):
            load_scheme(path)
    finally:
        path.write_text(text, encoding="utf-8")
