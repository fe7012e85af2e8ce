"""The landing zone: what is kept comes back byte for byte, whole or not at all, wherever it lies and however sealed."""

import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import fsspec
import pyrage
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from minhu import database
from minhu.errors import BadDelivery, Refused, Retryable
from minhu.landing import seal
from minhu.landing.land import land, opened
from minhu.landing.store import STRAY_AFTER, private_folder, store_of
from minhu.load import load_file, replay
from minhu.settings import PROJECT_ROOT, Settings
from tests import given

DAY = date(2026, 10, 12)
TEXT = "工单编号,来电号码\n1,13800001111\n".encode() * 20_000
BUCKET = "memory://city/landed"


@pytest.fixture
def fresh_key():
    return str(pyrage.x25519.Identity.generate())


@pytest.fixture(autouse=True)
def _nothing_left_over(monkeypatch):
    monkeypatch.delenv(seal.VARIABLE, raising=False)
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(params=["folder", "another folder", "object store"])
def settings(request, tmp_path):
    zone = {"folder": None, "another folder": str(tmp_path / "mount"), "object store": BUCKET}[request.param]
    return installation(tmp_path, zone)


def installation(tmp_path, zone=None):
    home = tmp_path / "home"
    return Settings(home=home, config=tmp_path / "config", drop=tmp_path / "drop", database_url=None, landing_zone=zone)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_bytes(TEXT)
    return path


def names(settings):
    return sorted(store_of(settings).names())


def kept_bytes(settings):
    """Everything that lies in the landing zone and in transit, as one string."""
    local = [path for path in (settings.home, settings.landing) for path in path.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in local) + b"".join(
        file.getvalue() for file in MemoryFileSystem.store.values()
    )


def strays(settings):
    local = [*settings.transit.glob(".*"), *settings.landing.glob(".*-*")]
    return local + [path for path in MemoryFileSystem.store if ".arriving-" in path]


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encrypted"])
def test_what_landed_comes_back_byte_for_byte_under_the_sha256_of_the_plain_bytes(
    settings, source, fresh_key, monkeypatch, is_encrypted
):
    if is_encrypted:
        monkeypatch.setenv(seal.VARIABLE, fresh_key)
    landed = land(settings, source)
    assert (landed.sha256, landed.bytes) == (hashlib.sha256(TEXT).hexdigest(), len(TEXT))
    with opened(settings, landed.sha256) as path:
        assert path.read_bytes() == TEXT
        assert not path.stat().st_mode & 0o077
        assert path.is_relative_to(settings.transit) == (is_encrypted or bool(settings.landing_url))
        assert not path.parent.stat().st_mode & 0o077
    assert strays(settings) == [], "the private copy is gone"
    assert (b"13800001111" in kept_bytes(settings)) != is_encrypted


def test_the_same_bytes_twice_are_one_file(settings, source):
    assert land(settings, source) == land(settings, source)
    assert len(names(settings)) == 1 and strays(settings) == []


def test_plain_and_encrypted_files_stand_side_by_side(settings, source, tmp_path, fresh_key, monkeypatch):
    first = land(settings, source)
    monkeypatch.setenv(seal.VARIABLE, fresh_key)
    other = tmp_path / "other.csv"
    other.write_bytes(b"later")
    second = land(settings, other)
    assert [name.endswith(".age") for name in sorted(names(settings), key=len)] == [False, True]
    for landed, content in ((first, TEXT), (second, b"later")):
        with opened(settings, landed.sha256) as path:
            assert path.read_bytes() == content


def test_landed_again_under_a_key_a_file_is_no_longer_plain(settings, source, fresh_key, monkeypatch):
    landed = land(settings, source)
    monkeypatch.setenv(seal.VARIABLE, fresh_key)
    assert land(settings, source) == landed
    assert [name.endswith(".age") for name in names(settings)] == [True]
    assert b"13800001111" not in kept_bytes(settings)


def test_a_key_may_be_a_file_as_age_keygen_writes_it_and_earlier_keys_still_read(settings, source, fresh_key):
    secrets = settings.home / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "landing-key").write_text(f"# created: 2026-10-01\n{fresh_key}\n")
    landed = land(settings, source)
    newer = pyrage.x25519.Identity.generate()
    (secrets / "landing-key").write_text(f"{newer}\n{fresh_key}\n")
    with opened(settings, landed.sha256) as path:
        assert path.read_bytes() == TEXT


