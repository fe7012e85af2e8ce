"""Object stores: files and memory through fsspec, and an S3 server where its parts are installed."""

import contextlib
import time
from pathlib import Path
from threading import Timer

import fsspec
import pytest
from fsspec.registry import _registry, known_implementations

from minhu.errors import BadDeclaration, Refused, Retryable
from minhu.feeds.sources import objects
from minhu.load import load_delivery
from tests import given
from tests.sources.conftest import DAY

KEY = "sécret-k3y"


@pytest.fixture
def memory():
    """fsspec's store in memory, empty; it is one for the whole process."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.fixture(params=["file", "memory"])
def bucket(request, tmp_path) -> str:
    """The address of a bucket of each kind that is always there."""
    if request.param == "file":
        (tmp_path / "bucket").mkdir()
        return f"file://{tmp_path}/bucket"
    request.getfixturevalue("memory")
    return "memory://bucket"


def source(bucket: str, **changes) -> dict:
    return {"type": "object", "url": f"{bucket}/out/cases_{{date}}*.csv", "settle_seconds": 0} | changes


def put(bucket: str, name: str, data: bytes = b"a,b\n1,2\n") -> None:
    with fsspec.open(f"{bucket}/out/{name}", "wb", auto_mkdir=True) as file:
        file.write(data)


def names(bucket: str) -> list[str]:
    store, folder = fsspec.url_to_fs(f"{bucket}/out")
    return sorted(path.rpartition("/")[2] for path in store.ls(folder, detail=False))


def test_the_dates_objects_come_in_order_and_stay_where_they_are(bucket, pull):
    kept = ["cases_20261011.csv", "cases_20261012a.csv", "cases_20261012b.csv"]
    for name in reversed(kept):
        put(bucket, name, name.encode())
    fetched = pull(source(bucket))
    assert [one.path.read_text() for one in fetched] == kept[1:]
    assert fetched[0].name == f"{bucket.replace('memory://', 'memory:///')}/out/cases_20261012a.csv"
    assert names(bucket) == kept
    assert [one.name[-5:] for one in pull(source(bucket, url=f"{bucket}/out/*{{date:%Y%m%d}}b.c?v"))] == ["b.csv"]


def test_a_date_without_an_object_is_nothing(bucket, pull):
    assert pull(source(bucket)) == []
    put(bucket, "cases_20261011.csv")
    assert pull(source(bucket)) == []
    assert pull(source(bucket, url=f"{bucket}/out/cases_{{date}}.csv")) == []


def test_an_object_waits_for_its_done_mark(bucket, pull):
    put(bucket, "cases_20261012.csv")
    waiting = source(bucket, done_suffix=".done")
    with pytest.raises(Retryable, match=r"cases_20261012\.csv\.done is not there yet"):
        pull(waiting)
    put(bucket, "cases_20261012.csv.done", b'{"rows": 7}')
    [fetched] = pull(waiting | {"url": f"{bucket}/out/cases_{{date}}*"})
    assert fetched.control_total == 7


def test_an_object_that_still_grows_is_left_for_later(bucket, pull):
    put(bucket, "cases_20261012.csv")
    growing = Timer(0.3, put, [bucket, "cases_20261012.csv", b"longer than before"])
    growing.start()
    with pytest.raises(Retryable, match="still growing"):
        pull(source(bucket, settle_seconds=1))
    growing.join()


@pytest.mark.parametrize("data", [b"another", b"a,b\n9,9\n"], ids=["of another size", "of the same size"])
def test_an_object_that_changes_while_it_comes_is_not_taken(bucket, pull, data, monkeypatch):
    put(bucket, "cases_20261012.csv")
    settled = objects._settled

    def change(*asked):
        seen = settled(*asked)
        time.sleep(0.01)  # a clock of files is coarse
        put(bucket, "cases_20261012.csv", data)
        return seen

    monkeypatch.setattr(objects, "_settled", change)
    with pytest.raises(Retryable, match="changed while it was downloaded"):
        pull(source(bucket))


def test_an_object_that_came_short_is_not_taken(memory, pull, monkeypatch):
    put("memory://bucket", "cases_20261012.csv")
    monkeypatch.setattr(type(memory), "get_file", lambda store, path, local: Path(local).write_bytes(b"a,b"))
    with pytest.raises(Retryable, match="changed while it was downloaded"):
        pull(source("memory://bucket"))


def test_a_store_that_lists_in_another_order_changes_nothing(memory, pull, monkeypatch):
    for name in ("cases_20261012a.csv", "cases_20261012b.csv"):
        put("memory://bucket", name)
    glob = type(memory).glob
    backwards = staticmethod(lambda *asked, **how: dict(reversed(glob(memory, *asked, **how).items())))
    monkeypatch.setattr(type(memory), "glob", backwards)
    assert [one.name[-5] for one in pull(source("memory://bucket"))] == ["a", "b"]


def test_the_same_object_is_loaded_once(bucket, scratch, tmp_path):
    cases = given.CASES | {"source": source(bucket)}
    city = scratch(given.config(tmp_path / "config", [given.feed(deliveries=[cases])]))
    put(bucket, "cases_20261012.csv", given.case_file(tmp_path / "x.csv", [{}]).read_bytes())
    outcomes = [load_delivery("h1", "cases", DAY, settings=city)[0].outcome for _ in range(2)]
    assert outcomes == ["loaded", "already_loaded"]
    assert names(bucket) == ["cases_20261012.csv"]


def test_a_backend_that_is_not_installed_is_named(pull, monkeypatch):
    monkeypatch.setitem(known_implementations, "far", {"class": "farfs.FarFileSystem", "err": "Install farfs"})
    with pytest.raises(Refused, match="far:// needs a package that is not installed here: Install farfs"):
        pull(source("far://bucket"))


def test_an_address_nobody_knows_is_a_bad_declaration(pull):
    with pytest.raises(BadDeclaration, match="fsspec knows no pigeon://"):
        pull(source("pigeon://bucket"))


@pytest.mark.parametrize(
    ("failure", "told", "message"),
    [
        (PermissionError(KEY), Refused, "does not let us in"),
        (type("NoCredentialsError", (Exception,), {})(KEY), Refused, "does not let us in"),
        (ConnectionResetError(KEY), Retryable, "broke off"),
        (type("EndpointConnectionError", (Exception,), {})(KEY), Retryable, "is away"),
        (ValueError(KEY), Refused, "look at the declared url and options"),
    ],
)
def test_a_failure_of_the_store_is_told_without_its_words(memory, pull, monkeypatch, failure, told, message):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(type(memory), "glob", fail)
    with pytest.raises(told, match=message) as refusal:
        pull(source("memory://bucket"))
    assert KEY not in str(refusal.value) and "memory://bucket" in str(refusal.value)


def test_options_and_secrets_reach_the_store(memory, pull, monkeypatch):
    given_options = {}

    class Store(type(memory)):
        protocol = "asked"

        def __init__(self, **options):
            given_options.update(options)
            super().__init__()

    monkeypatch.setitem(_registry, "asked", Store)
    declared = source("asked://bucket", options={"endpoint_url": "http://here"}, secrets={"secret": "bureau"})
    with pytest.raises(Refused, match="MINHU_SECRET_BUREAU"):
        pull(declared)
    monkeypatch.setenv("AIRFLOW_CONN_BUREAU", f"aws://id:{KEY}@")
    assert pull(declared) == []
    assert (given_options["endpoint_url"], given_options["secret"]) == ("http://here", KEY)


@contextlib.contextmanager
def s3_server():
    """An S3 server on loopback; neither it nor the client is part of the project's environment."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@pytest.mark.filterwarnings("default")
def test_an_s3_server_gives_its_objects(pull, monkeypatch):
    with s3_server() as endpoint:
        options = {"endpoint_url": endpoint, "key": "id"}
        there = fsspec.filesystem("s3", **options, secret="x")
        there.mkdir("bucket")
        declared = source("s3://bucket", options=options, secrets={"secret": "bureau"}, done_suffix=".done")
        monkeypatch.setenv("MINHU_SECRET_BUREAU", "x")
        assert pull(declared) == []
        there.pipe("s3://bucket/out/cases_20261012.csv", b"x" * 20_000_000)
        with pytest.raises(Retryable, match="not there yet"):
            pull(declared)
        there.pipe("s3://bucket/out/cases_20261012.csv.done", b"")
        assert pull(declared)[0].control_total is None
        there.pipe("s3://bucket/out/cases_20261012.csv.done", b"3")
        [fetched] = pull(declared)
        assert (fetched.path.stat().st_size, fetched.control_total) == (20_000_000, 3)
        assert fetched.name == "s3://bucket/out/cases_20261012.csv"
        assert len(there.ls("s3://bucket/out")) == 2
    with pytest.raises(Retryable, match="is away"):
        pull(declared)
