"""What a feed is: the strict model of one declaration in ``config/feeds/``.

A **feed** is a hotline (or a channel on which units respond) with 1..n **deliveries**; a delivery says how records of
one kind arrive and which of the sender's columns mean what. It says only how it differs from the canonical layout
(`minhu.feeds.canonical`). Several feeds often share a vendor's export: a delivery may name a ``layout``, a file of
``config/layouts/`` whose keys it takes over and may override.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from minhu.business_date import TIMEZONE
from minhu.declaration import Declared, Page, read_page
from minhu.declaration.judge import judged
from minhu.declaration.page import Keys, dotted
from minhu.declaration.slips import Slip, Wrong, nearest, refuse, refuse_all
from minhu.declaration.wording import unknown_word
from minhu.errors import BadDeclaration
from minhu.feeds.arrival import Arrival, terms
from minhu.feeds.canonical import LAYOUTS, NUMBERS, Column, EventType, Kind
from minhu.feeds.formats import Format
from minhu.feeds.names import fold
from minhu.feeds.sources import Source
from minhu.feeds.time_formats import right_format
from minhu.glossary.delivered import RECORD
from minhu.settings import Settings, city_timezone

FeedCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,30}$")]
DeliveryName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,30}$")]
SourceColumn = str


@cache
def _known_zone(name: str) -> str:
    if name not in available_timezones():
        near = next(iter(nearest(name, available_timezones())), None)
        en, zh = (f"; {near}?", f"；是 {near} 吗？") if near else ("", "")
        raise Wrong(f"{name!r} is not a time zone of the IANA database{en}", f"没有 {name} 这个时区{zh}")
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]


def _right_expression(text: str) -> str:
    """One that polars reads too, which knows no look-around and no back-references."""
    try:
        re.compile(f"^(?:{text})$")
    except re.error:
        raise ValueError("the shape is no regular expression") from None
    if re.search(r"\(\?[=!<]|\\[1-9]", text):
        raise ValueError("the shape may neither look around nor refer back")
    return text


KeyShape = Annotated[str, AfterValidator(_right_expression)]
TimeFormat = Annotated[str, AfterValidator(right_format)]
"""A strftime pattern, or a word of `minhu.feeds.times`."""


class Mapping(Declared):
    """How one canonical column is filled: from a source column, through a code map, or with a constant."""

    source: SourceColumn | None = Field(default=None, alias="from")
    of: tuple[SourceColumn, ...] = ()
    """Of a number: the source columns that together are it, where a file has no number of its own."""
    key: Literal["plain", "hashed"] = "plain"
    """``hashed``: a keyed hash stands for the value, where the columns are a citizen's or too long for a number."""
    shape: KeyShape | None = None
    """Of a number: an expression that a whole number matches. What has this shape is nobody's phone or ID."""
    map: dict[str, str | None] = Field(default_factory=dict)
    """The sender's words → ours, in any case, width and spacing. A word that is not listed is kept as it is; the door
    judges it, and notes it where it cannot."""
    known: tuple[str, ...] = ()
    """Further words of a column with a ``map`` that are as they should be."""
    formats: tuple[TimeFormat, ...] = ()
    """strftime formats, or ``iso``, ``cn``, ``excel``, ``epoch_s``, ``epoch_ms``; the first that reads a value wins."""
    day: Literal["start", "end"] | None = None
    """Of a column of times: what a value without a time of day means, and one of 00:00:00, which many systems make of a
    date. Unless given, what `minhu.feeds.days` says, and 00:00:00 is midnight."""
    value: str | None = None
    """A constant, or what stands in where the source is blank."""

    unknown: Literal["blank", "reject"] | None = None
    """Of a column with a closed list of codes: a word that is none blanks the column, with a note, or rejects the row.
    Unless given, it rejects the row where the code is required, and blanks the column elsewhere."""
    nulls: tuple[str, ...] = ()
    """What means nothing in this column, beside the delivery's: a stand-in such as 1900-01-01 00:00:00."""

    @model_validator(mode="before")
    @classmethod
    def _composed(cls, given: object) -> object:
        """A number that is put together is read from a column of a name that says how."""
        if not isinstance(given, dict) or not (given.get("of") or given.get("key") == "hashed"):
            return given
        if bool(given.get("of")) == bool(given.get("from")):
            raise Wrong(
                "a number is put together `of` several columns, or comes `from` one: say one of the two",
                "编号要么由几列合成（of），要么取自一列（from）：只写一种",
            )
        names = given.get("of") or [given["from"]]
        told = " + ".join(map(str, names))
        return given | {"of": names, "from": f"hash({told})" if given.get("key") == "hashed" else told}

    @model_validator(mode="after")
    def _filled(self) -> "Mapping":
        if self.source is None and self.value is None:
            raise Wrong(
                "say where the column comes from: `from` a source column, or a constant `value`",
                "没有说这一列从哪里来：写 from（来件的列名）或 value（固定值）",
            )
        return self

    @model_validator(mode="after")
    def _one_code_per_word(self) -> "Mapping":
        known: dict[str, str] = {}
        for word in self.map:
            other = known.setdefault(fold(word), word)
            if self.map[other] != self.map[word]:
                raise Wrong(
                    f"{other!r} and {word!r} are one word, in any case, width and spacing: map it once",
                    f"{other} 和 {word} 只有大小写、全半角或空格之别，是同一个词：只写一次",
                    "map",
                    word,
                )
        return self

    @property
    def sources(self) -> tuple[SourceColumn, ...]:
        """The columns of the file that it is read from."""
        return self.of or ((self.source,) if self.source else ())


