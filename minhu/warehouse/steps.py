"""How long each step of a build takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


class Steps:
    """Seconds by step, in the order in which the steps began; a step within another counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._around: list[str] = []
        self._since = time.perf_counter()

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        self._pass()
        self.seconds.setdefault(step, 0.0)
        self._around.append(step)
        try:
            yield
        finally:
            self._pass()
            self._around.pop()

    def record(self, connection: psycopg.Connection, build_id: int) -> None:
        connection.cursor().executemany(
            "insert into audit.build_step (build_id, step_no, step, seconds) values (%s, %s, %s, round(%s::numeric, 3))"
            " on conflict (build_id, step_no) do update set step = excluded.step, seconds = excluded.seconds",
            [(build_id, number, step, spent) for number, (step, spent) in enumerate(self.seconds.items(), 1)],
        )

    def _pass(self) -> None:
        now = time.perf_counter()
        if self._around:
            self.seconds[self._around[-1]] += now - self._since
        self._since = now
