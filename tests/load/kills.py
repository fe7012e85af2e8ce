"""Loaders that are stopped at a step and killed: forks of one process that has everything imported.

The tests hold a `Nursery`; ``python -m tests.load.kills`` is the process that forks. A loader that comes to its step
says so and stands still. Then it is killed by SIGKILL from outside, or goes on and is killed a little later, or lives.
"""

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial, wraps
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from minhu.settings import PROJECT_ROOT, Settings

KINDS = ("drop", "sftp", "object", "rest", "open311", "sql", "push")
FILES = ("drop", "sftp", "object")
"""Kinds that bring two files in one load."""
CURSORS = ("rest", "sql")
DAY = date(2026, 10, 12)
_PATIENCE = 60
_PULLED = KINDS[:-1]
_ARCHIVE = "minhu.feeds.sources.drop:_archive"


@dataclass(frozen=True)
class Step:
    """Where a loader stands still: ``how`` of the function at ``place``, in one of the ``calls``.

    ``second``: the calls for the second file of a load. ``is_committed``: the rows are safe by then.
    """

    name: str
    how: str
    place: str
    kinds: tuple[str, ...] = KINDS
    calls: tuple[int, ...] = (1,)
    second: tuple[int, ...] = (2,)

    def moments(self, kind: str) -> tuple[int, ...]:
        return self.calls + (self.second if kind in FILES else ())


STEPS = (
    Step("before fetch", "before", "minhu.load:fetch", _PULLED, second=()),
    Step("before fetch", "before", "minhu.load.push:named", ("push",)),
    Step("in fetch", "before", "minhu.feeds.sources.drop:_settled", ("drop",)),
    Step("in fetch", "before", "asyncssh:SFTPClientFile.read", ("sftp",), (2, 3, 4), ()),
    Step("in fetch", "half_copied", "fsspec.implementations.local:LocalFileSystem.get_file", ("object",)),
    Step("in fetch", "half_received", "httpx:Response.iter_bytes", ("rest", "open311"), (1, 2, 3)),
    Step("in fetch", "before", "minhu.feeds.sources.sql:_hash", ("sql",), (1, 70, 200)),
    Step("after fetch", "before", "minhu.load:load_fetched", _PULLED),
    Step("after fetch", "before", "minhu.load.push:load_fetched", ("push",)),
    Step("before landing", "before", "minhu.load:land"),
    Step("in landing", "half_landed", "shutil:copyfileobj"),
    Step("before its place in the landing zone", "before", "minhu.landing.store:Folder.keep"),
    Step("after landing", "after", "minhu.load:land"),
    Step("before reading", "before", "minhu.feeds.formats.read:read_parts"),
    Step("in reading", "at_part", "minhu.feeds.formats.read:read_parts", calls=(2, 3, 4), second=()),
    Step("after reading", "at_end", "minhu.feeds.formats.read:read_parts"),
    Step("before judging", "before", "minhu.feeds.door:Door.judge", calls=(1, 2, 4), second=()),
    Step("after judging", "after", "minhu.feeds.door:Door.judge", calls=(1, 2, 4), second=()),
    Step("after the last verdict", "after", "minhu.feeds.door:Door.close"),
    Step("before COPY", "before", "minhu.load.batch:copy_rows", second=(3,)),
    Step("in COPY", "before", "minhu.load.batch:_copy_text", calls=(1, 2, 3), second=()),
    Step("after COPY", "after", "minhu.load.batch:copy_rows", second=(3,)),
    Step("before the manifest", "before", "minhu.load.batch:_insert_batch"),
    Step("after the manifest", "after", "minhu.load.batch:_insert_batch"),
    Step("after the rejects", "after", "minhu.load.batch:copy_rows", calls=(2,), second=(4,)),
    Step("after the links", "after", "minhu.load.batch:write_links"),
    Step("before the cursor", "before", "minhu.load.batch:_write_cursor", CURSORS),
    Step("after the cursor", "after", "minhu.load.batch:_write_cursor", CURSORS),
    Step("before commit", "after", "minhu.load.batch:commit"),
    Step("in commit", "committing", "minhu.load.batch:commit"),
    Step("after commit", "after", "minhu.load:_commit"),
    Step("before archiving", "before", _ARCHIVE, ("drop",)),
    Step("in archiving", "before_move", "minhu.feeds.sources.drop:os", ("drop",)),
    Step("after archiving", "after", _ARCHIVE, ("drop",)),
    Step("at the end", "after", "minhu.load:load_fetched", _PULLED),
    Step("at the end", "after", "minhu.load.push:load_fetched", ("push",)),
)
START = {kind: "minhu.load.push:posted" if kind == "push" else "minhu.load:read_feed" for kind in KINDS}
"""Where a loader begins that is killed at any moment of its life."""


