"""Posted deliveries."""

import pytest

from minhu import database
from minhu.errors import BadDelivery, Refused
from minhu.load.push import receive
from tests import given
from tests.sources.conftest import DAY


@pytest.fixture
def city(scratch, tmp_path):
    pushed = given.CASES | {"name": "pushed", "source": {"type": "push", "max_mb": 0.01}}
    return scratch(given.config(tmp_path / "config", [given.feed(deliveries=[pushed, given.CASES])]))


@pytest.fixture
def body(tmp_path) -> bytes:
    return given.case_file(tmp_path / "body.csv", [{}, {"工单编号": "2"}]).read_bytes()


def test_what_is_posted_is_loaded_once(city, body):
    results = [receive(city, "h1", "pushed", body, DAY, 2, "../../日报\n.csv") for _ in range(2)]
    assert [result.outcome for result in results] == ["loaded", "already_loaded"]
    with database.connect(city) as connection:
        assert connection.execute("select source_name from audit.batch").fetchall() == [("push:日报.csv",)]
    assert not list(city.transit.glob(".fetching-*"))


def test_a_count_that_disagrees_holds_the_batch(city, body):
    result = receive(city, "h1", "pushed", body, DAY, 3)
    assert (result.outcome, result.reason) == ("held", "the sender counts 3 rows, 2 arrived (-1)")


def test_what_cannot_be_taken_is_refused(city, body):
    with pytest.raises(Refused, match="is not posted"):
        receive(city, "h1", "cases", body, DAY)
    with pytest.raises(Refused, match="at once"):
        receive(city, "h1", "pushed", body * 100, DAY)
    with pytest.raises(BadDelivery, match="no bytes"):
        receive(city, "h1", "pushed", b"", DAY)


def test_there_is_nothing_to_fetch(pull):
    assert pull({"type": "push"}) == []
