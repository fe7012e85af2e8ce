"""A short soak through the real scheduler, and that its checks see what they are for."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.soak import checks
from bench.soak.__main__ import render, tell
from bench.soak.checks import Check, check
from bench.soak.memory import need
from bench.soak.plan import FULL, short
from bench.soak.run import Lived, lived
from bench.soak.strikes import STRIKES
from minhu import database
from minhu.settings import PROJECT_ROOT, Settings


@pytest.fixture(scope="module")
def soaked(home: Path) -> Iterator[Lived]:
    settings = Settings(home=home / "soak", config=PROJECT_ROOT / "config", drop=home, database_url=None)
    yesterday = datetime.now(UTC).astimezone(settings.zone).date() - timedelta(days=1)
    with lived(settings.home, short(yesterday), print) as it:
        yield it
    shutil.rmtree(settings.home / "sent", ignore_errors=True)


def failing(found: list[Check]) -> list[str]:
    return [one.name for one in found if not one.holds]


def test_after_two_days_of_faults_everything_is_in_its_place(soaked: Lived, capsys):
    found = check(soaked)
    with capsys.disabled():
        print("", *soaked.world.skipped, sep="\n")
    assert failing(found) == [], render(found)
    assert len(found) > 35 and tell(soaked, found)["holds"]


def test_the_checks_see_a_row_lost_a_step_told_twice_and_a_file_nobody_read(soaked: Lived):
    world = soaked.world
    for key in list(soaked.counted)[:1]:
        soaked.counted[key] += 1
    assert failing(checks._of_rows(soaked)) == ["rows received, against the files", "files whose rows differ"]
    soaked.counted[key] -= 1
    with database.connect(world.settings) as connection:
        connection.execute(
            "delete from staging.case_record where ctid in (select ctid from staging.case_record limit 1)"
        )
    assert failing(checks._of_rows(soaked)) == ["rows of staging astray"]
    body = next(iter(world.hook.taken.values()))
    world.hook.taken["again"] = body
    assert "steps received twice or never" in failing(checks._of_telling(world))
    del world.hook.taken["again"]
    world.letters.taken.pop()
    assert failing(checks._of_telling(world)) == ["steps told by mail, received"]


def test_a_service_that_grows_is_not_bounded():
    steady = [(float(at), 1, 200.0 + at % 3) for at in range(200)]
    growing = [(float(at), 1, 100.0 + at * 3) for at in range(200)]
    assert need("keeper", steady).is_bounded
    assert not need("keeper", growing).is_bounded
    assert need("keeper", growing).per_hour == pytest.approx(3 * 3600)
    assert not need("keeper", [(at, pid, size + 1400) for at, pid, size in steady]).is_bounded
    assert need("keeper", steady[:5]).per_hour is None
    assert need("keeper", growing[:100]).is_bounded, "it has just begun"


def test_a_soak_strikes_each_service_and_names_only_what_can_be_struck():
    assert {one.strike for one in FULL} == STRIKES.keys()
    assert {one.strike for one in short(datetime.now(UTC).date()).moments} < STRIKES.keys()


def test_a_check_that_does_not_hold_is_marked_and_counted():
    good = Check("rows", "1", "1", True)
    assert render([good]).endswith("all 1 hold")
    told = render([good, replace(good, name="days built", found="0", holds=False)])
    assert "✗ days built" in told and told.endswith("1 of 2 do not hold")