def _from_name(value: object) -> object:
    return {"from": value} if isinstance(value, str) else value


class When(Declared):
    """A condition on a source column of the same row."""

    source: SourceColumn = Field(alias="from")
    one_of: Annotated[tuple[str, ...], Field(min_length=1)]
    """In any case, width and spacing."""
    known: tuple[str, ...] = ()
    """The column's other words. What stands in neither list is noted."""


_A: dict[Kind, str] = {"case": "a case", "event": "an event", "callback": "a callback"}


def _unknown_columns(kind: Kind, given: Iterable[str], known: set[str]) -> list[Wrong]:
    """Canonical columns that a kind does not have."""
    wrong = []
    for name in sorted(set(given) - known):
        _, zh = unknown_word(name, sorted(known))
        near = next(iter(nearest(name, known)), None)
        en = f"{name} → {near}? " if near else ""
        said = f"{_A[kind]} has no column {name}; {en}it has {', '.join(sorted(known))}"
        wrong.append(Wrong(said, zh.replace("这个键没有这个值", f"{RECORD.zh(kind)}没有这一列"), name))
    return wrong


class Milestone(Declared):
    """An event that a case row carries on its own line, such as 转办时间 and 办理单位. Without a time there is none."""

    event_type: EventType
    when: When | None = None
    """Only rows that fulfil it carry the event, such as a closing time that is the last update of a closed request."""
    columns: dict[str, Mapping]
    """Canonical columns of an event; ``occurred_at`` is required."""

    @field_validator("columns", mode="before")
    @classmethod
    def _short(cls, value: dict) -> dict:
        return {name: _from_name(given) for name, given in value.items()} if isinstance(value, dict) else value

    @field_validator("columns")
    @classmethod
    def _known(cls, value: dict[str, Mapping]) -> dict[str, Mapping]:
        known = {column.name for column in LAYOUTS["event"]} - {"case_feed_code", "case_no", "event_type"}
        wrong = _unknown_columns("event", value, known)
        if "occurred_at" not in value:
            wrong.append(Wrong("a milestone needs `occurred_at`", "办理环节要有时间列 occurred_at"))
        refuse_all(wrong)
        return value


