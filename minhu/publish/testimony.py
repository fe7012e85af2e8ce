"""What the witnesses say of a release: which agreed with the chain as it is now, which were missing, who keeps each.

Only what lies with others proves anything against whoever runs the warehouse: a copy that is shown (`verify --anchor`),
or a time stamp that an authority signed. The operator's own list of what was sent is compared too; it proves nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.config.city import City
from minhu.config.witnesses import TimeStamp
from minhu.declaration import read_declaration
from minhu.errors import MinhuError, Refused
from minhu.glossary.decided import DELIVERY_OUTCOME, WITNESS
from minhu.publish import timestamp
from minhu.publish.anchor import BULLETIN, OPERATOR, Anchor, read_anchor
from minhu.publish.close import Release, find_release
from minhu.schemes.period import Period
from minhu.settings import Settings

ENOUGH = 32
"""Fewer digits of a hash can be met by search: who knows which were noted could make another chain that begins so."""
AT_ONCE = timedelta(days=7)
"""A time stamp that is made later says nothing of the days between."""
Says = Literal["agrees", "differs", "unheard", "unchecked"]


@dataclass(frozen=True)
class Testimony:
    """One witness. ``proves``: it lies outside, agrees, and reaches to the release asked about."""

    name: str
    kept_by: str
    kind: str
    says: Says
    proves: bool = False
    detail: str | None = None

    def __str__(self) -> str:
        kept = f"{self.kept_by}保管" if self.kept_by else ""
        told = "，".join(filter(None, [WITNESS.zh(self.kind), kept, self.detail]))
        return f"{self.name}（{told}）"


def hear(
    settings: Settings, connection: psycopg.Connection, release: Release, given: Iterable[str]
) -> tuple[Testimony, ...]:
    """Every witness of ``release``: those whose copies are ``given`` (files, anchors, hashes), and all others.

    Raises Refused where a file holds no anchor, or that of another city.
    """
    declared = read_declaration(City, settings.config / "city.yml") if (settings.config / "city.yml").exists() else None
    sent = _sent(connection, release.release_id)
    shown = [_shown(connection, release, one, sent, declared) for one in given]
    listed = [_operators_list(sent)] if sent else []
    stamped = list(_stamps(settings, connection, release, sent, declared))
    heard = [*shown, *listed, *stamped]
    return (*heard, *_missing({one.name for one in heard}, sent, declared))


def without(connection: psycopg.Connection, release: Release) -> str | None:
    """Why a release was published though no witness could be reached; null where one could."""
    return database.one(connection, "select publish.unwitnessed(%s)", [release.release_id])[0]


def own_anchor(settings: Settings, period: str, revision: int | None = None, scheme_id: str | None = None) -> str:
    """The anchor of a release as the warehouse has it now, marked as the operator's own copy. Raises Refused."""
    with database.connect(settings) as connection:
        release = find_release(connection, Period.parse(period).text, revision, scheme_id)
        line = database.one(connection, "select publish.anchor_of(%s)", [release.release_id])[0]
    if line is None:
        raise Refused("the access log is not sealed up to this release yet; ask again in a moment")
    return f"{line}\nwitness: {OPERATOR}"


def _sent(connection: psycopg.Connection, release_id: int) -> list[dict]:
    """What was delivered of this release and of later ones, whose hashes cover it."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SENT, {"release": release_id}).fetchall()


_SENT = """
select told.release_id, told.witness, told.kept_by, told.kind, told.line, told.receipt, told.recorded_at,
    release.period, release.revision, release.published_at, publish.anchor_of(told.release_id) as line_now
