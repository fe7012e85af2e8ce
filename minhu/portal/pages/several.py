"""一次录入多条: a workbook or CSV with one act per row, tried first and told all that is wrong; then entered whole.

Nothing is kept between the two: the page of the trial carries the file, and what is confirmed is read and judged anew.
"""

import base64
import binascii
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from starlette.datastructures import UploadFile
from starlette.responses import Response

from minhu import assess
from minhu.assess.blank_sheet import ONE_OF, blank_sheet
from minhu.assess.files import LAYOUTS, Problem
from minhu.errors import Refused
from minhu.glossary.columns import HANDED_IN
from minhu.glossary.decided import ACT
from minhu.portal.answers import answer
from minhu.portal.asking import Ask, see
from minhu.portal.pages.inbox import ENTERS
from minhu.portal.shown import XLSX, saved_as

MOST = 500_000
"""Bytes of a file: some thousand rows."""
SHOWN = 200


@dataclass(frozen=True)
class Trial:
    """``content``: the file as the form carries it on. ``rows``: the first of them, each with its line and cells.
    ``wrong``: line, column and what is wrong with it.
    """

    name: str
    content: str
    heads: list[str]
    rows: list[tuple[int, list[str]]]
    wrong: list[tuple[int, str, str]]


def sheet(ask: Ask) -> Response:
    """The workbook to fill in."""
    act = _act(ask)
    name = saved_as(f"{getattr(ACT[act], ask.lang)}.xlsx")
    return Response(blank_sheet(act), media_type=XLSX, headers={"Content-Disposition": name})


def several(ask: Ask) -> Response:
    act = _act(ask)
    name, content = _sent(ask)
    if ask.written("content"):
        with suppress(Refused):  # something has changed since it was tried: the page tells which rows
            assess.record_table(ask.acts, act, name, content)
            return see(f"/inbox?done={act}")
    rows, problems = assess.try_table(ask.acts, act, name, content)
    used = [one.name for one in LAYOUTS[act] if any(one.name in row for _, row in rows)]
    trial = Trial(
        name,
        base64.b64encode(content).decode(),
        [getattr(HANDED_IN[code], ask.lang) for code in used],
        [(line, [_cell(ask, code, row.get(code)) for code in used]) for line, row in rows[:SHOWN]],
        [_told(ask, one) for one in sorted(problems, key=lambda one: one.line)][:SHOWN],
    )
    title = getattr(ACT[act], ask.lang)
    return ask.page("several.html", 400 if problems else 200, act=act, title=title, trial=trial, count=len(rows))


def _act(ask: Ask) -> str:
    act = ask.place("act")
    if act not in ENTERS.get(ask.person.group, ()) or act not in LAYOUTS:
        raise Refused(f"nothing is entered by the name of {act!r} here")
    return act


def _sent(ask: Ask) -> tuple[str, bytes]:
    """The file's name and bytes: just sent, or carried on from the trial."""
    file = ask.form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        name, content = file.filename, file.file.read(MOST + 1)
    else:
        try:
            name, content = ask.written("name") or "", base64.b64decode(ask.written("content") or "", validate=True)
        except binascii.Error:
            raise Refused("choose a file") from None
    if not content:
        raise Refused("choose a file")
    if len(content) > MOST:
        raise Refused(f"a file has up to {MOST // 1000} kB: send it in parts")
    return name[-100:], content


def _cell(ask: Ask, name: str, value: object) -> str:
    match value:
        case None:
            return "—"
        case bool():
            return ask.said("是") if value else ask.said("否")
        case list():
            return "、".join(map(str, value))
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
    return ONE_OF[name].said(str(value), ask.lang) if name in ONE_OF else str(value)


def _told(ask: Ask, problem: Problem) -> tuple[int, str, str]:
    name = problem.column.split(" ")[0] if problem.column else None
    column = getattr(HANDED_IN[name], ask.lang) if name else ""
    if column:
        return problem.line, column, answer(f"{column} {problem.what}", ask.lang) or problem.what
    return problem.line, "", answer(problem.what, ask.lang) or problem.what
