"""SFTP: downloads the date's files from an SSH server whose key is pinned. Goes on where an earlier download broke off.

A partial download lies in ``MINHU_HOME/partial`` under a hash of server, path, size and time of change: a file that
changed meanwhile begins anew.
"""

import asyncio
import fcntl
import hashlib
import os
import posixpath
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, cast

import asyncssh

from minhu.errors import MinhuError, Retryable, foreign
from minhu.feeds.sources import KeyFile, Password, Sftp
from minhu.feeds.sources.dated import dated
from minhu.feeds.sources.fetched import Fetched, NotFetched, Wanted, control_total
from minhu.feeds.sources.secrets import secret
from minhu.privacy.file_names import readable

_CHUNK = 1 << 20
_STRAY_AFTER = 7 * 24 * 3600
Seen = dict[bytes, tuple[int, int]]  # remote path → size, time of change


def fetch_sftp(wanted: Wanted) -> Iterator[Fetched | NotFetched]:
    """Every settled file of the date, in the order of their names; one that cannot be had does not stop the others.

    Raises Retryable when the server is away, stalls or files still arrive, Refused for a wrong key, password or host
    key, and where the folder may not be read.
    """
    source = wanted.source(Sftp)
    with foreign.told("sftp", where=_where(source), user=source.user):
        yield from asyncio.run(_download_all(wanted))


def _where(source: Sftp) -> str:
    return f"{source.host}:{source.port}"


@dataclass
class _Session:
    """A connection to a server that may fall silent at any step. ``client`` is there once it has begun."""

    connection: asyncssh.SSHClientConnection
    seconds: float
    client: asyncssh.SFTPClient = field(init=False)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Ends the connection when what is within takes longer than it may: whoever waits then hears that it is lost.

        To cancel the one that waits is not enough: it would ask the silent server to close what is open.
        """
        over = asyncio.get_running_loop().call_later(self.seconds, self.connection.abort)
        try:
            yield
        finally:
            over.cancel()


async def _download_all(wanted: Wanted) -> list[Fetched | NotFetched]:
    source = wanted.source(Sftp)
    session = _Session(await _connect(source), source.read_seconds)
    try:
        with session.step():  # names are bytes, in whatever encoding
            session.client = await session.connection.start_sftp_client(path_encoding=None)
        found = await _download_each(session, wanted)
        with session.step():
            session.connection.close()
            await session.connection.wait_closed()
        return found
    finally:
        session.connection.abort()


async def _download_each(session: _Session, wanted: Wanted) -> list[Fetched | NotFetched]:
    source = wanted.source(Sftp)
    seen = await _settled(session, dated(source.path, wanted.business_date), source)
    done = source.done_suffix.encode() if source.done_suffix else None
    found: list[Fetched | NotFetched] = []
    for path in sorted(seen):
        if done and path.endswith(done):
            continue
        name = f"{source.host}:{readable(os.fsdecode(path))}"
        try:
            total = await _done(session, path + done) if done else None
            found.append(Fetched(await _download(session, path, seen[path], wanted, len(found)), name, total))
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
            raise
        except (asyncssh.SFTPError, MinhuError) as error:
            ours = foreign.as_ours(error, "sftp", where=_where(source), user=source.user)
            found.append(NotFetched(name, ours or error))
    return found


async def _connect(source: Sftp) -> asyncssh.SSHClientConnection:
    """A connection that trusts the declared key alone, whatever this user's own SSH settings are."""
    fingerprint, kinds = _pinned(source.host_key)
    return await asyncssh.connect(
        source.host,
        source.port,
        username=source.user,
        password=secret(source.auth.secret) if isinstance(source.auth, Password) else None,
        client_keys=[_private_key(source.auth)] if isinstance(source.auth, KeyFile) else None,
        agent_path=None,
        config=None,
        known_hosts=([], [], []),  # none by itself: _Pinned compares
        server_host_key_algs=kinds,
        client_factory=lambda: _Pinned(fingerprint),
        connect_timeout=source.connect_seconds,
        login_timeout=source.connect_seconds,
        keepalive_interval=15,
    )


def _private_key(auth: KeyFile) -> asyncssh.SSHKey:
    passphrase = secret(auth.passphrase) if auth.passphrase else None
    with foreign.told("sftp: private key", file=auth.file):
        return asyncssh.read_private_key(auth.file, passphrase)


def _pinned(host_key: str) -> tuple[str, str | tuple]:
    """The fingerprint of the declared key, and the kinds of key to ask for.

    Its own kind first, so that a server with several keys shows that one; then any other, so that a wrong server is
    told by its key. A fingerprint alone tells no kind.
    """
    if host_key.startswith("SHA256:"):
        return host_key, ()
    with foreign.told("sftp: host key"):
        line = re.search(r"(ssh|ecdsa|sk)-\S+ \S+", host_key)  # a line of known_hosts begins with the host's name
        key = asyncssh.import_public_key(line[0] if line else host_key)
    return key.get_fingerprint("sha256"), "^" + ",".join(name.decode() for name in key.sig_algorithms)


