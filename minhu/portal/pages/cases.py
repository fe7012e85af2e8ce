"""诉求件: the whole life of one case on a line; its text only for a reason, which is logged."""

from starlette.responses import Response

from minhu.glossary.cases import EVENT_TYPE, LIMIT_KIND, TEXT_OF_CASE
from minhu.portal.asking import Ask
from minhu.portal.pages.units import case_path
from minhu.privacy.case_text import read_case
from minhu.publish.life import MOST_FOUND, find_cases, life

READS_TEXT = ("evaluator", "auditor")


def find(ask: Ask) -> Response:
    asked = ask.wanted("no")
    found = find_cases(ask.reads, asked) if asked else ()
    return ask.page("cases.html", asked=asked, found=found, most=MOST_FOUND, case_path=case_path)


def case(ask: Ask) -> Response:
    """The case; with its text where somebody says why he looks."""
    feed, case_no = ask.place("feed"), ask.place("case_no")
    found, text = life(ask.reads, feed, case_no), None
    if ask.request.method == "POST":
        text = [
            {**row, "told": TEXT_OF_CASE.said(EVENT_TYPE.said(row["told"], ask.lang), ask.lang)}
            for row in read_case(ask.acts, feed, case_no, ask.written("why") or "")
        ]
    return ask.page(
        "case.html",
        life=found,
        case=found.case,
        text=text,
        reads_text=ask.person.group in READS_TEXT,
        names={kind: getattr(LIMIT_KIND[kind], ask.lang) for kind in ("sign", "contact", "close")}
        | {"events": ask.said("事件与回访")},
        case_path=case_path,
    )
