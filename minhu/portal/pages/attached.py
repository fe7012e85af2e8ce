"""附件: what is attached to what waits, taken as a file, or taken away again where it should not be there."""

from starlette.responses import Response

from minhu import assess
from minhu.assess.attachments import MOST, SUBJECTS
from minhu.errors import Refused
from minhu.portal.asking import Ask, see
from minhu.portal.pages.inbox import files_of, inbox
from minhu.portal.shown import saved_as


def most(ask: Ask) -> int:
    return MOST


def attach(ask: Ask) -> Response:
    """Attaches what the form brings, all of it or nothing; refused, the inbox comes back with why."""
    kind, number = ask.place("kind"), ask.place_number("number")
    if kind not in SUBJECTS.values():
        raise Refused(f"nothing is attached to {kind!r}")
    try:
        files = files_of(ask)
        if not files:
            raise Refused("choose a file")
        assess.attach(ask.acts, kind, number, files)
    except Refused as error:
        return inbox(ask, str(error), f"{kind}-{number}")
    return see(f"/inbox?done=attach#{kind}-{number}")


def detach(ask: Ask) -> Response:
    try:
        assess.detach(ask.acts, ask.place_number("number"), ask.written("reason") or "")
    except Refused as error:
        return inbox(ask, str(error))
    return see("/inbox?done=detach")


def take(ask: Ask) -> Response:
    """The file, to be saved and never shown here; that it was taken is logged before."""
    name, content = assess.take(ask.acts, ask.place_number("number"))
    return Response(content, media_type="application/octet-stream", headers={"Content-Disposition": saved_as(name)})
