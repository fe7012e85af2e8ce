"""What is refused is refused in the language of who asked."""

import ast
import importlib
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from minhu.errors import MinhuError
from minhu.errors.foreign import TABLE
from minhu.portal.answers import answer, chinese
from minhu.settings import PROJECT_ROOT

OF_MACHINES = {
    "minhu.config": "the configuration of a city, which the command line reads",
    "minhu.database.adopt": "migrating",
    "minhu.database.apart": "the command line makes a standby",
    "minhu.database.embedded": "starting the server",
    "minhu.database.logins": "the command line makes logins",
    "minhu.database.migrate": "migrating",
    "minhu.database.physical": "files of the server",
    "minhu.database.standby": "the command line makes a standby",
    "minhu.database.tuning": "starting the server",
    "minhu.database.sign_on": "the log: pages say it in words of their own",
    "minhu.paper.fonts": "fonts of the machine, which doctor tells first",
    "minhu.portal.factor": "a key of the machine",
    "minhu.publish.access_log_chain": "the command line verifies",
    "minhu.publish.anchor": "the command line verifies",
    "minhu.publish.signed": "the command line signs",
    "minhu.publish.timestamp": "another server",
    "minhu.quality.gx": "the configuration of rules",
    "minhu.quality.rules": "the configuration of rules",
    "minhu.schemes.trial": "files beside a scheme, for the command line",
    "minhu.schemes.trial_rows": "files beside a scheme, for the command line",
    **dict.fromkeys(
        (f"minhu.feeds.{name}" for name in ("arrival", "canonical", "feed", "formats", "names", "sources")),
        "declarations of feeds, for the command line",
    ),
    "minhu.feeds.time_formats": "declarations of feeds, for the command line",
    "minhu.landing": "keys and disks of the machine, which doctor tells first",
}
"""Modules that are loaded with the portal and whose answers its pages never give."""
SAID_BY_HAND = {
    "the login % has no second factor",
    "the second factor was sealed by another home's key: `minhu logins forget-factor` begins a new one",
    "a second factor is in use already",
}
"""Of such modules, what pages give all the same."""
NOT_ON_PAGES = {
    "% is no sample: `minhu audit sample … --out FILE` writes one",
    "say why the owner's rights are needed: --why …; without --as-owner you look and change nothing",
}
SCHEMAS = "assess", "audit", "portal", "publish"
_MADE = re.compile(
    r"create (?:or replace )?(?:function|procedure) (\w+)\.(\w+)\s*\(.*?\$(\w*)\$(.*?)\$\3\$", re.S | re.I
)
_RAISED = re.compile(r"raise exception\s+'((?:[^']|'')*(?:'\s*\n\s*'(?:[^']|'')*)*)'", re.I)


def of_the_database() -> set[str]:
    """What the functions that people call raise, as each was made last."""
    raised = {}
    for file in sorted((PROJECT_ROOT / "sql").glob("*.sql")):
        for schema, name, _, body in _MADE.findall(file.read_text(encoding="utf-8")):
            if schema in SCHEMAS:
                raised[schema, name] = [re.sub(r"'\s*\n\s*'", "", one) for one in _RAISED.findall(body)]
    return {one.replace("''", "'") for told in raised.values() for one in told if one.strip("%")}


@cache
def loaded() -> list[str]:
    """The modules of ours that a process of the portal holds."""
    command = "import sys, minhu.portal.app, minhu.portal.runner; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    return sorted(name for name in told.split() if name.startswith("minhu."))


def of_ours() -> Iterator[tuple[str, str]]:
    """Module and sentence of what we refuse, where the portal may come by."""
    for name in loaded():
        module = importlib.import_module(name)
        for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id=kind), args=[said, *_])):
                    made = getattr(module, kind, None)
                    if isinstance(made, type) and issubclass(made, MinhuError) and (text := sentence(said)):
                        yield name, text


