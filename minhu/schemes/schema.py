"""The JSON Schema of ``config/schemes/*.yml``, for editors that complete YAML."""

from typing import Any

from minhu.declaration.schema import described
from minhu.schemes.catalogue import measures
from minhu.schemes.scheme import Scheme


def json_schema() -> dict[str, Any]:
    """Numbers alone beside numbers by group and date; the measures of the catalogue by their codes."""
    schema = described(Scheme, "minhu scheme")
    for definition in (schema, *schema["$defs"].values()):
        for name, told in definition.get("properties", {}).items():
            definition["properties"][name] = _or_a_number(told)
    schema["$defs"]["Indicator"]["properties"]["measure"] |= {"enum": [*measures(), None]}
    return schema


def _or_a_number(told: dict[str, Any]) -> dict[str, Any]:
    """A list of entries may be one number."""
    if "anyOf" in told:
        return told | {"anyOf": [_or_a_number(one) for one in told["anyOf"]]}
    if not str(told.get("items", {}).get("$ref", "")).startswith("#/$defs/Entry_"):
        return told
    said = {key: told[key] for key in ("description", "default") if key in told}
    return {"anyOf": [{"type": "number"}, {"type": "string"}, told], **said}