from publish.anchor_delivery as told
inner join publish.release on told.release_id = release.release_id
where told.outcome = 'delivered' and told.release_id >= %(release)s
order by told.delivery_id
"""


def _shown(
    connection: psycopg.Connection, release: Release, given: str, sent: list[dict], declared: City | None
) -> Testimony:
    if re.fullmatch("[0-9a-fA-F]{12,64}", given):
        return _noted(connection, release, given.lower())
    anchor = read_anchor(given)
    says, detail, reaches = _compared(connection, release, anchor)
    is_own = anchor.witness == OPERATOR
    name, kept_by, kind = _who(anchor.witness, sent, declared)
    return Testimony(name, kept_by, kind, says, says == "agrees" and reaches and not is_own, detail)


def _who(named: str | None, sent: list[dict], declared: City | None) -> tuple[str, str, str]:
    """Name, keeper and kind of the witness whose copy is shown."""
    if named == OPERATOR:
        return "运行方的锚点文件", "运行方", "operator"
    if named == BULLETIN:
        return "通报", "各持有人", "bulletin"
    for row in sent:
        if row["witness"] == named:
            return row["witness"], row["kept_by"], row["kind"]
    for witness in declared.witnesses if declared else ():
        if witness.name == named:
            return witness.name, witness.kept_by, witness.by.type
    return named or "所给锚点", "出示者", "noted"


def _compared(connection: psycopg.Connection, release: Release, anchor: Anchor) -> tuple[Says, str | None, bool]:
    """What an anchor says of the chain, in words, and whether it reaches to ``release``."""
    city = (
        database.one(connection, "select max(city) from config.version")[0]
        if _reads(connection, "config.version")
        else anchor.city
    )
    if city != anchor.city:
        raise Refused(f"the anchor is of the city {anchor.city}, the warehouse of {city}")
    of = f"{anchor.period} 第 {anchor.revision} 次发布"
    found = connection.execute(
        "select release_id, hash from publish.release where scheme_id = %s and period = %s and revision = %s",
        [anchor.scheme_id, anchor.period, anchor.revision],
    ).fetchone()
    if found is None:
        return _differs(f"链上没有 {of}")
    release_id, stored = found
    says: Says = "agrees"
    if stored != anchor.hash:
        return _differs(f"{of}的哈希原为 {anchor.hash[:12]}，链上为 {stored[:12]}")
    if anchor.access and _reads(connection, "audit.access_log"):
        number, row = anchor.access
        logged = connection.execute("select hash from audit.access_log where access_id = %s", [number]).fetchone()
        if logged != (row,):
            now = logged[0][:12] if logged and logged[0] else "无"
            return _differs(f"访问日志第 {number} 行的哈希原为 {row[:12]}，现为 {now}")
    if release_id < release.release_id:
        return says, f"只及 {of}，早于所核对的发布", False
    return says, None, True


def _differs(detail: str) -> tuple[Says, str, bool]:
    return "differs", detail, False


def _noted(connection: psycopg.Connection, release: Release, given: str) -> Testimony:
    """A hash alone: of a release, or of a row of the access log."""
    named = f"哈希 {given[:12]}"
    found = connection.execute(
        "select release_id from publish.release where starts_with(hash, %s) order by release_id desc", [given]
    ).fetchone()
    if found is None:
        in_log = (
            _reads(connection, "audit.access_log")
            and connection.execute(
                "select access_id from audit.access_log where starts_with(hash, %s)", [given]
            ).fetchone()
        )
        if in_log:
            return Testimony(named, "出示者", "noted", "agrees", False, f"访问日志第 {in_log[0]} 行，不及发布")
        return Testimony(named, "出示者", "noted", "differs", False, "链上没有这个哈希")
    if found[0] < release.release_id:
        return Testimony(named, "出示者", "noted", "agrees", False, "早于所核对的发布")
    if len(given) < ENOUGH:
        return Testimony(named, "出示者", "noted", "agrees", False, f"只有 {len(given)} 位，不足 {ENOUGH} 位不作证明")
    return Testimony(named, "出示者", "noted", "agrees", True)


def _operators_list(sent: list[dict]) -> Testimony:
    """The list of what was sent, which lies in the warehouse: it tells of whoever forgot to rewrite it, too."""
    changed = [row for row in sent if row["line"] != row["line_now"]]
    says: Says = "differs" if changed else "agrees"
    detail = (
        f"当时送出的 {changed[0]['period']} 第 {changed[0]['revision']} 次发布的锚点与现在的不符" if changed else None
    )
    return Testimony("送达登记", "运行方", "operator", says, False, detail)


def _stamps(
    settings: Settings, connection: psycopg.Connection, release: Release, sent: list[dict], declared: City | None
) -> Iterator[Testimony]:
    """One for each authority: the worst that its stamps say, those of later releases too."""
    by_name = {witness.name: witness for witness in declared.witnesses} if declared else {}
    stamps = [row for row in sent if row["kind"] == "timestamp" and row["receipt"]]
    for name in dict.fromkeys(row["witness"] for row in stamps):
        rows = [row for row in stamps if row["witness"] == name]
        about = Testimony(name, rows[0]["kept_by"], "timestamp", "unchecked")
        witness = by_name.get(name)
        if witness is None or not isinstance(witness.by, TimeStamp):
            yield replace(about, detail="city.yml 没有这家机构的根证书，未能核对")
            continue
        try:
            trusted = timestamp.roots(witness.by, settings.config)
        except MinhuError as error:
            yield replace(about, detail=str(error))
            continue
        said = [_of_stamp(row, trusted) for row in rows]
        yield replace(about, **next((one for one in said if one["says"] == "differs"), said[0]))


def _of_stamp(row: dict, trusted: list) -> dict:
    of = f"{row['period']} 第 {row['revision']} 次发布"
    if row["line_now"] is None:
        return {"says": "unchecked", "detail": "访问日志尚未封存到此"}
    try:
        at: datetime = timestamp.stamped_at(bytes(row["receipt"]), row["line_now"], trusted)
    except Refused as error:
        return {"says": "differs", "detail": f"{of}：{error}"}
    moment = f"{at.astimezone(row['published_at'].tzinfo):%Y-%m-%d %H:%M} 盖章"
    if at - row["published_at"] > AT_ONCE or row["published_at"] - at > AT_ONCE:
        late = abs(at - row["published_at"]).days
        return {"says": "agrees", "detail": f"{moment}，与所记发布时间差 {late} 天，不作证明", "proves": False}
    return {"says": "agrees", "detail": moment, "proves": True}


def _missing(heard: set[str], sent: list[dict], declared: City | None) -> Iterator[Testimony]:
    """Whoever was sent the hash and is not heard, whoever was to be sent it, and the bulletin."""
    delivered = {row["witness"]: row for row in sent}
    for name, row in delivered.items():
        if name not in heard:
            when = f"{row['recorded_at']:%Y-%m-%d} 送达，未出示"
            yield Testimony(name, row["kept_by"], row["kind"], "unheard", False, when)
    for witness in declared.witnesses if declared else ():
        if witness.name not in heard | delivered.keys():
            yield Testimony(
                witness.name, witness.kept_by, witness.by.type, "unheard", False, DELIVERY_OUTCOME.zh("failed")
            )
    if "通报" not in heard:
        yield Testimony("通报", "各持有人", "bulletin", "unheard", False, "未出示")


def _reads(connection: psycopg.Connection, relation: str) -> bool:
    query = "select has_table_privilege(%(of)s, 'select') and has_schema_privilege(split_part(%(of)s, '.', 1), 'usage')"
    return database.one(connection, query, {"of": relation})[0]
