"""Signing in and out, by a login or by the city's own sign-on; and the language."""

import logging
import os

import segno
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from minhu.errors import MinhuError, Refused
from minhu.portal.answers import answer
from minhu.portal.asking import COOKIE, desk_of, session_of
from minhu.portal.desk import LASTS, Halfway, Session, TriedTooOften
from minhu.portal.factor import address
from minhu.portal.shown import BACK, LANGUAGE, language, page, said, within

A_YEAR = 365 * 24 * 3600
SIGN_ON = "/login/oidc"

log = logging.getLogger("minhu.portal")


async def login(request: Request) -> Response:
    back = within(request.query_params.get(BACK))
    if request.method == "GET":
        return _page(request, back)
    form, address = await request.form(), _address(request)
    name, password = str(form.get("name", "")).strip(), str(form.get("password", ""))
    tell = said(language(request))
    try:
        async with request.app.state.door:
            entered = await run_in_threadpool(desk_of(request).enter, name, password, address)
    except Refused:
        why = tell("用户名或口令不对，或该用户不能使用本页面。忘记口令请联系管理员。")
        return _page(request, back, 403, why, name)
    except TriedTooOften as error:
        why = f"{tell('口令错误次数过多，请稍候再试。')} ({answer(str(error), language(request))})"
        return _page(request, back, 429, why, name)
    if isinstance(entered, Halfway):
        return _ask_for_code(request, back, entered.ticket, entered.login, entered.secret)
    return _let_in(request, back, entered)


async def leave(request: Request) -> Response:
    """To the city's own sign-on, which sends the browser back."""
    request.session["back"] = within(request.query_params.get(BACK))
    try:
        return await request.app.state.sign_on.start(request, f"{_home(request)}{SIGN_ON}/callback")
    except MinhuError as away:
        log.warning("%s", away)
        tell = said(language(request))
        return _page(request, request.session["back"], 503, tell("统一身份认证暂时不能使用，请用用户名和口令登录。"))


async def come_back(request: Request) -> Response:
    """With what the sign-on says of who it is. The database says what he may, and whether a code is asked for, too."""
    back, tell = within(request.session.get("back")), said(language(request))
    try:
        name = await request.app.state.sign_on.finish(request)
    except MinhuError as wrong:
        log.warning("%s", wrong)
        return _page(request, back, 403, tell("统一身份认证没有确认您的身份，请重试，或用用户名和口令登录。"))
    finally:
        request.session.clear()
    try:
        async with request.app.state.door:
            entered = await run_in_threadpool(desk_of(request).enter_known, name)
    except Refused as refused:
        log.warning("the sign-on names %r: %s", name, refused)
        return _page(request, back, 403, tell("统一身份认证确认的人没有可用的登录账号，请联系管理员。"))
    if isinstance(entered, Halfway):
        return _ask_for_code(request, back, entered.ticket, entered.login, entered.secret)
    # Sent on from another site the browser would keep our cookie to itself: this page asks for the next one anew.
    welcome = page(request, "welcome.html", back=back)
    _keep(request, welcome, COOKIE, entered.cookie, round(LASTS.total_seconds()))
    return welcome


def _home(request: Request) -> str:
    """Where people find the portal: as it was told, or as this one came."""
    return (os.environ.get("MINHU_PORTAL_URL") or str(request.base_url)).rstrip("/")


def _page(request: Request, back: str, status: int = 200, why: str | None = None, name: str = "") -> Response:
    sign_on = SIGN_ON if request.app.state.sign_on else None
    return page(request, "login.html", status, back=back, name=name, why=why, sign_on=sign_on)


async def code(request: Request) -> Response:
    """The second step: a code of the phone."""
    back, form = within(request.query_params.get(BACK)), await request.form()
    ticket, shown = str(form.get("ticket", "")), str(form.get("code", ""))
    tell = said(language(request))
    try:
        async with request.app.state.door:
            session = await run_in_threadpool(desk_of(request).finish, ticket, shown, _address(request))
    except Refused:
        why = tell("验证码不对、已用过，或已超过五分钟。请重新登录。")
        return _page(request, back, 403, why)
    except TriedTooOften as error:
        why = f"{tell('口令错误次数过多，请稍候再试。')} ({answer(str(error), language(request))})"
        return _page(request, back, 429, why)
    return _let_in(request, back, session)


def _ask_for_code(request: Request, back: str, ticket: str, login: str, secret: str | None) -> Response:
    picture = None
    if secret:
        made = segno.make(address(login, secret), micro=False).svg_inline(scale=5, dark="#000", light="#fff")
        picture = Markup(made)  # noqa: S704 - made here, of nothing that anybody sent
    return page(request, "code.html", back=back, ticket=ticket, secret=secret, picture=picture)


def _let_in(request: Request, back: str, session: Session) -> Response:
    answer = RedirectResponse(back, 303)
    _keep(request, answer, COOKIE, session.cookie, round(LASTS.total_seconds()))
    return answer


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def logout(request: Request) -> Response:
    desk_of(request).sign_out(session_of(request))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


async def change_language(request: Request) -> Response:
    form = await request.form()
    answer = RedirectResponse(within(str(form.get(BACK, ""))), 303)
    _keep(request, answer, LANGUAGE, "en" if form.get(LANGUAGE) == "en" else "zh", A_YEAR)
    return answer


def _keep(request: Request, answer: Response, name: str, value: str, seconds: int) -> None:
    is_secure = request.url.scheme == "https"
    answer.set_cookie(name, value, max_age=seconds, httponly=True, samesite="strict", secure=is_secure)
