"""The catalogue of measures: what a scheme may count.

A measure is one SQL model in ``dbt_project/models/scoring/measures/`` with its documentation and its worked example
beside it. The folder is the only registry: what lies there can be named by a scheme, and nothing else need change.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from minhu.declaration import Declared, read_declaration
from minhu.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "dbt_project" / "models" / "scoring" / "measures"
PREFIX = "measure_"

Moment = Literal["received_at", "dispatched_at", "due_at", "closed_at", "called_at", "occurred_at"]
"""The columns of a measure row that may put it into a period."""
Aggregate = Literal["rate", "count", "sum", "mean", "median", "p90", "share", "per_10k", "per"]
"""What may be made of a unit's rows."""
Denominator = Literal["population", "grids", "staff"]
"""The columns of the register that a number may be divided by."""


class Measure(Declared):
    """One measure, as the documentation beside its model says it."""

    code: str = ""
    """The name of its file."""
    name_zh: str = Field(alias="label_zh")
    name_en: str = Field(alias="label_en", default="")
    pair: str | None = None
    """What its two columns are called where its rate is read by the row (`mart.assignment_wide`, `callback_wide`):
    ``<pair>_n`` of ``<pair>_of``. None of a measure that has none."""
    moments: Annotated[tuple[Moment, ...], Field(min_length=1)]
    """The columns of its rows that are filled: by each of them a scheme may choose its cohort."""
    aggregates: Annotated[tuple[Aggregate, ...], Field(min_length=1)] = ("rate", "count")
    """Those that make sense of its values."""
    limit_kind: Literal["sign", "contact", "close"] | None = None
    """The limit it judges, if it judges one."""
    answers: tuple[str, ...] = ()
    """What its rows may hold as ``answer_code``, best first: the answers that a scheme may weigh."""
    external_denominator: Literal["population"] | None = None
    """The column of the register that its sum is divided by, as of the end of the period."""
    is_yes_or_no: bool = True
    """Whether each row is good or bad, so that a rate of them has an interval; false where rows hold points."""
    unit_zh: str = ""
    """What its value is counted in; a rate is in percent."""
    finding_zh: str | None = None
    """What a row that cost points is told as; else the words follow from its limit or its answers."""
    formula_zh: str = ""
    numerator: str = ""
    denominator: str = ""
    cohort: str = ""
    excluded: str = ""
    source: str = ""
    """The rule that defines it, or that it is the catalogue's own."""

    @property
    def has_cases(self) -> bool:
        """Whether its rows are of cases, and not of what a feed delivered in a month."""
        return "received_at" in self.moments

    @property
    def is_of_callbacks(self) -> bool:
        return "called_at" in self.moments


class _Config(BaseModel):
    meta: Measure


class _Model(BaseModel):
    config: _Config


class _Documentation(BaseModel):
    """Of dbt's file only what the catalogue reads."""

    models: Annotated[tuple[_Model, ...], Field(min_length=1)]


@cache
def measures(folder: Path = FOLDER) -> dict[str, Measure]:
    """Every measure by its code. Raises BadDeclaration when a model has no documentation, or it is not as it should."""
    return {path.stem.removeprefix(PREFIX): _measure(path) for path in sorted(folder.glob(f"{PREFIX}*.sql"))}


def _measure(model: Path) -> Measure:
    documented = read_declaration(_Documentation, model.with_suffix(".yml")).models[0].config.meta
    return documented.model_copy(update={"code": model.stem.removeprefix(PREFIX)})
