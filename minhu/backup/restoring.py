"""Brings a backup into an empty home, and says what is not as it was."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from minhu import database
from minhu.backup.manifest import Means, digest, measured, print_of, read
from minhu.backup.programs import as_superuser, run
from minhu.database import embedded, physical
from minhu.errors import Refused
from minhu.landing.store import store_of
from minhu.publish.access_log_chain import check_log
from minhu.publish.chain import check_chain
from minhu.settings import Settings

Tell = Callable[[str], None]


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
    told = read(folder)
    if until and not wal:
        raise Refused("a moment comes back from the archived log alone: say --wal FOLDER")
    if wal and told["kind"] != "base":
        raise Refused("a dump holds one moment: the archived log goes on from a base backup")
    _assert_empty(settings)
    for name, print_ in told["keys"].items():
        file = keys / name
        if not file.is_file() or print_of(file) != print_:
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


def _differences(settings: Settings, told: dict) -> list[str]:
    """In words: against what was measured, the chains in themselves, and the landed files of all batches."""
    was, found = told["measured"], []
    with database.connect(settings) as connection:
        missing = database.outstanding(connection)
        if missing:
            found.append(f"程序比备份新，先执行 minhu up（待执行迁移 {len(missing)} 个）")
        for name, value in measured(connection, was).items():
            if value != was[name]:
                found.append(f"{Means[name].value}：备份时 {was[name]}，恢复后 {value}")
        _, _, wrong = check_chain(connection)
        found += [*map(str, wrong), *map(str, check_log(connection).findings)]
        files = connection.execute(_FILES).fetchall()
    store = store_of(settings)
    gone = sum(store.find(sha256) is None for (sha256,) in files)
    if gone:
        found.append(f"{gone} 个批次的落地文件不在落地区 {store.told}")
    if digest(settings.config) != told["config"]:
        found.append(f"配置与备份时不同：{settings.config}")
    return found


_FILES = """
select distinct batch.source_sha256
from audit.batch
where batch.source_sha256 <> '' and not exists (
    select from audit.pruned where pruned.what = 'landed_file' and pruned.source_sha256 = batch.source_sha256
)
"""


def _assert_empty(settings: Settings) -> None:
    for place in (settings.home / "postgres", settings.home / "secrets", settings.landing):
        if os.path.lexists(place) and (not place.is_dir() or any(place.iterdir())):
            raise Refused(f"{place} is there already: restore into an empty MINHU_HOME")
    if settings.database_url:
        with database.connect(settings) as connection:
            if database.one(connection, "select to_regnamespace('audit') is not null")[0]:
                raise Refused("the database that MINHU_DATABASE_URL names is not empty: restore into an empty one")


def _make_private(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)


def _put_dump_back(settings: Settings, folder: Path) -> None:
    if settings.database_url:
        run(settings, "pg_restore", "--exit-on-error", "--no-owner", str(folder / "warehouse.dump"))
        return
    embedded.start(settings)
    owner = as_superuser(settings)
    # roles of the house are there, made with the secrets that were put back; those of people come with their passwords
    run(owner, "psql", "--quiet", "--set=ON_ERROR_STOP=0", f"--file={folder / 'roles.sql'}")
    run(owner, "pg_restore", "--exit-on-error", str(folder / "warehouse.dump"))
