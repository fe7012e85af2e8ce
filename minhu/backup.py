"""Backups of an installation and the way back: database, landing zone and configuration; keys by a path of their own.

    FOLDER/landing/               landed files, named by their sha256: each backup adds what is new
    FOLDER/20261031T020000/       base/ or warehouse.dump and roles.sql; config/; backup.json
    KEYS/20261031T020000/         the secrets of the home: never in the same place as what they open

A base backup takes the embedded server as a whole, Airflow's database too, and with its archived log any moment since
comes back. A dump takes the warehouse from any server. What was measured when it was taken is compared after a restore.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from minhu import database
from minhu.database import embedded, physical, roles
from minhu.errors import Refused, Retryable, foreign
from minhu.load.store import Folder, sha256_of, store_of
from minhu.publish.access_log_chain import check_log
from minhu.publish.chain import check_chain
from minhu.settings import Settings

MANIFEST = "backup.json"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Backup:
    """A backup that was taken. ``bytes``: of its own folder; ``landed``: files that it added to the landing zone's."""

    folder: Path
    keys: Path
    kind: str
    bytes: int
    landed: int
    taken_at: datetime

    def summary(self) -> dict:
        return {
            "folder": str(self.folder),
            "keys": str(self.keys),
            "kind": self.kind,
            "bytes": self.bytes,
            "landed": self.landed,
            "taken_at": self.taken_at.isoformat(timespec="seconds"),
        }


def backup(
    settings: Settings, to: Path, keys_to: Path, *, is_dump: bool = False, tell: Tell = lambda _: None
) -> Backup:
    """Takes a backup while everything runs. A folder without ``backup.json`` was not finished and holds for nothing.

    Raises Refused where keys would lie with what they open, Retryable where a program fails or a disk is full.
    """
    to, keys_to = to.resolve(), keys_to.resolve()
    if keys_to.is_relative_to(to) or to.is_relative_to(keys_to):
        raise Refused(f"keys in {keys_to} would lie with what they open: give --keys-to another place, off this disk")
    kind = "dump" if is_dump or settings.database_url else "base"
    taken_at = datetime.now(UTC)
    name = f"{taken_at.astimezone(settings.zone):%Y%m%dT%H%M%S}"
    if (to / name).exists() or (keys_to / name).exists():  # two in a second
        name += f"-{taken_at.microsecond:06}"
    folder, keys = to / name, keys_to / name
    with foreign.told("write file", file=folder):
        folder.mkdir(mode=0o700, parents=True)
        keys.mkdir(mode=0o700, parents=True)
    tell("数据库")
    with database.connect(settings) as connection:
        measured = _measured(connection)
    if kind == "base":
        physical.take(settings, folder / "base")
        shutil.copyfile(physical.made_by(settings), folder / "roles")
    else:
        _dump(settings, folder)
    tell("落地文件")
    landed = _copy_landed(settings, to / "landing")
    tell("配置与密钥")
    shutil.copytree(settings.config, folder / "config")
    prints = _copy_keys(settings.home / "secrets", keys)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    told = {
        "kind": kind,
        "taken_at": taken_at.isoformat(),
        "versions": {"minhu": version("minhu"), "postgresql": _major(settings)},
        "landing": "in the folder beside" if landed is not None else f"not copied: {store_of(settings).told}",
        "keys": prints,
        "config": _digest(folder / "config"),
        "measured": measured,
    }
    draft = folder / f".{MANIFEST}"
    draft.write_text(json.dumps(told, ensure_ascii=False, indent=2), encoding="utf-8")
    draft.rename(folder / MANIFEST)
    with database.connect(settings) as connection:
        connection.execute(
            "insert into audit.backup (kind, folder, bytes, taken_at) values (%s, %s, %s, %s)",
            [kind, str(folder), size, taken_at],
        )
    return Backup(folder, keys, kind, size, landed or 0, taken_at)


@dataclass(frozen=True)
class Restored:
    """What a restore came to. ``differences``: in words; none where all is as it was when the backup was taken."""

    kind: str
    taken_at: datetime
    differences: tuple[str, ...]

    def summary(self) -> dict:
        told = {"kind": self.kind, "taken_at": self.taken_at.isoformat(), "differences": list(self.differences)}
        return told | {"is_equal": not self.differences}


