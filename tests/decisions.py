"""The decisions of ``docs/decisions``: read in their one form, indexed, sealed.

``python -m tests.decisions`` writes the titles into the index and seals what is new or noted. It refuses changed text
without a new dated line, and a dated line or an entry that is gone. Where a link leads, how lines are broken and which
tests guard an entry is no text of it.
"""

import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from minhu.settings import PROJECT_ROOT

ROOT = PROJECT_ROOT / "docs" / "decisions"
READINGS = (
    *("assignments", "returns-and-ends", "limits", "senders", "units", "matters", "satisfaction", "counting", "scores"),
    *("lost-points", "people", "publication", "audit", "quality-gates"),
)
"""Topics of entries that decide over a point: they have a worked example."""
CHOICES = ("loading", "privacy", "builds", "database", "house")

_ENTRY = re.compile(r'^<a id="(.+)"></a>\n(#{3,4}) (.+)\n', re.MULTILINE)
_FIELD = re.compile(r"^- \*\*(Since|Replaced|Why|Example|Guard|Noted)\b\.?", re.MULTILINE)
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_NAMED = re.compile(r"\]\([a-z-]*(?:\.md)?#([a-z0-9-]+)\)")
_LISTED = re.compile(r"(<!-- entries -->\n).*(<!-- /entries -->)", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """``fields``: each label and what stands behind it; ``replaced_by``: the id of what holds in its place."""

    topic: str
    id: str
    title: str
    text: str
    is_below: bool
    fields: tuple[tuple[str, str], ...]
    replaced_by: str

    @property
    def link(self) -> str:
        return f"[{self.title}]({self.topic}.md#{self.id})"

    @property
    def dated(self) -> tuple[str, ...]:
        """The lines that say what became of it: notes, and by what it was replaced."""
        return tuple(told for label, told in self.fields if label in ("Replaced", "Noted"))

    @property
    def seal(self) -> tuple[str, ...]:
        """A hash of the text, then one of each dated line, oldest first."""
        told = [self.title, self.text, *(told for label, told in self.fields if label in ("Since", "Why", "Example"))]
        return tuple(map(_hash, ("\n".join(told), *self.dated)))

    def __getitem__(self, label: str) -> str:
        return next((told for one, told in self.fields if one == label), "")


class Unsealed(Exception):
    """An entry was changed or taken out as none may be."""


def _plain(text: str) -> str:
    return " ".join(_LINK.sub(r"\1", text).replace("**", "").split())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read(topic: str, text: str) -> list[Entry]:
    """The entries of a topic's page, in its order."""
    _head, *parts = _ENTRY.split(text)
    return [_entry(topic, *parts[at : at + 4]) for at in range(0, len(parts), 4)]


def _entry(topic: str, name: str, level: str, title: str, body: str) -> Entry:
    text, *rest = _FIELD.split(body)
    fields = list(zip(rest[::2], rest[1::2], strict=True))
    return Entry(
        topic,
        name,
        title,
        _plain(text),
        level == "####",
        tuple((label, _plain(told)) for label, told in fields),
        next((_NAMED.search(told)[1] for label, told in fields if label == "Replaced"), ""),
    )


def entries(root: Path = ROOT) -> list[Entry]:
    topics = (*READINGS, *CHOICES)
    return [one for topic in topics for one in read(topic, (root / f"{topic}.md").read_text(encoding="utf-8"))]


def index(told: list[Entry]) -> str:
    """The list of titles as the index shows it."""
    lines = []
    for heading, topics in (("Readings of the rules", READINGS), ("Choices of design", CHOICES)):
        lines += [f"## {heading}", ""]
        for topic in topics:
            name = re.match(r"# (.+)\n", (ROOT / f"{topic}.md").read_text(encoding="utf-8"))[1]
            lines += [f"### [{name}]({topic}.md)", ""]
            lines += [f"- {one.link}" for one in told if one.topic == topic and not one.is_below] + [""]
    lines += ["## What no longer holds", ""]
    links = {one.id: one.link for one in told}
    lines += [f"- {one.link}. Now: {links[one.replaced_by]}" for one in told if one.is_below] + [""]
    return "\n".join(lines)


def with_index(page: str, told: list[Entry]) -> str:
    return _LISTED.sub(lambda found: f"{found[1]}\n{index(told)}\n{found[2]}", page)


def seals(root: Path = ROOT) -> dict[str, tuple[str, ...]]:
    lines = (root / "seals.txt").read_text(encoding="utf-8").splitlines() if (root / "seals.txt").exists() else []
    return {name: tuple(hashes) for name, *hashes in map(str.split, lines)}


def sealed(told: list[Entry], before: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The seals of today; refused where an entry was edited without a new dated line, or something was taken out."""
    now = {one.id: one.seal for one in told}
    for name, (text, *dated) in before.items():
        if name not in now:
            raise Unsealed(f"{name} is gone: an entry that no longer holds stands below the one that replaced it")
        if list(now[name][1 : len(dated) + 1]) != dated:
            raise Unsealed(f"{name}: a dated line was changed or taken out")
        if now[name][0] != text and len(now[name]) == len(dated) + 1:
            raise Unsealed(f"{name} was edited: add `- **Noted <date>.** <what changed>` behind its guard")
    return now


def main() -> None:
    told = entries()
    try:
        now = sealed(told, seals())
    except Unsealed as wrong:
        sys.exit(f"docs/decisions: {wrong}")
    page = ROOT / "README.md"
    page.write_text(with_index(page.read_text(encoding="utf-8"), told), encoding="utf-8")
    lines = [" ".join((name, *seal)) for name, seal in sorted(now.items())]
    (ROOT / "seals.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
