"""Which key writes caller tokens: the warehouse says, so that however many homes load into it one caller is one.

    rotate: a home makes a key, the warehouse notes it as pending  →  it is handed out (export, import)
    rotate again, once every home holds it: in one transaction the old key is retired and the new one writes

A load takes its keys from ``key_in_use`` and commits inside of it, with ``minhu.load.links.write_links`` in the same
transaction; a rotation waits for the loads that run and holds off those that begin. A home says which keys it holds and
where it lands files. Its loads are refused while another key than it holds writes, while another home holds a retired
key that it lacks, or lands files elsewhere.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pyrage

from minhu import database
from minhu.errors import Refused, foreign
from minhu.landing import seal
from minhu.landing.store import store_of
from minhu.privacy import keys
from minhu.privacy.access_log import reading
from minhu.services.airflow_home import LOG_KEY
from minhu.settings import Settings

LOCK_KEY = "minhu:caller-key"
LOCK_ROTATION = "minhu:rotation"
RECORD_KEY = "record-key"
HAND_OUT = (
    "where it is held: `minhu keys export --to AGE_PUBLIC_KEY --out keys.age --why …`; here:"
    " `minhu keys import keys.age --identity FILE`"
)


@dataclass(frozen=True)
class Known:
    """A key that the warehouse knows by its id. ``use``: caller or record; ``state``: pending, writing or retired."""

    use: str
    key_id: str
    state: str
    since: datetime


@dataclass(frozen=True)
class Home:
    """An installation that loads into the warehouse. ``told``: its machine and folder; ``zone``: where it lands."""

    home_id: str
    told: str
    zone_id: str
    zone: str
    seen_at: datetime
    holds: tuple[tuple[str, str], ...]

    def summary(self) -> dict:
        return vars(self) | {"holds": [name for _, name in self.holds]}


@dataclass(frozen=True)
class Rotation:
    """What a rotation came to. ``lacking``: the homes that do not hold the key; while there are any it is pending."""

    key_id: str
    is_switched: bool
    lacking: tuple[str, ...]


@contextmanager
def key_in_use(settings: Settings) -> Iterator[tuple[bytes, ...]]:
    """The caller keys, read now, the one that writes first; there is no rotation until the block ends.

    From before the first phone is tokenised until after the commit. Raises Refused where this home may not write.
    """
    with database.connect(settings) as keeper:
        database.lock(keeper, LOCK_KEY, is_shared=True)
        yield _checked_in(keeper, settings)


def record_key(settings: Settings) -> bytes:
    """What hashed numbers of cases are hashed under: made where a declaration first asks for it, and never rotated.

    Raises Refused where another one has been used in this warehouse: its cases would have other numbers.
    """
    with database.connect(settings) as connection:
        ours = _read_record_key(settings)
        used = _writing(connection, "record")
        if used is None:
            ours = ours or keys.as_key(settings.secret(RECORD_KEY))
            _register(settings, "record", keys.key_id(ours))
            connection.commit()
            used = _writing(connection, "record")
        if ours is None or keys.key_id(ours) != used:
            has = "none" if ours is None else keys.key_id(ours)
            raise Refused(
                f"numbers are hashed under the key {used} in this warehouse, and this home has {has}: {HAND_OUT}"
            )
        return ours


def _checked_in(connection: psycopg.Connection, settings: Settings) -> tuple[bytes, ...]:
    """The keys this home writes and recognises with. What it holds and where it lands is told to the warehouse."""
    known = known_keys(connection)
    if not any(one.use == "caller" and one.state == "writing" for one in known):
        _register(settings, "caller", keys.first_key(settings).key_id)
        known = known_keys(connection)
    held = keys.kept_keys(settings)
    _assert_may_write(connection, settings, known)
    order = [one.key_id for one in known if one.use == "caller" and one.state in ("writing", "retired")]
    if next(iter(held)) != order[0]:
        keys.put_first(settings, order[0])
    return tuple(held[name].key for name in order if name in held)


def assert_may_load(settings: Settings) -> None:
    """Raises Refused where a load of this home would be refused: for a worker, before it takes the first one."""
    with database.connect(settings) as connection:
        _assert_may_write(connection, settings, known_keys(connection))


def make_first(settings: Settings) -> None:
    """Has the keys that write in this warehouse be there, before workers come, who make none; this home holds them.

    Raises Refused where others write that this home lacks.
    """
    with key_in_use(settings):
        pass
    record_key(settings)


def assert_holds_all(settings: Settings) -> None:
    """Raises Refused where a load of this home would be refused or would make a key: for a worker, which may not."""
    with database.connect(settings) as connection:
        known = known_keys(connection)
        writing = {one.use: one.key_id for one in known if one.state == "writing"}
        if not known or "caller" not in writing:
            raise Refused("no key writes in this warehouse yet: `minhu up` beside the scheduler makes the first")
        _assert_may_write(connection, settings, known)
    if "record" in writing:
        record_key(settings)


def _assert_may_write(connection: psycopg.Connection, settings: Settings, known: list[Known]) -> None:
    """Raises Refused where this home may not; else the warehouse knows it since. One that is known already tells which
    keys it has even then: what it gave up binds nobody."""
    ours, found = _this_home(settings, known), homes(connection)
    stood = next((one for one in found if one.home_id == ours.home_id), None)
    wrong = _wrong(ours, [one for one in found if one is not stood], known)
    told = replace(stood, holds=ours.holds) if wrong and stood else ours
    if (stood or not wrong) and not _says_the_same(stood, told):
        _tell(settings, told)
    if wrong:
        raise Refused(wrong)


def _wrong(ours: Home, others: list[Home], known: list[Known]) -> str | None:
    """Why this home may not load; None where it may."""
    holds = set(ours.holds)
    for one in known:
        if one.use == "caller" and one.state == "writing" and (one.use, one.key_id) not in holds:
            return (
                f"the caller key {one.key_id} writes in this warehouse, and this home does not hold it: under another"
                f" one caller would be two. {HAND_OUT}"
            )
    for other in others:
        retired = {(one.use, one.key_id) for one in known if one.use == "caller" and one.state == "retired"}
        if lacking := sorted(name for _, name in (set(other.holds) & retired) - holds):
            return (
                f"the home {other.told} recognises callers by the earlier key {', '.join(lacking)}, which this one"
                f" lacks: {HAND_OUT}; or delete its file there too"
            )
        if other.zone_id != ours.zone_id:
            return (
                f"this home lands files in {ours.zone}, the home {other.told} in {other.zone}, and neither could read"
                f" what the other landed: set MINHU_LANDING to one place for all; a home that is no more:"
                f" `minhu homes forget {other.home_id[:8]}`"
            )
    return None


# What the warehouse knows


def told(settings: Settings) -> str:
    """Which key writes and how many homes load, in words. Raises Refused where this home may not."""
    with database.connect(settings) as connection:
        known = known_keys(connection)
        if not known:
            return "none has written yet; the first load makes one"
        _assert_may_write(connection, settings, known)
        states = [f"{one.key_id} {one.state}" for one in known if one.use == "caller"]
        return f"{', '.join(states)}; homes that load: {len(homes(connection))}"


@dataclass(frozen=True)
class Held:
    """A key that the warehouse knows or this home holds. ``state``: null where the warehouse does not know it."""

    key_id: str
    use: str
    state: str | None
    since: datetime | None
    kept_in: str | None
    homes: tuple[str, ...]

    def summary(self) -> dict:
        since = self.since.isoformat(sep=" ", timespec="seconds") if self.since else None
        return vars(self) | {"since": since, "homes": list(self.homes)}


def ring(settings: Settings) -> list[Held]:
    """The keys, first those that the warehouse knows. ``kept_in``: where this home holds it; null where it does not."""
    with database.connect(settings) as connection:
        known, found = known_keys(connection), homes(connection)
    files = {("caller", one.key_id): (one.kept_in, one.since) for one in keys.kept_keys(settings).values()}
    if record := _read_record_key(settings):
        files["record", keys.key_id(record)] = (str(settings.home / "secrets" / RECORD_KEY), None)
    told = []
    for one in known:
        kept_in, _ = files.pop((one.use, one.key_id), (None, None))
        holders = tuple(home.told for home in found if (one.use, one.key_id) in home.holds)
        told.append(Held(one.key_id, one.use, one.state, one.since.astimezone(settings.zone), kept_in, holders))
    return told + [Held(name, use, None, since, kept_in, ()) for (use, name), (kept_in, since) in files.items()]


def known_keys(connection: psycopg.Connection) -> list[Known]:
    """The keys that were registered: the one that writes first, then the retired, the latest first."""
    return [Known(*row) for row in connection.execute(_KNOWN)]


def homes(connection: psycopg.Connection) -> list[Home]:
    """The homes that have loaded, the first to come first."""
    rows = connection.execute(_HOMES).fetchall()
    return [
        Home(home_id, told, zone_id, zone, seen_at, tuple((use, name) for use, name in holds))
        for home_id, told, zone_id, zone, seen_at, holds in rows
    ]


def forget(settings: Settings, home_id: str) -> Home:
    """Forgets a home that is no more, named by its id or the beginning of it. Raises Refused where none is meant."""
    with database.connect(settings) as connection:
        meant = [one for one in homes(connection) if one.home_id.startswith(home_id)]
        if len(meant) != 1:
            raise Refused(f"{home_id} names {len(meant)} homes; see `minhu homes list`")
        connection.execute("delete from restricted.home where home_id = %s", [meant[0].home_id])
        return meant[0]


_KNOWN = """
select use, key_id, state, since from restricted.known_key
order by array_position(array['writing', 'retired', 'pending'], state), since desc, key_id
"""

_HOMES = """
select home.home_id, home.told, home.zone_id, home.zone, home.seen_at,
    array(
        select array[holder.use, holder.key_id] from restricted.key_holder as holder
        where holder.home_id = home.home_id order by holder.use, holder.key_id
    )
