"""The way in: a page for people, tokens for programs, the city's own sign-on where there is one.

A wrong password is told plainly, and slowly; who goes on guessing is not heard for the rest of a minute. No password is
written anywhere: not to a log, not into an answer, not where a body cannot be read.
"""

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.middleware.sessions import SessionMiddleware

from minhu.airflow_users import page
from minhu.airflow_users.rights import may_enter
from minhu.database import people
from minhu.database.sign_on import Provider
from minhu.errors import MinhuError, Refused
from minhu.settings import Settings

SLOW = 1.0
"""Seconds that a wrong password takes at least."""
WINDOW = 60.0
OF_A_NAME, OF_A_PLACE = 5, 20
"""Wrong passwords within `WINDOW` seconds after which a login, or an address, is not heard."""
AT_ONCE = 4
"""Passwords that are being looked at at a time, each a connection to the database."""
LARGEST = 8192
"""Bytes of a body that can hold a login and a password."""

WRONG = "登录名或密码不对，或者这个登录已停用 wrong login or password"
EMPTY = "请填写登录名和密码 give a login and its password"
TOO_MANY = "试得太多，请过 {0:.0f} 秒再试 too many tries, wait {0:.0f} seconds"
NO_RIGHTS = "密码正确，但这个登录所在的组不使用 Airflow the groups of this login do not use Airflow"
AWAY = "暂时连不上数据库，请稍后再试 the database is away, try again later"
FOREIGN = "统一身份认证没有确认您的身份，请重试或改用登录名和密码 the sign-on did not say who you are"
UNKNOWN = "统一身份认证确认的人在数据库里没有可用的登录 the sign-on names nobody whose login may enter here"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hall:
    """What the way in needs of Airflow. ``token`` takes ``of_cli``; ``is_ours``: whether a target is a page of ours."""

    settings: Settings
    token: Callable[..., str]
    let_in: Callable[[Response, str, Request], None]
    is_ours: Callable[[str, Request], bool]
    log: Callable[[str, str, str], None]
    home: str
    """The path of the first page."""
    base: str
    """Where people find Airflow, for who sends them back."""
    provider: Provider | None
    secret: str = field(repr=False)


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["username", "password"],
                    "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
                }
            }
        },
    }
}


class Turned(Exception):
    """Who asks does not come in: the answer's status, what he is told, and after how many seconds he may ask again."""

    def __init__(self, status: int, told: str, after: int = 0):
        super().__init__(told)
        self.status, self.told = status, told
        self.headers = {"Retry-After": str(after)} if after else {}


class Tries:
    """Passwords tried of late, by login and by address; one that was right is taken back. Of this process alone."""

    def __init__(self) -> None:
        self._at: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def begin(self, name: str, place: str, now: float) -> None:
        """Counts a try before it is made, so that many at once are many. Raises Turned when there were too many."""
        for key in [key for key, tried in self._at.items() if now - tried[-1] > WINDOW]:
            del self._at[key]
        keys = (("name", name), OF_A_NAME), (("place", place), OF_A_PLACE)
        waits = [0.0]
        for key, most in keys:
            self._at[key] = [at for at in self._at.get(key, ()) if now - at <= WINDOW]
            if len(self._at[key]) >= most:
                waits.append(self._at[key][-most] + WINDOW - now)
        if wait := max(waits):
            for key, _ in keys:
                if not self._at[key]:
                    del self._at[key]
            raise Turned(
                429, f"试得太多，请过 {wait:.0f} 秒再试 too many tries, wait {wait:.0f} seconds", round(wait) + 1
            )
        for key, _ in keys:
            self._at[key].append(now)

    def was_right(self, name: str, place: str, now: float) -> None:
        self._at.pop(("name", name), None)
        if now in self._at.get(("place", place), ()):
            self._at["place", place].remove(now)
            if not self._at["place", place]:
                del self._at["place", place]


class Door:
    """Asks who somebody is. One for each process of the API server."""

    def __init__(self, hall: Hall):
        self.hall, self._tries = hall, Tries()
        self._limiter: CapacityLimiter | None = None

    async def by_password(self, name: str, password: str, request: Request) -> str:
        """The login's name, once it has proved to be it and may enter. Raises Turned."""
        name, place, now = name.strip(), place_of(request), time.monotonic()
        if not name or not password:
            raise Turned(400, EMPTY)
        self._tries.begin(name, place, now)
        self._limiter = self._limiter or CapacityLimiter(AT_ONCE)
        try:
            await to_thread.run_sync(people.prove, self.hall.settings, name, password, limiter=self._limiter)
        except Refused as refused:
            log.warning("sign-in from %s refused: %s", place, refused)
            await asyncio.sleep(SLOW)
            raise Turned(401, WRONG) from None
        except MinhuError:
            raise Turned(503, AWAY) from None
        self._tries.was_right(name, place, now)
        return await self.by_name(name, request, NO_RIGHTS)

    async def by_name(self, name: str, request: Request, otherwise: str) -> str:
        """The same of somebody whom another has proved to be ``name``; ``otherwise`` is what he is told."""
        try:
            groups = await to_thread.run_sync(people.groups_of, self.hall.settings, name)
        except MinhuError:
            raise Turned(503, AWAY) from None
        if not may_enter(groups):
            log.warning("sign-in of %r from %s refused: not of a group that enters", name[:63], place_of(request))
            raise Turned(403, otherwise)
        await to_thread.run_sync(self.hall.log, "sign_in", name, place_of(request))
        log.info("sign-in of %r from %s", name, place_of(request))
        return name


