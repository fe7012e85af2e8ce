"""How times are written: declared formats, read into UTC.

A format is a strftime pattern or one of these words; a column may list several, and the first that reads a value wins.

| word | reads |
|---|---|
| ``iso`` | 2026-10-01T08:00:00+08:00; a blank for T; fraction, seconds, time or zone may lack; Z, +08:00, +0800, +08 |
| ``epoch_s``, ``epoch_ms`` | seconds since 1970 in 9 to 11 digits, milliseconds in 12 to 14 |
| ``excel`` | serial days of the 1900 system, 46296.5, or as the workbook says from 1904; rounded to the second |
| ``cn`` | 2026年10月1日 下午3时05分, 2026年10月01日15:05, 2026年10月1日 |

What carries no zone is the feed's local time. A zone named behind the time (``UTC``, ``GMT+8``, ``北京时间``) counts.
Of a local time that occurs twice the first is meant, and one that the clocks skip is no time. 24:00 is the end of its
day, the midnight after; a leap second is no time, since no clock here counts it. Whatever no calendar holds is null, as
is what words leave open: 晚上12点 may be either end of the night. What a format reads before 1970 or after 2100 it has
misread: then the next one is asked.
"""

from datetime import UTC, datetime
from functools import cache

import polars as pl

from minhu.privacy.text import half_width

_CHINA = ("Asia/Shanghai", "Asia/Chongqing", "Asia/Urumqi", "PRC")
_WORDS = ("北京时间", "北京標準時間", "中国标准时间", "China Standard Time", "CST")
_ZONE_BEHIND = r"(?:[A-Za-z间][0-9:+-]{0,6}|[)\]])$"
_CN = (
    r"^([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})[日号]\s*(?:星期.|周.)?\s*"
    r"(凌晨|清晨|早上|上午|中午|下午|傍晚|晚上)?\s*"
    r"(?:([0-9]{1,2})(?:[时点:](?:([0-9]{1,2})分?|(半))?|[时点]整)(?::?([0-9]{1,2})秒?)?)?$"
)


OTHER_FORMAT, OUT_OF_RANGE, SKIPPED = "BAD_TIMESTAMP", "TIME_OUT_OF_RANGE", "TIME_SKIPPED"
UNREAD = (OTHER_FORMAT, OUT_OF_RANGE, SKIPPED)
"""Why a value is no time: no format reads it, one reads a year that no record has, or an hour that no clock showed."""
_ISO = (
    r"^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})(?:(?:T|t|\s+)([0-9]{1,2}:[0-9]{2})(?::([0-5][0-9]))?(?:[.,]([0-9]{1,9}))?"
    r"\s*([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$"
)
_END_OF_DAY = r"^(.*[^0-9:.])24:00((?::00(?:\.0+)?)?(?:[^0-9:].*)?)$"
FROM_1904 = "excel_1904"
_DAYS_TO_1904 = 1462


def as_the_book_counts(formats: tuple[str, ...], is_from_1904: bool) -> tuple[str, ...]:
    """``formats`` for a workbook whose serial days count from 1904, as it says itself."""
    return tuple(FROM_1904 if is_from_1904 and format == "excel" else format for format in formats)


def moments(text: pl.Series, formats: tuple[str, ...], zone: str) -> pl.Series:
    """`timestamp` for a column. What the first format reads as it stands needs no second look; nearly all is that."""
    quick = _quick(text, formats[0], zone)
    rest = (quick.is_null() & text.is_not_null()).arg_true()
    if not len(rest):
        return quick
    looked_at = text.gather(rest).to_frame("text").select(timestamp(pl.col("text"), formats, zone)).to_series()
    return looked_at if len(rest) == len(text) else quick.scatter(rest, looked_at)


def _quick(text: pl.Series, format: str, zone: str) -> pl.Series:
    if format in ("iso", "epoch_s", "epoch_ms", "excel", FROM_1904, "cn"):
        return pl.Series([None], dtype=pl.Datetime("us", "UTC")).new_from_index(0, len(text))
    return text.to_frame("text").select(_in_bounds(read(pl.col("text"), format, zone))).to_series()


def timestamp(text: pl.Expr, formats: tuple[str, ...], zone: str, *, look_for_zones: bool = True) -> pl.Expr:
    """``text`` as a moment in UTC by the first of ``formats`` that reads it; null where none does.

    Without ``look_for_zones`` a value with the name of a zone behind it is one that none reads.
    """
    plain = half_width(text).str.strip_chars()
    return pl.coalesce([_in_bounds(moment) for moment in _read_all(plain, formats, zone, look_for_zones)])


