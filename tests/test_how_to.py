"""The pages that say how to add a thing are done as they say, on a copy, and nothing but what they say is done.

A page is made of blocks under a line with a path:

    `path`, new:            the file, which must not be there before
    `path`, at its end:     lines added to the file
    `path`:                 a diff: lines that stay, go (``-``) and come (``+``); ``@@`` stands between two places

A block of ``console`` holds commands (``$``) and lines of what they say, in order; ``…`` stands for anything. What a
comment ``<!-- long -->`` stands before is run in `make test-long` alone.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from minhu.settings import PROJECT_ROOT
from tests.test_house import tracked

FOLDER = PROJECT_ROOT / "docs"
TAG = re.compile(r"`(?P<path>[\w./-]+)`(?P<how>, new|, at its end|):")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("new-*.md"))}


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    path: str | None = None
    how: str = ""
    is_long: bool = False


def blocks(page: str) -> list[Block]:
    """The fenced blocks, each with what the line above says of it. A fence of four holds blocks of three."""
    found, above, lines = [], "", iter(page.splitlines(keepends=True))
    for line in lines:
        if fence := re.match("(`{3,})(\\w*)$", line):
            text = "".join(iter(lines.__next__, f"{fence[1]}\n"))
            tag = TAG.fullmatch(above)
            how = tag["how"].strip(", ") if tag else ""
            found.append(Block(fence[2], text, tag and tag["path"], how, above == "<!-- long -->"))
        above = line.strip() or above
    return found


@dataclass(frozen=True)
class Copy:
    """A copy of the project in which a page is followed."""

    root: Path
    env: dict[str, str]

    def follow(self, page: str, *, long: bool = False) -> None:
        for block in blocks(page):
            if block.path:
                self.write(block)
            elif block.kind == "console" and block.is_long <= long:
                for command, told in commands(block.text):
                    self.run(command, told)

    def write(self, block: Block) -> None:
        path = self.root / block.path
        if block.how == "new":
            assert not path.exists(), f"{block.path} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.how == "at its end":
            path.write_text(path.read_text(encoding="utf-8") + block.text, encoding="utf-8")
        else:
            path.write_text(patched(path.read_text(encoding="utf-8"), block), encoding="utf-8")

    def run(self, command: str, told: list[str]) -> None:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.root, env=self.env, check=False, capture_output=True, text=True
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"$ {command}\n{said[-6000:]}"
        at = 0
        for line in told:
            for part in line.split("…"):
                at = flat(said).find(flat(part), at)
                assert at >= 0, f"$ {command}\ndoes not say: {line}\n{said[-6000:]}"


def patched(text: str, block: Block) -> str:
    assert block.kind == "diff", f"a change of {block.path} is a diff"
    for hunk in re.split(r"^@@.*\n", block.text, flags=re.MULTILINE):
        lines = [(line[:1] or " ", line[1:]) for line in hunk.splitlines()]
        before = "".join(f"{line}\n" for mark, line in lines if mark in " -")
        after = "".join(f"{line}\n" for mark, line in lines if mark in " +")
        assert before != after and {mark for mark, _ in lines} <= {" ", "+", "-"}, hunk
        assert text.count(before) == 1, f"{block.path} holds this {text.count(before)} times:\n{before}"
        text = text.replace(before, after)
    return text


def commands(text: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> "):
            command, told = found.pop()
            found.append((f"{command}\n{line[2:]}", told))
        else:
            found[-1][1].append(line)
    return found


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def copy(scratch, tmp_path) -> Copy:
    """The project as it stands here, a repository of its own, with an empty warehouse."""
    root, settings = tmp_path / "minhu", scratch()
    for path in tracked():
        target = root / path.relative_to(PROJECT_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("minhu", "pytest", "ruff", "sqlfluff"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {name} "$@"\n')
        program.chmod(0o755)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "MINHU", "COV"))}
    return Copy(
        root,
        env
        | {
            "PATH": f"{programs}:{env['PATH']}",
            "PYTHONPATH": str(root),
            "PYTEST_ADDOPTS": "-q -p no:cacheprovider",
            "MINHU_HOME": str(settings.home),
            "MINHU_DATABASE_URL": settings.database_url,
        },
    )


@pytest.mark.parametrize("name", PAGES)
def test_who_follows_the_page_gets_what_it_says(copy, name):
    copy.follow(PAGES[name])
    touched = [str(copy.root / block.path) for block in blocks(PAGES[name]) if (block.path or "").endswith(".py")]
    for check in ("check", "format --check"):
        copy.run(f"ruff {check} {' '.join(touched)}", [])


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if "<!-- long -->" in page])
def test_what_a_page_promises_of_a_whole_build_comes_true_too(copy, name):
    copy.follow(PAGES[name], long=True)


def test_contributing_names_every_page_of_a_new_thing():
    contributing = (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(PAGES) > 6 and [name for name in PAGES if f"(docs/{name}.md)" not in contributing] == []


WRONG = {
    "`kept.txt`, new:\n\n```text\na\n```\n": "kept.txt is there already",
    "`kept.txt`:\n\n```diff\n-two\n+three\n```\n": "kept.txt holds this 0 times",
    "`kept.txt`:\n\n```diff\n-one\n+three\n```\n": "kept.txt holds this 2 times",
    "`kept.txt`:\n\n```text\none\n```\n": "a change of kept.txt is a diff",
    "```console\n$ false\n```\n": "\\$ false",
    "```console\n$ cat kept.txt\none\ntwo\n```\n": "does not say: two",
    "`kept.txt`, at its end:\n\n```text\ntwo\n```\n\n```console\n$ cat kept.txt\ntwo\none\n```\n": "does not say: one",
}


@pytest.mark.parametrize(("page", "told"), WRONG.items(), ids=WRONG.values())
def test_a_page_that_is_wrong_does_not_pass(tmp_path, page, told):
    (tmp_path / "kept.txt").write_text("one\none\n")
    with pytest.raises(AssertionError, match=told):
        Copy(tmp_path, dict(os.environ)).follow(page)
