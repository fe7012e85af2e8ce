"""Which code computed a number: the version of the package, and a hash of all that decides over numbers."""

from functools import cache
from importlib.metadata import version as package_version

from minhu.hashing import files_sha256
from minhu.settings import PROJECT_ROOT

DECIDES = {"minhu": ("*.py", "*.sql", "*.yml"), "dbt_project": ("*.sql", "*.yml", "*.csv"), "sql": ("*.sql",)}
"""Folders, and which of their files count."""


@cache
def code_version() -> dict[str, str]:
    """``version`` of the package and ``sha256`` over the names and contents of the files."""
    files = {
        path for folder, patterns in DECIDES.items() for one in patterns for path in (PROJECT_ROOT / folder).rglob(one)
    }
    return {"version": package_version("minhu"), "sha256": files_sha256(PROJECT_ROOT, files)}
