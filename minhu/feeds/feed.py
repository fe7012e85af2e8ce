"""What a feed is: the strict model of one declaration in ``config/feeds/``.

A **feed** is a hotline (or a channel on which units respond) with 1..n **deliveries**; a delivery says how records of
one kind arrive and which of the sender's columns mean what. It says only how it differs from the canonical layout
(`minhu.feeds.canonical`). Several feeds often share a vendor's export: a delivery may name a ``layout``, a file of
``config/layouts/`` whose keys it takes over and may override.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from minhu.business_date import TIMEZONE
from minhu.declaration import Declared, read_yaml, validate
from minhu.errors import BadDeclaration
from minhu.feeds.canonical import LAYOUTS, NUMBERS, Column, EventType, Kind
from minhu.feeds.formats import Format
from minhu.feeds.names import fold
from minhu.feeds.sources import Source
from minhu.settings import city_timezone

FeedCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,30}$")]
DeliveryName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,30}$")]
SourceColumn = str


@cache
def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone of the IANA database")
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]


class Mapping(Declared):
    """How one canonical column is filled: from a source column, through a code map, or with a constant."""

    source: SourceColumn | None = Field(default=None, alias="from")
    of: tuple[SourceColumn, ...] = ()
    """Of a number: the source columns that together are it, where a file has no number of its own."""
    key: Literal["plain", "hashed"] = "plain"
    """``hashed``: a keyed hash stands for the value, where the columns are a citizen's or too long for a number."""
    map: dict[str, str | None] = Field(default_factory=dict)
    """The sender's words → ours, in any case, width and spacing. A word that is not listed is kept as it is; the door
    judges it, and notes it where it cannot."""
    known: tuple[str, ...] = ()
    """Further words of a column with a ``map`` that are as they should be."""
    formats: tuple[str, ...] = ()
    """strftime formats, or ``iso``, ``cn``, ``excel``, ``epoch_s``, ``epoch_ms``; the first that reads a value wins."""
    day: Literal["start", "end"] | None = None
    """Of a column of times: what a value without a time of day means, and one of 00:00:00, which many systems make of a
    date. Unless given, what `minhu.feeds.days` says, and 00:00:00 is midnight."""
    value: str | None = None
    """A constant, or what stands in where the source is blank."""

    nulls: tuple[str, ...] = ()
    """What means nothing in this column, beside the delivery's: a stand-in such as 1900-01-01 00:00:00."""

    @model_validator(mode="before")
    @classmethod
    def _composed(cls, given: object) -> object:
        """A number that is put together is read from a column of a name that says how."""
        if not isinstance(given, dict) or not (given.get("of") or given.get("key") == "hashed"):
            return given
        if bool(given.get("of")) == bool(given.get("from")):
            raise ValueError("a number is put together `of` several columns, or comes `from` one: say one of the two")
        names = given.get("of") or [given["from"]]
        told = " + ".join(map(str, names))
        return given | {"of": names, "from": f"hash({told})" if given.get("key") == "hashed" else told}

    @model_validator(mode="after")
    def _filled(self) -> "Mapping":
        if self.source is None and self.value is None:
            raise ValueError("say where the column comes from: `from` a source column, or a constant `value`")
        return self

    @model_validator(mode="after")
    def _one_code_per_word(self) -> "Mapping":
        known: dict[str, str] = {}
        for word in self.map:
            other = known.setdefault(fold(word), word)
            if self.map[other] != self.map[word]:
                raise ValueError(f"{other!r} and {word!r} are one word, in any case, width and spacing: map it once")
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

    @model_validator(mode="after")
    def _known(self) -> "Milestone":
        known = {column.name for column in LAYOUTS["event"]} - {"case_feed_code", "case_no", "event_type"}
        if unknown := sorted(set(self.columns) - known):
            raise ValueError(f"an event has no column {', '.join(unknown)}")
        if "occurred_at" not in self.columns:
            raise ValueError("a milestone needs `occurred_at`")
        return self


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
    formats: tuple[str, ...] = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "iso")
    """How times are written, unless a column says otherwise."""
    new_columns: Literal["evolve", "freeze", "discard"] = "evolve"
    """A column the declaration does not know: kept in payload, the batch refused, or dropped."""
    known_columns: tuple[SourceColumn, ...] = ()
    """Further source columns the sender is known to send; they go to payload and are not new."""
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

    @field_validator("only", mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _short(cls, value: dict) -> dict:
        return {name: _from_name(given) for name, given in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _canonical(self) -> "Delivery":
        known = {column.name for column in self.layout_columns}
        if unknown := sorted(set(self.columns) - known):
            raise ValueError(f"a {self.kind} has no column {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        if self.milestones and self.kind != "case":
            raise ValueError("only a case row can carry milestones")
        self._check_keys()
        self._check_has_no(known)
        shown = [mapping for mapping in self.columns.values() if mapping.key == "plain"]
        mapped = {name for mapping in shown for name in mapping.sources} - {self._source_of("caller_phone")}
        if leaking := sorted(mapped & set(self.private)):
            raise ValueError(f"private columns are mapped to {', '.join(leaking)}; only caller_phone may read one")
        return self

    def _check_keys(self) -> None:
        composed = [name for name, mapping in self.columns.items() if mapping.of and name not in NUMBERS]
        composed += [name for milestone in self.milestones for name, mapping in milestone.columns.items() if mapping.of]
        if composed:
            raise ValueError(
                f"{', '.join(composed)} cannot be put together or hashed; only {', '.join(sorted(NUMBERS))} can"
            )

    @property
    def hashes_keys(self) -> bool:
        return any(mapping.key == "hashed" for mapping in self.columns.values())

    def _check_has_no(self, known: set[str]) -> None:
        given = set(self.columns) | {name for milestone in self.milestones for name in milestone.columns}
        known = known | {column.name for column in LAYOUTS["event"] if self.milestones}
        needed = {column.name for column in self.layout_columns if column.is_required}
        if unknown := sorted(set(self.has_no) - known):
            raise ValueError(f"has_no: a {self.kind} has no column {', '.join(unknown)} anyway")
        if said_twice := sorted(set(self.has_no) & (given | needed)):
            raise ValueError(f"has_no: {', '.join(said_twice)} is mapped or required, so the sender must have it")

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
    deliveries: Annotated[tuple[Delivery, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> "Feed":
        names = [delivery.name for delivery in self.deliveries]
        if len(set(names)) < len(names):
            raise ValueError("two deliveries have the same name")
        return self

    def retention_under(self, city: Retention) -> Retention:
        """What is in force for this feed: its own numbers, the city's for the rest."""
        return city.model_copy(update=self.retention.model_dump(exclude_unset=True))

    def delivery(self, name: str) -> Delivery:
        for delivery in self.deliveries:
            if delivery.name == name:
                return delivery
        offered = ", ".join(delivery.name for delivery in self.deliveries)
        raise BadDeclaration(f"the feed {self.code} has no delivery {name!r}; it has {offered}")


def load_feed(path: Path) -> Feed:
    """The feed declared in ``path``. Raises BadDeclaration naming file, line and key."""
    data = {"timezone": city_timezone(path.parent.parent)} | read_yaml(path)
    deliveries = data.get("deliveries")
    if isinstance(deliveries, list):
        data["deliveries"] = [_with_layout(given, path) for given in deliveries]
    feed = validate(Feed, data, path)
    if feed.code != path.stem:
        raise BadDeclaration(f"{path}:1: code: the file of feed {feed.code!r} must be named {feed.code}.yml")
    return feed


def load_feeds(config: Path) -> tuple[Feed, ...]:
    """Every declared feed, sorted by code, so that two parses give the same DAGs in the same order."""
    paths = sorted((config / "feeds").glob("*.yml"))
    if not paths:
        raise BadDeclaration(f"{config / 'feeds'}: there is no feed declared here")
    return tuple(load_feed(path) for path in paths)


def _with_layout(given: object, path: Path) -> object:
    """The delivery with the keys of its layout beneath its own; mappings merge key by key."""
    if not isinstance(given, dict) or "layout" not in given:
        return given
    layout = read_yaml(path.parent.parent / "layouts" / f"{given['layout']}.yml")
    merged = {**layout, **given}
    for key in ("columns", "format"):
        if isinstance(layout.get(key), dict) and isinstance(given.get(key), dict):
            merged[key] = {**layout[key], **given[key]}
    return merged
