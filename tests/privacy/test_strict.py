"""A key is refused only where it is a citizen's number beyond doubt."""

import random

import polars as pl
import pytest

from minhu.privacy.coded import mask_coded
from minhu.privacy.strict import holds_number


def legitimate(draw: random.Random) -> str:
    """Eighteen digits as hotlines, shops and databases number things."""
    day = f"20{draw.randrange(10, 27)}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}"
    district = draw.choice(["330102", "330106", "330110", "110105", "320508"])
    return draw.choice(
        (
            f"{district}{day}{draw.randrange(10**4):04}",
            f"{day}{draw.randrange(10**10):010}",
            f"{district[:4]}{day}{draw.randrange(10**6):06}",
            f"91{district}{draw.randrange(10**10):010}",
            str(draw.randrange(10**17, 10**18)),
        )
    )


def test_no_legitimate_number_of_eighteen_digits_is_refused():
    draw = random.Random(5)
    numbers = pl.Series([legitimate(draw) for _ in range(100_000)])
    assert numbers.filter(holds_number(numbers)).to_list() == []


@pytest.mark.parametrize(
    "key",
    ["13800001234", "+8613800001234", "GD-13800001234", "13800001234/2", "330102192001010017", "33010219200101040X"],
)
def test_a_citizens_number_is_found(key: str):
    assert holds_number(pl.Series([key, None, "202610010001"])).to_list() == [True, False, False]


def test_a_code_is_masked_only_where_the_strict_rule_finds_a_number():
    codes = pl.Series(["01010203040", "0101", "13800001234", "城管局（13800001234）", None, "办结"])
    assert mask_coded(codes).to_list() == ["01010203040", "0101", "138****1234", "城管局（138****1234）", None, "办结"]
