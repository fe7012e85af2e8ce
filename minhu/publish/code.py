"""Which code computed a number: the version of the package, and a hash of all that decides over numbers."""

import hashlib
from functools import cache
from importlib.metadata import version as package_version

from minhu.settings import PROJECT_ROOT

DECIDES = {"minhu": ("*.py", "*.sql", "*.yml"), "dbt_project": ("*.sql", "*.yml", "*.csv")}
"""Folders, and which of their files count."""


@cache
def code_version() -> dict[str, str]:
    """``version`` of the package and ``sha256`` over the names and contents of the files."""
    whole = hashlib.sha256()
    for folder, patterns in DECIDES.items():
        root = PROJECT_ROOT / folder
        files = {path for pattern in patterns for path in root.rglob(pattern)}
        for path in sorted(files, key=lambda path: path.as_posix()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"{path.relative_to(PROJECT_ROOT).as_posix()} {content}\n".encode())
    return {"version": package_version("minhu"), "sha256": whole.hexdigest()}
