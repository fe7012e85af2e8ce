"""The rules of the quality gates, read strictly from the project in ``expectations/``.

Great Expectations drops what it does not know without a word; here an unknown key, a missing field or a contradiction
is an error with file, line and key.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from minhu.declaration import Declared, read_declaration, read_yaml
from minhu.errors import BadDeclaration
from minhu.quality.measure import fingerprint
from minhu.settings import PROJECT_ROOT

ROOT = PROJECT_ROOT / "expectations"
JUDGED = "batch.status = 'loaded'"
"""How the query of an arrival asset says which batches it is about; a query of past batches names them in its place."""

Gate = Literal["arrival", "release"]
GATES: tuple[Gate, ...] = ("arrival", "release")
Severity = Literal["critical", "warning", "info"]
Dimension = Literal["规范性", "完整性", "准确性", "一致性", "时效性", "可访问性"]
Owner = Literal["数据工程", "热线业务", "考核办", "数据安全"]
"""Functions, not people."""
Kind = Literal["case", "event", "callback"]
Column = Annotated[str, Field(pattern=r"^(staging|mart|audit)\.[a-z_]+\.[a-z0-9_]+$")]

KNOWN_ARGUMENTS = {
    "expect_column_values_to_be_between": {"column", "min_value", "max_value"},
    "expect_column_values_to_not_be_null": {"column"},
    "expect_column_values_to_be_in_set": {"column", "value_set"},
    "unexpected_rows_expectation": {"unexpected_rows_query"},
}
"""What `minhu.quality.failing` can list the bad rows of. With what else Great Expectations knows (``mostly``,
``row_condition``) its verdict and our list would differ."""


@dataclass(frozen=True)
class Rule:
    """A rule, and the asset of great_expectations.yml that it judges."""

    id: str
    gate: Gate
    title_zh: str
    description: str
    """What is required, in Chinese and English."""
    dimension: Dimension
    owner: Owner
    basis: str
    severity: Severity
    on_failure: str
    type: str
    kwargs: dict[str, Any]
    rows: dict[Kind, str]
    """Of a rule on a measure of whole batches: which rows it is about, by kind of batch, as a condition on ``told``
    (the staging table) and ``batch``."""
    guards: tuple[str, ...]
    """Columns it watches, as schema.table.column."""
    asset: str
    asset_query: str
    measured_by: str
    """`minhu.quality.measure.fingerprint` of what it judges measures by; empty of the release gate."""
    path: Path

    @property
    def hash(self) -> str:
        """sha256 of all that the rule says and is measured by; another hash is another version of the rule."""
        said = {name: value for name, value in asdict(self).items() if name != "path"}
        return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def read_rules(root: Path, gate: Gate) -> list[Rule]:
    """The rules of a gate's checkpoint, in the order of the files. Raises BadDeclaration naming file, line and key."""
    checkpoint = read_declaration(_Checkpoint, root / "checkpoints" / f"{gate}.json")
    queries = _asset_queries(root)
    rules: list[Rule] = []
    for reference in checkpoint.validation_definitions:
        definition = read_declaration(_ValidationDefinition, root / "validation_definitions" / f"{reference.name}.json")
        path = root / "suites" / f"{definition.suite.name}.json"
        asset = definition.data.asset.name
        if asset not in queries:
            raise BadDeclaration(f"{root}: Great Expectations cannot use the files of {gate}: no asset {asset!r}")
        if gate == "arrival" and queries[asset].count(JUDGED) != 1:
            raise BadDeclaration(f"{root}: the query of {asset} must say once which batches it judges: {JUDGED}")
        suite = read_declaration(_Suite, path)
        rules += [_rule(expectation, gate, asset, queries[asset], path) for expectation in suite.expectations]
    ids = [rule.id for rule in rules]
    if twice := sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1}):
        raise BadDeclaration(f"{root}: two rules have the id {twice[0]}")
    if stray := [rule_id for rule_id in ids if not rule_id.startswith(f"{gate}.")]:
        raise BadDeclaration(f"{root}: {stray[0]} stands in a suite of the {gate} gate")
    return rules


