"""The web application: who asks, what headers go with every answer, and how a refusal is shown.

A page changes nothing but by a form that comes from ourselves: the cookie is sent with no request that another site
makes (SameSite=Strict), and a POST says the origin it comes from.
"""

from pathlib import Path
from urllib.parse import urlsplit

from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minhu.errors import MinhuError, NotSignedIn, Retryable
from minhu.portal import pages
from minhu.portal.desk import Desk
from minhu.portal.pages import page

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
FOR_ONE_READER = {"Cache-Control": "no-store"}


def application(desk: Desk) -> Starlette:
    """The portal of one installation, whose logins ``desk.open`` has made."""
    app = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/login", pages.login, methods=["GET", "POST"]),
            Route("/logout", pages.logout, methods=["POST"]),
            Route("/scores/{scheme}/{period}", pages.scores),
            Mount("/static", StaticFiles(directory=STATIC), name="static"),
        ],
        middleware=[Middleware(GZipMiddleware), Middleware(WithHeaders), Middleware(OnlyOurForms)],
        exception_handlers={
            MinhuError: _refused,
            InsufficientPrivilege: _not_allowed,
            ReadOnlySqlTransaction: _not_allowed,
            404: _not_there,
        },
    )
    app.state.desk = desk
    return app


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
    """Refuses what another site has a browser send."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            came_from, asked = urlsplit(headers.get(b"origin", "")).netloc, headers.get(b"host")
            if not came_from or came_from != asked:
                await Response("请求不是从本站页面发出的", 403, media_type="text/plain")(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, NotSignedIn):
        answer = RedirectResponse(f"/login?{pages.BACK}={pages.path_of(request)}", 303)
        answer.delete_cookie(pages.COOKIE)
        return answer
    return page(request, "refused.html", 503 if isinstance(error, Retryable) else 400, title="没有办到", why=str(error))


def _not_allowed(request: Request, error: Exception) -> Response:
    """The database's own words name its tables: they are of no use to a reader."""
    return page(request, "refused.html", 403, title="不能查看", why="您所在的用户组不能查看这一页。")


def _not_there(request: Request, error: Exception) -> Response:
    return page(request, "refused.html", 404, title="没有这一页", why="地址有误，或这一周期还没有结果。")
