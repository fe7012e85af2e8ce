"""Reads what a city writes in YAML into strict models, and tells every slip at once, with its file, line and key."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from minhu.declaration.judge import Model, judged
from minhu.declaration.page import Keys, Page, read_page
from minhu.declaration.slips import refuse

__all__ = ["Declared", "Page", "read_declaration", "read_page", "read_yaml", "validate"]


class Declared(BaseModel):
    """Base of everything declared in YAML: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def read_yaml(path: Path) -> dict:
    """The mapping in ``path``. Raises BadDeclaration naming file and line of everything that is wrong with it."""
    page = read_page(path)
    refuse(page.slips)
    return page.data


def validate(model: type[Model], data: dict, page: Page, beneath: Mapping[Keys, Page] | None = None) -> Model:
    """``data``, as ``page`` says it, as a ``model``. Raises BadDeclaration naming every slip."""
    value, slips = judged(model, data, page, beneath)
    refuse(slips)
    if value is None:
        raise AssertionError("what is no model has slips")
    return value


def read_declaration(model: type[Model], path: Path) -> Model:
    page = read_page(path)
    return validate(model, page.data, page)
