"""What is shown to whom: each page asks one function of the house, as the person who looks, and lays out the answer."""

from pathlib import Path
from urllib.parse import quote, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from minhu.errors import Refused, Retryable
from minhu.export.figures import bare, counts, fixed, interval, percent, stamp
from minhu.export.read import read_report
from minhu.export.report import Group, Report
from minhu.glossary.columns import COLUMN
from minhu.portal.desk import LASTS, Desk, Person, Session
from minhu.publish.diff import list_releases

COOKIE = "minhu"
BACK = "back"
"""The page to which somebody returns who had to sign in."""

_made = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_made.filters |= {"bare": bare, "percent": percent, "interval": interval, "counts": counts, "stamp": stamp}
_made.filters["points"] = lambda number: "" if number is None else fixed(number, 2)
_made.globals["word"] = COLUMN.zh


def page(request: Request, template: str, status: int = 200, **shown: object) -> Response:
    person = getattr(request.state, "person", None)
    text = _made.get_template(template).render(person=person, path=path_of(request), **shown)
    return HTMLResponse(text, status)


def path_of(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(f"{request.url.path}{query}", safe="/")


async def login(request: Request) -> Response:
    back = _within(request.query_params.get(BACK))
    if request.method == "GET":
        return page(request, "login.html", back=back, name="", why=None)
    form, address = await request.form(), request.client.host if request.client else ""
    name, password = str(form.get("name", "")).strip(), str(form.get("password", ""))
    try:
        session = await run_in_threadpool(_desk(request).sign_in, name, password, address)
    except Refused:
        why = "用户名或口令不对，或该用户不能使用本页面。忘记口令请联系管理员。"
        return page(request, "login.html", 403, back=back, name=name, why=why)
    except Retryable as error:
        why = f"口令错误次数过多，请稍候再试。（{error}）"
        return page(request, "login.html", 429, back=back, name=name, why=why)
    answer = RedirectResponse(back, 303)
    answer.set_cookie(
        COOKIE,
        session.cookie,
        max_age=round(LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def logout(request: Request) -> Response:
    _desk(request).sign_out(_session(request))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


def home(request: Request) -> Response:
    """What is published, the newest first."""
    session = _who(request)
    released = sorted(
        list_releases(_desk(request).asks(session)), key=lambda one: (one.period, one.release_id), reverse=True
    )
    newest = {(one.scheme_id, one.period): one for one in reversed(released)}
    shown = sorted(newest.values(), key=lambda one: (one.period, one.scheme_id), reverse=True)
    return page(request, "home.html", releases=shown)


def scores(request: Request) -> Response:
    """Who stands where and why, one peer group at a time."""
    session = _who(request)
    revision = request.query_params.get("revision")
    if revision is not None and not (revision.isascii() and revision.isdigit()):
        raise Refused("修订号是数字")
    asks = _desk(request).asks(session)
    scheme, period = request.path_params["scheme"], request.path_params["period"]
    report = read_report(asks, period, scheme, revision=int(revision) if revision else None)
    return page(request, "scores.html", report=report, group=_group(report, request.query_params.get("group")))


def _group(report: Report, code: str | None) -> Group | None:
    """The group that is asked for, else the first that has units; None where nobody was scored."""
    told = [group for group in report.groups if group.units]
    if code is None:
        return next(iter(told), None)
    found = next((group for group in told if group.code == code), None)
    if found is None:
        raise Refused(f"本周期没有同类组 {code}")
    return found


def _desk(request: Request) -> Desk:
    return request.app.state.desk


def _session(request: Request) -> Session:
    return Session.of_cookie(request.cookies.get(COOKIE, ""))


def _who(request: Request) -> Session:
    """The session of whoever looks, and him for the head of the page. Raises NotSignedIn."""
    session = _session(request)
    person: Person = _desk(request).person(session)
    request.state.person = person
    return session


def _within(back: str | None) -> str:
    """A path of ours to return to: never another site's."""
    path = unquote(back or "/")
    return path if path.startswith("/") and not path.startswith(("//", "/\\", "/login")) else "/"
