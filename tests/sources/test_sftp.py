"""SFTP against asyncssh's own server in this process, and against OpenSSH where it is installed."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import psutil
import pytest

from minhu.errors import Refused, Retryable, SourceAway
from minhu.feeds.sources import sftp
from minhu.feeds.sources.fetch import fetch
from minhu.feeds.sources.fetched import Fetched, NotFetched
from minhu.load import load_delivery
from tests import given
from tests.sources import servers
from tests.sources.conftest import DAY, wanted

PASSWORD = "pässword-1"


class Server:
    """An SSH server on a folder. ``breaks_after``: bytes after which it breaks off; ``served``: bytes read.

    ``stalls``: the step at which it falls silent; ``denies``: the path that may not be read.
    """

    def __init__(self, root: Path, user_key: asyncssh.SSHKey):
        self.root, self.user_key = root, user_key
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.second_key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
        self.served, self.breaks_after, self.stalls, self.denies = 0, None, None, None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Server":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._server.get_port()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        keys = [self.key, self.second_key]
        return await asyncssh.create_server(
            self._login(), "127.0.0.1", 0, server_host_keys=keys, sftp_factory=self._files(), config=None
        )

    def _login(server) -> type:
        class Login(asyncssh.SSHServer):
            def connection_made(self, connection):
                connection.set_extra_info(server=server)

            def password_auth_supported(self):
                return True

            def validate_password(self, username, password):
                return (username, password) == ("loader", PASSWORD)

            def public_key_auth_supported(self):
                return True

            def validate_public_key(self, username, key):
                return key == server.user_key.convert_to_public()

        return Login

    def _files(server) -> type:
        class Files(asyncssh.SFTPServer):
            def __init__(self, channel):
                self._connection = channel.get_connection()
                super().__init__(channel, chroot=os.fsencode(server.root))

            def read(self, file_obj, offset, size):
                if server.breaks_after is not None and server.served >= server.breaks_after:
                    self._connection.abort()
                    raise asyncssh.SFTPConnectionLost("broken on purpose")
                data = super().read(file_obj, offset, size)
                server.served += len(data)
                return data

            async def open(self, path, *given):
                await self._stall("open")
                self._deny(path)
                return super().open(path, *given)

            async def fstat(self, file_obj):
                with closing(file_obj) if server.stalls == "stat" else nullcontext():
                    await self._stall("stat")
                return super().fstat(file_obj)

            async def close(self, *given):
                super().close(*given)
                await self._stall("close")

            async def scandir(self, path):
                await self._stall("list")
                self._deny(path)
                async for entry in super().scandir(path):
                    yield entry

            def _deny(self, path):
                if server.denies and path.endswith(server.denies):
                    raise asyncssh.SFTPPermissionDenied("no")

            async def _stall(self, step):
                if step == server.stalls:
                    await asyncio.sleep(15)

        return Files

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


@pytest.fixture
def ssh(tmp_path, monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("MINHU_SECRET_BUREAU", PASSWORD)
    (tmp_path / "remote" / "out").mkdir(parents=True)
    with Server(tmp_path / "remote", asyncssh.generate_private_key("ssh-ed25519")) as running:
        yield running


def source(ssh, **changes) -> dict:
    return {
        "type": "sftp",
        "host": "127.0.0.1",
        "port": ssh.port,
        "user": "loader",
        "auth": {"type": "password", "secret": "bureau"},
        "host_key": ssh.key.export_public_key().decode().strip(),
        "path": "out/cases_{date}*.csv",
        "settle_seconds": 0,
        "connect_seconds": 5,
    } | changes


def put(ssh, name: str, data: bytes = b"a,b\n1,2\n") -> None:
    (ssh.root / "out" / name).write_bytes(data)


def test_the_dates_files_come_in_order_and_stay_where_they_are(ssh, pull):
    for name in ("cases_20261012b.csv", "cases_20261012a.csv", "cases_20261011.csv"):
        put(ssh, name, name.encode())
    fetched = pull(source(ssh))
    assert [one.path.read_text() for one in fetched] == ["cases_20261012a.csv", "cases_20261012b.csv"]
    assert fetched[0].name == "127.0.0.1:out/cases_20261012a.csv"
    assert len(list((ssh.root / "out").iterdir())) == 3
    assert pull(source(ssh, path="nowhere/{date}.csv")) == []
    known_hosts = f"[127.0.0.1]:{ssh.port} {ssh.key.export_public_key().decode().strip()} a comment"
    assert len(pull(source(ssh, host_key=known_hosts))) == 2


def test_a_key_file_lets_in_and_a_fingerprint_pins(ssh, pull, tmp_path):
    put(ssh, "cases_20261012.csv")
    ssh.user_key.write_private_key(tmp_path / "key")
    key = {"type": "key", "file": str(tmp_path / "key")}
    assert len(pull(source(ssh, auth=key, host_key=ssh.key.get_fingerprint("sha256")))) == 1
    for own in (ssh.key, ssh.second_key):
        assert len(pull(source(ssh, host_key=own.export_public_key().decode()))) == 1, "each of its keys may be pinned"
    with pytest.raises(Refused, match="cannot be read"):
        pull(source(ssh, auth={"type": "key", "file": str(tmp_path / "no-key")}))


@pytest.mark.parametrize("how", ["key", "fingerprint", "key of another kind"])
def test_another_host_key_is_refused(ssh, pull, how):
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256" if "kind" in how else "ssh-ed25519")
    pinned = other.export_public_key().decode().strip() if "key" in how else other.get_fingerprint("sha256")
    with pytest.raises(Refused, match="another host key"):
        pull(source(ssh, host_key=pinned))


def test_a_wrong_password_is_refused_without_telling_it(ssh, pull, monkeypatch):
    monkeypatch.setenv("MINHU_SECRET_BUREAU", "wr0ng")
    with pytest.raises(Refused, match="does not let 'loader' in") as refusal:
        pull(source(ssh))
    assert "wr0ng" not in str(refusal.value)


def test_a_server_that_is_away_is_retryable(ssh, pull):
    with pytest.raises(Retryable, match="is away"):
        pull(source(ssh, port=1))


def test_a_broken_download_goes_on_where_it_broke_off(ssh, pull, tmp_path, monkeypatch):
    monkeypatch.setattr(sftp, "_CHUNK", 1 << 16)
    data = os.urandom(2_000_000)
    put(ssh, "cases_20261012.csv", data)
    ssh.breaks_after = 1_000_000
    with pytest.raises(Retryable, match="broke off"):
        pull(source(ssh))
    [partial] = (tmp_path / "home" / "partial").iterdir()
    kept = partial.stat().st_size
    assert 500_000 < kept < 2_000_000
    ssh.served, ssh.breaks_after = 0, None
    [fetched] = pull(source(ssh))
    assert fetched.path.read_bytes() == data
    assert ssh.served == len(data) - kept, "only what was missing came again"
    assert not partial.exists()


def test_a_file_that_changed_begins_anew(ssh, pull, tmp_path, monkeypatch):
    monkeypatch.setattr(sftp, "_CHUNK", 1 << 16)
    put(ssh, "cases_20261012.csv", b"x" * 500_000)
    ssh.breaks_after = 200_000
    with pytest.raises(Retryable):
        pull(source(ssh))
    ssh.breaks_after = None
    put(ssh, "cases_20261012.csv", b"y" * 400_000)
    assert pull(source(ssh))[0].path.read_bytes() == b"y" * 400_000


def test_a_file_waits_for_its_done_file(ssh, pull):
    put(ssh, "cases_20261012.csv")
    waiting = source(ssh, done_suffix=".done")
    with pytest.raises(Retryable, match="has not finished"):
        pull(waiting)
    put(ssh, "cases_20261012.csv.done", b'{"rows": 7}')
    [fetched] = pull(waiting | {"path": "out/cases_{date}*"})
    assert fetched.control_total == 7


def test_a_growing_file_is_left_for_later(ssh, pull):
    put(ssh, "cases_20261012.csv")
    threading.Timer(0.4, put, [ssh, "cases_20261012.csv", b"longer than before"]).start()
    with pytest.raises(Retryable, match="still growing"):
        pull(source(ssh, settle_seconds=1))


def test_the_same_file_is_loaded_once(ssh, scratch, tmp_path):
    cases = given.CASES | {"source": source(ssh)}
    city = scratch(given.config(tmp_path / "config", [given.feed(deliveries=[cases])]))
    given.case_file(ssh.root / "out" / "cases_20261012.csv", [{}])
    outcomes = [load_delivery("h1", "cases", DAY, settings=city)[0].outcome for _ in range(2)]
    assert outcomes == ["loaded", "already_loaded"]
    assert list((city.home / "partial").iterdir()) == []


@pytest.mark.parametrize("step", ["open", "stat", "list", "close"])
def test_a_server_that_falls_silent_is_left_at_the_declared_limit(ssh, pull, step):
    put(ssh, "cases_20261012.csv")
    ssh.stalls = step
    began = time.monotonic()
    with pytest.raises(SourceAway, match="away or broke off"):
        pull(source(ssh, read_seconds=0.3))
    assert time.monotonic() - began < 5
    ssh.stalls = None
    assert len(pull(source(ssh))) == 1


def gbk(ssh, name: str, data: bytes = b"a,b\n1,2\n") -> None:
    with open(os.path.join(os.fsencode(ssh.root / "out"), name.encode("gbk")), "wb") as file:
        file.write(data)


def test_names_in_gbk_are_read_as_names_and_stop_nobody(ssh, pull):
    """The second byte of 乗 is a backslash."""
    put(ssh, "cases_20261012.csv")
    for name in ("cases_20261012工单.csv", "别的乗_20261012.txt"):
        gbk(ssh, name)
    fetched = pull(source(ssh))
    assert [one.name.rpartition("/")[2] for one in fetched] == ["cases_20261012.csv", "cases_20261012工单.csv"]
    assert [one.path.read_bytes() for one in fetched] == [b"a,b\n1,2\n"] * 2
    assert len(pull(source(ssh, path="out/*_{date}工单.csv"))) == 1, "a pattern in Chinese finds it"


def test_patterns_reach_into_folders(ssh, pull):
    for folder in ("a", "a/b"):
        (ssh.root / "out" / folder).mkdir()
        put(ssh, f"{folder}/cases_20261012.csv")
    assert len(pull(source(ssh, path="out/?/cases_{date}.csv"))) == 1
    assert len(pull(source(ssh, path="out/**/cases_{date}.csv"))) == 2
    assert len(pull(source(ssh, path="out/a/b/cases_{date}.csv"))) == 1


def test_one_file_that_may_not_be_read_is_refused_by_itself(ssh, tmp_path, monkeypatch):
    for name in ("cases_20261012a.csv", "cases_20261012b.csv"):
        put(ssh, name)
    ssh.denies = b"out/cases_20261012a.csv"
    one, other = fetch(wanted(tmp_path, source(ssh)))
    assert isinstance(one, NotFetched) and isinstance(one.error, Refused) and "may not read there" in str(one.error)
    assert isinstance(other, Fetched)


def test_a_folder_that_may_not_be_read_is_not_empty(ssh, pull):
    ssh.denies = b"out"
    with pytest.raises(Refused, match="may not read there"):
        pull(source(ssh))


# -- OpenSSH ------------------------------------------------------------------------------------------------------


@dataclass
class OpenSsh:
    """What `source` and `put` ask of a server."""

    root: Path
    port: int
    key: asyncssh.SSHKey
    process: psutil.Process

    def source(self, private_key: Path, **changes) -> dict:
        own = {"user": servers.login(), "auth": {"type": "key", "file": str(private_key)}}
        return source(self, path=f"{self.root}/out/cases_{{date}}*.csv", **own) | changes


@pytest.fixture(scope="module")
def users_key(home) -> Path:
    """The private key of a user who may log in."""
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(home / "users_key")
    return home / "users_key"


@pytest.fixture
def openssh(home, users_key) -> Iterator[OpenSsh]:
    folder = home / f"openssh-{time.monotonic_ns()}"
    (folder / "out").mkdir(parents=True)
    public = asyncssh.read_private_key(users_key).export_public_key().decode()
    with servers.openssh(folder, public) as (port, process):
        key = asyncssh.read_public_key(folder / "host_key.pub")
        yield OpenSsh(folder, port, key, psutil.Process(process.pid))


def test_openssh_gives_the_dates_files_to_the_holder_of_the_key(openssh, users_key, pull):
    for name in ("cases_20261012b.csv", "cases_20261012a.csv", "cases_20261011.csv"):
        put(openssh, name, name.encode())
    fetched = pull(openssh.source(users_key))
    assert [one.path.read_text() for one in fetched] == ["cases_20261012a.csv", "cases_20261012b.csv"]
    assert len(list((openssh.root / "out").iterdir())) == 3
    assert pull(openssh.source(users_key, path="/nowhere/{date}.csv")) == []
    assert len(pull(openssh.source(users_key, host_key=openssh.key.get_fingerprint("sha256")))) == 2
    with pytest.raises(Retryable, match="has not finished"):
        pull(openssh.source(users_key, done_suffix=".done"))


def test_openssh_lets_nobody_else_in_and_no_other_server_is_trusted(openssh, users_key, pull, tmp_path):
    other = asyncssh.generate_private_key("ssh-ed25519")
    other.write_private_key(tmp_path / "other")
    with pytest.raises(Refused, match="in; look at the declared user"):
        pull(openssh.source(tmp_path / "other"))
    with pytest.raises(Refused, match="another host key"):
        pull(openssh.source(users_key, host_key=other.export_public_key().decode()))
    if servers.unprivileged():
        put(openssh, "cases_20261012.csv")
        (openssh.root / "out" / "cases_20261012.csv").chmod(0o600)
        with pytest.raises(Refused, match="may not read there"):
            pull(openssh.source(users_key))


def test_a_download_goes_on_after_openssh_ended_the_session(openssh, users_key, pull, tmp_path, monkeypatch):
    monkeypatch.setattr(sftp, "_CHUNK", 1 << 16)
    data = os.urandom(30_000_000)
    put(openssh, "cases_20261012.csv", data)
    folder = tmp_path / "home" / "partial"

    def end_the_session():
        until = time.monotonic() + 30
        while time.monotonic() < until and sum(one.stat().st_size for one in folder.glob("*")) < 1_000_000:
            time.sleep(0.001)
        for session in openssh.process.children(recursive=True):
            session.kill()

    ending = threading.Thread(target=end_the_session)
    ending.start()
    with pytest.raises(Retryable, match="broke off"):
        pull(openssh.source(users_key))
    ending.join()
    [partial] = folder.iterdir()
    assert 1_000_000 <= partial.stat().st_size < len(data)
    with partial.open("r+b") as file:
        file.write(b"not downloaded again")
    [fetched] = pull(openssh.source(users_key))
    assert fetched.path.read_bytes() == b"not downloaded again" + data[20:]
