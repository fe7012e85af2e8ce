"""Inputs that people really meet: what arrives, and what a sensible user expects of it.

One table for every way in: `test_cases.py` reads each file and judges it at the door; whoever has another source runs
the same table through that (``file`` is how a sender would call it). The kinds are those of public bug reports, the
bytes are made here.
"""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl
import xlsxwriter

NAMES = ("工单编号", "受理时间", "标题", "内容", "电话")
AT = "2026-10-12 08:00:00"
FEED = {
    "code": "real",
    "name": "真实来件",
    "owner": "局",
    "schedule": "0 1 * * *",
    "deliveries": [
        {
            "name": "cases",
            "kind": "case",
            "source": {"type": "drop_folder", "path": "real/工单_{date}*"},
            "format": {"type": "csv"},
            "columns": {
                "case_no": "工单编号",
                "received_at": "受理时间",
                "title": "标题",
                "content": "内容",
                "caller_phone": "电话",
            },
            "optional_columns": ["标题", "内容", "电话"],
            "max_rejected_pct": 70,
        }
    ],
}


@dataclass(frozen=True)
class Case:
    """``format``: as it is declared. ``staged``: the numbers of the cases that get in, in the file's order.

    ``rejected``: row of the file, from 1 → reason. ``notes``: code → rows; only these are looked at. ``contents``: what
    the staged rows hold as 内容, where that is the point. ``refused``, ``held``: the code for which the file is refused
    whole or its batch waits; ``told``: what the refusal says. ``formats``: how times are declared. ``received``: when
    the first case came, in UTC, where that is the point.
    """

    format: Mapping
    data: bytes
    staged: tuple[str, ...] = ()
    rejected: Mapping[int, str] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    contents: tuple[str | None, ...] | None = None
    refused: str = ""
    told: str = ""
    held: str = ""
    formats: tuple[str, ...] = ()
    received: str = ""
    file: str = "工单_20261012"


# -- how the files are made ---------------------------------------------------------------------------------------


def row(number: str, content: str = "漏水", title: str = "甲", phone: str = "") -> tuple[str, ...]:
    return (number, AT, title, content, phone)


def text(*rows: tuple[str, ...], end: str = "\n", names: tuple[str, ...] = NAMES) -> str:
    return "".join(",".join(cells) + end for cells in (names, *rows))


A = text(row("A1"), row("A2", "噪音", "乙"), row("A3", "停电", "丙"))
ALL = ("A1", "A2", "A3")


def book(build: Callable[[xlsxwriter.Workbook], object], **options: object) -> bytes:
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, options) as made:
        build(made)
    return data.getvalue()


def sheet(
    made: xlsxwriter.Workbook, *rows: tuple, name: str = "工单", first: int = 0
) -> xlsxwriter.worksheet.Worksheet:
    """A sheet with the usual header."""
    page = made.add_worksheet(name)
    for at, cells in enumerate((NAMES, *rows), start=first):
        page.write_row(at, 0, cells)
    return page


def zipped(name: str | bytes, content: bytes, *, is_encrypted: bool = False) -> bytes:
    """A zip of one file; ``name`` in bytes is written as it is, in whatever encoding."""
    data = io.BytesIO()
    plain = "x" * len(name) if isinstance(name, bytes) else name
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(plain, content)
    made = data.getvalue()
    if isinstance(name, bytes):
        made = made.replace(plain.encode(), name)
    if is_encrypted:  # the flag alone: nobody gets as far as the password
        local, central = bytearray(made), made.index(b"PK\x01\x02")
        local[6] |= 1
        local[central + 8] |= 1
        made = bytes(local)
    return made


def parquet(**columns: object) -> bytes:
    data = io.BytesIO()
    pl.DataFrame(columns).write_parquet(data)
    return data.getvalue()


def objects(*numbers: str) -> list[dict[str, str]]:
    return [dict(zip(NAMES, row(number), strict=True)) for number in numbers]


def xml(*numbers: str, inside: str = "漏水") -> str:
    rows = "".join(
        f"<r><工单编号>{number}</工单编号><受理时间>{AT}</受理时间><内容>{inside}</内容></r>" for number in numbers
    )
    return f"<rows>{rows}</rows>"


def two_sheets(made: xlsxwriter.Workbook) -> None:
    sheet(made, row("A1"), name="10月上")
    sheet(made, row("A2"), name="10月下")


def a_page_of_words(made: xlsxwriter.Workbook) -> None:
    sheet(made, row("A1"))
    made.add_worksheet("说明").write_column(0, 0, ["字段", "口径"])
    made.add_worksheet("Sheet3")


