"""When a delivery is to come and how loads wait for it, and when the nightly build begins.

What a delivery leaves unsaid its feed says, then the city for the feed's group, then the city for all (``"*"``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator

from minhu.declaration import Declared, read_page
from minhu.declaration.slips import Wrong
from minhu.errors import BadDeclaration


class Arrival(Declared):
    """The terms of a delivery. A time is of the feed's zone."""

    due_days: int = Field(default=1, ge=0)
    """It is due so many days after its business date,"""
    due_time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "06:00"
    """at this time; from then on it is late."""
    grace_minutes: int = Field(default=120, ge=0)
    """So long a load and the nightly build wait for what is late; then it is missing."""
    mandatory: bool = True
    """Whether the nightly build waits for it."""
    may_be_empty: bool = False
    """Whether a day on which nothing comes is an ordinary day."""
    retries: int = Field(default=3, ge=0)
    """So often a load that failed for a passing reason is tried again."""
    timeout_minutes: int = Field(default=30, ge=1)
    """So long one load may take."""
    priority: int = Field(default=1, ge=1, le=100)
    """Where loads wait for a slot the greatest goes first: for what loads longest."""
    pool: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}$")] | None = None
    """The system that sends it: of one pool so many loads run at once as ``pools`` of ``city.yml`` gives it."""

    def due_at(self, business_date: date, timezone: str) -> datetime:
        day = business_date + timedelta(days=self.due_days)
        return datetime.combine(day, time.fromisoformat(self.due_time), ZoneInfo(timezone))

    def missing_at(self, business_date: date, timezone: str) -> datetime:
        return self.due_at(business_date, timezone) + timedelta(minutes=self.grace_minutes)


def terms(given: Iterable[Arrival | None]) -> Arrival:
    """What is in force: of each key what the last one that says it says."""
    said: dict = {}
    for one in given:
        said |= one.model_dump(exclude_unset=True) if one else {}
    return Arrival(**said)


class BuildTerms(Declared):
    """When the nightly build begins: as soon as what it waits for is in, and at its cut-off with what there is."""

    earliest: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "03:00"
    cut_off: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "06:00"
    grace_minutes: int = Field(default=60, ge=0)
    """So long it waits beyond the cut-off for what is mandatory and not in."""
    done_by: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "09:00"
    """What came before the cut-off is built by then: afterwards somebody is told."""

    @model_validator(mode="after")
    def _in_order(self) -> "BuildTerms":
        if self.done_by < self.cut_off:
            raise Wrong(
                f"it cannot be done by {self.done_by}, before the cut-off {self.cut_off}",
                f"截止 {self.cut_off} 之前，{self.done_by} 时不可能建完",
            )
        if self.cut_off < self.earliest:
            raise Wrong(
                f"the cut-off {self.cut_off} is before {self.earliest}", f"截止 {self.cut_off} 早于 {self.earliest}"
            )
        return self


@dataclass(frozen=True)
class CityTerms:
    """Of `city.yml`: when deliveries are to come, by group; when the build begins; how many loads of a pool run."""

    arrivals: dict[str, Arrival] = field(default_factory=dict)
    build: BuildTerms = field(default_factory=BuildTerms)
    pools: dict[str, int] = field(default_factory=dict)


def of_city(config: Path) -> CityTerms:
    """What ``city.yml`` says of deliveries and of the nightly build; what cannot be read is as if it were not said.

    For the DAG files, which must not fail by a slip that the first task tells: `minhu.config` judges the file.
    """
    try:
        data = read_page(config / "city.yml").data
        arrivals = {name: Arrival(**given) for name, given in (data.get("arrivals") or {}).items()}
        return CityTerms(arrivals, BuildTerms(**(data.get("build") or {})), dict(data.get("pools") or {}))
    except (BadDeclaration, ValidationError, TypeError, AttributeError, ValueError):
        return CityTerms()
