"""What people attach to what they file and decide: PDF, JPG, PNG or OFD, known by their bytes.

The bytes lie in the warehouse, apart from what is read every day. Who takes one stands in the access log first. What it
shows nobody masks: it is never opened here, and leaves as a file to be saved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from zipfile import BadZipFile, ZipFile

import psycopg
from psycopg.rows import class_row

from minhu import database
from minhu.errors import Refused, foreign
from minhu.privacy import file_names
from minhu.privacy.access_log import may_write
from minhu.privacy.line import mask_line
from minhu.schemes.plain import plain
from minhu.settings import Settings

MOST = 10 << 20
"""Bytes of one."""
SUBJECTS = {
    "file_appeal": "appeal",
    "exclude": "exclusion",
    "enter_manual_point": "manual_point",
    "enter_violation": "violation",
}
"""What an attachment belongs to, by the act that makes it."""
ENDS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png", "application/ofd": "ofd"}
_BEGINS = {b"%PDF-": "application/pdf", b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
_LONGEST = 100
_INDEX = 1 << 20
"""Bytes of the list of what a zip holds: an OFD of a thousand pages has a tenth of it."""


@dataclass(frozen=True)
class Attachment:
    """``removed_at``: since when its content is gone, and why."""

    attachment_id: int
    subject_kind: str
    subject_id: int
    unit_code: str | None
    name: str
    media_type: str
    sha256: str
    bytes: int
    added_by: str
    added_at: datetime
    removed_why: str | None
    removed_by: str | None
    removed_at: datetime | None

    def summary(self) -> dict:
        return plain(self)


def media_type(content: bytes) -> str:
    """What it is by its bytes, whatever its name says. Raises Refused where it is none of those, or too large."""
    if len(content) > MOST:
        raise Refused(f"an attachment has up to {MOST >> 20} MB")
    for begins, kind in _BEGINS.items():
        if content.startswith(begins):
            return kind
    if content.startswith(b"PK\x03\x04") and _is_ofd(content):
        return "application/ofd"
    raise Refused("an attachment is a PDF, JPG, PNG or OFD by its bytes")


def _is_ofd(content: bytes) -> bool:
    """Whether it is a zip with an OFD.xml at its root; nothing of it is unpacked."""
    end = content.rfind(b"PK\x05\x06", -65_557)
    if end < 0 or int.from_bytes(content[end + 12 : end + 16], "little") > _INDEX:
        return False
    try:
        with ZipFile(BytesIO(content)) as inside:
            return "OFD.xml" in inside.namelist()
    except (BadZipFile, ValueError, OSError, NotImplementedError):  # whatever a list of names can be wrong by
        return False


def attach(settings: Settings, subject_kind: str, subject_id: int, files: Sequence[tuple[str, bytes]]) -> list[int]:
    """Attaches files, by name and bytes, to an appeal or a decision that waits, all or none; their numbers.

    Raises Refused for what is none of the kinds, or where it is decided, not one's own, or not there.
    """
    with database.connect(settings) as connection:
        return [attach_by(connection, subject_kind, subject_id, name, content) for name, content in files]


def attach_by(connection: psycopg.Connection, subject_kind: str, subject_id: int, name: str, content: bytes) -> int:
    """As `attach`, in the caller's transaction."""
    given = {
        "subject_kind": subject_kind,
        "subject_id": subject_id,
        "name": file_names.told(name.replace("\\", "/").rpartition("/")[2])[-_LONGEST:].strip() or "attachment",
        "media_type": media_type(content),
        "content": content,
    }
    return database.act(connection, "assess.attach", given)


def detach(settings: Settings, number: int, reason: str) -> int:
    """Deletes the content of one that should not be there; that it was there stays.

    Until it is decided who attached it does so, then an auditor alone. Raises Refused.
    """
    with database.connect(settings) as connection:
        may_write(connection)
        return database.act(connection, "assess.detach", {"attachment_id": number, "reason": mask_line(reason)})


def attachments(settings: Settings, subjects: Sequence[tuple[str, int]]) -> list[Attachment]:
    """Of these subjects, by kind and number, those that whoever asks may read; by number.

    Raises Refused for a login that reads none.
    """
    wanted = {"kinds": [kind for kind, _ in subjects], "numbers": [number for _, number in subjects]}
    with (
        database.connect(settings) as connection,
        connection.cursor(row_factory=class_row(Attachment)) as cursor,
        foreign.told("read", user=connection.info.user, what="attachments", instead="an evaluator's does"),
    ):
        return cursor.execute(_ATTACHMENTS, wanted).fetchall()


def take(settings: Settings, number: int) -> tuple[str, bytes]:
    """The name and the bytes of an attachment; who takes it stands in the access log, committed, first.

    The name ends as its bytes say. Raises Refused where it is not one's own to read, or its content is gone.
    """
    with database.connect(settings) as connection:
        may_write(connection)
        access_id = database.act(connection, "assess.ask_for_attachment", {"attachment_id": number})
    with database.connect(settings) as connection, foreign.told("act", user=connection.info.user, act="take"):
        _, name, kind, _, content = database.one(
            connection, "select * from assess.read_attachment(%s)", [access_id], binary=True
        )
    end = f".{ENDS[kind]}"
    return name if name.lower().endswith(end) else f"{name}{end}", bytes(content)


_ATTACHMENTS = """
select *
from assess.attachment_state
where
    (subject_kind, subject_id) in (select * from unnest(%(kinds)s::text[], %(numbers)s::bigint[]))
order by attachment_id
"""
