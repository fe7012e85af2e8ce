"""A warehouse of its own for a measurement, gone afterwards, and commands run on it."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from minhu import database
from minhu.database import embedded
from minhu.settings import PROJECT_ROOT, Settings


@contextmanager
def warehouse() -> Iterator[Settings]:
    """An empty embedded warehouse, whatever database the environment names: both sides of a ratio need the same one."""
    home = Path(tempfile.mkdtemp(prefix="minhu-bench-"))
    home.chmod(0o755)  # the server runs as an unprivileged user where we are root
    settings = replace(Settings.from_env(), home=home, drop=home / "drop", database_url=None, landing_zone=None)
    embedded.start(settings)
    try:
        database.migrate(settings)
        yield settings
    finally:
        embedded.stop(settings)
        shutil.rmtree(home, ignore_errors=True)


def minhu(settings: Settings, *command: str) -> tuple[float, dict]:
    """Seconds of one command, a process of its own as an operator starts it, and the JSON that it told."""
    world = {
        "MINHU_HOME": str(settings.home),
        "MINHU_CONFIG": str(settings.config),
        "MINHU_DATABASE_URL": settings.database_url or "",
        "MINHU_TUNE": settings.tune,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    began = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-m", "minhu", *command],
        env=world,
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT_ROOT,
    )
    seconds = time.perf_counter() - began
    if told.returncode:
        raise RuntimeError(f"nothing was measured: {told.stderr or told.stdout}")
    return seconds, json.loads(told.stdout)
