"""Time limits: what binds a unit, from when it counts, and what an extension adds."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.feeds.canonical import RequestType, Urgency
from minhu.schemes.language.count import CategoryCode

LimitUnit = Literal["workday", "work_hour", "work_minute", "day", "hour", "minute"]
"""Working days end at 24:00. Working hours and minutes count within office hours of the city, and round the clock for a
unit that is on duty round the clock. The rest is natural time."""
Amount = Annotated[int, Field(gt=0)]


class AskBefore(Declared):
    """How long before the limit an extension must be asked for; 1 workday: on an earlier working day than its last."""

    amount: Amount
    unit: Literal["workday", "day", "hour", "minute"]


class Extension(Declared):
    """What a granted extension that names no date adds to the limit in force."""

    amount: Amount
    unit: LimitUnit
    max_count: Amount | None = None
    """Later grants add nothing, unless they name a date."""
    further: Literal["add", "replace"] = "add"
    """Whether a further grant adds to the limit already extended, or again to the first one."""
    ask_before: AskBefore | None = None


class AskWithin(Declared):
    """How long after the dispatch a return may be asked for; working days and days end as those of a limit do."""

    amount: Amount
    unit: Literal["workday", "day", "hour", "minute"]


class Return(Declared):
    """Until when a return (退单) is to be asked for, and what one asked for after the limit for closing does."""

    ask_within: AskWithin | None = None
    """The window from the dispatch on; without one a return may be asked for until the limit."""
    late: Literal["stands", "lifts"] | None = None
    """Whether one asked for after the limit leaves the lateness standing. Unless given, it lifts that of a limit in
    hours or minutes and of no other."""

    @model_validator(mode="after")
    def _says_something(self) -> "Return":
        if self.ask_within is None and self.late is None:
            raise Wrong("say ask_within, late or both", "写 ask_within、late 或两者")
        return self


class Limit(Declared):
    """A dated time limit. Of the limits of one kind the first that fits binds; an absent list fits everything."""

    limit_kind: Literal["sign", "contact", "close"]
    request_types: Annotated[tuple[RequestType, ...], Field(min_length=1)] | None = None
    urgencies: Annotated[tuple[Urgency, ...], Field(min_length=1)] | None = None
    categories: Annotated[tuple[CategoryCode, ...], Field(min_length=1)] | None = None
    """Each fits itself and what lies below it in the tree: 11 fits 110303."""
    linkage_levels: Annotated[tuple[Literal[1, 2], ...], Field(min_length=1)] | None = None
    amount: Amount
    unit: LimitUnit
    starts: Literal["next_day", "at_once"]
    """Counted from 24:00 of the day of dispatch, or from the moment."""
    extension: Extension | None = None
    returned: Return | None = Field(default=None, alias="return")
    valid_from: date | None = None
    """The scheme's own dates unless given."""
    valid_to: date | None = None
    text: str
    """The rule in words, as a unit reads it in an explanation."""
    example: bool = False

    @model_validator(mode="after")
    def _only_closing_is_extended_or_returned(self) -> "Limit":
        if self.extension and self.limit_kind != "close":
            raise Wrong(
                f"a limit of the kind {self.limit_kind} has no extension; only one for closing has",
                f"{self.limit_kind} 类时限没有延期；只有办结时限有",
            )
        if self.returned and self.limit_kind != "close":
            raise Wrong(
                f"a limit of the kind {self.limit_kind} says nothing of returns; one for closing does",
                f"{self.limit_kind} 类时限不说退单；只有办结时限说",
            )
        return self
