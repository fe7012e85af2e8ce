"""The faults that stand now: what is missing, held or refused, what was not built, what waits, what runs short."""

import shutil
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.feeds.arrival import of_city
from minhu.glossary.delivered import DELIVERY_STATE, DOOR_REASON, LOAD_FAILURE
from minhu.settings import Settings
from minhu.warehouse.again import forgotten
from minhu.warehouse.deliveries import Delivery, read
from minhu.watch.mends import Mend

DAYS = 14
"""So many business dates back."""
FREE_GB = 5
KEPT_LOG_GB = 5
"""Log that the server keeps for a standby that takes none: it fills the disk."""
CLOCK_SECONDS = 30
CALENDAR_DAYS = 45
UNBUILT = timedelta(hours=26)
"""A batch that no build has taken so long after it may be built was forgotten."""
BACKUP = timedelta(hours=26)
CLOSED_FOR = timedelta(days=62)
PASSES = timedelta(minutes=30)
"""Within it the tries of a load come to an end: what still is not loaded then does not mend itself."""
WAITS = timedelta(hours=4)
"""What waits for another person is told after so long."""
OF_DELIVERIES = ("missing", "late", "refused", "held", "arrived")
URGENT = ("build_failed", "build_late", "disk", "airflow_silent")


@dataclass(frozen=True)
class Fault:
    """``what``, ``mend``: in Chinese, for people, without anything of a citizen. Moments have a zone."""

    kind: str
    what: str
    mend: str
    since: datetime
    feed_code: str | None = None
    on_date: date | None = None
    subject: str = ""

    @property
    def key(self) -> tuple[str, str | None, date | None, str]:
        return self.kind, self.feed_code, self.on_date, self.subject

    @property
    def is_urgent(self) -> bool:
        return self.kind in URGENT


def faults(connection: psycopg.Connection, settings: Settings, now: datetime) -> list[Fault]:
    """Every fault, those of deliveries first. Reads, and changes nothing."""
    yesterday = now.astimezone(settings.zone).date() - timedelta(days=1)
    every = read(connection, yesterday - timedelta(days=DAYS - 1), yesterday)
    found = of_deliveries([one for one in every if not _passes(one, now)])
    found += _of_builds(connection, settings, now)
    found += _of_gates(connection)
    found += _of_people(connection, now)
    found += _of_closings(connection, now)
    found += _of_the_ground(connection, settings, now)
    found += _of_standbys(connection, settings, now)
    return found


def _passes(one: Delivery, now: datetime) -> bool:
    """Whether it failed to load for a reason that passes, just now: it is tried again by itself."""
    return (
        one.state == "arrived" and one.reason_code == "NOT_NOW" and one.since is not None and now - one.since < PASSES
    )


def of_deliveries(found: list[Delivery]) -> list[Fault]:
    """One for each feed, date and state: what has several deliveries is told once."""
    together: dict[tuple[str, str, date], list[Delivery]] = defaultdict(list)
    for one in found:
        if one.state in OF_DELIVERIES and (one.is_mandatory or one.state not in ("late", "missing")):
            together[one.state, one.feed_code, one.business_date].append(one)
    return [_of_delivery(state, feed, on, some) for (state, feed, on), some in sorted(together.items())]


def _of_delivery(state: str, feed: str, on: date, some: list[Delivery]) -> Fault:
    names = "、".join(one.delivery for one in some)
    why = "；".join(dict.fromkeys(_why(one) for one in some if one.reason_code))
    due = next((f"，应于 {one.due_at:%m-%d %H:%M} 送达" for one in some if one.due_at), "")
    what = f"{feed}/{names} {on} {DELIVERY_STATE.zh(state)}{due if state in ('late', 'missing') else ''}"
    since = min(one.since for one in some if one.since)
    mend = Mend[state].format(feed=feed, on=on)
    return Fault(state, f"{what}{f'：{why}' if why else ''}", mend, since, feed, on)


def _why(one: Delivery) -> str:
    """By codes alone: the words of a reason may be long, and are told where the delivery is looked at."""
    codes = (one.reason_code or "").split(", ")
    return "、".join((LOAD_FAILURE if code in LOAD_FAILURE else DOOR_REASON).said(code) for code in codes)


def _of_builds(connection: psycopg.Connection, settings: Settings, now: datetime) -> list[Fault]:
    with connection.cursor(row_factory=dict_row) as cursor:
        failed = cursor.execute(_FAILED_BUILD).fetchone()
    found = []
    if failed:
        what = f"构建 {failed['build_id']}，其后没有成功的构建"
        found.append(_told("build_failed", failed["at"], what))
    terms, here = of_city(settings.config).build, now.astimezone(settings.zone)
    cut_off, done_by = (
        datetime.combine(here.date(), time.fromisoformat(at), settings.zone) for at in (terms.cut_off, terms.done_by)
    )
    if here >= done_by:
        batches, since = forgotten(connection, cut_off)
        if batches and since:
            found.append(
                _told("build_late", since, f"{terms.cut_off} 前到达的 {batches} 个批次，{terms.done_by} 仍未构建")
            )
    batches, since = forgotten(connection, now - UNBUILT)
    if batches and since:
        found.append(_told("not_built", since, f"{batches} 个可构建的批次超过一日未进入构建"))
    for month_on, cases, at in connection.execute(_AFTER_FREEZE).fetchall():
        what = f"{month_on:%Y-%m} 的数据已移出，之后又有 {cases} 件工单收到新数据"
        mend = Mend.after_freeze.format(on=month_on)
        found.append(Fault("after_freeze", what, mend, at, on_date=month_on))
    return found


