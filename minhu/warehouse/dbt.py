"""Drives dbt. The only module that imports it."""

import gc
import hashlib
import inspect
import json
import os
import pickle
import platform
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from minhu import database
from minhu.database import tuned
from minhu.hashing import files_sha256
from minhu.settings import PROJECT_ROOT, Settings

PROJECT = PROJECT_ROOT / "dbt_project"
Described = dict[tuple[str, str], str]
"""中文 label — English, by (table, column)."""

_FINISHED = "NodeFinished"  # what dbt calls the event at the end of a node
_FORM = "manifest, descriptions"  # what a kept project consists of
_KEPT = 16  # projects as they were read, 1.5 MB each

# What the server or the client library says when the fault lies with neither a model nor the data.
_OUTAGES = (
    "server closed the connection",
    "terminating connection",
    "connection already closed",
    "could not connect",
    "connection to server",
    "the database system is",
    "no space left on device",
    "could not extend file",
    "canceling statement due to",
    "deadlock detected",
    "out of memory",
    "out of shared memory",
    "too many clients",
    "remaining connection slots",
)


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

    @property
    def is_outage(self) -> bool:
        """Whether the database gave way: the same statement may succeed later."""
        return self.status == "error" and _tells_of_outage(self.message)


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
    def is_outage(self) -> bool:
        if self.error:
            return _tells_of_outage(self.error)
        return bool(self.failed) and all(node.is_outage for node in self.failed)

    @property
    def complaint(self) -> str:
        """The first thing that went wrong, in one line."""
        if self.error:
            return self.error.strip().splitlines()[0]
        first = self.failed[0]
        lines = [line.strip() for line in (first.message or first.status).strip().splitlines()]
        return f"{first.node}: {' '.join(lines[:2])}"


def run(
    settings: Settings,
    select: str,
    variables: Mapping[str, object],
    on_node: Callable[[NodeResult], None] | None = None,
    done: Collection[str] = (),
    *,
    unit_tests: bool = False,
    exclude: Collection[str] = (),
    work: str = "dbt",
) -> DbtRun:
    """One `dbt build` of the nodes that ``select`` names but not ``exclude``, with ``variables`` as its vars.

    ``on_node`` is told of each node as it finishes, one at a time; what it raises from psycopg is passed over.
    ``done``: nodes of an earlier run that need not run again. ``unit_tests`` runs the worked examples of the models
    too: they judge the code, not the data. ``work``: the folder of the home that dbt works in; two at once need two.
    """
    chosen = ["--select", select]
    if exclude:
        chosen += ["--exclude", *exclude]
    if not unit_tests:
        chosen += ["--exclude-resource-type", "unit_test"]
    wanted: set[str] = set()
    if done:
        listed = _invoke(
            settings,
            settings.home / work,
            ["list", *chosen, "--output", "json", "--output-keys", "unique_id"],
            variables,
        )
        if listed.exception or not listed.success:
            return DbtRun((), str(listed.exception or "the nodes of the project cannot be listed"))
        wanted = _left_to_do(listed.result, done)
        if not wanted:
            return DbtRun(())
        # by their own names, and no test for the sake of a model that it stands on
        chosen = ["--select", *sorted(unique_id.split(".")[2] for unique_id in wanted)]
        chosen += ["--indirect-selection", "empty"]
    result = _invoke(settings, settings.home / work, ["build", *chosen], variables, on_node)
    nodes = tuple(_node(given) for given in getattr(result.result, "results", None) or ())
    error = str(result.exception) if result.exception else None
    left_out = {_name(unique_id) for unique_id in wanted} - {node.node for node in nodes}
    if left_out and not error:
        error = f"dbt left out {', '.join(sorted(left_out))}"
    return DbtRun(nodes, error)


def _left_to_do(listed: Iterable[str], done: Collection[str]) -> set[str]:
    """The ids of the models and tests that dbt lists, less those that an earlier run has done."""
    ids = {json.loads(line)["unique_id"] for line in listed}
    return {one for one in ids if one.startswith(("model.", "test.")) and _name(one) not in done}


def code_hash() -> str:
    """What decides over the tables of a run: versions of dbt and of us, a hash of the files of the dbt project."""
    files = (path for path in PROJECT.rglob("*") if path.suffix in (".sql", ".yml", ".csv"))
    versions = " ".join(version(name) for name in ("minhu", "dbt-core", "dbt-postgres"))
    return f"{versions} {files_sha256(PROJECT, files)}"