def why_unread(text: pl.Series, formats: tuple[str, ...], zone: str) -> pl.Series:
    """Why ``timestamp`` reads none of these values: one of UNREAD for each."""
    plain = half_width(pl.col("text")).str.strip_chars()
    anywhen = pl.coalesce(_read_all(plain, formats, zone, True))
    anywhere = pl.coalesce([_in_bounds(moment) for moment in _read_all(plain, formats, "UTC", True)])
    is_elsewhere = anywhere.is_not_null() if zone != "UTC" else pl.lit(False)
    why = pl.when(anywhen.is_not_null()).then(pl.lit(OUT_OF_RANGE)).when(is_elsewhere).then(pl.lit(SKIPPED))
    return text.to_frame("text").select(why.otherwise(pl.lit(OTHER_FORMAT))).to_series()


def _read_all(plain: pl.Expr, formats: tuple[str, ...], zone: str, look_for_zones: bool) -> list[pl.Expr]:
    """What each format makes of a value, then the rarer ways of writing times by any of them."""
    found = [*(read(plain, format, zone) for format in formats), _midnight(plain, formats, zone)]
    return [*found, _with_named_zone(plain, formats, zone)] if look_for_zones else found


def _midnight(plain: pl.Expr, formats: tuple[str, ...], zone: str) -> pl.Expr:
    """24:00 of a day: 00:00 of that day, a day of the local calendar later."""
    start = pl.when(plain.str.contains(_END_OF_DAY)).then(plain.str.replace(_END_OF_DAY, "${1}00:00${2}"))
    found = pl.coalesce([read(start, format, zone) for format in formats])
    return found.dt.convert_time_zone(zone).dt.offset_by("1d").dt.convert_time_zone("UTC")


def may_name_zones(text: pl.Series) -> bool:
    """Whether a value may have the name of a zone behind it."""
    plain = text.to_frame("text").select(half_width(pl.col("text")).str.strip_chars()).to_series()
    return bool(plain.str.contains(_ZONE_BEHIND).any())


def _in_bounds(read: pl.Expr) -> pl.Expr:
    return pl.when(read.is_between(*_bounds(), closed="left")).then(read)


@cache
def _bounds() -> tuple[pl.Expr, pl.Expr]:
    """Made once, for it takes 4 ms; not on import: polars reckons here, and no fork has the threads of its parent."""
    first, last = (pl.lit(datetime(year, 1, 1, tzinfo=UTC)) for year in (1970, 2101))
    return first, last


def read(text: pl.Expr, format: str, zone: str) -> pl.Expr:
    """``text``, half-width, by one format: in UTC, null where it does not read it."""
    match format:
        case "epoch_s" | "epoch_ms":
            return _epoch(text, 1_000_000 if format == "epoch_s" else 1_000)
        case "excel" | "excel_1904":
            return _utc(_excel(text, _DAYS_TO_1904 if format == FROM_1904 else 0), zone)
        case "iso":
            return _iso(text, zone)
        case _ if "%z" in format:
            moment = text.str.to_datetime(format, time_zone="UTC", time_unit="us", strict=False)
            return _without_leap_seconds(moment, text, format)
        case _:
            return _utc(_naive(text, format), zone)


def has_hour(format: str) -> bool:
    """Whether a strftime pattern reads a time of day."""
    return any(mark in format for mark in ("%H", "%I", "%k", "%l", "%T", "%R", "%X", "%c", "%r"))


def may_tell_day(format: str) -> bool:
    return format in ("iso", "cn", "excel") or not (format.startswith("epoch") or has_hour(format))


def tells_day(text: pl.Expr, format: str) -> pl.Expr:
    """Whether what a format reads in ``text`` is a day without a time."""
    match format:
        case "epoch_s" | "epoch_ms":
            return pl.lit(value=False)
        case "excel" | "excel_1904":
            return ~text.str.contains(".", literal=True)
        case "cn":
            return text.str.contains(r"[日号]\s*(?:星期.|周.)?$")
        case "iso":
            return text.str.contains(r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$")
        case _:
            return pl.lit(not has_hour(format))


def _utc(naive: pl.Expr, zone: str) -> pl.Expr:
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _naive(text: pl.Expr, format: str) -> pl.Expr:
    """A date alone is its midnight."""
    if format == "cn":
        return _chinese(text)
    if has_hour(format):
        return _without_leap_seconds(text.str.to_datetime(format, time_unit="us", strict=False), text, format)
    return text.str.to_date(format, strict=False).cast(pl.Datetime("us"))


def _without_leap_seconds(moment: pl.Expr, text: pl.Expr, format: str) -> pl.Expr:
    """The parser takes a second 60 for the next minute."""
    is_leap = text.str.contains(":60", literal=True) if ":" in format else text.str.ends_with("60")
    return pl.when(~is_leap).then(moment) if "%S" in format or "%T" in format else moment


def _iso(text: pl.Expr, zone: str) -> pl.Expr:
    parts = text.str.extract_groups(_ISO)
    day, clock, second, fraction, behind = (parts.struct.field(str(at)) for at in range(1, 6))
    told = [day, clock.fill_null("00:00"), second.fill_null("00"), fraction.fill_null("0")]
    naive = pl.format("{} {}:{}.{}", *told).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    offset = behind.str.to_uppercase().replace("Z", "+00").str.replace(":", "", literal=True)
    minutes = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3).replace("", "0").cast(pl.Int64)
    shift = pl.duration(minutes=pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes))
    abroad = (naive - shift).dt.replace_time_zone("UTC")
    return pl.coalesce(abroad, _utc(pl.when(behind.is_null()).then(naive), zone))