@pytest.mark.parametrize(
    ("key", "told"),
    [
        pytest.param("", "there is no key", id="none"),
        pytest.param(str(pyrage.x25519.Identity.generate()), "another key", id="another"),
        pytest.param("AGE-SECRET-KEY-1NONSENSE", "no age secret key", id="not a key"),
        pytest.param(" , ", "holds no key", id="blank"),
    ],
)
def test_without_the_right_key_an_encrypted_file_is_refused_in_clear_words(
    settings, source, fresh_key, monkeypatch, key, told
):
    monkeypatch.setenv(seal.VARIABLE, fresh_key)
    landed = land(settings, source)
    monkeypatch.setenv(seal.VARIABLE, key)
    with pytest.raises(Refused, match=told) as refusal, opened(settings, landed.sha256):
        pytest.fail("it must not open")
    assert fresh_key not in str(refusal.value) and "NONSENSE" not in str(refusal.value)
    assert strays(settings) == []


def test_what_is_no_key_lands_nothing(settings, source, monkeypatch):
    monkeypatch.setenv(seal.VARIABLE, "correct horse battery staple")
    with pytest.raises(Refused, match="age secret key"):
        land(settings, source)
    assert names(settings) == []


def _cut(data):
    return data[: len(data) - 100_000]


def _changed(data):
    return data[:200_000] + bytes([data[200_000] ^ 1]) + data[200_001:]


def _reordered(data):
    at, chunk = len(data) - 5 * 65_552, 65_552
    return data[:at] + data[at + chunk : at + 2 * chunk] + data[at : at + chunk] + data[at + 2 * chunk :]


@pytest.mark.parametrize("damage", [_cut, _changed, _reordered])
def test_a_damaged_encrypted_file_is_refused(tmp_path, source, fresh_key, monkeypatch, damage):
    settings = installation(tmp_path)
    monkeypatch.setenv(seal.VARIABLE, fresh_key)
    landed = land(settings, source)
    [name] = names(settings)
    place = settings.landing / name
    place.write_bytes(damage(place.read_bytes()))
    with pytest.raises(Refused, match="damaged"), opened(settings, landed.sha256):
        pytest.fail("it must not open")
    assert strays(settings) == []


def test_an_object_that_is_not_what_was_landed_is_refused(tmp_path, source):
    settings = installation(tmp_path, BUCKET)
    landed = land(settings, source)
    [name] = names(settings)
    fsspec.filesystem("memory").pipe(f"/city/landed/{name}", b"something else")
    with pytest.raises(Refused, match="not what was landed"), opened(settings, landed.sha256):
        pytest.fail("it must not open")


def test_a_file_that_is_gone_is_told(settings):
    gone = pytest.raises(BadDelivery, match="batch 7: its landed file is gone")
    with gone as refusal, opened(settings, "0" * 64, "batch 7"):
        pytest.fail("it must not open")
    assert refusal.value.code == "NO_FILE"


class Breaking(MemoryFileSystem):
    """A store that can fail at a step, in a way no OSError tells."""

    protocol = "breaking"
    store, pseudo_dirs = {}, [""]
    at = None

    def _break(self, step):
        if Breaking.at == step:
            raise RuntimeError("the secret token was abc")

    def put_file(self, lpath, rpath, **how):
        if Breaking.at == "half":
            return self.pipe_file(rpath, b"half")
        self._break("put")
        return super().put_file(lpath, rpath, **how)

    def mv(self, *paths, **how):
        self._break("mv")
        return super().mv(*paths, **how)

    def exists(self, path, **how):
        self._break("exists")
        return super().exists(path, **how)


fsspec.register_implementation("breaking", Breaking, clobber=True)


@pytest.mark.parametrize("step", ["put", "half", "mv", "exists"])
def test_a_store_that_fails_is_told_without_its_words_and_keeps_no_half_file(tmp_path, source, monkeypatch, step):
    settings = installation(tmp_path, "breaking://user:hidden@city/landed")
    Breaking.store.clear()
    monkeypatch.setattr(Breaking, "at", step)
    with pytest.raises(Retryable, match="the landing zone breaking://city/landed") as failure:
        land(settings, source)
    assert "abc" not in str(failure.value) and "hidden" not in str(failure.value)
    assert Breaking.store == {} and strays(settings) == []
    monkeypatch.setattr(Breaking, "at", None)
    with opened(settings, land(settings, source).sha256) as path:
        assert path.read_bytes() == TEXT


@pytest.mark.parametrize(("url", "error"), [("nonsense://x", Refused), ("s3://bucket/x", Refused)])
def test_a_store_nobody_knows_or_whose_package_is_missing_is_refused(tmp_path, source, url, error):
    with pytest.raises(error):
        land(installation(tmp_path, url), source)


