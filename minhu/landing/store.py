"""Where landed files lie: a folder, or an object store that fsspec knows.

A file is written beside its place and appears there whole, under its name or not at all. Names are
``<2 hex>/<sha256>``, with ``.age`` when the file is encrypted; the sha256 is always that of the plain bytes.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from minhu.errors import Retryable, foreign
from minhu.landing import seal
from minhu.settings import Settings

STRAY_AFTER = 24 * 3600
_ARRIVING = ".arriving-"
_ZONE = ".zone"
"""What names the zone."""


class Store(Protocol):
    """The landing zone. Every method raises Retryable when it cannot be reached or is full."""

    told: str
    """How messages call it: never with a password."""

    def drafts(self) -> Path:
        """The folder in which a file is prepared."""

    def keep(self, draft: Path, name: str) -> None:
        """Moves a prepared file to its place; what stood there before goes."""

    def find(self, sha256: str) -> str | None:
        """The name under which a file lies, encrypted or not."""

    def path(self, name: str) -> Path | None:
        """The file itself, where it is local."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]: ...

    def names(self) -> Iterator[str]: ...

    def age(self, name: str) -> float | None:
        """Seconds since a file came to its place; null when the store does not tell."""

    def remove(self, name: str) -> None: ...

    def identity(self) -> str:
        """Names the landing zone, by whatever path or address it is reached; made on first use."""


def store_of(settings: Settings) -> Store:
    return Bucket(settings) if settings.landing_url else Folder(settings.landing)


def name_of(sha256: str, *, is_encrypted: bool = False) -> str:
    return f"{sha256[:2]}/{sha256}{seal.SUFFIX if is_encrypted else ''}"


def sha256_of(name: str) -> str | None:
    """The sha256 that a name tells; null when it is no landed file's."""
    last = name.rpartition("/")[2].removesuffix(seal.SUFFIX)
    return last if len(last) == 64 and not set(last) - set("0123456789abcdef") else None


def sweep(folder: Path) -> None:
    """Removes what a killed process left long ago; a younger file may be another loader's at work."""
    for stray in folder.glob(".*-*"):
        with suppress(FileNotFoundError):
            if time.time() - stray.stat().st_mtime > STRAY_AFTER:
                shutil.rmtree(stray) if stray.is_dir() else stray.unlink()


@contextmanager
def private_folder(settings: Settings, prefix: str) -> Iterator[Path]:
    """A folder for what is on its way, readable by the loader alone, gone afterwards."""
    settings.transit.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(settings.transit)
    with tempfile.TemporaryDirectory(dir=settings.transit, prefix=f".{prefix}-") as folder:
        yield Path(folder)


class Folder:
    """A local folder, or a network mount."""

    def __init__(self, root: Path):
        self._root = root
        self.told = str(root)

    def drafts(self) -> Path:
        with foreign.told("landing folder", where=self.told):
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            sweep(self._root)
        return self._root

    def keep(self, draft: Path, name: str) -> None:
        place = self._root / name
        place.parent.mkdir(exist_ok=True, mode=0o700)
        os.replace(draft, place)

    def find(self, sha256: str) -> str | None:
        both = (name_of(sha256, is_encrypted=True), name_of(sha256))
        return next((name for name in both if (self._root / name).is_file()), None)

    def path(self, name: str) -> Path | None:
        return self._root / name

    def open(self, name: str) -> BinaryIO:
        return (self._root / name).open("rb")

    def names(self) -> Iterator[str]:
        found = (path.relative_to(self._root).as_posix() for path in self._root.glob("??/*"))
        return (name for name in found if sha256_of(name))

    def age(self, name: str) -> float | None:
        try:
            return time.time() - (self._root / name).stat().st_mtime
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        with foreign.told("landing folder", where=self.told):
            (self._root / name).unlink(missing_ok=True)

    def identity(self) -> str:
        with foreign.told("landing folder", where=self.told):
            place = self._root / _ZONE
            if not place.exists():
                descriptor, draft = tempfile.mkstemp(dir=self.drafts(), prefix=_ARRIVING)
                with os.fdopen(descriptor, "w") as file:
                    file.write(uuid4().hex)
                with suppress(FileExistsError):  # of two at once the second finds the first one's
                    os.link(draft, place)
                Path(draft).unlink()
            return place.read_text(encoding="ascii").strip()


class Bucket:
    """An object store. Its options and secrets are fsspec's own: ``FSSPEC_…`` variables or its configuration file."""

    def __init__(self, settings: Settings):
        import fsspec

        self._settings = settings
        url = settings.landing_url or ""
        parts = urlsplit(url)
        self.told = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        with foreign.told("landing store: backend", where=self.told):
            self._fs, root = fsspec.url_to_fs(url)
        self._root = root.rstrip("/")

    def drafts(self) -> Path:
        with foreign.told("landing folder", where=self._settings.transit):
            self._settings.transit.mkdir(parents=True, exist_ok=True, mode=0o700)
            sweep(self._settings.transit)
        return self._settings.transit

    def keep(self, draft: Path, name: str) -> None:
        """Uploads under a passing name, then moves: where uploads are not atomic, no half file has its name either."""
        arriving, place = f"{self._root}/{_ARRIVING}{uuid4().hex}", f"{self._root}/{name}"
        with self._reached():
            self._sweep()
            self._fs.makedirs(place.rpartition("/")[0], exist_ok=True)
            try:
                self._fs.put_file(str(draft), arriving)
                if self._fs.info(arriving)["size"] != draft.stat().st_size:
                    raise Retryable(f"the landing zone {self.told} kept only a part of an upload")
                self._fs.mv(arriving, place)
            except BaseException:
                with suppress(Exception):
                    self._fs.rm_file(arriving)
                raise
        draft.unlink()

    def _sweep(self) -> None:
        self._fs.invalidate_cache()
        if not self._fs.exists(self._root):
            return
        for path in self._fs.ls(self._root, detail=False):
            name = path.rpartition("/")[2]
            if name.startswith(_ARRIVING) and (self.age(name) or 0) > STRAY_AFTER:
                with suppress(FileNotFoundError):
                    self._fs.rm_file(f"{self._root}/{name}")

    def find(self, sha256: str) -> str | None:
        with self._reached():
            self._fs.invalidate_cache()
            both = (name_of(sha256, is_encrypted=True), name_of(sha256))
            return next((name for name in both if self._fs.exists(f"{self._root}/{name}")), None)

    def path(self, name: str) -> Path | None:
        return None

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with self._reached(), self._fs.open(f"{self._root}/{name}", "rb") as file:
            yield file

    def names(self) -> Iterator[str]:
        with self._reached():
            self._fs.invalidate_cache()
            found = self._fs.find(self._root) if self._fs.exists(self._root) else []
        names = ("/".join(path.rsplit("/", 2)[1:]) for path in found)
        return (name for name in names if sha256_of(name))

    def age(self, name: str) -> float | None:
        with self._reached():
            try:
                return time.time() - self._fs.modified(f"{self._root}/{name}").timestamp()
            except (NotImplementedError, FileNotFoundError):
                return None

    def remove(self, name: str) -> None:
        with self._reached(), suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{name}")

    def identity(self) -> str:
        place = f"{self._root}/{_ZONE}"
        with self._reached():
            self._fs.invalidate_cache()
            if not self._fs.exists(place):
                self._fs.makedirs(self._root, exist_ok=True)
                self._fs.pipe_file(place, uuid4().hex.encode())
            return self._fs.cat_file(place).decode("ascii").strip()

    def _reached(self) -> AbstractContextManager[None]:
        return foreign.told("landing store", where=self.told)