def steps_of(kind: str) -> list[Step]:
    return [step for step in STEPS if kind in step.kinds]


@dataclass(frozen=True)
class Order:
    """One loader. ``how``, ``place``, ``call``: where it stands still; without a place it just runs.

    ``fate``: it ``dies`` there; it ``dies later``, having gone on, if it still lives after the delay; or it ``lives``.
    """

    kind: str
    settings: Settings
    how: str = "before"
    place: str | None = None
    call: int = 1
    fate: str = "lives"
    delay: float = 0
    env: dict[str, str] | None = None
    body: Path | None = None
    """What is posted."""


@dataclass(frozen=True)
class Ended:
    """How a loader ended. ``commits``: batches that it knew to be committed when it came to its step."""

    is_killed: bool
    is_reached: bool
    commits: int
    seconds: float
    outcomes: list[str] | None
    error: str | None


class Nursery:
    """The process that forks loaders, as the tests hold it. Use it in ``with``."""

    def __init__(self, env: dict[str, str]):
        command = [sys.executable, "-m", "tests.load.kills"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=os.environ | env, **pipes)

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(_PATIENCE)

    def run(self, *orders: Order, at_once: bool = False) -> list[Ended]:
        """Runs loaders: each comes to its step before the next starts. Then they go on in turn, or all at once."""
        told = [order.__dict__ | {"settings": order.settings.__dict__} for order in orders]
        self._process.stdin.write(json.dumps({"orders": told, "at_once": at_once}, default=str) + "\n")
        self._process.stdin.flush()
        return [Ended(**ended) for ended in json.loads(self._process.stdout.readline())]


# -- the process that forks ------------------------------------------------------------------------------------------


def main() -> None:
    import asyncssh  # noqa: F401 - imported once, for all forks
    import fsspec.implementations.local  # noqa: F401
    import httpx  # noqa: F401

    from minhu.feeds.formats import encodings, read
    from minhu.feeds.sources import sftp, sql

    # Small enough that a few hundred rows come in many parts, so that a kill finds the threads at work.
    encodings.BLOCK = sftp._CHUNK = 1 << 13
    read._ROWS = sql._CHUNK = 64
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a loader prints is no answer
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(tend(asked["orders"], asked["at_once"])) + "\n")
        answers.flush()


def tend(orders: list[dict], at_once: bool) -> list[dict]:
    loaders = []
    for order in orders:
        loaders.append(Loader(order))
        loaders[-1].await_step()
    if at_once:
        for loader in loaders:
            loader.go_on()
    return [loader.meet_its_fate() for loader in loaders]


class Loader:
    """A fork that loads one delivery."""

    def __init__(self, order: dict):
        self._order, self._heard, self._began = order, [], time.monotonic()
        self._ears, mouth = os.pipe()
        ears, self._mouth = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._mouth)
            _live(order, mouth, ears)
        os.close(mouth)
        os.close(ears)

    def await_step(self) -> None:
        if not self._order["place"]:
            return
        ready, _, _ = select.select([self._ears], [], [], _PATIENCE)
        self._listen() if ready else os.kill(self._pid, signal.SIGKILL)

    def go_on(self) -> None:
        with suppress(BrokenPipeError):  # it ended without coming to its step
            os.write(self._mouth, b"!")

    def meet_its_fate(self) -> dict:
        if self._order["fate"] != "dies":
            self.go_on()
        if self._order["fate"] != "lives":
            time.sleep(self._order["delay"])
            os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        seconds = time.monotonic() - self._began
        while self._listen():
            pass
        os.close(self._ears)
        os.close(self._mouth)
        heard = {name: value for said in b"".join(self._heard).splitlines() for name, value in json.loads(said).items()}
        is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        return {"is_killed": is_killed, "is_reached": "commits" in heard, "seconds": seconds} | {
            name: heard.get(name, default) for name, default in (("commits", 0), ("outcomes", None), ("error", None))
        }

    def _listen(self) -> bytes:
        self._heard.append(os.read(self._ears, 1 << 16))
        return self._heard[-1]


