"""October 2026 of the hand-made city, scored once for all tests that only read."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from minhu import database
from minhu.scoring import ScoreResult, score
from minhu.settings import Settings
from tests.scoring.city import City, fill


@dataclass(frozen=True)
class Scored:
    settings: Settings
    result: ScoreResult

    def rows(self, query: str) -> list[tuple]:
        with database.connect(self.settings) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="session")
def october(scratch: Callable[..., Settings]) -> Scored:
    settings = scratch()
    with City(settings) as city:
        fill(city)
    return Scored(settings, score(settings, "2026-10"))