from restricted.home
order by home.since, home.home_id
"""


def _writing(connection: psycopg.Connection, use: str) -> str | None:
    return next((one.key_id for one in known_keys(connection) if one.use == use and one.state == "writing"), None)


def _register(settings: Settings, use: str, key_id: str) -> None:
    """Has the key write where none does; of two homes at once one comes first, and the other finds it."""
    with database.connect(settings) as connection:
        connection.execute(
            "insert into restricted.known_key (use, key_id, state) values (%s, %s, 'writing') on conflict do nothing",
            [use, key_id],
        )


# What a home tells


def _this_home(settings: Settings, known: list[Known]) -> Home:
    held = {("caller", name) for name in keys.kept_keys(settings)}
    if record := _read_record_key(settings):
        held.add(("record", keys.key_id(record)))
    store = store_of(settings)
    told = f"{socket.gethostname()}:{settings.home}"
    holds = tuple(sorted(held & {(one.use, one.key_id) for one in known}))
    return Home(settings.secret("home-id")[:16], told, store.identity(), store.told, datetime.now(settings.zone), holds)


def _read_record_key(settings: Settings) -> bytes | None:
    if given := os.environ.get(keys.RECORD):
        return keys.as_key(given)
    path = settings.home / "secrets" / RECORD_KEY
    return keys.as_key(path.read_text()) if path.exists() else None


def _says_the_same(stood: Home | None, ours: Home) -> bool:
    """Whether nothing need be written; when a home was seen last is told to the hour."""
    if stood is None or ours.seen_at - stood.seen_at > timedelta(hours=1):
        return False
    return replace(ours, seen_at=stood.seen_at) == stood


def _tell(settings: Settings, ours: Home) -> None:
    """On a connection of its own: two loads of a home do not wait for each other."""
    with database.connect(settings) as connection:
        connection.execute(_TELL, [ours.home_id, ours.told, ours.zone_id, ours.zone])
        connection.execute("delete from restricted.key_holder where home_id = %s", [ours.home_id])
        connection.cursor().executemany(
            "insert into restricted.key_holder (home_id, use, key_id) values (%s, %s, %s) on conflict do nothing",
            [(ours.home_id, *one) for one in ours.holds],
        )


_TELL = """
insert into restricted.home (home_id, told, zone_id, zone) values (%s, %s, %s, %s)
on conflict (home_id) do update
set told = excluded.told, zone_id = excluded.zone_id, zone = excluded.zone, seen_at = excluded.seen_at
"""


# Another key


def rotate(settings: Settings, *, to: str | None = None, wait_seconds: float = 10, is_now: bool = False) -> Rotation:
    """Brings a new caller key in the old one's place, as far as it goes; run again, it goes on.

    The new key is made here, or is ``to``, which every home holds already (in its environment). It is pending until
    every home that loads holds it; ``is_now`` does not wait for those, whose loads are then refused. Loads that begin
    meanwhile wait and take the new one. Raises Retryable when the loads that run do not end in time.
    """
    with key_in_use(settings):
        pass  # this home may write: it is told which keys it holds
    with database.connect(settings) as connection:
        database.lock(connection, LOCK_ROTATION)  # of two at once the second goes on with the key of the first
        pending = _pending(connection, settings, to)
        connection.commit()
        _tell(settings, _this_home(settings, known_keys(connection)))
        lacking = tuple(one.told for one in homes(connection) if ("caller", pending) not in one.holds)
        if lacking and not is_now:
            return Rotation(pending, False, lacking)
        connection.execute("select set_config('lock_timeout', %s, false)", [f"{round(wait_seconds * 1000)}ms"])
        with foreign.told("wait for loads", seconds=wait_seconds):
            database.lock(connection, LOCK_KEY)
        if ("caller", pending, "pending") in {(one.use, one.key_id, one.state) for one in known_keys(connection)}:
            for was, becomes in (("writing", "retired"), ("pending", "writing")):
                connection.execute(
                    "update restricted.known_key set state = %s, since = now() where use = 'caller' and state = %s",
                    [becomes, was],
                )
            connection.commit()  # else another rotation was quicker
    keys.put_first(settings, pending)
    return Rotation(pending, True, lacking)


def _pending(connection: psycopg.Connection, settings: Settings, to: str | None) -> str:
    """The key that is to write next; it becomes known where it is not."""
    held = keys.kept_keys(settings)
    known = {one.key_id: one.state for one in known_keys(connection) if one.use == "caller"}
    pending = next((name for name, state in known.items() if state == "pending"), None)
    if pending and to not in (None, pending):
        raise Refused(f"the key {pending} is to write next; rotate to that one first")
    if to in known and to != pending:
        raise Refused(f"the key {to} has been used: its state is {known[to]}")
    wanted = pending or to
    if wanted and wanted not in held:
        raise Refused(f"this home does not hold the key {wanted}: {HAND_OUT}")
    wanted = wanted or keys.make(settings)
    if wanted != pending:
        connection.execute(
            "insert into restricted.known_key (use, key_id, state) values ('caller', %s, 'pending')", [wanted]
        )
    return wanted


# Handing out


def export_keys(settings: Settings, to: str, out: Path, why: str) -> int:
    """Writes the keys that a home must share to ``out``, encrypted to an age public key; how many caller keys.

    It holds the caller keys that the warehouse knows, the key of hashed numbers, those that read the landing zone, and
    the one under which Airflow asks a worker for logs. It is logged. Raises Refused without a reason, for what is no
    public key, and where ``out`` exists.
    """
    recipient = seal.read_recipient(to)
    with reading(settings, "key_export", why, about=to.strip()) as connection:
        known = {one.key_id for one in known_keys(connection) if one.use == "caller"}
        shared = [kept.key.hex() for name, kept in keys.kept_keys(settings).items() if name in known]
    record = _read_record_key(settings)
    told = {
        "caller": shared,
        "record": record and record.hex(),
        "landing": [str(one) for one in seal.read_keys(settings)],
        "logs": logs.read_text().strip() if (logs := settings.home / "secrets" / LOG_KEY).exists() else None,
    }
    sealed = pyrage.encrypt(json.dumps(told).encode(), [recipient])
    with (
        foreign.told("write file", file=out),
        open(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
    ):
        file.write(sealed)
    return len(shared)


def import_keys(settings: Settings, file: Path, identity: Path) -> list[str]:
    """Keeps the keys of a file that `export_keys` wrote; the ids of the caller keys this home holds since.

    Nothing that is here is replaced: Raises Refused where another key of hashed numbers is.
    """
    with foreign.told("read file", file=file):
        sealed = file.read_bytes()
    with foreign.told("unseal", name=str(file), holders=str(identity)):
        told = json.loads(pyrage.decrypt(sealed, list(seal.read_key_file(identity))))
    ours = _read_record_key(settings)
    if told["record"] and ours and ours.hex() != told["record"]:
        raise Refused(f"this home hashes numbers under the key {keys.key_id(ours)} already: it is not replaced")
    held = keys.kept_keys(settings)
    fresh = [keys.keep(settings, key) for key in map(keys.as_key, told["caller"]) if keys.key_id(key) not in held]
    folder = settings.home / "secrets"
    lines = "".join(f"{one}\n" for one in told["landing"])
    for name, text in ((RECORD_KEY, told["record"]), (seal.FILE, lines), (LOG_KEY, told.get("logs"))):
        if text and not (folder / name).exists():
            with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as kept:
                kept.write(text)
    with database.connect(settings) as connection:
        _tell(settings, _this_home(settings, known_keys(connection)))
    return fresh