# -- the files -----------------------------------------------------------------------------------------------------


class _Meta(Declared):
    """What a rule is to people. Dimensions are those of GB/T 36344-2018."""

    id: Annotated[str, Field(pattern=r"^(arrival|release)\.[a-z_]+$")]
    title_zh: Annotated[str, Field(min_length=1)]
    dimension: Dimension
    owner: Owner
    basis: Annotated[str, Field(min_length=4)]
    severity: Severity
    on_failure: Literal["hold", "stop", "report"]
    guards: Annotated[tuple[Column, ...], Field(min_length=1)]
    rows: dict[Kind, str] = Field(default_factory=dict)


class _Expectation(Declared):
    """A rule as Great Expectations reads it."""

    id: str
    type: str
    kwargs: dict[str, Any]
    severity: Severity
    description: Annotated[str, Field(min_length=1)]
    meta: _Meta
    notes: str | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "_Expectation":
        if self.severity != self.meta.severity:
            raise ValueError(f"severity says {self.severity}, meta.severity {self.meta.severity}")
        gate = self.meta.id.partition(".")[0]
        wanted = {"arrival": "hold", "release": "stop"}[gate] if self.severity == "critical" else "report"
        if self.meta.on_failure != wanted:
            raise ValueError(f"a {self.severity} rule of the {gate} gate has on_failure {wanted!r}")
        if "result_format" in self.kwargs:
            raise ValueError("the checkpoint alone says what results may carry; take result_format out of kwargs")
        if self.type in KNOWN_ARGUMENTS and (unknown := sorted(set(self.kwargs) - KNOWN_ARGUMENTS[self.type])):
            raise ValueError(f"the query that lists what failed does not know {', '.join(unknown)}")
        return self


class _Suite(Declared):
    name: str
    id: str
    expectations: Annotated[tuple[_Expectation, ...], Field(min_length=1)]
    meta: dict[str, Any]


class _Reference(Declared):
    name: str
    id: str


class _ValidationData(Declared):
    datasource: _Reference
    asset: _Reference
    batch_definition: _Reference


class _ValidationDefinition(Declared):
    name: str
    id: str
    suite: _Reference
    data: _ValidationData


class _ResultFormat(Declared):
    """Counts only: lists of unexpected values would carry citizens' data into result files and Data Docs."""

    result_format: Literal["BASIC"]
    partial_unexpected_count: Literal[0]


class _Checkpoint(Declared):
    name: str
    id: str
    validation_definitions: Annotated[tuple[_Reference, ...], Field(min_length=1)]
    actions: tuple[dict, ...]
    result_format: _ResultFormat


def _asset_queries(root: Path) -> dict[str, str]:
    """The query of each asset of great_expectations.yml."""
    path = root / "great_expectations.yml"
    try:
        assets = read_yaml(path)["fluent_datasources"]["warehouse"]["assets"]
        return {name: asset["query"].strip() for name, asset in assets.items()}
    except (KeyError, TypeError, AttributeError):
        raise BadDeclaration(
            f"{path}: Great Expectations cannot use the files: the datasource warehouse has no assets with a query"
        ) from None


def _rule(declared: _Expectation, gate: Gate, asset: str, asset_query: str, path: Path) -> Rule:
    meta = declared.meta
    return Rule(
        id=meta.id,
        gate=gate,
        title_zh=meta.title_zh,
        description=declared.description,
        dimension=meta.dimension,
        owner=meta.owner,
        basis=meta.basis,
        severity=meta.severity,
        on_failure=meta.on_failure,
        type=declared.type,
        kwargs=declared.kwargs,
        rows=meta.rows,
        guards=meta.guards,
        asset=asset,
        asset_query=asset_query,
        measured_by=fingerprint() if gate == "arrival" else "",
        path=path,
    )
