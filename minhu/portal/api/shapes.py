"""What is answered where no dataclass of the house says it."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field


class Me(BaseModel):
    """Who asks."""

    login: str = Field(examples=["shen"])
    group: str = Field(examples=["evaluator"])
    units: list[str] = Field(description="The codes of the units that he speaks for.", examples=[[]])


class SchemeInForce(BaseModel):
    scheme_id: str = Field(examples=["linan"])
    scheme_version: str = Field(examples=["65150ca801db"])
    title: str = Field(examples=["综合业绩考评民呼我为专项"])
    valid_from: date = Field(examples=["2026-01-01"])
    valid_to: date | None = Field(examples=[None])
    indicators: list[str] = Field(examples=[["close_on_time", "satisfied"]])


class Published(BaseModel):
    """The newest revision of a period."""

    scheme_id: str = Field(examples=["linan"])
    period: str = Field(examples=["2026-10"])
    revision: int = Field(examples=[1])
    published_at: datetime = Field(examples=["2026-11-05T10:00:00+08:00"])
    hash: str = Field(examples=["3d9b44504f57ee20"])


class UnitOfCity(BaseModel):
    unit_code: str = Field(examples=["330112-D01"])
    unit_name: str = Field(examples=["杭州市临安区教育局"])
    unit_kind: str = Field(examples=["department"])
    peer_group: str = Field(examples=["linan_department"])
    valid_from: date = Field(examples=["2020-01-01"])
    valid_to: date | None = Field(examples=[None])


class Checked(BaseModel):
    """What the chain of hashes says of a release. ``is_proven``: a witness outside agrees."""

    is_ok: bool
    is_proven: bool
    revision: int
    hash: str
    releases: int = Field(description="How many stand in the chain.")
    findings: list[str]
    witnesses: list[str]
    notes: list[str]


class Run(BaseModel):
    """A run of a gate."""

    quality_run_id: int
    gate: str = Field(examples=["arrival"])
    subject: str
    finished_at: datetime | None
    is_passed: bool | None
    failed: int
    passed: int


class Failure(BaseModel):
    """A result of a gate that did not pass."""

    rule_id: str
    title_zh: str
    owner: str | None
    basis: str | None
    severity: str
    subject: str
    feed_code: str | None
    delivery: str | None
    batch_id: int | None
    outcome: str
    failed_rows: int | None
    reproduce_sql: str | None


class Batch(BaseModel):
    batch_id: int
    business_date: date
    delivery: str
    source_name: str
    received_rows: int
    staged_rows: int
    rejected_rows: int
    duplicate_rows: int
    status: str
    reason: str | None


class Finding(BaseModel):
    rule_id: str
    severity: str
    feed_code: str | None
    scheme_id: str | None
    period: str | None
    subject: str
    first_failed_at: datetime
    last_failed_at: datetime
    failures: int
    age_days: int
    waiver_id: int | None
    waived_until: date | None
    is_escalated: bool


class Appeal(BaseModel):
    appeal_id: int
    state: str = Field(examples=["filed"])
    period: str
    unit_code: str
    feed_code: str | None
    case_no: str | None
    assignment_id: str | None
    published_rows: list[str] | None
    indicator_codes: list[str] | None
    grounds_code: str
    statement: str
    evidence_ref: str
    filed_by: str
    filed_at: datetime
    decide_by: datetime | None
    reason_code: str | None
    reason: str | None
    from_revision: int | None
    decided_by: str | None
    decided_at: datetime | None


class Given(BaseModel):
    """The fields of an act, by name, as a form would send them: every value is text."""

    fields: dict[str, str] = Field(
        examples=[
            {
                "published_row": "R1-2546",
                "grounds_code": "mis_dispatched",
                "statement": "not this unit's duty",
                "evidence_ref": "2026-17",
            }
        ]
    )


class Recorded(BaseModel):
    """The number under which an act stands."""

    act: str = Field(examples=["file_appeal"])
    number: int = Field(examples=[7])


class Sessions(BaseModel):
    """A session: send it as ``Authorization: Bearer …``; it lasts eight hours."""

    token: str = Field(examples=["evaluator.Zm9v"])


class Credentials(BaseModel):
    name: str = Field(max_length=100, examples=["shen"])
    password: str = Field(max_length=1000, examples=["…"])
    code: str | None = Field(default=None, max_length=10, description="Of the phone, where one is asked for.")


class KeyWanted(BaseModel):
    name: str = Field(min_length=1, max_length=100, examples=["月报表"])
    may_decide: bool = Field(default=False, examples=[False])
    days: int = Field(default=90, ge=1, le=365, examples=[90])


class KeyMade(BaseModel):
    """A key; its token is told once."""

    key_id: int
    token: str = Field(examples=["evaluator.Zm9v"])


class Key(BaseModel):
    key_id: int
    name: str
    may_decide: bool
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class Words(BaseModel):
    """The codes of one kind, each with its Chinese and its English word."""

    kind: str = Field(examples=["decision_state"])
    words: dict[str, dict[str, str]]


class JobWanted(BaseModel):
    """What a job is to do. ``key``: of your own choice; the same key asks for the same job once."""

    key: str = Field(min_length=8, max_length=100, examples=["export-2026-10"])
    parameters: dict[str, Any] = Field(examples=[{"period": "2026-10", "scheme": "linan", "form": "xlsx"}])


class JobAsked(BaseModel):
    job_id: int = Field(examples=[3])
