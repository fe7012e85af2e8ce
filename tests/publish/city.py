"""A small city from real files, so that what is published can be computed anew; and its people."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import sqlalchemy
import yaml

from minhu import assess, database
from minhu.database import logins
from minhu.load import load_file
from minhu.publish.close import Closing, read_closing
from minhu.settings import PROJECT_ROOT, Settings
from minhu.warehouse.build import build
from tests import given
from tests.copies import copied

UNITS = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from
U1,城管局,department,1,linan_department,true,市城管局,2020-01-01
U2,交通局,department,2,linan_department,false,,2020-01-01
"""
LAST = date(2026, 10, 31)
IN_TIME = {"办结时间": "2026-10-13 10:00:00"}
LATE = {"办结时间": "2026-10-21 10:00:00"}
UNWITNESSED = "测试城市没有外部见证"
"""Why it publishes: it declares none."""


def case(number: int, unit: str, **how: str) -> dict:
    """A line of the case file: dispatched on 12 October 09:00, due by 24:00 of 19 October."""
    return {"工单编号": f"3301002026101{number:05}", "办理单位": unit, **how}


FIRST = [
    *(case(number, "城管局", **IN_TIME) for number in range(1, 5)),
    case(5, "城管局", **LATE),
    case(6, "城管局", **LATE),
    case(7, "交通局", **IN_TIME),
    case(8, "交通局", **LATE),
]


def make(
    scratch: Callable[..., Settings],
    folder: Path,
    rows: list[dict] = FIRST,
    day: date = LAST,
    scheme: Callable[[str], str] = str,
    zone: str | None = None,
    more: str = "",
    beside: Sequence[dict] = (),
    units: str = UNITS,
) -> Settings:
    """Two departments, the example scheme, changed by ``scheme``, the cases of October; built, not scored.

    ``zone``: the city's time zone; the files tell its local time. ``more``: what else its `city.yml` says. ``beside``:
    feeds of which nothing came. ``units``: its register, if it is another. A city that was asked for before is copied:
    to build one takes twenty times as long.
    """
    asked = {"rows": rows, "day": day, "scheme": scheme(SCHEME), "zone": zone, "more": more, "beside": beside}
    asked["units"] = units
    if repr(asked) not in _MADE:
        _MADE[repr(asked)] = anew(scratch, **asked)
    return copied(scratch, _MADE[repr(asked)], folder / "config")


SCHEME = (PROJECT_ROOT / "config" / "schemes" / "linan.yml").read_text(encoding="utf-8")
_MADE: dict[str, Settings] = {}
"""Cities of this process that nobody works in, by what was asked for."""


def anew(
    scratch: Callable[..., Settings],
    rows: list[dict] = FIRST,
    day: date = LAST,
    scheme: str = SCHEME,
    zone: str | None = None,
    more: str = "",
    beside: Sequence[dict] = (),
    code: str = given.CITY["code"],
    units: str = UNITS,
) -> Settings:
    """The same, copied from none: for who follows how it is built. ``code``: of another city than the others."""
    empty = scratch()
    calendar = (PROJECT_ROOT / "config" / "calendar.csv").read_text(encoding="utf-8")
    feeds = [given.feed("h1", deliveries=[given.CASES, given.EVENTS, given.CALLBACKS]), *beside]
    where = given.config(empty.home / "config", feeds, units=units, calendar=calendar)
    named(where, code)
    with (where / "city.yml").open("a", encoding="utf-8") as file:
        file.write(f"timezone: {zone}\n{more}" if zone else more)
    (where / "schemes").mkdir()
    (where / "schemes" / "linan.yml").write_text(scheme, encoding="utf-8")
    city = replace(empty, config=where)
    deliver(city, rows, day)
    build(city)
    return city


def named(config: Path, code: str) -> None:
    """The city of a configuration folder has this code from now on."""
    file = config / "city.yml"
    told = file.read_text(encoding="utf-8")
    file.write_text(told.replace(f"code: {given.CITY['code']}\n", f"code: {code}\n"), encoding="utf-8")


def declare(city: Settings, witnesses: list[dict]) -> Settings:
    """The city with these witnesses in its ``city.yml``."""
    file = city.config / "city.yml"
    told = yaml.safe_load(file.read_text(encoding="utf-8")) | {"witnesses": witnesses}
    file.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    return city


def judge(who: Settings, closing: Closing | int, verdict: str = "approved") -> int:
    """``who`` approves or rejects what was closed, as it was shown."""
    about = {"subject_kind": "closing", "verdict": verdict, "reason": "已核对"}
    with database.connect(who) as connection:
        shown = read_closing(connection, closing) if isinstance(closing, int) else closing
    content = shown.content_hash if verdict == "approved" else None
    return assess.record(who, "approve", **about, subject_id=str(shown.closing_id), content_hash=content)


_FILES = 0


def deliver(city: Settings, rows: list[dict], day: date = LAST, delivery: str = "cases", feed: str = "h1") -> int:
    """Loads the rows as one file and accepts the batch as the gate would; returns its id.

    Events and callbacks are given by our names of columns.
    """
    global _FILES
    _FILES += 1
    path = city.drop / feed / f"{delivery}_{_FILES}.csv"
    given.case_file(path, rows) if delivery in ("cases", "posted") else given.csv_file(path, rows)
    loaded = load_file(feed, delivery, path, day, settings=city)
    assert loaded.rejected == 0
    with database.connect(city) as connection:
        connection.execute("update audit.batch set status = 'accepted' where batch_id = %s", [loaded.batch_id])
    return loaded.batch_id


def login(city: Settings, name: str, group: str, unit: str | None = None, feeds: Sequence[str] = ()) -> Settings:
    """The city as a login of the group reaches it; made anew, since a login belongs to the whole server."""
    with database.connect(city, autocommit=True) as owner:
        if owner.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone():
            logins.drop_login(owner, name)
        password = logins.add_login(owner, name, group, unit=unit, feeds=feeds)
    url = sqlalchemy.make_url(city.database_url).set(username=name, password=password)
    return replace(city, database_url=url.render_as_string(hide_password=False))


def rows(city: Settings, text: str, *parameters: object) -> list[tuple]:
    with database.connect(city) as connection:
        return connection.execute(text, parameters).fetchall()
