"""The rules of the quality gates, read strictly from the suites in ``expectations/``.

Great Expectations drops what it does not know without a word; here an unknown key, a missing field or a contradiction
is an error with file, line and key. What also stands here is which rows a rule calls bad, as a query: Great
Expectations' own lists of bad rows are capped and carry values, ours name batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from psycopg import sql
from pydantic import Field, model_validator

from minhu.declaration import Declared, read_declaration
from minhu.errors import BadDeclaration

Gate = Literal["arrival", "release"]
Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True)
class Rule:
    """A rule, and the asset of great_expectations.yml that it judges."""

    id: str
    severity: Severity
    title_zh: str
    description: str
    """What is required, in Chinese and English."""
    type: str
    kwargs: dict[str, Any]
    asset: str
    path: Path

    def bad_rows(self, asset_query: str) -> sql.Composable:
        """The rows of the asset that fail this rule, each with its batch_id."""
        return _BAD_ROWS[self.type](f"({asset_query}) as judged", self.kwargs)


def read_rules(root: Path, gate: Gate) -> list[Rule]:
    """The rules of a gate's checkpoint, in the order of the files. Raises BadDeclaration naming file, line and key."""
    checkpoint = read_declaration(_Checkpoint, root / "checkpoints" / f"{gate}.json")
    rules: list[Rule] = []
    for reference in checkpoint.validation_definitions:
        definition = read_declaration(_ValidationDefinition, root / "validation_definitions" / f"{reference.name}.json")
        path = root / "suites" / f"{definition.suite.name}.json"
        asset = definition.data.asset.name
        rules += [_rule(expectation, asset, path) for expectation in read_declaration(_Suite, path).expectations]
    ids = [rule.id for rule in rules]
    if twice := sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1}):
        raise BadDeclaration(f"{root}: two rules have the id {twice[0]}")
    return rules


# -- the files -----------------------------------------------------------------------------------------------------


class _Meta(Declared):
    """What a rule is to people. Dimensions are those of GB/T 36344."""

    id: Annotated[str, Field(pattern=r"^(arrival|release)\.[a-z_]+$")]
    title_zh: Annotated[str, Field(min_length=1)]
    dimension: Literal["规范性", "完整性", "准确性", "一致性", "时效性", "可访问性"]
    severity: Severity
    on_failure: Literal["hold", "stop", "report"]


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
        if gate == "arrival":
            self._names_batches()
        return self

    def _names_batches(self) -> None:
        if self.type not in _BAD_ROWS:
            raise ValueError(f"no query names the batches that fail {self.type}; known are {', '.join(_BAD_ROWS)}")
        if unknown := sorted(set(self.kwargs) - _ARGUMENTS[self.type]):
            raise ValueError(f"the query that names the batches does not know {', '.join(unknown)}")


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


def _rule(declared: _Expectation, asset: str, path: Path) -> Rule:
    meta = declared.meta
    return Rule(
        id=meta.id,
        severity=meta.severity,
        title_zh=meta.title_zh,
        description=declared.description,
        type=declared.type,
        kwargs=declared.kwargs,
        asset=asset,
        path=path,
    )


# -- bad rows ------------------------------------------------------------------------------------------------------


def _between(judged: str, kwargs: dict) -> sql.Composable:
    column = sql.Identifier(kwargs["column"])
    bounds = [
        sql.SQL("{} {} {}").format(column, sql.SQL(sign), sql.Literal(kwargs[name]))
        for name, sign in (("min_value", "<"), ("max_value", ">"))
        if kwargs.get(name) is not None
    ]
    return sql.SQL("select batch_id, {} from {} where {}").format(column, sql.SQL(judged), sql.SQL(" or ").join(bounds))


def _not_null(judged: str, kwargs: dict) -> sql.Composable:
    return sql.SQL("select batch_id from {} where {} is null").format(sql.SQL(judged), sql.Identifier(kwargs["column"]))


def _in_set(judged: str, kwargs: dict) -> sql.Composable:
    values = sql.SQL(", ").join(map(sql.Literal, kwargs["value_set"]))
    return sql.SQL("select batch_id from {} where {} not in ({})").format(
        sql.SQL(judged), sql.Identifier(kwargs["column"]), values
    )


def _unexpected_rows(judged: str, kwargs: dict) -> sql.Composable:
    return sql.SQL(kwargs["unexpected_rows_query"].format(batch=judged))


_BAD_ROWS: dict[str, Callable[[str, dict], sql.Composable]] = {
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_in_set": _in_set,
    "unexpected_rows_expectation": _unexpected_rows,
}
_ARGUMENTS = {
    "expect_column_values_to_be_between": {"column", "min_value", "max_value"},
    "expect_column_values_to_not_be_null": {"column"},
    "expect_column_values_to_be_in_set": {"column", "value_set"},
    "unexpected_rows_expectation": {"unexpected_rows_query"},
}
"""What the queries heed. With what else Great Expectations knows (``mostly``, ``row_condition``) they would differ."""
