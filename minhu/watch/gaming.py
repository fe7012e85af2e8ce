"""What auditors should look at: patterns that show where scores are made rather than earned.

Facts for a person's judgement, by unit and month; nothing here takes a point from anybody. Thresholds are dated
configuration (``gaming`` in ``city.yml``); the view ``audit.gaming_signal`` finds the patterns.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from psycopg.rows import class_row

from minhu import database
from minhu.glossary.cases import GAMING_SIGNAL
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.settings import Settings


@dataclass(frozen=True)
class Signal:
    """One pattern at one unit in one month. ``usual_pct``: what ``found_pct`` is compared with, where it is."""

    month_on: date
    unit_code: str
    unit_name: str
    signal_code: str
    found: int
    of_total: int
    found_pct: Decimal
    usual_pct: Decimal | None
    subject_kind: str
    example_ids: tuple[str, ...]

    @property
    def signal_zh(self) -> str:
        return GAMING_SIGNAL.zh(self.signal_code)

    def as_json(self) -> dict:
        """Plain values for ``json.dumps``; shares as decimal strings."""
        return plain(self) | {"signal_zh": self.signal_zh}


def gaming(settings: Settings, period: str) -> tuple[Signal, ...]:
    """The patterns of ``period``, a month or a year, by month, unit and kind. Raises Refused when it is malformed."""
    wanted = Period.parse(period)
    with database.connect(settings) as connection, connection.cursor(row_factory=class_row(Signal)) as cursor:
        return tuple(cursor.execute(_SIGNALS, {"first": wanted.first, "last": wanted.last}))


_SIGNALS = """
select
    signals.month_on,
    signals.unit_code,
    coalesce(units.unit_name, signals.unit_code) as unit_name,
    signals.signal_code,
    signals.found,
    signals.of_total,
    signals.found_pct,
    signals.usual_pct,
    signals.subject_kind,
    signals.example_ids
from audit.gaming_signal as signals
left join mart.dim_unit as units
    on
        signals.unit_code = units.unit_code
        and units.valid_from <= signals.month_on
        and (units.valid_to is null or units.valid_to > signals.month_on)
where signals.month_on between %(first)s and %(last)s
order by signals.month_on, signals.unit_code, signals.signal_code
"""
