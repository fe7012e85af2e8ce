"""Names that lead nowhere are listed, and go away once an alias is added."""

import json
from datetime import date

import pytest

from minhu import config, database
from minhu.load import load_file
from minhu.warehouse.build import build
from minhu.warehouse.unresolved import unresolved
from tests import given
from tests.load.test_preview import CATEGORIES, UNITS


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("city")
    declared = given.feed(deliveries=[given.CASES, given.CALLBACKS])
    settings = scratch(given.config(folder / "config", [declared], units=UNITS, categories=CATEGORIES))
    rows = [
        {"工单编号": "1", "办理单位": "城市管理局"},
        {"工单编号": "2", "办理单位": "城市管理局", "分类": "0109"},
        {"工单编号": "3", "办理单位": "欧阳清风"},
        {"工单编号": "4"},
    ]
    load_file("h1", "cases", given.case_file(folder / "c.csv", rows), date(2026, 10, 12), settings=settings)
    called = {"case_no": "4", "called_at": "2026-10-14 09:00:00", "unit_name": "市城管委"}
    load_file("h1", "callbacks", given.csv_file(folder / "b.csv", [called]), date(2026, 10, 14), settings=settings)
    accept(settings)
    return settings


def accept(settings):
    with database.connect(settings) as connection:
        connection.execute("update audit.batch set status = 'accepted'")
    config.sync(settings)
    build(settings)


def test_unknown_names_are_listed_and_an_alias_resolves_them(city):
    found = unresolved(city)
    units = {row["name"]: row for row in found["units"]}
    assert {name: row["rows"] for name, row in units.items()} == {"城市管理局": 2, "字字字字": 1, "市城管委": 1}
    assert units["城市管理局"]["nearest"][0] == "市城市管理局" and units["城市管理局"]["feeds"] == ["h1"]
    assert units["城市管理局"]["first_seen_at"].startswith("2026-10-12T09:00:00")
    assert units["市城管委"]["seen_as"] == ["callback"]
    assert [(row["name"], row["rows"], row["nearest"]) for row in found["categories"]] == [("0109", 1, ["0101"])]
    assert "欧阳清风" not in json.dumps(found, ensure_ascii=False)

    (city.config / "units.csv").write_text(UNITS.replace("城管局", "城管局;城市管理局;市城管委"), encoding="utf-8")
    accept(city)
    assert [row["name"] for row in unresolved(city)["units"]] == ["字字字字"]
