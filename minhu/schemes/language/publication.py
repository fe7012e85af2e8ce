"""How components are rounded, and what of the scores is shown."""

from typing import Annotated, Literal

from pydantic import Field

from minhu.declaration import Declared
from minhu.schemes.language.values import Entry, NotNegative, Percent, Varying


class Band(Declared):
    """A grade (分档): everybody with at least so many of 100."""

    name_zh: str
    name_en: str | None = None
    at_least: Percent
    example: bool = False


class Rounding(Declared):
    """How points are rounded; a half goes up (away from zero).

    ``components_first``: each component, then they are added. ``sum_first``: components are added, the sum is rounded.
    ``rate_decimals``: a rate is rounded to so many decimals of a percent before it is scored; not rounded unless given.
    """

    mode: Literal["half_up"] = "half_up"
    order: Literal["components_first", "sum_first"] = "components_first"
    decimals: Annotated[int, Field(ge=0, le=6)] = 2
    rate_decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    example: bool = False


class Listing(Declared):
    """A list of the best or of the worst (红黑榜). Equal scores stand on it together."""

    name_zh: str
    take: Literal["best", "worst"]
    count: Annotated[int, Field(gt=0)]
    within: Literal["peer_group", "all"] = "peer_group"
    example: bool = False


class Publication(Declared):
    """What is shown. Bands are; places (名次) only where the scheme says so (国办函〔2025〕66号)."""

    ranking: bool = False
    min_n: Varying[Entry[NotNegative]] | None = None
    """Fewer judged rows, in the indicator that has most of them: listed with the score, neither banded nor ranked."""
    shrunken: bool = False
    """A second rate for each unit, drawn towards that of its peer group; it stands beside the official one."""
    lists: tuple[Listing, ...] = ()
    example: bool = False
