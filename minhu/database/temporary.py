"""An empty database of our own for a while: a server of its own, in a folder that is gone afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minhu.database import embedded, roles
from minhu.database.connect import connect
from minhu.database.migrate import migrate
from minhu.settings import Settings


@contextmanager
def temporary(settings: Settings, timezone: str) -> Iterator[Settings]:
    """An installation with an empty, migrated warehouse whose city is in ``timezone``; good while the context lasts.

    It is entered as the superuser, for there is nobody else: rows are brought in as they were, past every trigger.

    It lies where the system keeps temporary files (``TMPDIR``) and takes from ``settings`` only what dbt has read of
    the project. What it holds is lost with a power cut, for which it is the faster.
    """
    home = Path(tempfile.mkdtemp(prefix="minhu-"))
    home.chmod(0o711)  # the server's user passes, and lists nothing
    try:
        (home / "config").mkdir()
        (home / "config" / "city.yml").write_text(f"timezone: {timezone}\n", encoding="utf-8")
        read = settings.home / "dbt" / "read"
        read.mkdir(parents=True, exist_ok=True)
        (home / "dbt").mkdir()
        (home / "dbt" / "read").symlink_to(read)
        fresh = Settings(
            home=home, config=home / "config", drop=home / "drop", database_url=None, login=roles.SUPERUSER
        )
        try:
            with connect(fresh, autocommit=True) as owner:
                for name in ("fsync", "synchronous_commit", "full_page_writes"):
                    owner.execute(f"alter system set {name} = off")
                owner.execute("select pg_reload_conf()")
            migrate(fresh)
            yield fresh
        finally:
            embedded.stop(fresh)
            place = home / "postgres"
            if place.is_symlink():  # where the server's user could not reach the folder
                shutil.rmtree(place.resolve(), ignore_errors=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
