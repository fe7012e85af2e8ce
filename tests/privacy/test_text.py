"""What identifies a person is masked; what does not is left alone."""

import random

import polars as pl
import pytest

from minhu import privacy

KEY = bytes(32)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("请回电13812345678谢谢", "请回电138****5678谢谢"),
        ("电话138-1234-5678或138 1234 5678", "电话138****5678或138****5678"),
        ("＋８６１３８１２３４５６７８", "+138****5678"),
        ("身份证33010619900101123X", "身份证3301**************"),
        ("座机0571-87654321", "座机0571-******21"),
        ("卡号6222021234567890128", "卡号***************0128"),
        ("拨打12345、95598、110或400转接", "拨打12345、95598、110或400转接"),
        ("工单330100202610010002，金额20261031元", "工单330100202610010002，金额20261031元"),
        ("2026-10-01 08:30:00至2026-10-02", "2026-10-01 08:30:00至2026-10-02"),
    ],
)
def test_free_text_is_masked(text, masked):
    assert privacy.mask_text(pl.Series([text, None])).to_list() == [masked, None]


def test_planted_phones_and_ids_do_not_survive():
    draw = random.Random(3)
    phones = [f"1{draw.choice('3456789')}{draw.randrange(10**9):09}" for _ in range(2000)]
    ids = [f"33010{draw.randrange(1, 9)}19{draw.randrange(50, 99)}0{draw.randrange(1, 9)}1{draw.randrange(9)}"
           f"{draw.randrange(1000):03}{draw.choice('0123456789X')}" for _ in range(2000)]  # fmt: skip
    around = ["，", "电话", "（", " ", "号", "a", "："]
    texts = [f"反映{draw.choice(around)}{number}{draw.choice(around)}请处理" for number in phones + ids]
    masked = privacy.mask_text(pl.Series(texts)).to_list()
    survived = [number for number, text in zip(phones + ids, masked, strict=True) if number in text]
    assert survived == []


def test_a_token_is_keyed_and_the_same_for_one_caller():
    spelt = pl.Series(["13800001111", "+86 138-0000-1111", "１３８００００１１１１", None, "87654321"])
    one = privacy.tokenise(spelt, KEY)
    assert one["caller_token"][0] == one["caller_token"][1] == one["caller_token"][2]
    assert one["caller_masked"].to_list() == ["138****1111"] * 3 + [None, "******21"]
    assert one["caller_token"][3] is None and one["caller_key_id"][3] is None
    other = privacy.tokenise(spelt, b"\x01" * 32)
    assert other["caller_token"][0] != one["caller_token"][0]
    assert other["caller_key_id"][0] != one["caller_key_id"][0]
