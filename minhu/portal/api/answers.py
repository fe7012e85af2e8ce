"""Rows as what the caller accepts: JSON, CSV or a workbook; a page at a time, and nothing twice."""

import base64
import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query, Request
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from minhu.errors import Refused
from minhu.portal.shown import XLSX
from minhu.privacy import access_log
from minhu.settings import Settings

Row = TypeVar("Row")
MOST = 1000
CSV = "text/csv"
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Page(BaseModel, Generic[Row]):
    """Rows, and where the next begin. Numbers with decimals are strings, so that none is rounded."""

    items: list[Row]
    next: str | None = Field(
        description="Send it as `after` for the rows that follow; null where there are no more.", examples=["VTEw"]
    )


Limit = Annotated[int, Query(ge=1, le=MOST, description="How many rows at most.", examples=[100])]
After = Annotated[str | None, Query(max_length=400, description="The `next` of the page before.", examples=[None])]


def cursor(*keys: str) -> str:
    """Where a page ended, as one word."""
    return base64.urlsafe_b64encode(json.dumps(keys, ensure_ascii=False).encode()).decode().rstrip("=")


def after(told: str | None, parts: int) -> tuple[str, ...] | None:
    """The keys of a cursor. Raises Refused where it is none of ours."""
    if told is None:
        return None
    try:
        keys = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
    except ValueError:
        keys = None
    if not isinstance(keys, list) or len(keys) != parts or not all(isinstance(one, str) for one in keys):
        raise Refused("after is the `next` of the page before, as it was told")
    return tuple(keys)


def page(
    request: Request,
    rows: Sequence[Row],
    limit: int | None,
    key: Callable[[Row], tuple[str, ...]] | None,
    *,
    log: tuple[Settings, str] | None = None,
    tag: str | None = None,
) -> Response:
    """The rows in the form that is asked for. ``key``: of the last row, where the next page begins.

    ``log``: results leave as a file; that stands in the access log before it is sent. ``tag``: what the rows rest on;
    who has it already is sent nothing.
    """
    more = cursor(*key(rows[-1])) if key and limit and len(rows) == limit else None
    headers = {"Vary": "Accept, Authorization, Cookie"}
    form = accepted(request)
    if tag:
        headers["ETag"] = f'"{tag}.{form}"'
        headers["Cache-Control"] = "private, no-cache"
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    if more:
        following = request.url.include_query_params(after=more)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    if form == "json":
        return JSONResponse({"items": plainly(rows), "next": more}, headers=headers)
    if log:
        access_log.record_export(*log)
    if form == "csv":
        return Response(as_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)
    return Response(as_xlsx(rows), media_type=XLSX, headers=headers)


def one(request: Request, told: Any, tag: str | None = None) -> Response:
    """A thing as JSON; nothing where the caller has it already."""
    headers = {"Vary": "Authorization, Cookie"}
    if tag:
        headers |= {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return JSONResponse(plainly(told), headers=headers)


def plainly(told: Any) -> Any:
    """As JSON: numbers with decimals are strings, moments carry their zone."""
    return jsonable_encoder(told, custom_encoder={Decimal: lambda number: f"{number:f}"})


def accepted(request: Request) -> str:
    """``json``, ``csv`` or ``xlsx``, by the header Accept; JSON where it says nothing of these."""
    told = request.headers.get("accept", "")
    return "csv" if CSV in told else "xlsx" if XLSX in told else "json"


def as_csv(rows: Sequence[Any]) -> bytes:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    table = [_flat(row) for row in rows]
    if table:
        writer.writerow(table[0])
    writer.writerows([_cell(value) for value in row.values()] for row in table)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def as_xlsx(rows: Sequence[Any]) -> bytes:
    import xlsxwriter

    out = BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet()
        table = [_flat(row) for row in rows]
        for place, name in enumerate(table[0] if table else ()):
            sheet.write_string(0, place, name)
        for line, row in enumerate(table, start=1):
            for place, value in enumerate(row.values()):
                if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
                    sheet.write_number(line, place, float(value))
                elif value is not None:
                    sheet.write_string(line, place, str(_cell(value)))
    return out.getvalue()


def _flat(row: Any) -> dict[str, Any]:
    """A row as columns; what is a list or a part of its own is JSON in its cell."""
    told = {one.name: getattr(row, one.name) for one in fields(row)} if is_dataclass(row) else dict(row)
    return {
        name: json.dumps(plainly(value), ensure_ascii=False)
        if isinstance(value, (dict, list, tuple)) or is_dataclass(value)
        else value
        for name, value in told.items()
    }


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
