"""A time-stamping authority on loopback (RFC 3161), with a root of its own and a clock that a test sets."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sources.web import Answer, Asked

SHA256 = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"
POLICY = "1.2.3.4.1"


class Authority:
    """Answers a `Web`. ``now`` is its clock; ``is_away`` makes it answer 503."""

    def __init__(self, name: str = "试验授时"):
        self.now = lambda: datetime.now(UTC)
        self.is_away = False
        self.stamped: list[bytes] = []
        root_key, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} root")])
        self._root = _certificate(root_name, root_name, root_key.public_key(), root_key, is_root=True)
        leaf_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._leaf = _certificate(leaf_name, root_name, self._key.public_key(), root_key, is_root=False)

    def write_root(self, path: Path) -> None:
        path.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))

    def __call__(self, asked: Asked) -> Answer:
        if self.is_away:
            return Answer("busy", 503, "text/plain")
        imprint, nonce = _request(asked.body)
        self.stamped.append(imprint)
        return Answer(self._token(imprint, nonce), type="application/timestamp-reply")

    def _token(self, imprint: bytes, nonce: int) -> bytes:
        told = _sequence(
            _integer(1),
            _oid(POLICY),
            _sequence(_sequence(_oid(SHA256)), _octets(imprint)),
            _integer(len(self.stamped)),
            _tlv(0x18, self.now().astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()),
            _integer(nonce),
        )
        leaf = self._leaf.public_bytes(serialization.Encoding.DER)
        attributes = b"".join(
            sorted(
                [
                    _attribute(CONTENT_TYPE, _oid(TST_INFO)),
                    _attribute(MESSAGE_DIGEST, _octets(hashlib.sha256(told).digest())),
                    _attribute(
                        SIGNING_CERTIFICATE, _sequence(_sequence(_sequence(_octets(hashlib.sha256(leaf).digest()))))
                    ),
                ]
            )
        )
        signature = self._key.sign(_tlv(0x31, attributes), ec.ECDSA(hashes.SHA256()))
        signer = _sequence(
            _integer(1),
            _sequence(self._leaf.issuer.public_bytes(), _integer(self._leaf.serial_number)),
            _sequence(_oid(SHA256)),
            _tlv(0xA0, attributes),
            _sequence(_oid(ECDSA_SHA256)),
            _octets(signature),
        )
        signed = _sequence(
            _integer(3),
            _tlv(0x31, _sequence(_oid(SHA256))),
            _sequence(_oid(TST_INFO), _tlv(0xA0, _octets(told))),
            _tlv(0xA0, leaf),
            _tlv(0x31, signer),
        )
        return _sequence(_sequence(_integer(0)), _sequence(_oid(SIGNED_DATA), _tlv(0xA0, signed)))


def _certificate(subject, issuer, public, key, *, is_root):
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime.now(UTC) + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    usage = {
        "digital_signature": not is_root, "content_commitment": False, "key_encipherment": False,
        "data_encipherment": False, "key_agreement": False, "key_cert_sign": is_root, "crl_sign": is_root,
        "encipher_only": False, "decipher_only": False,
    }  # fmt: skip
    made = made.add_extension(x509.KeyUsage(**usage), critical=True)
    if not is_root:
        stamping = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING])
        made = made.add_extension(stamping, critical=True)
    return made.sign(key, hashes.SHA256())


def _request(der: bytes) -> tuple[bytes, int]:
    """The imprint and the nonce of a request."""
    _, parts, _ = _read(der)
    _, _, rest = _read(parts)
    _, imprint, rest = _read(rest)
    _, _, hashed = _read(imprint)
    tag, value, _ = _read(rest)
    assert tag == 0x02, "a nonce, and no policy, is asked for"
    return _read(hashed)[1], int.from_bytes(value)


def _read(der: bytes) -> tuple[int, bytes, bytes]:
    """The first element: its tag, its value, and what follows it."""
    length, at = der[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(der[2:at])
    return der[0], der[at : at + length], der[at + length :]


def _tlv(tag: int, value: bytes) -> bytes:
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    size = (len(value).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(value).to_bytes(size) + value


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _attribute(oid: str, value: bytes) -> bytes:
    return _sequence(_oid(oid), _tlv(0x31, value))


def _octets(value: bytes) -> bytes:
    return _tlv(0x04, value)


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    body = bytes([first * 40 + second])
    for number in rest:
        part = [number & 0x7F]
        while number := number >> 7:
            part.append(number & 0x7F | 0x80)
        body += bytes(reversed(part))
    return _tlv(0x06, body)
