"""Which keys a place of a model allows, by the model's own annotations."""

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


def allowed_keys(model: type[BaseModel], loc: tuple) -> list[str]:
    """The keys of whatever models stand at ``loc``, a place as pydantic tells it, tags of unions included."""
    fields = [(field.alias or name) for found in _models(model, loc) for name, field in found.model_fields.items()]
    return list(dict.fromkeys(fields))


def optional_keys(model: type[BaseModel], keys: tuple, given: dict) -> set[str]:
    """The keys that the models at ``keys``, a place as the file tells it, may do without."""
    tagged = (
        [found for found in _models(model, (*keys, given["type"])) if "type" in found.model_fields]
        if (isinstance(given.get("type"), str))
        else []
    )
    return {
        field.alias or name
        for found in tagged or _models(model, keys)
        for name, field in found.model_fields.items()
        if not field.is_required()
    }


def _models(model: type[BaseModel], loc: tuple) -> list[type[BaseModel]]:
    at: list[Any] = [model]
    for step in loc:
        at = [found for one in at for found in _beneath(one, step)] or at
    return [found for one in at for found in _plain(one) if _is_model(found)]


def _is_model(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, BaseModel)


def _plain(annotation: Any) -> list[Any]:
    """The types that an annotation offers, without its constraints."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [found for one in get_args(annotation) if one is not NoneType for found in _plain(one)]
    return [annotation]


def _beneath(annotation: Any, step: str | int) -> list[Any]:
    return [found for one in _plain(annotation) for found in _within(one, step)]


def _within(one: Any, step: str | int) -> list[Any]:
    if _is_model(one):
        return _field(one, step)
    if get_origin(one) is dict:
        return [get_args(one)[1]]
    if get_origin(one) in (tuple, list):
        return [get_args(one)[0]] if isinstance(step, int) else []
    return []


def _field(model: type[BaseModel], step: str | int) -> list[Any]:
    """What a key of a model leads to, or the model itself where ``step`` is the tag by which a union chose it."""
    if step == model.__name__:
        return [model]
    for name, field in model.model_fields.items():
        if step in (name, field.alias):
            return [field.annotation]
        if get_origin(field.annotation) is Literal and name == "type" and step in get_args(field.annotation):
            return [model]
    return []
