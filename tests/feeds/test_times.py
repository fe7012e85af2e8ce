"""Times: every way of writing one that feeds use, read as the moment it means, or not at all."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minhu.feeds.feed import Delivery
from minhu.feeds.times import timestamp, why_unread

SHANGHAI = "Asia/Shanghai"


def read(texts, *formats, zone=SHANGHAI):
    """As UTC without its zone, to the second, which is easier to compare."""
    frame = pl.DataFrame({"at": texts}, schema={"at": pl.String})
    read = frame.select(timestamp(pl.col("at"), formats, zone).alias("at"))["at"]
    return [moment and moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") for moment in read]


@pytest.mark.parametrize(
    ("text", "format", "expected"),
    [
        ("2026-10-01 08:00:05", "%Y-%m-%d %H:%M:%S", "2026-10-01 00:00:05"),
        ("2026-10-01", "%Y-%m-%d", "2026-09-30 16:00:00"),
        ("3/5/2026", "%m/%d/%Y", "2026-03-04 16:00:00"),
        ("3/5/2026 8:05", "%m/%d/%Y %H:%M", "2026-03-05 00:05:00"),
        ("２０２６-10-01 ０８:00:05", "%Y-%m-%d %H:%M:%S", "2026-10-01 00:00:05"),
        ("2026-10-01 08:00:05 北京时间", "%Y-%m-%d %H:%M:%S", "2026-10-01 00:00:05"),
        ("2026-10-01 08:00:05 CST", "%Y-%m-%d %H:%M:%S", "2026-10-01 00:00:05"),
        ("2026-10-01 08:00:05 Asia/Shanghai", "%Y-%m-%d %H:%M:%S", "2026-10-01 00:00:05"),
        ("2026-10-01 08:00:05 UTC", "%Y-%m-%d %H:%M:%S", "2026-10-01 08:00:05"),
        ("2026-10-01 08:00:05 GMT+8", "%Y-%m-%d %H:%M:%S", "2026-10-01 00:00:05"),
        ("2026-10-01 08:00:05 (UTC-05:30)", "%Y-%m-%d %H:%M:%S", "2026-10-01 13:30:05"),
        ("2026-10-01 08:00:05 EST", "%Y-%m-%d %H:%M:%S", None),
        ("2026-10-01T08:00:05+08:00", "iso", "2026-10-01 00:00:05"),
        ("2026-10-01T08:00:05Z", "iso", "2026-10-01 08:00:05"),
        ("2026-10-01T08:00:05.250", "iso", "2026-10-01 00:00:05"),
        ("2026-10-01", "iso", "2026-09-30 16:00:00"),
        ("2026-10-01 08:00:05.0", "iso", "2026-10-01 00:00:05"),
        ("2026-10-01  08:00:05,123456789", "iso", "2026-10-01 00:00:05"),
        ("2026-10-01T08:00", "iso", "2026-10-01 00:00:00"),
        ("2026-10-01T08:00Z", "iso", "2026-10-01 08:00:00"),
        ("2026-10-01 08:00:05+08", "iso", "2026-10-01 00:00:05"),
        ("2026-10-01 08:00:05.25 +0530", "iso", "2026-10-01 02:30:05"),
        ("2026-10-01T08:00:05-05:30", "iso", "2026-10-01 13:30:05"),
        ("2026-W42-1", "iso", None),
        ("2026-10-01 24:00", "%Y-%m-%d %H:%M", "2026-10-01 16:00:00"),
        ("2026-12-31 24:00:00", "%Y-%m-%d %H:%M:%S", "2026-12-31 16:00:00"),
        ("2026-10-01T24:00:00.0Z", "iso", "2026-10-02 00:00:00"),
        ("2026年10月1日 24:00", "cn", "2026-10-01 16:00:00"),
        ("2026-10-01 24:01", "%Y-%m-%d %H:%M", None),
        ("2026-10-01 08:00:60", "%Y-%m-%d %H:%M:%S", None),
        ("2026-10-01T08:00:60", "iso", None),
        ("2026-10-01T08:00:60Z", "iso", None),
        ("2026-10-01 08:00:60+0800", "%Y-%m-%d %H:%M:%S%z", None),
        ("2026-10-01 08:00:60 UTC", "%Y-%m-%d %H:%M:%S", None),
        ("20261001080060", "%Y%m%d%H%M%S", None),
        ("20260612080600", "%Y%m%d%H%M%S", "2026-06-12 00:06:00"),
        ("2026年10月1日 8时0分60秒", "cn", None),
        ("1790812805", "epoch_s", "2026-10-01 00:00:05"),
        ("1790812805000", "epoch_ms", "2026-10-01 00:00:05"),
        ("1790812805", "epoch_ms", None),
        ("1790812805000", "epoch_s", None),
        ("46296.3333912037", "excel", "2026-10-01 00:00:05"),
        ("46296", "excel", "2026-09-30 16:00:00"),
        ("2026", "excel", None),
        ("2026年10月1日 下午3时05分", "cn", "2026-10-01 07:05:00"),
        ("2026年10月01日15:05", "cn", "2026-10-01 07:05:00"),
        ("2026年10月01日 15：05：09", "cn", "2026-10-01 07:05:09"),
        ("2026年10月1日上午8点", "cn", "2026-10-01 00:00:00"),
        ("2026年10月1日 8时整", "cn", "2026-10-01 00:00:00"),
        ("2026年10月1日 晚上8点半", "cn", "2026-10-01 12:30:00"),
        ("2026年10月1日 星期四 凌晨12点10分", "cn", "2026-09-30 16:10:00"),
        ("2026年10月1日 中午12时30分20秒", "cn", "2026-10-01 04:30:20"),
        ("2026年10月1日 中午1点", "cn", "2026-10-01 05:00:00"),
        ("2026年10月1日 下午15时", "cn", "2026-10-01 07:00:00"),
        ("２０２６年１０月１日　１５时０５分", "cn", "2026-10-01 07:05:00"),
        ("2026年10月1日", "cn", "2026-09-30 16:00:00"),
        ("2026年2月30日", "cn", None),
        ("2026年10月1日 25时", "cn", None),
        ("2026年10月1日 15时61分", "cn", None),
        ("2026年10月1日 上午15时", "cn", None),
        ("2026年10月1日 晚上12点", "cn", None),
        ("2026年10月1日 下午", "cn", None),
        ("2026-02-30 08:00:00", "%Y-%m-%d %H:%M:%S", None),
        ("1026-02-03 08:00:00", "%Y-%m-%d %H:%M:%S", None),
        ("昨天", "cn", None),
        (None, "iso", None),
    ],
)
def test_a_time_is_read_as_the_moment_it_means(text, format, expected):
    assert read([text], format) == [expected]


def test_several_ways_of_writing_may_stand_in_one_column():
    texts = ["1790812805000", "10/1/2026", "2026-10-01T00:00:05Z", "2026年10月1日 上午8时", "46296.5", "?"]
    expected = ["2026-10-01 00:00:05", "2026-09-30 16:00:00", "2026-10-01 00:00:05", "2026-10-01 00:00:00"]
    read_as = read(texts, "epoch_ms", "%m/%d/%Y", "iso", "cn", "excel")
    assert read_as == [*expected, "2026-10-01 04:00:00", None]


@pytest.mark.parametrize("formats", [("epoch_ms", "epoch_s"), ("epoch_s", "epoch_ms")])
def test_seconds_and_milliseconds_tell_themselves_apart(formats):
    assert read(["1790812805", "1790812805000"], *formats) == ["2026-10-01 00:00:05"] * 2


def test_a_format_that_misreads_a_year_does_not_shadow_the_next():
    assert read(["26-10-01 08:00", "2026-10-01 08:00"], "%Y-%m-%d %H:%M", "%y-%m-%d %H:%M") == [
        "2026-10-01 00:00:00",
        "2026-10-01 00:00:00",
    ]


def test_what_is_no_time_says_why():
    unread = pl.Series(["1900-01-01 00:00:00", "9999-12-31 23:59:59", "1986-05-04 02:30:00", "2026/13/01", "08:00:60"])
    formats = ("%Y-%m-%d %H:%M:%S", "iso")
    assert why_unread(unread, formats, SHANGHAI).to_list() == [
        "TIME_OUT_OF_RANGE",
        "TIME_OUT_OF_RANGE",
        "TIME_SKIPPED",
        "BAD_TIMESTAMP",
        "BAD_TIMESTAMP",
    ]


def test_the_default_formats_read_what_databases_and_browsers_write():
    written = [
        "2026-10-12 08:00:05.0",
        "2026-10-12T08:00",
        "2026-10-12T08:00Z",
        "2026-10-12 08:00:05+08",
        "2026-10-12 08:00:05.123",
        "2026-10-12T08:00:05+0800",
        "2026-10-12 24:00",
    ]
    default = Delivery.model_fields["formats"].default
    assert read(written, *default) == [
        "2026-10-12 00:00:05",
        "2026-10-12 00:00:00",
        "2026-10-12 08:00:00",
        "2026-10-12 00:00:05",
        "2026-10-12 00:00:05",
        "2026-10-12 00:00:05",
        "2026-10-12 16:00:00",
    ]


def test_where_clocks_change_the_first_of_two_is_meant_and_a_skipped_time_is_none():
    texts = ["2026-10-25 02:30:00", "2026-03-29 02:30:00", "2026-07-01 12:00:00"]
    expected = ["2026-10-25 00:30:00", None, "2026-07-01 10:00:00"]
    assert read(texts, "%Y-%m-%d %H:%M:%S", zone="Europe/Berlin") == expected


def test_cst_is_not_taken_for_local_elsewhere():
    assert read(["2026-10-01 08:00:05 CST"], "%Y-%m-%d %H:%M:%S", zone="Europe/Berlin") == [None]


@settings(max_examples=60, deadline=None)
@given(st.datetimes(datetime(1992, 1, 1), datetime(2099, 12, 31)))
def test_all_ways_of_writing_a_moment_agree(moment):
    moment = moment.replace(microsecond=0)
    serial = (moment - datetime(1899, 12, 30)).total_seconds() / 86_400
    word = "下午" if moment.hour >= 12 else "上午"
    chinese = f"{moment:%Y年%m月%d日} {word}{moment.hour % 12 or 12}时{moment:%M分%S秒}"
    texts = [f"{moment:%m/%d/%Y %H:%M:%S}", f"{serial:.9f}", chinese, moment.isoformat(), f"{moment:%Y%m%d%H%M%S}"]
    assert len(set(read(texts, "%m/%d/%Y %H:%M:%S", "excel", "cn", "iso", "%Y%m%d%H%M%S"))) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=20))
def test_any_text_is_a_time_or_null(texts):
    formats = ("epoch_s", "epoch_ms", "excel", "cn", "iso", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S%z")
    assert len(read(texts, *formats)) == len(texts)
