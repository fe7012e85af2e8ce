"""Drop folders: takes settled files, leaves them where they are or moves them to an archive. Deletes nothing.

A file that is gone by the time it is looked at was taken by another loader. One that its sender replaces meanwhile
stays where it is and is taken next time.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from glob import escape
from pathlib import Path

from minhu.errors import BadDelivery, Retryable, foreign
from minhu.feeds.sources import DropFolder
from minhu.feeds.sources.dated import dated
from minhu.feeds.sources.fetched import Fetched, Wanted, control_total
from minhu.privacy.file_names import told

_UNFINISHED = (".tmp", ".temp", ".part", ".filepart", ".partial", ".crdownload", ".swp", "~")
_PATIENCE = 60  # seconds to wait for a file that keeps growing


def fetch_drop(wanted: Wanted) -> Iterator[Fetched]:
    """Every settled file of the date. Raises Retryable for one that keeps growing or whose done file is not there, and
    BadDelivery when, all others taken, one is a link that leads out of the drop folder.
    """
    source, drop = wanted.source(DropFolder), wanted.settings.drop
    pattern = dated(source.path, wanted.business_date, escape)
    astray = []
    for path in sorted(found for found in drop.glob(pattern) if not _is_unfinished(found.name, pattern)):
        if _leads_astray(path, drop):
            astray.append(path.name)
            continue
        if not path.is_file():
            continue
        total = None
        if source.done_suffix:
            if path.name.endswith(source.done_suffix):
                continue
            total = control_total(_done(path.with_name(path.name + source.done_suffix)))
        try:
            seen = path.stat() if source.done_suffix else _settled(path, source.settle_seconds)
        except FileNotFoundError:
            continue
        archive = partial(_archive, path, seen, drop / source.archive, drop) if source.archive else None
        yield Fetched(path, str(path.relative_to(drop)), total, after_commit=archive)
    if astray:
        told = f"{', '.join(astray)}: a link that leads out of the drop folder, or nowhere; put the file itself there"
        raise BadDelivery("LINK_ASTRAY", told)


def _is_unfinished(name: str, pattern: str) -> bool:
    """Whether a program still writes under this name, and the declaration does not ask for such names."""
    marks = [suffix for suffix in _UNFINISHED if name.lower().endswith(suffix)]
    return name.startswith((".", "~")) or any(not pattern.lower().endswith(suffix) for suffix in marks)


def _leads_astray(path: Path, drop: Path) -> bool:
    """Whether a name in the drop folder stands for something outside of it, or for itself."""
    try:
        return not path.resolve(strict=True).is_relative_to(drop.resolve())
    except FileNotFoundError:
        return path.is_symlink()  # else it was taken meanwhile
    except (OSError, RuntimeError):  # a loop
        return True


def _done(done: Path) -> str:
    with foreign.told("done file", name=told(done.name)):
        return done.read_text(encoding="utf-8", errors="replace")


def _settled(path: Path, seconds: float) -> os.stat_result:
    """How the file is once size and time of change have stood still for ``seconds``."""
    began, seen = time.monotonic(), path.stat()
    while (age := time.time() - seen.st_mtime) < seconds:
        if time.monotonic() - began > _PATIENCE:
            raise Retryable(f"{told(path.name)} is still growing after {_PATIENCE} s")
        time.sleep(min(max(seconds - age, 0.05), seconds))
        seen = path.stat()
    return seen


def _archive(path: Path, seen: os.stat_result, folder: Path, drop: Path) -> None:
    """Moves a loaded file; a file of the same name that is already there keeps its place, this one gets a number."""
    if not _is_still(path, seen):
        return
    target = folder / path.relative_to(drop)
    target.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{path.stem}.{number}{path.suffix}")
    try:
        os.rename(path, target)
    except FileNotFoundError:
        return
    if not _is_still(target, seen):  # replaced at the last moment: back to where it is found
        with suppress(FileExistsError):
            os.link(target, path)
            target.unlink()


def _is_still(path: Path, seen: os.stat_result) -> bool:
    """Whether the file is there and the one that was read."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return False  # moved by another run
    return (now.st_ino, now.st_size, now.st_mtime_ns) == (seen.st_ino, seen.st_size, seen.st_mtime_ns)
