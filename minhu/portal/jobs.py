"""What takes long: asked for here by a person, done by a runner; what is decided is still his decision.

An act is one of `ACTS`, with parameters of its own shape; the database keeps nothing that could be run.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from minhu import database
from minhu.errors import Refused
from minhu.settings import Settings

Period = Annotated[str, Field(pattern=r"^\d{4}(-(\d\d|Q\d))?$")]
Scheme = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Close(Parameters):
    period: Period
    scheme: Scheme
    is_early: bool = False


class Revise(Parameters):
    period: Period
    scheme: Scheme
    why: Reason


class Publish(Parameters):
    period: Period
    scheme: Scheme
    why: Reason | None = None


class Verify(Parameters):
    period: Period
    scheme: Scheme
    revision: int | None = Field(default=None, ge=1)


class Export(Parameters):
    period: Period
    scheme: Scheme
    form: Literal["xlsx", "pdf", "docx", "json"]
    revision: int | None = Field(default=None, ge=1)
    is_draft: bool = False


class Simulate(Parameters):
    period: Period
    scheme: Scheme
    draft: str = Field(min_length=1, max_length=200_000)


class Report(Parameters):
    month: Annotated[str, Field(pattern=r"^\d{4}-\d\d$")]
    form: Literal["html", "pdf"]


class Deliver(Parameters):
    """Bytes that have landed, for a delivery; asked for by `minhu.portal.posting`."""

    feed: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    delivery: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    business_date: date
    name: Annotated[str, Field(min_length=1, max_length=100)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]
    rows: int | None = Field(default=None, ge=0)
    is_trial: bool = False


ACTS: dict[str, type[Parameters]] = {
    "close": Close,
    "revise": Revise,
    "publish": Publish,
    "verify": Verify,
    "export": Export,
    "simulate": Simulate,
    "report": Report,
    "deliver": Deliver,
}


@dataclass(frozen=True)
class Job:
    """``result``: what came of it, by act; ``why``: of one that was refused or failed."""

    job_id: int
    act: str
    parameters: dict[str, Any]
    asked_by: str
    asked_at: datetime
    state: str
    progress: str | None
    result: dict[str, Any] | None
    why: str | None
    finished_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None


def ask(acts: Settings, act: str, given: dict[str, Any], key: str, content_hash: str | None = None) -> int:
    """Asks for ``act``; its number. The same ``key`` of the same person gives the same job. Raises Refused."""
    asked = {
        "act": act,
        "parameters": Jsonb(parameters(act, given).model_dump(mode="json")),
        "idempotency_key": key,
        "content_hash": content_hash,
    }
    with database.connect(acts) as connection:
        return database.act(connection, "portal.ask_job", asked)


def parameters(act: str, given: dict[str, Any]) -> Parameters:
    """The parameters of an act, as they were meant. Raises Refused where they are others."""
    if act not in ACTS:
        raise Refused(f"there is no job {act!r}; there are {', '.join(ACTS)}")
    try:
        return ACTS[act].model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Refused(f"the job {act} does not fit: {told}") from None


def own(reads: Settings, most: int = 50) -> list[Job]:
    """The jobs of whoever asks, the newest first."""
    with database.connect(reads) as connection, connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute("select * from portal.own_jobs(%s)", [most]).fetchall()


def one(reads: Settings, number: int) -> Job:
    """A job of whoever asks. Raises Refused where it is not his."""
    found = next((job for job in own(reads, 1000) if job.job_id == number), None)
    if found is None:
        raise Refused(f"you have no job {number}")
    return found


def told(job: Job) -> str:
    """The state of a job as an event of a stream: what a browser compares."""
    return json.dumps(
        {"state": job.state, "progress": job.progress, "why": job.why, "is_over": job.is_over}, ensure_ascii=False
    )
