"""Encryption at rest: landed files in the age format, which any age tool reads.

The key is an age identity (``AGE-SECRET-KEY-1…``), in ``MINHU_LANDING_KEY`` or, as ``age-keygen`` writes it, in
``$MINHU_HOME/secrets/landing-key``. Of several the first one writes and every one reads. Without one nothing is
encrypted.

Why age and not Fernet: Fernet holds the whole file in memory (2.3 GB for 300 MB, and ten times as slow); frames over
AES-GCM would be a format of our own. age streams in 16 MB and refuses what was cut short, reordered or changed.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyrage
from pyrage.x25519 import Identity, Recipient

from minhu.errors import Refused, foreign
from minhu.settings import Settings

SUFFIX = ".age"
VARIABLE = "MINHU_LANDING_KEY"
FILE = "landing-key"


def read_keys(settings: Settings, env: Mapping[str, str] = os.environ) -> tuple[Identity, ...]:
    """The keys of the landing zone, the writing one first; none when nothing is encrypted. Refuses what is no key."""
    path = settings.home / "secrets" / FILE
    kept_in, text = VARIABLE, env.get(VARIABLE, "")
    if not text and path.exists():
        kept_in, text = str(path), path.read_text(encoding="utf-8")
    return _identities(text, kept_in)


def read_key_file(path: Path) -> tuple[Identity, ...]:
    """The keys in a file, as ``age-keygen`` writes it. Raises Refused where it holds none or cannot be read."""
    with foreign.told("read file", file=path):
        text = path.read_text(encoding="utf-8")
    if found := _identities(text, str(path)):
        return found
    raise Refused(f"{path} holds no key")


def read_recipient(text: str) -> Recipient:
    """An age public key (``age1…``). Raises Refused where it is none."""
    try:
        return Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise Refused(f"{text!r} is no age public key (age1…); `age-keygen` tells it beside the secret one") from None


def _identities(text: str, kept_in: str) -> tuple[Identity, ...]:
    lines = [line.strip() for line in text.replace(",", "\n").splitlines()]
    try:
        found = tuple(Identity.from_str(line) for line in lines if line and not line.startswith("#"))
    except pyrage.IdentityError:
        raise Refused(f"{kept_in} holds no age secret key (AGE-SECRET-KEY-1…); `age-keygen` makes one") from None
    if text.strip() and not found:  # nobody who meant to encrypt shall store plain files
        raise Refused(f"{kept_in} holds no key")
    return found


class Hashed:
    """A stream whose bytes are hashed and counted as they pass. Keeps its file's error, which age would swallow."""

    def __init__(self, file: "BinaryIO | Hashed"):
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.error: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        return self._passed(self._kept(self._file.read, size))

    def write(self, data: bytes) -> int:
        self._kept(self._file.write, data)
        self._passed(data)
        return len(data)

    def flush(self) -> None:
        self._kept(self._file.flush)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def _passed(self, data: bytes) -> bytes:
        self._digest.update(data)
        self.bytes += len(data)
        return data

    def _kept(self, call: Callable[..., Any], *arguments: object) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            self.error = error
            raise


def encrypt(plain: Hashed, sealed: BinaryIO | Hashed, to: Recipient) -> None:
    """Raises OSError when a file cannot be read or written."""
    target = Hashed(sealed)
    try:
        pyrage.encrypt_io(plain, target, [to])
    except (pyrage.EncryptError, OSError) as error:
        raise plain.error or target.error or OSError(str(error)) from None


def decrypt(
    sealed: BinaryIO,
    plain: Hashed,
    keys: tuple[Identity, ...],
    name: str,
    holders: str = f"{VARIABLE} or secrets/{FILE}",
) -> None:
    """Raises Refused when no key fits or the file is damaged, OSError when a file cannot be read or written."""
    if not keys:
        raise Refused(f"{name} is encrypted and there is no key: set {VARIABLE} or restore secrets/{FILE}")
    source = Hashed(sealed)
    try:
        pyrage.decrypt_io(source, plain, list(keys))
    except (pyrage.DecryptError, OSError) as error:
        ours = foreign.as_ours(error, "unseal", name=name, holders=holders)
        raise source.error or plain.error or ours or error from None