def _invoke(
    settings: Settings,
    work: Path,
    arguments: list[str],
    variables: Mapping[str, object],
    on_node: Callable[[NodeResult], None] | None = None,
) -> Any:
    """What dbt's own runner returns for a command on the project."""
    one_at_a_time = threading.Lock()

    def heard(event: Any) -> None:
        if on_node and event.info.name == _FINISHED:
            with one_at_a_time, suppress(psycopg.Error):  # not noted means run again, no more
                on_node(_finished(event.data))

    with _environment(settings), _seldom_collecting():
        from dbt.cli.main import dbtRunner

        _stay_connected()
        _ask_no_callers()
        _drop_what_nobody_hears()
        try:
            runner = dbtRunner(manifest=manifest(settings, variables), callbacks=[heard])
        except _Unreadable as told:
            return told.args[0]
        given = {"timezone": settings.timezone, **variables}
        return runner.invoke([*arguments, "--vars", repr(given), *_options(work)])


@cache
def _stay_connected() -> None:
    """Has dbt's threads keep their connections from node to node. By itself dbt connects anew for each of them."""
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    close = PostgresConnectionManager.release

    def release(manager: PostgresConnectionManager) -> None:
        connection = manager.get_if_exists()
        if connection is None or connection.state != "open" or connection.handle.closed:
            return close(manager)
        try:
            connection.handle.rollback()  # also what psycopg2 began without dbt: its locks would stay
        except Exception:  # the server is gone: the next node shall see for itself
            return close(manager)
        connection.transaction_open = False
        return None

    setattr(PostgresConnectionManager, "release", release)  # noqa: B010 - plainly it would be no method


@cache
def _ask_no_callers() -> None:
    """Has dbt name what set a flag of its adapter from the frames alone.

    By itself it reads the source of every caller for each flag: under a deep stack that takes longer than all else.
    """
    from dbt_common import behavior_flags

    def source() -> str:
        frame = inspect.currentframe()
        while frame and frame.f_globals.get("__name__") in (__name__, behavior_flags.__name__):
            frame = frame.f_back
        return frame.f_globals.get("__name__", "Unknown") if frame else "Unknown"

    setattr(behavior_flags.BehaviorFlagRendered, "_default_source", staticmethod(source))  # noqa: B010 - as above


@cache
def _drop_what_nobody_hears() -> None:
    """Has dbt keep to itself what is no warning, but for the end of a node, and word only what it tells.

    By itself it words some two thousand things of a build, each as a message of protobuf, and then asks who hears them.
    """
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    fire, word = EventManager.fire_event, BaseEvent.__init__

    def heard(manager: EventManager, event: Any, level: EventLevel | None = None, *rest: Any, **more: Any) -> None:
        if type(event).__name__ == _FINISHED or (level or event.level_tag()) in (EventLevel.WARN, EventLevel.ERROR):
            fire(manager, event, level, *rest, **more)

    def made(event: Any, *args: Any, **told: Any) -> None:
        vars(event)["told"] = args, told

    def worded(event: Any) -> Any:
        args, told = vars(event)["told"]
        word(event, *args, **told)  # sets what we return
        return vars(event)["pb_msg"]

    message = cached_property(worded)
    message.__set_name__(BaseEvent, "pb_msg")
    for owner, name, ours in ((EventManager, "fire_event", heard), (BaseEvent, "__init__", made)):
        setattr(owner, name, ours)
    setattr(BaseEvent, "pb_msg", message)  # noqa: B010 - as above


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """dbt makes a hundred thousand objects and few circles: looking for these as often as usual takes a tenth."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _Unreadable(Exception):
    """dbt cannot read the project. Carries what its runner returned."""


def manifest(settings: Settings, variables: Mapping[str, object]) -> Any:
    """The project as dbt reads it for runs with ``variables``; the caller's own, for a run writes into it.

    Read once per home and text of the project, for it takes longer than many a build.
    """
    from dbt.contracts.graph.manifest import Manifest
    from sqlalchemy import make_url  # here: who only reads what dbt built need not wait for it

    read = Manifest(**pickle.loads(_project(settings, variables)[0]))  # noqa: S301 - we wrote it, into our own home
    name = make_url(database.url(settings)).database
    for node in (*read.nodes.values(), *read.sources.values()):
        if node.relation_name:
            node.relation_name = node.relation_name.replace(f'"{node.database}"', f'"{name}"', 1)
        node.database = name
    read.build_flat_graph()
    return read


def descriptions(settings: Settings, variables: Mapping[str, object]) -> Described:
    """What the project says of the columns of its models and sources for runs with ``variables``."""
    return _project(settings, variables)[1]


def _project(settings: Settings, variables: Mapping[str, object]) -> tuple[bytes, Described]:
    """What was kept of the project: the manifest's fields, and what they say of columns, which is read more cheaply.

    Nothing in it is of one database but the name, of one run but the schema.
    To dbt a model refers to what it may refer to: whatever a run counts, to every measure.
    """
    measures = sorted(PROJECT.glob("models/scoring/measures/*.sql"))
    moments: dict[str, list] = {path.stem.removeprefix("measure_"): [] for path in measures}
    shape = repr({"moments": moments, "scratch": variables.get("scratch", "")})
    versions = [platform.python_version(), *(version(f"dbt-{part}") for part in ("adapters", "common"))]
    key = hashlib.sha256("\n".join([str(PROJECT), code_hash(), *versions, _FORM, shape]).encode()).hexdigest()
    kept = settings.home / "dbt" / "read" / key
    try:
        content = kept.read_bytes()
        os.utime(kept)
    except FileNotFoundError:
        with _environment(settings):
            content = _read(shape)
        _keep(kept, content)
    return pickle.loads(content)  # noqa: S301 - we wrote it, into our own home


def _read(shape: str) -> bytes:
    from dbt.cli.main import dbtRunner

    with tempfile.TemporaryDirectory() as work:
        told = dbtRunner().invoke(["parse", "--no-partial-parse", "--vars", shape, *_options(Path(work))])
    if told.result is None:
        raise _Unreadable(told)
    read: Any = told.result
    # its fields, not itself: dbt's own way of pickling a manifest gives back another one
    names = (field.name for field in fields(read) if not field.name.startswith("_"))
    return pickle.dumps((pickle.dumps({name: getattr(read, name) for name in names}), _described(read)))


def _described(read: Any) -> Described:
    row = read.nodes["model.minhu.measured_row"].columns  # every measure has these
    models = (node for node in read.nodes.values() if node.resource_type == "model")
    return {
        (node.name, name): " — ".join(filter(None, (column.config.meta.get("label_zh"), column.description.strip())))
        for node in (*models, *read.sources.values())
        for name, column in (row if "measure" in node.tags else node.columns).items()
    }


def _keep(path: Path, content: bytes) -> None:
    """Writes a project for later runs, whole or not at all; those not used for longest go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
        os.fsync(file.fileno())
    os.replace(file.name, path)
    latest_first = sorted(path.parent.iterdir(), key=lambda kept: kept.stat().st_mtime, reverse=True)
    for kept in latest_first[_KEPT:]:
        kept.unlink(missing_ok=True)


