"""How an answer is made: templates in two languages, numbers and moments as the house writes them.

The words of pages are written in Chinese, where they stand; ``english.yml`` gives each of them in English. What is data
(names of units, findings, rules, reasons) stays as it was recorded.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import quote, unquote

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from minhu.export.figures import arrows, bare, counts, fixed, interval, percent, stamp
from minhu.glossary import cases, decided, delivered, law, watched
from minhu.glossary.columns import COLUMN
from minhu.glossary.kind import Kind, Lang
from minhu.portal import drawn
from minhu.portal.answers import answer
from minhu.portal.desk import Person
from minhu.schemes.words import limit
from minhu.scoring.explanation import IndicatorPart

HERE = Path(__file__).parent
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LANGUAGE = "lang"
"""The cookie of the language; Chinese without it."""
BACK = "back"
"""The page to which somebody returns who had to sign in, or who changes the language."""


def page(request: Request, template: str, status: int = 200, **shown: object) -> Response:
    """A page for whoever asks, in his language. ``shown``: what the template names."""
    lang, person = language(request), getattr(request.state, "person", None)
    text = environment(lang).get_template(template)
    return HTMLResponse(text.render(person=person, path=path_of(request), here=request.url.path, **shown), status)


def language(request: Request) -> Lang:
    return "en" if request.cookies.get(LANGUAGE) == "en" else "zh"


def path_of(request: Request) -> str:
    """The page that is asked for, with its query, to stand in a query itself."""
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(f"{request.url.path}{query}", safe="/")


def within(back: str | None) -> str:
    """A path of ours to return to: never another site's."""
    path = unquote(back or "/")
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\", "/login")) and path.isprintable()
    return path if is_ours else "/"


@cache
def environment(lang: Lang) -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a process goes on with the pages that it began with, also while it is upgraded
        cache_size=-1,
        extensions=["jinja2.ext.i18n"],
    )
    tell = said(lang)
    made.install_gettext_callables(tell, lambda one, _several, _count: tell(one), newstyle=True)  # type: ignore[attr-defined]
    made.filters |= {
        "bare": bare,
        "percent": percent,
        "interval": interval,
        "counts": counts,
        "stamp": stamp,
        "limit": _limit,
        "points": points,
        "signed": _signed,
        "quartile": _quartile,
        "wilson": _wilson,
        "thousands": lambda number: "—" if number is None else f"{number:,}",
        "or_dash": lambda value: "—" if value is None or value == "" else value,
        "plainly": lambda number: f"{number:,}" if isinstance(number, int) else bare(number),
        "arrows": arrows,
        "refusal": lambda text: answer(text, lang) or f"{tell('系统的答复：')}{text}",
    }
    made.globals |= KINDS
    made.globals |= {
        "lang": lang,
        "word": lambda code: getattr(COLUMN[code], lang),
        "of": lambda kind, code: _of(kind, code, lang),
        "drawn": drawn,
        "rooms_of": rooms_of,
    }
    return made


@cache
def said(lang: Lang) -> Callable[[str], str]:
    """Gives what is written in Chinese in the language. Raises KeyError where the catalogue lacks it."""
    if lang == "zh":
        return lambda told: told
    catalogue = english()
    return lambda told: catalogue[" ".join(told.split())]


@cache
def english() -> Mapping[str, str]:
    return yaml.safe_load((HERE / "english.yml").read_text(encoding="utf-8"))


def points(number: Decimal | None) -> str:
    return "—" if number is None else fixed(number, 2)


def _signed(number: Decimal | None) -> str:
    return "—" if number is None else f"{number:+.2f}".replace("-", "−")


def _wilson(part: IndicatorPart) -> str:
    """The interval of a rate, in percent; nothing where it has none."""
    if part.wilson_low is None or part.wilson_high is None:
        return ""
    return f"{fixed(100 * part.wilson_low, 1)}–{fixed(100 * part.wilson_high, 1)}%"