def hidden_first(made: xlsxwriter.Workbook) -> None:
    sheet(made, row("旧1"), name="字典").hide()
    sheet(made, row("A1")).activate()


def all_hidden(made: xlsxwriter.Workbook) -> None:
    sheet(made, row("A1")).hide()
    made.add_worksheet("空").activate()


def errors(made: xlsxwriter.Workbook) -> None:
    page = sheet(made, row("A1"), row("A2"), row("A3"), row("A4"))
    page.write_formula(1, 2, "=NA()", value="#N/A")
    page.write_formula(2, 3, "=1/0", value="#DIV/0!")
    page.write_formula(3, 3, '="漏"&"水"', value="漏水")
    page.write_formula(4, 0, "=VLOOKUP(1,B:C,2)", value="#REF!")


def uncomputed(made: xlsxwriter.Workbook) -> None:
    sheet(made, row("A1"), row("A2")).write_formula(2, 3, '="漏"&"水"', value="")


def merged(made: xlsxwriter.Workbook) -> None:
    page = sheet(made, row("A1"), row("A2"), row("A3"))
    page.merge_range(1, 3, 2, 3, "同一事", made.add_format())


def wide(made: xlsxwriter.Workbook) -> None:
    page = sheet(made, row("A1"), row("A2"))
    page.merge_range(2, 2, 2, 3, "一格", made.add_format())


def long_numbers(made: xlsxwriter.Workbook) -> None:
    page = sheet(made, row("A1"), row("A2"), row("A3"))
    page.write_number(1, 0, 330108202610120001)
    page.write_number(2, 0, 20261012000123)
    page.write_string(3, 0, "330108202610120003")


def milliseconds(made: xlsxwriter.Workbook) -> None:
    shown = made.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
    sheet(made, row("A1")).write_number(1, 1, 46307 + (8 * 3600 + 5.123) / 86400, shown)


def serials(made: xlsxwriter.Workbook) -> None:
    """2026-10-12 08:00 as a bare number of days since 1904; since 1900 that is 1462 days before."""
    sheet(made, row("A1")).write_number(1, 1, 46307 - 1462 + 1 / 3)


CSV, GB = {"type": "csv"}, {"type": "csv", "encoding": "gb18030"}
XLSX, JSON, LINES = {"type": "xlsx"}, {"type": "json"}, {"type": "json", "lines": True}
XML, PARQUET = {"type": "xml", "record": "r"}, {"type": "parquet"}
FOOTER, TOTAL = {"footer_pattern": "合计"}, ("合计", "3", "", "", "")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 504
BILLION = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "a" * 10}">' for n in range(12))
OWN_ENTITIES = '<!DOCTYPE rows [<!ENTITY nbsp "&#160;"><!ENTITY co "城管局">]>'
NIL = (
    '<rows xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><r id="7"><工单编号>A1</工单编号>'
    f'<受理时间>{AT}</受理时间><标题 xsi:nil="true"/><内容><![CDATA[a<b]]></内容></r></rows>'
)
LONG = "长" * 700_000

