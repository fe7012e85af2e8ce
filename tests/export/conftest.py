"""October 2026 of the hand-made city of the scoring tests, scored once for all tests that only read."""

from collections.abc import Callable

import pytest

from minhu.scoring import score
from minhu.settings import Settings
from tests.scoring.city import City, at, fill

PHONE = "13812345678"


@pytest.fixture(scope="session")
def scored(scratch: Callable[..., Settings]) -> Settings:
    """The warehouse. Behind D1's late case stands a record full of a citizen's data."""
    settings = scratch()
    with City(settings) as city:
        fill(city)
        city.insert(
            "staging.case_record",
            feed_code="h12345",
            case_no="NOa0008",
            received_at=at("10-09 09:00"),
            title=f"王某来电 {PHONE}",
            content=f"请回电 {PHONE}",
            address="青山湖街道某小区1幢101",
            caller_masked="138****5678",
            batch_id=1,
            row_number=8,
            row_hash="x",
        )
    score(settings, "2026-10")
    return settings