def _options(work: Path) -> list[str]:
    return [
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(work / "target"), "--log-path", str(work / "logs")),
        *("--log-level-file", "none"),  # what became of each node is recorded in the database
        *("--quiet", "--no-version-check", "--no-write-json"),
    ]


def _tells_of_outage(message: str | None) -> bool:
    return any(words in (message or "").lower() for words in _OUTAGES)


def _name(unique_id: str) -> str:
    return unique_id.removeprefix("model.minhu.").removeprefix("test.minhu.")


def _node(result: Any) -> NodeResult:
    rows = (result.adapter_response or {}).get("rows_affected")
    return _result(result.node.unique_id, str(result.status), result.execution_time, rows, result.message)


def _finished(event: Any) -> NodeResult:
    """The same from the event that dbt fires when a node has finished."""
    given = event.run_result
    rows = dict(given.adapter_response).get("rows_affected")
    return _result(event.node_info.unique_id, given.status, given.execution_time, rows, given.message)


def _result(unique_id: str, status: str, seconds: float, rows: object, message: str | None) -> NodeResult:
    return NodeResult(
        node=_name(unique_id),
        status=status,
        seconds=round(seconds, 3),
        rows=int(rows) if isinstance(rows, int | float) and rows >= 0 else None,
        message=message if status not in ("success", "pass") else None,
    )


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """dbt reads the connection from the environment; what stood there before comes back."""
    from sqlalchemy import make_url

    at = make_url(database.url(settings))
    with database.connect(settings) as connection:
        role = database.one(connection, "select current_user where current_user <> session_user union all select ''")[0]
    ours = {
        "MINHU_DBT_HOST": at.host or "",
        "MINHU_DBT_PORT": str(at.port or 5432),
        "MINHU_DBT_USER": at.username or "",
        "MINHU_DBT_DATABASE": at.database or "",
        "MINHU_DBT_THREADS": tuned.threads(settings),
        "DBT_ENV_SECRET_MINHU_PASSWORD": str(at.password or ""),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PGTZ": settings.timezone,
        # what one run reads is described well enough by a few thousand rows; a `set role` would be gone with a rollback
        "PGOPTIONS": " ".join(["-c default_statistics_target=25", *([f"-c role={role}"] if role else [])]),
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