class Delivery(Declared):
    """One way the feed's records arrive: one kind, one source, one format. Each file of it becomes one batch."""

    name: DeliveryName
    kind: Kind
    mode: Literal["append", "upsert", "snapshot"] = "upsert"
    layout: str | None = None
    source: Source
    format: Format
    columns: dict[str, Mapping] = Field(default_factory=dict)
    """Canonical column → where it comes from. A source column of a canonical name maps itself."""
    milestones: tuple[Milestone, ...] = ()
    private: tuple[SourceColumn, ...] = ()
    """Source columns with names, phones or ID numbers that never leave the loader."""
    nulls: tuple[str, ...] = ("", "NULL", "null", "无", "-")
    formats: tuple[TimeFormat, ...] = (
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y/%m/%d %H:%M:%S",
        "%Y/%m/%d %H:%M",
        "iso",
    )
    """How times are written, unless a column says otherwise."""
    new_columns: Literal["evolve", "freeze", "discard"] = "evolve"
    """A column the declaration does not know: kept in payload, the batch refused, or dropped."""
    known_columns: tuple[SourceColumn, ...] = ()
    """Further source columns the sender is known to send; they go to payload and are not new."""
    amounts: tuple[SourceColumn, ...] = ()
    """Further source columns of amounts, areas or counts: a number there is kept in payload as it is, for it is
    nobody's; anything else there is masked as text is."""
    optional_columns: tuple[SourceColumn, ...] = ()
    """Mapped source columns that a file may lack."""
    max_rejected_pct: Annotated[float, Field(ge=0, le=100)] = 1.0
    max_shrink_pct: Annotated[float, Field(ge=0, le=100)] = 50
    """A snapshot with fewer rows than the one before, by more than this, is held: it may have been cut short."""
    tombstone: When | None = None
    """Rows by which the sender says that a record is gone."""
    only: tuple[When, ...] = ()
    """Which rows of the file are this delivery's: those that fulfil every condition. The others are only counted."""
    has_no: tuple[str, ...] = ()
    """Canonical columns that the sender does not have: the gates then do not miss them."""
    arrival: Arrival | None = None
    """When it is to come, where that differs from the feed's."""

    @field_validator("only", mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _short(cls, value: dict) -> dict:
        return {name: _from_name(given) for name, given in value.items()} if isinstance(value, dict) else value

    @field_validator("columns")
    @classmethod
    def _canonical(cls, value: dict[str, Mapping], info: ValidationInfo) -> dict[str, Mapping]:
        kind = info.data.get("kind")
        refuse_all(_unknown_columns(kind, value, {column.name for column in LAYOUTS[kind]}) if kind else ())
        return value

    @model_validator(mode="after")
    def _coherent(self) -> "Delivery":
        wrong = []
        if self.milestones and self.kind != "case":
            wrong.append(Wrong("only a case row can carry milestones", "只有工单才能带办理环节", "milestones"))
        refuse_all([*wrong, *self._wrong_keys(), *self._wrong_has_no(), *self._wrong_unknown(), *self._leaking()])
        return self

    def _wrong_unknown(self) -> Iterator[Wrong]:
        place: tuple[str | int, ...] = ("columns",)
        given = [(name, one, self.layout_columns, place) for name, one in self.columns.items()]
        for at, milestone in enumerate(self.milestones):
            place = ("milestones", at, "columns")
            given += [(name, one, LAYOUTS["event"], place) for name, one in milestone.columns.items()]
        for name, mapping, layout, place in given:
            column = next(column for column in layout if column.name == name)
            if mapping.unknown and not column.codes:
                en, zh = (
                    f"`unknown` is of columns with a list of codes; {name} has none",
                    f"{name} 没有代码表，不用写 unknown",
                )
                yield Wrong(en, zh, *place, name, "unknown")
            elif mapping.unknown == "blank" and column.is_required:
                en = f"{name} is required, so a word that is no code rejects the row; leave `unknown` out"
                yield Wrong(en, f"{name} 必填，代码不认得只能拒收该行；去掉 unknown", *place, name, "unknown")

    def _leaking(self) -> Iterator[Wrong]:
        if shown := sorted(set(self.amounts) & set(self.private)):
            told = ", ".join(shown)
            yield Wrong(f"{told} is private, and amounts are kept", f"{told} 是隐私列，不能又作为数额留存", "amounts")
        phone = self._source_of("caller_phone")
        for name, mapping in self.columns.items():
            private = set(mapping.sources) & set(self.private) - {phone}
            if private and mapping.key == "plain":
                told = ", ".join(sorted(private))
                en = f"private columns are mapped to {name} (it reads {told}); only caller_phone may read one"
                zh = f"{told} 列为隐私列，却给了 {name}；只有 caller_phone 可以读隐私列"
                yield Wrong(en, zh, "columns", name)

    def _wrong_keys(self) -> Iterator[Wrong]:
        composed = [name for name, mapping in self.columns.items() if mapping.of and name not in NUMBERS]
        composed += [name for milestone in self.milestones for name, mapping in milestone.columns.items() if mapping.of]
        if composed:
            names, can = ", ".join(composed), ", ".join(sorted(NUMBERS))
            yield Wrong(
                f"{names} cannot be put together or hashed; only {can} can",
                f"{names} 不能由几列合成或取摘要；只有 {can} 可以",
            )

    @property
    def hashes_keys(self) -> bool:
        return any(mapping.key == "hashed" for mapping in self.columns.values())

    def _wrong_has_no(self) -> Iterator[Wrong]:
        given = set(self.columns) | {name for milestone in self.milestones for name in milestone.columns}
        known = {column.name for column in (*self.layout_columns, *(LAYOUTS["event"] if self.milestones else ()))}
        needed = {column.name for column in self.layout_columns if column.is_required}
        for name in sorted(set(self.has_no) - known):
            en, zh = (
                f"has_no: a {self.kind} has no column {name} anyway",
                f"{RECORD.zh(self.kind)}本来就没有 {name} 这一列",
            )
            yield Wrong(en, zh, "has_no")
        for name in sorted(set(self.has_no) & (given | needed)):
            en = f"has_no: {name} is mapped or required, so the sender must have it"
            yield Wrong(en, f"{name} 已有对应列或必填，来件必定有它", "has_no")

    @property
    def kept_columns(self) -> tuple[SourceColumn, ...]:
        """The declared columns that are mapped to nothing and go to payload."""
        return (*self.known_columns, *self.amounts)

    @property
    def layout_columns(self) -> tuple[Column, ...]:
        return LAYOUTS[self.kind]

    def _source_of(self, canonical: str) -> SourceColumn | None:
        mapping = self.columns.get(canonical)
        return mapping.source if mapping else None

    def mapping(self, canonical: str) -> Mapping:
        """Where a canonical column comes from; by default from the source column of the same name."""
        return self.columns.get(canonical) or Mapping(source=canonical)


class Retention(Declared):
    """How many days a delivery's citizens' data is kept, counted from its batch. Without a number: for ever."""

    landed_days: Annotated[int, Field(ge=1)] | None = None
    """Landed files, after the newest batch that refers to one. A batch whose file is gone cannot be replayed."""
    rejected_days: Annotated[int, Field(ge=1)] | None = None
    """Rejected rows as they were sent. Their number, reasons and lines stay in the batch's account."""
    identical_days: Annotated[int, Field(ge=1)] | None = None
    """Versions of a record that repeat the one before and are repeated by the one after."""


class Feed(Declared):
    """One declared source of records."""

    code: FeedCode
    name: str
    owner: str
    unit: str | None = None
    """Code of the unit that runs the feed: the one that its data-quality score (数据质量分) is a score of."""
    role: Literal["hotline", "response"] = "hotline"
    """``hotline``: one of the city's hotlines and platforms; ``response``: a channel on which units answer."""
    group: str = "hotline"
    """Where it stands on screens: national, utility, platform, district, response."""
    schedule: str
    timezone: ZoneName = TIMEZONE
    """Of times that carry none; the city's unless given."""
    limits: Literal["rules", "ticket"] = "rules"
    """``ticket``: only a due date written on the ticket binds; ``rules``: the limit rules in force fill a blank."""
    another_lead: Literal["joins", "replaces"] = "joins"
    """What a DISPATCH to another lead means: both have the case, or, as REDISPATCH says, the case goes from one to the
    other."""
    return_requests: Literal["told", "not_told"] = "told"
    """``not_told``: the hotline exports grants of returns only, so that a missing request is nothing odd."""
    extension_requests: Literal["told", "not_told"] = "told"
    """``not_told``: the hotline exports grants of extensions only, so that each was asked for in time."""
    retention: Retention = Retention()
    """Only where it differs from the city's."""
    arrival: Arrival | None = None
    """When its deliveries are to come, where that differs from the city's for its group."""
    deliveries: Annotated[tuple[Delivery, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> "Feed":
        names = [delivery.name for delivery in self.deliveries]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise Wrong("two deliveries have the same name", f"有两个交付都叫 {twice}", "deliveries")
        return self

    def retention_under(self, city: Retention) -> Retention:
        """What is in force for this feed: its own numbers, the city's for the rest."""
        return city.model_copy(update=self.retention.model_dump(exclude_unset=True))

    def arrival_of(self, delivery: Delivery, city: dict[str, Arrival]) -> Arrival:
        """What is in force for a delivery: its own words, the feed's, the city's for the group, the city's for all."""
        return terms((city.get("*"), city.get(self.group), self.arrival, delivery.arrival))

    def delivery(self, name: str) -> Delivery:
        for delivery in self.deliveries:
            if delivery.name == name:
                return delivery
        offered = ", ".join(delivery.name for delivery in self.deliveries)
        raise BadDeclaration(f"the feed {self.code} has no delivery {name!r}; it has {offered}")


def read_feed(settings: Settings, feed_code: str) -> Feed:
    """The feed of this code. Raises BadDeclaration where there is none, or as `load_feed`."""
    path = settings.config / "feeds" / f"{feed_code}.yml"
    if not path.is_file():
        raise BadDeclaration(f"there is no feed {feed_code!r}: {path} does not exist; see `minhu feeds list`")
    return load_feed(path)


def load_feed(path: Path) -> Feed:
    """The feed declared in ``path``. Raises BadDeclaration naming file, line and key of every slip."""
    page = read_page(path)
    data = {"timezone": city_timezone(path.parent.parent)} | page.data
    layouts = _Layouts(path.parent.parent / "layouts")
    deliveries = data.get("deliveries")
    if isinstance(deliveries, list):
        data["deliveries"] = [layouts.beneath(given, page, ("deliveries", at)) for at, given in enumerate(deliveries)]
    feed, slips = judged(Feed, data, page, layouts.pages)
    code = data.get("code")
    if isinstance(code, str) and code != path.stem:
        en, zh = f"the file of feed {code!r} must be named {code}.yml", f"热线 {code} 的文件名应是 {code}.yml"
        slips.append(Slip(path, page.place(("code",))[1], "code", en, zh))
    refuse([*slips, *layouts.slips])
    if feed is None:
        raise AssertionError("what is no feed has slips")
    return feed


EVERY_DELIVERY = "*"
"""In the account: of a feed whose declaration cannot be read nobody knows which deliveries it has."""


def load_feeds(config: Path) -> tuple[Feed, ...]:
    """Every declared feed, sorted by code, so that two parses give the same DAGs in the same order."""
    feeds, unreadable = readable_feeds(config)
    if unreadable:
        raise BadDeclaration("\n".join(dict.fromkeys(map(str, unreadable.values()))))
    return feeds


def readable_feeds(config: Path) -> tuple[tuple[Feed, ...], dict[str, BadDeclaration]]:
    """Every feed whose declaration can be read, sorted by code; of the others, by the names of their files, why not."""
    paths = sorted((config / "feeds").glob("*.yml"))
    if not paths:
        raise BadDeclaration(f"{config / 'feeds'}: there is no feed declared here")
    feeds, unreadable = [], {}
    for path in paths:
        try:
            feeds.append(load_feed(path))
        except BadDeclaration as refusal:
            unreadable[path.stem] = refusal
    return tuple(feeds), unreadable


class _Layouts:
    """The layouts that the deliveries of a feed name."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.pages: dict[Keys, Page] = {}
        self.slips: list[Slip] = []

    def beneath(self, given: object, page: Page, place: Keys) -> object:
        """The delivery with the keys of its layout beneath its own; mappings merge key by key."""
        if not isinstance(given, dict) or "layout" not in given:
            return given
        known = sorted(one.stem for one in self.folder.glob("*.yml"))
        named = str(given["layout"])
        if named not in known:
            key = (*place, "layout")
            self.slips.append(Slip(page.path, page.place(key)[1], dotted(key), *unknown_word(named, known)))
        meant = next(iter(nearest(named, known)), None)
        if meant is None:
            return given
        self.pages[place] = read_page(self.folder / f"{meant}.yml")
        return _merged(self.pages[place].data, given)


def _merged(layout: dict, given: dict) -> dict:
    merged = {**layout, **given}
    for key in ("columns", "format"):
        if isinstance(layout.get(key), dict) and isinstance(given.get(key), dict):
            merged[key] = {**layout[key], **given[key]}
    return merged
