"""Sends the anchors of releases to the witnesses of ``city.yml``, and records what was delivered and what was not.

What a witness did not get is sent by whoever calls `send` next; each hash covers the releases before it, so a witness
that is new is sent the newest alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import partial

import psycopg
from psycopg.rows import class_row, dict_row

from minhu import database
from minhu.config.city import City
from minhu.config.witnesses import Mail, TimeStamp, Webhook, Witness
from minhu.declaration import read_declaration
from minhu.errors import MinhuError, Refused, foreign
from minhu.glossary.decided import DELIVERY_OUTCOME, WITNESS
from minhu.notify.mail import mail, server
from minhu.notify.web import post
from minhu.publish import timestamp
from minhu.schemes.plain import plain
from minhu.settings import Settings

SEAL_SECONDS = 10


@dataclass(frozen=True)
class Sent:
    """What is sent of one release."""

    release_id: int
    scheme_id: str
    period: str
    revision: int
    published_at: datetime
    line: str | None
    """Null while the release's row in the access log is not sealed."""


@dataclass(frozen=True)
class Delivery:
    """What became of one attempt. ``error``: why it failed, and the mend."""

    witness: Witness
    period: str
    revision: int
    error: str | None

    def __str__(self) -> str:
        told = DELIVERY_OUTCOME.zh("failed" if self.error else "delivered")
        why = f"：{self.error}" if self.error else ""
        return f"{self.period} 第 {self.revision} 次发布 → {named(self.witness)}：{told}{why}"


def named(witness: Witness) -> str:
    return f"{witness.name}（{WITNESS.zh(witness.by.type)}，{witness.kept_by}保管）"


def of_city(settings: Settings, connection: psycopg.Connection) -> City:
    """What the configuration declares. Raises Refused where it is another city's than the warehouse."""
    declared = read_declaration(City, settings.config / "city.yml")
    found = connection.execute("select city from config.version order by config_version desc limit 1").fetchone()
    if found and found[0] != declared.code:
        raise Refused(f"{settings.config} configures {declared.code}, the warehouse is of {found[0]}; set MINHU_CONFIG")
    return declared


def check(settings: Settings) -> list[tuple[Witness, str | None]]:
    """Each declared witness, and why it could not be reached now; null where it could."""
    city = read_declaration(City, settings.config / "city.yml")
    return [(witness, _tried(partial(_reach, settings, witness))) for witness in city.witnesses]


def are_declared(settings: Settings) -> bool:
    return bool(read_declaration(City, settings.config / "city.yml").witnesses)


def can_reach_one(settings: Settings, why: str | None) -> bool:
    """Whether a witness can be reached now. Raises Refused where none can and nobody says why it is published then."""
    found = check(settings)
    if any(error is None for _, error in found):
        return True
    if why and why.strip():
        return False
    told = "; ".join(f"{witness.name}: {error}" for witness, error in found)
    raise Refused(
        f"no witness outside can be reached ({told or 'city.yml names none under witnesses'}), so that nobody could"
        " prove this result against whoever runs the warehouse: mend it (`minhu anchors check`), or say --why it is"
        " published without"
    )


def record_without(connection: psycopg.Connection, release_id: int, why: str) -> None:
    """Records, in the transaction of the publication, that no witness could be reached, and why it was published."""
    given = {"release_id": release_id, "kind": "unwitnessed", "outcome": "without", "detail": why}
    database.act(connection, "publish.record_delivery", given)


def send(settings: Settings, tell: Callable[[Delivery], None] = lambda told: None) -> list[Delivery]:
    """Sends to every witness what it has not had yet; returns what became of each attempt.

    Raises Refused when the city names no witness.
    """
    with database.connect(settings) as connection:
        city = of_city(settings, connection)
        if not city.witnesses:
            raise Refused("city.yml names no witnesses: declare who keeps the hashes (config/README.md, Witnesses)")
        made = []
        _wait_for_the_seal(connection)
        for witness in city.witnesses:
            with connection.cursor(row_factory=class_row(Sent)) as cursor:
                waiting = cursor.execute(_WAITING, {"witness": witness.name}).fetchall()
            connection.commit()  # nothing is held while others are asked
            for sent in waiting:
                made.append(_deliver(settings, connection, city, witness, sent))
                tell(made[-1])
        return made


def _wait_for_the_seal(connection: psycopg.Connection) -> None:
    """A publication is sealed in the access log at its commit, or by the keeper within seconds."""
    newest = "select publish.anchor_of(max(release_id)) is not null or max(release_id) is null from publish.release"
    for _ in range(SEAL_SECONDS * 5):
        is_sealed = database.one(connection, newest)[0]
        connection.commit()
        if is_sealed:
            return
        time.sleep(0.2)


