"""Posted deliveries."""

import json
from pathlib import Path

import pytest

from minhu import database
from minhu.errors import BadDelivery, Refused
from minhu.feeds.posted import TooLarge
from minhu.load.push import receive, summary, try_out
from tests import given
from tests.sources.conftest import DAY


@pytest.fixture
def city(scratch, tmp_path):
    pushed = given.CASES | {"name": "pushed", "source": {"type": "push", "max_mb": 0.01}}
    return scratch(given.config(tmp_path / "config", [given.feed(deliveries=[pushed, given.CASES])]))


@pytest.fixture
def body(tmp_path) -> Path:
    return given.case_file(tmp_path / "body.csv", [{}, {"工单编号": "2"}])


def test_what_is_posted_is_loaded_once(city, body):
    results = [receive(city, "h1", "pushed", body, DAY, 2, "../../日报\n.csv") for _ in range(2)]
    assert [result.outcome for result in results] == ["loaded", "already_loaded"]
    with database.connect(city) as connection:
        assert connection.execute("select source_name from audit.batch").fetchall() == [("push:日报.csv",)]
    assert not list(city.transit.glob(".fetching-*"))


def test_a_count_that_disagrees_holds_the_batch(city, body):
    result = receive(city, "h1", "pushed", body, DAY, 3)
    assert (result.outcome, result.reason) == ("held", "the sender counts 3 rows, 2 arrived (-1)")


def test_what_cannot_be_taken_is_refused(city, body, tmp_path):
    (large := tmp_path / "large.csv").write_bytes(body.read_bytes() * 100)
    (empty := tmp_path / "empty.csv").touch()
    with pytest.raises(Refused, match="is not posted"):
        receive(city, "h1", "cases", body, DAY)
    with pytest.raises(TooLarge, match="at once"):
        receive(city, "h1", "pushed", large, DAY)
    with pytest.raises(BadDelivery, match="no bytes"):
        receive(city, "h1", "pushed", empty, DAY)


def test_what_is_tried_is_told_and_nothing_is_loaded(city, tmp_path):
    wrong = given.case_file(tmp_path / "body.csv", [{}, {"工单编号": "2", "受理时间": "昨天"}])
    told = summary(try_out(city, "h1", "pushed", wrong, "日报.csv"))
    assert (told["verdict"], told["rows"], told["staged"]) == ("load", 2, 1)
    assert [(one["reason_code"], one["rows"], one["first_rows"]) for one in told["rejected"]] == [
        ("BAD_TIMESTAMP", 1, [2])
    ]
    assert "昨天" not in json.dumps(told, ensure_ascii=False)
    with database.connect(city) as connection:
        assert database.one(connection, "select count(*) from audit.batch")[0] == 0


def test_there_is_nothing_to_fetch(pull):
    assert pull({"type": "push"}) == []
