"""The web application: who asks, what headers go with every answer, and how a refusal is shown.

A page changes nothing but by a form that comes from ourselves: the cookie is sent with no request that another site
makes (SameSite=Strict), and a POST says the origin it comes from.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from psycopg.errors import DataError, InsufficientPrivilege, ReadOnlySqlTransaction
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minhu.database.sign_on import Provider
from minhu.errors import MinhuError, NotSignedIn, Retryable
from minhu.feeds.posted import TooLarge
from minhu.portal.api.app import PREFIX, api
from minhu.portal.api.calling import problem
from minhu.portal.asking import COOKIE, Ask, NoPage, Page, asked
from minhu.portal.desk import KEY as COOKIE_KEY
from minhu.portal.desk import Desk
from minhu.portal.pages import (
    account,
    attached,
    audit,
    cases,
    compare,
    entry,
    fairness,
    feedback,
    feeds,
    help,
    home,
    inbox,
    live,
    manual,
    people,
    province,
    push,
    quality,
    schemes,
    scores,
    several,
    tasks,
    units,
)
from minhu.portal.shown import BACK, language, page, path_of, said

log = logging.getLogger("minhu.portal")

READ, SEND = ("GET",), ("POST",)
PAGES: tuple[tuple[str, Page, tuple[str, ...]], ...] = (
    ("/", home.home, READ),
    ("/scores", scores.releases, READ),
    ("/scores/{scheme}/{period}", scores.scores, READ),
    ("/scores/{scheme}/{period}/file", scores.file, READ),
    ("/schemes", schemes.schemes, READ),
    ("/schemes/{scheme}", schemes.scheme, READ),
    ("/compare", compare.compare, READ),
    ("/fairness", fairness.fairness, READ),
    ("/units", units.own, READ),
    ("/units/{code}/{period}", units.unit, READ),
    ("/cases", cases.find, READ),
    ("/cases/{feed}/{case_no:path}", cases.case, READ + SEND),
    ("/inbox", inbox.inbox, READ),
    ("/inbox/do/{act}", inbox.decide, SEND),
    ("/inbox/enter/{act}", inbox.enter, READ + SEND),
    ("/inbox/attach/{kind}/{number:int}", attached.attach, SEND),
    ("/inbox/detach/{number:int}", attached.detach, SEND),
    ("/attachments/{number:int}", attached.take, READ),
    ("/inbox/sheet/{act}", several.sheet, READ),
    ("/inbox/several/{act}", several.several, SEND),
    ("/feedback", feedback.feedback, READ),
    ("/feedback/do/{act}", feedback.decide, SEND),
    ("/feedback/{closing:int}/{code}", feedback.unit, READ + SEND),
    ("/live", live.live, READ),
    ("/province", province.province, READ),
    ("/jobs", tasks.tasks, READ),
    ("/jobs/ask/{act}", tasks.start, SEND),
    ("/jobs/{number:int}", tasks.task, READ),
    ("/jobs/{number:int}/file", tasks.file, READ),
    ("/push", push.push, READ),
    ("/push/receipts/{number:int}", push.receipt, READ + SEND),
    ("/push/to/{feed}/{delivery}", push.send, READ + SEND),
    ("/feeds", feeds.feeds, READ),
    ("/feeds/builds", feeds.builds, READ),
    ("/feeds/{code}", feeds.feed, READ),
    ("/quality", quality.quality, READ),
    ("/audit", audit.audit, READ),
    ("/audit/reconcile", audit.reconciled, READ),
    ("/audit/trace", audit.trace, READ),
    ("/audit/sample", audit.sample, READ),
    ("/audit/report", audit.report, READ),
    ("/audit/proof/{scheme}/{period}", audit.proof, READ),
    ("/audit/access", audit.access, READ),
    ("/people", people.people, READ),
    ("/help", help.help, READ),
    ("/account", account.account, READ),
    ("/account/{act}", account.change, SEND),
    ("/api/docs", manual.manual, READ),
)
"""Every page that needs somebody to have signed in."""
LARGER: dict[str, Callable[[Ask], int]] = {
    "/push/to/{feed}/{delivery}": push.most,
    "/inbox/enter/{act}": inbox.most,
    "/inbox/attach/{kind}/{number:int}": attached.most,
}
"""How many bytes come to a page that takes files; it says so once it knows who sends."""
COUNT_THEMSELVES = (
    *(path.split("{")[0] for path in LARGER),
    f"{PREFIX}/deliveries/",
    f"{PREFIX}/attachments/",
)
STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none';"
    " base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
SIGN_IN_AT_A_TIME = 2
"""The others queue, for neither the threads nor the sessions of pages. The login that signs in has five sessions: two
processes side by side stay within them."""
MOST = 1 << 20
"""Bytes of a body."""
FOR_ONE_READER = {"Cache-Control": "no-store"}


def application(desk: Desk, sign_on: Provider | None = None) -> Starlette:
    """The portal of one installation, whose logins ``desk.open`` has made. ``sign_on``: the city's own."""
    app = Starlette(
        routes=[
            Route("/login", entry.login, methods=["GET", "POST"]),
            Route("/login/code", entry.code, methods=["POST"]),
            *(_sign_on_routes(desk) if sign_on else ()),
            Route("/logout", entry.logout, methods=["POST"]),
            Route("/language", entry.change_language, methods=["POST"]),
            Route("/jobs/{number:int}/events", tasks.events),
            *(Route(path, asked(one, LARGER.get(path)), methods=list(methods)) for path, one, methods in PAGES),
            Mount(PREFIX, api(desk)),
            Mount("/static", StaticFiles(directory=STATIC), name="static"),
        ],
        middleware=[
            Middleware(GZipMiddleware),
            Middleware(WithHeaders),
            Middleware(OnlyOurForms),
            Middleware(OnlySoMuch),
        ],
        exception_handlers={
            MinhuError: _refused,
            NoPage: _not_allowed,
            DataError: _not_kept,
            InsufficientPrivilege: _not_allowed,
            ReadOnlySqlTransaction: _not_allowed,
            404: _not_there,
            Exception: _broken,
        },
    )
    app.state.desk = desk
    app.state.sign_on = sign_on
    app.state.door = asyncio.Semaphore(SIGN_IN_AT_A_TIME)
    return app


