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
from contextlib import suppress
from pathlib import Path
from typing import cast

import asyncssh

from minhu.errors import Retryable, foreign
from minhu.feeds.sources import KeyFile, Password, Sftp
from minhu.feeds.sources.dated import dated
from minhu.feeds.sources.fetched import Fetched, Wanted, control_total
from minhu.feeds.sources.secrets import secret

_CHUNK = 1 << 20
_STRAY_AFTER = 7 * 24 * 3600
Seen = dict[str, tuple[int, int]]  # remote path → size, time of change


def fetch_sftp(wanted: Wanted) -> Iterator[Fetched]:
    """Every settled file of the date, in the order of their names.

    Raises Retryable when the server is away or a file still grows, Refused for a wrong key, password or host key.
    """
    source = wanted.source(Sftp)
    where = f"{source.host}:{source.port}"
    with foreign.told("sftp", where=where, user=source.user):
        yield from asyncio.run(_download_all(wanted))


async def _download_all(wanted: Wanted) -> list[Fetched]:
    source = wanted.source(Sftp)
    pattern = dated(source.path, wanted.business_date)
    found: list[Fetched] = []
    async with await _connect(source) as connection, connection.start_sftp_client() as client:
        seen = await _settled(client, pattern, source)
        for path in sorted(seen):
            if source.done_suffix and path.endswith(source.done_suffix):
                continue
            total = await _done(client, path, source.done_suffix) if source.done_suffix else None
            local = await _download(client, path, seen[path], wanted, len(found))
            found.append(Fetched(local, f"{source.host}:{path}", total))
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


async def _settled(client: asyncssh.SFTPClient, pattern: str, source: Sftp) -> Seen:
    """The files that fit. Without done files, they must have stood still for ``settle_seconds``."""
    seen = await _look(client, pattern)
    if seen and not source.done_suffix and source.settle_seconds:
        await asyncio.sleep(source.settle_seconds)
        if await _look(client, pattern) != seen:
            raise Retryable(f"files that fit {posixpath.basename(pattern)} are still growing or arriving")
    return seen


async def _look(client: asyncssh.SFTPClient, pattern: str) -> Seen:
    try:
        names = await client.glob_sftpname(pattern)
    except asyncssh.SFTPNoSuchFile:
        return {}
    return {
        os.fsdecode(name.filename): (name.attrs.size or 0, name.attrs.mtime or 0)
        for name in names
        if name.attrs.type == asyncssh.FILEXFER_TYPE_REGULAR
    }


async def _done(client: asyncssh.SFTPClient, path: str, suffix: str) -> int | None:
    with foreign.told("done file", name=posixpath.basename(path) + suffix):
        async with client.open(path + suffix, "rb") as file:
            return control_total(cast(bytes, await file.read(_CHUNK)).decode("utf-8", errors="replace"))


async def _download(client: asyncssh.SFTPClient, path: str, seen: tuple[int, int], wanted: Wanted, at: int) -> Path:
    """The file, whole: as long as it was said to be, and unchanged at the end."""
    source, partial = wanted.source(Sftp), _partial(wanted, path, seen)
    with partial.open("ab") as file:
        with foreign.told("download", name=posixpath.basename(path)):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        async with client.open(path, "rb") as remote:
            while chunk := await asyncio.wait_for(remote.read(_CHUNK, file.tell()), source.read_seconds):
                file.write(cast(bytes, chunk))  # of a file that is opened as binary
                file.flush()
            after = await remote.stat()
        if file.tell() != seen[0] or (after.size, after.mtime) != seen:
            partial.unlink()
            raise Retryable(f"{posixpath.basename(path)} changed while it was downloaded")
        local = wanted.folder / f"{at}-{posixpath.basename(path)}"
        shutil.move(partial, local)
    return local


def _partial(wanted: Wanted, path: str, seen: tuple[int, int]) -> Path:
    folder = wanted.settings.home / "partial"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for stray in folder.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - stray.stat().st_mtime > _STRAY_AFTER:
                stray.unlink()
    source = wanted.source(Sftp)
    known = "\0".join([source.host, str(source.port), source.user, path, *map(str, seen)])
    return folder / hashlib.sha256(known.encode()).hexdigest()
