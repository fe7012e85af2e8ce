"""docs/operations.md: every command of it is one that there is, and those that a quiet machine can run are run."""

import re
import shlex
from datetime import date

import click
import pytest
from click.testing import CliRunner

from minhu import database
from minhu.cli import minhu
from minhu.config import sync
from minhu.database import embedded
from minhu.load import load_file
from minhu.settings import PROJECT_ROOT, Settings
from tests import given

PAGE = (PROJECT_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALONE = ("up", "down", "service")
"""Starts and stops what the tests of the services start and stop, or writes where systemd reads."""
OF_A_RELEASE = ("audit", "revise")
"""Needs a published month: docs/assessment.md is followed with one."""


def commands() -> list[list[str]]:
    """The arguments of each call of `minhu` on the page, in its order; what stands before it goes."""
    lines = "\n".join(re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    shown = [line[2:] for line in lines.splitlines() if line.startswith("$ ")]
    calls = [call for line in shown if not re.search("systemctl|useradd", line) for call in line.split("&&")]
    found = []
    for words in map(shlex.split, calls):
        at = next((at for at, word in enumerate(words) if re.fullmatch(r"(?:[\w./-]*/)?minhu", word)), None)
        found += [words[at + 1 :]] if at is not None else []
    return found


@pytest.mark.parametrize("call", commands(), ids=" ".join)
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
    yield of
    embedded.stop(of)
    embedded.stop(restored(of))


def restored(city: Settings) -> Settings:
    new = city.home.with_name("new")
    return Settings(home=new, config=city.config, drop=new / "drop", database_url=None)


def test_the_page_is_followed(city):
    place, last, said = city.home.parent, {}, {}
    for call in commands():
        if call[0] in ALONE + OF_A_RELEASE:
            continue
        line = " ".join(call)
        if call[0] == "backup" and "--archive-to" in call:
            continue  # its own test restarts the server
        of = restored(city) if call[0] == "restore" else city
        if call[0] == "restore" and "--wal" in call:
            continue
        given_ = [last.get(one, one) for one in call]
        given_ = [re.sub("^/(backup|safe)/", rf"{place}/\1-", one) for one in given_]
        if call[0] == "restore":
            given_[1], given_[3] = last["folder"], last["keys"]
        if call[:2] == ["quality", "release"] or call[0] == "replay":
            given_ = ["1" if one == "17" else one for one in given_]
        env = {"HOME": of.home, "CONFIG": of.config, "DROP": of.drop}
        done = CliRunner().invoke(minhu, given_, env={f"MINHU_{name}": str(value) for name, value in env.items()})
        assert done.exit_code == 0 or call[0] == "doctor", (line, done.output)
        said[" ".join(call[:2])] = done.output
        if call[0] == "backup":
            last["folder"] = done.output.partition(":")[0].splitlines()[-1]
            last["keys"] = done.output.rpartition("keys in ")[2].strip()
    assert "应到" in said["incidents digest"] and "caller key" in said["doctor"]
    assert "holds for 2026-10-01" in said["deliveries waive"]
    assert "h12345" in said["quality held"]
    assert any("与备份时一致" in told for told in said.values())
