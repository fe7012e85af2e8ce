"""Backups of an embedded home and of another server: taken while it works, brought into an empty home, compared."""

import json
import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import make_url

from minhu import database
from minhu.backup import archive, backup, restore
from minhu.cli import minhu
from minhu.config import sync
from minhu.database import embedded, logins
from minhu.errors import Refused
from minhu.load import load_file, replay
from minhu.settings import Settings
from tests import given


@pytest.fixture(scope="module")
def place(home):
    """A folder that the server's user passes."""
    folder = home / "backups"
    folder.mkdir()
    return folder


def made(place, name) -> Settings:
    of = place / name
    return Settings(home=of, config=place / f"{name}-config", drop=of / "drop", database_url=None)


def load(city, number, day=12):
    file = given.case_file(city.drop / "h1" / f"cases_{number}.csv", [{"工单编号": str(number)}])
    return load_file("h1", "cases", file, date(2026, 10, day), settings=city)


def cases(city):
    with database.connect(city) as connection:
        return [number for (number,) in connection.execute("select case_no from staging.case_record order by 1")]


@pytest.fixture(scope="module")
def city(place):
    """A home of its own with a case, a person who may log in, and a line in the access log."""
    made_ = made(place, "city")
    given.config(made_.config)
    database.migrate(made_)
    sync(made_)
    first = load(made_, 1)
    with database.connect(made_) as connection:
        logins.add_login(connection, "p_wu", "auditor")
    replay(made_, first.batch_id)
    yield made_
    embedded.stop(made_)


@pytest.fixture
def empty(place, request):
    """An empty home, whose server is stopped afterwards."""
    of = made(place, request.node.name[:40])
    yield of
    embedded.stop(of)
    shutil.rmtree(of.home, ignore_errors=True)


@pytest.mark.parametrize("is_dump", [False, True], ids=["base", "dump"])
def test_what_was_backed_up_comes_back_and_is_compared(city, place, empty, is_dump):
    done = backup(city, place / "to", place / "keys", is_dump=is_dump)
    assert done.kind == ("dump" if is_dump else "base") and done.bytes > 1000
    found = restore(empty, done.folder, done.keys)
    assert found.differences == (), found
    assert cases(empty) == cases(city) and cases(empty)
    with database.connect(empty) as connection:
        assert connection.execute("select rolname from pg_roles where rolname = 'p_wu'").fetchone()
        newest = database.one(connection, "select max(batch_id) from audit.batch")[0]
    replay(empty, newest)  # the landed files and the keys came too
    assert set(cases(empty)) == set(cases(city))


def test_a_second_backup_copies_only_what_landed_since_and_is_recorded(city, place):
    backup(city, place / "to", place / "keys", is_dump=True)
    load(city, 2, 13)
    assert backup(city, place / "to", place / "keys", is_dump=True).landed == 1
    with database.connect(city) as connection:
        kinds = connection.execute("select kind, bytes > 0 from audit.backup").fetchall()
    assert kinds and set(kinds) <= {("dump", True), ("base", True)}


def test_a_moment_comes_back_from_the_archived_log(city, place, empty):
    wal = place / "wal"
    archive(city, wal)
    embedded.stop(city)
    embedded.start(city)
    done = backup(city, place / "to", place / "keys")
    load(city, 31, 14)
    with database.connect(city) as connection:
        until = database.one(connection, "select clock_timestamp()")[0]
    load(city, 32, 15)
    superuser = replace(city, login="postgres")
    with database.connect(superuser, autocommit=True) as connection:
        wanted = database.one(connection, "select pg_walfile_name(pg_switch_wal())")[0]
    deadline = datetime.now() + timedelta(seconds=60)
    while not (wal / wanted).exists():
        assert datetime.now() < deadline, "the log was not archived"
    found = restore(empty, done.folder, done.keys, wal=wal, until=until)
    assert "31" in cases(empty) and "32" not in cases(empty)
    assert all("落地文件" in one for one in found.differences), found  # those of after the backup
    with database.connect(replace(empty, login="postgres"), autocommit=True) as connection:
        assert database.one(connection, "show archive_mode")[0] == "off", "two do not archive into one place"
    archive(city, None)


