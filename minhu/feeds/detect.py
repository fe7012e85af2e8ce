"""What a file of unknown origin is, and what of its values may be shown: words and shapes, never a citizen's value."""

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from minhu.errors import BadDelivery
from minhu.feeds.formats import Csv, Xlsx, encodings
from minhu.feeds.formats.cells import Book
from minhu.feeds.formats.encodings import decode
from minhu.feeds.formats.signatures import seen_in
from minhu.feeds.formats.unpack import looks_like, unpacked

if TYPE_CHECKING:
    import fastexcel

DELIMITERS = ",\t;|"
_HEAD = 30
"""Lines in which a header is looked for."""
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜"
    "范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文裘"
)
_COMPOUND = ("欧阳", "司马", "上官", "诸葛", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "令狐", "司徒")
_BODY = re.compile(
    r"(局|委|办|院|所|站|处|厅|部|镇|乡|街道|社区|村|公司|集团|中心|政府|法院|银行|学校|医院|队|会|社|区|县|市)$"
)
_PLACE = re.compile(r"[0-9０-９]+(号|幢|栋|室|单元|弄)|@")


# -- what may be shown --------------------------------------------------------------------------------------------


def shape(value: str) -> str:
    """How a value is written: 9 for a digit, A for a letter, 字 for a Chinese character; long runs as ``9{11}``."""
    plain = "".join(map(_kind, unicodedata.normalize("NFKC", value)))
    runs = re.sub(r"(9{5,}|A{5,}|字{5,})", lambda run: f"{run[0][0]}{{{len(run[0])}}}", plain)
    return runs if len(runs) <= 40 else runs[:39] + "…"


def _kind(char: str) -> str:
    if char.isdigit():
        return "9"
    if not char.isalpha():
        return char
    return "A" if char.isascii() else "字"


def number_free(value: str) -> bool:
    """Holds no number long enough to be somebody's (a phone, an ID, a birth date), no house number, no address."""
    digits = re.sub(r"[ \-－]", "", unicodedata.normalize("NFKC", value))
    return not re.search(r"\d{7}", digits) and not _PLACE.search(value)


def is_like_name(value: str) -> bool:
    """A Chinese personal name, or one made unrecognisable (王某, 李女士)."""
    if not re.fullmatch(r"[\u4e00-\u9fff·*＊]{2,4}", value) or _BODY.search(value):
        return False
    return value[0] in _SURNAMES or value.startswith(_COMPOUND)


def showable(value: str) -> bool:
    """Whether a word of a code column may be shown; a column mapped by mistake may hold anything."""
    return len(value) <= 30 and number_free(value) and not is_like_name(value)


# -- what a file is -----------------------------------------------------------------------------------------------


def detect_format(path: Path) -> dict:
    """The ``format`` of a declaration that reads ``path``. Raises BadDelivery where none does."""
    with path.open("rb") as file:
        compression = looks_like(file)
    with unpacked(path, Csv(type="csv", compression="auto")) as file:
        data = file.read()
    return _inside(data) | ({} if compression == "none" else {"compression": compression})


def _inside(data: bytes) -> dict:
    """The format of what is not packed, or no more."""
    if not data.strip():
        raise BadDelivery("EMPTY_FILE", "the file is empty; ask the sender for one with rows")
    what, mend = seen_in(data) or ("text", "")
    if what == "a workbook":
        return _xlsx(data)
    if what == "Parquet":
        return {"type": "parquet"}
    if what not in ("text", "XML"):
        raise BadDelivery("UNREADABLE", f"the file is {what}; {mend}")
    encoding = detect_encoding(data)
    if what == "XML" or _start(data, encoding) == "<":
        return _xml(data, encoding)
    text = decode(data, encoding)
    start = text.lstrip()[:1]
    if start in "[{":
        return _json(text)
    return {"type": "csv", "encoding": encoding} | _csv(text)


def detect_encoding(data: bytes) -> str:
    """As `formats.encodings` calls it. Raises BadDelivery WRONG_ENCODING when the bytes are none that it reads."""
    if found := encodings.looks_like(io.BytesIO(data)):
        return "utf-8" if found == "ascii" else found
    raise BadDelivery("WRONG_ENCODING", "neither UTF-8 nor GB18030; ask the sender to save the file as UTF-8")


def _start(data: bytes, encoding: str) -> str:
    """The first character that is no blank."""
    return data[:4096].decode(encoding, errors="ignore").lstrip("\ufeff \t\r\n")[:1]


def _csv(text: str) -> dict:
    """The delimiter at which most lines fall into equally many fields, and the lines before the header."""
    lines = list(islice(io.StringIO(text, newline=""), _HEAD))
    best, agreed = ",", (0, 0)
    for delimiter in DELIMITERS:
        width, count = _usual_width([row for _, row in _rows(lines, delimiter)])
        if (count, width) > agreed:
            best, agreed = delimiter, (count, width)
    rows = _rows(lines, best)
    skipped = rows[_titles([row for _, row in rows])][0] if rows else 0
    is_titled = any(line.strip("\r\n") for line in lines[:skipped])  # blank lines are no records anyhow
    return ({} if best == "," else {"delimiter": best}) | ({"skip_rows": skipped} if is_titled else {})


