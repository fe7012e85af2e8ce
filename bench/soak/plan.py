"""How large a soak is, which days it lives and when what strikes."""

from dataclasses import dataclass
from datetime import date, timedelta

CASES = 3_000
"""Of a day, all hotlines together: what ten days of fit into 15 minutes of two cores (bench/README.md)."""


@dataclass(frozen=True)
class Moment:
    """``strike``: its name in `strikes`. ``day``: counted from 0. ``when``: while files are loaded, or facts built."""

    day: int
    when: str
    strike: str


FULL = (
    Moment(1, "loading", "task"),
    Moment(2, "loading", "dag-processor"),
    Moment(3, "loading", "scheduler"),
    Moment(4, "loading", "log disk"),
    Moment(5, "loading", "PostgreSQL"),
    Moment(6, "loading", "clock"),
    Moment(7, "building", "PostgreSQL"),
    Moment(7, "loading", "triggerer"),
)
SHORT = (
    Moment(0, "loading", "task"),
    Moment(0, "loading", "scheduler"),
    Moment(0, "loading", "log disk"),
    Moment(1, "loading", "PostgreSQL"),
    Moment(1, "loading", "clock"),
)
"""Each service by itself is killed by `tests/services/test_control.py`."""


@dataclass(frozen=True)
class Plan:
    """One soak. ``feeds``: only these, all of the city's unless given."""

    last: date
    """The business date of the last day: yesterday where the city is."""
    cases: int = CASES
    days: int = 10
    seed: int = 7
    minutes: float = 15
    """All of it, from the first file to the last check."""
    feeds: tuple[str, ...] = ()
    moments: tuple[Moment, ...] = FULL
    garbage_day: int = 2
    garbage_feed: str = "h12333"
    late_day: int = 1
    """After it the file is sent that is missing of yesterday."""
    hang_seconds: int = 60
    """So long the source that never answers is waited for: as its declaration says."""
    cut_off_seconds: int = 150
    """A day's build begins when its feeds are in, or so long after they were triggered, with what there is."""
    retry_seconds: int = 20
    """Tasks are tried again after so long instead of the two minutes and more of the DAGs: a day lasts a minute."""
    is_short: bool = False
    """Faults are looked for when asked, not by the minute, and what the clock of the DAGs brings is triggered."""

    @property
    def every(self) -> float:
        """Seconds between two looks at what runs: each costs Airflow something."""
        return 0.5 if self.is_short else 3.0

    @property
    def dates(self) -> list[date]:
        return [self.last - timedelta(back) for back in reversed(range(self.days))]


def short(last: date, cases: int = 300, seed: int = 7) -> Plan:
    """What `make test` has time for: two days of four feeds, each kind of fault once."""
    return Plan(
        last=last,
        cases=cases,
        days=2,
        seed=seed,
        minutes=20,  # a busy machine is slow: no test asserts a time
        feeds=("h12333", "h12309", "cable_tv", "resp_linan_town"),
        moments=SHORT,
        garbage_day=0,
        late_day=0,
        hang_seconds=8,
        cut_off_seconds=60,
        retry_seconds=5,
        is_short=True,
    )
