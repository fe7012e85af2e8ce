"""The second factor: a code of a phone (TOTP, RFC 6238), whose secret lies sealed in the database.

Whoever reads the database alone cannot make codes: the seal's key is derived from the portal's secret in the home. A
code serves once; one step before and after the clock's is taken, since phones are seldom exact.
"""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

import psycopg
import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.rows import dict_row

from minhu import database
from minhu.errors import Refused
from minhu.settings import Settings

STEP = 30
DRIFT = 1
"""Steps that a phone's clock may be apart."""
DIGITS = 6
ISSUER = "minhu"


@dataclass(frozen=True)
class Factors:
    """The second factors of one installation. ``at_the_door``: as the login that signs people in; ``key``: 32 bytes."""

    at_the_door: Settings
    key: bytes

    def is_there(self, login: str) -> bool:
        """Whether a code of the phone is asked for: one has been shown once."""
        told = self._of(login)
        return told is not None and bool(told["is_confirmed"])

    def enrol(self, login: str) -> str:
        """A new secret for ``login``, in base32, as a phone takes it. Raises Refused where one is in use."""
        secret = pyotp.random_base32()
        with database.connect(self.at_the_door) as connection:
            made = database.one(connection, "select portal.enrol_factor(%s, %s)", [login, self._seal(login, secret)])[0]
        if not made:
            raise Refused("a second factor is in use already")
        return secret

    def check(self, login: str, code: str, now: float | None = None) -> bool:
        """Whether ``code`` is right, and has not served before; it never serves again."""
        told = self._of(login)
        if told is None or not (len(code) == DIGITS and code.isascii() and code.isdigit()):
            return False
        secret, step = self._open(login, told["sealed"]), int((time.time() if now is None else now) // STEP)
        codes, near = pyotp.HOTP(secret, digits=DIGITS), range(step - DRIFT, step + DRIFT + 1)
        right = [one for one in near if hmac.compare_digest(codes.at(one), code)]
        if not right:
            return False
        with database.connect(self.at_the_door) as connection:
            return database.one(connection, "select portal.use_step(%s, %s)", [login, right[-1]])[0]

    def _of(self, login: str) -> dict | None:
        with database.connect(self.at_the_door, rows=dict_row) as connection:
            return connection.execute("select * from portal.factor_of(%s)", [login]).fetchone()

    def _seal(self, login: str, secret: str) -> str:
        nonce = secrets.token_bytes(12)
        return base64.b64encode(nonce + AESGCM(self._key).encrypt(nonce, secret.encode(), login.encode())).decode()

    def _open(self, login: str, sealed: str) -> str:
        whole = base64.b64decode(sealed)
        try:
            return AESGCM(self._key).decrypt(whole[:12], whole[12:], login.encode()).decode()
        except InvalidTag:
            raise Refused(
                "the second factor was sealed by another home's key: `minhu logins forget-factor` begins a new one"
            ) from None

    @property
    def _key(self) -> bytes:
        return hmac.digest(self.key, b"second factors", hashlib.sha256)


def address(login: str, secret: str) -> str:
    """What a phone reads from a code (otpauth), as authenticators know it."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP).provisioning_uri(name=login, issuer_name=ISSUER)


def forget(connection: psycopg.Connection, login: str) -> None:
    """For a lost phone, as the owner. Raises Refused where there is none."""
    if not database.one(connection, "select portal.forget_factor(%s)", [login])[0]:
        raise Refused(f"the login {login} has no second factor")
