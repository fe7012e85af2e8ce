"""`python -m bench.moved [REF]`: which published scores of a simulated month the code of this tree moves.

The code of REF lives the month in a worktree of its own, this tree lives it with the same files, and what both publish
is compared. Then this tree opens the installation that REF left, as an upgrade does, and verifies the release. It is no
part of the package: a city that upgrades asks `minhu verify` about what it has published.
"""

import csv
import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click
import psycopg

from bench import month

ROOT = Path(__file__).resolve().parent.parent
HEAD = ("unit_code", "unit_name", "indicator_code")
CELLS = (
    *("score_100", "rank_in_group", "band", "raw_points", "assessed_points", "not_ranked_reason", "listed_on"),
    *("points", "value", "numerator", "denominator", "target", "points_max"),
    *("wilson_low", "wilson_high", "funnel_flag", "shrunken_value"),
)
"""What is told of a unit, and of each of its indicators."""


@dataclass(frozen=True)
class Move:
    """A cell of a unit, or of one of its indicators, that is not what it was; empty where it has no value."""

    unit_code: str
    unit_name: str
    indicator_code: str
    cell: str
    before: str
    after: str


def read(connection: psycopg.Connection, tables: str = "publish.") -> list[dict[str, str]]:
    """A row for each unit and each of its indicators, of the one release there is; of the one score with ``mart.fct_``.

    A cell that has no value, or that its row does not have, is empty.
    """
    names: dict[str, str] = dict(
        connection.execute("select unit_code, max(unit_name) from mart.dim_unit group by unit_code").fetchall()
    )
    rows = []
    for table in ("unit_score", "unit_indicator"):
        for (text,) in connection.execute(f"select to_jsonb(told)::text from {tables}{table} as told"):
            told = json.loads(text, parse_float=str, parse_int=str)  # a number keeps its digits
            row = {name: told.get(name) or "" for name in (*HEAD, *CELLS)}
            rows.append(row | {"unit_name": names.get(row["unit_code"], "")})
    return sorted(rows, key=lambda row: (row["unit_code"], row["indicator_code"]))


def read_file(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_file(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, (*HEAD, *CELLS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def moves(before: Iterable[dict[str, str]], after: Iterable[dict[str, str]]) -> list[Move]:
    """What moved, unit by unit, first those whose score, rank or band did."""
    old, new = ({(row["unit_code"], row["indicator_code"]): row for row in rows} for rows in (before, after))
    found = []
    for place in sorted(old.keys() | new.keys()):
        was, now = (side.get(place, {}) for side in (old, new))
        for cell in CELLS:
            if was.get(cell, "") != now.get(cell, ""):
                name = (was or now)["unit_name"]
                found.append(Move(place[0], name, place[1], cell, was.get(cell, ""), now.get(cell, "")))
    scored = {move.unit_code for move in found if not move.indicator_code}
    return sorted(found, key=lambda move: (move.unit_code not in scored, move.unit_code))


def render(found: list[Move]) -> str:
    """Who moved, from what to what, by which indicators."""
    if not found:
        return "nothing moved"
    lines = []
    for (unit, name), of_unit in groupby(found, lambda move: (move.unit_code, move.unit_name)):
        lines.append(f"{name}  {unit}")
        for indicator, moved in groupby(of_unit, lambda move: move.indicator_code):
            told = "  ".join(f"{move.cell} {move.before or '–'} → {move.after or '–'}" for move in moved)
            lines.append(f"    by {indicator}: {told}" if indicator else f"    {told}")
    kinds = Counter(move.cell for move in found if not move.indicator_code)
    by = Counter(code for _, code in {(move.unit_code, move.indicator_code) for move in found} if code)
    counts = {"score_100": "scores", "rank_in_group": "ranks", "band": "bands"}
    return "\n".join(
        [
            *lines,
            f"{len({move.unit_code for move in found})} units moved: "
            + ", ".join(f"{kinds[cell]} {what}" for cell, what in counts.items())
            + "".join(f"; {code} of {number} units" for code, number in by.most_common()),
        ]
    )


@click.command(epilog="Example: python -m bench.moved main")
@click.argument("ref", required=False)
@click.option("--cases-per-day", type=click.IntRange(1), default=200, show_default=True)
def main(ref: str | None, cases_per_day: int) -> None:
    """Compare with REF: the commit before, or the last one while files differ from it. Exits 1 when anything moved."""
    ref = ref or ("HEAD" if _git("status", "--porcelain") else "HEAD~1")
    with tempfile.TemporaryDirectory(prefix="minhu-moved-") as folder, worktree(ref, Path(folder)) as tree:
        drop, home = Path(folder, "drop"), Path(folder, "before")
        click.echo(f"before: {_git('log', '-1', '--format=%h %s', ref)}", err=True)
        with month.at_work(tree, home, drop) as city:
            month.simulate(city, cases_per_day)
            before = _release(city)
        click.echo("after: this tree", err=True)
        with month.at_work(ROOT, Path(folder, "after"), drop) as city:
            after = _release(city)
        click.echo("upgrade: this tree takes over what was published before", err=True)
        with month.at_work(ROOT, home, drop) as city:
            verified = month.upgrade(city)
    found = moves(before, after)
    click.echo(render(found))
    click.echo(verified.stdout)
    if found or verified.returncode:
        raise click.exceptions.Exit(1)


def _release(city: month.Installation) -> list[dict[str, str]]:
    month.live(city)
    with city.connect() as connection:
        return read(connection)


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
