"""What a value is held against before it is scored, and with which earlier counts it is taken together."""

from typing import Literal

from pydantic import Field, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.schemes.language.functions import Better
from minhu.schemes.language.values import Entry, Number, Varying

EARLIER = ("previous", "year_before")
"""References that are the unit's own of an earlier period."""
OF_GROUP = ("group_mean", "group_median", "group_best", "group_rate", "group_rank")
"""References that the units of the peer group make which may be ranked."""

FEWEST = 5
"""Of fewer units a mean or a place tells more of the others than of the one."""


class Compared(Declared):
    """The rule reads no value but what it is beside another: a group's, one's own of before, a number that was set.

    A group's is made by its units that may be ranked and of which something was counted, the unit itself among them.
    Where there is nothing to compare with, the indicator is empty (``when_empty``).
    """

    to: Literal[
        "group_mean", "group_median", "group_best", "group_rate", "group_rank", "previous", "year_before", "baseline"
    ]
    """``group_mean`` the plain mean of the units' values, ``group_rate`` that of all their rows together;
    ``group_rank``: read is the unit's place. ``previous``: the period before; ``year_before``: the same of the year
    before."""
    told: Literal["difference", "change", "ratio"] | None = Field(default=None, alias="as")
    """``difference``: value − reference; ``change``: 100 × (value − reference) ÷ reference; ``ratio``: 100 × value ÷
    reference. A place is read as it is."""
    better: Better | None = None
    """Of a best and of a place: whether the higher or the lower value is the better one."""
    ties: Literal["shared", "dense", "last"] | None = None
    """Places of equal values: ``shared`` 1, 1, 3 (unless given); ``dense`` 1, 1, 2; ``last`` 2, 2, 3."""
    at_least: int | None = Field(default=None, ge=2)
    """Of fewer units a group makes no reference; 5 unless given."""
    baseline: Varying[Entry[Number]] | None = None
    """What is compared with, or what takes the place of an earlier period that the unit does not have."""

    @property
    def is_of_group(self) -> bool:
        return self.to in OF_GROUP

    @property
    def fewest(self) -> int:
        """So many units at least make a reference of a group."""
        return FEWEST if self.at_least is None else self.at_least

    @property
    def is_earlier(self) -> bool:
        return self.to in EARLIER

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> "Compared":
        is_place = self.to == "group_rank"
        if (self.told is None) != is_place:
            raise Wrong(
                "a comparison says `as`: difference, change or ratio; a place (group_rank) is read as it is",
                "compared 要写 as：difference、change 或 ratio；名次（group_rank）不写",
            )
        if (self.better is not None) != (self.to in ("group_best", "group_rank")):
            raise Wrong(
                "better goes with group_best and group_rank: higher or lower",
                "group_best、group_rank 要写 better：higher 或 lower；其余不写",
            )
        if self.ties is not None and not is_place:
            raise Wrong("ties go with group_rank", "ties 只与 group_rank 合用")
        if self.to == "baseline" and self.baseline is None:
            raise Wrong("`to: baseline` needs its number: baseline", "to: baseline 要写 baseline 的数值")
        if self.baseline is not None and self.is_of_group:
            raise Wrong(
                "a group has no baseline: what is set goes with `to: baseline`, previous or year_before",
                "与同组比较不写 baseline；它与 to: baseline、previous、year_before 合用",
            )
        if self.at_least is not None and not self.is_of_group:
            raise Wrong("at_least counts the units of a group", "at_least 数的是同组单位，只与同组比较合用")
        return self


class Pooled(Declared):
    """不足的合并计算: with fewer rows than ``below`` those of the periods before are taken together with them, from the
    last one back, until there are so many, ``at_most`` so many periods."""

    below: int = Field(ge=2)
    at_most: int = Field(ge=1, le=12)
