"""A standby of the embedded server on the same machine: made of a base backup, kept by streaming, stopped and removed.

It lies beside the data of its primary, ``postgres/standby``, in a folder or a link to one on another disk:

    data/, log/, port, minhu.conf   as those of the primary
    passfile                        the password of the login that streams
    wanted                          there while `minhu up` shall start it

The login and the slot are made with it and go with it: a home without a standby has nobody who may stream. What nobody
reads of the slot is kept up to ``max_slot_wal_keep_size``, then the standby has to be made anew.
"""

import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from minhu.database import embedded, physical, roles
from minhu.database.embedded import Cluster, Server, _alone, _cluster, _connect, _enter, _launch, _ready, _stop, _sync
from minhu.errors import Refused
from minhu.settings import Settings

LOGIN = SLOT = "minhu_standby"

CONF = """
# of a standby
primary_conninfo = 'host={host} port={port} user={login} passfile={passfile} application_name={login} sslmode=disable'
primary_slot_name = '{slot}'
hot_standby_feedback = on
# A statement of a reader ends within a minute; what runs longer is cancelled and asked again.
max_standby_streaming_delay = '60s'
wal_retrieve_retry_interval = '1s'
"""


def make(settings: Settings, folder: Path | None = None) -> Server:
    """Makes the standby and starts it; everything may run meanwhile. ``folder``: an empty one, on another disk.

    Raises Refused where there is one, the folder is no place for it, or the server is not ours. A making that was
    killed is begun anew.
    """
    if settings.database_url:
        raise Refused("the standby of another server is made by who runs it: docs/operations.md, Readers apart")
    server = embedded.start(settings)
    with _alone(settings):
        primary = _cluster(settings)
        of = _settle(primary, folder)
        _let_follow(server)
        fresh = of.place / "data.new"
        try:
            physical.copy(server, LOGIN, settings.secret(f"{LOGIN}-password"), fresh, slot=SLOT)
            _configure(of, fresh, settings)
        except BaseException:
            _let_follow_no_more(server)
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        fresh.rename(of.data)
        _sync(of.place)
    return start(settings)


def start(settings: Settings) -> Server:
    """Starts it where it does not run, and its primary before it; it follows wherever that one is now."""
    server = embedded.start(settings)
    with _alone(settings):
        of = _made(settings)
        told = CONF.format(
            host=server.host, port=server.port, login=LOGIN, slot=SLOT, passfile=str(of.place / "passfile")
        )
        conf = of.place / "minhu.conf"
        if of.is_alive() and told not in conf.read_text():
            _stop(of)  # its primary has moved to another port
        enter = partial(_enter, of, settings)
        with _ready(of, enter) or _launch(of, enter, settings, told) as connection:
            (of.place / "wanted").touch()
            return of.server(connection.info.port, settings)


def stop(settings: Settings, *, for_good: bool = False) -> bool:
    """False where nothing ran. ``for_good``: until somebody starts it; else the next `minhu up` does."""
    if not is_made(settings):
        return False
    with _alone(settings):
        of = _made(settings)
        if for_good:
            (of.place / "wanted").unlink(missing_ok=True)
        return _stop(of)


def drop(settings: Settings) -> None:
    """Removes it with its files, its login and its slot."""
    if not is_made(settings):
        raise _none(settings)
    server = embedded.start(settings)
    with _alone(settings):
        of = _made(settings)
        _stop(of)
        _let_follow_no_more(server)
        link = _place(settings)
        if link.is_symlink():
            link.unlink()
        for path in (of.data, of.log):
            shutil.rmtree(path)
        for name in ("passfile", "port", "minhu.conf", "wanted"):
            (of.place / name).unlink(missing_ok=True)
        with suppress(OSError):  # what else lies there is somebody's
            of.place.rmdir()


def url(settings: Settings) -> str | None:
    """Where ``settings.login`` enters it; None where none was made. It need not run."""
    if not is_made(settings):
        return None
    of = _made(settings)
    with suppress(OSError, ValueError):  # it has never been started
        return of.server(int((of.place / "port").read_text()), settings).url("warehouse", settings.login)
    return None


def is_made(settings: Settings) -> bool:
    return not settings.database_url and (_place(settings) / "data").exists()


def is_alive(settings: Settings) -> bool:
    return is_made(settings) and _made(settings).is_alive()


def is_missing(settings: Settings) -> bool:
    """Whether it shall run and does not."""
    return is_made(settings) and (_place(settings) / "wanted").exists() and not _made(settings).is_alive()


def _place(settings: Settings) -> Path:
    return settings.home / "postgres" / "standby"


def _made(settings: Settings) -> Cluster:
    if not is_made(settings):
        raise _none(settings)
    return _of(_cluster(settings))


def _none(settings: Settings) -> Refused:
    return Refused(f"{settings.home} has no standby: minhu standby make")


def _of(primary: Cluster) -> Cluster:
    """The files of its standby, which runs as the same user and by the same programs."""
    place = (primary.place / "standby").resolve()
    own = Cluster.at(place, primary.user)
    return own._replace(copy=primary.copy, bin=primary.bin)


def _settle(primary: Cluster, folder: Path | None) -> Cluster:
    """An empty place for it that its user can reach."""
    link = primary.place / "standby"
    if (link / "data").exists():
        raise Refused(f"{link.resolve()} has a standby already: minhu standby drop")
    if folder:
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and link.resolve() != folder:
            raise Refused(f"{folder} is not empty: name another folder")
    if link.is_symlink():
        link.unlink()
    if folder:
        if link.exists():
            shutil.rmtree(link)  # of a making that was killed
        link.symlink_to(folder)
    else:
        link.mkdir(exist_ok=True)
    of = _of(primary)
    of.place.chmod(0o755)
    if not of.can('cd "$0"', of.place):
        raise Refused(f"user {of.user.pw_name} cannot reach {of.place}: name a folder where others can pass")
    shutil.rmtree(of.place / "data.new", ignore_errors=True)
    if not of.log.exists():
        of.log.mkdir(mode=0o700)
        of.give(of.log)
    return of


def _configure(of: Cluster, data: Path, settings: Settings) -> None:
    """What differs in a copy of the primary's files."""
    (data / "standby.signal").touch()
    auto = data / "postgresql.auto.conf"
    lines = [line for line in auto.read_text().splitlines() if not line.startswith(("archive_", "restore_"))]
    auto.write_text("\n".join([*lines, ""]))
    passfile = of.place / "passfile"
    passfile.unlink(missing_ok=True)
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:*:{LOGIN}:{settings.secret(f'{LOGIN}-password')}\n")
    for path in (passfile, data, *data.rglob("*")):
        of.give(path)
    data.chmod(0o700)


def _let_follow(server: Server) -> None:
    """The login that streams and the slot that keeps what it has not read; those of before are made anew."""
    with _connect(server.url("postgres", roles.SUPERUSER)) as connection:
        password = server.settings.secret(f"{LOGIN}-password")
        roles._make(connection, LOGIN, password, "replication connection limit 4")
        _drop_slot(connection)
        connection.execute("select pg_create_physical_replication_slot(%s, true)", [SLOT])


def _let_follow_no_more(server: Server) -> None:
    with _connect(server.url("postgres", roles.SUPERUSER)) as connection:
        _drop_slot(connection)
        connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(LOGIN)))


def _drop_slot(connection: psycopg.Connection) -> None:
    """Whoever still streams by it, a making that was killed for one, is ended."""
    connection.execute(
        "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = %s and active",
        [SLOT],
    )
    connection.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", [SLOT]
    )
