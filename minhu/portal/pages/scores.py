"""考评总览: who stands where and why, one peer group at a time; the files of exactly what is shown."""

import os
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote, urlencode

from starlette.responses import Response

from minhu import database
from minhu.errors import Refused
from minhu.export import Asked, write
from minhu.export.read import read_report
from minhu.export.report import Group, Report, Unit, totals
from minhu.portal.asking import Ask
from minhu.portal.kept import published
from minhu.portal.pages.fairness import path_to
from minhu.portal.pages.home import newest
from minhu.portal.shown import XLSX, saved_as
from minhu.privacy import access_log
from minhu.publish.feedback import looked
from minhu.publish.standing import scores_before
from minhu.warehouse.live import left

AT_ONCE = 100
"""Units of a page. Sorting, search and files are of all of the group."""
FORMS = {
    "xlsx": XLSX,
    "csv": "text/csv; charset=utf-8",
    "pdf": "application/pdf",
}


@dataclass(frozen=True)
class View:
    """What is shown of a report, as its address says. ``count``: units after the search, over all pages."""

    path: str
    asked: dict[str, str]
    sort: str
    is_down: bool
    page: int = 1
    count: int = 0

    @property
    def q(self) -> str | None:
        return self.asked.get("q")

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // AT_ONCE))

    def to(self, **changed: object) -> str:
        """The same with something else; page one unless it is a page that changes."""
        wanted = {**self.asked, **({} if "page" in changed else {"page": None}), **changed}
        told = {name: value for name, value in wanted.items() if value not in (None, "")}
        return f"{self.path}?{urlencode(told)}" if told else self.path

    def by(self, column: str) -> str:
        """Sorted by a column: what is best first, and turned round where it is so already."""
        is_down = not self.is_down if self.sort == column else column not in ("rank", "name")
        return self.to(sort=f"{'-' if is_down else ''}{column}")

    def file(self, form: str) -> str:
        return f"{self.path}/file?{urlencode({**self.asked, 'format': form})}"

    def unit(self, code: str) -> str:
        scheme, period = self.path.removeprefix("/scores/").split("/")
        kept = {name: self.asked[name] for name in ("revision", "draft") if name in self.asked}
        return f"/units/{quote(code)}/{period}?{urlencode({'scheme': scheme, **kept})}"

    def standing(self) -> list[tuple[str, str]]:
        """Which score it is: a revision, a draft, or what is published last."""
        return [(name, self.asked[name]) for name in ("revision", "draft") if name in self.asked]

    def kept(self) -> list[tuple[str, str]]:
        """What a search leaves as it is."""
        return [(name, value) for name, value in self.asked.items() if name not in ("q", "page")]


def releases(ask: Ask) -> Response:
    """What is published, and to evaluators the scores that are not."""
    released = newest(ask)
    drafts = []
    if ask.person.group in ("evaluator", "auditor"):
        known = {(one.scheme_id, one.period) for one in released}
        with database.connect(ask.reads) as connection:
            scored = connection.execute("select distinct period, scheme_id from mart.score_run").fetchall()
        drafts = [(scheme, period) for period, scheme in sorted(scored, reverse=True) if (scheme, period) not in known]
    own = ask.person.units[0] if ask.person.units else None
    return ask.page("releases_page.html", releases=released, drafts=drafts, own_unit=own)


def scores(ask: Ask) -> Response:
    report = _report(ask)
    group = _group(report, ask.wanted("group"))
    before_period, before = scores_before(ask.reads, report.scheme_id, report.period)
    view = _view(ask, report, group)
    units = _arranged(report, group, view, before) if group else []
    view = replace(view, count=len(units))
    start = (view.page - 1) * AT_ONCE
    sees = set(ask.person.units) if ask.person.group == "unit" else None
    of_all = [unit.code for unit in group.units] if group and sees is None else []
    return ask.page(
        "scores.html",
        report=report,
        group=group,
        view=view,
        units=units[start : start + AT_ONCE],
        indicators=[one for one in report.indicators if group and one.has_value and _is_of(group, one.code)],
        rules=dict(group.rules) if group else {},
        before_period=before_period,
        before=before,
        sees=sees,
        left=left(ask.reads, report.last, of_all) if of_all else None,
        fairness=path_to(ask, report.scheme_id, report.period, report.release.revision if report.release else None),
        looked=looked(ask.reads, report.release.release_id) if report.release else None,
    )


