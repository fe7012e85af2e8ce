"""Where the calendar ends: what the measures, the explanation and the signals make of the limit in force.

The fact itself is told by ``tests/scenarios/62_extended_beyond_the_calendar``.
"""

from decimal import Decimal

import pytest
from psycopg.types.json import Jsonb

from minhu import database
from minhu.scoring import explain, score
from minhu.watch.gaming import gaming
from tests.scoring.city import City
from tests.watch.test_gaming import OCTOBER

MONTH = "2026-12"
DUE = {"dispatched": "12-21 09:00", "due": "12-28 00:00"}
BEYOND = DUE | {"is_unknown": True}
KEPT, LATE = "12-27 17:00", "12-30 17:00"


@pytest.fixture(scope="module")
def december(scratch):
    """Limits of 28 December that were extended beyond the calendar, beside some that were not."""
    settings = scratch()
    with City(settings, data_end="2026-12-31") as city:
        for unit in ("FAR", "NEAR", "LATER", "RETURNED", "RETURNED_FAR"):
            city.unit(unit, "dept")
        for closed in (KEPT, LATE, None):
            city.assignment("FAR", **BEYOND, closed=closed)
            city.assignment("NEAR", **DUE, closed=closed)
        city.assignment("NEAR", **DUE, closed=LATE, extended="12-31 00:00")
        for closed in (KEPT, LATE):
            city.assignment("LATER", **DUE, closed=closed)
        for number in range(3):
            city.assignment("RETURNED", **DUE, voided=f"12-26 1{number}:00")
            city.assignment("RETURNED_FAR", **BEYOND, voided=f"12-26 1{number}:00")
        city.run("insert into mart.dim_date values ('2026-12-01', true, false, 1, 'official')")
        city.insert(
            "config.entry",
            kind="gaming",
            key="2026-01-01",
            data=Jsonb(OCTOBER | {"valid_from": "2026-01-01"}),
            since_version=1,
        )
    score(settings, MONTH)
    return settings


def counted(settings, unit):
    with database.connect(settings) as connection:
        return connection.execute(
            "select numerator_value, denominator_value, excluded_reason, due_at::date::text, occurred_at::date::text"
            " from mart.fct_indicator_case where indicator_code = 'close_on_time' and unit_code = %s"
            " order by occurred_at, due_at",
            [unit],
        ).fetchall()


def test_a_limit_beyond_the_calendar_can_only_be_kept(december):
    """Closed by the first limit 1 of 1; later or open 0 of 0, in the period of the first limit."""
    assert counted(december, "FAR") == [
        (1, 1, None, "2026-12-28", "2026-12-27"),
        (0, 0, "limit_unknown", "2026-12-28", "2026-12-30"),
        (0, 0, "limit_unknown", "2026-12-28", None),
    ]
    assert counted(december, "NEAR") == [
        (1, 1, None, "2026-12-28", "2026-12-27"),
        (0, 1, None, "2026-12-28", "2026-12-30"),
        (1, 1, None, "2026-12-31", "2026-12-30"),
        (0, 1, None, "2026-12-28", None),
    ]


def test_a_limit_moved_beyond_the_calendar_after_the_score_keeps_the_verdict_and_loses_its_arithmetic(december):
    def told():
        (part,) = explain(december, "LATER", MONTH, "close_on_time").indicators
        (cost,) = part.costs
        return cost.lost, cost.due_at, cost.clock and cost.clock.text_zh.rpartition("；")[2]

    lost, due_at, arithmetic = told()
    assert (lost, arithmetic) == (Decimal(20), "2026-12-30 周三 17:00 办结，逾期 2 天 17 小时（自然时，工作日历未及）")
    with database.connect(december) as connection:
        connection.execute(
            "update mart.fct_timeliness set due_in_force_at = null, is_limit_unknown = true, is_closed_on_time = null,"
            " extension_count = 1 where unit_code = 'LATER' and not is_closed_on_time"
        )
    assert told() == (lost, due_at, None)


def test_a_return_before_the_first_limit_is_not_one_before_the_limit_in_force(december):
    found = [(one.unit_code, one.found) for one in gaming(december, MONTH) if "before_the_limit" in one.signal_code]
    assert found == [("RETURNED", 3)]
