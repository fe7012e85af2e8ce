"""The catalogue of measures: what a scheme may count.

A measure is one SQL model in ``dbt_project/models/scoring/measures/`` with its documentation beside it. The folder is
the only registry: what lies there can be named by a scheme, and nothing else need change.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from minhu.declaration import read_yaml
from minhu.errors import BadDeclaration
from minhu.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "dbt_project" / "models" / "scoring" / "measures"
PREFIX = "measure_"

Moment = Literal["received_at", "dispatched_at", "due_at", "closed_at", "called_at", "occurred_at"]
"""The columns of a measure row that may put it into a period."""


@dataclass(frozen=True)
class Measure:
    """One measure. ``moments``: the columns it fills. ``limit_kind``: the limit it judges, if it judges one."""

    code: str
    name_zh: str
    moments: tuple[Moment, ...]
    limit_kind: Literal["sign", "contact", "close"] | None


@cache
def measures(folder: Path = FOLDER) -> dict[str, Measure]:
    """Every measure by its code. Raises BadDeclaration when a model has no documentation, or it lacks a key."""
    return {path.stem.removeprefix(PREFIX): _measure(path) for path in sorted(folder.glob(f"{PREFIX}*.sql"))}


def _measure(model: Path) -> Measure:
    documentation = model.with_suffix(".yml")
    try:
        meta = read_yaml(documentation)["models"][0]["config"]["meta"]
        return Measure(
            code=model.stem.removeprefix(PREFIX),
            name_zh=meta["label_zh"],
            moments=tuple(meta["moments"]),
            limit_kind=meta.get("limit_kind"),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise BadDeclaration(
            f"{documentation}:1: models.0.config.meta: a measure needs label_zh and moments ({error!r})"
        ) from None
