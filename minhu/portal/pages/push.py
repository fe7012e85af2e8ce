"""送数: what a sender's feeds owe and when, a door to post it by, and a receipt for each thing posted."""

from collections.abc import AsyncIterator
from datetime import timedelta

import anyio.from_thread
from starlette.datastructures import UploadFile
from starlette.responses import Response

from minhu.errors import Refused
from minhu.feeds import begun
from minhu.portal import posting
from minhu.portal.asking import Ask, day_of, see

DAYS = 3
SHOWN = 50


def push(ask: Ask) -> Response:
    offers = posting.offers(ask.reads)
    keys = {(one.feed, one.delivery) for one in offers}
    last = ask.yesterday
    found = posting.standing(ask.reads, last - timedelta(days=DAYS - 1), last)
    return ask.page(
        "push.html",
        standing=[one for one in found if (one.feed_code, one.delivery) in keys],
        offers=offers,
        receipts=posting.receipts(ask.reads, SHOWN),
        most=SHOWN,
    )


def most(ask: Ask) -> int:
    posting.assert_room(ask.reads)
    return _asked(ask).most


def send(ask: Ask) -> Response:
    """The form by which a file is posted, or tried; it leads to the receipt."""
    of, problem = _asked(ask), None
    if ask.request.method == "POST":
        try:
            return see(f"/push/receipts/{_post(ask)}")
        except Refused as error:
            problem = str(error)
    [offer] = [one for one in posting.offers(ask.reads) if (one.feed, one.delivery) == _named(ask)]
    return ask.page(
        "post.html",
        400 if problem else 200,
        offer=offer,
        on=ask.written("business_date") or ask.wanted("date") or begun.yesterday(of.feed),
        latest=begun.today(of.feed),
        rows=ask.written("rows") or "",
        problem=problem,
    )


def receipt(ask: Ask) -> Response:
    """What became of something posted; what was only tried is loaded from here."""
    number = ask.place_number("number")
    if ask.request.method == "POST":
        return see(f"/push/receipts/{posting.post_tried(ask.acts, ask.reads, number)}")
    return ask.page("receipt.html", one=posting.receipt(ask.reads, number))


def _post(ask: Ask) -> int:
    of, file = _asked(ask), ask.form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Refused("choose a file")
    on, rows = day_of(ask.written("business_date") or ""), _count(ask.written("rows"))
    landed = anyio.from_thread.run(posting.take, of, ask.desk.settings, _parts(file))
    return posting.post(ask.acts, of, landed, on, file.filename, rows, is_trial=ask.written("trial") is not None)


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(posting.AT_A_TIME):
        yield part


def _named(ask: Ask) -> tuple[str, str]:
    return ask.place("feed"), ask.place("delivery")


def _asked(ask: Ask) -> posting.Posted:
    return posting.one_to_post(ask.reads, *_named(ask))


def _count(told: str | None) -> int | None:
    if told is None:
        return None
    if not (told.isascii() and told.isdecimal() and len(told) < 16):
        raise Refused("rows is a whole number: how many the file holds")
    return int(told)
