"""Writes the samples beside this file, and what their own libraries read in them, as text.

The project reads and writes with other libraries, so that a mistake of these is not on both sides:

    uv run --no-project --with openpyxl --with pyarrow python tests/feeds/samples/make.py
"""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROWS = 150
FIRST = datetime(2026, 10, 1, 8, 5, 9)


def write_workbook() -> None:
    """Merged titles, ids as text cells, dates as dates and as numbers, a footer."""
    book = openpyxl.Workbook()
    book.active.title = "说明"
    book.active.append(["本表由系统导出"])
    sheet = book.create_sheet("工单")
    sheet.append(["市民热线十月工单明细表"])
    sheet.append(["制表单位：市热线办", None, None, None, "单位：件"])
    sheet.merge_cells("A1:G1")
    sheet.merge_cells("A2:D2")
    sheet.append(["工单编号", "受理时间", "受理日期", "办结时间", "金额", "内容", "备注"])
    for at in range(ROWS):
        moment = FIRST + timedelta(hours=at)
        serial = (moment - datetime(1899, 12, 30)).total_seconds() / 86400
        text = ["路灯不亮", "=1+1 不是公式", ' "引号",逗号\n换行 ', "０２ 全角"][at % 4]
        sheet.append([f"33010020261001{at:04}", moment, moment.date(), round(serial, 5), at / 4, text])
        cells = sheet[sheet.max_row]
        cells[0].number_format = "@"
        cells[1].number_format = "yyyy-mm-dd hh:mm:ss"
        cells[2].number_format = "yyyy/m/d"
        cells[5].data_type = "s"
        if at % 7 == 0:
            cells[6].value, cells[6].number_format = f"0{at}", "@"
        if at == 60:
            sheet.append([])
            sheet.append([None, ""])
    sheet.append(["合计", None, None, None, ROWS])
    sheet.merge_cells(start_row=sheet.max_row, end_row=sheet.max_row, start_column=1, end_column=4)
    sheet.append(["制表人：", None, "审核人："])
    book.save(HERE / "cases.xlsx")


def workbook_rows() -> list[list[str | None]]:
    rows = list(openpyxl.load_workbook(HERE / "cases.xlsx")["工单"].iter_rows(values_only=True))[2:]
    last = next(at for at, row in enumerate(rows) if row[0] == "合计")
    return [[_text(cell, " ") for cell in row] for row in rows[:last] if any(cell not in (None, "") for cell in row)]


def write_parquet() -> None:
    """Several row groups, a dictionary, zones, decimals, nested fields, nulls of every type."""
    times = [None if at % 5 == 0 else FIRST.replace(tzinfo=UTC) + timedelta(hours=at) for at in range(ROWS)]
    table = pa.table(
        {
            "工单编号": pa.array([330100202610010000 + at for at in range(ROWS)], pa.int64()),
            "渠道": pa.array([("电话", "网络", None)[at % 3] for at in range(ROWS)]).dictionary_encode(),
            "受理时间": pa.array(times, pa.timestamp("ms", tz="Asia/Shanghai")),
            "本地时间": pa.array([FIRST + timedelta(hours=at) for at in range(ROWS)], pa.timestamp("us")),
            "受理日期": pa.array([date(2026, 10, 1 + at % 30) for at in range(ROWS)], pa.date32()),
            "金额": pa.array([Decimal(at) / 4 for at in range(ROWS)], pa.decimal128(12, 2)),
            "是否保密": pa.array([(True, False, None)[at % 3] for at in range(ROWS)], pa.bool_()),
            "来电人": pa.array(
                [None if at % 4 == 0 else {"称呼": "市民", "次数": at} for at in range(ROWS)],
                pa.struct([("称呼", pa.string()), ("次数", pa.int32())]),
            ),
            "标签": pa.array([["噪音", '"夜间"'][: at % 3] for at in range(ROWS)], pa.list_(pa.string())),
        }
    )
    pq.write_table(table, HERE / "cases.parquet", row_group_size=40, compression="gzip")


def parquet_rows() -> list[list[str | None]]:
    table = pq.read_table(HERE / "cases.parquet").flatten()
    return [table.column_names, *([_text(cell) for cell in row.values()] for row in table.to_pylist())]


def _text(value: object, between: str = "T") -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(sep=between)
        case float():
            return repr(value).removesuffix(".0")
        case list():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


if __name__ == "__main__":
    write_workbook()
    write_parquet()
    for name, rows in {"cases.xlsx": workbook_rows(), "cases.parquet": parquet_rows()}.items():
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
