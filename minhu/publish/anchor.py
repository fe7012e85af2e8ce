"""The anchor of a release: one line with the hashes that others keep, as it is sent, printed, stamped and read again.

    minhu-anchor 1 hangzhou linan 2026-10 r1 <hash of the release> <number>:<hash of its row in the access log>

It holds no citizen's and no unit's data. The database makes it (`publish.anchor_of`); where it is kept, a line
``witness: NAME`` stands beside it.
"""

import json
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path

from minhu.errors import Refused, foreign

BULLETIN, OPERATOR = "bulletin", "operator"
"""Witnesses that no configuration names: the bulletin in everybody's hands, and whoever runs the warehouse."""
_LINE = re.compile(
    r"minhu-anchor\s+1\s+(?P<city>\S+)\s+(?P<scheme_id>\S+)\s+(?P<period>\S+)\s+r(?P<revision>\d{1,6})"
    r"\s+(?P<hash>[0-9a-f]{64})\s+(?P<access>-|\d{1,18}:[0-9a-f]{64})(?![0-9a-f])"
)
_WITNESS = re.compile(r"witness:[ \t]*([^\r\n]{1,100})")


@dataclass(frozen=True)
class Anchor:
    """``access``: the number and hash of the release's row in the access log; null before the log knew of releases."""

    city: str
    scheme_id: str
    period: str
    revision: int
    hash: str
    access: tuple[int, str] | None
    witness: str | None
    """Whom it was sent to, as it says itself."""


def read_anchor(given: str) -> Anchor:
    """The anchor in a file (a mail as it was saved, what a webhook was sent, text from a QR), or in ``given`` itself.

    Raises Refused where there is none, or more than one that differ.
    """
    if given.startswith("minhu-anchor"):
        return parse(given, "what is given")
    with foreign.told("read file", file=given):
        content = Path(given).read_bytes()
    return parse(_text(content), given)


def parse(text: str, where: str) -> Anchor:
    """The one anchor that ``text`` holds. Raises Refused."""
    found = {match.groups() for match in _LINE.finditer(text)}
    if len(found) != 1:
        told = "no anchor" if not found else f"{len(found)} anchors that differ"
        raise Refused(
            f"{where} holds {told}: give a mail as it was saved, what a webhook was sent, or the text of a bulletin's"
            " QR, which begins with minhu-anchor"
        )
    city, scheme_id, period, revision, hash_, access = found.pop()
    number, _, row = access.partition(":")
    named = _WITNESS.search(text)
    return Anchor(
        city,
        scheme_id,
        period,
        int(revision),
        hash_,
        None if access == "-" else (int(number), row),
        named[1].strip() if named else None,
    )


def _text(content: bytes) -> str:
    """What a file says: of a mail its text, of JSON its members as lines."""
    text = content.decode("utf-8", errors="replace")
    try:
        told = json.loads(text)
    except ValueError:
        pass
    else:
        return "\n".join(f"{name}: {value}" for name, value in told.items()) if isinstance(told, dict) else text
    if re.match(r"(?i)[\w-]+:[ \t]", text) and re.search(r"(?im)^content-transfer-encoding:", text):
        body = message_from_bytes(content, policy=default).get_body(("plain",))
        return body.get_content() if body else text
    return text
