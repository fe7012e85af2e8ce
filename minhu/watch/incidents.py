"""Incidents: a fault becomes one when it is found, is told to whom it concerns, and is closed when it is mended.

    look: what stands now against what is open  →  opened, closed
    tell: who has not heard of which step  →  one message to each recipient with all that is new

Each recipient is told once of each step: first, a reminder, a last time, mended. A row says so before the message goes
out; one whose sender died is sent again after a while under the same key.
"""

import hashlib
import os
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

import psycopg
from psycopg.rows import class_row, dict_row

from minhu import database
from minhu.config.city import City
from minhu.config.notify import Notify, Recipient
from minhu.declaration import read_declaration
from minhu.glossary.watched import INCIDENT, STEP
from minhu.notify import Message, Refusal, send
from minhu.schemes.plain import plain
from minhu.settings import Settings
from minhu.watch.faults import Fault, faults

LOCK_TELL = "minhu:tell"
AGAIN = timedelta(minutes=3)
"""A message that was not taken, or whose sender died, is sent again after so long,"""
MOST_ATTEMPTS = 100
"""so often."""
CONCERNS = {
    "engineer": None,
    "evaluator": {
        "missing",
        "held",
        "gate_failed",
        "approval_waits",
        "closing_outdated",
        "calendar_ends",
        "after_freeze",
    },
    "auditor": {"held", "refused", "gate_failed"},
    "owner": {"missing", "late", "refused", "held", "arrived"},
}
"""Which kinds a role is told of; None: all. A feed that is late is the engineers' and its owner's alone."""
STEPS = ("first", "reminder", "last_time")
OF_A_PLACE = {"disk", "clock_off", "airflow_silent", "task_queued", "run_failed", "certificate_ends", "standby_off"}
"""Kinds of one machine: each looks for its own."""


@dataclass(frozen=True)
class Incident:
    """A fault with its life. Moments have a zone."""

    incident_id: int
    kind: str
    feed_code: str | None
    on_date: str | None
    subject: str
    is_urgent: bool
    what: str
    mend: str
    since: datetime
    opened_at: datetime
    closed_at: datetime | None

    @property
    def key(self) -> tuple[str, str | None, object, str]:
        return self.kind, self.feed_code, self.on_date, self.subject

    def summary(self) -> dict:
        return plain(self)


@dataclass(frozen=True)
class Due:
    """A step of which a recipient has not heard."""

    incident: Incident
    step: str


# Looking


def look(
    settings: Settings,
    now: datetime | None = None,
    more: tuple[Fault, ...] = (),
    unseen: frozenset[str] = frozenset(),
) -> tuple[int, int]:
    """Compares the faults that stand, and ``more`` that the caller knows of, with the incidents that are open.

    How many were opened and closed. What stands on another machine is not closed here, nor a kind that could not be
    looked at now (``unseen``). Of two that look at once the second finds nothing new.
    """
    here = f"{socket.gethostname()}:{settings.home}"
    with database.connect(settings) as connection:
        database.lock(connection, LOCK_TELL)
        now = now or database.one(connection, "select clock_timestamp()")[0]
        found = (_placed(one, here) for one in (*faults(connection, settings, now), *more))
        standing = {one.key: one for one in found}
        open_ones = {one.key: one for one in _incidents(connection, "closed_at is null")}
        fresh = [one for key, one in standing.items() if key not in open_ones]
        mended = [
            one
            for key, one in open_ones.items()
            if key not in standing and one.kind not in unseen and (one.kind not in OF_A_PLACE or here in one.subject)
        ]
        for fault in fresh:
            connection.execute(_OPEN, vars(fault) | {"is_urgent": fault.is_urgent, "now": now})
        for key in standing.keys() & open_ones.keys():
            connection.execute(
                "update audit.incident set what = %s, mend = %s where incident_id = %s and (what, mend) <> (%s, %s)",
                [
                    standing[key].what,
                    standing[key].mend,
                    open_ones[key].incident_id,
                    standing[key].what,
                    standing[key].mend,
                ],
            )
        connection.execute(
            "update audit.incident set closed_at = greatest(%s, opened_at) where incident_id = any(%s)",
            [now, [one.incident_id for one in mended]],
        )
        return len(fresh), len(mended)


def _placed(fault: Fault, here: str) -> Fault:
    """What is of one machine says of which."""
    return replace(fault, subject=f"{here} {fault.subject}".strip()) if fault.kind in OF_A_PLACE else fault


