"""What a scaled-out warehouse (Citus) cannot run, found in the text of SQL.

Of single queries these fail: `merge`, `grouping sets` and their like, `not in (subquery)`, and subqueries that are tied
to the query around them by another key than the distribution key. That none of them is used does not mean that the
warehouse runs there: docs/decisions/database.md says why it does not. The text is read as the house writes it: every
column of an outer query stands behind the name or the alias of its table.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

DISTRIBUTION_KEYS = ("case_id", "root_case_id")
"""Columns by which facts lie together: a subquery tied to the outer row by one of these stays on its worker."""

_NEVER = {
    "merge": r"\bmerge\s+into\b",
    "grouping sets": r"\b(grouping\s+sets|rollup|cube)\s*\(",
    "not in (subquery)": r"\bnot\s+in\s*\(\s*(select|with)\b",
    "<> all (subquery)": r"(<>|!=)\s*all\s*\(\s*(select|with)\b",
}
_CONTROL = ("audit.", "config.")  # lists of batches, builds and rules: small, and never spread over workers
_WORDS = "on|using|where|inner|left|right|full|cross|join|group|order|union|limit|having|window|for|tablesample"
_TABLE = re.compile(rf"\b(?:from|join)\s+(?:only\s+|lateral\s+)?([\w.]+|\(\))(?:\s+(?:as\s+)?(?!(?:{_WORDS})\b)(\w+))?")


def wrong(text: str) -> list[str]:
    """The constructs in ``text`` (SQL, or a dbt model before it is rendered) that do not run, each named."""
    plain = _plain(text)
    found = [name for name, pattern in _NEVER.items() if re.search(pattern, plain)]
    return found + [f"correlated subquery on {column}" for column in _correlated(plain, frozenset(), frozenset())]


def sql_of(module: Path) -> Iterator[tuple[int, str]]:
    """The SQL in a Python file: its strings, with what an f-string puts in read as a name. Line, text."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, node.value


def _plain(text: str) -> str:
    """Lower case; without comments, jinja and what stands in quotes; a source is a table, a call of jinja a name."""
    text = re.sub(r"\{\{\s*source\('(\w+)', '(\w+)'\)\s*\}\}", r"\1.\2", text)
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"\{\{.*?\}\}", "x", text, flags=re.DOTALL)
    return re.sub(r"'[^']*'", "''", text).lower()


def _correlated(text: str, outer: frozenset[str], control: frozenset[str]) -> Iterator[str]:
    """Columns of the tables around (``outer``) that a subquery is tied to, where no distribution key ties it too.

    ``control``: common table expressions that read nothing but lists of the control plane.
    """
    own, groups = _flat(text)
    names = frozenset(alias or table.rpartition(".")[2] for table, alias in _TABLE.findall(own))
    for before, group in groups:
        named = re.search(r"(\w+)\s+as(\s+(not\s+)?materialized)?\s*$", before)
        is_query = re.match(r"\s*(select|with)\b", group)
        if named or not is_query:
            yield from _correlated(group, outer if named else outer | names, control)
        elif re.search(r"\b(from|join|union|all|except|intersect)\s*$", before):
            yield from _ties(group, outer)
            yield from _correlated(group, outer, control)
        else:  # in an expression, or lateral
            if not _is_control(group, control):
                yield from _ties(group, outer | names)
            yield from _correlated(group, outer | names, control)
        if named and _is_control(group, control):
            control |= {named[1]}


def _is_control(query: str, control: frozenset[str]) -> bool:
    tables = [table for table, _ in _TABLE.findall(query) if table != "()"]
    return all(table.startswith(_CONTROL) or table in control for table in tables)


def _ties(query: str, around: frozenset[str]) -> list[str]:
    own, _ = _flat(query)
    far = around - {alias or table.rpartition(".")[2] for table, alias in _TABLE.findall(own)}
    own = re.sub(r"\b(from|join)\s+[\w.]+", " ", own)  # a schema may be called like a table
    ties = [column for name in sorted(far) for column in re.findall(rf"(?<![\w.]){name}\.(\w+)", own)]
    is_by_key = any(
        re.search(rf"\b{name}\.{key}\s*=\s*\w+\.\w+|\w+\.\w+\s*=\s*{name}\.{key}\b", own)
        for name in far
        for key in DISTRIBUTION_KEYS
    )
    return [] if is_by_key else ties


def _flat(text: str) -> tuple[str, list[tuple[str, str]]]:
    """``text`` with empty brackets, and for each bracket what stands before it and what stood in it."""
    own, groups, start, depth = [], [], 0, 0
    for at, letter in enumerate(text):
        if letter == "(":
            if depth == 0:
                own.append(text[start : at + 1])
                start = at + 1
            depth += 1
        elif letter == ")" and depth:
            depth -= 1
            if depth == 0:
                groups.append(("".join(own)[:-1], text[start:at]))
                start = at
    return "".join(own) + text[start:], groups
