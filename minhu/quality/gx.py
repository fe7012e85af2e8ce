"""Great Expectations judges: one validation per table, and one finding per rule.

The only module that imports it, on first use, because the import takes seconds. It drops an expectation that it does
not know, or whose arguments are wrong, with a log line; here that stops the gate.
"""

import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy

from minhu import database
from minhu.errors import BadDeclaration, MinhuError, Retryable, foreign
from minhu.quality.rules import Gate, Rule
from minhu.settings import Settings

KEPT_RUNS = 30
"""Runs of which Data Docs keep pages; audit.quality_run keeps all."""


@dataclass(frozen=True)
class Finding:
    """What Great Expectations found of one rule. An errored rule did not pass."""

    passed: bool
    is_errored: bool
    observed: dict


def judge(
    settings: Settings,
    root: Path,
    gate: Gate,
    rules: list[Rule],
    run_id: int,
    about: str,
    named: dict[str, str] | None = None,
) -> dict[str, Finding]:
    """Runs the gate's checkpoint; the finding of each rule by its id.

    ``about``: the period or the days that are judged, for the index of Data Docs.
    ``named``: settings of the connection that the queries of the assets read. Raises BadDeclaration where the files
    cannot be used or a rule was not judged, Retryable where the database is gone.
    """
    gx = engine()
    _forget_old_runs(settings)
    with _opened(gx, settings, root, gate, named or {}) as (context, checkpoint):
        _assert_loaded(checkpoint, rules)
        run = checkpoint.run(run_id=gx.RunIdentifier(run_name=f"{gate}-{run_id:06d}-{about}"))
        pages = [*run.run_results, *(result.expectation_suite_identifier for result in run.run_results)]
        context.build_data_docs(resource_identifiers=pages)  # once: the checkpoint's own action would do it per table
    results = [result for validation in run.run_results.values() for result in validation.results]
    found = {result.expectation_config.meta["id"]: result for result in results}
    if len(results) != len(rules) or set(found) != {rule.id for rule in rules}:
        raise BadDeclaration(f"{root}: {len(rules)} rules are declared, Great Expectations judged {len(results)}")
    return {rule.id: _finding(found[rule.id]) for rule in rules}


def engine() -> Any:
    """Great Expectations, without telemetry and what it tells of itself (600 lines a run), its own use of deprecated
    modules not taken for ours.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations

        return great_expectations


@contextmanager
def _opened(gx: Any, settings: Settings, root: Path, gate: Gate, named: dict[str, str]) -> Iterator[tuple]:
    """The project and the gate's checkpoint. Afterwards its connections are closed and sys.path is as it was."""
    search_path, context = list(sys.path), None
    surroundings = {"MINHU_HOME": str(settings.home), "MINHU_DATABASE_URL": _connection_string(settings, named)}
    try:
        context = gx.get_context(mode="file", context_root_dir=str(root), runtime_environment=surroundings)
        yield context, context.checkpoints.get(gate)
    except Exception as error:
        if gone := _gone(error):
            raise gone from None
        # pydantic's errors are ValueErrors; a ProgrammingError comes from the query of an asset.
        if isinstance(error, gx.exceptions.GreatExpectationsError | ValueError | sqlalchemy.exc.ProgrammingError):
            raise BadDeclaration(f"{root}: Great Expectations cannot use the files of {gate}: {error}") from None
        raise
    finally:
        sys.path[:] = search_path
        for datasource in context.data_sources.all().values() if context else ():
            datasource.get_execution_engine().close()
            datasource.get_engine().dispose()


def _connection_string(settings: Settings, named: dict[str, str]) -> str:
    """The warehouse for Great Expectations; its queries read what is ``named`` with current_setting()."""
    target = sqlalchemy.make_url(database.url(settings)).set(drivername="postgresql+psycopg")
    settled = [f"-c {name}={_escaped(value)}" for name, value in {"timezone": settings.timezone, **named}.items()]
    options = " ".join([str(target.query.get("options", "")), *settled]).strip()
    return target.update_query_dict({"options": options}).render_as_string(hide_password=False)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _assert_loaded(checkpoint: Any, rules: list[Rule]) -> None:
    loaded = {
        expectation.meta["id"]: expectation.expectation_type
        for definition in checkpoint.validation_definitions
        for expectation in definition.suite.expectations
    }
    for rule in rules:
        if loaded.get(rule.id) != rule.type:
            raise BadDeclaration(
                f"{rule.path}: {rule.id}: Great Expectations does not know {rule.type!r} with the arguments "
                f"{', '.join(rule.kwargs)}; mend the spelling"
            )


def _gone(error: Exception | None) -> MinhuError | None:
    """Our error, where this one stems from a database that went away."""
    while error is not None:
        if ours := foreign.as_ours(error, "gate"):
            return ours
        before = error.__cause__ or error.__context__
        error = before if isinstance(before, Exception) else None
    return None


def _finding(result: Any) -> Finding:
    """Tells errors from failures. Raises Retryable when the error is a database that went away."""
    trouble = _trouble(result.exception_info or {})
    if trouble is None:
        count = result.result.get("unexpected_count", result.result.get("observed_value"))
        return Finding(bool(result.success), False, {"unexpected": count})
    if "OperationalError" in trouble:
        raise Retryable(foreign.GONE)
    kinds = re.findall(r"psycopg\.errors\.(\w+)", trouble) or re.findall(r"^[\w.]*?(\w+):", trouble, re.MULTILINE)
    return Finding(False, True, {"error": kinds[-1] if kinds else "unknown"})


def _trouble(info: dict) -> str | None:
    """The traceback of an errored rule. It has two shapes: one exception, or one for each metric that could not be."""
    parts = [info] if "raised_exception" in info else list(info.values())
    told = [part["exception_traceback"] for part in parts if part.get("raised_exception", True)]
    return "\n".join(told) if told else None


def _forget_old_runs(settings: Settings) -> None:
    """Deletes the results and pages of all but the newest runs, so that Data Docs cost the same every day."""
    runs: dict[int, list[Path]] = {}
    for store in (settings.home / "quality", settings.data_docs / "validations"):
        for path in store.glob("*/*"):
            if told := re.fullmatch(r"(?:arrival|release)-(\d+)(?:-[\w.-]+)?", path.name):
                runs.setdefault(int(told[1]), []).append(path)
    newest_first = sorted(runs, reverse=True)
    for number in newest_first[KEPT_RUNS - 1 :]:
        for path in runs[number]:
            shutil.rmtree(path, ignore_errors=True)
