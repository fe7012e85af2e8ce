"""The folder of an export: what it holds, what changes, and the change itself.

New files are made in a hidden folder of it and put in their places once all are there. While they are, there is no
`manifest.json`: a folder without one is not whole. What a killed export leaves, the next one clears away.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minhu.errors import Refused, foreign
from minhu.hashing import file_sha256

FORMAT = "minhu-mart/1"
MANIFEST, BEFORE, NEXT = "manifest.json", ".manifest.json", ".next"
_OURS = re.compile(r"(month=[^/]+/)?part-\d+\.parquet")


@dataclass
class Folder:
    """``before``: the manifest that it had. ``fresh``: paths of what was made anew and waits."""

    root: Path
    before: dict[str, Any]
    fresh: list[str] = field(default_factory=list)

    def file(self, path: str, rows_sha256: str) -> dict[str, Any] | None:
        """What is known of a file that is there as it should be, made of these very rows."""
        known = self._known.get(path)
        place = self.root / path
        if known is None or known["rows_sha256"] != rows_sha256 or not place.is_file():
            return None
        is_whole = place.stat().st_size == known["bytes"] and file_sha256(place) == known["sha256"]
        return known if is_whole else None

    def place_for(self, path: str) -> Path:
        """Where a new file is to be made, until all are."""
        self.fresh.append(path)
        place = self.root / NEXT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def change(self, manifest: dict[str, Any]) -> list[str]:
        """Puts what was made in its place, removes what is no more; returns the paths removed."""
        told = (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode()
        held = {file["path"] for table in manifest["tables"].values() for file in table["files"]}
        gone = [path for path in self._lying({*manifest["tables"], *self.before.get("tables", ())}) if path not in held]
        now = self.root / MANIFEST
        if not self.fresh and not gone and now.is_file() and now.read_bytes() == told:
            return []
        (self.root / NEXT).mkdir(exist_ok=True)
        (self.root / NEXT / MANIFEST).write_bytes(told)
        if now.exists():
            now.replace(self.root / BEFORE)
        for path in self.fresh:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / NEXT / path).replace(self.root / path)
        for path in gone:
            (self.root / path).unlink()
            self._tidy((self.root / path).parent)
        (self.root / NEXT / MANIFEST).replace(now)
        (self.root / BEFORE).unlink(missing_ok=True)
        return gone

    @property
    def _known(self) -> dict[str, dict[str, Any]]:
        return {file["path"]: file for table in self.before.get("tables", {}).values() for file in table["files"]}

    def _lying(self, tables: set[str]) -> list[str]:
        """The files of tables that lie there, whoever knows of them; what is not named as ours stays."""
        found = (path for name in sorted(tables) for path in sorted((self.root / name).rglob("*.parquet")))
        return [
            path.relative_to(self.root).as_posix()
            for path in found
            if _OURS.fullmatch(path.relative_to(self.root).as_posix().partition("/")[2])
        ]

    def _tidy(self, place: Path) -> None:
        while place != self.root and not any(place.iterdir()):
            place.rmdir()
            place = place.parent


@contextmanager
def held_folder(out: Path, login: str, asked: list[str] | None) -> Iterator[Folder]:
    """The folder, held against a second export; what a killed one left is cleared away.

    Raises Refused where it is somebody else's, holds other tables, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise Refused(f"cannot write {out}: it is a file, and the marts are a folder")
    if not out.parent.is_dir():
        raise Refused(f"there is no folder {out.parent}")
    with foreign.told("write file", file=out):
        out.mkdir(exist_ok=True)
        held = os.open(out, os.O_RDONLY)
        try:
            if not _locked(held):
                raise Refused(f"another export is writing into {out}")
            before = _before(out, login, asked)
            _clear(out)
            try:
                yield Folder(out, before)
            finally:
                _clear(out)
        finally:
            os.close(held)


def _clear(out: Path) -> None:
    shutil.rmtree(out / NEXT, ignore_errors=True)


def _before(out: Path, login: str, asked: list[str] | None) -> dict[str, Any]:
    """The manifest of an earlier export by the same login of the same tables; empty where there is none."""
    there = next((out / name for name in (MANIFEST, BEFORE) if (out / name).exists()), None)
    if there is None:
        if any(one.name != NEXT for one in out.iterdir()) and not (out / NEXT).exists():
            raise Refused(f"{out} holds files, and no manifest of ours: name a new folder, or an empty one")
        return {}
    try:
        told = json.loads(there.read_bytes())
        made = told["format"], told["login"], told["asked"]
    except (ValueError, KeyError, TypeError):
        raise Refused(f"{there} is no manifest of ours: name a new folder, or an empty one") from None
    if made[0] != FORMAT:
        raise Refused(f"{out} was written in the form {made[0]}, and this minhu writes {FORMAT}: name a new folder")
    if made[1] != login:
        raise Refused(f"{out} holds what the login {made[1]} may read, and you are {login}: name a new folder")
    if made[2] != asked:
        held = ", ".join(made[2]) if made[2] else "every table"
        raise Refused(f"{out} was asked for {held}: ask for the same, or name a new folder")
    return told


def sha256_of(files: Iterator[dict[str, Any]]) -> str:
    """One hash over all files: of their paths and hashes, a line each, in the order of the paths."""
    lines = sorted(f"{one['path']} {one['sha256']}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _locked(held: int) -> bool:
    """Locks an open folder for this process; whether nobody else had."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
