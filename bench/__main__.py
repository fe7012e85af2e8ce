"""`python -m bench [--quick] [NAME ...]`: measures and writes bench/results.json."""

import json
import subprocess
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import click

NAMES = ("load", "build", "day", "gates", "verify", "portal", "tune", "months", "ten", "faults")
RESULTS = Path(__file__).parent / "results.json"


@click.command(epilog="Example: python -m bench --quick load")
@click.option("--quick", is_flag=True, help="A tenth of the size.")
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
def main(quick: bool, names: tuple[str, ...]) -> None:
    """Measures NAMES (all unless given) and writes bench/results.json; what is not measured keeps its last figure."""
    size = "quick" if quick else "full"
    last = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = last if last.get("size") == size and names else {}
    results |= {"commit": commit_told(), "date": datetime.now(UTC).date().isoformat(), "size": size}
    for name in names or NAMES:
        for key, value in import_module(f"bench.{name}").measure(quick).items():
            results[key] = value
            click.echo(f"{key:38}{value}")
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def commit_told() -> str:
    """The commit that is measured, marked when files differ from it."""
    told = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(told, cwd=RESULTS.parent, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
