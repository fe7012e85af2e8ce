"""Makes the dump of a checkout of the project: a simulated month of few cases, lived through its own command line."""

import json
import lzma
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import sqlalchemy

from bench import month

HERE = Path(__file__).parent
CASES_PER_DAY = 3


@click.command(epilog="Example: python -m tests.database.lived ../before")
@click.argument("checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(checkout: Path) -> None:
    """Writes the warehouse that CHECKOUT's code leaves as NNN.sql.xz, NNN being its last migration."""
    newest = max(int(re.match(r"\d+", path.name)[0]) for path in (checkout / "sql").glob("[0-9]*.sql"))
    with tempfile.TemporaryDirectory(prefix="minhu-lived-") as folder, month.at_work(checkout, Path(folder)) as city:
        month.simulate(city, CASES_PER_DAY)
        month.live(city)
        programs = Path(json.loads(city.minhu("status", "--json"))["postgres"]["bin_dir"])
        command = [programs / "pg_dump", "--exclude-table-data=build.*", city.address()]
        told = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout
        owner = sqlalchemy.make_url(city.address()).username
    # psql takes the name of this function for the beginning of a block and waits for its end
    told = re.sub(r"(?m)^CREATE FUNCTION portal\.begin\(", 'CREATE FUNCTION portal."begin"(', told)
    by_name = r"^(CREATE POLICY .* TO |ALTER DEFAULT PRIVILEGES FOR ROLE |ALTER .* OWNER TO )"
    told = re.sub(rf"(?m){by_name}{owner}\b", r"\1CURRENT_USER", told)  # whoever restores it
    out = HERE / f"{newest}.sql.xz"
    out.write_bytes(lzma.compress(told.encode(), preset=9))
    click.echo(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
