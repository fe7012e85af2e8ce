"""The digest of a day, once each morning to each recipient: what came, what did not, what was built, what waits."""

from collections import Counter
from datetime import datetime, time, timedelta

import psycopg

from minhu import database
from minhu.assess import waiting
from minhu.config.city import City
from minhu.config.notify import Recipient
from minhu.declaration import read_declaration
from minhu.glossary.delivered import DELIVERY_STATE
from minhu.glossary.watched import INCIDENT
from minhu.notify import Message, Refusal, send
from minhu.settings import Settings
from minhu.warehouse.deliveries import Delivery, read
from minhu.watch.incidents import AGAIN, LOCK_TELL, MOST_ATTEMPTS, link

UNTIL = timedelta(hours=12)
"""A digest that could not be sent so long is not sent any more: the next one comes."""
SHOWN = 20


def digest(settings: Settings, now: datetime | None = None) -> str:
    """The text of the digest as it would be sent now."""
    with database.connect(settings) as connection:
        at = (now or database.one(connection, "select clock_timestamp()")[0]).astimezone(settings.zone)
        return _text(settings, connection, at)


def tell_day(settings: Settings, now: datetime | None = None) -> dict[str, Refusal | None]:
    """Sends the digest to whom it is due; by name what became of it."""
    city = read_declaration(City, settings.config / "city.yml")
    sent: dict[str, Refusal | None] = {}
    for recipient in city.notify.recipients:
        with database.connect(settings) as connection:
            database.lock(connection, LOCK_TELL)
            at = (now or database.one(connection, "select clock_timestamp()")[0]).astimezone(settings.zone)
            begins = datetime.combine(at.date(), time.fromisoformat(city.notify.digest_at), settings.zone)
            if not recipient.digest or not begins <= at < begins + UNTIL or not _book(connection, recipient, at):
                continue
            text = _text(settings, connection, at)
        subject = f"【民呼·{city.name}】{at:%m-%d} 日报"
        refusal = sent[recipient.name] = send(recipient, Message(f"digest-{at:%Y%m%d}", subject, text, at))
        with database.connect(settings) as connection:
            connection.execute(
                "update audit.digest_told set state = %s, error = %s where on_date = %s and recipient = %s",
                ["failed" if refusal else "sent", refusal and refusal.words, at.date(), recipient.name],
            )
    return sent


def _book(connection: psycopg.Connection, recipient: Recipient, at: datetime) -> bool:
    """Whether it is to be sent now; then a row says that it is being sent."""
    taken = connection.execute(
        "insert into audit.digest_told (on_date, recipient, state, told_at) values (%(on)s, %(who)s, 'sending', %(at)s)"
        " on conflict (on_date, recipient) do update"
        " set state = 'sending', attempts = digest_told.attempts + 1, told_at = excluded.told_at"
        " where digest_told.state <> 'sent' and digest_told.attempts < %(most)s"
        " and digest_told.told_at <= %(at)s - %(again)s returning 1",
        {"on": at.date(), "who": recipient.name, "at": at, "most": MOST_ATTEMPTS, "again": AGAIN},
    )
    return taken.fetchone() is not None


def _text(settings: Settings, connection: psycopg.Connection, at: datetime) -> str:
    day = at.date() - timedelta(days=1)
    found = read(connection, day, day)
    counts = Counter(one.state for one in found)
    rows, built = database.one(connection, _ROWS, {"on": day}), connection.execute(_BUILT).fetchone()
    lines = [
        f"业务日期 {day} 的送达：应到 {len(found)}，"
        + "，".join(f"{DELIVERY_STATE.zh(state)} {counts[state]}" for state in DELIVERY_STATE if counts[state]),
        f"收到 {rows[0]:,} 行，入库 {rows[1]:,}，拒收 {rows[2]:,}，重复 {rows[3]:,}",
        *_named("未到", [one for one in found if one.state in ("expected", "late", "missing") and one.is_mandatory]),
        *_named("到而未入库", [one for one in found if one.state in ("arrived", "refused", "held")]),
        f"最近一次构建：{built[0]}，{built[1].astimezone(at.tzinfo):%m-%d %H:%M} 完成" if built else "尚无成功的构建",
    ]
    standing = connection.execute(
        "select kind, count(*) from audit.incident where closed_at is null group by kind order by count(*) desc, kind"
    ).fetchall()
    told = "，".join(f"{INCIDENT.zh(kind)} {number}" for kind, number in standing)
    lines.append(f"未消除的事件：{told or '无'}（{link('incidents')}）")
    if todo := waiting(settings):
        lines += ["", "待处置：", *todo.splitlines()[:SHOWN]]
    return "\n".join(lines)


def _named(what: str, some: list[Delivery]) -> list[str]:
    if not some:
        return []
    names = "、".join(f"{one.feed_code}/{one.delivery}" for one in some[:SHOWN])
    more = f" 等 {len(some)} 项" if len(some) > SHOWN else ""
    return [f"{what}：{names}{more}"]


_ROWS = """
select coalesce(sum(received_rows), 0), coalesce(sum(staged_rows), 0), coalesce(sum(rejected_rows), 0),
    coalesce(sum(duplicate_rows), 0)
from audit.batch
where business_date = %(on)s and status not in ('superseded', 'refused')
"""

_BUILT = """
select build_id, finished_at from audit.build where status = 'succeeded' order by build_id desc limit 1
"""