_AFTER_FREEZE = """
select month_on, count(*), min(arrived_at) from audit.arrived_after_freeze group by month_on order by month_on
"""
_FAILED_BUILD = """
select build_id, coalesce(finished_at, started_at) as at
from audit.build
where status = 'failed' and build_id > coalesce(
    (select max(build_id) from audit.build where status = 'succeeded'), 0
)
order by build_id desc
limit 1
"""


def _of_gates(connection: psycopg.Connection) -> list[Fault]:
    rows = connection.execute(
        "select rule_id, feed_code, subject, first_failed_at from audit.open_finding where is_escalated"
    ).fetchall()
    return [
        _told(
            "gate_failed", at, f"规则 {rule}（{feed or subject}）", feed_code=feed, subject=f"{rule} {subject or feed}"
        )
        for rule, feed, subject, at in rows
    ]


def _of_people(connection: psycopg.Connection, now: datetime) -> list[Fault]:
    waiting = connection.execute(_UNAPPROVED, [now - WAITS]).fetchall()
    return [
        _told("approval_waits", at, f"{period} 第 {revision} 次发布，closing {closing}", subject=f"closing {closing}")
        for closing, period, revision, at in waiting
    ]


def _of_closings(connection: psycopg.Connection, now: datetime) -> list[Fault]:
    """Closings and releases that no longer hold the newest data of their period; what is found holds until a build."""
    newest = "select coalesce(max(build_id), 0) from audit.build where status = 'succeeded'"
    (build_id,) = database.one(connection, newest)
    found = []
    for closing, period, revision, at in connection.execute(_CLOSINGS, [build_id, now - CLOSED_FOR]).fetchall():
        key = connection.info.port, connection.info.dbname, closing, build_id
        if key not in _moved:
            _moved[key] = database.one(
                connection, "select batches, cases from publish.moved_since_closing(%s)", [closing]
            )
        batches, cases = _moved[key]
        if cases:
            what = f"{period} 第 {revision} 次发布关账后，{batches} 个批次涉及该周期的 {cases} 件工单"
            found.append(_told("closing_outdated", at, what, subject=f"closing {closing}"))
    return found


_moved: dict[tuple[int, str, int, int], tuple[int, int]] = {}
"""By database, closing and build: who looks each minute asks once."""

_CLOSINGS = """
select closing_id, period, revision, closed_at
from publish.closing
where
    build_id < %s and closed_at > %s
    and closing_id in (select max(closing_id) from publish.closing group by scheme_id, period)
"""

_UNAPPROVED = """
select closing.closing_id, closing.period, closing.revision, closing.closed_at
from publish.closing as closing
where
    closing.closed_at < %s
    and closing.closing_id in (select max(closing_id) from publish.closing group by scheme_id, period)
    and not exists (select from publish.release where release.closing_id = closing.closing_id)
    and not exists (
        select from assess.approval
        where approval.subject_kind = 'closing' and approval.subject_id = closing.closing_id::text
    )
"""


def here() -> datetime:
    """What this machine takes the time for."""
    return datetime.now(UTC)


def short_disks(settings: Settings) -> list[tuple[Path, float]]:
    """Where space runs short, with the GB that are free there. Logs, files landed and files sent may lie on disks of
    their own; one of those that is small is short of a tenth of it.
    """
    disks: dict[int, Path] = {}
    for place in (settings.home, settings.logs, settings.landing, settings.drop):
        if place.exists():
            disks.setdefault(place.stat().st_dev, place)
    found = []
    for place in disks.values():
        usage = shutil.disk_usage(place)
        least = FREE_GB * 1e9 if place == settings.home else min(FREE_GB * 1e9, usage.total / 10)
        if usage.free < least:
            found.append((place, usage.free / 1e9))
    return found


def _of_the_ground(connection: psycopg.Connection, settings: Settings, now: datetime) -> list[Fault]:
    found = [
        _told("disk", now, f"剩余 {free:.1f} GB（{place}）", subject=str(place))
        for place, free in short_disks(settings)
    ]
    at, last = database.one(connection, "select clock_timestamp(), (select max(date_on) from mart.dim_date)")
    apart = abs((at - here()).total_seconds())
    if apart > CLOCK_SECONDS:
        found.append(_told("clock_off", now, f"相差 {apart:.0f} 秒"))
    if last and last < now.astimezone(settings.zone).date() + timedelta(days=CALENDAR_DAYS):
        found.append(_told("calendar_ends", now, f"只到 {last}"))
    if (newest := database.one(connection, "select max(taken_at) from audit.backup")[0]) and now - newest > BACKUP:
        found.append(_told("backup_old", newest, f"最近一次备份在 {newest.astimezone(settings.zone):%Y-%m-%d %H:%M}"))
    return found


def _of_standbys(connection: psycopg.Connection, settings: Settings, now: datetime) -> list[Fault]:
    """Of the one that is read, and of log that the server keeps for one that takes none."""
    found = []
    stands = database.standing(settings, connection)
    if stands and stands.trouble:
        found.append(_told("standby_off", stands.replayed_at or now, stands.zh, subject=stands.where))
    for slot, status, kept in connection.execute(_SLOTS, [KEPT_LOG_GB * 1_000_000_000]).fetchall():
        what = f"复制槽 {slot}：" + (
            "日志已丢弃，备库须重做" if status == "lost" else f"为它保留日志 {kept / 1e9:.0f} GB"
        )
        found.append(_told("standby_off", now, what, subject=f"slot {slot}"))
    return found


_SLOTS = """
select slot_name, wal_status, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint as kept
from pg_replication_slots
where wal_status = 'lost' or (not active and pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > %s)
order by slot_name
"""


def _told(kind: str, since: datetime, what: str, **how: Any) -> Fault:
    return Fault(kind, what, Mend[kind].value, since, **how)
