"""Object stores, through fsspec: downloads the date's objects whole. Nothing is moved or deleted there.

A store shows an object only when it is whole. Other file systems behind an address may not: so an object must stand
still before it is taken, and be the same after it came.
"""

import posixpath
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
from fsspec import AbstractFileSystem

from minhu.errors import Retryable, foreign
from minhu.feeds.sources import ObjectStore
from minhu.feeds.sources.dated import dated
from minhu.feeds.sources.fetched import Fetched, Wanted, control_total
from minhu.feeds.sources.secrets import secret

Version = tuple[int, str]  # size, and what changes with the content


def fetch_object(wanted: Wanted) -> Iterator[Fetched]:
    """Every settled object of the date, in the order of their names.

    Raises Retryable when the store is away or an object still grows, Refused when it does not let us in or the backend
    is not installed, BadDeclaration when nobody knows such an address.
    """
    source = wanted.source(ObjectStore)
    with foreign.told("object", where=source.url.partition("{date")[0]):
        store = _store(source)
        seen = _settled(store, dated(source.url, wanted.business_date), source)
        for at, path in enumerate(sorted(seen)):
            if source.done_suffix and path.endswith(source.done_suffix):
                continue
            total = _done(store, path + source.done_suffix) if source.done_suffix else None
            local = wanted.folder / f"{at}-{posixpath.basename(path)}"
            _download(store, path, seen[path], local)
            yield Fetched(local, store.unstrip_protocol(path), total)


def _store(source: ObjectStore) -> AbstractFileSystem:
    """The file system behind the address, made anew: no options of another declaration, no listing of before."""
    protocol = source.url.partition("://")[0]
    with foreign.told("object: backend", protocol=protocol):
        backend = fsspec.get_filesystem_class(protocol)
    options = source.options | {name: secret(one) for name, one in source.secrets.items()}
    return backend(**(options | {"use_listings_cache": False, "skip_instance_cache": True}))


def _settled(store: AbstractFileSystem, pattern: str, source: ObjectStore) -> dict[str, Version]:
    """The objects that fit. Without done marks, they must have stood still for ``settle_seconds``."""
    seen = _look(store, pattern)
    if seen and not source.done_suffix and source.settle_seconds:
        time.sleep(source.settle_seconds)
        if _look(store, pattern) != seen:
            raise Retryable(f"objects that fit {posixpath.basename(pattern)} are still growing or arriving")
    return seen


def _look(store: AbstractFileSystem, pattern: str) -> dict[str, Version]:
    store.invalidate_cache()
    try:
        found = store.glob(pattern, detail=True)
        return {path: _version(store, path) for path, info in found.items() if info["type"] == "file"}
    except FileNotFoundError:
        return {}


def _version(store: AbstractFileSystem, path: str) -> Version:
    return store.size(path) or 0, str(store.ukey(path))


def _done(store: AbstractFileSystem, path: str) -> int | None:
    with foreign.told("done file", name=posixpath.basename(path)):
        told = store.cat_file(path)  # not a range of it: S3 refuses any range of an empty object
    return control_total(told.decode("utf-8", errors="replace"))


def _download(store: AbstractFileSystem, path: str, seen: Version, local: Path) -> None:
    """The object, whole: as long as it was said to be, and unchanged at the end."""
    with foreign.told("download", name=posixpath.basename(path)):
        store.get_file(path, str(local))
        store.invalidate_cache()
        after = _version(store, path)
    if after != seen or local.stat().st_size != seen[0]:
        raise Retryable(f"{posixpath.basename(path)} changed while it was downloaded")