def test_other_keys_are_refused_before_anything_is_made(city, place, empty):
    done = backup(city, place / "to", place / "keys", is_dump=True)
    other = place / "other-keys"
    shutil.copytree(done.keys, other)
    (other / "caller-key").write_text("00" * 32)
    with pytest.raises(Refused, match="caller-key is not the key of this backup"):
        restore(empty, done.folder, other)
    assert not empty.home.exists()


def test_a_damaged_or_unfinished_backup_and_a_home_that_is_not_empty_are_refused(city, place, empty):
    done = backup(city, place / "to", place / "keys")
    with pytest.raises(Refused, match=r"is there already: restore into an empty MINHU_HOME"):
        restore(city, done.folder, done.keys)
    file = next(path for path in (done.folder / "base" / "base").rglob("*") if path.is_file() and path.stat().st_size)
    kept = file.read_bytes()
    file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(Refused, match="is not as it was taken"):
        restore(empty, done.folder, done.keys)
    shutil.rmtree(empty.home)
    (done.folder / "backup.json").unlink()
    with pytest.raises(Refused, match="no backup that was finished"):
        restore(empty, done.folder, done.keys)
    with pytest.raises(Refused, match="lie with what they open"):
        backup(city, place / "to", place / "to" / "keys")


def test_what_is_not_as_it_was_is_told(city, place, empty):
    done = backup(city, place / "to", place / "keys", is_dump=True)
    manifest = done.folder / "backup.json"
    told = json.loads(manifest.read_text())
    told["measured"]["staged"] += 1
    told["measured"]["access_hash"] = "f" * 64
    manifest.write_text(json.dumps(told))
    landed = next(path for path in (place / "to" / "landing").rglob("*") if path.is_file() and len(path.name) == 64)
    away = landed.rename(place / "away")
    found = restore(empty, done.folder, done.keys)
    away.rename(landed)
    said = "\n".join(found.differences)
    assert "入库行数：备份时" in said and "访问日志末端哈希" in said and "1 个批次的落地文件不在" in said


def test_another_server_is_dumped_and_restored_into_an_empty_database(scratch, tmp_path):
    city = scratch(given.config(tmp_path / "config"))
    load(city, 1)
    done = backup(city, tmp_path / "to", tmp_path / "keys")
    assert done.kind == "dump"
    with pytest.raises(Refused, match="another server's log is archived by who runs it"):
        archive(city, tmp_path / "wal")
    with pytest.raises(Refused, match="is not empty"):
        restore(replace(city, home=tmp_path / "new"), done.folder, done.keys)
    with database.connect(city, autocommit=True) as connection:
        connection.execute("create database restored")
    url = make_url(city.database_url).set(database="restored").render_as_string(hide_password=False)
    fresh = replace(city, home=tmp_path / "fresh", database_url=url)
    found = restore(fresh, done.folder, done.keys)
    assert found.differences == () and cases(fresh) == cases(city) == ["1"]
    replay(fresh, 1)


def test_the_commands(city, place, empty):
    def said(of, *command, code=0):
        told = {"HOME": of.home, "CONFIG": of.config, "DROP": of.drop}
        env = {f"MINHU_{name}": str(value) for name, value in told.items()}
        done = CliRunner().invoke(minhu, list(command), env=env)
        assert done.exit_code == code, done.output
        return done.stdout

    told = json.loads(said(city, "backup", "--to", str(place / "c"), "--keys-to", str(place / "k"), "--dump", "--json"))
    text = said(empty, "restore", told["folder"], "--keys", told["keys"])
    assert "的备份已恢复" in text and "与备份时一致" in text
    assert "say --to and --keys-to" in CliRunner().invoke(minhu, ["backup"]).output
    with pytest.raises(Refused, match="from the archived log alone"):
        restore(empty, Path(told["folder"]), place, until=datetime.now())
