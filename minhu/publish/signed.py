"""An approval that is signed: what the approver states, his key, and whether a signature is his.

The private key lies with the approver, outside the database; who runs the warehouse cannot make his signature.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from minhu.errors import Refused, foreign
from minhu.publish.row_hash import canonical


@dataclass(frozen=True)
class Statement:
    """What is approved, and by whom: all that a signature covers."""

    closing_id: int
    scheme_id: str
    period: str
    revision: int
    content_hash: str
    login: str

    def as_bytes(self) -> bytes:
        return canonical({"approves": "minhu closing", **self.__dict__}).encode()


def new_key(out: Path, passphrase: str | None) -> str:
    """Writes a new private key to ``out`` (PEM, mode 0600, encrypted by the passphrase); its public key in hex.

    Raises Refused when something is there already: a key that is lost signs nothing any more.
    """
    key = Ed25519PrivateKey.generate()
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    if out.exists():
        raise Refused(f"{out} is there already: give another name, no key is overwritten")
    with foreign.told("write file", file=out), open(out, "xb", opener=_for_its_owner) as file:
        file.write(pem)
    return key.public_key().public_bytes_raw().hex()


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sign(statement: Statement, file: Path, passphrase: str | None) -> bytes:
    """The signature of 64 bytes by the key in ``file``. Raises Refused when that or the passphrase is none."""
    with foreign.told("read file", file=file):
        pem = file.read_bytes()
    try:
        key = serialization.load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError):
        raise Refused(f"{file} is no key that this passphrase opens; `minhu keys approver` makes one") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused(f"{file} holds a key of another kind; `minhu keys approver` makes one of Ed25519")
    return key.sign(statement.as_bytes())


def is_signed(statement: Statement, public_key: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is of ``statement`` by the key whose public half of 32 bytes is given."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, statement.as_bytes())
    except (InvalidSignature, ValueError):
        return False
    return True
