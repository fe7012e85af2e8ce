"""An empty database of our own for a while: a server of its own, in a folder that is gone afterwards."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minhu.database import embedded, roles
from minhu.database.connect import connect
from minhu.database.migrate import migrate
from minhu.errors import MinhuError
from minhu.settings import Settings

PREFIX = "minhu-for-a-while-"
SMALL = "shared_buffers=256MB"
"""It stands beside the server whose machine this is, and holds one month."""
HELD = "held"
"""A file of the folder, locked by whoever made it for as long as it lives."""


@contextmanager
def temporary(settings: Settings, timezone: str) -> Iterator[Settings]:
    """An installation with an empty, migrated warehouse whose city is in ``timezone``; good while the context lasts.

    It is entered as the superuser, for there is nobody else: rows are brought in as they were, past every trigger.

    It lies where the system keeps temporary files (``TMPDIR``) and takes from ``settings`` only what dbt has read of
    the project. What it holds is lost with a power cut, for which it is the faster. Who is killed leaves it behind: the
    next one ends that server and removes its folder.
    """
    remove_left()
    with _folder() as home:
        (home / "config").mkdir()
        (home / "config" / "city.yml").write_text(f"timezone: {timezone}\n", encoding="utf-8")
        read = settings.home / "dbt" / "read"
        read.mkdir(parents=True, exist_ok=True)
        (home / "dbt").mkdir()
        (home / "dbt" / "read").symlink_to(read)
        fresh = _installation(home)
        with connect(fresh, autocommit=True) as owner:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                owner.execute(f"alter system set {name} = off")
            owner.execute("select pg_reload_conf()")
        migrate(fresh)
        yield fresh


def remove_left() -> None:
    """Ends the servers of ours whose makers were killed, and removes their folders. A living one keeps its lock."""
    for file in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{HELD}"):
        with suppress(OSError, MinhuError):  # what cannot be ended now is not in the way
            if file.parent.lstat().st_uid != os.geteuid():
                continue
            with open(file) as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(file.parent)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder, held while the context lasts."""
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    with open(home / f"{HELD}.new", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        Path(held.name).rename(home / HELD)  # nobody sees it unlocked
        try:
            home.chmod(0o711)  # the server's user passes, and lists nothing
            yield home
        finally:
            _remove(home)


def _installation(home: Path) -> Settings:
    return Settings(home, home / "config", home / "drop", database_url=None, login=roles.SUPERUSER, tune=SMALL)


def _remove(home: Path) -> None:
    try:
        embedded.stop(_installation(home))
    finally:
        place = home / "postgres"
        if place.is_symlink():  # where the server's user could not reach the folder
            shutil.rmtree(place.resolve(), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
