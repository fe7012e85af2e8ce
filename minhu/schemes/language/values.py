"""Numbers of a scheme: exact, and where a rule says so different by peer group or from a day on."""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
)

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.declaration.wording import worded

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
Number = Annotated[
    Decimal,
    Field(max_digits=12, decimal_places=6),
    PlainSerializer(lambda value: f"{value.normalize():f}", return_type=str),
]
"""Exact; written as text without trailing zeros, so that 95 and 95.0 make one version."""
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Percent = Annotated[Number, Field(ge=0, le=100)]
PositivePercent = Annotated[Percent, Field(gt=0)]

_WRITTEN = re.compile(r"\d{1,9}(\.\d{1,6})?(/[1-9]\d{0,5})?", re.ASCII)


def _fraction(given: object) -> Fraction:
    if isinstance(given, Fraction):
        return given
    text = str(given)
    if isinstance(given, bool) or not _WRITTEN.fullmatch(text) or not Fraction(text.partition("/")[0]):
        raise Wrong(
            f"{text} is no weight: write a number above 0 or a fraction such as 1/15",
            f"{text} 不能作权重：写大于 0 的数，或 1/15 这样的分数",
        )
    above, _, below = text.partition("/")
    return Fraction(above) / Fraction(below or 1)


def written(weight: Fraction) -> str:
    """A weight as people write it: 0.4, or 1/15 where no decimal is exact."""
    bottom = weight.denominator
    for prime in (2, 5):
        while bottom % prime == 0:
            bottom //= prime
    return f"{Decimal(weight.numerator) / weight.denominator:f}" if bottom == 1 else str(weight)


Weight = Annotated[
    Fraction,
    PlainValidator(_fraction),
    PlainSerializer(written, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
"""Exact, above 0: a number, or a fraction such as 1/15. 0.4 and 2/5 make one version."""


def _signed(given: object) -> Fraction:
    text = str(given)
    if isinstance(given, Fraction) or not text.startswith("-"):
        return _fraction(given)
    return -_fraction(text[1:])


SignedWeight = Annotated[
    Fraction,
    PlainValidator(_signed),
    PlainSerializer(written, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
"""The same, with a sign; not 0."""

Kind = TypeVar("Kind")
Of = TypeVar("Of")


class Entry(Declared, Generic[Kind]):
    """A number, for some peer groups (all unless given) and from a day on (from the beginning unless given)."""

    value: Kind
    since: date | None = Field(default=None, alias="from")
    peer_groups: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None

    @field_validator("since")
    @classmethod
    def _first_of_a_month(cls, day: date | None) -> date | None:
        if day and day.day != 1:
            raise Wrong(
                f"{day} is not the first day of a month; a period must not change its rule half way",
                f"{day} 不是某月的第一天；一个周期中途不能换规则",
            )
        return day

    def fits(self, peer_group: str | None, day: date) -> bool:
        return (self.since is None or self.since <= day) and (not self.peer_groups or peer_group in self.peer_groups)

    def clashes(self, other: "Entry[Kind]") -> bool:
        """Whether two entries speak of one peer group from one day on."""
        mine, others = set(self.peer_groups or ()), set(other.peer_groups or ())
        return self.since == other.since and (bool(mine & others) or not (mine or others))


Entries = tuple[Entry[Decimal], ...]
AnyEntry = TypeVar("AnyEntry", bound=Entry[Decimal])


def in_force(entries: Entries, peer_group: str | None, day: date) -> Decimal | None:
    """The number in force: one for the peer group before one for all, of those the latest. None where there is none."""
    fitting = [entry for entry in entries if entry.fits(peer_group, day)]
    best = max(fitting, key=lambda entry: (bool(entry.peer_groups), entry.since or date.min), default=None)
    return best.value if best else None


def changes(parameters: Iterable[Entries]) -> list[date]:
    """The days on which one of the parameters changes, sorted."""
    return sorted({entry.since for entries in parameters for entry in entries if entry.since})


def _unambiguous(entries: Entries) -> Entries:
    for one, other in combinations(entries, 2):
        if one.clashes(other):
            since = f" from {one.since}" if one.since else ""
            raise Wrong(
                f"two values for the same peer group{since}: {one.value} and {other.value}",
                f"同一个组有两个数值：{one.value} 和 {other.value}",
            )
    return entries


def _listed(given: object, entries: ValidatorFunctionWrapHandler) -> object:
    if isinstance(given, list | tuple):
        return entries(given)
    try:
        return entries([{"value": given}])
    except ValidationError as error:
        first = error.errors()[0]
        raise Wrong(*worded(first["type"], first["msg"], first.get("ctx", {}), first["input"])) from None


Varying = Annotated[tuple[Of, ...], Field(min_length=1), AfterValidator(_unambiguous), WrapValidator(_listed)]
"""A parameter: one number, or a list of ``{value, from, peer_groups}``."""


def constant(entry: type[AnyEntry], value: int) -> tuple[AnyEntry, ...]:
    """A parameter that is the same for all and for ever.

    It is written as entries: what a scheme leaves out and what it writes as it would be anyway are one version of it.
    """
    return (entry(value=Decimal(value)),)
