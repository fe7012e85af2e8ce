"""Object stores, through fsspec: downloads the date's objects whole. Nothing is moved or deleted there.

A store shows an object only when it is whole. Other file systems behind an address may not: so an object must stand
still before it is taken, and be the same after it came.
"""

import posixpath
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
from fsspec import AbstractFileSystem

from minhu.errors import BadDeclaration, MinhuError, Refused, Retryable, SourceAway
from minhu.feeds.sources import ObjectStore
from minhu.feeds.sources.dated import dated
from minhu.feeds.sources.fetched import Fetched, Wanted, control_total
from minhu.feeds.sources.secrets import secret

_NOT_LET_IN = re.compile("Permission|Credential|Authenti|Authoriz|Forbidden|Signature")
Version = tuple[int, str]  # size, and what changes with the content


def fetch_object(wanted: Wanted) -> Iterator[Fetched]:
    """Every settled object of the date, in the order of their names.

    Raises Retryable when the store is away or an object still grows, Refused when it does not let us in or the backend
    is not installed, BadDeclaration when nobody knows such an address.
    """
    source = wanted.delivery.source
    with _told(source):
        store = _store(source)
        seen = _settled(store, dated(source.url, wanted.business_date), source)
        for at, path in enumerate(sorted(seen)):
            if source.done_suffix and path.endswith(source.done_suffix):
                continue
            total = _done(store, path + source.done_suffix) if source.done_suffix else None
            local = wanted.folder / f"{at}-{posixpath.basename(path)}"
            _download(store, path, seen[path], local)
            yield Fetched(local, store.unstrip_protocol(path), total)


@contextmanager
def _told(source: ObjectStore) -> Iterator[None]:
    """A backend raises whatever its own library does. Its words may hold a secret: only the kind of error is told."""
    where = source.url.partition("{date")[0]
    try:
        yield
    except MinhuError:
        raise
    except (FileNotFoundError, TypeError, ValueError) as error:
        raise Refused(f"{where}: {type(error).__name__}: look at the declared url and options") from None
    except Exception as error:
        name = type(error).__name__
        if _NOT_LET_IN.search(name):
            raise Refused(f"{where}: {name}: it does not let us in; look at the declared secrets") from None
        raise SourceAway(f"{where} is away or broke off ({name})") from None


def _store(source: ObjectStore) -> AbstractFileSystem:
    """The file system behind the address, made anew: no options of another declaration, no listing of before."""
    protocol = source.url.partition("://")[0]
    try:
        backend = fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        raise Refused(f"{protocol}:// needs a package that is not installed here: {error}") from None
    except ValueError:
        raise BadDeclaration(f"source.url: fsspec knows no {protocol}://, but s3, gs, oss, abfs and more") from None
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
    try:
        told = store.cat_file(path)  # not a range of it: S3 refuses any range of an empty object
    except FileNotFoundError:
        raise Retryable(f"{posixpath.basename(path)} is not there yet: the sender has not finished") from None
    return control_total(told.decode("utf-8", errors="replace"))


def _download(store: AbstractFileSystem, path: str, seen: Version, local: Path) -> None:
    """The object, whole: as long as it was said to be, and unchanged at the end."""
    try:
        store.get_file(path, str(local))
        store.invalidate_cache()
        after = _version(store, path)
    except FileNotFoundError:
        raise Retryable(f"{posixpath.basename(path)} went away while it was downloaded") from None
    if after != seen or local.stat().st_size != seen[0]:
        raise Retryable(f"{posixpath.basename(path)} changed while it was downloaded")
