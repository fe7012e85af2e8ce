"""Names of files as people see them: what may be a citizen's is hidden, what tells one file from another stays."""

import os

import pytest

from minhu.privacy.file_names import HIDDEN, told


@pytest.mark.parametrize(
    "name",
    [
        "h1/cases_20261012.csv",
        "工单_20261012.csv",
        "投诉工单明细(3)-20261012080005.xlsx",
        "滨江区工单20261012.csv",
        "十月工单 第2批.csv",
        "server:22/out/events_20261012.json.gz",
    ],
)
def test_words_of_a_system_dates_and_short_numbers_are_shown(name):
    assert told(name) == name


@pytest.mark.parametrize(
    ("name", "citizen"),
    [
        ("张三.csv", "张三"),
        ("张三投诉工单.csv", "张三"),
        ("工单_李四_20261012.csv", "李四"),
        ("欧阳小敏诉城管局.xlsx", "欧阳小敏"),
        ("13800001111.csv", "13800001111"),
        ("工单13800001111.csv", "13800001111"),
        ("330108199001011234.csv", "19900101"),
        ("１３８００００１１１１.csv", "１３８"),
        ("一三八零零零零一一一一.csv", "一三八"),
    ],
)
def test_what_may_be_a_citizens_is_hidden(name, citizen):
    shown = told(name)
    assert citizen not in shown
    assert HIDDEN in shown


def test_what_the_declaration_says_is_shown():
    assert told("数智城管_20261012_王五.csv", ["drop/数智城管_{date}*"]) == f"数智城管_20261012_{HIDDEN}.csv"


def test_a_name_in_bytes_of_gbk_is_read_and_shown_as_it_can_be():
    assert told(os.fsdecode("工单_20261012.csv".encode("gbk"))) == "工单_20261012.csv"
    assert told(os.fsdecode(b"\xff\xff_20261012.csv")).isprintable()
    told(os.fsdecode(b"\xff\xff_20261012.csv")).encode()
