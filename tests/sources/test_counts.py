"""The sender's count beside a file: read as people write it, or said to be unreadable; never off in silence."""

import pytest

from minhu.feeds.sources.fetched import UNREAD, control_total


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("1000", 1000),
        ("1000\r\n", 1000),
        ("\ufeff1000", 1000),
        ("1,000", 1000),
        ("12,345,678", 12345678),
        ("１，０００", 1000),
        ("1000 行", 1000),
        ("共1000条", 1000),
        ("rows=1000", 1000),
        ("0", 0),
        ('{"rows": 1000}', 1000),
        ('{"rows": "1,000"}', 1000),
        ('{"rows": "1000 行"}', 1000),
        ('{"count": 7, "file": "cases_20261012.csv"}', 7),
        ('{"记录数": 7}', 7),
        ("1000 行".encode("gb18030").decode("utf-8", errors="replace"), 1000),
        ("1000".encode("utf-16").decode("utf-8", errors="replace"), 1000),
        ("d41d8cd98f00b204e9800998ecf8427e 12", 12),
    ],
)
def test_a_count_is_read_as_people_write_it(written, count):
    assert control_total(written) == count


@pytest.mark.parametrize(
    "written",
    ["", " \n", "OK", "完成", "d41d8cd98f00b204e9800998ecf8427e  cases_20261012.csv", "{}", '{"date": "20261012"}'],
)
def test_what_tells_no_count_is_none(written):
    assert control_total(written) is None


@pytest.mark.parametrize(
    "written",
    [
        "20261012 1000",
        "1000/1001",
        "1.000",
        "-5",
        "1e3",
        "1000.5",
        "一千行",
        "1 000",
        "9" * 20,
        '{"rows": "many 1 2"}',
        '{"rows": -1}',
        '{"rows": ',
        '{"rows": {"a": 1, "b": 2}}',
    ],
)
def test_a_count_that_nobody_can_read_is_told_as_such(written):
    assert control_total(written) == UNREAD
