"""Seven departments with two published months, by one scheme or by two: enough of them to be compared."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from minhu.publish import close, publish
from minhu.settings import Settings
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, case, login

SEPTEMBER, OCTOBER = "2026-09", "2026-10"
NAMES = (
    "城管局",
    "交通局",
    "人力资源和社会保障局机关事业单位社会保险服务管理中心",
    "教育局",
    "水利局",
    "民政局",
    "住建局",
)
"""A long one among them."""
LATE_IN = {SEPTEMBER: (2, 3, 1, 4, 2, 1, 3), OCTOBER: (1, 3, 2, 2, 0, 1, 2)}
"""How many of a unit's twelve cases were closed late."""
CASES = 12
UNITS = "unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from\n" + "".join(
    f"U{at},{name},department,1,linan_department,true,,2020-01-01\n" for at, name in enumerate(NAMES, start=1)
)
IN_TIME = {SEPTEMBER: "2026-09-08 10:00:00", OCTOBER: "2026-10-13 10:00:00"}
LATE = {SEPTEMBER: "2026-09-16 10:00:00", OCTOBER: "2026-10-21 10:00:00"}
HOW = {
    SEPTEMBER: {"受理时间": "2026-09-07 08:30:00", "转办时间": "2026-09-07 09:00:00", "办理期限": "2026-09-15 00:00"},
    OCTOBER: {},
}


def rows(period: str) -> list[dict]:
    """The cases of a month."""
    return [
        case(int(period[-2:]) * 1000 + unit * 100 + n, name, **HOW[period], 办结时间=closed)
        for unit, name in enumerate(NAMES)
        for n in range(CASES)
        for closed in [(LATE if n < LATE_IN[period][unit] else IN_TIME)[period]]
    ]


def publish_month(city: Settings, judge: Settings, period: str) -> None:
    world.judge(judge, close(city, period))
    publish(city, period, why=UNWITNESSED)


def make(scratch: Callable[..., Settings], folder: Path, prefix: str, later: Callable[[str], str] = str) -> Settings:
    """September published by the example scheme, October by what ``later`` makes of it."""
    city = world.make(scratch, folder, rows=rows(SEPTEMBER), day=date(2026, 9, 30), units=UNITS)
    judge = login(city, f"{prefix}_shen", "evaluator")
    publish_month(city, judge, SEPTEMBER)
    scheme = city.config / "schemes" / "linan.yml"
    scheme.write_text(later(scheme.read_text(encoding="utf-8")), encoding="utf-8")
    world.deliver(city, rows(OCTOBER))
    build(city)
    publish_month(city, judge, OCTOBER)
    return city
