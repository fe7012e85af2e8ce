"""What a build computed enters ``mart`` and ``audit``: table by table beside the models left, all of it or nothing."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType

import psycopg

from minhu.warehouse.apply import replace_rows

FACTS = ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation", "fct_exclusion", "fct_event")
EVIDENCE = ("orphan", "lifecycle_anomaly", "event_version")  # of schema audit, replaced with the facts
DIMENSIONS = ("dim_unit", "dim_unit_name", "unit_succession", "dim_feed", "dim_category", "dim_area", "dim_date")
_TOUCHED = "case_id in (select case_id from build.touched_case where is_rebuilt)"
_STALE = {"fct_violation": f"case_id is null or {_TOUCHED}"}  # found on no case: few, written anew by every build
_STALE |= dict.fromkeys(DIMENSIONS, "true")
_IN_ORDER = {"fct_event": "case_id, event_id"}  # the most rows, read by case: written by case in half the time


class Applying:
    """Applies each table as soon as it is made, in a thread and in one transaction, which is the caller's to commit.

    Models are many and each waits for others, so that a core is free at their ends; a table that has passed into
    ``mart`` early is seen by nobody before the commit. Work that fails fails the rest of it: ``finish`` raises the
    first complaint. Left by an exception, what runs is cancelled and what waits is dropped.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, "apply")
        self._begun: Future[None] | None = None
        self._applied: dict[str, Future[int]] = {}

    def __enter__(self) -> "Applying":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind:
            with suppress(psycopg.Error):  # it is gone already
                self._connection.cancel_safe()
        self._thread.shutdown(cancel_futures=kind is not None)

    def begin(self, work: Callable[[], None]) -> None:
        """``work`` on the connection comes before all tables."""
        self._begun = self._thread.submit(work)

    def made(self, table: str) -> None:
        """``build.table`` is complete; tables that are not applied are passed over."""
        if table in (*FACTS, *EVIDENCE, *DIMENSIONS) and table not in self._applied:
            self._applied[table] = self._thread.submit(self._apply, table)

    def finish(self) -> dict[str, int]:
        """Applies those that were made earlier and waits for all: the rows of each table of ``mart``."""
        for table in (*FACTS, *EVIDENCE, *DIMENSIONS):
            self.made(table)
        if self._begun:
            self._begun.result()
        for applied in self._applied.values():
            applied.result()
        return {table: self._applied[table].result() for table in (*FACTS, *DIMENSIONS)}

    def _apply(self, table: str) -> int:
        schema = "audit" if table in EVIDENCE else "mart"
        stale = _STALE.get(table, _TOUCHED)
        return replace_rows(self._connection, table, stale, schema=schema, in_order_of=_IN_ORDER.get(table))
