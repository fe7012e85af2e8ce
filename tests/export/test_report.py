"""The counts of a group in sum, the interval of a rate, and what of a revision is shown."""

from dataclasses import replace
from decimal import Decimal

import pytest

from minhu.export.figures import fixed, percent
from minhu.export.report import totals, wilson
from tests.export.given import COUNT, RATE, count, rate, unit


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [(6, 7, "48.69", "97.43"), (20, 22, "72.19", "97.47"), (0, 5, "0.00", "43.45"), (5, 5, "56.55", "100.00")],
)
def test_the_interval_is_wilsons(numerator, denominator, low, high):
    assert wilson(Decimal(numerator), Decimal(denominator)) == (Decimal(low), Decimal(high))


def test_rates_are_summed_by_their_counts_not_averaged():
    units = (unit("A", None, None, rate("close_on_time", 1, 2)), unit("B", None, None, rate("close_on_time", 97, 98)))
    (total,) = totals((RATE,), units)
    assert (total.numerator, total.denominator, total.value) == (98, 100, Decimal("98.0000"))
    assert (total.wilson_low_pct, total.wilson_high_pct, total.target) == (*wilson(Decimal(98), Decimal(100)), 95)


def test_a_target_that_differs_between_units_is_none_of_the_group():
    units = (
        unit("A", None, None, rate("close_on_time", 1, 2)),
        unit("B", None, None, rate("close_on_time", 1, 2, target=Decimal(90))),
    )
    assert totals((RATE,), units)[0].target is None


def test_counts_are_summed_and_medians_are_not():
    units = (unit("A", None, None, count(2)), unit("B", None, None, count(3)))
    assert totals((COUNT,), units)[0].value == 5
    medians = tuple(replace(one, measured=(replace(one.measured[0], value=Decimal("1.5")),)) for one in units)
    assert totals((COUNT,), medians)[0].value is None


def test_a_half_goes_up():
    assert (fixed(Decimal("75.55"), 1), fixed(Decimal("75.45"), 1), percent(Decimal("85.715"))) == (
        "75.6",
        "75.5",
        "85.72%",
    )