def _rows(lines: list[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """Each row that is not blank, and how many lines stand before it."""
    found, before, reader = [], 0, csv.reader(lines, delimiter=delimiter)
    with suppress(csv.Error):
        for row in reader:
            if any(cell.strip() for cell in row):
                found.append((before, row))
            before = reader.line_num
    return found


def _usual_width(rows: Sequence[Sequence]) -> tuple[int, int]:
    """The commonest number of fields above one, and how many rows have it."""
    counts = Counter(len(row) for row in rows if len(row) > 1)
    return max(counts.items(), key=lambda one: (one[1], one[0]), default=(1, 0))


def _titles(rows: Sequence[Sequence[str | None]]) -> int:
    """How many rows stand before the header: the first that fills three quarters of what the fullest one fills.

    Only rows of the usual width tell what is full: one with stray delimiters must not pass for a header.
    """
    filled = [sum(bool(cell and cell.strip()) for cell in row) for row in rows]
    width, _ = _usual_width(rows)
    fullest = max((count for row, count in zip(rows, filled, strict=True) if len(row) == width), default=1)
    return next((at for at, count in enumerate(filled) if fullest > 1 and count >= 0.75 * fullest), 0)


def _top(book: "fastexcel.ExcelReader", sheet: str) -> list[tuple[str | None, ...]]:
    """The first rows of a sheet as text, blank ones too."""
    read = book.load_sheet(sheet, header_row=None, skip_rows=0, n_rows=_HEAD, dtypes="string", dtype_coercion="coerce")
    return read.to_polars().rows()


def _xlsx(data: bytes) -> dict:
    """The widest sheet of those that are shown; in it title rows are counted from its very first row, be it blank."""
    import fastexcel

    try:
        book = fastexcel.read_excel(data)
        shown = [
            sheet.name for sheet in Book(data, Xlsx(type="xlsx").max_bytes).sheets if sheet.is_shown
        ] or book.sheet_names
        sheets = {sheet: _top(book, sheet) for sheet in shown}
    except fastexcel.FastExcelError:
        raise BadDelivery(
            "UNREADABLE", "not a workbook that can be read; ask the sender to save it as .xlsx again"
        ) from None
    widest = max(sheets, key=lambda sheet: max(map(len, sheets[sheet]), default=0))
    filled = [at for at, row in enumerate(sheets[widest]) if any(row)]
    titles = _titles([sheets[widest][at] for at in filled])
    is_alone = sum(any(map(any, rows)) for rows in sheets.values()) == 1
    sheet = {} if is_alone else {"sheet": widest}
    return {"type": "xlsx"} | sheet | ({"skip_rows": filled[titles]} if titles else {})


def _json(text: str) -> dict:
    try:
        data = json.loads(text, parse_int=str, parse_float=str)
    except RecursionError:
        raise BadDelivery("UNREADABLE", "the JSON is nested too deep; ask the sender for plain records") from None
    except json.JSONDecodeError as error:
        if _is_lines(text):
            return {"type": "json", "lines": True}
        raise BadDelivery(
            "UNREADABLE", f"not one JSON document: line {error.lineno}: {error.msg}; ask the sender"
        ) from None
    found = sorted(_arrays(data, ""), reverse=True)
    if not found:
        raise BadDelivery("UNREADABLE", "the JSON holds no array of objects; ask the sender for one with rows")
    records = found[0][1]
    return {"type": "json"} | ({"records": records} if records else {})


def _is_lines(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return all(isinstance(json.loads(line, parse_int=str), dict) for line in lines[:100])
    except (json.JSONDecodeError, RecursionError):
        return False


def _arrays(data: object, path: str) -> list[tuple[int, str]]:
    """(length, dotted path) of every array of objects that objects lead to."""
    if isinstance(data, list):
        return [(len(data), path)] if data and all(isinstance(one, dict) for one in data) else []
    if not isinstance(data, dict):
        return []
    return [found for key, value in data.items() for found in _arrays(value, f"{path}.{key}".lstrip("."))]


def _xml(data: bytes, encoding: str) -> dict:
    from lxml import etree

    from minhu.feeds.formats.xml_records import as_the_prolog_says

    counts: Counter[str] = Counter()
    declared = "auto"
    try:
        text, read_as = as_the_prolog_says(data, declared)
    except BadDelivery:  # the prolog is wrong: the bytes tell
        text, read_as = as_the_prolog_says(data, declared := encoding)
    try:
        for _, element in etree.iterparse(io.BytesIO(text), encoding=read_as, resolve_entities=False, no_network=True):
            if isinstance(element.tag, str) and len(element) and element.getparent() is not None:
                counts[element.tag] += 1
    except etree.XMLSyntaxError:
        raise BadDelivery("UNREADABLE", "not XML that can be read; ask the sender to mend it") from None
    if not counts:
        raise BadDelivery("UNREADABLE", "the XML holds no element with a record's fields; ask the sender")
    said = {} if declared == "auto" else {"encoding": declared}
    return {"type": "xml", "record": counts.most_common(1)[0][0]} | said
