"""What the senders told, as the loader wrote it: rows of staging, unchanged, and of them the newest versions.

The oracle's SQL is `select *` of tables that people and loaders write. No model of the warehouse is read.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import dict_row

from minhu import database
from minhu.settings import Settings
from tests.reference.clock import CITY

Key = tuple[str, str]
"""A case: feed and number."""


@dataclass
class Event:
    """An event as one sender tells it. ``sender``: a feed, or ``record`` for the case's own row."""

    case: Key
    sender: str
    event_type: str
    at: datetime
    unit_name: str | None
    unit_role: str | None = None
    due_at: datetime | None = None
    limit_kind: str | None = None
    result_code: str | None = None
    reason_code: str | None = None
    source: tuple = ()
    is_day: bool = False
    """Its day alone was told."""


@dataclass
class Staged:
    cases: dict[Key, dict] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    callbacks: list[dict] = field(default_factory=list)


def read(settings: Settings) -> Staged:
    """The newest version of every record in batches that are accepted."""
    with database.connect(settings) as connection, connection.cursor(row_factory=dict_row) as cursor:

        def table(name: str) -> list[dict]:
            return cursor.execute(f"select * from {name}").fetchall()

        batches = {row["batch_id"]: row for row in table("audit.batch") if row["status"] == "accepted"}
        rows = {
            kind: [row for row in table(f"staging.{name}") if row["batch_id"] in batches]
            for kind, name in (("case", "case_record"), ("event", "case_event"), ("callback", "callback"))
        }
    order = {batch_id: batch["order_key"] for batch_id, batch in batches.items()}
    staged = Staged()
    for row in newest(rows["case"], lambda row, _: (row["feed_code"], row["case_no"]), order):
        staged.cases[row["feed_code"], row["case_no"]] = row
        staged.events += _milestones(row)
    staged.events += [_event(row) for row in newest(rows["event"], _event_identity, order)]
    staged.callbacks = newest(rows["callback"], _callback_identity, order)
    return staged


def newest(rows: list[dict], identity, order: dict[int, int]) -> list[dict]:
    """Of every record its version of the highest (source_updated_at, order_key, row_number), if that is no deletion.

    Rows of one batch that say the same without a number of their own are told apart by their ordinal.
    """
    versions, ordinals = defaultdict(list), defaultdict(int)
    for row in sorted(rows, key=lambda row: (row["batch_id"], row["row_number"])):
        known = identity(row, 0)
        ordinal = ordinals[row["batch_id"], known]
        ordinals[row["batch_id"], known] += 1
        versions[identity(row, ordinal)].append(row)

    def age(row: dict) -> tuple:
        updated = row.get("source_updated_at")
        return (updated is not None, updated, order[row["batch_id"]], row["row_number"])

    last = [max(group, key=age) for group in versions.values()]
    return [row for row in last if not row["is_deleted"]]


def _event_identity(row: dict, ordinal: int) -> tuple:
    who = (row["feed_code"], row["case_feed_code"], row["case_no"])
    if row["source_event_no"] is not None:
        return (*who, row["source_event_no"])
    return (*who, None, row["event_type"], row["occurred_at"], row["unit_name"], ordinal)


def _callback_identity(row: dict, ordinal: int) -> tuple:
    return (
        row["feed_code"],
        row["case_feed_code"],
        row["case_no"],
        row["called_at"],
        row["unit_name"],
        row["round"],
        ordinal,
    )


def _event(row: dict) -> Event:
    names = ("event_type", "unit_name", "unit_role", "due_at", "limit_kind", "result_code", "reason_code")
    source = (row["batch_id"], row["row_number"])
    return Event(
        case=(row["case_feed_code"], row["case_no"]),
        sender=row["feed_code"],
        at=row["occurred_at"],
        source=source,
        is_day=row["occurred_precision"] == "day",
        **{name: row[name] for name in names},
    )


def _milestones(row: dict) -> list[Event]:
    """The events that the case's own row carries."""
    found = []
    for place, told in enumerate(row["milestones"] or []):
        if told.get("occurred_at") is None:
            continue
        found.append(
            Event(
                case=(row["feed_code"], row["case_no"]),
                sender="record",
                event_type=told["event_type"],
                at=moment(told["occurred_at"]),
                unit_name=told.get("unit_name"),
                unit_role=told.get("unit_role"),
                due_at=moment(told.get("due_at")),
                limit_kind=told.get("limit_kind"),
                result_code=told.get("result_code"),
                reason_code=told.get("reason_code"),
                source=(row["batch_id"], row["row_number"], place),
                is_day=told.get("occurred_precision") == "day",
            )
        )
    return found


def moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    read_as = datetime.fromisoformat(text)
    return read_as if read_as.tzinfo else read_as.replace(tzinfo=CITY)
