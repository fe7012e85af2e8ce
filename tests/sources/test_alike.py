"""One path for all sources: what the reader of files makes of an input, every source's loads make of it."""

import json
import sqlite3

import asyncssh
import pytest

from minhu import database
from minhu.errors import MinhuError
from minhu.load import load_delivery, load_file
from minhu.load.push import receive
from tests import given
from tests.feeds.cases import CASES, FEED
from tests.sources.conftest import DAY
from tests.sources.test_sftp import PASSWORD, Server
from tests.sources.test_sftp import source as sftp_source
from tests.sources.web import Answer


@pytest.fixture(scope="module")
def ssh(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remote")
    (folder / "out").mkdir()
    with Server(folder, asyncssh.generate_private_key("ssh-ed25519")) as running:
        yield running


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    return scratch(given.config(tmp_path_factory.mktemp("alike") / "config", [FEED]))


@pytest.fixture
def load(city, ssh, web, waits, tmp_path, monkeypatch):
    """Loads bytes through a source; what became of them, without what names the way."""
    monkeypatch.setenv("MINHU_SECRET_BUREAU", PASSWORD)

    def through(kind, case):
        declared = {
            "file": FEED["deliveries"][0]["source"],
            "push": {"type": "push"},
            "sftp": sftp_source(ssh, path="out/{date}"),
            "object": {"type": "object", "url": f"file://{tmp_path}/{{date}}", "settle_seconds": 0},
            "rest": rest(web, case),
        }[kind]
        delivery = FEED["deliveries"][0] | {"format": case.format, "source": declared}
        if case.formats:
            delivery["formats"] = case.formats
        given.config(city.config, [FEED | {"deliveries": [delivery]}])
        with database.connect(city) as connection:
            connection.execute("truncate audit.batch, audit.attempt, staging.case_record cascade")
        for path in (tmp_path / f"{DAY:%Y%m%d}", ssh.root / "out" / f"{DAY:%Y%m%d}"):
            path.write_bytes(case.data)
        web.answer = [Answer(case.data, type=f"application/{case.format['type']}")]
        try:
            if kind == "file":
                load_file("real", "cases", tmp_path / f"{DAY:%Y%m%d}", DAY, settings=city)
            elif kind == "push":
                receive(city, "real", "cases", tmp_path / f"{DAY:%Y%m%d}", DAY)
            else:
                load_delivery("real", "cases", DAY, settings=city)
        except MinhuError:
            pass
        with database.connect(city) as connection:
            batches = connection.execute("select status, reason_code, staged_rows, rejected_rows from audit.batch")
            rows = connection.execute("select case_no, content, row_hash from staging.case_record order by row_number")
            return batches.fetchall(), rows.fetchall()

    return through


def rest(web, case):
    declared = {"type": "rest", "url": f"{web.url}/x", "attempts": 1, "format": case.format["type"]}
    return declared | {"records": case.format.get("record", "")} if case.format["type"] in ("json", "xml") else {}


AS_A_FILE: dict[str, tuple] = {}
"""What became of each input as a file: looked at once."""


@pytest.mark.parametrize("kind", ["push", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("sftp", "object"))])
def test_bytes_become_the_same_whichever_way_they_came(load, kind):
    for name, case in CASES.items():
        AS_A_FILE[name] = AS_A_FILE.get(name) or load("file", case)
    differ = [name for name, case in CASES.items() if load(kind, case) != AS_A_FILE[name]]
    assert differ == []


ANSWERS = {
    name: case
    for name, case in CASES.items()
    if case.format["type"] in ("json", "xml") and not case.format.get("lines") and not case.format.get("records")
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_becomes_what_a_file_of_it_becomes(load, name):
    answered, filed = load("rest", ANSWERS[name]), load("file", ANSWERS[name])
    assert answered[1] == filed[1]
    assert [(status, code) for status, code, *_ in answered[0]] == [
        (status, code) for status, code, staged, rejected in filed[0] if staged + rejected or status == "refused"
    ], "an answer without a record is no delivery"


VALUES = ["a\rb", "一,\n二\r\n三", '他说"不行"', "㐂𠮷", " 前后 ", "'=1+1", "￥１２", "\u200b零宽"]


def test_the_values_of_a_database_become_what_a_file_of_them_becomes(city, tmp_path):
    with sqlite3.connect(tmp_path / "base") as base:
        base.execute("create table t (工单编号 text, 受理时间 text, 内容 text)")
        base.executemany(
            "insert into t values (?, '2026-10-12 08:00:00', ?)", [(f"A{at}", v) for at, v in enumerate(VALUES)]
        )
    base.close()
    found = []
    records = [{"工单编号": f"A{at}", "受理时间": "2026-10-12 08:00:00", "内容": v} for at, v in enumerate(VALUES)]
    (tmp_path / "rows.json").write_text(json.dumps(records))
    sql = {"type": "sql", "url": f"sqlite:///{tmp_path}/base", "query": "select * from t order by 1"}
    for format, declared in (("csv", sql), ("json", FEED["deliveries"][0]["source"])):
        delivery = FEED["deliveries"][0] | {"format": {"type": format}, "source": declared}
        given.config(city.config, [FEED | {"deliveries": [delivery]}])
        with database.connect(city) as connection:
            connection.execute("truncate audit.batch, audit.attempt, staging.case_record cascade")
        if format == "csv":
            load_delivery("real", "cases", DAY, settings=city)
        else:
            load_file("real", "cases", tmp_path / "rows.json", DAY, settings=city)
        with database.connect(city) as connection:
            found.append(connection.execute("select case_no, content from staging.case_record order by 1").fetchall())
    assert found[0] == found[1] and len(found[0]) == len(VALUES)
