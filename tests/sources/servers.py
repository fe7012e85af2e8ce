"""Servers as cities run them, on loopback, as long as a test needs them. One that is not installed skips the test."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/libexec"])
_PATIENCE = 60


def unprivileged() -> str | None:
    """Whom a server runs as: root's servers run as nobody, anybody else's as himself."""
    return "nobody" if os.geteuid() == 0 else None


def program(name: str) -> str:
    found = shutil.which(name, path=_PLACES)
    return found or pytest.skip(f"{name} is not installed")


@contextmanager
def mariadb(folder: Path) -> Iterator[int]:
    """A MariaDB server with its data in ``folder``, and root without a password; yields its port."""
    daemon, data, port = program("mariadbd"), folder / "data", free_port()
    if unprivileged():
        shutil.chown(folder, unprivileged())
    run_as = [f"--user={unprivileged()}"] if unprivileged() else []
    command = [program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db"]
    run_as_root = ["--auth-root-authentication-method=normal", *run_as]
    subprocess.run([*command, *run_as_root], check=True, capture_output=True, cwd=folder)
    listens = [f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve", f"--socket={folder}/socket"]
    with running(
        [daemon, "--no-defaults", f"--datadir={data}", f"--pid-file={folder}/pid", *listens, *run_as], port, folder
    ):
        yield port


@contextmanager
def openssh(folder: Path, authorized: str) -> Iterator[tuple[int, subprocess.Popen]]:
    """An OpenSSH server that lets the holder of one key read files, and the process that listens."""
    daemon, port = program("sshd"), free_port()
    subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)
    (folder / "authorized").write_text(authorized)
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\nUsePAM yes\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/authorized\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n"
    )
    if unprivileged():
        shutil.chown(folder / "host_key", unprivileged())
    with running([daemon, "-D", "-e", "-f", folder / "config"], port, folder, unprivileged()) as process:
        yield port, process


def login() -> str:
    """The account that may log in to `openssh`: without root's rights a server serves its own user only."""
    return unprivileged() or pwd.getpwuid(os.geteuid()).pw_name


@contextmanager
def running(command: list, port: int, folder: Path, user: str | None = None) -> Iterator[subprocess.Popen]:
    """A server from the moment it listens; it is ended with the block."""
    with (folder / "log").open("wb") as log:
        drop = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True, **drop)
    try:
        _await_listening(process, port, folder / "log")
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _await_listening(process: subprocess.Popen, port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"{process.args[0]} does not listen: {log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]