def file(ask: Ask) -> Response:
    """The units that the page shows, in its order, as a file; it stands in the access log before it is sent."""
    form = ask.wanted("format") or ""
    if form not in FORMS:
        raise Refused(f"there is no format {form!r}; there are {', '.join(FORMS)}")
    report = _report(ask)
    group = _group(report, ask.wanted("group"))
    if group is None:
        raise Refused("nobody was scored in this period")
    view = _view(ask, report, group)
    before = scores_before(ask.reads, report.scheme_id, report.period)[1] if view.sort == "moved" else {}
    units = tuple(_arranged(report, group, view, before))
    shown = replace(report, groups=(replace(group, units=units, totals=totals(report.indicators, units)),))
    content = write(shown, Asked(form, ask.lang, table="indicators"))
    about = f"{report.scheme_id} {report.period} {_standing(report)} {form} {group.code} {len(units)} units"
    access_log.record_export(ask.acts, about)
    name = f"{report.period}-{report.scheme_id}-{group.code}.{form}"
    return Response(content, media_type=FORMS[form], headers={"Content-Disposition": saved_as(name)})


def _report(ask: Ask) -> Report:
    scheme, period = ask.place("scheme"), ask.place("period")
    if ask.wanted("draft") is not None:
        return read_report(ask.reads, period, scheme, is_draft=True)
    return published(ask.reads, period, scheme, ask.number("revision"))


def _standing(report: Report) -> str:
    return f"revision {report.release.revision}" if report.release else "draft"


def _group(report: Report, code: str | None) -> Group | None:
    """The group that is asked for, else the first that has units; None where nobody was scored."""
    told = [group for group in report.groups if group.units]
    if code is None:
        return next(iter(told), None)
    found = next((group for group in told if group.code == code), None)
    if found is None:
        raise Refused(f"there is no peer group {code!r} in this period")
    return found


def _view(ask: Ask, report: Report, group: Group | None) -> View:
    names = ("group", "q", "sort", "revision", "draft")
    asked = {name: value for name in names if (value := ask.wanted(name))}
    sort = asked.get("sort", "rank")
    column = sort.removeprefix("-")
    known = {"rank", "name", "score", "moved", *report.names}
    if column not in known:
        raise Refused(f"nothing is sorted by {column!r}")
    if group and "group" not in asked:
        asked = {"group": group.code, **asked}
    return View(
        ask.request.url.path.removesuffix("/file"), asked, column, sort.startswith("-"), ask.number("page") or 1
    )


def _is_of(group: Group, code: str) -> bool:
    return any(unit.by(code) for unit in group.units)


def _arranged(report: Report, group: Group, view: View, before: dict[str, Decimal]) -> list[Unit]:
    """The units that fit the search, in the order asked for; those without a value stand last, either way."""
    wanted = (view.q or "").casefold()
    found = [unit for unit in (*group.listed, *group.apart) if not wanted or _fits(unit, wanted)]
    if view.sort == "rank":
        return found[::-1] if view.is_down else found
    told = {unit.code: _value(unit, view.sort, before) for unit in found}
    known = sorted(
        (unit for unit in found if told[unit.code] is not None),
        key=lambda unit: told[unit.code],  # type: ignore[arg-type,return-value]  # none is None here
        reverse=view.is_down,
    )
    return known + [unit for unit in found if told[unit.code] is None]


def _value(unit: Unit, column: str, before: dict[str, Decimal]) -> Decimal | str | None:
    if column == "name":
        return " ".join(usual for usual, *_ in _readings(unit.name))
    if column == "score":
        return unit.score_100
    if column == "moved":
        was = before.get(unit.code)
        return None if unit.score_100 is None or was is None else unit.score_100 - was
    found = unit.by(column)
    return found.value if found else None


def _fits(unit: Unit, wanted: str) -> bool:
    return wanted in unit.name.casefold() or wanted in unit.code.casefold() or has_initials(unit.name, wanted)


def has_initials(name: str, wanted: str) -> bool:
    """Whether the letters begin characters of the name that follow each other, each by any of its readings."""
    letters = [{reading[:1] for reading in readings} for readings in _readings(name)]
    return any(
        all(letter in letters[first + at] for at, letter in enumerate(wanted))
        for first in range(len(letters) - len(wanted) + 1)
    )


@lru_cache(maxsize=20_000)
def _readings(name: str) -> tuple[tuple[str, ...], ...]:
    """Of each character its readings in pinyin without tones, the usual first; what is no Chinese stays as it is."""
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")  # they weigh 50 MB; who types letters is found by any reading
    from pypinyin import Style, pinyin

    told = pinyin(name, style=Style.NORMAL, heteronym=True)
    return tuple(tuple(reading.casefold() for reading in readings) for readings in told)
