"""A hash over files, by which code and its results are matched."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def files_sha256(root: Path, files: Iterable[Path]) -> str:
    """sha256 over the names below ``root`` and the contents of ``files``, in the order of the names."""
    whole = hashlib.sha256()
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in files):
        whole.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