_WAITING = """
select release_id, scheme_id, period, revision, published_at, publish.anchor_of(release_id) as line
from publish.release
where release_id > coalesce(
    (
        select max(release_id) from publish.anchor_delivery
        where witness = %(witness)s and outcome = 'delivered'
    ),
    (select max(release_id) - 1 from publish.release)
)
order by release_id
"""


def _deliver(settings: Settings, connection: psycopg.Connection, city: City, witness: Witness, sent: Sent) -> Delivery:
    if sent.line is None:
        return Delivery(witness, sent.period, sent.revision, "the access log is not sealed up to it yet; send again")
    receipt: list[bytes] = []

    def attempt() -> None:
        match witness.by:
            case Mail():
                mail(witness.by, _letter(city, witness, witness.by, sent))
            case Webhook():
                post(witness.by, _told(city, witness, sent))
            case TimeStamp():
                receipt.append(timestamp.stamp(witness.by, settings.config, sent.line or ""))

    error = _tried(attempt)
    given = {
        "release_id": sent.release_id,
        "witness": witness.name,
        "kept_by": witness.kept_by,
        "kind": witness.by.type,
        "sent_to": witness.by.sent_to,
        "line": sent.line,
        "outcome": "failed" if error else "delivered",
        "detail": error,
        "receipt": receipt[0] if receipt else None,
    }
    database.act(connection, "publish.record_delivery", given)
    connection.commit()
    return Delivery(witness, sent.period, sent.revision, error)


def list_deliveries(settings: Settings, period: str | None = None) -> list[dict]:
    """Every attempt, oldest first, ready for JSON. Raises Refused where the login does not read them."""
    with database.connect(settings, rows=dict_row) as connection:
        told = {"user": connection.info.user, "what": "whom hashes were sent to", "instead": "an auditor's does"}
        with foreign.told("read", **told):
            rows = connection.execute(_DELIVERIES, {"period": period}).fetchall()
        return [plain(row) for row in rows]


_DELIVERIES = """
select release.period, release.revision, told.witness, told.kept_by, told.kind, told.sent_to, told.outcome,
    told.recorded_at, told.recorded_by, told.detail, told.line
from publish.anchor_delivery as told
inner join publish.release on told.release_id = release.release_id
where %(period)s::text is null or release.period = %(period)s
order by told.delivery_id
"""


def _tried(attempt: Callable[[], None]) -> str | None:
    """Why it failed, in the words of our own error."""
    try:
        attempt()
    except MinhuError as error:
        return str(error)
    return None


def _reach(settings: Settings, witness: Witness) -> None:
    match witness.by:
        case Mail():
            with server(witness.by) as opened:
                opened.noop()
        case Webhook():
            post(witness.by, {"probe": True, "witness": witness.name})
        case TimeStamp():
            timestamp.stamp(witness.by, settings.config, "minhu-anchor probe")


def _letter(city: City, witness: Witness, by: Mail, sent: Sent) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = f"民呼锚点：{city.name} {sent.period} 第 {sent.revision} 次发布"
    letter["From"], letter["To"] = by.sender, ", ".join(by.to)
    letter["Date"] = format_datetime(sent.published_at)
    letter["Message-ID"] = make_msgid(domain=by.sender.partition("@")[2])
    letter.set_content(
        f"{city.name}热线考核 {sent.period} 第 {sent.revision} 次发布已产生下列锚点。请原样保存本邮件：日后任何人"
        "都可据此核对结果与访问日志是否被改写，包括被系统的运行方改写。邮件中没有市民或单位的数据。\n"
        f"This anchor was made when revision {sent.revision} of {sent.period} was published. Keep this mail as it is:"
        " it shows later whether the result or the access log was rewritten, even by whoever runs the system.\n\n"
        f"{sent.line}\n\n"
        f"witness: {witness.name}\n"
        f"kept by: {witness.kept_by}\n"
        f"published: {sent.published_at.isoformat()}\n\n"
        f"核对 / to check: minhu verify {sent.period} --revision {sent.revision} --anchor FILE.eml\n",
        cte="quoted-printable",
    )
    return letter


def _told(city: City, witness: Witness, sent: Sent) -> dict[str, object]:
    return {
        "anchor": sent.line,
        "witness": witness.name,
        "kept_by": witness.kept_by,
        "city": city.name,
        "period": sent.period,
        "revision": sent.revision,
        "published_at": sent.published_at.isoformat(),
    }
