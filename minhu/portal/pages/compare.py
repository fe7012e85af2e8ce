"""比较: two to five units side by side, indicator by indicator."""

from starlette.responses import Response

from minhu.errors import Refused
from minhu.export.read import read_report
from minhu.portal.asking import Ask
from minhu.portal.kept import published
from minhu.portal.pages.fairness import path_to

FEWEST, MOST = 2, 5


def compare(ask: Ask) -> Response:
    """The units that are asked for, in the order of the report; of different peer groups each by its own rules."""
    scheme, period = ask.wanted("scheme"), ask.wanted("period") or ""
    codes = list(dict.fromkeys(ask.request.query_params.getlist("unit")))
    if not FEWEST <= len(codes) <= MOST:
        raise Refused(ask.said("请选两个到五个单位来比较。"))
    is_draft = ask.wanted("draft") is not None
    if is_draft:
        report = read_report(ask.reads, period, scheme, is_draft=True)
    else:
        report = published(ask.reads, period, scheme or "", ask.number("revision"))
    found = [(group, unit) for group, unit in report.units() if unit.code in codes]
    if len(found) != len(codes):
        raise Refused(ask.said("所选单位中有的在本期没有得分。"))
    return ask.page(
        "compare.html",
        report=report,
        found=found,
        indicators=[one for one in report.indicators if any(unit.by(one.code) for _, unit in found)],
        back=f"/scores/{report.scheme_id}/{report.period}{'?draft=1' if is_draft else ''}",
        fairness=path_to(ask, report.scheme_id, report.period, report.release.revision if report.release else None),
        sees=set(ask.person.units) if ask.person.group == "unit" else None,
    )