class _Pinned(asyncssh.SSHClient):
    def __init__(self, fingerprint: str):
        self._fingerprint = fingerprint

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return key.get_fingerprint("sha256") == self._fingerprint


async def _settled(session: _Session, pattern: str, source: Sftp) -> Seen:
    """The files that fit. Without done files, they must have stood still for ``settle_seconds``."""
    seen = await _look(session, pattern)
    if seen and not source.done_suffix and source.settle_seconds:
        await asyncio.sleep(source.settle_seconds)
        if await _look(session, pattern) != seen:
            raise Retryable(f"files that fit {posixpath.basename(pattern)} are still growing or arriving")
    return seen


async def _look(session: _Session, pattern: str) -> Seen:
    """The files that fit the pattern, under folders that may be patterns too."""
    is_rooted, steps = pattern.startswith("/"), [step for step in pattern.split("/") if step]
    found: Seen = {}
    await _descend(session, b"/" if is_rooted else b"", steps, found)
    return found


async def _descend(session: _Session, folder: bytes, steps: list[str], found: Seen) -> None:
    """Takes what fits the first step. Compared are names as people read them, whatever bytes the server keeps."""
    step, rest = steps[0], steps[1:]
    if rest and step.isascii() and not set(step) & set("*?["):
        await _descend(session, posixpath.join(folder, step.encode()), rest, found)
        return
    for name, attrs in await _entries(session, folder):
        path, is_folder = posixpath.join(folder, name), attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY
        if step == "**" and is_folder:
            await _descend(session, path, steps, found)
        deeper = rest[1:] if step == "**" else rest
        if not fnmatchcase(readable(os.fsdecode(name)), rest[0] if step == "**" and rest else step):
            continue
        if deeper and is_folder:
            await _descend(session, path, deeper, found)
        elif not deeper and attrs.type == asyncssh.FILEXFER_TYPE_REGULAR:
            found[path] = (attrs.size or 0, attrs.mtime or 0)


async def _entries(session: _Session, folder: bytes) -> list[tuple[bytes, asyncssh.SFTPAttrs]]:
    """What is in a folder; nothing where there is none. One that may not be read is no empty one."""
    entries: list[tuple[bytes, asyncssh.SFTPAttrs]] = []
    listed = session.client.scandir(folder or b".")
    try:
        while True:
            with session.step():
                name = await anext(listed, None)
            if name is None:
                return entries
            if name.filename not in (b".", b".."):
                entries.append((cast(bytes, name.filename), name.attrs))
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return []


async def _done(session: _Session, path: bytes) -> int | None:
    with foreign.told("done file", name=readable(os.fsdecode(posixpath.basename(path)))), session.step():
        file = await session.client.open(path, "rb")
        told = cast(bytes, await file.read(_CHUNK))
        await file.close()
    return control_total(told.decode("utf-8", errors="replace"))


async def _download(session: _Session, path: bytes, seen: tuple[int, int], wanted: Wanted, at: int) -> Path:
    """The file, whole: as long as it was said to be, and unchanged at the end."""
    partial = _partial(wanted, path, seen)
    name = readable(os.fsdecode(posixpath.basename(path)))
    with partial.open("ab") as file:
        with foreign.told("download", name=name):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        after = await _copy(session, path, file)
        if file.tell() != seen[0] or (after.size, after.mtime) != seen:
            partial.unlink()
            raise Retryable(f"{name} changed while it was downloaded")
        local = wanted.folder / str(at)
        shutil.move(partial, local)
    return local


async def _copy(session: _Session, path: bytes, file: BinaryIO) -> asyncssh.SFTPAttrs:
    """Reads on from where ``file`` ends; how the remote file is afterwards."""
    with session.step():
        remote = await session.client.open(path, "rb")
    while True:
        with session.step():
            chunk = await remote.read(_CHUNK, file.tell())
        if not chunk:
            break
        file.write(cast(bytes, chunk))  # of a file that is opened as binary
        file.flush()
    with session.step():
        after = await remote.stat()
        await remote.close()
    return after


def _partial(wanted: Wanted, path: bytes, seen: tuple[int, int]) -> Path:
    folder = wanted.settings.home / "partial"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for stray in folder.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - stray.stat().st_mtime > _STRAY_AFTER:
                stray.unlink()
    source = wanted.source(Sftp)
    known = "\0".join([source.host, str(source.port), source.user, os.fsdecode(path), *map(str, seen)])
    return folder / hashlib.sha256(os.fsencode(known)).hexdigest()
