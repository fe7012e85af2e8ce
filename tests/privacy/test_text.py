"""What identifies a person is masked; what does not is left alone."""

import random

import polars as pl
import pytest

from minhu.privacy.text import mask_text

CASES = [
    ("请回电13812345678谢谢", "请回电138****5678谢谢"),
    ("电话138-1234-5678或138 1234 5678", "电话138****5678或138****5678"),
    ("＋８６１３８１２３４５６７８", "+138****5678"),
    ("1 3 8 1 2 3 4 5 6 7 8", "138****5678"),
    ("1381234 56 78或138-12-34-56-78", "138****5678或138****5678"),
    ("打138/1234/5678，或13812345678/13912345678", "打138****5678，或138****5678/139****5678"),
    ("150 2026-10-01，0571 2026-10-01", "150 2026-10-01，0571 2026-10-01"),
    ("一三八一二三四五六七八", "一三八****五六七八"),
    ("身份证33010619900101123X", "身份证3301**************"),
    ("身份证330106 19900101 1234", "身份证3301**************"),
    ("老证330106900101123", "老证3301***********"),
    ("座机0571-87654321", "座机0571-******21"),
    ("（0571）8765 4321转8001", "（0571）******21转8001"),
    ("电话：87654321、87654322", "电话：******21、******22"),
    ('{"联系电话":"87654321","用户编号":"30012345"}', '{"联系电话":"******21","用户编号":"30012345"}'),
    ("+852 9123 4567", "+852******67"),
    ("卡号6222021234567890128", "卡号***************0128"),
    ("4111 1111 1111 1111", "************1111"),
    ("浙A12345占道，浙AD12345也是", "浙A1***5占道，浙AD***5也是"),
    ("护照E12345678", "护照E*****78"),
    ("我叫王小丽，李建国女士", "我叫王**，李**女士"),
    ("联系人张三电话13812345678", "联系人张**电话138****5678"),
    ("王女士在高新区王家弄社区，业主高度不满", "王女士在高新区王家弄社区，业主高度不满"),
    ("拨打12345、95598、110或400转接", "拨打12345、95598、110或400转接"),
    ("电话4008123123，客服400-812-3123", "电话4008123123，客服400-812-3123"),
    ("工单330100202610010002，金额20261031元", "工单330100202610010002，金额20261031元"),
    ("坐标120.123456789012,30.13812345678", "坐标120.123456789012,30.13812345678"),
    ("2026-10-01 08:30:00至2026-10-02", "2026-10-01 08:30:00至2026-10-02"),
    ("９月３日，人民路１２号", "９月３日，人民路１２号"),
]


@pytest.mark.parametrize(("text", "masked"), CASES)
def test_free_text_is_masked(text, masked):
    assert mask_text(pl.Series([text, None])).to_list() == [masked, None]


def test_planted_phones_and_ids_do_not_survive():
    draw = random.Random(3)
    phones = [f"1{draw.choice('3456789')}{draw.randrange(10**9):09}" for _ in range(2000)]
    ids = [f"33010{draw.randrange(1, 9)}19{draw.randrange(50, 99)}0{draw.randrange(1, 9)}1{draw.randrange(9)}"
           f"{draw.randrange(1000):03}{draw.choice('0123456789X')}" for _ in range(2000)]  # fmt: skip
    around = ["，", "电话", "（", " ", "号", "a", "："]
    texts = [f"反映{draw.choice(around)}{number}{draw.choice(around)}请处理" for number in phones + ids]
    masked = mask_text(pl.Series(texts)).to_list()
    survived = [number for number, text in zip(phones + ids, masked, strict=True) if number in text]
    assert survived == []


def test_the_texts_that_were_given_stay_as_they_were():
    given = pl.Series("content", ["请回电13812345678", None, "浙A12345", "联系人：王小丽"])
    kept = given.to_list()
    masked = mask_text(given)
    assert given.to_list() == kept and masked.name == "content" and None in masked.to_list()
    assert not set(masked.drop_nulls()) & set(kept)


def test_what_was_masked_is_not_masked_again():
    texts = pl.Series([text for text, _ in CASES])
    once = mask_text(texts)
    assert mask_text(once).to_list() == once.to_list()


def test_a_phone_within_a_longer_number_of_another_row_changes_nothing_there():
    texts = pl.Series(["请回电13812345678", "工单9913812345678001", "订单20261001138123456789"])
    assert mask_text(texts).to_list() == ["请回电138****5678", *texts[1:]]
