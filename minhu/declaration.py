"""Reads what a city writes in YAML into strict models, so that a slip names its file, line and key."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from minhu.errors import BadDeclaration, foreign

Model = TypeVar("Model", bound=BaseModel)


class Declared(BaseModel):
    """Base of everything declared in YAML: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):
    """PyYAML keeps the last of two equal keys silently; this loader refuses the second."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict:
    mapping = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in mapping:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", key_node.start_mark)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> dict:
    """The mapping in ``path``. Raises BadDeclaration naming file and line."""
    try:
        with foreign.told("declaration", file=path):
            text = path.read_text(encoding="utf-8")
        data = yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader made stricter
    except UnicodeDecodeError as error:
        raise BadDeclaration(f"{path}: not UTF-8 (byte {error.start}); save the file as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise BadDeclaration(f"{where}: {getattr(error, 'problem', error)}") from None
    if not isinstance(data, dict):
        raise BadDeclaration(f"{path}:1: expected keys and values, found {type(data).__name__}")
    return data


def validate(model: type[Model], data: dict, path: Path) -> Model:
    """``data`` as a ``model``. Raises BadDeclaration naming the first wrong key, its line and what was expected."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first, *others = error.errors(include_url=False, include_context=False)
        keys = [part for part in first["loc"] if not _is_union_tag(data, first["loc"], part)]
        more = f" (and {len(others)} more)" if others else ""
        dotted = ".".join(map(str, keys)) or "(top level)"
        raise BadDeclaration(f"{path}:{_line_of(path, keys)}: {dotted}: {first['msg']}{more}") from None


def read_declaration(model: type[Model], path: Path) -> Model:
    return validate(model, read_yaml(path), path)


def _is_union_tag(data: Any, loc: tuple, part: object) -> bool:
    """Pydantic puts a union's tag (``csv``, ``drop_folder``) into the location; it is no key of the file."""
    for step in loc[: loc.index(part)]:
        data = data[step] if _has(data, step) else data
    return isinstance(part, str) and isinstance(data, dict) and part in data.values() and part not in data


def _has(data: object, step: object) -> bool:
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and step < len(data)


def _line_of(path: Path, keys: list) -> int:
    """The line on which the innermost of ``keys`` that the file holds stands; a missing key points at its parent."""
    node: Any = yaml.compose(path.read_text(encoding="utf-8"), _StrictLoader)
    line = node.start_mark.line
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if key_node.value == str(key):
                    line, node = key_node.start_mark.line, value_node
                    break
            else:
                break
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line
        else:
            break
    return line + 1