def _live(order: dict, mouth: int, ears: int) -> None:
    def say(**said: Any) -> None:
        os.write(mouth, json.dumps(said).encode() + b"\n")

    def stand_still() -> None:
        say(commits=next(commits) - 1)
        os.read(ears, 1)

    try:
        os.environ.update(order["env"] or {})
        commits = count(1)
        _tap("minhu.load:_commit", partial(_after, lambda: next(commits)))
        if order["place"]:
            calls = count(1)
            arrive = partial(_in_call, order["call"], calls, stand_still)
            _tap(order["place"], partial(_HOOKS[order["how"]], arrive))
        say(outcomes=[result.outcome for result in _load(order)])
    except BaseException:
        say(error=traceback.format_exc())
    os._exit(0)


def _in_call(call: int, calls: Iterator[int], stand_still: Callable, first: Callable | None = None) -> None:
    if next(calls) == call:
        if first:
            first()
        stand_still()


def _load(order: dict) -> list:
    from minhu.load import load_delivery
    from minhu.load.push import receive

    kept = order["settings"]
    paths = {name: Path(kept[name]) for name in ("home", "config", "drop")}
    settings = Settings(**paths, database_url=kept["database_url"])
    if order["kind"] == "push":
        return [receive(settings, "h1", "cases", Path(order["body"]), DAY, name="cases.csv")]
    return load_delivery("h1", "cases", DAY, settings=settings)


# -- where a loader stands still ---------------------------------------------------------------------------------------


def _tap(place: str, hook: Callable[[Callable], Callable]) -> None:
    """Puts ``hook`` around the function at ``module:name`` or ``module:class.name``."""
    module, _, name = place.partition(":")
    owner = importlib.import_module(module)
    *outer, last = name.split(".")
    for step in outer:
        owner = getattr(owner, step)
    setattr(owner, last, hook(getattr(owner, last)))


def _before(arrive: Callable, real: Callable) -> Callable:
    @wraps(real)
    def step(*args, **kwargs):
        arrive()
        return real(*args, **kwargs)

    return step


def _after(arrive: Callable, real: Callable) -> Callable:
    @wraps(real)
    def step(*args, **kwargs):
        result = real(*args, **kwargs)
        arrive()
        return result

    return step


def _at_part(arrive: Callable, real: Callable) -> Callable:
    def step(*args, **kwargs):
        for part in real(*args, **kwargs):
            arrive()
            yield part

    return step


def _at_end(arrive: Callable, real: Callable) -> Callable:
    def step(*args, **kwargs):
        yield from real(*args, **kwargs)
        arrive()

    return step


def _half_received(arrive: Callable, real: Callable) -> Callable:
    """Stands still when a part of the answer's body has come."""

    def step(response, size=None):
        pieces = real(response, 1 << 8)
        yield next(pieces, b"")
        arrive()
        yield from pieces

    return step


def _half_copied(arrive: Callable, real: Callable) -> Callable:
    def step(store, path, local, **kwargs):
        data = store.cat_file(path)
        with open(local, "wb") as file:
            file.write(data[: len(data) // 2])
        arrive()
        return real(store, path, local, **kwargs)

    return step


def _half_landed(arrive: Callable, real: Callable) -> Callable:
    def step(given, copy, *size):
        copy.write(given.read(1 << 12))
        copy.flush()
        arrive()
        return real(given, copy, *size)

    return step


def _committing(arrive: Callable, real: Callable) -> Callable:
    """Stands still when the server has been told to commit and its answer was not heard."""

    def step(connection, *args, **kwargs):
        result = real(connection, *args, **kwargs)
        arrive(first=lambda: connection.pgconn.send_query(b"commit"))
        return result

    return step


def _before_move(arrive: Callable, real: Any) -> Any:
    return SimpleNamespace(rename=_before(arrive, real.rename), link=real.link)


_HOOKS = {
    "before": _before,
    "after": _after,
    "at_part": _at_part,
    "at_end": _at_end,
    "half_received": _half_received,
    "half_copied": _half_copied,
    "half_landed": _half_landed,
    "committing": _committing,
    "before_move": _before_move,
}

if __name__ == "__main__":
    main()
