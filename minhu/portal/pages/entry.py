"""Signing in and out, and the language."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from minhu.errors import Refused, Retryable
from minhu.portal.asking import COOKIE, desk_of, session_of
from minhu.portal.desk import LASTS
from minhu.portal.shown import BACK, LANGUAGE, language, page, said, within

A_YEAR = 365 * 24 * 3600


async def login(request: Request) -> Response:
    back = within(request.query_params.get(BACK))
    if request.method == "GET":
        return page(request, "login.html", back=back, name="", why=None)
    form, address = await request.form(), request.client.host if request.client else ""
    name, password = str(form.get("name", "")).strip(), str(form.get("password", ""))
    tell = said(language(request))
    try:
        session = await run_in_threadpool(desk_of(request).sign_in, name, password, address)
    except Refused:
        why = tell("用户名或口令不对，或该用户不能使用本页面。忘记口令请联系管理员。")
        return page(request, "login.html", 403, back=back, name=name, why=why)
    except Retryable as error:
        why = f"{tell('口令错误次数过多，请稍候再试。')} ({error})"
        return page(request, "login.html", 429, back=back, name=name, why=why)
    answer = RedirectResponse(back, 303)
    _keep(request, answer, COOKIE, session.cookie, round(LASTS.total_seconds()))
    return answer


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
