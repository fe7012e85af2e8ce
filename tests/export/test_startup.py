"""A command imports what it needs: nobody waits for a library that the command has no use for.

Names, not times: a clock on a busy machine proves nothing. Here for the sake of its city.
"""

import os
import subprocess
import sys

import pytest

from minhu.settings import Settings

ENGINES = {"airflow", "dbt", "great_expectations", "pandas", "polars", "numpy"}
DATABASE = {"psycopg", "sqlalchemy"}
DECLARATIONS = {"pydantic", "yaml"}
PAPER = {"docx", "fpdf", "fontTools", "PIL", "xlsxwriter"}
PROGRAM = """
import sys
from minhu.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        ("--help", ENGINES | DATABASE | DECLARATIONS | PAPER | {"rich", "httpx", "psutil"}),
        ("export mart --help", ENGINES | DATABASE | DECLARATIONS | PAPER | {"rich", "httpx", "psutil"}),
        ("explain --help", ENGINES | DATABASE | DECLARATIONS | PAPER | {"rich", "httpx", "psutil"}),
        ("status", ENGINES | DECLARATIONS | PAPER | {"sqlalchemy", "rich", "httpx"}),
        ("feeds list", ENGINES | DATABASE | PAPER | {"httpx"}),
        ("explain D1 2026-10", ENGINES | PAPER | {"httpx"}),
        ("export 2026-10 --out scores.csv", ENGINES | PAPER | {"httpx"}),
        ("export 2026-10 --out scores.xlsx", ENGINES | PAPER - {"xlsxwriter"}),
    ],
)
def test_a_command_imports_only_what_it_needs(scored: Settings, tmp_path, command, unneeded):
    own = {"MINHU_HOME": str(scored.home), "MINHU_DATABASE_URL": str(scored.database_url)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command.split()],
        cwd=tmp_path,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stderr.split())
    assert {"minhu", "click"} <= imported
    assert sorted(imported & unneeded) == []
