"""Measures the batches of a run in SQL and works out the limits that each delivery's own history gives.

Committed before the batches are judged, so that Great Expectations sees it: it measures rows that never change, and a
run that dies is simply run again. Only accepted batches of at most 56 earlier days are looked at, and the rows of at
most three batches before each, so that a day costs the same however long the history is.
"""

from functools import cache
from pathlib import Path

import psycopg

from minhu import database
from minhu.hashing import files_sha256
from minhu.settings import Settings

_FOLDER = Path(__file__).parent
TABLES = ("audit.batch_profile", "audit.batch_distribution", "audit.batch_threshold")


@cache
def fingerprint() -> str:
    """sha256 of the SQL that measures batches and works out limits, as it was when this process first asked."""
    return files_sha256(_FOLDER, _FOLDER.glob("*.sql"))


def measure(settings: Settings, batches: list[int]) -> None:
    """Fills audit.batch_profile, batch_distribution and batch_threshold of the batches, anew where they have some.

    What a run that died left of other batches that were loaded is forgotten: only what has a profile is judged.
    """
    with database.connect(settings) as connection:
        for table in TABLES:
            connection.execute(
                f"delete from {table} as measured using audit.batch"
                " where batch.batch_id = measured.batch_id and batch.status = 'loaded'"
            )
        wanted = _wanted(connection, batches)
        # Rows that were just loaded have no statistics yet: a plan made for a handful of them loops over thousands.
        connection.execute("set local enable_nestloop = off")
        _run(connection, "profile", wanted)
        _run(connection, "distribution", {"batches": batches})
        _run(connection, "owned", wanted)
        connection.execute("set local enable_nestloop = on")
        connection.execute("analyze owned")
        for join in ("hashjoin", "mergejoin"):  # either would read every case there ever was
            connection.execute(f"set local enable_{join} = off")
        _run(connection, "strangers", {})
        for join in ("hashjoin", "mergejoin"):
            connection.execute(f"set local enable_{join} = on")
        _run(connection, "peers", {"batches": batches})
        connection.execute("analyze peer")
        _run(connection, "derived", {"batches": batches})
        _run(connection, "thresholds", {"batches": batches})
        # Of measures that nobody counted the planner expects one, and reads the day's rows anew for each batch.
        connection.execute(f"analyze audit.batch, {', '.join(TABLES)}")


def _wanted(connection: psycopg.Connection, batches: list[int]) -> dict[str, list[int]]:
    """The batches whose rows the profile reads, told to every scan."""
    before = _run(connection, "before", {"batches": batches}).fetchall()
    of_day = connection.execute(
        "select batch_id from audit.batch where kind = 'case' and status not in ('refused', 'superseded')"
        " and business_date in (select business_date from audit.batch where batch_id = any(%s) and kind <> 'case')",
        [batches],
    ).fetchall()
    return {
        "batches": batches,
        "compared": [batch_id for batch_id, _ in before],
        "before": [before_batch_id for _, before_batch_id in before],
        "batches_and_before": sorted({*batches, *(before_batch_id for _, before_batch_id in before)}),
        "of_day": [batch_id for (batch_id,) in of_day],
    }


def _run(connection: psycopg.Connection, name: str, parameters: dict) -> psycopg.Cursor:
    return connection.execute((_FOLDER / f"{name}.sql").read_text(encoding="utf-8"), parameters)
