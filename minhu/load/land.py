"""Landing: every delivery is kept as it came, under its sha256, before anything reads it."""

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from minhu.errors import BadDelivery, Retryable
from minhu.settings import Settings

_CHUNK = 1 << 20
_STRAY_AFTER = 24 * 3600


def land(settings: Settings, source: Path) -> tuple[str, Path]:
    """Copies ``source`` into the landing zone; returns its sha256 and the landed path.

    The file appears whole or not at all: it is written beside its place, flushed to disk and renamed. Landing the same
    bytes twice is one file. Raises BadDelivery NO_FILE when there is nothing to read, Retryable when the disk is full.
    """
    settings.landing.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(settings.landing)
    digest = hashlib.sha256()
    try:
        given = source.open("rb")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BadDelivery("NO_FILE", f"{source} cannot be read: {error.strerror}") from None
    descriptor, fresh = tempfile.mkstemp(dir=settings.landing, prefix=".arriving-")
    try:
        with given, os.fdopen(descriptor, "wb") as copy:
            while chunk := given.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        landed = landed_path(settings, digest.hexdigest())
        landed.parent.mkdir(exist_ok=True, mode=0o700)
        os.replace(fresh, landed)
    except OSError as error:
        Path(fresh).unlink(missing_ok=True)
        raise Retryable(f"{source.name} cannot be kept in {settings.landing}: {error.strerror}") from None
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
    return digest.hexdigest(), landed


def _sweep(landing: Path) -> None:
    """Removes what a killed copy left long ago; a younger one may be another loader at work."""
    for stray in landing.glob(".arriving-*"):
        with suppress(FileNotFoundError):
            if time.time() - stray.stat().st_mtime > _STRAY_AFTER:
                stray.unlink()


def landed_path(settings: Settings, sha256: str) -> Path:
    return settings.landing / sha256[:2] / sha256