def _quartile(number: Decimal, is_percent: bool) -> str:
    """A value of a group: in percent to two decimals, a number as it is."""
    return percent(number) if is_percent else bare(number)


def _limit(when: datetime | None) -> str:
    return "—" if when is None else limit(when)


def _of(kind: Kind, code: str | None, lang: Lang) -> str:
    return "—" if code is None else kind.said(code, lang)


KINDS: dict[str, Kind] = {
    "access_words": decided.ACCESS,
    "act_words": decided.ACT,
    "anomaly": cases.ANOMALY,
    "answer": cases.ANSWER,
    "batch_status": delivered.BATCH_STATUS,
    "build_status": delivered.BUILD_STATUS,
    "build_step": delivered.BUILD_STEP,
    "decision_state": decided.DECISION_STATE,
    "delivery_state": delivered.DELIVERY_STATE,
    "city": watched.CITY,
    "door_mend": delivered.DOOR_MEND,
    "door_reason": delivered.DOOR_REASON,
    "event_type": cases.EVENT_TYPE,
    "funnel": law.FUNNEL_FLAG,
    "gate": delivered.GATE,
    "groups": decided.GROUP,
    "job_act": decided.JOB_ACT,
    "job_state": decided.JOB_STATE,
    "left_out": cases.LEFT_OUT,
    "load_outcome": delivered.LOAD_OUTCOME,
    "media_type": decided.MEDIA_TYPE,
    "not_ranked": law.NOT_RANKED,
    "not_split": law.NOT_SPLIT,
    "on_failure": delivered.ON_FAILURE,
    "preview": delivered.PREVIEW,
    "quality_part": delivered.QUALITY_PART,
    "record": delivered.RECORD,
    "remark_state": decided.REMARK_STATE,
    "request_type": cases.REQUEST_TYPE,
    "severity": delivered.SEVERITY,
    "subject_words": decided.SUBJECT_OF_APPROVAL,
    "unit_role": cases.UNIT_ROLE,
}
"""The words of codes, by the names under which templates ask for them."""


def saved_as(name: str) -> str:
    """The header by which a browser saves a file under this name."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


PAGES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("/", "首页", frozenset({"evaluator", "auditor", "unit", "bi", "engineer", "sender"})),
    ("/live", "态势", frozenset({"evaluator", "auditor", "bi", "engineer"})),
    ("/scores", "考评", frozenset({"evaluator", "auditor", "unit"})),
    ("/cases", "诉求件", frozenset({"evaluator", "auditor", "unit"})),
    ("/inbox", "待办", frozenset({"evaluator", "unit"})),
    ("/feedback", "核对", frozenset({"evaluator", "auditor", "unit"})),
    ("/jobs", "任务", frozenset({"evaluator", "auditor"})),
    ("/feeds", "报送", frozenset({"evaluator", "auditor", "engineer"})),
    ("/push", "送数", frozenset({"sender"})),
    ("/quality", "质量", frozenset({"evaluator", "auditor", "engineer"})),
    ("/audit", "审计", frozenset({"auditor"})),
    ("/people", "人员", frozenset({"auditor", "engineer"})),
    ("/help", "帮助", frozenset({"evaluator", "auditor", "unit", "bi", "engineer", "sender"})),
)
"""What stands in the head of each page, and for whom: a help to find things. What may be seen the database decides."""


_BESIDE = {
    "/units": "/scores",
    "/compare": "/scores",
    "/fairness": "/scores",
    "/schemes": "/scores",
    "/attachments": "/cases",
    "/province": "/live",
    "/api": "/help",
    "/account": "/help",
}


def has_room(person: Person, path: str) -> bool:
    """Whether the page belongs to a room of the person's group; what has no name in the head goes with what has."""
    room = f"/{path.split('/')[1]}"
    return any(path == _BESIDE.get(room, room) and person.group in groups for path, _, groups in PAGES)


def rooms_of(person: Person) -> list[tuple[str, str]]:
    return [(path, name) for path, name, groups in PAGES if person.group in groups]
