"""The demo's month lived by any checkout of the project, through its command line alone: from the files to the release.

A checkout is driven as an operator drives it, so the same script runs commits whose modules have other names. Without
Airflow: feeds are loaded one after the other and the days in order, so that two runs give batches the same numbers.
Close and publication take two logins: the owner closes, an evaluator approves.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import click
import psycopg

FIRST, DAYS, CASES_PER_DAY, SEED = "2026-10-01", 31, 970, 7
LAST, DAY_BEFORE, PERIOD = "2026-10-31", "2026-10-30", "2026-10"
CALLER_KEY = "07" * 32
"""Who is one caller must not depend on a key made at random: tokens of callers enter hashes of rows."""
APPROVER = "approver"
OWNERS = ("minhu_owner", "minhu_owner-password"), ("minhu", "postgres-password")
"""Who owns the warehouse and where his password lies, as newer code has it, then as older."""


@dataclass(frozen=True)
class Installation:
    """A ``checkout`` of the project at work on a ``home`` and a ``drop`` folder, run by the Python that runs this."""

    checkout: Path
    home: Path
    drop: Path

    def minhu(self, *command: str, login: str | None = None) -> str:
        """What one command tells. ``login``: the address of another login than the owner's. Raises on a failure."""
        told = self.run(*command, login=login)
        if told.returncode:
            raise click.ClickException(f"{self.checkout}: minhu {' '.join(command)}: {told.stderr or told.stdout}")
        return told.stdout

    def run(self, *command: str, login: str | None = None) -> subprocess.CompletedProcess:
        """One command, whatever comes of it."""
        began = time.perf_counter()
        told = self._python("-m", "minhu", *command, MINHU_DATABASE_URL=login or "")
        click.echo(f"  {time.perf_counter() - began:6.1f} s  minhu {' '.join(command)}", err=True)
        return told

    def check(self) -> None:
        """Refuses a checkout whose package is not the one that runs: an editable install points elsewhere."""
        told = self._python("-c", "import minhu; print(minhu.__file__)")
        if Path(told.stdout.strip()).parent != self.checkout / "minhu":
            raise click.ClickException(f"not the package of {self.checkout} runs: {told.stdout or told.stderr}")

    def address(self, user: str | None = None, password: str | None = None) -> str:
        """URL of the warehouse on the embedded server; of the owner unless told."""
        if user is None or password is None:
            secrets = self.home / "secrets"
            user, file = next(one for one in OWNERS if (secrets / one[1]).exists())
            password = (secrets / file).read_text().strip()
        server = json.loads(self.minhu("status", "--json"))["postgres"]["address"]
        return f"postgresql://{user}:{quote(password, safe='')}@{server}/warehouse"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.address(), options="-c timezone=UTC")

    @property
    def world(self) -> dict[str, str]:
        """The environment in which its programs run."""
        return {name: value for name, value in os.environ.items() if not name.startswith("MINHU_")} | {
            "PYTHONPATH": str(self.checkout),
            "MINHU_HOME": str(self.home),
            "MINHU_DROP": str(self.drop),
            "MINHU_CALLER_KEY": CALLER_KEY,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "GX_ANALYTICS_ENABLED": "false",
        }

    def _python(self, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        program = [sys.executable, *arguments]
        return subprocess.run(
            program, cwd=self.checkout, env=self.world | more, capture_output=True, text=True, check=False
        )


@contextmanager
def at_work(checkout: Path, home: Path, drop: Path | None = None) -> Iterator[Installation]:
    """The checkout on a home, its server stopped in the end; what is in the home stays."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)  # the server runs as an unprivileged user where we are root
    city = Installation(checkout.resolve(), home.resolve(), (drop or home / "drop").resolve())
    city.check()
    try:
        yield city
    finally:
        city.minhu("down")


def simulate(city: Installation, cases_per_day: int) -> None:
    size = "--days", str(DAYS), "--cases-per-day", str(cases_per_day), "--seed", str(SEED)
    city.minhu("simulate", "--start", FIRST, *size, "--bundle")


def live(city: Installation) -> None:
    """Loads what was simulated, judges, builds, scores, closes, approves by another login and publishes."""
    for day in (DAY_BEFORE, LAST):
        city.minhu("load", "--all", "--date", day)
    city.minhu("quality", "run")
    city.minhu("build")
    city.minhu("score", PERIOD)
    password = city.minhu("logins", "add", APPROVER, "--group", "evaluator").split()[-1]
    login = city.address(APPROVER, password)
    closing = json.loads(city.minhu("close", PERIOD, "--json"))
    _newer(
        city,
        ("approvals", "add", "closing", str(closing["closing_id"]), "--reason", "数据与口径已核对"),
        ("--hash", closing["content_hash"]),
        login,
    )
    _newer(city, ("publish", PERIOD), ("--why", "bench: no witness outside"))


def _newer(city: Installation, command: tuple[str, ...], asked: tuple[str, ...], login: str | None = None) -> None:
    """A command as newer code asks for it, else as older code knows it."""
    if city.run(*command, *asked, login=login).returncode:
        city.minhu(*command, login=login)


def upgrade(city: Installation) -> subprocess.CompletedProcess:
    """Takes over an installation in which other code has published the month: the build migrates its database, then
    the release is verified, which computes it anew."""
    city.minhu("build")
    return city.run("verify", PERIOD)
