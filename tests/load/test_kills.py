"""A loader killed at any step, then run again, for every way in which a delivery comes: no row lost, none doubled."""

import os
import subprocess
import sys
from datetime import date

import psycopg
import pytest

from minhu import database
from minhu.errors import Retryable
from minhu.load import batch, load_delivery
from minhu.settings import PROJECT_ROOT
from tests import given

DAY = date(2026, 10, 12)
ROWS = 3000

# Forks a loader at a time, so that a kill costs no interpreter start. Each lives a little longer than the one before,
# so that every step is the one that dies; those after the first that finishes find its batch.
KILLER = """
import os, random, signal, sys, time
from datetime import date
from minhu.load import load_delivery
import minhu.feeds.door, minhu.feeds.formats.read, minhu.feeds.sources.drop  # imported once, for all forks

kills, longest, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
draw, died = random.Random(seed), 0
for attempt in range(kills):
    child = os.fork()
    if child == 0:
        load_delivery("h1", "cases", date(2026, 10, 12))
        os._exit(0)
    time.sleep(longest * (attempt + draw.random()) / kills)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    died += os.WIFSIGNALED(status)
print(died)
"""


@pytest.fixture
def city(scratch, tmp_path):
    delivery = given.CASES | {"source": given.CASES["source"] | {"settle_seconds": 0, "archive": "archive"}}
    return scratch(given.config(tmp_path / "config", [given.feed(deliveries=[delivery])]))


def world(city):
    return {
        **os.environ,
        "MINHU_HOME": str(city.home),
        "MINHU_CONFIG": str(city.config),
        "MINHU_DATABASE_URL": city.database_url,
        "POLARS_MAX_THREADS": "1",
    }


def query(city, text):
    with database.connect(city) as connection:
        return connection.execute(text).fetchall()


def rain_of_kills(city, kills, seed):
    rows = [{"工单编号": str(at)} for at in range(ROWS)] + [{"工单编号": ""}, {"工单编号": "7"}]
    given.case_file(city.drop / "h1" / "cases_20261012.csv", rows)
    command = [sys.executable, "-c", KILLER, str(kills), "0.4", str(seed)]
    told = subprocess.run(command, env=world(city), cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    load_delivery("h1", "cases", DAY, settings=city)
    assert query(city, "select status, received_rows, staged_rows, rejected_rows, duplicate_rows from audit.batch") == [
        ("loaded", ROWS + 2, ROWS, 1, 1)
    ]
    assert query(city, "select count(*), count(distinct case_no) from staging.case_record") == [(ROWS, ROWS)]
    assert query(city, "select count(*) from audit.rejected_row") == [(1,)]
    assert [path.name for path in (city.drop / "archive").rglob("*.csv")] == ["cases_20261012.csv"]
    return int(told.stdout)


def test_kills_at_random_moments_lose_and_double_nothing(city):
    assert rain_of_kills(city, 20, seed=11) >= 5


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_many_kills_at_random_moments_lose_and_double_nothing(city, seed):
    assert rain_of_kills(city, 30, seed) >= 8


def test_a_server_that_goes_away_mid_copy_leaves_nothing_and_the_next_run_loads(city, monkeypatch):
    rows = [{"工单编号": str(at)} for at in range(50)]
    given.case_file(city.drop / "h1" / "cases_20261012.csv", rows)
    real = batch._copy

    def copy_and_lose_the_connection(connection, table, frame):
        real(connection, table, frame)
        with psycopg.connect(city.database_url, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        real(connection, table, frame)

    monkeypatch.setattr(batch, "_copy", copy_and_lose_the_connection)
    with pytest.raises((Retryable, psycopg.OperationalError)):
        load_delivery("h1", "cases", DAY, settings=city)
    assert query(city, "select count(*) from audit.batch") == [(0,)]
    monkeypatch.setattr(batch, "_copy", real)
    assert [result.staged for result in load_delivery("h1", "cases", DAY, settings=city)] == [50]


def test_a_full_disk_on_the_landing_zone_is_told_and_leaves_nothing(city):
    """The loader runs with a limit on the size of files it may write, as a full disk would stop it."""
    given.case_file(city.drop / "h1" / "cases_20261012.csv", [{"工单编号": str(at)} for at in range(2000)])
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from minhu.cli import main; main(['load', 'h1', '--date', '2026-10-12'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", limited], env=world(city), cwd=PROJECT_ROOT, check=False, capture_output=True, text=True
    )
    assert told.returncode == 1 and "Traceback" not in told.stderr and "cannot be kept" in told.stderr, told.stderr
    assert query(city, "select count(*) from audit.batch") == [(0,)]
    assert not [path for path in city.landing.rglob("*") if path.is_file()]
    assert [result.outcome for result in load_delivery("h1", "cases", DAY, settings=city)] == ["loaded"]


def test_an_error_of_the_database_quotes_no_row(city):
    given.case_file(city.drop / "h1" / "cases_20261012.csv", [{"主要内容": "不该出现在日志里的话"}])
    with database.connect(city) as connection:
        connection.execute("alter table staging.case_record add constraint nothing_fits check (case_no = 'x')")
    with pytest.raises(Exception, match="does not take these rows: CheckViolation") as failure:
        load_delivery("h1", "cases", DAY, settings=city)
    assert "不该出现" not in str(failure.value) and failure.value.__cause__ is None