def app(hall: Hall) -> FastAPI:
    """What Airflow mounts under ``/auth``."""
    door, pages = Door(hall), APIRouter()

    @pages.get("/login", include_in_schema=False)
    def ask(request: Request) -> Response:
        return _page(hall, request.query_params.get("next", ""))

    @pages.post("/login", include_in_schema=False)
    async def answer(request: Request) -> Response:
        given = await _given(request)
        try:
            name = await door.by_password(given["username"], given["password"], request)
        except Turned as turned:
            return _page(hall, given["next"], turned, given["username"])
        return _welcome(hall, given["next"], name, request)

    @pages.post("/token", status_code=201, summary="A token for a login and its password", openapi_extra=_BODY)
    async def token(request: Request) -> Response:
        return await _token(door, request, of_cli=False)

    @pages.post("/token/cli", status_code=201, summary="The same for a command line, for a shorter time",
                openapi_extra=_BODY)  # fmt: skip
    async def token_of_cli(request: Request) -> Response:
        return await _token(door, request, of_cli=True)

    built = FastAPI(title="民呼", description="Logins of the database, for people and for programs.")
    if hall.provider:
        _add_sign_on(pages, hall, hall.provider, door)
        built.add_middleware(
            SessionMiddleware,
            secret_key=hall.secret,
            session_cookie="minhu_sign_on",
            max_age=600,
            same_site="lax",
            https_only=hall.base.startswith("https:"),
        )
    built.include_router(pages)
    return built


def _add_sign_on(pages: APIRouter, hall: Hall, provider: Provider, door: Door) -> None:
    @pages.get("/oidc", include_in_schema=False)
    async def leave(request: Request) -> Response:
        request.session["next"] = request.query_params.get("next", "")
        try:
            return await provider.start(request, f"{hall.base.rstrip('/')}/auth/oidc/callback")
        except MinhuError as away:
            log.warning("%s", away)
            return _page(hall, request.session["next"], Turned(503, FOREIGN))

    @pages.get("/oidc/callback", include_in_schema=False)
    async def come_back(request: Request) -> Response:
        target = request.session.get("next", "")
        try:
            name = await provider.finish(request)
            await door.by_name(name, request, UNKNOWN)
        except MinhuError as wrong:
            log.warning("%s", wrong)
            return _page(hall, target, Turned(401, FOREIGN))
        except Turned as turned:
            return _page(hall, target, turned)
        finally:
            request.session.clear()
        return _welcome(hall, target, name, request)


def place_of(request: Request) -> str:
    return request.client.host if request.client else "?"


async def _given(request: Request) -> dict[str, str]:
    """What a form or a JSON body says of username, password and next; nothing where it cannot be read."""
    told: Any = {}
    if int(request.headers.get("content-length") or 0) <= LARGEST:
        try:
            if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
                told = json.loads(await request.body())
            else:
                told = dict(await request.form())
        except ValueError:
            told = {}
    of = told.get if isinstance(told, dict) else {}.get
    return {key: value if isinstance(value := of(key), str) else "" for key in ("username", "password", "next")}


async def _token(door: Door, request: Request, *, of_cli: bool) -> Response:
    given = await _given(request)
    try:
        name = await door.by_password(given["username"], given["password"], request)
    except Turned as turned:
        return JSONResponse({"detail": turned.told}, turned.status, turned.headers)
    return JSONResponse({"access_token": door.hall.token(name, of_cli=of_cli)}, 201)


def _welcome(hall: Hall, target: str, name: str, request: Request) -> Response:
    answer = RedirectResponse(target if target and hall.is_ours(target, request) else hall.home, 303)
    hall.let_in(answer, name, request)
    return answer


def _page(hall: Hall, target: str, turned: Turned | None = None, name: str = "") -> HTMLResponse:
    told, status, headers = (turned.told, turned.status, turned.headers) if turned else ("", 200, {})
    text = page.render(target, wrong=told, name=name[:63], has_sign_on=hall.provider is not None)
    return HTMLResponse(text, status, page.HEADERS | headers)