_OPEN = """
insert into audit.incident (kind, feed_code, on_date, subject, is_urgent, what, mend, since, opened_at)
values (
    %(kind)s, %(feed_code)s, %(on_date)s, %(subject)s, %(is_urgent)s, %(what)s, %(mend)s, least(%(since)s, %(now)s),
    %(now)s
)
"""


def incidents(settings: Settings, *, is_open: bool = True) -> list[Incident]:
    """The open ones, or all, the oldest first."""
    with database.connect(settings) as connection:
        return _incidents(connection, "closed_at is null" if is_open else "true")


def _incidents(connection: psycopg.Connection, which: str) -> list[Incident]:
    with connection.cursor(row_factory=class_row(Incident)) as cursor:
        query = (
            "select incident_id, kind, feed_code, on_date, subject, is_urgent, what, mend, since, opened_at, closed_at"
            f" from audit.incident where {which} order by incident_id"
        )
        return cursor.execute(query.encode()).fetchall()


def told(settings: Settings) -> list[dict]:
    """Who was told of which step of which incident, the latest first, ready for JSON."""
    with database.connect(settings, rows=dict_row) as connection:
        return [plain(row) for row in connection.execute(_TOLD)]


_TOLD = """
select told.incident_id, incident.kind, told.recipient, told.step, told.state, told.attempts, told.told_at, told.error
from audit.incident_told as told
inner join audit.incident on told.incident_id = incident.incident_id
order by told.told_at desc, told.incident_id, told.recipient, told.step
"""


# Telling


def tell(settings: Settings, now: datetime | None = None) -> dict[str, Refusal | None]:
    """Sends to each recipient what he has not heard, in one message; by his name what became of it."""
    city = read_declaration(City, settings.config / "city.yml")
    sent: dict[str, Refusal | None] = {}
    for recipient in city.notify.recipients:
        with database.connect(settings) as connection:
            database.lock(connection, LOCK_TELL)
            at = now or database.one(connection, "select clock_timestamp()")[0]
            due = _due(connection, city.notify, recipient, at.astimezone(settings.zone))
            _book(connection, recipient, due, at)
        if not due:
            continue
        refusal = sent[recipient.name] = send(recipient, _message(city.name, recipient, due, at))
        state = ("failed", refusal.words) if refusal else ("sent", None)
        with database.connect(settings) as connection:
            for one in due:
                connection.execute(_CAME_OF_IT, [*state, one.incident.incident_id, recipient.name, one.step])
    return sent


_CAME_OF_IT = """
update audit.incident_told set state = %s, error = %s where incident_id = %s and recipient = %s and step = %s
"""


def probe(settings: Settings) -> Iterator[tuple[str, Refusal | None]]:
    """Sends a message that tells of no fault to each recipient; what became of it."""
    city = read_declaration(City, settings.config / "city.yml")
    for recipient in city.notify.recipients:
        at = datetime.now(settings.zone)
        text = "这是一次试发：收到即说明提醒可以送达。"
        yield (
            recipient.name,
            send(recipient, Message(f"probe-{at:%Y%m%d%H%M%S%f}", f"【民呼·{city.name}】试发", text, at)),
        )


