"""Small feeds and files that tests write, with the traps of real ones."""

from collections.abc import Iterable
from pathlib import Path

import yaml

CITY = {
    "code": "testcity",
    "name": "测试市",
    "portal": {"second_factor": []},
    "repeats": [
        {
            "valid_from": "2020-01-01",
            "window_days": 30,
            "matter": "category",
            "min_similarity": 0.55,
            "place": "ignore",
        }
    ],
}

CASES = {
    "name": "cases",
    "kind": "case",
    "source": {"type": "drop_folder", "path": "h1/cases_{date}.csv", "settle_seconds": 0},
    "format": {"type": "csv", "encoding": "gb18030"},
    "columns": {
        "case_no": "工单编号",
        "request_type": {"from": "来电类别", "map": {"咨询": "consult", "投诉": "complaint"}},
        "received_at": "受理时间",
        "content": "主要内容",
        "caller_phone": "来电号码",
        "category_code": "分类",
        "longitude": "经度",
    },
    "private": ["来电人", "来电号码"],
    "milestones": [
        {
            "event_type": "DISPATCH",
            "columns": {"occurred_at": "转办时间", "unit_name": "办理单位", "due_at": "办理期限"},
        },
        {"event_type": "CLOSE", "columns": {"occurred_at": "办结时间", "unit_name": "办理单位"}},
    ],
    "known_columns": ["备注"],
    "max_rejected_pct": 50,
}
COLUMNS = [
    "工单编号",
    "来电类别",
    "受理时间",
    "主要内容",
    "来电号码",
    "来电人",
    "分类",
    "经度",
    "转办时间",
    "办理单位",
    "办理期限",
    "办结时间",
    "备注",
]
ROW = {
    "工单编号": "330100202610010001",
    "来电类别": "投诉",
    "受理时间": "2026-10-12 08:30:00",
    "主要内容": "路灯不亮",
    "来电号码": "13800001111",
    "来电人": "王某",
    "分类": "0101",
    "经度": "120.1",
    "转办时间": "2026-10-12 09:00:00",
    "办理单位": "城管局",
    "办理期限": "2026-10-20 00:00",
    "办结时间": "2026-10-13 10:00:00",
    "备注": "",
}
EVENTS = {
    "name": "events",
    "kind": "event",
    "source": {"type": "drop_folder", "path": "h1/events_{date}.csv", "settle_seconds": 0},
    "format": {"type": "csv"},
    "max_rejected_pct": 50,
}
CALLBACKS = {
    "name": "callbacks",
    "kind": "callback",
    "source": {"type": "drop_folder", "path": "h1/callbacks_{date}.csv", "settle_seconds": 0},
    "format": {"type": "csv"},
    "max_rejected_pct": 50,
}


def feed(code: str = "h1", **changes) -> dict:
    """A declaration as its YAML holds it."""
    declared = {
        "code": code,
        "name": f"热线{code}",
        "owner": "市热线办",
        "schedule": "0 2 * * *",
        "deliveries": [CASES],
    }
    return declared | changes


def config(folder: Path, feeds: Iterable[dict] = (), **registers: str) -> Path:
    """A configuration folder: the city, the feeds, registers by name (``units="unit_code,…"``)."""
    (folder / "feeds").mkdir(parents=True, exist_ok=True)
    (folder / "city.yml").write_text(yaml.safe_dump(CITY), encoding="utf-8")
    for declared in feeds or [feed()]:
        text = yaml.safe_dump(declared, allow_unicode=True, sort_keys=False)
        (folder / "feeds" / f"{declared['code']}.yml").write_text(text, encoding="utf-8")
    for name, text in registers.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def case_file(path: Path, rows: Iterable[dict], encoding: str = "gb18030") -> Path:
    """A CSV of case rows; each row says how it differs from ROW."""
    lines = [",".join(COLUMNS), *(",".join((ROW | row)[name] for name in COLUMNS) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def csv_file(path: Path, rows: list[dict]) -> Path:
    """A UTF-8 CSV with the union of the rows' keys as its header."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