_EPOCH_DIGITS = {1_000_000: "9,11", 1_000: "12,14"}
"""By their digits seconds and milliseconds tell themselves apart: of 9 to 11, and 12 to 14, from 1973 on."""


def _epoch(text: pl.Expr, unit: int) -> pl.Expr:
    is_such = text.str.contains(rf"^-?[0-9]{{{_EPOCH_DIGITS[unit]}}}$")
    number = pl.when(is_such).then(text).cast(pl.Int64, strict=False)
    return (number * unit).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _excel(text: pl.Expr, later: int) -> pl.Expr:
    """Days since 1899-12-30: right from March 1900 on, as the 1900 system counts a 29 February that never was."""
    days = pl.when(text.str.contains(r"^[0-9]{4,6}(\.[0-9]+)?$")).then(text).cast(pl.Float64, strict=False)
    seconds = ((days + later) * 86_400).round().cast(pl.Int64) - 25_569 * 86_400
    return (seconds * 1_000_000).cast(pl.Datetime("us"))


def _with_named_zone(text: pl.Expr, formats: tuple[str, ...], zone: str) -> pl.Expr:
    """Times with a zone behind them, for formats that have none. An unknown zone leaves the value unread."""
    bare = [
        format
        for format in formats
        if format not in ("epoch_s", "epoch_ms", "excel", FROM_1904, "iso") and "%z" not in format
    ]
    if not bare:
        return pl.lit(None, pl.Datetime("us", "UTC"))
    local = "|".join([*(_WORDS if zone in _CHINA else ()), zone])
    named = pl.when(text.str.contains(_ZONE_BEHIND)).then(text)
    body = named.str.replace(rf"\s*[(\[]?(?:{local}|UTC|GMT|Z|(?:UTC|GMT)[+-][0-9]{{1,2}}(?::?[0-9]{{2}})?)[)\]]?$", "")
    naive = pl.coalesce(*(_naive(body, format) for format in bare))
    shift = _shift(named)
    abroad = (naive - shift).dt.replace_time_zone("UTC")
    return pl.coalesce(abroad, _utc(pl.when(shift.is_null()).then(naive), zone))


def _shift(text: pl.Expr) -> pl.Expr:
    """How far the zone behind a time is from UTC; null where it is the feed's own."""
    offset = text.str.extract_groups(r"(?:UTC|GMT)([+-])([0-9]{1,2})(?::?([0-9]{2}))?[)\]]?$")
    hours, minutes = (offset.struct.field(name).cast(pl.Int64, strict=False) for name in ("2", "3"))
    total = hours * 60 + minutes.fill_null(0)
    signed = pl.when(offset.struct.field("1") == "-").then(-total).otherwise(total)
    utc = pl.when(text.str.contains(r"(?:UTC|GMT|Z)[)\]]?$")).then(0)
    return pl.duration(minutes=pl.coalesce(utc, signed))


def _chinese(text: pl.Expr) -> pl.Expr:
    """Through a normal form, so that the parser refuses what no calendar holds."""
    parts = text.str.replace_all("：", ":", literal=True).str.extract_groups(_CN)
    year, month, day, word, hour, minute, half, second = (parts.struct.field(str(at)) for at in range(1, 9))
    minute = pl.when(half.is_not_null()).then(pl.lit("30")).otherwise(minute.fill_null("0"))
    told = pl.format("{}{}", word.fill_null(""), hour.str.strip_prefix("0").replace("", "0"))
    hour = (
        pl.when(hour.is_null() & word.is_null()).then(pl.lit("0")).otherwise(told.replace_strict(_HOURS, default=None))
    )
    pieces = [year, month, day, hour, minute, second.fill_null("0")]
    normal = pl.format("{}-{}-{} {}:{}:{}", *pieces)
    return _naive(normal, "%Y-%m-%d %H:%M:%S")


def _hours() -> dict[str, str]:
    """Word and hour → hour of the day. What contradicts itself, such as 上午15 or 晚上1, is not in it."""
    hours = {str(hour): str(hour) for hour in range(24)}
    for word in ("凌晨", "清晨", "早上", "上午"):
        hours |= {f"{word}{hour}": str(hour % 12) for hour in range(13)}
    for word, first in (("下午", 1), ("傍晚", 3), ("晚上", 5)):
        hours |= {f"{word}{hour}": str(hour + 12) for hour in range(first, 12)}
        hours |= {f"{word}{hour}": str(hour) for hour in range(13, 24)}
    noon = {f"中午{hour}": str(hour) for hour in range(11, 15)} | {"中午1": "13", "中午2": "14"}
    return hours | noon | {"下午12": "12"}


_HOURS = _hours()
