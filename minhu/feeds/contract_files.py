"""What a declaration gives out: an Open Data Contract Standard file for its sender, a JSON Schema for editors."""

from minhu.declaration.schema import described
from minhu.feeds.canonical import LAYOUTS, Kind
from minhu.feeds.contract import Contract, ContractColumn, contract
from minhu.feeds.feed import Feed

ODCS_VERSION = "v3.1.0"
_LOGICAL = {"timestamp": "timestamp", "boolean": "boolean", "number": "number", "integer": "integer"}


def as_odcs(feed: Feed) -> dict:
    """The feed's contract in the Open Data Contract Standard, ready to be dumped as YAML; one object per delivery."""
    return {
        "apiVersion": ODCS_VERSION,
        "kind": "DataContract",
        "id": f"minhu-feed-{feed.code}",
        "name": feed.name,
        "version": "1.0.0",
        "status": "active",
        "domain": "government-hotline",
        "description": {
            "purpose": f"What {feed.name} delivers to the warehouse.",
            "limitations": "Restricted columns never leave the loader; free text is masked before it is stored.",
        },
        "schema": [_object(contract(feed, delivery)) for delivery in feed.deliveries],
        "slaProperties": [{"property": "frequency", "value": feed.schedule, "unit": "cron"}],
        "customProperties": _custom(owner=feed.owner, timezone=feed.timezone, limits=feed.limits),
    }


def _object(given: Contract) -> dict:
    grouped: dict[str, list[ContractColumn]] = {}
    for column in given.columns:
        if column.source:
            grouped.setdefault(column.source, []).append(column)
    constants = {column.canonical: column.value for column in given.columns if column.source is None}
    return {
        "name": given.delivery,
        "logicalType": "object",
        "physicalType": "file",
        "dataGranularityDescription": f"one {given.kind} a row; a record is named by {', '.join(given.key)}",
        "properties": [_property(name, columns, given.key) for name, columns in grouped.items()],
        "quality": _quality(given),
        "customProperties": _custom(
            kind=given.kind,
            mode=given.mode,
            format=given.format,
            nulls=list(given.nulls),
            newColumns=given.new_columns,
            constants=constants,
            tombstone=given.tombstone,
            controlTotal=given.control_total,
            maxShrinkPct=given.max_shrink_pct,
        ),
    }


def _property(name: str, columns: list[ContractColumn], key: tuple[str, ...]) -> dict:
    """A source column; one that fills several of ours stands once."""
    first = columns[0]
    found = {
        "name": name,
        "logicalType": _LOGICAL.get(first.type, "string"),
        "required": any(column.is_required for column in columns),
        "classification": _classification(columns),
        "customProperties": _custom(
            canonicalColumns=[column.canonical for column in columns if column.canonical],
            codeMap=first.code_map,
            formats=list(first.formats),
            mayLack=first.may_lack,
        ),
    }
    places = [key.index(column.canonical) + 1 for column in columns if column.canonical in key]
    if places:
        found |= {"primaryKey": True, "primaryKeyPosition": places[0]}
    words = list(first.code_map) or list(first.codes)
    if words and first.type == "code":
        found["quality"] = [{"metric": "invalidValues", "arguments": {"validValues": words}, "mustBe": 0}]
    return {key: value for key, value in found.items() if value != []}


def _classification(columns: list[ContractColumn]) -> str:
    if any(column.is_private for column in columns):
        return "restricted"
    return "confidential" if any(column.is_free for column in columns) else "internal"


def _quality(given: Contract) -> list[dict]:
    return [
        {
            "type": "text",
            "name": "max_rejected_pct",
            "description": f"A file with more than {given.max_rejected_pct:g} % of its rows rejected is refused whole.",
        }
    ]


def _custom(**given: object) -> list[dict]:
    return [
        {"property": name, "value": value} for name, value in given.items() if value not in (None, "", [], {}, False)
    ]


# -- completion in editors ----------------------------------------------------------------------------------------


def json_schema() -> dict:
    """The JSON Schema of ``config/feeds/*.yml``: descriptions from the models' docstrings, short forms, layouts."""
    schema = described(Feed, "minhu feed declaration")
    delivery = schema["$defs"]["Delivery"]
    delivery["required"] = ["name", "source"]
    whole = {"required": ["kind", "format"], "properties": {"format": {"required": ["type"]}}}
    delivery["anyOf"] = [{"required": ["layout"]}, whole]
    differs = {"type": "object", "not": {"required": ["type"]}, "description": "Only what differs from the layout's."}
    delivery["properties"]["format"] = {"anyOf": [delivery["properties"]["format"], differs]}
    delivery["properties"]["columns"] = _short_columns(delivery["properties"]["columns"], *LAYOUTS)
    milestone = schema["$defs"]["Milestone"]["properties"]
    milestone["columns"] = _short_columns(milestone["columns"], "event")
    return schema


def _short_columns(given: dict, *kinds: Kind) -> dict:
    """``case_no: 工单编号`` beside ``case_no: {from: 工单编号}``, for the canonical names of ``kinds``."""
    names = sorted({column.name for kind in kinds for column in LAYOUTS[kind]})
    value = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Mapping"}]}
    return given | {"additionalProperties": value, "propertyNames": {"enum": names}}
