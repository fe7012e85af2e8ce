"""Who asks: the session of a request, and settings with which every function of the house works as that person."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import wraps

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Receive

from minhu.errors import Refused
from minhu.feeds.posted import TooLarge
from minhu.glossary.kind import Lang
from minhu.portal import shown
from minhu.portal.desk import Desk, Person, Session
from minhu.settings import Settings

COOKIE = "minhu"
AROUND = 10_000
"""Bytes of a form around the file in it."""


@dataclass(frozen=True)
class Ask:
    """One request of somebody who has signed in. ``form``: what he sent, of a request that may change something."""

    request: Request
    desk: Desk
    session: Session
    person: Person
    form: FormData

    @property
    def reads(self) -> Settings:
        """To read as this person."""
        return self.desk.asks(self.session)

    @property
    def acts(self) -> Settings:
        """To decide as this person."""
        return self.desk.asks(self.session, reads=False)

    @property
    def lang(self) -> Lang:
        return shown.language(self.request)

    def place(self, name: str) -> str:
        """A part of the path."""
        return self.request.path_params[name]

    def place_number(self, name: str) -> int:
        """A number in the path. Raises Refused where it is larger than any of ours."""
        number = int(self.request.path_params[name])
        if number >= 2**53:
            raise Refused(f"{name} is a whole number, from 1 on")
        return number

    def wanted(self, name: str) -> str | None:
        """A word of the query; None where there is none."""
        return (self.request.query_params.get(name) or "").strip() or None

    def number(self, name: str) -> int | None:
        """A whole number of the query, from 1 on. Raises Refused where it is none."""
        told = self.wanted(name)
        if told is None:
            return None
        if not (told.isascii() and told.isdigit() and 0 < int(told[:10]) < 2**31 and len(told) <= 10):
            raise Refused(f"{name} is a whole number, from 1 on")
        return int(told)

    def written(self, name: str) -> str | None:
        """A field of the form; None where nothing is written there."""
        value = self.form.get(name)
        return value.strip() or None if isinstance(value, str) else None

    @property
    def yesterday(self) -> date:
        """In the city's time zone: what a night's deliveries are about."""
        return datetime.now(self.reads.zone).date() - timedelta(days=1)

    @property
    def texts(self) -> dict[str, str]:
        """What is written in the form, field by field; files apart."""
        return {name: value for name, value in self.form.items() if isinstance(value, str)}

    def page(self, template: str, status: int = 200, **told: object) -> Response:
        return shown.page(self.request, template, status, **told)

    def said(self, text: str) -> str:
        return shown.said(self.lang)(text)


def day_of(told: str) -> date:
    """Raises Refused where it is none."""
    try:
        return date.fromisoformat(told)
    except ValueError:
        raise Refused(f"{told!r} is no date; write 2026-10-31") from None


class NoPage(Exception):
    """There is nothing here for the group of whoever asks: the database would refuse it, too, in words of its own."""


Page = Callable[[Ask], Response]


def asked(page: Page, most: Callable[[Ask], int] | None = None) -> Callable[[Request], object]:
    """A page for people who have signed in; it runs in a thread, since the database is asked there.

    ``most``: bytes of a body that is larger than others, by whoever sends it and where; nothing is read before that is
    known. Raises NotSignedIn where the session has ended, TooLarge.
    """

    @wraps(page)
    async def answer(request: Request) -> Response:
        if request.method != "POST":
            return await run_in_threadpool(lambda: page(_ask(request)))
        ask, limit = await run_in_threadpool(_before_reading, request)
        form = await (request if limit is None else Request(request.scope, _counted(request.receive, limit))).form()
        try:
            return await run_in_threadpool(page, replace(ask, form=form))
        finally:
            await form.close()

    def _before_reading(request: Request) -> tuple[Ask, int | None]:
        ask = _ask(request)
        return ask, most(ask) if most else None

    return answer


def _ask(request: Request) -> Ask:
    session, desk = session_of(request), desk_of(request)
    request.state.person = person = desk.person(session)
    if not shown.has_room(person, request.url.path):
        raise NoPage
    return Ask(request, desk, session, person, FormData())


def _counted(receive: Receive, most: int) -> Receive:
    came = 0

    async def count() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > most + AROUND:
            raise TooLarge(f"more than {most / 1_000_000:g} MB at once; send smaller parts")
        return message

    return count


def desk_of(request: Request) -> Desk:
    return request.app.state.desk


def session_of(request: Request) -> Session:
    return Session.of_cookie(request.cookies.get(COOKIE, ""))


def see(path: str) -> Response:
    """Sends the browser on, to look at what came of a form."""
    return RedirectResponse(path, 303)
