"""docs/operations.md: every command of it is one that there is, and those that a quiet machine can run are run."""

import re
import shlex
from dataclasses import replace
from datetime import date

import click
import pyrage
import pytest
from click.testing import CliRunner

from minhu import database
from minhu.cli import minhu
from minhu.config import sync
from minhu.database import embedded, roles, standby
from minhu.load import load_file
from minhu.settings import PROJECT_ROOT, Settings
from tests import given

PAGE = (PROJECT_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALONE = ("up", "down", "service", "worker")
"""Starts and stops what the tests of the services start and stop, or writes where systemd reads."""
OF_A_RELEASE = ("audit", "revise")
"""Needs a published month: docs/assessment.md is followed with one."""


def commands() -> list[tuple[str, list[str]]]:
    """The arguments of each call of `minhu` on the page, in its order, after the machine whose prompt it has."""
    lines = "\n".join(re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    shown = [(machine, line) for machine, line in re.findall(r"^(worker)?\$ (.*)$", lines, re.MULTILINE)]
    calls = [(machine, call) for machine, line in shown for call in line.split("&&")]
    found = []
    for machine, call in calls:
        words = [] if re.search("systemctl|useradd", call) else shlex.split(call, comments=True)
        at = next((at for at, word in enumerate(words) if re.fullmatch(r"(?:[\w./-]*/)?minhu", word)), None)
        found += [(machine, words[at + 1 :])] if at is not None else []
    return found


@pytest.mark.parametrize("call", [words for _, words in commands()], ids=" ".join)
def test_a_command_of_the_page_is_one_that_there_is(call, tmp_path, monkeypatch):
    monkeypatch.setenv("MINHU_HOME", str(tmp_path))
    group, rest, context = minhu, [one.replace("/backup", str(tmp_path)) for one in call], None
    for place in re.findall(r"(/(?:safe)/\S+)", " ".join(rest)):
        rest = [one.replace(place, str(tmp_path)) for one in rest]
    rest = [str(tmp_path) if one.startswith(str(tmp_path)) else one for one in rest]
    while isinstance(group, click.Group):
        context = group.make_context(group.name, rest, parent=context, resilient_parsing=False)
        name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        group = command
    group.make_context(name, rest, parent=context)


@pytest.fixture(scope="module")
def city(home):
    """A home with a feed of the page's name and a held batch."""
    place = home / "operations"
    place.mkdir()
    of = Settings(home=place / "home", config=place / "config", drop=place / "home" / "drop", database_url=None)
    source = given.CASES["source"] | {"path": "h12345/cases_{date}.csv"}
    given.config(of.config, [given.feed("h12345", deliveries=[given.CASES | {"source": source}])])
    database.migrate(of)
    sync(of)
    file = given.case_file(of.drop / "h12345" / "cases_20261012.csv", [{}])
    load_file("h12345", "cases", file, date(2026, 10, 12), settings=of)
    with database.connect(of) as connection:  # as a gate would
        connection.execute("update audit.batch set status = 'held', reason_code = 'SHRUNK', reason = '比上次少一半'")
    of.secret("airflow-api")  # as `minhu up` makes it
    yield of
    standby.stop(of)
    embedded.stop(of)
    embedded.stop(restored(of))


def restored(city: Settings) -> Settings:
    new = city.home.with_name("new")
    return Settings(home=new, config=city.config, drop=new / "drop", database_url=None)


def worker(city: Settings) -> Settings:
    url = embedded.start(city).url("warehouse", roles.WORK)
    shared = {"database_url": url, "landing_zone": str(city.landing)}
    return replace(city, home=city.home.with_name("worker"), **shared)


def test_the_page_is_followed(city):
    place, last, said = city.home.parent, {}, {}
    identity = pyrage.x25519.Identity.generate()
    (place / "worker.key").write_text(str(identity))
    for machine, call in commands():
        if call[0] in ALONE + OF_A_RELEASE:
            continue
        line = " ".join(call)
        if call[0] == "backup" and "--archive-to" in call:
            continue  # its own test restarts the server
        of = restored(city) if call[0] == "restore" else worker(city) if machine else city
        if call[0] == "restore" and "--wal" in call:
            continue
        given_ = [str(identity.to_public()) if one == "age1…" else one for one in call]
        given_ = [str(place / one) if one in ("keys.age", "worker.key") else one for one in given_]
        given_ = [re.sub("^/(backup|safe|disk2)/", rf"{place}/\1-", one) for one in given_]
        if call[0] == "restore":
            given_[1], given_[3] = last["folder"], last["keys"]
        if call[:2] == ["quality", "release"] or call[0] == "replay":
            given_ = ["1" if one == "17" else one for one in given_]
        env = {"HOME": of.home, "CONFIG": of.config, "DROP": of.drop}
        env |= {"DATABASE_URL": of.database_url or "", "LANDING": of.landing_zone or ""}
        done = CliRunner().invoke(minhu, given_, env={f"MINHU_{name}": str(value) for name, value in env.items()})
        assert done.exit_code == 0 or call[0] == "doctor", (line, done.output)
        said[f"{machine} {' '.join(call[:2])}".strip()] = done.output
        if call[0] == "backup":
            last["folder"] = done.output.partition(":")[0].splitlines()[-1]
            last["keys"] = done.output.rpartition("keys in ")[2].strip()
    assert "应到" in said["incidents digest"] and "caller key" in said["doctor"]
    assert re.search(r"caller key\W+yes", said["worker doctor"]), said["worker doctor"]
    assert str(worker(city).home) in said["homes list"]
    assert (worker(city).home / "secrets" / "airflow-api").read_text() == city.secret("airflow-api")
    assert "holds for 2026-10-01" in said["deliveries waive"]
    assert "h12345" in said["quality held"]
    assert any("与备份时一致" in told for told in said.values())
