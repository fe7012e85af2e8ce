"""The city of a soak: its configuration, the files its hotlines send, and what is handed over on each day.

Every delivery of the ten days is due long after the run: handed over one day after the other, none is late. Two feeds
are declared later than the rest, so that of them yesterday alone is waited for: one whose source never answers, and
one whose file comes after its grace.
"""

import os
import re
import shutil
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import ceil
from pathlib import Path

import yaml

from bench.soak.plan import Plan
from minhu.config import sync
from minhu.feeds import Feed, load_feed, load_feeds
from minhu.settings import PROJECT_ROOT, Settings
from minhu.simulate import write_city
from minhu.simulate.run import FileAccount

LATE, HANGS = "soak_late", "soak_hangs"
LATE_CASES = 40
GARBAGE = 4096
"""Bytes."""
PLANTED = "13900007788", "欧阳守拙"
"""A citizen in the garbage: whoever quotes what he cannot read quotes him."""
_MOBILE = re.compile(rb"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")


@dataclass(frozen=True)
class Sent:
    """Files that were simulated, where they lie until they are handed over."""

    folder: Path
    files: tuple[FileAccount, ...]
    feeds: tuple[Feed, ...]

    def of(self, day: date, feed: str | None = None) -> list[FileAccount]:
        return [one for one in self.files if one.business_date == day.isoformat() and feed in (None, one.feed)]


def configure(settings: Settings, plan: Plan, recipients: list[dict], now: datetime) -> None:
    """Writes the city's configuration into ``settings.config``, without the two feeds that come later."""
    shutil.copytree(PROJECT_ROOT / "config", settings.config)
    far = now + timedelta(hours=12)
    for file in (settings.config / "feeds").glob("*.yml"):
        if plan.feeds and file.stem not in plan.feeds:
            file.unlink()
            continue
        said = file.read_text(encoding="utf-8")
        moved = re.sub(r"(?m)^schedule: .*$", f'schedule: "{far.minute} {far.hour} * * *"', said)
        file.write_text(moved, encoding="utf-8")
    file = settings.config / "city.yml"
    city = yaml.safe_load(file.read_text(encoding="utf-8"))
    city.pop("feeds")
    city["arrivals"] = {"*": {"due_days": plan.days + 3, "due_time": "06:00"}}
    city["build"] = {"earliest": "00:00", "cut_off": "00:00", "grace_minutes": 0, "done_by": "23:59"}
    city["notify"] = {"recipients": recipients, "digest_at": f"{far.hour:02}:{far.minute:02}"}
    file.write_text(yaml.safe_dump(city, allow_unicode=True), encoding="utf-8")
    sync(settings)


def simulate(settings: Settings, plan: Plan) -> Sent:
    """Every file of every day, beside the drop folder."""
    feeds, folder = load_feeds(settings.config), settings.home / "sent"
    folder.mkdir()
    written = write_city(feeds, settings.config, folder, plan.dates[0], plan.days, plan.cases, plan.seed)
    return Sent(folder, written.files, feeds)


def declare_late(settings: Settings, plan: Plan, source: str, now: datetime) -> Sent:
    """Declares the two feeds that are not as they should be, and writes the file that will be late."""
    grace = 0 if plan.is_short else 1
    due = now.replace(second=0, microsecond=0) + timedelta(minutes=0 if plan.is_short else ceil(1 + now.second / 60))
    rest = {
        "type": "rest",
        "url": f"{source}/cases",
        "format": "json",
        "records": "rows",
        "read_seconds": plan.hang_seconds,
        "attempts": 1,
    }
    drop = {"type": "drop_folder", "path": f"{LATE}/cases_{{date}}.csv"}
    _declare(settings, plan, LATE, drop, _due(plan.last, due) | {"grace_minutes": grace, "timeout_minutes": 5}, now)
    hangs = _due(plan.last, now.replace(second=0, microsecond=0)) | {"grace_minutes": 0, "retries": 0}
    _declare(settings, plan, HANGS, rest, hangs, now)
    sync(settings)
    late, folder = load_feed(settings.config / "feeds" / f"{LATE}.yml"), settings.home / "late"
    folder.mkdir()
    written = write_city((late,), settings.config, folder, plan.last, 1, LATE_CASES, plan.seed)
    return Sent(folder, written.files, (late,))


def _due(day: date, at: datetime) -> dict:
    return {"due_days": (at.date() - day).days, "due_time": f"{at:%H:%M}"}


def _declare(settings: Settings, plan: Plan, code: str, source: dict, arrival: dict, now: datetime) -> None:
    """A hotline whose cases come as those of 12309's neighbours do."""
    far = now + timedelta(hours=12)
    delivery = {"name": "cases", "layout": "hotline_case", "source": source}
    if source["type"] == "rest":
        delivery["format"] = {"type": "json", "records": "rows"}
    declared = {
        "code": code,
        "name": "迟到的热线" if code == LATE else "不应答的热线",
        "owner": "示例单位",
        "group": "national",
        "schedule": f"{far.minute} {far.hour} * * *",
        "arrival": arrival,
        "deliveries": [delivery],
    }
    text = yaml.safe_dump(declared, allow_unicode=True, sort_keys=False)
    (settings.config / "feeds" / f"{code}.yml").write_text(text, encoding="utf-8")


def hand_over(settings: Settings, sent: Sent, files: list[FileAccount]) -> None:
    """Moves files to where the hotlines put them; whole at once, as a careful sender does."""
    for one in files:
        to = settings.drop / one.path
        to.parent.mkdir(parents=True, exist_ok=True)
        os.replace(sent.folder / one.path, to)


def hand_over_garbage(settings: Settings, files: list[FileAccount]) -> None:
    """Puts what no reader reads in their place."""
    for one in files:
        to = settings.drop / one.path
        to.parent.mkdir(parents=True, exist_ok=True)
        line = f"来电人,{PLANTED[1]},{PLANTED[0]}\n".encode("gb18030")
        to.write_bytes(line + os.urandom(GARBAGE) + line)
        os.utime(to, (to.stat().st_mtime - 60,) * 2)  # it has lain there: nobody is still writing it


def numbers(sent: Sent) -> frozenset[str]:
    """Mobile numbers of citizens in the files; those in archives and workbooks are the same people's."""
    return frozenset(
        number.decode() for one in sent.files for number in _MOBILE.findall((sent.folder / one.path).read_bytes())
    )


def numbers_in(text: bytes) -> set[str]:
    return {number.decode() for number in _MOBILE.findall(text)}


def both(one: Sent, other: Sent) -> Sent:
    return replace(one, files=one.files + other.files, feeds=one.feeds + other.feeds)