def restore(
    settings: Settings,
    folder: Path,
    keys: Path,
    *,
    wal: Path | None = None,
    until: datetime | None = None,
    tell: Tell = lambda _: None,
) -> Restored:
    """Brings a backup into an empty home, and compares it with what was measured when it was taken.

    ``wal``: what was archived since; ``until``: the moment to come back to. Raises Refused where the home is not empty,
    the backup is not whole, or the keys are others than those of the backup.
    """
    told = _read(folder)
    if until and not wal:
        raise Refused("a moment comes back from the archived log alone: say --wal FOLDER")
    if wal and told["kind"] != "base":
        raise Refused("a dump holds one moment: the archived log goes on from a base backup")
    _assert_empty(settings)
    for name, print_ in told["keys"].items():
        file = keys / name
        if not file.is_file() or _print(file) != print_:
            raise Refused(f"{file} is not the key of this backup: restore with the keys that were kept with it")
    secrets = settings.home / "secrets"
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copytree(keys, secrets)
    _make_private(secrets)
    tell("数据库")
    if told["kind"] == "base":
        physical.verify(settings, folder / "base")
        physical.put_back(settings, folder / "base", wal and wal.resolve(), until)
    else:
        _put_dump_back(settings, folder)
    tell("落地文件")
    landing = folder.parent / "landing"
    if landing.exists() and not settings.landing_url:
        shutil.copytree(landing, settings.landing, dirs_exist_ok=True)
        _make_private(settings.landing)
    if not settings.config.exists():
        shutil.copytree(folder / "config", settings.config)
    tell("核对")
    taken_at = datetime.fromisoformat(told["taken_at"])
    return Restored(told["kind"], taken_at, tuple(_differences(settings, told)))


def archive(settings: Settings, to: Path | None) -> None:
    """Has the embedded server archive its log to a folder, or no more. Raises Refused for another server."""
    if settings.database_url:
        raise Refused("another server's log is archived by who runs it (archive_command, pgBackRest)")
    physical.archive(settings, to and to.resolve())


# Measuring


def _measured(connection: psycopg.Connection) -> dict:
    """What only grows: the account of all batches so far, the ends of the chains. So a later state holds it too."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_MEASURE, {"batches": None, "release": None, "access": None}).fetchone()
    return found or {}


_MEASURE = """
select
    coalesce(max(batch.batch_id), 0) as batches,
    coalesce(sum(batch.received_rows), 0)::bigint as received,
    coalesce(sum(batch.staged_rows), 0)::bigint as staged,
    coalesce(sum(batch.rejected_rows), 0)::bigint as rejected,
    (
        select release_id from publish.release
        where %(release)s::bigint is null or release_id <= %(release)s order by release_id desc limit 1
    ) as release,
    (
        select hash from publish.release
        where %(release)s::bigint is null or release_id <= %(release)s order by release_id desc limit 1
    ) as release_hash,
    (
        select access_id from audit.access_log
        where access_id is not null and (%(access)s::bigint is null or access_id <= %(access)s)
        order by access_id desc limit 1
    ) as access,
    (
        select hash from audit.access_log
        where access_id is not null and (%(access)s::bigint is null or access_id <= %(access)s)
        order by access_id desc limit 1
    ) as access_hash
