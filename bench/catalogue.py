"""The faults that are planted: what goes wrong with one delivery on one day, and what ought to find it.

A fault changes the canonical rows before a sender writes them, the sender's own columns, or the bytes of the file. It
says what should come of it: ``refused`` or ``stopped`` (held) at the door, ``held`` by a critical rule of the arrival
gate, ``warning`` or ``info`` of one, ``missing`` in the statement of completeness, or ``masked`` by the loader. The
first four and ``missing`` are critical but for the warning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from minhu.feeds import Delivery, Feed
from minhu.feeds.canonical import Kind
from minhu.simulate.invert import numeric_columns, to_source
from minhu.simulate.traps import spoil
from minhu.simulate.writers import to_bytes

HOUR, DAY = 3_600, 86_400
NUMBER = "13812345678"
CRITICAL = frozenset({"refused", "stopped", "held", "missing"})


@dataclass(frozen=True)
class Given:
    """One delivery's day, before anything goes wrong with it."""

    feed: Feed
    delivery: Delivery
    on: date
    rows: pl.DataFrame
    """Canonical rows; times are seconds on the city's clock."""
    before: pl.DataFrame
    """The same of the day before."""
    file_before: bytes
    file_of_another: bytes
    """A file of another layout."""
    seed: int = 7

    def source(self, canonical: str) -> str:
        return self.delivery.mapping(canonical).source or ""

    def word(self, canonical: str, code: str) -> str:
        """What the sender writes for a code of ours."""
        words = self.delivery.mapping(canonical).map
        return next((word for word, meant in words.items() if meant == code), code)

    def told(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows as the sender writes them, text throughout, with what real files do to good rows."""
        rng = np.random.default_rng([self.seed, self.on.toordinal()])
        return spoil(to_source(rows, self.feed, self.delivery), self.delivery, rng).rows

    def file(self, told: pl.DataFrame) -> bytes:
        return to_bytes(told, self.delivery.format, numeric_columns(self.delivery))

    @property
    def encoding(self) -> str:
        """The one that the file is written in."""
        declared = getattr(self.delivery.format, "encoding", "auto")
        return "utf-8" if declared == "auto" else declared


@dataclass(frozen=True)
class Sent:
    """What arrives. Without ``data`` nothing does: the sender is silent, or its source ``is_away``."""

    data: bytes | None
    control_total: int | None = None
    delay_days: int = 0
    is_away: bool = False
    delivery: Delivery | None = None
    """The declaration, where the fault is that of another mode."""


Plant = Callable[[Given], Sent]


@dataclass(frozen=True)
class Fault:
    """``by``: what ought to find it, codes of the door or ids of rules; one of them is enough.

    ``needs``: canonical columns that the delivery must map; ``formats``: the file formats it can strike.
    """

    id: str
    title_zh: str
    title: str
    kind: Kind
    expects: str
    by: tuple[str, ...]
    plant: Plant
    needs: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("csv",)
    least_rows: int = 40
    """Of fewer rows nothing can be said: of a handful the half may be chance. Faults of the door strike any file."""
    is_sample: bool = False
    """Planted by the short test too."""

    @property
    def is_critical(self) -> bool:
        return self.expects in CRITICAL


# -- at which stage ------------------------------------------------------------------------------------------------


def _rows(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Plant:
    return lambda given: Sent(given.file(given.told(change(given.rows))))


def _told(change: Callable[[pl.DataFrame, Given], pl.DataFrame]) -> Plant:
    return lambda given: Sent(given.file(change(given.told(given.rows), given)))


def _bytes(change: Callable[[bytes, Given], bytes]) -> Plant:
    return lambda given: Sent(change(given.file(given.told(given.rows)), given))


def _every(rows: pl.DataFrame, step: int, start: int = 0) -> pl.Series:
    """Each ``step``-th row."""
    return (pl.int_range(rows.height, eager=True) - start) % step == 0


def _times(rows: pl.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.endswith("_at")]


# -- on canonical rows ---------------------------------------------------------------------------------------------


def _later(rows: pl.DataFrame, seconds: int, columns: tuple[str, ...] = ()) -> pl.DataFrame:
    return rows.with_columns(pl.col(name) + seconds for name in columns or _times(rows))


def _years_on(rows: pl.DataFrame, years: int) -> pl.DataFrame:
    return rows.with_columns(
        pl.from_epoch(pl.col(name).cast(pl.Int64), "s").dt.offset_by(f"{years}y").dt.epoch("s").alias(name)
        for name in _times(rows)
    )


def _month_for_day(rows: pl.DataFrame) -> pl.DataFrame:
    """Day and month exchanged where both may be a month."""

    def swapped(name: str) -> pl.Expr:
        at = pl.from_epoch(pl.col(name).cast(pl.Int64), "s")
        turned = pl.datetime(at.dt.year(), at.dt.day(), at.dt.month(), at.dt.hour(), at.dt.minute(), at.dt.second())
        return pl.when(at.dt.day() <= 12).then(turned.dt.epoch("s")).otherwise(pl.col(name)).alias(name)

    return rows.with_columns(swapped(name) for name in _times(rows))


def _midnight(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col(name) // DAY * DAY for name in _times(rows))


def _set(rows: pl.DataFrame, column: str, value: str | None, step: int = 1) -> pl.DataFrame:
    """``value`` in a column of each ``step``-th row."""
    return rows.with_columns(pl.when(_every(rows, step)).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


def _prefixed(rows: pl.DataFrame, column: str, prefix: str) -> pl.DataFrame:
    return rows.with_columns((pl.lit(prefix) + pl.col(column)).alias(column))


def _changed(rows: pl.DataFrame, column: str, codes: dict[str, str]) -> pl.DataFrame:
    return rows.with_columns(pl.col(column).replace(codes))


def _swapped(rows: pl.DataFrame, one: str, other: str) -> pl.DataFrame:
    return rows.with_columns(pl.col(one).alias(other), pl.col(other).alias(one))


def _times_ten(rows: pl.DataFrame) -> pl.DataFrame:
    """Ten of each row, under numbers of their own."""
    return pl.concat([_prefixed(rows, "case_no", f"{copy}" if copy else "") for copy in range(10)])


def _before_receipt(rows: pl.DataFrame) -> pl.DataFrame:
    return _later(rows, -3 * DAY, ("occurred_at",))


def _strangers(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(case_no=pl.format("ZZ{}", pl.int_range(rows.height)))


def _without_district(rows: pl.DataFrame) -> pl.DataFrame:
    """Whoever is named after the commonest district in the names is gone."""
    names = rows["unit_name"].drop_nulls()
    district = names.str.extract(r"^(?:杭州市)?(\p{Han}{2})(?:区|县|市)", 1).drop_nulls()
    if not len(district):
        return rows.head(rows.height // 2)
    commonest = district.value_counts(sort=True)[district.name][0]
    return rows.filter(~pl.col("unit_name").fill_null("").str.contains(commonest))


# -- on the sender's columns ---------------------------------------------------------------------------------------


def _columns_swapped(told: pl.DataFrame, given: Given, one: str, other: str) -> pl.DataFrame:
    one, other = given.source(one), given.source(other)
    return told.with_columns(pl.col(one).alias(other), pl.col(other).alias(one))


def _word(told: pl.DataFrame, given: Given, column: str, word: str, step: int = 1) -> pl.DataFrame:
    return _set(told, given.source(column), word, step)


def _lost(told: pl.DataFrame, given: Given, column: str, step: int = 1) -> pl.DataFrame:
    return _set(told, given.source(column), None, step)


def _twice(told: pl.DataFrame, given: Given) -> pl.DataFrame:
    return pl.concat([told, told])


def _some_twice(told: pl.DataFrame, given: Given) -> pl.DataFrame:
    return pl.concat([told, told.filter(_every(told, 8))])


def _half(told: pl.DataFrame, given: Given) -> pl.DataFrame:
    return told.filter(_every(told, 2))


def _nothing(told: pl.DataFrame, given: Given) -> pl.DataFrame:
    return told.clear()


def _renamed(told: pl.DataFrame, given: Given) -> pl.DataFrame:
    name = given.source("case_no")
    return told.rename({name: f"{name}(新)"})


def _dropped(told: pl.DataFrame, given: Given, column: str) -> pl.DataFrame:
    return told.drop(given.source(column))


def _shifted(told: pl.DataFrame, given: Given) -> pl.DataFrame:
    """Every value one column to the right under the old header."""
    names = told.columns
    return told.select(pl.col(names[at - 1]).alias(name) for at, name in enumerate(names))


def _mojibake(told: pl.DataFrame, given: Given, column: str) -> pl.DataFrame:
    """UTF-8 that somebody read as GBK and stored."""
    name = given.source(column)
    garbled = [text and text.encode().decode("gb18030", errors="replace") for text in told[name]]
    return told.with_columns(pl.Series(name, garbled, pl.String))


def _asked(told: pl.DataFrame, given: Given, column: str) -> pl.DataFrame:
    """A character set that could not hold Chinese: a question mark for each character."""
    name = given.source(column)
    return told.with_columns(pl.col(name).str.replace_all(r"\p{Han}", "?"))


def _phones(told: pl.DataFrame, given: Given, column: str) -> pl.DataFrame:
    name = given.source(column)
    return told.with_columns((pl.col(name).fill_null("") + f"，请回电{NUMBER}").alias(name))


def _scientific(told: pl.DataFrame, given: Given) -> pl.DataFrame:
    """A spreadsheet kept six digits of each number."""
    name = given.source("case_no")
    digits = pl.col(name).str.replace_all(r"\D", "")
    return told.with_columns((digits.str.slice(0, 1) + "." + digits.str.slice(1, 5) + "E+17").alias(name))


def _offset_lost(told: pl.DataFrame, given: Given) -> pl.DataFrame:
    """+08:00 written as if it were UTC."""
    return told.with_columns(pl.col(pl.String).str.replace(r"\+08:00$", "Z"))


# -- on bytes and beyond -------------------------------------------------------------------------------------------


def _cut(data: bytes, given: Given) -> bytes:
    return data[: len(data) * 2 // 5]


def _headless(data: bytes, given: Given) -> bytes:
    return data.split(b"\n", 1)[1]


def _recoded(data: bytes, given: Given) -> bytes:
    """In the other of the two usual encodings."""
    other = "utf-8" if given.encoding == "gb18030" else "gb18030"
    return data.decode(given.encoding).encode(other)


def _half_recoded(data: bytes, given: Given) -> bytes:
    lines = data.split(b"\n")
    half = len(lines) // 2
    return b"\n".join([*lines[:half], _recoded(b"\n".join(lines[half:]), given)])


def _control_total(given: Given) -> Sent:
    told = given.told(given.rows)
    return Sent(given.file(told), control_total=told.height + 1)


def _again(given: Given) -> Sent:
    return Sent(given.file_before)


def _exported_again(given: Given) -> Sent:
    """Yesterday's rows, exported anew: other bytes, in another order."""
    return Sent(given.file(given.told(given.before).reverse().unique(maintain_order=True)))


def _of_another(given: Given) -> Sent:
    return Sent(given.file_of_another)


def _late(given: Given) -> Sent:
    return Sent(given.file(given.told(given.rows)), delay_days=4)


def _stale(given: Given) -> Sent:
    return Sent(given.file(given.told(_later(given.rows, -9 * DAY))))


def _shrunk(given: Given) -> Sent:
    snapshot = given.delivery.model_copy(update={"mode": "snapshot"})
    return Sent(given.file(given.told(given.rows).head(given.rows.height // 4)), delivery=snapshot)


def _silent(given: Given) -> Sent:
    return Sent(None)


def _away(given: Given) -> Sent:
    return Sent(None, is_away=True)


# -- the catalogue -------------------------------------------------------------------------------------------------

_CLOCK = ("arrival.clock_right", "arrival.hours_broken", "arrival.future_rows")
_SPREAD = ("arrival.distribution_broken",)
_LOST = ("arrival.fields_lost",)
_CODES = ("arrival.codes_lost",)
_GARBLED = ("arrival.text_legible",)
_FRESH = ("arrival.fresh",)
_VOLUME = ("arrival.volume_broken",)
_DOOR = ("MISSING_COLUMN", "UNREADABLE", "WRONG_ENCODING", "EMPTY_FILE", "BAD_HEADER")
_MISSING = ("came",)


def _f(
    fault: str,
    zh: str,
    title: str,
    kind: Kind,
    expects: str,
    by: tuple[str, ...],
    plant: Plant,
    *needs: str,
    **how: Any,
) -> Fault:
    return Fault(fault, zh, title, kind, expects, by, plant, needs, **how)


_TYPES = {"consult": "help", "help": "suggest", "suggest": "complaint", "complaint": "report", "report": "consult"}

CATALOGUE: tuple[Fault, ...] = (
    # what does not come, or not as a file
    _f("silent", "当日未送达", "the day is missing", "case", "missing", _MISSING, _silent, is_sample=True),
    _f("away", "对方系统中断", "the source is away", "event", "missing", _MISSING, _away),
    _f("zero_bytes", "零字节文件", "a file of no bytes", "case", "refused", _DOOR, _bytes(lambda data, given: b"")),
    _f("no_rows", "仅有表头", "a header and no rows", "case", "held", ("arrival.not_empty",), _told(_nothing)),
    _f("cut", "文件截断", "the file is cut off", "case", "held", _VOLUME, _bytes(_cut)),
    _f("cut_json", "JSON 文件截断", "a JSON file is cut off", "event", "refused", _DOOR, _bytes(_cut),
       formats=("json",)),
    _f("cut_xlsx", "工作簿截断", "a workbook is cut off", "case", "refused", _DOOR, _bytes(_cut), formats=("xlsx",)),
    _f("headless", "缺表头", "the header is missing", "event", "refused", _DOOR, _bytes(_headless)),
    _f("renamed", "表头改名", "a column of the header is renamed", "case", "refused", _DOOR, _told(_renamed)),
    _f("dropped", "少一列", "a column is gone", "event", "refused", _DOOR, _told(partial(_dropped,
       column="unit_name")),
       "unit_name"),
    _f("shifted", "各列错位", "every value stands one column on", "case", "refused", ("TOO_MANY_REJECTED",),
       _told(_shifted)),
    _f("recoded", "编码不符", "the file is in another encoding", "case", "refused", _DOOR, _bytes(_recoded)),
    _f("half_recoded", "混合编码", "two encodings in one file", "event", "refused", _DOOR, _bytes(_half_recoded)),
    _f("of_another", "他方文件", "the file of another feed", "callback", "refused", _DOOR, _of_another),
    _f("again", "昨日文件改名重发", "yesterday's file under today's name", "case", "stopped",
       ("SAME_FILE_OTHER_DATE",), _again,
       is_sample=True),
    _f("exported_again", "昨日数据重新导出", "yesterday's rows exported again", "event", "held",
       ("arrival.content_new",),
       _exported_again, is_sample=True),
    _f("control_total", "总数差一", "the control total is off by one", "event", "stopped", ("CONTROL_TOTAL",),
       _control_total,
       is_sample=True),
    _f("shrunk", "快照缩水", "a snapshot has shrunk to a quarter", "case", "stopped", ("SNAPSHOT_SHRANK",), _shrunk),
    _f("late", "迟到四天", "four days late", "case", "info", ("arrival.delivered_in_time", "arrival.timely"), _late),
    # how much
    _f("half", "行数减半", "half the rows", "case", "held", _VOLUME, _told(_half), least_rows=300),
    _f("half_events", "事件减半", "half the events", "event", "held", _VOLUME, _told(_half), least_rows=300,
       is_sample=True),
    _f("ten_times", "十倍行数", "ten times the rows", "case", "held", _VOLUME, _rows(_times_ten)),
    _f("twice", "文件重复拼接", "the file twice in one", "event", "held", ("arrival.not_doubled",), _told(_twice),
       is_sample=True),
    _f("some_twice", "部分行重复", "one row in eight twice", "case", "warning",
       ("arrival.duplicate_share", "arrival.rows_clean"), _told(_some_twice)),
    # when
    _f("clock_8", "时钟快八小时", "the clock is eight hours fast", "case", "held", _CLOCK, _rows(partial(_later,
       seconds=8 * HOUR)),
       is_sample=True),
    _f("clock_12", "时钟慢十二小时", "the clock is twelve hours slow", "event", "held", _CLOCK,
       _rows(partial(_later, seconds=-12 * HOUR))),
    _f("clock_8_callbacks", "回访时钟快八小时", "the clock of callbacks is eight hours fast", "callback", "held",
       _CLOCK,
       _rows(partial(_later, seconds=8 * HOUR))),
    _f("offset_lost", "时区后缀丢失", "+08:00 has become UTC", "event", "held", _CLOCK, _told(_offset_lost),
       formats=("json",)),
    _f("midnight", "只有日期", "times without the time of day", "case", "held", ("arrival.hours_broken",),
       _rows(_midnight)),
    _f("last_year", "年份早一年", "last year's dates", "case", "held", _FRESH, _rows(partial(_years_on, years=-1))),
    _f("next_year", "年份晚一年", "next year's dates", "event", "held", ("arrival.future_rows",),
       _rows(partial(_years_on, years=1)), is_sample=True),
    _f("month_day", "月日颠倒", "month and day exchanged", "case", "held", ("arrival.future_rows", *_FRESH),
       _rows(_month_for_day)),
    _f("stale", "九天前的数据", "rows of nine days ago", "callback", "held", _FRESH, _stale),
    _f("before_receipt", "事件早于受理", "events three days before their cases", "event", "held",
       ("arrival.no_time_travel", *_FRESH), _rows(_before_receipt)),
    _f("due_before", "期限早于派单", "due before it was dispatched", "event", "warning", ("arrival.due_after_event",),
       _rows(partial(_later, seconds=-400 * DAY, columns=("due_at",))), "due_at"),
    # which words
    _f("types_swapped", "两列对调", "request type and urgency exchanged", "case", "held", _LOST,
       _told(partial(_columns_swapped, one="request_type", other="urgency")), "request_type", "urgency"),
    _f("codes_swapped", "分类与区域对调", "category and area exchanged", "case", "held", _CODES,
       _told(partial(_columns_swapped, one="category_code", other="area_code")), "category_code", "area_code"),
    _f("new_type", "新诉求类型", "a request type that nobody declared", "case", "warning", ("arrival.fields_usual",),
       _told(partial(_word, column="request_type", word="其他渠道转入", step=3)), "request_type"),
    _f("new_event", "新环节代码", "a step that nobody declared", "event", "refused", ("TOO_MANY_REJECTED",),
       _told(partial(_word, column="event_type", word="并案审理", step=4)), "event_type"),
    _f("new_categories", "分类体系更换", "another system of categories", "case", "held", _CODES,
       _rows(partial(_prefixed, column="category_code", prefix="X9")), "category_code", is_sample=True),
    _f("a_new_category", "新增一个分类", "one category that nobody registered", "case", "warning",
       ("arrival.category_known",),
       _rows(partial(_set, column="category_code", value="9988", step=12)), "category_code"),
    _f("units_renamed", "单位改名", "every unit under a name of its own", "event", "held", _CODES,
       _rows(partial(_prefixed, column="unit_name", prefix="原")), "unit_name", is_sample=True),
    _f("district_gone", "一区单位消失", "the units of one district are gone", "event", "held", (*_SPREAD, *_VOLUME),
       _rows(_without_district), "unit_name"),
    _f("foreign_cases", "来源热线未登记", "events of a hotline that nobody registered", "event", "warning",
       ("arrival.case_feed_known",), _told(partial(_word, column="case_feed_code", word="h99999")), "case_feed_code"),
    _f("strangers", "工单号查无此件", "events of cases that nobody knows", "event", "held", ("arrival.cases_known",),
       _rows(_strangers)),
    _f("scientific", "工单号变科学计数", "case numbers of six digits and an exponent", "case", "refused",
       ("TOO_MANY_REJECTED",), _told(_scientific), is_sample=True),
    _f("numbers_lost", "工单号缺失", "one row in five without its number", "case", "refused", ("TOO_MANY_REJECTED",),
       _told(partial(_lost, column="case_no", step=5))),
    # what is lost
    _f("category_lost", "分类列为空", "no category", "case", "held", ("arrival.category_present", *_LOST),
       _told(partial(_lost, column="category_code")), "category_code", is_sample=True),
    _f("area_lost", "区域列为空", "no area", "case", "held", _LOST, _told(partial(_lost, column="area_code")),
       "area_code"),
    _f("caller_lost", "来电号码为空", "no caller", "case", "held", _LOST, _told(partial(_lost,
       column="caller_phone")),
       "caller_phone"),
    _f("text_lost", "诉求内容为空", "no text", "case", "held", _LOST,
       _told(lambda told, given: _lost(_lost(told, given, "title"), given, "content")), "title", "content"),
    _f("unit_lost", "派单无单位", "dispatches without a unit", "event", "held", ("arrival.dispatch_unit_present",
       *_LOST),
       _told(partial(_lost, column="unit_name")), "unit_name", "due_at"),
    _f("due_lost", "派单无期限", "dispatches without a due time", "event", "held", _LOST,
       _told(partial(_lost, column="due_at")), "due_at"),
    _f("outcome_lost", "回访无结果", "callbacks without an outcome", "callback", "held",
       ("arrival.callback_outcome_present", *_LOST),
       _rows(lambda rows: rows.with_columns(
           contact_code=pl.lit(None, pl.String), resolution_code=pl.lit(None, pl.String),
           satisfaction_code=pl.lit(None, pl.String))),
       "resolution_code", is_sample=True),
    # what it says
    _f("mojibake", "乱码", "UTF-8 read as GBK", "case", "held", _GARBLED, _told(partial(_mojibake,
       column="content")), "content",
       is_sample=True),
    _f("question_marks", "汉字变问号", "a question mark for each character", "event", "held", _GARBLED,
       _told(partial(_asked, column="note")), "note"),
    _f("phones", "正文含手机号", "mobile numbers in free text", "case", "masked", ("loader",),
       _told(partial(_phones, column="content")), "content", is_sample=True),
    _f("all_urgent", "全部特急", "every case an emergency", "case", "held", _SPREAD,
       _rows(partial(_set, column="urgency", value="emergency")), "urgency", is_sample=True),
    _f("types_moved", "诉求类型错位", "each request type taken for the next", "case", "held", _SPREAD,
       _rows(partial(_changed, column="request_type", codes=_TYPES)), "request_type", least_rows=50),
    _f("one_type", "事件全为一类", "every event of one type", "event", "held", _SPREAD,
       _rows(partial(_set, column="event_type", value="DISPATCH")), "event_type", "due_at"),
    _f("one_place", "区域全同", "every case from one place", "case", "held", _SPREAD,
       _rows(partial(_set, column="area_code", value="330112001")), "area_code"),
    _f("all_satisfied", "全部满意", "everybody is very satisfied", "callback", "held", _SPREAD,
       _rows(partial(_set, column="satisfaction_code", value="satisfied")), "satisfaction_code", is_sample=True),
    _f("resolution_turned", "解决与未解决颠倒", "resolved and unresolved exchanged", "callback", "held", _SPREAD,
       _rows(partial(_changed, column="resolution_code",
                     codes={"resolved": "unresolved", "unresolved": "resolved"})), "resolution_code"),
    _f("foreign_scale", "满意度等级错用", "ratings in words of another scale", "callback", "warning",
       ("arrival.rejected_share", "arrival.satisfaction_code", "arrival.distribution_usual"),
       _told(partial(_word, column="satisfaction_code", word="一般般", step=4)), "satisfaction_code"),
    _f("places_swapped", "经纬度对调", "longitude and latitude exchanged", "case", "warning",
       ("arrival.coordinates",),
       _rows(partial(_swapped, one="longitude", other="latitude")), "longitude", "latitude"),
)  # fmt: skip
