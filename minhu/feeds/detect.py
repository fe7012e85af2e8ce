"""What a file of unknown origin is, and what of its values may be shown: words and shapes, never a citizen's value."""

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

from minhu.errors import BadDelivery

DELIMITERS = ",\t;|"
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
    data = path.read_bytes()
    if not data.strip():
        raise BadDelivery("EMPTY_FILE", f"{path.name} is empty; ask the sender for a file with rows")
    if data.startswith(b"PK\x03\x04"):
        return _xlsx(path)
    if data.startswith((b"\x1f\x8b", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise BadDelivery("UNREADABLE", f"{path.name} is packed, an old .xls or a PDF; save it as CSV or .xlsx first")
    encoding = detect_encoding(data)
    text = data.decode("utf-8-sig" if encoding.startswith("utf-8") else encoding)
    start = text.lstrip()[:1]
    if start == "<":
        return _xml(path)
    if start in "[{":
        return _json(text)
    return {"type": "csv", "encoding": encoding} | _delimiter(text)


def detect_encoding(data: bytes) -> str:
    """utf-8-sig, utf-8 or gb18030. Raises BadDelivery WRONG_ENCODING when the bytes are none of them."""
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    for encoding in ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    raise BadDelivery("WRONG_ENCODING", "neither UTF-8 nor GB18030; ask the sender to save the file as UTF-8")


def _delimiter(text: str) -> dict:
    lines = "\n".join(text.splitlines()[:30])
    best, width = ",", 1
    for delimiter in DELIMITERS:
        counts = Counter(len(row) for row in csv.reader(io.StringIO(lines), delimiter=delimiter) if row)
        common = max(counts, key=counts.get) if counts else 1
        if common > width:
            best, width = delimiter, common
    return {} if best == "," else {"delimiter": best}


def _xlsx(path: Path) -> dict:
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
        widths = {name: book.load_sheet(name, header_row=None, n_rows=5).width for name in book.sheet_names}
    except fastexcel.FastExcelError:
        raise BadDelivery("UNREADABLE", f"{path.name} is not a workbook that can be read") from None
    widest = max(widths, key=widths.get)
    return {"type": "xlsx"} if widest == book.sheet_names[0] else {"type": "xlsx", "sheet": widest}


def _json(text: str) -> dict:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        if _is_lines(text):
            return {"type": "json", "lines": True}
        raise BadDelivery("UNREADABLE", f"not one JSON document: line {error.lineno}: {error.msg}") from None
    found = sorted(_arrays(data, ""), reverse=True)
    if not found:
        raise BadDelivery("UNREADABLE", "the JSON holds no array of objects")
    records = found[0][1]
    return {"type": "json"} | ({"records": records} if records else {})


def _is_lines(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return all(isinstance(json.loads(line), dict) for line in lines[:100])
    except json.JSONDecodeError:
        return False


def _arrays(data: object, path: str) -> list[tuple[int, str]]:
    """(length, dotted path) of every array of objects that objects lead to."""
    if isinstance(data, list):
        return [(len(data), path)] if data and all(isinstance(one, dict) for one in data) else []
    if not isinstance(data, dict):
        return []
    return [found for key, value in data.items() for found in _arrays(value, f"{path}.{key}".lstrip("."))]


def _xml(path: Path) -> dict:
    from lxml import etree

    counts: Counter[str] = Counter()
    try:
        for _, element in etree.iterparse(str(path), resolve_entities=False, no_network=True):
            if isinstance(element.tag, str) and len(element) and element.getparent() is not None:
                counts[element.tag] += 1
    except etree.XMLSyntaxError:
        raise BadDelivery("UNREADABLE", f"{path.name} is not XML that can be read") from None
    if not counts:
        raise BadDelivery("UNREADABLE", f"{path.name} holds no element with a record's fields")
    return {"type": "xml", "record": counts.most_common(1)[0][0]}
