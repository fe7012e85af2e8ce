"""The public version lets no count from 1 to 4 be read or reckoned, and keeps every band."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from minhu.export.public import suppress
from minhu.export.report import Group, Indicator, Measured
from minhu.privacy.small import SMALL
from tests.export.given import COUNT, RATE, RETURNS, count, group, rate, report, rich, unit


def shown(given_report, code, indicator="close_on_time"):
    return next(one.by(indicator) for _, one in given_report.units() if one.code == code)


def test_a_small_number_of_cases_is_withheld_with_all_that_tells_it():
    public = suppress(report())
    t2 = next(one for _, one in public.units() if one.code == "T2")
    cell = t2.by("close_on_time")  # 6 of 7: one case
    assert cell.is_suppressed
    shown = (cell.numerator, cell.denominator, cell.value, cell.wilson_low_pct, cell.wilson_high_pct, cell.points)
    assert shown == (None,) * 6
    assert (t2.raw_points, t2.score_100, t2.assessed_points) == (None, None, None)
    assert all(one.points is None for one in t2.measured)
    assert t2.band == "良好"


def test_a_unit_with_large_counts_keeps_its_numbers_but_no_rows():
    public = suppress(report())
    d1 = shown(public, "D1")
    assert (d1.numerator, d1.denominator, d1.points) == (18, 24, Decimal("12.50"))
    assert d1.costs is None
    assert list(public.costs()) == []


def test_a_single_withheld_unit_takes_the_next_smallest_with_it():
    public = suppress(report())
    assert shown(public, "T1").is_suppressed  # else 36 of 37 in the towns less 30 of 30 tells the 6 of 7


def test_what_few_cases_took_is_withheld_and_what_many_took_is_shown():
    minutes = Indicator("minutes", "办理时长", is_rate=False, is_lower_better=True)

    def took(total, cases):
        return Measured("minutes", Decimal(total), Decimal(cases), Decimal(total) / cases, points_max=Decimal(5))

    units = (unit("U1", "良好", "80.00", took(1200, 2)), unit("U2", "良好", "80.00", took(90000, 60)))
    three = (*units, unit("U3", "良好", "80.00", took(100000, 70)))
    public = suppress(replace(report(), indicators=(minutes,), groups=(Group("g", "组", Decimal(4), (), three, ()),)))
    withheld = {one.code for _, one in public.units() if one.by("minutes").is_suppressed}
    assert withheld == {"U1", "U2"}  # two cases are few; with U2 the sum no longer tells them


def test_the_public_rate_of_a_group_stays_where_it_is_large():
    departments, towns = suppress(report()).groups
    assert departments.total("close_on_time").numerator == 118
    assert towns.total("close_on_time").is_suppressed  # one of 37 was late


cells = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (min(pair), max(pair)))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(cells, st.integers(0, 9)), max_size=6))
def test_no_small_cell_is_shown_nor_told_by_the_sums(drawn):
    units = [
        unit(
            f"U{at}",
            "良好",
            "80.00",
            rate("close_on_time", *pair, "1.00"),
            rate("return_rate", 0, 50, "2.00"),
            count(found),
        )
        for at, (pair, found) in enumerate(drawn)
    ]
    (seen,) = suppress(replace(report(), groups=(group("dept", "部门", *units),))).groups
    for indicator in (RATE, RETURNS, COUNT):
        parts = [one.by(indicator.code) for one in seen.units]
        for one in [*parts, seen.total(indicator.code)]:
            counts = [one.numerator, one.denominator] if indicator.is_rate else [one.value]
            if not one.is_suppressed and indicator.is_rate:
                counts.append(one.denominator - one.numerator)
            assert not any(number and 0 < number < SMALL for number in counts)
        hidden = [one for one in parts if one.is_suppressed]
        others = [one for one in parts if not one.is_suppressed and (one.denominator or one.value)]
        assert len(hidden) != 1 or not others
    for one in seen.units:
        assert not one.is_suppressed or (one.score_100 is None and all(part.points is None for part in one.measured))


def test_of_a_revision_it_tells_the_bands_that_moved_and_no_line_of_the_ledger():
    public = suppress(rich())
    assert rich().diff.ledger and public.diff.ledger == () == public.diff.cases
    assert [[change.column for change in one.changes] for one in public.diff.units] == [["band"]]
