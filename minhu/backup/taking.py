"""Takes a backup while everything runs."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from minhu import database
from minhu.backup.manifest import MANIFEST, digest, measured, print_of
from minhu.backup.programs import as_superuser, run
from minhu.database import physical
from minhu.errors import Refused, foreign
from minhu.landing.store import Folder, sha256_of, store_of
from minhu.settings import Settings

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
        found = measured(connection)
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
        "config": digest(folder / "config"),
        "measured": found,
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


def archive(settings: Settings, to: Path | None) -> None:
    """Has the embedded server archive its log to a folder, or no more. Raises Refused for another server."""
    if settings.database_url:
        raise Refused("another server's log is archived by who runs it (archive_command, pgBackRest)")
    physical.archive(settings, to and to.resolve())


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
            prints[file.name] = print_of(file)
    return prints


def _dump(settings: Settings, folder: Path) -> None:
    run(settings, "pg_dump", "--format=custom", f"--file={folder / 'warehouse.dump'}")
    if not settings.database_url:
        owner = as_superuser(settings)
        run(owner, "pg_dumpall", "--roles-only", f"--file={folder / 'roles.sql'}")


def _major(settings: Settings) -> int:
    with database.connect(settings) as connection:
        return connection.info.server_version // 10000
