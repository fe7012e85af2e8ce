"""Lost points are split over the rows that missed, to the last cent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minhu.schemes.arithmetic import split_loss


@pytest.mark.parametrize(
    ("lost", "missed", "parts"),
    [
        ("9.29", {"a": 1}, {"a": "9.29"}),
        ("10.00", {"b": 1, "a": 1, "c": 1}, {"a": "3.34", "b": "3.33", "c": "3.33"}),  # ties by id
        ("0.02", {"a": 1, "b": 1, "c": 1}, {"a": "0.01", "b": "0.01", "c": "0.00"}),
        ("1.00", {"a": 1, "b": 2}, {"a": "0.33", "b": "0.67"}),
        ("5", {"a": 1, "b": 1}, {"a": "2.50", "b": "2.50"}),
        ("0.125", {"a": 1, "b": 1}, {"a": "0.063", "b": "0.062"}),
    ],
)
def test_worked_examples(lost, missed, parts):
    split = split_loss(Decimal(lost), [(key, Decimal(by)) for key, by in missed.items()])
    assert split == {key: Decimal(part) for key, part in parts.items()}


@given(
    cents=st.integers(1, 10_000),
    weights=st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 5), min_size=1, max_size=40),
)
def test_parts_sum_to_the_loss_and_lie_within_a_cent_of_their_share(cents, weights):
    lost = Decimal(cents) / 100
    parts = split_loss(lost.quantize(Decimal("0.01")), [(key, Decimal(by)) for key, by in weights.items()])
    assert sum(parts.values()) == lost
    for key, by in weights.items():
        assert abs(parts[key] - lost * by / sum(weights.values())) < Decimal("0.01")
