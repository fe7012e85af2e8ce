"""A YAML file as it is written: its values, where each of its keys stands, and what no model would see any more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from minhu.declaration.slips import Slip, refuse, slip
from minhu.errors import BadDeclaration, foreign

if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Page:
    """One file. ``slips``: what is wrong with it as YAML, though it could be read."""

    path: Path
    text: str
    data: dict
    slips: list[Slip] = field(default_factory=list)

    @cached_property
    def _root(self) -> yaml.Node | None:
        return yaml.compose(self.text, _SafeLoader)

    def place(self, keys: Keys) -> tuple[int, int]:
        """How many of ``keys`` the file holds, and the line on which the innermost of them stands."""
        node: Any = self._root
        line = node.start_mark.line if node else 0
        for depth, key in enumerate(keys):
            found = _beneath(node, key)
            if found is None:
                return depth, line + 1
            line, node = found
        return len(keys), line + 1


def _beneath(node: object, key: str | int) -> tuple[int, yaml.Node] | None:
    """The line of a key of a node, and the node it leads to."""
    if isinstance(node, yaml.MappingNode):
        pairs = ((at.start_mark.line, value) for at, value in node.value if at.value == str(key))
        return next(pairs, None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line, node.value[key]
    return None


def dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))


class _Loader(_SafeLoader):
    """PyYAML keeps the last of two equal keys silently, and fails on a day that no calendar has; this one notes both.

    ``noted``: (line, key, English, Chinese).
    """

    noted: list[tuple[int, str, str, str]]


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    mapping: dict = {}
    lines: dict = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            loader.noted.append((line, "", "a key must be a word, not a list or a mapping", "键必须是一个词"))
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in mapping:
            both = f"lines {lines[key]} and {line}", f"第 {lines[key]} 行和第 {line} 行"
            loader.noted.append(
                (line, "", f"the key {key!r} is given twice, {both[0]}", f"键 {key} 写了两次：{both[1]}")
            )
            continue
        mapping[key], lines[key] = loader.construct_object(value_node, deep=True), line
    return mapping


def _day(loader: _Loader, node: yaml.ScalarNode) -> object:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        line = node.start_mark.line + 1
        loader.noted.append((line, "", f"{node.value} is no day of the calendar", f"日历上没有 {node.value} 这一天"))
        return node.value


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _day)


def read_page(path: Path) -> Page:
    """``path`` as it is written. Raises BadDeclaration where it is no YAML of keys and values."""
    text = _text(path)
    tabs = [
        Slip(path, number, "", "a tab; YAML is indented by blanks only", "行首用了制表符（Tab）；YAML 只能用空格缩进")
        for number, line in enumerate(text.splitlines(), start=1)
        if re.match(r" *\t\s*\S", line)
    ]
    text = re.sub(r"(?m)^[ \t]+", lambda indent: indent[0].replace("\t", "    "), text) if tabs else text
    data, noted = _load(path, text, tabs)
    if not isinstance(data, dict):
        found = type(data).__name__ if data is not None else "nothing"
        raise slip(path, 1, "", f"expected keys and values, found {found}", "这里应是“键: 值”，没有读到")
    return Page(path, text, data, [*tabs, *noted])


def _text(path: Path) -> str:
    try:
        with foreign.told("declaration", file=path):
            return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        en, zh = f"not UTF-8 (byte {error.start}); save the file as UTF-8", "不是 UTF-8 编码；请另存为 UTF-8"
        raise slip(path, line, "", en, zh) from None


def _load(path: Path, text: str, tabs: Sequence[Slip]) -> tuple[Any, list[Slip]]:
    """The values of a text, and what was noted on the way. Where it is no YAML, a tab is why, if there is one."""
    loader = _Loader(text)
    loader.noted = []
    try:
        data = loader.get_single_data()
    except (yaml.YAMLError, RecursionError) as error:
        refuse(tabs)
        raise _no_yaml(path, error) from None
    finally:
        loader.dispose()
    return data, [Slip(path, *one) for one in loader.noted]


def _no_yaml(path: Path, error: Exception) -> BadDeclaration:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    zh = "不是合法的 YAML：看这一行和上一行的缩进、冒号后的空格、引号和括号是否成对"
    return slip(path, mark.line + 1 if mark else 1, "", f"no YAML: {said}", zh)