def _due(connection: psycopg.Connection, terms: Notify, recipient: Recipient, now: datetime) -> list[Due]:
    """What the recipient has to hear now, urgent ones first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        told: dict[int, dict[str, dict]] = {}
        for row in cursor.execute(
            "select * from audit.incident_told inner join audit.incident using (incident_id) where recipient = %s"
            " and (closed_at is null or closed_at > %s)",
            [recipient.name, now - timedelta(days=7)],
        ):
            told.setdefault(row["incident_id"], {})[row["step"]] = row
    found = []
    is_quiet = _is_quiet(terms, now)
    standing = _incidents(connection, "closed_at is null or closed_at > clock_timestamp() - interval '7 days'")
    for incident in standing:
        if not concerns(recipient, incident) or (is_quiet and not incident.is_urgent):
            continue
        heard = told.get(incident.incident_id, {})
        step = _step(terms, incident, heard, now)
        if step and not _goes_on(incident, standing) and _may_send(heard.get(step), now):
            found.append(Due(incident, step))
    return sorted(found, key=lambda one: (not one.incident.is_urgent, one.step == "solved", one.incident.incident_id))


def _goes_on(incident: Incident, others: list[Incident]) -> bool:
    """Whether a fault ended by becoming another: what was late and is missing was not mended."""
    if incident.closed_at is None or incident.feed_code is None:
        return False
    place = incident.feed_code, incident.on_date
    return any((one.feed_code, one.on_date) == place and one.opened_at >= incident.closed_at for one in others)


def concerns(recipient: Recipient, incident: Incident) -> bool:
    kinds = CONCERNS[recipient.role]
    if kinds is not None and incident.kind not in kinds:
        return False
    return not recipient.feeds or incident.feed_code in recipient.feeds


def _step(terms: Notify, incident: Incident, heard: dict[str, dict], now: datetime) -> str | None:
    """Which step is due. Who has not heard of a fault before it was mended hears nothing; whether who was being told
    when the sender died has heard, nobody knows: he hears that it is mended."""
    if incident.closed_at is not None:
        before = [heard[step] for step in STEPS if step in heard]
        may_have_heard = any(row["state"] == "sent" or _is_cut_off(row, now) for row in before)
        return "solved" if may_have_heard else None
    first = heard.get("first")
    if first is None or first["state"] != "sent":
        return "first"
    for step, minutes in (("last_time", terms.last_minutes), ("reminder", terms.reminder_minutes)):
        if now - first["told_at"] >= timedelta(minutes=minutes):
            return step
    return None


def _is_cut_off(row: dict, now: datetime) -> bool:
    """Whether the sender died between booking a step and writing down what became of it."""
    return row["state"] == "sending" and now - row["told_at"] >= AGAIN


def _may_send(row: dict | None, now: datetime) -> bool:
    if row is None:
        return True
    return row["state"] != "sent" and row["attempts"] < MOST_ATTEMPTS and now - row["told_at"] >= AGAIN


def _is_quiet(terms: Notify, now: datetime) -> bool:
    if terms.quiet is None:
        return False
    begins, ends = map(time.fromisoformat, terms.quiet)
    at = now.time()
    return begins <= at < ends if begins <= ends else at >= begins or at < ends


def _book(connection: psycopg.Connection, recipient: Recipient, due: list[Due], now: datetime) -> None:
    for one in due:
        connection.execute(
            "insert into audit.incident_told (incident_id, recipient, step, state, told_at)"
            " values (%s, %s, %s, 'sending', %s) on conflict (incident_id, recipient, step) do update"
            " set state = 'sending', attempts = incident_told.attempts + 1, told_at = excluded.told_at",
            [one.incident.incident_id, recipient.name, one.step, now],
        )
        if one.step == "solved":
            connection.execute(_CUT_OFF, [one.incident.incident_id, recipient.name])


# A step that was on its way when its sender died, of a fault that is mended by now: its end is told in its place.
_CUT_OFF = """
update audit.incident_told set state = 'failed', error = '发送中断，是否送达不明；已改为告知消除'
where incident_id = %s and recipient = %s and step <> 'solved' and state = 'sending'
"""


def _message(city: str, recipient: Recipient, due: list[Due], now: datetime) -> Message:
    counts = Counter(INCIDENT.zh(one.incident.kind) for one in due if one.step != "solved")
    mended = sum(one.step == "solved" for one in due)
    said = "，".join(
        [*(f"{kind} {number}" for kind, number in counts.items()), *([f"已消除 {mended}"] if mended else [])]
    )
    lines = []
    for number, one in enumerate(due, 1):
        incident, step = one.incident, STEP.zh(one.step)
        since = f"自 {incident.since.astimezone(now.tzinfo):%m-%d %H:%M}"
        lines.append(f"{number}. 【{INCIDENT.zh(incident.kind)}·{step}】{incident.what}（{since}）")
        if one.step != "solved":
            lines.append(f"   处置：{incident.mend}")
    lines += ["", f"全部事件：{link('incidents')}"]
    steps = sorted(f"{one.incident.incident_id}/{one.step}" for one in due)
    key = hashlib.sha256(f"{recipient.name}|{'|'.join(steps)}".encode()).hexdigest()[:32]
    data = {"incidents": [one.incident.summary() | {"step": one.step} for one in due]}
    return Message(key, f"【民呼·{city}】{said}", "\n".join(lines), now, data)


def link(page: str) -> str:
    """Where a person looks: a page of the portal where one is set, else the command."""
    portal = os.environ.get("MINHU_PORTAL_URL", "").rstrip("/")
    return f"{portal}/{page}" if portal else f"minhu {page} list"
