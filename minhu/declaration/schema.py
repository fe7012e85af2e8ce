"""JSON Schemas of declarations, for editors that complete YAML: described in the words of the models' docstrings."""

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any

from minhu.declaration import Declared


def described(model: type[Declared], title: str) -> dict[str, Any]:
    """The JSON Schema of ``model`` as a file is read, with what the models say of themselves and of their keys."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    models = {one.__name__: one for one in _subclasses(Declared)}
    for name, definition in (schema["$defs"] | {model.__name__: schema}).items():
        if name in models:
            _describe(definition, models[name])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | {
        key: value for key, value in schema.items() if key != "title"
    }


def _subclasses(model: type[Declared]) -> list[type[Declared]]:
    return [found for child in model.__subclasses__() for found in (child, *_subclasses(child))]


def _describe(definition: dict[str, Any], model: type[Declared]) -> None:
    if model.__doc__:
        definition["description"] = inspect.cleandoc(model.__doc__)
    for owner in reversed(model.__mro__):
        if not issubclass(owner, Declared) or owner is Declared:
            continue
        for name, text in _attribute_docs(owner).items():
            shown = model.model_fields[name].alias or name
            definition.get("properties", {}).get(shown, {}).setdefault("description", text)


def _attribute_docs(model: type[Declared]) -> dict[str, str]:
    """The string beneath each field of a model's source; pydantic keeps none of them."""
    (declared,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    docs = {}
    for field, below in pairwise(declared.body if isinstance(declared, ast.ClassDef) else ()):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(text.split())
    return {name: text for name, text in docs.items() if name in model.model_fields}
