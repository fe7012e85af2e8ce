"""`python -m bench.soak`: ten days through the real scheduler under faults; a table at the end, exit 1 if one fails."""

import json
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from bench.__main__ import commit_told
from bench.soak.checks import Check, check
from bench.soak.plan import CASES, Plan, short
from bench.soak.run import Lived, lived
from minhu.settings import Settings


@click.command(epilog="Example: python -m bench.soak --cases 30000 --minutes 40 --json")
@click.option("--cases", type=click.IntRange(100), default=CASES, show_default=True, help="Cases a day in all.")
@click.option("--days", type=click.IntRange(10), default=10, show_default=True, help="Days back to back.")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the city, and of what is struck.")
@click.option("--minutes", type=float, default=15, show_default=True, help="All of it must end within so many minutes.")
@click.option("--short", "is_short", is_flag=True, help="Two days of four feeds, as `make test` has time for.")
@click.option("--home", type=click.Path(path_type=Path), help="A new folder, which stays; else one that goes.")
@click.option("--json", "as_json", is_flag=True, help="The checks as JSON.")
def main(cases: int, days: int, seed: int, minutes: float, is_short: bool, home: Path | None, as_json: bool) -> None:
    """Live ten days through the real scheduler while services are killed and feeds fail, and judge the end."""
    last = (datetime.now(Settings.from_env().zone) - timedelta(days=1)).date()
    plan = short(last, seed=seed) if is_short else Plan(last, cases, days, seed, minutes)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing that was started stays
    folder = (home or Path(tempfile.mkdtemp(prefix="minhu-soak-"))).resolve()
    try:
        with lived(folder, plan, lambda line: click.echo(line, err=True)) as all_of_it:
            found = check(all_of_it)
            story = tell(all_of_it, found)
    finally:
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)
    click.echo(json.dumps(story, ensure_ascii=False, indent=1) if as_json else render(found))
    if not all(one.holds for one in found):
        raise click.exceptions.Exit(1)


def tell(all_of_it: Lived, found: list[Check]) -> dict:
    """All that came of it, ready for JSON."""
    world = all_of_it.world
    return {
        "commit": commit_told(),
        "date": datetime.now(UTC).date().isoformat(),
        "holds": all(one.holds for one in found),
        "days": world.plan.days,
        "cases": world.plan.cases,
        "minutes": round(world.elapsed / 60, 1),
        "of_each_day": all_of_it.days,
        "skipped": world.skipped,
        "strikes": [asdict(one) for one in world.struck],
        "core_seconds": {name: round(spent) for name, spent in sorted(all_of_it.sampler.cpu.items())},
        "memory": [asdict(one) for one in all_of_it.sampler.needs()],
        "checks": [asdict(one) for one in found],
    }


def render(found: list[Check]) -> str:
    heads = "check", "wanted", "found"
    rows = [heads, *((one.name, one.wanted, one.found) for one in found)]
    name, wanted = (max(len(row[at]) for row in rows) for at in (0, 1))
    marks = [" ", *("✓" if one.holds else "✗" for one in found)]
    lines = [
        f"{mark} {row[0]:{name}}  {row[1]:{wanted}}  {row[2]}".rstrip() for mark, row in zip(marks, rows, strict=True)
    ]
    failed = sum(not one.holds for one in found)
    return "\n".join([*lines, "", f"{failed} of {len(found)} do not hold" if failed else f"all {len(found)} hold"])


if __name__ == "__main__":
    main()
