"""The key of the caller tokens: which one writes, which ones were, and how another takes its place.

Files of ``$MINHU_HOME/secrets``: ``caller-key`` writes; ``caller-key.<id>`` are earlier ones, kept while tokens of
theirs may still have to be recognised. Only the loader's user can read them; no key is ever in the database.
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
_FILE = "caller-key"


def key_id(key: bytes) -> str:
    """Names a key without telling it."""
    return hashlib.sha256(b"minhu key id" + key).hexdigest()[:8]


@dataclass(frozen=True)
class Kept:
    """One key of an installation. ``since``: when it took its role; null where the environment gives the key."""

    key_id: str
    role: str
    """``current`` writes, ``earlier`` only recognises."""
    kept_in: str
    since: datetime | None
    key: bytes = field(repr=False)

    def summary(self) -> dict:
        """What may be shown: everything but the key."""
        since = self.since.isoformat(sep=" ", timespec="seconds") if self.since else None
        return {"key_id": self.key_id, "role": self.role, "kept_in": self.kept_in, "since": since}


def read(settings: Settings, env: Mapping[str, str] = os.environ) -> tuple[bytes, ...]:
    """The current key, made on first use, and the earlier ones, the latest first.

    Read anew each time, so that no process goes on with a key that was rotated. What is to be committed is tokenised
    under the keys of ``minhu.load.links.key_in_use``.
    """
    if not env.get(CURRENT):
        settings.secret(_FILE)
    return tuple(kept.key for kept in kept_keys(settings, env))


def kept_keys(settings: Settings, env: Mapping[str, str] = os.environ) -> tuple[Kept, ...]:
    """The keys there are, in the order of ``read``; none is made by looking."""
    folder = _folder(settings)
    given: list[tuple[str, str, datetime | None, str]] = []
    if env.get(CURRENT):
        given.append(("current", CURRENT, None, env[CURRENT]))
    if not given and (folder / _FILE).exists():
        given.append(("current", *_filed(folder / _FILE, settings.zone)))
    given += [("earlier", EARLIER, None, text.strip()) for text in env.get(EARLIER, "").split(",") if text.strip()]
    filed = [_filed(path, settings.zone) for path in folder.glob(f"{_FILE}.????????")]
    given += [("earlier", *told) for told in sorted(filed, key=lambda told: told[1], reverse=True)]
    found: dict[bytes, Kept] = {}
    for role, kept_in, since, text in given:
        key = _key(text)
        found.setdefault(key, Kept(key_id(key), role, kept_in, since, key))
    return tuple(found.values())


def rotate(settings: Settings, env: Mapping[str, str] = os.environ) -> str:
    """Makes a new current key, keeps the old one beside it; the id of the new one.

    Interrupted at any step it can be run again: until the last one, the old key writes. A load that read the key before
    would go on with it: ``minhu.load.links.rotate_key`` waits for those.
    """
    if env.get(CURRENT):
        raise Refused(f"the caller key is given by {CURRENT}: put a new one there and the old one into {EARLIER}")
    old = bytes.fromhex(settings.secret(_FILE))
    folder = _folder(settings)
    with (folder / f".{_FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        old = bytes.fromhex(settings.secret(_FILE))
        _write(folder / f"{_FILE}.{key_id(old)}", old)
        fresh = secrets.token_bytes(32)
        _write(folder / _FILE, fresh)
    return key_id(fresh)


def _write(path: Path, key: bytes) -> None:
    """All or nothing, on the disk before it has its name."""
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


def _folder(settings: Settings) -> Path:
    return settings.home / "secrets"


def _filed(path: Path, zone: ZoneInfo) -> tuple[str, datetime, str]:
    """Where a key lies, since when, and what the file says."""
    since = datetime.fromtimestamp(path.stat().st_mtime, zone)
    return str(path), since, path.read_text().strip()


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise Refused("a caller key is not at least 32 hex digits; 64 are what a fresh one has")
    return key