CASES: dict[str, Case] = {
    # -- line ends, footers, lines that are no records -------------------------------------------------------------
    "CR line ends with a counted footer": Case(
        CSV | {"footer_rows": 1},
        text(row("A1"), row("A2"), row("A3"), TOTAL, end="\r").encode(),
        ALL,
        notes={"FOOTER_LINES": 1},
    ),
    "CR line ends with a footer by its words, in GB18030": Case(
        GB | FOOTER,
        text(row("A1"), row("A2"), row("A3"), TOTAL, end="\r").encode("gb18030"),
        ALL,
        notes={"FOOTER_LINES": 1},
    ),
    "CRLF behind the header, CR behind the records": Case(
        CSV | FOOTER,
        text(end="\r\n").encode() + text(row("A1"), row("A2"), TOTAL, end="\r").partition("\r")[2].encode(),
        ("A1", "A2"),
        notes={"FOOTER_LINES": 1},
    ),
    "LF to begin with, CR at the end": Case(
        CSV | FOOTER,
        (A.rstrip("\n") + "\r" + ",".join(TOTAL) + "\r").encode(),
        ALL,
        notes={"FOOTER_LINES": 1},
    ),
    "title lines, a footer and blank lines": Case(
        CSV | FOOTER | {"skip_rows": 2},
        f"十月工单\r\n制表：处\r\n{text(row('A1'), end=chr(13) + chr(10))}\r\n\r\n合计,1\r\n\r\n".encode(),
        ("A1",),
        notes={"TITLE_LINES": 2, "FOOTER_LINES": 1, "BLANK_LINES": 3},
    ),
    "blank lines between records": Case(CSV, A.replace("A2", "\n\nA2").encode(), ALL, notes={"BLANK_LINES": 2}),
    "a header alone": Case(CSV, text().encode()),
    "a header, a footer and no row between them": Case(
        CSV | FOOTER, text(TOTAL).encode(), notes={"FOOTER_LINES": 1}, held="NO_ROWS"
    ),
    # -- quotes ----------------------------------------------------------------------------------------------------
    "a stray quote swallows the next record, and the fields fit": Case(
        CSV,
        (text(row("A1"), row("A2", '"三楼')) + f'A3,{AT},乙,噪音",\n' + ",".join(row("A4")) + "\n").encode(),
        ("A1", "A2", "A4"),
        notes={"STRAY_QUOTE": 1},
    ),
    "line breaks and commas in quotes are a cell's": Case(
        CSV, text(row("A1", '"一,\n二\r\n三"'), row("A2")).encode(), ("A1", "A2"), contents=("一,\n二\r\n三", "漏水")
    ),
    "quotes in a quoted cell that are not doubled": Case(
        CSV,
        text(row("A1"), row("A2", '"他说"不行"，没人管"'), row("A3", '"三,楼"')).encode(),
        ("A1", "A3"),
        {2: "BAD_QUOTE"},
        contents=("漏水", "三,楼"),
    ),
    "a quote that is never closed": Case(
        CSV, text(row("A1"), row("A2", '"漏水'), row("A3"), row("A4")).encode(), ("A1", "A3", "A4"), {2: "BAD_QUOTE"}
    ),
    "a file that ends within quotes": Case(
        CSV,
        text(row("A1"), row("A2"), row("A3", '"漏'))[:-3].encode(),
        refused="UNREADABLE",
        told="line 4.*send it again",
    ),
    "a cell of 700,000 characters": Case(CSV, text(row("A1", LONG)).encode(), ("A1",), contents=(LONG,)),
    # -- bytes -----------------------------------------------------------------------------------------------------
    "one character cut in half in GB18030": Case(
        GB,
        A.encode("gb18030").replace("噪音".encode("gb18030"), "噪音".encode("gb18030")[:-1]),
        ("A1", "A3"),
        {2: "BAD_BYTES"},
    ),
    "one character cut in half in UTF-8": Case(
        CSV, A.encode().replace("噪音".encode(), "噪音".encode()[:-1]), ("A1", "A3"), {2: "BAD_BYTES"}
    ),
    "one byte 0x80 in GB18030": Case(
        GB, A.encode("gb18030").replace(b"A3,", b"A3\x80,"), ("A1", "A2"), {3: "BAD_BYTES"}
    ),
    "one byte 0x80, the encoding found out": Case(
        CSV | {"encoding": "auto"}, A.encode("gb18030").replace(b"A3,", b"A3\x80,"), ("A1", "A2"), {3: "BAD_BYTES"}
    ),
    "one NUL": Case(CSV, A.encode().replace("乙".encode(), b"\x00"), ("A1", "A3"), {2: "BAD_BYTES"}),
    "NULs to the end, as after a crash": Case(CSV, A.encode() + bytes(4096), refused="UNREADABLE", told="byte.*again"),
    "a file that ends within a character": Case(
        GB, A.rstrip(",\n").encode("gb18030")[:-1], refused="UNREADABLE", told="within a character.*again"
    ),
    "four-byte GB18030": Case(GB, text(row("A1", "㐂𠮷")).encode("gb18030"), ("A1",), contents=("㐂𠮷",)),
    "UTF-16 with a byte-order mark": Case(CSV | {"encoding": "utf-16"}, A.encode("utf-16"), ALL),
    "UTF-16 without a byte-order mark": Case(
        CSV | {"encoding": "utf-16"}, A.encode("utf-16-le"), refused="WRONG_ENCODING", told="UTF-16LE.*utf-16le"
    ),
    "UTF-16 without a byte-order mark, for UTF-8": Case(
        CSV, A.encode("utf-16-be"), refused="WRONG_ENCODING", told="UTF-16BE.*utf-16be"
    ),
    "UTF-16 without a byte-order mark, declared": Case(CSV | {"encoding": "utf-16le"}, A.encode("utf-16-le"), ALL),
    "UTF-8 declared, GB18030 sent": Case(CSV, A.encode("gb18030"), refused="WRONG_ENCODING", told="GB18030.*mend"),
    "GB18030 declared, UTF-8 sent": Case(GB, A.encode(), refused="WRONG_ENCODING", told="UTF-8.*mend"),
    # -- files that are something else -----------------------------------------------------------------------------
    "a zip with a password": Case(
        CSV | {"compression": "zip"},
        zipped("张三13800001111.csv", A.encode(), is_encrypted=True),
        refused="UNREADABLE",
        told="password.*without one",
    ),
    "a RAR archive": Case(CSV, b"Rar!\x1a\x07\x01\x00" + bytes(99), refused="UNREADABLE", told="RAR.*zip"),
    "a 7z archive": Case(CSV, b"7z\xbc\xaf\x27\x1c" + bytes(99), refused="UNREADABLE", told="7z.*zip"),
    "an old workbook": Case(
        XLSX, OLE + "Workbook".encode("utf-16-le"), refused="UNREADABLE", told=r"old workbook \(\.xls\).*\.xlsx"
    ),
    "a protected workbook": Case(
        XLSX, OLE + "EncryptedPackage".encode("utf-16-le"), refused="UNREADABLE", told="password.*without one"
    ),
    "a page of HTML named .xls": Case(
        XLSX, b"\xef\xbb\xbf \n<html><table><tr><td>A1</table>", refused="UNREADABLE", told=r"HTML.*\.xlsx"
    ),
    "a page of HTML for CSV": Case(CSV, b"<!DOCTYPE html><p>login", refused="UNREADABLE", told="HTML"),
    "a PDF": Case(CSV, b"%PDF-1.7\n", refused="UNREADABLE", told="PDF.*CSV"),
    "a workbook for CSV": Case(CSV, book(two_sheets), refused="UNREADABLE", told="workbook.*xlsx"),
    "CSV named .xlsx": Case(XLSX, A.encode(), refused="UNREADABLE", told="text.*csv"),
    "a member's name in GBK": Case(
        CSV | {"compression": "zip", "member": "工单*.csv"}, zipped("工单1.csv".encode("gbk"), A.encode()), ALL
    ),
    "gzip after gzip": Case(
        CSV | {"compression": "gzip"}, gzip.compress(A.encode()[:50]) + gzip.compress(A.encode()[50:]), ALL
    ),
    # -- workbooks -------------------------------------------------------------------------------------------------
    "two sheets of records": Case(
        XLSX, book(two_sheets), refused="BAD_HEADER", told="2 sheets hold records.*format.sheet"
    ),
    "two sheets of records, one of them declared": Case(
        XLSX | {"sheet": "10月下"}, book(two_sheets), ("A2",), notes={"OTHER_SHEETS": 1}
    ),
    "a sheet with a page of words beside it": Case(XLSX, book(a_page_of_words), ("A1",), notes={"OTHER_SHEETS": 1}),
    "a first sheet that is hidden": Case(XLSX, book(hidden_first), ("A1",), notes={"OTHER_SHEETS": 1}),
    "records in hidden sheets alone": Case(XLSX, book(all_hidden), refused="EMPTY_FILE", told="空|sheet.*hidden"),
    "cells with errors": Case(
        XLSX, book(errors), ("A1", "A2", "A3"), {4: "MISSING_VALUE"}, {"ERROR_CELLS": 3}, ("漏水", None, "漏水")
    ),
    "a formula without a saved result": Case(
        XLSX, book(uncomputed), ("A1", "A2"), notes={"UNCOMPUTED_CELLS": 1}, contents=("漏水", None)
    ),
    "cells merged over rows": Case(
        XLSX, book(merged), ALL, notes={"MERGED_CELLS": 1}, contents=("同一事", "同一事", "漏水")
    ),
    "cells merged over columns": Case(XLSX, book(wide), ("A1", "A2"), notes={"WIDE_CELLS": 1}, contents=("漏水", None)),
    "numbers of 18 digits in number cells": Case(
        XLSX,
        book(long_numbers),
        ("20261012000123", "330108202610120003"),
        {1: "BAD_KEY"},
        {"ROUNDED_NUMBERS": 1},
    ),
    "milliseconds in a workbook": Case(XLSX, book(milliseconds), ("A1",), received="2026-10-12 00:00"),
    "serial days that count from 1904": Case(
        XLSX,
        book(serials, date_1904=True),
        ("A1",),
        notes={"EPOCH_1904": 1},
        formats=("excel",),
        received="2026-10-12 00:00",
    ),
    "serial days that count from 1900": Case(
        XLSX, book(serials), ("A1",), formats=("excel",), received="2022-10-11 00:00"
    ),
    # -- JSON ------------------------------------------------------------------------------------------------------
    "an empty array": Case(JSON, b"[]"),
    "an empty array at its path": Case(JSON | {"records": "d"}, b'{"d": []}'),
    "blank lines for records": Case(LINES, b"\n\n \n"),
    "JSON nested 100,000 deep": Case(JSON, b"[" * 100_000 + b"]" * 100_000, refused="UNREADABLE", told="deep.*sender"),
    "a record nested 2,000 deep": Case(
        JSON, b'[{"a":' * 1 + b'{"a":' * 2000 + b"1" + b"}" * 2001 + b"]", refused="UNREADABLE", told="deep.*sender"
    ),
    "half an emoji": Case(JSON, json.dumps(objects("A1")).replace('"\\u7532"', '"\\ud83d"').encode(), ("A1",)),
    "a number beyond 2^53": Case(
        JSON, json.dumps([{"工单编号": 330108202610120001, "受理时间": AT}]).encode(), ("330108202610120001",)
    ),
    "a broken line among the lines": Case(
        LINES,
        b"\n".join(json.dumps(one).encode() for one in objects("A1", "A2", "A3")).replace(b'"A2"', b'"A2'),
        ("A1", "A3"),
        {2: "BAD_RECORD"},
    ),
    "lines that end within a record": Case(
        LINES,
        b"\n".join(json.dumps(one).encode() for one in objects("A1", "A2", "A3"))[:-9],
        refused="UNREADABLE",
        told="line 3.*sender",
    ),
    # -- XML -------------------------------------------------------------------------------------------------------
    "an empty list in XML": Case(XML, b"<rows/>"),
    "an entity of the file's own": Case(
        XML,
        (OWN_ENTITIES + xml("A1", inside="坏了&nbsp;，&co;")).encode(),
        ("A1",),
        contents=("坏了\xa0，城管局",),
    ),
    "an entity from elsewhere": Case(
        XML,
        f'<!DOCTYPE rows [<!ENTITY x SYSTEM "file:///etc/hostname">]>{xml("A1", inside="&x;")}'.encode(),
        refused="UNREADABLE",
        told="line 1.*entit.*sender",
    ),
    "a billion laughs": Case(
        XML, f"<!DOCTYPE rows [{BILLION}]>{xml('A1', inside='&a11;')}".encode(), refused="UNREADABLE", told="entit"
    ),
    "gb2312 in the prolog, GBK in the text": Case(
        XML,
        f'<?xml version="1.0" encoding="gb2312"?>{xml("A1", inside="朱镕")}'.encode("gbk"),
        ("A1",),
        contents=("朱镕",),
    ),
    "a prolog that says GBK of UTF-8": Case(
        XML,
        f'<?xml version="1.0" encoding="gbk"?>{xml("A1")}'.encode(),
        refused="WRONG_ENCODING",
        told="prolog says GB18030.*UTF-8.*format.encoding",
    ),
    "a prolog that says Latin-1 of UTF-8": Case(
        XML,
        f'<?xml version="1.0" encoding="iso-8859-1"?>{xml("A1")}'.encode(),
        refused="WRONG_ENCODING",
        told="prolog says ISO-8859-1.*UTF-8.*format.encoding",
    ),
    "a prolog that says UTF-8 of GB18030": Case(
        XML,
        f'<?xml version="1.0" encoding="utf-8"?>{xml("A1")}'.encode("gb18030"),
        refused="WRONG_ENCODING",
        told="prolog says UTF-8.*GB18030.*format.encoding",
    ),
    "a wrong prolog, and the encoding declared": Case(
        XML | {"encoding": "gb18030"},
        f'<?xml version="1.0" encoding="utf-8"?>{xml("A1")}'.encode("gb18030"),
        ("A1",),
    ),
    "no prolog, GB18030": Case(
        XML, xml("A1").encode("gb18030"), refused="WRONG_ENCODING", told="GB18030.*format.encoding"
    ),
    "CDATA and an element that is said to be nil": Case(
        XML,
        NIL.encode(),
        ("A1",),
        contents=("a<b",),
    ),
    "XML that is cut": Case(XML, xml("A1").encode()[:-9], refused="UNREADABLE", told="line 1.*sender"),
    # -- Parquet ---------------------------------------------------------------------------------------------------
    "a type of Parquet that is no text": Case(
        PARQUET,
        parquet(
            工单编号=["A1"],
            受理时间=[AT],
            内容=pl.Series([[1]], dtype=pl.List(pl.Int64)),
            用时=pl.Series([3], dtype=pl.Duration("us")),
        ),
        refused="UNREADABLE",
        told="column 4.*Duration.*sender",
    ),
}
