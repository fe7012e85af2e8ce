"""Landing: every delivery is kept as it came, under its sha256, before anything reads it.

``land`` keeps a file, ``opened`` gives its plain bytes back on the local disk, wherever it lies (`minhu.landing.store`)
and whether it is encrypted or not (`minhu.landing.seal`): the name of the landed file tells. ``landed_file`` is a
person's way to them, and is logged.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from minhu import database
from minhu.errors import BadDelivery, Refused, foreign
from minhu.landing import seal
from minhu.landing.store import Store, name_of, private_folder, store_of
from minhu.privacy.access_log import reading
from minhu.privacy.file_names import told
from minhu.settings import Settings

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Landed:
    """A file of the landing zone. ``sha256`` and ``bytes`` are those of the file as it was delivered."""

    sha256: str
    bytes: int


def land(settings: Settings, source: Path) -> Landed:
    """Keeps ``source`` in the landing zone; encrypted where there is a key.

    The file appears whole or not at all, and landing the same bytes twice is one file. Raises BadDelivery NO_FILE when
    there is nothing to read, Retryable when the disk is full or the store away, Refused when the key is none.
    """
    keys = seal.read_keys(settings)
    store = store_of(settings)
    name = told(source.name)
    with foreign.told("delivered file", source=source.with_name(name)):
        given = source.open("rb")
    with given:
        descriptor, fresh = tempfile.mkstemp(dir=store.drafts(), prefix=".arriving-")
        try:
            with foreign.told("landing", name=name, where=store.told):
                plain = seal.Hashed(given)
                with os.fdopen(descriptor, "wb") as copy:
                    seal.encrypt(plain, copy, keys[0].to_public()) if keys else shutil.copyfileobj(plain, copy, _CHUNK)
                    copy.flush()
                    os.fsync(copy.fileno())
                store.keep(Path(fresh), name_of(plain.sha256, is_encrypted=bool(keys)))
                if keys:  # landed before there was a key: the plain file has had its day
                    store.remove(name_of(plain.sha256))
        finally:
            Path(fresh).unlink(missing_ok=True)
    return Landed(plain.sha256, plain.bytes)


@contextmanager
def opened(settings: Settings, sha256: str, whose: str = "this delivery") -> Iterator[Path]:
    """A local path to the plain bytes of a landed file, good while the context lasts; not to be changed.

    It is the landed file itself where that is local and plain, else a private copy, compared with its sha256. Raises
    BadDelivery NO_FILE when the landed file is gone, Refused when it cannot be decrypted or is not what was landed,
    Retryable when the store is away or the disk full.
    """
    store = store_of(settings)
    name = store.find(sha256)
    if name is None:
        raise BadDelivery("NO_FILE", f"{whose}: its landed file is gone from {store.told}")
    if not name.endswith(seal.SUFFIX) and (path := store.path(name)):
        yield path
        return
    with private_folder(settings, "opened") as folder:
        copy = folder / sha256
        _bring_back(settings, store, name, copy)
        yield copy


@contextmanager
def landed_file(settings: Settings, batch_id: int, why: str) -> Iterator[Path]:
    """The file of a batch as it was landed: a local path to its plain bytes, good while the context lasts.

    Raises Refused without a reason, and what `opened` raises.
    """
    with reading(settings, "landed_file", why, batch_id=batch_id) as connection:
        (sha256,) = database.one(connection, "select source_sha256 from audit.batch where batch_id = %s", [batch_id])
        store = store_of(settings)
        if store.find(sha256) is None:
            raise BadDelivery("NO_FILE", f"batch {batch_id}: its landed file {_where(connection, store, sha256)}")
    with opened(settings, sha256, f"batch {batch_id}") as path:
        yield path


def _where(connection: psycopg.Connection, store: Store, sha256: str) -> str:
    """What became of a file that is not in the landing zone of this home."""
    gone = "select max(pruned_at)::date from audit.pruned where what = 'landed_file' and source_sha256 = %s"
    if (on := database.one(connection, gone, [sha256])[0]) is not None:
        return f"was deleted on {on}, as retention says"
    elsewhere = "select zone, told from restricted.home where zone_id <> %s order by seen_at desc limit 1"
    if found := connection.execute(elsewhere, [store.identity()]).fetchone():
        return f"is not in {store.told}: the home {found[1]} lands files in {found[0]}, set MINHU_LANDING to that"
    return f"is not in {store.told}, and nothing says that it was deleted: restore it from a backup"


def _bring_back(settings: Settings, store: Store, name: str, copy: Path) -> None:
    told = f"the landed file {name} in {store.told}"
    with (
        foreign.told("landed file", name=told),
        store.open(name) as kept,
        open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
    ):
        plain = seal.Hashed(file)
        if name.endswith(seal.SUFFIX):
            seal.decrypt(kept, plain, seal.read_keys(settings), told)
        else:
            shutil.copyfileobj(kept, plain, _CHUNK)
    if plain.sha256 != copy.name:
        raise Refused(f"{told} is not what was landed; restore it from a backup, or ask the sender again")
