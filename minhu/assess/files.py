"""What people enter: a CSV or workbook with one act per row, its header in Chinese or by our names; or one form."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from minhu.errors import Refused, foreign
from minhu.glossary.cases import LEFT_OUT, VIOLATION
from minhu.glossary.columns import HANDED_IN
from minhu.glossary.decided import REMARK_STATE
from minhu.glossary.kind import Kind
from minhu.schemes.period import Period
from minhu.text_file import decoded

SHOWN = 20
"""So many wrong rows are told; a file with the wrong layout has more."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row. ``line``: of the file, its header being 1."""

    line: int
    column: str | None
    what: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.what}"


@dataclass(frozen=True)
class Column:
    """A column: its name, how its text is read. ``read`` raises ValueError."""

    name: str
    read: Callable[[str], object] = str
    is_required: bool = True

    @property
    def name_zh(self) -> str:
        """What its header says in Chinese."""
        return HANDED_IN.zh(self.name)

    @property
    def header(self) -> str:
        return f"{self.name} {self.name_zh}"


def _code(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError("is no code; write letters, digits, . _ or - and no blank")
    return text


def _one_of(kind: Kind) -> Callable[[str], str]:
    """A code, or what one of this kind is called in Chinese."""
    return lambda text: next((code for code in kind if kind.zh(code) == text), None) or _code(text)


def _codes(text: str) -> list[str] | None:
    return [_code(part.strip()) for part in re.split(r"[;；、,，]", text) if part.strip()] or None


def _period(text: str) -> str:
    try:
        return Period.parse(text).text
    except Refused:
        raise ValueError("is no period; write a month as 2026-10, a quarter as 2026-Q4 or a year as 2026") from None


def _moment(text: str) -> datetime:
    """Local time of the city, to the minute; seconds that an export shows are not needed."""
    try:
        return datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise ValueError("is no time; write it as the export does, 2026-10-12 09:00") from None


def _row(text: str) -> str:
    if not re.fullmatch(r"R\d{1,10}-\d{1,10}", text.upper(), re.ASCII):
        raise ValueError("is no row of a published result; write it as the export does, R3-117")
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise ValueError("is no day; write 2026-12-31") from None


def _whole(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,17}", text, re.ASCII):
        raise ValueError("is no number; write digits alone")
    return int(text)


def _points(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("is no number; write -2 or 1.5") from None


def _yes(text: str) -> bool:
    if text not in ("是", "否", "yes", "no", "true", "false"):
        raise ValueError("is neither yes nor no")
    return text in ("是", "yes", "true")


LAYOUTS = {
    "file_appeal": (
        Column("published_row", _row, is_required=False),
        Column("period", _period, is_required=False),
        Column("unit_code", _code, is_required=False),
        Column("feed_code", _code, is_required=False),
        Column("case_no", is_required=False),
        Column("dispatched_at", _moment, is_required=False),
        Column("assignment_id", _code, is_required=False),
        Column("is_whole_case", _yes, is_required=False),
        Column("indicator_codes", _codes, is_required=False),
        Column("grounds_code"),
        Column("statement"),
        Column("evidence_ref"),
        Column("scheme_id", _code, is_required=False),
    ),
    "enter_manual_point": (
        Column("scheme_id", _code),
        Column("period", _period),
        Column("unit_code", _code),
        Column("indicator_code", _code),
        Column("points", _points),
        Column("reason"),
        Column("evidence_ref"),
    ),
    "exclude": (
        Column("feed_code", _code),
        Column("case_no"),
        Column("assignment_id", _code, is_required=False),
        Column("indicator_codes", _codes, is_required=False),
        Column("reason_code", _one_of(LEFT_OUT)),
        Column("reason"),
        Column("evidence_ref", is_required=False),
    ),
    "enter_violation": (
        Column("unit_code", _code),
        Column("violation_code", _one_of(VIOLATION)),
        Column("found_at", _moment),
        Column("feed_code", _code, is_required=False),
        Column("case_no", is_required=False),
        Column("reason"),
        Column("evidence_ref", is_required=False),
    ),
}
"""What a file enters, one act per row."""

FORMS = LAYOUTS | {
    "waive": (
        Column("rule_id", _code),
        Column("feed_code", _code, is_required=False),
        Column("scheme_id", _code, is_required=False),
        Column("period", _period, is_required=False),
        Column("expires_on", _day),
        Column("reason"),
    ),
    "decide_appeal": (
        Column("appeal_id", _whole),
        Column("decision", _code),
        Column("reason_code", _code),
        Column("reason"),
        Column("from_revision", _whole, is_required=False),
    ),
    "withdraw_appeal": (Column("appeal_id", _whole), Column("reason")),
    "approve": (
        Column("subject_kind", _code),
        Column("subject_id", _code),
        Column("verdict", _code),
        Column("content_hash", _code, is_required=False),
        Column("reason"),
    ),
    "release_batch": (Column("batch_id", _whole), Column("reason")),
    "open_feedback": (Column("closing_id", _whole),),
    "remark": (
        Column("closing_id", _whole),
        Column("unit_code", _code, is_required=False),
        Column("indicator_code", _code, is_required=False),
        Column("feed_code", _code, is_required=False),
        Column("case_no", is_required=False),
        Column("statement"),
    ),
    "answer_remark": (Column("remark_id", _whole), Column("outcome", _one_of(REMARK_STATE)), Column("reason")),
}
"""What can be entered one by one: the fields of each act's form."""


def read_form(act: str, fields: Mapping[str, str]) -> dict[str, object]:
    """The arguments of ``act`` from a form's fields, blank ones left out. Raises Refused with all that is wrong."""
    row, wrong = _understood(FORMS[act], lambda column: fields.get(column.name, ""))
    if wrong:
        raise Refused("\n".join(f"{column.name_zh} {what}" for column, what in wrong))
    return row


def read_rows(act: str, path: Path) -> tuple[list[tuple[int, dict]], list[Problem]]:
    """`read_table` of a file."""
    with foreign.told("read text", file=path):
        content = path.read_bytes()
    return read_table(act, path.name, content)


def read_table(
    act: str, name: str, content: bytes, most: int | None = None
) -> tuple[list[tuple[int, dict]], list[Problem]]:
    """The rows of a file of this name, each with its line, and what is wrong with the others.

    Raises Refused when it cannot be read, has more rows than ``most``, or its header lacks or knows more than the
    layout of ``act``.
    """
    columns = LAYOUTS[act]
    table = _sheet(name, content) if content.startswith(b"PK\x03\x04") else _lines(name, content)
    rows: list[tuple[int, dict]] = []
    problems: list[Problem] = []
    places = _places(name, columns, next(table, (1, []))[1])
    filled = ((line, cells) for line, cells in table if any(cell.strip() for cell in cells))
    for number, (line, cells) in enumerate(filled, 1):
        if most and number > most:
            raise Refused(f"{name}: holds more than {most} rows: send it in parts")
        wrong, row = _read(columns, places, cells, line)
        problems += wrong
        if not wrong:
            rows.append((line, row))
    if not rows and not problems:
        raise Refused(f"{name}: holds no row below its header")
    return rows, problems


def _lines(name: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Each row of a CSV with the line that it begins on."""
    reader, line = csv.reader(io.StringIO(decoded(content, name), newline=""), strict=True), 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise Refused(f"{name}: line {line}: is no CSV ({error}); quote what holds a comma or a quote") from None


def _sheet(name: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Each row of a workbook's first sheet, as its cells are shown.

    It is read by a process of its own, of little memory and time: a workbook of a kilobyte can ask for all there is.
    """
    told = subprocess.run(
        [sys.executable, "-I", "-c", _READ_SHEET],
        input=content,
        capture_output=True,
        env={"POLARS_MAX_THREADS": "1", "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")},
        check=False,
    )
    if told.returncode:
        raise Refused(f"{name}: is no workbook that can be read; save it as .xlsx again")
    rows = json.loads(told.stdout)
    width = max((place for place, cell in enumerate(rows[0], 1) if cell.strip()), default=0) if rows else 0
    for line, cells in enumerate(rows, 1):
        yield line, cells if any(cell.strip() for cell in cells[width:]) else cells[:width]


# 2 GB are addresses, of which it uses a twentieth; 20 seconds of a processor are a hundred times what a sheet takes.
_READ_SHEET = """
import json, resource, sys
for limit, most in ((resource.RLIMIT_AS, 2 << 30), (resource.RLIMIT_CPU, 20), (resource.RLIMIT_CORE, 0)):
    resource.setrlimit(limit, (most, most))
import fastexcel
read = fastexcel.read_excel(sys.stdin.buffer.read())
sheet = read.load_sheet(0, header_row=None, skip_rows=0, dtypes="string", dtype_coercion="coerce")
json.dump([[cell or "" for cell in row] for row in sheet.to_polars().rows()], sys.stdout)
"""


def refusal(name: str, problems: list[Problem]) -> Refused:
    """All that is wrong, in one error: nothing of the file was entered."""
    told = sorted(problems, key=lambda problem: problem.line)
    more = [f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
    lines = [*map(str, told[:SHOWN]), *more]
    return Refused(f"{name}: nothing was entered; mend and send it again\n" + "\n".join(f"  {one}" for one in lines))


def _places(name: str, columns: tuple[Column, ...], header: list[str]) -> dict[str, int]:
    """Where each column stands."""
    known = {label: column.name for column in columns for label in (column.name, column.name_zh)}
    names = [known.get(label.strip()) for label in header]
    layout = ", ".join(column.header for column in columns)
    missing = [column.header for column in columns if column.is_required and column.name not in names]
    if missing:
        raise Refused(f"{name}: line 1: the header lacks {', '.join(missing)}; the columns are {layout}")
    if None in names:
        place = names.index(None) + 1
        raise Refused(
            f"{name}: line 1: the header has a name we do not know in column {place}; the columns are {layout}"
        )
    if len(set(names)) < len(names):
        raise Refused(f"{name}: line 1: the header has a column twice; the columns are {layout}")
    return {name: place for place, name in enumerate(names) if name}


def _read(
    columns: tuple[Column, ...], places: dict[str, int], cells: list[str], line: int
) -> tuple[list[Problem], dict[str, object]]:
    if len(cells) != len(places):
        return [Problem(line, None, f"has {len(cells)} cells where the header has {len(places)}; quote commas")], {}
    row, wrong = _understood(columns, lambda column: cells[places[column.name]] if column.name in places else "")
    return [Problem(line, column.header, what) for column, what in wrong], row


def _understood(
    columns: tuple[Column, ...], written: Callable[[Column], str]
) -> tuple[dict[str, object], list[tuple[Column, str]]]:
    """What is written in each column, blank ones left out; and of which columns what is wrong."""
    row, wrong = {}, []
    for column in columns:
        text = written(column).strip()
        if "\0" in text:
            wrong.append((column, "holds a character that no text has; type it again"))
        elif text:
            try:
                row[column.name] = column.read(text)
            except ValueError as error:
                wrong.append((column, str(error)))
        elif column.is_required:
            wrong.append((column, "is blank; it must be filled"))
    return row, wrong
