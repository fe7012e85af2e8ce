"""The password stands in no command line, which everybody on the machine reads, and in nothing that a command says."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy

from minhu import database
from minhu.settings import Settings

COMMANDS = [
    ["psql", "-Atc", "select 'asked', pg_sleep(0.3)"],
    ["doctor"],
    ["status"],
    ["logins", "list"],
    ["build"],
    ["quality", "run"],
    ["psql", "-Atc", "select 'asked' from nowhere"],
]


@contextmanager
def watched(secret: str) -> Iterator[set[str]]:
    """The command lines with ``secret`` that were there meanwhile, and how many there were at all."""
    seen: set[str] = set()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if secret in line:
                    seen.add(line)
            time.sleep(0.005)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


@pytest.fixture(scope="module")
def city(scratch) -> Settings:
    return scratch()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only Linux shows command lines in /proc")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_password_stands_in_no_command_line_and_in_no_answer(city, command):
    password = sqlalchemy.make_url(city.database_url).password
    at = {"HOME": city.home, "CONFIG": city.config, "DROP": city.drop, "DATABASE_URL": city.database_url}
    given = os.environ | {f"MINHU_{name}": str(value) for name, value in at.items()}
    with watched(password) as seen:
        done = subprocess.run(
            [Path(sys.executable).parent / "minhu", *command], env=given, capture_output=True, text=True, check=False
        )
    assert seen == set()
    assert password not in done.stdout + done.stderr
    if command[0] == "psql":
        assert ("asked" in done.stdout) == (done.returncode == 0)


def test_the_watcher_sees_a_password_that_stands_there():
    with watched("s3cret-of-nobody") as seen:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(2)", "s3cret-of-nobody"], check=True)
    assert seen


def test_an_address_without_its_password_is_the_same_address():
    bare, password = database.without_password("postgresql://minhu:p%40ss@127.0.0.1:5432/warehouse?sslmode=require")
    assert (bare, password) == ("postgresql://minhu@127.0.0.1:5432/warehouse?sslmode=require", "p@ss")
    assert database.without_password("postgresql://minhu@h/w") == ("postgresql://minhu@h/w", None)
