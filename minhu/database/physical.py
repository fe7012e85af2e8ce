"""The embedded server's files as a whole: taken while it runs, put back into an empty home, archived as they grow.

A base backup and the write-ahead log that was archived since bring back any moment in between.
"""

import os
import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

from minhu.database import embedded, roles
from minhu.database.embedded import Cluster, Server, _alone, _cluster, _settle
from minhu.errors import Refused, Retryable
from minhu.settings import Settings

ARCHIVE_SECONDS = 300
"""A segment is archived after so long even where it is not full: no more is lost with the machine."""


def take(settings: Settings, folder: Path) -> None:
    """A base backup into ``folder``, which must not exist; compared with its own manifest. The server need not stop."""
    server = embedded.start(settings)
    copy(server, roles.SUPERUSER, settings.secret(f"{roles.SUPERUSER}-password"), folder)
    _run(server.bin_dir / "pg_verifybackup", "--quiet", folder)


def copy(server: Server, login: str, password: str, folder: Path, *, slot: str | None = None) -> None:
    """A base backup into ``folder``, which must not exist; from then on ``slot`` keeps what is written."""
    _run(
        server.bin_dir / "pg_basebackup",
        *(f"--pgdata={folder}", "--format=plain", "--wal-method=stream", "--checkpoint=fast", "--no-password"),
        *(f"--host={server.host}", f"--port={server.port}", f"--username={login}"),
        *([f"--slot={slot}"] if slot else []),
        password=password,
    )


def verify(settings: Settings, folder: Path) -> None:
    """Raises Refused where a file of the base backup is not as it was taken."""
    try:
        _run(_settled(settings).bin / "pg_verifybackup", "--quiet", folder)
    except Retryable as error:
        raise Refused(f"{folder} is not as it was taken: {error}") from None


def put_back(settings: Settings, base: Path, wal: Path | None = None, until: datetime | None = None) -> None:
    """Lays a base backup where an empty home keeps its server, and starts it: as it was at the end of the backup, or at
    the end of what was archived, or ``until`` a moment. Raises Refused where the home has a server.
    """
    with _alone(settings):
        cluster = _settle(settings)
        if cluster.data.exists():
            raise Refused(f"{cluster.data} is there already: restore into an empty home")
        fresh = cluster.place / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(base, fresh)
        _configure(fresh, wal, until)
        for path in [fresh, *fresh.rglob("*")]:
            cluster.give(path)
            path.chmod(0o700 if path.is_dir() else 0o600)
        if wal:
            _open_to(cluster, wal)
        shutil.copyfile(base.parent / "roles", cluster.place / "roles")
        fresh.rename(cluster.data)
    embedded.start(settings)


def archive(settings: Settings, folder: Path | None) -> None:
    """Has the server keep its write-ahead log in ``folder``, or no more; from its next start on."""
    cluster = _cluster(settings)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        _open_to(cluster, folder, writes=True)
    command = f'test ! -f "{folder}/%f" && cp "%p" "{folder}/.%f" && mv "{folder}/.%f" "{folder}/%f"'
    told = {
        "archive_mode": "on" if folder else "off",
        "archive_command": command if folder else "",
        "archive_timeout": f"{ARCHIVE_SECONDS}s" if folder else "0",
    }
    server = embedded.start(settings)
    with embedded._connect(server.url("postgres", roles.SUPERUSER)) as connection:
        for name, value in told.items():
            connection.execute(f"alter system set {name} = '{value.replace(chr(39), chr(39) * 2)}'")


def made_by(settings: Settings) -> Path:
    """The file that says which logins the server has."""
    return _cluster(settings).place / "roles"


def _settled(settings: Settings) -> Cluster:
    with _alone(settings):
        return _settle(settings)


def _configure(data: Path, wal: Path | None, until: datetime | None) -> None:
    auto = data / "postgresql.auto.conf"
    lines = [line for line in auto.read_text().splitlines() if not re.match(r"archive_|recovery_|restore_", line)]
    if wal:
        lines.append(f'restore_command = \'cp "{wal}/%f" "%p"\'')
        lines.append("recovery_target_action = 'promote'")
        if until:
            lines.append(f"recovery_target_time = '{until.isoformat()}'")
        (data / "recovery.signal").touch()
    auto.write_text("\n".join(lines) + "\n")


def _open_to(cluster: Cluster, folder: Path, *, writes: bool = False) -> None:
    """Raises Refused where the server's user cannot use the folder; what root has made is given to him."""
    if writes:
        cluster.give(folder)
        folder.chmod(0o700)
    if not cluster.can('test -r "$0" && test -x "$0"' + (' && test -w "$0"' if writes else ""), folder):
        raise Refused(f"the server's user {cluster.user.pw_name} cannot {'write to' if writes else 'read'} {folder}")


def _run(*command: str | Path, password: str | None = None) -> None:
    env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(
        command, env=env, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        raise Retryable(f"{Path(command[0]).name}: {done.stdout.strip()[-400:]}")