def _sign_on_routes(desk: Desk) -> tuple[Route, ...]:
    """What is kept on the way there and back lies in a cookie of its own, signed, for ten minutes."""
    kept = Middleware(
        SessionMiddleware,
        secret_key=f"sign-on {desk.settings.secret(COOKIE_KEY)}",
        session_cookie="minhu_sign_on",
        max_age=600,
        path=entry.SIGN_ON,
        same_site="lax",
        https_only=os.environ.get("MINHU_PORTAL_URL", "").startswith("https:"),
    )
    return (
        Route(entry.SIGN_ON, entry.leave, middleware=[kept]),
        Route(f"{entry.SIGN_ON}/callback", entry.come_back, middleware=[kept]),
    )


class OnlySoMuch:
    """Refuses a body that no form and no call of ours has: by what it says of itself, and by what comes.

    What takes files counts by itself, once it knows who sends and how much may come.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(COUNT_THEMSELVES):
            await self.app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        came = 0 if told.isdigit() and int(told[:20]) <= MOST else MOST + 1

        async def count() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message if came <= MOST else {"type": "http.disconnect"}

        async def answer(message: Message) -> None:
            if came <= MOST:
                await send(message)

        if came <= MOST:
            try:
                await self.app(scope, count, answer)
            except Exception:
                if came <= MOST:
                    raise
        if came > MOST:
            await _too_much(Request(scope))(scope, receive, send)


class WithHeaders:
    """Each answer with `HEADERS`; what is not static is for its reader alone, and kept nowhere."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        more = HEADERS if scope["path"].startswith("/static/") else HEADERS | FOR_ONE_READER

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *((name.lower().encode(), value.encode()) for name, value in more.items()),
                ]
            await send(message)

        await self.app(scope, receive, answer)


class OnlyOurForms:
    """Refuses what another site has a browser send. What a program sends is told by its key, never by a cookie."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope.get("headers", ())}
        is_program = scope["path"].startswith(f"{PREFIX}/") if scope["type"] == "http" else False
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD") and not is_program:
            came_from, asked = urlsplit(headers.get(b"origin", "")).netloc, headers.get(b"host")
            if not came_from or came_from != asked:
                await Response("请求不是从本站页面发出的", 403, media_type="text/plain")(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, NotSignedIn):
        answer = RedirectResponse(f"/login?{BACK}={path_of(request)}", 303)
        answer.delete_cookie(COOKIE)
        return answer
    tell = said(language(request))
    status = 503 if isinstance(error, Retryable) else 413 if isinstance(error, TooLarge) else 400
    return _told(request, status, tell("没有办到"), str(error))


def _not_allowed(request: Request, error: Exception) -> Response:
    """Where it was the database, its own words name its tables: they are of no use to a reader."""
    tell = said(language(request))
    return _told(request, 403, tell("不能查看"), tell("您所在的用户组不能查看这一页。"))


def _not_kept(request: Request, error: Exception) -> Response:
    """What was typed holds what no field of the database takes; its own words might repeat it."""
    tell = said(language(request))
    return _told(request, 400, tell("没有办到"), tell("填写的内容含有不能保存的字符，或数字超出范围。"))


def _not_there(request: Request, error: Exception) -> Response:
    if request.url.path.startswith(f"{PREFIX}/"):  # a path with a line break in it comes by here
        return problem(request, "not_there", "see /api/docs")
    tell = said(language(request))
    return _told(request, 404, tell("没有这一页"), tell("地址有误，或这一周期还没有结果。"))


def _too_much(request: Request) -> Response:
    if request.url.path.startswith(f"{PREFIX}/"):
        return problem(request, "too_much", "a body has up to 1 MB")
    tell = said(language(request))
    return _told(request, 413, tell("内容过大"), tell("一次至多提交 1 MB。"))


def _broken(request: Request, error: Exception) -> Response:
    """Nothing of the error is shown: it stands in the log, under a number that whoever met it can tell."""
    number, tell = secrets.token_hex(4), said(language(request))
    log.error("%s %s broke, number %s", request.method, request.url.path, number, exc_info=error)
    return _told(
        request, 500, tell("程序出错"), tell("已记入日志，编号 {number}。请告知数据工程人员。").format(number=number)
    )


def _told(request: Request, status: int, title: str, why: str) -> Response:
    return page(request, "refused.html", status, title=title, why=why)