from audit.batch
where %(batches)s::bigint is null or batch.batch_id <= %(batches)s
"""


class Means(StrEnum):
    """What was measured, in words."""

    batches = "最大批次号"
    received = "收到行数"
    staged = "入库行数"
    rejected = "拒收行数"
    release = "最近一次发布"
    release_hash = "发布链末端哈希"
    access = "访问日志最近一条"
    access_hash = "访问日志末端哈希"


def _differences(settings: Settings, told: dict) -> list[str]:
    """In words: against what was measured, the chains in themselves, and the landed files of all batches."""
    was, found = told["measured"], []
    with database.connect(settings) as connection:
        missing = database.outstanding(connection)
        if missing:
            found.append(f"程序比备份新，先执行 minhu up（待执行迁移 {len(missing)} 个）")
        with connection.cursor(row_factory=dict_row) as cursor:
            now = cursor.execute(_MEASURE, {name: was[name] for name in ("batches", "release", "access")}).fetchone()
        for name, value in (now or {}).items():
            if value != was[name]:
                found.append(f"{Means[name].value}：备份时 {was[name]}，恢复后 {value}")
        _, _, wrong = check_chain(connection)
        found += [*map(str, wrong), *map(str, check_log(connection).findings)]
        files = connection.execute(_FILES).fetchall()
    store = store_of(settings)
    gone = sum(store.find(sha256) is None for (sha256,) in files)
    if gone:
        found.append(f"{gone} 个批次的落地文件不在落地区 {store.told}")
    if _digest(settings.config) != told["config"]:
        found.append(f"配置与备份时不同：{settings.config}")
    return found


_FILES = """
select distinct batch.source_sha256
from audit.batch
where batch.source_sha256 <> '' and not exists (
    select from audit.pruned where pruned.what = 'landed_file' and pruned.source_sha256 = batch.source_sha256
)
"""


# Files


def _read(folder: Path) -> dict:
    file = folder / MANIFEST
    if not file.is_file():
        raise Refused(f"{folder} is no backup that was finished: it has no {MANIFEST}")
    with foreign.told("read file", file=file):
        return json.loads(file.read_text(encoding="utf-8"))


def _assert_empty(settings: Settings) -> None:
    for place in (settings.home / "postgres", settings.home / "secrets", settings.landing):
        if os.path.lexists(place) and (not place.is_dir() or any(place.iterdir())):
            raise Refused(f"{place} is there already: restore into an empty MINHU_HOME")
    if settings.database_url:
        with database.connect(settings) as connection:
            if database.one(connection, "select to_regnamespace('audit') is not null")[0]:
                raise Refused("the database that MINHU_DATABASE_URL names is not empty: restore into an empty one")


def _copy_landed(settings: Settings, to: Path) -> int | None:
    """Copies the landed files that are not there yet; how many. None where they lie in an object store."""
    store = store_of(settings)
    if not isinstance(store, Folder):
        return None
    to.mkdir(mode=0o700, exist_ok=True)
    copied = 0
    for name in store.names():
        place = to / name
        if place.exists() or sha256_of(name) is None:
            continue
        place.parent.mkdir(mode=0o700, exist_ok=True)
        draft = place.with_name(f".{place.name}")
        with foreign.told("write file", file=place), store.open(name) as source, draft.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        draft.rename(place)
        copied += 1
    if (zone := settings.landing / ".zone").exists():
        shutil.copyfile(zone, to / ".zone")
    return copied


def _copy_keys(secrets: Path, to: Path) -> dict[str, str]:
    prints = {}
    for file in sorted(secrets.iterdir()) if secrets.exists() else []:
        if file.is_file() and not file.name.startswith("."):
            shutil.copyfile(file, to / file.name)
            (to / file.name).chmod(0o600)
            prints[file.name] = _print(file)
    return prints


def _print(file: Path) -> str:
    """Names a secret without telling it."""
    return hashlib.sha256(b"minhu backup" + file.read_bytes()).hexdigest()[:16]


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    parts = [f"{path.relative_to(folder)}\n{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _make_private(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)


# Dumps


def _dump(settings: Settings, folder: Path) -> None:
    _run(settings, "pg_dump", "--format=custom", f"--file={folder / 'warehouse.dump'}")
    if not settings.database_url:
        owner = _as_superuser(settings)
        _run(owner, "pg_dumpall", "--roles-only", f"--file={folder / 'roles.sql'}")


def _put_dump_back(settings: Settings, folder: Path) -> None:
    if settings.database_url:
        _run(settings, "pg_restore", "--exit-on-error", "--no-owner", str(folder / "warehouse.dump"), is_database=True)
        return
    embedded.start(settings)
    owner = _as_superuser(settings)
    # roles of the house are there, made with the secrets that were put back; those of people come with their passwords
    _run(owner, "psql", "--quiet", "--set=ON_ERROR_STOP=0", f"--file={folder / 'roles.sql'}", is_database=True)
    _run(owner, "pg_restore", "--exit-on-error", str(folder / "warehouse.dump"), is_database=True)


def _as_superuser(settings: Settings) -> Settings:
    return replace(settings, login=roles.SUPERUSER)


def _run(settings: Settings, program: str, *arguments: str, is_database: bool = False) -> None:
    at, password = database.without_password(database.url(settings))
    bin_dir = embedded.status(settings).bin_dir
    env = os.environ | {"LC_ALL": "C.UTF-8"} | ({"PGPASSWORD": password} if password else {})
    named = f"--dbname={at}"
    done = subprocess.run(
        [str(bin_dir / program), "--no-password", named, *arguments],
        env=env,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise Retryable(f"{program}: {done.stdout.strip()[-400:]}")


def _major(settings: Settings) -> int:
    with database.connect(settings) as connection:
        return connection.info.server_version // 10000
