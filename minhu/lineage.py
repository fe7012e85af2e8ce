"""Lineage as OpenLineage events (spec 2-0-2): which run read what and wrote what. Off unless ``MINHU_LINEAGE`` is set.

    feed/h1/cases/cases_20261012.csv ─ load.h1.cases ─▶ batch/17, staging.case_record
    batch/17, staging.case_record    ─ build         ─▶ mart.fct_case, …
    mart.fct_case, …                 ─ score         ─▶ mart.fct_unit_score, score/linan/2026-10
    score/linan/2026-10              ─ publish       ─▶ publish.unit_score, release/linan/2026-10/1

Each run tells START and then COMPLETE or FAIL. An event that cannot be delivered is logged and lost; the run goes on.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from minhu.errors import MinhuError
from minhu.settings import Settings

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_TIMEOUT_SECONDS = 5


@dataclass
class Told:
    """What a run says of itself. ``is_on``: whether anybody listens, where saying it costs a query."""

    is_on: bool
    inputs: list[dict] = field(default_factory=list)
    outputs: list[dict] = field(default_factory=list)
    namespace: str = "minhu"

    def reads(self, *names: str) -> None:
        self.inputs += [{"namespace": self.namespace, "name": name} for name in names]

    def writes(self, name: str, rows: int | None = None) -> None:
        facets = (
            {}
            if rows is None
            else {"outputFacets": {"outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", rowCount=rows)}}
        )
        self.outputs.append({"namespace": self.namespace, "name": name} | facets)


@contextmanager
def job(settings: Settings, name: str, on: date | None = None) -> Iterator[Told]:
    """Tells that the job ``name`` runs, for the business date ``on`` where it has one, and how it ended."""
    told = Told(settings.lineage is not None, namespace=settings.lineage_namespace)
    run_id = str(uuid4())
    facets: dict[str, dict] = {}
    if on:
        start = datetime(on.year, on.month, on.day, tzinfo=settings.zone).isoformat()
        facets["nominalTime"] = _facet("NominalTimeRunFacet", nominalStartTime=start)

    def tell(event_type: str) -> None:
        if settings.lineage:
            event = {
                "eventType": event_type,
                "eventTime": datetime.now(settings.zone).isoformat(),
                "run": {"runId": run_id, "facets": facets},
                "job": {"namespace": told.namespace, "name": name},
                "inputs": told.inputs,
                "outputs": told.outputs,
                "producer": _producer(),
                "schemaURL": SCHEMA,
            }
            _deliver(settings.lineage, event)

    tell("START")
    try:
        yield told
    except BaseException as error:
        # Our own messages never carry a citizen's data; of others only the kind is told.
        message = str(error) if isinstance(error, MinhuError) else type(error).__name__
        facets["errorMessage"] = _facet("ErrorMessageRunFacet", message=message, programmingLanguage="python")
        tell("FAIL")
        raise
    tell("COMPLETE")


def _facet(name: str, **values: object) -> dict:
    return {"_producer": _producer(), "_schemaURL": f"{_FACETS}/{_VERSIONS[name]}/{name}.json#/$defs/{name}"} | values


_VERSIONS = {
    "ErrorMessageRunFacet": "1-0-1",
    "NominalTimeRunFacet": "1-0-1",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
}


def _producer() -> str:
    return f"urn:minhu:{version('minhu')}"


def _deliver(target: str, event: dict) -> None:
    line = json.dumps(event, ensure_ascii=False)
    try:
        if target.startswith(("http://", "https://")):
            import httpx

            headers = {"Content-Type": "application/json"}
            httpx.post(target, content=line.encode(), headers=headers, timeout=_TIMEOUT_SECONDS).raise_for_status()
        else:
            _append(Path(target.removeprefix("file://")), f"{line}\n".encode())
    except Exception as error:  # whatever it is, the run that it tells of goes on
        place = urlsplit(target).hostname or target
        logging.getLogger("minhu").warning(
            "a lineage event could not be delivered to %s: %s", place, type(error).__name__
        )


def _append(path: Path, line: bytes) -> None:
    """One write: processes that append at once do not mix their lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