def of_what_is_entered() -> Iterator[str]:
    """What `minhu.assess.files` says of a cell, behind the name of its column, and of a row."""
    for node in ast.walk(ast.parse((PROJECT_ROOT / "minhu/assess/files.py").read_text(encoding="utf-8"))):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(id="ValueError"), args=[said])):
                yield f"% {sentence(said)}"
            case ast.Call(func=ast.Name(id="Problem"), args=[_, ast.Constant(value=None), said]):
                yield sentence(said)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="wrong")), args=[ast.Tuple(elts=[_, ast.Constant(value=said)])]
            ):
                yield f"% {said}"


def of_others() -> Iterator[str]:
    """What is said for what the database raises where somebody asks or acts."""
    for doing in ("act", "compute anew", "connect", "read", "read citizens' data", "session", "unbroken"):
        for row in TABLE[doing]:
            if (told := re.sub(r"\{[^}]*\}", "%", row.says)).strip("%"):
                yield told


def sentence(said: ast.expr) -> str | None:
    match said:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(part.value if isinstance(part, ast.Constant) else "%" for part in parts)
    return None


def wanted() -> set[str]:
    ours = {
        text
        for module, text in of_ours()
        if text in SAID_BY_HAND or not any(f"{module}.".startswith(f"{left_out}.") for left_out in OF_MACHINES)
    }
    every = (ours | of_the_database() | set(of_what_is_entered()) | set(of_others())) - NOT_ON_PAGES
    return {text for text in every if not re.search("[\u4e00-\u9fff]", text)}


def test_whatever_a_page_may_answer_is_there_in_chinese_and_nothing_else():
    assert len(wanted()) > 150
    assert wanted() - set(chinese()) == set()
    assert set(chinese()) - wanted() == set()


def test_what_is_filled_in_is_told_in_both():
    for english, said in chinese().items():
        places = [int(place) for place in re.findall(r"%([0-9])", said)]
        assert all(1 <= place <= english.count("%") for place in places), english
        assert max(Counter(places).values(), default=1) == 1, english


def second_of_two(english: str) -> set[int]:
    places = [at.start() for at in re.finditer("%", english)]
    return {number for number, at in enumerate(places, 1) if at - 1 in places}


@pytest.mark.parametrize("english", sorted(chinese()))
def test_each_is_found_by_what_it_says(english):
    """Also with names that are Chinese; and none is taken for another."""
    values = iter(f"值{number}" for number in range(1, 10))
    told = re.sub("%", lambda _: next(values), english)
    # of two that stand together the second has all
    together = {f"%{at}": "".join(f"值{n}" for n in (at - 1, at)) for at in second_of_two(english)}
    expected = re.sub(r"%[0-9]", lambda at: together.get(at[0], f"值{at[0][1]}"), chinese()[english])
    assert answer(told, "zh") == expected
    assert answer(told, "en") == told


def test_what_is_said_in_both_languages_is_shown_in_one():
    told = "没有代码为 市城管局 的单位 / no unit has the code 市城管局"
    assert answer(told, "zh") == "没有代码为 市城管局 的单位"
    assert answer(told, "en") == "no unit has the code 市城管局"
    named = "no unit is called '城管 / cg'; give its code or a name from the register"
    assert answer(named, "en") == named, "what is filled in is no second language"


def test_what_somebody_laid_out_to_take_long_takes_no_longer_than_a_letter_again_and_again():
    """Of every form its own parts again and again, up to the letters that are looked at; side by side in one run."""

    def spent(texts: list[str]) -> float:
        began = time.perf_counter()
        for text in texts:
            answer((text * 2_000)[:1_999], "zh")
        return time.perf_counter() - began

    parts = [[part for part in form.split("%") if part] for form in chinese()]
    hostile = [of[0] + "".join(of) * 200 for of in parts]
    assert spent(hostile) < 50 * spent(["x"] * len(hostile))
    assert answer(hostile[0] * 1_000, "zh") is None


def test_what_nobody_translated_is_told_as_it_is():
    assert answer("the moon is made of cheese", "zh") is None
    assert answer("请选两个到五个单位来比较。", "zh") == "请选两个到五个单位来比较。"
