"""Talks to Airflow over its REST API; nothing of Airflow is imported."""

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

from minhu.errors import Refused, Retryable, foreign

FINISHED = {"success", "failed"}
WAITS = (1, 2, 4, 8)
"""Seconds before Airflow is asked again."""


ACCOUNT = "minhu"
"""Whom Airflow's log names for what our own commands do; it has no password, and no login has its name."""
TOKEN_LIVES = 120  # seconds; each request has one of its own


@dataclass
class Airflow:
    """An API server, asked by the account of our own commands."""

    url: str
    signs_with: str = field(repr=False)
    """The secret that the server signs its tokens with."""
    logs: Path | None = None
    """Where its tasks write, so that a failure can say where to look."""

    def health(self) -> dict[str, tuple[str, datetime | None]]:
        """Each part of Airflow, its status and when it was last heard of, as Airflow tells it without a login."""
        told = _request("GET", f"{self.url}/api/v2/monitor/health", timeout=5)
        return {part: (of["status"], _moment(of.get(f"latest_{part}_heartbeat"))) for part, of in told.items()}

    def get(self, path: str) -> dict:
        return self._call("GET", path)

    def post(self, path: str, body: dict) -> dict:
        return self._call("POST", path, body)

    def patch(self, path: str, body: dict) -> dict:
        return self._call("PATCH", path, body)

    def dags(self) -> list[dict]:
        """Every DAG that Airflow has read and can run, as its API describes it."""
        found, offset = [], 0
        while page := self.get(f"dags?limit=100&offset={offset}&order_by=dag_id")["dags"]:
            found += [dag for dag in page if not dag["has_import_errors"]]
            offset += len(page)
        return found

    def files_read(self, since: datetime) -> set[str]:
        """The DAG files, relative to their folder, that were read after ``since``."""
        read = {dag["relative_fileloc"]: _moment(dag["last_parsed_time"]) for dag in self.dags()}
        return {file for file, at in read.items() if at and at > since}

    def import_errors(self) -> dict[str, tuple[str, datetime]]:
        """DAG files that cannot be read, each with the last line of why and when that was found."""
        errors = self.get("importErrors?limit=100")["import_errors"]
        found = (
            (of["filename"], of["stack_trace"].strip().splitlines()[-1], _moment(of["timestamp"])) for of in errors
        )
        return {file: (why, at) for file, why, at in found if at}

    def trigger(self, dag_id: str, conf: dict | None = None) -> str:
        """Starts a run and returns its id. ``conf`` overrides the DAG's params and is checked against them."""
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{secrets.token_hex(4)}"
        with suppress(_Conflict):  # nobody else has this id: it was begun before Airflow failed to answer
            self.post(f"dags/{quote(dag_id)}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}})
        return run_id

    def keep_pools(self, pools: dict[str, int]) -> None:
        """Gives Airflow these pools, each with so many slots; others stay as they are."""
        found = {pool["name"]: pool["slots"] for pool in self.get("pools?limit=1000")["pools"]}
        for name, slots in pools.items():
            told = {"name": name, "slots": slots, "include_deferred": False}
            if name not in found:
                self.post("pools", told)
            elif found[name] != slots:
                self.patch(f"pools/{quote(name, safe='')}?update_mask=slots", told)

    def states(self, runs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """State of each (dag_id, run_id), in one request for all that are recent."""
        wanted = set(runs)
        if not wanted:
            return {}
        body = {
            "dag_ids": sorted({dag_id for dag_id, _ in wanted}),
            "order_by": "-id",
            "page_limit": len(wanted) + 20,
        }
        page = self.post("dags/~/dagRuns/list", body)["dag_runs"]
        found = {(run["dag_id"], run["dag_run_id"]): run["state"] for run in page}
        for dag_id, run_id in wanted - found.keys():
            found[dag_id, run_id] = self.get(_run(dag_id, run_id))["state"]
        return {run: found[run] for run in wanted}

    def queued(self, since: datetime) -> list[tuple[str, datetime]]:
        """Tasks that have been queued since before ``since``: DAG and task with a dot between, from when on."""
        found = self.get("dags/~/dagRuns/~/taskInstances?state=queued&limit=100")["task_instances"]
        told = ((f"{task['dag_id']}.{task['task_id']}", _moment(task["queued_when"])) for task in found)
        return [(task, at) for task, at in told if at and at < since]

    def failed(self, dag_ids: Iterable[str]) -> dict[str, tuple[str, datetime]]:
        """Of these DAGs those whose last finished run failed: its id, and when it ended."""
        body = {"dag_ids": sorted(dag_ids), "states": sorted(FINISHED), "order_by": "-end_date", "page_limit": 100}
        last: dict[str, dict] = {}
        for run in self.post("dags/~/dagRuns/list", body)["dag_runs"]:
            last.setdefault(run["dag_id"], run)
        told = (
            (run["dag_id"], run["dag_run_id"], _moment(run["end_date"]))
            for run in last.values()
            if run["state"] == "failed"
        )
        return {dag_id: (run_id, at) for dag_id, run_id, at in told if at}

    def watch(self, runs: Iterable[tuple[str, str]], timeout: float) -> Iterator[dict[tuple[str, str], str]]:
        """The state of every run each time they are looked at, the last time when all have finished.

        Raises Retryable after ``timeout`` seconds, naming what is still going on.
        """
        states: dict[tuple[str, str], str] = {}
        pending, deadline = set(runs), time.monotonic() + timeout
        while pending:
            states |= self.states(pending)
            yield dict(states)
            pending = {run for run in pending if states[run] not in FINISHED}
            if pending and time.monotonic() > deadline:
                named = ", ".join(f"{dag_id} ({states[dag_id, run_id]})" for dag_id, run_id in sorted(pending)[:5])
                more = f" and {len(pending) - 5} more" if len(pending) > 5 else ""
                raise Retryable(f"not finished after {timeout:.0f} s: {named}{more}")
            if pending:
                time.sleep(1)

    def failures(self, dag_id: str, run_id: str) -> dict[str, Path | None]:
        """Tasks of a run that failed, each with the log of its last attempt."""
        tasks = self.get(f"{_run(dag_id, run_id)}/taskInstances?state=failed&limit=100")["task_instances"]
        return {task["task_id"]: self._log(dag_id, run_id, task) for task in tasks}

    def _log(self, dag_id: str, run_id: str, task: dict) -> Path | None:
        folder = f"dag_id={dag_id}/run_id={run_id}/task_id={task['task_id']}"
        return self.logs / folder / f"attempt={task['try_number']}.log" if self.logs else None

    def _call(self, method: str, path: str, body: dict | None = None) -> dict:
        """Asks again where Airflow failed to answer: on a busy machine, or while its database comes back."""
        for wait in (*WAITS, None):
            try:
                return self._ask(method, path, body)
            except _Troubled:
                if wait is None:
                    raise
                time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, method: str, path: str, body: dict | None) -> dict:
        return _request(method, f"{self.url}/api/v2/{path}", body, self._token())

    def _token(self) -> str:
        import jwt  # here: it takes a while, and most commands ask Airflow nothing

        now = int(time.time())
        since = now - TOKEN_LIVES  # the server's clock may be behind ours: the keeper is there to tell of that
        claims = {"sub": ACCOUNT, "aud": "apache-airflow", "iat": since, "nbf": since, "exp": now + TOKEN_LIVES}
        return jwt.encode(claims, self.signs_with, "HS512")


class _Troubled(Retryable):
    """It is there and fails to answer, or does not answer in time."""


class _Conflict(Refused):
    """What was to be made is there."""


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"


def _request(method: str, url: str, body: dict | None = None, token: str | None = None, timeout: float = 30) -> dict:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    where = urlsplit(url)
    connection = HTTPConnection(where.netloc, timeout=timeout)  # straight there, whatever proxy the environment names
    with closing(connection), foreign.told("airflow", where=where.netloc):
        target = f"{where.path}?{where.query}" if where.query else where.path
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
        except TimeoutError:
            raise _Troubled(f"Airflow did not answer within {timeout:.0f} s at {where.netloc}") from None
        if answer.status >= 400:
            kind = _Troubled if answer.status >= 500 else _Conflict if answer.status == 409 else Refused
            raise kind(f"Airflow answered {answer.status} to {method} {where.path}: {_detail(said)}")
        return json.loads(said)


def _detail(said: bytes) -> str:
    try:
        return str(json.loads(said)["detail"])
    except (ValueError, KeyError, TypeError):
        return said.decode(errors="replace").strip()[:200]
