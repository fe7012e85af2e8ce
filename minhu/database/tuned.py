"""What the server and dbt are set to now, beside what they would be set to: asked, never started or changed."""

from contextlib import suppress
from dataclasses import dataclass

import psycopg

from minhu.database import embedded, machine, tuning
from minhu.database.connect import connect
from minhu.database.machine import Machine
from minhu.database.tuning import Setting
from minhu.errors import MinhuError
from minhu.settings import Settings

RESTART = "restart"
DIFFERS = "differs"
"""Another server's: its keeper decides."""
ELSEWHERE = "elsewhere"
"""It would stay after a restart: a line below ours in ``postgresql.conf``, or ``alter system``, says so."""


@dataclass(frozen=True)
class Told:
    """``now``: null where no server answers. ``state``: empty where it is as it should be."""

    setting: Setting
    now: str | None
    state: str


def here(settings: Settings) -> Machine:
    """What the server of this home has, or would have: of one that runs, whoever started it."""
    place = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    found = None if settings.database_url else embedded.postmaster(settings)
    return machine.look(place, found)


def threads(settings: Settings) -> str:
    """How many models dbt builds at once. With another server this machine's cores stand for that one's."""
    reckoned = tuning.reckon(here(settings), told=tuning.read(settings.tune))
    return next(one.value for one in reckoned if one.name == "threads")


def look(settings: Settings, of: Machine, *, is_alone: bool = False, is_elsewhere: bool = False) -> list[Told]:
    """Every setting for a machine, beside what a server that runs has. ``is_elsewhere``: it is no machine of ours."""
    reckoned = tuning.reckon(of, is_alone=is_alone, told=tuning.read(settings.tune))
    if is_elsewhere:
        return [Told(one, None, "") for one in reckoned]
    now = _now(settings, [one.name for one in tuning.of_server(reckoned)])
    written = None if settings.database_url else embedded.written(settings)
    return [_told(one, now, written) for one in reckoned]


def _told(setting: Setting, now: dict[str, str], written: dict[str, str] | None) -> Told:
    if setting.name == "threads":  # asked at each run
        return Told(setting, setting.value, "")
    found = now.get(setting.name)
    if found is None or found == setting.value:
        return Told(setting, found, "")
    if written is None:
        return Told(setting, found, DIFFERS)
    return Told(setting, found, RESTART if written.get(setting.name, found) == found else ELSEWHERE)


def _now(settings: Settings, names: list[str]) -> dict[str, str]:
    if not settings.database_url and not embedded.is_alive(settings):
        return {}
    with suppress(MinhuError, psycopg.Error), connect(settings, autocommit=True) as connection:
        return dict(
            connection.execute(
                "select name, current_setting(name) from pg_settings where name = any(%s)", [names]
            ).fetchall()
        )
    return {}


def outdated(settings: Settings) -> str | None:
    """In a line what a restart of the embedded server would change; None where nothing, or where it does not run."""
    if settings.database_url:
        return None
    found = [one for one in look(settings, here(settings)) if one.state == RESTART]
    return ", ".join(f"{one.setting.name} {one.now} → {one.setting.value}" for one in found) or None
