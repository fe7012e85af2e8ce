"""What a citizen answered: as sent, and on the four levels that every scale maps to."""

import pytest

from minhu import database
from minhu.feeds.canonical import SATISFACTION_SCALES
from minhu.load import load_file
from minhu.warehouse.build import build
from tests import given

NUMBERS = {"satisfied": 1, "basically_satisfied": 0.8, "neutral": 0.6, "dissatisfied": 0}
FOUR = given.CALLBACKS | {"name": "four", "columns": {"satisfaction_scale": {"value": "four"}}}
FOUR["source"] = {"type": "drop_folder", "path": "h1/four_{date}.csv", "settle_seconds": 0}
FIVE = given.CALLBACKS | {"columns": {"satisfaction_scale": {"value": "five"}}}


@pytest.fixture
def city(scratch, tmp_path):
    return scratch(given.config(tmp_path / "config", [given.feed(deliveries=[given.CASES, FIVE, FOUR])]))


def load(city, delivery, rows):
    path = city.drop / "h1" / f"{delivery}_20261012.csv"
    (given.case_file if delivery == "cases" else given.csv_file)(path, rows)
    batch = load_file("h1", delivery, path, settings=city).batch_id
    with database.connect(city) as connection:
        connection.execute("update audit.batch set status = 'accepted' where batch_id = %s", [batch])


def callback(minute: int, code: str, **row: str) -> dict:
    return {"case_no": "1", "called_at": f"2026-10-16 10:{minute:02}:00", "satisfaction_code": code} | row


def test_every_answer_keeps_its_scale_and_has_its_level(city):
    load(city, "cases", [{"工单编号": "1"}])
    five, four = ([*SATISFACTION_SCALES[scale], "unrated"] for scale in ("five", "four"))
    load(city, "callbacks", [callback(at, code) for at, code in enumerate(five)])
    load(city, "four", [callback(30 + at, code) for at, code in enumerate(four)])
    build(city)
    with database.connect(city) as connection:
        told = connection.execute(
            "select satisfaction_scale, satisfaction_code, satisfaction_level from mart.fct_satisfaction"
            " order by called_at"
        ).fetchall()
    assert told == [
        ("five", "very_satisfied", "satisfied"),
        ("five", "satisfied", "satisfied"),
        ("five", "basically_satisfied", "basically_satisfied"),
        ("five", "dissatisfied", "dissatisfied"),
        ("five", "very_dissatisfied", "dissatisfied"),
        ("five", "unrated", None),
        ("four", "satisfied", "satisfied"),
        ("four", "basically_satisfied", "basically_satisfied"),
        ("four", "neutral", "neutral"),
        ("four", "dissatisfied", "dissatisfied"),
        ("four", "unrated", None),
    ]
    weighed = [NUMBERS[level] for scale, _, level in told if level and scale == "four"]
    assert sum(weighed) == pytest.approx(2.4), "the example of 赵巷镇's weights in docs/decisions/satisfaction.md"


def test_reached_refused_and_unreachable_are_told_apart(city):
    load(city, "cases", [{"工单编号": "1"}])
    rows = [
        callback(1, "satisfied", is_reached="true", reach_code=""),
        callback(2, "", is_reached="false", reach_code=""),
        callback(3, "", is_reached="", reach_code="refused"),
        callback(4, "satisfied", is_reached="", reach_code="reached"),
        callback(5, "", is_reached="", reach_code="unreachable"),
        callback(6, "satisfied", is_reached="", reach_code=""),
    ]
    load(city, "callbacks", rows)
    build(city)
    with database.connect(city) as connection:
        told = connection.execute(
            "select is_reached, reach_code from mart.fct_satisfaction order by called_at"
        ).fetchall()
    assert told == [
        (True, "reached"),
        (False, "unreachable"),
        (False, "refused"),
        (True, "reached"),
        (False, "unreachable"),
        (None, None),
    ]
