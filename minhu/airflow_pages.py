"""Two pages beside Airflow's own, for whoever comes from a task: what became of a feed's deliveries, and of the builds.

They are read-only, need Airflow's login, and tell nothing of a citizen. Where ``MINHU_PORTAL_URL`` is set links lead to
the portal instead.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from minhu import database
from minhu.glossary.delivered import BATCH_STATUS, BUILD_STATUS, BUILD_STEP, DELIVERY_STATE
from minhu.settings import Settings
from minhu.warehouse import accounts
from minhu.warehouse.deliveries import Delivery, read
from minhu.watch.faults import of_deliveries

Row = list[tuple[str, str]]
"""Of each cell how it looks, and what stands in it."""
DAYS = 14
BATCH = ("批次", "业务日期", "交付", "文件", "收到", "入库", "拒收", "重复", "状态")
STYLE = """
body { font: 15px/1.6 system-ui, "Noto Sans CJK SC", sans-serif; margin: 1rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #ccc; }
th, td.short { white-space: nowrap; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #a40000; font-weight: 600; } .mute { color: #666; font-weight: normal; }
code { background: #f2f2f2; padding: .1rem .3rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid #999; } tr.head { display: none; }
  td, td.number { display: block; border: 0; padding: 0; text-align: left; overflow-wrap: anywhere; }
  td::before { content: attr(data-head) "："; color: #666; } td:empty { display: none; }
}
"""


def app() -> Starlette:
    settings = Settings.from_env()
    settings.data_docs.mkdir(parents=True, exist_ok=True)
    return Starlette(
        routes=[
            Route("/feeds/{code}", feed),
            Route("/builds", builds),
            Mount("/data_docs", StaticFiles(directory=settings.data_docs, html=True)),
        ]
    )


def feed(request: Request) -> HTMLResponse:
    """The deliveries of a feed in the last two weeks, the newest day first; what is not well with how to mend it."""
    settings, code = Settings.from_env(), request.path_params["code"]
    yesterday = datetime.now(settings.zone).date() - timedelta(days=1)
    with database.connect(settings) as connection:
        found = [
            one for one in read(connection, yesterday - timedelta(days=DAYS - 1), yesterday) if one.feed_code == code
        ]
        batches = accounts.batches(connection, code)
        name = accounts.feed_name(connection, code)
    mends = {(one.kind, one.on_date): one.mend for one in of_deliveries(found)}
    days = [_day(one, mends.get((one.state, one.business_date)), settings) for one in sorted(found, key=_newest_first)]
    told = [
        f"<h1>{escape(name)} <span class=mute>{escape(code)}</span></h1>",
        "<h2>送达</h2>",
        _table(("业务日期", "交付", "状态", "自何时", "原因与处置"), days, "近两周没有送达，也没有应到的交付"),
        "<h2>批次</h2>",
        _table(
            ("批次", "业务日期", "交付", "文件", "收到", "入库", "拒收", "重复", "状态"),
            map(_batch, batches),
            "还没有批次",
        ),
        '<p><a href="../data_docs/">质量报告</a> · <a href="../builds">构建</a></p>',
    ]
    return _page(name, told, 200 if found or batches else 404)


def builds(request: Request) -> HTMLResponse:
    """The last builds: what became of each, how long its steps took, and why one failed."""
    settings = Settings.from_env()
    with database.connect(settings) as connection:
        rows = [_build(row, settings) for row in accounts.builds(connection)]
    heads = ("构建", "状态", "开始", "用时", "批次", "工单", "各步用时", "说明")
    told = ["<h1>构建</h1>", _table(heads, rows, "还没有构建"), '<p><a href="data_docs/">质量报告</a></p>']
    return _page("构建", told)


def _newest_first(one: Delivery) -> tuple[int, str]:
    return -one.business_date.toordinal(), one.delivery


def _day(one: Delivery, mend: str | None, settings: Settings) -> Row:
    state = DELIVERY_STATE.zh(one.state) + ("（迟）" if one.is_late and one.batches else "")
    since = f"{one.since.astimezone(settings.zone):%m-%d %H:%M}" if one.since else ""
    why = "<br>".join(escape(said) for said in (one.reason, mend) if said)
    return [
        ("short", f"{one.business_date}"),
        ("short", escape(one.delivery)),
        ("short bad" if mend else "short", state),
        ("short", since),
        ("", re.sub(r"(minhu [^；，]+)", r"<code>\1</code>", why)),
    ]


def _batch(row: dict) -> Row:
    is_bad = row["status"] in ("held", "refused")
    why = f"：{escape(row['reason'])}" if row["reason"] and is_bad else ""
    return [
        ("short", f"{row['batch_id']}"),
        ("short", f"{row['business_date']}"),
        ("short", escape(row["delivery"])),
        ("", escape(row["source_name"])),
        *(("number", "" if row[name] is None else f"{row[name]:,}") for name in _COUNTED),
        ("bad" if is_bad else "short", BATCH_STATUS.zh(row["status"]) + why),
    ]


def _build(row: dict, settings: Settings) -> Row:
    steps = "，".join(f"{BUILD_STEP.zh(step)} {seconds:.1f} 秒" for step, seconds in row["steps"] or [])
    return [
        ("short", f"{row['build_id']}"),
        ("short bad" if row["status"] == "failed" else "short", BUILD_STATUS.zh(row["status"])),
        ("short", f"{row['started_at'].astimezone(settings.zone):%m-%d %H:%M}"),
        ("number short", "" if row["seconds"] is None else f"{row['seconds']:.0f} 秒"),
        ("number", f"{row['batches']:,}"),
        ("number", f"{row['touched_cases'] or 0:,}"),
        ("", steps),
        ("", escape(row["message"] or "")),
    ]


_COUNTED = ("received_rows", "staged_rows", "rejected_rows", "duplicate_rows")


def _table(heads: tuple[str, ...], rows: Iterable[Row], nothing: str) -> str:
    told = [
        "".join(
            f'<td data-head="{head}" class="{how}">{cell}</td>' for head, (how, cell) in zip(heads, row, strict=True)
        )
        for row in rows
    ]
    if not told:
        return f"<p class=mute>{nothing}</p>"
    head = "".join(f"<th>{one}</th>" for one in heads)
    return f"<table><tr class=head>{head}</tr>{''.join(f'<tr>{one}</tr>' for one in told)}</table>"


def _page(title: str, told: list[str], status: int = 200) -> HTMLResponse:
    head = (
        f'<meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1"><title>{escape(title)}'
    )
    return HTMLResponse(f"<!doctype html><html lang=zh-CN>{head}</title><style>{STYLE}</style>{''.join(told)}", status)
