"""What BI tools are given: every statement runs as a login of theirs, and every number is that of the scores."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
import yaml

from minhu import database
from minhu.bi import BOARDS, CHARTS, DATASETS, asked, semantic, superset
from minhu.database import logins
from minhu.schemes.catalogue import measures
from minhu.scoring import last_score, score
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.board import board
from minhu.warehouse.build import build
from tests.publish.city import login, rows
from tests.scoring import test_wide

MONTH = "2026-10"
BUNDLE = PROJECT_ROOT / "examples" / "superset" / "bundle"
PACKAGE = PROJECT_ROOT / "examples" / "semantic"


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    made = test_wide.made(scratch, tmp_path_factory.mktemp("bi"))
    build(made)
    score(made, "2026-09")
    score(made, MONTH)
    return made


@pytest.fixture(scope="module")
def bi(city):
    return login(city, "bi_superset", "bi")


@pytest.fixture(scope="module")
def texts(bi):
    with database.connect(bi) as connection:
        return superset.files(connection)


def committed(folder):
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.*")}


# What is written


def test_the_bundle_in_the_repository_is_what_would_be_written(texts):
    assert committed(BUNDLE) == texts, "minhu bi superset --out examples/superset/bundle"


def test_the_package_in_the_repository_is_what_would_be_written():
    assert committed(PACKAGE) == semantic.package(), "minhu bi semantic --out examples/semantic"


def test_the_same_bundle_is_the_same_bytes_and_holds_no_password(texts):
    assert superset.bundle(texts) == superset.bundle(texts)
    assert superset.HIDDEN in texts["databases/minhu.yaml"]


def test_what_is_asked_for_is_there():
    assert len(CHARTS) >= 16 and {one.zh for one in BOARDS} == {"领导驾驶舱", "考评分析", "数据质量"}
    shown = [name for one in BOARDS for row in one.rows for name, _ in row]
    assert set(shown) == set(CHARTS)
    assert all(sum(width for _, width in row) == 12 for one in BOARDS for row in one.rows)
    assert all("fresh" in [name for row in one.rows for name, _ in row] for one in BOARDS), "how far the data reach"


def test_every_column_has_a_word_and_every_chart_columns_that_are_there(bi):
    with database.connect(bi) as connection:
        columns = {name: superset.columns(connection, one) for name, one in DATASETS.items()}
    bare = [
        (name, column)
        for name, told in columns.items()
        for column, _, label, _ in told
        if not re.search(r"[\u4e00-\u9fff]", label)
    ]
    assert bare == []
    for chart in CHARTS.values():
        there = {column for column, *_ in columns[chart.dataset]}
        named = {*chart.by, *chart.columns, *(one.column for one in chart.filters)}
        assert named | ({chart.x} if chart.x else set()) <= there, chart.name
    for one in BOARDS:
        for pick in one.picks:
            assert pick.dataset is None or pick.column in {column for column, *_ in columns[pick.dataset]}


def test_moments_are_the_clock_of_the_city_and_not_a_tools(bi):
    with database.connect(bi) as connection:
        kinds = {kind for one in DATASETS.values() for _, kind, _, _ in superset.columns(connection, one)}
    assert "TIMESTAMP WITH TIME ZONE" not in kinds and {"DATE", "TIMESTAMP", "NUMERIC"} <= kinds


# Numbers


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_runs_as_a_tools_login(bi, name):
    told = rows(bi, asked.sql(CHARTS[name]).replace("%", "%%"))
    assert told or CHARTS[name].dataset in QUIET


QUIET = ("feed_loss", "feed_quality", "area_day", "area_rate", "category_rate")
"""Of what this city has nothing: the boards over the whole demo are looked at by `make bi`."""


@pytest.mark.parametrize("name", DATASETS)
def test_every_metric_runs_as_a_tools_login(bi, name):
    for metric in DATASETS[name].metrics:
        assert len(rows(bi, asked.metric_sql(DATASETS[name], metric.name))) == 1


def of_scores(city):
    """{pair: (numerator, denominator)} of October, all units together."""
    scored = test_wide.told_by_scores(city)
    return {
        pair: tuple(sum(told[part] for (_, _, month), told in units.items() if month == MONTH) for part in (0, 1))
        for pair, units in scored.items()
    }


RATES = [
    (dataset, metric.name)
    for dataset, one in DATASETS.items()
    for metric in one.metrics
    if metric.name.endswith("_rate") and metric.name.removesuffix("_rate") in {m.pair for m in measures().values()}
]


@pytest.mark.parametrize(("dataset", "metric"), RATES)
def test_a_rate_is_that_of_the_scores_wherever_it_is_asked_for(city, bi, dataset, metric):
    pair = metric.removesuffix("_rate")
    above, below = of_scores(city)[pair]
    day = {"score_wide": "period_on", "assignment_wide": f"{pair}_on", "callback_wide": f"{pair}_on"}
    where = f"where to_char({day.get(dataset, 'day_on')}, 'YYYY-MM') = '{MONTH}'"
    if dataset == "score_wide":
        where += " and period_kind_zh = '月'"
    ((told,),) = rows(bi, f"{asked.metric_sql(DATASETS[dataset], metric)} {where}")
    assert told == (Decimal(above) / below if below else None) or abs(told - Decimal(above) / below) < Decimal("1e-15")


def test_a_rate_that_nothing_counts_for_is_null_and_some_are_told(city):
    told = of_scores(city)
    assert told["on_time"][1] > 0 and told["satisfied"] == (2, 3) and told["contacted"][1] == 0


def test_boards_show_the_backlog_and_the_intake_of_the_portals_board(city, bi):
    portals = board(city)
    (newest,) = rows(bi, asked.metric_sql(DATASETS["city_day"], "open_newest"))[0]
    (overdue,) = rows(bi, asked.metric_sql(DATASETS["city_day"], "overdue_newest"))[0]
    assert (newest, overdue) == (portals.week.open, portals.week.overdue) and newest > 0
    month = f"where to_char(day_on, 'YYYY-MM') = '{MONTH}'"
    received = "select count(*) from mart.fct_case where to_char(received_on, 'YYYY-MM') = %s"
    assert (
        rows(bi, f"{asked.metric_sql(DATASETS['city_day'], 'intake')} {month}") == rows(bi, received, MONTH) != [(0,)]
    )


def test_the_table_of_scores_is_the_score(city, bi):
    scored = {
        (unit.unit_name, unit.score_100, unit.band) for group in last_score(city, MONTH).groups for unit in group.units
    }
    shown = rows(bi, asked.sql(CHARTS["scores"]))
    assert {(row[2], row[3], row[4]) for row in shown if row[0] == MONTH} == scored


# The semantic package


def test_dbt_reads_the_package_without_a_warning(tmp_path):
    """Its metrics, too: dbt holds them against the measures, dimensions and the spine of time."""
    nowhere = {"type": "postgres", "host": "127.0.0.1", "port": 1, "user": "x", "password": "x", "dbname": "x"}
    profiles = {"minhu": {"target": "x", "outputs": {"x": nowhere | {"schema": "mart"}}}}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles), encoding="utf-8")
    for name, text in semantic.package().items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    told = subprocess.run(
        [Path(sys.executable).with_name("dbt"), "--warn-error", "parse", "--profiles-dir", ".", "--no-partial-parse"],
        cwd=tmp_path,
        env=os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-2000:]


def test_every_metric_of_the_package_is_what_was_scored(city, bi):
    page = yaml.safe_load(semantic.package()["models/semantic.yml"])
    found = {
        measure["name"]: (model["name"], measure.get("expr", measure["name"]), measure["agg_time_dimension"])
        for model in page["semantic_models"]
        for measure in model["measures"]
    }
    scored, asked_for = of_scores(city), 0
    for metric in page["metrics"]:
        if metric["type"] != "ratio" or metric["name"].removesuffix("_rate") not in scored:
            continue
        sums = []
        for part in ("numerator", "denominator"):
            mart, column, day = found[metric["type_params"][part]]
            query = f"select coalesce(sum({column}), 0) from mart.{mart} where to_char({day}, 'YYYY-MM') = '{MONTH}'"
            sums.append(rows(bi, query)[0][0])
        assert tuple(sums) == scored[metric["name"].removesuffix("_rate")], metric["name"]
        asked_for += 1
    assert asked_for == len(scored)


def test_where_a_tool_reaches_the_warehouse_is_told_without_its_password(bi):
    with database.connect(bi) as connection:
        way = superset.address("postgresql://owner:secret@db.city.example:5433/minhu?sslmode=require", "superset")
        told = yaml.safe_load(superset.files(connection, way)["databases/minhu.yaml"])["sqlalchemy_uri"]
    assert told == way == f"postgresql+psycopg2://superset:{superset.HIDDEN}@db.city.example:5433/minhu"


# What the page says


def test_the_ways_in_that_the_page_shows_are_those_that_a_login_is_told():
    page = (PROJECT_ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
    told = dict(logins.ways_in("postgresql://owner:secret@127.0.0.1:5432/minhu", "fenxi"))
    for way in ("SQLAlchemy, Superset", "JDBC: Metabase, FineBI, Tableau", "ODBC: Excel, Power BI"):
        assert told[way] in page, way


def test_a_way_in_that_the_page_shows_leads_in(bi):
    """As libpq and DuckDB write it, and as a URL."""
    at = sqlalchemy.make_url(bi.database_url)
    page = (PROJECT_ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
    put = {
        "127.0.0.1": at.host,
        "5432": str(at.port),
        "minhu": at.database,
        "fenxi": at.username,
        "PASSWORD": at.password,
    }
    for shown in re.findall(r"`(postgresql://[^`]+)`|ATTACH '([^']+)'", page):
        way = re.sub("|".join(put), lambda found: put[found[0]], next(filter(None, shown)))
        with psycopg.connect(way) as connection:
            assert connection.execute("select count(*) > 0 from mart.dim_date").fetchone() == (True,)


def test_the_rules_of_the_page_hold(city, bi):
    """What it warns of is wrong on a city of eleven cases already."""
    above, below = of_scores(city)["on_time"]
    wrong = "select avg(is_closed_on_time::integer) from mart.fct_timeliness where to_char(due_on, 'YYYY-MM') = %s"
    assert rows(bi, wrong, MONTH)[0][0] != Decimal(above) / below