def test_what_a_killed_loader_left_in_transit_is_swept_after_a_day_and_not_before(settings):
    old, young = settings.transit / ".opened-old" / "plain", settings.transit / ".fetching-young" / "body"
    for path in (old, young):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"citizens' data")
    _age(old.parent)
    with private_folder(settings, "opened"):
        assert not old.exists() and young.exists()


def test_a_half_written_copy_is_swept_after_a_day_and_not_before(settings, source):
    old, young = ".arriving-old", ".arriving-young"
    if settings.landing_url:
        store = fsspec.filesystem("memory")
        store.pipe({f"/city/landed/{name}": b"half" for name in (old, young)})
        store.store[f"/city/landed/{old}"].modified = datetime.now(UTC) - timedelta(seconds=STRAY_AFTER + 60)
    else:
        settings.landing.mkdir(parents=True)
        for name in (old, young):
            (settings.landing / name).write_bytes(b"half")
        _age(settings.landing / old)
    land(settings, source)
    assert [str(path).rpartition("/")[2] for path in strays(settings)] == [young]


def _age(path):
    past = time.time() - STRAY_AFTER - 60
    os.utime(path, (past, past))


def test_landing_and_opening_a_large_encrypted_file_needs_little_memory(tmp_path, fresh_key):
    """Measured in a process of its own, against a limit far below the file."""
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(1 << 20))
    measure = (
        "import resource, sys; from pathlib import Path; from minhu.settings import Settings;"
        "from minhu.landing.land import land, opened;"
        "s = Settings.from_env(); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "landed = land(s, Path(sys.argv[1]));\n"
        "with opened(s, landed.sha256) as path: assert path.stat().st_size == landed.bytes\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    world = {**os.environ, "MINHU_HOME": str(tmp_path / "home"), seal.VARIABLE: fresh_key}
    told = subprocess.run(
        [sys.executable, "-c", measure, large], env=world, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True
    )
    assert float(told.stdout) < 100


def on_a_full_disk(tmp_path, key, statement, *arguments):
    """Runs ``statement`` with a limit on the size of files it may write; what it told when it was to be tried again."""
    limited = (
        "import resource, signal, sys; from pathlib import Path; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from minhu.settings import Settings; from minhu.errors import Retryable;"
        "from minhu.landing.land import land, opened\n"
        f"try:\n    {statement}\n"
        "except Retryable as error: print(error)"
    )
    world = {**os.environ, "MINHU_HOME": str(tmp_path / "home"), seal.VARIABLE: key}
    command = [sys.executable, "-c", limited, *map(str, arguments)]
    return subprocess.run(command, env=world, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True).stdout


def test_a_full_disk_is_told_while_encrypting_too(tmp_path, source, fresh_key):
    told = on_a_full_disk(tmp_path, fresh_key, "land(Settings.from_env(), Path(sys.argv[1]))", source)
    assert "cannot be kept" in told and "File too large" in told
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_a_full_disk_is_not_taken_for_a_damaged_file(tmp_path, source, fresh_key, monkeypatch):
    settings = installation(tmp_path)
    monkeypatch.setenv(seal.VARIABLE, fresh_key)
    landed = land(settings, source)
    told = on_a_full_disk(tmp_path, fresh_key, "opened(Settings.from_env(), sys.argv[1]).__enter__()", landed.sha256)
    assert "cannot be brought back: File too large" in told
    assert strays(settings) == []


@pytest.mark.parametrize("zone", [None, BUCKET], ids=["folder", "object store"])
def test_a_load_and_a_replay_run_on_an_encrypted_landing_zone(scratch, tmp_path, fresh_key, monkeypatch, zone):
    monkeypatch.setenv(seal.VARIABLE, fresh_key)
    city = replace(scratch(given.config(tmp_path / "config", [given.feed()])), landing_zone=zone)
    file = given.case_file(city.drop / "h1" / "cases_20261012.csv", [{}, {"工单编号": "2"}])
    first = load_file("h1", "cases", file, DAY, settings=city)
    assert (first.outcome, first.staged) == ("loaded", 2)
    again = replay(city, first.batch_id)
    assert (again.staged, strays(city)) == (2, [])
    store = store_of(city)
    for name in names(city):
        store.remove(name)
    with pytest.raises(
        BadDelivery, match=f"batch {again.batch_id}: its landed file is not in .*, and nothing says that it was deleted"
    ):
        replay(city, again.batch_id)
    with database.connect(city) as connection:
        assert connection.execute("select status from audit.batch order by batch_id").fetchall() == [
            ("superseded",),
            ("loaded",),
        ]
