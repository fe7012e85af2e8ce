"""`python -m bench.moved [REF]`: which published scores of a simulated month the code of this tree moves.

The code of REF lives the month in a worktree of its own, this tree lives it with the same files, and what both export
of their release is compared. Then this tree opens the installation that REF left, as an upgrade does, and verifies the
release. It stands here and not in the package: a city that upgrades asks `minhu verify` about what it has published.
"""

import csv
import io
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click

from bench import month

ROOT = Path(__file__).resolve().parent.parent
TABLES = {
    "units": ("raw_points", "score_100", "assessed_points", "band", "rank_in_group", "not_ranked_reason", "listed_on"),
    "indicators": (
        *("numerator", "denominator", "value", "target", "points_max", "points"),
        *("wilson_low", "wilson_high", "funnel_flag", "is_suppressed", "shrunken_value"),
    ),
}
"""The tables of `minhu export --table`, and their cells that say how a unit did."""


@dataclass(frozen=True)
class Move:
    """A cell of a unit, or of one of its indicators, that is not what it was; empty where it has no value."""

    unit_code: str
    unit_name: str
    indicator_code: str
    cell: str
    before: str
    after: str


def moves(before: Mapping[str, str], after: Mapping[str, str]) -> list[Move]:
    """What moved between two exports, each a CSV text by the name of its table; unit by unit, the score first."""
    old, new = (dict(_cells(exported)) for exported in (before, after))
    found = []
    for place in sorted(old.keys() | new.keys()):
        (was, name), (now, name) = (side.get(place, ("", (old.get(place) or new[place])[1])) for side in (old, new))
        if was != now:
            unit, indicator, _, cell = place
            found.append(Move(unit, name, indicator, cell, was, now))
    return found


def _cells(exported: Mapping[str, str]) -> Iterator[tuple[tuple, tuple[str, str]]]:
    """Of each cell its place (unit, indicator, number of the column, column), its value and the unit's name."""
    for table, cells in TABLES.items():
        for row in csv.DictReader(io.StringIO(exported[table].removeprefix("\ufeff"))):
            for number, cell in enumerate(cells):
                place = row["unit_code"], row.get("indicator_code", ""), number, cell
                yield place, (row.get(cell, ""), row["unit_name"])


def render(found: list[Move]) -> str:
    """Who moved, from what to what, by which indicators."""
    if not found:
        return "nothing moved"
    lines = []
    for (unit, name), of_unit in groupby(found, lambda move: (move.unit_code, move.unit_name)):
        lines.append(f"{name}  {unit}")
        for indicator, moved in groupby(of_unit, lambda move: move.indicator_code):
            told = "  ".join(f"{move.cell} {move.before or '–'} → {move.after or '–'}" for move in moved)
            lines.append(f"    {indicator + ':' if indicator else 'unit:':22} {told}")
    units = {move.unit_code for move in found}
    kinds = Counter(move.cell for move in found if not move.indicator_code)
    by = Counter(indicator for _, indicator in {(move.unit_code, move.indicator_code) for move in found} if indicator)
    lines.append(
        f"{len(units)} units moved: "
        + ", ".join(
            f"{kinds[cell]} {what}"
            for cell, what in (("score_100", "scores"), ("rank_in_group", "ranks"), ("band", "bands"))
        )
        + "; by "
        + (", ".join(f"{indicator} ({number} units)" for indicator, number in by.most_common()) or "no indicator")
    )
    return "\n".join(lines)


@click.command(epilog="Example: python -m bench.moved main")
@click.argument("ref", required=False)
@click.option("--cases-per-day", type=click.IntRange(1), default=200, show_default=True)
def main(ref: str | None, cases_per_day: int) -> None:
    """Compare with REF: the commit before, or the last one while files differ from it. Exits 1 when anything moved."""
    ref = ref or ("HEAD" if _git("status", "--porcelain") else "HEAD~1")
    with tempfile.TemporaryDirectory(prefix="minhu-moved-") as folder, worktree(ref, Path(folder)) as before:
        exported = {}
        for name, checkout in (("before", before), ("after", ROOT)):
            click.echo(f"{name}: {_git('log', '-1', '--format=%h %s', ref) if checkout == before else ROOT}", err=True)
            with month.at_work(checkout, Path(folder, name), Path(folder, "drop")) as city:
                if checkout == before:
                    month.simulate(city, cases_per_day)
                month.live(city)
                exported[name] = export(city)
        click.echo("upgrade", err=True)
        with month.at_work(ROOT, Path(folder, "before"), Path(folder, "drop")) as city:
            verified = upgrade(city)
    found = moves(exported["before"], exported["after"])
    click.echo(render(found))
    click.echo(verified.stdout + verified.stderr)
    if found or verified.returncode:
        raise click.exceptions.Exit(1)


def export(city: month.Installation) -> dict[str, str]:
    """What the city tells of its release, a CSV text by the name of its table."""
    told = {}
    for table in TABLES:
        out = city.home / f"{table}.csv"
        city.minhu("export", month.PERIOD, "--out", str(out), "--table", table)
        told[table] = out.read_text(encoding="utf-8")
    return told


def upgrade(city: month.Installation) -> subprocess.CompletedProcess:
    """Takes over an installation with a release by other code: the build migrates its database, then it is verified."""
    city.minhu("build")
    return city.run("verify", month.PERIOD)


@contextmanager
def worktree(ref: str, folder: Path) -> Iterator[Path]:
    """The tree of a commit, gone afterwards."""
    folder.chmod(0o755)  # the server's user passes it
    tree = folder / "tree"
    _git("worktree", "add", "--detach", str(tree), ref)
    try:
        yield tree
    finally:
        _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> str:
    told = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode:
        raise click.ClickException(told.stderr)
    return told.stdout.strip()


if __name__ == "__main__":
    main()
