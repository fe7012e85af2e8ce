"""Who calls, and how often; what is wrong in both languages, as RFC 9457 has it."""

import logging
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from psycopg.errors import DataError, InsufficientPrivilege, ReadOnlySqlTransaction
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from minhu.errors import MinhuError, NotSignedIn, Retryable
from minhu.feeds.posted import TooLarge
from minhu.portal.answers import answer
from minhu.portal.asking import COOKIE
from minhu.portal.desk import Desk, Person, Session, TriedTooOften
from minhu.settings import Settings

log = logging.getLogger("minhu.portal")
PER_SECOND, AT_ONCE = 10, 50
"""Requests of one key that this process answers: so many a second, and so many that come together."""
MOST_KEYS = 10_000
NUMBER = "X-Request-Id"
NOT_KEPT = "a text holds a character that cannot be kept, or a number is out of range"


@dataclass(frozen=True)
class Caller:
    """Somebody's key, or his session in a browser, which reads alone."""

    desk: Desk
    session: Session

    @property
    def reads(self) -> Settings:
        return self.desk.asks(self.session)

    @property
    def acts(self) -> Settings:
        return self.desk.asks(self.session, reads=False)

    @property
    def person(self) -> Person:
        return self.desk.person(self.session)


class TooOften(Exception):
    def __init__(self, seconds: float):
        self.seconds = seconds


class Problem(BaseModel):
    """What went wrong (RFC 9457). ``detail`` is the system's own word, ``detail_zh`` the same in Chinese where there is
    one; ``instance`` finds it in the log.
    """

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["The request was refused"])
    title_zh: str = Field(examples=["请求被拒绝"])
    status: int = Field(examples=[400])
    code: str = Field(examples=["refused"])
    detail: str = Field(examples=["there is no release 7"])
    detail_zh: str | None = Field(examples=["没有发布 7"])
    instance: str = Field(examples=["5f1c0e77a9b2"])


PROBLEMS = {
    "not_signed_in": (401, "A key is needed, or this one has ended", "需要有效的密钥"),
    "not_allowed": (403, "Not for the group that you belong to", "您所在的用户组不能这样做"),
    "not_there": (404, "There is no such address", "没有这个地址"),
    "not_so": (405, "Not by this method", "不支持此方法"),
    "refused": (400, "The request was refused", "请求被拒绝"),
    "unfit": (422, "A part of the request does not fit", "请求的一部分不合要求"),
    "too_much": (413, "The body is larger than any that is expected", "请求内容过大"),
    "too_often": (429, "Too many requests", "请求过于频繁"),
    "not_now": (503, "Try again later", "请稍后再试"),
    "broken": (500, "Something broke", "程序出错"),
}


def caller(request: Request) -> Caller:
    """By ``Authorization: Bearer GROUP.TOKEN``; to read also by the session of a browser. Raises NotSignedIn."""
    desk: Desk = request.app.state.desk
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        session = Session.of_cookie(told.strip())
    elif not kind and request.method in ("GET", "HEAD"):
        session = Session.of_cookie(request.cookies.get(COOKIE, ""))
    else:
        raise NotSignedIn("send the key as Authorization: Bearer …")
    request.app.state.buckets.take(session.token)
    return Caller(desk, session)


Asked = Annotated[Caller, Depends(caller)]


class Buckets:
    """How many requests each key has left; kept by each process for itself, and lost with it."""

    def __init__(self, per_second: float = PER_SECOND, at_once: int = AT_ONCE):
        self._per_second, self._at_once = per_second, at_once
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, token: str) -> None:
        """Raises TooOften."""
        now = time.monotonic()
        left, at = self._left.get(token, (float(self._at_once), now))
        left = min(self._at_once, left + (now - at) * self._per_second)
        self._left[token] = (left - 1 if left >= 1 else left, now)
        if left < 1:
            raise TooOften((1 - left) / self._per_second)
        if len(self._left) > MOST_KEYS:  # whoever guesses keys fills it: those that are full again say nothing
            full = now - self._at_once / self._per_second
            self._left = {key: one for key, one in self._left.items() if one[1] > full}


def problem(request: Request, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    status, title, title_zh = PROBLEMS[code]
    number = number_of(request)
    told = Problem(
        type="about:blank",
        title=title,
        title_zh=title_zh,
        status=status,
        code=code,
        detail=answer(detail, "en") or detail,
        detail_zh=answer(detail, "zh"),
        instance=number,
    )
    return JSONResponse(
        told.model_dump(), status, {NUMBER: number} | (headers or {}), media_type="application/problem+json"
    )


def number_of(request: Request) -> str:
    """The number of the request: the caller's own where it is one."""
    if not hasattr(request.state, "number"):
        given = request.headers.get(NUMBER, "")
        is_fit = 0 < len(given) <= 64 and given.isascii() and given.replace("-", "").isalnum()
        request.state.number = given if is_fit else secrets.token_hex(6)
    return request.state.number


def refused(request: Request, error: Exception) -> Response:
    """Whatever a function of the house raises, as a problem."""
    match error:
        case NotSignedIn():
            return problem(request, "not_signed_in", str(error), {"WWW-Authenticate": "Bearer"})
        case TriedTooOften():
            return problem(request, "too_often", str(error), {"Retry-After": str(error.seconds)})
        case Retryable():
            return problem(request, "not_now", str(error), {"Retry-After": "5"})
        case TooOften():
            return problem(request, "too_often", "wait", {"Retry-After": str(max(1, round(error.seconds + 0.5)))})
        case InsufficientPrivilege() | ReadOnlySqlTransaction():
            return problem(request, "not_allowed", "the database does not let this login do it")
        case DataError():
            return problem(request, "unfit", NOT_KEPT)
        case RequestValidationError():
            return problem(request, "unfit", "; ".join(_told(one) for one in error.errors()))
        case HTTPException(status_code=400):
            return problem(request, "unfit", "the body cannot be read: it is JSON in UTF-8")
        case HTTPException(status_code=404):
            return problem(request, "not_there", "see /api/docs")
        case HTTPException(status_code=405):
            return problem(request, "not_so", "see /api/docs", dict(error.headers or {}))
        case TooLarge():
            return problem(request, "too_much", str(error))
        case MinhuError():
            return problem(request, "refused", str(error))
        case _:
            log.error("%s %s broke, number %s", request.method, request.url.path, number_of(request), exc_info=error)
            return problem(request, "broken", "it is in the log under this number")


def _told(error: dict[str, Any]) -> str:
    """Where, and what is wrong; never what was sent."""
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


HANDLERS: dict[Any, Any] = {
    MinhuError: refused,
    TooOften: refused,
    InsufficientPrivilege: refused,
    ReadOnlySqlTransaction: refused,
    DataError: refused,
    RequestValidationError: refused,
    HTTPException: refused,
    Exception: refused,
}
