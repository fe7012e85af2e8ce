"""One real PostgreSQL per run, a scratch database per test module. A server that does not come up fails the run."""

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from minhu import database
from minhu.database import embedded
from minhu.settings import PROJECT_ROOT, Settings


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dsn", help="PostgreSQL >= 15 to test on, as a superuser; the embedded server unless given")
    parser.addoption(
        "--accept-scores", action="store_true", help="write tests/consistency/ anew: scores moved, on purpose"
    )


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder for the run that the server's user can pass, whoever runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="minhu-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    """URL of a server on which databases may be made; its database `minhu_template` holds the migrations."""
    given = request.config.getoption("--dsn")
    settings = Settings(home=home, config=PROJECT_ROOT / "config", drop=home / "drop", database_url=None)
    url = given or embedded.start(settings).url("postgres")
    _make_database(url, "minhu_template", "template0")
    database.migrate(replace(settings, database_url=_in(url, "minhu_template")))
    yield url
    if not given:
        embedded.stop(settings)


@pytest.fixture(scope="session")
def scratch(server: str, home: Path) -> Callable[..., Settings]:
    """Makes an installation of its own: a fresh database and home, the given configuration folder."""
    made = 0

    def make(config: Path = PROJECT_ROOT / "config", template: str = "minhu_template") -> Settings:
        nonlocal made
        made += 1
        name = f"scratch_{made}"
        _make_database(server, name, template)
        own = home / name
        return Settings(home=own, config=config, drop=own / "drop", database_url=_in(server, name))

    return make


@pytest.fixture(scope="module")
def warehouse(scratch: Callable[..., Settings]) -> Settings:
    """An empty warehouse, shared by the tests of a module."""
    return scratch()


@pytest.fixture(scope="session")
def old_chain(home: Path) -> Path:
    """A folder with the migrations that were gathered into the baseline, as they were."""
    folder = home / "old_chain"
    with tarfile.open(PROJECT_ROOT / "tests" / "database" / "old_chain.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def before(server: str, home: Path, old_chain: Path) -> str:
    """Name of a template database that the old chain made."""
    _make_database(server, "minhu_before", "template0")
    settings = Settings(home, PROJECT_ROOT / "config", home / "drop", _in(server, "minhu_before"))
    assert len(database.migrate(settings, old_chain)) == 41
    return "minhu_before"


@pytest.fixture(scope="module", params=["fresh", "adopted"])
def either(request: pytest.FixtureRequest, scratch: Callable[..., Settings]) -> Settings:
    """An empty warehouse, and the same tests again with one that was adopted from the old chain."""
    if request.param == "fresh":
        return scratch()
    settings = scratch(template=request.getfixturevalue("before"))
    assert database.migrate(settings) == []
    return settings


def _make_database(url: str, name: str, template: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name} template {template}")


def _in(url: str, name: str) -> str:
    return sqlalchemy.make_url(url).set(database=name).render_as_string(hide_password=False)
