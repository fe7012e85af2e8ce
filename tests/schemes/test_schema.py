"""The JSON Schema by which editors complete a scheme: it takes what the reader takes, and shows slips at once."""

import json

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from minhu.cli import minhu
from minhu.schemes.schema import json_schema
from minhu.settings import PROJECT_ROOT
from tests.scoring.city import GIVEN

SCHEMES = sorted([*PROJECT_ROOT.glob("config/schemes/*.yml"), *GIVEN.glob("*.yml")])


def written(path) -> dict:
    """As an editor sees it: dates are texts, keys too."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


@pytest.mark.parametrize("path", SCHEMES, ids=lambda path: path.stem)
def test_every_scheme_there_is_fits(path):
    check = jsonschema.Draft202012Validator(json_schema())
    check.check_schema(check.schema)
    assert [f"{error.json_path}: {error.message[:200]}" for error in check.iter_errors(written(path))] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("measure", "close_in_time"), ("momentum", "due_at"), ("rows", {"urgency": ["urgent"]}), ("points", [])],
)
def test_a_slip_does_not(key, value):
    scheme = written(GIVEN / "rules.yml")
    scheme["indicators"][1][key] = value
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(scheme)


def test_keys_are_explained_in_the_words_of_the_models():
    shown = json.loads(CliRunner().invoke(minhu, ["schemes", "schema"]).output)
    keys = shown["$defs"]["Indicator"]["properties"]
    assert keys["rows"]["description"] == "Which rows count; all unless given."
    assert "both_satisfied" in keys["measure"]["enum"]
    assert "不足 1 个百分点" in shown["$defs"]["Per"]["properties"]["count"]["description"]
