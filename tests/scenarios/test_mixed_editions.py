"""Matters that lie on both sides of the day on which the readings change."""

import pytest
import yaml

from minhu.warehouse.build import build
from tests.oracle.second_path import SecondPath
from tests.scenarios import city as world

FOLDER = world.SCENARIOS / "mixed_editions"


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    config = world.configuration(tmp_path_factory.mktemp("mixed") / "config")
    told = yaml.safe_load((config / "city.yml").read_text(encoding="utf-8"))
    told["readings"] = [{"valid_from": "2026-10-14", "edition": 2}]
    (config / "city.yml").write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    city = scratch(config)
    world.load(city, FOLDER / "given")
    build(city)
    return city


def test_a_duty_ends_by_the_edition_of_its_first_day_and_a_dispatch_tells_again_by_that_of_its_own(city):
    wanted = world.expected(FOLDER / "expect")["timeliness"]
    told = [{name: row[name] for name in wanted[0]} for row in world.read(city)["timeliness"]]
    assert told == wanted


def test_the_second_path_reckons_the_same_facts(city):
    assert SecondPath(city).facts() == []
