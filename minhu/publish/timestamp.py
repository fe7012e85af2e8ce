"""Time stamps by RFC 3161: what is asked of an authority, and whether its answer is its own and about this.

The authority signs the hash of an anchor with the moment. Who runs the warehouse keeps the answer and cannot make one.
"""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from minhu.config.witnesses import TimeStamp
from minhu.errors import Refused, foreign

SECONDS = 20
_KINDS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


def stamp(by: TimeStamp, config: Path, line: str) -> bytes:
    """The authority's answer, in DER, once it was found to be its own. Raises Refused or Retryable."""
    import httpx  # here: who reads a release need not wait for what asks others

    from minhu.feeds.sources.http import shown

    request = TimestampRequestBuilder().data(line.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    where = shown(httpx.URL(by.url))
    with foreign.told("send: http", where=where):
        answer = httpx.post(by.url, content=request.as_bytes(), headers=_KINDS, timeout=SECONDS)
    if answer.status_code != 200:
        raise Refused(f"{where} answered {answer.status_code}")
    _checked(answer.content, line, roots(by, config), nonce=request.nonce)
    return answer.content


def roots(by: TimeStamp, config: Path) -> list[x509.Certificate]:
    """The certificates that the authority is known by. Raises Refused where the file holds none."""
    file = config / by.certificate
    with foreign.told("read file", file=file):
        pem = file.read_bytes()
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise Refused(f"{file} holds no certificate in PEM") from None


def stamped_at(answer: bytes, line: str, trusted: list[x509.Certificate]) -> datetime:
    """When the authority stamped this very line. Raises Refused where the answer is not its own, or about another."""
    return _checked(answer, line, trusted)


def _checked(answer: bytes, line: str, trusted: list[x509.Certificate], nonce: int | None = None) -> datetime:
    try:
        told = decode_timestamp_response(answer)
        VerifierBuilder(roots=trusted, nonce=nonce).build().verify_message(told, line.encode())
        return told.tst_info.gen_time
    except (VerificationError, ValueError) as error:
        said = str(error)
        why = "it is not signed by the declared authority" if "verifying certificates" in said else said
        raise Refused(f"the time stamp does not hold: {why}") from None
