"""The events of OpenLineage 2-0-2 as its specification has them, field by field."""

import json
from pathlib import Path

import jsonschema

_URI = {"type": "string", "pattern": "^(https?://|urn:)"}
_NAMED = {"namespace": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1}}
_FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {"_producer": _URI, "_schemaURL": _URI},
    },
}
_FACETS_OF = {
    "facets": _FACETS,
    "inputFacets": _FACETS,
    "outputFacets": _FACETS,
}
_DATASETS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["namespace", "name"],
        "properties": _NAMED | _FACETS_OF,
        "additionalProperties": False,
    },
}
EVENT = {
    "type": "object",
    "required": ["eventType", "eventTime", "run", "job", "producer", "schemaURL"],
    "additionalProperties": False,
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)$"},
        "producer": _URI,
        "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {
                "runId": {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
                "facets": {
                    "allOf": [_FACETS],
                    "properties": {
                        "errorMessage": {"required": ["message", "programmingLanguage"]},
                        "nominalTime": {"required": ["nominalStartTime"]},
                    },
                },
            },
            "additionalProperties": False,
        },
        "job": {
            "type": "object",
            "required": ["namespace", "name"],
            "properties": _NAMED | {"facets": _FACETS},
            "additionalProperties": False,
        },
        "inputs": _DATASETS,
        "outputs": _DATASETS,
    },
}


def valid(event: dict) -> dict:
    jsonschema.validate(event, EVENT)
    return event


def told(settings) -> list[dict]:
    """The events that an installation has written to its file; each run starts once and ends once."""
    lines = Path(settings.lineage).read_text(encoding="utf-8").splitlines()
    events = [valid(json.loads(line)) for line in lines]
    for run in {event["run"]["runId"] for event in events}:
        kinds = [event["eventType"] for event in events if event["run"]["runId"] == run]
        assert kinds[0] == "START" and len(kinds) == 2 and kinds[1] in ("COMPLETE", "FAIL"), kinds
    return events
