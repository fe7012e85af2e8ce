"""Drives dbt. The only module that imports it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy

from minhu import database
from minhu.settings import PROJECT_ROOT, Settings

PROJECT = PROJECT_ROOT / "dbt_project"
_GRAPH_VARIABLES = ("measures", "moments")
"""The variables by which models choose what they refer to. A parsed project holds no others."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one model or test."""

    node: str
    status: str
    seconds: float
    rows: int | None
    message: str | None

    @property
    def is_failed(self) -> bool:
        return self.status in ("error", "fail", "runtime error")


@dataclass(frozen=True)
class DbtRun:
    """One `dbt build`. ``error`` tells what stopped dbt before any node ran."""

    nodes: tuple[NodeResult, ...]
    error: str | None = None

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        return tuple(node for node in self.nodes if node.is_failed)

    @property
    def is_ok(self) -> bool:
        return self.error is None and not self.failed

    @property
    def complaint(self) -> str:
        """The first thing that went wrong, in one line."""
        if self.error:
            return self.error.strip().splitlines()[0]
        first = self.failed[0]
        lines = [line.strip() for line in (first.message or first.status).strip().splitlines()]
        return f"{first.node}: {' '.join(lines[:2])}"


def run(settings: Settings, select: str, variables: dict[str, object], *, unit_tests: bool = False) -> DbtRun:
    """One `dbt build` of the nodes that ``select`` names, with ``variables`` as its vars.

    ``unit_tests`` runs the worked examples of the models too: they judge the code, not the data.
    """
    arguments = ["--select", select, "--vars", repr(variables)]
    if not unit_tests:
        arguments += ["--exclude-resource-type", "unit_test"]
    with _environment(settings):
        shaping = {name: variables[name] for name in _GRAPH_VARIABLES if name in variables}
        parsed = _parsed(settings, repr(shaping), _newest_file())
        if parsed.result is None:
            return DbtRun((), str(parsed.exception))
        result = _invoke(settings, ["build", *arguments], parsed.result.deepcopy())
    nodes = tuple(_node(given) for given in getattr(result.result, "results", None) or ())
    return DbtRun(nodes, str(result.exception) if result.exception else None)


@lru_cache(maxsize=8)
def _parsed(settings: Settings, variables: str, newest: float) -> Any:
    """The project as dbt reads it, once per process and state of its files: reading takes longer than a small build."""
    return _invoke(settings, ["parse", "--vars", variables])


def _newest_file() -> float:
    return max(path.stat().st_mtime for path in PROJECT.rglob("*") if path.suffix in (".sql", ".yml", ".csv"))


def _invoke(settings: Settings, arguments: list[str], manifest: Any = None) -> Any:
    from dbt.cli.main import dbtRunner

    work = settings.home / "dbt"
    return dbtRunner(manifest=manifest).invoke(
        [
            *arguments,
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(work / "target"), "--log-path", str(work / "logs")),
            *("--log-level-file", "none"),  # what became of each node is recorded in the database
            *("--quiet", "--no-version-check"),
        ]
    )


def _node(result: object) -> NodeResult:
    rows = (result.adapter_response or {}).get("rows_affected")
    return NodeResult(
        node=result.node.unique_id.removeprefix("model.minhu.").removeprefix("test.minhu."),
        status=str(result.status),
        seconds=round(result.execution_time, 3),
        rows=rows if isinstance(rows, int) and rows >= 0 else None,
        message=result.message if str(result.status) not in ("success", "pass") else None,
    )


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """dbt reads the connection from the environment; what stood there before comes back."""
    at = sqlalchemy.make_url(database.url(settings))
    ours = {
        "MINHU_DBT_HOST": at.host or "",
        "MINHU_DBT_PORT": str(at.port or 5432),
        "MINHU_DBT_USER": at.username or "",
        "MINHU_DBT_DATABASE": at.database or "",
        "DBT_ENV_SECRET_MINHU_PASSWORD": str(at.password or ""),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PGTZ": database.TIMEZONE,
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
