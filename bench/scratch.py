"""A warehouse of its own for a measurement, gone afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from minhu import database, postgres
from minhu.settings import Settings


@contextmanager
def warehouse() -> Iterator[Settings]:
    """An empty embedded warehouse, whatever database the environment names: both sides of a ratio need the same one."""
    home = Path(tempfile.mkdtemp(prefix="minhu-bench-"))
    home.chmod(0o755)  # the server runs as an unprivileged user where we are root
    settings = replace(Settings.from_env(), home=home, drop=home / "drop", database_url=None, landing_zone=None)
    postgres.start(settings)
    try:
        database.migrate(settings)
        yield settings
    finally:
        postgres.stop(settings)
        shutil.rmtree(home, ignore_errors=True)
