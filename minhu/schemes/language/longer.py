"""How a quarter or a year is made of the shorter periods in it."""

from fractions import Fraction
from typing import Literal

from pydantic import Field, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.schemes.language.values import Weight


class Longer(Declared):
    """A mean of shorter periods that is not the plain one. Periods without a score are left out of it."""

    of: Literal["month", "quarter"]
    best: int | None = Field(default=None, ge=1)
    """Only so many of the best scores of a unit count; all unless given."""
    last: Weight = Fraction(1)
    """How often the last of the shorter periods counts (年底一个月加倍计)."""
    weights: dict[int, Weight] | None = None
    """What each weighs, by its number: months 1 to 12 of a year and 1 to 3 of a quarter, quarters 1 to 4."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Longer":
        given = [self.best is not None, self.last != 1, self.weights is not None]
        if sum(given) != 1:
            raise Wrong(
                "say one of best, last and weights; the plain mean is mean_of_months or mean_of_quarters",
                "best、last、weights 写其中一个；简单平均写 mean_of_months 或 mean_of_quarters",
            )
        return self

    @property
    def code(self) -> str:
        """What it is called in ``mart.dim_scheme``."""
        return f"best_{self.of}s" if self.best is not None else f"weighted_{self.of}s"
