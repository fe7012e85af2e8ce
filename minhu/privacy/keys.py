"""The keys of the caller tokens that a home holds. Which of them writes, the warehouse says (``minhu.load.key_ring``).

Files of ``$MINHU_HOME/secrets``: ``caller-key``, the one that wrote when this home last looked, and
``caller-key.<id>``, earlier ones and the one that is to write next. Only the loader's user can read them; no key is
ever in the database.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from minhu.errors import Refused
from minhu.settings import Settings

CURRENT = "MINHU_CALLER_KEY"
EARLIER = "MINHU_CALLER_KEYS_OLD"
RECORD = "MINHU_RECORD_KEY"
_FILE = "caller-key"


def key_id(key: bytes) -> str:
    """Names a key without telling it."""
    return hashlib.sha256(b"minhu key id" + key).hexdigest()[:8]


@dataclass(frozen=True)
class Kept:
    """One key of a home. ``since``: when its file was written; null where the environment gives the key."""

    key_id: str
    kept_in: str
    since: datetime | None
    key: bytes = field(repr=False)

    def summary(self) -> dict:
        """What may be shown: everything but the key."""
        since = self.since.isoformat(sep=" ", timespec="seconds") if self.since else None
        return {"key_id": self.key_id, "kept_in": self.kept_in, "since": since}


def kept_keys(settings: Settings, env: Mapping[str, str] = os.environ) -> dict[str, Kept]:
    """The keys there are, by id; the one that a home without a warehouse would write with comes first.

    None is made by looking. Read anew each time, so that no process goes on with a key that was rotated.
    """
    folder = settings.home / "secrets"
    told = [(name, text) for name in (CURRENT, EARLIER) for text in env.get(name, "").split(",") if text.strip()]
    given: list[tuple[str, datetime | None, str]] = [(name, None, text.strip()) for name, text in told]
    files = [folder / _FILE, *sorted(folder.glob(f"{_FILE}.????????"), reverse=True)]
    given += [_filed(path, settings.zone) for path in files if path.exists()]
    found: dict[str, Kept] = {}
    for kept_in, since, text in given:
        key = as_key(text)
        found.setdefault(key_id(key), Kept(key_id(key), kept_in, since, key))
    return found


def first_key(settings: Settings) -> Kept:
    """The key that writes where nothing has been written yet; made on first use."""
    if not os.environ.get(CURRENT):
        settings.secret(_FILE)
    return next(iter(kept_keys(settings).values()))


def keep(settings: Settings, key: bytes) -> str:
    """Keeps a key beside the others; its id. It is on the disk when this returns."""
    _write(settings.home / "secrets" / f"{_FILE}.{key_id(key)}", key)
    return key_id(key)


def make(settings: Settings) -> str:
    """Makes a key and keeps it beside the others; its id."""
    return keep(settings, secrets.token_bytes(32))


def put_first(settings: Settings, writing: str) -> None:
    """Has the file ``caller-key`` be the key that writes; the one that was there stays beside it.

    Interrupted, it can be run again: no key is without a file at any step.
    """
    folder = settings.home / "secrets"
    first, beside = folder / _FILE, folder / f"{_FILE}.{writing}"
    with (folder / f".{_FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not beside.exists():
            return
        if first.exists():
            keep(settings, as_key(first.read_text()))
        _write(first, as_key(beside.read_text()))
        if beside.exists() and key_id(as_key(first.read_text())) == writing:
            beside.unlink()


def as_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise Refused("a caller key is not at least 32 hex digits; 64 are what a fresh one has")
    return key


def _write(path: Path, key: bytes) -> None:
    """All or nothing, on the disk before it has its name."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key.hex())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _filed(path: Path, zone: ZoneInfo) -> tuple[str, datetime, str]:
    """Where a key lies, since when, and what the file says."""
    since = datetime.fromtimestamp(path.stat().st_mtime, zone)
    return str(path), since, path.read_text().strip()
